//! Cells of a version: statics of the runtime's type `Live`, whose values change their layout with
//! the code.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::Result;
use hotswap_layout::{Descriptions, Program, Text};
use object::read::elf::ElfFile64;
use object::{Object, ObjectSymbol};

use crate::entries;
use crate::facts::Analysed;
use crate::image::renamed::Renamed;
use crate::unit::Unit;

/// Where a handle holds the function that makes the first value, in bytes: the runtime's `Live` is
/// `repr(C)`, and its layout is part of the protocol.
const INIT: u64 = 8;

/// Where it holds the function that gives the type's schema, in bytes.
const SCHEMA: u64 = 16;

/// One cell of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellFacts {
    /// The path that it is known by, told from that of a namesake's.
    pub path: String,
    /// Its path in the source.
    pub name: String,
    /// The mangled name of its static.
    pub symbol: String,
    /// The full name of the value's type.
    pub type_name: String,
    /// The deep fingerprint of that type.
    pub fingerprint: String,
    /// The symbol of the function that makes the first value.
    pub init: Option<String>,
    /// The symbol of the function that gives the type's schema.
    pub schema: Option<String>,
}

/// Finds the cells of all units. Two of one path are none: nothing tells them apart, so they are
/// statics like others.
pub fn of_units(
    units: &[Unit],
    analysed: &[Vec<Arc<Analysed>>],
    types: &Program,
    renamed: &Renamed,
) -> Vec<CellFacts> {
    let mut cells: Vec<CellFacts> = Vec::new();
    let mut seen: HashSet<String> = HashSet::new();
    for (unit, objects) in units.iter().zip(analysed) {
        let namesake = entries::is_namesake(unit, units);
        for object in objects {
            for facts in &object.facts.statics {
                let Some(value) = types.cell(&facts.symbol) else {
                    continue;
                };
                let path = renamed.known_by(&unit.id(), &facts.path);
                let path = entries::qualified(&path, namesake);
                if !seen.insert(path.clone()) {
                    cells.retain(|cell| cell.path != path);
                    continue;
                }
                let function = |offset| {
                    let mut all = object.facts.function_pointers.iter();
                    let found = all.find(|it| it.of == facts.symbol && it.offset == offset);
                    found.map(|it| it.function.clone())
                };
                cells.push(CellFacts {
                    path,
                    name: entries::qualified(&facts.path, namesake),
                    symbol: facts.symbol.clone(),
                    type_name: value.name,
                    fingerprint: value.fingerprint.to_string(),
                    init: function(INIT),
                    schema: function(SCHEMA),
                });
            }
        }
    }
    cells.sort_by(|a, b| a.path.cmp(&b.path));
    cells
}

/// What the types of all units say of themselves.
///
/// # Errors
///
/// A description is of another version of the runtime.
pub fn descriptions(analysed: &[Vec<Arc<Analysed>>]) -> Result<Descriptions> {
    let schemas = analysed.iter().flatten();
    let schemas = schemas.flat_map(|object| &object.facts.schemas);
    let texts = schemas.map(|schema| Text {
        symbol: &schema.symbol,
        text: &schema.text,
        function: schema.function.as_deref(),
    });
    Ok(Descriptions::read(texts)?)
}

/// The addresses of these symbols in a linked file, of those that it defines.
///
/// # Errors
///
/// The file is damaged.
pub fn addresses<'a>(
    file: &[u8],
    symbols: impl IntoIterator<Item = &'a str>,
) -> Result<HashMap<&'a str, u64>> {
    let wanted: HashSet<&str> = symbols.into_iter().collect();
    let mut found = HashMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let elf = ElfFile64::<object::Endianness>::parse(file)?;
    for symbol in elf.symbols().filter(ObjectSymbol::is_definition) {
        let name = symbol.name().ok().and_then(|name| wanted.get(name));
        found.extend(name.map(|name| (*name, symbol.address())));
    }
    Ok(found)
}
