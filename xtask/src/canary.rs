//! Canaries: the hosts that go first. Whether they have passed, where they will stop because of others, and the change
//! that makes what they have everyone's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};
use wb_core::chain::{Link, Sha1};
use wb_core::change::{Canary, ChangeKind, Manifest};
use wb_core::plan::{Course, Lag, Past, has_baked, lagging, lagging_amid, leaves_for, passed_since};
use wb_core::report::{Report, Standing};

use crate::known::Known;

/// Why nothing is promoted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromoteError {
    /// No canaries go first now.
    #[error("no canaries go first now, so there is nothing to promote{}", target.as_ref().map(|link| format!(": everyone is told to reach {link}")).unwrap_or_default())]
    NothingPending {
        /// What everyone is told.
        target: Option<Box<Link>>,
    },
    /// Some canaries have not passed.
    #[error("the canaries have not passed yet: {}", listed(.0))]
    NotPassed(Vec<Behind>),
}

/// A canary that has not passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// Its name.
    pub host: String,
    /// Where it is and what it says; nothing where no report of it counts.
    pub says: Option<(Option<Link>, String)>,
}

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.says {
            None => write!(f, "`{}`, of which no report counts", self.host),
            Some((None, doing)) => write!(f, "`{}` at the start, {doing}", self.host),
            Some((Some(at), doing)) => write!(f, "`{}` at {at}, {doing}", self.host),
        }
    }
}

/// The manifest that tells everyone what the canaries were told. `early`: even before they have passed.
///
/// # Errors
/// When no canaries go first, or not all of them have passed.
pub fn promoting(known: &Known, early: bool, why: Option<&str>) -> Result<Manifest, PromoteError> {
    let before = &known.manifest;
    let Some(canary) = &before.canary else {
        return Err(PromoteError::NothingPending { target: before.target_link().cloned().map(Box::new) });
    };
    let behind = match has_baked(before, canary, &known.reports, known.now) {
        true => Vec::new(),
        false => behind(before, canary, &known.reports, known.now),
    };
    if !behind.is_empty() && !early {
        return Err(PromoteError::NotPassed(behind));
    }
    let mut message = before.chain.get(canary.target).map(ToString::to_string).unwrap_or_default();
    if !behind.is_empty() {
        let hosts: Vec<&str> = behind.iter().map(|behind| behind.host.as_str()).collect();
        message += &format!(", before {} had passed", hosts.join(", "));
    }
    message += &why.map(|why| format!(": {why}")).unwrap_or_default();
    Ok(Manifest { target: Some(canary.target), canary: None, message, ..before.next(ChangeKind::Promote) })
}

/// The newest manifest, before these hosts leave. Canaries that have baked made theirs everyone's, and that stays when one
/// of them goes.
#[must_use]
pub fn settled(known: &Known, leaving: &BTreeSet<String>) -> Manifest {
    let Known { manifest, reports, now, .. } = known;
    let canary = manifest.canary.as_ref().filter(|canary| !canary.hosts.is_disjoint(leaving));
    match canary.filter(|canary| has_baked(manifest, canary, reports, *now)) {
        Some(canary) => Manifest { target: Some(canary.target), canary: None, ..manifest.clone() },
        None => manifest.clone(),
    }
}

/// The canaries that have not passed.
#[must_use]
pub fn behind(manifest: &Manifest, canary: &Canary, reports: &BTreeMap<String, Report>, now: u64) -> Vec<Behind> {
    let hosts = canary.hosts.iter().filter(|host| manifest.hosts.contains_key(*host));
    let behind = hosts.filter_map(|host| {
        let report = reports.get(host);
        let has_passed = passed_since(manifest, canary, reports, host, now).is_some();
        let link = |state: Sha1| manifest.chain.get(state).cloned();
        let unheard = |report: &Report| match report.accepted.unwrap_or_default() < canary.change {
            true => format!(", and has not heard of change {} yet", canary.change),
            false => String::new(),
        };
        let doing = |report: &Report| format!("{}{}{}", report.doing, but(report, now), unheard(report));
        let says = || report.map(|report| (report.state.and_then(link), doing(report)));
        (!has_passed).then(|| Behind { host: host.clone(), says: says() })
    });
    behind.collect()
}

/// What else there is to say of a host that says that it is well.
fn but(report: &Report, now: u64) -> &'static str {
    match report.standing(now) {
        Standing::Fresh if report.drift.is_empty() => "",
        Standing::Fresh => ", drifted",
        Standing::Late { .. } | Standing::Ahead { .. } => ", and nobody has heard of it since",
    }
}

