//! Acting: one step for each phase, until there is nothing to do but wait.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use super::lookout::Sentry;
use super::phase::{Event, Held, Leg, Phase};
use super::run::{enter, run_link};
use super::verify::{Promise, promises_of_roles, promises_that_kept_out, roles};
use super::{Agent, AgentError, Races, Ran, pace};
use crate::chain::{Chain, Link, Sha1};
use crate::change::{Canary, HostManifest, Manifest};
use crate::context::{Context, HerdView, Role};
use crate::plan::{
    Course, Onward, Plan, Situation, Wait, awaits_amid, bake_ends, failed_elsewhere, goal, goes_on, informants,
    leaves_for, peers, plan, still_failed,
};
use crate::pool::Pool;
use crate::registry::ReportCache;
use crate::report::{Baked, Doing, Failure, Report};
use crate::system::ending::ending;
use crate::system::fault::{self, Bug, Subject};

/// How long the gates of a host's roles, or their specs before it rejoins, may take as a whole. The agent hears of
/// nothing meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is left to do in this tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rest {
    /// Look again at once.
    Again,
    /// Somebody else was faster: look again in a moment.
    Overtaken,
    /// Nothing until the next poll; this is what the host is doing meanwhile.
    Until(Doing),
}

pub(super) enum Step {
    /// The phase or the state moved.
    Moved,
    Rest(Rest),
}

impl Step {
    pub(super) fn until(doing: Doing) -> Result<Self, AgentError> {
        Ok(Self::Rest(Rest::Until(doing)))
    }
}

/// Why a host is not to bear load as a role.
struct KeptOut {
    /// The spec that does not hold, in words.
    spec: String,
    error: String,
    /// Whether a link came since it kept the host out, from which on alone it would be asked.
    awaits: bool,
}

/// The pools by role, and why those of other roles can't be read.
type SeenPools = (BTreeMap<String, Pool>, BTreeMap<String, String>);

