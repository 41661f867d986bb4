//! Whether a patch that is signed may be applied to this process now: a decision on facts.

use hotswap_protocol::build_id::BuildId;
use hotswap_protocol::message::ErrorCode;
use hotswap_protocol::patch::{Digest, Patch};

use crate::engine::control::Failure;

/// What is known of this process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    /// The build that runs.
    pub(super) build_id: Option<&'a BuildId>,
    /// The patches that are applied, the oldest first.
    pub(super) stack: &'a [Digest],
    /// Names of other patches beyond the base that are not applied any more, whose code is in memory still, and that were
    /// not compared with this one.
    pub(super) others: &'a [String],
    /// The highest sequence that was applied.
    pub(super) floor: u64,
    /// Seconds since 1970.
    pub(super) now: u64,
    /// Why nothing leads back from the patch, which is to go by itself, or with one that it lies on.
    pub(super) stays: Option<&'a str>,
}

/// What is to be done with a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is applied already.
    Applied,
    /// It may be loaded.
    Load,
}

/// Why a patch is not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(super) enum Refusal {
    #[error(
        "the patch is for `{name}` with build id {expected}, this process runs {}: build the patch \
         against the base of the program that runs",
        found.as_ref().map_or("one without build id", BuildId::as_str)
    )]
    Base {
        name: String,
        expected: BuildId,
        found: Option<BuildId>,
    },
    #[error(
        "the patch could be applied until second {not_after} since 1970, and it is {now}: build it anew"
    )]
    Expired { not_after: u64, now: u64 },
    #[error(
        "the patch has sequence {sequence}, and one with sequence {floor} was applied already: an older \
         patch is not applied again"
    )]
    Replayed { sequence: u64, floor: u64 },
    #[error(
        "the patch lies on {}, and applied is {}: revert what is applied, or build a patch for it",
        list(expected),
        list(found)
    )]
    Stack {
        expected: Vec<Digest>,
        found: Vec<Digest>,
    },
    #[error(
        "code of `{other}`, which was reverted, is still in memory, and both have types of their own that \
         were not checked against each other: `cargo hotswap versions` says what keeps it; wait, or restart the program"
    )]
    InMemory { other: String },
    #[error(
        "the program can't go back from the patch, so it can't be applied for a time, nor on a patch that is: {reason}; \
         apply it, and those it lies on, without one, if they may stay until the program ends"
    )]
    Stays { reason: String },
}

impl Refusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Base { .. } => ErrorCode::WrongBase,
            Self::Expired { .. } => ErrorCode::PatchExpired,
            Self::Replayed { .. } => ErrorCode::PatchReplayed,
            Self::Stack { .. } => ErrorCode::WrongStack,
            Self::InMemory { .. } => ErrorCode::PatchInMemory,
            Self::Stays { .. } => ErrorCode::PatchStays,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal)
    }
}

fn list(patches: &[Digest]) -> String {
    if patches.is_empty() {
        return "no patch".to_owned();
    }
    let names: Vec<String> = patches.iter().map(Digest::short).collect();
    names.join(", ")
}

/// Decides about a patch.
pub(super) fn admit(patch: &Patch, digest: Digest, facts: &Facts) -> Result<Admission, Refusal> {
    let expected = &patch.base.build_id;
    if facts.build_id != Some(expected) {
        return Err(Refusal::Base {
            name: patch.base.name.clone(),
            expected: expected.clone(),
            found: facts.build_id.cloned(),
        });
    }
    if let Some(not_after) = patch.not_after
        && facts.now > not_after
    {
        let now = facts.now;
        return Err(Refusal::Expired { not_after, now });
    }
    if let Some(reason) = facts.stays {
        let reason = reason.to_owned();
        return Err(Refusal::Stays { reason });
    }
    if facts.stack.contains(&digest) {
        return Ok(Admission::Applied);
    }
    if patch.sequence < facts.floor {
        return Err(Refusal::Replayed {
            sequence: patch.sequence,
            floor: facts.floor,
        });
    }
    if patch.below != facts.stack {
        return Err(Refusal::Stack {
            expected: patch.below.clone(),
            found: facts.stack.to_vec(),
        });
    }
    match facts.others.first() {
        Some(other) if patch.beyond_base => Err(Refusal::InMemory {
            other: other.clone(),
        }),
        _ => Ok(Admission::Load),
    }
}

