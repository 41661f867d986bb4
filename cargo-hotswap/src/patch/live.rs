//! `cargo hotswap patch apply`, `revert` and `list`: what is done with patches in programs that run.
//!
//! This needs no cargo and no compiler: a program checks for itself what it is given.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::patch::Digest;
use hotswap_protocol::patch::order::PatchOrder;

use super::line::{self, Line};
use super::trial::{Trial, TrialArgs};
use super::{code, file};
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
    #[arg(long, value_name = "TIME", value_parser = super::time)]
    ttl: Option<Duration>,
    #[command(flatten)]
    trial: TrialArgs,
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

/// What is to be done with each program.
pub(super) struct Work<'a> {
    order: PatchOrder,
    /// What follows the order.
    file: &'a [u8],
    /// Of all programs, only those of this build.
    build_id: Option<&'a BuildId>,
    tell: fn(&Line),
}

impl Work<'_> {
    /// What needs no file, with any program.
    pub(super) fn about(order: PatchOrder, tell: fn(&Line)) -> Self {
        Self {
            order,
            file: &[],
            build_id: None,
            tell,
        }
    }
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
    let trial = Trial::of(&args.trial, contents.digest);
    let for_a_time = args.ttl.is_some() || trial.is_some();
    let no_way_back = contents.patch.plan.no_way_back.as_slice();
    if for_a_time && !no_way_back.is_empty() {
        let line = Line::failed(None, code::DOES_NOT_FIT, None, stays(no_way_back));
        line::tell(&line, args.programs.message_format, line::tell_applied)?;
        return Ok(code::DOES_NOT_FIT);
    }
    let work = |ttl: Option<Duration>, tell: fn(&Line)| Work {
        order: PatchOrder::Apply {
            bytes: bytes.len() as u64,
            ttl_ms: ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)),
            dry_run: args.dry_run,
        },
        file: &bytes,
        build_id: Some(&contents.patch.base.build_id),
        tell,
    };
    let tell = match args.dry_run {
        true => line::tell_dry_run,
        false => line::tell_applied,
    };
    let Some(mut trial) = trial else {
        return act(&args.programs, &work(args.ttl, tell));
    };
    let (on_trial, format) = (work(Some(trial.ttl()), tell), args.programs.message_format);
    let Some(mut programs) = found(&args.programs, &on_trial)? else {
        return Ok(code::NO_PROGRAM);
    };
    trial.begin(&mut programs);
    let taken = act_on_all(&mut programs, &on_trial, format)?;
    if programs.is_empty() {
        return Ok(taken);
    }
    let held = trial.run(programs, &work(args.ttl, line::tell_kept), format)?;
    Ok(if taken == code::DONE { held } else { taken })
}

/// Why a patch is not applied for a time.
fn stays(no_way_back: &[String]) -> String {
    format!(
        "no program goes back from the patch, so it can't be applied for a time\n  = why: {}\n  \
         = help: apply it without `--ttl` and `--watch`, if it may stay until the program ends",
        no_way_back.join("; ")
    )
}

/// Goes back from a patch; the result is the exit code.
///
/// # Errors
///
/// The patch that is named can't be read.
pub fn revert(args: &RevertArgs) -> Result<i32> {
    let digest = args.patch.as_deref().map(digest_of).transpose()?;
    let order = PatchOrder::Revert { digest };
    act(&args.programs, &Work::about(order, line::tell_reverted))
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
    let work = Work::about(PatchOrder::List {}, line::tell_list);
    act(&args.programs, &work)
}

/// Does it with each program that is meant; the first failure decides about the exit code.
fn act(programs: &Programs, work: &Work<'_>) -> Result<i32> {
    let Some(mut found) = found(programs, work)? else {
        return Ok(code::NO_PROGRAM);
    };
    act_on_all(&mut found, work, programs.message_format)
}

/// The programs that are meant; without any, that is told.
fn found(programs: &Programs, work: &Work<'_>) -> Result<Option<Vec<Found>>> {
    match meant(programs, work.build_id) {
        Ok(found) => Ok(Some(found)),
        Err(error) => {
            let line = Line::failed(None, code::NO_PROGRAM, None, format!("{error:#}"));
            line::tell(&line, programs.message_format, work.tell)?;
            Ok(None)
        }
    }
}

/// Does it with each of them, and leaves those where it succeeded. The first failure decides about the exit code.
pub(super) fn act_on_all(
    programs: &mut Vec<Found>,
    work: &Work<'_>,
    format: Format,
) -> Result<i32> {
    let mut result = code::DONE;
    for mut found in std::mem::take(programs) {
        let line = act_on(&mut found, work);
        if line.code == code::DONE {
            programs.push(found);
        } else if result == code::DONE {
            result = line.code;
        }
        line::tell(&line, format, work.tell)?;
    }
    Ok(result)
}

fn meant(programs: &Programs, build_id: Option<&BuildId>) -> Result<Vec<Found>> {
    let running = Running::look(&programs.target);
    if !programs.all {
        return running.select(&programs.target).map(|found| vec![found]);
    }
    for text in running.silent_programs() {
        output::warning(&format!("{text}, and is left out"));
    }
    let mut all = running.programs;
    all.retain(|found| {
        let connection = found.connection.as_ref();
        connection.is_some_and(|connection| {
            build_id.is_none_or(|build_id| connection.hello.build_id.as_ref() == Some(build_id))
        })
    });
    if all.is_empty() {
        anyhow::bail!(match build_id {
            Some(_) => "no running program takes this patch",
            None => "no program is running that takes patches",
        });
    }
    Ok(all)
}

pub(super) fn act_on(found: &mut Found, work: &Work<'_>) -> Line {
    let program = Some((found.program.name.clone(), found.program.pid));
    let Some(connection) = &mut found.connection else {
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
                failure.map_or(code::FAILED, line::code_of),
                failure,
                format!("{error:#}"),
            )
        }
    }
}
