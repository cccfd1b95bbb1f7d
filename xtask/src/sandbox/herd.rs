//! A herd of hosts: a router, and what is plugged into it.

use std::ffi::OsStr;
use std::io::{PipeWriter, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wb_core::system::command::Child;
use wb_core::system::{Command, files};

use super::process::Process;
use super::record::{self, Record};
use super::{
    GitServer, Host, Image, Network, STEP, SandboxError, Subnet, control_groups, elevation, lock_soon, names, packages,
    places, probe, usage, while_doing,
};

/// A running herd. Dropping it kills all hosts and removes their disks.
#[derive(Debug)]
pub struct Herd {
    router: Arc<Router>,
    scratch: PathBuf,
    keeper: Child,
    slirp: Child,
    /// The keeper reads the end of its input when this is dropped, by us or by the kernel.
    life: Option<PipeWriter>,
    _lock: files::Lock,
}

/// The network of a herd and the place of its disks: what hosts need to know of it.
#[derive(Debug)]
pub(super) struct Router {
    pub(super) keeper: Process,
    pub(super) subnet: Subnet,
    /// The network namespace of the machine, in which no init may ever boot.
    pub(super) machine: String,
    /// The layers below all hosts, as overlayfs wants them.
    pub(super) lower: String,
    /// The lowest of them.
    pub(super) image: PathBuf,
    scratch: PathBuf,
}

const KEEPER: &str = include_str!("keeper.sh");

impl Herd {
    /// Starts a herd without hosts. What a lost or kept one left in `scratch` is ended and removed first. Hosts get
    /// the packages that earlier herds downloaded in apt's archive directory, so that apt need not ask the network.
    ///
    /// # Errors
    /// When a herd of another process that lives is in `scratch`, or the machine can't do it (see [`super::probe`]).
    pub fn start(image: &Image, scratch: &Path, subnet: Subnet) -> Result<Self, SandboxError> {
        places::claim(scratch)?;
        let scratch = files::canonical(scratch)?;
        let lock = lock(&scratch)?;
        clear(&scratch)?;
        let lower = layers(image, &scratch)?;
        let machine = files::read_link("/proc/self/ns/net")?.to_string_lossy().into_owned();
        let (child, life) = start_keeper(&scratch, subnet, &machine, &usage::of_herds(image.cache())?)?;
        let keeper = keeper_of(&child, &scratch)?;
        Record::new(keeper, image.packages())?.write(&scratch)?;
        let slirp = start_way_out(keeper, &scratch)?;
        let image = image.root().to_owned();
        let router = Arc::new(Router { keeper, subnet, machine, lower, image, scratch: scratch.clone() });
        Ok(Self { router, scratch, keeper: child, slirp, life: Some(life), _lock: lock })
    }

    /// As [`Herd::start`], for hosts that will install `packages`. Where they have no way out to the mirrors, this machine
    /// downloads those for them, after telling `say`; the hosts run real apt on them all the same.
    ///
    /// # Errors
    /// As [`Herd::start`], and when the packages can't be downloaded.
    pub fn start_stocked(
        image: &Image,
        scratch: &Path,
        subnet: Subnet,
        packages: &[&str],
        say: &dyn Fn(&str),
    ) -> Result<Self, SandboxError> {
        let herd = Self::start(image, scratch, subnet)?;
        if herd.has_way_out() {
            return Ok(herd);
        }
        drop(herd);
        say("the hosts have no way out to the package mirrors: this machine downloads their packages");
        image.download(packages)?;
        Self::start(image, scratch, subnet)
    }

    /// Ends a herd that was left running in `scratch`, and removes its disks. True when there was one.
    ///
    /// # Errors
    /// When a process that lives holds it, or it does not end.
    pub fn stop(scratch: &Path) -> Result<bool, SandboxError> {
        if !files::exists(scratch) {
            return Ok(false);
        }
        let _lock = lock(scratch)?;
        clear(scratch)
    }

    /// Makes a host and waits until it has booted. Hosts may be booted from several threads at once.
    ///
    /// # Errors
    /// When name or address can't be a host's, or it does not boot.
    pub fn boot(&self, name: &str, address: Ipv4Addr) -> Result<Host, SandboxError> {
        self.boot_on(name, address, None)
    }

    /// As [`Herd::boot`], for a host that has the disk `base` from the start, and all that is on it, an identity, too. That
    /// is the directory of what some host of the same image had over it. It never changes.
    ///
    /// # Errors
    /// As [`Herd::boot`].
    pub fn boot_on(&self, name: &str, address: Ipv4Addr, base: Option<&Path>) -> Result<Host, SandboxError> {
        let subnet = self.router.subnet;
        subnet.index(address).ok_or(SandboxError::Address { address, subnet })?;
        let host = Host::new(Arc::clone(&self.router), name, address, base)?;
        host.start()?;
        Ok(host)
    }

    /// Makes a host that serves a bare repository over ssh.
    ///
    /// # Errors
    /// As [`Herd::boot`], and when it can't be set up.
    pub fn git_server(&self, name: &str, address: Ipv4Addr) -> Result<GitServer, SandboxError> {
        self.git_server_on(name, address, None)
    }

    /// As [`Herd::git_server`], on the disk of one that was kept, with its repository.
    ///
    /// # Errors
    /// As [`Herd::git_server`].
    pub fn git_server_on(&self, name: &str, address: Ipv4Addr, base: Option<&Path>) -> Result<GitServer, SandboxError> {
        let host = self.boot_on(name, address, base)?;
        match base {
            Some(_) => Ok(GitServer::again(host)),
            None => GitServer::set_up(host),
        }
    }

    /// Puts the packages that hosts downloaded so far where herds that start later find them. A herd that ends does so, too,
    /// with what is on its disks then.
    ///
    /// # Errors
    /// When the record of the herd can't be read.
    pub fn keep_packages(&self) -> Result<(), SandboxError> {
        record::keep_packages(&self.scratch)
    }

    /// Lets each of these hosts know all others of them by name, in `/etc/hosts`. Names that were told before go.
    ///
    /// # Errors
    /// When one of them is down, or the file can't be written.
    pub fn name_all(&self, hosts: &[&Host]) -> Result<(), SandboxError> {
        hosts.iter().try_for_each(|host| names::tell(host, hosts))
    }

    /// As [`Herd::name_all`], for one of these hosts, which is a new one.
    ///
    /// # Errors
    /// As [`Herd::name_all`].
    pub fn name_to(&self, host: &Host, hosts: &[&Host]) -> Result<(), SandboxError> {
        names::tell(host, hosts)
    }

    /// The network that the hosts are in.
    #[must_use]
    pub fn network(&self) -> Network {
        Network { keeper: self.router.keeper }
    }

    /// Whether hosts can reach the package mirrors. Where they can't (see [`super::probe`]), they can only install what
    /// earlier herds downloaded.
    #[must_use]
    pub fn has_way_out(&self) -> bool {
        has_way_out(self.router.keeper)
    }

    /// Leaves all hosts running when this process ends. [`Herd::stop`], or the next start in the same scratch
    /// directory, ends them.
    ///
    /// # Errors
    /// When the herd has ended already.
    pub fn leave_running(mut self) -> Result<(), SandboxError> {
        if let Some(mut life) = self.life.take() {
            let failed = |source| SandboxError::Network { doing: "leave the herd running".into(), source };
            life.write_all(b"detach\n").map_err(failed)?;
        }
        Ok(())
    }
}

impl Drop for Herd {
    fn drop(&mut self) {
        if self.life.is_none() {
            return;
        }
        // What can't be removed now, the next start removes.
        drop(clear(&self.scratch));
        // The children outside the process namespace end by themselves, once they have reaped those inside: killing
        // them would leave that to the machine's init, which may take its time.
        let ended = || (self.keeper.ended() && self.slirp.ended()).then_some(());
        if super::wait("the herd to end", STEP, ended).is_err() {
            self.keeper.kill();
            self.slirp.kill();
        }
    }
}

impl Router {
    /// A program of the machine, among the herd's processes and mounts and in its network.
    pub(super) fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let keeper = self.keeper.pid.to_string();
        Command::new("setsid").args(["nsenter", "--target", &keeper, "--mount", "--net", "--pid"]).args(args)
    }

    /// Where the disks of all hosts are, for the herd's processes.
    pub(super) fn hosts(&self) -> PathBuf {
        self.scratch.join("hosts")
    }

    /// Where the disk of a host is, for the herd's processes.
    pub(super) fn disk(&self, name: &str) -> PathBuf {
        self.hosts().join(name)
    }

    /// A path of the herd's processes as others reach it: some disks are on a tmpfs that is there for the herd only.
    pub(super) fn seen(&self, path: &Path) -> PathBuf {
        self.keeper.seen(path)
    }

    /// Where a host's supervisor writes.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.scratch.join("logs").join(name)
    }

    /// The router's end of a host's cable. The kernel allows names of 15 bytes.
    pub(super) fn port(&self, address: Ipv4Addr) -> String {
        format!("host{}", self.subnet.index(address).unwrap_or_default())
    }

    pub(super) fn overlay_options(&self) -> &'static str {
        if elevation::in_user_namespace() { ",userxattr" } else { "" }
    }
}

