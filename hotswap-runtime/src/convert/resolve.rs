//! From a plan and the schemas of two versions to conversions: names become offsets and functions.
//!
//! All that can be checked before a value is touched is checked here.

mod fields;
mod finish;
mod whole;

use std::collections::{BTreeMap, HashMap};

use hotswap_protocol::state::{self, TypeChange, VariantChange};

use crate::convert::resolve::fields::{Known, Taken};
use crate::convert::{
    Branch, Conversion, Conversions, Dropped, EntryPart, How, Index, Making, Part, Record, Room,
    Step, Versions, waits,
};
use crate::migrate::code_change::Run;
use crate::migrate::schema::{Choice, Field, Of, Schema, Shape};

/// Why a plan does not fit the schemas.
#[derive(Debug, thiserror::Error)]
#[error("type `{type_name}`: {reason}")]
pub(crate) struct Refused {
    type_name: String,
    reason: String,
}

impl Refused {
    fn new(change: &TypeChange, reason: impl Into<String>) -> Self {
        Self {
            type_name: change.new.clone(),
            reason: reason.into(),
        }
    }
}

type Outcome<T> = Result<T, Refused>;

/// Resolves plans into one graph.
pub(crate) struct Resolver<'a> {
    types: &'a [TypeChange],
    conversions: Conversions,
    /// The conversion of each change that was begun, where elements wait and where they don't.
    begun: HashMap<(u32, bool), Index>,
    /// Functions of the new version that make whole values, by symbol.
    functions: Functions,
    /// Those of the old version, for the way back.
    old_functions: Functions,
}

/// Functions that make whole values, by symbol.
pub(crate) type Functions = BTreeMap<String, Run>;

impl<'a> Resolver<'a> {
    pub(crate) fn new(types: &'a [TypeChange]) -> Self {
        Self {
            types,
            conversions: Conversions::default(),
            begun: HashMap::new(),
            functions: Functions::new(),
            old_functions: Functions::new(),
        }
    }

    /// The same, where plans may name these functions of both versions, which hear of them.
    pub(crate) fn with_functions(
        mut self,
        (old, new): (Functions, Functions),
        versions: Versions,
    ) -> Self {
        (self.old_functions, self.functions) = (old, new);
        self.conversions.versions = versions;
        self
    }

    /// The conversion of one change, from a type with the first schema to one with the second.
    pub(crate) fn resolve(
        &mut self,
        change: u32,
        old: &'static Schema,
        new: &'static Schema,
    ) -> Outcome<Index> {
        self.resolve_to(change, false, old, new)
    }

    /// The same, where elements of a container may be left for later.
    fn resolve_to(
        &mut self,
        change: u32,
        lazy: bool,
        old: &'static Schema,
        new: &'static Schema,
    ) -> Outcome<Index> {
        let types = self.types;
        let Some(planned) = types.get(change as usize) else {
            let type_name = (new.name)().to_owned();
            let reason = format!("the plan has no change {change}");
            return Err(Refused { type_name, reason });
        };
        check_size(planned, &planned.old, planned.old_size, old)?;
        check_size(planned, &planned.new, planned.new_size, new)?;
        if let Some(&index) = self.begun.get(&(change, lazy)) {
            return self.check_same(planned, index, old, new);
        }
        let index = self.add(old, new, How::Record(Record::default()));
        self.begun.insert((change, lazy), index);
        let mut how = self.how(planned, old, new)?;
        if let How::Pieces { lazy: waits, .. } = &mut how {
            *waits = lazy;
        }
        self.conversions.all[index].how = how;
        Ok(index)
    }

    fn add(&mut self, old: &'static Schema, new: &'static Schema, how: How) -> Index {
        self.conversions.add(Conversion {
            old,
            new,
            how,
            discards: false,
            releases: false,
            in_turn: false,
            locks: false,
        })
    }

