//! Whose report the remote has. A disk can be copied, and an older copy of it can be put back, so that two machines have
//! one identity, or one machine is older than what the herd knows of it. Which of these it is can't always be told; the
//! rules below err to the side of doing nothing.
//!
//! A restored machine is recognised by three things: the hardware is that of the last report, the boot is another than
//! the one in which the record knew the report as its own, and the last report comes after the record's own. The last
//! is read from *lines* (as PostgreSQL does with its timelines): see [`Line`].

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::pace;
use super::store::Record;
use crate::chain::Sha1;
use crate::report::{Doing, Incarnation, LINES, Line, Report};

/// What a report that was found means for the machine that found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is this machine's own.
    Mine,
    /// This machine was restored from a backup, and may take its identity over.
    TakeOver,
    /// Another machine reports in the name of this one, which was here all the time: it objects.
    Contest,
    /// It is another machine's. This one does nothing.
    Foreign(Foreign),
}

impl Verdict {
    /// Whether the machine that found it is known to be a clone. Where two claim one identity, nobody knows which one is.
    #[must_use]
    pub fn is_of_clone(&self) -> bool {
        match self {
            Self::Mine | Self::TakeOver | Self::Contest | Self::Foreign(Foreign::Contested) => false,
            Self::Foreign(Foreign::OtherMachine { .. } | Foreign::Unknown | Foreign::OtherKey) => true,
        }
    }
}

/// Why a machine has no right to a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreign {
    /// The last report came from other hardware.
    OtherMachine {
        /// The fingerprint in it.
        found: String,
        /// This machine's.
        here: String,
    },
    /// The last report does not come after this machine's own.
    Unknown,
    /// Two machines claim it.
    Contested,
    /// It is signed by another key than this machine's, or by none.
    OtherKey,
}

/// Whether the report `found` needs no judgement: it is the one that this machine wrote last, in this boot.
#[must_use]
pub fn is_settled(found: Sha1, record: &Record, here: &Incarnation) -> bool {
    let Record { reports, contested, .. } = record;
    contested.is_none() && reports.written == Some(found) && reports.boot_id == here.boot_id
}

/// Judges the report `found`, which is `report` where this host's own key signed it, for a machine whose disk says
/// `record` and which is `here`.
#[must_use]
pub fn judge(found: Sha1, report: Option<&Report>, record: &Record, here: &Incarnation) -> Verdict {
    let reports = &record.reports;
    let known = reports.is_mine(found);
    if record.contested.is_some() {
        return Verdict::Foreign(Foreign::Contested);
    }
    let Some(report) = report else {
        return if known { Verdict::Mine } else { Verdict::Foreign(Foreign::OtherKey) };
    };
    let late = reports.nonces.contains(&report.nonce) && report.incarnation == *here;
    let lost = report.lines.first().is_some_and(|place| has(&reports.lines, place));
    let after = reports.lines.first().is_some_and(|place| has(&report.lines, place));
    let same_boot = reports.boot_id == here.boot_id;
    let same_machine = report.incarnation.fingerprint == here.fingerprint;
    match (known, late || lost) {
        _ if report.contested => Verdict::Foreign(Foreign::Contested),
        (true, _) | (_, true) if same_boot || same_machine => Verdict::Mine,
        (false, false) if same_boot => Verdict::Contest,
        _ if !same_machine => Verdict::Foreign(Foreign::OtherMachine {
            found: report.incarnation.fingerprint.clone(),
            here: here.fingerprint.clone(),
        }),
        _ if after => Verdict::TakeOver,
        _ => Verdict::Foreign(Foreign::Unknown),
    }
}

/// Whether the report at the head of `lines` is the one at `place`, or comes after it.
#[must_use]
pub fn has(lines: &[Line], place: &Line) -> bool {
    lines.iter().any(|line| line.id == place.id && line.count >= place.count)
}

/// The place of the next report of the machine whose last one is at `lines`.
#[must_use]
pub fn next(lines: &[Line]) -> Vec<Line> {
    match lines {
        [] => branch(&[]),
        [first, before @ ..] => {
            let first = Line { id: first.id, count: first.count.saturating_add(1) };
            [first].into_iter().chain(before.iter().cloned()).collect()
        }
    }
}

