//! What an operator works with: the fleet, the remote that its herd follows, and the list of whose word counts.

pub mod memory;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wb_core::chain::Sha1;
use wb_core::change::Manifest;
use wb_core::registry::{
    Access, AllowedSigners, ChangeLog, Git, LogError, Mirror as _, ObjectError, Pushed, RefName, RefUpdate, Registry,
    RegistryError, ReportCache, SignatureError, SigningKey, VerifiedChange,
};
use wb_core::report::Report;
use wb_core::results::Results;
use wb_core::system::FileError;
use wb_core::system::clock::{Clock as _, Real};
use wb_core::system::files;

use crate::fleet::{Fleet, FleetError};
use crate::git::{GitError, WorkTree};

/// The file of a fleet that says whose changes count.
pub const SIGNERS_FILE: &str = "allowed_signers";

/// The file of a fleet that says who may attest what was tested, beside those in [`SIGNERS_FILE`].
pub const TESTERS_FILE: &str = "allowed_testers";

/// Beside what was fetched: when that was.
const ASKED_FILE: &str = "asked";

/// An operator at work.
#[derive(Debug)]
pub struct Operator {
    tree: WorkTree,
    registry: Registry,
    /// The local repository of the registry, and how git reaches the remote from there.
    here: PathBuf,
    git: Git,
    signers: AllowedSigners,
    signers_path: PathBuf,
    testers: AllowedSigners,
}

/// A change as it stands in the log, whether it counts or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// The commit.
    pub commit: Sha1,
    /// What it says.
    pub manifest: Manifest,
    /// Who signed it, as `allowed_signers` names them; nothing where nobody did whose word counts.
    pub signer: Option<String>,
    /// The change before it.
    pub parent: Option<Sha1>,
}

/// What came of appending a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Appended {
    /// It is the newest one now.
    Won(Box<VerifiedChange>),
    /// Somebody else appended one first. Nothing was changed.
    Lost,
}

/// Why an operator can't work.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// Nobody said which remote the herd follows.
    #[error("there is no remote: herd.toml names none, and the repository has no `origin`")]
    NoRemote,
    /// The fleet can't be read.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The remote can't be read or told something.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The newest change does not count.
    #[error("the newest change on the remote does not count")]
    Newest {
        /// Why.
        source: LogError,
    },
    /// The new change can't be written.
    #[error("could not write the change")]
    Write {
        /// Why.
        source: LogError,
    },
    /// The key does not sign.
    #[error("the key {} does not sign", key.display())]
    Key {
        /// The key.
        key: PathBuf,
        /// Why.
        source: SignatureError,
    },
    /// What the key signs, hosts refuse.
    #[error("the key {} is not in {}: hosts would refuse what it signs", key.display(), signers.display())]
    KeyNotAllowed {
        /// The key.
        key: PathBuf,
        /// The list.
        signers: PathBuf,
        /// How the list would name whoever has the key.
        principal: String,
    },
    /// What the key attests, nobody believes.
    #[error("the key {} is neither in {} nor in {SIGNERS_FILE}: nobody would believe what it attests", key.display(), testers.display())]
    TesterNotAllowed {
        /// The key.
        key: PathBuf,
        /// The list.
        testers: PathBuf,
        /// How the list would name whoever has the key.
        principal: String,
    },
    /// The remote may have taken a change.
    #[error("nobody knows whether the herd was told change {number}: the remote did not say so, and can't be asked")]
    Doubtful {
        /// Its number.
        number: u64,
        /// Why the remote can't be asked.
        source: RegistryError,
    },
    /// Others were faster, again and again.
    #[error("others told the herd something first, {tries} times in a row; nothing was changed")]
    Overtaken {
        /// How often it was tried.
        tries: u32,
    },
    /// What others told makes this something else than what was shown.
    #[error("others told the herd something first, and what this comes to now is not what was shown; nothing was told")]
    Otherwise,
    /// The remote has lost changes that hosts have accepted.
    #[error("the remote has lost change {number}, which {witness}: the log of changes was rewound")]
    Rewound {
        /// Who knows of it: a host that accepted it, or the fleet's own memory.
        witness: String,
        /// Its number.
        number: u64,
        /// Its commit.
        commit: Sha1,
    },
}

