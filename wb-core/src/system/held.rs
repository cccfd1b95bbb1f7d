//! What is held: it is looked at and changed as itself, whatever its path means by then.
//!
//! Who may write a directory may put a symbolic link in the place of anything in it, at any moment, and so lead whoever
//! sets owners and modes there as root to another place. From something that is held, the way goes on name by name, and
//! follows no link.
#![expect(clippy::disallowed_methods, reason = "this is the seam that the rest must use")]

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use super::files::{self, Attributes, FileError, Kind, Stat, Xattr, failed};
use super::{System, disk};

type Result<T, E = FileError> = std::result::Result<T, E>;

/// The longest path that the kernel takes, in bytes. What lies deeper has no path that anybody could say, and is refused.
const LONGEST: usize = 4096;

/// Something at a path: a file, a directory, a link itself, or anything else. Nothing is opened, so that holding it does
/// nothing to it.
///
/// ```
/// # use wb_core::system::{Held, files};
/// # let root = std::env::temp_dir().join("wb-held-example");
/// # files::create_dir(root.join("srv")).unwrap();
/// # files::write(root.join("srv/a"), "", 0o644).unwrap();
/// let directory = Held::below(&root, "/srv")?.expect("a directory");
/// let file = directory.inside("a".as_ref())?.expect("a file");
/// file.set_mode(0o640)?;
/// file.settle()?;
/// assert_eq!(file.stat()?.mode, 0o640);
/// # Ok::<(), files::FileError>(())
/// ```
#[derive(Debug)]
pub struct Held {
    handle: Arc<File>,
    /// The directory that it was found in.
    above: Option<Arc<File>>,
    /// Where it was when it was found: for messages.
    path: PathBuf,
}

impl Held {
    /// What is at `path` below `root`, or nothing where there is nothing. A link on the way is refused; at its end, it is the
    /// link that is held.
    ///
    /// # Errors
    /// When the way leads through something that is no directory, or can't be gone.
    pub fn below(root: impl AsRef<Path>, path: impl AsRef<Path>) -> Result<Option<Self>> {
        let root = root.as_ref();
        let handle = hold(CWD, root.as_os_str(), OFlags::DIRECTORY).map_err(failed("open", root))?;
        let mut held = Self { handle: Arc::new(handle), above: None, path: root.to_owned() };
        for part in path.as_ref().components() {
            let Component::Normal(name) = part else { continue };
            match held.inside(name)? {
                Some(next) => held = next,
                None => return Ok(None),
            }
        }
        Ok(Some(held))
    }

    /// What has this name in it, or nothing where nothing has.
    ///
    /// # Errors
    /// When it is no directory, or what is in it can't be found out.
    pub fn inside(&self, name: &OsStr) -> Result<Option<Self>> {
        let path = self.path.join(name);
        let found = match path.as_os_str().len() {
            LONGEST.. => Err(Errno::NAMETOOLONG.into()),
            _ => hold(&*self.handle, name, OFlags::NOFOLLOW),
        };
        match found {
            Ok(handle) => {
                let above = Some(Arc::clone(&self.handle));
                Ok(Some(Self { handle: Arc::new(handle), above, path }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("open", &path)(error)),
        }
    }

    /// The names in it, where it is a directory, sorted.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn names(&self) -> Result<Vec<OsString>> {
        let names = fs::read_dir(way_to(&self.handle)).and_then(|entries| {
            let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
            names.collect::<io::Result<Vec<_>>>()
        });
        let mut names = names.map_err(failed("list", &self.path))?;
        names.sort();
        Ok(names)
    }

    /// What is known of it.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn stat(&self) -> Result<Stat> {
        self.handle.metadata().map(|metadata| Stat::of(&metadata)).map_err(failed("look at", &self.path))
    }

