//! Directories, alone and with all that is in them.

mod recursive;
mod synced;

use std::path::{Path, PathBuf};

use anyhow::Result as Checked;
use wb_core::context::{Context, Outcome};
use wb_core::system::System;
use wb_core::system::files::{self, Kind, Stat};

use crate::ensure::{Difference, ensure};
use crate::file::{
    End, Extended, FileError, KindWord, Resolved, Settled, Wanted, check_path, clear, end_of, refuse_mounts,
    refuse_through, replaced,
};
use crate::foresight::{self, Thing};
use crate::{Assets, Host, Look, owner};

pub use recursive::Recursive;
pub use synced::Synced;

/// The mode of a directory that nobody said a mode for.
const NEW_MODE: u32 = 0o755;

/// A directory. [`Look::directory`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn make_room(host: &Host) -> Result<()> {
///     host.directory("/var/www/shop").owner("www-data").group("www-data").mode(0o750).present()?;
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().rehearse(make_room);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct Directory<A> {
    access: A,
    path: PathBuf,
    wanted: Wanted,
    extended: Extended,
    through_links: bool,
    replacing: bool,
}

impl<A: Look> Directory<A> {
    pub(crate) fn new(access: A, path: &Path) -> Self {
        let (wanted, extended) = (Wanted::default(), Extended::default());
        Self { access, path: path.to_owned(), wanted, extended, through_links: false, replacing: false }
    }

    /// Checks that it is there: a directory, or a link to one.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn there_is_room(host: &View) -> Result<()> {
    ///     host.directory("/var/www/shop").exists()?;
    ///     host.directory("/var/www/shop").has_mode(0o750)?;
    ///     host.directory("/var/www/shop").has_owner("www-data")
    /// }
    /// # wb_stdlib::testing::web1().asks(there_is_room);
    /// ```
    ///
    /// # Errors
    /// When there is nothing, or something else.
    pub fn exists(&self) -> Checked<()> {
        check_path(&self.path)?;
        let path = self.path.display();
        match End::of(self.system(), &self.path)?.stat.map(|stat| stat.kind) {
            Some(Kind::Directory) => Ok(()),
            Some(kind) => anyhow::bail!("expected the directory {path}, found {}", KindWord(kind)),
            None => anyhow::bail!("expected the directory {path}, found nothing there"),
        }
    }

    /// Checks that its permission bits are these, as in `0o750`. A link is not followed.
    ///
    /// # Errors
    /// When they are others, or there is nothing.
    pub fn has_mode(&self, mode: u32) -> Checked<()> {
        let (path, found) = (self.path.display(), self.looked_at()?.mode);
        anyhow::ensure!(found == mode, "expected {path} with mode {mode:04o}, found {found:04o}");
        Ok(())
    }

    /// Checks that it is this user's, by name or number. A link is not followed.
    ///
    /// # Errors
    /// When it is another's, there is nothing, or no such user.
    pub fn has_owner(&self, user: &str) -> Checked<()> {
        let (path, found) = (self.path.display(), self.looked_at()?.uid);
        let wanted = owner::user(self.system(), user)?.uid;
        anyhow::ensure!(found == wanted, "expected {path} of user {user} ({wanted}), found it to be of user {found}");
        Ok(())
    }

    fn looked_at(&self) -> Checked<Stat> {
        check_path(&self.path)?;
        let found = self.system().stat(&self.path)?;
        found.ok_or_else(|| anyhow::anyhow!("expected the directory {}, found nothing there", self.path.display()))
    }

    fn system(&self) -> &System {
        self.context().system()
    }

    fn context(&self) -> &Context<'_> {
        self.access.context()
    }
}

impl<'a> Directory<Host<'a>> {
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

    /// Its permission bits, as in `0o750`, up to `0o7777`. Without this, a new directory has `0o755`.
    pub fn mode(mut self, mode: u32) -> Self {
        self.wanted.mode = Some(mode);
        self
    }

