//! A directory that has what a directory of the runner's assets has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use wb_core::context::{Context, DebtAction, Outcome};
use wb_core::system::System;
use wb_core::system::files::{self, Kind, Stat};

use super::{Directory, listed};
use crate::ensure::{Difference, ensure};
use crate::file::{Extended, FileError, KindWord, Resolved, Settled, Wanted, check_path, end_of, refuse_mounts};
use crate::foresight::{self, Thing};
use crate::look::Access as _;
use crate::owed::Owes;
use crate::service::Service;
use crate::{Assets, Host};

const NEW_FILE_MODE: u32 = 0o644;
const NEW_DIR_MODE: u32 = 0o755;

/// A directory with the files of `assets!`. [`Directory::synced`](super::Directory::synced) makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn serve_the_site(host: &Host) -> Result<()> {
///     let nginx = host.service("nginx");
///     host.directory("/srv/site")
///         .synced(assets!("site"))
///         .owner("www-data")
///         .group("www-data")
///         .file_mode(0o640)
///         .dir_mode(0o750)
///         .exactly()
///         .keeping("uploads")
///         .reloads(&nginx)
///         .present()?;
///     host.directory("/srv/api").synced(assets!("site")).restarts(&host.service("api")).present()?;
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().rehearse(serve_the_site);
/// ```
#[must_use = "say what is to be so: `.present()?`"]
pub struct Synced<'a> {
    host: Host<'a>,
    path: PathBuf,
    wanted: Wanted,
    /// Of the directory at the top.
    extended: Extended,
    through_links: bool,
    replacing: bool,
    assets: Assets,
    file_mode: Option<u32>,
    dir_mode: Option<u32>,
    modes: BTreeMap<PathBuf, u32>,
    is_exact: bool,
    kept: BTreeSet<PathBuf>,
    owes: Owes,
}

/// One thing to do, and how it is told.
struct Deed {
    line: String,
    path: PathBuf,
    act: Act,
}

enum Act {
    Make(Resolved, Settled),
    Write { content: &'static [u8], found: Option<Stat>, wanted: Resolved },
    Set { found: Stat, wanted: Resolved, settled: Settled },
    Remove(Kind),
}

impl<'a> Synced<'a> {
    pub(super) fn new(top: Directory<Host<'a>>, assets: Assets) -> Self {
        let Directory { access: host, path, wanted, extended, through_links, replacing } = top;
        Self {
            host,
            path,
            wanted,
            extended,
            through_links,
            replacing,
            assets,
            file_mode: None,
            dir_mode: None,
            modes: BTreeMap::new(),
            is_exact: false,
            kept: BTreeSet::new(),
            owes: Owes::default(),
        }
    }

    /// Whose it is with all of these files, by name or number. Without this, what is new is root's.
    pub fn owner(mut self, user: impl Into<String>) -> Self {
        self.wanted.owner = Some(user.into());
        self
    }

    /// The group of it and of all these files, by name or number.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.wanted.group = Some(group.into());
        self
    }

    /// The permission bits of these files, as in `0o640`, up to `0o7777`. Without this, new files have `0o644`.
    pub fn file_mode(mut self, mode: u32) -> Self {
        self.file_mode = Some(mode);
        self
    }

    /// The permission bits of one of these files, by its path in the assets, or of all files below a directory of theirs: files
    /// that are embedded have none. The longest path that leads to a file counts, before [`Synced::file_mode`].
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// const TOOLS: wb_stdlib::Assets = wb_stdlib::Assets::new("tools", &[("bin/run", b"#!/bin/sh\n"), ("run.conf", b"")]);
    ///
    /// fn install_the_tools(host: &Host) -> Result<()> {
    ///     host.directory("/opt/tools").synced(TOOLS).mode_of("bin", 0o755).present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(install_the_tools);
    /// ```
    pub fn mode_of(mut self, path: impl AsRef<Path>, mode: u32) -> Self {
        self.modes.insert(path.as_ref().to_owned(), mode);
        self
    }

    /// The permission bits of its directories, as in `0o750`, up to `0o7777`. Without this, new ones have `0o755`.
    pub fn dir_mode(mut self, mode: u32) -> Self {
        self.dir_mode = Some(mode);
        self
    }

    /// What is in it and not in the assets goes: files, links, directories with all that is in them.
    pub fn exactly(mut self) -> Self {
        self.is_exact = true;
        self
    }

