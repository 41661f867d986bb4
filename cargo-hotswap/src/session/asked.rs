//! What is asked for from another terminal or by a key, and the answers.

use std::process::ExitStatus;
use std::sync::mpsc::Sender;

use super::{Life, Restart, Session, Then};
use crate::control::message::{Outcome, OutcomeKind, Verb};
use crate::control::server::Ask;
use crate::death::Death;
use crate::engine::revert::NothingBefore;
use crate::events::Event;
use crate::events::render::{self, Look, names};
use crate::status::{self, Activity};

/// What `?` shows.
const KEYS: [(char, &str); 5] = [
    ('r', "start the program again on the newest code"),
    (
        'u',
        "undo: make the code of the version before current again",
    ),
    ('s', "show versions, calls under way and swaps"),
    ('q', "end the program"),
    ('?', "show this"),
];

impl Session<'_> {
    /// Somebody asks for something from another terminal; the result is the exit code, if that is
    /// the end of the run.
    pub(super) fn asked(&mut self, ask: Ask) -> Option<i32> {
        let by = format!("asked for by `cargo hotswap {}`", ask.verb.name());
        self.order(ask.verb, by, Some(ask.reply))
    }

    /// A key was pressed in this terminal.
    pub(super) fn pressed(&mut self, key: u8) -> Option<i32> {
        let by = "asked for by a key".to_owned();
        match key {
            b'r' => self.order(Verb::Restart, by, None),
            b'u' => self.order(Verb::Revert, by, None),
            b'q' => self.order(Verb::Quit, by, None),
            b's' => {
                let talk = self.talk.clone();
                // The program is asked, too, which may take its time.
                std::thread::spawn(move || {
                    talk.text(&status::command::of_run(&talk.journal.status()));
                });
                None
            }
            b'?' => {
                let lines = KEYS.map(|(key, what)| format!("{key:>12} {what}\n"));
                self.talk.text(&lines.concat());
                None
            }
            _ => None,
        }
    }

    pub(super) fn order(
        &mut self,
        verb: Verb,
        by: String,
        reply: Option<Sender<Outcome>>,
    ) -> Option<i32> {
        match verb {
            Verb::Quit => return self.order_quit(by, reply),
            Verb::Restart | Verb::RestartWithState => {
                if matches!(
                    self.life,
                    Life::Ending {
                        then: Then::Exit,
                        ..
                    }
                ) {
                    answer(reply, &Outcome::failed("the run is ending"));
                    return None;
                }
                self.wanted.restarted.extend(reply);
                if !self.building && !matches!(self.life, Life::Ending { .. }) {
                    self.want_restart(by, verb == Verb::RestartWithState);
                }
            }
            Verb::Compile { .. } | Verb::Load { .. } | Verb::Check | Verb::Modules { .. } => {
                self.order_crates(verb, reply);
            }
            Verb::Revert => {
                let problem = if self.running.deaf {
                    Some("no edit can go live in this program, so there is nothing to go back from")
                } else if !matches!(self.life, Life::Running) {
                    Some("the program does not run")
                } else {
                    None
                };
                match problem {
                    Some(problem) => answer(reply, &Outcome::failed(problem)),
                    None => self.wanted.reverts.push_back(reply),
                }
            }
        }
        None
    }

    fn order_quit(&mut self, reason: String, reply: Option<Sender<Outcome>>) -> Option<i32> {
        self.wanted.ended.extend(reply);
        self.talk.report(&Event::Quitting { reason });
        if let Life::Ended { code } = self.life {
            let outcome = Outcome {
                code: Some(code),
                ..Outcome::done("the program had ended already; so has the tool now")
            };
            answer(self.wanted.ended.drain(..), &outcome);
            return Some(code);
        }
        self.end_program(Then::Exit);
        None
    }

    /// A revert ended.
    pub(super) fn reverted(&mut self, ended: Result<Box<Event>, NothingBefore>) {
        let reply = self.wanted.reverted.take();
        match ended {
            Ok(event) => {
                self.running.behind |= matches!(*event, Event::Swapped { .. });
                // Who asked is told in its own terminal, and so is this one.
                self.talk.report(&event);
                answer(reply, &self.outcome(&event));
            }
            Err(nothing) => {
                self.talk.journal.set_activity(Activity::Watching);
                if reply.is_none() {
                    self.talk.text(&render::error(&nothing.to_string(), &[]));
                }
                answer(reply, &Outcome::failed(nothing.to_string()));
            }
        }
    }

    /// Has the program started again, soon.
    pub(super) fn want_restart(&mut self, reason: String, with_state: bool) {
        let wanted = self
            .wanted
            .restart
            .get_or_insert(Restart { reason, with_state });
        // Who would have it in any case gets it.
        wanted.with_state &= with_state;
    }

    /// Tells what became of state, and keeps what is lost for those who wait.
    pub(super) fn carried(&mut self, event: Option<Box<Event>>) {
        let Some(event) = event else { return };
        if let Event::Saved { afresh, .. } | Event::Restored { afresh, .. } = &*event {
            let lost = afresh.iter().map(|cell| cell.cell.clone());
            self.wanted.afresh.extend(lost);
        }
        self.talk.report(&event);
    }

    /// The program that somebody waits for is there.
    pub(super) fn has_restarted(&mut self) {
        if self.wanted.restart.is_some() {
            // They wait for the next one.
            return;
        }
        let status = self.talk.journal.status_without_swaps();
        let mut message = format!("{} as process {}", status.name, self.running.pid);
        if self.running.deaf {
            message += ", but no edit can go live in it";
        }
        if !self.wanted.afresh.is_empty() {
            message += &format!("; afresh: {}", self.wanted.afresh.join(", "));
        }
        let outcome = Outcome {
            pid: Some(self.running.pid),
            version: Some(0),
            ..Outcome::done(message)
        };
        answer(self.wanted.restarted.drain(..), &outcome);
    }

    /// The build that somebody waits for failed.
    pub(super) fn restart_failed(&mut self, event: &Event) {
        let mut outcome = self.outcome(event);
        if matches!(self.life, Life::Running) {
            outcome.message += "\n= the program runs on as it was";
        }
        answer(self.wanted.restarted.drain(..), &outcome);
    }

    /// The program that somebody waits for ended before it was ready.
    pub(super) fn start_failed(&mut self, status: ExitStatus) {
        if self.building || self.wanted.restart.is_some() {
            // They wait for the next one.
            return;
        }
        let message = format!(
            "process {} started and ended at once: {status}",
            self.running.pid
        );
        let outcome = Outcome {
            code: status.code(),
            ..Outcome::failed(message)
        };
        answer(self.wanted.restarted.drain(..), &outcome);
    }

    /// The program that somebody wanted to end has ended.
    pub(super) fn has_quit(&mut self, death: &Death, status: ExitStatus, killed: bool) {
        use std::os::unix::process::ExitStatusExt;
        let (code, signal) = (status.code(), status.signal());
        let mut message = death.exit(code, signal);
        if killed {
            message += "; it did not end when it was asked to, and was killed";
        }
        let outcome = Outcome {
            pid: Some(death.pid),
            version: Some(death.version),
            code,
            signal,
            ..Outcome::done(message)
        };
        answer(self.wanted.ended.drain(..), &outcome);
    }

    /// The outcome that an event means.
    pub(super) fn outcome(&self, event: &Event) -> Outcome {
        let (result, message) = match event {
            Event::Swapped {
                version,
                reverts_to: Some(to),
                ..
            } => (
                OutcomeKind::Done,
                format!("to the code of version {to}, as version {version}"),
            ),
            Event::Swapped {
                version, entries, ..
            } => {
                let entries = names::of(entries, &Look::default());
                let text = match entries.as_slice() {
                    [] => format!("version {version}"),
                    _ => format!("version {version} ({})", entries.join(", ")),
                };
                (OutcomeKind::Done, text)
            }
            Event::Unchanged { .. } => (
                OutcomeKind::Done,
                "nothing: what was compiled is the code that runs".to_owned(),
            ),
            Event::Refused { message, .. } => (OutcomeKind::Refused, message.clone()),
            Event::CompileError { message, .. } => (
                OutcomeKind::Failed,
                format!("the newest code does not compile\n{message}"),
            ),
            Event::Failed { message } => (OutcomeKind::Failed, message.clone()),
            other => (OutcomeKind::Failed, format!("{other:?}")),
        };
        Outcome {
            result,
            message: message.trim_end().to_owned(),
            pid: Some(self.running.pid),
            version: Some(self.talk.journal.version()),
            ..Outcome::default()
        }
    }
}

/// Gives the outcome to those who wait for it; some may be gone.
pub(super) fn answer(waiting: impl IntoIterator<Item = Sender<Outcome>>, outcome: &Outcome) {
    for reply in waiting {
        let _ = reply.send(outcome.clone());
    }
}
