//! When to look again: pure functions of the host, the time and the number of errors in a row.

use std::time::Duration;

use uuid::Uuid;

/// The longest pause after errors.
const LONGEST: Duration = Duration::from_secs(600);

/// How long to wait for the next poll: polls of one host are `every` apart, at a phase that is fixed for that host, so
/// that a herd never asks all at once.
///
/// ```
/// use std::time::Duration;
/// use uuid::Uuid;
/// use wb_core::agent::pace::until_poll;
/// let (every, host) = (Duration::from_secs(30), Uuid::from_u128(7));
/// let wait = until_poll(host, every, Duration::from_secs(1_000));
/// assert_eq!(until_poll(host, every, Duration::from_secs(1_000) + wait), every);
/// ```
#[must_use]
pub fn until_poll(host: Uuid, every: Duration, now: Duration) -> Duration {
    let period = every.as_millis().max(1);
    let phase = host.as_u128() % period;
    let into = (now.as_millis() + period - phase) % period;
    Duration::from_millis(u64::try_from(period - into).unwrap_or(u64::MAX))
}

/// How long to wait after the `errors`-th error in a row: twice as long each time, up to ten minutes, less up to a half
/// so that hosts which failed together come back apart. `chance` is any number.
#[must_use]
pub fn after_error(every: Duration, errors: u32, chance: u64) -> Duration {
    let doubled = every.saturating_mul(2_u32.saturating_pow(errors.min(16).saturating_sub(1))).min(LONGEST);
    let millis = u64::try_from(doubled.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(millis - chance % (millis / 2 + 1))
}

/// How long a machine may take to go down.
const SHUTDOWN: Duration = Duration::from_secs(300);

/// Whether to ask the machine for a reboot, so long after it was asked last.
#[must_use]
pub fn asks_for_reboot(before: Option<Duration>) -> bool {
    before.is_none_or(|before| before >= SHUTDOWN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn errors_double_the_pause() {
        let check = |errors, seconds| {
            assert_eq!(after_error(Duration::from_secs(30), errors, 0), Duration::from_secs(seconds), "{errors}");
        };
        check(1, 30);
        check(2, 60);
        check(3, 120);
        check(6, 600);
        check(1_000, 600);
    }

    #[test]
    fn a_machine_is_asked_to_reboot_and_again_after_five_minutes() {
        let check = |before: Option<u64>, expect| assert_eq!(asks_for_reboot(before.map(Duration::from_secs)), expect);
        check(None, true);
        check(Some(0), false);
        check(Some(299), false);
        check(Some(300), true);
    }

    proptest! {
        #[test]
        fn a_poll_is_never_further_than_the_interval(host: u128, every in 1u64..600, now in 0u64..10_000_000) {
            let every = Duration::from_secs(every);
            let wait = until_poll(Uuid::from_u128(host), every, Duration::from_millis(now));
            prop_assert!(wait > Duration::ZERO && wait <= every);
        }

        #[test]
        fn a_pause_keeps_at_least_half(errors in 1u32..40, chance: u64) {
            let full = after_error(Duration::from_secs(30), errors, 0);
            let wait = after_error(Duration::from_secs(30), errors, chance);
            prop_assert!(wait <= full && wait >= full / 2);
        }
    }
}
