//! Who introduced what, and when: what people want to know of commits of the source repository.
//!
//! The chain is made by [`resolve`](super::resolve), and by nothing here. These are looks at single names and commits,
//! for commands that write migrations and that show them.

use std::collections::BTreeMap;
use std::path::Path;

use super::reader;
use crate::chain::Sha1;
use crate::system::{Command, CommandError};

/// A commit that added a file of `src/chain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// The stem of the file.
    pub name: String,
    /// The commit.
    pub byline: Byline,
    /// The branch by which it was found, or `HEAD`.
    pub found_by: String,
}

/// Who made a commit, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Byline {
    /// The commit.
    pub sha1: Sha1,
    /// The name of its author.
    pub author: String,
    /// When it was written, in seconds since 1970, UTC.
    pub time: u64,
}

/// Every file of `src/chain` that HEAD's history ever added, the newest first, also those that are gone.
///
/// # Errors
/// When git can't read the repository around `crate_dir`.
pub fn introductions(crate_dir: &Path) -> Result<Vec<Introduction>, CommandError> {
    if !has_commits(crate_dir)? {
        return Ok(Vec::new());
    }
    added(crate_dir, &["HEAD"])
}

/// Every file of `src/chain` that branches known here added, and HEAD's history did not.
///
/// # Errors
/// When git can't read the repository around `crate_dir`.
pub fn introductions_elsewhere(crate_dir: &Path) -> Result<Vec<Introduction>, CommandError> {
    if !has_commits(crate_dir)? {
        return Ok(Vec::new());
    }
    added(crate_dir, &["--branches", "--remotes", "--not", "HEAD"])
}

/// Who made these commits. One that is not here is left out.
///
/// # Errors
/// When git can't read the repository around `dir`.
pub fn bylines(dir: &Path, commits: &[Sha1]) -> Result<BTreeMap<Sha1, Byline>, CommandError> {
    if commits.is_empty() {
        return Ok(BTreeMap::new());
    }
    let wanted: String = commits.iter().map(|sha1| format!("{sha1}\n")).collect();
    let log =
        git(dir).args(["log", "--no-walk=unsorted", "--ignore-missing", "--stdin", &format!("--format={FORMAT}")]);
    let said = log.stdin(wanted).read()?;
    Ok(said.lines().filter_map(byline).map(|(byline, _)| (byline.sha1, byline)).collect())
}

