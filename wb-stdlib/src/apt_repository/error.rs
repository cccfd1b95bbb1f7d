//! What can go wrong with repositories.

use std::path::PathBuf;

use wb_core::system::CommandError;
use wb_core::system::files::FileError;

use crate::repository::RepositoryMistake;

/// What can go wrong with a repository of apt.
#[derive(Debug, thiserror::Error)]
pub enum AptRepositoryError {
    /// apt would not read a file of that name.
    #[error("`{name}` is no name of a repository\nhint: names have letters, digits, `-`, `_` and `.`")]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// What is said of it is not enough, or would mean something else.
    #[error(transparent)]
    Mistake(#[from] RepositoryMistake),
    /// Something else is at the path of one of its files.
    #[error("{} is to be a file, and is something else\nhint: remove it first, in this migration, if nobody needs it", .path.display())]
    InTheWay {
        /// The path.
        path: PathBuf,
    },
    /// apt can't read it, or does not trust it. Everything is as it was.
    #[error("apt does not take the repository `{name}`, so it was left as it was")]
    Refused {
        /// The repository.
        name: String,
        /// What apt said.
        source: CommandError,
    },
    /// The file system failed.
    #[error(transparent)]
    File(#[from] FileError),
}
