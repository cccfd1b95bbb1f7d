//! One host: a distribution with an init of its own, at an address of its own.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wb_core::system::command::Child;
use wb_core::system::{Command, Output, files};

use super::census::Switched;
use super::disk::Disk;
use super::herd::Router;
use super::process::Process;
use super::{SandboxError, elevation, while_doing};

/// A host of a herd. It may be used from many threads at once. Dropping it does not stop it: its herd does.
#[derive(Debug)]
pub struct Host {
    name: String,
    address: Ipv4Addr,
    router: Arc<Router>,
    /// The disk that lies between its own and the image.
    base: Mutex<Option<PathBuf>>,
    power: Mutex<Option<Power>>,
}

/// What a switched-on host hangs on: a process of this one, whose only child is the supervisor.
#[derive(Debug)]
struct Power {
    child: Child,
    outer: Process,
}

const SUPERVISOR: &str = include_str!("supervisor.sh");
const INIT: &str = include_str!("init.sh");

const BOOT: Duration = Duration::from_secs(60);

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Host {
    pub(super) fn new(
        router: Arc<Router>,
        name: &str,
        address: Ipv4Addr,
        base: Option<&Path>,
    ) -> Result<Self, SandboxError> {
        if !is_host_name(name) {
            return Err(SandboxError::Name(name.to_owned()));
        }
        let base = Mutex::new(base.map(Path::to_owned));
        Ok(Self { name: name.to_owned(), address, router, base, power: Mutex::new(None) })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Runs `command` in the host as root, with nothing of this process's environment, and judges nothing.
    ///
    /// # Errors
    /// When the host is down, or the command does not end within its timeout.
    pub fn run(&self, command: Command) -> Result<Output, SandboxError> {
        self.enter(command)?.run().map_err(while_doing(format!("run a command in host {}", self.name)))
    }

    /// Runs `command` as [`Host::run`] does and expects exit code 0; gives its standard output without the last line
    /// break.
    ///
    /// # Errors
    /// As [`Host::run`], and when the exit code is not 0.
    pub fn read(&self, command: Command) -> Result<String, SandboxError> {
        self.enter(command)?.read().map_err(while_doing(format!("run a command in host {}", self.name)))
    }

    /// Writes a file in the host, atomically, making the directories above it.
    ///
    /// # Errors
    /// When the host is down, or the file can't be written.
    pub fn put(&self, path: &str, content: impl Into<Vec<u8>>, mode: u32) -> Result<(), SandboxError> {
        let script = r#"set -e; mkdir -p "$(dirname "$1")"; cat >"$1.new"; chmod "$2" "$1.new"; mv "$1.new" "$1""#;
        let command = Command::new("/bin/sh").args(["-c", script, "put", path, &format!("{mode:o}")]);
        self.read(command.stdin(content)).map(drop)
    }

    /// The host's root directory as seen from outside. Links in it lead astray: read only paths that have none.
    ///
    /// # Errors
    /// When the host is down.
    pub fn root(&self) -> Result<PathBuf, SandboxError> {
        Ok(self.init()?.proc("root"))
    }

    /// The id of the host's current boot.
    ///
    /// # Errors
    /// When the host is down.
    pub fn boot_id(&self) -> Result<String, SandboxError> {
        Ok(files::read_text(self.root()?.join("run/boot_id"))?.trim().to_owned())
    }

    /// Whether it is switched on and has an init.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.init().is_ok()
    }

    /// Cuts its power: every process in it dies at once, and its disk stays as it is.
    ///
    /// # Errors
    /// When it does not die.
    pub fn kill(&self) -> Result<(), SandboxError> {
        let mut power = self.power();
        let Some(on) = power.as_ref() else { return Ok(()) };
        let what = format!("host {} to die", self.name);
        super::wait(&what, super::STEP, || {
            on.cut();
            on.child.ended().then_some(())
        })?;
        *power = None;
        Ok(())
    }

    /// Switches it on, with the disk that it has, and waits until its init has started all services. A host that is
    /// on stays as it is.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(&self) -> Result<(), SandboxError> {
        if self.is_up() {
            return Ok(());
        }
        *self.power() = Some(self.power_on()?);
        self.wait_until_booted(None)
    }

    /// Makes it a new host: cuts its power, empties its disk, and boots it on `base`, as [`super::Herd::boot_on`] does, or
    /// on the image alone. What it downloaded is lost with its disk.
    ///
    /// # Errors
    /// When it does not die, the disk can't be emptied, or it does not come up.
    pub fn reset(&self, base: Option<&Path>) -> Result<(), SandboxError> {
        self.kill()?;
        let empty = self.router.command(["rm", "-rf"]).arg(self.router.disk(&self.name));
        empty.read().map_err(while_doing(format!("empty the disk of host {}", self.name)))?;
        *self.base() = base.map(Path::to_owned);
        self.start()
    }

    /// Waits until it has come up again after the boot that had `boot_id`: for a host that reboots itself.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn wait_for_reboot(&self, boot_id: &str) -> Result<(), SandboxError> {
        self.wait_until_booted(Some(boot_id))
    }

    /// Copies its disk as it is now: a backup, or, as the disk of another host, a clone. It has that name among the disks
    /// of the herd.
    ///
    /// # Errors
    /// When it can't be copied.
    pub fn keep_disk(&self, name: &str) -> Result<(), SandboxError> {
        self.copy_disk(&self.name, name)
    }

    /// Puts a disk that was kept in the place of its own. It must be switched off. On other hardware it finds out at its
    /// next boot that it is another machine.
    ///
    /// # Errors
    /// When it can't be copied.
    pub fn put_disk(&self, name: &str, other_hardware: bool) -> Result<(), SandboxError> {
        self.copy_disk(name, &self.name)?;
        if !other_hardware {
            return Ok(());
        }
        const FORGET: &str = r#"cd "$1/upper/etc"; rm -f machine-id ssh/ssh_host_ed25519_key*"#;
        let forget = self.router.command(["sh", "-ec", FORGET, "forget"]).arg(self.router.disk(&self.name));
        forget.read().map(drop).map_err(while_doing(format!("give host {} other hardware", self.name)))
    }

    fn copy_disk(&self, from: &str, to: &str) -> Result<(), SandboxError> {
        const COPY: &str = r#"rm -rf "$2"; mkdir -p "$2"; cp -a "$1/upper" "$2/""#;
        let command = self.router.command(["sh", "-ec", COPY, "copy"]);
        let command = command.args([self.router.disk(from), self.router.disk(to)]);
        command.read().map(drop).map_err(while_doing(format!("copy the disk {from} to {to}")))
    }

    /// What its disk has over its image.
    pub(super) fn disk(&self) -> Result<Disk, SandboxError> {
        let own = self.router.disk(&self.name).join("upper");
        let layers = self.base().clone().into_iter().chain([own]).map(|layer| self.router.seen(&layer)).collect();
        Ok(Disk { root: self.root()?, image: self.router.image.clone(), layers })
    }

    /// Does something while all processes in it stand still, but for its init. Its disk is then as a power cut would leave
    /// it, with what was not synced besides. Nobody else may be in the middle of a [`Host::run`]: that would not go on.
    ///
    /// # Errors
    /// When the host is down, or its processes can't be stopped or do not go on.
    pub fn frozen<T>(&self, act: impl FnOnce() -> T) -> Result<T, SandboxError> {
        self.signal_all("STOP")?;
        let frozen = Frozen(Some(self));
        let done = act();
        frozen.thaw()?;
        Ok(done)
    }

    /// Sends a signal to all processes in it but the init. That there may be none is no error.
    fn signal_all(&self, signal: &str) -> Result<(), SandboxError> {
        let kill = format!("kill -{signal} -1 || :");
        self.read(Command::shell(kill)).map(drop)
    }

    /// Pulls its network cable, or plugs it in again.
    ///
    /// # Errors
    /// When the host is down.
    pub fn partition(&self, cut: bool) -> Result<(), SandboxError> {
        self.init()?;
        let state = if cut { "down" } else { "up" };
        let command = self.router.command(["ip", "link", "set", &self.router.port(self.address), state]);
        command.read().map(drop).map_err(while_doing(format!("set the link of host {} {state}", self.name)))
    }

    /// The command line that gives a person a shell in it.
    ///
    /// # Errors
    /// When the host is down.
    pub fn shell_line(&self) -> Result<String, SandboxError> {
        Ok(shell_line(self.init()?, elevation::in_user_namespace()))
    }

    fn enter(&self, command: Command) -> Result<Command, SandboxError> {
        self.enter_through(command, &[])
    }

    /// A command in the host, started by another one there, to which it is the last arguments.
    pub(super) fn enter_through(&self, command: Command, starter: &[&str]) -> Result<Command, SandboxError> {
        // The command dies with the nsenter that waits for it, so that a timeout kills both.
        let outer = entrance(self.init()?, false).args(["setpriv", "--pdeathsig", "KILL", CAPABILITIES]).args(starter);
        Ok(with_defaults(command).inside(outer))
    }

    fn power_on(&self) -> Result<Power, SandboxError> {
        let child = self.supervisor().start(Some(&self.router.log(&self.name)));
        let child = child.map_err(while_doing(format!("switch host {} on", self.name)))?;
        let outer = child.pid().and_then(Process::of).ok_or_else(|| self.down())?;
        let switched = Switched { name: self.name.clone(), address: self.address, outer };
        // Only people look for it.
        drop(switched.write(&self.router.hosts()));
        Ok(Power { child, outer })
    }

    fn supervisor(&self) -> Command {
        let router = &self.router;
        router
            .command(["unshare", "--net", "--uts", "sh", "-ec", SUPERVISOR, "supervisor", &self.name])
            .args([router.subnet.with_prefix(self.address), router.subnet.gateway().to_string()])
            .args([router.port(self.address), router.machine.clone(), self.lower()])
            .arg(router.disk(&self.name))
            .args([router.overlay_options(), INIT])
    }

    /// The layers below its own, as overlayfs wants them.
    fn lower(&self) -> String {
        let base = self.base().as_deref().map(|base| format!("{}:", base.display()));
        base.unwrap_or_default() + &self.router.lower
    }

    fn wait_until_booted(&self, after: Option<&str>) -> Result<(), SandboxError> {
        let booted = || {
            let root = self.root().ok()?;
            let current = self.boot_id().ok()?;
            (files::exists(root.join("run/booted")) && after != Some(&current)).then_some(())
        };
        let ready = || if self.ended() { Some(false) } else { booted().map(|()| true) };
        match super::wait(&format!("host {} to boot", self.name), BOOT, ready) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.not_booted(Duration::ZERO)),
            Err(_) => Err(self.not_booted(BOOT)),
        }
    }

    fn not_booted(&self, bound: Duration) -> SandboxError {
        let log = files::read_text(self.router.log(&self.name)).unwrap_or_default();
        SandboxError::NotInTime { what: format!("host {} to boot", self.name), bound, log: log.trim().to_owned() }
    }

    fn init(&self) -> Result<Process, SandboxError> {
        self.power().as_ref().and_then(Power::init).ok_or_else(|| self.down())
    }

    fn ended(&self) -> bool {
        self.power().as_ref().is_none_or(|power| power.child.ended())
    }

    fn down(&self) -> SandboxError {
        SandboxError::Down { name: self.name.clone() }
    }

    fn base(&self) -> MutexGuard<'_, Option<PathBuf>> {
        self.base.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn power(&self) -> MutexGuard<'_, Option<Power>> {
        self.power.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A host whose processes stand still until this is dropped.
