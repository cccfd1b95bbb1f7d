//! The way to a value in a tree: keys, and places in lists.

use super::Unfit;

/// A step on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// To what has this key in a table.
    Key(String),
    /// To the item of a list at this place; the first one is 0.
    Item(usize),
}

/// The steps of a path: keys as in TOML, with dots between them, and quoted where they have dots of their own; and places in
/// lists in brackets, as in `servers[0].port`.
pub(super) fn steps(path: &str) -> Result<Vec<Step>, Unfit> {
    parsed(path).ok_or_else(|| Unfit::BadKeys { path: path.to_owned() })
}

fn parsed(path: &str) -> Option<Vec<Step>> {
    let (first, mut rest) = path.split_at(bracket(path));
    let mut steps = if first.is_empty() && !rest.is_empty() { Vec::new() } else { keys(first)? };
    while let Some(item) = rest.strip_prefix('[') {
        let (place, after) = item.split_once(']')?;
        steps.push(Step::Item(number(place)?));
        rest = after;
        if let Some(more) = rest.strip_prefix('.') {
            let (more, after) = more.split_at(bracket(more));
            steps.extend(keys(more)?);
            rest = after;
        }
    }
    rest.is_empty().then_some(steps)
}

fn keys(text: &str) -> Option<Vec<Step>> {
    let keys = toml_edit::Key::parse(text).ok()?;
    Some(keys.iter().map(|key| Step::Key(key.get().to_owned())).collect())
}

fn number(text: &str) -> Option<usize> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Where the first bracket is that no quotes are around, or the end.
fn bracket(text: &str) -> usize {
    let (mut quote, mut is_escaped) = (None, false);
    for (at, letter) in text.char_indices() {
        match quote {
            _ if is_escaped => is_escaped = false,
            Some('"') if letter == '\\' => is_escaped = true,
            Some(open) if open == letter => quote = None,
            Some(_) => {}
            None if letter == '[' => return at,
            None if letter == '"' || letter == '\'' => quote = Some(letter),
            None => {}
        }
    }
    text.len()
}

/// The steps as people read them.
pub(super) fn way(steps: &[Step]) -> String {
    let mut way = String::new();
    for step in steps {
        match step {
            Step::Key(key) if way.is_empty() => way += key,
            Step::Key(key) => way += &format!(".{key}"),
            Step::Item(place) => way += &format!("[{place}]"),
        }
    }
    way
}

/// What they lead to, in a message.
pub(super) fn part(steps: &[Step]) -> String {
    if steps.is_empty() { "the whole of it".into() } else { format!("`{}`", way(steps)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_keys_of_toml() {
        let check = |path: &str, expect: &[&str]| {
            let expect: Vec<Step> = expect.iter().map(|key| Step::Key((*key).to_owned())).collect();
            assert_eq!(steps(path).unwrap(), expect);
        };
        check("a", &["a"]);
        check("a.b-c.1", &["a", "b-c", "1"]);
        check(r#"plugins."io.x".y"#, &["plugins", "io.x", "y"]);
        check("'a b'", &["a b"]);
        check(r#""a[0]".b"#, &["a[0]", "b"]);
    }

    #[test]
    fn places_in_lists_stand_in_brackets() {
        let check = |path: &str, expect: &str| {
            let steps = steps(path).unwrap();
            let said: Vec<String> = steps.iter().map(|step| format!("{step:?}")).collect();
            assert_eq!(said.join(" "), expect, "{path}");
        };
        check("a[0].b", r#"Key("a") Item(0) Key("b")"#);
        check("a.b[12][3]", r#"Key("a") Key("b") Item(12) Item(3)"#);
        check("[1].c.d[0]", r#"Item(1) Key("c") Key("d") Item(0)"#);
        check(r#""a[0]"[1].'b["'"#, r#"Key("a[0]") Item(1) Key("b[\"")"#);
        check(r#""a\"["[1]"#, r#"Key("a\"[") Item(1)"#);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for wrong in [
            "",
            "a..b",
            "a b",
            "a\n",
            "a[",
            "a[]",
            "a[x]",
            "a[-1]",
            "a[+1]",
            "a[0",
            "a[0]b",
            "a[0].",
            "a[0]..b",
            "a.[0]",
            ".a",
            "[",
            "]",
            "a]",
            "a[99999999999999999999]",
        ] {
            assert!(steps(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_way_is_shown_as_it_is_said() {
        for path in ["a", "a.b[0].c", "[1][2].d"] {
            assert_eq!(way(&steps(path).unwrap()), path);
        }
        assert_eq!((part(&[]), part(&[Step::Item(0)])), ("the whole of it".to_owned(), "`[0]`".to_owned()));
    }
}
