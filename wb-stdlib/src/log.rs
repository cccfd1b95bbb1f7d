//! What a log says from now on.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::context::Outcome;
use wb_core::system::files::{self, FileError};

use crate::Host;
use crate::look::Access as _;

const PAUSE: Duration = Duration::from_millis(200);
/// The longest line that is looked at as a whole, in bytes.
const LONGEST_LINE: usize = 64 << 10;
/// How many of the last lines an error shows.
const SHOWN: usize = 5;

/// Why a log did not say it.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It did not, all the time.
    #[error("expected `{text}` in {} within {} s, found {}", .path.display(), bound.as_secs(), said(.last))]
    TooLong {
        /// The log.
        path: PathBuf,
        /// What was expected.
        text: String,
        /// For how long.
        bound: Duration,
        /// The last lines that it said meanwhile.
        last: Vec<String>,
    },
    /// It can't be read.
    #[error("could not see what {} says", .path.display())]
    Read {
        /// The log.
        path: PathBuf,
        /// Why.
        source: FileError,
    },
}

fn said(last: &[String]) -> String {
    if last.is_empty() { "nothing new in it".into() } else { format!("these last lines:\n{}", last.join("\n")) }
}

/// A log, and the place where it ended when this was made. [`Host::log`] makes it.
#[must_use = "do what it tells of, and then `.says(\"ready\", bound)?`"]
pub struct Log<'a> {
    host: Host<'a>,
    path: PathBuf,
    reader: RefCell<Result<Reader, FileError>>,
}

impl<'a> Host<'a> {
    /// The log at this path, as far as it is written from now on: make it before you do what it is to tell of.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn restart_the_shop(host: &Host) -> Result<()> {
    ///     let log = host.log("/var/log/shop.log");
    ///     host.service("shop").restarted()?;
    ///     log.says("ready to serve", Duration::from_mins(1))?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(restart_the_shop);
    /// ```
    ///
    /// What is only done when it is needed says nothing when it is not: wait for a port or an answer there, as
    /// [`Host::wait_up_to`] does.
    pub fn log(&self, path: impl AsRef<Path>) -> Log<'a> {
        let path = path.as_ref().to_owned();
        let reader = RefCell::new(Reader::at_end(self.system().path(&path)));
        Log { host: *self, path, reader }
    }
}

impl Log<'_> {
    /// Waits until a line says this, for so long at most. A log that is put aside meanwhile, and begun anew or cut off, is
    /// followed.
    ///
    /// What came before is not read again: a second call waits for what comes after the line that the first one found.
    ///
    /// # Errors
    /// When it does not say so in time, with its last lines, or can't be read.
    pub fn says(&self, text: &str, bound: Duration) -> Result<Outcome, LogError> {
        let what = format!("wait for `{text}` in {}", self.path.display());
        if self.host.plans() {
            return Ok(self.host.record(&what, Outcome::Unknown { why: "only what happens by then tells".into() }));
        }
        let end = self.host.system().clock().passed().saturating_add(bound);
        while !self.said(text)? {
            if self.host.system().clock().passed() >= end {
                return Err(self.too_long(text, bound));
            }
            self.host.context().pause(PAUSE);
        }
        Ok(self.host.record(&what, Outcome::Unchanged))
    }

    fn said(&self, text: &str) -> Result<bool, LogError> {
        let mut reader = self.reader.borrow_mut();
        let failed = |source| LogError::Read { path: self.path.clone(), source };
        if let Err(error) = reader.as_ref() {
            let source = std::io::Error::from(error.source.kind());
            return Err(failed(FileError { action: error.action, path: error.path.clone(), source }));
        }
        let found = reader.as_mut().map_or(Ok(false), |reader| reader.find(text));
        found.map_err(failed)
    }

    fn too_long(&self, text: &str, bound: Duration) -> LogError {
        let last = self.reader.borrow().as_ref().map(Reader::last).unwrap_or_default();
        LogError::TooLong { path: self.path.clone(), text: text.to_owned(), bound, last }
    }
}

/// Reads on in a file, whatever becomes of its name.
struct Reader {
    path: PathBuf,
    file: Option<File>,
    at: u64,
    line: Vec<u8>,
    last: VecDeque<String>,
}

impl Reader {
    fn at_end(path: PathBuf) -> Result<Self, FileError> {
        let file = open(&path)?;
        let at = file.as_ref().map_or(0, length);
        Ok(Self { path, file, at, line: Vec::new(), last: VecDeque::new() })
    }

    /// Reads on until a line has this text in it. One that is not at its end yet counts, too.
    fn find(&mut self, text: &str) -> Result<bool, FileError> {
        loop {
            if self.find_here(text)? {
                return Ok(true);
            }
            match &self.file {
                Some(file) if files::leads_to(&self.path, file) => return Ok(false),
                _ => {}
            }
            // It was put aside, or there was none.
            match open(&self.path)? {
                None => return Ok(false),
                file => (self.file, self.at) = (file, 0),
            }
        }
    }

