//! The one way in for inputs of each kind: they go to the code that reads them on a host or at an operator's, on to the
//! code that decides by what was read, and what comes of it is held to what must be true whatever was given.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use wb_core::Uuid;
use wb_core::agent::identity::{Foreign, Grace, Moment, TakingOver, Verdict, branch, has, judge, next};
use wb_core::agent::pace::{Outcome, Polls, Turn, after};
use wb_core::agent::{Notices, Record};
use wb_core::chain::{Chain, Lock, Sha1};
use wb_core::change::{HostManifest, Identity, Manifest};
use wb_core::herd::Herd;
use wb_core::plan::deadlock::deadlocks;
use wb_core::plan::{Course, Onward, Past, Plan, Situation, Wanted, adoption_due, plan, settings_digest};
use wb_core::pool::{Claim, Pool};
use wb_core::registry::{AllowedSigners, Commit, RefName, parse_push};
use wb_core::report::{Report, serving};
use wb_core::results::{Acceptance, Results};
use wb_core::runner::{HostConfig, platform};

use super::super::chance::Chance;
use super::draw::Draw;
use super::kind::Kind;
use crate::herd_file::{place_of_role, with_name, with_roles};
use crate::known::Known;
use crate::shell::Canvas;
use crate::status::HerdStatus;

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was read.
    Accepted,
    /// It was refused.
    Refused,
}

/// Something that must be true of every input, and is not.
pub type Untrue = String;

/// Gives an input to the code that reads it.
///
/// # Errors
/// What is not true of it.
pub fn examine(kind: Kind, input: &[u8]) -> Result<Fate, Untrue> {
    let mut draw = Draw(Chance(input.iter().fold(0, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)))));
    let text = String::from_utf8_lossy(input);
    match kind {
        Kind::Push => push(&text),
        Kind::Ref => name(&text),
        Kind::Commit => commit(input),
        Kind::Manifest => read(Manifest::decode(&text), |manifest| self::manifest(manifest, &mut draw)),
        Kind::Report => read(Report::decode(&text), |report| self::report(report, &mut draw)),
        Kind::Results => results(&text),
        Kind::Pool => read(Pool::decode(&text), |pool| self::pool(pool, &mut draw)),
        Kind::Key => key(&text),
        Kind::Chain => read(serde_json::from_str(&text), chain),
        Kind::Lock => read(Lock::parse(&text), |lock| same(lock, Lock::parse(&lock.to_string()))),
        Kind::Herd => read(Herd::parse(&text), |herd| self::herd(herd, &text)),
        Kind::Host => read(HostConfig::parse(&text), |config| host(config, &mut draw)),
        Kind::Record => read(Record::decode(Path::new(RECORD), input), |record| self::record(record, &mut draw)),
        Kind::Notices => read(serde_json::from_slice(input), |notices| self::notices(notices, &mut draw)),
    }
}

/// As [`examine`], for fuzzers that know of panics only.
///
/// # Panics
/// When something is not true of the input.
pub fn fuzz(kind: Kind, input: &[u8]) -> Fate {
    match examine(kind, input) {
        Ok(fate) => fate,
        Err(what) => panic!("{kind}: {what}"),
    }
}

/// A valid input, drawn, whose reader finds in it what was written into it.
///
/// # Errors
/// When its reader finds something else.
pub fn valid(kind: Kind, draw: &mut Draw) -> Result<Vec<u8>, Untrue> {
    let text = match kind {
        Kind::Push => draw.push(),
        Kind::Ref => written(&draw.reference(), |name| name.to_string(), str::parse)?,
        Kind::Commit => draw.commit(),
        Kind::Manifest => written(&draw.manifest(), Manifest::encode, Manifest::decode)?,
        Kind::Report => written(&draw.report(), Report::message, |text| Report::decode(body(text)))
            .map(|message| body(&message).to_owned())?,
        Kind::Results => written(&draw.results(), Results::encode, |text| Ok::<_, Untrue>(Results::decode(text)))?,
        Kind::Pool => written(&draw.pool(), |pool| pool.message("web"), |text| Pool::decode(body(text)))
            .map(|message| body(&message).to_owned())?,
        Kind::Key => draw.key(),
        Kind::Chain => written(&draw.chain(), json, |text| serde_json::from_str(text))?,
        Kind::Lock => written(&draw.lock(), ToString::to_string, Lock::parse)?,
        Kind::Herd => written(&draw.herd(), toml, Herd::parse)?,
        Kind::Host => written(&draw.config(), toml, HostConfig::parse)?,
        Kind::Record => {
            let encoded = |record: &Record| record.encode(Path::new(RECORD)).unwrap_or_default();
            let text = |record: &Record| String::from_utf8_lossy(&encoded(record)).into_owned();
            written(&draw.record(), text, |text| Record::decode(Path::new(RECORD), text.as_bytes()))?
        }
        Kind::Notices => written(&draw.notices(), json, |text| serde_json::from_str(text))?,
    };
    Ok(text.into_bytes())
}

