//! What is known about this run of the tool, for those who ask from elsewhere: kept up by the
//! events that the session tells, and by nothing else.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use crate::control::message::Line;
use crate::events::Event;
use crate::events::render::{self, Look};
use crate::status::{Activity, End, LastError, Phase, RunStatus, Start, Swap, SwapOutcome};

/// How many edits are kept.
const KEPT_SWAPS: usize = 10_000;

/// How many of the last events a new follower is told.
const KEPT_LINES: usize = 20;

/// How far behind a follower may fall before it is dropped: the session never waits for one.
const FOLLOWER_LINES: usize = 1024;

/// The number of a follower.
pub type FollowerId = u64;

/// What is known about the run.
#[derive(Debug)]
pub struct Journal(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    status: RunStatus,
    /// The files of the edit under way, and when its save was seen.
    edit: Option<(Vec<PathBuf>, Instant)>,
    /// Why the program is being started again.
    reason: Option<String>,
    lines: VecDeque<Line>,
    followers: Vec<(FollowerId, SyncSender<Line>)>,
    next_follower: FollowerId,
}

/// What stays the same for the whole run.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The name of the program.
    pub name: String,
    /// Its executable.
    pub executable: PathBuf,
    /// The folder of the workspace.
    pub workspace: PathBuf,
    /// Cargo's target folder.
    pub target_directory: PathBuf,
    /// Cargo's profile.
    pub profile: String,
}

/// Now, in milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds to the microsecond: more is noise, and long to read.
fn rounded(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}

impl Default for Journal {
    fn default() -> Self {
        let status = RunStatus {
            tool_pid: std::process::id(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            at_ms: now_ms(),
            ..RunStatus::default()
        };
        Self(Mutex::new(Inner {
            status,
            ..Inner::default()
        }))
    }
}

impl Journal {
    /// Records which program it is that runs.
    pub fn identify(&self, identity: Identity) {
        let status = &mut self.lock().status;
        status.name = identity.name;
        status.executable = identity.executable;
        status.workspace = identity.workspace;
        status.target_directory = identity.target_directory;
        status.profile = identity.profile;
    }

    /// Records what the tool is at.
    pub fn set_activity(&self, activity: Activity) {
        self.lock().status.activity = activity;
    }

    /// Records that the tool itself has ended the program.
    pub fn ended_by_tool(&self, code: Option<i32>, signal: Option<i32>) {
        if let Some(start) = self.lock().status.starts.last_mut() {
            start.end = Some(End {
                at_ms: now_ms(),
                code,
                signal,
                death: None,
            });
        }
    }

    /// Records an event, and passes it on to all followers.
    pub fn tell(&self, event: &Event) {
        let mut inner = self.lock();
        let look = Look {
            ended: inner.has_ended(),
            folder: inner.status.workspace.clone(),
            ..Look::default()
        };
        let line = Line {
            json: event.json(),
            text: render::human(event, &look),
        };
        inner.record(event);
        inner.pass_on(line);
    }

    /// Passes on text that is for people only.
    pub fn tell_text(&self, text: &str) {
        let (json, text) = (String::new(), text.to_owned());
        self.lock().pass_on(Line { json, text });
    }

    /// All that is known.
    pub fn status(&self) -> RunStatus {
        self.lock().status.clone()
    }

    /// All that is known, but for the edits, of which there may be many.
    pub fn status_without_swaps(&self) -> RunStatus {
        let status = &mut self.lock().status;
        let swaps = std::mem::take(&mut status.swaps);
        let copy = status.clone();
        status.swaps = swaps;
        copy
    }

    /// The version that is current.
    pub fn version(&self) -> u64 {
        let inner = self.lock();
        inner.status.starts.last().map_or(0, |start| start.version)
    }

    /// Adds a reader of events: the last ones, and all from now on.
    pub fn follow(&self) -> (FollowerId, Receiver<Line>) {
        let (sender, lines) = sync_channel(FOLLOWER_LINES);
        let mut inner = self.lock();
        for line in &inner.lines {
            // The queue is longer than what is kept.
            let _ = sender.try_send(line.clone());
        }
        inner.next_follower += 1;
        let id = inner.next_follower;
        inner.followers.push((id, sender));
        (id, lines)
    }

