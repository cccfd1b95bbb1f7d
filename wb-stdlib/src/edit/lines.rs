//! A text as lines that keep their own ends.

use std::borrow::Cow;
use std::ops::Range;

/// Lines, each with the end that it has.
pub(super) struct Lines<'t> {
    lines: Vec<Cow<'t, [u8]>>,
    end: &'static [u8],
    changed: bool,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t [u8]) -> Self {
        let lines = text.split_inclusive(|byte| *byte == b'\n').map(Cow::Borrowed).collect();
        Self { lines, end: end_of_lines(text), changed: false }
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Line `at` without its end.
    pub(super) fn body(&self, at: usize) -> &[u8] {
        body(&self.lines[at])
    }

    /// All lines without their ends.
    pub(super) fn bodies(&self) -> impl DoubleEndedIterator<Item = &[u8]> + ExactSizeIterator {
        self.lines.iter().map(|line| body(line))
    }

    /// Puts a line before line `at`.
    pub(super) fn insert(&mut self, at: usize, text: &[u8]) {
        if at == self.lines.len() {
            self.end_last();
        }
        self.lines.insert(at, [text, self.end].concat().into());
        self.changed = true;
    }

    /// Gives line `at` another text, and leaves it its end.
    pub(super) fn set(&mut self, at: usize, text: &[u8]) {
        if self.body(at) != text {
            let end = self.lines[at][self.body(at).len()..].to_vec();
            self.lines[at] = [text, &end].concat().into();
            self.changed = true;
        }
    }

    /// Removes lines.
    pub(super) fn remove(&mut self, range: Range<usize>) {
        self.changed |= !range.is_empty();
        self.lines.drain(range);
    }

    /// The text, if it was changed.
    pub(super) fn changed(self) -> Option<Vec<u8>> {
        self.changed.then(|| self.lines.concat())
    }

    fn end_last(&mut self) {
        if let Some(last) = self.lines.last_mut().filter(|line| !line.ends_with(b"\n")) {
            last.to_mut().extend_from_slice(self.end);
        }
    }
}

/// How lines of this text end: as its first one does.
pub(super) fn end_of_lines(text: &[u8]) -> &'static [u8] {
    let first = text.iter().position(|byte| *byte == b'\n');
    if first.is_some_and(|at| text[..at].ends_with(b"\r")) { b"\r\n" } else { b"\n" }
}

/// A line without its end.
pub(super) fn body(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether a text would be more than one line.
pub(super) fn has_end(text: &str) -> bool {
    text.contains(['\n', '\r', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, act: impl FnOnce(&mut Lines<'_>), expect: Option<&str>) {
        let mut lines = Lines::of(text.as_bytes());
        act(&mut lines);
        assert_eq!(lines.changed().as_deref(), expect.map(str::as_bytes));
    }

    #[test]
    fn lines_keep_their_own_ends() {
        check("a\r\nb", |lines| lines.set(1, b"c"), Some("a\r\nc"));
        check("a\nb\r\n", |lines| lines.set(1, b"c"), Some("a\nc\r\n"));
        check("a\nb\n", |lines| lines.set(1, b"b"), None);
        check("a\nb", |lines| lines.remove(0..1), Some("b"));
        check("", |lines| lines.remove(0..0), None);
    }

    #[test]
    fn new_lines_end_as_the_first_one() {
        check("", |lines| lines.insert(0, b"a"), Some("a\n"));
        check("a", |lines| lines.insert(1, b"b"), Some("a\nb\n"));
        check("a\r\nb", |lines| lines.insert(2, b"c"), Some("a\r\nb\r\nc\r\n"));
        check("a\r\nb", |lines| lines.insert(0, b"c"), Some("c\r\na\r\nb"));
    }

    #[test]
    fn bodies_are_lines_without_ends() {
        let lines = Lines::of(b"a\r\n\n\rb\xff");
        assert_eq!(lines.bodies().collect::<Vec<_>>(), [&b"a"[..], b"", b"\rb\xff"]);
    }
}
