//! Who plays rounds: several at once, each of whom takes the next one until there are no more.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;

/// Plays rounds, whose seeds follow `seed`, until `rounds` of them were taken or nobody listens any more.
pub(super) fn work<T>(
    (seed, rounds): (u64, usize),
    next: &AtomicUsize,
    done: &Sender<(u64, T)>,
    play: impl Fn(u64) -> T,
) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= rounds {
            return;
        }
        let seed = seed.wrapping_add(number as u64);
        if done.send((seed, play(seed))).is_err() {
            return;
        }
    }
}
