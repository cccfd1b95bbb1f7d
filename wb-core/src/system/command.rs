//! Commands as data, run by duct.
#![expect(clippy::disallowed_methods, reason = "this is the seam that the rest must use")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::deadline::OutOfTime;
use super::ending::{Ending, Loss, ending};
use super::fault::{self, Kind};
use super::files::Lock;
use super::lookup;
use super::machine;

/// A program and how to run it. It never gets a terminal: standard input is empty unless [`Command::stdin`] says
/// otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    program: OsString,
    args: Vec<OsString>,
    env: BTreeMap<OsString, Option<OsString>>,
    only_env: bool,
    dir: Option<PathBuf>,
    stdin: Vec<u8>,
    timeout: Option<Duration>,
    expendable: bool,
    largest: Option<u64>,
    called: Option<String>,
}

impl Command {
    /// A program, looked up in `PATH` when it has no slash.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: BTreeMap::new(),
            only_env: false,
            dir: None,
            stdin: Vec::new(),
            timeout: None,
            expendable: false,
            largest: None,
            called: None,
        }
    }

    /// A line for `/bin/sh -c`.
    pub fn shell(line: impl AsRef<OsStr>) -> Self {
        Self::new("/bin/sh").arg("-c").arg(line)
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.insert(name.as_ref().to_owned(), Some(value.as_ref().to_owned()));
        self
    }

    /// Sets a variable unless it is set or taken away already.
    #[must_use]
    pub fn env_default(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.entry(name.as_ref().to_owned()).or_insert_with(|| Some(value.as_ref().to_owned()));
        self
    }

    /// Takes a variable away.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.insert(name.as_ref().to_owned(), None);
        self
    }

    /// Inherits nothing: the child sees only what [`Command::env`] sets.
    #[must_use]
    pub fn env_clear(mut self) -> Self {
        self.only_env = true;
        self
    }

    /// Runs it in `dir`.
    #[must_use]
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// What it reads on standard input.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// What it reads on standard input, for who plays it.
    #[must_use]
    pub fn input(&self) -> &[u8] {
        &self.stdin
    }

    /// A variable that was set, for who plays it.
    #[must_use]
    pub fn variable(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        self.env.get(name.as_ref()).and_then(Option::as_deref)
    }

    /// Kills it after `timeout`.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Lets it write so many bytes to each of its output streams, and no more: it meets an error beyond that, and is not
    /// ended. Whatever it writes is kept in memory.
    #[must_use]
    pub fn says_at_most(mut self, bytes: u64) -> Self {
        self.largest = Some(bytes);
        self
    }

    /// What errors have between their backticks in the place of its line: what somebody wrote, where more than that is run.
    ///
    /// ```
    /// use wb_core::system::Command;
    /// let command = Command::new("setpriv").args(["--reuid=104", "--", "false"]).called("false` as `postgres");
    /// assert_eq!(command.name(), "false` as `postgres");
    /// assert_eq!(command.line(), "setpriv --reuid=104 -- false");
    /// ```
    #[must_use]
    pub fn called(mut self, name: impl Into<String>) -> Self {
        self.called = Some(name.into());
        self
    }

    /// What errors call it: what [`Command::called`] says, or else its line.
    #[must_use]
    pub fn name(&self) -> String {
        self.called.clone().unwrap_or_else(|| self.line())
    }

    /// Kills it after `left` at the latest.
    pub(super) fn at_most(mut self, left: Duration) -> Self {
        self.timeout = Some(self.timeout.map_or(left, |timeout| timeout.min(left)));
        self
    }

    /// Says that nothing is lost when it is cut short: when this process is told to end, it is, at once. It runs in a
    /// process group of its own and so can ask nothing at a terminal.
    #[must_use]
    pub fn expendable(mut self) -> Self {
        self.expendable = true;
        self
    }

    /// This command as seen from outside a container: `outer` (`nsenter …`, say), then this one through `env`, which
    /// sets its variables and directory there and inherits nothing. Standard input and timeout stay this one's.
    ///
    /// ```
    /// use wb_core::system::Command;
    /// let inner = Command::new("id").env("LANG", "C").dir("/srv");
    /// assert_eq!(inner.inside(Command::new("chroot").arg("/box")).line(), "chroot /box /usr/bin/env -i -C /srv LANG=C id");
    /// ```
    #[must_use]
    pub fn inside(self, outer: Self) -> Self {
        let mut whole = outer.args(["/usr/bin/env", "-i"]);
        if let Some(dir) = &self.dir {
            whole = whole.arg("-C").arg(dir);
        }
        for (name, value) in self.env.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            let assignment = [name.as_os_str(), OsStr::new("="), value.as_os_str()];
            whole = whole.arg(assignment.into_iter().collect::<OsString>());
        }
        Self { stdin: self.stdin, timeout: self.timeout, ..whole.arg(self.program).args(self.args) }
    }

    /// The command line, for messages.
    #[must_use]
    pub fn line(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.args);
        words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
    }

    /// Runs it on this machine. See [`super::System::run`].
    ///
    /// # Errors
    /// When it can't be started, or does not end within its timeout.
    pub fn run(&self) -> Result<Output, CommandError> {
        match self.expendable {
            true => self.run_under(ending(), Loss::Nothing),
            false => self.run_in_this_group(),
        }
    }

    /// Runs it on this machine and expects exit code 0; gives its standard output without the last line break.
    ///
    /// # Errors
    /// As [`Command::run`], and when the exit code is not 0.
    pub fn read(&self) -> Result<String, CommandError> {
        self.run()?.success(self).map(|output| output.text())
    }

    /// Runs it on this machine and hands over each line of its standard output as it comes. The lines are not kept:
    /// the [`Output`] has standard error and the exit code.
    ///
    /// # Errors
    /// When it can't be started, or its output can't be read.
    pub fn run_lines(&self, mut each: impl FnMut(&str)) -> Result<Output, CommandError> {
        let not_read = |source| CommandError::Start { line: self.name(), source };
        let reader = fault::pass(Kind::Spawn).and_then(|()| self.expression());
        let reader = reader.and_then(|expression| expression.stderr_capture().reader());
        let reader = reader.map_err(|source| self.not_started(source))?;
        let mut lines = io::BufReader::new(&reader);
        let mut line = Vec::new();
        while io::BufRead::read_until(&mut lines, b'\n', &mut line).map_err(not_read)? > 0 {
            each(String::from_utf8_lossy(&line).trim_end_matches('\n'));
            line.clear();
        }
        let ended = reader.try_wait().map_err(not_read)?;
        Ok(ended.map(Output::of).unwrap_or_default())
    }

    /// Starts it on this machine with the output streams going where this process's go (or, with `log`, to a file),
    /// and does not wait.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(&self, log: Option<&Path>) -> Result<Child, CommandError> {
        let expression = fault::pass(Kind::Spawn).and_then(|()| self.expression());
        let mut expression = expression.map_err(|source| self.not_started(source))?;
        if let Some(log) = log {
            expression = expression.stderr_to_stdout().stdout_path(log);
        }
        let handle = expression.start().map_err(|source| self.not_started(source))?;
        Ok(Child { handle })
    }

    /// Starts it like [`Command::start`], but what it reads comes through the pipe that is returned. No other child
    /// inherits that pipe: when this process ends in whatever way, the command reads the end of its input.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start_held(&self, log: &Path) -> Result<(Child, io::PipeWriter), CommandError> {
        let pipe = fault::pass(Kind::Spawn).and_then(|()| io::pipe());
        let (reader, writer) = pipe.map_err(|source| self.not_started(source))?;
        let expression = self.prepared(&self.called_by_its_path().stdin_file(reader));
        let expression = expression.stderr_to_stdout().stdout_path(log);
        let handle = expression.start().map_err(|source| self.not_started(source))?;
        Ok((Child { handle }, writer))
    }

    /// Replaces this process by the command, keeping its pid. Comes back only when that failed.
    #[must_use]
    pub fn exec(&self) -> CommandError {
        self.becomes(|command| command.exec())
    }

    /// [`Command::exec`], which hands over `lock` on standard input ([`Lock::inherited`]): nobody can take it meanwhile.
    #[must_use]
    pub fn exec_with(&self, lock: &Lock) -> CommandError {
        match lock.handle() {
            Ok(lock) => self.becomes(|command| command.stdin(lock).exec()),
            Err(source) => self.not_started(source),
        }
    }

    fn becomes(&self, exec: impl FnOnce(&mut std::process::Command) -> io::Error) -> CommandError {
        // The C library would give a program that this machine can't start to /bin/sh.
        if let Some(machine) = self.foreign() {
            let program = self.program.to_string_lossy().into_owned();
            return CommandError::Foreign { program, machine: Some(machine) };
        }
        match fault::pass(Kind::Exec) {
            Ok(()) => self.not_started(exec(&mut self.successor())),
            Err(source) => self.not_started(source),
        }
    }

    fn successor(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.args);
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Runs it in this process's group: what it starts shares the terminal, and a timeout ends only itself.
    fn run_in_this_group(&self) -> Result<Output, CommandError> {
        let start = |source| self.not_started(source);
        let (handle, streams) = self.captured(|expression| expression).map_err(start)?;
        if self.ended(&handle).map_err(start)? == End::Itself {
            return streams.output(&handle, u64::MAX).map_err(start);
        }
        drop(handle.kill());
        Err(self.timed_out())
    }

    /// Runs it in a process group of its own, which ends as a whole: at the timeout, or as `ending` says. What it writes is
    /// kept, however much it is.
    pub(super) fn run_under(&self, ending: &Ending, loss: Loss) -> Result<Output, CommandError> {
        self.run_group(ending, loss, u64::MAX, |handle, _| self.ended(handle))
    }

    /// [`Command::run_under`], and ends it, too, when it writes more than [`MOST_SAID`]: this process's memory is not its.
    fn run_bounded(&self, ending: &Ending, loss: Loss) -> Result<Output, CommandError> {
        self.run_group(ending, loss, MOST_SAID, |handle, streams| {
            self.ended_watched(handle, |_| streams.are_within(MOST_SAID))
        })
    }

    /// [`Command::run_under`], and hands over each line that it writes. It may write without end, and only the end is kept.
    fn run_heard(&self, ending: &Ending, loss: Loss, hear: &mut dyn FnMut(&str)) -> Result<Output, CommandError> {
        self.run_group(ending, loss, MOST_SAID, |handle, streams| {
            let (mut stdout, mut stderr) = (Ear::default(), Ear::default());
            self.ended_watched(handle, |ended| {
                stdout.listen(&streams.stdout, ended, hear)?;
                stderr.listen(&streams.stderr, ended, hear)?;
                Ok(true)
            })
        })
    }

    fn run_group(
        &self,
        ending: &Ending,
        loss: Loss,
        kept: u64,
        wait: impl FnOnce(&duct::Handle, &Streams) -> io::Result<End>,
    ) -> Result<Output, CommandError> {
        let start = |source| self.not_started(source);
        ending.start(loss);
        let (handle, streams) = self.captured(|expression| expression.before_spawn(own_group)).map_err(start)?;
        let group = group_of(&handle).ok_or_else(|| start(io::ErrorKind::NotFound.into()))?;
        ending.started(group, loss);
        let ended = wait(&handle, &streams);
        if !matches!(ended, Ok(End::Itself | End::TooMuch { was_killed: false })) {
            end_group(group, &handle);
        }
        ending.ended(group, loss);
        match ended.map_err(start)? {
            End::Itself => streams.output(&handle, kept).map_err(start),
            End::OutOfTime => Err(self.timed_out()),
            End::TooMuch { was_killed } => Err(CommandError::TooMuch { line: self.name(), most: kept, was_killed }),
        }
    }

    /// Starts it with its output going into files, not pipes: a daemon that it leaves behind keeps its streams open,
    /// and a pipe would then never come to its end.
    fn captured(&self, how: fn(duct::Expression) -> duct::Expression) -> io::Result<(duct::Handle, Streams)> {
        fault::pass(Kind::Spawn)?;
        let streams = Streams::up_to(self.largest)?;
        let expression = how(self.expression()?);
        let expression = expression.stdout_file(streams.stdout.try_clone()?).stderr_file(streams.stderr.try_clone()?);
        let handle = expression.start()?;
        fault::pass(Kind::Spawned)?;
        Ok((handle, streams))
    }

    /// When its time is over. One without a bound that a clock knows has no end.
    fn end(&self) -> Option<Instant> {
        self.timeout.and_then(|timeout| Instant::now().checked_add(timeout))
    }

    fn ended(&self, handle: &duct::Handle) -> io::Result<End> {
        let ended = match self.end() {
            Some(end) => handle.wait_deadline(end).map(|ended| ended.is_some()),
            None => handle.wait().map(|_| true),
        };
        fault::pass(Kind::Ended)?;
        Ok(if ended? { End::Itself } else { End::OutOfTime })
    }

    /// Waits, and looks meanwhile, and at the end, at what it wrote: whether that is still well.
    fn ended_watched(&self, handle: &duct::Handle, mut look: impl FnMut(bool) -> io::Result<bool>) -> io::Result<End> {
        let end = self.end();
        loop {
            let left = end.map_or(BREATH, |end| end.saturating_duration_since(Instant::now()).min(BREATH));
            let ended = handle.wait_timeout(left)?.is_some();
            let is_well = look(ended)?;
            if ended || left.is_zero() || !is_well {
                fault::pass(Kind::Ended)?;
                return Ok(match (is_well, ended) {
                    (true, true) => End::Itself,
                    (true, false) => End::OutOfTime,
                    (false, _) => End::TooMuch { was_killed: !ended },
                });
            }
        }
    }

    fn timed_out(&self) -> CommandError {
        CommandError::TimedOut { line: self.name(), timeout: self.timeout.unwrap_or_default() }
    }

    fn expression(&self) -> io::Result<duct::Expression> {
        let expression = self.called_by_its_path();
        let expression = match self.stdin.is_empty() {
            true => expression.stdin_null(),
            // No pipe here either: who never reads it would hold up who writes.
            false => expression.stdin_file(holding(&self.stdin)?),
        };
        Ok(self.prepared(&expression))
    }

    /// The program where it lies. It is told the name by which it was called.
    fn called_by_its_path(&self) -> duct::Expression {
        let Some(file) = self.file() else { return duct::cmd(&self.program, &self.args) };
        let name = self.program.clone();
        duct::cmd(file, &self.args).before_spawn(move |command| {
            command.arg0(&name);
            Ok(())
        })
    }

    /// Where it lies, if it is called by its name.
    fn file(&self) -> Option<PathBuf> {
        lookup::program(&self.program, &self.path()?)
    }

    /// The `PATH` that the program gets.
    fn path(&self) -> Option<OsString> {
        match self.env.get(OsStr::new("PATH")) {
            Some(path) => path.clone(),
            None if self.only_env => None,
            None => std::env::var_os("PATH"),
        }
    }

    fn prepared(&self, expression: &duct::Expression) -> duct::Expression {
        let mut expression = expression.unchecked();
        if let Some(dir) = &self.dir {
            expression = expression.dir(dir);
        }
        if self.only_env {
            return expression.full_env(self.env.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))));
        }
        for (name, value) in &self.env {
            expression = match value {
                Some(value) => expression.env(name, value),
                None => expression.env_remove(name),
            };
        }
        expression
    }

    fn not_started(&self, source: io::Error) -> CommandError {
        if source.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) {
            return CommandError::Foreign {
                program: self.program.to_string_lossy().into_owned(),
                machine: self.foreign(),
            };
        }
        // The system says the same of a program and of a directory that is not there.
        let no_directory = self.dir.as_ref().filter(|dir| !dir.is_dir());
        match (source.kind(), no_directory) {
            (io::ErrorKind::NotFound | io::ErrorKind::NotADirectory, Some(dir)) => {
                CommandError::NoDirectory { line: self.name(), dir: dir.as_path().into(), source }
            }
            (io::ErrorKind::NotFound, None) => {
                CommandError::NotFound { program: self.program.to_string_lossy().into_owned(), source }
            }
            _ => CommandError::Start { line: self.name(), source },
        }
    }
}

