//! State that the program saves and restores when another process takes its place.

use anyhow::{Result, bail};
use hotswap_protocol::saved::{RestoreReport, SaveReport};

use super::{Engine, migration};
use crate::program;

impl Engine {
    /// Has the program save what is in its cells.
    ///
    /// # Errors
    ///
    /// It does not answer, or has no place to save anything.
    pub fn save(&mut self) -> Result<SaveReport> {
        if self.cells.is_empty() {
            return Ok(SaveReport::default());
        }
        if program::is_stopped(self.pid()) {
            bail!("the program is stopped, by a debugger or a signal");
        }
        let cells = migration::base_cells(&self.host);
        self.sink.program()?.save(cells)
    }

    /// Has the program restore what it was started with.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn restore(&mut self) -> Result<RestoreReport> {
        self.sink.program()?.restore()
    }
}
