//! Handles: how everybody else talks to a server.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::live::Live;
use crate::migrate::Migrate;
use crate::migrate::schema::Schema;
use crate::server::cells::{Messages, open};
use crate::server::context::watch;
use crate::server::control::{Control, Envelope, Phase, Watcher};
use crate::server::errors::{CallError, Reason, SendError, StateError};
use crate::server::pending::Pending;
use crate::server::serve::Held;
use crate::server::waiter::Waiter;
use crate::server::{Down, Server, registry};
use crate::transaction::wanted::give_way;

/// How long [`Handle::call`] waits.
const CALL: Duration = Duration::from_secs(5);

/// A server: copy it, keep it, send it. It stays good across swaps, whatever they change, and across
/// restarts of the server.
pub struct Handle<S> {
    id: u64,
    server: Hidden<S>,
}

/// Names a type without leading to it: a static that holds a handle does not keep the server's type
/// from changing. `hotswap-layout` knows this name.
struct Hidden<S>(PhantomData<fn() -> S>);

impl<S> Handle<S> {
    pub(crate) const fn of(id: u64) -> Self {
        Self {
            id,
            server: Hidden(PhantomData),
        }
    }

    /// A number that no other server of this process has.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.id
    }
}

impl<S: Server> Handle<S> {
    /// Asks the server, and waits at most five seconds for its reply.
    ///
    /// # Errors
    ///
    /// As [`call_within`](Self::call_within).
    #[track_caller]
    #[inline]
    pub fn call(&self, call: S::Call) -> Result<S::Reply, CallError> {
        self.call_within(CALL, call)
    }

    /// Asks the server, and waits for its reply as long as that.
    ///
    /// # Errors
    ///
    /// It has ended, or ends before it replies; it does not reply in time, then a late reply is
    /// dropped; it is the server that calls; or the message or reply has another type now than
    /// the code that calls was compiled for.
    #[track_caller]
    pub fn call_within(&self, limit: Duration, call: S::Call) -> Result<S::Reply, CallError> {
        self.ask(call)?.wait(limit)
    }

    /// Asks the server. What this gives is a future of the reply, without a limit of time, and can be
    /// waited for in a thread. If it is dropped, so is the reply.
    ///
    /// # Errors
    ///
    /// As [`call_within`](Self::call_within), but for what comes later.
    #[track_caller]
    pub fn ask(&self, call: S::Call) -> Result<Pending<S>, CallError> {
        let control = registry::find(self.id).ok_or(CallError::Gone)?;
        if control.is_mine() {
            return Err(CallError::Itself);
        }
        let waiter = Arc::new(Waiter::new());
        let theirs = Arc::clone(&waiter);
        let cells = S::__cells();
        // A call whose reply could not be understood is not made.
        let replies = match cells.replies {
            Some(cell) => {
                give_way(cell.handle());
                Some(cell.wait().map_err(CallError::Stale)?)
            }
            None => None,
        };
        let message = put(&control, cells.calls, call, |message| Envelope::Call {
            message,
            waiter: theirs,
        })?;
        Ok(Pending::new(waiter, message, replies))
    }

    /// Sends the server a message, and waits for nothing.
    ///
    /// # Errors
    ///
    /// It has ended, or the message has another type now than the code that sends was compiled for.
    pub fn cast(&self, cast: S::Cast) -> Result<(), SendError> {
        let control = registry::find(self.id).ok_or(SendError::Gone)?;
        put(&control, S::__cells().casts, cast, |message| {
            Envelope::Cast { message }
        })?;
        Ok(())
    }

    /// Sends the server a message of its other kind, and waits for nothing.
    ///
    /// # Errors
    ///
    /// As [`cast`](Self::cast).
    pub fn info(&self, info: S::Info) -> Result<(), SendError> {
        let control = registry::find(self.id).ok_or(SendError::Gone)?;
        put(&control, S::__cells().infos, info, |message| {
            Envelope::Info { message }
        })?;
        Ok(())
    }

    /// Ends the server after the handler that runs, and waits for that. Messages that wait are
    /// dropped. From its own handlers it returns at once.
    ///
    /// # Errors
    ///
    /// It has not ended within that time; it will when the handler returns.
    pub fn stop(&self, limit: Duration) -> Result<(), StateError> {
        let Some(control) = registry::find(self.id) else {
            return Ok(());
        };
        control.change(|inner| inner.end(Reason::Stopped));
        if control.is_mine() {
            return Ok(());
        }
        let until = Instant::now().checked_add(limit);
        let ended = control.wait_until(until, |inner| matches!(inner.phase, Phase::Ended(_)));
        ended.map(drop).ok_or(StateError::Busy(limit))
    }

