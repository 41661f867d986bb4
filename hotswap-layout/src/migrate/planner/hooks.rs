//! Functions of the program that convert a value: whether they know its type as it is.

use super::Planner;
use crate::graph::{Kind, NONE};
use crate::migrate::shape::{self, Shape};
use crate::program::{Place, Program};

impl Planner<'_> {
    pub(super) fn is_same_value(&mut self, old: Place, new: Place) -> bool {
        match (old.node, new.node) {
            (NONE, NONE) => true,
            (NONE, _) | (_, NONE) => false,
            _ => self.is_same(old, new),
        }
    }

    /// Whether the new version has this old type as it was, for a function of the new version to read.
    pub(super) fn stays(&mut self, old: Place) -> bool {
        let found = same_name(self.old.types, old, self.new.types);
        match found {
            Found::Nothing => is_basic(self.old.types, old),
            Found::Unit => true,
            Found::One(new) => self.is_same(old, new),
            Found::Array(element) => self.stays(element),
        }
    }

    /// Whether the old version had this new type as it is, for a function of the old version to make.
    pub(super) fn stayed(&mut self, new: Place) -> bool {
        match same_name(self.new.types, new, self.old.types) {
            Found::Nothing => is_basic(self.new.types, new),
            Found::Unit => true,
            Found::One(old) => self.is_same(old, new),
            Found::Array(element) => self.stayed(element),
        }
    }
}

/// A type of another program.
enum Found {
    Nothing,
    Unit,
    One(Place),
    /// An array, which is there if its element is.
    Array(Place),
}

/// The one type of `there` that has the name of a type of `here`.
fn same_name(here: &Program, place: Place, there: &Program) -> Found {
    if place.node == NONE {
        return Found::Unit;
    }
    if let Shape::Array { element, .. } = shape::of(here, place) {
        return Found::Array(element);
    }
    let key = here.object(place).keys[place.node as usize];
    match there.definitions(key).as_slice() {
        [one] => Found::One(*one),
        _ => Found::Nothing,
    }
}

/// Whether a type is the compiler's own, the same in every version.
fn is_basic(program: &Program, place: Place) -> bool {
    let node = program.object(place).node(place.node);
    node.kind == Kind::Base && node.scope == NONE
}
