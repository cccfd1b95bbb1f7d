//! Watching for drift: a host that has nothing to do asks the specs of what it completed whether that still holds.
//!
//! A round asks all of them. What holds no more is asked again soon, so that people see when they have mended it. One turn
//! asks for a moment only, and the next one goes on, so that the host hears of changes meanwhile. What was found is in
//! memory and in the report, where a host that is started anew finds it.

use std::collections::VecDeque;
use std::time::Duration;

use uuid::Uuid;

use super::verify::{Promise, promises, roles};
use super::{Agent, pace};
use crate::report::{DRIFTS, Drift};
use crate::runner::HostConfig;
use crate::system::ending::ending;

/// What holds no more, and which specs are asked next. It has no clock of its own; its times are seconds since 1970, UTC.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// How far rounds are apart; 0: there are none.
    every: u64,
    verified: u64,
    asked: u64,
    round: Option<Round>,
    drift: Vec<Drift>,
}

/// Specs that are being asked.
#[derive(Debug, Default)]
struct Round {
    whole: bool,
    left: VecDeque<Promise>,
    found: Vec<Drift>,
}

/// What holds no more is asked again after so many seconds.
const AGAIN: u64 = 60;

/// How long one turn asks, but for the spec that it is at.
const MOMENT: Duration = Duration::from_secs(5);

/// How much of an error is reported, in characters.
const LONGEST_ERROR: usize = 500;

impl Watch {
    /// For the host of this configuration. Rounds are up to a quarter nearer than they may be, each host's by a share of
    /// its own: a herd that was deployed to at once does not ask at once.
    pub(super) fn new(config: &HostConfig) -> Self {
        let every = config.verify.as_secs().max(u64::from(!config.verify.is_zero()));
        Self { every: every - share(config.uuid, every / 4), ..Self::default() }
    }

    /// What this host reported before it was started.
    pub(super) fn recall(&mut self, drift: Vec<Drift>, verified: u64) {
        if self.every > 0 {
            (self.drift, self.verified) = (drift, verified);
        }
    }

    /// What holds no more.
    pub(super) fn drift(&self) -> &[Drift] {
        &self.drift
    }

    /// When the last whole round ended.
    pub(super) fn verified(&self) -> u64 {
        self.verified
    }

    /// Whether specs are to be asked at `now`, on a host that ran a link last when `worked` says: its specs held then.
    fn is_due(&self, worked: impl FnOnce() -> u64, now: u64) -> bool {
        self.every > 0 && (self.round.is_some() || self.is_drift_due(now) || self.is_whole_due(worked, now))
    }

    fn is_whole_due(&self, worked: impl FnOnce() -> u64, now: u64) -> bool {
        let last = if self.verified == 0 { worked() } else { self.verified };
        pace::is_due(last, self.every, now)
    }

    fn is_drift_due(&self, now: u64) -> bool {
        !self.drift.is_empty() && pace::is_due(self.asked, AGAIN.min(self.every), now)
    }

    /// Begins a round with all of these, or with those of them that did not hold. What did not hold and is none of them is
    /// not asked any more: that is news, and does not say that it holds.
    fn begin(&mut self, whole: bool, promises: Vec<Promise>) -> Vec<String> {
        let is_asked = |drift: &Drift| promises.iter().any(|promise| is_of(drift, promise));
        let (drift, dropped): (Vec<_>, Vec<_>) = std::mem::take(&mut self.drift).into_iter().partition(is_asked);
        self.drift = drift;
        let left = promises.into_iter().filter(|promise| whole || self.known(promise).is_some()).collect();
        self.round = Some(Round { whole, left, found: Vec::new() });
        dropped.iter().map(|drift| format!("not asked any more: spec {}", drift.named())).collect()
    }

    fn known(&self, promise: &Promise) -> Option<&Drift> {
        self.drift.iter().find(|drift| is_of(drift, promise))
    }

    fn next(&mut self) -> Option<Promise> {
        self.round.as_mut()?.left.pop_front()
    }

    fn heard(&mut self, promise: &Promise, error: Option<String>, now: u64) {
        let since = self.known(promise).map_or(now, |drift| drift.since);
        let (Some(error), Some(round)) = (error, &mut self.round) else { return };
        let (link, role, spec) = (promise.link().to_owned(), promise.spec.role, promise.spec.name.to_owned());
        let error = error.chars().take(LONGEST_ERROR).collect();
        round.found.push(Drift { link, role: role.map(str::to_owned), spec, error, since });
    }

