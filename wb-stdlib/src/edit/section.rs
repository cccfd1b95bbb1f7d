//! Sections of INI files, and their options.

use std::ops::Range;

use super::lines::{self, Lines};
use super::row::{Row, indentation};
use super::{Change, Edit, Unfit};

/// A section of an INI file with what is to be so in it: the edit of [`Edit::section`] and [`Edit::before_sections`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    name: Option<String>,
    wanted: Vec<Wanted>,
}

/// What is wanted of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    key: String,
    values: Values,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Values {
    /// These, in this order, and no others.
    Exactly(Vec<String>),
    /// This, whatever others there are.
    Among(String),
    /// The key alone.
    Flag,
}

/// An option that is there.
struct Found {
    /// Its lines: a value may go on in the next ones.
    range: Range<usize>,
    head: Vec<u8>,
    value: Option<Vec<u8>>,
}

impl Section {
    pub(super) fn new(name: Option<String>) -> Self {
        Self { name, wanted: Vec::new() }
    }

    #[cfg(test)]
    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        self.wanted.push(Wanted { key: key.into(), values: Values::Exactly(vec![value.into()]) });
        self
    }

    fn check(&self) -> Result<(), Unfit> {
        if self.name.as_deref().is_some_and(|name| !is_plain(name) || name.contains(']')) {
            let why = "it is empty, or has a line end, a `]` or blanks at an end in it";
            return Err(Unfit::BadText { what: "the name of the section", why });
        }
        self.wanted.iter().try_for_each(Wanted::check)
    }

    /// Whether a section that is not there is as wanted.
    fn is_only_removing(&self) -> bool {
        let removes = |wanted: &Wanted| wanted.values == Values::Exactly(Vec::new());
        self.name.is_none() || !self.wanted.is_empty() && self.wanted.iter().all(removes)
    }

    fn range(&self, lines: &Lines<'_>) -> Result<Option<Range<usize>>, Unfit> {
        let Some(name) = &self.name else { return Ok(Some(0..end_of_section(lines, 0))) };
        match *headers(lines, name) {
            [] => Ok(None),
            [at] => Ok(Some(at + 1..end_of_section(lines, at + 1))),
            ref several => Err(Unfit::Repeated { what: format!("the section `[{name}]`"), times: several.len() }),
        }
    }

    fn begin(&self, lines: &mut Lines<'_>) {
        if lines.bodies().next_back().is_some_and(|last| !last.trim_ascii().is_empty()) {
            lines.insert(lines.len(), b"");
        }
        let name = self.name.as_deref().unwrap_or_default();
        lines.insert(lines.len(), format!("[{name}]").as_bytes());
    }
}

impl Change for Section {
    fn change(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Unfit> {
        self.check()?;
        let mut lines = Lines::of(text);
        if self.range(&lines)?.is_none() {
            if self.is_only_removing() {
                return Ok(None);
            }
            self.begin(&mut lines);
        }
        for wanted in &self.wanted {
            let range = self.range(&lines)?.unwrap_or_default();
            check_end(&lines, &range)?;
            wanted.apply(&mut lines, range);
        }
        Ok(lines.changed())
    }

    fn name(&self) -> String {
        let section =
            self.name.as_deref().map_or("options before sections".into(), |name| format!("section `[{name}]`"));
        let keys: Vec<String> = self.wanted.iter().map(|wanted| format!("`{}`", wanted.key)).collect();
        if keys.is_empty() { section } else { format!("{section}: {}", keys.join(", ")) }
    }
}

impl Wanted {
    fn check(&self) -> Result<(), Unfit> {
        if !is_plain(&self.key) || self.key.contains('=') || self.key.starts_with(['#', ';', '[']) {
            let why = "it is empty, has a line end, a `=` or blanks at an end in it, or begins with `#`, `;` or `[`";
            return Err(Unfit::BadText { what: "the name of the option", why });
        }
        let values = match &self.values {
            Values::Exactly(values) => values.as_slice(),
            Values::Among(value) => std::slice::from_ref(value),
            Values::Flag => &[],
        };
        if values.iter().any(|value| !value.is_empty() && !is_plain(value) || value.ends_with('\\')) {
            let why = "it has a line end or blanks at an end in it, or a `\\` at its end";
            return Err(Unfit::BadText { what: "the value of the option", why });
        }
        Ok(())
    }

