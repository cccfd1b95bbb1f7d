//! What a build depends on that cargo can't see: git's HEAD, new files, new assets.
//!
//! Cargo runs a compiler again only when files that it knows of have changed, and a macro's own reads are invisible to
//! it. A build script can name more. A commit, an amend, a branch switch and packed refs all touch one of the files
//! named here; a fetch touches none of them. Paths that are not there would make the script run at every build, so only
//! those that are there are named, and always the directory `refs/heads`, in which a branch appears again after `git gc`
//! packed it.

use std::path::{Path, PathBuf};

use crate::system::{Command, environment, files};

/// The whole of a fleet's `build.rs`: `fn main() { wb_core::registry::track(); }`.
///
/// Prints what cargo must watch, and the variable `WB_HEAD`, by which `chain!()` knows that somebody watches. Without
/// git or a repository there is nothing to watch but files, and it prints a warning.
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
    match in_git(crate_dir) {
        Some(paths) => lines.extend(paths.iter().map(|path| changed(path))),
        None => lines.push("warning=no git repository here: the order of migrations is not checked".to_owned()),
    }
    let head = git(crate_dir, &["rev-parse", "--verify", "--quiet", "HEAD"]).unwrap_or_default();
    lines.push(format!("rustc-env=WB_HEAD={head}"));
    lines
}

fn in_git(crate_dir: &Path) -> Option<Vec<PathBuf>> {
    let path = |name| git(crate_dir, &["rev-parse", "--path-format=absolute", "--git-path", name]).map(PathBuf::from);
    let heads = path("refs/heads")?;
    let others = ["HEAD", "logs/HEAD", "packed-refs"].into_iter().filter_map(path).filter(|path| files::exists(path));
    Some(others.chain([heads]).collect())
}

fn git(dir: &Path, args: &[&str]) -> Option<String> {
    let command = Command::new("git").args(args).dir(dir);
    let inherited = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"];
    inherited.iter().fold(command, |command, name| command.env_remove(name)).read().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(crate_dir: &Path, expect: &[&str]) {
        let lines = lines(crate_dir).join("\n");
        for expected in expect {
            assert!(lines.contains(expected), "{expected} in\n{lines}");
        }
    }

    #[test]
    fn a_repository_is_watched() {
        let dir = tempfile::tempdir().unwrap();
        let run = |args: &[&str]| git(dir.path(), args).unwrap();
        run(&["init", "--quiet"]);
        files::create_dir(dir.path().join("fleet/src/chain")).unwrap();
        files::write(dir.path().join("fleet/build.rs"), "", 0o644).unwrap();
        run(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "--message", "one"]);
        let head = format!("rustc-env=WB_HEAD={}", run(&["rev-parse", "HEAD"]));
        check(
            &dir.path().join("fleet"),
            &["fleet/build.rs\n", "fleet/src/chain\n", ".git/HEAD\n", ".git/logs/HEAD\n", ".git/refs/heads\n", &head],
        );
    }

    #[test]
    fn what_is_not_there_is_not_named() {
        let dir = tempfile::tempdir().unwrap();
        git(dir.path(), &["init", "--quiet"]).unwrap();
        let lines = lines(dir.path()).join("\n");
        assert!(
            !["chain.lock", "assets", "packed-refs", "logs/HEAD"].iter().any(|name| lines.contains(name)),
            "{lines}"
        );
    }

    #[test]
    fn without_a_repository_there_is_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        check(dir.path(), &["warning=no git repository here", "rustc-env=WB_HEAD="]);
    }
}
