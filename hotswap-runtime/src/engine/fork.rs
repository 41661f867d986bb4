//! A forked child inherits memory and descriptors, but not the runtime's threads.
//!
//! So a fork waits while one of them holds locks that would stay locked in the child; and in the
//! child the socket and all connections are closed at once, so that it neither answers for its
//! parent nor keeps the tool waiting for the end of a connection. The child goes on with the version
//! it was forked in.

use std::os::fd::AsRawFd;
use std::thread;

use crate::engine::listen;
use crate::sync::{AtomicU32, Ordering};

/// The place of the listening socket, of the pipe for reports, and one for each connection.
const PLACES: usize = 18;

/// No descriptor. It is the standard input's number, which none of these has.
const NONE: u32 = 0;

/// Descriptors that a forked child closes, [`NONE`] in free places.
static DESCRIPTORS: [AtomicU32; PLACES] = [const { AtomicU32::new(NONE) }; PLACES];

/// 1 while a step or a fork is under way.
static UNDER_WAY: AtomicU32 = AtomicU32::new(0);

/// Has the system call the functions below at every fork.
pub(crate) fn watch() {
    // SAFETY: all are functions of this executable, which is never unloaded, with the type asked
    // for; they do nothing but atomic accesses, yielding and closing.
    unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
}

/// Runs a step that takes locks, with no fork in the middle. It must be short, must not fork, and
/// must not be within another one.
pub(crate) fn undivided<T>(step: impl FnOnce() -> T) -> T {
    let _turn = Turn::take();
    step()
}

/// The right to run such a step, for those that are no function's: no fork comes while it lives.
#[derive(Debug)]
pub(crate) struct Turn;

impl Turn {
    /// Waits for forks and other steps.
    pub(crate) fn take() -> Self {
        while UNDER_WAY
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            thread::yield_now();
        }
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        UNDER_WAY.store(0, Ordering::Release);
    }
}

extern "C" fn before() {
    std::mem::forget(Turn::take());
}

extern "C" fn in_parent() {
    drop(Turn);
}

/// Only async-signal-safe calls are allowed here.
extern "C" fn in_child() {
    drop(Turn);
    listen::stop_in_child();
    for place in &DESCRIPTORS {
        let descriptor = place.swap(NONE, Ordering::AcqRel);
        if descriptor != NONE {
            // SAFETY: a descriptor stands in the list only while it is open and ours; the threads
            // that own it do not exist in the child.
            unsafe { libc::close(descriptor.cast_signed()) };
        }
    }
}

/// A descriptor's place in the list of those that children close.
#[derive(Debug)]
pub(crate) struct Place {
    index: usize,
}

impl Place {
    /// Notes the descriptor; none if there are as many as there may be.
    pub(crate) fn take(descriptor: &impl AsRawFd) -> Option<Self> {
        let number = descriptor.as_raw_fd().cast_unsigned();
        let index = DESCRIPTORS.iter().position(|place| {
            place
                .compare_exchange(NONE, number, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        })?;
        Some(Self { index })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        DESCRIPTORS[self.index].store(NONE, Ordering::Release);
    }
}
