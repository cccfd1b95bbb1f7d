//! The one way to a package manager: each program is run until it succeeds, or its trouble is none that passes. It
//! waits for locks, mends what an interrupted run left, and asks mirrors again, each for a bounded time.

use std::time::Duration;

use wb_core::system::{Command, CommandError, Output, System};

use super::{Manager, PackageError};

/// How long another program may hold the lock.
const LOCK_BOUND: Duration = Duration::from_secs(600);
/// How often the lock is asked for, where the program does not wait for it by itself.
const LOCK_PAUSE: Duration = Duration::from_secs(5);
/// How often a mirror is asked.
const MIRROR_TRIES: u32 = 4;
/// How often what an interrupted run left is mended.
const MENDINGS: u32 = 3;
/// How long one run may take.
const RUN_BOUND: Duration = Duration::from_secs(3600);

/// A command that nothing asks, pages or translates, within a time limit.
///
/// The locale has UTF-8: what packages make at their installation, a PostgreSQL cluster for one, takes its encoding
/// from there.
pub(crate) fn quiet(command: Command) -> Command {
    command.env("LC_ALL", "C.UTF-8").env("PAGER", "cat").timeout(RUN_BOUND)
}

/// What keeps a program from succeeding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Somebody else uses the manager.
    Locked,
    /// It was killed in the middle.
    Interrupted,
    /// Packages lack others that they need.
    Broken,
    /// A mirror did not deliver.
    Mirror,
    /// A package is held.
    Held,
    /// Others would have to go, and may not.
    Displacing,
    /// What is wanted can't be together.
    Unsolvable,
    /// Nothing that has a name.
    Other,
}

/// What to do before the program is run once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    None,
    Wait(Duration),
    Mend(Trouble),
    Update(Duration),
}

pub(super) fn remedy(trouble: Trouble, tries: u32, waited: Duration) -> Remedy {
    match trouble {
        Trouble::Locked if waited < LOCK_BOUND => Remedy::Wait(LOCK_PAUSE),
        Trouble::Interrupted | Trouble::Broken if tries < MENDINGS => Remedy::Mend(trouble),
        Trouble::Mirror if tries < MIRROR_TRIES => Remedy::Update(Duration::from_secs(5 * u64::from(tries))),
        _ => Remedy::None,
    }
}

/// How a manager's programs are understood, and their troubles mended.
pub(crate) trait Tool {
    fn system(&self) -> &System;

    /// What kept it from succeeding, by its exit code and words; nothing when nothing did.
    fn trouble(&self, output: &Output) -> Option<Trouble>;

    /// Mends what an interrupted run left. Whether that was all is for the next run to say.
    fn mend(&self, trouble: Trouble) -> Result<(), CommandError>;

    /// Brings the lists of packages up to date, where that may help.
    fn update_lists(&self) -> Result<(), CommandError>;

    /// Runs it once, and does nothing about its trouble.
    fn once(&self, command: &Command) -> Result<Output, Failure> {
        once(self, command, &|output| self.trouble(output))
    }

    /// Runs it until it succeeds, or its trouble is none that passes.
    fn insist(&self, command: &Command) -> Result<Output, Failure> {
        insist(self, command, &|output| self.trouble(output))
    }

    /// Has it tell what would come of something. What keeps it from that, `no_answer` says, as [`Tool::trouble`] does
    /// of an act. Who only looks asks once, and does nothing about it.
    fn dry_run(&self, command: &Command, only_looks: bool, no_answer: Judge<'_>) -> Result<Output, Failure> {
        if only_looks { once(self, command, no_answer) } else { insist(self, command, no_answer) }
    }
}

/// What kept a program from what it was run for, by its exit code and words.
type Judge<'j> = &'j dyn Fn(&Output) -> Option<Trouble>;

fn once<T: Tool + ?Sized>(tool: &T, command: &Command, trouble: Judge<'_>) -> Result<Output, Failure> {
    let output = tool.system().run(command)?;
    match trouble(&output) {
        None => Ok(output),
        Some(trouble) => Err(Failure::of(trouble, command, &output)),
    }
}

