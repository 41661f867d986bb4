//! Compares type layouts of two builds from their debug information.
//!
//! [`read_object`] takes the facts out of one object file, [`Program`] puts together those of a version, and [`compare`] gives
//! a verdict on each change, from the [`Root`]s that both versions have: kept statics and thread-locals, and entries. It is
//! pure: bytes and values in, values out. A change is refused unless it is proven not to cross from one version to the other.
//!
//! # How it decides
//!
//! Both graphs are walked side by side, a pair of nodes at a time, never by a map of paths, since one path may have two
//! definitions. A pair is the same type if its full names are equal without what only counts siblings (`{closure#3}`); a
//! field of another type is a difference of its owner. From a trait object the walk goes on to the arguments and results
//! of its methods, and to the types in its name; from the types that code tells apart by `TypeId`, since that stays the same
//! when a layout does not. Most edits are answered without a walk, by comparing deep fingerprints.
//!
//! # What debug information does not tell
//!
//! - `repr(C)` and `repr(transparent)` with equal layout change how values are passed. Entries do not mind; methods of trait
//!   objects and function pointers do. [`Passed`] refuses that, for types whose `repr` the caller says to have changed.
//! - Lifetimes, `Copy` and `Drop` are absent. An entry's signature carries its lifetimes in its text.
//! - Nothing links a `*mut ()` to a type.
//! - Where functions with equal bodies are merged, one implementation may not tell the order of its methods. Another that
//!   does is used where there is one.
//! - An `Error` in a map keyed by `TypeId`, with neither an `Any` behind it nor a downcast, is not seen.
//! - A trait's methods have no order where no object of it is made. If only one of the versions makes any, and one of them
//!   could cross, the edit is refused, whether the order changed or not.

mod attributes;
mod compare;
mod descriptions;
mod dwarf;
mod entries;
mod error;
mod finding;
mod graph;
mod hash;
pub mod migrate;
mod names;
mod object_file;
mod passed;
mod program;
pub mod report;

pub use compare::{compare, compare_beside};
pub use descriptions::{Descriptions, Text};
pub use dwarf::{inlined, read_object};
pub use error::LayoutError;
pub use finding::{Cause, Finding, Layout, Reached, Verdict};
pub use graph::ObjectTypes;
pub use hash::Fingerprint;
pub use passed::{Passed, ReprChange, Subject};
pub use program::{EntryBody, Program, Root, StaticType};
