//! What everybody asks for: a handful of small files, read together.

use wb_core::system::System;

use super::{Memory, text};
use crate::service::Manager;

/// What everybody asks for, read together when one of it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Basics {
    /// All memory that the kernel manages, in MiB.
    pub memory_mib: u64,
    /// Processors that are online.
    pub cpus: u32,
    /// The distribution.
    pub distribution: Distribution,
    /// The kernel's release, as in `6.1.0-18-amd64`.
    pub kernel: String,
    /// The name that the machine has now; see [`Look::name`](crate::Look::name) for the one that it has in the herd.
    pub hostname: String,
    /// The architecture that this program was built for, as in `x86_64`.
    pub architecture: &'static str,
    /// Who starts services.
    pub services: Manager,
}

/// A distribution, as os-release(5) says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Distribution {
    /// `debian`, `ubuntu`, `fedora`.
    pub id: String,
    /// `Debian GNU/Linux 12 (bookworm)`.
    pub name: String,
    /// `12`.
    pub version: String,
    /// `bookworm`.
    pub codename: String,
    /// What it is made from, as in `debian` for Ubuntu.
    pub like: Vec<String>,
}

impl Basics {
    pub(super) fn of(system: &System) -> Self {
        Self {
            memory_mib: Memory::parse(&text(system, "/proc/meminfo")).total_mib,
            cpus: parse_cpus(&text(system, "/sys/devices/system/cpu/online")).unwrap_or(0),
            distribution: Distribution::parse(&text(system, "/etc/os-release")),
            kernel: text(system, "/proc/sys/kernel/osrelease").trim().to_owned(),
            hostname: text(system, "/proc/sys/kernel/hostname").trim().to_owned(),
            architecture: std::env::consts::ARCH,
            services: Manager::of(system),
        }
    }
}

impl Distribution {
    /// Reads lines `KEY=value`, the value quoted or not.
    fn parse(text: &str) -> Self {
        let mut distribution = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            let value = value.trim().trim_matches(['"', '\'']);
            match key {
                "ID" => distribution.id = value.into(),
                "PRETTY_NAME" => distribution.name = value.into(),
                "VERSION_ID" => distribution.version = value.into(),
                "VERSION_CODENAME" => distribution.codename = value.into(),
                "ID_LIKE" => distribution.like = value.split(' ').map(str::to_owned).collect(),
                _ => {}
            }
        }
        distribution
    }
}

/// Reads ranges like `0-3,6`.
fn parse_cpus(text: &str) -> Option<u32> {
    let count = |range: &str| -> Option<u32> {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(last.parse::<u32>().ok()?.checked_sub(first.parse().ok()?)? + 1)
    };
    text.trim().split(',').map(count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_are_read_as_they_say_it() {
        let check = |text: &str, expect: [&str; 4]| {
            let Distribution { id, version, codename, like, .. } = Distribution::parse(text);
            assert_eq!([id.as_str(), version.as_str(), codename.as_str(), like.join(" ").as_str()], expect);
        };
        let ubuntu = "NAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\n";
        check(ubuntu, ["ubuntu", "24.04", "noble", "debian"]);
        let rocky = "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n";
        check(rocky, ["rocky", "9.4", "", "rhel centos fedora"]);
        check("ID=alpine\nVERSION_ID=3.20.1\n", ["alpine", "3.20.1", "", ""]);
        check("ID=arch\nBUILD_ID=rolling\n", ["arch", "", "", ""]);
    }

    #[test]
    fn processors_are_counted_by_ranges() {
        let check = |text: &str, expect| assert_eq!(parse_cpus(text), expect, "{text}");
        check("0", Some(1));
        check("0-3,6\n", Some(5));
        check("", None);
        check("3-0", None);
    }
}
