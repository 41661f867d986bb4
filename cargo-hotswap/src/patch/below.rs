//! The patches that the next one lies on, and what is kept of each in the target folder so that the next one can be
//! compared with it.
//!
//! What a patch was compiled to is brought about again in the engine that makes the next one, from there on as in a
//! session of edits. That it comes to the very manifest that is in the patch's file, checksums of images included,
//! shows that nothing is taken for the patch that is another.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use hotswap_protocol::manifest::Manifest;
use hotswap_protocol::patch::{Digest, Patch};
use serde::{Deserialize, Serialize};

use super::build;
use super::file;
use crate::base::Base;
use crate::engine::Engine;
use crate::engine::earlier::{Made, Said};
use crate::events::Event;
use crate::session::folder::PARENT;
use crate::unit::{self, Unit};

/// The number of the form of what is kept.
const FORMAT: u32 = 1;

/// Where it is kept, below the folder of runs.
const FOLDER: &str = "patches";

/// The file that tells what the others are.
const RECORD: &str = "record.json";

/// What is kept of a patch.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: u32,
    /// The crates that are not as in the base or a patch below.
    units: Vec<KeptUnit>,
    /// What the files said that are not as in the base or a patch below; nothing, if they were gone or no text.
    said: BTreeMap<PathBuf, String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptUnit {
    stem: String,
    sources: BTreeSet<PathBuf>,
    /// Names of objects. They lie beside the record, by number.
    objects: Vec<String>,
}

/// A patch below the next one.
#[derive(Debug)]
pub(super) struct Below {
    file: PathBuf,
    pub(super) digest: Digest,
    /// That of the sources that it was made from.
    sources: Digest,
    manifest: Manifest,
    made: Vec<Made>,
    /// The stems of the crates that it was compiled to.
    stems: BTreeSet<String>,
    said: Said,
}

impl Below {
    /// Its files that said something else than in the base.
    pub(super) fn edited(&self) -> impl Iterator<Item = &PathBuf> {
        self.said.keys()
    }
}

/// Reads patches of this base, the oldest first.
///
/// # Errors
///
/// One of them is none of this base's, does not lie on those before it, or was built elsewhere.
pub(super) fn read(base: &Base, patches: &[build::On]) -> Result<Vec<Below>> {
    let mut all: Vec<Below> = Vec::new();
    for build::On { path, bytes } in patches {
        let (_, contents) = file::read(path, bytes)?;
        let digests: Vec<Digest> = all.iter().map(|below| below.digest).collect();
        check(path, &contents.patch, base, &digests)?;
        let folder = folder_of(base, contents.digest);
        let (made, said) = kept(&folder).with_context(|| {
            format!(
                "nothing can be built on {}\n  \
                 = why: the next patch is compared with what that one was compiled to, which is kept in {}\n  \
                 = help: build both with the same target folder",
                path.display(),
                folder.display()
            )
        })?;
        all.push(Below {
            file: path.clone(),
            digest: contents.digest,
            sources: contents.patch.provenance.sources,
            manifest: contents.patch.manifest,
            stems: made.iter().map(|one| one.stem.clone()).collect(),
            made,
            said,
        });
    }
    Ok(all)
}

/// Whether a patch is one of this base's, and lies on these.
fn check(path: &Path, patch: &Patch, base: &Base, below: &[Digest]) -> Result<()> {
    ensure!(
        patch.base.build_id == base.build_id,
        "{} is a patch for build {} of {}, the base is build {}\n  \
         = help: give `--on` patches that were built from this base",
        path.display(),
        patch.base.build_id,
        patch.base.name,
        base.build_id
    );
    ensure!(
        patch.below == below,
        "{} lies on {}, and before it stand {}\n  \
         = help: give `--on` once for each patch that shall be applied already, the oldest first",
        path.display(),
        shown(&patch.below),
        shown(below)
    );
    Ok(())
}

