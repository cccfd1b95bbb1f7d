//! What is done to a herd: what goes wrong, and what operators do about it. A round is a list of deeds; which machine is
//! meant by a number depends on how many there are by then.

use std::collections::BTreeSet;
use std::rc::Rc;

use wb_core::agent::phase::Phase;
use wb_core::change::{Manifest, Whom};
use wb_core::pool::Pool;
use wb_core::registry::RefName;

use super::faults::Blow;
use super::fleet::{Build, ROLES, length};
use super::ledger::Effect;
use super::server::Object;
use super::still;
use super::world::{Backup, Disk, Later, Loss, Machine, Poison, World, with};
use crate::torture::chance::Chance;

/// Something that is done to the herd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// An agent will fall.
    Falls(usize, Blow),
    /// The network does not reach a machine for so many milliseconds.
    Cut(usize, u64),
    /// What comes of a push of a machine is lost.
    Loses(usize, Loss),
    /// A disk is full for so many milliseconds.
    Full(usize, u64),
    /// A machine boots, and may forget what took it out of load.
    Boots(usize, bool),
    /// A disk is backed up.
    BacksUp(usize),
    /// A disk is put back to one of its backups.
    Restores(usize, usize, bool),
    /// A disk is copied to another machine, whose hardware looks the same or not.
    Clones(usize, bool),
    /// `leave` fails so often.
    KeepsIn(usize, u32),
    /// `rejoin` fails so often, or, before that, the spec of a role.
    KeepsOut(usize, u32),
    /// A role's gate is closed for so many milliseconds.
    ClosesGate(usize, u64),
    /// A link fails: on one machine, or on all until it is amended.
    Poisons(usize, Option<usize>),
    /// The server can't be reached for so many milliseconds.
    Down(u64),
    /// The server takes nothing for so many milliseconds.
    ReadOnly(u64),
    /// The log of changes is put back by so many changes, for so many milliseconds.
    Rewinds(usize, u64),
    /// Somebody who may not do so appends a change, for so many milliseconds.
    Forges(u64),
    /// So many more links are deployed, to so many canaries first; the runner may be tampered with.
    Deploys(usize, usize, bool),
    /// What canaries have is for everyone.
    Promotes,
    /// A host, a role or the herd is held.
    Holds(usize),
    /// All go on.
    Resumes,
    /// What failed is tried again.
    Retries,
    /// What failed was done by hand, or so it is said.
    Adopts(bool),
    /// What failed is amended.
    Amends(usize),
    /// A claim is freed by force.
    Releases(usize),
    /// A wait is waived.
    Waives,
    /// A new machine joins.
    Joins(usize),
    /// A host leaves the herd.
    Retires(usize),
    /// A host gets other roles.
    Tags(usize, usize),
    /// A host gets another name.
    Renames(usize),
    /// A machine with nothing takes the place of a host.
    Replaces(usize),
    /// A new or a restored host moves, and all others stand still.
    StandsStill(usize),
}

/// Something that was to come has come.
pub fn comes(later: Later) {
    match later {
        Later::Act(index) => {
            let deed = with(|world| world.deeds.get(index).map(|(_, deed)| deed.clone()));
            if let Some(deed) = deed {
                happens(&deed);
            }
        }
        Later::Arrives { machine, updates } => with(|world| {
            world.faults.count("late_push");
            world.say(machine, || "its push arrives late".into());
            world.arrives(machine, &updates);
        }),
        Later::Boots { machine, forgets } => with(|world| world.boots(machine, forgets)),
        Later::Unwinds => with(World::unwinds),
        Later::Admits(machine) => with(|world| world.is_admitted(machine)),
    }
}

fn happens(deed: &Deed) {
    if let Deed::StandsStill(which) = deed {
        return still::stands_still(*which);
    }
    with(|world| {
        world.events += 1;
        world.done_to(deed);
    });
}

