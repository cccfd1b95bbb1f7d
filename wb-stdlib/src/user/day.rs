//! Days, as /etc/shadow counts them.

/// The day `YYYY-MM-DD`, in days since 1970-01-01, where there is such a day.
pub(super) fn parse(text: &str) -> Option<u32> {
    let is_plain =
        |(index, byte): (usize, u8)| if matches!(index, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    let is_plain = text.len() == 10 && text.bytes().enumerate().all(is_plain);
    let fields: Vec<u32> = text.split('-').map(|field| field.parse().ok()).collect::<Option<_>>()?;
    let [year, month, day] = fields[..] else { return None };
    let exists = is_plain && year >= 1970 && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    exists.then(|| before(year) + (1..month).map(|month| days_of(year, month)).sum::<u32>() + day - 1)
}

/// 9999-12-31.
const LAST: u32 = 2_932_896;

/// The day of that number as `YYYY-MM-DD`; one that lies further than anybody can say is its number.
pub(super) fn format(days: u32) -> String {
    if days > LAST {
        return format!("day {days}");
    }
    let year = (1970..).take_while(|year| before(*year) <= days).last().unwrap_or(1970);
    let (mut month, mut left) = (1, days - before(year));
    while left >= days_of(year, month) {
        left -= days_of(year, month);
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", left + 1)
}

/// The days from 1970 to the beginning of a year.
fn before(year: u32) -> u32 {
    let leaps = |year: u32| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
}

fn days_of(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are those of `date -ud DAY +%s` by 86,400.
    #[test]
    fn days_are_counted_from_1970() {
        let check = |text: &str, days: u32| {
            assert_eq!(parse(text), Some(days), "{text}");
            assert_eq!(format(days), text);
        };
        check("1970-01-01", 0);
        check("1970-01-02", 1);
        check("2000-02-29", 11_016);
        check("2000-03-01", 11_017);
        check("2026-11-29", 20_786);
        check("2027-01-31", 20_849);
        check("2028-12-31", 21_549);
        check("2100-03-01", 47_541);
        check("9999-12-31", 2_932_896);
    }

    #[test]
    fn what_is_no_day_is_none() {
        let texts = [
            "",
            "2027",
            "2027-02-29",
            "2027-13-01",
            "2027-00-01",
            "2027-01-00",
            "2027-1-1",
            "31.01.2027",
            "+027-01-01",
        ];
        for text in texts.into_iter().chain(["1969-12-31", "2027-01-31 ", "20270-1-01", "2027-01-01-01"]) {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_day_that_never_comes_is_its_number() {
        assert_eq!(format(u32::MAX), "day 4294967295");
    }
}
