//! Init scripts, as LSB has them.

use std::time::Duration;

use wb_core::system::files::{self, FileError};
use wb_core::system::{Command, System};

use super::{Action, Facts, ServiceError, Status};

const STATUS_BOUND: Duration = Duration::from_secs(60);
/// The runlevels in which services start.
const RUNLEVELS: [&str; 5] = ["2", "3", "4", "5", "S"];

pub(super) fn facts(system: &System, name: &str) -> Result<Option<Facts>, ServiceError> {
    let script = system.stat(format!("/etc/init.d/{name}"));
    let links = |source| ServiceError::Links { name: name.to_owned(), source };
    if script.map_err(links)?.is_none() {
        return Ok(None);
    }
    let enabled = is_enabled(system, name).map_err(links)?;
    let said = system.run(&script_command(name, "status").timeout(STATUS_BOUND));
    let said = said.map_err(|source| ServiceError::Look { name: name.to_owned(), source })?;
    Ok(Some(Facts { status: status(said.code), enabled }))
}

pub(super) fn commands(action: Action, name: &str) -> Vec<Command> {
    let update = |what: &str| Command::new("update-rc.d").args([name, what]);
    match action {
        // `enable` wants links that are there; `defaults` makes them, and leaves those that are.
        Action::Enable => vec![update("defaults"), update("enable")],
        Action::Disable => vec![update("disable")],
        _ => vec![script_command(name, action.word())],
    }
}

/// Whether it starts in one of the runlevels.
pub(super) fn is_enabled(system: &System, name: &str) -> Result<bool, FileError> {
    for runlevel in RUNLEVELS {
        let directory = system.path(format!("/etc/rc{runlevel}.d"));
        if !files::exists(&directory) {
            continue;
        }
        let starts =
            |path: &std::path::PathBuf| path.file_name().is_some_and(|link| starts(&link.to_string_lossy(), name));
        if files::list(&directory)?.iter().any(starts) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Scripts run as service(8) runs them: from `/`, with next to nothing in the environment.
fn script_command(name: &str, action: &str) -> Command {
    Command::new(format!("/etc/init.d/{name}"))
        .arg(action)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "dumb")
        .dir("/")
}

/// LSB gives 0 to what runs and 1 to 3 to what does not. Many scripts give something else, which says nothing.
fn status(code: i32) -> Status {
    match code {
        0 => Status::Running,
        1..=3 => Status::Stopped,
        _ => Status::Unknown,
    }
}

/// Whether `link`, as in `S01nginx`, starts the service.
fn starts(link: &str, name: &str) -> bool {
    let (start, of) = link.split_at_checked(3).unwrap_or((link, ""));
    of == name && start.starts_with('S') && start[1..].chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_say_one_of_three_things() {
        let check = |code, expect| assert_eq!(status(code), expect, "{code}");
        check(0, Status::Running);
        check(1, Status::Stopped);
        check(3, Status::Stopped);
        check(4, Status::Unknown);
        check(127, Status::Unknown);
    }

    #[test]
    fn links_start_one_service() {
        assert!(starts("S01nginx", "nginx"));
        assert!(starts("S0130days", "30days"));
        assert!(!starts("K01nginx", "nginx"));
        assert!(!starts("S01nginx-debug", "nginx"));
        assert!(!starts("Snap", "nap-nap"));
    }
}
