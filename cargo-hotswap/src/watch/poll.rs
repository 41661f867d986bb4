//! Looking at folders again and again, where the system sends no events.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::burst::Sight;

/// The usual time between two looks.
pub const INTERVAL: Duration = Duration::from_millis(250);

/// Looking may take this part of the time, however many files there are.
const MOST_OF_TIME: u32 = 10;

/// What tells one content of a file from another, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stamp {
    /// Device and inode, time of the last change in nanoseconds, length.
    File(u64, u64, i64, i64, u64),
    /// A folder's content is looked at by itself.
    Folder(u64, u64),
}

/// Something that a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The path in the folder that was looked at.
    pub path: PathBuf,
    /// What happened to it.
    pub sight: Sight,
}

/// The folders to be looked at, and what was in them the last time.
#[derive(Debug, Default)]
pub struct Folders(BTreeMap<PathBuf, BTreeMap<PathBuf, Stamp>>);

impl Folders {
    /// Takes a folder in as it is now.
    pub fn add(&mut self, folder: &Path) {
        self.0.insert(folder.to_owned(), stamps(folder));
    }

    /// Forgets all folders but these.
    pub fn keep(&mut self, folders: &BTreeSet<PathBuf>) {
        self.0.retain(|folder, _| folders.contains(folder));
    }

    /// What changed since the last look.
    pub fn look(&mut self) -> Vec<Found> {
        let mut found = Vec::new();
        for (folder, old) in &mut self.0 {
            let new = stamps(folder);
            let differs = |path: &&PathBuf| old.get(*path) != new.get(*path);
            let paths: BTreeSet<&PathBuf> = old.keys().chain(new.keys()).collect();
            for path in paths.into_iter().filter(differs) {
                let sight = match new.contains_key(path) {
                    true => Sight::Written,
                    false => Sight::Gone,
                };
                let path = path.clone();
                found.push(Found { path, sight });
            }
            *old = new;
        }
        found
    }
}

fn stamps(folder: &Path) -> BTreeMap<PathBuf, Stamp> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let stamped = entries.filter_map(|entry| {
        let path = entry.path();
        let kind = entry.file_type().ok()?;
        // A network file system answers for a file that was looked at lately without asking the
        // server; opening it makes it ask. A pipe must not be opened, and a link is its target's.
        let metadata = match kind.is_file() {
            true => std::fs::File::open(&path).and_then(|file| file.metadata()),
            false => std::fs::symlink_metadata(&path),
        };
        Some((path, stamp(&metadata.ok()?)))
    });
    stamped.collect()
}

fn stamp(metadata: &std::fs::Metadata) -> Stamp {
    let (device, inode) = (metadata.dev(), metadata.ino());
    if metadata.is_dir() {
        return Stamp::Folder(device, inode);
    }
    let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
    Stamp::File(device, inode, seconds, nanoseconds, metadata.len())
}

/// Looks at folders from a thread of its own.
#[derive(Debug)]
pub struct Poller(Arc<Mutex<Folders>>);

impl Poller {
    /// Looks every `interval`, until `tell` says that nobody listens.
    pub fn spawn(interval: Duration, tell: impl Fn(Vec<Found>) -> bool + Send + 'static) -> Self {
        let folders = Arc::new(Mutex::new(Folders::default()));
        let shared = Arc::downgrade(&folders);
        std::thread::spawn(move || {
            let mut pause = interval;
            loop {
                std::thread::sleep(pause);
                let Some(folders) = shared.upgrade() else {
                    return;
                };
                let begun = Instant::now();
                let found = lock(&folders).look();
                pause = interval.max(begun.elapsed() * MOST_OF_TIME);
                if !found.is_empty() && !tell(found) {
                    return;
                }
            }
        });
        Self(folders)
    }

    /// Looks at these folders from now on, and at no other.
    pub fn set(&self, wanted: &BTreeSet<PathBuf>) {
        let mut folders = lock(&self.0);
        folders.keep(wanted);
        for folder in wanted {
            if !folders.0.contains_key(folder) {
                folders.add(folder);
            }
        }
    }
}

/// A look that panicked leaves what the one before found.
fn lock(folders: &Mutex<Folders>) -> std::sync::MutexGuard<'_, Folders> {
    folders.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    use super::{Folders, Sight};

    fn look(folders: &mut Folders, root: &Path) -> Vec<String> {
        let found = folders.look().into_iter().map(|found| {
            let name = found.path.strip_prefix(root).unwrap().display().to_string();
            let sign = if found.sight == Sight::Gone { '-' } else { '+' };
            format!("{sign}{name}")
        });
        found.collect()
    }

    #[test]
    fn a_look_finds_what_changed_since_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for file in ["a", "b", "c"] {
            std::fs::write(root.join(file), "1").unwrap();
        }
        std::fs::create_dir(root.join("d")).unwrap();
        let mut folders = Folders::default();
        folders.add(root);
        assert!(folders.look().is_empty());
        std::fs::write(root.join("a"), "12").unwrap();
        std::fs::remove_file(root.join("b")).unwrap();
        std::fs::write(root.join("new"), "1").unwrap();
        // What stands in a folder below is no change of the folder.
        std::fs::write(root.join("d/file"), "1").unwrap();
        assert_eq!(look(&mut folders, root), ["+a", "-b", "+new"]);
        assert!(folders.look().is_empty());
        // The same length, and only the time tells.
        let later = SystemTime::now() + Duration::from_secs(5);
        let file = std::fs::File::options()
            .write(true)
            .open(root.join("c"))
            .unwrap();
        file.set_modified(later).unwrap();
        assert_eq!(look(&mut folders, root), ["+c"]);
        // Another file of the same name, length and time.
        std::fs::write(root.join("c2"), "1").unwrap();
        let file = std::fs::File::options()
            .write(true)
            .open(root.join("c2"))
            .unwrap();
        file.set_modified(later).unwrap();
        std::fs::rename(root.join("c2"), root.join("c")).unwrap();
        assert_eq!(look(&mut folders, root), ["+c"]);
        std::fs::rename(root.join("d"), root.join("e")).unwrap();
        std::fs::create_dir(root.join("d")).unwrap();
        assert_eq!(look(&mut folders, root), ["+d", "+e"]);
        folders.keep(&std::collections::BTreeSet::new());
        std::fs::write(root.join("a"), "123").unwrap();
        assert!(folders.look().is_empty());
    }
}
