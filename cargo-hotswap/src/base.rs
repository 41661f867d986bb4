//! The base of patches: an executable as it was built, written down beside it as `NAME.hotswap`.
//!
//! The file names what patches are built from, with digests: the executable and the plugin's records in
//! cargo's target folder, which must stay as they are, and the sources, which are edited.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::patch::Digest;
use serde::{Deserialize, Serialize};

use crate::children;
use crate::host::Host;
use crate::plugin::capture::{self, LinkCapture};
use crate::project::Project;
use crate::session::inputs::{Change, Inputs};
use crate::unit::{self, Unit};
use crate::whole;

pub mod build;
pub mod compare;

/// The number of this form; another is refused.
pub const FORMAT: u32 = 2;

/// What stands in a base file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// [`FORMAT`].
    pub format: u32,
    /// The name of the executable.
    pub name: String,
    /// Its build id, by which patches name it.
    pub build_id: BuildId,
    /// The profile that it was built with.
    pub profile: String,
    /// The compiler, as it tells its version at length.
    pub toolchain: String,
    /// The folder of the workspace.
    pub workspace: PathBuf,
    /// Cargo's target folder, where patches are built, too.
    pub target_directory: PathBuf,
    /// The executable, under the name that a later build by plain cargo does not take.
    pub executable: PathBuf,
    /// The record of its link, which leads to all others.
    pub link: PathBuf,
    /// Digests of files that must be as they were.
    pub records: BTreeMap<PathBuf, Digest>,
    /// Digests of the objects of each crate.
    pub units: BTreeMap<String, Vec<String>>,
    /// Digests of the sources that can be edited.
    pub sources: BTreeMap<PathBuf, Digest>,
    /// What those of them say that are text, for patches to be compared with.
    pub texts: BTreeMap<PathBuf, String>,
    /// Digests of files of which an edit asks for another base: manifests, build scripts, code of others.
    pub fixed: BTreeMap<PathBuf, Digest>,
}

/// A base whose files are as they were.
#[derive(Debug)]
pub struct Opened {
    /// What the file says.
    pub base: Base,
    /// The crates.
    pub units: Vec<Unit>,
    /// The link.
    pub link: LinkCapture,
}

impl Base {
    /// The base of an executable that was just built.
    ///
    /// # Errors
    ///
    /// A file that belongs to it can't be read.
    pub fn of(
        project: &Project,
        profile: &str,
        (units, link, host): (&[Unit], &LinkCapture, &Host),
    ) -> Result<Self> {
        let inputs = Inputs::new(project, units);
        let (mut sources, mut fixed) = (BTreeMap::new(), BTreeMap::new());
        for file in inputs.files().filter(|file| file.is_file()) {
            let one = std::slice::from_ref(file);
            let map = match inputs.classify(one, Path::exists) {
                Change::Sources => &mut sources,
                Change::Cargo | Change::Restart => &mut fixed,
            };
            map.insert(file.clone(), digest(file)?);
        }
        let texts = sources.keys().filter_map(|file: &PathBuf| {
            let is_rust = file.extension().is_some_and(|extension| extension == "rs");
            let text = is_rust.then(|| fs::read_to_string(file).ok()).flatten()?;
            Some((file.clone(), text))
        });
        let texts = texts.collect();
        let link_path = capture::link_path(&link.output);
        let captures = link.hot_libraries.iter().map(|it| it.capture.clone());
        let records = captures.chain([link_path.clone(), link.output.clone()]);
        let records = records.map(|path| digest(&path).map(|digest| (path, digest)));
        Ok(Self {
            format: FORMAT,
            name: project.target.clone(),
            build_id: host.build_id.clone(),
            profile: profile.to_owned(),
            toolchain: toolchain(units)?,
            workspace: project.workspace_root.clone(),
            target_directory: project.target_directory.clone(),
            executable: link.output.clone(),
            link: link_path,
            records: records.collect::<Result<_>>()?,
            units: units.iter().map(objects_of).collect(),
            sources,
            texts,
            fixed,
        })
    }