fn insist<T: Tool + ?Sized>(tool: &T, command: &Command, trouble: Judge<'_>) -> Result<Output, Failure> {
    let clock = tool.system().clock();
    let start = clock.now();
    let mut tries = 0;
    loop {
        tries += 1;
        let output = tool.system().run(command)?;
        let Some(trouble) = trouble(&output) else { return Ok(output) };
        match remedy(trouble, tries, clock.now().saturating_sub(start)) {
            Remedy::None => return Err(Failure::of(trouble, command, &output)),
            Remedy::Wait(pause) => clock.sleep(pause),
            Remedy::Mend(trouble) => tool.mend(trouble)?,
            Remedy::Update(pause) => {
                clock.sleep(pause);
                tool.update_lists()?;
            }
        }
    }
}

/// Why a program did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(super) trouble: Trouble,
    pub(crate) source: CommandError,
    said: String,
}

impl Failure {
    fn of(trouble: Trouble, command: &Command, output: &Output) -> Self {
        Self { trouble, source: failure(command, output), said: said(output) }
    }

    /// As an error, about these packages.
    pub(super) fn about(self, manager: Manager, action: &'static str, names: &[String]) -> PackageError {
        let (names, source) = (names.to_vec(), self.source);
        match self.trouble {
            Trouble::Locked => PackageError::Locked { manager, action, names, source },
            Trouble::Held => PackageError::Held { manager, action, names, source },
            Trouble::Displacing => {
                PackageError::WouldRemove { manager, action, names, said: manager.conflict(&self.said), source }
            }
            Trouble::Unsolvable | Trouble::Broken => {
                PackageError::Unsolvable { manager, action, names, said: manager.conflict(&self.said), source }
            }
            _ => PackageError::Act { action, names, source },
        }
    }
}

impl From<CommandError> for Failure {
    fn from(source: CommandError) -> Self {
        Self { trouble: Trouble::Other, source, said: String::new() }
    }
}

/// All that was said.
pub(crate) fn said(output: &Output) -> String {
    format!("{}\n{}", output.text(), output.error_text())
}

/// Whether one of these stands in what was said.
pub(crate) fn says(said: &str, words: &[&str]) -> bool {
    words.iter().any(|words| said.contains(words))
}

/// The error of a command whose output is none of success, whatever its exit code.
pub(super) fn failure(command: &Command, output: &Output) -> CommandError {
    match output.clone().success(command) {
        Err(error) => error,
        Ok(_) => CommandError::Failed { line: command.line(), code: output.code, said: said(output) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_remedy_has_its_bound() {
        let seconds = Duration::from_secs;
        let mend = |trouble| Remedy::Mend(trouble);
        assert_eq!(remedy(Trouble::Locked, 90, seconds(599)), Remedy::Wait(LOCK_PAUSE));
        assert_eq!(remedy(Trouble::Locked, 2, seconds(600)), Remedy::None);
        assert_eq!(remedy(Trouble::Interrupted, 2, seconds(0)), mend(Trouble::Interrupted));
        assert_eq!(remedy(Trouble::Interrupted, 3, seconds(0)), Remedy::None);
        assert_eq!(remedy(Trouble::Broken, 2, seconds(0)), mend(Trouble::Broken));
        assert_eq!(remedy(Trouble::Broken, 3, seconds(0)), Remedy::None);
        assert_eq!(remedy(Trouble::Mirror, 3, seconds(0)), Remedy::Update(seconds(15)));
        assert_eq!(remedy(Trouble::Mirror, 4, seconds(0)), Remedy::None);
        assert_eq!(remedy(Trouble::Held, 1, seconds(0)), Remedy::None);
        assert_eq!(remedy(Trouble::Displacing, 1, seconds(0)), Remedy::None);
        assert_eq!(remedy(Trouble::Unsolvable, 1, seconds(0)), Remedy::None);
        assert_eq!(remedy(Trouble::Other, 1, seconds(0)), Remedy::None);
    }
}
