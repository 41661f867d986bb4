//! The compile phase: which units an edit asks to compile, in which order.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;

use super::published::{Published, Sources};
use crate::facts::Cache;
use crate::rebuild::{self, Replays};
use crate::unit::{ObjectFile, Unit};

/// How the compile phase ended.
pub enum Compiled {
    /// All units are what their sources are.
    Yes,
    /// The compiler's errors.
    Failed(String),
}

/// What is compiled and what waits for it, unit by unit.
#[derive(Debug)]
pub struct Compilation {
    replays: Replays,
    published: Published,
    /// Units to compile: their sources were edited, or a dependency was published.
    stale: BTreeSet<usize>,
    /// Those of them that a dependency was published for.
    outdated: BTreeSet<usize>,
    /// Units that were compiled since [`take_compiled`](Self::take_compiled).
    compiled: BTreeSet<usize>,
}

impl Compilation {
    /// Of units that cargo built; what they become is written to this folder.
    pub fn new(folder: PathBuf, units: &[Unit]) -> Self {
        Self {
            replays: Replays::new(folder),
            published: Published::by_cargo(units),
            stale: BTreeSet::new(),
            outdated: BTreeSet::new(),
            compiled: BTreeSet::new(),
        }
    }

    /// Takes note of edited files.
    pub fn edited(&mut self, units: &[Unit], files: &[PathBuf]) {
        for (index, unit) in units.iter().enumerate() {
            if files.iter().any(|file| unit.sources.contains(file)) {
                self.stale.insert(index);
            }
        }
    }

    /// Cargo built all units anew.
    pub fn done_by_cargo(&mut self, units: &[Unit]) {
        self.replays.forget();
        self.published = Published::by_cargo(units);
        self.stale.clear();
        self.outdated.clear();
        self.compiled = (0..units.len()).collect();
    }

    /// Compiles the stale units, and those that depend on what became another thereby. Units stand
    /// behind their dependencies, so one pass in their order sees each once, unless something is
    /// missed afterwards.
    ///
    /// # Errors
    ///
    /// The compiler can't be run or its artefacts can't be read; not that it found errors.
    pub fn run(&mut self, units: &mut [Unit], cache: &Cache) -> Result<Compiled> {
        loop {
            while let Some(&index) = self.stale.first() {
                let before = Sources::read(&units[index]);
                let outcome = self.replays.compile(&mut units[index])?;
                if let rebuild::Outcome::Failed { errors } = outcome {
                    return Ok(Compiled::Failed(errors.join("\n")));
                }
                self.stale.remove(&index);
                self.compiled.insert(index);
                let sources = before.after(&units[index]);
                // Its metadata names those of its dependencies.
                let kept = if self.outdated.remove(&index) {
                    Err(sources)
                } else {
                    self.published.keep_back(index, &units[index], sources)
                };
                if let Err(sources) = kept {
                    self.publish(units, index, sources)?;
                }
            }
            let Some((missed, sources)) = self.published.take_missed(units, cache)? else {
                return Ok(Compiled::Yes);
            };
            self.publish(units, missed, Some(sources))?;
        }
    }

    /// Has the dependents of a unit compiled against what it is now.
    fn publish(&mut self, units: &[Unit], index: usize, sources: Option<Sources>) -> Result<()> {
        self.replays.publish(&units[index])?;
        self.published.publish(index, &units[index], sources);
        for (dependent, unit) in units.iter().enumerate() {
            if unit.dependencies.contains(&index) {
                self.stale.insert(dependent);
                self.outdated.insert(dependent);
            }
        }
        Ok(())
    }

    /// The units that were compiled since the last call.
    pub fn take_compiled(&mut self) -> BTreeSet<usize> {
        std::mem::take(&mut self.compiled)
    }

    /// The objects that dependents were compiled against.
    pub fn published_objects(&self) -> impl Iterator<Item = &ObjectFile> {
        self.published.objects()
    }
}
