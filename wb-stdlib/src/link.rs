//! Symbolic links.

use std::path::{Path, PathBuf};

use wb_core::context::{DebtAction, Outcome};
use wb_core::system::files::{self, Kind};

use crate::Host;
use crate::ensure::{Difference, ensure};
use crate::file::{FileError, KindWord, check_path, missing_parent};
use crate::look::Access as _;
use crate::owed::Owes;
use crate::service::Service;

/// A symbolic link. [`Host::link`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn enable_the_site(host: &Host) -> Result<()> {
///     let nginx = host.service("nginx");
///     host.link("/etc/nginx/sites-enabled/shop").reloads(&nginx).to("/etc/nginx/sites-available/shop")?;
///     host.link("/etc/nginx/sites-enabled/default").reloads(&nginx).absent()?;
///     Ok(())
/// }
/// # let _ = enable_the_site as fn(&Host) -> Result<()>;
/// ```
#[must_use = "say what is to be so: `.to(target)?` or `.absent()?`"]
pub struct Link<'a> {
    host: Host<'a>,
    path: PathBuf,
    owes: Owes,
}

impl<'a> Link<'a> {
    pub(crate) fn new(host: Host<'a>, path: &Path) -> Self {
        Self { host, path: path.to_owned(), owes: Owes::default() }
    }

    /// When it changes, the service is reloaded, as with [`File::reloads`](crate::file::File::reloads).
    pub fn reloads(mut self, service: &Service<Host<'_>>) -> Self {
        self.owes.add(DebtAction::Reload, service);
        self
    }

    /// When it changes, the service is restarted, as with [`File::restarts`](crate::file::File::restarts).
    pub fn restarts(mut self, service: &Service<Host<'_>>) -> Self {
        self.owes.add(DebtAction::Restart, service);
        self
    }

    /// It is there, and leads to `target`, whether anything is there or not.
    ///
    /// # Errors
    /// When something other than a link is at its path, or it can't be made.
    pub fn to(self, target: impl AsRef<Path>) -> Result<Outcome, FileError> {
        let target = target.as_ref();
        let what = format!("link {} to {}", self.path.display(), target.display());
        let found = self.found()?;
        if found.is_none()
            && let Some(why) = missing_parent(self.host, &self.path)?
        {
            return ensure(self.host, &what, Difference::Unknown(why), || Ok(()));
        }
        let difference = diff(found.as_deref(), target);
        self.write_debts_down(&difference)?;
        ensure(self.host, &what, difference, || self.make(target))
    }

    /// It is not there. What it leads to stays.
    ///
    /// # Errors
    /// When something other than a link is at its path, or it can't be removed.
    pub fn absent(self) -> Result<Outcome, FileError> {
        let what = format!("link {} absent", self.path.display());
        let difference = match self.found()? {
            None => Difference::None,
            Some(target) => Difference::Some(Some(format!("it led to {}", target.display()))),
        };
        self.write_debts_down(&difference)?;
        let path = self.host.system().path(&self.path);
        ensure(self.host, &what, difference, || Ok(files::remove(path).map(drop)?))
    }

    /// Where it leads now.
    fn found(&self) -> Result<Option<PathBuf>, FileError> {
        check_path(&self.path)?;
        match self.host.system().stat(&self.path)?.map(|stat| stat.kind) {
            None => Ok(None),
            Some(Kind::Link) => Ok(Some(files::read_link(self.host.system().path(&self.path))?)),
            Some(kind) => {
                let path = self.path.clone();
                Err(FileError::InTheWay { path, wanted: "a symbolic link", found: KindWord(kind) })
            }
        }
    }

    fn write_debts_down(&self, difference: &Difference) -> Result<(), FileError> {
        if *difference == Difference::None {
            return Ok(());
        }
        let written = self.owes.write_down(self.host.context());
        written.map_err(|source| FileError::Owe { path: self.path.clone(), source })
    }

    /// The new link takes the place of the old at once.
    fn make(&self, target: &Path) -> Result<(), FileError> {
        let path = self.host.system().path(&self.path);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let new = path.with_file_name(format!(".{name}.new"));
        files::remove(&new)?;
        files::link(target, &new)?;
        Ok(files::rename(&new, &path)?)
    }
}

fn diff(found: Option<&Path>, target: &Path) -> Difference {
    match found {
        Some(found) if found == target => Difference::None,
        Some(found) => Difference::Some(Some(format!("{} -> {}", found.display(), target.display()))),
        None => Difference::Some(Some("new".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Look as _;
    use crate::machine::{Machine, changed};

    #[test]
    fn a_link_is_made_moved_and_removed() {
        let machine = Machine::new().dir("/etc/sites");
        let to = |target: &str| machine.apply(|host| Ok(host.link("/etc/sites/shop").to(target)?));
        assert_eq!(to("/srv/a").unwrap(), changed("new"));
        assert_eq!(to("/srv/a").unwrap(), Outcome::Unchanged);
        assert_eq!(to("/srv/b").unwrap(), changed("/srv/a -> /srv/b"));
        let outcome = machine.apply(|host| Ok(host.link("/etc/sites/shop").absent()?)).unwrap();
        assert_eq!(outcome, changed("it led to /srv/b"));
        assert_eq!(machine.stat("/etc/sites/shop"), None);
    }

    #[test]
    fn a_file_in_its_place_stays() {
        let machine = Machine::new().file("/etc/a", "kept");
        assert!(machine.apply(|host| Ok(host.link("/etc/a").to("/b")?)).is_err());
        assert!(machine.apply(|host| Ok(host.link("/etc/a").absent()?)).is_err());
        assert_eq!(machine.read("/etc/a").as_deref(), Some("kept"));
    }

    #[test]
    fn a_plan_makes_nothing() {
        let machine = Machine::new().dir("/etc");
        assert_eq!(machine.plan(|host| Ok(host.link("/etc/a").to("/b")?)).unwrap(), changed("new"));
        assert_eq!(machine.stat("/etc/a"), None);
        machine.plan(|host| Ok(host.link("/no/a").to("/b")?)).unwrap();
        assert_eq!(machine.said(), "? link /no/a to /b (cannot know: there is no directory /no yet)");
    }

    #[test]
    fn a_moved_link_owes_its_reload() {
        use wb_core::context::Debts as _;
        let machine = Machine::new().dir("/etc");
        machine
            .apply(|host| {
                let nginx = host.service("nginx");
                Ok(host.link("/etc/a").reloads(&nginx).to("/b")?)
            })
            .unwrap();
        assert_eq!(machine.journal.owed().len(), 1);
    }
}
