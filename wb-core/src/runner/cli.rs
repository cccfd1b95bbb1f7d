//! The command line of a host.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::catalog::CatalogError;
use super::drill::{Drill, DrillError, drill};
use super::enroll::{EnrollError, Enrollment, enroll, is_admitted};
use super::home::{DEFAULT_CONFIG, DEFAULT_STATE, Home, HomeError, KEYS, PREVIOUS_RUNNER};
use super::install_service::{AgentOptions, ServiceError, ServiceOptions, install, uninstall};
use super::log::{Log, LogOptions};
use super::program::Program;
use super::ready::Ready;
use super::rekey::{rekey, replace};
use super::{serve, show};
use crate::agent::{AgentError, StoreError};
use crate::herd::HerdError;
use crate::plan::Stop;
use crate::registry::{ObjectError, RegistryError, SignatureError};
use crate::system::{CommandError, FileError, System, environment, files};

const EXIT_CODES: &str = "Exit codes: 0 all is well; 1 the host needs attention (a link failed, it is stopped, it can't \
    leave or rejoin, it drifted); 2 the command line is wrong; 3 something that is needed is out of reach (the disk, the remote, \
    another agent runs).";

const VERIFY_CODES: &str = "Exit codes: 0 all specs hold; 1 at least one does not; 2 the command line is wrong; 3 the \
    host's files are out of reach.";

/// Where runners are installed.
const DEFAULT_RUNNER: &str = "/usr/local/bin/wildebeest";

