//! Where archives are.

use std::fmt;
use std::io::{Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use wb_core::system::System;
use wb_core::system::files::{self, FileError};

use crate::sha256::Sha256;

/// Where an archive is: a file of the host, by its absolute path, or an asset of the runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file of the host.
    File(PathBuf),
    /// What `asset!` gives.
    Asset(&'static [u8]),
}

impl From<&str> for Source {
    fn from(path: &str) -> Self {
        Self::File(path.into())
    }
}

impl From<String> for Source {
    fn from(path: String) -> Self {
        Self::File(path.into())
    }
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<&'static [u8]> for Source {
    fn from(asset: &'static [u8]) -> Self {
        Self::Asset(asset)
    }
}

impl<const LENGTH: usize> From<&'static [u8; LENGTH]> for Source {
    fn from(asset: &'static [u8; LENGTH]) -> Self {
        Self::Asset(asset)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "archive {}", path.display()),
            Self::Asset(_) => f.write_str("archive of the runner"),
        }
    }
}

/// Bytes that can be read at any place.
pub(super) trait Input: Read + Seek {}

impl<R: Read + Seek> Input for R {}

impl Source {
    /// Its sum; none where there is no such file.
    pub(super) fn sum(&self, system: &System) -> Result<Option<Sha256>, FileError> {
        match self {
            Self::File(path) => Sha256::of_file(system, path),
            Self::Asset(bytes) => Ok(Some(Sha256::of(bytes))),
        }
    }

    pub(super) fn open(&self, system: &System) -> Result<Box<dyn Input>, FileError> {
        match self {
            Self::File(path) => Ok(Box::new(files::open(system.path(path))?)),
            Self::Asset(bytes) => Ok(Box::new(Cursor::new(*bytes))),
        }
    }
}
