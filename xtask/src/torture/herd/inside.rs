//! Waits in the code of links: `host.wait_until(…)`, said as migrations say it.
//!
//! Code that waits does so within the turn of its host, and all others have their turns meanwhile. Where that turn is itself
//! nested in somebody else's, it can't last longer than that one lets it: then the agent is ended amid its wait, as by
//! whoever restarts it, and the link runs again, with the whole time of its wait.

use std::rc::Rc;
use std::time::Duration;

use wb_core::context::{Context, StaticWait, StaticWho};
use wb_stdlib::Host;
use wb_stdlib::wait::{Until, WaitError, all, any, count};

use super::faults::Spot;
use super::fleet::ask;
use super::ledger::Effect;
use super::play::run_until;
use super::seat::Seat;
use super::world::{World, with};

/// How long such waits may take, in seconds: less than a poll, some polls, and longer than most links take.
pub const LIMITS: [u64; 3] = [20, 75, 240];

/// How long a nap is, in milliseconds. The turns of others are nested in it.
const NAP: u64 = 15_000;

/// A wait in the code of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inside {
    /// For whom.
    pub wait: StaticWait,
    /// How long at most.
    pub limit: Duration,
}

impl Inside {
    /// Waits, in the code of the link at this place of its chain.
    ///
    /// # Errors
    /// Those of [`Host::wait_until`], and when the machine is none.
    pub fn pass(self, context: &Context<'_>, place: usize) -> anyhow::Result<()> {
        ask(context, "waits", place)?;
        let waited = Host::new(context).wait_until(self.until());
        if matches!(waited, Err(WaitError::TooLong { .. } | WaitError::OutOfLoad { .. })) {
            ask(context, "in_vain", place)?;
        }
        Ok(waited?)
    }

    fn until(self) -> Until {
        let others = match self.wait.who {
            StaticWho::All(role) => all(role),
            StaticWho::Any(role) => any(role),
            StaticWho::Count(role, hosts) => count(role, hosts),
        };
        let others = match self.wait.reached {
            Some(link) => others.reached(link),
            None => others,
        };
        others.within(self.limit)
    }
}

impl Seat {
    /// The code of a link begins to wait for others.
    pub(super) fn waits(self) -> bool {
        self.alive();
        with(|world| {
            world.machines[self.0].rested = 0;
            world.say(self.0, || "its code waits for others".into());
        });
        true
    }

    /// It has waited for them in vain.
    pub(super) fn waits_in_vain(self) -> bool {
        self.alive();
        with(|world| world.faults.count("failed_wait"));
        true
    }

    /// Lets code sleep. Between two looks at others it does so in pieces of a second, of which many are one nap.
    pub(super) fn sleeps(self, millis: u64) {
        if with(|world| world.is_rested(self.0, millis)) {
            return;
        }
        self.pass(Spot::Link);
        match with(|world| world.naps_until(self.0)) {
            Some(until) => run_until(until),
            None => with(|world| world.is_cut_short(self.0)),
        }
        self.alive();
    }
}

impl World {
    /// Whether so much is left of the last nap, of which each sleep takes a second at least.
    fn is_rested(&mut self, me: usize, millis: u64) -> bool {
        let (rested, needed) = (&mut self.machines[me].rested, millis.max(1_000));
        let left = rested.checked_sub(needed);
        *rested = left.unwrap_or(NAP.saturating_sub(needed));
        left.is_some()
    }

    /// When the next nap ends; never, where another turn is to go on before.
    fn naps_until(&mut self, me: usize) -> Option<u64> {
        let disk = Rc::clone(&self.machines[me].disk.record);
        self.witness(me, &Effect::Awaits { disk: &disk });
        let (is_nested, end) = (self.depth > 1 && self.alone.is_none(), self.now + NAP);
        let until = if is_nested { end.min(self.deadline) } else { end };
        (until > self.now).then_some(until)
    }

    fn is_cut_short(&mut self, me: usize) {
        self.machines[me].fallen = true;
        self.faults.count("cut_wait");
        self.say(me, || "falls: cut_wait".into());
    }
}
