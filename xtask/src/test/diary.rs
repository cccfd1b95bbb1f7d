//! What hosts did and said, a file for each: where a test is read after it failed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wb_core::system::files::{self, FileError};

use super::outcome::Log;

/// The directory of the logs. Each host is written of by one thread at a time.
#[derive(Debug, Clone)]
pub struct Diary {
    dir: PathBuf,
}

/// So many lines at the end of a log are for who reads the result alone.
const TAIL: usize = 60;

impl Diary {
    /// A new one, in place of an older one.
    ///
    /// # Errors
    /// When the directory can't be made.
    pub fn begin(dir: &Path) -> Result<Self, FileError> {
        files::remove_tree(dir)?;
        files::create_dir(dir)?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// One that lies within this one.
    ///
    /// # Errors
    /// When the directory can't be made.
    pub fn part(&self, name: &str) -> Result<Self, FileError> {
        Self::begin(&self.dir.join(name))
    }

    /// Adds to what there is of a host.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, host: &str, text: &str) -> Result<(), FileError> {
        let path = self.path(host);
        let mut file = files::open_to_append(&path, 0o644)?;
        files::append(&mut file, &path, text)
    }

    /// What there is of all these hosts.
    #[must_use]
    pub fn logs<'a>(&self, hosts: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, Log> {
        let log = |host: &str| {
            let path = self.path(host);
            let tail = end_of(&files::read_text(&path).ok()?);
            Some((host.to_owned(), Log { path, tail }))
        };
        hosts.into_iter().filter_map(log).collect()
    }

    fn path(&self, host: &str) -> PathBuf {
        self.dir.join(format!("{host}.log"))
    }
}

fn end_of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_has_a_log() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("logs");
        let diary = Diary::begin(&place).unwrap();
        diary.write("web1", "one\n").unwrap();
        diary.write("web1", "two\n").unwrap();
        diary.part("interrupted").unwrap().write("web1", "three\n").unwrap();
        let logs = diary.logs(["web1", "web2"]);
        let log = Log { path: place.join("web1.log"), tail: "one\ntwo".into() };
        assert_eq!(logs, BTreeMap::from([("web1".to_owned(), log)]));
        Diary::begin(&place).unwrap();
        assert_eq!(files::list(&place).unwrap().len(), 0);
    }

    #[test]
    fn of_a_long_log_the_end_is_kept() {
        let text: String = (1..=100).map(|line| format!("{line}\n")).collect();
        let end = end_of(&text);
        assert!(end.starts_with("41\n42\n") && end.ends_with("\n100"), "{end}");
        assert_eq!(end_of(""), "");
    }
}
