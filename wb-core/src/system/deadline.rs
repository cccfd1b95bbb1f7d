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

#[cfg(test)]
mod tests {
    use super::super::{Command, CommandError, Script, System};
    use super::*;

    #[test]
    fn what_is_left_becomes_less() {
        let deadline = Deadline::new(Duration::from_secs(5), Duration::from_secs(10));
        let check = |now, left: Option<u64>| {
            assert_eq!(deadline.left(Duration::from_secs(now)).ok(), left.map(Duration::from_secs), "{now}");
        };
        check(5, Some(10));
        check(14, Some(1));
        check(15, None);
        check(99, None);
    }

    #[test]
    fn a_command_is_not_started_after_the_end() {
        let script = Script::new().answer("true", 0, "");
        let system = System::fake("/nowhere", script.clone()).within(Some(Duration::from_secs(10)));
        system.run(&Command::new("true")).unwrap();
        system.clock().sleep(Duration::from_secs(10));
        let error = system.run(&Command::new("true")).unwrap_err();
        assert!(matches!(error, CommandError::OutOfTime { .. }), "{error}");
        assert_eq!(script.calls(), ["true"]);
    }

    #[test]
    fn a_command_gets_what_is_left_or_its_own_time_where_that_is_less() {
        let system = System::real().within(Some(Duration::from_millis(200)));
        let sleep = Command::new("sleep").arg("60");
        let error = system.run(&sleep.clone().timeout(Duration::from_millis(20))).unwrap_err();
        assert!(matches!(error, CommandError::TimedOut { .. }), "{error}");
        let error = system.run(&sleep).unwrap_err();
        assert!(matches!(error, CommandError::OutOfTime { .. }), "{error}");
    }
}
