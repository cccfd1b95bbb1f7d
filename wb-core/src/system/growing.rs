//! Files that are written piece by piece, since they may be larger than memory, and that nobody reads before they are
//! whole.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::disk;
use super::files::{self, Attributes, Result, Stat, failed, sync_parent};

/// How much is read at once, in bytes.
pub const PIECE: usize = 64 << 10;

/// A file that grows. Only its owner can read it, until [`Growing::settle`] or [`Growing::dress`].
///
/// ```
/// use wb_core::system::Growing;
/// use wb_core::system::files::{self, Attributes};
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("part");
/// let mut part = Growing::anew(&path)?;
/// part.add(b"one, ")?;
/// drop(part);
/// let mut part = Growing::again(&path)?;
/// assert_eq!(part.length(), 5);
/// part.add(b"two")?;
/// part.settle(Attributes::mode(0o644))?;
/// assert_eq!(files::read(&path)?, b"one, two");
/// # Ok::<(), files::FileError>(())
/// ```
#[derive(Debug)]
pub struct Growing {
    file: File,
    path: PathBuf,
    length: u64,
}

impl Growing {
    /// A new file, in place of what may be at `path`.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn anew(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = disk::make(path).map_err(failed("make", path))?;
        Ok(Self { file, path: path.to_owned(), length: 0 })
    }

    /// The file at `path`, to go on where an earlier process was cut short; a new one where there is none, or something
    /// that no process of this user left so.
    ///
    /// # Errors
    /// When it can't be opened or made.
    pub fn again(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let found = disk::open_to_go_on(path).and_then(|file| match file {
            Some(file) => file.metadata().map(|found| Some((file, found.len()))),
            None => Ok(None),
        });
        match found.map_err(failed("open", path))? {
            Some((file, length)) => Ok(Self { file, path: path.to_owned(), length }),
            None => Self::anew(path),
        }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds to its end.
    ///
    /// # Errors
    /// When not all of it can be written: the disk is full, for one.
    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        disk::pour(&mut self.file, bytes).map_err(failed("write", &self.path))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Hands over what it has so far, in pieces.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read_each(&mut self, mut each: impl FnMut(&[u8])) -> Result<()> {
        self.file.rewind().map_err(failed("read", &self.path))?;
        pieces(&mut self.file, &self.path, |piece| {
            each(piece);
            true
        })
    }

    /// Gives it these attributes, and when it was last changed, where that is given. When it reaches the disk is left to
    /// whoever has it in a [`Tree`](super::Tree).
    ///
    /// # Errors
    /// When they can't be set.
    pub fn dress(&self, attributes: Attributes, modified: Option<Duration>) -> Result<()> {
        disk::dress(&self.file, &self.path, attributes, modified).map_err(failed("set the mode of", &self.path))
    }

    /// Gives it these attributes, and brings it to the disk.
    ///
    /// # Errors
    /// When any part fails.
    pub fn settle(self, attributes: Attributes) -> Result<()> {
        self.dress(attributes, None)?;
        let synced = disk::sync(&self.file).and_then(|()| sync_parent(&self.path));
        synced.map_err(failed("bring to the disk", &self.path))
    }
}

/// Hands over the content of a file in pieces, or says that there is none: for files that may be larger than memory.
///
/// # Errors
/// When it is there and can't be read, or is a pipe or a device.
pub fn read_each(path: impl AsRef<Path>, mut each: impl FnMut(&[u8])) -> Result<bool> {
    let read = read_while(path, |piece| {
        each(piece);
        true
    })?;
    Ok(read.is_some())
}

/// [`read_each`], for as long as `each` wants more; says what the file is.
///
/// # Errors
/// As [`read_each`].
pub fn read_while(path: impl AsRef<Path>, each: impl FnMut(&[u8]) -> bool) -> Result<Option<Stat>> {
    let path = path.as_ref();
    let Some((mut file, found)) = files::open_file(path)? else { return Ok(None) };
    pieces(&mut file, path, each).map(|()| Some(found))
}

fn pieces(file: &mut File, path: &Path, mut each: impl FnMut(&[u8]) -> bool) -> Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(length) if length == 0 || !each(&piece[..length]) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed("read", path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_back_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("part");
        Growing::anew(&path).unwrap().add(b"one").unwrap();
        let mut part = Growing::again(&path).unwrap();
        let mut read = Vec::new();
        part.read_each(|piece| read.extend_from_slice(piece)).unwrap();
        part.add(b"two").unwrap();
        assert_eq!((read, part.length()), (b"one".to_vec(), 6));
        assert_eq!(files::stat(&path).unwrap().unwrap().mode, 0o600);
        part.settle(Attributes::mode(0o640)).unwrap();
        assert_eq!(
            (files::read(&path).unwrap(), files::stat(&path).unwrap().unwrap().mode),
            (b"onetwo".to_vec(), 0o640)
        );
    }

    #[test]
    fn a_time_that_there_is_not_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("part");
        let part = Growing::anew(&path).unwrap();
        let before = files::stat(&path).unwrap().unwrap().modified;
        part.dress(Attributes::mode(0o640), Some(Duration::MAX)).unwrap();
        let stat = files::stat(&path).unwrap().unwrap();
        assert_eq!((stat.modified, stat.mode), (before, 0o640));
    }

    #[test]
    fn what_leads_elsewhere_is_no_part() {
        let dir = tempfile::tempdir().unwrap();
        let (kept, path) = (dir.path().join("kept"), dir.path().join("part"));
        files::write(&kept, "kept", 0o600).unwrap();
        files::link(&kept, &path).unwrap();
        Growing::again(&path).unwrap().add(b"new").unwrap();
        assert_eq!((files::read(&kept).unwrap(), files::read(&path).unwrap()), (b"kept".to_vec(), b"new".to_vec()));
        files::remove(&path).unwrap();
        files::hard_link(&kept, &path).unwrap();
        Growing::again(&path).unwrap().add(b"new").unwrap();
        assert_eq!((files::read(&kept).unwrap(), files::read(&path).unwrap()), (b"kept".to_vec(), b"new".to_vec()));
    }

    #[test]
    fn a_file_is_read_for_as_long_as_somebody_wants() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large");
        files::write(&path, vec![b'x'; 3 * PIECE], 0o640).unwrap();
        let mut pieces = 0;
        let found = read_while(&path, |piece| {
            pieces += 1;
            assert_eq!(piece.len(), PIECE);
            pieces < 2
        });
        let found = found.unwrap().unwrap();
        assert_eq!((pieces, found.mode, found.size), (2, 0o640, 3 * PIECE as u64));
    }

    #[test]
    fn what_is_not_there_has_no_pieces() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!read_each(dir.path().join("nothing"), |_| panic!("a piece of nothing")).unwrap());
    }
}
