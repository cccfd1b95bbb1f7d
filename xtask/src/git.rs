//! A git repository with its work tree, through the git command. What goes over a network is not here, but in
//! [`wb_core::registry`].

use std::path::{Path, PathBuf};

use wb_core::chain::{ParseIdError, Sha1};
use wb_core::registry::{Access, Git};
use wb_core::system::{Command, CommandError, environment, files};

/// Who makes commits where git knows of nobody.
pub const TOOL_NAME: &str = "wildebeest";
/// The address of [`TOOL_NAME`].
pub const TOOL_EMAIL: &str = "wildebeest@localhost";

/// A repository with files checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkTree {
    dir: PathBuf,
}

/// What failed in a repository.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The directory is in no repository, or one that git does not open.
    #[error("{} is in no git repository that git opens", dir.display())]
    NoRepository {
        /// Where it was looked for.
        dir: PathBuf,
        /// What git said.
        source: CommandError,
    },
    /// A command of git failed.
    #[error("could not {action} in {}", dir.display())]
    Command {
        /// What was being done.
        action: &'static str,
        /// In which repository.
        dir: PathBuf,
        /// What git said.
        source: CommandError,
    },
    /// Git answered with something that is no commit.
    #[error("could not read which commit git made in {}", dir.display())]
    NoCommit {
        /// In which repository.
        dir: PathBuf,
        /// What it was instead.
        source: ParseIdError,
    },
}

impl WorkTree {
    /// The repository whose work tree has its top in `dir`; whether there is one is not looked at.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Makes a repository in `dir`, its branch `main`.
    ///
    /// # Errors
    /// When git fails.
    pub fn create(dir: &Path) -> Result<Self, GitError> {
        let tree = Self { dir: dir.to_owned() };
        tree.run("make a repository", &["init", "--quiet", "--initial-branch=main"])?;
        Ok(tree)
    }

    /// Makes a clone of this repository in `dir`, which is absolute: with what is checked out here, and nothing that is not
    /// committed.
    ///
    /// # Errors
    /// When something is there, or git fails.
    pub fn clone_into(&self, dir: &Path) -> Result<Self, GitError> {
        let clone = self.git().args(["clone", "--quiet", "--no-hardlinks", "--"]).arg(&self.dir).arg(dir);
        clone.read().map_err(|source| self.failed("make a clone", source))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Where a directory of a work tree lies in it.
    ///
    /// # Errors
    /// When it is in none.
    pub fn place_of(dir: &Path) -> Result<PathBuf, GitError> {
        let place = git(dir).args(["rev-parse", "--show-prefix"]).read();
        place.map(PathBuf::from).map_err(|source| GitError::NoRepository { dir: dir.to_owned(), source })
    }

    /// The repository that `dir` is in.
    ///
    /// # Errors
    /// When it is in none, or git refuses to open it.
    pub fn around(dir: &Path) -> Result<Self, GitError> {
        match git(dir).args(["rev-parse", "--show-toplevel"]).read() {
            Ok(top) => Ok(Self { dir: top.into() }),
            Err(source) => Err(GitError::NoRepository { dir: dir.to_owned(), source }),
        }
    }

    /// The repository into whose work tree something new in `dir` would fall, where there is one that does not ignore it.
    #[must_use]
    pub fn that_would_have(dir: &Path) -> Option<Self> {
        let parent = dir.ancestors().skip(1).find(|parent| files::exists(parent))?;
        let tree = Self::around(parent).ok()?;
        let ignored = tree.git().args(["check-ignore", "--quiet"]).arg(dir).run().is_ok_and(|output| output.code == 0);
        (!ignored).then_some(tree)
    }

    /// The top of the work tree.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Commits all that differs in the work tree.
    ///
    /// # Errors
    /// When git fails, and when nothing differs.
    pub fn commit_all(&self, message: &str) -> Result<Sha1, GitError> {
        self.run("add files", &["add", "--all"])?;
        let commit = with_identity(self.git(), &self.identity());
        let commit = commit.args(["commit", "--quiet", "--no-gpg-sign", "-m", message]);
        commit.read().map_err(|source| self.failed("commit", source))?;
        self.head()
    }

    /// Whether a commit is in this repository, in its history or not.
    #[must_use]
    pub fn has_commit(&self, sha1: Sha1) -> bool {
        self.git().args(["cat-file", "-e", &format!("{sha1}^{{commit}}")]).run().is_ok_and(|output| output.code == 0)
    }

    /// The commit that is checked out.
    ///
    /// # Errors
    /// When there is none yet.
    pub fn head(&self) -> Result<Sha1, GitError> {
        let text = self.run("find the commit that is checked out", &["rev-parse", "--verify", "HEAD"])?;
        text.parse().map_err(|source| GitError::NoCommit { dir: self.dir.clone(), source })
    }

    /// The files that differ from the commit that is checked out, new ones included.
    ///
    /// # Errors
    /// When git fails.
    pub fn dirty(&self) -> Result<Vec<String>, GitError> {
        let status = ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"];
        // What git would note of it in its index would be root's under sudo.
        let compared = self.git().env("GIT_OPTIONAL_LOCKS", "0").args(status).read();
        Ok(dirty_paths(&compared.map_err(|source| self.failed("compare files", source))?))
    }

    /// The files that git tracks under `dir`, relative to it.
    ///
    /// # Errors
    /// When git fails.
    pub fn tracked(dir: &Path) -> Result<Vec<PathBuf>, GitError> {
        let list = git(dir).args(["-c", "safe.directory=*", "ls-files", "-z", "--cached"]);
        let list = list.read().map_err(|source| GitError::NoRepository { dir: dir.to_owned(), source })?;
        Ok(list.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from).collect())
    }

