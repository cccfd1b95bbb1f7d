//! A runner that was fetched, as a file that can be run for as long as a deploy lasts.
//!
//! Two deploys at once each have a file of their own: either may end first. What one leaves that is killed goes with a
//! later one.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;
use wb_core::system::clock::{Clock as _, Real};
use wb_core::system::files::{self, FileError};

/// What the names of these files begin with.
const START: &str = "runner-";

/// No deploy takes that long: a file that is older is nobody's any more. The number of a process would not say so where
/// several containers share a repository.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);

/// The file. It goes when this is dropped.
#[derive(Debug)]
pub(super) struct Fetched(PathBuf);

impl Fetched {
    /// Puts a runner into a directory, and removes what is left there of older deploys.
    pub(super) fn put(runner: &[u8], dir: &Path) -> Result<Self, FileError> {
        left(dir, Real.now()).iter().for_each(|path| drop(files::remove(path)));
        let fetched = Self(dir.join(format!("{START}{}", Uuid::new_v4())));
        files::prepare(&fetched.0, runner, 0o755)?;
        Ok(fetched)
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        drop(files::remove(&self.0));
    }
}

/// The files of deploys that can't be under way any more, at this time.
fn left(dir: &Path, now: Duration) -> Vec<PathBuf> {
    let is_one = |path: &Path| path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with(START));
    let is_old = |path: &Path| {
        let stat = files::stat(path).ok().flatten();
        stat.is_some_and(|stat| now.saturating_sub(stat.modified) > OLD)
    };
    let all = files::list(dir).unwrap_or_default();
    all.into_iter().filter(|path| is_one(path) && is_old(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        files::stat(path).unwrap().unwrap().mode
    }

    #[test]
    fn each_deploy_has_a_file_of_its_own_that_can_be_run() {
        let dir = tempfile::tempdir().unwrap();
        let [one, other] = [b"one", b"two"].map(|runner| Fetched::put(runner, dir.path()).unwrap());
        let place = one.path().to_owned();
        assert_eq!((files::read(&place).unwrap(), mode(&place)), (b"one".to_vec(), 0o755));
        drop(one);
        assert!(!files::exists(&place));
        assert_eq!(files::list(dir.path()).unwrap(), [other.path()]);
        assert_eq!(files::read(other.path()).unwrap(), b"two");
    }

    #[test]
    fn what_a_killed_deploy_left_goes_a_day_later() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name);
        for name in ["runner-1", "herd.git", "runner"] {
            files::write(place(name), "", 0o644).unwrap();
        }
        let written = files::stat(place("runner-1")).unwrap().unwrap().modified;
        let check = |hours: u64, expect: &[PathBuf]| {
            assert_eq!(left(dir.path(), written + Duration::from_secs(hours * 60 * 60)), expect, "{hours}");
        };
        check(0, &[]);
        check(24, &[]);
        check(25, &[place("runner-1")]);
        assert!(left(&place("nowhere"), written).is_empty());
    }
}