fn lock(scratch: &Path) -> Result<files::Lock, SandboxError> {
    lock_soon(&scratch.join("lock"))?.ok_or_else(|| SandboxError::Busy { scratch: scratch.to_owned() })
}

/// Ends what is recorded in `scratch` and removes the disks.
fn clear(scratch: &Path) -> Result<bool, SandboxError> {
    let was_running = record::clean(scratch)?;
    control_groups::remove(&scratch.join("hosts"));
    for part in ["hosts", "logs", "packages"] {
        files::remove_tree(scratch.join(part))?;
    }
    Ok(was_running)
}

/// The image, and above it the packages that are already here, as overlayfs wants them.
fn layers(image: &Image, scratch: &Path) -> Result<String, SandboxError> {
    for part in ["hosts", "logs"] {
        files::create_dir(scratch.join(part))?;
    }
    let downloaded = scratch.join("packages");
    packages::lay_out(image.packages(), &downloaded)?;
    Ok(format!("{}:{}", downloaded.display(), image.root().display()))
}

fn start_keeper(
    scratch: &Path,
    subnet: Subnet,
    machine: &str,
    booted: &Path,
) -> Result<(Child, PipeWriter), SandboxError> {
    let hosts = scratch.join("hosts");
    let tmpfs = if probe::can_overlay(scratch) { OsStr::new("") } else { hosts.as_os_str() };
    let command = Command::new("setsid")
        .args(["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["--propagation", "private", "sh", "-ec", KEEPER, "keeper"])
        .args([subnet.with_prefix(subnet.gateway()), machine.to_owned()])
        .args([tmpfs, booted.as_os_str()]);
    command.start_held(&scratch.join("logs/keeper.log")).map_err(while_doing("start the keeper of the herd"))
}

/// The keeper, once its bridge is there.
fn keeper_of(child: &Child, scratch: &Path) -> Result<Process, SandboxError> {
    let outer = child.pid().and_then(Process::of);
    let with_bridge = |keeper: &Process| files::read_text(keeper.proc("net/dev")).is_ok_and(|it| it.contains("herd0:"));
    let ready = || match outer.and_then(|outer| outer.children().into_iter().find(with_bridge)) {
        None if child.ended() => Some(None),
        keeper => keeper.map(Some),
    };
    let log = || files::read_text(scratch.join("logs/keeper.log")).unwrap_or_default().trim().to_owned();
    let what = || "the keeper of the herd".to_owned();
    let keeper = super::wait(&what(), STEP, ready)?;
    keeper.ok_or_else(|| SandboxError::NotInTime { what: what(), bound: Duration::ZERO, log: log() })
}

/// slirp4netns is a process of the herd that stays in the machine's network and carries what the herd sends out.
fn start_way_out(keeper: Process, scratch: &Path) -> Result<Child, SandboxError> {
    let command = Command::new("setsid")
        .args(["nsenter", "--target", &keeper.pid.to_string(), "--pid"])
        .args(["slirp4netns", "--configure", "--disable-host-loopback", "--mtu=65520", "--netns-type=path"])
        .arg(keeper.proc("ns/net"))
        .arg("tap0");
    let child = command.start(Some(&scratch.join("logs/slirp.log"))).map_err(while_doing("start slirp4netns"))?;
    super::wait("the herd's way out (slirp4netns)", STEP, || (has_way_out(keeper) || child.ended()).then_some(()))?;
    Ok(child)
}

fn has_way_out(keeper: Process) -> bool {
    files::read_text(keeper.proc("net/route")).is_ok_and(|routes| has_default_route(&routes))
}

fn has_default_route(routes: &str) -> bool {
    routes.lines().any(|line| line.split_whitespace().take(2).eq(["tap0", "00000000"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where it would not be refused, it would find no program for anything else.
    #[test]
    fn no_router_is_made_in_the_network_of_the_machine() {
        let programs = tempfile::tempdir().unwrap();
        let readlink = Command::shell("command -v readlink").read().unwrap();
        files::link(readlink, programs.path().join("readlink")).unwrap();
        let own = files::read_link("/proc/self/ns/net").unwrap().display().to_string();
        let keeper = Command::new("/bin/sh").args(["-ec", KEEPER, "keeper", "10.77.0.1/24", &own, ""]);
        let output = keeper.env("PATH", programs.path()).run().unwrap();
        assert_eq!((output.code, output.text().as_str()), (70, "refused: this is the machine's own network"));
    }

    #[test]
    fn the_way_out_is_a_default_route() {
        let header = "Iface\tDestination\tGateway\n";
        assert!(has_default_route(&format!("{header}tap0\t00000000\t0202000A\n")));
        assert!(!has_default_route(&format!("{header}tap0\t0002000A\t00000000\nherd0\t00000000\t1\n")));
    }
}
