//! Goes through a cell's old and new type side by side and writes down what becomes of each part.

mod alike;
mod containers;
mod fields;
mod hooks;
mod notes;
mod variants;
mod whole;

use super::refusal::{Lack, Refusals};
use super::shape::{self, Field, Shape};
use super::{
    CellChange, CellPair, FieldChange, Fields, How, Migration, Source, TypeChange, Version, Way,
};
use crate::compare::Walk;
use crate::descriptions::Description;
use crate::finding::{Cause, Finding, Reached};
use crate::graph::{DECLARED, NONE};
use crate::hash::QuickMap;
use crate::names;
use crate::program::{Place, Program};
use whole::Maker;

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Same,
    Changed(u32),
}

/// Why there is no way for a value.
#[derive(Clone, Debug)]
enum NoWay {
    /// It is noted where it stands.
    Told,
    /// The type has another name.
    Retyped,
    /// The type differs, and can't be taken apart.
    Lacking(Lack),
}

type Outcome<T> = Result<T, NoWay>;

/// A type under way.
#[derive(Clone, Copy)]
struct Pair {
    old: Place,
    new: Place,
}

pub(super) struct Planner<'a> {
    old: Version<'a>,
    new: Version<'a>,
    walk: Walk<'a>,
    way: Way,
    /// By deep fingerprints.
    same: QuickMap<(u128, u128), bool>,
    /// The changes of types by deep fingerprints; none for those that have no way.
    known: QuickMap<(u128, u128), Option<u32>>,
    types: Vec<TypeChange>,
    told: Vec<Finding>,
    refusals: Refusals,
    /// The functions of both versions that make whole values.
    functions: [Vec<Maker<'a>>; 2],
    /// What leads to the value that is looked at.
    reached: Reached,
}

