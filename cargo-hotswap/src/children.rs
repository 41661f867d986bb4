//! Compilers and linkers that work for an edit: out of the terminal's reach, and ended with the
//! run.
//!
//! A key that interrupts or stops the program must not hit a compiler, so each gets a process
//! group of its own. What a run leaves behind would write into the folder that is removed.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process_group};

#[derive(Default)]
struct Running {
    groups: BTreeSet<i32>,
    /// No other may begin.
    ending: bool,
}

/// Between two looks whether a command has ended that may take only so long.
const PAUSE: Duration = Duration::from_millis(25);

static RUNNING: Mutex<Running> = Mutex::new(Running {
    groups: BTreeSet::new(),
    ending: false,
});

fn running() -> MutexGuard<'static, Running> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A descriptor that is lent to some commands, which find it under its number.
///
/// To give a command a descriptor of another number is to start it from a copy of this process,
/// which takes the longer the more memory that has.
#[derive(Debug)]
pub struct Lent(OwnedFd);

impl Lent {
    /// Opens a file or folder a second time, under this number; `None` if that is taken.
    pub fn at(number: i32, file: &File) -> Option<Self> {
        let copy = fcntl_dupfd_cloexec(file, number).ok()?;
        (copy.as_raw_fd() == number).then_some(Self(copy))
    }

    /// Starts a command that has the descriptor. No other may start meanwhile.
    fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        fcntl_setfd(&self.0, FdFlags::empty())?;
        let child = command.spawn();
        // What sets the flag above unsets it too.
        fcntl_setfd(&self.0, FdFlags::CLOEXEC)?;
        child
    }
}

/// Starts something that is nobody's child here, and is lent nothing.
pub fn apart<T>(start: impl FnOnce() -> T) -> T {
    let _none_is_lent_to = running();
    start()
}

/// Runs a command without input to its end, in a process group of its own, and collects its
/// output.
///
/// # Errors
///
/// It can't be run, or the run is ending.
pub fn output(command: &mut Command) -> io::Result<Output> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = spawn(command, None)?;
    let group = child.id().cast_signed();
    let output = child.wait_with_output();
    running().groups.remove(&group);
    output
}

/// Runs a command to its end, in a process group of its own, with the input and output that it has been given.
///
/// # Errors
///
/// It can't be run or waited for, or the run is ending.
pub fn status(command: &mut Command) -> io::Result<ExitStatus> {
    let mut child = spawn(command, None)?;
    let status = child.wait();
    running().groups.remove(&child.id().cast_signed());
    status
}

/// The same, but it is ended with all that it started when it has not ended within this time, and the result is none.
///
/// # Errors
///
/// As those of [`status`], or it can't be ended.
pub fn status_within(command: &mut Command, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let mut child = spawn(command, None)?;
    let status = ended(&mut child, limit);
    running().groups.remove(&child.id().cast_signed());
    status
}

fn ended(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begin.elapsed() >= limit {
            let group = Pid::from_raw(child.id().cast_signed());
            kill_process_group(group.ok_or(io::ErrorKind::InvalidInput)?, Signal::KILL)?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(PAUSE);
    }
}

/// Runs a command without input in a process group of its own, with a descriptor, and shows each line of stderr as
/// soon as it is there: until one is the last that is waited for, or to its end. What the command writes to stdout is
/// lost.
///
/// # Errors
///
/// It can't be run, or the run is ending.
pub fn watched(
    command: &mut Command,
    lent: Option<&Lent>,
    mut on_line: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> io::Result<Ending> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut ending = Ending::new(spawn(command, lent)?)?;
    let mut begin = 0;
    while ending.read_line()? > 0 && on_line(&ending.said[begin..]).is_continue() {
        begin = ending.said.len();
    }
    Ok(ending)
}

/// A command that may have told all that is waited for, and ends.
#[derive(Debug)]
pub struct Ending {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: Vec<u8>,
}

impl Ending {
    fn new(mut child: Child) -> io::Result<Self> {
        let stderr = child.stderr.take();
        let stderr = stderr.ok_or_else(|| io::Error::other("the command has no stderr"))?;
        Ok(Self {
            child,
            stderr: BufReader::new(stderr),
            said: Vec::new(),
        })
    }

    fn read_line(&mut self) -> io::Result<usize> {
        self.stderr.read_until(b'\n', &mut self.said)
    }

