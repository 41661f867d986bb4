//! `cargo hotswap run`: one program, its sources, and one explicit loop between them.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Instant;

use anyhow::{Context, Result};
use hotswap_protocol::event as program;
use rustix::termios::Termios;

use crate::config::OnRefused;
use crate::control::server::{Ask, Server};
use crate::death;
use crate::events::{Builder, Event, MessageFormat, Reporter};
use crate::project::Project;
use crate::selection::Selection;
use crate::status::Activity;
use crate::watch::Seen;

use inputs::Change;
use journal::Identity;
use keys::Keys;
use launch::Launch;
use options::{Control, Settings};
use running::Running;
use talk::Talk;
use wanted::{Restart, Wanted};
use worker::{Done, Job};

mod asked;
mod end;
pub mod folder;
pub mod inputs;
pub mod journal;
mod keys;
pub mod launch;
mod load;
pub mod modules;
pub mod options;
mod running;
pub mod signals;
mod talk;
mod told;
mod wanted;
mod worker;

/// Everything that can happen while the program runs.
enum Happening {
    /// Something was seen of the watched files.
    Seen(Seen),
    /// The worker of the program with this number finished what it was at.
    Done(u32, Done),
    /// The program with this number did something by itself.
    Told(u32, program::Event),
    /// The program with this number ended.
    Exited(u32),
    /// Somebody asks for something from another terminal.
    Asked(Ask),
    /// A key was pressed in this one.
    Key(u8),
    /// The tool got a signal.
    Signal(i32),
}

/// What `run` was asked to do.
#[derive(Debug)]
pub struct Options {
    /// What to build.
    pub selection: Selection,
    /// The program's arguments.
    pub args: Vec<OsString>,
    /// How to tell what happens.
    pub reporter: Reporter,
    /// What to do when something special happens.
    pub control: Control,
}

/// Builds the program, runs it and makes edits live until it ends; the result is its exit code.
///
/// # Errors
///
/// The program could not be built or started. Nothing that happens afterwards is an error of the
/// tool: the program's end decides.
pub fn run(options: &Options) -> Result<i32> {
    let talk = Talk::new(options.reporter.clone());
    let project = Project::find(&options.selection)?;
    // Read once, so that a mistake made later doesn't end what runs.
    let settings = Settings::load(&options.control, &project, &talk)?;
    let (code, signal) = match launch::build(project, &options.selection)? {
        // All that the session has is gone when this is known.
        launch::Outcome::Ready(launch) => {
            Session::start(options, settings, talk, *launch)?.serve()?
        }
        launch::Outcome::No { event, signal } => {
            let compiled = !matches!(*event, Event::CompileError { .. });
            // People were told by cargo what does not compile.
            if compiled || options.reporter.format() == MessageFormat::Json {
                talk.report(&event);
            }
            let code = if compiled { 1 } else { death::PANIC_CODE };
            (code, signal)
        }
    };
    signal.into_iter().for_each(signals::end_by);
    Ok(code)
}

/// Where the program stands in its life.
enum Life {
    /// It runs.
    Running,
    /// It was asked to end.
    Ending {
        /// When it is killed, if it has not been yet.
        kill_at: Option<Instant>,
        /// What comes afterwards.
        then: Then,
    },
    /// It has ended, and the tool goes on.
    Ended {
        /// With what the tool ends, if nothing else comes of it.
        code: i32,
    },
}

/// What follows an end that was asked for.
enum Then {
    /// The end of the tool.
    Exit,
    /// Another start, of this.
    Launch(Box<Launch>),
}

/// One run of the tool.
struct Session<'a> {
    options: &'a Options,
    settings: Settings,
    talk: Talk,
    sender: Sender<Happening>,
    happenings: Receiver<Happening>,
    running: Running,
    life: Life,
    wanted: Wanted,
    /// The worker builds the program, to start it again.
    building: bool,
    /// Somebody wants the whole run to end, by a signal.
    told_to_end: bool,
    /// The signal that ended the program, and is to end the tool as well.
    signal: Option<i32>,
    keys: Option<Keys>,
    /// The terminal as it was before the first program.
    modes: Option<Termios>,
    _server: Option<Server>,
}

impl<'a> Session<'a> {
    fn start(options: &'a Options, settings: Settings, talk: Talk, launch: Launch) -> Result<Self> {
        let (sender, happenings) = channel();
        let tell = sender.clone();
        signals::handle(move |signal| {
            let _ = tell.send(Happening::Signal(signal));
        })?;
        introduce(&talk, options, &launch);
        let server = serve_control(&talk, &sender);
        let modes = keys::modes();
        let keys = settings.keys.then(|| read_keys(&sender)).flatten();
        talk.set_keys(keys.is_some());
        let running = Running::start(options, &talk, launch, &settings, 1, &sender)?;
        Ok(Self {
            options,
            settings,
            talk,
            sender,
            happenings,
            running,
            life: Life::Running,
            wanted: Wanted::default(),
            building: false,
            told_to_end: false,
            signal: None,
            keys,
            modes,
            _server: server,
        })
    }

