//! Edited functions that go on running old code, and why.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;

use crate::edits::{self, Sources};
use crate::entries::EntryFacts;
use crate::events::StillOld;
use crate::reach::{self, Reach};
use crate::unit::{ObjectFile, Unit};

/// Compares sources and references from one live version to the next.
#[derive(Debug)]
pub struct Edits {
    sources: Sources,
    reach: Reach,
}

impl Edits {
    /// Edits since these units were compiled.
    pub fn since(units: &[Unit]) -> Self {
        let mut sources = Sources::default();
        sources.edited(
            &units
                .iter()
                .flat_map(|unit| unit.sources.iter().cloned())
                .collect(),
        );
        Self {
            sources,
            reach: Reach::default(),
        }
    }

    /// Functions that were edited and that no entry leads to: whoever runs them now goes on in the
    /// old code.
    ///
    /// # Errors
    ///
    /// An object is damaged.
    pub fn still_old(
        &mut self,
        files: &BTreeSet<PathBuf>,
        objects: &[&ObjectFile],
        current: &[EntryFacts],
    ) -> Result<Vec<StillOld>> {
        let edited = self.sources.edited(files);
        if edited.is_empty() {
            return Ok(Vec::new());
        }
        let bodies = current.iter().map(|entry| entry.body_symbol.clone());
        let found = self.reach.follow(objects.iter().copied(), bodies)?;
        let entries: BTreeSet<&str> = current.iter().map(|entry| entry.path.as_str()).collect();
        let new = reach::functions(&found.reached);
        let mains = found
            .defined
            .iter()
            .filter(|symbol| reach::is_main(symbol))
            .cloned();
        let from_main = self
            .reach
            .follow(objects.iter().copied(), mains.collect::<Vec<_>>())?
            .reached;
        let from_main = reach::functions(&from_main);
        let old = reach::functions(&found.defined).into_iter().filter(|path| {
            let short = edits::short_path(path);
            short.is_some_and(|short| edited.contains(&short))
                && !new.contains(path)
                && !entries.contains(path.as_str())
        });
        let old = old.map(|function| {
            let reason = reason_for_old(&function, from_main.contains(&function));
            StillOld { function, reason }
        });
        Ok(old.collect())
    }
}

fn reason_for_old(function: &str, from_main: bool) -> String {
    let mark = "mark it, or a function that calls it, with `#[hotswap::entry]`";
    if function.ends_with("::main") {
        "it runs already, and a running function is not replaced".to_owned()
    } else if from_main {
        format!("not reached from any entry, only from `main`, which runs already; {mark}")
    } else {
        format!("not reached from any entry; {mark}")
    }
}
