//! Who refers to whom: from the relocations of object files, which machine code an edit concerns.
//!
//! Nodes are symbols and sections, named by 64-bit digests; an edge leads from what refers to what
//! is referred to. rustc gives each function and constant a section of its own, so a section stands
//! for what is in it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use anyhow::Result;
use hotswap_object::{ENTRY_SECTION, SCHEMA_SECTION, STATIC_SECTION};
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionIndex, SymbolKind};

use crate::facts::read_all;
use crate::image::Part;
use crate::unit::ObjectFile;

mod graph;
mod needed;
mod nodes;

pub use graph::Graph;
pub use needed::{Parts, Seeds};
use nodes::Edges;
pub use nodes::{Node, NodeMap, NodeSet, node_of};

/// What the names of sections with state start with.
const STATE: [&str; 4] = [".data", ".bss", ".tdata", ".tbss"];

/// The references of one object.
#[derive(Debug, Default)]
struct References {
    /// The content digest of the object.
    digest: u128,
    /// Functions that the object defines.
    functions: Vec<Function>,
    /// Its writable statics and thread-locals, by mangled name.
    statics: Vec<(String, Node)>,
    /// Symbols that it defines for others, in order.
    defines: Vec<Node>,
    /// Symbols that it needs of others.
    needs: Vec<Node>,
    /// From what refers to what is referred to.
    edges: Edges,
    /// The same backwards, once somebody asks.
    backwards: OnceLock<Edges>,
    /// The symbols for start and end of its sections that the linker gathers under one name, as
    /// registrations do it.
    gathered: Vec<Node>,
    /// Its sections that are loaded.
    sections: Vec<Section>,
    /// Nodes of what each version has of its own: descriptors, schemas, bodies of entries.
    own: Vec<Node>,
    /// Sections that come along with any other.
    always: Vec<Node>,
    /// From functions to those whose code they hold, by mangled names, where it was asked for.
    inlined: OnceLock<Vec<(String, String)>>,
}

/// A section that is loaded.
#[derive(Debug, Clone, Copy)]
struct Section {
    /// Its index in the object.
    index: usize,
    node: Node,
    /// By which it is known again, if something in it has a name.
    digest: Option<u64>,
}

/// A function that an object defines.
#[derive(Debug)]
struct Function {
    /// Its mangled name.
    name: String,
    /// The node that the name stands for where others see it.
    named: Node,
    node: Node,
    /// The section that it stands in: references may name that instead.
    section: Node,
}

/// The references of all objects of a program, kept from version to version.
#[derive(Debug, Default)]
pub struct Index {
    /// By content digest.
    objects: HashMap<u128, Arc<References>>,
    /// The objects that define a symbol.
    definers: NodeMap<Vec<u128>>,
    /// The objects that need a symbol.
    users: NodeMap<Vec<u128>>,
    /// What each version has of its own.
    own: NodeSet,
}

impl Index {
    /// Takes in what is new among these objects, and forgets all that is not among them.
    ///
    /// # Errors
    ///
    /// An object is damaged.
    pub fn update(&mut self, objects: &[&ObjectFile]) -> Result<()> {
        let now: HashSet<u128> = objects.iter().map(|object| object.digest).collect();
        let gone: Vec<u128> = self.objects.keys().copied().collect();
        for digest in gone.into_iter().filter(|digest| !now.contains(digest)) {
            self.forget(digest);
        }
        let known = &self.objects;
        let new: Vec<&ObjectFile> = objects
            .iter()
            .filter(|object| !known.contains_key(&object.digest))
            .copied()
            .collect();
        for (object, references) in new.iter().zip(read_all(&new, read)?) {
            self.add(object.digest, references);
        }
        Ok(())
    }

    fn add(&mut self, digest: u128, references: References) {
        for &node in &references.defines {
            self.definers.entry(node).or_default().push(digest);
        }
        for &node in &references.needs {
            self.users.entry(node).or_default().push(digest);
        }
        // What goes leaves its name here; it is a name of the same kind in any object.
        self.own.extend(&references.own);
        self.objects.insert(digest, Arc::new(references));
    }

    fn forget(&mut self, digest: u128) {
        let Some(references) = self.objects.remove(&digest) else {
            return;
        };
        let remove = |map: &mut NodeMap<Vec<u128>>, node: &Node| {
            if let Some(objects) = map.get_mut(node) {
                objects.retain(|&other| other != digest);
            }
        };
        for node in &references.defines {
            remove(&mut self.definers, node);
        }
        for node in &references.needs {
            remove(&mut self.users, node);
        }
    }

    /// The references among the objects of which these are parts.
    pub fn graph(&self, parts: &[Part]) -> Graph {
        let known = parts.iter().filter_map(|part| {
            let object = self.objects.get(&part.object.digest)?;
            let meant = |section: &&Section| {
                let sections = part.sections.as_ref();
                sections.is_none_or(|sections| sections.contains(&section.index))
            };
            let sections = object.sections.iter().filter(meant);
            Some((Arc::clone(object), sections.map(|one| one.node).collect()))
        });
        Graph::of(known)
    }
}

/// The canonical path of a function without its generic arguments; closures and async bodies are
/// counted to the function they stand in.
pub fn function_path(symbol: &str) -> String {
    function_of(&hotswap_object::canonical_path(symbol))
}

