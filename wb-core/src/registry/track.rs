//! What a build depends on that cargo can't see: git's HEAD, new files, new assets.
//!
//! Cargo runs a compiler again only when files that it knows of have changed, and a macro's own reads are invisible to
//! it. A build script can name more. A commit, an amend, a branch switch and packed refs all touch one of the files
//! named here; a fetch touches none of them. Paths that are not there would make the script run at every build, so only
//! those that are there are named, and always the directory `refs/heads`, in which a branch appears again after `git gc`
//! packed it. In the reftable format all refs of a repository are in one place: there, a fetch that brings something is
//! seen too.
//!
//! A cache of compiled crates (sccache) asks for more: it takes an old result where all files and variables that the
//! compiler names are the same. So what the verdict depends on goes into two variables, which `chain!()` mentions.

use std::path::{Path, PathBuf};

use super::reader;
use crate::chain::Digest;
use crate::system::{environment, files};

/// The whole of a fleet's `build.rs`: `fn main() { wb_core::registry::track(); }`.
///
/// Prints what cargo must watch, and the variables `WB_HEAD` and `WB_SOURCES`, by which `chain!()` knows that somebody
/// watches. Without git or a repository there is nothing to watch but files, and it prints a warning.
#[expect(clippy::print_stdout, reason = "this is how a build script talks to cargo")]
pub fn track() {
    let Some(crate_dir) = environment::var("CARGO_MANIFEST_DIR").map(PathBuf::from) else {
        println!("cargo::warning=track() is for build scripts, which cargo runs");
        return;
    };
    for line in lines(&crate_dir) {
        println!("cargo::{line}");
    }
}

/// The instructions to cargo, without their prefix.
fn lines(crate_dir: &Path) -> Vec<String> {
    let changed = |path: &Path| format!("rerun-if-changed={}", path.display());
    let in_crate = ["build.rs", "src/chain", "src/chain.rs", "chain.lock", "assets"];
    let in_crate = in_crate.iter().map(|name| crate_dir.join(name)).filter(|path| files::exists(path));
    let mut lines: Vec<String> = in_crate.map(|path| changed(&path)).collect();
    lines.extend(waits_for_lock(crate_dir).then(|| changed(crate_dir)));
    let git = in_git(crate_dir);
    match &git {
        Some(git) => lines.extend(git.watched.iter().map(|path| changed(path))),
        None => lines.push("warning=no git repository here: the order of migrations is not checked".to_owned()),
    }
    let (head, cuts) = git.map(|git| (git.head, git.cuts)).unwrap_or_default();
    lines.push(format!("rustc-env=WB_HEAD={head}"));
    lines.push(format!("rustc-env=WB_SOURCES={}", sources(crate_dir, &cuts)));
    lines
}

/// Whether the whole crate is watched, so that a first `chain.lock` is seen. Where the crate has git's directory or
/// cargo's in it, something in it changes all the time; there the lock is seen with the next commit.
fn waits_for_lock(crate_dir: &Path) -> bool {
    let is_busy = |dir: &str| files::exists(crate_dir.join(dir));
    let builds_here = environment::var("OUT_DIR").is_some_and(|out| Path::new(&out).starts_with(crate_dir));
    !files::exists(crate_dir.join("chain.lock")) && !is_busy(".git") && !is_busy("target") && !builds_here
}

/// Where git keeps what HEAD is.
struct InGit {
    watched: Vec<PathBuf>,
    /// Nothing before the first commit.
    head: String,
    /// Where a shallow clone was cut.
    cuts: Vec<u8>,
}

fn in_git(crate_dir: &Path) -> Option<InGit> {
    let ask = ["rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir", "HEAD"];
    let said = reader::git(crate_dir).args(ask).run().ok()?.text();
    let mut said = said.lines();
    let (own, common) = (PathBuf::from(said.next()?), PathBuf::from(said.next()?));
    let head = said.next().filter(|head| *head != "HEAD").unwrap_or_default().to_owned();
    let shallow = common.join("shallow");
    let cuts = files::read_optional(&shallow).ok().flatten().unwrap_or_default();
    let tables = "reftable/tables.list";
    let others = [own.join("HEAD"), own.join("logs/HEAD"), own.join(tables), common.join(tables), shallow];
    let mut watched: Vec<PathBuf> = others.into_iter().filter(|path| files::exists(path)).collect();
    watched.dedup();
    watched.push(common.join("refs/heads"));
    Some(InGit { watched, head, cuts })
}

