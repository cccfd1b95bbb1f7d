//! Commands: to look with, and to act with behind a guard.

mod script;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use wb_core::context::{Context, Outcome};
use wb_core::system::files::FileError;
use wb_core::system::{self, CommandError as SystemError, System};

pub use wb_core::system::Output;

use script::Script;

use crate::ensure::{Difference, ensure};
use crate::foresight::{self, Thing};
use crate::owner::{self, Account, OwnerError};
use crate::temporary::{TemporaryDir, TemporaryError};
use crate::{Host, Look};

/// How long a command may take that nobody said a timeout for.
pub const TIMEOUT: Duration = Duration::from_secs(600);
/// How many letters of what a command writes are shown where it was to write something else.
const SHOWN: usize = 500;
/// Where programs of users are, as setpriv(1) and login have it.
const PATH: &str = "/usr/local/bin:/bin:/usr/bin";
const ROOTS_PATH: &str = "/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin";

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
    /// The script has no place to lie in while it runs.
    #[error("could not put `{line}` where it is run from")]
    Script {
        /// The command.
        line: String,
        /// Why.
        source: TemporaryError,
    },
    /// It ended well, and its guard says that it is needed still.
    #[error("`{line}` ended well, and {guard} all the same")]
    NotSo {
        /// The command.
        line: String,
        /// What its guard says.
        guard: String,
    },
}

impl CommandError {
    /// Whether it is how a command ended, and that was not well.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self, Self::System(SystemError::Failed { .. } | SystemError::TimedOut { .. }))
    }
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
/// # wb_stdlib::testing::web1().answer("setpriv", 1, "").rehearse(make_a_database).asks(the_database_is_there);
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
    umask: Option<u32>,
    expected: Vec<i32>,
    script: Option<Script>,
    guards: Vec<Guard<A>>,
    judge: Option<Judge>,
    streams: bool,
}

/// Says by what a command wrote whether it changed anything.
type Judge = Box<dyn Fn(&Output) -> bool>;

