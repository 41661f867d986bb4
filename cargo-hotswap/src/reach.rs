//! Who refers to whom: from the relocations of object files, which machine code an edit concerns.
//!
//! Nodes are symbols and sections, named by 64-bit digests; an edge leads from what refers to what
//! is referred to. rustc gives each function and constant a section of its own, so a section stands
//! for what is in it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use anyhow::Result;
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionIndex, SymbolKind};

use crate::facts::read_all;
use crate::unit::ObjectFile;

mod graph;
mod nodes;

pub use graph::Graph;
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
    /// It has a section that the linker gathers under one name, as registrations do it.
    gathered: bool,
    /// From functions to those whose code they hold, by mangled names, where it was asked for.
    inlined: OnceLock<Vec<(String, String)>>,
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

    /// The objects that an image needs if `changed` differ from the host's: those, all whose code
    /// or data leads to theirs, and what these need that the host does not give away. What is left
    /// out is in the host as it would be in the image.
    pub fn needed(
        &self,
        members: &[u128],
        changed: &[u128],
        exported: impl Fn(Node) -> bool,
    ) -> HashSet<u128> {
        let members: HashSet<u128> = members.iter().copied().collect();
        let mut needed: HashSet<u128> = changed.iter().copied().collect();
        self.add_users(&members, changed, &mut needed);
        // What is registered by standing in a section is registered once more in the image.
        let gathered = |digest: &&u128| {
            let object = self.objects.get(*digest);
            object.is_some_and(|object| object.gathered)
        };
        needed.extend(members.iter().filter(gathered).copied());
        self.add_definers(&members, &exported, &mut needed);
        needed
    }

    /// Follows references backwards from all that the changed objects define.
    fn add_users(&self, members: &HashSet<u128>, changed: &[u128], needed: &mut HashSet<u128>) {
        let defined = |digest: &u128| self.objects.get(digest).map(|object| &object.defines);
        let mut todo: Vec<Node> = changed
            .iter()
            .filter_map(defined)
            .flatten()
            .copied()
            .collect();
        let mut seen: NodeSet = todo.iter().copied().collect();
        // What was followed before, object by object.
        let mut followed: HashMap<u128, NodeSet> = HashMap::new();
        while let Some(node) = todo.pop() {
            let users = self.users.get(&node).into_iter().flatten();
            for digest in users.filter(|digest| members.contains(digest)) {
                needed.insert(*digest);
                let Some(object) = self.objects.get(digest) else {
                    continue;
                };
                let shown = object.shown_users(node, followed.entry(*digest).or_default());
                todo.extend(shown.into_iter().filter(|node| seen.insert(*node)));
            }
        }
    }

    /// Follows references forwards to what only members have.
    fn add_definers(
        &self,
        members: &HashSet<u128>,
        exported: impl Fn(Node) -> bool,
        needed: &mut HashSet<u128>,
    ) {
        let mut todo: Vec<u128> = needed.iter().copied().collect();
        while let Some(digest) = todo.pop() {
            let needs = self.objects.get(&digest).map(|object| &object.needs);
            for &node in needs.into_iter().flatten().filter(|node| !exported(**node)) {
                let definers = self.definers.get(&node).into_iter().flatten();
                for definer in definers.filter(|definer| members.contains(definer)) {
                    if needed.insert(*definer) {
                        todo.push(*definer);
                    }
                }
            }
        }
    }

    /// The references among these objects.
    pub fn graph(&self, objects: &[u128]) -> Graph {
        let known = objects.iter().filter_map(|digest| self.objects.get(digest));
        Graph::of(known.map(Arc::clone))
    }
}

impl References {
    /// Follows references backwards inside the object from a node to all that lead to it, and gives
    /// those among them that others see. What is in `known` was followed before.
    fn shown_users(&self, node: Node, known: &mut NodeSet) -> Vec<Node> {
        let backwards = self.backwards.get_or_init(|| self.edges.reversed());
        let mut shown = Vec::new();
        let mut todo = vec![node];
        while let Some(node) = todo.pop() {
            if known.insert(node) {
                todo.extend(backwards.of(node));
                if self.defines.binary_search(&node).is_ok() {
                    shown.push(node);
                }
            }
        }
        shown
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
        if symbol.kind() == SymbolKind::Text {
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
        references.gathered |= is_gathered(name);
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
    references.defines.sort_unstable();
    references.defines.dedup();
    references.edges = edges.into_iter().collect();
    Ok(references)
}

/// Whether a linker gives such sections a start and an end symbol: their names are identifiers.
fn is_gathered(section: &str) -> bool {
    let mut characters = section.chars();
    let identifier = characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|one| one.is_ascii_alphanumeric() || one == '_');
    // Entries, schemas and wishes are read by name, in each image those that are in it.
    let own = [
        hotswap_object::ENTRY_SECTION,
        hotswap_object::SCHEMA_SECTION,
        hotswap_object::STATIC_SECTION,
    ];
    identifier && !own.contains(&section)
}

#[cfg(test)]
mod tests;
