//! The times that the phases of a swap take.

use std::time::Instant;

use crate::events::Phases;

/// Measures one phase after the other.
pub(super) struct Clock {
    last: Instant,
    pub(super) phases: Phases,
}

impl Clock {
    pub(super) fn new(detected: Instant) -> Self {
        Self {
            last: detected,
            phases: Phases::default(),
        }
    }

    /// Milliseconds since the last lap.
    pub(super) fn lap(&mut self) -> f64 {
        let now = Instant::now();
        let elapsed = now.duration_since(self.last).as_secs_f64() * 1e3;
        self.last = now;
        elapsed
    }
}