/// What keeps a command from being run. All of them must say that it is needed.
enum Guard<A> {
    /// It is needed unless this succeeds.
    Unless(Box<Command<A>>),
    /// It is needed if this succeeds.
    OnlyIf(Box<Command<A>>),
    /// It is needed unless this is there.
    Creates(PathBuf),
    /// It is needed if this is there.
    Removes(PathBuf),
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
            umask: None,
            expected: vec![0],
            script: None,
            guards: Vec::new(),
            judge: None,
            streams: false,
        }
    }

    pub(crate) fn shell(access: A, line: &str) -> Self {
        Self::new(access, "/bin/sh -c").arg(line)
    }

    pub(crate) fn scripted(access: A, name: &str, text: Vec<u8>) -> Self {
        Self { script: Some(Script::new(name, text)), ..Self::new(access, "") }
    }

    /// Adds an argument, blanks and all.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn load_the_dump(host: &Host, dump: &[u8]) -> Result<()> {
    ///     host.command("psql")
    ///         .args(["--set", "ON_ERROR_STOP=1", "shop"])
    ///         .env("PGAPPNAME", "shop import")
    ///         .user("postgres")
    ///         .dir("/srv/shop")
    ///         .umask(0o077)
    ///         .stdin(dump)
    ///         .timeout(Duration::from_mins(5))
    ///         .streamed()
    ///         .run()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(|host| load_the_dump(host, b"SELECT 1"));
    /// ```
    pub fn args<W: Into<String>>(mut self, args: impl IntoIterator<Item = W>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment. But for `PATH`, it stands on no command line, and in no error.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Runs it as this user, with the user's groups, and an environment that has `HOME`, `USER`, `LOGNAME`, `SHELL` and `PATH`
    /// of the user, and what [`Command::env`] says.
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.user = Some(name.into());
        self
    }

    /// Runs it in this directory, an absolute path; otherwise in `/`.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = dir.into();
        self
    }

    /// What it reads on standard input; otherwise nothing.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Kills it after so long; otherwise after [`TIMEOUT`]. What it started goes with it, but for what made itself a session
    /// of its own, as daemons do. It never gets more than what is left of the migration's own `timeout`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What it makes has none of these permission bits, as in `0o077`, up to `0o777`; otherwise the mask is that which
    /// the runner was started with.
    pub fn umask(mut self, mask: u32) -> Self {
        self.umask = Some(mask);
        self
    }

    /// Which exit codes, from 0 to 255, are a good end; otherwise only 0. What a signal ends has 128 plus its number.
    pub fn expects(mut self, codes: impl IntoIterator<Item = i32>) -> Self {
        self.expected = codes.into_iter().collect();
        self
    }

    /// Runs a command that only looks, in plans too, and gives its exit code and what it wrote.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn a_cluster_is_online(host: &View) -> Result<()> {
    ///     let said = host.command("pg_lsclusters --no-header").output()?;
    ///     ensure!(said.code == 0 && said.text().contains("online"), "no cluster is online: {}", said.error_text());
    ///     host.command("grep -q maintenance /etc/shop.conf").expects([1]).succeeds() // 1: there is no such line
    /// }
    /// # let host = wb_stdlib::testing::web1().answer("pg_lsclusters", 0, "15 main 5432 online").answer("grep", 1, "");
    /// # host.sees(a_cluster_is_online);
    /// ```
    ///
    /// # Errors
    /// When it does not start, takes too long, or writes more than 16 MiB to one of its streams. A bad end is no error.
    pub fn output(&self) -> Result<Output, CommandError> {
        self.with_built(|command| Ok(self.system().run(command)?))
    }

    /// [`Command::output`], and expects a good end.
    pub(crate) fn output_expected(&self) -> Result<Output, CommandError> {
        self.output_expected_within(self.timeout)
    }

    /// [`Command::output_expected`], and kills it after `most`, where that is less than its own timeout.
    pub(crate) fn output_expected_within(&self, most: Duration) -> Result<Output, CommandError> {
        self.with_built(|command| {
            let command = command.clone().timeout(self.timeout.min(most));
            Ok(self.system().run(&command)?.expected(&command, &self.expected)?)
        })
    }

    /// Checks that a command, which only looks, ends well.
    ///
    /// # Errors
    /// When it does not: with what it said.
    pub fn succeeds(&self) -> Result<()> {
        self.ended_well().map(drop)
    }

    /// Checks that a command, which only looks, ends well, and that this is all that it writes to standard output, but for the
    /// line breaks at the end.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn redis_answers(host: &View) -> Result<()> {
    ///     host.command("redis-cli ping").prints("PONG")
    /// }
    /// # wb_stdlib::testing::web1().answer("redis-cli ping", 0, "PONG\n").sees(redis_answers);
    /// ```
    ///
    /// # Errors
    /// When it does not, with what it wrote instead. That stands in the host's report.
    pub fn prints(&self, text: &str) -> Result<()> {
        let (expected, found) = (text.trim_end_matches('\n'), self.ended_well()?.text());
        let (line, wanted, shown) = (self.line(), shown(expected), shown(&found));
        anyhow::ensure!(found == expected, "expected `{line}` to print {wanted}, found {shown}");
        Ok(())
    }

    /// [`Command::output_expected`] for specs, which say of a bad end what was expected beside it.
    fn ended_well(&self) -> Result<Output> {
        self.output_expected().map_err(|error| match error {
            CommandError::System(SystemError::Failed { line, code, said }) => {
                let (expected, colon) = (one_of(&self.expected), if said.is_empty() { "" } else { ": " });
                anyhow::anyhow!("expected `{line}` to end with exit code {expected}, found {code}{colon}{said}")
            }
            error => anyhow::Error::new(error),
        })
    }

    /// Does something with the command, and with the file of its script where it has one, which is gone afterwards.
    fn with_built<T>(&self, act: impl FnOnce(&system::Command) -> Result<T, CommandError>) -> Result<T, CommandError> {
        let Some(script) = &self.script else { return act(&self.built(&self.program, &self.args)?) };
        let placed = script.placed(self.access.context(), self.user.as_deref());
        let placed = placed.map_err(|source| CommandError::Script { line: self.line(), source })?;
        let mut words = placed.words.iter().cloned().chain(self.args.iter().cloned());
        let program = words.next().unwrap_or_default();
        act(&self.built(&program, &words.collect::<Vec<_>>())?)
    }

    fn built(&self, program: &str, args: &[String]) -> Result<system::Command, CommandError> {
        let (program, args) = self.masked(program, args);
        let command = match &self.user {
            Some(user) => self.as_user(user, &program, &args)?,
            None => self.with_env(system::Command::new(&program).args(&args)),
        };
        let command = if command.line() == self.line() { command } else { command.called(self.name()) };
        Ok(command.dir(&self.dir).stdin(self.stdin.clone()).timeout(self.timeout))
    }

    /// What errors call it: what was written, and not what it takes to run that. They have it between backticks.
    fn name(&self) -> String {
        match &self.user {
            Some(user) => format!("{}` as `{user}", self.line()),
            None => self.line(),
        }
    }

    /// The mask is of the whole process, so that only a shell in between can set it.
    fn masked(&self, program: &str, args: &[String]) -> (String, Vec<String>) {
        let Some(mask) = self.umask else { return (program.to_owned(), args.to_vec()) };
        let shell =
            ["-c".to_owned(), format!("umask {:04o} && exec \"$@\"", mask & 0o777), "sh".into(), program.into()];
        ("/bin/sh".into(), shell.into_iter().chain(args.iter().cloned()).collect())
    }

    /// setpriv opens no session and asks nothing. What the variables are stands on no line: everybody may read those of
    /// others, and errors name them.
    fn as_user(&self, user: &str, program: &str, args: &[String]) -> Result<system::Command, CommandError> {
        let account = owner::account(self.system(), user);
        let account = account.map_err(|source| CommandError::User { line: self.line(), source })?;
        let setpriv = system::Command::new("setpriv")
            .args([format!("--reuid={}", account.uid), format!("--regid={}", account.gid)])
            .args(["--init-groups", "--"]);
        // A PATH of the command's own may not lead to setpriv, and is nobody's secret.
        let own_path = self.env.iter().rfind(|(name, _)| name == "PATH");
        let path = own_path.into_iter().flat_map(|(name, value)| ["env".to_owned(), format!("{name}={value}")]);
        let command = self.with_env(login(&account, setpriv.args(path).arg(program).args(args).env_clear()));
        Ok(command.env("PATH", path_of(&account)))
    }

    fn with_env(&self, command: system::Command) -> system::Command {
        self.env.iter().fold(command, |command, (name, value)| command.env(name, value))
    }

    pub(crate) fn line(&self) -> String {
        let program = self.script.as_ref().map_or(self.program.as_str(), Script::name);
        system::Command::new(program).args(&self.args).line()
    }

    fn system(&self) -> &System {
        self.context().system()
    }

    fn context(&self) -> &Context<'_> {
        self.access.context()
    }
}

