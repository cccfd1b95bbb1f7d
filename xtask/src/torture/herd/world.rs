//! The world of one round: a server, machines, a clock, and chance. It lies on the thread that plays the round, since the
//! parts of an agent reach it from below: each of them knows the place of its machine in it and nothing else.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use uuid::Uuid;
use wb_core::agent::pace::Streak;
use wb_core::agent::{Agent, Notices, Record};
use wb_core::chain::{Chain, Sha1};
use wb_core::registry::{RefName, RefUpdate};
use wb_core::runner::HostConfig;

use super::deed::Deed;
use super::faults::{Blow, Faults};
use super::fleet::{Build, ROLES};
use super::ledger::{Effect, Ledger, Saved};
use super::refs::Refs;
use super::server::Server;
use super::tale::Line;
use crate::torture::chance::Chance;
use crate::torture::rule::{Rule, Violation, broken};

/// When the time of a round begins, in seconds since 1970, UTC.
pub const START: u64 = 1_700_000_000;

/// How far the polls of hosts are apart.
pub const POLL: Duration = Duration::from_secs(30);

/// What a machine's disk has, as a backup has it too.
#[derive(Debug, Clone)]
pub struct Disk {
    /// Who it is.
    pub config: HostConfig,
    /// Its key, private and public in one.
    pub key: String,
    /// Its record.
    pub record: Rc<Record>,
    /// The refs that it fetched last.
    pub seen: Refs,
    /// The installed runner.
    pub runner: Vec<u8>,
    /// The runner before.
    pub kept: Option<Vec<u8>>,
    /// One that is about to be installed.
    pub laid: Option<Vec<u8>>,
    /// What it has to tell people.
    pub notices: Notices,
}

/// A copy of a disk, and what was true when it was made.
#[derive(Debug, Clone)]
pub struct Backup {
    /// When.
    pub at: u64,
    /// The disk.
    pub disk: Disk,
    /// The links whose effect is in it.
    pub applied: u32,
    /// What its machine had done.
    pub saved: Saved,
}

/// A machine.
pub struct Machine {
    /// What people call it.
    pub name: String,
    /// Its disk.
    pub disk: Disk,
    /// Copies of it, oldest first.
    pub backups: Vec<Backup>,
    /// Which hardware it is.
    pub fingerprint: String,
    /// Which boot this is.
    pub boot: u64,
    /// Since when, in milliseconds.
    pub booted: u64,
    /// Whether it is on.
    pub on: bool,
    /// Its agent, while it runs and does not act.
    pub agent: Option<Agent<'static>>,
    /// What that agent runs.
    pub running: Option<Build>,
    /// Whether its agent acts now.
    pub busy: bool,
    /// Whether its agent has fallen and must do nothing more.
    pub fallen: bool,
    /// Whether it came from another machine's disk and is to be dealt with.
    pub is_copy: bool,
    /// Whether it was restored, and has not got its state back.
    pub is_restored: bool,
    /// Whether its agent says that another machine has its identity.
    pub is_stuck: bool,
    /// Whether it is a copy that has the hardware of the original too, as far as it can tell.
    pub is_twin: bool,
    /// The roles that it is to get.
    pub wants: BTreeSet<String>,
    /// When it has its next turn, unless it has it now.
    pub due: u64,
    /// How often its turns failed in a row.
    pub streak: Streak,
    /// Where its chance comes from.
    pub chance: Chance,
    /// What it will fall at.
    pub blows: Vec<Blow>,
    /// Until when the network does not reach it.
    pub cut: u64,
    /// Until when its disk is full.
    pub full: u64,
    /// How often its `leave` will fail.
    pub leave_fails: u32,
    /// How often its `rejoin` will fail, or, before that, the spec of a role.
    pub rejoin_fails: u32,
    /// The links whose effect is there, done by the link or by hand: a bit each.
    pub applied: u32,
    /// How many milliseconds its link may still sleep before its next nap.
    pub rested: u64,
    /// The answers of the server that will be lost, one for each push to come.
    pub lost: Vec<Loss>,
}

/// What goes wrong with a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// It never arrives.
    Request,
    /// It arrives, and nobody hears of it.
    Answer,
    /// It arrives after so many milliseconds, when its sender has given up.
    Late(u64),
}

