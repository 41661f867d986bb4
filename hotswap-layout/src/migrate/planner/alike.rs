//! Enums that stand for others: laid out the same, bit for bit, with the same names and types inside.

use std::iter;

use super::Planner;
use crate::graph::{Item, Role};
use crate::migrate::shape::Variant;
use crate::program::{Place, Program};

impl Planner<'_> {
    /// Whether a value of an enum of the old version is one of the new version's as well: same size and alignment, same
    /// tag, and the same variants in the same order, with the same fields at the same places.
    pub(super) fn is_alike(
        &mut self,
        (old, old_variants): (Place, &[Variant]),
        (new, new_variants): (Place, &[Variant]),
    ) -> bool {
        let (before, after) = (self.old.types, self.new.types);
        let room = |program: &Program, place: Place| {
            let node = program.object(place).node(place.node);
            (node.kind, node.size, node.align)
        };
        let (left, right) = (items(before, old), items(after, new));
        let names = |program: &Program, place: Place, item: &Item| {
            program.object(place).name(item.name).to_owned()
        };
        let items_alike = left.len() == right.len()
            && iter::zip(&left, &right).all(|(one, other)| {
                let named =
                    !one.role.is_named() || names(before, old, one) == names(after, new, other);
                let tags = one.role != Role::Tag
                    || self.is_same_value(old.at(one.target), new.at(other.target));
                one.role == other.role && one.value == other.value && named && tags
            });
        room(before, old) == room(after, new)
            && items_alike
            && old_variants.len() == new_variants.len()
            && iter::zip(old_variants, new_variants)
                .all(|(one, other)| self.are_fields_alike(one, other))
    }

    fn are_fields_alike(&mut self, old: &Variant, new: &Variant) -> bool {
        old.name == new.name
            && old.fields.len() == new.fields.len()
            && iter::zip(&old.fields, &new.fields).all(|(one, other)| {
                (&one.name, one.offset) == (&other.name, other.offset)
                    && self.is_same_value(one.place, other.place)
            })
    }
}

/// What tells variants apart.
fn items(program: &Program, place: Place) -> Vec<Item> {
    let items = program.object(place).items(place.node).iter();
    let items = items.filter(|item| !matches!(item.role, Role::Argument | Role::Field));
    items.cloned().collect()
}