impl Operator {
    /// An operator of this fleet. Nothing is fetched yet.
    ///
    /// # Errors
    /// When the fleet can't be read, or there is no remote.
    pub fn of(fleet: &Fleet) -> Result<Self, OperatorError> {
        let tree = fleet.work_tree()?;
        let url = remote(fleet.herd()?.herd.remote.as_deref(), tree.origin().as_deref(), &fleet.crate_dir, tree.dir());
        let url = url.ok_or(OperatorError::NoRemote)?;
        let access = Access::Operator { ssh_command: tree.config("core.sshCommand") };
        let (here, git) = (place(&tree)?, Git::new(access.clone()));
        let registry = Registry::open(&here, &url, access)?;
        let signers_path = fleet.crate_dir.join(SIGNERS_FILE);
        let (signers, testers) = (listed(&signers_path)?, listed(&fleet.crate_dir.join(TESTERS_FILE))?);
        let testers = AllowedSigners::new(format!("{testers}\n{signers}"));
        Ok(Self { tree, registry, here, git, signers: AllowedSigners::new(signers), signers_path, testers })
    }

    /// The repository of the fleet.
    #[must_use]
    pub fn tree(&self) -> &WorkTree {
        &self.tree
    }

    /// What the remote says, as far as it was fetched.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The directory of the fleet's repository that has what is fetched, and what is of this machine.
    pub(crate) fn place(&self) -> &Path {
        self.here.parent().unwrap_or(&self.here)
    }

    /// Whose word counts on what was tested.
    #[must_use]
    pub fn testers(&self) -> &AllowedSigners {
        &self.testers
    }

    /// Asks the remote for the log of changes, all reports and all pools.
    ///
    /// # Errors
    /// When it can't be reached, or does not let us read.
    pub fn fetch(&self) -> Result<(), OperatorError> {
        let wanted = ["changes", "report/", "out/"].map(|part| format!("refs/wildebeest/{part}"));
        self.registry.fetch(&wanted)?;
        Ok(files::write(self.here.join(ASKED_FILE), format!("{}\n", Real.now().as_secs()), 0o644)?)
    }

    /// When the remote was asked last, in seconds since 1970, UTC.
    #[must_use]
    pub fn asked(&self) -> Option<u64> {
        files::read_text(self.here.join(ASKED_FILE)).ok()?.trim().parse().ok()
    }

    /// The newest change, as far as it was fetched. It is remembered, if it continues what is remembered.
    ///
    /// # Errors
    /// When it is signed by nobody whose word counts, or can't be read.
    pub fn newest(&self) -> Result<Option<VerifiedChange>, OperatorError> {
        let Some(tip) = self.registry.get(&RefName::Changes)? else { return Ok(None) };
        let newest = self.log().read(tip).map_err(|source| OperatorError::Newest { source })?;
        if self.remembered().is_none_or(|remembered| self.contains(tip, remembered)) {
            self.registry.keep(&self.memory(), tip)?;
        }
        Ok(Some(newest))
    }

    /// The newest change that somebody signed whose word counts, whatever stands after it. It is not remembered.
    ///
    /// # Errors
    /// When the local copy can't be read.
    pub fn newest_that_counts(&self) -> Result<Option<VerifiedChange>, OperatorError> {
        let mut next = self.tip()?;
        while let Some(commit) = next {
            match self.log().read(commit) {
                Ok(change) => return Ok(Some(change)),
                Err(_) => next = self.registry.parents(commit).ok().and_then(|parents| parents.first().copied()),
            }
        }
        Ok(None)
    }

