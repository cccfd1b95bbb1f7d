//! Checkouts of git repositories.

mod error;
mod facts;
#[cfg(test)]
mod tests;
mod update;

use std::path::{Path, PathBuf};
use std::time::Duration;

use wb_core::context::{DebtAction, Outcome};
use wb_core::system::System;
use wb_core::system::files::{Kind, Stat};

pub use error::GitError;

use crate::Host;
use crate::ensure::{Difference, ensure};
use crate::file::{FileError, KindWord, check_path, missing_parent};
use crate::foresight::{self, Thing};
use crate::look::Access as _;
use crate::owed::Owes;
use crate::owner::{self, OwnerError};
use crate::service::Service;
use facts::{Commit, Facts};

/// How long one command of git may take that nobody said a time for.
pub const TIMEOUT: Duration = Duration::from_mins(20);

/// A repository to check out. [`Host::git`] makes it.
#[must_use = "say what of it: `.at(\"v1.2\")`"]
pub struct Repository<'a> {
    host: Host<'a>,
    url: String,
}

/// A commit to check out. [`Repository::at`] makes it.
#[must_use = "say where: `.to(\"/srv/app\")`"]
pub struct Revision<'a> {
    repository: Repository<'a>,
    wanted: String,
}

/// A directory that a commit is checked out to. [`Revision::to`] makes it.
///
/// The directory is a clone with all of the history. It stands at the commit itself, at no branch. Files that git does not
/// know stay, whatever is checked out. An empty directory that is there already keeps its mode and rights.
#[must_use = "say what is to be so: `.present()?`"]
pub struct Checkout<'a> {
    host: Host<'a>,
    url: String,
    wanted: String,
    path: PathBuf,
    user: Option<String>,
    ssh_key: Option<PathBuf>,
    discards: bool,
    submodules: bool,
    timeout: Duration,
    owes: Owes,
}

impl<'a> Host<'a> {
    /// A git repository, by its URL: `https://…`, `ssh://…`, `git@example.org:shop.git`, or an absolute path.
    ///
    /// Git never asks anybody: credentials come from the user's own configuration (credential helpers, ssh keys). A URL
    /// with a password in it is refused, and one of `https` with a user, who may be a token: it would be seen by all.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn check_the_shop_out(host: &Host) -> Result<()> {
    ///     let shop = host.service("shop");
    ///     host.git("https://git.example.org/shop.git")
    ///         .at("da39a3ee5e6b4b0d3255bfef95601890afd80709")
    ///         .to("/srv/shop")
    ///         .user("shop")
    ///         .restarts(&shop)
    ///         .present()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().rehearse(check_the_shop_out);
    /// ```
    pub fn git(&self, url: &str) -> Repository<'a> {
        Repository { host: *self, url: url.to_owned() }
    }
}

impl<'a> Repository<'a> {
    /// What of it: a commit by all digits of its id, a tag, or a branch. Only a full id is the same on all hosts and at all
    /// times, and needs no network where it is checked out already; a tag or a branch is asked for each time.
    pub fn at(self, wanted: &str) -> Revision<'a> {
        Revision { repository: self, wanted: wanted.to_owned() }
    }
}

impl<'a> Revision<'a> {
    /// The directory that it is checked out to, by its absolute path.
    pub fn to(self, path: impl AsRef<Path>) -> Checkout<'a> {
        let Repository { host, url } = self.repository;
        let (path, wanted) = (path.as_ref().to_owned(), self.wanted);
        let (user, ssh_key, timeout, owes) = (None, None, TIMEOUT, Owes::default());
        Checkout { host, url, wanted, path, user, ssh_key, discards: false, submodules: false, timeout, owes }
    }
}

