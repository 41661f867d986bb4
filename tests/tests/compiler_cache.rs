//! A real compiler cache, sccache, in front of the compiler: first empty, then full.
//!
//! Where it is not installed, this says so; the scenario `compiler-cache` has a stand-in for it.

use std::{
    io::{self, Read as _},
    net::TcpListener,
    os::unix::net::{UnixListener, UnixStream},
    process::{Child, Command, Stdio},
    thread,
};

use anyhow::{Context, Result, ensure};
use hotswap_tests::{Package, Profile, Session, cargo};
use libtest_mimic::Trial;
use serde_json::Value;

const MAIN: &str = r#"
use std::io;

fn main() {
    for _ in io::stdin().lines() {
        println!("{}", answer());
    }
}

#[hotswap::entry]
fn answer() -> String {
    format!("{}, {}", "main one", NAME::word())
}
"#;

const LIBRARY: &str = r#"
use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: AtomicU32 = AtomicU32::new(0);

pub fn word() -> String {
    format!("{} {}", "library one", COUNT.fetch_add(1, Ordering::Relaxed) + 1)
}
"#;

/// What a cache serves beside the hot crates: no other package here has it, so that it is not built yet.
const DEPENDENCY: &str = "slab";

/// The tests, if sccache is installed.
pub fn trials() -> Vec<Trial> {
    let version = Command::new("sccache").arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        eprintln!("sccache is not installed: only the scenario's stand-in for it is tested");
        return Vec::new();
    }
    let trials = [
        ("sccache-for-dependencies::dev", Profile::Dev, false),
        ("sccache-for-all-crates::release", Profile::Release, true),
    ];
    let trials = trials.map(|(name, profile, for_all)| {
        Trial::test(name, move || {
            swaps_through_cache(&name.replace("::", "-"), profile, for_all)
                .map_err(|error| format!("{error:#}").into())
        })
    });
    trials.into()
}

/// Builds with the cache empty, and again with it full, and swaps in both; `for_all` has the crates
/// of the workspace come from the cache too, which leaves incremental ones to the compiler.
fn swaps_through_cache(name: &str, profile: Profile, for_all: bool) -> Result<()> {
    let mut package = Package::of_source(name, &MAIN.replace("NAME", &name.replace('-', "_")))?;
    package.write("src/lib.rs", LIBRARY.as_bytes())?;
    package.profile = profile;
    if !for_all {
        package.edit(
            "Cargo.toml",
            "[dependencies]\n",
            &format!("[dependencies]\n{DEPENDENCY} = \"*\"\n"),
        )?;
        package.use_own_planted_target()?;
    }
    let server = Server::start(&mut package)?;
    let variables = ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"];
    let wrappers = variables.iter().take(if for_all { 2 } else { 1 });
    let wrappers = wrappers.map(|variable| ((*variable).to_owned(), "sccache".to_owned()));
    package.env.extend(wrappers);
    swap(&package)?;
    let first = server.hits()?;
    if for_all {
        package.clean()?;
    } else {
        let mut clean = cargo(&package)?;
        clean.args([
            "clean",
            "--quiet",
            "--package",
            DEPENDENCY,
            "--package",
            name,
        ]);
        ensure!(clean.status()?.success(), "cargo clean failed");
    }
    swap(&package)?;
    let hits = server.hits()? - first;
    ensure!(
        hits > first,
        "the second build had {hits} hits of the cache, the first {first}"
    );
    Ok(())
}

/// Edits the library and the executable, there and back.
fn swap(package: &Package) -> Result<()> {
    let mut session = Session::run(package, &[])?;
    session.ask("x", "main one, library one 1")?;
    let edits = [
        (
            "src/lib.rs",
            "library one",
            "library two",
            "main one, library two 2",
        ),
        (
            "src/main.rs",
            "main one",
            "main two",
            "main two, library two 3",
        ),
        (
            "src/lib.rs",
            "library two",
            "library one",
            "main two, library one 4",
        ),
        (
            "src/main.rs",
            "main two",
            "main one",
            "main one, library one 5",
        ),
    ];
    for (file, from, to, answer) in edits {
        package.edit(file, from, to)?;
        session.await_swapped()?;
        session.ask("x", answer)?;
    }
    session.quit()
}

/// A server of the cache with a folder and a port of its own, ended when this is dropped.
struct Server {
    variables: Vec<(String, String)>,
    child: Child,
}

impl Server {
    /// Starts it, and has the package's builds use it.
    ///
    /// It stays in the foreground: of the servers that `--start-server` makes, some hang.
    fn start(package: &mut Package) -> Result<Self> {
        let free = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let folder = package.root.join("cache");
        let variables = [
            ("SCCACHE_DIR", folder.to_string_lossy().into_owned()),
            ("SCCACHE_SERVER_PORT", free.to_string()),
            // Should this process be killed.
            ("SCCACHE_IDLE_TIMEOUT", "300".to_owned()),
        ];
        let variables: Vec<_> = variables
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        // The package's folder may be too long for the address of a socket.
        let scratch = tempfile::tempdir()?;
        let told_at = scratch.path().join("started");
        let listener = UnixListener::bind(&told_at)?;
        let mut child = Command::new("sccache")
            .envs(variables.iter().cloned())
            .envs([("SCCACHE_START_SERVER", "1"), ("SCCACHE_NO_DAEMON", "1")])
            .env("SCCACHE_STARTUP_NOTIFY", &told_at)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut alive = child.stdout.take().context("it is piped")?;
        let server = Self { variables, child };
        package.env.extend(server.variables.iter().cloned());
        // One that ends at once says nothing.
        thread::spawn(move || {
            let _ = io::copy(&mut alive, &mut io::sink());
            let _ = UnixStream::connect(told_at);
        });
        let mut told = Vec::new();
        listener.accept()?.0.read_to_end(&mut told)?;
        // Its length, and zero for success.
        ensure!(
            told.get(4..8) == Some(&[0; 4]),
            "the server of sccache does not start: {told:?}"
        );
        Ok(server)
    }

    fn command(&self, order: &str) -> Command {
        let mut command = Command::new("sccache");
        command
            .arg(order)
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        command.envs(self.variables.iter().cloned());
        command
    }

    /// How many compilations of Rust it has answered without the compiler.
    fn hits(&self) -> Result<u64> {
        let output = self
            .command("--show-stats")
            .arg("--stats-format=json")
            .output()?;
        let stats: Value = serde_json::from_slice(&output.stdout)?;
        let counts = stats["stats"]["cache_hits"]["counts"].as_object();
        let counts = counts.context("the statistics of sccache have no hits")?;
        Ok(counts.get("Rust").and_then(Value::as_u64).unwrap_or(0))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
