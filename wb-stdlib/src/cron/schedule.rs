//! When cron runs something: the grammar that all of its kinds agree on.

use std::fmt;

/// When an entry runs, in the time zone of the host: five fields as in crontab(5), `30 2 * * mon-fri`, or a word like
/// `@daily`. It is checked when the entry is made present.
///
/// ```
/// use wb_stdlib::cron::{Schedule, Weekday};
///
/// assert_eq!(Schedule::daily_at(2, 30), "30 2 * * *".into());
/// assert_eq!(Schedule::weekly_at(Weekday::Sunday, 4, 0), "0 4 * * sun".into());
/// assert_eq!(Schedule::monthly_at(1, 4, 0), "0 4 1 * *".into());
/// assert_eq!(Schedule::hourly_at(5), "5 * * * *".into());
/// assert_eq!(Schedule::every_minutes(15), "*/15 * * * *".into());
/// assert_eq!(Schedule::at_reboot(), "@reboot".into());
/// let error = Schedule::from("30 25 * * *").check().unwrap_err();
/// assert_eq!(error.to_string(), "cron does not know this hour: 25 is not between 0 and 23\n  30 25 * * *\n     ^^");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(String);

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are what they are called")]
pub enum Weekday {
    Sunday,
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
}

/// Where a schedule is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cron does not know this {field}: {why}\n  {text}\n  {}{}", " ".repeat(*column), "^".repeat(*length))]
pub struct ScheduleError {
    text: String,
    field: &'static str,
    column: usize,
    length: usize,
    why: String,
}

impl Schedule {
    /// Each hour, at this minute, from 0 to 59.
    #[must_use]
    pub fn hourly_at(minute: u8) -> Self {
        Self(format!("{minute} * * * *"))
    }

    /// Each day, at this hour, from 0 to 23, and minute, from 0 to 59.
    #[must_use]
    pub fn daily_at(hour: u8, minute: u8) -> Self {
        Self(format!("{minute} {hour} * * *"))
    }

    /// Each week, on this day, at this hour, from 0 to 23, and minute, from 0 to 59.
    #[must_use]
    pub fn weekly_at(day: Weekday, hour: u8, minute: u8) -> Self {
        Self(format!("{minute} {hour} * * {}", WEEKDAYS[day as usize]))
    }

    /// Each month, on this day, from 1 to 31, at this hour, from 0 to 23, and minute, from 0 to 59. Not at all in
    /// months that have no such day.
    #[must_use]
    pub fn monthly_at(day: u8, hour: u8, minute: u8) -> Self {
        Self(format!("{minute} {hour} {day} * *"))
    }

    /// Each time so many minutes have passed, from 1 to 59, counted anew from each full hour.
    #[must_use]
    pub fn every_minutes(minutes: u8) -> Self {
        Self(format!("*/{minutes} * * * *"))
    }

    /// When cron starts with the host.
    #[must_use]
    pub fn at_reboot() -> Self {
        Self("@reboot".into())
    }

    /// Checks it against cron's grammar.
    ///
    /// # Errors
    /// When a field is none: with its place, and what it may be.
    pub fn check(&self) -> Result<(), ScheduleError> {
        if self.0.trim().starts_with('@') { self.check_word() } else { self.check_fields() }
    }

    fn check_word(&self) -> Result<(), ScheduleError> {
        let word = self.0.trim();
        if WORDS.contains(&word) {
            return Ok(());
        }
        Err(self.error("word", (0, word), &format!("there are {}", WORDS.join(", "))))
    }

    fn check_fields(&self) -> Result<(), ScheduleError> {
        let words = words(&self.0);
        if words.len() != FIELDS.len() {
            let why =
                format!("five fields are wanted (minute, hour, day, month, weekday), and here are {}", words.len());
            return Err(self.error("schedule", (0, &self.0), &why));
        }
        for ((column, word), field) in words.into_iter().zip(&FIELDS) {
            field.check(word).map_err(|why| self.error(field.name, (column, word), &why))?;
        }
        Ok(())
    }

    fn error(&self, field: &'static str, (column, word): (usize, &str), why: &str) -> ScheduleError {
        let (text, why) = (self.0.replace(char::is_control, "?"), why.replace(char::is_control, "?"));
        ScheduleError { text, field, column, length: word.chars().count().max(1), why }
    }
}

