//! The gate before entries: while it is closed, counted calls wait before a version is chosen for
//! them.
//!
//! A swap that changes the types of cells closes it for a short while, so that calls under way come
//! to their end with the cells that they know. A thread that has a call under way or a guard
//! passes, since others wait for it; so does one that makes values for the swap. Untracked calls never
//! wait.

use std::thread;
use std::time::{Duration, Instant};

use crate::inflight::record::{Record, in_flight};
use crate::live::lock::is_migration;
use crate::live::versions;
use crate::sync::{Condvar, Mutex, current_thread, lock, wait};
use crate::table;
use crate::table::switch::AtGate;

static CLOSED: Mutex<bool> = Mutex::new(false);
static OPENED: Condvar = Condvar::new();

/// How often one looks whether calls have ended.
const LOOK: Duration = Duration::from_micros(200);

/// The closed gate. Dropping it opens it.
#[derive(Debug)]
pub(crate) struct Gate(());

impl Gate {
    /// Closes the gate. There is one transaction at a time.
    pub(crate) fn close() -> Self {
        *lock(&CLOSED) = true;
        table::close();
        Self(())
    }

    /// Waits until no counted call is under way, or patience ends.
    pub(crate) fn drain(&self, patience: Duration) {
        let end = Instant::now() + patience;
        while table::calls_under_way() > 0 && Instant::now() < end {
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        table::open();
        *lock(&CLOSED) = false;
        OPENED.notify_all();
    }
}

/// Lets a call pass if its thread has others under way, as its record tells, or a guard. Any other
/// one waits.
pub(crate) fn arrive(record: &Record) -> AtGate {
    // What it counts is written by this thread.
    let calls = in_flight(&[record], &table::counters_of_threads());
    if calls.iter().any(|calls| *calls > 0) {
        AtGate::Passes
    } else {
        arrive_unknown()
    }
}

/// As [`arrive`], for a thread without a record of its own.
pub(crate) fn arrive_unknown() -> AtGate {
    let thread = current_thread();
    if versions::are_held_by(thread.id()) || is_migration(&thread) {
        return AtGate::Passes;
    }
    let mut closed = lock(&CLOSED);
    while *closed {
        (closed, _) = wait(&OPENED, closed, None);
    }
    AtGate::Waited
}

#[cfg(test)]
mod tests;