struct Frozen<'a>(Option<&'a Host>);

impl Frozen<'_> {
    fn thaw(mut self) -> Result<(), SandboxError> {
        self.0.take().map_or(Ok(()), |host| host.signal_all("CONT"))
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        if let Some(host) = self.0.take() {
            // Whatever made an end of it is told already.
            drop(host.signal_all("CONT"));
        }
    }
}

impl Power {
    fn init(&self) -> Option<Process> {
        init_below(self.outer)
    }

    /// The host's process 1 whatever it runs, and the supervisor, so that it is not started again.
    fn cut(&self) {
        for supervisor in self.outer.children() {
            let below: Vec<Process> = supervisor.children();
            let first: Vec<Process> = below.iter().flat_map(|process| process.children()).collect();
            [supervisor].into_iter().chain(first).chain(below).for_each(Process::kill);
        }
    }
}

/// nsenter → the supervisor → unshare → init, once it is one.
pub(super) fn init_below(outer: Process) -> Option<Process> {
    let grandchildren = outer.children().into_iter().flat_map(Process::children);
    let mut inits = grandchildren.flat_map(Process::children);
    inits.find(|process| matches!(process.program().as_deref(), Some("init" | "systemd" | "runit")))
}

/// The command line that gives a person a shell in a host, of another user namespace or of this one.
pub(super) fn shell_line(init: Process, elsewhere: bool) -> String {
    entrance(init, elsewhere).args(["setpriv", CAPABILITIES, "bash", "-l"]).line()
}

