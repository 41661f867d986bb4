//! A build by cargo together with the plugin's records of it.
//!
//! Records can be missing: an artefact that a compiler cache gave, one that another version of
//! this tool left, a file that was removed. What has no record is built once more, and so is what is
//! optimised for edits and shall be for speed: cargo does not know the difference.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cargo::environment::{self, Surroundings};
use crate::cargo::{self, UsedPackage};
use crate::plugin::capture::{self, LinkCapture, UnitCapture};
use crate::project::Project;
use crate::selection::Selection;
use crate::unit::{self, Unit};

/// How a build ended.
#[derive(Debug)]
pub enum Build {
    /// The executable stands, and all about it is known.
    Done(Box<Built>),
    /// The compiler, a build script or cargo said no.
    Failed {
        /// What they said, in rendered form, as far as it is not on stderr already.
        errors: Vec<String>,
        /// The signal by which somebody interrupted cargo.
        signal: Option<i32>,
    },
}

/// An executable and its records.
#[derive(Debug)]
pub struct Built {
    /// Where cargo put it.
    pub executable: PathBuf,
    /// The compiler's warnings in rendered form, as far as they are not on stderr already.
    pub warnings: Vec<String>,
    /// The packages whose libraries are in it.
    pub packages: Vec<UsedPackage>,
    /// What surrounds the program when it runs.
    pub surroundings: Surroundings,
    /// Its hot units, dependencies first.
    pub units: Vec<Unit>,
    /// Its link.
    pub link: LinkCapture,
}

/// Builds the project's executable and reads the records; cargo tells on stderr what it does.
///
/// # Errors
///
/// Cargo can't be run, or there are no records although everything was built anew.
pub fn build(project: &Project, selection: &Selection) -> Result<Build> {
    build_with(project, selection, cargo::build)
}

/// The same while a program has the terminal: cargo writes nothing.
///
/// # Errors
///
/// As for [`build`].
pub fn build_unseen(project: &Project, selection: &Selection) -> Result<Build> {
    build_with(project, selection, cargo::build_unseen)
}

fn build_with(
    project: &Project,
    selection: &Selection,
    build: fn(&Project, &Selection) -> Result<cargo::Outcome>,
) -> Result<Build> {
    for last in [false, true] {
        let products = match build(project, selection)? {
            cargo::Outcome::Failed { errors, signal } => {
                return Ok(Build::Failed { errors, signal });
            }
            cargo::Outcome::Built(products) => products,
        };
        let executable = &products.executable;
        match read(executable, project, selection.for_base) {
            Ok((units, link)) => {
                let compiled_with = units.last().map(|unit| &unit.capture.env);
                let compiled_with = compiled_with.cloned().unwrap_or_default();
                let surroundings = environment::of_program(
                    &products,
                    &compiled_with,
                    &link.cold_libraries,
                    selection,
                )?;
                return Ok(Build::Done(Box::new(Built {
                    executable: products.executable,
                    warnings: products.warnings,
                    packages: products.packages,
                    surroundings,
                    units,
                    link,
                })));
            }
            Err(Unread::Artefacts(artefacts)) if !last => forget(&artefacts)?,
            Err(Unread::Artefacts(artefacts)) => {
                let first = artefacts.first().unwrap_or(executable);
                bail!(
                    "{} was built without hotswap's record of it, twice: something replaces \
                     cargo's compiler wrapper or linker setting",
                    first.display()
                );
            }
            Err(Unread::Other(error)) => return Err(error),
        }
    }
    bail!("the build has no records")
}

/// Why records could not be read.
enum Unread {
    /// These artefacts have none that can be used.
    Artefacts(Vec<PathBuf>),
    /// Something else.
    Other(anyhow::Error),
}

