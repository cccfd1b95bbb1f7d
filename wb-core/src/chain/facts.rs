//! What a verdict is made from, as plain data: what the crate says, what git says, what the lock says.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Content, Lock, LockError, Replaces, Sha1, Wait};

/// All that [`super::verify`] looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What the crate says.
    pub written: Written,
    /// What git says.
    pub history: History,
    /// What `chain.lock` says; an empty lock where there is none.
    pub lock: Result<Lock, LockError>,
}

/// What the files of the crate say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// Where the crate lies in the repository, for commands: `fleet/migrations-crate`, or nothing at the top.
    pub place: String,
    /// The `mod` lines of `src/chain.rs`, in order.
    pub mods: Vec<String>,
    /// Those of them with an attribute that changes what is compiled, and the attribute.
    pub attributes: Vec<(String, String)>,
    /// The directories in `src/chain`.
    pub directories: Vec<String>,
    /// The files of `src/chain`, by stem.
    pub files: BTreeMap<String, Source>,
    /// The roles of `src/roles.rs`; nothing where that file can't be parsed.
    pub roles: Option<BTreeSet<String>>,
    /// Files that can't be read or parsed. The compiler says so too.
    pub unreadable: Vec<Unreadable>,
}

/// What one file of `src/chain` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its migrations: one, if all is well.
    pub migrations: Vec<Declared>,
    /// What it says, as a whole.
    pub content: Content,
    /// What it would say if the lines of its assets ended as on Unix, where some don't.
    pub with_unix_lines: Option<Content>,
    /// What it takes in from outside of its file and its assets.
    pub outside: Vec<Outside>,
    /// What its code waits for.
    pub inside: Inside,
}

/// The waits in the code of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Inside {
    /// Those that stand there in full.
    pub waits: Vec<Wait>,
    /// How many there are of which nobody can say, before they run, what they wait for.
    pub computed: usize,
}

/// What a file of `src/chain` takes in that its digest does not see.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Outside {
    /// A module in a file of its own: `mod inner;`.
    Module(String),
    /// A macro that includes another file: `include_str`.
    Include(String),
}

/// A function with `#[migration]` or `#[baseline]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Declared {
    /// The name of the function.
    pub name: String,
    /// Whose hosts run it; nothing where the attribute is wrong, which the attribute itself says.
    pub role: Option<String>,
    /// What it waits for.
    pub wait: Option<Wait>,
    /// Whether hosts run it in load, without a claim.
    #[serde(default)]
    pub in_load: bool,
    /// Why it was edited after it landed, where its author says so.
    pub amended: Option<String>,
    /// The links that it stands for, where it is a baseline.
    pub replaces: Option<Replaces>,
}

/// What an unreadable file says in place of code, where a merge or a rebase stopped in it.
pub const CONFLICT: &str = "a merge or a rebase left the marks of a conflict, `<<<<<<<`";

/// A file that can't be read or parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The file, relative to the crate.
    pub file: String,
    /// Why, with the line where there is one.
    pub what: String,
}

/// What git says of the files of `src/chain`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// How far back it can be seen.
    pub reach: Reach,
    /// The commits that HEAD can reach, parents before children, as far as they matter: those that introduce something,
    /// those where ways through the history meet, and those that pins name. Others stand for the last of these before
    /// them.
    pub commits: Vec<Commit>,
    /// What landed links said when they were introduced, as far as anybody had to look.
    pub landed: BTreeMap<String, Content>,
    /// Pins, as name and commit, that hold though the crate lies elsewhere now: the commit added a file
    /// `src/chain/<name>.rs` where the crate lay then.
    pub moved: BTreeSet<(String, Sha1)>,
    /// Links that were introduced where the crate lay before it moved, each with the commit in which its file came to
    /// where it lies now.
    pub arrived: BTreeMap<String, Sha1>,
}

/// How far back the history of a crate can be seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Reach {
    /// To its beginning.
    #[default]
    Complete,
    /// To the commits where a shallow clone was cut.
    Shallow,
    /// Not at all: there is no repository.
    Absent,
    /// Not at all: there is one, and it can't be read.
    Unreadable {
        /// Why.
        what: String,
        /// What to do.
        help: String,
    },
}

/// A commit, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub sha1: Sha1,
    /// Its parents, as positions in the list of commits. What introduces nothing may be left out of that list; then its
    /// parents stand for it.
    pub parents: Vec<usize>,
    /// Whether nothing came before it, as far as somebody had to ask: of commits that introduce several files.
    pub is_root: bool,
    /// The names whose file its tree has under `src/chain`, while no parent's tree has it.
    pub introduces: Vec<String>,
    /// Whether a shallow clone was cut here. Then nobody can say what it introduces, and the names are all that its
    /// tree has.
    pub cut: bool,
}
