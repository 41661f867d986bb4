//! A call whose reply is still to come.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::live::ReadGuard;
use crate::server::Server;
use crate::server::after::waits_for_reply;
use crate::server::cells::{Messages, open};
use crate::server::errors::CallError;
use crate::server::waiter::Waiter;
use crate::thread;

/// Where the reply will lie.
pub(crate) type Replies<S> = ReadGuard<'static, Messages<<S as Server>::Reply>>;

/// A call under way: wait for its reply, as a future or in a thread.
///
/// A swap that changes the type of the reply waits until this is over.
#[must_use = "dropping it drops the reply"]
pub struct Pending<S: Server> {
    waiter: Arc<Waiter>,
    message: u64,
    /// Held until the reply is fetched, so that it has the type that the caller knows.
    replies: Option<Replies<S>>,
    /// The reply was fetched, or there is none.
    over: bool,
}

impl<S: Server> Pending<S> {
    /// A call whose reply will lie in the cell that is held.
    pub(crate) fn new(waiter: Arc<Waiter>, message: u64, replies: Option<Replies<S>>) -> Self {
        Self {
            waiter,
            replies,
            message,
            over: false,
        }
    }

    /// Waits for the reply as long as that. A thread of [`thread::spawn`](crate::thread::spawn) that is told to
    /// end meanwhile unwinds, and so does a server's handler.
    ///
    /// # Errors
    ///
    /// As [`Handle::call_within`](crate::server::Handle::call_within).
    pub fn wait(mut self, limit: Duration) -> Result<S::Reply, CallError> {
        // An end that no clock can tell never comes.
        let until = Instant::now().checked_add(limit);
        let waiting = thread::waits_for(&self.waiter);
        waits_for_reply(Some(&self.waiter));
        // Whoever was told to end before this has nobody who ends the call.
        thread::checkpoint();
        let settled = self.waiter.wait(until);
        waits_for_reply(None);
        drop(waiting);
        thread::checkpoint();
        match settled {
            Some(Ok(())) => self.fetch(),
            Some(Err(error)) => {
                self.over = true;
                Err(error)
            }
            // It may come in this instant.
            None if self.waiter.give_up() => self.fetch(),
            None => {
                self.over = true;
                Err(CallError::Timeout(limit))
            }
        }
    }

    /// Takes the reply that lies ready.
    fn fetch(&mut self) -> Result<S::Reply, CallError> {
        self.over = true;
        let reply = match self.replies.take() {
            Some(replies) => open(&replies).remove(&self.message),
            None => (S::__cells().no_reply)(),
        };
        reply.ok_or(CallError::Gone)
    }
}

impl<S: Server> Future for Pending<S> {
    type Output = Result<S::Reply, CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.waiter.poll(context.waker()) {
            Poll::Pending => {
                waits_for_reply(Some(&self.waiter));
                Poll::Pending
            }
            Poll::Ready(settled) => {
                waits_for_reply(None);
                self.over = true;
                Poll::Ready(settled.and_then(|()| self.fetch()))
            }
        }
    }
}

impl<S: Server> Drop for Pending<S> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        waits_for_reply(None);
        if self.waiter.give_up() {
            drop(self.fetch());
        }
    }
}

impl<S: Server> fmt::Debug for Pending<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Pending");
        shown.field("message", &self.message);
        shown.finish_non_exhaustive()
    }
}
