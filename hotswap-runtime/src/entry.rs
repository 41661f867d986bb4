//! What an entry is to the runtime: its descriptor, its flags, and the form in which values cross.

use crate::sync::{AtomicU32, Ordering};

/// The layout of [`Descriptor`]; a program and an image with different numbers never meet.
pub const DESCRIPTOR_FORMAT: u16 = 1;

/// Calls are not counted.
pub const UNTRACKED: u16 = 1;
/// The entry returns a future, and is counted until that is complete or dropped.
pub const FUTURE: u16 = 1 << 1;
/// A type of the result is known to the compiler only; [`Descriptor::hidden`] tells its facts.
pub const HIDDEN: u16 = 1 << 2;
/// The body takes the caller's location after its arguments.
pub const LOCATION: u16 = 1 << 3;

/// The form in which each argument and the result of a body cross from version to version.
///
/// An array in a `repr(C)` struct is an aggregate for rustc's own calling convention whatever its
/// element is, so that only size and alignment decide how it is passed. Without it a `f64`, or a
/// pair of numbers, and a `repr(C)` struct of the same would pass differently, though no layout
/// tells them apart.
#[repr(C)]
pub struct Arg<T>(pub [T; 1]);

/// What macro output says about one entry; one static per entry and version, in the section
/// `hotswap_entries`.
#[repr(C)]
pub struct Descriptor {
    format: u16,
    flags: u16,
    slot: AtomicU32,
    name: Text,
    signature: Text,
    hidden: Option<fn() -> u32>,
}

/// A `&'static str` with a layout that is fixed.
#[repr(C)]
struct Text {
    start: *const u8,
    len: usize,
}

// SAFETY: a `Text` is made from a `&'static str` and never changes.
unsafe impl Sync for Text {}
// SAFETY: as above.
unsafe impl Send for Text {}

impl Text {
    const fn new(text: &'static str) -> Self {
        Self {
            start: text.as_ptr(),
            len: text.len(),
        }
    }

    fn as_str(&self) -> &'static str {
        // SAFETY: `new` took both from one `&'static str`. The text of an image is as static as
        // its descriptor, through which alone it is reached.
        unsafe { std::str::from_utf8_unchecked(std::slice::from_raw_parts(self.start, self.len)) }
    }
}

impl Descriptor {
    /// Describes an entry: `name` for people, `signature` as normalised source text, `hidden` to
    /// learn the facts of a hidden type.
    #[must_use]
    pub const fn new(
        name: &'static str,
        signature: &'static str,
        flags: u16,
        hidden: Option<fn() -> u32>,
    ) -> Self {
        Self {
            format: DESCRIPTOR_FORMAT,
            flags,
            slot: AtomicU32::new(0),
            name: Text::new(name),
            signature: Text::new(signature),
            hidden,
        }
    }

    /// The slot's number, 0 while none is assigned.
    #[inline(always)]
    pub(crate) fn slot(&self) -> u32 {
        self.slot.load(Ordering::Acquire)
    }

    /// Assigns the slot; a published table must hold it already.
    pub(crate) fn assign(&self, slot: u32) {
        self.slot.store(slot, Ordering::Release);
    }

    pub(crate) fn format(&self) -> u16 {
        self.format
    }

    /// `module::path::function`, without the self type that an entry in an impl block has.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name.as_str()
    }

    /// The signature's normalised source text.
    #[must_use]
    pub fn signature(&self) -> &'static str {
        self.signature.as_str()
    }

    /// The flags that macro output has set.
    #[must_use]
    pub fn flags(&self) -> u16 {
        self.flags
    }

    /// Asks what the hidden type implements; `None` if there is no hidden type.
    ///
    /// This runs code of the version that the descriptor belongs to.
    #[must_use]
    pub fn hidden(&self) -> Option<u32> {
        self.hidden.map(|ask| ask())
    }
}

impl std::fmt::Debug for Descriptor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Descriptor")
            .field("name", &self.name())
            .field("slot", &self.slot())
            .finish_non_exhaustive()
    }
}
