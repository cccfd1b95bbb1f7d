//! The stage of a round: a remote, a host in service, and an operator, all real and in one directory. It is made once,
//! and copied for each round.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::agent::identity::longest_grace;
use wb_core::agent::{Record, Store};
use wb_core::chain::{Digest, Sha1};
use wb_core::change::Identity;
use wb_core::pool::Pool;
use wb_core::registry::{Access, AllowedSigners, Git, Objects, RefName, SigningKey, generate, public_key};
use wb_core::report::Report;
use wb_core::runner::{Enrollment, Home, enroll};
use wb_core::system::{Command, Output, System, clock, command, environment, files};

use super::TortureError;
use super::journal;
use super::links::{Generation, ROLE};
use super::operator::{Operator, Runners};

/// What people call the tortured host.
pub const HOST: &str = "web1";

/// The variable that names the program which the scripts of runners start.
pub const EXE: &str = "WILDEBEEST_TORTURE_EXE";

/// How far the polls of the host are apart.
const POLL: Duration = Duration::from_secs(30);

/// For how many seconds another machine may object to a takeover at most.
#[must_use]
pub fn time_to_object() -> u64 {
    longest_grace(POLL.as_secs())
}

/// The file of a runner: it tells of itself, and goes on as the program that tortures.
#[must_use]
pub fn script(generation: &str) -> String {
    format!(
        "#!/bin/sh\necho 'runner {generation}' >> \"${dir}/journal\"\nexec \"${EXE}\" torture runner {generation} \"$@\"\n",
        dir = journal::DIR
    )
}

/// A service that tells what it is told.
const SERVICE: &str = "#!/bin/sh\n[ \"$1\" = status ] || echo \"service app $1\" >> \"$WILDEBEEST_TORTURE/journal\"\n";

/// A machine that tells that it is to boot again.
const SHUTDOWN: &str = "#!/bin/sh\necho reboot >> \"$WILDEBEEST_TORTURE/journal\"\n";

/// The stage as it is before a round.
#[derive(Debug)]
pub struct Stage {
    dir: PathBuf,
    exe: PathBuf,
    operator: Operator,
    forger: SigningKey,
    runners: Runners,
}

impl Stage {
    /// Sets it up in an empty directory: a host enrolled, admitted, and in service with the first generation. `options`
    /// are those of the operator's line in `allowed_signers`.
    ///
    /// # Errors
    /// When git, ssh-keygen or the host itself fail without any fault.
    pub fn set(dir: &Path, exe: &Path, options: &str) -> Result<Self, TortureError> {
        let place = Place::at(&dir.join("template"), exe);
        let remote = place.remote();
        files::create_dir(place.root().join("srv"))?;
        files::create_dir(&remote)?;
        files::create_dir(place.dir.join("tmp"))?;
        let init = Git::new(Access::Operator { ssh_command: None }).local(&remote);
        init.args(["init", "--quiet", "--bare", "--template=", "."]).read().map_err(TortureError::Command)?;
        files::create_dir(remote.join("hooks"))?;
        let key = generate(&dir.join("operator"), "ada@example.org")?;
        let forger = generate(&dir.join("forger"), "ada@example.org")?;
        let allowed = format!("ada@example.org {options}{}\n", public_key(key.path())?);
        let operator = Operator::new(&remote, key, AllowedSigners::new(allowed));
        let runners = operator.upload()?;
        place.furnish()?;
        place.enroll(&operator, runners)?;
        let stage = Self { dir: dir.to_owned(), exe: exe.to_owned(), operator, forger, runners };
        place.settle()?;
        place.pack()?;
        Ok(stage)
    }

    /// The stage that another process has set up in this directory.
    ///
    /// # Errors
    /// When there is none.
    pub fn found(dir: &Path, exe: &Path) -> Result<Self, TortureError> {
        let template = Place::at(&dir.join("template"), exe);
        let key = |name: &str| SigningKey::new(dir.join(name));
        let allowed = template.home().read_allowed_signers()?;
        let operator = Operator::new(&template.remote(), key("operator"), allowed);
        let runners = operator.uploaded()?;
        Ok(Self { dir: dir.to_owned(), exe: exe.to_owned(), operator, forger: key("forger"), runners })
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The key of somebody whose signature counts nowhere.
    #[must_use]
    pub fn forgers_key(&self) -> &SigningKey {
        &self.forger
    }

    /// A place of its own for a round.
    ///
    /// # Errors
    /// When it can't be copied.
    pub fn place(&self, name: &str) -> Result<Place, TortureError> {
        let place = Place::at(&self.dir.join(name), &self.exe);
        let copy = Command::new("cp").args(["-a", "--reflink=auto"]).arg(self.dir.join("template")).arg(&place.dir);
        copy.read().map_err(TortureError::Command)?;
        let home = place.home();
        let config = home.read_config()?;
        let (remote, runner) = (place.remote().display().to_string(), place.runner());
        home.write_config(&wb_core::runner::HostConfig { remote, runner, ..config })?;
        Ok(place)
    }

    /// The operator, at the remote of a place.
    #[must_use]
    pub fn operator(&self, place: &Place) -> Operator {
        self.operator.at(&place.remote())
    }

    /// Somebody at the remote of a place whose signature counts nowhere.
    #[must_use]
    pub fn forger(&self, place: &Place) -> Operator {
        self.operator(place).with_key(self.forger.clone())
    }

    /// The commit of a generation's runner.
    #[must_use]
    pub fn runner(&self, generation: Generation) -> Sha1 {
        self.runners[generation as usize]
    }
}

/// Where one round takes place.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its directory.
    pub dir: PathBuf,
    exe: PathBuf,
}

