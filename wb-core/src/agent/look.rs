//! Looking: what the remote says, and which of it counts.

use std::collections::BTreeSet;

use super::phase::Phase;
use super::{Agent, AgentError, Looked, Said, pace};
use crate::chain::Sha1;
use crate::change::{Manifest, Retired};
use crate::plan::Stop;
use crate::registry::{LogError, ObjectError, ROOT, RefName, ReportCache};
use crate::report::HEARTBEAT;
use crate::runner::{HostConfig, with_causes};
use crate::system::fault::{self, Bug};

/// What brings a log back that the remote has lost.
const RECOVER: &str = "an operator brings it back by `cargo xtask changes recover`";

impl Agent<'_> {
    /// The change that was accepted last, from the local objects. It was judged then; where the objects are lost, the
    /// next fetch brings them back.
    pub(super) fn recall(&mut self) {
        self.change = self.store.record().accepted.and_then(|sha1| self.registry.change(sha1, None).ok());
    }

    /// What this host said last, so that it knows since when it does what it does, and what does not hold here any more.
    pub(super) fn recall_said(&mut self) {
        let found = self.registry.get(&RefName::Report(self.config.uuid)).ok().flatten();
        let mine = found.filter(|found| self.store.record().reports.is_mine(*found));
        let report = mine.and_then(|found| self.registry.report(found, &self.public));
        if let Some(report) = report {
            self.watch.recall(report.drift, report.verified);
            self.said = Some(Said { doing: report.doing, since: report.since, state: report.state });
        }
    }

    /// Fetches what this host needs to know now, checks that nobody else reports in its name, and accepts changes.
    pub(super) fn look(&mut self) -> Result<(), AgentError> {
        let begun = self.now();
        let looked = self.look_now();
        // A remote that is away may take longer to say so than hosts wait between two looks.
        let (ended, in_vain) = (self.now(), looked.is_err());
        self.looked.set(Some(Looked { ended, lost: if in_vain { ended.saturating_sub(begun) } else { 0 } }));
        looked
    }

    fn look_now(&mut self) -> Result<(), AgentError> {
        let asked = self.ask(Vec::new())?;
        self.check_identity()?;
        let asked = self.ask(asked)?;
        self.accept()?;
        self.refuse_retired()?;
        self.refuse_contested()?;
        self.ask(asked).map(drop)
    }

    /// Whether the end of the last look is longer ago than hosts look for changes: amid a leg too, what operators say counts.
    pub(super) fn is_to_look(&self) -> bool {
        let every = self.config.poll.as_secs();
        let is_due = |last: Looked| pace::is_due(last.ended, pace::until_look(every, last.lost), self.now());
        self.looked.get().is_none_or(is_due)
    }

    /// Fetches what this host needs to know and has not asked for yet; gives all that it asked for. What that tells may
    /// be that it needs to know more.
    fn ask(&self, mut asked: Vec<String>) -> Result<Vec<String>, AgentError> {
        let is_new = |name: &String| !asked.iter().any(|start| name.starts_with(start));
        let more: Vec<String> = self.wanted()?.into_iter().filter(is_new).collect();
        if !more.is_empty() {
            self.registry.fetch(&more)?;
            if more.iter().any(|name| name.starts_with(&all_pools())) {
                self.saw_pools.set(Some(self.now()));
            }
            asked.extend(more);
        }
        Ok(asked)
    }

    /// What this host needs to know: the log and its own refs, and now and then the pools of its roles; and where it has
    /// work to do, all pools, who failed, what its informants say, and whether those of whom a share may be out were ever in
    /// load. Only who was restored asks everybody.
    pub(super) fn wanted(&self) -> Result<Vec<String>, AgentError> {
        let uuid = self.config.uuid;
        let own = [RefName::Changes, RefName::Report(uuid), RefName::State(uuid)].map(|name| name.to_string());
        let others: Vec<String> = match self.is_busy() {
            true => [all_pools(), format!("{ROOT}failed/")].into_iter().chain(self.reports_wanted()?).collect(),
            false => self.pools_wanted().chain([RefName::Failed(uuid)]).map(|name| name.to_string()).collect(),
        };
        Ok(own.into_iter().chain(others).collect())
    }

    /// The pools that a host with nothing to do fetches. A remote that was put back and forward again may list it as out, and
    /// keep others in; but while others take turns, pools change all the time.
    fn pools_wanted(&self) -> impl Iterator<Item = RefName> {
        let is_due = self.saw_pools.get().is_none_or(|last| pace::is_due(last, HEARTBEAT, self.now()));
        let roles = self.host().filter(|_| is_due).map(|(_, host)| host.roles.clone());
        roles.unwrap_or_default().into_iter().map(RefName::Out)
    }

    /// What this host fetches of what others say.
    fn reports_wanted(&self) -> Result<Vec<String>, AgentError> {
        Ok(match &self.change {
            _ if self.store.record().taking_over.is_some() => vec![ALL_REPORTS.to_owned()],
            Some(change) => reports_of(&change.manifest, &(&self.informants() | &self.strangers()?)),
            None => Vec::new(),
        })
    }

    fn is_busy(&self) -> bool {
        let record = self.store.record();
        let unsettled = record.phase != Phase::InLoad || record.taking_over.is_some() || !record.in_service;
        let Some(manifest) = self.change.as_ref().map(|change| &change.manifest) else { return unsettled };
        let told = || manifest.host_of(self.config.uuid).map_or(manifest.target, |(name, _)| manifest.told(name));
        let canary = manifest.canary.as_ref();
        // Whether canaries have baked must be known to who follows them; and who has seen it tells those that come later.
        let awaits_bake = canary.is_some_and(|canary| record.awaits_bake(canary));
        let goal = match canary.filter(|canary| canary.bake.is_some() && !awaits_bake) {
            Some(canary) => Some(canary.target),
            None => told(),
        };
        unsettled || awaits_bake || (goal.is_some() && record.state() != goal)
    }

    /// Walks and verifies every change since the last accepted one. One that does not count stops the walk: this host
    /// then stays with what it has, and says so.
    fn accept(&mut self) -> Result<(), AgentError> {
        let tip = self.registry.get(&RefName::Changes)?;
        let accepted = self.store.record().accepted;
        if self.change.is_none() && accepted.is_some() {
            self.recall();
        }
        if self.change.is_none() && accepted.is_some() {
            self.distrust = Some(format!("the change that was accepted last is not on the remote; hint: {RECOVER}"));
            return Ok(());
        }
        if let Some(why) = self.forgotten(tip)? {
            self.distrust = Some(why);
            return Ok(());
        }
        let Some(tip) = tip.filter(|tip| Some(*tip) != accepted) else {
            self.distrust =
                (tip.is_none() && accepted.is_some()).then(|| format!("the log of changes is gone; hint: {RECOVER}"));
            return Ok(());
        };
        let (changes, bad) = match fault::planted(Bug::AnySigner) {
            true => (self.registry.change(tip, None).into_iter().collect(), None),
            false => self.registry.changes_since(self.change.as_ref(), tip, &self.allowed),
        };
        for change in changes {
            self.journal.say(&format!("accepted change {} by {}", change.manifest, change.signer));
            self.registry.keep("accepted", change.sha1)?;
            let now = self.now();
            self.store.update(|record| record.accept(change.sha1, change.manifest.number, now))?;
            self.change = Some(change);
        }
        self.distrust = bad.map(|error| format!("{}; hint: {}", with_causes(&error), self.remedy(&error)));
        Ok(())
    }

    /// Whether this machine left the herd. It then does nothing and says nothing: its refs would come back.
    pub(super) fn retirement(&self) -> Option<Stop> {
        let told = || self.retired_by(&self.change.as_ref()?.manifest);
        self.left.clone().or_else(told).map(Stop::Retired)
    }

    /// How this machine left the herd, as this change says.
    pub(super) fn retired_by(&self, manifest: &Manifest) -> Option<Retired> {
        let gone = manifest.host_of(self.config.uuid).is_none();
        manifest.retirement(self.config.uuid).filter(|_| gone).cloned()
    }

    /// What the herd calls this machine is its name, whatever it enrolled as. That its own file says so too is for people.
    pub(super) fn follow_name(&mut self) {
        let now = self.change.as_ref().and_then(|change| change.manifest.host_of(self.config.uuid));
        let Some(name) = now.map(|(name, _)| name.to_owned()).filter(|name| *name != self.config.name) else { return };
        self.journal.say(&format!("`{}` is called `{name}` from now on", self.config.name));
        self.config = HostConfig { name, ..self.config.clone() };
        if let Err(error) = self.machine.write_config(&self.config) {
            self.journal.say(&format!("the new name does not stand in host.toml yet: {}", with_causes(&error)));
        }
    }

    /// Who was restored has forgotten what it accepted, and the remote may have been rolled back too. The others remember,
    /// and so does the report that this machine wrote before.
    fn forgotten(&self, tip: Option<Sha1>) -> Result<Option<String>, AgentError> {
        let Some(taking_over) = self.store.record().taking_over.clone() else { return Ok(None) };
        let newest =
            tip.and_then(|tip| self.registry.change(tip, Some(&self.allowed)).ok()).map(|change| change.manifest);
        let others =
            newest.as_ref().map(|newest| self.registry.reports(newest, &mut ReportCache::default())).transpose()?;
        let others = others
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(name, report)| Some((format!("`{name}`"), report.accepted?, report.accepted_commit?)));
        let own = taking_over.accepted.map(|own| ("this host".to_owned(), own.number, own.commit));
        let kept = |commit| tip.is_some_and(|tip| self.registry.descends(tip, commit).unwrap_or(false));
        let lost = own.into_iter().chain(others).find(|(_, _, commit)| !kept(*commit));
        Ok(lost.map(|(host, number, _)| {
            let lost = format!("the log of changes has lost change {number}, which {host} had accepted");
            format!("{lost}; hint: {RECOVER}")
        }))
    }

    /// An identity that left the herd never comes back, and its report is not to come back either.
    pub(super) fn refuse_retired(&self) -> Result<(), AgentError> {
        match self.retirement() {
            Some(Stop::Retired(retired)) => Err(AgentError::Retired { name: retired.name, change: retired.change }),
            _ => Ok(()),
        }
    }

    fn remedy(&self, error: &LogError) -> String {
        match error {
            LogError::Rewound { .. } => RECOVER.to_owned(),
            LogError::Object(ObjectError::Unsigned { .. } | ObjectError::Signature { .. }) => {
                format!("whose changes count stands in {}", self.home.allowed_signers().display())
            }
            _ => format!("git ls-remote {}", self.registry.url()),
        }
    }
}

const ALL_REPORTS: &str = "refs/wildebeest/report/";

fn all_pools() -> String {
    format!("{ROOT}out/")
}

/// What is fetched to know the reports of these hosts: where they are most of the herd, those of all.
pub(super) fn reports_of(manifest: &Manifest, names: &BTreeSet<&str>) -> Vec<String> {
    if names.len() * 2 > manifest.hosts.len() {
        return vec![ALL_REPORTS.to_owned()];
    }
    let identities = names.iter().filter_map(|name| manifest.hosts.get(*name)?.identity.as_ref());
    identities.map(|identity| RefName::Report(identity.uuid).to_string()).collect()
}