    /// One entry of its access control list, as [`File::acl`](crate::file::File::acl) takes it; with `default:` before it,
    /// of the list that new files in it begin with: `default:group:ops:rwx`.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn share_it(host: &Host) -> Result<()> {
    ///     host.directory("/srv/shared").acl("group:ops:rwx").acl("default:group:ops:rwx").present()?;
    ///     host.directory("/srv/less").without_acl("group:ops").without_acl("default:group:ops").present()?;
    ///     host.directory("/srv/ours").exact_acl().present()?; // has no entries by name any more
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(share_it);
    /// ```
    pub fn acl(mut self, entry: impl Into<String>) -> Self {
        self.extended.acl.push(entry.into());
        self
    }

    /// It has no entry of this user or group in its access control list, as with
    /// [`File::without_acl`](crate::file::File::without_acl); with `default:` before it, in the list that new files in it begin
    /// with: `default:group:ops`.
    pub fn without_acl(mut self, whose: impl Into<String>) -> Self {
        self.extended.without_acl.push(whose.into());
        self
    }

    /// Its access control lists have no other entries by name than those of [`Directory::acl`]: none at all without them.
    pub fn exact_acl(mut self) -> Self {
        self.extended.exact_acl = true;
        self
    }

    /// Where a symbolic link is at its path, the directory that it leads to is meant. Without this, a link is in the way. As
    /// with [`File::through_links`](crate::file::File::through_links), links of somebody else are an error.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn links_in_the_way(host: &Host) -> Result<()> {
    ///     host.directory("/srv/shop/current").through_links().owner("shop").present()?; // the link stays
    ///     host.directory("/srv/cache").replacing().present()?; // the link goes
    ///     host.directory("/srv/old-shop").absent()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(links_in_the_way);
    /// ```
    pub fn through_links(mut self) -> Self {
        self.through_links = true;
        self
    }

    /// What else is at its path goes: a file, a link, a device.
    pub fn replacing(mut self) -> Self {
        self.replacing = true;
        self
    }