    /// The directory that git keeps for itself, the same for all work trees of the repository.
    ///
    /// # Errors
    /// When git fails.
    pub fn git_dir(&self) -> Result<PathBuf, GitError> {
        let args = ["rev-parse", "--path-format=absolute", "--git-common-dir"];
        self.run("find the git directory", &args).map(PathBuf::from)
    }

    /// Gives what root made in `dir`, which is of git's own directory, to the one to whom the repository belongs: after
    /// `sudo` that one could not write there any more.
    ///
    /// # Errors
    /// When it can't be given.
    pub fn give_back(&self, dir: &Path) -> Result<(), GitError> {
        let owner = files::stat(self.git_dir()?).ok().flatten();
        match owner.filter(|owner| environment::user() == 0 && owner.uid != 0 && files::exists(dir)) {
            Some(owner) => given(dir, &owner).read().map(drop).map_err(|source| self.failed("give back files", source)),
            None => Ok(()),
        }
    }

    /// What a file said in a commit, where it was there.
    #[must_use]
    pub fn content(&self, commit: Sha1, path: &str) -> Option<Vec<u8>> {
        let show = self.git().args(["cat-file", "blob"]).arg(format!("{commit}:{path}"));
        show.run().ok().filter(|output| output.code == 0).map(|output| output.stdout)
    }

    /// What git has begun here, and not ended.
    ///
    /// # Errors
    /// When git fails.
    pub fn under_way(&self) -> Result<Option<UnderWay>, GitError> {
        let has = |name| {
            let args = ["rev-parse", "--path-format=absolute", "--git-path", name];
            self.run("find the git directory", &args).map(files::exists)
        };
        if has("rebase-merge")? || has("rebase-apply")? {
            return Ok(Some(UnderWay::Rebase));
        }
        Ok(if has("MERGE_HEAD")? { Some(UnderWay::Merge) } else { None })
    }

    /// The files of `src/chain` that each side of a merge brings and the other does not, by stem.
    ///
    /// # Errors
    /// When no merge is under way, or git fails.
    pub fn merged(&self, crate_dir: &Path) -> Result<Merged, GitError> {
        let other = self.run("find what is being merged", &["rev-parse", "--verify", "MERGE_HEAD"])?;
        let other = other.parse().map_err(|source| GitError::NoCommit { dir: self.dir.clone(), source })?;
        let added = |range: &str| {
            let diff = ["diff", "--name-only", "--diff-filter=A", "--no-renames", "--relative", "-z", range, "--"];
            let diff = git(crate_dir).args(diff).arg(":(glob)src/chain/*.rs").read();
            let list = diff.map_err(|source| self.failed("compare the sides of a merge", source))?;
            let stem = |path: &str| Some(path.strip_prefix("src/chain/")?.strip_suffix(".rs")?.to_owned());
            Ok(list.split('\0').filter_map(stem).collect::<Vec<String>>())
        };
        let (ours, theirs) = (added("MERGE_HEAD...HEAD")?, added("HEAD...MERGE_HEAD")?);
        let without = |all: &[String], known: &[String]| {
            all.iter().filter(|name| !known.contains(name)).cloned().collect::<Vec<String>>()
        };
        Ok(Merged { other, ours: without(&ours, &theirs), theirs: without(&theirs, &ours) })
    }

