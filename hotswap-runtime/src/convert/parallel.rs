//! Conversions of many elements in a row by several threads.
//!
//! Each thread makes a part of the elements, all or none; if one fails, the others' parts are taken
//! apart. Only conversions that [`Conversion::in_turn`](crate::convert::Conversion) leaves free come
//! here: what they run beside the runtime's own code are functions without arguments that make
//! defaults. They get nothing that another thread has, and safe Rust lets any thread call them.

use std::io;
use std::sync::Arc;
use std::thread::{self, Scope, ScopedJoinHandle};

use crate::convert::context::{Context, STACK_BYTES};
use crate::convert::failure::Failure;
use crate::convert::progress::{MOST_THREADS, Progress};
use crate::convert::run::{self, Stopped};
use crate::convert::{Conversion, Conversions, Index, undo};
use crate::live::lock::MIGRATION_THREAD;

/// So many bytes, of old and new elements together, are worth a thread where an element is little more
/// than copied: below twice as many, starting a thread costs more than it gains.
const PLAIN_BYTES_PER_THREAD: usize = 8 << 20;

/// The same where something in each element is allocated.
const BYTES_PER_THREAD: usize = 1 << 20;

/// Makes elements in a row.
///
/// # Safety
///
/// That of [`run::elements`].
pub(crate) unsafe fn elements(
    context: &mut Context<'_>,
    index: Index,
    (old, len): (*const u8, usize),
    new: *mut u8,
) -> Result<(), Stopped> {
    let conversion = context.conversions.get(index);
    let threads = threads_for(context, conversion, len);
    if threads < 2 {
        // SAFETY: the caller's promise.
        return unsafe { run::elements(context, index, (old, len), new) };
    }
    let (from, to) = (conversion.old.size, conversion.new.size);
    let part_len = len.div_ceil(threads);
    let parts: Vec<Part> = (0..len)
        .step_by(part_len)
        .map(|first| Part {
            first,
            len: part_len.min(len - first),
            old: old.wrapping_add(first * from),
            new: new.wrapping_add(first * to),
        })
        .collect();
    // SAFETY: the caller's promise, for some elements each.
    let made = unsafe { at_once(context, index, &parts) };
    all_or_none(context, index, &parts, made)
}

/// How many threads so many elements are worth.
fn threads_for(context: &Context<'_>, conversion: &Conversion, len: usize) -> usize {
    let bytes = (conversion.old.size + conversion.new.size).saturating_mul(len);
    let per_thread = match conversion.discards {
        true => BYTES_PER_THREAD,
        false => PLAIN_BYTES_PER_THREAD,
    };
    let worth = (bytes / per_thread).min(MOST_THREADS);
    // Locks are given back by the thread that took them.
    let takes_locks = context.behind_others > 0 && conversion.locks;
    if worth < 2 || conversion.in_turn || takes_locks || context.is_part {
        return 1;
    }
    let threads = context.threads.map_or_else(
        || thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    );
    worth.min(threads)
}

/// Some of the elements in a row.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// The number of the first one.
    first: usize,
    len: usize,
    old: *const u8,
    new: *mut u8,
}

impl Part {
    /// The outcome with the element's number among all.
    fn numbered(&self, outcome: Result<(), Stopped>) -> Result<(), Stopped> {
        outcome.map_err(|(number, failure)| (self.first + number, failure))
    }
}

// SAFETY: no two parts have an element in common, and each is used by one thread at a time. Cells'
// types are `Send`, and what is made of elements in parts reaches no counted reference, so nothing
// that is used here is in two parts. The threads end before the caller's promise does.
unsafe impl Send for Part {}

/// What came of a part, beside what this thread has counted itself.
struct Made {
    outcome: Result<(), Stopped>,
    values: u64,
    late: Vec<String>,
}

