//! What is aimed at, and what was reached.

use std::fmt;

use super::{Applied, FILES_TARGET, FIRST_TARGET, MIXED_TARGET, PEAK_TARGET, Raced};

/// How many times as long as the standard library its peers take, at least.
const PEERS: [(&str, f64); 2] = [("rash", 4.0), ("cfengine", 10.0)];
const OTHER_PEERS: f64 = 50.0;

/// One of the aims.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    /// What is measured.
    pub what: String,
    /// What it is to be.
    pub bound: Bound,
    /// What it is.
    pub measured: f64,
}

/// What a number is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Goal {
    /// Whether it is reached.
    #[must_use]
    pub fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtMost(most) => self.measured <= most,
            Bound::AtLeast(least) => self.measured >= least,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "at most {most:.2}"),
            Self::AtLeast(least) => write!(f, "at least {least:.2}"),
        }
    }
}

impl Applied {
    /// All that is aimed at. The files of the first time need no program, so that has no measure.
    #[must_use]
    pub fn goals(&self) -> Vec<Goal> {
        let of = |kind: &str, number: fn(&Raced) -> f64| self.kinds.get(kind).map_or(f64::NAN, number);
        let first = |raced: &Raced| raced.first_ratio.unwrap_or(f64::NAN);
        let own = [
            ("no-op of mixed by the floor", MIXED_TARGET, of("mixed", |raced| raced.ratio)),
            ("no-op of files by the floor", FILES_TARGET, of("files", |raced| raced.ratio)),
            ("first time of mixed by its programs", FIRST_TARGET, of("mixed", first)),
            ("first time of install by its programs", FIRST_TARGET, of("install", first)),
            ("memory, MiB", PEAK_TARGET, self.peak_mib),
        ];
        let own =
            own.map(|(what, most, measured)| Goal { what: what.to_owned(), bound: Bound::AtMost(most), measured });
        let beside = self.peers.peers.iter().map(|(name, cost)| Goal {
            what: format!("no-op of mixed by {name}, times the library's"),
            bound: Bound::AtLeast(times_of(name)),
            measured: cost.times,
        });
        own.into_iter().chain(beside).collect()
    }
}

fn times_of(peer: &str) -> f64 {
    PEERS.iter().find(|(name, _)| *name == peer).map_or(OTHER_PEERS, |(_, times)| *times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_met_where_it_is_reached() {
        let check = |bound, measured, expect| {
            assert_eq!(Goal { what: String::new(), bound, measured }.is_met(), expect, "{bound} {measured}");
        };
        check(Bound::AtMost(1.3), 1.3, true);
        check(Bound::AtMost(1.3), 1.31, false);
        check(Bound::AtLeast(4.0), 4.0, true);
        check(Bound::AtLeast(4.0), 3.9, false);
        check(Bound::AtMost(1.3), f64::NAN, false);
        check(Bound::AtLeast(4.0), f64::NAN, false);
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let goals = Applied::default().goals();
        let met: Vec<&str> = goals.iter().filter(|goal| goal.is_met()).map(|goal| goal.what.as_str()).collect();
        assert_eq!((goals.len(), met), (5, vec!["memory, MiB"]));
    }

    #[test]
    fn each_peer_has_a_goal() {
        let goal = |name| Bound::AtLeast(times_of(name)).to_string();
        assert_eq!(["rash", "cfengine", "salt"].map(goal), ["at least 4.00", "at least 10.00", "at least 50.00"]);
    }
}