    /// The whole graph, unless elements are to wait that can't.
    pub(crate) fn finish(self) -> Outcome<Conversions> {
        let conversions = finish::finish(self.conversions);
        waits::check(&conversions).map_err(|(type_name, reason)| Refused {
            type_name: type_name.to_owned(),
            reason: format!(
                "{reason}, so its elements can't migrate when they are first used: leave `lazy` out, \
                 and all migrate in the swap"
            ),
        })?;
        Ok(conversions)
    }

    /// One change is of one type, wherever it is met.
    fn check_same(
        &self,
        planned: &TypeChange,
        index: Index,
        old: &'static Schema,
        new: &'static Schema,
    ) -> Outcome<Index> {
        let known = self.conversions.get(index);
        let names = |old: &Schema, new: &Schema| ((old.name)(), (new.name)());
        if names(known.old, known.new) == names(old, new) {
            Ok(index)
        } else {
            let reason = format!(
                "the plan has one change for `{}` and `{}`",
                (known.new.name)(),
                (new.name)()
            );
            Err(Refused::new(planned, reason))
        }
    }

    fn how(
        &mut self,
        planned: &TypeChange,
        old: &'static Schema,
        new: &'static Schema,
    ) -> Outcome<How> {
        match (&planned.how, &old.shape, &new.shape) {
            (state::How::Fields(fields), Shape::Record(from), Shape::Record(to)) => {
                self.record(planned, fields, (from, to)).map(How::Record)
            }
            (state::How::Variants(variants), Shape::Choice(from), Shape::Choice(to)) => {
                self.variants(planned, variants, (from, to))
            }
            (state::How::Elements(elements), ..) => self.elements(planned, elements, old, new),
            (state::How::Whole(whole), ..) => self.whole(planned, whole, old, new),
            _ => Err(Refused::new(
                planned,
                "its values can't be taken apart as planned: write `#[derive(hotswap::Migrate)]` on it",
            )),
        }
    }

    fn record(
        &mut self,
        planned: &TypeChange,
        fields: &state::Fields,
        (from, to): (&'static [Field], &'static [Field]),
    ) -> Outcome<Record> {
        let mut known = Known::new(planned, fields, (from, to));
        let mut record = Record::default();
        record.steps.reserve_exact(to.len());
        for field in to {
            let (number, taken) = known.source(field)?;
            let offset = number.map_or(0, |number| from[number].offset);
            record.steps.push(match taken {
                Taken::Whole => Step::Copy {
                    from: offset,
                    to: field.offset,
                    bytes: field.size,
                },
                Taken::Made(by) => Step::Make {
                    from: offset,
                    to: field.offset,
                    field: field.name.into(),
                    by,
                },
                Taken::Changed(by) => Step::Make {
                    from: offset,
                    to: field.offset,
                    field: field.name.into(),
                    by: Making::Conversion(self.field(
                        planned,
                        by,
                        number.map(|n| &from[n]),
                        field,
                    )?),
                },
            });
        }
        let dropped = known.dropped()?;
        record.dropped = dropped
            .into_iter()
            .map(|field| Dropped {
                at: from[field.at].offset,
                ..field
            })
            .collect();
        Ok(record)
    }

    /// The conversion of a field whose type changed.
    fn field(
        &mut self,
        planned: &TypeChange,
        by: u32,
        old: Option<&Field>,
        new: &Field,
    ) -> Outcome<Index> {
        let is_whole = self.is_whole(by);
        let schema = |field: &Field| {
            let known = field.schema.map(|of| of());
            let known = known.or_else(|| is_whole.then(|| (field.opaque)()));
            known.or_else(|| field.around.map(|of| of()))
        };
        match (old.and_then(schema), schema(new)) {
            (Some(old), Some(schema)) => self.resolve_to(by, new.lazy, old, schema),
            _ => Err(Refused::new(
                planned,
                format!(
                    "field `{}` of type `{}` has changed inside, and can only be moved: write \
                     `#[derive(hotswap::Migrate)]` on its type, in both versions",
                    new.name,
                    (new.type_name)()
                ),
            )),
        }
    }

