//! Watching the files that the compiler read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::time::SystemTime;

use anyhow::{Context, Result};
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// Watches folders and says which paths were written. Folders, not files: an editor that saves by
/// rename gives the file a new inode, which a watch on the file would lose.
#[derive(Debug)]
pub struct Watch {
    watcher: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
}

impl Watch {
    /// A watch that sends each path that was written, moved or removed, as `message(path)`.
    ///
    /// # Errors
    ///
    /// The system has no file events to give.
    pub fn new<T: Send + 'static>(
        sender: Sender<T>,
        message: impl Fn(PathBuf) -> T + Send + 'static,
    ) -> Result<Self> {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if !is_save(event.kind) {
                return;
            }
            for path in event.paths {
                // The receiver is gone when the tool ends; nothing is left to tell then.
                let _ = sender.send(message(path));
            }
        });
        let watcher = watcher.context("could not watch files")?;
        Ok(Self {
            watcher,
            folders: BTreeSet::new(),
        })
    }

    /// Adds the folders of these files to the watch.
    ///
    /// # Errors
    ///
    /// The system refuses more watches.
    pub fn add<'a>(&mut self, files: impl IntoIterator<Item = &'a Path>) -> Result<()> {
        for file in files {
            let Some(folder) = file.parent().filter(|folder| folder.is_dir()) else {
                continue;
            };
            if !self.folders.contains(folder) {
                self.watcher
                    .watch(folder, RecursiveMode::NonRecursive)
                    .with_context(|| {
                        format!(
                            "could not watch {}: if the limit is reached, raise it with `sysctl \
                         fs.inotify.max_user_watches=524288`",
                            folder.display()
                        )
                    })?;
                self.folders.insert(folder.to_owned());
            }
        }
        Ok(())
    }
}

/// Whether an event means that a file's new content stands.
fn is_save(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Modify(ModifyKind::Name(_)) => true,
        EventKind::Remove(_) => true,
        // Where the system does not say that a file was closed, a write has to do.
        EventKind::Modify(ModifyKind::Data(_)) | EventKind::Create(_) => !cfg!(target_os = "linux"),
        _ => false,
    }
}

/// The content of watched files as last compiled: a save that changes nothing is no edit, and a
/// save during a build is one.
#[derive(Debug, Default)]
pub struct Contents(BTreeMap<PathBuf, Option<u128>>);

impl Contents {
    /// Records the files as they were when the compiler began to read them, at `begun`: one that
    /// was written later counts as changed. The result is those.
    pub fn record<'a>(
        &mut self,
        files: impl IntoIterator<Item = &'a PathBuf>,
        begun: SystemTime,
    ) -> Vec<PathBuf> {
        let mut written_since = Vec::new();
        for file in files {
            let modified = std::fs::metadata(file).and_then(|metadata| metadata.modified());
            let later = modified.is_ok_and(|modified| modified > begun);
            self.0
                .insert(file.clone(), if later { None } else { digest(file) });
            if later {
                written_since.push(file.clone());
            }
        }
        written_since
    }

    /// Whether the file is known.
    pub fn knows(&self, file: &Path) -> bool {
        self.0.contains_key(file)
    }

    /// All recorded files that differ now; they are recorded anew.
    pub fn take_all_changed(&mut self) -> Vec<PathBuf> {
        let all = self.0.keys().cloned().collect();
        self.take_changed(&all)
    }

    /// Those of these files that differ from what was recorded; they are recorded anew.
    pub fn take_changed(&mut self, files: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
        let mut changed = Vec::new();
        for file in files {
            let Some(recorded) = self.0.get_mut(file) else {
                continue;
            };
            let now = digest(file);
            if now != *recorded {
                *recorded = now;
                changed.push(file.clone());
            }
        }
        changed
    }
}

fn digest(file: &Path) -> Option<u128> {
    Some(xxhash_rust::xxh3::xxh3_128(&std::fs::read(file).ok()?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::{Duration, SystemTime};

    use super::Contents;

    #[test]
    fn only_other_content_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.rs");
        let gone = folder.path().join("gone.rs");
        std::fs::write(&file, "a").unwrap();
        let both = BTreeSet::from([file.clone(), gone.clone()]);
        let mut contents = Contents::default();
        let later = SystemTime::now() + Duration::from_secs(60);
        assert!(contents.record([&file, &gone], later).is_empty());
        assert!(contents.knows(&file) && !contents.knows(folder.path()));
        std::fs::write(&file, "a").unwrap();
        assert!(contents.take_changed(&both).is_empty());
        std::fs::write(&file, "b").unwrap();
        assert_eq!(contents.take_changed(&both), std::slice::from_ref(&file));
        assert!(contents.take_changed(&both).is_empty());
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&gone, "back").unwrap();
        assert_eq!(contents.take_changed(&both), [file, gone]);
    }

    #[test]
    fn what_was_written_during_the_build_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.rs");
        std::fs::write(&file, "a").unwrap();
        let mut contents = Contents::default();
        let later = contents.record([&file], SystemTime::UNIX_EPOCH);
        assert_eq!(later, std::slice::from_ref(&file));
        assert_eq!(
            contents.take_changed(&BTreeSet::from([file.clone()])),
            [file]
        );
    }
}
