//! The transaction that gives cells values of a new layout: all of them, or none.
//!
//! Guards first, so that nobody refers to a value. Then every new value is assembled beside the old
//! one, on a thread of its own: a function of the user's that never returns must not take the
//! program along. Until [`Assembled::commit`] nothing of the old values is touched.

mod walker;
pub(crate) mod wanted;

use std::fmt::Write as _;
use std::num::NonZero;
use std::panic::Location;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::convert::{Conversions, Index};
use crate::hidden;
use crate::live::core::Hold;
use crate::live::handle::Handle;
use crate::live::lock::{Mode, NO_MARK, Patience, Who};
use crate::live::versions;
use crate::server::registry;
use crate::sync::{Mutex, lock};
use crate::work;
use walker::{New, Stopped, Walker};
use wanted::Wanted;

/// How long a swap that changes the types of [`Live`](crate::Live) cells waits for the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SwapLimits {
    /// For all guards of the cells together. Afterwards the swap is refused. Five seconds unless set.
    pub guards: Duration,
    /// For calls of entries that are under way, before guards are taken; calls that begin meanwhile
    /// wait. Afterwards the swap goes on: such a call can't use a cell any more whose type has
    /// changed. 50 milliseconds unless set.
    pub calls: Duration,
    /// For one call of a function that makes a value: a default, `with`, `back`, a `From`, a hash or
    /// comparison of a key. Afterwards the swap is refused, and the thread in which that function
    /// runs is left behind; as long as it runs, the cell can be read but not written. Ten seconds
    /// unless set.
    pub functions: Duration,
    /// For servers that a server [comes after](crate::Server::code_change), before its first turn in a new
    /// version. Afterwards it goes on without them, and a warning names them. Thirty seconds unless set.
    pub order: Duration,
    /// How many threads convert the elements of a large `Vec`, `VecDeque` or array, at most 16. As
    /// many as there are processors unless set. One thread does it, whatever is set, where a
    /// function of the program's (`with`, `back`, a `From`, a hash or comparison) or a counted
    /// reference has to do with the change.
    pub threads: Option<NonZero<usize>>,
}

impl SwapLimits {
    const DEFAULT: Self = Self {
        guards: Duration::from_secs(5),
        calls: Duration::from_millis(50),
        functions: Duration::from_secs(10),
        order: Duration::from_secs(30),
        threads: None,
    };
}

impl Default for SwapLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

static LIMITS: Mutex<SwapLimits> = Mutex::new(SwapLimits::DEFAULT);

/// Sets how long later swaps wait.
///
/// ```
/// use std::time::Duration;
///
/// let mut limits = hotswap::SwapLimits::default();
/// limits.guards = Duration::from_secs(1);
/// hotswap::set_swap_limits(limits);
/// ```
pub fn set_swap_limits(limits: SwapLimits) {
    *lock(&LIMITS) = limits;
}

/// The limits that are set.
pub(crate) fn limits() -> SwapLimits {
    *lock(&LIMITS)
}

/// A cell that gets another layout.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) path: String,
    pub(crate) handle: &'static Handle,
    pub(crate) conversion: Index,
}

/// What a swap does to cells.
#[derive(Debug)]
pub(crate) struct Transaction {
    conversions: Arc<Conversions>,
    /// In the order of their paths.
    changes: Vec<Change>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Aborted {
    /// A cell was in use.
    #[error("{0}")]
    Busy(String),
    /// A value could not be made.
    #[error("{0}")]
    Failed(String),
    /// A function that makes values has not returned: its code must stay, and its cell is read.
    #[error("{0}")]
    Stuck(String),
}

/// How long the first attempt holds guards while it waits for others.
const FIRST_ATTEMPT: Duration = Duration::from_millis(20);

/// How long any attempt does.
const LONGEST_ATTEMPT: Duration = Duration::from_millis(100);

/// How long threads that wait have at least before the next attempt.
const BREATH: Duration = Duration::from_millis(1);

impl Transaction {
    pub(crate) fn new(conversions: Conversions, mut changes: Vec<Change>) -> Self {
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        Self {
            conversions: Arc::new(conversions),
            changes,
        }
    }

    /// Whether it changes no cell.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Takes all guards, and assembles all new values. `turn` is called before the first guard of
    /// each attempt; what it gives is kept as long as guards are.
    pub(crate) fn assemble<G>(
        self,
        limits: SwapLimits,
        turn: impl Fn() -> G,
    ) -> Result<Assembled<G>, Aborted> {
        let walker = Walker::start(Arc::clone(&self.conversions), limits.threads)
            .map_err(|error| Aborted::Failed(format!("no thread for the migration: {error}")))?;
        let (turn, holds, began) = self.take_guards(limits.guards, turn)?;
        let values = holds
            .iter()
            .zip(&self.changes)
            .filter(|(hold, _)| !hold.value().is_null())
            .map(|(hold, change)| (change.path.clone(), change.conversion, hold.value()))
            .collect();
        walker.assemble(values);
        match walker.assembled(limits.functions) {
            Ok((walker, new)) => Ok(Assembled {
                holds,
                turn,
                began,
                walker,
                new,
            }),
            Err(Stopped::Failed(reason)) => Err(Aborted::Failed(reason)),
            Err(Stopped::Stuck { walker, cell }) => {
                let path = self.path_of_value(&holds, cell);
                let reason = format!(
                    "a function that makes the new value of `{path}` has not returned within {:?}: \
                     it is left behind, and the cell can be read but not written until it returns",
                    limits.functions
                );
                walker.abandon(self.hold_of_value(holds, cell));
                Err(Aborted::Stuck(reason))
            }
        }
    }

