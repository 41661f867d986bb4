//! Patches that the tool made once, applied again and again without it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use hotswap_protocol::manifest::Manifest;
use hotswap_protocol::message::{CommitReport, PROTOCOL, Request, Response};
use hotswap_protocol::purge::{Manner, PurgeReport};
use hotswap_protocol::state::Back;
use hotswap_protocol::status::Status;

use crate::compile::runner;
use crate::package::Package;
use crate::session::Session;
use crate::wire::Wire;

/// What the tool made of edits.
#[derive(Debug)]
pub struct Patches {
    /// The program as it was built.
    pub executable: PathBuf,
    /// The patches, in the order of the edits.
    pub manifests: Vec<Manifest>,
}

impl Patches {
    /// Has the tool run the package and make each of these edits of a file live, one after the other: the
    /// text that stands there, and what takes its place.
    ///
    /// # Errors
    ///
    /// When one does not go live.
    pub fn record(package: &Package, file: &str, edits: &[(&str, &str)]) -> Result<Self> {
        let mut session = Session::run(package, &["--debug-patches"])?;
        let mut wire = Wire::open(session.pid()?)?;
        let Response::Hello(hello) = wire.greet(PROTOCOL)? else {
            bail!("no hello")
        };
        let folder = package.root.join("patches");
        fs::create_dir_all(&folder)?;
        let executable = folder.join("program");
        fs::copy(&hello.executable, &executable)?;
        let mut manifests = Vec::new();
        for (from, to) in edits {
            package.edit(file, from, to)?;
            session.await_swapped()?;
            let image = newest_image(&status(&mut wire)?)?;
            let text = fs::read(image.with_extension("json"))?;
            let mut manifest: Manifest = serde_json::from_slice(&text)?;
            let copy = folder.join(format!("{}.so", manifests.len()));
            fs::copy(&image, &copy)?;
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o600))?;
            ensure!(manifest.support.is_empty(), "the patch needs others");
            manifest.image.as_mut().context("no image")?.path = copy;
            // It would lead to what was current when the patch was made.
            manifest.back = Back::None(vec!["a test".to_owned()]);
            manifests.push(manifest);
        }
        session.quit()?;
        Ok(Self {
            executable,
            manifests,
        })
    }
}

fn newest_image(status: &Status) -> Result<PathBuf> {
    let newest = status.versions.iter().max_by_key(|version| version.number);
    let image = newest.and_then(|version| version.image.as_ref());
    Ok(image
        .context("the newest version has no image")?
        .path
        .clone())
}

fn status(wire: &mut Wire) -> Result<Status> {
    match wire.ask(&Request::Status {})? {
        Response::Status(status) => Ok(status),
        other => bail!("no status: {other:?}"),
    }
}

/// A program that runs without the tool, and takes patches.
pub struct Patched {
    /// Its input and output.
    pub session: Session,
    wire: Wire,
}

impl Patched {
    /// Starts the program under these variables and arguments. It says `ready` when it is.
    ///
    /// # Errors
    ///
    /// When it does not listen.
    pub fn start(
        patches: &Patches,
        variables: &[(&str, &str)],
        arguments: &[&str],
    ) -> Result<Self> {
        let runner = runner().unwrap_or_default();
        let runner = runner.to_str().context("the runner is no text")?;
        let words = runner.split_whitespace().map(OsStr::new);
        let mut words = words.chain([patches.executable.as_os_str()]);
        let mut command = Command::new(words.next().context("nothing to run")?);
        command.args(words).env("HOTSWAP_LISTEN", "tool");
        command.envs(variables.iter().copied()).args(arguments);
        let mut session = Session::spawn(command)?;
        session.expect("ready")?;
        let mut wire = Wire::open(session.tool_pid())?;
        wire.greet(PROTOCOL)?;
        Ok(Self { session, wire })
    }

    /// The program's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.session.tool_pid()
    }

    /// Makes a patch live; the result is the version's number.
    ///
    /// # Errors
    ///
    /// When it is not taken.
    pub fn apply(&mut self, manifest: &Manifest) -> Result<u64> {
        Ok(self.swap(manifest)?.0)
    }

    /// Makes a patch live; the result is the version's number, and what the program reports.
    ///
    /// # Errors
    ///
    /// When it is not taken.
    pub fn swap(&mut self, manifest: &Manifest) -> Result<(u64, CommitReport)> {
        match self.prepare(manifest)? {
            Response::Prepared { .. } => {}
            other => bail!("not prepared: {other:?}"),
        }
        match self.wire.ask(&Request::Commit {})? {
            Response::Committed { version, report } => {
                let failures = &report.callback_failures;
                ensure!(failures.is_empty(), "{failures:?}");
                Ok((version, report))
            }
            other => bail!("not committed: {other:?}"),
        }
    }

    /// What the program says to a patch, which it has prepared then or not.
    ///
    /// # Errors
    ///
    /// When it says nothing.
    pub fn prepare(&mut self, manifest: &Manifest) -> Result<Response> {
        let manifest = Box::new(manifest.clone());
        self.wire.ask(&Request::Prepare { manifest })
    }

    /// Takes out of memory what nothing refers to.
    ///
    /// # Errors
    ///
    /// When there is no report.
    pub fn purge(&mut self, manner: Manner) -> Result<PurgeReport> {
        match self.wire.ask(&Request::Purge { manner })? {
            Response::Purged(report) => Ok(report),
            other => bail!("not purged: {other:?}"),
        }
    }

    /// What the program tells of its versions.
    ///
    /// # Errors
    ///
    /// When it tells nothing.
    pub fn status(&mut self) -> Result<Status> {
        status(&mut self.wire)
    }

    /// Closes the program's input, and waits for an end without fault.
    ///
    /// # Errors
    ///
    /// When it ends otherwise.
    pub fn quit(self) -> Result<()> {
        self.session.quit()
    }
}