/// What a promotion comes to for hosts, a line each.
#[must_use]
pub fn follow(known: &Known, after: &Manifest) -> Vec<String> {
    let follow = after.hosts.keys().filter(|name| known.manifest.told(name) != after.told(name));
    let names: Vec<String> = follow.map(|name| format!("`{name}`")).collect();
    let target = after.target_link().map(ToString::to_string).unwrap_or_default();
    let line = (!names.is_empty()).then(|| format!("go to {target} too: {}", names.join(", ")));
    line.into_iter().collect()
}

/// Where a canary will stop, since a link waits for hosts that do not come so far before everyone follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// The canary.
    pub host: String,
    /// The link that it will not begin, or not end.
    #[serde(serialize_with = "name")]
    pub link: Link,
    /// Whether it begins the link, and waits in its code: when the time of that is over, it fails.
    pub amid: bool,
    /// Whom the link waits for.
    #[serde(serialize_with = "names")]
    pub lagging: Vec<Lag>,
    /// Whether it counts as passed there: it bears load, and none of these is a canary.
    pub passes: bool,
    /// Whether it bears load.
    #[serde(skip)]
    pub in_service: bool,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, link, amid, lagging, passes, in_service } = self;
        match amid {
            true => write!(f, "`{host}` will wait in the code of {link}, and fail when that takes too long, for ")?,
            false => write!(f, "`{host}` will stop before {link}, which waits for ")?,
        }
        write!(f, "{}: ", listed(lagging))?;
        match (passes, in_service) {
            (true, _) => write!(f, "in load there, it counts as passed"),
            (false, false) => write!(f, "it never was in load, so that only `cargo xtask promote --now` goes on"),
            (false, true) => {
                write!(f, "a canary among these stops too, so that only `cargo xtask promote --now` goes on")
            }
        }
    }
}

fn name<S: Serializer>(link: &Link, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&link.name)
}

fn names<S: Serializer>(lagging: &[Lag], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(lagging.iter().map(|lag| &lag.host))
}

/// The canaries that have no link to run on their way, so that they show nothing of what it does, by name.
#[must_use]
pub fn idle(manifest: &Manifest, reports: &BTreeMap<String, Report>) -> Vec<String> {
    let Some(canary) = &manifest.canary else { return Vec::new() };
    let runs = |name: &&String| run_from(manifest, canary, reports, name).is_some_and(|links| !links.is_empty());
    canary.hosts.iter().filter(|name| !runs(name)).cloned().collect()
}

/// The links that a canary runs on its way, as far as its report tells.
fn run_from<'m>(
    manifest: &'m Manifest,
    canary: &Canary,
    reports: &BTreeMap<String, Report>,
    name: &str,
) -> Option<Vec<&'m Link>> {
    let (host, state) = (manifest.hosts.get(name)?, reports.get(name).and_then(|report| report.state));
    let past = Past::told_by(&manifest.chain, &host.roles, state);
    let course = Course::new(manifest, Some(canary.target), host, &past);
    let end = manifest.chain.position(canary.target);
    let links = course.run_from(state).take_while(|link| manifest.chain.position(link.sha1) <= end);
    Some(links.filter_map(|link| manifest.chain.get(link.sha1)).collect())
}

/// Where canaries will stop, when everyone comes as far as they are told and nothing fails.
#[must_use]
pub fn stops(manifest: &Manifest, reports: &BTreeMap<String, Report>) -> Vec<Stop> {
    let Some(canary) = &manifest.canary else { return Vec::new() };
    let place = |state: Option<Sha1>| state.and_then(|state| manifest.chain.position(state));
    let mut expected = reports.clone();
    for (name, report) in &mut expected {
        let told = manifest.told(name);
        report.state = if place(told) > place(report.state) { told } else { report.state };
    }
    // Where one canary stops, another one may wait for it.
    let mut stops: Vec<Stop> = Vec::new();
    loop {
        let found: Vec<Stop> =
            canary.hosts.iter().filter_map(|host| stop(manifest, canary, reports, &expected, host)).collect();
        if found == stops {
            return stops;
        }
        for Stop { host, link, .. } in &found {
            let before = place(Some(link.sha1)).and_then(|place| place.checked_sub(1));
            let state = before.map(|place| manifest.chain.links()[place].sha1);
            expected.entry(host.clone()).and_modify(|report| report.state = state);
        }
        stops = found;
    }
}

