//! Hot crates as units of compilation: their order, sources and objects.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::plugin::archive;
use crate::plugin::capture::{self, LinkCapture, UnitCapture};

pub mod dep_info;

/// Whether a unit is archived or linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitKind {
    /// A library of the workspace.
    Library,
    /// The executable's own crate.
    Executable,
}

impl std::fmt::Display for UnitKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Library => "lib",
            Self::Executable => "bin",
        })
    }
}

/// One object file of a unit.
#[derive(Debug, Clone)]
pub struct ObjectFile {
    /// Its name in the archive or folder.
    pub name: String,
    /// Its content.
    pub bytes: Arc<[u8]>,
    /// A digest of the content, by which everything derived from it is cached.
    pub digest: u128,
}

/// What tells a unit apart from build to build: cargo's suffixes change with features and
/// dependencies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitId {
    /// The package's name.
    pub package: String,
    /// The crate's name.
    pub name: String,
    /// Library or executable: a package may have both under one name.
    pub kind: UnitKind,
}

/// One hot crate of the program.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The crate's name as it stands in symbols and paths.
    pub name: String,
    /// The stem of its artefacts' names, which tells units of one crate name apart.
    pub stem: String,
    /// Library or executable.
    pub kind: UnitKind,
    /// How it is compiled.
    pub capture: Arc<UnitCapture>,
    /// Indices of the hot units it depends on directly.
    pub dependencies: Vec<usize>,
    /// The files that the compiler read for it.
    pub sources: BTreeSet<PathBuf>,
    /// The objects of its newest compilation.
    pub objects: Vec<ObjectFile>,
}

impl Unit {
    /// What tells it apart from build to build.
    pub fn id(&self) -> UnitId {
        UnitId {
            package: self.capture.package.clone(),
            name: self.name.clone(),
            kind: self.kind,
        }
    }

    /// The digests of its objects: equal sets mean equal code.
    pub fn digests(&self) -> BTreeSet<u128> {
        self.objects.iter().map(|object| object.digest).collect()
    }
}

/// Reads the hot units of an executable, dependencies first.
///
/// # Errors
///
/// Captures are missing or of another version, or an artefact can't be read.
pub fn load(link: &LinkCapture) -> Result<Vec<Unit>> {
    let mut units = Vec::new();
    for library in &link.hot_libraries {
        let capture: UnitCapture = capture::load(&library.capture)?;
        let objects = library_objects(&library.archive)?;
        units.push(unit(capture, UnitKind::Library, objects)?);
    }
    let stem = link
        .output
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let folder = link.output.parent().unwrap_or(Path::new("."));
    let capture: UnitCapture = capture::load(&capture::unit_path(folder, &stem))?;
    units.push(unit(
        capture,
        UnitKind::Executable,
        read_objects(&link.objects)?,
    )?);
    in_dependency_order(units)
}

fn unit(capture: UnitCapture, kind: UnitKind, objects: Vec<ObjectFile>) -> Result<Unit> {
    let args = capture.rustc_args();
    let name = args
        .crate_name()
        .context("a capture has no crate name")?
        .to_owned();
    let stem = args.file_stem().unwrap_or_else(|| name.clone());
    let mut unit = Unit {
        name,
        stem,
        kind,
        capture: Arc::new(capture),
        dependencies: Vec::new(),
        sources: BTreeSet::new(),
        objects,
    };
    let info = unit.capture.out_dir.join(format!("{}.d", unit.stem));
    unit.sources = dep_info::read(&info, &unit.capture.cwd)?;
    Ok(unit)
}

/// The dependencies of each unit.
pub fn dependencies(units: &[Unit]) -> Vec<Vec<usize>> {
    units.iter().map(|unit| unit.dependencies.clone()).collect()
}

/// Sorts units so that each stands behind those it depends on, and links them up.
fn in_dependency_order(mut units: Vec<Unit>) -> Result<Vec<Unit>> {
    let mut ordered: Vec<Unit> = Vec::with_capacity(units.len());
    while !units.is_empty() {
        let stems: Vec<String> = units.iter().map(|unit| unit.stem.clone()).collect();
        let ready = units.iter().position(|unit| {
            extern_stems(unit)
                .iter()
                .all(|stem| *stem == unit.stem || !stems.contains(stem))
        });
        let Some(ready) = ready else {
            bail!("the captured crates depend on each other in a circle")
        };
        let mut unit = units.remove(ready);
        let externs = extern_stems(&unit);
        unit.dependencies = (0..ordered.len())
            .filter(|&index| externs.contains(&ordered[index].stem))
            .collect();
        ordered.push(unit);
    }
    Ok(ordered)
}

fn extern_stems(unit: &Unit) -> Vec<String> {
    let args = unit.capture.rustc_args();
    let stems = args.externs().filter_map(|(_, path)| {
        let stem = Path::new(path).file_stem()?.to_str()?;
        Some(stem.strip_prefix("lib").unwrap_or(stem).to_owned())
    });
    stems.collect()
}

/// Reads the objects in an rlib.
///
/// # Errors
///
/// The file can't be read or is no archive.
pub fn library_objects(path: &Path) -> Result<Vec<ObjectFile>> {
    let bytes =
        std::fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    let members = archive::members(path, &bytes)?;
    let objects = members.rust.into_iter().map(|member| {
        let bytes: Arc<[u8]> = bytes[member.range].into();
        ObjectFile {
            name: member.name,
            digest: digest(&bytes),
            bytes,
        }
    });
    Ok(objects.collect())
}

/// Reads object files.
///
/// # Errors
///
/// A file can't be read.
pub fn read_objects(paths: &[PathBuf]) -> Result<Vec<ObjectFile>> {
    let objects = paths.iter().map(|path| {
        let name = path.file_name().unwrap_or_default();
        object(name.to_string_lossy().into_owned(), path)
    });
    objects.collect()
}

/// Reads an object file, which may have another name than the object.
///
/// # Errors
///
/// It can't be read.
pub fn object(name: String, path: &Path) -> Result<ObjectFile> {
    let bytes: Arc<[u8]> = std::fs::read(path)
        .with_context(|| format!("could not read {}", path.display()))?
        .into();
    Ok(ObjectFile {
        name,
        digest: digest(&bytes),
        bytes,
    })
}

fn digest(bytes: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(bytes)
}
