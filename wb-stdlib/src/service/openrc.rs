//! OpenRC: scripts of its own, and those of LSB, in one directory.
//!
//! What OpenRC itself knows of a script of LSB is nothing: `rc-status` shows it stopped whatever it does. So each
//! script is asked for its `status`, and OpenRC's own scripts give there what OpenRC knows.

use wb_core::system::files::{self, FileError};
use wb_core::system::{Command, Output, System};

use super::{Action, ServiceError, Status, initd, run};

/// The exit code for a service that was started and whose process is gone.
const CRASHED: i32 = 32;
const RUNLEVELS: &str = "/etc/runlevels";

pub(super) fn status(system: &System, name: &str) -> Result<Status, ServiceError> {
    Ok(judge(&initd::ask(system, name)?))
}

pub(super) fn is_enabled(system: &System, name: &str) -> Result<bool, ServiceError> {
    Ok(!runlevels(system, name)?.is_empty())
}

pub(super) fn act(system: &System, name: &str, action: Action) -> Result<(), ServiceError> {
    let commands = match action {
        Action::Enable => vec![Command::new("rc-update").args(["add", name, "default"])],
        Action::Disable => delete(system, name)?,
        Action::Start if counts_as_started(system, name)? => {
            vec![initd::script(name, "zap"), initd::script(name, "start")]
        }
        _ => vec![initd::script(name, action.word())],
    };
    commands.into_iter().try_for_each(|command| run(system, name, action, command))
}

/// What has crashed counts as started, and is not started again; so does what was lost without OpenRC's knowing, as
/// where Debian's `start-stop-daemon` has started it.
fn counts_as_started(system: &System, name: &str) -> Result<bool, ServiceError> {
    match initd::ask(system, name)?.code {
        CRASHED => Ok(true),
        0 => is_its_own(system, name),
        _ => Ok(false),
    }
}

/// Whether its script is one of OpenRC, and not of LSB.
fn is_its_own(system: &System, name: &str) -> Result<bool, ServiceError> {
    let look = |source| ServiceError::Links { name: name.to_owned(), source };
    let script = system.read_file(format!("/etc/init.d/{name}")).map_err(look)?.unwrap_or_default();
    let first = script.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(first).contains("openrc-run"))
}

/// Takes away its links, before its script goes.
pub(super) fn forget(system: &System, name: &str) -> Result<(), ServiceError> {
    delete(system, name)?.into_iter().try_for_each(|command| run(system, name, Action::Disable, command))
}

/// Each runlevel is named: of one that has no such link, `rc-update` makes an error.
fn delete(system: &System, name: &str) -> Result<Vec<Command>, ServiceError> {
    let runlevels = runlevels(system, name)?;
    let command = Command::new("rc-update").args(["delete", name]).args(&runlevels);
    Ok(if runlevels.is_empty() { Vec::new() } else { vec![command] })
}

/// The runlevels in which it starts.
fn runlevels(system: &System, name: &str) -> Result<Vec<String>, ServiceError> {
    let links = |source: FileError| ServiceError::Links { name: name.to_owned(), source };
    let directory = system.path(RUNLEVELS);
    if !files::exists(&directory) {
        return Ok(Vec::new());
    }
    let all = files::list(&directory).map_err(links)?;
    let of = all.iter().filter(|runlevel| files::exists(runlevel.join(name)));
    Ok(of.filter_map(|runlevel| Some(runlevel.file_name()?.to_string_lossy().into_owned())).collect())
}

/// OpenRC's scripts give 4, 8 and 16 to what is stopping, starting, or started and inactive.
fn judge(said: &Output) -> Status {
    match said.code {
        CRASHED => Status::Stopped,
        _ => initd::judge(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_of_openrc_are_known() {
        let check = |code, expect| {
            let said = Output { code, ..Output::default() };
            assert_eq!(judge(&said), expect, "{code}");
        };
        check(0, Status::Running);
        check(3, Status::Stopped);
        check(32, Status::Stopped);
        check(4, Status::Unknown);
        check(8, Status::Unknown);
        check(16, Status::Unknown);
    }
}
