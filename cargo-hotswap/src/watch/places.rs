//! Where in the file system something can happen to a file: its own name, every symbolic link on
//! the way to it, and the folders above it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// As many links on one way as Linux follows.
const MOST_LINKS: usize = 40;

/// Known files and the places that decide about them. A place is a path without symbolic links,
/// as file events name it.
#[derive(Debug, Default)]
pub struct Places {
    /// Folders above this one are taken to stay where they are.
    root: PathBuf,
    known: BTreeMap<PathBuf, Way>,
    files: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    folders: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
}

/// What a path leads through.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Way {
    /// Links, and the file at the end or the first part that is missing.
    names: BTreeSet<PathBuf>,
    /// Folders below the root.
    folders: BTreeSet<PathBuf>,
}

impl Places {
    /// No files yet, in the workspace below this folder.
    pub fn new(root: &Path) -> Self {
        Self {
            root: std::fs::canonicalize(root).unwrap_or_else(|_| root.to_owned()),
            ..Self::default()
        }
    }

    /// Adds a file, or looks anew where it leads; says whether that is another place than before.
    pub fn add(&mut self, file: &Path) -> bool {
        let way = find_way(file, &self.root);
        if self.known.get(file) == Some(&way) {
            return false;
        }
        let old = self.known.insert(file.to_owned(), way.clone());
        let Way { names, folders } = old.unwrap_or_default();
        forget(&mut self.files, &names, file);
        forget(&mut self.folders, &folders, file);
        for (table, places) in [
            (&mut self.files, way.names),
            (&mut self.folders, way.folders),
        ] {
            for place in places {
                table.entry(place).or_default().insert(file.to_owned());
            }
        }
        true
    }

    /// The folders in which something can happen.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        let places = self.files.keys().chain(self.folders.keys());
        places
            .filter_map(|place| place.parent())
            .map(Path::to_owned)
            .collect()
    }

    /// The known files that this place is the name of, or a link to.
    pub fn files_at(&self, place: &Path) -> impl Iterator<Item = &PathBuf> {
        self.files.get(place).into_iter().flatten()
    }

    /// The known files below this folder.
    pub fn files_below(&self, place: &Path) -> impl Iterator<Item = &PathBuf> {
        self.folders.get(place).into_iter().flatten()
    }

    /// All known files.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.known.keys()
    }
}

fn forget(
    table: &mut BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    places: &BTreeSet<PathBuf>,
    file: &Path,
) {
    for place in places {
        if let Some(files) = table.get_mut(place) {
            files.remove(file);
            if files.is_empty() {
                table.remove(place);
            }
        }
    }
}

/// Follows a path part by part, as the kernel does.
fn find_way(file: &Path, root: &Path) -> Way {
    let mut way = Way::default();
    let mut ahead: VecDeque<OsString> = parts(file);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    while let Some(part) = ahead.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&part);
        match std::fs::symlink_metadata(&next) {
            Ok(metadata) if metadata.is_symlink() && links < MOST_LINKS => {
                links += 1;
                let target = std::fs::read_link(&next).unwrap_or_default();
                way.names.insert(next);
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                for part in parts(&target).into_iter().rev() {
                    ahead.push_front(part);
                }
            }
            Ok(metadata) if metadata.is_dir() && !ahead.is_empty() => {
                if next.starts_with(root) && next != root {
                    way.folders.insert(next.clone());
                }
                at = next;
            }
            // The file itself; or what is missing, or stands where a folder should be.
            _ => {
                way.names.insert(next);
                break;
            }
        }
    }
    way
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    use super::Places;

    fn below(folder: &Path, paths: &BTreeSet<PathBuf>) -> String {
        let names = paths.iter().map(|path| {
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
            if name.is_empty() { "." } else { name }
        });
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_way_leads_over_links_and_folders() {
        let folder = tempfile::tempdir().unwrap();
        let folder = &folder.path().canonicalize().unwrap();
        for dir in ["w/src/a", "real"] {
            std::fs::create_dir_all(folder.join(dir)).unwrap();
        }
        for file in ["w/src/a/plain.rs", "real/linked.rs"] {
            std::fs::write(folder.join(file), "").unwrap();
        }
        symlink("../../real/linked.rs", folder.join("w/src/one.rs")).unwrap();
        symlink(folder.join("real"), folder.join("w/src/all")).unwrap();
        symlink("round", folder.join("w/src/round")).unwrap();
        for (file, names, watched) in [
            ("w/src/a/plain.rs", "w/src/a/plain.rs", "w w/src w/src/a"),
            (
                "w/src/one.rs",
                "real/linked.rs w/src/one.rs",
                "real w w/src",
            ),
            (
                "w/src/all/linked.rs",
                "real/linked.rs w/src/all",
                "real w w/src",
            ),
            ("w/src/none.rs", "w/src/none.rs", "w w/src"),
            ("w/src/no/where.rs", "w/src/no", "w w/src"),
            (
                "w/src/a/../a/plain.rs",
                "w/src/a/plain.rs",
                "w w/src w/src/a",
            ),
            ("w/src/round", "w/src/round", "w w/src"),
        ] {
            let mut places = Places::new(&folder.join("w"));
            places.add(&folder.join(file));
            let found = places.files.keys().cloned().collect();
            assert_eq!(below(folder, &found), names, "{file}");
            assert_eq!(below(folder, &places.folders()), watched, "{file}");
            for name in names.split(' ') {
                assert_eq!(places.files_at(&folder.join(name)).count(), 1, "{file}");
            }
        }
    }

    #[test]
    fn a_link_that_leads_elsewhere_now_is_followed_there() {
        let folder = tempfile::tempdir().unwrap();
        let folder = &folder.path().canonicalize().unwrap();
        for dir in ["one", "two"] {
            std::fs::create_dir(folder.join(dir)).unwrap();
            std::fs::write(folder.join(dir).join("a.rs"), "").unwrap();
        }
        symlink("one", folder.join("now")).unwrap();
        let file = folder.join("now/a.rs");
        let mut places = Places::new(folder);
        assert!(places.add(&file) && !places.add(&file));
        assert_eq!(below(folder, &places.folders()), ". one");
        std::fs::remove_file(folder.join("now")).unwrap();
        symlink("two", folder.join("now")).unwrap();
        assert!(places.add(&file));
        assert_eq!(below(folder, &places.folders()), ". two");
        assert_eq!(places.files_at(&folder.join("one/a.rs")).count(), 0);
        assert_eq!(places.files_at(&folder.join("two/a.rs")).count(), 1);
        assert_eq!(places.files_below(&folder.join("two")).count(), 1);
        assert_eq!(places.files().count(), 1);
    }
}
