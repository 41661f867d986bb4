//! Processes that a command has left running: they become children of this one, so that they can be ended, and it
//! is known what they have used of the processors.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, getpid, kill_process, set_child_subreaper,
    waitid, waitpid,
};

use crate::children;
use crate::session::signals;

/// From now on, processes whose parents have ended are children of this one. When this one is asked to end, by Ctrl-C
/// for instance, it ends all of them first: what `sh` has started in the background is deaf to Ctrl-C.
///
/// # Errors
///
/// The kernel does not tell which processes those are.
pub(super) fn adopt() -> Result<()> {
    let told = fs::read_to_string("/proc/thread-self/children");
    told.context("this kernel does not tell which processes a command leaves running")?;
    set_child_subreaper(Some(getpid())).context("could not take over processes")?;
    signals::before_end(|| {
        let none_begins = children::end_all();
        let _ = end_all();
        none_begins
    })
}

/// Notices whether a file is opened, which is the beginning of running it.
#[derive(Debug)]
pub(super) struct Openings(OwnedFd);

impl Openings {
    /// From now on; none where the system has no more to give.
    pub(super) fn of(file: &Path) -> Option<Self> {
        let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
        let events = inotify::init(flags).ok()?;
        inotify::add_watch(&events, file, inotify::WatchFlags::OPEN).ok()?;
        Some(Self(events))
    }

    /// Whether there was any.
    pub(super) fn any(self) -> bool {
        rustix::io::read(self.0, &mut [0; 64]).is_ok_and(|bytes| bytes > 0)
    }
}

/// Ends all children, and their children. The result is the CPU time of those that ran this program, if there were any.
///
/// # Errors
///
/// They can't be ended.
pub(super) fn end_left(program: &Path) -> Result<Option<Duration>> {
    let program = identity(program)?;
    let mut of_program = None;
    while has_children()? {
        for child in children()? {
            let image = Path::new("/proc")
                .join(child.as_raw_nonzero().to_string())
                .join("exe");
            // One that has just ended by itself runs nothing any more.
            let is_program = identity(&image).is_ok_and(|found| found == program);
            let before = used()?;
            end(child)?;
            if is_program {
                *of_program.get_or_insert(Duration::ZERO) += used()?.saturating_sub(before);
            }
        }
    }
    Ok(of_program)
}

fn end_all() -> Result<()> {
    while has_children()? {
        for child in children()? {
            end(child)?;
        }
    }
    Ok(())
}

/// Ends a child and takes its end. Then its own children are children of this process.
fn end(child: Pid) -> Result<()> {
    kill_process(child, Signal::KILL).context("could not end what the command left running")?;
    match waitpid(Some(child), WaitOptions::empty()) {
        // Another thread has taken it.
        Ok(_) | Err(Errno::CHILD) => Ok(()),
        Err(error) => Err(error).context("could not wait for what the command left running"),
    }
}

/// Whether there are any; the list of them may miss some while others end.
fn has_children() -> Result<bool> {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match waitid(WaitId::All, look) {
        Ok(_) => Ok(true),
        Err(Errno::CHILD) => Ok(false),
        Err(error) => Err(error).context("could not look for children"),
    }
}

/// The children of all threads of this process.
fn children() -> io::Result<Vec<Pid>> {
    let mut found = Vec::new();
    for thread in fs::read_dir("/proc/self/task")? {
        // Children of a thread that has just ended are another's.
        let text = fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
        let numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
        found.extend(numbers.filter_map(Pid::from_raw));
    }
    Ok(found)
}

/// A file's, whatever its name.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// What all children that have ended, and all that they have waited for, have used of the processors.
///
/// # Errors
///
/// The kernel does not tell.
pub(super) fn used() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

fn duration(time: TimeVal) -> Duration {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let microseconds = u64::try_from(time.tv_usec()).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(microseconds)
}
