//! A turn of a server, in the code of the version that takes it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::live::{Live, ReadGuard};
use crate::migrate::Migrate;
use crate::server::Server;
use crate::server::after::{Running, all_before};
use crate::server::cells::{Cells, Messages, States, open};
use crate::server::context::Context;
use crate::server::control::{Control, Envelope, Phase};
use crate::server::errors::Reason;
use crate::server::waiter::Waiter;
use crate::table;

/// The entry through which a server's turns go to the current version.
///
/// What it takes and gives is told by [`take_turn`] and [`tell`]: a function type in whose signature is what
/// holds functions of this type would have no finite description in debug information.
pub type Shim = fn();

/// What to do.
#[derive(Debug)]
pub(crate) enum Order {
    Start,
    Message,
    /// `code_change` is to run, if there is a new version.
    Upgrade,
    /// The state is to be shown, and nothing else.
    Show,
    Terminate(Reason),
    Clear(Vec<Envelope>),
}

/// What an order is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Start,
    Message,
    Show,
    Terminate,
    Clear,
}

impl Order {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Start => Kind::Start,
            Self::Message | Self::Upgrade => Kind::Message,
            Self::Show => Kind::Show,
            Self::Terminate(_) => Kind::Terminate,
            Self::Clear(_) => Kind::Clear,
        }
    }
}

/// One turn: from the loop to the server's code.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) control: Arc<Control>,
    pub(crate) order: Order,
    /// The version that took the turn before.
    pub(crate) from: u64,
    /// The version that was current when this was made.
    pub(crate) version: u64,
}

/// How to go on.
#[derive(Debug)]
pub(crate) struct Next {
    /// The entry in the version that took the turn, so that none before it is needed.
    pub(crate) shim: Shim,
    pub(crate) then: Then,
}

thread_local! {
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
    static SHIM: Cell<Shim> = const { Cell::new(no_turn) };
    static THEN: Cell<Option<Then>> = const { Cell::new(None) };
}

/// Stands where no turn has left its entry.
fn no_turn() {}

/// Has the turn taken through the entry. None if that is not the one of a server.
pub(crate) fn call(shim: Shim, turn: Turn) -> Option<Next> {
    let _running = Running::new(&turn.control);
    THEN.set(None);
    TURN.set(Some(turn));
    shim();
    // Whatever were left here would keep the version in memory as long as the server has nothing to do.
    let shim = SHIM.replace(no_turn);
    let then = THEN.take()?;
    Some(Next { shim, then })
}

// Not inlined into hot crates, whose images can't have thread-locals of the runtime.
#[inline(never)]
fn take_turn() -> Option<Turn> {
    TURN.take()
}

#[inline(never)]
fn tell(next: Next) {
    SHIM.set(next.shim);
    THEN.set(Some(next.then));
}

#[derive(Debug)]
pub(crate) enum Then {
    /// Nothing was done: a swap came in between.
    Again,
    Handled,
    Started,
    NotStarted(String),
    /// Nothing was done: other servers come first.
    After,
    /// Nothing but `code_change` was done.
    Upgraded,
    /// The state as text; none if there is no state.
    Shown(Option<Option<String>>),
    Stop(Reason),
    Terminated,
    Cleared,
}

/// What a turn can't be taken with now: a cell's value is of another version.
pub(crate) struct Stale;

/// Takes the turn that the loop has on this thread.
// Where a swap that waits too long says who holds a cell, it names the caller: the implementation.
#[track_caller]
pub fn serve<S: Server>(shim: Shim) {
    let Some(mut turn) = take_turn() else { return };
    // If no other version has come, this is the code of the one that the loop saw.
    let is_current = table::current_version() == turn.version;
    let taken = if is_current {
        take::<S>(&turn)
    } else {
        Err(Stale)
    };
    let then = taken.unwrap_or_else(|Stale| {
        if let Order::Clear(left) = &mut turn.order {
            let left = std::mem::take(left);
            turn.control.change(|inner| inner.queue.extend(left));
        }
        Then::Again
    });
    tell(Next { shim, then });
}

#[inline(always)]
#[track_caller]
fn get<T: Migrate>(cell: &'static Live<T>) -> Result<ReadGuard<'static, T>, Stale> {
    cell.wait().map_err(|_| Stale)
}

#[track_caller]
fn take<S: Server>(turn: &Turn) -> Result<Then, Stale> {
    let cells = S::__cells();
    // As long as these are held, no swap changes the types of state and reply.
    let _replies = match cells.replies {
        Some(replies) => Some(get(replies)?),
        None => None,
    };
    let states = get(cells.states)?;
    match &turn.order {
        Order::Start => start(turn, &cells, &states),
        Order::Message | Order::Upgrade => message(turn, &cells, &states),
        Order::Show => {
            let mut held = Held::take(&states, turn.control.id);
            let state = held.as_mut().and_then(Held::state);
            Ok(Then::Shown(state.map(|state| state.show())))
        }
        Order::Terminate(reason) => {
            let state = open(&states).remove(&turn.control.id);
            if let Some(mut state) = state {
                state.terminate(reason);
            }
            Ok(Then::Terminated)
        }
        Order::Clear(left) => {
            clear(turn, &cells, left)?;
            Ok(Then::Cleared)
        }
    }
}

fn start<S: Server>(turn: &Turn, cells: &Cells<S>, states: &States<S>) -> Result<Then, Stale> {
    let id = turn.control.id;
    let args = match cells.args {
        Some(args) => open(&*get(args)?).get(&id).cloned(),
        None => None,
    };
    let Some(args) = args.or_else(cells.no_args) else {
        let why = "it was started before its type had arguments";
        return Ok(Then::NotStarted(why.to_owned()));
    };
    let mut context = Context::new(&turn.control);
    Ok(match S::init(args, &mut context) {
        Ok(state) => {
            open(states).insert(id, Box::new(state));
            match context.into_end() {
                Some(reason) => Then::Stop(reason),
                None => Then::Started,
            }
        }
        Err(error) => Then::NotStarted(error.to_string()),
    })
}

/// A state that is taken out of its cell, and comes back when this is dropped.
pub(crate) struct Held<'a, S> {
    states: &'a States<S>,
    id: u64,
    /// There until this is dropped.
    state: Option<Box<S>>,
}

