//! The machine's clock, off as the plan says.

use std::time::Duration;

use super::armed::offset;
use crate::system::clock::{Clock, Real};

/// The machine's clock, off as the plan of this process says.
#[derive(Debug, Clone, Copy)]
pub struct Jumping;

impl Clock for Jumping {
    fn now(&self) -> Duration {
        shifted(Real.now(), offset())
    }

    fn passed(&self) -> Duration {
        Real.passed()
    }

    fn sleep(&self, duration: Duration) {
        Real.sleep(duration);
    }
}

fn shifted(time: Duration, seconds: i64) -> Duration {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { time.saturating_sub(by) } else { time.saturating_add(by) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_be_off_both_ways_and_never_before_1970() {
        let check = |seconds, expect| {
            assert_eq!(shifted(Duration::from_secs(100), seconds), Duration::from_secs(expect));
        };
        check(0, 100);
        check(50, 150);
        check(-50, 50);
        check(-500, 0);
    }
}
