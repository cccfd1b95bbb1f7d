//! Shortening a round that broke a rule: what it does not need for that is left away.

use super::play::{Played, play};
use super::round::Round;
use crate::torture::rule::Rule;

/// How many rounds are played for that at most.
const TRIES: usize = 400;

/// The shortest round that is found to break the same rule, and what happens in it.
#[must_use]
pub fn shrink(round: &Round, rule: Rule) -> (Round, Played) {
    let breaks = |round: &Round| play(round, false).violation.is_some_and(|violation| violation.rule == rule);
    let mut tries = 0;
    let mut short = round.clone();
    let mut part = short.deeds.len().div_ceil(2);
    while part > 0 && tries < TRIES {
        let mut at = 0;
        let before = short.deeds.len();
        while at < short.deeds.len() && tries < TRIES {
            let mut without = short.clone();
            without.deeds.drain(at..(at + part).min(short.deeds.len()));
            tries += 1;
            match breaks(&without) {
                true => short = without,
                false => at += part,
            }
        }
        if short.deeds.len() == before || part > 1 {
            part = if part == 1 { 0 } else { part.div_ceil(2) };
        }
    }
    let played = play(&short, true);
    (short, played)
}
