//! Plans how the values in cells become those of another version, or says why they can't.
//!
//! A part moves as it is only where the guard's own walk finds its type to be the same, with all that is reachable. Where
//! it differs, types that describe themselves are taken apart field by field and variant by variant, by name, and the
//! containers of the standard library by their elements. Whatever is left is refused with the attribute to write.

mod matching;
mod planner;
mod refusal;
mod shape;

use crate::compare::Judge;
use crate::descriptions::Descriptions;
use crate::finding::Finding;
use crate::hash::Fingerprint;
use crate::program::Program;

/// What is known of the types of one version.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    /// Their layouts.
    pub types: &'a Program,
    /// What they say of themselves.
    pub descriptions: &'a Descriptions,
}

/// A cell that both versions have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellPair<'a> {
    /// Its path.
    pub path: &'a str,
    /// The mangled name of its static in the version that made the value.
    pub old: &'a str,
    /// The mangled name of its static in the new version.
    pub new: &'a str,
}

/// Where values go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To newer code: a field that is new gets its default.
    Forward,
    /// To the code of an older version: what was dropped on the way forward does not come back by itself.
    Back,
}

/// What becomes of cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migration {
    /// One for each pair, in the order given.
    pub cells: Vec<CellChange>,
    /// The changes that cells and types refer to by index.
    pub types: Vec<TypeChange>,
    /// What there is to tell: types that change, and refusals, with which nothing here is of use.
    pub findings: Vec<Finding>,
}

/// What becomes of one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellChange {
    /// Its path.
    pub path: String,
    /// An index of [`Migration::types`]; none where the value stays as it is.
    pub change: Option<u32>,
}

/// How one type becomes another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeChange {
    /// The old type's full name.
    pub old: String,
    /// The new type's full name.
    pub new: String,
    /// In bytes.
    pub old_size: u64,
    /// In bytes.
    pub new_size: u64,
    /// What happens.
    pub how: How,
}

/// What happens to a value whose type changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// A struct or tuple, field by field.
    Fields(Fields),
    /// An enum, variant by variant.
    Variants(Vec<VariantChange>),
    /// A container, pointer or array: for each kind of element the change, none where it stays as it is.
    Elements(Vec<Option<u32>>),
    /// A function of the program's makes the new value of fields of the old one.
    Whole(Whole),
}

/// A function that makes whole values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Its mangled name.
    pub function: String,
    /// What it gets, in the order of its parameters.
    pub takes: Vec<Taken>,
    /// None if what it makes is the new value. Otherwise it is a function of the old version, and makes a struct of
    /// these parts of the new value.
    pub parts: Option<Vec<MovedPart>>,
}

/// A part of the new value in a struct that consists of such parts. Offsets are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MovedPart {
    /// Its offset in the struct.
    pub from: u64,
    /// Its offset in the new value.
    pub to: u64,
    /// Its size.
    pub bytes: u64,
}

/// What a function that makes whole values gets for one of its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Nothing: the old type has no such field.
    Nothing,
    /// The whole old value.
    Value,
    /// A field of the old value.
    Field {
        /// Its name.
        name: String,
        /// Where it is in the old value, in bytes.
        offset: u64,
    },
    /// A field of a variant, where the old value is of that variant.
    OfVariant {
        /// The variant's name.
        variant: String,
        /// The field's name.
        name: String,
    },
}

/// What becomes of fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// All fields of the new type and where they come from.
    pub new: Vec<FieldChange>,
    /// Old fields that are dropped.
    pub removed: Vec<String>,
}

/// Where a field comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// Its name in the new type.
    pub name: String,
    /// Its source.
    pub source: Source,
}

/// The source of a field's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The old field's bytes.
    Same {
        /// The old field.
        from: String,
    },
    /// The old field's value, changed.
    Changed {
        /// The old field.
        from: String,
        /// An index of [`Migration::types`].
        by: u32,
    },
    /// The field's default.
    Default,
    /// The old field's value through the new field's function.
    With {
        /// The old field.
        from: String,
    },
    /// The old field's value through the old field's function for the way back.
    Back {
        /// The old field.
        from: String,
    },
}

/// What becomes of a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantChange {
    /// Its name in the old type.
    pub old: String,
    /// Its name in the new type; none if there is no such any more.
    pub new: Option<String>,
    /// What becomes of its fields. Nothing is said of them where a function makes the value.
    pub fields: Fields,
    /// Whether the new variant's function makes the value, of all old fields.
    pub with: bool,
}

/// The type of a cell's value in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellType {
    /// Its full name.
    pub name: String,
    /// The deep fingerprint of the type.
    pub fingerprint: Fingerprint,
}

impl Program {
    /// The type of the value, if the static with this mangled name is a cell.
    #[must_use]
    pub fn cell(&self, symbol: &str) -> Option<CellType> {
        let place = self.variable(symbol)?;
        if self.object(place).base_path(place.node) != shape::CELL {
            return None;
        }
        let value = shape::argument(self, place)?;
        Some(CellType {
            name: self.object(value).full_name(value.node),
            fingerprint: Fingerprint(self.deep(value)),
        })
    }
}

/// Plans what becomes of the values of these cells.
#[must_use]
pub fn migrate(old: Version<'_>, new: Version<'_>, cells: &[CellPair<'_>], way: Way) -> Migration {
    let judge = Judge::new(old.types, new.types);
    let mut planner = planner::Planner::new(old, new, judge.walk(), way);
    let cells = cells.iter().map(|cell| planner.cell(cell)).collect();
    planner.finish(cells)
}
