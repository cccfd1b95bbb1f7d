//! What a process that was killed amid a write has left: the temporary file beside its target, `.NAME.PID.new`.
#![expect(clippy::disallowed_methods, reason = "this is the seam that the rest must use")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::disk;

/// So many names of a directory are looked at: nobody is to wait for a directory of millions.
const MOST: usize = 4096;

/// The temporary file of `name` that a process writes.
pub(super) fn name(name: &str, pid: u32) -> String {
    format!(".{name}.{pid}.new")
}

/// Removes what dead processes left of their writes to `path`. Where that fails, all is as it was.
pub(super) fn sweep(path: &Path) {
    let Some(name) = path.file_name().and_then(OsStr::to_str) else { return };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.take(MOST).flatten() {
        let of = entry.file_name().to_str().and_then(|file| writer(file, name));
        if of.is_some_and(|pid| is_left(&entry.path(), pid)) {
            drop(disk::remove_file(&entry.path()));
        }
    }
}

/// The process that a temporary file of `name` belongs to.
fn writer(file: &str, name: &str) -> Option<u32> {
    let pid = file.strip_prefix('.')?.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(".new")?;
    if pid.bytes().all(|byte| byte.is_ascii_digit()) { pid.parse().ok() } else { None }
}

/// Whether its writer is no more. Who writes holds its lock, also one of another container, whose number means nothing here.
fn is_left(path: &Path, pid: u32) -> bool {
    let Ok(file) = disk::open_itself(path) else { return false };
    let Ok(found) = file.metadata() else { return false };
    let is_of_another_boot = || boot().is_some_and(|boot| found.mtime() < boot);
    pid != std::process::id() && found.is_file() && (!is_alive(pid) || is_of_another_boot()) && is_free(&file)
}

fn is_free(file: &File) -> bool {
    file.try_lock().is_ok()
}

fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// When this machine was started, in seconds since 1970, UTC.
fn boot() -> Option<i64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::system::files;

    /// Greater than any number of a process.
    const NOBODY: u32 = 4_194_305;

    struct Dir(tempfile::TempDir);

    impl Dir {
        fn with(files: &[&str]) -> Self {
            let dir = Self(tempfile::tempdir().unwrap());
            files.iter().for_each(|name| fs::write(dir.0.path().join(name), "half").unwrap());
            dir
        }

        fn write(&self, name: &str) -> Vec<String> {
            files::write(self.0.path().join(name), "whole", 0o644).unwrap();
            let paths = files::list(self.0.path()).unwrap();
            paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        }
    }

    #[test]
    fn temporary_files_name_their_writer() {
        let check = |file: &str, expect: Option<u32>| assert_eq!(writer(file, "a.conf"), expect, "{file}");
        check(".a.conf.12.new", Some(12));
        check(&name("a.conf", 7), Some(7));
        check(".a.conf.12.0.new", None);
        check(".a.conf.new", None);
        check(".a.conf..new", None);
        check(".a.conf.+1.new", None);
        check(".a.conf.99999999999.new", None);
        check(".b.conf.12.new", None);
        check("a.conf.12.new", None);
        check(".a.conf.12.new~", None);
    }

    #[test]
    fn what_a_dead_process_left_goes_with_the_next_write() {
        let (dead, other) = (name("a", NOBODY), name("b", NOBODY));
        let dir = Dir::with(&[&dead, &other, ".a.candidate"]);
        assert_eq!(dir.write("a"), [".a.candidate", &other, "a"]);
        assert_eq!(dir.write("b"), [".a.candidate", "a", "b"]);
    }

    #[test]
    fn what_a_living_process_writes_stays() {
        let alive = name("a", 1);
        let dir = Dir::with(&[&alive]);
        assert_eq!(dir.write("a"), [&alive, "a"]);
    }

    #[test]
    fn a_number_of_another_boot_means_nobody() {
        let old = name("a", 1);
        let dir = Dir::with(&[&old]);
        let file = File::options().write(true).open(dir.0.path().join(&old)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1)).unwrap();
        if boot().is_some() {
            assert_eq!(dir.write("a"), ["a"]);
        }
    }

    #[test]
    fn what_somebody_holds_stays_whoever_that_is() {
        let held = name("a", NOBODY);
        let dir = Dir::with(&[&held]);
        let holder = File::open(dir.0.path().join(&held)).unwrap();
        holder.try_lock().unwrap();
        assert_eq!(dir.write("a"), [&held, "a"]);
        drop(holder);
        assert_eq!(dir.write("a"), ["a"]);
    }

    #[test]
    fn who_writes_holds_the_lock() {
        let dir = Dir::with(&[]);
        let path = dir.0.path().join("a");
        let file = disk::fill(&path, b"half", files::Attributes::mode(0o600)).unwrap();
        assert!(!is_free(&File::open(&path).unwrap()));
        drop(file);
        assert!(is_free(&File::open(&path).unwrap()));
    }
}
