//! Lines.

use super::lines::{self, Lines};
use super::place::{Place, Which};
use super::{Change, Edit, Unfit, pattern};

/// A line that is to be there: the edit of [`Edit::line`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    text: String,
    pattern: Option<String>,
    which: Which,
    only: bool,
    place: Place,
}

impl Line {
    pub(super) fn new(text: String) -> Self {
        Self { text, pattern: None, which: Which::default(), only: false, place: Place::default() }
    }

    #[cfg(test)]
    pub(super) fn looking_for(self, pattern: &str) -> Self {
        Self { pattern: Some(pattern.into()), ..self }
    }

    /// The line whose place it takes, and all that match.
    fn target(&self, text: &[u8], lines: &Lines<'_>) -> Result<(Option<usize>, Vec<usize>), Unfit> {
        let there = lines.bodies().position(|body| body == self.text.as_bytes());
        let Some(pattern) = &self.pattern else { return Ok((there, Vec::new())) };
        let regex = pattern::compile(pattern, text)?;
        let found = pattern::matches(&regex, lines);
        let chosen = self.which.of(&found);
        // A line that is not what it looks for would be put in the place of one match after the other, run by run.
        let target = if regex.is_match(self.text.as_bytes()) { chosen } else { there.or(chosen) };
        Ok((target, found))
    }
}

impl Change for Line {
    fn change(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Unfit> {
        if lines::has_end(&self.text) {
            return Err(Unfit::BadText { what: "the line", why: "it has a line end in it" });
        }
        let mut lines = Lines::of(text);
        let (target, found) = self.target(text, &lines)?;
        match target {
            Some(at) => lines.set(at, self.text.as_bytes()),
            None => lines.insert(self.place.of(text, &lines, self.which)?, self.text.as_bytes()),
        }
        if self.only {
            let others = found.into_iter().rev().filter(|at| Some(*at) != target);
            others.for_each(|at| lines.remove(at..at + 1));
        }
        Ok(lines.changed())
    }

    fn name(&self) -> String {
        match &self.pattern {
            Some(pattern) => format!("a line matching `{pattern}`"),
            None => "a line".into(),
        }
    }
}

impl<A> Edit<A, Line> {
    /// It takes the place of the last line that the regular expression `pattern` matches, anywhere in the line, in the
    /// syntax of the crate `regex`. Where none does, it is there as without this.
    pub fn matching(mut self, pattern: impl Into<String>) -> Self {
        self.last.pattern = Some(pattern.into());
        self
    }

    /// Of several lines that match, in [`matching`](Edit::matching) as in [`after`](Edit::after) and
    /// [`before`](Edit::before), the first counts.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn resolve_here_first(host: &Host) -> Result<()> {
    ///     host.edit("/etc/nsswitch.conf").line("hosts: files dns").matching("^hosts:").first().only().present()?;
    ///     host.edit("/etc/resolv.conf").line("nameserver 127.0.0.1").before("^nameserver").first().present()?;
    ///     host.edit("/etc/pam.d/shop").line("#%PAM-1.0").at_start().present()?;
    ///     Ok(())
    /// }
    /// # let host = wb_stdlib::testing::web1().file("/etc/nsswitch.conf", "hosts: dns\n").file("/etc/pam.d/shop", "");
    /// # host.file("/etc/resolv.conf", "nameserver 192.0.2.53\n").rehearse(resolve_here_first);
    /// ```
    pub fn first(mut self) -> Self {
        self.last.which = Which::First;
        self
    }

    /// Other lines that [`matching`](Edit::matching) matches are removed.
    pub fn only(mut self) -> Self {
        self.last.only = true;
        self
    }

    /// Where it is not there yet, it goes behind the last line that the regular expression matches. It is an error when
    /// none does.
    pub fn after(mut self, pattern: impl Into<String>) -> Self {
        self.last.place = Place::After(pattern.into());
        self
    }

    /// Where it is not there yet, it goes before the last line that the regular expression matches. It is an error when
    /// none does.
    pub fn before(mut self, pattern: impl Into<String>) -> Self {
        self.last.place = Place::Before(pattern.into());
        self
    }

    /// Where it is not there yet, it is the first line.
    pub fn at_start(mut self) -> Self {
        self.last.place = Place::Start;
        self
    }
}

/// Lines that are not to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Gone {
    Exact(String),
    Matching(String),
}

