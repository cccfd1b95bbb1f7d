//! What a plan would have made of its host by now.
//!
//! A plan looks at a host to which nothing is done, so what one operation would do, those after it can't see there. Each says
//! here what it would put at a path or take away, which users, groups and packages it would bring, and what it would make of
//! services, and the others ask here first. What lives in the kernel is known by the path at which that shows it: what is mounted
//! or swapped to, its modules and its settings. What is not known here is as the host has it; where operations act, nothing is
//! known here.
//!
//! What only looks ([`File::read`](crate::file::File::read), say) sees the host as it is.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use wb_core::context::{Context, Mode};
use wb_core::system::environment;
use wb_core::system::files::{self, FileError, Kind, Stat};

use crate::owner::{self, OwnerError};
use crate::service::{Found, Question};

/// What would be at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Thing {
    Nothing,
    /// A file with this in it.
    File(Stat, Vec<u8>),
    /// A new directory.
    Directory(Stat),
    /// A link, and where it leads.
    Link(Stat, PathBuf),
    /// What the host has at this path, but for whose it is and its mode.
    Same(Stat, PathBuf),
    /// A file or a directory of which nobody knows before what is in it.
    Later(Stat),
    /// Something that only a command knows.
    Something,
}

/// What is known of a path.
enum Sight<'a> {
    /// It is what the host has at this one.
    Host(PathBuf),
    There(&'a Thing),
    Nothing,
    /// It is, or lies in, what nobody knows before.
    Within(PathBuf),
}

/// All that operations would have done so far.
#[derive(Debug, Default)]
struct Foreseen {
    paths: BTreeMap<PathBuf, Thing>,
    /// By name; without a number where they would be gone.
    users: BTreeMap<String, Option<u32>>,
    groups: BTreeMap<String, Option<u32>>,
    /// Users whose new home would have no keys.
    keyless: BTreeSet<String>,
    /// By name, and whether they would be there.
    packages: BTreeMap<String, bool>,
    /// By name, and whether they would stay in their versions.
    holds: BTreeMap<String, bool>,
    /// What services would be found to be, by name and what is asked.
    services: BTreeMap<(String, Question), Found>,
    stand_ins: u32,
}

/// So many links may lead to each other, as for the kernel.
const LINKS: usize = 40;
/// Numbers that stand for users and groups who get theirs only when they are made. No host gives them to anybody.
const STAND_INS: Range<u32> = 4_294_000_000..4_294_900_000;
/// One that stands for anybody.
pub(crate) const ANYBODY: u32 = STAND_INS.start;
/// Why a plan can't say what would change where such a number stands in it.
pub(crate) const UNNUMBERED: &str = "a user or group that is new by then has no number yet";

impl Thing {
    /// What there is to know of it, where it is there.
    pub(crate) fn stat(&self) -> Option<Stat> {
        match self {
            Self::File(stat, _)
            | Self::Directory(stat)
            | Self::Link(stat, _)
            | Self::Same(stat, _)
            | Self::Later(stat) => Some(*stat),
            Self::Nothing | Self::Something => None,
        }
    }

    /// It, with another owner, group or mode.
    fn dressed(self, stat: Stat) -> Self {
        match self {
            Self::File(_, content) => Self::File(stat, content),
            Self::Directory(_) => Self::Directory(stat),
            Self::Link(_, target) => Self::Link(stat, target),
            Self::Same(_, path) => Self::Same(stat, path),
            Self::Later(_) => Self::Later(stat),
            Self::Nothing | Self::Something => self,
        }
    }
}

impl Foreseen {
    /// The nearest thing on the way to a path, from its end.
    fn nearest(&self, path: &Path) -> Option<(&Path, &Thing)> {
        path.ancestors().find_map(|above| self.paths.get_key_value(above)).map(|(at, thing)| (at.as_path(), thing))
    }

