//! The life of a version: loading, current, draining, retained, purged.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a version stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Prepared, not yet committed: no call goes to it.
    Loading,
    /// New calls go to it. Exactly one version is.
    Current,
    /// Replaced; calls that began in it are still under way.
    Draining,
    /// No counted call is under way in it; its memory is still mapped.
    Retained,
    /// Out of memory.
    Purged,
}

/// A version cannot go from one state to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a version that is {from} cannot become {to}")]
#[non_exhaustive]
pub struct IllegalTransition {
    /// The state it is in.
    pub from: State,
    /// The state it was to take.
    pub to: State,
}

impl State {
    /// All states, in the order of a life.
    pub const ALL: [Self; 5] = [
        Self::Loading,
        Self::Current,
        Self::Draining,
        Self::Retained,
        Self::Purged,
    ];

    /// Whether a version in this state may become `next`.
    ///
    /// A loading version that is aborted is purged at once. A replaced version may become current
    /// again, which is what a revert does. Nothing is purged before it has drained.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        use State::{Current, Draining, Loading, Purged, Retained};
        matches!(
            (self, next),
            (Loading, Current | Purged)
                | (Current, Draining)
                | (Draining, Retained | Current)
                | (Retained, Current | Purged)
        )
    }

    /// `next`, if a version in this state may become that.
    ///
    /// # Errors
    ///
    /// It may not.
    pub fn to(self, next: Self) -> Result<Self, IllegalTransition> {
        if self.may_become(next) {
            Ok(next)
        } else {
            Err(IllegalTransition {
                from: self,
                to: next,
            })
        }
    }

    /// Whether the version's code is in memory.
    #[must_use]
    pub fn is_mapped(self) -> bool {
        self != Self::Purged
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loading => "loading",
            Self::Current => "current",
            Self::Draining => "draining",
            Self::Retained => "retained",
            Self::Purged => "purged",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions() {
        // One row a state, one column a successor, both in the order of `ALL`.
        let table = ["-c--p", "--d--", "-c-r-", "-c--p", "-----"];
        for (from, row) in State::ALL.into_iter().zip(table) {
            for (to, mark) in State::ALL.into_iter().zip(row.chars()) {
                assert_eq!(from.may_become(to), mark != '-', "{from} to {to}");
                assert_eq!(from.to(to).is_ok(), mark != '-', "{from} to {to}");
            }
        }
    }

    #[test]
    fn text_and_json_agree() {
        for state in State::ALL {
            assert_eq!(
                serde_json::to_string(&state).unwrap(),
                format!("\"{state}\"")
            );
        }
    }

    #[test]
    fn the_error_names_both() {
        let error = State::Purged.to(State::Current).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a version that is purged cannot become current"
        );
    }
}
