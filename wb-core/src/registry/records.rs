//! What `git log --raw -z` says, commit by commit: one function builds the command, one reads the output.

use crate::system::Command;

/// Where the crate's chain lies in a repository, when the crate lies at `place`.
pub(super) fn chain_dir(place: &str) -> String {
    super::repository::Repository::path(place, "src/chain")
}

/// All chains of a repository, wherever they lie.
pub(super) const ALL_CHAINS: &str = ":(top,glob)**/src/chain/*.rs";

/// Adds what makes a `git log` readable by [`read`]. Commits that change nothing under the paths are shown too
/// (`--sparse`), with their true parents: git would have to look at each in any case, and merges stay what they are. Of
/// a merge, `-c` shows what differs from all parents.
pub(super) fn arguments(git: Command) -> Command {
    let shown = ["--full-history", "--sparse", "--topo-order", "-c", "--root", "--raw", "-z", "--no-renames"];
    let plain = ["--no-abbrev", "--no-relative", "--no-color", "--no-notes", "--no-decorate", "--no-ext-diff"];
    git.arg("log").args(shown).args(plain).args(["--encoding=UTF-8", "--format=%x01%H %P"])
}

/// A commit, and what it did to the paths that were asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) id: &'a str,
    parents: &'a str,
    pub(super) changes: Vec<Change<'a>>,
}

impl<'a> Record<'a> {
    pub(super) fn parents(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.parents.split(' ').filter(|parent| !parent.is_empty())
    }

    /// Whether `id` is its parent, and the only one.
    pub(super) fn follows(&self, id: &str) -> bool {
        self.parents == id
    }
}

/// A file that is new or gone, compared with every parent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change<'a> {
    pub(super) path: &'a str,
    /// Its content; where it is gone, what it was.
    pub(super) blob: &'a str,
    pub(super) is_new: bool,
}

/// Reads the output, in its order: children before parents. Nothing where it is none.
///
/// Files that differ and are neither new nor gone are left out. A long history has a long output, and this runs in a
/// compiler's macro, without optimization: so it takes few steps for each commit.
pub(super) fn read(output: &str) -> Option<Vec<Record<'_>>> {
    let mut records: Vec<Record<'_>> = Vec::new();
    let mut tokens = output.split('\0');
    while let Some(token) = tokens.next() {
        if let Some(commit) = token.strip_prefix('\u{1}') {
            let (id, parents) = commit.split_once(' ')?;
            records.push(Record { id, parents, changes: Vec::new() });
            continue;
        }
        let token = token.trim_start_matches('\n');
        if !token.is_empty() {
            let (path, record) = (tokens.next()?, records.last_mut()?);
            record.changes.extend(change(token, path)?);
        }
    }
    Some(records)
}

/// `:100644 000000 <blob> <blob> D`; of a merge, with a colon, a mode, a blob and a letter for each parent.
fn change<'a>(token: &'a str, path: &'a str) -> Option<Option<Change<'a>>> {
    let fields = token.trim_start_matches(':');
    let parents = token.len() - fields.len();
    let fields: Vec<&str> = fields.split(' ').collect();
    let (old, new, letters) =
        (fields.get(parents + 1)?, fields.get(2 * parents + 1)?, fields.get(2 * parents + 2)?.as_bytes());
    let all = |letter| letters.iter().all(|other| *other == letter);
    Some(match (all(b'A'), all(b'D')) {
        (true, _) => Some(Change { path, blob: new, is_new: true }),
        (_, true) => Some(Change { path, blob: old, is_new: false }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(output: &str, expect: &str) {
        let output = output.replace('|', "\0").replace('^', "\u{1}");
        let records = read(&output);
        let change =
            |change: &Change<'_>| format!("{}{}={}", if change.is_new { "+" } else { "-" }, change.path, change.blob);
        let text = |record: &Record<'_>| {
            let changes: Vec<String> = record.changes.iter().map(change).collect();
            format!("{}({}) {}", record.id, record.parents().collect::<Vec<_>>().join(","), changes.join(" "))
        };
        let said = records.map(|records| records.iter().map(text).collect::<Vec<_>>().join("; "));
        assert_eq!(said.as_deref().unwrap_or("nonsense"), expect, "{output:?}");
    }

    #[test]
    fn a_commit_with_its_parents_and_what_is_new_or_gone() {
        check("", "");
        check("^c |", "c() ");
        check(
            "^b a|\n:000000 100644 0 1 A|src/chain/x.rs|:100644 000000 2 0 D|src/chain/y.rs|^a |", //
            "b(a) +src/chain/x.rs=1 -src/chain/y.rs=2; a() ",
        );
    }

    #[test]
    fn what_is_only_edited_is_left_out() {
        check("^b a|\n:100644 100644 1 2 M|src/chain/x.rs|", "b(a) ");
    }

    #[test]
    fn of_a_merge_what_no_parent_has() {
        check("^m a b||::000000 000000 100644 0 0 1 AA|x.rs|::000000 100644 100644 0 1 2 AM|y.rs|", "m(a,b) +x.rs=1");
        check("^m a b||::100644 100644 000000 1 1 0 DD|x.rs|", "m(a,b) -x.rs=1");
    }

    #[test]
    fn a_path_may_hold_anything() {
        check("^b a|\n:000000 100644 0 1 A|:a b\n.rs|", "b(a) +:a b\n.rs=1");
    }

    #[test]
    fn nonsense_is_no_output() {
        check("fatal: no|such", "nonsense");
        check("^b a|:1 A|x|", "nonsense");
        check("^b|", "nonsense");
    }
}
