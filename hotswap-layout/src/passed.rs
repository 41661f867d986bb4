//! Which types are passed by value where caller and callee may be of different versions.
//!
//! `repr` decides how a type is passed, and debug information does not have it. Its edits come from the sources, and this
//! answers where they matter: in methods of trait objects and behind function pointers. Entries pass all types alike.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Cause, Finding, Verdict};
use crate::graph::{DECLARED, Item, Kind, NONE, ObjectTypes, Role, Slot, Vtable};
use crate::hash::{QuickMap, QuickSet};
use crate::names;
use crate::program::{Place, Program};

/// An edit of a `repr`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReprChange {
    /// Which types it is on.
    pub of: Subject,
    /// What older versions had, for people.
    pub old: String,
    /// What the patch has.
    pub new: String,
}

/// The types that an edited `repr` is on, told by their names alone, without the module.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// All types of this name.
    Named(String),
    /// It is not known: any type may be meant that the sources do not name.
    Unnamed {
        /// The names that are in the sources.
        named: BTreeSet<String>,
    },
}

/// The types that trait objects' methods and function pointers pass by value, those inside them included.
#[derive(Clone, Debug, Default)]
pub struct Passed(BTreeMap<String, Use>);

/// One use of a type, of many.
#[derive(Clone, Debug)]
struct Use {
    /// The type's full name.
    name: String,
    /// Whether sources of a hot crate declare the type.
    hot: bool,
    through: String,
}

impl Passed {
    /// All that the hot crates of a version pass so, whether state leads there or not.
    #[must_use]
    pub fn of(program: &Program) -> Passed {
        Collector::new(program).all((0..).take(program.objects().len()))
    }

    /// What objects pass that `known` does not have.
    #[must_use]
    pub fn beyond(known: &Program, program: &Program) -> Passed {
        Collector::new(program).all(program.differing(known).into_iter())
    }

    /// Adds what another version passes.
    pub fn add(&mut self, other: Passed) {
        for (name, found) in other.0 {
            self.0.entry(name).or_insert(found);
        }
    }

    /// Refuses the changes of types that are passed so.
    #[must_use]
    pub fn refusals(&self, changes: &[ReprChange]) -> Vec<Finding> {
        let found = changes.iter().flat_map(|change| {
            let meant = self.0.iter().filter(|(name, found)| match &change.of {
                Subject::Named(of) => *name == of,
                Subject::Unnamed { named } => found.hot && !named.contains(*name),
            });
            meant.map(move |(_, found)| refusal(change, found))
        });
        found.collect()
    }
}

fn refusal(change: &ReprChange, found: &Use) -> Finding {
    Finding {
        subject: found.name.clone(),
        verdict: Verdict::Refused,
        cause: Cause::Convention,
        differences: vec![format!("repr: {}, now {}", change.old, change.new)],
        old: None,
        new: None,
        reached: Vec::new(),
        reason: format!(
            "its `repr` decides how it is passed, and {} passes it by value: code of one version would pass it otherwise than code of the other takes it",
            found.through
        ),
        help:
            "restart the program, or undo the change of the `repr`, or give the type another name"
                .to_owned(),
    }
}

struct Collector<'a> {
    program: &'a Program,
    found: BTreeMap<String, Use>,
    /// Nodes whose content was looked at.
    seen: QuickSet<Place>,
    /// The types of each object by name, where it was asked for.
    bases: QuickMap<u32, QuickMap<&'a str, Vec<u32>>>,
}

