//! What an operator works with: the fleet, the remote that its herd follows, and the list of whose word counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wb_core::chain::Sha1;
use wb_core::change::Manifest;
use wb_core::registry::{
    Access, AllowedSigners, ChangeLog, LogError, ObjectError, Pushed, RefName, RefUpdate, Registry, RegistryError,
    ReportCache, SignatureError, SigningKey, VerifiedChange,
};
use wb_core::report::Report;
use wb_core::system::FileError;
use wb_core::system::files;

use crate::fleet::{Fleet, FleetError};
use crate::git::{GitError, WorkTree};

/// The file of a fleet that says whose changes count.
pub const SIGNERS_FILE: &str = "allowed_signers";

/// An operator at work.
#[derive(Debug)]
pub struct Operator {
    tree: WorkTree,
    registry: Registry,
    signers: AllowedSigners,
    signers_path: PathBuf,
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
    /// The remote has lost changes that hosts have accepted.
    #[error("the remote has lost change {number}, which `{host}` has accepted: the log of changes was rewound")]
    Rewound {
        /// A host that accepted it.
        host: String,
        /// Its number.
        number: u64,
        /// Its commit.
        commit: Sha1,
        /// The command that brings it back, where this machine still has it.
        remedy: Option<String>,
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
        let registry = Registry::open(&tree.git_dir()?.join("wildebeest/herd.git"), &url, access)?;
        let signers_path = fleet.crate_dir.join(SIGNERS_FILE);
        let signers = files::read_optional(&signers_path)?.unwrap_or_default();
        let signers = AllowedSigners::new(String::from_utf8_lossy(&signers));
        Ok(Self { tree, registry, signers, signers_path })
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

    /// Asks the remote for the log of changes and all reports.
    ///
    /// # Errors
    /// When it can't be reached, or does not let us read.
    pub fn fetch(&self) -> Result<(), OperatorError> {
        Ok(self.registry.fetch(&[RefName::Changes.to_string(), "refs/wildebeest/report/".into()])?)
    }

    /// The newest change, as far as it was fetched.
    ///
    /// # Errors
    /// When it is signed by nobody whose word counts, or can't be read.
    pub fn newest(&self) -> Result<Option<VerifiedChange>, OperatorError> {
        let Some(tip) = self.registry.get(&RefName::Changes)? else { return Ok(None) };
        self.log().read(tip).map(Some).map_err(|source| OperatorError::Newest { source })
    }

    /// The reports of the admitted hosts, by name, as far as they were fetched and count.
    ///
    /// # Errors
    /// When the local copy can't be read.
    pub fn reports(&self, manifest: &Manifest) -> Result<BTreeMap<String, Report>, OperatorError> {
        Ok(self.registry.reports(manifest, &mut ReportCache::default())?)
    }

    /// Refuses to go on from a log that lacks what hosts have accepted: the hosts would refuse all that follows.
    ///
    /// # Errors
    /// When a report names a change that the log does not contain.
    pub fn refuse_rewound(&self, newest: Option<&VerifiedChange>) -> Result<(), OperatorError> {
        let Some(newest) = newest else { return Ok(()) };
        for (host, report) in self.reports(&newest.manifest)? {
            let Some((number, commit)) = report.accepted.zip(report.accepted_commit) else { continue };
            if !self.contains(newest.sha1, commit) {
                return Err(OperatorError::Rewound { host, number, commit, remedy: self.remedy(commit) });
            }
        }
        Ok(())
    }

    /// Refuses a key whose changes no host would take, before any work is done for one.
    ///
    /// # Errors
    /// When it does not sign, or is not in the list.
    pub fn refuse_stranger(&self, key: &SigningKey) -> Result<(), OperatorError> {
        const PAYLOAD: &[u8] = b"wildebeest";
        let unusable = |source| OperatorError::Key { key: key.path().to_owned(), source };
        let signature = key.sign(PAYLOAD).map_err(unusable)?;
        match self.signers.verify(PAYLOAD, &signature) {
            Ok(_) => Ok(()),
            Err(SignatureError::NotAllowed { .. }) => Err(self.not_allowed(key)),
            Err(source) => Err(unusable(source)),
        }
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
        match self.registry.push(&updates)? {
            Pushed::Won => Ok(Appended::Won(Box::new(change))),
            Pushed::Lost => Ok(Appended::Lost),
        }
    }

    fn log(&self) -> ChangeLog<'_> {
        ChangeLog::new(self.registry.objects(), &self.signers)
    }

    fn contains(&self, newest: Sha1, older: Sha1) -> bool {
        let objects = self.registry.objects();
        objects.contains(older) && objects.descends(newest, older).unwrap_or(false)
    }

    fn remedy(&self, commit: Sha1) -> Option<String> {
        let here = self.tree.git_dir().ok()?.join("wildebeest/herd.git");
        let push = format!("git -C {} push {} {commit}:{}", here.display(), self.registry.url(), RefName::Changes);
        self.registry.objects().contains(commit).then_some(push)
    }

    fn not_allowed(&self, key: &SigningKey) -> OperatorError {
        let principal = self.tree.identity().email;
        OperatorError::KeyNotAllowed { key: key.path().to_owned(), signers: self.signers_path.clone(), principal }
    }
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
