//! Services of systemd.

use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::system::files::{self, Attributes, FileError, Kind};
use wb_core::system::{Command, System};

use super::{Action, Found, Manager, Question, ServiceError, Status, initd, run};

/// Where a host has units of its own.
pub(crate) const UNITS: &str = "/etc/systemd/system";
/// Where systemd looks for units: what is found first counts.
const PATHS: [&str; 5] =
    [UNITS, "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
const KINDS: [&str; 11] = [
    ".service",
    ".timer",
    ".socket",
    ".target",
    ".path",
    ".mount",
    ".automount",
    ".swap",
    ".slice",
    ".scope",
    ".device",
];
/// What a masked unit is a link to.
const NOTHING: &str = "/dev/null";
/// While this is there, systemd has not read units that were changed. It is made before the change, and gone after a
/// boot, which reads them.
const STALE: &str = "/run/wildebeest/daemon-reload";

/// What starts a unit, beside the links of `systemctl enable`: a `.wants` of a package, another unit, a timer, a socket.
const STARTERS: [&str; 5] = ["WantedBy", "RequiredBy", "BoundBy", "UpheldBy", "TriggeredBy"];

const SHOW_BOUND: Duration = Duration::from_secs(60);

pub(super) fn look(system: &System, name: &str, question: Question) -> Result<Option<Found>, ServiceError> {
    let links = |source: FileError| ServiceError::Links { name: name.to_owned(), source };
    let unit = unit_name(name);
    match question {
        Question::Masked => Ok(Some(Found::Masked(is_masked(system, &unit).map_err(links)?))),
        Question::Enabled if is_wanted(system, &unit).map_err(links)? => Ok(Some(Found::Enabled(true))),
        Question::Enabled | Question::Status => ask(system, name, question),
    }
}

pub(super) fn act(system: &System, name: &str, action: Action) -> Result<(), ServiceError> {
    let starts = matches!(action, Action::Start | Action::Restart | Action::Reload);
    if starts && is_outdated(system, name)? {
        run(system, name, action, systemctl().arg("daemon-reload"))?;
    }
    if action == Action::Enable && is_static(system, name)? {
        return Err(ServiceError::NoInstall { name: name.to_owned() });
    }
    run(system, name, action, systemctl().args([action.word(), "--", name]))
}

/// Whether nothing in the unit says when it starts: `systemctl enable` does nothing then, and ends well.
fn is_static(system: &System, name: &str) -> Result<bool, ServiceError> {
    Ok(Unit::parse(&show(system, name, "UnitFileState")?).file == "static")
}

/// Whether systemd is the init system that runs.
pub(crate) fn runs(system: &System) -> bool {
    Manager::of(system) == Manager::Systemd
}

/// Says that units are about to be changed, so that systemd reads them again before it is told anything else.
pub(crate) fn owe_reload(system: &System) -> Result<(), FileError> {
    if !runs(system) {
        return Ok(());
    }
    let stale = system.path(STALE);
    stale.parent().map_or(Ok(()), files::create_dir)?;
    system.write_file(STALE, "", Attributes::mode(0o600))
}

/// Whether what is at a path is to become something else.
pub(crate) fn is_news(system: &System, path: &Path, content: &[u8]) -> Result<bool, FileError> {
    match system.stat(path)? {
        Some(stat) if stat.size == content.len() as u64 => Ok(system.read_file(path)?.as_deref() != Some(content)),
        _ => Ok(true),
    }
}

/// Lets systemd read units that were changed, if there are any.
pub(crate) fn pay_reload(system: &System) -> Result<(), ServiceError> {
    let files = |source: FileError| ServiceError::Files { action: Action::Reload, name: "systemd".into(), source };
    if system.stat(STALE).map_err(files)?.is_none() {
        return Ok(());
    }
    run(system, "systemd", Action::Reload, systemctl().arg("daemon-reload"))?;
    files::remove(system.path(STALE)).map(drop).map_err(files)
}

/// Stops a unit that is about to be removed, and takes away the links that start it. A template can't be stopped.
pub(crate) fn retire(system: &System, unit: &str) -> Result<(), ServiceError> {
    let now: &[&str] = if unit.contains("@.") { &[] } else { &["--now"] };
    run(system, unit, Action::Disable, systemctl().arg("disable").args(now).args(["--", unit]))
}

/// The unit's whole name: systemd takes one without an ending for a service.
pub(crate) fn unit_name(name: &str) -> String {
    if has_kind(name) { name.to_owned() } else { format!("{name}.service") }
}

/// Whether a name says what kind of unit it is.
pub(crate) fn has_kind(name: &str) -> bool {
    KINDS.iter().any(|kind| name.strip_suffix(kind).is_some_and(|stem| !stem.is_empty()))
}

/// The file of a unit, or of the template that it is an instance of.
pub(crate) fn unit_file(system: &System, unit: &str) -> Result<Option<PathBuf>, FileError> {
    for name in [Some(unit.to_owned()), template_of(unit)].into_iter().flatten() {
        for directory in PATHS {
            let path = Path::new(directory).join(&name);
            if system.stat(&path)?.is_some() {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// Whether a package has brought a unit of this name.
pub(crate) fn is_packaged(system: &System, unit: &str) -> Result<bool, FileError> {
    for directory in &PATHS[2..] {
        if system.stat(Path::new(directory).join(unit))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `getty@.service` for `getty@tty1.service`.
fn template_of(unit: &str) -> Option<String> {
    let (stem, rest) = unit.split_once('@')?;
    let (_, kind) = rest.rsplit_once('.')?;
    Some(format!("{stem}@.{kind}"))
}

fn is_masked(system: &System, unit: &str) -> Result<bool, FileError> {
    let path = format!("{UNITS}/{unit}");
    let is_link = system.stat(&path)?.is_some_and(|stat| stat.kind == Kind::Link);
    Ok(is_link && files::read_link(system.path(&path))? == Path::new(NOTHING))
}

/// Whether a link starts the unit with the host, one that `systemctl enable` makes. Where there is none, only systemd
/// can tell.
fn is_wanted(system: &System, unit: &str) -> Result<bool, FileError> {
    if unit_file(system, unit)?.is_none() {
        return Ok(false);
    }
    let units = system.path(UNITS);
    if is_masked(system, unit)? || !files::exists(&units) {
        return Ok(false);
    }
    let wants = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "wants" || kind == "requires");
    Ok(files::list(units)?.iter().filter(|path| wants(path)).any(|path| files::exists(path.join(unit))))
}

fn ask(system: &System, name: &str, question: Question) -> Result<Option<Found>, ServiceError> {
    let said = show(system, name, &format!("LoadState,ActiveState,UnitFileState,{}", STARTERS.join(",")))?;
    let unit = Unit::parse(&said);
    if unit.load == "not-found" {
        return Ok(None);
    }
    Ok(Some(match (question, unit.enabled()) {
        (Question::Status, _) => Found::Status(unit.status()),
        (_, Some(enabled)) => Found::Enabled(enabled),
        (_, None) => Found::Enabled(initd::is_enabled(system, name.trim_end_matches(".service"))?),
    }))
}

fn show(system: &System, name: &str, properties: &str) -> Result<String, ServiceError> {
    let show = systemctl().args(["show", "-p", properties, "--", name]).timeout(SHOW_BOUND);
    system.read_command(&show).map_err(|source| ServiceError::Look { name: name.to_owned(), source })
}

/// Whether systemd has read another unit than the one that is there now.
fn is_outdated(system: &System, name: &str) -> Result<bool, ServiceError> {
    let said = show(system, name, "NeedDaemonReload,FragmentPath")?;
    let unit = Unit::parse(&said);
    // Of a file that was put before another one, systemd knows nothing.
    let own = format!("{UNITS}/{}", unit_name(name));
    let overridden = unit.fragment != own && matches!(system.stat(&own), Ok(Some(stat)) if stat.kind == Kind::File);
    Ok(unit.outdated || overridden && !unit.fragment.is_empty())
}

fn systemctl() -> Command {
    Command::new("systemctl").args(["--no-ask-password", "--no-pager"]).env("LC_ALL", "C.UTF-8")
}

/// The properties of `systemctl show`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Unit<'a> {
    load: &'a str,
    active: &'a str,
    file: &'a str,
    fragment: &'a str,
    outdated: bool,
    has_starter: bool,
}

impl<'a> Unit<'a> {
    fn parse(text: &'a str) -> Self {
        let mut unit = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match name {
                "LoadState" => unit.load = value,
                "ActiveState" => unit.active = value,
                "UnitFileState" => unit.file = value,
                "FragmentPath" => unit.fragment = value,
                "NeedDaemonReload" => unit.outdated = value == "yes",
                name => unit.has_starter |= STARTERS.contains(&name) && !value.is_empty(),
            }
        }
        unit
    }

    fn status(&self) -> Status {
        match self.active {
            "active" | "reloading" | "refreshing" => Status::Running,
            "inactive" | "failed" => Status::Stopped,
            _ => Status::Unknown,
        }
    }

    /// As `systemctl is-enabled` judges, but for a unit that does not say itself when it starts: that one does when
    /// something else starts it. Nothing where the unit was made of an init script, whose links decide.
    fn enabled(&self) -> Option<bool> {
        match self.file {
            "generated" => None,
            "enabled" | "enabled-runtime" | "alias" => Some(true),
            "static" | "indirect" => Some(self.has_starter),
            _ => Some(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_read_from_what_systemctl_shows() {
        let check = |text: &str, status, enabled| {
            let unit = Unit::parse(text);
            assert_eq!((unit.status(), unit.enabled()), (status, Some(enabled)), "{text}");
        };
        check("LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n", Status::Running, true);
        check("LoadState=loaded\nActiveState=failed\nUnitFileState=disabled\n", Status::Stopped, false);
        let fixed = "LoadState=loaded\nActiveState=activating\nUnitFileState=static\n";
        check(&format!("{fixed}WantedBy=\nTriggeredBy=\n"), Status::Unknown, false);
        check(&format!("{fixed}WantedBy=sysinit.target\nTriggeredBy=\n"), Status::Unknown, true);
        check(&format!("{fixed}WantedBy=\nTriggeredBy=backup.timer\n"), Status::Unknown, true);
        let other = "LoadState=loaded\nActiveState=inactive\nUnitFileState=indirect\n";
        check(&format!("{other}TriggeredBy=uuidd.socket\n"), Status::Stopped, true);
        check(&format!("{other}TriggeredBy=\n"), Status::Stopped, false);
        check("LoadState=masked\nActiveState=inactive\nUnitFileState=masked\n", Status::Stopped, false);
        assert_eq!(Unit::parse("LoadState=not-found\nActiveState=inactive\nUnitFileState=\n").load, "not-found");
    }

    #[test]
    fn a_unit_made_of_an_init_script_leaves_it_to_the_links() {
        assert_eq!(Unit::parse("LoadState=loaded\nActiveState=active\nUnitFileState=generated").enabled(), None);
    }

    #[test]
    fn names_of_units_have_a_kind() {
        let check = |name: &str, expect: &str| assert_eq!(unit_name(name), expect);
        check("nginx", "nginx.service");
        check("nginx.service", "nginx.service");
        check("backup.timer", "backup.timer");
        check("org.example.shop", "org.example.shop.service");
        check(".service", ".service.service");
    }

    #[test]
    fn an_instance_has_a_template() {
        let check = |unit: &str, expect: Option<&str>| assert_eq!(template_of(unit).as_deref(), expect);
        check("getty@tty1.service", Some("getty@.service"));
        check("nginx.service", None);
    }
}
