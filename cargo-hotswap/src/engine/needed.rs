//! What goes into an image: units, their objects, and parts of these.

use std::collections::BTreeSet;

use anyhow::Result;

use super::migration::Plan;
use super::{Engine, objects};
use crate::image::Part;
use crate::image::state::State;
use crate::membership::with_dependents;
use crate::reach::{self, Seeds};
use crate::unit::{self, ObjectFile};

impl Engine {
    /// The units of the image: those that differ from the host, and their dependents.
    pub(super) fn members(&self) -> BTreeSet<usize> {
        let changed = self.units.iter().enumerate();
        let changed = changed.filter(|(_, unit)| self.host.differs(unit));
        with_dependents(
            &unit::dependencies(&self.units),
            &changed.map(|(at, _)| at).collect(),
        )
    }

    /// The parts of the members' objects that the image needs; all of them where a cell has another
    /// layout than the host's code expects, so that no code of the host is left that uses it.
    pub(super) fn needed(
        &mut self,
        members: &BTreeSet<usize>,
        plan: &Plan,
        state: &State,
    ) -> Result<Vec<Part>> {
        self.references.update(&objects(&self.units))?;
        let (mut all, mut changed) = (Vec::new(), Vec::new());
        for unit in members.iter().map(|&index| &self.units[index]) {
            all.extend(&unit.objects);
            let different = unit.objects.iter().filter(|one| !self.host.has(unit, one));
            changed.extend(different.map(|object| object.digest));
        }
        if plan.differs_from(&self.host) {
            let whole = all.into_iter().cloned().map(Part::whole);
            return Ok(whole.collect());
        }
        let seeds = Seeds {
            members: all.iter().map(|object| object.digest).collect(),
            changed,
            known: Some(&self.sections),
            also: plan.functions().collect(),
            elsewhere: state.elsewhere().collect(),
            whole: self.images.are_for_debuggers(),
        };
        let support: reach::NodeSet = self
            .support
            .exported()
            .iter()
            .map(|name| reach::node_of(name))
            .collect();
        let exported = |node| self.exported.contains(&node) || support.contains(&node);
        let needed = self.references.needed(&seeds, exported);
        let part = |object: &ObjectFile| {
            let sections = needed.get(&object.digest)?;
            Some(Part {
                object: object.clone(),
                sections: (!self.images.are_for_debuggers()).then(|| sections.clone()),
            })
        };
        Ok(all.into_iter().filter_map(part).collect())
    }
}