fn stop(
    manifest: &Manifest,
    canary: &Canary,
    reports: &BTreeMap<String, Report>,
    expected: &BTreeMap<String, Report>,
    name: &str,
) -> Option<Stop> {
    let report = reports.get(name);
    let (in_service, announced) = report.map_or((false, None), |report| (report.in_service, report.announced));
    run_from(manifest, canary, reports, name)?.into_iter().find_map(|link| {
        let before = lagging(manifest, expected, name, link);
        // Who would leave load for a link waits before it for what its code waits for, too.
        let amid = before.is_empty() && !(in_service && leaves_for(&manifest.chain, announced, link));
        let lagging = if before.is_empty() { lagging_amid(manifest, expected, name, link) } else { before };
        let passes = in_service && !lagging.iter().any(|lag| canary.hosts.contains(&lag.host));
        let (host, link) = (name.to_owned(), link.clone());
        (!lagging.is_empty()).then_some(Stop { host, link, amid, lagging, passes, in_service })
    })
}

fn listed(all: &[impl fmt::Display]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use wb_core::chain::{Chain, Wait};
    use wb_core::report::{Baked, Doing};

    use super::*;
    use crate::known::tests::known;

    /// The herd, of which everyone is told to reach `page`, and these canaries `theme`.
    fn with_canaries(hosts: &str, canaries: &[&str]) -> Known {
        let mut known = known(hosts);
        let links = known.manifest.chain.links();
        let (page, theme) = (links[1].sha1, links[3].sha1);
        let hosts = canaries.iter().map(|host| (*host).to_owned()).collect();
        known.manifest.canary = Some(Canary { hosts, target: theme, change: 0, bake: None });
        known.manifest.target = Some(page);
        known
    }

    #[test]
    fn what_canaries_have_is_for_everyone_once_they_passed() {
        let check = |known: &Known, early, why, expect: Result<&str, &str>| {
            let said = promoting(known, early, why).map(|manifest| manifest.to_string());
            assert_eq!(said.map_err(|error| error.to_string()), expect.map(str::to_owned).map_err(str::to_owned));
        };
        let pending = with_canaries("db1@page web1@theme web2@page", &["web1"]);
        check(&pending, false, None, Ok("12 promote: `theme` (0404040)"));
        check(&pending, true, Some("it is well"), Ok("12 promote: `theme` (0404040): it is well"));
        let mut behind = with_canaries("db1@page web1@page web2@?", &["web1", "web2"]);
        behind.reports.get_mut("web1").unwrap().doing = Doing::Running { link: "theme".into() };
        let not_yet = "the canaries have not passed yet: `web1` at `page` (0202020), running `theme`; `web2`, of which no \
                       report counts";
        check(&behind, false, None, Err(not_yet));
        let early = "12 promote: `theme` (0404040), before web1, web2 had passed: a hole is open";
        check(&behind, true, Some("a hole is open"), Ok(early));
        let mut unheard = pending.clone();
        unheard.manifest.canary.as_mut().unwrap().change = 11;
        let not_yet = "the canaries have not passed yet: `web1` at `theme` (0404040), up to date, and has not heard of change \
                       11 yet";
        check(&unheard, false, None, Err(not_yet));
        let nothing =
            "no canaries go first now, so there is nothing to promote: everyone is told to reach `theme` (0404040)";
        check(&known("web1@page"), true, None, Err(nothing));
    }

    #[test]
    fn everyone_else_follows() {
        let pending = with_canaries("db1@page web1@theme web2@page", &["web1"]);
        let after = promoting(&pending, false, None).unwrap();
        assert_eq!((after.canary.clone(), after.follows(Some(&pending.manifest)).is_ok()), (None, true));
        assert_eq!(follow(&pending, &after), ["go to `theme` (0404040) too: `db1`, `web2`"]);
    }

    #[test]
    fn where_a_canary_will_stop_is_known_beforehand() {
        let check = |hosts: &str, canaries: &[&str], expect: &[&str]| {
            let known = with_canaries(hosts, canaries);
            let said: Vec<String> = stops(&known.manifest, &known.reports).iter().map(ToString::to_string).collect();
            assert_eq!(said, expect, "{hosts} {canaries:?}");
        };
        let waits = "`web1` will stop before `theme` (0404040), which waits for db1 at `page` (0202020): in load there, it \
                     counts as passed";
        check("db1@schema web1@page web2@page", &["web1"], &[waits]);
        check("db1@schema web1@page web2@page", &["db1", "web1"], &[]);
        check("db1@theme web1@page web2@page", &["web1"], &[]);
        check("db1@schema web1@page", &["db1"], &[]);
    }

    #[test]
    fn a_canary_that_never_was_in_load_does_not_pass_by_waiting() {
        let mut known = with_canaries("db1@schema web1@page web2@page", &["web1"]);
        known.reports.get_mut("web1").unwrap().in_service = false;
        let said: Vec<String> = stops(&known.manifest, &known.reports).iter().map(ToString::to_string).collect();
        let waits = "`web1` will stop before `theme` (0404040), which waits for db1 at `page` (0202020): it never was in \
                     load, so that only `cargo xtask promote --now` goes on";
        assert_eq!(said, [waits]);
    }

    #[test]
    fn where_a_canary_will_wait_in_code_is_known_beforehand_too() {
        let check = |in_load: bool, in_service: bool, expect: &str| {
            let mut known = with_canaries("db1@schema web1@page web2@page", &["web1"]);
            known.reports.get_mut("web1").unwrap().in_service = in_service;
            let mut links = known.manifest.chain.links().to_vec();
            links[3].inside = links[3].wait.take().into_iter().collect();
            links[3].in_load = in_load;
            known.manifest.chain = Chain::new(links).unwrap();
            let said: Vec<String> = stops(&known.manifest, &known.reports).iter().map(ToString::to_string).collect();
            assert_eq!(said, [expect], "{in_load} {in_service}");
        };
        let before = "`web1` will stop before `theme` (0404040), which waits for db1 at `page` (0202020): in load there, \
                      it counts as passed";
        let waits = "`web1` will wait in the code of `theme` (0404040), and fail when that takes too long, for db1 at \
                     `page` (0202020): ";
        check(false, true, before);
        check(true, true, &format!("{waits}in load there, it counts as passed"));
        check(false, false, &format!("{waits}it never was in load, so that only `cargo xtask promote --now` goes on"));
    }

    #[test]
    fn canaries_that_have_nothing_to_run_are_named() {
        let check = |canaries: &[&str], expect: &[&str]| {
            let known = with_canaries("db1@tuning web1@page", canaries);
            assert_eq!(idle(&known.manifest, &known.reports), expect, "{canaries:?}");
        };
        check(&["web1", "db1"], &["db1"]);
        check(&["web1"], &[]);
    }

    #[test]
    fn what_has_baked_stays_when_a_canary_leaves_and_needs_no_haste_to_be_promoted() {
        let mut known = with_canaries("db1@page web1@theme web2@page", &["web1"]);
        let canary = known.manifest.canary.as_mut().unwrap();
        (canary.bake, canary.change) = (Some(60), 5);
        known.reports.get_mut("web1").unwrap().doing = Doing::stopped("no disk");
        let leaving = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(settled(&known, &leaving(&["web1"])), known.manifest);
        assert!(promoting(&known, false, None).is_err());
        known.reports.get_mut("web2").unwrap().baked = Some(Baked { change: 5, at: 0 });
        assert_eq!(settled(&known, &leaving(&["web2"])), known.manifest);
        let after = settled(&known, &leaving(&["web1"]));
        assert_eq!((after.target, after.canary), (known.manifest.canary.as_ref().map(|canary| canary.target), None));
        assert!(promoting(&known, false, None).is_ok());
    }

    #[test]
    fn a_canary_that_waits_for_one_that_stops_does_not_pass() {
        let mut known = with_canaries("db1@page web1@page cache1@page", &["web1", "cache1"]);
        let (last, mut links) = (Sha1::from_bytes([5; 20]), known.manifest.chain.links().to_vec());
        links.push(Link { wait: Some(Wait::all("web")), ..Link::new("last", last, "cache", links[0].digest) });
        known.manifest.chain = Chain::new(links).unwrap();
        known.manifest.canary.as_mut().unwrap().target = last;
        known.manifest.hosts.get_mut("cache1").unwrap().roles = ["cache".to_owned()].into();
        let said: Vec<String> = stops(&known.manifest, &known.reports).iter().map(ToString::to_string).collect();
        let cache1 = "`cache1` will stop before `last` (0505050), which waits for web1 at `tuning` (0303030): a canary among \
                      these stops too, so that only `cargo xtask promote --now` goes on";
        assert_eq!(said[0], cache1);
        assert!(said[1].starts_with("`web1` will stop before `theme` (0404040), which waits for db1"), "{said:?}");
    }

    #[test]
    fn json_names_what_it_is() {
        let known = with_canaries("db1@schema web1@page", &["web1"]);
        let said = serde_json::to_value(stops(&known.manifest, &known.reports)).unwrap();
        let whom = ["db1"];
        let stop = serde_json::json!({"host": "web1", "link": "theme", "amid": false, "lagging": whom, "passes": true});
        assert_eq!(said, serde_json::json!([stop]));
    }
}
