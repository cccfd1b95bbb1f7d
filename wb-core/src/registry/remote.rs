//! A local bare repository and the remote that it follows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::git::{Access, Git, REFS_UNFLUSHED};
use super::herd;
use super::log::{ChangeLog, LogError, VerifiedChange, recall};
use super::mirror::{Answer, Mirror};
use super::objects::{ObjectError, Objects};
use super::porcelain::{PushLine, Verdict, parse_push};
use super::refs::RefName;
use super::signature::{AllowedSigners, SigningKey};
use crate::chain::Sha1;
use crate::pool::Pool;
use crate::report::{Report, shortened};
use crate::results::Results;
use crate::system::fault::{self, Kind, Subject};
use crate::system::{Command, CommandError, FileError, Output, files};

/// What one herd's remote says, as far as it was fetched, and the way to tell it something.
///
/// Fetched refs are kept under `refs/seen/`, so that nothing here is ever mistaken for the remote's own.
#[derive(Debug)]
pub struct Registry {
    git: Git,
    path: PathBuf,
    url: String,
    objects: Objects,
    mends: bool,
}

/// A wish to move a ref of the remote from a value to another. It is granted only if the ref still has that value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// Which ref.
    pub name: RefName,
    /// What it must point to now; nothing: it must not exist.
    pub expected: Option<Sha1>,
    /// What it shall point to; nothing: it shall go.
    pub new: Option<Sha1>,
}

/// What came of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// All refs were moved.
    Won,
    /// Somebody else moved one of them first, and none was moved: look again, and think again.
    Lost,
}

impl Registry {
    /// The registry at `path`, made when there is none, following `url`.
    ///
    /// # Errors
    /// When the directory can't be made or is no repository.
    pub fn open(path: &Path, url: &str, access: Access) -> Result<Self, RegistryError> {
        let is_of_host = matches!(access, Access::Host { .. });
        let _during = fault::during(Subject::Repository);
        let git = Git::new(access);
        if !files::exists(path.join("HEAD")) {
            make(&git, path)?;
        }
        let objects = if is_of_host { Objects::open_safe(path)? } else { Objects::open(path)? };
        Ok(Self { git, path: path.to_owned(), url: url.to_owned(), objects, mends: false })
    }

    /// Lets this process, which alone has the repository, mend it: a lock that a crash left on what is kept goes at once,
    /// and what git can't fetch into (a lock that a crash left behind, packed refs that are torn) is made anew by a fetch,
    /// where the remote gives all of it; the broken one is kept beside it.
    ///
    /// # Errors
    /// When such a lock can't be removed.
    pub fn mending(self) -> Result<Self, RegistryError> {
        let kept = self.path.join(KEPT);
        let there = if files::exists(&kept) { files::list(&kept)? } else { Vec::new() };
        for lock in there.into_iter().filter(|path| path.extension().is_some_and(|end| end == "lock")) {
            files::remove(lock)?;
        }
        Ok(Self { mends: true, ..self })
    }

    /// Looks whether what was fetched is here: every ref can be read, and what it points to is there. Git would not
    /// fetch any more into a repository with a ref that is torn.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self) -> Result<(), RegistryError> {
        let _during = fault::during(Subject::Repository);
        let list = self.git.local(&self.path).args(["for-each-ref", "--format=%(objecttype)"]);
        let listed = list.run().map_err(|source| RegistryError::Check { path: self.path.clone(), source })?;
        let said = listed.error_text();
        match listed.code == 0 && !said.contains("broken ref") {
            true => Ok(()),
            false => Err(RegistryError::Broken { path: self.path.clone(), said }),
        }
    }

    /// The local objects.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// The remote.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    fn fetch_into(&self, path: &Path, starts: &[String]) -> Result<(), RegistryError> {
        let fetch = ["fetch", "--quiet", "--no-tags", "--prune", "--no-write-fetch-head", "--no-auto-gc", "--"];
        let mut command = self.git.network(path).args(["-c", REFS_UNFLUSHED]).args(fetch).arg(&self.url);
        for start in starts {
            command = command.arg(format!("+{start}*:{}*", seen(start)));
        }
        command.read().map(drop).map_err(|source| match is_local(&source) {
            true => RegistryError::Local { path: path.to_owned(), source },
            false => self.unreachable(source),
        })
    }

    fn renew(&self, starts: &[String]) -> Result<(), RegistryError> {
        let beside = |end: &str| self.path.with_extension(end);
        let (fresh, broken) = (beside("new"), beside("broken"));
        files::remove_tree(&fresh)?;
        make(&self.git, &fresh)?;
        self.fetch_into(&fresh, starts)?;
        // What was accepted may be nowhere else: the remote may have lost it.
        let keep = self.git.local(&fresh).args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--"]);
        drop(keep.arg(&self.path).arg(format!("+{KEPT}/*:{KEPT}/*")).run());
        files::remove_tree(&broken)?;
        files::rename(&self.path, &broken)?;
        Ok(files::rename(&fresh, &self.path)?)
    }

    fn unreachable(&self, source: CommandError) -> RegistryError {
        RegistryError::Unreachable { url: self.url.clone(), source }
    }
}

