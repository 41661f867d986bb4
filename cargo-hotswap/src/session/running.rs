//! A started program with all that belongs to it: the worker, the watched files, its folder.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::mpsc::Sender;
use std::time::{Instant, SystemTime};

use anyhow::Result;
use hotswap_protocol::address;

use super::folder::RunFolder;
use super::inputs::{Change, Inputs};
use super::launch::Launch;
use super::modules::{ModuleStatus, Modules};
use super::options::Settings;
use super::talk::Talk;
use super::worker::{self, Job, Worker};
use super::{Happening, Options, signals};
use crate::control::place;
use crate::death::code::Code;
use crate::death::{Fault, resolve};
use crate::events::Event;
use crate::program::{self, LastWord};
use crate::records::Built;
use crate::watch::{Contents, Watch};

/// A program, from its start until another takes its place.
pub struct Running {
    /// Does the long operations.
    pub worker: Worker,
    /// Its process id.
    pub pid: u32,
    /// How many programs this run had before, plus one.
    pub number: u32,
    /// The worker is at something; what is saved meanwhile waits.
    pub busy: bool,
    /// No edit can go live in it.
    pub deaf: bool,
    /// The last edit did not compile, and asked for this: any save may be what it lacked.
    pub failed: Option<Change>,
    /// The code that runs is older than the sources, because somebody reverted, or because state was
    /// not to be had: any save brings the newest.
    pub behind: bool,
    /// The last edit could not go live.
    pub refused: bool,
    /// Where it has its code.
    pub code: Code,
    /// Its crates.
    pub crates: Modules,
    last_word: LastWord,
    watch: Watch,
    inputs: Inputs,
    contents: Contents,
    /// What was saved since the last job began.
    saved: BTreeSet<PathBuf>,
    /// What the job under way asks for.
    asked: Change,
    /// When the compiler last began to read the sources.
    begun: SystemTime,
    target_directory: PathBuf,
    _folder: RunFolder,
}

/// An edit that is to be dealt with.
#[derive(Debug)]
pub struct Edit {
    /// The edited files.
    pub files: Vec<PathBuf>,
    /// What they ask for.
    pub change: Change,
}

impl Edit {
    /// The job of making it live.
    pub fn update(self) -> Job {
        Job::Update {
            files: self.files,
            change: self.change,
            detected: Instant::now(),
        }
    }
}

impl Running {
    /// Starts the program and all that is around it.
    ///
    /// # Errors
    ///
    /// It can't be started.
    pub fn start(
        options: &Options,
        talk: &Talk,
        launch: Launch,
        settings: &Settings,
        number: u32,
        sender: &Sender<Happening>,
    ) -> Result<Self> {
        let Launch {
            project,
            built,
            begun,
            state,
            ..
        } = launch;
        let Built {
            executable,
            units,
            link,
            surroundings,
            ..
        } = built;
        let folder = RunFolder::new(&project.target_directory)?;
        let host = folder.keep(&executable)?;
        let watch = Watch::new(settings.watch.clone(), sender.clone(), Happening::Seen);
        let inputs = Inputs::new(&project, &units);
        let target_directory = project.target_directory.clone();
        let command = program::command_line(&executable, &options.args, &surroundings.runner);
        talk.report(&Event::Running {
            command: command.iter().map(lossy).collect(),
        });
        talk.program_started(&folder.path());
        let (stdin, told) = (settings.stdin(), settings.of_runtime());
        let variables = &surroundings.variables;
        let target = &project.target;
        let restore = state.as_ref();
        let started = program::start(&command, target, variables, stdin, told, restore)?;
        let pid = started.child.id();
        signals::forward_to(pid);
        talk.report(&Event::Started { pid });
        tell_end(pid, number, sender.clone());
        let code = Code::new(pid, &executable, &host);
        let preparation = worker::Preparation {
            pid,
            ready: started.ready,
            state: started.state,
            restores: state.is_some(),
            units,
            link,
            host,
            folder: folder.path(),
            debug_patches: options.control.debug_patches,
            told: Box::new(teller(sender.clone(), move |it| {
                Happening::Told(number, it)
            })),
        };
        let tell = teller(sender.clone(), move |done| Happening::Done(number, done));
        let mut running = Self {
            worker: Worker::spawn(preparation, project, options.selection.clone(), tell),
            pid,
            number,
            busy: true,
            deaf: false,
            failed: None,
            behind: false,
            refused: false,
            code,
            crates: Modules::default(),
            last_word: started.last_word,
            watch,
            inputs,
            contents: Contents::default(),
            saved: BTreeSet::new(),
            asked: Change::Sources,
            begun,
            target_directory,
            _folder: folder,
        };
        running.watch_inputs();
        running.forget_lock_file();
        Ok(running)
    }

