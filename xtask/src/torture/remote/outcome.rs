//! What came of rounds, as numbers.

use std::collections::BTreeMap;

use serde::Serialize;

use super::guest::Done;
use super::inputs::Counts;
use super::trick::Trick;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Outcome {
    /// How many rounds there were.
    pub rounds: usize,
    /// How many inputs were given, in all rounds.
    pub inputs: usize,
    /// How many of each kind, and how many of these were read.
    pub kinds: Counts,
    /// How often each trick was played on a remote.
    pub tricks: BTreeMap<String, usize>,
    /// How often hosts looked at their remotes.
    pub ticks: usize,
    /// How often one of them said that something is wrong.
    pub errors: usize,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What was broken, and by which seed.
    pub violations: Vec<Found>,
    /// Whether nothing was.
    pub ok: bool,
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
    /// The arguments of `cargo xtask torture remote` that repeat it alone.
    pub again: String,
}

impl Outcome {
    /// Before the first round.
    #[must_use]
    pub fn begin(visits: bool) -> Self {
        let none = Trick::ALL.into_iter().filter(|_| visits).map(|trick| (trick.name().to_owned(), 0));
        Self { tricks: none.collect(), ok: true, ..Self::default() }
    }

    /// One round more.
    pub fn add(&mut self, done: &Done) {
        for (kind, given) in &done.given {
            let all = self.kinds.entry(kind.clone()).or_default();
            all.given += given.given;
            all.accepted += given.accepted;
            self.inputs += given.given;
        }
        for trick in &done.visited.tricks {
            *self.tricks.entry(trick.clone()).or_default() += 1;
        }
        self.ticks += done.visited.ticks;
        self.errors += done.visited.errors;
    }

    /// Something that was broken.
    pub fn broke(&mut self, found: Found) {
        self.ok = false;
        self.violations.push(found);
        self.violations.sort_by(|a, b| (a.seed, &a.what).cmp(&(b.seed, &b.what)));
    }
}
