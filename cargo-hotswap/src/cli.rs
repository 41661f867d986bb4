//! The command line of `cargo hotswap`.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::audit;
use crate::clean;
use crate::completions::{self, CompletedShell};
use crate::config;
use crate::doctor;
use crate::events::{MessageFormat, Reporter};
use crate::init;
use crate::man;
use crate::output;
use crate::selection::Selection;
use crate::session;

/// Cargo calls `cargo-hotswap hotswap …`.
#[derive(Debug, Parser)]
#[command(name = "cargo", bin_name = "cargo", styles = clap_cargo_styles())]
struct Cargo {
    #[command(subcommand)]
    command: CargoCommand,
}

#[derive(Debug, Subcommand)]
enum CargoCommand {
    /// Replace the code of a running Rust program while it runs
    #[command(version)]
    Hotswap(Hotswap),
}

#[derive(Debug, Args)]
struct Hotswap {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a binary or example, and make each save live in the running process
    Run(Run),
    /// Add the runtime to a package, and show and mark functions that are worth an entry
    Init(init::Options),
    /// Check what keeps edits from going live here, and say what to change
    Doctor(doctor::Options),
    /// Count every reference to state in a build, and show which a patch could not redirect
    Audit(Audit),
    /// Show every setting and where its value comes from
    Config(ShowConfig),
    /// Remove what runs left behind
    Clean(clean::Options),
    /// Print a script that makes a shell complete command lines
    Completions(Completions),
    /// Write manual pages
    Man(ManPages),
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    selection: Selection,
    /// How to tell what happens, on stderr
    #[arg(long, value_enum, value_name = "FMT", default_value_t)]
    message_format: MessageFormat,
    /// Do not print status messages
    #[arg(short, long)]
    quiet: bool,
    /// Arguments for the program
    #[arg(trailing_var_arg = true, value_name = "ARGS")]
    args: Vec<String>,
}

#[derive(Debug, Args)]
struct Audit {
    #[command(flatten)]
    selection: Selection,
    /// Look at all dependencies and the standard library too
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
struct ShowConfig {
    #[command(flatten)]
    selection: Selection,
    /// How to print
    #[arg(long, value_enum, value_name = "FMT", default_value_t)]
    message_format: output::Format,
}

#[derive(Debug, Args)]
struct Completions {
    /// The shell that the script is for
    #[arg(value_enum)]
    shell: CompletedShell,
}

#[derive(Debug, Args)]
struct ManPages {
    /// Folder for the pages, such as ~/.local/share/man/man1
    #[arg(long, value_name = "DIRECTORY", value_hint = clap::ValueHint::DirPath)]
    out: PathBuf,
}

fn clap_cargo_styles() -> clap::builder::Styles {
    use clap::builder::styling::{AnsiColor, Effects, Styles};
    Styles::styled()
        .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
        .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
        .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
        .placeholder(AnsiColor::Cyan.on_default())
}

/// The definition of the command line, which starts with `cargo`.
pub fn command() -> clap::Command {
    Cargo::command()
}

/// Runs the tool and returns its exit code. Wrong usage ends the process with code 2, as clap
/// does it.
///
/// # Errors
///
/// What the command could not do.
pub fn run(args: Vec<OsString>) -> Result<i32> {
    let CargoCommand::Hotswap(hotswap) = Cargo::parse_from(args).command;
    match hotswap.command {
        Command::Run(run) => session::run(&session::Options {
            selection: run.selection,
            args: run.args,
            reporter: Reporter {
                format: run.message_format,
                quiet: run.quiet,
            },
        }),
        Command::Doctor(options) => doctor::run(&options),
        Command::Clean(options) => clean::run(&options),
        Command::Completions(command) => {
            output::print(&completions::script(command.shell)).map(|()| 0)
        }
        Command::Man(command) => man::run(&command.out),
        Command::Init(options) => init::run(&options),
        Command::Config(command) => config::show::run(&command.selection, command.message_format),
        Command::Audit(command) => audit::run(&command.selection, command.all),
    }
}