#[cfg(test)]
mod tests {
    use hotswap_protocol::manifest::Manifest;
    use hotswap_protocol::patch::{Base, FORMAT, Plan, Provenance};

    use super::*;

    fn build_id(byte: u8) -> BuildId {
        BuildId::from_bytes(&[byte]).unwrap()
    }

    fn patch() -> Patch {
        Patch {
            format: FORMAT,
            name: "fix".into(),
            base: Base {
                name: "web".into(),
                build_id: build_id(1),
            },
            below: vec![Digest::of(b"below")],
            sequence: 5,
            not_after: Some(100),
            beyond_base: true,
            plan: Plan::default(),
            provenance: Provenance {
                tool: "t".into(),
                toolchain: "r".into(),
                edited: [].into(),
                logged: [].into(),
                sources: Digest::of(b""),
            },
            manifest: Manifest::new(build_id(1)),
        }
    }

    /// What is known of a process, and of the patch.
    struct Process {
        beyond_base: bool,
        build_id: Option<BuildId>,
        stack: Vec<Digest>,
        others: Vec<String>,
        floor: u64,
        now: u64,
        stays: Option<&'static str>,
    }

    fn check(change: impl FnOnce(&mut Process), expected: &str) {
        let mut process = Process {
            beyond_base: true,
            build_id: Some(build_id(1)),
            stack: vec![Digest::of(b"below")],
            others: Vec::new(),
            floor: 5,
            now: 100,
            stays: None,
        };
        change(&mut process);
        let facts = Facts {
            build_id: process.build_id.as_ref(),
            stack: &process.stack,
            others: &process.others,
            floor: process.floor,
            now: process.now,
            stays: process.stays,
        };
        let patch = Patch {
            beyond_base: process.beyond_base,
            ..patch()
        };
        let outcome = match admit(&patch, Digest::of(b"patch"), &facts) {
            Ok(admission) => format!("{admission:?}"),
            Err(refusal) => format!("{:?}: {refusal}", refusal.code()),
        };
        assert!(
            outcome.contains(expected),
            "expected `{expected}`, got `{outcome}`"
        );
    }

    #[test]
    fn who_may_be_applied() {
        let (below, patch) = (Digest::of(b"below"), Digest::of(b"patch"));
        let on_it = Digest::of(b"on it");
        let other_base = "WrongBase: the patch is for `web` with build id 01, this process runs 02";
        let expired = "PatchExpired: the patch could be applied until second 100";
        let replayed = "PatchReplayed: the patch has sequence 5, and one with sequence 6";
        check(|_| (), "Load");
        check(|p| p.floor = 0, "Load");
        check(|p| p.build_id = Some(build_id(2)), other_base);
        check(|p| p.build_id = None, "runs one without build id");
        check(|p| p.now = 101, expired);
        check(|p| p.floor = 6, replayed);
        check(|p| p.stack.clear(), "WrongStack: the patch lies on ");
        check(|p| p.stack.clear(), "and applied is no patch");
        check(|p| p.stack = vec![below, patch, on_it], "Applied");
        check(|p| p.stack = vec![below, on_it], "WrongStack");
        let left = |p: &mut Process| p.others = vec!["old".to_owned()];
        check(left, "PatchInMemory: code of `old`");
        // It has no types of its own to be taken for those of the other.
        let no_types = |p: &mut Process| {
            left(p);
            p.beyond_base = false;
        };
        check(no_types, "Load");
        // What is applied stays so, whatever has been applied beside it.
        check(|p| p.stack.push(patch), "Applied");
        check(|p| (p.stack, p.floor) = (vec![below, patch], 9), "Applied");
        check(|p| (p.stack, p.now) = (vec![below, patch], 101), expired);
        let stays = |p: &mut Process| p.stays = Some("`T` has no `back`");
        check(
            stays,
            "PatchStays: the program can't go back from the patch",
        );
        let applied_and_stays = |p: &mut Process| {
            p.stack.push(patch);
            stays(p);
        };
        check(
            applied_and_stays,
            "nor on a patch that is: `T` has no `back`",
        );
    }
}
