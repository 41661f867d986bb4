//! What a walk over values carries along: the graph, what is shared, and the user's functions.

use std::cell::Cell;
use std::collections::HashMap;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::convert::failure::Failure;
use crate::convert::progress::Progress;
use crate::convert::shared::SharedValues;
use crate::convert::{Conversions, Dropped, Index};
use crate::migrate::maps::Entry;
use crate::migrate::schema::Schema;
use crate::on_swap::panic_message;

/// The stack of a thread that walks over values, in bytes. Only what is used takes memory.
pub(crate) const STACK_BYTES: usize = 256 << 20;

/// How much of it values that are nested through boxes and containers may take. Assembling takes
/// more for a level than taking apart does, and the user's functions need some too.
const DEEPEST_BYTES: usize = STACK_BYTES / 4 * 3;

/// What a walk over values carries along.
pub(crate) struct Context<'a> {
    pub(crate) conversions: &'a Arc<Conversions>,
    pub(crate) shared: SharedValues,
    /// Values that got a new layout, elements included.
    pub(crate) values: u64,
    /// How many levels deep the walk is, and where the stack was at the first one.
    depth: usize,
    stack: usize,
    /// Parts of old values that will be dropped, and may have counted references inside.
    pub(crate) dropped: Vec<(*const u8, &'static Schema)>,
    /// What containers of the user's have listed, by their addresses and conversions, since one may be
    /// at the beginning of another: to list it again, when it is too
    /// late for a panic to stop anything, could lose it.
    pub(crate) listed: HashMap<(usize, Index), Vec<Entry>>,
    /// How many counted references lead to the value that is looked at.
    pub(crate) behind_shared: usize,
    /// How many of them are not the only ones to their values, so that somebody else may have another.
    pub(crate) behind_others: usize,
    pub(crate) progress: &'a Progress,
    /// The number of this thread among those of the walk.
    thread: usize,
    /// How many threads may convert elements in a row; as many as there are processors if none.
    pub(crate) threads: Option<NonZero<usize>>,
    /// Whether this converts a part of such elements.
    pub(crate) is_part: bool,
    /// Panics of destructors: they are too late to stop anything.
    pub(crate) late: Vec<String>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        conversions: &'a Arc<Conversions>,
        progress: &'a Progress,
        threads: Option<NonZero<usize>>,
    ) -> Self {
        Self {
            conversions,
            shared: SharedValues::default(),
            values: 0,
            depth: 0,
            stack: 0,
            dropped: Vec::new(),
            listed: HashMap::new(),
            behind_shared: 0,
            behind_others: 0,
            progress,
            thread: 0,
            threads,
            is_part: false,
            late: Vec::new(),
        }
    }

    /// What a thread carries along that converts a part of elements in a row.
    pub(crate) fn of_part(
        conversions: &'a Arc<Conversions>,
        progress: &'a Progress,
        thread: usize,
    ) -> Self {
        Self {
            thread,
            is_part: true,
            ..Self::new(conversions, progress, None)
        }
    }

    pub(crate) fn type_name(&self, index: Index) -> &'static str {
        (self.conversions.get(index).new.name)()
    }

    /// Runs a function of the user's. Its panic is a failure, and so is that nobody waits any more.
    #[inline]
    pub(crate) fn call<T>(
        &mut self,
        type_name: fn() -> &'static str,
        function: impl FnOnce() -> T,
    ) -> Result<T, Box<Failure>> {
        if self.progress.is_cancelled() {
            return Err(Failure::new(type_name(), "took too long"));
        }
        self.progress.step(self.thread);
        let outcome = catch_unwind(AssertUnwindSafe(function));
        self.progress.step(self.thread);
        match outcome {
            Ok(value) => Ok(value),
            Err(panic) => Err(Failure::new(
                type_name(),
                format!("panicked: {}", panic_message(panic)),
            )),
        }
    }

    /// Runs a function of the user's so many times, given a number each time, until one call fails.
    /// Tells which.
    pub(crate) fn call_each(
        &mut self,
        type_name: fn() -> &'static str,
        count: usize,
        function: impl Fn(usize) -> Result<(), String>,
    ) -> Result<(), (usize, Box<Failure>)> {
        let at = Cell::new(0);
        let (progress, thread) = (self.progress, self.thread);
        let outcome = self.call(type_name, || {
            for number in 0..count {
                at.set(number);
                function(number)?;
                progress.next(thread);
            }
            Ok(())
        });
        let outcome = outcome.and_then(|outcome: Result<(), String>| {
            outcome.map_err(|reason| Failure::new(type_name(), reason))
        });
        outcome.map_err(|failure| (at.get(), failure))
    }

    /// Notes which of these fields have to be looked at if references are missing.
    #[inline]
    pub(crate) fn drops(&mut self, fields: &[Dropped], place: impl Fn(&Dropped) -> *const u8) {
        for field in fields {
            if let Some(schema) = field.counted {
                self.dropped.push((place(field), schema));
            }
        }
    }

    /// Runs a destructor of the user's, whose panic is only noted.
    pub(crate) fn drop_quietly(&mut self, destructor: impl FnOnce()) {
        self.progress.step(self.thread);
        let outcome = catch_unwind(AssertUnwindSafe(destructor));
        self.progress.step(self.thread);
        if let Err(panic) = outcome {
            self.late.push(panic_message(panic));
        }
    }

    /// Walks one level deeper.
    pub(crate) fn deeper<T>(
        &mut self,
        index: Index,
        walk: impl FnOnce(&mut Self) -> Result<T, Box<Failure>>,
    ) -> Result<T, Box<Failure>> {
        let marker = 0_u8;
        let here = (&raw const marker).addr();
        if self.depth == 0 {
            self.stack = here;
        }
        if self.stack.saturating_sub(here) > DEEPEST_BYTES {
            let reason = format!(
                "values are nested {} levels deep, too deep to follow",
                self.depth
            );
            return Err(Failure::new(self.type_name(index), reason));
        }
        self.depth += 1;
        let outcome = walk(self);
        self.depth -= 1;
        outcome
    }
}
