//! The end of a program: what is known about it, and how it is told.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub mod code;
pub mod resolve;

/// How many callers of the function that failed are shown to people.
const SHOWN_FRAMES: usize = 6;

/// The exit code of a program whose main thread panicked.
pub const PANIC_CODE: i32 = 101;

/// What is known about the end of a program, besides its exit code or signal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Death {
    /// Its process id.
    pub pid: u32,
    /// The version that was current.
    pub version: u64,
    /// The signal's name, such as `SIGSEGV`, if one ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal_name: Option<String>,
    /// Whether the system wrote a core file, or gave it to its handler.
    pub core_dumped: bool,
    /// Where it was, if the signal was one that a fault raises and the runtime could tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// Where a fatal signal met a program.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Fault {
    /// The address that could not be accessed, or the instruction that could not be run, in
    /// hexadecimal; null for signals that a process sends.
    pub address: Option<String>,
    /// The calls under way in the thread, the innermost first, as far as they could be told.
    pub frames: Vec<Frame>,
}

/// One call under way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Frame {
    /// The function; null where no symbol is known.
    pub function: Option<String>,
    /// The file name of the executable, image or library that holds its code.
    pub module: String,
    /// The version that brought its code: 0 for the program as it was started, null for libraries.
    pub version: Option<u64>,
    /// File and line of the source, `src/main.rs:12`.
    pub location: Option<String>,
}

impl Frame {
    /// Whether it is code that the user may have written: not a library's, nor of the machinery
    /// around `main`, calls of entries, panics and aborts.
    fn is_own(&self) -> bool {
        let Some(function) = &self.function else {
            return false;
        };
        let foreign = ["std::", "core::", "alloc::", "hotswap::", "__rust"];
        let path = function.trim_start_matches(['<', '&']);
        let of_std = |location: &String| location.starts_with("/rustc/");
        self.version.is_some()
            && function.contains("::")
            && !foreign.iter().any(|prefix| path.starts_with(prefix))
            && !self.location.as_ref().is_some_and(of_std)
    }

    fn text(&self) -> String {
        let mut text = match &self.function {
            Some(function) => format!("`{function}`"),
            None => format!("a function of {}", self.module),
        };
        if let Some(version) = self.version {
            let _ = write!(text, " of version {version}");
        }
        if let Some(location) = &self.location {
            let _ = write!(text, ", at {location}");
        }
        text
    }
}

impl Death {
    /// One line: which process ended how, in which version.
    pub fn exit(&self, code: Option<i32>, signal: Option<i32>) -> String {
        let how = match (code, signal) {
            (Some(PANIC_CODE), _) => format!("with code {PANIC_CODE}, as after a panic"),
            (Some(code), _) => format!("with code {code}"),
            (None, Some(signal)) => {
                let name = self.signal_name.as_deref().unwrap_or("an unnamed signal");
                let core = if self.core_dumped {
                    ", core dumped"
                } else {
                    ""
                };
                format!("by {name} (signal {signal}{core})")
            }
            (None, None) => "in a way that the system does not tell".to_owned(),
        };
        format!("process {} {how}, in version {}", self.pid, self.version)
    }

    /// The message of the error to be shown, if the program was ended by a signal that means a fault
    /// in it.
    pub fn error(&self, signal: Option<i32>) -> Option<String> {
        let signal = signal.filter(|signal| is_fault(*signal))?;
        let mut text = format!("the program died: {}\n", self.exit(None, Some(signal)));
        let Some(fault) = &self.fault else {
            return Some(text);
        };
        if let Some(address) = &fault.address {
            let _ = writeln!(text, "  = what: an access to the address {address}");
        }
        let mut own: Vec<&Frame> = fault.frames.iter().filter(|frame| frame.is_own()).collect();
        // A recursion, or an entry and its body.
        own.dedup_by(|next, last| next.function == last.function && next.version == last.version);
        let Some((first, callers)) = own.split_first() else {
            if let Some(frame) = fault.frames.first() {
                let _ = writeln!(text, "  = where: in {}", frame.text());
            }
            return Some(text);
        };
        let _ = writeln!(text, "  = where: in {}", first.text());
        for caller in callers.iter().take(SHOWN_FRAMES) {
            let _ = writeln!(text, "  = called by: {}", caller.text());
        }
        if callers.len() > SHOWN_FRAMES {
            let more = callers.len() - SHOWN_FRAMES;
            let _ = writeln!(text, "  = called by: {more} more");
        }
        Some(text)
    }
}