/// The function that a canonical path leads to or into: `app::f` of `app::f::<u8>::{closure#0}`. What
/// stands in its self type and in arguments says nothing of where it stands.
pub fn function_of(canonical: &str) -> String {
    let (mut path, mut rest) = canonical.split_at(bracketed(canonical));
    let mut function = path.to_owned();
    while !rest.is_empty() && !rest.starts_with("::{") {
        let separator = rest.len() - rest.trim_start_matches("::").len();
        let arguments = bracketed(&rest[separator..]);
        if arguments > 0 {
            rest = &rest[separator + arguments..];
            continue;
        }
        let end = rest[separator..].find("::");
        (path, rest) = rest.split_at(end.map_or(rest.len(), |end| separator + end));
        function += path;
    }
    function
}

/// How long the part in angle brackets is with which the text begins.
fn bracketed(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut before = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' if before != b'-' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return if at == 0 { 0 } else { at + 1 };
        }
        before = byte;
    }
    0
}

/// Whether this is the `main` of a crate.
pub fn is_main(symbol: &str) -> bool {
    let path = hotswap_object::canonical_path(symbol);
    path.split("::").collect::<Vec<_>>()[1..] == ["main"]
}

fn read(object: &ObjectFile) -> Result<References> {
    let elf = ElfFile64::<object::Endianness>::parse(&*object.bytes)?;
    let pieces = hotswap_object::pieces(&object.bytes)?;
    let own = |kind: u8, index: usize| {
        let mut place = object.digest.to_le_bytes().to_vec();
        place.push(kind);
        place.extend(index.to_le_bytes());
        xxhash_rust::xxh3::xxh3_64(&place)
    };
    let node = |symbol: &object::read::elf::ElfSymbol64<'_, '_>| -> Result<Node> {
        Ok(match (symbol.kind(), symbol.section_index()) {
            (SymbolKind::Section, Some(section)) => own(0, section.0),
            _ if symbol.is_local() => own(1, symbol.index().0),
            _ => node_of(symbol.name()?),
        })
    };
    let mut references = References {
        digest: object.digest,
        ..References::default()
    };
    let mut edges = Vec::new();
    let mut inside: HashMap<SectionIndex, Vec<Node>> = HashMap::new();
    for symbol in elf.symbols() {
        let (node, name) = (node(&symbol)?, symbol.name()?);
        if name.is_empty() || symbol.kind() == SymbolKind::Section {
            continue;
        }
        let Some(section) = symbol.section_index() else {
            if symbol.is_undefined() {
                references.needs.push(node);
            }
            continue;
        };
        let is_text = symbol.kind() == SymbolKind::Text;
        if (is_text && may_be_body(name)) || is_own(elf.section_by_index(section)?.name()?) {
            references.own.push(node);
        }
        if is_text {
            references.functions.push(Function {
                name: name.to_owned(),
                named: node_of(name),
                node,
                section: own(0, section.0),
            });
        }
        let is_state = |name: &str| STATE.iter().any(|state| name.starts_with(state));
        if is_state(elf.section_by_index(section)?.name()?) {
            references.statics.push((name.to_owned(), node));
        }
        if !symbol.is_local() {
            references.defines.push(node);
        }
        inside.entry(section).or_default().push(node);
    }
    for section in elf.sections() {
        let name = section.name().unwrap_or_default();
        if name.starts_with(".debug") || name.starts_with(".eh_frame") {
            continue;
        }
        if is_gathered(name) {
            let bounds = ["__start_", "__stop_"];
            let bounds = bounds.map(|bound| node_of(&format!("{bound}{name}")));
            references.gathered.extend(bounds);
        }
        let place = own(0, section.index().0);
        for &node in inside.get(&section.index()).into_iter().flatten() {
            edges.push((node, place));
        }
        for (_, relocation) in section.relocations() {
            if let RelocationTarget::Symbol(index) = relocation.target() {
                let target = node(&elf.symbol_by_index(index)?)?;
                edges.push((place, target));
            }
        }
    }
    let of_sections = pieces.unwound_by.iter();
    edges.extend(of_sections.map(|&(function, table)| (own(0, function), own(0, table))));
    references.defines.sort_unstable();
    references.defines.dedup();
    references.edges = edges.into_iter().collect();
    references.always = pieces.for_unwinding.iter().map(|&at| own(0, at)).collect();
    let nameless = pieces.nameless.iter().map(|&index| (index, None));
    let named = pieces
        .named
        .iter()
        .map(|(&index, &digest)| (index, Some(digest)));
    let sections = nameless.chain(named).map(|(index, digest)| Section {
        index,
        node: own(0, index),
        digest,
    });
    references.sections = sections.collect();
    references
        .sections
        .sort_unstable_by_key(|section| section.node);
    Ok(references)
}

/// Whether each version has what stands in this section for itself.
fn is_own(section: &str) -> bool {
    [ENTRY_SECTION, SCHEMA_SECTION, STATIC_SECTION].contains(&section)
}

/// Whether a function may be an entry's body, a closure as a plain function: it is found by its name in
/// the image, next to the descriptor.
fn may_be_body(name: &str) -> bool {
    name.contains("9call_once")
}

/// Whether a linker gives such sections a start and an end symbol: their names are identifiers.
fn is_gathered(section: &str) -> bool {
    let mut characters = section.chars();
    let identifier = characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|one| one.is_ascii_alphanumeric() || one == '_');
    // Entries, schemas and wishes are read by name, in each image those that are in it.
    identifier && !is_own(section)
}

#[cfg(test)]
mod tests;