impl Mirror for Registry {
    fn url(&self) -> &str {
        &self.url
    }

    fn fetch(&self, starts: &[String]) -> Result<(), RegistryError> {
        let _during = fault::during(Subject::Fetch);
        match self.fetch_into(&self.path, starts) {
            Err(error @ RegistryError::Local { .. }) if self.mends => match self.renew(starts) {
                // What not even a new one takes (refs that no repository can have both) is no fault of this one.
                Err(RegistryError::Local { source, .. }) if !is_of_disk(&source) => Err(self.unreachable(source)),
                renewed => renewed.map_err(|_| error),
            },
            fetched => fetched,
        }
    }

    fn offer(&self, updates: &[RefUpdate]) -> Answer {
        let mut command = self.git.network(&self.path).args(["push", "--porcelain", "--atomic", "--no-verify"]);
        for RefUpdate { name, expected, .. } in updates {
            let expected = expected.map(|sha1| sha1.to_string()).unwrap_or_default();
            command = command.arg(format!("--force-with-lease={name}:{expected}"));
        }
        command = command.arg("--").arg(&self.url);
        for RefUpdate { name, new, .. } in updates {
            command = command.arg(format!("{}:{name}", new.map(|sha1| sha1.to_string()).unwrap_or_default()));
        }
        match published(&command) {
            Err(source) => Answer { verdicts: Vec::new(), said: String::new(), broken: Some(self.unreachable(source)) },
            Ok(output) => Answer {
                verdicts: verdicts(&output),
                said: trouble(&output),
                broken: output.success(&command).err().map(|source| self.unreachable(source)),
            },
        }
    }

    fn refs(&self, start: &str) -> Result<BTreeMap<RefName, Sha1>, RegistryError> {
        let found = self.objects.refs(&seen(start))?;
        Ok(found.into_iter().filter_map(|(name, sha1)| Some((of_remote(&name).parse().ok()?, sha1))).collect())
    }

    fn get(&self, name: &RefName) -> Result<Option<Sha1>, RegistryError> {
        Ok(self.objects.reference(&seen(&name.to_string())))
    }

    fn remember(&self, updates: &[RefUpdate]) -> Result<(), RegistryError> {
        for update in updates {
            self.objects.point(&seen(&update.name.to_string()), update.new)?;
        }
        Ok(())
    }

    fn keep(&self, name: &str, object: Sha1) -> Result<(), RegistryError> {
        let _during = fault::during(Subject::Objects);
        files::settle_dirs(self.path.join("objects"))?;
        Ok(self.objects.point(&format!("{KEPT}/{name}"), Some(object))?)
    }

    fn report(&self, sha1: Sha1, key: &str) -> Option<Report> {
        herd::read_report(&self.objects, sha1, key)
    }

    fn claimed(&self, sha1: Sha1, _: &str) -> Option<Report> {
        herd::read_claim(&self.objects, sha1)
    }

    fn read_pool(&self, sha1: Sha1) -> Result<Pool, RegistryError> {
        Ok(herd::read_pool(&self.objects, sha1)?)
    }

    fn file(&self, commit: Sha1, name: &str) -> Option<Vec<u8>> {
        self.objects.file(&self.objects.read(commit).ok()?, name).ok()?
    }

    fn parents(&self, commit: Sha1) -> Result<Vec<Sha1>, ObjectError> {
        Ok(self.objects.read(commit)?.parents)
    }

    fn descends(&self, newer: Sha1, older: Sha1) -> Result<bool, ObjectError> {
        self.objects.descends(newer, older)
    }

    fn change(&self, commit: Sha1, allowed: Option<&AllowedSigners>) -> Result<VerifiedChange, LogError> {
        match allowed {
            Some(allowed) => ChangeLog::new(&self.objects, allowed).read(commit),
            None => recall(&self.objects, commit),
        }
    }

