//! How an attempt to make code live can end, and the report of a swap.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hotswap_protocol::message::{CommitReport, PrepareReport};

use super::Engine;
use super::migration::Plan;
use super::still_old::{Roots, still_old};
use crate::events::{Event, Migrated, Phases, StillOld};
use crate::hooks::HookFacts;
use crate::image::Part;
use crate::image::state::State;

/// What became of units that were to be made live.
pub enum Brought {
    /// The version that is current has the same code.
    Unchanged,
    /// They can't go live.
    Refused(Box<Event>),
    /// They are.
    Live(Box<Swap>),
}

/// A swap that was made.
pub struct Swap {
    /// The version's number.
    pub version: u64,
    /// What it changed, as the program says.
    pub prepared: PrepareReport,
    /// What became of state, if anything did.
    pub migrated: Option<Migrated>,
    /// What the program has to say of it.
    pub remarks: Vec<String>,
    /// The functions of the version that run at swaps.
    pub hooks: Vec<HookFacts>,
    /// The units of its image.
    pub members: BTreeSet<usize>,
    /// What its image was made of.
    pub parts: Vec<Part>,
    /// What it did with state.
    pub state: State,
    /// Where the time went.
    pub phases: Phases,
}

/// What is told of a swap besides what it did: an edit has all of it, a revert only some.
#[derive(Default)]
struct Cause {
    reverts_to: Option<u64>,
    files: BTreeSet<PathBuf>,
    compiled: BTreeSet<usize>,
    still_old: Vec<StillOld>,
    warnings: Vec<String>,
}

/// What is told of state that a swap has migrated.
pub(super) fn migrated(plan: &Plan, committed: &CommitReport) -> Option<Migrated> {
    let cells: Vec<String> = plan.migrates().map(|facts| facts.name.clone()).collect();
    (!cells.is_empty()).then(|| Migrated {
        cells,
        types: plan.told(),
        dropped: plan.dropped(),
        values: committed.migrated,
        pause_ms: committed.pause_us as f64 / 1e3,
    })
}

/// What the program has to say of a swap that it made.
pub(super) fn remarks(committed: CommitReport) -> Vec<String> {
    let failures = committed.callback_failures.into_iter();
    let failures = failures.map(|text| format!("an `on_swap` callback panicked: {text}"));
    failures.chain(committed.warnings).collect()
}

impl Engine {
    /// The report of a swap that an edit asked for.
    pub(super) fn report(&mut self, mut swap: Swap) -> Event {
        let files = std::mem::take(&mut self.edited);
        let mut read = std::mem::take(&mut self.read);
        read.retain(|file, _| files.contains(file));
        let mut edited = self.edits.edited(&read, &self.texts);
        // A static that is no state is code, as a constant is.
        let read_only = edited.statics.iter();
        let read_only = read_only.filter(|name| !swap.state.is_state(name));
        let users = self.edits.mentioning(&read_only.cloned().collect());
        edited.functions.extend(users);
        swap.state.report_edited(&edited.statics);
        self.told = swap.state.take_told(&self.told, &edited.statics);
        // The first value of a cell is made by the newest code.
        let cells = &swap.state.cells;
        let kept = swap.state.shared.iter();
        let kept = kept.filter(|shared| !cells.contains(&shared.patch));
        let kept = kept.map(|shared| shared.patch.as_str()).collect();
        let graph = self.references.graph(&swap.parts);
        let objects = self.units.iter().flat_map(|unit| &unit.objects);
        let roots = Roots {
            entries: &self.current,
            hooks: &swap.hooks,
        };
        let crates = self.units.iter().map(|unit| unit.name.as_str()).collect();
        let edited = (&edited.functions, &crates);
        let still_old = still_old(edited, &graph, &roots, &kept, objects);
        let cause = Cause {
            reverts_to: None,
            files,
            compiled: self.compilation.take_compiled(),
            still_old,
            warnings: self.compilation.take_warnings(),
        };
        self.event(swap, cause)
    }

    /// The report of a swap that brought the code of this version back.
    pub(super) fn report_revert(&mut self, swap: Swap, version: u64) -> Event {
        // The way forward begins anew, so the next edit tells all.
        self.told.clear();
        let cause = Cause {
            reverts_to: Some(version),
            ..Cause::default()
        };
        self.event(swap, cause)
    }

    fn event(&self, swap: Swap, cause: Cause) -> Event {
        let names = |units: Vec<usize>| -> Vec<String> {
            let units = units.into_iter().map(|index| &self.units[index]);
            units
                .map(|unit| format!("{} ({})", unit.name, unit.kind))
                .collect()
        };
        let relinked = swap.members.difference(&cause.compiled).copied();
        let mut entries = swap.prepared.replaced;
        entries.extend(swap.prepared.added);
        Event::Swapped {
            version: swap.version,
            reverts_to: cause.reverts_to,
            files: cause.files.into_iter().collect(),
            phases: swap.phases,
            relinked: names(relinked.collect()),
            compiled: names(cause.compiled.into_iter().collect()),
            entries,
            reshaped: swap.prepared.reshaped,
            still_old: cause.still_old,
            statics: swap.state.reports,
            migrated: swap.migrated.map(Box::new),
            remarks: swap.remarks,
            warnings: cause.warnings,
        }
    }
}
