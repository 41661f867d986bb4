//! The hot crates of the program, for those who ask.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::Engine;
use crate::unit::UnitKind;

/// A hot crate as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// The crate's name as it stands in paths.
    pub name: String,
    /// Its package.
    pub package: String,
    /// Library or executable.
    pub kind: UnitKind,
    /// The files that the compiler read for it.
    pub sources: BTreeSet<PathBuf>,
    /// Digests of its objects in the version that is current.
    pub live: BTreeSet<u128>,
}

impl Engine {
    /// The number of the version that is current.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// All of them, dependencies first.
    pub fn modules(&self) -> Vec<Module> {
        let live = self.live.iter().map(Some).chain(std::iter::repeat(None));
        let with_live = self.units.iter().zip(live);
        with_live
            .map(|(unit, live)| Module {
                name: unit.name.clone(),
                package: unit.capture.package.clone(),
                kind: unit.kind,
                sources: unit.sources.clone(),
                live: live.cloned().unwrap_or_default(),
            })
            .collect()
    }
}
