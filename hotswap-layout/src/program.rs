//! One version of a program: the facts of all objects of its hot crates, looked up by symbol.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use crate::error::LayoutError;
use crate::graph::{DECLARED, NONE, ObjectTypes, Symbol, VARIANT};
use crate::hash::{self, Fingerprint, Mixer, QuickSet};
use crate::names;

/// What the version's code and state hold that the next version's code may meet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Root {
    /// An entry that both versions have.
    Entry {
        /// Its canonical path.
        path: String,
        /// In the running version.
        old: EntryBody,
        /// In the patch.
        new: EntryBody,
    },
    /// A static that keeps its value.
    Static {
        /// Its canonical path.
        path: String,
        /// Its mangled name in the running version.
        old: String,
        /// Its mangled name in the patch.
        new: String,
    },
    /// A thread-local that keeps its values.
    ThreadLocal {
        /// Its canonical path.
        path: String,
        /// The mangled name of its storage in the running version.
        old: String,
        /// The mangled name of its storage in the patch.
        new: String,
    },
}

/// An entry's body in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryBody {
    /// The mangled name of the body closure `<entry>::{closure#0}`, or of the shim that makes a plain function of it.
    pub symbol: String,
    /// The signature's source text.
    pub signature: String,
}

/// What a static's type is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticType {
    /// The type's full name.
    pub name: String,
    /// The deep fingerprint of the type.
    pub fingerprint: Fingerprint,
    /// In bytes.
    pub size: Option<u64>,
}

/// A node of one of the program's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) object: u32,
    pub(crate) node: u32,
}

/// A symbol that an object knows the type of.
#[derive(Debug)]
struct Known {
    hash: u64,
    place: Place,
    name: u32,
    is_function: bool,
}

impl Place {
    /// Another node of the same object.
    pub(crate) fn at(self, node: u32) -> Place {
        Place { node, ..self }
    }
}

/// All that is known about the types of one version of a program.
#[derive(Debug)]
pub struct Program {
    objects: Vec<Arc<ObjectTypes>>,
    crates: BTreeSet<String>,
    symbols: OnceLock<Vec<Known>>,
    /// Full names, deep fingerprints and where they are, sorted.
    by_key: OnceLock<Vec<(u128, u128, Place)>>,
}

impl Program {
    /// Merges the objects of all hot crates of one version. `crates` are the names of these crates as they stand in paths:
    /// the objects of an incremental build do not tell.
    #[must_use]
    pub fn new(
        objects: impl IntoIterator<Item = Arc<ObjectTypes>>,
        crates: impl IntoIterator<Item = String>,
    ) -> Program {
        let objects: Vec<Arc<ObjectTypes>> = objects.into_iter().collect();
        Program {
            objects,
            crates: crates.into_iter().collect(),
            symbols: OnceLock::new(),
            by_key: OnceLock::new(),
        }
    }

    /// The identity of an entry's signature: its source text and every type reachable from its parameters and result.
    ///
    /// # Errors
    ///
    /// If there is no debug information about the body.
    pub fn entry_signature(
        &self,
        body_symbol: &str,
        source_text: &str,
    ) -> Result<Fingerprint, LayoutError> {
        let place = self
            .function(body_symbol)
            .ok_or_else(|| LayoutError::Unknown {
                symbol: body_symbol.to_owned(),
            })?;
        let mut mixer = Mixer::new(20);
        mixer.bytes(source_text.as_bytes());
        mixer.wide(self.deep(place));
        Ok(Fingerprint(mixer.finish()))
    }

    /// The type of a static or thread-local, by its mangled name.
    #[must_use]
    pub fn static_type(&self, linkage_name: &str) -> Option<StaticType> {
        let place = self.variable(linkage_name)?;
        let object = self.object(place);
        Some(StaticType {
            name: object.full_name(place.node),
            fingerprint: Fingerprint(self.deep(place)),
            size: object.node(place.node).size,
        })
    }

    pub(crate) fn objects(&self) -> &[Arc<ObjectTypes>] {
        &self.objects
    }

