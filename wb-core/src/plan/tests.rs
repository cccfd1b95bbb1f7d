//! Plans over plain data. A chain is written `w1 d2 w3<d w4`: links of the roles web and database, the third waiting
//! for the role database.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::chain::Wait as LinkWait;
use crate::change::{Identity, RolePolicy};
use crate::context::MaxOut;
use crate::report::Incarnation;

const SHORT: [(char, &str); 3] = [('w', "web"), ('d', "database"), ('l', "load_balancer")];

fn role(letter: char) -> String {
    SHORT.iter().find(|(short, _)| *short == letter).unwrap().1.to_owned()
}

fn chain(text: &str) -> Chain {
    let link = |word: &str| {
        let name = word.split('<').next().unwrap().to_owned();
        let wait = word.split('<').nth(1).map(|w| LinkWait::All { role: role(w.chars().next().unwrap()) });
        let (role, digest) = (role(name.chars().next().unwrap()), Digest::of(name.as_bytes()));
        Link { wait, ..Link::new(&name, sha1(&name), role, digest) }
    };
    Chain::new(text.split_whitespace().map(link).collect()).unwrap()
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
}

impl Herd {
    /// A herd at this chain; hosts are `name@link`, their role told by the first letter of the name.
    fn new(text: &str, hosts: &str) -> Self {
        let chain = chain(text);
        let manifest = Manifest { number: 5, target: chain.tip().map(|link| link.sha1), chain, ..Manifest::default() };
        let mut herd = Self { manifest, reports: BTreeMap::new(), pools: BTreeMap::new() };
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
        if at != "?" {
            self.reports.insert(name.into(), report(name, at, n));
        }
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
        let plan = plan(&Situation {
            manifest: Some(&self.manifest),
            uuid: self.manifest.hosts.get(name).map_or(Uuid::nil(), |_| self.uuid(name)),
            state: self.reports.get(name).and_then(|report| report.state),
            in_service,
            compiled: &self.manifest.chain,
            reports: &self.reports,
            pools: &self.pools,
        });
        said(&plan)
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
        nonce: Uuid::nil(),
        last_nonces: Vec::new(),
    }
}

fn said(plan: &Plan) -> String {
    match plan {
        Plan::UpToDate => "up to date".into(),
        Plan::PassOver(links) => {
            format!("pass over {}", links.iter().map(|link| link.name.as_str()).collect::<Vec<_>>().join(" "))
        }
        Plan::Leg { claim, until } => format!("leg to {} claiming {claim:?}", until.name),
        Plan::EnterService => "enter service".into(),
        Plan::Wait(wait) => format!("wait {wait}"),
        Plan::Stop(stop) => format!("stop {stop}"),
    }
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
    herd.manifest.roles.insert("web".into(), RolePolicy { max_out: MaxOut::Percent(67) });
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
            in_service: true,
            compiled: &chain(compiled),
            reports: &herd.reports,
            pools: &herd.pools,
        });
        assert_eq!(said(&plan), expect, "{compiled}");
    };
    check("w1", "wait for the runner that has `w2` (7732000)");
    check("w1 w2", r#"leg to w2 claiming ["web"]"#);
    check("w1 w2 w3", r#"leg to w3 claiming ["web"]"#);
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
