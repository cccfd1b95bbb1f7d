//! What the machine runs on, and what runs it.

use std::fmt;
use std::time::Duration;

use wb_core::system::System;

use super::{Processors, text};

/// What kind of machine a host is, if it is none of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Virtualization {
    /// A machine of its own, as far as anybody can see.
    None,
    /// A virtual machine of KVM, also those of most clouds.
    Kvm,
    /// A virtual machine of VMware.
    Vmware,
    /// A virtual machine of VirtualBox.
    VirtualBox,
    /// A virtual machine of Hyper-V, also those of Azure.
    HyperV,
    /// A virtual machine of Xen.
    Xen,
    /// A virtual machine, of whom nobody knows.
    Unknown,
    /// A container of Docker.
    Docker,
    /// A container of Podman.
    Podman,
    /// A container of LXC or Incus.
    Lxc,
    /// A container of systemd-nspawn.
    Nspawn,
    /// A container of another kind, as it calls itself.
    Container(String),
}

impl Virtualization {
    /// A container in a virtual machine is a container.
    pub(super) fn of(system: &System, processors: &Processors) -> Self {
        container(system).or_else(|| machine(system, processors)).unwrap_or(Self::None)
    }

    /// Whether it shares its kernel with others.
    #[must_use]
    pub fn is_container(&self) -> bool {
        matches!(self, Self::Docker | Self::Podman | Self::Lxc | Self::Nspawn | Self::Container(_))
    }
}

impl fmt::Display for Virtualization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Kvm => "kvm",
            Self::Vmware => "vmware",
            Self::VirtualBox => "virtualbox",
            Self::HyperV => "hyper-v",
            Self::Xen => "xen",
            Self::Unknown => "unknown",
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Lxc => "lxc",
            Self::Nspawn => "systemd-nspawn",
            Self::Container(name) => name,
        })
    }
}

/// Who started the first process says what it is: in its environment, or in a file.
fn container(system: &System) -> Option<Virtualization> {
    let environment = text(system, "/proc/1/environ");
    let said = environment.split('\0').find_map(|variable| variable.strip_prefix("container="));
    let file = text(system, "/run/systemd/container");
    let there = |path: &str| matches!(system.stat(path), Ok(Some(_)));
    let name = said.unwrap_or(file.trim());
    Some(match name {
        "docker" => Virtualization::Docker,
        "podman" => Virtualization::Podman,
        "lxc" | "lxc-libvirt" => Virtualization::Lxc,
        "systemd-nspawn" => Virtualization::Nspawn,
        // `oci` is what those say that are told to say nothing else.
        "" | "oci" if there("/run/.containerenv") => Virtualization::Podman,
        "" | "oci" if there("/.dockerenv") => Virtualization::Docker,
        "" => return None,
        other => Virtualization::Container(other.to_owned()),
    })
}

/// What the firmware says of its maker, then what the processors say.
fn machine(system: &System, processors: &Processors) -> Option<Virtualization> {
    let said = |what: &str| text(system, &format!("/sys/class/dmi/id/{what}")).trim().to_owned();
    let (vendor, product) = (said("sys_vendor"), said("product_name"));
    let has = |text: &str| vendor.contains(text) || product.contains(text);
    if has("VMware") {
        Some(Virtualization::Vmware)
    } else if has("VirtualBox") || has("innotek") {
        Some(Virtualization::VirtualBox)
    } else if has("Microsoft") && has("Virtual Machine") {
        Some(Virtualization::HyperV)
    } else if vendor == "Xen" || product == "HVM domU" || text(system, "/sys/hypervisor/type").trim() == "xen" {
        Some(Virtualization::Xen)
    } else if has("QEMU") || has("KVM") || (is_cloud(&vendor) && !product.contains("metal")) {
        Some(Virtualization::Kvm)
    } else {
        processors.can("hypervisor").then_some(Virtualization::Unknown)
    }
}

/// Clouds whose virtual machines are KVM's, and call themselves after the cloud.
fn is_cloud(vendor: &str) -> bool {
    const CLOUDS: [&str; 7] =
        ["Amazon EC2", "Google", "DigitalOcean", "Hetzner", "OpenStack Foundation", "Alibaba Cloud", "Scaleway"];
    CLOUDS.contains(&vendor)
}

/// Which program is the first process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Init {
    /// systemd.
    Systemd,
    /// OpenRC, whatever runs it.
    Openrc,
    /// runit.
    Runit,
    /// The init of System V.
    Sysv,
    /// Another one, by the name of its process.
    Other(String),
}