impl World {
    fn done_to(&mut self, deed: &Deed) {
        match deed {
            Deed::Falls(which, blow) => {
                let machine = self.pick(*which);
                self.machines[machine].blows.push(*blow);
            }
            Deed::Cut(which, millis) => {
                let machine = self.pick(*which);
                self.say(machine, || format!("is cut off for {} s", millis / 1000));
                self.machines[machine].cut = self.now + millis;
            }
            Deed::Loses(which, loss) => {
                let machine = self.pick(*which);
                self.say(machine, || format!("one of its next pushes will meet a loss: {loss:?}"));
                self.machines[machine].lost.push(*loss);
            }
            Deed::Full(which, millis) => {
                let machine = self.pick(*which);
                self.say(machine, || format!("its disk is full for {} s", millis / 1000));
                self.machines[machine].full = self.now + millis;
            }
            Deed::Boots(which, forgets) => {
                let machine = self.pick(*which);
                self.faults.count("reboot");
                self.boots(machine, *forgets);
            }
            Deed::BacksUp(which) => self.backs_up(*which),
            Deed::Restores(which, backup, forgets) => self.restores(*which, *backup, *forgets),
            Deed::Clones(which, is_twin) => self.clones(*which, *is_twin),
            Deed::KeepsIn(which, times) => {
                let machine = self.pick(*which);
                self.say(machine, || format!("its leave will fail {times} times"));
                self.machines[machine].leave_fails = *times;
            }
            Deed::KeepsOut(which, times) => {
                let machine = self.pick(*which);
                self.say(machine, || format!("its rejoin will fail {times} times"));
                self.machines[machine].rejoin_fails = *times;
            }
            Deed::ClosesGate(role, millis) => {
                let role = *role % ROLES.len();
                self.say(usize::MAX, || format!("the gate of {} is closed for {} s", ROLES[role], millis / 1000));
                self.gates[role] = self.now + millis;
            }
            Deed::Poisons(link, machine) => {
                let (link, machine) = (link % self.chain.links().len(), machine.map(|which| self.pick(which)));
                let version = machine.is_none().then(|| self.build.version(link));
                self.say(machine.unwrap_or(usize::MAX), || format!("{} will fail", self.chain.links()[link].name));
                self.poison.push(Poison { machine, link, version });
            }
            Deed::Down(millis) => {
                self.say(usize::MAX, || format!("the server is down for {} s", millis / 1000));
                self.down = self.now + millis;
            }
            Deed::ReadOnly(millis) => {
                self.say(usize::MAX, || format!("the server takes nothing for {} s", millis / 1000));
                self.read_only = self.now + millis;
            }
            Deed::Rewinds(by, millis) => self.rewinds(*by, *millis),
            Deed::Forges(millis) => self.forges(*millis),
            _ => self.is_told(deed),
        }
    }

    fn is_told(&mut self, deed: &Deed) {
        match deed {
            Deed::Deploys(links, canaries, tampered) => {
                let links = (self.build.links + links).min(length(self.fleet));
                self.deploys(Build { links, ..self.build }, *canaries, *tampered);
            }
            Deed::Promotes => drop({
                let early = self.chance.one_in(2);
                self.promotes(early)
            }),
            Deed::Holds(which) => drop(self.holds(self.whom(*which))),
            Deed::Resumes => drop(self.resumes()),
            Deed::Retries => drop(self.retries()),
            Deed::Adopts(by_hand) => drop(self.adopts(*by_hand)),
            Deed::Amends(which) => drop(self.amends(*which)),
            Deed::Releases(which) => drop(self.releases(*which)),
            Deed::Waives => drop(self.waives_one()),
            Deed::Joins(roles) => self.joins(*roles, None),
            Deed::Retires(which) => {
                let name = self.host(*which);
                self.retires(&name);
            }
            Deed::Tags(which, roles) => {
                let name = self.host(*which);
                self.tags(&name, &some_roles(*roles));
            }
            Deed::Renames(which) => {
                let name = self.host(*which);
                self.renames(&name);
            }
            Deed::Replaces(which) => {
                let name = self.host(*which);
                self.joins(0, Some(name));
            }
            _ => {}
        }
    }

    /// One of the machines.
    fn pick(&self, which: usize) -> usize {
        which % self.machines.len().max(1)
    }

