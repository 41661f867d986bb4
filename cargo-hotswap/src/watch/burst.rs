//! When a save is told: at once if it stands alone, together with its like if it does not.
//!
//! A pure state machine over what was seen and when. One file that was written is told without
//! any wait. What holds it back is a sign of more: another file that was written, is open, or went
//! away; a batch told a moment ago; a version control system that holds its lock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long to wait for what may belong together.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// While several files change, a batch ends when nothing came for so long.
    pub quiet: Duration,
    /// What follows a batch within this time belongs to the same act.
    pub follows: Duration,
    /// A file that went away may come back within this time: editors move the old one aside first.
    pub comes_back: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(10),
            follows: Duration::from_millis(20),
            comes_back: Duration::from_millis(50),
        }
    }
}

/// However long several files keep changing, after this time they are told.
const LONGEST: Duration = Duration::from_secs(2);

/// How often a lock is looked at while something waits for it.
const LOOK: Duration = Duration::from_millis(2);

/// What was seen of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// It is being written; its content does not stand yet.
    Begun,
    /// It was written and closed, or another file took its name.
    Written,
    /// It was removed, or lost its name.
    Gone,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing has to be told.
    Idle,
    /// Look again after this time, or when something is seen.
    Wait(Duration),
    /// Tell what is waiting.
    Tell,
}

/// What is told together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Files that the program is made from.
    pub files: BTreeSet<PathBuf>,
    /// Files that nothing is known of.
    pub strange: BTreeSet<PathBuf>,
    /// Whether folders above known files came, went or were replaced.
    pub moved: bool,
}

/// What was seen and not told yet.
#[derive(Debug, Default)]
pub struct Burst {
    patience: Patience,
    known: BTreeMap<PathBuf, (Sight, Instant)>,
    strange: BTreeSet<PathBuf>,
    /// Folders came, went or were replaced.
    moved: bool,
    first: Option<Instant>,
    last: Option<Instant>,
    told: Option<Instant>,
    held: bool,
}

impl Burst {
    /// Nothing seen yet.
    pub fn new(patience: Patience) -> Self {
        Self {
            patience,
            ..Self::default()
        }
    }

    /// Notes what was seen of a file that the program is made from.
    pub fn see(&mut self, path: &Path, sight: Sight, now: Instant) {
        self.clock(now);
        self.known.insert(path.to_owned(), (sight, now));
    }

    /// Notes a file that nothing is known of: it may be what a failed compilation lacked.
    pub fn see_strange(&mut self, path: &Path, now: Instant) {
        self.clock(now);
        self.strange.insert(path.to_owned());
    }

    /// Notes that folders above known files came, went or were replaced.
    pub fn see_moved(&mut self, now: Instant) {
        self.clock(now);
        self.moved = true;
    }

    fn clock(&mut self, now: Instant) {
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// What to do at this time; `locked` says whether a version control system is at work.
    pub fn next(&mut self, now: Instant, locked: bool) -> Next {
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return Next::Idle;
        };
        let stands = |(sight, seen): &(Sight, Instant)| match sight {
            Sight::Begun => false,
            Sight::Written => true,
            Sight::Gone => now >= *seen + self.patience.comes_back,
        };
        let standing = self.known.values().any(stands);
        let gone = self
            .known
            .values()
            .filter(|(sight, _)| *sight == Sight::Gone);
        let gone_until = gone
            .map(|(_, seen)| *seen + self.patience.comes_back)
            // In a folder that is another now it comes back unseen.
            .filter(|until| *until > now && !self.moved)
            .max();
        if !standing && gone_until.is_none() && !self.moved && self.strange.is_empty() {
            return Next::Idle;
        }
        if locked {
            self.held = true;
            return Next::Wait(LOOK);
        }
        let follows = self
            .told
            .is_some_and(|told| last < told + self.patience.follows);
        let several = self.moving(now) > 1 || follows || self.held || self.moved || !standing;
        let quiet_at = several.then_some(last + self.patience.quiet);
        match quiet_at.max(gone_until) {
            Some(until) if until > now && now < first + LONGEST => Next::Wait(until - now),
            _ => Next::Tell,
        }
    }

    /// The known files that change just now. One that is open for long (a log, say) is no sign of
    /// more to come.
    fn moving(&self, now: Instant) -> usize {
        let recent = |(sight, seen): &&(Sight, Instant)| {
            *sight != Sight::Begun || now < *seen + self.patience.follows
        };
        self.known.values().filter(recent).count()
    }

    /// When something was last seen of what is waiting.
    pub fn last(&self) -> Option<Instant> {
        self.last
    }

    /// Takes what can be told. A file that is still being written is told when it stands.
    pub fn take(&mut self, now: Instant) -> Batch {
        let mut files = BTreeSet::new();
        self.known.retain(|path, (sight, _)| {
            let open = *sight == Sight::Begun;
            if !open {
                files.insert(path.clone());
            }
            open
        });
        if !files.is_empty() {
            self.told = Some(now);
        }
        self.held = false;
        (self.first, self.last) = (None, None);
        Batch {
            files,
            strange: std::mem::take(&mut self.strange),
            moved: std::mem::take(&mut self.moved),
        }
    }
}

#[cfg(test)]
mod tests;
