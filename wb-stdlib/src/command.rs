//! Commands: to look with, and to act with behind a guard.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use wb_core::context::Outcome;
use wb_core::system::files::FileError;
use wb_core::system::{self, CommandError as SystemError, System};

pub use wb_core::system::Output;

use crate::ensure::{Difference, ensure};
use crate::owner::{self, OwnerError};
use crate::{Host, Look};

/// How long a command may take that nobody said a timeout for.
pub const TIMEOUT: Duration = Duration::from_secs(600);

/// What can go wrong with a command.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It did not start, ended badly, or took too long.
    #[error(transparent)]
    System(#[from] SystemError),
    /// The user that it is to run as is not there.
    #[error("could not run `{line}` as another user")]
    User {
        /// The command.
        line: String,
        /// Why.
        source: OwnerError,
    },
    /// The path of its guard can't be looked at.
    #[error("could not see whether `{line}` is needed")]
    Guard {
        /// The command.
        line: String,
        /// Why.
        source: FileError,
    },
}

/// A command. [`Look::command`] and [`Look::shell`] make it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn make_a_database(host: &Host) -> Result<()> {
///     host.command("createdb shop")
///         .user("postgres")
///         .unless(host.shell("psql -lqtA | grep -q '^shop|'").user("postgres"))
///         .run()?;
///     Ok(())
/// }
///
/// fn the_database_is_there(host: &View) -> Result<()> {
///     host.command("psql -c").arg("select 1").arg("shop").user("postgres").succeeds()
/// }
/// # let (_, _) = (make_a_database as fn(&Host) -> Result<()>, the_database_is_there as fn(&View) -> Result<()>);
/// ```
#[must_use = "a command does nothing before `.run()?`, `.succeeds()` or `.output()?`"]
pub struct Command<A> {
    access: A,
    program: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    user: Option<String>,
    dir: PathBuf,
    stdin: Vec<u8>,
    timeout: Duration,
    guard: Guard<A>,
}

enum Guard<A> {
    None,
    /// It is needed unless this succeeds.
    Unless(Box<Command<A>>),
    /// It is needed unless this is there.
    Creates(PathBuf),
}

impl<A: Look> Command<A> {
    pub(crate) fn new(access: A, line: &str) -> Self {
        let mut words = line.split_whitespace().map(str::to_owned);
        let program = words.next().unwrap_or_default();
        Self {
            access,
            program,
            args: words.collect(),
            env: Vec::new(),
            user: None,
            dir: "/".into(),
            stdin: Vec::new(),
            timeout: TIMEOUT,
            guard: Guard::None,
        }
    }

    pub(crate) fn shell(access: A, line: &str) -> Self {
        Self::new(access, "/bin/sh -c").arg(line)
    }

