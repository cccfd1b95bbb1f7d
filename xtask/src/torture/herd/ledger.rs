//! What really happens to the machines of a herd, whatever hosts believe or claim, and the rules that it is held to.
//!
//! The simulator tells each effect to the ledger as it comes about: a link runs, a role leaves load, a record is written, a
//! report is handed to the network, a claim stands on the server. [`Ledger::next`] is all there is: from what was and what
//! happens to what is, or to the rule that was broken.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use uuid::Uuid;
use wb_core::agent::phase::{Leg, Phase};
use wb_core::agent::{How, Record};
use wb_core::chain::{Chain, Digest, Sha1};
use wb_core::change::{HostManifest, Manifest};
use wb_core::context::MaxOut;
use wb_core::plan::settings_digest;
use wb_core::report::{Doing, Failure, Report};

use super::baselines::Baselines;
use super::fleet::ROLES;
use crate::torture::rule::{Rule, Violation, broken};

/// Something that happens to a machine, or to the herd.
#[derive(Debug)]
pub enum Effect<'a> {
    /// It starts anew. What had taken it out of load may be forgotten.
    Boots {
        /// Whether it is.
        forgets: bool,
        /// What its disk says.
        disk: &'a Record,
    },
    /// A role's `leave` has taken it out of load.
    Leaves {
        /// The place of the role.
        role: usize,
        /// What its disk says.
        disk: &'a Record,
    },
    /// A role's `leave` failed.
    StaysIn,
    /// A role's spec was asked.
    Answers {
        /// The place of the role.
        role: usize,
        /// Whether it holds.
        holds: bool,
    },
    /// A role's `rejoin` has put it into load.
    Rejoins {
        /// The place of the role.
        role: usize,
        /// The place of the last link that its runner has.
        last: usize,
    },
    /// The code of a link begins.
    Begins {
        /// The place of the link.
        link: usize,
        /// Of its code.
        digest: Digest,
        /// What its disk says.
        disk: &'a Record,
    },
    /// The code of a link is about to wait for others.
    Awaits {
        /// What its disk says.
        disk: &'a Record,
    },
    /// The specs of a link have passed.
    Passes {
        /// The place of the link.
        link: usize,
    },
    /// Its record changes.
    Writes {
        /// What it was.
        old: &'a Record,
        /// What it is.
        new: &'a Record,
    },
    /// It hands a report to the network.
    Pushes {
        /// What the report says.
        report: &'a Report,
        /// What its disk says.
        disk: &'a Record,
    },
    /// It asks the network.
    Asks {
        /// What its disk says.
        disk: &'a Record,
    },
    /// The network has answered it.
    Hears,
    /// A claim of it stands on the server.
    Claims {
        /// The place of the role.
        role: usize,
        /// Of the claim.
        nonce: Uuid,
        /// How many may be out by the change that it was made with.
        limit: usize,
        /// How many claims count by that change, with this one.
        claims: usize,
    },
    /// A runner is started on it.
    Starts {
        /// Its sha256.
        runner: Digest,
    },
    /// Its disk is put back to what it was.
    Restores {
        /// What was known of it then.
        saved: Saved,
        /// The claim that it then held.
        nonce: Option<Uuid>,
        /// Whether it is amid a leg, and has no claim any more, though no operator freed it.
        freed: bool,
    },
    /// It gets another identity.
    IsNow {
        /// Who it is.
        uuid: Uuid,
    },
    /// It has given its claims back.
    GivesBack,
    /// Its objection to another machine with its identity stands on the server.
    Objects,
    /// An operator says that it is the one.
    IsKept,
}

/// What a disk, and the machine around it, have done so far.
#[derive(Debug, Clone, Default)]
pub struct Saved {
    done: u32,
    passed: u32,
    /// The links that began, and whose specs have not passed since: a bit each.
    begun: u32,
    /// Those that a host in service began in load, under no claim.
    begun_in_load: u32,
    failed: BTreeMap<usize, (Digest, Digest)>,
    accepted: Option<Sha1>,
    /// The roles that it gives its place back for, by its disk, and does not come back as.
    stays_out: BTreeSet<String>,
}

