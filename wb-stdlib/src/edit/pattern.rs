//! Regular expressions over bytes.

use regex::bytes::{Regex, RegexBuilder};

use super::Unfit;
use super::lines::{Lines, end_of_lines};

/// Compiles `pattern` for a text. `^` and `$` match at its lines. Where it is UTF-8, `.` is a character, else a byte.
pub(super) fn compile(pattern: &str, text: &[u8]) -> Result<Regex, Unfit> {
    RegexBuilder::new(pattern)
        .multi_line(true)
        .crlf(end_of_lines(text) == b"\r\n")
        .unicode(std::str::from_utf8(text).is_ok())
        .build()
        .map_err(|source| Unfit::Pattern { pattern: pattern.to_owned(), source: source.into() })
}

/// The lines that a regular expression matches anywhere.
pub(super) fn matches(regex: &Regex, lines: &Lines<'_>) -> Vec<usize> {
    let matching = lines.bodies().enumerate().filter(|(_, body)| regex.is_match(body));
    matching.map(|(at, _)| at).collect()
}