fn shown(patches: &[Digest]) -> String {
    match patches.is_empty() {
        true => "no patches".to_owned(),
        false => patches
            .iter()
            .map(Digest::short)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// Has an engine go through these patches, so that it compares what comes next with each of them.
///
/// # Errors
///
/// One of them comes to something else than it did.
pub(super) fn bring_about(all: &mut [Below], engine: &mut Engine) -> Result<()> {
    for below in all {
        engine.set_mark(&build::mark(below.sources));
        let made = std::mem::take(&mut below.made);
        let event = engine.update_from_earlier(made, &below.said)?;
        let mut manifest = match (&event, engine.take_manifest()) {
            (Event::Swapped { .. }, Some(manifest)) => manifest,
            _ => bail!("{} can't be made again: {event:?}", below.file.display()),
        };
        build::take_images(&mut manifest)?;
        ensure!(
            manifest == below.manifest,
            "{} can't be built on: made again it is another\n  \
             = why: another linker, or another version of cargo-hotswap, has built it\n  \
             = help: build it anew with this one",
            below.file.display()
        );
    }
    Ok(())
}

/// Where what was kept of patches is in a target folder.
pub fn folder(target: &Path) -> PathBuf {
    target.join(PARENT).join(FOLDER)
}

fn folder_of(base: &Base, digest: Digest) -> PathBuf {
    folder(&base.target_directory).join(digest.to_string())
}

/// Keeps what a patch was compiled to, and what the files said that are not as in the base, or not as in a patch below:
/// an edit that was taken back is none since the base, but one since that patch.
///
/// # Errors
///
/// The target folder can't be written.
pub(super) fn keep(
    base: &Base,
    digest: Digest,
    units: &[Unit],
    below: &[Below],
    edited: &[PathBuf],
) -> Result<()> {
    let folder = folder_of(base, digest);
    if folder.exists() {
        return Ok(());
    }
    let context = || {
        format!(
            "could not keep what the patch was made from in {}",
            folder.display()
        )
    };
    let parent = folder.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).with_context(context)?;
    let begun = tempfile::tempdir_in(parent).with_context(context)?;
    let is_below = |unit: &Unit| below.iter().any(|below| below.stems.contains(&unit.stem));
    let units = units.iter();
    let units: Vec<&Unit> = units
        .filter(|unit| base.differs(unit) || is_below(unit))
        .collect();
    let objects = units.iter().flat_map(|unit| &unit.objects);
    for (number, object) in objects.enumerate() {
        fs::write(begun.path().join(number.to_string()), &object.bytes).with_context(context)?;
    }
    let added = units.iter().flat_map(|unit| &unit.sources);
    let added = added.filter(|file| !base.sources.contains_key(*file));
    let said = edited.iter().chain(added).map(|file| {
        let text = fs::read_to_string(file).unwrap_or_default();
        (file.clone(), text)
    });
    let record = Record {
        format: FORMAT,
        said: said.collect(),
        units: units.into_iter().map(kept_unit).collect(),
    };
    fs::write(begun.path().join(RECORD), serde_json::to_vec(&record)?).with_context(context)?;
    // Somebody else may have done the same meanwhile.
    match fs::rename(begun.path(), &folder) {
        Err(_) if folder.exists() => Ok(()),
        renamed => renamed.with_context(context),
    }
}

fn kept_unit(unit: &Unit) -> KeptUnit {
    KeptUnit {
        stem: unit.stem.clone(),
        sources: unit.sources.clone(),
        objects: unit.objects.iter().map(|it| it.name.clone()).collect(),
    }
}

fn kept(folder: &Path) -> Result<(Vec<Made>, Said)> {
    let path = folder.join(RECORD);
    let text = fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
    let record: Record = serde_json::from_slice(&text)?;
    ensure!(record.format == FORMAT, "it has another form");
    let mut next = 0..;
    let made = record.units.into_iter().map(|unit| {
        let names = unit.objects.into_iter().zip(&mut next);
        let objects =
            names.map(|(name, number)| unit::object(name, &folder.join(number.to_string())));
        Ok(Made {
            stem: unit.stem,
            sources: unit.sources,
            objects: objects.collect::<Result<_>>()?,
        })
    });
    let said = record
        .said
        .into_iter()
        .map(|(file, text)| (file, text.into_bytes()));
    Ok((made.collect::<Result<_>>()?, said.collect()))
}