    /// The round is over. Gives what is news.
    fn end(&mut self, now: u64) -> Vec<String> {
        let Some(mut round) = self.round.take() else { return Vec::new() };
        round.found.truncate(DRIFTS);
        self.asked = now;
        if round.whole {
            self.verified = now;
        }
        let before = std::mem::replace(&mut self.drift, round.found);
        news(&before, &self.drift)
    }
}

/// Whether it is this promise that does not hold.
fn is_of(drift: &Drift, promise: &Promise) -> bool {
    let of = (drift.link.as_str(), drift.role.as_deref(), drift.spec.as_str());
    of == (promise.link(), promise.spec.role, promise.spec.name)
}

fn news(before: &[Drift], after: &[Drift]) -> Vec<String> {
    let is_in = |drift: &Drift, others: &[Drift]| others.iter().any(|other| other.is_of_same_spec(drift));
    let lost = after.iter().filter(|drift| !is_in(drift, before));
    let mended = before.iter().filter(|drift| !is_in(drift, after));
    let lost = lost.map(|drift| format!("drifted: spec {}: {}", drift.named(), drift.error));
    lost.chain(mended.map(|drift| format!("holds again: spec {}", drift.named()))).collect()
}

/// A share of `whole` that is the same for this host at all times.
fn share(host: Uuid, whole: u64) -> u64 {
    u64::try_from(host.as_u128() % (u128::from(whole) + 1)).unwrap_or_default()
}

