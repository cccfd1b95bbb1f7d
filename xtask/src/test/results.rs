//! Where a test writes what came of it: JUnit's XML, JSON and the logs of the hosts, in cargo's target directory.

use std::path::{Path, PathBuf};

use wb_core::system::files;

use super::diary::Diary;
use super::outcome::Outcome;
use super::{Options, TestError, junit};

/// The place, for as long as a test has it for itself.
pub(super) struct Results {
    dir: PathBuf,
    _lock: files::Lock,
}

const JUNIT: &str = "junit.xml";
const JSON: &str = "results.json";

impl Results {
    /// That of a test that begins. What an earlier one found is not said of this one.
    ///
    /// # Errors
    /// When another test writes there, or nobody can.
    pub(super) fn begin(dir: PathBuf) -> Result<Self, TestError> {
        files::create_dir(&dir)?;
        let Some(lock) = files::try_lock(dir.join("lock"))? else { return Err(TestError::Busy { dir }) };
        for name in [JUNIT, JSON] {
            files::remove(dir.join(name))?;
        }
        Ok(Self { dir, _lock: lock })
    }

    /// The logs, of which there are none yet.
    ///
    /// # Errors
    /// When their directory can't be made.
    pub(super) fn diary(&self) -> Result<Diary, TestError> {
        Ok(Diary::begin(&self.dir.join("logs"))?)
    }

    /// Keeps the runner that is tested, and gives its path.
    ///
    /// # Errors
    /// When it can't be written.
    pub(super) fn keep_runner(&self, runner: &[u8]) -> Result<PathBuf, TestError> {
        let path = self.dir.join("runner");
        files::write(&path, runner, 0o755)?;
        Ok(path)
    }

    /// Writes all of it, here and where it is wanted besides.
    ///
    /// # Errors
    /// When it can't be written.
    pub(super) fn write(&self, outcome: &Outcome, options: &Options) -> Result<(), TestError> {
        let xml = junit::junit(outcome);
        for path in self.places(JUNIT, options.junit.as_deref()) {
            files::write(path, &xml, 0o644)?;
        }
        for path in self.places(JSON, options.json.as_deref()) {
            let json = serde_json::to_vec_pretty(outcome)
                .map_err(|source| TestError::Result { path: path.clone(), source })?;
            files::write(path, json, 0o644)?;
        }
        Ok(())
    }

    fn places(&self, name: &str, wanted: Option<&Path>) -> impl Iterator<Item = PathBuf> {
        [Some(self.dir.join(name)), wanted.map(Path::to_path_buf)].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::tests::outcome;
    use super::super::tests::options;
    use super::*;

    #[test]
    fn results_are_written_where_they_are_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let (json, place) = (dir.path().join("here.json"), dir.path().join("test"));
        let results = Results::begin(place.clone()).unwrap();
        results.write(&outcome(), &Options { json: Some(json.clone()), ..options(&[]) }).unwrap();
        assert_eq!(files::read(place.join(JSON)).unwrap(), files::read(json).unwrap());
        assert!(files::read_text(place.join(JUNIT)).unwrap().contains("<testsuites"));
    }

    #[test]
    fn a_runner_is_kept_that_can_be_started() {
        let dir = tempfile::tempdir().unwrap();
        let results = Results::begin(dir.path().to_owned()).unwrap();
        let path = results.keep_runner(b"#!/bin/sh\n").unwrap();
        assert_eq!(files::read(&path).unwrap(), b"#!/bin/sh\n");
        assert_eq!(files::stat(path).unwrap().unwrap().mode & 0o777, 0o755);
    }

    #[test]
    fn what_an_earlier_test_found_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        Results::begin(dir.path().to_owned()).unwrap().write(&outcome(), &options(&[])).unwrap();
        let results = Results::begin(dir.path().to_owned()).unwrap();
        assert!(![JUNIT, JSON].iter().any(|name| files::exists(results.dir.join(name))));
    }

    #[test]
    fn one_test_at_a_time_writes_there() {
        let dir = tempfile::tempdir().unwrap();
        let first = Results::begin(dir.path().to_owned()).unwrap();
        assert!(matches!(Results::begin(dir.path().to_owned()), Err(TestError::Busy { .. })));
        drop(first);
        Results::begin(dir.path().to_owned()).unwrap();
    }
}