impl Command {
    fn loss(&self) -> Loss {
        if self.expendable { Loss::Nothing } else { Loss::Work }
    }

    /// What the program is compiled for, where it is a file that says so, and that is not this machine.
    fn foreign(&self) -> Option<String> {
        let mut header = [0; 20];
        let file = self.file().unwrap_or_else(|| PathBuf::from(&self.program));
        File::open(file).and_then(|mut file| file.read_exact(&mut header)).ok()?;
        machine::foreign(&header, std::env::consts::ARCH)
    }
}

/// A command that runs beside this process.
#[derive(Debug)]
pub struct Child {
    handle: duct::Handle,
}

impl Child {
    /// The process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.handle.pids().first().copied()
    }

    /// Whether it has ended.
    #[must_use]
    pub fn ended(&self) -> bool {
        !matches!(self.handle.try_wait(), Ok(None))
    }

    /// Kills it and waits for its end. A process that has ended is no error.
    pub fn kill(&self) {
        drop(self.handle.kill());
        drop(self.handle.wait());
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// The exit code; 128 plus the number for a signal.
    pub code: i32,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    fn of(ended: &std::process::Output) -> Self {
        Self {
            code: ended.status.code().unwrap_or_else(|| 128 + ended.status.signal().unwrap_or(0)),
            stdout: ended.stdout.clone(),
            stderr: ended.stderr.clone(),
        }
    }

    /// Standard output as text, without line breaks at its end.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end_matches('\n').to_owned()
    }

    /// Standard error as text, without line breaks at its end.
    #[must_use]
    pub fn error_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim_end_matches('\n').to_owned()
    }

    /// Itself, when the exit code is 0.
    ///
    /// # Errors
    /// When it is not: the message names the command and the end of what it said.
    pub fn success(self, command: &Command) -> Result<Self, CommandError> {
        self.expected(command, &[0])
    }

    /// Itself, when the exit code is one of `codes`.
    ///
    /// # Errors
    /// When it is not, as [`Output::success`].
    pub fn expected(self, command: &Command, codes: &[i32]) -> Result<Self, CommandError> {
        if codes.contains(&self.code) {
            return Ok(self);
        }
        let said = if self.stderr.is_empty() { &self.stdout } else { &self.stderr };
        Err(CommandError::Failed { line: command.name(), code: self.code, said: tail(said) })
    }
}

