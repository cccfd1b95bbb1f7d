//! What hosts do next, as far as their reports tell, and what a change would make of that.

use std::collections::BTreeSet;

use wb_core::change::{HostManifest, Manifest};
use wb_core::plan::{Course, Past, Plan, Situation, Wait, awaits_amid, plan};
use wb_core::report::{Doing, serving};

use crate::known::Known;

/// Who waits for these hosts, a line each, as far as reports tell.
#[must_use]
pub fn waiting_for(known: &Known, leaving: &BTreeSet<String>) -> Vec<String> {
    let staying = known.manifest.hosts.keys().filter(|name| !leaving.contains(*name));
    let lines = staying.filter_map(|name| {
        let wait = kept_by(known, name)?;
        leaving.iter().any(|gone| wait.is_for(gone)).then(|| format!("`{name}` waits: {wait}"))
    });
    lines.collect()
}

/// The hosts that wait now and would not after this change, in a line, where there are any.
#[must_use]
pub fn freed(known: &Known, after: &Manifest) -> Option<String> {
    let changed = Known { manifest: after.clone(), ..known.clone() };
    let free = after.hosts.keys().filter(|name| kept_by(known, name).is_some() && kept_by(&changed, name).is_none());
    let names: Vec<String> = free.map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| format!("go on: {}", names.join(", ")))
}

/// What the code of the link waits for that a host is at, where the host says that it does.
#[must_use]
pub fn waits_in_code(known: &Known, name: &str) -> Option<Wait> {
    let (Known { manifest, reports, .. }, host) = (known, known.manifest.hosts.get(name)?);
    let report = reports.get(name)?;
    let past = Past::told_by(&manifest.chain, &host.roles, report.state);
    let link = Course::new(manifest, manifest.told(name), host, &past).next(report.state)?;
    let says_so = matches!(&report.doing, Doing::Waiting { key, .. } if key.contains(&link.sha1.to_string()));
    says_so.then(|| awaits_amid(manifest, reports, name, link)).flatten()
}

/// What a host waits for, before its next link or in it.
fn kept_by(known: &Known, name: &str) -> Option<Wait> {
    match planned(known, name, known.manifest.hosts.get(name)?)? {
        Plan::Wait(wait) => Some(wait),
        _ => waits_in_code(known, name),
    }
}

/// What a host does next, as far as its report tells.
fn planned(known: &Known, name: &str, host: &HostManifest) -> Option<Plan> {
    let (report, identity) = (known.reports.get(name)?, host.identity.as_ref()?);
    let past = Past::told_by(&known.manifest.chain, &host.roles, report.state);
    let course = Course::new(&known.manifest, known.manifest.told(name), host, &past);
    // Links that are only passed over keep nobody waiting.
    let before = course.next(report.state).and_then(|link| known.manifest.chain.position(link.sha1)?.checked_sub(1));
    let state = before.map(|place| known.manifest.chain.links()[place].sha1).or(report.state);
    Some(plan(&Situation {
        manifest: Some(&known.manifest),
        uuid: identity.uuid,
        state,
        past: &past,
        announced: report.announced,
        in_service: report.in_service,
        compiled: &known.manifest.chain,
        reports: &known.reports,
        serving: &serving(&known.reports),
        pools: &known.pools,
        damaged: &known.damaged,
        now: known.now,
    }))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use wb_core::pool::{Claim, Pool};

    use super::*;
    use crate::known::tests::{known, lets_code_wait};
    use crate::members::retiring;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn those_who_wait_for_a_host_are_named() {
        let check = |hosts: &str, leaving: &[&str], expect: &[&str]| {
            assert_eq!(waiting_for(&known(hosts), &names(leaving)), expect, "{hosts}");
        };
        let waits = "`web1` waits: `theme` (0404040) waits for db1 at `schema` (0101010), db2 at the start";
        check("db1@schema db2@? web1@tuning", &["db2"], &[waits]);
        check("db1@schema db2@? web1@page", &["db1"], &[waits]);
        check("db1@schema db2@? web1@tuning", &["web1"], &[]);
        check("db1@tuning web1@tuning", &["db1"], &[]);
    }

    #[test]
    fn a_place_in_a_pool_is_waited_for_too() {
        let mut known = known("db1@theme web1@tuning web2@theme");
        let claim = Claim { host: "web2".into(), uuid: Uuid::from_u128(3), nonce: Uuid::nil(), since: 0 };
        known.pools.insert("web".into(), Pool { holders: vec![claim], ..Pool::default() });
        let waits = "`web1` waits: for a place in the pool of web: 1 of 1 out already: web2";
        assert_eq!(waiting_for(&known, &names(&["web2"])), [waits]);
    }

    #[test]
    fn who_waits_in_code_is_named_too() {
        let mut known = known("db1@schema web1@tuning");
        let wait = lets_code_wait(&mut known);
        assert!(waiting_for(&known, &names(&["db1"])).is_empty(), "it has not begun it");
        known.reports.get_mut("web1").unwrap().doing = Doing::from(&wait);
        let waits = "`web1` waits: `theme` (0404040) waits for db1 at `schema` (0101010)";
        assert_eq!(waiting_for(&known, &names(&["db1"])), [waits]);
        let after = retiring(&known.manifest, &names(&["db1"]));
        assert_eq!(freed(&known, &after), Some("go on: `web1`".to_owned()));
    }
}
