//! What operators do to a simulated herd: changes, one after the other, made by the functions that make real ones where
//! these are functions of manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use uuid::Uuid;
use wb_core::agent::{How, LinkRecord, Notices, Record};
use wb_core::chain::{Digest, Sha1};
use wb_core::change::{Canary, ChangeKind, HostManifest, Manifest, RolePolicy, Runner, Whom};
use wb_core::herd::HostEntry;
use wb_core::plan::{lagging_for, still_failed};
use wb_core::registry::RefName;
use wb_core::report::{Doing, Report, served};
use wb_core::runner::{HostConfig, cloned, platform};

use super::fleet::{self, Build, ROLES};
use super::ledger::Effect;
use super::refs::Refs;
use super::seat::OPERATORS;
use super::server::Object;
use super::world::{Disk, Machine, POLL, START, World};
use crate::admission::admitting;
use crate::adopt::{Word, adopting};
use crate::canary::{promoting, settled};
use crate::hold::{holding, resuming};
use crate::known::Known;
use crate::members::{renaming, retiring, tagging};
use crate::release::releasing;
use crate::retry::retrying;
use crate::torture::chance::Chance;
use crate::waive::waiving;

impl World {
    /// The newest change that an operator made, whatever the server says.
    #[must_use]
    pub fn told(&self) -> Rc<Manifest> {
        self.ledger.newest().map(|(_, manifest)| manifest).unwrap_or_default()
    }

    /// Whether operators can tell the herd something: they refuse where the log on the server is not theirs.
    #[must_use]
    pub fn can_tell(&self) -> bool {
        let tip = self.server.get(&RefName::Changes);
        self.now >= self.down && self.now >= self.read_only && tip == self.ledger.newest().map(|(commit, _)| commit)
    }

    /// Appends a change, where there is one to be made.
    pub fn tell(&mut self, next: Option<Manifest>) -> bool {
        let (parent, before) = (self.ledger.newest().map(|(commit, _)| commit), self.told());
        let counts = |next: &Manifest| next.follows(parent.map(|_| &*before)).is_ok();
        let Some(manifest) = next.filter(|next| self.can_tell() && counts(next)) else { return false };
        let manifest = Rc::new(Manifest { author: OPERATORS[0].into(), time: self.now / 1000, ..manifest });
        let signer = OPERATORS[self.chance.below(2)];
        let commit = self.server.add(Object::Change { parent, signer: Some(signer), manifest: Rc::clone(&manifest) });
        self.server.point(&RefName::Changes, Some(commit));
        for retired in manifest.retired.iter().filter(|retired| before.retirement(retired.uuid).is_none()) {
            for trace in RefName::of_host(retired.uuid) {
                self.server.point(&trace, None);
            }
        }
        self.say(usize::MAX, || format!("change {manifest}"));
        self.ledger.tells(commit, manifest);
        self.events += 1;
        true
    }

    /// What an operator knows who asks the server.
    #[must_use]
    pub fn known(&self) -> Known {
        let manifest = (*self.told()).clone();
        let pools =
            ROLES.iter().filter_map(|role| Some(((*role).to_owned(), self.server.pool(role)?.clone()))).collect();
        let (reports, now) = (self.reports(), START + self.now / 1000);
        Known { reports, manifest, pools, now, ..Known::default() }
    }

    /// The reports of admitted hosts, by name.
    #[must_use]
    pub fn reports(&self) -> BTreeMap<String, Report> {
        let manifest = self.told();
        let report = |(name, host): (&String, &HostManifest)| {
            let report = self.server.report(host.identity.as_ref()?.uuid)?;
            Some((name.clone(), report.clone()))
        };
        manifest.hosts.iter().filter_map(report).collect()
    }

    /// A new target and its runner, for all or for canaries first. A runner that was tampered with has other bytes than the
    /// change says.
    pub fn deploys(&mut self, build: Build, canaries: usize, tampered: bool) -> bool {
        let before = self.told();
        let catalog = build.catalog();
        let Some(tip) = catalog.chain().tip().map(|link| link.sha1) else { return false };
        let bytes = build.bytes();
        let sha256 = Digest::of(&bytes);
        let laid = if tampered { build.tampered() } else { bytes };
        let commit = self.server.add(Object::Runner(laid));
        let reference = RefName::Runner { platform: platform(), id: commit.to_string() };
        self.server.point(&reference, Some(commit));
        let mut manifest = before.next(ChangeKind::Deploy);
        manifest.message = format!("{} links, version {:x}", build.links, build.amended);
        manifest.chain = catalog.chain().clone();
        manifest.roles = self.policies(build);
        manifest.runners = [(platform(), Runner { sha256, commit, reference: reference.to_string() })].into();
        manifest.target = Some(tip);
        manifest.served = served(&manifest, &self.reports());
        manifest.canary = None;
        let names: Vec<String> = before.hosts.keys().cloned().collect();
        if canaries > 0 && before.target.is_some() && before.target != Some(tip) {
            let mut hosts: BTreeSet<String> =
                (0..canaries).filter_map(|_| names.get(self.chance.below(names.len())).cloned()).collect();
            hosts.extend(before.canary.iter().flat_map(|canary| canary.hosts.iter().cloned()));
            let bake = self.chance.one_in(2).then_some(60);
            manifest.canary = Some(Canary { hosts, target: tip, bake, change: manifest.number });
            manifest.target = before.target;
        }
        let goes_first = manifest.canary.is_some();
        let told = self.tells(if tampered { "tampered_runner" } else { "deploy" }, Some(manifest));
        if told {
            if goes_first {
                self.faults.count("canary");
            }
            (self.build, self.tampered) = (build, tampered);
        }
        told
    }

