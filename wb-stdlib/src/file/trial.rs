//! A file on trial: it has its place already, and a command says whether it may keep that.
//!
//! What was there has another name meanwhile, beside it, and comes back with all that it had. As long as that name is there,
//! nobody has judged the file: a run that is killed in between leaves it to the next one.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use wb_core::context::Context;
use wb_core::system::System;
use wb_core::system::files::{self, FileError, Kind};

use crate::ensure::Difference;
use crate::foresight;

/// What a plan says of a file that a run left on trial which was killed.
pub(super) const LEFT: &str = "not checked yet: a run was killed before that";

/// What a plan says where nothing is at a path, and nothing is to be.
const KEPT: &str = "what was there before a run that was killed is still kept beside it";

/// How a path at which nothing is differs from what is wanted, where nothing is to be.
pub(crate) fn difference_of_nothing(context: &Context<'_>, path: &Path) -> Result<Difference, FileError> {
    if let Some(why) = foresight::unknown_at(context, path) {
        return Ok(Difference::Unknown(why));
    }
    // An operation before it that removes what is there ends its trial, too.
    let is_kept = foresight::is_as_found(context, path) && Trial::new(context.system(), path).is_on()?;
    Ok(Difference::of_lines(is_kept.then(|| KEPT.to_owned())))
}

/// The trial of the file at a path.
pub(crate) struct Trial {
    path: PathBuf,
    /// What was there. A directory says that there was no file: none at all, or the directory that is in it.
    before: PathBuf,
}

/// The name that an empty directory has meanwhile, in the one that says that there was no file.
const DIRECTORY: &str = "directory";

impl Trial {
    pub(crate) fn new(system: &System, path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let before = path.with_file_name(format!(".{name}.before-check"));
        Self { path: system.path(path), before: system.path(before) }
    }

    /// Whether it has begun, perhaps in a run that was killed.
    pub(super) fn is_on(&self) -> Result<bool, FileError> {
        Ok(kind(&self.before)?.is_some())
    }

    /// Keeps what is there, unless a run before did: what that one put in its place is not to come back. An empty directory has
    /// made room then.
    pub(super) fn begin(&self) -> Result<(), FileError> {
        match (kind(&self.before)?, kind(&self.path)?) {
            (None, Some(Kind::Directory)) => {
                files::create_dir(&self.before)?;
                self.move_away().inspect_err(|_| drop(files::remove_empty_dir(&self.before)))
            }
            (None, None) => files::create_dir(&self.before),
            (None, Some(_)) => files::hard_link(&self.path, &self.before),
            // The run before was killed before that, or somebody has made it since.
            (Some(Kind::Directory), Some(Kind::Directory)) => self.move_away(),
            (Some(_), _) => Ok(()),
        }
    }

    /// What is there stays.
    pub(crate) fn end(&self) -> Result<(), FileError> {
        match kind(&self.before)? {
            None => Ok(()),
            Some(Kind::Directory) => {
                if kind(&self.directory())?.is_some() {
                    files::remove_empty_dir(self.directory())?;
                }
                files::remove_empty_dir(&self.before)
            }
            Some(_) => files::remove(&self.before).map(drop),
        }
    }

    /// What was there comes back.
    pub(super) fn undo(&self) -> Result<(), FileError> {
        match kind(&self.before)? {
            None => return Ok(()),
            Some(Kind::Directory) => self.remove().and_then(|()| self.move_back())?,
            Some(_) => files::rename(&self.before, &self.path)?,
        }
        // A name of the same file is left where it is by a renaming.
        self.end()
    }

    fn directory(&self) -> PathBuf {
        self.before.join(DIRECTORY)
    }

    fn move_away(&self) -> Result<(), FileError> {
        files::rename(&self.path, self.directory())
    }

    fn move_back(&self) -> Result<(), FileError> {
        if kind(&self.directory())?.is_some() { files::rename(self.directory(), &self.path) } else { Ok(()) }
    }

    fn remove(&self) -> Result<(), FileError> {
        match kind(&self.path)? {
            None | Some(Kind::Directory) => Ok(()),
            Some(_) => files::remove(&self.path).map(drop),
        }
    }
}

fn kind(path: &Path) -> Result<Option<Kind>, FileError> {
    match files::stat(path) {
        // Nothing has a name that is too long for one.
        Err(error) if error.source.kind() == ErrorKind::InvalidFilename => Ok(None),
        found => Ok(found?.map(|stat| stat.kind)),
    }
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

    /// A place with an empty directory of this mode.
    fn with_directory(mode: u32) -> Place {
        let place = Place::with(None);
        files::create_dir(place.0.path().join("a")).unwrap();
        files::set_mode(place.0.path().join("a"), mode).unwrap();
        place
    }

    /// The mode of the directory that is there at last, where nothing else may be.
    fn mode_of_directory(place: &Place) -> u32 {
        assert_eq!(files::list(place.0.path()).unwrap(), [place.0.path().join("a")]);
        let stat = files::stat(place.0.path().join("a")).unwrap().unwrap();
        assert_eq!(stat.kind, Kind::Directory);
        stat.mode
    }

    #[test]
    fn an_empty_directory_makes_room_and_comes_back_as_it_was() {
        let place = with_directory(0o2750);
        place.trial().begin().unwrap();
        place.write("new");
        place.trial().undo().unwrap();
        assert_eq!(mode_of_directory(&place), 0o2750);
        place.trial().begin().unwrap();
        place.trial().undo().unwrap();
        assert_eq!(mode_of_directory(&place), 0o2750, "before anything was written");
        place.trial().begin().unwrap();
        place.write("new");
        place.trial().end().unwrap();
        assert_eq!(place.content().as_deref(), Some("new"));
    }

    #[test]
    fn an_empty_directory_comes_back_wherever_a_run_was_killed() {
        let before = |place: &Place| place.0.path().join(".a.before-check");
        let beginning = with_directory(0o750);
        files::create_dir(before(&beginning)).unwrap();
        let written = with_directory(0o750);
        written.trial().begin().unwrap();
        written.write("bad");
        let undoing = with_directory(0o750);
        undoing.trial().begin().unwrap();
        undoing.trial().move_back().unwrap();
        for place in [beginning, written, undoing] {
            place.trial().begin().unwrap();
            place.write("worse");
            place.trial().undo().unwrap();
            assert_eq!(mode_of_directory(&place), 0o750);
        }
    }

    #[test]
    fn nothing_is_kept_under_a_name_that_is_too_long() {
        let place = Place::with(None);
        let path = Path::new("/").join("a".repeat(250));
        let trial = Trial::new(&System::fake(place.0.path(), Script::new()), &path);
        assert!(!trial.is_on().unwrap());
        trial.end().unwrap();
        trial.begin().unwrap_err();
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
