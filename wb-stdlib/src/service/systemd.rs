//! Units of systemd.

use std::time::Duration;

use wb_core::system::{Command, System};

use super::{Action, Facts, ServiceError, Status, initd};

const SHOW_BOUND: Duration = Duration::from_secs(60);

pub(super) fn facts(system: &System, name: &str) -> Result<Option<Facts>, ServiceError> {
    let show = systemctl().args(["show", "-p", "LoadState,ActiveState,UnitFileState", "--", name]).timeout(SHOW_BOUND);
    let said = system.read_command(&show).map_err(|source| ServiceError::Look { name: name.to_owned(), source })?;
    let unit = Unit::parse(&said);
    let Some(enabled) = unit.enabled() else {
        let links = |source| ServiceError::Links { name: name.to_owned(), source };
        let enabled = initd::is_enabled(system, name.trim_end_matches(".service")).map_err(links)?;
        return Ok(unit.facts(enabled));
    };
    Ok(unit.facts(enabled))
}

/// A unit file that was written a moment ago is read first.
pub(super) fn commands(action: Action, name: &str) -> Vec<Command> {
    vec![systemctl().arg("daemon-reload"), systemctl().args([action.word(), "--", name])]
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
}

impl<'a> Unit<'a> {
    fn parse(text: &'a str) -> Self {
        let mut unit = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match name {
                "LoadState" => unit.load = value,
                "ActiveState" => unit.active = value,
                "UnitFileState" => unit.file = value,
                _ => {}
            }
        }
        unit
    }

    fn facts(&self, enabled: bool) -> Option<Facts> {
        (self.load != "not-found").then_some(Facts { status: self.status(), enabled })
    }

    fn status(&self) -> Status {
        match self.active {
            "active" | "reloading" | "refreshing" => Status::Running,
            "inactive" | "failed" => Status::Stopped,
            _ => Status::Unknown,
        }
    }

    /// As `systemctl is-enabled` judges; nothing where the unit was made of an init script, whose links decide.
    fn enabled(&self) -> Option<bool> {
        match self.file {
            "generated" => None,
            "enabled" | "enabled-runtime" | "static" | "alias" | "indirect" => Some(true),
            _ => Some(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_read_from_what_systemctl_shows() {
        let check = |text: &str, expect: Option<Facts>| {
            let unit = Unit::parse(text);
            assert_eq!(unit.facts(unit.enabled().unwrap_or(false)), expect, "{text}");
        };
        let facts = |status, enabled| Some(Facts { status, enabled });
        check("LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n", facts(Status::Running, true));
        check("LoadState=loaded\nActiveState=failed\nUnitFileState=disabled\n", facts(Status::Stopped, false));
        check("LoadState=loaded\nActiveState=activating\nUnitFileState=static\n", facts(Status::Unknown, true));
        check("LoadState=masked\nActiveState=inactive\nUnitFileState=masked\n", facts(Status::Stopped, false));
        check("LoadState=not-found\nActiveState=inactive\nUnitFileState=\n", None);
    }

    #[test]
    fn a_unit_made_of_an_init_script_leaves_it_to_the_links() {
        assert_eq!(Unit::parse("LoadState=loaded\nActiveState=active\nUnitFileState=generated").enabled(), None);
    }
}
