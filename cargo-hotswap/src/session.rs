//! `cargo hotswap run`: one program, its sources, and one explicit loop between them.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result};

use crate::config::{Config, Flags};
use crate::events::{Event, Reporter};
use crate::plugin::capture::LinkCapture;
use crate::profile;
use crate::program;
use crate::project::Project;
use crate::records::{self, Build, Built};
use crate::selection::Selection;
use crate::unit::Unit;
use crate::watch::{self, Contents, Seen, Watch};

use folder::RunFolder;
use inputs::{Change, Inputs};
use worker::{Done, Job, Worker};

pub mod folder;
mod inputs;
mod signals;
mod worker;

/// Everything that can happen while the program runs.
enum Happening {
    /// Something was seen of the watched files.
    Seen(Seen),
    /// The worker finished what it was at.
    Done(Done),
    /// The program ended.
    Exited(std::io::Result<ExitStatus>),
}

/// What `run` was asked to do.
#[derive(Debug)]
pub struct Options {
    /// What to build.
    pub selection: Selection,
    /// The program's arguments.
    pub args: Vec<String>,
    /// How to tell what happens.
    pub reporter: Reporter,
}

/// How a program's run ended for the tool.
enum End {
    /// The program ended, with this exit code.
    Exited(i32),
    /// The program was ended so that it can start again on the newest code.
    Restart,
}

/// Builds the program, runs it and makes edits live until it ends; the result is its exit code.
///
/// # Errors
///
/// The program could not be built or started. Nothing that happens afterwards is an error of the
/// tool: the program's end decides.
pub fn run(options: &Options) -> Result<i32> {
    let mut config = None;
    loop {
        let project = Project::find(&options.selection)?;
        let config = match &config {
            Some(config) => config,
            None => config.insert(load_config(options, &project)?),
        };
        let (begun, wall_clock) = (Instant::now(), SystemTime::now());
        let built = match records::build(&project, &options.selection)? {
            Build::Done(built) => built,
            Build::Failed { errors } => {
                options.reporter.report(&Event::CompileError {
                    message: errors.join("\n"),
                });
                return Ok(101);
            }
        };
        for warning in &built.warnings {
            options.reporter.text(warning);
        }
        options.reporter.report(&Event::Built {
            executable: built.executable.clone(),
            ms: ms(begun),
        });
        if let Some(refusal) = refuse_setup(&project, &built) {
            options.reporter.report(&refusal);
            return Ok(1);
        }
        warn_of_setup(options, &project, &built.link);
        let watch = watch::Settings {
            root: project.workspace_root.clone(),
            poll: config.watch_poll.value,
            ignore: config.ignored()?,
            patience: watch::Patience::default(),
        };
        match Session::start(options, project, *built, watch, wall_clock)?.serve()? {
            End::Exited(code) => return Ok(code),
            End::Restart => {}
        }
    }
}

/// The settings; read once, so that a mistake made later doesn't end what runs.
fn load_config(options: &Options, project: &Project) -> Result<Config> {
    let mut config = Config::load(project, &Flags::default())?;
    for message in std::mem::take(&mut config.warnings) {
        options.reporter.report(&Event::Warning { message });
    }
    Ok(config)
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// What can't be patched at all.
fn refuse_setup(project: &Project, built: &Built) -> Option<Event> {
    let link = &built.link;
    let dynamic = link.dynamic_libraries.first().map(|library| {
        let name = library.file_name().unwrap_or_default().to_string_lossy();
        (
            name.into_owned(),
            "a shared library (a `dylib` crate, or bevy's `dynamic_linking`)",
        )
    });
    let linked = |name: &&String| {
        link.cold_libraries
            .iter()
            .any(|library| records::crate_name(library) == **name)
    };
    let shared = project.shared_crates.iter().find(linked).map(|name| {
        (
            name.clone(),
            "a crate that is also built as `cdylib`, `dylib` or `staticlib`",
        )
    });
    if let Some(refusal) = refuse_static(&built.executable) {
        return Some(refusal);
    }
    let (name, kind) = dynamic.or(shared)?;
    let message = format!(
        "{name} is {kind}\n\
         = why: code in it can't be replaced, and state in it is not the executable's\n\
         = help: build it as a plain library (`crate-type = [\"lib\"]`), without `-C prefer-dynamic`"
    );
    Some(Event::Refused {
        reason: "dynamic-library",
        message,
        items: vec![name],
    })
}

/// A program without a dynamic loader has nobody who could load a patch.
fn refuse_static(executable: &Path) -> Option<Event> {
    use object::read::elf::{FileHeader, ProgramHeader};
    let bytes = std::fs::read(executable).ok()?;
    let header = object::elf::FileHeader64::<object::Endianness>::parse(&*bytes).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, &*bytes).ok()?;
    if segments
        .iter()
        .any(|one| one.p_type(endian) == object::elf::PT_INTERP)
    {
        return None;
    }
    let name = executable.display().to_string();
    let message = format!(
        "{name} is linked statically (a musl target, or `-C target-feature=+crt-static`)\n\
         = why: it has no dynamic loader, so code can't be loaded into it\n\
         = help: build it for a target with a shared C library, such as x86_64-unknown-linux-gnu"
    );
    Some(Event::Refused {
        reason: "static-executable",
        message,
        items: vec![name],
    })
}

