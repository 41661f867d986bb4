//! Plans for tests: made from the schemas of two types, as the tool makes them from debug information.

pub mod faults;

use std::collections::HashMap;
use std::sync::Mutex;

use hotswap::__private::v0_1_0::{
    Choice, Field, Rehearsal, Rehearsed, Run, Schema, Shape, Variant,
};
use hotswap::{Live, Migrate, SwapLimits};
use hotswap_protocol::state::{
    FieldChange, Fields, How, Migration, MovedPart, Source, Taken, TypeChange, VariantChange, Whole,
};

/// A cell as tests use it: it lives as long as the program.
///
/// # Panics
///
/// Never.
pub fn cell<T: Migrate>(init: fn() -> T) -> &'static Live<T> {
    let cell = Box::leak(Box::new(Live::new(init)));
    let address = std::ptr::from_ref(cell).expose_provenance();
    CELLS.lock().unwrap().push(address);
    cell
}

/// All cells, so that a search for leaks finds them.
static CELLS: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// Changes the value of a cell from an `A` to a `B`.
///
/// # Errors
///
/// What refused it.
pub fn migrate<A: Migrate, B: Migrate>(
    cell: &'static Live<A>,
    renames: &[(&str, &str)],
) -> Result<(&'static Live<B>, Rehearsed), String> {
    migrate_within(cell, renames, SwapLimits::default())
}

/// As [`migrate`], with other limits.
///
/// # Errors
///
/// What refused it.
pub fn migrate_within<A: Migrate, B: Migrate>(
    cell: &'static Live<A>,
    renames: &[(&str, &str)],
    limits: SwapLimits,
) -> Result<(&'static Live<B>, Rehearsed), String> {
    migrate_by(cell, Planner::new(renames), limits)
}

/// As [`migrate`], by this planner's plan.
///
/// # Errors
///
/// What refused it.
pub fn migrate_by<A: Migrate, B: Migrate>(
    cell: &'static Live<A>,
    planner: Planner,
    limits: SwapLimits,
) -> Result<(&'static Live<B>, Rehearsed), String> {
    let functions: Vec<_> = planner.makers.iter().map(Maker::function).collect();
    let migration = planner.plan(A::schema(), B::schema());
    let mut rehearsal = Rehearsal::new(&migration).with_functions(functions);
    // SAFETY: the plan moves only fields whose types have one name, and tests go on with the cell
    // of the type that it has then.
    let changed = unsafe { rehearsal.add("cell", cell, 0)? };
    Ok((changed, rehearsal.run(limits)?))
}

/// Drops a cell that [`cell`] has made.
///
/// # Panics
///
/// Never.
///
/// # Safety
///
/// Nobody uses it again, and it has a value of this type, or none.
pub unsafe fn dispose<T: Migrate>(cell: &'static Live<T>) {
    let address = std::ptr::from_ref(cell).addr();
    CELLS.lock().unwrap().retain(|cell| *cell != address);
    // SAFETY: the caller's promise. It came from a box, whose layout does not depend on the type.
    drop(unsafe { Box::from_raw(std::ptr::from_ref(cell).cast_mut()) });
}

/// The value that becomes of `value`.
///
/// # Panics
///
/// It can't be changed.
pub fn changed<A: Migrate + Default + 'static, B: Migrate + Default + 'static>(
    value: A,
    renames: &[(&str, &str)],
) -> B {
    let cell = cell(A::default);
    *cell.write() = value;
    let (cell, _) = migrate::<A, B>(cell, renames).unwrap_or_else(|error| panic!("{error}"));
    let value = std::mem::take(&mut *cell.write());
    // SAFETY: nobody else has heard of it.
    unsafe { dispose(cell) };
    value
}

/// A function that makes whole values.
#[derive(Debug, Clone, Copy)]
pub struct Maker {
    /// The type's last name.
    pub makes: &'static str,
    /// The fields that it takes: names, with a variant's and a dot before those of an enum, with `@`
    /// and the offset behind those of a type without schema.
    pub takes: &'static [&'static str],
    /// The function.
    pub run: Run,
    /// Whether it takes the whole value, and makes a struct of this schema's parts.
    pub down: Option<fn() -> &'static Schema>,
}

impl Maker {
    fn function(&self) -> (String, Run) {
        (self.makes.to_owned(), self.run)
    }

