//! What there is of a clone, as its files say, without a program.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use wb_core::system::System;
use wb_core::system::files::{self, FileError, Stat};

/// The file in `.git` that says which commit is being checked out. It is there only meanwhile: what a checkout that was cut
/// short leaves are no changes of anybody's.
pub(super) const UNDER_WAY: &str = "wildebeest-checkout";

/// The id of a commit, with all its digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Commit(String);

impl Commit {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_id = is_hex(text, 40..41) || is_hex(text, 64..65);
        is_id.then(|| Self(text.to_ascii_lowercase()))
    }

    pub(super) fn short(&self) -> &str {
        &self.0[..12]
    }

    pub(super) fn id(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text is so many hex digits.
pub(super) fn is_hex(text: &str, length: Range<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What there is at the place of the checkout.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Facts {
    pub(super) is_there: bool,
    pub(super) is_empty: bool,
    pub(super) is_clone: bool,
    /// Who owns it.
    pub(super) owner: Option<u32>,
    /// The commit that is checked out; nothing where a branch is, since that is to be none.
    pub(super) head: Option<Commit>,
    /// The branch that is checked out.
    pub(super) branch: Option<String>,
    pub(super) remote: Option<String>,
    pub(super) was_cut_short: bool,
}

impl Facts {
    /// What is checked out, in a word.
    pub(super) fn head_word(&self) -> String {
        let head = self.head.as_ref().map(|head| head.short().to_owned());
        let branch = self.branch.as_ref().map(|branch| format!("the branch {branch}"));
        head.or(branch).unwrap_or_else(|| "nothing".into())
    }
}

pub(super) fn of(system: &System, path: &Path, found: Option<Stat>) -> Result<Facts, FileError> {
    let Some(found) = found else { return Ok(Facts { is_empty: true, ..Facts::default() }) };
    let text = |name: &str| -> Result<Option<String>, FileError> {
        let bytes = system.read_file(path.join(".git").join(name))?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    };
    let head = text("HEAD")?;
    Ok(Facts {
        is_there: true,
        is_empty: head.is_none() && files::list(system.path(path))?.is_empty(),
        is_clone: head.is_some(),
        owner: Some(found.uid),
        head: head.as_deref().and_then(|head| Commit::parse(head.trim())),
        branch: head.as_deref().and_then(|head| head.trim().strip_prefix("ref: refs/heads/")).map(str::to_owned),
        remote: text("config")?.as_deref().and_then(remote_in),
        was_cut_short: text(UNDER_WAY)?.is_some(),
    })
}

/// The URL of the remote `origin` in a `.git/config`.
fn remote_in(config: &str) -> Option<String> {
    let lines = config.lines().map(str::trim).skip_while(|line| *line != r#"[remote "origin"]"#).skip(1);
    let mut keys = lines.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once('='));
    keys.find(|(key, _)| key.trim() == "url").map(|(_, url)| url.trim().trim_matches('"').to_owned())
}

/// The commit of a tag or a branch in what `git ls-remote` says: lines of an id, a tab and a name. A tag with a message is
/// an object of its own, and `^{}` after its name is its commit.
pub(super) fn commit_of(said: &str, wanted: &str) -> Found {
    let named = |name: &str| {
        let line = said.lines().find_map(|line| line.split_once('\t').filter(|(_, found)| *found == name));
        line.and_then(|(id, _)| Commit::parse(id))
    };
    let tag = named(&format!("refs/tags/{wanted}^{{}}")).or_else(|| named(&format!("refs/tags/{wanted}")));
    match (tag, named(&format!("refs/heads/{wanted}"))) {
        (Some(tag), Some(branch)) if tag != branch => Found::Both,
        (tag, branch) => tag.or(branch).map_or(Found::Nothing, Found::Commit),
    }
}

/// What a name stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Commit(Commit),
    Nothing,
    /// Both a tag and a branch, of different commits.
    Both,
}

/// The files that somebody changed, in what `git status --porcelain -z` says.
pub(super) fn changes_in(said: &[u8]) -> Vec<String> {
    let fields = said.split(|byte| *byte == 0).filter(|field| field.len() > 3 && field[2] == b' ');
    fields.map(|field| String::from_utf8_lossy(&field[3..]).into_owned()).collect()
}

/// The submodules that `git submodule status` marks: with `-` where there is none yet, with `+` where it is at another
/// commit, with `U` where it is at two. Behind the path may stand what the commit is called, in brackets.
pub(super) fn submodules_in(said: &str) -> Vec<String> {
    let marked = said.lines().filter_map(|line| line.strip_prefix(['-', '+', 'U'])?.split_once(' '));
    marked.map(|(_, path)| path.rsplit_once(" (").map_or(path, |(path, _)| path).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
    const B: &str = "0000000000000000000000000000000000000001";

    #[test]
    fn a_commit_has_all_its_digits() {
        assert_eq!(Commit::parse(&A.to_uppercase()).unwrap().id(), A);
        assert!(Commit::parse(&A[1..]).is_none() && Commit::parse("main").is_none());
        assert!(Commit::parse(&"a".repeat(64)).is_some());
    }

    #[test]
    fn the_remote_stands_in_the_configuration() {
        let config =
            "[core]\n\tbare = false\n\turl = no\n[remote \"origin\"]\n\turl = https://a/b.git\n\tfetch = +refs\n";
        assert_eq!(remote_in(config).as_deref(), Some("https://a/b.git"));
        assert_eq!(remote_in("[remote \"other\"]\n\turl = x\n"), None);
        assert_eq!(remote_in("[remote \"origin\"]\n[branch \"a\"]\n\turl = x\n"), None);
    }

    #[test]
    fn a_name_is_a_tag_or_a_branch() {
        let commit = |id: &str| Found::Commit(Commit::parse(id).unwrap());
        let check = |said: &str, expect: Found| assert_eq!(commit_of(said, "v1"), expect, "{said}");
        check(&format!("{A}\trefs/heads/v1\n{B}\trefs/heads/v12\n"), commit(A));
        check(&format!("{A}\trefs/tags/v1\n{B}\trefs/tags/v1^{{}}\n"), commit(B));
        check(&format!("{A}\trefs/tags/v1\n{A}\trefs/heads/v1\n"), commit(A));
        check(&format!("{A}\trefs/tags/v1\n{B}\trefs/heads/v1\n"), Found::Both);
        check(&format!("{A}\trefs/heads/x/v1\n"), Found::Nothing);
        check("", Found::Nothing);
    }

    #[test]
    fn submodules_that_are_elsewhere_are_marked() {
        let said = format!(" {A} fine (v1)\n+{A} lib/a b (heads/main)\n-{B} new\nU{B} both\n");
        assert_eq!(submodules_in(&said), ["lib/a b", "new", "both"]);
        assert_eq!(submodules_in(""), [] as [&str; 0]);
    }

    #[test]
    fn changes_are_listed_by_their_files() {
        assert_eq!(changes_in(b" M a b\0R  new\0old\0"), ["a b", "new"]);
        assert_eq!(changes_in(b""), [] as [&str; 0]);
    }
}
