//! Directives: `Key value` lines, as sshd reads them.

use std::ops::Range;

use super::lines::{self, Lines};
use super::{Change, Edit, Unfit};

/// Directives that are to be there: the edit of [`Edit::directive`], [`Edit::directives`] and
/// [`Edit::without_directive`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    key: String,
    values: Vec<String>,
    block: Option<String>,
}

/// A line with a directive.
struct Found<'l> {
    key: &'l [u8],
    /// All before the value.
    head: &'l [u8],
    value: &'l [u8],
}

impl Directive {
    pub(super) fn new(key: String, values: Vec<String>) -> Self {
        Self { key, values, block: None }
    }

    fn check(&self) -> Result<(), Unfit> {
        let key = self.key.as_bytes();
        let why = match () {
            () if key.is_empty() || key.starts_with(b"#") => "it is empty, or begins with `#`",
            () if key.iter().any(|byte| byte.is_ascii_whitespace() || *byte == b'=') => "it has a blank or `=` in it",
            () if begins_block(key) => "it begins a block: say `.under(…)` of what is in it",
            () => return self.check_values(),
        };
        Err(Unfit::BadText { what: "the key of the directive", why })
    }

    fn check_values(&self) -> Result<(), Unfit> {
        let is_plain = |text: &String| !text.is_empty() && !lines::has_end(text) && text.trim_ascii() == text;
        if self.values.iter().all(is_plain) && self.block.iter().all(is_plain) {
            return Ok(());
        }
        let why = "it is empty, or has a line end or blanks at an end in it";
        Err(Unfit::BadText { what: "the value of the directive", why })
    }

    /// The lines among which they are: those before all blocks, or of one block.
    fn range(&self, lines: &Lines<'_>) -> Option<Range<usize>> {
        let end_of = |start: usize| {
            let begins = |at: &usize| parsed(lines.body(*at)).is_some_and(|found| begins_block(found.key));
            start..(start..lines.len()).find(begins).unwrap_or(lines.len())
        };
        let Some(block) = &self.block else { return Some(end_of(0)) };
        let is_it = |body: &[u8]| words(body) == words(block.as_bytes());
        lines.bodies().position(is_it).map(|at| end_of(at + 1))
    }

    fn is_mine(&self, key: &[u8]) -> bool {
        key.eq_ignore_ascii_case(self.key.as_bytes())
    }

    fn found(&self, lines: &Lines<'_>, range: Range<usize>) -> Vec<usize> {
        let is_it = |at: &usize| parsed(lines.body(*at)).is_some_and(|found| self.is_mine(found.key));
        range.filter(is_it).collect()
    }

    /// Behind those of this key; behind its commented default; at the end of the file, or behind the last directive.
    fn place(&self, lines: &Lines<'_>, range: Range<usize>) -> usize {
        if let Some(last) = self.found(lines, range.clone()).last() {
            return last + 1;
        }
        if let Some(default) = range.clone().find(|at| self.is_default(lines.body(*at))) {
            return default + 1;
        }
        if self.block.is_none() && range.end == lines.len() {
            return range.end;
        }
        let last = range.clone().rev().find(|at| parsed(lines.body(*at)).is_some());
        last.map_or(range.start, |last| last + 1)
    }

    /// Whether a line is `#Key` or `# Key`.
    fn is_default(&self, line: &[u8]) -> bool {
        let Some(comment) = line.trim_ascii_start().strip_prefix(b"#") else { return false };
        let comment = comment.strip_prefix(b" ").unwrap_or(comment);
        !comment.starts_with(b" ") && !comment.starts_with(b"\t") && {
            parsed(comment).is_some_and(|found| self.is_mine(found.key))
        }
    }

    fn line(&self, lines: &Lines<'_>, range: Range<usize>, value: &str) -> Vec<u8> {
        let indent = match range.map(|at| lines.body(at)).find(|body| parsed(body).is_some()) {
            Some(body) => &body[..body.len() - body.trim_ascii_start().len()],
            None if self.block.is_some() => b"    ".as_slice(),
            None => b"",
        };
        [indent, self.key.as_bytes(), b" ", value.as_bytes()].concat()
    }
}

impl Change for Directive {
    fn change(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Unfit> {
        self.check()?;
        let mut lines = Lines::of(text);
        let range = match (self.range(&lines), &self.block) {
            (Some(range), _) => range,
            (None, Some(block)) if !self.values.is_empty() => begun(&mut lines, block),
            (None, _) => return Ok(None),
        };
        let found = self.found(&lines, range.clone());
        for (at, value) in found.iter().zip(&self.values) {
            set(&mut lines, *at, value);
        }
        found.iter().skip(self.values.len()).rev().for_each(|at| lines.remove(*at..at + 1));
        for value in self.values.iter().skip(found.len()) {
            let range = self.range(&lines).unwrap_or_else(|| range.clone());
            let line = self.line(&lines, range.clone(), value);
            lines.insert(self.place(&lines, range), &line);
        }
        Ok(lines.changed())
    }

    fn name(&self) -> String {
        let with = if self.values.is_empty() { "without the" } else { "the" };
        let under = self.block.as_ref().map(|block| format!(" under `{block}`")).unwrap_or_default();
        format!("{with} directive `{}`{under}", self.key)
    }
}

/// Begins a block at the end.
fn begun(lines: &mut Lines<'_>, block: &str) -> Range<usize> {
    if lines.bodies().next_back().is_some_and(|last| !last.trim_ascii().is_empty()) {
        lines.insert(lines.len(), b"");
    }
    lines.insert(lines.len(), block.as_bytes());
    lines.len()..lines.len()
}

fn set(lines: &mut Lines<'_>, at: usize, value: &str) {
    let Some(found) = parsed(lines.body(at)) else { return };
    if found.value != value.as_bytes() {
        let blank: &[u8] = if found.head.len() == found.head.trim_ascii_end().len() { b" " } else { b"" };
        let blank = if found.head.ends_with(b"=") { b"" } else { blank };
        let line = [found.head, blank, value.as_bytes()].concat();
        lines.set(at, &line);
    }
}

fn parsed(line: &[u8]) -> Option<Found<'_>> {
    let text = line.trim_ascii_start();
    let start = line.len() - text.len();
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'=';
    let length = text.iter().position(is_end).unwrap_or(text.len());
    let rest = text[length..].trim_ascii_start();
    let rest = rest.strip_prefix(b"=").map_or(rest, <[u8]>::trim_ascii_start);
    let head = &line[..line.len() - rest.len()];
    let key = &line[start..start + length];
    (!key.is_empty() && !key.starts_with(b"#")).then(|| Found { key, head, value: rest.trim_ascii_end() })
}

