//! The registry of slots: which entry has which slot, and which body stands in it.
//!
//! A slot's identity is the entry's path, the fingerprint of its signature, and the facts of a
//! hidden type of its result. Numbers are given in this process, and no number is given twice.
//! Everything here is behind one lock; calls only read the table that [`switch`] publishes.

pub(crate) mod counters;
mod plan;
mod registry;
pub(crate) mod switch;

use std::collections::HashSet;
use std::ops::Range;

#[cfg(test)]
use plan::TableReport;
pub(crate) use plan::{Bodies, EntryBinding, PreparedTable, RegisterError};
use registry::Registry;
pub use switch::Switch;
use switch::Target;

use crate::entry::Descriptor;
use crate::inflight;
use crate::inflight::record::CounterId;
use crate::sync::{Mutex, MutexGuard, lock};

/// What every call of an entry reads.
pub static CURRENT: Switch = Switch::new();

static REGISTRY: Mutex<Registry> = Mutex::new(Registry::new());

fn registry() -> MutexGuard<'static, Registry> {
    lock(&REGISTRY)
}

/// Registers the entries of the executable. May be repeated; entries that registered themselves at
/// their first call get their path and fingerprint.
pub(crate) fn register_host(entries: Vec<EntryBinding>) -> Result<(), RegisterError> {
    let entries = plan::identify(entries)?;
    registry().register_host(&CURRENT, entries)
}

/// Prepares the table of `version` without any effect that a caller could see. It asks the image
/// about hidden types, which runs the image's code. `gone` are the paths of entries that keep the
/// body they have, although the host has one.
pub(crate) fn prepare(
    version: u64,
    entries: Vec<EntryBinding>,
    gone: HashSet<String>,
) -> Result<PreparedTable, RegisterError> {
    let entries = plan::identify(entries)?;
    registry().prepare(&CURRENT, version, entries, gone)
}

/// Forgets what `prepare` has noted; called when a prepared table is dropped.
fn abandon(entries: &[plan::Identified]) {
    registry().abandon(entries);
}

/// Makes a prepared table current: one store moves all entries. Gives the bodies that were current.
pub(crate) fn publish(mut table: PreparedTable) -> Bodies {
    let entries = std::mem::take(&mut table.entries);
    registry().publish(&CURRENT, table.version, entries, &table.gone)
}

/// Makes bodies current again, as `version`: one store moves all entries.
pub(crate) fn restore(version: u64, bodies: &Bodies) {
    registry().restore(&CURRENT, version, bodies);
}

/// The path of the entry whose calls in the code of `version` have the counter that is meant.
pub(crate) fn entry_of(version: u64, is_meant: impl Fn(CounterId) -> bool) -> Option<String> {
    registry().entry_of(version, is_meant)
}

/// Closes the table: counted calls wait before they begin, until [`open`], or until a table is
/// published after [`open_at_publish`].
pub(crate) fn close() {
    registry().close(&CURRENT);
}

/// Opens the table again.
pub(crate) fn open() {
    registry().open(&CURRENT);
}

/// The next table that is published is open.
pub(crate) fn open_at_publish() {
    registry().open_at_publish();
}

/// How many counted calls are under way in all versions.
pub(crate) fn calls_under_way() -> u64 {
    registry().calls_under_way()
}

/// The counters of calls that end on the thread they began on.
pub(crate) fn counters_of_threads() -> Vec<CounterId> {
    registry().counters_of_threads()
}

/// Takes out of tables that are not current what only they still have.
pub(crate) fn scrub() {
    registry().scrub(&CURRENT);
}

/// Publishes the table once more, so that each thread clears its stack at its next call.
pub(crate) fn renew() {
    registry().renew(&CURRENT);
}

/// The paths of entries whose calls run code in this range.
pub(crate) fn running(range: &Range<usize>) -> Vec<String> {
    registry().running(range)
}

/// The version that calls go to; 0 at the start.
pub(crate) fn current_version() -> u64 {
    CURRENT.version()
}

/// How many calls are under way in the code of `version`, by entry. Empty means drained.
pub(crate) fn in_flight(version: u64) -> Vec<(String, u64)> {
    registry().in_flight(version)
}

/// What a call of an entry without a slot does.
pub(crate) enum Resolved {
    /// The entry has this slot now.
    Slot(u32),
    /// The entry belongs to an image that is not current yet: its own code is meant.
    Own(Target),
}

/// Gives an entry a slot at its first call, before or without a tool.
#[cold]
#[inline(never)]
pub(crate) fn resolve(entry: &'static Descriptor, body: *const ()) -> Resolved {
    registry().resolve(&CURRENT, entry, body)
}

/// The numbers of calls under way, by counter.
fn count(ids: &[CounterId]) -> Vec<u64> {
    inflight::in_flight(ids)
}

#[cfg(test)]
pub(crate) mod tests;