    fn whole(&self, old: Option<&Schema>, new: &Schema) -> How {
        if let Some(made) = self.down {
            return How::Whole(Whole {
                function: self.makes.to_owned(),
                takes: vec![Taken::Value],
                parts: Some(parts(made(), new)),
            });
        }
        let takes = self.takes.iter().map(|name| match name.split_once('.') {
            Some((variant, name)) => Taken::OfVariant {
                variant: variant.to_owned(),
                name: name.to_owned(),
            },
            None => place(name, old),
        });
        How::Whole(Whole {
            function: self.makes.to_owned(),
            takes: takes.collect(),
            parts: None,
        })
    }
}

/// What is known of a type without schema.
const NO_SCHEMA: Schema = Schema::opaque::<()>();

/// Where the parts of a value are in what a function makes.
fn parts(made: &Schema, new: &Schema) -> Vec<MovedPart> {
    let (Shape::Record(made), Shape::Record(fields)) = (&made.shape, &new.shape) else {
        return Vec::new();
    };
    let part = |field: &Field| {
        let part = made.iter().find(|it| it.name == field.name)?;
        Some(MovedPart {
            from: part.offset as u64,
            to: field.offset as u64,
            bytes: field.size as u64,
        })
    };
    fields.iter().filter_map(part).collect()
}

/// Where a field of an old value is that is no enum.
fn place(name: &str, old: Option<&Schema>) -> Taken {
    let found = match (name.split_once('@'), old.map(|old| &old.shape)) {
        (Some((name, offset)), _) => Some((name, offset.parse().unwrap())),
        (None, Some(Shape::Record(fields))) => {
            let field = fields.iter().find(|field| field.name == name);
            field.map(|field| (field.name, field.offset as u64))
        }
        _ => None,
    };
    found.map_or(Taken::Nothing, |(name, offset)| Taken::Field {
        name: name.to_owned(),
        offset,
    })
}

/// Makes plans. Types are the same if they have one name; those of two versions stand in modules
/// `v1`, `v2` and so on.
#[derive(Debug)]
pub struct Planner {
    /// Old names by new ones: `Type.field` or `Type.Variant`, with the type's last name.
    renames: HashMap<String, String>,
    /// The functions that make whole values.
    makers: Vec<Maker>,
    types: Vec<TypeChange>,
    begun: HashMap<(String, String), u32>,
}

impl Planner {
    /// A planner that knows these new and old names: `("Type.field", "old_field")`.
    #[must_use]
    pub fn new(renames: &[(&str, &str)]) -> Self {
        let renames = renames.iter();
        Self {
            renames: renames
                .map(|(new, old)| ((*new).to_owned(), (*old).to_owned()))
                .collect(),
            makers: Vec::new(),
            types: Vec::new(),
            begun: HashMap::new(),
        }
    }

    /// The same, with functions that make whole values.
    #[must_use]
    pub fn with_makers(mut self, makers: &[Maker]) -> Self {
        self.makers = makers.to_vec();
        self
    }

    /// The plan from one type to another, which is change 0.
    #[must_use]
    pub fn plan(mut self, old: &Schema, new: &Schema) -> Migration {
        self.change(old, new);
        Migration {
            cells: Vec::new(),
            types: self.types,
        }
    }

    fn change(&mut self, old: &Schema, new: &Schema) -> u32 {
        let names = ((old.name)().to_owned(), (new.name)().to_owned());
        if let Some(index) = self.begun.get(&names) {
            return *index;
        }
        let index = self.types.len();
        self.begun.insert(names.clone(), index as u32);
        self.types.push(TypeChange {
            old: names.0,
            new: names.1,
            old_size: old.size as u64,
            new_size: new.size as u64,
            how: How::Elements(Vec::new()),
        });
        self.types[index].how = self.how(old, new);
        index as u32
    }

    fn how(&mut self, old: &Schema, new: &Schema) -> How {
        let is_std = (new.name)().starts_with("core::");
        let mut makers = self.makers.iter();
        if let Some(maker) = makers.find(|maker| maker.makes == last_name(new)) {
            return maker.whole(Some(old), new);
        }
        match (&old.shape, &new.shape) {
            (Shape::Record(from), Shape::Record(to)) => {
                How::Fields(self.fields(last_name(new), from, to))
            }
            (Shape::Choice(from), Shape::Choice(to)) if is_std => {
                let fields = |choice: &Choice| {
                    let variants = choice.variants.iter();
                    let fields = variants.flat_map(|variant| variant.fields);
                    fields.map(|field| field.schema.unwrap()()).collect()
                };
                self.elements(fields(from), fields(to))
            }
            (Shape::Choice(from), Shape::Choice(to)) => {
                How::Variants(self.variants(last_name(new), from, to))
            }
            (from, to) => self.elements(elements(from), elements(to)),
        }
    }

