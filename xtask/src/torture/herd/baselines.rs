//! What amounts to having done a link: sets of links are masks, with a bit for each place in the chain.

use wb_core::chain::{Chain, Link};

/// The baselines of a chain.
#[derive(Debug)]
pub struct Baselines {
    /// For each link that is a baseline, the links of its role that it stands for.
    replaced: Vec<u32>,
}

impl Baselines {
    /// Those of this chain.
    #[must_use]
    pub fn of(chain: &Chain) -> Self {
        let mask = |link: &Link| {
            let span = chain.baselines().find(|(baseline, _)| baseline.sha1 == link.sha1).map(|(_, span)| span);
            let places = span.into_iter().flatten().filter(|place| chain.links()[*place].role == link.role);
            places.fold(0, |mask, place| mask | 1 << place)
        };
        Self { replaced: chain.links().iter().map(mask).collect() }
    }

    /// Whether who has done these links needs this one no more: it is one of them, or a baseline among them stands for it,
    /// or it is a baseline that stands for one of them.
    #[must_use]
    pub fn amount_to(&self, done: u32, link: usize) -> bool {
        let stands = |(place, replaced): (usize, &u32)| done & (1 << place) != 0 && replaced & (1 << link) != 0;
        done & ((1 << link) | self.replaced[link]) != 0 || self.replaced.iter().enumerate().any(stands)
    }

    /// Whether who has begun these links and is to come to `goal` passes over this one: it has begun nothing of what a
    /// baseline up to there stands for.
    #[must_use]
    pub fn spare(&self, begun: u32, link: usize, goal: Option<usize>) -> bool {
        let told = goal.map_or(0, |goal| goal + 1);
        self.replaced.iter().take(told).any(|replaced| replaced & (1 << link) != 0 && replaced & begun == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of links 0 to 3, 2 stands for 0 and 1, and 3 for all of these.
    const NESTED: [u32; 4] = [0, 0, 0b11, 0b111];

    #[test]
    fn a_baseline_and_what_it_stands_for_amount_to_each_other() {
        let baselines = Baselines { replaced: NESTED.to_vec() };
        let check = |done, link, expect| assert_eq!(baselines.amount_to(done, link), expect, "{done:b} {link}");
        check(0, 0, false);
        check(0b1, 0, true);
        check(0b1, 1, false);
        check(0b11, 2, true);
        check(0b100, 0, true);
        check(0b100, 3, true);
        check(0b1000, 2, true);
    }

    #[test]
    fn what_a_baseline_stands_for_is_spared_who_has_begun_nothing_of_it() {
        let baselines = Baselines { replaced: NESTED.to_vec() };
        let check =
            |begun, link, goal, expect| assert_eq!(baselines.spare(begun, link, goal), expect, "{begun:b} {link}");
        check(0, 0, None, false);
        check(0, 0, Some(1), false);
        check(0, 0, Some(2), true);
        check(0, 2, Some(2), false);
        check(0, 2, Some(3), true);
        check(0b1, 1, Some(3), false);
    }
}