fn read(
    executable: &Path,
    project: &Project,
    for_base: bool,
) -> Result<(Vec<Unit>, LinkCapture), Unread> {
    let linked = linked_names(executable);
    let found = linked
        .iter()
        .find_map(|output| capture::load::<LinkCapture>(&capture::link_path(output)).ok());
    let Some(link) = found else {
        return Err(Unread::Artefacts(linked));
    };
    let without = without_record(&link, project, for_base);
    if !without.is_empty() {
        return Err(Unread::Artefacts(without));
    }
    let units = unit::load(&link).context("the records of the build are incomplete");
    Ok((units.map_err(Unread::Other)?, link))
}

/// The names under which rustc wrote this executable: cargo gives it a second one, so the file's
/// identity or, where cargo had to copy it, its content tells.
fn linked_names(executable: &Path) -> Vec<PathBuf> {
    let name = executable.file_name().unwrap_or_default();
    let name = name.to_string_lossy().replace('-', "_");
    let folder = executable.parent().unwrap_or(Path::new("."));
    let mut names = Vec::new();
    for folder in [folder.join("deps"), folder.to_owned()] {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let file = entry.file_name().to_string_lossy().replace('-', "_");
            if file.starts_with(&name)
                && path.extension().is_none()
                && path.is_file()
                && same_content(executable, &path)
            {
                names.push(path);
            }
        }
    }
    names
}

/// The workspace's artefacts in a link that have no record, one of another version, or one of a compilation that
/// was not as it shall be.
fn without_record(link: &LinkCapture, project: &Project, for_base: bool) -> Vec<PathBuf> {
    let fits = |unit: UnitCapture| {
        let line = unit.rustc_args();
        !for_base || !line.may_be_one_unit() || line.codegen("link-dead-code").is_none()
    };
    let unusable = |path: &Path| !capture::load(path).is_ok_and(fits);
    let mut without: Vec<PathBuf> = link
        .hot_libraries
        .iter()
        .filter(|library| unusable(&library.capture))
        .map(|library| library.archive.clone())
        .collect();
    let cold = link.cold_libraries.iter().filter(|library| {
        library.starts_with(&project.target_directory)
            && project
                .crates
                .iter()
                .any(|name| *name == crate_name(library))
    });
    without.extend(cold.cloned());
    let stem = link.output.file_name().unwrap_or_default();
    let folder = link.output.parent().unwrap_or(Path::new("."));
    if unusable(&capture::unit_path(folder, &stem.to_string_lossy())) {
        without.push(link.output.clone());
    }
    without
}

/// Has cargo forget that it built these artefacts, so that it builds them again: its fingerprints
/// carry the same suffix.
fn forget(artefacts: &[PathBuf]) -> Result<()> {
    for artefact in artefacts {
        let stem = artefact.file_stem().unwrap_or_default().to_string_lossy();
        let Some((_, suffix)) = stem.rsplit_once('-') else {
            continue;
        };
        let folder = artefact.parent().and_then(Path::parent);
        let fingerprints = folder.unwrap_or(Path::new(".")).join(".fingerprint");
        for entry in std::fs::read_dir(&fingerprints)
            .into_iter()
            .flatten()
            .flatten()
        {
            if entry.file_name().to_string_lossy().ends_with(suffix) {
                std::fs::remove_dir_all(entry.path())
                    .with_context(|| format!("could not remove {}", entry.path().display()))?;
            }
        }
    }
    Ok(())
}

/// The crate in `libNAME-HASH.rlib`.
pub fn crate_name(library: &Path) -> &str {
    let stem = library.file_stem().and_then(|stem| stem.to_str());
    let stem = stem.unwrap_or_default();
    let name = stem.strip_prefix("lib").unwrap_or(stem);
    name.rsplit_once('-').map_or(name, |(name, _)| name)
}

/// Whether two paths lead to the same file, or to files of the same content.
fn same_content(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(a), Ok(b)) = (one.metadata(), other.metadata()) else {
        return false;
    };
    if (a.dev(), a.ino()) == (b.dev(), b.ino()) {
        return true;
    }
    a.len() == b.len()
        && matches!((std::fs::read(one), std::fs::read(other)), (Ok(a), Ok(b)) if a == b)
}
