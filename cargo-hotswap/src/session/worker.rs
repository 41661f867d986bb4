//! The worker: does the long operations, one at a time, so that the loop stays awake.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Happening;
use super::inputs::Change;
use crate::children;
use crate::diagnostics::Form;
use crate::engine::Engine;
use crate::events::Event;
use crate::events::terminal::Terminal;
use crate::facts::Cache;
use crate::host::Host;
use crate::plugin::capture::LinkCapture;
use crate::program::{Connection, Ready};
use crate::project::Project;
use crate::records::{self, Build};
use crate::selection::{Diagnostics, Selection};
use crate::unit::Unit;

/// An edit to be made live.
#[derive(Debug)]
pub struct Job {
    /// The edited files.
    pub files: Vec<PathBuf>,
    /// What they ask for.
    pub change: Change,
    /// When the save was seen.
    pub detected: Instant,
}

/// What the worker did.
#[derive(Debug)]
pub enum Done {
    /// The program's facts are known and its runtime listens.
    Ready {
        /// The event that says so.
        event: Box<Event>,
    },
    /// The program can't be patched; it runs nevertheless.
    Deaf {
        /// Why.
        reason: String,
    },
    /// A job ended.
    Updated {
        /// How.
        event: Box<Event>,
        /// The files that hot units are made from now.
        sources: BTreeSet<PathBuf>,
    },
    /// A build stands that only a restart can bring to run.
    Restart {
        /// Why.
        reason: String,
    },
}

/// What the worker needs to begin with.
pub struct Preparation {
    /// The program's process id.
    pub pid: u32,
    /// Its readiness.
    pub ready: Ready,
    /// Its hot units.
    pub units: Vec<Unit>,
    /// The link that made the executable.
    pub link: LinkCapture,
    /// The executable under a lasting name.
    pub host: PathBuf,
    /// The run's folder.
    pub folder: PathBuf,
}

/// How long the worker may take to notice that the run ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// The worker's thread, as the loop sees it.
pub struct Worker {
    /// There is one until the worker is dropped.
    jobs: Option<Sender<Job>>,
    /// Closed when the thread ends.
    ended: Receiver<()>,
}

impl Worker {
    /// Starts the worker; it sends one [`Done`] for the preparation and one for each job.
    pub fn spawn(
        happenings: Sender<Happening>,
        preparation: Preparation,
        project: Project,
        selection: Selection,
    ) -> Self {
        let (sender, jobs) = channel::<Job>();
        let (alive, ended) = channel();
        std::thread::spawn(move || {
            let _alive: Sender<()> = alive;
            let send = |done| happenings.send(Happening::Done(done)).is_ok();
            let mut engine = match prepare(preparation) {
                Ok(engine) => engine,
                Err(error) => {
                    let reason = format!("edits can't go live in this run: {error:#}");
                    send(Done::Deaf { reason });
                    return;
                }
            };
            let event = Event::Ready {
                pid: engine.pid(),
                build_id: engine.build_id(),
                entries: engine.entry_paths(),
            };
            send(Done::Ready {
                event: Box::new(event),
            });
            for job in jobs {
                if !send(perform(&mut engine, &job, &project, &selection)) {
                    return;
                }
            }
        });
        Self {
            jobs: Some(sender),
            ended,
        }
    }

    /// Hands a job to the worker.
    pub fn send(&self, job: Job) {
        // A worker that could not prepare takes no jobs, and the loop knows that.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(job));
    }
}

/// Whoever drops the worker removes the folder that it writes to.
impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        let _none_begins = children::end_all();
        let _ = self.ended.recv_timeout(PATIENCE);
    }
}

fn prepare(preparation: Preparation) -> Result<Engine> {
    let cache = Cache::default();
    let host = Host::read(&preparation.host, &preparation.units, &cache)?;
    // Without one the runtime may not even be in the executable, and nobody would answer.
    if host.entries.is_empty() {
        bail!(
            "no function is marked\n  = help: mark one that is called again and again (a handler, \
             a frame) with `#[hotswap::entry]`"
        );
    }
    preparation.ready.wait()?;
    let connection = Connection::open(preparation.pid)?;
    Engine::new(
        preparation.units,
        host,
        preparation.link,
        cache,
        &preparation.folder,
        connection,
    )
}

fn perform(engine: &mut Engine, job: &Job, project: &Project, selection: &Selection) -> Done {
    engine.set_form(Form {
        short: selection.messages.diagnostics == Diagnostics::Short,
        width: Terminal::of_stderr().and_then(|terminal| terminal.columns()),
    });
    let event = match job.change {
        Change::Sources => engine.update(&job.files, job.detected),
        Change::Cargo | Change::Restart => match records::build_unseen(project, selection) {
            Ok(Build::Done(_)) if job.change == Change::Restart => {
                let reason =
                    "code outside the workspace was edited, which can't be swapped".to_owned();
                return Done::Restart { reason };
            }
            Ok(Build::Done(built)) => {
                engine.update_from_cargo(built.units, &built.link, &job.files, job.detected)
            }
            Ok(Build::Failed { errors, .. }) => Event::CompileError {
                message: errors.concat(),
                summary: "cargo could not build the edit".to_owned(),
            },
            Err(error) => Event::Failed {
                message: format!("{error:#}"),
            },
        },
    };
    let sources = engine
        .units()
        .iter()
        .flat_map(|unit| unit.sources.iter().cloned())
        .collect();
    Done::Updated {
        event: Box::new(event),
        sources,
    }
}
