//! State in a patch: where the cells are, and how each value whose type changed becomes one of the
//! new type.
//!
//! Types, fields and variants go by the names they have in the source (`0`, `1` in tuples). The
//! runtime knows offsets and functions by these names from schemas that are compiled into each
//! version; the plan only says what becomes of what, so one plan serves every process.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::manifest::{ManifestError, Side};

/// A cell as the code of one file expects it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// The canonical path of its static.
    pub path: String,
    /// The fingerprint of the value's type with all that is reachable from it. Opaque to the
    /// runtime: equal means that nothing has to be migrated.
    pub layout: String,
    /// The type's full name, for people.
    pub type_name: String,
    /// The virtual address of the handle in the file that lists it, if it is that file that brings
    /// the cell. Otherwise an earlier one did, and the path tells which.
    pub handle: Option<u64>,
    /// The virtual address of the function that gives the type's schema; none where the file does
    /// not hold it, because the executable's still holds.
    pub schema: Option<u64>,
    /// The virtual address of the function that makes the first value; none as for `schema`.
    pub init: Option<u64>,
}

/// How cells get from the layouts they may have to that of the new version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Migration {
    /// One for each cell and layout from which there is a way.
    pub cells: Vec<CellChange>,
    /// The changes of types that the cells' changes refer to by index.
    pub types: Vec<TypeChange>,
}

/// The way from a patch back to the code before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Back {
    /// To the version that was current when the patch became current, and so do the values. Nothing
    /// is listed where the patch changes no layout.
    Way(Migration),
    /// As from this version: the patch brings its code again.
    AsFrom(u64),
    /// There is none, for these reasons.
    None(Vec<String>),
}

impl Default for Back {
    fn default() -> Self {
        Self::Way(Migration::default())
    }
}

/// The way of one cell from one layout to the new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellChange {
    /// The cell's path.
    pub path: String,
    /// The layout that the value has.
    pub from: String,
    /// The layout that it gets.
    pub to: String,
    /// What becomes of the value: an index of [`Migration::types`].
    pub change: u32,
}

/// How one type becomes another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeChange {
    /// The old type's full name, for people.
    pub old: String,
    /// The new type's full name, for people.
    pub new: String,
    /// The old type's size in bytes, which its schema must have too.
    pub old_size: u64,
    /// The new type's size in bytes, which its schema must have too.
    pub new_size: u64,
    /// What happens.
    pub how: How,
}

/// What happens to a value whose type changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum How {
    /// A struct or tuple, field by field.
    Fields(Fields),
    /// An enum, variant by variant.
    Variants(Vec<VariantChange>),
    /// A container or pointer whose type arguments changed: for each argument in order the change
    /// of the values of that type, an index of [`Migration::types`]; none where it is unchanged.
    Elements(Vec<Option<u32>>),
    /// A function of the program's makes the new value of fields of the old one (`code_change`).
    Whole(Whole),
}

/// A function that makes whole values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whole {
    /// The symbol of the function, one of those that the manifest lists.
    pub function: String,
    /// What it gets, in the order of its parameters.
    pub takes: Vec<Taken>,
    /// None if what it makes is the new value. Otherwise it is a function of the version that the value
    /// goes away from, and makes a struct of these parts of the new value.
    pub parts: Option<Vec<MovedPart>>,
}

/// A part of the new value in a struct that consists of such parts. Offsets are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedPart {
    /// Its offset in the struct.
    pub from: u64,
    /// Its offset in the new value.
    pub to: u64,
    /// Its size.
    pub bytes: u64,
}

/// What a function that makes whole values gets for one of its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Taken {
    /// Nothing: the old type has no such field.
    Nothing,
    /// The whole old value.
    Value,
    /// A field of the old value, whose type is deeply the same as the parameter's.
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

/// A function that makes whole values, in the file that lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// Its symbol.
    pub symbol: String,
    /// Its virtual address.
    pub address: u64,
}

/// What becomes of the fields of a struct or variant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    /// Where each field of the new type comes from, all of them, in the order of the new schema.
    pub new: Vec<FieldChange>,
    /// The old fields that nothing takes over: dropped once the swap stands.
    pub removed: Vec<String>,
}

/// Where a field of the new type comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldChange {
    /// Its name in the new type.
    pub name: String,
    /// Its source.
    pub source: Source,
}

/// The source of a field's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// The old field's bytes: both types are deeply the same.
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
    /// The default that the new type's schema has for the field.
    Default,
    /// The old field's value, through the function that the new type's schema has for the field.
    With {
        /// The old field.
        from: String,
    },
    /// The old field's value, through the function for the way back that the *old* type's schema
    /// has for that field.
    Back {
        /// The old field.
        from: String,
    },
}

/// What becomes of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariantChange {
    /// Its name in the old type.
    pub old: String,
    /// Its name in the new type. None: it was removed, and a value of it fails the migration.
    pub new: Option<String>,
    /// What becomes of its fields. Nothing is said of them where a function makes the value.
    pub fields: Fields,
    /// Whether the function that the new type's schema has for the variant makes the value, of all old fields.
    pub with: bool,
}

