//! The agent as a service of the init system that runs here: its files are written, it is enabled and started; and all
//! of that again without a trace.
//!
//! A second run changes nothing, and a run by a newer version brings its own files up to date. A file in their place
//! that somebody else wrote is never touched.

mod layout;

use clap::Args;

use self::layout::{Act, Layout, MARK, Settings, Template, layout};
use super::home::{Home, HomeError};
use super::log::Format;
use crate::system::files::Attributes;
use crate::system::init::{Facts, Init, detect, runit_directory};
use crate::system::{Command, CommandError, FileError, System, files};

/// What a service is made for.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ServiceOptions {
    /// The init system, where it is not the one that runs here.
    #[arg(long, value_enum)]
    pub(super) init: Option<Init>,
    /// Show what would be done, and do nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// How the agent runs as a service.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct AgentOptions {
    /// A service of this host's roles that bears load, and is to start later than the agent; may be repeated. Usual ones,
    /// such as nginx, are known.
    #[arg(long, value_name = "SERVICE")]
    before: Vec<String>,
    /// How the lines of its log look.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: Format,
}

/// Why the service could not be installed or removed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServiceError {
    #[error("no init system that is known runs here: process 1 is `{first}`")]
    NoInit { first: String },
    #[error("{path} is there, and was not written by `wildebeest install-service`")]
    Foreign { path: String },
    #[error("`{word}` can't stand in the files of a service")]
    Word { word: String },
    #[error("the runner {path} of host.toml is not there")]
    NoRunner { path: String },
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// Installs, enables and starts the service. Gives what was done, a line each; nothing when there was nothing to do.
pub(super) fn install(
    home: &Home,
    system: &System,
    options: &ServiceOptions,
    agent: &AgentOptions,
) -> Result<Vec<String>, ServiceError> {
    let layout = layout(init(system, options)?, &settings(home, system, agent)?);
    let mut work = Work { system, dry_run: options.dry_run, done: Vec::new() };
    let running = layout.install.last().is_some_and(|act| work.holds(&act.done));
    let news = layout.files.iter().map(|file| is_news(system, file)).collect::<Result<Vec<_>, _>>()?;
    for (file, _) in layout.files.iter().zip(&news).filter(|(_, news)| **news) {
        work.write(file)?;
    }
    if let Some(reload) = layout.reload.as_ref().filter(|_| news.contains(&true)) {
        work.run(reload)?;
    }
    work.link(&layout)?;
    for Act { done, command } in &layout.install {
        if !work.holds(done) {
            work.run(command)?;
        }
    }
    if running && news.contains(&true) {
        work.done.push(format!("the agent takes that over when it is started next: `{}`", layout.restart));
    }
    Ok(work.done)
}

/// Stops, disables and removes the service.
pub(super) fn uninstall(system: &System, options: &ServiceOptions) -> Result<Vec<String>, ServiceError> {
    let layout =
        layout(init(system, options)?, &Settings { runit: runit_directory(system)?.to_owned(), ..Settings::default() });
    let mut work = Work { system, dry_run: options.dry_run, done: Vec::new() };
    let mut there = Vec::new();
    for file in &layout.files {
        if found(system, file)?.is_some() {
            there.push(file.path);
        }
    }
    if there.is_empty() {
        return Ok(work.done);
    }
    if let Some((link, _)) = &layout.link {
        work.remove(link)?;
    }
    layout.uninstall.iter().try_for_each(|command| work.run(command))?;
    there.into_iter().try_for_each(|path| work.remove(path))?;
    if let Some(directory) = layout.directory {
        work.remove_directory(directory)?;
    }
    layout.forget.iter().try_for_each(|command| work.run(command))?;
    Ok(work.done)
}

fn init(system: &System, options: &ServiceOptions) -> Result<Init, ServiceError> {
    if let Some(init) = options.init {
        return Ok(init);
    }
    let facts = Facts::of(system)?;
    detect(&facts).ok_or(ServiceError::NoInit { first: facts.first })
}

fn settings(home: &Home, system: &System, agent: &AgentOptions) -> Result<Settings, ServiceError> {
    let runner = home.read_config()?.runner.display().to_string();
    if system.stat(&runner)?.is_none() {
        return Err(ServiceError::NoRunner { path: runner });
    }
    let (mut args, before) = (home.args(), agent.before.clone());
    if agent.log_format == Format::Json {
        args.extend(["--log-format".to_owned(), "json".to_owned()]);
    }
    for word in [&runner].into_iter().chain(&args).chain(&before) {
        if !is_plain(word) {
            return Err(ServiceError::Word { word: word.clone() });
        }
    }
    Ok(Settings { runner, args, before, runit: runit_directory(system)?.to_owned() })
}

