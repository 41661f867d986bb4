//! Going back: the code of the version before becomes current again, as a swap like any other.
//!
//! What can be gone back to is a stack of code states, the host's at the bottom. A swap puts the
//! new one on top. A revert takes the top away and makes live what is below it, so that one revert
//! after the other leads back to the host. The units as they are compiled from the newest sources
//! are put aside meanwhile; the next edit takes them up again, compiles, and goes on top of what is
//! current then. Nothing is read from or written to the user's files.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use hotswap_layout::migrate::Way;
use hotswap_protocol::event;
use hotswap_protocol::state::Back;

use super::migration::{Cells, Known, Plan, Values};
use super::{Brought, Clock, Engine};
use crate::entries::EntryFacts;
use crate::events::Event;
use crate::image::state::Places;
use crate::program::listener;
use crate::reprs::{self, Reprs};
use crate::unit::Unit;

/// How many versions are kept. Objects that several of them share are kept once.
const KEPT: usize = 16;

/// Why there is nothing to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NothingBefore {
    /// The host's code is current.
    #[error("there is nothing to go back to: the program runs the code that it was started with")]
    First,
    /// What was before is not kept any more.
    #[error("there is nothing to go back to: of all versions, the last {KEPT} are kept")]
    Dropped,
}

/// The code states that can be gone back to.
#[derive(Debug)]
pub struct History {
    /// The oldest first; the last is current. There is always one.
    states: Vec<CodeState>,
    /// Whether states were dropped from the bottom.
    dropped: bool,
    /// The newest code, while an older one is current.
    newest: Option<Code>,
}

/// The code of a version.
#[derive(Debug, Clone)]
struct Code {
    units: Vec<Unit>,
    reprs: reprs::Newest,
}

/// The code of a version that was current.
#[derive(Debug)]
struct CodeState {
    /// The number of the version that first had it.
    version: u64,
    code: Code,
    record: Record,
}

/// What is known of the program while a version is current.
#[derive(Debug, Clone, Default)]
pub struct Record {
    live: Vec<BTreeSet<u128>>,
    current: Vec<EntryFacts>,
    values: Values,
    placed: Places,
}

impl Record {
    /// What is known of it now.
    pub fn of(
        live: &[BTreeSet<u128>],
        current: &[EntryFacts],
        cells: &Cells,
        placed: &Places,
    ) -> Self {
        Self {
            live: live.to_vec(),
            current: current.to_vec(),
            values: cells.values(),
            placed: placed.clone(),
        }
    }
}

impl History {
    /// Starts with the host.
    pub fn begin(units: &[Unit], reprs: &Reprs, record: Record) -> Self {
        let code = Code {
            units: units.to_vec(),
            reprs: reprs.newest_files(),
        };
        Self {
            states: vec![CodeState {
                version: 0,
                code,
                record,
            }],
            dropped: false,
            newest: None,
        }
    }

    /// Puts the code of a version on top. Objects that the version before has too are made to
    /// share their memory with it.
    pub fn went_live(&mut self, version: u64, units: &mut [Unit], reprs: &Reprs, record: Record) {
        if let Some(top) = self.states.last() {
            share_objects(&top.code.units, units);
        }
        let code = Code {
            units: units.to_vec(),
            reprs: reprs.newest_files(),
        };
        self.states.push(CodeState {
            version,
            code,
            record,
        });
        if self.states.len() > KEPT {
            self.states.remove(0);
            self.dropped = true;
        }
    }

    /// The program went back by itself, from the code of versions after `to` that came before
    /// `version`. Whether that changes which code is current.
    fn program_went_back(&mut self, to: u64, version: u64) -> bool {
        let top = |states: &[CodeState]| states.last().map(|state| state.version);
        let before = top(&self.states);
        if self.states.iter().any(|state| state.version == to) {
            self.states
                .retain(|state| state.version <= to || state.version > version);
        }
        top(&self.states) != before
    }

    /// Where statics were in the code to go back to.
    pub fn places_below(&self) -> Option<Places> {
        Some(self.below()?.record.placed.clone())
    }

    /// The code to go back to.
    fn below(&self) -> Option<&CodeState> {
        self.states.len().checked_sub(2).map(|at| &self.states[at])
    }
}

/// Has equal objects of `new` share the memory of those in `old`.
fn share_objects(old: &[Unit], new: &mut [Unit]) {
    let known: HashMap<u128, &Arc<[u8]>> = old
        .iter()
        .flat_map(|unit| &unit.objects)
        .map(|object| (object.digest, &object.bytes))
        .collect();
    for object in new.iter_mut().flat_map(|unit| &mut unit.objects) {
        if let Some(bytes) = known.get(&object.digest) {
            object.bytes = Arc::clone(bytes);
        }
    }
}

