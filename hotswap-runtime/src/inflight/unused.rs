//! The part of a thread's stack that is not in use: what calls have left there is cleared.
//!
//! Functions do not write to every word of their frames. What an earlier call has left in such a place lies
//! on the stack of a thread that waits, as if it were in use, and would keep an old image in memory. So the
//! first counted call after each table clears what is below it. The end of a call would be too early: at
//! that time its code is mostly still current.

use std::cell::Cell;
use std::mem::MaybeUninit;

/// How much is cleared, at most: deeper than this hardly any thread waits.
const BYTES: usize = 32 << 10;

const PAGE: usize = 4096;

/// A thread's stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stack {
    /// Behind the guard.
    start: usize,
    pub(crate) end: usize,
    /// Whether the kernel has made it, and lets it grow.
    grows: bool,
}

thread_local! {
    /// This thread's own, once it was asked for; none inside if that can't be told.
    static OWN: Cell<Option<Option<Stack>>> = const { Cell::new(None) };
}

impl Stack {
    /// This thread's own.
    pub(crate) fn own() -> Option<Self> {
        let mut attributes = MaybeUninit::uninit();
        let (mut start, mut bytes, mut guard) = (std::ptr::null_mut(), 0, 0);
        // SAFETY: the first call initialises the attributes, which the others take. The last ones have no
        // preconditions.
        unsafe {
            if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
                return None;
            }
            let attributes = attributes.as_mut_ptr();
            let stack = libc::pthread_attr_getstack(attributes, &raw mut start, &raw mut bytes);
            let guarded = libc::pthread_attr_getguardsize(attributes, &raw mut guard);
            libc::pthread_attr_destroy(attributes);
            ((stack, guarded) == (0, 0)).then(|| Self {
                // Some versions of the library count the guard as a part.
                start: start.addr() + guard,
                end: start.addr() + bytes,
                grows: libc::gettid() == libc::getpid(),
            })
        }
    }

    /// Where the part below `pointer` begins that may be cleared; none if that is on another stack.
    fn unused(&self, pointer: usize) -> Option<usize> {
        if !(self.start..self.end).contains(&pointer) || is_at_signal() {
            return None;
        }
        let mut start = pointer.saturating_sub(BYTES).max(self.start);
        if self.grows {
            // To read below what is there would make it grow, and there may be no room.
            let mut page = pointer & !(PAGE - 1);
            while page > start && is_mapped(page - PAGE) {
                page -= PAGE;
            }
            start = page.max(start);
        }
        Some(start.next_multiple_of(size_of::<u64>()))
    }
}

/// Whether anything is mapped at this page.
fn is_mapped(page: usize) -> bool {
    let mut is_present = 0;
    let page = std::ptr::without_provenance_mut(page);
    // SAFETY: the call reads no memory of the program's, and writes one byte for one page.
    unsafe { libc::mincore(page, PAGE, &raw mut is_present) == 0 }
}

/// Whether this is a handler of a signal on a stack of its own, which may lie within the thread's.
fn is_at_signal() -> bool {
    let mut stack = MaybeUninit::<libc::stack_t>::uninit();
    // SAFETY: the call changes nothing, and writes to `stack`, which is read only if it has.
    unsafe {
        libc::sigaltstack(std::ptr::null(), stack.as_mut_ptr()) != 0
            || stack.assume_init().ss_flags & libc::SS_ONSTACK != 0
    }
}

/// From where on this thread's stack is not in use, up to the caller, of which no more than [`BYTES`] count.
/// All ones if there is nothing to be cleared.
#[cold]
#[inline(never)]
fn start() -> usize {
    let here = 0u8;
    let own = OWN.get().unwrap_or_else(|| {
        // A checker takes this for an error.
        let own = Stack::own().filter(|_| !crate::purge::is_under_valgrind());
        OWN.set(Some(own));
        own
    });
    let start = own.and_then(|own| own.unused((&raw const here).addr()));
    start.unwrap_or(usize::MAX)
}

/// Clears what of this thread's stack is not in use, as far as it matters, right below the caller.
///
/// Pages that were never written are only read, so that they take no memory.
#[inline(always)]
pub(crate) fn clear() {
    let start = start();
    // SAFETY: from there to the stack pointer lies memory of this thread's stack in which a function that
    // lets assembly use the stack keeps nothing. A signal that comes in between has returned before this
    // goes on.
    unsafe {
        std::arch::asm!(
            "mov {at}, rsp",
            "2:",
            "cmp {at}, {start}",
            "jbe 3f",
            "sub {at}, 8",
            "cmp qword ptr [{at}], 0",
            "je 2b",
            "mov qword ptr [{at}], 0",
            "jmp 2b",
            "3:",
            start = in(reg) start,
            at = out(reg) _,
        );
    }
}

#[cfg(test)]
mod tests;
