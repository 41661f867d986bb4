//! Replaces the code of a running Rust program while it runs: the `cargo hotswap` tool.
//!
//! The modules stand in the order in which they work: the command line, the build through the
//! plugin, facts about what was built, the image made of an edit, and the running program.

use std::process::ExitCode;

pub mod audit;
pub mod base;
pub mod cargo;
pub mod cells;
pub mod children;
pub mod clean;
pub mod cli;
pub mod completions;
pub mod config;
pub mod control;
pub mod death;
pub mod diagnostics;
pub mod doctor;
pub mod edits;
pub mod engine;
pub mod entries;
pub mod events;
pub mod facts;
pub mod handover;
pub mod hooks;
pub mod host;
pub mod image;
pub mod init;
pub mod interface;
pub mod keep;
pub mod man;
pub mod membership;
pub mod output;
pub mod patch;
pub mod places;
pub mod plugin;
pub mod probe;
pub mod profile;
pub mod program;
pub mod project;
pub mod reach;
pub mod rebuild;
pub mod records;
pub mod release;
pub mod reprs;
pub mod selection;
pub mod servers;
pub mod session;
pub mod shell;
pub mod shell_command;
pub mod statistics;
pub mod status;
pub mod texts;
pub mod timings;
pub mod unit;
pub mod versions;
pub mod watch;
pub mod whole;

/// Runs this process as what it was called for: the tool, or its build plugin.
pub fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        output::failure(&anyhow::anyhow!(
            "code can be swapped on x86_64 Linux only\n  = help: `cargo run` runs the program without"
        ));
        return ExitCode::from(1);
    }
    let result = plugin::run_if_called(&args).unwrap_or_else(|| cli::run(args));
    match result {
        Ok(code) => ExitCode::from(u8::try_from(code & 0xff).unwrap_or(1)),
        Err(error) => match error.downcast_ref::<project::Told>() {
            Some(told) => ExitCode::from(u8::try_from(told.0).unwrap_or(101)),
            None => {
                output::failure(&error);
                ExitCode::from(101)
            }
        },
    }
}
