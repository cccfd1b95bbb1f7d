//! Directories.

use std::path::{Path, PathBuf};

use wb_core::context::Outcome;
use wb_core::system::files::{self, Kind, Stat};

use crate::Host;
use crate::ensure::{Difference, ensure};
use crate::file::{FileError, KindWord, Resolved, Wanted, check_path};

/// The mode of a directory that nobody said a mode for.
const NEW_MODE: u32 = 0o755;

/// A directory. [`Host::directory`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn make_room(host: &Host) -> Result<()> {
///     host.directory("/var/www/shop").owner("www-data").group("www-data").mode(0o750).present()?;
///     Ok(())
/// }
/// # let _ = make_room as fn(&Host) -> Result<()>;
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct Directory<'a> {
    host: Host<'a>,
    path: PathBuf,
    wanted: Wanted,
}

impl<'a> Directory<'a> {
    pub(crate) fn new(host: Host<'a>, path: &Path) -> Self {
        Self { host, path: path.to_owned(), wanted: Wanted::default() }
    }

    /// Whose it is, by name or number. Without this, a new directory is root's.
    pub fn owner(mut self, user: impl Into<String>) -> Self {
        self.wanted.owner = Some(user.into());
        self
    }

    /// Its group, by name or number.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.wanted.group = Some(group.into());
        self
    }

    /// Its permission bits, as in `0o750`. Without this, a new directory has `0o755`.
    pub fn mode(mut self, mode: u32) -> Self {
        self.wanted.mode = Some(mode);
        self
    }

    /// It is there, with this owner, group and mode. Directories above it are made too; what is in it stays.
    ///
    /// # Errors
    /// When something else is at its path, the owner is not there, or it can't be made.
    pub fn present(self) -> Result<Outcome, FileError> {
        let what = format!("directory {} present", self.path.display());
        let found = self.found()?;
        if self.host.plans()
            && let Some(why) = self.wanted.missing_owner(self.host.system())?
        {
            return ensure(self.host, &what, Difference::Unknown(why), || Ok(()));
        }
        let resolved = self.wanted.resolve(self.host.system())?;
        ensure(self.host, &what, diff(found, &resolved), || self.make(found, resolved))
    }

    /// It is not there, and nothing that was in it.
    ///
    /// # Errors
    /// When something else is at its path, or it can't be removed.
    pub fn absent(self) -> Result<Outcome, FileError> {
        let found = self.found()?;
        if self.path.parent().is_none() {
            return Err(FileError::BadPath { path: self.path });
        }
        let difference = if found.is_some() { Difference::Some(None) } else { Difference::None };
        let what = format!("directory {} absent", self.path.display());
        let path = self.host.system().path(&self.path);
        ensure(self.host, &what, difference, || Ok(files::remove_tree(path).map(drop)?))
    }

    fn found(&self) -> Result<Option<Stat>, FileError> {
        check_path(&self.path)?;
        match self.host.system().stat(&self.path)? {
            Some(stat) if stat.kind != Kind::Directory => {
                let path = self.path.clone();
                Err(FileError::InTheWay { path, wanted: "a directory", found: KindWord(stat.kind) })
            }
            found => Ok(found),
        }
    }

    fn make(&self, found: Option<Stat>, resolved: Resolved) -> Result<(), FileError> {
        let mut resolved = resolved;
        if found.is_none() {
            files::create_dir(self.host.system().path(&self.path))?;
            resolved.mode = resolved.mode.or(Some(NEW_MODE));
        }
        Ok(resolved.set(self.host.system(), &self.path)?)
    }
}

fn diff(found: Option<Stat>, wanted: &Resolved) -> Difference {
    let lines = wanted.diff(found);
    match found {
        None => Difference::Some(Some("new".into())),
        Some(_) if lines.is_empty() => Difference::None,
        Some(_) => Difference::Some(Some(lines.join("\n"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Machine, changed};

    #[test]
    fn a_directory_is_made_with_those_above_it() {
        let machine = Machine::new().with_me();
        let ensure =
            || machine.apply(|host| Ok(host.directory("/srv/shop/a").owner("me").group("us").mode(0o750).present()?));
        assert_eq!(ensure().unwrap(), changed("new"));
        assert_eq!(machine.stat("/srv/shop/a").unwrap().mode, 0o750);
        assert_eq!(ensure().unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn its_mode_can_change_alone() {
        let machine = Machine::new().dir("/srv").file("/srv/a", "kept");
        machine.apply(|host| Ok(host.directory("/srv").mode(0o700).present()?)).unwrap();
        let outcome = machine.apply(|host| Ok(host.directory("/srv").mode(0o711).present()?)).unwrap();
        assert_eq!(outcome, changed("mode 0700 -> 0711"));
        assert_eq!(machine.read("/srv/a").as_deref(), Some("kept"));
    }

    #[test]
    fn a_plan_makes_nothing() {
        let machine = Machine::new();
        assert_eq!(machine.plan(|host| Ok(host.directory("/srv").present()?)).unwrap(), changed("new"));
        assert_eq!(machine.stat("/srv"), None);
    }

    #[test]
    fn it_goes_with_all_that_is_in_it() {
        let machine = Machine::new().file("/srv/a/b", "");
        assert!(machine.apply(|host| Ok(host.directory("/srv").absent()?)).unwrap().changed());
        assert_eq!(machine.stat("/srv"), None);
        assert_eq!(machine.apply(|host| Ok(host.directory("/srv").absent()?)).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn the_root_stays() {
        assert!(Machine::new().apply(|host| Ok(host.directory("/").absent()?)).is_err());
    }

    #[test]
    fn a_file_in_its_place_stays() {
        let machine = Machine::new().file("/srv", "kept");
        let error = machine.apply(|host| Ok(host.directory("/srv").present()?)).unwrap_err().to_string();
        assert!(error.starts_with("/srv is to be a directory, and is a file\nhint: "), "{error}");
        assert!(machine.apply(|host| Ok(host.directory("/srv").absent()?)).is_err());
        assert_eq!(machine.read("/srv").as_deref(), Some("kept"));
    }
}
