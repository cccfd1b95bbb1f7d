//! Statuses of herds over plain data. A host is written `web4@3 failed`: at the third link, with what it does.

use std::collections::BTreeSet;

use uuid::Uuid;
use wb_core::chain::{Chain, Digest, Link, Sha1};
use wb_core::change::{Canary, Hold, HostManifest, Identity, Manifest, Release, Retired, RolePolicy, Waiver, Whom};
use wb_core::context::MaxOut;
use wb_core::plan::{Lag, Wait};
use wb_core::pool::Claim;
use wb_core::report::{Doing, Drift, Failure, Report};

use super::*;
use crate::retry;
use crate::shell::Canvas;

pub(super) const NOW: u64 = 1_000_090;

/// What a status of tests is made of.
pub(super) struct Herd {
    pub(super) known: Known,
    pub(super) newcomers: BTreeSet<String>,
}

pub(super) fn link(n: u8) -> Link {
    let name = ["base_packages", "install_nginx", "second_page"][usize::from(n) - 1].to_owned();
    Link::new(name, Sha1::from_bytes([n; 20]), "web", Digest::of(&[n]))
}

fn failure(host: &HostManifest) -> Failure {
    let Link { sha1, name, digest, .. } = link(3);
    let settings = wb_core::plan::settings_digest(host);
    Failure { link: sha1, name, digest, settings, error: "nginx -t\nsays no".into() }
}

fn hold() -> Hold {
    Hold { whom: Whom::Role("web".into()), change: 4, why: "the shop is full".into() }
}

fn doing(word: &str, host: &HostManifest) -> Doing {
    match word {
        "runs" => Doing::Running { link: "second_page".into() },
        "waits" => Doing::Waiting {
            why: "for a place in the pool of web: 1 of 1 out already: web2".into(),
            on: vec!["web2".into()],
            key: "pool web".into(),
            overdue: false,
        },
        "overdue" => Doing::Waiting { why: "x".into(), on: vec!["web2".into()], key: "others".into(), overdue: true },
        "held" => {
            let wait = Wait::Held(hold());
            Doing::Waiting { why: wait.to_string(), on: wait.on(), key: wait.key(), overdue: false }
        }
        "failed" => Doing::Failed(failure(host)),
        "stopped" => Doing::stopped("the state 0909090 is not in the chain"),
        "missed" => Doing::Stopped { why: "`second_page` waits for web2".into(), on: vec!["web2".into()] },
        "rejoins" => Doing::Rejoining { trouble: Some("no answer".into()) },
        "reboots" => Doing::Rebooting { link: "second_page".into(), trouble: None },
        "enrolled" => Doing::Enrolled,
        _ => Doing::UpToDate,
    }
}

impl Herd {
    /// Hosts of the role web, told to reach the third of three links by change 4. `web9` was not admitted, and a host
    /// without a place has no report.
    pub(super) fn new(hosts: &[&str]) -> Self {
        let manifest = Manifest {
            number: 4,
            chain: Chain::new(vec![link(1), link(2), link(3)]).unwrap(),
            target: Some(link(3).sha1),
            roles: [("web".to_owned(), RolePolicy::new(MaxOut::Hosts(1)))].into(),
            ..Manifest::default()
        };
        let mut herd = Self { known: Known { manifest, now: NOW, ..Known::default() }, newcomers: BTreeSet::new() };
        hosts.iter().enumerate().for_each(|(n, host)| herd.add(host, n as u128 + 1));
        herd
    }

    fn add(&mut self, host: &str, n: u128) {
        let (place, word) = host.split_once(' ').unwrap_or((host, ""));
        let (name, at) = place.split_once('@').map_or((place, None), |(name, at)| (name, Some(at)));
        let identity = (name != "web9").then(|| Identity { uuid: Uuid::from_u128(n), key: String::new() });
        let host = HostManifest { roles: ["web".to_owned()].into(), identity, ..HostManifest::default() };
        if let Some(at) = at {
            self.known.reports.insert(name.to_owned(), report(at.parse().ok(), doing(word, &host)));
        }
        self.known.manifest.hosts.insert(name.to_owned(), host);
    }

