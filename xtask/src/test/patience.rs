//! How long a herd may stand still: longer while some host works than while all wait.

use std::time::Duration;

use wb_core::chain::Sha1;
use wb_core::system::clock::Stopwatch;

use crate::stage::StageError;
use crate::status::{HerdStatus, HostStatus, Phase};

/// Who watches a herd.
#[derive(Debug)]
pub(super) struct Patience {
    last: Vec<(Option<Sha1>, Phase)>,
    since: Stopwatch,
}

/// While nobody works.
const STILL: Duration = Duration::from_secs(3 * 60);

/// While somebody does.
const WORK: Duration = Duration::from_secs(30 * 60);

impl Patience {
    pub(super) fn begin() -> Self {
        Self { last: Vec::new(), since: Stopwatch::start() }
    }

    /// Judges the herd as it is now.
    ///
    /// # Errors
    /// When no host has come any further for too long.
    pub(super) fn judge(&mut self, status: &HerdStatus) -> Result<(), StageError> {
        let now: Vec<(Option<Sha1>, Phase)> = status.hosts.iter().map(|host| (host.state, host.phase)).collect();
        if now != self.last {
            *self = Self { last: now, since: Stopwatch::start() };
        }
        let bound = if status.hosts.iter().any(works) { WORK } else { STILL };
        match self.since.elapsed() > bound {
            true => Err(StageError::Still { seconds: bound.as_secs(), status: status.text() }),
            false => Ok(()),
        }
    }
}

/// Whether a host is at something that takes its time. Who can't leave load is at nothing.
fn works(host: &HostStatus) -> bool {
    match host.phase {
        Phase::Running | Phase::Rebooting => true,
        Phase::Leaving => host.detail.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::known::tests::known;

    #[test]
    fn who_comes_further_is_not_late() {
        let status = |hosts: &str| HerdStatus::of(&known(hosts), BTreeSet::new());
        let mut patience = Patience::begin();
        patience.judge(&status("web1@page web2@page")).unwrap();
        let first = patience.last.clone();
        patience.judge(&status("web1@page web2@page")).unwrap();
        assert_eq!(patience.last, first);
        patience.judge(&status("web1@theme web2@page")).unwrap();
        assert_ne!(patience.last, first);
    }

    #[test]
    fn who_works_gets_more_time_than_who_waits() {
        let host = HerdStatus::of(&known("web1@page"), BTreeSet::new()).hosts.remove(0);
        let check = |phase, detail: &str, expect| {
            let mut host = host.clone();
            (host.phase, host.detail) = (phase, detail.to_owned());
            assert_eq!(works(&host), expect, "{phase} {detail}");
        };
        check(Phase::Running, "`page`", true);
        check(Phase::Rebooting, "", true);
        check(Phase::Leaving, "", true);
        check(Phase::Leaving, "the balancer does not answer", false);
        check(Phase::Waiting, "", false);
        check(Phase::Rejoining, "", false);
    }
}
