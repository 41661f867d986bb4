//! The cells of a server's type: states, and what waits to be handled or fetched.
//!
//! Each kind of message has a cell of its own, so that code of an older version goes on sending what
//! has not changed.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::live::Live;
use crate::server::Server;
use crate::server::after::States as After;
use crate::server::serve::Shim;

/// The states of all servers of one type, by number.
pub type States<S> = Mutex<HashMap<u64, Box<S>>>;

/// Messages of one kind, by number.
pub type Messages<M> = Mutex<HashMap<u64, M>>;

/// The first value of such a cell. A map without room would refer to a constant of the code that makes it, and keep
/// that in memory.
#[must_use]
pub fn nothing<T>() -> Mutex<HashMap<u64, T>> {
    Mutex::new(HashMap::with_capacity(1))
}

/// Where the values of a server's type are.
pub struct Cells<S: Server> {
    /// The states of those that run, but for a state that a handler has in its hands.
    pub states: &'static Live<States<S>>,
    /// What servers were started with. None if the type does not say what that is.
    pub args: Option<&'static Live<Messages<S::Args>>>,
    /// Makes the arguments where there is no cell for them.
    pub no_args: fn() -> Option<S::Args>,
    /// Calls that wait to be handled.
    pub calls: Option<&'static Live<Messages<S::Call>>>,
    /// Replies that wait to be fetched.
    pub replies: Option<&'static Live<Messages<S::Reply>>>,
    /// Makes the reply where there is no cell for it.
    pub no_reply: fn() -> Option<S::Reply>,
    /// Casts that wait to be handled.
    pub casts: Option<&'static Live<Messages<S::Cast>>>,
    /// Further messages that wait to be handled.
    pub infos: Option<&'static Live<Messages<S::Info>>>,
    /// The types that this one comes after.
    pub after: &'static [After],
    /// Takes a turn.
    pub serve: Shim,
}

impl<S: Server> fmt::Debug for Cells<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Cells").finish_non_exhaustive()
    }
}

/// Locks messages or states. A lock that is poisoned holds what it held: nothing of the user's runs
/// under it.
pub(crate) fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
