//! A repository on trial: apt reads its lists, and its file beside all others, before it takes its place.

use std::path::PathBuf;

use wb_core::system::files::{self, Attributes, FileError};
use wb_core::system::{CommandError, System};

use super::key::Key;
use super::source::Source;
use super::{AptRepositoryError, SOURCES};
use crate::packages::Apt;

/// A directory that apt does not look into by itself: with the repository and its key, and below it all sources as they
/// would be.
pub(super) struct Trial<'a> {
    system: &'a System,
    name: &'a str,
    directory: String,
}

impl<'a> Trial<'a> {
    pub(super) fn new(system: &'a System, name: &'a str) -> Self {
        Self { system, name, directory: format!("/etc/apt/.{name}.trial") }
    }

    /// Asks apt whether it takes the repository, and leaves nothing behind but the lists.
    pub(super) fn hold(&self, source: &Source, key: &Key) -> Result<(), AptRepositoryError> {
        self.remove()?;
        let laid_out = self.lay_out(source, key);
        let taken = laid_out.map(|()| self.ask());
        self.remove()?;
        taken?.map_err(|source| AptRepositoryError::Refused { name: self.name.to_owned(), source })
    }

    fn lay_out(&self, source: &Source, key: &Key) -> Result<(), FileError> {
        let parts = self.parts();
        for directory in [&self.directory, &parts] {
            files::create_dir(self.system.path(directory))?;
            files::set_mode(self.system.path(directory), 0o755)?; // apt reads it as a user of its own
        }
        if let Some(file) = key.file(&self.directory, self.name) {
            file.write(self.system)?;
        }
        self.write(&self.source(), &source.stanza(&key.lines(&self.directory, self.name)))?;
        self.write(&format!("{parts}/{}.sources", self.name), &source.stanza(&key.lines(super::KEYRINGS, self.name)))?;
        for path in self.others()? {
            let name = path.file_name().unwrap_or_default();
            let target = PathBuf::from(SOURCES).join(name);
            files::link(target, self.system.path(PathBuf::from(&parts).join(name)))?;
        }
        Ok(())
    }

    fn ask(&self) -> Result<(), CommandError> {
        Apt::update_only(self.system, self.source().as_ref())?;
        Apt::understands(self.system, self.parts().as_ref())
    }

    /// The files of all other repositories.
    fn others(&self) -> Result<Vec<PathBuf>, FileError> {
        let own = format!("{}.sources", self.name);
        let mut others = files::list(self.system.path(SOURCES))?;
        others.retain(|path| path.file_name().is_some_and(|name| name != own.as_str()));
        Ok(others)
    }

    fn source(&self) -> String {
        format!("{}/{}.sources", self.directory, self.name)
    }

    fn parts(&self) -> String {
        format!("{}/parts", self.directory)
    }

    fn write(&self, path: &str, text: &str) -> Result<(), FileError> {
        self.system.write_file(path, text, Attributes::mode(0o644))
    }

    fn remove(&self) -> Result<(), FileError> {
        files::remove_tree(self.system.path(&self.directory)).map(drop)
    }
}