/// The keys after which others count for some connections or hosts only.
fn begins_block(key: &[u8]) -> bool {
    key.eq_ignore_ascii_case(b"Match") || key.eq_ignore_ascii_case(b"Host")
}

/// A header in the one form in which it is compared.
fn words(line: &[u8]) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> =
        line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).map(<[u8]>::to_vec).collect();
    words.iter_mut().take(1).for_each(|key| key.make_ascii_lowercase());
    words
}

impl<A> Edit<A, Directive> {
    /// It is in the block of ssh that `header` begins, as in `Match User backup`, whatever is in others. A block that
    /// is not there is added at the end of the file.
    pub fn under(mut self, header: impl Into<String>) -> Self {
        self.last.block = Some(header.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directive(key: &str, values: &[&str], block: Option<&str>) -> Directive {
        let values = values.iter().map(|value| (*value).into()).collect();
        Directive { key: key.into(), values, block: block.map(Into::into) }
    }

    fn check(directive: &Directive, text: &str, expect: Option<&str>) {
        let changed = directive.change(text.as_bytes()).unwrap();
        assert_eq!(changed.as_deref().map(String::from_utf8_lossy).as_deref(), expect, "{directive:?} in {text:?}");
    }

    #[test]
    fn values_change_and_what_is_around_them_stays() {
        let port = directive("Port", &["22"], None);
        check(&port, "Port 2222\nX y\n", Some("Port 22\nX y\n"));
        check(&port, "\tport\t\t2222\r\n", Some("\tport\t\t22\r\n"));
        check(&port, "Port=2222", Some("Port=22"));
        check(&port, "Port = 2222", Some("Port = 22"));
        check(&port, "Port\n", Some("Port 22\n"));
        check(&port, "PORT 22  \n", None);
        check(&port, "Port 22\nPort 23\n", Some("Port 22\n"));
        check(&directive("Port", &["22", "23"], None), "Port 1\nX y\n", Some("Port 22\nPort 23\nX y\n"));
        check(&directive("Port", &[], None), "Port 22\n#Port 22\nport 23\n", Some("#Port 22\n"));
    }

    #[test]
    fn new_ones_go_behind_their_default_or_to_the_end() {
        let root = directive("PermitRootLogin", &["no"], None);
        check(
            &root,
            "#PermitRootLogin yes\nX y\n#  PermitRootLogin\n",
            Some("#PermitRootLogin yes\nPermitRootLogin no\nX y\n#  PermitRootLogin\n"),
        );
        check(&root, "X y\n# end", Some("X y\n# end\nPermitRootLogin no\n"));
        check(&root, "", Some("PermitRootLogin no\n"));
    }

    #[test]
    fn blocks_of_ssh_are_apart() {
        let text = "X y\n\n# of git\nMatch User git\n\tX no\nMatch all\n\tX z\n";
        let x = |value: &str, block| directive("X", &[value], block);
        check(&x("1", None), text, Some("X 1\n\n# of git\nMatch User git\n\tX no\nMatch all\n\tX z\n"));
        check(&x("1", Some("match  User git")), text, Some(&text.replace("X no", "X 1")));
        check(&directive("Z", &["1"], None), text, Some(&text.replace("X y\n", "X y\nZ 1\n")));
        check(&directive("Z", &["1"], Some("Match User git")), text, Some(&text.replace("no\n", "no\n\tZ 1\n")));
        check(&x("1", Some("Match User a")), "X y\n", Some("X y\n\nMatch User a\n    X 1\n"));
        check(&directive("X", &[], Some("Match User a")), text, None);
        check(&directive("Z", &["1"], None), "Match all\n", Some("Z 1\nMatch all\n"));
    }

    #[test]
    fn what_would_be_read_otherwise_is_refused() {
        let check = |key: &str, value: &str, expect: &str| {
            let error = directive(key, &[value], None).change(b"").unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        };
        check("", "x", "the key of the directive can't be written");
        check("a b", "x", "the key of the directive can't be written");
        check("Match", "all", "the key of the directive can't be written: it begins a block");
        check("a", "", "the value of the directive can't be written");
        check("a", "b\nc", "the value of the directive can't be written");
    }
}
