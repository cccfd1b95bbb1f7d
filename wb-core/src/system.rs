//! The one seam to the machine: files, processes, sockets, the clock, the environment.
//!
//! Everything else in Wildebeest is a function of its arguments. Code that changes a host gets a [`System`], which is
//! a root directory, a way to run commands and a clock. On a host the root is `/`; in a test it is a temporary
//! directory with real files in it, the commands are scripted, and the clock steps.

pub mod clock;
pub mod command;
mod disk;
pub mod ending;
pub mod environment;
pub mod fake;
pub mod fault;
pub mod files;
pub mod socket;

use std::path::{Path, PathBuf};

pub use clock::Clock;
pub use command::{Command, CommandError, Output, Processes, quoted};
pub use fake::Script;
pub use files::FileError;
pub use socket::SocketError;

/// A machine: where its files are, how its commands run, what time it is.
pub struct System {
    root: PathBuf,
    processes: Box<dyn Processes>,
    clock: Box<dyn Clock>,
}

impl System {
    /// The machine that this process runs on.
    #[must_use]
    pub fn real() -> Self {
        #[cfg(feature = "faults")]
        let clock = fault::Jumping;
        #[cfg(not(feature = "faults"))]
        let clock = clock::Real;
        Self::new("/", command::Real, clock)
    }

    /// A machine made of parts: `root` is prepended to every path.
    pub fn new(root: impl Into<PathBuf>, processes: impl Processes + 'static, clock: impl Clock + 'static) -> Self {
        Self { root: root.into(), processes: Box::new(processes), clock: Box::new(clock) }
    }

    /// A machine for tests: real files under `root`, commands answered by `script`, a clock that steps.
    pub fn fake(root: impl Into<PathBuf>, script: Script) -> Self {
        Self::new(root, script, clock::Stepping::default())
    }

    /// Where `path`, absolute on this machine, lies as seen from this process.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Runs `command` and judges nothing: a non-zero exit is an ordinary [`Output`].
    ///
    /// # Errors
    /// When it can't be started, or does not end within its timeout.
    pub fn run(&self, command: &Command) -> Result<Output, CommandError> {
        self.processes.run(command)
    }

    /// Runs `command` and expects exit code 0; gives its standard output without the last line break.
    ///
    /// # Errors
    /// As [`System::run`], and when the exit code is not 0.
    pub fn read_command(&self, command: &Command) -> Result<String, CommandError> {
        self.run(command)?.success(command).map(|output| output.text())
    }

    /// The clock of this machine.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("System").field("root", &self.root).finish_non_exhaustive()
    }
}
