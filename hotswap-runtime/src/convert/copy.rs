//! Copies of fields, and memory for values that are being made.

use std::alloc::{self, Layout};
use std::mem::MaybeUninit;
use std::ptr;

use crate::convert::Room;

/// Values in a row: where the first one is, and how far it is from one to the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<P> {
    pub(crate) first: P,
    pub(crate) stride: usize,
}

impl Row<*const u8> {
    /// The fields at this offset of each value.
    pub(crate) fn at(self, offset: usize) -> Self {
        let first = self.first.wrapping_add(offset);
        Self { first, ..self }
    }
}

impl Row<*mut u8> {
    /// The fields at this offset of each value.
    pub(crate) fn at(self, offset: usize) -> Self {
        let first = self.first.wrapping_add(offset);
        Self { first, ..self }
    }
}

/// Copies so many bytes, whatever they mean, of each of `count` values in a row.
///
/// # Safety
///
/// The bytes of each value are good for reading there and for writing here, and do not overlap.
pub(crate) unsafe fn column(from: Row<*const u8>, to: Row<*mut u8>, bytes: usize, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match bytes {
            1 => column_of::<1>(from, to, count),
            2 => column_of::<2>(from, to, count),
            4 => column_of::<4>(from, to, count),
            8 => column_of::<8>(from, to, count),
            12 => column_of::<12>(from, to, count),
            16 => column_of::<16>(from, to, count),
            24 => column_of::<24>(from, to, count),
            32 => column_of::<32>(from, to, count),
            _ => {
                for number in 0..count {
                    let from = from.first.add(number * from.stride);
                    let to = to.first.add(number * to.stride);
                    ptr::copy_nonoverlapping(from, to, bytes);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn column_of<const BYTES: usize>(from: Row<*const u8>, to: Row<*mut u8>, count: usize) {
    for number in 0..count {
        // SAFETY: the promise of `column`. An array of bytes needs no alignment, and is copied
        // without being looked at.
        unsafe {
            let from = from.first.add(number * from.stride).cast::<[u8; BYTES]>();
            let to = to.first.add(number * to.stride).cast::<[u8; BYTES]>();
            ptr::copy_nonoverlapping(from, to, 1);
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

/// Has the kernel give large blocks huge pages: to enter it for each small one takes longer than to write what goes
/// there. For very large blocks it may first have to make huge pages out of what is free, which takes longer still: ten
/// million elements took five times as long.
#[cfg(target_os = "linux")]
fn ask_for_huge_pages(start: *mut u8, bytes: usize) {
    const LARGE: std::ops::RangeInclusive<usize> = 8 << 20..=128 << 20;
    const PAGE: usize = 4096;
    let first = start.align_offset(PAGE);
    if LARGE.contains(&bytes) {
        let start = start.wrapping_add(first).cast();
        // SAFETY: advice changes neither what is there nor who may use it. Without huge pages it is an error, which
        // leaves all as it was.
        unsafe { libc::madvise(start, bytes - first, libc::MADV_HUGEPAGE) };
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
            // Zeroed: values live long, and what were left between their fields and behind them could be an address
            // of code that is to leave memory.
            // SAFETY: the layout has a size.
            let start = unsafe { alloc::alloc_zeroed(layout) };
            if start.is_null() {
                alloc::handle_alloc_error(layout);
            }
            #[cfg(target_os = "linux")]
            ask_for_huge_pages(start, layout.size());
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
