//! What keeps this host from going on, for whoever asks it: a remote that is away, or that
//! has what does not count, a role that can't leave or rejoin.
//!
//! The file is there only while there is something to tell, and is written only when that changes: a poll that finds
//! nothing writes nothing. Nothing depends on it, so it may be lost.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use crate::system::files;

/// What there is to tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Notices {
    /// The remote is away.
    #[serde(default)]
    pub away: Option<Away>,
    /// Why the roles could not leave or rejoin when that was tried last.
    #[serde(default)]
    pub trouble: Option<String>,
    /// Why the changes or the runner on the remote don't count.
    #[serde(default)]
    pub distrust: Option<String>,
}

/// A remote that can't be reached, or that refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Away {
    /// When that was noticed first, in seconds since 1970, UTC.
    pub since: u64,
    /// The last error, with its causes.
    pub error: String,
    /// Whether it can be reached, and refuses what this host writes.
    #[serde(default)]
    pub refuses: bool,
}

impl Away {
    /// How long it has been away.
    #[must_use]
    pub fn lasted(&self, now: u64) -> String {
        humantime::format_duration(Duration::from_secs(now.saturating_sub(self.since))).to_string()
    }
}

impl Notices {
    /// The remote can't be reached.
    #[must_use]
    pub fn lost(&self, now: u64, error: &str) -> Self {
        self.without(now, error, false)
    }

    /// The remote refuses what this host writes.
    #[must_use]
    pub fn refused(&self, now: u64, error: &str) -> Self {
        self.without(now, error, true)
    }

    fn without(&self, now: u64, error: &str, refuses: bool) -> Self {
        let since = self.away.as_ref().map_or(now, |away| away.since);
        Self { away: Some(Away { since, error: error.to_owned(), refuses }), ..self.clone() }
    }

    /// The remote was read. That tells nothing of whether it still refuses.
    #[must_use]
    pub fn reached(&self) -> Self {
        Self { away: self.away.clone().filter(|away| away.refuses), ..self.clone() }
    }

    /// The remote took what this host wrote.
    #[must_use]
    pub fn heard(&self) -> Self {
        Self { away: None, ..self.clone() }
    }

    /// The roles could not leave or rejoin, or could.
    #[must_use]
    pub fn troubled(&self, trouble: Option<String>) -> Self {
        Self { trouble, ..self.clone() }
    }

    /// What is on the remote does not count, or does.
    #[must_use]
    pub fn distrusting(&self, distrust: Option<String>) -> Self {
        Self { distrust, ..self.clone() }
    }
}

/// The notices, and the machine that keeps them.
pub(super) struct Board<'a> {
    machine: Rc<dyn Machine + 'a>,
    notices: Notices,
}

impl<'a> Board<'a> {
    pub(super) fn of(machine: Rc<dyn Machine + 'a>) -> Self {
        let notices = machine.notices();
        Self { machine, notices }
    }

    pub(super) fn notices(&self) -> &Notices {
        &self.notices
    }

    pub(super) fn keep(&mut self, notices: Notices) {
        if notices != self.notices {
            self.machine.keep_notices(&notices);
            self.notices = notices;
        }
    }
}

/// The notices at `path`. What can't be read tells nothing.
pub(super) fn read(path: &Path) -> Notices {
    let kept = files::read_optional(path).ok().flatten().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    kept.unwrap_or_default()
}

/// Puts other notices at `path`. A disk that is full, or worse, is told about by what must be written.
pub(super) fn write(path: &Path, notices: &Notices) {
    match *notices == Notices::default() {
        true => drop(files::remove(path)),
        false => drop(files::replace(path, serde_json::to_vec(notices).unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remote_is_away_since_it_was_first_missed() {
        let first = Notices::default().lost(100, "no route");
        let second = first.lost(160, "timed out");
        assert_eq!(second.away, Some(Away { since: 100, error: "timed out".into(), refuses: false }));
        assert_eq!(second.away.as_ref().unwrap().lasted(190), "1m 30s");
        assert_eq!(second.away.as_ref().unwrap().lasted(50), "0s", "a clock that was set back");
        assert_eq!(second.reached(), Notices::default());
    }

    #[test]
    fn a_remote_refuses_until_it_takes_something() {
        let refused = Notices::default().refused(100, "no right").reached().refused(160, "no right");
        assert_eq!(refused.away, Some(Away { since: 100, error: "no right".into(), refuses: true }));
        assert_eq!(refused.heard(), Notices::default());
    }

    #[test]
    fn trouble_is_told_beside_it() {
        let notices = Notices::default().lost(100, "no route").troubled(Some("nginx is down".into()));
        assert_eq!(notices.reached().trouble.as_deref(), Some("nginx is down"));
        assert_eq!(notices.reached().troubled(None), Notices::default());
    }

    #[test]
    fn notices_are_read_back_and_gone_when_there_is_nothing_to_tell() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notices.json");
        write(&path, &Notices::default());
        assert!(!files::exists(&path));
        let lost = Notices::default().lost(100, "no route");
        write(&path, &lost);
        assert_eq!(read(&path), lost);
        write(&path, &lost.reached());
        assert!(!files::exists(&path));
    }

    #[test]
    fn a_broken_file_tells_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notices.json");
        files::write(&path, "{", 0o600).unwrap();
        assert_eq!(read(&path), Notices::default());
    }
}