    /// Takes a reader away; its queue ends.
    pub fn unfollow(&self, id: FollowerId) {
        self.lock().followers.retain(|(other, _)| *other != id);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Each event means one thing for what is known.
    fn record(&mut self, event: &Event) {
        match event {
            Event::Started { pid } => self.started(*pid),
            Event::Ready { entries, .. } => {
                if let Some(start) = self.status.starts.last_mut() {
                    start.entries.clone_from(entries);
                }
                self.status.activity = Activity::Watching;
            }
            Event::Changed { files, .. } => {
                self.edit = Some((files.clone(), Instant::now()));
                self.status.activity = Activity::Swapping;
            }
            Event::CompileError { message, .. } => {
                self.went_wrong(SwapOutcome::CompileError, message);
            }
            Event::Refused { message, .. } => self.went_wrong(SwapOutcome::Refused, message),
            Event::Failed { message } => self.went_wrong(SwapOutcome::Failed, message),
            Event::Unchanged { .. } => {
                self.status.last_error = None;
                self.add_swap(Swap::default(), SwapOutcome::Unchanged);
            }
            Event::Swapped { .. } => self.swapped(event),
            Event::WentBack {
                version,
                reverts_to,
                ..
            } => self.went_back(*version, *reverts_to),
            Event::Restarting { reason } => {
                self.reason = Some(reason.clone());
                if self.edit.is_some() {
                    self.add_swap(Swap::default(), SwapOutcome::Restarted);
                }
                self.status.activity = Activity::Ending;
            }
            Event::Quitting { .. } => self.status.activity = Activity::Ending,
            Event::Exited { .. } => self.exited(event),
            Event::Waiting { .. } => self.status.activity = Activity::Waiting,
            Event::Built { .. }
            | Event::Restored { .. }
            | Event::Saved { .. }
            | Event::Running { .. }
            | Event::Version { .. }
            | Event::Warning { .. } => {}
        }
    }

    fn has_ended(&self) -> bool {
        let last = self.status.starts.last();
        last.is_none_or(|start| start.end.is_some())
    }

    fn started(&mut self, pid: u32) {
        let number = u32::try_from(self.status.starts.len() + 1).unwrap_or(u32::MAX);
        self.status.starts.push(Start {
            number,
            pid,
            at_ms: now_ms(),
            reason: self.reason.take(),
            ..Start::default()
        });
        self.status.last_error = None;
        self.status.activity = Activity::Starting;
    }

    fn swapped(&mut self, event: &Event) {
        let Event::Swapped {
            version,
            reverts_to,
            phases,
            entries,
            ..
        } = event
        else {
            return;
        };
        let phase = |(name, ms): (&str, f64)| Phase {
            name: name.to_owned(),
            ms: rounded(ms),
        };
        let swap = Swap {
            version: Some(*version),
            reverts_to: *reverts_to,
            ms: phases.total(),
            phases: phases.named().into_iter().map(phase).collect(),
            entries: entries.clone(),
            ..Swap::default()
        };
        if let Some(start) = self.status.starts.last_mut() {
            start.version = *version;
        }
        self.status.last_error = None;
        self.add_swap(swap, SwapOutcome::Swapped);
    }

    /// The program did so by itself, whatever the tool is at.
    fn went_back(&mut self, version: u64, reverts_to: u64) {
        let (edit, activity) = (self.edit.take(), self.status.activity);
        if let Some(start) = self.status.starts.last_mut() {
            start.version = start.version.max(version);
        }
        let swap = Swap {
            version: Some(version),
            reverts_to: Some(reverts_to),
            ..Swap::default()
        };
        self.add_swap(swap, SwapOutcome::Swapped);
        (self.edit, self.status.activity) = (edit, activity);
    }

    fn went_wrong(&mut self, outcome: SwapOutcome, message: &str) {
        let message = anstream::adapter::strip_str(message).to_string();
        self.status.last_error = Some(LastError {
            at_ms: now_ms(),
            kind: outcome.word().to_owned(),
            message: message.clone(),
        });
        let swap = Swap {
            message: Some(message),
            ..Swap::default()
        };
        self.add_swap(swap, outcome);
    }

    /// Completes what is known of an edit, and keeps it.
    fn add_swap(&mut self, swap: Swap, outcome: SwapOutcome) {
        let (files, elapsed) = match self.edit.take() {
            Some((files, begun)) => (files, begun.elapsed().as_secs_f64() * 1e3),
            None => (Vec::new(), 0.0),
        };
        let start = u32::try_from(self.status.starts.len()).unwrap_or(u32::MAX);
        let compiled = |other: &Swap| other.start == start && other.outcome == SwapOutcome::Swapped;
        let first = outcome == SwapOutcome::Swapped && !self.status.swaps.iter().any(compiled);
        if self.status.swaps.len() == KEPT_SWAPS {
            self.status.swaps.remove(0);
        }
        self.status.swaps.push(Swap {
            at_ms: now_ms(),
            start,
            first,
            files,
            outcome,
            ms: rounded(if swap.ms > 0.0 { swap.ms } else { elapsed }),
            ..swap
        });
        self.status.activity = Activity::Watching;
    }

    fn exited(&mut self, event: &Event) {
        let Event::Exited {
            code,
            signal,
            death,
        } = event
        else {
            return;
        };
        if let Some(start) = self.status.starts.last_mut() {
            start.end = Some(End {
                at_ms: now_ms(),
                code: *code,
                signal: *signal,
                death: Some(death.clone()),
            });
        }
        if *code != Some(0) {
            self.status.last_error = Some(LastError {
                at_ms: now_ms(),
                kind: "exited".to_owned(),
                message: death.exit(*code, *signal),
            });
        }
    }

    fn pass_on(&mut self, line: Line) {
        self.followers
            .retain(|(_, follower)| follower.try_send(line.clone()).is_ok());
        if self.lines.len() == KEPT_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

#[cfg(test)]
mod tests;
