//! Init scripts, as LSB has them.

use std::time::Duration;

use wb_core::system::files::{self, FileError};
use wb_core::system::{Command, Output, System};

use super::{Action, ServiceError, Status, run};

const STATUS_BOUND: Duration = Duration::from_secs(60);
/// The runlevels in which services start.
const RUNLEVELS: [&str; 5] = ["2", "3", "4", "5", "S"];

pub(super) fn exists(system: &System, name: &str) -> Result<bool, ServiceError> {
    let script = system.stat(format!("/etc/init.d/{name}"));
    let script = script.map_err(|source| ServiceError::Links { name: name.to_owned(), source })?;
    Ok(script.is_some())
}

pub(super) fn status(system: &System, name: &str) -> Result<Status, ServiceError> {
    Ok(judge(&ask(system, name)?))
}

/// What the script says of its service.
pub(super) fn ask(system: &System, name: &str) -> Result<Output, ServiceError> {
    let said = system.run(&script(name, "status").timeout(STATUS_BOUND));
    said.map_err(|source| ServiceError::Look { name: name.to_owned(), source })
}

pub(super) fn act(system: &System, name: &str, action: Action) -> Result<(), ServiceError> {
    for command in commands(action, name, has_chkconfig(system)) {
        run(system, name, action, command)?;
        // Where there were no links, those that were made first are as the script wants them.
        if action == Action::Enable && is_enabled(system, name)? {
            break;
        }
    }
    Ok(())
}

/// Takes away its links, before its script goes.
pub(super) fn forget(system: &System, name: &str) -> Result<(), ServiceError> {
    let command = match has_chkconfig(system) {
        true => Command::new("chkconfig").args(["--del", name]),
        false => Command::new("update-rc.d").args(["-f", name, "remove"]),
    };
    run(system, name, Action::Disable, command)
}

/// Whether it starts in one of the runlevels.
pub(super) fn is_enabled(system: &System, name: &str) -> Result<bool, ServiceError> {
    let links = is_linked(system, name);
    links.map_err(|source| ServiceError::Links { name: name.to_owned(), source })
}

/// Scripts run as service(8) runs them: from `/`, with next to nothing in the environment.
pub(super) fn script(name: &str, action: &str) -> Command {
    Command::new(format!("/etc/init.d/{name}"))
        .arg(action)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "dumb")
        .dir("/")
}

/// LSB gives 0 to what runs and 1 to 3 to what does not. Many scripts give something else, which says nothing, and so
/// does one that only explains how it is used: it has no `status`.
pub(super) fn judge(said: &Output) -> Status {
    match said.code {
        0 => Status::Running,
        1..=3 if !explains_itself(said) => Status::Stopped,
        _ => Status::Unknown,
    }
}

fn explains_itself(said: &Output) -> bool {
    [&said.stdout, &said.stderr].into_iter().any(|text| {
        let start = String::from_utf8_lossy(&text[..text.len().min(200)]).to_lowercase();
        start.contains("usage:")
    })
}

fn commands(action: Action, name: &str, chkconfig: bool) -> Vec<Command> {
    let update = |what: &str| Command::new("update-rc.d").args([name, what]);
    let config = |args: [&str; 2]| Command::new("chkconfig").args(args);
    match (action, chkconfig) {
        // `enable` wants links that are there; `defaults` makes them, and leaves those that are.
        (Action::Enable, false) => vec![update("defaults"), update("enable")],
        (Action::Disable, false) => vec![update("disable")],
        (Action::Enable, true) => vec![config(["--add", name]), config([name, "on"])],
        (Action::Disable, true) => vec![config([name, "off"])],
        _ => vec![script(name, action.word())],
    }
}

/// Debian has one tool for the links, Red Hat another.
fn has_chkconfig(system: &System) -> bool {
    let there = |paths: [&str; 2]| paths.into_iter().any(|path| matches!(system.stat(path), Ok(Some(_))));
    there(["/sbin/chkconfig", "/usr/sbin/chkconfig"]) && !there(["/usr/sbin/update-rc.d", "/sbin/update-rc.d"])
}

fn is_linked(system: &System, name: &str) -> Result<bool, FileError> {
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

/// Whether `link`, as in `S01nginx`, starts the service.
fn starts(link: &str, name: &str) -> bool {
    let (start, of) = link.split_at_checked(3).unwrap_or((link, ""));
    of == name && start.starts_with('S') && start[1..].chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: i32, stdout: &str, stderr: &str) -> Output {
        Output { code, stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn exit_codes_say_one_of_three_things() {
        let check = |code, expect| assert_eq!(judge(&said(code, "", "")), expect, "{code}");
        check(0, Status::Running);
        check(1, Status::Stopped);
        check(3, Status::Stopped);
        check(4, Status::Unknown);
        check(127, Status::Unknown);
    }

    /// As the scripts of Debian's cron, memcached and irqbalance say it, and those of some vendors.
    #[test]
    fn a_script_without_a_status_says_nothing() {
        let check = |said: Output, expect| assert_eq!(judge(&said), expect, "{said:?}");
        check(said(3, "", "Usage: /etc/init.d/shop {start|stop|restart|force-reload}\n"), Status::Unknown);
        check(said(2, "Usage: /etc/init.d/cron {start|stop|restart|reload|force-reload}.\n", ""), Status::Unknown);
        check(said(1, " * Usage: shop {start|stop}\n", ""), Status::Unknown);
        check(said(3, "nginx is not running ... failed!\n", ""), Status::Stopped);
        check(said(0, "Usage: 12 % of memory\n", ""), Status::Running);
    }

    #[test]
    fn links_start_one_service() {
        assert!(starts("S01nginx", "nginx"));
        assert!(starts("S0130days", "30days"));
        assert!(!starts("K01nginx", "nginx"));
        assert!(!starts("S01nginx-debug", "nginx"));
        assert!(!starts("Snap", "nap-nap"));
    }

    #[test]
    fn each_distribution_has_its_tool_for_the_links() {
        let check = |action, chkconfig, expect: &[&str]| {
            let lines: Vec<String> = commands(action, "shop", chkconfig).iter().map(Command::line).collect();
            assert_eq!(lines, expect);
        };
        check(Action::Enable, false, &["update-rc.d shop defaults", "update-rc.d shop enable"]);
        check(Action::Enable, true, &["chkconfig --add shop", "chkconfig shop on"]);
        check(Action::Disable, true, &["chkconfig shop off"]);
        check(Action::Restart, true, &["/etc/init.d/shop restart"]);
    }
}
