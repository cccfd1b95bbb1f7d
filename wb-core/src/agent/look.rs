//! Looking: what the remote says, and which of it counts.

use super::phase::Phase;
use super::{Agent, AgentError};
use crate::registry::{ChangeLog, RefName};

impl Agent<'_> {
    /// The change that was accepted last, from the local objects.
    pub(super) fn recall(&mut self) -> Result<(), AgentError> {
        if let Some(sha1) = self.store.record().accepted {
            self.change = Some(ChangeLog::new(self.registry.objects(), &self.allowed).read(sha1)?);
        }
        Ok(())
    }

    /// Fetches what this host needs to know now, checks that nobody else reports in its name, and accepts changes.
    pub(super) fn look(&mut self) -> Result<(), AgentError> {
        let busy = self.is_busy();
        self.registry.fetch(&self.wanted(busy))?;
        self.check_identity()?;
        self.accept()?;
        if !busy && self.is_busy() {
            self.registry.fetch(&self.wanted(true))?;
        }
        Ok(())
    }

    /// An idle host asks for the log and its own refs; one with work to do, for everybody's.
    fn wanted(&self, busy: bool) -> Vec<String> {
        let mut wanted = vec![RefName::Changes.to_string()];
        match busy {
            true => wanted.extend(["report/", "state/", "out/"].map(|part| format!("refs/wildebeest/{part}"))),
            false => {
                let uuid = self.config.uuid;
                wanted.extend([RefName::Report(uuid), RefName::State(uuid)].map(|name| name.to_string()));
            }
        }
        wanted
    }

    fn is_busy(&self) -> bool {
        let record = self.store.record();
        let target = self.change.as_ref().and_then(|change| change.manifest.target);
        record.phase != Phase::InLoad || !record.in_service || (target.is_some() && record.state() != target)
    }

    fn check_identity(&self) -> Result<(), AgentError> {
        let Some(found) = self.registry.get(&RefName::Report(self.config.uuid))? else { return Ok(()) };
        let reports = self.store.record().reports;
        if !reports.is_mine(found) {
            return Err(AgentError::TakenOver { name: self.config.name.clone() });
        }
        if reports.written != Some(found) {
            self.store.update(|record| record.reports.written = Some(found))?;
        }
        Ok(())
    }

    /// Walks and verifies every change since the last accepted one. One that does not count stops the walk: this host
    /// then stays with what it has, and says so.
    fn accept(&mut self) -> Result<(), AgentError> {
        let tip = self.registry.get(&RefName::Changes)?;
        let accepted = self.change.as_ref().map(|change| change.sha1);
        let Some(tip) = tip.filter(|tip| Some(*tip) != accepted) else {
            self.distrust = (tip.is_none() && accepted.is_some()).then(|| "the log of changes is gone".to_owned());
            return Ok(());
        };
        let log = ChangeLog::new(self.registry.objects(), &self.allowed);
        match log.since(self.change.as_ref(), tip) {
            Ok(changes) => {
                self.distrust = None;
                for change in changes {
                    self.journal.say(&format!("accepted change {} by {}", change.manifest, change.signer));
                    self.registry.keep("accepted", change.sha1)?;
                    self.store.update(|record| record.accepted = Some(change.sha1))?;
                    self.change = Some(change);
                }
            }
            Err(error) => self.distrust = Some(crate::runner::with_causes(&error)),
        }
        Ok(())
    }
}

impl Phase {
    /// Whether nothing useful can be done here without the remote. Who is in a leg may finish it and rejoin.
    pub(super) fn needs_remote(&self) -> bool {
        matches!(self, Self::InLoad | Self::Claiming { .. } | Self::Returning { .. })
    }
}
