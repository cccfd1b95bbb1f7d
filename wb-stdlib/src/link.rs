//! Links: symbolic ones, and further names of the same file.

use std::path::{Path, PathBuf};

use anyhow::Result as Checked;
use wb_core::context::{Context, DebtAction, Outcome};
use wb_core::system::System;
use wb_core::system::files::{self, Kind, Stat};

use crate::ensure::{Difference, ensure};
use crate::file::{FileError, KindWord, check_path, clear, missing_parent, replaced};
use crate::foresight::{self, Thing};
use crate::owed::Owes;
use crate::service::Service;
use crate::{Host, Look};

/// A link. [`Look::link`] makes it.
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
///
/// fn the_site_is_enabled(host: &View) -> Result<()> {
///     host.link("/etc/nginx/sites-enabled/shop").leads_to("/etc/nginx/sites-available/shop")
/// }
/// # wb_stdlib::testing::web1().rehearse(enable_the_site).asks(the_site_is_enabled);
/// ```
#[must_use = "say what is to be so: `.to(target)?` or `.absent()?`"]
pub struct Link<A> {
    access: A,
    path: PathBuf,
    replacing: bool,
    owes: Owes,
}

/// What is at a path.
enum Found {
    Nothing,
    /// A symbolic link, and where it leads.
    Link(PathBuf),
    Else(Stat),
}

impl<A: Look> Link<A> {
    pub(crate) fn new(access: A, path: &Path) -> Self {
        Self { access, path: path.to_owned(), replacing: false, owes: Owes::default() }
    }

    /// Where it leads, as it is written in it; nothing where nothing is.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn serve_the_release(host: &Host, release: &str) -> Result<()> {
    ///     let shop = host.service("shop");
    ///     if let Some(before) = host.link("/srv/shop/current").target()? {
    ///         host.link("/srv/shop/previous").to(before)?;
    ///     }
    ///     host.link("/srv/shop/current").restarts(&shop).replacing().to(release)?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(|host| serve_the_release(host, "/srv/shop/1.2"));
    /// ```
    ///
    /// # Errors
    /// When something other than a symbolic link is there.
    pub fn target(&self) -> Result<Option<PathBuf>, FileError> {
        match self.found()? {
            Found::Nothing => Ok(None),
            Found::Link(target) => Ok(Some(target)),
            Found::Else(stat) => Err(self.in_the_way(stat)),
        }
    }

    /// Checks that it leads to `target`, as it is written in it.
    ///
    /// # Errors
    /// When it leads elsewhere, or is no symbolic link.
    pub fn leads_to(&self, target: impl AsRef<Path>) -> Checked<()> {
        let (path, target) = (self.path.display(), target.as_ref());
        match self.target()? {
            Some(found) if found == target => Ok(()),
            Some(found) => {
                anyhow::bail!("expected {path} to lead to {}, found {}", target.display(), found.display())
            }
            None => anyhow::bail!("expected {path} to lead to {}, found nothing there", target.display()),
        }
    }

    fn found(&self) -> Result<Found, FileError> {
        check_path(&self.path)?;
        Ok(match self.system().stat(&self.path)? {
            None => Found::Nothing,
            Some(stat) if stat.kind == Kind::Link => Found::Link(files::read_link(self.system().path(&self.path))?),
            Some(stat) => Found::Else(stat),
        })
    }

    fn in_the_way(&self, stat: Stat) -> FileError {
        FileError::InTheWay { path: self.path.clone(), wanted: "a symbolic link", found: KindWord(stat.kind) }
    }

    fn system(&self) -> &System {
        self.context().system()
    }

    fn context(&self) -> &Context<'_> {
        self.access.context()
    }
}

