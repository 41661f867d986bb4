//! State that goes from a program to the one that takes its place: the file that it lies in, and what
//! is told of it.
//!
//! The file is a row of frames, each a [`Record`]. The bytes of a value follow its record. What they
//! mean is the runtime's affair; both programs have the same one.

use serde::{Deserialize, Serialize};

use crate::state::Cell;

/// The number of the file's form. A program that knows another one starts afresh.
pub const FORMAT: u32 = 1;

/// The most bytes that the values of all cells may have together.
pub const MAX_BYTES: u64 = 1 << 30;

/// A part of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Record {
    /// The first one.
    Begin {
        /// The file's [`FORMAT`].
        format: u32,
    },
    /// A cell's value, whose bytes follow.
    Value(Value),
    /// All values are there.
    End {},
    /// Where the new program has its cells. The tool adds it.
    Cells(Vec<Cell>),
}

/// The value of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// The canonical path of the cell's static.
    pub path: String,
    /// The name of the type that it had, for people.
    pub type_name: String,
    /// How many bytes follow.
    pub bytes: u64,
    /// Their [checksum](crate::checksum).
    pub checksum: u64,
}

/// A cell whose value was saved, or is there again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedCell {
    /// The cell's path.
    pub path: String,
    /// How many bytes its value takes in the file.
    pub bytes: u64,
}

/// A cell that starts afresh in the new program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostCell {
    /// The cell's path.
    pub path: String,
    /// The name of its type.
    pub type_name: String,
    /// The part of the value that is to blame, as far as that is known.
    #[serde(default)]
    pub field: Option<String>,
    /// Why.
    pub reason: String,
}

/// What became of the values of all cells when they were saved. Cells without a value are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SaveReport {
    /// Those that are saved.
    pub saved: Vec<SavedCell>,
    /// Those that are not.
    pub lost: Vec<LostCell>,
    /// Microseconds in which no code could change a cell.
    pub pause_us: u64,
}

/// What became of values that were saved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RestoreReport {
    /// Cells that have the value that they had in the program before.
    pub restored: Vec<SavedCell>,
    /// Cells that start afresh although there was a value.
    pub lost: Vec<LostCell>,
    /// Why the file could not be read further, if it could not.
    pub damage: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_as_text() {
        let value = Value {
            path: "a::B".into(),
            type_name: "a::T".into(),
            bytes: 3,
            checksum: 9,
        };
        for (record, text) in [
            (Record::Begin { format: 1 }, r#"{"begin":{"format":1}}"#),
            (
                Record::Value(value),
                r#"{"value":{"path":"a::B","type_name":"a::T","bytes":3,"checksum":9}}"#,
            ),
            (Record::End {}, r#"{"end":{}}"#),
            (Record::Cells(Vec::new()), r#"{"cells":[]}"#),
        ] {
            assert_eq!(serde_json::to_string(&record).unwrap(), text);
            assert_eq!(serde_json::from_str::<Record>(text).unwrap(), record);
        }
    }
}
