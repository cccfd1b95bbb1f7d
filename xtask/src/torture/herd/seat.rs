//! The seat of an agent in the world: all that it asks of git, of its disk and of its machine, in memory.
//!
//! Each question is a moment at which the agent may fall, and takes time, in which others act. So turns are nested: while
//! one host waits for an answer, others have theirs.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::time::Duration;

use wb_core::agent::{self, Notices, Parts, Record, Shelf, Store, StoreError};
use wb_core::chain::{Chain, Digest, Sha1};
use wb_core::pool::Pool;
use wb_core::registry::{
    AllowedSigners, Answer, LogError, Mirror, ObjectError, RefName, RefUpdate, RegistryError, SigningKey, Verdict,
    VerifiedChange,
};
use wb_core::report::{Doing, Incarnation, Report};
use wb_core::results::Results;
use wb_core::runner::{Home, HomeError, HostConfig};
use wb_core::system::{Clock, Command, CommandError, FileError, Output, Processes};

use super::faults::Spot;
use super::fleet::{self, Build, ROLES};
use super::ledger::Effect;
use super::play::run_until;
use super::refs::Refs;
use super::server::Object;
use super::world::{Later, Loss, START, World, with};

/// Who may sign changes.
pub const OPERATORS: [&str; 2] = ["ada", "bob"];

/// The place of a machine in the world.
#[derive(Debug, Clone, Copy)]
pub struct Seat(pub usize);

/// An agent ends here, as by a kill.
#[derive(Debug)]
pub struct Fallen;

impl Seat {
    /// What its agent is made of.
    #[must_use]
    pub fn parts(self) -> Parts<'static> {
        let (config, key, record) = with(|world| {
            let disk = &world.machines[self.0].disk;
            (disk.config.clone(), disk.key.clone(), Rc::clone(&disk.record))
        });
        Parts {
            home: Home::new("/etc/wildebeest", "/var/lib/wildebeest"),
            config,
            store: Store::on(self, record),
            registry: Box::new(self),
            machine: Rc::new(self),
            allowed: AllowedSigners::new(OPERATORS.join("\n")),
            key: SigningKey::new(key.clone()),
            public: key,
        }
    }

    /// Whoever has fallen does nothing more, and nobody does when a rule was broken.
    pub(super) fn alive(self) {
        if with(|world| world.machines[self.0].fallen || world.violation.is_some()) {
            resume_unwind(Box::new(Fallen));
        }
    }

    /// Passes a moment at which the agent may fall.
    pub(super) fn pass(self, spot: Spot) {
        self.alive();
        if with(|world| world.strikes(self.0, spot)) {
            resume_unwind(Box::new(Fallen));
        }
    }

    /// Lets time pass, in which others act.
    fn pause(self, millis: u64) {
        run_until(with(|world| (world.now + millis).min(world.deadline)));
        self.alive();
    }

    fn latency(self) {
        let millis = with(|world| {
            let chance = &mut world.machines[self.0].chance;
            match chance.below(20) {
                0 => 3_000 + chance.below(15_000),
                1..4 => 500 + chance.below(2_500),
                _ => 20 + chance.below(300),
            }
        });
        self.pause(millis as u64);
    }

    fn below(self, millis: usize) -> u64 {
        with(|world| world.machines[self.0].chance.below(millis)) as u64
    }

    /// Whether the network carries what this machine says now; where it does not, that went wrong.
    fn reaches(self) -> bool {
        with(|world| {
            let reaches = world.reaches(self.0);
            if !reaches {
                world.faults.count(if world.now < world.down { "server_down" } else { "partition" });
            }
            reaches
        })
    }
}

impl World {
    /// Whether an agent falls now.
    fn strikes(&mut self, me: usize, spot: Spot) -> bool {
        let is_spared = self.calm || self.alone.is_some();
        let machine = &mut self.machines[me];
        let Some(at) = machine.blows.iter().position(|blow| blow.spot == spot).filter(|_| !is_spared) else {
            return false;
        };
        if machine.blows[at].passes > 0 {
            machine.blows[at].passes -= 1;
            return false;
        }
        let blow = machine.blows.remove(at);
        machine.fallen = true;
        self.faults.count(spot.name());
        self.say(me, || format!("falls: {}", spot.name()));
        if let Some(forgets) = blow.power {
            self.faults.count("power_cut");
            let after = 5_000 + self.chance.below(60_000) as u64;
            self.machines[me].on = false;
            self.will(after, Later::Boots { machine: me, forgets });
        }
        true
    }
}

