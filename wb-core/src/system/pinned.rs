//! Directories of people whom nobody has to trust.
//!
//! Who may write a directory may put a symbolic link where a file of theirs was a moment ago, and so lead whoever writes
//! there as root to another place. A pinned directory is held open: names in it are looked up in it, whatever its path
//! means by then, and no link is followed from it.
#![expect(clippy::disallowed_methods, reason = "this is the seam that the rest must use")]

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::files::{self, Attributes, FileError, Stat, failed};
use super::{System, disk};

type Result<T, E = FileError> = std::result::Result<T, E>;

/// A directory that is held open.
///
/// ```
/// # use wb_core::system::{Pinned, files};
/// # let root = std::env::temp_dir().join("wb-pinned-example");
/// # files::create_dir(&root).unwrap();
/// let home = Pinned::open(&root)?.expect("a home");
/// home.write("note", "hello", files::Attributes::mode(0o600))?;
/// assert_eq!(home.read("note", 1024)?.map(|(text, _)| text), Some(b"hello".to_vec()));
/// # Ok::<(), files::FileError>(())
/// ```
#[derive(Debug)]
pub struct Pinned {
    directory: File,
    /// Where it was when it was opened: for messages.
    path: PathBuf,
}

impl Pinned {
    /// The directory at `path`, or nothing where there is none. Links on the way are followed: who may write there has to
    /// be trusted.
    ///
    /// # Errors
    /// When something else is there, or it can't be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Option<Self>> {
        let path = path.as_ref();
        Self::of(path, File::open(path))
    }

    /// The directory `name` in this one, or nothing where there is none. A link is refused.
    ///
    /// # Errors
    /// When something else is there, or it can't be opened.
    pub fn directory(&self, name: &str) -> Result<Option<Self>> {
        Self::of(&self.path.join(name), disk::open_itself(&self.inside(name)))
    }

    fn of(path: &Path, opened: io::Result<File>) -> Result<Option<Self>> {
        let is_directory = |directory: &File| directory.metadata().is_ok_and(|metadata| metadata.is_dir());
        match opened {
            Ok(directory) if is_directory(&directory) => Ok(Some(Self { directory, path: path.to_owned() })),
            Ok(_) => Err(failed("open", path)(io::ErrorKind::NotADirectory.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("open", path)(error)),
        }
    }

    /// What is known of it.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn stat(&self) -> Result<Stat> {
        self.directory.metadata().map(|metadata| Stat::of(&metadata)).map_err(failed("look at", &self.path))
    }

    /// Makes a directory in it that only its owner can enter.
    ///
    /// # Errors
    /// When there is something of that name, or it can't be made.
    pub fn create(&self, name: &str) -> Result<()> {
        disk::make_dir(&self.inside(name), 0o700).map_err(failed("make the directory", &self.path.join(name)))
    }

    /// Sets mode, owner and group of the directory itself.
    ///
    /// # Errors
    /// When they can't be set.
    pub fn set(&self, attributes: Attributes) -> Result<()> {
        let Attributes { mode, uid, gid } = attributes;
        disk::set_owner_of(&self.directory, &self.path, uid, gid)
            .and_then(|()| disk::set_mode(&self.directory, &self.path, mode))
            .and_then(|()| disk::sync(&self.directory))
            .map_err(failed("set the owner and mode of", &self.path))
    }

    /// The content of the file `name` and what is known of it, or nothing where there is none. What may be a file of
    /// somebody else is refused: a link, and a file that has other names, too. So is what is no file, and what is
    /// longer than `at_most` bytes.
    ///
    /// # Errors
    /// When it is refused, or can't be read.
    pub fn read(&self, name: &str, at_most: u64) -> Result<Option<(Vec<u8>, Stat)>> {
        match disk::open_itself(&self.inside(name)).and_then(|file| content(&file, at_most)) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &self.path.join(name))(error)),
        }
    }

    /// Writes the file `name`, with mode, owner and group set before it takes the old one's place. What a write that was
    /// cut short has left is taken away by the next one.
    ///
    /// # Errors
    /// When any part fails; the old content is then still there.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>, attributes: Attributes) -> Result<()> {
        let temporary = self.inside(&format!(".{name}.new"));
        let written = files::prepare_with(&temporary, content, attributes);
        let written = written.and_then(|()| files::rename(&temporary, self.inside(name)));
        written.map_err(|error| failed("write", &self.path.join(name))(error.source))
    }

    /// The kernel leads this path to the directory that is open, and asks nobody else.
    fn inside(&self, name: &str) -> PathBuf {
        Path::new("/proc/self/fd").join(self.directory.as_raw_fd().to_string()).join(name)
    }
}

