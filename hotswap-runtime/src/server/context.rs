//! What a handler can know of its server, and do with it.

use std::fmt;
use std::marker::PhantomData;

use crate::server::control::{Control, Watcher};
use crate::server::errors::Reason;
use crate::server::handle::Handle;
use crate::server::{Down, Server, registry};

/// The server that a handler runs for.
pub struct Context<'a, S> {
    pub(crate) control: &'a Control,
    end: Option<Reason>,
    server: PhantomData<fn() -> S>,
}

impl<'a, S: Server> Context<'a, S> {
    pub(crate) fn new(control: &'a Control) -> Self {
        Self {
            control,
            end: None,
            server: PhantomData,
        }
    }

    /// The server itself.
    #[must_use]
    pub fn handle(&self) -> Handle<S> {
        Handle::of(self.control.id)
    }

    /// The name that it was started under.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.control.name.as_deref()
    }

    /// Ends the server after this handler, as one that has done its work.
    pub fn finish(&mut self) {
        self.end = Some(Reason::Finished);
    }

    /// Ends the server after this handler, as one that has failed: its policy may start it again.
    pub fn fail(&mut self, why: impl Into<String>) {
        self.end = Some(Reason::Failed(why.into()));
    }

    /// Has [`Server::handle_down`] called when `other` ends, each time if it is started again. At
    /// once if it has ended already.
    pub fn monitor<T: Server>(&mut self, other: Handle<T>) {
        watch(other.number(), Watcher::Server(self.control.id));
    }

    pub(crate) fn into_end(self) -> Option<Reason> {
        self.end
    }
}

/// Tells a watcher when the server with this number ends, or now.
pub(crate) fn watch(id: u64, watcher: Watcher) {
    let watcher = match registry::find(id) {
        Some(control) => control.change(|inner| {
            use crate::server::control::Phase;
            if matches!(inner.phase, Phase::Clearing(_) | Phase::Ended(_)) {
                return Some(watcher);
            }
            inner.watchers.push(watcher);
            None
        }),
        None => Some(watcher),
    };
    let Some(watcher) = watcher else { return };
    let down = Down {
        server: id,
        name: None,
        reason: Reason::Stopped,
        restarts: false,
    };
    match watcher {
        Watcher::Server(id) => {
            if let Some(control) = registry::find(id) {
                control.push(crate::server::control::Envelope::Down(down));
            }
        }
        Watcher::Channel(sender) => drop(sender.send(down)),
    }
}

impl<S: Server> fmt::Debug for Context<'_, S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Context");
        shown.field("server", &self.control.title());
        shown.finish_non_exhaustive()
    }
}
