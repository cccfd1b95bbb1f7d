//! The end of a round: nothing goes wrong any more, and an operator looks after the herd, until every host is where it was
//! told to be. A herd that does not come there, though nothing keeps it from it, is one that has lost its way.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wb_core::agent::phase::Phase;
use wb_core::report::Doing;

use super::fleet::{Build, length};
use super::ledger::Effect;
use super::play::start;
use super::world::{World, with};
use crate::torture::rule::{Rule, broken};

/// How often an operator looks, in milliseconds.
const LOOK: u64 = 60_000;

/// After how many of them an operator ends what may not end by itself.
const PATIENCE: usize = 30;

/// How many looks there are at most.
const LOOKS: usize = 480;

impl World {
    /// Nothing goes wrong any more: what was cut off is reached again, what was off is on, what failed is mended.
    pub fn calms_down(&mut self) {
        self.say(usize::MAX, || "all is mended".into());
        self.calm = true;
        (self.down, self.read_only, self.gates) = (self.now, self.now, [self.now; 4]);
        self.poison.clear();
        self.deeds.clear();
        self.unwinds();
        for machine in 0..self.machines.len() {
            let here = &mut self.machines[machine];
            (here.cut, here.full) = (self.now, self.now);
            here.blows.clear();
            here.lost.clear();
            if here.is_copy {
                self.ends_copy(machine);
            } else if !here.on {
                self.boots(machine, false);
            }
        }
        while self.resumes() {}
        self.promotes(true);
        self.deploys_all();
    }

    /// A copy gets an identity of its own, or goes.
    fn ends_copy(&mut self, machine: usize) {
        let is_scrapped = self.machines[machine].is_twin || self.chance.one_in(2);
        self.say(machine, || if is_scrapped { "is scrapped".into() } else { "gets an identity of its own".into() });
        let here = &mut self.machines[machine];
        here.agent = None;
        match is_scrapped {
            true => here.on = false,
            false => {
                here.on = true;
                self.rekeys(machine);
                self.machines[machine].wants = super::deed::some_roles(machine);
                self.turn(machine, 1_000);
                self.will(20_000, super::world::Later::Admits(machine));
            }
        }
    }

    fn deploys_all(&mut self) {
        let whole = Build { links: length(self.fleet), ..self.build };
        let told = self.told();
        let is_told = told.target == whole.catalog().chain().tip().map(|link| link.sha1) && told.canary.is_none();
        if !is_told || self.tampered {
            self.deploys(whole, 0, false);
        }
    }

    /// What an operator does about what hosts say, after so many looks. Who fails at what its code waits for tries that again,
    /// and in the end does not wait: its place may be what those need whom it waits for.
    fn tends(&mut self, looks: usize) {
        let reports = self.reports();
        let says = |is: fn(&Doing) -> bool| reports.values().any(|report| is(&report.doing));
        if says(|doing| matches!(doing, Doing::Failed(_))) {
            if looks >= PATIENCE {
                self.waives_in_code();
            }
            self.retries();
        }
        if says(|doing| matches!(doing, Doing::Stopped { .. })) {
            self.waives();
        }
    }

    /// The machines that another one's report keeps from acting, where an operator says that each is the one.
    fn disputed(&self) -> Vec<usize> {
        let told = self.told();
        let is_host = |machine: &usize| {
            let here = &self.machines[*machine];
            here.on && !here.busy && !here.is_copy && told.host_of(here.disk.config.uuid).is_some()
        };
        let is_disputed = |machine: &usize| {
            self.machines[*machine].is_stuck || self.machines[*machine].disk.record.contested.is_some()
        };
        (0..self.machines.len()).filter(is_host).filter(is_disputed).collect()
    }

    /// What keeps the herd from being where it was told to be.
    #[must_use]
    pub fn unfinished(&self) -> Option<(usize, String)> {
        let told = self.told();
        for (name, host) in &told.hosts {
            let Some(machine) = host.identity.as_ref().and_then(|identity| self.machine_of(identity.uuid)) else {
                continue;
            };
            let record = &self.machines[machine].disk.record;
            let mut out = self.ledger.out(machine);
            out.retain(|role| host.roles.contains(*role));
            let missed = (0..)
                .zip(self.chain.links())
                .find(|(place, link)| host.roles.contains(&link.role) && !self.ledger.has_behind(machine, *place));
            let says = self
                .server
                .report(self.machines[machine].disk.config.uuid)
                .map_or("nothing".to_owned(), |report| report.doing.to_string());
            let what = match () {
                () if record.state() != told.target => format!(
                    "{name} is at {:?}, {}, and says: {says}",
                    record.links.last().map(|link| &link.name),
                    record.phase.name()
                ),
                () if record.phase != Phase::InLoad => format!("{name} is {}, and says: {says}", record.phase.name()),
                () if !record.in_service => format!("{name} is not in service, and says: {says}"),
                () if !out.is_empty() => format!("{name} is out of load as {}", out.join(", ")),
                () if missed.is_some() => {
                    format!("{name} has never run {}", missed.map(|(_, link)| link.name.as_str()).unwrap_or_default())
                }
                () => continue,
            };
            return Some((machine, what));
        }
        let holder = told.roles.keys().find_map(|role| {
            self.server.pool(role)?.counting(&told).holders.first().map(|claim| (role.clone(), claim.host.clone()))
        });
        holder.map(|(role, host)| (0, format!("the pool of {role} still lists {host}")))
    }
}

/// Lets the herd come to its end.
pub fn to_the_end(run_until: fn(u64)) {
    for looks in 0..LOOKS {
        run_until(with(|world| world.now + LOOK));
        if with(|world| world.violation.is_some() || world.unfinished().is_none()) {
            return;
        }
        with(|world| world.tends(looks));
        for machine in with(|world| world.disputed()) {
            keeps(machine);
        }
    }
    with(|world| {
        if let Some((machine, what)) = world.unfinished() {
            world.breaks(machine, &broken(Rule::Completes, what));
        }
    });
}

/// An operator says on a machine that it is the one, whatever the report says.
fn keeps(me: usize) {
    with(|world| {
        world.say(me, || "is said to be the one".into());
        world.machines[me].busy = true;
        world.machines[me].fallen = false;
    });
    let agent = with(|world| world.machines[me].agent.take());
    let kept = catch_unwind(AssertUnwindSafe(|| {
        let mut agent = agent.unwrap_or_else(|| start(me));
        agent.keep().map(|kept| (kept, agent))
    }));
    with(|world| {
        world.machines[me].busy = false;
        if let Ok(Ok((true, _))) = &kept {
            world.faults.count("keep");
            world.witness(me, &Effect::IsKept);
        }
        world.turn(me, 1_000);
    });
}
