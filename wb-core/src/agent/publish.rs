//! Publishing: the report, which is the authority, and the state ref, which is its picture.

use uuid::Uuid;

use super::{Agent, AgentError, Said, identity, pace};
use crate::chain::{Link, Sha1};
use crate::plan::{Wait, ends_waits, is_for_others};
use crate::registry::{Pushed, RefName, RefUpdate};
use crate::report::{Doing, HEARTBEAT, Report};
use crate::system::fault::{self, Bug, Subject};

/// Who it is that a host waits for is told at most this often, in seconds; and so seldom that a whole herd that waits has no
/// more than one such thing to tell in a second.
const DETAILS: u64 = 60;

/// Progress within a leg is told at most this often, in seconds.
const PROGRESS: u64 = 3;

impl Agent<'_> {
    /// Says what this host is doing, when that is news. A retired one says nothing any more.
    pub(super) fn publish(&mut self, doing: &Doing) -> Result<(), AgentError> {
        if self.retirement().is_some() {
            return Ok(());
        }
        let _during = fault::during(Subject::Report);
        self.say(doing)
    }

    fn say(&mut self, doing: &Doing) -> Result<(), AgentError> {
        if self.has_said(doing) {
            return Ok(());
        }
        for _ in 0..pace::RACES {
            match self.push_with(doing, Vec::new())? {
                Pushed::Won => return Ok(()),
                Pushed::Lost if self.retirement().is_some() => return Ok(()),
                Pushed::Lost => self.look()?,
            }
            // Who had to take its identity over just now has other things to do.
            if self.store.record().taking_over.is_some() {
                break;
            }
        }
        Err(AgentError::Overtaken { tries: pace::RACES })
    }

    /// Says which link runs, where that is easily said, or where somebody may have waited for what was done before.
    ///
    /// # Errors
    /// When this machine may do nothing any more, or has just found out that it was restored.
    pub(super) fn publish_progress(&mut self, link: &Link) -> Result<(), AgentError> {
        let recent = self.published.as_ref().is_some_and(|old| !pace::is_due(old.time, PROGRESS, self.now()));
        let _during = fault::during(Subject::Progress);
        if (!recent || self.ended_waits())
            && !self.mute
            && let Err(error) = self.say(&Doing::Running { link: link.name.clone() })
        {
            if error.is_final() || self.store.record().taking_over.is_some() {
                return Err(error);
            }
            // A remote that is away must not hold up a host that is out of load at every link.
            self.mute = true;
            self.journal.say(&format!("could not tell the herd about {link}: {error}"));
        }
        Ok(())
    }

    /// Whether others may wait for what this host has done since its last report.
    fn ended_waits(&self) -> bool {
        let Some((change, (_, host))) = self.change.as_ref().zip(self.host()) else { return false };
        let told = self.published.as_ref().and_then(|report| report.state);
        ends_waits(&change.manifest.chain, &host.roles, told, self.store.record().state())
    }

    /// Pushes a new report together with `updates`: all of them or none. A report that is not this machine's own is lost
    /// to whoever wrote it.
    pub(super) fn push_with(&mut self, doing: &Doing, updates: Vec<RefUpdate>) -> Result<Pushed, AgentError> {
        if self.retirement().is_some() {
            return Ok(Pushed::Lost);
        }
        let found = self.registry.get(&RefName::Report(self.config.uuid))?;
        let is_mine = |found| self.store.record().reports.is_mine(found) || fault::planted(Bug::AnyMachine);
        match found.is_none_or(is_mine) {
            true => self.push_report(self.report(doing), found, updates),
            false => Ok(Pushed::Lost),
        }
    }

    /// Pushes this report over the one that was found.
    pub(super) fn push_report(
        &mut self,
        report: Report,
        expected: Option<Sha1>,
        mut updates: Vec<RefUpdate>,
    ) -> Result<Pushed, AgentError> {
        let log = self.journal.tail.borrow().clone();
        let results = self.store.record().results();
        let commit = self.registry.write_report(&report, &results, &log, &self.key)?;
        let name = RefName::Report(self.config.uuid);
        updates.push(RefUpdate { expected, name, new: Some(commit) });
        updates.extend(self.mark(&report, commit)?);
        updates.extend(self.picture(&report)?);
        let intend = || self.store.update(|record| record.reports.intend(commit, report.nonce));
        if !fault::planted(Bug::ReportBeforeRecord) {
            intend()?;
        }
        let pushed = self.registry.push(&updates)?;
        if fault::planted(Bug::ReportBeforeRecord) {
            intend()?;
        }
        if pushed == Pushed::Won {
            let boot_id = &report.incarnation.boot_id;
            self.store.update(|record| record.reports.stands(commit, &report.lines, boot_id))?;
            self.said = Some(Said { doing: report.doing.clone(), since: report.since, state: report.state });
            self.published = Some(report);
            self.heard();
        }
        Ok(pushed)
    }

    /// The ref by which others find those who failed, without asking everybody: it leads to the report of that. It is
    /// never removed, since not every server lets a host do that: where a host goes on, it leads to where it said so.
    fn mark(&self, report: &Report, commit: Sha1) -> Result<Option<RefUpdate>, AgentError> {
        let (name, fails) = (RefName::Failed(self.config.uuid), matches!(report.doing, Doing::Failed(_)));
        let expected = self.registry.get(&name)?;
        let marked = expected.and_then(|marked| self.registry.claimed(marked, &self.public));
        let is_marked = marked.is_some_and(|marked| matches!(marked.doing, Doing::Failed(_)));
        Ok((fails || is_marked).then_some(RefUpdate { name, expected, new: Some(commit) }))
    }

    /// The state ref, where it shows another state than the report.
    fn picture(&self, report: &Report) -> Result<Option<RefUpdate>, AgentError> {
        let (Some(state), Some(link)) = (report.state, &report.link) else { return Ok(None) };
        if self.published.as_ref().is_some_and(|old| old.state == report.state) {
            return Ok(None);
        }
        let name = RefName::State(self.config.uuid);
        let expected = self.registry.get(&name)?;
        let commit = self.registry.write_state(&report.name, link, state, self.system.clock().now())?;
        Ok((expected != Some(commit)).then_some(RefUpdate { name, expected, new: Some(commit) }))
    }

    /// Since when this host does what it does, in seconds since 1970, UTC; who is up to date, since it is there.
    pub(super) fn since(&self, doing: &Doing) -> u64 {
        let is_there = |said: &Said| *doing != Doing::UpToDate || said.state == self.store.record().state();
        let said = self.said.as_ref().filter(|said| said.doing.is_same(doing) && is_there(said));
        said.map_or_else(|| self.now(), |said| said.since)
    }

    /// What a host that waits for this says. It is overdue when it has waited for longer than the link says.
    pub(super) fn waiting(&self, wait: &Wait) -> Doing {
        let doing = Doing::from(wait);
        let waited = self.now().saturating_sub(self.since(&doing));
        match (doing, wait.overdue()) {
            (Doing::Waiting { why, on, key, .. }, Some(limit)) => {
                Doing::Waiting { why, on, key, overdue: waited >= limit }
            }
            (doing, _) => doing,
        }
    }

    /// Whether the herd knows already that this host does this.
    pub(super) fn has_said(&self, doing: &Doing) -> bool {
        let hosts = self.change.as_ref().map_or(0, |change| change.manifest.hosts.len());
        self.published.as_ref().is_some_and(|old| !is_news(old, &self.report(doing), hosts))
    }

    /// Since when this host knows what the canaries are told now.
    fn heard_of_canaries(&self) -> u64 {
        let canary = self.change.as_ref().and_then(|change| change.manifest.canary.as_ref());
        canary.map_or(0, |canary| self.store.record().heard(canary.change))
    }

    pub(super) fn report(&self, doing: &Doing) -> Report {
        let (record, doing) = (self.store.record(), doing.shortened());
        Report {
            name: self.config.name.clone(),
            uuid: self.config.uuid,
            key: self.public.clone(),
            time: self.now(),
            state: record.state(),
            link: record.links.last().map(|link| link.name.clone()),
            in_service: record.in_service,
            since: self.since(&doing),
            doing,
            accepted: self.change.as_ref().map(|change| change.manifest.number),
            accepted_commit: self.change.as_ref().map(|change| change.sha1),
            heard: self.heard_of_canaries(),
            baked: record.baked,
            announced: record.announced,
            runner: self.runner,
            incarnation: self.here(),
            contested: false,
            by_hand: record.by_hand(),
            drift: self.watch.drift().to_vec(),
            verified: self.watch.verified(),
            nonce: Uuid::new_v4(),
            last_nonces: record.reports.nonces.clone(),
            lines: identity::next(&record.reports.lines),
            poll: self.config.poll.as_secs().max(1),
        }
    }
}

