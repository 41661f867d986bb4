//! The patches that are applied to this process, and what is remembered of those that were.

use std::time::{Duration, Instant};

use hotswap_protocol::patch::order::AppliedPatch;
use hotswap_protocol::patch::{Digest, Patch};

use crate::engine::version;
use crate::on_panic;
use crate::sync::{Condvar, Mutex, MutexGuard, lock};

/// A patch that is applied, or was.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) digest: Digest,
    pub(super) name: String,
    sequence: u64,
    pub(super) version: u64,
    /// It has types of its own, of which another patch could have others.
    beyond_base: bool,
    /// The patches that it lies on, and was compared with.
    below: Vec<Digest>,
    deadline: Option<Instant>,
}

impl Entry {
    pub(super) fn new(patch: &Patch, digest: Digest, version: u64, ttl: Option<Duration>) -> Self {
        Self {
            digest,
            name: patch.name.clone(),
            sequence: patch.sequence,
            version,
            beyond_base: patch.beyond_base,
            below: patch.below.clone(),
            deadline: deadline(ttl),
        }
    }

    /// Whether this patch and another one, with those that it lies on, were never compared with each other.
    fn is_stranger_to(&self, digest: Digest, below: &[Digest]) -> bool {
        self.digest != digest && !below.contains(&self.digest) && !self.below.contains(&digest)
    }

    /// Whether it goes by itself some time.
    pub(super) fn is_for_a_time(&self) -> bool {
        self.deadline.is_some()
    }

    /// What is told of it.
    pub(super) fn status(&self) -> AppliedPatch {
        let left = self
            .deadline
            .map(|at| at.saturating_duration_since(Instant::now()));
        let ms = left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        AppliedPatch {
            digest: self.digest,
            name: self.name.clone(),
            sequence: self.sequence,
            version: self.version,
            expires_ms: ms,
            panics: on_panic::panics_of(self.version),
        }
    }
}

/// When this time is over; never, if it is longer than clocks count.
fn deadline(ttl: Option<Duration>) -> Option<Instant> {
    ttl.and_then(|ttl| Instant::now().checked_add(ttl))
}

#[derive(Debug)]
struct Stack {
    /// The oldest first.
    applied: Vec<Entry>,
    /// Those that are applied no more, one for each version that they brought.
    left: Vec<Entry>,
    floor: u64,
    /// The latest time that the clock has shown, in seconds since 1970.
    latest: u64,
}

static STACK: Mutex<Stack> = Mutex::new(Stack {
    applied: Vec::new(),
    left: Vec::new(),
    floor: 0,
    latest: 0,
});

/// Notified when a patch gets another deadline.
static CHANGED: Condvar = Condvar::new();

impl Stack {
    /// Takes away what was reverted: by whom and how does not matter.
    fn after(&mut self, code: u64) {
        let stays = self.applied.iter().rposition(|entry| entry.version == code);
        let gone = self.applied.split_off(stays.map_or(0, |at| at + 1));
        self.left.extend(gone);
    }
}

/// The patches whose code is current, the oldest first.
pub(super) fn applied() -> Vec<Entry> {
    let code = version::code_of_current();
    let mut stack = lock(&STACK);
    stack.after(code);
    stack.applied.clone()
}

/// A patch has become current.
pub(super) fn push(entry: Entry) {
    let mut stack = lock(&STACK);
    stack.floor = stack.floor.max(entry.sequence);
    stack.applied.push(entry);
}

/// The names of patches beyond the base that are not applied, whose images are in memory, and that were never compared
/// with this one.
pub(super) fn in_memory(digest: Digest, below: &[Digest]) -> Vec<String> {
    let mut stack = lock(&STACK);
    stack.left.retain(|entry| version::has_image(entry.version));
    let others = stack.left.iter();
    let others = others.filter(|it| it.beyond_base && it.is_stranger_to(digest, below));
    others.map(|entry| entry.name.clone()).collect()
}

/// Gives a patch that is applied another time from now on.
pub(super) fn set_deadline(digest: Digest, ttl: Option<Duration>) {
    let mut stack = lock(&STACK);
    let found = stack.applied.iter_mut().find(|it| it.digest == digest);
    if let Some(entry) = found {
        entry.deadline = deadline(ttl);
    }
}