    /// Where the log ends, as far as it was fetched, whether that counts or not.
    ///
    /// # Errors
    /// When the local copy can't be read.
    pub fn tip(&self) -> Result<Option<Sha1>, OperatorError> {
        Ok(self.registry.get(&RefName::Changes)?)
    }

    /// A change of the log.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn logged(&self, commit: Sha1) -> Result<Logged, LogError> {
        let log = self.log();
        let (manifest, signer) = match log.read(commit) {
            Ok(change) => (change.manifest, Some(change.signer)),
            Err(LogError::Object(ObjectError::Unsigned { .. } | ObjectError::Signature { .. })) => {
                (log.recall(commit)?.manifest, None)
            }
            Err(error) => return Err(error),
        };
        let parent = self.registry.parents(commit)?.first().copied();
        Ok(Logged { commit, manifest, signer, parent })
    }

    /// What hosts tell of the past, by name, where a report of them counts.
    ///
    /// # Errors
    /// When the local copy can't be read.
    pub fn results(
        &self,
        manifest: &Manifest,
        reports: &BTreeMap<String, Report>,
    ) -> Result<BTreeMap<String, Results>, OperatorError> {
        let refs = self.registry.refs("refs/wildebeest/report/")?;
        let of = |name: &String| {
            let identity = manifest.hosts.get(name)?.identity.as_ref()?;
            Some((name.clone(), self.registry.results(*refs.get(&RefName::Report(identity.uuid))?)))
        };
        Ok(reports.keys().filter_map(of).collect())
    }

    /// The reports of the admitted hosts, by name, as far as they were fetched and count.
    ///
    /// # Errors
    /// When the local copy can't be read.
    pub fn reports(&self, manifest: &Manifest) -> Result<BTreeMap<String, Report>, OperatorError> {
        Ok(self.registry.reports(manifest, &mut ReportCache::default())?)
    }

    /// Refuses a key whose changes no host would take, before any work is done for one.
    ///
    /// # Errors
    /// When it does not sign, or is not in the list.
    pub fn refuse_stranger(&self, key: &SigningKey) -> Result<(), OperatorError> {
        if is_allowed(key, &self.signers)? { Ok(()) } else { Err(self.not_allowed(key)) }
    }

    /// Refuses a key whose word on what was tested nobody believes, before anything is tested.
    ///
    /// # Errors
    /// When it does not sign, or is in none of the lists.
    pub fn refuse_strange_tester(&self, key: &SigningKey) -> Result<(), OperatorError> {
        if is_allowed(key, &self.testers)? {
            return Ok(());
        }
        let (testers, principal) = (self.signers_path.with_file_name(TESTERS_FILE), self.tree.identity().email);
        Err(OperatorError::TesterNotAllowed { key: key.path().to_owned(), testers, principal })
    }

    /// Signs `manifest`, and makes it the newest change, if `parent` still is. `others` are moved with it, or not at all.
    ///
    /// # Errors
    /// When it does not follow from its parent, the key does not sign, or the remote refuses.
    pub fn append(
        &self,
        parent: Option<&VerifiedChange>,
        manifest: &Manifest,
        key: &SigningKey,
        others: Vec<RefUpdate>,
    ) -> Result<Appended, OperatorError> {
        let sha1 = self.log().write(parent, manifest, key).map_err(|source| OperatorError::Write { source })?;
        let change = self.log().read(sha1).map_err(|source| match source {
            LogError::Object(ObjectError::Signature { .. }) => self.not_allowed(key),
            source => OperatorError::Write { source },
        })?;
        let expected = parent.map(|parent| parent.sha1);
        let mut updates = others;
        updates.push(RefUpdate { name: RefName::Changes, expected, new: Some(sha1) });
        match self.registry.push(&updates) {
            Ok(Pushed::Won) => {}
            Err(error @ RegistryError::Refused { .. }) => return Err(error.into()),
            unknown if self.is_in_log(sha1, unknown.as_ref().err(), manifest.number)? => {}
            Ok(Pushed::Lost) => return Ok(Appended::Lost),
            Err(error) => return Err(error.into()),
        }
        self.registry.keep(&self.memory(), sha1)?;
        Ok(Appended::Won(Box::new(change)))
    }

    /// Whether the remote took a change all the same: the connection may have broken after that, and somebody else may have
    /// appended another change since, so that the log ends elsewhere.
    fn is_in_log(&self, sha1: Sha1, broken: Option<&RegistryError>, number: u64) -> Result<bool, OperatorError> {
        match self.registry.fetch(&[RefName::Changes.to_string()]) {
            Ok(()) => Ok(self.tip()?.is_some_and(|tip| self.contains(tip, sha1))),
            Err(source) if broken.is_some() => Err(OperatorError::Doubtful { number, source }),
            Err(source) => Err(source.into()),
        }
    }

    /// Every change after `accepted` up to `tip` that counts, oldest first.
    #[must_use]
    pub fn since(&self, accepted: Option<&VerifiedChange>, tip: Sha1) -> Vec<VerifiedChange> {
        self.log().since(accepted, tip).0
    }

    fn log(&self) -> ChangeLog<'_> {
        ChangeLog::new(self.registry.objects(), &self.signers)
    }

    fn not_allowed(&self, key: &SigningKey) -> OperatorError {
        let principal = self.tree.identity().email;
        OperatorError::KeyNotAllowed { key: key.path().to_owned(), signers: self.signers_path.clone(), principal }
    }
}

