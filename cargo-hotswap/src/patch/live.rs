//! `cargo hotswap patch apply`, `revert` and `list`: what is done with patches in programs that run.
//!
//! This needs no cargo and no compiler: a program checks for itself what it is given.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::message::ErrorCode;
use hotswap_protocol::patch::Digest;
use hotswap_protocol::patch::order::{AppliedPatch, PatchOrder, PatchReport};
use serde::Serialize;

use super::{FORMAT, code, file};
use crate::control::find::{Found, Running, Target};
use crate::output::{self, Format};
use crate::program::Declined;

/// Programs, and how to tell what came of it.
#[derive(Debug, Clone, Args)]
struct Programs {
    #[command(flatten)]
    target: Target,
    /// All programs that the patch is for, or that have patches
    #[arg(long, conflicts_with_all = ["pid", "name"], help_heading = "Program Selection")]
    all: bool,
    /// How to tell what came of it, on stdout
    #[arg(long, value_enum, value_name = "FMT", default_value_t)]
    message_format: Format,
}

/// What `patch apply` takes.
#[derive(Debug, Clone, Args)]
pub struct ApplyArgs {
    /// The patch file
    #[arg(value_name = "PATCH", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// Have the program check and load it, and drop it again
    #[arg(long)]
    dry_run: bool,
    /// Have the program go back by itself after this time, such as 15m
    #[arg(long, value_name = "TIME", value_parser = time)]
    ttl: Option<Duration>,
    #[command(flatten)]
    programs: Programs,
}

/// What `patch revert` takes.
#[derive(Debug, Clone, Args)]
pub struct RevertArgs {
    /// Only if this patch is applied: its file, or its digest
    #[arg(value_name = "PATCH")]
    patch: Option<String>,
    #[command(flatten)]
    programs: Programs,
}

/// What `patch list` takes.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    #[command(flatten)]
    programs: Programs,
}

fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| error.to_string())
}

/// What came of it in one program.
#[derive(Debug, Clone, Serialize)]
struct Line {
    format: u32,
    /// The program; null if there is none.
    name: Option<String>,
    pid: Option<u32>,
    /// The exit code that this alone would have.
    code: i32,
    /// The code that runs is another than before.
    changed: bool,
    /// The version that is current.
    version: Option<u64>,
    /// The patch that it was about.
    patch: Option<AppliedPatch>,
    /// Those that are applied, the oldest first.
    applied: Vec<AppliedPatch>,
    /// Entries that lead to new code, of a patch that was loaded.
    entries: Vec<String>,
    /// The name of the failure.
    failure: Option<String>,
    /// The failure in words.
    error: Option<String>,
}

/// What is to be done with each program.
struct Work<'a> {
    order: PatchOrder,
    /// What follows the order.
    file: &'a [u8],
    /// Of all programs, only those of this build.
    build_id: Option<&'a BuildId>,
    tell: fn(&Line),
}

/// Applies a patch; the result is the exit code.
///
/// # Errors
///
/// The file can't be read.
pub fn apply(args: &ApplyArgs) -> Result<i32> {
    let bytes = file::bytes(&args.file)?;
    let contents = match file::read(&args.file, &bytes) {
        Ok((_, contents)) => contents,
        Err(error) => {
            output::failure(&error);
            return Ok(code::NOT_TRUSTED);
        }
    };
    let ttl_ms = args
        .ttl
        .map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
    let work = Work {
        order: PatchOrder::Apply {
            bytes: bytes.len() as u64,
            ttl_ms,
            dry_run: args.dry_run,
        },
        file: &bytes,
        build_id: Some(&contents.patch.base.build_id),
        tell: match args.dry_run {
            true => tell_dry_run,
            false => tell_applied,
        },
    };
    act(&args.programs, &work)
}

/// Goes back from a patch; the result is the exit code.
///
/// # Errors
///
/// The patch that is named can't be read.
pub fn revert(args: &RevertArgs) -> Result<i32> {
    let digest = args.patch.as_deref().map(digest_of).transpose()?;
    let work = Work {
        order: PatchOrder::Revert { digest },
        file: &[],
        build_id: None,
        tell: tell_reverted,
    };
    act(&args.programs, &work)
}

fn digest_of(named: &str) -> Result<Digest> {
    if let Ok(digest) = named.parse() {
        return Ok(digest);
    }
    let path = PathBuf::from(named);
    let bytes = file::bytes(&path)
        .with_context(|| format!("`{named}` is neither a digest nor a patch file"))?;
    Ok(file::read(&path, &bytes)?.1.digest)
}

/// Shows patches; the result is the exit code.
///
/// # Errors
///
/// Output can't be written.
pub fn list(args: &ListArgs) -> Result<i32> {
    let work = Work {
        order: PatchOrder::List {},
        file: &[],
        build_id: None,
        tell: tell_list,
    };
    act(&args.programs, &work)
}

/// Does it with each program that is meant; the first failure decides about the exit code.
fn act(programs: &Programs, work: &Work<'_>) -> Result<i32> {
    let found = match meant(programs, work.build_id) {
        Ok(found) => found,
        Err(error) => {
            let line = Line::failed(None, code::NO_PROGRAM, None, format!("{error:#}"));
            tell(&line, programs.message_format, work.tell)?;
            return Ok(code::NO_PROGRAM);
        }
    };
    let mut result = code::DONE;
    for found in found {
        let line = act_on(found, work);
        if result == code::DONE {
            result = line.code;
        }
        tell(&line, programs.message_format, work.tell)?;
    }
    Ok(result)
}