    /// Takes the lock file as it is: cargo itself may just have written it.
    fn forget_lock_file(&mut self) {
        let lock_file = self.inputs.lock_file();
        self.contents.take_changed(lock_file);
        self.saved.retain(|file| !lock_file.contains(file));
    }

    /// Takes note of those saves that can change the program. After a failed compilation any file
    /// can: the missing module, say.
    pub fn saved(&mut self, paths: BTreeSet<PathBuf>) {
        let matters = |path: &PathBuf| self.contents.knows(path) || self.failed.is_some();
        self.saved.extend(paths.into_iter().filter(matters));
    }

    /// What was saved since the last time and has to be dealt with. All that waits is taken at
    /// once, so that what was saved together ends in one swap.
    pub fn take_edit(&mut self) -> Option<Edit> {
        if self.saved.is_empty() {
            return None;
        }
        let saved = std::mem::take(&mut self.saved);
        let mut files = self.contents.take_changed(&saved);
        let mut change = self.inputs.classify(&files, Path::exists);
        if self.behind && files.is_empty() {
            // What is saved as it was is newer than what runs.
            files.extend(
                saved
                    .iter()
                    .filter(|file| self.contents.knows(file))
                    .cloned(),
            );
        }
        if let Some(asked) = self.failed {
            // Another file may have been mended meanwhile, or what was missing have come. A file
            // that nobody knows is not named beside one that is known: it may be an editor's.
            let mended = self.contents.take_all_changed();
            change = change
                .max(self.inputs.classify(&mended, Path::exists))
                .max(asked);
            // What was saved again just now is among them twice.
            files.retain(|file| !mended.contains(file));
            files.extend(mended);
            if files.is_empty() {
                let new = saved.into_iter();
                let new = new.filter(|file| !self.contents.knows(file) && !is_passing(file));
                files.extend(new.filter(|file| file.is_file()));
            }
        }
        if files.is_empty() {
            return None;
        }
        self.asked = change;
        self.begun = SystemTime::now();
        Some(Edit { files, change })
    }

    /// All files of a crate, as an edit: to compile it whatever it says.
    ///
    /// # Errors
    ///
    /// There is no such crate.
    pub fn take_crate(&mut self, module: &str) -> Result<Edit, String> {
        let files = self.crates.files(Some(module))?;
        self.contents.take_changed(&files);
        self.asked = Change::Sources;
        self.begun = SystemTime::now();
        Ok(Edit {
            files: files.into_iter().collect(),
            change: Change::Sources,
        })
    }

    /// What was edited of a crate, or of all, and is not live, whether its save was seen or not.
    ///
    /// # Errors
    ///
    /// There is no such crate.
    pub fn take_unseen(&mut self, module: Option<&str>) -> Result<Option<Edit>, String> {
        let files = match module {
            Some(_) => self.crates.files(module)?,
            None => self.inputs.files().cloned().collect(),
        };
        self.saved.extend(self.contents.changed(&files));
        let edit = self.take_edit();
        if edit.is_some() || !self.is_older() {
            return Ok(edit);
        }
        self.asked = self.failed.unwrap_or(Change::Sources);
        self.begun = SystemTime::now();
        Ok(Some(Edit {
            files: self.crates.files(module)?.into_iter().collect(),
            change: self.asked,
        }))
    }

    /// Whether the newest sources are not live, though the compiler has read them.
    fn is_older(&self) -> bool {
        self.behind || self.refused || self.failed.is_some()
    }

