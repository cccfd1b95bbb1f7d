//! Units of systemd: files of a host's own, drop-ins, and timers.
//!
//! systemd keeps what it has read of a unit. That it must read it again is written down before the file changes, and
//! done once: before it is told anything else of a service, or at the end of the migration, or by the next run after a
//! crash.

mod error;
mod timer;
mod verify;

use std::path::PathBuf;

use anyhow::Result;
use wb_core::context::{DebtAction, Outcome};
use wb_core::system::System;

use crate::file::File;
use crate::service::{Service, systemd};
use crate::{Host, Look, Template, owed};
pub use error::UnitError;
pub use timer::Timer;

/// The mode of units: everybody may read them.
const MODE: u32 = 0o644;

/// A unit, or a drop-in of one. [`Look::unit`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn run_the_shop(host: &Host) -> Result<()> {
///     let shop = host.service("shop");
///     host.unit("shop.service")
///         .content("[Service]\nExecStart=/usr/local/bin/shop\nUser=shop\n\n[Install]\nWantedBy=multi-user.target\n")
///         .restarts(&shop)
///         .present()?;
///     shop.enabled_and_running()?;
///
///     let nginx = host.service("nginx");
///     let limits = "[Service]\nLimitNOFILE=65536\n";
///     host.unit("nginx.service").dropin("limits").content(limits).restarts(&nginx).present()?;
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().rehearse(run_the_shop);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct Unit<A> {
    access: A,
    name: String,
    dropin: Option<String>,
    content: Vec<u8>,
    owes: Vec<(DebtAction, Service<A>)>,
    is_verified: bool,
}

