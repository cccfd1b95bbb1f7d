//! When to try again: pure functions of the phase, of what came of the last turn, and of the number of failures in a
//! row.
//!
//! A host in load that can't reach the remote harms nobody, and is patient. One that is out of load, or that holds a place
//! which others wait for, is not: it tries again sooner, and more often.

use std::time::Duration;

use uuid::Uuid;

use super::phase::Phase;
use super::{AgentError, Next};
use crate::registry::NETWORK_TIMEOUT;

/// What came of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There is more to do at once.
    More,
    /// There is nothing to do before the next poll.
    Rest,
    /// Another host was faster.
    Overtaken,
    /// A role could not leave or rejoin.
    Kept,
    /// Something did not succeed.
    Failed,
    /// Only people can end it.
    Stuck,
}

/// When a host looks at the remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Polls {
    /// Who it is.
    pub host: Uuid,
    /// How far its polls are apart.
    pub every: Duration,
    /// How many hosts may be at the pools that it lost a race for, itself among them.
    pub peers: usize,
}

/// A turn that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// When it ended.
    pub ended: Duration,
    /// How long it took.
    pub took: Duration,
}

/// How what failed is tried again: the pause doubles from `first` to `longest`, and stays there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The pause after the first failure.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

/// How often something is tried in a row, and with which pause between, before the agent goes on to other things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// How often.
    pub tries: u32,
    /// The pause between.
    pub pause: Duration,
}

/// How long to wait after a `turn` that ended in `phase`; `failures` in a row, this one included. `chance` is any number: it
/// spreads hosts that failed, or lost a race, at the same moment. Who lost a race waits for up to as long as it took to lose
/// it, and for twice that each time: where all is slow since too many are at it, all of them would lose for ever, and
/// make each other slow. But it waits for no longer than all its peers need one after the other, and never beyond a
/// poll.
///
/// ```
/// use std::time::Duration;
/// use uuid::Uuid;
/// use wb_core::agent::pace::{Outcome, Polls, Turn, after};
/// use wb_core::agent::phase::Phase;
/// let polls = Polls { host: Uuid::from_u128(7), every: Duration::from_secs(30), peers: 3 };
/// let turn = Turn { ended: Duration::ZERO, took: Duration::from_millis(200) };
/// let wait = |phase| after(&phase, Outcome::Failed, 1, polls, turn, 0);
/// assert_eq!(wait(Phase::InLoad), Duration::from_secs(30));
/// assert_eq!(wait(Phase::Rejoining { held: None }), Duration::from_secs(1));
/// ```
#[must_use]
pub fn after(phase: &Phase, outcome: Outcome, failures: u32, polls: Polls, turn: Turn, chance: u64) -> Duration {
    match outcome {
        Outcome::More => Duration::ZERO,
        Outcome::Rest => until_poll(polls, turn.ended),
        Outcome::Overtaken => less(after_race(turn.took, failures, polls), chance, 1),
        Outcome::Kept => in_a_hurry(polls.every).pause(failures, chance),
        Outcome::Failed => retry(phase, polls.every).pause(failures, chance),
        Outcome::Stuck => retry(&Phase::InLoad, polls.every).pause(failures, chance),
    }
}

/// How long who lost so many races in a row waits at most, where a turn takes so long. As many turns as there are peers
/// are enough to spread them: on average fewer than two of them are at it at once then. Longer, and places would stay empty.
fn after_race(took: Duration, lost: u32, polls: Polls) -> Duration {
    let turn = took.max(SHORTEST);
    let turns = turn.saturating_mul(u32::try_from(polls.peers).unwrap_or(u32::MAX).max(1));
    doubled(turn, lost).min(turns).min(polls.every)
}

/// How what failed in a phase is tried again.
#[must_use]
pub fn retry(phase: &Phase, every: Duration) -> Retry {
    match phase {
        Phase::InLoad => Retry { first: every, longest: every.max(LONGEST) },
        // Others may wait for this host's place, and the remote is what it takes to give it back.
        Phase::Claiming { .. } | Phase::Returning { .. } => eager(every, Duration::from_secs(60)),
        Phase::Leaving { .. } | Phase::Out { .. } | Phase::Running { .. } | Phase::Rejoining { .. } => {
            in_a_hurry(every)
        }
        // What mends it comes from people.
        Phase::Failed { .. } => Retry { first: every, longest: every.max(Duration::from_secs(60)) },
    }
}