/// These exit codes, in words.
fn one_of(codes: &[i32]) -> String {
    let mut words: Vec<String> = codes.iter().map(ToString::to_string).collect();
    let last = words.pop().unwrap_or_default();
    if words.is_empty() { last } else { format!("{} or {last}", words.join(", ")) }
}

/// What a command writes, as much of it as helps in a message.
fn shown(text: &str) -> String {
    let start: String = text.chars().take(SHOWN).collect();
    match text.len() {
        0 => "nothing".to_owned(),
        all if start.len() < all => format!("{start:?} ({all} bytes in all)"),
        _ => format!("{start:?}"),
    }
}

/// The command with what a login sets.
fn login(account: &Account, command: system::Command) -> system::Command {
    let shell = if account.shell.is_empty() { "/bin/sh" } else { &account.shell };
    let command = command.env("HOME", &account.home).env("SHELL", shell);
    command.env("USER", &account.name).env("LOGNAME", &account.name)
}

fn path_of(account: &Account) -> &'static str {
    if account.uid == 0 { ROOTS_PATH } else { PATH }
}

impl<'a> Command<Host<'a>> {
    /// It is run only when this command, which only looks, does not end well.
    pub fn unless(mut self, looks: Command<Host<'a>>) -> Self {
        self.guards.push(Guard::Unless(Box::new(looks)));
        self
    }

