//! What was seen of a round.

use wb_core::agent::Record;
use wb_core::agent::phase::Phase;
use wb_core::chain::{Chain, Digest, Sha1};
use wb_core::pool::Pool;
use wb_core::report::{Doing, Report};

use super::journal::Entry;

/// All that was seen.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The journal.
    pub entries: Vec<Entry>,
    /// What the disk and the remote said after each run.
    pub looks: Vec<Look>,
    /// The whole chain.
    pub chain: Chain,
    /// Whether the host was never in service when it began.
    pub is_new: bool,
    /// The changes that count, oldest first, each with the runner that it names.
    pub changes: Vec<(Sha1, String, Digest)>,
}

/// What the disk and the remote said at one moment.
#[derive(Debug, Clone)]
pub struct Look {
    /// How long the journal was.
    pub entries: usize,
    /// The disk.
    pub record: Record,
    /// The remote.
    pub report: Option<Report>,
    /// Who was out.
    pub pool: Pool,
    /// The sha256 of the installed runner.
    pub installed: Digest,
    /// The links that the record says are done, and whose work is not on the disk.
    pub missing: Vec<String>,
}

impl Look {
    /// Whether the host is where its operator wants it, and says so.
    #[must_use]
    pub fn is_at_rest(&self, target: Option<Sha1>) -> bool {
        let record = &self.record;
        let says = |report: &Report| report.doing == Doing::UpToDate && report.state == target;
        record.phase == Phase::InLoad
            && record.in_service
            && record.debts.is_empty()
            && record.state() == target
            && self.pool.holders.is_empty()
            && self.report.as_ref().is_some_and(says)
    }
}