fn content(file: &File, at_most: u64) -> io::Result<(Vec<u8>, Stat)> {
    let metadata: fs::Metadata = file.metadata()?;
    let refused = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why.to_owned()));
    if !metadata.is_file() {
        return refused("it is no file");
    }
    if metadata.nlink() != 1 {
        return refused("it has other names, too, and may be somebody else's");
    }
    if metadata.size() > at_most {
        return refused("it is too large");
    }
    let mut bytes = Vec::new();
    file.take(at_most).read_to_end(&mut bytes)?;
    Ok((bytes, Stat::of(&metadata)))
}

impl System {
    /// [`Pinned::open`], on this machine.
    ///
    /// # Errors
    /// When something else is there, or it can't be opened.
    pub fn pinned(&self, path: impl AsRef<Path>) -> Result<Option<Pinned>> {
        Pinned::open(self.path(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODE: Attributes = Attributes::mode(0o600);

    struct Home {
        dir: tempfile::TempDir,
        pinned: Pinned,
    }

    impl Home {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            files::create_dir(dir.path().join("home")).unwrap();
            files::write(dir.path().join("secret"), "secret", 0o600).unwrap();
            let pinned = Pinned::open(dir.path().join("home")).unwrap().unwrap();
            Self { dir, pinned }
        }

        fn path(&self, path: &str) -> PathBuf {
            self.dir.path().join(path)
        }
    }

    #[test]
    fn files_are_written_and_read_in_it() {
        let home = Home::new();
        assert!(home.pinned.read("a", 9).unwrap().is_none());
        files::write(home.path("home/.a.new"), "cut short", 0o600).unwrap();
        home.pinned.write("a", "one", Attributes::mode(0o640)).unwrap();
        let (content, stat) = home.pinned.read("a", 9).unwrap().unwrap();
        assert_eq!((content.as_slice(), stat.mode), (&b"one"[..], 0o640));
        assert_eq!(files::read_text(home.path("home/a")).unwrap(), "one");
        assert_eq!(files::list(home.path("home")).unwrap(), [home.path("home/a")]);
    }

    #[test]
    fn directories_are_made_and_opened_in_it() {
        let home = Home::new();
        assert!(home.pinned.directory(".ssh").unwrap().is_none());
        home.pinned.create(".ssh").unwrap();
        let inner = home.pinned.directory(".ssh").unwrap().unwrap();
        assert_eq!(inner.stat().unwrap().mode, 0o700);
        inner.set(Attributes::mode(0o750)).unwrap();
        assert_eq!(files::stat(home.path("home/.ssh")).unwrap().unwrap().mode, 0o750);
        assert!(home.pinned.create(".ssh").is_err());
    }

    #[test]
    fn links_lead_nowhere() {
        let home = Home::new();
        files::link("../secret", home.path("home/link")).unwrap();
        files::link("..", home.path("home/up")).unwrap();
        assert!(home.pinned.read("link", 99).is_err());
        assert!(home.pinned.directory("up").is_err());
        home.pinned.write("link", "mine", MODE).unwrap();
        assert_eq!(files::read_text(home.path("secret")).unwrap(), "secret");
        assert_eq!(files::read_text(home.path("home/link")).unwrap(), "mine");
    }

    #[test]
    fn what_may_be_somebody_elses_is_refused() {
        let home = Home::new();
        files::hard_link(home.path("secret"), home.path("home/hard")).unwrap();
        let error = home.pinned.read("hard", 99).unwrap_err();
        assert_eq!(error.to_string(), format!("could not read {}", home.path("home/hard").display()));
        assert_eq!(error.source.to_string(), "it has other names, too, and may be somebody else's");
        home.pinned.create("dir").unwrap();
        assert_eq!(home.pinned.read("dir", 99).unwrap_err().source.to_string(), "it is no file");
        home.pinned.write("large", "0123456789", MODE).unwrap();
        assert_eq!(home.pinned.read("large", 9).unwrap_err().source.to_string(), "it is too large");
    }

    #[test]
    fn a_directory_that_is_moved_away_is_still_the_same() {
        let home = Home::new();
        files::rename(home.path("home"), home.path("moved")).unwrap();
        files::create_dir(home.path("home")).unwrap();
        home.pinned.write("a", "one", MODE).unwrap();
        assert_eq!(files::read_text(home.path("moved/a")).unwrap(), "one");
        assert_eq!(files::list(home.path("home")).unwrap(), [""; 0].map(PathBuf::from));
    }

    #[test]
    fn what_is_no_directory_is_no_directory() {
        let home = Home::new();
        assert!(Pinned::open(home.path("none")).unwrap().is_none());
        assert!(Pinned::open(home.path("secret")).is_err());
        home.pinned.write("a", "one", MODE).unwrap();
        assert!(home.pinned.directory("a").is_err());
    }
}
