//! Who takes its turn, and who does not yet: in load or out of it, windows, failures, holds, places that were freed.

use super::*;
use crate::change::{Hold, Release, Whom};

const RUNS: &str = r#"leg to w2 claiming ["web"]"#;

/// What `web1` does, in service.
fn check(chain: &str, hosts: &str, expect: &str) {
    assert_eq!(Herd::new(chain, hosts).plan("web1", true), expect, "{chain}, {hosts}");
}

#[test]
fn what_is_run_in_load_claims_nothing_and_makes_a_leg_of_its_own() {
    check("w1 ~w2 ~w3 w4", "web1@w1", "leg to w3 claiming []");
    check("w1 ~w2 ~w3 w4", "web1@w3", r#"leg to w4 claiming ["web"]"#);
    check("w1 w2 ~w3 w4", "web1@w1", r#"leg to w2 claiming ["web"]"#);
    check("w1 w2 ~w3 w4", "web1@w2", "leg to w3 claiming []");
    check("w1 ~w2", "web1@w1", "leg to w2 claiming []");
}

#[test]
fn links_that_are_passed_over_part_no_leg() {
    check("w1 ~w2 d3 ~w4 w5", "web1@w1", "leg to w4 claiming []");
    check("w1 w2 ~d3 w4", "web1@w1", r#"leg to w4 claiming ["web"]"#);
    check("w1 ~w2 d3", "web1@w1", "leg to d3 claiming []");
}

#[test]
fn what_is_run_in_load_asks_for_no_place_and_no_window() {
    let mut herd = Herd::new("w1 ~w2", "web1@w1 web2@w1");
    herd.hold("web2");
    herd.manifest.roles.insert("web".into(), with_window("daily 02:00-03:00"));
    assert_eq!(herd.plan("web1", true), "leg to w2 claiming []");
}

#[test]
fn what_is_run_in_load_waits_all_the_same() {
    check("d1 ~w2<d", "web1@d1 db1@-", "wait `w2` (7732000) waits for db1 at the start");
    check("d1 ~w2 ~w3<d", "web1@d1 db1@-", "leg to w2 claiming []");
    let mut herd = Herd::new("w1 ~w2", "web1@w1 web2@w1");
    herd.fail("web2", "w2", "w2");
    assert_eq!(herd.plan("web1", true), "wait `w2` (7732000) failed on web2");
}

#[test]
fn a_host_never_in_service_has_one_leg_for_all() {
    follows("w1 ~w2 w3 ~w4", "web1@-", "leg to w4 claiming []");
}

#[test]
fn a_restored_host_leaves_once_for_all_that_it_catches_up_on() {
    let mut herd = Herd::new("w1 ~w2 w3 ~w4 ~w5", "web1@-");
    herd.announced = Some(sha1("w4"));
    assert_eq!(herd.plan("web1", true), r#"leg to w4 claiming ["web"]"#);
    herd.announced = Some(sha1("w1"));
    assert_eq!(herd.plan("web1", true), r#"leg to w1 claiming ["web"]"#);
}

#[test]
fn new_hosts_let_none_of_those_leave_that_bear_load() {
    let mut herd = Herd::new("w1 w2", "web1@w1 web2@w1 web3@w1 web4@w1");
    for n in 5..21 {
        let (name, at) = (format!("web{n}"), if n % 2 == 0 { "-" } else { "?" });
        herd.add(&name, at, n);
        herd.reports.entry(name).and_modify(|report| report.in_service = false);
    }
    herd.manifest.roles.insert("web".into(), RolePolicy::new(MaxOut::Percent(50)));
    assert_eq!(herd.plan("web1", true), RUNS);
    herd.hold("web2");
    assert_eq!(herd.plan("web1", true), RUNS);
    herd.hold("web3");
    assert_eq!(herd.plan("web1", true), "wait for a place in the pool of web: 2 of 2 out already: web2, web3");
    herd.reports.values_mut().for_each(|report| report.in_service = true);
    assert_eq!(herd.plan("web1", true), RUNS);
}

fn with_window(window: &str) -> RolePolicy {
    RolePolicy { windows: vec![window.parse().unwrap()], ..RolePolicy::new(MaxOut::Hosts(1)) }
}

/// 2023-11-20, a Monday, at midnight.
const MONDAY: u64 = 1_700_438_400;

#[test]
fn hosts_leave_load_within_windows_only() {
    let check = |windows: &[&str], hour: u64, expect: &str| {
        let mut herd = Herd::new("w1 w2", "web1@w1");
        let windows = windows.iter().map(|window| window.parse().unwrap()).collect();
        herd.manifest.roles.insert("web".into(), RolePolicy { windows, ..RolePolicy::new(MaxOut::Hosts(1)) });
        herd.now = MONDAY + hour * 3600;
        assert_eq!(herd.plan("web1", true), expect, "{hour}");
        assert_eq!(herd.plan("web1", false), "leg to w2 claiming []");
    };
    let waits = |opens: &str| format!("wait for the maintenance window of web, which opens at {opens}");
    check(&[], 12, RUNS);
    check(&["Mon 02:00-04:00"], 1, &waits("2023-11-20T02:00:00Z"));
    check(&["Mon 02:00-04:00"], 3, RUNS);
    check(&["Mon 02:00-04:00"], 4, &waits("2023-11-27T02:00:00Z"));
    check(&["Sat 22:00-04:00", "Wed 01:00-02:00"], 4, &waits("2023-11-22T01:00:00Z"));
    check(&["Sat 22:00-04:00", "Mon 04:00-05:00"], 4, RUNS);
}

#[test]
fn a_host_with_several_roles_needs_a_window_and_a_place_in_each() {
    let mut herd = Herd::new("w1 w2", "web1@w1 db1@w1");
    herd.manifest.hosts.get_mut("web1").unwrap().roles.insert("database".into());
    assert_eq!(herd.plan("web1", true), r#"leg to w2 claiming ["database", "web"]"#);
    herd.manifest.roles.insert("database".into(), with_window("Tue 02:00-03:00"));
    herd.now = MONDAY;
    let waits = "wait for the maintenance window of database, which opens at 2023-11-21T02:00:00Z";
    assert_eq!(herd.plan("web1", true), waits);
    herd.manifest.roles.insert("web".into(), with_window("Sat 22:00-04:00"));
    let never = "wait for the maintenance windows of database, web, which are never open at once";
    assert_eq!(herd.plan("web1", true), never);
    herd.manifest.roles.insert("web".into(), with_window("daily 02:30-04:00"));
    let both = "wait for the maintenance windows of database, web, which are open at once from 2023-11-21T02:30:00Z";
    assert_eq!(herd.plan("web1", true), both);
    herd.now += 26 * 3600 + 1800;
    herd.hold("db1");
    assert_eq!(herd.plan("web1", true), "wait for a place in the pool of database: 1 of 1 out already: db1");
}

#[test]
fn as_many_hosts_fail_as_a_role_allows() {
    let mut herd = Herd::new("w1 w2", "web1@w1 web2@w1 web3@w1");
    herd.manifest.roles.insert("web".into(), RolePolicy { max_failed: 2, ..RolePolicy::new(MaxOut::Hosts(3)) });
    herd.fail("web2", "w2", "w2");
    assert_eq!(herd.plan("web1", true), RUNS);
    herd.fail("web3", "w2", "what it said before");
    assert_eq!(herd.plan("web1", true), RUNS);
    herd.fail("web3", "w2", "w2");
    assert_eq!(herd.plan("web1", true), "wait `w2` (7732000) failed on web2, web3");
    assert_eq!(herd.plan("web1", false), "wait `w2` (7732000) failed on web2, web3");
}

#[test]
fn a_leg_ends_before_what_failed_elsewhere() {
    let mut herd = Herd::new("w1 w2 w3", "web1@w1 web2@w2");
    herd.fail("web2", "w3", "w3");
    assert_eq!(herd.plan("web1", true), RUNS);
}

#[test]
fn who_is_held_begins_nothing() {
    let check = |whom: Whom, expect: &str| {
        let mut herd = Herd::new("d1 w2", "web1@d1 web2@d1");
        herd.manifest.holds = vec![Hold { whom, change: 6, why: "a sale".into() }];
        assert_eq!(herd.plan("web1", true), expect);
        assert_eq!(herd.plan("web1", false), expect.replace(r#"["web"]"#, "[]"));
    };
    check(Whom::Herd, "wait the herd is held by change 6: a sale");
    check(Whom::Role("web".into()), "wait the role web is held by change 6: a sale");
    check(Whom::Host("web1".into()), "wait web1 is held by change 6: a sale");
    let strangers = serde_json::json!({ "zone": "a" });
    check(
        Whom::Other(strangers.into()),
        "wait a part of the herd that only a newer runner knows is held by change 6: a sale",
    );
    check(Whom::Role("database".into()), RUNS);
    check(Whom::Host("web2".into()), RUNS);
}

#[test]
fn who_is_held_may_pass_over_what_is_not_its_own_and_enters_no_service() {
    let mut herd = Herd::new("d1 w2 d3", "web1@- web2@d3");
    herd.manifest.holds = vec![Hold { whom: Whom::Herd, change: 6, why: "a sale".into() }];
    assert_eq!(herd.plan("web1", true), "pass over d1");
    assert_eq!(herd.plan("web2", true), "up to date");
    assert_eq!(herd.plan("web2", false), "wait the herd is held by change 6: a sale");
}

#[test]
fn a_place_that_was_freed_is_free() {
    let mut herd = Herd::new("w1 w2", "web1@w1 web2@w1");
    herd.hold("web2");
    assert_eq!(herd.plan("web1", true), "wait for a place in the pool of web: 1 of 1 out already: web2");
    let nonce = herd.pools["web"].holders[0].nonce;
    herd.manifest.released = vec![Release { change: 6, host: "web2".into(), nonce }];
    assert_eq!(herd.plan("web1", true), RUNS);
}
