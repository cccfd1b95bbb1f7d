//! What operators told the herd beside its target: who goes first, who begins nothing, whom nobody waits for.

use std::collections::BTreeMap;

use serde::Serialize;
use wb_core::chain::Sha1;
use wb_core::change::{Canary, Hold, Waiver, Whom};
use wb_core::plan::{Course, Past, awaited, lagging, lagging_amid, passed_since};
use wb_core::report::{Doing, Standing};

use crate::known::Known;

/// The hosts that go first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CanaryStatus {
    /// How far they go.
    pub target: Sha1,
    /// That link's name.
    pub migration: String,
    /// Each of them, and since when it has passed, in seconds since 1970, UTC; nothing: it has not.
    pub hosts: BTreeMap<String, Option<u64>>,
    /// For how many seconds all of them bake; nothing: until an operator promotes.
    pub bake: Option<u64>,
    /// For how many seconds they still bake, where all of them have passed.
    pub left: Option<u64>,
    /// That link's name, where the chain goes on after it.
    #[serde(skip)]
    pub(super) until: Option<String>,
    /// Whether they come no further and have not all passed, so that only `promote --now` lets the others follow.
    pub stuck: bool,
}

/// A word that hosts are to begin nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldStatus {
    /// Who.
    pub whom: Whom,
    /// Why.
    pub why: String,
    /// The number of the change.
    pub change: u64,
}

/// A word that a link does not wait for a host, where the host is not past the link yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaiverStatus {
    /// The link that does not wait.
    pub link: Sha1,
    /// Its name.
    pub migration: String,
    /// For this host.
    pub host: String,
    /// The number of the change.
    pub change: u64,
}

impl CanaryStatus {
    pub(super) fn of(canary: &Canary, known: &Known) -> Self {
        let Known { manifest, reports, now, .. } = known;
        let passed = |host: &String| passed_since(manifest, canary, reports, host, *now);
        let present = canary.hosts.iter().filter(|host| manifest.hosts.contains_key(*host));
        let hosts: BTreeMap<_, _> = present.map(|host| (host.clone(), passed(host))).collect();
        let last: Option<u64> =
            hosts.values().copied().collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max());
        let left = |(last, bake): (u64, u64)| bake.saturating_sub(now.saturating_sub(last));
        let target = manifest.chain.get(canary.target);
        let until = target.filter(|target| manifest.chain.tip() != Some(target)).map(|target| target.name.clone());
        Self {
            target: canary.target,
            migration: target.map(|link| link.name.clone()).unwrap_or_default(),
            until,
            stuck: hosts.values().any(Option::is_none) && manifest.hosts.keys().all(|host| stands_still(host, known)),
            hosts,
            bake: canary.bake,
            left: last.zip(canary.bake).map(left),
        }
    }

    /// Whether only a promotion lets the others follow: all of them have passed, and they do not bake, or none is left, or
    /// they come no further.
    #[must_use]
    pub fn needs_people(&self) -> bool {
        self.stuck || self.hosts.values().all(Option::is_some) && (self.bake.is_none() || self.hosts.is_empty())
    }
}

/// Whether a host that is well does nothing more by itself: it has heard all, and is where it was told to be, or its next
/// link waits for others.
fn stands_still(name: &str, known: &Known) -> bool {
    let Known { manifest, reports, now, .. } = known;
    let (Some(host), Some(report)) = (manifest.hosts.get(name), reports.get(name)) else { return false };
    let place = |sha1: Option<Sha1>| sha1.and_then(|sha1| manifest.chain.position(sha1));
    let is_new = report.standing(*now) == Standing::Fresh && report.accepted >= Some(manifest.number);
    match &report.doing {
        Doing::UpToDate => is_new && place(report.state) >= place(manifest.told(name)),
        Doing::Waiting { .. } if manifest.told(name).is_none() => is_new,
        Doing::Waiting { on, key, .. } if !awaited(manifest, reports, name, on, key).is_empty() => is_new,
        Doing::Waiting { .. } => {
            let past = Past::told_by(&manifest.chain, &host.roles, report.state);
            let course = Course::new(manifest, manifest.told(name), host, &past);
            let lags = |link| {
                !lagging(manifest, reports, name, link).is_empty()
                    || !lagging_amid(manifest, reports, name, link).is_empty()
            };
            is_new && course.next(report.state).is_some_and(lags)
        }
        _ => false,
    }
}

impl HoldStatus {
    pub(super) fn of(hold: &Hold) -> Self {
        Self { whom: hold.whom.clone(), why: hold.why.clone(), change: hold.change }
    }
}

impl WaiverStatus {
    pub(super) fn of(waiver: &Waiver, known: &Known) -> Option<Self> {
        let manifest = &known.manifest;
        let place = |sha1: Sha1| manifest.chain.position(sha1);
        let state = known.reports.get(&waiver.host).and_then(|report| report.state);
        let link = manifest.chain.get(waiver.link).filter(|_| manifest.hosts.contains_key(&waiver.host))?;
        let is_past = state.and_then(place) >= place(waiver.link);
        (!is_past).then(|| Self {
            link: waiver.link,
            migration: link.name.clone(),
            host: waiver.host.clone(),
            change: waiver.change,
        })
    }
}
