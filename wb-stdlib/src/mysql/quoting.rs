//! Names and texts, as SQL has them in a session of ours: with `sql_mode = ''`, a backslash escapes, and `"` is for texts.

/// A name in its quotes.
pub(super) fn name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text in its quotes.
pub(super) fn text(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', "''"))
}

/// A user and where they come from.
pub(super) fn account(user: &str, host: &str) -> String {
    format!("{}@{}", text(user), text(host))
}

/// A name of a database as `GRANT` has it, where `_` and `%` stand for others if nothing is in front of them.
pub(super) fn pattern(database: &str) -> String {
    name(&database.replace('\\', r"\\").replace('_', r"\_").replace('%', r"\%"))
}

/// Whether this is a name of at most so many characters, and a line of a log shows it as one.
pub(super) fn is_name(name: &str, longest: usize) -> bool {
    !name.is_empty() && name.chars().count() <= longest && !name.chars().any(|c| c.is_control() || c > '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a quoted name or text as the server does, and what follows it.
    fn read(sql: &str) -> Option<(String, String)> {
        let mut chars = sql.chars().peekable();
        let quote = chars.next()?;
        let mut value = String::new();
        loop {
            match chars.next()? {
                c if c == quote && chars.peek() == Some(&quote) => value.extend(chars.next()),
                c if c == quote => return Some((value, chars.collect())),
                '\\' if quote == '\'' => value.extend(chars.next()),
                c => value.push(c),
            }
        }
    }

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(name("shop"), "`shop`");
        assert_eq!(name("a`; DROP DATABASE b; --"), "`a``; DROP DATABASE b; --`");
        assert_eq!(text(r"it's a \"), r"'it''s a \\'");
        assert_eq!(account("app", "10.%"), "'app'@'10.%'");
        assert_eq!(pattern("my_shop"), r"`my\_shop`");
    }

    #[test]
    fn only_what_fits_is_a_name() {
        let check = |name: &str, expect| assert_eq!(is_name(name, 64), expect, "{name}");
        check("shop", true);
        check("-x: a/b \u{fc}`'", true);
        check("", false);
        check("a\nb", false);
        check("a\0b", false);
        check(&"\u{fc}".repeat(64), true);
        check(&"x".repeat(65), false);
        check("\u{1f40e}", false);
    }

    proptest! {
        #[test]
        fn what_is_quoted_reads_as_it_was_and_ends_there(value in r#"[a-z`"'\\;: \n$\-]{0,12}|\PC{0,12}"#) {
            let follows = "; SELECT 1".to_owned();
            let expect = Some((value.clone(), follows.clone()));
            prop_assert_eq!(read(&format!("{}{follows}", name(&value))), expect.clone());
            prop_assert_eq!(read(&format!("{}{follows}", text(&value))), expect);
        }
    }
}
