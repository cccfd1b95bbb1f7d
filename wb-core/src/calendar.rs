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

/// The moment that [`moment`] writes so; nothing where there is none, or it is before 1970.
///
/// ```
/// use wb_core::calendar::seconds;
/// assert_eq!(seconds("2001-09-09T01:46:40Z"), Some(1_000_000_000));
/// assert_eq!(seconds("2001-02-30T01:46:40Z"), None);
/// ```
#[must_use]
pub fn seconds(moment: &str) -> Option<u64> {
    let time = humantime::parse_rfc3339(moment).ok()?;
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
}