impl<A: Look> Unit<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        let name = name.to_owned();
        Self { access, name, dropin: None, content: Vec::new(), owes: Vec::new(), is_verified: true }
    }

    /// The drop-in `name` of the unit, in place of the unit itself: `limits` is
    /// `/etc/systemd/system/nginx.service.d/limits.conf`. What it says comes on top of the unit of the package.
    pub fn dropin(mut self, name: &str) -> Self {
        self.dropin = Some(name.trim_end_matches(".conf").to_owned());
        self
    }

    /// What stands in it, or nothing where the host has no such file of its own.
    ///
    /// # Errors
    /// When it is there and can't be read.
    pub fn read(&self) -> Result<Option<Vec<u8>>, UnitError> {
        Ok(self.file()?.read()?)
    }

    /// Checks that it is there, as a file of the host's own.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn the_shop_has_its_unit(host: &View) -> Result<()> {
    ///     host.unit("shop.service").exists()?;
    ///     ensure!(host.unit("nginx.service").dropin("limits").read()?.is_some(), "nginx has no limits");
    ///     host.unit("shop.service").contains("User=shop")
    /// }
    /// # wb_stdlib::testing::web1().asks(the_shop_has_its_unit);
    /// ```
    ///
    /// # Errors
    /// When it is not.
    pub fn exists(&self) -> Result<()> {
        self.file()?.exists()
    }

    /// Checks that `text` stands in its file.
    ///
    /// # Errors
    /// When it does not, or there is no such file.
    pub fn contains(&self, text: &str) -> Result<()> {
        self.file()?.contains(text)
    }

    fn is_there(&self) -> Result<bool, UnitError> {
        Ok(self.system().stat(self.path()?)?.is_some())
    }

    fn file(&self) -> Result<File<A>, UnitError> {
        Ok(self.access.file(self.path()?))
    }

    fn path(&self) -> Result<PathBuf, UnitError> {
        let is_plain = |name: &str| {
            let is_usual = |c: char| c.is_ascii_alphanumeric() || ":_.\\@-".contains(c);
            !name.is_empty() && name.chars().all(is_usual) && !name.starts_with(['.', '-'])
        };
        if !is_plain(&self.name) || !systemd::has_kind(&self.name) {
            return Err(UnitError::BadName { name: self.name.clone() });
        }
        let unit = format!("{}/{}", systemd::UNITS, self.name);
        match &self.dropin {
            None => Ok(unit.into()),
            Some(dropin) if is_plain(dropin) => Ok(format!("{unit}.d/{dropin}.conf").into()),
            Some(dropin) => Err(UnitError::BadDropin { unit: self.name.clone(), name: dropin.clone() }),
        }
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl<'a> Unit<Host<'a>> {
    /// What stands in it, all of it: sections with their settings, see systemd.unit(5).
    pub fn content(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.content = content.into();
        self
    }

    /// What stands in it, from a file of `assets/`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn run_the_shop(host: &Host) -> Result<()> {
    ///     let shop = host.service("shop");
    ///     let unit = template!("shop.service", user = "shop");
    ///     host.unit("shop.service").template(unit).reloads(&shop).unverified().present()?;
    ///     host.unit("old-shop.service").absent()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(run_the_shop);
    /// ```
    pub fn template(self, template: Template) -> Self {
        self.content(template)
    }

    /// When it changes, the service is restarted at the end of the migration, as with
    /// [`File::restarts`](crate::file::File::restarts), and systemd has read it by then.
    pub fn restarts(mut self, service: &Service<Host<'a>>) -> Self {
        self.owes.push((DebtAction::Restart, service.clone()));
        self
    }

    /// When it changes, the service is reloaded, as with [`File::reloads`](crate::file::File::reloads).
    pub fn reloads(mut self, service: &Service<Host<'a>>) -> Self {
        self.owes.push((DebtAction::Reload, service.clone()));
        self
    }

    /// It is not shown to `systemd-analyze verify`: for a unit whose program comes later, or one with settings that
    /// only newer versions of systemd know.
    pub fn unverified(mut self) -> Self {
        self.is_verified = false;
        self
    }

    /// It is there, with this content. Where systemd does not run, there is nothing but the file.
    ///
    /// Before it is written, `systemd-analyze verify` has a look at it, where it is installed: what systemd can't load,
    /// or would ignore, is refused. A plan does not ask, since the program of the unit may come with an earlier
    /// operation.
    ///
    /// # Errors
    /// When it is refused, has no content (which to systemd means a masked unit), something else is at its path, or it
    /// can't be written; the old file is then as it was.
    pub fn present(self) -> Result<Outcome, UnitError> {
        let path = self.path()?;
        if self.content.trim_ascii().is_empty() {
            return Err(UnitError::Empty { unit: self.name });
        }
        let changes = systemd::is_news(self.system(), &path, &self.content)?;
        if changes && !self.access.plans() {
            self.verify()?;
            systemd::owe_reload(self.system())?;
        }
        if let (Some(_), Some(directory)) = (&self.dropin, path.parent()) {
            self.access.directory(directory).present()?;
        }
        Ok(self.owing().content(self.content).mode(MODE).present()?)
    }

    /// It is not there. A unit is stopped first and starts with the host no more, unless one of a package is found in
    /// its place. A drop-in just goes.
    ///
    /// # Errors
    /// When the unit does not stop, or it can't be removed.
    pub fn absent(self) -> Result<Outcome, UnitError> {
        let path = self.path()?;
        let is_there = self.system().stat(&path)?.is_some();
        let goes = is_there && self.dropin.is_none() && self.is_of_its_own()?;
        if is_there && !self.access.plans() {
            if goes {
                systemd::retire(self.system(), &self.name)?;
            }
            systemd::owe_reload(self.system())?;
        }
        let outcome = self.owing().absent()?;
        if goes {
            owed::release(self.access, |service| systemd::unit_name(service) == self.name)?;
        }
        Ok(outcome)
    }

    /// Whether systemd has the unit from this file only.
    fn is_of_its_own(&self) -> Result<bool, UnitError> {
        Ok(systemd::runs(self.system()) && !systemd::is_packaged(self.system(), &self.name)?)
    }

    fn verify(&self) -> Result<(), UnitError> {
        match self.is_verified {
            true => verify::verify(self.system(), &self.name, self.dropin.as_deref(), &self.content),
            false => Ok(()),
        }
    }

    /// Its file, with what its changes make necessary.
    fn owing(&self) -> File<Host<'a>> {
        let path = self.path().unwrap_or_default();
        self.owes.iter().fold(self.access.file(path), |file, (action, service)| match action {
            DebtAction::Reload => file.reloads(service),
            DebtAction::Restart => file.restarts(service),
        })
    }
}

#[cfg(test)]
mod tests;