impl Place {
    /// The place in this directory, whose hosts run the program at `exe`.
    #[must_use]
    pub fn at(dir: &Path, exe: &Path) -> Self {
        Self { dir: dir.to_owned(), exe: exe.to_owned() }
    }

    /// An empty one.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn new(dir: &Path, exe: &Path) -> Result<Self, TortureError> {
        files::create_dir(dir.join("tmp"))?;
        Ok(Self::at(dir, exe))
    }

    /// The git repository that the herd lives in.
    #[must_use]
    pub fn remote(&self) -> PathBuf {
        self.dir.join("remote.git")
    }

    /// The host's own directories.
    #[must_use]
    pub fn home(&self) -> Home {
        Home::new(self.dir.join("host/etc"), self.dir.join("host/var"))
    }

    /// The root of the host's files.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.dir.join("host/root")
    }

    /// The installed runner.
    #[must_use]
    pub fn runner(&self) -> PathBuf {
        self.dir.join("host/wildebeest")
    }

    /// The host's own copy of the herd's refs.
    #[must_use]
    pub fn copy(&self) -> PathBuf {
        self.dir.join("host/var/herd.git")
    }

    /// The time there, in seconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        let text = files::read_text(self.dir.join("clock")).unwrap_or_default();
        text.trim().parse().unwrap_or(START)
    }

    /// Sets the clock there.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn set_clock(&self, now: u64) -> Result<(), TortureError> {
        Ok(files::write(self.dir.join("clock"), now.to_string(), 0o644)?)
    }

    /// Boots the machine.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn boot(&self, number: usize) -> Result<(), TortureError> {
        let proc = self.root().join("proc/sys/kernel/random");
        files::create_dir(&proc)?;
        files::write(proc.join("boot_id"), format!("boot-{number}"), 0o644)?;
        self.last(0)
    }

    /// Says for how many seconds this boot has lasted: by that, not by the clock, a host waits for objections.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn last(&self, seconds: u64) -> Result<(), TortureError> {
        Ok(files::write(self.root().join("proc/uptime"), format!("{seconds}.00 0.00\n"), 0o644)?)
    }

    /// Runs the installed runner once, as cron would.
    ///
    /// # Errors
    /// When it can't be started, or hangs.
    pub fn run(&self) -> Result<Output, TortureError> {
        self.run_command(self.command().arg("once"))
    }

    /// The same with a log file; what it says there is in the output too.
    ///
    /// # Errors
    /// As [`Place::run`].
    pub fn run_with_log(&self) -> Result<Output, TortureError> {
        let log = self.dir.join("host/log");
        let output = self.run_command(self.command().args(["once", "--log-file"]).arg(&log))?;
        let mut stderr = output.stderr;
        stderr.extend(files::read_optional(&log)?.unwrap_or_default());
        files::remove(log)?;
        Ok(Output { stderr, ..output })
    }

    fn command(&self) -> Command {
        let directories = [self.dir.join("host/etc"), self.dir.join("host/var")];
        Command::new(self.runner()).arg("--config").arg(&directories[0]).arg("--state").arg(&directories[1])
    }

    fn run_command(&self, command: Command) -> Result<Output, TortureError> {
        self.in_environment(command).timeout(BOUND).run().map_err(TortureError::Command)
    }

    /// Makes a machine of it that was never enrolled.
    ///
    /// # Errors
    /// When something of the host can't be removed.
    pub fn strip(&self) -> Result<(), TortureError> {
        files::remove_tree(self.dir.join("host/etc"))?;
        files::remove_tree(self.dir.join("host/var"))?;
        files::remove(self.root().join("srv/base"))?;
        Ok(())
    }

    /// Enrols it, as people do.
    ///
    /// # Errors
    /// When the command can't be started, or hangs.
    pub fn run_enroll(&self, allowed_signers: &str) -> Result<Output, TortureError> {
        let signers = self.dir.join("allowed_signers");
        files::write(&signers, allowed_signers, 0o644)?;
        let command = self.command().args(["enroll", "--name", HOST, "--remote"]).arg(self.remote());
        self.run_command(command.arg("--allowed-signers").arg(signers).arg("--runner").arg(self.runner()))
    }

    /// Who it is, once it is enrolled.
    ///
    /// # Errors
    /// When it is not.
    pub fn identity(&self) -> Result<Identity, TortureError> {
        Ok(Identity { uuid: self.home().read_config()?.uuid, key: public_key(&self.home().key())? })
    }

    /// What the host's disk says.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn record(&self) -> Result<Record, TortureError> {
        Ok(Record::clone(&Store::open(&self.home().record())?.record()))
    }

    /// What the host told the herd last, and who is out of its role's pool.
    ///
    /// # Errors
    /// When the remote can't be read.
    pub fn told(&self) -> Result<(Option<Report>, Pool), TortureError> {
        let list = ["for-each-ref", "--format=%(objectname) %(refname)", "refs/wildebeest/"];
        let git = Git::new(Access::Operator { ssh_command: None }).local(&self.remote());
        let listed = git.args(list).read().map_err(TortureError::Command)?;
        let objects = Objects::open(&self.remote())?;
        let body = |start: &str| -> Result<Option<String>, TortureError> {
            let line = listed.lines().find(|line| line.contains(start));
            let sha1 = line.and_then(|line| line.split(' ').next()).and_then(|sha1| sha1.parse().ok());
            Ok(sha1.map(|sha1: Sha1| objects.read(sha1)).transpose()?.map(|commit| commit.body().to_owned()))
        };
        let report = body("refs/wildebeest/report/")?.and_then(|body| Report::decode(&body).ok());
        let pool = body(&RefName::Out(ROLE.to_owned()).to_string())?.and_then(|body| Pool::decode(&body).ok());
        Ok((report, pool.unwrap_or_default()))
    }

    /// The sha256 of the installed runner.
    ///
    /// # Errors
    /// When it is not there.
    pub fn installed(&self) -> Result<Digest, TortureError> {
        Ok(Digest::of(&files::read(self.runner())?))
    }

    /// Nothing of it stays.
    pub fn remove(&self) {
        drop(files::remove_tree(&self.dir));
    }

    pub(super) fn in_environment(&self, command: Command) -> Command {
        let path = environment::var("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let command = command.env_clear().env("PATH", path).env("HOME", &self.dir).env("TMPDIR", self.dir.join("tmp"));
        let command = command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.env(journal::DIR, &self.dir).env(EXE, &self.exe)
    }

    fn furnish(&self) -> Result<(), TortureError> {
        files::create_dir(self.root().join("etc/init.d"))?;
        files::create_dir(self.root().join("sbin"))?;
        files::write(self.root().join("etc/init.d/app"), SERVICE, 0o755)?;
        files::write(self.root().join("sbin/shutdown"), SHUTDOWN, 0o755)?;
        files::write(self.root().join("srv/old"), "old\n", 0o644)?;
        files::write(self.runner(), script(Generation::First.name()), 0o755)?;
        self.boot(0)?;
        self.set_clock(START)
    }

    fn enroll(&self, operator: &Operator, runners: Runners) -> Result<(), TortureError> {
        let wanted = Enrollment {
            name: HOST.to_owned(),
            remote: self.remote().display().to_string(),
            allowed_signers: operator.allowed_signers().to_owned(),
            poll: POLL,
            runner: self.runner(),
        };
        let key = enroll(&self.home(), &wanted, &System::new(self.root(), command::Real, clock::Real))?;
        let uuid = self.home().read_config()?.uuid;
        operator.admit(Identity { uuid, key })?;
        operator.deploy(Generation::First, runners[0])?;
        Ok(())
    }

    fn settle(&self) -> Result<(), TortureError> {
        let output = self.run()?;
        let settled = self.record()?.in_service && output.code == 0;
        if settled { Ok(()) } else { Err(TortureError::NoStage { said: output.error_text() }) }
    }

    /// Few files are copied faster than many.
    fn pack(&self) -> Result<(), TortureError> {
        for repository in [self.remote(), self.copy()] {
            let git = Git::new(Access::Operator { ssh_command: None }).local(&repository);
            git.args(["gc", "--quiet", "--prune=now"]).read().map_err(TortureError::Command)?;
        }
        files::remove_tree(self.copy().join("hooks"))?;
        files::remove(journal::file(&self.dir))?;
        files::remove(self.dir.join("starts"))?;
        Ok(())
    }
}

/// The time at which a round begins; a real one, since what enrols looks at the real clock.
const START: u64 = 2_000_000_000;

/// No run takes so long unless it hangs.
const BOUND: Duration = Duration::from_secs(120);
