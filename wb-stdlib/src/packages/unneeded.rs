//! Packages that came for others which are gone.

use wb_core::context::Outcome;

use super::backend::Options;
use super::wanted::unknown_yet;
use super::{Manager, PackageError, not_so, prefixed};
use crate::Host;
use crate::ensure::{Difference, ensure};

/// Packages that were installed for others, and that nobody needs any more. [`Host::unneeded_packages`] makes it.
#[must_use = "say what is to be so: `.absent()?` or `.purged()?`"]
pub struct UnneededPackages<'a> {
    host: Host<'a>,
    manager: Option<Manager>,
}

impl<'a> Host<'a> {
    /// The packages that were installed because others needed them, and that nobody needs any more: what `autoremove`
    /// removes. No other operation removes them. With apt, dnf and pacman.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn drop_php(host: &Host) -> Result<()> {
    ///     host.packages(["php-fpm"]).purged()?;
    ///     host.unneeded_packages().purged()?; // or `.absent()`, which keeps what they wrote to `/etc`
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().package("php-fpm", "2:8.2+93").rehearse(drop_php);
    /// ```
    #[doc(alias = "autoremove")]
    pub fn unneeded_packages(&self) -> UnneededPackages<'a> {
        UnneededPackages { host: *self, manager: None }
    }
}

impl UnneededPackages<'_> {
    /// Goes by another manager than the distribution's own.
    ///
    /// ```
    /// use wb_stdlib::packages::Manager;
    /// use wb_stdlib::prelude::*;
    ///
    /// fn drop_what_nobody_needs(host: &Host) -> Result<()> {
    ///     host.unneeded_packages().by(Manager::Dnf).absent()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::fedora().rehearse(drop_what_nobody_needs);
    /// ```
    pub fn by(mut self, manager: Manager) -> Self {
        self.manager = Some(manager);
        self
    }

    /// None of them is installed. What they wrote to `/etc` stays.
    ///
    /// # Errors
    /// When the manager has no such thing, or fails for longer than its retries last.
    pub fn absent(self) -> Result<Outcome, PackageError> {
        self.ensure("absent", false)
    }

    /// None of them is installed, and of what they wrote to `/etc` nothing is left.
    ///
    /// # Errors
    /// When the manager has no such thing, or fails for longer than its retries last.
    pub fn purged(self) -> Result<Outcome, PackageError> {
        self.ensure("purged", true)
    }

    fn ensure(self, word: &str, purge: bool) -> Result<Outcome, PackageError> {
        let system = self.host.system();
        let manager = self.manager.unwrap_or_else(|| Manager::of(system));
        let backend = manager.backend(system, Options { only_looks: self.host.plans(), ..Options::default() });
        let what = format!("unneeded packages {word}");
        if self.host.plans() && self.host.would_change("package") {
            let why = "packages change before it".to_owned();
            return ensure(self.host, &what, Difference::Unknown(why), || Ok(()));
        }
        let unneeded = match backend.unneeded() {
            Err(error) => match unknown_yet(manager, &error).filter(|_| self.host.plans()) {
                Some(why) => return ensure(self.host, &what, Difference::Unknown(why), || Ok(())),
                None => return Err(error),
            },
            Ok(unneeded) => unneeded,
        };
        let difference = match unneeded.is_empty() {
            true => Difference::None,
            false => Difference::Some(Some(prefixed("- ", &unneeded))),
        };
        ensure(self.host, &what, difference, || {
            backend.remove_unneeded(&unneeded, purge)?;
            match backend.unneeded()? {
                left if left.is_empty() => Ok(()),
                left => Err(not_so(backend.as_ref(), "remove", left)),
            }
        })
    }
}
