//! Patch files in this process: checked here, whoever brought them, applied, reverted, and gone when
//! their time is over.
//!
//! What is checked is what is loaded: the bytes are the process's own from the socket on, and images go
//! from there into sealed memory, which the system's loader maps. Nothing is written to a disk.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hotswap_protocol::event::Cause;
use hotswap_protocol::message::ErrorCode;
use hotswap_protocol::patch::order::{AppliedPatch, PatchReport};
use hotswap_protocol::patch::{self, Contents, Digest, Patch, container};
use hotswap_protocol::state::Back;

use crate::engine::control::Failure;
use crate::engine::fork;
use crate::engine::loaded;
use crate::engine::purge;
use crate::engine::revert;
use crate::engine::swap;
use crate::engine::version;
use crate::table;
use crate::transaction::Aborted;

mod admit;
mod audit;
mod expiry;
mod keys;
mod stack;

pub(crate) use audit::{Act, set as set_audit};
pub(crate) use keys::add as add_key;

use admit::{Admission, Facts};
use stack::Entry;

/// What a client asks for; the bytes of a file are here.
#[derive(Debug)]
pub(crate) enum Order {
    Apply {
        file: Vec<u8>,
        ttl: Option<Duration>,
        dry_run: bool,
    },
    Revert {
        digest: Option<Digest>,
    },
    List,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// The process at the other end of a connection, as the kernel tells it.
    Peer { uid: u32, pid: i32 },
    /// This process itself, because a patch's time is over.
    Clock,
}

/// Does what is asked for. To be called in turn with other swaps.
pub(crate) fn obey(order: Order, who: Who) -> Result<PatchReport, Failure> {
    match order {
        Order::List => Ok(report(false, None)),
        Order::Apply { file, ttl, dry_run } => {
            let mut act = Act::begin(if dry_run { "dry-run" } else { "apply" }, who)?;
            let outcome = apply(&file, ttl, dry_run, &mut act);
            act.end(&outcome);
            outcome
        }
        Order::Revert { digest } => {
            let mut act = Act::begin("revert", who)?;
            let outcome = go_back(digest, &mut act);
            act.end(&outcome);
            outcome
        }
    }
}

/// Whether a patch file is applied that is to go when its time is over.
pub(crate) fn any_for_a_time() -> bool {
    let applied = fork::undivided(stack::applied);
    applied.iter().any(Entry::is_for_a_time)
}

/// Goes back from a patch whose time is over; `again` if that has failed before, and was told. To be called
/// in turn with other swaps.
fn expire(digest: Digest, again: bool) -> Result<PatchReport, Failure> {
    // It is undone whether that can be written down or not.
    let act = Act::begin("expire", Who::Clock);
    let mut act = act.unwrap_or_else(|_| Act::unwritten("expire", Who::Clock));
    if again {
        act.again();
    }
    let outcome = go_back(Some(digest), &mut act);
    if outcome.is_ok() || !again {
        act.end(&outcome);
    }
    outcome
}

fn apply(
    file: &[u8],
    ttl: Option<Duration>,
    dry_run: bool,
    act: &mut Act,
) -> Result<PatchReport, Failure> {
    let damaged = |error: &dyn std::error::Error| Failure::new(ErrorCode::PatchDamaged, error);
    let container = container::read(file).map_err(|error| damaged(&error))?;
    // Nothing of the text is looked at before.
    keys::verify(&container)?;
    let Contents {
        mut patch,
        images,
        digest,
    } = patch::read(&container).map_err(|error| damaged(&error))?;
    let subject = AppliedPatch {
        digest,
        name: patch.name.clone(),
        sequence: patch.sequence,
        version: 0,
        expires_ms: None,
        panics: 0,
    };
    act.about(&subject);
    let applied = fork::undivided(stack::applied);
    let stack: Vec<Digest> = applied.iter().map(|entry| entry.digest).collect();
    let stays = stays(&patch, digest, ttl, &applied);
    let facts = Facts {
        build_id: loaded::executable().and_then(|file| file.build_id.as_ref()),
        stack: &stack,
        others: &fork::undivided(|| stack::in_memory(digest, &patch.below)),
        floor: stack::floor(),
        now: now(),
        stays: stays.as_deref(),
    };
    if admit::admit(&patch, digest, &facts)? == Admission::Applied {
        if !dry_run {
            stack::set_deadline(digest, ttl);
            expiry::look();
        }
        return Ok(report(false, Some(subject)));
    }
    let files = swap::files_in_memory(&mut patch.manifest, &images)
        .map_err(|error| Failure::new(error.code(), error))?;
    patch
        .manifest
        .label
        .get_or_insert_with(|| patch.name.clone());
    let mut prepared = swap::prepare_from(&patch.manifest, Some(files)).map_err(|error| {
        if error.code() == ErrorCode::OnLoadFailed {
            // Its code has run, so it is still in memory.
            purge::after_swap();
        }
        Failure::new(error.code(), &error)
    })?;
    let changes = prepared.report().clone();
    if dry_run {
        drop(prepared);
        let mut report = report(false, Some(subject));
        report.prepared = Some(changes);
        return Ok(report);
    }
    act.begun()?;
    prepared.mark_of_patch();
    let version = prepared.version();
    let done = prepared.commit();
    purge::after_swap();
    let committed = done.map_err(aborted)?;
    stack::push(Entry::new(&patch, digest, version, ttl));
    expiry::look();
    let subject = Some(AppliedPatch { version, ..subject });
    let mut report = report(true, subject);
    report.prepared = Some(changes);
    report.committed = Some(committed);
    Ok(report)
}