    /// Adds an argument, blanks and all.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<W: Into<String>>(mut self, args: impl IntoIterator<Item = W>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Runs it as this user, with the user's groups and home, and an environment that is otherwise empty.
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.user = Some(name.into());
        self
    }

    /// Runs it in this directory; otherwise in `/`.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = dir.into();
        self
    }

    /// What it reads on standard input; otherwise nothing.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Kills it after so long, with all that it started; otherwise after [`TIMEOUT`]. It never gets more than what is left
    /// of the migration's own `timeout`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs a command that only looks, in plans too, and gives its exit code and what it wrote.
    ///
    /// # Errors
    /// When it does not start, or takes too long. A bad end is no error.
    pub fn output(&self) -> Result<Output, CommandError> {
        Ok(self.system().run(&self.built()?)?)
    }

    /// Checks that a command, which only looks, ends well.
    ///
    /// # Errors
    /// When it does not: with what it said.
    pub fn succeeds(&self) -> Result<()> {
        let built = self.built()?;
        self.system().run(&built)?.success(&built)?;
        Ok(())
    }

    fn built(&self) -> Result<system::Command, CommandError> {
        let command = match &self.user {
            Some(user) => self.as_user(user)?,
            None => self.with_env(system::Command::new(&self.program).args(&self.args)),
        };
        Ok(command.dir(&self.dir).stdin(self.stdin.clone()).timeout(self.timeout))
    }

    /// setpriv opens no session, asks nothing, and takes the variables of root away; so ours come after it.
    fn as_user(&self, user: &str) -> Result<system::Command, CommandError> {
        let found = owner::user(self.system(), user);
        let found = found.map_err(|source| CommandError::User { line: self.line(), source })?;
        let setpriv = system::Command::new("setpriv")
            .args([format!("--reuid={}", found.uid), format!("--regid={}", found.gid)])
            .args(["--init-groups", "--reset-env", "--", "env"])
            .args(self.env.iter().map(|(name, value)| format!("{name}={value}")));
        Ok(setpriv.arg(&self.program).args(&self.args))
    }

    fn with_env(&self, command: system::Command) -> system::Command {
        self.env.iter().fold(command, |command, (name, value)| command.env(name, value))
    }

    fn line(&self) -> String {
        system::Command::new(&self.program).args(&self.args).line()
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl<'a> Command<Host<'a>> {
    /// It is run only when this command, which only looks, does not end well.
    pub fn unless(mut self, looks: Command<Host<'a>>) -> Self {
        self.guard = Guard::Unless(Box::new(looks));
        self
    }

    /// It is run only when there is nothing at this path; it is to make it.
    pub fn creates(mut self, path: impl AsRef<Path>) -> Self {
        self.guard = Guard::Creates(path.as_ref().to_owned());
        self
    }

    /// Runs it: each time, or when its guard says that it is needed.
    ///
    /// A plan asks the guard, too. Without one it can't know.
    ///
    /// # Errors
    /// When it, or its guard, does not start or takes too long, and when it ends badly.
    pub fn run(&self) -> Result<Outcome, CommandError> {
        let what = format!("command {} run", self.line());
        let difference = self.difference()?;
        ensure(self.access, &what, difference, || {
            self.system().read_command(&self.built()?)?;
            Ok(())
        })
    }

    fn difference(&self) -> Result<Difference, CommandError> {
        match self.needed() {
            Ok(Some(true)) => Ok(Difference::Some(None)),
            Ok(Some(false)) => Ok(Difference::None),
            Ok(None) if self.access.plans() => Ok(Difference::Unknown("only running it tells".into())),
            Ok(None) => Ok(Difference::Some(None)),
            Err(error) if self.access.plans() => Ok(Difference::Unknown(error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// What the guard says, if there is one.
    fn needed(&self) -> Result<Option<bool>, CommandError> {
        match &self.guard {
            Guard::None => Ok(None),
            Guard::Unless(looks) => Ok(Some(looks.output()?.code != 0)),
            Guard::Creates(path) => match self.system().stat(path) {
                Ok(found) => Ok(Some(found.is_none())),
                Err(source) => Err(CommandError::Guard { line: self.line(), source }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;

    #[test]
    fn words_of_a_line_are_arguments_and_an_argument_keeps_its_blanks() {
        let machine = Machine::new().answer("git", 0, "git version 2.39.5\n");
        let output = machine.view(|host| Ok(host.command("git --version").arg("a b").output()?)).unwrap();
        assert_eq!(output.text(), "git version 2.39.5");
        assert_eq!(machine.calls(), ["git --version 'a b'"]);
    }

    #[test]
    fn a_user_gets_their_own_environment() {
        let machine = Machine::new().file("/etc/passwd", "postgres:x:104:111::/var/lib/postgresql:/bin/bash\n");
        let machine = machine.answer("setpriv", 0, "");
        machine.view(|host| host.command("psql").user("postgres").env("PGPORT", "5433").succeeds()).unwrap();
        let expect = "setpriv --reuid=104 --regid=111 --init-groups --reset-env -- env PGPORT=5433 psql";
        assert_eq!(machine.calls(), [expect]);
    }

    #[test]
    fn a_failure_says_what_the_command_said() {
        let machine = Machine::new().answer("pg_isready", 2, "no response");
        let error = machine.view(|host| host.command("pg_isready").succeeds()).unwrap_err();
        assert_eq!(error.to_string(), "`pg_isready` ended with exit code 2: no response");
    }

    #[test]
    fn without_a_guard_it_always_runs_and_a_plan_cannot_know() {
        let machine = Machine::new().answer("make", 0, "");
        assert!(machine.apply(|host| Ok(host.command("make all").run()?)).unwrap().changed());
        machine.plan(|host| Ok(host.command("make all").run()?)).unwrap();
        assert_eq!(machine.said(), "? command make all run (cannot know: only running it tells)");
        assert_eq!(machine.calls(), ["make all"]);
    }

    #[test]
    fn a_guard_that_holds_leaves_it_out() {
        let machine = Machine::new().answer("test -e /x", 0, "").answer("make", 0, "");
        let run = |host: &Host| Ok(host.command("make").unless(host.command("test -e /x")).run()?);
        assert_eq!(machine.apply(run).unwrap(), Outcome::Unchanged);
        assert_eq!(machine.plan(run).unwrap(), Outcome::Unchanged);
        assert_eq!(machine.calls(), ["test -e /x", "test -e /x"]);
    }

    #[test]
    fn a_guard_that_cannot_be_asked_is_an_error_and_unknown_in_a_plan() {
        let machine = Machine::new().answer("make", 0, "");
        let run = |host: &Host| Ok(host.command("make").unless(host.command("psql -l")).run()?);
        assert_eq!(machine.apply(run).unwrap_err().to_string(), "the program `psql` is not installed");
        assert!(matches!(machine.plan(run).unwrap(), Outcome::Unknown { .. }));
    }

    #[test]
    fn what_it_creates_is_its_guard() {
        let machine = Machine::new().answer("make", 0, "").file("/there", "");
        let run = |path: &'static str| machine.apply(move |host| Ok(host.command("make").creates(path).run()?));
        assert_eq!(run("/there").unwrap(), Outcome::Unchanged);
        assert!(run("/not/there").unwrap().changed());
    }
}
