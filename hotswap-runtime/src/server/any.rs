//! Servers of any type: what can be done with one without knowing what it is.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::on_swap::panic_message;
use crate::server::control::{Control, Phase};
use crate::server::errors::{BusyError, StateError};
use crate::server::handle::Handle;
use crate::server::serve::{Next, Order, Then, Turn, call};
use crate::server::{ServerStatus, registry, system};
use crate::table;

/// A server whose type need not be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AnyHandle {
    id: u64,
}

/// The server that has this name or, if none has, this number.
///
/// ```
/// assert!(hotswap::server::find("nobody").is_none());
/// ```
#[must_use]
pub fn find(name_or_number: &str) -> Option<AnyHandle> {
    let by_number = || registry::find(name_or_number.parse().ok()?);
    let control = registry::named(name_or_number).or_else(by_number)?;
    Some(AnyHandle { id: control.id })
}

impl<S> From<Handle<S>> for AnyHandle {
    fn from(handle: Handle<S>) -> Self {
        Self {
            id: handle.number(),
        }
    }
}

impl AnyHandle {
    /// A number that no other server of this process has.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.id
    }

    /// As [`Handle::suspend`].
    ///
    /// # Errors
    ///
    /// The server did not finish what it does in time; it is not suspended then.
    pub fn suspend(&self, limit: Duration) -> Result<(), BusyError> {
        system::suspend(registry::find(self.id).into_iter().collect(), limit)
    }

    /// Lets the server go on.
    pub fn resume(&self) {
        if let Some(control) = registry::find(self.id) {
            control.change(|inner| inner.suspended = false);
        }
    }

    /// What the server does; `None` if it has ended.
    #[must_use]
    pub fn status(&self) -> Option<ServerStatus> {
        registry::find(self.id).map(|control| system::status(&control))
    }

    /// The state as [`Server::show`](crate::Server::show) of the current version shows it, between two
    /// messages. The server waits for it.
    ///
    /// # Errors
    ///
    /// The server has ended or has no state, does not finish what it does in time, or is the one that
    /// asks; or its type has no text, or making it panicked.
    pub fn state(&self, limit: Duration) -> Result<String, StateError> {
        let control = registry::find(self.id).ok_or(StateError::Gone)?;
        if control.is_mine() {
            return Err(StateError::Itself);
        }
        let until = Instant::now().checked_add(limit);
        let _occupied = control.occupy(limit).ok_or(StateError::Busy(limit))?;
        loop {
            match show(&control) {
                Some(shown) => return shown,
                // A swap came in between.
                None if until.is_none_or(|until| Instant::now() < until) => thread::yield_now(),
                None => return Err(StateError::Busy(limit)),
            }
        }
    }
}

/// The state's text, by the code of the version that is current; none if there is another one by now.
fn show(control: &Arc<Control>) -> Option<Result<String, StateError>> {
    let inner = control.lock();
    match inner.phase {
        Phase::Starting => return Some(Err(StateError::Starting)),
        Phase::Clearing(_) | Phase::Ended(_) => return Some(Err(StateError::Gone)),
        Phase::Running | Phase::Ending(_) => {}
    }
    let (shim, from) = (inner.shim, inner.version);
    drop(inner);
    let turn = Turn {
        control: Arc::clone(control),
        order: Order::Show,
        from,
        version: table::current_version(),
    };
    // The state comes back whatever happens, and what it is is not changed by showing it.
    let next = catch_unwind(AssertUnwindSafe(|| call(shim, turn)));
    match next {
        Ok(Some(Next {
            then: Then::Shown(shown),
            ..
        })) => Some(match shown {
            Some(Some(text)) => Ok(text),
            Some(None) => Err(StateError::Hidden(control.kind.clone())),
            None => Err(StateError::Starting),
        }),
        Ok(_) => None,
        Err(panic) => Some(Err(StateError::Panicked(panic_message(panic)))),
    }
}
