//! Moments for people. A moment is in seconds since 1970, UTC.

use std::time::{Duration, UNIX_EPOCH};

/// `2001-09-09T01:46:40Z`. What somebody claims may be any number; years have four digits, and what comes later is said to
/// be at the end of the last of them.
///
/// ```
/// use wb_core::calendar::moment;
/// assert_eq!(moment(1_000_000_000), "2001-09-09T01:46:40Z");
/// assert_eq!(moment(u64::MAX), "9999-12-31T23:59:59Z");
/// ```
#[must_use]
pub fn moment(seconds: u64) -> String {
    const LAST: u64 = 253_402_300_799;
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST))).to_string()
}