    /// What the roles of a runner say of themselves; now and then somebody has changed that of one of them before.
    fn policies(&mut self, build: Build) -> BTreeMap<String, RolePolicy> {
        let mut policies = build.catalog().policies().clone();
        let changed = self.chance.one_in(3).then(|| ROLES[self.chance.below(ROLES.len())]);
        if let Some(policy) = changed.and_then(|role| policies.get_mut(role)) {
            policy.max_out = fleet::max_out(&mut self.chance);
            policy.windows = fleet::windows(&mut self.chance).iter().filter_map(|window| window.parse().ok()).collect();
            self.faults.count("policy");
        }
        policies
    }

    /// What canaries have is for everyone.
    pub fn promotes(&mut self, early: bool) -> bool {
        let next = promoting(&self.known(), early, None);
        self.tells("promote", next.ok())
    }

    /// Somebody is to begin nothing.
    pub fn holds(&mut self, whom: Whom) -> bool {
        let next = holding(&self.known(), &[whom].into(), "a look");
        self.tells("hold", next.ok())
    }

    /// The oldest word that holds somebody is taken back.
    pub fn resumes(&mut self) -> bool {
        let known = self.known();
        let held = known.manifest.holds.first().map(|hold| hold.whom.clone());
        let next = held.and_then(|whom| resuming(&known, &[whom].into(), None).ok());
        self.tells("resume", next)
    }

    /// Whoever failed tries again.
    pub fn retries(&mut self) -> bool {
        let known = self.known();
        let failed = |(name, report): (&String, &Report)| {
            let Doing::Failed(failure) = &report.doing else { return None };
            let host = known.manifest.hosts.get(name)?;
            still_failed(failure, &known.manifest, host).then(|| name.clone())
        };
        let failed: Vec<String> = known.reports.iter().filter_map(failed).collect();
        let next = retrying(&known, &failed, None).ok().filter(|_| !failed.is_empty());
        self.tells("retry", next)
    }

    /// What failed first was done by hand, or so an operator says.
    pub fn adopts(&mut self, by_hand: bool) -> bool {
        let known = self.known();
        let failed = known.reports.iter().find_map(|(name, report)| match &report.doing {
            Doing::Failed(failure) => Some((name.clone(), report.uuid, failure.link)),
            _ => None,
        });
        let Some((host, uuid, link)) = failed else { return false };
        let word = Word { host, link: None, why: "by hand".into() };
        if by_hand && let Some((machine, place)) = self.machine_of(uuid).zip(self.chain.position(link)) {
            self.machines[machine].applied |= 1 << place;
        }
        self.tells("adopt", adopting(&known, &word).ok())
    }

    /// The claims of a host are freed by force.
    pub fn releases(&mut self, which: usize) -> bool {
        let known = self.known();
        let holders: BTreeSet<&String> =
            known.pools.values().flat_map(|pool| &pool.holders).map(|claim| &claim.host).collect();
        let host = holders.into_iter().nth(which % known.pools.len().max(1));
        let next = host.and_then(|host| releasing(&known, host, "it is lost", true).ok());
        self.tells("release", next)
    }

    /// Somebody who waits, or did so in vain, waits for one host less.
    pub fn waives_one(&mut self) -> bool {
        self.waives() || self.waives_in_code()
    }

    /// A link that waits for a host waits for it no longer.
    pub fn waives(&mut self) -> bool {
        let known = self.known();
        let mut waits = known.reports.values().filter_map(|report| match &report.doing {
            Doing::Waiting { on, key, .. } => {
                let link = known.manifest.chain.get(key.strip_prefix("others ")?.parse().ok()?)?;
                Some((link.name.clone(), on.clone()))
            }
            _ => None,
        });
        let next =
            waits.find_map(|(link, on)| on.iter().find_map(|host| waiving(&known, &link, host, "it is lost").ok()));
        self.tells("waive", next)
    }

