//! The order in which a host does things: links run out of load, one after the other; after one that failed nothing
//! runs, and nobody comes back into load, before people did something about it.

use wb_core::agent::phase::Phase;

use super::history::Look;
use super::journal::Entry;
use super::rule::{Rule, Violation, broken};

/// Where a host is, as the journal tells it.
#[derive(Debug, Default)]
pub(super) struct Walk<'a> {
    open: Option<&'a str>,
    failed: Option<&'a str>,
    by_hand: Option<&'a str>,
    out: bool,
    in_service: bool,
}

impl<'a> Walk<'a> {
    /// Before all of it.
    pub(super) fn of(is_new: bool) -> Self {
        Self { out: is_new, in_service: !is_new, ..Self::default() }
    }

    /// What the disk said at this moment.
    pub(super) fn sees(&mut self, look: &'a Look) {
        if let Phase::Failed { failure, .. } = &look.record.phase {
            self.failed = Some(&failure.name);
        }
    }

    /// What happened next, and what it breaks.
    pub(super) fn goes(&mut self, entry: &'a Entry) -> Vec<Violation> {
        match entry {
            Entry::Began(link) => return self.begins(link),
            Entry::Rejoin => return self.rejoins(),
            Entry::Ended(_) => self.open = None,
            Entry::Leave => self.out = true,
            Entry::Boot => self.out &= !self.in_service,
            Entry::Mended => self.failed = None,
            Entry::ByHand(link) => self.by_hand = Some(link),
            Entry::Vouched(link) if self.by_hand == Some(link) => {
                self.failed = self.failed.filter(|failed| failed != link);
                self.open = self.open.filter(|begun| begun != link);
            }
            Entry::Runner(_)
            | Entry::Step(_)
            | Entry::Failed(_)
            | Entry::Required(_)
            | Entry::Service(_)
            | Entry::Vouched(_)
            | Entry::Reboot => {}
        }
        Vec::new()
    }

    fn begins(&mut self, link: &'a str) -> Vec<Violation> {
        let mut all = Vec::new();
        if let Some(failed) = self.failed {
            all.push(broken(Rule::Invariant(6), format!("`{link}` ran, though `{failed}` had failed")));
        }
        if let Some(other) = self.open.filter(|other| *other != link) {
            all.push(broken(Rule::Invariant(6), format!("`{link}` ran after `{other}`, which did not end")));
        }
        if !self.out {
            all.push(broken(Rule::OutOfLoad, format!("`{link}` ran in load")));
        }
        self.open = Some(link);
        all
    }

    fn rejoins(&mut self) -> Vec<Violation> {
        (self.in_service, self.out) = (true, false);
        let left = self.open.map(|link| format!("it rejoined after `{link}`, which did not end"));
        left.map(|what| broken(Rule::Invariant(6), what)).into_iter().collect()
    }
}
