//! The locks of version control systems: while one is held, files change many at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A lock under which nothing changes for so long is somebody's who waits (an editor for the
/// message of a commit) or died.
const IDLE: Duration = Duration::from_secs(3);

/// Which file a lock is, so that a new one of the same name is told from it.
type Identity = (u64, i64, i64);

/// The places where locks of the repositories around a project would be.
#[derive(Debug, Default)]
pub struct Locks {
    files: BTreeSet<PathBuf>,
    looked_in: BTreeSet<PathBuf>,
    idle: BTreeMap<PathBuf, Identity>,
}

impl Locks {
    /// Looks for repositories that this folder lies in.
    pub fn add(&mut self, folder: &Path) {
        for above in folder.ancestors() {
            if !self.looked_in.insert(above.to_owned()) {
                return;
            }
            self.files
                .extend(git_folder(above).map(|git| git.join("index.lock")));
            for (sign, lock) in [
                (".hg", ".hg/wlock"),
                (".jj", ".jj/working_copy/working_copy.lock"),
            ] {
                if above.join(sign).is_dir() {
                    self.files.insert(above.join(lock));
                }
            }
        }
    }

    /// Whether a lock is held under which files change: at `now`, the last change was at `last`.
    pub fn held(&mut self, last: Instant, now: Instant) -> bool {
        let mut held = false;
        for file in &self.files {
            // Not followed: Mercurial's lock is a link to nowhere.
            let Ok(metadata) = std::fs::symlink_metadata(file) else {
                continue;
            };
            let identity = (metadata.ino(), metadata.mtime(), metadata.mtime_nsec());
            if now >= last + IDLE {
                self.idle.insert(file.clone(), identity);
            }
            held |= self.idle.get(file) != Some(&identity);
        }
        held
    }
}

/// Git's own folder if a working tree has its root here. In linked working trees and submodules
/// `.git` is a file that names it.
fn git_folder(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let text = std::fs::read_to_string(&git).ok()?;
    Some(root.join(text.trim().strip_prefix("gitdir: ")?))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use super::{IDLE, Locks};

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }

    #[test]
    fn finds_the_locks_of_all_kinds() {
        for (what, sign, lock) in [
            ("git", "w/.git/HEAD", "w/.git/index.lock"),
            ("mercurial", "w/.hg/store", "w/.hg/wlock"),
            (
                "jujutsu",
                "w/.jj/working_copy/type",
                "w/.jj/working_copy/working_copy.lock",
            ),
            (
                "a linked working tree",
                "main/.git/worktrees/w/HEAD",
                "main/.git/worktrees/w/index.lock",
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let source = folder.path().join("w/src");
            std::fs::create_dir_all(&source).unwrap();
            touch(&folder.path().join(sign));
            if sign.starts_with("main") {
                let link = folder.path().join("w/.git");
                std::fs::write(link, "gitdir: ../main/.git/worktrees/w\n").unwrap();
            }
            let mut locks = Locks::default();
            locks.add(&source);
            let now = Instant::now();
            assert!(!locks.held(now, now), "{what}");
            touch(&folder.path().join(lock));
            assert!(locks.held(now, now), "{what}");
            std::fs::remove_file(folder.path().join(lock)).unwrap();
            assert!(!locks.held(now, now), "{what}");
        }
    }

    #[test]
    fn a_lock_under_which_nothing_happens_holds_nothing_up() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join(".git/index.lock");
        touch(&lock);
        let mut locks = Locks::default();
        locks.add(folder.path());
        let (last, later) = (Instant::now(), Instant::now() + IDLE * 2);
        assert!(locks.held(last, last));
        assert!(!locks.held(last, later));
        // The next save does not wait for it again; a lock that is taken anew counts.
        assert!(!locks.held(later, later));
        let other = folder.path().join("other");
        touch(&other);
        std::fs::rename(&other, &lock).unwrap();
        assert!(locks.held(later, later));
    }
}
