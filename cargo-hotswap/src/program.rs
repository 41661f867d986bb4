//! The running program: started with the runtime's variables, spoken to over its socket.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use command_fds::{CommandFdExt, FdMapping};
use hotswap_protocol::message::{
    ErrorCode, Hello, PROTOCOL, PrepareReport, Request, Response, check_protocol,
};
use hotswap_protocol::saved::{RestoreReport, SaveReport};
use hotswap_protocol::state::Cell;
use hotswap_protocol::{
    address, env, frame, manifest::Manifest, message::CommitReport, status::Status,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::children;
use crate::control::place::{self, Peer};
use crate::handover;

pub mod listener;
mod orders;

/// How long the program may take to answer one request: loading an image takes milliseconds, but
/// a stopped program (a debugger, Ctrl-Z) must not hang the tool for ever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// The same where values in the program get new layouts, of which there may be very many.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(120);

/// The descriptors under which the program finds its ends of the readiness and of the crash pipe, and
/// the files for state that it saves and that it gets: where nobody looks for one, since low numbers
/// may be inherited sockets, say.
const DESCRIPTORS: [i32; 4] = [237, 238, 239, 240];

/// The same for a process that may not have so many.
const LOW_DESCRIPTORS: [i32; 4] = [3, 4, 5, 6];

/// A started program and the pipe on which its runtime reports.
#[derive(Debug)]
pub struct Started {
    /// The process.
    pub child: Child,
    /// Says when the runtime listens.
    pub ready: Ready,
    /// Takes the program's last word.
    pub last_word: LastWord,
    /// Where the program saves its state; none if the system gives no such file.
    pub state: Option<File>,
}

/// The tool's end of the crash pipe.
#[derive(Debug)]
pub struct LastWord(std::io::PipeReader);

impl LastWord {
    /// What the program wrote when a fatal signal met it, once it has ended. A child of the program
    /// may hold the other end still, so this doesn't wait for its end.
    pub fn take(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if rustix::io::ioctl_fionbio(&self.0, true).is_ok() {
            // What was read before there was no more is in there.
            let _ = self.0.read_to_end(&mut bytes);
        }
        bytes
    }
}

/// The tool's end of the readiness pipe.
#[derive(Debug)]
pub struct Ready(std::io::PipeReader);

impl Ready {
    /// Waits until the runtime listens.
    ///
    /// # Errors
    ///
    /// The runtime could not listen (with its reason), or it never ran: the program ended first,
    /// or the executable has no runtime in it.
    pub fn wait(mut self) -> Result<()> {
        let mut answer = String::new();
        self.0
            .read_to_string(&mut answer)
            .context("could not read from the program")?;
        match answer.trim() {
            ready if ready == (env::READY as char).to_string() => Ok(()),
            "" => bail!("the program never started the hotswap runtime"),
            reason => bail!("the runtime in the program could not listen: {reason}"),
        }
    }
}

/// The setting of the C library for thread-locals of files that are loaded later: how many bytes
/// each thread has for them.
const THREAD_LOCAL_ROOM: &str = "glibc.rtld.optional_static_tls";

/// Bytes for the thread-locals of all patches. Threads with stacks of the least size must have room
/// for it beside the stack proper, so it can't be much more; the library's own choice is 512.
const THREAD_LOCAL_BYTES: u32 = 8192;

/// The C library's settings for the program, given the user's; `None` if they are to stay.
fn tunables(user: &str) -> Option<String> {
    let decided = user
        .split(':')
        .any(|one| one.starts_with(THREAD_LOCAL_ROOM));
    let room = format!("{THREAD_LOCAL_ROOM}={THREAD_LOCAL_BYTES}");
    match user {
        _ if decided => None,
        "" => Some(room),
        _ => Some(format!("{user}:{room}")),
    }
}

/// What is run: the runner that cargo is configured to use, the executable, its arguments. The
/// executable is named as cargo names it, relative to this folder if it lies below.
pub fn command_line(executable: &Path, args: &[OsString], runner: &[OsString]) -> Vec<OsString> {
    let here = std::env::current_dir().unwrap_or_default();
    let shown = match executable.strip_prefix(here) {
        // Without a folder it would be looked for elsewhere.
        Ok(name) if name.components().count() == 1 => Path::new(".").join(name),
        Ok(path) => path.to_owned(),
        Err(_) => executable.to_owned(),
    };
    let runner = runner.iter().cloned();
    runner
        .chain([shown.into_os_string()])
        .chain(args.iter().cloned())
        .collect()
}

/// Starts a program under the runtime's variables and these, with this standard input and these settings of
/// the runtime's, and gives it the state that this file has.
///
/// # Errors
///
/// It can't be started.
pub fn start(
    words: &[OsString],
    name: &str,
    variables: &BTreeMap<OsString, OsString>,
    stdin: Stdio,
    settings: [(&str, &str); 2],
    restore: Option<&File>,
) -> Result<Started> {
    let (program, args) = words
        .split_first()
        .context("there is no program to start")?;
    let (reader, writer) = std::io::pipe().context("could not make a pipe")?;
    let (crash_reader, crash_writer) = std::io::pipe().context("could not make a pipe")?;
    let state = handover::new_file();
    let numbers = descriptors();
    let [ready_number, crash_number, save_number, restore_number] = numbers;
    let mut mappings = vec![
        FdMapping {
            parent_fd: writer.into(),
            child_fd: ready_number,
        },
        FdMapping {
            parent_fd: crash_writer.into(),
            child_fd: crash_number,
        },
    ];
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(stdin)
        .envs(variables)
        .envs(room_for_thread_locals(variables))
        .env(env::LISTEN, env::LISTEN_TOOL)
        .env(env::NAME, name)
        .envs(settings)
        .env(env::READY_FD, ready_number.to_string())
        .env(env::CRASH_FD, crash_number.to_string());
    let files = [
        (env::SAVE_FD, save_number, state.as_ref()),
        (env::RESTORE_FD, restore_number, restore),
    ];
    for (variable, child_fd, file) in files {
        let Some(file) = file else { continue };
        let file = file.try_clone().context("could not pass on state")?;
        command.env(variable, child_fd.to_string());
        mappings.push(FdMapping {
            parent_fd: file.into(),
            child_fd,
        });
    }
    command
        .fd_mappings(mappings)
        .context("could not pass a pipe to the program")?;
    let child = children::apart(|| command.spawn())
        .with_context(|| format!("could not start {}", program.display()))?;
    Ok(Started {
        child,
        ready: Ready(reader),
        last_word: LastWord(crash_reader),
        state,
    })
}

/// The numbers of the program's ends of the pipes.
fn descriptors() -> [i32; 4] {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let highest = u64::from(DESCRIPTORS[3].unsigned_abs());
    if limit.is_none_or(|limit| limit > highest) {
        DESCRIPTORS
    } else {
        LOW_DESCRIPTORS
    }
}

/// The variables that give threads room for thread-locals of patches, and that have the runtime set
/// back what the user had.
fn room_for_thread_locals(variables: &BTreeMap<OsString, OsString>) -> Vec<(&'static str, String)> {
    let given = variables.get(OsStr::new(env::SYSTEM_TUNABLES)).cloned();
    let user = given.or_else(|| std::env::var_os(env::SYSTEM_TUNABLES));
    let user = user.unwrap_or_default().to_string_lossy().into_owned();
    match tunables(&user) {
        Some(changed) => vec![(env::SYSTEM_TUNABLES, changed), (env::TUNABLES, user)],
        None => Vec::new(),
    }
}

/// How long a program may take to end once its runtime no longer answers: it removes its socket
/// some time before it is gone.
const FAREWELL: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// Whether a child process has ended, or does so in a moment.
pub fn ends(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return false;
    };
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => process,
        // It was waited for already, or the system can't tell.
        Err(error) => return error == Errno::SRCH,
    };
    let mut descriptors = [PollFd::new(&process, PollFlags::IN)];
    poll(&mut descriptors, Some(&FAREWELL)).is_ok_and(|ready| ready > 0)
}

