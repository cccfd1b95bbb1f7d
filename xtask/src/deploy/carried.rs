//! A runner that is to be deployed, and what it says of itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use wb_core::agent::RUNNER_FILE;
use wb_core::chain::{Chain, Digest};
use wb_core::change::{Manifest, RolePolicy, Runner};
use wb_core::registry::{NewCommit, RefName, RefUpdate};
use wb_core::system::{Command, files};

use super::DeployError;
use crate::operator::{Operator, OperatorError};

/// The bytes of a runner, and what it says.
pub(super) struct Carried {
    pub(super) sha256: Digest,
    pub(super) says: Says,
    bytes: Vec<u8>,
}

/// What `wildebeest chain --json` says.
#[derive(Debug, Deserialize)]
pub(super) struct Says {
    pub(super) platform: String,
    pub(super) chain: Chain,
    pub(super) roles: BTreeMap<String, RolePolicy>,
}

impl Carried {
    pub(super) fn read(path: &Path) -> Result<Self, DeployError> {
        // A directory that is not there keeps the record of the machine that builds out of it.
        let nowhere = path.with_extension("no-record");
        let command = Command::new(path).args(["chain", "--json"]).arg("--state").arg(&nowhere);
        let command = command.arg("--config").arg(&nowhere).timeout(Duration::from_secs(60));
        let said = command.read().map_err(|source| DeployError::RunnerFails { source })?;
        let says = serde_json::from_str(&said).map_err(|source| DeployError::RunnerSays { source })?;
        let bytes = files::read(path)?;
        Ok(Self { sha256: Digest::of(&bytes), says, bytes })
    }

    pub(super) fn is_in(&self, manifest: &Manifest) -> bool {
        manifest.runners.get(&self.says.platform).is_some_and(|runner| runner.sha256 == self.sha256)
    }

    /// Whether the remote has lost it, as a git server does that is restored from a backup.
    pub(super) fn is_lost(&self, operator: &Operator, manifest: &Manifest) -> Result<bool, OperatorError> {
        let runner = manifest.runners.get(&self.says.platform);
        let lost = operator.lost_runners(manifest)?;
        Ok(lost.iter().any(|lost| Some(&lost.runner) == runner))
    }

    /// Puts it into a commit of its own, to be pushed with the change that names it.
    pub(super) fn store(&self, operator: &Operator, manifest: &Manifest) -> Result<(Runner, RefUpdate), DeployError> {
        let identity = operator.tree().identity();
        let new = NewCommit {
            message: format!("Runner {} for change {}\n", self.sha256.short(), manifest.number),
            files: [(RUNNER_FILE.to_owned(), self.bytes.clone())].into(),
            parent: None,
            author: (identity.name, identity.email),
            time: Duration::from_secs(manifest.time),
        };
        let written = operator.registry().objects().write(&new, None);
        let commit = written.map_err(|source| DeployError::Store { source })?;
        let name = RefName::Runner { platform: self.says.platform.clone(), id: commit.to_string() };
        let runner = Runner { sha256: self.sha256, commit, reference: name.to_string() };
        Ok((runner, RefUpdate { name, expected: None, new: Some(commit) }))
    }
}