/// A machine, as it is.
#[derive(Debug, Clone, Default)]
struct Truth {
    uuid: Uuid,
    runner: Option<Digest>,
    /// The roles that are out of load because of us, a bit each.
    out: u32,
    /// The roles that it left load with, and lost before it came back, a bit each. It has given its place back: it is none of
    /// those hosts of the role that bear load, until it has the role again, knows that, and comes back.
    left_behind: u32,
    /// The roles that its disk says it has left behind, that it has again, and that a boot has brought it back into load as, a
    /// bit each: it leaves as these before it asks for anything. As what it is no more it does not leave.
    brought_back: u32,
    /// The roles whose specs held when they were asked last, a bit each. Asked before it left, before a boot, or before
    /// it rejoined as that counts for nothing.
    fit: u32,
    /// Whether it was ever in load.
    served: bool,
    /// Whether its disk was put back to amid a leg, and it has no claim any more, though no operator freed it. It can't know
    /// that before the network has answered it, so it leaves, and is one more than may be out. Then it runs nothing before
    /// it holds a claim again; who is offline ends its leg, as after any power cut.
    freed: bool,
    /// Whether the network has not answered it since its disk was put back.
    is_deaf: bool,
    /// Whether a machine that passes for it has given its claim back, while it was off or cut off amid the leg: it learns
    /// that at its next look, and is one more than may be out until then.
    usurped: bool,
    /// Whether `leave` failed since the last boot.
    kept_in: bool,
    /// Whether its disk is a copy of another machine's.
    is_copy: bool,
    /// Whether the hardware looks the same too: then it passes for a machine that was restored, once. Nothing tells the two
    /// apart as long as the original is silent; once it has objected, neither may begin.
    is_twin: bool,
    /// Whether it is such a copy, and may have passed for its original already.
    was_twin: bool,
    /// Whether it booted, or its disk was put back, since it began a leg.
    looks_restored: bool,
    /// Whether it has told that it begins a leg while no other machine with its identity had begun one.
    says_it_begins: bool,
    /// Of the claim that its disk tells of.
    nonce: Option<Uuid>,
    /// Of the claims under which it is out of load: a disk that was put back may tell of another one, or of none.
    left_under: BTreeSet<Uuid>,
    saved: Saved,
}

/// What is true of all machines.
#[derive(Debug)]
pub struct Ledger {
    chain: &'static Chain,
    machines: Vec<Truth>,
    changes: Vec<(Sha1, Rc<Manifest>)>,
    limits: BTreeMap<(usize, Uuid), usize>,
    /// Whose push brought a claim to the server.
    claimants: BTreeMap<Uuid, usize>,
    actors: BTreeMap<Uuid, usize>,
    /// The identities that two machines have, as the server knows.
    contested: BTreeSet<Uuid>,
    baselines: Baselines,
}

type Judged = Result<(), Violation>;

impl Ledger {
    /// Nothing has happened to hosts of this chain.
    #[must_use]
    pub fn new(chain: &'static Chain) -> Self {
        Self {
            chain,
            machines: Vec::new(),
            changes: Vec::new(),
            limits: BTreeMap::new(),
            claimants: BTreeMap::new(),
            actors: BTreeMap::new(),
            contested: BTreeSet::new(),
            baselines: Baselines::of(chain),
        }
    }

    /// There is one more machine, which may be in load, and have a record.
    pub fn appears(&mut self, uuid: Uuid, record: &Record, in_load: bool) {
        let done = self.done(record);
        let saved = Saved { done, passed: done, accepted: record.accepted, ..Saved::default() };
        self.machines.push(Truth { uuid, served: in_load, saved, ..Truth::default() });
    }

    /// There is one more machine, with a copy of another one's disk.
    pub fn is_copied(&mut self, saved: Saved, uuid: Uuid, is_twin: bool) {
        self.machines.push(Truth { uuid, is_copy: true, is_twin, was_twin: is_twin, saved, ..Truth::default() });
    }

    /// An operator has told the herd something.
    pub fn tells(&mut self, commit: Sha1, manifest: Rc<Manifest>) {
        self.changes.push((commit, manifest));
    }

    /// The newest change that an operator made.
    #[must_use]
    pub fn newest(&self) -> Option<(Sha1, Rc<Manifest>)> {
        self.changes.last().cloned()
    }

    /// What to keep with a copy of a disk.
    #[must_use]
    pub fn save(&self, machine: usize) -> Saved {
        self.machines[machine].saved.clone()
    }

