//! The command line of `cargo hotswap`.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::audit;
use crate::base::build;
use crate::clean;
use crate::completions::{self, CompletedShell};
use crate::config;
use crate::control::crates::{self, CompileArgs, LoadArgs, ModulesArgs};
use crate::control::message::Verb;
use crate::control::verbs::{self, RestartArgs, VerbArgs};
use crate::doctor;
use crate::events::reporter::Settings;
use crate::events::{MessageFormat, Reporter};
use crate::init;
use crate::man;
use crate::output;
use crate::patch::{self, PatchArgs};
use crate::release::{self, ReleaseArgs};
use crate::selection::{Colour, Diagnostics, Messages, Selection};
use crate::servers::{self, ResumeArgs, ServersArgs, StateArgs, SuspendArgs};
use crate::session;
use crate::shell::{self, ShellArgs};
use crate::status::{self, command::StatusArgs};
use crate::timings::{self, TimingsArgs};
use crate::versions::{self, ProgramArgs, PurgeArgs, VersionsArgs};

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

/// What follows `cargo hotswap`.
#[derive(Debug, Args)]
pub struct Hotswap {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a binary or example, and make each save live in the running process
    Run(Run),
    /// Build a program that takes patches while it runs, and the base that they are built from
    Build(build::Options),
    /// Make, check and apply signed patches of programs that run without the tool
    Patch(PatchArgs),
    /// Make releases, go over to them in a program that runs, and back
    Release(ReleaseArgs),
    /// Add the runtime to a package, and show and mark functions that are worth an entry
    Init(init::Options),
    /// Start a running program again, on the newest code
    Restart(RestartArgs),
    /// Make the code of the version before current again
    Revert(VerbArgs),
    /// End a running program, and its tool with it
    Quit(VerbArgs),
    /// Show versions, calls under way, images and swaps of running programs
    Status(StatusArgs),
    /// Show the versions of a running program, and what keeps old ones in memory
    Versions(VersionsArgs),
    /// Take old versions out of memory that nothing refers to
    SoftPurge(ProgramArgs),
    /// The same, after the ways back to older code were given up
    Purge(PurgeArgs),
    /// Compile a crate of a running program, edited or not, and make it live
    C(CompileArgs),
    /// Make live what was edited of a crate and is not
    L(LoadArgs),
    /// The same for all crates
    Lm(VerbArgs),
    /// Show which crates have edits that are not live
    Mm(VerbArgs),
    /// Show the crates of a running program: version, image, sources
    M(ModulesArgs),
    /// Compile what was edited and is not live, and tell whether it could go live
    Check(VerbArgs),
    /// Show the servers of a running program, and what they do
    Servers(ServersArgs),
    /// Hold back the messages of a server, or of all at the same time
    Suspend(SuspendArgs),
    /// Let a server, or all, go on
    Resume(ResumeArgs),
    /// Show the state of a server
    State(StateArgs),
    /// Take commands for one running program in a shell, with history and completion
    Shell(ShellArgs),
    /// Show where the time of swaps went, and write a page about it
    Timings(TimingsArgs),
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
    #[arg(
        long,
        value_name = "FMT",
        default_value = "human",
        hide_default_value = true,
        value_parser = message_formats().try_map(|name| message_format(&name))
    )]
    message_format: MessageFormat,
    /// Refused: it is of no use to somebody who wants to run a program
    #[arg(long, hide = true)]
    unit_graph: bool,
    #[command(flatten)]
    control: session::options::Control,
    /// Arguments for the binary or example to run
    #[arg(trailing_var_arg = true, value_name = "ARGS")]
    args: Vec<OsString>,
}

/// The forms, and cargo's own, for which there is an answer.
fn message_formats() -> PossibleValuesParser {
    let own = ["human", "short", "json"].map(PossibleValue::new);
    let cargos = [
        "json-diagnostic-short",
        "json-diagnostic-rendered-ansi",
        "json-render-diagnostics",
    ];
    let cargos = cargos.map(|name| PossibleValue::new(name).hide(true));
    PossibleValuesParser::new(own.into_iter().chain(cargos))
}

fn message_format(value: &str) -> Result<MessageFormat, String> {
    match value {
        "human" => Ok(MessageFormat::Human),
        "short" => Ok(MessageFormat::Short),
        "json" => Ok(MessageFormat::Json),
        _ => Err(
            "`cargo hotswap` has events of its own, of which the compiler's messages are part; \
             use `json`"
                .to_owned(),
        ),
    }
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
    perform(hotswap)
}