impl<'a> Planner<'a> {
    pub(super) fn new(old: Version<'a>, new: Version<'a>, walk: Walk<'a>, way: Way) -> Planner<'a> {
        Planner {
            old,
            new,
            walk,
            way,
            same: QuickMap::default(),
            known: QuickMap::default(),
            types: Vec::new(),
            told: Vec::new(),
            refusals: Refusals::default(),
            functions: [whole::makers(old), whole::makers(new)],
            reached: Reached {
                root: String::new(),
                path: Vec::new(),
            },
        }
    }

    /// Plans for one cell.
    pub(super) fn cell(&mut self, cell: &CellPair<'_>) -> CellChange {
        self.reached = Reached {
            root: format!("cell `{}`", cell.path),
            path: Vec::new(),
        };
        let value = |program: &Program, symbol| {
            let place = program.variable(symbol)?;
            shape::argument(program, place)
        };
        let old = value(self.old.types, cell.old);
        let new = value(self.new.types, cell.new);
        let change = match (old, new) {
            (Some(old), Some(new)) => self.root(Pair { old, new }),
            (None, _) => self.unknown(cell.path, cell.old),
            (_, None) => self.unknown(cell.path, cell.new),
        };
        CellChange {
            path: cell.path.to_owned(),
            change,
        }
    }

    pub(super) fn finish(self, cells: Vec<CellChange>) -> Migration {
        let mut findings = self.refusals.finish(self.old.types, self.new.types);
        findings.extend(self.told);
        Migration {
            cells,
            types: self.types,
            findings,
        }
    }

    fn unknown(&mut self, path: &str, symbol: &str) -> Option<u32> {
        self.refusals.unknown(path, symbol, &self.reached);
        None
    }

    fn root(&mut self, pair: Pair) -> Option<u32> {
        match self.value(pair.old, pair.new) {
            Ok(Step::Same) => None,
            Ok(Step::Changed(index)) => {
                // Whoever tells layouts by their fingerprints must see that this one is another.
                if self.old.types.deep(pair.old) == self.new.types.deep(pair.new) {
                    self.refuse(pair, Lack::Definition);
                }
                Some(index)
            }
            Err(NoWay::Told) => None,
            Err(no_way) => {
                let lack = self.lack(no_way, pair);
                self.refusals
                    .whole((pair.old, pair.new), lack, &self.reached);
                None
            }
        }
    }

    fn names(&self, pair: Pair) -> (String, String) {
        let name = |program: &Program, place: Place| program.object(place).full_name(place.node);
        (
            name(self.old.types, pair.old),
            name(self.new.types, pair.new),
        )
    }

    fn readable(&self, pair: Pair) -> (String, String) {
        let (old, new) = self.names(pair);
        (names::readable(&old), names::readable(&new))
    }

    /// What is missing for a value to become another.
    fn lack(&self, no_way: NoWay, pair: Pair) -> Lack {
        match no_way {
            NoWay::Lacking(lack) => lack,
            NoWay::Told | NoWay::Retyped => {
                let (old, new) = self.readable(pair);
                Lack::Conversion {
                    old,
                    new,
                    back: self.way == Way::Back,
                }
            }
        }
    }

    /// Whether the guard finds both to be one and the same type.
    fn is_same(&mut self, old: Place, new: Place) -> bool {
        let key = (self.old.types.deep(old), self.new.types.deep(new));
        if let Some(known) = self.same.get(&key) {
            return *known;
        }
        let same = self.walk.differences(old, new).is_empty();
        self.same.insert(key, same);
        same
    }

    /// What becomes of a value of one type that is to be of the other.
    fn value(&mut self, old: Place, new: Place) -> Outcome<Step> {
        if old.node == NONE || new.node == NONE {
            return match old.node == new.node {
                true => Ok(Step::Same),
                false => Err(NoWay::Retyped),
            };
        }
        let old = defined(self.old.types, old).ok_or(NoWay::Lacking(Lack::Definition))?;
        let new = defined(self.new.types, new).ok_or(NoWay::Lacking(Lack::Definition))?;
        if self.is_same(old, new) {
            return Ok(Step::Same);
        }
        let key = (self.old.types.deep(old), self.new.types.deep(new));
        if let Some(known) = self.known.get(&key) {
            return known.map(Step::Changed).ok_or(NoWay::Told);
        }
        self.apart(Pair { old, new })
    }

    /// Takes two types apart that are not the same.
    fn apart(&mut self, pair: Pair) -> Outcome<Step> {
        let shapes = (
            shape::of(self.old.types, pair.old),
            shape::of(self.new.types, pair.new),
        );
        let base = |program: &Program, place: Place| program.object(place).base_path(place.node);
        let renamed = base(self.old.types, pair.old) != base(self.new.types, pair.new);
        if !renamed && let Some(step) = self.whole_value(pair, (&shapes.0, &shapes.1)) {
            return self.told_once(pair, step);
        }
        if !renamed && let Some(step) = self.own_container(pair) {
            return self.told_once(pair, step);
        }
        match shapes {
            (Shape::Phantom, Shape::Phantom) => Ok(Step::Same),
            (
                Shape::Array { element, count },
                Shape::Array {
                    element: next,
                    count: now,
                },
            ) => match count == now {
                true => self.elements(pair, &[(element, next)]),
                false => Err(NoWay::Retyped),
            },
            (Shape::Tuple(before), Shape::Tuple(after)) => self.tuple(pair, &before, &after),
            _ if renamed => Err(NoWay::Retyped),
            (Shape::Container(before), Shape::Container(after)) => {
                self.container(pair, before, after)
            }
            (Shape::Struct(before), Shape::Struct(after)) => {
                self.described(pair, |planner, old, new| {
                    let part = (None, None);
                    let fields = planner.fields(pair, part, (&before, &after), (old, new))?;
                    Ok(How::Fields(fields))
                })
            }
            (Shape::Enum(before), Shape::Enum(after)) => self
                .described(pair, |planner, old, new| {
                    planner.variants(pair, (&before, &after), (old, new))
                }),
            (Shape::Whole(what), _) | (_, Shape::Whole(what)) => {
                Err(NoWay::Lacking(self.undivided(pair, what)))
            }
            _ => Err(NoWay::Lacking(Lack::Kind)),
        }
    }

    /// Remembers what has no way, so that it is told once.
    fn told_once(&mut self, pair: Pair, step: Outcome<Step>) -> Outcome<Step> {
        if let Err(NoWay::Told) = step {
            let key = (self.old.types.deep(pair.old), self.new.types.deep(pair.new));
            self.known.insert(key, None);
        }
        step
    }

    /// Why what can't be taken apart is not the same.
    fn undivided(&mut self, pair: Pair, what: &'static str) -> Lack {
        let mut findings = self.walk.differences(pair.old, pair.new).into_iter();
        let first = findings.next();
        Lack::Parts {
            what,
            cause: first
                .as_ref()
                .map_or(Cause::Layout, |finding| finding.cause),
            differences: first.map(|finding| (finding.subject, finding.differences)),
        }
    }

    /// Has a number for the change of a type while it is planned, since it may contain itself.
    fn numbered(
        &mut self,
        pair: Pair,
        plan: impl FnOnce(&mut Self) -> Outcome<How>,
    ) -> Outcome<Step> {
        let key = (self.old.types.deep(pair.old), self.new.types.deep(pair.new));
        let index = self.types.len() as u32;
        let (old, new) = self.names(pair);
        self.types.push(TypeChange {
            old,
            new,
            old_size: shape::size(self.old.types, pair.old),
            new_size: shape::size(self.new.types, pair.new),
            how: How::Elements(Vec::new()),
        });
        self.known.insert(key, Some(index));
        match plan(self) {
            Ok(how) => {
                self.types[index as usize].how = how;
                Ok(Step::Changed(index))
            }
            Err(no_way) => {
                self.known.insert(key, None);
                Err(no_way)
            }
        }
    }

    fn elements(&mut self, pair: Pair, elements: &[(Place, Place)]) -> Outcome<Step> {
        self.numbered(pair, |planner| {
            let mut changes = Vec::new();
            for (old, new) in elements {
                let inside = planner.inside("[]".to_owned(), |planner| planner.value(*old, *new));
                changes.push(match inside? {
                    Step::Same => None,
                    Step::Changed(index) => Some(index),
                });
            }
            Ok(How::Elements(changes))
        })
    }

    fn inside<T>(&mut self, step: String, look: impl FnOnce(&mut Self) -> T) -> T {
        self.reached.path.push(step);
        let result = look(self);
        self.reached.path.pop();
        result
    }

    fn tuple(&mut self, pair: Pair, before: &[Field], after: &[Field]) -> Outcome<Step> {
        if before.len() != after.len() {
            return Err(NoWay::Retyped);
        }
        self.numbered(pair, |planner| {
            let mut fields = Fields::default();
            for (old, new) in std::iter::zip(before, after) {
                let step = format!(".{}", new.name);
                let inside = planner.inside(step, |planner| planner.value(old.place, new.place));
                fields.new.push(FieldChange {
                    name: new.name.clone(),
                    source: moved(old, inside?),
                });
            }
            Ok(How::Fields(fields))
        })
    }

    /// Plans for a type that has to describe itself in both versions.
    fn described(
        &mut self,
        pair: Pair,
        plan: impl FnOnce(&mut Self, &'a Description, &'a Description) -> Outcome<How>,
    ) -> Outcome<Step> {
        let path = self.new.types.object(pair.new).base_path(pair.new.node);
        if !self.new.types.is_hot(&path) {
            let what = match names::crate_of(&path) {
                "core" | "alloc" | "std" => "a container without a rule",
                _ => "a type of a dependency",
            };
            return Err(NoWay::Lacking(self.undivided(pair, what)));
        }
        let (old, new) = (
            self.old.descriptions.of(&path),
            self.new.descriptions.of(&path),
        );
        let (Some(old), Some(new)) = (old, new) else {
            let lack = Lack::Description {
                path: path.clone(),
                old: old.is_none(),
                new: new.is_none(),
            };
            return Err(self.refuse(pair, lack));
        };
        if !self.is_only(pair) {
            return Err(self.refuse(pair, Lack::Definition));
        }
        self.numbered(pair, |planner| plan(planner, old, new))
    }

    fn refuse(&mut self, pair: Pair, lack: Lack) -> NoWay {
        self.refusals
            .whole((pair.old, pair.new), lack, &self.reached);
        NoWay::Told
    }
}

fn moved(old: &Field, step: Step) -> Source {
    let from = old.name.clone();
    match step {
        Step::Same => Source::Same { from },
        Step::Changed(by) => Source::Changed { from, by },
    }
}

/// A type's definition, which may stand in another object; none if there are several.
fn defined(program: &Program, place: Place) -> Option<Place> {
    if program.flags(place) & DECLARED == 0 {
        return Some(place);
    }
    let key = program.object(place).keys[place.node as usize];
    match program.definitions(key).as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}
