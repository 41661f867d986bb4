//! `cargo hotswap versions`, `soft-purge` and `purge`: which versions a program has in memory, what keeps
//! the old ones there, and taking out what nobody needs.

use anyhow::{Result, bail};
use clap::Args;
use hotswap_protocol::purge::{Kept, Manner, PurgeReport};
use hotswap_protocol::servers::ServerOrder;
use hotswap_protocol::status::VersionStatus;
use schemars::JsonSchema;
use serde::Serialize;

use crate::control::find::{Running, Target};
use crate::control::verbs::FAILED;
use crate::output::{self, Format};
use crate::program::Connection;

mod human;

/// Version of the JSON form; raised when a field changes its meaning or goes away.
pub const FORMAT: u32 = 1;

/// What these commands take.
#[derive(Debug, Clone, Args)]
pub struct ProgramArgs {
    #[command(flatten)]
    target: Target,
    /// How to tell it, on stdout
    #[arg(long, value_enum, value_name = "FMT", default_value_t)]
    message_format: Format,
}

/// What `versions` takes.
#[derive(Debug, Clone, Args)]
pub struct VersionsArgs {
    #[command(flatten)]
    program: ProgramArgs,
    /// Look who refers to each old version: all threads stand for a moment, for 10 ms at most
    #[arg(long)]
    holders: bool,
}

/// What `purge` takes.
#[derive(Debug, Clone, Args)]
pub struct PurgeArgs {
    #[command(flatten)]
    program: ProgramArgs,
    /// Only tell what would be done
    #[arg(long)]
    dry_run: bool,
}

/// What these commands print with `--message-format=json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "Line of `cargo hotswap versions --message-format=json`, and of `purge`")]
pub struct VersionsReport {
    /// The version of this form.
    #[schemars(extend("const" = FORMAT))]
    pub format: u32,
    /// The name of the program.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// Numbers of versions that this command took out of memory, or would take out.
    pub purged: Vec<u64>,
    /// Numbers of versions that could be gone back to, and no longer can (or would no longer).
    pub ways_given_up: Vec<u64>,
    /// Threads, tasks and servers' handlers that were told to end, or would be.
    pub ended: Vec<String>,
    /// All versions since the start of the program, oldest first.
    pub versions: Vec<VersionLine>,
}

/// One version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct VersionLine {
    /// Its number; 0 is the program as it was started.
    pub number: u64,
    /// `loading`, `current`, `draining`, `retained` or `purged`.
    pub state: String,
    /// Milliseconds since it was loaded.
    pub age_ms: u64,
    /// The version whose code it has, if it is a revert.
    pub reverts_to: Option<u64>,
    /// Bytes of address space that its image takes; null without one.
    pub mapped_bytes: Option<u64>,
    /// Calls and unfinished futures under way in it, by entry.
    pub in_flight: Vec<CallsLine>,
    /// Servers whose code was of it when they last handled something.
    pub servers: u64,
    /// Who refers to it, as far as the last look told.
    pub holders: Vec<HolderLine>,
    /// Why that look could not tell all.
    pub obstacle: Option<String>,
    /// What went wrong in its functions that are marked `on_purge`.
    pub remarks: Vec<String>,
    /// How often it was tried to take it out of memory.
    pub attempts: u64,
    /// Microseconds for which all threads stood in the last attempt.
    pub stood_us: u64,
}

/// Calls under way in one entry.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct CallsLine {
    /// The entry.
    pub entry: String,
    /// How many.
    pub calls: u64,
}

/// Somebody who refers to a version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct HolderLine {
    /// `calls`, `entry`, `cell`, `elements`, `way-back`, `shared`, `stack`, `register`, `static`, `memory`, `signal` or
    /// `loader`.
    pub kind: String,
    /// A thread's name, an entry's or cell's path, a file, a signal's number.
    pub name: String,
    /// The thread's number.
    pub thread: Option<i32>,
    /// The static that refers to it.
    pub symbol: Option<String>,
    /// Where in memory.
    pub address: u64,
    /// The function or static of the version that is referred to.
    pub to: Option<String>,
    /// What words beside it refer to.
    pub near: Vec<String>,
    /// How many such references.
    pub words: u64,
}

