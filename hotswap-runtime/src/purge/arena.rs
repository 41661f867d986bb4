//! Memory beside the heap, which the scan leaves out: tables of fixed size, since nothing is allocated while threads
//! stand.

use std::io;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut, Range};
use std::ptr;

/// Types for which zeroed memory is a value, and that need no dropping.
///
/// # Safety
///
/// All-zero bytes are a value of the type.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: integers.
unsafe impl Plain for u8 {}
// SAFETY: integers.
unsafe impl Plain for u64 {}

/// One mapping, given out piece by piece.
#[derive(Debug)]
pub(crate) struct Arena {
    start: usize,
    bytes: usize,
    used: usize,
}

/// Pieces begin at multiples of this.
const ALIGN: usize = 64;

impl Arena {
    /// Maps `bytes` bytes, which take memory only where they are touched.
    pub(crate) fn new(bytes: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // A forked child has no use for it. Where the kernel refuses, it costs a little memory there.
        // SAFETY: the mapping is this function's own.
        unsafe { libc::madvise(start, bytes, libc::MADV_DONTFORK) };
        Ok(Self {
            start: start.expose_provenance(),
            bytes,
            used: 0,
        })
    }

    /// Where it lies.
    pub(crate) fn range(&self) -> Range<usize> {
        self.start..self.start + self.bytes
    }

    /// A zeroed piece, until the arena ends.
    ///
    /// # Panics
    ///
    /// The arena has no room for it.
    pub(crate) fn bytes(&mut self, bytes: usize) -> *mut u8 {
        let piece = self.used;
        self.used += bytes.next_multiple_of(ALIGN);
        assert!(self.used <= self.bytes, "the arena is too small");
        ptr::with_exposed_provenance_mut(self.start + piece)
    }

    /// A table with room for `room` elements.
    pub(crate) fn table<T: Plain>(&mut self, room: usize) -> Table<T> {
        Table {
            start: self.bytes(room * size_of::<T>()).cast(),
            room,
            length: 0,
            of: PhantomData,
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own. Tables live in the same value as their arena, and
        // are not used after it.
        unsafe { libc::munmap(ptr::with_exposed_provenance_mut(self.start), self.bytes) };
    }
}

/// A vector that does not grow.
#[derive(Debug)]
pub(crate) struct Table<T> {
    start: *mut T,
    room: usize,
    length: usize,
    of: PhantomData<T>,
}

impl<T: Plain> Table<T> {
    /// Adds an element; false if there is no room.
    pub(crate) fn push(&mut self, element: T) -> bool {
        if self.length >= self.room {
            return false;
        }
        // SAFETY: the place is inside the piece that the arena gave, aligned to more than any `T` here.
        unsafe { self.start.add(self.length).write(element) };
        self.length += 1;
        true
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.length = 0;
    }

    /// The whole room, whatever is in it.
    pub(crate) fn room(&mut self) -> &mut [T] {
        // SAFETY: all of the piece is zeroed or holds elements, and zeroes are a value.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.room) }
    }

    /// Takes the first `length` elements of the room for the content.
    pub(crate) fn set_length(&mut self, length: usize) {
        self.length = length.min(self.room);
    }
}

impl<T: Plain> Deref for Table<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: so many elements were written.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

impl<T: Plain> DerefMut for Table<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.length) }
    }
}
