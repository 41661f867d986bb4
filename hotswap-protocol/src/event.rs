//! What a program tells those who have subscribed, each as one frame.

use serde::{Deserialize, Serialize};

use crate::lifecycle::State;

/// Something happened in the program. Whoever does not know one of these reads on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// A version is in another state of its life. That one has drained is told when it is noticed,
    /// which is at the next swap or look at the status.
    Version {
        /// Its number.
        number: u64,
        /// The state.
        state: State,
    },
    /// The program went back to older code by itself.
    Reverted(Reverted),
    /// It was to go back by itself and could not; all is as it was.
    NotReverted {
        /// The version that is current.
        version: u64,
        /// Why it was to go back.
        cause: Cause,
        /// Why it could not.
        reason: String,
    },
    /// The program's own code asks to be started again on the newest code.
    RestartAsked {},
    /// A server did not wait any longer for those that it comes after, and is in a new version before them.
    OutOfOrder {
        /// Its type and its name or number.
        server: String,
        /// Those that have not had a turn in that version.
        behind: Vec<String>,
        /// For how many milliseconds it has waited.
        waited_ms: u64,
    },
}

/// A revert that the program made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reverted {
    /// The number of the version that is current now.
    pub version: u64,
    /// The version that was current before.
    pub from: u64,
    /// The version whose code is current again.
    pub to: u64,
    /// Why.
    pub cause: Cause,
    /// How many values got their former layout, elements of containers included.
    #[serde(default)]
    pub migrated: u64,
    /// Microseconds in which no code could use the cells that hold them.
    #[serde(default)]
    pub pause_us: u64,
}

/// Why a program goes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Cause {
    /// Somebody asked for it over a connection.
    Request {},
    /// Its own code asked for it.
    Program {},
    /// An entry panicked soon after the swap that brought its code.
    Panic {
        /// The entry's path.
        entry: String,
        /// The name of the thread that panicked.
        thread: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_as_text() {
        let panic = Cause::Panic {
            entry: "a::b".into(),
            thread: None,
        };
        let reverted = Reverted {
            version: 2,
            from: 1,
            to: 0,
            cause: panic,
            migrated: 0,
            pause_us: 0,
        };
        let table = [
            (
                Event::Version {
                    number: 1,
                    state: State::Current,
                },
                r#"{"version":{"number":1,"state":"current"}}"#,
            ),
            (
                Event::Reverted(reverted),
                concat!(
                    r#"{"reverted":{"version":2,"from":1,"to":0,"#,
                    r#""cause":{"panic":{"entry":"a::b","thread":null}},"migrated":0,"pause_us":0}}"#
                ),
            ),
            (
                Event::NotReverted {
                    version: 1,
                    cause: Cause::Program {},
                    reason: "r".into(),
                },
                r#"{"not-reverted":{"version":1,"cause":{"program":{}},"reason":"r"}}"#,
            ),
            (Event::RestartAsked {}, r#"{"restart-asked":{}}"#),
            (
                Event::OutOfOrder {
                    server: "Cache 2".into(),
                    behind: vec!["Store 1".into()],
                    waited_ms: 30_000,
                },
                concat!(
                    r#"{"out-of-order":{"server":"Cache 2","behind":["Store 1"],"#,
                    r#""waited_ms":30000}}"#
                ),
            ),
        ];
        for (event, text) in table {
            assert_eq!(serde_json::to_string(&event).unwrap(), text);
            assert_eq!(serde_json::from_str::<Event>(text).unwrap(), event);
        }
    }
}
