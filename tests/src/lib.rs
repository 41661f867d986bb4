//! Drives the real tool over small programs that are edited while they run.
//!
//! A scenario is a folder below `tests/scenarios`: the sources of a package (`v1`), overlays
//! of changed files (`v2`, `v3`, …) and `scenario.txt`, whose directives [`Script`] describes.
//! [`play`] runs one against the tool; drivers that need more than directives use [`Package`]
//! and [`Session`] themselves.

mod paths;
mod script;

mod browser;
mod compile;
mod event;
mod gate;
mod interrupts;
pub mod killed;
mod outer;
mod package;
mod patches;
mod schema;
mod session;
pub mod terminal;
mod wire;

mod play;

pub use browser::{Browser, Page};
pub use compile::{build_plain, cargo, check, hotswap, hotswap_run, hotswap_verb, runner};
pub use event::Event;
pub use gate::{Gate, Held};
pub use outer::{COMMAND, inside, not_tested, surround, with_disk};
pub use package::{Manner, Package, TargetFolder, plant};
pub use patches::{Patched, Patches};
pub use paths::{scenarios, target, tool, workspace};
pub use play::{Mode, play, script as scenario_script, walk};
pub use schema::is_of as is_of_schema;
pub use script::{Profile, Script, Step};
pub use session::Session;
pub use terminal::Terminal;
pub use wire::Wire;