impl Checkout<'_> {
    /// Runs git as this user, whose the files are then. Without this, they are root's.
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.user = Some(name.into());
        self
    }

    /// Lets ssh use this key, a file of the host by its absolute path, and no other.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn follow_the_branch(host: &Host) -> Result<()> {
    ///     host.git("git@git.example.org:shop.git")
    ///         .at("main")
    ///         .to("/srv/shop")
    ///         .ssh_key("/etc/shop/deploy_key")
    ///         .discarding_changes()
    ///         .with_submodules()
    ///         .timeout(Duration::from_mins(5))
    ///         .reloads(&host.service("shop"))
    ///         .present()?;
    ///     Ok(())
    /// }
    /// # let said = "da39a3ee5e6b4b0d3255bfef95601890afd80709\trefs/heads/main\n";
    /// # wb_stdlib::testing::web1().answer("git", 0, said).rehearse(follow_the_branch);
    /// ```
    pub fn ssh_key(mut self, path: impl AsRef<Path>) -> Self {
        self.ssh_key = Some(path.as_ref().to_owned());
        self
    }

    /// Throws changes away that somebody made in files that git knows. Otherwise they are an error.
    pub fn discarding_changes(mut self) -> Self {
        self.discards = true;
        self
    }

    /// Checks submodules out, too, with theirs, at the commits that the repository names. Otherwise what is in them is left
    /// alone.
    pub fn with_submodules(mut self) -> Self {
        self.submodules = true;
        self
    }

    /// How long one command of git may take; otherwise [`TIMEOUT`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// When it changes, the service is reloaded, as with [`File::reloads`](crate::file::File::reloads).
    pub fn reloads(mut self, service: &Service<Host<'_>>) -> Self {
        self.owes.add(DebtAction::Reload, service);
        self
    }

    /// When it changes, the service is restarted, as with [`File::restarts`](crate::file::File::restarts).
    pub fn restarts(mut self, service: &Service<Host<'_>>) -> Self {
        self.owes.add(DebtAction::Restart, service);
        self
    }

    /// The commit is checked out there.
    ///
    /// A plan asks the remote for tags and branches, and changes nothing.
    ///
    /// # Errors
    /// When there is no such commit, git fails, or the directory is there and is no clone of this repository; and when
    /// somebody changed files in it, unless [`Checkout::discarding_changes`] says so.
    pub fn present(self) -> Result<Outcome, GitError> {
        let what = format!("git {} at {} in {}", shown(&self.url), self.wanted, self.path.display());
        self.check()?;
        let facts = self.facts()?;
        let (difference, commit) = match self.unknown(&facts)? {
            Some(why) => (Difference::Unknown(why), None),
            None => self.difference(&facts)?,
        };
        self.write_debts_down(&difference)?;
        if self.host.plans() && difference != Difference::None && !facts.is_clone {
            self.foresee()?;
        }
        ensure(self.host, &what, difference, || commit.map_or(Ok(()), |commit| self.update(&facts, &commit)))
    }

    fn check(&self) -> Result<(), GitError> {
        check_path(&self.path)?;
        let is_plain = |text: &str| !text.is_empty() && !text.starts_with('-') && !text.chars().any(char::is_control);
        if has_secret(&self.url) || !is_plain(&self.url) {
            return Err(GitError::BadUrl { url: shown(&self.url) });
        }
        let is_name = is_plain(&self.wanted) && !self.wanted.contains([' ', '~', '^', ':', '?', '*', '[', '\\']);
        let is_short = facts::is_hex(&self.wanted, 7..40);
        match is_name && !self.wanted.contains("..") && !is_short {
            true => Ok(()),
            false => Err(GitError::BadRevision { wanted: self.wanted.clone(), is_short }),
        }
    }

    fn facts(&self) -> Result<Facts, GitError> {
        let context = self.host.context();
        match foresight::stat(context, &self.path)? {
            Some(stat) if stat.kind != Kind::Directory => {
                let (path, found) = (self.path.clone(), KindWord(stat.kind));
                Err(FileError::InTheWay { path, wanted: "a directory", found }.into())
            }
            found => {
                let found = found.filter(|_| foresight::replaced(context, &self.path).is_none());
                Ok(facts::of(self.system(), &self.path, found)?)
            }
        }
    }

    /// Lets operations that come later in a plan see that the directory is there: what is in it, the repository says only then.
    fn foresee(&self) -> Result<(), FileError> {
        let context = self.host.context();
        let uid = self.user.as_deref().and_then(|user| foresight::uid(context, user).ok());
        let found = foresight::stat(context, &self.path)?;
        let stat = found.unwrap_or_else(|| foresight::new_stat(Kind::Directory, 0o755));
        foresight::put(context, &self.path, Thing::Later(Stat { uid: uid.unwrap_or(stat.uid), ..stat }));
        Ok(())
    }

    /// What a plan can't know yet.
    fn unknown(&self, facts: &Facts) -> Result<Option<String>, GitError> {
        if !facts.is_there
            && let Some(why) = missing_parent(self.host, &self.path)?
        {
            return Ok(Some(why));
        }
        if let Some(why) = foresight::unknown_in(self.host.context(), &self.path) {
            return Ok(Some(why));
        }
        let user = self.user.as_deref().map(|user| owner::user(self.system(), user)).transpose();
        match user {
            Err(OwnerError::Nobody { kind, name }) if self.host.plans() => {
                Ok(Some(format!("there is no {kind} `{name}` yet")))
            }
            user => user.map(|_| None).map_err(|source| FileError::from(source).into()),
        }
    }

    /// How what is there differs, and, where it does, which commit is to be checked out.
    fn difference(&self, facts: &Facts) -> Result<(Difference, Option<Commit>), GitError> {
        match self.compared(facts) {
            Err(error) if self.host.plans() && !error.is_mistake() => {
                Ok((Difference::Unknown(error.to_string()), None))
            }
            compared => compared,
        }
    }

    fn compared(&self, facts: &Facts) -> Result<(Difference, Option<Commit>), GitError> {
        self.must_be_ours(facts)?;
        let commit = self.commit()?;
        let changes = if facts.is_clone && !facts.was_cut_short { self.changes()? } else { Vec::new() };
        if !changes.is_empty() && !self.discards {
            return Err(GitError::Changed { path: self.path.clone(), files: changes });
        }
        let mut lines = self.lines(facts, &commit, &changes);
        if lines.is_empty() && self.submodules {
            lines.extend(submodules_line(&self.other_submodules()?));
        }
        match lines.is_empty() {
            true => Ok((Difference::None, None)),
            false => Ok((Difference::Some(Some(lines.join("\n"))), Some(commit))),
        }
    }

    /// A line for each thing that is not as wanted.
    fn lines(&self, facts: &Facts, commit: &Commit, changes: &[String]) -> Vec<String> {
        let moves = facts.is_clone && facts.head.as_ref() != Some(commit);
        let remote = facts.remote.as_deref().filter(|remote| *remote != self.url);
        let lines = [
            (!facts.is_clone).then(|| format!("new, at {}", commit.short())),
            moves.then(|| format!("{} -> {}", facts.head_word(), commit.short())),
            remote.map(|was| format!("remote {} -> {}", shown(was), shown(&self.url))),
            facts.was_cut_short.then(|| "an earlier checkout was cut short".to_owned()),
            (!changes.is_empty()).then(|| format!("throws away changes in {}", changes.join(", "))),
        ];
        lines.into_iter().flatten().collect()
    }

    fn must_be_ours(&self, facts: &Facts) -> Result<(), GitError> {
        if facts.is_there && !facts.is_clone && !facts.is_empty {
            return Err(GitError::NoClone { path: self.path.clone() });
        }
        let Some(owner) = facts.owner.filter(|_| facts.is_clone) else { return Ok(()) };
        let runs_as = match &self.user {
            Some(user) => owner::user(self.system(), user).map_err(FileError::from)?.uid,
            None => wb_core::system::environment::user(),
        };
        match owner == runs_as {
            true => Ok(()),
            false => Err(GitError::NotTheirs { path: self.path.clone(), owner, runs_as }),
        }
    }

    fn write_debts_down(&self, difference: &Difference) -> Result<(), FileError> {
        match difference {
            Difference::Some(_) => self.owes.write_down(self.host.context()),
            Difference::None | Difference::Unknown(_) => Ok(()),
        }
        .map_err(|source| FileError::Owe { path: self.path.clone(), source })
    }

    fn system(&self) -> &System {
        self.host.system()
    }
}

fn submodules_line(others: &[String]) -> Option<String> {
    (!others.is_empty()).then(|| format!("submodules at other commits: {}", others.join(", ")))
}

/// Whether a URL may have a secret in it: a password, or, where it is not of ssh, any user. A token stands there alone, and
/// nobody can tell it from a name.
fn has_secret(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_ssh = scheme.split('+').any(|part| part.eq_ignore_ascii_case("ssh"));
    authority.rsplit_once('@').is_some_and(|(user, _)| !is_ssh || user.contains(':'))
}

/// A URL for messages: without a password.
fn shown(url: &str) -> String {
    let plain: String = url.chars().filter(|c| !c.is_control()).collect();
    match plain.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => plain,
    }
}
