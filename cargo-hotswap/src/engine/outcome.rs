//! How an attempt to make code live can end.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hotswap_protocol::message::PrepareReport;

use crate::events::{Event, Phases, StillOld};
use crate::image::state::State;

/// What became of units that were to be made live.
pub enum Brought {
    /// The version that is current has the same code.
    Unchanged,
    /// They can't go live.
    Refused(Event),
    /// They are.
    Live(Box<Swap>),
}

/// A swap that was made.
pub struct Swap {
    /// The version's number.
    pub version: u64,
    /// What it changed, as the program says.
    pub prepared: PrepareReport,
    /// The units of its image.
    pub members: BTreeSet<usize>,
    /// What it did with state.
    pub state: State,
    /// Where the time went.
    pub phases: Phases,
}

impl Swap {
    /// The event that tells of it; `reverts_to` is the version whose code it brought back.
    pub fn event(
        self,
        reverts_to: Option<u64>,
        files: BTreeSet<PathBuf>,
        still_old: Vec<StillOld>,
    ) -> Event {
        let mut entries = self.prepared.replaced;
        entries.extend(self.prepared.added);
        Event::Swapped {
            version: self.version,
            reverts_to,
            files: files.into_iter().collect(),
            phases: self.phases,
            entries,
            reshaped: self.prepared.reshaped,
            still_old,
            statics: self.state.reports,
        }
    }
}
