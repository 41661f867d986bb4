//! State across versions: which of the host's statics a patch's objects are bound to.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::Result;
use hotswap_layout::Program;
use hotswap_object::statics::{self, Novelty, Verdict};
use hotswap_object::{Binding, Bindings, Pointee, StaticFacts, Storage, Wish};

use super::renamed::Renamed;
use super::support::Support;
use super::wishes::{self, CELL_NEW, WISHED};

use crate::events::StaticReport;
use crate::facts::Analysed;
use crate::host::Host;
use crate::places::as_written;
use crate::unit::{Unit, UnitId};

/// The symbols of statics where they are defined, in the host or a support image, by the symbols that
/// objects know them by. Those that are as in the host are left out.
pub type Places = BTreeMap<String, String>;

/// A static that is one and the same in two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Its path.
    pub path: String,
    /// Its symbol where it is defined: in the host or in a support image.
    pub host: String,
    /// Whether a support image defines it.
    pub after_host: bool,
    /// Its symbol in the patch.
    pub patch: String,
    /// Whether each thread has its own.
    pub thread_local: bool,
    /// Whether its source says what shall become of it.
    pub wished: bool,
    /// Whether its initial value points at a function, which may make the true value later, and somebody
    /// wants to hear of it.
    pub runs: bool,
}

/// What was said of a static, and the initial value that it was said about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    report: StaticReport,
    bytes: u64,
    pointers: Vec<(u64, Pointee)>,
}

/// What is told of a cell whose initialiser was edited.
const CELL_EDITED: &str = "its initialiser was edited: a value that was made stays, and one that was not is made by the \
     new one";

/// What a patch does with state.
#[derive(Debug, Default)]
pub struct State {
    /// What its objects are bound to.
    pub bindings: Bindings,
    /// The symbols of those statics that are cells.
    pub cells: HashSet<String>,
    /// Those of the cells whose values change, of which more is told than that they are kept.
    migrated: HashSet<String>,
    /// Where each static is, by its symbol in the patch's objects: what code that comes back finds.
    pub placed: Places,
    /// Where they were in the code that comes back, if it is a revert.
    pub before: Option<Places>,
    /// The statics it shares with the host.
    pub shared: Vec<Shared>,
    /// What the user may want to know.
    pub reports: Vec<StaticReport>,
    /// What those of the reports are about that an initial value gave rise to.
    about: Vec<Told>,
    /// Statics that can't go live, with the reason.
    pub refused: Vec<(String, String)>,
    /// Initialisers that run when the image is loaded.
    pub new_initialisers: Vec<(UnitId, String)>,
    /// The statics decided on so far, by symbol and path, and whether they are new.
    decided: Vec<(String, String, bool)>,
}

/// What has run in the program before `main` or at the load of an image, by unit and path.
#[derive(Debug, Default)]
pub struct Initialisers(BTreeMap<UnitId, BTreeMap<String, usize>>);

impl Initialisers {
    /// What ran in the host.
    pub fn of_host(host: &Host) -> Self {
        let mut ran = Self::default();
        for (unit, facts) in &host.units {
            ran.add(
                facts
                    .initialisers
                    .iter()
                    .map(|one| (unit.clone(), one.path.clone())),
            );
        }
        ran
    }

    /// Adds what ran when an image was loaded.
    pub fn add(&mut self, initialisers: impl IntoIterator<Item = (UnitId, String)>) {
        for (unit, path) in initialisers {
            *self.0.entry(unit).or_default().entry(path).or_default() += 1;
        }
    }

    fn counts(&self, unit: &UnitId) -> BTreeMap<String, usize> {
        self.0.get(unit).cloned().unwrap_or_default()
    }
}

/// The mangled path of the unnamed block that an item stands in: macros that register something
/// wrap it in `const _: () = { … }`, and items in one block share the mangled path up to it.
fn enclosing_block<'symbol>(symbol: &'symbol str, path: &str) -> Option<&'symbol str> {
    let name = path.rsplit("::").next()?;
    // An identifier is its length and itself, with `_` between where it starts with one.
    let separator = if name.starts_with('_') { "_" } else { "" };
    let block = symbol.strip_suffix(&format!("{}{separator}{name}", name.len()))?;
    block.ends_with("1__").then_some(block)
}