    /// The loop: one job is under way at a time. The result is the exit code, and the signal to end
    /// by.
    fn serve(mut self) -> Result<(i32, Option<i32>)> {
        loop {
            let Some(first) = self.next()? else { continue };
            let more: Vec<Happening> = self.happenings.try_iter().collect();
            for happening in std::iter::once(first).chain(more) {
                if let Some(code) = self.happened(happening)? {
                    return Ok((code, self.signal));
                }
            }
            self.begin_job();
        }
    }

    /// What happens next. None if that is that the program's time to end is over.
    fn next(&mut self) -> Result<Option<Happening>> {
        const STOPPED: &str = "all of the tool's threads stopped";
        let Life::Ending { kill_at, .. } = &mut self.life else {
            return Ok(Some(self.happenings.recv().context(STOPPED)?));
        };
        let Some(at) = *kill_at else {
            return Ok(Some(self.happenings.recv().context(STOPPED)?));
        };
        let left = at.saturating_duration_since(Instant::now());
        match self.happenings.recv_timeout(left) {
            Ok(happening) => Ok(Some(happening)),
            Err(RecvTimeoutError::Timeout) => {
                *kill_at = None;
                signals::kill(self.running.pid);
                Ok(None)
            }
            Err(error) => Err(error).context(STOPPED),
        }
    }

    /// Takes note of what happened; the result is the exit code, if that is the end of the run.
    fn happened(&mut self, happening: Happening) -> Result<Option<i32>> {
        match happening {
            Happening::Seen(Seen::Saved(paths)) => self.running.saved(paths),
            Happening::Seen(Seen::Warning(message)) => {
                self.talk.report(&Event::Warning { message });
            }
            Happening::Asked(ask) => return Ok(self.asked(ask)),
            Happening::Key(key) => return Ok(self.pressed(key)),
            Happening::Signal(signal) if signals::asks_to_end(signal) => {
                self.told_to_end = true;
                if let Life::Ended { code } = self.life {
                    return Ok(Some(code));
                }
            }
            Happening::Exited(number) if number == self.running.number => return self.exited(),
            Happening::Told(number, event) if number == self.running.number => self.told(event),
            Happening::Done(number, done) if number == self.running.number => {
                return self.done(done);
            }
            // Of a program that was there before, or none of our business.
            Happening::Exited(_)
            | Happening::Done(..)
            | Happening::Told(..)
            | Happening::Signal(_) => {}
        }
        Ok(None)
    }

    /// Gives the worker something to do, if it is idle and there is something.
    fn begin_job(&mut self) {
        if self.running.busy || matches!(self.life, Life::Ending { .. }) {
            return;
        }
        let restarts = self.settings.on_refused != OnRefused::Keep;
        let without = |reason: &str| Job::Build {
            reason: reason.to_owned(),
            with_state: false,
        };
        let job = if let Some(Restart { reason, with_state }) = self.wanted.restart.take() {
            Job::Build { reason, with_state }
        } else if let Some(waiting) = self.wanted.reverts.pop_front() {
            self.wanted.reverted = waiting;
            Job::Revert
        } else if let Some(job) = self.take_load() {
            job
        } else if self.running.deaf && !restarts && !self.has_ended() {
            return;
        } else if let Some(edit) = self.running.take_edit() {
            let with_cargo =
                self.running.deaf || self.has_ended() || edit.change != Change::Sources;
            self.talk.report(&Event::Changed {
                files: edit.files.clone(),
                builder: match with_cargo {
                    true => Builder::Cargo,
                    false => Builder::Rustc,
                },
            });
            if self.has_ended() {
                without("a file was saved")
            } else if self.running.deaf {
                without("no edit can go live in this program")
            } else {
                edit.update()
            }
        } else {
            return;
        };
        self.building = matches!(job, Job::Build { .. });
        self.talk.journal.set_activity(match self.building {
            true => Activity::Building,
            false => Activity::Swapping,
        });
        self.running.busy = true;
        self.running.worker.send(job);
    }

    fn has_ended(&self) -> bool {
        matches!(self.life, Life::Ended { .. })
    }