    fn write_report(
        &self,
        report: &Report,
        results: &Results,
        log: &str,
        key: &SigningKey,
    ) -> Result<Sha1, RegistryError> {
        Ok(herd::write_report(&self.objects, report, results, log, key)?)
    }

    fn write_pool(&self, role: &str, pool: &Pool, host: &str, time: Duration) -> Result<Sha1, RegistryError> {
        Ok(herd::write_pool(&self.objects, role, pool, host, time)?)
    }

    fn write_state(&self, host: &str, link: &str, state: Sha1, time: Duration) -> Result<Sha1, RegistryError> {
        Ok(herd::write_state(&self.objects, host, link, state, time)?)
    }
}

/// Why the registry could not be read or told something.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The local repository could not be made.
    #[error("could not make the git repository {}", path.display())]
    Init {
        /// Where.
        path: PathBuf,
        /// Why.
        source: CommandError,
    },
    /// The local repository lacks what it had: power failed, or a disk.
    #[error("the git repository {} is broken: {said}", path.display())]
    Broken {
        /// Where.
        path: PathBuf,
        /// What git says of it.
        said: String,
    },
    /// The local repository could not be looked at.
    #[error("could not look at the git repository {}", path.display())]
    Check {
        /// Where.
        path: PathBuf,
        /// Why.
        source: CommandError,
    },
    /// The local repository does not take what the remote gives.
    #[error("could not fetch into the local git repository {}", path.display())]
    Local {
        /// Where.
        path: PathBuf,
        /// Why.
        source: CommandError,
    },
    /// No answer, or no right to read.
    #[error("could not reach the remote {url}")]
    Unreachable {
        /// The remote.
        url: String,
        /// Why.
        source: CommandError,
    },
    /// The server does not let us write.
    #[error("the remote {url} refuses: {why}")]
    Refused {
        /// The remote.
        url: String,
        /// What it said.
        why: String,
    },
    /// An object could not be read or written.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// A directory could not be made.
    #[error(transparent)]
    File(#[from] FileError),
}

impl RegistryError {
    /// Whether the server closed a connection before it asked who it is for, as sshd does when many come at once.
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        let Self::Unreachable { source: CommandError::Failed { said, .. }, .. } = self else { return false };
        ["kex_exchange_identification: ", "ssh_exchange_identification: "].iter().any(|words| said.contains(words))
    }
}

fn make(git: &Git, path: &Path) -> Result<(), RegistryError> {
    files::create_dir(path)?;
    let init = git.local(path).args(["init", "--quiet", "--bare", "."]);
    init.read().map(drop).map_err(|source| RegistryError::Init { path: path.to_owned(), source })
}

/// Where what is kept has its names.
const KEPT: &str = "refs/kept";

/// What git says of the repository that it fetches into, or of its disk.
const LOCAL: [&str; 11] = [
    "cannot lock ref",
    "could not delete reference",
    "Unable to create",
    "unable to create",
    "unable to write",
    "packed-refs",
    "bad object refs/seen/",
    "bad config",
    "not a git repository",
    "No space left on device",
    "Read-only file system",
];

/// What it says too when the repository that it speaks of may be the remote one.
const OF_REMOTE: [&str; 7] = [
    "Could not read from remote repository",
    "unable to access",
    "the remote end hung up",
    "remote error:",
    "unable to write to remote",
    "unable to write request to remote",
    "unable to write flush packet",
];

/// Whether the disk takes nothing any more.
fn is_of_disk(error: &CommandError) -> bool {
    let words = ["No space left on device", "Read-only file system", "Input/output error", "Permission denied"];
    matches!(error, CommandError::Failed { said, .. } if words.iter().any(|words| said.contains(words)))
}

/// Whether it is the local repository that a fetch failed at, as far as git tells. A remote that is away and a transfer
/// that is cut short are no reason to give it up.
fn is_local(error: &CommandError) -> bool {
    let CommandError::Failed { said, .. } = error else { return false };
    let says = |words: &[&str]| {
        let own = said.lines().filter(|line| !line.starts_with("remote:"));
        own.into_iter().any(|line| words.iter().any(|words| line.contains(words)))
    };
    says(&LOCAL) && !says(&OF_REMOTE)
}

/// Runs a push. Whoever falls right after it does not know what came of it.
fn published(push: &Command) -> Result<Output, CommandError> {
    let broken = |source| CommandError::Start { line: push.line(), source };
    fault::pass(Kind::Publish).map_err(broken)?;
    let output = {
        let _during = fault::during(Subject::Push);
        push.run()
    };
    fault::pass(Kind::Published).map_err(broken)?;
    output
}