fn meant(programs: &Programs, build_id: Option<&BuildId>) -> Result<Vec<Found>> {
    let running = Running::look();
    if !programs.all {
        return running.select(&programs.target).map(|found| vec![found]);
    }
    let mut all = running.programs;
    all.retain(|found| {
        let connection = found.connection.as_ref();
        connection.is_some_and(|connection| {
            build_id.is_none_or(|build_id| connection.hello.build_id.as_ref() == Some(build_id))
        })
    });
    if all.is_empty() {
        anyhow::bail!("no running program takes this patch");
    }
    Ok(all)
}

fn act_on(found: Found, work: &Work<'_>) -> Line {
    let program = Some((found.program.name.clone(), found.program.pid));
    let Some(mut connection) = found.connection else {
        let text = format!("{} does not answer", found.program);
        return Line::failed(program, code::NO_PROGRAM, None, text);
    };
    match connection.patch(work.order.clone(), work.file) {
        Ok(report) => Line::done(program, report),
        Err(error) => {
            let declined = error.downcast_ref::<Declined>();
            let failure = declined.map(|declined| declined.code);
            Line::failed(
                program,
                failure.map_or(code::FAILED, code_of),
                failure,
                format!("{error:#}"),
            )
        }
    }
}

/// The exit code for a program's refusal.
fn code_of(failure: ErrorCode) -> i32 {
    match failure {
        ErrorCode::NoKey
        | ErrorCode::NotSigned
        | ErrorCode::BadSignature
        | ErrorCode::PatchDamaged
        | ErrorCode::BadManifest => code::NOT_TRUSTED,
        ErrorCode::WrongBase
        | ErrorCode::WrongHost
        | ErrorCode::WrongStack
        | ErrorCode::PatchExpired
        | ErrorCode::PatchReplayed
        | ErrorCode::PatchInMemory
        | ErrorCode::NotApplied => code::DOES_NOT_FIT,
        ErrorCode::BadRequest | ErrorCode::Internal | ErrorCode::Unknown => code::FAILED,
        _ => code::NOT_TAKEN,
    }
}

impl Line {
    fn done(program: Option<(String, Option<u32>)>, report: PatchReport) -> Self {
        let prepared = report.prepared.unwrap_or_default();
        Self {
            changed: report.changed,
            version: Some(report.version),
            patch: report.subject,
            applied: report.applied,
            entries: [prepared.replaced, prepared.added].concat(),
            error: None,
            ..Self::failed(program, code::DONE, None, String::new())
        }
    }

    fn failed(
        program: Option<(String, Option<u32>)>,
        code: i32,
        failure: Option<ErrorCode>,
        error: String,
    ) -> Self {
        let (name, pid) = program.unzip();
        Self {
            format: FORMAT,
            name,
            pid: pid.flatten(),
            code,
            changed: false,
            version: None,
            patch: None,
            applied: Vec::new(),
            entries: Vec::new(),
            failure: failure.map(ErrorCode::name),
            error: Some(error),
        }
    }

    fn program(&self) -> String {
        let name = self.name.as_deref().unwrap_or("the program");
        match self.pid {
            Some(pid) => format!("{name} (pid {pid})"),
            None => name.to_owned(),
        }
    }
}

fn tell(line: &Line, format: Format, human: fn(&Line)) -> Result<()> {
    match (format, &line.error) {
        (Format::Json, _) => output::print(&(serde_json::to_string(line)? + "\n"))?,
        (Format::Human, Some(error)) => match &line.name {
            Some(_) => output::error(&format!("{}: {error}", line.program())),
            None => output::error(error),
        },
        (Format::Human, None) => human(line),
    }
    Ok(())
}

fn tell_applied(line: &Line) {
    let Some(patch) = &line.patch else { return };
    let until = until(patch);
    let text = match line.changed {
        true => format!(
            "`{}` to {}: version {} ({}){until}",
            patch.name,
            line.program(),
            patch.version,
            line.entries.join(", ")
        ),
        false => format!(
            "`{}` was applied to {} already{until}",
            patch.name,
            line.program()
        ),
    };
    output::status("Applied", &text);
}

fn tell_dry_run(line: &Line) {
    let Some(patch) = &line.patch else { return };
    let entries = match line.entries.is_empty() {
        true => "it is applied already".to_owned(),
        false => line.entries.join(", "),
    };
    let text = format!("{} would take `{}` ({entries})", line.program(), patch.name);
    output::status("Checked", &text);
}

fn tell_reverted(line: &Line) {
    let text = match (&line.patch, line.changed) {
        (Some(patch), true) => format!("`{}` in {}", patch.name, line.program()),
        _ => format!("nothing: it is not applied to {}", line.program()),
    };
    output::status("Reverted", &text);
}

fn tell_list(line: &Line) {
    let mut text = format!("{}: ", line.program());
    match line.applied.is_empty() {
        true => text += "no patches\n",
        false => text += "\n",
    }
    for patch in &line.applied {
        text += &format!(
            "  version {}: `{}` {} (sequence {}){}\n",
            patch.version,
            patch.name,
            patch.digest.short(),
            patch.sequence,
            until(patch)
        );
    }
    // Where it can't be written, nobody reads it.
    let _ = output::print(&text);
}

fn until(patch: &AppliedPatch) -> String {
    match patch.expires_ms {
        Some(ms) => {
            let left = Duration::from_secs(ms.div_ceil(1000));
            format!(", for {}", humantime::format_duration(left))
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_codes_that_stay() {
        for (failure, expected) in [
            (ErrorCode::BadSignature, 10),
            (ErrorCode::NoKey, 10),
            (ErrorCode::PatchDamaged, 10),
            (ErrorCode::WrongBase, 11),
            (ErrorCode::PatchReplayed, 11),
            (ErrorCode::StateBusy, 12),
            (ErrorCode::LoadFailed, 12),
            (ErrorCode::Unknown, 1),
        ] {
            assert_eq!(code_of(failure), expected, "{failure:?}");
        }
    }
}
