//! What a machine does about a report that is not its own: it takes it over, objects to it, or stands back.

use super::identity::{self, Contest, Foreign, Grace, Moment, TakingOver, Verdict};
use super::{Agent, AgentError};
use crate::chain::Sha1;
use crate::registry::{Pushed, RefName, RegistryError};
use crate::report::{Doing, Incarnation, Line, Report};
use crate::runner::with_causes;
use crate::system::fault::{self, Bug};

impl Agent<'_> {
    /// Which machine this is.
    pub(super) fn here(&self) -> Incarnation {
        self.machine.incarnation()
    }

    /// Whether nothing useful can be done here without the remote. Who was restored can't know what became of its leg.
    pub(super) fn needs_remote(&self) -> bool {
        let record = self.store.record();
        record.taking_over.is_some() || record.contested.is_some() || record.phase.needs_remote()
    }

    /// What keeps this machine from acting, as far as was fetched: another one has its identity.
    ///
    /// # Errors
    /// When the local copy of the refs can't be read.
    pub fn dispute(&self) -> Result<Option<Doing>, AgentError> {
        if let Some(contest) = self.store.record().contested.clone() {
            return Ok(Some(self.besides(Doing::stopped(contest.why))));
        }
        Ok(match self.judged()? {
            Verdict::Foreign(why) => Some(Doing::stopped(why.to_string())),
            Verdict::Mine | Verdict::TakeOver | Verdict::Contest => None,
        })
    }

    /// Whether this machine is known to be a clone, as far as was fetched.
    ///
    /// # Errors
    /// When the local copy of the refs can't be read.
    pub(super) fn is_clone(&self) -> Result<bool, AgentError> {
        Ok(self.judged()?.is_of_clone())
    }

    /// Whether the report that was fetched last is this machine's own: only then it goes on without the remote.
    ///
    /// # Errors
    /// When it is another machine's.
    pub(super) fn is_itself(&self) -> Result<bool, AgentError> {
        match self.judged()? {
            Verdict::Mine => Ok(true),
            Verdict::TakeOver | Verdict::Contest => Ok(false),
            Verdict::Foreign(why) => self.refused(why).map(|()| false),
        }
    }

    /// Whose the report is that was fetched last.
    fn judged(&self) -> Result<Verdict, AgentError> {
        let found = self.registry.get(&RefName::Report(self.config.uuid))?;
        let judge = |found| identity::judge(found, self.signed(found).as_ref(), &self.store.record(), &self.here());
        Ok(found.map_or(Verdict::Mine, judge))
    }

    /// Checks that nobody else reports in this host's name.
    pub(super) fn check_identity(&mut self) -> Result<(), AgentError> {
        let Some(found) = self.registry.get(&RefName::Report(self.config.uuid))? else {
            self.published = None;
            return Ok(());
        };
        let (record, here) = (self.store.record(), self.here());
        if fault::planted(Bug::AnyMachine) || identity::is_settled(found, &record, &here) {
            return Ok(());
        }
        // The remote has lost what this host said last: whatever it does is news again.
        self.published = None;
        let report = self.signed(found);
        match (identity::judge(found, report.as_ref(), &record, &here), report) {
            (Verdict::Mine, report) => self.stands(found, report.as_ref(), &here),
            (Verdict::TakeOver, Some(report)) => self.take_over(found, &report),
            (Verdict::Contest, Some(report)) => {
                let contest = Contest::with(&self.config.name, &report.incarnation, &here);
                self.journal.say(&contest.why);
                self.store.update(|record| record.contested = Some(contest))?;
                self.object(Some(found), &report.lines)?;
                self.refused(Foreign::Contested)
            }
            (Verdict::Foreign(Foreign::Contested), Some(report)) => {
                self.heed(found, &report)?;
                self.refused(Foreign::Contested)
            }
            (Verdict::Foreign(why), _) => self.refused(why),
            (_, None) => self.refused(Foreign::OtherKey),
        }
    }

    /// What this machine knows of a contest holds until people choose, also where the remote has lost the report that tells of
    /// it: then it objects once more, unless another one was chosen.
    pub(super) fn refuse_contested(&mut self) -> Result<(), AgentError> {
        let record = self.store.record();
        let Some(contest) = record.contested.as_ref().filter(|_| !fault::planted(Bug::AnyMachine)) else {
            return Ok(());
        };
        if !contest.lost && self.registry.get(&RefName::Report(self.config.uuid))?.is_none() {
            self.object(None, &record.reports.lines)?;
        }
        self.refused(Foreign::Contested)
    }

    fn refused(&self, why: Foreign) -> Result<(), AgentError> {
        Err(AgentError::TakenOver { name: self.config.name.clone(), why })
    }

    /// The report, where this host's own key signed it.
    fn signed(&self, found: Sha1) -> Option<Report> {
        self.registry.report(found, &self.public).filter(|report| report.uuid == self.config.uuid)
    }

    fn stands(&self, found: Sha1, report: Option<&Report>, here: &Incarnation) -> Result<(), AgentError> {
        let lines = report.map(|report| report.lines.clone()).unwrap_or_default();
        Ok(self.store.update(|record| record.reports.stands(found, &lines, &here.boot_id))?)
    }

    /// Announces that this machine, which was restored, goes on with the older state.
    fn take_over(&mut self, found: Sha1, before: &Report) -> Result<(), AgentError> {
        let taking_over = TakingOver::from(before);
        let doing = objections(&taking_over);
        self.journal.say(&format!("takes its identity over, after a restore; it {doing}"));
        self.store.update(|record| {
            record.taking_over = Some(taking_over);
            record.restored_from(before);
        })?;
        let report = Report { lines: identity::branch(&before.lines), ..self.report(&self.besides(doing)) };
        match self.push_report(report, Some(found), Vec::new())? {
            Pushed::Won => Ok(()),
            Pushed::Lost => Err(AgentError::Overtaken { tries: 1 }),
        }
    }

    /// Tells the herd, and the other machine, that two have one identity. What does not arrive is told at the next look, and
    /// until then this machine does nothing all the same.
    fn object(&mut self, found: Option<Sha1>, before: &[Line]) -> Result<(), AgentError> {
        let why = self.store.record().contested.as_ref().map(|contest| contest.why.clone()).unwrap_or_default();
        let lines = self.branch(before);
        let report = Report { contested: true, lines, ..self.report(&self.besides(Doing::stopped(why))) };
        match self.push_report(report.clone(), found, Vec::new()) {
            Ok(Pushed::Won) => self.announced(&report),
            // Whoever wrote meanwhile is met at the next look.
            Ok(Pushed::Lost) => Ok(()),
            Err(error @ AgentError::Registry(RegistryError::Unreachable { .. } | RegistryError::Refused { .. })) => {
                self.journal.say_once(&format!("could not tell the herd so: {}", with_causes(&error)));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// A place after the report that was found, and after what this machine knows and the remote has lost: its own last
    /// report, and the objection.
    fn branch(&self, found: &[Line]) -> Vec<Line> {
        let record = self.store.record();
        let objection = record.contested.as_ref().and_then(|contest| contest.place.as_ref());
        let mut lines: Vec<Line> = Vec::new();
        for known in objection.into_iter().chain(record.reports.lines.first()) {
            if !identity::has(found, known) && !identity::has(&lines, known) {
                lines.push(known.clone());
            }
        }
        lines.extend(found.iter().cloned());
        identity::branch(&lines)
    }

    /// What another machine objected to is remembered; an objection of this one that did not arrive is made once more.
    fn heed(&mut self, found: Sha1, report: &Report) -> Result<(), AgentError> {
        match (&self.store.record().contested, report.contested) {
            (None, _) => {
                let place = report.lines.first().filter(|_| report.contested).cloned();
                let contest = Contest { place, ..Contest::heard(&self.config.name, &report.incarnation) };
                self.journal.say(&contest.why);
                Ok(self.store.update(|record| record.contested = Some(contest))?)
            }
            (Some(contest), false) if !contest.announced => self.object(Some(found), &report.lines),
            (Some(contest), true) if contest.place.as_ref() != report.lines.first() => self.announced(report),
            (Some(Contest { place: Some(place), lost: false, .. }), false) if !identity::has(&report.lines, place) => {
                // The remote has lost the objection.
                self.object(Some(found), &report.lines)
            }
            (Some(contest), false) if !contest.lost => self.note(|contest| contest.lost = true),
            (Some(_), _) => Ok(()),
        }
    }

    fn announced(&self, report: &Report) -> Result<(), AgentError> {
        let lines = report.lines.first().cloned();
        self.note(|contest| (contest.announced, contest.place) = (true, lines))
    }

    fn note(&self, of: impl FnOnce(&mut Contest)) -> Result<(), AgentError> {
        Ok(self.store.update(|record| {
            if let Some(contest) = &mut record.contested {
                of(contest);
            }
        })?)
    }

    /// What a machine that took its identity over does before anything else: it waits for objections, and, where its disk
    /// is amid a leg, sees to the claim. Nothing, when all of it is done.
    pub(super) fn settle_takeover(&mut self) -> Result<Option<Doing>, AgentError> {
        let doing = self.waits_or_resumes()?;
        Ok(doing.map(|doing| self.besides(doing)))
    }

    fn waits_or_resumes(&mut self) -> Result<Option<Doing>, AgentError> {
        let Some(taking_over) = self.store.record().taking_over.clone() else { return Ok(None) };
        let now = Moment { boot_id: self.here().boot_id, uptime: self.machine.uptime() };
        match taking_over.at(&now) {
            Grace::Begins => {
                let begun = TakingOver { since: Some(now), ..taking_over.clone() };
                self.store.update(|record| record.taking_over = Some(begun))?;
                Ok(Some(objections(&taking_over)))
            }
            Grace::Runs => Ok(Some(objections(&taking_over))),
            Grace::Over => self.resume(),
        }
    }

    /// A leg goes on only under a claim that is held: it may have been given back since the backup was made.
    fn resume(&mut self) -> Result<Option<Doing>, AgentError> {
        if let Some(why) = self.distrust.clone() {
            return Ok(Some(Doing::stopped(why)));
        }
        if let Some(leg) = self.store.record().phase.leg().cloned()
            && let Some(held) = &leg.held
            && !self.is_freed(&leg)
            && !self.holds(&leg)?
            && !self.claim(&leg)?
        {
            return Ok(Some(Doing::waiting(place_lost(&held.roles))));
        }
        self.journal.say("goes on with the state that it was restored to");
        self.store.update(|record| record.taking_over = None)?;
        Ok(None)
    }

    /// This machine is the one: it takes the report over from whoever has it. False when nobody else has.
    ///
    /// # Errors
    /// When the remote can't be reached, the identity left the herd, or somebody wrote at the same moment.
    pub fn keep(&mut self) -> Result<bool, AgentError> {
        self.registry.fetch(&self.wanted()?)?;
        self.refuse_retired()?;
        let found = self.registry.get(&RefName::Report(self.config.uuid))?;
        let (report, record) = (found.and_then(|found| self.signed(found)), self.store.record());
        let verdict = found.map(|found| identity::judge(found, report.as_ref(), &record, &self.here()));
        let waits = record.taking_over.as_ref().is_some_and(|taking_over| taking_over.grace > 0);
        if record.contested.is_none() && !waits && verdict.is_none_or(|verdict| verdict == Verdict::Mine) {
            return Ok(false);
        }
        let before = report.as_ref().map_or(&record.reports.lines, |report| &report.lines);
        let doing = Doing::waiting("for its next look");
        let new = Report { lines: self.branch(before), ..self.report(&self.besides(doing)) };
        let accepted = report.as_ref().and_then(|report| TakingOver::from(report).accepted);
        match self.push_report(new, found, Vec::new())? {
            Pushed::Lost => Err(AgentError::Overtaken { tries: 1 }),
            Pushed::Won => {
                self.store.update(|record| {
                    record.contested = None;
                    record.taking_over = Some(TakingOver { grace: 0, since: None, accepted });
                })?;
                Ok(true)
            }
        }
    }
}

/// What a host says while it waits for objections.
pub(super) fn objections(taking_over: &TakingOver) -> Doing {
    let why = format!("{} s for another machine with its identity to object: it was restored", taking_over.grace);
    Doing::waiting(why)
}

/// What a host waits for that was restored amid a leg, and whose claim for these roles was given back meanwhile.
fn place_lost(roles: &[String]) -> String {
    let pools = match roles {
        [first @ .., last] if !first.is_empty() => format!("pools of {} and {last}", first.join(", ")),
        _ => format!("pool of {}", roles.join("")),
    };
    format!("for a place in the {pools}: it was restored amid a leg, and is out of load")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_its_place_names_the_pools() {
        let check = |roles: &[&str], pools: &str| {
            let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
            let expect = format!("for a place in the {pools}: it was restored amid a leg, and is out of load");
            assert_eq!(place_lost(&roles), expect);
        };
        check(&["web"], "pool of web");
        check(&["database", "web"], "pools of database and web");
        check(&["cache", "database", "web"], "pools of cache, database and web");
    }
}
