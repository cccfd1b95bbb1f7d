//! Where paths lead through symbolic links, and who leads there.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use wb_core::context::{Context, Mode};
use wb_core::system::System;
use wb_core::system::files::{self, Kind, Stat};

use super::FileError;
use crate::foresight;

/// So many links may lead to each other, as for the kernel.
const LINKS: usize = 40;

/// Where a path leads.
#[derive(Debug)]
pub(crate) struct End {
    /// Where the link at the path leads; the path itself where none is, whatever links lead to its directory.
    pub(crate) path: PathBuf,
    /// The same, with no link on the way any more.
    pub(crate) real: PathBuf,
    /// What is there.
    pub(crate) stat: Option<Stat>,
    foreign: Option<FileError>,
}

impl End {
    pub(crate) fn of(system: &System, path: &Path) -> Result<Self, FileError> {
        let mut way = Way::new(system, path);
        while let Some(part) = way.left.pop() {
            way.go(part)?;
        }
        let Way { at: real, stat, foreign, is_link, .. } = way;
        let path = if is_link { real.clone() } else { path.to_owned() };
        Ok(Self { path, real, stat, foreign })
    }

    /// Where it leads by now: also by links that operations before would make in a plan, and by none that they would remove.
    /// Those on the way may be trusted.
    pub(crate) fn by_now(context: &Context<'_>, path: &Path) -> Result<Self, FileError> {
        if context.mode() == Mode::Apply {
            return Self::of(context.system(), path)?.trusted();
        }
        let mut path = path.to_owned();
        for _ in 0..LINKS {
            path = foresight::end(context, &path).unwrap_or(path);
            if !foresight::is_as_found(context, &path) {
                let stat = foresight::stat(context, &path)?;
                return Ok(Self { real: path.clone(), path, stat, foreign: None });
            }
            let end = Self::of(context.system(), &path)?.trusted()?;
            if end.path == path {
                return Ok(end);
            }
            path = end.path;
        }
        Err(FileError::LinkLoop { path, source: None })
    }

    /// Whoever makes a link to what is somebody else's must not lead root there.
    pub(crate) fn trusted(mut self) -> Result<Self, FileError> {
        self.foreign.take().map_or(Ok(self), Err)
    }
}

/// [`End::path`], by now.
pub(crate) fn end_of(context: &Context<'_>, path: &Path) -> Result<PathBuf, FileError> {
    Ok(End::by_now(context, path)?.path)
}

/// A part of a path.
enum Part {
    Root,
    Up,
    Name(OsString),
    /// Here ends what a link says, and whose that is.
    Led {
        link: PathBuf,
        uid: u32,
    },
}

/// The way that a path takes.
struct Way<'a> {
    system: &'a System,
    path: &'a Path,
    /// How far it has come: a path without links.
    at: PathBuf,
    stat: Option<Stat>,
    /// What is left of it, the next part last.
    left: Vec<Part>,
    links: usize,
    is_link: bool,
    foreign: Option<FileError>,
}

impl<'a> Way<'a> {
    fn new(system: &'a System, path: &'a Path) -> Self {
        let (at, left) = (PathBuf::from("/"), parts(path));
        Self { system, path, at, stat: None, left, links: 0, is_link: false, foreign: None }
    }

    fn go(&mut self, part: Part) -> Result<(), FileError> {
        match part {
            Part::Root => self.stand_at(PathBuf::from("/")),
            Part::Up => self.stand_at(self.at.parent().unwrap_or(&self.at).to_owned()),
            Part::Name(name) => self.enter(self.at.join(name)),
            Part::Led { link, uid } => self.judge(link, uid),
        }
    }

    fn stand_at(&mut self, at: PathBuf) -> Result<(), FileError> {
        self.stat = self.system.stat(&at)?;
        self.at = at;
        Ok(())
    }

    fn enter(&mut self, next: PathBuf) -> Result<(), FileError> {
        match self.system.stat(&next)? {
            Some(stat) if stat.kind == Kind::Link => self.follow(next, stat.uid),
            stat => {
                (self.at, self.stat) = (next, stat);
                Ok(())
            }
        }
    }

    fn follow(&mut self, link: PathBuf, uid: u32) -> Result<(), FileError> {
        self.links += 1;
        if self.links > LINKS {
            return Err(FileError::LinkLoop { path: self.path.to_owned(), source: None });
        }
        self.is_link |= self.left.is_empty();
        let target = files::read_link(self.system.path(&link))?;
        self.left.push(Part::Led { link, uid });
        self.left.extend(parts(&target));
        Ok(())
    }

