//! HAProxy's runtime API: taking servers out of load, and putting them back.
//!
//! The API listens on a Unix socket, by whose path it is asked on the host itself. For other hosts it is to be had over
//! TCP, behind a frontend that lets only the servers themselves in; the example fleet's `install_haproxy` shows one.

mod stats;

use std::time::Duration;

use wb_core::context::Outcome;
use wb_core::system::clock;
use wb_core::system::socket::{self, SocketError};

use crate::ensure::{Difference, ensure};
use crate::herd::HerdError;
use crate::{Host, Look as _};
use stats::Server;

/// Where the runtime API of a role's hosts is expected.
pub const PORT: u16 = 9999;

/// How long a server may take to lose its last session, or to be seen up.
pub const BOUND: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);
/// How long one answer may take.
const ANSWER_BOUND: Duration = Duration::from_secs(5);

/// What can go wrong with a balancer.
#[derive(Debug, thiserror::Error)]
pub enum BalancerError {
    /// It can't be reached.
    #[error("could not ask the HAProxy {balancer}")]
    Ask {
        /// Which one.
        balancer: String,
        /// Why.
        source: SocketError,
    },
    /// Something answers that is not HAProxy's runtime API, or lets nobody in.
    #[error(
        "the HAProxy {balancer} does not show its servers\nhint: see that the port leads to its `stats socket`, and \
         that this host is let in"
    )]
    NoStatistics {
        /// Which one.
        balancer: String,
    },
    /// It does not know the server.
    #[error("the HAProxy {balancer} knows no server `{server}`; those that it knows are {known}")]
    NoSuchServer {
        /// Which one.
        balancer: String,
        /// The server, as `backend/server`.
        server: String,
        /// Its servers.
        known: String,
    },
    /// It refused a command.
    #[error("the HAProxy {balancer} refused `{command}`: {said}")]
    Refused {
        /// Which one.
        balancer: String,
        /// What it was told.
        command: String,
        /// What it said.
        said: String,
    },
    /// A server kept sessions for longer than the bound.
    #[error(
        "the server `{server}` still has {sessions} sessions at the HAProxy {balancer}, {} s after it was told to drain",
        bound.as_secs()
    )]
    StillBusy {
        /// Which one.
        balancer: String,
        /// The server, as `backend/server`.
        server: String,
        /// How many are left.
        sessions: u64,
        /// How long it had.
        bound: Duration,
    },
    /// A server did not come up within the bound.
    #[error(
        "the server `{server}` is {status} at the HAProxy {balancer}, {} s after it was made ready; expected it UP",
        bound.as_secs()
    )]
    NotUp {
        /// Which one.
        balancer: String,
        /// The server, as `backend/server`.
        server: String,
        /// What HAProxy says of it.
        status: String,
        /// How long it had.
        bound: Duration,
    },
}

/// A running HAProxy, on this host or another. [`Host::balancers`] and [`Host::haproxy`] make it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn leave(host: &Host) -> Result<()> {
///     for balancer in host.balancers("load_balancer")? {
///         balancer.drain("web", host.name())?;
///     }
///     Ok(())
/// }
///
/// fn rejoin(host: &Host) -> Result<()> {
///     for balancer in host.balancers("load_balancer")? {
///         balancer.within(Duration::from_mins(2)).ready("web", host.name())?;
///     }
///     host.haproxy("/run/haproxy/admin.sock").ready("metrics", host.name())?; // that of this very host
///     Ok(())
/// }
/// # let (_, _) = (leave as fn(&Host) -> Result<()>, rejoin as fn(&Host) -> Result<()>);
/// ```
#[must_use]
pub struct Balancer<'a> {
    host: Host<'a>,
    name: String,
    address: String,
    bound: Duration,
}

impl<'a> Balancer<'a> {
    pub(crate) fn new(host: Host<'a>, address: impl Into<String>) -> Self {
        let address = address.into();
        Self { host, name: format!("at {address}"), address, bound: BOUND }
    }

    /// The HAProxies of all hosts of a role.
    pub(crate) fn of(host: Host<'a>, role: &str) -> Result<Vec<Self>, HerdError> {
        let balancers = host.herd().role(role).hosts().map(|peer| {
            let address = socket::address(peer.address()?, PORT);
            let name = format!("of `{}` ({address})", peer.name());
            Ok(Self { host, name, address, bound: BOUND })
        });
        balancers.collect()
    }