    /// What was edited and is not live; it stays so.
    pub fn edited(&self) -> Option<Edit> {
        let mut files = self.contents.changed(self.inputs.files());
        if files.is_empty() && self.is_older() {
            // Only one that is named may be missing.
            files.extend(self.crates.files(None).unwrap_or_default());
        }
        let change = self.inputs.classify(&files, Path::exists);
        (!files.is_empty()).then_some(Edit { files, change })
    }

    /// What is told of a crate, or of all.
    ///
    /// # Errors
    ///
    /// There is no such crate.
    pub fn modules(&self, module: Option<&str>) -> Result<Vec<ModuleStatus>, String> {
        let mut modules = self.crates.status(module, &self.contents)?;
        for module in &mut modules {
            module.is_older = self.is_older();
        }
        Ok(modules)
    }

    /// The job of the last edit ended: whether it failed to compile, and what the compiler read.
    pub fn updated(&mut self, failed: bool, sources: BTreeSet<PathBuf>) {
        self.settled(failed);
        self.inputs.set_sources(sources);
        self.watch_inputs();
    }

    /// The job of the last edit ended without a look at the sources.
    pub fn settled(&mut self, failed: bool) {
        self.failed = failed.then_some(self.asked);
        if self.asked != Change::Sources {
            // Cargo itself may have written it.
            self.contents.take_changed(self.inputs.lock_file());
        }
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
        // What the build itself made, by a build script, is no save.
        let (made, new): (Vec<_>, Vec<_>) = new
            .into_iter()
            .partition(|file| file.starts_with(&self.target_directory));
        self.contents.record(&made, SystemTime::now());
        let late = self.contents.record(&new, self.begun);
        self.saved.extend(late);
    }

    /// Where the program was when this signal ended it. Paths below `folder` are shortened.
    pub fn fault(&mut self, signal: i32, folder: &Path) -> Option<Fault> {
        let last_word = self.last_word.take();
        resolve::fault(&last_word, signal, &self.code, folder)
    }

    /// Takes the end of the program, which has ended.
    ///
    /// # Errors
    ///
    /// The system does not tell.
    pub fn take_end(&mut self) -> Result<ExitStatus> {
        // One that a signal ended had no time to remove its socket. Until the status is taken
        // nobody else has its number.
        for folder in place::private_directories() {
            let _ = place::remove(&folder.join(address::socket_name(self.pid)));
        }
        Ok(signals::take_end(self.pid)?)
    }
}

/// Whether a file has such a name as editors give to what they write beside a source: copies, locks,
/// and what they rename later.
fn is_passing(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let hidden = name.starts_with(['.', '#']) || name.ends_with(['~', '#']);
    let numbered = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let kinds = [
        "swp", "swx", "swo", "tmp", "temp", "bak", "orig", "rej", "part", "saving",
    ];
    hidden || numbered || kinds.contains(&ending)
}

fn lossy(word: &OsString) -> String {
    word.to_string_lossy().into_owned()
}

/// Tells the session of something, and whether there is one to hear it.
fn teller<T>(sender: Sender<Happening>, what: impl Fn(T) -> Happening) -> impl Fn(T) -> bool {
    move |it| sender.send(what(it)).is_ok()
}

/// Tells the loop when the program has ended. The loop takes its end, so that the process id stays
/// the program's until then.
fn tell_end(pid: u32, number: u32, sender: Sender<Happening>) {
    std::thread::spawn(move || {
        // It is a child, so this can't fail; the loop would meet the same error.
        let _ = signals::wait_for_end(pid);
        // The loop is gone if the tool itself ends.
        let _ = sender.send(Happening::Exited(number));
    });
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::is_passing;

    #[test]
    fn editors_files_are_no_edits() {
        for (name, passing) in [
            ("src/missing.rs", false),
            ("src/data.json", false),
            ("src/README", false),
            ("src/v2", false),
            ("src/.main.rs.swp", true),
            ("src/.#main.rs", true),
            ("src/#main.rs#", true),
            ("src/main.rs~", true),
            ("src/4913", true),
            ("src/main.tmp", true),
            ("src/main.rs.orig", true),
        ] {
            assert_eq!(is_passing(Path::new(name)), passing, "{name}");
        }
    }
}
