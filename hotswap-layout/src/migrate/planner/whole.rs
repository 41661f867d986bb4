//! Functions of the program that make whole values: which one makes a type's, and of which fields.

use super::{Outcome, Pair, Planner, Step};
use crate::descriptions::{self, Function};
use crate::graph::NONE;
use crate::migrate::refusal::{FunctionLack, Lack};
use crate::migrate::shape::{self, Field, Shape};
use crate::migrate::{How, Taken, Version, Way, Whole};
use crate::names;
use crate::program::{Place, Program};

/// A function that makes whole values.
pub(super) struct Maker<'a> {
    function: &'a Function,
    /// The type of its values, and those of the fields that it takes; none if debug information does not tell.
    types: Option<(Place, Vec<Place>)>,
}

/// The functions of a version.
pub(super) fn makers(version: Version<'_>) -> Vec<Maker<'_>> {
    let maker = |function| Maker {
        function,
        types: types(version.types, function),
    };
    version.descriptions.functions().iter().map(maker).collect()
}

/// What the type of a function's static says: `CodeChange<World, (Given<A>, Perhaps<B>)>`.
fn types(program: &Program, function: &Function) -> Option<(Place, Vec<Place>)> {
    let place = program.variable(&function.symbol)?;
    let [makes, takes] = shape::arguments(program, place).try_into().ok()?;
    if function.takes.is_empty() {
        return Some((makes, Vec::new()));
    }
    let known = |place: Place| (place.node != NONE).then_some(place);
    let Shape::Tuple(takes) = shape::of(program, known(takes)?) else {
        return None;
    };
    let takes = takes.iter();
    let takes = takes.map(|it| shape::argument(program, known(it.place)?));
    let takes: Vec<Place> = takes.collect::<Option<_>>()?;
    (takes.len() == function.takes.len()).then_some((makes, takes))
}

impl Planner<'_> {
    /// What becomes of a value whose new one a function makes; none if there is no such function. What the older code
    /// has was written for the step that made its value, not for the way back to it.
    pub(super) fn whole_value(&mut self, pair: Pair, old: &Shape) -> Option<Outcome<Step>> {
        let (program, place, at) = match self.way {
            Way::Forward => (self.new.types, pair.new, 1),
            Way::Back => (self.old.types, pair.old, 0),
        };
        let key = |place: Place| program.object(place).keys[place.node as usize];
        let is_it = |maker: &&Maker<'_>| match &maker.types {
            Some((makes, _)) => makes.node != NONE && key(*makes) == key(place),
            None => true,
        };
        let mut found = self.functions[at].iter().filter(is_it);
        let first = found.next()?;
        let name = first.function.path.clone();
        let lack = match (found.next(), &first.types) {
            (_, None) => FunctionLack::Unknown(name),
            (Some(other), _) => FunctionLack::Several([name, other.function.path.clone()]),
            _ if self.way == Way::Back => FunctionLack::WayBack(name),
            // Of two types with one name, nothing tells which one is meant.
            _ if !self.is_only(pair) => return Some(Err(self.refuse(pair, Lack::Definition))),
            (None, Some((_, takes))) => {
                let (function, takes) = (first.function.clone(), takes.clone());
                return Some(self.made_by(pair, old, &function, &takes));
            }
        };
        Some(Err(self.refuse(pair, Lack::Function(lack))))
    }

    /// Whether either type is the only one of its name in its version.
    pub(super) fn is_only(&self, pair: Pair) -> bool {
        [(self.old.types, pair.old), (self.new.types, pair.new)]
            .iter()
            .all(|(program, place)| {
                let key = program.object(*place).keys[place.node as usize];
                program.definitions(key).len() <= 1
            })
    }

    fn made_by(
        &mut self,
        pair: Pair,
        old: &Shape,
        function: &Function,
        takes: &[Place],
    ) -> Outcome<Step> {
        let mut taken = Vec::new();
        for (field, place) in std::iter::zip(&function.takes, takes) {
            match self.taken(pair, old, function, (field, *place)) {
                Ok(found) => taken.push(found),
                Err(lack) => return Err(self.refuse(pair, Lack::Function(lack))),
            }
        }
        let fields: Vec<String> = function
            .takes
            .iter()
            .map(|it| format!("`{}`", it.written()))
            .collect();
        let of = match fields.is_empty() {
            true => String::new(),
            false => format!(" of {}", fields.join(", ")),
        };
        self.note(pair, format!("made by `{}`{of}", function.path));
        self.numbered(pair, |_| {
            Ok(How::Whole(Whole {
                function: function.function.clone(),
                takes: taken,
            }))
        })
    }

    /// What a parameter of this type gets.
    fn taken(
        &mut self,
        pair: Pair,
        old: &Shape,
        function: &Function,
        (taken, place): (&descriptions::Taken, Place),
    ) -> Result<Taken, FunctionLack> {
        let fields = match (old, &taken.variant) {
            (Shape::Struct(fields) | Shape::Tuple(fields), None) => fields.as_slice(),
            (Shape::Enum(variants), Some(name)) => {
                let variant = variants.iter().find(|it| it.name == *name);
                variant.map_or(&[][..], |it| &it.fields)
            }
            _ => &[],
        };
        let Some(field) = fields.iter().find(|it| it.name == taken.name) else {
            return match taken.optional {
                true => Ok(Taken::Nothing),
                false => Err(FunctionLack::NoField {
                    function: function.path.clone(),
                    field: taken.written(),
                }),
            };
        };
        if !self.is_same_value(field.place, place) {
            return Err(self.other_type(function, taken, field, place));
        }
        let name = field.name.clone();
        let Some(variant) = taken.variant.clone() else {
            let offset = field.offset;
            return Ok(Taken::Field { name, offset });
        };
        let path = self.old.types.object(pair.old).base_path(pair.old.node);
        match self.old.descriptions.of(&path) {
            Some(_) => Ok(Taken::OfVariant { variant, name }),
            None => Err(FunctionLack::Variants { path }),
        }
    }

    fn other_type(
        &self,
        function: &Function,
        taken: &descriptions::Taken,
        field: &Field,
        place: Place,
    ) -> FunctionLack {
        let name = |program: &Program, place: Place| {
            names::readable(&program.object(place).full_name(place.node))
        };
        FunctionLack::OtherType {
            function: function.path.clone(),
            field: taken.written(),
            takes: name(self.new.types, place),
            old: name(self.old.types, field.place),
        }
    }
}