    fn sight(&self, path: &Path) -> Sight<'_> {
        let mut path = path.to_owned();
        for _ in 0..LINKS {
            let Some((at, thing)) = self.nearest(&path) else { return Sight::Host(path) };
            match thing {
                Thing::Something => return Sight::Within(at.to_owned()),
                Thing::Nothing => return Sight::Nothing,
                _ if at == path => return Sight::There(thing),
                Thing::Link(_, target) => path = led(at, target, &path),
                Thing::Later(_) => return Sight::Within(at.to_owned()),
                Thing::Same(..) => return Sight::Host(path),
                Thing::File(..) | Thing::Directory(_) => return Sight::Nothing,
            }
        }
        Sight::Nothing
    }

    /// Where a path leads by all links that would be made, those at its end too; itself where they lead to each other.
    fn end(&self, path: &Path) -> PathBuf {
        let mut end = path.to_owned();
        for _ in 0..LINKS {
            match self.nearest(&end) {
                Some((at, Thing::Link(_, target))) => end = led(at, target, &end),
                _ => return end,
            }
        }
        path.to_owned()
    }

    /// The same place, with no such link on the way.
    fn place(&self, path: &Path) -> PathBuf {
        match (path.parent(), path.file_name()) {
            (Some(directory), Some(name)) => self.end(directory).join(name),
            _ => path.to_owned(),
        }
    }

    /// All that is known of what is at a path and below it.
    fn below<'f>(&'f self, path: &Path) -> impl Iterator<Item = (&'f Path, &'f Thing)> + use<'f> {
        let path = path.to_owned();
        let from = self.paths.range(path.clone()..);
        from.map(|(at, thing)| (at.as_path(), thing)).take_while(move |(at, _)| at.starts_with(&path))
    }

    /// It would be there, in the place of all that is known of the path by now.
    fn put(&mut self, path: &Path, thing: Thing) {
        let path = self.place(path);
        let gone: Vec<PathBuf> = self.below(&path).map(|(at, _)| at.to_owned()).collect();
        for at in gone {
            self.paths.remove(&at);
        }
        self.paths.insert(path, thing);
    }

    /// What is there would have this owner, group and mode.
    fn dress(&mut self, path: &Path, stat: Stat) {
        let path = self.place(path);
        let thing = self.paths.remove(&path).unwrap_or_else(|| Thing::Same(stat, path.clone()));
        self.paths.insert(path, thing.dressed(stat));
    }

    /// The names of what is known right in a directory, and whether it would be there.
    fn names(&self, directory: &Path) -> Vec<(OsString, bool)> {
        let directory = self.end(directory);
        let right_in = self.below(&directory).filter(|(at, _)| at.parent() == Some(&*directory));
        right_in.filter_map(|(at, thing)| Some((at.file_name()?.to_owned(), *thing != Thing::Nothing))).collect()
    }

    /// Puts it over what the host has at a path and below it. Gives back a path of which nobody knows what is there.
    fn lay_over(&self, top: &Path, seen: &mut BTreeMap<PathBuf, Stat>) -> Option<PathBuf> {
        for (at, thing) in self.below(top) {
            match thing {
                Thing::Something => return Some(at.to_owned()),
                Thing::Later(stat) if stat.kind == Kind::Directory => return Some(at.to_owned()),
                Thing::Same(..) => {}
                _ => seen.retain(|path, _| !path.starts_with(at)),
            }
            seen.extend(thing.stat().map(|stat| (at.to_owned(), stat)));
        }
        None
    }

    fn stand_in(&mut self) -> u32 {
        self.stand_ins += 1;
        STAND_INS.start + self.stand_ins
    }
}

/// Where a path leads that begins with a link to `target`.
fn led(link: &Path, target: &Path, path: &Path) -> PathBuf {
    let rest = path.strip_prefix(link).unwrap_or(Path::new(""));
    let mut end = link.parent().unwrap_or(link).to_owned();
    for part in target.components().chain(rest.components()) {
        match part {
            Component::RootDir | Component::Prefix(_) => end = PathBuf::from("/"),
            Component::ParentDir => {
                end.pop();
            }
            Component::Normal(name) => end.push(name),
            Component::CurDir => {}
        }
    }
    end
}

