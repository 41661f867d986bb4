//! What the runtime knows of one server: its mailbox, and what it is doing.
//!
//! Messages lie in cells, since their types may change; a mailbox holds their numbers. Nothing here
//! depends on the server's types, so it is the same for code of all versions.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::task::Waker;
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use crate::server::Down;
use crate::server::errors::{CallError, Reason};
use crate::server::policy::Policy;
use crate::server::serve::Shim;
use crate::server::waiter::Waiter;
use crate::sync::{Condvar, Mutex, MutexGuard, lock, wait};

/// One message in a mailbox.
#[derive(Debug)]
pub(crate) enum Envelope {
    Call { message: u64, waiter: Arc<Waiter> },
    Cast { message: u64 },
    Info { message: u64 },
    Down(Down),
}

/// Where a server is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// `init` is to be called.
    Starting,
    Running,
    /// `terminate` is to be called.
    Ending(Reason),
    /// What waits in the mailbox is to be dropped.
    Clearing(Reason),
    Ended(Reason),
}

/// Who is told of a server's end.
#[derive(Debug)]
pub(crate) enum Watcher {
    Server(u64),
    Channel(Sender<Down>),
}

/// What changes while a server lives.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) queue: VecDeque<Envelope>,
    pub(crate) phase: Phase,
    pub(crate) suspended: bool,
    /// It is to run `code_change` without waiting for a message.
    pub(crate) is_to_upgrade: bool,
    /// How many servers it comes after that have not had a turn in the new version.
    pub(crate) waits_for_others: usize,
    /// A version in which it waits for none: it has waited long enough.
    pub(crate) is_first_in: u64,
    /// Servers that come after this one and wait for its turn, each once for each time that it does.
    pub(crate) followers: Vec<u64>,
    /// The call of another server for whose reply its handler waits.
    pub(crate) waits_for_reply: Option<Arc<Waiter>>,
    /// The version whose code takes the turn that is under way.
    pub(crate) turn_in: u64,
    /// The handler that runs is to unwind.
    pub(crate) is_handler_ending: bool,
    /// Who uses the state: the loop, or one that looks at it.
    pub(crate) busy: Option<(ThreadId, Instant)>,
    /// The call that is handled now.
    pub(crate) in_hand: Option<Arc<Waiter>>,
    pub(crate) shim: Shim,
    /// The version whose code ran last.
    pub(crate) version: u64,
    pub(crate) handled: u64,
    pub(crate) restarts: u64,
    pub(crate) policy: Policy,
    pub(crate) watchers: Vec<Watcher>,
    pub(crate) waker: Option<Waker>,
}

impl Inner {
    /// Has the server end, unless it does already.
    pub(crate) fn end(&mut self, reason: Reason) {
        if matches!(self.phase, Phase::Starting | Phase::Running) {
            self.phase = Phase::Ending(reason);
        }
    }

    fn handles_in(&self, meant: impl Fn(u64) -> bool) -> bool {
        self.busy.is_some() && self.phase == Phase::Running && meant(self.turn_in)
    }

    /// Whether the loop has something to do.
    pub(crate) fn is_ready(&self) -> bool {
        if self.busy.is_some() {
            return false;
        }
        match self.phase {
            Phase::Running if self.waits_for_others > 0 => false,
            Phase::Running => self.is_to_upgrade || !self.suspended && !self.queue.is_empty(),
            _ => true,
        }
    }
}

/// A server.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) id: u64,
    pub(crate) name: Option<String>,
    /// The server's type, for people.
    pub(crate) kind: String,
    /// The address of the cell with the states: two versions of a type have the same.
    pub(crate) cell: usize,
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Control {
    pub(crate) fn new(
        id: u64,
        name: Option<String>,
        (kind, cell): (String, usize),
        shim: Shim,
        policy: Policy,
    ) -> Self {
        let inner = Inner {
            queue: VecDeque::new(),
            phase: Phase::Starting,
            suspended: false,
            is_to_upgrade: false,
            waits_for_others: 0,
            is_first_in: 0,
            followers: Vec::new(),
            waits_for_reply: None,
            turn_in: 0,
            is_handler_ending: false,
            busy: None,
            in_hand: None,
            shim,
            version: crate::table::current_version(),
            handled: 0,
            restarts: 0,
            policy,
            watchers: Vec::new(),
            waker: None,
        };
        Self {
            id,
            name,
            kind,
            cell,
            inner: Mutex::new(inner),
            changed: Condvar::new(),
        }
    }

    /// Its type and its name or number, for people.
    pub(crate) fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("{} `{name}`", self.kind),
            None => format!("{} {}", self.kind, self.id),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Changes something, and tells all that wait for that.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Inner) -> R) -> R {
        let mut inner = self.lock();
        let result = change(&mut inner);
        let waker = if inner.is_ready() {
            inner.waker.take()
        } else {
            None
        };
        drop(inner);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    /// Puts a message last; false if the server has ended.
    pub(crate) fn push(&self, envelope: Envelope) -> bool {
        self.change(|inner| {
            let open = !matches!(inner.phase, Phase::Clearing(_) | Phase::Ended(_));
            if open {
                inner.queue.push_back(envelope);
            }
            open
        })
    }

    /// Waits until the condition holds, or the time is over: then gives `None`.
    pub(crate) fn wait_until(
        &self,
        until: Option<Instant>,
        holds: impl Fn(&Inner) -> bool,
    ) -> Option<MutexGuard<'_, Inner>> {
        let mut inner = self.lock();
        while !holds(&inner) {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            (inner, _) = wait(&self.changed, inner, left);
        }
        Some(inner)
    }

    /// Whether this thread runs the server at the moment.
    pub(crate) fn is_mine(&self) -> bool {
        let me = std::thread::current().id();
        self.lock().busy.is_some_and(|(thread, _)| thread == me)
    }

    /// Whether a handler runs in a version that is meant.
    pub(crate) fn handles_in(&self, meant: impl Fn(u64) -> bool) -> bool {
        self.lock().handles_in(meant)
    }

    /// Has the handler unwind that runs in a version that is meant, if one does, where it next calls an entry or
    /// waits for a reply.
    pub(crate) fn end_handler(&self, meant: impl Fn(u64) -> bool) {
        let waiter = self.change(|inner| {
            inner.is_handler_ending |= inner.handles_in(meant);
            let waiter = &mut inner.waits_for_reply;
            waiter.take_if(|_| inner.is_handler_ending)
        });
        if let Some(waiter) = waiter {
            waiter.interrupt();
        }
    }

    /// Keeps the loop from running until what this gives is dropped.
    pub(crate) fn occupy(&self, limit: Duration) -> Option<Occupied<'_>> {
        let until = Instant::now().checked_add(limit);
        let mut inner = self.wait_until(until, |inner| inner.busy.is_none())?;
        inner.busy = Some((std::thread::current().id(), Instant::now()));
        Some(Occupied(self))
    }

    /// Tells the one whose call is in hand that there will be no reply.
    pub(crate) fn fail_in_hand(&self, error: CallError) {
        let waiter = self.lock().in_hand.take();
        if let Some(waiter) = waiter {
            waiter.fail(error);
        }
    }
}

/// A server whose loop does not run.
#[derive(Debug)]
pub(crate) struct Occupied<'a>(&'a Control);

impl Drop for Occupied<'_> {
    fn drop(&mut self) {
        self.0.change(|inner| inner.busy = None);
    }
}