/// Why a command gave no result.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No such program.
    #[error("the program `{program}` is not installed")]
    NotFound {
        /// What was looked for.
        program: String,
        /// The system's error.
        source: io::Error,
    },
    /// There is no directory where it is to run.
    #[error("`{line}` is to run in {}, and there is no such directory", dir.display())]
    NoDirectory {
        /// The command line.
        line: String,
        /// The directory.
        dir: Box<Path>,
        /// The system's error.
        source: io::Error,
    },
    /// It is no program for this machine.
    #[error("`{program}` can't be started: {}", foreign(machine.as_deref()))]
    Foreign {
        /// Its file.
        program: String,
        /// What it is compiled for, where it says so.
        machine: Option<String>,
    },
    /// It did not start.
    #[error("`{line}` could not be started")]
    Start {
        /// The command line.
        line: String,
        /// The system's error.
        source: io::Error,
    },
    /// It ended with another exit code than 0.
    #[error("`{line}` ended with exit code {code}{}{said}", if said.is_empty() { "" } else { ": " })]
    Failed {
        /// The command line.
        line: String,
        /// The exit code; 128 plus the number for a signal.
        code: i32,
        /// The end of what it wrote.
        said: String,
    },
    /// It ran for too long, and was killed.
    #[error("`{line}` did not end within {} s and was killed", timeout.as_secs())]
    TimedOut {
        /// The command line.
        line: String,
        /// How long it had.
        timeout: Duration,
    },
    /// It wrote more than is kept of what commands write.
    #[error(
        "`{line}` wrote more than {} MiB{}\nhint: let it write less, or into a file",
        most >> 20, if *was_killed { ", and was killed" } else { "" }
    )]
    TooMuch {
        /// The command line.
        line: String,
        /// How much it may write to one of its output streams, in bytes.
        most: u64,
        /// Whether it had not ended by then.
        was_killed: bool,
    },
    /// The time of the work that it belongs to is over: it was killed, or not started at all.
    #[error("`{line}` was cut short")]
    OutOfTime {
        /// The command line.
        line: String,
        /// How long the work may take.
        source: OutOfTime,
    },
}