/// What is foreseen, in a plan.
fn foreseen(context: &Context<'_>) -> Option<Rc<RefCell<Foreseen>>> {
    (context.mode() == Mode::Plan).then(|| context.known())
}

/// What is at a path, or would be by now. A link is not followed.
pub(crate) fn stat(context: &Context<'_>, path: &Path) -> Result<Option<Stat>, FileError> {
    let Some(foreseen) = foreseen(context) else { return context.system().stat(path) };
    match foreseen.borrow().sight(path) {
        Sight::Host(path) => context.system().stat(path),
        Sight::There(thing) => Ok(thing.stat()),
        Sight::Nothing | Sight::Within(_) => Ok(None),
    }
}

/// What stands in a file, or would by now; nothing where there is no file, or nobody knows.
pub(crate) fn read(context: &Context<'_>, path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    let Some(foreseen) = foreseen(context) else { return context.system().read_file(path) };
    match foreseen.borrow().sight(path) {
        Sight::Host(path) => context.system().read_file(path),
        Sight::There(Thing::Same(_, path)) => context.system().read_file(path),
        Sight::There(Thing::File(_, content)) => Ok(Some(content.clone())),
        Sight::There(_) | Sight::Nothing | Sight::Within(_) => Ok(None),
    }
}

/// Where the link at a path leads, or would by now, as it is written in it.
pub(crate) fn target(context: &Context<'_>, path: &Path) -> Result<PathBuf, FileError> {
    let on_host = |path: &Path| files::read_link(context.system().path(path));
    let Some(foreseen) = foreseen(context) else { return on_host(path) };
    match foreseen.borrow().sight(path) {
        Sight::There(Thing::Link(_, target)) => Ok(target.clone()),
        Sight::Host(path) => on_host(&path),
        Sight::There(_) | Sight::Nothing | Sight::Within(_) => on_host(path),
    }
}

/// The names of what is in a directory, or would be by now, sorted.
pub(crate) fn names(context: &Context<'_>, directory: &Path) -> Result<Vec<OsString>, FileError> {
    let on_host = |path: &Path| -> Result<BTreeSet<OsString>, FileError> {
        let paths = files::list(context.system().path(path))?;
        Ok(paths.iter().filter_map(|path| path.file_name().map(ToOwned::to_owned)).collect())
    };
    let Some(foreseen) = foreseen(context) else { return Ok(on_host(directory)?.into_iter().collect()) };
    let foreseen = foreseen.borrow();
    let mut names = match foreseen.sight(directory) {
        Sight::Host(path) => on_host(&path)?,
        Sight::There(Thing::Same(_, path)) => on_host(path)?,
        Sight::There(_) | Sight::Nothing | Sight::Within(_) => BTreeSet::new(),
    };
    for (name, is_there) in foreseen.names(directory) {
        if is_there {
            names.insert(name);
        } else {
            names.remove(&name);
        }
    }
    Ok(names.into_iter().collect())
}

/// Where a path leads by links that would be made by now. Nothing where none is on the way.
pub(crate) fn end(context: &Context<'_>, path: &Path) -> Option<PathBuf> {
    let end = foreseen(context)?.borrow().end(path);
    (end != path).then_some(end)
}

/// Why nobody knows yet what is at a path.
pub(crate) fn unknown_at(context: &Context<'_>, path: &Path) -> Option<String> {
    match foreseen(context)?.borrow().sight(path) {
        Sight::Within(above) => Some(unknown_within(&above)),
        Sight::Host(_) | Sight::There(_) | Sight::Nothing => None,
    }
}