impl Engine {
    /// Makes the code of the version before current again; every way it can end is an event. A
    /// second call goes on to the one before that. What can't go back, because state would be read
    /// as something else, is refused like an edit.
    ///
    /// # Errors
    ///
    /// There is nothing to go back to; the text says why.
    pub fn revert(&mut self) -> Result<Event, NothingBefore> {
        self.catch_up();
        let Some(below) = self.history.below() else {
            return Err(if self.history.dropped {
                NothingBefore::Dropped
            } else {
                NothingBefore::First
            });
        };
        let (version, code) = (below.version, below.code.clone());
        let event = self.try_revert(version, code);
        Ok(event.unwrap_or_else(|error| Event::Failed {
            message: format!("{error:#}"),
        }))
    }

    fn try_revert(&mut self, version: u64, code: Code) -> Result<Event> {
        let clock = Clock::new(Instant::now());
        let before = self.exchange(code);
        match self.bring_live(clock, Way::Back) {
            Ok(Brought::Live(swap)) => {
                self.history.states.pop();
                self.history.newest.get_or_insert(before);
                Ok(self.report_revert(*swap, version))
            }
            other => {
                self.exchange(before);
                Ok(match other? {
                    Brought::Refused(refusal) => *refusal,
                    _ => Event::Unchanged { files: Vec::new() },
                })
            }
        }
    }

    /// Has the program tell what it does by itself, from now on.
    ///
    /// # Errors
    ///
    /// It does not.
    pub fn listen(&self, tell: impl Fn(event::Event) -> bool + Send + 'static) -> Result<()> {
        listener::listen(self.pid(), Arc::clone(&self.own_reverts), tell)
    }

    /// Takes note of what the program did by itself.
    pub(super) fn catch_up(&mut self) {
        for reverted in listener::take(&self.own_reverts) {
            self.version = self.version.max(reverted.version);
            let changes = self
                .history
                .program_went_back(reverted.to, reverted.version);
            let top = self.history.states.last().filter(|_| changes);
            let Some((code, record)) = top.map(|top| (top.code.clone(), top.record.clone())) else {
                continue;
            };
            let before = self.exchange(code);
            self.history.newest.get_or_insert(before);
            self.reprs.went_live();
            self.cells.went_back(&record.values);
            self.live = record.live;
            self.current = record.current;
            self.placed = record.placed;
            // As for a revert that the tool makes.
            self.told.clear();
        }
    }

    /// How the program gets back from a version without the tool.
    pub(super) fn way_back(&self, way: Way, plan: &Plan, next: &Known) -> Back {
        match (way, self.history.below()) {
            (Way::Back, Some(below)) => Back::AsFrom(below.version),
            _ => self.cells.plan_back(plan, next),
        }
    }

    /// Takes the newest code up again, before it is edited further.
    pub(super) fn go_forward(&mut self) {
        if let Some(newest) = self.history.newest.take() {
            self.exchange(newest);
        }
    }

    fn exchange(&mut self, code: Code) -> Code {
        Code {
            units: std::mem::replace(&mut self.units, code.units),
            reprs: self.reprs.exchange(code.reprs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{History, Record};
    use crate::reprs::Reprs;

    /// The stack after edits that brought these versions.
    fn history(versions: impl IntoIterator<Item = u64>) -> History {
        let reprs = Reprs::default();
        let mut history = History::begin(&[], &reprs, Record::default());
        for version in versions {
            history.went_live(version, &mut [], &reprs, Record::default());
        }
        history
    }

    #[test]
    fn the_program_takes_away_what_it_goes_back_from() {
        for (versions, to, version, changes, left) in [
            (&[1][..], 0, 2, true, &[0][..]),
            (&[1, 2], 1, 3, true, &[0, 1]),
            (&[1, 2], 0, 4, true, &[0]),
            // Meanwhile an edit has gone live.
            (&[1, 3], 0, 2, false, &[0, 3]),
            (&[1], 1, 2, false, &[0, 1]),
        ] {
            let mut history = history(versions.iter().copied());
            assert_eq!(history.program_went_back(to, version), changes);
            let found: Vec<u64> = history.states.iter().map(|it| it.version).collect();
            assert_eq!(found, left, "{versions:?}");
        }
    }

    #[test]
    fn the_stack_has_a_bottom_and_a_bound() {
        assert!(history([]).below().is_none());
        let mut history = history(1..=3);
        assert_eq!(history.below().map(|state| state.version), Some(2));
        history.states.pop();
        assert_eq!(history.below().map(|state| state.version), Some(1));
        for version in 4..=40 {
            history.went_live(version, &mut [], &Reprs::default(), Record::default());
        }
        assert!(history.dropped);
        assert_eq!(history.states.len(), super::KEPT);
    }
}
