//! What dependents were compiled against, and whether they have to be compiled again.
//!
//! The newest artefact of a library is shown to its dependents, *published*, only when they could
//! tell it from the one before. Until then they go on with that, and their objects are linked as
//! they are. So all units see one and the same metadata of each library at any time.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;

use anyhow::Result;
use hotswap_object::Scope;

use crate::facts::{Analysed, Cache};
use crate::membership::with_dependents;
use crate::plugin::capture;
use crate::texts::Texts;
use crate::unit::{self, ObjectFile, Unit};

/// The source files of one unit with their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources(BTreeMap<PathBuf, Option<Vec<u8>>>);

impl Sources {
    /// Reads the files that a unit was last made from.
    pub fn read(unit: &Unit) -> Self {
        let files = unit.sources.iter();
        Self(
            files
                .map(|file| (file.clone(), std::fs::read(file).ok()))
                .collect(),
        )
    }

    /// The files that a compilation which began with these read, in its list of files; `None` if one
    /// was written meanwhile, or was not known before.
    pub fn after(&self, unit: &Unit) -> Option<Self> {
        let now = Self::read(unit);
        let read = now.0.iter().all(|(file, bytes)| {
            bytes.is_some() && self.0.get(file).is_some_and(|before| before == bytes)
        });
        read.then_some(now)
    }

    /// The files that cargo's build of a unit read; `None` if one was written since that began.
    fn of_build(unit: &Unit) -> Option<Self> {
        let modified = |path: &PathBuf| std::fs::metadata(path)?.modified();
        let record = capture::unit_path(&unit.capture.out_dir, &unit.stem);
        // The record is written before the compiler starts.
        let begun = modified(&record).ok()?;
        let sources = Self::read(unit);
        let older = |file| modified(file).is_ok_and(|modified| modified < begun);
        sources.0.keys().all(older).then_some(sources)
    }

    /// Whether dependents can't tell these from the others.
    fn same_for_dependents(&self, other: &Self, texts: &Texts) -> bool {
        let same = |(file, old): (&PathBuf, &Option<Vec<u8>>)| {
            let Some(new) = other.0.get(file) else {
                return false;
            };
            old == new || same_file(old.as_deref(), new.as_deref(), texts)
        };
        self.0.len() == other.0.len() && self.0.iter().all(same)
    }
}

/// Whether other crates see the same of two contents. What does not parse is the same as nothing.
fn same_file(old: Option<&[u8]>, new: Option<&[u8]>, texts: &Texts) -> bool {
    let visible = |content: Option<&[u8]>| texts.of(content?).visible;
    visible(old).is_some_and(|old| visible(new) == Some(old))
}

/// One unit as its dependents were compiled against it.
#[derive(Debug)]
struct Version {
    /// Its sources; `None` if they are not known for certain.
    sources: Option<Sources>,
    objects: Vec<ObjectFile>,
}

/// The published version of each unit, and what the newest was made from where it is another.
#[derive(Debug)]
pub struct Published {
    versions: Vec<Version>,
    /// The sources of units whose newest version is not published.
    kept_back: BTreeMap<usize, Sources>,
}

impl Published {
    /// Units as cargo built them.
    pub fn by_cargo(units: &[Unit]) -> Self {
        let versions = units.iter().map(|unit| Version {
            sources: Sources::of_build(unit),
            objects: unit.objects.clone(),
        });
        Self {
            versions: versions.collect(),
            kept_back: BTreeMap::new(),
        }
    }

    /// Records that the newest version of a unit is published; `sources` are what it was made from,
    /// if that is known for certain.
    pub fn publish(&mut self, index: usize, unit: &Unit, sources: Option<Sources>) {
        self.kept_back.remove(&index);
        self.versions[index] = Version {
            sources,
            objects: unit.objects.clone(),
        };
    }

    /// Whether dependents of a unit that is made from `sources` can go on with the published version.
    /// Optimised code takes over whatever the optimiser likes, so there none can.
    pub fn serves(&self, index: usize, unit: &Unit, sources: &Sources, texts: &Texts) -> bool {
        let published = self.versions[index].sources.as_ref();
        !unit.capture.rustc_args().is_optimised()
            && published.is_some_and(|published| published.same_for_dependents(sources, texts))
    }

    /// Records that the newest version of a unit, made from `sources`, is not published.
    pub fn keep_back(&mut self, index: usize, sources: Sources) {
        self.kept_back.insert(index, sources);
    }

    /// The objects of all published versions.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectFile> {
        self.versions.iter().flat_map(|version| &version.objects)
    }

    /// A unit that is kept back and can't be any longer, because it lacks what a dependent, as that
    /// was compiled, needs; with its sources.
    ///
    /// # Errors
    ///
    /// An object is damaged.
    pub fn take_missed(
        &mut self,
        units: &[Unit],
        cache: &Cache,
    ) -> Result<Option<(usize, Sources)>> {
        let dependencies = unit::dependencies(units);
        for &index in self.kept_back.keys() {
            let all = with_dependents(&dependencies, &BTreeSet::from([index]));
            let dependents = all.into_iter().filter(|&other| other != index);
            let dependents: Vec<&Unit> = dependents.map(|other| &units[other]).collect();
            if self.is_missed(index, &units[index], &dependents, cache)? {
                return Ok(self
                    .kept_back
                    .remove(&index)
                    .map(|sources| (index, sources)));
            }
        }
        Ok(None)
    }

    /// Whether a unit no longer defines a symbol that one of its dependents refers to. The compiler
    /// lets crates use generic functions that a library happens to have made for itself, and the
    /// library may do without one of them today. The host still has it, and so has old code to
    /// offer: it would be linked to that without a word.
    fn is_missed(
        &self,
        index: usize,
        unit: &Unit,
        dependents: &[&Unit],
        cache: &Cache,
    ) -> Result<bool> {
        let digests = |objects: &[ObjectFile]| -> BTreeSet<u128> {
            objects.iter().map(|object| object.digest).collect()
        };
        let published = &self.versions[index].objects;
        let (old, new) = (digests(published), digests(&unit.objects));
        let gone = published.iter().filter(|one| !new.contains(&one.digest));
        let come = unit.objects.iter().filter(|one| !old.contains(&one.digest));
        let (gone, come) = (cache.analyse(gone)?, cache.analyse(come)?);
        let defined = |object: &Analysed| -> HashSet<String> {
            let symbols = object.facts.symbols.iter();
            let seen = symbols.filter(|symbol| symbol.scope != Scope::Local);
            seen.map(|symbol| symbol.name.clone()).collect()
        };
        let mut removed: HashSet<String> = gone.iter().flat_map(|one| defined(one)).collect();
        for object in &come {
            for symbol in defined(object) {
                removed.remove(&symbol);
            }
        }
        if removed.is_empty() {
            return Ok(false);
        }
        for dependent in dependents {
            let objects = cache.analyse(&dependent.objects)?;
            let mut needed = objects.iter().flat_map(|object| &object.facts.undefined);
            if needed.any(|symbol| removed.contains(symbol)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