    fn find_here(&mut self, text: &str) -> Result<bool, FileError> {
        let mut piece = [0; 8192];
        while let Some(file) = &self.file {
            if length(file) < self.at {
                self.at = 0;
            }
            let read = file.read_at(&mut piece, self.at);
            let failed = |source| FileError { action: "read", path: self.path.clone(), source };
            let read = read.map_err(failed)?;
            for (at, byte) in piece[..read].iter().enumerate() {
                if *byte == b'\n' || self.line.len() >= LONGEST_LINE {
                    if self.end_line(text) {
                        self.at += at as u64 + 1;
                        return Ok(true);
                    }
                } else {
                    self.line.push(*byte);
                }
            }
            self.at += read as u64;
            if read == 0 {
                let has_it = String::from_utf8_lossy(&self.line).contains(text);
                return Ok(has_it && self.end_line(text));
            }
        }
        Ok(false)
    }

    fn end_line(&mut self, text: &str) -> bool {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        let has_it = line.contains(text);
        if self.last.len() == SHOWN {
            self.last.pop_front();
        }
        self.last.push_back(line.chars().take(500).collect());
        has_it
    }

    fn last(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }
}

fn open(path: &Path) -> Result<Option<File>, FileError> {
    Ok(files::open_file(path)?.map(|(file, _)| file))
}

fn length(file: &File) -> u64 {
    file.metadata().map_or(0, |found| found.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;

    const SECOND: Duration = Duration::from_secs(1);

    fn append(machine: &Machine, text: &str) {
        let path = machine.path("/log");
        let mut file = files::open_to_append(&path, 0o644).unwrap();
        files::append(&mut file, &path, text).unwrap();
    }

    /// What becomes of waiting for `ready` in a log that has `before` in it, after something was done to it.
    fn check(before: Option<&str>, act: impl Fn(&Machine), expect: Result<(), &str>) {
        let machine = Machine::new();
        let machine = before.into_iter().fold(machine, |machine, before| machine.file("/log", before));
        let found = machine.apply(|host| {
            let log = host.log("/log");
            act(&machine);
            Ok(log.says("ready", SECOND).map(drop)?)
        });
        assert_eq!(found.map_err(|error| error.to_string()), expect.map_err(str::to_owned));
    }

    #[test]
    fn only_what_is_new_counts() {
        check(Some("ready\n"), |machine| append(machine, "a\nis ready now\n"), Ok(()));
        check(Some("ready\n"), |_| (), Err("expected `ready` in /log within 1 s, found nothing new in it"));
        let expect = "expected `ready` in /log within 1 s, found these last lines:\na\nb";
        check(Some("ready\n"), |machine| append(machine, "a\nb\n"), Err(expect));
        check(None, |machine| append(machine, "ready\n"), Ok(()));
        check(Some(""), |machine| append(machine, "a\nready"), Ok(()));
        check(
            Some("rea"),
            |machine| append(machine, "dy\n"),
            Err("expected `ready` in /log within 1 s, found these last lines:\ndy"),
        );
    }

    #[test]
    fn a_log_that_is_put_aside_is_followed() {
        let rotated = |machine: &Machine| {
            append(machine, "last\n");
            files::rename(machine.path("/log"), machine.path("/log.1")).unwrap();
            append(machine, "ready\n");
        };
        check(Some("old\n"), rotated, Ok(()));
        let cut = |machine: &Machine| {
            let file = files::open_to_append(machine.path("/log"), 0o644).unwrap();
            file.set_len(0).unwrap();
            append(machine, "ready\n");
        };
        check(Some("a line that is longer\n"), cut, Ok(()));
    }

    #[test]
    fn a_second_call_goes_on_after_the_line() {
        let machine = Machine::new().file("/log", "");
        let found = machine.apply(|host| {
            let log = host.log("/log");
            append(&machine, "ready\nsteady\n");
            log.says("ready", SECOND)?;
            log.says("steady", SECOND)?;
            Ok(log.says("ready", SECOND).map(drop)?)
        });
        assert!(found.unwrap_err().to_string().starts_with("expected `ready` in /log within 1 s"));
    }

    #[test]
    fn a_pipe_is_no_log() {
        let machine = Machine::new();
        wb_core::system::Command::new("mkfifo").arg(machine.path("/log")).read().unwrap();
        let error = machine.apply(|host| Ok(host.log("/log").says("ready", SECOND)?)).unwrap_err();
        assert_eq!(error.to_string(), "could not see what /log says");
    }

    #[test]
    fn a_wait_may_have_no_end() {
        let machine = Machine::new();
        let found = machine.apply(|host| {
            let log = host.log("/log");
            append(&machine, "ready\n");
            Ok(log.says("ready", Duration::MAX)?)
        });
        assert_eq!(found.unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn a_plan_waits_for_nothing() {
        let machine = Machine::new();
        machine.plan(|host| Ok(host.log("/log").says("ready", SECOND)?)).unwrap();
        assert_eq!(machine.said(), "? wait for `ready` in /log (cannot know: only what happens by then tells)");
    }
}
