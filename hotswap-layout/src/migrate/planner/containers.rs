//! Containers: those of the standard library, and those of the program that say which arguments are elements.

use super::{NoWay, Outcome, Pair, Planner, Step};
use crate::migrate::refusal::Lack;
use crate::migrate::shape::{self, Container};
use crate::program::{Place, Program};

impl Planner<'_> {
    pub(super) fn container(
        &mut self,
        pair: Pair,
        before: Container,
        after: Container,
    ) -> Outcome<Step> {
        let others = before.others.len() == after.others.len()
            && std::iter::zip(before.others, after.others)
                .all(|(old, new)| self.is_same_value(old, new));
        let pairs: Vec<_> = std::iter::zip(before.elements, after.elements).collect();
        match others {
            true => self.elements(pair, &pairs),
            false => Err(NoWay::Retyped),
        }
    }

    /// What becomes of a container of the program's; none if it is no container. Its own definition may change, since
    /// either version has functions for it; what they pass on are numbers and elements.
    pub(super) fn own_container(&mut self, pair: Pair) -> Option<Outcome<Step>> {
        let path = self.new.types.object(pair.new).base_path(pair.new.node);
        let old = self.old.descriptions.of(&path);
        let new = self.new.descriptions.of(&path);
        let positions = |description: Option<&crate::descriptions::Description>| {
            description.and_then(|it| it.elements.clone())
        };
        let (before, after) = match (positions(old), positions(new)) {
            (None, None) => return None,
            (Some(before), Some(after)) if before.len() == after.len() => (before, after),
            _ => return Some(Err(self.refuse(pair, Lack::Kind))),
        };
        if !self.is_only(pair) {
            return Some(Err(self.refuse(pair, Lack::Definition)));
        }
        let containers = (
            split(self.old.types, pair.old, &before),
            split(self.new.types, pair.new, &after),
        );
        Some(match containers {
            (Some(before), Some(after)) => self.container(pair, before, after),
            _ => Err(self.refuse(pair, Lack::Definition)),
        })
    }
}

/// The arguments of a type, of which those at these positions are elements.
fn split(program: &Program, place: Place, positions: &[usize]) -> Option<Container> {
    let arguments = shape::arguments(program, place);
    let elements = positions.iter().map(|at| arguments.get(*at).copied());
    let elements: Vec<Place> = elements.collect::<Option<_>>()?;
    let others = arguments.iter().enumerate();
    let others = others.filter(|(at, _)| !positions.contains(at));
    Some(Container {
        elements,
        others: others.map(|(_, place)| *place).collect(),
    })
}
