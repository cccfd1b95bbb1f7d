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
    ready: impl FnMut() -> Option<T>,
) -> Option<T> {
    wait_with(clock, bound, std::iter::repeat(pause), ready)
}

/// As [`wait_until`], for what is mostly so at once: the first pause is a hundredth of `pause`, and each is twice as long as
/// the one before, up to `pause`.
///
/// ```
/// use std::time::Duration;
/// use wb_core::system::clock::{Clock as _, Stepping, soon_or_until};
/// let (clock, mut tries) = (Stepping::default(), 0);
/// let start = clock.now();
/// let third = soon_or_until(&clock, Duration::from_secs(9), Duration::from_secs(1), || {
///     tries += 1;
///     (tries == 3).then_some(tries)
/// });
/// assert_eq!((third, clock.now() - start), (Some(3), Duration::from_millis(30)));
/// ```
pub fn soon_or_until<T>(
    clock: &dyn Clock,
    bound: Duration,
    pause: Duration,
    ready: impl FnMut() -> Option<T>,
) -> Option<T> {
    let growing = std::iter::successors(Some(pause / 100), |last| Some((*last * 2).min(pause)));
    wait_with(clock, bound, growing, ready)
}

fn wait_with<T>(
    clock: &dyn Clock,
    bound: Duration,
    pauses: impl Iterator<Item = Duration>,
    mut ready: impl FnMut() -> Option<T>,
) -> Option<T> {
    let end = clock.passed().saturating_add(bound);
    for pause in pauses {
        if let Some(value) = ready() {
            return Some(value);
        }
        if clock.passed() >= end {
            break;
        }
        clock.sleep(pause);
    }
    None
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