impl CommandError {
    /// Whether the machine had no room for one more program at that moment, which is no fault of the program.
    #[must_use]
    pub fn is_for_want_of_room(&self) -> bool {
        use rustix::io::Errno;
        let passing = [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE, Errno::TXTBSY];
        let number = |source: &io::Error| source.raw_os_error();
        matches!(self, Self::Start { source, .. } if passing.iter().any(|e| Some(e.raw_os_error()) == number(source)))
    }
}

fn foreign(machine: Option<&str>) -> String {
    let here = std::env::consts::ARCH;
    match machine {
        Some(machine) => format!("it is compiled for {machine}, and this machine is {here}"),
        None => format!("it is neither a program for {here} nor a script with a first line of `#!`"),
    }
}

/// A way to run commands.
pub trait Processes: Send + Sync {
    /// See [`super::System::run`].
    ///
    /// # Errors
    /// When it can't be started, or does not end within its timeout.
    fn run(&self, command: &Command) -> Result<Output, CommandError>;

    /// See [`super::System::run_heard`].
    ///
    /// # Errors
    /// When it can't be started, or does not end within its timeout.
    fn run_heard(&self, command: &Command, hear: &mut dyn FnMut(&str)) -> Result<Output, CommandError> {
        let output = self.run(command)?;
        [&output.stdout, &output.stderr]
            .iter()
            .for_each(|said| String::from_utf8_lossy(said).lines().for_each(&mut *hear));
        Ok(output)
    }
}

/// Real processes of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Real;

impl Processes for Real {
    fn run(&self, command: &Command) -> Result<Output, CommandError> {
        command.run_bounded(ending(), command.loss())
    }

