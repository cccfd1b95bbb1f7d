//! What kind of machine a host is.

mod basics;
mod disk;
mod memory;
mod mount;
mod network;
mod platform;
mod processor;

use std::cell::OnceCell;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Deref;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use wb_core::context::Context;
use wb_core::system::System;
pub use wb_core::system::files::Space;
pub use wb_core::system::network::{Address, Interface};

pub use basics::{Basics, Distribution};
pub use disk::Disk;
pub use memory::Memory;
pub use mount::Mount;
pub(crate) use mount::unescaped;
pub use network::Gateway;
pub use platform::{Init, Virtualization};
pub use processor::Processors;

/// What a host is like. [`Look::facts`](crate::Look::facts) gives it. Each fact is read when it is first asked for, once in a
/// migration, from files and from the kernel; no program is started.
///
/// What everybody asks for are the fields of [`Basics`], which this stands for: `facts.memory_mib`. What the kernel or
/// the distribution does not say is 0, or empty.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn check(host: &Host) -> Result<()> {
///     let facts = host.facts();
///     require!(facts.distribution.id == "debian", "Debian; {} has {}", host.name(), facts.distribution.name);
///     require!(facts.memory_mib >= 2048, "2048 MiB of memory; {} has {}", host.name(), facts.memory_mib);
///     require!(facts.space("/srv").is_some_and(|space| space.available > 10 << 30), "10 GiB at /srv");
///     require!(!facts.virtualization().is_container(), "a kernel of its own");
///     Ok(())
/// }
/// # // How much room there is at /srv, the machine says that runs this.
/// # let checked = wb_stdlib::testing::web1().with(check);
/// # assert!(checked.is_ok() || checked.unwrap_err().to_string() == "required: 10 GiB at /srv");
/// ```
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    system: &'a System,
    known: Rc<Known>,
}

/// What was asked for already.
#[derive(Debug, Default)]
struct Known {
    basics: OnceCell<Basics>,
    memory: OnceCell<Memory>,
    processors: OnceCell<Processors>,
    disks: OnceCell<Vec<Disk>>,
    mounts: OnceCell<Vec<Mount>>,
    interfaces: OnceCell<Vec<Interface>>,
    gateway: OnceCell<Option<Gateway>>,
    virtualization: OnceCell<Virtualization>,
    init: OnceCell<Init>,
}

impl<'a> Facts<'a> {
    pub(crate) fn of(context: &'a Context<'_>) -> Self {
        Self { system: context.system(), known: context.known() }
    }

    /// How much memory and swap there is.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn size_the_shop(host: &Host) -> Result<()> {
    ///     let facts = host.facts();
    ///     ensure!(facts.processors().can("avx2"), "the processor, {}, has no AVX2", facts.processors().model);
    ///     let (cache, workers) = (facts.memory().available_mib / 2, facts.cpus * 2);
    ///     host.file("/etc/shop.conf").content(format!("cache = {cache}M\nworkers = {workers}\n")).present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().file("/proc/cpuinfo", "flags\t\t: fpu avx2\n").rehearse(size_the_shop);
    /// ```
    #[must_use]
    pub fn memory(&self) -> &Memory {
        self.known.memory.get_or_init(|| Memory::parse(&text(self.system, "/proc/meminfo")))
    }

    /// What the processors are.
    #[must_use]
    pub fn processors(&self) -> &Processors {
        self.known.processors.get_or_init(|| Processors::parse(&text(self.system, "/proc/cpuinfo")))
    }

    /// The disks, sorted by name: those of the kernel's block devices that have a size and are neither loop devices nor
    /// in memory.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn disk_for_data(host: &Host) -> Result<String> {
    ///     let facts = host.facts();
    ///     let is_large = |size: u64| size >= 500 * 1_000_000_000;
    ///     let disk = facts.disks().iter().find(|disk| is_large(disk.size) && !disk.is_removable);
    ///     Ok(format!("/dev/{}", disk.context("no disk of 500 GB")?.name))
    /// }
    /// # let host = wb_stdlib::testing::web1().file("/sys/block/sdb/size", "1000215216\n");
    /// # assert_eq!(host.finds(disk_for_data), "/dev/sdb");
    /// ```
    #[must_use]
    pub fn disks(&self) -> &[Disk] {
        self.known.disks.get_or_init(|| Disk::all(self.system))
    }