impl Agent<'_> {
    /// After a boot, whoever was out of load leaves again before anything else, the network included: whatever took it
    /// out may have forgotten that. Gives what the host is doing when it can't. A clone, where it is known to be one, does
    /// not leave in the name of its original; of two machines whose identity is contested nobody knows which is the clone,
    /// and the one that stopped out of load stays out of it.
    pub(super) fn after_boot(&mut self) -> Result<Option<Doing>, AgentError> {
        let boot_id = self.here().boot_id;
        let record = self.store.record();
        if fault::planted(Bug::StaysInAfterBoot) && matches!(record.phase, Phase::Failed { .. }) {
            return Ok(None);
        }
        let roles = self.roles_out_of_load();
        if record.boot_id == boot_id || (!roles.is_empty() && self.is_clone()?) {
            return Ok(None);
        }
        if let Err(trouble) = self.each_role("leave", &roles, |role| role.leave) {
            self.journal.say_once(&format!("can't leave load after a boot: {trouble}"));
            let doing = Doing::Leaving { trouble: Some(trouble) };
            self.note_trouble(&doing);
            return Ok(Some(doing));
        }
        self.store.update(|record| record.boot_id = boot_id)?;
        Ok(None)
    }

    pub(super) fn act(&mut self) -> Result<Rest, AgentError> {
        if let Some(doing) = self.settle_takeover()? {
            return Ok(Rest::Until(doing));
        }
        while !ending().is_asked() {
            if let Step::Rest(rest) = self.step()? {
                return Ok(rest);
            }
        }
        Ok(Rest::Again)
    }

    fn step(&mut self) -> Result<Step, AgentError> {
        match self.store.record().phase.clone() {
            Phase::InLoad => self.in_load(),
            Phase::Claiming { leg } => self.settle_claim(&leg),
            Phase::Leaving { leg } => self.leave(&leg),
            Phase::Out { leg } => self.out(&leg),
            Phase::Running { link, .. } => self.run(link),
            Phase::Failed { failure, .. } => self.failed(failure),
            Phase::Rejoining { .. } => self.rejoin(),
            Phase::Returning { held } => self.give_back(&held),
        }
    }

    fn in_load(&mut self) -> Result<Step, AgentError> {
        if let Some(why) = self.distrust.clone() {
            self.journal.say_once(&format!("stopped: {why}"));
            return Step::until(Doing::stopped(why));
        }
        if let Some(held) = self.found_claim()? {
            self.journal.say("a pool lists this host as out: it rejoins, and gives its place back");
            self.store.happened(Event::ClaimFound(held))?;
            return Ok(Step::Moved);
        }
        if let [role, ..] = &self.roles_to_come_back_as()?[..] {
            self.journal.say(&format!("has the role `{role}` again, and comes back into load as that"));
            self.store.happened(Event::AtTarget)?;
            return Ok(Step::Moved);
        }
        if self.adopts_in_load()? {
            return Ok(Step::Moved);
        }
        self.note_bake()?;
        match self.plan()? {
            Plan::UpToDate => Step::until(Doing::UpToDate),
            Plan::Wait(wait) => self.waits(&wait),
            Plan::Stop(stop) => {
                self.journal.say_once(&format!("stopped: {stop}"));
                Step::until(stop.into())
            }
            Plan::PassOver(mut links) => {
                if fault::planted(Bug::PassesTooFar) {
                    let last = links.last().and_then(|link| self.catalog.chain().position(link.sha1));
                    links.extend(last.and_then(|last| self.catalog.chain().links().get(last + 1)).cloned());
                }
                self.store.passed_over(&links, self.now())?;
                Ok(Step::Moved)
            }
            Plan::Regain(link) => {
                self.store.regained(&link)?;
                self.journal.say(&format!("has the role `{}` now, and goes back to before {link}", link.role));
                // Who was idle has not asked for the reports and pools that it needs now.
                Ok(Step::Rest(Rest::Again))
            }
            Plan::EnterService => {
                self.store.happened(Event::AtTarget)?;
                Ok(Step::Moved)
            }
            Plan::Leg { claim, until } if claim.is_empty() => self.begin_new(&until),
            Plan::Leg { claim, until } => self.begin(claim, &until),
        }
    }

    fn waits(&self, wait: &Wait) -> Result<Step, AgentError> {
        self.journal.say_once(&format!("waits: {wait}"));
        Step::until(self.waiting(wait))
    }

    /// What to do next, from what was fetched. As long as others say themselves that they are not there yet, no signature of
    /// theirs is checked: it could only be worse by it.
    pub(super) fn plan(&mut self) -> Result<Plan, AgentError> {
        let is_baking = self.change.as_ref().is_some_and(|change| change.manifest.canary.is_some());
        if !is_baking && !self.informants().is_empty() {
            let plan = self.plan_by(&self.reports(&self.claims)?)?;
            if matches!(plan, Plan::Wait(Wait::Others { .. } | Wait::Pool { .. })) {
                return Ok(plan);
            }
        }
        self.plan_by(&self.reports(&self.cache)?)
    }

    fn plan_by(&self, reports: &BTreeMap<String, Report>) -> Result<Plan, AgentError> {
        self.situated(reports, plan)
    }

    /// What a planner says of all that this host knows.
    fn situated<T>(
        &self,
        reports: &BTreeMap<String, Report>,
        ask: impl FnOnce(&Situation<'_>) -> T,
    ) -> Result<T, AgentError> {
        let (pools, damaged) = if fault::planted(Bug::StaleLimit) { Default::default() } else { self.pools()? };
        let (record, told) = (self.store.record(), self.change.as_ref().map(|change| &change.manifest));
        let unaware = told.filter(|_| fault::planted(Bug::WaitsOutOfLoad)).map(unaware);
        Ok(ask(&Situation {
            manifest: unaware.as_ref().or(told),
            uuid: self.config.uuid,
            state: record.state(),
            past: &record.past(),
            announced: record.announced,
            in_service: record.in_service || fault::planted(Bug::NewHostsClaim),
            compiled: self.catalog.chain(),
            reports,
            serving: &self.serving()?,
            pools: &pools,
            damaged: &damaged,
            now: self.now(),
        }))
    }

    /// The reports that a plan depends on, as far as they were fetched.
    pub(super) fn reports(&self, cache: &RefCell<ReportCache>) -> Result<BTreeMap<String, Report>, AgentError> {
        let Some(manifest) = self.change.as_ref().map(|change| &change.manifest) else { return Ok(BTreeMap::new()) };
        let mut reports = self.registry.failures(manifest, &mut self.cache.borrow_mut())?;
        let mut whom = self.informants();
        // That canaries have baked counts too where this host was the one that saw it.
        let bakes = manifest.canary.as_ref().is_some_and(|canary| canary.bake.is_some());
        whom.extend(self.host().filter(|_| bakes).map(|(name, _)| name));
        reports.extend(self.registry.reports_of(manifest, &whom, &mut cache.borrow_mut())?);
        Ok(reports)
    }

    /// Whose reports that are, besides those of who failed.
    pub(super) fn informants(&self) -> BTreeSet<&str> {
        let manifest = self.change.as_ref().map(|change| &change.manifest);
        let told = |manifest| informants(manifest, self.config.uuid, self.store.record().state());
        manifest.map(told).unwrap_or_default()
    }

    /// Those of whom a share may be out with this host and that were ever in load, as far as was fetched.
    pub(super) fn serving(&self) -> Result<BTreeSet<String>, AgentError> {
        let (Some(change), true) = (&self.change, self.store.record().in_service) else { return Ok(BTreeSet::new()) };
        let peers = peers(&change.manifest, self.config.uuid);
        let uuid = |name: &str| change.manifest.hosts.get(name)?.identity.as_ref().map(|identity| identity.uuid);
        let mut served = self.served.borrow_mut();
        served.extend(&change.manifest.served);
        let unknown = peers.iter().copied().filter(|name| uuid(name).is_some_and(|uuid| !served.contains(&uuid)));
        let reports = self.registry.reports_of(&change.manifest, &unknown.collect(), &mut self.cache.borrow_mut())?;
        served.extend(reports.values().filter(|report| report.in_service).map(|report| report.uuid));
        let serves = |name: &&str| uuid(name).is_some_and(|uuid| served.contains(&uuid));
        Ok(peers.into_iter().filter(serves).map(str::to_owned).collect())
    }

    /// Those of whom a share may be out with this host, and of whom it does not know whether they were ever in load.
    pub(super) fn strangers(&self) -> Result<BTreeSet<&str>, AgentError> {
        let (Some(change), true) = (&self.change, self.store.record().in_service) else { return Ok(BTreeSet::new()) };
        let serving = self.serving()?;
        let peers = peers(&change.manifest, self.config.uuid);
        Ok(peers.into_iter().filter(|name| !serving.contains(*name)).collect())
    }

    /// The link that this host is to reach, as far as was fetched.
    pub(super) fn goal(&self) -> Result<Option<Sha1>, AgentError> {
        let (Some(change), Some((name, _))) = (&self.change, self.host()) else { return Ok(None) };
        let reports = match change.manifest.canary {
            Some(Canary { bake: Some(_), .. }) => self.reports(&self.cache)?,
            _ => BTreeMap::new(),
        };
        Ok(goal(&change.manifest, name, &reports, self.now()))
    }

    /// Canaries that have baked have done so for good: this host remembers it, and says it in its reports.
    fn note_bake(&self) -> Result<(), AgentError> {
        let Some(manifest) = self.change.as_ref().map(|change| &change.manifest) else { return Ok(()) };
        let Some(canary) = manifest.canary.as_ref().filter(|canary| self.store.record().awaits_bake(canary)) else {
            return Ok(());
        };
        let (reports, now) = (self.reports(&self.cache)?, self.now());
        if let Some(at) = bake_ends(manifest, canary, &reports, now).filter(|at| now >= *at) {
            self.store.update(|record| record.baked = Some(Baked { change: canary.change, at }))?;
            self.journal.say(&format!("the canaries of change {} have baked", canary.change));
        }
        Ok(())
    }

    /// A host never in service claims nothing, but of two machines with one identity only one may begin: the one that
    /// writes the report.
    fn begin_new(&mut self, until: &Link) -> Result<Step, AgentError> {
        let state = self.store.record().state();
        let first = self.on_course(|course| course.next(state).cloned())?.flatten();
        let first = first.unwrap_or_else(|| until.clone()).name;
        self.publish(&Doing::Running { link: first })?;
        self.store.happened(Event::LegPlanned(Leg { until: until.sha1, held: None }))?;
        Ok(Step::Moved)
    }

    fn begin(&mut self, roles: Vec<String>, until: &Link) -> Result<Step, AgentError> {
        if let Some(gate) = self.closed_gate(&roles) {
            return self.waits(&gate);
        }
        if self.lets_others_first(&roles) {
            return Step::until(Doing::awaiting_turn(roles.first().map_or("", String::as_str)));
        }
        let leg = Leg { until: until.sha1, held: Some(Held { nonce: uuid::Uuid::new_v4(), roles, since: self.now() }) };
        self.store.happened(Event::LegPlanned(leg.clone()))?;
        let won = self.claim(&leg)?;
        self.races = if won { Races::default() } else { Races { lost: self.races.lost + 1, at: self.now() } };
        self.store.happened(if won { Event::ClaimWon } else { Event::ClaimLost })?;
        match won {
            true => {
                self.journal.say(&format!("out of load, to run up to {until}"));
                Ok(Step::Moved)
            }
            false => Ok(Step::Rest(Rest::Overtaken)),
        }
    }

    /// Whether it has lost so many races for a place in the pools of these roles that it only looks on for a while. For how
    /// long, its random identity and the moment say, so that no two hosts wait for the same time.
    fn lets_others_first(&self, roles: &[String]) -> bool {
        let Races { lost, at } = self.races;
        let chance = self.config.uuid.as_u64_pair().1.wrapping_mul(at | 1);
        let peers = self.change.as_ref().map_or(0, |change| change.manifest.admitted_as_any(roles).len());
        !pace::is_due(at, pace::until_claim(lost, peers, self.config.poll, chance), self.now())
    }

    /// The first of these roles that is not well enough for one more host to leave it.
    fn closed_gate(&self, roles: &[String]) -> Option<Wait> {
        let (herd, _during) = (self.view(), fault::during(Subject::Gate));
        let system = self.system.within(Some(PATIENCE));
        roles.iter().filter_map(|name| self.catalog.role(name)).find_map(|role| {
            let asked = enter(&system, &herd, Rc::clone(&self.store), role.gate);
            asked.err().map(|why| Wait::Gate { role: role.name.to_owned(), why })
        })
    }

    /// Nobody knows whether the claim of an interrupted push is held: the pools do.
    fn settle_claim(&mut self, leg: &Leg) -> Result<Step, AgentError> {
        let won = self.holds(leg)? && !self.is_freed(leg);
        self.store.happened(if won { Event::ClaimWon } else { Event::ClaimLost })?;
        Ok(Step::Moved)
    }

    /// Where the place is this host's no more, another may be out in it: whoever has not left then stays, and rejoins,
    /// since some of its roles may have left.
    fn leave(&mut self, leg: &Leg) -> Result<Step, AgentError> {
        if let Some(why) = self.ends_here(leg) {
            self.journal.say(&format!("stays in load: {why}"));
            self.store.happened(Event::TurnedBack)?;
            return Ok(Step::Moved);
        }
        match self.each_role("leave", &self.roles_under_way(), |role| role.leave) {
            Ok(()) => {
                self.store.happened(Event::Left)?;
                Ok(Step::Moved)
            }
            Err(trouble) => {
                self.journal.say_once(&format!("can't leave load: {trouble}"));
                Step::until(Doing::Leaving { trouble: Some(trouble) })
            }
        }
    }

    fn rejoin(&mut self) -> Result<Step, AgentError> {
        let (lost, roles) = (&self.lost_roles() | &self.roles_amid_a_link(), self.roles_to_rejoin()?);
        let stays = |role: &str| lost.contains(role) || !roles.iter().any(|rejoining| rejoining == role);
        let rejoin = |role: &Role| -> fn(&Context<'_>) -> anyhow::Result<()> {
            if stays(role.name) { |_| Ok(()) } else { role.rejoin }
        };
        let under_way = self.roles_under_way();
        let comes_back: BTreeSet<String> = under_way.iter().filter(|role| !stays(role.as_str())).cloned().collect();
        if let Some(kept_out) = self.unfit_as(&comes_back) {
            return self.is_kept_out(kept_out);
        }
        match self.each_role("rejoin", &under_way, rejoin) {
            Ok(()) => {
                self.store.rejoined(&roles, &lost)?;
                self.journal.say("in load");
                Ok(Step::Moved)
            }
            Err(trouble) => self.stays_out(trouble),
        }
    }

    fn stays_out(&self, trouble: String) -> Result<Step, AgentError> {
        self.journal.say_once(&format!("can't rejoin: {trouble}"));
        Step::until(Doing::Rejoining { trouble: Some(trouble) })
    }

    /// Whom a spec keeps out that would be asked from a later link on only, since that came meanwhile, runs what there is to
    /// run before it comes back. The spec is remembered, so that no such link lets the host back as it is.
    fn is_kept_out(&self, kept_out: KeptOut) -> Result<Step, AgentError> {
        let KeptOut { spec, error, awaits } = kept_out;
        let leg = if awaits { self.leg_instead_of_load()? } else { None };
        if let Some((leg, until)) = leg {
            self.journal.say(&format!("stays out of load, to run up to {until}: spec {spec}: {error}"));
            self.store.happened(Event::LegPlanned(leg))?;
            return Ok(Step::Moved);
        }
        let trouble = format!("spec {spec}: {error}");
        self.store.kept_out_by(spec)?;
        self.stays_out(trouble)
    }

    /// What a host that can't rejoin may run before it does, under the claim that it has: none, where it was never in service.
    fn leg_instead_of_load(&self) -> Result<Option<(Leg, Link)>, AgentError> {
        let record = self.store.record();
        let held = record.phase.held().cloned();
        let needs_claim = held.is_none() && record.in_service;
        if self.distrust.is_some() || needs_claim {
            return Ok(None);
        }
        let until = self.situated(&self.reports(&self.cache)?, goes_on)?;
        let leg = until.map(|until| (Leg { until: until.sha1, held }, until));
        Ok(leg.filter(|(leg, _)| self.ends_here(leg).is_none()))
    }

    /// Nobody bears load as a role again whose specs do not hold. These have as much time as gates do. Which of them are
    /// asked yet depends on all roles that the host has; of one that left the herd, on those that it comes back as.
    fn unfit_as(&self, comes_back: &BTreeSet<String>) -> Option<KeptOut> {
        let (herd, system) = (self.view(), self.system.within(Some(PATIENCE)));
        let (record, roles) = (self.store.record(), &roles(&herd) | comes_back);
        let mine = |promise: &&Promise| promise.is_of_one_of(comes_back);
        let unfit = |promise: &Promise, awaits| {
            promise.ask_within(&system, &herd).map(|error| KeptOut { spec: promise.named(), error, awaits })
        };
        let due = promises_of_roles(self.catalog, &record, &roles);
        let first = due.iter().filter(mine).find_map(|promise| unfit(promise, false));
        first.or_else(|| {
            let again = promises_that_kept_out(self.catalog, &record, &roles);
            again.iter().filter(mine).find_map(|promise| unfit(promise, true))
        })
    }

    /// The roles that the host left load with, and has no more: there is nothing to come back to.
    fn lost_roles(&self) -> BTreeSet<String> {
        let Some((_, host)) = self.host() else { return BTreeSet::new() };
        let record = self.store.record();
        let held = record.phase.held().map(|held| held.roles.clone()).unwrap_or_default();
        held.into_iter().filter(|role| !host.roles.contains(role)).collect()
    }

    /// The roles that it is out of load as, and that have a link which was started out of load and did not end: it failed, and
    /// the role was lost for a while. The host comes back as that once the link has ended.
    fn roles_amid_a_link(&self) -> BTreeSet<String> {
        let record = self.store.record();
        let chain = self.change.as_ref().map_or(self.catalog.chain(), |change| &change.manifest.chain);
        let amid = record.unended.iter().filter(|(_, is_out)| **is_out).filter_map(|(sha1, _)| chain.get(*sha1));
        let held = record.phase.held().map(|held| &held.roles[..]).unwrap_or_default();
        let is_out = |role: &String| !record.in_service || held.contains(role) || record.left_behind.contains(role);
        amid.map(|link| link.role.clone()).filter(is_out).collect()
    }

    /// The roles that it left load with and had lost, and that it has again. Where it has links of such a role to run, one
    /// of them may have failed before: it runs these first, and comes back as that after them.
    fn roles_to_come_back_as(&self) -> Result<Vec<String>, AgentError> {
        let record = self.store.record();
        let Some((_, host)) = self.host() else { return Ok(Vec::new()) };
        let amid = self.roles_amid_a_link();
        let may_be = |role: &&String| host.roles.contains(*role) && !amid.contains(*role);
        let again: Vec<&String> = record.left_behind.iter().filter(may_be).collect();
        if again.is_empty() {
            return Ok(Vec::new());
        }
        let is_done = |course: &Course<'_>, role: &str| !course.has_to_run(role, record.state());
        let back =
            self.on_course(|course| again.into_iter().filter(|role| is_done(course, role)).cloned().collect())?;
        Ok(back.unwrap_or_default())
    }

    /// Who comes back from a leg rejoins as what it left as; who never was in service, as all that it is.
    fn roles_to_rejoin(&self) -> Result<Vec<String>, AgentError> {
        let record = self.store.record();
        match record.phase.held().is_none() && record.in_service {
            true => self.roles_to_come_back_as(),
            false => Ok(self.roles_under_way()),
        }
    }

    /// The roles that leave or rejoin: those of the claim, and all where there is none.
    fn roles_under_way(&self) -> Vec<String> {
        match self.store.record().phase.held() {
            Some(held) => held.roles.clone(),
            None => self.host().map(|(_, host)| host.roles.iter().cloned().collect()).unwrap_or_default(),
        }
    }

    /// The roles that it is out of load as: those of its leg, and those that it left load with, had lost, and has again.
    fn roles_out_of_load(&self) -> Vec<String> {
        let record = self.store.record();
        let is_out = record.phase.is_out() && !self.turns_back(&record.phase);
        let mut roles = if is_out { self.roles_under_way() } else { Vec::new() };
        let has = |role: &&String| self.host().is_some_and(|(_, host)| host.roles.contains(*role));
        let again: Vec<String> = record.left_behind.iter().filter(has).cloned().collect();
        for role in again {
            if !roles.contains(&role) {
                roles.push(role);
            }
        }
        roles
    }

    fn each_role(
        &self,
        what: &str,
        roles: &[String],
        act: impl Fn(&Role) -> fn(&Context<'_>) -> anyhow::Result<()>,
    ) -> Result<(), String> {
        let herd = self.view();
        let _during = fault::during(if what == "leave" { Subject::Leave } else { Subject::Rejoin });
        for role in roles.iter().filter_map(|name| self.catalog.role(name)) {
            let done = enter(self.system, &herd, Rc::clone(&self.store), act(role));
            done.map_err(|error| format!("{what} of role {}: {error}", role.name))?;
        }
        Ok(())
    }

    fn out(&mut self, leg: &Leg) -> Result<Step, AgentError> {
        let (chain, state) = (self.catalog.chain(), self.store.record().state());
        let (here, end) = (state.and_then(|state| chain.position(state)), chain.position(leg.until));
        if end.is_none() || (state.is_some() && here.is_none()) {
            let why = format!("the leg up to {} was planned by another runner than this one", leg.until.short());
            return Step::until(Doing::stopped(why));
        }
        if self.host().is_none() {
            return Step::until(Doing::stopped("this host left the herd in the middle of a leg"));
        }
        let next = chain.links().get(here.map_or(0, |here| here + 1)).filter(|_| here < end);
        let is_begun = next.is_some_and(|next| self.store.record().started == Some(next.sha1));
        if !is_begun && self.is_to_look() {
            self.look_amid_leg()?;
            return Ok(Step::Moved);
        }
        match self.onward(leg, next, is_begun)? {
            Onward::End => {
                if let Some(held) = leg.held.as_ref().filter(|_| fault::planted(Bug::EarlyRelease)) {
                    drop(self.release(held));
                }
                self.store.happened(Event::LegDone)?;
                return Ok(if leg.held.is_some() { Step::Moved } else { Step::Rest(Rest::Again) });
            }
            Onward::Run(link) if self.adopts(link.sha1)? => {}
            Onward::Run(link) => {
                self.store.starts(link.sha1, self.host().map_or(0, |(_, host)| host.retry))?;
                self.publish_progress(&link)?;
            }
            Onward::PassOver(link) => self.store.passed_over(&[link], self.now())?,
        }
        Ok(Step::Moved)
    }

    /// What comes next in the leg, of which `next` is the next link.
    fn onward(&self, leg: &Leg, next: Option<&Link>, is_begun: bool) -> Result<Onward, AgentError> {
        let mut ends = self.ends_here(leg).filter(|_| !is_begun);
        if ends.is_none() {
            let claimed = leg.held.as_ref().map(|held| &held.roles[..]);
            let onward = self.on_course(|course| course.onward(next, claimed))?.unwrap_or(Onward::End);
            let Onward::Run(link) = &onward else { return Ok(onward) };
            ends = self.ends_before(leg, link, is_begun);
            if ends.is_none() {
                return Ok(onward);
            }
        }
        self.journal.say(&format!("ends its leg before its last link: {}", ends.unwrap_or_default()));
        Ok(Onward::End)
    }

    /// Why no further link of the leg is to be begun, if that is so.
    fn ends_here(&self, leg: &Leg) -> Option<String> {
        let (change, (name, _)) = self.change.as_ref().zip(self.host())?;
        let hold = change.manifest.hold_of(name).map(|hold| Wait::Held(hold.clone()).to_string());
        hold.or_else(|| self.is_freed(leg).then(|| "an operator freed its place in the pool".to_owned()))
    }

    /// Whether an operator freed the claim of the leg.
    pub(super) fn is_freed(&self, leg: &Leg) -> bool {
        let change = self.change.as_ref().zip(leg.held.as_ref());
        change.is_some_and(|(change, held)| change.manifest.is_released(held.nonce))
    }

    /// Whether this host has not left yet, and is not to.
    fn turns_back(&self, phase: &Phase) -> bool {
        matches!(phase, Phase::Leaving { leg } if self.ends_here(leg).is_some())
    }

    /// Why this link of the leg is not to be run in it, if that is so: it may have changed since the leg was planned. What
    /// was begun out of load is ended there, whatever became of it; nobody rejoins amid a link.
    fn ends_before(&self, leg: &Leg, link: &Link, is_begun: bool) -> Option<String> {
        let record = self.store.record();
        let chain = self.change.as_ref().map_or(self.catalog.chain(), |change| &change.manifest.chain);
        let leaves = leaves_for(chain, record.announced, link);
        match &leg.held {
            None if record.in_service && leaves => Some(format!("{link} is run out of load")),
            _ if is_begun => None,
            Some(_) if !leaves => Some(format!("{link} is run in load")),
            Some(_) => self.keeps_from(link).or_else(|| self.lacks_others(link)),
            None => self.keeps_from(link),
        }
    }

    /// Why the code of this link would wait in vain, if that is so: out of load it looks once, and others may have come since
    /// the leg was planned, who are not there.
    fn lacks_others(&self, link: &Link) -> Option<String> {
        let (change, (name, _)) = self.change.as_ref().zip(self.host())?;
        let told = change.manifest.chain.get(link.sha1).filter(|_| !fault::planted(Bug::WaitsOutOfLoad))?;
        let reports = (!told.inside.is_empty()).then(|| self.reports(&self.cache).ok()).flatten()?;
        awaits_amid(&change.manifest, &reports, name, told).map(|wait| wait.to_string())
    }

    /// Why this host is not to begin a link that its leg was planned to run, if that is so: it was amended since, or has
    /// failed on others.
    fn keeps_from(&self, link: &Link) -> Option<String> {
        let (change, (name, _)) = self.change.as_ref().zip(self.host())?;
        let told = change.manifest.chain.get(link.sha1).is_some_and(|told| told.digest == link.digest);
        if !told || self.catalog.code(link.sha1).is_none() {
            return Some(format!("this runner does not have {link} as the herd was told"));
        }
        let reports = self.registry.failures(&change.manifest, &mut self.cache.borrow_mut()).unwrap_or_default();
        failed_elsewhere(&change.manifest, &reports, name, link).map(|wait| wait.to_string())
    }

    fn run(&mut self, sha1: Sha1) -> Result<Step, AgentError> {
        let link = self.catalog.chain().get(sha1).filter(|_| self.catalog.code(sha1).is_some()).cloned();
        let Some(link) = link else {
            let why = format!("the link {} was started by another runner and is not in this one", sha1.short());
            return Step::until(Doing::stopped(why));
        };
        self.store.begin(&link, self.catalog.terms(sha1))?;
        if self.awaits_reboot(sha1) {
            return self.reboot(&link);
        }
        if fault::planted(Bug::StateBeforeAct) {
            self.store.done(&link, self.now())?;
            drop(self.run_now(&link));
            return Ok(Step::Moved);
        }
        let result = match self.unrecorded.take().filter(|ran| ran.link == sha1) {
            Some(ran) => ran.result,
            None => self.run_now(&link),
        };
        if self.awaits_reboot(sha1) {
            return self.reboot(&link);
        }
        self.unrecorded = Some(Ran { link: sha1, result: result.clone() });
        match result {
            Ok(()) => {
                self.store.done(&link, self.now())?;
                self.journal.say(&format!("done {link}"));
            }
            Err(error) => {
                self.journal.say(&format!("failed {link}: {error}"));
                self.store.happened(Event::LinkFailed(self.failure(&link, error)))?;
            }
        }
        self.unrecorded = None;
        Ok(Step::Moved)
    }

    fn run_now(&mut self, link: &Link) -> Result<(), String> {
        self.journal.say(&format!("runs {link}"));
        let (catalog, system, view, boot_id) = (self.catalog, self.system, self.view(), self.here().boot_id);
        let (journal, lookout) = (Rc::clone(&self.store) as Rc<_>, Rc::new(Sentry::new(self, link)));
        let run = run_link(catalog, link, system, &view, journal, &boot_id, lookout);
        let changed = run.operations.iter().filter(|operation| operation.outcome.changed());
        changed.for_each(|operation| self.journal.say(&operation.to_string()));
        run.result
    }

    fn failed(&mut self, failure: Failure) -> Result<Step, AgentError> {
        if let Some(why) = &self.distrust {
            self.journal.say_once(&format!("stopped: {why}"));
        }
        if self.adopts(failure.link)? {
            return Ok(Step::Moved);
        }
        if self.may_try_again(&failure) {
            self.journal
                .say(&format!("tries `{}` again: it or the settings changed, or somebody asked for it", failure.name));
            self.store.tried_again(self.host().map_or(0, |(_, host)| host.retry))?;
            return Ok(Step::Moved);
        }
        if fault::planted(Bug::RejoinAfterFailure) {
            drop(self.each_role("rejoin", &self.roles_under_way(), |role| role.rejoin));
        }
        Step::until(Doing::Failed(failure))
    }

    fn give_back(&mut self, held: &Held) -> Result<Step, AgentError> {
        if !self.release(held)? {
            return Ok(Step::Rest(Rest::Overtaken));
        }
        self.store.happened(Event::Returned)?;
        Ok(Step::Rest(Rest::Again))
    }

    /// What is tried again must be what the herd was told, or it would be the same failure once more. What failed as a role
    /// that the host has no more is passed over, and nobody needs its code for that.
    fn may_try_again(&self, failure: &Failure) -> bool {
        let Some((change, (name, host))) = self.change.as_ref().zip(self.host()) else { return false };
        let is_held = change.manifest.hold_of(name).is_some();
        let has_changed = !still_failed(failure, &change.manifest, host) || fault::planted(Bug::TriesForEver);
        let told = change.manifest.chain.get(failure.link).filter(|_| self.distrust.is_none());
        let is_passed = told.is_some_and(|link| !host.roles.contains(&link.role));
        !is_held && has_changed && (is_passed || self.has_as_told(failure.link).is_some())
    }

    /// A link that this runner has the code of, as the newest change has it.
    pub(super) fn has_as_told(&self, link: Sha1) -> Option<&Link> {
        let told = self.change.as_ref()?.manifest.chain.get(link)?;
        let compiled = self.catalog.chain().get(link).filter(|compiled| compiled.digest == told.digest)?;
        (self.catalog.code(link).is_some() && self.distrust.is_none()).then_some(compiled)
    }

    /// The claim that a pool holds for this host, be it of a role that it has no more. What nobody knows is no role's pool:
    /// anybody who can push can make such a ref, and any number of them.
    fn found_claim(&self) -> Result<Option<Held>, AgentError> {
        if !self.store.record().in_service {
            return Ok(None);
        }
        let mine = |pool: &Pool| {
            let claim = pool.holders.iter().find(|claim| claim.uuid == self.config.uuid)?;
            Some((claim.nonce, claim.since))
        };
        let told = self.change.as_ref().map(|change| &change.manifest.roles);
        let is_role =
            |role: &str| self.catalog.role(role).is_some() || told.is_some_and(|told| told.contains_key(role));
        let pools = self.registry.pools()?;
        let known = pools.iter().filter(|(role, _)| is_role(role));
        let found: Vec<(String, (uuid::Uuid, u64))> =
            known.filter_map(|(role, pool)| Some((role.clone(), mine(pool)?))).collect();
        let first = found.first().map(|(_, claim)| *claim);
        let roles = found.into_iter().map(|(role, _)| role).collect();
        Ok(first.map(|(nonce, since)| Held { nonce, roles, since }))
    }

    /// The pools of this host's roles, as far as they were fetched, and why others of them can't be read.
    fn pools(&self) -> Result<SeenPools, AgentError> {
        let (mut pools, mut damaged) = (BTreeMap::new(), BTreeMap::new());
        for role in self.host().map(|(_, host)| host.roles.clone()).unwrap_or_default() {
            match self.registry.pool_or_damage(&role)? {
                Ok(pool) => drop(pools.insert(role, pool)),
                Err(why) => drop(damaged.insert(role, why)),
            }
        }
        Ok((pools, damaged))
    }

    /// This host in the newest accepted change.
    pub(super) fn host(&self) -> Option<(&str, &HostManifest)> {
        self.change.as_ref().and_then(|change| change.manifest.host_of(self.config.uuid))
    }

    fn failure(&self, link: &Link, error: String) -> Failure {
        let settings =
            self.host().map_or(crate::chain::Digest::of(b""), |(_, host)| crate::plan::settings_digest(host));
        Failure { link: link.sha1, name: link.name.clone(), digest: link.digest, settings, error }
    }

    pub(super) fn view(&self) -> HerdView {
        let name = self.host().map_or(self.config.name.as_str(), |(name, _)| name);
        self.change.as_ref().map(|change| change.manifest.view(name)).unwrap_or_default()
    }

    /// What this host does with the links before it, where it is part of the herd.
    pub(super) fn on_course<T>(&self, ask: impl FnOnce(&Course<'_>) -> T) -> Result<Option<T>, AgentError> {
        let goal = self.goal()?;
        let Some((change, (_, host))) = self.change.as_ref().zip(self.host()) else { return Ok(None) };
        Ok(Some(ask(&Course::new(&change.manifest, goal, host, &self.store.record().past()))))
    }

    /// What a host is doing that is not what its phase says. Who failed is still the one that failed: others must know.
    pub(super) fn besides(&self, doing: Doing) -> Doing {
        match self.store.record().phase.clone() {
            Phase::Failed { failure, .. } => {
                let error = format!("{}; and now: {doing}", failure.error);
                Doing::Failed(Failure { error, ..failure })
            }
            _ => doing,
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.system.clock().now().as_secs()
    }
}

/// What the herd is told, for who does not know what the code of links waits for.
fn unaware(told: &Manifest) -> Manifest {
    let links = told.chain.links().iter().cloned().map(|link| Link { inside: Vec::new(), ..link });
    Manifest { chain: Chain::new(links.collect()).unwrap_or_default(), ..told.clone() }
}
