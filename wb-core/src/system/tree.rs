//! Directory trees that are made as a whole: nobody reads them before they take their place, at once.
#![expect(clippy::disallowed_methods, reason = "this is the seam that the rest must use")]

use std::io;
use std::path::{Path, PathBuf};

use super::files::{Attributes, Result, exists, failed, remove_tree, sync_parent};
use super::{Growing, disk};

/// A tree that is being made. Dropped before [`Tree::replace`], it is removed.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
}

impl Tree {
    /// A new tree at `root`, in place of one that a dead process may have left.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn new(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref();
        remove_tree(root)?;
        disk::make_dir(root, 0o700).map_err(failed("make the directory", root))?;
        Ok(Self { root: root.to_owned() })
    }

    /// A new file of it, in place of one of the same name.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn file(&self, path: &Path) -> Result<Growing> {
        Growing::anew(self.root.join(path))
    }

    /// A directory of it, where it is not there, and those above it.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn directory(&self, path: &Path) -> Result<()> {
        path.parent().filter(|parent| *parent != Path::new("")).map_or(Ok(()), |parent| self.directory(parent))?;
        let path = self.root.join(path);
        match disk::make_dir(&path, 0o755) {
            Err(_) if path.is_dir() && !path.is_symlink() => Ok(()),
            made => made.map_err(failed("make the directory", &path)),
        }
    }

    /// Sets the attributes of a directory of it.
    ///
    /// # Errors
    /// When they can't be set.
    pub fn dress(&self, path: &Path, attributes: Attributes) -> Result<()> {
        let path = self.root.join(path);
        let dressed = disk::open_itself(&path).and_then(|file| disk::dress(&file, &path, attributes, None));
        dressed.map_err(failed("set the mode of", &path))
    }

    /// A symbolic link of it, with its owner, in place of a link or file of the same name.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn link(&self, target: &Path, path: &Path, attributes: Attributes) -> Result<()> {
        let path = self.root.join(path);
        self.clear(&path)?;
        let owned = |()| match (attributes.uid, attributes.gid) {
            (None, None) => Ok(()),
            (uid, gid) => disk::set_owner(&path, uid, gid),
        };
        disk::link(target, &path).and_then(owned).map_err(failed("link", &path))
    }

    /// A second name of a file of it.
    ///
    /// # Errors
    /// When there is no such file, or it can't be made.
    pub fn hard_link(&self, from: &Path, path: &Path) -> Result<()> {
        let (from, path) = (self.root.join(from), self.root.join(path));
        self.clear(&path)?;
        let is_file = std::fs::symlink_metadata(&from).map(|found| found.is_file());
        let linked = is_file.and_then(|is_file| match is_file {
            true => disk::hard_link(&from, &path),
            false => Err(io::ErrorKind::InvalidInput.into()),
        });
        linked.map_err(failed("link", &path))
    }

    fn clear(&self, path: &Path) -> Result<()> {
        match exists(path) {
            true => disk::remove_file(path).map_err(failed("remove", path)),
            false => Ok(()),
        }
    }

    /// Brings it to the disk, and puts it in the place of what is at `target`, which is gone then.
    ///
    /// # Errors
    /// When any part fails. Unless the file system can do it in no way at once, what was there is then still there.
    pub fn replace(self, target: impl AsRef<Path>) -> Result<()> {
        let target = target.as_ref();
        disk::sync_tree(&self.root).map_err(failed("bring to the disk", &self.root))?;
        let replaced = match exists(target) {
            false => disk::rename(&self.root, target),
            true => disk::exchange(&self.root, target).or_else(|error| self.instead_of(target, error)),
        };
        replaced.and_then(|()| sync_parent(target)).map_err(failed("put in its place", target))
        // What was there has our name now, and goes with us.
    }

    /// Where two directories can't be exchanged: on file systems that don't know how, and on layered ones where the old one
    /// is of a lower layer.
    fn instead_of(&self, target: &Path, error: io::Error) -> io::Result<()> {
        use rustix::io::Errno;
        let unable = [Errno::INVAL, Errno::NOSYS, Errno::XDEV].map(|errno| Some(errno.raw_os_error()));
        if !unable.contains(&error.raw_os_error()) {
            return Err(error);
        }
        disk::remove_tree(target)?;
        disk::rename(&self.root, target)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if exists(&self.root) {
            drop(remove_tree(&self.root));
        }
    }
}