    /// What lies at this path below it does not go, where [`Synced::exactly`] is said; what the assets have there is written
    /// all the same. The path is one below it, as in `"uploads"` or `"var/cache"`. Can be said several times.
    pub fn keeping(mut self, path: impl AsRef<Path>) -> Self {
        self.kept.insert(path.as_ref().to_owned());
        self
    }

    /// When anything in it changes, the service is reloaded, as with [`File::reloads`](crate::file::File::reloads).
    pub fn reloads(mut self, service: &Service<Host<'_>>) -> Self {
        self.owes.add(DebtAction::Reload, service);
        self
    }

    /// When anything in it changes, the service is restarted, as with [`File::restarts`](crate::file::File::restarts).
    pub fn restarts(mut self, service: &Service<Host<'_>>) -> Self {
        self.owes.add(DebtAction::Restart, service);
        self
    }

    /// It is there, with all files of the assets. Each file is replaced at once or not at all, and what has to go goes last.
    ///
    /// # Errors
    /// When what is to be kept is no path below it, a mode is said of what the assets do not have, something else is where a file
    /// or a directory is to be (but for [`Synced::exactly`]), what is to go has a mounted file system in it or something that is
    /// to be kept, the owner is not there, or something can't be written.
    pub fn present(mut self) -> Result<Outcome, FileError> {
        let what = format!("directory {} synced with assets/{}", self.path.display(), self.assets.name());
        check_path(&self.path)?;
        self.check_kept()?;
        self.check_modes()?;
        let (context, system) = (self.host.context(), self.host.system());
        if self.through_links {
            self.path = end_of(context, &self.path)?;
        }
        if self.host.plans()
            && let Some(why) = self.unknown()?
        {
            return ensure(self.host, &what, Difference::Unknown(why), || Ok(()));
        }
        let resolved = self.wanted.resolve(context)?;
        let deeds = self.deeds(&resolved)?;
        if self.host.plans() && deeds.iter().any(Deed::is_unnumbered) {
            let why = foresight::UNNUMBERED.to_owned();
            return ensure(self.host, &what, Difference::Unknown(why), || Ok(()));
        }
        let lines: Vec<String> = deeds.iter().map(|deed| deed.line.clone()).collect();
        let difference = if lines.is_empty() { Difference::None } else { Difference::Some(Some(listed(&lines))) };
        if !lines.is_empty() {
            let written = self.owes.write_down(context);
            written.map_err(|source| FileError::Owe { path: self.path.clone(), source })?;
        }
        if self.host.plans() {
            deeds.iter().try_for_each(|deed| deed.foresee(context))?;
        }
        ensure(self.host, &what, difference, || deeds.iter().try_for_each(|deed| deed.act(system)))
    }

    /// What a plan can't know yet.
    fn unknown(&self) -> Result<Option<String>, FileError> {
        let context = self.host.context();
        let content = foresight::unknown_in(context, &self.path);
        match self.wanted.missing_owner(context, None)?.or(content) {
            None => self.extended.unknown(context, &self.path),
            why => Ok(why),
        }
    }

    /// What is to be kept is told by its path from here: one that says it otherwise would keep nothing.
    fn check_kept(&self) -> Result<(), FileError> {
        let is_below = |path: &PathBuf| {
            let is_name = |part| matches!(part, Component::Normal(_));
            !path.as_os_str().is_empty() && path.components().all(is_name)
        };
        match self.kept.iter().find(|path| !is_below(path)) {
            Some(kept) => Err(FileError::BadKept { path: self.path.clone(), kept: kept.clone() }),
            None => Ok(()),
        }
    }

    /// A mode of nothing is a file that has another one than somebody thinks.
    fn check_modes(&self) -> Result<(), FileError> {
        let is_path = |path: &PathBuf| {
            let mut names = self.assets.files().iter().map(|(name, _)| Path::new(*name));
            !path.as_os_str().is_empty() && names.any(|name| name.starts_with(path))
        };
        match self.modes.keys().find(|path| !is_path(path)) {
            Some(named) => {
                let (path, assets) = (self.path.clone(), self.assets.name());
                Err(FileError::NoAsset { path, assets, named: named.clone() })
            }
            None => Ok(()),
        }
    }

