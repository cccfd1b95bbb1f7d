//! Claims: a place in every pool of one's roles, in one push with one's own report, and back again.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::phase::{Held, Leg, Phase};
use super::{Agent, AgentError, pace};
use crate::chain::Sha1;
use crate::change::Manifest;
use crate::pool::{Claim, Pool};
use crate::registry::{Pushed, RefName, RefUpdate, RegistryError};
use crate::report::Doing;
use crate::system::fault::{self, Bug, Subject};

impl Agent<'_> {
    /// Claims; false when somebody else was faster or there is no place any more.
    pub(super) fn claim(&mut self, leg: &Leg) -> Result<bool, AgentError> {
        let (Some(held), Some(change)) = (&leg.held, &self.change) else { return Ok(false) };
        let serving = self.serving()?;
        let mut updates = Vec::new();
        for role in &held.roles {
            let (expected, pool) = self.pool(role)?;
            let limit = self.limit(role, &change.manifest, &serving);
            let pool = pool.counting(&change.manifest);
            let Ok(new) = pool.claim(self.mine(held), limit, change.manifest.number, Uuid::new_v4()) else {
                return Ok(false);
            };
            if fault::planted(Bug::BlindClaim) {
                self.registry.fetch(&[RefName::Out(role.clone()).to_string()])?;
            }
            let expected = if fault::planted(Bug::BlindClaim) { self.pool(role)?.0 } else { expected };
            updates.push(self.pool_update(role, expected, &new)?);
        }
        let _during = fault::during(Subject::Claim);
        Ok(self.push_with(&Doing::Leaving { trouble: None }, updates)? == Pushed::Won)
    }

    fn limit(&self, role: &str, manifest: &Manifest, serving: &BTreeSet<String>) -> usize {
        let stale = self.catalog.policies().get(role).filter(|_| fault::planted(Bug::StaleLimit));
        stale.map_or_else(|| manifest.limit(role, serving), |policy| policy.max_out.of(serving.len()))
    }

    /// Whether the claim stands in every pool.
    pub(super) fn holds(&self, leg: &Leg) -> Result<bool, AgentError> {
        let Some(held) = &leg.held else { return Ok(false) };
        for role in &held.roles {
            if !self.pool(role)?.1.holds(held.nonce) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Gives the claim back, together with the new state. Others may be at it at the same moment: then again, and false
    /// when they were faster each time.
    pub(super) fn release(&mut self, held: &Held) -> Result<bool, AgentError> {
        for _ in 0..pace::RACES {
            let mut updates = Vec::new();
            for role in &held.roles {
                let (expected, pool) = self.pool(role)?;
                if expected.is_some() {
                    updates.push(self.pool_update(role, expected, &pool.release(held.nonce, Uuid::new_v4()))?);
                }
            }
            let during = fault::during(Subject::Release);
            if self.push_with(&Doing::waiting("for the next look"), updates)? == Pushed::Won {
                return Ok(true);
            }
            drop(during);
            self.look()?;
            if self.retirement().is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts the claim of a host that is out of load back where the remote has lost it, whatever the limit: nobody else is to
    /// leave meanwhile. A remote that does not take it holds nothing up; the next look tries again.
    pub(super) fn claim_again(&mut self) -> Result<(), AgentError> {
        match self.put_claims_back() {
            Err(error) if !error.is_final() => self.go_on_without(&error),
            tried => tried?,
        }
        Ok(())
    }

    fn put_claims_back(&mut self) -> Result<(), AgentError> {
        let Some(held) = self.owned_claim() else { return Ok(()) };
        let seen = self.change.as_ref().map_or(0, |change| change.manifest.number);
        let mut updates = Vec::new();
        for role in &held.roles {
            let (expected, pool) = self.pool(role)?;
            if !pool.holds(held.nonce) {
                let back = pool.put_back(self.mine(&held), seen, Uuid::new_v4());
                updates.push(self.pool_update(role, expected, &back)?);
            }
        }
        if updates.is_empty() {
            return Ok(());
        }
        self.journal.say("the remote has lost that this host is out of load: it claims its place again");
        let said = self.said.as_ref().map(|said| said.doing.clone());
        let doing = said.unwrap_or_else(|| self.besides(Doing::Leaving { trouble: None }));
        // Whoever wrote at the same moment is met at the next look.
        self.push_with(&doing, updates).map(drop)
    }

    /// The claim under which this host is out of load, where it counts. Whoever was restored may have given it back since.
    fn owned_claim(&self) -> Option<Held> {
        let record = self.store.record();
        let is_out = record.phase.is_out() || matches!(record.phase, Phase::Rejoining { .. });
        let is_settled = record.taking_over.is_none() && record.contested.is_none() && self.host().is_some();
        let held = record.phase.held().filter(|_| is_out && is_settled)?;
        let is_freed = self.change.as_ref().is_some_and(|change| change.manifest.is_released(held.nonce));
        (!is_freed).then(|| held.clone())
    }

    fn mine(&self, held: &Held) -> Claim {
        let since = if held.since == 0 { self.now() } else { held.since };
        Claim { host: self.config.name.clone(), uuid: self.config.uuid, nonce: held.nonce, since }
    }

    fn pool(&self, role: &str) -> Result<(Option<Sha1>, Pool), AgentError> {
        self.registry.pool(role).map_err(|error| match error {
            RegistryError::Object(source) if source.is_of_content() => {
                AgentError::Pool { role: role.to_owned(), source: Box::new(source) }
            }
            error => error.into(),
        })
    }

    fn pool_update(&self, role: &str, expected: Option<Sha1>, pool: &Pool) -> Result<RefUpdate, AgentError> {
        let commit = self.registry.write_pool(role, pool, &self.config.name, self.system.clock().now())?;
        Ok(RefUpdate { name: RefName::Out(role.to_owned()), expected, new: Some(commit) })
    }
}
