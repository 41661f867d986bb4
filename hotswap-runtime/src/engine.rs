//! The engine: takes patches from the tool, loads their images and makes them current.
//!
//! Everything that needs the system's loader, sockets or signals is below here, and exists on
//! targets where code can be swapped. `release` goes over to another executable before anything else. A patch meets the modules in this order: `start`, `listen`,
//! `control` and `process` take it, `swap` leads it through `image` (which reads with `elf` and
//! `loaded`), `state`, `backtrace` and `version`. `crash` tells where a fatal signal met the program,
//! `hooks` runs the program's own functions on the way. `events` tells what else happens; `revert` goes back without a patch. `handover` and `save` carry state to the
//! process that takes the place of this one.

mod backtrace;
mod control;
mod crash;
mod elf;
mod events;
mod fork;
mod handover;
mod hooks;
mod image;
mod listen;
mod loaded;
mod patch;
mod place;
mod process;
#[cfg(target_arch = "x86_64")]
mod purge;
#[cfg(not(target_arch = "x86_64"))]
#[path = "engine/purge/none.rs"]
mod purge;
mod release;
mod restart;
mod revert;
mod save;
mod servers;
mod start;
mod state;
mod swap;
#[cfg(feature = "tracing")]
mod trace;
mod version;

pub(crate) use listen::is_listening;
pub(crate) use purge::{order as purge, set_budget as set_purge_budget};
pub(crate) use restart::restart;
pub(crate) use revert::{revert, revert_after_panic};
pub(crate) use servers::out_of_order;
pub(crate) use start::on_request as listen_to_patches;
pub(crate) use version::statuses;
