//! The end of the time that a piece of work has as a whole.

use std::time::Duration;

/// When the time is over, by [`Clock::passed`](super::Clock::passed).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deadline {
    end: Duration,
    limit: Duration,
}

/// The time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it did not end within the {} s that it may take as a whole", limit.as_secs())]
pub struct OutOfTime {
    /// How long it was.
    pub limit: Duration,
}

impl Deadline {
    pub(super) fn new(now: Duration, limit: Duration) -> Self {
        Self { end: now.saturating_add(limit), limit }
    }

    /// What is left of the time.
    pub(super) fn left(self, now: Duration) -> Result<Duration, OutOfTime> {
        let left = self.end.saturating_sub(now);
        if left.is_zero() { Err(self.out_of_time()) } else { Ok(left) }
    }

    pub(super) fn out_of_time(self) -> OutOfTime {
        OutOfTime { limit: self.limit }
    }
}
