//! Plans over plain data. A chain is written `w1 d2 w3<d w4`: links of the roles web and database, the third waiting
//! for all hosts of the role database; `<?d` waits for any of them, `<2d` for two, `<d@d1` for all to reach `d1`, and `<d+`
//! and `<d!` are passed by hosts that catch up, or stop these. `~w2` is run in load. `w4=w1..w3` is a baseline that stands
//! for the links of the role web from `w1` to `w3`, and `-w1` a link whose code is gone. Hosts are written `web1@w3`; a
//! host of these tests ran all links of its role up to there, or, as in `web1@w5:w4+w5`, the ones that are named.

mod canaries;
mod turns;
mod waits;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::agent::phase::{Event, Held, Leg, Phase};
use crate::agent::{How, Record};
use crate::chain::{Range, Wait as LinkWait, Who};
use crate::change::{Adoption, Canary, FullRunners, Identity, RolePolicy, Runner};
use crate::context::MaxOut;
use crate::report::{Incarnation, serving};

const SHORT: [(char, &str); 3] = [('w', "web"), ('d', "database"), ('l', "load_balancer")];

fn role(letter: char) -> String {
    SHORT.iter().find(|(short, _)| *short == letter).unwrap().1.to_owned()
}

fn chain(text: &str) -> Chain {
    let link = |word: &str| {
        let (gone, word) = word.strip_prefix('-').map_or((false, word), |word| (true, word));
        let (in_load, word) = word.strip_prefix('~').map_or((false, word), |word| (true, word));
        let (word, range) = word.split_once('=').map_or((word, None), |(word, range)| (word, range.split_once("..")));
        let replaces = range.map(|(from, to)| Range { from: sha1(from), to: sha1(to) });
        let name = word.split('<').next().unwrap().to_owned();
        let wait = word.split('<').nth(1).map(wait);
        let (role, digest) = (role(name.chars().next().unwrap()), Digest::of(name.as_bytes()));
        Link { wait, in_load, replaces, gone, ..Link::new(&name, sha1(&name), role, digest) }
    };
    Chain::new(text.split_whitespace().map(link).collect()).unwrap()
}

fn wait(text: &str) -> LinkWait {
    let catchups = [('+', OnCatchup::Pass), ('!', OnCatchup::Fail)];
    let (text, on_catchup) = catchups
        .into_iter()
        .find_map(|(sign, on_catchup)| Some((text.strip_suffix(sign)?, on_catchup)))
        .unwrap_or((text, OnCatchup::Wait));
    let (who, reached) = text.split_once('@').map_or((text, None), |(who, link)| (who, Some(link.to_owned())));
    let (sign, role) = (who.chars().next().unwrap(), role(who.chars().last().unwrap()));
    let who = match sign {
        '?' => Who::Any { role },
        '1'..='9' => Who::Count { role, hosts: sign.to_digit(10).unwrap() },
        _ => Who::All { role },
    };
    LinkWait { reached, on_catchup, ..LinkWait::new(who) }
}

fn sha1(name: &str) -> Sha1 {
    let mut bytes = [0; 20];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    Sha1::from_bytes(bytes)
}

struct Herd {
    manifest: Manifest,
    reports: BTreeMap<String, Report>,
    pools: BTreeMap<String, Pool>,
    damaged: BTreeMap<String, String>,
    /// What hosts have behind them, by host.
    past: BTreeMap<String, Past>,
    /// What the herd knew of the host that plans before it was restored.
    announced: Option<Sha1>,
    now: u64,
}

impl Herd {
    /// A herd at this chain; hosts are `name@link`, their role told by the first letter of the name.
    fn new(text: &str, hosts: &str) -> Self {
        let chain = chain(text);
        let manifest = Manifest { number: 5, target: chain.tip().map(|link| link.sha1), chain, ..Manifest::default() };
        let mut herd = Self {
            manifest,
            reports: BTreeMap::new(),
            pools: BTreeMap::new(),
            damaged: BTreeMap::new(),
            past: BTreeMap::new(),
            announced: None,
            now: 0,
        };
        for (index, host) in hosts.split_whitespace().enumerate() {
            let (name, at) = host.split_once('@').unwrap();
            herd.add(name, at, index as u128 + 1);
        }
        herd
    }

    fn add(&mut self, name: &str, at: &str, n: u128) {
        let identity = Identity { uuid: Uuid::from_u128(n), key: "key".into() };
        let roles = [role(name.chars().next().unwrap())].into();
        let host = HostManifest { roles, identity: Some(identity), ..HostManifest::default() };
        self.manifest.hosts.insert(name.into(), host);
        let (at, begun) = at.split_once(':').map_or((at, None), |(at, begun)| (at, Some(begun)));
        let begun = match begun {
            Some(begun) => begun.split('+').map(sha1).collect(),
            None => self.behind(name, at),
        };
        self.past.insert(name.into(), Past { begun, ..Past::default() });
        if at != "?" {
            self.reports.insert(name.into(), report(name, at, n));
        }
    }

    /// All links of a host's role up to `at`.
    fn behind(&self, name: &str, at: &str) -> BTreeSet<Sha1> {
        let links = self.manifest.chain.links();
        let behind = links.iter().position(|link| link.name == at).map_or(0, |place| place + 1);
        links[..behind].iter().filter(|link| link.name.starts_with(&name[..1])).map(|link| link.sha1).collect()
    }

    fn uuid(&self, name: &str) -> Uuid {
        self.manifest.hosts[name].identity.as_ref().unwrap().uuid
    }

    fn hold(&mut self, name: &str) {
        let host = &self.manifest.hosts[name];
        for role in &host.roles {
            let claim = Claim { host: name.into(), uuid: self.uuid(name), nonce: Uuid::nil(), since: 0 };
            self.pools.entry(role.clone()).or_default().holders.push(claim);
        }
    }

    fn fail(&mut self, name: &str, link: &str, digest: &str) -> Failure {
        let settings = settings_digest(&self.manifest.hosts[name]);
        let digest = Digest::of(digest.as_bytes());
        let failure = Failure { link: sha1(link), name: link.into(), digest, settings, error: "no".into() };
        self.reports.get_mut(name).unwrap().doing = Doing::Failed(failure.clone());
        failure
    }

    fn plan(&self, name: &str, in_service: bool) -> String {
        let state = self.reports.get(name).and_then(|report| report.state);
        self.plan_at(&self.reports, name, state, in_service)
    }