    /// What it has written to stderr so far.
    pub fn said(&self) -> &[u8] {
        &self.said
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// It can't be waited for.
    pub fn output(mut self) -> io::Result<Output> {
        self.stderr.read_to_end(&mut self.said)?;
        Ok(Output {
            status: self.child.wait()?,
            stdout: Vec::new(),
            stderr: std::mem::take(&mut self.said),
        })
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        // It must not wait for somebody to read.
        let _ = io::copy(&mut self.stderr, &mut io::sink());
        let _ = self.child.wait();
        running().groups.remove(&self.child.id().cast_signed());
    }
}

fn spawn(command: &mut Command, lent: Option<&Lent>) -> io::Result<Child> {
    command.process_group(0);
    let mut running = running();
    if running.ending {
        return Err(io::Error::other("the run ends"));
    }
    let child = match lent {
        Some(lent) => lent.spawn(command)?,
        None => command.spawn()?,
    };
    running.groups.insert(child.id().cast_signed());
    Ok(child)
}

/// A command that was started before there is work for it, and waits for its input. Where none
/// comes, it is ended.
#[derive(Debug)]
pub struct Waiting(Option<Child>);

impl Waiting {
    /// Starts the command.
    ///
    /// # Errors
    ///
    /// It can't be run, or the run is ending.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        spawn(command, None).map(|child| Self(Some(child)))
    }

    /// Gives it this input, and runs it to its end. It must read before it writes.
    ///
    /// # Errors
    ///
    /// It has ended, or can't be waited for.
    pub fn output(mut self, input: &[u8]) -> io::Result<Output> {
        let gone = || io::Error::other("the command is gone");
        let child = self.0.as_mut().ok_or_else(gone)?;
        child.stdin.take().ok_or_else(gone)?.write_all(input)?;
        let child = self.0.take().ok_or_else(gone)?;
        let group = child.id().cast_signed();
        let output = child.wait_with_output();
        running().groups.remove(&group);
        output
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // One that has ended can't be killed, and is waited for all the same.
            let _ = child.kill();
            let _ = child.wait();
            running().groups.remove(&child.id().cast_signed());
        }
    }
}

/// While this lives, no command begins.
#[derive(Debug)]
pub struct Ended(());