/// Why nobody knows yet what is in the file or the directory at a path.
pub(crate) fn unknown_in(context: &Context<'_>, path: &Path) -> Option<String> {
    match foreseen(context)?.borrow().sight(path) {
        Sight::Within(above) => Some(unknown_within(&above)),
        Sight::There(Thing::Later(_)) => Some(unknown_within(path)),
        Sight::Host(_) | Sight::There(_) | Sight::Nothing => None,
    }
}

fn unknown_within(path: &Path) -> String {
    format!("what is in {} is known only when it is there", path.display())
}

/// Why what the host has at a path says nothing of what would be there by now: it would be something else.
pub(crate) fn replaced(context: &Context<'_>, path: &Path) -> Option<String> {
    match foreseen(context)?.borrow().sight(path) {
        Sight::Within(above) => Some(unknown_within(&above)),
        Sight::There(Thing::Later(_)) => Some(unknown_within(path)),
        Sight::There(thing) if !matches!(thing, Thing::Same(..)) => Some(changed_before(path)),
        Sight::Host(_) | Sight::There(_) | Sight::Nothing => None,
    }
}

/// Why the attributes that the host has at a path say nothing of those that there would be by now.
pub(crate) fn touched(context: &Context<'_>, path: &Path) -> Option<String> {
    match foreseen(context)?.borrow().sight(path) {
        Sight::There(_) => Some(changed_before(path)),
        Sight::Host(_) | Sight::Nothing | Sight::Within(_) => None,
    }
}

fn changed_before(path: &Path) -> String {
    format!("{} changes before it", path.display())
}

/// Whether a path and all that is below it is as the host has it.
pub(crate) fn is_as_found(context: &Context<'_>, path: &Path) -> bool {
    foreseen(context).is_none_or(|foreseen| matches!(foreseen.borrow().sight(path), Sight::Host(_)))
}

/// Puts what would be there by now over what the host has at a path and below it. Gives why, where nobody knows that.
pub(crate) fn lay_over(context: &Context<'_>, top: &Path, seen: &mut BTreeMap<PathBuf, Stat>) -> Option<String> {
    foreseen(context)?.borrow().lay_over(top, seen).map(|path| unknown_within(&path))
}

/// An operation would leave this at a path.
pub(crate) fn put(context: &Context<'_>, path: &Path, thing: Thing) {
    if let Some(foreseen) = foreseen(context) {
        foreseen.borrow_mut().put(path, thing);
    }
}

/// An operation would give what is at a path this owner, group and mode.
pub(crate) fn dress(context: &Context<'_>, path: &Path, stat: Stat) {
    if let Some(foreseen) = foreseen(context) {
        foreseen.borrow_mut().dress(path, stat);
    }
}

/// An operation would make this directory, and those above it.
pub(crate) fn make_directory(context: &Context<'_>, path: &Path, thing: Thing) -> Result<(), FileError> {
    if context.mode() == Mode::Apply {
        return Ok(());
    }
    let mut missing = Vec::new();
    for above in path.ancestors().skip(1) {
        if stat(context, above)?.is_some() {
            break;
        }
        missing.push(above);
    }
    for above in missing.into_iter().rev() {
        put(context, above, Thing::Directory(new_stat(Kind::Directory, 0o755)));
    }
    put(context, path, thing);
    Ok(())
}

/// What is known of something new of whoever runs this.
pub(crate) fn new_stat(kind: Kind, mode: u32) -> Stat {
    Stat { kind, mode, uid: environment::user(), gid: 0, size: 0, modified: Duration::ZERO }
}

/// Whether a number stands for somebody who is not there yet.
pub(crate) fn is_stand_in(number: u32) -> bool {
    STAND_INS.contains(&number)
}

/// An operation would make a user, with this number where one was said, or give them that.
pub(crate) fn user(context: &Context<'_>, name: &str, uid: Option<u32>) {
    if let Some(foreseen) = foreseen(context) {
        let mut foreseen = foreseen.borrow_mut();
        let uid = uid.unwrap_or_else(|| foreseen.stand_in());
        foreseen.users.insert(name.to_owned(), Some(uid));
    }
}