    /// All that is to be done, in its order.
    fn deeds(&self, resolved: &Resolved) -> Result<Vec<Deed>, FileError> {
        let (mut deeds, mut new) = (Vec::new(), BTreeSet::new());
        let directories = directories(&self.assets);
        for directory in &directories {
            let is_new = directory.ancestors().skip(1).any(|above| new.contains(above));
            if self.directory(directory, is_new, resolved, &mut deeds)? {
                new.insert(directory.clone());
            }
        }
        for (name, content) in self.assets.files() {
            let is_new = Path::new(name).parent().is_some_and(|parent| new.contains(parent));
            self.file(Path::new(name), content, is_new, resolved, &mut deeds)?;
        }
        if self.is_exact {
            let files: BTreeSet<PathBuf> = self.assets.files().iter().map(|(name, _)| PathBuf::from(name)).collect();
            for directory in directories.iter().filter(|directory| !new.contains(*directory)) {
                self.others(directory, &directories, &files, &mut deeds)?;
            }
        }
        Ok(deeds)
    }

    /// What is to be done about a directory, and whether it will be a new one.
    fn directory(
        &self,
        below: &Path,
        is_new: bool,
        resolved: &Resolved,
        deeds: &mut Vec<Deed>,
    ) -> Result<bool, FileError> {
        let path = self.at(below);
        let is_top = below.as_os_str().is_empty();
        let mode = resolved.mode.filter(|_| is_top).or(self.dir_mode);
        let mut wanted = Resolved { mode, ..*resolved };
        let found = if is_new { None } else { foresight::stat(self.host.context(), &path)? };
        let there = found.filter(|stat| stat.kind == Kind::Directory);
        let settled = match is_top {
            true => self.extended.settle(self.host.system(), &path, there, &mut wanted, NEW_DIR_MODE)?,
            false => Settled::default(),
        };
        match found {
            Some(stat) if stat.kind == Kind::Directory => {
                deeds.extend(set(below, &path, stat, wanted, settled));
                return Ok(false);
            }
            Some(stat) if !self.lets_go(is_top) => return Err(in_the_way(&path, "a directory", stat)),
            Some(stat) => deeds.push(self.removal(below, "a directory", stat)?),
            None => {}
        }
        let wanted = Resolved { mode: wanted.mode.or(Some(NEW_DIR_MODE)), ..wanted };
        let line = told(&["new".to_owned()], &settled);
        deeds.push(Deed { line: format!("{} {line}", shown(below)), path, act: Act::Make(wanted, settled) });
        Ok(true)
    }

    /// Whether something else may go that is where a directory is to be.
    fn lets_go(&self, is_top: bool) -> bool {
        if is_top { self.replacing } else { self.is_exact }
    }

    fn file(
        &self,
        below: &Path,
        content: &'static [u8],
        is_new: bool,
        resolved: &Resolved,
        deeds: &mut Vec<Deed>,
    ) -> Result<(), FileError> {
        let (path, context) = (self.at(below), self.host.context());
        let wanted = Resolved { mode: self.mode_of_file(below), ..*resolved };
        let found = if is_new { None } else { foresight::stat(context, &path)? };
        let found = match found {
            Some(stat) if stat.kind == Kind::File => Some(stat),
            Some(stat) if !self.is_exact => return Err(in_the_way(&path, "a file", stat)),
            Some(stat) => {
                deeds.push(self.removal(below, "a file", stat)?);
                None
            }
            None => None,
        };
        let line = match found {
            None => format!("{} new, {} bytes", shown(below), content.len()),
            Some(stat) if stat.size != content.len() as u64 => {
                format!("{} {} bytes -> {} bytes", shown(below), stat.size, content.len())
            }
            Some(stat) if foresight::read(context, &path)?.as_deref() == Some(content) => {
                deeds.extend(set(below, &path, stat, wanted, Settled::default()));
                return Ok(());
            }
            Some(_) => format!("{} content differs", shown(below)),
        };
        deeds.push(Deed { line, path, act: Act::Write { content, found, wanted } });
        Ok(())
    }

    /// What leads to a file comes before what leads further: the last one counts.
    fn mode_of_file(&self, below: &Path) -> Option<u32> {
        let own = self.modes.iter().rfind(|(path, _)| below.starts_with(path));
        own.map(|(_, mode)| *mode).or(self.file_mode)
    }

