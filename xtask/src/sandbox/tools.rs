//! The programs of the machine that sandboxes are made with.

use std::path::Path;
use std::time::Duration;

use wb_core::system::{Command, environment, files};

use super::{SandboxError, elevation, while_doing};

/// A program, or a file by its path, and the package of this machine that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tool {
    pub(super) program: &'static str,
    pub(super) package: &'static str,
}

const TOOLS: [Tool; 12] = [
    Tool { program: "mmdebstrap", package: "mmdebstrap" },
    Tool { program: "slirp4netns", package: "slirp4netns" },
    Tool { program: "iptables", package: "iptables" },
    Tool { program: "ip", package: "iproute2" },
    Tool { program: "newuidmap", package: "uidmap" },
    Tool { program: "unshare", package: "util-linux" },
    Tool { program: "nsenter", package: "util-linux" },
    Tool { program: "setpriv", package: "util-linux" },
    Tool { program: "flock", package: "util-linux" },
    Tool { program: "git", package: "git" },
    Tool { program: "rsync", package: "rsync" },
    Tool { program: "ssh-keygen", package: "openssh-client" },
];

/// The C compiler that libgit2 is compiled with for musl.
const MUSL: [Tool; 1] = [Tool { program: "musl-gcc", package: "musl-tools" }];

/// Installs what is missing of the programs that sandboxes need, with `apt-get`, after telling `say` what; does and
/// says nothing when all are there.
///
/// # Errors
/// When something is missing and can't be installed from here; the error names the command that would.
pub fn ensure_tools(say: &dyn Fn(&str)) -> Result<(), SandboxError> {
    ensure(&TOOLS, say)
}

/// Installs what is missing of the programs that a runner for musl is built with, as [`ensure_tools`] does.
///
/// # Errors
/// As [`ensure_tools`]. Runners can be built without them, for glibc.
pub fn ensure_musl_compiler(say: &dyn Fn(&str)) -> Result<(), SandboxError> {
    ensure(&MUSL, say)
}

/// Where the ssh server of Debian lies.
const SSHD: [Tool; 1] = [Tool { program: "sshd", package: "openssh-server" }];

/// Installs an ssh server where there is none, as [`ensure_tools`] does.
///
/// # Errors
/// As [`ensure_tools`].
pub fn ensure_ssh_server(say: &dyn Fn(&str)) -> Result<(), SandboxError> {
    ensure(&SSHD, say)
}

/// Installs the keys of a distribution where they are not there, as [`ensure_tools`] does.
pub(super) fn ensure_keyring(keyring: Tool, say: &dyn Fn(&str)) -> Result<(), SandboxError> {
    ensure(&[keyring], say)
}

fn ensure(tools: &[Tool], say: &dyn Fn(&str)) -> Result<(), SandboxError> {
    let missing = || missing_of(tools);
    if missing().is_empty() {
        return Ok(());
    }
    let root = rustix::process::geteuid().is_root() && !elevation::in_user_namespace();
    if !root || !installed("apt-get") {
        return Err(SandboxError::Tools { remedy: remedy(&packages(&missing())) });
    }
    let cache = super::cache_dir();
    files::create_dir(&cache)?;
    let free = || files::try_lock(cache.join("tools.lock")).transpose();
    let _lock = super::wait("another process to install missing programs", INSTALL, free)??;
    install(&packages(&missing()), say)
}

/// How long an installation may take, downloads included.
const INSTALL: Duration = Duration::from_secs(10 * 60);

fn install(packages: &[&str], say: &dyn Fn(&str)) -> Result<(), SandboxError> {
    if packages.is_empty() {
        return Ok(());
    }
    say(&format!("installing {} with apt-get", packages.join(", ")));
    apt_get(&["update", "-qq"])?;
    let install = ["install", "-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"];
    apt_get(&[install.as_slice(), packages].concat())
}

/// The programs that are not on this machine.
pub(super) fn missing() -> Vec<Tool> {
    missing_of(&TOOLS)
}

fn missing_of(tools: &[Tool]) -> Vec<Tool> {
    tools.iter().filter(|tool| !installed(tool.program)).copied().collect()
}

/// The packages of all that a machine with sandboxes may need.
pub(super) fn all_packages() -> Vec<&'static str> {
    packages(&[TOOLS.as_slice(), &MUSL, &SSHD].concat())
}

/// The command that installs a list of packages.
pub(super) fn remedy(packages: &[&str]) -> String {
    format!("apt-get install --no-install-recommends {}", packages.join(" "))
}

fn packages(tools: &[Tool]) -> Vec<&'static str> {
    let mut packages: Vec<_> = tools.iter().map(|tool| tool.package).collect();
    packages.dedup();
    packages
}

fn installed(program: &str) -> bool {
    if program.starts_with('/') {
        return files::exists(program);
    }
    let path = environment::var("PATH").unwrap_or_default();
    let found = |dir: &str| files::exists(Path::new(dir).join(program));
    path.split(':').chain(["/usr/sbin", "/sbin"]).any(found)
}

fn apt_get(args: &[&str]) -> Result<(), SandboxError> {
    let command = Command::new("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive").timeout(INSTALL);
    command.read().map(drop).map_err(while_doing("install missing programs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_named_once() {
        let tools = TOOLS.into_iter().filter(|tool| ["ip", "unshare", "nsenter"].contains(&tool.program));
        let packages = packages(&tools.collect::<Vec<_>>());
        assert_eq!(remedy(&packages), "apt-get install --no-install-recommends iproute2 util-linux");
    }

    #[test]
    fn what_is_there_is_found() {
        assert!(installed("sh") && installed("/proc/self/status"));
        assert!(!installed("no-such-program") && !installed("/no/such/file"));
    }
}
