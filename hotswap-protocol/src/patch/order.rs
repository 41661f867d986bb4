//! What a program is asked to do with patches, and what it answers.

use serde::{Deserialize, Serialize};

use super::Digest;
use crate::message::{CommitReport, PrepareReport};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PatchOrder {
    /// Take the patch file whose bytes follow the frame. Where it is applied already, only its time is
    /// set anew.
    Apply {
        /// How many bytes follow.
        bytes: u64,
        /// Milliseconds after which the program goes back by itself. None: never.
        #[serde(default)]
        ttl_ms: Option<u64>,
        /// Check and load it, and drop it again.
        #[serde(default)]
        dry_run: bool,
    },
    /// Go back from the newest patch. Nothing is done where it is not the one that is named.
    Revert {
        /// Which. None: the newest, whichever it is.
        #[serde(default)]
        digest: Option<Digest>,
    },
    /// Tell which are applied.
    List {},
}

/// What was done, and which patches are applied now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PatchReport {
    /// The code that runs is another than before.
    pub changed: bool,
    /// The version that is current.
    pub version: u64,
    /// The patches that are applied, the oldest first.
    pub applied: Vec<AppliedPatch>,
    /// What the order was about.
    pub subject: Option<AppliedPatch>,
    /// What a patch that was loaded changes.
    pub prepared: Option<PrepareReport>,
    /// What a change did.
    pub committed: Option<CommitReport>,
}

/// A patch in a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedPatch {
    /// What it is known by.
    pub digest: Digest,
    /// Its name.
    pub name: String,
    /// Its sequence.
    pub sequence: u64,
    /// The version that it brought; 0 for one that is not applied.
    #[serde(default)]
    pub version: u64,
    /// Milliseconds until the program goes back by itself. None: never.
    #[serde(default)]
    pub expires_ms: Option<u64>,
    /// How many calls of its code panicked since. Calls that are not counted do not count.
    #[serde(default)]
    pub panics: u64,
}