fn unreachable() -> RegistryError {
    let source = CommandError::Failed { line: "git".into(), code: 128, said: "no route to host".into() };
    RegistryError::Unreachable { url: "sim".into(), source }
}

/// What a fetch brings: each ref as it was when the fetch began, or when it ended, since a server lists refs one by one.
fn seen(world: &mut World, me: usize, before: Refs, starts: &[String]) -> Refs {
    let after = world.server.refs.clone();
    if before.agree(&after, starts) {
        return after;
    }
    match world.machines[me].chance.below(3) {
        0 => after,
        1 => {
            world.faults.count("delayed_view");
            before
        }
        _ => {
            world.faults.count("torn_view");
            let mut torn = after.clone();
            for name in before.named(starts).into_iter().chain(after.named(starts)) {
                let old = world.machines[me].chance.one_in(2);
                torn.point(&name, if old { before.get(&name) } else { after.get(&name) });
            }
            torn
        }
    }
}

impl Mirror for Seat {
    fn url(&self) -> &str {
        "sim"
    }

    fn fetch(&self, starts: &[String]) -> Result<(), RegistryError> {
        self.pass(Spot::Fetch);
        with(|world| {
            let disk = Rc::clone(&world.machines[self.0].disk.record);
            world.witness(self.0, &Effect::Asks { disk: &disk });
        });
        if !self.reaches() {
            self.pause(1_000);
            return Err(unreachable());
        }
        let before = with(|world| world.server.refs.clone());
        self.latency();
        if !self.reaches() {
            return Err(unreachable());
        }
        with(|world| {
            let new = seen(world, self.0, before, starts);
            world.machines[self.0].disk.seen.take(&new, starts);
            world.witness(self.0, &Effect::Hears);
            world.counts_false_log();
        });
        self.pass(Spot::Fetch);
        Ok(())
    }

    fn offer(&self, updates: &[RefUpdate]) -> Answer {
        self.pass(Spot::BeforePush);
        with(|world| world.is_about_to_push(self.0, updates));
        let broken = || Answer { verdicts: Vec::new(), said: String::new(), broken: Some(unreachable()) };
        if !self.reaches() {
            self.pause(1_000);
            return broken();
        }
        self.latency();
        if !self.reaches() {
            return broken();
        }
        let loss =
            with(|world| if world.calm || world.alone.is_some() { None } else { world.machines[self.0].lost.pop() });
        let verdicts = match loss {
            Some(Loss::Request) => {
                with(|world| world.faults.count("lost_request"));
                return broken();
            }
            Some(Loss::Late(after)) => {
                with(|world| world.will(after, Later::Arrives { machine: self.0, updates: updates.to_vec() }));
                return broken();
            }
            Some(Loss::Answer) | None => with(|world| world.arrives(self.0, updates)),
        };
        self.pass(Spot::AfterPush);
        self.latency();
        if loss.is_some() || !self.reaches() {
            with(|world| world.faults.count("lost_answer"));
            return broken();
        }
        Answer { verdicts, said: "error: refused".into(), broken: None }
    }

    fn refs(&self, start: &str) -> Result<BTreeMap<RefName, Sha1>, RegistryError> {
        Ok(with(|world| world.machines[self.0].disk.seen.under(start)))
    }

    fn get(&self, name: &RefName) -> Result<Option<Sha1>, RegistryError> {
        Ok(with(|world| world.machines[self.0].disk.seen.get(name)))
    }

    fn remember(&self, updates: &[RefUpdate]) -> Result<(), RegistryError> {
        self.pass(Spot::AfterPush);
        with(|world| {
            let seen = &mut world.machines[self.0].disk.seen;
            updates.iter().for_each(|update| seen.point(&update.name, update.new));
        });
        Ok(())
    }

    fn keep(&self, _: &str, _: Sha1) -> Result<(), RegistryError> {
        self.alive();
        Ok(())
    }

    fn report(&self, sha1: Sha1, key: &str) -> Option<Report> {
        with(|world| match world.server.object(sha1)? {
            Object::Report { report, key: by } if by == key => Some(Report::clone(report)),
            _ => None,
        })
    }

    fn read_pool(&self, sha1: Sha1) -> Result<Pool, RegistryError> {
        with(|world| match world.server.object(sha1) {
            Some(Object::Pool(pool)) => Ok(pool.clone()),
            _ => Err(ObjectError::Unsigned { commit: sha1 }.into()),
        })
    }

    fn file(&self, commit: Sha1, _: &str) -> Option<Vec<u8>> {
        with(|world| match world.server.object(commit)? {
            Object::Runner(bytes) => Some(bytes.clone()),
            _ => None,
        })
    }

