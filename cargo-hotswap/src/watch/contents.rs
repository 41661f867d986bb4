//! The content of watched files: a save that changes nothing is no edit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The content of watched files as last compiled: a save that changes nothing is no edit, and a
/// save during a build is one.
#[derive(Debug, Default)]
pub struct Contents(BTreeMap<PathBuf, Option<u128>>);

impl Contents {
    /// Records the files as they were when the compiler began to read them, at `begun`: one that
    /// was written later counts as changed. The result is those.
    pub fn record(&mut self, files: &[PathBuf], begun: SystemTime) -> Vec<PathBuf> {
        let mut written_since = Vec::new();
        for file in files {
            let modified = std::fs::metadata(file).and_then(|metadata| metadata.modified());
            let later = modified.is_ok_and(|modified| modified > begun);
            if later {
                written_since.push(file.clone());
            }
            self.0
                .insert(file.clone(), if later { None } else { digest(file) });
        }
        written_since
    }

    /// Whether the file is known.
    pub fn knows(&self, file: &Path) -> bool {
        self.0.contains_key(file)
    }

    /// Those of these files that differ from what was recorded.
    pub fn changed<'a>(&self, files: impl IntoIterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
        let known = files
            .into_iter()
            .filter_map(|file| self.0.get_key_value(file));
        let changed = known.filter(|(file, recorded)| digest(file) != **recorded);
        changed.map(|(file, _)| file.clone()).collect()
    }

    /// One digest of what was recorded for these files; none if one is not known.
    pub fn digest<'a>(&self, files: impl IntoIterator<Item = &'a PathBuf>) -> Option<u128> {
        let mut all = Vec::new();
        for file in files {
            all.extend(self.0.get(file).copied().flatten()?.to_le_bytes());
        }
        Some(xxhash_rust::xxh3::xxh3_128(&all))
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
        assert!(
            contents
                .record(&[file.clone(), gone.clone()], later)
                .is_empty()
        );
        assert!(contents.knows(&file) && !contents.knows(folder.path()));
        std::fs::write(&file, "a").unwrap();
        assert!(contents.take_changed(&both).is_empty());
        let digest = contents.digest([&file]);
        assert!(digest.is_some() && contents.digest([&gone]).is_none());
        std::fs::write(&file, "b").unwrap();
        // A look changes nothing.
        for _ in 0..2 {
            assert_eq!(contents.changed(&both), std::slice::from_ref(&file));
        }
        assert_eq!(contents.digest([&file]), digest);
        assert_eq!(contents.take_changed(&both), std::slice::from_ref(&file));
        assert_ne!(contents.digest([&file]), digest);
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
        let later = contents.record(std::slice::from_ref(&file), SystemTime::UNIX_EPOCH);
        assert_eq!(later, std::slice::from_ref(&file));
        assert_eq!(
            contents.take_changed(&BTreeSet::from([file.clone()])),
            [file]
        );
    }
}
