//! Who refers to whom: from the relocations of object files, which machine code an edit concerns.
//!
//! Nodes are symbols and sections, named by 64-bit digests; an edge leads from what refers to what
//! is referred to. rustc gives each function and constant a section of its own, so a section stands
//! for what is in it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use anyhow::Result;

use crate::facts::read_all;
use crate::image::Part;
use crate::unit::ObjectFile;

mod graph;
mod needed;
mod nodes;
mod read;

pub use graph::Graph;
pub use needed::{Needed, Parts, Seeds};
use nodes::Edges;
pub use nodes::{Node, NodeMap, NodeSet, node_of};
use read::read;

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
    /// Read-only statics by name, in each section that has some.
    constants: NodeMap<Vec<String>>,
    /// What its data refers to by the distance from itself: that has to be in the same file.
    near: Vec<Node>,
    /// Nodes of what each version has of its own: descriptors, schemas, bodies of entries.
    own: Vec<Node>,
    /// Sections with bodies of entries, which are called through the table.
    bodies: NodeSet,
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

    /// For each unit, by its objects, the bounds of gathered sections that it adds to or reads.
    pub fn gathered<'a>(
        &self,
        units: impl Iterator<Item = &'a [ObjectFile]>,
    ) -> Vec<BTreeSet<Node>> {
        let all = self.objects.values().flat_map(|object| &object.gathered);
        let all: NodeSet = all.copied().collect();
        let of_unit = |objects: &[ObjectFile]| {
            let objects = objects.iter().filter(|_| !all.is_empty());
            let objects = objects.filter_map(|object| self.objects.get(&object.digest));
            let nodes = objects.flat_map(|object| object.gathered.iter().chain(&object.needs));
            nodes.filter(|node| all.contains(node)).copied().collect()
        };
        units.map(of_unit).collect()
    }

    /// Whether an object needs a symbol from elsewhere.
    pub fn needs(&self, object: &ObjectFile, symbol: Node) -> bool {
        let known = self.objects.get(&object.digest);
        known.is_some_and(|object| object.needs.contains(&symbol))
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

#[cfg(test)]
mod tests;
