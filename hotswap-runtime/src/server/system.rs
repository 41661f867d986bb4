//! Servers seen from outside: what runs, and the holding back of messages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::server::control::{Control, Phase};
use crate::server::errors::BusyError;
use crate::server::handle::Handle;
use crate::server::{AnyHandle, Server, registry};
use crate::table;

/// What a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activity {
    /// It is being started.
    Starting,
    /// It waits for messages.
    Idle,
    /// It handles a message, since then.
    Busy(Instant),
    /// Its messages are held back.
    Suspended,
    /// A new version has come, and servers that it comes after are not in it yet.
    Waiting,
    /// It is ending.
    Ending,
}

/// A server as it was at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStatus {
    /// Its number.
    pub number: u64,
    /// The name that it was started under.
    pub name: Option<String>,
    /// Its type.
    pub kind: String,
    /// What it does.
    pub activity: Activity,
    /// Messages that wait.
    pub waiting: usize,
    /// Messages that were handled.
    pub handled: u64,
    /// How often it was started again.
    pub restarts: u64,
    /// The version whose code ran last.
    pub version: u64,
}

/// All servers of the program, in the order in which they were started.
#[must_use]
pub fn servers() -> Vec<ServerStatus> {
    registry::all()
        .iter()
        .map(|control| status(control))
        .collect()
}

pub(crate) fn status(control: &Control) -> ServerStatus {
    let inner = control.lock();
    let activity = match (&inner.phase, inner.busy) {
        (Phase::Starting, _) => Activity::Starting,
        (Phase::Running, Some((_, since))) => Activity::Busy(since),
        (Phase::Running, None) if inner.waits_for_others > 0 => Activity::Waiting,
        (Phase::Running, None) if inner.suspended => Activity::Suspended,
        (Phase::Running, None) => Activity::Idle,
        _ => Activity::Ending,
    };
    ServerStatus {
        number: control.id,
        name: control.name.clone(),
        kind: control.kind.clone(),
        activity,
        waiting: inner.queue.len(),
        handled: inner.handled,
        restarts: inner.restarts,
        version: inner.version,
    }
}

/// Holds back the messages of all servers, at the same time, and waits for the handlers that run. A
/// server from whose handler this is called is left out. Those that are started from now on are suspended
/// after their `init`, until [`resume_all`].
///
/// # Errors
///
/// Some did not finish what they do in time. None is suspended then that was not before.
pub fn suspend_all(limit: Duration) -> Result<(), BusyError> {
    let (controls, was_closed) = registry::close();
    let suspended = suspend(controls, limit);
    if suspended.is_err() && !was_closed {
        let (born, _) = registry::open();
        for control in born.into_iter().filter_map(registry::find) {
            control.change(|inner| inner.suspended = false);
        }
    }
    suspended
}

/// Lets all servers go on.
pub fn resume_all() {
    let (_, all) = registry::open();
    for control in all {
        control.change(|inner| inner.suspended = false);
    }
}

/// Suspends all of these, or none.
pub(crate) fn suspend(mut controls: Vec<Arc<Control>>, limit: Duration) -> Result<(), BusyError> {
    controls.retain(|control| !control.is_mine());
    // Those that this call suspends.
    let mut mine = Vec::new();
    for control in &controls {
        if !control.change(|inner| std::mem::replace(&mut inner.suspended, true)) {
            mine.push(control);
        }
    }
    let until = Instant::now().checked_add(limit);
    let is_busy = |control: &&Arc<Control>| {
        let idle = control.wait_until(until, |inner| inner.busy.is_none());
        idle.is_none()
    };
    let busy: Vec<String> = controls
        .iter()
        .filter(is_busy)
        .map(|control| control.title())
        .collect();
    if busy.is_empty() {
        return Ok(());
    }
    for control in mine {
        control.change(|inner| inner.suspended = false);
    }
    Err(BusyError {
        limit,
        servers: busy,
    })
}

/// Servers whose handlers run in versions that are meant.
pub(crate) fn handling_in(meant: impl Fn(u64) -> bool) -> Vec<Arc<Control>> {
    let mut all = registry::all();
    all.retain(|control| control.handles_in(&meant));
    all
}

/// Has the handlers unwind that run in versions that are meant. Their servers are started again, if their
/// policy says so, on the current version.
pub(crate) fn end_handlers(meant: impl Fn(u64) -> bool) {
    for control in registry::all() {
        control.end_handler(&meant);
    }
    // So that the next call of an entry looks whether it is to end.
    table::renew();
}

impl<S: Server> Handle<S> {
    /// Holds back the server's messages, and waits for the handler that runs. They stay in its
    /// mailbox until [`resume`](Self::resume).
    ///
    /// # Errors
    ///
    /// The server did not finish what it does in time; it is not suspended then.
    pub fn suspend(&self, limit: Duration) -> Result<(), BusyError> {
        AnyHandle::from(*self).suspend(limit)
    }

    /// Lets the server go on.
    pub fn resume(&self) {
        AnyHandle::from(*self).resume();
    }

    /// What the server does; `None` if it has ended.
    #[must_use]
    pub fn status(&self) -> Option<ServerStatus> {
        AnyHandle::from(*self).status()
    }
}
