//! Files. Every write is atomic (a temporary file beside the target, renamed over it) and on disk when it returns
//! (the file and its directory are fsynced): after a crash there is the old content or the new one, nothing between. The
//! temporary file that a killed process leaves goes with the next write to the same path.
#![expect(clippy::disallowed_methods, reason = "this is the seam that the rest must use")]

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::io::Errno;

use super::growing::PIECE;
use super::{System, disk, leftover};

/// What failed, on which path, and why.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} {}", path.display())]
pub struct FileError {
    /// What was being done.
    pub action: &'static str,
    /// To which path.
    pub path: PathBuf,
    /// The system's error.
    pub source: io::Error,
}

/// Why a system refuses, where that is of the place and not of what was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The path leads through symbolic links that lead to each other.
    LinkLoop,
    /// The path leads through something that is no directory.
    ThroughFile,
    /// The disk is full, or a quota is used up.
    Full,
    /// The file system is mounted read-only.
    ReadOnly,
    /// Anything else.
    Other,
}

impl FileError {
    /// Why the system refused.
    #[must_use]
    pub fn cause(&self) -> Cause {
        if Errno::from_io_error(&self.source) == Some(Errno::LOOP) {
            return Cause::LinkLoop;
        }
        match self.source.kind() {
            io::ErrorKind::NotADirectory => Cause::ThroughFile,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Cause::Full,
            io::ErrorKind::ReadOnlyFilesystem => Cause::ReadOnly,
            _ => Cause::Other,
        }
    }
}

/// Results of this module.
pub type Result<T, E = FileError> = std::result::Result<T, E>;

/// What a path leads to; links are not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, a socket, a pipe.
    Other,
}

/// What is known of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// Its permission bits, as in `0o644`.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its size in bytes.
    pub size: u64,
    /// When its content, or what is in a directory, was last changed: time since 1970, UTC.
    pub modified: Duration,
}

/// What changes when a file does: its place on the disk, its size, and the kernel's own stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    place: (u64, u64),
    size: u64,
    modified: Duration,
    changed: Duration,
}

impl Fingerprint {
    /// Whether the file last changed longer than `age` before `now`, which is a time since 1970, UTC.
    #[must_use]
    pub fn is_older_than(&self, age: Duration, now: Duration) -> bool {
        now.checked_sub(self.changed.max(self.modified)).is_some_and(|passed| passed > age)
    }
}

impl Stat {
    pub(super) fn of(metadata: &fs::Metadata) -> Self {
        Self {
            kind: kind(metadata.file_type()),
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid(),
            gid: metadata.gid(),
            size: metadata.size(),
            modified: Duration::from_secs(metadata.mtime().try_into().unwrap_or(0)),
        }
    }
}

/// Mode and, where given, owner and group of a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits.
    pub mode: u32,
    /// The owner, or whoever writes.
    pub uid: Option<u32>,
    /// The group, or that of whoever writes.
    pub gid: Option<u32>,
}

impl Attributes {
    /// A mode, and the owner and group of whoever writes.
    #[must_use]
    pub const fn mode(mode: u32) -> Self {
        Self { mode, uid: None, gid: None }
    }
}

/// An extended attribute of a file that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Xattr {
    /// Its whole name, as in `system.posix_acl_access`.
    pub name: &'static str,
    /// Its bytes. Nothing where the file is to have none, also where a new file in its directory gets one by itself.
    pub value: Option<Vec<u8>>,
    /// Whether the file is not written at all where its file system does not take it.
    pub is_vital: bool,
}

/// How much room a file system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Space {
    /// All of it, in bytes.
    pub total: u64,
    /// What is free for everybody, in bytes: without what is kept for root.
    pub available: u64,
    /// How many files it can have; 0 where it does not say.
    pub files: u64,
    /// How many more files it can have.
    pub files_available: u64,
}

/// The content of a file.
///
/// # Errors
/// When it can't be read.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    let path = path.as_ref();
    fs::read(path).map_err(failed("read", path))
}

/// The content of a text file.
///
/// # Errors
/// When it can't be read, or is not UTF-8.
pub fn read_text(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    fs::read_to_string(path).map_err(failed("read", path))
}

/// The content of a file, or nothing where there is none.
///
/// # Errors
/// When it is there and can't be read, or is a pipe or a device.
pub fn read_optional(path: impl AsRef<Path>) -> Result<Option<Vec<u8>>> {
    let path = path.as_ref();
    let Some((mut file, _)) = open_file(path)? else { return Ok(None) };
    let mut content = Vec::new();
    file.read_to_end(&mut content).map_err(failed("read", path))?;
    Ok(Some(content))
}

/// Writes a file, with `mode`.
///
/// # Errors
/// When any part fails; the old content is then still there.
pub fn write(path: impl AsRef<Path>, content: impl AsRef<[u8]>, mode: u32) -> Result<()> {
    write_with(path, content, Attributes::mode(mode))
}

