//! Who belongs to the herd, and as what: changes of the herd alone, which build nothing and so take a second.
//!
//! Each is a function from the newest manifest to the next one. What it comes to for hosts is told beforehand, out of
//! their reports.

use std::collections::BTreeSet;

use wb_core::chain::Link;
use wb_core::change::{ChangeKind, Manifest, Retired};
use wb_core::plan::{Course, Past};

use crate::known::Known;

/// Those who are retired, when these hosts leave by the change of this number.
#[must_use]
pub fn retired(before: &Manifest, leaving: &BTreeSet<String>, change: u64) -> Vec<Retired> {
    let machine = |name: &String| before.hosts.get(name)?.identity.as_ref();
    let new = leaving.iter().filter_map(|name| Some(Retired { uuid: machine(name)?.uuid, name: name.clone(), change }));
    before.retired.iter().cloned().chain(new).collect()
}

/// The manifest without these hosts.
#[must_use]
pub fn retiring(before: &Manifest, leaving: &BTreeSet<String>) -> Manifest {
    let mut manifest = before.next(ChangeKind::Retire);
    manifest.retired = retired(before, leaving, manifest.number);
    manifest.hosts.retain(|name, _| !leaving.contains(name));
    manifest
}

/// The manifest with another name for a host, which must be there, and the name free.
#[must_use]
pub fn renaming(before: &Manifest, old: &str, new: &str) -> Manifest {
    let mut manifest = before.next(ChangeKind::Rename);
    if let Some(host) = manifest.hosts.remove(old) {
        manifest.hosts.insert(new.to_owned(), host);
    }
    manifest
}

/// The manifest with other roles for a host.
#[must_use]
pub fn tagging(before: &Manifest, name: &str, roles: &BTreeSet<String>) -> Manifest {
    let mut manifest = before.next(ChangeKind::Tag);
    manifest.hosts.entry(name.to_owned()).and_modify(|host| host.roles.clone_from(roles));
    manifest
}

/// The links that wait for all hosts of a role of which none is left, a line each.
#[must_use]
pub fn waits_for_nobody(before: &Manifest, after: &Manifest) -> Vec<String> {
    let emptied = |role: &str| before.admitted(role).next().is_some() && after.admitted(role).next().is_none();
    let links = after.chain.links().iter().filter_map(|link| match &link.wait {
        Some(wait) if emptied(wait.role()) => {
            let role = wait.role();
            Some(format!("no host of role `{role}` is left: {link} waits for hosts of it, and so for nobody"))
        }
        _ => None,
    });
    links.collect()
}

/// What other roles come to for a host, a line each.
#[must_use]
pub fn new_roles_mean(known: &Known, after: &Manifest, name: &str) -> Vec<String> {
    let (Some(old), Some(new)) = (known.manifest.hosts.get(name), after.hosts.get(name)) else { return Vec::new() };
    let report = known.reports.get(name);
    let state = report.and_then(|report| report.state);
    let past = Past::told_by(&after.chain, &old.roles, state);
    let course = Course::new(after, after.told(name), new, &past);
    let place = if report.is_some_and(|report| report.in_service) { ", out of load" } else { "" };
    let gained = new.roles.difference(&old.roles).map(|role| {
        let links: Vec<&Link> = course.run_from(state).filter(|link| link.role == *role).collect();
        match &links[..] {
            [] => format!("`{name}` has no migration of role `{role}` to run yet"),
            [link] => format!("`{name}` runs 1 migration of role `{role}`{place}: {link}"),
            [first, .., last] => {
                format!("`{name}` runs {} migrations of role `{role}`{place}: {first} to {last}", links.len())
            }
        }
    });
    let lost = old.roles.difference(&new.roles).map(|role| {
        format!("`{name}` passes the migrations of role `{role}` over from now on; what they did there stays")
    });
    gained.chain(lost).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::known::tests::known;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn who_is_retired_leaves_the_hosts_and_its_machine_is_remembered() {
        let before = known("web1@page web2@page").manifest;
        let after = retiring(&before, &names(&["web2"]));
        assert_eq!(after.hosts.keys().collect::<Vec<_>>(), ["web1"]);
        let gone = Retired { uuid: Uuid::from_u128(2), name: "web2".into(), change: 12 };
        assert_eq!((after.retired.clone(), after.kind), (vec![gone], ChangeKind::Retire));
        assert!(after.follows(Some(&before)).is_ok());
    }

    #[test]
    fn a_renamed_host_is_the_same_machine() {
        let before = known("web1@page web2@page").manifest;
        let after = renaming(&before, "web2", "shop1");
        assert_eq!(after.hosts["shop1"], before.hosts["web2"]);
        assert_eq!((after.hosts.len(), after.kind), (2, ChangeKind::Rename));
    }

    #[test]
    fn a_role_without_hosts_is_told() {
        let before = known("db1@theme db2@theme web1@theme").manifest;
        let left = |leaving: &[&str]| waits_for_nobody(&before, &retiring(&before, &names(leaving)));
        assert!(left(&["db2", "web1"]).is_empty());
        let nobody = "no host of role `database` is left: `theme` (0404040) waits for hosts of it, and so for nobody";
        assert_eq!(left(&["db1", "db2"]), [nobody]);
    }

    #[test]
    fn what_other_roles_come_to_is_told() {
        let check = |hosts: &str, roles: &[&str], expect: &[&str]| {
            let known = known(hosts);
            let after = tagging(&known.manifest, "web1", &names(roles));
            assert_eq!(new_roles_mean(&known, &after, "web1"), expect, "{hosts} {roles:?}");
        };
        let two = "`web1` runs 2 migrations of role `database`, out of load: `schema` (0101010) to `tuning` (0303030)";
        check("web1@theme", &["web", "database"], &[two]);
        check("web1@schema", &["web", "database"], &[two]);
        let both = "`web1` runs 2 migrations of role `database`: `schema` (0101010) to `tuning` (0303030)";
        check("web1@?", &["web", "database"], &[both]);
        check("web1@theme", &["web", "cache"], &["`web1` has no migration of role `cache` to run yet"]);
        let lost = "`web1` passes the migrations of role `web` over from now on; what they did there stays";
        check("web1@theme", &[], &[lost]);
    }
}