/// The highest sequence that was applied.
pub(super) fn floor() -> u64 {
    lock(&STACK).floor
}

/// At least this high was it before.
pub(super) fn raise_floor(sequence: u64) {
    let mut stack = lock(&STACK);
    stack.floor = stack.floor.max(sequence);
}

/// The latest time that was seen, this one included.
pub(super) fn latest(now: u64) -> u64 {
    let mut stack = lock(&STACK);
    stack.latest = stack.latest.max(now);
    stack.latest
}

/// What is to be done about deadlines.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The time of a patch is over; this is the newest, with which it begins.
    Now(Digest),
    /// Nothing before this time.
    At(Instant),
    /// Nothing.
    Never,
}

/// What is due of these patches.
fn due(applied: &[Entry], now: Instant) -> Due {
    let first = applied.iter().filter_map(|entry| entry.deadline).min();
    match (first, applied.last()) {
        (Some(at), Some(newest)) if at <= now => Due::Now(newest.digest),
        (Some(at), _) => Due::At(at),
        _ => Due::Never,
    }
}

/// What is due now.
pub(super) fn due_now() -> Due {
    due(&lock(&STACK).applied, Instant::now())
}

/// Waits until a deadline was changed, or until this time.
pub(super) fn wait(until: Option<Instant>) {
    let stack: MutexGuard<'_, Stack> = lock(&STACK);
    let time = until.map(|at| at.saturating_duration_since(Instant::now()));
    if due(&stack.applied, Instant::now()) == until.map_or(Due::Never, Due::At) {
        drop(crate::sync::wait(&CHANGED, stack, time));
    }
}

/// Wakes who waits.
pub(super) fn wake() {
    CHANGED.notify_all();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, version: u64, deadline: Option<Instant>) -> Entry {
        Entry {
            digest: Digest::of(name.as_bytes()),
            name: name.into(),
            sequence: 1,
            version,
            beyond_base: false,
            below: Vec::new(),
            deadline,
        }
    }

    #[test]
    fn patches_that_lie_on_each_other_are_no_strangers() {
        let of = |name: &str| Digest::of(name.as_bytes());
        let first = entry("first", 1, None);
        let second = Entry {
            below: vec![of("first")],
            ..entry("second", 2, None)
        };
        for (left, digest, below, expected) in [
            (&first, of("other"), &[][..], true),
            (&first, of("other"), &[of("another")], true),
            (&first, of("first"), &[], false),
            (&first, of("second"), &[of("first")], false),
            (&second, of("first"), &[], false),
            (&second, of("other"), &[of("first")], true),
            (&second, of("third"), &[of("first"), of("second")], false),
        ] {
            assert_eq!(left.is_stranger_to(digest, below), expected, "{left:?}");
        }
    }

    #[test]
    fn what_was_reverted_is_not_applied() {
        for (code, applied, left) in [
            (3, &["a", "b"][..], &[][..]),
            (2, &["a"], &["b"]),
            (0, &[], &["a", "b"]),
            // An edit by the tool has gone live on them.
            (9, &[], &["a", "b"]),
        ] {
            let mut stack = Stack {
                applied: vec![entry("a", 2, None), entry("b", 3, None)],
                left: Vec::new(),
                floor: 0,
                latest: 0,
            };
            stack.after(code);
            let names = |all: &[Entry]| all.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
            assert_eq!(names(&stack.applied), applied, "{code}");
            assert_eq!(names(&stack.left), left, "{code}");
        }
    }

    #[test]
    fn the_first_deadline_counts_and_the_newest_patch_goes_first() {
        let start = Instant::now();
        let at = |seconds| Some(start + Duration::from_secs(seconds));
        let now = start + Duration::from_secs(10);
        let newest = Due::Now(Digest::of(b"b"));
        for (a, b, expected) in [
            (None, None, Due::Never),
            (None, at(10), newest),
            (at(5), None, Due::Now(Digest::of(b"b"))),
            (at(20), at(15), Due::At(start + Duration::from_secs(15))),
            (at(20), None, Due::At(start + Duration::from_secs(20))),
        ] {
            let applied = [entry("a", 1, a), entry("b", 2, b)];
            assert_eq!(due(&applied, now), expected);
        }
        assert_eq!(due(&[], now), Due::Never);
    }
}
