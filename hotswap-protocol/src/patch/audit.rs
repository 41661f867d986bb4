//! A line of a program's audit log: one act on patches, as JSON.

use serde::{Deserialize, Serialize};

use super::Digest;

/// What [`Line::act`] is for a patch that is to be applied.
pub const APPLY: &str = "apply";

/// What [`Line::result`] is where the code that runs has changed.
pub const DONE: &str = "done";

/// What [`Line::result`] is where there was nothing to change.
pub const UNCHANGED: &str = "unchanged";

/// One act.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Line {
    /// Milliseconds since 1970.
    pub time_ms: u64,
    /// The program's process id.
    pub pid: u32,
    /// The build id of its executable.
    pub base: String,
    /// The user who asked; none if it was the program itself.
    pub uid: Option<u32>,
    /// The process that asked.
    pub client_pid: Option<i32>,
    /// [`APPLY`], `dry-run`, `revert`, or `expire` when a patch's time is over.
    pub act: String,
    /// The patch.
    pub digest: Option<Digest>,
    /// Its name.
    pub name: Option<String>,
    /// Its sequence.
    pub sequence: Option<u64>,
    /// [`DONE`], [`UNCHANGED`] or the code of the failure.
    pub result: String,
    /// The failure in words.
    pub message: Option<String>,
    /// The version that is current afterwards.
    pub version: u64,
}

impl Line {
    /// The line as it stands in the log, with its end.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        // Text and numbers can always be written.
        let mut text = serde_json::to_vec(self).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// The sequence of a patch that was applied to this build, if that is what these bytes tell. What was
    /// cut off tells nothing.
    #[must_use]
    pub fn applied(bytes: &[u8], base: &str) -> Option<u64> {
        let line: Self = serde_json::from_slice(bytes).ok()?;
        let applied = line.act == APPLY && line.result == DONE && line.base == base;
        line.sequence.filter(|_| applied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_applied_is_read_back() {
        let line = Line {
            base: "01".into(),
            act: APPLY.into(),
            sequence: Some(7),
            result: DONE.into(),
            message: Some("a\nb".into()),
            ..Line::default()
        };
        let text = line.text();
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert_eq!(Line::applied(&text, "01"), Some(7));
        assert_eq!(Line::applied(&text, "02"), None);
        assert_eq!(Line::applied(&text[..text.len() - 2], "01"), None);
        for other in [
            Line {
                act: "dry-run".into(),
                ..line.clone()
            },
            Line {
                result: UNCHANGED.into(),
                ..line.clone()
            },
            Line {
                sequence: None,
                ..line
            },
        ] {
            assert_eq!(Line::applied(&other.text(), "01"), None);
        }
    }
}
