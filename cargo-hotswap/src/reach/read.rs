//! Reads the references of one object file.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use hotswap_object::{ENTRY_SECTION, HOOK_SECTION, Pieces, SCHEMA_SECTION, STATIC_SECTION};
use object::read::elf::{ElfFile64, ElfSymbol64};
use object::{
    Object, ObjectSection, ObjectSymbol, RelocationKind, RelocationTarget, SectionIndex,
    SectionKind, SymbolKind,
};

use super::nodes::{Node, NodeSet, node_of};
use super::{Function, References, Section};
use crate::entries;
use crate::unit::ObjectFile;

/// What the names of sections with state start with.
const STATE: [&str; 4] = [".data", ".bss", ".tdata", ".tbss"];

/// Reads the references of an object.
///
/// # Errors
///
/// It is damaged.
pub(super) fn read(object: &ObjectFile) -> Result<References> {
    let pieces = hotswap_object::pieces(&object.bytes)?;
    let mut reader = Reader {
        elf: ElfFile64::parse(&*object.bytes)?,
        digest: object.digest,
        references: References {
            digest: object.digest,
            ..References::default()
        },
        inside: HashMap::new(),
        edges: Vec::new(),
    };
    reader.read_symbols()?;
    reader.read_sections()?;
    reader.take_pieces(&pieces);
    Ok(reader.finish())
}

struct Reader<'data> {
    elf: ElfFile64<'data>,
    digest: u128,
    references: References,
    /// What stands in a section.
    inside: HashMap<SectionIndex, Vec<Node>>,
    edges: Vec<(Node, Node)>,
}

