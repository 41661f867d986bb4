//! The crates of the running program: when each last changed, from which image, and what of it was edited
//! since.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::modules::Module;
use crate::watch::Contents;

/// A crate, as it is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ModuleStatus {
    /// The crate's name as it stands in paths.
    pub name: String,
    /// Its package.
    pub package: String,
    /// `lib` or `bin`.
    pub kind: String,
    /// The version that last changed it; 0 if it is as it was started.
    pub version: u64,
    /// The image that this version brought; null for version 0.
    pub image: Option<PathBuf>,
    /// A digest of the sources that the compiler last read for it, in hexadecimal; null if one of them was
    /// written while it did.
    pub digest: Option<String>,
    /// How many these are.
    pub files: usize,
    /// Those of them that were edited since.
    pub edited: Vec<PathBuf>,
    /// What runs is older than what the compiler last read: somebody reverted, or the newest code does not
    /// compile, or state was not to be had. This may be another crate's affair.
    pub is_older: bool,
}

/// All crates, and what brought them.
#[derive(Debug, Default)]
pub struct Modules {
    all: Vec<(Module, u64)>,
    images: BTreeMap<u64, PathBuf>,
}

impl Modules {
    /// Takes note of the crates as they are; those whose code is another came with this version.
    pub fn are(&mut self, modules: Vec<Module>, version: u64) {
        let before = std::mem::take(&mut self.all);
        let before = before.into_iter();
        let before: BTreeMap<_, _> = before
            .map(|(module, version)| (id(&module), (module.live, version)))
            .collect();
        let with_version = |module: Module| {
            let version = match before.get(&id(&module)) {
                Some((live, before)) if *live == module.live => *before,
                _ => version,
            };
            (module, version)
        };
        self.all = modules.into_iter().map(with_version).collect();
    }

    /// Takes note of the image that a version has brought.
    pub fn loaded(&mut self, image: &Path, version: u64) {
        self.images.insert(version, image.to_owned());
    }

    /// The files of a crate, named by itself or by its package, or of all.
    ///
    /// # Errors
    ///
    /// There is no such crate; the text lists those that are.
    pub fn files(&self, module: Option<&str>) -> Result<BTreeSet<PathBuf>, String> {
        let found = self.find(module)?;
        let files = found.iter().flat_map(|(module, _)| &module.sources);
        Ok(files.cloned().collect())
    }

    /// What is told of a crate, or of all.
    ///
    /// # Errors
    ///
    /// As for [`files`](Self::files).
    pub fn status(
        &self,
        module: Option<&str>,
        contents: &Contents,
    ) -> Result<Vec<ModuleStatus>, String> {
        let found = self.find(module)?.into_iter();
        let told = found.map(|(module, version)| ModuleStatus {
            name: module.name.clone(),
            package: module.package.clone(),
            kind: module.kind.to_string(),
            version: *version,
            image: self.images.get(version).cloned(),
            digest: contents
                .digest(&module.sources)
                .map(|digest| format!("{digest:032x}")),
            files: module.sources.len(),
            edited: contents.changed(&module.sources),
            is_older: false,
        });
        Ok(told.collect())
    }

    fn find(&self, name: Option<&str>) -> Result<Vec<&(Module, u64)>, String> {
        let Some(name) = name else {
            return Ok(self.all.iter().collect());
        };
        let is_meant =
            |module: &Module| module.package == name || module.name == name.replace('-', "_");
        let found: Vec<_> = self.all.iter().filter(|(it, _)| is_meant(it)).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let known: BTreeSet<&str> = self.all.iter().map(|(it, _)| it.name.as_str()).collect();
        let known: Vec<&str> = known.into_iter().collect();
        Err(format!(
            "no crate of this program that can be swapped has the name `{name}`\n  = help: there are {}",
            known.join(", ")
        ))
    }
}

/// What tells crates apart: a package may have a library and an executable of one name.
fn id(module: &Module) -> (String, String, crate::unit::UnitKind) {
    (module.package.clone(), module.name.clone(), module.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::UnitKind;

    fn module(name: &str, live: u128) -> Module {
        Module {
            name: name.to_owned(),
            package: name.replace('_', "-"),
            kind: UnitKind::Library,
            sources: [format!("/{name}/lib.rs").into()].into(),
            live: [live].into(),
        }
    }

    #[test]
    fn versions_by_what_changed() {
        let mut modules = Modules::default();
        let (a, b) = (|live| module("a_x", live), |live| module("b", live));
        modules.are(vec![a(1), b(1)], 0);
        modules.are(vec![a(1), b(2)], 3);
        modules.loaded(Path::new("/image"), 3);
        modules.are(vec![a(1), b(2), module("new", 1)], 4);
        let contents = Contents::default();
        let told = modules.status(None, &contents).unwrap();
        let told: Vec<_> = told
            .iter()
            .map(|it| (it.name.as_str(), it.version, it.image.is_some()))
            .collect();
        assert_eq!(told, [("a_x", 0, false), ("b", 3, true), ("new", 4, false)]);
        assert_eq!(modules.files(Some("a-x")).unwrap().len(), 1);
        assert_eq!(modules.files(None).unwrap().len(), 3);
        let unknown = modules.files(Some("c")).unwrap_err();
        assert!(unknown.ends_with("there are a_x, b, new"), "{unknown}");
    }
}
