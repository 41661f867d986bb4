//! `cargo hotswap restart`, `revert` and `quit`: asks the tool that runs the program, waits, and
//! tells how it went.

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;

use super::find::{Found, Running, Target};
use super::message::{Outcome, OutcomeKind, Verb};
use crate::output::{self, Format};

/// Version of the JSON form; raised when a field changes its meaning or goes away.
const FORMAT: u32 = 1;

/// The exit code of a verb that was refused or failed.
pub const FAILED: i32 = 1;

/// What such a verb takes.
#[derive(Debug, Clone, Args)]
pub struct VerbArgs {
    #[command(flatten)]
    pub(super) target: Target,
    /// How to tell what came of it, on stdout
    #[arg(long, value_enum, value_name = "FMT", default_value_t)]
    pub(super) message_format: Format,
}

/// What `restart` takes.
#[derive(Debug, Clone, Args)]
pub struct RestartArgs {
    #[command(flatten)]
    verb: VerbArgs,
    /// Only if the state in all cells can be carried over; else the program runs on
    #[arg(long)]
    with_state: bool,
}

/// Does it, as [`run`].
///
/// # Errors
///
/// As for [`run`].
pub fn restart(args: &RestartArgs) -> Result<i32> {
    let verb = match args.with_state {
        true => Verb::RestartWithState,
        false => Verb::Restart,
    };
    run(verb, &args.verb)
}

/// One line of JSON.
#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    verb: &'a str,
    name: &'a str,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

/// Does it; the result is the exit code: 0 if it is done, 1 if it was refused or failed.
///
/// # Errors
///
/// Standard output can't be written.
pub fn run(verb: Verb, args: &VerbArgs) -> Result<i32> {
    let mut name = String::new();
    let past = past(&verb);
    let told = told(&verb);
    let mut outcome = match perform(verb, &args.target, &mut name) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::failed(format!("{error:#}")),
    };
    let done = outcome.result == OutcomeKind::Done;
    match args.message_format {
        Format::Json => {
            outcome.message = anstream::adapter::strip_str(&outcome.message).to_string();
            let report = Report {
                format: FORMAT,
                verb: told,
                name: &name,
                outcome: &outcome,
            };
            output::print(&(serde_json::to_string(&report)? + "\n"))?;
        }
        Format::Human if done => output::status(past, &outcome.message),
        Format::Human => output::error(&outcome.message),
    }
    Ok(if done { 0 } else { FAILED })
}

fn past(verb: &Verb) -> &'static str {
    match verb {
        Verb::Restart | Verb::RestartWithState => "Restarted",
        Verb::Revert => "Reverted",
        Verb::Quit => "Ended",
        Verb::Compile { .. } | Verb::Load { .. } => "Loaded",
        Verb::Check | Verb::Modules { .. } => "Checked",
    }
}

/// The verb in the JSON form.
fn told(verb: &Verb) -> &'static str {
    match verb {
        Verb::RestartWithState => "restart-with-state",
        other => other.name(),
    }
}

/// Has a program's tool do something.
///
/// # Errors
///
/// It is not clear which program, or it has no tool any more, or that ends.
pub(super) fn perform(verb: Verb, target: &Target, name: &mut String) -> Result<Outcome> {
    let Found { program, tool, .. } = Running::look(target).select(target)?;
    name.clone_from(&program.name);
    let Some(tool) = tool else {
        bail!(
            "{program} can't be told to {}\n  \
             = why: the `cargo hotswap run` that started it has ended or was killed; the program \
             runs on with the code that it has, and only `cargo hotswap status` can be asked\n  \
             = help: end the program yourself, and start it with `cargo hotswap run`",
            match verb.name() {
                name @ ("restart" | "revert" | "quit") => name,
                _ => "compile anything",
            }
        );
    };
    tool.perform(verb).with_context(|| {
        format!(
            "`cargo hotswap run` (process {}) ended without an answer",
            program.tool.unwrap_or_default()
        )
    })
}
