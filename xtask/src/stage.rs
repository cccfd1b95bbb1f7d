//! A stage: a herd of real hosts on this machine, with all that belongs to one: a git server, an operator with a key, a fleet
//! repository.
//!
//! Nothing on it is made for show. Hosts enrol, are admitted, follow signed changes and take turns as those of any herd do.
//! The demo plays on a stage, and so does a test that rolls a herd; Wildebeest's own tests do worse things on theirs.

mod herd_toml;
mod join;
mod keys;
mod look;
mod machines;

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::Serialize;
use wb_core::change::Manifest;
use wb_core::registry::SignatureError;
use wb_core::system::files::{self, FileError};

use crate::admission::AdmitError;
use crate::deploy::{self, DeployError, Deployed, Request};
use crate::fleet::{Fleet, FleetError};
use crate::git::GitError;
use crate::operator::{Operator, OperatorError};
use crate::sandbox::{GitServer, Host, Layers, Network, SandboxError};
use crate::shell::Shell;

pub use herd_toml::herd_toml;
pub use keys::Keys;
pub use look::is_there;
pub use machines::{Machines, Setting};

/// A herd on this machine. It ends when this is dropped.
#[derive(Debug)]
pub struct Stage {
    fleet: Fleet,
    keys: Keys,
    runner: Vec<u8>,
    /// The keys that the server knows.
    authorised: Mutex<Vec<String>>,
    machines: Machines,
}

/// Why a stage is not set, or what happened on it that should not.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The fleet can't be read.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The herd can't be asked, or told something.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// A key.
    #[error(transparent)]
    Key(#[from] SignatureError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Hosts have settings that no `herd.toml` can have.
    #[error("could not write the herd.toml of the stage")]
    Herd {
        /// Why.
        source: toml::ser::Error,
    },
    /// Nobody is called so.
    #[error("the stage has no host `{name}`")]
    NoHost {
        /// The name.
        name: String,
    },
    /// A host can't be admitted.
    #[error("could not admit {host}")]
    Admit {
        /// Which.
        host: String,
        /// Why.
        source: Box<AdmitError>,
    },
    /// Nothing was deployed.
    #[error("the deploy failed")]
    Deploy(#[source] Box<DeployError>),
    /// A pool is none.
    #[error("could not read what the pool of `{role}` was")]
    Pool {
        /// Whose.
        role: String,
        /// What does not parse.
        source: serde_json::Error,
    },
    /// The hosts did not get where they should.
    #[error("after {seconds} s not all hosts are at {target}:\n{status}")]
    Late {
        /// How long that was waited for.
        seconds: u64,
        /// Where they should be.
        target: String,
        /// Where they are.
        status: String,
    },
    /// Nobody comes further.
    #[error("for {seconds} s no host came any further:\n{status}")]
    Still {
        /// How long that was.
        seconds: u64,
        /// Where they are.
        status: String,
    },
    /// A host failed, or stopped.
    #[error("{host}: {why}\nits log ends with\n{log}")]
    Host {
        /// Which.
        host: String,
        /// What it says.
        why: String,
        /// The end of its log.
        log: String,
    },
    /// Nobody waits any more.
    #[error("interrupted; all is cleaned up")]
    Interrupted,
}

impl From<DeployError> for StageError {
    fn from(error: DeployError) -> Self {
        Self::Deploy(Box::new(error))
    }
}

impl Stage {
    /// Makes machines those of a fleet whose `herd.toml` and `allowed_signers` say so, and whose runner this is; its
    /// repository learns how to reach the server. New machines have not joined yet.
    ///
    /// # Errors
    /// When the server is down, or the repository can't be told.
    pub fn set(machines: Machines, keys: Keys, fleet: Fleet, runner: &[u8]) -> Result<Self, StageError> {
        let (runner, authorised) = (runner.to_vec(), Mutex::default());
        let stage = Self { fleet, keys, runner, authorised, machines };
        if stage.machines.are_new {
            stage.authorise([stage.keys.public().to_owned()])?;
        }
        stage.connect()?;
        Ok(stage)
    }

    /// A host by its name.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.machines.hosts.get(name)
    }

    /// All hosts, by name.
    #[must_use]
    pub fn hosts(&self) -> &BTreeMap<String, Host> {
        &self.machines.hosts
    }

    /// The git server.
    #[must_use]
    pub fn server(&self) -> &GitServer {
        &self.machines.server
    }

    /// The network that all of them are in.
    #[must_use]
    pub fn network(&self) -> Network {
        self.machines.herd.network()
    }

    /// The fleet repository.
    #[must_use]
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Tells the herd something, signed by its operator.
    ///
    /// # Errors
    /// When nothing is told.
    pub fn deploy(&self, request: &Request, shell: &Shell) -> Result<Deployed, StageError> {
        let key = Some(self.keys.operator().path().to_owned());
        Ok(deploy::deploy(&self.fleet, &Request { key, ..request.clone() }, shell)?)
    }

    /// What the herd was told last.
    ///
    /// # Errors
    /// When it can't be asked.
    pub fn told(&self) -> Result<Manifest, StageError> {
        let operator = Operator::of(&self.fleet)?;
        operator.fetch()?;
        Ok(operator.newest()?.map(|change| change.manifest).unwrap_or_default())
    }

    /// Keeps the disks of all machines as they are at one moment, and the operator's key with them, for a stage that is set
    /// on them.
    ///
    /// # Errors
    /// When a machine is down, or its disk can't be copied.
    pub fn keep(&self, layers: &Layers, key: &str, about: &impl Serialize) -> Result<(), StageError> {
        let server = self.server().host();
        self.keys.lay_on(server)?;
        let all: Vec<&Host> = [server].into_iter().chain(self.hosts().values()).collect();
        Ok(layers.keep_herd(key, &all, about)?)
    }

    /// Leaves all of it running when this process ends.
    ///
    /// # Errors
    /// When the herd has ended already.
    pub fn leave_running(self) -> Result<(), StageError> {
        Ok(self.machines.herd.leave_running()?)
    }

    /// Tells git in the fleet how to reach the server, and with which key to sign.
    fn connect(&self) -> Result<(), StageError> {
        let (key, known_hosts) = (self.keys.operator().path(), self.keys.known_hosts());
        files::write(&known_hosts, self.server().known_hosts()?, 0o644)?;
        let options = "-F /dev/null -o BatchMode=yes -o UserKnownHostsFile";
        let ssh = self.machines.herd.network().ssh_command();
        let ssh = format!("{ssh} {options}={} -i {}", known_hosts.display(), key.display());
        let (tree, key) = (self.fleet.work_tree()?, key.display().to_string());
        for (name, value) in [("core.sshCommand", &*ssh), ("gpg.format", "ssh"), ("user.signingkey", &key)] {
            tree.set_config(name, value)?;
        }
        Ok(())
    }

    fn known(&self, name: &str) -> Result<&Host, StageError> {
        self.host(name).ok_or_else(|| StageError::NoHost { name: name.to_owned() })
    }
}
