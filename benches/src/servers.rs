//! A thousand servers under load, here and under OTP, told what to do by lines.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Package, Patched, Patches, Session, workspace};

/// What a program is started with.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Servers, each with a client.
    pub servers: u64,
    /// Milliseconds between two calls of a client, 0 for none.
    pub gap: u64,
    /// Tasks or processes that only wait.
    pub idle: u64,
    /// What servers are: `tasks` or `threads`.
    pub of: &'static str,
}

/// The calls that began within some time.
#[derive(Debug, Clone, Copy)]
pub struct Calls {
    /// How many they are.
    pub calls: f64,
    /// The milliseconds that 99 of 100 of them took at most.
    pub p99: f64,
    /// The milliseconds that the longest one took.
    pub longest: f64,
}

impl Calls {
    fn parse(line: &str) -> Result<Self> {
        let numbers = line.split(' ').map(str::parse);
        let numbers: Vec<f64> = numbers.collect::<Result<_, _>>()?;
        let [calls, p99, longest] = numbers[..] else {
            anyhow::bail!("not three numbers: {line:?}")
        };
        ensure!(calls > 0.0, "no calls");
        Ok(Self {
            calls,
            p99: p99 / 1000.0,
            longest: longest / 1000.0,
        })
    }
}

/// What can be done with a thousand servers.
pub trait Servers {
    /// The program that they are in.
    fn session(&mut self) -> &mut Session;

    /// Gives each server's state one more field, or takes that away; the result is for how many milliseconds a server
    /// could take no message, the longest of all.
    ///
    /// # Errors
    ///
    /// It fails.
    fn upgrade(&mut self, up: bool) -> Result<f64>;

    /// Loads other code for the same state; with it comes the one before, again and again.
    ///
    /// # Errors
    ///
    /// It fails.
    fn load(&mut self, other: bool) -> Result<()>;

    /// From here on, calls are noted.
    ///
    /// # Errors
    ///
    /// The program is gone.
    fn open(&mut self) -> Result<()> {
        self.session().send("open")?;
        self.session().line()?;
        Ok(())
    }

    /// The calls since then.
    ///
    /// # Errors
    ///
    /// There were none, or the program is gone.
    fn close(&mut self) -> Result<Calls> {
        self.session().send("close")?;
        Calls::parse(&self.session().line()?)
    }
}

/// The program, and patches of it.
#[derive(Debug)]
pub struct Builds {
    patches: Patches,
    _package: Package,
}

const MANIFEST: &str = r#"[package]
name = "servers-bench"
edition = "2024"

[dependencies]
hotswap-runtime = { path = "$HOTSWAP_RUNTIME" }
tokio = { version = "1", features = ["fs", "io-std", "io-util", "macros", "net", "rt-multi-thread", "sync", "time"] }

[workspace]
"#;

impl Builds {
    /// Builds the program, and has the tool make the patches.
    ///
    /// # Errors
    ///
    /// It does not build.
    pub fn make() -> Result<Self> {
        let source = include_str!("servers/program.rs");
        let package = Package::of_manifest("servers-bench", MANIFEST, source)?;
        package.optimise()?;
        let field = "    count: u64,\n";
        let more = "    count: u64,\n    #[migrate(default = 3)]\n    more: u64,\n";
        let edits = [
            ("\"text 0\"", "\"text 1\""),
            ("\"text 1\"", "\"text 2\""),
            (field, more),
            (more, field),
        ];
        let patches = Patches::record(&package, "src/main.rs", &edits)?;
        Ok(Self {
            patches,
            _package: package,
        })
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn start(&self, load: Load) -> Result<Here<'_>> {
        let numbers = [load.servers, load.gap, load.idle].map(|number| number.to_string());
        let mut arguments: Vec<&str> = numbers.iter().map(String::as_str).collect();
        arguments.push(load.of);
        // Purges are asked for.
        let variables = [("HOTSWAP_PURGE", "off")];
        let program = Patched::start(&self.patches, &variables, &arguments)?;
        let patches = &self.patches;
        Ok(Here { patches, program })
    }
}

/// The program as it runs.
pub struct Here<'a> {
    patches: &'a Patches,
    /// The program.
    pub program: Patched,
}

impl Here<'_> {
    /// Makes a patch live; the milliseconds that servers stood for it.
    fn apply(&mut self, number: usize) -> Result<f64> {
        let (_, report) = self.program.swap(&self.patches.manifests[number])?;
        Ok(report.pause_us as f64 / 1000.0)
    }
}

impl Servers for Here<'_> {
    fn session(&mut self) -> &mut Session {
        &mut self.program.session
    }

    fn upgrade(&mut self, up: bool) -> Result<f64> {
        self.apply(if up { 2 } else { 3 })
    }

    fn load(&mut self, other: bool) -> Result<()> {
        self.apply(usize::from(other))?;
        Ok(())
    }
}

/// The same under OTP.
pub struct Otp {
    /// The program.
    pub session: Session,
}

impl Otp {
    /// Starts it; none where Erlang is not installed.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn start(load: Load) -> Result<Option<Self>> {
        let folder = workspace().join("benches/src/servers");
        let built = hotswap_tests::target()?.join("otp");
        std::fs::create_dir_all(&built)?;
        let compiler = Command::new("erlc")
            .current_dir(&folder)
            .arg("-o")
            .arg(&built)
            .arg("otp.erl")
            .status();
        let Ok(compiled) = compiler else {
            return Ok(None);
        };
        ensure!(compiled.success(), "erlc fails");
        let Load {
            servers, gap, idle, ..
        } = load;
        let mut command = Command::new("erl");
        // It is ended in the middle of things, and would write down what it was about.
        command.env("ERL_CRASH_DUMP_SECONDS", "0");
        // More processes than there are by default.
        command.current_dir(&folder).args(["+P", "1000000"]);
        command.args(["-noshell", "-pa"]).arg(&built);
        command.arg("-eval");
        command.arg(format!("otp:main([{servers}, {gap}, {idle}])"));
        let mut session = Session::spawn(command)?;
        session.expect("ready")?;
        Ok(Some(Self { session }))
    }

    fn tell(&mut self, line: &str) -> Result<()> {
        self.session.ask(line, "ok")
    }

    /// The milliseconds that a purge of the code before takes.
    ///
    /// # Errors
    ///
    /// It fails.
    pub fn purge(&mut self) -> Result<f64> {
        self.time("purge")
    }

    /// The milliseconds that it says something took.
    fn time(&mut self, line: &str) -> Result<f64> {
        self.session.send(line)?;
        let line = self.session.line()?;
        let micros: f64 = line.parse().with_context(|| format!("no number: {line}"))?;
        Ok(micros / 1000.0)
    }
}

impl Servers for Otp {
    fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    fn upgrade(&mut self, up: bool) -> Result<f64> {
        self.time(if up { "up" } else { "down" })
    }

    fn load(&mut self, other: bool) -> Result<()> {
        self.tell(if other { "load" } else { "load back" })
    }
}