    fn parents(&self, commit: Sha1) -> Result<Vec<Sha1>, ObjectError> {
        with(|world| match world.server.object(commit) {
            Some(Object::Change { parent, .. }) => Ok(parent.iter().copied().collect()),
            _ => Err(ObjectError::Unsigned { commit }),
        })
    }

    fn descends(&self, newer: Sha1, older: Sha1) -> Result<bool, ObjectError> {
        Ok(with(|world| world.server.descends(newer, older)))
    }

    fn change(&self, commit: Sha1, allowed: Option<&AllowedSigners>) -> Result<VerifiedChange, LogError> {
        let found = with(|world| match world.server.object(commit)? {
            Object::Change { signer, manifest, .. } => Some((*signer, Rc::clone(manifest))),
            _ => None,
        });
        let counts =
            |signer: &Option<&str>| allowed.is_none_or(|allowed| signer.is_some_and(|by| allowed.text().contains(by)));
        match found.filter(|(signer, _)| counts(signer)) {
            Some((signer, manifest)) => {
                let signer = signer.unwrap_or_default().to_owned();
                Ok(VerifiedChange { sha1: commit, signer, manifest: (*manifest).clone() })
            }
            None => Err(ObjectError::Unsigned { commit }.into()),
        }
    }

    fn write_report(&self, report: &Report, _: &Results, _: &str, key: &SigningKey) -> Result<Sha1, RegistryError> {
        self.alive();
        let key = key.path().display().to_string();
        Ok(with(|world| world.server.add(Object::Report { report: Rc::new(report.clone()), key })))
    }

    fn write_pool(&self, _: &str, pool: &Pool, _: &str, _: Duration) -> Result<Sha1, RegistryError> {
        self.alive();
        Ok(with(|world| world.server.add(Object::Pool(pool.clone()))))
    }

    fn write_state(&self, _: &str, _: &str, _: Sha1, _: Duration) -> Result<Sha1, RegistryError> {
        self.alive();
        Ok(with(|world| world.server.add(Object::State)))
    }
}

impl World {
    /// Somebody looks at a log that is not what operators made it.
    fn counts_false_log(&mut self) {
        let (there, newest) = (self.server.newest().map(|(tip, _)| tip), self.ledger.newest().map(|(tip, _)| tip));
        let is_rewound = |there| newest.is_some_and(|newest| self.server.descends(newest, there));
        if there != newest {
            self.faults.count(if there.is_none_or(is_rewound) { "rewound_log" } else { "forged_change" });
        }
    }

    fn is_about_to_push(&mut self, me: usize, updates: &[RefUpdate]) {
        let report = updates.iter().find_map(|update| match (&update.name, self.server.object(update.new?)?) {
            (RefName::Report(_), Object::Report { report, .. }) => Some(Rc::clone(report)),
            _ => None,
        });
        if let Some(report) = report {
            let disk = Rc::clone(&self.machines[me].disk.record);
            if matches!(&report.doing, Doing::Waiting { key, .. } if key == "window") {
                self.faults.count("closed_window");
            }
            self.witness(me, &Effect::Pushes { report: &report, disk: &disk });
        }
    }

    /// A push arrives at the server.
    pub fn arrives(&mut self, me: usize, updates: &[RefUpdate]) -> Vec<Verdict> {
        self.events += 1;
        if self.now < self.read_only && self.alone.is_none() {
            self.faults.count("refused_push");
            return updates.iter().map(|_| Verdict::Refused("read-only".into())).collect();
        }
        let verdicts = self.server.push(updates);
        match verdicts.iter().all(|verdict| *verdict == Verdict::Written) {
            true => {
                self.lands(me, updates);
                self.tells_of_push(me, updates);
            }
            false => {
                self.faults.count("lost_race");
                self.say(me, || "its push loses a race".into());
            }
        }
        verdicts
    }

    fn tells_of_push(&mut self, me: usize, updates: &[RefUpdate]) {
        if self.trace.is_none() {
            return;
        }
        for update in updates {
            let said = match update.new.and_then(|new| self.server.object(new)) {
                Some(Object::Report { report, .. }) => format!("reports: {}", report.doing),
                Some(Object::Pool(pool)) => {
                    let names: Vec<&str> = pool.holders.iter().map(|claim| claim.host.as_str()).collect();
                    format!(
                        "pool of {}: [{}]",
                        update.name.to_string().rsplit('/').next().unwrap_or_default(),
                        names.join(", ")
                    )
                }
                _ => continue,
            };
            self.say(me, || said);
        }
    }
}