impl From<&str> for Schedule {
    fn from(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl From<String> for Schedule {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const WORDS: [&str; 8] = ["@reboot", "@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

struct Field {
    name: &'static str,
    first: u32,
    last: u32,
    /// Names of its numbers, from the first on.
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", first: 0, last: 59, names: &[] },
    Field { name: "hour", first: 0, last: 23, names: &[] },
    Field { name: "day", first: 1, last: 31, names: &[] },
    Field { name: "month", first: 1, last: 12, names: &MONTHS },
    Field { name: "weekday", first: 0, last: 7, names: &WEEKDAYS },
];

impl Field {
    fn check(&self, word: &str) -> Result<(), String> {
        word.split(',').try_for_each(|element| self.check_element(element))
    }

    /// `*`, `5`, `1-5`, `*/10` or `0-30/10`.
    fn check_element(&self, element: &str) -> Result<(), String> {
        let (range, step) = element.split_once('/').map_or((element, None), |(range, step)| (range, Some(step)));
        let is_range = self.check_range(range)?;
        match step {
            None => Ok(()),
            Some(_) if !is_range => {
                Err(format!("not every cron takes a step after one number; `{range}-{}/…` is clear", self.last))
            }
            Some(step) => match number(step) {
                Some(step) if (1..=self.last).contains(&step) => Ok(()),
                _ => Err(format!("a step is a number from 1 to {}, and not `{step}`", self.last)),
            },
        }
    }

    /// Whether it is more than one number.
    fn check_range(&self, range: &str) -> Result<bool, String> {
        if range == "*" {
            return Ok(true);
        }
        let Some((low, high)) = range.split_once('-') else { return self.value(range).map(|_| false) };
        let (first, last) = (self.value(low)?, self.value(high)?);
        if first <= last { Ok(true) } else { Err(format!("{low} comes after {high}")) }
    }

    fn value(&self, word: &str) -> Result<u32, String> {
        let named = self.names.iter().zip(self.first..).find(|(name, _)| name.eq_ignore_ascii_case(word));
        match number(word).or(named.map(|(_, number)| number)) {
            Some(number) if (self.first..=self.last).contains(&number) => Ok(number),
            Some(number) => Err(format!("{number} is not between {} and {}", self.first, self.last)),
            None if self.names.is_empty() => Err(format!("`{word}` is no number")),
            None => Err(format!("`{word}` is neither a number nor one of {}", self.names.join(", "))),
        }
    }
}

fn number(word: &str) -> Option<u32> {
    if word.bytes().all(|byte| byte.is_ascii_digit()) { word.parse().ok() } else { None }
}

/// The words of a line, and where each begins, in characters.
fn words(line: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let mut start = 0;
    for word in line.split([' ', '\t']) {
        if !word.is_empty() {
            words.push((start, word));
        }
        start += word.chars().count() + 1;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cron_knows_is_taken() {
        let check = |text: &str| assert_eq!(Schedule::from(text).check(), Ok(()), "{text}");
        check("* * * * *");
        check("*/5 0-23/2 1,15 jan-mar,DEC mon-fri");
        check("0\t4 * * 7");
        check("59 23 31 12 0-7");
        check("@daily");
        check("@reboot");
    }

    #[test]
    fn what_cron_does_not_know_is_shown() {
        let check = |text: &str, place: &str, expect: &str| {
            let error = Schedule::from(text).check().unwrap_err().to_string();
            let (column, length) = (text.find(place).unwrap(), place.len());
            let shown = format!("{text}\n  {}{}", " ".repeat(column), "^".repeat(length));
            assert_eq!(error, format!("cron does not know this {expect}\n  {shown}"));
        };
        let weekdays = "neither a number nor one of sun, mon, tue, wed, thu, fri, sat";
        check("60 * * * *", "60", "minute: 60 is not between 0 and 59");
        check("1 1 0 * *", "0", "day: 0 is not between 1 and 31");
        check("0 5-3 * * *", "5-3", "hour: 5 comes after 3");
        check("*/0 * * * *", "*/0", "minute: a step is a number from 1 to 59, and not `0`");
        check("0,,5 * * * *", "0,,5", "minute: `` is no number");
        check("-5 * * * *", "-5", "minute: `` is no number");
        check("+5 * * * *", "+5", "minute: `+5` is no number");
        check("99999999999 * * * *", "99999999999", "minute: `99999999999` is no number");
        let step = "minute: not every cron takes a step after one number; `5-59/…` is clear";
        check("5/10 * * * *", "5/10", step);
        check("0 0 * * someday", "someday", &format!("weekday: `someday` is {weekdays}"));
        check("0 0 * * L", "L", &format!("weekday: `L` is {weekdays}"));
        let fields = "schedule: five fields are wanted (minute, hour, day, month, weekday), and here are 4";
        check("0 0 * *", "0 0 * *", fields);
        check("@never", "@never", &format!("word: there are {}", WORDS.join(", ")));
    }

    #[test]
    fn a_line_break_is_not_shown_as_one() {
        let error = Schedule::from("0 0 * * *\n*").check().unwrap_err().to_string();
        assert!(error.starts_with("cron does not know this weekday: `*?*` is neither"), "{error}");
        assert!(error.ends_with("\n  0 0 * * *?*\n          ^^^"), "{error}");
    }

    #[test]
    fn what_is_made_of_numbers_is_checked_too() {
        assert!(Schedule::weekly_at(Weekday::Saturday, 23, 59).check().is_ok());
        assert!(Schedule::hourly_at(60).check().is_err());
        assert!(Schedule::every_minutes(0).check().is_err());
        assert!(Schedule::monthly_at(32, 0, 0).check().is_err());
    }
}
