//! What can go wrong with archives.

use std::io;
use std::path::PathBuf;

use wb_core::system::files;

use super::Escape;
use crate::file::FileError;

/// What can go wrong with an archive. What was at the place of its directory is then as it was.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is not there.
    #[error("there is no {archive}\nhint: `host.download(…).sha256(…).to(…).present()?` brings it")]
    NoSource {
        /// The archive.
        archive: String,
    },
    /// It is no SHA-256.
    #[error("`{given}`, which the {archive} is to have, is no SHA-256\nhint: `sha256sum FILE` prints its 64 digits")]
    BadSum {
        /// The archive.
        archive: String,
        /// What was given.
        given: String,
    },
    /// It is another one.
    #[error("the {archive} has the sha256 {found}, and {wanted} was expected")]
    WrongSum {
        /// The archive.
        archive: String,
        /// Its sum.
        found: String,
        /// The sum that it is to have.
        wanted: String,
    },
    /// It is none.
    #[error("the {archive} is neither tar (as it is, or packed with gzip, xz, zstd or bzip2) nor zip")]
    NoArchive {
        /// The archive.
        archive: String,
    },
    /// It can't be read to its end.
    #[error("the {archive} is broken")]
    Broken {
        /// The archive.
        archive: String,
        /// Why.
        source: io::Error,
    },
    /// Something in it leads out of the directory, or is no file.
    #[error("the {archive} has `{entry}`, {why}; nothing of it was unpacked")]
    Refused {
        /// The archive.
        archive: String,
        /// Which of its entries.
        entry: String,
        /// Why.
        why: Escape,
    },
    /// Nothing is left of it.
    #[error("the {archive} has nothing to unpack{}", if *strip > 0 { "\nhint: `.strip_components(…)` leaves nothing of it" } else { "" })]
    Empty {
        /// The archive.
        archive: String,
        /// How many directories were to be left out.
        strip: usize,
    },
    /// Something else is in the directory. It is not replaced: that could lose it.
    #[error(
        "{} is there, and no archive was unpacked to it\nhint: give the archive a directory of its own, or remove this one \
         first, in this migration, if nobody needs it", .dir.display()
    )]
    NotOurs {
        /// The directory.
        dir: PathBuf,
    },
    /// The disk would be full.
    #[error("there is no room for {}: at least {needed} bytes are needed, {free} are free", .dir.display())]
    NoRoom {
        /// The directory.
        dir: PathBuf,
        /// How much is needed for what of it was read until there was no more room.
        needed: u64,
        /// How much there is.
        free: u64,
    },
    /// The directory, its owner or its files.
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<files::FileError> for ArchiveError {
    fn from(error: files::FileError) -> Self {
        Self::File(error.into())
    }
}
