//! How far a walk is, as told from its threads to one that waits.

use std::thread;
use std::time::{Duration, Instant};

use crate::sync::{AtomicUsize, Ordering};

/// So many threads take part in a walk at most.
pub(crate) const MOST_THREADS: usize = 16;

/// Tells, from another thread, how far a walk is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// One for each thread of the walk.
    calls: [Calls; MOST_THREADS],
    /// [`WALKS`], [`CANCELLED`] or [`CHECKS`].
    state: AtomicUsize,
    /// Not 0: a function of the user's has an old value alone, which nobody may read meanwhile.
    alone: AtomicUsize,
    /// Not 0: there are locks in the old value, which whoever reads the cell could take.
    locks: AtomicUsize,
}

/// The walk reads one cell after the other.
const WALKS: usize = 0;
/// Nobody waits for the walk any more.
const CANCELLED: usize = 1;
/// The walk looks at all cells once more, which is soon over.
const CHECKS: usize = 2;

/// Counts the begins and ends of calls of the user's functions: odd while one runs. Apart from those
/// of other threads, which write theirs at the same time.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Calls(AtomicUsize);

impl Progress {
    /// Ends the walk when the user's functions that run have returned. From then on it reads no other
    /// cell than the one it is at.
    pub(crate) fn cancel(&self) {
        while self.step_from(WALKS, CANCELLED) == Err(CHECKS) {
            thread::yield_now();
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.state.load(Ordering::SeqCst) == CANCELLED
    }

    /// Runs a short check that reads all cells, unless nobody waits any more.
    pub(crate) fn check<T>(&self, check: impl FnOnce() -> T) -> Option<T> {
        self.step_from(WALKS, CHECKS).ok()?;
        let outcome = check();
        self.state.store(WALKS, Ordering::SeqCst);
        Some(outcome)
    }

    fn step_from(&self, from: usize, to: usize) -> Result<usize, usize> {
        let orders = (Ordering::SeqCst, Ordering::SeqCst);
        self.state.compare_exchange(from, to, orders.0, orders.1)
    }

    /// The walk is about to read what is in a lock of the old value, or is done with all of these. As with
    /// [`lend_alone`](Self::lend_alone), it looks afterwards whether it is cancelled.
    pub(crate) fn meets_locks(&self, any: bool) {
        let any = usize::from(any);
        if self.locks.load(Ordering::Relaxed) != any {
            self.locks.store(any, Ordering::SeqCst);
        }
    }

    /// A function of the user's gets an old value alone, or gives it back. That it gets it is said
    /// before the walk looks for the last time whether it is cancelled, and whoever cancels it asks
    /// afterwards.
    pub(crate) fn lend_alone(&self, is_lent: bool) {
        self.alone.store(usize::from(is_lent), Ordering::SeqCst);
    }

    /// Whether nobody else may read the old value: a function of the user's has it alone, or the walk is
    /// in its locks.
    pub(crate) fn is_alone(&self) -> bool {
        [&self.alone, &self.locks].map(|it| it.load(Ordering::SeqCst)) != [0, 0]
    }

    /// A call begins or ends on this thread of the walk.
    pub(crate) fn step(&self, thread: usize) {
        self.advance(thread, 1);
    }

    /// One call ends and another begins.
    pub(crate) fn next(&self, thread: usize) {
        self.advance(thread, 2);
    }

    fn advance(&self, thread: usize, by: usize) {
        let calls = &self.calls[thread].0;
        // One thread writes.
        let count = calls.load(Ordering::Relaxed);
        calls.store(count.wrapping_add(by), Ordering::Relaxed);
    }
}

/// Watches how long calls of the user's functions run.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The number of each thread's call, and since when it was seen.
    seen: [(usize, Instant); MOST_THREADS],
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            seen: [(0, Instant::now()); MOST_THREADS],
        }
    }

    /// How long the longest call has been seen to run.
    pub(crate) fn longest(&mut self, progress: &Progress) -> Duration {
        let now = Instant::now();
        let mut longest = Duration::ZERO;
        for (seen, calls) in self.seen.iter_mut().zip(&progress.calls) {
            let count = calls.0.load(Ordering::Relaxed);
            let runs = count % 2 == 1;
            if !runs || count != seen.0 {
                *seen = (count, now);
            }
            longest = longest.max(now.duration_since(seen.1));
        }
        longest
    }
}
