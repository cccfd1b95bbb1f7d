//! Taking over a new runner, between legs only: fetched, its sha256 compared with the signed one, tried as a child,
//! then put in place by an atomic rename. The old one is kept.

use super::{Agent, AgentError};
use crate::chain::{Chain, Digest};
use crate::change::{Manifest, Runner};
use crate::registry::RegistryError;
use crate::runner::platform;
use crate::system::{Command, files};

/// The name of the binary in the commit that carries it.
pub const RUNNER_FILE: &str = "wildebeest";

impl Agent<'_> {
    /// Installs the runner that the newest change names. True when there is a new one to run.
    pub(super) fn upgrade(&mut self) -> Result<bool, AgentError> {
        let Some(change) = &self.change else { return Ok(false) };
        let manifest = change.manifest.clone();
        let wanted = manifest.runners.get(&platform()).filter(|runner| runner.sha256 != self.runner);
        let Some(wanted) = wanted.filter(|_| self.store.record().phase.may_upgrade() && self.distrust.is_none()) else {
            return Ok(false);
        };
        match self.fetch_runner(wanted)? {
            Ok(bytes) => self.install(&bytes, &manifest),
            Err(why) => {
                self.distrust = Some(why);
                Ok(false)
            }
        }
    }

    fn fetch_runner(&self, wanted: &Runner) -> Result<Result<Vec<u8>, String>, AgentError> {
        let objects = self.registry.objects();
        if !objects.contains(wanted.commit) {
            self.registry.fetch(std::slice::from_ref(&wanted.reference))?;
        }
        if !objects.contains(wanted.commit) {
            return Ok(Err(format!("the runner {} of the newest change is not on the remote", wanted.sha256.short())));
        }
        let commit = objects.read(wanted.commit).map_err(RegistryError::from)?;
        let bytes = objects.file(&commit, RUNNER_FILE).map_err(RegistryError::from)?.unwrap_or_default();
        let found = Digest::of(&bytes);
        Ok(match found == wanted.sha256 {
            true => Ok(bytes),
            false => Err(format!("the runner has sha256 {found}, but the change says {}", wanted.sha256)),
        })
    }

    fn install(&mut self, bytes: &[u8], manifest: &Manifest) -> Result<bool, AgentError> {
        let path = self.config.runner.clone();
        let new = path.with_extension("new");
        files::write(&new, bytes, 0o755)?;
        if let Err(why) = self.try_runner(&new, manifest) {
            files::remove(&new)?;
            self.distrust = Some(why);
            return Ok(false);
        }
        if files::exists(&path) {
            files::copy(&path, self.home.previous_runner())?;
        }
        files::rename(&new, &path)?;
        self.journal.say(&format!("takes over the runner {}", Digest::of(bytes).short()));
        Ok(true)
    }

    /// The new runner must have the signed chain and understand this host's record.
    fn try_runner(&self, path: &std::path::Path, manifest: &Manifest) -> Result<(), String> {
        let check = Command::new(path).arg("self-check").arg("--record").arg(self.home.record());
        let timeout = std::time::Duration::from_secs(60);
        let said =
            check.timeout(timeout).read().map_err(|error| format!("the new runner fails its self-check: {error}"))?;
        let chain: Chain =
            serde_json::from_str(&said).map_err(|_| "the new runner's self-check says nonsense".to_owned())?;
        match chain == manifest.chain {
            true => Ok(()),
            false => Err("the new runner has another chain than its change".to_owned()),
        }
    }
}