impl Shelf for Seat {
    fn put(&self, old: &Record, new: &Rc<Record>) -> Result<(), StoreError> {
        self.pass(Spot::BeforeWrite);
        let is_full = with(|world| world.now < world.machines[self.0].full && !world.calm && world.alone.is_none());
        if is_full {
            with(|world| world.faults.count("full_disk"));
            return Err(no_space().into());
        }
        with(|world| {
            world.machines[self.0].disk.record = Rc::clone(new);
            world.witness(self.0, &Effect::Writes { old, new });
            if old.phase != new.phase {
                world.say(self.0, || format!("its disk says: {}", new.phase.name()));
            }
        });
        self.pass(Spot::AfterWrite);
        Ok(())
    }
}

fn no_space() -> FileError {
    FileError { action: "write", path: "record.json".into(), source: std::io::ErrorKind::StorageFull.into() }
}

impl agent::Machine for Seat {
    fn incarnation(&self) -> Incarnation {
        with(|world| {
            let machine = &world.machines[self.0];
            Incarnation { fingerprint: machine.fingerprint.clone(), boot_id: machine.boot_id() }
        })
    }

    fn uptime(&self) -> Duration {
        with(|world| Duration::from_millis(world.now - world.machines[self.0].booted))
    }

    fn write_config(&self, config: &HostConfig) -> Result<(), HomeError> {
        self.alive();
        with(|world| world.machines[self.0].disk.config = config.clone());
        Ok(())
    }

    fn notices(&self) -> Notices {
        with(|world| world.machines[self.0].disk.notices.clone())
    }

    fn keep_notices(&self, notices: &Notices) {
        self.alive();
        with(|world| world.machines[self.0].disk.notices = notices.clone());
    }

    fn lay(&self, runner: &[u8]) -> Result<(), FileError> {
        self.pass(Spot::Install);
        with(|world| world.machines[self.0].disk.laid = Some(runner.to_vec()));
        Ok(())
    }

    fn try_out(&self, runner: &[u8]) -> Result<Chain, String> {
        self.alive();
        let build = Build::read(runner).ok_or("can't be started")?;
        Ok(build.catalog().chain().clone())
    }

    fn take_away(&self) -> Result<(), FileError> {
        self.alive();
        with(|world| world.machines[self.0].disk.laid = None);
        Ok(())
    }

    fn install(&self) -> Result<(), FileError> {
        self.pass(Spot::Install);
        with(|world| {
            let disk = &mut world.machines[self.0].disk;
            if let Some(laid) = disk.laid.take() {
                disk.runner = laid;
            }
        });
        self.pass(Spot::Install);
        Ok(())
    }

    fn keep_runner(&self, _: Digest) -> Result<(), FileError> {
        self.pass(Spot::Install);
        with(|world| {
            let disk = &mut world.machines[self.0].disk;
            disk.kept = Some(disk.runner.clone());
        });
        Ok(())
    }

    fn kept_runner(&self) -> Result<Option<Vec<u8>>, FileError> {
        Ok(with(|world| world.machines[self.0].disk.kept.clone()))
    }
}

impl Clock for Seat {
    fn now(&self) -> Duration {
        Duration::from_secs(START) + self.passed()
    }

    fn passed(&self) -> Duration {
        with(|world| Duration::from_millis(world.now))
    }

    fn sleep(&self, duration: Duration) {
        self.sleeps(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    }
}

impl Processes for Seat {
    fn run(&self, command: &Command) -> Result<Output, CommandError> {
        let line = command.line();
        let (what, which) = line.split_once(' ').unwrap_or((&line, ""));
        let done = match (what, which.parse::<usize>()) {
            ("begin", Ok(link)) => self.begins(link),
            ("reboots", Ok(link)) => with(|world| fleet::reboots(world.fleet, link)),
            ("waits", Ok(_)) => self.waits(),
            ("in_vain", Ok(_)) => self.waits_in_vain(),
            ("end", Ok(link)) => self.ends(link),
            ("spec", Ok(link)) => self.passes(link),
            ("fit", Ok(role)) => self.is_fit(role),
            ("leave", Ok(role)) => self.leaves(role),
            ("rejoin", Ok(role)) => self.rejoins(role),
            ("gate", Ok(role)) => self.gate(role),
            ("shutdown", _) => self.reboots(),
            _ => false,
        };
        let stderr = if done { Vec::new() } else { b"no luck".to_vec() };
        Ok(Output { code: i32::from(!done), stderr, ..Output::default() })
    }
}

impl Seat {
    fn begins(self, link: usize) -> bool {
        self.pass(Spot::Link);
        with(|world| {
            let build = world.machines[self.0].running;
            let digest = build.and_then(|build| build.catalog().chain().links().get(link).map(|link| link.digest));
            let (digest, disk) = (digest.unwrap_or(Digest::of(b"")), Rc::clone(&world.machines[self.0].disk.record));
            world.witness(self.0, &Effect::Begins { link, digest, disk: &disk });
        });
        self.pause(200 + self.below(20_000));
        true
    }