    pub(super) fn report(&mut self, host: &str) -> &mut Report {
        self.known.reports.get_mut(host).unwrap()
    }

    pub(super) fn drift(&mut self, host: &str, specs: &[&str]) {
        let drift = |spec: &&str| Drift {
            link: "install_nginx".into(),
            role: None,
            spec: (*spec).to_owned(),
            error: "not running".into(),
            since: NOW - 7_300,
        };
        self.report(host).drift = specs.iter().map(drift).collect();
    }

    pub(super) fn claim(&mut self, host: &str, since: u64) -> Uuid {
        let uuid = self.known.manifest.hosts.get(host).and_then(|host| Some(host.identity.as_ref()?.uuid));
        let nonce = Uuid::from_u128(u128::from(since));
        let claim = Claim { host: host.into(), uuid: uuid.unwrap_or(Uuid::from_u128(99)), nonce, since };
        self.known.pools.entry("web".into()).or_default().holders.push(claim);
        nonce
    }

    pub(super) fn status(&self) -> HerdStatus {
        HerdStatus::of(&self.known, self.newcomers.clone())
    }
}

fn report(state: Option<u8>, doing: Doing) -> Report {
    let link = state.filter(|n| *n < 4).map(|n| link(n).name);
    let state = state.map(|n| Sha1::from_bytes([n; 20]));
    Report { time: 1_000_000, link, accepted: Some(4), since: 999_490, ..retry::tests::report(state, doing) }
}

/// A herd in which much is going on.
pub(super) fn eventful() -> Herd {
    let mut herd = Herd::new(&[
        "web1@3",
        "web2@2 runs",
        "web3@2 waits",
        "web4@2 failed",
        "web5@9 stopped",
        "web6@- rejoins",
        "web7",
        "web8@3 stopped",
        "web9",
        "weba@3",
        "webb@2 waits",
        "webc@2 held",
        "webd@2 overdue",
        "webe@2 enrolled",
    ]);
    herd.report("web1").by_hand = vec![link(3).sha1];
    herd.report("web8").contested = true;
    herd.drift("weba", &["nginx_runs", "port_is_open"]);
    herd.report("webb").time = 990_000;
    herd.known.manifest.roles.insert("web".into(), RolePolicy::new(MaxOut::Hosts(2)));
    herd.claim("web2", 999_000);
    herd.claim("webb", 990_000);
    let freed = herd.claim("web4", 998_000);
    herd.claim("web0", 997_000);
    herd.known.manifest.released.push(Release { change: 3, host: "web4".into(), nonce: freed });
    herd.known.manifest.holds.push(hold());
    herd.known.manifest.waived.push(Waiver { change: 2, link: link(3).sha1, host: "web6".into() });
    herd.known.manifest.waived.push(Waiver { change: 2, link: link(3).sha1, host: "web1".into() });
    herd.newcomers.extend(["web9".to_owned(), "web1".to_owned()]);
    herd
}

fn on(width: usize) -> Canvas {
    Canvas { width: Some(width), ..Canvas::default() }
}

#[test]
fn every_host_says_where_it_is_and_why() {
    let status = eventful().status();
    insta::assert_snapshot!(status.text());
    assert_eq!(status.failed().collect::<Vec<_>>(), [("web4", "second_page")]);
}

#[test]
fn on_a_narrow_terminal_what_there_is_to_say_stands_below() {
    let status = Herd::new(&["web1@3", "web2@2 runs", "web3@2 waits", "web4@2 failed"]).status();
    insta::assert_snapshot!(format!("{}--\n{}", status.page(false, &on(80)), status.page(false, &on(60))));
}

#[test]
fn of_a_large_herd_those_that_are_well_are_counted() {
    let names: Vec<String> = (0..100).map(|n| format!("web{n:03}@3{}", if n == 70 { " failed" } else { "" })).collect();
    let status = Herd::new(&names.iter().map(String::as_str).collect::<Vec<_>>()).status();
    let page = status.page(false, &on(160));
    insta::assert_snapshot!(page);
    assert_eq!(status.page(true, &on(160)).lines().count(), page.lines().count() + 98);
}

