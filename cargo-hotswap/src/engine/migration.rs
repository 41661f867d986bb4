//! State in a swap: which layout each cell's value has, and what the program is told to make of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Result;
use hotswap_layout::migrate::{self, CellPair, Migration, Version, Way};
use hotswap_layout::{Descriptions, Finding, Program, Verdict};
use hotswap_object::Binding;
use hotswap_protocol::state;

use super::refusal;
use crate::cells::{self, CellFacts};
use crate::events::{Event, MigratedType};
use crate::host::Host;
use crate::image::Linked;
use crate::image::state::State;
use crate::unit::Unit;

/// The types of a version and what they say of themselves.
#[derive(Debug, Clone)]
pub struct Known {
    /// Their layouts.
    pub types: Arc<Program>,
    /// What they say.
    pub descriptions: Arc<Descriptions>,
}

/// A cell's value in the running program.
#[derive(Debug)]
struct Held {
    /// The mangled name of the static in the version that was current last with this cell.
    symbol: String,
    layout: String,
    version: Known,
}

/// The values of all cells that the program has had.
#[derive(Debug)]
pub struct Cells(BTreeMap<String, Held>);

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
    /// What there is to say, refusals among it.
    pub findings: Vec<Finding>,
}

impl Known {
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
        Self(cells.map(|it| (it.path.clone(), held(it))).collect())
    }

    /// Plans what becomes of the values if a version with these cells is to be current.
    pub fn plan(&self, cells: Vec<CellFacts>, next: &Known, way: Way) -> Plan {
        let mut plan = Plan::default();
        let mut changes: BTreeMap<String, u32> = BTreeMap::new();
        // Nearly always all are of one version; a cell that was gone for a while is of an older one.
        let mut left: Vec<(&CellFacts, &Held)> = cells
            .iter()
            .filter_map(|facts| Some((facts, self.0.get(&facts.path)?)))
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
            let migration = migrate::migrate(of.version(), next.version(), &pairs, way);
            let offset = plan.migration.types.len() as u32;
            for cell in &migration.cells {
                changes.extend(cell.change.map(|at| (cell.path.clone(), at + offset)));
            }
            plan.take(migration, offset);
        }
        plan.add_cells(cells, &self.0, &changes);
        plan
    }

    /// A version is current whose cells these are.
    pub fn are_live(&mut self, cells: Vec<Next>, version: &Known) {
        for Next { facts, layout } in cells {
            let held = Held {
                symbol: facts.symbol,
                layout,
                version: version.clone(),
            };
            self.0.insert(facts.path, held);
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
        let types = migration.types.into_iter();
        let types = types.map(|change| of_type(change, offset));
        self.migration.types.extend(types);
        self.findings.extend(migration.findings);
    }

    fn add_cells(
        &mut self,
        cells: Vec<CellFacts>,
        held: &BTreeMap<String, Held>,
        changes: &BTreeMap<String, u32>,
    ) {
        for facts in cells {
            let held = held.get(&facts.path);
            let layout = match (held, changes.get(&facts.path)) {
                (Some(held), None) => held.layout.clone(),
                _ => facts.fingerprint.clone(),
            };
            if let (Some(held), Some(change)) = (held, changes.get(&facts.path)) {
                self.migration.cells.push(state::CellChange {
                    path: facts.path.clone(),
                    from: held.layout.clone(),
                    to: layout.clone(),
                    change: *change,
                });
            }
            self.cells.push(Next { facts, layout });
        }
    }

    /// Why the values can't be carried over; `None` if they can.
    pub fn refusal(&self, units: &[Unit]) -> Option<Event> {
        let refused = self.findings.iter();
        let refused = refused.filter(|finding| finding.verdict == Verdict::Refused);
        let refused: Vec<Finding> = refused.cloned().collect();
        refusal::layouts("state", &refused, units)
    }

    /// The full names of the types whose values change.
    pub fn migrated(&self) -> BTreeSet<String> {
        let types = self.migration.types.iter();
        types.map(|change| change.old.clone()).collect()
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

    /// What people are told of the types that changed.
    pub fn told(&self) -> Vec<MigratedType> {
        let migrated = self.findings.iter();
        let migrated = migrated.filter(|finding| finding.verdict == Verdict::Migrated);
        let told = migrated.map(|finding| MigratedType {
            name: finding.subject.clone(),
            changes: finding.differences.clone(),
        });
        told.collect()
    }
}

/// The cells of the host, for the program.
pub fn base_cells(host: &Host) -> Vec<state::Cell> {
    let address = |symbol: &String| host.symbols.symbols.get(symbol).map(|it| it.address);
    let cells = host.cells.iter().map(|facts| state::Cell {
        path: facts.path.clone(),
        layout: facts.fingerprint.clone(),
        type_name: facts.type_name.clone(),
        handle: address(&facts.symbol),
        schema: facts.schema.as_ref().and_then(address),
        init: facts.init.as_ref().and_then(address),
    });
    cells.collect()
}

/// The cells that code of an image uses, for the program.
///
/// # Errors
///
/// The image is damaged.
pub fn image_cells(cells: &[Next], linked: &Linked, state: &State) -> Result<Vec<state::Cell>> {
    let symbols = cells.iter().flat_map(|next| {
        let facts = &next.facts;
        let functions = facts.init.iter().chain(&facts.schema);
        functions.chain([&facts.symbol]).map(String::as_str)
    });
    let addresses = cells::addresses(&linked.bytes, symbols)?;
    let address = |symbol: &String| addresses.get(symbol.as_str()).copied();
    let cell = |Next { facts, layout }: &Next| {
        let brought = state.bindings.symbols.get(&facts.symbol) == Some(&Binding::Image);
        state::Cell {
            path: facts.path.clone(),
            layout: layout.clone(),
            type_name: facts.type_name.clone(),
            handle: address(&facts.symbol).filter(|_| brought),
            schema: facts.schema.as_ref().and_then(address),
            init: facts.init.as_ref().and_then(address),
        }
    };
    Ok(cells.iter().map(cell).collect())
}

fn of_type(change: migrate::TypeChange, offset: u32) -> state::TypeChange {
    let how = match change.how {
        migrate::How::Fields(fields) => state::How::Fields(of_fields(fields, offset)),
        migrate::How::Variants(variants) => {
            let variants = variants.into_iter().map(|variant| state::VariantChange {
                old: variant.old,
                new: variant.new,
                fields: of_fields(variant.fields, offset),
            });
            state::How::Variants(variants.collect())
        }
        migrate::How::Elements(elements) => {
            let elements = elements.into_iter();
            state::How::Elements(elements.map(|it| it.map(|at| at + offset)).collect())
        }
    };
    state::TypeChange {
        old: change.old,
        new: change.new,
        old_size: change.old_size,
        new_size: change.new_size,
        how,
    }
}

fn of_fields(fields: migrate::Fields, offset: u32) -> state::Fields {
    let source = |source| match source {
        migrate::Source::Same { from } => state::Source::Same { from },
        migrate::Source::Changed { from, by } => state::Source::Changed {
            from,
            by: by + offset,
        },
        migrate::Source::Default => state::Source::Default,
        migrate::Source::With { from } => state::Source::With { from },
        migrate::Source::Back { from } => state::Source::Back { from },
    };
    let new = fields.new.into_iter().map(|field| state::FieldChange {
        name: field.name,
        source: source(field.source),
    });
    state::Fields {
        new: new.collect(),
        removed: fields.removed,
    }
}
