//! The demo: a herd of five real hosts on this machine that rolls from one page to the next without a failed request.
//!
//! Nothing in it is made for show. The fleet repository comes out of the same code as `init`, the links are those of
//! the example fleet, the runner is built and deployed as an operator deploys it, and the hosts are booted by a real
//! init and run real apt. What is counted is counted from outside: requests by a client that never repeats one, hosts
//! out of load by HAProxy's own statistics. Tests of other herds count with the same client and the same statistics.

pub mod balancer;
mod cast;
pub mod example;
pub mod load;
mod outcome;
mod story;
mod watch;

use std::path::PathBuf;

use wb_core::system::{CommandError, FileError};

use crate::build::BuildError;
use crate::sandbox::{NotReady, SandboxError, SubnetError};
use crate::scaffold::ScaffoldError;
use crate::stage::StageError;

pub use outcome::{HostOutcome, Outcome};
pub use story::{Options, run, stop};

/// Why the demo did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// There are no sandboxes.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// A sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The network of the hosts.
    #[error(transparent)]
    Subnet(#[from] SubnetError),
    /// The fleet could not be made.
    #[error(transparent)]
    Scaffold(#[from] ScaffoldError),
    /// The runner does not build.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The herd could not be set up, or did not come through.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A program of this machine.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Something that should have happened did not.
    #[error("waited {seconds} s for {what}")]
    Waited {
        /// For what.
        what: String,
        /// How long.
        seconds: u64,
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
