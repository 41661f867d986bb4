//! Trait objects: the order, the names and the signatures of the methods in vtables.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::diff::Child;
use crate::finding::Layout;
use crate::graph::{Item, NONE, Role, Slot};
use crate::names;
use crate::program::{Place, Program};

/// What became of a trait's objects.
#[derive(Debug, Default)]
pub(super) struct TraitChange {
    pub(super) differences: Vec<String>,
    pub(super) layouts: Option<(Layout, Layout)>,
    /// Arguments and results of the methods, at the same places in both versions.
    pub(super) children: Vec<Child>,
}

/// The vtables of one trait in one version.
type Vtables = Vec<Implementation>;

#[derive(Debug)]
struct Implementation {
    of: String,
    slots: Vec<NamedSlot>,
}

#[derive(Debug)]
struct NamedSlot {
    label: String,
    signature: Option<Place>,
}

/// The hot traits of two versions.
pub(super) struct Traits<'a> {
    old: &'a Program,
    new: &'a Program,
    tables: OnceCell<[HashMap<String, Vtables>; 2]>,
    known: RefCell<HashMap<String, Rc<TraitChange>>>,
}

impl<'a> Traits<'a> {
    pub(super) fn new(old: &'a Program, new: &'a Program) -> Traits<'a> {
        Traits {
            old,
            new,
            tables: OnceCell::new(),
            known: RefCell::new(HashMap::new()),
        }
    }

    /// Compares the objects of the trait that a `dyn` type is named for.
    pub(super) fn change(&self, trait_object: &str) -> Rc<TraitChange> {
        let name = names::principal_trait(trait_object).map_or_else(String::new, names::identity);
        if let Some(known) = self.known.borrow().get(&name) {
            return Rc::clone(known);
        }
        let change = Rc::new(self.compare(&name));
        self.known.borrow_mut().insert(name, Rc::clone(&change));
        change
    }

    fn compare(&self, name: &str) -> TraitChange {
        if !self.old.is_hot(name) && !self.new.is_hot(name) {
            return TraitChange::default();
        }
        let [before, after] = self.tables.get_or_init(|| {
            let is_hot = |of: &str| self.old.is_hot(of) || self.new.is_hot(of);
            [vtables(self.old, is_hot), vtables(self.new, is_hot)]
        });
        let (before, after) = match (before.get(name), after.get(name)) {
            (Some(before), Some(after)) => (before, after),
            (None, None) => return TraitChange::default(),
            (Some(_), None) => return unknown_order("no object of it is made any more"),
            // Old code that still runs may come upon the new objects and call them in the old order.
            (None, Some(_)) => return unknown_order("no object of it was made before"),
        };
        let common = before.iter().filter_map(|old| {
            let new = after.iter().find(|new| new.of == old.of)?;
            Some((old, new))
        });
        // Beside those, one that tells all methods apart: an optimiser may merge methods with equal bodies.
        let telling = telling(before).zip(telling(after));
        let pairs = common.chain(telling);
        let mut change = TraitChange::default();
        for (old, new) in pairs {
            if labels(old) == labels(new) {
                self.signatures(old, new, &mut change);
            } else {
                change.differences = moved_slots(&labels(old), &labels(new));
                change.layouts = Some((layout(name, old), layout(name, new)));
                change.children.clear();
                break;
            }
        }
        change
    }

    fn signatures(&self, old: &Implementation, new: &Implementation, change: &mut TraitChange) {
        for (before, after) in old.slots.iter().zip(&new.slots) {
            let (Some(old_place), Some(new_place)) = (before.signature, after.signature) else {
                continue;
            };
            let method = &before.label;
            let old_items = signature(self.old, old_place);
            let new_items = signature(self.new, new_place);
            if old_items.len() != new_items.len() {
                let (old, new) = (old_items.len() - 1, new_items.len() - 1);
                change
                    .differences
                    .push(format!("method `{method}`: {old} arguments, now {new}"));
            }
            for (old_item, new_item) in old_items.iter().zip(&new_items) {
                self.part(method, (old_place, old_item), (new_place, new_item), change);
            }
        }
        change.differences.sort();
        change.differences.dedup();
    }

    fn part(
        &self,
        method: &str,
        old: (Place, &Item),
        new: (Place, &Item),
        change: &mut TraitChange,
    ) {
        let what = match old.1.role {
            Role::Result => "result".to_owned(),
            _ => format!("argument {}", old.1.value),
        };
        let (old, new) = (old.0.at(old.1.target), new.0.at(new.1.target));
        let known = old.node != NONE && new.node != NONE;
        let deep_equal = known && self.old.deep(old) == self.new.deep(new);
        let names = || {
            let name = |program: &Program, place: Place| program.object(place).identity(place.node);
            (name(self.old, old), name(self.new, new))
        };
        if known && (deep_equal || names().0 == names().1) {
            change
                .children
                .push(Child::of_method(old, new, format!("::{method}({what})")));
        } else if old.node != new.node || known {
            let (before, after) = names();
            if before != after {
                change.differences.push(format!(
                    "method `{method}`, {what}: type `{before}`, now `{after}`"
                ));
            }
        }
    }
}