/// A command in a host, for a person at a terminal.
pub(super) fn by_hand(init: Process, elsewhere: bool, command: Command) -> Command {
    with_defaults(command).inside(entrance(init, elsewhere).args(["setpriv", CAPABILITIES]))
}

/// What starts a command in the namespaces of a host: to it, that command is the last arguments.
fn entrance(init: Process, elsewhere: bool) -> Command {
    let user = elsewhere.then_some("--user");
    Command::new("nsenter").args(["--target", &init.pid.to_string()]).args(user).args(NAMESPACES)
}

const NAMESPACES: [&str; 8] = ["--mount", "--net", "--pid", "--uts", "--ipc", "--cgroup", "--root", "--wd"];

/// What a host must not do to the machine: to its clock, its kernel's modules, its ports and memory. Making nodes of
/// devices is not among it: scripts of packages do that, and no file system of a host lets one be opened.
const CAPABILITIES: &str = "--bounding-set=-sys_time,-sys_module,-sys_rawio";

fn with_defaults(command: Command) -> Command {
    [("PATH", PATH), ("HOME", "/root"), ("LANG", "C.UTF-8")]
        .into_iter()
        .fold(command, |command, (name, value)| command.env_default(name, value))
}

fn is_host_name(name: &str) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    plain && (1..=63).contains(&name.len()) && !name.starts_with('-') && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_one() {
        assert!(["web1", "a", "DB-2"].iter().all(|name| is_host_name(name)));
        assert!(!["", "-a", "a-", "a b", "a/b", "ä", &"x".repeat(64)].iter().any(|name| is_host_name(name)));
    }

    #[test]
    fn whoever_enters_may_do_no_more_than_the_init() {
        assert!(INIT.contains(CAPABILITIES));
        let init = Process { pid: 7, started: 1 };
        for line in [shell_line(init, false), by_hand(init, true, Command::new("id")).line()] {
            assert!(line.contains(&format!("setpriv {CAPABILITIES} ")), "{line}");
        }
    }

    /// Where it would not be refused, it would find no program for anything else.
    #[test]
    fn an_init_is_refused_where_others_have_their_network_or_processes() {
        let programs = tempfile::tempdir().unwrap();
        let readlink = Command::shell("command -v readlink").read().unwrap();
        files::link(readlink, programs.path().join("readlink")).unwrap();
        let check = |foreign: &str, expect: &str| {
            let init = Command::new("/bin/sh").args(["-ec", INIT, "init", "/none", "/none", "", foreign]);
            let output = init.env("PATH", programs.path()).run().unwrap();
            assert_eq!((output.code, output.text().as_str()), (70, expect), "{output:?}");
        };
        let own = files::read_link("/proc/self/ns/net").unwrap().display().to_string();
        check(&own, "refused: an init needs a network namespace of its own");
        check(&format!("net:[1] {own}"), "refused: an init needs a network namespace of its own");
        check("net:[1] net:[2]", "refused: an init needs a process namespace of its own");
    }

    #[test]
    fn no_file_system_of_a_host_has_devices() {
        let is_own = |line: &&str| line.starts_with("mount -t overlay") || line.starts_with("mount -t tmpfs");
        let without: Vec<&str> = INIT.lines().filter(is_own).filter(|line| !line.contains("nodev")).collect();
        assert_eq!(without, [""; 0]);
    }

    #[test]
    fn a_command_keeps_what_it_sets_itself() {
        let line = with_defaults(Command::new("id").env("LANG", "C")).inside(Command::new("box")).line();
        assert_eq!(line, format!("box /usr/bin/env -i HOME=/root LANG=C PATH={PATH} id"));
    }
}
