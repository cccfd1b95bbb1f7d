//! The calls that change a disk. Each passes a point where it can be made to fail or to be the last one of this
//! process, and what is not safe after it is known (see [`super::fault`]). Nothing else in this crate makes them.
#![expect(clippy::disallowed_methods, reason = "this is the seam that the rest must use")]

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown, lchown,
    symlink,
};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{AtFlags, Gid, Uid};

use super::fault::{self, Bug, Change, Kind};
use super::files::Attributes;
use super::mounts::mounted_in;

/// Makes a new file and writes it, in place of one that a dead process may have left. It is locked for as long as it is
/// open, where its file system knows locks.
pub(super) fn fill(path: &Path, content: &[u8], attributes: Attributes) -> io::Result<File> {
    let strike = fault::strike(Kind::Write);
    drop(fs::remove_file(path));
    let change = Change::of(&[path]);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    change.made();
    fault::unsynced(&file, 0);
    drop(file.try_lock());
    file.write_all(strike.part(content))?;
    strike.fall()?;
    if attributes.uid.is_some() || attributes.gid.is_some() {
        fchown(&file, attributes.uid, attributes.gid)?;
    }
    file.set_permissions(Permissions::from_mode(attributes.mode))?;
    Ok(file)
}

/// Makes a new file for its owner alone, to be written piece by piece, in place of one that a dead process may have left.
pub(super) fn make(path: &Path) -> io::Result<File> {
    fault::pass(Kind::Make)?;
    drop(fs::remove_file(path));
    let change = Change::of(&[path]);
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    change.made();
    fault::unsynced(&file, 0);
    Ok(file)
}

/// Opens a file that this process's user made, to go on at its end. What is something else, or has another name too, is
/// nobody's part of a file: who may write the directory could lead us astray.
pub(super) fn open_to_go_on(path: &Path) -> io::Result<Option<File>> {
    fault::pass(Kind::Make)?;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let opened = OpenOptions::new().read(true).append(true).custom_flags(flags.bits().cast_signed()).open(path);
    let Ok(file) = opened else { return Ok(None) };
    let found = file.metadata()?;
    let is_ours = found.is_file() && found.nlink() == 1 && found.uid() == rustix::process::geteuid().as_raw();
    fault::unsynced(&file, found.len());
    Ok(is_ours.then_some(file))
}

/// Adds to a file that nobody reads yet.
pub(super) fn pour(file: &mut File, content: &[u8]) -> io::Result<()> {
    let strike = fault::strike(Kind::Write);
    file.write_all(strike.part(content))?;
    strike.fall()
}

/// Sets all attributes of an open file, and when it was last changed, where that is given, and is a time that there is.
pub(super) fn dress(file: &File, path: &Path, attributes: Attributes, modified: Option<Duration>) -> io::Result<()> {
    fault::pass(Kind::Attributes)?;
    fault::will_set_attributes(path);
    if attributes.uid.is_some() || attributes.gid.is_some() {
        fchown(file, attributes.uid, attributes.gid)?;
    }
    file.set_permissions(Permissions::from_mode(attributes.mode))?;
    let modified = modified.and_then(|modified| UNIX_EPOCH.checked_add(modified));
    modified.map_or(Ok(()), |modified| file.set_modified(modified))
}

/// Adds to the end of a file.
pub(super) fn append(file: &mut File, content: &[u8]) -> io::Result<()> {
    let strike = fault::strike(Kind::Append);
    fault::unsynced(file, file.metadata()?.len());
    file.write_all(strike.part(content))?;
    strike.fall()
}

/// Gives an open file another content.
pub(super) fn fill_anew(file: &File, content: &[u8]) -> io::Result<()> {
    fault::pass(Kind::Write)?;
    fault::unsynced(file, 0);
    file.set_len(0)?;
    file.write_all_at(content, 0)
}

/// Writes into a file that the kernel answers: no disk has it, and nothing takes its place.
pub(super) fn tell(path: &Path, content: &[u8]) -> io::Result<()> {
    fault::pass(Kind::Write)?;
    OpenOptions::new().write(true).truncate(true).open(path)?.write_all(content)
}

/// Opens a file for adding to its end. It is made, with `mode`, where there is none.
pub(super) fn open_to_append(path: &Path, mode: u32) -> io::Result<File> {
    opened(path, OpenOptions::new().append(true).mode(mode))
}

/// Opens a file for its lock. It is made, for its owner alone, where there is none.
pub(super) fn open_to_lock(path: &Path) -> io::Result<File> {
    opened(path, OpenOptions::new().truncate(false).write(true).mode(0o600))
}

fn opened(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    fault::pass(Kind::Make)?;
    let change = Change::of(&[path]);
    let file = options.create(true).open(path)?;
    change.made();
    Ok(file)
}

