//! Counted references in parts of old values that will be dropped.
//!
//! They are no reason to refuse a swap, though nothing becomes of them. But what they lead to has moved
//! when they are dropped. So only those count that no `Drop` of the user's can see.

use std::collections::{HashMap, HashSet};

use crate::migrate::cells::Held;
use crate::migrate::schema::{Field, Schema, Shape};
use crate::migrate::shared::{Shared, Target};

/// How many references lead to a value.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) strong: usize,
    pub(crate) weak: usize,
}

impl Counts {
    fn add(&mut self, is_weak: bool) {
        if is_weak {
            self.weak += 1;
        } else {
            self.strong += 1;
        }
    }
}

/// Whether values of a type may have counted references inside that are dropped with them unseen.
pub(crate) fn may_count(schema: &'static Schema) -> bool {
    let mut seen = HashSet::new();
    let mut left = vec![schema];
    while let Some(schema) = left.pop() {
        if schema.has_own_drop || !seen.insert(std::ptr::from_ref(schema)) {
            continue;
        }
        match &schema.shape {
            Shape::Shared(_) => return true,
            Shape::Opaque | Shape::Custom(_) | Shape::Pieces(_) => {}
            Shape::Record(fields) => left.extend(schemas(fields)),
            Shape::Choice(choice) => {
                let variants = choice.variants.iter();
                left.extend(variants.flat_map(|variant| schemas(variant.fields)));
            }
            Shape::Array { element, .. } | Shape::Boxed(element) => left.push(element()),
            Shape::Sequence(sequence) => left.push((sequence.element)()),
            Shape::Cellular(cell) => left.push((cell.element)()),
            Shape::Entries(entries) => left.extend(entries.parts.iter().map(|part| part())),
        }
    }
    false
}

fn schemas(fields: &'static [Field]) -> impl Iterator<Item = &'static Schema> {
    fields.iter().filter_map(|field| Some(field.schema?()))
}

/// Counts the references to known values, by their addresses, in these parts.
///
/// # Safety
///
/// At each address is a value of the type, and nobody changes it but through locks in it.
pub(crate) unsafe fn count(
    parts: &[(*const u8, &'static Schema)],
    known: &HashMap<usize, usize>,
) -> HashMap<usize, Counts> {
    let parts = parts.iter().map(|&(value, schema)| Part {
        value,
        schema,
        behind: false,
    });
    let mut survey = Survey {
        known,
        left: parts.collect(),
        own: HashMap::new(),
        inside: HashMap::new(),
        others: HashMap::new(),
        held: Vec::new(),
    };
    while let Some(part) = survey.left.pop() {
        // SAFETY: the caller's promise; what is added lies inside of what is there, or behind
        // references from there.
        unsafe { survey.look(part) };
    }
    survey.result()
}

/// A part of a value that will be dropped.
struct Part {
    value: *const u8,
    schema: &'static Schema,
    /// Whether it is behind another counted reference: it is dropped only with the last of these.
    behind: bool,
}

struct Survey<'a> {
    known: &'a HashMap<usize, usize>,
    left: Vec<Part>,
    /// References to known values, and those that stand in others.
    own: HashMap<usize, Counts>,
    inside: HashMap<usize, Counts>,
    /// Values behind other references: how many lead there, and how many were found.
    others: HashMap<usize, (Target, Counts)>,
    /// Locks in what others may have references to.
    held: Vec<Held>,
}

impl Survey<'_> {
    unsafe fn look(&mut self, part: Part) {
        let Part {
            value,
            schema,
            behind,
        } = part;
        if schema.has_own_drop {
            return;
        }
        let mut add = |value, schema| {
            self.left.push(Part {
                value,
                schema,
                behind,
            });
        };
        // SAFETY: a value of this type is there, and nobody changes it.
        unsafe {
            match &schema.shape {
                Shape::Opaque | Shape::Custom(_) | Shape::Pieces(_) => {}
                Shape::Record(fields) => {
                    for field in *fields {
                        if let Some(of) = field.schema {
                            add(value.add(field.offset), of());
                        }
                    }
                }
                Shape::Choice(choice) => {
                    let mut places = Vec::new();
                    let variant = (choice.project)(value, &mut places) as usize;
                    for (field, place) in choice.variants[variant].fields.iter().zip(places) {
                        if let Some(of) = field.schema {
                            add(place, of());
                        }
                    }
                }
                Shape::Array { len, element } => {
                    let element = element();
                    (0..*len).for_each(|number| add(value.add(number * element.size), element));
                }
                Shape::Boxed(element) => add(value.cast::<*const u8>().read(), element()),
                Shape::Sequence(sequence) => {
                    let element = (sequence.element)();
                    for (start, len) in (sequence.spans)(value) {
                        (0..len).for_each(|number| add(start.add(number * element.size), element));
                    }
                }
                Shape::Cellular(cell) => {
                    let inside = match cell.hold {
                        Some(hold) => hold(value).map(|(inside, held)| {
                            self.held.push(held);
                            inside
                        }),
                        None => (cell.peek)(value),
                    };
                    if let Ok(inside) = inside {
                        add(inside.value, (cell.element)());
                    }
                }
                Shape::Entries(entries) => (entries.visit)(value, &mut |entry| {
                    for (part, place) in entries.parts.iter().zip(entry) {
                        add(place, part());
                    }
                    true
                }),
                Shape::Shared(shared) => {
                    if let Some(target) = (shared.target)(value) {
                        self.reference(shared, target, behind);
                    }
                }
            }
        }
    }

    fn reference(&mut self, shared: &Shared, target: Target, behind: bool) {
        let address = target.value.addr();
        if self.known.contains_key(&address) {
            let counts = match behind {
                true => &mut self.inside,
                false => &mut self.own,
            };
            counts.entry(address).or_default().add(shared.weak);
            return;
        }
        let (_, found) = self
            .others
            .entry(address)
            .or_insert((target, Counts::default()));
        found.add(shared.weak);
        if !shared.weak && found.strong == 1 {
            self.left.push(Part {
                value: target.value,
                schema: (shared.element)(),
                behind: true,
            });
        }
    }

    /// What stands in other values counts only if all of them are dropped.
    fn result(self) -> HashMap<usize, Counts> {
        let mut counts = self.own;
        let mut others = self.others.values();
        if others.all(|(target, found)| [0, target.strong].contains(&found.strong)) {
            for (address, inside) in self.inside {
                let count = counts.entry(address).or_default();
                count.strong += inside.strong;
                count.weak += inside.weak;
            }
        }
        counts
    }
}
