//! The folder of one run: replayed artefacts, images, and the executable under a second name.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::keep::keep;

/// Where the folders of all runs are, below the target folder.
pub const PARENT: &str = "hotswap";

/// The file in it that a living tool holds locked. A process id says less: it may be another
/// process's by now, or one of another container that shares the target folder.
const LOCK: &str = "lock";

/// A folder below the target folder that is removed when the run ends. Each run has its own, so
/// that two programs in one target folder don't disturb each other.
#[derive(Debug)]
pub struct RunFolder {
    folder: TempDir,
    _lock: File,
}

impl RunFolder {
    /// Makes a fresh folder.
    ///
    /// # Errors
    ///
    /// The target folder can't be written.
    pub fn new(target_directory: &Path) -> Result<Self> {
        let parent = target_directory.join(PARENT);
        let context = || format!("could not make a folder in {}", parent.display());
        std::fs::create_dir_all(&parent).with_context(context)?;
        for run in runs(&parent).into_iter().filter(|run| !run.lives) {
            // Another tool may be removing it, too.
            let _ = std::fs::remove_dir_all(run.folder);
        }
        let prefix = format!("run-{}-", std::process::id());
        let folder = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(std::fs::canonicalize(&parent).with_context(context)?)
            .with_context(context)?;
        let lock = locked(folder.path()).with_context(context)?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Gives a file a name in the folder under which its content stays, whatever cargo does.
    ///
    /// # Errors
    ///
    /// The file can be neither linked nor copied.
    pub fn keep(&self, file: &Path) -> Result<PathBuf> {
        let kept = self.folder.path().join("host");
        keep(file, &kept)?;
        Ok(kept)
    }
}

/// Makes the lock of a folder, and takes it before it has its name: another tool that begins at this
/// moment would find it free, and take the folder for one that was left.
fn locked(folder: &Path) -> io::Result<File> {
    let unnamed = folder.join("lock-new");
    let lock = File::create(&unnamed)?;
    // A file system without locks leaves the process id to tell.
    let _ = lock.try_lock();
    std::fs::rename(unnamed, folder.join(LOCK))?;
    Ok(lock)
}

/// The folder of a run, of this tool or another.
#[derive(Debug)]
pub struct Run {
    /// The folder.
    pub folder: PathBuf,
    /// Whether its tool still runs.
    pub lives: bool,
}

/// The runs that have, or left, a folder in this one.
pub fn runs(parent: &Path) -> Vec<Run> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let found = entries.filter_map(|entry| {
        let name = entry.file_name();
        let pid = name.to_str()?.strip_prefix("run-")?.split('-').next()?;
        let is_pid = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
        let folder = entry.path();
        is_pid.then(|| Run {
            lives: lives(&folder, pid),
            folder,
        })
    });
    found.collect()
}

fn lives(folder: &Path, pid: &str) -> bool {
    match File::open(folder.join(LOCK)).map(|lock| lock.try_lock()) {
        Ok(Ok(())) => false,
        Ok(Err(TryLockError::WouldBlock)) => true,
        // It is being made just now, or this file system has no locks.
        _ => Path::new("/proc").join(pid).exists(),
    }
}

#[cfg(test)]
mod tests {
    use super::{LOCK, PARENT, RunFolder, runs};

    #[test]
    fn what_lives_is_told_from_what_is_left() {
        let target = tempfile::tempdir().unwrap();
        let parent = target.path().join(PARENT);
        let own = RunFolder::new(target.path()).unwrap();
        // Its number is that of a process that lives, but nobody holds the lock.
        let left = parent.join(format!("run-{}-left", std::process::id()));
        // Without a lock the number decides; no process has one so high.
        let old = parent.join("run-4294967295-old");
        let beginning = parent.join(format!("run-{}-new", std::process::id()));
        for folder in [
            &left,
            &old,
            &beginning,
            &parent.join("run-x-y"),
            &parent.join("other"),
        ] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(left.join("lock"), "").unwrap();
        let mut found: Vec<_> = runs(&parent)
            .into_iter()
            .map(|run| (run.folder, run.lives))
            .collect();
        let mut expected = vec![
            (own.path().canonicalize().unwrap(), true),
            (left.clone(), false),
            (old.clone(), false),
            (beginning.clone(), true),
        ];
        for (folder, _) in found.iter_mut().chain(&mut expected) {
            *folder = folder.canonicalize().unwrap();
        }
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        let second = RunFolder::new(target.path()).unwrap();
        assert!(own.path().exists() && second.path().exists() && beginning.exists());
        assert!(!left.exists() && !old.exists());
        let gone = own.path();
        drop(own);
        assert!(!gone.exists());
    }
    #[test]
    fn who_begins_at_the_same_time_keeps_its_folder() {
        let target = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let own = RunFolder::new(target.path()).unwrap();
                        // Who begins after it asks for it, too.
                        drop(RunFolder::new(target.path()).unwrap());
                        assert!(own.path().join(LOCK).exists());
                    }
                });
            }
        });
    }
}
