//! Canaries go first: everyone else follows when they are promoted, or have baked.

use super::*;
use crate::plan::{Wait, goal};
use crate::report::{Baked, Drift};

const NOW: u64 = 10_000;
const BAKE: u64 = 600;
const FOLLOWS: &str = r#"leg to w3 claiming ["web"]"#;

/// A herd that is told to stay at `w1`, and its canaries to go to `w3`.
fn herd(hosts: &str, canaries: &[&str], bake: Option<u64>) -> Herd {
    let mut herd = Herd::new("w1 w2 w3", hosts);
    let canaries = canaries.iter().map(|host| (*host).to_owned()).collect();
    herd.manifest.target = Some(sha1("w1"));
    herd.manifest.canary = Some(Canary { hosts: canaries, target: sha1("w3"), change: 5, bake });
    herd.now = NOW;
    herd.reports.values_mut().for_each(|report| report.time = NOW);
    herd
}

fn since(herd: &mut Herd, host: &str, since: u64, doing: Doing) {
    let report = herd.reports.get_mut(host).unwrap();
    (report.since, report.doing) = (since, doing);
}

fn waiting(wait: &Wait) -> Doing {
    wait.into()
}

#[test]
fn canaries_go_first_and_everyone_follows_when_they_are_promoted() {
    let mut herd = herd("web1@w1 web2@w1", &["web1"], None);
    assert_eq!(herd.plan("web1", true), r#"leg to w3 claiming ["web"]"#);
    assert_eq!(herd.plan("web2", true), "up to date");
    assert_eq!(herd.plan("web2", false), "enter service");
    let canary = herd.manifest.canary.take().unwrap();
    herd.manifest.target = Some(canary.target);
    assert_eq!(herd.plan("web2", true), FOLLOWS);
}

#[test]
fn who_is_past_its_goal_does_nothing() {
    let herd = herd("web1@w3 web2@w2", &["web1"], None);
    assert_eq!(herd.plan("web2", true), "up to date");
}

/// Whether everyone follows, with `web1` as the only canary, whose report says this since then.
fn bakes(at: &str, from: u64, doing: &Doing, expect: bool) {
    let mut herd = herd(&format!("web1@{at} web2@w1 db1@w1"), &["web1"], Some(BAKE));
    since(&mut herd, "web1", from, doing.clone());
    let follows = goal(&herd.manifest, "web2", &herd.reports, herd.now) == Some(sha1("w3"));
    assert_eq!(follows, expect, "at {at} since {from}: {doing}");
}

#[test]
fn a_canary_bakes_where_it_is_to_go_and_well() {
    bakes("w3", NOW - BAKE, &Doing::UpToDate, true);
    bakes("w3", NOW - BAKE + 1, &Doing::UpToDate, false);
    bakes("w2", 0, &Doing::UpToDate, false);
    bakes("w3", 0, &Doing::Rejoining { trouble: None }, false);
    bakes("w3", 0, &Doing::stopped("a clone"), false);
    let failure = Herd::new("w1 w2 w3", "web1@w2").fail("web1", "w3", "w3");
    bakes("w2", 0, &Doing::Failed(failure), false);
}

fn lag(host: &str) -> Lag {
    Lag { host: host.into(), at: None }
}

#[test]
fn a_canary_that_only_others_can_let_go_on_bakes() {
    let others = |hosts: &[&str]| {
        let lagging = hosts.iter().map(|host| lag(host)).collect();
        waiting(&Wait::Others { link: Link::new("w3", sha1("w3"), "web", Digest::of(b"w3")), lagging })
    };
    bakes("w2", 0, &others(&["web2", "db1"]), true);
    bakes("w2", NOW, &others(&["web2"]), false);
    bakes("w2", 0, &others(&["web2", "web1"]), false);
    let Doing::Waiting { why, on, key, .. } = others(&["web2"]) else { panic!("it waits") };
    bakes("w2", 0, &Doing::Waiting { why, on, key, overdue: true }, true);
    let follows = |hosts: &str, on: &[&str], doing: Doing, arrived: u64| {
        let mut herd = herd(hosts, &["web1"], Some(BAKE));
        since(&mut herd, "web1", 0, others(on));
        since(&mut herd, "web2", arrived, doing);
        goal(&herd.manifest, "web2", &herd.reports, herd.now) == Some(sha1("w3"))
    };
    let (there, well) = ("web1@w2 web2@w1", Doing::UpToDate);
    assert!(follows(there, &["web2"], well.clone(), NOW - BAKE));
    assert!(!follows(there, &["web2"], well.clone(), NOW - BAKE + 1), "the bake begins when web2 can't come further");
    assert!(!follows(there, &["web2"], Doing::waiting("for the next look"), 0), "nobody knows since when it is there");
    assert!(!follows("web1@w2 web2@-", &["web2"], well.clone(), 0), "web2 goes on by itself, and then web1 does");
    assert!(!follows(there, &["web2", "web9"], well, 0), "web9 has left the herd, and web1 will see that");
    let mut herd = herd("web1@w2 web2@w1", &["web1"], Some(BAKE));
    since(&mut herd, "web1", 0, others(&["web2"]));
    herd.reports.get_mut("web1").unwrap().in_service = false;
    assert_eq!(herd.plan("web2", true), "up to date", "it never was in load");
}

#[test]
fn a_canary_whose_wait_is_over_goes_on_and_has_not_passed() {
    let check = |hosts: &str, expect: bool| {
        let mut herd = Herd::new("w1 d2 w3<d", hosts);
        herd.manifest.target = Some(sha1("w1"));
        let canary = Canary { hosts: ["web1".to_owned()].into(), target: sha1("w3"), change: 5, bake: Some(BAKE) };
        herd.manifest.canary = Some(canary);
        herd.now = NOW;
        herd.reports.values_mut().for_each(|report| report.time = NOW);
        let link = herd.manifest.chain.get(sha1("w3")).unwrap().clone();
        since(&mut herd, "web1", 0, waiting(&Wait::Others { link, lagging: vec![lag("db1")] }));
        assert_eq!(goal(&herd.manifest, "web2", &herd.reports, herd.now) == Some(sha1("w3")), expect, "{hosts}");
    };
    check("web1@d2 web2@w1 db1@w1", true);
    check("web1@d2 web2@w1 db1@d2", false);
    check("web1@d2 web2@w1", false);
    check("web1@d2 web2@w1 db1@w1 db2@-", false);
}

#[test]
fn a_canary_that_waits_for_its_turn_has_shown_nothing() {
    let no_place = crate::pool::NoPlace::Full { limit: 1, holders: vec!["web2".into()] };
    bakes("w1", 0, &waiting(&Wait::Pool { role: "web".into(), no_place }), false);
    bakes("w1", 0, &waiting(&Wait::Window { roles: vec!["web".into()], opens: Some(NOW) }), false);
    bakes("w1", 0, &waiting(&Wait::Gate { role: "web".into(), why: "no answer".into() }), false);
    bakes("w1", 0, &Doing::waiting("for its next poll"), false);
}

#[test]
fn what_a_canary_did_before_it_heard_of_it_says_nothing() {
    let mut herd = herd("web1@w3 web2@w1", &["web1"], Some(BAKE));
    herd.reports.get_mut("web1").unwrap().accepted = Some(4);
    assert_eq!(herd.plan("web2", true), "up to date");
    herd.reports.get_mut("web1").unwrap().accepted = None;
    assert_eq!(herd.plan("web2", true), "up to date");
}

#[test]
fn time_before_a_canary_heard_of_it_does_not_count() {
    let mut herd = herd("web1@w3 web2@w1", &["web1"], Some(BAKE));
    herd.reports.get_mut("web1").unwrap().heard = NOW - BAKE + 1;
    assert_eq!(herd.plan("web2", true), "up to date");
    herd.now += 1;
    assert_eq!(herd.plan("web2", true), FOLLOWS);
}

#[test]
fn what_becomes_of_canaries_that_have_baked_takes_nothing_back() {
    let check = |says: &str, baked: Option<Baked>, expect: &str| {
        let mut herd = herd("web1@w3 web2@w1 web3@w1", &["web1"], Some(BAKE));
        herd.reports.get_mut("web1").unwrap().time = 0;
        herd.reports.get_mut(says).unwrap().baked = baked;
        assert_eq!(herd.plan("web2", true), expect, "{says} says {baked:?}");
    };
    let at = |change, at| Some(Baked { change, at });
    check("web1", None, "up to date");
    check("web1", at(5, 0), FOLLOWS);
    check("web3", at(5, NOW), FOLLOWS);
    check("web3", at(5, NOW + 1), "up to date");
    check("web3", at(4, NOW), "up to date");
}

#[test]
fn who_says_before_its_end_that_a_bake_is_over_is_not_believed() {
    let check = |time, expect: &str| {
        let mut herd = herd("web1@w1 web2@w1 web3@w1", &["web1"], Some(BAKE));
        let report = herd.reports.get_mut("web3").unwrap();
        (report.time, report.baked) = (time, Some(Baked { change: 5, at: NOW }));
        assert_eq!(herd.plan("web2", true), expect, "{time}");
    };
    check(NOW - 1, "up to date");
    check(NOW, FOLLOWS);
}

#[test]
fn the_last_of_several_canaries_counts() {
    let mut herd = herd("web1@w3 web2@w3 web3@w1", &["web1", "web2"], Some(BAKE));
    since(&mut herd, "web1", NOW - 2 * BAKE, Doing::UpToDate);
    since(&mut herd, "web2", NOW - BAKE + 9, Doing::UpToDate);
    assert_eq!(herd.plan("web3", true), "up to date");
    herd.now += 9;
    assert_eq!(herd.plan("web3", true), FOLLOWS);
    herd.reports.remove("web2");
    assert_eq!(herd.plan("web3", true), "up to date");
    herd.manifest.hosts.remove("web2");
    assert_eq!(herd.plan("web3", true), FOLLOWS);
}

#[test]
fn a_canary_that_drifted_or_fell_silent_has_not_passed() {
    let check = |time, drift: &[&str], follows| {
        let mut herd = herd("web1@w3 web2@w1", &["web1"], Some(BAKE));
        let drift = drift.iter().map(|spec| Drift {
            link: "w1".into(),
            role: None,
            spec: (*spec).to_owned(),
            error: "no".into(),
            since: NOW,
        });
        let report = herd.reports.get_mut("web1").unwrap();
        (report.time, report.drift) = (time, drift.collect());
        let expect = if follows { r#"leg to w3 claiming ["web"]"# } else { "up to date" };
        assert_eq!(herd.plan("web2", true), expect, "{time}");
    };
    check(NOW - 600, &[], true);
    check(NOW - 600, &["runs"], false);
    check(NOW - 900, &[], false);
}

#[test]
fn without_a_canary_left_nobody_follows() {
    let mut herd = herd("web1@w3 web2@w1", &["web1"], Some(BAKE));
    herd.manifest.hosts.remove("web1");
    assert_eq!(herd.plan("web2", true), "up to date");
}

#[test]
fn a_canary_of_whom_two_machines_report_has_not_passed() {
    let mut herd = herd("web1@w3 web2@w1", &["web1"], Some(BAKE));
    assert_eq!(herd.plan("web2", true), FOLLOWS);
    herd.reports.get_mut("web1").unwrap().contested = true;
    assert_eq!(herd.plan("web2", true), "up to date");
}
