//! A host that serves a git repository over ssh.

use std::ffi::OsStr;
use std::net::Ipv4Addr;

use wb_core::system::Command;

use super::{Host, SandboxError};

/// A host with a bare repository that the user `git` owns. Nobody may connect before [`GitServer::authorise`].
#[derive(Debug)]
pub struct GitServer {
    host: Host,
}

const REPOSITORY: &str = "/srv/git/herd.git";

/// A herd asks all at once, and sshd by default drops connections beyond ten.
const SSHD: &str = "MaxStartups 1000\nMaxSessions 1000\nPasswordAuthentication no\nUseDNS no\n";

/// sshd must be able to read the file at every moment.
const AUTHORISE: &str = "set -e; cd /srv/git/.ssh
    cat >new; chown git:git new; chmod 600 new; mv new authorized_keys";

impl GitServer {
    pub(super) fn set_up(host: Host) -> Result<Self, SandboxError> {
        host.put("/etc/ssh/sshd_config.d/git.conf", SSHD, 0o644)?;
        host.read(Command::shell(format!(
            "set -e; useradd --home-dir /srv/git --create-home --shell /usr/bin/git-shell git
            install -d -o git -g git -m 700 /srv/git/.ssh
            install -o git -g git -m 600 /dev/null /srv/git/.ssh/authorized_keys
            setpriv --reuid git --regid git --clear-groups git init -q --bare --initial-branch main {REPOSITORY}
            git config --file {REPOSITORY}/config uploadpack.allowFilter true
            service ssh reload"
        )))?;
        Ok(Self { host })
    }

    /// One that was set up before, on the disk that its host has.
    pub(super) fn again(host: Host) -> Self {
        Self { host }
    }

    /// Says whose ssh keys may fetch and push, instead of those before: lines as in `authorized_keys`.
    ///
    /// # Errors
    /// When the host is down.
    pub fn authorise<K: AsRef<str>>(&self, keys: impl IntoIterator<Item = K>) -> Result<(), SandboxError> {
        let lines: String = keys.into_iter().map(|key| format!("{}\n", key.as_ref().trim())).collect();
        self.host.read(Command::shell(AUTHORISE).stdin(lines)).map(drop)
    }

    /// Where the repository is, for git in a host, or here with [`super::Network::ssh_command`].
    #[must_use]
    pub fn url(&self) -> String {
        url(self.host.address())
    }

    /// What git says of the repository, on the server itself: no network is needed.
    ///
    /// # Errors
    /// When the host is down, or git fails.
    pub fn git<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<String, SandboxError> {
        let git = Command::new("git").args(["-c", "safe.directory=*", "-C", REPOSITORY]);
        self.host.read(git.args(args))
    }

    /// The line for a `known_hosts` file.
    ///
    /// # Errors
    /// When the host is down.
    pub fn known_hosts(&self) -> Result<String, SandboxError> {
        let key = self.host.read(Command::new("cat").arg("/etc/ssh/ssh_host_ed25519_key.pub"))?;
        Ok(known_hosts(self.host.address(), &key))
    }

    /// The host that it runs on.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }
}

fn url(address: Ipv4Addr) -> String {
    format!("ssh://git@{address}{REPOSITORY}")
}

fn known_hosts(address: Ipv4Addr, key: &str) -> String {
    let words: Vec<&str> = key.split_whitespace().take(2).collect();
    format!("{address} {}\n", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_an_url_and_a_line_for_known_hosts() {
        let address = Ipv4Addr::new(10, 77, 0, 2);
        assert_eq!(url(address), "ssh://git@10.77.0.2/srv/git/herd.git");
        assert_eq!(known_hosts(address, "ssh-ed25519 AAAA root@git"), "10.77.0.2 ssh-ed25519 AAAA\n");
    }
}
