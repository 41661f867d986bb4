//! Where threads' stacks lie, and which part of them nobody uses.
//!
//! The C library keeps the stacks of threads that have ended for those to come, full of words that mean
//! nothing. Each stack has its thread's descriptor at the end, which tells where the stack begins and
//! whether the thread lives. How a descriptor looks is private to the C library, so it is found out: two
//! threads that know their own numbers and stacks look for them in their own descriptors.

use std::sync::OnceLock;

use super::maps::Mapping;
use crate::inflight::unused;

/// Descriptors begin at multiples of this.
const ALIGN: u64 = 16;

/// Stacks that are larger are not looked for within other mappings.
const LARGEST_STACK: u64 = 16 << 20;

/// How a thread's descriptor looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Descriptors {
    /// Bytes from a descriptor's beginning to the thread's number.
    number: usize,
    /// Bytes to the address of the stack, which its size and that of its guard follow.
    block: usize,
    /// Bytes from a descriptor's beginning to the end of the stack.
    to_end: usize,
}

/// A thread's stack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stack {
    /// The thread's descriptor, up to which the stack goes.
    pub(super) descriptor: u64,
    pub(super) lives: bool,
}

/// How descriptors look here; none if that could not be found out, which makes scans find more.
pub(super) fn descriptors() -> Option<Descriptors> {
    static FOUND: OnceLock<Option<Descriptors>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let found = [(); 2].map(|()| std::thread::spawn(own).join().ok().flatten());
        found[0].filter(|_| found[0] == found[1])
    })
}

/// Finds this thread's number and stack in its own descriptor.
fn own() -> Option<Descriptors> {
    // SAFETY: the call has no preconditions.
    let descriptor = unsafe { libc::pthread_self() } as usize;
    let end = unused::Stack::own()?.end;
    let to_end = end
        .checked_sub(descriptor)
        .filter(|it| (1..1 << 16).contains(it))?;
    let words = to_end / size_of::<u64>();
    let start = std::ptr::with_exposed_provenance::<u64>(descriptor);
    // Not copied to the heap: an image may be loaded where this thread's stack was, and what were left of these
    // addresses would be taken for references to it.
    // SAFETY: the descriptor lies on this thread's stack, up to whose end is read. Nobody writes to what
    // is compared here while the thread runs.
    let word = |at: usize| unsafe { start.add(at).read_volatile() };
    let block = (0..words.saturating_sub(2)).find(|at| {
        let [block, bytes, guard] = [word(*at), word(at + 1), word(at + 2)];
        block < descriptor as u64 && block.checked_add(bytes) == Some(end as u64) && guard < bytes
    })?;
    // SAFETY: the call has no preconditions.
    let number = unsafe { libc::gettid() }.cast_unsigned();
    let mut halves = (0..words).flat_map(|at| [word(at) as u32, (word(at) >> 32) as u32]);
    Some(Descriptors {
        number: halves.position(|half| half == number)? * size_of::<u32>(),
        block: block * size_of::<u64>(),
        to_end,
    })
}

impl Descriptors {
    /// The thread's stack that this mapping is, if it is one. `word` reads memory of the mapping.
    pub(super) fn stack(
        &self,
        mapping: &Mapping,
        word: impl Fn(u64) -> Option<u64>,
    ) -> Option<Stack> {
        if !mapping.is_plain() || !mapping.is_writable() {
            return None;
        }
        let descriptor = mapping.end.checked_sub(self.to_end as u64)?;
        if descriptor < mapping.start || !descriptor.is_multiple_of(8) {
            return None;
        }
        let (start, stack) = self.stack_of(descriptor, &word)?;
        (start == mapping.start).then_some(stack)
    }

    /// The stack that an address is on, and where it begins; its descriptor must come before `end`. The
    /// kernel lists a stack as one mapping with what lies above, if there is no gap.
    pub(super) fn around(
        &self,
        at: u64,
        end: u64,
        word: impl Fn(u64) -> Option<u64>,
    ) -> Option<(u64, Stack)> {
        let end = end.min(at + LARGEST_STACK);
        let mut descriptor = at.next_multiple_of(ALIGN);
        while descriptor + self.to_end as u64 <= end {
            let stack = self.stack_of(descriptor, &word);
            if stack.is_some() {
                return stack.filter(|(start, _)| *start <= at);
            }
            descriptor += ALIGN;
        }
        None
    }

    /// Where a stack begins whose thread has its descriptor there, if one has.
    fn stack_of(
        &self,
        descriptor: u64,
        word: &impl Fn(u64) -> Option<u64>,
    ) -> Option<(u64, Stack)> {
        // A descriptor begins with its own address, and has it again as its third word.
        if word(descriptor)? != descriptor || word(descriptor + 16)? != descriptor {
            return None;
        }
        let at = descriptor + self.block as u64;
        let [block, bytes, guard] = [word(at)?, word(at + 8)?, word(at + 16)?];
        // What the program itself has given for a stack has no guard before it.
        if guard == 0 || block.checked_add(bytes)? != descriptor + self.to_end as u64 {
            return None;
        }
        let number = descriptor + self.number as u64;
        let half = if number.is_multiple_of(8) { 0 } else { 32 };
        let number = (word(number & !7)? >> half) as u32;
        let stack = Stack {
            descriptor,
            lives: number.cast_signed() > 0,
        };
        Some((block.checked_add(guard)?, stack))
    }
}
