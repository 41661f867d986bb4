//! A call whose reply is still to come.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::server::cells::open;
use crate::server::control::Envelope;
use crate::server::errors::CallError;
use crate::server::waiter::Waiter;
use crate::server::{Server, registry};
use crate::thread;

/// A call under way: wait for its reply, as a future or in a thread.
#[must_use = "dropping it drops the reply"]
pub struct Pending<S: Server> {
    waiter: Arc<Waiter>,
    asked: u64,
    message: u64,
    /// The reply was fetched, or there is none.
    over: bool,
    server: PhantomData<fn() -> S>,
}

impl<S: Server> Pending<S> {
    /// A call of the server with the number `asked`.
    pub(crate) fn new(waiter: Arc<Waiter>, asked: u64, message: u64) -> Self {
        Self {
            waiter,
            asked,
            message,
            over: false,
            server: PhantomData,
        }
    }

    /// Waits for the reply as long as that. A thread of [`thread::spawn`](crate::thread::spawn) that is told to
    /// end meanwhile unwinds.
    ///
    /// # Errors
    ///
    /// As [`Handle::call_within`](crate::server::Handle::call_within).
    pub fn wait(mut self, limit: Duration) -> Result<S::Reply, CallError> {
        // An end that no clock can tell never comes.
        let until = Instant::now().checked_add(limit);
        let waiting = thread::waits_for(&self.waiter);
        let settled = self.waiter.wait(until);
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
        let cells = S::__cells();
        let Some(replies) = cells.replies else {
            return (cells.no_reply)().ok_or(CallError::Gone);
        };
        let replies = replies.wait().map_err(|reason| {
            let message = self.message;
            if let Some(control) = registry::find(self.asked) {
                control.push(Envelope::Forget { message });
            }
            CallError::Stale(reason)
        })?;
        let reply = open(&replies).remove(&self.message);
        reply.ok_or(CallError::Gone)
    }
}

impl<S: Server> Future for Pending<S> {
    type Output = Result<S::Reply, CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.waiter.poll(context.waker()) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(self.fetch()),
            Poll::Ready(Err(error)) => {
                self.over = true;
                Poll::Ready(Err(error))
            }
        }
    }
}

impl<S: Server> Drop for Pending<S> {
    fn drop(&mut self) {
        if !self.over && self.waiter.give_up() {
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
