//! What came of rounds, as numbers.

use std::collections::BTreeMap;

use serde::Serialize;

use super::faults::Faults;
use super::play::Played;
use crate::torture::outcome::Found;
use crate::torture::rule::Rule;

/// In how many rounds every kind of fault happens.
pub const ENOUGH: usize = 1000;

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
    /// Whether neither happened; and that, in as many rounds as [`ENOUGH`], every kind of fault did.
    pub ok: bool,
    /// The kinds of faults that never happened in so many rounds: what they would show nobody has seen.
    #[serde(skip)]
    pub never: Vec<&'static str>,
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

    /// Whether this rule was broken.
    #[must_use]
    pub fn has_broken(&self, rule: Rule) -> bool {
        self.found.iter().any(|(broken, _)| *broken == rule)
    }

    /// All of it.
    #[must_use]
    pub fn outcome(mut self) -> Outcome {
        self.found.sort_by_key(|(_, found)| found.seed);
        let first = self.found.first().map(|(rule, found)| (found.seed, *rule));
        let is_liveness = |(rule, _): &(Rule, Found)| *rule == Rule::Completes;
        let (liveness, violations): (Vec<_>, Vec<_>) = self.found.into_iter().partition(is_liveness);
        let faults = self.faults.all();
        let none = |(kind, times): (&&'static str, &usize)| (*times == 0).then_some(*kind);
        let never: Vec<&str> = faults.iter().filter(|_| self.rounds >= ENOUGH).filter_map(none).collect();
        let only = |found: Vec<(Rule, Found)>| found.into_iter().map(|(_, found)| found).collect();
        Outcome {
            rounds: self.rounds,
            events: self.events,
            turns: self.turns,
            faults,
            violations: only(violations),
            liveness_failures: only(liveness),
            ok: first.is_none() && never.is_empty(),
            never,
            first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torture::herd::faults::KINDS;
    use crate::torture::rule::Violation;

    fn of(rounds: u64, kinds: &[&'static str], broken: Option<Rule>) -> Outcome {
        let mut tally = Tally::default();
        for seed in 0..rounds {
            let mut faults = Faults::default();
            kinds.iter().for_each(|kind| faults.count(kind));
            let violation = broken.filter(|_| seed == 7).map(|rule| Violation { rule, what: "so".into() });
            tally.add(seed, &Played { events: 2, turns: 1, faults, violation, trace: Vec::new() });
        }
        tally.outcome()
    }

    #[test]
    fn in_enough_rounds_every_kind_of_fault_must_have_happened() {
        assert!(of(1000, KINDS, None).ok);
        let without = of(1000, &KINDS[1..], None);
        assert_eq!((without.ok, &without.never[..]), (false, &KINDS[..1]));
        // Fewer rounds prove nothing about that.
        assert!(of(999, &KINDS[1..], None).ok);
    }

    #[test]
    fn a_rule_that_is_broken_is_told_with_its_seed() {
        let outcome = of(10, KINDS, Some(Rule::Invariant(3)));
        assert_eq!((outcome.ok, outcome.first), (false, Some((7, Rule::Invariant(3)))));
        assert_eq!((outcome.violations.len(), outcome.liveness_failures.len()), (1, 0));
        let outcome = of(10, KINDS, Some(Rule::Completes));
        assert_eq!((outcome.violations.len(), outcome.liveness_failures.len()), (0, 1));
    }

    #[test]
    fn the_json_is_what_was_promised() {
        let json = serde_json::to_value(of(8, KINDS, Some(Rule::Invariant(2)))).unwrap();
        let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["events", "faults", "liveness_failures", "ok", "rounds", "violations"]);
        assert_eq!(json["violations"], serde_json::json!([{ "seed": 7, "rule": "invariant 2", "what": "so" }]));
        assert_eq!((&json["rounds"], &json["events"], &json["ok"]), (&8.into(), &16.into(), &false.into()));
        assert!(KINDS.iter().all(|kind| json["faults"][kind] == 8));
    }
}
