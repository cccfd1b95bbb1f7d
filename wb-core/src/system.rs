//! The one seam to the machine: files, processes, sockets, the clock, the environment.
//!
//! Everything else in Wildebeest is a function of its arguments. Code that changes a host gets a [`System`], which is
//! a root directory, a way to run commands and a clock. On a host the root is `/`; in a test it is a temporary
//! directory with real files in it, the commands are scripted, and the clock steps.

pub mod clock;
pub mod command;
mod deadline;
mod disk;
pub mod ending;
pub mod environment;
pub mod fake;
pub mod fault;
pub mod files;
pub mod growing;
mod held;
#[cfg(feature = "http")]
pub mod http;
pub mod init;
mod leftover;
mod lookup;
pub mod machine;
mod mounts;
#[cfg(feature = "runtime")]
pub mod network;
mod parsed;
mod random;
mod pinned;
pub mod socket;
pub mod tree;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use clock::Clock;
pub use command::{Command, CommandError, Output, Processes, quoted};
use deadline::Deadline;
pub use deadline::OutOfTime;
pub use fake::Script;
pub use files::FileError;
pub use growing::Growing;
pub use held::Held;
pub use pinned::Pinned;
pub use random::random;
pub use socket::SocketError;
pub use tree::Tree;

/// A machine: where its files are, how its commands run, what time it is.
pub struct System {
    root: PathBuf,
    processes: Arc<dyn Processes>,
    clock: Arc<dyn Clock>,
    deadline: Option<Deadline>,
    parsed: Arc<parsed::Parsed>,
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
        let (processes, clock, parsed) = (Arc::new(processes), Arc::new(clock), Arc::default());
        Self { root: root.into(), processes, clock, deadline: None, parsed }
    }

    /// A machine for tests: real files under `root`, commands answered by `script`, a clock that steps.
    pub fn fake(root: impl Into<PathBuf>, script: Script) -> Self {
        Self::new(root, script, clock::Stepping::default())
    }

    /// This machine, for work that may take so long as a whole: from now on its commands get no more than what is left.
    #[must_use]
    pub fn within(&self, limit: Option<Duration>) -> Self {
        Self {
            root: self.root.clone(),
            processes: Arc::clone(&self.processes),
            clock: Arc::clone(&self.clock),
            deadline: limit.map(|limit| Deadline::new(self.clock.passed(), limit)),
            parsed: Arc::clone(&self.parsed),
        }
    }

    /// Unwinds with [`OutOfTime`] when the time of the work on this machine is over.
    pub fn must_be_in_time(&self) {
        if let Some(Err(error)) = self.deadline.map(|deadline| deadline.left(self.clock.passed())) {
            std::panic::resume_unwind(Box::new(error));
        }
    }

    /// What is left of the time of the work on this machine, where that has an end.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.left(self.clock.passed()).unwrap_or_default())
    }

    /// Where `path`, absolute on this machine, lies as seen from this process.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Runs `command` and judges nothing: a non-zero exit is an ordinary [`Output`].
    ///
    /// # Errors
    /// When it can't be started, writes more than 16 MiB to one of its streams, or does not end within its timeout, or within
    /// what is left of the work's time.
    pub fn run(&self, command: &Command) -> Result<Output, CommandError> {
        self.in_time(command, |command| self.processes.run(command))
    }

    /// [`System::run`], and hands over each line that it writes, to whichever stream, while it runs. It may write any
    /// amount: the last 16 MiB are kept.
    ///
    /// # Errors
    /// When it can't be started, or does not end in time, as with [`System::run`].
    pub fn run_heard(&self, command: &Command, hear: &mut dyn FnMut(&str)) -> Result<Output, CommandError> {
        self.in_time(command, |command| self.processes.run_heard(command, hear))
    }

    fn in_time(
        &self,
        command: &Command,
        run: impl FnOnce(&Command) -> Result<Output, CommandError>,
    ) -> Result<Output, CommandError> {
        let Some(deadline) = self.deadline else { return run(command) };
        let over = |source| CommandError::OutOfTime { line: command.name(), source };
        let left = deadline.left(self.clock.passed()).map_err(over)?;
        match run(&command.clone().at_most(left)) {
            Err(CommandError::TimedOut { timeout, .. }) if timeout == left => Err(over(deadline.out_of_time())),
            result => result,
        }
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
