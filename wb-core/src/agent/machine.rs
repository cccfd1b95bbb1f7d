//! The machine under an agent: which one it is, and what the agent keeps there beside its record. The simulator has
//! machines in memory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::notices::{self, Notices};
use super::{incarnation, self_check};
use crate::chain::{Chain, Digest};
use crate::report::Incarnation;
use crate::runner::{Home, HomeError, HostConfig, platform};
use crate::system::fault::{self, Subject};
use crate::system::{FileError, System, files, machine};

/// A machine as its agent sees it.
pub trait Machine {
    /// Which machine it is, and which boot of it.
    fn incarnation(&self) -> Incarnation;

    /// How long this boot lasts already.
    fn uptime(&self) -> Duration;

    /// Writes who this host is.
    ///
    /// # Errors
    /// When it can't be written.
    fn write_config(&self, config: &HostConfig) -> Result<(), HomeError>;

    /// What there was to tell at last.
    fn notices(&self) -> Notices;

    /// Keeps what there is to tell. Nothing depends on it, so that a failure is nobody's business.
    fn keep_notices(&self, notices: &Notices);

    /// Lays a runner beside the one that is installed.
    ///
    /// # Errors
    /// When it can't be written.
    fn lay(&self, runner: &[u8]) -> Result<(), FileError>;

    /// The chain of the runner that lies there, or what keeps it from being started.
    ///
    /// # Errors
    /// In words: it is for another machine, or fails its self-check.
    fn try_out(&self, runner: &[u8]) -> Result<Chain, String>;

    /// Takes the runner that lies there away.
    ///
    /// # Errors
    /// When it can't be removed.
    fn take_away(&self) -> Result<(), FileError>;

    /// Puts the runner that lies there in the place of the installed one, by an atomic rename.
    ///
    /// # Errors
    /// When it can't be renamed.
    fn install(&self) -> Result<(), FileError>;

    /// Keeps the runner with this sha256, which runs, as the one before the next.
    ///
    /// # Errors
    /// When it can't be read or written.
    fn keep_runner(&self, runs: Digest) -> Result<(), FileError>;

    /// The runner that was kept so.
    ///
    /// # Errors
    /// When it can't be read.
    fn kept_runner(&self) -> Result<Option<Vec<u8>>, FileError>;
}

/// A machine whose files are in a home, and whose runner is at a path.
#[derive(Debug)]
pub(super) struct Housed<'a> {
    home: Home,
    runner: PathBuf,
    system: &'a System,
}

impl<'a> Housed<'a> {
    pub(super) fn new(home: &Home, runner: &Path, system: &'a System) -> Self {
        Self { home: home.clone(), runner: runner.to_owned(), system }
    }

    /// Where a runner lies until it is installed: on the same file system.
    fn beside(&self) -> PathBuf {
        self.runner.with_extension("new")
    }
}

impl Machine for Housed<'_> {
    fn incarnation(&self) -> Incarnation {
        incarnation::read(self.system)
    }

    fn uptime(&self) -> Duration {
        incarnation::uptime(self.system)
    }

    fn write_config(&self, config: &HostConfig) -> Result<(), HomeError> {
        self.home.write_config(config)
    }

    fn notices(&self) -> Notices {
        notices::read(&self.home.notices())
    }

    fn keep_notices(&self, notices: &Notices) {
        notices::write(&self.home.notices(), notices);
    }

    fn lay(&self, runner: &[u8]) -> Result<(), FileError> {
        let _during = fault::during(Subject::NewRunner);
        files::prepare(self.beside(), runner, 0o755)
    }

    fn try_out(&self, runner: &[u8]) -> Result<Chain, String> {
        let _during = fault::during(Subject::NewRunner);
        if let Some(machine) = machine::foreign(runner, std::env::consts::ARCH) {
            let here = platform();
            return Err(format!("is for {machine}, and this is {here}; hint: `cargo xtask deploy` on {here}"));
        }
        self_check::ask(&self.beside(), &self.home.args(), self_check::PATIENCE)
    }

    fn take_away(&self) -> Result<(), FileError> {
        let _during = fault::during(Subject::NewRunner);
        files::remove(self.beside()).map(drop)
    }

    fn install(&self) -> Result<(), FileError> {
        let _during = fault::during(Subject::Runner);
        files::rename(self.beside(), &self.runner)
    }

    /// What runs is kept, also where another file was put in its place meanwhile.
    fn keep_runner(&self, runs: Digest) -> Result<(), FileError> {
        let installed = files::read_optional(&self.runner)?;
        let bytes = match installed.filter(|bytes| Digest::of(bytes) == runs) {
            Some(bytes) => bytes,
            None => files::read("/proc/self/exe")?,
        };
        let _during = fault::during(Subject::PreviousRunner);
        let kept = self.home.previous_runner();
        let new = kept.with_extension("new");
        files::prepare(&new, bytes, 0o755)?;
        files::rename(new, kept)
    }

    fn kept_runner(&self) -> Result<Option<Vec<u8>>, FileError> {
        files::read_optional(self.home.previous_runner())
    }
}