    /// Whether it has no other name: no hard link of it is anywhere else.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn has_one_name(&self) -> Result<bool> {
        self.handle.metadata().map(|metadata| metadata.nlink() == 1).map_err(failed("look at", &self.path))
    }

    /// Lets a copy of it take its place, where it is a file: with its content and its time, and with these attributes, at once
    /// or not at all. A new owner clears the set-id bits and the capabilities of a file that is there, so that for a moment it
    /// would be without them. What is held is the old file from then on.
    ///
    /// # Errors
    /// When it is no file, or any part fails; the old one is then still there.
    pub fn replace(&self, attributes: Attributes, xattrs: &[Xattr]) -> Result<()> {
        let replaced = match (self.stat()?.kind, &self.above, self.path.file_name()) {
            (Kind::File, Some(above), Some(name)) => {
                files::copy_over(&way_to(&self.handle), &way_to(above).join(name), attributes, xattrs)
            }
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file")),
        };
        replaced.map_err(failed("write", &self.path))
    }

    /// Sets owner and group, where given.
    ///
    /// # Errors
    /// When they can't be set.
    pub fn set_owner(&self, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        disk::set_owner_of(&self.handle, &self.path, uid, gid).map_err(failed("set the owner of", &self.path))
    }

    /// Sets the permission bits. A link has none.
    ///
    /// # Errors
    /// When it is a link, or they can't be set.
    pub fn set_mode(&self, mode: u32) -> Result<()> {
        disk::set_mode_at(&way_to(&self.handle), &self.path, mode).map_err(failed("set the mode of", &self.path))
    }

    /// An extended attribute, as [`files::xattr`](super::files::xattr) gives it. That of a link can't be asked for.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn xattr(&self, name: &str) -> Result<Option<Vec<u8>>> {
        files::value_of(|value| rustix::fs::getxattr(way_to(&self.handle), name, value))
            .map_err(failed("read the extended attributes of", &self.path))
    }

    /// The names of all its extended attributes. Those of a link can't be asked for.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn xattr_names(&self) -> Result<Vec<String>> {
        let found = files::value_of(|names| rustix::fs::listxattr(way_to(&self.handle), names))
            .map_err(failed("read the extended attributes of", &self.path))?
            .unwrap_or_default();
        let names = found.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
    }

    /// Sets an extended attribute.
    ///
    /// # Errors
    /// When it is a link, or its file system has no such attributes, or it can't be set.
    pub fn set_xattr(&self, name: &str, value: &[u8]) -> Result<()> {
        disk::set_xattr_at(&way_to(&self.handle), &self.path, name, value)
            .map_err(failed("set the extended attributes of", &self.path))
    }

    /// Brings what was set to the disk. Only files and directories are opened for that: to open anything else may do
    /// something. The rest is brought there with its directory, as good as any file system can.
    ///
    /// # Errors
    /// When that fails.
    pub fn settle(&self) -> Result<()> {
        let it = match self.stat()?.kind {
            Kind::File | Kind::Directory => Some(&self.handle),
            Kind::Link | Kind::Other => self.above.as_ref(),
        };
        it.map_or(Ok(()), |it| disk::sync_at(&way_to(it))).map_err(failed("bring to the disk", &self.path))
    }
}

/// The kernel leads this path to what is held, and asks nobody else.
fn way_to(handle: &File) -> PathBuf {
    Path::new("/proc/self/fd").join(handle.as_raw_fd().to_string())
}

fn hold(directory: impl AsFd, name: &OsStr, flags: OFlags) -> io::Result<File> {
    Ok(File::from(openat(directory, name, OFlags::PATH | OFlags::CLOEXEC | flags, Mode::empty())?))
}

