//! From a crate's directory to its verdict: the one way, for `chain!()` and for `cargo xtask` alike.

use std::path::{Path, PathBuf};

use super::{history, sources};
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
    let crate_dir = files::canonical(crate_dir)?;
    let mut written = sources::read(&crate_dir);
    let lock = sources::lock(&crate_dir);
    let (history, place) = history::read(&crate_dir, &written, lock.as_ref().ok());
    written.place = place;
    let facts = Facts { written, history, lock };
    let Verdict { links, mistakes } = verify(&facts);
    let Facts { written, history, lock } = facts;
    Ok(Resolved { crate_dir, links, mistakes, written, reach: history.reach, lock: lock.unwrap_or_default() })
}
