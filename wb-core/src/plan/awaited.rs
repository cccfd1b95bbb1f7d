//! Whether the wait of a link holds, and for whom.

use std::collections::{BTreeMap, BTreeSet};

use super::wait::Lag;
use crate::chain::{Chain, Link, Sha1, Wait};
use crate::change::Manifest;
use crate::report::Report;

/// Who is not yet where `link` wants them to be, where its wait does not hold for the host `me`; else nobody.
#[must_use]
pub fn lagging(manifest: &Manifest, reports: &BTreeMap<String, Report>, me: &str, link: &Link) -> Vec<Lag> {
    let Some(wait) = &link.wait else { return Vec::new() };
    lagging_for(manifest, reports, me, wait, link.sha1)
}

/// As [`lagging`], for what the code of `link` waits for: of the first such wait that does not hold.
#[must_use]
pub fn lagging_amid(manifest: &Manifest, reports: &BTreeMap<String, Report>, me: &str, link: &Link) -> Vec<Lag> {
    let lagging = |wait| lagging_for(manifest, reports, me, wait, link.sha1);
    link.inside.iter().map(lagging).find(|lagging| !lagging.is_empty()).unwrap_or_default()
}

/// As [`lagging`], for a wait that `link` has, be it in its attribute or in its code.
#[must_use]
pub fn lagging_for(
    manifest: &Manifest,
    reports: &BTreeMap<String, Report>,
    me: &str,
    wait: &Wait,
    link: Sha1,
) -> Vec<Lag> {
    if !wait.is_known() {
        let others = manifest.hosts.keys().filter(|name| *name != me);
        return others.map(|name| Lag { host: name.clone(), at: None }).collect();
    }
    let Some(needed) = needed(&manifest.chain, wait, link) else { return Vec::new() };
    let place = |name: &str| reports.get(name).and_then(|report| manifest.chain.position(report.state?));
    let is_there = |name: &str| place(name).is_some_and(|at| at >= needed);
    // Who is waived is not there, it is left out: the wait holds as it would in a herd without that host.
    let counts = |name: &&str| *name != me && !manifest.is_waived(link, name);
    let others: Vec<&str> = manifest.admitted(wait.role()).filter(counts).collect();
    let behind: Vec<&str> = others.iter().copied().filter(|name| !is_there(name)).collect();
    if others.len() - behind.len() >= wait.who.needs(others.len()) {
        return Vec::new();
    }
    let at = |name: &str| place(name).map(|place| manifest.chain.links()[place].clone());
    behind.into_iter().map(|name| Lag { host: name.to_owned(), at: at(name) }).collect()
}

/// Whether links may have waited for a host of `roles` to come from the state `from` to `to`. Others want to hear of that
/// before the host does anything that takes long.
#[must_use]
pub fn ends_waits(chain: &Chain, roles: &BTreeSet<String>, from: Option<Sha1>, to: Option<Sha1>) -> bool {
    let reached = |state: Option<Sha1>| state.and_then(|state| chain.position(state)).map_or(0, |place| place + 1);
    let passed = reached(from)..reached(to);
    let waits = chain.links().iter().flat_map(|link| link.waits().map(|wait| (link.sha1, wait)));
    let mut ours = waits.filter(|(_, wait)| roles.contains(wait.role()));
    ours.any(|(link, wait)| needed(chain, wait, link).is_some_and(|needed| passed.contains(&needed)))
}

/// The place in the chain that the others are to be at or past for a wait that `link` has; nothing where there is none to
/// reach.
#[must_use]
pub fn needed(chain: &Chain, wait: &Wait, link: Sha1) -> Option<usize> {
    match &wait.reached {
        Some(name) => chain.links().iter().position(|link| link.name == *name),
        None => chain.position(link)?.checked_sub(1),
    }
}