/// Whether a report says something that the one before it did not, if only that the host is alive. Who else is there
/// while it waits changes all the time in a large herd.
fn is_news(old: &Report, new: &Report, hosts: usize) -> bool {
    let waits_on = Report { doing: new.doing.clone(), ..old.clone() };
    match same(old, new) {
        true => pace::is_due(old.time, HEARTBEAT, new.time),
        false if is_same_wait(&old.doing, &new.doing) && same(&waits_on, new) => {
            pace::is_due(old.time, DETAILS.max(hosts as u64), new.time)
        }
        false => true,
    }
}

/// Whether it is one wait, and for nobody who is new to it: whether canaries bake depends on whom they wait for.
fn is_same_wait(old: &Doing, new: &Doing) -> bool {
    match (old, new) {
        (Doing::Waiting { on: before, overdue: was, .. }, Doing::Waiting { on, key, overdue, .. }) => {
            let is_for_more = is_for_others(key) && on.iter().any(|host| !before.contains(host));
            old.is_same(new) && overdue == was && !is_for_more
        }
        _ => false,
    }
}

/// Whether two reports say the same, apart from when.
fn same(old: &Report, new: &Report) -> bool {
    let new_then = Report {
        time: old.time,
        since: old.since,
        verified: old.verified,
        nonce: old.nonce,
        last_nonces: old.last_nonces.clone(),
        lines: old.lines.clone(),
        ..new.clone()
    };
    new_then == *old
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Digest;
    use crate::plan::Lag;
    use crate::pool::NoPlace;
    use crate::report::tests::report;

    fn others(lagging: &[&str]) -> Doing {
        let link = Link::new("page", Sha1::ZERO, "web", Digest::of(b"page"));
        let lag = |host: &&str| Lag { host: (*host).to_owned(), at: None };
        Doing::from(&Wait::Others { link, lagging: lagging.iter().map(lag).collect() })
    }

    fn pool(holders: &[&str]) -> Doing {
        let holders = holders.iter().map(|holder| (*holder).to_owned()).collect();
        Doing::from(&Wait::Pool { role: "web".into(), no_place: NoPlace::Full { limit: 2, holders } })
    }

    #[test]
    fn who_is_waited_for_is_told_less_often_than_that_a_host_waits() {
        let check = |old: &Doing, new: &Doing, expect: [bool; 3]| {
            let after = |seconds| {
                let old = report(old.clone());
                is_news(&old, &Report { time: old.time + seconds, ..report(new.clone()) }, 12)
            };
            assert_eq!([1, DETAILS, HEARTBEAT].map(after), expect, "{old} {new}");
        };
        check(&pool(&["web1"]), &pool(&["web1"]), [false, false, true]);
        check(&pool(&["web1"]), &pool(&["web2", "web3"]), [false, true, true]);
        check(&pool(&["web1"]), &Doing::awaiting_turn("web"), [false, true, true]);
        check(&others(&["db1", "db2"]), &others(&["db2"]), [false, true, true]);
        check(&others(&["db1"]), &others(&["db1", "db2"]), [true, true, true]);
        check(&others(&["db1"]), &pool(&["db1"]), [true, true, true]);
        check(&others(&["db1"]), &Doing::UpToDate, [true, true, true]);
        check(&Doing::UpToDate, &Doing::UpToDate, [false, false, true]);
    }

    #[test]
    fn the_larger_the_herd_the_less_often_that_is_told() {
        let old = report(pool(&["web1"]));
        let after = |seconds| {
            let new = Report { time: old.time + seconds, ..report(pool(&["web2"])) };
            [10, 100, 300].map(|hosts| is_news(&old, &new, hosts))
        };
        assert_eq!([60, 100, 300].map(after), [[true, false, false], [true, true, false], [true, true, true]]);
    }

    #[test]
    fn that_a_wait_is_overdue_is_told_at_once() {
        let Doing::Waiting { why, on, key, .. } = others(&["db1"]) else { panic!("it waits") };
        let overdue = report(Doing::Waiting { why, on, key, overdue: true });
        assert!(is_news(&report(others(&["db1"])), &overdue, 1000));
    }
}