    fn variants(
        &mut self,
        planned: &TypeChange,
        variants: &[VariantChange],
        (from, to): (&'static Choice, &'static Choice),
    ) -> Outcome<How> {
        let mut branches: Vec<Branch> = Vec::with_capacity(from.variants.len());
        for variant in from.variants {
            let change = variants.iter().find(|change| change.old == variant.name);
            let change = change.ok_or_else(|| {
                let reason = format!(
                    "the plan says nothing of the old variant `{}`",
                    variant.name
                );
                Refused::new(planned, reason)
            })?;
            let branch = self.branch((planned, change), (variant.name, variant.fields), to)?;
            let twice = |other: &Branch| other.variant.is_some() && other.variant == branch.variant;
            if branches.iter().any(twice) {
                let reason = format!("two old variants become one, `{}` among them", variant.name);
                return Err(Refused::new(planned, reason));
            }
            branches.push(branch);
        }
        Ok(How::Choice {
            old: from,
            new: to,
            branches,
        })
    }

    fn branch(
        &mut self,
        (planned, change): (&TypeChange, &VariantChange),
        (name, from): (&'static str, &'static [Field]),
        to: &'static Choice,
    ) -> Outcome<Branch> {
        let mut branch = Branch {
            name,
            variant: None,
            by: None,
            parts: Vec::new(),
            room: Room::NONE,
            dropped: Vec::new(),
        };
        let Some(new) = &change.new else {
            return Ok(branch);
        };
        let found = to
            .variants
            .iter()
            .zip(0..)
            .find(|(variant, _)| variant.name == new);
        let (variant, number) =
            found.ok_or_else(|| Refused::new(planned, format!("there is no variant `{new}`")))?;
        branch.variant = Some(number);
        if change.with {
            let run = whole::of_variant(planned, variant, (name, from))?;
            branch.by = Some(run);
            branch.dropped = fields::read_all(from);
            return Ok(branch);
        }
        let mut known = Known::new(planned, &change.fields, (from, variant.fields));
        branch.parts.reserve_exact(variant.fields.len());
        for field in variant.fields {
            let (number, taken) = known.source(field)?;
            let making = match taken {
                Taken::Whole => None,
                Taken::Made(by) => Some(by),
                Taken::Changed(by) => {
                    let old = number.map(|number| &from[number]);
                    Some(Making::Conversion(self.field(planned, by, old, field)?))
                }
            };
            branch.parts.push(Part {
                field: field.name,
                from: number.unwrap_or(0),
                made: making.map(|by| (by, branch.room.add(field.size, field.align))),
            });
        }
        branch.dropped = known.dropped()?;
        Ok(branch)
    }

