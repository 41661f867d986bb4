//! What differs between two versions at all: a quick look that tells how much a walk has to see.

use crate::graph::{DECLARED, Kind, NONE, ObjectTypes, Slot, VARIANT};
use crate::hash::{self, Mixer, QuickMap, QuickSet};
use crate::names;
use crate::program::{Place, Program};

/// A type whose deep layout differs, by its full name.
#[derive(Clone, Debug)]
pub(super) struct ChangedType {
    /// Its full name without positions.
    pub(super) name: String,
    pub(super) old: Place,
    pub(super) new: Place,
}

/// The differences of two versions, over-estimated.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Types of the same name in both versions that differ deeply.
    pub(super) types: Vec<ChangedType>,
    /// Equal fingerprints don't prove trait objects equal: a type that they may name has changed, or a hot trait has.
    pub(super) open_matters: bool,
}

impl Changes {
    pub(super) fn between(old: &Program, new: &Program) -> Changes {
        let (old_objects, new_objects) = (old.differing(new), new.differing(old));
        if old_objects.is_empty() && new_objects.is_empty() {
            return Changes::default();
        }
        let types = changed_types(old, new, &old_objects, &new_objects);
        // Of all objects, since a vtable may be in an object that is the same while its methods' signatures are not.
        let open_matters = !types.is_empty() || hot_vtables(old, new) != hot_vtables(new, old);
        Changes {
            types,
            open_matters,
        }
    }
}

/// The versions of one type that objects hold; more than one where a name is ambiguous.
struct Definitions {
    deep: Vec<u128>,
    place: Place,
}

fn definitions(program: &Program, objects: &[u32]) -> QuickMap<u128, Definitions> {
    let mut found: QuickMap<u128, Definitions> = QuickMap::default();
    for object in objects {
        let types = &program.objects()[*object as usize];
        for node in (0..types.nodes.len() as u32).filter(|node| is_declared_by_user(types, *node)) {
            let deep = types.deep[node as usize];
            let place = Place {
                object: *object,
                node,
            };
            let definitions = found
                .entry(types.keys[node as usize])
                .or_insert(Definitions {
                    deep: Vec::new(),
                    place,
                });
            if !definitions.deep.contains(&deep) {
                definitions.deep.push(deep);
            }
        }
    }
    found
}

fn is_declared_by_user(types: &ObjectTypes, id: u32) -> bool {
    let node = types.node(id);
    matches!(node.kind, Kind::Struct | Kind::Union | Kind::Enumeration)
        && node.scope != NONE
        && node.flags & (DECLARED | VARIANT) == 0
        && !types
            .crate_of(id)
            .is_none_or(|name| matches!(name, "core" | "alloc" | "std"))
}

fn changed_types(
    old: &Program,
    new: &Program,
    old_objects: &[u32],
    new_objects: &[u32],
) -> Vec<ChangedType> {
    let (before, after) = (definitions(old, old_objects), definitions(new, new_objects));
    let mut changed: Vec<ChangedType> = before
        .iter()
        .filter_map(|(key, old_definitions)| {
            let new_definitions = after.get(key)?;
            let same = old_definitions.deep.len() == new_definitions.deep.len()
                && old_definitions
                    .deep
                    .iter()
                    .all(|deep| new_definitions.deep.contains(deep));
            let (old_place, new_place) = (old_definitions.place, new_definitions.place);
            let name = || old.object(old_place).identity(old_place.node);
            (!same).then(|| ChangedType {
                name: name(),
                old: old_place,
                new: new_place,
            })
        })
        .filter(|change| !names::is_unnamed(&change.name))
        .collect();
    changed.sort_by(|a, b| a.name.cmp(&b.name));
    changed
}

/// Hashes of the vtables of hot traits: type, trait, slots and the slots' signatures.
fn hot_vtables(program: &Program, other: &Program) -> QuickSet<u128> {
    let mut found = QuickSet::default();
    for types in program.objects() {
        for vtable in &types.vtables {
            let name = types.name(vtable.name);
            let is_hot = names::vtable_parts(name)
                .is_some_and(|(_, of)| program.is_hot(of) || other.is_hot(of));
            if !is_hot {
                continue;
            }
            let mut mixer = Mixer::new(30);
            mixer.wide(hash::of_bytes(names::without_positions(name).as_bytes()));
            for slot in &vtable.slots {
                match slot {
                    Slot::Vacant => mixer.word(0),
                    Slot::Vtable => mixer.word(1),
                    Slot::Function(symbol) => {
                        let symbol = types.name(*symbol);
                        mixer.bytes(symbol.as_bytes());
                        mixer.wide(
                            program
                                .function(symbol)
                                .map_or(0, |place| program.deep(place)),
                        );
                    }
                }
            }
            found.insert(mixer.finish());
        }
    }
    found
}

/// The types that code can tell by their `TypeId` alone. The vtable of an `Error` asks for one too, for a downcast that is
/// seen where it is made, so it does not count by itself.
pub(super) fn identified(program: &Program) -> Vec<Place> {
    let mut errors = QuickSet::default();
    for types in program.objects() {
        for vtable in types.vtables.iter().filter(|vtable| vtable.node != NONE) {
            let of_error = names::vtable_parts(types.name(vtable.name))
                .is_some_and(|(_, of)| of == "core::error::Error");
            if of_error {
                errors.insert(types.keys[vtable.node as usize]);
            }
        }
    }
    let mut seen = QuickSet::default();
    let mut places = Vec::new();
    for (object, types) in (0..).zip(program.objects()) {
        let asked = types
            .asked
            .iter()
            .filter(|node| **node != NONE && !errors.contains(&types.keys[**node as usize]));
        for node in types.identified.iter().chain(asked) {
            let place = Place {
                object,
                node: *node,
            };
            if *node != NONE && seen.insert(program.deep(place)) {
                places.push(place);
            }
        }
    }
    places
}
