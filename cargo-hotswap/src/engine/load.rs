//! The last step: the program checks and loads a patch, and makes it current. Or the patch is put down, for
//! programs that run elsewhere.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use hotswap_protocol::manifest::Manifest;
use hotswap_protocol::message::{CommitReport, PrepareReport};

use super::check::OnlyChecked;
use super::{Engine, libraries};
use crate::host::Host;
use crate::program::Connection;

/// Where patches go.
#[derive(Debug)]
pub enum Sink {
    /// To a program that runs.
    Program(Connection),
    /// Nowhere yet: what the last one would load is here.
    File(Option<Box<Manifest>>),
}

impl Sink {
    /// The program's process id; 0 if there is none.
    pub fn pid(&self) -> u32 {
        match self {
            Self::Program(connection) => connection.pid,
            Self::File(_) => 0,
        }
    }

    /// The program that runs.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn program(&mut self) -> Result<&mut Connection> {
        match self {
            Self::Program(connection) => Ok(connection),
            Self::File(_) => bail!("no program runs"),
        }
    }

    /// The shared libraries that images are linked against.
    ///
    /// # Errors
    ///
    /// The system does not tell.
    pub(super) fn libraries(&self, host: &Host) -> Result<Vec<PathBuf>> {
        match self {
            Self::Program(connection) => libraries::of_process(host, connection.pid),
            Self::File(_) => libraries::of_executable(host),
        }
    }
}

impl Engine {
    /// Has the program load a patch and make it current.
    pub(super) fn load(
        &mut self,
        mut manifest: Manifest,
    ) -> Result<(u64, PrepareReport, CommitReport)> {
        self.show(&manifest);
        if self.only_checks {
            // They run when it is loaded, and are the program's.
            manifest.hooks.clear();
        }
        let connection = match &mut self.sink {
            Sink::Program(connection) => connection,
            Sink::File(last) => {
                let entries = manifest.image_entries.iter();
                let prepared = PrepareReport {
                    replaced: entries.map(|entry| entry.path.clone()).collect(),
                    ..PrepareReport::default()
                };
                *last = Some(Box::new(manifest));
                return Ok((self.version + 1, prepared, CommitReport::default()));
            }
        };
        let patiently = !manifest.migration.cells.is_empty() || !manifest.hooks.is_empty();
        let (_, prepared) = connection
            .prepare(manifest)
            .context("the patch was not loaded")?;
        if self.only_checks {
            connection.abort()?;
            return Err(OnlyChecked(prepared).into());
        }
        let (version, committed) = connection
            .commit(patiently)
            .context("the patch did not go live")?;
        Ok((version, prepared, committed))
    }

    /// What the last patch would load, if patches go to no program.
    pub fn take_manifest(&mut self) -> Option<Manifest> {
        match &mut self.sink {
            Sink::Program(_) => None,
            Sink::File(last) => last.take().map(|manifest| *manifest),
        }
    }
}