    /// It is run only when this command, which only looks, ends well.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn prepare_the_shop(host: &Host) -> Result<()> {
    ///     host.command("shop build-index").only_if(host.command("shop index-is-stale")).run()?;
    ///     host.command("openssl dhparam -out /etc/ssl/dh.pem 2048").creates("/etc/ssl/dh.pem").run()?;
    ///     host.command("shop import --delete /srv/import.csv").removes("/srv/import.csv").run()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().answer("shop index-is-stale", 0, "").rehearse(prepare_the_shop);
    /// ```
    pub fn only_if(mut self, looks: Command<Host<'a>>) -> Self {
        self.guards.push(Guard::OnlyIf(Box::new(looks)));
        self
    }

    /// It is run only when there is nothing at this absolute path; it is to make it, and has failed when it does not.
    pub fn creates(mut self, path: impl AsRef<Path>) -> Self {
        self.guards.push(Guard::Creates(path.as_ref().to_owned()));
        self
    }

    /// It is run only when there is something at this absolute path; it is to remove it, and has failed when it does
    /// not.
    pub fn removes(mut self, path: impl AsRef<Path>) -> Self {
        self.guards.push(Guard::Removes(path.as_ref().to_owned()));
        self
    }

    /// Tells by what it wrote whether it changed anything. Otherwise a run is a change.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn upgrade_the_schema(host: &Host) -> Result<()> {
    ///     host.command("/srv/shop/manage.py migrate")
    ///         .user("shop")
    ///         .changed_when(|output| !output.text().contains("No migrations to apply"))
    ///         .run()?;
    ///     host.service("shop").restarted()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(upgrade_the_schema);
    /// ```
    pub fn changed_when(mut self, judge: impl Fn(&Output) -> bool + 'static) -> Self {
        self.judge = Some(Box::new(judge));
        self
    }

    /// What it writes goes into the host's log while it runs, line by line, however much it is, and with that into the host's
    /// report, which has the end of the log. Don't say this of what writes secrets.
    pub fn streamed(mut self) -> Self {
        self.streams = true;
        self
    }

    /// Runs it: each time, or when its guards say that it is needed.
    ///
    /// A plan asks the guards, too. Without one it can't know.
    ///
    /// # Errors
    /// When it, or a guard, does not start, takes too long or writes more than 16 MiB, and when it ends badly: with the end
    /// of what it wrote.
    pub fn run(&self) -> Result<Outcome, CommandError> {
        let what = match self.script {
            Some(_) => format!("script {} run", self.line()),
            None => format!("command {} run", self.line()),
        };
        let difference = self.difference()?;
        if self.script.is_some() && difference == Difference::None && !self.access.plans() {
            self.tidy()?;
        }
        self.foresee(&difference);
        let is_needed = matches!(difference, Difference::Some(_)) && !self.access.plans();
        match &self.judge {
            Some(judge) if is_needed => {
                let changed = judge(&self.act()?);
                let outcome = if changed { Outcome::Changed { diff: None } } else { Outcome::Unchanged };
                Ok(self.access.record(&what, outcome))
            }
            Some(_) if matches!(difference, Difference::Some(_)) => {
                let why = "only what it writes tells whether it changes anything".to_owned();
                ensure(self.access, &what, Difference::Unknown(why), || Ok(()))
            }
            _ => ensure(self.access, &what, difference, || self.act().map(drop)),
        }
    }