    fn apply(&self, lines: &mut Lines<'_>, range: Range<usize>) {
        let found = found(lines, range.clone(), self.key.as_bytes());
        let last = found.last().map(|option| option.range.end);
        match &self.values {
            Values::Exactly(values) => {
                let kept = found.len().min(values.len());
                for (nth, option) in found.iter().enumerate().rev() {
                    match values.get(nth) {
                        Some(value) => set(lines, option, value),
                        None => lines.remove(option.range.clone()),
                    }
                }
                self.add(lines, range.start, &values[kept..]);
            }
            Values::Among(value) if found.iter().any(|option| option.has(value)) => {}
            Values::Among(value) => {
                let at = last.unwrap_or_else(|| place(lines, range.clone(), self.key.as_bytes()));
                let line = self.line(lines, range.start..at, value);
                lines.insert(at, &line);
            }
            Values::Flag => self.flag(lines, range, &found),
        }
    }

    /// Adds options of this key to the section that starts there, behind those that there are.
    fn add(&self, lines: &mut Lines<'_>, start: usize, values: &[String]) {
        if values.is_empty() {
            return;
        }
        let key = self.key.as_bytes();
        let range = start..end_of_section(lines, start);
        let last = found(lines, range.clone(), key).last().map(|option| option.range.end);
        let at = last.unwrap_or_else(|| place(lines, range.clone(), key));
        for (nth, value) in values.iter().enumerate() {
            let line = self.line(lines, start..at, value);
            lines.insert(at + nth, &line);
        }
    }

    fn flag(&self, lines: &mut Lines<'_>, range: Range<usize>, found: &[Found]) {
        let Some((first, others)) = found.split_first() else {
            let at = place(lines, range.clone(), self.key.as_bytes());
            let line = [style(lines, range.start..at).0.as_slice(), self.key.as_bytes()].concat();
            return lines.insert(at, &line);
        };
        others.iter().rev().for_each(|option| lines.remove(option.range.clone()));
        if first.value.is_some() {
            let line = [&first.head[..indentation(&first.head)], self.key.as_bytes()].concat();
            lines.remove(first.range.start + 1..first.range.end);
            lines.set(first.range.start, &line);
        }
    }

