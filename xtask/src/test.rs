//! `cargo xtask test`: what a fleet does on hosts of its own before any other host has it.
//!
//! Each set of roles of the herd has a host in a sandbox, and all of them go along the chain together. Every link is planned,
//! run, asked for its specs, and run once more, by the very runner that ships; the newest links are killed on their way, too.
//! What hosts come to is kept, so that the next test begins there.

pub mod allow;
pub mod cast;
pub mod diary;
pub mod drive;
pub mod interrupt;
pub mod judge;
pub mod junit;
pub mod key;
pub mod link;
pub mod outcome;
pub mod page;
pub mod scene;
pub mod stock;
pub mod walk;

use std::path::PathBuf;

use wb_core::system::CommandError;
use wb_core::system::files::FileError;

use crate::build::BuildError;
use crate::fleet::FleetError;
use crate::named::Unknown;
use crate::sandbox::{NotReady, SandboxError, SubnetError};
use crate::soundness::SoundnessError;
use outcome::Tested;

/// Why nothing, or not all, was tested. A check that fails is none.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// There are no sandboxes.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// A sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The network of the hosts.
    #[error(transparent)]
    Subnet(#[from] SubnetError),
    /// The fleet can't be read.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// Nobody knows whether it is sound.
    #[error(transparent)]
    Soundness(#[from] SoundnessError),
    /// The runner, or its twin, does not build.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The runner does not start here.
    #[error("the runner that was built does not say which chain it has")]
    RunnerFails {
        /// Why.
        source: CommandError,
    },
    /// The runner says something else.
    #[error("the runner that was built says something else than its chain")]
    RunnerSays {
        /// What does not parse.
        source: serde_json::Error,
    },
    /// A role or a link is unknown.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// There is nobody to test.
    #[error("there is nothing to test: herd.toml has no hosts, and the chain no migrations")]
    Nothing,
    /// A host refuses to be driven.
    #[error("{host} refused `drill {asked}`: {said}")]
    Drill {
        /// The host.
        host: String,
        /// What was asked of it.
        asked: String,
        /// What it said.
        said: String,
    },
    /// Somebody does not play.
    #[error("the scene has no host for {name}")]
    NoHost {
        /// Who.
        name: String,
    },
    /// The result can't be written.
    #[error("could not write the result to {}", path.display())]
    Result {
        /// Where.
        path: PathBuf,
        /// The encoder's error.
        source: serde_json::Error,
    },
}

/// What is heard of a test while it goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A check was made.
    Tested(Box<Tested>),
    /// There is something to know.
    Note(String),
}
