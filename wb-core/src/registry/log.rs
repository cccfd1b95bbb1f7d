//! The log of changes: signed commits, one after the other, each with the whole manifest.

use super::commit::Commit;
use super::objects::{NewCommit, ObjectError, Objects};
use super::signature::{AllowedSigners, SigningKey};
use crate::chain::Sha1;
use crate::change::{Manifest, ManifestError};

const FILE: &str = "manifest.json";

/// So many changes are walked at most. Anybody who can push can make the log long, with what nobody signed.
const LONGEST: usize = 100_000;

/// A change whose signature and content were checked.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedChange {
    /// The commit.
    pub sha1: Sha1,
    /// Who signed it, as `allowed_signers` names them.
    pub signer: String,
    /// What it says.
    pub manifest: Manifest,
}

/// The log, as far as it was fetched.
#[derive(Debug)]
pub struct ChangeLog<'a> {
    objects: &'a Objects,
    allowed: &'a AllowedSigners,
}

impl<'a> ChangeLog<'a> {
    /// The log in these objects, signed by these people.
    #[must_use]
    pub fn new(objects: &'a Objects, allowed: &'a AllowedSigners) -> Self {
        Self { objects, allowed }
    }

    /// Every change after `accepted` up to `tip`, oldest first, each one checked: its signature, and that it follows
    /// from the one before.
    ///
    /// Beside them the reason why the log ends before `tip`: it does not come after `accepted` (it was rewound or
    /// forked), or a change does not count. Whatever follows such a change does not count either.
    #[must_use]
    pub fn since(&self, accepted: Option<&VerifiedChange>, tip: Sha1) -> (Vec<VerifiedChange>, Option<LogError>) {
        since(accepted, tip, |commit| Ok(self.objects.read(commit)?.parents), |commit| self.read(commit))
    }

    /// A change that was accepted before, whoever may sign now.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn recall(&self, sha1: Sha1) -> Result<VerifiedChange, LogError> {
        recall(self.objects, sha1)
    }

    /// One change by itself, with its signature checked.
    ///
    /// # Errors
    /// When it does not count.
    pub fn read(&self, sha1: Sha1) -> Result<VerifiedChange, LogError> {
        let commit = self.objects.read(sha1)?;
        let signer = commit.verify(self.allowed)?;
        Ok(VerifiedChange { sha1, signer, manifest: manifest(self.objects, &commit)? })
    }

    /// Writes the change that follows `parent`, and moves no ref.
    ///
    /// # Errors
    /// When it does not follow, or can't be signed or written.
    pub fn write(
        &self,
        parent: Option<&VerifiedChange>,
        manifest: &Manifest,
        key: &SigningKey,
    ) -> Result<Sha1, LogError> {
        manifest.follows(parent.map(|change| &change.manifest)).map_err(|source| LogError::New { source })?;
        let text = manifest.encode();
        // What no host could read would be the end of the log.
        Manifest::decode(&text).map_err(|source| LogError::New { source })?;
        let new = NewCommit {
            message: format!("{manifest}\n"),
            files: [(FILE.to_owned(), text.into_bytes())].into(),
            parent: parent.map(|change| change.sha1),
            author: split_author(&manifest.author),
            time: std::time::Duration::from_secs(manifest.time),
        };
        Ok(self.objects.write(&new, Some(key))?)
    }
}

/// See [`ChangeLog::recall`].
pub(super) fn recall(objects: &Objects, sha1: Sha1) -> Result<VerifiedChange, LogError> {
    let commit = objects.read(sha1)?;
    Ok(VerifiedChange { sha1, signer: "accepted before".into(), manifest: manifest(objects, &commit)? })
}

/// The walk of [`ChangeLog::since`], for whoever knows what comes before a commit and which changes count.
pub(super) fn since(
    accepted: Option<&VerifiedChange>,
    tip: Sha1,
    parents: impl Fn(Sha1) -> Result<Vec<Sha1>, ObjectError>,
    read: impl Fn(Sha1) -> Result<VerifiedChange, LogError>,
) -> (Vec<VerifiedChange>, Option<LogError>) {
    let mut changes: Vec<VerifiedChange> = Vec::new();
    let commits = match commits(accepted.map(|change| change.sha1), tip, parents) {
        Ok(commits) => commits,
        Err(error) => return (changes, Some(error)),
    };
    for commit in commits {
        let change = read(commit).and_then(|change| follows(change, changes.last().or(accepted)));
        match change {
            Ok(change) => changes.push(change),
            Err(error) => return (changes, Some(error)),
        }
    }
    (changes, None)
}