/// Whether what the key signs counts, as the list says.
fn is_allowed(key: &SigningKey, list: &AllowedSigners) -> Result<bool, OperatorError> {
    const PAYLOAD: &[u8] = b"wildebeest";
    let unusable = |source| OperatorError::Key { key: key.path().to_owned(), source };
    let signature = key.sign(PAYLOAD).map_err(unusable)?;
    match list.verify(PAYLOAD, &signature) {
        Ok(_) => Ok(true),
        Err(SignatureError::NotAllowed { .. }) => Ok(false),
        Err(source) => Err(unusable(source)),
    }
}

/// What the fleet of `tree` has of its herd as long as there is no remote: what was made here.
///
/// # Errors
/// When it can't be made.
pub(crate) fn alone(tree: &WorkTree) -> Result<Registry, OperatorError> {
    Ok(Registry::open(&place(tree)?, "", Access::Operator { ssh_command: None })?)
}

/// Where what is fetched lies.
pub(crate) fn place(tree: &WorkTree) -> Result<PathBuf, GitError> {
    Ok(tree.git_dir()?.join("wildebeest/herd.git"))
}

/// The text of a list; nothing where there is none.
fn listed(path: &Path) -> Result<String, OperatorError> {
    let bytes = files::read_optional(path)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Which remote the herd follows. A path that is not absolute starts at the file that says it.
fn remote(herd: Option<&str>, origin: Option<&str>, herd_dir: &Path, top: &Path) -> Option<String> {
    let absolute = |url: &str, from: &Path| match url.contains(':') || url.starts_with('/') {
        true => url.to_owned(),
        false => from.join(url).display().to_string(),
    };
    herd.map(|url| absolute(url, herd_dir)).or_else(|| origin.map(|url| absolute(url, top)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_herds_own_remote_goes_before_origin() {
        let check = |herd, origin, expect: Option<&str>| {
            let url = remote(herd, origin, Path::new("/fleet/migrations"), Path::new("/fleet"));
            assert_eq!(url.as_deref(), expect);
        };
        check(None, None, None);
        check(None, Some("git@example.org:fleet.git"), Some("git@example.org:fleet.git"));
        check(Some("ssh://example.org/herd.git"), Some("o"), Some("ssh://example.org/herd.git"));
        check(None, Some("../fleet.git"), Some("/fleet/../fleet.git"));
        check(Some("herd.git"), None, Some("/fleet/migrations/herd.git"));
        check(Some("/srv/herd.git"), None, Some("/srv/herd.git"));
    }
}
