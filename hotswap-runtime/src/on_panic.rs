//! What follows when an entry panics soon after a swap: the program may go back to the code before.
//!
//! A call that returns knows nothing of this. One that unwinds comes here, and is judged: it must be
//! of the version that is current, and that version must have come a short time ago, by an edit.
//! The work itself is done by a thread of the runtime's own.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use crate::engine;
use crate::inflight::record::CounterId;
use crate::live::lock::is_migration;
use crate::sync::{Mutex, lock};
use crate::table;

/// What follows a panic of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnPanic {
    /// The program goes on with the code that it has.
    Keep,
    /// The program goes back to the version before, with all state.
    Revert {
        /// How soon after the swap that brought the code.
        within: Duration,
    },
}

impl OnPanic {
    /// Goes back if the panic comes in the first ten seconds.
    pub const REVERT: Self = Self::Revert {
        within: Duration::from_secs(10),
    };
}

/// A version that came by an edit.
#[derive(Debug, Clone, Copy)]
struct Fresh {
    version: u64,
    since: Instant,
}

/// What panics are judged by.
#[derive(Debug)]
struct Watch {
    setting: OnPanic,
    /// None once it has panicked.
    fresh: Option<Fresh>,
    /// The version that the program was told to leave.
    left: Option<Fresh>,
}

static WATCH: Mutex<Watch> = Mutex::new(Watch {
    setting: OnPanic::Keep,
    fresh: None,
    left: None,
});

/// Sets what follows when an entry panics soon after a swap.
///
/// Under `cargo hotswap run` the program goes back to the version before if that happens in the first
/// ten seconds, unless it was started with `--on-panic=keep`; what is set here counts from then on. The
/// panic takes its course all the same. What counts is a panic that leaves the body of an entry whose
/// code came with the last swap: one that is caught inside does not, nor does one in an entry that is
/// not tracked, or for want of a cell's value of the layout that the code expects. After a revert
/// nothing happens until the next swap.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use hotswap::OnPanic;
///
/// hotswap::set_on_panic(OnPanic::Revert { within: Duration::from_secs(60) });
/// # hotswap::set_on_panic(OnPanic::Keep);
/// ```
pub fn set_on_panic(setting: OnPanic) {
    lock(&WATCH).setting = setting;
}

/// From now on panics of this version count, which was brought by an edit.
pub(crate) fn watch(version: u64) {
    let since = Instant::now();
    lock(&WATCH).fresh = Some(Fresh { version, since });
}

/// Panics no longer count.
pub(crate) fn unwatch() {
    lock(&WATCH).fresh = None;
}

/// How long it may take to leave a version. Afterwards it did not work.
const LEAVING: Duration = Duration::from_secs(10);

/// Whether the program was just told to leave this version, since it panicked.
pub(crate) fn is_leaving(version: u64) -> bool {
    let left = lock(&WATCH).left;
    left.is_some_and(|left| left.version == version && left.since.elapsed() < LEAVING)
}

/// The program could not leave the version that it was told to leave.
pub(crate) fn stays() {
    lock(&WATCH).left = None;
}

/// The version whose panics count.
#[cfg(test)]
pub(crate) fn watched() -> Option<u64> {
    lock(&WATCH).fresh.map(|fresh| fresh.version)
}

impl Watch {
    /// The version whose panics count at this time.
    fn counts(&self, now: Instant) -> Option<u64> {
        let fresh = self.fresh?;
        match self.setting {
            OnPanic::Revert { within } if now.duration_since(fresh.since) <= within => {
                Some(fresh.version)
            }
            _ => None,
        }
    }
}

thread_local! {
    static STALE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// How long after a panic for want of a cell's value an unwinding call is taken to be unwound by it. If
/// that was caught, a later panic of the same thread has another cause.
const ONE_PANIC: Duration = Duration::from_secs(1);

/// This thread is about to panic since a cell has no value for its code. That code is old.
pub(crate) fn is_stale() {
    // Without thread-locals the thread is dying.
    let _ = STALE.try_with(|stale| stale.set(Some(Instant::now())));
}

fn is_unwound_by_stale_code() -> bool {
    let since = STALE.try_with(Cell::get).ok().flatten();
    since.is_some_and(|since| since.elapsed() < ONE_PANIC)
}

/// How many calls have unwound from which version's code; one version at a time.
static PANICS: Mutex<(u64, u64)> = Mutex::new((0, 0));

/// How many calls have unwound from the code of this version since it became current the last time.
pub(crate) fn panics_of(version: u64) -> u64 {
    let (of, panics) = *lock(&PANICS);
    if of == version { panics } else { 0 }
}

fn count_panic(version: u64) {
    let mut counted = lock(&PANICS);
    if counted.0 != version {
        *counted = (version, 0);
    }
    counted.1 += 1;
}

/// A call unwinds, whose counter is the one that is meant.
pub(crate) fn notice(is_meant: impl Fn(CounterId) -> bool) {
    // Without a panic a thread is cancelled, or a future dropped.
    if !thread::panicking() || is_unwound_by_stale_code() || crate::thread::is_ending() {
        return;
    }
    // A function that makes values for the next version has called it, and is told so by the swap.
    if is_migration(&thread::current()) {
        return;
    }
    let current = table::current_version();
    let Some(entry) = table::entry_of(current, is_meant) else {
        return;
    };
    count_panic(current);
    let Some(version) = lock(&WATCH).counts(Instant::now()) else {
        return;
    };
    if current != version {
        return;
    }
    let mut watch = lock(&WATCH);
    if watch.fresh.is_some_and(|fresh| fresh.version == version) {
        watch.fresh = None;
        let since = Instant::now();
        watch.left = Some(Fresh { version, since });
        drop(watch);
        engine::revert_after_panic(version, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_count_for_a_time_after_a_swap_if_that_is_set() {
        let since = Instant::now();
        let within = Duration::from_secs(10);
        let fresh = Some(Fresh { version: 3, since });
        let (soon, late) = (since + within, since + within * 2);
        for (setting, fresh, now, expected) in [
            (OnPanic::REVERT, fresh, soon, Some(3)),
            (OnPanic::REVERT, fresh, late, None),
            (OnPanic::Revert { within: within * 2 }, fresh, late, Some(3)),
            (OnPanic::Keep, fresh, soon, None),
            (OnPanic::REVERT, None, soon, None),
        ] {
            let left = None;
            let watch = Watch {
                setting,
                fresh,
                left,
            };
            assert_eq!(watch.counts(now), expected);
        }
    }
}
