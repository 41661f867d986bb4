//! What becomes of the statics of the units that an image has.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Result;
use hotswap_layout::Program;
use hotswap_layout::migrate::Way;

use super::Engine;
use crate::cells::CellFacts;
use crate::facts::Analysed;
use crate::image::state::State;

impl Engine {
    /// What the image does with state.
    pub(super) fn decide_state(
        &mut self,
        members: &BTreeSet<usize>,
        analysed: &[Vec<Arc<Analysed>>],
        cells: &[CellFacts],
        types: &Program,
        way: Way,
    ) -> Result<State> {
        let mut state = State::default();
        state.cells = cells.iter().map(|cell| cell.symbol.clone()).collect();
        state.before = match way {
            Way::Forward => None,
            Way::Back => self.history.places_below(),
        };
        state.set_host_thread_locals(&self.host);
        for &index in members {
            let objects: Vec<&Analysed> = analysed[index].iter().map(AsRef::as_ref).collect();
            state.add_unit(
                &self.units[index],
                &objects,
                &self.host,
                &mut self.support,
                &self.ran,
                types,
            )?;
        }
        Ok(state)
    }
}