#[test]
fn canaries_say_how_long_they_bake() {
    let mut herd = Herd::new(&["web1@3", "web2@2", "web3@1"]);
    herd.known.manifest.target = Some(link(2).sha1);
    let hosts = ["web1".to_owned(), "web3".to_owned()].into();
    herd.known.manifest.canary = Some(Canary { hosts, target: link(3).sha1, change: 0, bake: Some(3600) });
    let mut told = vec![herd.status().text()];
    herd.report("web3").state = Some(link(3).sha1);
    told.push(herd.status().text());
    herd.known.manifest.canary.as_mut().unwrap().bake = None;
    told.push(herd.status().text());
    herd.known.manifest.canary.as_mut().unwrap().bake = Some(60);
    told.push(herd.status().text());
    insta::assert_snapshot!(told.join("--\n"));
}

#[test]
fn a_canary_that_is_past_what_everyone_is_told_is_counted_whatever_it_waits_for() {
    let check = |hosts: &[&str], expect: &str| {
        let mut herd = Herd::new(hosts);
        herd.known.manifest.target = Some(link(1).sha1);
        let hosts = ["web1".to_owned()].into();
        herd.known.manifest.canary = Some(Canary { hosts, target: link(3).sha1, change: 0, bake: None });
        assert_eq!(herd.status().summary(), format!("change 4: {expect}"));
    };
    check(&["web1@2 waits", "web2@-"], "1 of 2 hosts are at `base_packages` (0101010)");
    check(&["web1@2 runs", "web2@-"], "1 of 2 hosts are at `base_packages` (0101010)");
    check(&["web1@- waits", "web2@1"], "1 of 2 hosts are at `base_packages` (0101010)");
    check(&["web1@2 failed", "web2@1"], "1 of 2 hosts are at `base_packages` (0101010)");
    let all = "2 of 2 hosts are at `base_packages` (0101010)";
    check(&["web1@2 waits", "web2@1"], &format!("{all}, and the canaries are to go further"));
    check(&["web1@3", "web2@1"], &format!("{all}, and the canaries are ahead of it"));
}

#[test]
fn who_keeps_from_a_link_that_failed_elsewhere_waits_for_those_on_which_it_failed() {
    let check = |hosts: &[&str], expect: &[&str]| {
        let mut herd = Herd::new(hosts);
        let wait = Wait::FailedElsewhere { hosts: vec!["web2".into()], link: link(3) };
        herd.report("web1").doing =
            Doing::Waiting { why: wait.to_string(), on: wait.on(), key: wait.key(), overdue: false };
        let status = herd.status();
        assert_eq!(status.hosts[0].waits_for, expect, "{hosts:?}");
        assert_eq!(status.hosts[0].phase, Phase::Waiting);
    };
    check(&["web1@2", "web2@2 failed", "web3@2"], &["web2"]);
    check(&["web1@2", "web2@2 failed", "web3@2 failed"], &["web2", "web3"]);
    check(&["web1@2", "web2@2", "web3@2"], &[]);
}

fn keeps(herd: &Herd, waits_for: &[&str], detail: &str) {
    let status = herd.status();
    assert_eq!(status.hosts[0].waits_for, waits_for);
    assert_eq!(status.hosts[0].detail, detail);
}

#[test]
fn who_has_the_places_in_a_pool_is_told_by_the_pool() {
    let mut herd = Herd::new(&["web1@2 waits", "web2@3", "web4@2 runs"]);
    let said = "for a place in the pool of web: 1 of 1 out already: web2";
    keeps(&herd, &["web2"], said);
    herd.claim("web4", 999_000);
    keeps(&herd, &["web4"], "for a place in the pool of web: 1 of 1 out already: web4");
    let outline = herd.status().hosts[0].outline();
    assert_eq!(outline, format!("at `install_nginx` (0202020), waiting: {said}"), "it has said nothing new");
    herd.known.manifest.roles.insert("web".into(), RolePolicy::new(MaxOut::Hosts(2)));
    keeps(&herd, &["web2"], said);
}

