//! What `run` does when an edit can't go live, or when the program has ended.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use clap::{Args, ValueEnum};

use crate::death;

/// Flags of `run` about refused edits, debuggers, keys and the program's end.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Control {
    /// What to do when an edit can't go live
    #[arg(
        long,
        value_enum,
        value_name = "DO",
        default_value_t,
        help_heading = "Control"
    )]
    pub on_refused: OnRefused,
    /// Keep types and variables in patches, for a debugger; each swap takes longer
    #[arg(long, help_heading = "Control")]
    pub debug_patches: bool,
    /// Read single keys while the program runs (`?` lists them); the program gets no input
    #[arg(long, help_heading = "Control")]
    pub keys: bool,
    /// When to wait for a save after the program's end, instead of ending too
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "always",
        help_heading = "Control"
    )]
    pub stay: Stay,
}

/// What follows a refusal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OnRefused {
    /// The program runs on as it was
    #[default]
    Keep,
    /// The program is started again on the newest code
    Restart,
}

/// After which ends the tool waits for a save.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Stay {
    /// After a panic or a fault, if there is a terminal
    #[default]
    Crash,
    /// After every end that nobody asked for
    Always,
    /// Never: as `cargo run`
    Never,
}

impl Stay {
    /// Whether every end is waited after.
    pub fn always(self) -> bool {
        self == Self::Always
    }

    /// Whether the tool waits after this end of the program.
    pub fn after(self, status: ExitStatus, terminal: bool) -> bool {
        match self {
            Self::Never => false,
            Self::Always => !status.signal().is_some_and(asked_for),
            Self::Crash => terminal && is_crash(status),
        }
    }
}

/// Signals by which people and systems end programs.
fn asked_for(signal: i32) -> bool {
    [
        libc::SIGINT,
        libc::SIGTERM,
        libc::SIGHUP,
        libc::SIGQUIT,
        libc::SIGKILL,
    ]
    .contains(&signal)
}

/// Whether the program ended by something that an edit may mend.
fn is_crash(status: ExitStatus) -> bool {
    status.code() == Some(death::PANIC_CODE) || status.signal().is_some_and(death::is_fault)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::Stay;

    #[test]
    fn scripts_are_never_waited_for() {
        // Exit codes are in the second byte, signals in the first.
        let (done, usage, panicked) = (0, 2 << 8, 101 << 8);
        let (fault, interrupt) = (libc::SIGSEGV, libc::SIGINT);
        for (status, crash, always) in [
            (done, false, true),
            (usage, false, true),
            (panicked, true, true),
            (fault, true, true),
            (interrupt, false, false),
        ] {
            let status = ExitStatus::from_raw(status);
            assert_eq!(Stay::Crash.after(status, true), crash, "{status}");
            assert!(!Stay::Crash.after(status, false), "{status}");
            assert_eq!(Stay::Always.after(status, false), always, "{status}");
            assert!(!Stay::Never.after(status, true), "{status}");
        }
    }
}
