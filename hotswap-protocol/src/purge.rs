//! What came of taking old versions out of memory, and what keeps those that stayed.

use serde::{Deserialize, Serialize};

/// How far a purge may go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Manner {
    /// Takes out what nothing refers to.
    #[default]
    Soft,
    /// The same, after the ways back to older code were given up, and named threads and tasks that old code
    /// began, and handlers of servers that run in it, were told to end.
    Full,
    /// Only tells what a full purge would do.
    DryRun,
}

/// What came of a purge: an entry for each version that was replaced and is, or was, in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PurgeReport {
    /// The versions, oldest first.
    pub versions: Vec<PurgedVersion>,
    /// Versions that could no longer be gone back to, by the number to which the way would lead.
    pub ways_given_up: Vec<u64>,
    /// Threads, tasks and servers' handlers that were told to end, or would be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<String>,
}

/// What came of it for one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PurgedVersion {
    /// Its number.
    pub number: u64,
    /// Whether it is out of memory now; in a dry run, whether nothing was found that keeps it.
    pub free: bool,
    /// What keeps it.
    pub kept: Kept,
}

/// Why an image stays in memory, as far as the last attempt could tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Kept {
    /// Who refers to it.
    pub holders: Vec<Holder>,
    /// Why there is no proof that nobody else does.
    pub obstacle: Option<String>,
    /// What went wrong in functions of its own that were to let go of it (`on_purge`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// Attempts so far.
    pub attempts: u64,
    /// Microseconds for which all threads stood in the last one.
    pub stood_us: u64,
    /// Bytes that were scanned while the program ran, and while it stood.
    pub scanned: (u64, u64),
}

/// Somebody who refers to an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Holder {
    /// What it is.
    pub kind: HolderKind,
    /// Its name: a thread's, an entry's path, a mapping's, a signal's number.
    pub name: String,
    /// The thread's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<i32>,
    /// The static that the word is in, as the symbol table has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Where in memory the first such word is; 0 if it is in none.
    #[serde(default)]
    pub address: u64,
    /// What it refers to in the image, as the symbol table has it, or as a distance from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Symbols that words beside it refer to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<String>,
    /// How many such words there are.
    #[serde(default)]
    pub words: u64,
}

/// The kinds of holders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HolderKind {
    /// Calls under way, or futures that are not complete, of an entry.
    Calls,
    /// Callers of an entry that newer code does not have.
    Entry,
    /// A cell whose schema or first value is the image's.
    Cell,
    /// Elements, of containers of this type, that migrate when they are first used; their pieces are counted.
    Elements,
    /// The program can go back to this code.
    WayBack,
    /// Later images use what it has brought.
    Shared,
    /// The stack of a thread.
    Stack,
    /// A register of a thread.
    Register,
    /// A static of the program or a library.
    Static,
    /// The heap, or other memory.
    Memory,
    /// What is done at a signal.
    Signal,
    /// The system's loader keeps it.
    Loader,
}

impl Holder {
    /// A holder of this kind and name, with no word in memory.
    #[must_use]
    pub fn new(kind: HolderKind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            thread: None,
            symbol: None,
            address: 0,
            to: None,
            near: Vec::new(),
            words: 0,
        }
    }
}

impl PurgedVersion {
    /// What came of it for the version with this number.
    #[must_use]
    pub fn new(number: u64, free: bool, kept: Kept) -> Self {
        Self { number, free, kept }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_as_text() {
        let mut holder = Holder::new(HolderKind::WayBack, "version 3");
        let mut report = PurgeReport::default();
        let mut kept = Kept::default();
        for (place, text) in [
            (
                None,
                r#"{"kind":"way-back","name":"version 3","address":0,"words":0}"#,
            ),
            (
                Some(7),
                r#"{"kind":"way-back","name":"version 3","thread":7,"address":0,"words":0}"#,
            ),
        ] {
            holder.thread = place;
            assert_eq!(serde_json::to_string(&holder).unwrap(), text);
            assert_eq!(serde_json::from_str::<Holder>(text).unwrap(), holder);
        }
        kept.holders.push(holder);
        report.versions.push(PurgedVersion::new(1, false, kept));
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<PurgeReport>(&text).unwrap(), report);
        assert_eq!(
            serde_json::from_str::<PurgeReport>("{}").unwrap(),
            PurgeReport::default()
        );
    }
}
