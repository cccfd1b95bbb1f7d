//! Distributions whose hosts can be had.

use std::fmt;

use clap::ValueEnum;

use super::Init;
use super::tools::Tool;

/// A distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Distribution {
    /// Debian 12, bookworm
    Debian12,
    /// Debian 13, trixie
    Debian13,
    /// Ubuntu 24.04, noble
    Ubuntu2404,
}

const DEBIAN: Tool =
    Tool { program: "/usr/share/keyrings/debian-archive-keyring.gpg", package: "debian-archive-keyring" };
const UBUNTU: Tool = Tool { program: "/usr/share/keyrings/ubuntu-archive-keyring.gpg", package: "ubuntu-keyring" };

impl Distribution {
    /// What it is called in a path.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Debian12 => "debian12",
            Self::Debian13 => "debian13",
            Self::Ubuntu2404 => "ubuntu2404",
        }
    }

    /// What apt calls it.
    pub(super) fn suite(self) -> &'static str {
        match self {
            Self::Debian12 => "bookworm",
            Self::Debian13 => "trixie",
            Self::Ubuntu2404 => "noble",
        }
    }

    /// The file with the keys that it is signed with.
    pub(super) fn keyring(self) -> Tool {
        if self.is_ubuntu() { UBUNTU } else { DEBIAN }
    }

    /// Sources of apt, for a machine that has none for it.
    pub(super) fn sources(self) -> Vec<String> {
        let (suite, keyring) = (self.suite(), self.keyring().program);
        let (archive, security, components) = match self.is_ubuntu() {
            true => ("http://archive.ubuntu.com/ubuntu", "http://security.ubuntu.com/ubuntu", "main universe"),
            false => ("http://deb.debian.org/debian", "http://deb.debian.org/debian-security", "main"),
        };
        let suites = [(archive, ""), (archive, "-updates"), (security, "-security")];
        let line = |(mirror, part)| format!("deb [signed-by={keyring}] {mirror} {suite}{part} {components}");
        suites.map(line).to_vec()
    }

    /// Whether a file of apt sources, of either format, has only suites of it, signed by who makes it.
    pub(super) fn is_offered_by(self, sources: &str) -> bool {
        let lines = || sources.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let all: Vec<&str> = lines().flat_map(suites).collect();
        let is_part = |suite: &str| suite.strip_prefix(self.suite()).is_some_and(is_whole);
        let signer = if self.is_ubuntu() { "ubuntu-archive" } else { "debian-archive" };
        let foreign_key = |line: &str| {
            let key = line.to_ascii_lowercase();
            key.contains("signed-by") && !key.contains(signer)
        };
        !all.is_empty() && all.into_iter().all(is_part) && !lines().any(foreign_key)
    }

    /// What runs as process 1 of its hosts where nobody says otherwise: sysvinit, where one is maintained for it.
    #[must_use]
    pub fn init(self) -> Init {
        if self.has_sysvinit() { Init::Sysv } else { Init::Systemd }
    }

    /// Whether a sysvinit for it is maintained.
    pub(super) fn has_sysvinit(self) -> bool {
        !self.is_ubuntu()
    }

    fn is_ubuntu(self) -> bool {
        self == Self::Ubuntu2404
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Debian12 => "Debian 12",
            Self::Debian13 => "Debian 13",
            Self::Ubuntu2404 => "Ubuntu 24.04",
        })
    }
}

/// Whether the name of a suite ends there, or a part of the suite is named.
fn is_whole(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('-')
}

fn suites(line: &str) -> Vec<&str> {
    if let Some(suites) = line.strip_prefix("Suites:") {
        return suites.split_whitespace().collect();
    }
    let Some(entry) = line.strip_prefix("deb ") else { return Vec::new() };
    let entry = entry.trim_start();
    let entry = if entry.starts_with('[') { entry.split_once(']').map_or("", |(_, rest)| rest) } else { entry };
    entry.split_whitespace().nth(1).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_a_distribution_are_taken_and_others_left() {
        let check = |distribution: Distribution, sources: &str, expect: bool| {
            assert_eq!(distribution.is_offered_by(sources), expect, "{distribution}: {sources}");
        };
        let (bookworm, noble) = (Distribution::Debian12, Distribution::Ubuntu2404);
        check(bookworm, "Types: deb\nURIs: m\nSuites: bookworm bookworm-updates\nComponents: main\n", true);
        check(bookworm, "# deb m sid main\ndeb [arch=amd64] m bookworm-security main\n", true);
        check(bookworm, "deb m trixie main\n", false);
        check(bookworm, "deb m bookwormish main\n", false);
        check(bookworm, "deb m cloud-sdk-bookworm main\n", false);
        check(bookworm, "deb [signed-by=/k/other.gpg] m bookworm main\n", false);
        check(bookworm, "", false);
        check(Distribution::Debian13, "deb m trixie main\n", true);
        check(noble, "deb [signed-by=/usr/share/keyrings/ubuntu-archive-keyring.gpg] m noble main\n", true);
        check(noble, "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] m noble main\n", false);
    }

    #[test]
    fn each_is_offered_by_its_own_sources_only() {
        let all = Distribution::value_variants();
        for (one, other) in all.iter().flat_map(|one| all.iter().map(move |other| (one, other))) {
            assert_eq!(one.is_offered_by(&other.sources().join("\n")), one == other, "{one} {other}");
        }
        assert_eq!(
            Distribution::Debian13.sources()[2],
            "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian-security \
             trixie-security main"
        );
    }

    #[test]
    fn its_label_is_what_a_command_line_calls_it() {
        for one in Distribution::value_variants() {
            assert_eq!(one.to_possible_value().unwrap().get_name(), one.label());
        }
    }
}
