//! State in a swap: which layout each cell's value has, and what the program is told to make of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Result;
use hotswap_layout::migrate::{self, CellPair, Migration, Version, Way};
use hotswap_layout::report::type_name;
use hotswap_layout::{Descriptions, Finding, Program, Verdict};
use hotswap_protocol::state;

use super::refusal;
use crate::cells::{self, CellFacts};
use crate::events::{Event, MigratedType, StaticReport};
use crate::facts::Analysed;
use crate::host::Host;
use crate::unit::Unit;

mod afresh;
mod back;
mod program;

use afresh::Named;
pub use program::{ForProgram, base_cells, for_program};

/// The types of a version and what they say of themselves.
#[derive(Debug, Clone)]
pub struct Known {
    /// Their layouts.
    pub types: Arc<Program>,
    /// What they say.
    pub descriptions: Arc<Descriptions>,
}

/// A cell's value in the running program.
#[derive(Debug, Clone)]
struct Held {
    /// The mangled name of the static in the version that was current last with this cell.
    symbol: String,
    layout: String,
    version: Known,
}

/// The values of all cells that a program has.
#[derive(Debug, Clone, Default)]
pub struct Values {
    held: BTreeMap<String, Held>,
    live: Option<Arc<Program>>,
}

/// The values of all cells that the program has had.
#[derive(Debug)]
pub struct Cells {
    held: BTreeMap<String, Held>,
    /// The types of the version that runs: the program knows its functions alone.
    live: Arc<Program>,
    /// The version that first gave a cell a layout, and the cell's symbol in it, by path and layout.
    first: BTreeMap<(String, String), (String, Known)>,
    /// The full names of the types whose values have changed so far.
    migrated: BTreeSet<String>,
}

impl Cells {
    /// Whether the program has none, and never had one.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}

/// A cell of the version to come, and the layout that its value has then.
#[derive(Debug, Clone)]
pub struct Next {
    /// The cell.
    pub facts: CellFacts,
    /// Equal to that of another version exactly if nothing has to be migrated.
    pub layout: String,
}

/// What becomes of all cells.
#[derive(Debug, Default)]
pub struct Plan {
    /// The cells of the version to come.
    pub cells: Vec<Next>,
    /// For the program.
    pub migration: state::Migration,
    /// The full names of the types whose values change, or have changed before.
    pub migrated: BTreeSet<String>,
    /// What there is to say, refusals among it.
    pub findings: Vec<Finding>,
}

impl Known {
    /// The types of a version whose objects these are.
    ///
    /// # Errors
    ///
    /// What they say of themselves is of another version of the runtime.
    pub fn new(types: &Arc<Program>, analysed: &[Vec<Arc<Analysed>>]) -> Result<Self> {
        Ok(Self {
            types: Arc::clone(types),
            descriptions: Arc::new(cells::descriptions(analysed)?),
        })
    }

    fn version(&self) -> Version<'_> {
        Version {
            types: &self.types,
            descriptions: &self.descriptions,
        }
    }
}

impl Cells {
    /// Those of the program as it was started.
    pub fn of_host(host: &Host) -> Self {
        let known = Known {
            types: Arc::clone(&host.types),
            descriptions: Arc::clone(&host.descriptions),
        };
        let held = |facts: &CellFacts| Held {
            symbol: facts.symbol.clone(),
            layout: facts.fingerprint.clone(),
            version: known.clone(),
        };
        let cells = host.cells.iter();
        let first = cells.clone().map(|it| {
            let layout = (it.path.clone(), it.fingerprint.clone());
            (layout, (it.symbol.clone(), known.clone()))
        });
        Self {
            first: first.collect(),
            held: cells.map(|it| (it.path.clone(), held(it))).collect(),
            live: Arc::clone(&known.types),
            migrated: BTreeSet::new(),
        }
    }

