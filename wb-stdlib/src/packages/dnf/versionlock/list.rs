//! The list of the plugin `versionlock` of dnf 4: lines `name-epoch:version-release.architecture`.

use crate::packages::version;
use crate::text_file::end_line;

/// Which a line may end with.
const ARCHITECTURES: [&str; 12] =
    ["*", "noarch", "x86_64", "i386", "i486", "i586", "i686", "aarch64", "armv7hl", "ppc64le", "s390x", "riscv64"];
/// What stands for other characters.
const WILD: [char; 3] = ['*', '?', '['];

pub(super) fn has(text: &str, name: &str) -> bool {
    text.lines().filter_map(held).any(|pattern| version::means(pattern, name))
}

/// With a version as rpm has it: without an epoch, that is 0.
pub(super) fn with(text: &str, name: &str, version: &str) -> String {
    let (epoch, version) = version.split_once(':').unwrap_or(("0", version));
    let mut text = without(text, name);
    end_line(&mut text);
    text + &format!("{name}-{epoch}:{version}.*\n")
}

pub(super) fn without(text: &str, name: &str) -> String {
    text.split_inclusive('\n').filter(|line| held(line) != Some(name)).collect()
}

/// The name, or the pattern of names, that a line keeps in one version; nothing where it allows several, or none.
fn held(line: &str) -> Option<&str> {
    let line = line.trim();
    if line.starts_with(['#', '!']) {
        return None;
    }
    let mut parts = without_architecture(line).rsplitn(3, '-');
    let (release, version, name) = (parts.next()?, parts.next()?, parts.next()?);
    // `kernel-devel-5.14` has no release: `devel` is a part of the name.
    let is_version = version.contains(':') || version.starts_with(|c: char| c.is_ascii_digit());
    (is_version && !version.contains(WILD) && !release.contains(WILD)).then_some(name)
}

fn without_architecture(line: &str) -> &str {
    let end = line.rsplit_once('.').filter(|(_, end)| ARCHITECTURES.contains(end));
    end.map_or(line, |(rest, _)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::dnf::versionlock::Versionlock;
    use crate::packages::holds::check_edits;

    /// dnf 4.14: `dnf versionlock add restic`, and an exclude.
    const CAPTURED: &str = "\n# Added lock on Sat Sep  5 16:14:05 2026\nrestic-0:0.18.1-1.fc42.*\n\n\
                            # Added exclude on Sat Sep  5 16:15:00 2026\n!nginx-1:1.26.2-1.fc42.*\n";

    #[test]
    fn a_line_of_one_version_holds() {
        let check = |line: &str, expect| assert_eq!(held(line), expect, "{line}");
        check("restic-0:0.18.1-1.fc42.*", Some("restic"));
        check("kernel-devel-0:5.14.0-1.el9.x86_64", Some("kernel-devel"));
        check("bash-5.1.8-9.el9", Some("bash"));
        check("php-*-0:8.2-1.*", Some("php-*"));
        check("kernel-5.14*", None);
        check("kernel-devel-5.14", None);
        check("kernel-0:5.14*-1.*", None);
        check("bash", None);
        check("!nginx-1:1.26.2-1.fc42.*", None);
        check("# restic-0:0.18.1-1.fc42.*", None);
        check("", None);
    }

    #[test]
    fn patterns_of_names_hold_too() {
        assert!(has("php-*-0:8.2-1.*\n", "php-fpm") && !has("php-*-0:8.2-1.*\n", "php"));
        assert!(has(CAPTURED, "restic") && !has(CAPTURED, "nginx"));
    }

    #[test]
    fn a_line_is_added_and_taken_away() {
        let list = Versionlock::List("/etc/list".into());
        let check = |text: &str, version: &str, with: &str, without: &str| {
            check_edits(&list, text, "nginx", version, with, without);
        };
        check(CAPTURED, "1:1.24-1.el9", &format!("{CAPTURED}nginx-1:1.24-1.el9.*\n"), CAPTURED);
        check("nginx-1:1.20-1.*\nvim-0:9-1.*", "1.24-1", "vim-0:9-1.*\nnginx-0:1.24-1.*\n", "vim-0:9-1.*\n");
        check("", "1.24-1", "nginx-0:1.24-1.*\n", "");
    }
}
