//! Which layers go: those that nobody used for long, then those that were not used for longest, until the others have
//! room.
//!
//! Files that a layer shares with the one before it count for the older one. Where that goes, they stay, and count for
//! one that has them, too.

use std::collections::BTreeSet;

use super::Kept;

/// What may stay. Times are in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits<'a> {
    /// Time since 1970, UTC.
    pub(super) now: u64,
    /// For how long a layer may have been of no use.
    pub(super) older: u64,
    /// How many bytes all of them may take.
    pub(super) most: u64,
    /// Keys of those that stay in any case.
    pub(super) spared: &'a BTreeSet<String>,
}

/// What is to be done.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Order {
    /// Those that go, in this order.
    pub(super) removed: Vec<Removed>,
    /// Those that stay and are no more what they were: of another size, after another one.
    pub(super) changed: Vec<Kept>,
}

/// One that goes.
#[derive(Debug, PartialEq)]
pub(super) struct Removed {
    /// What names it.
    pub(super) key: String,
    /// When it was used last, as far as was known then.
    pub(super) used: u64,
    /// How many bytes that makes free.
    pub(super) freed: u64,
}

/// Somebody may have booted on what was used so lately.
const RECENT: u64 = 6 * 60 * 60;

/// Chooses among all that there are.
pub(super) fn order(kept: Vec<Kept>, limits: Limits<'_>) -> Order {
    let (mut left, mut order, mut changed) = (by_use(kept), Order::default(), BTreeSet::new());
    let mut total: u64 = left.iter().map(|layer| layer.bytes).sum();
    let mut at = 0;
    while let Some(layer) = left.get(at) {
        if limits.spares(layer) || !(limits.is_old(layer) || total > limits.most) {
            at += 1;
            continue;
        }
        let gone = left.remove(at);
        let freed = if inherit(&gone, &mut left, &mut changed) { 0 } else { gone.bytes };
        total -= freed;
        order.removed.push(Removed { key: gone.key, used: gone.used, freed });
    }
    order.changed = left.into_iter().filter(|layer| changed.contains(&layer.key)).collect();
    order
}

/// Those among all that are no more what they were once this one is gone.
pub(super) fn heirs(kept: Vec<Kept>, key: &str) -> Vec<Kept> {
    let (mut left, mut changed) = (by_use(kept), BTreeSet::new());
    let Some(place) = left.iter().position(|layer| layer.key == key) else { return Vec::new() };
    let gone = left.remove(place);
    inherit(&gone, &mut left, &mut changed);
    left.retain(|layer| changed.contains(&layer.key));
    left
}

/// The one that was used last is the last.
fn by_use(mut kept: Vec<Kept>) -> Vec<Kept> {
    kept.sort_by(|one, other| (one.used, &one.key).cmp(&(other.used, &other.key)));
    kept
}

/// Lets those that came after a layer come after the one before it, and gives its bytes to the one that was used last.
/// False where there is none.
fn inherit(gone: &Kept, left: &mut [Kept], changed: &mut BTreeSet<String>) -> bool {
    let mut heirs: Vec<&mut Kept> =
        left.iter_mut().filter(|layer| layer.before.as_deref() == Some(gone.key.as_str())).collect();
    for heir in &mut heirs {
        heir.before.clone_from(&gone.before);
        changed.insert(heir.key.clone());
    }
    match heirs.last_mut() {
        Some(heir) => {
            heir.bytes += gone.bytes;
            true
        }
        None => false,
    }
}

impl Limits<'_> {
    fn spares(&self, layer: &Kept) -> bool {
        self.spared.contains(layer.key_given()) || self.unused(layer) < RECENT
    }

    fn is_old(&self, layer: &Kept) -> bool {
        self.unused(layer) > self.older
    }

    fn unused(&self, layer: &Kept) -> u64 {
        self.now.saturating_sub(layer.used)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const DAY: u64 = 24 * 60 * 60;
    const NOW: u64 = 1000 * DAY;

    /// A layer that was not used for some days.
    fn layer(key: &str, before: &str, days: u64, bytes: u64) -> Kept {
        let before = (!before.is_empty()).then(|| before.to_owned());
        Kept { key: key.into(), before, bytes, made: 0, used: NOW - days * DAY, about: Value::Null }
    }

    fn check(kept: &[Kept], most: u64, spared: &[&str], expect: &[&str], freed: u64) -> Vec<Kept> {
        let spared = spared.iter().map(|key| (*key).to_owned()).collect();
        let order = order(kept.to_vec(), Limits { now: NOW, older: 30 * DAY, most, spared: &spared });
        let removed: Vec<&str> = order.removed.iter().map(|removed| removed.key.as_str()).collect();
        assert_eq!(removed, expect);
        assert_eq!(order.removed.iter().map(|removed| removed.freed).sum::<u64>(), freed);
        order.changed
    }

    #[test]
    fn the_old_go_and_then_the_least_used_until_there_is_room() {
        let kept = [layer("a", "", 40, 5), layer("b", "", 3, 5), layer("c", "", 2, 5), layer("d", "", 1, 5)];
        check(&kept, 100, &[], &["a"], 5);
        check(&kept, 15, &[], &["a"], 5);
        check(&kept, 14, &[], &["a", "b"], 10);
        check(&kept, 0, &[], &["a", "b", "c", "d"], 20);
        check(&[], 0, &[], &[], 0);
    }

    #[test]
    fn who_is_spared_or_was_used_just_now_stays() {
        let kept = [layer("a", "", 40, 5), layer("herd-b", "", 3, 5), layer("c", "", 0, 5)];
        check(&kept, 0, &[], &["a", "herd-b"], 10);
        check(&kept, 0, &["a", "b"], &[], 0);
    }

    #[test]
    fn what_is_shared_stays_with_who_has_it_too() {
        let kept = [layer("a", "", 50, 100), layer("b", "a", 40, 10), layer("c", "b", 2, 1), layer("d", "b", 1, 2)];
        let changed = check(&kept, 1000, &[], &["a", "b"], 0);
        assert_eq!(changed, [layer("c", "", 2, 1), layer("d", "", 1, 112)]);
        let changed = check(&kept, 112, &[], &["a", "b", "c"], 1);
        assert_eq!(changed, [layer("d", "", 1, 112)]);
        check(&kept, 5, &[], &["a", "b", "c", "d"], 113);
    }

    #[test]
    fn what_one_that_is_forgotten_shared_counts_for_who_was_used_last() {
        let kept = [layer("a", "", 50, 100), layer("b", "a", 40, 10), layer("c", "b", 2, 1), layer("d", "b", 1, 2)];
        assert_eq!(heirs(kept.to_vec(), "b"), [layer("c", "a", 2, 1), layer("d", "a", 1, 12)]);
        assert_eq!(heirs(kept.to_vec(), "d"), []);
        assert_eq!(heirs(kept.to_vec(), "e"), []);
    }
}
