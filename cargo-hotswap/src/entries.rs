//! Entries in a linked file: where their descriptors and bodies lie, and their fingerprints.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use hotswap_layout::Program;
use hotswap_object::{canonical_path, exact_path, identity};
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, RelocationTarget};

use crate::facts::Analysed;
use crate::unit::{Unit, UnitKind};

/// The name of every entry's descriptor, the last component of its path.
const DESCRIPTOR: &str = "::__HOTSWAP_ENTRY";

/// The section that holds the descriptors.
const SECTION: &str = "hotswap_entries";

/// Where a descriptor holds the pointers to its name's and its signature's text, in bytes: the runtime's
/// `Descriptor` is `repr(C)`, and its layout is part of the protocol. Each text's length is behind.
const NAME: u64 = 8;
const SIGNATURE: u64 = 24;

/// One entry of a linked file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryFacts {
    /// Its canonical path without the numbers of closures; one of a library that has the executable's
    /// name begins `name[lib]::`.
    pub path: String,
    /// `module::path::function`, without the type that a method is of.
    pub name: String,
    /// The descriptor's virtual address.
    pub descriptor: u64,
    /// The body's virtual address.
    pub body: u64,
    /// The body's symbol, by which the debug information knows it.
    pub body_symbol: String,
    /// The signature as written.
    pub signature: String,
    /// The fingerprint of the signature's types.
    pub fingerprint: String,
}

/// Whether a unit is the library that has the executable's name, as in a package with `lib.rs` and
/// `main.rs`.
pub fn is_namesake(unit: &Unit, units: &[Unit]) -> bool {
    let executable = units.iter().find(|unit| unit.kind == UnitKind::Executable);
    unit.kind == UnitKind::Library && executable.is_some_and(|other| other.name == unit.name)
}

/// The descriptors of the library that has the executable's name, by symbol.
pub fn of_namesake(units: &[Unit], analysed: &[Vec<Arc<Analysed>>]) -> HashSet<String> {
    let namesakes = units
        .iter()
        .zip(analysed)
        .filter(|(unit, _)| is_namesake(unit, units));
    let entries = namesakes.flat_map(|(_, objects)| objects.iter().flat_map(|o| &o.facts.entries));
    entries.map(|entry| entry.descriptor.clone()).collect()
}

/// The paths of the entries that these objects define.
pub fn paths(objects: &[Arc<Analysed>], namesake: &HashSet<String>) -> Vec<String> {
    let entries = objects.iter().flat_map(|object| &object.facts.entries);
    let path = |entry: &hotswap_object::EntryFacts| {
        qualified(&entry.path, namesake.contains(&entry.descriptor))
    };
    entries.map(path).collect()
}

/// Finds the entries of a linked file; `namesake` are the descriptors that [`of_namesake`] finds.
///
/// # Errors
///
/// The file is damaged, several entries have one path, one has several bodies (it stands in a
/// generic `impl`), or the debug information of its signature is missing.
pub fn read(file: &[u8], types: &Program, namesake: &HashSet<String>) -> Result<Vec<EntryFacts>> {
    let elf = ElfFile64::<object::Endianness>::parse(file)?;
    let Some(section) = elf.section_by_name(SECTION) else {
        return Ok(Vec::new());
    };
    let range = section.address()..section.address() + section.size();
    // By path: the path with the crate's hash, and the address.
    let mut descriptors: BTreeMap<String, (String, u64)> = BTreeMap::new();
    let mut bodies: HashMap<String, Vec<(String, u64)>> = HashMap::new();
    for symbol in elf.symbols() {
        let Ok(name) = symbol.name() else { continue };
        if range.contains(&symbol.address()) {
            let (path, exact) = (canonical_path(name), exact_path(name));
            if let Some((path, exact)) = path
                .strip_suffix(DESCRIPTOR)
                .zip(exact.strip_suffix(DESCRIPTOR))
            {
                let path = qualified(path, namesake.contains(name));
                let found = (exact.to_owned(), symbol.address());
                let other = descriptors.insert(path.clone(), found.clone());
                if other.is_some_and(|other| other != found) {
                    bail!(several_entries(&path));
                }
            }
        } else if name.contains("9call_once") && symbol.is_definition() {
            let exact = exact_path(name);
            if let Some(entry) = entry_of_body(&exact) {
                let body = (name.to_owned(), symbol.address());
                bodies.entry(entry.to_owned()).or_default().push(body);
            }
        }
    }
    let texts = DescriptorTexts::new(&elf, &range)?;
    let mut entries = Vec::new();
    for (path, (exact, descriptor)) in descriptors {
        let found = bodies.remove(&exact).unwrap_or_default();
        let (body_symbol, body) = match found.as_slice() {
            [one] => one,
            // A private function that nothing calls: the compiler left it out.
            [] => continue,
            many => bail!(several_bodies(&path, many.len())),
        };
        let text = |field| texts.read(&elf, descriptor, field);
        let signature = text(SIGNATURE)?;
        let fingerprint = types
            .entry_signature(body_symbol, &signature)
            .with_context(|| format!("the signature of entry `{path}` is not understood"))?;
        entries.push(EntryFacts {
            path,
            name: text(NAME)?,
            descriptor,
            body: *body,
            body_symbol: body_symbol.clone(),
            signature,
            fingerprint: fingerprint.to_string(),
        });
    }
    Ok(entries)
}