/// An operation would make a home for a user, and nothing about keys in it.
pub(crate) fn home_without_keys(context: &Context<'_>, user: &str) {
    if let Some(foreseen) = foreseen(context) {
        foreseen.borrow_mut().keyless.insert(user.to_owned());
    }
}

/// Whether a user would have a new home by now, in which nobody has put any keys. To ask is to put some there.
pub(crate) fn takes_keys(context: &Context<'_>, user: &str) -> bool {
    foreseen(context).is_some_and(|foreseen| foreseen.borrow_mut().keyless.remove(user))
}

/// An operation would make a group, with this number where one was said, or give it that.
pub(crate) fn group(context: &Context<'_>, name: &str, gid: Option<u32>) {
    if let Some(foreseen) = foreseen(context) {
        let mut foreseen = foreseen.borrow_mut();
        let gid = gid.unwrap_or_else(|| foreseen.stand_in());
        foreseen.groups.insert(name.to_owned(), Some(gid));
    }
}

/// An operation would remove a user.
pub(crate) fn no_user(context: &Context<'_>, name: &str) {
    if let Some(foreseen) = foreseen(context) {
        foreseen.borrow_mut().users.insert(name.to_owned(), None);
    }
}

/// An operation would remove a group.
pub(crate) fn no_group(context: &Context<'_>, name: &str) {
    if let Some(foreseen) = foreseen(context) {
        foreseen.borrow_mut().groups.insert(name.to_owned(), None);
    }
}

/// Whether there would be such a user by now, where an operation before makes or removes them.
pub(crate) fn has_user(context: &Context<'_>, name: &str) -> Option<bool> {
    foreseen(context)?.borrow().users.get(name).map(Option::is_some)
}

/// Whether there would be such a group by now, where an operation before makes or removes it.
pub(crate) fn has_group(context: &Context<'_>, name: &str) -> Option<bool> {
    foreseen(context)?.borrow().groups.get(name).map(Option::is_some)
}

/// The number of a user who is there, or would be by now.
pub(crate) fn uid(context: &Context<'_>, name: &str) -> Result<u32, OwnerError> {
    match foreseen(context).and_then(|foreseen| foreseen.borrow().users.get(name).copied()) {
        Some(Some(uid)) => Ok(uid),
        Some(None) => Err(OwnerError::Nobody { kind: "user", name: name.to_owned() }),
        None => Ok(owner::user(context.system(), name)?.uid),
    }
}

/// The number of a group that is there, or would be by now.
pub(crate) fn gid(context: &Context<'_>, name: &str) -> Result<u32, OwnerError> {
    match foreseen(context).and_then(|foreseen| foreseen.borrow().groups.get(name).copied()) {
        Some(Some(gid)) => Ok(gid),
        Some(None) => Err(OwnerError::Nobody { kind: "group", name: name.to_owned() }),
        None => owner::group(context.system(), name),
    }
}

/// An operation would install these packages, or remove them.
pub(crate) fn packages<'n>(context: &Context<'_>, names: impl IntoIterator<Item = &'n String>, are_there: bool) {
    if let Some(foreseen) = foreseen(context) {
        let mut foreseen = foreseen.borrow_mut();
        foreseen.packages.extend(names.into_iter().map(|name| (name.clone(), are_there)));
    }
}

/// Whether a package would be there by now, where an operation before installs or removes it.
pub(crate) fn has_package(context: &Context<'_>, name: &str) -> Option<bool> {
    foreseen(context)?.borrow().packages.get(name).copied()
}

/// An operation would hold these packages, or release them.
pub(crate) fn holds<'n>(context: &Context<'_>, names: impl IntoIterator<Item = &'n String>, are_held: bool) {
    if let Some(foreseen) = foreseen(context) {
        let mut foreseen = foreseen.borrow_mut();
        foreseen.holds.extend(names.into_iter().map(|name| (name.clone(), are_held)));
    }
}

