//! The demo: a herd of five real hosts on this machine that rolls from one page to the next without a failed request.
//!
//! Nothing in it is made for show. The fleet repository comes out of the same code as `init`, the links are those of
//! the example fleet, the runner is built and deployed as an operator deploys it, and the hosts are booted by a real
//! init and run real apt. What is counted is counted from outside: requests by a client that never repeats one, hosts
//! out of load by HAProxy's own statistics. Tests of other herds count with the same client and the same statistics.

pub mod balancer;
mod cast;
pub mod example;
mod hosts;
pub mod load;
mod outcome;
mod story;
mod watch;

use std::path::PathBuf;

use wb_core::system::{CommandError, FileError};

use crate::admission::AdmitError;
use crate::build::BuildError;
use crate::deploy::DeployError;
use crate::fleet::FleetError;
use crate::git::GitError;
use crate::operator::OperatorError;
use crate::sandbox::{Missing, SandboxError};
use crate::scaffold::ScaffoldError;

pub use outcome::{HostOutcome, Outcome};
pub use story::{Options, run, stop};

/// Why the demo did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// This user may not make sandboxes.
    #[error("{line}")]
    NotAllowed {
        /// What to run instead.
        line: String,
    },
    /// This machine can't run sandboxes.
    #[error("this machine can't run sandboxes: {}", missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Missing {
        /// All that is missing.
        missing: Vec<Missing>,
    },
    /// A sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The fleet could not be made.
    #[error(transparent)]
    Scaffold(#[from] ScaffoldError),
    /// The fleet can't be read.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The runner does not build.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Nothing was deployed.
    #[error("the deploy failed")]
    Deploy(#[source] Box<DeployError>),
    /// Hosts can't be admitted, or their reports can't be read.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A program of this machine.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A key.
    #[error(transparent)]
    Key(#[from] wb_core::registry::SignatureError),
    /// A host can't be admitted.
    #[error("could not admit {host}")]
    Admit {
        /// Which.
        host: String,
        /// Why.
        source: Box<AdmitError>,
    },
    /// Something that should have happened did not.
    #[error("waited {seconds} s for {what}")]
    Waited {
        /// For what.
        what: String,
        /// How long.
        seconds: u64,
    },
    /// The hosts did not get where they should.
    #[error("after {seconds} s not all hosts are at {target}:\n{status}")]
    Late {
        /// How long the demo waited.
        seconds: u64,
        /// Where they should be.
        target: String,
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
    /// The result could not be written.
    #[error("could not write the result to {}", path.display())]
    Result {
        /// Where.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Somebody wants it to end.
    #[error("interrupted; all is cleaned up")]
    Interrupted,
}

impl From<DeployError> for DemoError {
    fn from(error: DeployError) -> Self {
        Self::Deploy(Box::new(error))
    }
}
