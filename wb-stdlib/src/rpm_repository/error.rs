//! What can go wrong with repositories for dnf and zypper.

use std::path::PathBuf;

use wb_core::system::files::FileError;

use crate::packages::Manager;
use crate::repository::RepositoryMistake;
use crate::rpm_key::RpmKeyError;
use crate::text_file::TextFileError;

/// What can go wrong with a repository for dnf or zypper.
#[derive(Debug, thiserror::Error)]
pub enum RpmRepositoryError {
    /// No repository can be called so.
    #[error("`{name}` is no name of a repository\nhint: names have letters, digits, `-`, `_`, `.` and `:`")]
    BadName {
        /// What was asked for.
        name: String,
    },
    /// The host's manager of packages knows no such repositories.
    #[error(
        "the repository `{name}` is one for dnf or zypper, and this host has {manager}\nhint: `.by(Manager::Dnf)` goes \
         by dnf all the same"
    )]
    OtherManager {
        /// The repository.
        name: String,
        /// What the host has.
        manager: Manager,
    },
    /// What is said of it is not enough, or would mean something else.
    #[error(transparent)]
    Mistake(#[from] RepositoryMistake),
    /// Another file has a repository of that name.
    #[error(
        "there is a repository `{name}` in {0}, too\nhint: `host.edit(\"{0}\").section(\"{name}\")` changes that one; or \
         remove the file first, in this migration, if nobody needs it",
        path.display()
    )]
    Elsewhere {
        /// The repository.
        name: String,
        /// The other file.
        path: PathBuf,
    },
    /// rpm does not take the key.
    #[error(transparent)]
    Key(#[from] RpmKeyError),
    /// A file can't be read or written.
    #[error(transparent)]
    Text(#[from] TextFileError),
}

impl From<FileError> for RpmRepositoryError {
    fn from(error: FileError) -> Self {
        Self::Text(error.into())
    }
}