/// Whether a package would be held by now, where an operation before holds or releases it.
pub(crate) fn is_held(context: &Context<'_>, name: &str) -> Option<bool> {
    foreseen(context)?.borrow().holds.get(name).copied()
}

/// An operation would leave a service so.
pub(crate) fn service(context: &Context<'_>, name: &str, found: Found) {
    if let Some(foreseen) = foreseen(context) {
        foreseen.borrow_mut().services.insert((name.to_owned(), found.question()), found);
    }
}

/// What a service would be by now, where an operation before acts on that.
pub(crate) fn found_of_service(context: &Context<'_>, name: &str, question: Question) -> Option<Found> {
    foreseen(context)?.borrow().services.get(&(name.to_owned(), question)).copied()
}

#[cfg(test)]
mod plans;
#[cfg(test)]
mod tests {
    use super::*;

    fn stat(kind: Kind) -> Stat {
        Stat { kind, mode: 0o755, uid: 0, gid: 0, size: 0, modified: Duration::ZERO }
    }

    fn file(content: &str) -> Thing {
        Thing::File(stat(Kind::File), content.into())
    }

    fn of(things: &[(&str, Thing)]) -> Foreseen {
        let mut foreseen = Foreseen::default();
        for (path, thing) in things {
            foreseen.put(Path::new(path), thing.clone());
        }
        foreseen
    }

    /// In a few words.
    fn seen(foreseen: &Foreseen, path: &str) -> String {
        match foreseen.sight(Path::new(path)) {
            Sight::Host(path) => format!("host {}", path.display()),
            Sight::There(Thing::File(_, content)) => format!("file {}", String::from_utf8_lossy(content)),
            Sight::There(thing) => format!("{:?} {:o}", thing.stat().unwrap().kind, thing.stat().unwrap().mode),
            Sight::Nothing => "nothing".into(),
            Sight::Within(path) => format!("within {}", path.display()),
        }
    }

    #[test]
    fn what_nobody_touches_is_as_the_host_has_it() {
        let foreseen = of(&[("/srv/a", file("a"))]);
        assert_eq!(seen(&foreseen, "/srv/b"), "host /srv/b");
        assert_eq!(seen(&foreseen, "/srv"), "host /srv");
        assert_eq!(seen(&foreseen, "/srv/ab"), "host /srv/ab");
        assert_eq!(seen(&foreseen, "/srv/a"), "file a");
        assert_eq!(seen(&foreseen, "/srv/a/b"), "nothing");
    }

    #[test]
    fn a_new_directory_has_in_it_what_is_put_there() {
        let new = Thing::Directory(stat(Kind::Directory));
        let foreseen = of(&[("/srv", new.clone()), ("/srv/a", file("a"))]);
        assert_eq!([seen(&foreseen, "/srv/a"), seen(&foreseen, "/srv/b")], ["file a", "nothing"]);
        assert_eq!(foreseen.names(Path::new("/srv")), [(OsString::from("a"), true)]);
        let anew = of(&[("/srv", new.clone()), ("/srv/a", file("a")), ("/srv", Thing::Nothing), ("/srv", new)]);
        assert_eq!(seen(&anew, "/srv/a"), "nothing");
    }

    #[test]
    fn what_goes_takes_all_that_is_in_it_along() {
        let foreseen = of(&[("/srv/a/b", file("b")), ("/srv/a", Thing::Nothing), ("/srv/c", Thing::Nothing)]);
        assert_eq!([seen(&foreseen, "/srv/a"), seen(&foreseen, "/srv/a/b")], ["nothing", "nothing"]);
        assert_eq!(seen(&foreseen, "/srv/d"), "host /srv/d");
        assert_eq!(foreseen.names(Path::new("/srv")), [(OsString::from("a"), false), (OsString::from("c"), false)]);
    }

