//! Where programs listen, and how a user's words select one of them.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

/// The longest path a unix socket can have on Linux, in bytes, without the final zero.
pub const MAX_SOCKET_PATH_BYTES: usize = 107;

/// The variable that names the user's runtime directory.
pub const RUNTIME_DIR_VARIABLE: &str = "XDG_RUNTIME_DIR";

/// A name as long as any socket's can be.
const LONGEST_SOCKET_NAME: &str = "4294967295.sock";

/// The directories in which programs of user `uid` may listen; a program uses the first.
///
/// `runtime_dir` is the value of [`RUNTIME_DIR_VARIABLE`]; it counts if it is absolute and short
/// enough for a socket's path. A tool looks in all of them, as the program may have been started
/// without the variable. The directory must be the user's own, private and no symbolic link: that
/// is for whoever opens it to check.
#[must_use]
pub fn socket_directories(runtime_dir: Option<&OsStr>, uid: u32) -> Vec<PathBuf> {
    let preferred = runtime_dir
        .map(|dir| Path::new(dir).join("hotswap"))
        .filter(|dir| {
            let longest = dir.as_os_str().as_encoded_bytes().len() + 1 + LONGEST_SOCKET_NAME.len();
            dir.is_absolute() && longest <= MAX_SOCKET_PATH_BYTES
        });
    let fallback = PathBuf::from(format!("/tmp/hotswap-{uid}"));
    preferred.into_iter().chain([fallback]).collect()
}

/// The file name of the socket of process `pid`.
#[must_use]
pub fn socket_name(pid: u32) -> String {
    format!("{pid}.sock")
}

/// The process whose socket has this file name; None if it is no socket of ours.
#[must_use]
pub fn socket_pid(file_name: &OsStr) -> Option<u32> {
    let pid = file_name.to_str()?.strip_suffix(".sock")?.parse().ok()?;
    (OsStr::new(&socket_name(pid)) == file_name && pid != 0).then_some(pid)
}

/// The file name of the socket of the tool with process id `pid`, which lies beside the program's.
#[must_use]
pub fn tool_socket_name(pid: u32) -> String {
    format!("{pid}.tool")
}

/// The tool whose socket has this file name; None if it is no tool's.
#[must_use]
pub fn tool_socket_pid(file_name: &OsStr) -> Option<u32> {
    let pid = file_name.to_str()?.strip_suffix(".tool")?.parse().ok()?;
    (OsStr::new(&tool_socket_name(pid)) == file_name && pid != 0).then_some(pid)
}

/// A program that can be addressed: it listens, or a tool that runs it does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    /// Its process id; None if its tool has none running at the moment.
    pub pid: Option<u32>,
    /// The process id of the tool that runs it; None if it runs without one.
    pub tool: Option<u32>,
    /// Its name.
    pub name: String,
    /// Its executable.
    pub executable: PathBuf,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.name)?;
        match (self.pid, self.tool) {
            (Some(pid), Some(_)) => write!(f, "pid {pid}")?,
            (Some(pid), None) => write!(f, "pid {pid}, without its tool")?,
            (None, Some(tool)) => write!(f, "not running, tool {tool}")?,
            (None, None) => f.write_str("not running")?,
        }
        write!(f, ", {})", self.executable.display())
    }
}

/// Which program is meant. Everything given must hold; with nothing given, the only one is meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    /// The value of `--pid`: a program's process id, or its tool's, which stays when the program is
    /// restarted.
    pub pid: Option<u32>,
    /// The value of `--name`.
    pub name: Option<String>,
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pid, &self.name) {
            (None, None) => f.write_str("no selection"),
            (Some(pid), None) => write!(f, "pid {pid}"),
            (None, Some(name)) => write!(f, "name `{name}`"),
            (Some(pid), Some(name)) => write!(f, "pid {pid} and name `{name}`"),
        }
    }
}

/// The selection did not name exactly one program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// Nothing listens.
    #[error("no program is running under `cargo hotswap`")]
    NoneRunning,
    /// None of the running ones is meant.
    #[error("no running program has {selector}; running:{}", list(running))]
    NoMatch {
        /// What was asked for.
        selector: Selector,
        /// What runs.
        running: Vec<Program>,
    },
    /// Several are meant.
    #[error("{} programs are running{}, choose one with `--pid`:{}", candidates.len(), with(selector), list(candidates))]
    Ambiguous {
        /// What was asked for.
        selector: Selector,
        /// Those that fit.
        candidates: Vec<Program>,
    },
}

/// One line for each.
fn list(programs: &[Program]) -> String {
    let lines = programs.iter().map(|program| format!("\n  {program}"));
    lines.collect()
}

/// How a selection that several fit reads.
fn with(selector: &Selector) -> String {
    if *selector == Selector::default() {
        String::new()
    } else {
        format!(" with {selector}")
    }
}