    /// A new line behind these.
    fn line(&self, lines: &Lines<'_>, before: Range<usize>, value: &str) -> Vec<u8> {
        let (indent, equals) = style(lines, before);
        let line = [indent.as_slice(), self.key.as_bytes(), &equals, value.as_bytes()].concat();
        line.trim_ascii_end().to_vec()
    }
}

impl Found {
    fn has(&self, value: &str) -> bool {
        self.range.len() == 1 && self.value.as_deref() == Some(value.as_bytes())
    }
}

/// Gives an option another value, and leaves it its indentation and blanks.
fn set(lines: &mut Lines<'_>, option: &Found, value: &str) {
    if option.has(value) {
        return;
    }
    let mut line = option.head.clone();
    match option.value {
        None => line.extend_from_slice(b" = "),
        Some(_) if line.ends_with(b" =") => line.push(b' '),
        Some(_) => {}
    }
    line.extend_from_slice(value.as_bytes());
    lines.remove(option.range.start + 1..option.range.end);
    lines.set(option.range.start, line.trim_ascii_end());
}

/// All options of this key.
fn found(lines: &Lines<'_>, range: Range<usize>, key: &[u8]) -> Vec<Found> {
    let found = |option: Range<usize>| match Row::of(lines.body(option.start)) {
        Row::Option { key: found, head, value } if found == key => {
            Some(Found { range: option, head: head.to_vec(), value: value.map(<[u8]>::to_vec) })
        }
        _ => None,
    };
    options(lines, range).into_iter().filter_map(found).collect()
}

/// The lines of all options.
fn options(lines: &Lines<'_>, range: Range<usize>) -> Vec<Range<usize>> {
    let (mut all, mut at) = (Vec::new(), range.start);
    while at < range.end {
        let end = end_of_option(lines, at, range.end);
        if matches!(Row::of(lines.body(at)), Row::Option { .. }) {
            all.push(at..end);
        }
        at = end;
    }
    all
}

/// What would be added behind a last option that goes on would be a part of it.
fn check_end(lines: &Lines<'_>, range: &Range<usize>) -> Result<(), Unfit> {
    match options(lines, range.clone()).last() {
        Some(last) if lines.body(last.end - 1).ends_with(b"\\") && last.end == range.end => {
            Err(Unfit::Unclear { line: last.end, why: "it goes on in a line that is not there" })
        }
        _ => Ok(()),
    }
}

/// Where the lines of what begins at `at` end: a value goes on after a `\`, and in lines that are indented further and
/// have no `=`.
fn end_of_option(lines: &Lines<'_>, at: usize, end: usize) -> usize {
    let Row::Option { .. } = Row::of(lines.body(at)) else { return at + 1 };
    let indent = indentation(lines.body(at));
    let goes_on = |next: usize| {
        let body = lines.body(next);
        let is_deeper = indentation(body) > indent && matches!(Row::of(body), Row::Option { value: None, .. });
        lines.body(next - 1).ends_with(b"\\") || is_deeper
    };
    (at + 1..end).find(|next| !goes_on(*next)).unwrap_or(end)
}

fn end_of_section(lines: &Lines<'_>, start: usize) -> usize {
    let is_header = |at: &usize| matches!(Row::of(lines.body(*at)), Row::Section(_));
    (start..lines.len()).find(is_header).unwrap_or(lines.len())
}

fn headers(lines: &Lines<'_>, name: &str) -> Vec<usize> {
    let is_it = |body: &[u8]| Row::of(body) == Row::Section(name.as_bytes());
    lines.bodies().enumerate().filter(|(_, body)| is_it(body)).map(|(at, _)| at).collect()
}

/// Where an option goes that is not there: behind its commented default, or behind the last option.
fn place(lines: &Lines<'_>, range: Range<usize>, key: &[u8]) -> usize {
    let is_default = |at: &usize| match Row::of(lines.body(*at)) {
        Row::Comment(text) => matches!(Row::of(text), Row::Option { key: found, .. } if found == key),
        _ => false,
    };
    let default = range.clone().find(is_default).map(|default| default + 1);
    let last = || options(lines, range.clone()).last().map_or(range.start, |last| last.end);
    let at = default.unwrap_or_else(last);
    // Lines that are indented, and have no `=`, would be a part of what is put before them.
    let would_go_on = |at: &usize| {
        let body = lines.body(*at);
        indentation(body) > 0 && matches!(Row::of(body), Row::Option { value: None, .. })
    };
    (at..range.end).find(|at| !would_go_on(at)).unwrap_or(range.end)
}

/// The indentation of a new option, as of the last one before it in the section: further in, it might be a part of
/// that. And its `=` with blanks, as of that, or of the first one in the file.
fn style(lines: &Lines<'_>, before: Range<usize>) -> (Vec<u8>, Vec<u8>) {
    let last = options(lines, before).last().map(|last| lines.body(last.start));
    let indent = last.map(|last| last[..indentation(last)].to_vec()).unwrap_or_default();
    let equals = last.and_then(equals).or_else(|| lines.bodies().find_map(equals));
    (indent, equals.unwrap_or_else(|| b" = ".to_vec()))
}

fn equals(line: &[u8]) -> Option<Vec<u8>> {
    let Row::Option { head, value: Some(_), .. } = Row::of(line) else { return None };
    let at = head.iter().position(|byte| *byte == b'=')?;
    let blank = |blanks: bool| if blanks { b" ".as_slice() } else { b"" };
    let (before, after) = (head[..at].ends_with(b" ") || head[..at].ends_with(b"\t"), head.len() > at + 1);
    Some([blank(before), b"=", blank(after)].concat())
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && !lines::has_end(text) && text.trim_ascii() == text
}

impl<A> Edit<A, Section> {
    /// The one option `key` has `value`. Where there is one of that key, its blanks and indentation stay, and others of
    /// that key are removed. A new one goes behind its commented default, which stays, or behind the last option of the
    /// section. All to the end of the line is the value: a comment behind it is no comment.
    pub fn option(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.options(key, [value])
    }

    /// The options `key` have these values, in this order, and there are no others of that key.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn set_environment(host: &Host) -> Result<()> {
    ///     host.edit("/etc/systemd/system/shop.service")
    ///         .section("Service")
    ///         .options("Environment", ["PORT=8080", "WORKERS=4"])
    ///         .present()?;
    ///     Ok(())
    /// }
    /// # let (path, text) = ("/etc/systemd/system/shop.service", "[Service]\nExecStart=/usr/local/bin/shop\n");
    /// # wb_stdlib::testing::web1().file(path, text).rehearse(set_environment);
    /// ```
    pub fn options<V: Into<String>>(self, key: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        self.want(key, Values::Exactly(values.into_iter().map(Into::into).collect()))
    }