impl Change for Gone {
    fn change(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Unfit> {
        let mut lines = Lines::of(text);
        let found: Vec<usize> = match self {
            Self::Exact(line) => {
                let same = lines.bodies().enumerate().filter(|(_, body)| *body == line.as_bytes());
                same.map(|(at, _)| at).collect()
            }
            Self::Matching(pattern) => pattern::matches(&pattern::compile(pattern, text)?, &lines),
        };
        found.into_iter().rev().for_each(|at| lines.remove(at..at + 1));
        Ok(lines.changed())
    }

    fn name(&self) -> String {
        match self {
            Self::Exact(_) => "without a line".into(),
            Self::Matching(pattern) => format!("without lines matching `{pattern}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &Line, text: &str, expect: Option<&str>) {
        let changed = line.change(text.as_bytes()).unwrap();
        assert_eq!(changed.as_deref().map(String::from_utf8_lossy).as_deref(), expect, "{line:?} in {text:?}");
    }

    fn line(text: &str) -> Line {
        Line::new(text.into())
    }

    fn matching(text: &str, pattern: &str) -> Line {
        Line { pattern: Some(pattern.into()), ..line(text) }
    }

    #[test]
    fn a_line_is_added_once() {
        check(&line("b"), "a\n", Some("a\nb\n"));
        check(&line("b"), "a\nb\nc\n", None);
        check(&line("b"), "a\nb", None);
        check(&line("b"), "a\r\nb\r\n", None);
        check(&line(""), "a\n", Some("a\n\n"));
    }

    #[test]
    fn it_takes_the_place_of_the_last_match() {
        check(&matching("x=1", "^x="), "x=2\nx=3\n", Some("x=2\nx=1\n"));
        check(&matching("x=1", "^x="), "x=2\nx=1\n", None);
        check(&matching("x=1", "^x="), "y\n", Some("y\nx=1\n"));
        check(&Line { which: Which::First, ..matching("x=1", "^x=") }, "x=2\nx=3\n", Some("x=1\nx=3\n"));
        check(&Line { only: true, ..matching("x=1", "^x=") }, "x=2\na\nx=3\n", Some("a\nx=1\n"));
    }

    #[test]
    fn a_line_that_is_not_what_it_looks_for_is_put_in_once() {
        check(&matching("new", "^old"), "old1\nold2\n", Some("old1\nnew\n"));
        check(&matching("new", "^old"), "old1\nnew\n", None);
    }

    #[test]
    fn new_lines_go_where_it_is_said() {
        let at = |place: Place| Line { place, ..line("n") };
        check(&at(Place::Start), "a\nb\n", Some("n\na\nb\n"));
        check(&at(Place::After("^[ab]".into())), "a\nb\nc\n", Some("a\nb\nn\nc\n"));
        check(&at(Place::Before("^[ab]".into())), "a\nb\nc\n", Some("a\nn\nb\nc\n"));
        check(&Line { which: Which::First, ..at(Place::After("^[ab]".into())) }, "a\nb\n", Some("a\nn\nb\n"));
        check(&at(Place::After("^b".into())), "a\nb", Some("a\nb\nn\n"));
        let error = at(Place::After("^z".into())).change(b"a\n").unwrap_err();
        assert_eq!(error.to_string(), "no line matches `^z`");
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let changed = matching("k=new", "^k=.*").change(b"# caf\xe9\nk=\xe9\n").unwrap();
        assert_eq!(changed.as_deref(), Some(&b"# caf\xe9\nk=new\n"[..]));
    }

    #[test]
    fn more_than_a_line_is_refused() {
        assert!(line("a\nb").change(b"").is_err());
        assert!(matching("a", "(").change(b"").is_err());
    }

    #[test]
    fn lines_go() {
        let check = |gone: Gone, text: &str, expect: Option<&str>| {
            let changed = gone.change(text.as_bytes()).unwrap();
            assert_eq!(changed.as_deref(), expect.map(str::as_bytes));
        };
        check(Gone::Exact("a".into()), "a\nb\na", Some("b\n"));
        check(Gone::Exact("a".into()), "ab\n", None);
        check(Gone::Matching("^a".into()), "ab\nb\r\na\n", Some("b\r\n"));
    }
}
