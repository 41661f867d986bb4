//! What goes into an image: units, and the objects of these.

use std::collections::BTreeSet;

use anyhow::Result;

use super::{Engine, objects};
use crate::membership::with_dependents;
use crate::reach;
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

    /// The members' objects that the image needs; all of them where a cell has another layout than
    /// the host's code expects, so that no code of the host is left that uses it.
    pub(super) fn needed(
        &mut self,
        members: &BTreeSet<usize>,
        all: bool,
    ) -> Result<Vec<ObjectFile>> {
        self.references.update(&objects(&self.units))?;
        if all {
            let units = members.iter().map(|&index| &self.units[index]);
            return Ok(units.flat_map(|unit| &unit.objects).cloned().collect());
        }
        let (mut all, mut changed) = (Vec::new(), Vec::new());
        for unit in members.iter().map(|&index| &self.units[index]) {
            all.extend(&unit.objects);
            let different = unit.objects.iter().filter(|one| !self.host.has(unit, one));
            changed.extend(different.map(|object| object.digest));
        }
        let digests: Vec<u128> = all.iter().map(|object| object.digest).collect();
        let support: reach::NodeSet = self
            .support
            .exported()
            .iter()
            .map(|name| reach::node_of(name))
            .collect();
        let exported = |node| self.exported.contains(&node) || support.contains(&node);
        let needed = self.references.needed(&digests, &changed, exported);
        let needed = all
            .into_iter()
            .filter(|object| needed.contains(&object.digest));
        Ok(needed.cloned().collect())
    }
}
