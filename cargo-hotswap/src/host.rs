//! Facts about the host: the executable as the running program was started from it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use hotswap_layout::{Descriptions, Program};
use hotswap_object::{HostFacts, InitialiserFacts, ObjectFacts, StaticFacts};
use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::hook::Hook;
use hotswap_protocol::manifest::{BacktraceStatics, Static};

use crate::cells::{self, CellFacts};
use crate::entries::{self, EntryFacts};
use crate::facts::Cache;
use crate::hooks;
use crate::image::renamed::Renamed;
use crate::image::wishes;
use crate::unit::{ObjectFile, Unit, UnitId};

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
    /// Its hot units as they were built, by id.
    pub units: BTreeMap<UnitId, HostUnit>,
    /// The types of all hot units.
    pub types: Arc<Program>,
    /// What these say of themselves.
    pub descriptions: Arc<Descriptions>,
    /// Its cells.
    pub cells: Vec<CellFacts>,
    /// Its functions that run at swaps.
    pub hooks: Vec<Hook>,
    /// The sections of distributed slices that crates outside the workspace add to.
    pub shared_slices: BTreeSet<String>,
    /// Where the standard library keeps the list of files that backtraces are named from.
    pub backtrace: Option<BacktraceStatics>,
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
    /// The paths of its entries.
    pub entries: Vec<String>,
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
        let Some(build_id) = symbols
            .build_id
            .as_deref()
            .and_then(|id| BuildId::from_bytes(id).ok())
        else {
            bail!(
                "{} has no build id, so no patch can name it",
                executable.display()
            );
        };
        let mut by_id = BTreeMap::new();
        let mut types = Vec::new();
        let analysed = units.iter().map(|unit| cache.analyse(&unit.objects));
        let analysed = analysed.collect::<Result<Vec<_>>>()?;
        let namesake = entries::of_namesake(units, &analysed);
        for (unit, analysed) in units.iter().zip(&analysed) {
            let statics = analysed
                .iter()
                .flat_map(|object| object.facts.statics.clone())
                .collect();
            let initialisers = analysed
                .iter()
                .flat_map(|object| object.facts.initialisers.clone())
                .collect();
            types.extend(analysed.iter().map(|object| object.types.clone()));
            let unit_facts = HostUnit {
                digests: unit.digests(),
                statics,
                initialisers,
                entries: entries::paths(analysed, &namesake),
            };
            by_id.insert(unit.id(), unit_facts);
        }
        let types = Program::new(types, units.iter().map(|unit| unit.name.clone()));
        for (unit, analysed) in units.iter().zip(&analysed) {
            if let Some(facts) = by_id.get_mut(&unit.id()) {
                let analysed = analysed.iter().map(AsRef::as_ref);
                wishes::fill(&mut facts.statics, analysed, &types);
            }
        }
        let descriptions = cells::descriptions(&analysed).with_context(context)?;
        let cells = cells::of_units(units, &analysed, &types, &Renamed::default());
        let entries = entries::read(&bytes, &types, &namesake).with_context(context)?;
        let hooks = hooks::of_units(units, &analysed)?;
        let hooks = hooks::located(&hooks, None, &symbols).with_context(context)?;
        Ok(Self {
            executable: executable.to_owned(),
            build_id,
            backtrace: backtrace_statics(&symbols),
            shared_slices: shared_slices(&symbols, analysed.iter().flatten().map(|one| &one.facts)),
            symbols,
            entries,
            units: by_id,
            types: Arc::new(types),
            descriptions: Arc::new(descriptions),
            cells,
            hooks,
        })
    }

    /// The address of the standard library's own handler for stack overflows.
    pub fn stack_overflow_handler(&self) -> Option<u64> {
        let of_std = |name: &str| {
            name.contains("3std")
                && name.contains("14stack_overflow")
                && name.ends_with("14signal_handler")
        };
        let mut found = self.symbols.symbols.iter().filter(|(name, _)| of_std(name));
        match (found.next(), found.next()) {
            (Some((_, one)), None) => Some(one.address),
            _ => None,
        }
    }

    /// Whether the unit's newest objects differ from those in the host.
    pub fn differs(&self, unit: &Unit) -> bool {
        self.units
            .get(&unit.id())
            .is_none_or(|host| host.digests != unit.digests())
    }

    /// Whether an object of the unit is in the host as it is.
    pub fn has(&self, unit: &Unit, object: &ObjectFile) -> bool {
        let host = self.units.get(&unit.id());
        host.is_some_and(|host| host.digests.contains(&object.digest))
    }

    /// The names that images can bind to.
    pub fn exported(&self) -> impl Iterator<Item = &str> {
        let all = self.symbols.symbols.iter();
        let exported = all.filter(|(_, symbol)| symbol.exported);
        exported.map(|(name, _)| name.as_str())
    }
}

/// The slices that have more in the executable than the units add to them.
fn shared_slices<'a>(
    host: &HostFacts,
    units: impl Iterator<Item = &'a ObjectFacts>,
) -> BTreeSet<String> {
    let mut own: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, bytes) in units.flat_map(|facts| &facts.slices) {
        *own.entry(name).or_default() += bytes;
    }
    let of_others = |name: &str, bytes: u64| own.get(name).is_none_or(|own| *own < bytes);
    let slices = host.slices.iter();
    let shared = slices.filter(|(name, bytes)| of_others(name, **bytes));
    shared.map(|(name, _)| name.clone()).collect()
}

/// The statics that the standard library's backtraces depend on, if each is found once.
fn backtrace_statics(symbols: &HostFacts) -> Option<BacktraceStatics> {
    let find = |parts: [&str; 3]| {
        let mut found = symbols.symbols.iter().filter(|(name, _)| {
            name.contains(parts[0]) && name.contains(parts[1]) && name.ends_with(parts[2])
        });
        match (found.next(), found.next()) {
            (Some((_, one)), None) => Some(Static {
                address: one.address,
                size: one.size,
            }),
            _ => None,
        }
    };
    Some(BacktraceStatics {
        cache: find(["3std", "symbolize5gimli", "14MAPPINGS_CACHE"])?,
        lock: find(["3std", "3sys9backtrace", "4lock4LOCK"])?,
    })
}