/// Opens what is at `path`, for its attributes. A link is refused.
pub(super) fn open_itself(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Opens a file for reading, and does not wait for who writes to it, where it is a pipe.
pub(super) fn open_without_waiting(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Brings what a file has to the disk.
pub(super) fn sync(file: &File) -> io::Result<()> {
    fault::pass(Kind::Sync)?;
    if fault::planted(Bug::MissingFsync) {
        return Ok(());
    }
    brought(file)?;
    fault::synced(file);
    Ok(())
}

/// [`sync`], of the file or directory that `way` leads to.
pub(super) fn sync_at(way: &Path) -> io::Result<()> {
    let flags = rustix::fs::OFlags::NONBLOCK;
    sync(&OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(way)?)
}

/// Brings the names in a directory to the disk.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    fault::pass(Kind::SyncDir)?;
    if fault::planted(Bug::MissingDirSync) {
        return Ok(());
    }
    brought(&File::open(path)?)?;
    fault::synced_dir(path);
    Ok(())
}

/// Brings the names in a directory, and in all below it, to the disk.
pub(super) fn sync_dirs(path: &Path) -> io::Result<()> {
    fault::pass(Kind::SyncDir)?;
    let mut left = vec![path.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                left.push(entry.path());
            }
        }
        brought(&File::open(&dir)?)?;
        fault::synced_dir(&dir);
    }
    Ok(())
}

/// Brings all that was written on a file system to the disk: the cheapest way for the many files of a tree.
pub(super) fn sync_tree(path: &Path) -> io::Result<()> {
    fault::pass(Kind::SyncDir)?;
    rustix::fs::syncfs(File::open(path)?)?;
    if cfg!(feature = "faults") { synced_all(path) } else { Ok(()) }
}

fn synced_all(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => synced_all(&entry.path())?,
            kind if kind.is_file() => fault::synced(&File::open(entry.path())?),
            _ => {}
        }
    }
    fault::synced_dir(path);
    Ok(())
}

/// What lies on no disk, as control groups and devices do, can't be brought there.
fn brought(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fault::pass(Kind::Rename)?;
    let change = Change::of(&[from, to]);
    fs::rename(from, to)?;
    change.made();
    Ok(())
}

/// Lets two names change their meanings with each other.
pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    fault::pass(Kind::Rename)?;
    let change = Change::of(&[one, other]);
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?;
    change.made();
    Ok(())
}

pub(super) fn make_dir(path: &Path, mode: u32) -> io::Result<()> {
    fault::pass(Kind::Make)?;
    let change = Change::of(&[path]);
    DirBuilder::new().mode(mode).create(path)?;
    change.made();
    Ok(())
}

pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    removed(path, |path| fs::remove_file(path))
}

pub(super) fn remove_dir(path: &Path) -> io::Result<()> {
    removed(path, |path| fs::remove_dir(path))
}

/// Removes a directory with all that is in it. Where a file system is mounted, all of it stays: that has owners of its own.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    match mounted_in(path)? {
        Some(mount) => Err(in_use(&mount)),
        None => removed(path, |path| fs::remove_dir_all(path)),
    }
}

fn in_use(mount: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::ResourceBusy, format!("a file system is mounted at {}", mount.display()))
}

fn removed(path: &Path, remove: fn(&Path) -> io::Result<()>) -> io::Result<()> {
    fault::pass(Kind::Remove)?;
    let change = Change::of(&[path]);
    remove(path)?;
    change.made();
    Ok(())
}

pub(super) fn link(target: &Path, path: &Path) -> io::Result<()> {
    linked(path, || symlink(target, path))
}

pub(super) fn hard_link(from: &Path, to: &Path) -> io::Result<()> {
    linked(to, || fs::hard_link(from, to))
}

fn linked(path: &Path, link: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    fault::pass(Kind::Link)?;
    let change = Change::of(&[path]);
    link()?;
    change.made();
    Ok(())
}

pub(super) fn set_mode(file: &File, path: &Path, mode: u32) -> io::Result<()> {
    fault::pass(Kind::Attributes)?;
    fault::will_set_attributes(path);
    file.set_permissions(Permissions::from_mode(mode))
}

pub(super) fn set_owner(path: &Path, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    fault::pass(Kind::Attributes)?;
    fault::will_set_attributes(path);
    lchown(path, uid, gid)
}

/// [`set_owner`], of what is open or held. It was at `path`.
pub(super) fn set_owner_of(file: &File, path: &Path, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    fault::pass(Kind::Attributes)?;
    fault::will_set_attributes(path);
    let (uid, gid) = (uid.map(Uid::from_raw_unchecked), gid.map(Gid::from_raw_unchecked));
    Ok(rustix::fs::chownat(file, "", uid, gid, AtFlags::EMPTY_PATH)?)
}

/// Sets the mode of what `way` leads to. It was at `path`.
pub(super) fn set_mode_at(way: &Path, path: &Path, mode: u32) -> io::Result<()> {
    fault::pass(Kind::Attributes)?;
    fault::will_set_attributes(path);
    fs::set_permissions(way, Permissions::from_mode(mode))
}

pub(super) fn set_xattr(file: &File, path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
    fault::pass(Kind::Attributes)?;
    fault::will_set_attributes(path);
    Ok(rustix::fs::fsetxattr(file, name, value, rustix::fs::XattrFlags::empty())?)
}

/// [`set_xattr`], of what `way` leads to. It was at `path`.
pub(super) fn set_xattr_at(way: &Path, path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
    fault::pass(Kind::Attributes)?;
    fault::will_set_attributes(path);
    Ok(rustix::fs::setxattr(way, name, value, rustix::fs::XattrFlags::empty())?)
}

pub(super) fn remove_xattr(file: &File, path: &Path, name: &str) -> io::Result<()> {
    fault::pass(Kind::Attributes)?;
    fault::will_set_attributes(path);
    Ok(rustix::fs::fremovexattr(file, name)?)
}
