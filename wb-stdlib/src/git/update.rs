//! Running git: each command as the right user, without a question to anybody.

use std::path::{Path, PathBuf};

use wb_core::system::Output;
use wb_core::system::files::{self, Attributes};

use super::facts::{self, Commit, Facts, Found, UNDER_WAY, changes_in, commit_of, submodules_in};
use super::{Checkout, GitError, shown};
use crate::command::{Command, CommandError};
use crate::file::{FileError, Resolved, take_over};
use crate::look::Look as _;
use crate::{Host, owner};

impl Checkout<'_> {
    /// The commit that is wanted. For a name the remote is asked.
    pub(super) fn commit(&self) -> Result<Commit, GitError> {
        if let Some(commit) = Commit::parse(&self.wanted) {
            return Ok(commit);
        }
        let names = ["refs/tags/", "refs/heads/"].map(|kind| format!("{kind}{}", self.wanted));
        let names = [names[0].clone(), format!("{}^{{}}", names[0]), names[1].clone()];
        let asked = self.git(Path::new("/")).args(["ls-remote", "--", &self.url]).args(names);
        let said = self.done("ask", asked.output_expected())?;
        let (url, wanted) = (shown(&self.url), self.wanted.clone());
        match commit_of(&said.text(), &self.wanted) {
            Found::Commit(commit) => Ok(commit),
            Found::Nothing => Err(GitError::NoSuchRevision { url, wanted }),
            Found::Both => Err(GitError::Ambiguous { url, wanted }),
        }
    }

    /// Files that git knows and somebody changed. Git may write its index anew on this occasion; `--no-optional-locks` keeps
    /// it from that.
    pub(super) fn changes(&self) -> Result<Vec<String>, GitError> {
        let status = self.git(&self.path).args(["--no-optional-locks", "status", "--porcelain", "-z"]);
        let status = status.args(["--untracked-files=no", "--ignore-submodules=all"]);
        let said = self.done("look at the clone of", status.output_expected())?;
        let mut changes = changes_in(&said.stdout);
        if self.submodules {
            changes.extend(self.changes_in_submodules()?);
        }
        Ok(changes)
    }

    /// The same of the submodules: bringing them to their commits would throw these away.
    fn changes_in_submodules(&self) -> Result<Vec<String>, GitError> {
        let each = "git --no-optional-locks status --porcelain --untracked-files=no --ignore-submodules=all \
                    | sed \"s|^...|$displaypath/|\"";
        let status = self.git(&self.path).args(["submodule", "--quiet", "foreach", "--recursive", each]);
        let said = self.done("look at the submodules of", status.output_expected())?;
        Ok(said.text().lines().map(str::to_owned).collect())
    }

    /// The submodules that are not at the commits that the repository names.
    pub(super) fn other_submodules(&self) -> Result<Vec<String>, GitError> {
        let status = self.git(&self.path).args(["submodule", "status", "--recursive"]);
        let said = self.done("look at the submodules of", status.output_expected())?;
        Ok(submodules_in(&said.text()))
    }

    pub(super) fn update(&self, facts: &Facts, commit: &Commit) -> Result<(), GitError> {
        match facts.is_clone {
            true => self.check_out_in(&self.path, facts, commit)?,
            false => self.clone_at(commit)?,
        }
        let found = facts::of(self.system(), &self.path, self.system().stat(&self.path)?)?;
        match found.head.as_ref() == Some(commit) {
            true => Ok(()),
            false => {
                let (path, found, wanted) = (self.path.clone(), found.head_word(), commit.short().to_owned());
                Err(GitError::NotSo { path, found, wanted })
            }
        }
    }

    /// Clones beside the place, and puts the clone there when it is whole.
    fn clone_at(&self, commit: &Commit) -> Result<(), GitError> {
        let aside = self.aside();
        let place = self.system().path(&aside);
        files::remove_tree(&place)?;
        files::create_dir(&place)?;
        self.dress(&aside)?;
        let init = self.git(&aside).args(["init", "--quiet"]);
        self.done("make a clone of", init.output_expected())?;
        self.check_out_in(&aside, &Facts::default(), commit)?;
        // Of an empty directory it takes the place at once, and of no other.
        Ok(files::rename(&place, self.system().path(&self.path))?)
    }

    /// It is the directory of who runs git, or git would not go there. An empty one that was prepared gives it its mode and
    /// its access control lists, and, where it is theirs already, its group.
    fn dress(&self, aside: &Path) -> Result<(), GitError> {
        let (system, user) = (self.system(), self.user.as_deref());
        let user = user.map(|user| owner::user(system, user)).transpose().map_err(FileError::from)?;
        let found = system.stat(&self.path)?;
        let runs_as = user.as_ref().map_or_else(wb_core::system::environment::user, |user| user.uid);
        let theirs = found.filter(|found| found.uid == runs_as);
        let gid = theirs.map(|found| found.gid).or(user.as_ref().map(|user| user.gid));
        let wanted = Resolved { uid: user.map(|user| user.uid), gid, mode: found.map(|found| found.mode) };
        wanted.set(system, aside)?;
        if found.is_some() {
            take_over(system, &self.path, aside)?;
        }
        Ok(())
    }

    fn check_out_in(&self, dir: &Path, facts: &Facts, commit: &Commit) -> Result<(), GitError> {
        if facts.remote.as_deref() != Some(self.url.as_str()) {
            let set = self.git(dir).args(["config", "remote.origin.url", &self.url]);
            self.done("name the remote", set.output_expected())?;
        }
        self.fetch(dir, commit)?;
        self.note_under_way(dir, commit)?;
        let checkout = self.git(dir).args(["checkout", "--quiet", "--force", "--detach", commit.id()]);
        self.done("check out", checkout.output_expected())?;
        if self.submodules {
            // Whatever the repository says of how: those that it says `none` of would never be as wanted.
            let update = ["submodule", "update", "--quiet", "--init", "--recursive", "--checkout", "--force"];
            let update = self.git(dir).args(update);
            self.done("check out the submodules of", update.output_expected())?;
        }
        files::remove(self.system().path(dir.join(".git").join(UNDER_WAY)))?;
        Ok(())
    }

    /// All branches and tags; and the commit by its id, where it is on none of them. What is there already is not asked for.
    fn fetch(&self, dir: &Path, commit: &Commit) -> Result<(), GitError> {
        if self.has(dir, commit)? {
            return Ok(());
        }
        let all = [
            "fetch",
            "--quiet",
            "--force",
            "--tags",
            "--no-recurse-submodules",
            "origin",
            "+refs/heads/*:refs/remotes/origin/*",
        ];
        self.done("fetch", self.git(dir).args(all).output_expected())?;
        if self.has(dir, commit)? {
            return Ok(());
        }
        let alone = self.git(dir).args(["fetch", "--quiet", "--no-recurse-submodules", "origin", commit.id()]);
        let (url, wanted) = (shown(&self.url), commit.to_string());
        let fetched = alone.output_expected().map(drop);
        fetched.map_err(|source| GitError::NoSuchCommit { url, wanted, source: Box::new(source) })
    }

    fn has(&self, dir: &Path, commit: &Commit) -> Result<bool, GitError> {
        let looks = self.git(dir).args(["cat-file", "-e", &format!("{commit}^{{commit}}")]);
        let said = self.done("look at the clone of", looks.output())?;
        Ok(said.code == 0)
    }

    /// From here on the files are neither of the old commit nor of the new one. A lock that a git left that was killed would
    /// keep the next one from going on.
    fn note_under_way(&self, dir: &Path, commit: &Commit) -> Result<(), GitError> {
        let git = self.system().path(dir.join(".git"));
        let was_under_way = files::exists(git.join(UNDER_WAY));
        files::write_with(git.join(UNDER_WAY), format!("{commit}\n"), Attributes::mode(0o644))?;
        if was_under_way {
            files::remove(git.join("index.lock"))?;
        }
        Ok(())
    }

    /// Where it is cloned, and then takes its place from.
    fn aside(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!(".{name}.cloning"))
    }

    fn git(&self, dir: &Path) -> Command<Host<'_>> {
        let key = self
            .ssh_key
            .as_ref()
            .map(|key| format!(" -i {} -o IdentitiesOnly=yes", wb_core::system::quoted(&key.to_string_lossy())));
        let ssh = format!("ssh -o BatchMode=yes{}", key.unwrap_or_default());
        let git = self.host.command("git").timeout(self.timeout);
        let git = git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_SSH_COMMAND", ssh).env("LC_ALL", "C.UTF-8");
        let git = if dir == Path::new("/") { git } else { git.arg("-C").arg(dir.to_string_lossy()) };
        match &self.user {
            Some(user) => git.user(user),
            None => git,
        }
    }

    fn done(&self, action: &'static str, output: Result<Output, CommandError>) -> Result<Output, GitError> {
        output.map_err(|source| GitError::Git { action, url: shown(&self.url), source: Box::new(source) })
    }
}
