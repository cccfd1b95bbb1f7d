//! A file on trial: it has its place already, and a command says whether it may keep that.
//!
//! What was there has another name meanwhile, beside it, and comes back with all that it had. As long as that name is there,
//! nobody has judged the file: a run that is killed in between leaves it to the next one.

use std::path::{Path, PathBuf};

use wb_core::system::System;
use wb_core::system::files::{self, FileError, Kind};

/// What a plan says of a file that a run left on trial which was killed.
pub(super) const LEFT: &str = "not checked yet: a run was killed before that";

/// The trial of the file at a path.
pub(super) struct Trial {
    path: PathBuf,
    /// What was there. A directory says that there was no file.
    before: PathBuf,
}

impl Trial {
    pub(super) fn new(system: &System, path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let before = path.with_file_name(format!(".{name}.before-check"));
        Self { path: system.path(path), before: system.path(before) }
    }

    /// Whether it has begun, perhaps in a run that was killed.
    pub(super) fn is_on(&self) -> Result<bool, FileError> {
        Ok(kind(&self.before)?.is_some())
    }

    /// Keeps what is there, unless a run before did: what that one put in its place is not to come back.
    pub(super) fn begin(&self) -> Result<(), FileError> {
        if self.is_on()? {
            return Ok(());
        }
        match kind(&self.path)? {
            None | Some(Kind::Directory) => files::create_dir(&self.before),
            Some(_) => files::hard_link(&self.path, &self.before),
        }
    }

    /// What is there stays.
    pub(super) fn end(&self) -> Result<(), FileError> {
        match kind(&self.before)? {
            None => Ok(()),
            Some(Kind::Directory) => files::remove_empty_dir(&self.before),
            Some(_) => files::remove(&self.before).map(drop),
        }
    }

    /// What was there comes back.
    pub(super) fn undo(&self) -> Result<(), FileError> {
        match kind(&self.before)? {
            None => return Ok(()),
            Some(Kind::Directory) => self.remove()?,
            Some(_) => files::rename(&self.before, &self.path)?,
        }
        // A name of the same file is left where it is by a renaming.
        self.end()
    }

    fn remove(&self) -> Result<(), FileError> {
        match kind(&self.path)? {
            None | Some(Kind::Directory) => Ok(()),
            Some(_) => files::remove(&self.path).map(drop),
        }
    }
}

fn kind(path: &Path) -> Result<Option<Kind>, FileError> {
    Ok(files::stat(path)?.map(|stat| stat.kind))
}

#[cfg(test)]
mod tests {
    use wb_core::system::Script;

    use super::*;

    struct Place(tempfile::TempDir);

    impl Place {
        fn with(content: Option<&str>) -> Self {
            let place = Self(tempfile::tempdir().unwrap());
            if let Some(content) = content {
                place.write(content);
            }
            place
        }

        fn trial(&self) -> Trial {
            Trial::new(&System::fake(self.0.path(), Script::new()), Path::new("/a"))
        }

        fn write(&self, content: &str) {
            files::write(self.0.path().join("a"), content, 0o644).unwrap();
        }

        /// What is there at last, where nothing else may be.
        fn content(&self) -> Option<String> {
            let names = files::list(self.0.path()).unwrap();
            assert!(names.iter().all(|path| path.ends_with("a")), "{names:?}");
            names.first().map(|path| files::read_text(path).unwrap())
        }
    }

    #[test]
    fn what_was_there_comes_back_and_what_was_not_goes() {
        for before in [Some("old"), None] {
            let place = Place::with(before);
            place.trial().begin().unwrap();
            place.write("new");
            place.trial().undo().unwrap();
            assert_eq!(place.content().as_deref(), before);
        }
    }

    #[test]
    fn what_passes_stays_alone() {
        for before in [Some("old"), None] {
            let place = Place::with(before);
            place.trial().begin().unwrap();
            place.write("new");
            assert!(place.trial().is_on().unwrap());
            place.trial().end().unwrap();
            assert_eq!((place.content().as_deref(), place.trial().is_on().unwrap()), (Some("new"), false));
        }
    }

    #[test]
    fn who_begins_again_keeps_what_the_first_one_kept() {
        let place = Place::with(Some("old"));
        for content in ["bad", "worse"] {
            place.trial().begin().unwrap();
            place.write(content);
        }
        place.trial().undo().unwrap();
        assert_eq!(place.content().as_deref(), Some("old"));
    }

    #[test]
    fn before_anything_was_written_nothing_changes() {
        for before in [Some("old"), None] {
            let place = Place::with(before);
            place.trial().begin().unwrap();
            place.trial().undo().unwrap();
            assert_eq!(place.content().as_deref(), before);
            place.trial().undo().unwrap();
            assert_eq!(place.content().as_deref(), before);
        }
    }
}
