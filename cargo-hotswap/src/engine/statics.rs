//! What becomes of the statics of the units that an image has.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Result;
use hotswap_layout::Program;
use hotswap_layout::migrate::Way;
use hotswap_object::Wish;

use super::Engine;
use crate::cells::CellFacts;
use crate::events::StaticReport;
use crate::facts::Analysed;
use crate::image::renamed::{Refused, Renamed};
use crate::image::state::{self, State};
use crate::places::as_written;

impl Engine {
    /// Which statics have another name than the one that the program knows them by.
    pub(super) fn renamed(
        &self,
        analysed: &[Vec<Arc<Analysed>>],
        types: &Program,
    ) -> (Renamed, Vec<Refused>) {
        let mut renamed = Renamed::default();
        let mut refused = Vec::new();
        for (unit, objects) in self.units.iter().zip(analysed) {
            let says_so = |object: &Arc<Analysed>| {
                let mut wishes = object.facts.wishes.iter();
                wishes.any(|found| matches!(found.wish, Wish::Was(_)))
            };
            let id = unit.id();
            if !self.renamed.has(&id) && !objects.iter().any(says_so) {
                continue;
            }
            let statics = state::statics_of(objects.iter().map(AsRef::as_ref), types);
            let known = state::known(&id, &self.host, &self.support);
            refused.extend(renamed.add_unit(&id, &statics, &known, &self.renamed));
        }
        (renamed, refused)
    }

    /// What there is to tell of statics that have another name from this version on.
    pub(super) fn told_renamed(&self, renamed: &Renamed) -> Vec<StaticReport> {
        let new = renamed.since(&self.renamed);
        let report = |(_, path, known_by)| StaticReport {
            name: as_written(path).to_owned(),
            verdict: "kept",
            reason: format!("it has the value of `{}`", as_written(known_by)),
        };
        new.map(report).collect()
    }

    /// What the image does with state.
    pub(super) fn decide_state(
        &mut self,
        members: &BTreeSet<usize>,
        analysed: &[Vec<Arc<Analysed>>],
        cells: &[CellFacts],
        (types, renamed): (&Program, &Renamed),
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
                (types, renamed),
            )?;
        }
        Ok(state)
    }
}
