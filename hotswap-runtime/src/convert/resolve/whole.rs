//! Functions that make whole values: what they take and make, checked against both types.

use hotswap_protocol::state::{self, MovedPart, Taken, TypeChange};

use crate::convert::resolve::{Outcome, Refused, Resolver, fields};
use crate::convert::{How, Parts, Room, Take, Whole, dropped};
use crate::migrate::code_change::{Ask, Parameter, Run, Told};
use crate::migrate::hook::TypeFacts;
use crate::migrate::schema::{Choice, Field, Schema, Shape, Variant};

impl Resolver<'_> {
    /// Whether a change is made by such a function.
    pub(super) fn is_whole(&self, change: u32) -> bool {
        let planned = self.types.get(change as usize);
        planned.is_some_and(|planned| matches!(planned.how, state::How::Whole(_)))
    }

    pub(super) fn whole(
        &self,
        planned: &TypeChange,
        whole: &state::Whole,
        old: &'static Schema,
        new: &'static Schema,
    ) -> Outcome<How> {
        let symbol = &whole.function;
        let functions = match whole.parts {
            Some(_) => &self.old_functions,
            None => &self.functions,
        };
        let run = *functions
            .get(symbol)
            .ok_or_else(|| Refused::new(planned, format!("there is no function `{symbol}`")))?;
        let Told::Types { makes, takes } = run(Ask::Describe) else {
            let reason = format!("the function `{symbol}` does not tell its types");
            return Err(Refused::new(planned, reason));
        };
        let parts = match &whole.parts {
            Some(parts) => Some(check_parts(planned, parts, makes, new)?),
            None if makes == facts(new) => None,
            None => {
                let (makes, is) = (makes.name, (new.name)());
                let reason = format!("its function makes `{makes}`, not `{is}`");
                return Err(Refused::new(planned, reason));
            }
        };
        if takes.len() != whole.takes.len() {
            let (has, planned_for) = (takes.len(), whole.takes.len());
            let reason = format!("its function takes {has} fields, and the plan has {planned_for}");
            return Err(Refused::new(planned, reason));
        }
        let pairs = whole.takes.iter().zip(&takes);
        let takes = pairs.map(|(taken, parameter)| take(planned, taken, parameter, old));
        Ok(How::Whole(Whole {
            run,
            takes: takes.collect::<Outcome<_>>()?,
            old: choice(old),
            // A function that sees the whole value could keep a reference to what changes: there must
            // be none, so none is counted.
            counted: parts.is_none() && dropped::may_count(old),
            parts,
        }))
    }
}

fn facts(schema: &Schema) -> TypeFacts {
    TypeFacts {
        name: (schema.name)(),
        size: schema.size,
        align: schema.align,
    }
}

/// What a function makes has all of the new value's parts, each in one place.
fn check_parts(
    planned: &TypeChange,
    parts: &[MovedPart],
    makes: TypeFacts,
    new: &'static Schema,
) -> Outcome<Parts> {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let parts = parts.iter();
    let moves = parts.map(|part| (number(part.from), number(part.to), number(part.bytes)));
    let mut moves: Vec<(usize, usize, usize)> = moves.collect();
    moves.sort_by_key(|(_, to, bytes)| (*to, *bytes));
    let within = |(from, to, bytes): &(usize, usize, usize)| {
        from.saturating_add(*bytes) <= makes.size && to.saturating_add(*bytes) <= new.size
    };
    let overlaps = moves
        .windows(2)
        .any(|pair| pair[0].1 + pair[0].2 > pair[1].1);
    let is_known = match &new.shape {
        Shape::Record(fields) => {
            let mut fields: Vec<_> = fields.iter().map(|it| (it.offset, it.size)).collect();
            fields.sort_unstable();
            fields
                .into_iter()
                .eq(moves.iter().map(|(_, to, bytes)| (*to, *bytes)))
        }
        Shape::Choice(_) => {
            moves == [(0, 0, new.size)] && (makes.size, makes.align) == (new.size, new.align)
        }
        _ => true,
    };
    if !moves.iter().all(within) || overlaps || !is_known {
        let reason = format!("what its function makes, `{}`, has other parts", makes.name);
        return Err(Refused::new(planned, reason));
    }
    let room = Room {
        size: makes.size,
        align: makes.align,
    };
    Ok(Parts { room, moves })
}

