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

/// A program that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its process id.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Its executable.
    pub executable: PathBuf,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (pid {}, {})",
            self.name,
            self.pid,
            self.executable.display()
        )
    }
}

/// Which program is meant. Everything given must hold; with nothing given, the only one is meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    /// The value of `--pid`.
    pub pid: Option<u32>,
    /// The value of `--name`.
    pub name: Option<String>,
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pid, &self.name) {
            (None, None) => f.write_str("any program"),
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
    #[error("no running program has {selector}; running: {}", list(running))]
    NoMatch {
        /// What was asked for.
        selector: Selector,
        /// What runs.
        running: Vec<Program>,
    },
    /// Several are meant.
    #[error("{} programs fit {selector}, choose one with `--pid`: {}", candidates.len(), list(candidates))]
    Ambiguous {
        /// What was asked for.
        selector: Selector,
        /// Those that fit.
        candidates: Vec<Program>,
    },
}

fn list(programs: &[Program]) -> String {
    let lines: Vec<String> = programs.iter().map(Program::to_string).collect();
    lines.join(", ")
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
        self.pid.is_none_or(|pid| pid == program.pid)
            && self.name.as_ref().is_none_or(|name| *name == program.name)
    }
}

fn sorted<'a>(programs: impl Iterator<Item = &'a Program>) -> Vec<Program> {
    let mut programs: Vec<Program> = programs.cloned().collect();
    programs.sort_by_key(|program| program.pid);
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

    fn program(pid: u32, name: &str) -> Program {
        Program {
            pid,
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
            Ok(program) => program.pid.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(outcome, expected);
    }

    #[test]
    fn selection() {
        let one = [program(5, "web")];
        let three = [program(9, "web"), program(5, "web"), program(7, "chat")];
        check(
            None,
            None,
            &[],
            "no program is running under `cargo hotswap`",
        );
        check(
            Some(5),
            None,
            &[],
            "no program is running under `cargo hotswap`",
        );
        check(None, None, &one, "5");
        check(Some(7), None, &three, "7");
        check(None, Some("chat"), &three, "7");
        check(Some(9), Some("web"), &three, "9");
        check(
            None,
            Some("web"),
            &three,
            "2 programs fit name `web`, choose one with `--pid`: \
             web (pid 5, /bin/web), web (pid 9, /bin/web)",
        );
        check(
            None,
            None,
            &three,
            "3 programs fit any program, choose one with `--pid`: \
             web (pid 5, /bin/web), chat (pid 7, /bin/chat), web (pid 9, /bin/web)",
        );
        check(
            Some(7),
            Some("web"),
            &one,
            "no running program has pid 7 and name `web`; running: web (pid 5, /bin/web)",
        );
    }
}