/// Does what was asked for.
///
/// # Errors
///
/// As for [`run`].
pub fn perform(hotswap: Hotswap) -> Result<i32> {
    match hotswap.command {
        Command::Run(run) => run_program(run),
        Command::Build(options) => {
            settings(&options.selection.messages, MessageFormat::Human)?;
            build::run(&options)
        }
        Command::Patch(args) => patch::run(&args),
        Command::Release(args) => release::run(args),
        Command::Restart(args) => verbs::restart(&args),
        Command::Revert(args) => verbs::run(Verb::Revert, &args),
        Command::Quit(args) => verbs::run(Verb::Quit, &args),
        Command::Timings(args) => Ok(timings::run(&args)),
        Command::Versions(args) => Ok(versions::run(&args)),
        Command::SoftPurge(args) => Ok(versions::soft_purge(&args)),
        Command::Purge(args) => Ok(versions::purge(&args)),
        Command::C(args) => crates::compile(&args),
        Command::L(args) => crates::load(&args),
        Command::Lm(args) => verbs::run(Verb::Load { module: None }, &args),
        Command::Mm(args) => crates::show(None, &args, true),
        Command::M(args) => crates::show_one(&args),
        Command::Check(args) => verbs::run(Verb::Check, &args),
        Command::Shell(args) => shell::run(&args),
        Command::Servers(args) => Ok(servers::run(&args)),
        Command::Suspend(args) => Ok(servers::suspend(&args)),
        Command::Resume(args) => Ok(servers::resume(&args)),
        Command::State(args) => Ok(servers::state(&args)),
        Command::Status(args) => Ok(status::command::run(&args)),
        Command::Audit(command) => {
            settings(&command.selection.messages, MessageFormat::Human)?;
            audit::run(&command.selection, command.all)
        }
        Command::Init(options) => init::run(&options),
        Command::Doctor(options) => {
            settings(&options.selection.messages, MessageFormat::Human)?;
            doctor::run(&options)
        }
        Command::Config(command) => {
            settings(&command.selection.messages, MessageFormat::Human)?;
            config::show::run(&command.selection, command.message_format)
        }
        Command::Clean(options) => clean::run(&options),
        Command::Completions(command) => {
            output::print(&completions::script(command.shell)).map(|()| 0)
        }
        Command::Man(command) => man::run(&command.out),
    }
}

fn run_program(mut run: Run) -> Result<i32> {
    let settings = settings(&run.selection.messages, run.message_format)?;
    if run.unit_graph {
        bail!(
            "`--unit-graph` shows what cargo would build instead of building it, so there is \
             nothing to run\n  = help: use `cargo build --unit-graph`"
        );
    }
    run.selection.messages.diagnostics = match run.message_format {
        MessageFormat::Human => Diagnostics::Shown,
        MessageFormat::Short => Diagnostics::Short,
        MessageFormat::Json => Diagnostics::Collected,
    };
    session::run(&session::Options {
        selection: run.selection,
        args: run.args,
        reporter: Reporter::new(settings),
        control: run.control,
    })
}

/// How to tell what happens: as the flags say, else as cargo's configuration, in which its
/// variables are.
fn settings(messages: &Messages, format: MessageFormat) -> Result<Settings> {
    let (verbose, quiet) = (messages.verbose > 0, messages.quiet);
    if verbose && quiet {
        bail!("cannot set both --verbose and --quiet");
    }
    let term = cargo_config2::Config::load().map(|config| config.term);
    let term = term.unwrap_or_default();
    let given = verbose || quiet;
    let colour = messages.color.or_else(|| term.color.map(configured));
    let colour = match colour {
        Some(Colour::Always) => Some(true),
        Some(Colour::Never) => Some(false),
        Some(Colour::Auto) | None => None,
    };
    if let Some(colour) = colour {
        // For messages that don't go through a reporter, too.
        let choice = match colour {
            true => anstream::ColorChoice::Always,
            false => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
    Ok(Settings {
        format,
        verbose: if given {
            verbose
        } else {
            term.verbose == Some(true)
        },
        quiet: if given {
            quiet
        } else {
            term.quiet == Some(true)
        },
        colour,
    })
}

fn configured(colour: cargo_config2::Color) -> Colour {
    match colour {
        cargo_config2::Color::Always => Colour::Always,
        cargo_config2::Color::Never => Colour::Never,
        _ => Colour::Auto,
    }
}
