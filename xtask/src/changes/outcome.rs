//! What came of a change on each host, as the newest reports tell: whether it ran what the change brought, and when; or
//! whether it has seen the change at all.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use wb_core::chain::{Digest, Link};
use wb_core::change::{HostManifest, Manifest};
use wb_core::plan::{goal, settings_digest};
use wb_core::report::{Doing, Failure, Report, Standing};
use wb_core::results::{How, LinkResult, Results};

use crate::calendar::moment;
use crate::known::Known;

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostOutcome {
    /// What it was called in the change.
    pub host: String,
    /// What it is called now, where that is another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// What came of the change there.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl HostOutcome {
    /// Its name, and the one that it has now.
    #[must_use]
    pub fn called(&self) -> String {
        self.now.as_ref().map_or_else(|| self.host.clone(), |now| format!("{}, now {now}", self.host))
    }
}

/// What came of a change on one host. Times are in seconds since 1970, UTC; none where the host does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It ran what the change brought for it.
    Done {
        /// The last of that, by its name.
        migration: String,
        /// When.
        at: Option<u64>,
    },
    /// Some of what the change brought was done there by hand.
    Adopted {
        /// The last of that, by its name.
        migration: String,
        /// When it was adopted.
        at: Option<u64>,
    },
    /// What the change brought is for other hosts.
    PassedOver {
        /// When.
        at: Option<u64>,
    },
    /// It failed at what the change brought, or asked it to try again.
    Failed {
        /// At which migration.
        migration: String,
        /// Since when; of a try, since it heard of it at the earliest.
        at: Option<u64>,
        /// The error.
        error: String,
    },
    /// It has seen the change, and is not through with it.
    OnItsWay {
        /// What it does.
        doing: String,
    },
    /// It has seen the change, and what that brought is for the canaries first.
    AfterCanaries,
    /// It failed again at what the change asked it to try, and was asked once more.
    AskedAgain {
        /// The number of the newest change that asked it.
        by: u64,
    },
    /// It has seen the change, which asked nothing to be run.
    Seen {
        /// When.
        at: Option<u64>,
    },
    /// It has not seen the change.
    NotSeen {
        /// The newest change that it has seen.
        seen: Option<u64>,
    },
    /// It is not through with the change, and has been silent for too long.
    Away {
        /// When it reported last.
        since: u64,
    },
    /// It left the herd, or another machine has its place.
    Left,
    /// No report of it counts.
    Unknown,
}

impl Outcome {
    /// Whether the host has the change behind it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(
            self,
            Self::Done { .. }
                | Self::Adopted { .. }
                | Self::PassedOver { .. }
                | Self::AskedAgain { .. }
                | Self::Seen { .. }
                | Self::Left
        )
    }

    /// When that was, in words.
    #[must_use]
    pub fn when(&self) -> String {
        match self {
            Self::Done { at, .. } | Self::Adopted { at, .. } | Self::PassedOver { at } | Self::Seen { at } => {
                at.map_or_else(|| "not told".to_owned(), moment)
            }
            Self::Failed { at, .. } => at.map(|at| format!("since {}", moment(at))).unwrap_or_default(),
            Self::Away { since } => format!("since {}", moment(*since)),
            Self::OnItsWay { .. }
            | Self::AfterCanaries
            | Self::AskedAgain { .. }
            | Self::NotSeen { .. }
            | Self::Left
            | Self::Unknown => String::new(),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done { migration, .. } => write!(f, "done: `{migration}`"),
            Self::Adopted { migration, .. } => write!(f, "done by hand: `{migration}`"),
            Self::PassedOver { .. } => write!(f, "passed over"),
            Self::Failed { migration, error, .. } => write!(f, "failed at `{migration}`: {error}"),
            Self::OnItsWay { doing } => write!(f, "on its way: {doing}"),
            Self::AfterCanaries => write!(f, "goes after the canaries"),
            Self::AskedAgain { by } => write!(f, "failed again, and asked once more by change {by}"),
            Self::Seen { .. } => write!(f, "seen"),
            Self::NotSeen { seen: Some(seen) } => write!(f, "not seen yet; it is at change {seen}"),
            Self::NotSeen { seen: None } => write!(f, "not seen yet"),
            Self::Away { .. } => write!(f, "away"),
            Self::Left => write!(f, "left the herd"),
            Self::Unknown => write!(f, "unknown: no report of it counts"),
        }
    }
}