    #[test]
    fn links_that_would_be_made_are_followed_but_for_the_last() {
        let link = |target: &str| Thing::Link(stat(Kind::Link), target.into());
        let foreseen = of(&[("/srv/now", link("releases/1")), ("/a/x", link("../srv/now")), ("/l", link("l"))]);
        assert_eq!(seen(&foreseen, "/srv/now"), "Link 755");
        assert_eq!(seen(&foreseen, "/srv/now/x"), "host /srv/releases/1/x");
        assert_eq!(seen(&foreseen, "/a/x/y"), "host /srv/releases/1/y");
        assert_eq!(foreseen.end(Path::new("/a/x")), Path::new("/srv/releases/1"));
        assert_eq!(seen(&foreseen, "/l/x"), "nothing");
        let loops = of(&[("/a", link("b")), ("/b", link("c")), ("/c", link("a"))]);
        assert_eq!(loops.end(Path::new("/a")), Path::new("/a"));
        let mut through = foreseen;
        through.put(Path::new("/srv/now/x"), file("x"));
        assert_eq!(seen(&through, "/srv/releases/1/x"), "file x");
        assert_eq!(through.names(Path::new("/srv/now")), [(OsString::from("x"), true)]);
    }

    #[test]
    fn other_attributes_leave_what_is_there() {
        let mut foreseen = of(&[("/srv/a", file("a"))]);
        let other = |kind| Stat { mode: 0o700, ..stat(kind) };
        foreseen.dress(Path::new("/srv"), other(Kind::Directory));
        foreseen.dress(Path::new("/srv/a"), other(Kind::File));
        assert_eq!([seen(&foreseen, "/srv"), seen(&foreseen, "/srv/b")], ["Directory 700", "host /srv/b"]);
        assert_eq!(seen(&foreseen, "/srv/a"), "file a");
        assert_eq!(foreseen.paths[Path::new("/srv/a")].stat().unwrap().mode, 0o700);
    }

    #[test]
    fn what_only_comes_then_is_not_known_before() {
        let later = Thing::Later(stat(Kind::Directory));
        let foreseen = of(&[("/srv/shop", later), ("/made", Thing::Something)]);
        assert_eq!(seen(&foreseen, "/srv/shop"), "Directory 755");
        assert_eq!(seen(&foreseen, "/srv/shop/a/b"), "within /srv/shop");
        assert_eq!([seen(&foreseen, "/made"), seen(&foreseen, "/made/a")], ["within /made", "within /made"]);
    }

    #[test]
    fn a_tree_is_seen_as_it_would_be() {
        let host = ["/srv", "/srv/old", "/srv/old/a", "/srv/kept"];
        let on_host = || host.iter().map(|path| (PathBuf::from(path), stat(Kind::File))).collect::<BTreeMap<_, _>>();
        let mut seen = on_host();
        let foreseen = of(&[("/srv/old", Thing::Nothing), ("/srv/new", file("n")), ("/else", file("e"))]);
        assert_eq!(foreseen.lay_over(Path::new("/srv"), &mut seen), None);
        assert_eq!(seen.into_keys().collect::<Vec<_>>(), ["/srv", "/srv/kept", "/srv/new"].map(PathBuf::from));
        let unpacked = of(&[("/srv/shop", Thing::Later(stat(Kind::Directory)))]);
        assert_eq!(unpacked.lay_over(Path::new("/srv"), &mut on_host()), Some("/srv/shop".into()));
    }

    #[test]
    fn nobody_who_is_there_has_a_number_that_stands_for_somebody() {
        let mut foreseen = Foreseen::default();
        let (one, other) = (foreseen.stand_in(), foreseen.stand_in());
        assert!(one != other && is_stand_in(one) && is_stand_in(other));
        assert!(![0, 33, 1000, 65_534, 2_000_000_000, u32::MAX - 1].into_iter().any(is_stand_in));
    }
}