/// The place of a report that goes on from another machine's, which is at `lines`.
#[must_use]
pub fn branch(lines: &[Line]) -> Vec<Line> {
    let first = Line { id: Uuid::new_v4(), count: 1 };
    [first].into_iter().chain(lines.iter().cloned()).take(LINES).collect()
}

/// What a machine that takes its identity over has still to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakingOver {
    /// How long others have to object, in seconds.
    pub grace: u64,
    /// When this machine first saw that its announcement stands.
    #[serde(default)]
    pub since: Option<Moment>,
    /// The newest change that the report before its own names: none older is accepted.
    #[serde(default)]
    pub accepted: Option<Accepted>,
}

/// A time by a clock that nobody sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// In which boot.
    pub boot_id: String,
    /// How long that lasted then.
    pub uptime: Duration,
}

/// A change that some host has accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Its number.
    pub number: u64,
    /// Its commit.
    pub commit: Sha1,
}

/// Where a machine is in the time that it gives others to object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    /// It begins now, or once more after a boot.
    Begins,
    /// It runs.
    Runs,
    /// It is over.
    Over,
}

impl TakingOver {
    /// From the report of whoever had the identity last.
    #[must_use]
    pub fn from(found: &Report) -> Self {
        let accepted = found.accepted.zip(found.accepted_commit);
        let accepted = accepted.map(|(number, commit)| Accepted { number, commit });
        Self { grace: grace(found), since: None, accepted }
    }

    /// How far the time to object is, at `now`.
    #[must_use]
    pub fn at(&self, now: &Moment) -> Grace {
        match self.since.as_ref().filter(|since| since.boot_id == now.boot_id) {
            _ if self.grace == 0 => Grace::Over,
            None => Grace::Begins,
            Some(since) if now.uptime.saturating_sub(since.uptime).as_secs() >= self.grace => Grace::Over,
            Some(_) => Grace::Runs,
        }
    }
}

/// For how many seconds at most a machine gives others time to object: where the one that had the identity last was amid a
/// leg, and polls `every` so many. It is two looks of that one, each as late and as long as a look ever is, so that one of
/// them may be in vain. While a link runs and while the machine reboots it does not look, and nobody knows how long that
/// is: the time for the other look is all that there is for it.
#[must_use]
pub fn longest_grace(every: u64) -> u64 {
    pace::longest_look(every).saturating_mul(2)
}

/// Two looks of the machine that had the identity last.
fn grace(found: &Report) -> u64 {
    const UNSAID: u64 = 30;
    let every = if found.poll == 0 { UNSAID } else { found.poll };
    match found.doing {
        Doing::Leaving { .. } | Doing::Running { .. } | Doing::Rebooting { .. } | Doing::Rejoining { .. } => {
            longest_grace(every)
        }
        Doing::Enrolled | Doing::UpToDate | Doing::Waiting { .. } | Doing::Failed(_) | Doing::Stopped { .. } => {
            every.saturating_mul(2)
        }
    }
}

/// Two machines have one identity. Both stop until people choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contest {
    /// Who they are, in words.
    pub why: String,
    /// Whether the herd was told.
    pub announced: bool,
    /// The place of the report that told it: one that comes after it is of the machine that people chose.
    #[serde(default)]
    pub place: Option<Line>,
    /// Whether such a one was seen: then this machine is silent.
    #[serde(default)]
    pub lost: bool,
}

impl Contest {
    /// This machine objects to the report of another one.
    #[must_use]
    pub fn with(name: &str, found: &Incarnation, here: &Incarnation) -> Self {
        let (other, this) = (machine(found), machine(here));
        let why = format!("two machines report as `{name}`: this one, {this}, and another, {other}; {}", remedy(name));
        Self { why, announced: false, place: None, lost: false }
    }

    /// Another machine objected.
    #[must_use]
    pub fn heard(name: &str, found: &Incarnation) -> Self {
        let why = format!("another machine reports as `{name}` too, {}; {}", machine(found), remedy(name));
        Self { why, announced: true, place: None, lost: false }
    }
}

fn machine(incarnation: &Incarnation) -> String {
    let boot: String = incarnation.boot_id.chars().take(8).collect();
    format!("with the fingerprint {} and the boot {boot}", incarnation.fingerprint)
}

