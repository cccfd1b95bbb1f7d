//! Which paths of two disks may differ: what never stays the same, and what people reviewed.
//!
//! The reviewed list of a baseline is a file `baselines/NAME.allow` of the crate with the migrations. Each line is a path
//! and why it may differ: `/etc/shop/secret  # each host makes its own`. In a path, `?` stands for a letter, `*` for any of
//! them, and a part `**` for any number of directories, none as well.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::glob::matches;
use crate::sandbox::restless::is_restless;

/// Paths that may differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowed {
    lines: Vec<Line>,
    paths: BTreeSet<PathBuf>,
}

/// A line of a reviewed list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Counted from 1.
    pub number: usize,
    /// The paths.
    pub glob: String,
    /// Why they may differ.
    pub reason: String,
}

/// A line that allows nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {number}, `{text}`: {why}")]
pub struct NotAllowed {
    /// Counted from 1.
    pub number: usize,
    /// The line.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// What differs between any two hosts, and between any two runs, beside what is restless: what is a host's own, what was
/// looked up, what a server keeps in an order of its own. What packages there are is compared by itself.
const NEVER_THE_SAME: [&str; 23] = [
    "/etc/*-",
    "/etc/.pwd.lock",
    "/etc/ld.so.cache",
    "/etc/machine-id",
    "/etc/ssh/ssh_host_*",
    "/etc/ssl/certs/ssl-cert-snakeoil.pem",
    "/etc/ssl/private/ssl-cert-snakeoil.key",
    "/etc/wildebeest/drill.json",
    "/root/.bash_history",
    "/usr/local/bin/wildebeest",
    "/var/cache/**",
    "/var/lib/apt/**",
    "/var/lib/dbus/machine-id",
    "/var/lib/dpkg/*-old",
    "/var/lib/dpkg/lock*",
    "/var/lib/dpkg/status",
    "/var/lib/dpkg/triggers/**",
    "/var/lib/logrotate/**",
    "/var/lib/mysql/**",
    "/var/lib/postgresql/*/*/**",
    "/var/lib/systemd/**",
    "/var/lib/urandom/**",
    "/var/tmp/**",
];

impl Allowed {
    /// What a reviewed list says.
    ///
    /// # Errors
    /// With all lines that say no path, or no reason.
    pub fn parse(text: &str) -> Result<Self, Vec<NotAllowed>> {
        let lines = text.lines().zip(1..).filter(|(line, _)| is_said(line)).map(|(line, number)| read(line, number));
        let (good, bad): (Vec<_>, Vec<_>) = lines.partition(Result::is_ok);
        match bad.is_empty() {
            true => Ok(Self { lines: good.into_iter().flatten().collect(), paths: BTreeSet::new() }),
            false => Err(bad.into_iter().filter_map(Result::err).collect()),
        }
    }

    /// These, and more paths of which it was seen that they are never the same.
    #[must_use]
    pub fn and(mut self, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        self.paths.extend(paths);
        self
    }

    /// Whether a path may differ.
    #[must_use]
    pub fn covers(&self, path: &Path) -> bool {
        let never_the_same = || NEVER_THE_SAME.iter().any(|glob| matches(glob, path));
        let reviewed = || self.lines.iter().any(|line| matches(&line.glob, path));
        is_restless(path) || self.paths.contains(path) || never_the_same() || reviewed()
    }

    /// The lines that allow none of these paths: nobody needs them any more.
    #[must_use]
    pub fn idle(&self, different: &[&Path]) -> Vec<&Line> {
        let is_idle = |line: &&Line| !different.iter().any(|path| matches(&line.glob, path));
        self.lines.iter().filter(is_idle).collect()
    }
}

fn is_said(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with('#')
}

fn read(line: &str, number: usize) -> Result<Line, NotAllowed> {
    let wrong = |why| NotAllowed { number, text: line.trim().to_owned(), why };
    let (glob, reason) = line.split_once('#').unwrap_or((line, ""));
    let (glob, reason) = (glob.trim(), reason.trim());
    if !glob.starts_with('/') {
        return Err(wrong("it begins with no `/`"));
    }
    if reason.is_empty() {
        return Err(wrong("it has no reason; say why after a `#`"));
    }
    Ok(Line { number, glob: glob.to_owned(), reason: reason.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_a_path_and_a_reason() {
        let check = |text: &str, expect: &str| {
            let said = match Allowed::parse(text) {
                Ok(allowed) => allowed.lines.iter().map(|line| format!("{}: {}", line.glob, line.reason)).collect(),
                Err(wrong) => wrong.iter().map(ToString::to_string).collect::<Vec<_>>(),
            };
            assert_eq!(said.join("; "), expect);
        };
        check("", "");
        check("# nothing yet\n\n", "");
        check("/etc/a  # its own\n  /srv/** # another # reason", "/etc/a: its own; /srv/**: another # reason");
        check("/etc/a # b\n/etc/b", "line 2, `/etc/b`: it has no reason; say why after a `#`");
        check("/etc/b  #  ", "line 1, `/etc/b  #`: it has no reason; say why after a `#`");
        check("etc/b # why", "line 1, `etc/b # why`: it begins with no `/`");
        check("a\n/b", "line 1, `a`: it begins with no `/`; line 2, `/b`: it has no reason; say why after a `#`");
    }

    #[test]
    fn some_paths_are_never_the_same() {
        let allowed = Allowed::parse("/etc/shop/* # reviewed").unwrap().and(["/etc/seen".into()]);
        let check = |path, expect| assert_eq!(allowed.covers(Path::new(path)), expect, "{path}");
        check("/etc/shop/secret", true);
        check("/etc/seen", true);
        check("/etc/ssh/ssh_host_ed25519_key.pub", true);
        check("/var/log/nginx/access.log", true);
        check("/var/lib/postgresql/15/main/base/1", true);
        check("/var/lib/postgresql/.profile", false);
        check("/etc/shop", false);
        check("/etc/ssh/sshd_config", false);
    }

    #[test]
    fn a_line_that_nothing_needs_is_idle() {
        let allowed = Allowed::parse("/a # x\n/b/** # y\n/c # z").unwrap();
        let check = |different: &[&str], expect: &[&str]| {
            let different: Vec<&Path> = different.iter().map(Path::new).collect();
            let idle = allowed.idle(&different);
            assert_eq!(idle.iter().map(|line| line.glob.as_str()).collect::<Vec<_>>(), expect, "{different:?}");
        };
        check(&[], &["/a", "/b/**", "/c"]);
        check(&["/a", "/b/1/2"], &["/c"]);
        check(&["/c", "/b", "/a", "/d"], &[]);
    }
}
