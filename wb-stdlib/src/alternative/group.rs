//! What there is to choose from, as dpkg stores it.

use std::path::Path;

/// What there is to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// Whether the best is chosen, and not what somebody chose.
    pub(super) is_auto: bool,
    choices: Vec<(String, i64)>,
}

impl Group {
    /// Reads `auto` or `manual`, the path of the link, pairs of lines with the name and link of each slave, an empty line,
    /// and for each choice its path, its priority, and a line for each slave.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let is_auto = match lines.next()? {
            "auto" => true,
            "manual" => false,
            _ => return None,
        };
        lines.next()?;
        let mut slaves = 0;
        while !lines.next()?.is_empty() {
            lines.next()?;
            slaves += 1;
        }
        let mut choices = Vec::new();
        while let Some(path) = lines.next().filter(|path| !path.is_empty()) {
            choices.push((path.to_owned(), lines.next()?.trim().parse().ok()?));
            for _ in 0..slaves {
                lines.next()?;
            }
        }
        Some(Self { is_auto, choices })
    }

    pub(super) fn has(&self, path: &Path) -> bool {
        self.choices.iter().any(|(choice, _)| Path::new(choice) == path)
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.choices.iter().map(|(choice, _)| choice.clone()).collect()
    }

    /// The choice with the highest priority; of several, the first.
    pub(super) fn best(&self) -> Option<&Path> {
        let mut best: Option<&(String, i64)> = None;
        for choice in &self.choices {
            if best.is_none_or(|best| choice.1 > best.1) {
                best = Some(choice);
            }
        }
        best.map(|(path, _)| Path::new(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// dpkg 1.21.22 of Debian 12.
    const AWK: &str = "auto\n/usr/bin/awk\nawk.1.gz\n/usr/share/man/man1/awk.1.gz\nnawk\n/usr/bin/nawk\nnawk.1.gz\n\
        /usr/share/man/man1/nawk.1.gz\n\n/usr/bin/gawk\n10\n/usr/share/man/man1/gawk.1.gz\n\n\n/usr/bin/mawk\n5\n\
        /usr/share/man/man1/mawk.1.gz\n/usr/bin/mawk\n/usr/share/man/man1/mawk.1.gz\n\n";

    #[test]
    fn choices_are_read_with_their_slaves() {
        let group = Group::parse(AWK).unwrap();
        assert!(group.is_auto);
        assert_eq!(group.paths(), ["/usr/bin/gawk", "/usr/bin/mawk"]);
        assert_eq!(group.best(), Some(Path::new("/usr/bin/gawk")));
        assert!(group.has(Path::new("/usr/bin/mawk")) && !group.has(Path::new("/usr/bin/nawk")));
    }

    #[test]
    fn without_slaves_choices_follow_at_once() {
        let group = Group::parse("manual\n/usr/bin/editor\n\n/bin/ed\n-100\n/bin/nano\n40\n\n").unwrap();
        assert!(!group.is_auto);
        assert_eq!(group.paths(), ["/bin/ed", "/bin/nano"]);
        assert_eq!(group.best(), Some(Path::new("/bin/nano")));
    }

    #[test]
    fn what_is_none_is_none() {
        let check = |text: &str| assert_eq!(Group::parse(text), None, "{text}");
        check("");
        check("auto\n");
        check("neither\n/usr/bin/editor\n\n\n");
        check("auto\n/usr/bin/editor\n\n/bin/ed\nmuch\n\n");
    }
}
