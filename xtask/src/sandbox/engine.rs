//! What sandboxes are made with: namespaces of this machine, or the same in a container.
//!
//! Hosts are no containers: those have no init of their own, and end at other times. A container is another way to the
//! right to make hosts, beside root and user namespaces (see [`super::elevation()`]): the whole command runs in it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use clap::ValueEnum;
use wb_core::system::files::FileError;
use wb_core::system::{CommandError, environment};

use super::container::{Container, INSIDE};
use crate::fleet::FleetError;

/// What sandboxes are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Engine {
    /// Namespaces of this machine
    #[default]
    Namespaces,
    /// The same, in a container of podman
    Podman,
    /// The same, in a container of docker
    Docker,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespaces => "namespaces",
            Self::Podman => "podman",
            Self::Docker => "docker",
        })
    }
}

/// Why there is no container.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It is not installed, or does not answer this user.
    #[error("{engine} can't be used here")]
    Unusable {
        /// Which one.
        engine: Engine,
        /// What it said.
        source: CommandError,
    },
    /// A program failed.
    #[error("could not {doing}")]
    Command {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: CommandError,
    },
    /// Nobody knows where cargo builds.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// A file of the machine.
    #[error(transparent)]
    File(#[from] FileError),
    /// In a container, Rust is what rustup has in places that can be shown there.
    #[error(
        "there is no {variable} at {}: a container has Rust as rustup installed it there",
        dir.display()
    )]
    NoRust {
        /// The variable that would name it.
        variable: &'static str,
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// The directory in which this command runs is gone.
    #[error("could not find out where this command runs")]
    Nowhere {
        /// The system's error.
        source: io::Error,
    },
}

/// Goes on where `engine` has sandboxes made: here, or else in the fleet's container, in the place of this process. Call
/// it first thing, before [`super::elevate`]. `say` hears of what takes long.
///
/// # Errors
/// When there is no such engine, or no container comes up.
pub fn within(engine: Engine, say: &dyn Fn(&str)) -> Result<(), EngineError> {
    match container(engine)? {
        None => Ok(()),
        Some(container) => {
            container.up(say)?;
            Err(container.enter())
        }
    }
}

/// As [`within`], for who only looks: where the fleet's container is not up, and so has no sandbox, it comes back with
/// `false`.
///
/// # Errors
/// When there is no such engine, or the container can't be entered.
pub fn within_running(engine: Engine) -> Result<bool, EngineError> {
    match container(engine)? {
        None => Ok(true),
        Some(container) if container.is_up() => Err(container.enter()),
        Some(_) => Ok(false),
    }
}

fn container(engine: Engine) -> Result<Option<Container>, EngineError> {
    // In it, the same command does what it does without one.
    let is_inside = environment::var(INSIDE).is_some();
    match engine {
        Engine::Podman | Engine::Docker if !is_inside => Container::here(engine).map(Some),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_called_what_its_program_is() {
        for engine in Engine::value_variants() {
            assert_eq!(engine.to_possible_value().unwrap().get_name(), engine.to_string());
        }
    }

    #[test]
    fn with_namespaces_nobody_goes_anywhere() {
        within(Engine::default(), &|line| panic!("{line}")).unwrap();
        assert!(within_running(Engine::default()).unwrap());
    }
}
