//! The worker: does the long operations, one at a time, so that the loop stays awake.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::inputs::Change;
use super::launch::{self, Launch};
use crate::children;
use crate::diagnostics::Form;
use crate::engine::Engine;
use crate::engine::check::Checked;
use crate::engine::load::Sink;
use crate::engine::modules::Module;
use crate::engine::revert::NothingBefore;
use crate::events::Event;
use crate::events::terminal::Terminal;
use crate::facts::Cache;
use crate::handover;
use crate::host::Host;
use crate::image::DebugInfo;
use crate::plugin::capture::LinkCapture;
use crate::program::{self, Connection, Ready};
use crate::project::Project;
use crate::records::{self, Build};
use crate::selection::{Diagnostics, Selection};
use crate::unit::Unit;

/// Something to do.
#[derive(Debug)]
pub enum Job {
    /// Make an edit live.
    Update {
        /// The edited files.
        files: Vec<PathBuf>,
        /// What they ask for.
        change: Change,
        /// When the save was seen.
        detected: Instant,
    },
    /// Tell whether an edit of these files could go live.
    Check {
        /// The edited files.
        files: Vec<PathBuf>,
    },
    /// Make the code of the version before current again.
    Revert,
    /// Build the program, to start it again.
    Build {
        /// Why.
        reason: String,
        /// Only if all state can be saved.
        with_state: bool,
    },
}

/// What the worker did.
#[derive(Debug)]
pub enum Done {
    /// The program's facts are known and its runtime listens.
    Ready {
        /// The event that says so.
        event: Box<Event>,
        /// What became of state that the program before has left.
        restored: Option<Box<Event>>,
    },
    /// The program can't be patched; it runs nevertheless.
    Deaf {
        /// Why; none if it has ended before it could be, which is no news.
        reason: Option<String>,
    },
    /// An image was loaded and is current. More follows.
    Loaded {
        /// Its file.
        path: PathBuf,
        /// The version that it brought.
        version: u64,
    },
    /// The crates of the program in its current version. More follows.
    Modules {
        /// All of them.
        modules: Vec<Module>,
        /// That version.
        version: u64,
    },
    /// A check ended.
    Checked(Checked),
    /// An edit's job ended.
    Updated {
        /// How.
        event: Box<Event>,
        /// The files that hot units are made from now.
        sources: BTreeSet<PathBuf>,
    },
    /// A revert ended, or there was nothing to go back to.
    Reverted(Result<Box<Event>, NothingBefore>),
    /// A build stands that only a restart can bring to run.
    Built {
        /// The build.
        launch: Box<Launch>,
        /// Why it was made.
        reason: String,
        /// What became of the state of the program that runs.
        saved: Option<Box<Event>>,
    },
    /// There is no such build.
    NotBuilt {
        /// Why.
        event: Box<Event>,
    },
}

/// What the worker needs to begin with.
pub struct Preparation {
    /// The program's process id.
    pub pid: u32,
    /// Its readiness.
    pub ready: Ready,
    /// Where it saves its state.
    pub state: Option<File>,
    /// It was started with state.
    pub restores: bool,
    /// Its hot units.
    pub units: Vec<Unit>,
    /// The link that made the executable.
    pub link: LinkCapture,
    /// The executable under a lasting name.
    pub host: PathBuf,
    /// The run's folder.
    pub folder: PathBuf,
    /// Patches keep all debug information.
    pub debug_patches: bool,
    /// Told what the program does by itself.
    pub told: Box<dyn Fn(hotswap_protocol::event::Event) -> bool + Send>,
}

/// How long the worker may take to notice that the run ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// The worker's thread, as the loop sees it.
#[derive(Debug)]
pub struct Worker {
    /// There is one until the worker is dropped.
    jobs: Option<Sender<Job>>,
    /// Closed when the thread ends.
    ended: Receiver<()>,
}

