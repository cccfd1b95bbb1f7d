//! Archives, unpacked into a directory that is theirs.

mod entry;
mod error;
mod format;
mod marker;
mod source;
#[cfg(test)]
mod tests;
mod unpack;
mod walk;

use std::path::{Path, PathBuf};

use wb_core::context::{Context, DebtAction, Outcome};
use wb_core::system::System;
use wb_core::system::files::{self, Kind};
use wb_core::system::tree;

pub use entry::Escape;
pub use error::ArchiveError;
pub use source::Source;

use crate::Host;
use crate::ensure::{Difference, ensure};
use crate::file::{FileError, KindWord, Resolved, Wanted, check_path, missing_parent, refuse_mounts};
use crate::foresight::{self, Thing};
use crate::look::Access as _;
use crate::owed::Owes;
use crate::service::Service;
use crate::sha256::Sha256;
use marker::Marker;

/// The mode of a new directory.
const NEW_MODE: u32 = 0o755;

/// What to unpack. [`Host::archive`] makes it.
#[must_use = "say where it goes: `.to(\"/srv/shop\")`"]
pub struct Archive<'a> {
    host: Host<'a>,
    source: Source,
    sha256: Option<String>,
    strip: usize,
}

/// A directory that has what is in an archive, and nothing else. [`Archive::to`] makes it.
///
/// The directory belongs to the archive as a whole: another archive takes its place at once, and what somebody put there
/// meanwhile is gone with the old one. Mode and rights of the directory itself stay as they were; a new one has `0o755`. Beside what the archive has, there is a file `.wildebeest-archive` in it, which says
/// what was unpacked; whether that was changed by hand since is not looked at.
///
/// Nothing is written before all of the archive was read: what leads out of the directory (`..`, absolute paths, links that
/// lead elsewhere, paths through links), devices and pipes are refused, and so is what there is no room for. Permission bits
/// are those of the archive, and so are the times of files; set-id bits, the right of others to write, and the times of
/// directories and links are not. The formats are tar, as it is or packed with gzip, xz, zstd or bzip2, and zip; they are
/// told by their content, not by their name.
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct Unpacked<'a> {
    archive: Archive<'a>,
    dir: PathBuf,
    wanted: Wanted,
    owes: Owes,
}

impl<'a> Host<'a> {
    /// An archive: a file of the host by its absolute path, or an asset.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn install_the_shop(host: &Host) -> Result<()> {
    ///     let shop = host.service("shop");
    ///     host.archive("/opt/shop-1.2.tar.gz").strip_components(1).to("/srv/shop").owner("shop").restarts(&shop).present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(install_the_shop);
    /// ```
    ///
    /// An asset comes with the runner: `host.archive(asset!("site.tar.xz")).to("/var/www/site").present()?`.
    pub fn archive(&self, source: impl Into<Source>) -> Archive<'a> {
        Archive { host: *self, source: source.into(), sha256: None, strip: 0 }
    }
}

impl<'a> Archive<'a> {
    /// Its SHA-256, in 64 hex digits. Another archive is refused then, and one that is unpacked already is not read again:
    /// its file may be gone.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn unpack_the_site(host: &Host) -> Result<()> {
    ///     let nginx = host.service("nginx");
    ///     host.archive("/opt/site-7.tar.zst")
    ///         .sha256("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    ///         .to("/var/www/site")
    ///         .owner("www-data")
    ///         .group("www-data")
    ///         .reloads(&nginx)
    ///         .present()?;
    ///     host.archive("/opt/old-site.zip").to("/var/www/old-site").absent()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(unpack_the_site);
    /// ```
    pub fn sha256(mut self, digits: &str) -> Self {
        self.sha256 = Some(digits.to_owned());
        self
    }

    /// Leaves so many directories out of the beginning of each path: with 1, `shop-1.2/bin/shop` becomes `bin/shop`. What
    /// is not that deep is left out. Without this, paths stay as they are.
    pub fn strip_components(mut self, count: usize) -> Self {
        self.strip = count;
        self
    }

    /// The directory that it is unpacked to, by its absolute path: one of its own.
    pub fn to(self, dir: impl AsRef<Path>) -> Unpacked<'a> {
        Unpacked { archive: self, dir: dir.as_ref().to_owned(), wanted: Wanted::default(), owes: Owes::default() }
    }
}

/// What there is at the place of the directory.
struct Facts {
    is_there: bool,
    is_empty: bool,
    marker: Option<String>,
}

