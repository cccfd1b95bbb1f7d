//! The chain: all migrations of a repository, in strict order.
//!
//! A link's identity is the sha1 of the commit that introduced its file under `src/chain/`. The order of the links is
//! the order of those commits, and of any two of them one is an ancestor of the other. Everything here is a function
//! of plain data: [`verify`] compares what the crate says with what git says, at build time (in `chain!()`) and in
//! `cargo xtask check` alike. A runner's start checks only that what is compiled in is a [`Chain`].

mod ancestry;
mod baseline;
mod content;
#[cfg(feature = "history")]
mod digest;
mod facts;
mod id;
mod lock;
mod mistake;
mod place;
#[cfg(feature = "history")]
pub mod source;
mod spelling;
mod verify;
mod wait;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use baseline::{NoRange, Replaces, WrongBaseline, replaced};
pub use content::{Content, DIGEST_VERSION};
#[cfg(feature = "history")]
pub use digest::code_digest;
pub use facts::{CONFLICT, Commit, Declared, Facts, History, Inside, Outside, Reach, Source, Unreadable, Written};
pub use id::{Digest, ParseIdError, Sha1};
pub use lock::{Gone, Lock, LockError, Pin, Unmerged};
pub use mistake::{Beyond, Edit, Mistake, Named, in_repository};
pub use spelling::{is_name, nearest, some_of};
pub use verify::{Landed, Verdict, verify};
pub use wait::{NoWait, OnCatchup, Wait, Who};

/// One migration, in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The file's stem and the function's name; never used twice.
    pub name: String,
    /// The commit that introduced it. All zeros for a draft, which is not committed yet.
    pub sha1: Sha1,
    /// The role whose hosts run it; the others pass it over.
    pub role: String,
    /// What its code and assets say, independent of their formatting.
    pub digest: Digest,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// What its code waits for, as far as that stands there in full. Others want to hear of that too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inside: Vec<Wait>,
    /// Whether hosts run it in load, without a claim.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_load: bool,
    /// The links of its role that it stands for, where it is a baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Range>,
    /// Whether its code is no longer in the source, since a baseline stands for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

/// A part of the chain, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Its first link.
    pub from: Sha1,
    /// Its last link.
    pub to: Sha1,
}

impl Link {
    /// A link that waits for nothing, is run out of load, and stands for itself alone.
    #[must_use]
    pub fn new(name: impl Into<String>, sha1: Sha1, role: impl Into<String>, digest: Digest) -> Self {
        Self {
            name: name.into(),
            sha1,
            role: role.into(),
            digest,
            wait: None,
            inside: Vec::new(),
            in_load: false,
            replaces: None,
            gone: false,
        }
    }

    /// All that it waits for, before it begins and in its code.
    pub fn waits(&self) -> impl Iterator<Item = &Wait> {
        self.wait.iter().chain(&self.inside)
    }

    /// Whether it is not committed yet.
    #[must_use]
    pub fn is_draft(&self) -> bool {
        self.sha1 == Sha1::ZERO
    }
}

impl std::fmt::Display for Link {
    /// The name with the short sha1, as people know it: `install_nginx (a1b2c3d)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.is_draft() {
            true => write!(f, "`{}` (draft)", self.name),
            false => write!(f, "`{}` ({})", self.name, self.sha1.short()),
        }
    }
}

/// All links, oldest first, each name and each sha1 once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Link>", into = "Vec<Link>")]
pub struct Chain(Vec<Link>);

impl Chain {
    /// A chain of these links, oldest first.
    ///
    /// # Errors
    /// When a name or a sha1 stands there twice, or a draft is not the last.
    pub fn new(links: Vec<Link>) -> Result<Self, ChainError> {
        let mut seen = BTreeSet::new();
        for (index, link) in links.iter().enumerate() {
            if link.is_draft() && index + 1 < links.len() {
                return Err(ChainError::DraftNotLast { name: link.name.clone() });
            }
            let ids = [link.name.clone(), link.sha1.to_string()];
            if let Some(twice) = ids.into_iter().find(|id| !seen.insert(id.clone())) {
                return Err(ChainError::Twice { what: twice });
            }
        }
        Ok(Self(links))
    }