/// Writes a file, with mode, owner and group set before it takes the old one's place.
///
/// # Errors
/// When any part fails; the old content is then still there.
pub fn write_with(path: impl AsRef<Path>, content: impl AsRef<[u8]>, attributes: Attributes) -> Result<()> {
    write_with_xattrs(path, content, attributes, &[])
}

/// Writes a file, with mode, owner, group and extended attributes set before it takes the old one's place.
///
/// # Errors
/// When any part fails; the old content is then still there.
pub fn write_with_xattrs(
    path: impl AsRef<Path>,
    content: impl AsRef<[u8]>,
    attributes: Attributes,
    xattrs: &[Xattr],
) -> Result<()> {
    let path = path.as_ref();
    leftover::sweep(path);
    let temporary = beside(path);
    let written = fill(&temporary, content.as_ref(), attributes, xattrs).and_then(|file| {
        disk::sync(&file)?;
        disk::rename(&temporary, path)?;
        sync_parent(path)?;
        // Until here its lock says that somebody is at it.
        drop(file);
        Ok(())
    });
    if written.is_err() {
        drop(disk::remove_file(&temporary));
    }
    written.map_err(failed("write", path))
}

/// Writes into a file that is the kernel's own, as those of `/proc/sys` are: in one piece, and it is not replaced.
///
/// # Errors
/// When there is none, or the kernel refuses.
pub fn tell(path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Result<()> {
    let path = path.as_ref();
    disk::tell(path, content.as_ref()).map_err(failed("write to", path))
}

/// Writes a file that nobody reads yet, until [`rename`] gives it its place: after a crash any part of it may be there.
///
/// # Errors
/// When any part fails; nothing is left then.
pub fn prepare(path: impl AsRef<Path>, content: impl AsRef<[u8]>, mode: u32) -> Result<()> {
    prepare_with(path, content, Attributes::mode(mode))
}

/// [`prepare`], with mode, owner and group.
///
/// # Errors
/// When any part fails; nothing is left then.
pub fn prepare_with(path: impl AsRef<Path>, content: impl AsRef<[u8]>, attributes: Attributes) -> Result<()> {
    let path = path.as_ref();
    let written = disk::fill(path, content.as_ref(), attributes).and_then(|file| disk::sync(&file));
    if written.is_err() {
        drop(disk::remove_file(path));
    }
    written.map_err(failed("write", path))
}

/// Replaces a file as a whole, and leaves it to the system when it reaches the disk: for what may be lost.
///
/// # Errors
/// When any part fails; the old content is then still there.
pub fn replace(path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Result<()> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let path = path.as_ref();
    let temporary = beside(path).with_extension(format!("{}.new", COUNT.fetch_add(1, Ordering::Relaxed)));
    let replaced =
        disk::fill(&temporary, content.as_ref(), Attributes::mode(0o644)).and_then(|_| disk::rename(&temporary, path));
    if replaced.is_err() {
        drop(disk::remove_file(&temporary));
    }
    replaced.map_err(failed("write", path))
}

/// Brings the names in a directory, and in all below it, to the disk.
///
/// # Errors
/// When they can't be listed, or that fails.
pub fn settle_dirs(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    disk::sync_dirs(path).map_err(failed("bring to the disk", path))
}

/// Makes a directory and those above it. One that is there stays as it is.
///
/// # Errors
/// When one of them can't be made.
pub fn create_dir(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    make_dirs(path).map_err(failed("make the directory", path))
}

/// Makes a directory with mode, owner and group, and those above it. One that is there gets them. A link in its place
/// is refused.
///
/// # Errors
/// When one of them can't be made, something else is at `path`, or mode and owner can't be set.
pub fn create_dir_with(path: impl AsRef<Path>, attributes: Attributes) -> Result<()> {
    let path = path.as_ref();
    make_dir_with(path, attributes).map_err(failed("make the directory", path))
}

/// Makes a new directory that only its owner can enter, for what may be lost.
///
/// # Errors
/// When there is something at `path`, or it can't be made.
pub fn create_private_dir(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    disk::make_dir(path, 0o700).map_err(failed("make the directory", path))
}

/// Removes a file or a link. True when there was one.
///
/// # Errors
/// When it is there and can't be removed.
pub fn remove(path: impl AsRef<Path>) -> Result<bool> {
    let path = path.as_ref();
    removed(path, disk::remove_file)
}

/// Removes a directory that has nothing in it.
///
/// # Errors
/// When it is not there, or can't be removed.
pub fn remove_empty_dir(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    disk::remove_dir(path).and_then(|()| sync_parent(path)).map_err(failed("remove", path))
}

/// Removes a directory with all that is in it. True when there was one.
///
/// # Errors
/// When it is there and can't be removed, or a file system is mounted in it: then nothing of it is removed.
pub fn remove_tree(path: impl AsRef<Path>) -> Result<bool> {
    let path = path.as_ref();
    removed(path, disk::remove_tree)
}

/// Removes a directory of what may be lost. When that reaches the disk is left to the system.
///
/// # Errors
/// When it is not there, or can't be removed.
pub fn discard_tree(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    disk::remove_tree(path).map_err(failed("remove", path))
}

/// Gives a file another name, replacing what has that name.
///
/// # Errors
/// When it can't be renamed, across file systems for one.
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
    let to = to.as_ref();
    let from = from.as_ref();
    let renamed = disk::rename(from, to).and_then(|()| sync_parent(to));
    let elsewhere = from.parent() != to.parent();
    renamed.and_then(|()| if elsewhere { sync_parent(from) } else { Ok(()) }).map_err(failed("rename", from))
}

