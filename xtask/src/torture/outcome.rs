//! What came of rounds, as numbers.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use wb_core::system::fault::POINTS;

use super::play::Played;
use super::round;
use super::rule::{Rule, Violation};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// How many rounds were played.
    pub rounds: usize,
    /// How many points there are at which a host may fall.
    pub crash_points: usize,
    /// At how many of them one fell.
    pub crash_points_hit: usize,
    /// How often what happened.
    pub faults: BTreeMap<String, usize>,
    /// What was broken, and by which seed.
    pub violations: Vec<Found>,
    /// Whether nothing was.
    pub ok: bool,
    /// The names of points at which none fell.
    #[serde(skip)]
    pub missed: Vec<&'static str>,
    /// The names of points that no scenario passes.
    #[serde(skip)]
    pub unpassed: Vec<&'static str>,
}

/// A round that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The seed that repeats it.
    pub seed: u64,
    /// Which rule was broken.
    pub rule: String,
    /// How.
    pub what: String,
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) rounds: usize,
    points: Vec<usize>,
    hit: BTreeSet<usize>,
    faults: BTreeMap<String, usize>,
    violations: Vec<Found>,
}

impl Tally {
    pub(super) fn new(points: Vec<usize>) -> Self {
        Self { points, ..Self::default() }
    }

    pub(super) fn add(&mut self, seed: u64, played: Played) {
        self.rounds += 1;
        let fell = played.fell.iter().map(|blow| round::name(blow.fault));
        for name in fell.chain(played.mischief.iter().map(|kind| kind.name())) {
            *self.faults.entry(name.to_owned()).or_default() += 1;
        }
        self.hit.extend(played.fell.iter().filter(|blow| !blow.is_mild()).map(|blow| blow.point));
        let found = |violation: Violation| Found { seed, rule: violation.rule.to_string(), what: violation.what };
        self.violations.extend(played.violations.into_iter().map(found));
    }

    pub(super) fn has_broken(&self, rule: Rule) -> bool {
        self.violations.iter().any(|found| found.rule == rule.to_string())
    }

    pub(super) fn outcome(mut self) -> Outcome {
        self.violations.sort_by_key(|found| found.seed);
        let missed = self.points.iter().filter(|point| !self.hit.contains(point));
        let missed: Vec<&str> = missed.map(|point| POINTS[*point].name).collect();
        let unpassed = (0..POINTS.len()).filter(|point| !self.points.contains(point));
        let unpassed = unpassed.map(|point| POINTS[point].name).collect();
        Outcome {
            unpassed,
            rounds: self.rounds,
            crash_points: self.points.len(),
            crash_points_hit: self.points.len() - missed.len(),
            faults: self.faults,
            ok: self.violations.is_empty(),
            violations: self.violations,
            missed,
        }
    }
}
