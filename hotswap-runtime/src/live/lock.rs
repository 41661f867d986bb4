//! The lock of a cell: many readers or one writer, each known by place, thread and time.
//!
//! It is a list behind a mutex. A swap that waits for a cell can so tell who holds it, and a thread
//! that reads already may read again though a writer waits.

use std::cell::Cell;
use std::panic::Location;
use std::time::{Duration, Instant};

use crate::hidden;
use crate::sync::{Condvar, Mutex, MutexGuard, Thread, current_thread, lock, wait};

/// The name of threads that make values for a swap.
pub(crate) const MIGRATION_THREAD: &str = "hotswap-migrate";

/// The mark of what is no code of any version: the runtime's own.
pub(crate) const NO_MARK: usize = 0;

/// Whether a thread makes values for a swap, which holds cells until it is done.
pub(crate) fn is_migration(thread: &Thread) -> bool {
    thread.name() == Some(MIGRATION_THREAD)
}

/// How a cell is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Together with others.
    Shared,
    /// Alone.
    Exclusive,
}

/// How long to wait for a cell.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// Not at all.
    None,
    /// Until then.
    Until(Instant),
    /// As long as it takes.
    Endless,
}

impl Patience {
    /// The time that is left; none if there is no end.
    fn left(self) -> Option<Duration> {
        match self {
            Self::None => Some(Duration::ZERO),
            Self::Until(end) => Some(end.saturating_duration_since(Instant::now())),
            Self::Endless => None,
        }
    }
}

thread_local! {
    /// The number of the task that this thread polls, 0 for none that has one.
    static TASK: Cell<u64> = const { Cell::new(0) };
}

/// Whose poll this is, until it is dropped.
#[cfg(not(loom))]
pub(crate) struct Polled {
    before: u64,
}

#[cfg(not(loom))]
impl Polled {
    /// What asks for cells from now on is the task with this number.
    pub(crate) fn by(task: u64) -> Self {
        Self {
            before: TASK.replace(task),
        }
    }
}

#[cfg(not(loom))]
impl Drop for Polled {
    fn drop(&mut self) {
        TASK.set(self.before);
    }
}

/// Who holds a cell, or wants to.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    /// Where the guard was asked for.
    pub(crate) location: &'static Location<'static>,
    /// The address that [`Who::mark`] gives, in a form that no address has.
    hidden_mark: usize,
    /// The thread that asked. The guard may have moved on since.
    pub(crate) thread: Thread,
    /// The number of the task that asked, if it has one.
    #[cfg_attr(loom, expect(dead_code, reason = "only what tells of it is not there"))]
    pub(crate) task: u64,
    /// When it was asked for, or given.
    pub(crate) since: Instant,
}

impl Who {
    /// The calling thread, now.
    pub(crate) fn me(location: &'static Location<'static>, mark: usize) -> Self {
        Self {
            location,
            hidden_mark: !mark,
            thread: current_thread(),
            task: TASK.get(),
            since: Instant::now(),
        }
    }

    /// An address in the file whose code asked.
    pub(crate) fn mark(&self) -> usize {
        !self.hidden_mark
    }
}

/// One that holds a cell.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    ticket: u64,
    pub(crate) mode: Mode,
    pub(crate) who: Who,
}

/// What a holder gives back. Losing it leaves the cell held.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct Ticket(u64);

/// The lock.
#[derive(Debug)]
pub(crate) struct Lock {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// By ticket: there may be as many as callers of servers that wait for replies.
    holders: Vec<Holder>,
    next: u64,
    /// Threads that wait, whatever for.
    sleepers: usize,
    /// Those of them that want to be alone. Readers let them pass.
    writers: usize,
}

impl State {
    /// Whether a swap holds the cell, and waits for this thread.
    fn is_held_for(&self, who: &Who) -> bool {
        let mut holders = self.holders.iter();
        is_migration(&who.thread) && holders.any(|held| held.who.mark() == NO_MARK)
    }

    /// Where the holder with this ticket is.
    fn place(&self, ticket: u64) -> Option<usize> {
        let found = self.holders.binary_search_by_key(&ticket, |it| it.ticket);
        found.ok()
    }

    fn admits(&self, mode: Mode, who: &Who) -> bool {
        match mode {
            Mode::Exclusive => self.holders.is_empty(),
            Mode::Shared => {
                // Who holds it alone is the only one.
                let first = self.holders.first();
                let alone = first.is_some_and(|held| held.mode == Mode::Exclusive);
                let again = |held: &Holder| held.who.thread.id() == who.thread.id();
                !alone && (self.writers == 0 || self.holders.iter().any(again))
            }
        }
    }
}

impl Lock {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                holders: Vec::new(),
                next: 0,
                sleepers: 0,
                writers: 0,
            }),
            changed: Condvar::new(),
        }
    }

    /// Waits until the cell can be held so, or patience ends.
    pub(crate) fn acquire(&self, mode: Mode, mut who: Who, patience: Patience) -> Option<Ticket> {
        let mut state = lock(&self.state);
        if !state.admits(mode, &who) {
            state = self.wait(state, mode, &who, patience)?;
            who.since = Instant::now();
        }
        let ticket = state.next;
        state.next += 1;
        hidden::push(&mut state.holders, Holder { ticket, mode, who });
        Some(Ticket(ticket))
    }

    fn wait<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        mode: Mode,
        who: &Who,
        patience: Patience,
    ) -> Option<MutexGuard<'a, State>> {
        if matches!(patience, Patience::None) || state.is_held_for(who) {
            return None;
        }
        let writer = usize::from(mode == Mode::Exclusive);
        state.sleepers += 1;
        state.writers += writer;
        let mut over = false;
        while !over && !state.admits(mode, who) {
            (state, over) = wait(&self.changed, state, patience.left());
        }
        state.sleepers -= 1;
        state.writers -= writer;
        if state.admits(mode, who) {
            return Some(state);
        }
        // Readers may have waited for this one.
        self.wake(&state);
        None
    }

    /// Gives the cell back.
    pub(crate) fn release(&self, Ticket(ticket): Ticket) {
        let mut state = lock(&self.state);
        if let Some(place) = state.place(ticket) {
            state.holders.remove(place);
            hidden::wipe_behind(&mut state.holders, 1);
        }
        if state.holders.is_empty() {
            self.wake(&state);
        }
    }

    /// Lets readers in beside the one that held the cell alone.
    pub(crate) fn share(&self, Ticket(ticket): &Ticket) {
        let mut state = lock(&self.state);
        if let Some(place) = state.place(*ticket) {
            state.holders[place].mode = Mode::Shared;
        }
        self.wake(&state);
    }

    /// All that hold the cell now.
    pub(crate) fn holders(&self) -> Vec<Holder> {
        lock(&self.state).holders.clone()
    }

    /// Whether one of them is so.
    #[cfg(not(loom))]
    pub(crate) fn any_holder(&self, is_so: impl FnMut(&Holder) -> bool) -> bool {
        lock(&self.state).holders.iter().any(is_so)
    }

    fn wake(&self, state: &State) {
        if state.sleepers > 0 {
            self.changed.notify_all();
        }
    }
}
