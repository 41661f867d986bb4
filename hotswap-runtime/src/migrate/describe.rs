//! What macro output says about a migrated type to the tool, which reads it from object files.

/// The description of one definition; one static per definition and version, in the section
/// `hotswap_schemas`.
///
/// The text has one fact a line, a word and its argument:
///
/// ```text
/// type World struct        the type's name, and `struct` or `enum`
/// path app::world::World   its module and name
/// container 0 1            it is a container, whose elements are of the types with these positions
///                          among its type parameters
/// field 0 u32              a field's name (`0`, `1` in tuples), and its type as it is written
/// field Open.since Instant the same in an enum: the variant, a dot, the field
/// variant Open             a variant, before its fields
/// was old_name             the old name of the field or variant before
/// was-type OldType         the old type of the field before, as it is written: it has a `From`
/// default                  the field before has a default of its own
/// with                     the field before has a function that makes it from the old value
/// back                     the field before has a function for the way back
/// ```
///
/// A function that makes whole values has a static of its own, a
/// [`CodeChange`](super::code_change::CodeChange), whose text is
///
/// ```text
/// code-change app::world::grow   the function's module and name
/// given hp                       a parameter, in order: a field of the old value
/// perhaps Open.since             the same, of a field that may be missing
/// ```
///
/// Types are written as tokens without spaces, except where two words would meet. Generic
/// parameters stand in them by their names.
#[repr(C)]
pub struct Description {
    start: *const u8,
    len: usize,
}

// SAFETY: both fields come from a `&'static str` and never change.
unsafe impl Sync for Description {}

impl Description {
    /// A description with this text.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self {
            start: text.as_ptr(),
            len: text.len(),
        }
    }
}

impl std::fmt::Debug for Description {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Description")
            .field("bytes", &self.len)
            .finish_non_exhaustive()
    }
}
