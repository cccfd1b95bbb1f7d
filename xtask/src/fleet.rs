//! A fleet: the repository with the migrations of a herd, found from any directory in it.

mod by_files;

use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, Package, TargetKind};
use wb_core::herd::{Herd, HerdError};
use wb_core::system::files::{self, FileError};
use wb_core::system::{Command, CommandError, environment};

use crate::git::{GitError, WorkTree};

/// The name of the file that lists all hosts. The crate that has it beside its `Cargo.toml` holds the migrations.
pub const HERD_FILE: &str = "herd.toml";

/// The parts of a fleet repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    /// The crate with `src/chain.rs`, `chain.lock` and `herd.toml`.
    pub crate_dir: PathBuf,
    /// The name of that crate's package.
    pub package: String,
    /// The name of its binary, which runs on hosts.
    pub binary: String,
}

/// Why a directory is in no fleet, or the fleet can't be read.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// Cargo does not find or read a workspace there.
    #[error("{} is in no cargo workspace that cargo reads", dir.display())]
    NoWorkspace {
        /// Where it was looked for.
        dir: PathBuf,
        /// What cargo said.
        source: CommandError,
    },
    /// What cargo said could not be read.
    #[error("could not read what cargo says of the workspace around {}", dir.display())]
    Metadata {
        /// Where it was looked for.
        dir: PathBuf,
        /// What does not parse.
        source: cargo_metadata::Error,
    },
    /// The workspace has no crate of migrations.
    #[error("no crate in the workspace {} has a {HERD_FILE} beside its Cargo.toml and a binary", root.display())]
    NoMigrations {
        /// The workspace.
        root: PathBuf,
    },
    /// A file of the fleet can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// `herd.toml` has a mistake.
    #[error("{HERD_FILE}, {source}")]
    Herd {
        /// The file.
        path: PathBuf,
        /// The mistake, with line and column.
        source: HerdError,
    },
    /// The fleet is in no repository.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl FleetError {
    /// Whether there is no cargo to ask.
    fn is_for_want_of_cargo(&self) -> bool {
        matches!(self, Self::NoWorkspace { source: CommandError::NotFound { .. }, .. })
    }
}

impl Fleet {
    /// The fleet around the current directory.
    ///
    /// # Errors
    /// As [`Fleet::around`].
    pub fn current() -> Result<Self, FleetError> {
        Self::around(&environment::current_dir().unwrap_or_else(|_| ".".into()))
    }

    /// The fleet that `dir` is in, as cargo says it, and as its files say it where there is no cargo.
    ///
    /// # Errors
    /// When `dir` is in no cargo workspace, or the workspace has no crate of migrations.
    pub fn around(dir: &Path) -> Result<Self, FleetError> {
        let metadata = match metadata(dir) {
            Err(error) if error.is_for_want_of_cargo() => return by_files::around(dir).ok_or(error),
            metadata => metadata?,
        };
        let found = metadata.workspace_packages().into_iter().find_map(of_package);
        found.ok_or_else(|| FleetError::NoMigrations { root: metadata.workspace_root.into_std_path_buf() })
    }

    /// The file that lists all hosts.
    #[must_use]
    pub fn herd_path(&self) -> PathBuf {
        self.crate_dir.join(HERD_FILE)
    }

    /// The hosts, as the file says them now.
    ///
    /// # Errors
    /// When it can't be read, or has a mistake.
    pub fn herd(&self) -> Result<Herd, FleetError> {
        let path = self.herd_path();
        Herd::parse(&files::read_text(&path)?).map_err(|source| FleetError::Herd { path, source })
    }

    /// The repository that it is in.
    ///
    /// # Errors
    /// When it is in none.
    pub fn work_tree(&self) -> Result<WorkTree, GitError> {
        WorkTree::around(&self.crate_dir)
    }
}

/// What cargo tells a program that it runs of the package that this one is of. Some build scripts, ring's for one, ask
/// cargo to run them again when such a variable is another one around cargo: with all that needs them.
pub const PACKAGE_VARIABLES: [&str; 10] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
    "OUT_DIR",
];

/// Cargo itself: the one that called us, else the one in `PATH`. It compiles as it does for somebody at a terminal,
/// whichever program calls it.
#[must_use]
pub fn cargo() -> Command {
    without_package(Command::new(cargo_program()))
}

/// A command that does not know of which package this program is.
pub(crate) fn without_package(command: Command) -> Command {
    PACKAGE_VARIABLES.iter().fold(command, |command, name| command.env_remove(name))
}

/// What [`cargo`] starts.
pub(crate) fn cargo_program() -> String {
    environment::var("CARGO").unwrap_or_else(|| "cargo".into())
}

/// What cargo says of the workspace around `dir`.
pub(crate) fn metadata(dir: &Path) -> Result<Metadata, FleetError> {
    let command = cargo().dir(dir).args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let text = command.read().map_err(|source| FleetError::NoWorkspace { dir: dir.to_owned(), source })?;
    MetadataCommand::parse(text).map_err(|source| FleetError::Metadata { dir: dir.to_owned(), source })
}

fn of_package(package: &Package) -> Option<Fleet> {
    let crate_dir = package.manifest_path.parent()?.as_std_path().to_owned();
    let binary = package.targets.iter().find(|target| target.kind.contains(&TargetKind::Bin))?;
    let fleet = Fleet { crate_dir, package: package.name.to_string(), binary: binary.name.clone() };
    files::exists(fleet.herd_path()).then_some(fleet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_told_nothing_of_the_package_that_calls_it() {
        let say = Command::shell("echo ${CARGO_PKG_NAME:-none} ${CARGO_MANIFEST_DIR:-none}");
        assert!(say.read().unwrap().starts_with("wb-xtask /"), "cargo runs this test");
        assert_eq!(without_package(say).read().unwrap(), "none none");
    }
}
