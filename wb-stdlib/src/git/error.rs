//! What can go wrong with checkouts.

use std::path::PathBuf;

use wb_core::system::files;

use crate::command::CommandError;
use crate::file::FileError;

/// What can go wrong with a checkout.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It is no URL, or has a password or a token in it.
    #[error(
        "`{url}` is no repository that is cloned here\nhint: leave password, token and user out of it: a credential helper \
         of the user's, or `.ssh_key(…)`, keeps them to itself"
    )]
    BadUrl {
        /// The URL, without its user and password.
        url: String,
    },
    /// It can't be a commit, a tag or a branch.
    #[error("`{wanted}` is neither a tag, a branch, nor a commit{}", if *is_short { "\nhint: give all 40 digits: fewer may be another commit tomorrow" } else { "" })]
    BadRevision {
        /// What was asked for.
        wanted: String,
        /// Whether it is the beginning of an id.
        is_short: bool,
    },
    /// The remote has neither a tag nor a branch of this name.
    #[error("{url} has neither a tag nor a branch `{wanted}`")]
    NoSuchRevision {
        /// The repository.
        url: String,
        /// What was asked for.
        wanted: String,
    },
    /// The remote has both.
    #[error("{url} has both a tag and a branch `{wanted}`, of different commits\nhint: name the commit by its id")]
    Ambiguous {
        /// The repository.
        url: String,
        /// What was asked for.
        wanted: String,
    },
    /// The remote has no such commit.
    #[error("{url} has no commit {wanted}")]
    NoSuchCommit {
        /// The repository.
        url: String,
        /// What was asked for.
        wanted: String,
        /// What git says.
        source: Box<CommandError>,
    },
    /// Something else is in the directory. It is not replaced: that could lose it.
    #[error("{} is there, and no clone of a git repository\nhint: remove it first, in this migration, if nobody needs it", .path.display())]
    NoClone {
        /// The directory.
        path: PathBuf,
    },
    /// The clone is somebody else's. Git runs code that stands in a clone, so it is not run there by others.
    #[error(
        "the clone {} belongs to the user {owner}, and git is to run as {runs_as}\nhint: `.user(…)` runs it as its owner", .path.display()
    )]
    NotTheirs {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who is to run git.
        runs_as: u32,
    },
    /// Somebody changed files in it.
    #[error(
        "somebody changed files in {}: {}\nhint: bring the changes into the repository, or throw them away with \
         `.discarding_changes()`", .path.display(), .files.join(", ")
    )]
    Changed {
        /// The directory.
        path: PathBuf,
        /// Which.
        files: Vec<String>,
    },
    /// Git ended well, and the commit is not checked out.
    #[error("{} is at {found} after the checkout of {wanted}, which ended well", .path.display())]
    NotSo {
        /// The directory.
        path: PathBuf,
        /// Where it is.
        found: String,
        /// Where it is to be.
        wanted: String,
    },
    /// Git failed.
    #[error("git could not {action} {url}")]
    Git {
        /// What was being done.
        action: &'static str,
        /// The repository.
        url: String,
        /// What git says.
        source: Box<CommandError>,
    },
    /// The directory, or its owner.
    #[error(transparent)]
    File(#[from] FileError),
}

impl GitError {
    /// Whether it is the migration that is wrong, so that a plan says so, too.
    pub(super) fn is_mistake(&self) -> bool {
        !matches!(self, Self::Git { .. })
    }
}

impl From<files::FileError> for GitError {
    fn from(error: files::FileError) -> Self {
        Self::File(error.into())
    }
}