    /// The name of one of the hosts.
    fn host(&self, which: usize) -> String {
        let told = self.told();
        let names: Vec<&String> = told.hosts.keys().collect();
        names.get(which % names.len().max(1)).map(|name| (*name).clone()).unwrap_or_default()
    }

    fn whom(&self, which: usize) -> Whom {
        match which % 4 {
            0 => Whom::Herd,
            1 => Whom::Role(ROLES[which / 4 % ROLES.len()].into()),
            _ => Whom::Host(self.host(which / 4)),
        }
    }

    /// A machine starts anew; an agent that acts there acts no more.
    pub fn boots(&mut self, machine: usize, forgets: bool) {
        self.say(machine, || if forgets { "boots, into load".into() } else { "boots".into() });
        let here = &mut self.machines[machine];
        here.agent = None;
        here.fallen = here.busy;
        here.on = true;
        here.boot += 1;
        here.booted = self.now;
        let (after, disk) = (500 + here.chance.below(5_000) as u64, Rc::clone(&here.disk.record));
        self.witness(machine, &Effect::Boots { forgets, disk: &disk });
        self.turn(machine, after);
    }

    fn backs_up(&mut self, which: usize) {
        let machine = self.pick(which);
        let saved = self.ledger.save(machine);
        let at = self.now;
        self.say(machine, || "its disk is backed up".into());
        let here = &mut self.machines[machine];
        let backup = Backup { at, disk: here.disk.clone(), applied: here.applied, saved };
        here.backups.push(backup);
    }

    /// One of the machines that have a backup is restored to it. A backup of another identity is none of its own.
    fn restores(&mut self, which: usize, backup: usize, forgets: bool) {
        let own = |machine: &Machine| {
            let of_now = |backup: &&Backup| backup.disk.config.uuid == machine.disk.config.uuid;
            machine.backups.iter().filter(of_now).cloned().collect::<Vec<Backup>>()
        };
        let mut can_be: Vec<(usize, Vec<Backup>)> =
            (0..).zip(&self.machines).map(|(at, here)| (at, own(here))).collect();
        can_be.retain(|(machine, own)| !own.is_empty() && !self.machines[*machine].is_copy);
        let Some((machine, mut own)) = (!can_be.is_empty()).then(|| can_be.swap_remove(which % can_be.len())) else {
            return;
        };
        let backup = own.swap_remove(backup % own.len());
        self.faults.count("restore");
        self.say(machine, || format!("is restored to {} s", backup.at / 1000));
        let nonce = backup.disk.record.phase.held().map(|held| held.nonce);
        let freed = !self.is_listed(&backup.disk);
        let here = &mut self.machines[machine];
        here.disk = backup.disk;
        here.applied = backup.applied;
        here.is_restored = true;
        self.witness(machine, &Effect::Restores { saved: backup.saved, nonce, freed });
        self.boots(machine, forgets);
    }

    /// Whether the pools count a machine with this disk as out, by this claim or another one, where it is amid a leg whose
    /// claim no operator has freed.
    fn is_listed(&self, disk: &Disk) -> bool {
        let (told, phase) = (self.told(), &disk.record.phase);
        let has = |pool: &Pool| pool.counting(&told).holders.iter().any(|claim| claim.uuid == disk.config.uuid);
        let held = phase.held().filter(|held| phase.is_out() && !told.is_released(held.nonce));
        held.is_none_or(|held| held.roles.iter().all(|role| self.server.pool(role).is_some_and(has)))
    }

    fn clones(&mut self, which: usize, is_twin: bool) {
        let (original, number) = (self.pick(which), self.machines.len());
        if self.machines[original].is_copy || number > 60 {
            return;
        }
        let (saved, chance) = (self.ledger.save(original), Chance(self.chance.next()));
        let here = &self.machines[original];
        let (disk, applied, name) = (here.disk.clone(), here.applied, format!("{}'", here.name));
        self.ledger.is_copied(saved, disk.config.uuid, is_twin);
        let mut copy = Machine::new(disk, number, applied, chance);
        (copy.name, copy.is_copy, copy.is_twin) = (name, true, is_twin);
        if is_twin {
            copy.fingerprint.clone_from(&self.machines[original].fingerprint);
            copy.boot = 1_000 * number as u64;
        }
        self.machines.push(copy);
        self.faults.count("clone");
        self.say(number, || "is a clone".into());
        self.boots(number, true);
    }