impl Selector {
    /// The one program among `running` that is meant.
    ///
    /// # Errors
    ///
    /// None, or more than one. The error lists the programs in question, by pid.
    pub fn select<'a>(&self, running: &'a [Program]) -> Result<&'a Program, SelectError> {
        if running.is_empty() {
            return Err(SelectError::NoneRunning);
        }
        let fitting: Vec<&Program> = running
            .iter()
            .filter(|program| self.fits(program))
            .collect();
        match fitting.as_slice() {
            [only] => Ok(only),
            [] => Err(SelectError::NoMatch {
                selector: self.clone(),
                running: sorted(running.iter()),
            }),
            several => Err(SelectError::Ambiguous {
                selector: self.clone(),
                candidates: sorted(several.iter().copied()),
            }),
        }
    }

    fn fits(&self, program: &Program) -> bool {
        self.pid
            .is_none_or(|pid| [program.pid, program.tool].contains(&Some(pid)))
            && self.name.as_ref().is_none_or(|name| *name == program.name)
    }
}

fn sorted<'a>(programs: impl Iterator<Item = &'a Program>) -> Vec<Program> {
    let mut programs: Vec<Program> = programs.cloned().collect();
    programs.sort_by_key(|program| (program.pid, program.tool));
    programs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories() {
        let long = format!("/{}", "d".repeat(90));
        let table: &[(Option<&str>, &[&str])] = &[
            (
                Some("/run/user/7"),
                &["/run/user/7/hotswap", "/tmp/hotswap-7"],
            ),
            (None, &["/tmp/hotswap-7"]),
            (Some(""), &["/tmp/hotswap-7"]),
            (Some("relative"), &["/tmp/hotswap-7"]),
            (Some(&long), &["/tmp/hotswap-7"]),
        ];
        for (runtime_dir, expected) in table {
            let found = socket_directories(runtime_dir.map(OsStr::new), 7);
            let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(found, expected, "{runtime_dir:?}");
        }
    }

    #[test]
    fn socket_names() {
        assert_eq!(socket_pid(OsStr::new(&socket_name(12))), Some(12));
        for foreign in [
            "12",
            "a.sock",
            "-1.sock",
            "+1.sock",
            "012.sock",
            "0.sock",
            ".sock",
            "99999999999.sock",
        ] {
            assert_eq!(socket_pid(OsStr::new(foreign)), None, "{foreign}");
        }
    }

    #[test]
    fn tools_and_programs_have_sockets_of_their_own() {
        let (program, tool) = (socket_name(12), tool_socket_name(12));
        assert_eq!(tool_socket_pid(OsStr::new(&tool)), Some(12));
        assert_eq!(tool_socket_pid(OsStr::new(&program)), None);
        assert_eq!(socket_pid(OsStr::new(&tool)), None);
        assert!(tool_socket_name(u32::MAX).len() <= LONGEST_SOCKET_NAME.len());
    }

    /// A program with a tool of the process id before its own.
    fn program(pid: u32, name: &str) -> Program {
        Program {
            pid: Some(pid),
            tool: Some(pid - 1),
            name: name.into(),
            executable: format!("/bin/{name}").into(),
        }
    }

    fn check(pid: Option<u32>, name: Option<&str>, running: &[Program], expected: &str) {
        let selector = Selector {
            pid,
            name: name.map(Into::into),
        };
        let outcome = match selector.select(running) {
            Ok(program) => program.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(outcome, expected);
    }

    #[test]
    fn selection() {
        let nothing = "no program is running under `cargo hotswap`";
        let (web, chat) = ("web (pid 5, /bin/web)", "chat (pid 7, /bin/chat)");
        let one = [program(5, "web")];
        let three = [program(9, "web"), program(5, "web"), program(7, "chat")];
        check(None, None, &[], nothing);
        check(Some(5), None, &[], nothing);
        check(None, None, &one, web);
        check(Some(7), None, &three, chat);
        check(Some(6), None, &three, chat);
        check(None, Some("chat"), &three, chat);
        check(Some(5), Some("web"), &three, web);
        check(
            None,
            Some("web"),
            &three,
            "2 programs are running with name `web`, choose one with `--pid`:\n  \
             web (pid 5, /bin/web)\n  web (pid 9, /bin/web)",
        );
        check(
            None,
            None,
            &three,
            "3 programs are running, choose one with `--pid`:\n  web (pid 5, /bin/web)\n  \
             chat (pid 7, /bin/chat)\n  web (pid 9, /bin/web)",
        );
        check(
            Some(7),
            Some("web"),
            &one,
            "no running program has pid 7 and name `web`; running:\n  web (pid 5, /bin/web)",
        );
    }

    #[test]
    fn programs_without_tool_and_tools_without_program() {
        let mut alone = program(5, "web");
        alone.tool = None;
        check(
            None,
            None,
            std::slice::from_ref(&alone),
            "web (pid 5, without its tool, /bin/web)",
        );
        let mut ended = program(5, "web");
        ended.pid = None;
        let running = [alone, ended];
        check(
            Some(4),
            None,
            &running,
            "web (not running, tool 4, /bin/web)",
        );
    }
}
