//! A directory and all that is in it: owner, group and modes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wb_core::context::Outcome;
use wb_core::system::Held;
use wb_core::system::files::{Kind, Stat};

use super::{Directory, listed};
use crate::ensure::{Difference, ensure};
use crate::file::{End, FileError, KindWord, Resolved, Wanted, check_path, end_of};
use crate::look::Access as _;
use crate::{Host, foresight};

/// A directory with all that is in it. [`Directory::recursively`](super::Directory::recursively) makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn give_it_to_the_shop(host: &Host) -> Result<()> {
///     host.directory("/srv/shop").recursively().owner("shop").group("shop").file_mode(0o640).dir_mode(0o750).set()?;
///     Ok(())
/// }
/// # wb_stdlib::testing::web1().rehearse(give_it_to_the_shop);
/// ```
#[must_use = "say what is to be so: `.set()?`"]
pub struct Recursive<'a> {
    host: Host<'a>,
    path: PathBuf,
    wanted: Wanted,
    file_mode: Option<u32>,
    dir_mode: Option<u32>,
    through_links: bool,
    /// What was said that can't be so.
    odd: Option<&'static str>,
}

/// Is shown something of the tree.
type See<'s> = dyn FnMut(&Held, &Path, Stat, Resolved) -> Result<(), FileError> + 's;