    fn run_heard(&self, command: &Command, hear: &mut dyn FnMut(&str)) -> Result<Output, CommandError> {
        command.run_heard(ending(), command.loss(), hear)
    }
}

/// How a command came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Itself,
    /// It runs for too long.
    OutOfTime,
    /// It wrote too much.
    TooMuch {
        was_killed: bool,
    },
}

/// How often a command that runs is listened to.
const BREATH: Duration = Duration::from_millis(100);
/// How much a command may write to one of its output streams, in bytes, and how much is kept of one that may write more.
const MOST_SAID: u64 = 16 << 20;
/// The longest line that is handed over whole, in bytes.
const LONGEST_LINE: usize = 4096;

/// What was heard of a stream so far.
#[derive(Debug, Default)]
struct Ear {
    at: u64,
    /// Up to where it was given back to the system.
    freed: u64,
    line: Vec<u8>,
}

impl Ear {
    /// Hands over the lines that came since, and, at the end, what is left. The file stands where the command writes, and is
    /// left there.
    fn listen(&mut self, stream: &File, is_last: bool, hear: &mut dyn FnMut(&str)) -> io::Result<()> {
        let mut piece = [0; 8192];
        loop {
            let length = stream.read_at(&mut piece, self.at)?;
            self.at += length as u64;
            self.free(stream)?;
            for byte in &piece[..length] {
                match byte {
                    b'\n' => self.say(hear),
                    _ if self.line.len() >= LONGEST_LINE => {
                        self.say(hear);
                        self.line.push(*byte);
                    }
                    _ => self.line.push(*byte),
                }
            }
            if length == 0 {
                break;
            }
        }
        if is_last && !self.line.is_empty() {
            self.say(hear);
        }
        Ok(())
    }

    /// Gives back what was heard but for the end of it, now and then.
    fn free(&mut self, stream: &File) -> io::Result<()> {
        if self.at < self.freed + 2 * MOST_SAID {
            return Ok(());
        }
        self.freed = self.at - MOST_SAID;
        free(stream, self.freed)
    }

    fn say(&mut self, hear: &mut dyn FnMut(&str)) {
        hear(&String::from_utf8_lossy(&self.line));
        self.line.clear();
    }
}

/// What a command writes.
struct Streams {
    stdout: File,
    stderr: File,
    are_bounded: bool,
}

impl Streams {
    fn up_to(largest: Option<u64>) -> io::Result<Self> {
        let stream = || largest.map_or_else(in_memory, in_memory_up_to);
        Ok(Self { stdout: stream()?, stderr: stream()?, are_bounded: largest.is_some() })
    }

    /// Whether neither is longer than so many bytes. Those that never get larger are as long as they may be.
    fn are_within(&self, most: u64) -> io::Result<bool> {
        let is_within = |stream: &File| stream.metadata().map(|stream| stream.len() <= most);
        Ok(self.are_bounded || (is_within(&self.stdout)? && is_within(&self.stderr)?))
    }

    /// The last so many bytes of each, after the end of the command.
    fn output(mut self, handle: &duct::Handle, kept: u64) -> io::Result<Output> {
        let said = |stream: &mut File| match self.are_bounded {
            true => written_to_bounded(stream),
            false => written(stream, kept),
        };
        let (stdout, stderr) = (said(&mut self.stdout)?, said(&mut self.stderr)?);
        let ended = handle.try_wait()?.map(Output::of).unwrap_or_default();
        Ok(Output { stdout, stderr, ..ended })
    }
}

/// A daemon that was left behind has its streams for as long as it lives, and nobody reads them. A pipe would end it, by
/// SIGPIPE; these go on as files that never get larger, so that what it writes beyond that fails, and takes no memory.
impl Drop for Streams {
    fn drop(&mut self) {
        if !self.are_bounded {
            // Where the system can't do this, the command has ended all the same.
            drop(left_behind(&self.stdout).and_then(|()| left_behind(&self.stderr)));
        }
    }
}

/// Gives back what stands in a file, and lets it get larger by [`MOST_SAID`] at most.
fn left_behind(stream: &File) -> io::Result<()> {
    use rustix::fs::{SealFlags, fcntl_add_seals, ftruncate};
    let length = stream.metadata()?.len();
    free(stream, length)?;
    ftruncate(stream, length.saturating_add(MOST_SAID))?;
    Ok(fcntl_add_seals(stream, SealFlags::GROW)?)
}

/// Gives the memory of a file back to the system, up to there. Zeros stand there then.
fn free(stream: &File, end: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    if end == 0 {
        return Ok(());
    }
    Ok(fallocate(stream, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 0, end)?)
}

fn in_memory() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    Ok(memfd_create("output", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?.into())
}

/// A file that never gets larger than it is.
fn in_memory_up_to(bytes: u64) -> io::Result<File> {
    use rustix::fs::{SealFlags, fcntl_add_seals, ftruncate};
    let file = in_memory()?;
    ftruncate(&file, bytes)?;
    fcntl_add_seals(&file, SealFlags::GROW)?;
    Ok(file)
}