    /// What is mounted, in the order in which it was.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn refuse_memory(host: &Host) -> Result<()> {
    ///     let in_memory = host.facts().mounts().iter().any(|mount| mount.point == "/srv" && mount.file_system == "tmpfs");
    ///     require!(!in_memory, "a /srv that is still there after a reboot");
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().finds(refuse_memory);
    /// ```
    #[must_use]
    pub fn mounts(&self) -> &[Mount] {
        self.known.mounts.get_or_init(|| mount::parse(&text(self.system, "/proc/self/mountinfo")))
    }

    /// The mount that `path`, absolute and without links, lies in.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn programs_can_be_put_there(host: &View) -> Result<()> {
    ///     let facts = host.facts();
    ///     let mount = facts.mount_of("/srv/shop").context("nothing is mounted there")?;
    ///     ensure!(!mount.is_read_only(), "nothing can be written to {}", mount.point);
    ///     ensure!(!mount.has("noexec"), "no program of {} can be run: {:?}", mount.source, mount.options);
    ///     Ok(())
    /// }
    /// # let mounts = "36 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n";
    /// # wb_stdlib::testing::web1().file("/proc/self/mountinfo", mounts).sees(programs_can_be_put_there);
    /// ```
    #[must_use]
    pub fn mount_of(&self, path: impl AsRef<Path>) -> Option<&Mount> {
        mount::of(self.mounts(), path.as_ref())
    }

    /// How much room the file system of `path` has, now; nothing where there is no such path. This asks the file system
    /// itself with each call: one that hangs, as of a lost NFS server, hangs here.
    #[must_use]
    pub fn space(&self, path: impl AsRef<Path>) -> Option<Space> {
        self.system.space(path).ok()
    }

    /// The network interfaces, each with its addresses, in the order of the kernel.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn network_inside(host: &Host) -> Result<String> {
    ///     let facts = host.facts();
    ///     let inside = facts.interfaces().iter().find(|interface| interface.name == "eth1").context("no eth1")?;
    ///     let first = inside.addresses.first().context("eth1 has no address")?;
    ///     Ok(format!("{}/{}", first.ip, first.prefix)) // 192.0.2.7/24
    /// }
    /// # assert_eq!(wb_stdlib::testing::web1().with(network_inside).unwrap_err().to_string(), "no eth1");
    /// ```
    #[must_use]
    pub fn interfaces(&self) -> &[Interface] {
        self.known.interfaces.get_or_init(|| self.system.interfaces().unwrap_or_default())
    }

    /// The addresses at which others can reach this host: of interfaces that are up, without those of the loopback and of
    /// a link alone.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn where_it_is_reached(host: &Host) -> Result<String> {
    ///     let facts = host.facts();
    ///     let primary = facts.primary_address().context("no address of IPv4")?;
    ///     let gateway = facts.gateway().context("no way out")?;
    ///     Ok(format!("{primary} of {:?}, out through {}", facts.addresses(), gateway.address))
    /// }
    /// # let error = wb_stdlib::testing::web1().with(where_it_is_reached).unwrap_err();
    /// # assert_eq!(error.to_string(), "no address of IPv4");
    /// ```
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        network::reachable(self.interfaces())
    }

    /// The first IPv4 address of the interface that the default route leads through, or else of any.
    #[must_use]
    pub fn primary_address(&self) -> Option<Ipv4Addr> {
        network::primary(self.interfaces(), self.gateway().map(|gateway| gateway.interface.as_str()))
    }

    /// Where the default route of IPv4 leads.
    #[must_use]
    pub fn gateway(&self) -> Option<&Gateway> {
        self.known.gateway.get_or_init(|| Gateway::parse(&text(self.system, "/proc/net/route"))).as_ref()
    }

    /// What kind of machine this runs on, if it is none of its own.
    #[must_use]
    pub fn virtualization(&self) -> &Virtualization {
        self.known.virtualization.get_or_init(|| Virtualization::of(self.system, self.processors()))
    }

    /// Which program is the first process.
    ///
    /// ```
    /// use wb_stdlib::facts::{Init, Virtualization};
    /// use wb_stdlib::prelude::*;
    /// use wb_stdlib::service::Manager;
    ///
    /// fn what_it_is(host: &Host) -> Result<()> {
    ///     let facts = host.facts();
    ///     require!(*facts.init() == Init::Systemd, "systemd as the first process");
    ///     require!(*facts.virtualization() != Virtualization::Docker, "more than a container of Docker");
    ///     require!(facts.services != Manager::Runit, "anything but runit");
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().directory("/run/systemd/system").finds(what_it_is);
    /// ```
    #[must_use]
    pub fn init(&self) -> &Init {
        self.known.init.get_or_init(|| Init::of(self.system))
    }

    /// For how long this boot has lasted, now.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn which_boot_of_which_machine(host: &View) -> Result<String> {
    ///     let facts = host.facts();
    ///     ensure!(facts.user_id() == Some(0), "this is not run by root");
    ///     let (hours, since) = (facts.uptime().as_secs() / 3600, facts.booted_at().as_secs());
    ///     Ok(format!("{} is up for {hours} hours, since {since}", facts.machine_id()))
    /// }
    /// # let host = wb_stdlib::testing::web1().file("/proc/self/status", "Uid:\t0\t0\t0\t0\n");
    /// # let host = host.file("/etc/machine-id", "b08dfa6083e7\n");
    /// # assert_eq!(host.sees(which_boot_of_which_machine), "b08dfa6083e7 is up for 0 hours, since 0");
    /// ```
    #[must_use]
    pub fn uptime(&self) -> Duration {
        platform::uptime(&text(self.system, "/proc/uptime")).unwrap_or_default()
    }

    /// When this boot began: time since 1970, UTC.
    #[must_use]
    pub fn booted_at(&self) -> Duration {
        platform::boot_time(&text(self.system, "/proc/stat")).unwrap_or_default()
    }

    /// The user that this program runs as, by number: 0 is root.
    #[must_use]
    pub fn user_id(&self) -> Option<u32> {
        platform::user_id(&text(self.system, "/proc/self/status"))
    }

    /// What names this installation, see machine-id(5): 32 hex digits. Clones have the same until somebody makes a new one.
    #[must_use]
    pub fn machine_id(&self) -> String {
        text(self.system, "/etc/machine-id").trim().to_owned()
    }
}