impl Reader<'_> {
    /// The node of something that has no name outside of this object.
    fn local(&self, kind: u8, index: usize) -> Node {
        let mut place = self.digest.to_le_bytes().to_vec();
        place.push(kind);
        place.extend(index.to_le_bytes());
        xxhash_rust::xxh3::xxh3_64(&place)
    }

    fn section(&self, index: usize) -> Node {
        self.local(0, index)
    }

    fn symbol(&self, symbol: &ElfSymbol64<'_, '_>) -> Result<Node> {
        Ok(match (symbol.kind(), symbol.section_index()) {
            (SymbolKind::Section, Some(section)) => self.section(section.0),
            _ if symbol.is_local() => self.local(1, symbol.index().0),
            _ => node_of(symbol.name()?),
        })
    }

    /// What the object defines and needs.
    fn read_symbols(&mut self) -> Result<()> {
        let mut references = std::mem::take(&mut self.references);
        let (mut descriptors, mut bodies) = (Vec::new(), Vec::new());
        for symbol in self.elf.symbols() {
            let (node, name) = (self.symbol(&symbol)?, symbol.name()?);
            if name.is_empty() || symbol.kind() == SymbolKind::Section {
                continue;
            }
            let Some(section) = symbol.section_index() else {
                if symbol.is_undefined() {
                    references.needs.push(node);
                }
                continue;
            };
            let place = self.elf.section_by_index(section)?;
            let place = place.name()?;
            let is_text = symbol.kind() == SymbolKind::Text;
            if (is_text && may_be_body(name)) || is_own(place) {
                references.own.push(node);
            }
            if is_text && may_be_body(name) {
                bodies.push((name, self.section(section.0)));
            } else if place == ENTRY_SECTION {
                descriptors.push(name);
            }
            if is_text {
                references.functions.push(Function {
                    name: name.to_owned(),
                    named: node_of(name),
                    node,
                    section: self.section(section.0),
                });
            }
            if STATE.iter().any(|state| place.starts_with(state)) {
                references.statics.push((name.to_owned(), node));
            }
            if !symbol.is_local() {
                references.defines.push(node);
            }
            self.inside.entry(section).or_default().push(node);
        }
        references.defines.sort_unstable();
        references.defines.dedup();
        references.bodies = bodies_of(&descriptors, &bodies);
        self.references = references;
        Ok(())
    }

    /// Who refers to whom: what has a name to the section that it stands in, that to all it mentions.
    fn read_sections(&mut self) -> Result<()> {
        for section in self.elf.sections() {
            let name = section.name().unwrap_or_default();
            if name.starts_with(".debug") || name.starts_with(".eh_frame") {
                continue;
            }
            if is_gathered(name) {
                let bounds = ["__start_", "__stop_"];
                let bounds = bounds.map(|bound| node_of(&format!("{bound}{name}")));
                self.references.gathered.extend(bounds);
            }
            let place = self.section(section.index().0);
            let is_code = section.kind() == SectionKind::Text;
            let inside = self.inside.get(&section.index()).into_iter().flatten();
            self.edges.extend(inside.map(|&node| (node, place)));
            for (_, relocation) in section.relocations() {
                if let RelocationTarget::Symbol(index) = relocation.target() {
                    let symbol = self.elf.symbol_by_index(index)?;
                    let target = self.symbol(&symbol)?;
                    self.edges.push((place, target));
                    if !is_code && relocation.kind() == RelocationKind::Relative {
                        let section = symbol.section_index();
                        let section = section.map(|index| self.section(index.0));
                        self.references.near.push(section.unwrap_or(target));
                    }
                }
            }
        }
        Ok(())
    }

    /// By what sections are known again, and what only unwinding refers to.
    fn take_pieces(&mut self, pieces: &Pieces) {
        for (section, name) in &pieces.constants {
            let section = self.section(*section);
            let names = self.references.constants.entry(section).or_default();
            names.push(name.clone());
        }
        let unwound = pieces.unwound_by.iter();
        let unwound = unwound.map(|&(of, table)| (self.section(of), self.section(table)));
        let unwound: Vec<_> = unwound.collect();
        self.edges.extend(unwound);
        let always = pieces.for_unwinding.iter().map(|&at| self.section(at));
        self.references.always = always.collect();
        let nameless = pieces.nameless.iter().map(|&index| (index, None));
        let named = pieces.named.iter();
        let named = named.map(|(&index, &digest)| (index, Some(digest)));
        let sections = nameless.chain(named).map(|(index, digest)| Section {
            index,
            node: self.section(index),
            digest,
        });
        let mut sections: Vec<Section> = sections.collect();
        sections.sort_unstable_by_key(|section| section.node);
        self.references.sections = sections;
    }

    fn finish(mut self) -> References {
        let mut near = std::mem::take(&mut self.references.near);
        near.sort_unstable();
        near.dedup();
        // Not the places in code that tables for jumps lead to.
        let needs: NodeSet = self.references.needs.iter().copied().collect();
        let constants = &self.references.constants;
        near.retain(|node| constants.contains_key(node) || needs.contains(node));
        self.references.near = near;
        self.references.edges = self.edges.into_iter().collect();
        self.references
    }
}

/// The sections with bodies of the entries that have these descriptors, of those that may be some.
fn bodies_of(descriptors: &[&str], all: &[(&str, Node)]) -> NodeSet {
    let described = descriptors
        .iter()
        .filter_map(|it| entries::of_descriptor(it));
    let described: HashSet<String> = described.collect();
    if described.is_empty() {
        return NodeSet::default();
    }
    let is_body = |name: &str| entries::of_body(name).is_some_and(|it| described.contains(&it));
    let bodies = all.iter().filter(|(name, _)| is_body(name));
    bodies.map(|(_, section)| *section).collect()
}

/// Whether each version has what stands in this section for itself.
fn is_own(section: &str) -> bool {
    let own = [ENTRY_SECTION, SCHEMA_SECTION, STATIC_SECTION, HOOK_SECTION];
    own.contains(&section)
}

/// Whether a function may be an entry's body, a closure as a plain function: it is found by its name in
/// the image, next to the descriptor.
fn may_be_body(name: &str) -> bool {
    name.contains("9call_once")
}

/// Whether a linker gives such sections a start and an end symbol: their names are identifiers.
pub(super) fn is_gathered(section: &str) -> bool {
    let mut characters = section.chars();
    let identifier = characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|one| one.is_ascii_alphanumeric() || one == '_');
    // Entries, schemas, wishes and hooks are read by name, in each image those that are in it.
    identifier && !is_own(section)
}