impl<'a> Recursive<'a> {
    pub(super) fn new(top: Directory<Host<'a>>) -> Self {
        let odd = top.said_of_it_alone();
        let Directory { access: host, path, wanted, through_links, .. } = top;
        Self { host, path, wanted, file_mode: None, dir_mode: None, through_links, odd }
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
    /// touched, whoever puts them there meanwhile. So do devices, sockets and pipes.
    ///
    /// # Errors
    /// When there is no such directory or owner, something can't be set, or something was said that is of a directory alone.
    pub fn set(mut self) -> Result<Outcome, FileError> {
        let what = format!("directory {} recursively set", self.path.display());
        check_path(&self.path)?;
        if let Some(word) = self.odd {
            return Err(FileError::NotOfTrees { path: self.path, word });
        }
        if self.through_links {
            self.path = end_of(self.host.context(), &self.path)?;
        }
        if let Some(why) = self.unknown()? {
            return ensure(self.host, &what, Difference::Unknown(why), || Ok(()));
        }
        let resolved = self.wanted.resolve(self.host.context())?;
        let difference = if self.host.plans() { self.planned(&resolved)? } else { self.found(&resolved)? };
        ensure(self.host, &what, difference, || {
            self.walk(&resolved, &mut |held, _, stat, wanted| match wanted.diff(Some(stat)).is_empty() {
                true => Ok(()),
                false => Ok(wanted.set_on(self.host.context().system(), held)?),
            })
        })
    }

    /// How all that is there differs.
    fn found(&self, resolved: &Resolved) -> Result<Difference, FileError> {
        let mut lines = Vec::new();
        self.walk(resolved, &mut |_, path, stat, wanted| {
            lines.extend(line(path, stat, &wanted));
            Ok(())
        })?;
        Ok(difference(&lines))
    }

    /// How all that would be there by now differs.
    fn planned(&self, resolved: &Resolved) -> Result<Difference, FileError> {
        let (context, mut seen) = (self.host.context(), BTreeMap::new());
        self.walk(resolved, &mut |_, path, stat, _| {
            seen.insert(path.to_owned(), stat);
            Ok(())
        })?;
        if let Some(why) = foresight::lay_over(context, &self.path, &mut seen) {
            return Ok(Difference::Unknown(why));
        }
        let mut lines = Vec::new();
        for (path, stat) in &seen {
            let wanted = self.wanted_of(path, *stat, resolved);
            if wanted.is_unnumbered(Some(*stat)) {
                return Ok(Difference::Unknown(foresight::UNNUMBERED.to_owned()));
            }
            if let Some(line) = line(path, *stat, &wanted) {
                lines.push(line);
                foresight::dress(context, path, wanted.stat(stat.kind, Some(*stat), stat.mode));
            }
        }
        Ok(difference(&lines))
    }

    fn unknown(&self) -> Result<Option<String>, FileError> {
        let path = || self.path.clone();
        match foresight::stat(self.host.context(), &self.path)?.map(|stat| stat.kind) {
            Some(Kind::Directory) => {}
            Some(kind) => {
                return Err(FileError::InTheWay { path: path(), wanted: "a directory", found: KindWord(kind) });
            }
            None if self.host.plans() => {
                let why = foresight::unknown_at(self.host.context(), &self.path);
                return Ok(why.or_else(|| Some(format!("there is no directory {} yet", self.path.display()))));
            }
            None => return Err(FileError::NoDirectory { parent: path(), path: path() }),
        }
        if self.host.plans() { self.wanted.missing_owner(self.host.context(), None) } else { Ok(None) }
    }

    /// Shows everything, from the top, with its path, what it is and what is wanted of it. It is shown held: whose the tree
    /// is can put a link to any other place of the host at a path that was looked at.
    fn walk(&self, resolved: &Resolved, see: &mut See<'_>) -> Result<(), FileError> {
        let system = self.host.system();
        let top = End::of(system, &self.path)?.trusted()?.real;
        // What goes meanwhile is not there any more.
        match system.held(top)? {
            Some(top) => self.visit(&top, &self.path, resolved, see),
            None => Ok(()),
        }
    }

    fn visit(&self, held: &Held, path: &Path, resolved: &Resolved, see: &mut See<'_>) -> Result<(), FileError> {
        let stat = held.stat()?;
        let names = if stat.kind == Kind::Directory { held.names()? } else { Vec::new() };
        see(held, path, stat, self.wanted_of(path, stat, resolved))?;
        for name in names {
            if let Some(below) = held.inside(&name)? {
                self.visit(&below, &path.join(name), resolved, see)?;
            }
        }
        Ok(())
    }

    fn wanted_of(&self, path: &Path, stat: Stat, resolved: &Resolved) -> Resolved {
        let mode = match stat.kind {
            Kind::File => self.file_mode,
            Kind::Directory if path == self.path => resolved.mode.or(self.dir_mode),
            Kind::Directory => self.dir_mode,
            Kind::Link | Kind::Other => None,
        };
        Resolved { mode, ..*resolved }
    }
}

/// How something in the tree differs.
fn line(path: &Path, stat: Stat, wanted: &Resolved) -> Option<String> {
    let diff = wanted.diff(Some(stat));
    (!diff.is_empty()).then(|| format!("{} {}", path.display(), diff.join(", ")))
}

fn difference(lines: &[String]) -> Difference {
    if lines.is_empty() { Difference::None } else { Difference::Some(Some(listed(lines))) }
}

#[cfg(test)]
mod tests {
    use wb_core::system::files;

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
    fn a_link_leads_to_the_top_where_that_is_said() {
        let machine = machine();
        machine.apply(|host| Ok(host.link("/to").to("srv")?)).unwrap();
        let set = |host: &Host| Ok(host.directory("/to").recursively().file_mode(0o600).set()?);
        assert!(
            machine.apply(set).unwrap_err().to_string().contains("/to is to be a directory, and is a symbolic link")
        );
        let set = |host: &Host| Ok(host.directory("/to").through_links().recursively().file_mode(0o600).set()?);
        assert!(machine.apply(set).unwrap().changed());
        assert_eq!(machine.stat("/srv/dir/b").unwrap().mode, 0o600);
        assert_eq!(machine.apply(set).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn what_is_of_a_directory_alone_is_not_said_of_a_tree() {
        let machine = machine();
        let check = |say: fn(Directory<Host<'_>>) -> Directory<Host<'_>>, word: &str| {
            let set = |host: &Host| Ok(say(host.directory("/srv")).recursively().file_mode(0o600).set()?);
            for error in [machine.plan(set), machine.apply(set)] {
                let error = error.unwrap_err().to_string();
                let expect = format!("`{word}` is of a directory alone, not of all that is in it, for /srv\nhint: ");
                assert!(error.starts_with(&expect), "{error}");
            }
        };
        check(|directory| directory.acl("user:1:r-x"), ".acl(…)");
        check(|directory| directory.without_acl("user:1"), ".without_acl(…)");
        check(|directory| directory.exact_acl(), ".exact_acl()");
        check(|directory| directory.replacing(), ".replacing()");
        assert_eq!(machine.stat("/srv/a").unwrap().mode, 0o644);
    }

    #[test]
    fn a_link_that_comes_meanwhile_leads_nowhere() {
        let machine = Machine::new().file("/srv/dir/b", "x").file("/else/b", "x");
        let set = |host: &Host| {
            let tree = host.directory("/srv").recursively().file_mode(0o600).dir_mode(0o700);
            Ok(tree.walk(&Resolved::default(), &mut |held, path, _, wanted| {
                if path == Path::new("/srv/dir") {
                    files::rename(machine.path("/srv/dir"), machine.path("/srv/moved"))?;
                    files::link("../else", machine.path("/srv/dir"))?;
                }
                Ok(wanted.set_on(host.system(), held)?)
            })?)
        };
        machine.apply(set).unwrap();
        assert_eq!(
            (machine.stat("/srv/moved").unwrap().mode, machine.stat("/srv/moved/b").unwrap().mode),
            (0o700, 0o600)
        );
        assert_eq!(machine.stat("/else/b").unwrap().mode, 0o644);
        assert_ne!(machine.stat("/else").unwrap().mode, 0o700);
    }

    #[test]
    fn a_socket_gets_its_owner() {
        let machine = machine();
        let _listening = std::os::unix::net::UnixListener::bind(machine.path("/srv/socket")).unwrap();
        let set = |host: &Host| Ok(host.directory("/srv").owner("7").recursively().file_mode(0o600).set()?);
        let found = machine.stat("/srv/socket").unwrap().mode;
        // Only root may give files away.
        if files::set_owner(machine.path("/srv/a"), Some(7), None).is_err() {
            return;
        }
        assert!(machine.apply(set).unwrap().changed());
        let stat = machine.stat("/srv/socket").unwrap();
        assert_eq!((stat.uid, stat.mode), (7, found));
        assert_eq!((machine.stat("/srv/link").unwrap().uid, machine.stat("/else").unwrap().uid == 7), (7, false));
        assert_eq!(machine.apply(set).unwrap(), Outcome::Unchanged);
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
