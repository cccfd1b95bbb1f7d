//! How contents differ, for people.

use std::path::Path;

use similar::TextDiff;

/// The longest content, in bytes, of which the lines are compared.
pub(super) const LONGEST: u64 = 256 * 1024;
/// The longest difference that is shown, in lines.
const SHOWN: usize = 200;

/// What stands for the content of a private file.
pub(super) const WITHHELD: &str = "content differs; it is private, and not shown";

/// How `new` differs from `old`: a unified diff, or a line where that would not help. Nothing when they are the same.
pub(super) fn content(old: Option<&[u8]>, new: &[u8], path: &Path) -> Option<String> {
    if old == Some(new) {
        return None;
    }
    let before = old.unwrap_or_default();
    match (std::str::from_utf8(before), std::str::from_utf8(new)) {
        (Ok(_), Ok("")) if old.is_none() => Some("new, empty".into()),
        (Ok(before), Ok(after)) if (new.len() as u64) <= LONGEST => Some(unified(old.is_none(), before, after, path)),
        _ => Some(sizes(before.len() as u64, new.len())),
    }
}

/// The line for contents that can't be shown.
pub(super) fn sizes(old: u64, new: usize) -> String {
    format!("{old} bytes -> {new} bytes, content differs")
}

/// The start of a text that has so many lines, as much of it as helps in a message.
pub(super) fn start(text: &str, lines: usize) -> String {
    cut(text, 20, lines)
}

fn unified(is_new: bool, old: &str, new: &str, path: &Path) -> String {
    let path = path.display().to_string();
    let before = if is_new { "/dev/null" } else { &path };
    let diff = TextDiff::from_lines(old, new).unified_diff().context_radius(3).header(before, &path).to_string();
    let diff = diff.trim_end_matches('\n');
    cut(diff, SHOWN, diff.lines().count())
}

fn cut(text: &str, shown: usize, all: usize) -> String {
    match text.lines().count() > shown {
        true => {
            let lines: Vec<&str> = text.lines().take(shown).collect();
            format!("{}\n({} more lines)", lines.join("\n"), all.saturating_sub(shown))
        }
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(old: Option<&[u8]>, new: &[u8], expect: Option<&str>) {
        assert_eq!(content(old, new, Path::new("/etc/a")).as_deref(), expect);
    }

    #[test]
    fn texts_differ_by_lines() {
        check(Some(b"a\nb\n"), b"a\nb\n", None);
        check(Some(b"a\nb\n"), b"a\nc\n", Some("--- /etc/a\n+++ /etc/a\n@@ -1,2 +1,2 @@\n a\n-b\n+c"));
        check(None, b"a\n", Some("--- /dev/null\n+++ /etc/a\n@@ -0,0 +1 @@\n+a"));
        check(None, b"", Some("new, empty"));
    }

    #[test]
    fn bytes_differ_by_their_number() {
        check(Some(b"\xff\xfe"), b"abc", Some("2 bytes -> 3 bytes, content differs"));
        check(None, b"\xff", Some("0 bytes -> 1 bytes, content differs"));
    }

    #[test]
    fn long_differences_are_cut() {
        let new = "x\n".repeat(1000);
        let diff = content(None, new.as_bytes(), Path::new("/etc/a")).unwrap();
        assert!(diff.ends_with("+x\n(803 more lines)"), "{diff}");
    }
}