impl Link<Host<'_>> {
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

    /// What else is at its path goes: a file, an empty directory. A directory with something in it does not.
    pub fn replacing(mut self) -> Self {
        self.replacing = true;
        self
    }

    /// It is there, a symbolic one, and leads to `target`, whether anything is there or not. It is replaced at once or not
    /// at all, also where it leads to a directory.
    ///
    /// # Errors
    /// When something other than a link is at its path, or it can't be made.
    pub fn to(self, target: impl AsRef<Path>) -> Result<Outcome, FileError> {
        let target = target.as_ref();
        let what = format!("link {} to {}", self.path.display(), target.display());
        let found = self.by_now()?;
        if let Some(why) = self.unknown(&found)? {
            return ensure(self.access, &what, Difference::Unknown(why), || Ok(()));
        }
        let difference = match &found {
            Found::Link(found) if found == target => Difference::None,
            Found::Link(found) => Difference::Some(Some(format!("{} -> {}", found.display(), target.display()))),
            Found::Nothing => Difference::Some(Some("new".into())),
            Found::Else(stat) => Difference::Some(Some(self.replaced(*stat, "a symbolic link")?)),
        };
        self.write_debts_down(&difference)?;
        if self.access.plans() && difference != Difference::None {
            let stat = foresight::new_stat(Kind::Link, 0o777);
            foresight::put(self.context(), &self.path, Thing::Link(stat, target.to_owned()));
        }
        ensure(self.access, &what, difference, || self.make(&found, |new| files::link(target, new)))
    }

    /// It is there, and is another name of the file `target`, which is absolute and on the same file system: a hard link.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn keep_the_old_name(host: &Host) -> Result<()> {
    ///     host.link("/usr/local/bin/shopctl").hard_to("/usr/local/bin/shop")?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().file("/usr/local/bin/shop", "#!/bin/sh\n").rehearse(keep_the_old_name);
    /// ```
    ///
    /// # Errors
    /// When something else is at its path, there is no such file, or it can't be made.
    pub fn hard_to(self, target: impl AsRef<Path>) -> Result<Outcome, FileError> {
        let target = target.as_ref();
        check_path(target)?;
        let what = format!("link {} hard to {}", self.path.display(), target.display());
        let (found, there) = (self.by_now()?, foresight::stat(self.context(), target)?);
        if let Some(why) = self.unknown(&found)?.or_else(|| self.unknown_target(&found, target, there)) {
            return ensure(self.access, &what, Difference::Unknown(why), || Ok(()));
        }
        let (path, at) = (self.system().path(&self.path), self.system().path(target));
        let difference = match &found {
            Found::Nothing => Difference::Some(Some("new".into())),
            Found::Else(_) if files::is_same(&path, &at)? => Difference::None,
            Found::Else(stat) => Difference::Some(Some(self.replaced(*stat, "a hard link")?)),
            Found::Link(_) => {
                let stat = foresight::stat(self.context(), &self.path)?;
                let line = stat.map(|stat| self.replaced(stat, "a hard link")).transpose()?;
                Difference::Some(line)
            }
        };
        self.write_debts_down(&difference)?;
        if difference != Difference::None
            && let Some(stat) = there
        {
            foresight::put(self.context(), &self.path, Thing::Later(stat));
        }
        ensure(self.access, &what, difference, || self.make(&found, |new| files::hard_link(&at, new)))
    }

    /// It is not there. What it leads to stays.
    ///
    /// # Errors
    /// When something other than a symbolic link is at its path, or it can't be removed. [`Host::path`] is for what may be
    /// anything.
    pub fn absent(self) -> Result<Outcome, FileError> {
        let what = format!("link {} absent", self.path.display());
        let difference = match self.by_now()? {
            Found::Nothing => Difference::none_unless(foresight::unknown_at(self.context(), &self.path)),
            Found::Link(target) => Difference::Some(Some(format!("it led to {}", target.display()))),
            Found::Else(stat) => return Err(self.in_the_way(stat)),
        };
        self.write_debts_down(&difference)?;
        if difference != Difference::None {
            foresight::put(self.context(), &self.path, Thing::Nothing);
        }
        let path = self.system().path(&self.path);
        ensure(self.access, &what, difference, || Ok(files::remove(path).map(drop)?))
    }

    /// What is at the path, or would be in a plan.
    fn by_now(&self) -> Result<Found, FileError> {
        check_path(&self.path)?;
        Ok(match foresight::stat(self.context(), &self.path)? {
            None => Found::Nothing,
            Some(stat) if stat.kind == Kind::Link => Found::Link(foresight::target(self.context(), &self.path)?),
            Some(stat) => Found::Else(stat),
        })
    }

    fn unknown(&self, found: &Found) -> Result<Option<String>, FileError> {
        if matches!(found, Found::Nothing) { missing_parent(self.access, &self.path) } else { Ok(None) }
    }

    /// What a plan can't know yet of the file that a hard link is to be another name of.
    fn unknown_target(&self, found: &Found, target: &Path, there: Option<Stat>) -> Option<String> {
        if there.is_none() && self.access.plans() {
            let why = foresight::unknown_at(self.context(), target);
            return why.or_else(|| Some(format!("there is no file {} yet", target.display())));
        }
        // Whether both are one file already is as the host has it.
        let is_there = matches!(found, Found::Else(_));
        let changed = |path: &Path| foresight::replaced(self.context(), path).filter(|_| is_there);
        changed(&self.path).or_else(|| changed(target))
    }

    fn replaced(&self, stat: Stat, wanted: &'static str) -> Result<String, FileError> {
        replaced(self.context(), &self.path, stat, wanted, self.replacing)
    }

    fn write_debts_down(&self, difference: &Difference) -> Result<(), FileError> {
        if !matches!(difference, Difference::Some(_)) {
            return Ok(());
        }
        let written = self.owes.write_down(self.context());
        written.map_err(|source| FileError::Owe { path: self.path.clone(), source })
    }

    /// The new link takes the place of the old at once.
    fn make(&self, found: &Found, link: impl FnOnce(&Path) -> Result<(), files::FileError>) -> Result<(), FileError> {
        let path = self.system().path(&self.path);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let new = path.with_file_name(format!(".{name}.new"));
        files::remove(&new)?;
        link(&new)?;
        if let Found::Else(stat) = found
            && stat.kind == Kind::Directory
        {
            clear(self.system(), &self.path, *stat)?;
        }
        Ok(files::rename(&new, &path)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[test]
    fn a_file_or_an_empty_directory_goes_when_that_is_said() {
        let machine = Machine::new().file("/etc/a", "gone").dir("/etc/b").file("/etc/c/kept", "x");
        let to = |path: &str| machine.apply(|host| Ok(host.link(path).replacing().to("/else")?));
        assert_eq!(to("/etc/a").unwrap(), changed("replaces a file"));
        assert_eq!(to("/etc/b").unwrap(), changed("replaces a directory"));
        assert_eq!(to("/etc/b").unwrap(), Outcome::Unchanged);
        assert!(to("/etc/c").unwrap_err().to_string().contains("is a directory with something in it"));
        assert_eq!(machine.read("/etc/c/kept").as_deref(), Some("x"));
        machine.view(|host| host.link("/etc/a").leads_to("/else")).unwrap();
        let error = machine.view(|host| host.link("/etc/a").leads_to("/there")).unwrap_err();
        assert_eq!(error.to_string(), "expected /etc/a to lead to /there, found /else");
    }

    #[test]
    fn a_link_to_a_directory_is_moved_and_not_followed() {
        let machine = Machine::new().dir("/srv/one").dir("/srv/two");
        for target in ["one", "two"] {
            machine.apply(|host| Ok(host.link("/srv/now").to(target)?)).unwrap();
        }
        machine.view(|host| host.link("/srv/now").leads_to("two")).unwrap();
        assert_eq!(files::list(machine.path("/srv/one")).unwrap(), [""; 0].map(std::path::PathBuf::from));
    }

    #[test]
    fn a_hard_link_is_another_name_of_a_file() {
        let machine = Machine::new().file("/bin/shop", "x").file("/bin/other", "y");
        let hard = |path: &str| machine.apply(|host| Ok(host.link(path).hard_to("/bin/shop")?));
        assert_eq!(hard("/bin/shopctl").unwrap(), changed("new"));
        assert_eq!(hard("/bin/shopctl").unwrap(), Outcome::Unchanged);
        assert!(
            hard("/bin/other").unwrap_err().to_string().starts_with("/bin/other is to be a hard link, and is a file")
        );
        let replaced = machine.apply(|host| Ok(host.link("/bin/other").replacing().hard_to("/bin/shop")?)).unwrap();
        assert_eq!((replaced, machine.read("/bin/other").as_deref()), (changed("replaces a file"), Some("x")));
        machine.plan(|host| Ok(host.link("/bin/a").hard_to("/bin/none")?)).unwrap();
        assert_eq!(machine.said(), "? link /bin/a hard to /bin/none (cannot know: there is no file /bin/none yet)");
        assert!(machine.apply(|host| Ok(host.link("/bin/a").hard_to("/bin/none")?)).is_err());
    }
}
