//! Owner, group and mode, of files and directories alike.

use std::path::Path;

use wb_core::context::Context;
use wb_core::system::files::{self, Attributes, Kind, Stat};
use wb_core::system::{Held, System};

use super::{FileError, capability, extended};
use crate::foresight;
use crate::owner::OwnerError;

/// The bits that let a program act as its owner, or as its group.
const SET_ID: u32 = 0o6000;

/// What is wanted, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) owner: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) mode: Option<u32>,
}

impl Wanted {
    pub(crate) fn resolve(&self, context: &Context<'_>) -> Result<Resolved, OwnerError> {
        Ok(Resolved {
            uid: self.owner.as_deref().map(|name| foresight::uid(context, name)).transpose()?,
            gid: self.group.as_deref().map(|name| foresight::gid(context, name)).transpose()?,
            mode: self.mode,
        })
    }

    /// Who is not there yet, or has no number yet that a line about `found` would have: for plans.
    pub(crate) fn missing_owner(
        &self,
        context: &Context<'_>,
        found: Option<Stat>,
    ) -> Result<Option<String>, FileError> {
        match self.resolve(context) {
            Err(OwnerError::Nobody { kind, name }) => Ok(Some(format!("there is no {kind} `{name}` yet"))),
            Err(error) => Err(error.into()),
            Ok(resolved) => Ok(resolved.is_unnumbered(found).then(|| foresight::UNNUMBERED.to_owned())),
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
        let mode = Some(self.mode_over(found)).filter(|mode| *mode != found.mode);
        let mode = mode.map(|mode| format!("mode {:04o} -> {mode:04o}", found.mode));
        [number("owner", found.uid, self.uid), number("group", found.gid, self.gid), mode]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Whether a line of [`Resolved::diff`] would have a number that only stands for somebody who is not there yet.
    pub(crate) fn is_unnumbered(&self, found: Option<Stat>) -> bool {
        let is_new = foresight::is_stand_in;
        let shows = |found: u32, wanted: Option<u32>| {
            wanted.is_some_and(|wanted| wanted != found && (is_new(wanted) || is_new(found)))
        };
        found.is_some_and(|found| shows(found.uid, self.uid) || shows(found.gid, self.gid))
    }

    /// Whether owner or group change.
    fn moves(&self, found: Stat) -> bool {
        self.uid.is_some_and(|uid| uid != found.uid) || self.gid.is_some_and(|gid| gid != found.gid)
    }

    /// The permission bits that it is to have. Where nobody said them, a program keeps its set-id bits under another owner
    /// only where it was root's before: nobody else's program may come to act as somebody, see chown(2).
    fn mode_over(&self, found: Stat) -> u32 {
        let loses = found.kind == Kind::File && found.uid != 0 && self.moves(found);
        self.mode.unwrap_or(if loses { found.mode & !SET_ID } else { found.mode })
    }

    /// Sets those that are wanted of what is at `path`.
    pub(crate) fn set(&self, system: &System, path: &Path) -> Result<(), files::FileError> {
        let directory = system.path(path.parent().unwrap_or(path));
        match Held::below(directory, path.file_name().unwrap_or_default())? {
            Some(held) => self.set_on(system, &held),
            None => {
                let (path, source) = (system.path(path), std::io::ErrorKind::NotFound.into());
                Err(files::FileError { action: "set owner and mode of", path, source })
            }
        }
    }

    /// [`Resolved::set`], of what is held. A change of the owner clears set-id bits and capabilities: a program that is to keep
    /// some takes its place anew, or a run that is killed in between would leave it without them, and nobody would know. Where
    /// it can't, they are set again after that. Only files and directories have a mode that counts.
    pub(crate) fn set_on(&self, system: &System, held: &Held) -> Result<(), files::FileError> {
        let found = held.stat()?;
        if self.moves(found) {
            let keeps = found.kind == Kind::File && found.uid == 0;
            let capabilities = if keeps { held.xattr(capability::NAME)? } else { None };
            let has_rights = keeps && self.mode_over(found) & SET_ID != 0 || capabilities.is_some();
            if has_rights && let Some(xattrs) = extended::of_program(system, held)? {
                return held.replace(self.over(Some(found), found.mode), &xattrs);
            }
            held.set_owner(self.uid, self.gid)?;
            capabilities.map_or(Ok(()), |value| held.set_xattr(capability::NAME, &value))?;
        }
        let mode = self.mode_over(found);
        if matches!(found.kind, Kind::File | Kind::Directory) && held.stat()?.mode != mode {
            held.set_mode(mode)?;
        }
        held.settle()
    }

    /// All attributes of a file that takes the place of `found`: what nobody said stays as it is.
    pub(crate) fn over(&self, found: Option<Stat>, new_mode: u32) -> Attributes {
        Attributes {
            mode: found.map_or_else(|| self.mode.unwrap_or(new_mode), |stat| self.mode_over(stat)),
            uid: self.uid.or(found.map(|stat| stat.uid)),
            gid: self.gid.or(found.map(|stat| stat.gid)),
        }
    }

    /// What is known of it then, for who foresees it.
    pub(crate) fn stat(&self, kind: Kind, found: Option<Stat>, new_mode: u32) -> Stat {
        let Attributes { mode, uid, gid } = self.over(found, new_mode);
        let new = foresight::new_stat(kind, mode);
        Stat { uid: uid.unwrap_or(new.uid), gid: gid.unwrap_or(new.gid), ..new }
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
    fn numbers_that_only_stand_for_somebody_are_in_no_line() {
        let check = |found: u32, wanted: Option<u32>, expect: bool| {
            let (found, wanted) = (Stat { uid: found, ..FOUND }, Resolved { uid: wanted, ..Resolved::default() });
            assert_eq!(wanted.is_unnumbered(Some(found)), expect, "{wanted:?}");
            assert!(!wanted.is_unnumbered(None));
        };
        let new = 4_294_000_001;
        assert!(foresight::is_stand_in(new));
        check(0, Some(33), false);
        check(0, Some(new), true);
        check(new, Some(33), true);
        check(new, Some(new), false);
        check(new, None, false);
    }

    #[test]
    fn only_what_was_roots_keeps_its_set_id_bits_under_another_owner() {
        let check = |found: Stat, wanted: Resolved, expect: u32| {
            assert_eq!(wanted.over(Some(found), 0o600).mode, expect, "{found:?} {wanted:?}");
            assert_eq!(wanted.diff(Some(found)).iter().any(|line| line.starts_with("mode ")), expect != found.mode);
        };
        let roots = Stat { mode: 0o6755, ..FOUND };
        let annas = Stat { uid: 1000, ..roots };
        let owned = |uid| Resolved { uid: Some(uid), ..Resolved::default() };
        check(roots, owned(1000), 0o6755);
        check(roots, Resolved { gid: Some(5), ..Resolved::default() }, 0o6755);
        check(annas, owned(1000), 0o6755);
        check(annas, owned(0), 0o755);
        check(annas, Resolved { mode: Some(0o4711), ..owned(0) }, 0o4711);
        check(Stat { kind: Kind::Directory, ..annas }, owned(0), 0o6755);
    }

    #[test]
    fn what_nobody_said_stays_as_it_was() {
        let wanted = Resolved { gid: Some(5), ..Resolved::default() };
        assert_eq!(wanted.over(Some(FOUND), 0o600), Attributes { mode: 0o644, uid: Some(0), gid: Some(5) });
        assert_eq!(wanted.over(None, 0o600), Attributes { mode: 0o600, uid: None, gid: Some(5) });
    }
}