    /// One of the options `key` has `value`, whatever others there are.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn add_a_variable(host: &Host) -> Result<()> {
    ///     let unit = host.edit("/etc/systemd/system/shop.service");
    ///     unit.section("Service").repeated_option("Environment", "PORT=8080").present()?;
    ///     Ok(())
    /// }
    /// # let (path, text) = ("/etc/systemd/system/shop.service", "[Service]\nExecStart=/usr/local/bin/shop\n");
    /// # wb_stdlib::testing::web1().file(path, text).rehearse(add_a_variable);
    /// ```
    pub fn repeated_option(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.want(key, Values::Among(value.into()))
    }

    /// The option `key` is there, without `=` and value, as in `skip-name-resolve`.
    pub fn flag(self, key: impl Into<String>) -> Self {
        self.want(key, Values::Flag)
    }

    /// There is no option `key`.
    pub fn without_option(self, key: impl Into<String>) -> Self {
        self.options(key, [""; 0])
    }

    fn want(mut self, key: impl Into<String>, values: Values) -> Self {
        self.last.wanted.push(Wanted { key: key.into(), values });
        self
    }
}

/// A section that is not to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gone(pub(super) String);

impl Change for Gone {
    fn change(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Unfit> {
        let mut lines = Lines::of(text);
        for header in headers(&lines, &self.0).into_iter().rev() {
            let end = end_of_section(&lines, header + 1);
            let is_of_next = |at: &usize| matches!(Row::of(lines.body(*at)), Row::Comment(_));
            let of_next = (header + 1..end).rev().take_while(is_of_next).count();
            let kept = if end == lines.len() { 0 } else { of_next };
            lines.remove(header..end - kept);
        }
        Ok(lines.changed())
    }

    fn name(&self) -> String {
        format!("without the section `[{}]`", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(name: &str, wanted: &[(&str, Values)]) -> Section {
        let wanted = wanted.iter().map(|(key, values)| Wanted { key: (*key).into(), values: values.clone() }).collect();
        Section { name: (!name.is_empty()).then(|| name.into()), wanted }
    }

    fn exactly(values: &[&str]) -> Values {
        Values::Exactly(values.iter().map(|value| (*value).into()).collect())
    }

    fn check(name: &str, key: &str, values: Values, text: &str, expect: Option<&str>) {
        let changed = section(name, &[(key, values)]).change(text.as_bytes()).unwrap();
        assert_eq!(changed.as_deref().map(String::from_utf8_lossy).as_deref(), expect, "{key} in {text:?}");
    }

    #[test]
    fn values_change_and_their_blanks_stay() {
        check("a", "k", exactly(&["2"]), "[a]\nk=1\n", Some("[a]\nk=2\n"));
        check("a", "k", exactly(&["2"]), "[a]\n\tk  =  1  \n", Some("[a]\n\tk  =  2\n"));
        check("a", "k", exactly(&["2"]), "[a]\nk = 2  \n", None);
        check("a", "k", exactly(&["2"]), "[a]\nk\n", Some("[a]\nk = 2\n"));
        check("a", "k", exactly(&["2"]), "[a]\nk =\n", Some("[a]\nk = 2\n"));
        check("a", "k", exactly(&[""]), "[a]\nk = 2\n", Some("[a]\nk =\n"));
        check("a", "k", exactly(&[""]), "[a]\nk =\n", None);
        check("a", "k", exactly(&["2"]), "[b]\nk=1\n[a]\r\nk=1\r\n", Some("[b]\nk=1\n[a]\r\nk=2\r\n"));
    }

    #[test]
    fn new_options_go_behind_their_default_or_the_last_one() {
        check("a", "k", exactly(&["2"]), "[a]\n;k = 1\nb=1\n\n[c]\n", Some("[a]\n;k = 1\nk=2\nb=1\n\n[c]\n"));
        check("a", "k", exactly(&["2"]), "[a]\n  b = 1\n# end\n\n[c]\n", Some("[a]\n  b = 1\n  k = 2\n# end\n\n[c]\n"));
        check("a", "k", exactly(&["2"]), "[a]\n\n[c]\nx=1\n", Some("[a]\nk=2\n\n[c]\nx=1\n"));
        check("", "k", exactly(&["2"]), "[a]\nk=1\n", Some("k=2\n[a]\nk=1\n"));
        check("", "k", exactly(&["2"]), "k=1\n[a]\nk=1\n", Some("k=2\n[a]\nk=1\n"));
    }

    #[test]
    fn a_new_section_goes_to_the_end() {
        check("b", "k", exactly(&["2"]), "[a]\nx=1", Some("[a]\nx=1\n\n[b]\nk=2\n"));
        check("b", "k", exactly(&["2"]), "", Some("[b]\nk = 2\n"));
        check("b", "k", exactly(&["2"]), "[a]\n\n", Some("[a]\n\n[b]\nk = 2\n"));
        check("b", "k", exactly(&[]), "[a]\n", None);
        assert_eq!(section("b", &[]).change(b"").unwrap().as_deref(), Some(&b"[b]\n"[..]));
        assert_eq!(section("b", &[]).change(b"[b]\n").unwrap(), None);
    }

    #[test]
    fn options_may_be_repeated() {
        check("a", "k", exactly(&["1", "2"]), "[a]\nk=3\nx=1\nk=4\nk=5\n", Some("[a]\nk=1\nx=1\nk=2\n"));
        check("a", "k", exactly(&["1", "2"]), "[a]\nk=1\nx=1\n", Some("[a]\nk=1\nk=2\nx=1\n"));
        check("a", "k", exactly(&["1"]), "[a]\nk=3\nk=1\n", Some("[a]\nk=1\n"));
        check("a", "k", Values::Among("2".into()), "[a]\nk=1\nx=1\n", Some("[a]\nk=1\nk=2\nx=1\n"));
        check("a", "k", Values::Among("1".into()), "[a]\nk=1\nk=2\n", None);
        check("a", "k", exactly(&[]), "[a]\nk=1\nx=1\nk\n", Some("[a]\nx=1\n"));
    }

    #[test]
    fn flags_have_no_value() {
        check("a", "k", Values::Flag, "[a]\nk\n", None);
        check("a", "k", Values::Flag, "[a]\n x = 1\n", Some("[a]\n x = 1\n k\n"));
        check("a", "k", Values::Flag, "[a]\n k = 1\nk\n", Some("[a]\n k\n"));
    }

    #[test]
    fn values_may_go_on_in_the_next_lines() {
        check("a", "k", exactly(&["2"]), "[a]\nk=1 \\\n  x=3\nb=1\n", Some("[a]\nk=2\nb=1\n"));
        check("a", "k", exactly(&["2"]), "[a]\nk=\n  1\n  3\nb=1\n", Some("[a]\nk=2\nb=1\n"));
        check("a", "k", exactly(&[]), "[a]\nk=1\n  3\n\n  b=1\n", Some("[a]\n\n  b=1\n"));
        check("a", "x", exactly(&["2"]), "[a]\n k=1\n  x=1\n", Some("[a]\n k=1\n  x=2\n"));
        check("a", "x", exactly(&["2"]), "[a]\n#x=1\n  y\nk=1\n", Some("[a]\n#x=1\n  y\n  x=2\nk=1\n"));
    }

    #[test]
    fn sections_go_with_all_in_them() {
        let check = |text: &str, expect: Option<&str>| {
            let changed = Gone("a".into()).change(text.as_bytes()).unwrap();
            assert_eq!(changed.as_deref(), expect.map(str::as_bytes));
        };
        check("x=1\n[a]\nk=1\n\n# of b\n[b]\n", Some("x=1\n# of b\n[b]\n"));
        check("[b]\n[a]\nk=1\n# end\n", Some("[b]\n"));
        check("[a]\n[b]\n[a]\n", Some("[b]\n"));
        check("[b]\n", None);
    }

    #[test]
    fn what_would_be_read_otherwise_is_refused() {
        let check = |name: &str, key: &str, value: &str, expect: &str| {
            let error = section(name, &[(key, exactly(&[value]))]).change(b"[r]\n[r]\n").unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        };
        check("a]", "k", "v", "the name of the section can't be written");
        check("a", "k=", "v", "the name of the option can't be written");
        check("a", "#k", "v", "the name of the option can't be written");
        check("a", "k", "v\nw", "the value of the option can't be written");
        check("a", "k", " v", "the value of the option can't be written");
        check("a", "k", "v\\", "the value of the option can't be written");
        check("r", "k", "v", "the section `[r]` is there 2 times; which one is meant?");
    }
}