    /// Plans what becomes of the values if a version with these cells is to be current.
    pub fn plan(&self, cells: Vec<CellFacts>, next: &Known, way: Way) -> Plan {
        let mut plan = Plan {
            migrated: self.migrated.clone(),
            ..Plan::default()
        };
        let mut changes: BTreeMap<String, u32> = BTreeMap::new();
        // Nearly always all are of one version; a cell that was gone for a while is of an older one.
        let mut left: Vec<(&CellFacts, &Held)> = cells
            .iter()
            .filter_map(|facts| Some((facts, self.held.get(&facts.path)?)))
            .collect();
        while let Some((_, first)) = left.first() {
            let of = first.version.clone();
            let (now, later) = left
                .into_iter()
                .partition(|(_, held)| Arc::ptr_eq(&held.version.types, &of.types));
            left = later;
            let now: Vec<(&CellFacts, &Held)> = now;
            let pairs: Vec<CellPair<'_>> =
                now.iter().map(|(facts, held)| pair(facts, held)).collect();
            let is_live = Arc::ptr_eq(&of.types, &self.live);
            let without = (!is_live).then(|| of.descriptions.without_functions());
            let old = Version {
                types: &of.types,
                descriptions: without.as_ref().unwrap_or(&of.descriptions),
            };
            let migration = migrate::migrate(old, next.version(), &pairs, way);
            let offset = plan.migration.types.len() as u32;
            for cell in &migration.cells {
                changes.extend(cell.change.map(|at| (cell.path.clone(), at + offset)));
            }
            plan.take(migration, offset);
        }
        for facts in cells {
            let held = self.held.get(&facts.path);
            let change = changes.get(&facts.path);
            let layout = match (held, change) {
                (Some(held), None) => held.layout.clone(),
                _ => self.layout(&facts, next),
            };
            if let (Some(held), Some(change)) = (held, change) {
                plan.migration.cells.push(state::CellChange {
                    path: facts.path.clone(),
                    from: held.layout.clone(),
                    to: layout.clone(),
                    change: *change,
                });
            }
            plan.cells.push(Next { facts, layout });
        }
        plan
    }

    /// What there is to tell of cells that a version with these has no more, and of those that it begins with.
    pub fn told(&self, plan: &Plan) -> Vec<StaticReport> {
        let next = || plan.cells.iter().map(|next| &next.facts);
        let is_live = |held: &Held| Arc::ptr_eq(&held.version.types, &self.live);
        let gone = self
            .held
            .iter()
            .filter(|(path, held)| is_live(held) && !next().any(|facts| facts.path == **path));
        let gone: Vec<(&str, String)> = gone
            .filter_map(|(path, held)| Some((path.as_str(), self.live.cell(&held.symbol)?.name)))
            .collect();
        let gone = gone
            .iter()
            .map(|(path, type_name)| Named { path, type_name });
        let born = next().filter(|facts| !self.held.contains_key(&facts.path));
        let born = born.map(
            |CellFacts {
                 path, type_name, ..
             }| Named { path, type_name },
        );
        afresh::reports(&gone.collect::<Vec<_>>(), &born.collect::<Vec<_>>())
    }

    /// The name of the layout that a cell has in this version: one that it had before only if the
    /// guard finds the type to be the same. Fingerprints leave out the methods of trait objects.
    fn layout(&self, facts: &CellFacts, next: &Known) -> String {
        let mut layout = facts.fingerprint.clone();
        while let Some((symbol, known)) = self.first.get(&(facts.path.clone(), layout.clone())) {
            let pair = CellPair {
                path: &facts.path,
                old: symbol,
                new: &facts.symbol,
            };
            let (known, next) = (known.version(), next.version());
            let found = migrate::migrate(known, next, &[pair], Way::Forward);
            if found.findings.is_empty() && found.cells.iter().all(|cell| cell.change.is_none()) {
                break;
            }
            layout.push('+');
        }
        layout
    }

    /// What values are like now.
    pub fn values(&self) -> Values {
        Values {
            held: self.held.clone(),
            live: Some(Arc::clone(&self.live)),
        }
    }

    /// The program went back by itself to a version under which they were like this.
    pub fn went_back(&mut self, values: &Values) {
        let held = values.held.iter();
        self.held
            .extend(held.map(|(path, held)| (path.clone(), held.clone())));
        if let Some(live) = &values.live {
            self.live = Arc::clone(live);
        }
    }

    /// A version is current for which this was planned.
    pub fn are_live(&mut self, plan: Plan, version: &Known) {
        self.live = Arc::clone(&version.types);
        self.migrated = plan.migrated;
        for Next { facts, layout } in plan.cells {
            let name = (facts.path.clone(), layout.clone());
            let first = self.first.entry(name);
            first.or_insert_with(|| (facts.symbol.clone(), version.clone()));
            let held = Held {
                symbol: facts.symbol,
                layout,
                version: version.clone(),
            };
            self.held.insert(facts.path, held);
        }
    }
}

fn pair<'a>(facts: &'a CellFacts, held: &'a Held) -> CellPair<'a> {
    CellPair {
        path: &facts.path,
        old: &held.symbol,
        new: &facts.symbol,
    }
}

impl Plan {
    /// Takes over the changes of types, whose numbers are moved by `offset`.
    fn take(&mut self, migration: Migration, offset: u32) {
        let names = migration.types.iter().map(|change| change.old.clone());
        self.migrated.extend(names);
        let types = migration.types.into_iter();
        let types = types.map(|change| program::of_type(change, offset));
        self.migration.types.extend(types);
        self.findings.extend(migration.findings);
    }

