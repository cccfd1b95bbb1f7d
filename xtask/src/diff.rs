//! How texts change, for people.

use similar::TextDiff;

/// A unified diff of a file; nothing where nothing changes.
#[must_use]
pub fn unified(file: &str, old: Option<&str>, new: &str) -> Option<String> {
    let before = if old.is_some() { file } else { "/dev/null" };
    let old = old.unwrap_or_default();
    (old != new)
        .then(|| TextDiff::from_lines(old, new).unified_diff().context_radius(3).header(before, file).to_string())
}

/// As [`unified`], for what may be no text.
#[must_use]
pub fn of_bytes(file: &str, old: Option<&[u8]>, new: &[u8]) -> Option<String> {
    match (old.map(std::str::from_utf8).transpose(), std::str::from_utf8(new)) {
        (Ok(old), Ok(new)) => unified(file, old, new),
        _ if old == Some(new) => None,
        _ => Some(format!("{file}: {} bytes, now {} bytes\n", old.map_or(0, <[u8]>::len), new.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_names_the_file() {
        assert_eq!(unified("a", Some("b\n"), "b\n"), None);
        assert_eq!(unified("a", Some("b\n"), "c\n").unwrap(), "--- a\n+++ a\n@@ -1 +1 @@\n-b\n+c\n");
        assert_eq!(unified("a", None, "c\n").unwrap(), "--- /dev/null\n+++ a\n@@ -0,0 +1 @@\n+c\n");
    }

    #[test]
    fn bytes_are_counted() {
        assert_eq!(of_bytes("a", Some(b"\xff"), b"\xff"), None);
        assert_eq!(of_bytes("a", Some(b"\xff"), b"ab").unwrap(), "a: 1 bytes, now 2 bytes\n");
        assert_eq!(of_bytes("a", Some(b"b\n"), b"b\n"), None);
    }
}
