//! The kinds of input that come from elsewhere.

use std::fmt;
use std::str::FromStr;

/// A kind of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What `git push --porcelain` says.
    Push,
    /// The name of a ref on the remote.
    Ref,
    /// The object of a commit.
    Commit,
    /// The manifest of a change.
    Manifest,
    /// What a host says of itself.
    Report,
    /// What a host tells of its past.
    Results,
    /// Who is out of a role's pool.
    Pool,
    /// A public key that stands in a report or a manifest.
    Key,
    /// The chain that a new runner says it has.
    Chain,
    /// `chain.lock`.
    Lock,
    /// `herd.toml`.
    Herd,
    /// `host.toml`.
    Host,
    /// A host's `record.json`.
    Record,
    /// A host's `notices.json`.
    Notices,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Push,
        Self::Ref,
        Self::Commit,
        Self::Manifest,
        Self::Report,
        Self::Results,
        Self::Pool,
        Self::Key,
        Self::Chain,
        Self::Lock,
        Self::Herd,
        Self::Host,
        Self::Record,
        Self::Notices,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Ref => "ref",
            Self::Commit => "commit",
            Self::Manifest => "manifest",
            Self::Report => "report",
            Self::Results => "results",
            Self::Pool => "pool",
            Self::Key => "key",
            Self::Chain => "chain",
            Self::Lock => "lock",
            Self::Herd => "herd",
            Self::Host => "host",
            Self::Record => "record",
            Self::Notices => "notices",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no kind of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no kind of input `{name}`; there are {}", Kind::ALL.map(Kind::name).join(", "))]
pub struct NoKind {
    name: String,
}

impl FromStr for Kind {
    type Err = NoKind;

    fn from_str(name: &str) -> Result<Self, NoKind> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| NoKind { name: name.to_owned() })
    }
}
