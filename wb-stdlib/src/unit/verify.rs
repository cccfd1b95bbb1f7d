//! What `systemd-analyze` says of units, before they are written.

use std::time::Duration;

use wb_core::system::files::{self, Attributes, FileError};
use wb_core::system::{Command, CommandError, Output, System};

use super::UnitError;
use crate::service::systemd;

/// Where candidates lie. What lies beside a candidate counts more than all that is installed.
const ROOM: &str = "/run/wildebeest/units";
const BOUND: Duration = Duration::from_secs(60);

/// Lets `systemd-analyze verify` look at a unit, or at one with a drop-in, as it will be. Says nothing where that is
/// not installed.
pub(super) fn verify(system: &System, unit: &str, dropin: Option<&str>, content: &[u8]) -> Result<(), UnitError> {
    let laid_out = lay_out(system, unit, dropin, content)?;
    let said = if laid_out { ask(system, &format!("{ROOM}/{unit}")) } else { Ok(None) };
    files::remove_tree(system.path(ROOM))?;
    match said {
        Ok(Some((command, said))) => judge(unit, &command, said),
        Ok(None) => Ok(()),
        Err(source) => Err(UnitError::Verify { unit: unit.to_owned(), source }),
    }
}

/// Checks a time of a calendar. Says nothing where `systemd-analyze` is not installed.
pub(super) fn calendar(system: &System, timer: &str, expression: &str) -> Result<(), UnitError> {
    let bad = |source| UnitError::BadCalendar { timer: timer.to_owned(), expression: expression.to_owned(), source };
    if expression.trim().is_empty() || expression.contains(char::is_control) {
        return Err(bad(None));
    }
    match system.read_command(&analyze(&["calendar", "--", expression])) {
        Ok(_) | Err(CommandError::NotFound { .. }) => Ok(()),
        Err(error) => Err(bad(Some(error))),
    }
}

/// False when there is nothing that the drop-in comes on top of.
fn lay_out(system: &System, unit: &str, dropin: Option<&str>, content: &[u8]) -> Result<bool, FileError> {
    let put = |path: String, content: &[u8]| {
        let path = system.path(path);
        path.parent().map_or(Ok(()), files::create_dir)?;
        files::write_with(path, content, Attributes::mode(0o644))
    };
    // What a crash has left.
    files::remove_tree(system.path(ROOM))?;
    let Some(dropin) = dropin else {
        put(format!("{ROOM}/{unit}"), content)?;
        return Ok(true);
    };
    let Some(below) = systemd::unit_file(system, unit)? else { return Ok(false) };
    let Some(below) = system.read_file(below)? else { return Ok(false) };
    put(format!("{ROOM}/{unit}"), &below)?;
    put(format!("{ROOM}/{unit}.d/{dropin}.conf"), content)?;
    Ok(true)
}

fn ask(system: &System, path: &str) -> Result<Option<(Command, Output)>, CommandError> {
    let command = analyze(&["verify", "--man=no", "--", path]);
    match system.run(&command) {
        Ok(said) => Ok(Some((command, said))),
        Err(CommandError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn analyze(args: &[&str]) -> Command {
    Command::new("systemd-analyze")
        .args(args)
        .env("LC_ALL", "C.UTF-8")
        .env("SYSTEMD_LOG_TARGET", "console")
        .timeout(BOUND)
}

fn judge(unit: &str, command: &Command, said: Output) -> Result<(), UnitError> {
    let ignored = ignored(&said.error_text());
    if said.code == 0 && !ignored.is_empty() {
        return Err(UnitError::Ignored { unit: unit.to_owned(), said: ignored });
    }
    said.success(command).map(drop).map_err(|source| UnitError::Refused { unit: unit.to_owned(), source })
}

/// The lines that say of our candidate that a part of it is ignored: `/run/…/shop.service:3: Unknown key name 'Usr' in
/// section 'Service', ignoring.` Those of other units that are read with it are somebody else's.
fn ignored(text: &str) -> String {
    let of_ours = |line: &&str| line.contains(ROOM) && line.to_lowercase().contains("ignoring");
    let lines: Vec<String> = text.lines().filter(of_ours).map(|line| line.replace(&format!("{ROOM}/"), "")).collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_would_ignore_is_found() {
        let check = |text: &str, expect: &str| assert_eq!(ignored(text), expect);
        check("", "");
        // systemd 252.
        check(
            "/run/wildebeest/units/shop.service:3: Unknown key 'Usr' in section [Service], ignoring.\n\
             /run/wildebeest/units/shop.service:4: Failed to parse service restart specifier, ignoring: alwys\n\
             /run/wildebeest/units/shop.service:5: Unknown section 'Servic'. Ignoring.\n",
            "shop.service:3: Unknown key 'Usr' in section [Service], ignoring.; \
             shop.service:4: Failed to parse service restart specifier, ignoring: alwys; \
             shop.service:5: Unknown section 'Servic'. Ignoring.",
        );
        // As other versions say it.
        check(
            "/run/wildebeest/units/shop.service:3: Unknown key name 'Usr' in section 'Service', ignoring.\n",
            "shop.service:3: Unknown key name 'Usr' in section 'Service', ignoring.",
        );
        check(
            "/run/wildebeest/units/shop.service:7: Unknown section 'Servic'. Ignoring.\n\
             /lib/systemd/system/plymouth-start.service:17: Unit configured to use KillMode=none. Ignoring.\n",
            "shop.service:7: Unknown section 'Servic'. Ignoring.",
        );
        check("/lib/systemd/system/other.service:1: Unknown key name 'X', ignoring.\n", "");
        check("/run/wildebeest/units/a.service:2: PIDFile= references a path below legacy directory, updating.\n", "");
    }
}