/// All statics of a unit with these objects.
pub fn statics_of<'a>(
    analysed: impl Iterator<Item = &'a Analysed> + Clone,
    types: &Program,
) -> Vec<StaticFacts> {
    let objects = analysed.clone();
    let mut statics: Vec<StaticFacts> = objects
        .flat_map(|object| object.facts.statics.iter().cloned())
        .collect();
    wishes::fill(&mut statics, analysed, types);
    statics
}

/// The statics of a unit that the program has.
pub fn known(unit: &UnitId, host: &Host, support: &Support) -> Vec<StaticFacts> {
    let base = host.units.get(unit);
    let mut known = base.map(|unit| unit.statics.clone()).unwrap_or_default();
    support.supersede(unit, &mut known);
    known
}

impl State {
    /// Decides about the statics of one unit.
    ///
    /// # Errors
    ///
    /// A new static's initial value can't be found.
    pub fn add_unit(
        &mut self,
        unit: &Unit,
        analysed: &[&Analysed],
        host: &Host,
        support: &mut Support,
        ran: &Initialisers,
        (types, renamed): (&Program, &Renamed),
    ) -> Result<()> {
        let statics = statics_of(analysed.iter().copied(), types);
        let mut named = statics.clone();
        for facts in &mut named {
            facts.path = renamed.known_by(&unit.id(), &facts.path).into_owned();
        }
        let known = known(&unit.id(), host, support);
        for (facts, found) in statics.iter().zip(statics::match_statics(&known, &named)) {
            let verdict = self.as_before(facts, found.verdict, host);
            let new = matches!(verdict, Verdict::New(_));
            self.decided
                .push((facts.symbol.clone(), facts.path.clone(), new));
            self.decide(unit, facts, verdict, host, support)?;
        }
        self.drop_initialisers(unit, analysed, ran);
        Ok(())
    }

    /// Code that comes back finds the statics that it had, also those whose place others have taken
    /// since because the source wished it.
    fn as_before(&self, facts: &StaticFacts, verdict: Verdict, host: &Host) -> Verdict {
        let Some(before) = &self.before else {
            return verdict;
        };
        let defined = || {
            host.symbols.symbols.contains_key(&facts.symbol)
                || host.symbols.thread_locals.contains_key(&facts.symbol)
        };
        match before.get(&facts.symbol) {
            Some(symbol) => Verdict::Same {
                host: symbol.clone(),
            },
            None if defined() => Verdict::Same {
                host: facts.symbol.clone(),
            },
            None => verdict,
        }
    }

    fn decide(
        &mut self,
        unit: &Unit,
        facts: &StaticFacts,
        verdict: Verdict,
        host: &Host,
        support: &mut Support,
    ) -> Result<()> {
        match verdict {
            Verdict::Same { host: symbol } => self.share(facts, symbol, host, support),
            Verdict::Kept { host: symbol, .. } if facts.wish == Some(Wish::Keep) => {
                self.share(facts, symbol, host, support);
            }
            Verdict::Kept { host: symbol, .. } => {
                let reason = match self.cells.contains(&facts.symbol) {
                    true => CELL_EDITED,
                    false => "its initialiser was edited, its value is state and stays",
                };
                self.report(facts, "kept", reason);
                self.share(facts, symbol, host, support);
            }
            Verdict::New(novelty) => {
                let replaced = match novelty {
                    Novelty::OtherContent { instead } => {
                        if !is_registration(facts) {
                            self.report(facts, "new", "it points at other read-only data now");
                        }
                        instead
                    }
                    Novelty::Wished { .. } if self.cells.contains(&facts.symbol) => {
                        self.refuse(facts, CELL_NEW);
                        return Ok(());
                    }
                    Novelty::Wished { instead } => {
                        self.report(facts, "new", WISHED);
                        Some(instead)
                    }
                    _ => None,
                };
                match support.add(unit.id(), facts, &unit.objects, replaced)? {
                    Some(symbol) => self.share(facts, symbol, host, support),
                    None => {
                        if let Some(name) = support.exported_as(&facts.symbol) {
                            self.placed.insert(facts.symbol.clone(), name.to_owned());
                        }
                        self.bindings
                            .symbols
                            .insert(facts.symbol.clone(), Binding::Image);
                    }
                }
            }
            Verdict::Refused(reason) => self.refuse(facts, &reason.to_string()),
            _ => self.refuse(facts, "its treatment is unknown"),
        }
        Ok(())
    }

