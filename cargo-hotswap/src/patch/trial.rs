//! `patch apply --watch`: a patch that stays only if it holds.
//!
//! The program is told to go back by itself a little after the time that it is watched. So it does whatever becomes
//! of this tool; only in the end it is told that the patch stays.

use std::collections::BTreeMap;
use std::io;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use hotswap_protocol::patch::Digest;
use hotswap_protocol::patch::order::{AppliedPatch, PatchOrder};

use super::code;
use super::line;
use super::live::{self, Work};
use crate::children;
use crate::control::find::Found;
use crate::output::{self, Format};
use crate::session::signals;
use crate::shell_command;

mod panics;

use panics::{Borne, Told};

/// Between two looks at the programs.
const PAUSE: Duration = Duration::from_millis(250);

/// From the end of the command to its next start.
const COMMAND_PAUSE: Duration = Duration::from_secs(1);

/// How long the command may take.
const COMMAND_TIME: Duration = Duration::from_secs(30);

/// How much later than it is watched the program goes back by itself: time for a last look.
const GRACE: Duration = Duration::from_secs(60);

/// What a program is called whose patch was taken back.
const DID_NOT_HOLD: &str = "did-not-hold";

/// Whether a patch has to hold, and what that means.
#[derive(Debug, Clone, Args)]
pub struct TrialArgs {
    /// Watch the programs for this time, such as 60s, and revert the patch in all of them if one ends or
    /// calls panic in its code
    #[arg(long, value_name = "TIME", value_parser = super::time, conflicts_with = "dry_run")]
    watch: Option<Duration>,
    /// Revert it also when this command succeeds. `sh` runs it again and again while programs are watched, with
    /// HOTSWAP_PID and HOTSWAP_NAME
    #[arg(long, value_name = "COMMAND", requires = "watch")]
    revert_if: Option<String>,
    /// So many calls may panic, in all, or in a time as in 5/min
    #[arg(long, value_name = "N[/TIME]", requires = "watch", default_value = "0")]
    max_panics: Borne,
}

/// A patch on trial.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    args: &'a TrialArgs,
    time: Duration,
    digest: Digest,
    /// What each program tells of panics, by process id.
    told: BTreeMap<Option<u32>, Told>,
}

impl<'a> Trial<'a> {
    /// What was asked for, if it was.
    pub(super) fn of(args: &'a TrialArgs, digest: Digest) -> Option<Self> {
        let time = args.watch?;
        let told = BTreeMap::new();
        Some(Self {
            args,
            time,
            digest,
            told,
        })
    }

    /// Takes note of what there was in these programs before the patch is applied: it may be applied already.
    pub(super) fn begin(&mut self, programs: &mut [Found]) {
        for found in programs {
            let panics = self.applied(found).map_or(0, |patch| patch.panics);
            let told = Told::before(panics, Instant::now());
            self.told.insert(found.program.pid, told);
        }
    }

    /// When a program shall go back by itself.
    pub(super) fn ttl(&self) -> Duration {
        self.time.saturating_add(GRACE)
    }

    /// Watches programs that have taken the patch. If it holds in all of them, all are given `keep`, else it is
    /// taken back in all. The result is the exit code.
    ///
    /// # Errors
    ///
    /// Output can't be written.
    pub(super) fn run(
        &mut self,
        mut programs: Vec<Found>,
        keep: &Work<'_>,
        format: Format,
    ) -> Result<i32> {
        let names: Vec<String> = programs.iter().map(|it| it.program.to_string()).collect();
        if format == Format::Human {
            let time = humantime::format_duration(self.time);
            output::status("Watching", &format!("{} for {time}", names.join(", ")));
        }
        let Some(reason) = self.watch(&mut programs) else {
            return live::act_on_all(&mut programs, keep, format);
        };
        if format == Format::Human {
            output::warning(&format!("the patch is taken back: {reason}"));
        }
        let order = PatchOrder::Revert {
            digest: Some(self.digest),
        };
        let work = Work::about(order, line::tell_reverted);
        for found in &mut programs {
            let mut line = live::act_on(found, &work);
            if line.error.is_none() && format == Format::Json {
                line.code = code::DID_NOT_HOLD;
                line.failure = Some(DID_NOT_HOLD.to_owned());
                line.error = Some(reason.clone());
            }
            line::tell(&line, format, line::tell_reverted)?;
        }
        Ok(code::DID_NOT_HOLD)
    }