    /// Why the values can't be carried over; `None` if they can.
    pub fn refusal(&self, units: &[Unit]) -> Option<Event> {
        let refused = self.findings.iter();
        let refused = refused.filter(|finding| finding.verdict == Verdict::Refused);
        let refused: Vec<Finding> = refused.cloned().collect();
        refusal::layouts("state", &refused, units)
    }

    /// Whether code of the host would take a value for what it is not any more: it knows the cell
    /// under another layout.
    pub fn differs_from(&self, host: &Host) -> bool {
        self.cells.iter().any(|next| {
            let mut cells = host.cells.iter();
            let host = cells.find(|cell| cell.path == next.facts.path);
            host.is_some_and(|host| host.fingerprint != next.layout)
        })
    }

    /// The cells whose values change.
    pub fn migrates(&self) -> impl Iterator<Item = &CellFacts> {
        let changes = |path: &String| self.migration.cells.iter().any(|it| it.path == *path);
        let cells = self.cells.iter().map(|next| &next.facts);
        cells.filter(move |facts| changes(&facts.path))
    }

    /// The symbols of the cells, and of the functions that belong to them.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        let cells = self.cells.iter().map(|next| &next.facts);
        cells.flat_map(|cell| {
            let functions = cell.init.iter().chain(&cell.schema);
            functions.chain([&cell.symbol]).map(String::as_str)
        })
    }

    /// The fields whose values nothing takes over.
    pub fn dropped(&self) -> Vec<String> {
        self.migration.types.iter().flat_map(removed).collect()
    }

    /// What people are told of the types that changed.
    pub fn told(&self) -> Vec<MigratedType> {
        let migrated = self.findings.iter();
        let migrated = migrated.filter(|finding| finding.verdict == Verdict::Migrated);
        let told = migrated.map(|finding| MigratedType {
            name: type_name(&finding.subject),
            changes: finding.differences.clone(),
        });
        told.collect()
    }
}

/// The old fields of a type that nothing takes over.
fn removed(change: &state::TypeChange) -> Vec<String> {
    let variants: Vec<&state::Fields> = match &change.how {
        state::How::Fields(fields) => vec![fields],
        state::How::Variants(variants) => variants.iter().map(|it| &it.fields).collect(),
        state::How::Elements(_) | state::How::Whole(_) => Vec::new(),
    };
    let fields = variants.into_iter().flat_map(|fields| &fields.removed);
    fields
        .map(|name| format!("{}.{name}", change.old))
        .collect()
}

#[cfg(test)]
mod tests {
    use hotswap_layout::migrate;
    use hotswap_protocol::state;

    use super::Plan;

    fn change(name: &str, how: migrate::How) -> migrate::TypeChange {
        migrate::TypeChange {
            old: format!("alloc::vec::Vec<app::{name}, alloc::alloc::Global>"),
            new: format!("app::{name}"),
            old_size: 8,
            new_size: 16,
            how,
        }
    }

    fn plan() -> migrate::Migration {
        let field = |name: &str, source| migrate::FieldChange {
            name: name.to_owned(),
            source,
        };
        let from = || "old".to_owned();
        let fields = migrate::Fields {
            new: vec![
                field(
                    "a",
                    migrate::Source::Changed {
                        from: from(),
                        by: 1,
                    },
                ),
                field("b", migrate::Source::Default),
            ],
            removed: vec!["gone".to_owned()],
        };
        let variant = migrate::VariantChange {
            old: "A".to_owned(),
            new: None,
            fields: fields.clone(),
            with: false,
        };
        migrate::Migration {
            types: vec![
                change("World", migrate::How::Fields(fields)),
                change("Mode", migrate::How::Variants(vec![variant])),
                change("All", migrate::How::Elements(vec![None, Some(0)])),
            ],
            ..migrate::Migration::default()
        }
    }

    #[test]
    fn plans_from_several_versions_stand_one_behind_the_other() {
        let mut all = Plan::default();
        for _ in 0..2 {
            let offset = all.migration.types.len() as u32;
            all.take(plan(), offset);
        }
        let types = &all.migration.types;
        assert_eq!(types.len(), 6);
        assert_eq!(types[5].how, state::How::Elements(vec![None, Some(3)]));
        let state::How::Fields(fields) = &types[3].how else {
            panic!("{types:?}")
        };
        let from = "old".to_owned();
        assert_eq!(fields.new[0].source, state::Source::Changed { from, by: 4 });
        assert_eq!(types[0].old, "Vec<app::World>");
        // Told by the names that the guard knows, and shown as people write them.
        assert!(
            all.migrated
                .contains("alloc::vec::Vec<app::Mode, alloc::alloc::Global>")
        );
        let dropped = ["Vec<app::World>.gone", "Vec<app::Mode>.gone"];
        assert_eq!(all.dropped()[..2], dropped);
    }
}
