//! The planner: from what is known to what one host does next. It touches nothing, and the executor makes no choices.

mod awaited;
mod course;
pub mod deadlock;
mod goal;
mod informants;
#[cfg(test)]
mod tests;
mod wait;

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

pub use awaited::{ends_waits, lagging, lagging_amid, lagging_for, needed};
pub use course::{Course, Onward, Past, Wanted};
pub use goal::{awaited, bake_ends, goal, has_baked, passed_since};
pub use informants::{informants, peers};
pub use wait::{Lag, Stop, Wait};
pub(crate) use wait::{is_for_others, link_awaiting, pool_key};

use crate::chain::{Chain, Digest, Link, OnCatchup, Sha1};
use crate::change::{HostManifest, Manifest};
use crate::pool::{Claim, Pool};
use crate::report::{Doing, Failure, Report};
use crate::window;

/// All that a plan depends on.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The newest accepted change.
    pub manifest: Option<&'a Manifest>,
    /// Which machine this is.
    pub uuid: Uuid,
    /// The last link that it completed or passed over.
    pub state: Option<Sha1>,
    /// What it has behind it.
    pub past: &'a Past,
    /// The state that the herd knew of it when it was restored from a backup, if it ever was.
    pub announced: Option<Sha1>,
    /// Whether it has rejoined at least once.
    pub in_service: bool,
    /// The chain that is compiled into the runner.
    pub compiled: &'a Chain,
    /// The signed reports of admitted hosts, by name: those of its [`informants`], and of hosts that failed. All others
    /// may be missing.
    pub reports: &'a BTreeMap<String, Report>,
    /// The hosts that are known to have been in load, of its [`peers`]; all others may be missing.
    pub serving: &'a BTreeSet<String>,
    /// The pools by role.
    pub pools: &'a BTreeMap<String, Pool>,
    /// Why the pools of roles can't be read, where something else is in their place.
    pub damaged: &'a BTreeMap<String, String>,
    /// What time it is, in seconds since 1970, UTC.
    pub now: u64,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Nothing.
    UpToDate,
    /// Move the state over links of other roles, and over those that a baseline stands for.
    PassOver(Vec<Link>),
    /// Go back to before this link, which the host passed over before it gained the link's role.
    Regain(Link),
    /// Claim a place in the pools of these roles, leave, run all up to and with `until`, rejoin. Where there are none (for
    /// a host never in service, and for links that are run in load), only run.
    Leg {
        /// The roles whose pools are claimed.
        claim: Vec<String>,
        /// The last link of the leg.
        until: Link,
    },
    /// Rejoin for the first time: the host is at the target.
    EnterService,
    /// Wait, in load or before it ever was.
    Wait(Wait),
    /// Do nothing until people act.
    Stop(Stop),
}

/// Plans.
#[must_use]
pub fn plan(situation: &Situation<'_>) -> Plan {
    legs(situation).unwrap_or_else(|not_now| *not_now)
}

/// The last link of the leg that a host may begin which could not come back from the one before, and has the place of that
/// still, or needs none. What has to be run in load, it can't begin out of it.
#[must_use]
pub fn goes_on(situation: &Situation<'_>) -> Option<Link> {
    let (me, todo) = standing(situation).ok()?;
    let first = todo.iter().position(|link| me.course.runs(link))?;
    let in_load = !me.leaves_for(&todo[first]);
    let is_held = me.manifest.hold_of(me.name).is_some();
    if is_held || me.course.regained().is_some() || (in_load && situation.in_service) {
        return None;
    }
    if !in_load {
        me.in_windows().ok()?;
    }
    me.last_of_leg(&todo[first..], in_load).ok().cloned()
}

/// The digest under which a failure is remembered, beside the link's own: what the host's settings say, and which
/// change last asked it to try again.
#[must_use]
pub fn settings_digest(host: &HostManifest) -> Digest {
    let HostManifest { roles, address, settings, retry, identity: _, adopt: _ } = host;
    let known = serde_json::json!({ "roles": roles, "address": address, "settings": settings, "retry": retry });
    Digest::of(known.to_string().as_bytes())
}

/// Whether a failure still stands in the way: neither the link's digest nor the host's settings have changed,
/// and nobody asked to try again.
#[must_use]
pub fn still_failed(failure: &Failure, manifest: &Manifest, host: &HostManifest) -> bool {
    let link = manifest.chain.get(failure.link);
    link.is_none_or(|link| link.digest == failure.digest) && settings_digest(host) == failure.settings
}

/// The change that says of a host's next link that it was done by hand, if it was not acted on yet. `acted` is the number
/// of the newest change that was; and who is asked to retry later than that, tries.
#[must_use]
pub fn adoption_due(host: &HostManifest, acted: u64, next: Sha1) -> Option<u64> {
    let adoption = host.adopt.as_ref().filter(|adoption| adoption.link == next)?;
    (adoption.change > acted && adoption.change > host.retry).then_some(adoption.change)
}