    /// A new machine enrols, and will be admitted: under a name of its own, or in place of a host.
    pub fn joins(&mut self, roles: usize, name: Option<String>) {
        if self.machines.len() > 60 || !self.can_tell() {
            return;
        }
        let name = name.unwrap_or_else(|| format!("new{}", self.machines.len()));
        let accepted = self.ledger.newest().map(|(commit, _)| commit);
        let record = wb_core::agent::Record { accepted, ..wb_core::agent::Record::default() };
        let machine = self.appears(&name, record, false);
        self.machines[machine].wants = some_roles(roles);
        self.say(machine, || "enrols".into());
        self.turn(machine, 1_000);
        self.will(20_000, Later::Admits(machine));
    }

    /// A machine that enrolled is admitted, as soon as its report is there.
    pub fn is_admitted(&mut self, machine: usize) {
        let uuid = self.machines[machine].disk.config.uuid;
        if !self.told().knows(uuid) && !self.admits(machine, self.machines[machine].wants.clone()) {
            self.will(20_000, Later::Admits(machine));
        }
    }

    /// The link that a host failed at is amended, and deployed.
    pub fn amends(&mut self, which: usize) -> bool {
        let failed = |record: &wb_core::agent::Record| match &record.phase {
            Phase::Failed { failure, .. } => Some(failure.link),
            _ => None,
        };
        let failed: Vec<usize> =
            self.machines.iter().filter_map(|machine| self.chain.position(failed(&machine.disk.record)?)).collect();
        let Some(link) = failed.get(which % failed.len().max(1)) else { return false };
        let Some(build) = self.build.amending(*link) else { return false };
        if !self.deploys(build, 0, false) {
            return false;
        }
        self.faults.count("amend");
        true
    }

    fn rewinds(&mut self, by: usize, millis: u64) {
        let Some(tip) = self.server.get(&RefName::Changes).filter(|_| self.can_tell()) else { return };
        let mut older = tip;
        for _ in 0..by {
            match self.server.object(older) {
                Some(Object::Change { parent: Some(parent), .. }) => older = *parent,
                _ => break,
            }
        }
        if older == tip {
            return;
        }
        self.say(usize::MAX, || "the log of changes is rewound".into());
        self.server.point(&RefName::Changes, Some(older));
        self.will(millis, Later::Unwinds);
    }

    fn forges(&mut self, millis: u64) {
        let Some(tip) = self.server.get(&RefName::Changes).filter(|_| self.can_tell()) else { return };
        let told = self.told();
        let mut manifest = Manifest { number: told.number + 1, message: "forged".into(), ..(*told).clone() };
        manifest.target = None;
        manifest.roles.values_mut().for_each(|policy| policy.max_out = wb_core::context::MaxOut::Percent(100));
        let signer = self.chance.one_in(2).then_some("mallory");
        let forged = self.server.add(Object::Change { parent: Some(tip), signer, manifest: Rc::new(manifest) });
        self.say(usize::MAX, || "somebody forges a change".into());
        self.server.point(&RefName::Changes, Some(forged));
        self.will(millis, Later::Unwinds);
    }

    /// The log of changes is what operators made it.
    pub fn unwinds(&mut self) {
        let tip = self.ledger.newest().map(|(commit, _)| commit);
        if tip != self.server.get(&RefName::Changes) {
            self.say(usize::MAX, || "the log of changes is put back".into());
            self.server.point(&RefName::Changes, tip);
        }
    }
}

/// One or two roles.
#[must_use]
pub fn some_roles(which: usize) -> BTreeSet<String> {
    let first = ROLES[which % ROLES.len()];
    let second = (which / ROLES.len()).is_multiple_of(3).then(|| ROLES[which / (3 * ROLES.len()) % ROLES.len()]);
    std::iter::once(first).chain(second).map(str::to_owned).collect()
}
