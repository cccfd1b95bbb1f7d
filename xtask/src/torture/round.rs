//! What happens in a round, drawn from its seed and from what passes in a round where nothing happens.
//!
//! Consecutive seeds go through the points one after the other, so that as many rounds as there are points pass them
//! all; how a point falls, and what else happens, is chance.

use std::collections::BTreeMap;

use wb_core::system::fault::{Fault, Kind, POINTS};

use super::chance::Chance;
use super::mischief::Mischief;

/// What the operator does in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// Deploys, and all is well.
    Deploy,
    /// Deploys a link that fails, mends the host, and asks for another try.
    Retried,
    /// Deploys a link that fails, and amends it.
    Amended,
    /// Deploys again while the first deploy may still be under way.
    Overtaken,
    /// Enrols a new machine, admits it, and lets it come into service.
    NewHost,
    /// Deploys to a host that is in load by its own record, and out by the pool's.
    FoundClaim,
    /// Deploys to a host that another one takes the last place from, at the moment when it claims.
    LostClaim,
    /// Deploys a runner that fails its self-check, and then one that does not.
    BadRunner,
    /// Deploys a runner that passes its self-check and dies at each start, and then one that does not.
    CrashingRunner,
    /// Deploys a link that fails, does it by hand, and says so.
    Adopted,
    /// Deploys a link that was done by hand already, and says so.
    ByHand,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Deploy,
        Self::Retried,
        Self::Amended,
        Self::Overtaken,
        Self::NewHost,
        Self::FoundClaim,
        Self::LostClaim,
        Self::BadRunner,
        Self::CrashingRunner,
        Self::Adopted,
        Self::ByHand,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Retried => "retried",
            Self::Amended => "amended",
            Self::Overtaken => "overtaken",
            Self::NewHost => "new host",
            Self::FoundClaim => "found claim",
            Self::LostClaim => "lost claim",
            Self::BadRunner => "bad runner",
            Self::CrashingRunner => "crashing runner",
            Self::Adopted => "adopted",
            Self::ByHand => "by hand",
        }
    }
}

/// A fault in one process of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blow {
    /// In which process, counted from 0 by their starts.
    pub start: usize,
    /// At which point.
    pub point: usize,
    /// At which passage of it in that process, counted from 0.
    pub nth: u64,
    /// What happens.
    pub fault: Fault,
}

/// A round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// What it follows from.
    pub seed: u64,
    /// What the operator does.
    pub scenario: Scenario,
    /// What falls while the host runs.
    pub blows: Vec<Blow>,
    /// What is done to it before which run.
    pub mischief: Vec<(usize, Mischief)>,
}

/// The points that each process of a round passes when nothing happens, in order.
pub type Passages = BTreeMap<Scenario, Vec<Vec<usize>>>;

/// In every fourth turn each point is the only thing that happens, so that it is passed for certain.
const ALONE: usize = 4;

/// How many runs mischief is spread over.
const RUNS: usize = 3;

impl Round {
    /// A round in which nothing happens.
    #[must_use]
    pub fn calm(scenario: Scenario) -> Self {
        Self { seed: 0, scenario, blows: Vec::new(), mischief: Vec::new() }
    }