impl System {
    /// [`Held::below`], on this machine.
    ///
    /// # Errors
    /// When the way leads through something that is no directory, or can't be gone.
    pub fn held(&self, path: impl AsRef<Path>) -> Result<Option<Held>> {
        Held::below(self.path("/"), path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yard() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        files::create_dir(dir.path().join("a/b")).unwrap();
        files::write(dir.path().join("a/file"), "", 0o644).unwrap();
        files::link("file", dir.path().join("a/link")).unwrap();
        files::link("a", dir.path().join("leads")).unwrap();
        dir
    }

    fn held(dir: &tempfile::TempDir, path: &str) -> Held {
        Held::below(dir.path(), path).unwrap().unwrap()
    }

    fn mode(dir: &tempfile::TempDir, path: &str) -> u32 {
        files::stat(dir.path().join(path)).unwrap().unwrap().mode
    }

    #[test]
    fn what_is_there_is_found_by_its_names() {
        let dir = yard();
        assert_eq!(held(&dir, "/a").names().unwrap(), ["b", "file", "link"]);
        assert_eq!(held(&dir, "a/link").stat().unwrap().kind, Kind::Link);
        assert_eq!(held(&dir, "/").stat().unwrap().kind, Kind::Directory);
        assert!(Held::below(dir.path(), "/a/none/x").unwrap().is_none());
        assert!(Held::below(dir.path(), "/leads/file").is_err());
        assert!(Held::below(dir.path(), "/a/file/x").is_err());
        assert!(held(&dir, "/a/file").names().is_err());
    }

    #[test]
    fn what_takes_its_place_is_something_else() {
        let dir = yard();
        let (directory, file) = (held(&dir, "/a"), held(&dir, "/a/file"));
        files::rename(dir.path().join("a"), dir.path().join("moved")).unwrap();
        files::create_dir(dir.path().join("a")).unwrap();
        files::write(dir.path().join("a/file"), "", 0o644).unwrap();
        directory.set_mode(0o700).unwrap();
        file.set_mode(0o600).unwrap();
        directory.inside("b".as_ref()).unwrap().unwrap().set_mode(0o711).unwrap();
        for held in [directory, file] {
            held.settle().unwrap();
        }
        assert_eq!([mode(&dir, "moved"), mode(&dir, "moved/file"), mode(&dir, "moved/b")], [0o700, 0o600, 0o711]);
        assert_eq!(mode(&dir, "a/file"), 0o644);
    }

    #[test]
    fn extended_attributes_are_those_of_what_is_held() {
        let dir = yard();
        let file = held(&dir, "/a/file");
        assert_eq!(file.xattr("user.note").unwrap(), None);
        files::rename(dir.path().join("a/file"), dir.path().join("moved")).unwrap();
        // Some file systems have none.
        if file.set_xattr("user.note", b"hi").is_ok() {
            assert_eq!(file.xattr("user.note").unwrap().as_deref(), Some(&b"hi"[..]));
            assert!(file.xattr_names().unwrap().contains(&"user.note".to_owned()));
            assert_eq!(files::xattr(dir.path().join("moved"), "user.note").unwrap().as_deref(), Some(&b"hi"[..]));
        }
    }

    #[test]
    fn a_copy_takes_the_place_of_a_file_and_of_nothing_else() {
        let dir = yard();
        let path = dir.path().join("a/file");
        files::write(&path, "program", 0o4755).unwrap();
        let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000);
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        let file = held(&dir, "/a/file");
        file.replace(Attributes::mode(0o4750), &[]).unwrap();
        let found = files::stat(&path).unwrap().unwrap();
        assert_eq!((files::read_text(&path).unwrap().as_str(), found.mode), ("program", 0o4750));
        assert_eq!((found.modified.as_secs(), file.stat().unwrap().mode), (1000, 0o4755));
        for name in ["/", "/a", "/a/link"] {
            assert!(held(&dir, name).replace(Attributes::mode(0o700), &[]).is_err(), "{name}");
        }
        assert_eq!(held(&dir, "/a").names().unwrap(), ["b", "file", "link"]);
        assert!(held(&dir, "/a/file").has_one_name().unwrap());
        files::hard_link(&path, dir.path().join("other")).unwrap();
        assert!(!held(&dir, "/a/file").has_one_name().unwrap());
    }

    #[test]
    fn links_and_sockets_have_owners() {
        let dir = yard();
        let me = files::stat(dir.path()).unwrap().unwrap();
        let _listening = std::os::unix::net::UnixListener::bind(dir.path().join("a/socket")).unwrap();
        for name in ["a/link", "a/socket"] {
            held(&dir, name).set_owner(Some(me.uid), Some(me.gid)).unwrap();
            held(&dir, name).settle().unwrap();
        }
        assert!(held(&dir, "a/link").set_mode(0o600).is_err());
        assert_eq!(mode(&dir, "a/file"), 0o644);
    }

    #[test]
    fn what_no_path_can_say_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut here = held(&dir, "/");
        let error = loop {
            rustix::fs::mkdirat(&*here.handle, "a-name-that-is-long", Mode::RWXU).unwrap();
            match here.inside("a-name-that-is-long".as_ref()) {
                Ok(next) => here = next.unwrap(),
                Err(error) => break error,
            }
        };
        assert_eq!(Errno::from_io_error(&error.source), Some(Errno::NAMETOOLONG));
    }
}