fn warn_of_setup(options: &Options, project: &Project, link: &LinkCapture) {
    let warn = |message: String| options.reporter.report(&Event::Warning { message });
    if !project.has_runtime {
        warn(
            "this package does not depend on the runtime, so no edit can go live\n  \
              = help: run `cargo add hotswap-runtime` and mark a function with `#[hotswap::entry]`"
                .to_owned(),
        );
    }
    let profile = options.selection.profile_name();
    for setting in profile::overridden(&project.workspace_root, profile) {
        warn(format!("profile `{profile}`: {setting}"));
    }
    for library in &link.lazy_libraries {
        warn(format!(
            "{} could not be linked in full; an edit that first uses a part of it needs a restart",
            library.display()
        ));
    }
}

/// A running program with all that belongs to it.
struct Session {
    reporter: Reporter,
    worker: Worker,
    happenings: Receiver<Happening>,
    watch: Watch,
    inputs: Inputs,
    contents: Contents,
    pid: u32,
    /// The worker is at something; what is saved meanwhile waits.
    busy: bool,
    /// The last edit did not compile, and asked for this: any save may be what it lacked.
    failed: Option<Change>,
    /// What was saved since the last job began.
    saved: BTreeSet<PathBuf>,
    /// What the job under way asks for.
    asked: Change,
    /// When the compiler last began to read the sources.
    begun: SystemTime,
    _folder: RunFolder,
}

impl Session {
    fn start(
        options: &Options,
        project: Project,
        built: Built,
        watch: watch::Settings,
        begun: SystemTime,
    ) -> Result<Self> {
        let Built {
            executable,
            units,
            link,
            ..
        } = built;
        let (sender, happenings) = channel();
        let folder = RunFolder::new(&project.target_directory)?;
        let host = folder.keep(&executable)?;
        let watch = Watch::new(watch, sender.clone(), Happening::Seen);
        let inputs = Inputs::new(&project, &units);
        let started = program::start(
            &executable,
            &project.target,
            &options.args,
            &variables(&units),
        )?;
        let pid = started.child.id();
        signals::forward_to(pid)?;
        options.reporter.report(&Event::Started { pid });
        wait_for_exit(started.child, sender.clone());
        let preparation = worker::Preparation {
            pid,
            ready: started.ready,
            units,
            link,
            host,
            folder: folder.path(),
        };
        let worker = Worker::spawn(sender, preparation, project, options.selection.clone());
        let mut session = Self {
            reporter: options.reporter,
            worker,
            happenings,
            watch,
            inputs,
            contents: Contents::default(),
            pid,
            busy: true,
            failed: None,
            saved: BTreeSet::new(),
            asked: Change::Sources,
            begun,
            _folder: folder,
        };
        session.watch_inputs();
        Ok(session)
    }

