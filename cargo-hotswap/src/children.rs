//! Compilers and linkers that work for an edit: out of the terminal's reach, and ended with the
//! run.
//!
//! A key that interrupts or stops the program must not hit a compiler, so each gets a process
//! group of its own. What a run leaves behind would write into the folder that is removed.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process_group};

#[derive(Default)]
struct Running {
    groups: BTreeSet<i32>,
    /// No other may begin.
    ending: bool,
}

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
    command.stdout(Stdio::piped());
    run(command, None, Child::wait_with_output)
}

/// The same, with each line of stderr shown as soon as it is there, and with a descriptor. What the
/// command writes to stdout is lost.
///
/// # Errors
///
/// It can't be run, or the run is ending.
pub fn watched_output(
    command: &mut Command,
    lent: Option<&Lent>,
    mut on_line: impl FnMut(&[u8]),
) -> io::Result<Output> {
    command.stdout(Stdio::null());
    run(command, lent, |mut child| {
        let mut stderr = Vec::new();
        if let Some(pipe) = child.stderr.take() {
            let mut pipe = BufReader::new(pipe);
            let mut begin = 0;
            while pipe.read_until(b'\n', &mut stderr)? > 0 {
                on_line(&stderr[begin..]);
                begin = stderr.len();
            }
        }
        Ok(Output {
            status: child.wait()?,
            stdout: Vec::new(),
            stderr,
        })
    })
}

fn run(
    command: &mut Command,
    lent: Option<&Lent>,
    to_its_end: impl FnOnce(Child) -> io::Result<Output>,
) -> io::Result<Output> {
    command.stdin(Stdio::null());
    let child = spawn(command, lent)?;
    let group = child.id().cast_signed();
    let output = to_its_end(child);
    running().groups.remove(&group);
    output
}

fn spawn(command: &mut Command, lent: Option<&Lent>) -> io::Result<Child> {
    command.stderr(Stdio::piped()).process_group(0);
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
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
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
    use std::io::Read;
    use std::process::Command;

    use super::{Lent, Waiting, end_all, none_ends_them, output, watched_output};

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
        let output = watched_output(&mut command, None, |line| lines.push(line.to_vec()));
        let output = output.expect("it was run");
        assert_eq!(
            (output.status.code(), output.stderr),
            (Some(3), b"one\ntwo".to_vec())
        );
        assert_eq!(lines, [b"one\n".to_vec(), b"two".to_vec()]);
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
            let output = watched_output(&mut command, lent, |_| {}).expect("it was run");
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

    fn with_descriptor(mut command: Command, writer: std::io::PipeWriter) -> Command {
        use command_fds::{CommandFdExt, FdMapping};
        let mapping = FdMapping {
            parent_fd: writer.into(),
            child_fd: 9,
        };
        command.fd_mappings(vec![mapping]).expect("no collision");
        command
    }
}
