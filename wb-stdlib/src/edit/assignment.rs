//! Assignments of shell variables, as they stand in `/etc/default/…`.

use std::ops::Range;

/// A part of a text: an assignment with all its lines, or another line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'t> {
    /// Its bytes, with the line end.
    pub(super) range: Range<usize>,
    pub(super) kind: Kind<'t>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind<'t> {
    Other,
    Assignment(Assignment<'t>),
    /// It assigns this variable, and how is for a shell to say.
    Unclear(&'t [u8]),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assignment<'t> {
    pub(super) name: &'t [u8],
    /// Where the value stands, with its quotes.
    pub(super) value: Range<usize>,
    /// What it says; nothing where a shell would put something else in.
    pub(super) literal: Option<Vec<u8>>,
    /// Whether other commands stand behind it.
    pub(super) is_alone: bool,
}

/// All parts of a text.
pub(super) fn pieces(text: &[u8]) -> Vec<Piece<'_>> {
    let (mut pieces, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let piece = piece(text, at);
        at = piece.range.end;
        pieces.push(piece);
    }
    pieces
}

fn piece(text: &[u8], start: usize) -> Piece<'_> {
    let other = |kind| Piece { range: start..after_line(text, start), kind };
    let Some((name, sign, at)) = assigned(text, start) else { return other(Kind::Other) };
    let Some((end, literal)) = word(text, at) else { return other(Kind::Unclear(name)) };
    let rest_end = after_line(text, end);
    let rest = &text[end..rest_end];
    let is_alone = matches!(rest.trim_ascii_start().first(), None | Some(b'#'));
    if !is_alone && rest.trim_ascii_start().first() != Some(&b';') {
        // The variable is for the command that follows, or there is an operator.
        return other(Kind::Other);
    }
    if sign == Sign::Add {
        return Piece { range: start..rest_end, kind: Kind::Unclear(name) };
    }
    let assignment = Assignment { name, value: at..end, literal, is_alone };
    Piece { range: start..rest_end, kind: Kind::Assignment(assignment) }
}

/// How a value is assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// By `=`.
    Set,
    /// By `+=`, to the end of what the variable says already.
    Add,
}

/// The name that a line assigns, how, and where the value starts.
fn assigned(text: &[u8], start: usize) -> Option<(&[u8], Sign, usize)> {
    let mut at = after_blanks(text, start);
    if text[at..].starts_with(b"export ") || text[at..].starts_with(b"export\t") {
        at = after_blanks(text, at + b"export".len());
    }
    let length = text[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    let name = &text[at..at + length];
    let (sign, value) = match &text[at + length..] {
        [b'=', ..] => (Sign::Set, at + length + 1),
        [b'+', b'=', ..] => (Sign::Add, at + length + 2),
        _ => return None,
    };
    is_name(name).then_some((name, sign, value))
}

/// Whether a variable can be called so.
pub(super) fn is_name(name: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    name.first().is_some_and(|first| !first.is_ascii_digit()) && name.iter().all(is_part)
}

/// The end of the word that starts there, and what it says. Nothing where that is too much for us: a command in it, a
/// list, a quote that is not closed.
fn word(text: &[u8], start: usize) -> Option<(usize, Option<Vec<u8>>)> {
    let (mut at, mut said, mut is_literal) = (start, Vec::new(), true);
    while let Some(byte) = text.get(at) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' => break,
            b'(' | b')' | b'`' => return None,
            b'$' if matches!(text.get(at + 1), Some(b'(' | b'{' | b'\'' | b'"')) => return None,
            b'$' => is_literal = false,
            b'~' if at == start => is_literal = false,
            b'\'' => {
                let length = text[at + 1..].iter().position(|byte| *byte == b'\'')?;
                said.extend_from_slice(&text[at + 1..at + 1 + length]);
                at += length + 2;
                continue;
            }
            b'"' => {
                let (end, is_plain) = double_quoted(text, at + 1, &mut said)?;
                is_literal &= is_plain;
                at = end;
                continue;
            }
            b'\\' => {
                at += 1;
                said.extend(text.get(at).filter(|next| **next != b'\n'));
            }
            plain => said.push(*plain),
        }
        at += 1;
    }
    Some((at.min(text.len()), is_literal.then_some(said)))
}

/// Reads up to behind the closing quote; whether nothing in it is expanded.
fn double_quoted(text: &[u8], start: usize, said: &mut Vec<u8>) -> Option<(usize, bool)> {
    let (mut at, mut is_literal) = (start, true);
    loop {
        match text.get(at)? {
            b'"' => return Some((at + 1, is_literal)),
            b'`' => return None,
            b'$' if matches!(text.get(at + 1), Some(b'(' | b'{')) => return None,
            b'$' => is_literal = false,
            b'\\' => match text.get(at + 1)? {
                b'\n' => at += 1,
                escaped @ (b'"' | b'\\' | b'$' | b'`') => {
                    said.push(*escaped);
                    at += 1;
                }
                _ => said.push(b'\\'),
            },
            plain => said.push(*plain),
        }
        at += 1;
    }
}

fn after_blanks(text: &[u8], at: usize) -> usize {
    at + text[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

fn after_line(text: &[u8], at: usize) -> usize {
    text[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| at + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_say_what_a_shell_reads() {
        let check = |text: &str, expect: Option<&str>| match &pieces(text.as_bytes())[..] {
            [Piece { kind: Kind::Assignment(found), .. }] => {
                assert_eq!(found.literal.as_deref(), expect.map(str::as_bytes), "{text}");
            }
            other => panic!("{text}: {other:?}"),
        };
        check("A=b\n", Some("b"));
        check("  export A=b", Some("b"));
        check("A=", Some(""));
        check("A='x $y' # why", Some("x $y"));
        check(r#"A="x \"y\" \$z \n""#, Some(r#"x "y" $z \n"#));
        check("A=\"one\ntwo\"\n", Some("one\ntwo"));
        check("A=x\\ y'z'\"!\"", Some("x yz!"));
        check("A=\"$B\"", None);
        check("A=$B", None);
        check("A=~/x", None);
        check("A=b; export A\n", Some("b"));
        check("A=b\r\n", Some("b"));
    }

    #[test]
    fn lines_that_assign_nothing_are_others() {
        let check = |text: &str, expect: &[bool]| {
            let assigns = |piece: &Piece<'_>| piece.kind != Kind::Other;
            assert_eq!(pieces(text.as_bytes()).iter().map(assigns).collect::<Vec<_>>(), expect, "{text}");
        };
        check("# A=b\n\nA=b\n", &[false, false, true]);
        check("A=b command\n", &[false]);
        check("1A=b\n-A=b\n", &[false, false]);
        check("A+b\nA+=b command\n+=b\n", &[false, false, false]);
        check("B=\"\nA=b\n\"\nA=c\n", &[true, true]);
    }

    #[test]
    fn what_only_a_shell_understands_is_unclear() {
        let check = |text: &str| {
            assert!(matches!(pieces(text.as_bytes())[0].kind, Kind::Unclear(b"A")), "{text}");
        };
        check("A=$(uname -r)\n");
        check("A=\"`uname`\"\n");
        check("A=(1 2)\n");
        check("A=\"${B:-c d}\"\n");
        check("A=\"never closed\n");
        check("A+=b\n");
        check("export A+='b\nc'");
        check("A+=(1 2)\n");
    }
}
