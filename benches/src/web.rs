//! The example `web` as a release build of several kinds, and clients that load it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Package, cargo, hotswap_verb, workspace};

use crate::patchable::Patchable;
use crate::tool;

const HANDLERS: &str = "examples/web/src/handlers.rs";

/// Two bodies of a handler that do the same work.
const GREETINGS: [&str; 2] = ["\"Hello, {name}!\\n\"", "\"Howdy! {name}\\n\""];

/// The builds, and a patch.
#[derive(Debug)]
pub struct Builds {
    /// As plain cargo builds it.
    pub plain: PathBuf,
    /// The same with link-time optimisation of all crates, the quick one.
    pub thin: PathBuf,
    /// The same with link-time optimisation of all crates, as one unit each.
    pub fat: PathBuf,
    /// As the tool builds it.
    pub patchable: PathBuf,
    /// What a patch file holds that exchanges one handler by one that does the same work.
    pub patch: Vec<u8>,
    _package: Package,
}

impl Builds {
    /// Builds them all.
    ///
    /// # Errors
    ///
    /// One of them does not build.
    pub fn make() -> Result<Self> {
        let package = Package::of_example("web")?;
        package.optimise()?;
        let root = package.root.clone();
        let keys = workspace().join("tests/keys");
        let key = std::fs::read_to_string(keys.join("test.pub"))?;
        let key = key
            .lines()
            .last()
            .context("a key has two lines")?
            .to_owned();
        let with_key = |mut command: Command| {
            command.env("HOTSWAP_PUBLIC_KEY", &key);
            command
        };
        let by_cargo = |name: &str, settings: &[(&str, &str)]| {
            let mut command = with_key(cargo(&package)?);
            command.args(["build", "--quiet", "--release", "-p", "web"]);
            command.envs(settings.iter().copied());
            let target = root.join(format!("target-{name}"));
            let status = command.env("CARGO_TARGET_DIR", &target).status()?;
            ensure!(status.success(), "the example does not build");
            anyhow::Ok(target.join("release/web"))
        };
        let fat = [
            ("CARGO_PROFILE_RELEASE_LTO", "fat"),
            ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
        ];
        let thin = [("CARGO_PROFILE_RELEASE_LTO", "thin")];
        let (plain, thin) = (by_cargo("plain", &[])?, by_cargo("thin", &thin)?);
        let fat = by_cargo("fat", &fat)?;
        let says = |words: &[&str]| {
            let mut command = with_key(hotswap_verb(&package, words)?);
            command.env("CARGO_TARGET_DIR", root.join("target"));
            tool::says(command)
        };
        let built = says(&["build", "--release", "-p", "web"])?;
        let path = |name: &str| built[name].as_str().map(PathBuf::from).context("no path");
        let patchable = path("executable")?;
        let (base, file) = (path("base")?, root.join("howdy.hotpatch"));
        package.edit(HANDLERS, GREETINGS[0], GREETINGS[1])?;
        let text = |path: &Path| path.to_str().map(str::to_owned).context("no text");
        let (base, key) = (text(&base)?, text(&keys.join("test.key"))?);
        says(&[
            "patch",
            "build",
            "--base",
            &base,
            "-o",
            &text(&file)?,
            "--key",
            &key,
        ])?;
        Ok(Self {
            plain,
            thin,
            fat,
            patchable,
            patch: std::fs::read(file)?,
            _package: package,
        })
    }
}

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    /// Its process.
    pub program: Patchable,
    /// Where it listens.
    pub address: String,
}

impl Server {
    /// Starts it, by way of these words if there are any, so that it takes patches.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn start(executable: &Path, by: &[String]) -> Result<Self> {
        let mut words = by.to_vec();
        words.push(executable.display().to_string());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("127.0.0.1:0");
        command.env("HOTSWAP_LISTEN", "1");
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("it has no output")?).read_line(&mut line)?;
        let address = line
            .trim_end()
            .rsplit("//")
            .next()
            .unwrap_or_default()
            .to_owned();
        let program = Patchable::new(child);
        Ok(Self { program, address })
    }
}

/// A client with one connection.
#[derive(Debug)]
pub struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects.
    ///
    /// # Errors
    ///
    /// Nobody listens.
    pub fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Asks for a greeting. An error is an answer that is none.
    ///
    /// # Errors
    ///
    /// The answer is another, or there is none.
    pub fn greet(&mut self) -> Result<()> {
        self.0
            .get_mut()
            .write_all(b"GET /hello/Alice HTTP/1.1\r\nHost: bench\r\n\r\n")?;
        let mut line = String::new();
        let mut length = 0;
        let mut first = true;
        loop {
            line.clear();
            self.0.read_line(&mut line)?;
            ensure!(
                !first || line.starts_with("HTTP/1.1 200"),
                "answered with {line:?}"
            );
            first = false;
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.trim_end().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        let known: [&[u8]; 2] = [b"Hello, Alice!\n", b"Howdy! Alice\n"];
        ensure!(known.contains(&&*body), "answered {body:?}");
        Ok(())
    }
}

/// What clients met with.
#[derive(Debug, Default)]
pub struct Met {
    /// Microseconds of each request.
    pub times: Vec<f64>,
    /// Requests without an answer, or with a wrong one.
    pub failed: Vec<String>,
}

/// Loads a server from so many connections until `work` is done. Between two requests of one there is a pause.
///
/// # Errors
///
/// What the work fails with, or that nobody listens.
pub fn under_load<T>(
    server: &Server,
    clients: usize,
    pause: Duration,
    work: impl FnOnce() -> Result<T>,
) -> Result<(T, Met)> {
    let done = AtomicBool::new(false);
    let mut all = Vec::new();
    for _ in 0..clients {
        all.push(Client::connect(&server.address)?);
    }
    thread::scope(|scope| {
        let clients: Vec<_> = all
            .iter_mut()
            .map(|client| scope.spawn(|| load(client, pause, &done)))
            .collect();
        let result = work();
        done.store(true, Ordering::Relaxed);
        let mut met = Met::default();
        for client in clients {
            let one = client.join().expect("no panic");
            met.times.extend(one.times);
            met.failed.extend(one.failed);
        }
        Ok((result?, met))
    })
}

fn load(client: &mut Client, pause: Duration, done: &AtomicBool) -> Met {
    let mut met = Met::default();
    while !done.load(Ordering::Relaxed) {
        let begun = Instant::now();
        if let Err(error) = client.greet() {
            met.failed.push(format!("{error:#}"));
            // The connection is of no more use.
            break;
        }
        met.times.push(begun.elapsed().as_secs_f64() * 1e6);
        if !pause.is_zero() {
            thread::sleep(pause);
        }
    }
    met
}