    /// The loop: one job is under way at a time. What was saved together ends in one swap, since
    /// all that waits is taken before a job begins.
    fn serve(mut self) -> Result<End> {
        loop {
            let first = self
                .happenings
                .recv()
                .context("all of the tool's threads stopped")?;
            let more: Vec<Happening> = self.happenings.try_iter().collect();
            for happening in std::iter::once(first).chain(more) {
                match happening {
                    Happening::Seen(Seen::Saved(paths)) => {
                        let matter = paths.into_iter().filter(|path| self.matters(path));
                        let matter: Vec<_> = matter.collect();
                        self.saved.extend(matter);
                    }
                    Happening::Seen(Seen::Warning(message)) => {
                        self.reporter.report(&Event::Warning { message });
                    }
                    Happening::Exited(status) => return Ok(End::Exited(self.exited(status?))),
                    Happening::Done(Done::Restart { reason }) => {
                        self.reporter.report(&Event::Restarting { reason });
                        return self.end_program();
                    }
                    Happening::Done(done) => self.done(done)?,
                }
            }
            self.begin_job();
        }
    }

    /// Whether a save of this path can change the program. After a failed compilation any file
    /// can: the missing module, say.
    fn matters(&self, path: &Path) -> bool {
        self.contents.knows(path) || self.failed.is_some()
    }

    fn begin_job(&mut self) {
        if self.busy || self.saved.is_empty() {
            return;
        }
        let saved = std::mem::take(&mut self.saved);
        let mut files = self.contents.take_changed(&saved);
        let mut change = self.inputs.classify(&files);
        if let Some(asked) = self.failed {
            // What was missing may have come, or another file have been mended meanwhile.
            let new = saved.into_iter();
            files.extend(new.filter(|file| !self.contents.knows(file) && file.is_file()));
            let mended = self.contents.take_all_changed();
            change = change.max(self.inputs.classify(&mended)).max(asked);
            files.extend(mended);
        }
        if files.is_empty() {
            return;
        }
        self.reporter.report(&Event::Changed {
            files: files.clone(),
        });
        self.busy = true;
        self.asked = change;
        self.begun = SystemTime::now();
        self.worker.send(Job {
            files,
            change,
            detected: Instant::now(),
        });
    }

    fn done(&mut self, done: Done) -> Result<()> {
        self.busy = false;
        match done {
            Done::Ready { event } => self.reporter.report(&event),
            Done::Deaf { reason } => {
                // Nothing can be swapped; the program itself is fine.
                self.busy = true;
                self.reporter.report(&Event::Warning { message: reason });
            }
            Done::Updated { event, sources } => {
                let failed = matches!(event, Event::CompileError { .. });
                self.failed = failed.then_some(self.asked);
                if self.asked == Change::Cargo {
                    // Cargo itself may have written it.
                    self.contents.take_changed(self.inputs.lock_file());
                }
                self.inputs.set_sources(sources);
                self.watch_inputs();
                self.reporter.report(&event);
            }
            Done::Restart { .. } => {}
        }
        Ok(())
    }

    /// Watches inputs that are new since the last look, and records their content.
    fn watch_inputs(&mut self) {
        let new: Vec<PathBuf> = self
            .inputs
            .files()
            .filter(|file| !self.contents.knows(file) && !self.watch.ignores(file))
            .cloned()
            .collect();
        self.watch.add(new.iter().map(PathBuf::as_path));
        if self.contents.record(&new, self.begun) {
            self.saved.extend(new);
        }
    }

    fn exited(&self, status: ExitStatus) -> i32 {
        let (code, signal) = (status.code(), status.signal());
        self.reporter.report(&Event::Exited { code, signal });
        // As a shell says it.
        code.unwrap_or_else(|| 128 + signal.unwrap_or(0))
    }

    /// Asks the program to end, and waits until it has.
    fn end_program(&self) -> Result<End> {
        signals::terminate(self.pid);
        loop {
            let happening = self.happenings.recv_timeout(signals::PATIENCE);
            match happening {
                Ok(Happening::Exited(_)) => return Ok(End::Restart),
                Ok(_) => {}
                Err(_) => signals::kill(self.pid),
            }
        }
    }
}

/// What `cargo run` sets for the program: the package's variables.
fn variables(units: &[Unit]) -> Vec<(String, String)> {
    let Some(unit) = units.last() else {
        return Vec::new();
    };
    let for_program = |name: &str| {
        name == "CARGO" || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    };
    let env = unit
        .capture
        .env
        .iter()
        .filter(|(name, _)| for_program(name));
    env.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn wait_for_exit(mut child: std::process::Child, sender: Sender<Happening>) {
    std::thread::spawn(move || {
        let status = child.wait();
        // The loop is gone if the tool itself ends.
        let _ = sender.send(Happening::Exited(status));
    });
}