/// What is to come, apart from the turns of hosts.
#[derive(Debug, Clone)]
pub enum Later {
    /// The next thing on the list of what is done to the herd.
    Act(usize),
    /// A push arrives late.
    Arrives {
        /// Whose.
        machine: usize,
        /// What it wants.
        updates: Vec<RefUpdate>,
    },
    /// A machine starts.
    Boots {
        /// Which.
        machine: usize,
        /// Whether what took it out of load is forgotten.
        forgets: bool,
    },
    /// The log of changes is put back to what operators made it.
    Unwinds,
    /// An operator admits a machine that enrolled.
    Admits(usize),
}

/// A link that does not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Poison {
    /// On which machine; on all, where there is none.
    pub machine: Option<usize>,
    /// Which link.
    pub link: usize,
    /// In which of its versions; in all, where there is none.
    pub version: Option<u32>,
}

/// All there is.
pub struct World {
    /// Milliseconds since the start.
    pub now: u64,
    /// Where chance comes from.
    pub chance: Chance,
    /// The fleet that the herd runs.
    pub fleet: u64,
    /// Its whole chain.
    pub chain: &'static Chain,
    /// The newest runner.
    pub build: Build,
    /// The server.
    pub server: Server,
    /// The machines.
    pub machines: Vec<Machine>,
    /// What is true of them.
    pub ledger: Ledger,
    /// When machines have their turn.
    pub turns: BTreeSet<(u64, usize)>,
    /// What else is to come.
    pub later: BTreeMap<(u64, u64), Later>,
    /// How much of it there was.
    pub numbered: u64,
    /// Until when the server can't be reached.
    pub down: u64,
    /// Until when it takes nothing.
    pub read_only: u64,
    /// Until when the gate of a role is closed.
    pub gates: [u64; 4],
    /// Whether the newest runner is not what its change says.
    pub tampered: bool,
    /// What is done to the herd, and when.
    pub deeds: Vec<(u64, Deed)>,
    /// Links that do not succeed.
    pub poison: Vec<Poison>,
    /// The only machine that moves, while all others stand still.
    pub alone: Option<usize>,
    /// Whether nothing goes wrong any more.
    pub calm: bool,
    /// How deep turns are nested in one another.
    pub depth: usize,
    /// When the turn ends in which the present one is nested.
    pub deadline: u64,
    /// How much has happened.
    pub events: u64,
    /// How often hosts had their turn.
    pub turned: u64,
    /// What went wrong, and how often.
    pub faults: Faults,
    /// What was broken.
    pub violation: Option<Violation>,
    /// What happened, in words, where somebody wants to read it.
    pub trace: Option<Vec<Line>>,
}

thread_local! {
    static WORLD: RefCell<Option<Box<World>>> = const { RefCell::new(None) };
}

/// Puts a world on this thread.
pub fn enter(world: World) {
    WORLD.set(Some(Box::new(world)));
}

/// Takes the world off this thread.
pub fn leave() -> Option<World> {
    WORLD.take().map(|world| *world)
}

/// Asks or changes the world of this thread. Nothing that does so may do it again meanwhile.
///
/// # Panics
/// Where there is none: only what is part of a round asks.
#[expect(clippy::expect_used, reason = "only what is part of a round asks")]
pub fn with<T>(act: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(|world| act(world.as_mut().expect("a round is being played")))
}

impl World {
    /// Lets something come about `after` so many milliseconds.
    pub fn will(&mut self, after: u64, what: Later) {
        self.numbered += 1;
        self.later.insert((self.now + after, self.numbered), what);
    }

    /// Gives a machine its turn after so many milliseconds.
    pub fn turn(&mut self, machine: usize, after: u64) {
        let at = self.now + after;
        let before = std::mem::replace(&mut self.machines[machine].due, at);
        self.turns.remove(&(before, machine));
        self.turns.insert((at, machine));
    }

    /// What happens is held against the rules.
    pub fn witness(&mut self, machine: usize, effect: &Effect<'_>) {
        self.events += 1;
        if let Err(violation) = self.ledger.next(machine, effect) {
            self.breaks(machine, &violation);
        }
    }

    /// Remembers the first rule that is broken.
    pub fn breaks(&mut self, machine: usize, violation: &Violation) {
        let name = self.machines[machine].name.clone();
        self.say(machine, || format!("BREAKS {violation}"));
        let what = format!("{name}: {}", violation.what);
        self.violation.get_or_insert_with(|| Violation { what, ..violation.clone() });
    }

