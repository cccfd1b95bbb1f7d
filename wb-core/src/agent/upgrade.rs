//! Taking over a new runner, between legs, and amid a link only where that is to go on with another one: fetched, its
//! sha256 compared with the signed one, tried as a child, then put in place by an atomic rename and run under the same
//! process id. The one before is kept, and comes back where the new one comes to no first poll ([`super::trial`]).
//!
//! It is the newest one, as a rule. A host that is amid links whose code is gone ends these with the last runner that has
//! it, and takes the newest one over then.

use super::phase::Phase;
use super::store::Trial;
use super::trial::named;
use super::{Agent, AgentError, self_check};
use crate::chain::{Chain, Digest, Sha1};
use crate::change::{Manifest, Runner};
use crate::plan::{Course, Wanted};
use crate::registry::RefName;
use crate::runner::platform;
use crate::system::fault::{self, Bug};

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

impl Agent<'_> {
    /// Installs the runner that the newest change names for this host. True when there is a new one to run.
    pub(super) fn upgrade(&mut self) -> Result<bool, AgentError> {
        let Some(change) = &self.change else { return Ok(false) };
        let manifest = &change.manifest;
        let wanted = self.wanted_runner(manifest)?.filter(|wanted| wanted.runner().sha256 != self.runner);
        let Some(wanted) = wanted.filter(|_| self.may_upgrade()) else { return Ok(false) };
        let trial = Trial { runner: wanted.runner().sha256, change: manifest.number, starts: 0 };
        self.distrust = match self.refusal().or_else(|| self.known_as_unfit(&trial)) {
            Some(why) => Some(why),
            None => self.take(trial, manifest, wanted)?.err(),
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
        let phase = &self.store.record().phase;
        let moves = matches!(phase, Phase::Running { link, .. } if self.goes_on_elsewhere(*link));
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
        let unfit = self.unfit.borrow();
        let known = unfit.as_ref().filter(|unfit| unfit.trial == *trial)?;
        (self.now().abs_diff(known.time) < PAUSE).then(|| known.why.clone())
    }

    fn take(&self, trial: Trial, manifest: &Manifest, wanted: Wanted<'_>) -> Result<Result<(), String>, AgentError> {
        let bytes = match self.fetch_runner(wanted.runner())? {
            Ok(bytes) => bytes,
            Err(why) => return Ok(Err(why)),
        };
        self.machine.lay(&bytes)?;
        if let Err(what) = self.check(&bytes, manifest, wanted) {
            self.machine.take_away()?;
            // What could not be checked because the remote went away is no worse for that.
            self.registry.fetch(&[RefName::Changes.to_string()])?;
            let why = format!("{} {what}", named(trial.runner, trial.change));
            self.unfit.replace(Some(Unfit { trial, why: why.clone(), time: self.now() }));
            return Ok(Err(why));
        }
        self.install(trial)?;
        Ok(Ok(()))
    }

    fn fetch_runner(&self, wanted: &Runner) -> Result<Result<Vec<u8>, String>, AgentError> {
        // A fetch that was cut short may leave the commit here, and not the file.
        let here = self.registry.file(wanted.commit, RUNNER_FILE);
        let bytes = match here {
            Some(bytes) => Some(bytes),
            None => {
                self.registry.fetch(std::slice::from_ref(&wanted.reference))?;
                self.registry.file(wanted.commit, RUNNER_FILE)
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

    /// The new runner must be for this machine, have the chain that it is wanted for, and come as far as its first poll.
    fn check(&self, runner: &[u8], manifest: &Manifest, wanted: Wanted<'_>) -> Result<(), String> {
        let chain = self.machine.try_out(runner)?;
        match wanted.fits(manifest, &chain) {
            true => Ok(()),
            false => Err(format!("has another chain than its change; {}", self_check::HINT)),
        }
    }

    /// The trial is on disk before the new runner can be started.
    fn install(&self, trial: Trial) -> Result<(), AgentError> {
        let name = trial.runner.short();
        self.machine.keep_runner(self.runner)?;
        self.store.update(|record| record.trial = Some(trial))?;
        self.machine.install()?;
        self.journal.say(&format!("takes over the runner {name}"));
        Ok(())
    }
}
