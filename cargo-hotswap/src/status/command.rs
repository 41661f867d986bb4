//! `cargo hotswap status`: asks programs and their tools, and prints what they say.

use anyhow::{Result, bail};
use clap::Args;
use hotswap_protocol::status::VersionStatus;

use super::{
    CallsInfo, FORMAT, ImageInfo, ProgramStatus, RunStatus, StatusReport, VersionInfo, follow,
    human,
};
use crate::control::find::{Found, HOW_TO_START, Running, Target};
use crate::control::verbs::FAILED;
use crate::output::{self, Format};
use crate::program::Connection;

/// What `status` takes.
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    target: Target,
    /// How to tell it, on stdout
    #[arg(long, value_enum, value_name = "FMT", default_value_t)]
    message_format: Format,
    /// Go on with what `cargo hotswap run` tells, as it happens
    #[arg(short, long)]
    follow: bool,
}

/// Prints the status of the program that is meant, or of all where none is named; the result is
/// the exit code: 0, or 1 if there is none or it is not clear which is meant.
pub fn run(args: &StatusArgs) -> i32 {
    tell(args).unwrap_or_else(|error| {
        output::failure(&error);
        FAILED
    })
}

fn tell(args: &StatusArgs) -> Result<i32> {
    let running = Running::look(&args.target);
    for (path, problem) in &running.silent {
        let process = path.file_stem().unwrap_or_default().to_string_lossy();
        output::warning(&format!("process {process} has a socket, but {problem}"));
    }
    let found = if args.target.is_open() && !args.follow {
        running.programs
    } else {
        vec![running.select(&args.target)?]
    };
    if found.is_empty() {
        bail!("no program is running under `cargo hotswap`{HOW_TO_START}");
    }
    let mut tools = Vec::new();
    let mut programs = Vec::new();
    for found in found {
        let (status, tool) = of(found);
        programs.push(status);
        tools.extend(tool);
    }
    let report = StatusReport {
        format: FORMAT,
        programs,
    };
    if !output::offer(&text(&report, args.message_format)?)? || !args.follow {
        return Ok(0);
    }
    match tools.pop() {
        Some(tool) => follow::follow(tool, args.message_format),
        None => {
            output::error(
                "there is nothing to follow: the `cargo hotswap run` that started the \
                 program has ended or does not answer",
            );
            Ok(FAILED)
        }
    }
}

fn text(report: &StatusReport, format: Format) -> Result<String> {
    Ok(match format {
        Format::Json => serde_json::to_string(report)? + "\n",
        Format::Human => {
            let texts = report.programs.iter().map(human::program);
            texts.collect::<Vec<_>>().join("\n")
        }
    })
}

/// What a program and its tool say, and the conversation with the tool.
fn of(found: Found) -> (ProgramStatus, Option<crate::control::client::Client>) {
    let Found {
        program,
        tool,
        connection,
    } = found;
    let mut status = ProgramStatus {
        name: program.name,
        pid: program.pid,
        executable: program.executable,
        ..ProgramStatus::default()
    };
    if let Some(mut connection) = connection {
        add_versions(&mut status, &mut connection);
    }
    let mut tool = tool;
    status.run = tool.as_mut().and_then(|tool| tool.status().ok());
    (status, tool)
}

fn add_versions(status: &mut ProgramStatus, connection: &mut Connection) {
    // A program that ends meanwhile has not answered.
    let Ok(answer) = connection.status() else {
        return;
    };
    status.answers = true;
    status.version = answer.version;
    status.versions = answer.versions.into_iter().map(version).collect();
}

fn version(version: VersionStatus) -> VersionInfo {
    VersionInfo {
        number: version.number,
        state: version.state.to_string(),
        age_ms: version.age_ms,
        label: version.label,
        image: version.image.map(|image| ImageInfo {
            path: image.path,
            base: image.base,
            mapped_bytes: image.mapped_bytes,
        }),
        in_flight: version
            .in_flight
            .into_iter()
            .map(|calls| CallsInfo {
                entry: calls.entry,
                calls: calls.calls,
            })
            .collect(),
    }
}

/// The status of this very run, for people: what the key `s` shows.
pub fn of_run(run: &RunStatus) -> String {
    let start = run.starts.last().filter(|start| start.end.is_none());
    let mut status = ProgramStatus {
        name: run.name.clone(),
        pid: start.map(|start| start.pid),
        executable: run.executable.clone(),
        run: Some(run.clone()),
        ..ProgramStatus::default()
    };
    let connection = status.pid.and_then(|pid| Connection::open(pid).ok());
    if let Some(mut connection) = connection {
        add_versions(&mut status, &mut connection);
    }
    human::program(&status)
}
