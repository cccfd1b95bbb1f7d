//! Valid values, drawn: what operators and hosts write when all is well, with all that may stand in them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value, json};
use wb_core::Uuid;
use wb_core::agent::identity::{Accepted, Contest, Moment, TakingOver};
use wb_core::agent::phase::{Held, Leg, Phase};
use wb_core::agent::{Away, FORMAT, How, LinkRecord, Notices, Record, Refused, Reports, Trial};
use wb_core::chain::{Chain, Digest, Gone, Link, Lock, OnCatchup, Pin, Range, Sha1, Wait, Who};
use wb_core::change::{
    Adoption, Canary, ChangeKind, FullRunners, Hold, HostManifest, Identity, Manifest, Release, Retired, RolePolicy,
    Runner, Waiver, Whom,
};
use wb_core::context::{Debt, DebtAction, MaxOut, Step};
use wb_core::herd::{Herd, HerdSettings, HostEntry, TestSettings};
use wb_core::pool::{Claim, Pool};
use wb_core::registry::RefName;
use wb_core::report::{Baked, Doing, Drift, Failure, Incarnation, Line, Report};
use wb_core::results::{Acceptance, LinkResult, Results};
use wb_core::runner::{HostConfig, platform};

use super::super::chance::Chance;

/// Draws values. The same chance gives the same ones.
#[derive(Debug, Clone)]
pub struct Draw(pub Chance);

const HOSTS: [&str; 6] =
    ["web1", "web2", "db-1", "Cache_9", "0", "a-host-of-a-name-that-is-as-long-as-the-name-of-a-host-can-ever"];
