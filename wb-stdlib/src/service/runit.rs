//! Services of runit: directories below `/etc/sv`, supervised where a link to them stands in the directory that
//! `runsvdir` watches.
//!
//! runit starts what it supervises unless there is a file `down`. So a service starts with the host that has its link
//! and no such file; and one is put under supervision with such a file, so that to enable it is not to start it.

use std::time::Duration;

use wb_core::system::files::{self, Attributes, FileError, Kind};
use wb_core::system::init::runit_directory;
use wb_core::system::{Command, System, clock};

use super::{Action, ServiceError, Status, run};

/// Where the directories of services are.
pub(crate) const SERVICES: &str = "/etc/sv";

const STATUS_BOUND: Duration = Duration::from_secs(60);
/// `runsvdir` looks for new links every five seconds.
const SUPERVISED_BOUND: Duration = Duration::from_secs(15);
const SUPERVISED_PAUSE: Duration = Duration::from_millis(100);
/// How long `sv` waits for what it was told to come about, in seconds.
const PATIENCE: &str = "60";

pub(super) fn exists(system: &System, name: &str) -> Result<bool, ServiceError> {
    let place = Place::of(system, name).map_err(|source| ServiceError::Links { name: name.to_owned(), source })?;
    Ok(place.is_some())
}

pub(super) fn status(system: &System, name: &str) -> Result<Status, ServiceError> {
    let place = Place::of(system, name).map_err(|source| ServiceError::Links { name: name.to_owned(), source })?;
    match place {
        Some(place) if place.is_linked => Ok(judge(&ask(system, name, &place)?)),
        _ => Ok(Status::Stopped),
    }
}

pub(super) fn is_enabled(system: &System, name: &str) -> Result<bool, ServiceError> {
    let place = Place::of(system, name).map_err(|source| ServiceError::Links { name: name.to_owned(), source })?;
    Ok(place.is_some_and(|place| place.is_linked && !files::exists(system.path(place.down()))))
}

pub(super) fn act(system: &System, name: &str, action: Action) -> Result<(), ServiceError> {
    let failed = |source: FileError| ServiceError::Files { action, name: name.to_owned(), source };
    let Some(place) = Place::of(system, name).map_err(failed)? else { return Ok(()) };
    let sv = |args: &[&str]| run(system, name, action, Command::new("sv").args(args).arg(&place.link));
    match action {
        Action::Start | Action::Restart => {
            supervise(system, name, &place, action)?;
            sv(&["-w", PATIENCE, action.word()])
        }
        Action::Stop => sv(&["-w", PATIENCE, "stop"]),
        Action::Reload => sv(&["reload"]),
        Action::Enable => {
            supervise(system, name, &place, action)?;
            files::remove(system.path(place.down())).map(drop).map_err(failed)
        }
        Action::Disable => system.write_file(place.down(), "", Attributes::mode(0o644)).map_err(failed),
        // Nothing is ever masked.
        Action::Mask | Action::Unmask => Ok(()),
    }
}

/// Takes away its link, and then its supervisor, before its directory goes. In the other order, `runsvdir` would start
/// another one.
pub(super) fn forget(system: &System, name: &str) -> Result<(), ServiceError> {
    let failed = |source: FileError| ServiceError::Files { action: Action::Disable, name: name.to_owned(), source };
    let Some(place) = Place::of(system, name).map_err(failed)?.filter(|place| place.is_linked) else { return Ok(()) };
    if place.link != place.directory {
        files::remove(system.path(&place.link)).map_err(failed)?;
    }
    let shutdown = Command::new("sv").args(["-w", PATIENCE, "force-shutdown", &place.directory]);
    run(system, name, Action::Stop, shutdown)
}

/// Where a service is.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// In the directory that is watched.
    link: String,
    is_linked: bool,
    /// What the link leads to.
    directory: String,
}

impl Place {
    fn of(system: &System, name: &str) -> Result<Option<Self>, FileError> {
        let watched = runit_directory(system)?;
        let link = format!("{watched}/{name}");
        let defined = format!("{SERVICES}/{name}");
        let (is_linked, directory) = match system.stat(&link)?.map(|stat| stat.kind) {
            Some(Kind::Link) => (true, target(system, watched, &link)?),
            Some(_) => (true, link.clone()),
            None if system.stat(&defined)?.is_some() => (false, defined),
            None => return Ok(None),
        };
        Ok(Some(Self { link, is_linked, directory }))
    }

    fn down(&self) -> String {
        format!("{}/down", self.directory)
    }
}

/// Where a link leads, as this machine sees it.
fn target(system: &System, watched: &str, link: &str) -> Result<String, FileError> {
    let target = files::read_link(system.path(link))?.display().to_string();
    Ok(if target.starts_with('/') { target } else { format!("{watched}/{target}") })
}

/// Puts a service under supervision, and leaves it down. The file comes before the link, so that nothing starts it in
/// between, also after a crash.
fn supervise(system: &System, name: &str, place: &Place, action: Action) -> Result<(), ServiceError> {
    if !place.is_linked {
        let failed = |source: FileError| ServiceError::Files { action, name: name.to_owned(), source };
        system.write_file(place.down(), "", Attributes::mode(0o644)).map_err(failed)?;
        files::link(&place.directory, system.path(&place.link)).map_err(failed)?;
    }
    let supervised =
        clock::wait_until(system.clock(), SUPERVISED_BOUND, SUPERVISED_PAUSE, || match ask(system, name, place) {
            Ok(said) => is_supervised(&said).then_some(Ok(())),
            Err(error) => Some(Err(error)),
        });
    supervised.unwrap_or_else(|| Err(ServiceError::NotSupervised { name: name.to_owned() }))
}

fn ask(system: &System, name: &str, place: &Place) -> Result<String, ServiceError> {
    let said = system.run(&Command::new("sv").args(["status", &place.link]).timeout(STATUS_BOUND));
    let said = said.map_err(|source| ServiceError::Look { name: name.to_owned(), source })?;
    Ok(said.text())
}

fn is_supervised(said: &str) -> bool {
    ["run:", "down:", "finish:"].iter().any(|word| said.starts_with(word))
}

/// Reads what `sv status` says: `run: nginx: (pid 41) 7s; run: log: (pid 40) 7s`, or `down: nginx: 3s, normally up`.
fn judge(said: &str) -> Status {
    let service = said.split(';').next().unwrap_or_default();
    match service.split(':').next().unwrap_or_default() {
        "run" if service.contains("want down") || service.contains("got TERM") => Status::Unknown,
        "run" => Status::Running,
        "finish" => Status::Unknown,
        // The rest are `fail` and `warning`: nobody supervises it.
        _ => Status::Stopped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sv_says_is_one_of_three_things() {
        let check = |said: &str, expect| assert_eq!(judge(said), expect, "{said}");
        check("run: /etc/service/nginx: (pid 625) 14488s; run: log: (pid 624) 14488s", Status::Running);
        check("run: nginx: (pid 19) 3s, normally down", Status::Running);
        check("run: nginx: (pid 19) 3s, want down, got TERM", Status::Unknown);
        check("down: /etc/service/nginx: 1s, normally up, want up; run: log: (pid 40) 7s", Status::Stopped);
        check("finish: nginx: (pid 88) 0s, want down", Status::Unknown);
        check("fail: /etc/service/nginx: unable to change to service directory: file does not exist", Status::Stopped);
        check("warning: /etc/service/nginx: unable to open supervise/ok: file does not exist", Status::Stopped);
        check("", Status::Stopped);
    }
}