/// What git said about trouble.
fn trouble(output: &Output) -> String {
    let said = format!("{}\n{}", output.error_text(), output.text());
    let lines = said.lines().filter(|line| line.contains("error") || line.starts_with('!'));
    lines.take(10).map(words).collect::<Vec<_>>().join("; ")
}

/// What became of each ref.
fn verdicts(push: &Output) -> Vec<Verdict> {
    let said = push.error_text();
    let verdict = |line: PushLine| match line.verdict {
        Verdict::Refused(why) => Verdict::Refused(refusal(&why, &said)),
        verdict => verdict,
    };
    parse_push(&push.text()).into_iter().map(verdict).collect()
}

/// Why the server refuses, with what it says of its own trouble. What git says on this side adds nothing.
fn refusal(why: &str, said: &str) -> String {
    let of_server = said.lines().filter_map(|line| {
        line.strip_prefix("error: remote unpack failed: ").or_else(|| line.strip_prefix("remote: "))
    });
    [why].into_iter().chain(of_server).take(4).map(words).collect::<Vec<_>>().join("; ")
}

/// A server may say anything, and at any length.
fn words(line: &str) -> String {
    const LONGEST: usize = 300;
    shortened(line.replace(char::is_control, " ").trim(), LONGEST)
}

fn seen(name: &str) -> String {
    name.replacen("refs/wildebeest/", "refs/seen/", 1)
}

fn of_remote(name: &str) -> String {
    name.replacen("refs/seen/", "refs/wildebeest/", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_servers_own_words() {
        let check = |said: &str, expect: &str| assert_eq!(refusal("[remote rejected] (x)", said), expect);
        check("error: failed to push some refs to 'ssh://git'", "[remote rejected] (x)");
        check(
            "error: remote unpack failed: unable to create temporary object directory\nerror: failed to push some refs",
            "[remote rejected] (x); unable to create temporary object directory",
        );
        check("remote: no write access to out/*   ", "[remote rejected] (x); no write access to out/*");
        let flood = format!("remote: \u{1b}[2J{}\n", "x".repeat(5_000)).repeat(9);
        assert!(refusal("[remote rejected] (x)", &flood).chars().all(|c| !c.is_control()));
        assert!(refusal("[remote rejected] (x)", &flood).len() < 1_000);
    }

    #[test]
    fn who_is_dropped_is_told_from_who_is_not_let_in() {
        let check = |said: &str, expect| {
            let source = CommandError::Failed { line: "git fetch".into(), code: 128, said: said.into() };
            assert_eq!(RegistryError::Unreachable { url: "ssh://git".into(), source }.is_dropped(), expect, "{said}");
        };
        check("kex_exchange_identification: Connection closed by remote host\nConnection closed by ::1 port 22", true);
        check("kex_exchange_identification: read: Connection reset by peer", true);
        check("git@git: Permission denied (publickey).\nfatal: Could not read from remote repository.", false);
        check("ssh: connect to host git port 22: Connection refused", false);
        check("ssh: Could not resolve hostname git: Name or service not known", false);
    }

    #[test]
    fn only_what_names_the_local_repository_is_local() {
        let check = |said: &str, expect| {
            let error = CommandError::Failed { line: "git fetch".into(), code: 128, said: said.into() };
            assert_eq!(is_local(&error), expect, "{said}");
        };
        check("error: cannot lock ref 'refs/seen/changes': Unable to create 'herd.git/refs/seen/changes.lock'", true);
        check("error: could not delete reference refs/seen/x: Unable to create 'herd.git/packed-refs.lock'", true);
        check("fatal: unexpected line in ./packed-refs: xx", true);
        check("fatal: bad object refs/seen/changes\nerror: r.git did not send all necessary objects", true);
        check("fatal: write error: No space left on device\nfatal: index-pack failed", true);
        check("fatal: bad config line 1 in file ./config", true);
        check("fatal: unexpected line in ./packed-refs: xx\nfatal: Could not read from remote repository.", false);
        check("fatal: early EOF\nfatal: index-pack failed", false);
        check("fetch-pack: unexpected disconnect while reading sideband packet", false);
        check("fatal: loose object 0a (stored in ./objects/0a) is corrupt\nfatal: the remote end hung up", false);
        check("remote: fatal: unable to create thread: No space left on device\nfatal: early EOF", false);
        check("ssh: connect to host git port 22: No route to host", false);
        check("fatal: unable to write to remote: Broken pipe", false);
        check("fatal: unable to write request to remote: Broken pipe", false);
        check("fatal: unable to write flush packet: Broken pipe", false);
    }
}
