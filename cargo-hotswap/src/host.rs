//! Facts about the host: the executable as the running program was started from it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hotswap_layout::Program;
use hotswap_object::{HostFacts, InitialiserFacts, StaticFacts};
use hotswap_protocol::build_id::BuildId;

use crate::entries::{self, EntryFacts};
use crate::facts::Cache;
use crate::unit::Unit;

/// Everything a patch is checked and linked against.
#[derive(Debug)]
pub struct Host {
    /// The executable, under a name that outlives a rebuild.
    pub executable: PathBuf,
    /// Its build id, which patches name.
    pub build_id: BuildId,
    /// Its symbols and thread-local offsets.
    pub symbols: HostFacts,
    /// Its entries.
    pub entries: Vec<EntryFacts>,
    /// Its hot units as they were built, by stem.
    pub units: BTreeMap<String, HostUnit>,
    /// The types of all hot units.
    pub types: Program,
}

/// One hot unit as it is in the host.
#[derive(Debug)]
pub struct HostUnit {
    /// Digests of its objects.
    pub digests: BTreeSet<u128>,
    /// Its statics and thread-locals.
    pub statics: Vec<StaticFacts>,
    /// What it runs before `main`.
    pub initialisers: Vec<InitialiserFacts>,
}

impl Host {
    /// Reads the facts of an executable and of the units it was linked from.
    ///
    /// # Errors
    ///
    /// A file can't be read, or the executable can't be patched.
    pub fn read(executable: &Path, units: &[Unit], cache: &Cache) -> Result<Self> {
        let context = || format!("could not read {}", executable.display());
        let bytes = std::fs::read(executable).with_context(context)?;
        let symbols = hotswap_object::read_host(&bytes).with_context(context)?;
        let Some(build_id) = symbols.build_id.as_deref().and_then(|id| BuildId::from_bytes(id).ok())
        else {
            bail!("{} has no build id, so no patch can name it", executable.display());
        };
        let mut by_stem = BTreeMap::new();
        let mut types = Vec::new();
        for unit in units {
            let analysed = cache.analyse(&unit.objects)?;
            let statics = analysed.iter().flat_map(|object| object.facts.statics.clone()).collect();
            let initialisers =
                analysed.iter().flat_map(|object| object.facts.initialisers.clone()).collect();
            types.extend(analysed.iter().map(|object| object.types.clone()));
            let unit_facts = HostUnit { digests: unit.digests(), statics, initialisers };
            by_stem.insert(unit.stem.clone(), unit_facts);
        }
        let types = Program::new(types);
        let entries = entries::read(&bytes, &types).with_context(context)?;
        Ok(Self {
            executable: executable.to_owned(),
            build_id,
            symbols,
            entries,
            units: by_stem,
            types,
        })
    }

    /// Whether the unit's newest objects differ from those in the host.
    pub fn differs(&self, unit: &Unit) -> bool {
        self.units.get(&unit.stem).is_none_or(|host| host.digests != unit.digests())
    }
}
