//! Where landed links stand, and which of two stands first.
//!
//! Most links stand at the commit that introduced them, and ancestry orders those. Others stand at their pin: their
//! commit can't be seen from here, or belongs to a history that this one was imported from. Pins are ordered by the lock;
//! and a commit is before all pins from the first on that came into this history after it.

use std::collections::{BTreeMap, BTreeSet};

use super::ancestry::Ancestry;

/// Where a landed link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At the pin with this number.
    Pin(usize),
    /// At this commit of the history.
    Commit(usize),
}

/// The order of all places of a chain.
#[derive(Debug)]
pub(super) struct Order {
    ancestry: Ancestry,
    /// The newest commit with which a pin up to this one came into the history.
    newest: BTreeMap<usize, Option<usize>>,
    cuts: BTreeMap<usize, Cut>,
}

/// Where a commit stands among the pins: after those before `after`, and before those from `before` on.
#[derive(Debug, Clone, Copy)]
struct Cut {
    after: usize,
    before: usize,
}

const BETWEEN_ALL: Cut = Cut { after: usize::MAX, before: usize::MAX };

impl Order {
    /// The order of commits. No pin has a place yet.
    pub(super) fn new(ancestry: Ancestry) -> Self {
        Self { ancestry, newest: BTreeMap::new(), cuts: BTreeMap::new() }
    }

    /// Places pins, by number, each with the commit that brought it into this history, where one did, among the links
    /// that stand at `commits`.
    pub(super) fn place(&mut self, commits: BTreeSet<usize>, pins: &BTreeMap<usize, Option<usize>>) {
        let entered: Vec<(usize, usize)> = pins.iter().filter_map(|(pin, commit)| Some((*pin, (*commit)?))).collect();
        let newest = pins.iter().scan(None, |newest, (pin, commit)| {
            *newest = (*newest).max(*commit);
            Some((*pin, *newest))
        });
        self.newest = newest.collect();
        let cut = |commit: usize| (commit, Cut::of(commit, pins, &entered, &self.ancestry));
        self.cuts = if entered.is_empty() { BTreeMap::new() } else { commits.into_iter().map(cut).collect() };
    }

    /// Whether `old` stands before `new`.
    pub(super) fn is_before(&self, old: Place, new: Place) -> bool {
        match (old, new) {
            (Place::Commit(old), Place::Commit(new)) => self.ancestry.is_before(old, new),
            (Place::Pin(old), Place::Pin(new)) => old < new,
            (Place::Pin(old), Place::Commit(new)) => old < self.cut(new).after.min(self.cut(new).before),
            (Place::Commit(old), Place::Pin(new)) => new >= self.cut(old).before,
        }
    }

    /// What sorts places by, if no two diverge: a commit's position is after those of its ancestors.
    pub(super) fn key(&self, place: Place) -> (Option<usize>, bool, usize) {
        match place {
            Place::Pin(pin) => (self.newest.get(&pin).copied().flatten(), false, pin),
            Place::Commit(commit) => (Some(commit), true, 0),
        }
    }

    /// Whether the commit `old` is an ancestor of `new`, and another one.
    pub(super) fn is_ancestor(&self, old: usize, new: usize) -> bool {
        self.ancestry.is_before(old, new)
    }

    fn cut(&self, commit: usize) -> Cut {
        self.cuts.get(&commit).copied().unwrap_or(BETWEEN_ALL)
    }
}

impl Cut {
    fn of(
        commit: usize,
        pins: &BTreeMap<usize, Option<usize>>,
        entered: &[(usize, usize)],
        ancestry: &Ancestry,
    ) -> Self {
        let is_past = |entered: &Option<usize>| {
            entered.is_none_or(|entered| entered == commit || ancestry.is_before(entered, commit))
        };
        let past = pins.iter().rev().find(|(_, entered)| is_past(entered));
        let next = entered.iter().find(|(_, entered)| ancestry.is_before(commit, *entered));
        Self { after: past.map_or(0, |(pin, _)| pin + 1), before: next.map_or(usize::MAX, |(pin, _)| *pin) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Commit, Sha1};
    use super::*;

    /// Commits in a row, and one beside the second.
    fn ancestry() -> Ancestry {
        let parents: [&[usize]; 5] = [&[], &[0], &[0], &[1], &[3]];
        let commit = |parents: &&[usize]| Commit {
            is_root: parents.is_empty(),
            sha1: Sha1::ZERO,
            parents: parents.to_vec(),
            introduces: Vec::new(),
            cut: false,
        };
        Ancestry::among(&parents.iter().map(commit).collect::<Vec<_>>(), 0..5)
    }

    #[test]
    fn a_commit_stands_between_the_pins_that_came_before_and_after_it() {
        let check = |pins: &[Option<usize>], commit: usize, expect: &str| {
            let mut order = Order::new(ancestry());
            order.place((0..5).collect(), &pins.iter().copied().enumerate().collect());
            let side = |pin| match (
                order.is_before(Place::Pin(pin), Place::Commit(commit)),
                order.is_before(Place::Commit(commit), Place::Pin(pin)),
            ) {
                (true, false) => '<',
                (false, true) => '>',
                (false, false) => '|',
                (true, true) => '!',
            };
            assert_eq!((0..pins.len()).map(side).collect::<String>(), expect, "{pins:?} {commit}");
        };
        check(&[None, None], 1, "<<");
        check(&[Some(0), Some(0)], 1, "<<");
        check(&[Some(1), Some(1)], 1, "<<");
        check(&[Some(0), Some(3)], 1, "<>");
        check(&[Some(3), Some(0)], 1, ">>");
        check(&[None, Some(3), None], 1, "<>>");
        check(&[Some(2)], 1, "|");
        check(&[Some(2), Some(0)], 1, "<<");
    }
}
