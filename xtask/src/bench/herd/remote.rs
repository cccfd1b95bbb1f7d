//! The bare repository of a herd that is measured, and its operator, who works in it without passing the gate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use uuid::Uuid;
use wb_core::agent::RUNNER_FILE;
use wb_core::chain::{Chain, Digest, Sha1};
use wb_core::change::{ChangeKind, HostManifest, Manifest, RolePolicy, Runner};
use wb_core::context::MaxOut;
use wb_core::registry::{
    Access, AllowedSigners, ChangeLog, Mirror as _, NewCommit, Pushed, RefName, RefUpdate, Registry, SigningKey,
    VerifiedChange, generate, public_key,
};
use wb_core::report::{Report, served};
use wb_core::runner::platform;
use wb_core::system::Command;

use super::super::{BenchError, failed};

/// The repository's name in its directory.
pub(super) const REPOSITORY: &str = "herd.git";

/// The role of all hosts.
pub(super) const ROLE: &str = "web";

/// A herd's repository, and who tells the herd what to do.
pub(super) struct Remote {
    path: PathBuf,
    operator: Registry,
    key: SigningKey,
    signers: AllowedSigners,
    newest: Option<VerifiedChange>,
}

impl Remote {
    /// An empty one in `dir`.
    pub(super) fn new(dir: &Path) -> Result<Self, BenchError> {
        let path = dir.join(REPOSITORY);
        let init = Command::new("git").args(["init", "--quiet", "--bare"]).arg(&path);
        init.read().map_err(failed("make a remote"))?;
        let key = generate(&dir.join("operator"), "bench@wildebeest").map_err(BenchError::Key)?;
        let signers = format!("bench@wildebeest {}\n", public_key(key.path()).map_err(BenchError::Key)?);
        let access = Access::Operator { ssh_command: None };
        let operator = Registry::open(&dir.join("operator.git"), &path.display().to_string(), access)?;
        Ok(Self { path, operator, key, signers: AllowedSigners::new(signers), newest: None })
    }

    /// Whose changes count.
    pub(super) fn signers(&self) -> &str {
        self.signers.text()
    }

    /// Makes all of `hosts` part of the herd, by one change.
    pub(super) fn admit(&mut self, hosts: BTreeMap<String, HostManifest>) -> Result<(), BenchError> {
        self.tell(ChangeKind::Admit, |manifest| manifest.hosts = hosts)
    }

    /// Tells the herd to reach `target`, with this runner, and so many of it out of load at once.
    pub(super) fn deploy(
        &mut self,
        chain: &Chain,
        target: Sha1,
        runner: Runner,
        max_out: MaxOut,
    ) -> Result<(), BenchError> {
        let reports = self.reports()?.into_iter().map(|(uuid, report)| (uuid.to_string(), report)).collect();
        self.tell(ChangeKind::Deploy, |manifest| {
            manifest.served = served(manifest, &reports);
            manifest.chain = chain.clone();
            manifest.target = Some(target);
            manifest.runners = [(platform(), runner)].into();
            manifest.roles = [(ROLE.to_owned(), RolePolicy::new(max_out))].into();
        })
    }

    /// Puts a runner where hosts find it.
    pub(super) fn publish(&self, bytes: Vec<u8>) -> Result<Runner, BenchError> {
        let sha256 = Digest::of(&bytes);
        let author = ("bench".to_owned(), "bench@wildebeest".to_owned());
        let new = NewCommit { files: [(RUNNER_FILE.to_owned(), bytes)].into(), author, ..NewCommit::default() };
        let commit = self.operator.objects().write(&new, None).map_err(wb_core::registry::RegistryError::from)?;
        let name = RefName::Runner { platform: platform(), id: commit.to_string() };
        let reference = name.to_string();
        self.operator.push(&[RefUpdate { name, expected: None, new: Some(commit) }])?;
        Ok(Runner { sha256, commit, reference })
    }

    /// What hosts say of themselves. Nobody checks their signatures here.
    pub(super) fn reports(&self) -> Result<BTreeMap<Uuid, Report>, BenchError> {
        let list = ["for-each-ref", "--format=%(contents:body)%00", "refs/wildebeest/report/"];
        let listed = Command::new("git").arg("-C").arg(&self.path).args(list).read();
        let listed = listed.map_err(failed("read the reports"))?;
        let reports = listed.split('\0').filter_map(|body| Report::decode(body).ok());
        Ok(reports.map(|report| (report.uuid, report)).collect())
    }

    fn tell(&mut self, kind: ChangeKind, delta: impl FnOnce(&mut Manifest)) -> Result<(), BenchError> {
        let mut manifest = self.newest.as_ref().map(|change| change.manifest.clone()).unwrap_or_default();
        manifest.number += 1;
        manifest.kind = kind;
        manifest.author = "bench <bench@wildebeest>".into();
        delta(&mut manifest);
        let log = ChangeLog::new(self.operator.objects(), &self.signers);
        let sha1 = log.write(self.newest.as_ref(), &manifest, &self.key)?;
        let expected = self.newest.as_ref().map(|change| change.sha1);
        match self.operator.push(&[RefUpdate { name: RefName::Changes, expected, new: Some(sha1) }])? {
            Pushed::Won => {
                self.newest = Some(VerifiedChange { sha1, signer: "bench@wildebeest".into(), manifest });
                Ok(())
            }
            Pushed::Lost => Err(BenchError::Foreign),
        }
    }
}