impl Worker {
    /// Starts the worker. It calls `tell` once for the preparation and once for each job; where
    /// that says that nobody listens any more, it ends.
    pub fn spawn(
        preparation: Preparation,
        project: Project,
        selection: Selection,
        tell: impl Fn(Done) -> bool + Send + 'static,
    ) -> Self {
        let (sender, jobs) = channel();
        let (alive, ended) = channel();
        std::thread::spawn(move || {
            let _alive: Sender<()> = alive;
            work(preparation, &jobs, &project, &selection, tell);
        });
        Self {
            jobs: Some(sender),
            ended,
        }
    }

    /// Hands a job to the worker.
    pub fn send(&self, job: Job) {
        // The worker waits for jobs until this is dropped.
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

fn work(
    mut preparation: Preparation,
    jobs: &Receiver<Job>,
    project: &Project,
    selection: &Selection,
    tell: impl Fn(Done) -> bool,
) {
    let restores = preparation.restores;
    let state = preparation.state.take();
    let mut engine = match prepare(preparation) {
        Ok(mut engine) => {
            let restored = restores.then(|| restored(&mut engine)).flatten();
            let event = Event::Ready {
                pid: engine.pid(),
                build_id: engine.build_id(),
                entries: engine.entries().iter().map(|it| it.path.clone()).collect(),
            };
            tell(modules(&engine));
            tell(Done::Ready {
                event: Box::new(event),
                restored: restored.map(Box::new),
            });
            Some(engine)
        }
        Err(error) => {
            let reason = format!("edits can't go live in this run: {error:#}");
            let reason = (!error.is::<Ended>()).then_some(reason);
            tell(Done::Deaf { reason });
            None
        }
    };
    for job in jobs {
        let done = carry_out(job, &mut engine, state.as_ref(), project, selection);
        if let Some(image) = engine.as_mut().and_then(Engine::take_image) {
            let (path, version) = image;
            tell(Done::Loaded { path, version });
        }
        if let Some(engine) = &engine {
            tell(modules(engine));
        }
        if !tell(done) {
            return;
        }
    }
}

/// Does a job.
fn carry_out(
    job: Job,
    engine: &mut Option<Engine>,
    state: Option<&File>,
    project: &Project,
    selection: &Selection,
) -> Done {
    match (job, engine) {
        (Job::Build { reason, with_state }, engine) => {
            build(reason, selection, |launch| match engine.as_mut() {
                Some(engine) => carry_over(engine, state, launch, with_state),
                None if with_state => Err(Box::new(handover::refusal(
                    "no edit can go live in this program, so it can't be asked for its state",
                    &[],
                ))),
                None => Ok(None),
            })
        }
        (
            Job::Update {
                change: Change::Restart,
                ..
            },
            Some(engine),
        ) => {
            let reason = "code outside the workspace was edited, which can't be swapped";
            build(reason.to_owned(), selection, |launch| {
                carry_over(engine, state, launch, false)
            })
        }
        (
            Job::Update {
                files,
                change,
                detected,
            },
            Some(engine),
        ) => update(engine, &files, change, detected, project, selection),
        (Job::Revert, Some(engine)) => Done::Reverted(engine.revert().map(Box::new)),
        (Job::Check { files }, Some(engine)) => {
            engine.set_form(form(selection));
            Done::Checked(engine.check(&files, Instant::now()))
        }
        // The loop knows that there is no engine, and sends no such job.
        (Job::Update { .. } | Job::Check { .. } | Job::Revert, None) => {
            not_built("edits can't go live in this run")
        }
    }
}

/// The program ended before its runtime could be talked to.
#[derive(Debug, thiserror::Error)]
#[error("the program has ended")]
struct Ended;

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
    let pid = preparation.pid;
    let engine = attach(preparation, host, cache);
    engine.map_err(|error| {
        if program::ends(pid) {
            Ended.into()
        } else {
            error
        }
    })
}

fn attach(preparation: Preparation, host: Host, cache: Cache) -> Result<Engine> {
    preparation.ready.wait()?;
    let mut connection = Connection::open(preparation.pid)?;
    connection.report_crashes(host.stack_overflow_handler())?;
    let engine = Engine::new(
        preparation.units,
        host,
        preparation.link,
        cache,
        &preparation.folder,
        Sink::Program(connection),
        match preparation.debug_patches {
            true => DebugInfo::Full,
            false => DebugInfo::Lines,
        },
    )?;
    engine.listen(preparation.told)?;
    Ok(engine)
}

/// Builds the program anew, and has the state of the one that runs carried over to it.
fn build(
    reason: String,
    selection: &Selection,
    carry_over: impl FnOnce(&mut Launch) -> Result<Option<Event>, Box<Event>>,
) -> Done {
    match launch::build_unseen(selection) {
        Ok(launch::Outcome::Ready(mut launch)) => match carry_over(&mut launch) {
            Ok(saved) => Done::Built {
                launch,
                reason,
                saved: saved.map(Box::new),
            },
            Err(event) => Done::NotBuilt { event },
        },
        Ok(launch::Outcome::No { event, .. }) => Done::NotBuilt { event },
        Err(error) => not_built(&format!("{error:#}")),
    }
}

/// Has the program save its state, and gives it to the one that takes its place. What comes of it is
/// told; with `with_state`, anything that is lost is an error.
fn carry_over(
    engine: &mut Engine,
    file: Option<&File>,
    launch: &mut Launch,
    with_state: bool,
) -> Result<Option<Event>, Box<Event>> {
    let carried = handover::carry_over(engine, file, &launch.built);
    let report = match carried {
        Ok(carried) => {
            launch.state = carried.file;
            carried.report
        }
        // What ends by itself leaves nothing.
        Err(_) if program::ends(engine.pid()) => return Ok(None),
        Err(error) if with_state => {
            return Err(Box::new(handover::refusal(&format!("{error:#}"), &[])));
        }
        Err(error) => {
            let message = format!("all state starts afresh, for it can't be saved: {error:#}");
            return Ok(Some(Event::Warning { message }));
        }
    };
    if with_state && !report.lost.is_empty() {
        return Err(Box::new(handover::refusal("", &report.lost)));
    }
    Ok(handover::saved(report))
}

fn restored(engine: &mut Engine) -> Option<Event> {
    match engine.restore() {
        Ok(report) => handover::restored(report),
        Err(error) => {
            let message = format!("what became of state that was saved is not known: {error:#}");
            Some(Event::Warning { message })
        }
    }
}

fn not_built(message: &str) -> Done {
    Done::NotBuilt {
        event: Box::new(failed(message)),
    }
}

fn failed(message: &str) -> Event {
    Event::Failed {
        message: message.to_owned(),
    }
}

fn modules(engine: &Engine) -> Done {
    Done::Modules {
        modules: engine.modules(),
        version: engine.version(),
    }
}

/// How the compiler gives its messages.
fn form(selection: &Selection) -> Form {
    Form {
        short: selection.messages.diagnostics == Diagnostics::Short,
        width: Terminal::of_stderr().and_then(|terminal| terminal.columns()),
    }
}

fn build_from(
    engine: &mut Engine,
    files: &[PathBuf],
    project: &Project,
    selection: &Selection,
) -> Result<Build> {
    engine.begin(files);
    records::build_unseen(project, selection)
}

fn update(
    engine: &mut Engine,
    files: &[PathBuf],
    change: Change,
    detected: Instant,
    project: &Project,
    selection: &Selection,
) -> Done {
    engine.set_form(form(selection));
    let event = match change {
        Change::Sources => engine.update(files, detected),
        Change::Cargo => match build_from(engine, files, project, selection) {
            Ok(Build::Done(built)) => engine.update_from_cargo(built.units, &built.link, detected),
            Ok(Build::Failed { errors, .. }) => Event::CompileError {
                message: errors.concat(),
                summary: "cargo could not build the edit".to_owned(),
            },
            Err(error) => failed(&format!("{error:#}")),
        },
        // The loop has a build made instead.
        Change::Restart => failed("code outside the workspace can't be swapped"),
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
