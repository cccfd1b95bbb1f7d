//! What is on the disk in the eyes of this process, and is not safe there: what a power cut may take.
//!
//! Three things are kept of each change until an fsync makes it safe: which *names* of a directory meant what before,
//! from where on a file's *data* is new, and which *attributes* it had. An fsync of a file makes its data and attributes
//! safe, and no name of it; that is for the fsync of its directory.
//!
//! At a cut, chance decides as a plausible file system does. Changes of names in one directory reach the disk in their
//! order, so that of each directory a tail of them is taken back. Data is independent of names: it is there, or gone, or
//! torn off somewhere, or its end is zeros, whatever the file is called by then. So a file that was renamed over another
//! without an fsync may be empty under its new name.
//!
//! Old files are held open, so that they can be read when their last name is gone, and no other file takes their number.
//! What other programs write, git among them, is not seen here.
#![expect(clippy::disallowed_methods, reason = "this undoes what the seam did, beneath it")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use super::chance::Chance;

/// All that is not safe, oldest first.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    names: Vec<Names>,
    data: Vec<Data>,
    attributes: Vec<Attributes>,
}

impl Recorder {
    pub(super) fn changed(&mut self, names: Option<Names>) {
        self.names.extend(names);
    }

    pub(super) fn wrote(&mut self, file: &File, from: u64) {
        let (Ok(id), Ok(file)) = (id(file), File::open(way_to(file))) else { return };
        if !self.data.iter().any(|data| data.id == id) {
            self.data.push(Data { id, file, from });
        }
    }

    pub(super) fn synced(&mut self, file: &File) {
        let Ok(id) = id(file) else { return };
        self.data.retain(|data| data.id != id);
        self.attributes.retain(|attributes| attributes.id != id);
    }

    pub(super) fn synced_dir(&mut self, dir: &Path) {
        let Ok(dir) = fs::canonicalize(dir) else { return };
        self.names.retain(|names| names.dir != dir);
    }

    pub(super) fn will_set_attributes(&mut self, path: &Path) {
        let Ok(found) = fs::symlink_metadata(path) else { return };
        let (id, path) = ((found.dev(), found.ino()), path.to_owned());
        self.attributes.push(Attributes { id, path, owned: Owned::of(&found) });
    }

    /// Takes back, as chance will, what is not safe.
    pub(super) fn cut(&mut self, chance: &mut Chance) {
        for data in self.data.drain(..) {
            drop(data.tear(chance));
        }
        for attributes in self.attributes.drain(..).rev() {
            if chance.up_to(1) == 0 {
                drop(attributes.owned.put_on(&attributes.path));
            }
        }
        for names in self.lost(chance) {
            names.take_back();
        }
    }

    /// The changes of names that do not reach the disk, newest first.
    fn lost(&mut self, chance: &mut Chance) -> Vec<Names> {
        let mut many: BTreeMap<PathBuf, u64> = BTreeMap::new();
        self.names.iter().for_each(|names| *many.entry(names.dir.clone()).or_default() += 1);
        let mut kept: BTreeMap<PathBuf, u64> =
            many.into_iter().map(|(dir, many)| (dir, chance.end_or_between(many))).collect();
        let mut reaches_disk = |names: &Names| match kept.get_mut(&names.dir) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        };
        let mut lost: Vec<Names> = self.names.drain(..).filter(|names| !reaches_disk(names)).collect();
        lost.reverse();
        lost
    }
}

type Id = (u64, u64);

/// Where an open file can be opened once more, whatever it is called now.
fn way_to(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

fn id(file: &File) -> io::Result<Id> {
    file.metadata().map(|found| (found.dev(), found.ino()))
}

/// A file whose data is new from some length on. It is held open for reading only: a program that is open for writing
/// can't be started.
#[derive(Debug)]
struct Data {
    id: Id,
    file: File,
    from: u64,
}

impl Data {
    fn tear(&self, chance: &mut Chance) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let kept = self.from.min(length) + chance.end_or_between(length.saturating_sub(self.from));
        let file = File::options().write(true).open(way_to(&self.file))?;
        file.set_len(kept)?;
        match chance.up_to(2) {
            // The new length reached the disk, and the data did not.
            0 => file.set_len(length),
            _ => Ok(()),
        }
    }
}

/// The attributes of a file, before they were set.
#[derive(Debug)]
struct Attributes {
    id: Id,
    path: PathBuf,
    owned: Owned,
}

#[derive(Debug, Clone, Copy)]
struct Owned {
    mode: u32,
    uid: u32,
    gid: u32,
    link: bool,
}

