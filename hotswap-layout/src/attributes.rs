//! What is read of one entry of debug information, without the reader's own types.

use crate::graph::Kind;

/// What an entry is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    Unit,
    Namespace,
    Type(Kind),
    Member,
    Enumerator,
    /// The count of an array.
    Range,
    Variants,
    Variant,
    /// A type argument.
    Argument,
    Function,
    Parameter,
    Variable,
    /// What stands in functions only.
    Code,
}

/// The attributes of an entry that matter here. References are offsets in the section.
#[derive(Default)]
pub(crate) struct Attributes<'a> {
    pub(crate) name: Option<Text<'a>>,
    pub(crate) linkage: Option<Text<'a>>,
    pub(crate) target: Option<u32>,
    /// For a vtable's type: the type it is of.
    pub(crate) containing: Option<u32>,
    pub(crate) size: Option<u64>,
    pub(crate) align: u32,
    /// An offset, count, discriminant or value.
    pub(crate) value: Option<i128>,
    pub(crate) declaration: bool,
    pub(crate) location: Option<Location>,
}

/// A string and, where it has one, its offset among the object's strings, by which it is known again.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    /// From the string's first byte on, its end not yet looked for.
    pub(crate) bytes: &'a [u8],
    pub(crate) offset: Option<usize>,
}

impl<'a> Text<'a> {
    pub(crate) fn bytes(&self) -> &'a [u8] {
        match std::ffi::CStr::from_bytes_until_nul(self.bytes) {
            Ok(text) => text.to_bytes(),
            Err(_) => self.bytes,
        }
    }

    pub(crate) fn starts_with(&self, prefix: &str) -> bool {
        self.bytes.starts_with(prefix.as_bytes())
    }
}

/// Where the address of a variable stands.
#[derive(Clone, Copy)]
pub(crate) enum Location {
    /// At an offset of the debug information.
    Info(u64),
    /// At an offset of the table of addresses.
    Table(u64),
}