    /// What the code of a link waited for in vain it waits for no longer. Where that was out of load, its host keeps a place
    /// that those may need whom it waits for.
    pub fn waives_in_code(&mut self) -> bool {
        let known = self.known();
        let in_vain = |(name, report): (&String, &Report)| {
            let Doing::Failed(failure) = &report.doing else { return None };
            let link = known.manifest.chain.get(failure.link)?;
            let lagging = |wait| lagging_for(&known.manifest, &known.reports, name, wait, link.sha1);
            let mut missing = link.inside.iter().flat_map(lagging);
            missing.find_map(|lag| waiving(&known, &link.name, &lag.host, "it is lost").ok())
        };
        let next = known.reports.iter().find_map(in_vain);
        self.tells("waive", next)
    }

    /// A host leaves the herd.
    pub fn retires(&mut self, name: &str) -> bool {
        let told = self.told();
        let stays = told.hosts.len() < 4 || !told.hosts.contains_key(name);
        let leaving = BTreeSet::from([name.to_owned()]);
        let next = (!stays).then(|| retiring(&settled(&self.known(), &leaving), &leaving));
        self.tells("retire", next)
    }

    /// A host gets another name.
    pub fn renames(&mut self, name: &str) -> bool {
        let told = self.told();
        let new = format!("{name}x");
        let can_be = told.hosts.contains_key(name) && !told.hosts.contains_key(&new) && new.len() < 13;
        self.tells("rename", can_be.then(|| renaming(&told, name, &new)))
    }

    /// A host gets other roles.
    pub fn tags(&mut self, name: &str, roles: &BTreeSet<String>) -> bool {
        let told = self.told();
        let changes = told.hosts.get(name).is_some_and(|host| host.roles != *roles);
        self.tells("tag", changes.then(|| tagging(&told, name, roles)))
    }

    /// A machine becomes part of the herd, in place of another one where it has a name that is taken.
    pub fn admits(&mut self, machine: usize, roles: BTreeSet<String>) -> bool {
        let config = &self.machines[machine].disk.config;
        let (told, name) = (self.told(), config.name.clone());
        let Some(report) = self.server.report(config.uuid).filter(|report| !told.knows(report.uuid)) else {
            return false;
        };
        let before = told.hosts.get(&name);
        let kind = if before.is_some() { "replace" } else { "new_host" };
        let roles = before.map_or(roles, |before| before.roles.clone());
        let entry = HostEntry { roles, ..HostEntry::default() };
        let next = admitting(Some(&told), &name, &entry, report);
        self.tells(kind, Some(next))
    }

    fn tells(&mut self, kind: &'static str, next: Option<Manifest>) -> bool {
        let told = self.tell(next);
        if told {
            self.faults.count(kind);
        }
        told
    }
}

impl World {
    /// A machine that was never part of a herd, with a record where it has a past.
    pub fn appears(&mut self, name: &str, record: Record, in_load: bool) -> usize {
        let number = self.machines.len();
        let uuid = Uuid::from_u128((u128::from(self.chance.next()) << 64) | number as u128);
        let config = HostConfig {
            uuid,
            name: name.to_owned(),
            remote: "sim".into(),
            poll: POLL,
            runner: "/usr/local/bin/wildebeest".into(),
            verify: HostConfig::VERIFY,
        };
        let applied = record.links.iter().filter(|link| link.how != How::PassedOver);
        let applied =
            applied.filter_map(|link| self.chain.position(link.sha1)).fold(0, |applied, place| applied | 1 << place);
        let disk = Disk {
            config,
            key: format!("key-{number}"),
            record: record.into(),
            seen: Refs::default(),
            runner: self.build.bytes(),
            kept: None,
            laid: None,
            notices: Notices::default(),
        };
        self.ledger.appears(uuid, &disk.record, in_load);
        let chance = Chance(self.chance.next());
        self.machines.push(Machine::new(disk, number, applied, chance));
        number
    }

    /// A record of a host in service that has every link up to here behind it.
    #[must_use]
    pub fn veteran(&self, roles: &BTreeSet<String>, links: usize, accepted: Option<Sha1>) -> Record {
        let link = |link: &wb_core::chain::Link| LinkRecord {
            sha1: link.sha1,
            name: link.name.clone(),
            // What a baseline stands for it has done.
            how: if roles.contains(&link.role) && link.replaces.is_none() { How::Done } else { How::PassedOver },
            time: 0,
        };
        let links = self.chain.links()[..links].iter().map(link).collect();
        Record { links, in_service: true, accepted, ..Record::default() }
    }

    /// Another identity for a machine whose disk is a copy. What its links did stays done.
    pub fn rekeys(&mut self, machine: usize) {
        let uuid = Uuid::from_u128(u128::from(self.chance.next()));
        let number = self.machines.len() + machine;
        let here = &mut self.machines[machine];
        here.agent = None;
        here.is_copy = false;
        here.name = format!("{}r", here.name);
        here.disk.config = HostConfig { uuid, name: here.name.clone(), ..here.disk.config.clone() };
        here.disk.key = format!("key-{number}-{uuid}");
        here.disk.record = cloned(&here.disk.record).into();
        self.witness(machine, &Effect::IsNow { uuid });
        self.faults.count("rekey");
    }
}