impl<'a> Collector<'a> {
    fn new(program: &'a Program) -> Collector<'a> {
        Collector {
            program,
            found: BTreeMap::new(),
            seen: QuickSet::default(),
            bases: QuickMap::default(),
        }
    }

    fn all(mut self, objects: impl Iterator<Item = u32>) -> Passed {
        for object in objects {
            let types = &self.program.objects()[object as usize];
            for vtable in &types.vtables {
                self.vtable(object, types, vtable);
            }
            for (id, node) in (0..).zip(&types.nodes) {
                if node.kind == Kind::Pointer {
                    self.pointer(Place { object, node: id });
                }
            }
        }
        Passed(self.found)
    }

    fn vtable(&mut self, object: u32, types: &ObjectTypes, vtable: &Vtable) {
        let name = types.name(vtable.name);
        let of = names::vtable_parts(name).map_or(name, |(_, of)| of);
        for slot in &vtable.slots {
            let Slot::Function(symbol) = slot else {
                continue;
            };
            let symbol = types.name(*symbol);
            match self.program.function(symbol) {
                Some(place) => self.signature(place, &|| {
                    let path = format!("{:#}", rustc_demangle::demangle(symbol));
                    format!("`{}`, called through `dyn {of}`,", names::identity(&path))
                }),
                None => self.named(object, of),
            }
        }
    }

    /// A method that nothing is known of but its trait: types in the trait's name may be its arguments.
    fn named(&mut self, object: u32, of: &str) {
        let types = &self.program.objects()[object as usize];
        let arguments = of.split_once('<').map_or("", |(_, arguments)| arguments);
        let separator = |part: char| !part.is_alphanumeric() && !matches!(part, '_' | ':');
        let is_hot = |path: &&str| self.program.is_hot(path);
        let paths: Vec<&str> = arguments.split(separator).filter(is_hot).collect();
        for path in paths {
            let last = path.rsplit("::").next().unwrap_or(path);
            let bases = self.bases.entry(object).or_insert_with(|| bases(types));
            for node in bases.get(last).cloned().unwrap_or_default() {
                if names::base(&types.full_name(node)) == path {
                    self.by_value(Place { object, node }, &|| format!("`dyn {of}`"));
                }
            }
        }
    }

    fn pointer(&mut self, place: Place) {
        let types = self.program.object(place);
        let Some(item) = types.items(place.node).first() else {
            return;
        };
        if item.target != NONE && types.node(item.target).kind == Kind::Function {
            let through = || format!("the function pointer `{}`", types.identity(place.node));
            self.signature(place.at(item.target), &through);
        }
    }

    fn signature(&mut self, place: Place, through: &dyn Fn() -> String) {
        let is_passed = |item: &&Item| matches!(item.role, Role::Parameter | Role::Result);
        let types = self.program.object(place);
        for item in types.items(place.node).iter().filter(is_passed) {
            self.by_value(place.at(item.target), through);
        }
    }

    /// Notes a type and all types that lie inside it.
    fn by_value(&mut self, place: Place, through: &dyn Fn() -> String) {
        let mut pending = vec![place];
        while let Some(place) = pending.pop() {
            if place.node == NONE || !self.seen.insert(place) {
                continue;
            }
            let types = self.program.object(place);
            let base = names::base(types.name(types.node(place.node).name));
            let crate_name = types.crate_of(place.node);
            if crate_name.is_some_and(|root| names::is_passed_alike(root, base)) {
                continue;
            }
            if is_told(types, place.node) && !self.found.contains_key(base) {
                let of_hot = crate_name.is_some_and(|root| self.program.is_hot_crate(root));
                let found = Use {
                    name: types.identity(place.node),
                    hot: of_hot && !names::is_unnamed(base),
                    through: through(),
                };
                self.found.insert(base.to_owned(), found);
            }
            if self.program.flags(place) & DECLARED != 0 {
                pending.extend(self.program.definitions(types.keys[place.node as usize]));
            }
            let items = types.items(place.node).iter();
            let inside = items.filter(|item| item.role.is_by_value());
            pending.extend(inside.map(|item| place.at(item.target)));
        }
    }
}

/// True for types that sources may give a `repr`.
fn is_told(types: &ObjectTypes, node: u32) -> bool {
    let kind = types.node(node).kind;
    matches!(kind, Kind::Struct | Kind::Union | Kind::Enumeration) && types.crate_of(node).is_some()
}

/// The types of an object by their names without path and arguments.
fn bases(types: &ObjectTypes) -> QuickMap<&str, Vec<u32>> {
    let mut bases: QuickMap<&str, Vec<u32>> = QuickMap::default();
    for (id, node) in (0..).zip(&types.nodes) {
        if is_told(types, id) {
            let base = names::base(types.name(node.name));
            bases.entry(base).or_default().push(id);
        }
    }
    bases
}