fn unknown_order(why: &str) -> TraitChange {
    TraitChange {
        differences: vec![format!("{why}, so the order of its methods is not known")],
        ..TraitChange::default()
    }
}

/// An implementation whose methods all have names of their own, or any.
fn telling(vtables: &Vtables) -> Option<&Implementation> {
    let is_telling = |implementation: &&Implementation| {
        let labels = labels(implementation);
        (1..labels.len()).all(|at| !labels[at..].contains(&labels[at - 1]))
    };
    vtables.iter().find(is_telling).or(vtables.first())
}

/// The items of a method's signature without its receiver, whose type is not the caller's to know.
fn signature(program: &Program, place: Place) -> Vec<Item> {
    program
        .object(place)
        .items(place.node)
        .iter()
        .filter(|item| {
            item.role == Role::Result || (item.role == Role::Parameter && item.value > 0)
        })
        .cloned()
        .collect()
}

fn vtables(program: &Program, is_hot: impl Fn(&str) -> bool) -> HashMap<String, Vtables> {
    let mut found: HashMap<String, Vtables> = HashMap::new();
    for types in program.objects() {
        for vtable in &types.vtables {
            let Some((of, name)) =
                names::vtable_parts(types.name(vtable.name)).filter(|(_, name)| is_hot(name))
            else {
                continue;
            };
            let known = found.entry(names::identity(name)).or_default();
            let of = names::identity(of);
            if known.iter().any(|known| known.of == of) {
                continue;
            }
            let slots = vtable
                .slots
                .iter()
                .map(|slot| named_slot(program, types, slot))
                .collect();
            known.push(Implementation { of, slots });
        }
    }
    for implementations in found.values_mut() {
        implementations.sort_by(|a, b| a.of.cmp(&b.of));
    }
    found
}

fn named_slot(program: &Program, types: &crate::graph::ObjectTypes, slot: &Slot) -> NamedSlot {
    let (label, signature) = match slot {
        Slot::Function(symbol) => {
            let symbol = types.name(*symbol);
            (method_label(symbol), program.function(symbol))
        }
        Slot::Vtable => ("(vtable of a supertrait)".to_owned(), None),
        Slot::Vacant => ("(not callable on an object)".to_owned(), None),
    };
    NamedSlot { label, signature }
}

/// `a::Tr::method` of the mangled `<a::Im as a::Tr>::method`.
fn method_label(symbol: &str) -> String {
    let path = format!("{:#}", rustc_demangle::demangle(symbol));
    let path = names::identity(&path);
    if path.starts_with('<')
        && let Some(end) = path.rfind(">::")
        && let Some((_, of)) = names::vtable_parts(&format!("{}>::{{vtable}}", &path[..end]))
    {
        return format!("{of}::{}", &path[end + 3..]);
    }
    path.rsplit("::").next().unwrap_or(&path).to_owned()
}

fn labels(implementation: &Implementation) -> Vec<&str> {
    implementation
        .slots
        .iter()
        .map(|slot| slot.label.as_str())
        .collect()
}

fn moved_slots(old: &[&str], new: &[&str]) -> Vec<String> {
    (0..old.len().max(new.len()))
        .filter_map(|at| match (old.get(at), new.get(at)) {
            (Some(before), Some(after)) if before == after => None,
            (Some(before), Some(after)) => Some(format!("method {at}: `{before}`, now `{after}`")),
            (Some(before), None) => Some(format!("method {at}: `{before}`, now removed")),
            (None, Some(after)) => Some(format!("method {at}: `{after}`, added")),
            (None, None) => None,
        })
        .collect()
}

fn layout(name: &str, implementation: &Implementation) -> Layout {
    Layout {
        name: format!("dyn {name}"),
        size: None,
        align: 0,
        lines: implementation
            .slots
            .iter()
            .enumerate()
            .map(|(at, slot)| format!("{at:>4}  {}", slot.label))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_told_by_trait_and_name() {
        assert_eq!(
            method_label("_RNvXs_CsaaaaaaaaaaA_1aNtB4_2ImNtB4_7Handler6handle"),
            "a::Handler::handle"
        );
        assert_eq!(method_label("_RNCNvCsaaaaaaaaaaA_1a4tick0B3_"), "{closure}");
    }

    #[test]
    fn moved_slots_are_named() {
        assert_eq!(
            moved_slots(&["a", "b"], &["b", "b"]),
            ["method 0: `a`, now `b`"]
        );
        assert_eq!(moved_slots(&["a"], &["a", "b"]), ["method 1: `b`, added"]);
        assert_eq!(
            moved_slots(&["a", "a"], &["a"]),
            ["method 1: `a`, now removed"]
        );
    }
}