/// Why nothing leads back from a patch that is to go by itself: when its own time is over, be it applied or not, or
/// with one that it lies on.
fn stays(
    patch: &Patch,
    digest: Digest,
    ttl: Option<Duration>,
    applied: &[Entry],
) -> Option<String> {
    let entry = applied.iter().find(|entry| entry.digest == digest);
    match (entry, &patch.manifest.back) {
        (Some(entry), _) if ttl.is_some() => {
            let leads_back = fork::undivided(|| version::leads_back_from(entry.version));
            (!leads_back).then(|| "it is applied, and the way back was given up".to_owned())
        }
        (None, Back::None(reasons))
            if ttl.is_some() || applied.iter().any(Entry::is_for_a_time) =>
        {
            Some(reasons.join("; "))
        }
        _ => None,
    }
}

/// Why a patch that was prepared is not current.
pub(crate) fn aborted(aborted: Aborted) -> Failure {
    let code = match aborted {
        Aborted::Busy(_) => ErrorCode::StateBusy,
        Aborted::Failed(_) | Aborted::Stuck(_) => ErrorCode::StateFailed,
    };
    Failure::new(code, aborted)
}

/// Goes back from the newest patch, if it is this one.
fn go_back(digest: Option<Digest>, act: &mut Act) -> Result<PatchReport, Failure> {
    let applied = fork::undivided(stack::applied);
    if let Some(digest) = digest
        && !applied.iter().any(|entry| entry.digest == digest)
    {
        // Somebody else has done it already.
        return Ok(report(false, None));
    }
    let Some(newest) = applied.last() else {
        return Ok(report(false, None));
    };
    act.about(&newest.status());
    if digest.is_some_and(|digest| digest != newest.digest) {
        let text = format!(
            "the patch is not the newest: `{}` ({}) lies on it and must be reverted first",
            newest.name,
            newest.digest.short()
        );
        return Err(Failure::new(ErrorCode::NotApplied, text));
    }
    act.begun()?;
    let order = revert::Order {
        cause: Cause::Request {},
        from: None,
    };
    let done = revert::execute(&order);
    purge::after_swap();
    let done = done?;
    let mut report = report(true, Some(newest.status()));
    report.committed = Some(done.report);
    Ok(report)
}

fn report(changed: bool, subject: Option<AppliedPatch>) -> PatchReport {
    let applied = fork::undivided(stack::applied);
    let applied: Vec<AppliedPatch> = applied.iter().map(Entry::status).collect();
    let same = |subject: AppliedPatch| {
        let found = applied.iter().find(|it| it.digest == subject.digest);
        found.cloned().unwrap_or(subject)
    };
    PatchReport {
        changed,
        version: table::current_version(),
        subject: subject.map(same),
        applied,
        ..PatchReport::default()
    }
}

/// Seconds since 1970: the latest that the clock has ever shown to this process, so that setting it back
/// makes nothing valid again.
fn now() -> u64 {
    let shown = SystemTime::now().duration_since(UNIX_EPOCH);
    stack::latest(shown.map_or(0, |since| since.as_secs()))
}