/// How a host tries again that is out of load and need not be, or that may bear load and must not.
fn in_a_hurry(every: Duration) -> Retry {
    eager(every, every.min(Duration::from_secs(15)))
}

fn eager(every: Duration, longest: Duration) -> Retry {
    Retry { first: every.min(SHORTEST), longest: longest.max(every.min(SHORTEST)) }
}

/// How often a push that lost a race is tried in one turn. Each lost race is somebody else's progress; but the more hosts
/// there are at it, the more of them lose, and all of these have to be spread.
pub const RACES: u32 = 2;

/// For how many seconds a host that has lost so many races for a place in a row only looks on, and claims nothing: there are
/// the more hosts at it the more of them it lost, and who claims as often as it polls makes others lose too. Where `peers`
/// hosts want the place at most, each of them could claim once in that time, one after the other: to wait for longer would
/// leave places empty. Not at all, as long as that would be less than until its next poll. `chance` is any number.
#[must_use]
pub fn until_claim(lost: u32, peers: usize, every: Duration, chance: u64) -> u64 {
    let turns = CLAIM.saturating_mul(u32::try_from(peers).unwrap_or(u32::MAX));
    let full = doubled(SHORTEST, lost).min(turns).min(LONGEST);
    if full <= every { 0 } else { less(full, chance, 1).as_secs() }
}

/// About how long a claim takes on a busy server, from the look that it rests on: of two that overlap one is lost.
const CLAIM: Duration = Duration::from_millis(400);

/// How often a host that was out of load at its last boot tries to leave again before services that bear load may start.
#[must_use]
pub fn leave_after_boot() -> Budget {
    Budget { tries: 20, pause: Duration::from_secs(1) }
}

/// How long a machine waits that wants to enrol, after the server has dropped its connection so many times in a row; not at
/// all once that is too often. `chance` is any number: it spreads machines that came at the same moment.
#[must_use]
pub fn enrolment(dropped: u32, chance: u64) -> Option<Duration> {
    const TRIES: u32 = 12;
    (dropped < TRIES).then(|| less(doubled(SHORTEST, dropped).min(Duration::from_secs(15)), chance, 1))
}

/// How long a new runner waits in its self-check, after the server has dropped its connection so many times in a row; not
/// at all once that is too often: the self-check has an end. `chance` is any number.
#[must_use]
pub fn rehearsal(dropped: u32, chance: u64) -> Option<Duration> {
    const TRIES: u32 = 5;
    (dropped < TRIES).then(|| less(doubled(SHORTEST, dropped), chance, 1))
}

/// Whether something is due that is done `every` so many seconds and was done `last`. A clock that was set back tells
/// nothing about how long ago that was, so that it is due too.
#[must_use]
pub fn is_due(last: u64, every: u64, now: u64) -> bool {
    now.checked_sub(last).is_none_or(|ago| ago >= every)
}

/// After how many seconds a host that is amid a leg looks again, which polls `every` so many: where the last look was in
/// vain and took `lost` seconds, looks cost it a tenth of its time out of load; but it looks no more seldom than a host in
/// load does after errors: a machine that may be its clone waits for it to object.
#[must_use]
pub fn until_look(every: u64, lost: u64) -> u64 {
    every.max(1).max(lost.saturating_mul(9).min(LONGEST.as_secs()))
}

/// For how many seconds at most a host that is amid a leg, and polls `every` so many, waits for its next look, and is at it,
/// whatever came of the last one. Its first fetch may hang, and after it another one, or the push by which it objects. A
/// link, a reboot, and a role that leaves or rejoins take as long as they take, and come on top.
#[must_use]
pub fn longest_look(every: u64) -> u64 {
    until_look(every, u64::MAX).saturating_add(2 * NETWORK_TIMEOUT.as_secs())
}

/// Failures in a row, or lost races. Another phase begins anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Streak {
    /// How many.
    pub failures: u32,
    phase: &'static str,
    races: bool,
}

impl Streak {
    /// With one more turn.
    #[must_use]
    pub fn and(self, phase: &Phase, outcome: Outcome) -> Self {
        let races = outcome == Outcome::Overtaken;
        let before = if self.phase == phase.name() && self.races == races { self.failures } else { 0 };
        let failed = races || matches!(outcome, Outcome::Kept | Outcome::Failed | Outcome::Stuck);
        let failures = if failed { before.saturating_add(1) } else { 0 };
        Self { failures, phase: phase.name(), races }
    }
}

