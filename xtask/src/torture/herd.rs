//! Torture of herds: many hosts in one process, run by the agent that real hosts run, with git, disks, machines and time
//! in memory.
//!
//! A *round* is a herd, some deploys, and all that goes wrong meanwhile; it follows from its seed ([`round`]), and so do
//! its order and its time ([`mod@play`]). What really happens stands in a [`ledger`], which knows the rules and tells the
//! first one that is broken. Where one was, [`shrink`] leaves away what it does not need.

pub mod baselines;
pub mod deed;
pub mod faults;
pub mod fleet;
pub mod inside;
pub mod ledger;
pub mod operator;
pub mod optimised;
pub mod outcome;
pub mod play;
pub mod refs;
pub mod round;
pub mod seat;
pub mod server;
pub mod shrink;
pub mod still;
pub mod tale;
pub mod tend;
pub mod world;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use wb_core::system::fault::{self, Bug};

use crate::shell::Shell;
use crate::torture::{rule, worker};
use outcome::{Outcome, Tally};
use play::{Played, play};
use round::Round;

/// What to torture, and for how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// The seed of the first round; each round after it has the next one.
    pub seed: u64,
    /// How many rounds.
    pub rounds: usize,
    /// How many hosts.
    pub hosts: usize,
    /// How many rounds at once.
    pub jobs: usize,
    /// The mistake that agents make on purpose. The rounds end where it is found.
    pub bug: Option<Bug>,
}

/// What a thread that plays rounds needs of its stack: turns are nested.
const STACK: usize = 64 << 20;

/// Plays rounds.
#[must_use]
pub fn torture(options: &Options, shell: &Shell) -> Outcome {
    let bar = shell.begin_steps("rounds", options.rounds as u64);
    let mut tally = Tally::default();
    let next = AtomicUsize::new(0);
    let (done, rounds) = channel();
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            let (done, next) = (done.clone(), &next);
            let spawned =
                std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, move || work(options, next, &done));
            drop(spawned);
        }
        drop(done);
        for (seed, played) in rounds {
            if let Some(violation) = &played.violation {
                shell.warn(format_args!("seed {seed}: {violation}"));
            }
            tally.add(seed, &played);
            if options.bug.is_some_and(|bug| tally.has_broken(rule::breaks(bug))) {
                next.store(options.rounds, Ordering::Relaxed);
            }
            bar.reached(tally.rounds as u64);
        }
    });
    tally.outcome()
}

/// Plays rounds until there are no more.
fn work(options: &Options, next: &AtomicUsize, done: &Sender<(u64, Played)>) {
    fault::plant_here(options.bug);
    let play = |seed| play(&Round::drawn(seed, options.hosts), false);
    worker::work((options.seed, options.rounds), next, done, play);
}

/// What came of it, in words: how often what went wrong, and the first round that broke a rule, shortened.
#[must_use]
pub fn told(outcome: &Outcome, options: &Options) -> String {
    let mut text = String::new();
    for (name, times) in &outcome.faults {
        text += &format!("{times:>8}  {}\n", name.replace('_', " "));
    }
    if let Some((seed, rule)) = outcome.first {
        text += &in_short(seed, rule, options);
    }
    if !outcome.never.is_empty() {
        text += &format!("never seen in so many rounds: {}\n", outcome.never.join(", ").replace('_', " "));
    }
    let Outcome { rounds, events, violations, liveness_failures, .. } = outcome;
    let broken = match violations.len() + liveness_failures.len() {
        0 => "no rule was broken".to_owned(),
        many => format!("rules were broken in {many} rounds"),
    };
    text + &format!("{rounds} rounds of {} hosts, {events} events, {broken}\n", options.hosts)
}

fn in_short(seed: u64, rule: rule::Rule, options: &Options) -> String {
    let played = std::thread::scope(|scope| {
        let shrinks = move || {
            fault::plant_here(options.bug);
            shrink::shrink(&Round::drawn(seed, options.hosts), rule)
        };
        let spawned = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, shrinks);
        spawned.ok().and_then(|shrunk| shrunk.join().ok())
    });
    let Some((round, played)) = played else { return String::new() };
    let what = played.violation.map(|violation| violation.what).unwrap_or_default();
    let all = Round::drawn(seed, options.hosts).deeds.len();
    let (hosts, deeds) = (round.hosts, round.deeds.len());
    let mut text = format!(
        "\nThe round of seed {seed} breaks the rule `{rule}`: {what}\n\
         It still does with {hosts} of {} hosts, and with {deeds} of the {all} things that are done to them:\n\n",
        options.hosts
    );
    for line in tale::in_short(&played.trace) {
        text += &format!("{line}\n");
    }
    let bug = options.bug.map(|bug| format!(" --bug {bug:?}")).unwrap_or_default();
    let repeat = format!("cargo xtask torture herd --seed {seed} --rounds 1 --hosts {}{bug}", options.hosts);
    text + &format!("\nRepeat it with `{repeat}`.\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_rounds_however_many_are_played_at_once() {
        let played = |jobs| torture(&Options { seed: 5, rounds: 3, hosts: 5, jobs, bug: None }, &Shell::captured().0);
        let once = played(1);
        assert_eq!((once.rounds, &once), (3, &played(2)));
    }

    #[test]
    fn the_same_seed_gives_the_same_story() {
        let played =
            || std::thread::Builder::new().stack_size(STACK).spawn(|| play(&Round::drawn(7, 5), true)).unwrap();
        let (once, again) = (played().join().unwrap(), played().join().unwrap());
        assert!(once.trace.len() > 100, "{:?}", once.trace);
        assert_eq!(once, again);
    }
}
