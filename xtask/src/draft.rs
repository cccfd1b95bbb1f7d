//! A migration that is about to be written: whether its name is free, and what its file says first.

mod likeness;

use std::collections::BTreeSet;
use std::path::PathBuf;

use wb_core::chain::{Reach, nearest};
use wb_core::registry::{Byline, Introduction, Resolved, file_in, introductions, introductions_elsewhere, resolve};
use wb_core::system::{CommandError, FileError, files};

use crate::calendar::day;
use crate::chain_file::{self, ChainFileError, check_name};
use crate::fleet::Fleet;

pub use likeness::{Likeness, LikenessError};

const TEMPLATE: &str = include_str!("../templates/migration.rs");

/// The text of a migration that does nothing yet.
#[must_use]
pub fn blank(name: &str, role: &str) -> String {
    TEMPLATE.replace("{{role}}", role).replace("{{name}}", name)
}

/// All names that are taken, as far as anybody here knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// What HEAD's history introduced, the newest first, also what is gone since.
    here: Vec<Introduction>,
    /// What other branches introduced.
    elsewhere: Vec<Introduction>,
    /// What the crate names, committed or not.
    written: BTreeSet<String>,
}

/// Why there is no draft.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// A migration of this name landed, though its file may be gone.
    #[error("the name `{name}` is taken: {} introduced `{name}` ({}) on {}, and a name is never used twice",
            byline.author, byline.sha1.short(), day(byline.time))]
    Used {
        /// The name.
        name: String,
        /// Who used it.
        byline: Byline,
        /// A name of the same kind that nobody has used.
        free: String,
    },
    /// The migration could not be added.
    #[error(transparent)]
    Chain(#[from] ChainFileError),
    /// There is no such migration to be like, and never was.
    #[error("there is no migration `{name}` to be like")]
    NoSuch {
        /// The name.
        name: String,
        /// The one that was probably meant.
        meant: Option<String>,
    },
    /// The other migration can't be copied.
    #[error(transparent)]
    Likeness(#[from] LikenessError),
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Git could not be asked for names.
    #[error("could not look for the names that history has")]
    Git {
        /// What git said.
        source: CommandError,
    },
}

impl Names {
    /// The names of a fleet. Where there is no history to read, they are those of its files.
    ///
    /// # Errors
    /// When git fails.
    pub fn of(resolved: &Resolved) -> Result<Self, DraftError> {
        let written = &resolved.written;
        let pinned = resolved.lock.pins.iter().map(|pin| &pin.name);
        let written = written.files.keys().chain(&written.mods).chain(pinned).cloned().collect();
        if !matches!(resolved.reach, Reach::Complete | Reach::Shallow) {
            return Ok(Self { written, ..Self::default() });
        }
        let failed = |source| DraftError::Git { source };
        let here = introductions(&resolved.crate_dir).map_err(failed)?;
        let elsewhere = introductions_elsewhere(&resolved.crate_dir).map_err(failed)?;
        Ok(Self { here, elsewhere, written })
    }

    /// Refuses a name that history has.
    ///
    /// # Errors
    /// When it has.
    pub fn refuse_used(&self, name: &str) -> Result<(), DraftError> {
        match self.here.iter().rfind(|introduction| introduction.name == name) {
            None => Ok(()),
            Some(Introduction { byline, .. }) => {
                let (name, free) = (name.to_owned(), self.numbered(name, 2));
                Err(DraftError::Used { name, byline: byline.clone(), free })
            }
        }
    }

    /// The commit by which another branch has this name. Nobody can say whether that branch will ever land.
    #[must_use]
    pub fn elsewhere(&self, name: &str) -> Option<&Introduction> {
        self.elsewhere.iter().rfind(|introduction| introduction.name == name)
    }

    /// The first of `name_1`, `name_2`, … that nobody has used, at least `name_<from>`.
    #[must_use]
    pub fn numbered(&self, name: &str, from: u32) -> String {
        let numbered = (from..).map(|number| format!("{name}_{number}"));
        numbered.into_iter().find(|name| self.is_free(name)).unwrap_or_default()
    }

    fn is_free(&self, name: &str) -> bool {
        let introduced = self.here.iter().chain(&self.elsewhere);
        !self.written.contains(name) && introduced.into_iter().all(|introduction| introduction.name != name)
    }
}

/// Writes a draft: its file, its `mod` line, and the pins of the links before it.
///
/// # Errors
/// When its name is none or was ever used, there is no such role, the chain has mistakes or a draft, or a file can't be
/// written.
pub fn write(fleet: &Fleet, names: &Names, name: &str, role: &str, source: &str) -> Result<PathBuf, DraftError> {
    check_name(name)?;
    names.refuse_used(name)?;
    Ok(chain_file::add(&fleet.crate_dir, name, Some(role), source)?)
}

/// The chain before the draft.
///
/// # Errors
/// When there is no crate.
pub fn before(fleet: &Fleet) -> Result<Resolved, DraftError> {
    Ok(resolve(&fleet.crate_dir)?)
}

/// A migration `name` that is like the migration `other`, as its file says now, or said when it landed if it is gone.
///
/// # Errors
/// When there never was such a migration, and when its file can't be copied.
pub fn like(
    other: &str,
    name: &str,
    role: Option<&str>,
    before: &Resolved,
    names: &Names,
) -> Result<Likeness, DraftError> {
    let landed = names.here.iter().rfind(|introduction| introduction.name == other).map(|i| i.byline.sha1);
    let path = format!("src/chain/{other}.rs");
    let text = match before.written.files.contains_key(other) {
        true => Some(files::read_text(before.crate_dir.join(&path))?),
        false => landed.and_then(|sha1| file_in(&before.crate_dir, sha1, &path)),
    };
    let known = names
        .here
        .iter()
        .map(|introduction| introduction.name.as_str())
        .chain(before.written.mods.iter().map(String::as_str));
    let text = text.ok_or_else(|| DraftError::NoSuch {
        name: other.to_owned(),
        meant: nearest(other, known).map(str::to_owned),
    })?;
    let landed =
        before.links.iter().find(|link| link.name == other && !link.is_draft()).map(|link| link.sha1).or(landed);
    let title = landed.map_or_else(|| format!("`{other}`"), |sha1| format!("`{other}` ({})", sha1.short()));
    Ok(Likeness::of(&text, other, &title, name, role)?)
}

#[cfg(test)]
mod tests {
    use wb_core::chain::Sha1;

    use super::*;

    fn names(here: &[&str], elsewhere: &[&str], written: &[&str]) -> Names {
        let introduction = |name: &&str| Introduction {
            name: (*name).to_owned(),
            byline: Byline { sha1: Sha1::from_bytes([7; 20]), author: "Ana".into(), time: 1_000_000_000 },
            found_by: "cache".into(),
        };
        Names {
            here: here.iter().map(introduction).collect(),
            elsewhere: elsewhere.iter().map(introduction).collect(),
            written: written.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn a_name_of_the_past_is_refused_by_its_commit() {
        let error = names(&["a", "a_2"], &[], &[]).refuse_used("a").unwrap_err();
        let expect =
            "the name `a` is taken: Ana introduced `a` (0707070) on 2001-09-09, and a name is never used twice";
        assert_eq!(error.to_string(), expect);
        assert!(matches!(error, DraftError::Used { free, .. } if free == "a_3"));
        assert!(names(&["a"], &["b"], &["b"]).refuse_used("b").is_ok());
    }

    #[test]
    fn numbers_go_on_where_anybody_stopped() {
        let check = |names: Names, expect: &str| assert_eq!(names.numbered("a", 1), expect);
        check(names(&[], &[], &[]), "a_1");
        check(names(&["a_1"], &["a_2"], &["a_3"]), "a_4");
        check(names(&["a", "a_2"], &[], &[]), "a_1");
    }
}
