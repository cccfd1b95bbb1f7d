//! Looking at the others from within a link that waits for them.
//!
//! A link that waits runs, and so nothing is accepted: what it was begun with holds until its end. Only whether the wait
//! holds is judged by the newest change, since an operator may have waived or retired the host that is waited for.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use super::look::reports_of;
use super::{Agent, AgentError};
use crate::chain::{Link, Sha1, Wait};
use crate::change::Manifest;
use crate::context::{Lookout, NoSuch, Sight};
use crate::plan::{self, Lag, lagging_for, link_awaiting};
use crate::registry::{Pushed, RefName, RegistryError, ReportCache, VerifiedChange};
use crate::report::{Doing, Report};
use crate::runner::with_causes;
use crate::system::fault::{self, Bug, Subject};

/// The look of a host that runs a link.
pub(super) struct Sentry<'l, 'a> {
    agent: RefCell<&'l mut Agent<'a>>,
    link: &'l Link,
    newest: RefCell<Option<VerifiedChange>>,
    told: Cell<bool>,
}

impl<'l, 'a> Sentry<'l, 'a> {
    pub(super) fn new(agent: &'l mut Agent<'a>, link: &'l Link) -> Self {
        let newest = RefCell::new(agent.change.clone());
        Self { agent: RefCell::new(agent), link, newest, told: Cell::new(false) }
    }

    /// Fetches what those say who are waited for, and the changes since the one that counts here.
    fn ask(&self, wait: &Wait) -> Result<(), RegistryError> {
        let agent = self.agent.borrow();
        agent.registry.fetch(&self.wanted(wait))?;
        let Some(tip) = agent.registry.get(&RefName::Changes)? else { return Ok(()) };
        let (changes, _) = agent.registry.changes_since(self.newest.borrow().as_ref(), tip, &agent.allowed);
        if let Some(newest) = changes.into_iter().last() {
            let left = agent.retired_by(&newest.manifest);
            self.newest.replace(Some(newest));
            agent.registry.fetch(&self.wanted(wait))?;
            drop(agent);
            // A report that was removed is not to come back, whatever change is accepted here.
            self.agent.borrow_mut().left = left;
        }
        Ok(())
    }

    /// The log, and the reports of those who are waited for.
    fn wanted(&self, wait: &Wait) -> Vec<String> {
        let newest = self.newest.borrow();
        let reports = newest.as_ref().map(|change| {
            let awaited = change.manifest.admitted(wait.role()).collect();
            reports_of(&change.manifest, &awaited)
        });
        [RefName::Changes.to_string()].into_iter().chain(reports.unwrap_or_default()).collect()
    }

    /// Why the remote could not be asked, where it could not.
    fn away(&self, wait: &Wait) -> Option<String> {
        let asked = self.ask(wait);
        let mut agent = self.agent.borrow_mut();
        match asked {
            Ok(()) => {
                agent.reached();
                None
            }
            Err(error) => {
                let error = AgentError::from(error);
                agent.go_on_without(&error);
                Some(with_causes(&error))
            }
        }
    }

    fn lagging(&self, wait: &Wait) -> Result<Vec<Lag>, NoSuch> {
        let (agent, newest) = (self.agent.borrow(), self.newest.borrow());
        agent.lagging(newest.as_ref().map(|change| &change.manifest), wait, self.link)
    }

    /// Says that this host waits, or that it goes on.
    fn tell(&self, lagging: &[Lag]) {
        let waits = !lagging.is_empty();
        if !waits && !self.told.get() {
            return;
        }
        self.told.set(waits);
        let doing = match waits {
            true => Doing::from(&plan::Wait::Others { link: self.link.clone(), lagging: lagging.to_vec() }),
            false => Doing::Running { link: self.link.name.clone() },
        };
        self.agent.borrow_mut().tell_amid_link(&doing);
    }
}

