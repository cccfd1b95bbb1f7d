//! All stand still but one: a new host, or one that was restored, must come as far as the links let it, by itself.

use wb_core::agent::identity::longest_grace;
use wb_core::agent::phase::Phase;
use wb_core::chain::{Link, OnCatchup, Sha1, Wait, Who};
use wb_core::change::Manifest;
use wb_core::plan::{goal, leaves_for, still_failed};
use wb_core::report::{Doing, Report, serving};

use super::play::turn;
use super::world::{Later, POLL, START, World, with};
use crate::torture::rule::{Rule, broken};

/// How many turns the one gets at most, beside those of its patience.
const TURNS: usize = 190;

/// After how many turns that change nothing it is believed to be where it can be: who was restored waits for objections for
/// so many polls, and may meet more.
fn patience() -> usize {
    const MORE: usize = 20;
    let polls = longest_grace(POLL.as_secs()).div_ceil(POLL.as_secs());
    polls as usize + MORE
}

/// Lets a new or a restored host move alone.
pub fn stands_still(which: usize) {
    let Some(me) = with(|world| world.chosen(which)) else { return };
    with(|world| {
        world.faults.count("stand_still");
        world.say(me, || "moves alone: all others stand still".into());
        world.alone = Some(me);
    });
    let mut same = 0;
    let patience = patience();
    for _ in 0..TURNS + patience {
        let before = with(|world| world.place(me));
        with(|world| world.waits_for_turn(me));
        turn(me);
        same = if with(|world| world.place(me)) == before { same + 1 } else { 0 };
        if same > patience || with(|world| world.violation.is_some() || world.has_arrived(me)) {
            break;
        }
    }
    with(|world| {
        world.alone = None;
        world.say(me, || "all others move again".into());
        if let Some(why) = world.is_stuck(me).filter(|_| world.violation.is_none()) {
            world.breaks(me, &broken(Rule::Invariant(7), why));
        }
        world.machines[me].is_restored = false;
    });
}

impl World {
    /// A host that is new, or was restored, and that nothing but itself keeps from going on.
    fn chosen(&self, which: usize) -> Option<usize> {
        let told = self.told();
        let is_ready = |machine: &usize| {
            let here = &self.machines[*machine];
            let host = told.host_of(here.disk.config.uuid);
            let is_new = !here.disk.record.in_service || here.is_restored;
            // A disk from before the host's first report can't be told from a copy: people choose.
            let is_known =
                !here.disk.record.reports.lines.is_empty() || self.server.report(here.disk.config.uuid).is_none();
            let is_disputed = here.disk.record.contested.is_some() || self.has_twin(*machine) || !is_known;
            here.on && !here.busy && !here.is_copy && is_new && !is_disputed && host.is_some()
        };
        let ready: Vec<usize> = (0..self.machines.len()).filter(is_ready).collect();
        let is_quiet = self.alone.is_none() && !self.calm && self.can_tell();
        ready.get(which % ready.len().max(1)).copied().filter(|_| is_quiet)
    }

    fn has_twin(&self, machine: usize) -> bool {
        let uuid = self.machines[machine].disk.config.uuid;
        self.machines.iter().filter(|other| other.disk.config.uuid == uuid).count() > 1
    }

    /// What changes when a host gets on.
    fn place(&self, me: usize) -> (usize, &'static str, bool) {
        let record = &self.machines[me].disk.record;
        (record.links.len(), record.phase.name(), record.in_service)
    }

    /// Time goes on until it is this machine's turn.
    fn waits_for_turn(&mut self, me: usize) {
        let at = self.turns.iter().find(|(_, machine)| *machine == me).map_or(self.now + 30_000, |(at, _)| *at);
        self.turns.retain(|(_, machine)| *machine != me);
        self.now = self.now.max(at);
        let is_mine = |later: &Later| matches!(later, Later::Boots { machine, .. } if *machine == me);
        let boot = self.later.iter().find(|((at, _), later)| *at <= self.now && is_mine(later)).map(|(key, _)| *key);
        if let Some(Later::Boots { forgets, .. }) = boot.and_then(|key| self.later.remove(&key)) {
            self.boots(me, forgets);
        }
    }

    fn has_arrived(&self, me: usize) -> bool {
        let record = &self.machines[me].disk.record;
        self.next_link(me).is_none() && record.phase == Phase::InLoad && record.in_service && self.is_in_load(me)
    }

    fn is_in_load(&self, me: usize) -> bool {
        let told = self.told();
        let host = told.host_of(self.machines[me].disk.config.uuid);
        let out = self.ledger.out(me);
        host.is_none_or(|(_, host)| !out.iter().any(|role| host.roles.contains(*role)))
    }

    /// The next link that it is to run.
    fn next_link(&self, me: usize) -> Option<Link> {
        let (told, here) = (self.told(), &self.machines[me].disk);
        let (name, host) = told.host_of(here.config.uuid)?;
        let goal = goal(&told, name, &self.reports(), START + self.now / 1000)?;
        let end = told.chain.position(goal)?;
        self.ledger.next_link(me, &host.roles, end).map(|place| told.chain.links()[place].clone())
    }

