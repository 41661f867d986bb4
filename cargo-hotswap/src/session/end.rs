//! The program's end: asked for, or by itself.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Instant;

use anyhow::Result;

use super::{Life, Session, Then, keys, read_keys, signals};
use crate::death::{self, Death};
use crate::events::Event;
use crate::status::Activity;

impl Session<'_> {
    /// Asks the program to end.
    pub(super) fn end_program(&mut self, then: Then) {
        if let Life::Ending { then: before, .. } = &mut self.life {
            *before = then;
            return;
        }
        self.talk.journal.set_activity(Activity::Ending);
        signals::terminate(self.running.pid);
        self.life = Life::Ending {
            kill_at: Some(Instant::now() + signals::PATIENCE),
            then,
        };
    }

    /// The program ended.
    pub(super) fn exited(&mut self) -> Result<Option<i32>> {
        let status = self.running.take_end()?;
        // As a shell says it.
        let code = status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        let asked = matches!(self.life, Life::Ending { .. });
        self.talk.program_ended(status, asked);
        match std::mem::replace(&mut self.life, Life::Ended { code }) {
            Life::Ending {
                then: Then::Launch(launch),
                ..
            } => {
                let journal = &self.talk.journal;
                journal.ended_by_tool(status.code(), status.signal());
                self.restore_terminal();
                self.launch(*launch)?;
                Ok(None)
            }
            Life::Ending {
                then: Then::Exit,
                kill_at,
            } => {
                let death = self.report_end(status);
                self.has_quit(&death, status, kill_at.is_none());
                Ok(Some(code))
            }
            Life::Running | Life::Ended { .. } => Ok(self.ended_by_itself(status, code)),
        }
    }

    /// Nobody asked the program to end: either that is the end of the run, or somebody waits for a
    /// start, or may want one.
    fn ended_by_itself(&mut self, status: ExitStatus, code: i32) -> Option<i32> {
        self.report_end(status);
        self.start_failed(status);
        if self.building || self.wanted.restart.is_some() {
            return None;
        }
        let stay = self.settings.stay;
        if self.told_to_end || !stay.after(status, keys::has_terminal()) {
            self.signal = status.signal();
            return Some(code);
        }
        self.restore_terminal();
        if self.keys.is_none() {
            self.set_keys(read_keys(&self.sender));
        }
        let keys = self.keys.is_some();
        self.talk.report(&Event::Waiting { keys });
        None
    }

    /// The run goes on after the end of a program that may have left the terminal in a mode of its
    /// own.
    fn restore_terminal(&self) {
        if let Some(modes) = self.modes.as_ref().filter(|_| self.keys.is_none()) {
            keys::restore(modes);
        }
    }

    /// Tells how the program ended.
    fn report_end(&mut self, status: ExitStatus) -> Death {
        let folder = self.talk.journal.status_without_swaps().workspace;
        let fault = status
            .signal()
            .and_then(|signal| self.running.fault(signal, &folder));
        let death = Death {
            pid: self.running.pid,
            version: self.talk.journal.version(),
            signal_name: status.signal().and_then(death::signal_name),
            core_dumped: status.core_dumped(),
            fault,
        };
        self.talk.report(&Event::Exited {
            code: status.code(),
            signal: status.signal(),
            death: death.clone(),
        });
        death
    }
}
