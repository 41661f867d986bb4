//! What a comparison says about one changed type, trait or entry.

/// What may be done with a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// Nothing of the old version meets the new one here.
    Safe,
    /// Values of the old version become values of the new one.
    Migrated,
    /// Those who hold the old version's values go on with the old version's code.
    Kept,
    /// A value of one layout would be taken for another.
    Refused,
}

/// Why a finding was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The layout of a named type.
    Layout,
    /// What a stored closure or future holds.
    Unnamed,
    /// The order or the signatures of a trait's methods, which trait objects depend on.
    TraitObject,
    /// A type known by its `TypeId` alone.
    TypeId,
    /// How a type is passed.
    Convention,
    /// An entry's signature.
    Signature,
    /// A type that is declared but nowhere defined.
    Opaque,
    /// No debug information.
    Unknown,
    /// A changed type that nothing kept reaches.
    Unreached,
}

/// A layout for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The type's full name.
    pub name: String,
    /// In bytes, where known.
    pub size: Option<u64>,
    /// In bytes; 0 where unknown.
    pub align: u32,
    /// One line a field, variant or method.
    pub lines: Vec<String>,
}

/// What leads to a changed type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The static, thread-local or entry.
    pub root: String,
    /// The steps from there: fields, type arguments, elements.
    pub path: Vec<String>,
}

/// One change and its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The full name of the type or trait, or the path of the entry or static.
    pub subject: String,
    /// What may be done.
    pub verdict: Verdict,
    /// Why the finding was made, for programs.
    pub cause: Cause,
    /// Field by field.
    pub differences: Vec<String>,
    /// In the running version.
    pub old: Option<Layout>,
    /// In the patch.
    pub new: Option<Layout>,
    /// What leads to it; the first is what `reason` speaks of.
    pub reached: Vec<Reached>,
    /// Why that is the verdict, for people.
    pub reason: String,
    /// What to do, for people; empty if there is nothing to do.
    pub help: String,
}