/// The path under which an entry is known: that of a namesake's is told from the executable's own,
/// and closures around it have no numbers, since these change when another comes to stand before.
pub fn qualified(path: &str, of_namesake: bool) -> String {
    let path = &*identity(path);
    let name = path.find(|part: char| !(part.is_alphanumeric() || matches!(part, '_' | '<' | '&')));
    match name {
        Some(end) if of_namesake => format!("{}[lib]{}", &path[..end], &path[end..]),
        _ => path.to_owned(),
    }
}

fn several_entries(path: &str) -> String {
    format!(
        "two entries have the path `{path}`, so that nothing tells them apart; give one of the \
         functions another name"
    )
}

fn several_bodies(path: &str, count: usize) -> String {
    format!(
        "entry `{path}` has {count} bodies, so it stands in a generic `impl`; one entry is one \
         function. Mark a function that is not generic and have it call this one"
    )
}

/// The path, with its crate's hash, of the entry that this symbol is the descriptor of.
pub fn of_descriptor(symbol: &str) -> Option<String> {
    let path = exact_path(symbol);
    path.strip_suffix(DESCRIPTOR).map(str::to_owned)
}

/// The path of the entry that this symbol is the body of, if that is an entry.
pub fn of_body(symbol: &str) -> Option<String> {
    entry_of_body(&exact_path(symbol)).map(str::to_owned)
}

/// The entry whose body this is, by exact path: the closure in the entry, as a plain function.
fn entry_of_body(path: &str) -> Option<&str> {
    let inner = path.strip_prefix('<')?.strip_suffix(">::call_once")?;
    let (closure, of) = inner.split_once("::{closure#0} as core[")?;
    let (_, of) = of.split_once(']')?;
    of.starts_with("::ops::function::FnOnce<")
        .then_some(closure)
}

/// Texts of descriptors: pointers in the file, which only relocations tell.
struct DescriptorTexts(HashMap<u64, u64>);

impl DescriptorTexts {
    fn new(elf: &ElfFile64<'_>, range: &std::ops::Range<u64>) -> Result<Self> {
        let mut pointers = HashMap::new();
        let relocations = elf
            .dynamic_relocations()
            .context("the file has no relocations")?;
        for (offset, relocation) in relocations {
            if range.contains(&offset) && relocation.target() == RelocationTarget::Absolute {
                pointers.insert(offset, relocation.addend() as u64);
            }
        }
        Ok(Self(pointers))
    }

    fn read(&self, elf: &ElfFile64<'_>, descriptor: u64, field: u64) -> Result<String> {
        let damaged = || format!("the descriptor at {descriptor:#x} is not of this version");
        let start = *self.0.get(&(descriptor + field)).with_context(damaged)?;
        let length = bytes_at(elf, descriptor + field + 8, 8).with_context(damaged)?;
        let length = u64::from_le_bytes(length.try_into()?);
        let text = bytes_at(elf, start, length).with_context(damaged)?;
        Ok(std::str::from_utf8(text).with_context(damaged)?.to_owned())
    }
}

/// The initialised bytes at a virtual address.
fn bytes_at<'a>(elf: &ElfFile64<'a>, address: u64, length: u64) -> Option<&'a [u8]> {
    let mut segments = elf.segments();
    segments.find_map(|segment| segment.data_range(address, length).ok().flatten())
}

#[cfg(test)]
mod tests {
    use super::{entry_of_body, qualified};

    #[test]
    fn tells_the_entry_of_a_body() {
        for (path, expected) in [
            (
                "<app[1f]::greet::{closure#0} as core[2a]::ops::function::FnOnce<(u8,)>>::call_once",
                Some("app[1f]::greet"),
            ),
            (
                "<<app[1f]::W<u8> as app[1f]::Say>::say::{closure#0} as core[2a]::ops::function::FnOnce<()>>::call_once",
                Some("<app[1f]::W<u8> as app[1f]::Say>::say"),
            ),
            (
                "<app[1f]::greet::{closure#1} as core[2a]::ops::function::FnOnce<()>>::call_once",
                None,
            ),
            (
                "<app[1f]::greet::{closure#0} as app[1f]::Other<()>>::call_once",
                None,
            ),
        ] {
            assert_eq!(entry_of_body(path), expected, "{path}");
        }
    }

    #[test]
    fn tells_a_library_from_its_namesake() {
        for (path, expected) in [
            ("app::greet", "app[lib]::greet"),
            (
                "<app::W as app::Say>::say",
                "<app[lib]::W as app::Say>::say",
            ),
            (
                "<&app::W as app::Say>::say",
                "<&app[lib]::W as app::Say>::say",
            ),
        ] {
            assert_eq!(qualified(path, true), expected);
            assert_eq!(qualified(path, false), path);
        }
        let in_closure = qualified("app::f::{closure#2}::greet", false);
        assert_eq!(in_closure, "app::f::{closure}::greet");
    }
}
