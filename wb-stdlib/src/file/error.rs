//! What can go wrong with files, directories and links.

use std::fmt;
use std::path::{Path, PathBuf};

use wb_core::context::DebtError;
use wb_core::system::CommandError;
use wb_core::system::files::{self, Kind};

use crate::owner::OwnerError;

/// What can go wrong with a file, a directory or a link.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The path would mean something else in another directory.
    #[error("the path `{}` is not absolute, or leads through `..`", .path.display())]
    BadPath {
        /// The path.
        path: PathBuf,
    },
    /// Something of another kind is there. It is not replaced: that could lose it.
    #[error("{} is to be {wanted}, and is {found}\nhint: remove it first, in this migration, if nobody needs it", .path.display())]
    InTheWay {
        /// The path.
        path: PathBuf,
        /// What is to be there.
        wanted: &'static str,
        /// What is there.
        found: KindWord,
    },
    /// The directory that it is to be in is not there.
    #[error("there is no directory {} for {}\nhint: `host.directory(…).present()?` makes it", .parent.display(), .path.display())]
    NoDirectory {
        /// The directory.
        parent: PathBuf,
        /// The path.
        path: PathBuf,
    },
    /// A user or group is not there.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// The new content was refused. The old is still there.
    #[error("the new content of {} is refused", .path.display())]
    Refused {
        /// The path.
        path: PathBuf,
        /// By which command, and what it said.
        source: CommandError,
    },
    /// What the change makes necessary can't be written down, so it was not made.
    #[error("could not write down what a change of {} makes necessary, so it was not made", .path.display())]
    Owe {
        /// The path.
        path: PathBuf,
        /// Why.
        source: DebtError,
    },
    /// The file system failed.
    #[error(transparent)]
    System(#[from] files::FileError),
}

/// What is at a path, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindWord(pub(crate) Kind);

impl fmt::Display for KindWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::File => "a file",
            Kind::Directory => "a directory",
            Kind::Link => "a symbolic link",
            Kind::Other => "a device, socket or pipe",
        })
    }
}

/// Paths are absolute, and say plainly where they lead.
pub(crate) fn check_path(path: &Path) -> Result<(), FileError> {
    let plain = path.is_absolute() && !path.components().any(|part| part == std::path::Component::ParentDir);
    if plain { Ok(()) } else { Err(FileError::BadPath { path: path.to_owned() }) }
}