/// Whether a process is stopped, so that it answers nothing.
pub fn is_stopped(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything.
    let state = status.rsplit_once(')').map_or("", |(_, rest)| rest);
    matches!(state.trim_start().chars().next(), Some('T' | 't'))
}

/// A connection to a program's runtime.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    /// An answer did not come in time or in full: what comes next may be the answer to an earlier
    /// request, so the connection is of no use any more.
    broken: bool,
    /// Its process id here: in its own namespace it may have another one.
    pub pid: u32,
    /// What the runtime said of itself.
    pub hello: Hello,
}

fn ask(stream: &mut UnixStream, request: &Request) -> Result<Response> {
    frame::write(stream, request).context("the program does not take requests")?;
    frame::read(stream).context("the program did not answer")
}

impl Connection {
    /// Connects to the program with this process id.
    ///
    /// # Errors
    ///
    /// No socket of that process, or its runtime speaks another protocol.
    pub fn open(pid: u32) -> Result<Self> {
        let name = address::socket_name(pid);
        let mut last = None;
        for directory in place::private_directories() {
            match UnixStream::connect(directory.join(&name)) {
                Ok(stream) => return Self::greet(stream, ANSWER_TIMEOUT),
                Err(error) => last = Some(error),
            }
        }
        let error = last.context("there is no folder for sockets")?;
        Err(error).with_context(|| format!("no hotswap runtime answers for process {pid}"))
    }

    /// Greets the program at the other end; `patience` is for each of its answers.
    ///
    /// # Errors
    ///
    /// It does not answer, or speaks another protocol.
    pub fn greet(mut stream: UnixStream, patience: Duration) -> Result<Self> {
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let tool = format!("cargo-hotswap {}", env!("CARGO_PKG_VERSION"));
        let request = Request::Hello {
            protocol: PROTOCOL,
            tool,
        };
        match ask(&mut stream, &request)? {
            Response::Hello(hello) => {
                check_protocol(hello.protocol)?;
                let peer = Peer::of(&stream).and_then(|peer| peer.pid);
                Ok(Self {
                    stream,
                    broken: false,
                    pid: peer.unwrap_or(hello.pid),
                    hello,
                })
            }
            other => bail!(unexpected(&other)),
        }
    }