/// Removes the directory at `path` with all that is in it, at once for whoever looks: it has the name `aside` meanwhile.
/// True when there was one.
///
/// # Errors
/// When it can't be removed.
pub fn remove_whole(path: impl AsRef<Path>, aside: impl AsRef<Path>) -> Result<bool> {
    let (path, aside) = (path.as_ref(), aside.as_ref());
    remove_tree(aside)?;
    if !exists(path) {
        return Ok(false);
    }
    let moved = disk::rename(path, aside).and_then(|()| sync_parent(path));
    // A directory of a lower layer can't be renamed.
    match moved {
        Ok(()) => remove_tree(aside),
        Err(_) => remove_tree(path),
    }
}

#[cfg(test)]
mod tests {
    use super::super::files;
    use super::*;

    fn tree_with(root: &Path, content: &str) -> Tree {
        let tree = Tree::new(root).unwrap();
        tree.directory(Path::new("a")).unwrap();
        let mut file = tree.file(Path::new("a/b")).unwrap();
        file.add(content.as_bytes()).unwrap();
        file.dress(Attributes::mode(0o640), Some(std::time::Duration::from_secs(1_000_000_000))).unwrap();
        tree.link(Path::new("b"), Path::new("a/c"), Attributes::mode(0)).unwrap();
        tree.hard_link(Path::new("a/b"), Path::new("a/d")).unwrap();
        tree.dress(Path::new(""), Attributes::mode(0o755)).unwrap();
        tree
    }

    #[test]
    fn a_tree_takes_its_place_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (aside, place) = (dir.path().join(".tree"), dir.path().join("tree"));
        for content in ["one", "two"] {
            tree_with(&aside, content).replace(&place).unwrap();
            assert_eq!(files::read_text(place.join("a/b")).unwrap(), content);
            assert_eq!(files::read_text(place.join("a/c")).unwrap(), content);
            assert_eq!(files::read_text(place.join("a/d")).unwrap(), content);
            assert_eq!(files::list(dir.path()).unwrap(), std::slice::from_ref(&place));
        }
        let stat = files::stat(place.join("a/b")).unwrap().unwrap();
        assert_eq!((stat.mode, stat.modified.as_secs()), (0o640, 1_000_000_000));
    }

    #[test]
    fn a_tree_that_is_given_up_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        drop(tree_with(&dir.path().join(".tree"), "one"));
        assert_eq!(files::list(dir.path()).unwrap(), [] as [PathBuf; 0]);
    }

    #[test]
    fn what_is_of_another_kind_stays() {
        let dir = tempfile::tempdir().unwrap();
        let tree = tree_with(&dir.path().join(".tree"), "one");
        assert!(tree.directory(Path::new("a/b")).is_err());
        assert!(tree.directory(Path::new("a/c")).is_err());
        assert!(tree.file(Path::new("a")).is_err());
        assert!(tree.link(Path::new("x"), Path::new("a"), Attributes::mode(0)).is_err());
        assert!(tree.hard_link(Path::new("a/c"), Path::new("e")).is_err());
        assert!(tree.hard_link(Path::new("nothing"), Path::new("e")).is_err());
    }

    #[test]
    fn a_tree_is_removed_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (aside, place) = (dir.path().join(".tree"), dir.path().join("tree"));
        tree_with(&aside, "one").replace(&place).unwrap();
        assert!(remove_whole(&place, &aside).unwrap());
        assert!(!remove_whole(&place, &aside).unwrap());
        assert_eq!(files::list(dir.path()).unwrap(), [] as [PathBuf; 0]);
    }
}
