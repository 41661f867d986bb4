//! Who runs: programs and tools by their sockets, and the one that is meant.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use hotswap_protocol::address::{self, Program, SelectError, Selector};

use super::client::{self, Client, ConnectError};
use super::elsewhere;
use super::message::Hello;
use super::place;
use crate::output::plain;
use crate::program::Connection;

/// How long a program may take to say who it is. One that is stopped (a debugger, Ctrl-Z) never
/// does.
const PATIENCE: Duration = Duration::from_secs(3);

/// Which program is meant.
#[derive(Debug, Clone, Default, Args)]
pub struct Target {
    /// Process id of the program, or of the `cargo hotswap run` that started it
    #[arg(long, value_name = "N", help_heading = "Program Selection")]
    pub pid: Option<u32>,
    /// Name of the program: that of its bin or example target
    #[arg(long, value_name = "APP", help_heading = "Program Selection")]
    pub name: Option<String>,
}

impl Target {
    /// Whether all programs are meant as well as one.
    pub fn is_open(&self) -> bool {
        self.pid.is_none() && self.name.is_none()
    }
}

/// A program that runs, with or without a tool.
#[derive(Debug)]
pub struct Found {
    /// What it is selected by.
    pub program: Program,
    /// The conversation with its tool.
    pub tool: Option<Client>,
    /// The connection to the program itself.
    pub connection: Option<Connection>,
}

impl Found {
    /// The folder of its workspace, if that is known.
    fn workspace(&self) -> Option<PathBuf> {
        let workspace = self.tool.as_ref().map(|tool| &tool.hello.workspace);
        workspace
            .filter(|folder| !folder.as_os_str().is_empty())
            .cloned()
    }
}

/// For each program, by the folder of its workspace, whether it may be meant by somebody in the folder
/// `here`: if that lies in a workspace, only that one's, else all.
fn nearest(workspaces: &[Option<PathBuf>], here: &Path) -> Vec<bool> {
    let around = |folder: &&PathBuf| here.starts_with(folder);
    let depth = |folder: &&PathBuf| folder.components().count();
    let innermost = workspaces.iter().flatten().filter(around).max_by_key(depth);
    let meant = |folder: &Option<PathBuf>| innermost.is_none_or(|one| folder.as_ref() == Some(one));
    workspaces.iter().map(meant).collect()
}

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Running {
    /// Programs, by process id.
    pub programs: Vec<Found>,
    /// Sockets at which somebody listens and does not answer as it should, with the reason.
    pub silent: Vec<(PathBuf, String)>,
}

/// What answers at a socket.
enum Answer {
    Tool(Box<Client>),
    Program(Box<Connection>),
    Nobody,
    Silent(PathBuf, String),
}

impl Running {
    /// Asks at every socket of this user, at all of them at once. Those of killed processes are removed. A process that is
    /// meant by its number and not among them is asked where it would listen, as another user or in a container.
    pub fn look(target: &Target) -> Self {
        let sockets = sockets();
        let answers: Vec<Answer> = thread::scope(|scope| {
            let asked = sockets
                .iter()
                .map(|(path, tool)| scope.spawn(|| ask(path, *tool)));
            let asked: Vec<_> = asked.collect();
            let answers = asked.into_iter().map(|asked| asked.join());
            answers
                .map(|answer| answer.unwrap_or(Answer::Nobody))
                .collect()
        });
        let mut running = Self::sorted(answers);
        if let Some(pid) = target.pid.filter(|pid| !running.has(*pid)) {
            running.programs.extend(elsewhere(pid));
        }
        running
    }

    /// Whether a program, a tool or a silent socket has this number.
    fn has(&self, pid: u32) -> bool {
        let silent = || self.silent.iter().any(|(path, _)| is_named(path, pid));
        let programs = self.programs.iter().map(|found| &found.program);
        programs
            .into_iter()
            .any(|one| [one.pid, one.tool].contains(&Some(pid)))
            || silent()
    }

