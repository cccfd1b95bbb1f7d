//! Shortening a round that broke a rule: hosts and deeds that it does not need for that are left away.

use super::play::{Played, play};
use super::round::Round;
use crate::torture::rule::Rule;

/// How many rounds are played for that at most.
const TRIES: usize = 300;

/// With how many hosts it is tried first.
const FEW: [usize; 6] = [2, 3, 4, 6, 9, 13];

/// The shortest round that is found to break the same rule, and what happens in it.
#[must_use]
pub fn shrink(round: &Round, rule: Rule) -> (Round, Played) {
    let mut tries = TRIES;
    let mut breaks = |round: &Round| {
        tries = tries.saturating_sub(1);
        tries > 0 && play(round, false).violation.is_some_and(|violation| violation.rule == rule)
    };
    let smaller = FEW.into_iter().filter(|hosts| *hosts < round.hosts).map(|hosts| Round { hosts, ..round.clone() });
    let mut short = smaller.into_iter().find(|smaller| breaks(smaller)).unwrap_or_else(|| round.clone());
    let mut part = short.deeds.len().div_ceil(2);
    while part > 0 {
        let before = short.deeds.len();
        short = without_parts(short, part, &mut breaks);
        part = match part {
            1 if short.deeds.len() == before => 0,
            part => part.div_ceil(2),
        };
    }
    let played = play(&short, true);
    (short, played)
}

/// Without each run of so many deeds that it does not need.
fn without_parts(mut short: Round, part: usize, breaks: &mut impl FnMut(&Round) -> bool) -> Round {
    let mut at = 0;
    while at < short.deeds.len() {
        let mut without = short.clone();
        without.deeds.drain(at..(at + part).min(short.deeds.len()));
        match breaks(&without) {
            true => short = without,
            false => at += part,
        }
    }
    short
}
