//! Names and texts, as SQL has them.

/// The longest name in bytes. PostgreSQL would cut a longer one, and mean something else.
const LONGEST: usize = 63;

/// A name in its quotes.
pub(super) fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in its quotes, whatever the server takes a backslash for.
pub(super) fn text(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    match quoted.contains('\\') {
        true => format!(" E'{}'", quoted.replace('\\', r"\\")),
        false => format!("'{quoted}'"),
    }
}

/// Whether PostgreSQL keeps this as a name, and a line of a log shows it as one.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= LONGEST && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a quoted name or text as the server does, and what follows it.
    fn read(sql: &str, backslash_escapes: bool) -> Option<(String, String)> {
        let sql = sql.trim_start_matches(' ');
        let (sql, escapes) = match sql.strip_prefix('E') {
            Some(rest) => (rest, true),
            None => (sql, backslash_escapes),
        };
        let mut chars = sql.chars().peekable();
        let quote = chars.next()?;
        let escapes = escapes && quote == '\'';
        let mut value = String::new();
        loop {
            match chars.next()? {
                c if c == quote && chars.peek() == Some(&quote) => value.extend(chars.next()),
                c if c == quote => return Some((value, chars.collect())),
                '\\' if escapes => value.push(chars.next().filter(|c| *c == '\\')?),
                c => value.push(c),
            }
        }
    }

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(name("shop"), r#""shop""#);
        assert_eq!(name(r#"a"; DROP DATABASE b; --"#), r#""a""; DROP DATABASE b; --""#);
        assert_eq!(text("it's"), "'it''s'");
        assert_eq!(text(r"C:\data"), r" E'C:\\data'");
    }

    #[test]
    fn only_what_is_kept_whole_is_a_name() {
        let check = |name: &str, expect| assert_eq!(is_name(name), expect, "{name}");
        check("shop", true);
        check("-x: a/b \u{fc}\"'", true);
        check("", false);
        check("a\nb", false);
        check("a\0b", false);
        check(&"x".repeat(63), true);
        check(&"x".repeat(64), false);
        check(&"\u{fc}".repeat(32), false);
    }

    proptest! {
        #[test]
        fn what_is_quoted_reads_as_it_was_and_ends_there(value in r#"[a-z"'\\;: \n$\-]{0,12}|\PC{0,12}"#, escapes: bool) {
            let follows = "; SELECT 1".to_owned();
            let expect = Some((value.clone(), follows.clone()));
            prop_assert_eq!(read(&format!("{}{follows}", name(&value)), escapes), expect.clone());
            prop_assert_eq!(read(&format!("{}{follows}", text(&value)), escapes), expect);
        }
    }
}
