//! The compile phase: which units an edit asks to compile, in which order.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};

use anyhow::{Result, ensure};
use hotswap_protocol::env;

use super::published::{Published, Sources};
use crate::children::Ending;
use crate::diagnostics::{self, Form, Known};
use crate::facts::{Cache, processors};
use crate::membership::first_ready;
use crate::rebuild::{self, Replays};
use crate::texts::Texts;
use crate::unit::{self, ObjectFile, Unit};

/// How the compile phase ended.
pub enum Compiled {
    /// All units are what their sources are.
    Yes,
    /// The compiler's messages, and what could not be compiled.
    Failed { message: String, summary: String },
}

/// What a compilation under way tells.
enum News {
    /// The unit's metadata stands.
    Metadata(usize),
    /// The unit's compilation ended.
    Ended(usize, Result<rebuild::Outcome>),
}

/// A compilation under way.
struct Running {
    /// The sources when it began.
    before: Sources,
    /// It compiles because a dependency was published.
    outdated: bool,
    /// Dependents will have to follow.
    differs: bool,
    /// Dependents can begin: the metadata is published.
    shown: bool,
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
    /// Warnings that were told, and those since [`take_warnings`](Self::take_warnings).
    warnings: Known,
    /// Compilers of units that have written everything and tidy up.
    endings: Vec<(usize, Ending)>,
}

impl Compilation {
    /// Of units that cargo built; what they become is written to this folder.
    ///
    /// # Errors
    ///
    /// Their artefacts can't be kept there.
    pub fn new(folder: PathBuf, units: &[Unit]) -> Result<Self> {
        let mut replays = Replays::new(folder);
        replays.begin_with(units)?;
        Ok(Self {
            replays,
            published: Published::by_cargo(units),
            stale: BTreeSet::new(),
            outdated: BTreeSet::new(),
            compiled: BTreeSet::new(),
            warnings: told_by_cargo(Known::default(), units),
            endings: Vec::new(),
        })
    }

    /// Takes note of edited files.
    pub fn edited(&mut self, units: &[Unit], files: &[PathBuf]) {
        for (index, unit) in units.iter().enumerate() {
            if files.iter().any(|file| unit.sources.contains(file)) {
                self.stale.insert(index);
            }
        }
    }

    /// Compiles the crates of these entries again, given as descriptors name them, with lines that tell of their
    /// calls.
    pub fn log_calls(&mut self, units: &[Unit], entries: &[String]) {
        let variables = &mut self.replays.variables;
        variables.insert(env::LOG.to_owned(), entries.join(","));
        for (index, unit) in units.iter().enumerate() {
            let is_in = |entry: &String| entry.split("::").next() == Some(&unit.name);
            if entries.iter().any(is_in) {
                self.stale.insert(index);
            }
        }
    }

    /// A unit was compiled by somebody else, from sources that may say something else by now.
    pub fn compile_anew(&mut self, index: usize) {
        self.stale.insert(index);
    }

    /// Cargo built all units anew.
    ///
    /// # Errors
    ///
    /// Their artefacts can't be kept.
    pub fn done_by_cargo(&mut self, units: &[Unit]) -> Result<()> {
        self.replays.begin_with(units)?;
        self.warnings = told_by_cargo(std::mem::take(&mut self.warnings), units);
        self.published = Published::by_cargo(units);
        self.stale.clear();
        self.outdated.clear();
        self.compiled = (0..units.len()).collect();
        Ok(())
    }

    /// Compiles the stale units, and those that depend on what became another thereby: as many at a
    /// time as there are processors, and each as soon as the metadata of its dependencies stands.
    ///
    /// # Errors
    ///
    /// The compiler can't be run or its artefacts can't be read; not that it found errors.
    pub fn run(&mut self, units: &mut [Unit], cache: &Cache, texts: &Texts) -> Result<Compiled> {
        loop {
            if let Compiled::Failed { message, summary } = self.compile_stale(units, texts)? {
                return Ok(Compiled::Failed { message, summary });
            }
            let Some((missed, sources)) = self.published.take_missed(units, cache)? else {
                return Ok(Compiled::Yes);
            };
            self.publish(units, missed, Some(sources))?;
        }
    }

    /// Waits for compilers that have written everything and tidy up, which takes about as long as to link: it
    /// can be done meanwhile, but nothing may go live that one of them failed after.
    ///
    /// # Errors
    ///
    /// One of them failed. Its unit is compiled again with the next edit.
    pub fn settle(&mut self) -> Result<()> {
        let mut settled = Ok(());
        for (index, ending) in self.endings.drain(..) {
            let result = ending.output().map_err(anyhow::Error::from);
            let result = result.and_then(|output| {
                ensure!(output.status.success(), rebuild::of_failure(&output));
                Ok(())
            });
            if result.is_err() {
                self.stale.insert(index);
                settled = result;
            }
        }
        settled
    }

    /// Compiles until nothing is stale, or something does not compile.
    fn compile_stale(&mut self, units: &mut [Unit], texts: &Texts) -> Result<Compiled> {
        // They write to the same folders.
        self.settle()?;
        let processors = processors();
        let (sender, news) = channel();
        let mut running: BTreeMap<usize, Running> = BTreeMap::new();
        let mut failed: Option<Result<Compiled>> = None;
        loop {
            while failed.is_none()
                && running.len() < processors
                && let Some(index) = self.ready(units, &running)
            {
                match self.start(units, index, texts, &sender) {
                    Ok(started) => drop(running.insert(index, started)),
                    Err(error) => failed = Some(Err(error)),
                }
            }
            if running.is_empty() {
                return failed.unwrap_or(Ok(Compiled::Yes));
            }
            // What runs is waited for also after a failure: it writes to the same folders.
            let result = match news.recv()? {
                News::Metadata(index) => self.show_metadata(units, index, &mut running),
                News::Ended(index, outcome) => match running.remove(&index) {
                    Some(begun) => self.ended(units, index, begun, outcome, texts),
                    None => Ok(Compiled::Yes),
                },
            };
            if !matches!(result, Ok(Compiled::Yes)) {
                failed.get_or_insert(result);
            }
        }
    }

