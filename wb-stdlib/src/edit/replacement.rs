//! All that matches, replaced.

use std::borrow::Cow;

use super::lines::end_of_lines;
use super::{Change, Unfit, pattern};

/// All that matches is to be something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replacement {
    pattern: String,
    with: String,
}

impl Replacement {
    pub(super) fn new(pattern: String, with: String) -> Self {
        Self { pattern, with }
    }

    /// What takes the place of matches, with the line ends of the text.
    fn with(&self, text: &[u8]) -> Cow<'_, str> {
        if self.with.contains('\n') && end_of_lines(text) == b"\r\n" {
            return self.with.replace("\r\n", "\n").replace('\n', "\r\n").into();
        }
        Cow::Borrowed(&self.with)
    }
}

impl Change for Replacement {
    fn change(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Unfit> {
        let regex = pattern::compile(&self.pattern, text)?;
        match regex.replace_all(text, self.with(text).as_bytes()) {
            Cow::Owned(changed) if changed != text => Ok(Some(changed)),
            _ => Ok(None),
        }
    }

    fn name(&self) -> String {
        format!("all that matches `{}`, replaced", self.pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_matches_are_replaced() {
        let check = |(pattern, with): (&str, &str), text: &[u8], expect: Option<&[u8]>| {
            let changed = Replacement::new(pattern.into(), with.into()).change(text).unwrap();
            assert_eq!(changed.as_deref(), expect);
        };
        check((r"a(\d)", "b$1"), b"a1 a2\na3", Some(b"b1 b2\nb3"));
        check(("a", "b"), b"xyz\n", None);
        check(("a", "a"), b"aaa\n", None);
        check(("^x.*\n", ""), b"xa\ny\nxb\n", Some(b"y\n"));
        check(("x$", "y"), b"ax\r\nbx\r\n", Some(b"ay\r\nby\r\n"));
        check(("b", "b1\nb2"), b"a\r\nb\r\n", Some(b"a\r\nb1\r\nb2\r\n"));
        check(("a.", "b"), b"a\xff\n", Some(b"b\n"));
        check(("a.", "b"), "a\u{e9}\n".as_bytes(), Some(b"b\n"));
    }
}
