//! Watching the files that the compiler read: one thread, and one explicit loop in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Instant;

use globset::GlobSet;
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{ErrorKind, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

pub use burst::Patience;
pub use contents::Contents;
pub use manner::{Remote, raise};

use crate::config::Poll;
use burst::{Burst, Next, Sight};
use locks::Locks;
use manner::NoEvents;
use places::Places;
use poll::{Found, Poller};

mod burst;
mod contents;
mod locks;
mod manner;
mod places;
mod poll;
#[cfg(test)]
mod tests;

/// What watching has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Paths that were written, moved or removed, in one act as far as that can be told.
    Saved(BTreeSet<PathBuf>),
    /// Something that the user should know.
    Warning(String),
}

/// How to watch.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The folder of the workspace.
    pub root: PathBuf,
    /// Whether to look at files where events can be missing.
    pub poll: Poll,
    /// Files that don't count, by their path below the root.
    pub ignore: GlobSet,
    /// How long a save is waited for that may belong to another.
    pub patience: Patience,
}

impl Settings {
    /// Whether saves of this file don't count.
    pub fn ignores(&self, file: &Path) -> bool {
        let below = file.strip_prefix(&self.root);
        below.is_ok_and(|below| self.ignore.is_match(below))
    }
}

/// Watches files, and says which were saved. It watches folders, not files: an editor that saves by
/// rename gives the file a new inode, which a watch on the file would lose.
#[derive(Debug)]
pub struct Watch {
    inputs: Sender<Input>,
    settings: Settings,
}

/// What the watching thread can be woken by.
#[derive(Debug)]
enum Input {
    /// Files to watch from now on; answered when they are.
    Add(Vec<PathBuf>, Sender<()>),
    /// The system told of a path.
    Event(PathBuf, Sight),
    /// The system lost count; anything may have changed.
    Lost,
    /// Looking found something.
    Looked(Vec<Found>),
    /// Nobody listens any more.
    End,
}

impl Watch {
    /// A watch that sends what it sees as `message(seen)`.
    pub fn new<T: Send + 'static>(
        settings: Settings,
        sender: Sender<T>,
        message: impl Fn(Seen) -> T + Send + 'static,
    ) -> Self {
        Self::start(settings, event_source, sender, message)
    }

    fn start<T: Send + 'static>(
        settings: Settings,
        events: fn(Sender<Input>) -> Result<RecommendedWatcher, NoEvents>,
        sender: Sender<T>,
        message: impl Fn(Seen) -> T + Send + 'static,
    ) -> Self {
        let (inputs, receiver) = channel();
        let events = events(inputs.clone());
        let watch = Self {
            inputs: inputs.clone(),
            settings: settings.clone(),
        };
        std::thread::spawn(move || {
            let thread = Thread {
                places: Places::new(&settings.root),
                tell: |seen| sender.send(message(seen)).is_ok(),
                inputs,
                events,
                watched: BTreeSet::new(),
                polled: BTreeSet::new(),
                poller: None,
                warned: BTreeSet::new(),
                burst: Burst::new(settings.patience),
                settings,
                locks: Locks::default(),
            };
            thread.serve(&receiver);
        });
        watch
    }

    /// Whether saves of this file don't count.
    pub fn ignores(&self, file: &Path) -> bool {
        self.settings.ignores(file)
    }

    /// Watches these files, too. When this returns, a save of one is seen.
    pub fn add<'a>(&self, files: impl IntoIterator<Item = &'a Path>) {
        let files: Vec<PathBuf> = files.into_iter().map(Path::to_owned).collect();
        let (done, answer) = channel();
        // The thread ends when nobody listens to it any more.
        if !files.is_empty() && self.inputs.send(Input::Add(files, done)).is_ok() {
            let _ = answer.recv();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The thread keeps its own channel open, for what looks at folders.
        let _ = self.inputs.send(Input::End);
    }
}

/// The system's file events, as inputs.
fn event_source(inputs: Sender<Input>) -> Result<RecommendedWatcher, NoEvents> {
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        if event.need_rescan() {
            let _ = inputs.send(Input::Lost);
        }
        let Some(sight) = sight(event.kind) else {
            return;
        };
        for path in event.paths {
            // The receiver is gone when the tool ends; nothing is left to tell then.
            let _ = inputs.send(Input::Event(path, sight));
        }
    });
    watcher.map_err(|error| no_events(&error))
}

/// What an event says of a file.
fn sight(kind: EventKind) -> Option<Sight> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Sight::Written),
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Some(Sight::Written),
        // A folder that was missing; no event says when its making is done.
        EventKind::Create(CreateKind::Folder) => Some(Sight::Written),
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) => Some(Sight::Gone),
        EventKind::Remove(_) => Some(Sight::Gone),
        EventKind::Modify(ModifyKind::Data(_)) | EventKind::Create(_) => Some(Sight::Begun),
        _ => None,
    }
}

fn no_events(error: &notify::Error) -> NoEvents {
    match &error.kind {
        ErrorKind::MaxFilesWatch => NoEvents::WatchLimit,
        // The only call that makes a descriptor is the one that opens a queue.
        ErrorKind::Io(error) if error.raw_os_error() == Some(libc::EMFILE) => {
            NoEvents::InstanceLimit
        }
        ErrorKind::Io(error) => NoEvents::Other(error.to_string()),
        _ => NoEvents::Other(error.to_string()),
    }
}

/// The watching thread.
struct Thread<F> {
    settings: Settings,
    /// Says what was seen; false if nobody listens.
    tell: F,
    inputs: Sender<Input>,
    events: Result<RecommendedWatcher, NoEvents>,
    places: Places,
    /// Folders that have events, or for which that was tried.
    watched: BTreeSet<PathBuf>,
    /// Folders that are looked at.
    polled: BTreeSet<PathBuf>,
    poller: Option<Poller>,
    /// What was told once is not told again.
    warned: BTreeSet<String>,
    burst: Burst,
    locks: Locks,
}

