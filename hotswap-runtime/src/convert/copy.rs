//! Copies of fields, and memory for values that are being made.

use std::alloc::{self, Layout};
use std::mem::MaybeUninit;
use std::ptr;

use crate::convert::Room;

/// Copies bytes, whatever they mean. Common sizes are single moves.
///
/// # Safety
///
/// `from` is good for reading and `to` for writing so many bytes, and they do not overlap.
#[inline(always)]
pub(crate) unsafe fn bytes(from: *const u8, to: *mut u8, bytes: usize) {
    // SAFETY: the caller's promise. Arrays of bytes need no alignment, and are copied without being
    // looked at.
    unsafe {
        match bytes {
            1 => ptr::copy_nonoverlapping(from, to, 1),
            2 => ptr::copy_nonoverlapping(from.cast::<[u8; 2]>(), to.cast(), 1),
            4 => ptr::copy_nonoverlapping(from.cast::<[u8; 4]>(), to.cast(), 1),
            8 => ptr::copy_nonoverlapping(from.cast::<[u8; 8]>(), to.cast(), 1),
            16 => ptr::copy_nonoverlapping(from.cast::<[u8; 16]>(), to.cast(), 1),
            24 => ptr::copy_nonoverlapping(from.cast::<[u8; 24]>(), to.cast(), 1),
            32 => ptr::copy_nonoverlapping(from.cast::<[u8; 32]>(), to.cast(), 1),
            _ => ptr::copy_nonoverlapping(from, to, bytes),
        }
    }
}

/// How much room is on the stack.
const SMALL: usize = 256;

/// The largest alignment there.
const SMALL_ALIGN: usize = 16;

#[repr(align(16))]
struct Small([MaybeUninit<u8>; SMALL]);

/// Memory for parts that are put together afterwards.
pub(crate) struct Scratch {
    small: Small,
    large: Option<Block>,
}

impl Scratch {
    pub(crate) fn new(room: Room) -> Self {
        let is_small = room.size <= SMALL && room.align <= SMALL_ALIGN;
        Self {
            small: Small([MaybeUninit::uninit(); SMALL]),
            large: (!is_small)
                .then(|| Block::new(room.size, room.align, 1))
                .flatten(),
        }
    }

    /// Where it is. It moves with `self`.
    pub(crate) fn start(&mut self) -> *mut u8 {
        match &self.large {
            Some(block) => block.start,
            None => self.small.0.as_mut_ptr().cast(),
        }
    }
}

/// Memory of the global allocator for values in a row, as `Box` and `Vec` have theirs.
pub(crate) struct Block {
    pub(crate) start: *mut u8,
    layout: Layout,
}

impl Block {
    /// Room for so many values of this size and alignment; none if there can't be so much.
    pub(crate) fn new(size: usize, align: usize, count: usize) -> Option<Self> {
        let layout = Layout::from_size_align(size.checked_mul(count)?, align).ok()?;
        let start = if layout.size() == 0 {
            ptr::without_provenance_mut(align)
        } else {
            // SAFETY: the layout has a size.
            let start = unsafe { alloc::alloc(layout) };
            if start.is_null() {
                alloc::handle_alloc_error(layout);
            }
            start
        };
        Some(Self { start, layout })
    }

    /// The memory that a box or vector has for its values.
    ///
    /// # Safety
    ///
    /// It was allocated by the global allocator for so many values, and its owner gives it up.
    pub(crate) unsafe fn adopt(start: *mut u8, size: usize, align: usize) -> Option<Self> {
        let layout = Layout::from_size_align(size, align).ok()?;
        Some(Self { start, layout })
    }

    /// Gives it to a box or vector.
    pub(crate) fn into_start(self) -> *mut u8 {
        let start = self.start;
        std::mem::forget(self);
        start
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.layout.size() > 0 {
            // SAFETY: it was allocated with this layout, and its owner is this.
            unsafe { alloc::dealloc(self.start, self.layout) };
        }
    }
}
