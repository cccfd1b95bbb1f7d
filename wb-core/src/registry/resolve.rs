//! From a crate's directory to its verdict: the one way, for `chain!()` and for `cargo xtask` alike.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::repository::Repository;
use super::sources::Sources;
use super::{history, sources};
use crate::chain::{Facts, History, Landed, Link, Lock, Mistake, Reach, Verdict, Written, verify};
use crate::system::files::{self, FileError};

/// A crate's chain, read from its files and from git.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The crate, without symbolic links in its path.
    pub crate_dir: PathBuf,
    /// The links that have a file and a `mod` line, in the order of their commits, drafts last. If there are no
    /// mistakes, they are a [`crate::chain::Chain`].
    pub links: Vec<Link>,
    /// All mistakes.
    pub mistakes: Vec<Mistake>,
    /// What the files say.
    pub written: Written,
    /// How far back history can be seen.
    pub reach: Reach,
    /// All links that ever landed, by name.
    pub landed: BTreeMap<String, Landed>,
    /// What `chain.lock` says; an empty lock where there is none, or one that does not parse.
    pub lock: Lock,
}

/// Reads the chain of the crate at `crate_dir`, and judges it. What is wrong with the chain, the repository or a source
/// file is a mistake of the result.
///
/// # Errors
/// When there is no such directory.
pub fn resolve(crate_dir: impl AsRef<Path>) -> Result<Resolved, FileError> {
    judge(crate_dir.as_ref(), None, history::Landed::Doubtful)
}

/// As [`resolve`], but the lock is not believed: every landed file is read out of history too.
///
/// # Errors
/// When there is no such directory.
pub fn resolve_strictly(crate_dir: impl AsRef<Path>) -> Result<Resolved, FileError> {
    judge(crate_dir.as_ref(), None, history::Landed::All)
}

/// As [`resolve_strictly`], with other texts in place of `src/chain.rs` and `chain.lock`.
///
/// # Errors
/// When there is no such directory.
pub fn resolve_as(crate_dir: impl AsRef<Path>, chain: &str, lock: &Lock) -> Result<Resolved, FileError> {
    judge(crate_dir.as_ref(), Some((chain, lock)), history::Landed::All)
}

/// The way from a crate's files to its history, by itself: for measurements.
#[derive(Debug)]
pub struct Walker {
    crate_dir: PathBuf,
    sources: Sources,
    lock: Option<Lock>,
}

impl Walker {
    /// Reads the files of a crate, which is not part of the walk.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn new(crate_dir: impl AsRef<Path>) -> Result<Self, FileError> {
        let crate_dir = files::canonical(crate_dir)?;
        let (sources, lock) = (sources::read(&crate_dir, None, None), sources::lock(&crate_dir).ok());
        Ok(Self { crate_dir, sources, lock })
    }

    /// What git says, asked as every build asks.
    #[must_use]
    pub fn walk(&self) -> History {
        let repository = Repository::around(&self.crate_dir);
        let repository = repository.as_ref().map(Option::as_ref).map_err(Clone::clone);
        history::read(repository, &self.sources, self.lock.as_ref(), history::Landed::Doubtful)
    }
}

fn judge(crate_dir: &Path, instead: Option<(&str, &Lock)>, landed: history::Landed) -> Result<Resolved, FileError> {
    let crate_dir = files::canonical(crate_dir)?;
    let repository = Repository::around(&crate_dir);
    let known = repository.as_ref().ok().and_then(Option::as_ref);
    let mut sources = sources::read(&crate_dir, known, instead.map(|(chain, _)| chain));
    let lock = instead.map_or_else(|| sources::lock(&crate_dir), |(_, lock)| Ok(lock.clone()));
    sources.written.place = known.map(|repository| repository.place.clone()).unwrap_or_default();
    let repository = repository.as_ref().map(Option::as_ref).map_err(Clone::clone);
    let history = history::read(repository, &sources, lock.as_ref().ok(), landed);
    let facts = Facts { written: sources.written, history, lock };
    let Verdict { links, mistakes, landed } = verify(&facts);
    let Facts { written, history, lock } = facts;
    let (reach, lock) = (history.reach, lock.unwrap_or_default());
    Ok(Resolved { crate_dir, links, mistakes, written, reach, landed, lock })
}