const RECORD: &str = "/var/lib/wildebeest/record.json";

fn written<T: PartialEq + Debug, E: Debug>(
    value: &T,
    encode: impl FnOnce(&T) -> String,
    decode: impl FnOnce(&str) -> Result<T, E>,
) -> Result<String, Untrue> {
    let text = encode(value);
    match decode(&text) {
        Ok(found) if found == *value => Ok(text),
        found => Err(format!("what was written is not what is read: {value:?} is {found:?}")),
    }
}

fn same<T: PartialEq + Debug, E: Debug>(value: &T, again: Result<T, E>) -> Result<(), Untrue> {
    match again {
        Ok(again) if again == *value => Ok(()),
        again => Err(format!("once written again it is not what it was: {value:?} is {again:?}")),
    }
}

fn held(is_true: bool, what: &str) -> Result<(), Untrue> {
    if is_true { Ok(()) } else { Err(what.to_owned()) }
}

fn read<T, E: std::fmt::Display>(
    read: Result<T, E>,
    check: impl FnOnce(&T) -> Result<(), Untrue>,
) -> Result<Fate, Untrue> {
    match read {
        Ok(value) => check(&value).map(|()| Fate::Accepted),
        Err(error) => held(!error.to_string().is_empty(), "it is refused without a word").map(|()| Fate::Refused),
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn toml(value: &impl serde::Serialize) -> String {
    toml::to_string(value).unwrap_or_default()
}

/// What follows the first empty line of a message.
fn body(message: &str) -> &str {
    message.split_once("\n\n").map_or("", |(_, body)| body)
}

fn push(text: &str) -> Result<Fate, Untrue> {
    let lines = parse_push(text);
    held(lines.len() <= text.lines().count(), "there are more refs than lines")?;
    held(lines.iter().all(|line| !line.name.contains(['\t', '\n'])), "a ref has a tab in its name")?;
    Ok(if lines.is_empty() { Fate::Refused } else { Fate::Accepted })
}

fn name(text: &str) -> Result<Fate, Untrue> {
    match text.parse::<RefName>() {
        Ok(name) => held(name.to_string() == text, "two names are one ref").map(|()| Fate::Accepted),
        Err(()) => Ok(Fate::Refused),
    }
}

fn commit(input: &[u8]) -> Result<Fate, Untrue> {
    let Ok(commit) = Commit::parse(Sha1::ZERO, input) else { return Ok(Fate::Refused) };
    if let Some(payload) = commit.payload() {
        let signed = Commit::parse(Sha1::ZERO, payload).map_err(|error| format!("what is signed is none: {error}"))?;
        let says = |commit: &Commit| (commit.tree(), commit.parents.clone(), commit.message.clone());
        held(says(&signed) == says(&commit), "it says something else than what is signed")?;
        held(signed.payload().is_none(), "what is signed is signed itself")?;
    }
    held(!commit.subject().contains('\n'), "the subject has more than a line")?;
    held(commit.message.ends_with(commit.body()), "the body is none of the message")?;
    Ok(Fate::Accepted)
}

fn manifest(manifest: &Manifest, draw: &mut Draw) -> Result<(), Untrue> {
    same(manifest, Manifest::decode(&manifest.encode()))?;
    held(!manifest.to_string().contains('\n'), "its subject has more than a line")?;
    let other = draw.manifest();
    if manifest.follows(Some(&other)).is_ok() {
        held(manifest.chain.extends(&other.chain), "it follows a chain that it does not continue")?;
        held(manifest.number > other.number, "it follows what has a higher number")?;
    }
    let child = Manifest { number: manifest.number.saturating_add(1), ..manifest.clone() };
    held(child.follows(Some(manifest)).is_ok() == (manifest.number < u64::MAX), "what repeats it does not follow")?;
    let reports = reports(manifest, draw);
    status(manifest, &reports, draw)?;
    let roles = manifest.hosts.iter().map(|(name, host)| (name.clone(), host.roles.clone())).collect();
    let deadlocks = deadlocks(&manifest.chain, &roles, &BTreeMap::new());
    held(deadlocks.iter().all(|deadlock| !deadlock.cycle.is_empty()), "nobody waits in a deadlock")?;
    for (name, host) in &manifest.hosts {
        let elsewhere = HostManifest { identity: None, ..host.clone() };
        held(settings_digest(&elsewhere) == settings_digest(host), "another machine has other settings")?;
        held(manifest.view(name).members.len() <= manifest.hosts.len(), "a host sees hosts that are none")?;
        held(
            host.roles.iter().all(|role| manifest.limit(role, &serving(&reports)) > 0),
            "a role can never be updated",
        )?;
        for state in states(&manifest.chain, draw) {
            let past = Past::told_by(&manifest.chain, &host.roles, state);
            let course = Course::new(manifest, manifest.told(name), host, &past);
            if let Some(wanted @ Wanted::Newest(_)) = Wanted::of(manifest, &platform(), &course, state) {
                held(wanted.fits(manifest, &manifest.chain), "the newest runner is not fit for its own chain")?;
            }
            let onward = course.onward(course.next(state), None);
            held(!matches!(onward, Onward::PassOver(_)), "a link that it runs next is passed over")?;
            let due = state.and_then(|state| adoption_due(host, 0, state));
            held(due.is_none_or(|change| change > 0), "what no change says is adopted")?;
            plans(manifest, draw, state, &past, &reports)?;
        }
    }
    Ok(())
}

/// No state, one of the chain, and one of another.
fn states(chain: &Chain, draw: &mut Draw) -> [Option<Sha1>; 3] {
    let links: Vec<Sha1> = chain.links().iter().map(|link| link.sha1).collect();
    [None, draw.0.of(&links), Some(Sha1::from_bytes([0xee; 20]))]
}

fn reports(manifest: &Manifest, draw: &mut Draw) -> BTreeMap<String, Report> {
    let names = manifest.hosts.keys().filter(|_| draw.0.one_in(2)).cloned().collect::<Vec<_>>();
    let report = |draw: &mut Draw| {
        let state = states(&manifest.chain, draw);
        Report { state: draw.0.of(&state).flatten(), ..draw.report() }
    };
    names.into_iter().map(|name| (name, report(draw))).collect()
}

/// What an operator sees of it, and what programs do.
fn status(manifest: &Manifest, reports: &BTreeMap<String, Report>, draw: &mut Draw) -> Result<(), Untrue> {
    let known = Known {
        manifest: manifest.clone(),
        reports: reports.clone(),
        pools: pools(draw),
        damaged: damaged(draw),
        remote: draw.text(),
        now: 1_750_000_000,
        ..Known::default()
    };
    let status = HerdStatus::of(&known, BTreeSet::new());
    let page = status.page(true, &Canvas::default());
    held(page.chars().all(|c| c == '\n' || !c.is_control()), "the page moves the cursor")?;
    let is_sample = |line: &str| {
        let value = line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<u64>().is_ok());
        line.starts_with('#') || (line.starts_with("wildebeest_") && value)
    };
    held(status.metrics().lines().all(is_sample), "the metrics have a line that is none")
}

fn pools(draw: &mut Draw) -> BTreeMap<String, Pool> {
    [(draw.role(), draw.pool()), (draw.role(), draw.pool())].into()
}

fn damaged(draw: &mut Draw) -> BTreeMap<String, String> {
    let role = draw.0.one_in(4).then(|| (draw.role(), draw.text()));
    role.into_iter().collect()
}

fn results(text: &str) -> Result<Fate, Untrue> {
    let results = Results::decode(text);
    same(&results, Ok::<_, Untrue>(Results::decode(&results.encode())))?;
    for link in &results.links {
        held(results.of(&link.name).is_some(), "a link that is told of is not found")?;
    }
    for Acceptance { change, .. } in &results.accepted {
        held(results.accepted_at(*change).is_some(), "a change that is told of is not found")?;
    }
    Ok(if results == Results::default() { Fate::Refused } else { Fate::Accepted })
}

fn plans(
    manifest: &Manifest,
    draw: &mut Draw,
    state: Option<Sha1>,
    past: &Past,
    reports: &BTreeMap<String, Report>,
) -> Result<(), Untrue> {
    let (pools, damaged) = (pools(draw), damaged(draw));
    let place = |sha1: Option<Sha1>| sha1.and_then(|sha1| manifest.chain.position(sha1));
    let target = place(manifest.target).max(place(manifest.canary.as_ref().map(|canary| canary.target)));
    let uuids: Vec<Uuid> = manifest.hosts.values().filter_map(|host| Some(host.identity.as_ref()?.uuid)).collect();
    for in_service in [false, true] {
        let next = plan(&Situation {
            manifest: Some(manifest),
            uuid: draw.0.of(&uuids).unwrap_or(Uuid::nil()),
            state,
            past,
            announced: states(&manifest.chain, draw)[1],
            in_service,
            compiled: &manifest.chain,
            reports,
            serving: &serving(reports),
            pools: &pools,
            damaged: &damaged,
            now: draw.number(),
        });
        match next {
            Plan::Leg { claim, until } => {
                held(place(Some(until.sha1)) <= target, "a leg goes past the target")?;
                held(place(Some(until.sha1)) > place(state), "a leg goes back")?;
                held(in_service || claim.is_empty(), "who was never in service claims a place")?;
            }
            Plan::PassOver(links) => held(
                links.iter().all(|link| place(Some(link.sha1)) <= target && place(Some(link.sha1)) > place(state)),
                "links are passed over that are not next",
            )?,
            Plan::Regain(link) => held(past.passed.contains(&link.sha1), "it goes back to what it did not pass over")?,
            Plan::Wait(wait) => held(!wait.to_string().is_empty(), "it waits without a word")?,
            Plan::Stop(stop) => held(!stop.to_string().is_empty(), "it stops without a word")?,
            Plan::UpToDate | Plan::EnterService => held(target.is_some(), "it is at a target that there is not")?,
        }
    }
    Ok(())
}

fn report(report: &Report, draw: &mut Draw) -> Result<(), Untrue> {
    same(report, Report::decode(body(&report.message())))?;
    let found = draw.sha1();
    for _ in 0..3 {
        judged(&draw.record(), found, Some(report), draw)?;
    }
    for uptime in [Duration::ZERO, Duration::from_secs(draw.number()), Duration::MAX] {
        let begun = Moment { boot_id: "this".into(), uptime };
        let taking_over = TakingOver { since: Some(begun.clone()), ..TakingOver::from(report) };
        held(taking_over.at(&begun) == Grace::Runs, "nobody gets time to object")?;
    }
    let after = next(&report.lines);
    held(report.lines.first().is_none_or(|place| has(&after, place)), "the next report does not come after it")?;
    held(branch(&report.lines).len() <= wb_core::report::LINES, "the lines grow without end")?;
    let mut manifest = draw.manifest();
    let host = manifest.hosts.entry("web1".into()).or_default();
    host.identity = Some(Identity { uuid: report.uuid, key: report.key.clone() });
    let reports = [("web1".to_owned(), report.clone())].into();
    status(&manifest, &reports, draw)?;
    plans(&manifest, draw, None, &Past::default(), &reports)
}

fn pool(pool: &Pool, draw: &mut Draw) -> Result<(), Untrue> {
    same(pool, Pool::decode(body(&pool.message("web"))))?;
    let (uuid, limit) = (draw.uuid(), 1 + draw.0.below(3));
    let claim = Claim { host: "web1".into(), uuid, nonce: Uuid::from_u128(100), since: 0 };
    match pool.claim(claim, limit, draw.number(), Uuid::nil()) {
        Ok(claimed) => {
            held(claimed.holders.len() <= limit, "more are out than may be")?;
            held(claimed.holds(Uuid::from_u128(100)), "a claim that was made does not stand")?;
        }
        Err(no) => held(!no.to_string().is_empty(), "there is no place, without a word")?,
    }
    let others = pool.holders.iter().filter(|holder| holder.nonce != uuid).count();
    held(pool.release(uuid, Uuid::nil()).holders.len() == others, "a release touches others")?;
    let manifest = draw.manifest();
    let counting = pool.counting(&manifest);
    held(counting.holders.iter().all(|holder| manifest.host_of(holder.uuid).is_some()), "who left holds a place")
}

/// No key brings more than a line among the signers, and none for somebody else.
fn key(text: &str) -> Result<Fate, Untrue> {
    let signers = AllowedSigners::one("host", text);
    let Some(line) = signers.text().strip_suffix('\n') else {
        return held(signers.text().is_empty(), "a line has no end").map(|()| Fate::Refused);
    };
    let words: Vec<&str> = line.split(' ').collect();
    held(words.len() == 3 && words[0] == "host", "a key is more than a key")?;
    held(!line.contains(|c: char| c.is_control() || c == '"'), "a key has what ssh-keygen may take for more")?;
    Ok(Fate::Accepted)
}

fn chain(chain: &Chain) -> Result<(), Untrue> {
    same(chain, serde_json::from_str(&json(chain)))?;
    held(chain.extends(chain), "a chain does not continue itself")?;
    for link in chain.links() {
        let (until, after) = (chain.until(link.sha1), chain.after(Some(link.sha1)));
        let many = until.map_or(0, |until| until.links().len()) + after.map_or(0, <[_]>::len);
        held(many == chain.links().len(), "what is before and after a link is not all")?;
        chain.standing_for(link.sha1).count();
    }
    held(
        chain.baselines().all(|(_, span)| *span.end() < chain.links().len()),
        "a baseline stands for what is not there",
    )
}

fn herd(herd: &Herd, text: &str) -> Result<(), Untrue> {
    if let Ok(written) = toml::to_string(herd) {
        same(herd, Herd::parse(&written))?;
    }
    for (name, host) in &herd.hosts {
        for role in &host.roles {
            let place = place_of_role(text, name, role);
            held(place.is_none_or(|(line, _)| line <= text.lines().count()), "a role stands where nothing is")?;
        }
        let roles = ["other".to_owned()].into();
        let edited = with_roles(text, name, &roles).map_err(|error| format!("roles can't be edited: {error}"))?;
        let edited = Herd::parse(&edited).map_err(|error| format!("once edited it is broken: {error}"))?;
        held(edited.hosts.get(name).is_some_and(|host| host.roles == roles), "roles are not what they were edited to")?;
        drop(with_name(text, name, "another"));
    }
    Ok(())
}

fn host(config: &HostConfig, draw: &mut Draw) -> Result<(), Untrue> {
    same(config, HostConfig::parse(&toml(config)))?;
    let polls = Polls { host: config.uuid, every: config.poll, peers: usize::MAX };
    let phase = draw.record().phase;
    for outcome in [Outcome::More, Outcome::Rest, Outcome::Overtaken, Outcome::Kept, Outcome::Failed, Outcome::Stuck] {
        let (ended, took) = (Duration::from_secs(draw.number()), Duration::from_secs(draw.number()));
        let failures = draw.0.below(100) as u32;
        let pause = after(&phase, outcome, failures, polls, Turn { ended, took }, draw.number());
        held(pause <= config.poll.max(Duration::from_secs(600)), "it does not look again")?;
    }
    Ok(())
}

fn record(record: &Record, draw: &mut Draw) -> Result<(), Untrue> {
    let path = Path::new(RECORD);
    same(record, record.encode(path).and_then(|bytes| Record::decode(path, &bytes)))?;
    let (past, manifest, reports) = (record.past(), draw.manifest(), BTreeMap::new());
    held(record.by_hand().len() <= record.links.len() + record.ahead.len(), "more is done by hand than is done")?;
    for report in [None, Some(&draw.report())] {
        judged(record, draw.sha1(), report, draw)?;
    }
    if let Some(taking_over) = &record.taking_over {
        let boot_id = taking_over.since.as_ref().map_or_else(String::new, |since| since.boot_id.clone());
        let grace = taking_over.at(&Moment { boot_id, uptime: Duration::from_secs(60) });
        held(taking_over.grace > 60 || grace != Grace::Runs || taking_over.since.is_some(), "its time never begins")?;
    }
    let place = record.reports.lines.first();
    held(place.is_none_or(|place| has(&next(&record.reports.lines), place)), "the next report does not come after")?;
    for host in manifest.hosts.values() {
        let course = Course::new(&manifest, manifest.target, host, &past);
        let onward = course.onward(None, record.phase.held().map(|held| &held.roles[..]));
        held(onward == Onward::End, "a leg goes on after its end")?;
    }
    plans(&manifest, draw, record.state(), &past, &reports)
}

fn judged(record: &Record, found: Sha1, report: Option<&Report>, draw: &mut Draw) -> Result<(), Untrue> {
    let verdict = judge(found, report, record, &draw.incarnation());
    let is_open = record.contested.is_none() && !report.is_some_and(|report| report.contested);
    held(is_open || verdict == Verdict::Foreign(Foreign::Contested), "what is contested is somebody's")?;
    held(verdict != Verdict::TakeOver || report.is_some(), "an identity is taken over from nobody")
}

fn notices(notices: &Notices, draw: &mut Draw) -> Result<(), Untrue> {
    same(notices, serde_json::from_str(&json(notices)))?;
    if let Some(away) = &notices.away {
        held(!away.lasted(draw.number()).is_empty(), "it says nothing of how long")?;
    }
    Ok(())
}