    /// Where the remote `origin` is, where there is one.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        self.git().args(["remote", "get-url", "origin"]).read().ok().filter(|url| !url.is_empty())
    }

    /// A setting, where there is one.
    #[must_use]
    pub fn config(&self, key: &str) -> Option<String> {
        self.git().args(["config", "--get", key]).read().ok().filter(|value| !value.is_empty())
    }

    /// Gives a setting a value.
    ///
    /// # Errors
    /// When git fails.
    pub fn set_config(&self, key: &str, value: &str) -> Result<(), GitError> {
        self.run("write a setting", &["config", key, value]).map(drop)
    }

    /// Who decides here, as `name <address>`.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let of = |variable, key, tool: &str| {
            environment::var(variable).or_else(|| self.config(key)).unwrap_or_else(|| tool.to_owned())
        };
        Identity {
            name: of("GIT_AUTHOR_NAME", "user.name", TOOL_NAME),
            email: of("GIT_AUTHOR_EMAIL", "user.email", TOOL_EMAIL),
        }
    }

    fn run(&self, action: &'static str, args: &[&str]) -> Result<String, GitError> {
        self.git().args(args).read().map_err(|source| self.failed(action, source))
    }

    fn failed(&self, action: &'static str, source: CommandError) -> GitError {
        GitError::Command { action, dir: self.dir.clone(), source }
    }

    fn git(&self) -> Command {
        git(&self.dir)
    }
}

/// What git stops in the middle of, for somebody to resolve a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnderWay {
    /// `git merge`.
    Merge,
    /// `git rebase`.
    Rebase,
}

/// What the two sides of a merge bring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The commit that is being merged.
    pub other: Sha1,
    /// What only this side has.
    pub ours: Vec<String>,
    /// What only the other side has.
    pub theirs: Vec<String>,
}

/// Who makes a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// A person, or the tool.
    pub name: String,
    /// Their address.
    pub email: String,
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} <{}>", self.name, self.email)
    }
}

/// The command line that commits these files, and nothing else that differs. They are relative to the top of the
/// repository; the line can be run anywhere in it.
#[must_use]
pub fn commit_line(files: &[String], message: &str) -> String {
    let files: Vec<String> = files.iter().map(|file| format!(":/{file}")).collect();
    let add = Command::new("git").arg("add").args(&files).line();
    let commit = Command::new("git").args(["commit", "-m", message, "--"]).args(&files).line();
    format!("{add} && {commit}")
}

/// A file of the crate at `place`, relative to the top of the repository.
#[must_use]
pub fn path_in(place: &str, file: &str) -> String {
    if place.is_empty() { file.to_owned() } else { format!("{place}/{file}") }
}

/// Git in `dir`, never with hooks: the commits of a scaffold are none of the user's other work.
pub(crate) fn git(dir: &Path) -> Command {
    Git::new(Access::Operator { ssh_command: None }).local(dir)
}

/// The command that gives to this owner what is root's. Links lead it nowhere.
fn given(dir: &Path, owner: &files::Stat) -> Command {
    let whose = format!("{}:{}", owner.uid, owner.gid);
    Command::new("chown").args(["--recursive", "--no-dereference", "--from=0", &whose, "--"]).arg(dir)
}

fn with_identity(git: Command, identity: &Identity) -> Command {
    git.env("GIT_AUTHOR_NAME", &identity.name)
        .env("GIT_AUTHOR_EMAIL", &identity.email)
        .env("GIT_COMMITTER_NAME", &identity.name)
        .env("GIT_COMMITTER_EMAIL", &identity.email)
}

