//! What came of rounds, as numbers.

use std::collections::BTreeMap;

use serde::Serialize;

use super::faults::Faults;
use super::play::Played;
use crate::torture::outcome::Found;
use crate::torture::rule::Rule;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// How many rounds were played.
    pub rounds: usize,
    /// How much happened in all of them.
    pub events: u64,
    /// How often hosts had their turn.
    #[serde(skip)]
    pub turns: u64,
    /// How often what went wrong.
    pub faults: BTreeMap<&'static str, usize>,
    /// What was broken, and by which seed.
    pub violations: Vec<Found>,
    /// Which herds did not come to where they were told to be.
    pub liveness_failures: Vec<Found>,
    /// Whether neither happened.
    pub ok: bool,
    /// The first seed that broke a rule, and which.
    #[serde(skip)]
    pub first: Option<(u64, Rule)>,
}

/// What came of rounds so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many rounds.
    pub rounds: usize,
    events: u64,
    turns: u64,
    faults: Faults,
    found: Vec<(Rule, Found)>,
}

impl Tally {
    /// One more round.
    pub fn add(&mut self, seed: u64, played: &Played) {
        self.rounds += 1;
        self.events += played.events;
        self.turns += played.turns;
        self.faults.add(&played.faults);
        if let Some(violation) = &played.violation {
            let found = Found { seed, rule: violation.rule.to_string(), what: violation.what.clone() };
            self.found.push((violation.rule, found));
        }
    }

    /// All of it.
    #[must_use]
    pub fn outcome(mut self) -> Outcome {
        self.found.sort_by_key(|(_, found)| found.seed);
        let first = self.found.first().map(|(rule, found)| (found.seed, *rule));
        let is_liveness = |(rule, _): &(Rule, Found)| *rule == Rule::Completes;
        let (liveness, violations): (Vec<_>, Vec<_>) = self.found.into_iter().partition(is_liveness);
        let only = |found: Vec<(Rule, Found)>| found.into_iter().map(|(_, found)| found).collect();
        Outcome {
            rounds: self.rounds,
            events: self.events,
            turns: self.turns,
            faults: self.faults.all(),
            violations: only(violations),
            liveness_failures: only(liveness),
            ok: first.is_none(),
            first,
        }
    }
}
