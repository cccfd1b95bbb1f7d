//! From a crate's directory to its verdict: the one way, for `chain!()` and for `cargo xtask` alike.

use std::path::{Path, PathBuf};

use super::history::{self, Landed};
use super::repository::Repository;
use super::sources;
use crate::chain::{Facts, Link, Lock, Mistake, Reach, Verdict, Written, verify};
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
    /// What `chain.lock` says; an empty lock where there is none, or one that does not parse.
    pub lock: Lock,
}

/// Reads the chain of the crate at `crate_dir`, and judges it. What is wrong with the chain, the repository or a source
/// file is a mistake of the result.
///
/// # Errors
/// When there is no such directory.
pub fn resolve(crate_dir: impl AsRef<Path>) -> Result<Resolved, FileError> {
    resolve_with(crate_dir.as_ref(), Landed::Doubtful)
}

/// As [`resolve`], and compares every pin with what really landed: for whoever trusts no pin.
///
/// # Errors
/// When there is no such directory.
pub fn resolve_strict(crate_dir: impl AsRef<Path>) -> Result<Resolved, FileError> {
    resolve_with(crate_dir.as_ref(), Landed::All)
}

fn resolve_with(crate_dir: &Path, landed: Landed) -> Result<Resolved, FileError> {
    let crate_dir = files::canonical(crate_dir)?;
    let repository = Repository::around(&crate_dir);
    let known = repository.as_ref().ok().and_then(Option::as_ref);
    let (mut sources, lock) = (sources::read(&crate_dir, known), sources::lock(&crate_dir));
    sources.written.place = known.map(|repository| repository.place.clone()).unwrap_or_default();
    let repository = repository.as_ref().map(Option::as_ref).map_err(Clone::clone);
    let history = history::read(repository, &sources, lock.as_ref().ok(), landed);
    let facts = Facts { written: sources.written, history, lock };
    let Verdict { links, mistakes } = verify(&facts);
    let Facts { written, history, lock } = facts;
    Ok(Resolved { crate_dir, links, mistakes, written, reach: history.reach, lock: lock.unwrap_or_default() })
}