    /// Brings programs and their tools together.
    fn sorted(answers: Vec<Answer>) -> Self {
        let mut running = Self::default();
        let mut connections = Vec::new();
        for answer in answers {
            match answer {
                Answer::Tool(tool) => running.programs.push(Found {
                    program: program_of(&tool.hello),
                    tool: Some(*tool),
                    connection: None,
                }),
                Answer::Program(connection) => connections.push(*connection),
                Answer::Nobody => {}
                Answer::Silent(path, problem) => running.silent.push((path, problem)),
            }
        }
        for connection in connections {
            // As both say it.
            let pid = Some(connection.hello.pid);
            let with_tool = running
                .programs
                .iter_mut()
                .find(|found| found.program.pid == pid);
            match with_tool {
                Some(found) => {
                    found.program.pid = Some(connection.pid);
                    found.connection = Some(connection);
                }
                None => running.programs.push(alone(connection)),
            }
        }
        running
            .programs
            .sort_by_key(|found| (found.program.pid, found.program.tool));
        running
    }

    /// The one that is meant. Where that is not said, and several run, it is that of the workspace from
    /// which is asked.
    ///
    /// # Errors
    ///
    /// None, or several; the text lists those in question and says what to do.
    pub fn select(mut self, target: &Target) -> Result<Found> {
        let selector = Selector {
            pid: target.pid,
            name: target.name.clone(),
        };
        if let Some(silent) = self.silent_one(target) {
            bail!(
                "{}\n  = help: if it is stopped (Ctrl-Z, a debugger), let it go on",
                described(silent)
            );
        }
        if let Some(here) = std::env::current_dir().ok().filter(|_| target.is_open()) {
            let workspaces = self.programs.iter().map(Found::workspace);
            let near = nearest(&workspaces.collect::<Vec<_>>(), &here);
            let mut near = near.into_iter();
            self.programs.retain(|_| near.next().unwrap_or(true));
        }
        let programs = self.programs.iter().map(|found| found.program.clone());
        let programs: Vec<Program> = programs.collect();
        match selector.select(&programs) {
            Ok(program) => {
                let place = programs.iter().position(|one| one == program);
                Ok(self.programs.swap_remove(place.unwrap_or(0)))
            }
            Err(error) => bail!("{error}{}", help(target, &error)),
        }
    }

    /// A text for each program that has a socket and does not answer.
    pub fn silent_programs(&self) -> impl Iterator<Item = String> {
        let is_program = |path: &Path| path.file_name().and_then(address::socket_pid).is_some();
        let programs = self.silent.iter().filter(move |(path, _)| is_program(path));
        programs.map(described)
    }

    /// The silent socket that is asked for by its process.
    fn silent_one(&self, target: &Target) -> Option<&(PathBuf, String)> {
        let pid = target.pid?;
        self.silent.iter().find(|(path, _)| is_named(path, pid))
    }
}

/// What is told of a silent socket.
fn described((path, problem): &(PathBuf, String)) -> String {
    let process = path.file_stem().unwrap_or_default().to_string_lossy();
    format!("process {process} has a socket, but {problem}")
}

/// Whether this is the name of a socket of this process.
fn is_named(path: &Path, pid: u32) -> bool {
    let name = path.file_name().unwrap_or_default();
    [address::socket_pid(name), address::tool_socket_pid(name)].contains(&Some(pid))
}

/// A program without its tool.
fn alone(connection: Connection) -> Found {
    Found {
        program: Program {
            pid: Some(connection.pid),
            tool: None,
            name: plain(&connection.hello.name),
            executable: connection.hello.executable.clone(),
        },
        tool: None,
        connection: Some(connection),
    }
}

/// The program with this number, if it listens in folders that are not this process's.
fn elsewhere(pid: u32) -> Option<Found> {
    elsewhere::sockets(pid).iter().find_map(|socket| {
        let stream = client::connect_to_process(&socket.path(), pid).ok()?;
        Connection::greet(stream, PATIENCE).ok().map(alone)
    })
}

