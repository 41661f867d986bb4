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
            rust_files(&member.join("src"), &mut inputs.cargo);
        }
        inputs.cargo.extend(inputs.roots.clone());
        for unit in units {
            inputs.cargo.extend(build_script_inputs(unit));
        }
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

/// The files that a package's build script asked cargo to watch.
fn build_script_inputs(unit: &Unit) -> Vec<PathBuf> {
    let Some(out_dir) = unit.capture.env.get("OUT_DIR").map(PathBuf::from) else {
        return Vec::new();
    };
    let output = std::fs::read_to_string(out_dir.with_file_name("output")).unwrap_or_default();
    let files = output.lines().filter_map(|line| {
        let line = line
            .strip_prefix("cargo::")
            .or_else(|| line.strip_prefix("cargo:"))?;
        line.strip_prefix("rerun-if-changed=")
    });
    files
        .map(|file| unit.capture.manifest_dir.join(file))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Change, Inputs};

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
}
