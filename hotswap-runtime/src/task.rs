//! Tasks with a name, counted to the version whose code began them.

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::live::core::Mark;
use crate::live::lock::Polled;
use crate::work::{Ended, Listed, WorkKind};

/// A future that [`work`](crate::work()) lists, and that can be told to end.
///
/// The inner future is dropped then, and the result is [`Ended`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Named<F> {
    // None once it is over.
    work: Option<(Pin<Box<F>>, Listed)>,
}

/// Gives a future a name, for the runtime for tasks that is to run it.
///
/// It runs the code of the version that makes it until it calls an entry or a server.
///
/// # Examples
///
/// ```
/// let adder = hotswap::task::named("adder", async { 1 + 1 });
/// // `tokio::spawn(adder)`, or whatever runs futures.
/// assert_eq!(hotswap::work().iter().filter(|work| work.name == "adder").count(), 1);
/// drop(adder);
/// ```
#[inline(always)]
pub fn named<F: Future>(name: impl Into<String>, future: F) -> Named<F> {
    let listed = Listed::new(name.into(), WorkKind::Task, Mark::here());
    Named {
        work: Some((Box::pin(future), listed)),
    }
}

/// Starts a task with a name: gives the [named](named()) future to what runs futures, and returns what that returns.
///
/// # Examples
///
/// With tokio that is
///
/// ```
/// # mod tokio { pub fn spawn<F>(task: F) -> F { task } }
/// # async fn serve() {}
/// let task = hotswap::task::spawn("server", serve(), tokio::spawn);
/// # assert!(hotswap::work().iter().any(|work| work.name == "server"));
/// # drop(task);
/// ```
#[inline(always)]
pub fn spawn<F: Future, T>(
    name: impl Into<String>,
    future: F,
    start: impl FnOnce(Named<F>) -> T,
) -> T {
    start(named(name, future))
}

impl<F: Future> Future for Named<F> {
    type Output = Result<F::Output, Ended>;

    /// # Panics
    ///
    /// It is over.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (future, listed) = self
            .work
            .as_mut()
            .expect("a future that is over is not polled");
        let _polled = Polled::by(listed.0.number);
        let polled = if listed.0.is_ending_or_wakes(context.waker()) {
            Poll::Ready(Err(Ended))
        } else {
            future.as_mut().poll(context).map(Ok)
        };
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}