    /// The worker finished what it was at.
    fn done(&mut self, done: Done) -> Result<Option<i32>> {
        self.running.busy = matches!(done, Done::Loaded { .. } | Done::Modules { .. });
        match done {
            Done::Modules { modules, version } => self.running.crates.are(modules, version),
            Done::Checked(checked) => self.checked(checked),
            Done::Loaded { path, version } => {
                self.running.crates.loaded(&path, version);
                self.running.code.add_image(path, version);
                self.running.code.look();
            }
            Done::Ready { event, restored } => {
                self.running.code.look();
                self.carried(restored);
                self.talk.report(&event);
                self.has_restarted();
            }
            Done::Deaf { reason } => {
                // Nothing can be swapped; the program itself is fine.
                self.running.deaf = true;
                self.running.code.look();
                if let Some(message) = reason {
                    self.talk.report(&Event::Warning { message });
                }
                self.talk.journal.set_activity(Activity::Deaf);
                self.has_restarted();
            }
            Done::Updated { event, sources } => {
                let failed = matches!(*event, Event::CompileError { .. });
                self.running.updated(failed, sources);
                self.updated(*event);
            }
            Done::Reverted(ended) => self.reverted(ended),
            Done::Built {
                launch,
                reason,
                saved,
            } => {
                self.building = false;
                self.wanted.restarted.extend(self.wanted.loaded.take());
                self.running.settled(false);
                self.talk.report(&Event::Restarting { reason });
                self.wanted.afresh.clear();
                self.carried(saved);
                if self.has_ended() {
                    self.launch(*launch)?;
                } else {
                    self.end_program(Then::Launch(launch));
                }
            }
            Done::NotBuilt { event } => {
                self.wanted.restarted.extend(self.wanted.loaded.take());
                return Ok(self.not_built(&event));
            }
        }
        Ok(None)
    }

    /// An edit went live, or did not.
    fn updated(&mut self, event: Event) {
        self.has_loaded(&event);
        if self.has_ended() {
            // It came too late for the program that it was made for.
            self.want_restart("a file was saved".to_owned(), false);
            return;
        }
        if matches!(event, Event::Swapped { .. } | Event::Unchanged { .. }) {
            self.running.behind = false;
        }
        self.running.refused = matches!(event, Event::Refused { .. } | Event::Failed { .. });
        // The same code may go live later, when who holds a value has let it go.
        self.running.behind |=
            matches!(event, Event::Refused { reason, .. } if reason.starts_with("state-"));
        let refused = matches!(event, Event::Refused { .. });
        if refused && self.settings.on_refused != OnRefused::Keep {
            self.talk.report(&event);
            let with_state = self.settings.on_refused == OnRefused::RestartWithState;
            self.want_restart("the edit can't be swapped in".to_owned(), with_state);
        } else {
            self.talk.report(&with_offer(event));
        }
    }

    /// The build for another start failed. The program, if it runs, goes on.
    fn not_built(&mut self, event: &Event) -> Option<i32> {
        self.building = false;
        let failed = matches!(event, Event::CompileError { .. });
        self.running.settled(failed);
        self.talk.report(event);
        self.restart_failed(event);
        match self.life {
            Life::Ended { code } if !self.settings.stay.always() && self.keys.is_none() => {
                Some(code)
            }
            Life::Ended { .. } => {
                self.talk.journal.set_activity(Activity::Waiting);
                None
            }
            _ => None,
        }
    }

    /// Starts a build in the place of the program that has ended.
    fn launch(&mut self, launch: Launch) -> Result<()> {
        if !self.settings.keys {
            // The terminal is the program's.
            self.set_keys(None);
        }
        introduce(&self.talk, self.options, &launch);
        let number = self.running.number + 1;
        let (options, talk, sender) = (self.options, &self.talk, &self.sender);
        self.running = Running::start(options, talk, launch, &self.settings, number, sender)?;
        self.life = Life::Running;
        Ok(())
    }

    fn set_keys(&mut self, keys: Option<Keys>) {
        self.talk.set_keys(keys.is_some());
        self.keys = keys;
    }
}

/// Tells what is to be known before a start.
fn introduce(talk: &Talk, options: &Options, launch: &Launch) {
    talk.journal.identify(Identity {
        name: launch.project.target.clone(),
        executable: launch.built.executable.clone(),
        workspace: launch.project.workspace_root.clone(),
        target_directory: launch.project.target_directory.clone(),
        profile: options.selection.profile_name().to_owned(),
    });
    for warning in &launch.built.warnings {
        talk.text(warning);
    }
    talk.report(&Event::Built {
        executable: launch.built.executable.clone(),
        ms: launch.ms,
        warnings: launch.built.warnings.clone(),
    });
    for warning in launch.warnings(&options.selection) {
        talk.report(&warning);
    }
}

/// Takes orders from other terminals. The program can do without.
fn serve_control(talk: &Talk, sender: &Sender<Happening>) -> Option<Server> {
    let asks = std::sync::Mutex::new(sender.clone());
    let take = move |ask| {
        let asks = asks
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        asks.send(Happening::Asked(ask)).is_ok()
    };
    match Server::start(Arc::clone(&talk.journal), Arc::new(take)) {
        Ok(server) => Some(server),
        Err(error) => {
            let message =
                format!("`cargo hotswap restart` and the like will not find this run: {error:#}");
            talk.report(&Event::Warning { message });
            None
        }
    }
}

fn read_keys(sender: &Sender<Happening>) -> Option<Keys> {
    let sender = sender.clone();
    Keys::read(move |key| sender.send(Happening::Key(key)).is_ok())
}

/// A refusal with what else can be done.
fn with_offer(mut event: Event) -> Event {
    if let Event::Refused { message, .. } = &mut event {
        message.truncate(message.trim_end().len());
        *message +=
            "\n   = help: `cargo hotswap restart` starts the program again on the newest code";
    }
    event
}
