//! Owner, group and mode, of files and directories alike.

use std::path::Path;

use wb_core::system::files::{self, Attributes, Kind, Stat};
use wb_core::system::{Held, System};

use super::FileError;
use crate::owner::{self, OwnerError};

/// What is wanted, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) owner: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) mode: Option<u32>,
}

impl Wanted {
    pub(crate) fn resolve(&self, system: &System) -> Result<Resolved, OwnerError> {
        Ok(Resolved {
            uid: self.owner.as_deref().map(|name| owner::user(system, name)).transpose()?.map(|user| user.uid),
            gid: self.group.as_deref().map(|name| owner::group(system, name)).transpose()?,
            mode: self.mode,
        })
    }

    /// Who is not there yet: for plans.
    pub(crate) fn missing_owner(&self, system: &System) -> Result<Option<String>, FileError> {
        match self.resolve(system) {
            Err(OwnerError::Nobody { kind, name }) => Ok(Some(format!("there is no {kind} `{name}` yet"))),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(None),
        }
    }
}

/// What is wanted, by number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) mode: Option<u32>,
}

impl Resolved {
    /// A line for each attribute that is not as wanted. What is not there yet will have them from the start.
    pub(crate) fn diff(&self, found: Option<Stat>) -> Vec<String> {
        let Some(found) = found else { return Vec::new() };
        let number = |name: &str, found: u32, wanted: Option<u32>| {
            wanted.filter(|wanted| *wanted != found).map(|wanted| format!("{name} {found} -> {wanted}"))
        };
        let mode = self.mode.filter(|mode| *mode != found.mode);
        let mode = mode.map(|mode| format!("mode {:04o} -> {mode:04o}", found.mode));
        [number("owner", found.uid, self.uid), number("group", found.gid, self.gid), mode]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Sets those that are wanted. The owner goes first: changing it clears set-user-id bits.
    pub(crate) fn set(&self, system: &System, path: &Path) -> Result<(), files::FileError> {
        let path = system.path(path);
        if self.uid.is_some() || self.gid.is_some() {
            files::set_owner(&path, self.uid, self.gid)?;
        }
        match self.mode.or(files::stat(&path)?.map(|stat| stat.mode)) {
            Some(mode) => files::set_mode(&path, mode),
            None => Ok(()),
        }
    }

    /// Sets those that are wanted of what is held. Only files and directories have a mode that counts.
    pub(crate) fn set_on(&self, held: &Held) -> Result<(), files::FileError> {
        let found = held.stat()?;
        if self.uid.is_some() || self.gid.is_some() {
            held.set_owner(self.uid, self.gid)?;
        }
        if matches!(found.kind, Kind::File | Kind::Directory) {
            held.set_mode(self.mode.unwrap_or(found.mode))?;
        }
        held.settle()
    }

    /// All attributes of a file that takes the place of `found`: what nobody said stays as it is.
    pub(crate) fn over(&self, found: Option<Stat>, new_mode: u32) -> Attributes {
        Attributes {
            mode: self.mode.or(found.map(|stat| stat.mode)).unwrap_or(new_mode),
            uid: self.uid.or(found.map(|stat| stat.uid)),
            gid: self.gid.or(found.map(|stat| stat.gid)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUND: Stat =
        Stat { kind: Kind::File, mode: 0o644, uid: 0, gid: 0, size: 3, modified: std::time::Duration::ZERO };

    #[test]
    fn each_attribute_that_differs_is_a_line() {
        let check = |wanted: Resolved, expect: &[&str]| assert_eq!(wanted.diff(Some(FOUND)), expect);
        check(Resolved::default(), &[]);
        check(Resolved { uid: Some(0), gid: Some(0), mode: Some(0o644) }, &[]);
        check(Resolved { uid: Some(104), gid: None, mode: Some(0o4755) }, &["owner 0 -> 104", "mode 0644 -> 4755"]);
        assert_eq!(Resolved { uid: Some(1), ..Resolved::default() }.diff(None), [""; 0]);
    }

    #[test]
    fn what_nobody_said_stays_as_it_was() {
        let wanted = Resolved { gid: Some(5), ..Resolved::default() };
        assert_eq!(wanted.over(Some(FOUND), 0o600), Attributes { mode: 0o644, uid: Some(0), gid: Some(5) });
        assert_eq!(wanted.over(None, 0o600), Attributes { mode: 0o600, uid: None, gid: Some(5) });
    }
}
