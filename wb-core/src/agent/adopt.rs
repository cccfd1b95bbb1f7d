//! Adopting: a link that somebody did by hand counts as completed, when its specs pass. The link itself is not run.
//!
//! An operator says so of a host's next link, and the host acts on it at most once: that it acts is on disk before it asks
//! the specs. Out of load, what a failed link owes is paid before they are asked, and who failed stays failed when they
//! say no. In load they only look, so nobody has to leave for it; when they say no, or there are none, the host runs the
//! link as ever, since a machine that lost what was done by hand hears of it, too.

use super::phase::{Event, Phase};
use super::run::vouch_for;
use super::{Agent, AgentError};
use crate::chain::{Link, Sha1};
use crate::plan::{adoption_due, settings_digest};
use crate::report::Failure;

impl Agent<'_> {
    /// As [`Agent::adopts`], for the link that comes next in load.
    pub(super) fn adopts_in_load(&mut self) -> Result<bool, AgentError> {
        match self.next_in_load()? {
            Some(next) => self.adopts(next),
            None => Ok(false),
        }
    }

    /// Acts on the word that the next link was done by hand, where there is such a word. True when it did, whatever came of
    /// it.
    pub(super) fn adopts(&mut self, next: Sha1) -> Result<bool, AgentError> {
        let due = self.host().and_then(|(_, host)| adoption_due(host, self.store.record().acted, next));
        let Some((change, link)) = due.zip(self.has_as_told(next).cloned()) else { return Ok(false) };
        let failure = self.failure_here();
        let cut_short = format!("adopting it, as change {change} says, was cut short");
        self.store.adopts(change, failure.clone().map(|failure| Failure { error: cut_short, ..failure }))?;
        match self.vouch(&link) {
            Ok(()) => {
                self.store.adopted(&link, self.now())?;
                self.journal.say(&format!("done by hand, as change {change} says: {link}"));
            }
            Err(why) => {
                let error = format!("adopting it, as change {change} says, was refused: {why}");
                self.journal.say(&format!("not done by hand: {link}: {error}"));
                if let Some(failure) = failure {
                    self.store.happened(Event::AdoptionRefused(Failure { error, ..failure }))?;
                }
            }
        }
        Ok(true)
    }

    fn vouch(&self, link: &Link) -> Result<(), String> {
        let record = self.store.record();
        if self.catalog.specs_of(&link.name).next().is_none() && !matches!(record.phase, Phase::Failed { .. }) {
            return Err("it has no spec that could tell".to_owned());
        }
        vouch_for(self.catalog, link, self.system, &self.view(), self.store.clone(), record.phase != Phase::InLoad)
    }

    /// What failed, under the settings of now: what was asked for before an adoption is used up by it.
    fn failure_here(&self) -> Option<Failure> {
        let Phase::Failed { failure, .. } = self.store.record().phase.clone() else { return None };
        let settings = self.host().map_or(failure.settings, |(_, host)| settings_digest(host));
        Some(Failure { settings, ..failure })
    }

    /// The link right after the state, where the host runs it and the herd is to reach it.
    fn next_in_load(&self) -> Result<Option<Sha1>, AgentError> {
        let goal = self.goal()?;
        let next = || {
            let chain = &self.change.as_ref()?.manifest.chain;
            let next = chain.after(self.store.record().state()).ok()?.first()?;
            (chain.position(next.sha1) <= chain.position(goal?)).then(|| next.clone())
        };
        let Some(next) = next() else { return Ok(None) };
        let runs = self.on_course(|course| course.runs(&next))?.unwrap_or_default();
        Ok(runs.then_some(next.sha1))
    }
}