impl From<&Result<Next, AgentError>> for Outcome {
    fn from(turn: &Result<Next, AgentError>) -> Self {
        match turn {
            Ok(Next::Again | Next::Exec) => Self::More,
            Ok(Next::Poll) => Self::Rest,
            Ok(Next::Overtaken) => Self::Overtaken,
            Ok(Next::Retry) => Self::Kept,
            Err(error) if error.is_final() => Self::Stuck,
            Err(_) => Self::Failed,
        }
    }
}

impl Retry {
    /// The pause after the `failures`-th failure in a row, less up to a half.
    #[must_use]
    pub fn pause(self, failures: u32, chance: u64) -> Duration {
        less(doubled(self.first, failures).min(self.longest), chance, 2)
    }
}

/// `first` after the first failure, and twice as much after each one more.
fn doubled(first: Duration, failures: u32) -> Duration {
    first.saturating_mul(1 << failures.saturating_sub(1).min(20))
}

/// The longest pause after errors in load, where a host does not poll more seldom.
pub const LONGEST: Duration = Duration::from_secs(600);

/// The first pause of whoever is in a hurry.
const SHORTEST: Duration = Duration::from_secs(1);

/// A time less up to the `part`-th part of it.
fn less(full: Duration, chance: u64, part: u64) -> Duration {
    let millis = u64::try_from(full.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(millis - chance % (millis / part).saturating_add(1))
}

/// Polls of one host are at a phase that is fixed for that host, so that a herd never asks all at once.
fn until_poll(polls: Polls, now: Duration) -> Duration {
    let period = polls.every.as_millis().max(1);
    let phase = polls.host.as_u128() % period;
    let into = (now.as_millis() + period - phase) % period;
    Duration::from_millis(u64::try_from(period - into).unwrap_or(u64::MAX))
}

/// How long a machine may take to go down.
const SHUTDOWN: Duration = Duration::from_secs(300);

/// Whether to ask the machine for a reboot, so long after it was asked last.
#[must_use]
pub fn asks_for_reboot(before: Option<Duration>) -> bool {
    before.is_none_or(|before| before >= SHUTDOWN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::identity::Foreign;
    use super::super::phase::drawing::phases;
    use super::*;

    /// Those of a host among very many.
    fn polls(host: u128, every: Duration) -> Polls {
        Polls { host: Uuid::from_u128(host), every, peers: usize::MAX }
    }

    /// A turn that took no time.
    fn ended(seconds: u64) -> Turn {
        Turn { ended: Duration::from_secs(seconds), took: Duration::ZERO }
    }

    fn phase(name: &str) -> Phase {
        phases().into_iter().find(|phase| phase.name() == name).unwrap()
    }

    #[test]
    fn failures_double_the_pause_up_to_a_bound_of_the_phase() {
        let check = |name, expect: [u64; 7]| {
            let every = Duration::from_secs(30);
            let pause = |failures| retry(&phase(name), every).pause(failures, 0).as_secs();
            assert_eq!([1, 2, 3, 4, 5, 6, 1_000].map(pause), expect, "{name}");
        };
        check("InLoad", [30, 60, 120, 240, 480, 600, 600]);
        check("Claiming", [1, 2, 4, 8, 16, 32, 60]);
        check("Leaving", [1, 2, 4, 8, 15, 15, 15]);
        check("Out", [1, 2, 4, 8, 15, 15, 15]);
        check("Running", [1, 2, 4, 8, 15, 15, 15]);
        check("Rejoining", [1, 2, 4, 8, 15, 15, 15]);
        check("Returning", [1, 2, 4, 8, 16, 32, 60]);
        check("Failed", [30, 60, 60, 60, 60, 60, 60]);
    }

    #[test]
    fn who_lost_many_races_lets_others_go_first() {
        let check = |peers, every, expect: [u64; 7]| {
            let until = |lost| until_claim(lost, peers, Duration::from_secs(every), 0);
            assert_eq!([0, 1, 4, 6, 9, 11, 1_000].map(until), expect, "{peers}, {every}");
        };
        check(2_000, 1, [0, 0, 8, 32, 256, 600, 600]);
        check(usize::MAX, 30, [0, 0, 0, 32, 256, 600, 600]);
        check(100, 5, [0, 0, 8, 32, 40, 40, 40]);
        check(10, 1, [0, 0, 4, 4, 4, 4, 4]);
        check(70, 30, [0, 0, 0, 0, 0, 0, 0]);
        check(100, 30, [0, 0, 0, 32, 40, 40, 40]);
        check(2_000, 600, [0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(until_claim(6, 2_000, Duration::from_secs(30), 20_500), 11);
    }

    #[test]
    fn what_came_of_a_turn_says_when_the_next_one_is() {
        let check = |outcome, chance, expect| {
            let polls = polls(7_000, Duration::from_secs(30));
            let wait = after(&Phase::InLoad, outcome, 1, polls, ended(60), chance);
            assert_eq!(wait, Duration::from_millis(expect), "{outcome:?}");
        };
        check(Outcome::More, 5, 0);
        check(Outcome::Rest, 5, 7_000);
        check(Outcome::Overtaken, 400, 600);
        check(Outcome::Failed, 5_000, 25_000);
    }

    #[test]
    fn who_loses_slowly_waits_for_long() {
        let check = |took, lost, expect| {
            let turn = Turn { ended: Duration::ZERO, took: Duration::from_secs(took) };
            let polls = polls(7_000, Duration::from_secs(400));
            let wait = after(&Phase::InLoad, Outcome::Overtaken, lost, polls, turn, 0);
            assert_eq!(wait, Duration::from_secs(expect), "{took}, {lost}");
        };
        check(0, 3, 4);
        check(1, 3, 4);
        check(90, 1, 90);
        check(90, 2, 180);
        check(90, 4, 400);
    }

    #[test]
    fn a_lost_race_is_one_in_any_phase() {
        let polls = polls(7_000, Duration::from_secs(30));
        for phase in phases() {
            let wait = |lost| after(&phase, Outcome::Overtaken, lost, polls, ended(0), 0);
            assert_eq!([1, 2, 9].map(wait), [1, 2, 30].map(Duration::from_secs), "{}", phase.name());
        }
    }

    #[test]
    fn who_loses_among_few_waits_for_no_longer_than_all_of_them_take() {
        let check = |peers, took, lost, expect| {
            let turn = Turn { ended: Duration::ZERO, took: Duration::from_secs(took) };
            let polls = Polls { peers, ..polls(7_000, Duration::from_secs(400)) };
            let wait = after(&Phase::InLoad, Outcome::Overtaken, lost, polls, turn, 0);
            assert_eq!(wait, Duration::from_secs(expect), "{peers}, {took}, {lost}");
        };
        check(20, 0, 5, 16);
        check(20, 0, 6, 20);
        check(20, 0, 1_000, 20);
        check(3, 25, 2, 50);
        check(3, 25, 5, 75);
        check(1_000, 25, 5, 400);
        check(1, 2, 9, 2);
        check(0, 2, 9, 2);
    }

    #[test]
    fn what_is_in_a_hurry_and_what_only_people_can_end_is_so_in_any_phase() {
        let check = |outcome, failures, expect| {
            for phase in phases() {
                let polls = polls(7_000, Duration::from_secs(30));
                let wait = after(&phase, outcome, failures, polls, ended(0), 0);
                assert_eq!(wait, Duration::from_secs(expect), "{outcome:?} {}", phase.name());
            }
        };
        check(Outcome::Kept, 1, 1);
        check(Outcome::Kept, 1_000, 15);
        check(Outcome::Stuck, 1, 30);
        check(Outcome::Stuck, 1_000, 600);
    }

    #[test]
    fn who_was_dropped_enrols_again_later_each_time_and_gives_up_in_the_end() {
        let check = |dropped, chance, expect: Option<u64>| {
            assert_eq!(enrolment(dropped, chance), expect.map(Duration::from_millis), "{dropped}");
        };
        check(1, 0, Some(1_000));
        check(1, 400, Some(600));
        check(3, 0, Some(4_000));
        check(11, 0, Some(15_000));
        check(12, 0, None);
    }

    #[test]
    fn a_self_check_tries_for_a_small_part_of_its_time() {
        let pauses: Vec<u64> = (1..).map_while(|dropped| Some(rehearsal(dropped, 0)?.as_secs())).collect();
        assert_eq!(pauses, [1, 2, 4, 8]);
        assert_eq!(rehearsal(1, 400), Some(Duration::from_millis(600)));
    }

    #[test]
    fn how_a_turn_ended_is_told_from_its_error() {
        let check = |turn, expect| assert_eq!(Outcome::from(&turn), expect, "{turn:?}");
        check(Ok(Next::Retry), Outcome::Kept);
        check(Ok(Next::Overtaken), Outcome::Overtaken);
        check(Err(AgentError::Overtaken { tries: 2 }), Outcome::Failed);
        check(Err(AgentError::Retired { name: "web1".into(), change: 4 }), Outcome::Stuck);
        check(Err(AgentError::TakenOver { name: "web1".into(), why: Foreign::Contested }), Outcome::Stuck);
    }

    #[test]
    fn another_phase_and_a_success_begin_anew() {
        let (rejoining, returning) = (phase("Rejoining"), phase("Returning"));
        let twice = Streak::default().and(&rejoining, Outcome::Failed).and(&rejoining, Outcome::Failed);
        assert_eq!(twice.failures, 2);
        assert_eq!(twice.and(&returning, Outcome::Failed).failures, 1);
        assert_eq!(twice.and(&rejoining, Outcome::Rest).failures, 0);
        assert_eq!(twice.and(&rejoining, Outcome::Overtaken).failures, 1);
    }

    #[test]
    fn a_clock_that_jumps_holds_nothing_up() {
        let check = |last, now, expect| assert_eq!(is_due(last, 600, now), expect, "{last} {now}");
        check(1_000, 1_599, false);
        check(1_000, 1_600, true);
        check(1_000, 999, true);
        check(1_000, 0, true);
        check(1_000, u64::MAX, true);
    }

    #[test]
    fn a_remote_that_hangs_costs_a_tenth_of_the_time_and_is_asked_every_ten_minutes() {
        let check = |every, lost, expect| assert_eq!(until_look(every, lost), expect, "{every} {lost}");
        check(30, 0, 30);
        check(30, 2, 30);
        check(30, 15, 135);
        check(30, 66, 594);
        check(30, 67, 600);
        check(30, 300, 600);
        check(3_600, 300, 3_600);
        check(0, 0, 1);
        check(30, u64::MAX, 600);
    }

    #[test]
    fn a_look_comes_to_its_end_in_a_time_that_is_known() {
        let check = |every, expect| assert_eq!(longest_look(every), expect, "{every}");
        check(0, 1_200);
        check(30, 1_200);
        check(600, 1_200);
        check(3_600, 4_200);
        check(u64::MAX, u64::MAX);
    }

    #[test]
    fn a_machine_is_asked_to_reboot_and_again_after_five_minutes() {
        let check = |before: Option<u64>, expect| assert_eq!(asks_for_reboot(before.map(Duration::from_secs)), expect);
        check(None, true);
        check(Some(0), false);
        check(Some(299), false);
        check(Some(300), true);
    }

    proptest! {
        #[test]
        fn a_poll_is_never_further_than_the_interval(host: u128, every in 1u64..600, now in 0u64..10_000_000) {
            let polls = polls(host, Duration::from_secs(every));
            let wait = until_poll(polls, Duration::from_millis(now));
            prop_assert!(wait > Duration::ZERO && wait <= polls.every);
            prop_assert_eq!(until_poll(polls, Duration::from_millis(now) + wait), polls.every);
        }

        #[test]
        fn a_pause_keeps_at_least_half(kind in 0usize..8, every in 1u64..600, failures in 1u32..40, chance: u64) {
            let retry = retry(&phases()[kind], Duration::from_secs(every));
            let (full, wait) = (retry.pause(failures, 0), retry.pause(failures, chance));
            prop_assert!(wait <= full && wait >= full / 2 && full <= retry.longest);
            prop_assert!(full <= retry.pause(failures + 1, 0));
        }

        #[test]
        fn nobody_is_more_patient_than_who_is_in_load(kind in 0usize..8, every in 1u64..600, failures in 1u32..40) {
            let every = Duration::from_secs(every);
            let pause = |phase: &Phase| retry(phase, every).pause(failures, 0);
            prop_assert!(pause(&phases()[kind]) <= pause(&Phase::InLoad));
        }

        #[test]
        fn who_lost_a_race_comes_back_soon(every in 1u64..600, peers in 1usize..2_000, lost in 0u32..40, chance: u64) {
            let polls = Polls { peers, ..polls(0, Duration::from_secs(every)) };
            let wait = after(&Phase::InLoad, Outcome::Overtaken, lost, polls, ended(0), chance);
            prop_assert!(wait <= polls.every && wait <= Duration::from_secs(1 << lost.saturating_sub(1).min(30)));
            prop_assert!(wait <= Duration::from_secs(peers as u64));
        }
    }
}