/// What a file of the crate said in a commit, where it had that file.
#[must_use]
pub fn file_in(crate_dir: &Path, commit: Sha1, path: &str) -> Option<String> {
    // Not `read`, which drops the end of the last line.
    let output = git(crate_dir).args(["show", &format!("{commit}:./{path}")]).run().ok()?;
    (output.code == 0).then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A line that no path looks like.
const FORMAT: &str = "%x01%H%x02%at%x02%S%x02%an";

fn added(crate_dir: &Path, revisions: &[&str]) -> Result<Vec<Introduction>, CommandError> {
    let format = format!("--format={FORMAT}");
    let log =
        ["log", "--source", "--name-only", "--diff-filter=A", "--no-renames", "--diff-merges=first-parent", &format];
    let log = git(crate_dir).args(log).args(revisions).args(["--", ":(glob)src/chain/*.rs"]);
    Ok(read_log(&log.read()?))
}

/// Reads commits in [`FORMAT`], each with the paths that it added.
fn read_log(log: &str) -> Vec<Introduction> {
    let (mut found, mut current) = (Vec::new(), None);
    for line in log.lines() {
        match (byline(line), &current) {
            (Some(commit), _) => current = Some(commit),
            (None, Some((byline, found_by))) => found.extend(stem(line).map(|name| Introduction {
                name,
                byline: byline.clone(),
                found_by: found_by.clone(),
            })),
            (None, None) => {}
        }
    }
    found
}

fn byline(line: &str) -> Option<(Byline, String)> {
    let mut parts = line.strip_prefix('\u{1}')?.splitn(4, '\u{2}');
    let (sha1, time, found_by, author) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let author = author.to_owned();
    let byline = Byline { sha1: sha1.parse().ok()?, author, time: time.parse().ok()? };
    Some((byline, found_by.to_owned()))
}

fn stem(path: &str) -> Option<String> {
    path.rsplit_once("src/chain/")?.1.strip_suffix(".rs").map(str::to_owned)
}

fn has_commits(dir: &Path) -> Result<bool, CommandError> {
    let head = git(dir).args(["rev-parse", "--verify", "--quiet", "HEAD"]);
    Ok(head.run()?.code == 0)
}

fn git(dir: &Path) -> Command {
    reader::git(dir).args(["-c", "core.quotePath=false", "--no-pager"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::files;

    #[test]
    fn a_log_is_read_commit_by_commit() {
        let (a, b) = ("a1".repeat(20), "b2".repeat(20));
        let log = format!(
            "\u{1}{a}\u{2}1000\u{2}refs/heads/cache\u{2}Ana Lu\n\nfleet/src/chain/add_cache.rs\n\
             fleet/src/chain/add_queue.rs\n\u{1}{b}\u{2}900\u{2}HEAD\u{2}\n\nsrc/chain/a.txt\nsrc/chain/b.rs\n"
        );
        let read: Vec<String> =
            read_log(&log).iter().map(|i| format!("{} {:?} {}", i.name, i.byline, i.found_by)).collect();
        let by =
            |sha1: &str, author, time| format!("Byline {{ sha1: Sha1({sha1}), author: {author:?}, time: {time} }}");
        let ana = by(&a, "Ana Lu", 1000);
        let expect = [
            format!("add_cache {ana} refs/heads/cache"),
            format!("add_queue {ana} refs/heads/cache"),
            format!("b {} HEAD", by(&b, "", 900)),
        ];
        assert_eq!(read, expect);
    }

    #[test]
    fn what_is_no_log_gives_nothing() {
        for log in ["", "src/chain/a.rs\n", "\u{1}main\u{2}1\u{2}HEAD\u{2}a\nsrc/chain/a.rs\n", "\u{1}\n\u{1}\u{2}\n"] {
            assert_eq!(read_log(log), [], "{log:?}");
        }
    }

    #[test]
    fn what_git_really_says_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let run = |args: &[&str]| {
            git(dir.path()).args(["-c", "user.name=Ana", "-c", "user.email=a@b"]).args(args).read().unwrap()
        };
        run(&["init", "--quiet", "--initial-branch=main"]);
        assert_eq!(introductions(dir.path()).unwrap(), [], "no commit yet");
        let commit = |name: &str| {
            files::create_dir(dir.path().join("src/chain")).unwrap();
            files::write(dir.path().join("src/chain").join(name), "//\n", 0o644).unwrap();
            run(&["add", "."]);
            run(&["commit", "--quiet", "--message", name]);
        };
        commit("a.rs");
        run(&["rm", "--quiet", "src/chain/a.rs"]);
        commit("b.rs");
        run(&["checkout", "--quiet", "-b", "other"]);
        commit("d.rs");
        run(&["checkout", "--quiet", "main"]);
        let here = introductions(dir.path()).unwrap();
        run(&["replace", "HEAD", "other"]);
        assert_eq!(introductions(dir.path()).unwrap(), here, "what one clone replaces counts nowhere");
        assert_eq!(here.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        let elsewhere = introductions_elsewhere(dir.path()).unwrap();
        assert_eq!((elsewhere[0].name.as_str(), elsewhere[0].found_by.as_str()), ("d", "other"));
        let known = bylines(dir.path(), &[here[1].byline.sha1, Sha1::from_bytes([9; 20])]).unwrap();
        assert_eq!(known.into_values().map(|byline| byline.author).collect::<Vec<_>>(), ["Ana"]);
        let landed = |sha1| file_in(dir.path(), sha1, "src/chain/a.rs");
        assert_eq!((landed(here[1].byline.sha1).as_deref(), landed(here[0].byline.sha1)), (Some("//\n"), None));
    }
}
