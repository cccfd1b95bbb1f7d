//! The scheduler: whose turn it is. Time is simulated, and nothing but the round's seed decides.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use wb_core::agent::pace::{self, Outcome, Polls, Turn};
use wb_core::agent::{Agent, AgentError, Next};
use wb_core::chain::Digest;
use wb_core::runner::with_causes;
use wb_core::system::System;

use super::deed;
use super::faults::Faults;
use super::fleet::Build;
use super::ledger::Effect;
use super::round::Round;
use super::seat::{Fallen, Seat};
use super::tale::Line;
use super::tend;
use super::world::{self, Later, POLL, World, with};
use crate::torture::rule::Violation;

/// How deep turns are nested in one another at most.
const DEEPEST: usize = 4;

/// What came of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// How much happened.
    pub events: u64,
    /// How often hosts had their turn.
    pub turns: u64,
    /// What went wrong.
    pub faults: Faults,
    /// What was broken.
    pub violation: Option<Violation>,
    /// What happened, in words.
    pub trace: Vec<Line>,
}

/// Plays a round on this thread; it is told in words where somebody wants to read that.
#[must_use]
pub fn play(round: &Round, in_words: bool) -> Played {
    world::enter(round.world(in_words));
    run_until(round.end());
    with(World::calms_down);
    tend::to_the_end(run_until);
    let world = world::leave();
    world.map(Played::of).unwrap_or_else(Played::nothing)
}

impl Played {
    fn of(world: World) -> Self {
        Self {
            events: world.events,
            turns: world.turned,
            faults: world.faults,
            violation: world.violation,
            trace: world.trace.unwrap_or_default(),
        }
    }

    fn nothing() -> Self {
        Self { events: 0, turns: 0, faults: Faults::default(), violation: None, trace: Vec::new() }
    }
}

/// What comes next.
enum Event {
    Turn(usize),
    Later(Later),
}

/// Lets happen what is due until then.
pub fn run_until(until: u64) {
    if let Some(outer) = with(|world| world.dives(until)) {
        while let Some(event) = with(|world| world.next(until)) {
            happens(event);
        }
        with(|world| world.surfaces(outer));
    }
    with(|world| world.now = world.now.max(until));
}

impl World {
    /// Others have their turn now, unless turns are nested too deep, or all others stand still.
    fn dives(&mut self, until: u64) -> Option<u64> {
        if self.depth >= DEEPEST || self.alone.is_some() || self.violation.is_some() {
            return None;
        }
        self.depth += 1;
        Some(std::mem::replace(&mut self.deadline, until))
    }

    fn surfaces(&mut self, outer: u64) {
        self.depth -= 1;
        self.deadline = outer;
    }

    fn next(&mut self, until: u64) -> Option<Event> {
        if self.violation.is_some() {
            return None;
        }
        let turn = self.turns.first().copied().filter(|(at, _)| *at <= until);
        let later = self.later.first_key_value().map(|((at, _), _)| *at).filter(|at| *at <= until);
        match (turn, later) {
            (Some((at, machine)), later) if later.is_none_or(|later| at < later) => {
                self.turns.pop_first();
                self.now = self.now.max(at);
                Some(Event::Turn(machine))
            }
            (_, Some(at)) => {
                self.now = self.now.max(at);
                self.later.pop_first().map(|(_, later)| Event::Later(later))
            }
            _ => None,
        }
    }
}

fn happens(event: Event) {
    match event {
        Event::Turn(machine) => turn(machine),
        Event::Later(later) => deed::comes(later),
    }
}

/// A machine's agent has its turn; it is started where none runs.
pub fn turn(me: usize) {
    let Some(agent) = with(|world| world.begins_turn(me)) else { return };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let mut agent = agent.unwrap_or_else(|| start(me));
        let turn = agent.tick();
        (agent, turn)
    }));
    match ended {
        Ok((agent, turn)) => with(|world| world.ends_turn(me, agent, &turn)),
        Err(end) if end.is::<Fallen>() => with(|world| world.has_fallen(me)),
        Err(_) => with(|world| world.panics(me)),
    }
}

/// Starts the agent of a machine, with the runner that is installed.
pub fn start(me: usize) -> Agent<'static> {
    let (bytes, seat) = (with(|world| world.machines[me].disk.runner.clone()), Seat(me));
    let runner = Digest::of(&bytes);
    let build = Build::read(&bytes).unwrap_or(with(|world| world.build));
    with(|world| {
        world.machines[me].running = Some(build);
        world.witness(me, &Effect::Starts { runner });
    });
    let (system, log) = of_machine(me);
    Agent::of(seat.parts(), build.catalog(), system, runner, log)
}

type Log = &'static dyn Fn(&str);

/// The system and the log of a machine: the same for machines in the same place of all rounds on this thread.
fn of_machine(me: usize) -> (&'static System, Log) {
    thread_local! {
        static ALL: RefCell<Vec<(&'static System, Log)>> = const { RefCell::new(Vec::new()) };
    }
    ALL.with_borrow_mut(|all| {
        while all.len() <= me {
            let here = all.len();
            let system: &'static System = Box::leak(Box::new(System::new("/sim", Seat(here), Seat(here))));
            let log: Log = Box::leak(Box::new(move |line: &str| with(|world| world.say(here, || line.to_owned()))));
            all.push((system, log));
        }
        all[me]
    })
}

impl World {
    /// Nothing where the machine is off, or its last turn has not ended.
    fn begins_turn(&mut self, me: usize) -> Option<Option<Agent<'static>>> {
        if self.alone.is_some_and(|alone| alone != me) {
            return None;
        }
        let machine = &mut self.machines[me];
        if !machine.on || machine.busy {
            return None;
        }
        machine.busy = true;
        machine.fallen = false;
        self.events += 1;
        self.turned += 1;
        Some(machine.agent.take())
    }

    fn ends_turn(&mut self, me: usize, agent: Agent<'static>, turn: &Result<Next, AgentError>) {
        if self.machines[me].fallen {
            return self.has_fallen(me);
        }
        if let Err(error) = turn {
            self.say(me, || format!("says: {}", with_causes(error)));
        }
        let outcome = Outcome::from(turn);
        // How long a turn takes is a matter of messages, which have their own delays.
        let over = Turn { ended: std::time::Duration::from_millis(self.now), took: std::time::Duration::ZERO };
        let machine = &mut self.machines[me];
        machine.busy = false;
        machine.is_stuck = matches!(turn, Err(AgentError::TakenOver { .. }));
        let phase = &machine.disk.record.phase;
        machine.streak = machine.streak.and(phase, outcome);
        // As among very many, who spread the most.
        let polls = Polls { host: machine.disk.config.uuid, every: POLL, peers: usize::MAX };
        let wait = pace::after(phase, outcome, machine.streak.failures, polls, over, machine.chance.next());
        machine.agent = (!matches!(turn, Ok(Next::Exec))).then_some(agent);
        self.turn(me, u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    }

    /// An agent that fell is started again by the init, where the machine is on.
    fn has_fallen(&mut self, me: usize) {
        let machine = &mut self.machines[me];
        (machine.busy, machine.fallen) = (false, false);
        let after = 500 + machine.chance.below(10_000) as u64;
        if machine.on {
            self.turn(me, after);
        }
    }
}
