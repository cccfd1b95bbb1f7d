//! One host: where it is, what it does and since when, and whether that is well.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Serialize, Serializer};
use wb_core::chain::{Link, Sha1};
use wb_core::change::{Canary, HostManifest, Manifest};
use wb_core::plan::{Course, Past, Wait, goal, still_failed};
use wb_core::report::{Doing, Drift, Report, Standing};

use super::obstacle::Obstacles;
use crate::calendar::span;
use crate::known::Known;

/// One host. All times are in seconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostStatus {
    /// Its name.
    pub name: String,
    /// What it is.
    pub roles: BTreeSet<String>,
    /// Whether it was admitted.
    pub admitted: bool,
    /// Whether it is one of those that go first, as long as the others do not follow.
    pub canary: bool,
    /// The last link that it completed or passed over.
    pub state: Option<Sha1>,
    /// That link's name.
    pub migration: Option<String>,
    /// The link that it is to reach now.
    pub target: Option<Sha1>,
    /// How many links it has yet to run, as far as its state tells; nothing when its state is not in the chain, or nobody knows of it.
    pub behind: Option<usize>,
    /// The name of the first of these.
    pub next: Option<String>,
    /// Whether it is at the target, or past it.
    pub at_target: bool,
    /// Whether it is at what everyone is told to reach, or past it.
    #[serde(skip)]
    pub(super) at_everyones: bool,
    /// What it is doing, in a word.
    pub phase: Phase,
    /// Since when it does that; of one that nobody knows of, since when its next report is due.
    pub since: Option<u64>,
    /// What it waits for, or what is wrong.
    pub detail: String,
    /// The same in its own words: whom it waits for may be others by now.
    #[serde(skip)]
    pub(super) said: String,
    /// The hosts that it waits for, or must not go on without.
    pub waits_for: Vec<String>,
    /// Whether nothing is wrong.
    pub healthy: bool,
    /// Whether it gets no further before somebody acts.
    pub needs_people: bool,
    /// The change that tells it to begin nothing.
    pub held_by: Option<u64>,
    /// Whether it has been in load.
    pub in_service: bool,
    /// The newest change that it accepted.
    pub change: Option<u64>,
    /// Whether that is the newest one.
    pub heard: bool,
    /// Whether a link failed on it when it said last what it does, whoever has heard of it since; nothing where no report of
    /// it counts.
    pub failed: Option<bool>,
    /// The link that failed on it, and is not tried again by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<String>,
    /// The links that were done on it by hand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_hand: Vec<Sha1>,
    /// What it completed once and what does not hold on it any more.
    pub drift: Vec<Drift>,
    /// When all its specs were asked last.
    pub verified: Option<u64>,
    /// When it reported last.
    pub reported: Option<u64>,
}

/// What a host is doing, in a word. What needs people most comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Two machines have its identity.
    Contested,
    /// A link failed on it.
    Failed,
    /// Something is wrong that only people can mend.
    Stopped,
    /// Its last report is older than it should be, so nobody knows.
    Unknown,
    /// Its reports do not count, or none ever came.
    Silent,
    /// It waits for longer than the link says that it should.
    Overdue,
    /// What it completed does not hold any more.
    Drifted,
    /// It leaves load.
    Leaving,
    /// It runs a link.
    Running,
    /// It reboots for a link.
    Rebooting,
    /// It goes back into load.
    Rejoining,
    /// An operator holds it.
    Held,
    /// It waits.
    Waiting,
    /// It enrolled, and its agent has not seen that it was admitted.
    Enrolled,
    /// It stands in `herd.toml`, and was not admitted.
    Expected,
    /// It has nothing to do.
    UpToDate,
}

impl Phase {
    /// All of them, in order.
    pub const ALL: [Self; 16] = [
        Self::Contested,
        Self::Failed,
        Self::Stopped,
        Self::Unknown,
        Self::Silent,
        Self::Overdue,
        Self::Drifted,
        Self::Leaving,
        Self::Running,
        Self::Rebooting,
        Self::Rejoining,
        Self::Held,
        Self::Waiting,
        Self::Enrolled,
        Self::Expected,
        Self::UpToDate,
    ];

