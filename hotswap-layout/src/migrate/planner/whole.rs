//! Functions of the program that make whole values: which one makes a type's, and of which fields.

use super::{Outcome, Pair, Planner, Step};
use crate::descriptions::{self, Function};
use crate::graph::NONE;
use crate::migrate::refusal::{FunctionLack, Lack};
use crate::migrate::shape::{self, Field, Shape};
use crate::migrate::{How, MovedPart, Taken, Version, Way, Whole};
use crate::names;
use crate::program::{Place, Program};

/// A function that makes whole values.
pub(super) struct Maker<'a> {
    function: &'a Function,
    /// The type of its values, and those of the fields that it takes; none if debug information does not tell.
    types: Types,
}

/// The type of a function's result, and those of what it takes.
type Types = Option<(Place, Vec<Place>)>;

/// The functions of a version.
pub(super) fn makers(version: Version<'_>) -> Vec<Maker<'_>> {
    let maker = |function| Maker {
        function,
        types: types(version.types, function),
    };
    version.descriptions.functions().iter().map(maker).collect()
}

/// What the type of a function's static says: `CodeChange<World, (Given<A>, Perhaps<B>)>`.
fn types(program: &Program, function: &Function) -> Types {
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
    /// What becomes of a value whose new one a function makes; none if there is no such function. On the way back it is
    /// one that the newer code has for that. What the older code has was written for the step that made its value.
    pub(super) fn whole_value(
        &mut self,
        pair: Pair,
        shapes: (&Shape, &Shape),
    ) -> Option<Outcome<Step>> {
        let (up, down) = (
            self.functions_for(pair, false),
            self.functions_for(pair, true),
        );
        let functions = match self.way {
            Way::Forward => up,
            Way::Back if down.is_empty() => {
                let (function, _) = up.into_iter().next()?;
                let lack = FunctionLack::WayBack(function.path);
                return Some(Err(self.refuse(pair, Lack::Function(lack))));
            }
            Way::Back => down,
        };
        let mut functions = functions.into_iter();
        let (function, types) = functions.next()?;
        let name = function.path.clone();
        let lack = match (functions.next(), types) {
            (_, None) => Lack::Function(FunctionLack::Unknown(name)),
            (Some((other, _)), _) => Lack::Function(FunctionLack::Several([name, other.path])),
            // Of two types with one name, nothing tells which one is meant.
            _ if !self.is_only(pair) => Lack::Definition,
            (None, Some((makes, takes))) => {
                return Some(match self.way {
                    Way::Forward => self.made_by(pair, shapes.0, &function, &takes),
                    Way::Back => self.made_back(pair, shapes.1, &function, makes),
                });
            }
        };
        Some(Err(self.refuse(pair, lack)))
    }

    /// The functions that make values of the newer type, or those that make older ones of it, with their types.
    fn functions_for(&self, pair: Pair, down: bool) -> Vec<(Function, Types)> {
        let (program, place, at) = match self.way {
            Way::Forward => (self.new.types, pair.new, 1),
            Way::Back => (self.old.types, pair.old, 0),
        };
        let key = |place: Place| program.object(place).keys[place.node as usize];
        let is_it = |maker: &&Maker<'_>| {
            let of = match &maker.types {
                Some((makes, _)) if !down => Some(*makes),
                Some((_, takes)) => takes.first().copied(),
                None => return true,
            };
            of.is_some_and(|of| of.node != NONE && key(of) == key(place))
        };
        let functions = self.functions[at].iter();
        let functions = functions.filter(|maker| maker.function.down == down);
        let functions = functions.filter(is_it);
        functions
            .map(|maker| (maker.function.clone(), maker.types.clone()))
            .collect()
    }

    /// A function of the newer version makes what the older type consists of: a struct that has fields of the same
    /// names and types, or an enum that is laid out the same.
    fn made_back(
        &mut self,
        pair: Pair,
        older: &Shape,
        function: &Function,
        makes: Place,
    ) -> Outcome<Step> {
        let found = match (shape::of(self.old.types, makes), older) {
            (Shape::Struct(made), Shape::Struct(fields)) => self.parts(function, &made, fields),
            (Shape::Enum(made), Shape::Enum(variants)) => {
                match self.is_alike((makes, &made), (pair.new, variants)) {
                    true => Ok(vec![MovedPart {
                        from: 0,
                        to: 0,
                        bytes: shape::size(self.new.types, pair.new),
                    }]),
                    false => Err(FunctionLack::Parts {
                        function: function.path.clone(),
                        problem: "makes an enum with other variants, or with other fields in them"
                            .to_owned(),
                    }),
                }
            }
            _ => Err(FunctionLack::Parts {
                function: function.path.clone(),
                problem: "makes no struct of a struct's fields, and no enum of an enum's variants"
                    .to_owned(),
            }),
        };
        let parts = match found {
            Ok(parts) => parts,
            Err(lack) => return Err(self.refuse(pair, Lack::Function(lack))),
        };
        self.note(pair, format!("made by `{}`", function.path));
        self.numbered(pair, |_| {
            Ok(How::Whole(Whole {
                function: function.function.clone(),
                takes: vec![Taken::Value],
                parts: Some(parts),
            }))
        })
    }

    /// Where each field of the older type is in what a function makes.
    fn parts(
        &mut self,
        function: &Function,
        made: &[Field],
        fields: &[Field],
    ) -> Result<Vec<MovedPart>, FunctionLack> {
        let lack = |problem| FunctionLack::Parts {
            function: function.path.clone(),
            problem,
        };
        if let Some(other) = made
            .iter()
            .find(|it| !fields.iter().any(|field| field.name == it.name))
        {
            return Err(lack(format!(
                "makes a field `{}`, which the older type does not have",
                other.name
            )));
        }
        let mut parts = Vec::new();
        for field in fields {
            let Some(part) = made.iter().find(|it| it.name == field.name) else {
                return Err(lack(format!("makes no field `{}`", field.name)));
            };
            if !self.is_same_value(part.place, field.place) {
                let (makes, is) = self.readable(Pair {
                    old: part.place,
                    new: field.place,
                });
                return Err(lack(match makes == is {
                    true => format!("makes a field `{}`, whose layout differs", field.name),
                    false => format!("makes a field `{}: {makes}`, which is `{is}`", field.name),
                }));
            }
            parts.push(MovedPart {
                from: part.offset,
                to: field.offset,
                bytes: shape::size(self.new.types, field.place),
            });
        }
        Ok(parts)
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
                parts: None,
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
