//! What a line of an INI file is.

/// A line of an INI file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Row<'t> {
    Blank,
    Comment(&'t [u8]),
    Section(&'t [u8]),
    Option {
        key: &'t [u8],
        /// All before the value: indentation, key, `=` and blanks.
        head: &'t [u8],
        /// Nothing where there is no `=`.
        value: Option<&'t [u8]>,
    },
}

impl<'t> Row<'t> {
    pub(super) fn of(line: &'t [u8]) -> Self {
        let text = line.trim_ascii();
        match text.first() {
            None => Self::Blank,
            Some(b'#' | b';') => Self::Comment(text[1..].trim_ascii()),
            Some(b'[') => Self::header(text).map_or_else(|| Self::option(line), Self::Section),
            Some(_) => Self::option(line),
        }
    }

    fn header(text: &'t [u8]) -> Option<&'t [u8]> {
        let end = text.iter().position(|byte| *byte == b']')?;
        let rest = text[end + 1..].trim_ascii_start();
        matches!(rest.first(), None | Some(b'#' | b';')).then(|| text[1..end].trim_ascii())
    }

    fn option(line: &'t [u8]) -> Self {
        let Some(at) = line.iter().position(|byte| *byte == b'=') else {
            return Self::Option { key: line.trim_ascii(), head: line.trim_ascii_end(), value: None };
        };
        let value = line[at + 1..].trim_ascii();
        let blanks = line[at + 1..].len() - line[at + 1..].trim_ascii_start().len();
        let head = &line[..at + 1 + blanks];
        Self::Option { key: line[..at].trim_ascii(), head, value: Some(value) }
    }
}

/// How many blanks a line begins with.
pub(super) fn indentation(line: &[u8]) -> usize {
    line.len() - line.trim_ascii_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let check = |line: &'static str, expect: Row<'_>| assert_eq!(Row::of(line.as_bytes()), expect, "{line}");
        let option = |key: &'static str, head: &'static str, value: Option<&'static str>| Row::Option {
            key: key.as_bytes(),
            head: head.as_bytes(),
            value: value.map(str::as_bytes),
        };
        check("  ", Row::Blank);
        check("; port = 1", Row::Comment(b"port = 1"));
        check("#port=1", Row::Comment(b"port=1"));
        check(" [mysqld] # all", Row::Section(b"mysqld"));
        check("[remote \"origin\"]", Row::Section(b"remote \"origin\""));
        check("[a]=b", option("[a]", "[a]=", Some("b")));
        check("\tport  =  3306 ", option("port", "\tport  =  ", Some("3306")));
        check("skip-networking", option("skip-networking", "skip-networking", None));
        check("url=a=b", option("url", "url=", Some("a=b")));
        check("key =", option("key", "key =", Some("")));
    }
}