    fn act(&self) -> Result<Output, CommandError> {
        let output = self.with_built(|command| {
            let system = self.access.system();
            let output = match self.streams {
                true => system.run_heard(command, &mut |line| self.say(line)),
                false => system.run(command),
            };
            Ok(output?.expected(command, &self.expected)?)
        })?;
        self.guards.iter().try_for_each(|guard| self.must_be_so(guard))?;
        Ok(output)
    }

    /// The last run of the script may have been killed when it had done its work.
    fn tidy(&self) -> Result<(), CommandError> {
        let tidied = TemporaryDir::tidy(self.access.system());
        tidied.map_err(|source| CommandError::Script { line: self.line(), source })
    }

    fn say(&self, line: &str) {
        self.context().say(&format!("  {line}"));
    }

    /// What it was to make, or to remove, is looked at again. What another command says may be so only later.
    fn must_be_so(&self, guard: &Guard<Host<'a>>) -> Result<(), CommandError> {
        let (path, says) = match guard {
            Guard::Creates(path) => (path, "there is nothing at"),
            Guard::Removes(path) => (path, "there is something at"),
            Guard::Unless(_) | Guard::OnlyIf(_) => return Ok(()),
        };
        match self.needs(guard)? {
            true => Err(CommandError::NotSo { line: self.line(), guard: format!("{says} {}", path.display()) }),
            false => Ok(()),
        }
    }

    /// Lets operations that come later in a plan know of what it is to make, or to remove.
    fn foresee(&self, difference: &Difference) {
        if !matches!(difference, Difference::Some(_)) {
            return;
        }
        for guard in &self.guards {
            match guard {
                Guard::Creates(path) => foresight::put(self.context(), path, Thing::Something),
                Guard::Removes(path) => foresight::put(self.context(), path, Thing::Nothing),
                Guard::Unless(_) | Guard::OnlyIf(_) => {}
            }
        }
    }

    fn difference(&self) -> Result<Difference, CommandError> {
        if let Some(why) = self.guards.iter().find_map(|guard| self.unknown(guard)) {
            return Ok(Difference::Unknown(why));
        }
        match self.needed() {
            Ok(Some(true)) => Ok(Difference::Some(None)),
            Ok(Some(false)) => Ok(Difference::None),
            Ok(None) if self.access.plans() => Ok(Difference::Unknown("only running it tells".into())),
            Ok(None) => Ok(Difference::Some(None)),
            Err(error) if self.access.plans() => Ok(Difference::Unknown(error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// What the guards say, if there are any. The first that says no is the last one that is asked.
    fn needed(&self) -> Result<Option<bool>, CommandError> {
        for guard in &self.guards {
            if !self.needs(guard)? {
                return Ok(Some(false));
            }
        }
        Ok((!self.guards.is_empty()).then_some(true))
    }

    fn needs(&self, guard: &Guard<Host<'a>>) -> Result<bool, CommandError> {
        let is_there = |path: &Path| {
            let found = foresight::stat(self.context(), path).map(|found| found.is_some());
            found.map_err(|source| CommandError::Guard { line: self.line(), source })
        };
        match guard {
            Guard::Unless(looks) => Ok(!looks.ends_well()?),
            Guard::OnlyIf(looks) => looks.ends_well(),
            Guard::Creates(path) => Ok(!is_there(path)?),
            Guard::Removes(path) => is_there(path),
        }
    }

    /// Why a plan can't know what a guard finds.
    fn unknown(&self, guard: &Guard<Host<'a>>) -> Option<String> {
        match guard {
            Guard::Creates(path) | Guard::Removes(path) => foresight::unknown_at(self.context(), path),
            Guard::Unless(_) | Guard::OnlyIf(_) => None,
        }
    }

    fn ends_well(&self) -> Result<bool, CommandError> {
        Ok(self.expected.contains(&self.output()?.code))
    }
}
