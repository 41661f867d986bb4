//! The loop of a server: one turn after the other, each through the current version.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use crate::inflight::{self, unused};
use crate::on_panic;
use crate::on_swap::panic_message;
use crate::server::Down;
use crate::server::control::{Control, Envelope, Phase, Watcher};
use crate::server::errors::{CallError, Reason};
use crate::server::policy::Verdict;
use crate::server::registry;
use crate::server::serve::{Kind, Order, Shim, Then, Turn, call};
use crate::table::{self, CURRENT};
use crate::work::Ended;

/// How many turns a task takes before it lets others run.
const TURNS: usize = 32;

/// How a turn went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Went {
    On,
    NothingToDo,
    Ended,
}

/// Runs a server on this thread until it ends.
pub(crate) fn run(control: &Arc<Control>) {
    loop {
        match turn(control) {
            Went::On => {}
            Went::Ended => return,
            Went::NothingToDo => {
                let is_to_clear = || inflight::has_cleared(&CURRENT) == Some(false);
                if is_to_clear() && inflight::note_cleared(&CURRENT) {
                    unused::clear();
                }
                drop(control.wait_until(None, |inner| inner.is_ready() || is_to_clear()));
            }
        }
    }
}

/// The loop of a server as a future: hand it to a runtime for tasks, such as `tokio::spawn`.
///
/// If it is dropped before the server has ended, the server ends.
#[derive(Debug)]
#[must_use = "a server runs only while its loop is polled"]
pub struct ServerLoop {
    control: Arc<Control>,
    ended: bool,
}

impl ServerLoop {
    pub(crate) fn new(control: Arc<Control>) -> Self {
        Self {
            control,
            ended: false,
        }
    }
}