    /// A stale unit that can be compiled now.
    fn ready(&self, units: &[Unit], running: &BTreeMap<usize, Running>) -> Option<usize> {
        let hidden = running
            .iter()
            .filter(|(_, running)| running.differs && !running.shown);
        let unsettled: BTreeSet<usize> = hidden
            .map(|(&index, _)| index)
            .chain(self.stale.iter().copied())
            .collect();
        let waiting = self.stale.iter().copied();
        let waiting: BTreeSet<usize> = waiting
            .filter(|index| !running.contains_key(index))
            .collect();
        first_ready(&unit::dependencies(units), &waiting, &unsettled)
    }

    fn start(
        &mut self,
        units: &[Unit],
        index: usize,
        texts: &Texts,
        news: &Sender<News>,
    ) -> Result<Running> {
        let before = Sources::read(&units[index]);
        let outdated = self.outdated.contains(&index);
        let replay = self.replays.of(&units[index])?;
        let news = news.clone();
        std::thread::spawn(move || {
            // The receiver lives until all have ended.
            let outcome = replay.run(|| drop(news.send(News::Metadata(index))));
            drop(news.send(News::Ended(index, outcome)));
        });
        // Looked at beside the compiler, which takes longer.
        let differs = outdated || !self.published.serves(index, &units[index], &before, texts);
        // From now on it is stale only if something changes while it compiles.
        self.stale.remove(&index);
        self.outdated.remove(&index);
        Ok(Running {
            before,
            outdated,
            differs,
            shown: false,
        })
    }

    /// Lets dependents of a unit begin that will be published, before the rest of it stands.
    fn show_metadata(
        &mut self,
        units: &[Unit],
        index: usize,
        running: &mut BTreeMap<usize, Running>,
    ) -> Result<Compiled> {
        if let Some(running) = running.get_mut(&index)
            && running.differs
        {
            self.replays.publish_metadata(&units[index])?;
            running.shown = true;
            // Of unknown sources, should the rest of it fail.
            self.published.publish(index, &units[index], None);
            self.outdate_dependents(units, index);
        }
        Ok(Compiled::Yes)
    }

    /// Takes note of how a unit's compilation ended.
    fn ended(
        &mut self,
        units: &mut [Unit],
        index: usize,
        begun: Running,
        outcome: Result<rebuild::Outcome>,
        texts: &Texts,
    ) -> Result<Compiled> {
        if !matches!(outcome, Ok(rebuild::Outcome::Compiled { .. })) {
            self.stale.insert(index);
            if begun.outdated {
                self.outdated.insert(index);
            }
        }
        match outcome? {
            rebuild::Outcome::Failed { message, summary } => {
                return Ok(Compiled::Failed { message, summary });
            }
            rebuild::Outcome::Compiled {
                sources,
                objects,
                warnings,
                ending,
            } => {
                self.endings.extend(ending.map(|ending| (index, ending)));
                self.warnings.compiled(&units[index].stem, warnings);
                units[index].sources = sources;
                units[index].objects = objects;
            }
        }
        self.compiled.insert(index);
        let unit = &units[index];
        let sources = begun.before.after(unit);
        if begun.shown {
            self.replays.publish(unit)?;
            self.published.publish(index, unit, sources);
            return Ok(Compiled::Yes);
        }
        match sources {
            // If it was outdated, its metadata names those of a dependency that is another now.
            Some(sources)
                if !begun.outdated && self.published.serves(index, unit, &sources, texts) =>
            {
                self.published.keep_back(index, sources);
            }
            sources => self.publish(units, index, sources)?,
        }
        Ok(Compiled::Yes)
    }

    /// Has the dependents of a unit compiled against what it is now.
    fn publish(&mut self, units: &[Unit], index: usize, sources: Option<Sources>) -> Result<()> {
        self.replays.publish(&units[index])?;
        self.published.publish(index, &units[index], sources);
        self.outdate_dependents(units, index);
        Ok(())
    }

    fn outdate_dependents(&mut self, units: &[Unit], index: usize) {
        for (dependent, unit) in units.iter().enumerate() {
            if unit.dependencies.contains(&index) {
                self.stale.insert(dependent);
                self.outdated.insert(dependent);
            }
        }
    }

    /// The units that were compiled since the last call.
    pub fn take_compiled(&mut self) -> BTreeSet<usize> {
        std::mem::take(&mut self.compiled)
    }

    /// Warnings in rendered form that units have now and did not have at the last call.
    pub fn take_warnings(&mut self) -> Vec<String> {
        self.warnings.take_new()
    }

    /// Sets the form of the compiler's messages.
    pub fn set_form(&mut self, form: Form) {
        self.replays.form = form;
    }

    /// The objects that dependents were compiled against.
    pub fn published_objects(&self) -> impl Iterator<Item = &ObjectFile> {
        self.published.objects()
    }
}

fn told_by_cargo(mut known: Known, units: &[Unit]) -> Known {
    for unit in units {
        let warnings = diagnostics::of_cargo(&unit.capture, &unit.stem);
        known.told_by_cargo(&unit.stem, warnings);
    }
    known
}