    /// The word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Contested => "contested",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Unknown => "unknown",
            Self::Silent => "silent",
            Self::Overdue => "overdue",
            Self::Drifted => "drifted",
            Self::Leaving => "leaving",
            Self::Running => "running",
            Self::Rebooting => "rebooting",
            Self::Rejoining => "rejoining",
            Self::Held => "held",
            Self::Waiting => "waiting",
            Self::Enrolled => "enrolled",
            Self::Expected => "expected",
            Self::UpToDate => "up to date",
        }
    }

    fn of(admitted: bool, report: Option<&Report>, now: u64) -> Self {
        let Some(report) = report else { return if admitted { Self::Silent } else { Self::Expected } };
        match &report.doing {
            _ if report.contested => Self::Contested,
            _ if report.standing(now) != Standing::Fresh => Self::Unknown,
            Doing::Enrolled => Self::Enrolled,
            Doing::UpToDate if !report.drift.is_empty() => Self::Drifted,
            Doing::UpToDate => Self::UpToDate,
            Doing::Waiting { overdue: true, .. } => Self::Overdue,
            doing @ Doing::Waiting { .. } if doing.is_held() => Self::Held,
            Doing::Waiting { .. } => Self::Waiting,
            Doing::Leaving { .. } => Self::Leaving,
            Doing::Running { .. } => Self::Running,
            Doing::Rebooting { .. } => Self::Rebooting,
            Doing::Rejoining { .. } => Self::Rejoining,
            Doing::Failed(_) => Self::Failed,
            Doing::Stopped { .. } => Self::Stopped,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Phase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl HostStatus {
    /// `pending` are the canaries that the others do not follow yet.
    pub(super) fn of(name: &str, known: &Known, obstacles: &Obstacles<'_>, pending: Option<&Canary>) -> Self {
        let (none, Known { manifest, reports, now, .. }) = (HostManifest::default(), known);
        let (host, report) = (manifest.hosts.get(name).unwrap_or(&none), reports.get(name));
        let goal = goal(manifest, name, reports, *now);
        let (doing, state) = (report.map(|report| &report.doing), report.and_then(|report| report.state));
        let wait = doing.and_then(|doing| obstacles.keeping(name, doing));
        let admitted = host.identity.is_some();
        let phase = Phase::of(admitted, report, *now);
        let drift = report.map(|report| report.drift.clone()).unwrap_or_default();
        let ahead = report.and_then(|_| ahead(manifest, goal, host, state));
        let held_by = manifest.hold_of(name).map(|hold| hold.change);
        let is_known = !matches!(phase, Phase::Contested | Phase::Unknown | Phase::Silent | Phase::Expected);
        Self {
            name: name.to_owned(),
            roles: host.roles.clone(),
            admitted,
            canary: pending.is_some_and(|canary| canary.hosts.contains(name)),
            state,
            migration: report.and_then(|report| report.link.clone()),
            target: goal,
            behind: ahead.as_ref().map(|(count, _)| *count),
            next: ahead.and_then(|(_, next)| next),
            at_target: report.is_some() && is_there(manifest, goal, state),
            at_everyones: report.is_some() && is_there(manifest, manifest.target, state),
            phase,
            since: report.and_then(|report| since(report, phase, *now)),
            detail: detail(phase, report, wait.as_ref(), *now),
            said: detail(phase, report, None, *now),
            waits_for: doing.map(|doing| waits_for(doing, wait.as_ref())).unwrap_or_default(),
            healthy: is_known && drift.is_empty() && doing.is_some_and(Doing::is_healthy),
            needs_people: needs_people(phase, manifest, (host, held_by.is_some()), report),
            held_by,
            in_service: report.is_some_and(|report| report.in_service),
            failed: doing.map(|doing| matches!(doing, Doing::Failed(_))),
            failed_at: doing.and_then(|doing| failed_at(manifest, host, doing)),
            by_hand: report.map(|report| report.by_hand.clone()).unwrap_or_default(),
            change: report.and_then(|report| report.accepted),
            heard: report.is_some_and(|report| has_heard(manifest, report)),
            drift,
            verified: report.map(|report| report.verified).filter(|time| *time > 0),
            reported: report.map(|report| report.time),
        }
    }

    /// Whether it is where it should be, nothing is wrong, and it has heard all that the herd was told.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_well() && self.heard
    }

    /// Whether it is where it should be, and nothing is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.at_target && self.phase == Phase::UpToDate
    }

    /// Whether it is where everyone is told to be, and nothing is wrong: a canary may be further, or wait to be.
    #[must_use]
    pub fn is_where_all_are_to_be(&self) -> bool {
        self.is_well() || (self.canary && self.at_everyones && self.healthy)
    }

    /// Where it is and what it does, in a line, and in its own words: it is no news of this host whose turn it is now.
    #[must_use]
    pub fn outline(&self) -> String {
        let at = match (&self.migration, self.state) {
            (Some(name), Some(state)) => format!("at `{name}` ({})", state.short()),
            _ => "at the start of the chain".to_owned(),
        };
        match self.said.is_empty() {
            true => format!("{at}, {}", self.phase),
            false => format!("{at}, {}: {}", self.phase, self.said),
        }
    }

    /// Where it is, in a word or two.
    pub(super) fn at(&self) -> String {
        let by_hand = if self.state.is_some_and(|state| self.by_hand.contains(&state)) { ", done by hand" } else { "" };
        match (self.state, &self.migration) {
            (Some(state), Some(name)) => format!("{} {name}{by_hand}", state.short()),
            (Some(state), None) => state.short(),
            (None, _) => "none".to_owned(),
        }
    }
}

/// The hosts that it waits for, or must not go on without. Who keeps from a link that failed on others names none of them in
/// its report, since these alone can't end that; here they stand.
fn waits_for(doing: &Doing, wait: Option<&Wait>) -> Vec<String> {
    match wait {
        Some(Wait::FailedElsewhere { hosts, .. }) => hosts.clone(),
        Some(wait) => wait.on(),
        None => doing.on().to_vec(),
    }
}

