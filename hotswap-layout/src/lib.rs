//! Compares type layouts of two builds from their debug information.

mod compare;
mod dwarf;
mod entries;
mod error;
mod finding;
mod graph;
mod hash;
mod names;
mod object_file;
mod program;
pub mod report;

pub use compare::compare;
pub use dwarf::read_object;
pub use error::LayoutError;
pub use finding::{Cause, Finding, Layout, Reached, Verdict};
pub use graph::ObjectTypes;
pub use hash::Fingerprint;
pub use program::{EntryBody, Program, Root, StaticType};
