//! The text of a template, as pieces.

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text that stays as it is.
    Text(String),
    /// `{{ key }}`.
    Placeholder {
        /// Its line, counted from 1.
        line: usize,
        /// Which value stands here.
        key: String,
    },
}

impl Piece {
    /// The key of a placeholder.
    pub(super) fn key(&self) -> Option<&str> {
        self.placeholder().map(|(_, key)| key)
    }

    /// The line and key of a placeholder.
    pub(super) fn placeholder(&self) -> Option<(usize, &str)> {
        match self {
            Self::Text(_) => None,
            Self::Placeholder { line, key } => Some((*line, key)),
        }
    }

    /// The piece as part of a format string; `position` says which argument a key is.
    pub(super) fn format(&self, position: impl Fn(&str) -> usize) -> String {
        match self {
            Self::Text(text) => text.replace('{', "{{").replace('}', "}}"),
            Self::Placeholder { key, .. } => format!("{{{}}}", position(key)),
        }
    }
}

/// What is wrong in a template, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextError {
    pub(super) line: usize,
    pub(super) what: String,
}

/// Takes a template apart.
pub(super) fn parse(text: &str) -> Result<Vec<Piece>, TextError> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        let line = text[..text.len() - after.len()].matches('\n').count() + 1;
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let (piece, after) = placeholder(after, line)?;
        pieces.push(piece);
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

/// What stands after two braces, up to the closing ones.
fn placeholder(text: &str, line: usize) -> Result<(Piece, &str), TextError> {
    let inner = text.trim_start();
    if let Some((literal, after)) = inner.strip_prefix('"').and_then(|quoted| quoted.split_once('"'))
        && let Some(after) = after.trim_start().strip_prefix("}}")
    {
        return Ok((Piece::Text(literal.to_owned()), after));
    }
    let end = "}}";
    let (key, after) = text.split_once(end).ok_or_else(|| {
        let what = "`{{` is never closed; to write two braces, write `{{ \"{{\" }}`";
        TextError { line, what: what.to_owned() }
    })?;
    let key = key.trim();
    if key.starts_with(|c: char| c.is_ascii_digit())
        || key.is_empty()
        || !key.chars().all(|c| c.is_alphanumeric() || c == '_')
    {
        let key: String = key.chars().take(40).collect();
        let what =
            format!("`{key}` is no name; a placeholder is `{{{{ name }}}}`, two braces are `{{{{ \"{{{{\" }}}}`");
        return Err(TextError { line, what });
    }
    Ok((Piece::Placeholder { line, key: key.to_owned() }, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let shown = match parse(text) {
            Ok(pieces) => pieces.iter().map(|piece| piece.format(|key| key.len())).collect(),
            Err(error) => format!("line {}: {}", error.line, error.what),
        };
        assert_eq!(shown, expect);
    }

    #[test]
    fn placeholders_are_found() {
        check("a {{ key }} b\n{{key}}", "a {3} b\n{3}");
        check("{{ a }}{{ bb }}", "{1}{2}");
        check("", "");
    }

    #[test]
    fn single_braces_are_text() {
        check("server { listen 80; }", "server {{ listen 80; }}");
    }

    #[test]
    fn braces_can_be_written() {
        check(r#"{{ "{{" }} x {{ "}}" }}"#, "{{{{ x }}}}");
    }

    #[test]
    fn mistakes_have_a_line() {
        check("a\n{{ b", "line 2: `{{` is never closed; to write two braces, write `{{ \"{{\" }}`");
        check(
            "\n\n{{ a b }}",
            "line 3: `a b` is no name; a placeholder is `{{ name }}`, two braces are `{{ \"{{\" }}`",
        );
        check("{{ }}", "line 1: `` is no name; a placeholder is `{{ name }}`, two braces are `{{ \"{{\" }}`");
    }
}
