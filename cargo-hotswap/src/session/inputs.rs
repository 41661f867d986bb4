//! The files a program is made from, and what an edit of each asks for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::project::Project;
use crate::unit::Unit;

/// What has to be done about a set of edited files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Only sources that the compiler read for hot units: rustc alone will do.
    Sources,
    /// Something that only cargo understands: a manifest, a build script, a proc macro.
    Cargo,
    /// Code that can't be swapped: the program has to start again.
    Restart,
}

/// The watched files by what they mean.
#[derive(Debug, Default)]
pub struct Inputs {
    sources: BTreeSet<PathBuf>,
    cargo: BTreeSet<PathBuf>,
    outside: BTreeSet<PathBuf>,
    lock_file: BTreeSet<PathBuf>,
    /// Files whose presence alone tells cargo of a crate, whether they are there or not.
    roots: BTreeSet<PathBuf>,
    all: BTreeSet<PathBuf>,
}

impl Inputs {
    /// The inputs of a program that was built from these units.
    pub fn new(project: &Project, units: &[Unit]) -> Self {
        let mut inputs = Self::default();
        inputs
            .cargo
            .insert(project.workspace_root.join("Cargo.toml"));
        inputs
            .lock_file
            .insert(project.workspace_root.join("Cargo.lock"));
        inputs.cargo.extend(inputs.lock_file.clone());
        for member in &project.members {
            inputs.cargo.insert(member.join("Cargo.toml"));
            let roots = ["build.rs", "src/lib.rs", "src/main.rs"];
            inputs.roots.extend(roots.map(|root| member.join(root)));
            let package = units
                .iter()
                .filter(|unit| unit.capture.manifest_dir == *member);
            inputs.cargo.extend(files_for_cargo(member, package));
        }
        inputs.cargo.extend(inputs.roots.clone());
        for folder in &project.outside {
            inputs.outside.insert(folder.join("Cargo.toml"));
            rust_files(&folder.join("src"), &mut inputs.outside);
        }
        inputs.set_sources(
            units
                .iter()
                .flat_map(|unit| unit.sources.iter().cloned())
                .collect(),
        );
        inputs
    }

    /// Replaces the files that the compiler read for hot units.
    pub fn set_sources(&mut self, sources: BTreeSet<PathBuf>) {
        self.sources = sources;
        self.all = self
            .sources
            .iter()
            .chain(&self.cargo)
            .chain(&self.outside)
            .cloned()
            .collect();
    }

    /// Cargo's lock file.
    pub fn lock_file(&self) -> &BTreeSet<PathBuf> {
        &self.lock_file
    }

    /// All files.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.all.iter()
    }

    /// What the most demanding of these files asks for; `exists` tells which are still there.
    pub fn classify(&self, files: &[PathBuf], exists: impl Fn(&Path) -> bool) -> Change {
        let changes = files.iter().map(|file| {
            let is_crate_gone = || self.roots.contains(file) && !exists(file);
            if self.sources.contains(file) && !is_crate_gone() {
                Change::Sources
            } else if self.outside.contains(file) {
                Change::Restart
            } else {
                Change::Cargo
            }
        });
        changes.max().unwrap_or(Change::Sources)
    }
}

/// All Rust files below a folder.
fn rust_files(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        // Links are not followed: a link to a folder above would have no end.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.insert(path);
        }
    }
}

/// The files of a package, besides those that the compiler read for its hot units, that cargo may
/// want to know of.
fn files_for_cargo<'a>(folder: &Path, units: impl Iterator<Item = &'a Unit>) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut hot = false;
    for unit in units {
        hot = true;
        let Some(out_dir) = unit.capture.env.get("OUT_DIR").map(PathBuf::from) else {
            continue;
        };
        let said = std::fs::read_to_string(out_dir.with_file_name("output")).unwrap_or_default();
        match build_script_inputs(&said) {
            Some(files) => found.extend(files.into_iter().map(|file| folder.join(file))),
            None => rust_files(&folder.join("src"), &mut found),
        }
    }
    if !hot {
        // A procedural macro, or what a build script uses.
        rust_files(&folder.join("src"), &mut found);
    }
    found
}

/// The files that a build script asked cargo to watch, by what it said; `None` if it asked for
/// nothing, and so runs after any change in its package.
fn build_script_inputs(said: &str) -> Option<Vec<&str>> {
    let asked = said.lines().filter_map(|line| {
        let line = line
            .strip_prefix("cargo::")
            .or_else(|| line.strip_prefix("cargo:"))?;
        line.strip_prefix("rerun-if-")?.split_once('=')
    });
    let asked: Vec<(&str, &str)> = asked.collect();
    let files = asked.iter().filter(|(what, _)| *what == "changed");
    (!asked.is_empty()).then(|| files.map(|(_, file)| *file).collect())
}

#[cfg(test)]
mod tests {
    use super::{Change, Inputs, build_script_inputs};

    #[test]
    fn the_most_demanding_file_decides() {
        let mut inputs = Inputs::default();
        inputs
            .cargo
            .extend(["/w/Cargo.toml".into(), "/w/src/lib.rs".into()]);
        inputs.outside.insert("/o/src/lib.rs".into());
        inputs.roots.insert("/w/src/lib.rs".into());
        inputs.set_sources(["/w/src/lib.rs".into(), "/w/text.txt".into()].into());
        for (files, expected) in [
            (vec![], Change::Sources),
            (vec!["/w/src/lib.rs", "/w/text.txt"], Change::Sources),
            (vec!["/w/src/lib.rs", "/w/Cargo.toml"], Change::Cargo),
            (vec!["/w/Cargo.toml", "/o/src/lib.rs"], Change::Restart),
        ] {
            let files: Vec<_> = files.into_iter().map(Into::into).collect();
            assert_eq!(inputs.classify(&files, |_| true), expected);
        }
        let gone = |file: &str| inputs.classify(&[file.into()], |_| false);
        assert_eq!(gone("/w/src/lib.rs"), Change::Cargo);
        assert_eq!(gone("/w/text.txt"), Change::Sources);
        assert_eq!(inputs.files().count(), 4);
    }

    #[test]
    fn what_a_build_script_asks_for() {
        for (said, expected) in [
            ("", None),
            ("cargo:rustc-cfg=a\nrerun-if-changed=b\n", None),
            ("cargo:rerun-if-env-changed=A\n", Some(vec![])),
            (
                "x\ncargo:rerun-if-changed=a.txt\ncargo::rerun-if-changed=b\n",
                Some(vec!["a.txt", "b"]),
            ),
        ] {
            assert_eq!(build_script_inputs(said), expected, "{said:?}");
        }
    }
}