    /// The roles that are out of load because of us.
    #[must_use]
    pub fn out(&self, machine: usize) -> Vec<&'static str> {
        (0..)
            .zip(ROLES)
            .filter(|(role, _)| (self.machines[machine].out | self.machines[machine].left_behind) & (1 << role) != 0)
            .map(|(_, name)| name)
            .collect()
    }

    /// Whether it was ever in load.
    #[must_use]
    pub fn has_served(&self, machine: usize) -> bool {
        self.machines[machine].served
    }

    /// Whether a machine has really done a link, or what amounts to it.
    #[must_use]
    pub fn has_behind(&self, machine: usize, link: usize) -> bool {
        self.baselines.amount_to(self.machines[machine].saved.done, link)
    }

    /// The next link of these roles, up to that place, that a machine has to run.
    #[must_use]
    pub fn next_link(&self, machine: usize, roles: &BTreeSet<String>, goal: usize) -> Option<usize> {
        let Saved { done, begun, .. } = self.machines[machine].saved;
        let is_mine = |place: &usize| roles.contains(&self.chain.links()[*place].role);
        let is_left = |place: &usize| {
            !self.baselines.amount_to(done, *place) && !self.baselines.spare(done | begun, *place, Some(goal))
        };
        (0..=goal).filter(is_mine).find(is_left)
    }

    /// What comes of an effect on a machine.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn next(&mut self, machine: usize, effect: &Effect<'_>) -> Judged {
        let here = &mut self.machines[machine];
        match effect {
            Effect::Boots { forgets, disk } => self.boots(machine, *forgets, disk),
            Effect::StaysIn => here.kept_in = true,
            Effect::Claims { role, nonce, limit, claims } => {
                (here.freed, here.usurped) = (false, false);
                here.left_under = BTreeSet::from([*nonce]);
                let is_new = self.limits.insert((*role, *nonce), *limit).is_none();
                self.claims(machine, *role, is_new.then_some((*claims, *limit)))?;
                self.claimants.entry(*nonce).or_insert(machine);
                return if is_new { self.begins_leg(machine) } else { Ok(()) };
            }
            Effect::Starts { runner } => {
                here.runner = Some(*runner);
                return self.runs_code_of_a_change(machine);
            }
            Effect::Restores { saved, nonce, freed } => {
                (here.saved, here.nonce, here.freed) = (saved.clone(), *nonce, *freed);
                (here.is_deaf, here.looks_restored) = (true, true);
            }
            Effect::IsNow { uuid } => {
                // It is a new host: what its original failed at it may try.
                let saved = Saved { failed: BTreeMap::new(), ..here.saved.clone() };
                *here = Truth { uuid: *uuid, runner: here.runner, saved, ..Truth::default() };
            }
            Effect::GivesBack => self.gives_back(machine),
            Effect::Objects => drop(self.contested.insert(here.uuid)),
            Effect::IsKept => {
                (here.is_copy, here.is_twin) = (false, false);
                self.contested.remove(&here.uuid);
                self.actors.insert(here.uuid, machine);
            }
            Effect::Leaves { role, disk } => {
                self.runs_code_of_a_change(machine)?;
                self.machines[machine].brought_back &= !(1 << role);
                self.machines[machine].fit &= !(1 << role);
                if self.is_left_behind(machine, *role, disk) {
                    let here = &mut self.machines[machine];
                    here.left_behind |= 1 << role;
                    here.kept_in = false;
                    return Ok(());
                }
                self.may_leave_load(machine, disk)?;
                return self.leaves(machine, *role);
            }
            Effect::Answers { role, holds } => {
                here.fit &= !(1 << role);
                here.fit |= u32::from(*holds) << role;
            }
            Effect::Rejoins { role, last } => return self.rejoins(machine, *role, *last),
            Effect::Begins { link, digest, disk } => {
                self.may_run_links(machine, disk)?;
                return self.begins(machine, *link, *digest, disk);
            }
            Effect::Awaits { disk } => return holds_no_place(disk),
            Effect::Passes { link } => {
                here.saved.passed |= 1 << link;
                here.saved.begun &= !(1 << link);
            }
            Effect::Writes { old, new } => return self.writes(machine, old, new),
            Effect::Pushes { report, disk } => {
                let is_alone = self.actors.get(&here.uuid).is_none_or(|actor| *actor == machine);
                here.says_it_begins |= is_alone && matches!(report.doing, Doing::Running { .. });
                return self.pushes(report, disk);
            }
            Effect::Asks { disk } => return self.is_out_amid_leg(machine, disk),
            Effect::Hears => here.is_deaf = false,
        }
        Ok(())
    }

    /// What had taken it out of load may be forgotten.
    fn boots(&mut self, machine: usize, forgets: bool, disk: &Record) {
        let again = self.roles(machine) & bits(|role| disk.left_behind.contains(role));
        let here = &mut self.machines[machine];
        (here.kept_in, here.looks_restored, here.fit) = (false, true, 0);
        here.brought_back = if forgets { again } else { here.brought_back & again };
        if forgets {
            (here.out, here.left_behind) = (0, 0);
        }
    }

    /// Of a machine and its copy that nothing tells apart, one gives back the claim of both.
    fn gives_back(&mut self, machine: usize) {
        let stays_out = &self.machines[machine].saved.stays_out;
        let is_lost =
            |role: &str| self.host(machine).is_some_and(|host| !host.roles.contains(role)) || stays_out.contains(role);
        let lost = (0..).zip(ROLES).filter(|(_, role)| is_lost(role)).fold(0, |lost, (role, _)| lost | 1 << role);
        let here = &mut self.machines[machine];
        here.left_behind |= here.out & lost;
        here.out &= !lost;
        if here.out == 0 {
            (here.freed, here.usurped) = (false, false);
        }
        let Truth { uuid, nonce, was_twin, .. } = self.machines[machine];
        for (other, there) in self.machines.iter_mut().enumerate() {
            let is_same = there.uuid == uuid && there.nonce == nonce && nonce.is_some();
            there.usurped |= other != machine && is_same && (was_twin || there.was_twin);
        }
    }

    /// Neither of two machines with one identity claims, once one of them has objected and until people have chosen. A new
    /// claim is one of as many as may be, by what its host knew; what a pool has lost is put back whatever the limit.
    fn claims(&self, machine: usize, role: usize, new: Option<(usize, usize)>) -> Judged {
        if self.contested.contains(&self.machines[machine].uuid) {
            return Err(broken(Rule::Invariant(8), "it claims, though another machine has its identity"));
        }
        match new.filter(|(claims, limit)| claims > limit) {
            Some((claims, limit)) => {
                let what = format!("it has one of {claims} places of {}, and {limit} may be out", ROLES[role]);
                Err(broken(Rule::Invariant(3), what))
            }
            None => Ok(()),
        }
    }

    /// Whether it is out of load as a role that it had lost, and for which it gave its place back: after a boot it leaves again.
    fn is_left_behind(&self, machine: usize, role: usize, disk: &Record) -> bool {
        let is_held = disk.phase.held().is_some_and(|held| held.roles.iter().any(|held| held == ROLES[role]));
        disk.left_behind.contains(ROLES[role]) && (!is_held || self.knows_that_it_is_freed(machine, disk))
    }

    /// Whose claim was freed by force does not leave, once it knows that; amid its leg it leaves again after a boot.
    fn may_leave_load(&self, machine: usize, disk: &Record) -> Judged {
        match matches!(disk.phase, Phase::Leaving { .. }) && self.knows_that_it_is_freed(machine, disk) {
            true => Err(broken(Rule::Invariant(3), "it leaves load, and knows that its claim was freed")),
            false => Ok(()),
        }
    }

    /// Whether a change that it accepted frees its claim.
    fn knows_that_it_is_freed(&self, machine: usize, disk: &Record) -> bool {
        let held = disk.phase.held().zip(self.accepted(machine));
        held.is_some_and(|(held, manifest)| manifest.is_released(held.nonce))
    }

    fn leaves(&mut self, machine: usize, role: usize) -> Judged {
        let here = &mut self.machines[machine];
        here.out |= 1 << role;
        here.left_behind &= !(1 << role);
        here.kept_in = false;
        here.left_under.extend(here.nonce);
        let out: Vec<usize> = (0..self.machines.len()).filter(|other| self.counts(*other, role)).collect();
        let limit = out.iter().map(|other| self.limit(*other, role)).max().unwrap_or(1);
        match out.contains(&machine) && out.len() > limit {
            true => Err(broken(
                Rule::Invariant(3),
                format!("{} hosts of {} are out, and {limit} may be", out.len(), ROLES[role]),
            )),
            false => Ok(()),
        }
    }

    /// Whether it is a host of this role in service that is out of load because of us.
    fn counts(&self, machine: usize, role: usize) -> bool {
        let here = &self.machines[machine];
        let manifest = self.changes.last().map(|(_, manifest)| manifest);
        let host = manifest.and_then(|manifest| manifest.host_of(here.uuid));
        let is_released =
            manifest.is_some_and(|manifest| here.left_under.iter().any(|nonce| manifest.is_released(*nonce)));
        let has_role = host.is_some_and(|(_, host)| host.roles.contains(ROLES[role]));
        here.out & (1 << role) != 0
            && here.served
            && !here.freed
            && !here.usurped
            && !here.is_copy
            && has_role
            && !is_released
    }

    fn limit(&self, machine: usize, role: usize) -> usize {
        let claimed = self.machines[machine].nonce.and_then(|nonce| self.limits.get(&(role, nonce)));
        claimed.copied().or_else(|| Some(self.may_leave(role, &self.changes.last()?.1))).unwrap_or(1)
    }

    /// How many hosts of a role may be out at once by what a change says: a share is one of those that were ever in load,
    /// whatever hosts report.
    #[must_use]
    pub fn may_leave(&self, role: usize, manifest: &Manifest) -> usize {
        let has_served = |uuid: Uuid| self.machines.iter().any(|machine| machine.uuid == uuid && machine.served);
        let hosts = manifest.hosts.values().filter(|host| host.roles.contains(ROLES[role]));
        let serving = hosts.filter(|host| host.identity.as_ref().is_some_and(|identity| has_served(identity.uuid)));
        let max_out = manifest.roles.get(ROLES[role]).map_or(MaxOut::Hosts(1), |policy| policy.max_out);
        max_out.of(serving.count())
    }

    /// Who failed does not rejoin. A link that failed in load takes nobody out of it: who gains a role before that is
    /// tried again leaves for the links of that role, and comes back. Nor does anybody who has all behind it that its runner
    /// has for it as a role whose spec does not hold, or was not asked since it rejoined as that last.
    fn rejoins(&mut self, machine: usize, role: usize, last: usize) -> Judged {
        self.runs_code_of_a_change(machine)?;
        let is_to_be_fit = self.is_through(machine, last);
        let here = &mut self.machines[machine];
        here.out &= !(1 << role);
        here.left_behind &= !(1 << role);
        here.brought_back &= !(1 << role);
        if here.out == 0 {
            here.left_under.clear();
            (here.freed, here.usurped) = (false, false);
        }
        here.served = true;
        let is_fit = here.fit & (1 << role) != 0;
        here.fit &= !(1 << role);
        let in_load = here.saved.begun_in_load;
        match self.unended(machine).find(|link| in_load & (1 << link) == 0) {
            Some(link) => {
                Err(broken(Rule::Invariant(6), format!("it rejoins after {}, which did not end", self.name(link))))
            }
            None if !is_fit && is_to_be_fit => {
                Err(broken(Rule::Invariant(6), format!("it rejoins as {}, whose spec has not held", ROLES[role])))
            }
            None => Ok(()),
        }
    }

    /// Whether no link up to that place is left for it to run, as a host of the herd.
    fn is_through(&self, machine: usize, last: usize) -> bool {
        self.host(machine).is_some_and(|host| self.next_link(machine, &host.roles, last).is_none())
    }

    fn begins(&mut self, machine: usize, link: usize, digest: Digest, disk: &Record) -> Judged {
        self.runs_code_of_a_change(machine)?;
        let here = &self.machines[machine];
        let Saved { done, failed, .. } = &here.saved;
        if done & (1 << link) != 0 {
            return Err(broken(Rule::Invariant(2), format!("{} runs again, though it is done", self.name(link))));
        }
        if self.baselines.amount_to(*done, link) {
            let what = format!("{} runs, though a baseline or what it stands for is done", self.name(link));
            return Err(broken(Rule::Invariant(1), what));
        }
        if let Some(before) = self.unended(machine).find(|before| *before < link) {
            let what = format!("{} runs after {}, which did not end", self.name(link), self.name(before));
            return Err(broken(Rule::Invariant(6), what));
        }
        if let Some(missed) = self.missed(done | 1 << link, link) {
            let what = format!("{} runs before {}", self.name(link), self.name(missed));
            return Err(broken(Rule::Invariant(1), what));
        }
        if let Some(key) = failed.get(&link)
            && *key == (digest, self.settings(machine))
        {
            return Err(broken(
                Rule::Invariant(6),
                format!("{} is tried again, though nothing changed", self.name(link)),
            ));
        }
        let here = &mut self.machines[machine];
        let in_load = here.served && disk.phase.held().is_none();
        here.saved.begun |= 1 << link;
        here.saved.begun_in_load &= !(1 << link);
        here.saved.begun_in_load |= u32::from(in_load) << link;
        Ok(())
    }

    /// The first link of the same role before this one that who has done these links should have done.
    fn missed(&self, done: u32, link: usize) -> Option<usize> {
        let role = &self.chain.links()[link].role;
        (0..link).find(|place| self.chain.links()[*place].role == *role && !self.baselines.amount_to(done, *place))
    }

    /// Links run out of load, under a claim that is held, and on one of the machines with an identity.
    fn may_run_links(&self, machine: usize, disk: &Record) -> Judged {
        let here = &self.machines[machine];
        if here.is_copy && !here.was_twin && self.actors.get(&here.uuid) != Some(&machine) {
            return Err(broken(Rule::Invariant(8), "it is a copy, and runs a link in its original's name"));
        }
        if disk.contested.is_some() {
            return Err(broken(Rule::Invariant(8), "it runs a link, and knows that another machine has its identity"));
        }
        if here.freed && !here.is_deaf {
            return Err(broken(Rule::Invariant(3), "it runs a link out of load, without a claim"));
        }
        match self.role_in_load(machine, disk) {
            Some(role) => Err(broken(Rule::OutOfLoad, format!("it runs a link, and is in load as {role}"))),
            None => Ok(()),
        }
    }

    /// A role that its claim is for, and that it is in load as.
    fn role_in_load<'a>(&self, machine: usize, disk: &'a Record) -> Option<&'a str> {
        let roles = disk.phase.held().map(|held| &held.roles[..]).unwrap_or_default();
        let out = self.out(machine);
        roles.iter().map(String::as_str).find(|role| !out.contains(role))
    }

    /// The links that began and did not end, of roles that the host still has, as far as it knows.
    fn unended(&self, machine: usize) -> impl Iterator<Item = usize> {
        let here = &self.machines[machine];
        let is_mine = move |link: &usize| {
            let role = self.chain.links().get(*link).map(|link| &link.role);
            self.host(machine).is_none_or(|host| role.is_some_and(|role| host.roles.contains(role)))
        };
        (0..self.chain.links().len()).filter(move |link| here.saved.begun & (1 << link) != 0).filter(is_mine)
    }

    /// Whether a link of this role began there out of load and did not end.
    fn is_amid(&self, machine: usize, role: &str) -> bool {
        let Saved { begun, done, begun_in_load, .. } = self.machines[machine].saved;
        let amid = begun & !done & !begun_in_load;
        (0..).zip(self.chain.links()).any(|(place, link)| link.role == role && amid & (1 << place) != 0)
    }

    /// The newest change that a machine accepted.
    fn accepted(&self, machine: usize) -> Option<&Manifest> {
        let accepted = self.machines[machine].saved.accepted;
        self.changes.iter().find(|(commit, _)| Some(*commit) == accepted).map(|(_, manifest)| &**manifest)
    }

    /// The host that a machine is, by the newest change that it accepted.
    fn host(&self, machine: usize) -> Option<&HostManifest> {
        self.accepted(machine)?.host_of(self.machines[machine].uuid).map(|(_, host)| host)
    }

    /// The roles of that host, a bit each.
    fn roles(&self, machine: usize) -> u32 {
        let host = self.host(machine);
        bits(|role| host.is_some_and(|host| host.roles.contains(role)))
    }

    /// What the host's settings are, by the newest change that it accepted.
    fn settings(&self, machine: usize) -> Digest {
        self.host(machine).map_or(Digest::of(b""), settings_digest)
    }

    fn writes(&mut self, machine: usize, old: &Record, new: &Record) -> Judged {
        if old.links.len() != new.links.len() || old.ahead != new.ahead {
            self.completes(machine, new)?;
            self.passes_over(machine, old, new)?;
        }
        if old.accepted != new.accepted {
            self.accepts(machine, old.accepted, new.accepted)?;
        }
        if old.left_behind != new.left_behind || old.phase != new.phase {
            let gives_back = matches!(new.phase, Phase::Returning { .. });
            let behind = new.left_behind.iter().filter(|role| gives_back && self.is_amid(machine, role));
            let stays_out = behind.cloned().collect();
            self.machines[machine].saved.stays_out = stays_out;
        }
        if old.phase != new.phase {
            self.starts_link(machine, old, new)?;
            self.moves(machine, &old.phase, &new.phase)?;
        }
        Ok(())
    }

    /// Whose claim was freed by force starts no further link, once it knows that. What was started before it ends.
    fn starts_link(&self, machine: usize, old: &Record, new: &Record) -> Judged {
        let started = matches!(new.phase, Phase::Running { .. }) && old.started != new.started;
        match started && self.knows_that_it_is_freed(machine, new) {
            true => Err(broken(Rule::Invariant(3), "it starts a link, and knows that its claim was freed")),
            false => Ok(()),
        }
    }

    fn completes(&mut self, machine: usize, record: &Record) -> Judged {
        let done = self.done(record);
        let passed = self.machines[machine].saved.passed;
        let missing = |mask: u32| (0..self.chain.links().len()).find(|link| mask & (1 << link) != 0);
        if let Some(link) = missing(done & !passed) {
            return Err(broken(
                Rule::Invariant(1),
                format!("{} is done by the record, and never ran", self.name(link)),
            ));
        }
        let is_done = |place: &usize| done & (1 << place) != 0;
        let gap =
            (0..self.chain.links().len()).filter(is_done).find_map(|place| Some((place, self.missed(done, place)?)));
        if let Some((place, missed)) = gap {
            let what = format!("{} is done, and {} before it is not", self.name(place), self.name(missed));
            return Err(broken(Rule::Invariant(1), what));
        }
        self.machines[machine].saved.done = done;
        Ok(())
    }

    /// A host passes over links of other roles, those of its own that a baseline spares it, and amid a leg those of a role
    /// that it gained since: it goes back for them.
    fn passes_over(&self, machine: usize, old: &Record, new: &Record) -> Judged {
        let added = new.links.get(old.links.len()..).unwrap_or_default();
        let (Some(host), done) = (self.host(machine), self.done(new)) else { return Ok(()) };
        let goal = self.accepted(machine).and_then(|told| {
            let targets = told.target.into_iter().chain(told.canary.as_ref().map(|canary| canary.target));
            targets.filter_map(|target| self.chain.position(target)).max()
        });
        let claimed = new.phase.held().map(|held| &held.roles);
        let is_wrong = |link: usize| {
            let role = &self.chain.links()[link].role;
            let is_spared = self.baselines.amount_to(done, link) || self.baselines.spare(done, link, goal);
            let is_gained = claimed.is_some_and(|roles| !roles.contains(role) || self.missed(done, link).is_some());
            host.roles.contains(role) && !is_spared && !is_gained
        };
        let passed = added.iter().filter(|link| link.how == How::PassedOver);
        match passed.filter_map(|link| self.chain.position(link.sha1)).find(|link| is_wrong(*link)) {
            Some(link) => {
                Err(broken(Rule::Invariant(1), format!("it passes over {}, which is for its role", self.name(link))))
            }
            None => Ok(()),
        }
    }

    fn done(&self, record: &Record) -> u32 {
        let all = record.links.iter().chain(&record.ahead).filter(|link| link.how != How::PassedOver);
        all.filter_map(|link| self.chain.position(link.sha1)).fold(0, |done, place| done | 1 << place)
    }

    fn accepts(&mut self, machine: usize, old: Option<Sha1>, new: Option<Sha1>) -> Judged {
        match (self.number(new), old.map(|old| self.number(Some(old)))) {
            (None, _) => return Err(broken(Rule::Invariant(5), "it accepts a change that no operator signed")),
            (Some(new), Some(Some(old))) if new < old => {
                return Err(broken(Rule::Invariant(5), "it accepts a change that does not come after the last one"));
            }
            _ => {}
        }
        self.machines[machine].saved.accepted = new;
        let roles = self.roles(machine);
        self.machines[machine].brought_back &= roles;
        Ok(())
    }

    fn moves(&mut self, machine: usize, old: &Phase, new: &Phase) -> Judged {
        if let Phase::Failed { failure, .. } = new
            && let Some(link) = self.chain.position(failure.link)
        {
            let key = (failure.digest, failure.settings);
            self.machines[machine].saved.failed.insert(link, key);
        }
        if let (Phase::Failed { failure, .. }, false) = (old, matches!(new, Phase::Failed { .. })) {
            self.tries_again(machine, failure);
        }
        self.machines[machine].nonce = new.held().map(|held| held.nonce);
        // Who claims begins when its claim stands, though it may hear of that later. A copy has the claim from its disk.
        let begins = match (old, new) {
            (Phase::Claiming { .. }, Phase::Leaving { leg: Leg { held: Some(held), .. } }) => {
                self.claimants.get(&held.nonce) != Some(&machine)
            }
            (Phase::InLoad, Phase::Out { leg: Leg { held: None, .. } }) => true,
            _ => false,
        };
        if begins { self.begins_leg(machine) } else { Ok(()) }
    }

    /// A failure is one under the code and the settings that it came about with: who goes on under others has none.
    fn tries_again(&mut self, machine: usize, failure: &Failure) {
        let Some(place) = self.chain.position(failure.link) else { return };
        let told = self.accepted(machine).and_then(|manifest| manifest.chain.get(failure.link));
        let is_same = self.host(machine).is_some()
            && self.settings(machine) == failure.settings
            && told.is_none_or(|link| link.digest == failure.digest);
        if !is_same {
            self.machines[machine].saved.failed.remove(&place);
        }
    }

    /// Of two machines with one identity one begins legs, until people choose. Who was restored, or looks as if it had been
    /// since it booted, may come after one from which nothing tells it apart, and which has not objected in time; so may
    /// who had said that it begins before that one did. And who does not know yet that its identity left the herd may come
    /// after one that does, where a log that was rewound still has the host.
    fn begins_leg(&mut self, machine: usize) -> Judged {
        let uuid = self.machines[machine].uuid;
        let before = *self.actors.entry(uuid).or_insert(machine);
        let follows_twin = self.machines[before].was_twin;
        let is_gone = self.accepted(before).is_some() && self.host(before).is_none();
        let accepted = |machine: usize| self.number(self.machines[machine].saved.accepted);
        let follows_gone = is_gone && accepted(machine) < accepted(before);
        let here = &mut self.machines[machine];
        let (passes, looks_restored) = (std::mem::take(&mut here.is_twin), std::mem::take(&mut here.looks_restored));
        let had_said = std::mem::take(&mut here.says_it_begins);
        let is_same_hardware = !here.is_copy || here.was_twin;
        let follows = (follows_twin && (looks_restored || had_said)) || follows_gone;
        let is_next = passes || (is_same_hardware && follows);
        if is_next {
            self.actors.insert(uuid, machine);
        }
        match is_next || before == machine {
            true => Ok(()),
            false => Err(broken(Rule::Invariant(8), "two machines with one identity have begun a leg")),
        }
    }

    /// The place of a change in the log, as operators wrote it.
    fn number(&self, commit: Option<Sha1>) -> Option<usize> {
        self.changes.iter().position(|(known, _)| Some(*known) == commit)
    }

    fn pushes(&self, report: &Report, disk: &Record) -> Judged {
        let place = |state: Option<Sha1>| state.and_then(|state| self.chain.position(state));
        let more =
            |about: &str| Err(broken(Rule::Invariant(4), format!("the report says more than the disk about {about}")));
        if place(report.state) > place(disk.state()) {
            return more("the state");
        }
        if report.in_service && !disk.in_service {
            return more("being in service");
        }
        if self.number(report.accepted_commit) > self.number(disk.accepted) {
            return more("what was accepted");
        }
        if !disk.reports.nonces.contains(&report.nonce) {
            return more("which report it is");
        }
        Ok(())
    }

    /// Whoever is amid a leg is out of load when it asks the network, after a boot too. Who tried to leave and could not
    /// asks on, and runs nothing. A copy does not leave in its original's name, once it knows that it is one.
    fn is_out_amid_leg(&self, machine: usize, disk: &Record) -> Judged {
        let here = &self.machines[machine];
        if here.kept_in || here.is_copy {
            return Ok(());
        }
        self.stays_out(machine, disk)?;
        if !disk.phase.is_out() || matches!(disk.phase, Phase::Leaving { .. }) {
            return Ok(());
        }
        let rule = if matches!(disk.phase, Phase::Failed { .. }) { Rule::Invariant(6) } else { Rule::OutOfLoad };
        match self.role_in_load(machine, disk) {
            Some(role) => Err(broken(rule, format!("it goes on amid a leg, and is in load as {role}"))),
            None => Ok(()),
        }
    }

    /// Who has a role again that it lost amid a link of it bears load as that once the link has ended, and not after a boot.
    fn stays_out(&self, machine: usize, disk: &Record) -> Judged {
        let brought_back = self.machines[machine].brought_back;
        let is_back = |(place, role): &(usize, &str)| {
            brought_back & (1 << place) != 0 && disk.left_behind.contains(*role) && self.is_amid(machine, role)
        };
        match (0..).zip(ROLES).find(is_back) {
            Some((_, role)) => Err(broken(Rule::Invariant(6), format!("it is in load as {role}, amid a link of it"))),
            None => Ok(()),
        }
    }

    fn runs_code_of_a_change(&self, machine: usize) -> Judged {
        let here = &self.machines[machine];
        let newest = self.number(here.saved.accepted);
        let accepted = &self.changes[..newest.map_or(0, |newest| newest + 1)];
        let is_named = |runner: Digest| {
            let mut named = accepted.iter().flat_map(|(_, manifest)| manifest.runners.values());
            named.any(|named| named.sha256 == runner)
        };
        match here.runner.is_some_and(is_named) {
            true => Ok(()),
            false => Err(broken(Rule::Invariant(5), "it runs a runner that no change names which it accepted")),
        }
    }

    fn name(&self, link: usize) -> &str {
        self.chain.links().get(link).map_or("?", |link| link.name.as_str())
    }
}

/// Others may be waiting for the place of who is out of load, so that one waits for nobody.
fn holds_no_place(disk: &Record) -> Judged {
    match disk.phase.held() {
        Some(_) => Err(broken(Rule::Waits, "its code waits for others, and it holds a place that these may wait for")),
        None => Ok(()),
    }
}

/// A bit for each role of which this is true.
fn bits(is_one: impl Fn(&str) -> bool) -> u32 {
    (0..).zip(ROLES).filter(|(_, role)| is_one(role)).fold(0, |bits, (role, _)| bits | 1 << role)
}