/// At the goal, or past it.
fn is_there(known: &Manifest, goal: Option<Sha1>, state: Option<Sha1>) -> bool {
    let place = |sha1: Option<Sha1>| sha1.and_then(|sha1| known.chain.position(sha1));
    place(state).is_some_and(|state| Some(state) >= place(goal))
}

/// How many links there are to run, and the first one's name. Links of other roles, and those that a baseline stands for,
/// are passed over in a moment.
fn ahead(
    known: &Manifest,
    goal: Option<Sha1>,
    host: &HostManifest,
    state: Option<Sha1>,
) -> Option<(usize, Option<String>)> {
    let after = |sha1: Sha1| known.chain.position(sha1).map(|place| place + 1);
    if let Some(state) = state {
        after(state)?;
    }
    let past = Past::told_by(&known.chain, &host.roles, state);
    let told = goal.and_then(after).unwrap_or(0);
    let is_told = |sha1: Sha1| after(sha1).is_some_and(|place| place <= told);
    let course = Course::new(known, goal, host, &past);
    let links: Vec<&Link> = course.run_from(state).filter(|link| is_told(link.sha1)).collect();
    Some((links.len(), links.first().map(|link| link.name.clone())))
}

fn since(report: &Report, phase: Phase, now: u64) -> Option<u64> {
    let since = match (phase, report.standing(now)) {
        (Phase::Unknown, Standing::Late { since }) => since,
        (Phase::Unknown, _) => return None,
        (Phase::Drifted, _) => report.drift.iter().map(|drift| drift.since).min().unwrap_or(report.since),
        _ => report.since,
    };
    (since > 0).then_some(since)
}

fn has_heard(known: &Manifest, report: &Report) -> bool {
    report.accepted >= Some(known.number)
}

/// Whether it has looked at the remote since the newest change, and would have accepted that.
fn has_looked(known: &Manifest, report: &Report) -> bool {
    const SHORTEST: u64 = 30;
    report.time.saturating_sub(report.poll.max(SHORTEST).saturating_mul(2)) > known.time
}

/// What only people can end, as far as the host knows what they said last. One that is stopped may be so because it can't
/// accept that. What has failed does not mend itself where nobody hears of it.
fn needs_people(
    phase: Phase,
    known: &Manifest,
    (host, is_held): (&HostManifest, bool),
    report: Option<&Report>,
) -> bool {
    let has_heard = report.is_some_and(|report| has_heard(known, report));
    let has_looked = report.is_some_and(|report| has_looked(known, report));
    match (phase, report.map(|report| &report.doing)) {
        (Phase::Expected | Phase::Contested | Phase::Drifted, _) => true,
        (Phase::Held, _) => has_heard,
        (Phase::Stopped, _) => has_heard || has_looked,
        (Phase::Failed | Phase::Unknown, Some(Doing::Failed(failure))) => {
            has_heard && (is_held || still_failed(failure, known, host))
        }
        _ => false,
    }
}

/// By the name that the change has for it: it stands in commands to paste, and a host may say anything.
fn failed_at(manifest: &Manifest, host: &HostManifest, doing: &Doing) -> Option<String> {
    match doing {
        Doing::Failed(failure) if still_failed(failure, manifest, host) => {
            Some(manifest.chain.get(failure.link)?.name.clone())
        }
        _ => None,
    }
}

/// What keeps it is said as it is known here, where it is.
fn detail(phase: Phase, report: Option<&Report>, wait: Option<&Wait>, now: u64) -> String {
    let Some(report) = report else {
        return match phase {
            Phase::Expected => "not admitted yet".to_owned(),
            _ => "no report of it counts: none came, or another key signed it".to_owned(),
        };
    };
    let said = match (phase, report.standing(now)) {
        (Phase::Unknown, Standing::Ahead { by }) => {
            format!("its report is {} ahead of the clock here; it says: {}", span(by), report.doing)
        }
        (Phase::Unknown, _) => format!("no report since; it said last: {}", report.doing),
        _ => wait.map_or_else(|| said(&report.doing), ToString::to_string),
    };
    [said, drifted(&report.drift)].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

fn said(doing: &Doing) -> String {
    match doing {
        Doing::Waiting { why, .. } | Doing::Stopped { why, .. } => why.clone(),
        Doing::Leaving { trouble } | Doing::Rejoining { trouble } => trouble.clone().unwrap_or_default(),
        Doing::Running { link } | Doing::Rebooting { link, trouble: None } => format!("`{link}`"),
        Doing::Rebooting { link, trouble: Some(trouble) } => format!("`{link}`: {trouble}"),
        Doing::Failed(failure) => format!("`{}` ({}): {}", failure.name, failure.link.short(), failure.error),
        Doing::Enrolled | Doing::UpToDate => String::new(),
    }
}

fn drifted(drift: &[Drift]) -> String {
    match drift {
        [] => String::new(),
        [one] => format!("spec {}: {}", one.named(), one.error),
        [first, more @ ..] => format!("spec {}: {}; and {} more", first.named(), first.error, more.len()),
    }
}