/// Makes the parts, one of them on this thread.
///
/// # Safety
///
/// That of [`run::elements`], for each part.
unsafe fn at_once(context: &mut Context<'_>, index: Index, parts: &[Part]) -> Vec<Made> {
    let walk = Walk {
        conversions: context.conversions,
        progress: context.progress,
        index,
    };
    thread::scope(|scope| {
        let begun: Vec<_> = parts
            .iter()
            .zip(0..)
            .skip(1)
            // SAFETY: the caller's promise.
            .map(|(part, number)| (*part, unsafe { walk.begin(scope, *part, number) }))
            .collect();
        // SAFETY: as before.
        let mut made = vec![unsafe { make_here(context, index, parts[0]) }];
        for (part, thread) in begun {
            made.push(match thread {
                Ok(thread) => thread.join().unwrap_or_else(|_| walk.died(part)),
                // There is no other thread to be had, so this one makes the part.
                // SAFETY: as before.
                Err(_) => unsafe { make_here(context, index, part) },
            });
        }
        made
    })
}

/// Makes a part on the thread that has all of them.
///
/// # Safety
///
/// That of [`run::elements`].
unsafe fn make_here(context: &mut Context<'_>, index: Index, part: Part) -> Made {
    context.is_part = true;
    // SAFETY: the caller's promise.
    let outcome = unsafe { run::elements(context, index, (part.old, part.len), part.new) };
    context.is_part = false;
    Made {
        outcome: part.numbered(outcome),
        values: 0,
        late: Vec::new(),
    }
}

/// What the other threads have in common.
#[derive(Clone, Copy)]
struct Walk<'a> {
    conversions: &'a Arc<Conversions>,
    progress: &'a Progress,
    index: Index,
}

impl<'a> Walk<'a> {
    /// Starts a thread that makes a part.
    ///
    /// # Safety
    ///
    /// That of [`run::elements`].
    unsafe fn begin<'scope>(
        self,
        scope: &'scope Scope<'scope, '_>,
        part: Part,
        number: usize,
    ) -> io::Result<ScopedJoinHandle<'scope, Made>>
    where
        'a: 'scope,
    {
        thread::Builder::new()
            .name(MIGRATION_THREAD.into())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, move || {
                let part = part;
                // SAFETY: the caller's promise.
                unsafe { self.make(part, number) }
            })
    }

    /// Makes a part on a thread of its own.
    ///
    /// # Safety
    ///
    /// That of [`run::elements`].
    unsafe fn make(self, part: Part, number: usize) -> Made {
        let mut context = Context::of_part(self.conversions, self.progress, number);
        // SAFETY: the caller's promise.
        let outcome =
            unsafe { run::elements(&mut context, self.index, (part.old, part.len), part.new) };
        debug_assert!(context.shared.is_empty());
        Made {
            outcome: part.numbered(outcome),
            values: context.values,
            late: context.late,
        }
    }

    /// The runtime's own code has panicked. What was made of the part stays where it is.
    fn died(self, part: Part) -> Made {
        let type_name = (self.conversions.get(self.index).new.name)();
        let failure = Failure::new(type_name, "the thread of the migration has died");
        Made {
            outcome: Err((part.first, failure)),
            values: 0,
            late: Vec::new(),
        }
    }
}

/// Keeps the elements if all parts have been made. The first failure counts.
fn all_or_none(
    context: &mut Context<'_>,
    index: Index,
    parts: &[Part],
    made: Vec<Made>,
) -> Result<(), Stopped> {
    let mut stopped = None;
    let mut stand = Vec::new();
    for (part, made) in parts.iter().zip(made) {
        context.values += made.values;
        context.late.extend(made.late);
        match made.outcome {
            Ok(()) => stand.push(part),
            Err(failure) => stopped = stopped.or(Some(failure)),
        }
    }
    let Some(stopped) = stopped else {
        return Ok(());
    };
    for part in stand {
        // SAFETY: all elements of this part have been made, and nobody has heard of them.
        unsafe { undo::discard_elements(context, index, (part.new, part.len)) };
    }
    Err(stopped)
}
