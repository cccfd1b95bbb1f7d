//! How far a host is to go: the canaries first, and everyone else when an operator promotes, or by itself once all
//! canaries have been there, and well, for long enough. Whoever sees that says so in its reports: what becomes of the
//! canaries after that takes nothing back.

use std::collections::BTreeMap;

use super::awaited::{lagging, lagging_for};
use super::wait::{Lag, link_awaiting};
use crate::chain::Sha1;
use crate::change::{Canary, Manifest};
use crate::report::{Baked, Doing, Report, Standing};

/// The link that this host is to reach at `now`, in seconds since 1970, as reports tell.
#[must_use]
pub fn goal(manifest: &Manifest, name: &str, reports: &BTreeMap<String, Report>, now: u64) -> Option<Sha1> {
    match &manifest.canary {
        Some(canary) if has_baked(manifest, canary, reports, now) => Some(canary.target),
        _ => manifest.told(name),
    }
}

/// Since when a canary has passed, as reports tell: it has accepted the change, and is where canaries are to go and well, or
/// it waits in load for hosts to reach a link, none of which is a canary, and all of which are where they were told to go:
/// then only a promotion lets them, and it, go on. What it did before it had heard of the change says nothing. One that has
/// drifted, or that nobody hears of any more at `now`, in seconds since 1970, has not passed.
#[must_use]
pub fn passed_since(
    manifest: &Manifest,
    canary: &Canary,
    reports: &BTreeMap<String, Report>,
    host: &str,
    now: u64,
) -> Option<u64> {
    let report = reports.get(host)?;
    let place = |state: Option<Sha1>| state.and_then(|state| manifest.chain.position(state));
    let has_heard = report.accepted.unwrap_or_default() >= canary.change;
    if report.contested || !report.drift.is_empty() || !has_heard || report.standing(now) != Standing::Fresh {
        return None;
    }
    let since = report.since.max(report.heard);
    match &report.doing {
        Doing::UpToDate => (place(report.state) >= place(Some(canary.target))).then_some(since),
        Doing::Waiting { on, key, .. } if report.in_service => {
            let arrived = |name: &String| arrived_since(manifest, canary, reports, name, now);
            let others = awaited(manifest, reports, host, on, key);
            let last: Option<u64> = others.iter().map(arrived).collect::<Option<Vec<_>>>()?.into_iter().max();
            last.map(|last| last.max(since))
        }
        _ => None,
    }
}

/// Whom a host that says that it waits for others waits for now. What it said may be over: others have come since, or left
/// the herd.
#[must_use]
pub fn awaited(
    manifest: &Manifest,
    reports: &BTreeMap<String, Report>,
    host: &str,
    on: &[String],
    key: &str,
) -> Vec<String> {
    let Some(link) = link_awaiting(key).and_then(|link| manifest.chain.get(link)) else { return Vec::new() };
    if link.wait.is_none() && link.inside.is_empty() {
        return on.to_vec();
    }
    let before: Vec<Lag> = lagging(manifest, reports, host, link);
    let inside = link.inside.iter().flat_map(|wait| lagging_for(manifest, reports, host, wait, link.sha1));
    let all: Vec<Lag> = if before.is_empty() { inside.collect() } else { before };
    all.into_iter().map(|lag| lag.host).collect()
}

/// Since when a host that is no canary goes no further by itself: it is where it was told to go, and well.
fn arrived_since(
    manifest: &Manifest,
    canary: &Canary,
    reports: &BTreeMap<String, Report>,
    name: &str,
    now: u64,
) -> Option<u64> {
    let report = reports.get(name).filter(|_| manifest.hosts.contains_key(name) && !canary.hosts.contains(name))?;
    let place = |state: Option<Sha1>| state.and_then(|state| manifest.chain.position(state));
    let told = manifest.told(name);
    let is_there = told.is_none() || (place(report.state) >= place(told) && report.doing == Doing::UpToDate);
    let is_ahead = matches!(report.standing(now), Standing::Ahead { .. });
    (is_there && !is_ahead).then_some(report.since)
}

/// Whether all canaries of the herd have passed, for as long as they are to bake, or had when some host looked.
#[must_use]
pub fn has_baked(manifest: &Manifest, canary: &Canary, reports: &BTreeMap<String, Report>, now: u64) -> bool {
    bake_ends(manifest, canary, reports, now).is_some_and(|end| now >= end)
}

/// When the bake is over, in seconds since 1970, UTC, as far as the reports tell at `now`: nothing where a canary has not
/// passed.
#[must_use]
pub fn bake_ends(manifest: &Manifest, canary: &Canary, reports: &BTreeMap<String, Report>, now: u64) -> Option<u64> {
    let bake = canary.bake?;
    let is_it = |baked: &Baked, time: u64| canary.change > 0 && baked.change == canary.change && baked.at <= time;
    let sound = reports.values().filter(|report| !report.contested);
    let seen = sound.filter_map(|report| report.baked.filter(|baked| is_it(baked, report.time)));
    let seen = seen.map(|baked| baked.at).min();
    let hosts = canary.hosts.iter().filter(|host| manifest.hosts.contains_key(*host));
    let passed: Option<Vec<u64>> = hosts.map(|host| passed_since(manifest, canary, reports, host, now)).collect();
    let last = passed.and_then(|passed| passed.into_iter().max());
    seen.or_else(|| last.map(|last| last.saturating_add(bake)))
}