    /// Writes the file, so that a reader sees the old one or the new one.
    ///
    /// # Errors
    ///
    /// The folder can't be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        whole::write(path, &serde_json::to_vec_pretty(self)?)
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// It is none of this form.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
        Self::parse(path, &text)
    }

    /// Reads the text of a base, which is from this file.
    ///
    /// # Errors
    ///
    /// It is none of this form.
    pub fn parse(path: &Path, text: &[u8]) -> Result<Self> {
        let context = || format!("{} is no base of patches", path.display());
        let value: serde_json::Value = serde_json::from_slice(text).with_context(context)?;
        let format = value.get("format").and_then(serde_json::Value::as_u64);
        if format != Some(FORMAT.into()) {
            bail!(
                "{} has a form that this version of cargo-hotswap does not know\n  \
                 = help: use the version that built it, or build the base and the program anew",
                path.display()
            );
        }
        serde_json::from_value(value).with_context(context)
    }

    /// Opens what the base is made of.
    ///
    /// # Errors
    ///
    /// Something is gone or has changed; the text names the first such file.
    pub fn open(self) -> Result<Opened> {
        for (path, expected) in &self.records {
            let found = digest(path).map_err(|error| changed(&format!("{error:#}")))?;
            if found != *expected {
                return Err(changed(&format!("{} has changed", path.display())));
            }
        }
        let link: LinkCapture = capture::load(&self.link)?;
        let units = unit::load(&link).map_err(|error| changed(&format!("{error:#}")))?;
        let found: BTreeMap<_, _> = units.iter().map(objects_of).collect();
        let other = |name: &&String| found.get(*name) != self.units.get(*name);
        if let Some(name) = self.units.keys().chain(found.keys()).find(other) {
            return Err(changed(&format!("the crate `{name}` was compiled anew")));
        }
        self.check_toolchain(&units)?;
        Ok(Opened {
            base: self,
            units,
            link,
        })
    }

    fn check_toolchain(&self, units: &[Unit]) -> Result<()> {
        let found = toolchain(units)?;
        if found != self.toolchain {
            bail!(
                "the program was compiled by another compiler\n  \
                 = why: patches must be compiled by {}, here is {}\n  \
                 = help: install that toolchain, or build the program and its base anew",
                first_line(&self.toolchain),
                first_line(&found)
            );
        }
        Ok(())
    }

    /// The sources that were edited since.
    ///
    /// # Errors
    ///
    /// A file was edited of which patches can't follow an edit.
    pub fn edited(&self) -> Result<Vec<PathBuf>> {
        let differs = |(path, expected): &(&PathBuf, &Digest)| {
            !digest(path).is_ok_and(|found| found == **expected)
        };
        if let Some((path, _)) = self.fixed.iter().find(differs) {
            bail!(
                "{} was edited since the program was built\n  \
                 = why: a patch is compiled as the program was, so it can't follow that\n  \
                 = help: set the file back, or build the program and its base anew",
                self.shown(path)
            );
        }
        let edited = self.sources.iter().filter(differs);
        Ok(edited.map(|(path, _)| path.clone()).collect())
    }

    /// Whether a crate was compiled to something else since the base was built.
    pub fn differs(&self, unit: &Unit) -> bool {
        let (name, found) = objects_of(unit);
        self.units.get(&name) != Some(&found)
    }

    /// A path as people see it: in the workspace.
    pub fn shown(&self, path: &Path) -> String {
        let short = path.strip_prefix(&self.workspace).unwrap_or(path);
        short.display().to_string()
    }
}

/// The digest of a file.
///
/// # Errors
///
/// It can't be read.
pub fn digest(path: &Path) -> Result<Digest> {
    let bytes = fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
    Ok(Digest::of(&bytes))
}

fn objects_of(unit: &Unit) -> (String, Vec<String>) {
    let digests = unit.digests().into_iter();
    let digests = digests.map(|digest| format!("{digest:032x}"));
    (unit.stem.clone(), digests.collect())
}

fn changed(what: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "the base is not what it was: {what}\n  \
         = why: a patch is linked against the very files that the program was built from\n  \
         = help: keep the target folder of a release, or build the program and its base anew"
    )
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// What the compiler of these crates says of itself.
fn toolchain(units: &[Unit]) -> Result<String> {
    let unit = units.last().context("no crate of the program is known")?;
    let mut command = unit.capture.compiler()?;
    let output = children::output(command.arg("-vV"))
        .with_context(|| format!("could not run {command:?}"))?;
    if !output.status.success() {
        bail!(
            "the compiler does not tell its version: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests;
