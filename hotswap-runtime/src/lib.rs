//! The runtime of hotswap: what a program needs so that its code can be replaced while it runs.
//!
//! Add the dependency and mark the functions through which calls shall reach the newest code. A
//! call of an *entry* always goes to the current version; every other call stays in the version
//! that makes it.
//!
//! ```
//! #[hotswap::entry]
//! fn greet(name: &str) -> String {
//!     format!("Hello, {name}!")
//! }
//!
//! fn main() {
//!     // Under `cargo hotswap run`, an edit of `greet` is live at the next call.
//!     assert_eq!(greet("world"), "Hello, world!");
//!     println!("version {}", hotswap::version());
//! }
//! ```
//!
//! Start the program with `cargo hotswap run` and edit. With plain cargo the attribute leaves the
//! function as it is written, and nothing of this crate runs.
//!
//! There is nothing to initialise. [`version`] tells which version is current, [`status`] what is
//! loaded and where calls are under way, [`on_swap`] runs a callback after each swap, [`revert`] goes
//! back to the code before, [`restart`] starts the newest code in a new process. On targets where code cannot be swapped everything compiles and does
//! nothing.

#![cfg_attr(
    not(all(
        target_os = "linux",
        target_env = "gnu",
        target_pointer_width = "64",
        not(loom)
    )),
    expect(
        dead_code,
        reason = "without an engine nothing prepares or publishes tables"
    )
)]

mod boxed;
mod convert;
mod entry;
mod gate;
mod hidden;
mod hook;
mod inflight;
mod listen;
mod live;
mod logged;
mod migrate;
mod on_panic;
mod on_swap;
pub mod pieces;
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    target_arch = "x86_64",
    not(loom)
))]
mod purge;
mod purging;
mod rehearsal;
mod restart;
mod revert;
pub mod server;
mod sorted;
mod status;
mod sync;
mod table;
pub mod task;
mod third_version;
pub mod thread;
mod transaction;
mod work;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64",
    not(loom)
))]
mod engine;
#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64",
    not(loom)
)))]
#[path = "engine/none.rs"]
mod engine;

pub use hotswap_macros::{
    Migrate, after_swap, before_swap, code_change, entry, hotswap, on_load, on_purge, server,
};
pub use listen::{Listen, ListenError, listen};
pub use live::{Live, ReadGuard, Unavailable, WriteGuard};
pub use migrate::Migrate;
pub use migrate::code_change::Old;
pub use migrate::container::{Container, MapContainer};
pub use on_panic::{OnPanic, set_on_panic};
pub use on_swap::{OnSwap, Swap, on_swap};
pub use pieces::Pieces;
pub use purging::{
    Holder, HolderKind, Kept, PurgeReport, PurgedVersion, purge, set_purge_budget, soft_purge,
};
pub use restart::{RestartError, restart};
pub use revert::{RevertError, revert};
pub use server::Server;
pub use status::{EntryCalls, ImageStatus, State, Status, VersionStatus, status, version};
pub use third_version::{ThirdVersion, set_third_version};
pub use transaction::{SwapLimits, set_swap_limits};
pub use work::{Ended, WorkKind, WorkStatus, end_old_work, end_work, work};