/// What is in a directory, sorted by name.
///
/// # Errors
/// When it can't be read.
pub fn list(path: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let path = path.as_ref();
    let entries = fs::read_dir(path).map_err(failed("list", path))?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|e| e.path())).collect::<io::Result<_>>().map_err(failed("list", path))?;
    paths.sort();
    Ok(paths)
}

/// All that lies below a directory and is no directory itself: its path from there, and what it is. Links are not
/// followed; sorted by path.
///
/// # Errors
/// When a directory can't be read.
pub fn below(path: impl AsRef<Path>) -> Result<Vec<(PathBuf, Kind)>> {
    let top = path.as_ref();
    let (mut found, mut left) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(directory) = left.pop() {
        for path in list(top.join(&directory))? {
            let below = directory.join(path.file_name().unwrap_or_default());
            match stat(&path)?.map(|stat| stat.kind) {
                Some(Kind::Directory) => left.push(below),
                Some(kind) => found.push((below, kind)),
                None => {}
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What a path leads to, or nothing where there is nothing. Links are not followed.
///
/// # Errors
/// When it is there and can't be looked at.
pub fn stat(path: impl AsRef<Path>) -> Result<Option<Stat>> {
    let path = path.as_ref();
    let metadata = absent_as_none(fs::symlink_metadata(path).map_err(failed("look at", path)))?;
    Ok(metadata.as_ref().map(Stat::of))
}

/// What a path leads to at the end of all links, or nothing where there is nothing.
///
/// # Errors
/// When it is there and can't be looked at.
pub fn stat_of_end(path: impl AsRef<Path>) -> Result<Option<Stat>> {
    let path = path.as_ref();
    let metadata = absent_as_none(fs::metadata(path).map_err(failed("look at", path)))?;
    Ok(metadata.as_ref().map(Stat::of))
}

/// What tells the file at `path` from itself after a change, or nothing where there is none. Links are followed.
///
/// # Errors
/// When it is there and can't be looked at.
pub fn fingerprint(path: impl AsRef<Path>) -> Result<Option<Fingerprint>> {
    let path = path.as_ref();
    let metadata = absent_as_none(fs::metadata(path).map_err(failed("look at", path)))?;
    Ok(metadata.map(|metadata| Fingerprint {
        place: (metadata.dev(), metadata.ino()),
        size: metadata.size(),
        modified: stamp(metadata.mtime(), metadata.mtime_nsec()),
        changed: stamp(metadata.ctime(), metadata.ctime_nsec()),
    }))
}

fn stamp(seconds: i64, nanoseconds: i64) -> Duration {
    Duration::new(seconds.try_into().unwrap_or(0), nanoseconds.try_into().unwrap_or(0))
}

/// Whether there is anything at `path`, a dangling link included.
#[must_use]
pub fn exists(path: impl AsRef<Path>) -> bool {
    matches!(stat(path), Ok(Some(_)))
}

/// Sets the permission bits of a file or directory. A link is refused: who may write its directory could lead us astray.
///
/// # Errors
/// When it is a link, or they can't be set.
pub fn set_mode(path: impl AsRef<Path>, mode: u32) -> Result<()> {
    let path = path.as_ref();
    let set =
        disk::open_itself(path).and_then(|file| disk::set_mode(&file, path, mode).and_then(|()| disk::sync(&file)));
    set.map_err(failed("set the mode of", path))
}

/// Sets owner and group, where given.
///
/// # Errors
/// When they can't be set.
pub fn set_owner(path: impl AsRef<Path>, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
    let path = path.as_ref();
    disk::set_owner(path, uid, gid).and_then(|()| sync_attributes(path)).map_err(failed("set the owner of", path))
}

/// An extended attribute, by its whole name, as in `system.posix_acl_access`; nothing where the file does not have it,
/// or its file system has none at all. Links are not followed.
///
/// # Errors
/// When it can't be read.
pub fn xattr(path: impl AsRef<Path>, name: &str) -> Result<Option<Vec<u8>>> {
    let path = path.as_ref();
    value_of(|value| rustix::fs::lgetxattr(path, name, value)).map_err(failed("read the extended attributes of", path))
}

/// The value of an extended attribute; `read` reads it, and says how long it is.
pub(super) fn value_of(read: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> io::Result<Option<Vec<u8>>> {
    /// The longest that there can be, in bytes.
    const LONGEST: usize = 65_536;
    let mut value = vec![0; 1024];
    let read = loop {
        match read(&mut value) {
            Err(Errno::RANGE) if value.len() < LONGEST => value.resize(LONGEST, 0),
            read => break read,
        }
    };
    match read {
        Ok(length) => {
            value.truncate(length);
            Ok(Some(value))
        }
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Sets an extended attribute of a file or directory. A link is refused.
///
/// # Errors
/// When it is a link, or its file system has no such attributes, or it can't be set.
pub fn set_xattr(path: impl AsRef<Path>, name: &str, value: &[u8]) -> Result<()> {
    let path = path.as_ref();
    let set = disk::open_itself(path)
        .and_then(|file| disk::set_xattr(&file, path, name, value).and_then(|()| disk::sync(&file)));
    set.map_err(failed("set the extended attributes of", path))
}

/// Removes an extended attribute of a file or directory, where it has it. A link is refused.
///
/// # Errors
/// When it is a link, or it can't be removed.
pub fn remove_xattr(path: impl AsRef<Path>, name: &str) -> Result<()> {
    let path = path.as_ref();
    let removed = disk::open_itself(path).and_then(|file| {
        match disk::remove_xattr(&file, path, name).and_then(|()| disk::sync(&file)) {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NODATA) => Ok(()),
            removed => removed,
        }
    });
    removed.map_err(failed("set the extended attributes of", path))
}

/// How much room there is in the file system of `path`.
///
/// # Errors
/// When it can't be asked.
pub fn space(path: impl AsRef<Path>) -> Result<Space> {
    let path = path.as_ref();
    let said = rustix::fs::statvfs(path).map_err(|error| failed("ask for the room at", path)(error.into()))?;
    Ok(Space {
        total: said.f_blocks.saturating_mul(said.f_frsize),
        available: said.f_bavail.saturating_mul(said.f_frsize),
        files: said.f_files,
        files_available: said.f_favail,
    })
}

/// Whether two names are of the same file, as hard links are. Symbolic links are not followed.
///
/// # Errors
/// When one of them can't be looked at.
pub fn is_same(one: impl AsRef<Path>, other: impl AsRef<Path>) -> Result<bool> {
    let of = |path: &Path| {
        let metadata = absent_as_none(fs::symlink_metadata(path).map_err(failed("look at", path)))?;
        Ok(metadata.map(|metadata| (metadata.dev(), metadata.ino())))
    };
    let (one, other) = (of(one.as_ref())?, of(other.as_ref())?);
    Ok(one.is_some() && one == other)
}

/// Makes a symbolic link at `path` that leads to `target`.
///
/// # Errors
/// When something is there already, or it can't be made.
pub fn link(target: impl AsRef<Path>, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let linked = disk::link(target.as_ref(), path).and_then(|()| sync_parent(path));
    linked.map_err(failed("link", path))
}

/// Where a symbolic link leads.
///
/// # Errors
/// When it is no link, or can't be read.
pub fn read_link(path: impl AsRef<Path>) -> Result<PathBuf> {
    let path = path.as_ref();
    fs::read_link(path).map_err(failed("read the link", path))
}

/// The path without links and dots.
///
/// # Errors
/// When a part of it is not there.
pub fn canonical(path: impl AsRef<Path>) -> Result<PathBuf> {
    let path = path.as_ref();
    fs::canonicalize(path).map_err(failed("resolve", path))
}

/// Copies a file's content and mode.
///
/// # Errors
/// When one side can't be read or written.
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
    let mode = stat(&from)?.map_or(0o644, |stat| stat.mode);
    write(to, read(from)?, mode)
}

/// Gives a file a second name on the same file system.
///
/// # Errors
/// When something has that name already, or it lies on another file system.
pub fn hard_link(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
    let (from, to) = (from.as_ref(), to.as_ref());
    disk::hard_link(from, to).and_then(|()| sync_parent(to)).map_err(failed("link", from))
}

/// Opens a file for reading.
///
/// # Errors
/// When it can't be opened.
pub fn open(path: impl AsRef<Path>) -> Result<File> {
    let path = path.as_ref();
    File::open(path).map_err(failed("open", path))
}

/// Opens a file for reading, and says what it is, or nothing where there is none. It never waits: who may write its directory
/// could put a pipe there, which nobody writes, or a link to a device without end. The null device is a file without content.
///
/// # Errors
/// When it is there and can't be opened, or is a pipe or a device.
pub fn open_file(path: impl AsRef<Path>) -> Result<Option<(File, Stat)>> {
    let path = path.as_ref();
    let opened = disk::open_without_waiting(path).and_then(|file| {
        let found = file.metadata()?;
        match kind(found.file_type()) == Kind::Other && found.rdev() != NULL_DEVICE {
            true => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe or a device, and no file")),
            false => Ok((file, Stat::of(&found))),
        }
    });
    absent_as_none(opened.map_err(failed("read", path)))
}

/// Opens a file for adding to its end, and makes it, with `mode`, where there is none.
///
/// # Errors
/// When it can't be opened or made.
pub fn open_to_append(path: impl AsRef<Path>, mode: u32) -> Result<File> {
    let path = path.as_ref();
    disk::open_to_append(path, mode).map_err(failed("open", path))
}

/// Adds to the end of the file at `path`, which is open for that. When it reaches the disk is left to the system.
///
/// # Errors
/// When not all of it can be written.
pub fn append(file: &mut File, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Result<()> {
    disk::append(file, content.as_ref()).map_err(failed("write", path.as_ref()))
}

/// Brings to the disk what another library wrote at `path`, and its name.
///
/// # Errors
/// When it is not there, or that fails.
pub fn settle(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let settled = File::open(path).and_then(|file| disk::sync(&file)).and_then(|()| sync_parent(path));
    settled.map_err(failed("bring to the disk", path))
}

/// Whether a path leads to a file that is open, and not to one that took its place.
#[must_use]
pub fn leads_to(path: impl AsRef<Path>, open: &File) -> bool {
    let of = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    fs::metadata(path).ok().zip(open.metadata().ok()).is_some_and(|(there, here)| of(there) == of(here))
}

/// A lock on a file, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// The lock again, for the standard input of the program that takes this one's place.
    pub(super) fn handle(&self) -> io::Result<File> {
        self.0.try_clone()
    }

    /// The lock of `path` that the program before this one held, and left on standard input. Nothing that is started
    /// from now on gets it there.
    #[must_use]
    pub fn inherited(path: impl AsRef<Path>) -> Option<Self> {
        let file = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
        if !leads_to(path, &file) {
            return None;
        }
        let nothing = File::open("/dev/null").ok()?;
        rustix::stdio::dup2_stdin(nothing).ok()?;
        file.try_lock().is_ok().then_some(Self(file))
    }

    /// Writes into the locked file who holds it: for messages, so that nothing comes of a failure.
    pub fn sign(&self, text: &str) {
        drop(disk::fill_anew(&self.0, text.as_bytes()));
    }
}

/// Takes the lock of `path`, or gives nothing when somebody else holds it.
///
/// # Errors
/// When the file can't be made.
pub fn try_lock(path: impl AsRef<Path>) -> Result<Option<Lock>> {
    taken(path.as_ref(), File::try_lock)
}

/// Takes the lock of `path` beside all others who take it so, or gives nothing when somebody holds it alone.
///
/// # Errors
/// When the file can't be made.
pub fn try_lock_shared(path: impl AsRef<Path>) -> Result<Option<Lock>> {
    taken(path.as_ref(), File::try_lock_shared)
}

fn taken(path: &Path, take: fn(&File) -> Result<(), fs::TryLockError>) -> Result<Option<Lock>> {
    let open = disk::open_to_lock(path);
    let file = open.map_err(failed("lock", path))?;
    match take(&file) {
        Ok(()) => Ok(Some(Lock(file))),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(source)) => Err(failed("lock", path)(source)),
    }
}

impl System {
    /// [`read_optional`], on this machine.
    ///
    /// # Errors
    /// When it is there and can't be read.
    pub fn read_file(&self, path: impl AsRef<Path>) -> Result<Option<Vec<u8>>> {
        read_optional(self.path(path))
    }

    /// [`write_with`], on this machine.
    ///
    /// # Errors
    /// When any part fails; the old content is then still there.
    pub fn write_file(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>, attributes: Attributes) -> Result<()> {
        write_with(self.path(path), content, attributes)
    }

    /// [`canonical`], on this machine: where `path` leads there, links and dots resolved.
    ///
    /// # Errors
    /// When a part of it is not there.
    pub fn real_path(&self, path: impl AsRef<Path>) -> Result<PathBuf> {
        let (real, root) = (canonical(self.path(path))?, canonical(self.path("/"))?);
        Ok(real.strip_prefix(root).map_or_else(|_| real.clone(), |below| Path::new("/").join(below)))
    }

    /// [`write_with_xattrs`], on this machine.
    ///
    /// # Errors
    /// When any part fails; the old content is then still there.
    pub fn write_file_with(
        &self,
        path: impl AsRef<Path>,
        content: impl AsRef<[u8]>,
        attributes: Attributes,
        xattrs: &[Xattr],
    ) -> Result<()> {
        write_with_xattrs(self.path(path), content, attributes, xattrs)
    }

    /// [`xattr`], on this machine.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn xattr(&self, path: impl AsRef<Path>, name: &str) -> Result<Option<Vec<u8>>> {
        xattr(self.path(path), name)
    }

    /// [`space`], on this machine.
    ///
    /// # Errors
    /// When it can't be asked.
    pub fn space(&self, path: impl AsRef<Path>) -> Result<Space> {
        space(self.path(path))
    }

    /// [`stat_of_end`], on this machine.
    ///
    /// # Errors
    /// When it is there and can't be looked at.
    pub fn stat_of_end(&self, path: impl AsRef<Path>) -> Result<Option<Stat>> {
        stat_of_end(self.path(path))
    }

    /// [`stat`], on this machine.
    ///
    /// # Errors
    /// When it is there and can't be looked at.
    pub fn stat(&self, path: impl AsRef<Path>) -> Result<Option<Stat>> {
        stat(self.path(path))
    }
}

/// Fills a new file. Its mode comes last: until then it is only its owner's.
fn fill(path: &Path, content: &[u8], attributes: Attributes, xattrs: &[Xattr]) -> io::Result<File> {
    if xattrs.is_empty() {
        return disk::fill(path, content, attributes);
    }
    let file = disk::fill(path, content, Attributes { mode: 0o600, ..attributes })?;
    set_xattrs(&file, path, xattrs)?;
    disk::set_mode(&file, path, attributes.mode)?;
    Ok(file)
}

fn set_xattrs(file: &File, path: &Path, xattrs: &[Xattr]) -> io::Result<()> {
    for Xattr { name, value, is_vital } in xattrs {
        let set = match value {
            Some(value) => disk::set_xattr(file, path, name, value),
            None => disk::remove_xattr(file, path, name),
        };
        match set {
            Err(error) if value.is_none() && is_absent(&error) => {}
            Err(error) if !is_vital && error.kind() == io::ErrorKind::Unsupported => {}
            set => set?,
        }
    }
    Ok(())
}

/// Lets a copy of the file that `from` leads to take the place of `path`: with its content and its time, and with mode, owner,
/// group and extended attributes set before.
pub(super) fn copy_over(from: &Path, path: &Path, attributes: Attributes, xattrs: &[Xattr]) -> io::Result<()> {
    leftover::sweep(path);
    let temporary = beside(path);
    // It is closed by then: a program that is open for writing can't be started.
    let copied = copy_beside(from, &temporary, attributes, xattrs)
        .and_then(|()| disk::rename(&temporary, path))
        .and_then(|()| sync_parent(path));
    if copied.is_err() {
        drop(disk::remove_file(&temporary));
    }
    copied
}

/// Copies a file, and brings the copy to the disk. Its mode comes last: until then it is only its owner's.
fn copy_beside(from: &Path, to: &Path, attributes: Attributes, xattrs: &[Xattr]) -> io::Result<()> {
    let (mut source, mut file) = (disk::open_without_waiting(from)?, disk::make(to)?);
    drop(file.try_lock());
    pour(&mut source, &mut file)?;
    disk::dress(&file, to, Attributes { mode: 0o600, ..attributes }, None)?;
    set_xattrs(&file, to, xattrs)?;
    let found = source.metadata()?;
    let modified = stamp(found.mtime(), found.mtime_nsec());
    disk::dress(&file, to, Attributes::mode(attributes.mode), Some(modified))?;
    disk::sync(&file)
}

fn pour(source: &mut File, file: &mut File) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match source.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) => disk::pour(file, &piece[..length])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether what is to be removed is not there, or can't be.
fn is_absent(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::NODATA) || error.kind() == io::ErrorKind::Unsupported
}

/// How many bytes there is room for, for who may write at `path`.
///
/// # Errors
/// When it is not there, or can't be looked at.
pub fn free_space(path: impl AsRef<Path>) -> Result<u64> {
    let path = path.as_ref();
    let found = rustix::fs::statvfs(path).map_err(|error| failed("look at the room at", path)(error.into()))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { action, path, source }
}

/// The number of `/dev/null`: 1 and 3, on every Linux.
const NULL_DEVICE: u64 = 1 << 8 | 3;

fn absent_as_none<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    path.with_file_name(leftover::name(&name, std::process::id()))
}

