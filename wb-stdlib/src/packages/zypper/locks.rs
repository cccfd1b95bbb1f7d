//! `/etc/zypp/locks`: stanzas, of which each says what zypper is not to touch.

use crate::packages::holds::Holds;
use crate::packages::{PackageError, version};
use crate::text_file::end_line;

pub(super) struct Locks;

impl Holds for Locks {
    fn path(&self) -> &str {
        "/etc/zypp/locks"
    }

    fn has(&self, text: &str, name: &str) -> bool {
        stanzas(text).iter().filter_map(|stanza| held(stanza)).any(|pattern| version::means(pattern, name))
    }

    fn with(&self, text: &str, name: &str, _: &str) -> Result<String, PackageError> {
        if self.has(text, name) {
            return Ok(text.to_owned());
        }
        let mut text = text.to_owned();
        end_line(&mut text);
        let gap = if text.ends_with("\n\n") { "" } else { "\n" };
        let stanza = format!("{gap}type: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: {name}\n\n");
        Ok(text + &stanza)
    }

    fn without(&self, text: &str, name: &str) -> Result<String, PackageError> {
        Ok(stanzas(text).into_iter().filter(|stanza| held(stanza) != Some(name)).collect())
    }
}

/// The stanzas of a text, each with the empty lines that end it.
fn stanzas(text: &str) -> Vec<String> {
    let mut stanzas = vec![String::new()];
    for line in text.split_inclusive('\n') {
        if !line.trim().is_empty() && stanzas.last().is_some_and(|stanza| stanza.ends_with("\n\n")) {
            stanzas.push(String::new());
        }
        if let Some(stanza) = stanzas.last_mut() {
            stanza.push_str(line);
        }
    }
    stanzas
}

/// The name, or the pattern of names, that a stanza holds in whatever version and from wherever; nothing where it says
/// something else.
fn held(stanza: &str) -> Option<&str> {
    let mut name = None;
    for line in stanza.lines().filter(|line| !line.trim().is_empty()) {
        match line.split_once(':').map(|(key, value)| (key.trim(), value.trim())) {
            Some(("type", "package") | ("match_type", "glob" | "exact") | ("case_sensitive", _)) => {}
            Some(("solvable_name", value)) if name.is_none() => name = Some(value),
            _ => return None,
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::holds::check_edits;

    /// What `zypper addlock vim 'plymouth*'` writes on openSUSE Leap 15, and one for a version only.
    const CAPTURED: &str = "\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: vim\n\n\
                            type: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: plymouth*\n\n\
                            type: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: nano\nversion: < 7\n\n";

    #[test]
    fn what_is_locked_is_held() {
        let check = |name: &str, expect| assert_eq!(Locks.has(CAPTURED, name), expect, "{name}");
        check("vim", true);
        check("plymouth-scripts", true);
        check("nano", false);
        check("vi", false);
        let pattern = "type: pattern\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: devel_basis\n";
        assert!(!Locks.has(pattern, "devel_basis"));
        assert!(Locks.has("type: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: vim", "vim"));
    }

    #[test]
    fn a_stanza_is_added_and_taken_away() {
        let stanza = "type: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: nginx\n\n";
        let check = |text: &str, gap: &str| {
            check_edits(&Locks, text, "nginx", "1.0-1", &format!("{text}{gap}{stanza}"), &format!("{text}{gap}"));
        };
        check(CAPTURED, "");
        check("type: package\nsolvable_name: vim\n", "\n");
        check_edits(&Locks, "", "nginx", "1.0-1", &format!("\n{stanza}"), "");
        let others = Locks.without(CAPTURED, "vim").unwrap();
        assert!(others.starts_with("type: package\n") && others.ends_with("version: < 7\n\n"), "{others}");
    }
}