/// A migration contradicts itself or the cells.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// Two cells of one path.
    #[error("cell `{path}` occurs twice in {side}")]
    DuplicateCell {
        /// The path.
        path: String,
        /// Where.
        side: Side,
    },
    /// A cell without a path or layout.
    #[error("a cell of {side} has no path or no layout")]
    Unnamed {
        /// Where.
        side: Side,
    },
    /// A change of a cell that the image does not list, or to another layout than it lists.
    #[error("cell `{path}` is to get the layout {to}, which the image does not give it")]
    OtherLayout {
        /// The cell's path.
        path: String,
        /// The layout.
        to: String,
    },
    /// A way back for a cell from another layout than the image gives it.
    #[error(
        "the way back of cell `{path}` begins with the layout {from}, which the image does not give it"
    )]
    OtherStart {
        /// The cell's path.
        path: String,
        /// The layout.
        from: String,
    },
    /// An index that leads nowhere.
    #[error("the change of `{of}` refers to change {index}, but there are {count}")]
    NoSuchChange {
        /// The cell or type.
        of: String,
        /// The index.
        index: u32,
        /// How many there are.
        count: usize,
    },
    /// A field that comes from two sources.
    #[error("field `{field}` of `{of}` is made twice")]
    DuplicateField {
        /// The field.
        field: String,
        /// Its type.
        of: String,
    },
}

impl Migration {
    /// Checks what can be checked without schemas: that indices lead somewhere, that each cell gets
    /// the layout that the image expects, that no field is made twice.
    ///
    /// # Errors
    ///
    /// The first contradiction found.
    pub fn validate(&self, base: &[Cell], image: &[Cell]) -> Result<(), MigrationError> {
        validate_cells(base, Side::Base)?;
        validate_cells(image, Side::Image)?;
        for change in &self.cells {
            if expected(base, image, &change.path).is_none_or(|cell| cell.layout != change.to) {
                return Err(MigrationError::OtherLayout {
                    path: change.path.clone(),
                    to: change.to.clone(),
                });
            }
        }
        self.validate_indices()
    }

    /// The same for the way back, which begins with what the image expects.
    ///
    /// # Errors
    ///
    /// The first contradiction found.
    pub fn validate_back(&self, base: &[Cell], image: &[Cell]) -> Result<(), MigrationError> {
        for change in &self.cells {
            if expected(base, image, &change.path).is_none_or(|cell| cell.layout != change.from) {
                return Err(MigrationError::OtherStart {
                    path: change.path.clone(),
                    from: change.from.clone(),
                });
            }
        }
        self.validate_indices()
    }

    fn validate_indices(&self) -> Result<(), MigrationError> {
        for change in &self.cells {
            self.find(&change.path, change.change)?;
        }
        self.types
            .iter()
            .try_for_each(|change| self.validate_type(change))
    }

    fn find(&self, of: &str, index: u32) -> Result<&TypeChange, MigrationError> {
        let found = self.types.get(index as usize);
        found.ok_or_else(|| MigrationError::NoSuchChange {
            of: of.to_owned(),
            index,
            count: self.types.len(),
        })
    }

    fn validate_type(&self, change: &TypeChange) -> Result<(), MigrationError> {
        match &change.how {
            How::Fields(fields) => self.validate_fields(&change.new, fields),
            How::Variants(variants) => variants
                .iter()
                .try_for_each(|variant| self.validate_fields(&change.new, &variant.fields)),
            How::Elements(elements) => elements
                .iter()
                .flatten()
                .try_for_each(|index| self.find(&change.new, *index).map(|_| ())),
            How::Whole(_) => Ok(()),
        }
    }

    fn validate_fields(&self, of: &str, fields: &Fields) -> Result<(), MigrationError> {
        let mut names = HashSet::new();
        for field in &fields.new {
            if !names.insert(&field.name) {
                return Err(MigrationError::DuplicateField {
                    field: field.name.clone(),
                    of: of.to_owned(),
                });
            }
            if let Source::Changed { by, .. } = field.source {
                self.find(of, by)?;
            }
        }
        Ok(())
    }
}

/// The cell as the new code expects it. Without an image, or where the image has nothing of the
/// cell, the executable's holds.
fn expected<'a>(base: &'a [Cell], image: &'a [Cell], path: &str) -> Option<&'a Cell> {
    let mut cells = image.iter().chain(base);
    cells.find(|cell| cell.path == path)
}

fn validate_cells(cells: &[Cell], side: Side) -> Result<(), MigrationError> {
    let mut paths = HashSet::new();
    for cell in cells {
        if cell.path.is_empty() || cell.layout.is_empty() {
            return Err(MigrationError::Unnamed { side });
        }
        if !paths.insert(&cell.path) {
            let path = cell.path.clone();
            return Err(MigrationError::DuplicateCell { path, side });
        }
    }
    Ok(())
}

impl From<MigrationError> for ManifestError {
    fn from(error: MigrationError) -> Self {
        Self::Migration(error)
    }
}

#[cfg(test)]
mod tests;
