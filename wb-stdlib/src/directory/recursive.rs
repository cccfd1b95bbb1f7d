//! A directory and all that is in it: owner, group and modes.

use std::path::{Path, PathBuf};

use wb_core::context::Outcome;
use wb_core::system::System;
use wb_core::system::files::{self, Kind, Stat};

use super::listed;
use crate::Host;
use crate::ensure::{Difference, ensure};
use crate::file::{FileError, KindWord, Resolved, Wanted, check_path};

/// A directory with all that is in it. [`Directory::recursively`](super::Directory::recursively) makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn give_it_to_the_shop(host: &Host) -> Result<()> {
///     host.directory("/srv/shop").owner("shop").group("shop").recursively().file_mode(0o640).dir_mode(0o750).set()?;
///     Ok(())
/// }
/// # let _ = give_it_to_the_shop as fn(&Host) -> Result<()>;
/// ```
#[must_use = "say what is to be so: `.set()?`"]
pub struct Recursive<'a> {
    host: Host<'a>,
    path: PathBuf,
    wanted: Wanted,
    file_mode: Option<u32>,
    dir_mode: Option<u32>,
}

/// A path that is not as wanted.
struct Deviant {
    path: PathBuf,
    kind: Kind,
    wanted: Resolved,
}

impl<'a> Recursive<'a> {
    pub(super) fn new(host: Host<'a>, path: PathBuf, wanted: Wanted) -> Self {
        Self { host, path, wanted, file_mode: None, dir_mode: None }
    }

    /// Whose all of it is, by name or number.
    pub fn owner(mut self, user: impl Into<String>) -> Self {
        self.wanted.owner = Some(user.into());
        self
    }

    /// The group of all of it, by name or number.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.wanted.group = Some(group.into());
        self
    }

    /// The permission bits of all files, as in `0o640`.
    pub fn file_mode(mut self, mode: u32) -> Self {
        self.file_mode = Some(mode);
        self
    }

    /// The permission bits of all directories, as in `0o750`. One that [`Directory::mode`](super::Directory::mode) says is
    /// that of the directory at the top.
    pub fn dir_mode(mut self, mode: u32) -> Self {
        self.dir_mode = Some(mode);
        self
    }

    /// All of it is so. Symbolic links are not followed: they get the owner and the group, and what they lead to is not
    /// touched.
    ///
    /// # Errors
    /// When there is no such directory or owner, or something can't be set.
    pub fn set(self) -> Result<Outcome, FileError> {
        let (what, system) = (format!("directory {} recursively set", self.path.display()), self.host.system());
        check_path(&self.path)?;
        if let Some(why) = self.unknown()? {
            return ensure(self.host, &what, Difference::Unknown(why), || Ok(()));
        }
        let resolved = self.wanted.resolve(system)?;
        let (mut deviants, mut lines) = (Vec::new(), Vec::new());
        self.walk(&resolved, &mut |path, stat, wanted| {
            let diff = wanted.diff(Some(stat));
            if !diff.is_empty() {
                lines.push(format!("{} {}", path.display(), diff.join(", ")));
                deviants.push(Deviant { path: path.to_owned(), kind: stat.kind, wanted });
            }
        })?;
        let difference = if lines.is_empty() { Difference::None } else { Difference::Some(Some(listed(&lines))) };
        ensure(self.host, &what, difference, || deviants.iter().try_for_each(|deviant| deviant.set(system)))
    }

    fn unknown(&self) -> Result<Option<String>, FileError> {
        let path = || self.path.clone();
        match self.host.system().stat(&self.path)?.map(|stat| stat.kind) {
            Some(Kind::Directory) => {}
            Some(kind) => {
                return Err(FileError::InTheWay { path: path(), wanted: "a directory", found: KindWord(kind) });
            }
            None if self.host.plans() => return Ok(Some(format!("there is no directory {} yet", self.path.display()))),
            None => return Err(FileError::NoDirectory { parent: path(), path: path() }),
        }
        if self.host.plans() { self.wanted.missing_owner(self.host.system()) } else { Ok(None) }
    }

    /// Shows every path, from the top, with what it is and what is wanted of it.
    fn walk(&self, resolved: &Resolved, see: &mut dyn FnMut(&Path, Stat, Resolved)) -> Result<(), FileError> {
        let system = self.host.system();
        let mut left = vec![self.path.clone()];
        while let Some(path) = left.pop() {
            // What goes meanwhile is not there any more.
            let Some(stat) = system.stat(&path)? else { continue };
            let mode = match stat.kind {
                Kind::File => self.file_mode,
                Kind::Directory if path == self.path => resolved.mode.or(self.dir_mode),
                Kind::Directory => self.dir_mode,
                Kind::Link | Kind::Other => None,
            };
            see(&path, stat, Resolved { mode, ..*resolved });
            if stat.kind == Kind::Directory {
                let below = files::list(system.path(&path))?;
                left.extend(below.iter().rev().filter_map(|below| Some(path.join(below.file_name()?))));
            }
        }
        Ok(())
    }
}

impl Deviant {
    fn set(&self, system: &System) -> Result<(), FileError> {
        let Self { path, kind, wanted } = self;
        match kind {
            Kind::Link => Ok(files::set_owner(system.path(path), wanted.uid, wanted.gid)?),
            Kind::File | Kind::Directory | Kind::Other => Ok(wanted.set(system, path)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Look;
    use crate::machine::{Machine, changed};

    fn machine() -> Machine {
        let machine = Machine::new().with_me().file("/srv/a", "x").file("/srv/dir/b", "x").file("/else", "x");
        machine.apply(|host| Ok(host.link("/srv/link").to("../else")?)).unwrap();
        machine
    }

    #[test]
    fn modes_are_set_for_files_and_for_directories() {
        let machine = machine();
        let set = |host: &Host| Ok(host.directory("/srv").recursively().file_mode(0o600).dir_mode(0o700).set()?);
        let planned = machine.plan(set).unwrap();
        assert_eq!(machine.stat("/srv/a").unwrap().mode, 0o644);
        assert_eq!(machine.apply(set).unwrap(), planned);
        for (path, mode) in [("/srv", 0o700), ("/srv/dir", 0o700), ("/srv/a", 0o600), ("/srv/dir/b", 0o600)] {
            assert_eq!(machine.stat(path).unwrap().mode, mode, "{path}");
        }
        assert_eq!(machine.stat("/else").unwrap().mode, 0o644, "links are not followed");
        assert_eq!(machine.apply(set).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn what_is_so_stays_and_the_top_may_differ() {
        let machine = machine();
        let mine = |host: &Host| Ok(host.directory("/srv").owner("me").group("us").recursively().set()?);
        assert_eq!(machine.apply(mine).unwrap(), Outcome::Unchanged);
        let top = |host: &Host| Ok(host.directory("/srv").mode(0o711).recursively().set()?);
        let found = machine.stat("/srv").unwrap().mode;
        assert_eq!(machine.apply(top).unwrap(), changed(&format!("/srv mode {found:04o} -> 0711")));
    }

    #[test]
    fn what_is_not_there_yet_is_not_known_in_a_plan() {
        let machine = Machine::new();
        let set = |host: &Host| Ok(host.directory("/srv").recursively().file_mode(0o600).set()?);
        machine.plan(set).unwrap();
        assert_eq!(machine.said(), "? directory /srv recursively set (cannot know: there is no directory /srv yet)");
        assert!(machine.apply(set).unwrap_err().to_string().starts_with("there is no directory /srv"));
    }
}
