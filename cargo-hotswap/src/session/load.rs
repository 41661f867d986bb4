//! What is asked for about the crates of the program: to compile one, to make edits live that are not, to
//! check them.

use std::sync::mpsc::Sender;
use std::time::Instant;

use super::asked::answer;
use super::inputs::Change;
use super::worker::Job;
use super::{Life, Session};
use crate::control::message::{Outcome, Verb};
use crate::engine::check::Checked;
use crate::events::render::{Look, names};
use crate::events::{Builder, Event};

impl Session<'_> {
    /// Takes note of an order, or answers it at once.
    pub(super) fn order_crates(&mut self, verb: Verb, reply: Option<Sender<Outcome>>) {
        let problem = if self.running.deaf {
            Some("no edit can go live in this program: only a restart brings new code")
        } else if !matches!(self.life, Life::Running) {
            Some("the program does not run")
        } else {
            None
        };
        if let Some(problem) = problem {
            answer(reply, &Outcome::failed(problem));
        } else if let Verb::Modules { module } = verb {
            answer(reply, &self.modules(module.as_deref()));
        } else {
            self.wanted.loads.push_back((verb, reply));
        }
    }

    fn modules(&self, module: Option<&str>) -> Outcome {
        match self.running.modules(module) {
            Ok(modules) => Outcome {
                modules,
                pid: Some(self.running.pid),
                version: Some(self.talk.journal.version()),
                ..Outcome::done("")
            },
            Err(problem) => Outcome::failed(problem),
        }
    }

    /// The next job that such an order asks for. What needs none is answered.
    pub(super) fn take_load(&mut self) -> Option<Job> {
        while let Some((verb, reply)) = self.wanted.loads.pop_front() {
            match self.load(&verb) {
                Ok(Some(job)) => {
                    self.wanted.loaded = reply;
                    return Some(job);
                }
                Ok(None) => {
                    let outcome = Outcome::done("nothing: what runs is what was saved");
                    answer(reply, &outcome);
                }
                Err(problem) => answer(reply, &Outcome::failed(problem)),
            }
        }
        None
    }

    /// The job that an order asks for; none if there is nothing to do.
    fn load(&mut self, verb: &Verb) -> Result<Option<Job>, String> {
        let edit = match verb {
            Verb::Compile { module } => Some(self.running.take_crate(module)?),
            Verb::Load { module } => self.running.take_unseen(module.as_deref())?,
            _ => {
                let Some(edit) = self.running.edited() else {
                    return Ok(None);
                };
                if edit.change != Change::Sources {
                    return Err(
                        "only cargo can tell what was edited, and with it the edit goes live\n  \
                         = help: `cargo hotswap lm`"
                            .to_owned(),
                    );
                }
                return Ok(Some(Job::Check { files: edit.files }));
            }
        };
        let Some(edit) = edit else { return Ok(None) };
        self.talk.report(&Event::Changed {
            files: edit.files.clone(),
            builder: match edit.change {
                Change::Sources => Builder::Rustc,
                Change::Cargo | Change::Restart => Builder::Cargo,
            },
        });
        Ok(Some(Job::Update {
            files: edit.files,
            change: edit.change,
            detected: Instant::now(),
        }))
    }

    /// An edit went live, or did not, that somebody may have asked for.
    pub(super) fn has_loaded(&mut self, event: &Event) {
        if let Some(reply) = self.wanted.loaded.take() {
            answer(Some(reply), &self.outcome(event));
        }
    }

    /// A check ended.
    pub(super) fn checked(&mut self, checked: Checked) {
        let outcome = match checked {
            Checked::Good { entries } => Outcome::done(match entries.as_slice() {
                [] => "it would go live, and change no entry".to_owned(),
                _ => {
                    let entries = names::of(&entries, &Look::default());
                    format!("it would go live ({})", entries.join(", "))
                }
            }),
            Checked::Ends(event) => self.outcome(&event),
        };
        answer(self.wanted.loaded.take(), &outcome);
    }
}
