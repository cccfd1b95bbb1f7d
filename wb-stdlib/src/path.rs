//! Whatever is at a path.

use std::path::{Path, PathBuf};

use wb_core::context::{DebtAction, Outcome};
use wb_core::system::files::{self, Kind};

use crate::Host;
use crate::ensure::{Difference, ensure};
use crate::file::{FileError, KindWord, Trial, check_path, difference_of_nothing, refuse_mounts};
use crate::foresight::{self, Thing};
use crate::look::Access as _;
use crate::owed::Owes;
use crate::service::Service;

/// A path at which anything may be. [`Host::path`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn clean_up(host: &Host) -> Result<()> {
///     let nginx = host.service("nginx");
///     host.path("/etc/nginx/sites-enabled/default").reloads(&nginx).absent()?;
///     host.path("/srv/old-shop").restarts(&host.service("shop")).absent()?;
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().file("/etc/nginx/sites-enabled/default", "").rehearse(clean_up);
/// ```
#[must_use = "say what is to be so: `.absent()?`"]
pub struct Place<'a> {
    host: Host<'a>,
    path: PathBuf,
    owes: Owes,
}

impl<'a> Place<'a> {
    pub(crate) fn new(host: Host<'a>, path: &Path) -> Self {
        Self { host, path: path.to_owned(), owes: Owes::default() }
    }

    /// When it goes, the service is reloaded, as with [`File::reloads`](crate::file::File::reloads).
    pub fn reloads(mut self, service: &Service<Host<'_>>) -> Self {
        self.owes.add(DebtAction::Reload, service);
        self
    }

    /// When it goes, the service is restarted, as with [`File::restarts`](crate::file::File::restarts).
    pub fn restarts(mut self, service: &Service<Host<'_>>) -> Self {
        self.owes.add(DebtAction::Restart, service);
        self
    }

    /// Nothing is there: no file, no link (what it leads to stays), no directory with all that is in it.
    ///
    /// # Errors
    /// When it is the root, a file system is mounted in it, or it can't be removed.
    pub fn absent(self) -> Result<Outcome, FileError> {
        check_path(&self.path)?;
        if self.path.parent().is_none() {
            return Err(FileError::BadPath { path: self.path });
        }
        let (context, system) = (self.host.context(), self.host.system());
        let found = foresight::stat(context, &self.path)?.map(|stat| stat.kind);
        if found == Some(Kind::Directory) {
            refuse_mounts(context, &self.path)?;
        }
        let difference = match found {
            None => difference_of_nothing(context, &self.path)?,
            Some(kind) => Difference::Some(Some(format!("it is {}", KindWord(kind)))),
        };
        if matches!(difference, Difference::Some(_)) {
            let written = self.owes.write_down(context);
            written.map_err(|source| FileError::Owe { path: self.path.clone(), source })?;
        }
        if difference != Difference::None {
            foresight::put(context, &self.path, Thing::Nothing);
        }
        let (what, path) = (format!("path {} absent", self.path.display()), system.path(&self.path));
        ensure(self.host, &what, difference, || {
            match found {
                Some(Kind::Directory) => files::remove_tree(path)?,
                _ => files::remove(path)?,
            };
            Ok(Trial::new(system, &self.path).end()?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Machine, changed};

    fn check(machine: &Machine, path: &str, expect: &str) {
        let planned = machine.plan(|host| Ok(host.path(path).absent()?)).unwrap();
        assert_eq!(planned, changed(expect));
        assert_eq!(machine.apply(|host| Ok(host.path(path).absent()?)).unwrap(), planned);
        assert_eq!(machine.stat(path), None);
        assert_eq!(machine.apply(|host| Ok(host.path(path).absent()?)).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn whatever_is_there_goes() {
        let machine = Machine::new().file("/srv/file", "x").file("/srv/dir/a/b", "x");
        machine.apply(|host| Ok(crate::Look::link(host, "/srv/link").to("/srv/dir")?)).unwrap();
        check(&machine, "/srv/link", "it is a symbolic link");
        check(&machine, "/srv/dir", "it is a directory");
        check(&machine, "/srv/file", "it is a file");
    }

    #[test]
    fn what_a_killed_run_kept_beside_it_goes_too() {
        let kept = "what was there before a run that was killed is still kept beside it";
        let of = |machine: &Machine| {
            check(machine, "/etc/a.conf", kept);
            assert!(machine.snapshot().is_empty());
        };
        of(&Machine::new().file("/etc/.a.conf.before-check", "old"));
        of(&Machine::new().dir("/etc/.a.conf.before-check/directory"));
        let there = Machine::new().file("/etc/a.conf", "new").file("/etc/.a.conf.before-check", "old");
        check(&there, "/etc/a.conf", "it is a file");
        assert!(there.snapshot().is_empty());
    }

    #[test]
    fn what_is_mounted_in_it_stays() {
        let machine = Machine::new()
            .file("/srv/data/kept", "x")
            .file("/proc/self/mountinfo", "36 35 98:0 / /srv/data rw,noatime - ext4 /dev/sdb1 rw\n");
        let error = machine.apply(|host| Ok(host.path("/srv").absent()?)).unwrap_err().to_string();
        assert!(error.starts_with("/srv is to go, and a file system is mounted at /srv/data\nhint: "), "{error}");
        assert_eq!(machine.read("/srv/data/kept").as_deref(), Some("x"));
        assert!(machine.apply(|host| Ok(host.path("/").absent()?)).is_err());
    }
}