/// Whether a host in service leaves load to run a link. Who runs again what the herd knew to be done here, up to the link
/// that it had `announced` before it was restored, leaves once for all of it.
#[must_use]
pub fn leaves_for(chain: &Chain, announced: Option<Sha1>, link: &Link) -> bool {
    let place = |sha1: Option<Sha1>| sha1.and_then(|sha1| chain.position(sha1));
    !link.in_load || place(announced) >= place(Some(link.sha1))
}

/// Once as many hosts as a role allows have failed at a link, all others keep from it until its digest changes: the wait of
/// the host `me`, where that is so.
#[must_use]
pub fn failed_elsewhere(
    manifest: &Manifest,
    reports: &BTreeMap<String, Report>,
    me: &str,
    link: &Link,
) -> Option<Wait> {
    let failed = |report: &Report| match &report.doing {
        Doing::Failed(failure) => failure.link == link.sha1 && failure.digest == link.digest,
        _ => false,
    };
    let others = reports.iter().filter(|(other, report)| *other != me && failed(report));
    let hosts: Vec<String> = others.map(|(other, _)| other.clone()).collect();
    let limit = manifest.roles.get(&link.role).map_or(1, |policy| policy.max_failed.max(1));
    (hosts.len() >= limit as usize).then(|| Wait::FailedElsewhere { hosts, link: link.clone() })
}

/// Out of load a link that waits in its code only looks once, and fails where that does not hold: the wait of the host `me`
/// before it, for who is not there, where that is so.
#[must_use]
pub fn awaits_amid(manifest: &Manifest, reports: &BTreeMap<String, Report>, me: &str, link: &Link) -> Option<Wait> {
    let lagging = lagging_amid(manifest, reports, me, link);
    (!lagging.is_empty()).then(|| Wait::Others { link: link.clone(), lagging })
}

/// Not to run anything now; a plan too, and boxed since it is rare and large.
type NotNow = Box<Plan>;

impl From<Wait> for NotNow {
    fn from(wait: Wait) -> Self {
        Self::new(Plan::Wait(wait))
    }
}

impl From<Stop> for NotNow {
    fn from(stop: Stop) -> Self {
        Self::new(Plan::Stop(stop))
    }
}

fn legs(situation: &Situation<'_>) -> Result<Plan, NotNow> {
    let (me, todo) = standing(situation)?;
    if let Some(link) = me.course.regained() {
        return Ok(Plan::Regain(link.clone()));
    }
    if todo.is_empty() && situation.in_service {
        return Ok(Plan::UpToDate);
    }
    let passed: Vec<Link> = todo.iter().take_while(|link| !me.course.runs(link)).cloned().collect();
    if !passed.is_empty() {
        return Ok(Plan::PassOver(passed));
    }
    if let Some(hold) = me.manifest.hold_of(me.name) {
        return Err(Wait::Held(hold.clone()).into());
    }
    let Some(first) = todo.first() else { return Ok(Plan::EnterService) };
    let in_load = !me.leaves_for(first);
    let until = me.last_of_leg(todo, in_load)?.clone();
    let claim = if in_load { Vec::new() } else { me.claims()? };
    Ok(Plan::Leg { claim, until })
}

/// The host that plans, and the links that it has before it.
fn standing<'a>(situation: &'a Situation<'a>) -> Result<(Me<'a>, &'a [Link]), NotNow> {
    let manifest = situation.manifest.ok_or(Wait::NoChange)?;
    let (name, host) = manifest.host_of(situation.uuid).ok_or_else(|| no_host(manifest, situation.uuid))?;
    let goal = goal(manifest, name, situation.reports, situation.now);
    let todo = todo(manifest, goal, situation.state)?;
    let course = Course::new(manifest, goal, host, situation.past);
    Ok((Me { situation, manifest, name, host, course }, todo))
}

fn no_host(manifest: &Manifest, uuid: Uuid) -> NotNow {
    manifest.retirement(uuid).map_or_else(|| Wait::NotAdmitted.into(), |retired| Stop::Retired(retired.clone()).into())
}

/// The links between the state and the goal. A host past the goal has nothing to do.
fn todo(manifest: &Manifest, goal: Option<Sha1>, state: Option<Sha1>) -> Result<&[Link], NotNow> {
    let goal = goal.ok_or(Wait::NothingDeployed)?;
    let after = manifest.chain.after(state).map_err(|_| Stop::Diverged { state: state.unwrap_or(Sha1::ZERO) })?;
    let wanted = after.iter().position(|link| link.sha1 == goal).map_or(0, |index| index + 1);
    Ok(&after[..wanted])
}

/// The host that plans, in the herd that it knows.
struct Me<'a> {
    situation: &'a Situation<'a>,
    manifest: &'a Manifest,
    name: &'a str,
    host: &'a HostManifest,
    course: Course<'a>,
}

