//! Who belongs to the herd, and as what: changes of the herd alone, which build nothing and so take a second.
//!
//! Each is a function from the newest manifest to the next one. What it comes to for hosts is told beforehand, out of
//! their reports.

use std::collections::BTreeSet;

use wb_core::chain::{Link, Wait};
use wb_core::change::{ChangeKind, Hold, Manifest, Retired, Whom};
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
    forget(&mut manifest, leaving);
    manifest
}

/// Takes hosts that left out of what was said of them by name: who is held, who goes first, whose claims are freed, for
/// whom nobody waits. Another machine may bear such a name one day.
pub fn forget(manifest: &mut Manifest, gone: &BTreeSet<String>) {
    manifest.holds.retain(|hold| !matches!(&hold.whom, Whom::Host(host) if gone.contains(host)));
    manifest.released.retain(|release| !gone.contains(&release.host));
    manifest.waived.retain(|waiver| !gone.contains(&waiver.host));
    if let Some(canary) = &mut manifest.canary {
        canary.hosts.retain(|host| !gone.contains(host));
    }
    manifest.canary = manifest.canary.take().filter(|canary| !canary.hosts.is_empty());
}

/// The manifest with another name for a host, which must be there, and the name free.
#[must_use]
pub fn renaming(before: &Manifest, old: &str, new: &str) -> Manifest {
    let mut manifest = before.next(ChangeKind::Rename);
    if let Some(host) = manifest.hosts.remove(old) {
        manifest.hosts.insert(new.to_owned(), host);
        call(&mut manifest, old, new);
    }
    manifest
}

/// What was said of a host by name is said of it by its new one.
fn call(manifest: &mut Manifest, old: &str, new: &str) {
    let held = manifest.holds.iter_mut().filter_map(|hold| match &mut hold.whom {
        Whom::Host(host) => Some(host),
        Whom::Herd | Whom::Role(_) | Whom::Other(_) => None,
    });
    let released = manifest.released.iter_mut().map(|release| &mut release.host);
    let waived = manifest.waived.iter_mut().map(|waiver| &mut waiver.host);
    let mine = held.chain(released).chain(waived).filter(|host| *host == old);
    mine.for_each(|host| new.clone_into(host));
    if let Some(canary) = manifest.canary.as_mut()
        && canary.hosts.remove(old)
    {
        canary.hosts.insert(new.to_owned());
    }
}

/// The manifest with other roles for a host.
#[must_use]
pub fn tagging(before: &Manifest, name: &str, roles: &BTreeSet<String>) -> Manifest {
    let mut manifest = before.next(ChangeKind::Tag);
    manifest.hosts.entry(name.to_owned()).and_modify(|host| host.roles.clone_from(roles));
    manifest
}

/// The links that wait for hosts of a role of which none is left, a line each.
#[must_use]
pub fn waits_for_nobody(before: &Manifest, after: &Manifest) -> Vec<String> {
    let emptied = |role: &&str| before.admitted(role).next().is_some() && after.admitted(role).next().is_none();
    let lines = after.chain.links().iter().flat_map(|link| {
        let roles: BTreeSet<&str> = link.waits().map(Wait::role).filter(emptied).collect();
        let line = |role| format!("no host of role `{role}` is left: {link} waits for hosts of it, and so for nobody");
        roles.into_iter().map(line).collect::<Vec<_>>()
    });
    lines.collect()
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
    let hold = match (known.manifest.hold_of(name), after.hold_of(name)) {
        (None, Some(hold)) => {
            let Hold { whom, change, why } = hold;
            Some(format!("`{name}` is held from now on: {whom} is, by change {change}: {why}"))
        }
        (Some(_), None) => Some(format!("`{name}` is held no longer")),
        _ => None,
    };
    gained.chain(lost).chain(hold).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use wb_core::chain::Chain;
    use wb_core::change::{Canary, Release, Waiver};

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

    /// The herd, with something said of `web1` by each kind of word.
    fn with_words() -> Manifest {
        let mut manifest = known("web1@page web2@page").manifest;
        let hold = |whom| Hold { whom, change: 3, why: "a look".into() };
        manifest.holds = vec![hold(Whom::Host("web1".into())), hold(Whom::Host("web2".into())), hold(Whom::Herd)];
        let (link, target) = (manifest.chain.links()[0].sha1, manifest.chain.links()[3].sha1);
        manifest.released = vec![Release { change: 3, host: "web1".into(), nonce: Uuid::nil() }];
        manifest.waived = vec![Waiver { change: 3, link, host: "web1".into() }];
        manifest.canary = Some(Canary { hosts: names(&["web1"]), target, change: 3, bake: None });
        manifest
    }

    #[test]
    fn what_was_said_of_a_host_goes_with_it() {
        let after = retiring(&with_words(), &names(&["web1"]));
        assert_eq!((after.holds.len(), after.released, after.waived, after.canary), (2, vec![], vec![], None));
        let after = retiring(&with_words(), &names(&["web2"]));
        assert_eq!((after.holds.len(), after.waived.len(), after.canary.unwrap().hosts), (2, 1, names(&["web1"])));
    }

    #[test]
    fn what_was_said_of_a_host_is_said_of_its_new_name() {
        let before = with_words();
        let after = renaming(&before, "web1", "shop1");
        assert!(after.follows(Some(&before)).is_ok());
        let held: Vec<String> = after.holds.iter().map(|hold| hold.whom.to_string()).collect();
        assert_eq!(held, ["shop1", "web2", "the herd"]);
        assert_eq!((&*after.released[0].host, &*after.waived[0].host), ("shop1", "shop1"));
        assert_eq!(after.canary.unwrap().hosts, names(&["shop1"]));
    }

    #[test]
    fn a_role_that_is_held_holds_who_gets_it() {
        let mut known = known("web1@theme");
        known.manifest.holds = vec![Hold { whom: Whom::Role("cache".into()), change: 3, why: "a look".into() }];
        let after = tagging(&known.manifest, "web1", &names(&["web", "cache"]));
        let held = "`web1` is held from now on: the role cache is, by change 3: a look";
        assert_eq!(new_roles_mean(&known, &after, "web1")[1], held);
        known.manifest = after.clone();
        let after = tagging(&after, "web1", &names(&["web"]));
        assert_eq!(new_roles_mean(&known, &after, "web1")[1], "`web1` is held no longer");
    }

    #[test]
    fn a_role_without_hosts_is_told() {
        let mut before = known("db1@theme db2@theme web1@theme").manifest;
        let left = |before: &Manifest, leaving: &[&str]| waits_for_nobody(before, &retiring(before, &names(leaving)));
        assert!(left(&before, &["db2", "web1"]).is_empty());
        let nobody = "no host of role `database` is left: `theme` (0404040) waits for hosts of it, and so for nobody";
        assert_eq!(left(&before, &["db1", "db2"]), [nobody]);
        let after = tagging(&tagging(&before, "db1", &names(&["web"])), "db2", &names(&["web"]));
        assert_eq!(waits_for_nobody(&before, &after), [nobody]);
        let mut links = before.chain.links().to_vec();
        links[3].inside = links[3].wait.take().into_iter().collect();
        before.chain = Chain::new(links).unwrap();
        assert_eq!(left(&before, &["db1", "db2"]), [nobody], "in its code, too");
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
