//! The engine: takes patches from the tool, loads their images and makes them current.
//!
//! Everything that needs the system's loader, sockets or signals is below here, and exists on
//! targets where code can be swapped. Modules stand in the order in which a patch meets them.

mod backtrace;
mod control;
mod elf;
mod image;
mod listen;
mod loaded;
mod process;
mod start;
mod swap;
mod version;

pub(crate) use listen::is_listening;
pub(crate) use version::statuses;
