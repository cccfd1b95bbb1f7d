//! Maintenance windows: when the hosts of a role may leave load. All times are UTC, so that no night has an hour twice.
//!
//! A window is open from its first minute up to its last, on its days; one that ends before it begins ends on the next
//! day. It says when a leg may begin: one that has begun is ended.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A time that comes again every week: `Sat,Sun 22:00-04:00`, `Mon-Fri 01:30-05:00`, `daily 02:00-03:00`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Window {
    /// The days on which it opens; the first bit is Monday.
    days: u8,
    /// When, in minutes of the day.
    from: u32,
    /// When it closes, in minutes of that day or, where that is not later, of the next one.
    to: u32,
    /// What a newer runner wrote, where this one can't read it: such a window opens on no day.
    foreign: Option<Box<str>>,
}

/// What is no window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no window: write days and times in UTC, as `Sat,Sun 22:00-04:00`, `Mon-Fri 01:30-05:00` or `daily 02:00-03:00`"
)]
pub struct NoWindow(String);

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const EVERY_DAY: u8 = 0x7f;
const MINUTES_OF_A_DAY: u64 = 24 * 60;
const MINUTES_OF_A_WEEK: u64 = 7 * MINUTES_OF_A_DAY;

impl Window {
    /// Whether it is open at `time`, in seconds since 1970, UTC.
    ///
    /// ```
    /// use wb_core::window::Window;
    /// let night: Window = "Sat 22:00-04:00".parse().unwrap();
    /// let sunday_at_three = 1_700_967_600; // 2023-11-26 03:00
    /// assert!(night.is_open(sunday_at_three) && !night.is_open(sunday_at_three + 3600));
    /// ```
    #[must_use]
    pub fn is_open(&self, time: u64) -> bool {
        let now = minute_of_week(time);
        self.openings().any(|opens| (now + MINUTES_OF_A_WEEK - opens) % MINUTES_OF_A_WEEK < self.length())
    }

    /// When it opens next after `time`, both in seconds since 1970, UTC.
    #[must_use]
    pub fn opens_after(&self, time: u64) -> u64 {
        self.openings_after(time).min().unwrap_or(u64::MAX)
    }

    /// Each of the times in the week after `time` at which it opens.
    fn openings_after(&self, time: u64) -> impl Iterator<Item = u64> {
        let (minute, now) = (time / 60, minute_of_week(time));
        let until = move |opens: u64| match (opens + MINUTES_OF_A_WEEK - now) % MINUTES_OF_A_WEEK {
            0 => MINUTES_OF_A_WEEK,
            minutes => minutes,
        };
        self.openings().map(move |opens| minute.saturating_add(until(opens)).saturating_mul(60))
    }

    /// The minutes of the week at which it opens.
    fn openings(&self) -> impl Iterator<Item = u64> {
        let days = (0..7u64).filter(move |day| self.days & (1 << day) != 0);
        days.map(move |day| day * MINUTES_OF_A_DAY + u64::from(self.from))
    }

    /// In minutes.
    fn length(&self) -> u64 {
        let (from, to) = (u64::from(self.from), u64::from(self.to));
        if to > from { to - from } else { to + MINUTES_OF_A_DAY - from }
    }
}

/// When a window of each of these roles is open, at `time` or at the next time after it, both in seconds since 1970, UTC;
/// nothing where that never is. A role without windows is always open.
///
/// ```
/// use wb_core::window::{Window, open_at_once};
/// let windows = |text: &str| [text.parse::<Window>().unwrap()];
/// let (web, cache, mail) = (windows("Sat 22:00-04:00"), windows("Sun 03:00-05:00"), windows("Mon 03:00-05:00"));
/// let friday_at_noon = 1_700_827_200; // 2023-11-24
/// let sunday_at_three = 1_700_967_600;
/// assert_eq!(open_at_once([&web[..], &cache[..], &[]], friday_at_noon), Some(sunday_at_three));
/// assert_eq!(open_at_once([&web[..], &mail[..]], friday_at_noon), None);
/// ```
#[must_use]
pub fn open_at_once<'a>(roles: impl IntoIterator<Item = &'a [Window]>, time: u64) -> Option<u64> {
    let roles: Vec<&[Window]> = roles.into_iter().filter(|windows| !windows.is_empty()).collect();
    let are_open = |time: &u64| roles.iter().all(|windows| windows.iter().any(|window| window.is_open(*time)));
    let openings = roles.iter().flat_map(|windows| windows.iter().flat_map(|window| window.openings_after(time)));
    let mut times: Vec<u64> = std::iter::once(time).chain(openings).collect();
    times.sort_unstable();
    times.into_iter().find(are_open)
}

/// The first day of 1970 was a Thursday.
fn minute_of_week(time: u64) -> u64 {
    (time / 60 + 3 * MINUTES_OF_A_DAY) % MINUTES_OF_A_WEEK
}

impl FromStr for Window {
    type Err = NoWindow;

