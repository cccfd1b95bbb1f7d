//! Taking over a new runner, between legs only: fetched, its sha256 compared with the signed one, tried as a child,
//! then put in place by an atomic rename. The old one is kept.
//!
//! It is the newest one, as a rule. A host that is amid links whose code is gone ends these with the last runner that has
//! it, and takes the newest one over then.

use super::phase::Phase;
use super::{Agent, AgentError};
use crate::chain::{Chain, Digest, Sha1};
use crate::change::{Manifest, Runner};
use crate::plan::{Course, Wanted};
use crate::runner::platform;
use crate::system::fault::{self, Subject};
use crate::system::{Command, files};

/// The name of the binary in the commit that carries it.
pub const RUNNER_FILE: &str = "wildebeest";

impl Agent<'_> {
    /// Installs the runner that the newest change names for this host. True when there is a new one to run.
    pub(super) fn upgrade(&mut self) -> Result<bool, AgentError> {
        let Some(change) = &self.change else { return Ok(false) };
        let manifest = change.manifest.clone();
        let wanted = self.wanted_runner(&manifest).filter(|wanted| wanted.runner().sha256 != self.runner);
        let Some(wanted) = wanted.filter(|_| self.may_upgrade()) else { return Ok(false) };
        match self.fetch_runner(wanted.runner())? {
            Ok(bytes) => self.install(&bytes, &manifest, wanted),
            Err(why) => {
                self.distrust = Some(why);
                Ok(false)
            }
        }
    }

    /// A machine that is not part of the herd, or diverged, runs nothing: the newest runner says so.
    fn wanted_runner<'m>(&self, manifest: &'m Manifest) -> Option<Wanted<'m>> {
        let (record, platform) = (self.store.record(), platform());
        match manifest.host_of(self.config.uuid) {
            Some((_, host)) => {
                Wanted::of(manifest, &platform, &Course::new(manifest, host, &record.past()), record.state())
            }
            None => manifest.runners.get(&platform).map(Wanted::Newest),
        }
    }

    /// A link whose code this runner has not was started by another one, and only another one can end it.
    fn may_upgrade(&self) -> bool {
        let phase = self.store.record().phase;
        let foreign = matches!(&phase, Phase::Running { link, .. } if self.catalog.code(*link).is_none());
        self.distrust.is_none() && (phase.may_upgrade() || foreign)
    }

    fn fetch_runner(&self, wanted: &Runner) -> Result<Result<Vec<u8>, String>, AgentError> {
        // A fetch that was cut short may leave the commit here, and not the file.
        let here = self.read_runner(wanted.commit);
        let bytes = match here {
            Some(bytes) => Some(bytes),
            None => {
                self.registry.fetch(std::slice::from_ref(&wanted.reference))?;
                self.read_runner(wanted.commit)
            }
        };
        let Some(bytes) = bytes else {
            let missing = format!("the runner {} of the newest change is not on the remote", wanted.sha256.short());
            return Ok(Err(format!("{missing}; hint: cargo xtask deploy")));
        };
        let found = Digest::of(&bytes);
        Ok(match found == wanted.sha256 {
            true => Ok(bytes),
            false => {
                let differs = format!("the runner has sha256 {found}, but the change says {}", wanted.sha256);
                Err(format!("{differs}; hint: cargo xtask deploy"))
            }
        })
    }

    fn read_runner(&self, commit: Sha1) -> Option<Vec<u8>> {
        let objects = self.registry.objects();
        objects.file(&objects.read(commit).ok()?, RUNNER_FILE).ok()?
    }

    fn install(&mut self, bytes: &[u8], manifest: &Manifest, wanted: Wanted<'_>) -> Result<bool, AgentError> {
        let path = self.config.runner.clone();
        let new = path.with_extension("new");
        let during = fault::during(Subject::NewRunner);
        files::write(&new, bytes, 0o755)?;
        if let Err(why) = self.try_runner(&new, manifest, wanted) {
            files::remove(&new)?;
            self.distrust = Some(why);
            return Ok(false);
        }
        drop(during);
        if files::exists(&path) {
            let _previous = fault::during(Subject::PreviousRunner);
            files::copy(&path, self.home.previous_runner())?;
        }
        let _runner = fault::during(Subject::Runner);
        files::rename(&new, &path)?;
        self.journal.say(&format!("takes over the runner {}", Digest::of(bytes).short()));
        Ok(true)
    }

    /// The new runner must have the chain that it is wanted for, and understand this host's record.
    fn try_runner(&self, path: &std::path::Path, manifest: &Manifest, wanted: Wanted<'_>) -> Result<(), String> {
        let check = Command::new(path).arg("self-check").arg("--record").arg(self.home.record());
        let timeout = std::time::Duration::from_secs(60);
        let said =
            check.timeout(timeout).read().map_err(|error| format!("the new runner fails its self-check: {error}"))?;
        let chain: Chain =
            serde_json::from_str(&said).map_err(|_| "the new runner's self-check says nonsense".to_owned())?;
        match wanted.fits(manifest, &chain) {
            true => Ok(()),
            false => Err("the new runner has another chain than its change".to_owned()),
        }
    }
}
