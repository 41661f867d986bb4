//! Every atomic, lock and fence of the runtime, so that loom can take their place.

#[cfg(all(
    not(loom),
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64"
))]
pub(crate) use std::sync::atomic::AtomicU64;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(loom))]
pub(crate) use std::thread::{Thread, current as current_thread};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};
#[cfg(loom)]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(loom)]
pub(crate) use loom::thread::{Thread, current as current_thread};

// The path is written since the loom tests include this file by its path.
#[cfg(not(loom))]
#[path = "sync/membarrier.rs"]
mod membarrier;

/// Locks `mutex`, also when a thread panicked while it held it: what the runtime's locks protect
/// is valid between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Waits until another thread has notified `condition`, or `time` is over if it is given, and tells
/// whether it is. It may return for no reason.
pub(crate) fn wait<'a, T>(
    condition: &Condvar,
    guard: MutexGuard<'a, T>,
    time: Option<std::time::Duration>,
) -> (MutexGuard<'a, T>, bool) {
    let into_inner = std::sync::PoisonError::into_inner;
    match time {
        None => {
            let guard = condition.wait(guard);
            (guard.unwrap_or_else(into_inner), false)
        }
        Some(time) => {
            let waited = condition.wait_timeout(guard, time);
            let (guard, outcome) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
            (guard, outcome.timed_out())
        }
    }
}

/// Whether the light side of the fence has to be a full fence.
///
/// It must be asked before a table is filled, and the answer stands in the table's stamp: a thread
/// that reads a table without it is fenced by [`heavy_fence`].
#[cfg(not(loom))]
pub(crate) fn light_must_be_full() -> bool {
    !membarrier::is_registered()
}

/// Has the kernel make ready for [`heavy_fence`], which takes it tens of milliseconds once a process has
/// several threads, and next to nothing before.
#[cfg(all(
    not(loom),
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64"
))]
pub(crate) fn prepare_fences() {
    membarrier::is_registered();
}

/// Under loom every light fence is full.
#[cfg(loom)]
pub(crate) fn light_must_be_full() -> bool {
    true
}

/// The side of the fence that calls pay for: a compiler fence, or a full one where `full`.
#[inline(always)]
pub(crate) fn light_fence(full: bool) {
    if full {
        fence(Ordering::SeqCst);
    } else {
        #[cfg(not(loom))]
        std::sync::atomic::compiler_fence(Ordering::SeqCst);
    }
}

/// The side of the fence that a swap pays for: afterwards every other thread has either made its
/// stores before its last light fence visible, or sees, after its next one, what was stored before
/// this call.
pub(crate) fn heavy_fence() {
    fence(Ordering::SeqCst);
    #[cfg(not(loom))]
    membarrier::issue();
}