    /// Has a patch checked and loaded, without effect.
    ///
    /// # Errors
    ///
    /// The runtime refused it, or is gone.
    pub fn prepare(&mut self, manifest: Manifest) -> Result<(u64, PrepareReport)> {
        let runs_code = !manifest.hooks.is_empty();
        let request = Request::Prepare {
            manifest: Box::new(manifest),
        };
        if self.broken {
            *self = Self::open(self.hello.pid)?;
        }
        // Functions of the new code run meanwhile.
        let answer = match runs_code {
            true => self.ask_patiently(&request),
            false => self.ask(&request),
        };
        match answer? {
            Response::Prepared { version, report } => Ok((version, report)),
            other => Err(declined(other)),
        }
    }

    /// Makes the prepared patch current. `patiently` if the program waits for whoever uses state, or
    /// runs functions of the user's.
    ///
    /// # Errors
    ///
    /// The runtime refused, or is gone.
    pub fn commit(&mut self, patiently: bool) -> Result<(u64, CommitReport)> {
        let answer = match patiently {
            true => self.ask_patiently(&Request::Commit {}),
            false => self.ask(&Request::Commit {}),
        };
        match answer? {
            Response::Committed { version, report } => Ok((version, report)),
            other => Err(declined(other)),
        }
    }

    /// Has the values of cells saved, into the file that the program was started with. The program waits
    /// for whoever changes them, and runs functions of the user's. `cells` are those of the
    /// executable.
    ///
    /// # Errors
    ///
    /// The runtime refused, or is gone.
    pub fn save(&mut self, cells: Vec<Cell>) -> Result<SaveReport> {
        if self.broken {
            *self = Self::open(self.hello.pid)?;
        }
        match self.ask_patiently(&Request::Save { cells })? {
            Response::Saved(report) => Ok(report),
            other => Err(declined(other)),
        }
    }

    /// Has the program restore what it was started with, and tell what became of it.
    ///
    /// # Errors
    ///
    /// The runtime is gone.
    pub fn restore(&mut self) -> Result<RestoreReport> {
        match self.ask_patiently(&Request::Restore {})? {
            Response::Restored(report) => Ok(report),
            other => Err(declined(other)),
        }
    }

    /// Asks for what may take its time.
    fn ask_patiently(&mut self, request: &Request) -> Result<Response> {
        self.stream.set_read_timeout(Some(MIGRATION_TIMEOUT))?;
        let answer = self.ask(request);
        self.stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        answer
    }

    /// Has the program tell where a fatal signal met it. What it says otherwise is no error: it is
    /// only less that is known in the end.
    pub fn report_crashes(&mut self, stack_overflow_handler: Option<u64>) -> Result<()> {
        let request = Request::ReportCrashes {
            stack_overflow_handler,
        };
        self.ask(&request).map(drop)
    }

    /// What the program tells about its versions.
    ///
    /// # Errors
    ///
    /// The runtime is gone.
    pub fn status(&mut self) -> Result<Status> {
        match self.ask(&Request::Status {})? {
            Response::Status(status) => Ok(status),
            other => bail!(unexpected(&other)),
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Response> {
        let answer = ask(&mut self.stream, request);
        self.broken |= answer.is_err();
        answer
    }
}

/// The program does not do what it was asked to; it is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Declined {
    /// The kind of failure.
    pub code: ErrorCode,
    /// The program's own words.
    pub message: String,
}

fn declined(response: Response) -> anyhow::Error {
    match response {
        Response::Error { code, message } => Declined { code, message }.into(),
        other => anyhow::anyhow!(unexpected(&other)),
    }
}

fn unexpected(response: &Response) -> String {
    match response {
        Response::Error { message, .. } => message.clone(),
        other => format!("the program gave an unexpected answer: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::{ends, tunables};

    #[test]
    fn a_program_that_ends_is_told_from_one_that_runs() {
        let program = Command::new("cat").stdin(Stdio::piped()).spawn();
        let mut program = program.unwrap();
        assert!(!ends(program.id()));
        drop(program.stdin.take());
        assert!(ends(program.id()));
        program.wait().unwrap();
        assert!(ends(program.id()));
    }

    #[test]
    fn adds_to_what_the_user_has_set() {
        let room = "glibc.rtld.optional_static_tls";
        for (user, expected) in [
            ("", Some(format!("{room}=8192"))),
            (
                "glibc.malloc.check=1",
                Some(format!("glibc.malloc.check=1:{room}=8192")),
            ),
            ("glibc.rtld.optional_static_tls=1", None),
        ] {
            assert_eq!(tunables(user), expected);
        }
    }
}