    /// A machine's agent panicked.
    pub fn panics(&mut self, machine: usize) {
        self.breaks(machine, &broken(Rule::Completes, "its agent panicked"));
    }

    /// Says what happens to a machine, where somebody listens.
    pub fn say(&mut self, machine: usize, what: impl FnOnce() -> String) {
        if let Some(trace) = self.trace.as_mut().filter(|_| self.violation.is_none()) {
            let who = self.machines.get(machine).map_or("operator", |machine| machine.name.as_str());
            trace.push(Line { at: self.now, who: who.to_owned(), what: what() });
        }
    }

    /// Whether the network carries what this machine says.
    #[must_use]
    pub fn reaches(&self, machine: usize) -> bool {
        self.alone == Some(machine) || (self.now >= self.down && self.now >= self.machines[machine].cut)
    }

    /// The machine that the herd knows by this identity, and that is no copy.
    #[must_use]
    pub fn machine_of(&self, uuid: Uuid) -> Option<usize> {
        self.machines.iter().position(|machine| machine.disk.config.uuid == uuid && !machine.is_copy)
    }

    /// Whether every role of a claim has it in its pool.
    #[must_use]
    pub fn is_claimed(&self, nonce: Uuid, roles: &[String]) -> bool {
        roles.iter().all(|role| self.server.pool(role).is_some_and(|pool| pool.holds(nonce)))
    }

    /// Tells the ledger of claims that a push brought to the server.
    pub fn lands(&mut self, machine: usize, updates: &[RefUpdate]) {
        let uuid = self.machines[machine].disk.config.uuid;
        let accepted = self.server.report(uuid).and_then(|report| report.accepted_commit);
        for update in updates {
            if update.name == RefName::Report(uuid) && self.server.report(uuid).is_some_and(|report| report.contested) {
                self.witness(machine, &Effect::Objects);
            }
            let RefName::Out(name) = &update.name else { continue };
            let Some(role) = ROLES.iter().position(|role| role == name) else { continue };
            if self.server.pool(name).is_some_and(|pool| pool.holders.iter().all(|claim| claim.uuid != uuid)) {
                self.witness(machine, &Effect::GivesBack);
            }
            let mine = self.server.pool(name).and_then(|pool| pool.holders.iter().find(|claim| claim.uuid == uuid));
            let manifest = accepted.and_then(|commit| self.manifest(commit));
            if let Some((nonce, manifest)) = mine.map(|claim| claim.nonce).zip(manifest) {
                let claims = self.server.pool(name).map_or(0, |pool| pool.counting(manifest).holders.len());
                let limit = self.ledger.may_leave(role, manifest);
                self.witness(machine, &Effect::Claims { role, nonce, limit, claims });
            }
        }
    }

    fn manifest(&self, commit: Sha1) -> Option<&wb_core::change::Manifest> {
        match self.server.object(commit)? {
            super::server::Object::Change { manifest, .. } => Some(manifest),
            _ => None,
        }
    }
}

impl Machine {
    /// A machine with this disk, which is on.
    #[must_use]
    pub fn new(disk: Disk, number: usize, applied: u32, chance: Chance) -> Self {
        Self {
            name: disk.config.name.clone(),
            disk,
            backups: Vec::new(),
            fingerprint: format!("hardware-{number}"),
            boot: 1,
            booted: 0,
            on: true,
            agent: None,
            running: None,
            busy: false,
            fallen: false,
            is_copy: false,
            is_restored: false,
            is_twin: false,
            is_stuck: false,
            wants: BTreeSet::new(),
            due: 0,
            streak: Streak::default(),
            chance,
            blows: Vec::new(),
            cut: 0,
            full: 0,
            leave_fails: 0,
            rejoin_fails: 0,
            applied,
            rested: 0,
            lost: Vec::new(),
        }
    }

    /// What tells this boot from others.
    #[must_use]
    pub fn boot_id(&self) -> String {
        format!("boot-{}-{}", self.boot, self.fingerprint)
    }

    /// The runner that is installed, where it is one.
    #[must_use]
    pub fn build(&self) -> Option<Build> {
        Build::read(&self.disk.runner)
    }
}