/// The commits after `accepted` up to `tip`, oldest first.
fn commits(
    accepted: Option<Sha1>,
    tip: Sha1,
    parents: impl Fn(Sha1) -> Result<Vec<Sha1>, ObjectError>,
) -> Result<Vec<Sha1>, LogError> {
    let mut commits = Vec::new();
    let mut next = Some(tip).filter(|tip| Some(*tip) != accepted);
    while let Some(sha1) = next {
        next = match parents(sha1)?[..] {
            [] if accepted.is_none() => None,
            [] => return Err(LogError::Rewound { tip, accepted: accepted.unwrap_or(Sha1::ZERO) }),
            [parent] => Some(parent).filter(|parent| Some(*parent) != accepted),
            _ => return Err(LogError::Merge { commit: sha1 }),
        };
        commits.push(sha1);
        if commits.len() > LONGEST {
            return Err(LogError::Long { tip });
        }
    }
    commits.reverse();
    Ok(commits)
}

fn follows(change: VerifiedChange, before: Option<&VerifiedChange>) -> Result<VerifiedChange, LogError> {
    let follows = change.manifest.follows(before.map(|change| &change.manifest));
    follows.map_err(|source| LogError::Manifest { commit: change.sha1, source })?;
    Ok(change)
}

fn manifest(objects: &Objects, commit: &Commit) -> Result<Manifest, LogError> {
    let text = objects.text(commit, FILE)?.ok_or(LogError::Empty { commit: commit.sha1 })?;
    Manifest::decode(&text).map_err(|source| LogError::Manifest { commit: commit.sha1, source })
}

/// Why a change does not count.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The remote's log is not a continuation of what was accepted.
    #[error("the log of changes ends at {} and does not contain {}, which was accepted before", tip.short(), accepted.short())]
    Rewound {
        /// The remote's newest change.
        tip: Sha1,
        /// The newest change that was accepted.
        accepted: Sha1,
    },
    /// It is longer than any log that people could have written.
    #[error("the log of changes that ends at {} has more than {LONGEST} changes", tip.short())]
    Long {
        /// The remote's newest change.
        tip: Sha1,
    },
    /// A change has two parents.
    #[error("the change {} is a merge", commit.short())]
    Merge {
        /// Which.
        commit: Sha1,
    },
    /// A change has no manifest.
    #[error("the change {} has no manifest", commit.short())]
    Empty {
        /// Which.
        commit: Sha1,
    },
    /// A change's manifest is broken, or does not follow from the one before.
    #[error("the change {} does not count", commit.short())]
    Manifest {
        /// Which.
        commit: Sha1,
        /// Why.
        source: ManifestError,
    },
    /// A new change does not follow from the one before.
    #[error("the new change does not follow from the newest one")]
    New {
        /// Why.
        source: ManifestError,
    },
    /// It is unsigned, wrongly signed, or not there.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

fn split_author(author: &str) -> (String, String) {
    let (name, email) = author.split_once('<').unwrap_or((author, "wildebeest@localhost"));
    let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
    (or(name.trim(), "wildebeest"), or(email.trim_end_matches('>').trim(), "wildebeest@localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_without_end_is_not_walked_to_it() {
        let sha1 = |n: u32| {
            let mut bytes = [0; 20];
            bytes[..4].copy_from_slice(&n.to_be_bytes());
            Sha1::from_bytes(bytes)
        };
        let number = |sha1: Sha1| sha1.as_bytes()[..4].iter().fold(0, |all, byte| all << 8 | u32::from(*byte));
        let check = |tip: u32, expect: &str| {
            let parents = |commit| Ok(number(commit).checked_sub(1).map(sha1).into_iter().collect());
            let said =
                commits(None, sha1(tip), parents).map_or_else(|error| error.to_string(), |all| all.len().to_string());
            assert_eq!(said, expect);
        };
        check(2, "3");
        check(99_999, "100000");
        check(100_000, "the log of changes that ends at 000186a has more than 100000 changes");
    }

    #[test]
    fn an_author_is_a_name_and_an_address() {
        let check = |text: &str, name: &str, email: &str| {
            assert_eq!(split_author(text), (name.to_owned(), email.to_owned()), "{text}");
        };
        check("Ada <ada@example.org>", "Ada", "ada@example.org");
        check("Ada", "Ada", "wildebeest@localhost");
        check("", "wildebeest", "wildebeest@localhost");
        check("<>", "wildebeest", "wildebeest@localhost");
    }
}
