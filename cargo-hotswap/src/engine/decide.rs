//! What an image is to do with the program's state, and what speaks against it before it is linked.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Result;
use hotswap_layout::Program;
use hotswap_layout::migrate::Way;

use super::migration::{Known, Plan};
use super::{Engine, refusal};
use crate::cells;
use crate::events::Event;
use crate::facts::Analysed;
use crate::image::renamed::Renamed;
use crate::image::state::State;

/// What is known of an image that may be linked.
pub(super) struct Decided {
    /// The units that it has.
    pub(super) members: BTreeSet<usize>,
    /// The facts of all objects, unit by unit.
    pub(super) analysed: Vec<Vec<Arc<Analysed>>>,
    /// The types of all units.
    pub(super) types: Arc<Program>,
    /// The statics that have another name than the one that they are known by.
    pub(super) renamed: Renamed,
    /// What it does with statics.
    pub(super) state: State,
    /// What values in cells can be migrated by.
    pub(super) known: Known,
    /// How they are.
    pub(super) plan: Plan,
}

impl Engine {
    /// Decides about the image of the units as they are now; an event says why there can be none.
    pub(super) fn decide(&mut self, way: Way) -> Result<Result<Decided, Box<Event>>> {
        let members = self.members()?;
        if let Some(refusal) = refusal::slices(&self.halved_slices(&members)) {
            return Ok(Err(Box::new(refusal)));
        }
        let analysed = self.analyse()?;
        let types = self.types(&analysed);
        let (renamed, refused) = self.renamed(&analysed, &types);
        let cells = cells::of_units(&self.units, &analysed, &types, &renamed);
        let mut state = self.decide_state(&members, &analysed, &cells, (&types, &renamed), way)?;
        state.refused.extend(refused);
        if !state.refused.is_empty() {
            let refusal = refusal::statics(&state.refused, &self.units);
            return Ok(Err(Box::new(refusal)));
        }
        let known = Known::new(&types, &analysed)?;
        let plan = self.cells.plan(cells, &known, way);
        if let Some(refusal) = plan.refusal(&self.units) {
            return Ok(Err(Box::new(refusal)));
        }
        state.are_migrated(plan.migrates().map(|facts| facts.symbol.clone()));
        state.reports.extend(self.cells.told(&plan));
        state.reports.extend(self.told_renamed(&renamed));
        Ok(Ok(Decided {
            members,
            analysed,
            types,
            renamed,
            state,
            known,
            plan,
        }))
    }
}