#[test]
fn who_is_still_to_come_is_told_by_the_others() {
    let mut herd = Herd::new(&["web1@2", "web2@2", "web3@1", "web4@1"]);
    let mut links = herd.known.manifest.chain.links().to_vec();
    links[2].wait = Some("all(\"web\")".parse().unwrap());
    let lagging = ["web2", "web3", "web4"].map(|host| Lag { host: host.to_owned(), at: None }).into();
    let wait = Wait::Others { link: links[2].clone(), lagging };
    herd.known.manifest.chain = Chain::new(links).unwrap();
    herd.report("web1").doing =
        Doing::Waiting { why: wait.to_string(), on: wait.on(), key: wait.key(), overdue: false };
    let waits = |for_whom: &str| format!("`second_page` (0303030) waits for {for_whom}");
    let (web3, web4) = ("web3 at `base_packages` (0101010)", "web4 at `base_packages` (0101010)");
    keeps(&herd, &["web3", "web4"], &waits(&format!("{web3}, {web4}")));
    herd.known.manifest.waived.push(Waiver { change: 2, link: link(3).sha1, host: "web3".into() });
    keeps(&herd, &["web4"], &waits(web4));
    herd.report("web4").state = Some(link(2).sha1);
    let said = waits("web2 at the start, web3 at the start, web4 at the start");
    keeps(&herd, &["web2", "web3", "web4"], &said);
}

#[test]
fn for_whom_code_waits_by_its_own_reckoning_only_the_host_knows() {
    let mut herd = Herd::new(&["web1@2", "web2@3"]);
    let lagging = vec![Lag { host: "web2".into(), at: None }];
    let wait = Wait::Others { link: link(3), lagging };
    herd.report("web1").doing =
        Doing::Waiting { why: wait.to_string(), on: wait.on(), key: wait.key(), overdue: false };
    keeps(&herd, &["web2"], "`second_page` (0303030) waits for web2 at `second_page` (0303030)");
}

#[test]
fn who_stands_in_herd_toml_only_is_named_with_what_brings_it_in() {
    let check = |hosts: &[&str], unannounced: &[&str], expect: Option<&str>| {
        let mut herd = Herd::new(&["web1@3"]);
        herd.newcomers.extend(["web2".to_owned()]);
        let text: String = hosts.iter().map(|host| format!("[hosts.{host}]\nroles = [\"web\"]\n")).collect();
        let status = herd.status().beside(&wb_core::herd::Herd::parse(&text).unwrap());
        assert_eq!(status.unannounced.iter().collect::<Vec<_>>(), unannounced);
        let text = status.text();
        assert_eq!(text.lines().find_map(|line| line.strip_prefix("note: ")), expect);
        assert_eq!(status.verdict, Verdict::Settled);
    };
    check(&["web1"], &[], None);
    check(&["web1", "web2"], &["web2"], None);
    let enroll = "the machine: wildebeest enroll --name web3 …, then cargo xtask host admit web3";
    let web3 = format!("web3 stands in herd.toml only; next: on {enroll}");
    check(&["web1", "web2", "web3"], &["web2", "web3"], Some(&web3));
    let both = format!("web3, web4 stand in herd.toml only; next: for each, as for the first: on {enroll}");
    check(&["web1", "web3", "web4"], &["web3", "web4"], Some(&both));
}

#[test]
fn hosts_say_what_they_do_in_the_same_words() {
    let check = |word: &str, expect: &str| {
        let mut herd = Herd::new(&[&*format!("web1@2 {word}")]);
        let said = herd.report("web1").doing.word();
        assert_eq!((said, herd.status().hosts[0].phase.name()), (expect, expect));
    };
    check("", "up to date");
    check("runs", "running");
    check("waits", "waiting");
    check("overdue", "overdue");
    check("held", "held");
    check("failed", "failed");
    check("stopped", "stopped");
    check("rejoins", "rejoining");
    check("reboots", "rebooting");
    check("enrolled", "enrolled");
}

