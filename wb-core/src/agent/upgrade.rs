//! Taking over a new runner, between legs, and amid a link only where that is to go on with another one: fetched, its
//! sha256 compared with the signed one, tried as a child, then put in place by an atomic rename and run under the same
//! process id. The one before is kept, and comes back where the new one comes to no first poll ([`super::trial`]).
//!
//! It is the newest one, as a rule. A host that is amid links whose code is gone ends these with the last runner that has
//! it, and takes the newest one over then.

use std::path::{Path, PathBuf};

use super::phase::Phase;
use super::store::Trial;
use super::trial::named;
use super::{Agent, AgentError, self_check};
use crate::chain::{Chain, Digest, Sha1};
use crate::change::{Manifest, Runner};
use crate::plan::{Course, Wanted};
use crate::registry::RefName;
use crate::runner::platform;
use crate::system::fault::{self, Bug, Subject};
use crate::system::{files, machine};

/// The name of the binary in the commit that carries it.
pub const RUNNER_FILE: &str = "wildebeest";

/// A runner that is not fit for this host.
#[derive(Debug)]
pub(super) struct Unfit {
    trial: Trial,
    why: String,
    time: u64,
}

/// How long what failed its self-check is left alone, in seconds. It may have been the machine's fault.
const PAUSE: u64 = 600;

/// Where a runner lies until it is put in place at `path`: on the same file system.
pub(super) fn beside(path: &Path) -> PathBuf {
    path.with_extension("new")
}

impl Agent<'_> {
    /// Installs the runner that the newest change names for this host. True when there is a new one to run.
    pub(super) fn upgrade(&mut self) -> Result<bool, AgentError> {
        let Some(change) = &self.change else { return Ok(false) };
        let manifest = change.manifest.clone();
        let wanted = self.wanted_runner(&manifest)?.filter(|wanted| wanted.runner().sha256 != self.runner);
        let Some(wanted) = wanted.filter(|_| self.may_upgrade()) else { return Ok(false) };
        let trial = Trial { runner: wanted.runner().sha256, change: manifest.number, starts: 0 };
        self.distrust = match self.refusal().or_else(|| self.known_as_unfit(&trial)) {
            Some(why) => Some(why),
            None => self.take(trial, &manifest, wanted)?.err(),
        };
        Ok(self.distrust.is_none())
    }

    /// A machine that is not part of the herd, or diverged, runs nothing: the newest runner says so.
    pub(super) fn wanted_runner<'m>(&self, manifest: &'m Manifest) -> Result<Option<Wanted<'m>>, AgentError> {
        let (record, platform, goal) = (self.store.record(), platform(), self.goal()?);
        Ok(match manifest.host_of(self.config.uuid) {
            Some((_, host)) => {
                Wanted::of(manifest, &platform, &Course::new(manifest, goal, host, &record.past()), record.state())
            }
            None => manifest.runners.get(&platform).map(Wanted::Newest),
        })
    }

    fn may_upgrade(&self) -> bool {
        let phase = self.store.record().phase;
        let moves = matches!(&phase, Phase::Running { link, .. } if self.goes_on_elsewhere(*link));
        self.distrust.is_none() && (phase.may_upgrade() || moves)
    }

    /// A started link goes on with the runner that started it, unless this one has not its code, or the link was amended
    /// since, or somebody asked for another try.
    fn goes_on_elsewhere(&self, link: Sha1) -> bool {
        let digest = |chain: &Chain| chain.get(link).map(|link| link.digest);
        let told = self.change.as_ref().and_then(|change| digest(&change.manifest.chain));
        let is_amended = told.is_some() && told != digest(self.catalog.chain());
        let is_retried = self.host().is_some_and(|(_, host)| host.retry > self.store.record().retry);
        self.catalog.code(link).is_none() || is_amended || is_retried
    }

    fn known_as_unfit(&self, trial: &Trial) -> Option<String> {
        let known = self.unfit.as_ref().filter(|unfit| unfit.trial == *trial)?;
        (self.now().abs_diff(known.time) < PAUSE).then(|| known.why.clone())
    }

    fn take(
        &mut self,
        trial: Trial,
        manifest: &Manifest,
        wanted: Wanted<'_>,
    ) -> Result<Result<(), String>, AgentError> {
        let bytes = match self.fetch_runner(wanted.runner())? {
            Ok(bytes) => bytes,
            Err(why) => return Ok(Err(why)),
        };
        let new = beside(&self.config.runner);
        let during = fault::during(Subject::NewRunner);
        files::prepare(&new, &bytes, 0o755)?;
        if let Err(what) = self.check(&new, &bytes, manifest, wanted) {
            files::remove(&new)?;
            // What could not be checked because the remote went away is no worse for that.
            self.registry.fetch(&[RefName::Changes.to_string()])?;
            let why = format!("{} {what}", named(trial.runner, trial.change));
            self.unfit = Some(Unfit { trial, why: why.clone(), time: self.now() });
            return Ok(Err(why));
        }
        drop(during);
        self.install(&new, trial)?;
        Ok(Ok(()))
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
        Ok(match found == wanted.sha256 || fault::planted(Bug::UnverifiedRunner) {
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

    /// The new runner must be for this machine, have the chain that it is wanted for, and come as far as its first poll.
    fn check(&self, path: &Path, bytes: &[u8], manifest: &Manifest, wanted: Wanted<'_>) -> Result<(), String> {
        if let Some(machine) = machine::foreign(bytes, std::env::consts::ARCH) {
            let here = platform();
            return Err(format!("is for {machine}, and this is {here}; hint: `cargo xtask deploy` on {here}"));
        }
        let chain = self_check::ask(path, &self.home.args(), self_check::PATIENCE)?;
        match wanted.fits(manifest, &chain) {
            true => Ok(()),
            false => Err(format!("has another chain than its change; {}", self_check::HINT)),
        }
    }

    /// The trial is on disk before the new runner can be started.
    fn install(&self, new: &Path, trial: Trial) -> Result<(), AgentError> {
        let name = trial.runner.short();
        self.keep_this_runner()?;
        self.store.update(|record| record.trial = Some(trial))?;
        let _during = fault::during(Subject::Runner);
        files::rename(new, &self.config.runner)?;
        self.journal.say(&format!("takes over the runner {name}"));
        Ok(())
    }

    /// What runs is kept, also where another file was put in its place meanwhile.
    fn keep_this_runner(&self) -> Result<(), AgentError> {
        let installed = files::read_optional(&self.config.runner)?;
        let bytes = match installed.filter(|bytes| Digest::of(bytes) == self.runner) {
            Some(bytes) => bytes,
            None => files::read("/proc/self/exe")?,
        };
        let _during = fault::during(Subject::PreviousRunner);
        let previous = self.home.previous_runner();
        let new = previous.with_extension("new");
        files::prepare(&new, bytes, 0o755)?;
        Ok(files::rename(new, previous)?)
    }
}
