//! What the protocol tells of patches, in the JSON that is printed: its forms stay, whatever the protocol's become.

use std::collections::{BTreeMap, BTreeSet};

use hotswap_protocol::patch::order::AppliedPatch;
use hotswap_protocol::patch::{self, Digest};
use schemars::JsonSchema;
use serde::Serialize;

/// A patch in a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Applied {
    /// What it is known by.
    #[schemars(with = "String")]
    pub digest: Digest,
    /// Its name.
    pub name: String,
    /// Its sequence.
    pub sequence: u64,
    /// The version that it brought; 0 for one that is not applied.
    pub version: u64,
    /// Milliseconds until the program goes back by itself; null if it does not.
    pub expires_ms: Option<u64>,
    /// How many calls of its code panicked since. Calls that are not counted do not count.
    pub panics: u64,
}

impl From<AppliedPatch> for Applied {
    fn from(patch: AppliedPatch) -> Self {
        let AppliedPatch {
            digest,
            name,
            sequence,
            version,
            expires_ms,
            panics,
        } = patch;
        Self {
            digest,
            name,
            sequence,
            version,
            expires_ms,
            panics,
        }
    }
}

/// What a patch does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Plan {
    /// Entries that lead to new code.
    pub entries: Vec<String>,
    /// Statics of which there is something to say.
    pub statics: Vec<String>,
    /// Edited functions that no entry leads to.
    pub still_old: Vec<String>,
    /// Cells whose values get a new layout.
    pub migrated: Vec<String>,
    /// Why the program can't go back by itself; empty if it can.
    pub no_way_back: Vec<String>,
}

impl From<patch::Plan> for Plan {
    fn from(plan: patch::Plan) -> Self {
        let patch::Plan {
            entries,
            statics,
            still_old,
            migrated,
            no_way_back,
        } = plan;
        Self {
            entries,
            statics,
            still_old,
            migrated,
            no_way_back,
        }
    }
}

/// What a patch was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Provenance {
    /// The tool and its version.
    pub tool: String,
    /// The compiler's version, as it tells it at length.
    pub toolchain: String,
    /// Sources that differ from the base, by path in the workspace, with the digest of what they say.
    #[schemars(with = "BTreeMap<String, String>")]
    pub edited: BTreeMap<String, Digest>,
    /// Entries that tell of their calls.
    pub logged: BTreeSet<String>,
    /// A digest of all sources' paths and contents.
    #[schemars(with = "String")]
    pub sources: Digest,
}

impl From<patch::Provenance> for Provenance {
    fn from(provenance: patch::Provenance) -> Self {
        let patch::Provenance {
            tool,
            toolchain,
            edited,
            logged,
            sources,
        } = provenance;
        Self {
            tool,
            toolchain,
            edited,
            logged,
            sources,
        }
    }
}
