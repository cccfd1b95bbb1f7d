//! What a change of the record is about: which of its points it passes. Read off the two records, so that nobody who
//! changes one has to say so.

use super::{How, Phase, Record};
use crate::system::fault::Subject;

/// What the change from `old` to `new` is about.
#[must_use]
pub fn subject(old: &Record, new: &Record) -> Subject {
    let adopted = new.links.last().is_some_and(|link| link.how == How::Adopted);
    let about = [
        (adopted && old.links.len() < new.links.len(), Subject::Adopted),
        (old.phase != new.phase, of_phases(&old.phase, &new.phase)),
        (old.links.len() < new.links.len(), Subject::PassedOver),
        (old.steps.len() < new.steps.len(), Subject::StepDone),
        (old.debts.len() < new.debts.len(), Subject::Owed),
        (old.debts.len() > new.debts.len(), Subject::Paid),
        (old.acted != new.acted, Subject::Acted),
        (old.refused.is_none() && new.refused.is_some(), Subject::PutBack),
        (old.trial.is_some() && new.trial.is_none(), Subject::Proved),
        (old.trial != new.trial, Subject::OnTrial),
        (old.accepted != new.accepted, Subject::Accepted),
        (old.reports.pending != new.reports.pending, Subject::ReportIntended),
        (old.reports.written != new.reports.written, Subject::ReportWritten),
        (old.boot_id != new.boot_id, Subject::Booted),
    ];
    about.into_iter().find(|(is, _)| *is).map_or(Subject::OtherRecord, |(_, subject)| subject)
}

fn of_phases(old: &Phase, new: &Phase) -> Subject {
    use Phase::{Claiming, Failed, InLoad, Leaving, Out, Rejoining, Returning, Running};
    match (old, new) {
        (InLoad, Claiming { .. } | Out { .. }) | (Rejoining { .. }, Leaving { .. } | Out { .. }) => Subject::LegPlanned,
        (InLoad, Rejoining { held: Some(_) }) => Subject::ClaimFound,
        (InLoad, Rejoining { held: None }) => Subject::AtTarget,
        (Claiming { .. }, Leaving { .. }) => Subject::ClaimWon,
        (Claiming { .. }, InLoad) => Subject::ClaimLost,
        (Leaving { .. }, Out { .. }) => Subject::Left,
        (Out { .. }, Running { .. }) => Subject::LinkStarts,
        (Running { .. }, Out { .. }) => Subject::LinkDone,
        (Failed { .. }, Failed { .. }) => Subject::Acted,
        (_, Failed { .. }) => Subject::LinkFailed,
        (Failed { .. }, _) => Subject::TriesAgain,
        (Out { .. }, Rejoining { .. } | InLoad) => Subject::LegDone,
        (Rejoining { .. }, _) => Subject::Rejoined,
        (Returning { .. }, _) => Subject::Returned,
        _ => Subject::OtherRecord,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::phase::{Event, Leg};
    use super::*;
    use crate::agent::LinkRecord;
    use crate::chain::{Digest, Sha1};
    use crate::context::{Debt, DebtAction};
    use crate::report::Failure;

    fn check(old: &Record, change: impl FnOnce(&mut Record), expect: Subject) -> Record {
        let mut new = old.clone();
        change(&mut new);
        assert_eq!(subject(old, &new), expect);
        new
    }

    fn happens(event: Event) -> impl FnOnce(&mut Record) {
        |record| record.phase = record.phase.next(event).unwrap()
    }

    #[test]
    fn a_change_is_known_by_what_it_changes() {
        let sha1 = Sha1::from_bytes([1; 20]);
        let new = check(&Record::default(), |record| record.accepted = Some(sha1), Subject::Accepted);
        let new = check(&new, |record| record.reports.intend(sha1, uuid::Uuid::nil()), Subject::ReportIntended);
        let new = check(&new, |record| record.reports.written = Some(sha1), Subject::ReportWritten);
        let debt = Debt { action: DebtAction::Reload, service: "nginx".into() };
        let new = check(&new, |record| record.debts.push(debt), Subject::Owed);
        let new = check(&new, |record| record.debts.clear(), Subject::Paid);
        check(&new, |record| record.retry = 1, Subject::OtherRecord);
    }

    #[test]
    fn a_phase_that_moves_comes_before_all_else() {
        let sha1 = Sha1::from_bytes([1; 20]);
        let planned = Event::LegPlanned(Leg { until: sha1, held: None });
        let out = check(&Record::default(), happens(planned), Subject::LegPlanned);
        let running = check(&out, happens(Event::LinkStarts(sha1)), Subject::LinkStarts);
        let done = |record: &mut Record| {
            happens(Event::LinkDone)(record);
            record.accepted = Some(sha1);
        };
        let out = check(&running, done, Subject::LinkDone);
        check(&out, happens(Event::LegDone), Subject::LegDone);
    }

    #[test]
    fn an_adoption_is_told_from_another_try() {
        let sha1 = Sha1::from_bytes([1; 20]);
        let digest = Digest::of(b"");
        let failure = Failure { link: sha1, name: "page".into(), digest, settings: digest, error: "no".into() };
        let leg = Leg { until: sha1, held: None };
        let failed = Record { phase: Phase::Failed { leg, failure: failure.clone() }, ..Record::default() };
        check(&failed, happens(Event::TryAgain), Subject::TriesAgain);
        let cut_short = Failure { error: "cut short".into(), ..failure };
        let acted = check(&failed, happens(Event::AdoptionRefused(cut_short)), Subject::Acted);
        let adopted = |record: &mut Record| {
            happens(Event::Adopted)(record);
            record.links.push(LinkRecord { sha1, name: "page".into(), how: How::Adopted, time: 0 });
        };
        check(&acted, adopted, Subject::Adopted);
        check(&Record::default(), |record| record.acted = 7, Subject::Acted);
    }
}