/// Shells and init systems each quote in their own way.
fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "/._+-".contains(c))
}

fn is_news(system: &System, file: &Template) -> Result<bool, ServiceError> {
    let text_differs = found(system, file)?.is_none_or(|found| found != file.text.as_bytes());
    Ok(text_differs || system.stat(file.path)?.is_none_or(|stat| stat.mode != file.mode))
}

/// What is in the place of a file, where it is ours.
fn found(system: &System, file: &Template) -> Result<Option<Vec<u8>>, ServiceError> {
    let found = system.read_file(file.path)?;
    match &found {
        Some(text) if !String::from_utf8_lossy(text).contains(MARK) => {
            Err(ServiceError::Foreign { path: file.path.to_owned() })
        }
        _ => Ok(found),
    }
}

/// What is done, or would be.
struct Work<'a> {
    system: &'a System,
    dry_run: bool,
    done: Vec<String>,
}

impl Work<'_> {
    fn write(&mut self, file: &Template) -> Result<(), ServiceError> {
        self.says(format!("wrote {}", file.path), format!("would write {}:\n{}", file.path, file.text));
        if self.dry_run {
            return Ok(());
        }
        if let Some(parent) = self.system.path(file.path).parent() {
            files::create_dir(parent)?;
        }
        Ok(self.system.write_file(file.path, &file.text, Attributes::mode(file.mode))?)
    }

    fn link(&mut self, layout: &Layout) -> Result<(), ServiceError> {
        let Some((path, target)) = &layout.link else { return Ok(()) };
        if self.system.stat(path)?.is_some() {
            return Ok(());
        }
        self.says(format!("linked {path} to {target}"), format!("would link {path} to {target}"));
        match self.dry_run {
            true => Ok(()),
            false => Ok(files::link(target, self.system.path(path))?),
        }
    }

    fn run(&mut self, command: &Command) -> Result<(), ServiceError> {
        let line = command.line();
        self.says(format!("ran `{line}`"), format!("would run `{line}`"));
        match self.dry_run {
            true => Ok(()),
            false => Ok(self.system.read_command(command).map(drop)?),
        }
    }

    fn remove(&mut self, path: &str) -> Result<(), ServiceError> {
        if self.system.stat(path)?.is_none() {
            return Ok(());
        }
        self.says(format!("removed {path}"), format!("would remove {path}"));
        match self.dry_run {
            true => Ok(()),
            false => Ok(files::remove(self.system.path(path)).map(drop)?),
        }
    }

    fn remove_directory(&mut self, path: &str) -> Result<(), ServiceError> {
        self.says(format!("removed {path}"), format!("would remove {path}"));
        match self.dry_run {
            true => Ok(()),
            false => Ok(files::remove_tree(self.system.path(path)).map(drop)?),
        }
    }

    fn holds(&self, check: &Command) -> bool {
        self.system.run(check).is_ok_and(|output| output.code == 0)
    }

    fn says(&mut self, done: String, would: String) {
        self.done.push(if self.dry_run { would } else { done });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::HostConfig;
    use crate::system::Script;

    struct Machine {
        dir: tempfile::TempDir,
        home: Home,
    }

    /// A machine with systemd, enrolled.
    fn machine() -> Machine {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path().join("etc/wildebeest"), dir.path().join("state"));
        for (path, text) in [("run/systemd/system/x", ""), ("proc/1/comm", "systemd\n"), ("opt/wb", "")] {
            put(dir.path().join(path), text);
        }
        files::create_dir(dir.path().join("etc/wildebeest")).unwrap();
        let config = HostConfig {
            uuid: uuid::Uuid::from_u128(1),
            name: "web1".into(),
            remote: "/srv/herd.git".into(),
            poll: std::time::Duration::from_secs(30),
            runner: "/opt/wb".into(),
            verify: HostConfig::VERIFY,
        };
        home.write_config(&config).unwrap();
        Machine { dir, home }
    }

    fn put(path: std::path::PathBuf, text: &str) {
        files::create_dir(path.parent().unwrap()).unwrap();
        files::write(path, text, 0o644).unwrap();
    }

    impl Machine {
        fn unit(&self) -> std::path::PathBuf {
            self.dir.path().join("etc/systemd/system/wildebeest.service")
        }

        /// Where everything that is asked for is so already, or not.
        fn install(&self, running: bool, options: &ServiceOptions) -> Result<Vec<String>, ServiceError> {
            let script = Script::new().answer("systemctl ", 0, "").answer("systemctl is-", i32::from(!running), "");
            install(&self.home, &System::fake(self.dir.path(), script), options, &AgentOptions::default())
        }

        fn uninstall(&self) -> Result<Vec<String>, ServiceError> {
            let script = Script::new().answer("systemctl ", 0, "");
            uninstall(&System::fake(self.dir.path(), script), &ServiceOptions::default())
        }
    }

    const WRITTEN: [&str; 4] = [
        "wrote /etc/systemd/system/wildebeest.service",
        "ran `systemctl daemon-reload`",
        "ran `systemctl enable wildebeest`",
        "ran `systemctl start wildebeest`",
    ];

    #[test]
    fn a_service_is_written_enabled_and_started_and_then_nothing_is_left_to_do() {
        let machine = machine();
        assert_eq!(machine.install(false, &ServiceOptions::default()).unwrap(), WRITTEN);
        assert!(files::read_text(machine.unit()).unwrap().contains("ExecStart=/opt/wb agent"));
        assert!(machine.install(true, &ServiceOptions::default()).unwrap().is_empty());
    }

    #[test]
    fn the_agent_gets_what_is_not_usual() {
        let machine = machine();
        let agent = AgentOptions { before: vec!["gitea".into()], log_format: Format::Json };
        let settings = settings(&machine.home, &System::fake(machine.dir.path(), Script::new()), &agent).unwrap();
        assert_eq!(settings.args[..1], ["--config"]);
        assert_eq!(settings.args[4..], ["--log-format", "json"]);
        assert_eq!((settings.before, settings.runner.as_str()), (vec!["gitea".to_owned()], "/opt/wb"));
    }

    #[test]
    fn an_older_file_of_ours_is_brought_up_to_date() {
        let machine = machine();
        put(machine.unit(), &format!("# {MARK}\nolder\n"));
        let done = machine.install(true, &ServiceOptions::default()).unwrap();
        assert_eq!(done[..2], WRITTEN[..2]);
        assert!(done[2].contains("`systemctl restart wildebeest`"), "{done:?}");
    }

    #[test]
    fn a_file_of_somebody_else_is_not_touched() {
        let machine = machine();
        put(machine.unit(), "mine\n");
        let expect =
            "/etc/systemd/system/wildebeest.service is there, and was not written by `wildebeest install-service`";
        assert_eq!(machine.install(false, &ServiceOptions::default()).unwrap_err().to_string(), expect);
        assert_eq!(machine.uninstall().unwrap_err().to_string(), expect);
        assert_eq!(files::read_text(machine.unit()).unwrap(), "mine\n");
    }

    #[test]
    fn a_dry_run_shows_all_and_does_nothing() {
        let machine = machine();
        let options = ServiceOptions { dry_run: true, ..ServiceOptions::default() };
        let shown = machine.install(false, &options).unwrap().join("\n");
        assert!(shown.contains("Type=notify") && shown.contains("would run `systemctl start wildebeest`"), "{shown}");
        assert!(!files::exists(machine.unit()));
    }

    #[test]
    fn a_service_goes_without_a_trace() {
        let machine = machine();
        machine.install(false, &ServiceOptions::default()).unwrap();
        let expect = [
            "ran `systemctl disable --now wildebeest`",
            "removed /etc/systemd/system/wildebeest.service",
            "ran `systemctl daemon-reload`",
        ];
        assert_eq!(machine.uninstall().unwrap(), expect);
        assert!(!files::exists(machine.unit()) && machine.uninstall().unwrap().is_empty());
    }

    #[test]
    fn what_no_file_can_hold_is_refused() {
        let machine = machine();
        let system = System::fake(machine.dir.path(), Script::new());
        let agent = AgentOptions { before: vec!["a b".into()], ..AgentOptions::default() };
        let refused = install(&machine.home, &system, &ServiceOptions::default(), &agent).unwrap_err();
        assert_eq!(refused.to_string(), "`a b` can't stand in the files of a service");
        files::remove(machine.dir.path().join("opt/wb")).unwrap();
        let refused = machine.install(false, &ServiceOptions::default()).unwrap_err();
        assert_eq!(refused.to_string(), "the runner /opt/wb of host.toml is not there");
    }

    #[test]
    fn where_no_init_runs_it_is_said_what_does() {
        let machine = machine();
        files::remove_tree(machine.dir.path().join("run")).unwrap();
        put(machine.dir.path().join("proc/1/comm"), "bash\n");
        let refused = machine.install(false, &ServiceOptions::default()).unwrap_err();
        assert_eq!(refused.to_string(), "no init system that is known runs here: process 1 is `bash`");
    }
}
