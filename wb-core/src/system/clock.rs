//! Time: now, and waiting. Durations in code are [`Duration`]s; stored times are whole seconds since 1970, UTC.
#![expect(clippy::disallowed_methods, reason = "this is the seam that the rest must use")]

use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that can also wait.
pub trait Clock: Send + Sync {
    /// Time since 1970, UTC.
    fn now(&self) -> Duration;
    /// Time since some moment. It never jumps, and counts for nobody else.
    fn passed(&self) -> Duration;
    /// Lets `duration` pass.
    fn sleep(&self, duration: Duration);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct Real;

impl Clock for Real {
    fn now(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn passed(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// A clock for tests: it moves only when somebody sleeps.
#[derive(Debug)]
pub struct Stepping(Mutex<Duration>);

impl Default for Stepping {
    /// Starts in September 2001, at second 1,000,000,000.
    fn default() -> Self {
        Self(Mutex::new(Duration::from_secs(1_000_000_000)))
    }
}

impl Clock for Stepping {
    fn now(&self) -> Duration {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn passed(&self) -> Duration {
        self.now()
    }

    fn sleep(&self, duration: Duration) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += duration;
    }
}

/// Asks `ready` again and again, at most every `pause`, until it gives a value or `bound` has passed.
///
/// ```
/// use std::time::Duration;
/// use wb_core::system::clock::{Stepping, wait_until};
/// let mut tries = 0;
/// let third = wait_until(&Stepping::default(), Duration::from_secs(9), Duration::from_secs(1), || {
///     tries += 1;
///     (tries == 3).then_some(tries)
/// });
/// assert_eq!(third, Some(3));
/// ```
pub fn wait_until<T>(
    clock: &dyn Clock,
    bound: Duration,
    pause: Duration,
    mut ready: impl FnMut() -> Option<T>,
) -> Option<T> {
    let end = clock.passed().saturating_add(bound);
    loop {
        if let Some(value) = ready() {
            return Some(value);
        }
        if clock.passed() >= end {
            return None;
        }
        clock.sleep(pause);
    }
}

/// A moment of the monotonic clock, for measuring how long something took.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