    fn elements(&mut self, old: Vec<&'static Schema>, new: Vec<&'static Schema>) -> How {
        let elements = old.into_iter().zip(new).map(|(old, new)| {
            let same = (old.name)() == (new.name)();
            (!same).then(|| self.change(old, new))
        });
        How::Elements(elements.collect())
    }

    fn fields(&mut self, owner: &str, from: &[Field], to: &[Field]) -> Fields {
        let mut taken = Vec::new();
        let mut new = Vec::new();
        for field in to {
            let name = format!("{owner}.{}", field.name);
            let was = self
                .renames
                .get(&name)
                .map_or(field.name, String::as_str)
                .to_owned();
            let source = match from.iter().find(|old| old.name == was) {
                None => Source::Default,
                Some(old) => {
                    taken.push(was.clone());
                    self.source(old, field, was)
                }
            };
            let name = field.name.to_owned();
            new.push(FieldChange { name, source });
        }
        let left = from.iter().map(|field| field.name.to_owned());
        let removed = left.filter(|name| !taken.contains(name)).collect();
        Fields { new, removed }
    }

    fn source(&mut self, old: &Field, new: &Field, from: String) -> Source {
        if (old.type_name)() == (new.type_name)() {
            Source::Same { from }
        } else if new.with.is_some() {
            Source::With { from }
        } else if old.back.is_some() {
            Source::Back { from }
        } else if let (Some(old), Some(new)) = (old.schema, new.schema) {
            let by = self.change(old(), new());
            Source::Changed { from, by }
        } else if let (Some(old), Some(new)) = (old.around, new.around) {
            let by = self.change(old(), new());
            Source::Changed { from, by }
        } else if let Some(by) = self.foreign(old, new) {
            Source::Changed { from, by }
        } else {
            Source::Same { from }
        }
    }

    /// The change of a type without schema, if there is a function for it.
    fn foreign(&mut self, old: &Field, new: &Field) -> Option<u32> {
        let name = (new.type_name)();
        let last = name.rsplit("::").next()?;
        let maker = self.makers.iter().find(|maker| maker.makes == last)?;
        let change = TypeChange {
            old: (old.type_name)().to_owned(),
            new: name.to_owned(),
            old_size: old.size as u64,
            new_size: new.size as u64,
            how: maker.whole(None, &NO_SCHEMA),
        };
        self.types.push(change);
        Some(self.types.len() as u32 - 1)
    }

    fn variants(&mut self, owner: &str, from: &Choice, to: &Choice) -> Vec<VariantChange> {
        let change = |old: &Variant| {
            let new = to.variants.iter().find(|new| {
                let name = format!("{owner}.{}", new.name);
                self.renames.get(&name).map_or(new.name, String::as_str) == old.name
            });
            VariantChange {
                old: old.name.to_owned(),
                new: new.map(|new| new.name.to_owned()),
                fields: new
                    .filter(|new| new.with.is_none())
                    .map_or_else(Fields::default, |new| {
                        let owner = format!("{owner}.{}", new.name);
                        self.fields(&owner, old.fields, new.fields)
                    }),
                with: new.is_some_and(|new| new.with.is_some()),
            }
        };
        from.variants.iter().map(change).collect()
    }
}

fn elements(shape: &Shape) -> Vec<&'static Schema> {
    match shape {
        Shape::Array { element, .. } | Shape::Boxed(element) => vec![element()],
        Shape::Sequence(sequence) => vec![(sequence.element)()],
        Shape::Pieces(piece) => elements(&piece().shape),
        Shape::Cellular(cell) => vec![(cell.element)()],
        Shape::Shared(shared) => vec![(shared.element)()],
        Shape::Entries(entries) => entries.parts.iter().map(|part| part()).collect(),
        Shape::Custom(custom) => custom.parts.iter().map(|part| part()).collect(),
        Shape::Opaque | Shape::Record(_) | Shape::Choice(_) => Vec::new(),
    }
}

/// A type's name without modules and generic arguments.
fn last_name(schema: &Schema) -> &'static str {
    let name = (schema.name)().split('<').next().unwrap_or_default();
    name.rsplit("::").next().unwrap_or_default()
}
