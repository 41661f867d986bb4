//! What a program tells about its versions.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::lifecycle::State;
use crate::purge::Kept;

/// A program's versions and the calls under way in them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Status {
    /// The number of the current version; 0 is the program as first built.
    pub version: u64,
    /// Whether the program takes control connections.
    pub listening: bool,
    /// The versions since the start, oldest first. Those of which nothing is left are not listed for ever.
    pub versions: Vec<VersionStatus>,
}

/// One version of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VersionStatus {
    /// Its number, counted from 0 in this process.
    pub number: u64,
    /// Where it stands in its life.
    pub state: State,
    /// Milliseconds since it was loaded.
    pub age_ms: u64,
    /// What the patch was called by whoever made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The version whose code it has, if it is a revert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverts_to: Option<u64>,
    /// Its image. None for the host, and for a version that only has code of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageStatus>,
    /// Entries with counted calls under way in it.
    #[serde(default)]
    pub in_flight: Vec<EntryCalls>,
    /// What keeps its image in memory, as the last attempt to purge it found. None if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

/// An image that is, or was, in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ImageStatus {
    /// The file it was loaded from.
    pub path: PathBuf,
    /// The first address it occupies.
    pub base: u64,
    /// Bytes of address space it occupies.
    pub mapped_bytes: u64,
}

/// Calls under way in one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EntryCalls {
    /// The entry's path.
    pub entry: String,
    /// How many calls and unfinished futures.
    pub calls: u64,
}

impl Status {
    /// The status of a program whose current version is `version`, with no version listed yet.
    #[must_use]
    pub fn new(version: u64, listening: bool) -> Self {
        Self {
            version,
            listening,
            versions: Vec::new(),
        }
    }
}

impl VersionStatus {
    /// A version without label, image or calls.
    #[must_use]
    pub fn new(number: u64, state: State, age_ms: u64) -> Self {
        Self {
            number,
            state,
            age_ms,
            label: None,
            reverts_to: None,
            image: None,
            in_flight: Vec::new(),
            kept: None,
        }
    }
}

impl ImageStatus {
    /// An image from `path` that occupies `mapped_bytes` from `base` on.
    #[must_use]
    pub fn new(path: PathBuf, base: u64, mapped_bytes: u64) -> Self {
        Self {
            path,
            base,
            mapped_bytes,
        }
    }
}

impl EntryCalls {
    /// `calls` calls under way in `entry`.
    #[must_use]
    pub fn new(entry: String, calls: u64) -> Self {
        Self { entry, calls }
    }
}
