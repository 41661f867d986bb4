//! Threads with a name, counted to the version whose code began them.

use std::cell::RefCell;
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use crate::live::core::Mark;
use crate::server::after;
use crate::server::waiter::Waiter;
use crate::work::{Ended, Listed, Work, WorkKind};

thread_local! {
    static WORK: RefCell<Option<Arc<Work>>> = const { RefCell::new(None) };
}

/// Starts a thread that [`work`](crate::work()) lists, and that can be told to end.
///
/// It runs the code of the version that starts it until it calls an entry or a server. If it is told to
/// end, it unwinds at its next [`checkpoint`], where it calls a tracked entry, or where it waits for a server's
/// reply; its result is an error with [`Ended`] in it then. A function that foreign code calls back must not be
/// unwound: it should not call entries on such a thread. Where panics abort, nothing happens.
///
/// # Errors
///
/// The system has no thread.
///
/// # Examples
///
/// ```
/// let adder = hotswap::thread::spawn("adder", || 1 + 1)?;
/// assert_eq!(adder.join().unwrap(), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[inline(always)]
pub fn spawn<T: Send + 'static>(
    name: impl Into<String>,
    function: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    start(name.into(), Mark::here(), function)
}

fn start<T: Send + 'static>(
    name: String,
    mark: &'static Mark,
    function: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let listed = Listed::new(name.clone(), WorkKind::Thread, mark);
    Builder::new().name(name).spawn(move || {
        WORK.set(Some(Arc::clone(&listed.0)));
        function()
    })
}

/// Unwinds, if this thread was told to end, or the handler of a [server](crate::server) that it runs. Nothing is
/// printed, and no panic hook is called.
///
/// On other threads than those of [`spawn`] and of servers it does nothing, nor while a panic unwinds.
pub fn checkpoint() {
    let can_unwind = cfg!(panic = "unwind") && !std::thread::panicking();
    if can_unwind && is_ending() {
        resume_unwind(Box::new(Ended));
    }
}

/// Whether this thread was told to end, or the handler that it runs.
pub(crate) fn is_ending() -> bool {
    current().is_some_and(|work| work.is_ending()) || after::is_handler_ending()
}

fn current() -> Option<Arc<Work>> {
    // Without thread-locals the thread is dying.
    WORK.try_with(|work| work.borrow().clone()).ok().flatten()
}

/// A call that this thread waits for, until this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting(Option<Arc<Work>>);

/// Notes that this thread waits for a call. If it was told to end before, [`checkpoint`] says so.
pub(crate) fn waits_for(waiter: &Arc<Waiter>) -> Waiting {
    let work = current();
    if let Some(work) = &work {
        work.waits_for(Some(Arc::clone(waiter)));
    }
    Waiting(work)
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(work) = &self.0 {
            work.waits_for(None);
        }
    }
}