impl Future for ServerLoop {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS {
            match turn(&self.control) {
                Went::On => {}
                Went::Ended => {
                    self.ended = true;
                    return Poll::Ready(());
                }
                Went::NothingToDo => {
                    let mut inner = self.control.lock();
                    if !inner.is_ready() {
                        inner.waker = Some(context.waker().clone());
                        return Poll::Pending;
                    }
                }
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for ServerLoop {
    fn drop(&mut self) {
        if !self.ended {
            let control = &self.control;
            control.change(|inner| inner.end(Reason::Abandoned));
            run(control);
        }
    }
}

fn turn(control: &Arc<Control>) -> Went {
    let version = table::current_version();
    let Some((order, shim, turn_of)) = begin(control, version) else {
        return Went::NothingToDo;
    };
    let Some(order) = order else {
        return Went::Ended;
    };
    let kind = order.kind();
    let turn = Turn {
        control: Arc::clone(control),
        order,
        from: turn_of,
        version,
    };
    // What a handler leaves behind when it panics is the affair of `terminate`.
    let next = catch_unwind(AssertUnwindSafe(|| call(shim, turn)));
    let then = match next {
        Ok(Some(next)) => {
            control.change(|inner| {
                inner.shim = next.shim;
                if !matches!(next.then, Then::Again | Then::After) {
                    inner.version = version;
                }
            });
            next.then
        }
        Ok(None) => Then::Again,
        Err(panic) if panic.is::<Ended>() && matches!(kind, Kind::Message) => {
            Then::Stop(Reason::Killed)
        }
        Err(panic) => panicked(control, kind, version, panic_message(panic)),
    };
    finish(control, then)
}

/// What a panic in this turn means.
///
/// If it sends the program back, it is the edit that failed, not the server: that goes on where the old
/// code is current again, with the state as the panic left it.
fn panicked(control: &Control, kind: Kind, version: u64, message: String) -> Then {
    match kind {
        Kind::Message if on_panic::is_leaving(version) => {
            control.fail_in_hand(CallError::Panicked(message));
            // It takes some milliseconds.
            while table::current_version() == version && on_panic::is_leaving(version) {
                thread::sleep(Duration::from_millis(1));
            }
            Then::Handled
        }
        Kind::Start => Then::NotStarted(message),
        Kind::Message => Then::Stop(Reason::Panicked(message)),
        // The loop orders no such turn.
        Kind::Show => Then::Again,
        Kind::Terminate => Then::Terminated,
        Kind::Clear => Then::Cleared,
    }
}

/// Claims the next turn, if there is something to do, which is to be taken in this version. Without an order the
/// server has ended.
fn begin(control: &Control, version: u64) -> Option<(Option<Order>, Shim, u64)> {
    let mut inner = control.lock();
    if !inner.is_ready() {
        return None;
    }
    let is_to_upgrade = inner.phase == Phase::Running && std::mem::take(&mut inner.is_to_upgrade);
    let order = match &inner.phase {
        Phase::Starting => Order::Start,
        Phase::Running if is_to_upgrade => Order::Upgrade,
        Phase::Running => Order::Message,
        Phase::Ending(reason) => Order::Terminate(reason.clone()),
        Phase::Clearing(_) => Order::Clear(inner.queue.drain(..).collect()),
        Phase::Ended(_) => return Some((None, inner.shim, inner.version)),
    };
    inner.busy = Some((thread::current().id(), Instant::now()));
    inner.turn_in = version;
    inner.is_handler_ending = false;
    Some((Some(order), inner.shim, inner.version))
}

/// Goes on as a turn says.
fn finish(control: &Arc<Control>, then: Then) -> Went {
    let mut went = Went::On;
    let mut fail = None;
    match then {
        Then::Again | Then::Shown(_) => thread::yield_now(),
        Then::After | Then::Upgraded => {}
        Then::Handled => control.change(|inner| inner.handled += 1),
        Then::Started => control.change(|inner| {
            // It may have been told to stop meanwhile.
            if inner.phase == Phase::Starting {
                inner.phase = Phase::Running;
            }
        }),
        Then::NotStarted(why) => {
            let reason = Reason::NotStarted(why);
            let again = control.lock().restarts > 0;
            after_end(control, reason, again);
        }
        Then::Stop(reason) => {
            fail = Some(reason.clone());
            control.change(|inner| inner.end(reason));
        }
        Then::Terminated => {
            let phase = control.lock().phase.clone();
            if let Phase::Ending(reason) = phase {
                after_end(control, reason, true);
            }
        }
        Then::Cleared => {
            registry::remove(control);
            control.change(|inner| {
                if let Phase::Clearing(reason) = &inner.phase {
                    inner.phase = Phase::Ended(reason.clone());
                }
            });
            went = Went::Ended;
        }
    }
    if let Some(reason) = fail {
        control.fail_in_hand(CallError::Ended(reason));
    }
    let is_running = control.change(|inner| {
        inner.busy = None;
        inner.in_hand = None;
        inner.waits_for_reply = None;
        inner.is_handler_ending = false;
        inner.phase == Phase::Running
    });
    if !is_running {
        control.release_followers();
    }
    went
}

/// A server has no state any more: it is started again, or ends. Tells who watches it.
fn after_end(control: &Arc<Control>, reason: Reason, may_start_again: bool) {
    let (again, reason, watchers) = control.change(|inner| {
        // That it was told to stop counts for more than how it ended.
        let reason = match &inner.phase {
            Phase::Ending(Reason::Stopped) => Reason::Stopped,
            _ => reason,
        };
        let verdict = if may_start_again {
            inner.policy.judge(&reason, Instant::now())
        } else {
            Verdict::End
        };
        let again = verdict == Verdict::StartAgain;
        if again {
            inner.restarts += 1;
            inner.phase = Phase::Starting;
        } else {
            inner.phase = Phase::Clearing(reason.clone());
            for envelope in &inner.queue {
                if let Envelope::Call { waiter, .. } = envelope {
                    waiter.fail(CallError::Ended(reason.clone()));
                }
            }
        }
        (again, reason, std::mem::take(&mut inner.watchers))
    });
    let down = Down {
        server: control.id,
        name: control.name.clone(),
        reason,
        restarts: again,
    };
    let mut kept = Vec::new();
    for watcher in watchers {
        let reached = match &watcher {
            Watcher::Server(id) => registry::find(*id)
                .is_some_and(|control| control.push(Envelope::Down(down.clone()))),
            Watcher::Channel(sender) => sender.send(down.clone()).is_ok(),
        };
        if reached && again {
            kept.push(watcher);
        }
    }
    if again {
        control.change(|inner| inner.watchers.append(&mut kept));
    }
}
