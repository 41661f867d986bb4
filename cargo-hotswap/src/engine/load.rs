//! The last step: the program checks and loads a patch, and makes it current.

use anyhow::{Context, Result};
use hotswap_protocol::manifest::Manifest;
use hotswap_protocol::message::{CommitReport, PrepareReport};

use super::Engine;
use super::check::OnlyChecked;

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
        let patiently = !manifest.migration.cells.is_empty() || !manifest.hooks.is_empty();
        let (_, prepared) = self
            .connection
            .prepare(manifest)
            .context("the patch was not loaded")?;
        if self.only_checks {
            self.connection.abort()?;
            return Err(OnlyChecked(prepared).into());
        }
        let (version, committed) = self
            .connection
            .commit(patiently)
            .context("the patch did not go live")?;
        Ok((version, prepared, committed))
    }
}