/// Ends all commands that are under way, with all that they started.
pub fn end_all() -> Ended {
    let mut running = running();
    running.ending = true;
    for group in &running.groups {
        if let Some(group) = Pid::from_raw(*group) {
            // One that has just ended is no group any more.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
    Ended(())
}

impl Drop for Ended {
    fn drop(&mut self) {
        running().ending = false;
    }
}

/// Held by tests that start commands, since one of them ends all that are under way.
#[cfg(test)]
pub fn none_ends_them() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{PipeReader, Read, Seek};
    use std::ops::ControlFlow::{Break, Continue};
    use std::os::fd::OwnedFd;
    use std::process::Command;
    use std::time::Duration;

    use super::{
        Ending, Lent, Waiting, end_all, ended, none_ends_them, output, running, spawn, status,
        status_within, watched,
    };

    #[test]
    fn all_that_is_under_way_ends() {
        let _alone = none_ends_them();
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let mut command = Command::new("sh");
        // A child of the child holds the pipe as well.
        command.args(["-c", "cat /dev/zero >/dev/null & echo >&9; wait"]);
        let mut command = with_descriptor(command, writer);
        let worker = std::thread::spawn(move || {
            let output = output(&mut command);
            output.map(|output| output.status.success())
        });
        let mut byte = [0];
        reader.read_exact(&mut byte).expect("the shell is there");
        let ended = end_all();
        assert!(!worker.join().expect("no panic").expect("it was run"));
        assert!(output(&mut Command::new("true")).is_err());
        drop(ended);
        assert!(output(&mut Command::new("true")).is_ok());
        let rest = reader.read_to_end(&mut Vec::new());
        assert_eq!(rest.expect("closed by all"), 0);
    }

    #[test]
    fn each_line_is_shown_and_kept() {
        let _alone = none_ends_them();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one >&2; printf two >&2; exit 3"]);
        let mut lines = Vec::new();
        let ending = watched(&mut command, None, |line| {
            lines.push(line.to_vec());
            Continue(())
        });
        let output = ending.and_then(Ending::output).expect("it was run");
        assert_eq!(
            (output.status.code(), output.stderr),
            (Some(3), b"one\ntwo".to_vec())
        );
        assert_eq!(lines, [b"one\n".to_vec(), b"two".to_vec()]);
    }

    #[test]
    fn what_is_waited_for_comes_before_the_end() {
        let _alone = none_ends_them();
        let until_one = |rest: &str, pipe: Option<PipeReader>| {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("echo one >&2; {rest}")]);
            let mut command = match pipe {
                Some(pipe) => with_descriptor(command, pipe),
                None => command,
            };
            watched(&mut command, None, |_| Break(())).expect("it was run")
        };
        // It ends only after this has gone on.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let ending = until_one("cat <&9; echo two >&2; exit 4", Some(reader));
        assert_eq!(ending.said(), b"one\n");
        drop(writer);
        let output = ending.output().expect("it ends");
        assert_eq!(
            (output.status.code(), output.stderr),
            (Some(4), b"one\ntwo\n".to_vec())
        );
        // Nobody reads more than a pipe can hold.
        drop(until_one("head -c 1000000 /dev/zero >&2", None));
    }

    #[test]
    fn output_goes_where_it_was_said_to_go() {
        let _alone = none_ends_them();
        let mut file = tempfile::tempfile().expect("a file");
        let mut command = Command::new("sh");
        command.args(["-c", "echo one >&2; exit 3"]);
        command.stderr(file.try_clone().expect("a second descriptor"));
        assert_eq!(status(&mut command).expect("it was run").code(), Some(3));
        let mut said = String::new();
        file.rewind().expect("it is a file");
        file.read_to_string(&mut said).expect("text");
        assert_eq!(said, "one\n");
        let ended = end_all();
        assert!(status(&mut command).is_err());
        drop(ended);
    }

    #[test]
    fn what_takes_too_long_ends_with_all_that_it_started() {
        let _alone = none_ends_them();
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let mut command = Command::new("sh");
        // A child of the child holds the pipe as well.
        command.args(["-c", "(echo >&9; cat /dev/zero >/dev/null); echo"]);
        let mut command = with_descriptor(command, writer);
        let mut child = spawn(&mut command, None).expect("it was run");
        drop(command);
        reader.read_exact(&mut [0]).expect("both are there");
        let status = ended(&mut child, Duration::ZERO).expect("it can be ended");
        assert_eq!(status, None);
        running().groups.remove(&child.id().cast_signed());
        let rest = reader.read_to_end(&mut Vec::new());
        assert_eq!(rest.expect("closed by all"), 0);
        let mut command = Command::new("true");
        let ended = status_within(&mut command, Duration::MAX).expect("it was run");
        assert!(ended.is_some_and(|status| status.success()));
    }

    #[test]
    fn what_is_lent_is_seen_by_no_other() {
        let _alone = none_ends_them();
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("name"), "").expect("written");
        let file = File::open(folder.path()).expect("it is there");
        let lent = Lent::at(240, &file).expect("nobody has it");
        assert!(Lent::at(240, &file).is_none());
        let seen = |lent: Option<&Lent>| {
            let mut command = Command::new("sh");
            command.args(["-c", "ls /proc/self/fd/240/ >&2"]);
            let ending = watched(&mut command, lent, |_| Continue(()));
            let output = ending.and_then(Ending::output).expect("it was run");
            (output.status.success(), output.stderr == b"name\n")
        };
        assert_eq!(seen(Some(&lent)), (true, true));
        assert_eq!(seen(None), (false, false));
        assert_eq!(seen(Some(&lent)), (true, true));
        drop(lent);
        assert!(Lent::at(240, &file).is_some());
    }

    #[test]
    fn what_waits_works_or_ends() {
        let _alone = none_ends_them();
        let waiting = || Waiting::start(Command::new("sh").args(["-c", "read a && echo $a >&2"]));
        let output = waiting().expect("it runs").output(b"text\n");
        let output = output.expect("it was there");
        assert_eq!(
            (output.status.code(), &*output.stderr),
            (Some(0), &b"text\n"[..])
        );
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let mut command = with_descriptor(Command::new("cat"), writer);
        let waiting = Waiting::start(&mut command).expect("it runs");
        drop(command);
        drop(waiting);
        // Its end of the pipe is closed.
        let rest = reader.read_to_end(&mut Vec::new());
        assert_eq!(rest.expect("closed"), 0);
        let mut command = Command::new("cat");
        let waiting = Waiting::start(&mut command).expect("it runs");
        let ended = end_all();
        assert!(
            waiting
                .output(b"text")
                .map_or(true, |output| !output.status.success())
        );
        drop(ended);
    }

    fn with_descriptor(mut command: Command, pipe: impl Into<OwnedFd>) -> Command {
        use command_fds::{CommandFdExt, FdMapping};
        let mapping = FdMapping {
            parent_fd: pipe.into(),
            child_fd: 9,
        };
        command.fd_mappings(vec![mapping]).expect("no collision");
        command
    }
}