    /// Root's links are followed anywhere, and those of others to what is theirs.
    fn judge(&mut self, link: PathBuf, uid: u32) -> Result<(), FileError> {
        if uid != 0 && self.foreign.is_none() && self.owner()? != Some(uid) {
            self.foreign = Some(FileError::ForeignLink { link, uid, target: self.at.clone() });
        }
        Ok(())
    }

    /// Whose it is, where it stands; of what is not there, whose the directory is in which it would be made.
    fn owner(&self) -> Result<Option<u32>, FileError> {
        if let Some(stat) = self.stat {
            return Ok(Some(stat.uid));
        }
        let above = self.at.ancestors().skip(1).find_map(|above| self.system.stat(above).transpose());
        Ok(above.transpose()?.map(|stat| stat.uid))
    }
}

/// The parts of a path, the first one last.
fn parts(path: &Path) -> Vec<Part> {
    let part = |part: Component<'_>| match part {
        Component::RootDir | Component::Prefix(_) => Some(Part::Root),
        Component::ParentDir => Some(Part::Up),
        Component::Normal(name) => Some(Part::Name(name.to_owned())),
        Component::CurDir => None,
    };
    path.components().rev().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;

    fn end(machine: &Machine, path: &str) -> Result<End, FileError> {
        machine.with(wb_core::context::Mode::Apply, |context| Ok(End::of(context.system(), Path::new(path)))).unwrap()
    }

    fn machine() -> Machine {
        let machine = Machine::new().file("/run/shop/pid", "1").dir("/srv/shop").dir("/var");
        let link = |target: &str, path: &str| files::link(target, machine.path(path)).unwrap();
        link("/run", "/var/run");
        link("../../var/run/shop", "/srv/shop/run");
        link("pid", "/run/shop/now");
        link("/srv/none/x", "/srv/shop/gone");
        machine
    }

    #[test]
    fn links_are_followed_wherever_they_are_on_the_way() {
        let machine = machine();
        let check = |path: &str, expect: &str, real: &str, is_there: bool| {
            let end = end(&machine, path).unwrap();
            assert_eq!((end.path, end.real), (expect.into(), real.into()), "{path}");
            assert_eq!(end.stat.is_some(), is_there, "{path}");
        };
        check("/run/shop/pid", "/run/shop/pid", "/run/shop/pid", true);
        check("/var/run/shop/pid", "/var/run/shop/pid", "/run/shop/pid", true);
        check("/srv/shop/run/pid", "/srv/shop/run/pid", "/run/shop/pid", true);
        check("/srv/shop/run/now", "/run/shop/pid", "/run/shop/pid", true);
        check("/srv/shop/run", "/run/shop", "/run/shop", true);
        check("/srv/shop/gone", "/srv/none/x", "/srv/none/x", false);
        check("/run/shop/pid/x", "/run/shop/pid/x", "/run/shop/pid/x", false);
        check("/", "/", "/", true);
    }

    #[test]
    fn links_of_somebody_else_are_told_wherever_they_are_on_the_way() {
        let machine = machine();
        let give = |path: &str| files::set_owner(machine.path(path), Some(7), None);
        // Only root may.
        if give("/var/run").is_err() {
            return;
        }
        let check = |path: &str, expect: Option<(&str, &str)>| {
            let found = end(&machine, path).unwrap().trusted().map(drop);
            let said = found.err().map(|error| error.to_string());
            let expect =
                expect.map(|(link, target)| format!("the symbolic link {link} belongs to user 7, and {target} "));
            assert_eq!(said.is_some(), expect.is_some(), "{path}: {said:?}");
            assert!(said.unwrap_or_default().starts_with(&expect.unwrap_or_default()), "{path}");
        };
        check("/var/run/shop/pid", Some(("/var/run", "/run")));
        check("/srv/shop/run", Some(("/var/run", "/run")));
        check("/run/shop/now", None);
        give("/run").unwrap();
        check("/var/run/shop/pid", None);
        give("/srv/shop/gone").unwrap();
        check("/srv/shop/gone", Some(("/srv/shop/gone", "/srv/none/x")));
        give("/srv").unwrap();
        check("/srv/shop/gone", None);
    }
}
