//! Who waits for whom, and when no longer.

use super::*;
use crate::change::Waiver;

/// What `web1` does, in service.
fn check(chain: &str, hosts: &str, expect: &str) {
    assert_eq!(Herd::new(chain, hosts).plan("web1", true), expect, "{chain}, {hosts}");
}

const RUNS: &str = r#"leg to w4 claiming ["web"]"#;

#[test]
fn any_is_one_of_them() {
    let chain = "d1 d2 d3 w4<?d";
    check(chain, "web1@d3 db1@- db2@d1", "wait `w4` (7734000) waits for db1 at the start, db2 at `d1` (6431000)");
    check(chain, "web1@d3 db1@- db2@d3", RUNS);
    check(chain, "web1@d3 db1@w4 db2@-", RUNS);
    check(chain, "web1@d3", RUNS);
}

#[test]
fn a_number_is_so_many_of_them_or_all() {
    let chain = "d1 d2 d3 w4<2d";
    check(
        chain,
        "web1@d3 db1@d3 db2@d2 db3@-",
        "wait `w4` (7734000) waits for db2 at `d2` (6432000), db3 at the start",
    );
    check(chain, "web1@d3 db1@d3 db2@- db3@d3", RUNS);
    check(chain, "web1@d3 db1@d3", RUNS);
    check(chain, "web1@d3 db1@d2", "wait `w4` (7734000) waits for db1 at `d2` (6432000)");
}

#[test]
fn an_earlier_link_may_be_what_is_reached() {
    let chain = "d1 d2 d3 w4<d@d2";
    check(chain, "web1@d3 db1@d1", "wait `w4` (7734000) waits for db1 at `d1` (6431000)");
    check(chain, "web1@d3 db1@d2", RUNS);
    check(chain, "web1@d3 db1@d3", RUNS);
    check(chain, "web1@d3 db1@w4", RUNS);
    check("d1 d2 d3 w4<2d@d1", "web1@d3 db1@d1 db2@d2 db3@-", RUNS);
    check("d1 d2 d3 w4<?d@d2", "web1@d3 db1@d1 db2@d2", RUNS);
}

#[test]
fn one_s_own_role_is_the_others() {
    check("w1 w2 w3 w4<?w", "web1@w3 web2@w2", "wait `w4` (7734000) waits for web2 at `w2` (7732000)");
    check("w1 w2 w3 w4<2w@w1", "web1@w3 web2@w1 web3@w2 web4@-", RUNS);
    check("w1 w2 w3 w4<w", "web1@w3", RUNS);
}

