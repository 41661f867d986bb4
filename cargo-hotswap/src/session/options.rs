//! What `run` does when an edit can't go live, or when the program has ended.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use anyhow::Result;
use clap::Args;
use hotswap_protocol::env;

use super::talk::Talk;
use crate::config::{Config, Flags, OnPanic, OnRefused, Stay, ThirdVersion};
use crate::death;
use crate::events::Event;
use crate::project::Project;
use crate::watch;

/// Flags of `run` about refused edits, debuggers, keys and the program's end.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Control {
    /// What to do when an edit can't go live
    #[arg(long, value_enum, value_name = "DO", help_heading = "Control")]
    pub on_refused: Option<OnRefused>,
    /// What the program does when an entry panics soon after a swap
    #[arg(long, value_enum, value_name = "DO", help_heading = "Control")]
    pub on_panic: Option<OnPanic>,
    /// What a swap does while a version before the current one is still in use
    #[arg(long, value_enum, value_name = "DO", help_heading = "Control")]
    pub third_version: Option<ThirdVersion>,
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
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "always",
        help_heading = "Control"
    )]
    pub stay: Option<Stay>,
}

/// What a run does, as flags, variables and files say.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What to do when an edit can't go live.
    pub on_refused: OnRefused,
    /// What the program does when an entry panics soon after a swap.
    pub on_panic: OnPanic,
    /// What a swap does while a version before the current one is in use.
    pub third_version: ThirdVersion,
    /// Whether single keys are read while the program runs.
    pub keys: bool,
    /// When to wait after the program's end.
    pub stay: Stay,
    /// How files are watched.
    pub watch: watch::Settings,
}

impl Settings {
    /// Reads the settings, and warns of those that nobody understands.
    ///
    /// # Errors
    ///
    /// A file or a value is malformed.
    pub fn load(control: &Control, project: &Project, talk: &Talk) -> Result<Self> {
        let flags = Flags {
            keys: control.keys.then_some(true),
            on_refused: control.on_refused,
            on_panic: control.on_panic,
            stay: control.stay,
            third_version: control.third_version,
            ..Flags::default()
        };
        let mut config = Config::load(project, &flags)?;
        for message in std::mem::take(&mut config.warnings) {
            talk.report(&Event::Warning { message });
        }
        Ok(Self {
            on_refused: config.on_refused.value,
            on_panic: config.on_panic.value,
            third_version: config.third_version.value,
            keys: config.keys.value,
            stay: config.stay.value,
            watch: watch::Settings {
                root: project.workspace_root.clone(),
                poll: config.watch_poll.value,
                ignore: config.ignored()?,
                patience: watch::Patience::default(),
            },
        })
    }
}

impl Settings {
    /// What the runtime in the program is told, as variables.
    pub fn of_runtime(&self) -> [(&'static str, &'static str); 2] {
        [
            (env::ON_PANIC, self.on_panic.word()),
            (env::THIRD_VERSION, self.third_version.word()),
        ]
    }

    /// The program's standard input: the terminal is either its or the tool's.
    pub fn stdin(&self) -> Stdio {
        if self.keys {
            Stdio::null()
        } else {
            Stdio::inherit()
        }
    }
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
