//! Which packages a chain names: for a machine whose hosts can't reach the mirrors, so that it downloads them itself.

use std::collections::BTreeSet;

/// The packages that a source file names in full, as in `host.packages(["nginx", "curl"])`.
#[must_use]
pub fn named(text: &str) -> BTreeSet<String> {
    let calls = text.match_indices(".packages(").map(|(at, call)| &text[at + call.len()..]);
    let arguments = calls.map(|rest| rest.split(')').next().unwrap_or_default());
    let words = arguments.flat_map(|arguments| arguments.split('"').skip(1).step_by(2));
    words.filter(|word| is_name(word)).map(str::to_owned).collect()
}

/// Whether it can be the name of a package of Debian.
fn is_name(word: &str) -> bool {
    let is_fit = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || b"+-.".contains(&letter);
    word.len() >= 2 && word.bytes().all(is_fit) && word.starts_with(|first: char| first.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_found_where_they_are_asked_for() {
        let check = |text: &str, expect: &[&str]| {
            assert_eq!(named(text).iter().map(String::as_str).collect::<Vec<_>>(), expect, "{text}");
        };
        check("", &[]);
        check("host.packages([\"nginx\", \"libssl3\"]).installed()?; f(\"a\")", &["libssl3", "nginx"]);
        check("host\n    .packages([\n        \"g++\",\n    ])", &["g++"]);
        check("host.packages([name]).purged()", &[]);
        check("host.packages([\"Nginx\", \"a b\", \"x\", \"-a\"])", &[]);
        check("packages(\"a1\"", &[]);
    }
}
