//! Fields: where each of the new type comes from.

use super::{NoWay, Outcome, Pair, Planner, moved};
use crate::descriptions::{Description, Part};
use crate::graph::NONE;
use crate::migrate::matching;
use crate::migrate::refusal::Lack;
use crate::migrate::shape::Field;
use crate::migrate::{FieldChange, Fields, Source, Way};

/// What a step from an older field to a newer one does with its value. What it did is what the way back has to undo: a
/// function that the older code has from a step before says nothing of that.
enum Forward {
    /// It stays, or something inside of it changes.
    Moved,
    /// A function of the newer code makes another one.
    With,
    /// The edit undoes another one: a function that the older code has for its own way back.
    Undone,
    /// There is no function that would have to be.
    Nothing,
}

/// `same` tells whether both have the same type.
fn forward(newer: &Part, older: &Part, same: bool) -> Forward {
    let renamed = newer.name != older.name;
    let says_so = renamed && newer.was.contains(&older.name);
    // A function that was written for this very step, whether the type changes or not.
    if says_so && newer.with {
        return Forward::With;
    }
    if renamed && !says_so && older.back {
        return Forward::Undone;
    }
    // An edit that undoes another one does not ask for the value's meaning.
    match (newer, older) {
        _ if same => Forward::Moved,
        (newer, _) if newer.is_made() => Forward::With,
        (_, older) if older.back => Forward::Undone,
        (_, older) if older.is_made() => Forward::Nothing,
        _ => Forward::Moved,
    }
}

impl Planner<'_> {
    /// Plans for the fields of a struct, or of a variant whose names in both versions are given.
    pub(super) fn fields(
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
        for ((field, part), origin) in after.iter().zip(&new_parts).zip(&origins) {
            let from = origin.position().map(|at| (&before[at], &old_parts[at]));
            let source = match from {
                None => self.added(field, part),
                Some(from) => self.field(from, (field, part)),
            };
            match source {
                Ok(source) => {
                    self.tell(pair, &prefix, &source, field, from.map(|(old, _)| old));
                    let name = field.name.clone();
                    fields.new.push(FieldChange { name, source });
                }
                Err(None) => {}
                Err(Some(lack)) => {
                    let name = format!("{prefix}field `{}`", field.name);
                    self.refusals
                        .part((pair.old, pair.new), &name, lack, &self.reached);
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
        match fields.new.len() == after.len() {
            true => Ok(fields),
            false => Err(NoWay::Told),
        }
    }

    /// The source of a field that no old one becomes.
    fn added(&self, field: &Field, part: &Part) -> Result<Source, Option<Lack>> {
        let types = self.new.types.object(field.place);
        let is_empty = || types.node(field.place.node).size == Some(0);
        let empty = field.place.node == NONE || is_empty();
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
        let same = self.is_same_value(old.place, new.place);
        let is_back = self.way == Way::Back;
        let (newer, older) = if is_back {
            (old_part, part)
        } else {
            (part, old_part)
        };
        match forward(newer, older, same) {
            Forward::Moved if same => return Ok(Source::Same { from }),
            Forward::Moved => {}
            Forward::With if !is_back => return with(self),
            Forward::With if newer.back => return back(self),
            Forward::Undone if !is_back => return back(self),
            Forward::Undone if older.is_made() => return with(self),
            Forward::With | Forward::Undone | Forward::Nothing => return Err(Some(Lack::WayBack)),
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
}