    fn from_str(text: &str) -> Result<Self, NoWindow> {
        let read = || {
            let (days, times) = text.split_once(' ')?;
            let (from, to) = times.trim().split_once('-')?;
            let (from, to) = (minute(from)?, minute(to)?);
            // Midnight ends a day; nothing begins then.
            let from = (u64::from(from) < MINUTES_OF_A_DAY).then_some(from)?;
            Some(Self { days: read_days(days)?, from, to, foreign: None })
        };
        read().ok_or_else(|| NoWindow(text.to_owned()))
    }
}

fn read_days(text: &str) -> Option<u8> {
    if text == "daily" {
        return Some(EVERY_DAY);
    }
    let place = |name: &str| DAYS.iter().position(|day| *day == name);
    text.split(',').try_fold(0, |days, part| {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (place(first)?, place(last)?),
            None => (place(part)?, place(part)?),
        };
        let length = (last + 7 - first) % 7;
        Some((0..=length).fold(days, |days, offset| days | 1 << ((first + offset) % 7)))
    })
}

fn minute(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let is_number = |digits: &str| digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let number = |digits: &str| is_number(digits).then(|| digits.parse::<u32>().ok()).flatten();
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && u64::from(minute) <= MINUTES_OF_A_DAY).then_some(minute)
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(foreign) = &self.foreign {
            return write!(f, "`{}`, which only a newer runner knows", foreign.escape_debug());
        }
        let named = DAYS.iter().enumerate().filter(|(day, _)| self.days & (1 << day) != 0).map(|(_, name)| *name);
        let days = if self.days == EVERY_DAY { "daily".to_owned() } else { named.collect::<Vec<_>>().join(",") };
        let time = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
        write!(f, "{days} {}-{}", time(self.from), time(self.to))
    }
}

impl From<String> for Window {
    /// What stands in a manifest is read in any case, or no newer runner could ever be taken over.
    fn from(text: String) -> Self {
        text.parse().unwrap_or_else(|NoWindow(text)| Self { days: 0, from: 0, to: 0, foreign: Some(text.into()) })
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        match window.foreign {
            Some(foreign) => foreign.into(),
            None => window.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-11-20, a Monday, at midnight.
    const MONDAY: u64 = 1_700_438_400;

    fn at(day: u64, hour: u64, minute: u64) -> u64 {
        MONDAY + day * 86_400 + hour * 3_600 + minute * 60
    }

    #[test]
    fn a_window_is_open_on_its_days_and_over_midnight() {
        let check = |window: &str, time, expect| {
            assert_eq!(window.parse::<Window>().unwrap().is_open(time), expect, "{window} {time}");
        };
        check("daily 02:00-03:00", at(2, 2, 0), true);
        check("daily 02:00-03:00", at(2, 2, 59), true);
        check("daily 02:00-03:00", at(2, 3, 0), false);
        check("Sat 22:00-04:00", at(5, 22, 0), true);
        check("Sat 22:00-04:00", at(6, 3, 59), true);
        check("Sat 22:00-04:00", at(6, 22, 0), false);
        check("Sun 22:00-04:00", at(7, 3, 0), true);
        check("Sun 22:00-04:00", at(0, 3, 0), true);
        check("Mon-Fri 00:00-24:00", at(4, 23, 59), true);
        check("Mon-Fri 00:00-24:00", at(5, 0, 0), false);
        check("daily 00:00-00:00", at(3, 12, 0), true);
    }

    #[test]
    fn when_a_window_opens_next_is_known() {
        let check = |window: &str, time, expect| {
            assert_eq!(window.parse::<Window>().unwrap().opens_after(time), expect, "{window} {time}");
        };
        check("daily 02:00-03:00", at(2, 1, 0) + 30, at(2, 2, 0));
        check("daily 02:00-03:00", at(2, 2, 0), at(3, 2, 0));
        check("Sat,Sun 22:00-04:00", at(0, 9, 0), at(5, 22, 0));
        check("Mon 02:00-03:00", at(0, 2, 30), at(7, 2, 0));
        check("Mon 02:00-03:00", u64::MAX, u64::MAX);
    }

    #[test]
    fn what_is_said_is_read_back_and_nothing_else_is() {
        let check = |text: &str, expect: &str| assert_eq!(text.parse::<Window>().unwrap().to_string(), expect);
        check("Sat,Sun 22:00-04:00", "Sat,Sun 22:00-04:00");
        check("Mon-Wed 01:30-05:00", "Mon,Tue,Wed 01:30-05:00");
        check("Sat-Mon 01:30-05:00", "Mon,Sat,Sun 01:30-05:00");
        check("daily 02:00-03:00", "daily 02:00-03:00");
        for text in [
            "",
            "Sat",
            "Sat 22-04",
            "Sam 22:00-04:00",
            "Sat 25:00-26:00",
            "Sat 22:60-23:00",
            "Sat 24:00-02:00",
            "Sat +1:00-02:00",
        ] {
            assert!(text.parse::<Window>().is_err(), "{text}");
        }
    }
}
