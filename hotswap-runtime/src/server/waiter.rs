//! Somebody who waits for a reply, on a thread or as a future.

use std::task::{Poll, Waker};
use std::time::Instant;

use crate::server::errors::CallError;
use crate::sync::{Condvar, Mutex, lock, wait};

/// How a call stands.
#[derive(Debug)]
enum State {
    Waiting(Option<Waker>),
    /// The reply lies ready.
    Answered,
    Failed(CallError),
    /// Nobody waits any more.
    GivenUp,
}

/// One call, as both sides know it.
#[derive(Debug)]
pub(crate) struct Waiter {
    state: Mutex<State>,
    changed: Condvar,
}

impl Waiter {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State::Waiting(None)),
            changed: Condvar::new(),
        }
    }

    /// Says that the reply lies ready; false if nobody waits for it any more.
    pub(crate) fn answer(&self) -> bool {
        self.settle(State::Answered)
    }

    /// Says that there will be no reply.
    pub(crate) fn fail(&self, error: CallError) {
        self.settle(State::Failed(error));
    }

    fn settle(&self, settled: State) -> bool {
        let mut state = lock(&self.state);
        let State::Waiting(waker) = &mut *state else {
            return false;
        };
        let waker = waker.take();
        *state = settled;
        drop(state);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Has the caller wait no longer.
    pub(crate) fn interrupt(&self) {
        self.fail(CallError::Gone);
    }

    /// Waits for the call to be settled, no longer than until then: `None` if it is not.
    pub(crate) fn wait(&self, until: Option<Instant>) -> Option<Result<(), CallError>> {
        let mut state = lock(&self.state);
        loop {
            if let Some(settled) = settled(&state) {
                return Some(settled);
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            (state, _) = wait(&self.changed, state, left);
        }
    }

    /// Whether the call is settled; if not, the waker is called when it is.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<Result<(), CallError>> {
        let mut state = lock(&self.state);
        if let Some(settled) = settled(&state) {
            return Poll::Ready(settled);
        }
        *state = State::Waiting(Some(waker.clone()));
        Poll::Pending
    }

    /// Waits no longer; true if a reply lies ready, which is now the caller's.
    pub(crate) fn give_up(&self) -> bool {
        let before = std::mem::replace(&mut *lock(&self.state), State::GivenUp);
        matches!(before, State::Answered)
    }
}

fn settled(state: &State) -> Option<Result<(), CallError>> {
    match state {
        State::Waiting(_) => None,
        State::Answered => Some(Ok(())),
        State::Failed(error) => Some(Err(error.clone())),
        State::GivenUp => Some(Err(CallError::Gone)),
    }
}
