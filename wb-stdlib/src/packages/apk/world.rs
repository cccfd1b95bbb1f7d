//! `/etc/apk/world`: what somebody asked for, each as `name`, or as `name=version` where it stays in that version.

use crate::packages::PackageError;
use crate::packages::holds::Holds;
use crate::text_file::end_line;

pub(super) struct World;

/// An entry, as in `nginx`, `nginx@edge`, `nginx=1.24.0-r15`, `nginx@edge~1.24`.
struct Entry<'t> {
    name: &'t str,
    /// With its `@`.
    tag: &'t str,
    /// With its sign.
    version: &'t str,
}

impl<'t> Entry<'t> {
    fn of(word: &'t str) -> Self {
        let (name, rest) = word.split_at(word.find(['<', '>', '=', '~', '@']).unwrap_or(word.len()));
        let (tag, version) = rest.split_at(rest.find(['<', '>', '=', '~']).unwrap_or(rest.len()));
        Self { name, tag, version }
    }

    /// Whether it allows one version only. `=~` is another way to write `~`.
    fn is_held(&self) -> bool {
        self.version.strip_prefix('=').is_some_and(|version| !version.starts_with('~'))
    }
}

impl Holds for World {
    fn path(&self) -> &str {
        "/etc/apk/world"
    }

    fn has(&self, text: &str, name: &str) -> bool {
        text.split_whitespace().map(Entry::of).any(|entry| entry.name == name && entry.is_held())
    }

    /// What was there for another package only is now asked for by itself.
    fn with(&self, text: &str, name: &str, version: &str) -> Result<String, PackageError> {
        if has_entry(text, name) {
            return Ok(with_version(text, name, &format!("={version}")));
        }
        let mut text = text.to_owned();
        end_line(&mut text);
        Ok(text + name + "=" + version + "\n")
    }

    fn without(&self, text: &str, name: &str) -> Result<String, PackageError> {
        Ok(if self.has(text, name) { with_version(text, name, "") } else { text.to_owned() })
    }
}

fn has_entry(text: &str, name: &str) -> bool {
    text.split_whitespace().any(|word| Entry::of(word).name == name)
}

/// The text in which the entry of a package has this version, with its sign.
fn with_version(text: &str, name: &str, version: &str) -> String {
    let word = |word: &str| match Entry::of(word) {
        entry if entry.name == name => format!("{name}{}{version}", entry.tag),
        _ => word.to_owned(),
    };
    let line = |line: &str| match has_entry(line, name) {
        true => line.split_whitespace().map(word).collect::<Vec<_>>().join(" ") + "\n",
        false => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::holds::check_edits;

    /// Alpine 3.19.
    const CAPTURED: &str = "alpine-base\nnginx\nopenssl@edge\nphp82~8.2.13\n";

    #[test]
    fn an_exact_version_is_a_hold() {
        let text = "alpine-base\nbusybox=1.36.1-r15\nopenssl@edge=3.1.4-r5\nphp82=~8.2\nmusl<2\n!dash\n";
        let check = |name: &str, expect| assert_eq!(World.has(text, name), expect, "{name}");
        check("busybox", true);
        check("openssl", true);
        check("alpine-base", false);
        check("php82", false);
        check("musl", false);
        check("dash", false);
        check("busy", false);
    }

    #[test]
    fn an_entry_gets_its_version_and_loses_it() {
        let check = |text: &str, name: &str, with: &str, without: &str| {
            check_edits(&World, text, name, "1.2-r0", with, without);
        };
        let held = CAPTURED.replace("nginx", "nginx=1.2-r0");
        check(CAPTURED, "nginx", &held, CAPTURED);
        let held = CAPTURED.replace("openssl@edge", "openssl@edge=1.2-r0");
        check(CAPTURED, "openssl", &held, CAPTURED);
        check("php82~8.2.13\n", "php82", "php82=1.2-r0\n", "php82\n");
        check("a nginx=1.0-r0 b\n", "nginx", "a nginx=1.2-r0 b\n", "a nginx b\n");
        check("", "nginx", "nginx=1.2-r0\n", "nginx\n");
        check("a", "musl", "a\nmusl=1.2-r0\n", "a\nmusl\n");
    }
}