    /// Whether a static of this name, as the source has it, is state.
    pub fn is_state(&self, name: &str) -> bool {
        let shared = self.shared.iter().map(|shared| &shared.path);
        let own = self.decided.iter().map(|(_, path, _)| path);
        shared.chain(own).any(|path| declares(path, name))
    }

    /// The values of these cells change.
    pub fn are_migrated(&mut self, cells: impl Iterator<Item = String>) {
        self.migrated.extend(cells);
        let shared = self.shared.iter();
        let migrated = shared.filter(|shared| self.migrated.contains(&shared.patch));
        let names: HashSet<&str> = migrated.map(|shared| as_written(&shared.path)).collect();
        let is_kept = |told: &StaticReport| told.reason == CELL_EDITED;
        self.reports
            .retain(|told| !is_kept(told) || !names.contains(told.name.as_str()));
    }

    /// Tells of the statics whose initialiser was edited without a trace in the initial value: a
    /// function that makes the true value later, and that old code would run.
    pub fn report_edited(&mut self, edited: &BTreeSet<String>) {
        for shared in &self.shared {
            let path = as_written(&shared.path);
            let Some(name) = edited.iter().find(|name| declares(path, name)) else {
                continue;
            };
            let reason = if self.migrated.contains(&shared.patch) {
                continue;
            } else if self.cells.contains(&shared.patch) {
                CELL_EDITED
            } else if shared.thread_local && !shared.wished {
                "its initialiser was edited: threads that have a value keep it"
            } else if shared.runs {
                "its initialiser was edited: a value that was made stays, and one that was not \
                 will be made by the first initialiser; an entry that it calls is the newest"
            } else {
                continue;
            };
            let told = self.reports.iter().any(|told| declares(&told.name, name));
            if !told {
                self.reports.push(StaticReport {
                    name: path.to_owned(),
                    verdict: "kept",
                    reason: reason.to_owned(),
                });
            }
        }
    }

    /// Leaves out what was said of the version before and is no news: neither the initial value nor
    /// the text of the initialiser is another than it was then. The result is what there was to say
    /// now.
    pub fn take_told(&mut self, before: &[Told], edited: &BTreeSet<String>) -> Vec<Told> {
        let about = std::mem::take(&mut self.about);
        self.reports.retain(|report| {
            let name = report.name.rsplit("::").next().unwrap_or_default();
            let mut about = about
                .iter()
                .filter(|told| told.report == *report)
                .peekable();
            edited.contains(name)
                || about.peek().is_none()
                || about.any(|told| !before.contains(told))
        });
        about
    }

    fn report(&mut self, facts: &StaticFacts, verdict: &'static str, reason: &str) {
        let report = StaticReport {
            name: as_written(&facts.path).to_owned(),
            verdict,
            reason: reason.to_owned(),
        };
        self.about.push(Told {
            report: report.clone(),
            bytes: facts.bytes,
            pointers: facts.pointers.clone(),
        });
        // A thread-local consists of several.
        if !self.reports.contains(&report) {
            self.reports.push(report);
        }
    }

    fn refuse(&mut self, facts: &StaticFacts, reason: &str) {
        self.refused.push((facts.path.clone(), reason.to_owned()));
    }

    fn share(&mut self, facts: &StaticFacts, symbol: String, host: &Host, support: &Support) {
        let thread_local = matches!(facts.storage, Storage::ThreadData | Storage::ThreadBss);
        let binding = if support.exports(&symbol) {
            Binding::Global {
                symbol: symbol.clone(),
            }
        } else if thread_local {
            match host.symbols.thread_locals.get(&symbol) {
                Some(offset) => Binding::HostThreadLocal { offset: *offset },
                None => return self.not_exported(facts),
            }
        } else if host
            .symbols
            .symbols
            .get(&symbol)
            .is_some_and(|found| found.exported)
        {
            Binding::Host {
                symbol: symbol.clone(),
            }
        } else {
            return self.not_exported(facts);
        };
        self.bindings.symbols.insert(facts.symbol.clone(), binding);
        if symbol != facts.symbol {
            self.placed.insert(facts.symbol.clone(), symbol.clone());
        }
        self.shared.push(Shared {
            path: facts.path.clone(),
            after_host: support.exports(&symbol),
            host: symbol,
            patch: facts.symbol.clone(),
            thread_local,
            wished: facts.wish.is_some(),
            runs: facts.wish.is_none() && facts.pointers.iter().any(|(_, to)| is_code(to)),
        });
    }