/// Each new directory is safe before there is anything in it.
fn make_dirs(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    path.parent().map_or(Ok(()), make_dirs)?;
    match disk::make_dir(path, 0o777) {
        Err(_) if path.is_dir() => Ok(()),
        made => made.and_then(|()| sync_parent(path)),
    }
}

/// It is brought to the disk when it has its owner and its mode. Its own fsync comes first: where a file system has a
/// journal, that brings its name there, too, and the one of the directory above finds little left to do.
fn make_dir_with(path: &Path, attributes: Attributes) -> io::Result<()> {
    path.parent().map_or(Ok(()), make_dirs)?;
    match disk::make_dir(path, attributes.mode & 0o777) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    let directory = disk::open_itself(path)?;
    dress_dir(&directory, path, attributes)?;
    disk::sync(&directory)?;
    sync_parent(path)
}

/// Sets what differs: some file systems refuse to be told what is so already.
fn dress_dir(directory: &File, path: &Path, wanted: Attributes) -> io::Result<()> {
    let found = Stat::of(&directory.metadata()?);
    if found.kind != Kind::Directory {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let moves = wanted.uid.is_some_and(|uid| uid != found.uid) || wanted.gid.is_some_and(|gid| gid != found.gid);
    if moves {
        disk::set_owner_of(directory, path, wanted.uid, wanted.gid)?;
    }
    if wanted.mode == found.mode { Ok(()) } else { disk::set_mode(directory, path, wanted.mode) }
}

fn removed(path: &Path, remove: fn(&Path) -> io::Result<()>) -> Result<bool> {
    let removed = absent_as_none(remove(path).map_err(failed("remove", path)))?.is_some();
    if removed {
        sync_parent(path).map_err(failed("remove", path))?;
    }
    Ok(removed)
}

/// Links and what can't be opened have theirs beside their names, as good as any file system can.
fn sync_attributes(path: &Path) -> io::Result<()> {
    match disk::open_itself(path) {
        Ok(file) => disk::sync(&file),
        Err(_) => sync_parent(path),
    }
}

pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    disk::sync_dir(parent.unwrap_or_else(|| Path::new(".")))
}