/// What to do where none was found that is meant.
fn help(target: &Target, error: &SelectError) -> String {
    let lives = |pid: &u32| Path::new("/proc").join(pid.to_string()).exists();
    match target.pid.filter(lives) {
        Some(pid) => format!(
            "\n  = help: process {pid} does not listen, or where only its own user and root can see it: run this as one \
             of them"
        ),
        None if matches!(error, SelectError::NoneRunning) => HOW_TO_START.to_owned(),
        None => String::new(),
    }
}

/// What to do where nothing runs.
pub const HOW_TO_START: &str = "\n  = help: start one with `cargo hotswap run`";

fn program_of(hello: &Hello) -> Program {
    Program {
        pid: hello.program,
        tool: Some(hello.pid),
        name: plain(&hello.name),
        executable: hello.executable.clone(),
    }
}

/// All sockets, and whether each is a tool's.
fn sockets() -> Vec<(PathBuf, bool)> {
    let folders = place::private_directories();
    let entries = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let paths = entries.flatten().flatten().map(|entry| entry.path());
    paths
        .filter_map(|path| {
            let name = path.file_name().unwrap_or(OsStr::new(""));
            let tool = address::tool_socket_pid(name).is_some();
            (tool || address::socket_pid(name).is_some()).then_some((path, tool))
        })
        .collect()
}

/// Why a program did not say who it is. What the system calls waiting in vain helps nobody.
fn silence(error: &anyhow::Error) -> String {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref());
    let in_vain = |cause: &io::Error| {
        matches!(
            cause.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        )
    };
    match causes.any(in_vain) {
        true => format!("nothing came within {} seconds", PATIENCE.as_secs()),
        false => format!("{error:#}"),
    }
}

fn ask(path: &Path, tool: bool) -> Answer {
    let answer = if tool {
        Client::open(path).map(|client| Answer::Tool(Box::new(client)))
    } else {
        client::connect(path).and_then(|stream| {
            Connection::greet(stream, PATIENCE)
                .map(|connection| Answer::Program(Box::new(connection)))
                .map_err(|error| ConnectError::Silent(silence(&error)))
        })
    };
    answer.unwrap_or_else(|error| match error {
        ConnectError::LeftOver => {
            // Whoever listens renames a socket to its place when it listens, so this one is what a
            // killed process left. Should it not go, it does no harm.
            let _ = place::remove(path);
            Answer::Nobody
        }
        error => Answer::Silent(path.to_owned(), error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{nearest, silence};

    #[test]
    fn who_does_not_answer_is_told_from_who_answers_wrongly() {
        let waited = std::io::Error::from_raw_os_error(rustix::io::Errno::AGAIN.raw_os_error());
        let waited = anyhow::Error::new(waited).context("the program did not answer");
        assert_eq!(silence(&waited), "nothing came within 3 seconds");
        let wrong = anyhow::anyhow!("no JSON").context("the program did not answer");
        assert_eq!(silence(&wrong), "the program did not answer: no JSON");
    }

    #[test]
    fn who_asks_in_a_workspace_means_its_program() {
        let table: &[(&[&str], &str, &[bool])] = &[
            (&[], "/a", &[]),
            (&["/a", "/b"], "/a", &[true, false]),
            (&["/a", "/b"], "/b/src/deep", &[false, true]),
            (&["/a", "/b", "/a"], "/a/src", &[true, false, true]),
            // Of two around it the inner one.
            (&["/a", "/a/b"], "/a/b/c", &[false, true]),
            (&["/a", "/ab"], "/ab", &[false, true]),
            // Elsewhere all may be meant, and one that did not tell only there.
            (&["/a", ""], "/c", &[true, true]),
            (&["/a", ""], "/a", &[true, false]),
        ];
        for (workspaces, here, expected) in table {
            let folders = workspaces.iter().map(|folder| Some(PathBuf::from(folder)));
            let folders = folders.map(|folder| folder.filter(|one| !one.as_os_str().is_empty()));
            let found = nearest(&folders.collect::<Vec<_>>(), Path::new(here));
            assert_eq!(found, *expected, "{workspaces:?} {here}");
        }
    }
}