    pub(crate) fn object(&self, place: Place) -> &ObjectTypes {
        &self.objects[place.object as usize]
    }

    pub(crate) fn deep(&self, place: Place) -> u128 {
        self.object(place).deep[place.node as usize]
    }

    pub(crate) fn shallow(&self, place: Place) -> u128 {
        self.object(place).shallow[place.node as usize]
    }

    pub(crate) fn flags(&self, place: Place) -> u8 {
        self.object(place).node(place.node).flags
    }

    pub(crate) fn is_hot(&self, path: &str) -> bool {
        self.crates.contains(names::crate_of(path))
    }

    pub(crate) fn is_hot_crate(&self, name: &str) -> bool {
        self.crates.contains(name)
    }

    /// All nodes of all objects.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        (0..).zip(&self.objects).flat_map(|(object, types)| {
            (0..types.nodes.len() as u32).map(move |node| Place { object, node })
        })
    }

    /// The definitions of the type with this full name; more than one if they differ.
    pub(crate) fn definitions(&self, key: u128) -> Vec<Place> {
        let by_key = self.by_key.get_or_init(|| {
            let is_definition = |place: &Place| {
                let node = self.object(*place).node(place.node);
                node.name != 0 && node.flags & (DECLARED | VARIANT) == 0
            };
            let key = |place: Place| self.object(place).keys[place.node as usize];
            let mut known: Vec<(u128, u128, Place)> = self
                .places()
                .filter(is_definition)
                .map(|place| (key(place), self.deep(place), place))
                .collect();
            known
                .sort_unstable_by_key(|(key, deep, place)| (*key, *deep, place.object, place.node));
            known.dedup_by_key(|(key, deep, _)| (*key, *deep));
            known
        });
        let start = by_key.partition_point(|(known, ..)| *known < key);
        by_key[start..]
            .iter()
            .take_while(|(known, ..)| *known == key)
            .map(|(.., place)| *place)
            .collect()
    }

    /// The signature of a function. Where several objects know it, the one with the most parameters counts: an optimised
    /// copy may have lost some.
    pub(crate) fn function(&self, symbol: &str) -> Option<Place> {
        self.found(symbol, true).max_by_key(|place| {
            (
                self.object(*place).items(place.node).len(),
                std::cmp::Reverse(place.object),
            )
        })
    }

    pub(crate) fn variable(&self, symbol: &str) -> Option<Place> {
        self.found(symbol, false).find(|place| place.node != NONE)
    }

    fn found(&self, symbol: &str, is_function: bool) -> impl Iterator<Item = Place> {
        let symbols = self.symbols.get_or_init(|| self.index());
        let hash = hash::of_symbol(symbol);
        let start = symbols.partition_point(|known| known.hash < hash);
        symbols[start..]
            .iter()
            .take_while(move |known| known.hash == hash)
            .filter(move |known| {
                let object = self.object(known.place);
                known.is_function == is_function && object.name(known.name) == symbol
            })
            .map(|known| known.place)
    }

    fn index(&self) -> Vec<Known> {
        let mut known = Vec::new();
        for (object, types) in (0..).zip(&self.objects) {
            let mut add = |symbols: &[Symbol], is_function| {
                known.extend(symbols.iter().map(|symbol| Known {
                    hash: symbol.hash,
                    place: Place {
                        object,
                        node: symbol.node,
                    },
                    name: symbol.name,
                    is_function,
                }));
            };
            add(&types.functions, true);
            add(&types.statics, false);
        }
        known.sort_unstable_by_key(|known| (known.hash, known.place.object));
        known
    }

    /// The objects whose facts `other` does not have too.
    pub(crate) fn differing(&self, other: &Program) -> Vec<u32> {
        let theirs: QuickSet<u128> = other.objects.iter().map(|object| object.content).collect();
        (0..)
            .zip(&self.objects)
            .filter(|(_, object)| !theirs.contains(&object.content))
            .map(|(number, _)| number)
            .collect()
    }
}