    /// The path of the cell that had the value with this number.
    fn path_of_value(&self, holds: &[Hold<'static>], cell: usize) -> &str {
        let with_value = holds.iter().zip(&self.changes);
        let mut with_value = with_value.filter(|(hold, _)| !hold.value().is_null());
        with_value.nth(cell).map_or("?", |(_, change)| &change.path)
    }

    fn hold_of_value(&self, holds: Vec<Hold<'static>>, cell: usize) -> Option<Hold<'static>> {
        let mut with_value = holds.into_iter().filter(|hold| !hold.value().is_null());
        with_value.nth(cell)
    }

    /// Takes the guards of all cells in order.
    ///
    /// Each attempt is short, and gives back what it has: a thread may hold one of the cells and
    /// wait for another one.
    fn take_guards<G>(
        &self,
        limit: Duration,
        turn: impl Fn() -> G,
    ) -> Result<(G, Vec<Hold<'static>>, Instant), Aborted> {
        let _wanted = Wanted::new(self.changes.iter().map(|change| change.handle));
        let end = Instant::now() + limit;
        let mut attempt = FIRST_ATTEMPT;
        loop {
            let began = Instant::now();
            let turn = turn();
            let until = end.min(Instant::now() + attempt);
            match self.try_guards(until) {
                Ok(holds) => return Ok((turn, holds, began)),
                Err(blocked) if Instant::now() >= end => {
                    return Err(Aborted::Busy(busy(&blocked.path, blocked.handle, limit)));
                }
                Err(_) => drop(turn),
            }
            // As long as the program waited, it runs.
            thread::sleep(began.elapsed().max(BREATH));
            attempt = LONGEST_ATTEMPT.min(attempt * 2);
        }
    }

    fn try_guards(&self, until: Instant) -> Result<Vec<Hold<'static>>, &Change> {
        let mut holds = Vec::with_capacity(self.changes.len());
        for change in &self.changes {
            let who = Who::me(Location::caller(), NO_MARK);
            let core = change.handle.core();
            match core.hold(Mode::Exclusive, who, Patience::Until(until)) {
                Some(hold) => holds.push(hold),
                None => return Err(change),
            }
        }
        Ok(holds)
    }
}

/// Says who holds a cell that was not to be had.
pub(crate) fn busy(path: &str, handle: &Handle, limit: Duration) -> String {
    let mut text = format!("`{path}` was in use for {limit:?}");
    let holders = handle.core().lock.holders();
    for (number, holder) in holders.iter().enumerate() {
        let who = &holder.who;
        let how = match holder.mode {
            Mode::Shared => "read",
            Mode::Exclusive => "written",
        };
        text.push_str(if number == 0 { ": " } else { "; " });
        let age = who.since.elapsed();
        // Writing to a `String` can't fail.
        let _ = if who.mark() == NO_MARK {
            write!(
                text,
                "{how} by a migration that was given up {age:.1?} ago, and runs still"
            )
        } else {
            let thread = who.thread.name().unwrap_or("without a name");
            let version = versions::version_of(who.mark())
                .map_or_else(String::new, |version| format!(", version {version}"));
            let location = who.location;
            // A server's own thread is called as the server is.
            let server = registry::running_on(who.thread.id()).map(|server| server.title());
            let server = server.filter(|server| server != thread);
            let server = server.map_or_else(String::new, |server| format!(", server {server},"));
            let task = work::name_of(who.task);
            let task = task.map_or_else(String::new, |task| format!(", task `{task}`,"));
            write!(
                text,
                "{how} at {location} by thread `{thread}`{server}{task} for {age:.1?}{version}"
            )
        };
    }
    hidden::wipe(holders);
    text
}

/// All new values, beside the old ones. Dropping it takes them apart again.
#[derive(Debug)]
pub(crate) struct Assembled<G> {
    /// One for each change.
    holds: Vec<Hold<'static>>,
    turn: G,
    began: Instant,
    walker: Walker,
    /// The new values, one for each cell that has a value, and what they took.
    new: New,
}

/// What a committed transaction did.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// From the first guard to the last.
    pub(crate) pause: Duration,
    /// How long it took to assemble the new values.
    pub(crate) assembling: Duration,
    /// Values that got a new layout.
    pub(crate) values: u64,
    /// What went wrong when it was too late.
    pub(crate) warnings: Vec<String>,
}

impl<G> Assembled<G> {
    /// Puts the new values in place. `flip` is called while all cells are held.
    pub(crate) fn commit(self, flip: impl FnOnce()) -> Done {
        let Self {
            mut holds,
            turn,
            began,
            walker,
            new,
        } = self;
        for hold in &holds {
            hold.forget_marks();
        }
        let with_value = holds.iter_mut().filter(|hold| !hold.value().is_null());
        for (hold, value) in with_value.zip(new.addresses) {
            hold.replace(value);
        }
        flip();
        drop(holds);
        drop(turn);
        let pause = began.elapsed();
        Done {
            pause,
            assembling: new.time,
            values: new.values,
            warnings: walker.release(limits().functions),
        }
    }
}
