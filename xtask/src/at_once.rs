//! Doing the same with many things at once: with hosts, which mostly wait.

use std::sync::{Mutex, PoisonError};
use std::thread;

/// Does something with each item, all at once; gives what came of each, in their order. Where one panics, so does this.
pub fn each<T: Send, R: Send>(items: impl IntoIterator<Item = T>, act: impl Fn(T) -> R + Sync) -> Vec<R> {
    at_most(usize::MAX, items, act)
}

/// As [`each`], with so many at a time.
pub fn at_most<T: Send, R: Send>(
    jobs: usize,
    items: impl IntoIterator<Item = T>,
    act: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let items: Vec<T> = items.into_iter().collect();
    let threads = jobs.max(1).min(items.len());
    let queue = Mutex::new(items.into_iter().enumerate());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        let mut done = Vec::new();
        while let Some((place, item)) = next() {
            done.push((place, act(item)));
        }
        done
    };
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let join = |worker: thread::ScopedJoinHandle<'_, _>| {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        workers.into_iter().flat_map(join).collect()
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Does two things at once, the second of them on this thread. Where the first panics, so does this.
pub fn both<A: Send, B>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        (one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), other)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let check = |jobs, count: u32| {
            let doubled = at_most(jobs, 0..count, |n| 2 * n);
            assert_eq!(doubled, (0..count).map(|n| 2 * n).collect::<Vec<_>>(), "{jobs} {count}");
        };
        check(1, 0);
        check(0, 3);
        check(2, 7);
        check(9, 3);
    }

    #[test]
    fn two_things_are_done_at_once() {
        let met = Barrier::new(2);
        let meet = |number: u32| {
            met.wait();
            number
        };
        assert_eq!(both(|| meet(1), || meet(2)), (1, 2));
    }

    #[test]
    fn all_are_at_it_at_once() {
        let all = Barrier::new(5);
        each(0..5, |_| all.wait());
    }

    #[test]
    fn no_more_are_at_it_than_may_be() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        at_most(3, 0..50, |_| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::yield_now();
            now.fetch_sub(1, Ordering::SeqCst);
        });
        assert!((1..=3).contains(&most.into_inner()));
    }

    #[test]
    #[should_panic(expected = "third")]
    fn a_panic_goes_on() {
        each(0..5, |n| assert_ne!(n, 2, "third"));
    }
}