/// What came of `change`, which followed `parent`, on each host that was admitted then.
#[must_use]
pub fn outcomes(
    change: &Manifest,
    parent: &Manifest,
    known: &Known,
    results: &BTreeMap<String, Results>,
) -> Vec<HostOutcome> {
    let admitted = change.hosts.iter().filter_map(|(name, host)| Some((name, host, host.identity.as_ref()?)));
    let outcomes = admitted.map(|(name, host, identity)| {
        let now = known.manifest.host_of(identity.uuid).map(|(now, _)| now);
        let outcome = now.map_or(Outcome::Left, |now| {
            let Some(report) = known.reports.get(now) else { return Outcome::Unknown };
            let (none, results) = (Results::default(), results.get(now));
            let asked = Asked::of(name, host, change, parent);
            let story = Story { name: now, known, change: change.number, report, results: results.unwrap_or(&none) };
            story.of(&asked)
        });
        HostOutcome { host: name.clone(), now: now.filter(|now| now != name).map(str::to_owned), outcome }
    });
    outcomes.collect()
}

/// What a change asked of a host.
enum Asked<'a> {
    /// To come to the end of these links, of which the host has these roles' to run.
    Links(&'a [Link], &'a HostManifest),
    /// The same, once the canaries have baked.
    Later(&'a [Link], &'a HostManifest),
    /// To try again what failed, as the host that it is then. Before, its settings had the other digest.
    Retry(&'a HostManifest, Option<Digest>),
    /// To take a link as done by hand.
    Adopt(&'a Link),
    /// Nothing but to know.
    Nothing,
}

impl<'a> Asked<'a> {
    fn of(name: &str, host: &'a HostManifest, change: &'a Manifest, parent: &Manifest) -> Self {
        let machine = host.identity.as_ref().and_then(|identity| parent.host_of(identity.uuid));
        let before = machine.and_then(|(name, _)| parent.told(name));
        let place =
            |target: Option<_>| target.and_then(|target| change.chain.position(target)).map_or(0, |place| place + 1);
        let (from, to) = (place(before), place(change.told(name)));
        let baking = change.canary.as_ref().filter(|canary| canary.bake.is_some() && canary.change == change.number);
        let later = baking.map_or(0, |canary| place(Some(canary.target)));
        let adopted = host.adopt.as_ref().filter(|adoption| adoption.change == change.number);
        match adopted.and_then(|adoption| change.chain.get(adoption.link)) {
            Some(link) => Self::Adopt(link),
            None if from < to => Self::Links(&change.chain.links()[from..to], host),
            None if from < later => Self::Later(&change.chain.links()[from..later], host),
            None if host.retry == change.number => Self::Retry(host, machine.map(|(_, was)| settings_digest(was))),
            None => Self::Nothing,
        }
    }
}

/// What a host tells of a change.
struct Story<'a> {
    /// What it is called now.
    name: &'a str,
    known: &'a Known,
    change: u64,
    report: &'a Report,
    results: &'a Results,
}

