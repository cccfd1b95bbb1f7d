//! `IgnorePkg` of pacman.conf(5): which packages stay as they are when all are upgraded.

use crate::packages::holds::Holds;
use crate::packages::{PackageError, version};
use crate::pacman_conf::{PATH, header};
use crate::text_file::end_line;

const KEY: &str = "IgnorePkg";

pub(super) struct Ignored;

impl Holds for Ignored {
    fn path(&self) -> &str {
        PATH
    }

    fn has(&self, text: &str, name: &str) -> bool {
        let mut patterns = rows(text).filter_map(|row| row.ignored).flat_map(str::split_whitespace);
        patterns.any(|pattern| version::means(pattern, name))
    }

    fn with(&self, text: &str, name: &str, _: &str) -> Result<String, PackageError> {
        if self.has(text, name) {
            return Ok(text.to_owned());
        }
        let rows: Vec<Row<'_>> = rows(text).collect();
        if let Some(at) = rows.iter().rposition(|row| row.ignored.is_some()) {
            return Ok(replaced(&rows, at, &format!("{} {name}\n", rows[at].line.trim_end())));
        }
        let said = format!("{KEY} = {name}\n");
        if let Some(at) = rows.iter().position(|row| header(row.line) == Some("options")) {
            return Ok(replaced(&rows, at, &format!("{}\n{said}", rows[at].line.trim_end())));
        }
        let mut text = text.to_owned();
        end_line(&mut text);
        Ok(text + "[options]\n" + &said)
    }

    fn without(&self, text: &str, name: &str) -> Result<String, PackageError> {
        Ok(rows(text).map(|row| row.without(name)).collect())
    }
}

/// A line with its end, and which packages it ignores where it does.
struct Row<'t> {
    line: &'t str,
    ignored: Option<&'t str>,
}

fn rows(text: &str) -> impl Iterator<Item = Row<'_>> {
    let mut is_of_options = false;
    text.split_inclusive('\n').map(move |line| {
        if let Some(name) = header(line) {
            is_of_options = name == "options";
        }
        let option = line.split_once('=').filter(|(key, _)| is_of_options && key.trim() == KEY);
        Row { line, ignored: option.map(|(_, value)| value.trim()) }
    })
}

impl Row<'_> {
    fn without(&self, name: &str) -> String {
        let ignored = self.ignored.unwrap_or_default();
        if !ignored.split_whitespace().any(|word| word == name) {
            return self.line.to_owned();
        }
        let kept: Vec<&str> = ignored.split_whitespace().filter(|word| *word != name).collect();
        let key = self.line.split_once('=').map_or(KEY, |(key, _)| key);
        if kept.is_empty() { String::new() } else { format!("{key}= {}\n", kept.join(" ")) }
    }
}

fn replaced(rows: &[Row<'_>], at: usize, with: &str) -> String {
    rows.iter().enumerate().map(|(nth, row)| if nth == at { with } else { row.line }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::holds::check_edits;

    /// The beginning of what Arch comes with.
    const CAPTURED: &str = "#\n# /etc/pacman.conf\n#\n[options]\nHoldPkg     = pacman glibc\nArchitecture = auto\n\n\
                            # Pacman won't upgrade packages listed in IgnorePkg and members of IgnoreGroup\n\
                            #IgnorePkg   =\n#IgnoreGroup =\n\n[core]\nInclude = /etc/pacman.d/mirrorlist\n";

    #[test]
    fn what_is_ignored_is_held() {
        let text = "[options]\nIgnorePkg = linux linux-*\n IgnorePkg=nginx\n#IgnorePkg = vim\n\
                    [core]\nIgnorePkg = nano\n";
        let check = |name: &str, expect| assert_eq!(Ignored.has(text, name), expect, "{name}");
        check("linux", true);
        check("linux-lts", true);
        check("nginx", true);
        check("linuxdoc", false);
        check("vim", false);
        check("nano", false);
        assert!(!Ignored.has(CAPTURED, "pacman"));
    }

    #[test]
    fn a_name_is_added_and_taken_away() {
        let check = |text: &str, with: &str, without: &str| {
            check_edits(&Ignored, text, "nginx", "1.0-1", with, without);
        };
        let held = CAPTURED.replace("[options]\n", "[options]\nIgnorePkg = nginx\n");
        check(CAPTURED, &held, CAPTURED);
        check(
            "[options]\nIgnorePkg   = linux\nColor\n",
            "[options]\nIgnorePkg   = linux nginx\nColor\n",
            "[options]\nIgnorePkg   = linux\nColor\n",
        );
        check("[options]\nIgnorePkg =\n", "[options]\nIgnorePkg = nginx\n", "[options]\n");
        check("[core]", "[core]\n[options]\nIgnorePkg = nginx\n", "[core]\n[options]\n");
        check("", "[options]\nIgnorePkg = nginx\n", "[options]\n");
    }

    #[test]
    fn each_line_that_has_the_name_loses_it() {
        let text = "[options]\nIgnorePkg = a nginx\nIgnorePkg = nginx\nIgnorePkg = nginx b\n";
        assert_eq!(Ignored.without(text, "nginx").unwrap(), "[options]\nIgnorePkg = a\nIgnorePkg = b\n");
    }
}
