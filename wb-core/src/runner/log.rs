//! What the agent says, and where it goes: the journal, a supervisor's logger, or a file that it keeps small itself.
//!
//! Lines are for people. What machines want to know is read out of them by two rules that all messages keep: a link is
//! named as `` `name` (short sha1) ``, and how a line begins says how grave it is.

mod rotation;

use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use rotation::Rotated;

use crate::system::clock::{Clock as _, Real};
use crate::system::environment;

/// How and where the agent says what it does.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct LogOptions {
    /// How lines look.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: Format,
    /// Write to this file, which is kept to 1 MiB with the four before it, and not to standard error.
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Human,
    /// A JSON object per line: time, level, host, message, and change and link where the line is about one.
    Json,
}

/// How grave a line is, in the words and numbers of syslog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Error = 3,
    Warning = 4,
    Info = 6,
}

/// Where lines go. It may be used from many threads.
#[derive(Debug)]
pub(super) struct Log {
    format: Format,
    host: Mutex<Option<String>>,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    /// Standard error, as whoever started us reads it.
    Stream,
    /// Standard error, which is the journal's: it has the time, and takes the level from the start of the line.
    Journal,
    File(Mutex<Rotated>),
}

impl Log {
    /// A log of this host.
    pub(super) fn new(options: &LogOptions, host: Option<String>) -> Self {
        let sink = match &options.log_file {
            Some(path) => Sink::File(Mutex::new(Rotated::new(path))),
            None if stderr_is_journal() => Sink::Journal,
            None => Sink::Stream,
        };
        Self { format: options.log_format, host: Mutex::new(host), sink }
    }

    /// The host is called so from now on.
    pub(super) fn call(&self, name: &str) {
        *self.host.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
    }

    /// Says something. Where that can't be written, the agent goes on without.
    pub(super) fn say(&self, message: &str) {
        let host = self.host.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let entry = Entry::new(Real.now(), host.as_deref(), message);
        match &self.sink {
            Sink::Stream => to_stderr(&entry.text(self.format, false)),
            Sink::Journal => to_stderr(&with_priority(entry.level, &entry.text(self.format, false))),
            Sink::File(file) => {
                file.lock().unwrap_or_else(PoisonError::into_inner).append(&entry.text(self.format, true));
            }
        }
    }
}

/// One thing that was said.
#[derive(Debug)]
struct Entry<'a> {
    time: Duration,
    host: Option<&'a str>,
    level: Level,
    message: &'a str,
}

impl<'a> Entry<'a> {
    fn new(time: Duration, host: Option<&'a str>, message: &'a str) -> Self {
        Self { time, host, level: Level::of(message), message }
    }

    fn text(&self, format: Format, timed: bool) -> String {
        match format {
            Format::Json => self.json(),
            Format::Human if timed => format!("{} {}", self.time_text(), self.message),
            Format::Human => self.message.to_owned(),
        }
    }

    fn json(&self) -> String {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Info => "info",
        };
        let link = link_in(self.message).map(|(name, sha1)| json!({ "name": name, "sha1": sha1 }));
        let fields = [
            ("time", Some(self.time_text().into())),
            ("level", Some(level.into())),
            ("host", self.host.map(Value::from)),
            ("message", Some(self.message.into())),
            ("change", change_in(self.message).map(Value::from)),
            ("link", link),
        ];
        let known = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(known.collect::<Map<_, _>>()).to_string()
    }

    fn time_text(&self) -> String {
        humantime::format_rfc3339_millis(UNIX_EPOCH + self.time).to_string()
    }
}

impl Level {
    fn of(message: &str) -> Self {
        let begins = |words: &[&str]| words.iter().any(|word| message.starts_with(word));
        match () {
            () if begins(&["error: ", "failed "]) => Self::Error,
            () if begins(&["hint: ", "can't ", "could not ", "stopped: ", "going on without "]) => Self::Warning,
            () => Self::Info,
        }
    }
}

/// The first link that a message names.
fn link_in(message: &str) -> Option<(&str, &str)> {
    let named = message.match_indices("` (").find_map(|(end, _)| {
        let name = message[..end].rsplit_once('`')?.1;
        let sha1 = message[end + 3..].split_once(')')?.0;
        let short = sha1.len() == 7 && sha1.bytes().all(|byte| byte.is_ascii_hexdigit());
        short.then_some((name, sha1))
    });
    named.filter(|(name, _)| !name.is_empty())
}

/// The number of the change that a message is about.
fn change_in(message: &str) -> Option<u64> {
    message.strip_prefix("accepted change ")?.split(' ').next()?.parse().ok()
}

fn with_priority(level: Level, text: &str) -> String {
    let lines = text.lines().map(|line| format!("<{}>{line}", level as u8));
    lines.collect::<Vec<_>>().join("\n")
}

fn to_stderr(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}

/// The variable names device and inode, since who inherits it may have another standard error.
fn stderr_is_journal() -> bool {
    let Some(told) = environment::var("JOURNAL_STREAM") else { return false };
    let found = rustix::fs::fstat(io::stderr().as_fd());
    found.is_ok_and(|found| told == format!("{}:{}", found.st_dev, found.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Duration = Duration::from_millis(1_785_585_600_042);

    fn entry(message: &str) -> Entry<'_> {
        Entry::new(NOON, Some("web1"), message)
    }

    #[test]
    fn a_line_for_people_has_the_time_where_nobody_else_adds_it() {
        let entry = entry("in load");
        assert_eq!(entry.text(Format::Human, false), "in load");
        assert_eq!(entry.text(Format::Human, true), "2026-08-01T12:00:00.042Z in load");
    }

    #[test]
    fn a_line_for_machines_is_an_object() {
        let check = |message, expect: Value| {
            let found: Value = serde_json::from_str(&entry(message).text(Format::Json, true)).unwrap();
            assert_eq!(found, expect);
        };
        let time = "2026-08-01T12:00:00.042Z";
        check("in load", json!({ "time": time, "level": "info", "host": "web1", "message": "in load" }));
        let message = "failed `serve` (f30ea9c): no\nsuch \"thing\"";
        let link = json!({ "name": "serve", "sha1": "f30ea9c" });
        check(message, json!({ "time": time, "level": "error", "host": "web1", "message": message, "link": link }));
        let message = "accepted change 3 deploy: a page by me@example.org";
        check(message, json!({ "time": time, "level": "info", "host": "web1", "message": message, "change": 3 }));
    }

    #[test]
    fn how_a_line_begins_says_how_grave_it_is() {
        let check = |message, level| assert_eq!(Level::of(message), level, "{message}");
        check("error: could not reach the remote", Level::Error);
        check("failed `a` (1234567): no", Level::Error);
        check("can't leave load: no", Level::Warning);
        check("hint: wildebeest status", Level::Warning);
        check("waits: for a place", Level::Info);
        check("done `can't ` (1234567)", Level::Info);
    }

    #[test]
    fn a_link_is_found_by_how_it_is_written() {
        let check = |message, expect| assert_eq!(link_in(message), expect, "{message}");
        check("runs `serve_page` (f30ea9c)", Some(("serve_page", "f30ea9c")));
        check("waits: `a` (not yet), `b` (1234567) failed", Some(("b", "1234567")));
        check("tries `a` again", None);
        check("` (1234567)", None);
        check("`` (1234567)", None);
    }

    #[test]
    fn the_journal_gets_the_level_on_each_line() {
        assert_eq!(with_priority(Level::Error, "failed: a\nb"), "<3>failed: a\n<3>b");
    }
}
