//! mini-redis, as it was published, with the runtime and one attribute.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use cargo_metadata::MetadataCommand;
use hotswap_tests::Session;
use rustix::process::Signal;

use crate::patchable::Patchable;
use crate::tool;
use crate::work::{Edit, Work};

const NAME: &str = "mini-redis";
const VERSION: &str = "0.4.1";
const SERVER: &str = "mini-redis-server";

/// What it is to log, and the line with which it is ready.
const LOG: &str = "mini_redis=info";
const ACCEPTS: &str = "accepting inbound connections";

/// Copies the package out of cargo's registry (cargo fetches it if need be) and adds the attribute.
///
/// # Errors
///
/// The package can't be fetched, or its folder can't be written.
pub fn mini_redis() -> Result<Work> {
    let source = sources()?;
    let (root, target) = Work::folder(NAME)?;
    copy(&source, &root)?;
    let runtime = hotswap_tests::workspace().join("hotswap-runtime");
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let added = format!("\n[dependencies.hotswap-runtime]\npath = {runtime:?}\n\n[workspace]\n");
    fs::write(root.join("Cargo.toml"), manifest + &added)?;
    let apply = "    pub(crate) async fn apply(\n        self,\n        db: &Db,";
    let entry = format!("    #[hotswap::entry]\n{apply}");
    Work::prepare(&root, "src/cmd/mod.rs", apply, &entry)?;
    let get = "        let response = if let Some(value) = db.get(&self.key) {";
    let marked = format!(
        "        std::hint::black_box({});\n{get}",
        crate::work::MARKER
    );
    Work::prepare(&root, "src/cmd/get.rs", get, &marked)?;
    Work::new(root, target, "src/cmd/get.rs")
}

/// The mini-redis that the benches use, as published.
pub(crate) fn sources() -> Result<PathBuf> {
    published(NAME, VERSION)
}

/// The published sources of a package that has a library, found through a package that depends on
/// them.
pub(crate) fn published(name: &str, version: &str) -> Result<PathBuf> {
    let (root, _) = Work::folder("registry")?;
    let manifest = format!(
        "[package]\nname = \"registry\"\nedition = \"2024\"\n\n[dependencies]\n\
         {name} = \"={version}\"\n\n[workspace]\n"
    );
    fs::write(root.join("Cargo.toml"), manifest)?;
    fs::write(root.join("src/lib.rs"), "")?;
    let mut command = MetadataCommand::new();
    let metadata = command.manifest_path(root.join("Cargo.toml")).exec()?;
    let package = metadata
        .packages
        .iter()
        .find(|package| *package.name == name);
    let folder = package.and_then(|package| package.manifest_path.parent());
    Ok(folder
        .with_context(|| format!("cargo does not name {name}"))?
        .into())
}

pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            // Read and written, since files in the registry may be read-only.
            fs::write(&target, fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

/// The server as a release build that takes patches, and a patch file that exchanges how a key is read by the same with
/// another number in it.
///
/// # Errors
///
/// One of them does not build.
pub fn patchable(tool: &Path) -> Result<(PathBuf, Vec<u8>)> {
    let work = mini_redis()?;
    let keys = hotswap_tests::workspace().join("tests/keys");
    let public = fs::read_to_string(keys.join("test.pub"))?;
    let public = public.lines().last().context("a key has two lines")?;
    let says = |words: &[&str]| {
        let mut command = tool::command(tool, &work);
        command.arg("hotswap").args(words);
        command.env("HOTSWAP_PUBLIC_KEY", public);
        tool::says(command)
    };
    let built = says(&["build", "--release", "--bin", SERVER])?;
    let path = |name: &str| built[name].as_str().context("no path");
    work.save(Edit::InPlace, 1)?;
    let (file, key) = (work.root.join("get.hotpatch"), keys.join("test.key"));
    let text = |path: &Path| path.to_str().map(str::to_owned).context("no text");
    says(&[
        "patch",
        "build",
        "--base",
        path("base")?,
        "-o",
        &text(&file)?,
        "--key",
        &text(&key)?,
    ])?;
    Ok((path("executable")?.into(), fs::read(file)?))
}

/// The server as it is in production, without the tool.
pub struct Deployed {
    /// Its process.
    pub program: Patchable,
    /// Where it listens.
    pub port: u16,
    /// Where it writes, as long as it runs.
    _log: BufReader<ChildStdout>,
}

impl Deployed {
    /// Starts it, and waits until it accepts connections.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn start(executable: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(executable);
        command
            .args(["--port", &port.to_string()])
            .env("HOTSWAP_LISTEN", "1")
            .env("RUST_LOG", LOG);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let log = child.stdout.take().context("it has no output")?;
        let (program, mut log) = (Patchable::new(child), BufReader::new(log));
        let mut line = String::new();
        while !line.contains(ACCEPTS) {
            line.clear();
            ensure!(log.read_line(&mut line)? > 0, "the server does not start");
        }
        Ok(Self {
            program,
            port,
            _log: log,
        })
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// The server under the tool.
pub struct Server {
    /// The tool and the server.
    pub session: Session,
    /// Where it listens.
    pub port: u16,
}

impl Server {
    /// Starts the server and waits until it accepts connections and edits.
    ///
    /// # Errors
    ///
    /// It is not built or does not start.
    pub fn start(work: &Work, tool: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = tool::run(tool, work, &["--bin", SERVER]);
        command.env("RUST_LOG", LOG);
        command.args(["--", "--port", &port.to_string()]);
        let mut session = Session::spawn(command)?;
        session.await_ready()?;
        while !session.line()?.contains(ACCEPTS) {}
        Ok(Self { session, port })
    }

    /// Ends the server as Ctrl-C does.
    ///
    /// # Errors
    ///
    /// It does not end well.
    pub fn end(self) -> Result<()> {
        self.session.signal(self.session.pid()?, Signal::INT)?;
        self.session.exits(0)
    }
}
