//! State that the program saves and restores when another process takes its place.

use anyhow::{Result, bail};
use hotswap_protocol::saved::{RestoreReport, SaveReport};
use hotswap_protocol::state::Cell;

use super::{Engine, migration};
use crate::entries;
use crate::host::Host;
use crate::image::renamed::Renamed;
use crate::image::state;
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

    /// Gives the cells of the executable that is to take the program's place the paths under which the program has
    /// saved their values: they may have other names in the source now.
    pub fn name_as_saved(&self, next: &Host, cells: &mut [Cell]) {
        let mut renamed = Renamed::default();
        for (unit, facts) in &next.units {
            let known = state::known(unit, &self.host, &self.support);
            // What nothing is known of starts afresh, which is told.
            renamed.add_unit(unit, &facts.statics, &known, &self.renamed);
        }
        for (facts, cell) in std::iter::zip(&next.cells, cells) {
            let units = next.units.iter();
            let mut statics =
                units.flat_map(|(unit, it)| it.statics.iter().map(move |it| (unit, it)));
            let Some((unit, of)) = statics.find(|(_, it)| it.symbol == facts.symbol) else {
                continue;
            };
            let of_namesake = cell.path == entries::qualified(&of.path, true);
            cell.path = entries::qualified(&renamed.known_by(unit, &of.path), of_namesake);
        }
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
