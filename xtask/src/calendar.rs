//! Moments for people and for programs. A moment is in seconds since 1970, UTC.

use std::time::Duration;

pub use wb_core::calendar::moment;

/// `2001-09-09`.
#[must_use]
pub fn day(seconds: u64) -> String {
    moment(seconds).chars().take_while(|c| *c != 'T').collect()
}

/// `3m ago`: one unit is enough to tell what is new from what is not.
#[must_use]
pub fn ago(now: u64, then: u64) -> String {
    format!("{} ago", span(now.saturating_sub(then)))
}

/// `3m`: so many seconds, in one unit.
#[must_use]
pub fn span(seconds: u64) -> String {
    match seconds {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86400),
    }
}

/// `1h 30m`: a length of time in seconds, as it is written on a command line.
#[must_use]
pub fn lasting(seconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

/// `1h30m`: the same in one word, as an option takes it.
#[must_use]
pub fn word(seconds: u64) -> String {
    lasting(seconds).replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_one_of_utc() {
        let check = |seconds, expect: &str| assert_eq!(day(seconds), expect);
        check(0, "1970-01-01");
        check(1_000_000_000, "2001-09-09");
        check(1_709_251_199, "2024-02-29");
        check(u64::MAX, "9999-12-31");
    }

    #[test]
    fn a_length_of_time_can_be_read_back() {
        let check = |seconds, expect: &str| assert_eq!(lasting(seconds), expect);
        check(1800, "30m");
        check(5400, "1h 30m");
        assert_eq!(word(5400), "1h30m");
    }

    #[test]
    fn time_is_told_in_one_unit() {
        let check = |seconds: u64, expect: &str| assert_eq!(ago(1_000_000, 1_000_000 - seconds), expect);
        check(0, "0s ago");
        check(59, "59s ago");
        check(60, "1m ago");
        check(7200, "2h ago");
        check(200_000, "2d ago");
    }
}