#[test]
fn settled_is_only_a_herd_that_is_all_there_and_well() {
    let check = |hosts: &[&str], expect| {
        let status = Herd::new(hosts).status();
        assert_eq!((status.verdict, status.settled), (expect, expect == Verdict::Settled), "{hosts:?}");
    };
    check(&["web1@3"], Verdict::Settled);
    check(&["web1@2"], Verdict::OnItsWay);
    check(&["web1@9"], Verdict::OnItsWay);
    check(&["web1@3 rejoins"], Verdict::OnItsWay);
    check(&["web1@3", "web7"], Verdict::OnItsWay);
    check(&["web1@3", "web2@2 overdue"], Verdict::OnItsWay);
    check(&["web1@3 stopped"], Verdict::NeedsPeople);
    check(&["web1@3", "web2@2 failed"], Verdict::NeedsPeople);
    check(&["web1@3", "web2@2 held"], Verdict::NeedsPeople);
    check(&["web1@3", "web9"], Verdict::NeedsPeople);
}

#[test]
fn a_herd_is_settled_only_when_all_have_heard_the_newest_change() {
    let mut herd = Herd::new(&["web1@3", "web2@3"]);
    assert_eq!(herd.status().verdict, Verdict::Settled);
    herd.known.manifest.number = 5;
    herd.report("web1").accepted = Some(5);
    let status = herd.status();
    assert_eq!((status.verdict, status.hosts[1].heard), (Verdict::OnItsWay, false));
    let summary =
        "change 5: 2 of 2 hosts are at `second_page` (0303030), 1 of them without having heard of this change yet";
    assert_eq!(status.summary(), summary);
    herd.report("web2").accepted = Some(6);
    assert_eq!(herd.status().verdict, Verdict::Settled, "another operator may be ahead of this one");
}

#[test]
fn who_is_stopped_and_accepts_nothing_needs_people() {
    let mut herd = Herd::new(&["web1@2 stopped"]);
    (herd.known.manifest.number, herd.known.manifest.time) = (5, 1_000_000);
    let check = |herd: &Herd, expect| assert_eq!(herd.status().hosts[0].needs_people, expect);
    check(&herd, false);
    herd.report("web1").time = 1_000_060;
    check(&herd, false);
    herd.report("web1").time = 1_000_061;
    check(&herd, true);
}

#[test]
fn what_was_seen_too_long_ago_is_unknown() {
    let mut herd = Herd::new(&["web1@3"]);
    let mut check = |now, expect: (Verdict, Phase, bool, Option<u64>)| {
        herd.known.now = now;
        let status = herd.status();
        let host = &status.hosts[0];
        assert_eq!((status.verdict, host.phase, host.healthy, host.since), expect, "{now}");
    };
    check(1_000_720, (Verdict::Settled, Phase::UpToDate, true, Some(999_490)));
    check(1_000_721, (Verdict::OnItsWay, Phase::Unknown, false, Some(1_000_720)));
    check(900_000, (Verdict::OnItsWay, Phase::Unknown, false, None));
}

#[test]
fn drift_is_not_settled_and_shows_beside_what_a_host_does() {
    let mut herd = Herd::new(&["web1@3", "web2@2 waits"]);
    herd.drift("web1", &["nginx_runs"]);
    herd.drift("web2", &["nginx_runs"]);
    let status = herd.status();
    let seen = |host: &HostStatus| (host.phase, host.healthy, host.needs_people, host.since);
    assert_eq!(seen(&status.hosts[0]), (Phase::Drifted, false, true, Some(NOW - 7_300)));
    assert_eq!(seen(&status.hosts[1]), (Phase::Waiting, false, false, Some(999_490)));
    assert!(status.hosts[1].detail.ends_with("web2; spec `nginx_runs` of `install_nginx`: not running"));
}

