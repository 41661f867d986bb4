//! `cargo hotswap run`: one program, its sources, and one explicit loop between them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result};

use crate::events::{Event, MessageFormat, Reporter};
use crate::plugin::capture::LinkCapture;
use crate::profile;
use crate::program;
use crate::project::Project;
use crate::records::{self, Build, Built};
use crate::selection::Selection;
use crate::watch::{Contents, Watch};

use folder::RunFolder;
use inputs::{Change, Inputs};
use worker::{Done, Job, Worker};

mod folder;
mod inputs;
mod signals;
mod worker;

/// Everything that can happen while the program runs.
enum Happening {
    /// A watched path was written, moved or removed.
    Saved(PathBuf),
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
    pub args: Vec<OsString>,
    /// How to tell what happens.
    pub reporter: Reporter,
}

/// How a program's run ended for the tool.
enum End {
    /// The program ended.
    Exited(ExitStatus),
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
    loop {
        let mut project = Project::find(&options.selection)?;
        let (begun, wall_clock) = (Instant::now(), SystemTime::now());
        let built = match records::build(&project, &options.selection)? {
            Build::Done(built) => built,
            Build::Failed { errors, signal } => {
                tell_failed_build(options, &errors);
                signal.into_iter().for_each(signals::end_by);
                return Ok(101);
            }
        };
        project.add_packages(&built.packages);
        options.reporter.report(&Event::Built {
            executable: built.executable.clone(),
            ms: ms(begun),
        });
        if let Some(refusal) = refuse_setup(&project, &built) {
            options.reporter.report(&refusal);
            return Ok(1);
        }
        warn_of_setup(options, &project, &built.link);
        // The session's folder is gone when this is known.
        let end = Session::start(options, project, *built, wall_clock)?.serve()?;
        if let End::Exited(status) = end {
            status.signal().into_iter().for_each(signals::end_by);
            return Ok(exit_code(status));
        }
    }
}

/// As a shell says it.
fn exit_code(status: ExitStatus) -> i32 {
    let signal = status.signal().unwrap_or(0);
    status.code().unwrap_or(128 + signal)
}

/// Tells programs of a first build that failed; people were told by cargo.
fn tell_failed_build(options: &Options, errors: &[String]) {
    if options.reporter.format() == MessageFormat::Json {
        options.reporter.report(&Event::CompileError {
            message: errors.concat(),
            summary: "cargo could not build the program".to_owned(),
        });
    }
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
        places: Vec::new(),
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
        places: Vec::new(),
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
    fn start(options: &Options, project: Project, built: Built, begun: SystemTime) -> Result<Self> {
        let Built {
            executable,
            units,
            link,
            surroundings,
            ..
        } = built;
        let (sender, happenings) = channel();
        let folder = RunFolder::new(&project.target_directory)?;
        let host = folder.keep(&executable)?;
        let watch = Watch::new(sender.clone(), Happening::Saved)?;
        let inputs = Inputs::new(&project, &units);
        let command = program::command_line(&executable, &options.args, &surroundings.runner);
        options.reporter.report(&Event::Running {
            command: command.iter().map(lossy).collect(),
        });
        options.reporter.program_started(&folder.path());
        let started = program::start(&command, &project.target, &surroundings.variables)?;
        let pid = started.child.id();
        signals::forward_to(pid)?;
        options.reporter.report(&Event::Started { pid });
        wait_for_exit(pid, sender.clone());
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
            reporter: options.reporter.clone(),
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
        session.watch_inputs()?;
        // Cargo itself may have written it.
        session.contents.take_changed(session.inputs.lock_file());
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
                    Happening::Saved(path) if self.matters(&path) => {
                        self.saved.insert(path);
                    }
                    Happening::Saved(_) => {}
                    Happening::Exited(status) => return Ok(self.exited(status?)),
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
                let failed = matches!(*event, Event::CompileError { .. });
                self.failed = failed.then_some(self.asked);
                if self.asked == Change::Cargo {
                    // Cargo itself may have written it.
                    self.contents.take_changed(self.inputs.lock_file());
                }
                self.inputs.set_sources(sources);
                self.watch_inputs()?;
                self.reporter.report(&event);
            }
            Done::Restart { .. } => {}
        }
        Ok(())
    }

    /// Watches inputs that are new since the last look, and records their content.
    fn watch_inputs(&mut self) -> Result<()> {
        let new: Vec<PathBuf> = self
            .inputs
            .files()
            .filter(|file| !self.contents.knows(file))
            .cloned()
            .collect();
        self.watch.add(new.iter().map(PathBuf::as_path))?;
        if self.contents.record(&new, self.begun) {
            self.saved.extend(new);
        }
        Ok(())
    }

    fn exited(&self, status: ExitStatus) -> End {
        self.reporter.program_ended(status);
        let (code, signal) = (status.code(), status.signal());
        self.reporter.report(&Event::Exited { code, signal });
        End::Exited(status)
    }

    /// Asks the program to end, and waits until it has.
    fn end_program(&self) -> Result<End> {
        signals::terminate(self.pid);
        loop {
            let happening = self.happenings.recv_timeout(signals::PATIENCE);
            match happening {
                Ok(Happening::Exited(status)) => {
                    self.reporter.program_ended(status?);
                    return Ok(End::Restart);
                }
                Ok(_) => {}
                Err(_) => signals::kill(self.pid),
            }
        }
    }
}

fn lossy(word: &OsString) -> String {
    word.to_string_lossy().into_owned()
}

fn wait_for_exit(pid: u32, sender: Sender<Happening>) {
    std::thread::spawn(move || {
        let status = signals::wait(pid);
        // The loop is gone if the tool itself ends.
        let _ = sender.send(Happening::Exited(status));
    });
}
