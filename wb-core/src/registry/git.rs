//! The one builder of `git` commands.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::system::Command;

/// How a remote is reached over ssh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// As the operator's own git does: their ssh configuration, their agent.
    Operator {
        /// The `core.sshCommand` of the repository that they work in.
        ssh_command: Option<String>,
    },
    /// As a host: never a prompt, with this key beside what the ssh configuration names.
    Host {
        /// The private key.
        key: PathBuf,
        /// The directory for the sockets of connections that are kept from one poll to the next: to make one is nearly
        /// all that a poll costs. Who has none makes one each time.
        connections: Option<PathBuf>,
    },
}

/// Builds `git` commands that behave the same wherever they run: no prompt, no inherited repository, no translation,
/// no hooks, everything on disk before it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Git {
    access: Access,
}

/// Long enough for a first fetch of a runner over a slow line; a hanging server must not stop a host for ever.
pub(crate) const NETWORK_TIMEOUT: Duration = Duration::from_secs(300);

/// What git says of a fetch or a push takes a few lines, and what a server lets it say takes as many as that wants.
const LARGEST_ANSWER: u64 = 1 << 20;

const INHERITED: [&str; 9] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "LC_ALL",
];

/// What a fetch tells of others can be fetched again, and a copy with a broken ref is made anew: to wait for the disk at
/// each of a thousand refs would take longer than all else.
pub(super) const REFS_UNFLUSHED: &str = "core.fsync=all,-reference";

const SETTINGS: [&str; 7] = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.fsync=all",
    "protocol.version=2",
    "submodule.recurse=false",
    "fetch.fsckObjects=true",
    "gc.auto=0",
];

impl Git {
    /// A builder for this way of access.
    #[must_use]
    pub fn new(access: Access) -> Self {
        Self { access }
    }

    /// `git -C dir …`, for what stays on this machine.
    #[must_use]
    pub fn local(&self, dir: &Path) -> Command {
        let mut command = Command::new("git").args(["-C".as_ref(), dir.as_os_str()]);
        for setting in SETTINGS {
            command = command.args(["-c", setting]);
        }
        for name in INHERITED {
            command = command.env_remove(name);
        }
        command.env("LC_MESSAGES", "C").env("LANGUAGE", "C").env("GIT_TERMINAL_PROMPT", "0")
    }

    /// `git -C dir …`, for what crosses a network.
    #[must_use]
    pub fn network(&self, dir: &Path) -> Command {
        let command = self.local(dir).timeout(NETWORK_TIMEOUT).says_at_most(LARGEST_ANSWER);
        match &self.access {
            Access::Operator { ssh_command: None } => command,
            Access::Operator { ssh_command: Some(ssh) } => command.args(["-c", &format!("core.sshCommand={ssh}")]),
            // After a broken connection the outcome is read back, so that whatever it does may be cut short.
            Access::Host { key, connections } => {
                command.env("GIT_SSH_COMMAND", host_ssh(key, connections.as_deref())).expendable()
            }
        }
    }
}

/// How long a connection outlives its last use: a few polls.
const KEPT_SECONDS: u32 = 180;

fn host_ssh(key: &Path, connections: Option<&Path>) -> String {
    let options = "-o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=5 -o ServerAliveCountMax=3";
    let kept = connections.map(|dir| {
        let path = in_quotes(&dir.join("%C"));
        format!(" -o ControlMaster=auto -o ControlPersist={KEPT_SECONDS} -o ControlPath={path}")
    });
    format!("ssh {options}{} -i {}", kept.unwrap_or_default(), in_quotes(key))
}

fn in_quotes(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_never_prompts_and_brings_its_key() {
        let line = host_ssh(Path::new("/etc/wildebeest/host_key"), None);
        assert!(line.contains("BatchMode=yes") && line.ends_with("-i '/etc/wildebeest/host_key'"), "{line}");
        assert!(!line.contains("Control"), "{line}");
    }

    #[test]
    fn a_connection_is_kept_where_there_is_a_place_for_its_socket() {
        let line = host_ssh(Path::new("/k"), Some(Path::new("/var/lib/wildebeest/ssh")));
        assert!(line.contains(" -o ControlPath='/var/lib/wildebeest/ssh/%C' "), "{line}");
    }

    #[test]
    fn a_command_names_its_directory_first() {
        let line =
            Git::new(Access::Operator { ssh_command: None }).local(Path::new("/srv/herd.git")).arg("fetch").line();
        assert!(line.starts_with("git -C /srv/herd.git -c core.fsmonitor=false "), "{line}");
        assert!(line.ends_with(" fetch"), "{line}");
    }
}