#[test]
fn who_has_not_heard_the_newest_word_may_still_go_on() {
    let mut herd = Herd::new(&["web1@2 failed", "web2@2 stopped"]);
    assert!(herd.status().hosts.iter().all(|host| host.needs_people));
    (herd.known.manifest.number, herd.known.manifest.time) = (5, 1_000_000);
    assert!(!herd.status().hosts.iter().any(|host| host.needs_people));
    for host in ["web1", "web2"] {
        herd.report(host).accepted = Some(5);
    }
    herd.known.manifest.hosts.get_mut("web1").unwrap().retry = 5;
    let needs: Vec<_> = herd.status().hosts.iter().map(|host| host.needs_people).collect();
    assert_eq!(needs, [false, true], "the first one is about to try again");
}

#[test]
fn a_pending_canary_is_not_settled() {
    let check = |hosts: &[&str], bake, expect| {
        let mut herd = Herd::new(hosts);
        herd.known.manifest.target = Some(link(2).sha1);
        herd.known.manifest.canary =
            Some(Canary { hosts: ["web1".to_owned()].into(), target: link(3).sha1, change: 0, bake });
        let status = herd.status();
        assert_eq!((status.verdict, status.canary.is_some()), expect, "{hosts:?}");
    };
    check(&["web1@2", "web2@2"], None, (Verdict::OnItsWay, true));
    check(&["web1@3", "web2@2"], None, (Verdict::NeedsPeople, true));
    check(&["web1@3", "web2@2"], Some(3600), (Verdict::OnItsWay, true));
    check(&["web1@3", "web2@2"], Some(60), (Verdict::OnItsWay, false));
    check(&["web1@3", "web2@3"], Some(60), (Verdict::Settled, false));
    check(&["web2@3"], Some(60), (Verdict::NeedsPeople, true));
}

#[test]
fn only_links_that_the_host_will_run_are_before_it() {
    let check = |host: &str, roles: &[&str], expect| {
        let mut herd = Herd::new(&[host]);
        herd.known.manifest.hosts.get_mut("web1").unwrap().roles =
            roles.iter().map(|role| (*role).to_owned()).collect();
        herd.known.manifest.retired.push(Retired { uuid: Uuid::from_u128(3), name: "web3".into(), change: 3 });
        let status = herd.status();
        assert_eq!((status.hosts[0].behind, status.hosts.len()), (expect, 1), "{roles:?}");
        assert_eq!(status.retired, ["web3"]);
    };
    check("web1@1", &["web"], Some(2));
    check("web1@1", &["database"], Some(0));
    check("web1@-", &["database", "web"], Some(3));
    check("web1@9", &["database"], None);
}

#[test]
fn a_herd_that_was_told_nothing_is_not_settled() {
    let status = HerdStatus::of(&Known::default(), BTreeSet::new());
    assert_eq!((status.settled, status.summary().as_str()), (false, "the herd was told nothing yet"));
}

#[test]
fn a_runner_that_nobody_tested_is_told_and_hinders_nobody() {
    let mut herd = Herd::new(&["web1@3"]);
    let check = |herd: &Herd, expect: bool| {
        let status = herd.status();
        assert_eq!(status.text().lines().any(|line| line.starts_with("untested: ")), expect, "{}", status.text());
        assert_eq!((status.untested, status.verdict), (expect, Verdict::Settled));
    };
    check(&herd, false);
    herd.known.manifest.untested = true;
    check(&herd, true);
}

#[test]
fn programs_get_all_of_it() {
    let mut herd = Herd::new(&["web4@2 failed"]);
    herd.drift("web4", &["nginx_runs"]);
    herd.claim("web4", 999_000);
    herd.known.manifest.holds.push(hold());
    herd.known.manifest.waived.push(Waiver { change: 2, link: link(3).sha1, host: "web4".into() });
    let hosts = ["web4".to_owned()].into();
    herd.known.manifest.canary = Some(Canary { hosts, target: link(3).sha1, change: 0, bake: Some(3600) });
    insta::assert_snapshot!(serde_json::to_string_pretty(&herd.status()).unwrap());
}
