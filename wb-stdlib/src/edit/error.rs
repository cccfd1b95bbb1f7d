//! What can go wrong with edits.

use std::path::PathBuf;

use crate::file::FileError;

/// What can go wrong with the edits of a file. It is then as it was.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It can't be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not there.
    #[error("there is no file {} to edit\nhint: `.or_create(0o644)` makes it", .path.display())]
    NoFile {
        /// The path, or where a link at the path leads.
        path: PathBuf,
    },
    /// An operation before it would make it so that nobody knows what is in it: only in a plan.
    #[error("{why}")]
    NotYet {
        /// Why.
        why: String,
    },
    /// It is too long.
    #[error("{} has {size} bytes; files of at most {} bytes are edited", .path.display(), super::LARGEST)]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// How long it is, in bytes.
        size: u64,
    },
    /// It is in UTF-16, in which lines are other bytes.
    #[error("{} is in UTF-16, which is not edited", .path.display())]
    Utf16 {
        /// The path.
        path: PathBuf,
    },
    /// An edit does not fit the file.
    #[error("could not edit {}: {edit}", .path.display())]
    Unfit {
        /// The path.
        path: PathBuf,
        /// What was to be edited.
        edit: String,
        /// Why.
        source: Unfit,
    },
    /// A second run would edit the file again.
    #[error("could not edit {}: done a second time, it would change again: {edit}", .path.display())]
    Restless {
        /// The path.
        path: PathBuf,
        /// Which edit would change it again.
        edit: String,
    },
}

impl EditError {
    /// Why it may be otherwise once what comes before it in the migration is done: for plans.
    pub(super) fn passing(&self) -> Option<String> {
        match self {
            Self::NoFile { path } => Some(format!("there is no file {} yet", path.display())),
            Self::NotYet { why } => Some(why.clone()),
            Self::Unfit { source: source @ Unfit::NoAnchor { .. }, .. } => Some(format!("{source} yet")),
            Self::Unfit { source: Unfit::NoItem { item, .. }, .. } => Some(format!("there is no `{item}` yet")),
            _ => None,
        }
    }
}

/// Why an edit does not fit a file.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// The regular expression is none.
    #[error("`{pattern}` is no regular expression")]
    Pattern {
        /// What was given.
        pattern: String,
        /// Why.
        source: Box<regex::Error>,
    },
    /// Nothing marks the place.
    #[error("no line matches `{pattern}`")]
    NoAnchor {
        /// The regular expression.
        pattern: String,
    },
    /// What is to be written would be read as something else.
    #[error("{what} can't be written: {why}")]
    BadText {
        /// What is to be written.
        what: &'static str,
        /// Why it can't be.
        why: &'static str,
    },
    /// A block has a beginning and no end, or the other way round.
    #[error("the marker `{marker}` in line {line} stands alone\nhint: remove it, or add the other one, by hand")]
    HalfBlock {
        /// The marker.
        marker: String,
        /// Its line, from 1.
        line: usize,
    },
    /// What is to be one is there several times.
    #[error("{what} is there {times} times; which one is meant?")]
    Repeated {
        /// What is repeated.
        what: String,
        /// How often.
        times: usize,
    },
    /// A line can't be understood.
    #[error("line {line} can't be understood: {why}")]
    Unclear {
        /// The line, from 1.
        line: usize,
        /// Why.
        why: &'static str,
    },
    /// It is no text.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// The path of a value is none.
    #[error(
        "`{path}` is no path of keys\nhint: a key that has other characters than letters, digits, `-` and `_` is quoted; an item \
         of a list is named by its place, as in `servers[0].port`"
    )]
    BadKeys {
        /// What was given.
        path: String,
    },
    /// It does not parse.
    #[error("it is no {format}: {said}")]
    Syntax {
        /// TOML, JSON or YAML.
        format: &'static str,
        /// What the parser said.
        said: String,
    },
    /// What is to have keys has none.
    #[error("{what} is there, and has no keys in it")]
    NotTable {
        /// The part of the path that leads there.
        what: String,
    },
    /// A list has no such item.
    #[error("there is no `{item}`: {found}")]
    NoItem {
        /// The path of the item.
        item: String,
        /// What there is.
        found: String,
    },
    /// An item of a list is to go by its place, where the next one would then be.
    #[error(
        "`{item}` can't go by its place: the next item would have that, and go with the next run\nhint: say what the whole list \
         is to be"
    )]
    NoPlace {
        /// The path of the item.
        item: String,
    },
    /// What is to be a value has keys.
    #[error("`{key}` is a table: name the values in it")]
    NotValue {
        /// The path.
        key: String,
    },
    /// The rest of the file would change with it.
    #[error("this {format} can't be edited without changing what nobody named")]
    NotKept {
        /// TOML, JSON or YAML.
        format: &'static str,
    },
}
