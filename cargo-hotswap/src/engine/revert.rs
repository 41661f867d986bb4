//! Going back: the code of the version before becomes current again, as a swap like any other.
//!
//! What can be gone back to is a stack of code states, the host's at the bottom. A swap puts the
//! new one on top. A revert takes the top away and makes live what is below it, so that one revert
//! after the other leads back to the host. The units as they are compiled from the newest sources
//! are put aside meanwhile; the next edit takes them up again, compiles, and goes on top of what is
//! current then. Nothing is read from or written to the user's files.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use hotswap_layout::migrate::Way;

use super::{Brought, Clock, Engine};
use crate::events::Event;
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
}

impl History {
    /// Starts with the host.
    pub fn begin(units: &[Unit], reprs: &Reprs) -> Self {
        let code = Code {
            units: units.to_vec(),
            reprs: reprs.newest_files(),
        };
        Self {
            states: vec![CodeState { version: 0, code }],
            dropped: false,
            newest: None,
        }
    }

    /// Puts the code of a version on top. Objects that the version before has too are made to
    /// share their memory with it.
    pub fn went_live(&mut self, version: u64, units: &mut [Unit], reprs: &Reprs) {
        if let Some(top) = self.states.last() {
            share_objects(&top.code.units, units);
        }
        let code = Code {
            units: units.to_vec(),
            reprs: reprs.newest_files(),
        };
        self.states.push(CodeState { version, code });
        if self.states.len() > KEPT {
            self.states.remove(0);
            self.dropped = true;
        }
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
    use super::History;
    use crate::reprs::Reprs;

    #[test]
    fn the_stack_has_a_bottom_and_a_bound() {
        let reprs = Reprs::default();
        let mut history = History::begin(&[], &reprs);
        assert!(history.below().is_none());
        for version in 1..=3 {
            history.went_live(version, &mut [], &reprs);
        }
        assert_eq!(history.below().map(|state| state.version), Some(2));
        history.states.pop();
        assert_eq!(history.below().map(|state| state.version), Some(1));
        for version in 4..=40 {
            history.went_live(version, &mut [], &reprs);
        }
        assert!(history.dropped);
        assert_eq!(history.states.len(), super::KEPT);
    }
}