/// Reads `git status --porcelain=v1 -z --no-renames`, as in ` M src/chain.rs\0?? src/chain/a.rs\0`.
fn dirty_paths(status: &str) -> Vec<String> {
    status.split('\0').filter_map(|entry| entry.get(3..)).filter(|path| !path.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dirty_paths_are_read_from_the_status() {
        let check = |status: &str, expect: &[&str]| assert_eq!(dirty_paths(status), expect, "{status:?}");
        check("", &[]);
        check(" M src/chain.rs\0?? src/chain/a b.rs\0", &["src/chain.rs", "src/chain/a b.rs"]);
        check("D  é\0", &["é"]);
        check("x", &[]);
    }

    #[test]
    fn a_commit_is_made_and_its_files_are_clean() {
        let dir = tempfile::tempdir().unwrap();
        let tree = WorkTree::create(dir.path()).unwrap();
        files::write(dir.path().join("a"), "one", 0o644).unwrap();
        assert_eq!(tree.dirty().unwrap(), ["a"]);
        let sha1 = tree.commit_all("First").unwrap();
        assert_eq!((tree.dirty().unwrap(), tree.head().unwrap()), (Vec::<String>::new(), sha1));
        assert_eq!(WorkTree::tracked(dir.path()).unwrap(), [PathBuf::from("a")]);
    }

    #[test]
    fn a_clone_has_what_is_committed() {
        let dir = tempfile::tempdir().unwrap();
        let top = files::canonical(dir.path()).unwrap();
        files::create_dir(top.join("one/crate")).unwrap();
        let tree = WorkTree::create(&top.join("one")).unwrap();
        files::write(top.join("one/crate/a"), "one", 0o644).unwrap();
        let sha1 = tree.commit_all("First").unwrap();
        files::write(top.join("one/crate/a"), "two", 0o644).unwrap();
        let clone = tree.clone_into(&top.join("two")).unwrap();
        clone.set_config("user.name", "Anna").unwrap();
        assert_eq!((clone.head().unwrap(), clone.config("user.name").as_deref()), (sha1, Some("Anna")));
        assert_eq!(files::read_text(top.join("two/crate/a")).unwrap(), "one");
        let place = |dir: &str| WorkTree::place_of(&top.join(dir)).unwrap();
        assert_eq!([place("two/crate"), place("two")], [PathBuf::from("crate/"), PathBuf::new()]);
        assert!(tree.clone_into(&top.join("two")).is_err(), "something is there");
    }

    #[test]
    fn who_has_a_repository_gets_what_root_made_there() {
        let dir = tempfile::tempdir().unwrap();
        let tree = WorkTree::create(dir.path()).unwrap();
        let place = tree.git_dir().unwrap().join("wildebeest");
        tree.give_back(&place).unwrap();
        files::create_dir(&place).unwrap();
        tree.give_back(&place).unwrap();
        let owner = files::Stat { uid: 1000, gid: 100, ..files::stat(&place).unwrap().unwrap() };
        let expect = "chown --recursive --no-dereference --from=0 1000:100 -- '/a b'";
        assert_eq!(given(Path::new("/a b"), &owner).line(), expect);
    }

    #[test]
    fn a_repository_has_what_lies_in_it_and_is_not_ignored() {
        let dir = tempfile::tempdir().unwrap();
        let top = files::canonical(dir.path()).unwrap();
        let check = |place: &str, expect: bool| {
            let tree = WorkTree::that_would_have(&top.join(place));
            assert_eq!(tree.map(|tree| tree.dir), expect.then(|| top.clone()), "{place}");
        };
        check("fleet", false);
        WorkTree::create(&top).unwrap();
        files::write(top.join(".gitignore"), "/target\n", 0o644).unwrap();
        check("fleet", true);
        check("infra/not/there/yet", true);
        check("target/fleet", false);
    }

    #[test]
    fn only_the_files_that_are_named_are_committed() {
        let files = [path_in("my fleet", "chain.lock"), path_in("", "a.rs")];
        let expect =
            "git add ':/my fleet/chain.lock' :/a.rs && git commit -m 'Say why' -- ':/my fleet/chain.lock' :/a.rs";
        assert_eq!(commit_line(&files, "Say why"), expect);
    }

    #[test]
    fn a_directory_in_no_repository_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = WorkTree::around(dir.path()).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{} is in no git repository", dir.path().display())), "{error}");
    }
}
