//! `cargo hotswap servers`, `suspend`, `resume` and `state`: what the servers of a program do, holding them
//! back and letting them go on, and what one of them has as its state.

use anyhow::{Result, bail};
use clap::{ArgGroup, Args};
use hotswap_protocol::message::ErrorCode;
use hotswap_protocol::servers::{ServerOrder, ServerReport};
use schemars::JsonSchema;
use serde::Serialize;

use crate::control::find::{Running, Target};
use crate::control::verbs::FAILED;
use crate::output::{self, Format};
use crate::program::Declined;

mod human;

/// Version of the JSON form; raised when a field changes its meaning or goes away.
pub const FORMAT: u32 = 1;

/// What `servers` takes.
#[derive(Debug, Clone, Args)]
pub struct ServersArgs {
    #[command(flatten)]
    target: Target,
    /// How to tell it, on stdout
    #[arg(long, value_enum, value_name = "FMT", default_value_t)]
    message_format: Format,
}

/// What `resume` takes.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("which").required(true))]
pub struct ResumeArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    program: ServersArgs,
}

/// What `suspend` takes.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("which").required(true))]
pub struct SuspendArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    program: ServersArgs,
}

/// What `state` takes.
#[derive(Debug, Clone, Args)]
pub struct StateArgs {
    /// Name or number of the server
    #[arg(value_name = "SERVER")]
    server: String,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    program: ServersArgs,
}

/// One server or all.
#[derive(Debug, Clone, Args)]
struct Which {
    /// Name or number of the server
    #[arg(value_name = "SERVER", group = "which")]
    server: Option<String>,
    /// All servers, those that are started later too
    #[arg(long, group = "which")]
    all: bool,
}

/// How long the program may take.
#[derive(Debug, Clone, Args)]
struct Patience {
    /// Seconds that a handler may still run; afterwards nothing is done
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = seconds)]
    timeout: f64,
}

impl Patience {
    fn ms(&self) -> u64 {
        // It is no more than an hour, and not negative.
        (self.timeout * 1e3) as u64
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if (0.0..=3600.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("it must be from 0 to 3600".to_owned())
    }
}

/// What these commands print with `--message-format=json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(
    title = "Line of `cargo hotswap servers --message-format=json`, and of `suspend`, `resume`, `state`"
)]
pub struct ServersLine {
    /// The version of this form.
    #[schemars(extend("const" = FORMAT))]
    pub format: u32,
    /// The name of the program.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// Why it was not done; null if it was.
    pub error: Option<String>,
    /// The servers that the command is about, in the order in which they were started.
    pub servers: Vec<ServerLine>,
    /// The state that was asked for, as the server's type shows it.
    pub state: Option<String>,
}

/// One server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct ServerLine {
    /// Its number.
    pub number: u64,
    /// The name that it was started under.
    pub name: Option<String>,
    /// Its type.
    pub kind: String,
    /// `starting`, `idle`, `busy`, `suspended` (its messages wait for `resume`), `waiting` (for the turn of
    /// servers that it comes after, in a new version), `ending` or `other`.
    pub activity: String,
    /// Milliseconds since it began with the message that it handles.
    pub busy_ms: Option<u64>,
    /// Messages that wait.
    pub waiting: u64,
    /// Messages that were handled.
    pub handled: u64,
    /// How often it was started again.
    pub restarts: u64,
    /// The version whose code ran last.
    pub version: u64,
}

/// Shows what servers do; the result is the exit code.
pub fn run(args: &ServersArgs) -> i32 {
    finish(args, &ServerOrder::List {})
}

/// Holds back messages.
pub fn suspend(args: &SuspendArgs) -> i32 {
    let order = ServerOrder::Suspend {
        server: args.which.server.clone(),
        limit_ms: args.patience.ms(),
        only_while_connected: false,
    };
    finish(&args.program, &order)
}

/// Lets servers go on.
pub fn resume(args: &ResumeArgs) -> i32 {
    let order = ServerOrder::Resume {
        server: args.which.server.clone(),
    };
    finish(&args.program, &order)
}

/// Shows the state of a server.
pub fn state(args: &StateArgs) -> i32 {
    let order = ServerOrder::State {
        server: args.server.clone(),
        limit_ms: args.patience.ms(),
    };
    finish(&args.program, &order)
}

fn finish(args: &ServersArgs, order: &ServerOrder) -> i32 {
    let mut line = ServersLine {
        format: FORMAT,
        ..ServersLine::default()
    };
    let outcome = ask(args, order, &mut line);
    let told = match (&outcome, args.message_format) {
        (_, Format::Json) => {
            line.error = outcome.as_ref().err().map(|error| format!("{error:#}"));
            serde_json::to_string(&line)
                .map_err(Into::into)
                .and_then(|text| output::print(&(text + "\n")))
        }
        (Ok(()), Format::Human) => human::tell(order, &line),
        (Err(error), Format::Human) => {
            output::failure(error);
            Ok(())
        }
    };
    match (outcome, told) {
        (Ok(()), Ok(())) => 0,
        (_, Err(error)) => {
            output::failure(&error);
            FAILED
        }
        (Err(_), Ok(())) => FAILED,
    }
}

fn ask(args: &ServersArgs, order: &ServerOrder, line: &mut ServersLine) -> Result<()> {
    let found = Running::look(&args.target).select(&args.target)?;
    line.name.clone_from(&found.program.name);
    let Some(mut connection) = found.connection else {
        bail!("{} does not answer", found.program);
    };
    line.pid = connection.pid;
    let report = connection.servers(order.clone()).map_err(explained)?;
    line.servers = report.servers.into_iter().map(server).collect();
    line.state = report.state;
    Ok(())
}

/// The program's own words, and what can be done.
fn explained(error: anyhow::Error) -> anyhow::Error {
    let Some(Declined { code, message }) = error.downcast_ref() else {
        return error;
    };
    let help = match code {
        ErrorCode::NoSuchServer => "`cargo hotswap servers` lists them",
        ErrorCode::ServerBusy => {
            "nothing was changed; `--timeout` waits longer for handlers that run"
        }
        ErrorCode::BadRequest => "build the program with the runtime of this version of hotswap",
        _ => return error,
    };
    anyhow::anyhow!("{message}\n  = help: {help}")
}

fn server(server: ServerReport) -> ServerLine {
    let activity = serde_json::to_value(server.activity).unwrap_or_default();
    ServerLine {
        number: server.number,
        name: server.name,
        kind: server.kind,
        activity: activity.as_str().unwrap_or_default().to_owned(),
        busy_ms: server.busy_ms,
        waiting: server.waiting,
        handled: server.handled,
        restarts: server.restarts,
        version: server.version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_done_is_said() {
        for (code, expected) in [
            (ErrorCode::NoSuchServer, "no\n  = help: `cargo hotswap"),
            (ErrorCode::ServerBusy, "no\n  = help: nothing was changed"),
            (ErrorCode::BadRequest, "no\n  = help: build the program"),
            (ErrorCode::StateHidden, "no"),
        ] {
            let message = "no".to_owned();
            let text = explained(Declined { code, message }.into()).to_string();
            assert!(text.starts_with(expected), "{code:?}: {text}");
        }
    }

    #[test]
    fn timeouts() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1.5", Some(1500)),
            ("3600", Some(3_600_000)),
        ] {
            let timeout = seconds(text).ok();
            assert_eq!(timeout.map(|timeout| Patience { timeout }.ms()), expected);
        }
        for text in ["-1", "x", "NaN", "3601"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