const ROLES: [&str; 5] = ["web", "database", "load_balancer", "größe", "x"];
const LINKS: [&str; 8] = ["base", "install_nginx", "page", "type_", "t", "größe", "second_page", "last"];
const TEXTS: [&str; 10] = [
    "",
    "for a place in the pool of web: 1 of 1 out already: web2",
    "no\nsuch\n\nluck\r\n",
    "\u{1b}[2J\u{7}",
    "\u{202e}Grüße \u{1f403}",
    "\0",
    "\\ \" ' ` $(x) {}",
    "\t\u{85}\u{2028}",
    "-----END SSH SIGNATURE-----",
    "refs/wildebeest/changes",
];
const KEYS: [&str; 3] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBhuPyNXb1eDwaqTvBqoN7GfGCZ3i3WmE3T6tL6SvM8j",
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAI root@web1",
    "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t",
];

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0.below(end)
    }

    fn often(&mut self) -> bool {
        !self.0.one_in(3)
    }

    fn seldom(&mut self) -> bool {
        self.0.one_in(4)
    }

    fn of(&mut self, all: &[&'static str]) -> &'static str {
        self.0.of(all).unwrap_or_default()
    }

    fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.often().then(|| value(self))
    }

    fn some<T>(&mut self, most: usize, value: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let many = self.below(most + 1);
        self.exactly(many, value)
    }

    fn exactly<T>(&mut self, many: usize, mut value: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..many).map(|_| value(self)).collect()
    }

    /// A number: mostly one that is met, sometimes any.
    pub fn number(&mut self) -> u64 {
        match self.below(6) {
            0 => self.0.next(),
            1 => 1_700_000_000 + self.below(100_000_000) as u64,
            2 => u64::MAX,
            _ => self.below(40) as u64,
        }
    }

    /// A text of a line or more.
    pub fn text(&mut self) -> String {
        self.of(&TEXTS).to_owned()
    }

    /// The name of a host.
    pub fn host_name(&mut self) -> String {
        self.of(&HOSTS).to_owned()
    }

    /// The name of a role.
    pub fn role(&mut self) -> String {
        self.of(&ROLES).to_owned()
    }

    fn link_name(&mut self) -> String {
        self.of(&LINKS).to_owned()
    }

    fn roles(&mut self) -> BTreeSet<String> {
        self.some(3, Self::role).into_iter().collect()
    }

    /// A public key.
    pub fn key(&mut self) -> String {
        self.of(&KEYS).to_owned()
    }

    /// One of a few sha1s, so that things refer to each other.
    pub fn sha1(&mut self) -> Sha1 {
        Sha1::from_bytes([1 + self.below(9) as u8; 20])
    }

    fn digest(&mut self) -> Digest {
        Digest::from_bytes([self.below(4) as u8; 32])
    }

    /// One of a few.
    pub fn uuid(&mut self) -> Uuid {
        Uuid::from_u128(self.below(8) as u128)
    }

    /// The name of a ref.
    pub fn reference(&mut self) -> RefName {
        match self.below(5) {
            0 => RefName::Changes,
            1 => RefName::Runner { platform: platform(), id: self.sha1().to_string() },
            2 => RefName::State(self.uuid()),
            3 => RefName::Report(self.uuid()),
            _ => RefName::Out(self.role()),
        }
    }

    /// What a push may say of a few refs.
    pub fn push(&mut self) -> String {
        let summaries = [
            "*\t{}\t[new reference]",
            " \t{}\ta1..b2",
            "+\t{}\ta1...b2 (forced update)",
            "-\t{}\t[deleted]",
            "=\t{}\t[up to date]",
            "!\t{}\t[rejected] (stale info)",
            "!\t{}\t[remote rejected] (pre-receive hook declined)",
        ];
        let lines = self.some(4, |draw| {
            let pair = format!("{}:{}", draw.sha1(), draw.reference());
            draw.of(&summaries).replace("{}", &pair)
        });
        format!("To ssh://git@git.example.org/herd.git\n{}\nDone\n", lines.join("\n"))
    }

    /// A commit that a host or an operator may write, signed with nothing that counts.
    pub fn commit(&mut self) -> String {
        let parents = self.some(2, |draw| format!("parent {}\n", draw.sha1())).concat();
        let (name, time) = (self.host_name(), self.below(2_000_000_000));
        let who = format!("{name} <{name}@wildebeest> {time} +0000");
        let signature = "gpgsig -----BEGIN SSH SIGNATURE-----\n U1NIU0lHAAAAAQ\n -----END SSH SIGNATURE-----\n";
        let signature = if self.often() { signature } else { "" };
        let message = match self.below(3) {
            0 => self.report().message(),
            1 => self.pool().message("web"),
            _ => format!("{}\n", self.manifest()),
        };
        let tree = self.sha1();
        format!("tree {tree}\n{parents}author {who}\ncommitter {who}\n{signature}\n{message}")
    }

    /// A chain, the sha1s of its links in no order, each once.
    pub fn chain(&mut self) -> Chain {
        let many = self.below(LINKS.len() + 1);
        let (turn, of) = (self.below(9), |n: usize| Sha1::from_bytes([1 + (n % 9) as u8; 20]));
        let link = |draw: &mut Self, place: usize| {
            let (role, digest) = (draw.role(), draw.digest());
            let mut link = Link::new(LINKS[place], of(place + turn), role, digest);
            link.wait = draw.seldom().then(|| draw.wait());
            link.in_load = draw.seldom();
            let range = |draw: &mut Self| Range { from: of(draw.below(place + 1) + turn), to: of(place + turn) };
            link.replaces = draw.seldom().then(|| range(draw));
            link.gone = draw.seldom();
            link
        };
        Chain::new((0..many).map(|place| link(self, place)).collect()).unwrap_or_default()
    }

    fn wait(&mut self) -> Wait {
        let role = self.role();
        let who = match self.below(3) {
            0 => Who::All { role },
            1 => Who::Any { role },
            _ => Who::Count { role, hosts: self.below(4) as u32 },
        };
        let on_catchup = self.0.of(&[OnCatchup::Wait, OnCatchup::Pass, OnCatchup::Fail]).unwrap_or_default();
        let reached = self.seldom().then(|| self.link_name());
        Wait { reached, on_catchup, overdue: self.seldom().then(|| self.number()), ..Wait::new(who) }
    }

    /// A manifest, its targets links of its chain.
    pub fn manifest(&mut self) -> Manifest {
        let mut manifest = self.any_manifest();
        let place = |sha1: Option<Sha1>| sha1.and_then(|sha1| manifest.chain.position(sha1));
        if place(manifest.canary.as_ref().map(|canary| canary.target)) < place(manifest.target) {
            manifest.canary = None;
        }
        for (place, host) in manifest.hosts.values_mut().enumerate() {
            let turned = |identity| Identity { uuid: Uuid::from_u128(place as u128), ..identity };
            host.identity = host.identity.take().map(turned);
        }
        manifest
    }

    /// One that may contradict itself.
    fn any_manifest(&mut self) -> Manifest {
        let kinds = [ChangeKind::Deploy, ChangeKind::Admit, ChangeKind::Retry, ChangeKind::Tag, ChangeKind::Retire];
        let chain = self.chain();
        let shas: Vec<Sha1> = chain.links().iter().map(|link| link.sha1).collect();
        Manifest {
            number: self.number(),
            kind: self.0.of(&kinds).unwrap_or_default(),
            time: self.number(),
            author: self.text(),
            message: self.text(),
            source: self.maybe(Self::sha1),
            target: self.0.of(&shas).filter(|_| self.often()),
            canary: self.0.of(&shas).filter(|_| self.seldom()).map(|target| self.canary(target)),
            // Nothing more is drawn for it: what follows from a seed stays.
            untested: shas.len() == 2,
            chain,
            roles: self.some(3, |draw| (draw.role(), draw.policy())).into_iter().collect(),
            runners: self.runners(),
            full_runners: self.some(1, |draw| FullRunners {
                links: draw.some(2, Self::sha1).into_iter().collect(),
                runners: draw.runners(),
            }),
            hosts: self.some(4, |draw| (draw.host_name(), draw.host())).into_iter().collect(),
            retired: self.some(2, |draw| Retired { uuid: draw.uuid(), name: draw.host_name(), change: draw.number() }),
            holds: if self.seldom() { self.exactly(1, Self::hold) } else { Vec::new() },
            released: self.some(1, |draw| Release {
                change: draw.number(),
                host: draw.host_name(),
                nonce: draw.uuid(),
            }),
            waived: self.some(1, |draw| Waiver { change: draw.number(), link: draw.sha1(), host: draw.host_name() }),
            served: self.some(2, Self::uuid).into_iter().collect(),
        }
    }

    fn canary(&mut self, target: Sha1) -> Canary {
        let hosts = self.some(2, Self::host_name).into_iter().collect();
        Canary { hosts, target, change: self.number(), bake: self.maybe(Self::number) }
    }

    fn hold(&mut self) -> Hold {
        let whom = match self.below(3) {
            0 => Whom::Herd,
            1 => Whom::Role(self.role()),
            _ => Whom::Host(self.host_name()),
        };
        Hold { whom, change: self.number(), why: self.text() }
    }

    fn policy(&mut self) -> RolePolicy {
        let windows = ["Sat,Sun 22:00-04:00", "daily 00:00-24:00", "Fri-Mon 23:59-00:00"];
        let windows = self.some(1, |draw| draw.of(&windows).parse().ok()).into_iter().flatten().collect();
        RolePolicy { max_failed: self.below(3) as u32, windows, ..RolePolicy::new(self.max_out()) }
    }

    fn max_out(&mut self) -> MaxOut {
        match self.below(3) {
            0 => MaxOut::Hosts(1),
            1 => MaxOut::Percent(25),
            _ => MaxOut::Percent(u32::MAX),
        }
    }

    fn runners(&mut self) -> BTreeMap<String, Runner> {
        let runner = |draw: &mut Self| Runner {
            sha256: draw.digest(),
            commit: draw.sha1(),
            reference: draw.reference().to_string(),
        };
        self.some(1, |draw| (platform(), runner(draw))).into_iter().collect()
    }

    fn host(&mut self) -> HostManifest {
        HostManifest {
            roles: self.roles(),
            address: self.seldom().then(|| "192.0.2.11".to_owned()),
            settings: self.settings(),
            identity: self.maybe(|draw| Identity { uuid: draw.uuid(), key: draw.key() }),
            retry: if self.seldom() { self.number() } else { 0 },
            adopt: self.seldom().then(|| Adoption { change: self.number(), link: self.sha1() }),
        }
    }

    fn settings(&mut self) -> Map<String, Value> {
        let value = |draw: &mut Self| match draw.below(5) {
            0 => Value::from(draw.number()),
            1 => json!({ "servers": [draw.text(), draw.text()], "on": draw.often() }),
            2 => Value::from(f64::from_bits(draw.0.next())),
            3 => Value::Null,
            _ => Value::from(draw.text()),
        };
        self.some(2, |draw| (draw.text(), value(draw))).into_iter().collect()
    }

    fn failure(&mut self) -> Failure {
        Failure {
            link: self.sha1(),
            name: self.link_name(),
            digest: self.digest(),
            settings: self.digest(),
            error: self.text(),
        }
    }

    fn doing(&mut self) -> Doing {
        match self.below(9) {
            0 => Doing::Enrolled,
            1 => Doing::UpToDate,
            2 => Doing::Waiting {
                why: self.text(),
                on: self.some(2, Self::host_name),
                key: self.text(),
                overdue: self.seldom(),
            },
            3 => Doing::Leaving { trouble: self.maybe(Self::text) },
            4 => Doing::Running { link: self.link_name() },
            5 => Doing::Rebooting { link: self.link_name(), trouble: self.maybe(Self::text) },
            6 => Doing::Rejoining { trouble: self.maybe(Self::text) },
            7 => Doing::Failed(self.failure()),
            _ => Doing::Stopped { why: self.text(), on: self.some(2, Self::host_name) },
        }
    }

    fn line(&mut self) -> Line {
        Line { id: self.uuid(), count: self.number() }
    }

    /// Which machine this is.
    pub fn incarnation(&mut self) -> Incarnation {
        Incarnation { fingerprint: self.digest().short(), boot_id: self.uuid().to_string() }
    }

    fn drift(&mut self) -> Drift {
        let (link, spec, since, error) = (self.link_name(), self.link_name(), self.number(), self.text());
        let role = ROLES.get(usize::try_from(since % 9).unwrap_or_default()).map(|role| (*role).to_owned());
        Drift { link, role, spec, since, error }
    }

    /// A report.
    pub fn report(&mut self) -> Report {
        Report {
            name: self.host_name(),
            uuid: self.uuid(),
            key: self.key(),
            time: self.number(),
            state: self.maybe(Self::sha1),
            link: self.maybe(Self::link_name),
            in_service: self.often(),
            doing: self.doing(),
            since: self.number(),
            accepted: self.maybe(Self::number),
            accepted_commit: self.maybe(Self::sha1),
            runner: self.digest(),
            incarnation: self.incarnation(),
            contested: self.seldom(),
            by_hand: self.some(2, Self::sha1),
            drift: self.some(1, Self::drift),
            verified: self.number(),
            nonce: self.uuid(),
            heard: self.number(),
            baked: self.maybe(|draw| Baked { change: draw.number(), at: draw.number() }),
            announced: self.maybe(Self::sha1),
            last_nonces: self.some(8, Self::uuid),
            lines: self.some(3, Self::line),
            poll: self.number(),
        }
    }

    /// A pool.
    pub fn pool(&mut self) -> Pool {
        let claim = |draw: &mut Self| Claim {
            host: draw.host_name(),
            uuid: draw.uuid(),
            nonce: draw.uuid(),
            since: draw.number(),
        };
        Pool { holders: self.some(3, claim), change: self.number(), nonce: self.uuid() }
    }

    /// What `chain.lock` may say.
    pub fn lock(&mut self) -> Lock {
        let pins = self.chain().links().iter().map(|link| self.pin(link)).collect();
        Lock { pins, ..Lock::default() }
    }

    fn pin(&mut self, link: &Link) -> Pin {
        let gone = |draw: &mut Self| Gone {
            role: link.role.clone(),
            wait: draw.seldom().then(|| if draw.often() { draw.wait().to_string() } else { draw.role() }),
            in_load: draw.seldom(),
            replaces: link.replaces,
        };
        Pin {
            amended: self.seldom().then(|| self.digest()),
            imported: self.seldom(),
            gone: self.seldom().then(|| gone(self)),
            ..Pin::new(&link.name, link.sha1, link.digest)
        }
    }

    /// What `herd.toml` may say.
    pub fn herd(&mut self) -> Herd {
        let entry = |draw: &mut Self| HostEntry {
            roles: draw.roles(),
            address: draw.seldom().then(|| "2001:db8::11".to_owned()),
            settings: for_toml(draw.settings()),
        };
        Herd {
            herd: HerdSettings { remote: self.maybe(Self::text) },
            test: TestSettings { no_roll: self.maybe(|draw| format!("because {}", draw.text())) },
            hosts: self.some(3, |draw| (draw.host_name(), entry(draw))).into_iter().collect(),
        }
    }

    /// What `host.toml` may say.
    pub fn config(&mut self) -> HostConfig {
        HostConfig {
            uuid: self.uuid(),
            name: self.host_name(),
            remote: self.text(),
            poll: Duration::from_secs(self.number()),
            runner: "/usr/local/bin/wildebeest".into(),
            verify: Duration::from_secs(self.number()),
        }
    }

    fn held(&mut self) -> Held {
        Held { nonce: self.uuid(), roles: self.some(2, Self::role), since: self.number() }
    }

    fn leg(&mut self) -> Leg {
        Leg { until: self.sha1(), held: self.maybe(Self::held) }
    }

    fn phase(&mut self) -> Phase {
        match self.below(8) {
            0 => Phase::InLoad,
            1 => Phase::Claiming { leg: self.leg() },
            2 => Phase::Leaving { leg: self.leg() },
            3 => Phase::Out { leg: self.leg() },
            4 => Phase::Running { leg: self.leg(), link: self.sha1() },
            5 => Phase::Rejoining { held: self.maybe(Self::held) },
            6 => Phase::Returning { held: self.held() },
            _ => Phase::Failed { leg: self.leg(), failure: self.failure() },
        }
    }

    fn link_record(&mut self) -> LinkRecord {
        let how = self.0.of(&[How::Done, How::PassedOver, How::Adopted]).unwrap_or(How::Done);
        LinkRecord { sha1: self.sha1(), name: self.link_name(), how, time: self.number() }
    }

    fn acceptance(&mut self) -> Acceptance {
        Acceptance { change: self.number(), time: self.number() }
    }

    /// What a host tells of its past.
    pub fn results(&mut self) -> Results {
        let how = self.0.of(&[How::Done, How::PassedOver, How::Adopted]).unwrap_or(How::Done);
        let link = |draw: &mut Self| LinkResult { name: draw.link_name(), how, time: draw.number() };
        Results { links: self.some(3, link), accepted: self.some(3, Self::acceptance) }
    }

    fn step(&mut self) -> Step {
        Step {
            link: self.sha1(),
            digest: self.digest(),
            name: self.text(),
            occurrence: self.below(3),
            value: Value::Object(self.settings()),
        }
    }

    fn taking_over(&mut self) -> TakingOver {
        let since =
            |draw: &mut Self| Moment { boot_id: draw.uuid().to_string(), uptime: Duration::from_secs(draw.number()) };
        TakingOver {
            grace: self.number(),
            since: self.maybe(since),
            accepted: self.maybe(|draw| Accepted { number: draw.number(), commit: draw.sha1() }),
        }
    }

    /// What a host's disk may say.
    pub fn record(&mut self) -> Record {
        let action = if self.often() { DebtAction::Reload } else { DebtAction::Restart };
        Record {
            format: FORMAT,
            links: self.some(4, Self::link_record),
            ahead: self.some(1, Self::link_record),
            started: self.maybe(Self::sha1),
            unended: self.some(1, |draw| (draw.sha1(), draw.often())).into_iter().collect(),
            retry: self.number(),
            announced: self.seldom().then(|| self.sha1()),
            baked: self.seldom().then(|| Baked { change: self.number(), at: self.number() }),
            in_service: self.often(),
            left_behind: if self.seldom() { self.roles() } else { BTreeSet::new() },
            kept_out_by: if self.seldom() { self.roles() } else { BTreeSet::new() },
            phase: self.phase(),
            accepted: self.maybe(Self::sha1),
            acceptances: self.some(2, Self::acceptance),
            reports: Reports {
                written: self.maybe(Self::sha1),
                pending: self.maybe(Self::sha1),
                nonces: self.some(8, Self::uuid),
                lines: self.some(3, Self::line),
                boot_id: self.uuid().to_string(),
            },
            debts: self.some(2, |draw| Debt { action, service: draw.text() }),
            boot_id: self.uuid().to_string(),
            steps: self.some(2, Self::step),
            acted: self.number(),
            trial: self.seldom().then(|| Trial { runner: self.digest(), change: self.number(), starts: 1 }),
            refused: self.seldom().then(|| Refused { runner: self.digest(), change: 1, why: self.text() }),
            taking_over: self.seldom().then(|| self.taking_over()),
            contested: self.seldom().then(|| Contest { why: self.text(), announced: true, place: None, lost: false }),
        }
    }

    /// What keeps a host from going on.
    pub fn notices(&mut self) -> Notices {
        Notices {
            away: self.maybe(|draw| Away { since: draw.number(), error: draw.text(), refuses: draw.often() }),
            trouble: self.maybe(Self::text),
            distrust: self.maybe(Self::text),
        }
    }
}

/// TOML has no null, and no number past the largest signed one.
fn for_toml(settings: Map<String, Value>) -> Map<String, Value> {
    let fits = |value: &Value| !value.is_null() && (!value.is_u64() || value.is_i64());
    settings.into_iter().filter(|(_, value)| fits(value)).collect()
}
