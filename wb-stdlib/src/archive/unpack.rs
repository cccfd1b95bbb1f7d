//! Looking through an archive, and unpacking it beside the place of its directory.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::system::files::{self, Attributes};
use wb_core::system::growing::PIECE;
use wb_core::system::{Growing, Tree};

use super::entry::{Content, Entry};
use super::marker::{self, Marker};
use super::walk::Walk;
use super::{ArchiveError, NEW_MODE, Unpacked};
use crate::file::{FileError, take_over};
use crate::look::Access as _;

/// How much is in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Survey {
    files: u64,
    bytes: u64,
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.files == 1 { "file" } else { "files" };
        write!(f, "{} {word}, {} bytes", self.files, self.bytes)
    }
}

impl Unpacked<'_> {
    /// Reads all of it, so that nothing is written of an archive that is broken, that has what is refused, or that there is no
    /// room for.
    pub(super) fn survey(&self) -> Result<Survey, ArchiveError> {
        let mut survey = Survey::default();
        Walk::new(self, self.free()?).go(&mut |entry, content| {
            if entry.content != Content::Directory {
                survey.files += 1;
            }
            if entry.content == Content::File {
                self.each_piece(content, |piece| {
                    survey.bytes += piece.len() as u64;
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        match survey.files {
            0 => Err(ArchiveError::Empty { archive: self.archive.source.to_string(), strip: self.archive.strip }),
            _ => Ok(survey),
        }
    }

    pub(super) fn unpack(&self, marker: &Marker) -> Result<(), ArchiveError> {
        let free = self.free()?;
        let owner = Attributes { mode: NEW_MODE, uid: marker.uid, gid: marker.gid };
        let system = self.system();
        let mut place = Place { tree: Tree::new(system.path(self.aside()))?, owner, made: BTreeSet::new() };
        let top = self.top(owner)?;
        Walk::new(self, free).go(&mut |entry, content| {
            place.directory(entry.path.parent().unwrap_or(Path::new("")))?;
            match place.put(entry)? {
                Some(mut file) => {
                    self.each_piece(content, |piece| file.add(piece))?;
                    Ok(file.dress(place.attributes(entry.mode), entry.modified)?)
                }
                None => Ok(()),
            }
        })?;
        let mut file = place.tree.file(Path::new(marker::NAME))?;
        file.add(marker.to_string().as_bytes())?;
        file.dress(place.attributes(0o444), None)?;
        place.tree.dress(Path::new(""), top)?;
        Ok(place.tree.replace(system.path(&self.dir))?)
    }

    /// The attributes of the directory itself: what nobody said stays as it is on the one that is replaced, which also gives its
    /// access control lists.
    fn top(&self, wanted: Attributes) -> Result<Attributes, FileError> {
        let Some(found) = self.system().stat(&self.dir)? else { return Ok(wanted) };
        take_over(self.system(), &self.dir, &self.aside())?;
        Ok(Attributes { mode: found.mode, uid: wanted.uid.or(Some(found.uid)), gid: wanted.gid.or(Some(found.gid)) })
    }

    /// How many bytes there is room for. In a plan, directories above it may be missing still.
    fn free(&self) -> Result<u64, FileError> {
        let system = self.system();
        let above = self.dir.ancestors().skip(1).find(|above| files::exists(system.path(above)));
        Ok(files::free_space(system.path(above.unwrap_or(Path::new("/"))))?)
    }

    /// Hands over the content of an entry. Between two pieces this process may end, or the time of the migration be over.
    fn each_piece(
        &self,
        content: &mut dyn Read,
        mut each: impl FnMut(&[u8]) -> Result<(), files::FileError>,
    ) -> Result<(), ArchiveError> {
        let mut piece = vec![0; PIECE];
        loop {
            self.archive.host.context().pause(Duration::ZERO);
            match content.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(length) => each(&piece[..length])?,
                Err(source) => return Err(ArchiveError::Broken { archive: self.archive.source.to_string(), source }),
            }
        }
    }
}

/// Where it is unpacked.
struct Place {
    tree: Tree,
    owner: Attributes,
    made: BTreeSet<PathBuf>,
}

impl Place {
    fn attributes(&self, mode: u32) -> Attributes {
        Attributes { mode, ..self.owner }
    }

    /// Makes an entry; gives it where it is a file that is to be filled.
    fn put(&mut self, entry: &Entry) -> Result<Option<Growing>, files::FileError> {
        match &entry.content {
            Content::File => return self.tree.file(&entry.path).map(Some),
            Content::Directory => {
                self.directory(&entry.path)?;
                self.tree.dress(&entry.path, self.attributes(entry.mode))?;
            }
            Content::Link(target) => self.tree.link(target, &entry.path, self.owner)?,
            Content::Name(of) => self.tree.hard_link(of, &entry.path)?,
        }
        Ok(None)
    }

    /// Makes a directory and those above it, which an archive need not name.
    fn directory(&mut self, path: &Path) -> Result<(), files::FileError> {
        if path == Path::new("") || self.made.contains(path) {
            return Ok(());
        }
        self.directory(path.parent().unwrap_or(Path::new("")))?;
        self.tree.directory(path)?;
        self.tree.dress(path, self.owner)?;
        self.made.insert(path.to_owned());
        Ok(())
    }
}