    fn not_exported(&mut self, facts: &StaticFacts) {
        self.refuse(
            facts,
            "the executable does not export it, so a patch can't reach its value",
        );
    }

    /// What ran before `main` in the host, or when an earlier image was loaded, must not run again.
    ///
    /// A registration stands beside the static that it registers, in a block of its own; it is new
    /// exactly if that static is. Any other is known by its path, of which as many are new as
    /// there are more of them than have run.
    fn drop_initialisers(&mut self, unit: &Unit, analysed: &[&Analysed], ran: &Initialisers) {
        let mut left = ran.counts(&unit.id());
        for initialiser in analysed
            .iter()
            .flat_map(|object| &object.facts.initialisers)
        {
            let new = match self.registers_new(&initialiser.symbol, &initialiser.path) {
                Some(new) => new,
                None => match left.get_mut(&initialiser.path).filter(|count| **count > 0) {
                    Some(count) => {
                        *count -= 1;
                        false
                    }
                    None => true,
                },
            };
            if new {
                self.new_initialisers
                    .push((unit.id(), initialiser.path.clone()));
            } else {
                self.bindings
                    .dropped_initialisers
                    .insert(initialiser.symbol.clone());
            }
        }
    }

    /// Whether the statics beside an initialiser are new; `None` if none stands there.
    fn registers_new(&self, initialiser: &str, path: &str) -> Option<bool> {
        let block = enclosing_block(initialiser, path)?;
        let mut beside = self
            .decided
            .iter()
            .filter(|(symbol, path, _)| enclosing_block(symbol, path) == Some(block))
            .map(|(_, _, new)| *new)
            .peekable();
        beside.peek()?;
        Some(beside.any(|new| new))
    }

    /// Thread-locals of the host that no object of the image defines, by symbol.
    pub fn set_host_thread_locals(&mut self, host: &Host) {
        self.bindings.host_thread_locals = host.symbols.thread_locals.clone();
    }

    /// The symbols of statics that the patch finds elsewhere than the host's own code does: the patch's
    /// image or a support image defines them, or the host does under another symbol.
    pub fn elsewhere(&self) -> impl Iterator<Item = &str> {
        let symbols = self.bindings.symbols.iter();
        let own = symbols.filter(|(_, binding)| **binding == Binding::Image);
        let own = own.map(|(symbol, _)| symbol);
        own.chain(self.placed.keys()).map(String::as_str)
    }

    /// Binds read-only statics to the host's.
    pub fn take_from_host(&mut self, constants: BTreeSet<String>) {
        for symbol in constants {
            let binding = Binding::Host {
                symbol: symbol.clone(),
            };
            self.bindings.symbols.insert(symbol, binding);
        }
    }

    /// The symbols that the patch finds in support images.
    pub fn global_symbols(&self) -> HashSet<String> {
        let global = self
            .bindings
            .symbols
            .values()
            .filter_map(|binding| match binding {
                Binding::Global { symbol } => Some(symbol.clone()),
                _ => None,
            });
        global.collect()
    }
}

/// Whether a static's path is that of an item of this name, or of something in it: macros put what they
/// declare below a name of the source.
fn declares(path: &str, name: &str) -> bool {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let mut words = path.split(|character| !is_name(character));
    words.any(|word| word == name)
}

/// Whether an initial pointer refers to a function, or to what may be one.
fn is_code(pointee: &Pointee) -> bool {
    matches!(pointee, Pointee::Function(_) | Pointee::Elsewhere(..))
}

/// Whether a macro made this static to register what it describes, as `tracing` makes callsites:
/// code rather than state, which nobody expects to last.
fn is_registration(facts: &StaticFacts) -> bool {
    let name = facts.path.rsplit("::").next().unwrap_or_default();
    let described = facts
        .pointers
        .iter()
        .any(|(_, to)| matches!(to, Pointee::Constant(_)));
    described && (name.starts_with("__") || name == "CALLSITE")
}

#[cfg(test)]
mod tests;