/// The digest of what macros read and the compiler does not: files that no `mod` line names, the lock, and which assets
/// there are. What these say is named to the compiler where they are used.
fn sources(crate_dir: &Path, cuts: &[u8]) -> Digest {
    let mut paths = files::list(crate_dir.join("src/chain")).unwrap_or_default();
    paths.push(crate_dir.join("chain.lock"));
    let mut text = format!("{}\n", Digest::of(cuts));
    for path in paths {
        if let Ok(Some(bytes)) = files::read_optional(&path) {
            text += &format!("{} {:?}\n", Digest::of(&bytes), path.file_name());
        }
    }
    for (path, _) in files::below(crate_dir.join("assets")).unwrap_or_default() {
        text += &format!("{path:?}\n");
    }
    Digest::of(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(dir: &Path, args: &[&str]) -> String {
        let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
        reader::git(dir).args(who).args(args).read().unwrap()
    }

    fn check(crate_dir: &Path, expect: &[&str], without: &[&str]) {
        let lines = lines(crate_dir).join("\n") + "\n";
        for expected in expect {
            assert!(lines.contains(expected), "{expected} in\n{lines}");
        }
        for unwanted in without {
            assert!(!lines.contains(unwanted), "{unwanted} in\n{lines}");
        }
    }

    fn fleet(format: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        git(dir.path(), &["init", "--quiet", format]);
        let fleet = dir.path().join("fleet");
        files::create_dir(fleet.join("src/chain")).unwrap();
        files::write(fleet.join("build.rs"), "", 0o644).unwrap();
        git(dir.path(), &["commit", "--quiet", "--allow-empty", "--message", "one"]);
        (dir, fleet)
    }

    #[test]
    fn a_repository_is_watched() {
        let (dir, fleet) = fleet("--ref-format=files");
        let head = format!("rustc-env=WB_HEAD={}\n", git(dir.path(), &["rev-parse", "HEAD"]));
        let watched = ["fleet/build.rs\n", "fleet/src/chain\n", ".git/HEAD\n", ".git/logs/HEAD\n", ".git/refs/heads\n"];
        check(&fleet, &watched, &["chain.lock", "assets", "packed-refs", "shallow", "reftable"]);
        check(&fleet, &[&head], &[]);
    }

    #[test]
    fn a_first_lock_is_seen_where_the_crate_is_quiet() {
        let (dir, fleet) = fleet("--ref-format=files");
        check(&fleet, &["rerun-if-changed=", "/fleet\n"], &[]);
        files::write(fleet.join("chain.lock"), "", 0o644).unwrap();
        check(&fleet, &["/fleet/chain.lock\n"], &["/fleet\n"]);
        check(dir.path(), &[], &[&format!("={}\n", dir.path().display())]);
    }

    #[test]
    fn a_work_tree_of_a_repository_is_watched() {
        let (dir, _) = fleet("--ref-format=files");
        let other = tempfile::tempdir().unwrap();
        let tree = other.path().join("tree");
        git(dir.path(), &["worktree", "add", "--quiet", "--detach", tree.to_str().unwrap()]);
        let own = ".git/worktrees/tree";
        check(&tree, &[&format!("{own}/HEAD\n"), &format!("{own}/logs/HEAD\n"), ".git/refs/heads\n"], &[]);
    }

    #[test]
    fn in_the_reftable_format_the_list_of_tables_is_watched() {
        let (_dir, fleet) = fleet("--ref-format=reftable");
        check(&fleet, &[".git/reftable/tables.list\n", ".git/HEAD\n"], &[]);
    }

    #[test]
    fn before_the_first_commit_there_is_no_head() {
        let dir = tempfile::tempdir().unwrap();
        git(dir.path(), &["init", "--quiet"]);
        check(dir.path(), &["rustc-env=WB_HEAD=\n", ".git/HEAD\n"], &["warning", "logs/HEAD"]);
    }

    #[test]
    fn without_a_repository_there_is_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        check(dir.path(), &["warning=no git repository here", "rustc-env=WB_HEAD=\n"], &[]);
    }

    #[test]
    fn what_the_compiler_does_not_read_is_in_a_variable() {
        let dir = tempfile::tempdir().unwrap();
        let (said, mut seen) = (|| sources(dir.path(), b""), Vec::new());
        files::create_dir(dir.path().join("src/chain")).unwrap();
        files::create_dir(dir.path().join("assets")).unwrap();
        for (file, text) in [
            ("src/chain/a.rs", "1"),
            ("src/chain/a.rs", "2"),
            ("src/chain/b.rs", "2"),
            ("chain.lock", ""),
            ("assets/a", ""),
        ] {
            seen.push(said());
            files::write(dir.path().join(file), text, 0o644).unwrap();
            assert!(!seen.contains(&said()), "{file} {text}");
        }
        assert_ne!(said(), sources(dir.path(), b"cut"));
    }
}
