//! A log file that is kept small: when it is full, it gets a number, and what had one before gets the next.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::system::fault::{self, Subject};
use crate::system::files;

/// So large may one file be.
const FULL: u64 = 1 << 20;

/// So many are there, the one that is written included.
const FILES: usize = 5;

/// The file, opened when something is written to it. A disk that is full costs lines, and nothing else.
#[derive(Debug)]
pub(super) struct Rotated {
    path: PathBuf,
    full: u64,
    open: Option<File>,
    /// Of the last line only a part is there.
    torn: bool,
}

impl Rotated {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), full: FULL, open: None, torn: false }
    }

    /// Adds a line.
    pub(super) fn append(&mut self, line: &str) {
        let _during = fault::during(Subject::Log);
        let bytes = if self.torn { format!("\n{line}\n") } else { format!("{line}\n") };
        let Some(mut file) = self.ready(bytes.len()) else { return };
        self.torn = files::append(&mut file, &self.path, bytes).is_err();
        self.open = Some(file);
    }

    /// The file that the path leads to now, which others may have moved away, with room for so many bytes.
    fn ready(&mut self, bytes: usize) -> Option<File> {
        let file = self.open.take().filter(|file| files::leads_to(&self.path, file)).or_else(|| self.reopen())?;
        let size = file.metadata().map_or(0, |found| found.len());
        if size == 0 || size.saturating_add(bytes as u64) <= self.full {
            return Some(file);
        }
        self.rotate();
        self.reopen()
    }

    fn reopen(&self) -> Option<File> {
        files::open_to_append(&self.path, 0o640).ok()
    }

    /// The oldest first: at no time are there two of one number, and what can't be moved is overwritten by no other.
    fn rotate(&self) {
        for number in (1..FILES).rev() {
            let from = if number == 1 { self.path.clone() } else { self.numbered(number - 1) };
            if files::exists(&from) && files::rename(&from, self.numbered(number)).is_err() {
                return;
            }
        }
    }

    fn numbered(&self, number: usize) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(dir: &tempfile::TempDir) -> Rotated {
        Rotated { full: 8, ..Rotated::new(&dir.path().join("log")) }
    }

    fn check(dir: &tempfile::TempDir, expect: &[(&str, &str)]) {
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let found = files::list(dir.path()).unwrap();
        let found: Vec<_> = found.iter().map(|path| (name(path), files::read_text(path).unwrap())).collect();
        let expect: Vec<_> = expect.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn five_files_are_kept_and_none_grows() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = log(&dir);
        for number in 10..24 {
            log.append(&number.to_string());
        }
        let numbered = [("log.1", "20\n21\n"), ("log.2", "18\n19\n"), ("log.3", "16\n17\n"), ("log.4", "14\n15\n")];
        check(&dir, &[[("log", "22\n23\n")].as_slice(), &numbered].concat());
    }

    #[test]
    fn a_line_that_is_too_long_stands_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = log(&dir);
        ["a", "longer than a file", "b"].iter().for_each(|line| log.append(line));
        check(&dir, &[("log", "b\n"), ("log.1", "longer than a file\n"), ("log.2", "a\n")]);
    }

    #[test]
    fn a_file_that_was_there_is_continued() {
        let dir = tempfile::tempdir().unwrap();
        log(&dir).append("a");
        log(&dir).append("b");
        check(&dir, &[("log", "a\nb\n")]);
    }

    #[test]
    fn a_file_that_somebody_moved_away_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = log(&dir);
        log.append("a");
        files::rename(dir.path().join("log"), dir.path().join("old")).unwrap();
        log.append("b");
        check(&dir, &[("log", "b\n"), ("old", "a\n")]);
    }

    #[test]
    fn where_nothing_can_be_written_lines_are_lost_and_later_ones_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = log(&dir);
        files::create_dir(dir.path().join("log")).unwrap();
        log.append("a");
        files::remove_tree(dir.path().join("log")).unwrap();
        log.append("b");
        check(&dir, &[("log", "b\n")]);
    }

    #[test]
    fn a_full_disk_costs_lines_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        files::link("/dev/full", dir.path().join("log")).unwrap();
        let mut log = log(&dir);
        log.append("a");
        assert!(log.torn);
        files::remove(dir.path().join("log")).unwrap();
        log.append("b");
        check(&dir, &[("log", "\nb\n")]);
    }
}