impl Unpacked<'_> {
    /// Whose all of it is, by name or number. Without this, all that is in it is root's, and so is a new directory.
    pub fn owner(mut self, user: impl Into<String>) -> Self {
        self.wanted.owner = Some(user.into());
        self
    }

    /// The group of all of it, by name or number. Without this, it is as with [`Unpacked::owner`].
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.wanted.group = Some(group.into());
        self
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

    /// The directory has what is in the archive.
    ///
    /// A plan reads the archive, too, and says how much is in it.
    ///
    /// # Errors
    /// When there is no archive, it is broken, or something in it is refused; when the directory is there and is no
    /// archive's, or a file system is mounted in it, or there is no room. What was there is then as it was.
    pub fn present(self) -> Result<Outcome, ArchiveError> {
        let what = format!("{} unpacked to {}", self.archive.source, self.dir.display());
        let facts = self.facts()?;
        let (difference, act) = match self.unknown(&facts)? {
            Some(why) => (Difference::Unknown(why), None),
            None => self.difference(&facts)?,
        };
        self.write_debts_down(&difference)?;
        self.tidy(&difference)?;
        self.foresee(&facts, &difference)?;
        ensure(self.archive.host, &what, difference, || act.map_or(Ok(()), |marker| self.unpack(&marker)))
    }

    /// It is not there, and nothing that was in it.
    ///
    /// # Errors
    /// When the directory is there and is no archive's, a file system is mounted in it, or it can't be removed.
    pub fn absent(self) -> Result<Outcome, ArchiveError> {
        let facts = self.facts()?;
        self.may_go(&facts)?;
        let what = format!("{} not unpacked to {}", self.archive.source, self.dir.display());
        let difference = match facts.is_there {
            true => Difference::Some(None),
            false => Difference::none_unless(foresight::unknown_at(self.context(), &self.dir)),
        };
        self.write_debts_down(&difference)?;
        self.tidy(&difference)?;
        if difference != Difference::None {
            foresight::put(self.context(), &self.dir, Thing::Nothing);
        }
        ensure(self.archive.host, &what, difference, || {
            let system = self.system();
            Ok(tree::remove_whole(system.path(&self.dir), system.path(self.aside())).map(drop)?)
        })
    }

    fn facts(&self) -> Result<Facts, ArchiveError> {
        check_path(&self.dir)?;
        if self.dir.parent().is_none() {
            return Err(FileError::BadPath { path: self.dir.clone() }.into());
        }
        match foresight::stat(self.context(), &self.dir)? {
            None => Ok(Facts { is_there: false, is_empty: true, marker: None }),
            Some(stat) if stat.kind == Kind::Directory => {
                let is_new = foresight::replaced(self.context(), &self.dir).is_some();
                let marker = if is_new { None } else { marker::text(self.system(), &self.dir)? };
                let is_empty = marker.is_none() && foresight::names(self.context(), &self.dir)?.is_empty();
                Ok(Facts { is_there: true, is_empty, marker })
            }
            Some(stat) => {
                let (path, found) = (self.dir.clone(), KindWord(stat.kind));
                Err(FileError::InTheWay { path, wanted: "a directory", found }.into())
            }
        }
    }

    /// What a plan can't know yet.
    fn unknown(&self, facts: &Facts) -> Result<Option<String>, FileError> {
        if !facts.is_there
            && let Some(why) = missing_parent(self.archive.host, &self.dir)?
        {
            return Ok(Some(why));
        }
        if !self.plans() {
            return Ok(None);
        }
        let found = facts.marker.as_ref().and(foresight::stat(self.context(), &self.dir)?);
        let content = foresight::unknown_in(self.context(), &self.dir);
        Ok(self.wanted.missing_owner(self.context(), found)?.or(content))
    }

    /// Lets operations that come later in a plan see that the directory is there: what is in it, the archive says only then.
    fn foresee(&self, facts: &Facts, difference: &Difference) -> Result<(), FileError> {
        if !self.plans() || *difference == Difference::None {
            return Ok(());
        }
        let found = if facts.is_there { foresight::stat(self.context(), &self.dir)? } else { None };
        let owner = self.wanted.resolve(self.context()).unwrap_or_default();
        foresight::put(self.context(), &self.dir, Thing::Later(owner.stat(Kind::Directory, found, NEW_MODE)));
        Ok(())
    }

    /// How what is there differs, and, where it does, what is to be unpacked.
    fn difference(&self, facts: &Facts) -> Result<(Difference, Option<Marker>), ArchiveError> {
        let resolved = self.wanted.resolve(self.context()).map_err(FileError::from)?;
        let fits = |marker: &Marker| facts.marker.as_deref() == Some(&*marker.to_string());
        let given = self.archive.given()?;
        if given.is_some_and(|sum| fits(&self.marker(sum, resolved))) {
            return Ok((Difference::None, None));
        }
        if let Source::File(path) = &self.archive.source
            && let Some(why) = foresight::replaced(self.context(), path)
        {
            return unknown(why);
        }
        let there = self.archive.source.sum(self.system())?;
        let sum = match (there, given) {
            (None, _) if self.plans() => return unknown(format!("there is no {} yet", self.archive.source)),
            (None, _) => return Err(ArchiveError::NoSource { archive: self.archive.source.to_string() }),
            (Some(there), Some(given)) if there != given && self.plans() => {
                return unknown(format!("the {} is another one yet", self.archive.source));
            }
            (Some(there), Some(given)) if there != given => return Err(self.archive.wrong(there, given)),
            (Some(there), _) => there,
        };
        let marker = self.marker(sum, resolved);
        if fits(&marker) {
            return Ok((Difference::None, None));
        }
        self.may_go(facts)?;
        let survey = match self.survey() {
            Err(ArchiveError::NoRoom { .. }) if self.plans() => return unknown("there is no room for it yet".into()),
            survey => survey?,
        };
        let was = facts.marker.as_deref().and_then(Marker::short_sum).map(|sum| format!("sha256 {sum} -> "));
        let line = format!("{}{}, {survey}", was.unwrap_or_else(|| "new, sha256 ".into()), sum.short());
        Ok((Difference::Some(Some(line)), Some(marker)))
    }

    /// What an archive did not make does not go, nor what is mounted there: that could lose it.
    fn may_go(&self, facts: &Facts) -> Result<(), ArchiveError> {
        if facts.is_there && facts.marker.is_none() && !facts.is_empty {
            return Err(ArchiveError::NotOurs { dir: self.dir.clone() });
        }
        if facts.is_there {
            refuse_mounts(self.context(), &self.dir)?;
        }
        Ok(())
    }

    fn marker(&self, sum: Sha256, owner: Resolved) -> Marker {
        Marker { sum, strip: self.archive.strip, uid: owner.uid, gid: owner.gid }
    }

    /// Removes what a run left that was killed when all was done already.
    fn tidy(&self, difference: &Difference) -> Result<(), FileError> {
        let aside = self.system().path(self.aside());
        if *difference == Difference::None && !self.plans() && files::exists(&aside) {
            files::remove_tree(aside)?;
        }
        Ok(())
    }

    /// Where it is unpacked, and then takes its place from.
    fn aside(&self) -> PathBuf {
        let name = self.dir.file_name().unwrap_or_default().to_string_lossy();
        self.dir.with_file_name(format!(".{name}.unpacking"))
    }

    fn write_debts_down(&self, difference: &Difference) -> Result<(), FileError> {
        match difference {
            Difference::Some(_) => self.owes.write_down(self.archive.host.context()),
            Difference::None | Difference::Unknown(_) => Ok(()),
        }
        .map_err(|source| FileError::Owe { path: self.dir.clone(), source })
    }

    fn plans(&self) -> bool {
        self.archive.host.plans()
    }

    fn system(&self) -> &System {
        self.archive.host.system()
    }

    fn context(&self) -> &Context<'_> {
        self.archive.host.context()
    }
}

fn unknown(why: String) -> Result<(Difference, Option<Marker>), ArchiveError> {
    Ok((Difference::Unknown(why), None))
}

impl Archive<'_> {
    fn given(&self) -> Result<Option<Sha256>, ArchiveError> {
        let Some(given) = &self.sha256 else { return Ok(None) };
        let bad = || ArchiveError::BadSum { archive: self.source.to_string(), given: given.clone() };
        Sha256::parse(given).map(Some).ok_or_else(bad)
    }

    fn wrong(&self, found: Sha256, wanted: Sha256) -> ArchiveError {
        let (found, wanted) = (found.to_string(), wanted.to_string());
        ArchiveError::WrongSum { archive: self.source.to_string(), found, wanted }
    }
}
