//! Who serves the bare repository of a herd: git's own daemon, or an sshd with the settings that it comes with. Both
//! listen on the loopback address alone, are ordinary processes, and have all their files in the bench's directory.
#![expect(clippy::disallowed_methods, reason = "the port that a server will listen on must be free")]

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use wb_core::registry::{generate, public_key};
use wb_core::system::clock::{Real, wait_until};
use wb_core::system::command::Child;
use wb_core::system::{Command, files, socket};

use super::super::{BenchError, failed};
use super::toll::{Toll, Traffic};
use super::{Way, mortal};
use crate::processor::{children, used_by_tree_ms};
use crate::sandbox::ensure_ssh_server;
use crate::shell::Shell;

/// A server at work, with a gate before it that counts.
pub(super) struct Server {
    dir: PathBuf,
    way: Way,
    child: Child,
    toll: Toll,
}

impl Server {
    /// Serves the repositories in `dir`; over ssh to whoever has one of `keys`.
    pub(super) fn start(dir: &Path, way: Way, keys: &[String], shell: &Shell) -> Result<Self, BenchError> {
        let listen = |source| BenchError::Listen { source };
        let port = free_port().map_err(listen)?;
        let command = match way {
            Way::Git => daemon(dir, port)?,
            Way::Ssh => sshd(dir, port, keys, shell)?,
        };
        let log = dir.join("server.log");
        let child = command.start(Some(&log)).map_err(failed("start a git server"))?;
        let server = Self { dir: dir.to_owned(), way, child, toll: Toll::before(port).map_err(listen)? };
        let is_up = || socket::open(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE).ok();
        let up = wait_until(&Real, PATIENCE, Duration::from_millis(20), is_up);
        up.map(drop).ok_or_else(|| BenchError::Server { said: files::read_text(&log).unwrap_or_default() })?;
        if way == Way::Ssh {
            server.introduce(dir)?;
        }
        Ok(server)
    }

    /// The URL of a repository in the served directory, for hosts.
    pub(super) fn url(&self, repository: &str) -> Result<String, BenchError> {
        let port = self.toll.port();
        Ok(match self.way {
            Way::Git => format!("git://127.0.0.1:{port}/{repository}"),
            Way::Ssh => {
                let user = Command::new("id").arg("-un").read().map_err(failed("ask for this user's name"))?;
                format!("ssh://{user}@127.0.0.1:{port}{}", self.dir.join(repository).display())
            }
        })
    }

    /// What passed so far. What ssh hides is told by the command that it runs for each request.
    pub(super) fn traffic(&self) -> Traffic {
        let traffic = self.toll.traffic();
        let requests = files::read_text(requests(&self.dir)).unwrap_or_default();
        let asked = |service: &str| requests.lines().filter(|line| line.starts_with(service)).count() as u64;
        match self.way {
            Way::Git => traffic,
            Way::Ssh => Traffic { fetches: asked("git-upload-pack"), pushes: asked("git-receive-pack"), ..traffic },
        }
    }

    /// The processor's time that it used so far, with all that it started, in seconds.
    pub(super) fn cpu_seconds(&self) -> f64 {
        self.child.pid().map_or(0.0, used_by_tree_ms) / 1000.0
    }

    /// Lets hosts know the server, by a configuration of ssh that they alone read.
    fn introduce(&self, dir: &Path) -> Result<(), BenchError> {
        let key = public_key(&host_key(dir)).map_err(BenchError::Key)?;
        let known = dir.join("known_hosts");
        files::write(&known, format!("[127.0.0.1]:{} {key}\n", self.toll.port()), 0o644)?;
        let config = dir.join("ssh_config");
        let known = known.display();
        let text = format!("UserKnownHostsFile {known}\nGlobalKnownHostsFile none\nIdentitiesOnly yes\n");
        files::write(&config, text, 0o644)?;
        let ssh = Command::shell("command -v ssh").read().map_err(failed("find ssh"))?;
        let script = format!("#!/bin/sh\nexec {ssh} -F {} \"$@\"\n", config.display());
        files::create_dir(programs(dir))?;
        Ok(files::write(programs(dir).join("ssh"), script, 0o755)?)
    }
}

impl Drop for Server {
    /// Connections that are kept have processes of their own, which would outlive it.
    fn drop(&mut self) {
        let kept = self.child.pid().map(children).unwrap_or_default();
        self.child.kill();
        let kept = kept.into_iter().filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        kept.for_each(|pid| kill_process(pid, Signal::TERM).unwrap_or_default());
    }
}

/// Where hosts find the `ssh` that knows the server, before any other.
pub(super) fn programs(dir: &Path) -> PathBuf {
    dir.join("bin")
}

const PATIENCE: Duration = Duration::from_secs(20);

fn daemon(dir: &Path, port: u16) -> Result<Command, BenchError> {
    // As `git daemon` it would be the child of a process that does nothing else.
    let place = Command::new("git").arg("--exec-path").read().map_err(failed("ask where git lies"))?;
    let daemon = ahead(Path::new(&place).join("git-daemon"));
    let daemon = daemon.args(["--export-all", "--enable=receive-pack", "--max-connections=0", "--reuseaddr"]);
    let daemon = daemon.arg("--listen=127.0.0.1").arg(format!("--port={port}"));
    Ok(daemon.arg(format!("--base-path={}", dir.display())).arg(dir))
}

/// The settings that decide how many connections it takes at once are those that it comes with. The user's shell, which
/// runs each command, finds no start files of theirs.
fn sshd(dir: &Path, port: u16, keys: &[String], shell: &Shell) -> Result<Command, BenchError> {
    ensure_ssh_server(&|line| shell.note(line)).map_err(BenchError::Tools)?;
    generate(&host_key(dir), "bench").map_err(BenchError::Key)?;
    files::write(dir.join("authorized_keys"), keys.join("\n") + "\n", 0o600)?;
    let (place, requests) = (dir.display(), requests(dir));
    let serve = format!(
        "#!/bin/sh\necho \"$SSH_ORIGINAL_COMMAND\" >>{}\nexec git shell -c \"$SSH_ORIGINAL_COMMAND\"\n",
        requests.display()
    );
    files::write(dir.join("serve"), serve, 0o755)?;
    files::create_dir(dir.join("home"))?;
    let config = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {place}/server_key\nAuthorizedKeysFile {place}/authorized_keys\n\
         PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n\
         PermitUserRC no\nSetEnv HOME={place}/home\nForceCommand {place}/serve\n"
    );
    files::write(dir.join("sshd_config"), config, 0o600)?;
    // Where it has root's rights, it wants this directory.
    drop(files::create_dir("/run/sshd"));
    Ok(ahead("/usr/sbin/sshd").args(["-D", "-e", "-f"]).arg(dir.join("sshd_config")))
}

/// How much nicer hosts are than the server and the gate before it: a real server has processors of its own, and here it
/// would starve beside many hosts.
pub(super) const AHEAD: i32 = 10;

fn ahead(program: impl AsRef<OsStr>) -> Command {
    mortal("nice").args(["-n", &format!("-{AHEAD}")]).arg(program)
}

fn host_key(dir: &Path) -> PathBuf {
    dir.join("server_key")
}

/// Each request over ssh is a line of it.
fn requests(dir: &Path) -> PathBuf {
    dir.join("requests")
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