    /// The links, oldest first.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.0
    }

    /// The last link.
    #[must_use]
    pub fn tip(&self) -> Option<&Link> {
        self.0.last()
    }

    /// Whether both have the same migrations. Their digests cover all that stands in the code; what else is written of a
    /// link may be known to one side only.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        fn told(link: &Link) -> (&str, Sha1, Digest, bool) {
            (&link.name, link.sha1, link.digest, link.gone)
        }
        self.0.iter().map(told).eq(other.0.iter().map(told))
    }

    /// The link with this sha1.
    #[must_use]
    pub fn get(&self, sha1: Sha1) -> Option<&Link> {
        self.position(sha1).map(|index| &self.0[index])
    }

    /// Where the link with this sha1 stands; the first is 0.
    #[must_use]
    pub fn position(&self, sha1: Sha1) -> Option<usize> {
        self.0.iter().position(|link| link.sha1 == sha1)
    }

    /// The links after `state`, or all of them where there is no state yet.
    ///
    /// # Errors
    /// When `state` is not in the chain: the host that has it diverged.
    pub fn after(&self, state: Option<Sha1>) -> Result<&[Link], ChainError> {
        let Some(state) = state else { return Ok(&self.0) };
        let position = self.position(state).ok_or(ChainError::NotInChain { state })?;
        Ok(&self.0[position + 1..])
    }

    /// Whether this chain is `older`, perhaps with more links at its end.
    #[must_use]
    pub fn extends(&self, older: &Chain) -> bool {
        self.0.len() >= older.0.len() && self.0.iter().zip(&older.0).all(|(a, b)| a.sha1 == b.sha1 && a.name == b.name)
    }

    /// The chain up to and with the link `sha1`.
    #[must_use]
    pub fn until(&self, sha1: Sha1) -> Option<Chain> {
        self.position(sha1).map(|index| Self(self.0[..=index].to_vec()))
    }
}

impl TryFrom<Vec<Link>> for Chain {
    type Error = ChainError;

    fn try_from(links: Vec<Link>) -> Result<Self, ChainError> {
        Self::new(links)
    }
}

impl From<Chain> for Vec<Link> {
    fn from(chain: Chain) -> Self {
        chain.0
    }
}

/// Why a list of links is no chain, or a state is none of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A name or a sha1 stands there twice.
    #[error("`{what}` stands twice in the chain")]
    Twice {
        /// The name or sha1.
        what: String,
    },
    /// Only the last link may be a draft.
    #[error("the draft `{name}` is not the last link of the chain")]
    DraftNotLast {
        /// The draft's name.
        name: String,
    },
    /// The state of a host is no link.
    #[error("the state {} is not in the chain", state.short())]
    NotInChain {
        /// The state.
        state: Sha1,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(n: u8) -> Link {
        Link::new(format!("m{n}"), Sha1::from_bytes([n; 20]), "web", Digest::of(&[n]))
    }

    fn chain(ns: &[u8]) -> Chain {
        Chain::new(ns.iter().copied().map(link).collect()).unwrap()
    }

    #[test]
    fn a_longer_chain_with_the_same_start_extends() {
        let check =
            |new: &[u8], old: &[u8], expect| assert_eq!(chain(new).extends(&chain(old)), expect, "{new:?} {old:?}");
        check(&[1, 2, 3], &[1, 2], true);
        check(&[1, 2], &[1, 2], true);
        check(&[1, 2], &[], true);
        check(&[1], &[1, 2], false);
        check(&[1, 3, 2], &[1, 2], false);
    }

    #[test]
    fn what_is_written_beside_the_digest_makes_no_other_migration() {
        let with = |change: &dyn Fn(&mut Link)| {
            let mut links = chain(&[1, 2]).0;
            change(&mut links[1]);
            Chain(links)
        };
        let check =
            |change: &dyn Fn(&mut Link), expect| assert_eq!(with(change).says_the_same(&chain(&[1, 2])), expect);
        check(&|_| (), true);
        check(&|link| link.inside.push("all(\"web\")".parse().unwrap()), true);
        check(&|link| link.digest = Digest::of(b"other"), false);
        check(&|link| link.gone = true, false);
        check(&|link| link.sha1 = Sha1::from_bytes([9; 20]), false);
        assert!(!chain(&[1]).says_the_same(&chain(&[1, 2])));
    }

    #[test]
    fn what_comes_after_a_state() {
        let names = |state: Option<u8>| {
            let chain = chain(&[1, 2, 3]);
            let after = chain.after(state.map(|n| Sha1::from_bytes([n; 20])));
            after.map(|links| links.iter().map(|l| l.name.clone()).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(names(None).unwrap(), "m1 m2 m3");
        assert_eq!(names(Some(2)).unwrap(), "m3");
        assert_eq!(names(Some(3)).unwrap(), "");
        assert_eq!(names(Some(9)).unwrap_err().to_string(), "the state 0909090 is not in the chain");
    }

    #[test]
    fn a_name_stands_once() {
        assert_eq!(Chain::new(vec![link(1), link(1)]).unwrap_err().to_string(), "`m1` stands twice in the chain");
    }

    #[test]
    fn only_the_last_link_may_be_a_draft() {
        let draft = Link { sha1: Sha1::ZERO, ..link(7) };
        assert!(Chain::new(vec![link(1), draft.clone()]).is_ok());
        let error = Chain::new(vec![draft, link(1)]).unwrap_err();
        assert_eq!(error.to_string(), "the draft `m7` is not the last link of the chain");
    }

    #[test]
    fn json_keeps_a_chain() {
        let json = serde_json::to_string(&chain(&[1, 2])).unwrap();
        assert_eq!(serde_json::from_str::<Chain>(&json).unwrap(), chain(&[1, 2]));
        let twice = json.replace("m2", "m1");
        assert!(serde_json::from_str::<Chain>(&twice).is_err());
    }
}
