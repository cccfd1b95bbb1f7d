//! What kind of machine a host is.

use wb_core::system::System;

use crate::service::Manager;

/// What a host is like. [`Look::facts`](crate::Look::facts) reads it: a handful of small files, and no program.
///
/// What the kernel or the distribution does not say is 0, or empty.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn check(host: &Host) -> Result<()> {
///     let facts = host.facts();
///     require!(facts.distribution.id == "debian", "Debian; {} has {}", host.name(), facts.distribution.name);
///     require!(facts.memory_mib >= 2048, "2048 MiB of memory; {} has {}", host.name(), facts.memory_mib);
///     Ok(())
/// }
/// # let _ = check as fn(&Host) -> Result<()>;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts {
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

impl Facts {
    pub(crate) fn of(system: &System) -> Self {
        let text = |path: &str| match system.read_file(path) {
            Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            _ => String::new(),
        };
        Self {
            memory_mib: parse_memory(&text("/proc/meminfo")).unwrap_or(0),
            cpus: parse_cpus(&text("/sys/devices/system/cpu/online")).unwrap_or(0),
            distribution: Distribution::parse(&text("/etc/os-release")),
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            hostname: text("/proc/sys/kernel/hostname").trim().to_owned(),
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

/// Reads `MemTotal:        8123456 kB`.
fn parse_memory(text: &str) -> Option<u64> {
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = total.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
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
    use crate::Look as _;
    use crate::machine::Machine;

    const BOOKWORM: &str = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\n\
                            VERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n";

    #[test]
    fn facts_are_read_from_files() {
        let machine = Machine::new()
            .file("/etc/os-release", BOOKWORM)
            .file("/proc/meminfo", "MemTotal:        8135972 kB\nMemFree:         123456 kB\n")
            .file("/sys/devices/system/cpu/online", "0-1\n")
            .file("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n")
            .file("/proc/sys/kernel/hostname", "web1\n");
        let facts = machine.view(|host| Ok(host.facts())).unwrap();
        assert_eq!((facts.memory_mib, facts.cpus), (7945, 2));
        assert_eq!((facts.kernel.as_str(), facts.hostname.as_str()), ("6.1.0-18-amd64", "web1"));
        assert_eq!((facts.distribution.id.as_str(), facts.distribution.codename.as_str()), ("debian", "bookworm"));
        assert_eq!(facts.distribution.name, "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(facts.services, Manager::Initd);
        assert!(machine.calls().is_empty());
    }

    #[test]
    fn what_is_not_said_is_nothing() {
        let facts = Machine::new().view(|host| Ok(host.facts())).unwrap();
        assert_eq!((facts.memory_mib, facts.cpus, facts.kernel.as_str()), (0, 0, ""));
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
