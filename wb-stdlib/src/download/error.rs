//! What can go wrong with downloads.

use std::path::PathBuf;
use std::time::Duration;

use wb_core::system::files;
use wb_core::system::http;

use crate::file::FileError;
use crate::http::HttpError;

/// What can go wrong with a download. The old file is then as it was.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// It is no SHA-256.
    #[error("`{given}`, which {url} is to have, is no SHA-256\nhint: `sha256sum FILE` prints its 64 digits")]
    BadSum {
        /// Where to download from.
        url: String,
        /// What was given.
        given: String,
    },
    /// What came is something else. Nothing of it is kept.
    #[error(
        "{url} is not what it is said to be: it has the sha256 {found}, and {wanted} was expected\nhint: see that nobody \
         replaced it, before you change the expected one"
    )]
    WrongSum {
        /// Where it came from.
        url: String,
        /// Its sum.
        found: String,
        /// The sum that it is to have.
        wanted: String,
    },
    /// The server has no such file, or keeps it to itself.
    #[error("{url} was answered with the status {status}")]
    Status {
        /// Where it was to come from.
        url: String,
        /// The status, as in 404.
        status: u16,
    },
    /// It was tried again and again.
    #[error("{url} could not be downloaded within {} s: {tries} tries, {length} bytes so far", bound.as_secs())]
    TooLong {
        /// Where it was to come from.
        url: String,
        /// How often it was tried.
        tries: u32,
        /// How much there is of it, for the next run to go on with.
        length: u64,
        /// How long it had.
        bound: Duration,
        /// The last error.
        source: Box<DownloadError>,
    },
    /// There is no answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The disk is full. What came is removed.
    #[error("there is no room for {}\nhint: `df -h {}` on the host shows what there is", .path.display(), .path.display())]
    NoRoom {
        /// The file.
        path: PathBuf,
        /// What failed.
        source: files::FileError,
    },
    /// The file, its owner or its directory.
    #[error(transparent)]
    File(#[from] FileError),
}

impl DownloadError {
    /// Whether it may be otherwise in a moment.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Http(HttpError::Ask(error)) => error.is_passing(),
            // What a server says that has too much to do, or whose own servers are away.
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500 | 502..=504),
            _ => false,
        }
    }
}

impl From<files::FileError> for DownloadError {
    fn from(error: files::FileError) -> Self {
        Self::File(error.into())
    }
}

impl From<http::HttpError> for DownloadError {
    fn from(error: http::HttpError) -> Self {
        Self::Http(error.into())
    }
}
