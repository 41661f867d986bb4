//! Versions whose units were compiled by an engine before this one: the host, from sources that were edited
//! since, and what is to lie below the next version.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};

use super::revert::{History, Record};
use super::{Engine, clock::Clock, sources};
use crate::edits;
use crate::events::Event;
use crate::reprs::Reprs;
use crate::texts;
use crate::unit::ObjectFile;

/// What a unit was compiled to.
#[derive(Debug, Clone)]
pub struct Made {
    /// The stem of its artefacts' names.
    pub stem: String,
    /// The files that the compiler had read for it.
    pub sources: BTreeSet<PathBuf>,
    /// Its objects.
    pub objects: Vec<ObjectFile>,
}

/// What sources said.
pub type Said = BTreeMap<PathBuf, Vec<u8>>;

impl Engine {
    /// The host was made from sources that said this then. To be called before the first edit.
    pub fn host_was_made_from(&mut self, said: &Said) {
        self.texts.set_earlier(said.clone());
        self.edits = edits::Sources::default();
        let files: Vec<PathBuf> = sources(&self.units)
            .into_iter()
            .map(Path::to_owned)
            .collect();
        let mut all = texts::contents(&files);
        all.extend(said.clone());
        self.edits.edited(&all, &self.texts);
        self.reprs = Reprs::default();
        self.reprs
            .read(sources(&self.units), &BTreeSet::new(), &self.texts);
        self.reprs.went_live();
        let record = Record::of(&self.live, &[], &self.cells, &self.placed);
        self.history = History::begin(&self.units, &self.reprs, record);
        self.texts.set_earlier(Said::new());
    }

    /// Makes live what an engine has compiled before, from edited files that said this then; every way it can end is
    /// an event. The next edit compiles these units anew, whatever their sources say by then.
    ///
    /// # Errors
    ///
    /// There is no such unit.
    pub fn update_from_earlier(&mut self, made: Vec<Made>, said: &Said) -> Result<Event> {
        for one in made {
            let Some(index) = self.units.iter().position(|unit| unit.stem == one.stem) else {
                bail!("the program has no crate `{}`", one.stem);
            };
            self.units[index].sources = one.sources;
            self.units[index].objects = one.objects;
            self.compilation.compile_anew(index);
        }
        self.edited.extend(said.keys().cloned());
        self.read = said.clone();
        self.texts.set_earlier(said.clone());
        let event = self.go_live(Clock::new(Instant::now()));
        self.texts.set_earlier(Said::new());
        event
    }
}