/// Prints the versions; the result is the exit code.
pub fn run(args: &VersionsArgs) -> i32 {
    let manner = args.holders.then_some(Manner::DryRun);
    finish(tell(&args.program, manner, false))
}

/// Takes out what nobody needs.
pub fn soft_purge(args: &ProgramArgs) -> i32 {
    finish(tell(args, Some(Manner::Soft), true))
}

/// The same, after ways back were given up; or only tells what would come of it.
pub fn purge(args: &PurgeArgs) -> i32 {
    let manner = if args.dry_run {
        Manner::DryRun
    } else {
        Manner::Full
    };
    finish(tell(&args.program, Some(manner), true))
}

fn finish(outcome: Result<()>) -> i32 {
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            output::failure(&error);
            FAILED
        }
    }
}

fn tell(args: &ProgramArgs, manner: Option<Manner>, is_purge: bool) -> Result<()> {
    let found = Running::look(&args.target).select(&args.target)?;
    let Some(mut connection) = found.connection else {
        bail!("{} does not answer", found.program);
    };
    let report = manner.map(|manner| connection.purge(manner)).transpose()?;
    let mut report = gather(&mut connection, report.unwrap_or_default(), is_purge)?;
    report.name = found.program.name;
    let text = match args.message_format {
        Format::Json => serde_json::to_string(&report)? + "\n",
        Format::Human if is_purge => human::purge(&report, manner == Some(Manner::DryRun)),
        Format::Human => human::versions(&report),
    };
    output::print(&text)
}

fn gather(
    connection: &mut Connection,
    purged: PurgeReport,
    is_purge: bool,
) -> Result<VersionsReport> {
    let status = connection.status()?;
    // A program of an older runtime tells nothing of them.
    let servers = connection.servers(ServerOrder::List {});
    let servers = servers.unwrap_or_default().servers;
    let mut report = VersionsReport {
        format: FORMAT,
        pid: connection.pid,
        ..VersionsReport::default()
    };
    for version in status.versions {
        let told = purged
            .versions
            .iter()
            .find(|it| it.number == version.number);
        if let Some(told) = told.filter(|told| told.free && is_purge) {
            report.purged.push(told.number);
        }
        let kept = told.map(|told| told.kept.clone());
        let servers = servers.iter().filter(|it| it.version == version.number);
        let servers = servers.count() as u64;
        report.versions.push(VersionLine {
            servers,
            ..line(version, kept)
        });
    }
    if is_purge {
        report.ways_given_up = purged.ways_given_up;
        report.ended = purged.ended;
    }
    Ok(report)
}

fn line(version: VersionStatus, kept: Option<Kept>) -> VersionLine {
    let kept = kept.or(version.kept).unwrap_or_default();
    let calls = version.in_flight.into_iter().map(|calls| CallsLine {
        entry: calls.entry,
        calls: calls.calls,
    });
    VersionLine {
        number: version.number,
        state: version.state.to_string(),
        age_ms: version.age_ms,
        reverts_to: version.reverts_to,
        mapped_bytes: version.image.map(|image| image.mapped_bytes),
        in_flight: calls.collect(),
        servers: 0,
        holders: kept.holders.into_iter().map(holder).collect(),
        obstacle: kept.obstacle,
        remarks: kept.remarks,
        attempts: kept.attempts,
        stood_us: kept.stood_us,
    }
}

fn holder(holder: hotswap_protocol::purge::Holder) -> HolderLine {
    let kind = serde_json::to_value(holder.kind).unwrap_or_default();
    let plain = |symbol: String| format!("{:#}", rustc_demangle::demangle(&symbol));
    HolderLine {
        kind: kind.as_str().unwrap_or_default().to_owned(),
        name: holder.name,
        thread: holder.thread,
        symbol: holder.symbol.map(plain),
        address: holder.address,
        to: holder.to.map(plain),
        near: holder.near.into_iter().map(plain).collect(),
        words: holder.words,
    }
}