impl<F: Fn(Seen) -> bool> Thread<F> {
    fn serve(mut self, inputs: &Receiver<Input>) {
        let mut is_up_to_date = false;
        loop {
            // What is there already belongs together; what to do about it is one question.
            if !inputs.try_iter().all(|input| self.take(input)) {
                return;
            }
            let now = Instant::now();
            let last = self.burst.last();
            let locked = last.is_some_and(|last| self.locks.held(last, now));
            let next = self.burst.next(now, locked);
            if next == Next::Tell && !is_up_to_date {
                self.await_events();
                is_up_to_date = true;
                continue;
            }
            is_up_to_date = false;
            let input = match next {
                Next::Tell if self.tell_batch(now) => continue,
                Next::Tell => return,
                Next::Idle => inputs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Next::Wait(time) => inputs.recv_timeout(time),
            };
            let goes_on = match input {
                Ok(input) => self.take(input),
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => false,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Waits until all that the system has told is among the inputs: on a busy machine, the thread that reads it may be
    /// late, and what belongs to the same act would be told apart.
    fn await_events(&mut self) {
        if let Ok(events) = &mut self.events {
            // A question that changes nothing. The thread takes what came first first, so events before this.
            let _ = events.configure(notify::Config::default());
        }
    }

    /// Takes an input in; false if it is the last.
    fn take(&mut self, input: Input) -> bool {
        let now = Instant::now();
        match input {
            Input::Add(files, done) => {
                for file in files.iter().filter(|file| !self.settings.ignores(file)) {
                    self.places.add(file);
                }
                self.watch_folders();
                // Who asked may have ended meanwhile.
                let _ = done.send(());
            }
            Input::Event(path, sight) => self.see(&path, sight, now),
            Input::Looked(found) => {
                for Found { path, sight } in found {
                    self.see(&path, sight, now);
                }
            }
            Input::Lost => self.burst.see_moved(now),
            Input::End => return false,
        }
        true
    }

    fn see(&mut self, path: &Path, sight: Sight, now: Instant) {
        let mut known = false;
        for file in self.places.files_at(path) {
            self.burst.see(file, sight, now);
            known = true;
        }
        if self.places.files_below(path).next().is_some() {
            // Its files may be others now, in a folder that is not watched yet.
            self.watched.retain(|folder| !folder.starts_with(path));
            self.burst.see_moved(now);
        } else if !known && sight == Sight::Written && !is_editors(path) {
            self.burst.see_strange(path, now);
        }
    }

    /// Tells what waits; false if nobody listens.
    fn tell_batch(&mut self, now: Instant) -> bool {
        let batch = self.burst.take(now);
        let mut files = batch.files;
        if batch.moved {
            // What a save in a folder that was not watched changed shows in the contents.
            files = self.places.files().cloned().collect();
        }
        // A link or a folder above may lead elsewhere now.
        let elsewhere = files.iter().filter(|file| self.places.add(file)).count();
        if batch.moved || elsewhere > 0 {
            self.watch_folders();
        }
        let strange = batch.strange.into_iter();
        files.extend(strange.filter(|file| file.is_file() && !self.settings.ignores(file)));
        files.is_empty() || (self.tell)(Seen::Saved(files))
    }

    /// Watches all folders in which something can happen to a known file, and no other.
    fn watch_folders(&mut self) {
        let wanted = self.places.folders();
        for folder in self.watched.difference(&wanted) {
            if let Ok(events) = &mut self.events {
                // It may be gone.
                let _ = events.unwatch(folder);
            }
        }
        let new: Vec<PathBuf> = wanted.difference(&self.watched).cloned().collect();
        self.watched = wanted;
        for folder in new {
            self.watch_folder(&folder);
        }
        self.polled.retain(|folder| self.watched.contains(folder));
        if let Some(poller) = &self.poller {
            poller.set(&self.polled);
        }
    }

    fn watch_folder(&mut self, folder: &Path) {
        self.locks.add(folder);
        let refused = match &mut self.events {
            Ok(events) => {
                // Another folder may have had the name.
                let _ = events.unwatch(folder);
                let watched = events.watch(folder, RecursiveMode::NonRecursive);
                watched
                    .err()
                    .filter(|_| folder.is_dir())
                    .map(|error| no_events(&error))
            }
            Err(error) => Some(error.clone()),
        };
        let remote = Remote::of(folder);
        let manner = manner::decide(folder, self.settings.poll, remote, refused.as_ref());
        if let Some(warning) = manner.warning {
            // Once for each reason, whatever the number of folders.
            let reason = format!("{refused:?} {remote:?}");
            if self.warned.insert(reason) {
                (self.tell)(Seen::Warning(warning));
            }
        }
        if let Some(interval) = manner.poll {
            self.polled.insert(folder.to_owned());
            let inputs = self.inputs.clone();
            self.poller.get_or_insert_with(|| {
                Poller::spawn(interval, move |found| {
                    inputs.send(Input::Looked(found)).is_ok()
                })
            });
        }
    }
}

/// Whether an editor keeps a file of this name beside the one that is edited.
fn is_editors(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ends = [
        "~",
        ".swp",
        ".swx",
        ".swo",
        ".bak",
        ".tmp",
        "___jb_tmp___",
        "___jb_old___",
    ];
    let begins = [".#", "#", ".goutputstream-", ".~"];
    // Vim tries under this name whether it may write in the folder.
    *name == *"4913"
        || ends.iter().any(|end| name.ends_with(end))
        || begins.iter().any(|begin| name.starts_with(begin))
}