    /// What is in a directory and has no place there.
    fn others(
        &self,
        directory: &Path,
        directories: &BTreeSet<PathBuf>,
        wanted: &BTreeSet<PathBuf>,
        deeds: &mut Vec<Deed>,
    ) -> Result<(), FileError> {
        let context = self.host.context();
        for name in foresight::names(context, &self.at(directory))? {
            let below = directory.join(name);
            if directories.contains(&below) || wanted.contains(&below) || self.kept.contains(&below) {
                continue;
            }
            let Some(stat) = foresight::stat(context, &self.at(&below))? else { continue };
            if stat.kind == Kind::Directory && self.kept.iter().any(|kept| kept.starts_with(&below)) {
                self.others(&below, directories, wanted, deeds)?;
            } else if self.kept_in(&below)?.is_none() {
                deeds.push(self.gone(&below, stat)?);
            }
        }
        Ok(())
    }

    /// The removal of what is where the assets have something else. It must not take along what is to be kept.
    fn removal(&self, below: &Path, wanted: &'static str, stat: Stat) -> Result<Deed, FileError> {
        match self.kept_in(below)? {
            Some(kept) => Err(FileError::Kept { path: self.at(below), wanted, kept: self.at(kept) }),
            None => self.gone(below, stat),
        }
    }

    /// What is to be kept there, and lies at this path or is reached through it.
    fn kept_in(&self, below: &Path) -> Result<Option<&PathBuf>, FileError> {
        for kept in self.kept.iter().filter(|kept| kept.starts_with(below)) {
            if foresight::stat(self.host.context(), &self.at(kept))?.is_some() {
                return Ok(Some(kept));
            }
        }
        Ok(None)
    }

    fn gone(&self, below: &Path, stat: Stat) -> Result<Deed, FileError> {
        let path = self.at(below);
        if stat.kind == Kind::Directory {
            refuse_mounts(self.host.context(), &path)?;
        }
        let line = format!("{} goes, {}", shown(below), KindWord(stat.kind));
        Ok(Deed { line, path, act: Act::Remove(stat.kind) })
    }

    fn at(&self, below: &Path) -> PathBuf {
        if below.as_os_str().is_empty() { self.path.clone() } else { self.path.join(below) }
    }
}

impl Deed {
    fn act(&self, system: &System) -> Result<(), FileError> {
        let at = system.path(&self.path);
        match &self.act {
            Act::Make(wanted, settled) => {
                files::create_dir_with(at, wanted.over(None, NEW_DIR_MODE))?;
                settled.set(system, &self.path, true)
            }
            Act::Write { content, found, wanted } => {
                let xattrs = Settled::default().over(system, &self.path, *found)?;
                Ok(system.write_file_with(&self.path, content, wanted.over(*found, NEW_FILE_MODE), &xattrs)?)
            }
            Act::Set { wanted, settled, .. } => {
                wanted.set(system, &self.path)?;
                settled.set(system, &self.path, true)
            }
            Act::Remove(Kind::Directory) => Ok(files::remove_tree(at).map(drop)?),
            Act::Remove(_) => Ok(files::remove(at).map(drop)?),
        }
    }

    /// Whether its line has a number that only stands for somebody who is not there yet.
    fn is_unnumbered(&self) -> bool {
        matches!(&self.act, Act::Set { found, wanted, .. } if wanted.is_unnumbered(Some(*found)))
    }

    /// Lets operations that come later in a plan see what it would leave.
    fn foresee(&self, context: &Context<'_>) -> Result<(), files::FileError> {
        match &self.act {
            Act::Make(wanted, _) => {
                let thing = Thing::Directory(wanted.stat(Kind::Directory, None, NEW_DIR_MODE));
                foresight::make_directory(context, &self.path, thing)?;
            }
            Act::Write { content, found, wanted } => {
                let stat = Stat { size: content.len() as u64, ..wanted.stat(Kind::File, *found, NEW_FILE_MODE) };
                foresight::put(context, &self.path, Thing::File(stat, content.to_vec()));
            }
            Act::Set { found, wanted, .. } => {
                let stat = wanted.stat(found.kind, Some(*found), found.mode);
                foresight::dress(context, &self.path, Stat { size: found.size, ..stat });
            }
            Act::Remove(_) => foresight::put(context, &self.path, Thing::Nothing),
        }
        Ok(())
    }
}