fn kind(file_type: fs::FileType) -> Kind {
    match file_type {
        t if t.is_file() => Kind::File,
        t if t.is_dir() => Kind::Directory,
        t if t.is_symlink() => Kind::Link,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_sets_content_and_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write(&path, "one", 0o640).unwrap();
        assert_eq!((read_text(&path).unwrap(), stat(&path).unwrap().unwrap().mode), ("one".into(), 0o640));
    }

    #[test]
    fn a_failed_write_leaves_the_old_content_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a");
        create_dir(target.join("in the way")).unwrap();
        let error = write(&target, "one", 0o644).unwrap_err();
        assert_eq!(error.to_string(), format!("could not write {}", target.display()));
        assert_eq!(list(dir.path()).unwrap(), [target]);
    }

    #[test]
    fn a_directory_is_made_with_its_mode_and_those_above_it() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link_to_it, file) = (dir.path().join("a/b"), dir.path().join("link"), dir.path().join("file"));
        let mode = || stat(&path).unwrap().unwrap().mode;
        let me = stat(dir.path()).unwrap().unwrap();
        create_dir_with(&path, Attributes { mode: 0o1750, uid: Some(me.uid), gid: Some(me.gid) }).unwrap();
        assert_eq!(mode(), 0o1750);
        create_dir_with(&path, Attributes::mode(0o711)).unwrap();
        assert_eq!(mode(), 0o711);
        link(&path, &link_to_it).unwrap();
        write(&file, "", 0o644).unwrap();
        let refused = |place: &Path, expect: Cause| {
            let error = create_dir_with(place, Attributes::mode(0o700)).unwrap_err();
            assert_eq!(error.cause(), expect, "{error}: {}", error.source);
        };
        refused(&link_to_it, Cause::LinkLoop);
        refused(&file, Cause::ThroughFile);
        // The file was to be made as a directory first.
        refused(&file.join("c"), Cause::Other);
        assert_eq!(mode(), 0o711);
    }

    #[test]
    fn the_mode_of_what_a_link_leads_to_is_not_set() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path().join("a"), "one", 0o600).unwrap();
        link("a", dir.path().join("link")).unwrap();
        assert!(set_mode(dir.path().join("link"), 0o666).is_err());
        set_mode(dir.path().join("a"), 0o640).unwrap();
        set_mode(dir.path(), 0o700).unwrap();
        assert_eq!(stat(dir.path().join("a")).unwrap().unwrap().mode, 0o640);
    }

    #[test]
    fn a_refusal_of_the_place_is_told_from_others() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        link("b", at("a")).unwrap();
        link("a", at("b")).unwrap();
        write(at("file"), "one", 0o644).unwrap();
        assert_eq!(read(at("a")).unwrap_err().cause(), Cause::LinkLoop);
        assert_eq!(read(at("file/x")).unwrap_err().cause(), Cause::ThroughFile);
        assert_eq!(read(at("none")).unwrap_err().cause(), Cause::Other);
        let error = |kind: io::ErrorKind| FileError { action: "write", path: at("file"), source: kind.into() };
        assert_eq!(error(io::ErrorKind::StorageFull).cause(), Cause::Full);
        assert_eq!(error(io::ErrorKind::ReadOnlyFilesystem).cause(), Cause::ReadOnly);
    }

    #[test]
    fn extended_attributes_are_set_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write(&path, "one", 0o644).unwrap();
        assert_eq!(xattr(&path, "user.note").unwrap(), None);
        // Some file systems have none.
        if set_xattr(&path, "user.note", b"hi").is_ok() {
            assert_eq!(xattr(&path, "user.note").unwrap().as_deref(), Some(&b"hi"[..]));
            remove_xattr(&path, "user.note").unwrap();
            remove_xattr(&path, "user.note").unwrap();
            assert_eq!(xattr(&path, "user.note").unwrap(), None);
            let note = Xattr { name: "user.note", value: Some(b"new".to_vec()), is_vital: true };
            write_with_xattrs(&path, "two", Attributes::mode(0o640), &[note]).unwrap();
            assert_eq!(xattr(&path, "user.note").unwrap().as_deref(), Some(&b"new"[..]));
            assert_eq!((read_text(&path).unwrap(), stat(&path).unwrap().unwrap().mode), ("two".into(), 0o640));
            let none = Xattr { name: "user.note", value: None, is_vital: true };
            write_with_xattrs(&path, "three", Attributes::mode(0o640), &[none]).unwrap();
            assert_eq!((xattr(&path, "user.note").unwrap(), read_text(&path).unwrap()), (None, "three".into()));
        }
    }

    #[test]
    fn all_below_a_directory_is_found() {
        let dir = tempfile::tempdir().unwrap();
        create_dir(dir.path().join("a/empty")).unwrap();
        write(dir.path().join("a/b"), "", 0o644).unwrap();
        write(dir.path().join("c"), "", 0o644).unwrap();
        link("..", dir.path().join("a/up")).unwrap();
        let expect = [("a/b", Kind::File), ("a/up", Kind::Link), ("c", Kind::File)];
        assert_eq!(below(dir.path()).unwrap(), expect.map(|(path, kind)| (PathBuf::from(path), kind)));
    }

    #[test]
    fn two_names_of_one_file_are_known() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        write(&a, "one", 0o644).unwrap();
        assert!(!is_same(&a, &b).unwrap() && !is_same(&b, &b).unwrap());
        hard_link(&a, &b).unwrap();
        assert!(is_same(&a, &b).unwrap());
        assert!(space(dir.path()).unwrap().total > 0);
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let fifo = crate::system::Command::new("mkfifo").arg(at("fifo"));
        fifo.read().unwrap();
        link("/dev/zero", at("zero")).unwrap();
        link("/dev/null", at("null")).unwrap();
        for name in ["fifo", "zero"] {
            let error = read_optional(at(name)).unwrap_err();
            assert_eq!(error.to_string(), format!("could not read {}", at(name).display()));
            assert_eq!(error.source.to_string(), "it is a pipe or a device, and no file");
        }
        assert_eq!(read_optional(at("null")).unwrap(), Some(Vec::new()));
        assert!(read_optional(dir.path()).is_err());
        assert_eq!(stat_of_end(at("null")).unwrap().unwrap().kind, Kind::Other);
        assert_eq!((stat_of_end(at("none")).unwrap(), stat(at("zero")).unwrap().unwrap().kind), (None, Kind::Link));
    }

    #[test]
    fn what_is_absent_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_optional(dir.path().join("a")).unwrap(), None);
        assert_eq!(stat(dir.path().join("a")).unwrap(), None);
        assert!(!remove(dir.path().join("a")).unwrap());
    }

    #[test]
    fn a_lock_says_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        write(&path, "a longer text of somebody else", 0o600).unwrap();
        let lock = try_lock(&path).unwrap().unwrap();
        lock.sign("41\n");
        assert_eq!(read_text(&path).unwrap(), "41\n");
    }

    #[test]
    fn a_lock_that_is_shared_is_held_by_many_and_by_nobody_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let both = [try_lock_shared(&path).unwrap(), try_lock_shared(&path).unwrap()];
        assert!(both.iter().all(Option::is_some) && try_lock(&path).unwrap().is_none());
        drop(both);
        let alone = try_lock(&path).unwrap();
        assert!(alone.is_some() && try_lock_shared(&path).unwrap().is_none());
    }

    #[test]
    fn a_lock_is_held_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let first = try_lock(dir.path().join("lock")).unwrap();
        assert!(first.is_some());
        assert!(try_lock(dir.path().join("lock")).unwrap().is_none());
        drop(first);
        assert!(try_lock(dir.path().join("lock")).unwrap().is_some());
    }
}