impl Init {
    pub(super) fn of(system: &System) -> Self {
        let there = |path: &str| matches!(system.stat(path), Ok(Some(_)));
        if there("/run/systemd/system") {
            return Self::Systemd;
        }
        if there("/run/openrc/softlevel") {
            return Self::Openrc;
        }
        match text(system, "/proc/1/comm").trim() {
            "runit" | "runsvdir" => Self::Runit,
            "init" => Self::Sysv,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// Reads `/proc/uptime`: seconds, and those that were idle.
pub(super) fn uptime(text: &str) -> Option<Duration> {
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Reads the line `btime 1700000000` of `/proc/stat`.
pub(super) fn boot_time(text: &str) -> Option<Duration> {
    let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    Some(Duration::from_secs(line.trim().parse().ok()?))
}

/// Reads the line `Uid: 0 0 0 0` of `/proc/self/status`: the second counts.
pub(super) fn user_id(text: &str) -> Option<u32> {
    let line = text.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Look as _;
    use crate::machine::Machine;

    fn check(files: &[(&str, &str)], expect: &Virtualization) {
        let machine = files.iter().fold(Machine::new(), |machine, (path, text)| machine.file(path, text));
        let found = machine.view(|host| Ok(host.facts().virtualization().clone())).unwrap();
        assert_eq!(found, *expect, "{files:?}");
    }

    #[test]
    fn virtual_machines_are_known_by_their_firmware() {
        let of = |vendor: &str, product: &str, expect: Virtualization| {
            check(&[("/sys/class/dmi/id/sys_vendor", vendor), ("/sys/class/dmi/id/product_name", product)], &expect);
        };
        of("QEMU\n", "Standard PC (Q35 + ICH9, 2009)\n", Virtualization::Kvm);
        of("Hetzner\n", "vServer\n", Virtualization::Kvm);
        of("Amazon EC2\n", "m5.large\n", Virtualization::Kvm);
        of("Amazon EC2\n", "m5.metal\n", Virtualization::None);
        of("VMware, Inc.\n", "VMware Virtual Platform\n", Virtualization::Vmware);
        of("innotek GmbH\n", "VirtualBox\n", Virtualization::VirtualBox);
        of("Microsoft Corporation\n", "Virtual Machine\n", Virtualization::HyperV);
        of("Microsoft Corporation\n", "Surface\n", Virtualization::None);
        of("Xen\n", "HVM domU\n", Virtualization::Xen);
        of("Dell Inc.\n", "PowerEdge R640\n", Virtualization::None);
        check(&[("/proc/cpuinfo", "flags\t: fpu hypervisor\n")], &Virtualization::Unknown);
    }

    #[test]
    fn containers_are_known_by_what_started_them() {
        check(&[("/proc/1/environ", "PATH=/bin\0container=lxc\0")], &Virtualization::Lxc);
        check(&[("/run/systemd/container", "systemd-nspawn\n")], &Virtualization::Nspawn);
        check(&[("/.dockerenv", "")], &Virtualization::Docker);
        check(&[("/run/.containerenv", ""), ("/proc/1/environ", "container=oci\0")], &Virtualization::Podman);
        check(&[("/proc/1/environ", "container=rkt\0")], &Virtualization::Container("rkt".into()));
        let both = [("/.dockerenv", ""), ("/sys/class/dmi/id/sys_vendor", "QEMU\n")];
        check(&both, &Virtualization::Docker);
        assert!(Virtualization::Docker.is_container() && !Virtualization::Kvm.is_container());
    }

    #[test]
    fn inits_are_told_apart() {
        let check = |files: &[(&str, &str)], expect: Init| {
            let machine = files.iter().fold(Machine::new(), |machine, (path, text)| machine.file(path, text));
            assert_eq!(machine.view(|host| Ok(host.facts().init().clone())).unwrap(), expect);
        };
        check(&[("/run/systemd/system/a", "")], Init::Systemd);
        check(&[("/run/openrc/softlevel", "default"), ("/proc/1/comm", "init\n")], Init::Openrc);
        check(&[("/proc/1/comm", "runit\n")], Init::Runit);
        check(&[("/proc/1/comm", "init\n")], Init::Sysv);
        check(&[("/proc/1/comm", "tini\n")], Init::Other("tini".into()));
    }

    #[test]
    fn times_and_users_are_read() {
        assert_eq!(uptime("350735.47 234388.90\n"), Some(Duration::from_millis(350_735_470)));
        assert_eq!(uptime("-1\n"), None);
        assert_eq!(boot_time("cpu  1 2\nbtime 1700000000\nprocesses 9\n"), Some(Duration::from_secs(1_700_000_000)));
        assert_eq!(user_id("Name:\twb\nUid:\t1000\t0\t0\t0\n"), Some(0));
        assert_eq!((boot_time(""), user_id("Uid: x\n")), (None, None));
    }
}