fn remedy(name: &str) -> String {
    format!("hint: where the true `{name}` is, `wildebeest keep`; on its clone, `wildebeest rekey --name NEW_NAME`")
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherMachine { found, here } => {
                write!(f, "the last report came from a machine with the fingerprint {found}, and this one has {here}")
            }
            Self::Unknown => write!(f, "the last report does not come after this machine's own"),
            Self::Contested => write!(f, "two machines claim it"),
            Self::OtherKey => write!(f, "the last report is not signed by this machine's key"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::store::Reports;
    use super::*;
    use crate::chain::Digest;
    use crate::registry::NETWORK_TIMEOUT;

    fn here(fingerprint: &str, boot_id: &str) -> Incarnation {
        Incarnation { fingerprint: fingerprint.into(), boot_id: boot_id.into() }
    }

    fn line(id: u128, count: u64) -> Line {
        Line { id: Uuid::from_u128(id), count }
    }

    fn sha1(n: u8) -> Sha1 {
        Sha1::from_bytes([n; 20])
    }

    /// A report by the machine `web` in the boot `first`.
    fn report(lines: Vec<Line>) -> Report {
        Report {
            name: "web1".into(),
            uuid: Uuid::nil(),
            key: String::new(),
            time: 0,
            state: None,
            link: None,
            in_service: true,
            doing: Doing::UpToDate,
            since: 0,
            accepted: Some(7),
            accepted_commit: Some(sha1(7)),
            runner: Digest::of(b""),
            incarnation: here("web", "first"),
            by_hand: Vec::new(),
            drift: Vec::new(),
            verified: 0,
            contested: false,
            nonce: Uuid::from_u128(100),
            heard: 0,
            baked: None,
            announced: None,
            last_nonces: Vec::new(),
            lines,
            poll: 5,
        }
    }

    /// A record whose last report was the tenth of line 1, in the boot `first`.
    fn record() -> Record {
        let reports = Reports {
            written: Some(sha1(10)),
            pending: Some(sha1(11)),
            nonces: vec![Uuid::from_u128(99)],
            lines: vec![line(1, 10)],
            boot_id: "first".into(),
        };
        Record { reports, ..Record::default() }
    }

    fn check(found: u8, report: Option<&Report>, record: &Record, here: &Incarnation, expect: &str) {
        let said = match judge(sha1(found), report, record, here) {
            Verdict::Mine => "mine".to_owned(),
            Verdict::TakeOver => "take over".to_owned(),
            Verdict::Contest => "contest".to_owned(),
            Verdict::Foreign(why) => why.to_string(),
        };
        assert_eq!(said, expect, "{report:?} at {here:?}");
    }

    const OTHER: &str = "the last report came from a machine with the fingerprint web, and this one has other";
    const UNKNOWN: &str = "the last report does not come after this machine's own";
    const CONTESTED: &str = "two machines claim it";
    const OTHER_KEY: &str = "the last report is not signed by this machine's key";

    #[test]
    fn what_this_machine_wrote_is_its_own_in_any_boot() {
        let last = report(vec![line(1, 10)]);
        for found in [10, 11] {
            check(found, Some(&last), &record(), &here("web", "first"), "mine");
            check(found, Some(&last), &record(), &here("web", "second"), "mine");
            check(found, None, &record(), &here("web", "second"), "mine");
        }
    }

    #[test]
    fn only_the_last_report_of_this_boot_needs_no_judgement() {
        let check = |found, boot, expect| {
            assert_eq!(is_settled(sha1(found), &record(), &here("web", boot)), expect, "{found} {boot}");
        };
        check(10, "first", true);
        check(11, "first", false);
        check(10, "second", false);
        let contested = Record {
            contested: Some(Contest { why: String::new(), announced: true, place: None, lost: false }),
            ..record()
        };
        assert!(!is_settled(sha1(10), &contested, &here("web", "first")));
    }

    #[test]
    fn a_copy_on_other_hardware_stops_though_nobody_reported_since() {
        check(10, Some(&report(vec![line(1, 10)])), &record(), &here("other", "second"), OTHER);
        check(20, Some(&report(vec![line(1, 12)])), &record(), &here("other", "second"), OTHER);
    }

    #[test]
    fn a_boot_is_of_one_machine_whatever_its_fingerprint_becomes() {
        check(10, Some(&report(vec![line(1, 10)])), &record(), &here("other", "first"), "mine");
    }

    #[test]
    fn a_push_that_arrives_late_is_this_machines_own() {
        let late = Report { nonce: Uuid::from_u128(99), ..report(vec![line(1, 11)]) };
        check(20, Some(&late), &record(), &here("web", "first"), "mine");
    }

    #[test]
    fn a_remote_that_lost_reports_has_an_older_one_of_this_machine() {
        check(20, Some(&report(vec![line(1, 4)])), &record(), &here("web", "first"), "mine");
        check(20, Some(&report(vec![line(1, 4)])), &record(), &here("web", "second"), "mine");
    }

    #[test]
    fn who_was_restored_takes_over() {
        check(20, Some(&report(vec![line(1, 11)])), &record(), &here("web", "second"), "take over");
        check(20, Some(&report(vec![line(2, 1), line(1, 90)])), &record(), &here("web", "second"), "take over");
    }

    #[test]
    fn who_wrote_what_the_last_report_does_not_know_of_stops() {
        check(20, Some(&report(vec![line(2, 5), line(1, 9)])), &record(), &here("web", "second"), UNKNOWN);
        check(20, Some(&report(vec![line(2, 5)])), &record(), &here("web", "second"), UNKNOWN);
        let fresh = Record::default();
        check(20, Some(&report(vec![line(1, 5)])), &fresh, &here("web", "second"), UNKNOWN);
    }

    #[test]
    fn who_was_here_all_the_time_objects() {
        check(20, Some(&report(vec![line(2, 1), line(1, 10)])), &record(), &here("web", "first"), "contest");
        let other = Report { incarnation: here("other", "x"), ..report(vec![line(2, 1), line(1, 10)]) };
        check(20, Some(&other), &record(), &here("web", "first"), "contest");
    }

    #[test]
    fn what_is_contested_stops_both_for_good() {
        let objected = Report { contested: true, ..report(vec![line(2, 1), line(1, 10)]) };
        for boot in ["first", "second"] {
            check(20, Some(&objected), &record(), &here("web", boot), CONTESTED);
            check(11, Some(&objected), &record(), &here("web", boot), CONTESTED);
        }
        let stopped = Record {
            contested: Some(Contest { why: String::new(), announced: true, place: None, lost: false }),
            ..record()
        };
        check(20, Some(&report(vec![line(3, 1)])), &stopped, &here("web", "third"), CONTESTED);
        check(10, Some(&report(vec![line(1, 10)])), &stopped, &here("web", "third"), CONTESTED);
    }

    #[test]
    fn of_two_machines_that_claim_one_identity_neither_is_known_to_be_the_clone() {
        let (objected, own) = (Report { contested: true, ..report(vec![line(2, 1)]) }, report(vec![line(1, 10)]));
        let stopped = Record {
            contested: Some(Contest { why: String::new(), announced: true, place: None, lost: false }),
            ..record()
        };
        let check = |found: &Report, record: &Record, here: &Incarnation, expect| {
            assert_eq!(judge(sha1(20), Some(found), record, here).is_of_clone(), expect, "{found:?} at {here:?}");
        };
        check(&objected, &record(), &here("web", "second"), false);
        check(&own, &stopped, &here("web", "second"), false);
        check(&own, &record(), &here("web", "first"), false);
        check(&own, &record(), &here("other", "second"), true);
        check(&report(vec![line(2, 5)]), &record(), &here("web", "second"), true);
    }

    #[test]
    fn what_another_key_signed_is_nobodys() {
        check(20, None, &record(), &here("web", "first"), OTHER_KEY);
        check(20, None, &record(), &here("web", "second"), OTHER_KEY);
    }

    #[test]
    fn others_get_two_looks_to_object_and_more_amid_a_leg() {
        let check = |doing: Doing, poll, expect| {
            assert_eq!(TakingOver::from(&Report { doing, poll, ..report(Vec::new()) }).grace, expect);
        };
        check(Doing::UpToDate, 5, 10);
        check(Doing::UpToDate, 0, 60);
        check(Doing::Running { link: "page".into() }, 5, 2_400);
        check(Doing::Running { link: "page".into() }, 0, 2_400);
        check(Doing::Running { link: "page".into() }, 3_600, 8_400);
        check(Doing::Running { link: "page".into() }, u64::MAX, u64::MAX);
        check(Doing::Rebooting { link: "page".into(), trouble: None }, 5, 2_400);
        check(Doing::Leaving { trouble: None }, 5, 2_400);
        check(Doing::Rejoining { trouble: None }, 5, 2_400);
        check(Doing::Enrolled, 5, 10);
        check(Doing::UpToDate, u64::MAX, u64::MAX);
    }

    /// It may have lost a look when another machine announces itself, and the next one; the one after that tells it.
    #[test]
    fn who_is_between_two_links_of_a_leg_objects_in_time_though_the_remote_hangs() {
        let hangs = NETWORK_TIMEOUT.as_secs();
        for poll in [1, 30, 300, 600, 3_600] {
            for lost in [0, 15, 70, hangs] {
                let (in_vain, heard) = (pace::until_look(poll, lost) + hangs, pace::until_look(poll, hangs) + hangs);
                assert!(in_vain + heard <= longest_grace(poll), "{poll} {lost}");
            }
        }
    }

    #[test]
    fn the_time_to_object_is_counted_in_one_boot() {
        let at = |boot_id: &str, seconds| Moment { boot_id: boot_id.into(), uptime: Duration::from_secs(seconds) };
        let taking = |since| TakingOver { since, ..TakingOver::from(&report(Vec::new())) };
        assert_eq!(taking(None).at(&at("second", 99)), Grace::Begins);
        let taking = taking(Some(at("second", 100)));
        assert_eq!(taking.at(&at("second", 109)), Grace::Runs);
        assert_eq!(taking.at(&at("second", 110)), Grace::Over);
        assert_eq!(taking.at(&at("third", 500)), Grace::Begins);
        let endless = TakingOver { grace: u64::MAX, ..taking };
        assert_eq!((endless.at(&at("second", 99)), endless.at(&at("second", u64::MAX))), (Grace::Runs, Grace::Runs));
    }

    /// One step of a history: the present machine reports so often, and is then put back to where it was at some time.
    fn lived(steps: &[(u64, usize)]) -> (Vec<Vec<Line>>, Vec<Line>) {
        let (mut on_disk, mut remote) = (vec![branch(&[])], Vec::new());
        for (reports, back_to) in steps {
            let mut own = on_disk[back_to % on_disk.len()].clone();
            if !remote.is_empty() && own != remote {
                own = branch(&remote);
            }
            for _ in 0..*reports {
                own = next(&own);
                on_disk.push(own.clone());
            }
            remote = own;
        }
        (on_disk, remote)
    }

    proptest! {
        #[test]
        fn a_backup_of_any_age_is_recognised(age in 0u64..100_000, since in 1u64..100_000) {
            let start = branch(&[]);
            let reported = |times| vec![Line { count: start[0].count + times, ..start[0].clone() }];
            let record = Record {
                reports: Reports { lines: reported(age), boot_id: "first".into(), ..Reports::default() },
                ..Record::default()
            };
            let found = report(reported(age + since));
            prop_assert_eq!(judge(sha1(20), Some(&found), &record, &here("web", "second")), Verdict::TakeOver);
        }

        #[test]
        fn whoever_was_restored_however_often_is_recognised(
            steps in prop::collection::vec((1u64..40, 0usize..10_000), 1..20)
        ) {
            let (on_disk, remote) = lived(&steps);
            prop_assert!(on_disk.iter().all(|own| has(&remote, &own[0])), "{:?}", remote);
            prop_assert!(remote.len() <= LINES);
        }

        #[test]
        fn who_never_was_this_host_is_not(steps in prop::collection::vec((1u64..40, 0usize..10_000), 1..20)) {
            let ((strangers, _), (_, remote)) = (lived(&steps), lived(&steps));
            prop_assert!(strangers.iter().all(|own| !has(&remote, &own[0])));
        }

        #[test]
        fn of_two_copies_that_both_went_on_neither_has_the_others_place(mine in 1usize..50, others in 1usize..50) {
            let common = next(&branch(&[]));
            let (mut a, mut b) = (next(&common), branch(&common));
            (0..mine).for_each(|_| a = next(&a));
            (0..others).for_each(|_| b = next(&b));
            prop_assert!(!has(&a, &b[0]) && !has(&b, &a[0]));
            prop_assert!(has(&a, &common[0]) && has(&b, &common[0]));
        }
    }

    #[test]
    fn a_line_that_is_full_goes_on() {
        assert_eq!(next(&[line(1, u64::MAX)]), [line(1, u64::MAX)]);
    }

    #[test]
    fn lines_are_bounded() {
        let lines = (0..1_000).fold(branch(&[]), |lines, _| branch(&lines));
        assert_eq!(lines.len(), LINES);
    }
}
