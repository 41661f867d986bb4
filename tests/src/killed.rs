//! A command, or a program that runs, is killed at one of its calls of the system: `strace` does it, before the call is made.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::outer::{inside, not_tested};

/// What changes anything outside a process.
const CALLS: [&str; 22] = [
    "connect",
    "sendto",
    "sendmsg",
    "write",
    "writev",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "mkdir",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "chmod",
    "fchmod",
];

/// How a command begins, where nobody is killed.
const START: &str = "execve";

/// What a program does besides, to load a patch.
const OF_LOADING: [&str; 4] = ["memfd_create", "openat", "fcntl", "mprotect"];

/// Where something is killed: at its call of this name with this number. `strace` counts by name and by thread, and the
/// first thread that comes there ends all of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which threads count: all, and what they start, or only the first one.
    threads: Threads,
    call: String,
    number: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Threads {
    First,
    All,
}

impl Place {
    /// Runs a command that is killed there. False if it did not come there, and succeeded.
    ///
    /// # Errors
    ///
    /// When it fails, or can't be run.
    pub fn kills(&self, command: &Command) -> Result<bool> {
        let output = inside(self.strace(), command).output()?;
        if output.status.success() {
            return Ok(false);
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        // It ends as what it traces did.
        ensure!(output.status.signal() == Some(9), "{self:?}: {stderr}");
        Ok(true)
    }

    /// Has a program that runs be killed there, until the result is dropped.
    ///
    /// # Errors
    ///
    /// When it can't be traced.
    pub fn attach(&self, pid: u32) -> Result<Attached> {
        Attached::by(self.strace(), pid)?.context("this system let its users trace before")
    }

    /// What kills a command there whose words are added.
    #[must_use]
    pub fn strace(&self) -> Command {
        let Self { call, number, .. } = self;
        let mut strace = Command::new("strace");
        strace.args(["--output=/dev/null", "--inject"]);
        strace.arg(format!("{call}:signal=KILL:when={number}"));
        if self.threads == Threads::All {
            strace.arg("--follow-forks");
        }
        strace
    }
}

/// Whether there is something that can kill; if not, that is told.
#[must_use]
pub fn is_possible() -> bool {
    let strace = Command::new("strace").arg("-V").output();
    let is_there = strace.is_ok_and(|output| output.status.success());
    if !is_there {
        not_tested("strace is not installed");
    }
    is_there
}

/// Where a command can be killed: it is run, which is noted in the file `calls`, and has to succeed.
///
/// # Errors
///
/// When it fails, or can't be run.
pub fn places(command: &Command, calls: &Path) -> Result<Vec<Place>> {
    let output = inside(noting(calls, &CALLS), command).output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{stderr}");
    noted(calls)
}

/// What notes those calls of a command that have these names, in a file. The words of the command are added.
#[must_use]
pub fn noting(calls: &Path, names: &[&str]) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["--follow-forks", "--trace"]);
    strace.arg([&[START], names].concat().join(","));
    strace.arg("--output").arg(calls);
    strace
}

/// The places in what was noted of a command.
///
/// # Errors
///
/// When there is nothing.
pub fn noted(calls: &Path) -> Result<Vec<Place>> {
    let noted = fs::read_to_string(calls)?;
    // The first one is its start.
    let first = noted.split_whitespace().next().context("no calls")?;
    Ok(places_of(&noted, first))
}

/// The same of a program that runs, while that is done, after which it has to end. None if the system does not let its
/// users trace programs that run, which is told.
///
/// # Errors
///
/// When that fails.
pub fn places_in(
    pid: u32,
    calls: &Path,
    until_its_end: impl FnOnce() -> Result<()>,
) -> Result<Option<Vec<Place>>> {
    let names = [&CALLS[..], &OF_LOADING].concat();
    let Some(attached) = Attached::by(noting(calls, &names), pid)? else {
        not_tested("this system does not let its users trace");
        return Ok(None);
    };
    until_its_end()?;
    attached.wait()?;
    let noted = fs::read_to_string(calls)?;
    Ok(Some(places_of(&noted, &pid.to_string())))
}

/// The places in what was noted. Where the first thread and another one make the same calls, each is a place of its own.
fn places_of(noted: &str, first: &str) -> Vec<Place> {
    let mut counts = BTreeMap::new();
    let mut places = BTreeSet::new();
    for line in noted.lines() {
        let mut words = line.split_whitespace();
        let (Some(thread), Some(call)) = (words.next(), words.next()) else {
            continue;
        };
        // Others tell of ends, signals, and of results that came later.
        let Some((call, _)) = call.split_once('(') else {
            continue;
        };
        if call == START {
            continue;
        }
        let number = counts.entry((thread, call)).or_insert(0);
        *number += 1;
        places.insert(Place {
            threads: match thread == first {
                true => Threads::First,
                false => Threads::All,
            },
            call: call.to_owned(),
            number: *number,
        });
    }
    places.into_iter().collect()
}

/// A tracer of a program. Dropped, it lets it go.
#[derive(Debug)]
pub struct Attached(Child);

impl Attached {
    /// None if the system does not let it.
    fn by(mut strace: Command, pid: u32) -> Result<Option<Self>> {
        strace.args(["--attach", &pid.to_string()]);
        let Ok(mut child) = strace.stderr(Stdio::piped()).spawn() else {
            return Ok(None);
        };
        // It stays open as long as there may be more to say.
        let said = child.stderr.as_mut().context("it is piped")?;
        let mut first = String::new();
        BufReader::new(said).read_line(&mut first)?;
        let attached = Self(child);
        Ok(first.contains("attached").then_some(attached))
    }

    /// Waits until the program has ended.
    ///
    /// # Errors
    ///
    /// When it can't be waited for.
    pub fn wait(mut self) -> Result<()> {
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // It may have ended with the program.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_of_each_kind_is_a_place() {
        let noted = "\
            7 execve(\"/x\", [\"x\"]) = 0\n\
            8 connect(3, {}, 28 <unfinished ...>\n\
            7 sendto(4, \"a\", 1) = 1\n\
            8 <... connect resumed>) = 0\n\
            8 sendto(3, \"b\", 1) = 1\n\
            8 +++ exited with 0 +++\n\
            7 sendto(4, \"c\", 1) = 1\n\
            7 --- SIGCHLD {} ---\n\
            9 sendto(5, \"d\", 1) = 1\n";
        let places = places_of(noted, "7");
        let told: Vec<_> = places
            .iter()
            .map(|place| (place.threads, place.call.as_str(), place.number))
            .collect();
        assert_eq!(
            told,
            [
                (Threads::First, "sendto", 1),
                (Threads::First, "sendto", 2),
                (Threads::All, "connect", 1),
                (Threads::All, "sendto", 1),
            ]
        );
    }
}