impl Deref for Facts<'_> {
    type Target = Basics;

    fn deref(&self) -> &Basics {
        self.known.basics.get_or_init(|| Basics::of(self.system))
    }
}

/// The text of a file of the kernel; nothing where it is not there.
fn text(system: &System, path: &str) -> String {
    match system.read_file(path) {
        Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::Look as _;
    use crate::machine::Machine;
    use crate::service::Manager;

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
        machine
            .view(|host| {
                let facts = host.facts();
                assert_eq!((facts.memory_mib, facts.cpus), (7945, 2));
                assert_eq!((facts.kernel.as_str(), facts.hostname.as_str()), ("6.1.0-18-amd64", "web1"));
                let distribution = (facts.distribution.id.as_str(), facts.distribution.codename.as_str());
                assert_eq!(distribution, ("debian", "bookworm"));
                assert_eq!(facts.distribution.name, "Debian GNU/Linux 12 (bookworm)");
                assert_eq!(facts.services, Manager::Initd);
                Ok(())
            })
            .unwrap();
        assert!(machine.calls().is_empty());
    }

    #[test]
    fn what_is_not_said_is_nothing() {
        Machine::new()
            .view(|host| {
                let facts = host.facts();
                assert_eq!((facts.memory_mib, facts.cpus, facts.kernel.as_str()), (0, 0, ""));
                assert_eq!((facts.disks().len(), facts.mounts().len(), facts.addresses().len()), (0, 0, 0));
                assert_eq!((facts.gateway(), facts.primary_address(), facts.user_id()), (None, None, None));
                assert_eq!((facts.uptime().as_secs(), facts.booted_at().as_secs()), (0, 0));
                assert_eq!((facts.memory().total_mib, facts.processors().model.as_str()), (0, ""));
                assert_eq!(facts.space("/nowhere"), None);
                assert!(facts.space("/").is_some());
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_fact_is_read_once_in_a_run_and_anew_in_the_next() {
        let machine = Machine::new().file("/proc/sys/kernel/hostname", "web1\n");
        machine
            .view(|host| {
                assert_eq!(host.facts().hostname, "web1");
                let path = machine.path("/proc/sys/kernel/hostname");
                wb_core::system::files::write(path, "web2\n", 0o644)?;
                assert_eq!(host.facts().hostname, "web1");
                Ok(())
            })
            .unwrap();
        assert_eq!(machine.view(|host| Ok(host.facts().hostname.clone())).unwrap(), "web2");
    }
}