impl<'a, S> Held<'a, S> {
    pub(crate) fn take(states: &'a States<S>, id: u64) -> Option<Self> {
        let state = open(states).remove(&id);
        state.is_some().then_some(Self { states, id, state })
    }

    pub(crate) fn state(&mut self) -> Option<&mut S> {
        self.state.as_deref_mut()
    }
}

impl<S> Drop for Held<'_, S> {
    fn drop(&mut self) {
        if let Some(state) = self.state.take() {
            open(self.states).insert(self.id, state);
        }
    }
}

fn message<S: Server>(turn: &Turn, cells: &Cells<S>, states: &States<S>) -> Result<Then, Stale> {
    let control = &*turn.control;
    let mut held = Held::take(states, control.id);
    let Some(state) = held.as_mut().and_then(Held::state) else {
        let why = "its state is gone".to_owned();
        return Ok(Then::Stop(Reason::Failed(why)));
    };
    if turn.from != turn.version {
        if !all_before(control, cells.after, turn.version) {
            return Ok(Then::After);
        }
        state.code_change(turn.from, turn.version);
        // It is not called again if the message turns out to be of another version.
        control.change(|inner| inner.version = turn.version);
        control.release_followers();
    }
    if matches!(turn.order, Order::Upgrade) {
        return Ok(Then::Upgraded);
    }
    let Some(envelope) = control.change(|inner| match inner.phase {
        Phase::Running => inner.queue.pop_front(),
        _ => None,
    }) else {
        return Ok(Then::Handled);
    };
    let mut context = Context::new(control);
    if let Err(envelope) = handle(state, envelope, cells, &mut context) {
        control.change(|inner| inner.queue.push_front(envelope));
        return Err(Stale);
    }
    Ok(match context.into_end() {
        Some(reason) => Then::Stop(reason),
        None => Then::Handled,
    })
}

/// Hands a message to its handler; gives it back if it is of another version.
fn handle<S: Server>(
    state: &mut S,
    envelope: Envelope,
    cells: &Cells<S>,
    context: &mut Context<'_, S>,
) -> Result<(), Envelope> {
    match envelope {
        Envelope::Call { message, waiter } => {
            let Ok(call) = fetch(cells.calls, message) else {
                return Err(Envelope::Call { message, waiter });
            };
            let Some(call) = call else { return Ok(()) };
            let in_hand = Some(waiter.clone());
            context.control.change(|inner| inner.in_hand = in_hand);
            let reply = state.handle_call(call, context);
            answer(cells, message, reply, &waiter);
        }
        Envelope::Cast { message } => match fetch(cells.casts, message) {
            Ok(Some(cast)) => state.handle_cast(cast, context),
            Ok(None) => {}
            Err(Stale) => return Err(Envelope::Cast { message }),
        },
        Envelope::Info { message } => match fetch(cells.infos, message) {
            Ok(Some(info)) => state.handle_info(info, context),
            Ok(None) => {}
            Err(Stale) => return Err(Envelope::Info { message }),
        },
        Envelope::Down(down) => state.handle_down(down, context),
    }
    Ok(())
}

/// Lays a reply ready, unless nobody waits for it any more.
fn answer<S: Server>(cells: &Cells<S>, message: u64, reply: S::Reply, waiter: &Waiter) {
    let Some(replies) = cells.replies else {
        waiter.answer();
        return;
    };
    // The cell is held already, so its value is what this code expects.
    let Ok(replies) = get(replies) else { return };
    open(&replies).insert(message, reply);
    if !waiter.answer() {
        let late = open(&replies).remove(&message);
        drop(late);
    }
}

/// Takes a message out of its cell.
#[inline(always)]
pub(crate) fn fetch<M>(
    cell: Option<&'static Live<Messages<M>>>,
    message: u64,
) -> Result<Option<M>, Stale>
where
    Messages<M>: Migrate,
{
    match cell {
        Some(cell) => Ok(open(&*get(cell)?).remove(&message)),
        None => Ok(None),
    }
}

/// Drops what an ended server leaves: what it was started with, and what waited for it.
fn clear<S: Server>(turn: &Turn, cells: &Cells<S>, left: &[Envelope]) -> Result<(), Stale> {
    let args = fetch(cells.args, turn.control.id)?;
    drop(args);
    for envelope in left {
        match envelope {
            Envelope::Call { message, .. } => drop(fetch(cells.calls, *message)?),
            Envelope::Cast { message } => drop(fetch(cells.casts, *message)?),
            Envelope::Info { message } => drop(fetch(cells.infos, *message)?),
            Envelope::Down(_) => {}
        }
    }
    Ok(())
}
