//! What is known only of the whole graph: which walks find anything to do, and which steps are one.

use std::sync::Arc;

use crate::convert::{Conversion, Conversions, Dropped, How, Index, Making, Record, Step};

/// Finishes a graph whose conversions all stand.
pub(super) fn finish(mut conversions: Conversions) -> Conversions {
    mark(&mut conversions);
    for index in 0..conversions.all.len() {
        if let How::Record(record) = &conversions.all[index].how {
            let flat = flatten(&conversions, record);
            conversions.all[index].how = How::Record(flat);
        }
    }
    conversions
}

/// Marks what has anything to discard or release, and what must be made in turn, until nothing is
/// marked any more.
fn mark(conversions: &mut Conversions) {
    let mut changed = true;
    while changed {
        changed = false;
        for index in 0..conversions.all.len() {
            let conversion = &conversions.all[index];
            let (discards, releases) = match conversion.how {
                How::Whole(_) => (conversion.new.drop.is_some(), conversion.old.drop.is_some()),
                _ => (
                    needs(conversions, conversion, |inner| inner.discards, made_drops),
                    needs(conversions, conversion, |inner| inner.releases, |_| false),
                ),
            };
            let in_turn = in_turn(conversions, conversion);
            let locks = locks(conversions, conversion);
            let conversion = &mut conversions.all[index];
            let places = [
                (&mut conversion.discards, discards),
                (&mut conversion.releases, releases),
                (&mut conversion.in_turn, in_turn),
                (&mut conversion.locks, locks),
            ];
            for (place, mark) in places {
                changed |= *place != mark;
                *place = mark;
            }
        }
    }
}

fn made_drops(by: Making) -> bool {
    match by {
        Making::Conversion(_) => false,
        Making::Default(_, destructor) | Making::Hook(_, destructor) => destructor.is_some(),
    }
}

fn needs(
    conversions: &Conversions,
    conversion: &Conversion,
    inner: impl Fn(&Conversion) -> bool,
    own: impl Fn(Making) -> bool,
) -> bool {
    let inner = |index: Index| inner(conversions.get(index));
    let made = |by: Making| match by {
        Making::Conversion(index) => inner(index),
        other => own(other),
    };
    // Whether anything is dropped counts for both walks: it is seldom, and does no harm.
    match &conversion.how {
        How::Record(record) => {
            let step = |step: &Step| matches!(step, Step::Make { by, .. } if made(*by));
            !record.dropped.is_empty() || record.steps.iter().any(step)
        }
        How::Choice { branches, .. } => branches.iter().any(|branch| {
            let mut parts = branch.parts.iter().filter_map(|part| part.made);
            let is_made = branch.by.is_some();
            is_made || !branch.dropped.is_empty() || parts.any(|(by, _)| made(by))
        }),
        How::Array { element, .. } | How::Cellular { element, .. } => inner(*element),
        // These have memory of their own.
        How::Boxed(_) | How::Sequence { .. } | How::Shared { .. } | How::Entries { .. } => true,
        How::Pieces { .. } | How::Custom { .. } | How::Whole(_) => true,
    }
}

/// Whether references have to be counted in what is dropped.
fn counted(dropped: &[Dropped]) -> bool {
    dropped.iter().any(|field| field.counted.is_some())
}

fn in_turn(conversions: &Conversions, conversion: &Conversion) -> bool {
    let inner = |index: Index| conversions.get(index).in_turn;
    let made = |by: Making| match by {
        Making::Conversion(index) => inner(index),
        Making::Default(..) => false,
        Making::Hook(..) => true,
    };
    match &conversion.how {
        How::Record(record) => {
            let step = |step: &Step| matches!(step, Step::Make { by, .. } if made(*by));
            record.steps.iter().any(step) || counted(&record.dropped)
        }
        How::Choice { branches, .. } => branches.iter().any(|branch| {
            let mut parts = branch.parts.iter().filter_map(|part| part.made);
            branch.by.is_some() || parts.any(|(by, _)| made(by)) || counted(&branch.dropped)
        }),
        How::Array { element, .. }
        | How::Boxed(element)
        | How::Cellular { element, .. }
        | How::Sequence { element, .. } => inner(*element),
        How::Pieces { piece, lazy } => !*lazy && inner(*piece),
        // Elements are hashed and compared by functions of the user's.
        How::Shared { .. } | How::Entries { .. } => true,
        // These give values to functions of the user's.
        How::Custom { .. } | How::Whole(_) => true,
    }
}

fn locks(conversions: &Conversions, conversion: &Conversion) -> bool {
    let inner = |index: Index| conversions.get(index).locks;
    let made = |by: Making| matches!(by, Making::Conversion(index) if inner(index));
    match &conversion.how {
        How::Record(record) => {
            let step = |step: &Step| matches!(step, Step::Make { by, .. } if made(*by));
            record.steps.iter().any(step)
        }
        How::Choice { branches, .. } => branches.iter().any(|branch| {
            let mut parts = branch.parts.iter().filter_map(|part| part.made);
            parts.any(|(by, _)| made(by))
        }),
        How::Array { element, .. } | How::Boxed(element) | How::Sequence { element, .. } => {
            inner(*element)
        }
        How::Cellular { old, element, .. } => old.hold.is_some() || inner(*element),
        How::Pieces { piece, lazy } => !*lazy && inner(*piece),
        // These are made in turn anyhow.
        How::Shared { .. } | How::Entries { .. } | How::Custom { .. } | How::Whole(_) => false,
    }
}

/// The record with the steps of the structs inside in place of their conversions, in the order of
/// the new value's bytes, and copies that follow one another made one.
fn flatten(conversions: &Conversions, record: &Record) -> Record {
    let mut flat = Record::default();
    inline(conversions, record, (0, 0), "", &mut flat);
    flat.steps.sort_by_key(|step| match step {
        Step::Copy { to, .. } | Step::Make { to, .. } => *to,
    });
    let mut merged: Vec<Step> = Vec::with_capacity(flat.steps.len());
    for step in flat.steps {
        match (merged.last_mut(), &step) {
            (_, Step::Copy { bytes: 0, .. }) => {}
            // Between two steps there is nothing but padding, which may be copied along.
            (
                Some(Step::Copy { from, to, bytes }),
                Step::Copy {
                    from: next_from,
                    to: next_to,
                    bytes: next_bytes,
                },
            ) if next_to - *to == next_from.wrapping_sub(*from) => {
                *bytes = next_to - *to + next_bytes;
            }
            _ => merged.push(step),
        }
    }
    flat.steps = merged;
    flat
}

/// Adds the steps of a record whose values are at these offsets.
fn inline(
    conversions: &Conversions,
    record: &Record,
    (old, new): (usize, usize),
    path: &str,
    flat: &mut Record,
) {
    for step in &record.steps {
        match *step {
            Step::Copy { from, to, bytes } => flat.steps.push(Step::Copy {
                from: old + from,
                to: new + to,
                bytes,
            }),
            Step::Make {
                from,
                to,
                ref field,
                by,
            } => {
                let (from, to) = (old + from, new + to);
                let field = if path.is_empty() {
                    Arc::clone(field)
                } else {
                    format!("{path}.{field}").into()
                };
                if let Making::Conversion(index) = by
                    && let How::Record(inner) = &conversions.get(index).how
                {
                    inline(conversions, inner, (from, to), &field, flat);
                } else {
                    flat.steps.push(Step::Make {
                        from,
                        to,
                        field,
                        by,
                    });
                }
            }
        }
    }
    flat.dropped
        .extend(record.dropped.iter().map(|field| Dropped {
            at: old + field.at,
            ..*field
        }));
}