    /// The round of a seed.
    #[must_use]
    pub fn drawn(seed: u64, passages: &Passages) -> Self {
        let mut chance = Chance(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let points = points(passages);
        let turn = usize::try_from(seed).unwrap_or(usize::MAX);
        let point = points.get(turn.checked_rem(points.len()).unwrap_or(0)).copied();
        let lap = turn.checked_div(points.len()).unwrap_or(0);
        let with: Vec<Scenario> = passages
            .iter()
            .filter(|(_, starts)| point.is_none_or(|point| starts.iter().flatten().any(|passed| *passed == point)))
            .map(|(scenario, _)| *scenario)
            .collect();
        let scenario = chance.of(&with).unwrap_or(Scenario::Deploy);
        let empty = Vec::new();
        let starts = passages.get(&scenario).unwrap_or(&empty);
        let alone = lap % ALONE == ALONE - 1;
        let first = if alone { Fault::Kill } else { point.map_or(Fault::Kill, |point| fault(point, lap)) };
        let first = point.and_then(|point| Blow::at(point, starts, first, &mut chance));
        let mut blows: Vec<Blow> = first.into_iter().collect();
        if alone {
            return Self { seed, scenario, blows, mischief: Vec::new() };
        }
        while blows.len() < 3 && chance.one_in(2) {
            blows.extend(Blow::after(blows.last(), starts, &mut chance));
        }
        let mut mischief = Vec::new();
        for run in 0..RUNS {
            if chance.one_in(4) {
                mischief.extend(chance.of(&Mischief::ALL).map(|kind| (if kind.is_early() { 0 } else { run }, kind)));
            }
        }
        // A change can't be published on a remote that was taken away.
        mischief.sort_by_key(|(run, kind)| (*run, !kind.is_early()));
        Self { seed, scenario, blows, mischief }
    }
}

impl Blow {
    /// At one of the passages of a point.
    fn at(point: usize, starts: &[Vec<usize>], fault: Fault, chance: &mut Chance) -> Option<Self> {
        let passages: Vec<(usize, u64)> = starts
            .iter()
            .enumerate()
            .flat_map(|(start, passed)| {
                let times = passed.iter().filter(|passed| **passed == point).count() as u64;
                (0..times).map(move |nth| (start, nth))
            })
            .collect();
        let (start, nth) = chance.of(&passages)?;
        Some(Self { start, point, nth, fault })
    }

    /// Somewhere in the process after that in which the last one fell.
    fn after(last: Option<&Self>, starts: &[Vec<usize>], chance: &mut Chance) -> Option<Self> {
        let all: Vec<usize> = starts.iter().flatten().copied().collect();
        let point = chance.of(&all)?;
        let start = last.map_or(0, |last| last.start + 1 + usize::from(last.is_mild()));
        Some(Self { start, point, nth: chance.below(2) as u64, fault: fault(point, chance.below(4)) })
    }

    /// Whether the process lives on.
    #[must_use]
    pub fn is_mild(&self) -> bool {
        matches!(self.fault, Fault::NoSpace | Fault::InputOutput)
    }
}

/// The points that are passed at all, in order.
#[must_use]
pub fn points(passages: &Passages) -> Vec<usize> {
    let all: std::collections::BTreeSet<usize> = passages.values().flatten().flatten().copied().collect();
    all.into_iter().collect()
}

/// How a point falls in the `lap`-th turn: each in all ways, one after the other.
fn fault(point: usize, lap: usize) -> Fault {
    let can_fail = !matches!(POINTS[point].kind, Kind::Spawned | Kind::Ended);
    let all = [Fault::Kill, Fault::PowerCut, Fault::NoSpace, Fault::InputOutput];
    all[(lap + point) % if can_fail { 4 } else { 2 }]
}

/// The name of a fault in reports.
#[must_use]
pub fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::Kill => "kill",
        Fault::PowerCut => "power_cut",
        Fault::NoSpace => "no_space",
        Fault::InputOutput => "input_output",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passages() -> Passages {
        [(Scenario::Deploy, vec![vec![1, 2, 2], vec![3]]), (Scenario::Retried, vec![vec![1, 5]])].into()
    }

    #[test]
    fn a_seed_gives_one_round() {
        assert_eq!(Round::drawn(7, &passages()), Round::drawn(7, &passages()));
    }

    #[test]
    fn consecutive_seeds_go_through_all_points() {
        let first = |seed| Round::drawn(seed, &passages()).blows[0].point;
        assert_eq!((0..5).map(first).collect::<Vec<_>>(), [1, 2, 3, 5, 1]);
    }

    #[test]
    fn what_needs_the_remote_is_done_before_the_remote_goes() {
        for seed in 0..2_000 {
            let round = Round::drawn(seed, &passages());
            let early = round.mischief.iter().take_while(|(_, kind)| kind.is_early()).count();
            assert!(round.mischief[early..].iter().all(|(_, kind)| !kind.is_early()), "{round:?}");
        }
    }

    #[test]
    fn a_point_falls_where_it_is_passed() {
        for seed in 0..100 {
            let round = Round::drawn(seed, &passages());
            let blow = round.blows[0];
            let passed = &passages()[&round.scenario][blow.start];
            assert!(passed.iter().filter(|point| **point == blow.point).count() as u64 > blow.nth, "{round:?}");
        }
    }
}
