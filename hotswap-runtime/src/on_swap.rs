//! Callbacks that run after each swap.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::sync::{Mutex, MutexGuard, lock};

/// A swap that has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swap {
    /// The number of the version that was current before.
    pub from: u64,
    /// The number of the version that is current now.
    pub to: u64,
}

type Callback = dyn Fn(Swap) + Send + Sync;

static CALLBACKS: Mutex<Callbacks> = Mutex::new(Callbacks {
    next_id: 0,
    all: Vec::new(),
});

struct Callbacks {
    next_id: u64,
    all: Vec<(u64, Arc<Callback>)>,
}

impl Callbacks {
    fn lock() -> MutexGuard<'static, Self> {
        lock(&CALLBACKS)
    }
}

/// A registered callback. Dropping this changes nothing; [`cancel`](Self::cancel) ends it.
#[derive(Debug)]
pub struct OnSwap {
    id: u64,
}

impl OnSwap {
    /// Takes the callback back. One that is running at this moment in another thread runs to its
    /// end.
    pub fn cancel(self) {
        let mut callbacks = Callbacks::lock();
        let position = callbacks.all.iter().position(|(id, _)| *id == self.id);
        let callback = position.map(|position| callbacks.all.remove(position));
        // What the closure owns is dropped by its own code, which may come back here.
        drop(callbacks);
        drop(callback);
    }
}

/// Runs `callback` after each swap, when all entries run the new version.
///
/// Callbacks run one after another, in the order of registration, on the runtime's own thread, and
/// the next swap waits for them: hand longer work to another thread. The closure itself is code of
/// the version that registered it; what should be new in it belongs into an
/// [`entry`](macro@crate::entry) that it calls. A function that is marked
/// [`after_swap`](macro@crate::after_swap) needs no registration, and is always the newest. A panic in it is caught and reported by the tool.
///
/// Without `cargo hotswap` it never runs.
///
/// # Examples
///
/// ```
/// hotswap::on_swap(|swap| println!("version {} took over from {}", swap.to, swap.from));
/// ```
pub fn on_swap(callback: impl Fn(Swap) + Send + Sync + 'static) -> OnSwap {
    let callback: Arc<Callback> = Arc::new(callback);
    let mut callbacks = Callbacks::lock();
    let id = callbacks.next_id;
    callbacks.next_id += 1;
    callbacks.all.push((id, callback));
    OnSwap { id }
}

thread_local! {
    static RUNNING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread runs callbacks, or functions that are marked to run at swaps.
pub(crate) fn is_running() -> bool {
    RUNNING.try_with(Cell::get).unwrap_or(false)
}

/// From now on this thread runs code of the program's in the middle of a swap, or of a purge.
pub(crate) fn begins_to_run() {
    RUNNING.set(true);
}

/// Runs all callbacks. Gives the panics' messages.
pub(crate) fn run(swap: Swap) -> Vec<String> {
    RUNNING.set(true);
    let failures = run_all(swap);
    RUNNING.set(false);
    failures
}

fn run_all(swap: Swap) -> Vec<String> {
    let callbacks: Vec<Arc<Callback>> = Callbacks::lock()
        .all
        .iter()
        .map(|(_, callback)| Arc::clone(callback))
        .collect();
    let mut failures = Vec::new();
    for callback in callbacks {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| callback(swap))) {
            failures.push(panic_message(panic));
        }
    }
    failures
}

/// The text of a panic's payload. A payload whose own drop panics is leaked.
pub(crate) fn panic_message(panic: Box<dyn Any + Send>) -> String {
    let text = if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    };
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(second);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The only test that runs callbacks: they are the process's.
    #[test]
    fn callbacks_run_in_order_until_cancelled_and_panics_are_caught() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let note = |mark: &'static str| {
            let seen = Arc::clone(&seen);
            on_swap(move |swap| seen.lock().unwrap().push((mark, swap.to)))
        };
        let first = note("first");
        on_swap(|_| panic!("no {}", "luck"));
        note("second");
        on_swap(|_| {
            // Registering from within must not block; it is heard from the next swap on.
            on_swap(|_| ()).cancel();
            assert_eq!(crate::revert(), Err(crate::RevertError::Busy));
        });
        assert_eq!(run(Swap { from: 0, to: 1 }), ["no luck"]);
        first.cancel();
        assert_eq!(run(Swap { from: 1, to: 2 }), ["no luck"]);
        assert_eq!(
            *seen.lock().unwrap(),
            [("first", 1), ("second", 1), ("second", 2)]
        );
    }

    #[test]
    fn panic_messages() {
        let message = |payload: Box<dyn Any + Send>| panic_message(payload);
        assert_eq!(message(Box::new("text")), "text");
        assert_eq!(message(Box::new(String::from("owned"))), "owned");
        assert_eq!(message(Box::new(5)), "a panic without a message");
    }
}