impl Story<'_> {
    fn of(&self, asked: &Asked<'_>) -> Outcome {
        let seen = || Outcome::Seen { at: self.results.accepted_at(self.change) };
        match asked {
            Asked::Links(links, host) => self.run(links, host),
            Asked::Later(links, host) => match self.run(links, host) {
                Outcome::OnItsWay { .. } if !self.is_told(links) => self.waits_for_canaries().unwrap_or_else(seen),
                outcome => outcome,
            },
            _ if !self.has_seen() => self.not_yet(),
            Asked::Nothing => seen(),
            Asked::Retry(host, before) => self.tried(host, *before),
            Asked::Adopt(link) if self.report.by_hand.contains(&link.sha1) => Outcome::Adopted {
                migration: link.name.clone(),
                at: self.results.of(&link.name).map(|result| result.time),
            },
            Asked::Adopt(link) => self.failed(|failure| failure.link == link.sha1).unwrap_or_else(seen),
        }
    }

    fn run(&self, links: &[Link], host: &HostManifest) -> Outcome {
        let chain = &self.known.manifest.chain;
        let end = links.last().and_then(|link| chain.position(link.sha1));
        if self.report.state.and_then(|state| chain.position(state)) >= end {
            return self.behind(links, host);
        }
        let failed = self.failed(|failure| links.iter().any(|link| link.sha1 == failure.link));
        failed.unwrap_or_else(|| self.not_yet())
    }

    /// Whether the host is to reach the end of these by now.
    fn is_told(&self, links: &[Link]) -> bool {
        let Known { manifest, reports, now, .. } = self.known;
        let place = |sha1| manifest.chain.position(sha1);
        let end = links.last().and_then(|link| place(link.sha1));
        goal(manifest, self.name, reports, *now).and_then(place) >= end
    }

    fn waits_for_canaries(&self) -> Option<Outcome> {
        let canary = self.known.manifest.canary.as_ref();
        canary.filter(|canary| canary.change == self.change).map(|_| Outcome::AfterCanaries)
    }

    /// What came of one more try, at which the host is this; what failed before that has the digest `before`. Where a
    /// link ended since the host heard of it, that is the one that was tried, and what fails later is none of it. A host
    /// is asked once more only where the try failed. Of what it heard too long ago to tell when, it may have done all.
    fn tried(&self, host: &HostManifest, before: Option<Digest>) -> Outcome {
        let (asked, again) = (self.results.accepted_at(self.change), self.asked_again());
        let over = asked.and_then(|asked| self.ended(asked, again).or(again.map(|by| Outcome::AskedAgain { by })));
        if let Some(over) = over {
            return over;
        }
        match &self.report.doing {
            Doing::Failed(failure) if Some(failure.settings) == before => self.not_yet(),
            Doing::Failed(failure) if asked.is_some() || failure.settings == settings_digest(host) => {
                self.failed_since(failure, asked)
            }
            doing if asked.is_none() || *doing == Doing::UpToDate => Outcome::Seen { at: asked },
            _ => self.not_yet(),
        }
    }

    /// The newest change after this one that asked the host to try again, where the host has heard of it.
    fn asked_again(&self) -> Option<u64> {
        let newest = self.known.manifest.hosts.get(self.name)?.retry;
        (newest > self.change && self.report.accepted >= Some(newest)).then_some(newest)
    }

    /// The first link that the host ended since it heard of the change, and before it heard of the one that asked again.
    fn ended(&self, asked: u64, again: Option<u64>) -> Option<Outcome> {
        let end = again.and_then(|again| self.results.accepted_at(again));
        let in_time = |time: u64| time >= asked && end.is_none_or(|end| time < end);
        let mut links = self.results.links.iter();
        let LinkResult { name, how, time } = links.find(|link| link.how != How::PassedOver && in_time(link.time))?;
        let (migration, at) = (name.clone(), Some(*time));
        Some(if *how == How::Adopted { Outcome::Adopted { migration, at } } else { Outcome::Done { migration, at } })
    }

    /// All of these are behind the host. The last that it ran says when that was.
    fn behind(&self, links: &[Link], host: &HostManifest) -> Outcome {
        let told: Vec<&LinkResult> = links.iter().filter_map(|link| self.results.of(&link.name)).collect();
        let last = |how| told.iter().rfind(|result| result.how == how);
        if let Some(result) = last(How::Adopted) {
            return Outcome::Adopted { migration: result.name.clone(), at: Some(result.time) };
        }
        if let Some(result) = last(How::Done) {
            return Outcome::Done { migration: result.name.clone(), at: Some(result.time) };
        }
        let mine = links.iter().rfind(|link| host.roles.contains(&link.role));
        match (last(How::PassedOver), mine) {
            (None, Some(link)) => Outcome::Done { migration: link.name.clone(), at: None },
            (passed, _) => Outcome::PassedOver { at: passed.map(|result| result.time) },
        }
    }

    fn failed(&self, is_it: impl Fn(&Failure) -> bool) -> Option<Outcome> {
        let Doing::Failed(failure) = &self.report.doing else { return None };
        is_it(failure).then(|| self.failed_since(failure, None))
    }

    /// What failed again at the same link fails since before the host heard of that try, as it says: not so this try.
    fn failed_since(&self, failure: &Failure, asked: Option<u64>) -> Outcome {
        let at = Some(self.report.since).filter(|since| *since > 0).map(|since| since.max(asked.unwrap_or_default()));
        let error = failure.error.lines().next().unwrap_or_default().to_owned();
        Outcome::Failed { migration: failure.name.clone(), at, error }
    }

    fn not_yet(&self) -> Outcome {
        match (self.is_away(), self.has_seen()) {
            (true, _) => Outcome::Away { since: self.report.time },
            (false, true) => Outcome::OnItsWay { doing: self.report.doing.to_string() },
            (false, false) => Outcome::NotSeen { seen: self.report.accepted },
        }
    }

    fn has_seen(&self) -> bool {
        self.report.accepted >= Some(self.change)
    }

    fn is_away(&self) -> bool {
        matches!(self.report.standing(self.known.now), Standing::Late { .. })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use wb_core::chain::Sha1;
    use wb_core::change::{Adoption, Canary, Identity};
    use wb_core::results::Acceptance;

    use super::*;
    use crate::known::tests::known;
    use crate::retry::tests::failed_at;

    /// A herd that was told to reach `page`, then, by change 12, `theme`. Hosts are as in [`known`], at change 12.
    fn herd(hosts: &str) -> (Manifest, Known, BTreeMap<String, Results>) {
        let mut known = known(hosts);
        let mut parent = known.manifest.clone();
        parent.target = Some(parent.chain.links()[1].sha1);
        known.manifest.number = 12;
        known.now = 10_000;
        for report in known.reports.values_mut() {
            (report.accepted, report.time) = (Some(12), 9_990);
        }
        (parent, known, BTreeMap::new())
    }

    fn results(known: &Known, host: &str, links: &[(usize, How)]) -> (String, Results) {
        let result = |(place, how): &(usize, How)| {
            let name = known.manifest.chain.links()[*place].name.clone();
            LinkResult { name, how: *how, time: 100 * (*place as u64) }
        };
        let accepted = vec![Acceptance { change: 12, time: 50 }];
        (host.to_owned(), Results { links: links.iter().map(result).collect(), accepted })
    }

    fn said(parent: &Manifest, known: &Known, results: &BTreeMap<String, Results>) -> Vec<String> {
        let outcomes = outcomes(&known.manifest, parent, known, results);
        let one = |host: &HostOutcome| format!("{}: {} ({})", host.called(), host.outcome, host.outcome.when());
        outcomes.iter().map(one).collect()
    }

    #[test]
    fn each_host_says_what_it_ran_and_when() {
        let (parent, known, mut told) = herd("db1@theme web1@theme web2@theme web3@theme");
        told.extend([
            results(&known, "db1", &[(2, How::Done), (3, How::PassedOver)]),
            results(&known, "web1", &[(2, How::PassedOver), (3, How::Adopted)]),
            results(&known, "web2", &[(2, How::PassedOver), (3, How::PassedOver)]),
        ]);
        let expect = [
            "db1: done: `tuning` (1970-01-01T00:03:20Z)",
            "web1: done by hand: `theme` (1970-01-01T00:05:00Z)",
            "web2: passed over (1970-01-01T00:05:00Z)",
            "web3: done: `theme` (not told)",
        ];
        assert_eq!(said(&parent, &known, &told), expect);
    }

    #[test]
    fn who_is_not_through_says_why() {
        let (parent, mut known, told) = herd("web1@page web2@tuning web3@page web4@page web5@page web6@?");
        let mut doing = |host: &str, doing| known.reports.get_mut(host).unwrap().doing = doing;
        doing("web1", failed_at("theme", Sha1::from_bytes([4; 20])));
        doing("web2", Doing::Running { link: "theme".into() });
        doing("web3", failed_at("older", Sha1::from_bytes([2; 20])));
        known.reports.get_mut("web1").unwrap().since = 60;
        known.reports.get_mut("web4").unwrap().accepted = Some(11);
        known.reports.get_mut("web5").unwrap().time = 60;
        let expect = [
            "web1: failed at `theme`: no luck (since 1970-01-01T00:01:00Z)",
            "web2: on its way: running `theme` ()",
            "web3: on its way: failed at `older` (0202020): no luck ()",
            "web4: not seen yet; it is at change 11 ()",
            "web5: away (since 1970-01-01T00:01:00Z)",
            "web6: unknown: no report of it counts ()",
        ];
        assert_eq!(said(&parent, &known, &told), expect);
    }

    #[test]
    fn a_change_that_brings_nothing_is_seen_or_not() {
        let (_, mut known, mut told) = herd("web1@theme web2@theme");
        let parent = known.manifest.clone();
        told.extend([results(&known, "web1", &[])]);
        known.reports.get_mut("web2").unwrap().accepted = None;
        assert_eq!(said(&parent, &known, &told), ["web1: seen (1970-01-01T00:00:50Z)", "web2: not seen yet ()"]);
    }

    #[test]
    fn who_is_asked_to_try_or_to_adopt_says_what_came_of_it() {
        let (_, mut known, mut told) = herd("web1@theme web2@page web3@theme web4@page");
        let (parent, theme) = (known.manifest.clone(), Sha1::from_bytes([4; 20]));
        let mut ask = |host: &str, retry: bool| {
            let entry = known.manifest.hosts.get_mut(host).unwrap();
            (entry.retry, entry.adopt) =
                if retry { (12, None) } else { (0, Some(Adoption { change: 12, link: theme })) };
        };
        ask("web1", true);
        ask("web2", true);
        ask("web3", false);
        ask("web4", false);
        for host in ["web2", "web4"] {
            let settings = settings_digest(&known.manifest.hosts[host]);
            known.reports.get_mut(host).unwrap().doing = failed_with(theme, settings);
        }
        known.reports.get_mut("web3").unwrap().by_hand = vec![theme];
        told.extend([results(&known, "web3", &[(3, How::Adopted)])]);
        let expect = [
            "web1: seen (not told)",
            "web2: failed at `theme`: no luck ()",
            "web3: done by hand: `theme` (1970-01-01T00:05:00Z)",
            "web4: failed at `theme`: no luck ()",
        ];
        assert_eq!(said(&parent, &known, &told), expect);
    }

    fn failed_with(link: Sha1, settings: Digest) -> Doing {
        let Doing::Failed(failure) = failed_at("theme", link) else { return Doing::UpToDate };
        Doing::Failed(Failure { settings, ..failure })
    }

    #[test]
    fn a_try_is_not_blamed_for_what_failed_before_or_after_it() {
        let (_, mut known, mut told) = herd("web1@page web2@page web3@tuning");
        let (parent, theme) = (known.manifest.clone(), Sha1::from_bytes([4; 20]));
        for host in ["web1", "web2", "web3"] {
            known.manifest.hosts.get_mut(host).unwrap().retry = 12;
            let settings = settings_digest(&known.manifest.hosts[host]);
            known.reports.get_mut(host).unwrap().doing = failed_with(theme, settings);
        }
        // The first failed before it had tried, the second at what it tried, the third at what comes after that.
        let before = settings_digest(&parent.hosts["web1"]);
        known.reports.get_mut("web1").unwrap().doing = failed_with(theme, before);
        told.extend([results(&known, "web2", &[]), results(&known, "web3", &[(2, How::Done)])]);
        let expect = [
            "web1: on its way: failed at `theme` (0404040): no luck ()",
            "web2: failed at `theme`: no luck ()",
            "web3: done: `tuning` (1970-01-01T00:03:20Z)",
        ];
        assert_eq!(said(&parent, &known, &told), expect);
    }

    /// What comes of a try that change 12 asked for, of which the host heard at 50 s. It does this since 40 s, has ended
    /// these links, and heard at that time that change 13 asked for one more.
    fn tried(doing: Doing, links: &[(usize, How)], again: Option<u64>) -> String {
        let (_, mut known, mut told) = herd("web1@page");
        let parent = known.manifest.clone();
        known.manifest.hosts.get_mut("web1").unwrap().retry = 12;
        let then = known.manifest.clone();
        told.extend([results(&known, "web1", links)]);
        let report = known.reports.get_mut("web1").unwrap();
        (report.doing, report.since) = (doing, 40);
        if let Some(time) = again {
            report.accepted = Some(13);
            known.manifest.number = 13;
            known.manifest.hosts.get_mut("web1").unwrap().retry = 13;
            told.get_mut("web1").unwrap().accepted.push(Acceptance { change: 13, time });
        }
        let outcome = &outcomes(&then, &parent, &known, &told)[0].outcome;
        format!("{outcome} ({})", outcome.when())
    }

    #[test]
    fn of_a_try_it_is_told_how_it_ended() {
        let (theme, host) = (Sha1::from_bytes([4; 20]), herd("web1@page").1.manifest.hosts["web1"].clone());
        let of = |retry| settings_digest(&HostManifest { retry, ..host.clone() });
        let check = |doing: Doing, links: &[(usize, How)], expect: &str| assert_eq!(tried(doing, links, None), expect);
        check(Doing::UpToDate, &[(3, How::Done)], "done: `theme` (1970-01-01T00:05:00Z)");
        check(Doing::UpToDate, &[(3, How::Adopted)], "done by hand: `theme` (1970-01-01T00:05:00Z)");
        check(Doing::UpToDate, &[(3, How::PassedOver)], "seen (1970-01-01T00:00:50Z)");
        let failed = "failed at `theme`: no luck (since 1970-01-01T00:00:50Z)";
        check(failed_with(theme, of(12)), &[], failed);
        check(failed_with(theme, Digest::of(b"other settings")), &[], failed);
        check(failed_with(theme, of(12)), &[(2, How::Done)], "done: `tuning` (1970-01-01T00:03:20Z)");
        check(failed_with(theme, of(0)), &[], "on its way: failed at `theme` (0404040): no luck ()");
        let running = || Doing::Running { link: "theme".into() };
        let rebooting = Doing::Rebooting { link: "theme".into(), trouble: None };
        check(running(), &[], "on its way: running `theme` ()");
        check(running(), &[(0, How::Done)], "on its way: running `theme` ()");
        check(rebooting, &[], "on its way: running `theme`, rebooting ()");
        check(Doing::waiting("for its turn"), &[], "on its way: waits: for its turn ()");
    }

    #[test]
    fn who_is_asked_once_more_has_failed_unless_a_link_ended_before_that() {
        let again = "failed again, and asked once more by change 13 ()";
        let done = "done: `theme` (1970-01-01T00:05:00Z)";
        assert_eq!(tried(Doing::Running { link: "theme".into() }, &[], Some(60)), again);
        assert_eq!(tried(Doing::UpToDate, &[(3, How::Done)], Some(60)), again);
        assert_eq!(tried(Doing::UpToDate, &[(3, How::Done)], Some(50)), again, "there was one try for both");
        assert_eq!(tried(Doing::UpToDate, &[(3, How::Done)], Some(400)), done);
    }

    #[test]
    fn of_a_try_of_long_ago_nothing_is_made_up() {
        let (_, mut known, told) = herd("web1@page");
        let parent = known.manifest.clone();
        known.manifest.hosts.get_mut("web1").unwrap().retry = 12;
        let then = known.manifest.clone();
        known.manifest.hosts.get_mut("web1").unwrap().retry = 900;
        let report = known.reports.get_mut("web1").unwrap();
        (report.accepted, report.doing) = (Some(900), Doing::Running { link: "theme".into() });
        assert_eq!(outcomes(&then, &parent, &known, &told)[0].outcome, Outcome::Seen { at: None });
    }

    #[test]
    fn where_canaries_bake_the_others_go_after_them() {
        let check = |now: u64, change: u64, expect: [&str; 2]| {
            let (parent, mut known, told) = herd("web1@theme web2@page");
            let (hosts, theme) = (["web1".to_owned()].into(), Sha1::from_bytes([4; 20]));
            known.manifest.target = parent.target;
            known.manifest.canary = Some(Canary { hosts, target: theme, change: 12, bake: Some(60) });
            known.reports.get_mut("web1").unwrap().since = 9_990;
            known.now = now;
            let then = known.manifest.clone();
            known.manifest.number = change;
            known.manifest.canary = known.manifest.canary.filter(|_| change == 12);
            let outcomes = outcomes(&then, &parent, &known, &told);
            let said: Vec<String> = outcomes.iter().map(|host| host.outcome.to_string()).collect();
            assert_eq!(said, expect, "{now}");
            outcomes.iter().filter(|host| host.outcome.is_over()).count()
        };
        let done = "done: `theme`";
        assert_eq!(check(10_000, 12, [done, "goes after the canaries"]), 1);
        assert_eq!(check(10_060, 12, [done, "on its way: up to date"]), 1);
        assert_eq!(check(10_000, 13, [done, "seen"]), 2);
    }

    #[test]
    fn hosts_have_other_names_now_or_are_gone() {
        let (parent, mut known, told) = herd("web1@theme web2@theme");
        let change = known.manifest.clone();
        let web1 = known.manifest.hosts.remove("web1").unwrap();
        known.manifest.hosts.insert("shop1".into(), web1);
        let report = known.reports.remove("web1").unwrap();
        known.reports.insert("shop1".into(), report);
        let identity = Some(Identity { uuid: Uuid::from_u128(99), key: String::new() });
        known.manifest.hosts.get_mut("web2").unwrap().identity = identity;
        let outcomes = outcomes(&change, &parent, &known, &told);
        let said: Vec<String> = outcomes.iter().map(|host| format!("{}: {}", host.called(), host.outcome)).collect();
        assert_eq!(said, ["web1, now shop1: done: `theme`", "web2: left the herd"]);
    }

    #[test]
    fn json_says_the_outcome_in_a_word() {
        let (parent, known, told) = herd("web1@theme");
        let said = serde_json::to_value(outcomes(&known.manifest, &parent, &known, &told)).unwrap();
        let expect = serde_json::json!([{"host": "web1", "outcome": "done", "migration": "theme", "at": null}]);
        assert_eq!(said, expect);
    }
}
