//! Why a value was not converted.

use std::fmt;

/// So many fields of a path are shown.
const LONGEST: usize = 16;

/// A conversion that failed. What it had made is gone, and the old value is as it was.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The fields that lead to the place, the innermost first.
    path: Vec<String>,
    type_name: &'static str,
    reason: String,
}

impl Failure {
    pub(crate) fn new(type_name: &'static str, reason: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            path: Vec::new(),
            type_name,
            reason: reason.into(),
        })
    }

    /// The failure as seen from the value that has this field.
    pub(crate) fn within(mut self: Box<Self>, field: impl Into<String>) -> Box<Self> {
        self.path.push(field.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            formatter.write_str("field `")?;
            let hidden = LONGEST / 2..self.path.len().saturating_sub(LONGEST / 2);
            for (index, field) in self.path.iter().rev().enumerate() {
                if hidden.contains(&index) {
                    if index == hidden.start {
                        formatter.write_str(" … ")?;
                    }
                    continue;
                }
                if index > 0 && !field.starts_with('[') {
                    formatter.write_str(".")?;
                }
                formatter.write_str(field)?;
            }
            formatter.write_str("`, ")?;
        }
        write!(formatter, "type `{}`: {}", self.type_name, self.reason)
    }
}

impl std::error::Error for Failure {}
