//! What a process runs as a host's runner: links and roles, the machine that they act on, and how it was started.

use std::ffi::OsString;

use super::catalog::{Catalog, CatalogError};
use crate::chain::Digest;
use crate::system::{FileError, System, environment, files};

/// A runner. The one of a fleet is what is compiled in, on the machine that it runs on.
#[derive(Debug)]
pub struct Program {
    /// The links, roles and specs.
    pub catalog: Catalog,
    /// The machine.
    pub system: System,
    /// The sha256 that changes know it by; none: that of the file which this process runs.
    pub digest: Option<Digest>,
    /// The command line, the program's name first.
    pub args: Vec<OsString>,
}

impl Program {
    /// What the macros registered in this binary, on this machine.
    ///
    /// # Errors
    /// When that is no chain, or there is a spec that nobody would ask.
    pub fn compiled() -> Result<Self, CatalogError> {
        let (catalog, system) = (Catalog::compiled()?.without_stray_specs()?, System::real());
        Ok(Self { catalog, system, digest: None, args: environment::args() })
    }

    pub(super) fn sha256(&self) -> Result<Digest, FileError> {
        // After an atomic replacement the path of this process's file leads to another one.
        self.digest.map_or_else(|| Ok(Digest::of(&files::read("/proc/self/exe")?)), Ok)
    }
}
