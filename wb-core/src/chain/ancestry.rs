//! Which of some commits is an ancestor of which.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Commit;

/// The ancestry among marked commits.
#[derive(Debug)]
pub(super) struct Ancestry {
    marks: BTreeMap<usize, usize>,
    reached: Vec<Rc<Bits>>,
}

type Bits = Vec<u64>;

impl Ancestry {
    /// Follows each commit's parents once. `marked` are positions in `commits`, which has parents before children.
    pub(super) fn among(commits: &[Commit], marked: impl IntoIterator<Item = usize>) -> Self {
        let mut marks: BTreeMap<usize, usize> = marked.into_iter().map(|commit| (commit, 0)).collect();
        marks.values_mut().enumerate().for_each(|(index, mark)| *mark = index);
        let mut all: Vec<Rc<Bits>> = Vec::with_capacity(commits.len());
        let mut reached = Vec::with_capacity(marks.len());
        for (position, commit) in commits.iter().enumerate() {
            let mut bits = union(commit.parents.iter().map(|parent| &all[*parent]));
            if let Some(mark) = marks.get(&position) {
                reached.push(Rc::clone(&bits));
                set(Rc::make_mut(&mut bits), *mark);
            }
            all.push(bits);
        }
        Self { marks, reached }
    }

    /// Whether the marked commit `old` is an ancestor of the marked commit `new`, and another one.
    pub(super) fn is_before(&self, old: usize, new: usize) -> bool {
        match (self.marks.get(&old), self.marks.get(&new)) {
            (Some(old), Some(new)) => has(&self.reached[*new], *old),
            _ => false,
        }
    }
}

/// What any of the parents reached. Commits in a row share one set.
fn union<'a>(mut parents: impl Iterator<Item = &'a Rc<Bits>>) -> Rc<Bits> {
    let mut bits = parents.next().map(Rc::clone).unwrap_or_default();
    for other in parents.filter(|other| !Rc::ptr_eq(other, &bits)).collect::<Vec<_>>() {
        let own = Rc::make_mut(&mut bits);
        own.resize(own.len().max(other.len()), 0);
        own.iter_mut().zip(other.iter()).for_each(|(own, other)| *own |= other);
    }
    bits
}

fn set(bits: &mut Bits, index: usize) {
    bits.resize(bits.len().max(index / 64 + 1), 0);
    bits[index / 64] |= 1 << (index % 64);
}

fn has(bits: &Bits, index: usize) -> bool {
    bits.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
}