    fn ends(self, link: usize) -> bool {
        self.pass(Spot::Link);
        let fails = with(|world| world.is_poisoned(self.0, link));
        with(|world| match fails {
            true => {
                world.faults.count("failed_link");
                world.say(self.0, || format!("{} fails", world.chain.links()[link].name));
            }
            false => world.machines[self.0].applied |= 1 << link,
        });
        !fails
    }

    fn passes(self, link: usize) -> bool {
        self.pass(Spot::Link);
        let holds = with(|world| world.machines[self.0].applied & (1 << link) != 0);
        if holds {
            with(|world| world.witness(self.0, &Effect::Passes { link }));
        }
        self.pass(Spot::Link);
        holds
    }

    fn leaves(self, role: usize) -> bool {
        self.pass(Spot::Leave);
        self.pause(100 + self.below(2_000));
        let fails = with(|world| world.hook_fails(self.0, "failed_leave"));
        with(|world| match fails {
            true => world.witness(self.0, &Effect::StaysIn),
            false => {
                world.say(self.0, || format!("leaves load as {}", ROLES[role]));
                let disk = Rc::clone(&world.machines[self.0].disk.record);
                world.witness(self.0, &Effect::Leaves { role, disk: &disk });
            }
        });
        self.pass(Spot::Leave);
        !fails
    }

    fn rejoins(self, role: usize) -> bool {
        self.pass(Spot::Rejoin);
        self.pause(100 + self.below(2_000));
        let fails = with(|world| world.hook_fails(self.0, "failed_rejoin"));
        if !fails {
            with(|world| {
                world.say(self.0, || format!("rejoins as {}", ROLES[role]));
                let links = world.machines[self.0].running.map_or(0, |build| build.catalog().chain().links().len());
                world.witness(self.0, &Effect::Rejoins { role, last: links.saturating_sub(1) });
            });
        }
        self.pass(Spot::Rejoin);
        !fails
    }

    /// The spec of a role takes no time and draws on nothing: rounds in which all hold are what they would be without
    /// it.
    fn is_fit(self, role: usize) -> bool {
        self.alive();
        with(|world| {
            let holds = !world.is_unfit(self.0);
            world.witness(self.0, &Effect::Answers { role, holds });
            holds
        })
    }

    fn gate(self, role: usize) -> bool {
        self.alive();
        with(|world| {
            let is_open = world.now >= world.gates[role] || world.alone.is_some();
            if !is_open {
                world.faults.count("closed_gate");
            }
            is_open
        })
    }

    fn reboots(self) -> bool {
        self.alive();
        with(|world| {
            world.faults.count("reboot");
            let (after, forgets) = (2_000 + world.chance.below(30_000) as u64, world.chance.one_in(2));
            world.will(after, Later::Boots { machine: self.0, forgets });
        });
        true
    }
}

impl World {
    fn is_poisoned(&self, me: usize, link: usize) -> bool {
        let version = self.machines[me].running.map_or(0, |build| build.version(link));
        let is_here = |poison: &super::world::Poison| {
            poison.link == link
                && poison.machine.is_none_or(|machine| machine == me)
                && poison.version.is_none_or(|poisoned| poisoned == version)
        };
        self.alone.is_none() && self.poison.iter().any(is_here)
    }

    /// Whether a spec of a role says no. What keeps a host out of load does so by these first, and at last by `rejoin`.
    fn is_unfit(&mut self, me: usize) -> bool {
        let fails = !self.calm && self.alone.is_none() && self.machines[me].rejoin_fails > 1;
        if fails {
            self.machines[me].rejoin_fails -= 1;
            self.faults.count("failed_spec");
            self.say(me, || "failed spec".into());
        }
        fails
    }

    fn hook_fails(&mut self, me: usize, kind: &'static str) -> bool {
        if self.calm || self.alone.is_some() {
            return false;
        }
        let machine = &mut self.machines[me];
        let left = if kind == "failed_leave" { &mut machine.leave_fails } else { &mut machine.rejoin_fails };
        let fails = *left > 0;
        *left = left.saturating_sub(1);
        if fails {
            self.faults.count(kind);
            self.say(me, || kind.replace('_', " "));
        }
        fails
    }
}
