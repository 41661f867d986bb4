//! A terminal with a program on it: what is typed, what the screen shows, what becomes of both.

use std::{
    fs::File,
    io::{Read, Write},
    num::NonZero,
    os::unix::process::ExitStatusExt,
    process::{Child, Command},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, kill_process_group},
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{LocalModes, OutputModes, Winsize, tcgetattr, tcsetwinsize},
};

use crate::interrupts;

/// How long anything may take before the test fails; nothing waits for this when all is well. Much of it comes after a
/// build, and other tests may hold cargo's lock while they build all that they depend on.
const DEADLINE: Duration = Duration::from_secs(1800);

/// The keys that a terminal turns into signals.
pub const INTERRUPT: &str = "\u{3}";
/// Stops the foreground.
pub const SUSPEND: &str = "\u{1a}";
/// Ends the input.
pub const END: &str = "\u{4}";

/// A pseudo-terminal, whose session is led by the program that was started on it.
pub struct Terminal {
    master: Option<File>,
    child: Child,
    screen: vt100::Parser,
    /// Everything that was written, as it came.
    written: Vec<u8>,
    stripped: anstream::adapter::StripBytes,
    /// The text that was written and not awaited yet, without colours and carriage returns.
    unread: String,
}

impl Terminal {
    /// Starts a command on a new terminal of this size.
    ///
    /// # Errors
    ///
    /// There is no terminal to be had, or the command can't be started.
    pub fn start(command: &Command, columns: u16, rows: u16) -> Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let end = File::from(ioctl_tiocgptpeer(&master, flags)?);
        tcsetwinsize(&end, size(columns, rows))?;
        // The terminal shall be the session's own, so that its keys and its end are signals.
        let mut leader = Command::new("setsid");
        leader.arg("--ctty").arg(command.get_program());
        leader.args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            leader.current_dir(folder);
        }
        leader.env("TERM", "xterm-256color");
        // What says how to colour, and that nobody looks: not meant for this terminal.
        for name in [
            "CARGO_TERM_COLOR",
            "CI",
            "CLICOLOR_FORCE",
            "COLUMNS",
            "NO_COLOR",
        ] {
            leader.env_remove(name);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => leader.env(name, value),
                None => leader.env_remove(name),
            };
        }
        leader
            .stdin(end.try_clone()?)
            .stdout(end.try_clone()?)
            .stderr(end);
        interrupts::heed()?;
        let child = leader.spawn().context("starting it on a terminal")?;
        Ok(Self {
            master: Some(master.into()),
            child,
            screen: vt100::Parser::new(cells(rows)?, cells(columns)?, 0),
            written: Vec::new(),
            stripped: anstream::adapter::StripBytes::new(),
            unread: String::new(),
        })
    }

    /// The process id of the program that leads the session.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types these keys.
    ///
    /// # Errors
    ///
    /// The terminal is closed.
    pub fn type_keys(&mut self, keys: &str) -> Result<()> {
        let mut master = self.master.as_ref().context("the terminal is closed")?;
        Ok(master.write_all(keys.as_bytes())?)
    }

    /// Types a line.
    ///
    /// # Errors
    ///
    /// The terminal is closed.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        self.type_keys(&format!("{line}\r"))
    }

    /// Waits until this text was written, and returns what was written before it.
    ///
    /// # Errors
    ///
    /// It never is.
    pub fn expect(&mut self, text: &str) -> Result<String> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(at) = self.unread.find(text) {
                let before = self.unread[..at].to_owned();
                self.unread.drain(..at + text.len());
                return Ok(before);
            }
            let more = self.read(deadline)?;
            ensure!(more, "{text:?} was not written:\n{}", self.transcript());
        }
    }

    /// Waits until the screen is as it should be, and returns what it shows.
    ///
    /// # Errors
    ///
    /// It never is.
    pub fn shows(&mut self, right: impl Fn(&str) -> bool) -> Result<String> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let screen = self.screen();
            if right(&screen) {
                return Ok(screen);
            }
            let more = self.read(deadline)?;
            ensure!(more, "the program ended, and left:\n{screen}");
        }
    }

    /// Waits for the end of the session's leader, and returns its exit code, or the number of the
    /// signal that ended it below zero.
    ///
    /// # Errors
    ///
    /// It goes on.
    pub fn end(&mut self) -> Result<i32> {
        let deadline = Instant::now() + DEADLINE;
        while self.master.is_some() && self.read(deadline)? {}
        let status = self.child.wait()?;
        Ok(status.code().unwrap_or(-status.signal().unwrap_or(0)))
    }

    /// Reads what there is; `false` at the end.
    fn read(&mut self, deadline: Instant) -> Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut master = self.master.as_ref().context("the terminal is closed")?;
        let timeout = Timespec::try_from(left)?;
        let ready = poll(&mut [PollFd::new(master, PollFlags::IN)], Some(&timeout))?;
        ensure!(ready > 0, "it took too long:\n{}", self.transcript());
        let mut bytes = [0; 4096];
        // Nobody has the terminal open any more.
        let Ok(count @ 1..) = master.read(&mut bytes) else {
            return Ok(false);
        };
        let bytes = &bytes[..count];
        self.written.extend_from_slice(bytes);
        self.screen.process(bytes);
        for part in self.stripped.strip_next(bytes) {
            self.unread += &String::from_utf8_lossy(part).replace('\r', "");
        }
        Ok(true)
    }

    /// What the screen shows, line by line.
    #[must_use]
    pub fn screen(&self) -> String {
        self.screen.screen().contents()
    }

    /// Everything that was written so far, colours and all, with plain ends of lines.
    #[must_use]
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.written).replace("\r\n", "\n")
    }

    /// Gives the terminal another size.
    ///
    /// # Errors
    ///
    /// It is closed.
    pub fn resize(&mut self, columns: u16, rows: u16) -> Result<()> {
        let master = self.master.as_ref().context("the terminal is closed")?;
        tcsetwinsize(master, size(columns, rows))?;
        self.screen
            .screen_mut()
            .set_size(cells(rows)?, cells(columns)?);
        Ok(())
    }

    /// Whether a program gets keys one by one, and its output is shown as it is.
    ///
    /// # Errors
    ///
    /// The terminal is closed.
    pub fn is_raw(&self) -> Result<bool> {
        let settings = tcgetattr(self.master.as_ref().context("the terminal is closed")?)?;
        Ok(!settings.local_modes.contains(LocalModes::ICANON)
            && !settings.output_modes.contains(OutputModes::OPOST))
    }

    /// Closes the terminal, as somebody who closes its window.
    pub fn close(&mut self) {
        self.master = None;
    }

    fn transcript(&self) -> String {
        anstream::adapter::strip_str(&self.written()).to_string()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // The child is not reaped yet, so its group's number is still its own.
        if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

fn cells(count: u16) -> Result<NonZero<u16>> {
    NonZero::new(count).context("a screen has cells")
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}
