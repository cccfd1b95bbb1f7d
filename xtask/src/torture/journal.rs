//! The journal of a round: what really happened on the host, a line each. Links, scripts and the round itself add to
//! it. It lies outside of what is tortured, so that nothing which the host forgets is forgotten here.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use wb_core::system::{environment, files};

/// The variable that names the directory of the round to all that runs in it.
pub const DIR: &str = "WILDEBEEST_TORTURE";

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The file of a runner was executed.
    Runner(String),
    /// A link's code began.
    Began(String),
    /// A step's code ran to its end: `link/step`.
    Step(String),
    /// A link's code came to its end.
    Ended(String),
    /// A link failed by its own doing.
    Failed(String),
    /// A requirement was looked at, as only a first start may.
    Required(String),
    /// The role left load.
    Leave,
    /// The role came back into load.
    Rejoin,
    /// A service got what it was owed.
    Service(String),
    /// A link asked for a reboot.
    Reboot,
    /// The machine came up again.
    Boot,
    /// People mended what was wrong, and said so.
    Mended,
    /// People did a link by hand, and said so.
    ByHand(String),
    /// A link's spec passed.
    Vouched(String),
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runner(generation) => write!(f, "runner {generation}"),
            Self::Began(link) => write!(f, "began {link}"),
            Self::Step(step) => write!(f, "step {step}"),
            Self::Ended(link) => write!(f, "ended {link}"),
            Self::Failed(link) => write!(f, "failed {link}"),
            Self::Required(link) => write!(f, "required {link}"),
            Self::Leave => write!(f, "leave"),
            Self::Rejoin => write!(f, "rejoin"),
            Self::Service(action) => write!(f, "service {action}"),
            Self::Reboot => write!(f, "reboot"),
            Self::Boot => write!(f, "boot"),
            Self::Mended => write!(f, "mended"),
            Self::ByHand(link) => write!(f, "by-hand {link}"),
            Self::Vouched(link) => write!(f, "vouched {link}"),
        }
    }
}

impl FromStr for Entry {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let (word, of) = line.split_once(' ').unwrap_or((line, ""));
        let of = of.to_owned();
        Ok(match word {
            "runner" => Self::Runner(of),
            "began" => Self::Began(of),
            "step" => Self::Step(of),
            "ended" => Self::Ended(of),
            "failed" => Self::Failed(of),
            "required" => Self::Required(of),
            "leave" => Self::Leave,
            "rejoin" => Self::Rejoin,
            "service" => Self::Service(of),
            "reboot" => Self::Reboot,
            "boot" => Self::Boot,
            "mended" => Self::Mended,
            "by-hand" => Self::ByHand(of),
            "vouched" => Self::Vouched(of),
            _ => return Err(()),
        })
    }
}

/// The file, in the directory of a round.
#[must_use]
pub fn file(round: &Path) -> PathBuf {
    round.join("journal")
}

/// Adds an entry to the journal of a round, past the faults that are injected here.
pub fn add(round: &Path, entry: &Entry) {
    let open = OpenOptions::new().append(true).create(true).open(file(round));
    if let Ok(mut journal) = open {
        drop(journal.write_all(format!("{entry}\n").as_bytes()));
    }
}

/// Adds an entry to the journal of the round that this process is part of.
pub fn note(entry: &Entry) {
    if let Some(round) = environment::var(DIR) {
        add(Path::new(&round), entry);
    }
}

/// All entries so far.
#[must_use]
pub fn read(round: &Path) -> Vec<Entry> {
    let text = files::read_text(file(round)).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let entries =
            [Entry::Runner("2".into()), Entry::Leave, Entry::Began("site".into()), Entry::Service("app reload".into())];
        entries.iter().for_each(|entry| add(dir.path(), entry));
        assert_eq!(read(dir.path()), entries);
    }
}
