//! When a server that ended is started again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::server::Reason;

/// Which ends of a server are followed by a new start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Restart {
    /// None.
    #[default]
    Never,
    /// A panic, an end that the server itself called a failure, or that a handler was ended.
    OnFailure,
    /// Every one but [`Handle::stop`](crate::server::Handle::stop).
    Always,
}

/// How often a server may be started again: more restarts than that within the period end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// The number of restarts that are allowed within the period.
    pub restarts: usize,
    /// The period.
    pub within: Duration,
}

impl Default for Intensity {
    /// Three restarts within five seconds.
    fn default() -> Self {
        Self {
            restarts: 3,
            within: Duration::from_secs(5),
        }
    }
}

/// What is done about the end of one server.
#[derive(Debug)]
pub(crate) struct Policy {
    restart: Restart,
    intensity: Intensity,
    /// When it was started again, as far as that is within the period.
    times: VecDeque<Instant>,
}

/// What follows an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    StartAgain,
    End,
    /// It would be started again, had that not happened too often.
    TooOften,
}

impl Policy {
    pub(crate) fn new(restart: Restart, intensity: Intensity) -> Self {
        Self {
            restart,
            intensity,
            times: VecDeque::new(),
        }
    }

    /// Judges an end at this time, and counts the restart if that follows.
    pub(crate) fn judge(&mut self, reason: &Reason, now: Instant) -> Verdict {
        let wanted = match (self.restart, reason) {
            (_, Reason::Stopped | Reason::Abandoned) | (Restart::Never, _) => false,
            (Restart::OnFailure, Reason::Finished) => false,
            (Restart::OnFailure | Restart::Always, _) => true,
        };
        if !wanted {
            return Verdict::End;
        }
        let within = self.intensity.within;
        self.times
            .retain(|time| now.saturating_duration_since(*time) < within);
        if self.times.len() >= self.intensity.restarts {
            return Verdict::TooOften;
        }
        self.times.push_back(now);
        Verdict::StartAgain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panicked() -> Reason {
        Reason::Panicked("by test".to_owned())
    }

    #[test]
    fn reasons_and_policies() {
        use Restart::{Always, Never, OnFailure};
        let failed = || Reason::Failed("x".to_owned());
        for (restart, reason, expected) in [
            (Never, panicked(), Verdict::End),
            (OnFailure, panicked(), Verdict::StartAgain),
            (OnFailure, failed(), Verdict::StartAgain),
            (OnFailure, Reason::Killed, Verdict::StartAgain),
            (Never, Reason::Killed, Verdict::End),
            (OnFailure, Reason::Finished, Verdict::End),
            (OnFailure, Reason::Stopped, Verdict::End),
            (Always, Reason::Finished, Verdict::StartAgain),
            (Always, Reason::Stopped, Verdict::End),
            (Always, Reason::Abandoned, Verdict::End),
        ] {
            let mut policy = Policy::new(restart, Intensity::default());
            let verdict = policy.judge(&reason, Instant::now());
            assert_eq!(verdict, expected, "{restart:?} {reason:?}");
        }
    }

    #[test]
    fn restarts_count_only_within_the_period() {
        let within = Duration::from_secs(5);
        let intensity = Intensity {
            restarts: 2,
            within,
        };
        let mut policy = Policy::new(Restart::OnFailure, intensity);
        let start = Instant::now();
        let verdicts: Vec<Verdict> = [0, 1, 2, 5, 6, 7]
            .into_iter()
            .map(|second| policy.judge(&panicked(), start + Duration::from_secs(second)))
            .collect();
        use Verdict::{StartAgain, TooOften};
        assert_eq!(
            verdicts,
            [
                StartAgain, StartAgain, TooOften, StartAgain, StartAgain, TooOften
            ]
        );
    }
}