impl<'a> Me<'a> {
    /// Whether it must be out of load to run a link. Who was never in service has no load to leave; who catches up leaves
    /// once for all.
    fn leaves_for(&self, link: &Link) -> bool {
        self.situation.in_service && leaves_for(&self.manifest.chain, self.situation.announced, link)
    }

    /// Whether it runs a link again that the herd knows to be done here, or that a host in service of the link's role has
    /// behind it, where this one was never in service.
    fn catches_up_on(&self, link: &Link) -> bool {
        let place = |sha1: Option<Sha1>| sha1.and_then(|sha1| self.manifest.chain.position(sha1));
        let is_past = |state: Option<Sha1>| place(state) >= place(Some(link.sha1));
        let has_role = |name: &str| self.manifest.hosts.get(name).is_some_and(|host| host.roles.contains(&link.role));
        let others = self.situation.reports.iter().filter(|(name, _)| *name != self.name && has_role(name));
        is_past(self.situation.announced)
            || (!self.situation.in_service
                && others.into_iter().any(|(_, other)| other.in_service && is_past(other.state)))
    }

    /// The link that the leg ends with: before the first one that must wait, or that is run in load where this leg is not,
    /// or the other way round. Where the first of all must wait, its reason.
    fn last_of_leg(&self, todo: &'a [Link], in_load: bool) -> Result<&'a Link, NotNow> {
        let mut last: Option<&Link> = None;
        for link in todo {
            let runs = self.course.runs(link);
            if runs && last.is_some() && self.situation.in_service && self.leaves_for(link) == in_load {
                break;
            }
            let obstacle = match runs {
                true => self.obstacle(link),
                false => self.not_compiled(link, |_| true),
            };
            match (obstacle, last) {
                (None, _) => last = Some(link),
                (Some(not_now), None) => return Err(not_now),
                (Some(_), Some(_)) => break,
            }
        }
        last.ok_or_else(|| Wait::NothingDeployed.into())
    }

    fn obstacle(&self, link: &Link) -> Option<NotNow> {
        if link.wait.as_ref().is_some_and(|wait| !wait.is_known()) {
            return Some(Wait::Runner { link: link.clone() }.into());
        }
        let reports = self.situation.reports;
        let lagging = awaited::lagging(self.manifest, reports, self.name, link);
        if let Some(wait) = link.wait.as_ref().filter(|_| !lagging.is_empty()) {
            match wait.on_catchup {
                OnCatchup::Pass if self.catches_up_on(link) => {}
                OnCatchup::Fail if self.catches_up_on(link) => {
                    return Some(Stop::CatchingUp { link: Box::new(link.clone()), lagging }.into());
                }
                _ => return Some(Wait::Others { link: link.clone(), lagging }.into()),
            }
        }
        let not_now = failed_elsewhere(self.manifest, reports, self.name, link).map(NotNow::from);
        let not_now = not_now.or_else(|| self.not_compiled(link, |compiled| !compiled.gone));
        // Who would leave load for a link stays in it until that holds for which its code waits.
        let amid = || awaits_amid(self.manifest, reports, self.name, link).map(NotNow::from);
        not_now.or_else(|| self.leaves_for(link).then(amid).flatten())
    }

    fn not_compiled(&self, wanted: &Link, is_enough: impl Fn(&Link) -> bool) -> Option<NotNow> {
        let compiled = self.situation.compiled.get(wanted.sha1);
        let compiled = compiled.is_some_and(|link| link.digest == wanted.digest && is_enough(link));
        (!compiled).then(|| Wait::Runner { link: wanted.clone() }.into())
    }

    /// The roles whose pools are claimed, where all of them have a place now.
    fn claims(&self) -> Result<Vec<String>, NotNow> {
        self.in_windows()?;
        let empty = Pool::default();
        for role in &self.host.roles {
            if let Some(why) = self.situation.damaged.get(role) {
                return Err(Stop::Pool { role: role.clone(), why: why.clone() }.into());
            }
            let mine = Claim { host: String::new(), uuid: self.situation.uuid, nonce: Uuid::nil(), since: 0 };
            let pool = self.situation.pools.get(role).unwrap_or(&empty).counting(self.manifest);
            let limit = self.manifest.limit(role, self.situation.serving);
            let place = pool.claim(mine, limit, self.manifest.number, Uuid::nil());
            place.map_err(|no_place| Wait::Pool { role: role.clone(), no_place })?;
        }
        Ok(self.host.roles.iter().cloned().collect())
    }

    fn in_windows(&self) -> Result<(), NotNow> {
        let (now, windows) = (self.situation.now, self.manifest.windows(&self.host.roles));
        match window::open_at_once(windows.values().copied(), now) {
            Some(opens) if opens <= now => Ok(()),
            opens => Err(Wait::Window { roles: windows.into_keys().map(str::to_owned).collect(), opens }.into()),
        }
    }
}