/// The directories that the files need, by their paths, those above first; the empty path is the one at the top.
fn directories(assets: &Assets) -> BTreeSet<PathBuf> {
    let files = assets.files().iter().map(|(name, _)| Path::new(*name));
    let above = files.flat_map(|file| file.ancestors().skip(1).map(Path::to_owned));
    std::iter::once(PathBuf::new()).chain(above).collect()
}

fn set(below: &Path, path: &Path, found: Stat, wanted: Resolved, settled: Settled) -> Option<Deed> {
    let diff = told(&wanted.diff(Some(found)), &settled);
    let line = format!("{} {diff}", shown(below));
    let act = Act::Set { found, wanted, settled };
    (!diff.is_empty()).then(|| Deed { line, path: path.to_owned(), act })
}

fn told(lines: &[String], settled: &Settled) -> String {
    [lines, settled.diff()].concat().join(", ")
}

fn in_the_way(path: &Path, wanted: &'static str, stat: Stat) -> FileError {
    FileError::InTheWay { path: path.to_owned(), wanted, found: KindWord(stat.kind) }
}

fn shown(below: &Path) -> String {
    if below.as_os_str().is_empty() { ".".to_owned() } else { below.display().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Look;
    use crate::machine::{Machine, changed};

    const SITE: Assets = Assets::new("site", &[("css/shop.css", b"body {}"), ("index.html", b"<h1>Shop</h1>")]);

    fn sync(host: &Host) -> anyhow::Result<Outcome> {
        Ok(host.directory("/srv/site").synced(SITE).present()?)
    }

    fn exactly(host: &Host) -> anyhow::Result<Outcome> {
        Ok(host.directory("/srv/site").synced(SITE).exactly().keeping("var/uploads").present()?)
    }

    #[test]
    fn all_files_come_with_their_directories() {
        let machine = Machine::new();
        let all = changed(". new\ncss new\ncss/shop.css new, 7 bytes\nindex.html new, 13 bytes");
        assert_eq!(machine.plan(sync).unwrap(), all);
        assert_eq!(machine.stat("/srv"), None);
        assert_eq!(machine.apply(sync).unwrap(), all);
        assert_eq!(machine.read("/srv/site/css/shop.css").as_deref(), Some("body {}"));
        assert_eq!(machine.stat("/srv/site/css").unwrap().mode, 0o755);
        assert_eq!(machine.apply(sync).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn what_differs_is_written_and_what_else_is_there_stays() {
        let machine = Machine::new().file("/srv/site/index.html", "<h1>Shoq</h1>").file("/srv/site/old.html", "kept");
        let expect = changed("css new\ncss/shop.css new, 7 bytes\nindex.html content differs");
        assert_eq!(machine.apply(sync).unwrap(), expect);
        assert_eq!(machine.read("/srv/site/old.html").as_deref(), Some("kept"));
        assert_eq!(machine.read("/srv/site/index.html").as_deref(), Some("<h1>Shop</h1>"));
    }

    #[test]
    fn exactly_removes_what_else_is_there_but_for_what_is_kept() {
        let machine = Machine::new()
            .file("/srv/site/index.html", "<h1>Shop</h1>")
            .file("/srv/site/old/a/b", "x")
            .file("/srv/site/var/uploads/mine", "kept")
            .file("/srv/site/var/cache", "x")
            .file("/srv/site/css/shop.css", "body {}");
        let expect = changed("old goes, a directory\nvar/cache goes, a file");
        assert_eq!(machine.plan(exactly).unwrap(), expect);
        assert_eq!(machine.apply(exactly).unwrap(), expect);
        assert_eq!((machine.stat("/srv/site/old"), machine.stat("/srv/site/var/cache")), (None, None));
        assert_eq!(machine.read("/srv/site/var/uploads/mine").as_deref(), Some("kept"));
        assert_eq!(machine.apply(exactly).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn a_link_in_the_place_of_a_directory_goes_and_what_it_leads_to_stays() {
        let machine = Machine::new().file("/else/shop.css", "body {}").file("/srv/site/index.html", "<h1>Shop</h1>");
        machine.apply(|host| Ok(host.link("/srv/site/css").to("../../else")?)).unwrap();
        assert!(machine.apply(sync).unwrap_err().to_string().contains("is to be a directory, and is a symbolic link"));
        let expect = changed("css goes, a symbolic link\ncss new\ncss/shop.css new, 7 bytes");
        assert_eq!(machine.apply(exactly).unwrap(), expect);
        assert_eq!(machine.stat("/srv/site/css").unwrap().kind, Kind::Directory);
        assert_eq!(machine.read("/else/shop.css").as_deref(), Some("body {}"));
    }

    #[test]
    fn what_is_mounted_or_kept_does_not_go_with_what_is_in_the_way() {
        let site = |kept: &'static str| {
            move |host: &Host| Ok(host.directory("/srv/site").synced(SITE).exactly().keeping(kept).present()?)
        };
        let check = |machine: &Machine, kept: &'static str, expect: &str| {
            let before = machine.snapshot();
            for error in [machine.plan(site(kept)), machine.apply(site(kept))] {
                let error = error.unwrap_err().to_string();
                assert!(error.starts_with(expect), "{error}");
            }
            assert_eq!(machine.snapshot(), before);
        };
        let machine = Machine::new()
            .file("/srv/site/index.html/data/mine", "x")
            .file("/proc/self/mountinfo", "36 35 98:0 / /srv/site/index.html/data rw - ext4 /dev/sdb1 rw\n");
        let mounted =
            "/srv/site/index.html is to go, and a file system is mounted at /srv/site/index.html/data\nhint: ";
        check(&machine, "other", mounted);
        let kept = "/srv/site/index.html is to be a file, and /srv/site/index.html/data is to be kept\nhint: ";
        check(&machine, "index.html/data", kept);
        let machine = Machine::new().file("/else/uploads/mine", "x").dir("/srv/site");
        machine.apply(|host| Ok(host.link("/srv/site/css").to("../../else")?)).unwrap();
        check(&machine, "css/uploads", "/srv/site/css is to be a directory, and /srv/site/css/uploads is to be kept");
    }

    #[test]
    fn what_is_kept_is_told_by_its_path_below() {
        let machine = Machine::new().file("/srv/site/uploads/mine", "kept");
        let site = |kept: &'static str| {
            move |host: &Host| Ok(host.directory("/srv/site").synced(SITE).exactly().keeping(kept).present()?)
        };
        for wrong in ["/srv/site/uploads", "./uploads", "../site/uploads", "uploads/..", "", "."] {
            for error in [machine.plan(site(wrong)), machine.apply(site(wrong))] {
                let expect = format!("`{wrong}`, which is to be kept, is no path below /srv/site\nhint: ");
                let error = error.unwrap_err().to_string();
                assert!(error.starts_with(&expect), "{error}");
            }
        }
        for right in ["uploads", "uploads/", "uploads//mine", "uploads/./mine"] {
            machine.apply(site(right)).unwrap();
            assert_eq!(machine.read("/srv/site/uploads/mine").as_deref(), Some("kept"), "{right}");
        }
    }

    #[test]
    fn a_link_that_leads_to_what_is_kept_stays() {
        let machine = Machine::new().file("/else/uploads/mine", "x").dir("/srv/site");
        machine.apply(|host| Ok(host.link("/srv/site/var").to("../../else")?)).unwrap();
        machine.apply(exactly).unwrap();
        assert_eq!(machine.read("/srv/site/var/uploads/mine").as_deref(), Some("x"));
        assert_eq!(machine.apply(exactly).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn modes_are_of_what_is_synced() {
        let machine = Machine::new().with_me().file("/srv/site/other", "x");
        let ensure = |host: &Host| {
            let site = host.directory("/srv/site").owner("me").group("us").mode(0o711).synced(SITE);
            Ok(site.file_mode(0o640).present()?)
        };
        machine.apply(ensure).unwrap();
        assert_eq!(machine.stat("/srv/site").unwrap().mode, 0o711);
        assert_eq!(machine.stat("/srv/site/index.html").unwrap().mode, 0o640);
        assert_eq!(machine.stat("/srv/site/other").unwrap().mode, 0o644);
        assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
        let tighter = |host: &Host| Ok(host.directory("/srv/site").synced(SITE).file_mode(0o600).present()?);
        let expect = changed("css/shop.css mode 0640 -> 0600\nindex.html mode 0640 -> 0600");
        assert_eq!(machine.apply(tighter).unwrap(), expect);
    }

    #[test]
    fn what_is_said_of_the_directory_is_of_the_top() {
        let machine = Machine::new().dir("/else").file("/srv/site", "gone");
        let replace = |host: &Host| Ok(host.directory("/srv/site").replacing().synced(SITE).present()?);
        let expect = ". goes, a file\n. new\ncss new\ncss/shop.css new, 7 bytes\nindex.html new, 13 bytes";
        assert_eq!(machine.plan(replace).unwrap(), changed(expect));
        assert_eq!(machine.apply(replace).unwrap(), changed(expect));
        assert_eq!(machine.apply(replace).unwrap(), Outcome::Unchanged);
        machine.apply(|host| Ok(host.link("/srv/link").to("../else")?)).unwrap();
        assert!(machine.apply(|host| Ok(host.directory("/srv/link").synced(SITE).present()?)).is_err());
        let follow = |host: &Host| Ok(host.directory("/srv/link").through_links().synced(SITE).present()?);
        assert!(machine.apply(follow).unwrap().changed());
        assert_eq!(machine.read("/else/css/shop.css").as_deref(), Some("body {}"));
    }

    #[test]
    fn the_directory_at_the_top_gets_its_list() {
        let machine = Machine::new();
        let list = |host: &Host| {
            let site = host.directory("/srv/site").mode(0o750).acl("user:1:r-x").acl("default:user:1:r-x");
            Ok(site.synced(SITE).dir_mode(0o755).present()?)
        };
        // Not every file system has such lists.
        if machine.apply(list).is_err() {
            return;
        }
        assert_eq!(machine.apply(list).unwrap(), Outcome::Unchanged);
        machine.view(|host| host.file("/srv/site").has_acl("user:1:r-x")).unwrap();
        assert_eq!(machine.stat("/srv/site").unwrap().mode, 0o750);
        let none = |host: &Host| Ok(host.directory("/srv/site").mode(0o750).exact_acl().synced(SITE).present()?);
        assert!(machine.apply(none).unwrap().changed());
        assert!(machine.view(|host| host.file("/srv/site").has_acl("user:1:r-x")).is_err());
        assert_eq!(machine.apply(none).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn some_files_have_modes_of_their_own() {
        const TOOLS: Assets = Assets::new(
            "tools",
            &[("bin/lib/a", b"a"), ("bin/run", b"#!/bin/sh\n"), ("binary", b"b"), ("run.conf", b"")],
        );
        let machine = Machine::new();
        let ensure = |host: &Host| {
            let tools = host.directory("/opt").synced(TOOLS).file_mode(0o640).mode_of("bin/lib/a", 0o600);
            Ok(tools.mode_of("bin/", 0o755).present()?)
        };
        machine.apply(ensure).unwrap();
        for (path, mode) in [("bin/lib/a", 0o600), ("bin/run", 0o755), ("binary", 0o640), ("run.conf", 0o640)] {
            assert_eq!(machine.stat(format!("/opt/{path}")).unwrap().mode, mode, "{path}");
        }
        assert_eq!(machine.apply(ensure).unwrap(), Outcome::Unchanged);
        let other = |host: &Host| Ok(host.directory("/opt").synced(TOOLS).mode_of("bin/run", 0o700).present()?);
        assert_eq!(machine.apply(other).unwrap(), changed("bin/run mode 0755 -> 0700"));
    }

    #[test]
    fn a_mode_of_nothing_is_an_error() {
        let machine = Machine::new();
        for wrong in ["bin/run", "index", "/index.html", ""] {
            let error =
                machine.apply(|host| Ok(host.directory("/srv").synced(SITE).mode_of(wrong, 0o755).present()?));
            let expect =
                format!("the assets `site` have no `{wrong}`, which is to have a mode of its own, for /srv\nhint: ");
            let error = error.unwrap_err().to_string();
            assert!(error.starts_with(&expect), "{error}");
        }
        assert_eq!(machine.stat("/srv"), None);
    }

    #[test]
    fn a_change_owes_its_reload() {
        use wb_core::context::Debts as _;
        let machine = Machine::new();
        let sync = |host: &Host| {
            let nginx = host.service("nginx");
            Ok(host.directory("/srv/site").synced(SITE).reloads(&nginx).present()?)
        };
        machine.apply(sync).unwrap();
        assert_eq!(machine.journal.owed().len(), 1);
    }
}