    /// Waits so long for sessions to end, or for a server to be up; otherwise [`BOUND`].
    pub fn within(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// The server gets no new sessions, and has none left. Both are named as in HAProxy's configuration, in its lines
    /// `backend web` and `server web1 …`.
    ///
    /// # Errors
    /// When the balancer can't be asked or does not know the server, or sessions are left after the bound. The server
    /// is then told to drain nevertheless, if the balancer could be told.
    pub fn drain(&self, backend: &str, server: &str) -> Result<Outcome, BalancerError> {
        let found = self.server(backend, server)?;
        let what = format!("server {} drained at the HAProxy {}", found.id(), self.name);
        let difference = difference(&found, found.is_draining() && found.sessions == 0);
        ensure(self.host, &what, difference, || {
            self.tell(&format!("set server {} state drain", found.id()))?;
            self.wait_for(
                &found,
                |server| server.sessions == 0,
                |server| BalancerError::StillBusy {
                    balancer: self.name.clone(),
                    server: server.id(),
                    sessions: server.sessions,
                    bound: self.bound,
                },
            )
        })
    }

    /// The server gets sessions again, and is seen up.
    ///
    /// # Errors
    /// When the balancer can't be asked or does not know the server, or sees it down after the bound. The server is
    /// then ready nevertheless, if the balancer could be told: it gets sessions as soon as it is up.
    pub fn ready(&self, backend: &str, server: &str) -> Result<Outcome, BalancerError> {
        let found = self.server(backend, server)?;
        let what = format!("server {} ready at the HAProxy {}", found.id(), self.name);
        ensure(self.host, &what, difference(&found, found.is_up()), || {
            self.tell(&format!("set server {} state ready", found.id()))?;
            self.wait_for(&found, Server::is_up, |server| BalancerError::NotUp {
                balancer: self.name.clone(),
                server: server.id(),
                status: server.status,
                bound: self.bound,
            })
        })
    }

    fn wait_for(
        &self,
        server: &Server,
        done: impl Fn(&Server) -> bool,
        too_late: impl FnOnce(Server) -> BalancerError,
    ) -> Result<(), BalancerError> {
        let done = clock::wait_until(self.host.system().clock(), self.bound, PAUSE, || {
            let found = self.server(&server.backend, &server.name);
            found.map_or_else(|error| Some(Err(error)), |found| done(&found).then_some(Ok(())))
        });
        match done {
            Some(result) => result,
            None => Err(too_late(self.server(&server.backend, &server.name)?)),
        }
    }

    /// The names are looked up among those that HAProxy knows, so that none is a command.
    fn server(&self, backend: &str, name: &str) -> Result<Server, BalancerError> {
        let said = self.ask("show stat")?;
        let servers = stats::parse(&said).ok_or_else(|| BalancerError::NoStatistics { balancer: self.name.clone() })?;
        let found = servers.iter().find(|server| server.backend == backend && server.name == name);
        found.cloned().ok_or_else(|| BalancerError::NoSuchServer {
            balancer: self.name.clone(),
            server: format!("{backend}/{name}"),
            known: listed(&servers),
        })
    }

    /// A command that changes something is answered with an empty line, or with what is wrong.
    fn tell(&self, command: &str) -> Result<(), BalancerError> {
        match self.ask(command)?.trim() {
            "" => Ok(()),
            said => Err(BalancerError::Refused {
                balancer: self.name.clone(),
                command: command.to_owned(),
                said: said.to_owned(),
            }),
        }
    }

    fn ask(&self, command: &str) -> Result<String, BalancerError> {
        let question = format!("{command}\n");
        let said = match self.address.starts_with('/') {
            true => socket::ask_local(&self.host.system().path(&self.address), question.as_bytes(), ANSWER_BOUND),
            false => socket::ask(&self.address, question.as_bytes(), ANSWER_BOUND),
        };
        let said = said.map_err(|source| BalancerError::Ask { balancer: self.name.clone(), source })?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}

fn difference(found: &Server, as_wanted: bool) -> Difference {
    match as_wanted {
        true => Difference::None,
        false => Difference::Some(Some(format!("it was {} with {} sessions", found.status, found.sessions))),
    }
}

fn listed(servers: &[Server]) -> String {
    match servers.is_empty() {
        true => "none".to_owned(),
        false => servers.iter().map(|server| format!("`{}`", server.id())).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests;
