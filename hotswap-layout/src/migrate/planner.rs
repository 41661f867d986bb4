//! Goes through a cell's old and new type side by side and writes down what becomes of each part.

use super::matching::{self, Origin};
use super::refusal::{Lack, Refusals};
use super::shape::{self, Field, Shape, Variant};
use super::{
    CellChange, CellPair, FieldChange, Fields, How, Migration, Source, TypeChange, VariantChange,
    Version, Way,
};
use crate::compare::{self, Walk};
use crate::descriptions::{Description, Part};
use crate::finding::{Cause, Finding, Reached, Verdict};
use crate::graph::{DECLARED, Kind, NONE};
use crate::hash::QuickMap;
use crate::names;
use crate::program::{Place, Program};

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
        let pair = Pair { old, new };
        let shapes = (
            shape::of(self.old.types, old),
            shape::of(self.new.types, new),
        );
        let base = |program: &Program, place: Place| program.object(place).base_path(place.node);
        let renamed = base(self.old.types, old) != base(self.new.types, new);
        match shapes {
            (Shape::Phantom, Shape::Phantom) => Ok(Step::Same),
            (
                Shape::Array { element, count },
                Shape::Array {
                    element: next,
                    count: now,
                },
            ) => {
                if count != now {
                    return Err(NoWay::Retyped);
                }
                self.elements(pair, &[(element, next)])
            }
            (Shape::Tuple(before), Shape::Tuple(after)) => self.tuple(pair, &before, &after),
            _ if renamed => Err(NoWay::Retyped),
            (
                Shape::Container { elements, others },
                Shape::Container {
                    elements: after,
                    others: others_after,
                },
            ) => {
                let same = others.len() == others_after.len()
                    && std::iter::zip(others, others_after)
                        .all(|(old, new)| self.is_same(old, new));
                let pairs: Vec<_> = std::iter::zip(elements, after).collect();
                match same {
                    true => self.elements(pair, &pairs),
                    false => Err(NoWay::Retyped),
                }
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
                Err(NoWay::Lacking(self.whole(pair, what)))
            }
            _ => Err(NoWay::Lacking(Lack::Kind)),
        }
    }

    /// Why what can't be taken apart is not the same.
    fn whole(&mut self, pair: Pair, what: &'static str) -> Lack {
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
        let size = |program: &Program, place: Place| program.object(place).node(place.node).size;
        self.types.push(TypeChange {
            old,
            new,
            old_size: size(self.old.types, pair.old).unwrap_or(0),
            new_size: size(self.new.types, pair.new).unwrap_or(0),
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
            return Err(NoWay::Lacking(self.whole(pair, what)));
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
        for (program, place) in [(self.old.types, pair.old), (self.new.types, pair.new)] {
            let key = program.object(place).keys[place.node as usize];
            if program.definitions(key).len() > 1 {
                return Err(self.refuse(pair, Lack::Definition));
            }
        }
        self.numbered(pair, |planner| plan(planner, old, new))
    }

    fn refuse(&mut self, pair: Pair, lack: Lack) -> NoWay {
        self.refusals
            .whole((pair.old, pair.new), lack, &self.reached);
        NoWay::Told
    }

    /// Plans for the fields of a struct, or of a variant whose names in both versions are given.
    fn fields(
        &mut self,
        pair: Pair,
        variant: (Option<&str>, Option<&str>),
        (before, after): (&[Field], &[Field]),
        (old, new): (&Description, &Description),
    ) -> Outcome<Fields> {
        let parts = |fields: &[Field], description: &Description, variant| -> Vec<Part> {
            let names = fields.iter().map(|field| field.name.as_str());
            names.map(|name| description.field(variant, name)).collect()
        };
        let old_parts = parts(before, old, variant.0);
        let new_parts = parts(after, new, variant.1);
        let prefix = variant
            .1
            .map_or_else(String::new, |name| format!("variant `{name}`, "));
        let origins = match matching::origins(&old_parts, &new_parts) {
            Ok(origins) => origins,
            Err(conflict) => {
                self.refusals
                    .conflict((pair.old, pair.new), &prefix, &conflict, &self.reached);
                return Err(NoWay::Told);
            }
        };
        let mut fields = Fields::default();
        let mut refused = false;
        for ((field, part), origin) in after.iter().zip(&new_parts).zip(&origins) {
            let from = origin.position().map(|at| (&before[at], &old_parts[at]));
            let source = match from {
                None => self.added(field, part),
                Some(from) => self.field(from, (field, part), *origin),
            };
            match source {
                Ok(source) => {
                    self.tell(pair, &prefix, &source, field, from.map(|(old, _)| old));
                    fields.new.push(FieldChange {
                        name: field.name.clone(),
                        source,
                    });
                }
                Err(lack) => {
                    refused = true;
                    if let Some(lack) = lack {
                        let name = format!("{prefix}field `{}`", field.name);
                        self.refusals
                            .part((pair.old, pair.new), &name, lack, &self.reached);
                    }
                }
            }
        }
        let taken = |at: usize| origins.iter().any(|origin| origin.position() == Some(at));
        for (at, field) in before.iter().enumerate().filter(|(at, _)| !taken(*at)) {
            self.note(
                pair,
                format!("{prefix}field `{}`: dropped", old_parts[at].name),
            );
            fields.removed.push(field.name.clone());
        }
        match refused {
            true => Err(NoWay::Told),
            false => Ok(fields),
        }
    }

    /// The source of a field that no old one becomes.
    fn added(&self, field: &Field, part: &Part) -> Result<Source, Option<Lack>> {
        let empty = field.place.node == NONE
            || self
                .new
                .types
                .object(field.place)
                .node(field.place.node)
                .size
                == Some(0);
        match self.way {
            Way::Forward => Ok(Source::Default),
            Way::Back if part.default || empty => Ok(Source::Default),
            Way::Back => Err(Some(Lack::Value)),
        }
    }

    /// The source of a field that an old one becomes; an error without a lack is one that is told already.
    fn field(
        &mut self,
        (old, old_part): (&Field, &Part),
        (new, part): (&Field, &Part),
        origin: Origin,
    ) -> Result<Source, Option<Lack>> {
        let from = old.name.clone();
        let hook = |source: Source, same: bool| match same {
            true => Ok(source),
            false => Err(Some(Lack::HookType)),
        };
        let with = |planner: &mut Self| {
            let from = from.clone();
            hook(Source::With { from }, planner.stays(old.place))
        };
        let back = |planner: &mut Self| {
            let from = from.clone();
            hook(Source::Back { from }, planner.stayed(new.place))
        };
        // A function that was written for this very step, whether the type changes or not.
        match origin {
            Origin::Was(_) if part.with => return with(self),
            Origin::Becomes(_) if old_part.back => return back(self),
            Origin::Becomes(_) if old_part.with => return Err(Some(Lack::WayBack)),
            _ => {}
        }
        if self.is_same_value(old.place, new.place) {
            return Ok(Source::Same { from });
        }
        if part.with || part.converts {
            return with(self);
        }
        if old_part.back {
            return back(self);
        }
        if old_part.with || old_part.converts {
            return Err(Some(Lack::WayBack));
        }
        let step = format!(".{}", new.name);
        match self.inside(step, |planner| planner.value(old.place, new.place)) {
            Ok(step) => Ok(moved(old, step)),
            Err(NoWay::Told) => Err(None),
            Err(no_way) => {
                let pair = Pair {
                    old: old.place,
                    new: new.place,
                };
                Err(Some(self.lack(no_way, pair)))
            }
        }
    }

    fn is_same_value(&mut self, old: Place, new: Place) -> bool {
        match (old.node, new.node) {
            (NONE, NONE) => true,
            (NONE, _) | (_, NONE) => false,
            _ => self.is_same(old, new),
        }
    }

    /// Whether the new version has this old type as it was, for a function of the new version to read.
    fn stays(&mut self, old: Place) -> bool {
        let found = same_name(self.old.types, old, self.new.types);
        match found {
            Found::Nothing => is_basic(self.old.types, old),
            Found::Unit => true,
            Found::One(new) => self.is_same(old, new),
            Found::Array(element) => self.stays(element),
        }
    }

    /// Whether the old version had this new type as it is, for a function of the old version to make.
    fn stayed(&mut self, new: Place) -> bool {
        match same_name(self.new.types, new, self.old.types) {
            Found::Nothing => is_basic(self.new.types, new),
            Found::Unit => true,
            Found::One(old) => self.is_same(old, new),
            Found::Array(element) => self.stayed(element),
        }
    }

    fn variants(
        &mut self,
        pair: Pair,
        (before, after): (&[Variant], &[Variant]),
        (old, new): (&Description, &Description),
    ) -> Outcome<How> {
        let parts = |variants: &[Variant], description: &Description| -> Vec<Part> {
            let names = variants.iter().map(|variant| variant.name.as_str());
            names.map(|name| description.variant(name)).collect()
        };
        let origins = match matching::origins(&parts(before, old), &parts(after, new)) {
            Ok(origins) => origins,
            Err(conflict) => {
                self.refusals.conflict(
                    (pair.old, pair.new),
                    "variants: ",
                    &conflict,
                    &self.reached,
                );
                return Err(NoWay::Told);
            }
        };
        let mut changes = Vec::new();
        let mut refused = false;
        for (at, variant) in before.iter().enumerate() {
            let becomes = origins
                .iter()
                .position(|origin| origin.position() == Some(at));
            let Some(next) = becomes.map(|at| &after[at]) else {
                self.note(pair, format!("variant `{}`: removed", variant.name));
                changes.push(VariantChange {
                    old: variant.name.clone(),
                    new: None,
                    fields: Fields::default(),
                });
                continue;
            };
            if next.name != variant.name {
                self.note(
                    pair,
                    format!("variant `{}`: was `{}`", next.name, variant.name),
                );
            }
            let names = (Some(variant.name.as_str()), Some(next.name.as_str()));
            let lists = (variant.fields.as_slice(), next.fields.as_slice());
            match self.fields(pair, names, lists, (old, new)) {
                Ok(fields) => changes.push(VariantChange {
                    old: variant.name.clone(),
                    new: Some(next.name.clone()),
                    fields,
                }),
                Err(_) => refused = true,
            }
        }
        for (variant, _) in after
            .iter()
            .zip(&origins)
            .filter(|(_, it)| **it == Origin::New)
        {
            self.note(pair, format!("variant `{}`: added", variant.name));
        }
        match refused {
            true => Err(NoWay::Told),
            false => Ok(How::Variants(changes)),
        }
    }

    /// Notes what becomes of a field, where there is something to say.
    fn tell(
        &mut self,
        pair: Pair,
        prefix: &str,
        source: &Source,
        field: &Field,
        from: Option<&Field>,
    ) {
        let name = &field.name;
        let types = |from: &Field| {
            self.readable(Pair {
                old: from.place,
                new: field.place,
            })
        };
        let text = match (source, from) {
            (Source::Default, _) => "added, with its default".to_owned(),
            (Source::With { .. } | Source::Back { .. }, Some(from)) => {
                let (old, new) = types(from);
                match (from.name == *name, old == new) {
                    (true, _) => format!("converted from `{old}` to `{new}`"),
                    (false, true) => format!("made from `{}`", from.name),
                    (false, false) => format!("made from `{}`, of `{old}`", from.name),
                }
            }
            (_, Some(from)) if from.name != *name => format!("was `{}`", from.name),
            _ => return,
        };
        self.note(pair, format!("{prefix}field `{name}`: {text}"));
    }

    /// Notes a change of a type.
    fn note(&mut self, pair: Pair, text: String) {
        let (_, subject) = self.names(pair);
        if let Some(known) = self
            .told
            .iter_mut()
            .find(|finding| finding.subject == subject)
        {
            known.differences.push(text);
            return;
        }
        self.told.push(Finding {
            subject,
            verdict: Verdict::Migrated,
            cause: Cause::Layout,
            differences: vec![text],
            old: Some(compare::layout(self.old.types, pair.old)),
            new: Some(compare::layout(self.new.types, pair.new)),
            reached: vec![self.reached.clone()],
            reason: "its values are carried over to the new layout".to_owned(),
            help: String::new(),
        });
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

/// A type of another program.
enum Found {
    Nothing,
    Unit,
    One(Place),
    /// An array, which is there if its element is.
    Array(Place),
}

/// Whether a type is the compiler's own, the same in every version.
fn is_basic(program: &Program, place: Place) -> bool {
    let node = program.object(place).node(place.node);
    node.kind == Kind::Base && node.scope == NONE
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