impl Lookout for Sentry<'_, '_> {
    fn may_wait(&self) -> bool {
        let is_free = self.agent.borrow().store.record().phase.held().is_none();
        is_free || fault::planted(Bug::WaitsOutOfLoad)
    }

    fn every(&self) -> Duration {
        self.agent.borrow().config.poll
    }

    fn look(&self, wait: &Wait) -> Result<Sight, NoSuch> {
        let away = self.away(wait);
        let lagging = self.lagging(wait)?;
        if away.is_none() && self.may_wait() {
            self.tell(&lagging);
        }
        Ok(Sight { lagging, away })
    }

    fn say(&self, line: &str) {
        self.agent.borrow().journal.say(line);
    }
}

/// The look of a plan: what was fetched last, and nobody is told.
pub(super) struct Glance<'l, 'a> {
    pub(super) agent: &'l Agent<'a>,
    pub(super) link: &'l Link,
}

impl Lookout for Glance<'_, '_> {
    fn may_wait(&self) -> bool {
        false
    }

    fn every(&self) -> Duration {
        self.agent.config.poll
    }

    fn look(&self, wait: &Wait) -> Result<Sight, NoSuch> {
        let manifest = self.agent.change.as_ref().map(|change| &change.manifest);
        Ok(Sight { lagging: self.agent.lagging(manifest, wait, self.link)?, away: None })
    }
}

impl Agent<'_> {
    /// Who keeps a wait in the code of `link` from holding, as the reports tell that were fetched last. Where there is no
    /// herd yet, there is nobody to wait for.
    fn lagging(&self, manifest: Option<&Manifest>, wait: &Wait, link: &Link) -> Result<Vec<Lag>, NoSuch> {
        let Some(manifest) = manifest else { return Ok(Vec::new()) };
        check(manifest, wait)?;
        let me = manifest.host_of(self.config.uuid).map_or(self.config.name.as_str(), |(name, _)| name);
        let lagging = |cache| lagging_for(manifest, &self.known_reports(manifest, wait, cache), me, wait, link.sha1);
        let by_claims = lagging(&self.claims);
        Ok(if by_claims.is_empty() { lagging(&self.cache) } else { by_claims })
    }

    /// What this host said last, where that is that it waits in the code of this link.
    pub(super) fn waits_amid(&self, link: Sha1) -> Option<Doing> {
        let said = self.said.as_ref().map(|said| &said.doing)?;
        let waits = matches!(said, Doing::Waiting { key, .. } if link_awaiting(key) == Some(link));
        waits.then(|| said.clone())
    }

    /// The reports that were fetched last; who can't be read is a host that nobody knows anything of.
    fn known_reports(
        &self,
        manifest: &Manifest,
        wait: &Wait,
        cache: &RefCell<ReportCache>,
    ) -> BTreeMap<String, Report> {
        let awaited = manifest.admitted(wait.role()).collect();
        self.registry.reports_of(manifest, &awaited, &mut cache.borrow_mut()).unwrap_or_default()
    }

    /// Says what this host does, where that is easily said. A report that is not this machine's own is judged by the next
    /// look, after the link.
    fn tell_amid_link(&mut self, doing: &Doing) {
        if self.has_said(doing) {
            return;
        }
        let _during = fault::during(Subject::Progress);
        match self.push_with(doing, Vec::new()) {
            Ok(Pushed::Won | Pushed::Lost) => {}
            Err(error) => self.go_on_without(&error),
        }
    }
}

/// A wait for what there is not would hold at once.
fn check(manifest: &Manifest, wait: &Wait) -> Result<(), NoSuch> {
    let (role, links) = (wait.role(), manifest.chain.links());
    if !manifest.roles.contains_key(role) && manifest.admitted(role).next().is_none() {
        return Err(NoSuch::Role(role.to_owned()));
    }
    match &wait.reached {
        Some(name) if links.iter().all(|link| link.name != *name) => Err(NoSuch::Link(name.clone())),
        _ => Ok(()),
    }
}