    /// Looks at the programs until the time is over, or the patch does not hold: the result says why.
    fn watch(&mut self, programs: &mut [Found]) -> Option<String> {
        let end = Instant::now() + self.time;
        let mut next_command = Instant::now();
        loop {
            if let Some(command) = &self.args.revert_if
                && Instant::now() >= next_command
            {
                for found in &*programs {
                    if let Err(reason) = holds(command, found) {
                        return Some(format!("{reason:#}"));
                    }
                }
                next_command = Instant::now() + COMMAND_PAUSE;
            }
            // A command takes its time, and what is kept must still be there.
            for found in &mut *programs {
                if let Err(reason) = self.look(found) {
                    return Some(format!("{reason:#}"));
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            thread::sleep(left.min(PAUSE));
        }
    }

    /// Looks at one program. An error says why the patch does not hold there.
    fn look(&mut self, found: &mut Found) -> Result<()> {
        let (pid, borne) = (found.program.pid, self.args.max_panics);
        let panics = self.applied(found)?.panics;
        let told = self.told.entry(pid).or_default();
        match told.too_many(panics, Instant::now(), borne) {
            Some(panics) => bail!(
                "calls panicked in {}: {panics}, {borne} are borne",
                found.program
            ),
            None => Ok(()),
        }
    }

    /// The patch in a program. An error says why it is not there.
    fn applied(&self, found: &mut Found) -> Result<AppliedPatch> {
        let program = found.program.to_string();
        let connection = found.connection.as_mut();
        let connection = connection.with_context(|| format!("{program} does not answer"))?;
        let report = connection.patch(PatchOrder::List {}, &[]);
        let report = report.with_context(|| format!("{program} has ended, or does not answer"))?;
        let mut applied = report.applied.into_iter();
        let patch = applied.find(|patch| patch.digest == self.digest);
        patch.with_context(|| format!("{program} has gone back from it already"))
    }
}

/// Runs the command for a program. An error says why the patch does not hold.
fn holds(command: &str, found: &Found) -> Result<()> {
    match self::command(command, found, COMMAND_TIME)? {
        Some(status) => verdict(command, status),
        None => bail!(
            "`{command}` did not end within {}",
            humantime::format_duration(COMMAND_TIME)
        ),
    }
}

/// Runs a command for a program, by `sh` and with HOTSWAP_PID and HOTSWAP_NAME; none if it was ended, with all that it
/// started, because it took longer than this.
///
/// # Errors
///
/// There is no `sh`, or it can't be waited for.
pub fn command(command: &str, found: &Found, limit: Duration) -> Result<Option<ExitStatus>> {
    end_children_first()?;
    let mut shell = shell_command::command(command);
    // What it says must not get between lines of JSON.
    shell.stdout(io::stderr());
    shell.env("HOTSWAP_NAME", &found.program.name);
    if let Some(pid) = found.program.pid {
        shell.env("HOTSWAP_PID", pid.to_string());
    }
    let status = children::status_within(&mut shell, limit);
    signals::go_on();
    status.context("`sh` can't be run")
}

/// From now on, whoever ends this process ends the command first: a key of the terminal's does not reach that.
fn end_children_first() -> Result<()> {
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    signals::before_end(children::end_all)
}

/// What a command's end says. One that can't be run tells nothing, and then nothing would end the trial.
fn verdict(command: &str, status: ExitStatus) -> Result<()> {
    match status.code() {
        Some(0) => bail!("`{command}` succeeded"),
        Some(126 | 127) => bail!("`{command}` can't be run"),
        Some(_) => Ok(()),
        None => bail!("`{command}` was ended: {status}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn what_ends_of_commands_say() {
        for (status, expected) in [
            (0, Some("`c` succeeded")),
            (1 << 8, None),
            (125 << 8, None),
            (126 << 8, Some("`c` can't be run")),
            (127 << 8, Some("`c` can't be run")),
            (9, Some("`c` was ended: signal: 9 (SIGKILL)")),
        ] {
            let said = verdict("c", ExitStatus::from_raw(status)).err();
            assert_eq!(said.map(|error| error.to_string()).as_deref(), expected);
        }
    }
}
