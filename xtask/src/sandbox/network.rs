//! A herd's network, as a process outside of it reaches it.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use wb_core::system::{files, socket};

use super::SandboxError;
use super::process::Process;

/// The network that a herd's hosts are in. It is a handle: copies are cheap, and any thread may use one.
#[derive(Debug, Clone, Copy)]
pub struct Network {
    pub(super) keeper: Process,
}

impl Network {
    /// Moves the calling thread into this network, for good: what it connects to and the processes that it starts are
    /// there. Other threads stay where they are. For a thread that makes load.
    ///
    /// # Errors
    /// When the herd has ended.
    pub fn enter(&self) -> Result<(), SandboxError> {
        let namespace = files::open(self.namespace())?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).map_err(|error| {
            SandboxError::Network { doing: "enter the network of the herd".into(), source: error.into() }
        })
    }

    /// Connects to a host's port. The connection may be used by any thread.
    ///
    /// # Errors
    /// When the herd has ended, or nothing answers within `timeout`.
    pub fn connect(&self, to: SocketAddr, timeout: Duration) -> Result<TcpStream, SandboxError> {
        let connect = || {
            self.enter()?;
            socket::open(to, timeout)
                .map_err(|error| SandboxError::Network { doing: format!("connect to {to}"), source: error.source })
        };
        // A thread of its own, because a thread can't be trusted to find its way back.
        let joined = std::thread::scope(|scope| scope.spawn(connect).join());
        joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// An ssh command that starts on this machine and connects in this network: the value for git's
    /// `GIT_SSH_COMMAND` or `core.sshCommand`.
    #[must_use]
    pub fn ssh_command(&self) -> String {
        format!("nsenter --net={} ssh", self.namespace().display())
    }

    /// The file that stands for this network, for `nsenter --net=`.
    #[must_use]
    pub fn namespace(&self) -> PathBuf {
        self.keeper.proc("ns/net")
    }
}