    /// Why a host should not be where it is.
    fn is_stuck(&self, me: usize) -> Option<String> {
        let told = self.told();
        let here = &self.machines[me].disk;
        let (name, host) = told.host_of(here.config.uuid)?;
        if self.has_arrived(me) || told.hold_of(name).is_some() || self.tampered || here.record.contested.is_some() {
            return None;
        }
        // Who was restored amid a leg may have to claim anew. Who is amid one, or never was in service, needs no place.
        let held = here.record.phase.leg().and_then(|leg| leg.held.as_ref());
        let is_freed = held.is_some_and(|held| !self.is_claimed(held.nonce, &held.roles));
        let needs_claim = is_freed || (here.record.phase == Phase::InLoad && here.record.in_service);
        let says = self.server.report(here.config.uuid).map_or("nothing".to_owned(), |report| report.doing.to_string());
        // It may have failed, and nothing has changed since. Where a bake time starts anew, a goal may be behind what failed.
        let has_failed =
            matches!(&here.record.phase, Phase::Failed { failure, .. } if still_failed(failure, &told, host));
        let is_held_up = match self.next_link(me).filter(|_| !has_failed) {
            Some(link) => {
                (self.waits(&told, me, &link))
                    || self.has_failed(&told, name, &link)
                    || (needs_claim && host.roles.iter().any(|role| self.is_full(&told, me, role)))
            }
            None => has_failed,
        };
        (!is_held_up).then(|| format!("it does not get on, though nothing keeps it, and says: {says}"))
    }

    fn has_failed(&self, told: &Manifest, me: &str, link: &Link) -> bool {
        let failed = self.reports().into_iter().filter(|(name, report)| {
            let here = matches!(&report.doing, Doing::Failed(failure) if failure.link == link.sha1 && failure.digest == link.digest);
            here && name != me
        });
        failed.count() >= told.roles.get(&link.role).map_or(1, |policy| policy.max_failed as usize)
    }

    fn is_full(&self, told: &Manifest, me: usize, role: &str) -> bool {
        let uuid = self.machines[me].disk.config.uuid;
        let pool = self.server.pool(role).map(|pool| pool.counting(told));
        pool.is_some_and(|pool| {
            pool.holders.iter().filter(|claim| claim.uuid != uuid).count()
                >= told.limit(role, &serving(&self.reports()))
        })
    }

    /// Whether a link waits for hosts that are not there, as their reports have it. What was run here before, or by the
    /// herd before this host came, waits for nobody where the link says so. For what its code waits for, only who would leave
    /// load waits before it begins.
    fn waits(&self, told: &Manifest, me: usize, link: &Link) -> bool {
        let record = &self.machines[me].disk.record;
        let leaves = record.in_service && leaves_for(&told.chain, record.announced, link);
        let lacks = |wait: &Wait| self.lacks(told, me, link, wait);
        let passes = |wait: &Wait| wait.on_catchup == OnCatchup::Pass && self.catches_up(told, me, link);
        link.wait.iter().any(|wait| lacks(wait) && !passes(wait)) || (leaves && link.inside.iter().any(lacks))
    }

    /// Whether hosts are missing that a wait of a link is for.
    fn lacks(&self, told: &Manifest, me: usize, link: &Link, wait: &Wait) -> bool {
        let place = |name: &str| told.chain.links().iter().position(|link| link.name == name);
        let needed = match &wait.reached {
            Some(name) => place(name),
            None => told.chain.position(link.sha1).and_then(|place| place.checked_sub(1)),
        };
        let reports = self.reports();
        let state = |name: &str| reports.get(name).and_then(|report| told.chain.position(report.state?));
        let is_there = |name: &&str| state(name) >= needed;
        let my_name = told.host_of(self.machines[me].disk.config.uuid).map_or("", |(name, _)| name);
        let counts = |name: &&str| *name != my_name && !told.is_waived(link.sha1, name);
        let others: Vec<&str> = told.admitted(wait.role()).filter(counts).collect();
        let there = others.iter().copied().filter(|name| is_there(name)).count();
        let wanted = match wait.who {
            Who::All { .. } => others.len(),
            Who::Any { .. } => 1,
            Who::Count { hosts, .. } => hosts as usize,
            Who::Other(_) => usize::MAX,
        };
        there < wanted.min(others.len())
    }

    /// Whether a link was run here before a restore, or, where this host was never in service, by a host that is.
    fn catches_up(&self, told: &Manifest, me: usize, link: &Link) -> bool {
        let record = &self.machines[me].disk.record;
        let is_past =
            |state: Option<Sha1>| state.and_then(|state| told.chain.position(state)) >= told.chain.position(link.sha1);
        let serves = |(name, report): (&String, &Report)| {
            let has_role = told.hosts.get(name).is_some_and(|host| host.roles.contains(&link.role));
            has_role && report.in_service && is_past(report.state)
        };
        is_past(record.announced) || (!record.in_service && self.reports().iter().any(serves))
    }
}
