//! Taking old versions out of memory, as a program asks for it.

pub use hotswap_protocol::purge::{Holder, HolderKind, Kept, Manner, PurgeReport, PurgedVersion};

use std::time::Duration;

use crate::engine;

/// Takes out of memory the code of old versions that nothing refers to, and tells what keeps the rest.
///
/// That happens by itself too, a while after each swap. An image goes only if no word in the process's
/// memory and in no thread's registers refers to it: all threads stand for a moment while that is looked
/// at, at most for 10 ms. The caller waits for the end.
///
/// Without `cargo hotswap` there are no old versions, and the report is empty; it is, too, where a callback of
/// [`on_swap`](crate::on_swap()) or a function that runs at swaps asks, since that would wait for itself.
///
/// # Examples
///
/// ```
/// for version in hotswap::soft_purge().versions {
///     println!("version {} is out of memory: {}", version.number, version.free);
/// }
/// ```
pub fn soft_purge() -> PurgeReport {
    engine::purge(Manner::Soft)
}

/// As [`soft_purge`], after the ways back to older code were given up: until the next swap,
/// [`revert`](crate::revert()) has nothing to go back to. [Named](crate::work()) threads and tasks that the code
/// of such a version began are told to end, and handlers of [servers](crate::server) that run in one: these are
/// started again, if their policy says so, on the current version.
///
/// # Examples
///
/// ```
/// let report = hotswap::purge();
/// assert!(report.versions.is_empty() && report.ways_given_up.is_empty());
/// ```
pub fn purge() -> PurgeReport {
    engine::purge(Manner::Full)
}

/// Sets for how long all threads may stand while memory is looked through, 10 ms unless this is called.
/// Where that is not enough, the attempt is given up and the old version stays. At most a minute counts.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// hotswap::set_purge_budget(Duration::from_millis(2));
/// ```
pub fn set_purge_budget(budget: Duration) {
    engine::set_purge_budget(budget);
}