    /// It and all that is in it, to have one owner, or modes: say them on what this gives. What is said before of access control
    /// lists, or [`Directory::replacing`], is an error: that is of a directory alone.
    pub fn recursively(self) -> Recursive<'a> {
        Recursive::new(self)
    }

    /// It has what a directory of `assets/` has: `.synced(assets!("site"))`. Files that differ or are missing are written;
    /// what else is in it stays, unless [`Synced::exactly`] is said. What is said before of its mode, of access control lists,
    /// of links and of what is replaced is said of the directory at the top.
    pub fn synced(self, assets: Assets) -> Synced<'a> {
        Synced::new(self, assets)
    }

    /// What was said of it and can't be said of all that is in it.
    fn said_of_it_alone(&self) -> Option<&'static str> {
        let words = [
            (!self.extended.acl.is_empty(), ".acl(…)"),
            (!self.extended.without_acl.is_empty(), ".without_acl(…)"),
            (self.extended.exact_acl, ".exact_acl()"),
            (self.replacing, ".replacing()"),
        ];
        words.into_iter().find_map(|(is_said, word)| is_said.then_some(word))
    }

    /// It is there, with this owner, group, mode and access control list. Directories above it are made too; what is in it
    /// stays.
    ///
    /// # Errors
    /// When something else is at its path, the owner is not there, or it can't be made.
    pub fn present(mut self) -> Result<Outcome, FileError> {
        let what = format!("directory {} present", self.path.display());
        check_path(&self.path)?;
        if self.through_links {
            self.path = end_of(self.context(), &self.path)?;
        }
        let (found, other) = self.found()?;
        if let Some(why) = self.unknown(found)? {
            return ensure(self.access, &what, Difference::Unknown(why), || Ok(()));
        }
        if found.or(other).is_none() {
            refuse_through(self.context(), &self.path)?;
        }
        let replaced = |stat| replaced(self.context(), &self.path, stat, "a directory", self.replacing);
        let replaced = other.map(replaced).transpose()?;
        let mut resolved = self.wanted.resolve(self.context())?;
        let settled = self.extended.settle(self.system(), &self.path, found, &mut resolved, NEW_MODE)?;
        let difference = diff(found, replaced, &resolved, &settled);
        if self.access.plans() && difference != Difference::None {
            foresee(self.context(), &self.path, found, &resolved)?;
        }
        ensure(self.access, &what, difference, || self.make(found, other, resolved, &settled))
    }

    /// It is not there, and nothing that was in it.
    ///
    /// # Errors
    /// When something else is at its path, a file system is mounted in it, or it can't be removed.
    pub fn absent(self) -> Result<Outcome, FileError> {
        check_path(&self.path)?;
        let (found, other) = self.found()?;
        if let Some(other) = other {
            return Err(FileError::InTheWay { path: self.path, wanted: "a directory", found: KindWord(other.kind) });
        }
        if self.path.parent().is_none() {
            return Err(FileError::BadPath { path: self.path });
        }
        let difference = match found {
            None => Difference::none_unless(foresight::unknown_at(self.context(), &self.path)),
            Some(_) => Difference::Some(None),
        };
        if found.is_some() {
            refuse_mounts(self.context(), &self.path)?;
            foresight::put(self.context(), &self.path, Thing::Nothing);
        }
        let what = format!("directory {} absent", self.path.display());
        let path = self.system().path(&self.path);
        ensure(self.access, &what, difference, || Ok(files::remove_tree(path).map(drop)?))
    }

    /// What a plan can't know yet.
    fn unknown(&self, found: Option<Stat>) -> Result<Option<String>, FileError> {
        if !self.access.plans() {
            return Ok(None);
        }
        let place = foresight::unknown_at(self.context(), &self.path);
        match self.wanted.missing_owner(self.context(), found)?.or(place) {
            None => self.extended.unknown(self.context(), &self.path),
            why => Ok(why),
        }
    }

    /// The directory that is there, or would be in a plan; or what else is, and may be replaced.
    fn found(&self) -> Result<(Option<Stat>, Option<Stat>), FileError> {
        Ok(match foresight::stat(self.context(), &self.path)? {
            Some(stat) if stat.kind != Kind::Directory => (None, Some(stat)),
            found => (found, None),
        })
    }

    fn make(
        &self,
        found: Option<Stat>,
        other: Option<Stat>,
        resolved: Resolved,
        settled: &Settled,
    ) -> Result<(), FileError> {
        let system = self.system();
        if let Some(other) = other {
            clear(system, &self.path, other)?;
        }
        match found {
            None => files::create_dir_with(system.path(&self.path), resolved.over(None, NEW_MODE))?,
            Some(_) => resolved.set(system, &self.path)?,
        }
        settled.set(system, &self.path, true)
    }
}

/// Lets operations that come later in a plan see the directory as it would be.
fn foresee(
    context: &Context<'_>,
    path: &Path,
    found: Option<Stat>,
    resolved: &Resolved,
) -> Result<(), files::FileError> {
    let stat = resolved.stat(Kind::Directory, found, NEW_MODE);
    match found {
        Some(_) => foresight::dress(context, path, stat),
        None => foresight::make_directory(context, path, Thing::Directory(stat))?,
    }
    Ok(())
}

fn diff(found: Option<Stat>, replaced: Option<String>, wanted: &Resolved, settled: &Settled) -> Difference {
    let new = found.is_none().then(|| "new".to_owned());
    let attributes = wanted.diff(found).into_iter().chain(settled.diff().iter().cloned());
    let lines: Vec<String> = new.into_iter().chain(replaced).chain(attributes).collect();
    if lines.is_empty() { Difference::None } else { Difference::Some(Some(lines.join("\n"))) }
}

/// The longest list of differences that is shown, in lines.
const SHOWN: usize = 50;