#[test]
fn the_first_link_of_all_waits_for_nobody() {
    check("w1<d w2", "web1@- db1@-", r#"leg to w2 claiming ["web"]"#);
    check("w1<?d w2", "web1@- db1@?", r#"leg to w2 claiming ["web"]"#);
}

#[test]
fn a_leg_ends_before_each_kind_of_wait() {
    for wait in ["d", "?d", "2d", "d@d1", "?d@d1", "w"] {
        let chain = format!("d1 w2 w3 w4<{wait} w5");
        check(&chain, "web1@d1 web2@d1 db1@-", r#"leg to w3 claiming ["web"]"#);
        assert!(Herd::new(&chain, "web1@w3 web2@d1 db1@-").plan("web1", true).starts_with("wait `w4`"), "{chain}");
    }
    check("d1 w2 w3<?d w4", "web1@d1 db1@d1", r#"leg to w2 claiming ["web"]"#);
    check("d1 w2 w3<?d w4", "web1@d1 db1@w4", RUNS);
    check("d1 w2 w3<?d@d1 w4", "web1@d1 db1@d1", RUNS);
}

/// What `web1` does: in service, when it was never there, and when it was restored from a backup after it had announced
/// the last link.
fn catches_up(chain: &str, hosts: &str, in_service: &str, new: &str, restored: &str) {
    let mut herd = Herd::new(chain, hosts);
    assert_eq!(herd.plan("web1", true), in_service, "in service: {chain}, {hosts}");
    assert_eq!(herd.plan("web1", false), new, "new: {chain}, {hosts}");
    herd.announced = herd.manifest.target;
    assert_eq!(herd.plan("web1", true), restored, "restored: {chain}, {hosts}");
}

#[test]
fn who_catches_up_waits_passes_or_stops() {
    let waits = "wait `w3` (7733000) waits for db1 at the start";
    let stops = "stop `w3` (7733000) is not to be caught up on while it waits for db1 at the start; hint: it goes on once \
                 they are there; or `cargo xtask waive w3 db1 -m '…'`";
    let (new, out) = ("leg to w3 claiming []", r#"leg to w3 claiming ["web"]"#);
    let hosts = "web1@w2 web2@w3 db1@-";
    catches_up("w1 w2 w3<d", hosts, waits, waits, waits);
    catches_up("w1 w2 w3<d+", hosts, waits, new, out);
    catches_up("w1 w2 w3<d!", hosts, waits, stops, stops);
    let two = "stop `w3` (7733000) is not to be caught up on while it waits for db1 at the start, db2 at the start; hint: \
               it goes on once they are there; or, for each of them, `cargo xtask waive w3 db1 -m '…'`";
    let herd = Herd::new("w1 w2 w3<d!", "web1@w2 web2@w3 db1@- db2@-");
    assert_eq!(herd.plan("web1", false), two);
    let reached = "web1@w2 web2@w3 db1@w2";
    catches_up("w1 w2 w3<d+", reached, out, new, out);
    catches_up("w1 w2 w3<d!", reached, out, new, out);
}

#[test]
fn a_new_host_catches_up_only_on_what_another_of_the_role_has_behind_it() {
    let waits = "wait `w3` (7733000) waits for db1 at the start";
    follows("w1 w2 w3<d+", "web1@w2 web2@w2 db1@-", waits);
    follows("w1 w2 w3<d!", "web1@w2 web2@w2 db1@-", waits);
    follows("w1 w2 w3<d+", "web1@w2 lb1@w3 db1@-", waits);
    let mut herd = Herd::new("w1 w2 w3<d+", "web1@w2 web2@w3 db1@-");
    herd.reports.get_mut("web2").unwrap().in_service = false;
    assert_eq!(herd.plan("web1", false), waits);
}

#[test]
fn a_restored_host_catches_up_no_further_than_it_had_come() {
    let mut herd = Herd::new("w1 w2<d+ w3<d+", "web1@w1 web2@w3 db1@-");
    herd.announced = Some(sha1("w2"));
    assert_eq!(herd.plan("web1", true), r#"leg to w2 claiming ["web"]"#);
}

#[test]
fn a_leg_ends_before_what_stops_a_host_that_catches_up() {
    let mut herd = Herd::new("w1 w2 w3<d! w4", "web1@w1 db1@-");
    herd.announced = Some(sha1("w4"));
    assert_eq!(herd.plan("web1", true), r#"leg to w2 claiming ["web"]"#);
}

#[test]
fn a_wait_that_nobody_here_knows_never_holds() {
    let waits = "wait for the runner that has `w2` (7732000)";
    for hosts in ["web1@w1 db1@w1", "web1@w1"] {
        let mut herd = Herd::new("w1 w2", hosts);
        let mut links = herd.manifest.chain.links().to_vec();
        links[1].wait = Some(LinkWait::new(Who::Other(serde_json::json!({ "unless": "rain" }).into())));
        herd.manifest.chain = Chain::new(links).unwrap();
        assert_eq!(herd.plan("web1", true), waits);
        assert_eq!(herd.plan("web1", false), waits);
    }
}

#[test]
fn who_is_waived_is_not_waited_for() {
    let waived = |chain: &str, link: &str, host: &str, expect: &str| {
        let mut herd = Herd::new(chain, "web1@d3 db1@d3 db2@-");
        herd.manifest.waived = vec![Waiver { change: 6, link: sha1(link), host: host.into() }];
        assert_eq!(herd.plan("web1", true), expect, "{chain} without {host} for {link}");
    };
    let waits = "wait `w4` (7734000) waits for db2 at the start";
    waived("d1 d2 d3 w4<d", "w4", "db2", RUNS);
    waived("d1 d2 d3 w4<2d", "w4", "db2", RUNS);
    waived("d1 d2 d3 w4<d", "w4", "db1", waits);
    waived("d1 d2 d3 w4<d", "d3", "db2", waits);
    let mut herd = Herd::new("d1 d2 d3 w4<?d", "web1@d3 db1@- db2@-");
    let waiver = |host: &str| Waiver { change: 6, link: sha1("w4"), host: host.into() };
    herd.manifest.waived = vec![waiver("db1")];
    assert_eq!(herd.plan("web1", true), waits, "who is waived is not one of those that are there");
    herd.manifest.waived.push(waiver("db2"));
    assert_eq!(herd.plan("web1", true), RUNS);
}

#[test]
fn who_is_gone_from_the_herd_is_not_waited_for() {
    let mut herd = Herd::new("d1 d2 d3 w4<d", "web1@d3 db1@d3 db2@-");
    herd.manifest.hosts.get_mut("db2").unwrap().identity = None;
    assert_eq!(herd.plan("web1", true), RUNS);
}

#[test]
fn who_was_restored_is_waited_for_where_it_is_now() {
    let mut herd = Herd::new("d1 d2 d3 w4<d", "web1@d3 db1@d3");
    assert_eq!(herd.plan("web1", true), RUNS);
    herd.reports.get_mut("db1").unwrap().state = Some(sha1("d1"));
    assert_eq!(herd.plan("web1", true), "wait `w4` (7734000) waits for db1 at `d1` (6431000)");
}

#[test]
fn a_wait_in_code_is_judged_like_one_in_an_attribute() {
    let check = |wait: &str, expect: &str| {
        let herd = Herd::new("d1 w2 w3", "web1@w2 web2@d1 db1@w2 db2@-");
        let lagging = lagging_for(&herd.manifest, &herd.reports, "web1", &wait.parse().unwrap(), sha1("w3"));
        let said: Vec<String> = lagging.iter().map(|lag| lag.host.clone()).collect();
        assert_eq!(said.join(" "), expect, "{wait}");
    };
    check(r#"all("web")"#, "web2");
    check(r#"all("web", reached("d1"))"#, "");
    check(r#"all("database")"#, "db2");
    check(r#"any("database")"#, "");
    check(r#"count("database", 3)"#, "db2");
}
