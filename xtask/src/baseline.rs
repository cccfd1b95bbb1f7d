//! A new baseline: its file, its `mod` line, and in `chain.lock` the marks that let the files of what it replaces go.

use std::path::{Path, PathBuf};

use wb_core::chain::{Digest, Link, Range, Replaces, Sha1, WrongBaseline, replaced};
use wb_core::registry::resolve;
use wb_core::system::files::{self, FileError};

use crate::chain_file::{self, ChainFileError};

const TEMPLATE: &str = include_str!("../templates/baseline.rs");

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The file of the baseline.
    pub path: PathBuf,
    /// The links that it stands for, oldest first.
    pub replaced: Vec<Link>,
}

/// Why no baseline was written.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It can't be a migration.
    #[error(transparent)]
    Chain(#[from] ChainFileError),
    /// There is nothing that it could stand for.
    #[error("no migration of the role `{role}` has landed, so a baseline has nothing to stand for")]
    Nothing {
        /// The role.
        role: String,
    },
    /// What it is to stand for is wrong.
    #[error("the range `{said}` is wrong: {wrong}")]
    Range {
        /// What was said.
        said: Replaces,
        /// What is wrong.
        wrong: Box<WrongBaseline>,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Adds the baseline `name` for `role` to the crate in `crate_dir`. It stands for `replaces`, or else for all landed
/// links of the role.
///
/// # Errors
/// When there can be no migration of that name and role, when the range is wrong, or a file can't be written.
pub fn add(crate_dir: &Path, name: &str, role: &str, replaces: Option<Replaces>) -> Result<Written, BaselineError> {
    let resolved = resolve(crate_dir)?;
    chain_file::check_name(name)?;
    chain_file::check_fits(&resolved, name, Some(role))?;
    let range = range(&resolved.links, role, replaces)?;
    let replaced = within(&resolved.links, role, range);
    let source = source(name, role, &shortest(&resolved.links, range), &replaced);
    let path = chain_file::add(crate_dir, name, Some(role), &source)?;
    let lock = resolved.lock.pinning(&resolved.links).letting_go(&replaced);
    files::write(crate_dir.join("chain.lock"), lock.to_string(), 0o644)?;
    Ok(Written { path, replaced })
}

fn range(links: &[Link], role: &str, replaces: Option<Replaces>) -> Result<Range, BaselineError> {
    let mut mine = links.iter().filter(|link| link.role == role).map(|link| link.sha1);
    let first = mine.next().ok_or_else(|| BaselineError::Nothing { role: role.to_owned() })?;
    let all = Range { from: first, to: mine.next_back().unwrap_or(first) };
    let Some(said) = replaces else { return Ok(all) };
    let baseline = Link::new("", Sha1::ZERO, role, Digest::of(b""));
    let links: Vec<Link> = links.iter().cloned().chain([baseline]).collect();
    replaced(&links, links.len() - 1, &said).map_err(|wrong| BaselineError::Range { said, wrong: Box::new(wrong) })
}

/// The links of a role in a range.
fn within(links: &[Link], role: &str, range: Range) -> Vec<Link> {
    let place = |sha1: Sha1| links.iter().position(|link| link.sha1 == sha1).unwrap_or_default();
    let span = links.iter().skip(place(range.from)).take(place(range.to) + 1 - place(range.from));
    span.filter(|link| link.role == role).cloned().collect()
}

/// The range in as few digits as name its ends, and no fewer than people are used to.
fn shortest(links: &[Link], range: Range) -> Replaces {
    let digits = |sha1: Sha1| {
        let whole = sha1.to_string();
        let is_one =
            |digits: &&str| links.iter().filter(|link| link.sha1.to_string().starts_with(*digits)).count() == 1;
        (7..whole.len()).map(|count| &whole[..count]).find(is_one).unwrap_or(&whole).to_owned()
    };
    Replaces { from: digits(range.from), to: digits(range.to) }
}

fn source(name: &str, role: &str, replaces: &Replaces, replaced: &[Link]) -> String {
    let list: String = replaced.iter().map(|link| format!("    // - {link}\n")).collect();
    let text = TEMPLATE.replace("{{replaces}}", &replaces.to_string()).replace("{{replaced}}", &list);
    text.replace("{{role}}", role).replace("{{name}}", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(name: &str, sha1: &str, role: &str) -> Link {
        Link::new(name, format!("{sha1:0<40}").parse().unwrap(), role, Digest::of(b""))
    }

    fn links() -> [Link; 4] {
        [link("a", "a1", "web"), link("b", "b1", "db"), link("c", "c1234567", "web"), link("d", "c1234568", "db")]
    }

    #[test]
    fn a_baseline_stands_for_its_whole_role_unless_somebody_says_otherwise() {
        let check = |role: &str, said: Option<&str>, expect: &str| {
            let found = range(&links(), role, said.map(|said| said.parse().unwrap()));
            let names = |range| within(&links(), role, range).iter().map(|link| link.name.clone()).collect::<Vec<_>>();
            assert_eq!(found.map_or_else(|error| error.to_string(), |range| names(range).join(" ")), expect);
        };
        check("web", None, "a c");
        check("db", None, "b d");
        check("web", Some("c1234567..c1234567"), "c");
        check("cache", None, "no migration of the role `cache` has landed, so a baseline has nothing to stand for");
        let left = "the range `a100000..a100000` is wrong: it ends before `c` (c123456), which new hosts would then run \
                    without what came before it";
        check("web", Some("a100000..a100000"), left);
    }

    #[test]
    fn as_few_digits_as_tell_two_links_apart() {
        let range = Range { from: links()[0].sha1, to: links()[2].sha1 };
        assert_eq!(shortest(&links(), range).to_string(), "a100000..c1234567");
    }
}
