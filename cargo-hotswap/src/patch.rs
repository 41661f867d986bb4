//! `cargo hotswap patch`: patch files, made from a base and the edited sources, looked at, and applied to
//! programs that run.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::output::Format;

pub mod below;
pub mod build;
pub mod diff;
pub mod file;
mod forms;
pub mod line;
pub mod live;
mod logged;
pub mod show;
pub mod signing;
pub mod trial;

pub(crate) use line::code_of;

/// Version of the JSON forms; raised when a field changes its meaning or goes away.
pub const FORMAT: u32 = 1;

/// The exit codes of `cargo hotswap patch`, which stay as they are.
pub mod code {
    /// It is as it was asked for, by this command or before it.
    pub const DONE: i32 = 0;
    /// Something failed that has no code of its own.
    pub const FAILED: i32 = 1;
    /// The patch file is damaged, is not signed, or not with a key that is trusted.
    pub const NOT_TRUSTED: i32 = 10;
    /// The patch is not for this program as it is now: another build, other patches, too late, too old.
    pub const DOES_NOT_FIT: i32 = 11;
    /// The program did not take it, and is as it was: state in use, or what it can't load.
    pub const NOT_TAKEN: i32 = 12;
    /// There is no such program.
    pub const NO_PROGRAM: i32 = 13;
    /// The patch was applied, did not hold while it was watched, and was taken back.
    pub const DID_NOT_HOLD: i32 = 14;
}

/// What `patch` takes.
#[derive(Debug, Clone, Args)]
pub struct PatchArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Subcommand)]
enum Command {
    /// Compile what was edited since the base was built, and write it to a patch file
    Build(build::Options),
    /// Show what a patch file does, and what it was made from
    Show(FileArgs),
    /// Check a patch file and its signature
    Verify(show::VerifyArgs),
    /// Show what two patch files do differently
    Diff(diff::DiffArgs),
    /// Apply a patch file to a running program
    Apply(live::ApplyArgs),
    /// Go back from the newest patch, or from the one that is named
    Revert(live::RevertArgs),
    /// Show which patches are applied
    List(live::ListArgs),
}

/// A patch file.
#[derive(Debug, Clone, Args)]
pub struct FileArgs {
    /// The patch file
    #[arg(value_name = "PATCH", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// How to tell it, on stdout
    #[arg(long, value_enum, value_name = "FMT", default_value_t)]
    message_format: Format,
}

/// The longest time that can be given: far more than anybody waits, and no clock overflows.
const MAX_TIME: Duration = Duration::from_hours(24 * 365 * 100);

fn time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time > MAX_TIME => Err(format!("`{text}` is longer than a hundred years")),
        parsed => parsed.map_err(|error| error.to_string()),
    }
}

/// Does it; the result is the exit code.
///
/// # Errors
///
/// What could not be done.
pub fn run(args: &PatchArgs) -> Result<i32> {
    match &args.command {
        Command::Build(options) => build::run(options),
        Command::Show(args) => show::show(args),
        Command::Verify(args) => show::verify(args),
        Command::Diff(args) => diff::run(args),
        Command::Apply(args) => live::apply(args),
        Command::Revert(args) => live::revert(args),
        Command::List(args) => live::list(args),
    }
}