/// The function that makes values of a variant, which takes all fields of the old one, in their order.
pub(super) fn of_variant(
    planned: &TypeChange,
    variant: &Variant,
    (old, from): (&str, &[Field]),
) -> Outcome<Run> {
    let new = variant.name;
    let refuse = |reason: String| Refused::new(planned, format!("variant `{new}`: {reason}"));
    let run = variant.with;
    let run = run.ok_or_else(|| refuse("it has no function `with`".to_owned()))?;
    let Told::Types { takes, .. } = run(Ask::Describe) else {
        return Err(refuse("its function does not tell its types".to_owned()));
    };
    if takes.len() != from.len() {
        let (has, takes) = (from.len(), takes.len());
        return Err(refuse(format!(
            "its function takes {takes} fields, and the old variant `{old}` has {has}"
        )));
    }
    for (field, parameter) in from.iter().zip(&takes) {
        let is = fields::facts(field);
        if is != parameter.facts {
            let (takes, name) = (parameter.facts.name, field.name);
            let is = is.name;
            return Err(refuse(format!(
                "its function takes `&{takes}`, and the old field `{old}.{name}` is `{is}`"
            )));
        }
    }
    Ok(run)
}

fn choice(schema: &'static Schema) -> Option<&'static Choice> {
    match &schema.shape {
        Shape::Choice(choice) => Some(choice),
        _ => None,
    }
}

/// What a parameter gets.
fn take(
    planned: &TypeChange,
    taken: &Taken,
    parameter: &Parameter,
    old: &'static Schema,
) -> Outcome<Take> {
    let refuse = |reason: String| Err(Refused::new(planned, reason));
    if !parameter.optional && !matches!(taken, Taken::Field { .. } | Taken::Value) {
        return refuse("its function takes a field that may be missing".to_owned());
    }
    match taken {
        Taken::Nothing => Ok(Take::Nothing),
        Taken::Value if parameter.facts == facts(old) => Ok(Take::At(0)),
        Taken::Value => {
            let (takes, is) = (parameter.facts.name, (old.name)());
            refuse(format!(
                "its function takes `&{takes}`, and the old value is `{is}`"
            ))
        }
        Taken::Field { name, offset } => {
            let offset = usize::try_from(*offset).unwrap_or(usize::MAX);
            let end = offset.saturating_add(parameter.facts.size);
            if end > old.size || !offset.is_multiple_of(parameter.facts.align) {
                let size = old.size;
                return refuse(format!(
                    "the old field `{name}` is said to be at byte {offset} of {size}"
                ));
            }
            if let Shape::Record(fields) = &old.shape {
                let field = fields.iter().find(|field| field.name == name);
                let field = check(planned, parameter, name, field)?;
                if field.offset != offset {
                    let is_at = field.offset;
                    return refuse(format!(
                        "the old field `{name}` is at byte {is_at}, not {offset}"
                    ));
                }
            }
            Ok(Take::At(offset))
        }
        Taken::OfVariant { variant, name } => {
            let mut variants = choice(old)
                .map_or(&[][..], |old| old.variants)
                .iter()
                .zip(0..);
            let Some((found, number)) = variants.find(|(it, _)| it.name == variant) else {
                return refuse(format!("there was no variant `{variant}`"));
            };
            let position = found.fields.iter().position(|field| field.name == name);
            let field = position.map(|number| &found.fields[number]);
            check(planned, parameter, name, field)?;
            Ok(Take::Of {
                variant: number,
                number: position.unwrap_or(0),
            })
        }
    }
}

/// The old field, if it is what the parameter takes.
fn check<'a>(
    planned: &TypeChange,
    parameter: &Parameter,
    name: &str,
    field: Option<&'a Field>,
) -> Outcome<&'a Field> {
    let field =
        field.ok_or_else(|| Refused::new(planned, format!("there was no field `{name}`")))?;
    let facts = fields::facts(field);
    if facts == parameter.facts {
        return Ok(field);
    }
    let reason = format!(
        "its function takes `{name}: &{}`, and the old field is `{}`",
        parameter.facts.name, facts.name
    );
    Err(Refused::new(planned, reason))
}
