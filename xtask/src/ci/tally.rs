//! How many checks passed and failed.

use std::fmt;

/// A count of checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Those that held.
    pub passed: u64,
    /// Those that did not.
    pub failed: u64,
    /// Those that were not made.
    pub skipped: u64,
}

impl Tally {
    /// Adds another count to this one.
    pub fn add(&mut self, other: &Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Reads a line of cargo's tests; only the closing line of a test program counts:
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`.
    pub fn read(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        let count = |word: &str| {
            let mut parts = counts.split([';', '.']).filter_map(|part| part.trim().split_once(' '));
            parts.find_map(|(number, what)| (what == word).then(|| number.parse::<u64>().ok())?).unwrap_or(0)
        };
        self.add(&Self { passed: count("passed"), failed: count("failed"), skipped: count("ignored") });
    }

    /// Parts what a command said from the count that it closes with, which is written as here; nothing where it closes with
    /// none.
    #[must_use]
    pub fn parted(said: &str) -> Option<(&str, Self)> {
        let (rest, last) = last_line(said.trim_end());
        let (passed, failed) = last.strip_suffix(" failed")?.split_once(" passed, ")?;
        let (passed, failed) = (passed.parse().ok()?, failed.parse().ok()?);
        let (before, above) = last_line(rest);
        let (rest, skipped) = match above.strip_suffix(" skipped").and_then(|count| count.parse().ok()) {
            Some(skipped) => (before, skipped),
            None => (rest, 0),
        };
        Some((rest.trim_end(), Self { passed, failed, skipped }))
    }
}

/// What comes before the last line, and that line.
fn last_line(text: &str) -> (&str, &str) {
    text.rsplit_once('\n').unwrap_or(("", text))
}

impl fmt::Display for Tally {
    /// `12 passed, 0 failed` as the last line; where some were skipped, a line before it says how many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.skipped > 0 {
            writeln!(f, "{} skipped", self.skipped)?;
        }
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_at_the_end_is_read() {
        let check = |said: &str, expect: Option<(&str, &str)>| {
            let parted = Tally::parted(said).map(|(rest, tally)| (rest, tally.to_string()));
            assert_eq!(parted.as_ref().map(|(rest, tally)| (*rest, tally.as_str())), expect, "{said}");
        };
        check("test chain ... ok\n\n1 passed, 0 failed\n", Some(("test chain ... ok", "1 passed, 0 failed")));
        check("a\nb\n2 skipped\n4 passed, 1 failed", Some(("a\nb", "2 skipped\n4 passed, 1 failed")));
        check("1 passed, 2 failed", Some(("", "1 passed, 2 failed")));
        check("1 passed, 2 failed\nand more", None);
        check("some passed, 2 failed", None);
        check("", None);
    }

    #[test]
    fn closing_lines_are_counted() {
        let check = |lines: &[&str], expect: &str| {
            let mut tally = Tally::default();
            lines.iter().for_each(|line| tally.read(line));
            assert_eq!(tally.to_string(), expect);
        };
        let ok = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        let bad = "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 9.87s";
        check(&[], "0 passed, 0 failed");
        check(&["running 3 tests", "test a ... ok", ok], "1 skipped\n3 passed, 0 failed");
        check(&[bad, bad], "4 passed, 2 failed");
    }
}
