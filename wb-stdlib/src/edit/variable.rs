//! Variables of shells.

use super::assignment::{Assignment, Kind, Piece, is_name, pieces};
use super::lines::{self, end_of_lines};
use super::{Change, Unfit};

/// A variable that is to have a value, or not to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    name: String,
    value: Option<String>,
}

impl Variable {
    pub(super) fn new(name: String, value: Option<String>) -> Self {
        Self { name, value }
    }

    fn check(&self) -> Result<(), Unfit> {
        if !is_name(self.name.as_bytes()) {
            let why = "it has other characters than letters, digits and `_`, or begins with a digit";
            return Err(Unfit::BadText { what: "the name of the variable", why });
        }
        if self.value.as_deref().is_some_and(lines::has_end) {
            return Err(Unfit::BadText { what: "the value of the variable", why: "it has a line end in it" });
        }
        Ok(())
    }

    /// Where it is assigned: the part, and how.
    fn assignments<'p, 't>(
        &self,
        text: &[u8],
        pieces: &'p [Piece<'t>],
    ) -> Result<Vec<(&'p Piece<'t>, &'p Assignment<'t>)>, Unfit> {
        let mut all = Vec::new();
        for piece in pieces {
            match &piece.kind {
                Kind::Assignment(assignment) if assignment.name == self.name.as_bytes() => {
                    all.push((piece, assignment));
                }
                Kind::Unclear(name) if *name == self.name.as_bytes() => {
                    let line = text[..piece.range.start].split(|byte| *byte == b'\n').count();
                    return Err(Unfit::Unclear { line, why: "it takes a shell to say what its value is" });
                }
                _ => {}
            }
        }
        Ok(all)
    }

    fn set(&self, text: &[u8], pieces: &[Piece<'_>], value: &str) -> Result<Option<Vec<u8>>, Unfit> {
        let Some((_, last)) = self.assignments(text, pieces)?.pop() else {
            return Ok(Some(self.added(text, pieces, value)));
        };
        if last.literal.as_deref() == Some(value.as_bytes()) {
            return Ok(None);
        }
        let word = quoted(value, text[last.value.clone()].first().copied());
        Ok(Some([&text[..last.value.start], word.as_bytes(), &text[last.value.end..]].concat()))
    }

    /// The text with a new assignment: behind its commented default, or at the end.
    fn added(&self, text: &[u8], pieces: &[Piece<'_>], value: &str) -> Vec<u8> {
        let default =
            pieces.iter().find(|piece| piece.kind == Kind::Other && self.is_default(&text[piece.range.clone()]));
        let (before, after) = text.split_at(default.map_or(text.len(), |piece| piece.range.end));
        let end = end_of_lines(text);
        let missing = if before.is_empty() || before.ends_with(b"\n") { b"" } else { end };
        let line = format!("{}={}", self.name, quoted(value, None));
        [before, missing, line.as_bytes(), end, after].concat()
    }

    /// Whether a line is this assignment, commented.
    fn is_default(&self, line: &[u8]) -> bool {
        let Some(comment) = line.trim_ascii_start().strip_prefix(b"#") else { return false };
        match pieces(comment).first().map(|piece| &piece.kind) {
            Some(Kind::Assignment(Assignment { name, .. }) | Kind::Unclear(name)) => *name == self.name.as_bytes(),
            _ => false,
        }
    }

    fn removed(&self, text: &[u8], pieces: &[Piece<'_>]) -> Result<Option<Vec<u8>>, Unfit> {
        let found = self.assignments(text, pieces)?;
        if let Some((piece, _)) = found.iter().find(|(_, assignment)| !assignment.is_alone) {
            let line = text[..piece.range.start].split(|byte| *byte == b'\n').count();
            return Err(Unfit::Unclear { line, why: "there is more in it than the assignment" });
        }
        let kept = pieces.iter().filter(|piece| !found.iter().any(|(gone, _)| gone.range == piece.range));
        let text: Vec<u8> = kept.flat_map(|piece| &text[piece.range.clone()]).copied().collect();
        Ok((!found.is_empty()).then_some(text))
    }
}

impl Change for Variable {
    fn change(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Unfit> {
        self.check()?;
        let pieces = pieces(text);
        match &self.value {
            Some(value) => self.set(text, &pieces, value),
            None => self.removed(text, &pieces),
        }
    }

    fn name(&self) -> String {
        let with = if self.value.is_some() { "the" } else { "without the" };
        format!("{with} variable `{}`", self.name)
    }
}

/// A value as a shell reads it, in the quotes that the old one had.
fn quoted(value: &str, old: Option<u8>) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+,=".contains(&byte);
    if old == Some(b'\'') && !value.contains('\'') {
        return format!("'{value}'");
    }
    if old != Some(b'"') && !value.is_empty() && value.bytes().all(is_plain) {
        return value.to_owned();
    }
    let escaped = value.chars().flat_map(|char| {
        let escape = matches!(char, '"' | '\\' | '$' | '`').then_some('\\');
        escape.into_iter().chain([char])
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: Option<&str>, text: &str, expect: Option<&str>) {
        let variable = Variable::new("A".into(), value.map(Into::into));
        let changed = variable.change(text.as_bytes()).unwrap();
        assert_eq!(changed.as_deref().map(String::from_utf8_lossy).as_deref(), expect, "{value:?} in {text:?}");
    }

    #[test]
    fn values_change_and_what_is_around_them_stays() {
        check(Some("2"), "A=1\nB=1\n", Some("A=2\nB=1\n"));
        check(Some("2"), "  export A=\"1\"  # why\n", Some("  export A=\"2\"  # why\n"));
        check(Some("2"), "A='1'; export A", Some("A='2'; export A"));
        check(Some("1"), "A=\"1\"\n", None);
        check(Some("2"), "A=1\r\nB=1\r\n", Some("A=2\r\nB=1\r\n"));
        check(Some("2"), "A=1\nA=3\n", Some("A=1\nA=2\n"));
        check(Some("2"), "A=2\nA=3\n", Some("A=2\nA=2\n"));
        check(Some("2"), "A=\"one\ntwo\"\nB=1\n", Some("A=\"2\"\nB=1\n"));
        check(Some("$x"), "A=\"$x\"\n", Some("A=\"\\$x\"\n"));
    }

    #[test]
    fn new_variables_go_behind_their_default_or_to_the_end() {
        check(Some("2"), "#A=1\nB=1\n#A=3\n", Some("#A=1\nA=2\nB=1\n#A=3\n"));
        check(Some("2"), "# export A=1\nB=1\n", Some("# export A=1\nA=2\nB=1\n"));
        check(Some("2"), "B=1", Some("B=1\nA=2\n"));
        check(Some("2"), "", Some("A=2\n"));
        check(Some("2"), "B=\"\n#A=1\n\"\n", Some("B=\"\n#A=1\n\"\nA=2\n"));
        check(Some("2"), "AA=1\n", Some("AA=1\nA=2\n"));
    }

    #[test]
    fn values_are_quoted_where_that_is_needed() {
        let check = |value: &str, old: Option<u8>, expect: &str| assert_eq!(quoted(value, old), expect);
        check("a-b/c:1", None, "a-b/c:1");
        check("", None, "\"\"");
        check("a b", None, "\"a b\"");
        check("a \"$b\" `c` \\", None, r#""a \"\$b\" \`c\` \\""#);
        check("a b", Some(b'\''), "'a b'");
        check("it's", Some(b'\''), "\"it's\"");
        check("a", Some(b'"'), "\"a\"");
    }

    #[test]
    fn variables_go() {
        check(None, "A=1\nB=1\nexport A=2\n", Some("B=1\n"));
        check(None, "B=1\n", None);
    }

    #[test]
    fn what_is_no_variable_or_takes_a_shell_is_refused() {
        let check = |name: &str, value: Option<&str>, text: &str, expect: &str| {
            let error = Variable::new(name.into(), value.map(Into::into)).change(text.as_bytes()).unwrap_err();
            assert!(error.to_string().starts_with(expect), "{error}");
        };
        check("A-B", Some("1"), "", "the name of the variable can't be written");
        check("A", Some("1\n2"), "", "the value of the variable can't be written");
        check("A", Some("1"), "B=1\nA=$(date)\n", "line 2 can't be understood");
        check("A", Some("1"), "A=1\nA+=' 2'\n", "line 2 can't be understood");
        check("A", None, "A=1; B=2\n", "line 1 can't be understood");
    }
}