    /// Whether the server runs, or is about to.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let control = registry::find(self.id);
        control.is_some_and(|control| {
            !matches!(control.lock().phase, Phase::Clearing(_) | Phase::Ended(_))
        })
    }

    /// Tells when the server ends, each time if it is started again.
    #[must_use]
    pub fn monitor(&self) -> Receiver<Down> {
        let (sender, receiver) = channel();
        watch(self.id, Watcher::Channel(sender));
        receiver
    }

    /// Uses the state between two messages, or while the server is suspended: to look at it, or to
    /// replace it. It waits for the handler that runs, and the server waits for the function.
    ///
    /// # Errors
    ///
    /// The server has ended or has no state, does not finish what it does in time, or is the one
    /// that asks; or the state has another type now than the code that asks was compiled for.
    #[track_caller]
    pub fn with_state<R>(
        &self,
        limit: Duration,
        function: impl FnOnce(&mut S) -> R,
    ) -> Result<R, StateError> {
        let control = registry::find(self.id).ok_or(StateError::Gone)?;
        if control.is_mine() {
            return Err(StateError::Itself);
        }
        let _occupied = control.occupy(limit).ok_or(StateError::Busy(limit))?;
        let states = S::__cells().states.wait().map_err(StateError::Stale)?;
        let mut held = Held::take(&states, self.id).ok_or(StateError::Starting)?;
        held.state().map(function).ok_or(StateError::Starting)
    }

    /// Puts another state in the place of the one that is there, which is given back, between two
    /// messages or while the server is suspended.
    ///
    /// # Errors
    ///
    /// As [`with_state`](Self::with_state).
    #[track_caller]
    pub fn replace_state(&self, limit: Duration, state: S) -> Result<S, StateError> {
        self.with_state(limit, |old| std::mem::replace(old, state))
    }

    /// The state as text, as its `Debug` shows it.
    ///
    /// # Errors
    ///
    /// As [`with_state`](Self::with_state).
    pub fn state(&self, limit: Duration) -> Result<String, StateError>
    where
        S: fmt::Debug,
    {
        self.with_state(limit, |state| format!("{state:?}"))
    }
}

/// Puts a message into its cell, and its number into the mailbox.
#[inline(always)]
fn put<M>(
    control: &Control,
    cell: Option<&'static Live<Messages<M>>>,
    message: M,
    envelope: impl FnOnce(u64) -> Envelope,
) -> Result<u64, SendError>
where
    Messages<M>: Migrate,
{
    // Without a cell the type has no value, and nobody comes here.
    let cell = cell.ok_or(SendError::Gone)?;
    let messages = cell.wait().map_err(SendError::Stale)?;
    let number = registry::next_number();
    open(&messages).insert(number, message);
    if control.push(envelope(number)) {
        return Ok(number);
    }
    let unsent = open(&messages).remove(&number);
    drop(unsent);
    Err(SendError::Gone)
}

/// All servers of this type, in the order in which they were started.
#[must_use]
pub fn handles<S: Server>() -> Vec<Handle<S>> {
    let cell = std::ptr::from_ref(S::__cells().states).addr();
    let all = registry::all();
    let mine = all.iter().filter(|control| control.cell == cell);
    mine.map(|control| Handle::of(control.id)).collect()
}

/// The server of this name, if it is of this type.
#[must_use]
pub fn whereis<S: Server>(name: &str) -> Option<Handle<S>> {
    let control = registry::named(name)?;
    let cell = std::ptr::from_ref(S::__cells().states).addr();
    (control.cell == cell).then(|| Handle::of(control.id))
}

impl<S> Clone for Handle<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Handle<S> {}

impl<S> Clone for Hidden<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Hidden<S> {}

impl<S> PartialEq for Handle<S> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<S> Eq for Handle<S> {}

impl<S> Hash for Handle<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl<S> fmt::Debug for Handle<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = self.server;
        formatter.debug_tuple("Handle").field(&self.id).finish()
    }
}

impl<S> Migrate for Handle<S> {
    fn schema() -> &'static Schema {
        const { &Schema::opaque::<Self>() }
    }
}