/// Signals by which the system, or the program itself, says that something is wrong with it.
const FAULTS: [(i32, &str); 7] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGSYS, "SIGSYS"),
];

/// Whether a signal means a fault in the program that it ends.
pub fn is_fault(signal: i32) -> bool {
    FAULTS.iter().any(|(fault, _)| *fault == signal)
}

/// A signal's name.
pub fn signal_name(signal: i32) -> Option<String> {
    let named = signal_hook::low_level::signal_name(signal);
    let fault = FAULTS.iter().find(|(fault, _)| *fault == signal);
    let name = named.or(fault.map(|(_, name)| *name));
    let real_time = |signal: i32| format!("SIGRTMIN+{}", signal - libc::SIGRTMIN());
    match name {
        Some(name) => Some(name.to_owned()),
        None if (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&signal) => Some(real_time(signal)),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Death, Fault, Frame, is_fault, signal_name};

    fn frame(function: &str, version: Option<u64>, location: Option<&str>) -> Frame {
        Frame {
            function: (!function.is_empty()).then(|| function.to_owned()),
            module: "app".to_owned(),
            version,
            location: location.map(str::to_owned),
        }
    }

    #[test]
    fn one_line_says_how_it_ended() {
        let death = Death {
            pid: 7,
            version: 2,
            signal_name: signal_name(15),
            ..Death::default()
        };
        for (code, signal, expected) in [
            (Some(3), None, "process 7 with code 3, in version 2"),
            (
                Some(101),
                None,
                "process 7 with code 101, as after a panic, in version 2",
            ),
            (
                None,
                Some(15),
                "process 7 by SIGTERM (signal 15), in version 2",
            ),
        ] {
            assert_eq!(death.exit(code, signal), expected);
        }
        assert_eq!(death.error(Some(15)), None);
    }

    #[test]
    fn an_error_names_the_users_own_functions() {
        let fault = Fault {
            address: Some("0x8".to_owned()),
            frames: vec![
                frame("abort", None, None),
                frame("std::process::abort", Some(0), None),
                frame("app::answer", Some(2), Some("src/main.rs:9")),
                frame("core::ops::function::FnOnce::call_once", Some(2), None),
                frame("", Some(0), None),
                frame(
                    "<app::answer",
                    Some(2),
                    Some("/rustc/1/library/core/src/ops/function.rs:250"),
                ),
                frame("<app::Server>::run", Some(0), None),
                frame("std::rt::lang_start", Some(0), None),
            ],
        };
        let death = Death {
            pid: 7,
            version: 2,
            signal_name: signal_name(6),
            core_dumped: true,
            fault: Some(fault),
        };
        assert_eq!(
            death.error(Some(6)).as_deref(),
            Some(
                "the program died: process 7 by SIGABRT (signal 6, core dumped), in version 2\n  \
                 = what: an access to the address 0x8\n  \
                 = where: in `app::answer` of version 2, at src/main.rs:9\n  \
                 = called by: `<app::Server>::run` of version 0\n"
            )
        );
    }

    #[test]
    fn signals_have_names() {
        for (signal, name) in [
            (11, "SIGSEGV"),
            (7, "SIGBUS"),
            (9, "SIGKILL"),
            (5, "SIGTRAP"),
        ] {
            assert_eq!(signal_name(signal).as_deref(), Some(name));
        }
        assert_eq!(
            signal_name(libc::SIGRTMIN() + 3).as_deref(),
            Some("SIGRTMIN+3")
        );
        assert_eq!(signal_name(9999), None);
        assert!(is_fault(11) && !is_fault(2));
    }
}
