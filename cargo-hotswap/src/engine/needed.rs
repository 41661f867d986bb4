//! What goes into an image: units, their objects, and parts of these.

use std::collections::BTreeSet;

use anyhow::Result;

use super::load::Sink;
use super::migration::Plan;
use super::{Engine, objects};
use crate::image::Part;
use crate::image::state::State;
use crate::membership;
use crate::reach::{self, Seeds};
use crate::unit::{self, ObjectFile};

impl Engine {
    /// The units of the image: those that differ from the host, and their dependents.
    ///
    /// A section that linkers gather from several units is in an image once more, so all of these units
    /// are, and those that read it.
    pub(super) fn members(&mut self) -> Result<BTreeSet<usize>> {
        self.references.update(&objects(&self.units))?;
        let objects = self.units.iter().map(|unit| unit.objects.as_slice());
        let gathered = self.references.gathered(objects);
        let changed = self.units.iter().enumerate();
        let changed = changed.filter(|(_, unit)| self.host.differs(unit));
        Ok(membership::of_image(
            &unit::dependencies(&self.units),
            &gathered,
            changed.map(|(at, _)| at).collect(),
        ))
    }

    /// The slices that the image would declare, and have in part only, since crates outside the workspace
    /// add to them.
    pub(super) fn halved_slices(&self, members: &BTreeSet<usize>) -> Vec<&str> {
        let is_declared = |section: &&str| {
            let start = reach::node_of(&format!("__start_{section}"));
            let mut objects = members.iter().flat_map(|&at| &self.units[at].objects);
            objects.any(|object| self.references.needs(object, start))
        };
        let shared = self.host.shared_slices.iter().map(String::as_str);
        shared.filter(is_declared).collect()
    }

    /// The parts of the members' objects that the image needs; all of them where a cell has another
    /// layout than the host's code expects, so that no code of the host is left that uses it.
    pub(super) fn needed(
        &mut self,
        members: &BTreeSet<usize>,
        plan: &Plan,
        state: &mut State,
    ) -> Result<Vec<Part>> {
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
            // A file is to be small.
            by_table: matches!(self.sink, Sink::File(_)),
        };
        let support: reach::NodeSet = self
            .support
            .exported()
            .iter()
            .map(|name| reach::node_of(name))
            .collect();
        let exported = |node| self.exported.contains(&node) || support.contains(&node);
        let mut needed = self.references.needed(&seeds, exported);
        let part = |object: &ObjectFile| {
            let sections = needed.parts.remove(&object.digest)?;
            let hollow = needed.hosts.remove(&object.digest).unwrap_or_default();
            Some(match self.images.are_for_debuggers() {
                true => Part::whole(object.clone()),
                false => Part {
                    object: object.clone(),
                    sections: Some(sections),
                    hollow,
                },
            })
        };
        let parts = all.into_iter().filter_map(part).collect();
        state.take_from_host(needed.constants);
        Ok(parts)
    }
}
