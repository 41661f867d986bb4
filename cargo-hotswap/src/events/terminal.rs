//! The terminal that stderr is: its width, whether the program has it for itself, its settings.

use std::io::{IsTerminal, Write as _};

use anyhow::Result;
use rustix::stdio::stderr;
use rustix::termios::{self, LocalModes, OptionalActions, OutputModes, Termios};

/// Names the width to use instead of the terminal's own.
const WIDTH_VARIABLE: &str = "COLUMNS";

/// Takes back what full-screen programs ask of a terminal: reports of the mouse, marks around what is
/// pasted, a second screen, no cursor, colours. Where a program did not ask, nothing but the cursor's place
/// changes, which is the last line then: nobody knows where the program had it on the first screen.
const AS_BEFORE: &str = "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?47l\x1b[?25h\x1b[0m\
                         \x1b[999;1H\r\n";

/// A terminal and the settings that it had when the tool was started.
#[derive(Debug, Clone)]
pub struct Terminal {
    at_start: Termios,
}

impl Terminal {
    /// The terminal that stderr is; `None` if it is something else.
    pub fn of_stderr() -> Option<Self> {
        let settings = termios::tcgetattr(stderr()).ok();
        settings
            .filter(|_| std::io::stderr().is_terminal())
            .map(|at_start| Self { at_start })
    }

    /// Its columns, as they are now.
    pub fn columns(&self) -> Option<usize> {
        let size = termios::tcgetwinsize(stderr()).ok()?;
        Some(size.ws_col.into()).filter(|columns| *columns > 0)
    }

    /// The columns that lines are fitted to: its own, unless the user names others.
    pub fn width(&self) -> Option<usize> {
        let named = std::env::var(WIDTH_VARIABLE).ok();
        let named = named.and_then(|columns| columns.parse().ok());
        named
            .filter(|columns| *columns > 0)
            .or_else(|| self.columns())
    }

    /// Whether a program draws on it: it gets every key as it is pressed, or its output as it is
    /// written, so that a line of ours would stand in the middle of a picture.
    pub fn is_taken(&self) -> bool {
        !is_raw(&self.at_start)
            && in_foreground()
            && termios::tcgetattr(stderr()).is_ok_and(|now| is_raw(&now))
    }

    /// Gives it the settings that it had at the start, as a shell does when a program is killed, and its
    /// first screen.
    ///
    /// # Errors
    ///
    /// The terminal is gone, or belongs to another job of the shell's.
    pub fn restore(&self) -> Result<()> {
        // Who is in the background and changes the settings is stopped by the terminal.
        anyhow::ensure!(in_foreground(), "another job has the terminal");
        termios::tcsetattr(stderr(), OptionalActions::Now, &self.at_start)?;
        std::io::stderr().write_all(AS_BEFORE.as_bytes())?;
        Ok(())
    }
}

/// Whether the terminal is ours rather than the shell's or another job's. Where it is not our
/// controlling terminal nobody can tell, and there is no job control either.
fn in_foreground() -> bool {
    termios::tcgetpgrp(stderr()).map_or(true, |group| group == rustix::process::getpgrp())
}

fn is_raw(settings: &Termios) -> bool {
    !settings.local_modes.contains(LocalModes::ICANON)
        || !settings.output_modes.contains(OutputModes::OPOST)
}
