//! A cell's heap part: the lock, the value, and which code may use it. It knows nothing of statics.

use std::cell::UnsafeCell;
use std::ops::Range;
use std::ptr;

use crate::live::lock::{Lock, Mode, Patience, Ticket, Who};
use crate::live::versions::{self, Verdict};
use crate::sync::{AtomicUsize, Ordering};

/// Lies in the object file of the code that uses a cell: by its address the runtime knows which
/// version that code is of.
///
/// It has a size, so that it has an address, and that of what linkers may merge within one file.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Mark(u64);

impl Mark {
    /// The only one; its content says nothing.
    const NEW: Self = Self(0x686f_7473_7761_7001);

    /// The mark of the code that this is inlined into.
    #[inline(always)]
    pub(crate) fn here() -> &'static Self {
        &Self::NEW
    }
}

/// How many marks are remembered as those of code that may use the value.
const REMEMBERED: usize = 4;

/// What a cell's handle points to.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) lock: Lock,
    /// The value's address, null before the first use. It is read and written by holders only,
    /// and written by those that hold the cell alone.
    value: UnsafeCell<*mut u8>,
    /// Marks of code that was found to expect the value's layout. They are forgotten by a holder
    /// that gives the value another one. Their addresses are in a form that no address has, so that they keep
    /// no image in memory; 0 is none.
    fitting: [AtomicUsize; REMEMBERED],
}

// SAFETY: `value` is guarded by `lock`, as said there. What it points to is shared and sent under the
// bounds of `Live` and its guards.
unsafe impl Sync for Core {}
// SAFETY: as above.
unsafe impl Send for Core {}

impl Core {
    pub(crate) fn new() -> Self {
        Self {
            lock: Lock::new(),
            value: UnsafeCell::new(ptr::null_mut()),
            fitting: [const { AtomicUsize::new(0) }; REMEMBERED],
        }
    }

    /// Forgets marks of a file that is out of memory, before another one comes to lie there.
    pub(crate) fn forget_marks_in(&self, range: &Range<usize>) {
        for mark in &self.fitting {
            if range.contains(&!mark.load(Ordering::Relaxed)) {
                mark.store(0, Ordering::Relaxed);
            }
        }
    }

    /// The value's address.
    pub(crate) fn into_value(self) -> *mut u8 {
        self.value.into_inner()
    }

    /// Waits until the cell can be held so.
    pub(crate) fn hold(&self, mode: Mode, who: Who, patience: Patience) -> Option<Hold<'_>> {
        let ticket = self.lock.acquire(mode, who, patience)?;
        Some(Hold {
            core: self,
            ticket: Some(ticket),
            mode,
        })
    }
}

/// A cell that is held. Dropping it gives the cell back.
#[derive(Debug)]
pub(crate) struct Hold<'a> {
    core: &'a Core,
    ticket: Option<Ticket>,
    mode: Mode,
}

impl Hold<'_> {
    /// The value's address, null if there is none yet.
    pub(crate) fn value(&self) -> *mut u8 {
        // SAFETY: the cell is held, so nobody writes the address.
        unsafe { *self.core.value.get() }
    }

    /// Puts another value in the place of what is there, and gives that back.
    ///
    /// # Panics
    ///
    /// The cell is not held alone.
    pub(crate) fn replace(&mut self, value: *mut u8) -> *mut u8 {
        assert_eq!(
            self.mode,
            Mode::Exclusive,
            "a cell is changed by one holder"
        );
        // SAFETY: the cell is held alone.
        unsafe { self.core.value.get().replace(value) }
    }

    /// Forgets which code may use the value: its layout, or that of the one to come, changes.
    pub(crate) fn forget_marks(&self) {
        for mark in &self.core.fitting {
            mark.store(0, Ordering::Relaxed);
        }
    }

    /// Whether code with this mark may use the value, of the cell with the handle at this address.
    pub(crate) fn admits(&self, handle: usize, mark: &'static Mark) -> Verdict {
        let address = ptr::from_ref(mark).addr();
        let place = &self.core.fitting[address / align_of::<Mark>() % REMEMBERED];
        // Marks are forgotten under the lock that is held, which orders these accesses.
        if place.load(Ordering::Relaxed) == !address {
            return Verdict::Fits;
        }
        let verdict = versions::judge(handle, address);
        if verdict == Verdict::Fits {
            place.store(!address, Ordering::Relaxed);
        }
        verdict
    }

    /// Lets readers in again, while this stays a reader among them.
    pub(crate) fn share(&mut self) {
        self.mode = Mode::Shared;
        if let Some(ticket) = &self.ticket {
            self.core.lock.share(ticket);
        }
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.core.lock.release(ticket);
        }
    }
}