/// Differences as people read them: not all of thousands.
fn listed(lines: &[String]) -> String {
    match lines.len().checked_sub(SHOWN) {
        None | Some(0) => lines.join("\n"),
        Some(left) => format!("{}\n({left} more)", lines[..SHOWN].join("\n")),
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
    fn one_below_a_file_names_that_file_in_a_plan_too() {
        let machine = Machine::new().file("/srv/plain", "old");
        for path in ["/srv/plain/a", "/srv/plain/a/b"] {
            let present = |host: &Host| Ok(host.directory(path).present()?);
            let expect = format!("{path} can't be there: /srv/plain is no directory\nhint: ");
            for error in [machine.plan(present).unwrap_err(), machine.apply(present).unwrap_err()] {
                assert!(error.to_string().starts_with(&expect), "{error}");
            }
        }
        let made_room = machine.plan(|host| {
            host.file("/srv/plain").absent()?;
            Ok(host.directory("/srv/plain/a").present()?)
        });
        assert_eq!(made_room.unwrap(), changed("new"));
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

    #[test]
    fn what_is_in_its_place_goes_when_that_is_said() {
        let machine = Machine::new().file("/srv", "gone");
        let make = |host: &Host| Ok(host.directory("/srv").replacing().present()?);
        assert_eq!(machine.plan(make).unwrap(), changed("new\nreplaces a file"));
        assert_eq!(machine.read("/srv").as_deref(), Some("gone"));
        assert_eq!(machine.apply(make).unwrap(), changed("new\nreplaces a file"));
        assert_eq!(machine.stat("/srv").unwrap().kind, Kind::Directory);
        assert_eq!(machine.apply(make).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn a_link_to_a_directory_is_in_the_way_or_is_followed() {
        let machine = Machine::new().dir("/data/shop");
        machine.apply(|host| Ok(host.link("/srv").to("data/shop")?)).unwrap();
        assert!(machine.apply(|host| Ok(host.directory("/srv").present()?)).is_err());
        machine.apply(|host| Ok(host.directory("/srv").through_links().mode(0o700).present()?)).unwrap();
        assert_eq!(machine.stat("/data/shop").unwrap().mode, 0o700);
        assert_eq!(machine.stat("/srv").unwrap().kind, Kind::Link);
        machine.view(|host| host.directory("/srv").exists()).unwrap();
        let error = machine.view(|host| host.directory("/nowhere").exists()).unwrap_err();
        assert_eq!(error.to_string(), "expected the directory /nowhere, found nothing there");
    }

    #[test]
    fn links_that_lead_to_each_other_lead_nowhere() {
        let machine = Machine::new();
        machine.apply(|host| Ok(host.link("/a").to("b")?)).unwrap();
        machine.apply(|host| Ok(host.link("/b").to("a")?)).unwrap();
        let error = machine.apply(|host| Ok(host.directory("/a").through_links().present()?)).unwrap_err().to_string();
        assert!(error.starts_with("/a leads through symbolic links that lead to each other\nhint: "), "{error}");
    }

    #[test]
    fn what_is_mounted_in_it_stays() {
        let machine = Machine::new()
            .file("/srv/my data/kept", "x")
            .file("/proc/self/mountinfo", "36 35 98:0 / /srv/my\\040data rw - ext4 /dev/sdb1 rw\n");
        let error = machine.apply(|host| Ok(host.directory("/srv").absent()?)).unwrap_err().to_string();
        assert!(error.contains("a file system is mounted at /srv/my data"), "{error}");
        assert!(machine.read("/srv/my data/kept").is_some());
    }

    #[test]
    fn what_is_mounted_in_it_stays_whatever_link_leads_there() {
        let machine = Machine::new()
            .file("/run/x/y/kept", "x")
            .file("/proc/self/mountinfo", "36 35 98:0 / /run/x/y rw - ext4 /dev/sdb1 rw\n")
            .dir("/var");
        machine.apply(|host| Ok(host.link("/var/run").to("../run")?)).unwrap();
        let error = machine.apply(|host| Ok(host.directory("/var/run/x").absent()?)).unwrap_err().to_string();
        assert!(error.starts_with("/var/run/x is to go, and a file system is mounted at /run/x/y\nhint: "), "{error}");
        assert!(machine.read("/run/x/y/kept").is_some());
    }

    #[test]
    fn differences_are_shown_up_to_fifty() {
        let lines: Vec<String> = (0..52).map(|n| n.to_string()).collect();
        assert!(listed(&lines).ends_with("49\n(2 more)"));
        assert_eq!(listed(&lines[..2]), "0\n1");
    }
}