fn holding(bytes: &[u8]) -> io::Result<File> {
    let mut file = in_memory()?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

/// The last so many bytes of a file, which stands where somebody may write still, and is left there.
fn written(stream: &File, kept: u64) -> io::Result<Vec<u8>> {
    let length = stream.metadata()?.len();
    let start = length.saturating_sub(kept);
    let mut bytes = vec![0; usize::try_from(length - start).unwrap_or(usize::MAX)];
    let mut filled = 0;
    while filled < bytes.len() {
        match stream.read_at(&mut bytes[filled..], start + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// A file that never gets larger has zeros where nothing was written, and no pages beyond what was: these are not read, since
/// there may be many megabytes of them.
fn written_to_bounded(stream: &mut File) -> io::Result<Vec<u8>> {
    let end = rustix::fs::seek(&*stream, rustix::fs::SeekFrom::Hole(0))?;
    let mut bytes = Vec::new();
    stream.rewind()?;
    stream.take(end).read_to_end(&mut bytes)?;
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(end);
    Ok(bytes)
}

fn own_group(command: &mut std::process::Command) -> io::Result<()> {
    command.process_group(0);
    Ok(())
}

fn group_of(handle: &duct::Handle) -> Option<Pid> {
    handle.pids().first().and_then(|pid| Pid::from_raw(i32::try_from(*pid).ok()?))
}

/// How long a command that is told to end may take for it.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Tells a group to end, and kills what is left of it.
fn end_group(group: Pid, leader: &duct::Handle) {
    kill_process_group(group, Signal::TERM).ok();
    drop(leader.wait_timeout(LAST_WORDS));
    kill_process_group(group, Signal::KILL).ok();
    // One that hangs in the kernel ends when that lets go.
    drop(leader.wait_timeout(Duration::from_secs(1)));
}

const TAIL: usize = 1024;

fn tail(bytes: &[u8]) -> String {
    let start = bytes.len().saturating_sub(TAIL);
    String::from_utf8_lossy(&bytes[start..]).trim().to_owned()
}

/// A word as a shell takes it for one.
///
/// ```
/// use wb_core::system::quoted;
/// assert_eq!([quoted("a.rs"), quoted("my fleet")], ["a.rs", "'my fleet'"]);
/// ```
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::super::System;
    use super::*;

    #[test]
    fn a_line_quotes_what_a_shell_would_split() {
        let command = Command::new("echo").args(["plain", "two words", "it's"]);
        assert_eq!(command.line(), r"echo plain 'two words' 'it'\''s'");
    }

    #[test]
    fn output_and_exit_code_come_back() {
        let output = Command::shell("echo out; echo err >&2; exit 3").run().unwrap();
        assert_eq!((output.code, output.text(), output.error_text()), (3, "out".into(), "err".into()));
    }

    #[test]
    fn what_says_too_much_meets_an_error() {
        let all = Command::shell("echo out; head -c 3000 /dev/zero | tr '\\0' x; echo err >&2");
        let run = |command: &Command| {
            let output = command.run().unwrap();
            (output.stdout.len(), output.error_text().lines().last().unwrap_or_default().to_owned())
        };
        assert_eq!(run(&all), (3_004, "err".to_owned()));
        let (said, error) = run(&all.clone().says_at_most(1_000));
        assert!((4..=1_000).contains(&said), "{said}");
        assert_eq!(error, "err");
        assert_eq!(run(&Command::shell("echo out").says_at_most(1_000)), (4, String::new()));
    }

    #[test]
    fn what_writes_without_end_is_killed() {
        let run = |line: &str| System::real().run(&Command::shell(line).timeout(Duration::from_secs(60)));
        let endless = run("while :; do head -c 1000000 /dev/zero; done").unwrap_err();
        assert!(matches!(endless, CommandError::TooMuch { was_killed: true, .. }), "{endless}");
        let said = endless.to_string();
        assert!(
            said.ends_with("` wrote more than 16 MiB, and was killed\nhint: let it write less, or into a file"),
            "{said}"
        );
        let one_more = run(&format!("head -c {} /dev/zero >&2", MOST_SAID + 1)).unwrap_err();
        assert!(matches!(one_more, CommandError::TooMuch { .. }), "{one_more}");
        let most = run(&format!("head -c {MOST_SAID} /dev/zero")).unwrap();
        assert_eq!(most.stdout.len() as u64, MOST_SAID);
        let of_this_machine = Command::shell(format!("head -c {} /dev/zero", MOST_SAID + 1)).run().unwrap();
        assert_eq!(of_this_machine.stdout.len() as u64, MOST_SAID + 1);
    }

    #[test]
    fn what_is_heard_may_write_without_end_and_the_end_is_kept() {
        let (mut heard, all) = (0, 3 * MOST_SAID);
        let line = Command::shell(format!("head -c {all} /dev/zero | tr '\\0' x; echo; printf end"));
        let output = System::real().run_heard(&line, &mut |line| heard += line.len() as u64).unwrap();
        assert_eq!((heard, output.stdout.len() as u64), (all + 3, MOST_SAID));
        assert!(output.stdout.ends_with(b"xxx\nend") && output.stdout.iter().all(|byte| *byte != 0));
    }

    #[test]
    fn a_daemon_left_behind_takes_no_memory_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let daemon =
            format!("read word <go; printf a; echo $? >few; head -c {} /dev/zero; echo $? >many", 2 * MOST_SAID);
        let line = format!("mkfifo go; ({daemon}) & echo started");
        assert_eq!(System::real().read_command(&Command::shell(line).dir(dir.path())).unwrap(), "started");
        std::fs::write(dir.path().join("go"), "go\n").unwrap();
        let status = |name: &str| {
            let written = || std::fs::read_to_string(dir.path().join(name)).ok().filter(|text| text.ends_with('\n'));
            let clock = super::super::clock::Real;
            super::super::clock::wait_until(&clock, Duration::from_secs(9), Duration::from_millis(5), written)
        };
        assert_eq!((status("few").as_deref(), status("many").as_deref()), (Some("0\n"), Some("1\n")));
    }

    #[test]
    fn lines_are_handed_over_as_they_come() {
        let mut lines = Vec::new();
        let output = Command::shell("echo a; echo; echo err >&2; printf b; exit 3");
        let output = output.run_lines(|line| lines.push(line.to_owned())).unwrap();
        assert_eq!(
            (lines, output.code, output.error_text()),
            (vec!["a".into(), String::new(), "b".into()], 3, "err".into())
        );
    }

    #[test]
    fn a_command_is_heard_while_it_runs() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("go");
        let line = "mkfifo go; echo one; echo two >&2; read word <go; echo $word; printf end";
        let mut heard = Vec::new();
        let output = System::real().run_heard(&Command::shell(line).dir(dir.path()), &mut |line| {
            if line == "one" {
                std::fs::write(&fifo, "three\n").unwrap();
            }
            heard.push(line.to_owned());
        });
        let output = output.unwrap();
        heard.sort();
        assert_eq!(heard, ["end", "one", "three", "two"]);
        assert_eq!((output.text(), output.error_text()), ("one\nthree\nend".into(), "two".into()));
    }

    #[test]
    fn a_long_line_is_heard_in_parts() {
        let mut heard = Vec::new();
        let line = format!("head -c {} /dev/zero | tr '\\0' x", LONGEST_LINE + 1);
        System::real().run_heard(&Command::shell(line), &mut |line| heard.push(line.len())).unwrap();
        assert_eq!(heard, [LONGEST_LINE, 1]);
    }

    #[test]
    fn what_is_heard_is_killed_too_when_it_runs_too_long() {
        let command = Command::shell("echo one; exec sleep 60").timeout(Duration::from_millis(150));
        let mut heard = Vec::new();
        let error = System::real().run_heard(&command, &mut |line| heard.push(line.to_owned())).unwrap_err();
        assert!(matches!(error, CommandError::TimedOut { .. }), "{error}");
        assert_eq!(heard, ["one"]);
    }

    #[test]
    fn other_codes_may_be_expected() {
        let command = Command::shell("exit 2");
        assert_eq!(command.run().unwrap().expected(&command, &[0, 2]).unwrap().code, 2);
        assert!(command.run().unwrap().expected(&command, &[0, 3]).is_err());
    }

    #[test]
    fn a_failure_names_the_command_and_what_it_said() {
        let error = Command::shell("echo no >&2; exit 2").read().unwrap_err();
        assert_eq!(error.to_string(), "`/bin/sh -c 'echo no >&2; exit 2'` ended with exit code 2: no");
    }

    #[test]
    fn what_somebody_wrote_stands_in_the_errors_of_what_is_run_for_it() {
        let called = |line: &str| Command::shell(line).called("make` as `shop");
        let error = called("echo no >&2; exit 2").read().unwrap_err();
        assert_eq!(error.to_string(), "`make` as `shop` ended with exit code 2: no");
        let error = called("exec sleep 60").timeout(Duration::from_millis(50)).run().unwrap_err();
        assert!(error.to_string().starts_with("`make` as `shop` did not end within "), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = Command::new("no-such-program").run().unwrap_err();
        assert_eq!(error.to_string(), "the program `no-such-program` is not installed");
    }

    #[test]
    fn a_missing_directory_is_named_and_not_the_program() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        for name in ["none", "file"] {
            let place = dir.path().join(name);
            let expect = format!("`true` is to run in {}, and there is no such directory", place.display());
            let command = Command::new("true").dir(&place);
            assert_eq!(command.run().unwrap_err().to_string(), expect);
            assert_eq!(System::real().run(&command).unwrap_err().to_string(), expect);
        }
        let error = Command::new("no-such-program").dir(dir.path()).run().unwrap_err();
        assert_eq!(error.to_string(), "the program `no-such-program` is not installed");
    }

    /// The start of a program for another kind of machine, whatever this one is.
    fn foreign_program(dir: &Path) -> (PathBuf, &'static str) {
        let (number, name) = if cfg!(target_arch = "aarch64") { (62, "x86_64") } else { (183, "aarch64") };
        let mut elf = vec![0; 64];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        elf[18] = number;
        let path = dir.join("program");
        crate::system::files::write(&path, elf, 0o755).unwrap();
        (path, name)
    }

    #[test]
    fn a_program_for_another_machine_is_named_as_one() {
        let dir = tempfile::tempdir().unwrap();
        let (path, name) = foreign_program(dir.path());
        let here = std::env::consts::ARCH;
        let expect =
            format!("`{}` can't be started: it is compiled for {name}, and this machine is {here}", path.display());
        let command = Command::new(&path).arg("self-check");
        assert_eq!(command.read().unwrap_err().to_string(), expect);
        assert_eq!(System::real().run(&command).unwrap_err().to_string(), expect);
        assert_eq!(command.exec().to_string(), expect);
    }

    #[test]
    fn what_is_no_program_at_all_is_named_as_such() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        crate::system::files::write(&path, "echo hello", 0o755).unwrap();
        for command in [Command::new(&path), Command::new("program").env("PATH", dir.path())] {
            let error = command.read().unwrap_err().to_string();
            assert!(error.ends_with("nor a script with a first line of `#!`"), "{error}");
        }
    }

    #[test]
    fn a_program_for_another_machine_is_named_as_one_also_where_it_is_called_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let (_, name) = foreign_program(dir.path());
        let error = Command::new("program").env("PATH", dir.path()).read().unwrap_err().to_string();
        assert!(
            error.starts_with("`program` can't be started: it is compiled for ") && error.contains(name),
            "{error}"
        );
    }

    #[test]
    fn a_program_is_looked_for_where_it_is_told_to_look_and_told_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        for place in ["one", "other"] {
            crate::system::files::create_dir(dir.join(place)).unwrap();
            std::os::unix::fs::symlink("/bin/sh", dir.join(place).join("wb-sh")).unwrap();
        }
        let of = |place: &str| format!("{}:/usr/bin:/bin", dir.join(place).display());
        // Of a shell, `$0` is what it was called by.
        let asks = Command::new("wb-sh").args(["-c", "echo $0; echo ${PATH%%:*}"]);
        let check = |command: Command, place: &str| {
            let said = command.read().unwrap();
            assert_eq!(said, format!("wb-sh\n{}", dir.join(place).display()));
        };
        check(asks.clone().env("PATH", of("one")), "one");
        check(asks.clone().env_clear().env("PATH", of("other")), "other");
        check(asks.clone().env("PATH", of("other")).dir(dir), "other");
        for nowhere in [asks.clone(), asks.clone().env_clear(), asks.env_remove("PATH")] {
            assert!(matches!(nowhere.read(), Err(CommandError::NotFound { .. })));
        }
    }

    #[test]
    fn a_command_that_runs_too_long_is_killed() {
        let error = Command::new("sleep").arg("60").timeout(Duration::from_millis(50)).run().unwrap_err();
        assert!(matches!(error, CommandError::TimedOut { .. }), "{error}");
    }

    #[test]
    fn a_timeout_may_be_without_end() {
        let command = Command::new("true").timeout(Duration::MAX);
        let system = System::real().within(Some(Duration::MAX));
        assert_eq!(command.run().unwrap().code, 0);
        assert_eq!(system.run(&command).unwrap().code, 0);
        assert_eq!(system.run_heard(&command, &mut |_| ()).unwrap().code, 0);
    }

    #[test]
    fn a_timeout_ends_all_that_the_command_started() {
        let dir = tempfile::tempdir().unwrap();
        let line = format!("sh -c 'echo $$ >{0}/pid; sleep 60; true' & wait", dir.path().display());
        let command = Command::shell(line).timeout(Duration::from_millis(300));
        let error = System::real().run(&command).unwrap_err();
        assert!(matches!(error, CommandError::TimedOut { .. }), "{error}");
        assert!(comes_to_its_end(dir.path()));
    }

    /// Whether the process that has written its number into the file `pid` does.
    fn comes_to_its_end(dir: &Path) -> bool {
        let pid = std::fs::read_to_string(dir.join("pid")).unwrap();
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            (stat.is_empty() || stat.contains(") Z ")).then_some(())
        };
        let clock = super::super::clock::Real;
        super::super::clock::wait_until(&clock, Duration::from_secs(9), Duration::from_millis(5), gone).is_some()
    }

    #[test]
    fn a_timeout_kills_what_a_command_started_and_what_is_deaf() {
        let dir = tempfile::tempdir().unwrap();
        let deaf = "trap '' TERM; echo $$ >pid; while :; do sleep 0.02; done";
        let command = Command::shell(format!("sh -c \"{}\" & wait", deaf.replace('$', "\\$"))).dir(dir.path());
        let error = System::real().run(&command.timeout(Duration::from_millis(300))).unwrap_err();
        assert!(matches!(error, CommandError::TimedOut { .. }), "{error}");
        assert!(comes_to_its_end(dir.path()));
    }

    #[test]
    fn what_ignores_the_request_to_end_is_killed() {
        let command = Command::shell("trap '' TERM; sleep 60 & exec sleep 0.2").timeout(Duration::from_millis(10));
        let error = System::real().run(&command).unwrap_err();
        assert!(matches!(error, CommandError::TimedOut { .. }), "{error}");
    }

    #[test]
    fn a_daemon_that_never_reads_its_input_holds_nothing_up() {
        let command = Command::shell("exec 3<&0; sleep 60 3<&3 & echo $!").stdin(vec![b'a'; 1 << 20]);
        let pid = command.timeout(Duration::from_secs(30)).read().unwrap();
        Command::new("kill").arg(pid).read().unwrap();
    }

    #[test]
    fn a_daemon_left_behind_holds_nothing_up() {
        let command = Command::shell("echo started; sleep 60 & echo $!").timeout(Duration::from_secs(30));
        let output = command.read().unwrap();
        let pid = output.lines().last().unwrap();
        Command::new("kill").arg(pid).read().unwrap();
        assert!(output.starts_with("started"), "{output}");
    }

    #[test]
    fn a_cleared_environment_holds_only_what_was_set() {
        let output = Command::new("/usr/bin/env").env_clear().env("A", "1").read().unwrap();
        assert_eq!(output, "A=1");
    }

    #[test]
    fn a_held_command_reads_until_the_pipe_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let (child, mut pipe) = Command::new("cat").start_held(&log).unwrap();
        pipe.write_all(b"line\n").unwrap();
        assert!(!child.ended());
        drop(pipe);
        let ended = super::super::clock::wait_until(
            &super::super::clock::Real,
            Duration::from_secs(9),
            Duration::from_millis(5),
            || child.ended().then_some(()),
        );
        assert!(ended.is_some());
        assert_eq!(std::fs::read_to_string(log).unwrap(), "line\n");
    }

    #[test]
    fn want_of_room_is_no_fault_of_the_program() {
        let check = |errno: rustix::io::Errno, expect| {
            let error = CommandError::Start { line: "new once".into(), source: errno.into() };
            assert_eq!(error.is_for_want_of_room(), expect, "{errno}");
        };
        check(rustix::io::Errno::AGAIN, true);
        check(rustix::io::Errno::NOMEM, true);
        check(rustix::io::Errno::ACCESS, false);
        check(rustix::io::Errno::IO, false);
    }
}