    fn elements(
        &mut self,
        planned: &TypeChange,
        elements: &[Option<u32>],
        old: &'static Schema,
        new: &'static Schema,
    ) -> Outcome<How> {
        match (&old.shape, &new.shape) {
            (
                Shape::Array { len, element: from },
                Shape::Array {
                    len: other,
                    element: to,
                },
            ) if len == other => Ok(How::Array {
                len: *len,
                element: self.only(planned, elements, *from, *to)?,
            }),
            (Shape::Boxed(from), Shape::Boxed(to)) => {
                Ok(How::Boxed(self.only(planned, elements, *from, *to)?))
            }
            (Shape::Sequence(from), Shape::Sequence(to)) => Ok(How::Sequence {
                old: from,
                new: to,
                element: self.only(planned, elements, from.element, to.element)?,
            }),
            (Shape::Pieces(from), Shape::Pieces(to)) => {
                let (from, to) = (from(), to());
                let how = self.elements(planned, elements, from, to)?;
                let piece = self.add(from, to, how);
                Ok(How::Pieces { piece, lazy: false })
            }
            (Shape::Cellular(from), Shape::Cellular(to)) => Ok(How::Cellular {
                old: from,
                new: to,
                element: self.only(planned, elements, from.element, to.element)?,
            }),
            (Shape::Shared(from), Shape::Shared(to)) if from.weak == to.weak => Ok(How::Shared {
                old: from,
                new: to,
                element: self.only(planned, elements, from.element, to.element)?,
            }),
            (Shape::Entries(from), Shape::Entries(to))
                if from.parts.len() == to.parts.len() && from.manner_bytes == to.manner_bytes =>
            {
                let parts = self.parts(planned, elements, from.parts, to.parts)?;
                Ok(How::Entries {
                    old: from,
                    new: to,
                    parts,
                })
            }
            (Shape::Custom(from), Shape::Custom(to)) if from.parts.len() == to.parts.len() => {
                let parts = self.parts(planned, elements, from.parts, to.parts)?;
                Ok(How::Custom {
                    old: from,
                    new: to,
                    parts,
                })
            }
            (Shape::Choice(from), Shape::Choice(to)) => self.sum(planned, elements, (from, to)),
            _ => Err(Refused::new(
                planned,
                "its elements can't be changed one by one: this is no container that both versions know",
            )),
        }
    }

    /// The conversion of the only type argument.
    fn only(
        &mut self,
        planned: &TypeChange,
        elements: &[Option<u32>],
        old: Of,
        new: Of,
    ) -> Outcome<Index> {
        match elements {
            [Some(change)] | [Some(change), None] => self.resolve(*change, old(), new()),
            _ => Err(Refused::new(
                planned,
                "the plan does not say how its elements change",
            )),
        }
    }

    fn parts(
        &mut self,
        planned: &TypeChange,
        elements: &[Option<u32>],
        old: &[Of],
        new: &[Of],
    ) -> Outcome<Vec<EntryPart>> {
        let part = |(number, (old, new)): (usize, (&Of, &Of))| {
            let (old, new) = (old(), new());
            let by = match elements.get(number).copied().flatten() {
                Some(change) => Some(self.resolve(change, old, new)?),
                None if old.size == new.size => None,
                None => {
                    let reason = format!(
                        "its part `{}` has changed, and the plan has no way",
                        (new.name)()
                    );
                    return Err(Refused::new(planned, reason));
                }
            };
            let (size, align) = (new.size, new.align);
            Ok(EntryPart { by, size, align })
        };
        old.iter().zip(new).enumerate().map(part).collect()
    }

    /// `Option` and `Result`: the plan counts type arguments, which stand in the variants in order.
    fn sum(
        &mut self,
        planned: &TypeChange,
        elements: &[Option<u32>],
        (from, to): (&'static Choice, &'static Choice),
    ) -> Outcome<How> {
        let mut arguments = elements.iter();
        let mut changes = Vec::new();
        for (old, new) in from.variants.iter().zip(to.variants) {
            let fields = new.fields.iter().map(|field| {
                let from = field.name.to_owned();
                let source = match arguments.next().copied().flatten() {
                    Some(by) => state::Source::Changed { from, by },
                    None => state::Source::Same { from },
                };
                let name = field.name.to_owned();
                state::FieldChange { name, source }
            });
            changes.push(VariantChange {
                old: old.name.to_owned(),
                new: Some(new.name.to_owned()),
                fields: state::Fields {
                    new: fields.collect(),
                    removed: Vec::new(),
                },
                with: false,
            });
        }
        self.variants(planned, &changes, (from, to))
    }
}

fn check_size(planned: &TypeChange, name: &str, expected: u64, found: &Schema) -> Outcome<()> {
    if found.size as u64 == expected {
        return Ok(());
    }
    let reason = format!(
        "the plan has {expected} bytes for `{name}`, and the program {}",
        found.size
    );
    Err(Refused::new(planned, reason))
}
