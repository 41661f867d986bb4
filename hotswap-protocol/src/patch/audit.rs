//! A line of a program's audit log: one act on patches, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Digest;

/// What [`Line::act`] is for a patch that is to be applied.
pub const APPLY: &str = "apply";

/// What [`Line::result`] is where the code that runs has changed.
pub const DONE: &str = "done";

/// What [`Line::result`] is before the code that runs is changed. Another line tells how it ended, unless the process
/// ended or the disk was full.
pub const BEGUN: &str = "begun";

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
    /// [`BEGUN`], [`DONE`], [`UNCHANGED`] or the code of the failure.
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
}

/// What the lines of a log tell of the time before.
#[derive(Debug, Default)]
pub struct Past {
    floor: u64,
    /// The sequences of patches that were begun to be applied, by process, as long as no line tells how that ended.
    begun: BTreeMap<u32, u64>,
    latest: u64,
}

impl Past {
    /// Takes in the next line of a log, for this build. What was cut off tells nothing.
    pub fn read(&mut self, bytes: &[u8], base: &str) {
        let Ok(line) = serde_json::from_slice::<Line>(bytes) else {
            return;
        };
        self.latest = self.latest.max(line.time_ms / 1000);
        if line.base != base {
            return;
        }
        let begun = self.begun.remove(&line.pid);
        let Some(sequence) = line.sequence.filter(|_| line.act == APPLY) else {
            self.floor = self.floor.max(begun.unwrap_or(0));
            return;
        };
        match line.result.as_str() {
            DONE => self.floor = self.floor.max(sequence),
            BEGUN => {
                self.floor = self.floor.max(begun.unwrap_or(0));
                self.begun.insert(line.pid, sequence);
            }
            _ => (),
        }
    }

    /// The highest sequence of a patch that was applied to the build, or may have been.
    #[must_use]
    pub fn floor(&self) -> u64 {
        let begun = self.begun.values().copied().max();
        self.floor.max(begun.unwrap_or(0))
    }

    /// The latest time that is told of, in seconds since 1970.
    #[must_use]
    pub fn latest(&self) -> u64 {
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(pid: u32, act: &str, sequence: u64, result: &str) -> Line {
        Line {
            time_ms: 1000 * sequence,
            pid,
            base: "01".into(),
            act: act.into(),
            sequence: Some(sequence),
            result: result.into(),
            message: Some("a\nb".into()),
            ..Line::default()
        }
    }

    fn floor(lines: &[Line], base: &str) -> u64 {
        let mut past = Past::default();
        for line in lines {
            past.read(&line.text(), base);
        }
        past.floor()
    }

    #[test]
    fn what_was_applied_is_read_back() {
        let begun = |pid, sequence| line(pid, APPLY, sequence, BEGUN);
        let other = Line {
            sequence: None,
            ..line(1, APPLY, 0, DONE)
        };
        for (lines, expected) in [
            (vec![line(1, APPLY, 7, DONE)], 7),
            (vec![line(1, APPLY, 7, DONE), line(1, APPLY, 5, DONE)], 7),
            (vec![line(1, "dry-run", 7, DONE), other], 0),
            (vec![line(1, APPLY, 7, UNCHANGED)], 0),
            (vec![line(1, APPLY, 7, "state-busy")], 0),
            // The process ended before it could tell, or the disk was full.
            (vec![begun(1, 7)], 7),
            (vec![begun(1, 7), line(1, "revert", 7, DONE)], 7),
            (vec![begun(1, 7), begun(1, 6)], 7),
            (vec![begun(1, 7), line(1, APPLY, 7, "state-busy")], 0),
            (vec![begun(1, 7), line(2, APPLY, 5, "state-busy")], 7),
        ] {
            assert_eq!(floor(&lines, "01"), expected, "{lines:?}");
            assert_eq!(floor(&lines, "02"), 0, "{lines:?}");
        }
    }

    #[test]
    fn a_line_is_one_line_and_whole() {
        let text = line(1, APPLY, 7, DONE).text();
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 1);
        let mut past = Past::default();
        past.read(&text[..text.len() - 2], "01");
        assert_eq!((past.floor(), past.latest()), (0, 0));
        past.read(&text, "02");
        assert_eq!((past.floor(), past.latest()), (0, 7));
    }
}