#[derive(Debug, Parser)]
#[command(name = "wildebeest", about = "Migrates this host along its herd's chain", after_help = EXIT_CODES, version)]
struct Cli {
    #[command(flatten)]
    directories: Directories,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Directories {
    /// Where this host's configuration lies.
    #[arg(long, global = true, value_name = "DIR", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    /// Where this host keeps its record.
    #[arg(long, global = true, value_name = "DIR", default_value = DEFAULT_STATE)]
    state: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Give this machine an identity and announce it to the herd; an operator then admits it.
    Enroll(Machine),
    /// Let this machine, starting with nothing, take the place of a host that was lost; an operator then accepts it with
    /// `cargo xtask host admit --replace`. What it was before counts no more.
    Replace(Machine),
    /// Give this machine, a clone of another one, an identity of its own; an operator then admits it. The links that its
    /// disk has stay done.
    Rekey {
        /// What people will call it.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        format: Format,
    },
    /// Say that this machine is the true one, where several have its identity, or where its hardware was changed. Stop its
    /// agent before.
    Keep,
    /// Follow the herd until told to end. `install-service` makes this a service.
    ///
    /// SIGHUP looks for changes at once. SIGTERM ends after the present operation, or after 20 s by ending its commands
    /// too; a second one ends at once. What was cut short goes on at the next start.
    Agent {
        #[command(flatten)]
        log: LogOptions,
        #[command(flatten)]
        ready: Ready,
    },
    /// Do what there is to do now, and end: for cron and timers.
    Once(LogOptions),
    /// Make the agent a service of the init system here: write its files, enable it, start it.
    InstallService {
        #[command(flatten)]
        options: ServiceOptions,
        #[command(flatten)]
        agent: AgentOptions,
    },
    /// Stop the agent's service and remove all that `install-service` wrote.
    UninstallService(ServiceOptions),
    /// Show what the links that this runner has and this host has not run would change here, and change nothing.
    ///
    /// To see what a deploy would do here, copy its runner to the host and let that one plan.
    Plan(Format),
    /// Show where this host is, from what it knows without asking the remote.
    Status(Format),
    /// Ask the specs of all that this host completed whether that still holds, and change nothing.
    ///
    /// These are the specs of the links of its roles that it ran or that were done by hand here, as this runner has them,
    /// and those of its roles. What is asked of it only from a later link on is named, and does not count.
    /// An agent that is up to date does the same every hour, or as `verify` in host.toml says.
    #[command(after_help = VERIFY_CODES)]
    Verify(Format),
    /// Show the compiled chain and where this host is in it.
    Chain(Format),
    /// Show the version of this runner, its platform and the tip of its chain.
    Version(Format),
    /// Run one link here without a herd, or show what it would do, on a machine that was made for it and is no host:
    /// what `cargo xtask test` is made of.
    #[command(hide = true)]
    Drill(Drill),
    /// Do what a first poll does, keep nothing of it, and show the compiled chain as the agent compares it.
    #[command(hide = true)]
    SelfCheck,
    /// Show, as JSON, which settings of a herd.toml do not fit the code of this runner.
    #[command(hide = true)]
    CheckHerd {
        /// The file.
        herd: PathBuf,
    },
}

/// What a machine joins the herd with.
#[derive(Debug, Args)]
struct Machine {
    /// What people call this machine.
    #[arg(long)]
    name: String,
    /// The git repository that the herd lives in.
    #[arg(long, value_name = "URL")]
    remote: String,
    /// The file that says whose changes count here (see ssh-keygen(1), ALLOWED SIGNERS).
    #[arg(long, value_name = "FILE")]
    allowed_signers: PathBuf,
    /// How often to look for changes.
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
    poll: Duration,
    /// Where the runner is installed; this program is copied there when it lies elsewhere.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_RUNNER)]
    runner: PathBuf,
}

#[derive(Debug, Clone, Copy, Args)]
struct Format {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command line of this process: the `main` of every runner.
#[must_use]
pub fn main() -> ExitCode {
    match Program::compiled() {
        Ok(program) => main_of(&program),
        Err(error) => fail(&error.into(), &Home::new(DEFAULT_CONFIG, DEFAULT_STATE)),
    }
}

/// Runs the command line of a program.
#[must_use]
pub fn main_of(program: &Program) -> ExitCode {
    let cli = match Cli::try_parse_from(&program.args) {
        Ok(cli) => cli,
        Err(error) => {
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let Cli { directories, command } = cli;
    let home = Home::new(directories.config, directories.state);
    run(command, home.clone(), program).unwrap_or_else(|error| fail(&error, &home))
}

fn fail(error: &Failure, home: &Home) -> ExitCode {
    complain(error, home, &say);
    error.code()
}

fn run(command: Command, home: Home, program: &Program) -> Result<ExitCode, Failure> {
    match command {
        Command::Enroll(machine) => join(program, &home, machine, enroll, ""),
        Command::Replace(machine) => join(program, &home, machine, replace, " --replace"),
        Command::Rekey { name, format } => rekey_here(program, &home, &name, format),
        Command::Keep => keep(program, home),
        Command::Agent { log, ready } => logged(&home, &log, |log| serve::forever(&home, program, log, ready)),
        Command::Once(log) => logged(&home, &log, |log| serve::once(&home, program, log)),
        Command::InstallService { options, agent } => {
            print_done(&install(&home, &program.system, &options, &agent)?, "The service is installed already.")
        }
        Command::UninstallService(options) => {
            print_done(&uninstall(&program.system, &options)?, "No service is installed.")
        }
        Command::Plan(format) => print(&show::plan(home, program, format.json)?),
        Command::Status(format) => {
            let (text, healthy) = show::status(home, program, format.json)?;
            print(&text)?;
            Ok(ExitCode::from(u8::from(!healthy)))
        }
        Command::Verify(format) => {
            let (text, holds) = show::verify(home, program, format.json)?;
            print(&text)?;
            Ok(ExitCode::from(u8::from(!holds)))
        }
        Command::Chain(format) => print(&show::chain(&home, &program.catalog, format.json)?),
        Command::Version(format) => print(&show::version(&program.catalog, format.json)),
        Command::Drill(what) => drill(&home, program, &what),
        Command::SelfCheck => print(&serve::self_check(home, program)?),
        Command::CheckHerd { herd } => print(&show::unfit(&program.catalog, &files::read_text(herd)?)?),
    }
}

/// Runs what speaks through a log; its error stands there too.
fn logged(
    home: &Home,
    options: &LogOptions,
    act: impl FnOnce(&Arc<Log>) -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    let log = Arc::new(Log::new(options, home.read_config().ok().map(|config| config.name)));
    act(&log).or_else(|error| {
        complain(&error, home, &|line| log.say(line));
        Ok(error.code())
    })
}

fn complain(error: &Failure, home: &Home, say: &dyn Fn(&str)) {
    say(&format!("error: {}", with_causes(error)));
    if let Some(hint) = hint(error, home) {
        say(&format!("hint: {hint}"));
    }
}

fn join(
    program: &Program,
    home: &Home,
    machine: Machine,
    act: fn(&Home, &Enrollment, &System) -> Result<String, EnrollError>,
    accept: &str,
) -> Result<ExitCode, Failure> {
    let Machine { name, remote, allowed_signers, poll, runner } = machine;
    let allowed_signers = files::read_text(allowed_signers)?;
    if !files::exists(&runner) {
        if let Some(parent) = runner.parent() {
            files::create_dir(parent)?;
        }
        files::copy(environment::current_exe().map_err(Failure::Exe)?, &runner)?;
    }
    let wanted = Enrollment { name, remote, allowed_signers, poll, runner };
    let key = act(home, &wanted, &program.system)?;
    let name = &wanted.name;
    let next = match is_admitted(home).unwrap_or(false) {
        true => "It is admitted. Next: `wildebeest install-service` here.".to_owned(),
        false => format!("Next: `cargo xtask host admit {name}{accept}`, then `wildebeest install-service` here."),
    };
    print(&format!("{name} is enrolled with the key\n  {key}\n{next}"))
}

fn rekey_here(program: &Program, home: &Home, name: &str, format: Format) -> Result<ExitCode, Failure> {
    let key = rekey(home, name, &program.system)?;
    if format.json {
        return print(&serde_json::json!({ "name": name, "key": key }).to_string());
    }
    print(&format!(
        "{name} is enrolled with the key\n  {key}\nIt keeps the state of the machine that it is a clone of. Next: `cargo xtask host admit {name}`, then start its agent."
    ))
}

fn keep(program: &Program, home: Home) -> Result<ExitCode, Failure> {
    let _lock = serve::lock_of_host(&home)?;
    let quiet = |_: &str| {};
    let mut agent = serve::open(home, program, &quiet)?;
    let name = agent.config().name.clone();
    print(&match agent.keep()? {
        true => format!("This machine is `{name}`. Next: start its agent; any other machine with this identity stops."),
        false => format!("This machine is `{name}`, and no other one says so: nothing to settle."),
    })
}

/// An error and its causes, in one line.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error(transparent)]
    Enroll(#[from] EnrollError),
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Drill(#[from] DrillError),
    #[error("there is a mistake in herd.toml")]
    Herd(#[from] HerdError),
    #[error("could not tell which program this is")]
    Exe(#[source] io::Error),
    #[error("signals can't be received")]
    Signals(#[source] io::Error),
    #[error("another agent of this host is running{}", pid.map(|pid| format!(", as process {pid}")).unwrap_or_default())]
    Running { pid: Option<u32> },
}

impl Failure {
    fn code(&self) -> ExitCode {
        match self {
            Self::Agent(error) if error.is_final() => ExitCode::from(1),
            _ => ExitCode::from(3),
        }
    }
}

pub(super) fn hint(failure: &Failure, home: &Home) -> Option<String> {
    match failure {
        Failure::Enroll(error) => enroll_hint(error),
        Failure::Agent(error) => agent_hint(error, home),
        Failure::Home(error) => home_hint(error),
        Failure::Store(error) => store_hint(error, home),
        Failure::File(error) => file_hint(error),
        Failure::Service(error) => service_hint(error),
        Failure::Drill(error) => error.hint(),
        Failure::Running { pid } => Some(running_hint(*pid)),
        Failure::Catalog(CatalogError::Stray { .. }) => {
            Some("move it into a migration's file, or give it a role: `#[spec(role = \"web\")]`".into())
        }
        Failure::Catalog(_) | Failure::Herd(_) | Failure::Exe(_) | Failure::Signals(_) => None,
    }
}

fn agent_hint(error: &AgentError, home: &Home) -> Option<String> {
    match error {
        AgentError::Home(error) => home_hint(error),
        AgentError::Store(error) => store_hint(error, home),
        AgentError::File(error) => file_hint(error),
        AgentError::Registry(error) => registry_hint(error),
        AgentError::TakenOver { name, .. } => Some(identity_hint(name)),
        AgentError::Retired { .. } => Some(Stop::ANEW.into()),
        AgentError::Runner(CommandError::Foreign { .. }) => {
            Some("build the runner for this machine, and deploy it: `cargo xtask deploy --help`".into())
        }
        AgentError::Key(SignatureError::Public { key, .. } | SignatureError::Sign { key, .. }) => Some(format!(
            "the herd knows this host by its key: restore {} from a backup of this machine",
            key.display()
        )),
        AgentError::Pool { .. } => Some(Stop::MENDED.into()),
        AgentError::Unreadable { .. } => Some("a newer runner may read it: `cargo xtask deploy`".into()),
        AgentError::Key(_) | AgentError::Overtaken { .. } | AgentError::Runner(_) => None,
    }
}

/// There is no second copy of the record: an older one would have links run twice.
fn store_hint(error: &StoreError, home: &Home) -> Option<String> {
    match error {
        StoreError::File(error) => file_hint(error),
        StoreError::Syntax { path, .. } => Some(format!(
            "nothing was touched; restore {} from a backup of this machine; where there is none, nobody knows what ran \
             here: see `wildebeest replace --help`",
            path.display()
        )),
        StoreError::Newer { path, .. } => Some(format!(
            "a newer runner wrote it, and nothing was touched; put that one back: if the runner before this one is it, \
             `install -m 755 {} {}`",
            path.with_file_name(PREVIOUS_RUNNER).display(),
            home.read_config().map_or_else(|_| DEFAULT_RUNNER.into(), |config| config.runner).display()
        )),
        StoreError::Illegal(_) => None,
    }
}

/// What is to be done about a file is in the system's error.
fn file_hint(error: &FileError) -> Option<String> {
    let place = error.path.parent().unwrap_or(&error.path).display();
    match error.source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some(format!("the disk is full: see `df -h {place}` and `df -i {place}`"))
        }
        io::ErrorKind::PermissionDenied => Some(format!("run it as root, or as who owns it: see `ls -ld {place}`")),
        io::ErrorKind::ReadOnlyFilesystem => {
            Some(format!("the file system is read-only: see `findmnt -T {place}` and `dmesg`"))
        }
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            Some(format!("something else is in its place: see `ls -la {place}`"))
        }
        _ => None,
    }
}

fn running_hint(pid: Option<u32>) -> String {
    let Some(pid) = pid else { return "see `ps -C wildebeest`".into() };
    format!("`wildebeest status` says what it does, and `kill -HUP {pid}` lets it look at once")
}

fn identity_hint(name: &str) -> String {
    format!(
        "a clone gets a name of its own by `wildebeest rekey --name NEW_NAME`; if this is the true `{name}`, restored or with other hardware, `wildebeest keep`; if it takes the place of a lost one, starting with nothing, `wildebeest replace --name {name} …`"
    )
}

fn enroll_hint(error: &EnrollError) -> Option<String> {
    match error {
        EnrollError::Home(error) => home_hint(error),
        EnrollError::Registry(error) => registry_hint(error),
        EnrollError::Taken { .. } => {
            Some("see who has it with `cargo xtask host list`, and take another `--name`; a machine that takes the place of a lost one comes by `wildebeest replace`".into())
        }
        EnrollError::Forgotten { name } => Some(identity_hint(name)),
        EnrollError::NewKey { key, .. } => {
            Some(format!("let the git server accept {}.pub, then run this again", key.display()))
        }
        EnrollError::File(error) => file_hint(error),
        EnrollError::Drilled { script, state, .. } => Some(format!(
            "make the machine anew; or, where nothing of that is to count as done, `rm -rf {} {}`",
            script.display(),
            state.display()
        )),
        EnrollError::Running => Some("stop it first: `service wildebeest stop`, or as your init does that".into()),
        EnrollError::NoSigners => Some("give the `allowed_signers` of your fleet's repository".into()),
        EnrollError::Log(_) => Some("compare `--allowed-signers` with the file in your fleet's repository".into()),
        _ => None,
    }
}

fn service_hint(error: &ServiceError) -> Option<String> {
    match error {
        ServiceError::NoInit { .. } => Some("name it: `wildebeest install-service --init lsb`".into()),
        ServiceError::Foreign { path } => Some(format!("keep it elsewhere, so that this goes on: `mv {path} /root/`")),
        ServiceError::Word { .. } => Some("use letters, digits and `/._+-` only".into()),
        ServiceError::NoRunner { path } => Some(format!("put it there: `install -m 755 wildebeest {path}`")),
        ServiceError::Home(error) => home_hint(error),
        ServiceError::File(error) => file_hint(error).or_else(|| Some("only root can do this".into())),
        ServiceError::Command(_) => None,
    }
}

fn home_hint(error: &HomeError) -> Option<String> {
    match error {
        HomeError::NotEnrolled { .. } => Some("wildebeest enroll --help".into()),
        HomeError::Unfinished { .. } => {
            Some("run `wildebeest rekey --name NAME`, `wildebeest replace` or `wildebeest enroll` again".into())
        }
        HomeError::Registry(error) => registry_hint(error),
        HomeError::File(error) => file_hint(error),
        HomeError::Syntax { .. } => Some(format!("its keys are `{}`", KEYS.join("`, `"))),
        HomeError::Foreign { path, me, .. } => {
            Some(format!("look whose it is, then `chown -R {me} {0}`; or remove it, it is only a copy", path.display()))
        }
    }
}

fn registry_hint(error: &RegistryError) -> Option<String> {
    match error {
        RegistryError::Unreachable { source: CommandError::NotFound { .. }, .. } => Some("apt-get install git".into()),
        RegistryError::Unreachable { url, .. } => Some(format!(
            "let the git server accept host_key.pub (it lies beside host.toml), know its host key (`ssh-keyscan`), then try `git ls-remote {url}`"
        )),
        RegistryError::Refused { why, .. } if why.contains("unpack") => {
            Some("the git server can't write: see on it whether its disk is full, or read-only".into())
        }
        RegistryError::Refused { .. } => Some("give this host's key write access to refs/wildebeest/*".into()),
        RegistryError::File(error) => file_hint(error),
        RegistryError::Local { path, .. } => Some(format!(
            "the remote answers, and this machine's own disk does not take it: see `df -h {0}` and `ls -la {0}`",
            path.display()
        )),
        RegistryError::Init { .. } | RegistryError::Broken { .. } | RegistryError::Object(ObjectError::Open { .. }) => {
            Some("it is only a copy, which the agent makes anew when it starts: `wildebeest once`".into())
        }
        RegistryError::Check { .. } | RegistryError::Object(_) => None,
    }
}

fn print_done(done: &[String], nothing: &str) -> Result<ExitCode, Failure> {
    print(&if done.is_empty() { nothing.to_owned() } else { done.join("\n") })
}

fn print(text: &str) -> Result<ExitCode, Failure> {
    // A reader that has seen enough closes the pipe; that is no failure.
    drop(writeln!(io::stdout(), "{text}"));
    Ok(ExitCode::SUCCESS)
}

fn say(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::change::Retired;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    fn hint_at(failure: &Failure) -> Option<String> {
        hint(failure, &Home::new("/etc/wildebeest", "/var/lib/wildebeest"))
    }

    fn file_error(kind: io::ErrorKind) -> FileError {
        FileError { action: "write", path: "/var/lib/wildebeest/record.json".into(), source: kind.into() }
    }

    #[test]
    fn what_is_wrong_with_a_file_has_its_remedy() {
        let check = |kind, expect: Option<&str>| {
            let failures =
                [Failure::File(file_error(kind)), Failure::Agent(AgentError::Store(file_error(kind).into()))];
            let hints = failures.map(|failure| hint_at(&failure));
            assert_eq!(hints, [expect.map(str::to_owned), expect.map(str::to_owned)]);
        };
        let full = "the disk is full: see `df -h /var/lib/wildebeest` and `df -i /var/lib/wildebeest`";
        check(io::ErrorKind::StorageFull, Some(full));
        check(io::ErrorKind::QuotaExceeded, Some(full));
        let denied = "run it as root, or as who owns it: see `ls -ld /var/lib/wildebeest`";
        check(io::ErrorKind::PermissionDenied, Some(denied));
        let read_only = "the file system is read-only: see `findmnt -T /var/lib/wildebeest` and `dmesg`";
        check(io::ErrorKind::ReadOnlyFilesystem, Some(read_only));
        check(io::ErrorKind::NotFound, None);
    }

    #[test]
    fn a_runner_that_was_put_in_place_for_another_machine_is_named() {
        let foreign =
            CommandError::Foreign { program: "/usr/local/bin/wildebeest".into(), machine: Some("s390x".into()) };
        let failure = Failure::Agent(AgentError::Runner(foreign));
        let said = with_causes(&failure);
        let start = "the installed runner does not start: `/usr/local/bin/wildebeest` can't be started: it is compiled for s390x";
        assert!(said.starts_with(start), "{said}");
        assert!(hint_at(&failure).unwrap().contains("cargo xtask deploy"));
    }

    #[test]
    fn who_left_the_herd_is_told_one_way_back() {
        let retired = AgentError::Retired { name: "web1".into(), change: 7 };
        let way = hint_at(&Failure::Agent(retired)).unwrap();
        let stop = Stop::Retired(Retired { name: "web1".into(), change: 7, uuid: uuid::Uuid::nil() });
        assert!(stop.to_string().ends_with(&format!("; hint: {way}")), "{way}");
    }

    #[test]
    fn who_can_not_give_its_place_back_is_told_who_mends_the_pool() {
        let commit = crate::chain::Sha1::from_bytes([7; 20]);
        let source = ObjectError::File { commit, name: "message".into(), what: "is no pool" };
        let failure = Failure::Agent(AgentError::Pool { role: "web".into(), source: Box::new(source) });
        let said = "the pool of web can't be read: `message` in the commit 0707070 is no pool";
        assert_eq!(with_causes(&failure), said);
        let stop = Stop::Pool { role: "web".into(), why: "it is none".into() };
        assert!(stop.to_string().ends_with(&format!("; hint: {}", hint_at(&failure).unwrap())), "{stop}");
    }

    #[test]
    fn causes_are_told_once() {
        let cause = HomeError::NotEnrolled { path: "/etc/wildebeest/host.toml".into() };
        let error = Failure::Agent(AgentError::Home(cause));
        assert_eq!(with_causes(&error), "this machine is not enrolled: there is no /etc/wildebeest/host.toml");
        assert_eq!(hint_at(&error).unwrap(), "wildebeest enroll --help");
    }
}