    fn plan_at(&self, reports: &BTreeMap<String, Report>, name: &str, state: Option<Sha1>, in_service: bool) -> String {
        said(&self.situated(reports, name, state, in_service, plan))
    }

    /// How far a host goes on that could not come back into load.
    fn goes_on(&self, name: &str, in_service: bool) -> Option<String> {
        let state = self.reports.get(name).and_then(|report| report.state);
        self.situated(&self.reports, name, state, in_service, goes_on).map(|link| link.name)
    }

    fn situated<T>(
        &self,
        reports: &BTreeMap<String, Report>,
        name: &str,
        state: Option<Sha1>,
        in_service: bool,
        ask: impl FnOnce(&Situation<'_>) -> T,
    ) -> T {
        ask(&Situation {
            manifest: Some(&self.manifest),
            uuid: self.manifest.hosts.get(name).map_or(Uuid::nil(), |_| self.uuid(name)),
            state,
            past: self.past.get(name).unwrap_or(&Past::default()),
            announced: self.announced,
            in_service,
            compiled: &self.manifest.chain,
            reports,
            serving: &serving(&self.reports),
            pools: &self.pools,
            damaged: &self.damaged,
            now: self.now,
        })
    }
}

fn report(name: &str, at: &str, n: u128) -> Report {
    Report {
        name: name.into(),
        uuid: Uuid::from_u128(n),
        key: "key".into(),
        time: 0,
        state: (at != "-").then(|| sha1(at)),
        link: None,
        in_service: true,
        doing: Doing::UpToDate,
        accepted: Some(5),
        accepted_commit: None,
        runner: Digest::of(b""),
        incarnation: Incarnation::default(),
        contested: false,
        by_hand: Vec::new(),
        drift: Vec::new(),
        verified: 0,
        since: 0,
        nonce: Uuid::nil(),
        heard: 0,
        baked: None,
        announced: None,
        last_nonces: Vec::new(),
        lines: Vec::new(),
        poll: 0,
    }
}

fn said(plan: &Plan) -> String {
    match plan {
        Plan::UpToDate => "up to date".into(),
        Plan::PassOver(links) => {
            format!("pass over {}", links.iter().map(|link| link.name.as_str()).collect::<Vec<_>>().join(" "))
        }
        Plan::Regain(link) => format!("go back to before {}", link.name),
        Plan::Leg { claim, until } => format!("leg to {} claiming {claim:?}", until.name),
        Plan::EnterService => "enter service".into(),
        Plan::Wait(wait) => format!("wait {wait}"),
        Plan::Stop(stop) => format!("stop {stop}"),
    }
}

#[test]
fn others_are_told_of_what_they_may_wait_for() {
    let check = |text: &str, role: &str, from: Option<&str>, to: &str, expect| {
        let told = ends_waits(&chain(text), &[role.to_owned()].into(), from.map(sha1), Some(sha1(to)));
        assert_eq!(told, expect, "{text}: {role} from {from:?} to {to}");
    };
    check("w1 w2<w w3 w4", "web", None, "w1", true);
    check("w1 w2<w w3 w4", "web", Some("w1"), "w3", false);
    check("w1 d2 w3<d w4", "database", Some("w1"), "d2", true);
    check("w1 d2 w3<d w4", "database", Some("w1"), "w4", true);
    check("w1 d2 w3<d w4", "database", Some("d2"), "w4", false);
    check("w1 d2 w3<d w4", "web", Some("w1"), "w4", false);
    let mut links = chain("w1 d2 w3 d4").links().to_vec();
    links[2].inside = vec![wait("d@d2")];
    let told = |from: &str| {
        ends_waits(
            &Chain::new(links.clone()).unwrap(),
            &["database".to_owned()].into(),
            Some(sha1(from)),
            Some(sha1("d4")),
        )
    };
    assert!(told("w1") && !told("d2"), "what code waits for counts as an attribute does");
}

#[test]
fn who_could_not_come_back_goes_on_as_far_as_a_leg_may_and_needs_no_further_place() {
    let check = |text: &str, hosts: &str, in_service, expect: Option<&str>| {
        let mut herd = Herd::new(text, hosts);
        herd.hold("web1");
        assert_eq!(herd.goes_on("web1", in_service).as_deref(), expect, "{text}: {hosts}");
    };
    check("w1 w2 w3", "web1@w1 web2@w1", true, Some("w3"));
    check("w1 w2 w3", "web1@w3 web2@w1", true, None);
    check("w1 d2 w3<d w4", "web1@d2 d1@w1", true, None);
    check("w1 w2 d3 w4<d", "web1@w1 d1@w1", true, Some("d3"));
    check("w1 w2 ~w3 w4", "web1@w1", true, Some("w2"));
    check("w1 ~w2 w3", "web1@w1", true, None);
    check("w1 ~w2 w3", "web1@w1", false, Some("w3"));
}

#[test]
fn a_host_at_the_target_has_nothing_to_do() {
    let herd = Herd::new("w1 w2", "web1@w2");
    assert_eq!(herd.plan("web1", true), "up to date");
    assert_eq!(herd.plan("web1", false), "enter service");
}

#[test]
fn links_of_other_roles_are_passed_over_at_once() {
    let herd = Herd::new("d1 d2 w3 d4", "web1@- db1@-");
    assert_eq!(herd.plan("web1", true), "pass over d1 d2");
    assert_eq!(herd.plan("db1", false), "leg to d4 claiming []");
}

#[test]
fn a_leg_is_all_that_is_missing() {
    let herd = Herd::new("w1 d2 w3 w4", "web1@w1");
    assert_eq!(herd.plan("web1", true), "pass over d2");
    let herd = Herd::new("w1 w2 d3 w4", "web1@w1");
    assert_eq!(herd.plan("web1", true), r#"leg to w4 claiming ["web"]"#);
    assert_eq!(herd.plan("web1", false), "leg to w4 claiming []");
}

#[test]
fn a_wait_means_at_or_past_the_link_before() {
    let check =
        |hosts: &str, expect: &str| assert_eq!(Herd::new("w1 d2 w3<d", hosts).plan("web1", true), expect, "{hosts}");
    check("web1@d2 db1@d2", r#"leg to w3 claiming ["web"]"#);
    check("web1@d2 db1@w3", r#"leg to w3 claiming ["web"]"#);
    check("web1@d2 db1@w1", "wait `w3` (7733000) waits for db1 at `w1` (7731000)");
    check("web1@d2 db1@- db2@?", "wait `w3` (7733000) waits for db1 at the start, db2 at the start");
    check("web1@d2", r#"leg to w3 claiming ["web"]"#);
}

#[test]
fn what_waits_in_its_code_is_not_begun_out_of_load_before_that_holds() {
    let check = |hosts: &str, in_load, in_service, expect: &str| {
        let mut herd = Herd::new("w1 d2 w3", hosts);
        let mut links = herd.manifest.chain.links().to_vec();
        (links[2].inside, links[2].in_load) = (vec![wait("d@d2")], in_load);
        herd.manifest.chain = Chain::new(links).unwrap();
        assert_eq!(herd.plan("web1", in_service), expect, "{hosts}");
    };
    let waits = "wait `w3` (7733000) waits for db1 at `w1` (7731000)";
    check("web1@d2 db1@w1", false, true, waits);
    check("web1@d2 db1@d2", false, true, r#"leg to w3 claiming ["web"]"#);
    check("web1@d2 db1@w1", true, true, "leg to w3 claiming []");
    check("web1@d2 db1@w1", false, false, "leg to w3 claiming []");
}

#[test]
fn a_wait_for_one_s_own_role_is_for_the_others() {
    let check =
        |hosts: &str, expect: &str| assert_eq!(Herd::new("w1 w2<w", hosts).plan("web1", false), expect, "{hosts}");
    check("web1@w1 web2@-", "wait `w2` (7732000) waits for web2 at the start");
    check("web1@w1 web2@w1", "leg to w2 claiming []");
}

#[test]
fn a_leg_ends_before_the_first_link_that_must_wait() {
    let herd = Herd::new("w1 w2 d3 w4<d w5", "web1@w1 db1@-");
    assert_eq!(herd.plan("web1", true), r#"leg to d3 claiming ["web"]"#);
}

#[test]
fn a_full_pool_holds_a_host_in_load() {
    let mut herd = Herd::new("w1 w2", "web1@w1 web2@w1 web3@w1");
    herd.hold("web2");
    assert_eq!(herd.plan("web1", true), "wait for a place in the pool of web: 1 of 1 out already: web2");
    assert_eq!(herd.plan("web1", false), "leg to w2 claiming []");
    herd.manifest.roles.insert("web".into(), RolePolicy::new(MaxOut::Percent(67)));
    assert_eq!(herd.plan("web1", true), r#"leg to w2 claiming ["web"]"#);
}

#[test]
fn who_left_the_herd_holds_nobody_up() {
    let mut herd = Herd::new("w1 w2", "web1@w1 web2@w1");
    herd.hold("web2");
    herd.manifest.hosts.remove("web2");
    assert_eq!(herd.plan("web1", true), r#"leg to w2 claiming ["web"]"#);
}

#[test]
fn who_needs_a_place_stops_where_the_pool_can_not_be_read() {
    let check = |hosts: &str, in_service, expect: &str| {
        let mut herd = Herd::new("w1 w2", hosts);
        herd.damaged.insert("web".into(), "it is none".into());
        assert_eq!(herd.plan("web1", in_service), expect);
    };
    let stops =
        "stop the pool of web can't be read: it is none; hint: an operator mends it: `cargo xtask status` says how";
    check("web1@w1", true, stops);
    check("web1@w2", true, "up to date");
    check("web1@w1", false, "leg to w2 claiming []");
}

#[test]
fn who_has_not_seen_the_pool_s_change_may_not_claim() {
    let mut herd = Herd::new("w1 w2", "web1@w1");
    herd.pools.entry("web".into()).or_default().change = 6;
    assert_eq!(herd.plan("web1", true), "wait for a place in the pool of web: change 6 is not here yet");
}

#[test]
fn a_failure_keeps_the_others_away_until_the_link_changes() {
    let mut herd = Herd::new("w1 w2", "web1@w1 web2@w1");
    herd.fail("web2", "w2", "w2");
    assert_eq!(herd.plan("web1", true), "wait `w2` (7732000) failed on web2");
    herd.fail("web2", "w2", "what it said before");
    assert_eq!(herd.plan("web1", true), r#"leg to w2 claiming ["web"]"#);
}

#[test]
fn a_failure_stands_until_the_link_or_the_settings_change() {
    let mut herd = Herd::new("w1 w2", "web1@w1");
    let failure = herd.fail("web1", "w2", "w2");
    let stands = |herd: &Herd| still_failed(&failure, &herd.manifest, &herd.manifest.hosts["web1"]);
    assert!(stands(&herd));
    herd.manifest.hosts.get_mut("web1").unwrap().address = Some("192.0.2.1".into());
    assert!(!stands(&herd));
    let older = Failure { digest: Digest::of(b"what it said before"), ..failure.clone() };
    assert!(!still_failed(&older, &herd.manifest, &Herd::new("w1 w2", "web1@w1").manifest.hosts["web1"]));
}

#[test]
fn who_is_asked_to_retry_tries_once_more() {
    let mut herd = Herd::new("w1 w2", "web1@w1");
    let failure = herd.fail("web1", "w2", "w2");
    herd.manifest.hosts.get_mut("web1").unwrap().retry = 6;
    assert!(!still_failed(&failure, &herd.manifest, &herd.manifest.hosts["web1"]));
    let again = herd.fail("web1", "w2", "w2");
    assert!(still_failed(&again, &herd.manifest, &herd.manifest.hosts["web1"]));
}

#[test]
fn of_retry_and_adoption_the_newest_counts_once() {
    let check = |adopt: u64, retry: u64, acted: u64, expect: Option<u64>| {
        let adopt = Some(Adoption { change: adopt, link: sha1("w2") });
        let host = HostManifest { retry, adopt, ..HostManifest::default() };
        assert_eq!(adoption_due(&host, acted, sha1("w2")), expect, "{host:?}");
        assert_eq!(adoption_due(&host, acted, sha1("w3")), None);
    };
    check(7, 0, 0, Some(7));
    check(7, 6, 6, Some(7));
    check(7, 0, 7, None);
    check(7, 8, 0, None);
    assert_eq!(adoption_due(&HostManifest::default(), 0, sha1("w2")), None);
}

#[test]
fn a_state_outside_the_chain_stops_the_host() {
    let herd = Herd::new("w1 w2", "web1@x9");
    assert_eq!(
        herd.plan("web1", true),
        "stop the state 7839000 is not in the chain; hint: `wildebeest chain` shows what was done here; deploy a chain that has it"
    );
}

#[test]
fn what_comes_before_a_plan() {
    let mut herd = Herd::new("w1", "web1@-");
    assert_eq!(herd.plan("nobody", true), "wait to be admitted");
    herd.manifest.target = None;
    assert_eq!(herd.plan("web1", true), "wait for the first deploy");
}

#[test]
fn a_leg_ends_before_what_is_not_compiled_in() {
    let check = |compiled: &str, expect: &str| {
        let herd = Herd::new("w1 w2 w3", "web1@w1");
        let plan = plan(&Situation {
            manifest: Some(&herd.manifest),
            uuid: herd.uuid("web1"),
            state: Some(sha1("w1")),
            past: &herd.past["web1"],
            announced: None,
            in_service: true,
            compiled: &chain(compiled),
            reports: &herd.reports,
            serving: &serving(&herd.reports),
            pools: &herd.pools,
            damaged: &herd.damaged,
            now: 0,
        });
        assert_eq!(said(&plan), expect, "{compiled}");
    };
    check("w1", "wait for the runner that has `w2` (7732000)");
    check("w1 w2", r#"leg to w2 claiming ["web"]"#);
    check("w1 w2 w3", r#"leg to w3 claiming ["web"]"#);
}

fn follows(chain: &str, hosts: &str, expect: &str) {
    assert_eq!(Herd::new(chain, hosts).plan("web1", false), expect, "{chain}, {hosts}");
}

#[test]
fn a_new_host_starts_at_the_baseline() {
    follows("w1 w2 w3 w4=w1..w3", "web1@-", "pass over w1 w2 w3");
    follows("w1 w2 w3 w4=w1..w3", "web1@w3:", "leg to w4 claiming []");
    follows("w1 d2 w3 d4 w5=w1..w3 w6", "web1@-", "pass over w1 d2 w3 d4");
    follows("w1 w2 w3=w2..w2", "web1@-", "leg to w3 claiming []");
}

#[test]
fn who_stops_in_the_middle_of_passing_over_goes_on_with_it() {
    follows("w1 w2 w3 w4=w1..w3", "web1@w1:", "pass over w2 w3");
}

#[test]
fn a_host_amid_what_is_replaced_runs_the_rest_and_passes_the_baseline_over() {
    follows("w1 w2 w3 w4=w1..w3", "web1@w1", "leg to w4 claiming []");
    follows("w1 w2 w3 w4=w1..w3", "web1@w3", "pass over w4");
    follows("w1 w2 w3 w4=w1..w3 w5", "web1@w3", "pass over w4");
    follows("w1 w2 w3 w4=w1..w3 w5", "web1@w4:w1+w2+w3", "leg to w5 claiming []");
}

#[test]
fn a_link_that_was_started_is_ended() {
    follows("w1 w2 w3=w1..w2", "web1@-:w1", "leg to w3 claiming []");
}

#[test]
fn a_host_past_the_baseline_never_notices() {
    follows("w1 w2 w3=w1..w2 w4", "web1@w4:w3+w4", "enter service");
    follows("w1 w2 w3=w1..w2 w4", "web1@w4:w1+w2+w4", "enter service");
}

#[test]
fn a_baseline_of_another_role_is_passed_over() {
    follows("d1 d2 w3 d4=d1..d2 w5", "web1@w3", "pass over d4");
    follows("w1 d2 w3 d4=d2..d2 w5=w1..w3", "web1@w1", "pass over d2");
}

#[test]
fn a_baseline_stands_for_the_older_one_too() {
    let chain = "w1 w2 w3=w1..w2 w4 w5=w1..w4 w6";
    follows(chain, "web1@-", "pass over w1 w2 w3 w4");
    follows(chain, "web1@w4:", "leg to w6 claiming []");
    follows(chain, "web1@w2", "pass over w3");
    follows(chain, "web1@w3:w1+w2", "leg to w6 claiming []");
    follows(chain, "web1@w3:w3", "leg to w6 claiming []");
    follows(chain, "web1@w4:w3+w4", "pass over w5");
    follows("w1 w2=w1..w1 w3=w1..w2", "web1@w1", "pass over w2 w3");
}

#[test]
fn of_two_baselines_in_a_row_a_new_host_runs_both() {
    let chain = "w1 w2=w1..w1 w3 w4=w3..w3";
    follows(chain, "web1@-", "pass over w1");
    follows(chain, "web1@w1:", "leg to w4 claiming []");
    follows(chain, "web1@w2:w2", "pass over w3");
    follows(chain, "web1@w3:w2", "leg to w4 claiming []");
    follows(chain, "web1@w3:w1+w3", "pass over w4");
}

#[test]
fn a_baseline_beyond_the_target_is_none_yet() {
    let mut herd = Herd::new("w1 w2 w3=w1..w2", "web1@-");
    herd.manifest.target = Some(sha1("w1"));
    assert_eq!(herd.plan("web1", false), "leg to w1 claiming []");
}

#[test]
fn a_link_keeps_its_wait_when_its_code_is_gone() {
    let chain = "d1 w2 -w3<d w4=w2..w3";
    follows(chain, "web1@w2 db1@-", "wait `w3` (7733000) waits for db1 at the start");
    follows(chain, "web1@w2 db1@d1", "wait `w3` (7733000) waits for db1 at `d1` (6431000)");
    follows(chain, "web1@d1: db1@-", "pass over w2 w3");
}

#[test]
fn what_is_gone_needs_a_runner_that_has_it() {
    let gone = "-w1 -w2 w3=w1..w2 w4";
    follows(gone, "web1@w1", "wait for the runner that has `w2` (7732000)");
    follows(gone, "web1@-", "pass over w1 w2");
    follows(gone, "web1@w2", "pass over w3");
    let herd = Herd::new(gone, "web1@w1");
    let with_the_full_runner = plan(&Situation {
        manifest: Some(&herd.manifest),
        uuid: herd.uuid("web1"),
        state: Some(sha1("w1")),
        past: &herd.past["web1"],
        announced: None,
        in_service: true,
        compiled: &chain("w1 w2"),
        reports: &herd.reports,
        serving: &serving(&herd.reports),
        pools: &herd.pools,
        damaged: &herd.damaged,
        now: 0,
    });
    assert_eq!(said(&with_the_full_runner), r#"leg to w2 claiming ["web"]"#);
}

/// The herd has the newest runner `new`, and `old` for what is gone.
fn wanted(host: &str, expect: &str) {
    let mut herd = Herd::new("-w1 -w2 w3=w1..w2 w4", host);
    let runner = |name: &str| Runner { sha256: Digest::of(b""), commit: Sha1::ZERO, reference: name.into() };
    let of = |name: &str| BTreeMap::from([("x86_64".to_owned(), runner(name))]);
    herd.manifest.runners = of("new");
    let links = [sha1("w1"), sha1("w2")].into();
    herd.manifest.full_runners = vec![FullRunners { links, runners: of("old") }];
    let me = &herd.manifest.hosts["web1"];
    let course = Course::new(&herd.manifest, herd.manifest.target, me, &herd.past["web1"]);
    let state = herd.reports.get("web1").and_then(|report| report.state);
    let found = Wanted::of(&herd.manifest, "x86_64", &course, state).unwrap();
    assert_eq!(found.runner().reference, expect, "{host}");
    assert!(Wanted::of(&herd.manifest, "aarch64", &course, state).is_none());
}

#[test]
fn a_host_amid_what_is_gone_wants_the_runner_that_has_it() {
    wanted("web1@-", "new");
    wanted("web1@w1", "old");
    wanted("web1@-:w1", "old");
    wanted("web1@w1:", "new");
    wanted("web1@w2", "new");
    wanted("web1@w4", "new");
}

#[test]
fn an_older_runner_fits_when_it_has_the_link_and_began_the_same_chain() {
    let herd = Herd::new("-w1 -w2 w3=w1..w2 w4", "web1@w1");
    let runner = Runner { sha256: Digest::of(b""), commit: Sha1::ZERO, reference: String::new() };
    let full = Wanted::Full { runner: &runner, link: &herd.manifest.chain.links()[1] };
    let check = |wanted: Wanted<'_>, compiled: &str, expect: bool| {
        assert_eq!(wanted.fits(&herd.manifest, &chain(compiled)), expect, "{compiled}");
    };
    check(full, "w1 w2", true);
    check(full, "w1 w2 w3=w1..w2", true);
    check(full, "-w1 w2", true);
    check(full, "w1", false);
    check(full, "w1 -w2", false);
    check(full, "w2 w1", false);
    check(full, "w1 w2 w9", false);
    check(Wanted::Newest(&runner), "w1 w2", false);
    check(Wanted::Newest(&runner), "w1 w2 w3=w1..w2 w4", false);
    check(Wanted::Newest(&runner), "-w1 -w2 w3=w1..w2 w4", true);
}

proptest! {
    /// Whatever the others do, a leg never starts with a link of another role, never passes the target, and is never
    /// longer than the waits allow.
    #[test]
    fn a_leg_is_mine_and_within_the_target(
        words in prop::collection::vec(prop::sample::select(vec!["w", "d", "l"]), 1..12),
        at in 0usize..12,
        target in 0usize..12,
        in_service: bool,
    ) {
        let text: Vec<String> = words.iter().enumerate().map(|(index, role)| format!("{role}{index}")).collect();
        let at = at.checked_sub(1).and_then(|index| text.get(index)).map_or("-", String::as_str);
        let mut herd = Herd::new(&text.join(" "), &format!("web1@{at}"));
        let target = target.min(text.len() - 1);
        herd.manifest.target = Some(sha1(&text[target]));
        let position = |name: &str| text.iter().position(|other| other == name);
        match herd.plan("web1", in_service).split_whitespace().collect::<Vec<_>>()[..] {
            ["leg", "to", until, ..] => {
                let first = position(at).map_or(0, |index| index + 1);
                prop_assert!(text[first].starts_with('w'));
                prop_assert_eq!(position(until), Some(target));
            }
            ["pass", "over", ref passed @ ..] => prop_assert!(passed.iter().all(|name| !name.starts_with('w'))),
            ["up", ..] | ["enter", ..] => prop_assert!(position(at).is_some_and(|index| index >= target)),
            ref other => prop_assert!(false, "{:?}", other),
        }
    }
}

/// A word for each link, as [`chain`] reads them, and the names of the links.
fn numbered(words: &[&str]) -> (String, Vec<String>) {
    let name = |index: usize, word: &str| format!("{}{index}", word.trim_start_matches('~').split('<').next().unwrap());
    let names: Vec<String> = words.iter().enumerate().map(|(index, word)| name(index, word)).collect();
    let numbered = words.iter().zip(&names).map(|(word, name)| word.replacen(&name[..1], name, 1));
    (numbered.collect::<Vec<_>>().join(" "), names)
}

const WAITING: [&str; 12] = ["w", "d", "~w", "w<w", "w<d", "d<w", "w<d+", "w<w!", "~w<?d", "w<2w", "w<?w+", "w<d@w0"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    /// Whatever the others say, who is no informant and did not fail says nothing that counts.
    #[test]
    fn a_plan_needs_no_reports_but_those_of_informants_and_of_who_failed(
        words in prop::collection::vec(prop::sample::select(&WAITING[..]), 1..9),
        places in prop::collection::vec((0usize..10, any::<bool>()), 6),
        failed in prop::collection::vec((0usize..6, 0usize..9, any::<bool>()), 0..3),
        max_failed in 1u32..3,
        out in prop::option::of(0usize..6),
        announced in prop::option::of(0usize..9),
        canary in prop::option::of((0usize..6, 0usize..9)),
        in_service: bool,
    ) {
        let (text, links) = numbered(&words);
        let link = |place: usize| links.get(place).map_or("-", String::as_str);
        let names = ["web1", "web2", "web3", "db1", "db2", "lb1"];
        let hosts: Vec<String> = names.iter().zip(&places).map(|(name, (at, _))| format!("{name}@{}", link(*at))).collect();
        let mut herd = Herd::new(&text, &hosts.join(" "));
        for (name, (_, in_service)) in names.iter().zip(&places) {
            herd.reports.get_mut(*name).unwrap().in_service = *in_service;
        }
        for (host, place, is_same) in failed.into_iter().filter(|(_, place, _)| *place < links.len()) {
            herd.fail(names[host], link(place), if is_same { link(place) } else { "older" });
        }
        let max_out = if max_failed == 1 { MaxOut::Percent(60) } else { MaxOut::Hosts(1) };
        let policy = RolePolicy { max_failed, ..RolePolicy::new(max_out) };
        herd.manifest.roles = ["web", "database"].map(|role| (role.to_owned(), policy.clone())).into();
        out.into_iter().for_each(|host| herd.hold(names[host]));
        herd.announced = announced.and_then(|place| links.get(place)).map(|name| sha1(name));
        if let Some((host, until)) = canary {
            let target = herd.manifest.target.replace(sha1(&links[until.min(links.len() - 1)])).unwrap();
            herd.manifest.canary = Some(Canary { hosts: [names[host].to_owned()].into(), target, bake: Some(0), change: 0 });
        }
        for name in names {
            let state = herd.reports[name].state;
            let informants = informants(&herd.manifest, herd.uuid(name), state);
            let counts = |other: &str, report: &Report| {
                informants.contains(other) || matches!(report.doing, Doing::Failed(_))
            };
            let mut few = herd.reports.clone();
            few.retain(|other, report| counts(other, report));
            prop_assert_eq!(herd.plan_at(&few, name, state, in_service), herd.plan(name, in_service), "{} in {}", name, text);
        }
    }
}

#[test]
fn informants_are_those_that_a_link_ahead_waits_for() {
    let check = |text: &str, host: &str, expect: &[&str]| {
        let herd = Herd::new(text, &format!("{host} web2@- db1@- db2@- lb1@-"));
        let (name, _) = host.split_once('@').unwrap();
        let informants = informants(&herd.manifest, herd.uuid(name), herd.reports[name].state);
        assert_eq!(informants.into_iter().collect::<Vec<_>>(), expect, "{text}, {host}");
    };
    check("w1 w2 d3", "web1@-", &[]);
    check("w1 d2 w3<d", "web1@-", &["db1", "db2"]);
    check("w1 d2 w3<d", "web1@w3", &[]);
    check("w1 d2<w", "web1@-", &[]);
    check("w1 w2<w", "web1@-", &["web1", "web2"]);
    check("d1 w2<d+", "web1@-", &["db1", "db2", "web1", "web2"]);
    check("d1 d2 w3<d@d1", "web1@d2", &["db1", "db2"]);
}

#[test]
fn of_whom_a_share_may_leave_is_known_to_who_may_leave() {
    let mut herd = Herd::new("w1 w2", "web1@w1 web2@w1 db1@w1");
    herd.manifest.roles.insert("web".into(), RolePolicy::new(MaxOut::Percent(50)));
    let asks = |name: &str| peers(&herd.manifest, herd.uuid(name));
    assert_eq!(asks("web1"), ["web1", "web2"].into());
    assert_eq!(asks("db1"), BTreeSet::new());
}

#[test]
fn who_has_one_of_several_roles_is_counted_once() {
    let mut herd = Herd::new("w1 d2", "web1@- web2@- db1@- lb1@-");
    herd.manifest.hosts.get_mut("db1").unwrap().roles.insert("web".into());
    herd.manifest.hosts.get_mut("web2").unwrap().identity = None;
    let check = |roles: &[&str], expect: &[&str]| {
        let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        let names: Vec<&str> = herd.manifest.admitted_as_any(&roles).into_iter().collect();
        assert_eq!(names, expect, "{roles:?}");
    };
    check(&["web"], &["db1", "web1"]);
    check(&["web", "database"], &["db1", "web1"]);
    check(&["none"], &[]);
    check(&[], &[]);
}

/// A chain of these roles in which each `b` is a baseline of the role web, from one of the links where it may begin.
fn with_baselines(words: &[&str], starts: &[usize]) -> Chain {
    let mut text: Vec<String> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let before = chain(&text.join(" "));
        let web = |link: &&Link| link.role == "web";
        let starting = before.links().iter().filter(web).filter(|link| {
            let place = before.position(link.sha1).unwrap();
            let cuts = |(older, span): (&Link, std::ops::RangeInclusive<usize>)| {
                *span.start() < place && place <= before.position(older.sha1).unwrap()
            };
            !before.baselines().any(cuts)
        });
        let starting: Vec<&Link> = starting.collect();
        text.push(match (*word, before.links().iter().rfind(web)) {
            ("b", Some(last)) => {
                let from = starting[starts[index] % starting.len()];
                format!("w{index}={}..{}", from.name, last.name)
            }
            ("b", None) => format!("w{index}"),
            (role, _) => format!("{role}{index}"),
        });
    }
    chain(&text.join(" "))
}

/// What a host of the role web runs that comes to each of these targets in turn.
fn life(chain: &Chain, targets: &[usize]) -> Vec<Link> {
    let mut herd = Herd::new("", "web1@-");
    let (mut state, mut ran) = (None, Vec::<Link>::new());
    for target in targets {
        herd.manifest.chain = chain.until(chain.links()[*target].sha1).unwrap();
        herd.manifest.target = herd.manifest.chain.tip().map(|link| link.sha1);
        while state != herd.manifest.target {
            let past = Past { begun: ran.iter().map(|link| link.sha1).collect(), ..Past::default() };
            let link = herd.manifest.chain.after(state).unwrap()[0].clone();
            state = Some(link.sha1);
            if Course::new(&herd.manifest, herd.manifest.target, &herd.manifest.hosts["web1"], &past).runs(&link) {
                ran.push(link);
            }
        }
    }
    ran
}

/// What it comes to to run a link: itself, or all that it stands for and that stands for nothing itself.
fn amounts_to(chain: &Chain, link: &Link) -> Vec<String> {
    let span = chain.baselines().find(|(baseline, _)| *baseline == link).map(|(_, span)| &chain.links()[span]);
    let plain = span.unwrap_or(std::slice::from_ref(link)).iter().filter(|other| other.role == link.role);
    plain.filter(|link| link.replaces.is_none()).map(|link| link.name.clone()).collect()
}

proptest! {
    /// Whenever a host comes, and wherever it stood when a baseline was deployed: what it runs amounts to every link of
    /// its role, each once, in the order of the chain.
    #[test]
    fn whatever_a_host_runs_amounts_to_all_links(
        words in prop::collection::vec(prop::sample::select(vec!["w", "w", "w", "d", "b"]), 1..14),
        starts in prop::collection::vec(0usize..14, 14),
        targets in prop::collection::btree_set(0usize..14, 0..6),
    ) {
        let chain = with_baselines(&words, &starts);
        let mut targets: Vec<usize> = targets.into_iter().filter(|target| *target < words.len()).collect();
        targets.push(words.len() - 1);
        let ran: Vec<String> = life(&chain, &targets).iter().flat_map(|link| amounts_to(&chain, link)).collect();
        let plain = chain.links().iter().filter(|link| link.role == "web" && link.replaces.is_none());
        prop_assert_eq!(ran, plain.map(|link| link.name.clone()).collect::<Vec<_>>());
    }

    /// A host that has done all that a baseline replaces never runs it, and a host that comes later runs nothing of that.
    #[test]
    fn old_hosts_never_run_a_baseline_and_new_ones_never_what_it_replaces(
        words in prop::collection::vec(prop::sample::select(vec!["w", "w", "d"]), 1..9),
        from in 0usize..9,
    ) {
        let words: Vec<&str> = ["w"].into_iter().chain(words).chain(["b", "w"]).collect();
        let chain = with_baselines(&words, &vec![from; words.len()]);
        let (tip, (baseline, span)) = (words.len() - 1, chain.baselines().next().unwrap());
        let old = life(&chain, &[tip - 2, tip]);
        prop_assert!(!old.contains(baseline));
        let new = life(&chain, &[tip]);
        prop_assert!(new.contains(baseline));
        prop_assert!(new.iter().all(|link| !span.contains(&chain.position(link.sha1).unwrap())));
    }
}

/// A host of these roles, with the record that it has after it ran and passed over what its letters say, `W` being done
/// and `w` passed over: `Wd` did the first link and passed the second over.
fn changed(chain: &str, record: &str, roles: &str, expect: &str) {
    let mut herd = Herd::new(chain, "web1@-");
    let record = lived(&herd.manifest.chain, record);
    herd.manifest.hosts.get_mut("web1").unwrap().roles = roles.chars().map(role).collect();
    herd.past.insert("web1".into(), record.past());
    herd.reports.get_mut("web1").unwrap().state = record.state();
    assert_eq!(herd.plan("web1", false), expect, "{chain}, {roles}");
}

fn lived(chain: &Chain, record: &str) -> Record {
    let mut lived = Record::default();
    for (link, letter) in chain.links().iter().zip(record.chars()) {
        lived.add(link, if letter.is_uppercase() { How::Done } else { How::PassedOver }, 0);
    }
    lived
}

#[test]
fn who_gains_a_role_goes_back_to_its_first_link() {
    changed("d1 w2 d3 w4", "dWdW", "w", "enter service");
    changed("d1 w2 d3 w4", "dWdW", "wd", "go back to before d1");
    changed("d1 w2 d3 w4", "DWdW", "wd", "go back to before d3");
    changed("d1 w2 d3 w4", "dW", "wd", "go back to before d1");
    changed("w1 w2 d3", "WW", "wd", "leg to d3 claiming []");
    changed("w1 w2", "WW", "wl", "enter service");
}

#[test]
fn who_loses_a_role_passes_its_links_over_from_then_on() {
    changed("d1 w2 d3 w4", "DW", "w", "pass over d3");
    changed("d1 w2 d3 w4", "DW", "", "pass over d3 w4");
}

#[test]
fn which_links_of_a_role_are_still_to_be_run() {
    let check = |target: &str, roles: &str, record: &str, expect: &str| {
        let chain = chain("d1 w2 d3 w4");
        let (roles, past) = (roles.chars().map(role).collect(), lived(&chain, record));
        let course = Course::along(&chain, Some(sha1(target)), &roles, &past.past());
        let owed: String = "dw".chars().filter(|letter| course.has_to_run(&role(*letter), past.state())).collect();
        assert_eq!(owed, expect, "{record} as {roles:?}, told {target}");
    };
    check("w4", "dw", "DWDW", "");
    check("w4", "dw", "DWD", "w");
    check("w4", "dw", "DW", "dw");
    check("d3", "dw", "DW", "d");
    check("d3", "w", "DW", "");
    check("w2", "dw", "DWDW", "");
}

#[test]
fn what_a_baseline_stands_for_is_not_gone_back_to() {
    changed("w1 w2 w3=w1..w2 w4", "wwW", "w", "leg to w4 claiming []");
    changed("d1 w2 w3=w2..w2", "Dww", "dw", "go back to before w3");
    changed("d1 w2 w3 w4=w2..w3", "DWww", "dw", "go back to before w3");
    changed("d1 w2 w3 w4=w2..w3", "DWWw", "dw", "enter service");
}

#[test]
fn a_baseline_that_a_host_has_begun_stands_even_beyond_the_target() {
    let mut herd = Herd::new("w1 w2=w1..w1 w3", "web1@-");
    herd.manifest.target = Some(sha1("w1"));
    let check = |record: &str, expect: bool| {
        let past = lived(&herd.manifest.chain, record).past();
        let course = Course::new(&herd.manifest, herd.manifest.target, &herd.manifest.hosts["web1"], &past);
        assert_eq!(course.regained().is_some(), expect, "{record}");
    };
    check("wW", false);
    check("w", true);
}

#[test]
fn what_was_done_before_stands_as_it_was_done() {
    let chain = chain("d1 w2 d3 w4");
    let mut record = lived(&chain, "dWdW");
    record.go_back(&chain.links()[0]);
    assert_eq!(record.state(), None);
    assert_eq!(record.ahead.iter().map(|link| link.name.as_str()).collect::<Vec<_>>(), ["w2", "w4"]);
    record.add(&chain.links()[0], How::Done, 7);
    record.pass_over(&chain.links()[1], 8);
    assert_eq!(record.links.last().map(|link| (link.how, link.time)), Some((How::Done, 0)));
    record.go_back(&chain.links()[2]);
    assert_eq!(record.ahead.len(), 1, "a link that is not behind is none to go back to");
}

#[test]
fn a_retired_host_stops_and_holds_nobody_up() {
    let mut herd = Herd::new("w1 w2<w w3", "web1@w1 web2@- web3@w1");
    assert_eq!(herd.plan("web1", true), "wait `w2` (7732000) waits for web2 at the start");
    let uuid = herd.uuid("web2");
    herd.hold("web2");
    herd.fail("web2", "w2", "w2");
    herd.manifest.hosts.remove("web2");
    herd.manifest.retired.push(crate::change::Retired { uuid, name: "web2".into(), change: 12 });
    herd.reports.remove("web2");
    assert_eq!(herd.plan("web1", true), r#"leg to w3 claiming ["web"]"#);
    let stopped = plan(&Situation {
        manifest: Some(&herd.manifest),
        uuid,
        state: None,
        past: &Past::default(),
        announced: None,
        in_service: true,
        compiled: &herd.manifest.chain,
        reports: &herd.reports,
        serving: &serving(&herd.reports),
        pools: &herd.pools,
        damaged: &herd.damaged,
        now: 0,
    });
    assert_eq!(
        said(&stopped),
        "stop this host was retired as `web2` by change 12: nothing is run here any more; hint: `wildebeest enroll` \
         makes this machine a new host"
    );
}

/// One host through years: it does one thing at a time, and forgets all but its record between any two.
struct Life {
    herd: Herd,
    record: Record,
    ran: Vec<Link>,
}

impl Life {
    fn new(chain: Chain) -> Self {
        let mut herd = Herd::new("", "web1@-");
        herd.manifest.target = chain.links().first().map(|link| link.sha1);
        herd.manifest.chain = chain;
        Self { herd, record: Record::default(), ran: Vec::new() }
    }

    fn tag(&mut self, letter: char) {
        let roles = &mut self.herd.manifest.hosts.get_mut("web1").unwrap().roles;
        if !roles.remove(&role(letter)) {
            roles.insert(role(letter));
        }
    }

    fn deploy(&mut self, place: usize) {
        let chain = &self.herd.manifest.chain;
        let now = self.herd.manifest.target.and_then(|target| chain.position(target));
        let place = now.unwrap_or(0).max(place).min(chain.links().len() - 1);
        self.herd.manifest.target = Some(chain.links()[place].sha1);
    }

    fn happened(&mut self, event: Event) {
        self.record.phase = self.record.phase.next(event).unwrap();
    }

    /// What the agent does in one step. False when there is nothing to do.
    fn step(&mut self) -> bool {
        self.record = serde_json::from_str(&serde_json::to_string(&self.record).unwrap()).unwrap();
        match self.record.phase.clone() {
            Phase::InLoad => return self.in_load(),
            Phase::Claiming { .. } => self.happened(Event::ClaimWon),
            Phase::Leaving { .. } => self.happened(Event::Left),
            Phase::Out { leg } => self.out(&leg),
            Phase::Running { link, .. } => {
                let link = self.herd.manifest.chain.get(link).unwrap().clone();
                self.happened(Event::LinkDone);
                self.record.add(&link, How::Done, 0);
                self.ran.push(link);
            }
            Phase::Rejoining { .. } => {
                self.happened(Event::Rejoined);
                self.record.in_service = true;
            }
            Phase::Returning { .. } => self.happened(Event::Returned),
            Phase::Failed { .. } => unreachable!("nothing fails here"),
        }
        true
    }

    fn in_load(&mut self) -> bool {
        let plan = plan(&Situation {
            manifest: Some(&self.herd.manifest),
            uuid: self.herd.uuid("web1"),
            state: self.record.state(),
            past: &self.record.past(),
            announced: None,
            in_service: self.record.in_service,
            compiled: &self.herd.manifest.chain,
            reports: &BTreeMap::new(),
            serving: &BTreeSet::new(),
            pools: &BTreeMap::new(),
            damaged: &BTreeMap::new(),
            now: 0,
        });
        match plan {
            Plan::UpToDate => return false,
            Plan::PassOver(links) => links.iter().for_each(|link| self.record.pass_over(link, 0)),
            Plan::Regain(link) => self.record.go_back(&link),
            Plan::EnterService => self.happened(Event::AtTarget),
            Plan::Leg { claim, until } => {
                let held = (!claim.is_empty()).then(|| Held { nonce: Uuid::nil(), roles: claim, since: 0 });
                self.happened(Event::LegPlanned(Leg { until: until.sha1, held }));
            }
            Plan::Wait(_) | Plan::Stop(_) => unreachable!("{}", said(&plan)),
        }
        true
    }

    fn out(&mut self, leg: &Leg) {
        let manifest = self.herd.manifest.clone();
        let (here, end) =
            (self.record.state().and_then(|s| manifest.chain.position(s)), manifest.chain.position(leg.until));
        let next = manifest.chain.links().get(here.map_or(0, |here| here + 1)).filter(|_| here < end);
        let past = self.record.past();
        let course = Course::new(&manifest, manifest.target, &manifest.hosts["web1"], &past);
        match course.onward(next, leg.held.as_ref().map(|held| &held.roles[..])) {
            Onward::End => self.happened(Event::LegDone),
            Onward::Run(link) => {
                self.record.started = Some(link.sha1);
                self.happened(Event::LinkStarts(link.sha1));
            }
            Onward::PassOver(link) => self.record.pass_over(&link, 0),
        }
    }

    /// The plain links of a role that were done, be it by baselines, and all that there are.
    fn of_role(&self, letter: char) -> (Vec<String>, Vec<String>) {
        let chain = &self.herd.manifest.chain;
        let ran = self.ran.iter().filter(|link| link.role == role(letter));
        let all = chain.links().iter().filter(|link| link.role == role(letter) && link.replaces.is_none());
        (ran.flat_map(|link| amounts_to(chain, link)).collect(), all.map(|link| link.name.clone()).collect())
    }
}

#[derive(Debug, Clone)]
enum Moment {
    Steps(usize),
    Tag(char),
    Deploy(usize),
}

fn moments() -> impl Strategy<Value = Vec<Moment>> {
    let steps = (1usize..9).prop_map(Moment::Steps);
    let tag = prop::sample::select(vec!['w', 'd', 'l']).prop_map(Moment::Tag);
    let deploy = (0usize..14).prop_map(Moment::Deploy);
    prop::collection::vec(prop_oneof![4 => steps, 2 => tag, 1 => deploy], 0..24)
}

proptest! {
    /// Invariants 1 and 2, whatever roles a host gains and loses, whenever it does, in a leg or between two.
    #[test]
    fn whatever_roles_come_and_go_each_link_runs_once_and_in_order(
        words in prop::collection::vec(prop::sample::select(vec!["w", "w", "d", "d", "l", "b"]), 1..14),
        starts in prop::collection::vec(0usize..14, 14),
        moments in moments(),
    ) {
        let mut life = Life::new(with_baselines(&words, &starts));
        let moments = moments.into_iter().chain([Moment::Deploy(words.len() - 1), Moment::Steps(400)]);
        for moment in moments {
            match moment {
                Moment::Tag(letter) => life.tag(letter),
                Moment::Deploy(place) => life.deploy(place),
                Moment::Steps(steps) => for _ in 0..steps {
                    if !life.step() {
                        break;
                    }
                    for letter in ['w', 'd', 'l'] {
                        let (ran, all) = life.of_role(letter);
                        prop_assert!(all.starts_with(&ran), "{:?} of {:?}", ran, all);
                    }
                },
            }
        }
        prop_assert!(!life.step(), "the host comes to an end");
        prop_assert_eq!(life.record.state(), life.herd.manifest.target);
        prop_assert!(life.record.ahead.is_empty());
        for role in &life.herd.manifest.hosts["web1"].roles {
            let (ran, all) = life.of_role(SHORT.iter().find(|(_, name)| name == role).unwrap().0);
            prop_assert_eq!(ran, all);
        }
    }
}
