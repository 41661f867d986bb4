//! What a swap does while a version before the current one is still in use.

use std::time::Duration;

use crate::sync::{Mutex, lock};

/// What a swap does while a version *before* the current one is still in use: a third one would be loaded
/// beside the two.
///
/// A version is in use while counted calls of its entries are under way, or futures that are not complete,
/// and while [named](crate::work) threads and tasks live that its code began; those that the program as it
/// was started began do not count. Whatever is chosen, old code stays in memory as long as something refers to
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThirdVersion {
    /// The swap waits until the older version is no longer in use. After this time it is refused.
    Wait {
        /// How long.
        at_most: Duration,
    },
    /// The swap is refused, with the names of those who use the older version.
    Refuse,
    /// Threads and tasks that code of the older version began are told to end, as by
    /// [`end_work`](crate::end_work), once the new code is checked and loaded, and so are handlers of
    /// [servers](crate::server) that run in it. What does not end in this time refuses the swap.
    Kill {
        /// How long.
        at_most: Duration,
    },
    /// The swap goes on, and older versions stay in use. From the eighth on there is a warning; if there are so
    /// many already, the swap is refused.
    Keep {
        /// How many older versions.
        at_most: usize,
    },
}

impl ThirdVersion {
    /// Waits for ten seconds: what happens unless something is set.
    pub const WAIT: Self = Self::Wait {
        at_most: Duration::from_secs(10),
    };

    /// Kills, and waits for ten seconds.
    pub const KILL: Self = Self::Kill {
        at_most: Duration::from_secs(10),
    };

    /// Keeps up to 64 versions: what happens under `cargo hotswap run`.
    pub const KEEP: Self = Self::Keep { at_most: 64 };

    /// The one of this name: `wait`, `refuse`, `kill` or `keep`.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "wait" => Self::WAIT,
            "refuse" => Self::Refuse,
            "kill" => Self::KILL,
            "keep" => Self::KEEP,
            _ => return None,
        })
    }
}

static POLICY: Mutex<ThirdVersion> = Mutex::new(ThirdVersion::WAIT);

/// Sets what later swaps do while a version before the current one is still in use.
///
/// Unless this is called, they wait, and under `cargo hotswap run` they go on
/// ([`KEEP`](ThirdVersion::KEEP)), or do what `--third-version` says. Where the program goes back to
/// older code, nothing is waited for.
///
/// # Examples
///
/// ```
/// hotswap::set_third_version(hotswap::ThirdVersion::Refuse);
/// # hotswap::set_third_version(hotswap::ThirdVersion::WAIT);
/// ```
pub fn set_third_version(policy: ThirdVersion) {
    *lock(&POLICY) = policy;
}

/// What is set.
pub(crate) fn policy() -> ThirdVersion {
    *lock(&POLICY)
}

/// What is to be done about versions that are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The swap goes on.
    Go,
    /// It does, and somebody should know.
    Warn,
    /// One looks again.
    Wait,
    /// It does not.
    Refuse,
}

/// From this many on there is a warning, whenever they have doubled.
const MANY: usize = 8;

impl ThirdVersion {
    /// What to do when so many versions before the current one are in use, and this much time has passed.
    pub(crate) fn judge(self, in_use: usize, waited: Duration) -> Verdict {
        match self {
            _ if in_use == 0 => Verdict::Go,
            Self::Refuse => Verdict::Refuse,
            Self::Wait { at_most } | Self::Kill { at_most } if waited < at_most => Verdict::Wait,
            Self::Wait { .. } | Self::Kill { .. } => Verdict::Refuse,
            Self::Keep { at_most } if in_use >= at_most => Verdict::Refuse,
            Self::Keep { .. } if in_use >= MANY && in_use.is_power_of_two() => Verdict::Warn,
            Self::Keep { .. } => Verdict::Go,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let (soon, late) = (Duration::ZERO, Duration::from_secs(10));
        for (policy, in_use, waited, expected) in [
            (ThirdVersion::WAIT, 0, soon, Verdict::Go),
            (ThirdVersion::WAIT, 1, soon, Verdict::Wait),
            (ThirdVersion::WAIT, 1, late, Verdict::Refuse),
            (ThirdVersion::WAIT, 0, late, Verdict::Go),
            (ThirdVersion::Refuse, 0, soon, Verdict::Go),
            (ThirdVersion::Refuse, 1, soon, Verdict::Refuse),
            (ThirdVersion::KILL, 1, soon, Verdict::Wait),
            (ThirdVersion::KILL, 1, late, Verdict::Refuse),
            (ThirdVersion::KEEP, 7, soon, Verdict::Go),
            (ThirdVersion::KEEP, 8, soon, Verdict::Warn),
            (ThirdVersion::KEEP, 9, soon, Verdict::Go),
            (ThirdVersion::KEEP, 16, soon, Verdict::Warn),
            (ThirdVersion::KEEP, 63, soon, Verdict::Go),
            (ThirdVersion::KEEP, 64, soon, Verdict::Refuse),
        ] {
            assert_eq!(
                policy.judge(in_use, waited),
                expected,
                "{policy:?}, {in_use}"
            );
        }
    }

    #[test]
    fn words() {
        for (word, expected) in [
            ("wait", Some(ThirdVersion::WAIT)),
            ("refuse", Some(ThirdVersion::Refuse)),
            ("kill", Some(ThirdVersion::KILL)),
            ("keep", Some(ThirdVersion::KEEP)),
            ("dance", None),
        ] {
            assert_eq!(ThirdVersion::of(word), expected);
        }
    }
}