impl Owned {
    fn of(found: &fs::Metadata) -> Self {
        Self { mode: found.mode() & 0o7777, uid: found.uid(), gid: found.gid(), link: found.is_symlink() }
    }

    fn put_on(&self, path: &Path) -> io::Result<()> {
        std::os::unix::fs::lchown(path, Some(self.uid), Some(self.gid))?;
        match self.link {
            true => Ok(()),
            false => fs::set_permissions(path, fs::Permissions::from_mode(self.mode)),
        }
    }
}

/// Names that changed together, in one directory as far as fsync goes, and what they meant before.
#[derive(Debug)]
pub(super) struct Names {
    dir: PathBuf,
    before: Vec<(PathBuf, Option<Node>)>,
}

impl Names {
    /// What `names` mean now. The last one says which directory it is about.
    pub(super) fn of(names: &[&Path]) -> Option<Self> {
        let parent = names.last()?.parent().filter(|parent| !parent.as_os_str().is_empty());
        let dir = fs::canonicalize(parent.unwrap_or(Path::new("."))).ok()?;
        let before = names.iter().map(|name| Some((name.to_path_buf(), Node::at(name).ok()?)));
        Some(Self { dir, before: before.collect::<Option<_>>()? })
    }

    fn take_back(self) {
        for (path, node) in self.before {
            drop(clear(&path));
            if let Some(mut node) = node {
                drop(node.put_at(&path));
            }
        }
    }
}

/// What a name meant.
#[derive(Debug)]
enum Node {
    File(Owned, File),
    /// Of a tree that is removed as a whole: there may be too many files to hold them open.
    Content(Owned, Vec<u8>),
    Link(Owned, PathBuf),
    Dir(Owned, Vec<(PathBuf, Node)>),
}

impl Node {
    /// Nothing where there is nothing. What is neither file, directory nor link can't be put back.
    fn at(path: &Path) -> io::Result<Option<Self>> {
        let found = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found?,
        };
        let owned = Owned::of(&found);
        match found.file_type() {
            t if t.is_file() => Ok(Some(Self::File(owned, File::open(path)?))),
            t if t.is_symlink() => Ok(Some(Self::Link(owned, fs::read_link(path)?))),
            t if t.is_dir() => Self::tree(owned, path).map(Some),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn tree(owned: Owned, path: &Path) -> io::Result<Self> {
        let mut nodes = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let node = match Self::at(&entry.path())? {
                Some(Self::File(owned, file)) => Some(Self::Content(owned, content(&file)?)),
                node => node,
            };
            nodes.extend(node.map(|node| (PathBuf::from(entry.file_name()), node)));
        }
        Ok(Self::Dir(owned, nodes))
    }

    fn put_at(&mut self, path: &Path) -> io::Result<()> {
        let owned = match self {
            Self::File(owned, file) => {
                // Its mode may have been set since.
                *owned = Owned::of(&file.metadata()?);
                fs::write(path, content(file)?)?;
                owned
            }
            Self::Content(owned, bytes) => {
                fs::write(path, bytes)?;
                owned
            }
            Self::Link(owned, target) => {
                std::os::unix::fs::symlink(target, path)?;
                owned
            }
            Self::Dir(owned, nodes) => {
                fs::create_dir(path)?;
                for (name, node) in nodes {
                    node.put_at(&path.join(name))?;
                }
                owned
            }
        };
        owned.put_on(path)
    }
}

/// All of an open file, wherever others stand in it.
fn content(file: &File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

fn clear(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}

/// Ends whatever this process started, as the end of the machine would: when this comes back, none of it writes any more.
/// All are stopped first, so that none starts another meanwhile.
#[cfg_attr(test, expect(dead_code, reason = "tests end a thread, not the machine"))]
pub(super) fn kill_children() {
    let mut found: Vec<u32> = Vec::new();
    loop {
        let all = std::iter::once(std::process::id()).chain(found.iter().copied());
        let new: Vec<u32> = all.flat_map(children).filter(|pid| !found.contains(pid)).collect();
        if new.is_empty() {
            break;
        }
        new.iter().for_each(|pid| signal(*pid, Signal::STOP));
        found.extend(new);
    }
    found.iter().for_each(|pid| signal(*pid, Signal::KILL));
    while found.iter().any(|pid| is_alive(*pid)) {
        std::thread::yield_now();
    }
}

/// A process that has ended meanwhile is no error.
fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        kill_process(pid, signal).ok();
    }
}

/// Neither gone nor a zombie, whose parent has not asked for it yet.
fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let listed = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    listed.flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}
