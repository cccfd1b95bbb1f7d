//! The planner: from what is known to what one host does next. It touches nothing, and the executor makes no choices.

mod course;
#[cfg(test)]
mod tests;
mod wait;

use std::collections::BTreeMap;

use uuid::Uuid;

pub use course::{Course, Onward, Past, Wanted};
pub use wait::{Lag, Stop, Wait};

use crate::chain::{Chain, Digest, Link, Sha1};
use crate::change::{HostManifest, Manifest};
use crate::pool::{Claim, Pool};
use crate::report::{Doing, Failure, Report};

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
    /// Whether it has rejoined at least once.
    pub in_service: bool,
    /// The chain that is compiled into the runner.
    pub compiled: &'a Chain,
    /// The signed reports of admitted hosts, by name.
    pub reports: &'a BTreeMap<String, Report>,
    /// The pools by role.
    pub pools: &'a BTreeMap<String, Pool>,
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
    /// Claim a place in the pools of these roles (none for a host never in service), leave, run all up to and with
    /// `until`, rejoin.
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
    let manifest = situation.manifest.ok_or(Wait::NoChange)?;
    let (name, host) = manifest.host_of(situation.uuid).ok_or_else(|| no_host(manifest, situation.uuid))?;
    let todo = todo(manifest, situation.state)?;
    let course = Course::new(manifest, host, situation.past);
    if let Some(link) = course.regained() {
        return Ok(Plan::Regain(link.clone()));
    }
    if todo.is_empty() {
        return Ok(if situation.in_service { Plan::UpToDate } else { Plan::EnterService });
    }
    let passed: Vec<Link> = todo.iter().take_while(|link| !course.runs(link)).cloned().collect();
    if !passed.is_empty() {
        return Ok(Plan::PassOver(passed));
    }
    let until = last_of_leg(situation, manifest, name, &course, todo)?;
    let claim = if situation.in_service { claims(situation, manifest, host)? } else { Vec::new() };
    Ok(Plan::Leg { claim, until })
}

fn no_host(manifest: &Manifest, uuid: Uuid) -> NotNow {
    manifest.retirement(uuid).map_or_else(|| Wait::NotAdmitted.into(), |retired| Stop::Retired(retired.clone()).into())
}

/// The links between the state and the target. A host past the target has nothing to do.
fn todo(manifest: &Manifest, state: Option<Sha1>) -> Result<&[Link], NotNow> {
    let target = manifest.target.ok_or(Wait::NothingDeployed)?;
    let after = manifest.chain.after(state).map_err(|_| Stop::Diverged { state: state.unwrap_or(Sha1::ZERO) })?;
    let wanted = after.iter().position(|link| link.sha1 == target).map_or(0, |index| index + 1);
    Ok(&after[..wanted])
}

/// The link that the leg ends with: before the first one that must wait. Where that is the first of all, its reason.
fn last_of_leg(
    situation: &Situation<'_>,
    manifest: &Manifest,
    name: &str,
    course: &Course<'_>,
    todo: &[Link],
) -> Result<Link, NotNow> {
    let mut last: Option<&Link> = None;
    for link in todo {
        let obstacle = match course.runs(link) {
            true => obstacle(situation, manifest, name, link),
            false => not_compiled(situation.compiled, link, |_| true),
        };
        match (obstacle, last) {
            (None, _) => last = Some(link),
            (Some(wait), None) => return Err(wait.into()),
            (Some(_), Some(_)) => break,
        }
    }
    last.cloned().ok_or_else(|| Wait::NothingDeployed.into())
}

fn obstacle(situation: &Situation<'_>, manifest: &Manifest, name: &str, link: &Link) -> Option<Wait> {
    let lagging = wait::lagging(manifest, situation.reports, name, link);
    if !lagging.is_empty() {
        return Some(Wait::Others { link: link.clone(), lagging });
    }
    failed_elsewhere(situation, name, link)
        .or_else(|| not_compiled(situation.compiled, link, |compiled| !compiled.gone))
}

/// One host that failed at a link keeps all others from it, until its digest changes.
fn failed_elsewhere(situation: &Situation<'_>, name: &str, link: &Link) -> Option<Wait> {
    let failed = |report: &Report| match &report.doing {
        Doing::Failed(failure) => failure.link == link.sha1 && failure.digest == link.digest,
        _ => false,
    };
    let host = situation.reports.iter().find(|(other, report)| *other != name && failed(report))?;
    Some(Wait::FailedElsewhere { host: host.0.clone(), link: link.clone() })
}

fn not_compiled(compiled: &Chain, wanted: &Link, is_enough: impl Fn(&Link) -> bool) -> Option<Wait> {
    let compiled = compiled.get(wanted.sha1).is_some_and(|link| link.digest == wanted.digest && is_enough(link));
    (!compiled).then(|| Wait::Runner { link: wanted.clone() })
}

fn claims(situation: &Situation<'_>, manifest: &Manifest, host: &HostManifest) -> Result<Vec<String>, NotNow> {
    let empty = Pool::default();
    for role in &host.roles {
        let mine = Claim { host: String::new(), uuid: situation.uuid, nonce: Uuid::nil(), since: 0 };
        let pool = situation.pools.get(role).unwrap_or(&empty);
        let pool = pool.of_admitted(|uuid| manifest.host_of(uuid).map(|(name, _)| name));
        let place = pool.claim(mine, manifest.limit(role), manifest.number, Uuid::nil());
        place.map_err(|no_place| Wait::Pool { role: role.clone(), no_place })?;
    }
    Ok(host.roles.iter().cloned().collect())
}
