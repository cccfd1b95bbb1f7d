//! Which manager of packages a host has, and what is particular to each.

use std::fmt;

use wb_core::system::System;

use super::backend::{Backend, Options};
use super::version::{self, Order};
use super::{apk, apt, dnf, dpkg, pacman, zypper};

/// A manager of packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// apt and dpkg: Debian, Ubuntu.
    Apt,
    /// dnf and rpm: Fedora, RHEL, Rocky, Alma.
    Dnf,
    /// pacman: Arch.
    Pacman,
    /// apk: Alpine. What it says is known from captured outputs only.
    Apk,
    /// zypper and rpm: openSUSE, SLES. On real hosts it was tried with the zypper that Debian has.
    Zypper,
}

/// Which identifiers of os-release(5) mean which manager.
const DISTRIBUTIONS: [(Manager, &[&str]); 5] = [
    (Manager::Apt, &["debian", "ubuntu"]),
    (Manager::Dnf, &["fedora", "rhel", "centos", "rocky", "almalinux", "amzn", "ol"]),
    (Manager::Pacman, &["arch", "archarm"]),
    (Manager::Apk, &["alpine", "postmarketos"]),
    (Manager::Zypper, &["suse", "opensuse", "sles"]),
];

impl Manager {
    /// The one of a host: of a known distribution, or the one whose database is there, or apt.
    pub(crate) fn of(system: &System) -> Self {
        if dpkg::is_native(system) {
            return Self::Apt;
        }
        let release = system.read_file("/etc/os-release").ok().flatten().unwrap_or_default();
        if let Some(manager) = of_release(&String::from_utf8_lossy(&release)) {
            return manager;
        }
        let databases = [
            (Self::Pacman, "/var/lib/pacman/local"),
            (Self::Apk, "/lib/apk/db/installed"),
            (Self::Zypper, "/usr/bin/zypper"),
            (Self::Dnf, "/usr/bin/dnf"),
        ];
        let there = |(_, path): &&(Self, &str)| matches!(system.stat(path), Ok(Some(_)));
        databases.iter().find(there).map_or(Self::Apt, |(manager, _)| *manager)
    }

    pub(super) fn backend(self, system: &System, options: Options) -> Box<dyn Backend + '_> {
        match self {
            Self::Apt => Box::new(apt::Apt::new(system, options)),
            Self::Dnf => Box::new(dnf::Dnf::new(system, options)),
            Self::Pacman => Box::new(pacman::Pacman::new(system)),
            Self::Apk => Box::new(apk::Apk::new(system, options)),
            Self::Zypper => Box::new(zypper::Zypper::new(system, options)),
        }
    }

    /// How it orders versions.
    pub(super) fn order(self) -> Order {
        match self {
            Self::Apt => version::dpkg,
            Self::Dnf | Self::Zypper => version::rpm,
            Self::Pacman => version::pacman,
            Self::Apk => version::apk,
        }
    }

    /// Whether it is a name of a package, and nothing else that the manager's commands understand.
    pub(super) fn is_name(self, name: &str) -> bool {
        match self {
            Self::Apt => apt::is_name(name),
            _ => {
                let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
                name.starts_with(first) && name.chars().all(|c| first(c) || "+-.".contains(c)) && !name.ends_with('-')
            }
        }
    }

    /// What it said of packages that can't be together.
    pub(super) fn conflict(self, said: &str) -> String {
        match self {
            Self::Apt => apt::conflict(said),
            _ => said.trim().to_owned(),
        }
    }

    /// How to look for a package on the host.
    pub(super) fn search(self, name: &str) -> String {
        match self {
            Self::Apt => format!(
                "`apt-cache search {name}` on the host finds names that are like it, and `apt-cache showpkg {name}` \
                 what provides it if it is virtual"
            ),
            Self::Dnf => format!("`dnf search {name}` on the host finds names that are like it"),
            Self::Pacman => format!("`pacman -Ss {name}` on the host finds names that are like it"),
            Self::Apk => format!("`apk search {name}` on the host finds names that are like it"),
            Self::Zypper => format!("`zypper search {name}` on the host finds names that are like it"),
        }
    }

    /// What brings its lists up to date.
    pub(super) fn update(self) -> &'static str {
        match self {
            Self::Apt => "apt-get update",
            Self::Dnf => "dnf makecache",
            Self::Pacman => "pacman -Sy",
            Self::Apk => "apk update",
            Self::Zypper => "zypper refresh",
        }
    }
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Apt => "apt",
            Self::Dnf => "dnf",
            Self::Pacman => "pacman",
            Self::Apk => "apk",
            Self::Zypper => "zypper",
        })
    }
}

/// Reads `ID=` and `ID_LIKE=`, of which the first counts more.
fn of_release(text: &str) -> Option<Manager> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned()
    };
    let known = |id: &str| {
        // openSUSE has a suffix for each of its kinds, `opensuse-leap`.
        let plain = id.split('-').next().unwrap_or_default();
        DISTRIBUTIONS.iter().find(|(_, ids)| ids.contains(&plain)).map(|(manager, _)| *manager)
    };
    known(&value("ID")).or_else(|| value("ID_LIKE").split(' ').find_map(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Access as _;
    use crate::machine::Machine;

    #[test]
    fn the_distribution_says_which_manager_there_is() {
        let check = |text: &str, expect| assert_eq!(of_release(text), expect, "{text}");
        check("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n", Some(Manager::Apt));
        check("ID=ubuntu\nID_LIKE=debian\n", Some(Manager::Apt));
        check("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Some(Manager::Apt));
        check("NAME=\"Rocky Linux\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", Some(Manager::Dnf));
        check("NAME=\"Fedora Linux\"\nID=fedora\n", Some(Manager::Dnf));
        check("ID=\"amzn\"\nID_LIKE=\"fedora\"\n", Some(Manager::Dnf));
        check("NAME=\"Arch Linux\"\nID=arch\n", Some(Manager::Pacman));
        check("ID=manjaro\nID_LIKE=arch\n", Some(Manager::Pacman));
        check("NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.19.1\n", Some(Manager::Apk));
        check("NAME=\"openSUSE Leap\"\nID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n", Some(Manager::Zypper));
        check("ID=\"sles\"\nID_LIKE=\"suse\"\n", Some(Manager::Zypper));
        check("ID=nixos\n", None);
        check("", None);
    }

    #[test]
    fn a_host_that_does_not_say_it_shows_it() {
        let check = |machine: Machine, expect| {
            let found = machine.view(|host| Ok(Manager::of(host.context().system()))).unwrap();
            assert_eq!(found, expect);
            assert_eq!(machine.calls(), [""; 0]);
        };
        check(Machine::new(), Manager::Apt);
        check(Machine::new().dir("/var/lib/pacman/local"), Manager::Pacman);
        check(Machine::new().file("/lib/apk/db/installed", ""), Manager::Apk);
        check(Machine::new().file("/usr/bin/dnf", "").file("/var/lib/dpkg/status", ""), Manager::Dnf);
        check(Machine::new().file("/etc/os-release", "ID=alpine\n"), Manager::Apk);
        let dpkg = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n";
        check(Machine::new().file("/var/lib/dpkg/status", dpkg).file("/usr/bin/dnf", ""), Manager::Apt);
    }
}