impl Agent<'_> {
    /// Asks specs whether what was done here still holds, where that is due. False when there are more to ask.
    pub(super) fn watch_for_drift(&mut self) -> bool {
        let (now, worked) = (self.now(), || self.store.worked());
        if !self.watch.is_due(worked, now) {
            return true;
        }
        let (herd, begun) = (self.view(), self.system.clock().passed());
        if self.watch.round.is_none() {
            let whole = self.watch.is_whole_due(worked, now);
            let promises = promises(self.catalog, &self.store.record(), &roles(&herd));
            self.watch.begin(whole, promises).iter().for_each(|line| self.journal.say(line));
        }
        while let Some(promise) = self.watch.next() {
            ending().boundary();
            let error = promise.ask(self.system, &herd);
            self.watch.heard(&promise, error, now);
            if self.system.clock().passed() - begun >= MOMENT {
                return false;
            }
        }
        self.watch.end(now).iter().for_each(|line| self.journal.say(line));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{Digest, Link, Sha1};
    use crate::context::Spec;

    static RUNS: Spec = Spec::new("fleet::chain::nginx", "runs", |_| Ok(()));
    static VALID: Spec = Spec::new("fleet::chain::nginx", "valid", |_| Ok(()));

    static FIT: Spec = Spec::new("fleet::roles", "valid", |_| Ok(())).of_role("web");

    fn link(name: &str) -> Link {
        Link::new(name, Sha1::ZERO, "web", Digest::of(b""))
    }

    fn promises() -> Vec<Promise> {
        [&RUNS, &VALID].map(|spec| Promise::of(Some(&link("nginx")), spec)).into()
    }

    fn watch(verify: u64) -> Watch {
        Watch { every: verify, ..Watch::default() }
    }

    /// One round at `now`, in which these specs do not hold. Gives the specs that were asked, and what was news.
    fn round(watch: &mut Watch, now: u64, broken: &[&str]) -> (Vec<&'static str>, Vec<String>) {
        let whole = watch.is_whole_due(|| 0, now);
        watch.begin(whole, promises());
        let mut asked = Vec::new();
        while let Some(promise) = watch.next() {
            asked.push(promise.spec.name);
            watch.heard(&promise, broken.contains(&promise.spec.name).then(|| "no".to_owned()), now);
        }
        (asked, watch.end(now))
    }

    #[test]
    fn the_first_round_comes_when_nothing_was_run_for_long_enough() {
        let check = |verify, worked, now, expect| assert_eq!(watch(verify).is_due(|| worked, now), expect);
        check(3600, 10_000, 13_599, false);
        check(3600, 10_000, 13_600, true);
        check(3600, 10_000, 9_999, true);
        check(0, 0, 1_000_000, false);
    }

    #[test]
    fn a_round_asks_all_and_what_drifted_is_asked_again_soon() {
        let mut watch = watch(3600);
        assert_eq!(round(&mut watch, 10_000, &[]), (vec!["runs", "valid"], vec![]));
        assert_eq!([10_060, 13_599, 13_600].map(|now| watch.is_due(|| 0, now)), [false, false, true]);
        let drifted = "drifted: spec `valid` of `nginx`: no".to_owned();
        assert_eq!(round(&mut watch, 13_600, &["valid"]), (vec!["runs", "valid"], vec![drifted]));
        assert_eq!([13_659, 13_660].map(|now| watch.is_due(|| 0, now)), [false, true]);
        assert_eq!(round(&mut watch, 13_660, &["runs", "valid"]), (vec!["valid"], vec![]));
        assert_eq!(watch.drift().iter().map(|drift| drift.since).collect::<Vec<_>>(), [13_600]);
        let mended = "holds again: spec `valid` of `nginx`".to_owned();
        assert_eq!(round(&mut watch, 13_720, &[]), (vec!["valid"], vec![mended]));
        assert_eq!((watch.drift(), watch.verified()), (&[][..], 13_600));
        assert!(!watch.is_due(|| 0, 13_800));
    }

    #[test]
    fn what_a_role_promises_drifts_by_itself() {
        let mut watch = watch(3600);
        let mut round = |broken: Option<&str>| {
            watch.begin(true, vec![Promise::of(Some(&link("nginx")), &VALID), Promise::of(None, &FIT)]);
            while let Some(promise) = watch.next() {
                let error = broken.filter(|_| promise.spec.role.is_some()).map(str::to_owned);
                watch.heard(&promise, error, 5);
            }
            watch.end(5)
        };
        assert_eq!(round(Some("no")), ["drifted: spec `valid` of role web: no"]);
        assert_eq!(round(Some("still no")), [""; 0]);
        assert_eq!(round(None), ["holds again: spec `valid` of role web"]);
    }

    #[test]
    fn what_drifted_and_is_not_asked_yet_by_a_newer_runner_does_not_hold_again() {
        let of_role = || vec![Promise::of(None, &FIT)];
        let check = |whole: bool, later: Vec<Promise>, expect: [&str; 1]| {
            let mut watch = watch(3600);
            watch.begin(true, of_role());
            let promise = watch.next().unwrap();
            watch.heard(&promise, Some("no".to_owned()), 5);
            watch.end(5);
            let dropped = watch.begin(whole, later);
            while let Some(promise) = watch.next() {
                watch.heard(&promise, None, 65);
            }
            let ended = watch.end(65);
            assert_eq!([dropped, ended].concat(), expect);
            assert!(watch.drift().is_empty());
        };
        check(false, promises(), ["not asked any more: spec `valid` of role web"]);
        check(true, promises(), ["not asked any more: spec `valid` of role web"]);
        check(false, of_role(), ["holds again: spec `valid` of role web"]);
    }

    #[test]
    fn a_round_that_is_under_way_goes_on() {
        let mut watch = watch(3600);
        watch.begin(true, promises());
        let first = watch.next().unwrap();
        watch.heard(&first, None, 5);
        assert!(watch.is_due(|| 1_000, 1_000) && watch.verified() == 0);
        assert_eq!(watch.next().map(|promise| promise.spec.name), Some("valid"));
    }

    #[test]
    fn what_was_reported_is_remembered_where_it_is_watched() {
        let drift = Drift { link: "nginx".into(), role: None, spec: "runs".into(), error: "no".into(), since: 7 };
        let check = |verify, expect| {
            let mut watch = watch(verify);
            watch.recall(vec![drift.clone()], 9);
            assert_eq!((watch.drift().len(), watch.verified()), expect);
        };
        check(3600, (1, 9));
        check(0, (0, 0));
    }

    #[test]
    fn what_is_reported_is_bounded() {
        let names: Vec<String> = (0..DRIFTS + 4).map(|n| format!("link_{n}")).collect();
        let mut watch = watch(3600);
        watch.begin(true, names.iter().map(|name| Promise::of(Some(&link(name)), &RUNS)).collect());
        while let Some(promise) = watch.next() {
            watch.heard(&promise, Some("é".repeat(LONGEST_ERROR + 1)), 5);
        }
        watch.end(5);
        assert_eq!(watch.drift().len(), DRIFTS);
        assert!(watch.drift().iter().all(|drift| drift.error.chars().count() == LONGEST_ERROR));
    }

    #[test]
    fn hosts_keep_apart_and_none_waits_longer_than_was_said() {
        let host = |uuid: u128, verify| HostConfig {
            uuid: Uuid::from_u128(uuid),
            name: "web1".into(),
            remote: "x".into(),
            poll: Duration::from_secs(30),
            runner: "x".into(),
            verify,
        };
        let check = |uuid, verify, expect| assert_eq!(Watch::new(&host(uuid, verify)).every, expect);
        check(0, HostConfig::VERIFY, 3600);
        check(900, HostConfig::VERIFY, 2700);
        check(901, HostConfig::VERIFY, 3600);
        check(7, Duration::from_millis(200), 1);
        check(7, Duration::ZERO, 0);
    }
}
