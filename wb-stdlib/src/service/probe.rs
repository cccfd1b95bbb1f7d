//! How to tell whether a service runs whose script does not say so.

use std::path::{Path, PathBuf};

use wb_core::system::System;
use wb_core::system::files::FileError;

use super::Status;
use crate::processes;

/// No file with a number is longer than that.
const LONGEST: u64 = 4096;

/// What is looked at: a process by its number, by its name, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) pidfile: Option<PathBuf>,
    pub(super) process: Option<String>,
}

impl Probe {
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn status(&self, system: &System) -> Result<Status, FileError> {
        let runs = match (&self.pidfile, &self.process) {
            (Some(path), name) => runs_by_number(system, path, name.as_deref())?,
            (None, Some(name)) => processes::all(system)?.any(|process| process.is(name)),
            (None, None) => return Ok(Status::Unknown),
        };
        Ok(if runs { Status::Running } else { Status::Stopped })
    }

    /// As it is written down with a debt. No name of a service has a tab in it.
    pub(super) fn write(&self, name: &str) -> String {
        let mut text = name.to_owned();
        if let Some(path) = &self.pidfile {
            text += &format!("\tpidfile={}", path.display());
        }
        if let Some(process) = &self.process {
            text += &format!("\tprocess={process}");
        }
        text
    }

    /// Reads what [`Probe::write`] gave.
    pub(super) fn read(text: &str) -> (&str, Self) {
        let mut parts = text.split('\t');
        let name = parts.next().unwrap_or_default();
        let mut probe = Self::default();
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            match key {
                "pidfile" => probe.pidfile = Some(value.into()),
                "process" => probe.process = Some(value.to_owned()),
                _ => {}
            }
        }
        (name, probe)
    }
}

/// A file that a dead process left behind may hold the number of another: its name tells them apart.
fn runs_by_number(system: &System, path: &Path, name: Option<&str>) -> Result<bool, FileError> {
    if system.stat(path)?.is_none_or(|stat| stat.size > LONGEST) {
        return Ok(false);
    }
    let text = system.read_file(path)?.unwrap_or_default();
    let number = String::from_utf8_lossy(&text).split_whitespace().next().and_then(|word| word.parse().ok());
    let process = number.and_then(|number| processes::one(system, number));
    Ok(process.is_some_and(|process| name.is_none_or(|name| process.is(name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_read_again() {
        let check = |pidfile: Option<&str>, process: Option<&str>, expect: &str| {
            let probe = Probe { pidfile: pidfile.map(Into::into), process: process.map(Into::into) };
            assert_eq!(probe.write("shop"), expect);
            assert_eq!(Probe::read(expect), ("shop", probe));
        };
        check(None, None, "shop");
        check(Some("/run/a b.pid"), None, "shop\tpidfile=/run/a b.pid");
        check(Some("/run/shop.pid"), Some("shopd"), "shop\tpidfile=/run/shop.pid\tprocess=shopd");
    }
}
