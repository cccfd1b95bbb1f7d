//! Verifying: whether what this host completed still holds, as the specs say.
//!
//! The specs of a link hold from when the host completed it, by running it or by hand, for as long as the host has the
//! link's role and the runner has its code: as they stand in this runner, since the record does not keep older ones. No
//! later link takes them back: a link that makes an older spec untrue comes with an amendment of the older link.
//!
//! The specs of a role hold on each host that has it: from the link on in whose file they stand, whoever ran that. What
//! stands in no link's file is a promise of the end of this runner's chain: it may ask for what the last link of that
//! brings about. So it is asked of hosts that have no link of the chain left to run, and of no others, however far the
//! herd was told to go: they would wait out of load for what is not to come yet. Only whom it kept out of load already is
//! still asked when more links come: it runs these, and bears no load unfit before.

use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;

use super::run::guarded;
use super::{Agent, How, LinkRecord, Record};
use crate::chain::{Link, Sha1};
use crate::context::{Context, HerdView, MemoryJournal, Mode, Spec};
use crate::plan::Course;
use crate::report::named;
use crate::runner::Catalog;
use crate::system::System;
use crate::system::fault::{self, Subject};

/// What a spec said of this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The name of the link in whose file it stands; nothing where that is no link's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// That link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha1: Option<Sha1>,
    /// The role that it is of; nothing: it is the link's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// The spec's name.
    pub spec: &'static str,
    /// Why it does not hold, with its causes; nothing: it holds.
    pub error: Option<String>,
}

/// A spec of a role of this host that is not asked of it yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Later {
    /// The role.
    pub role: Option<&'static str>,
    /// The spec's name.
    pub spec: &'static str,
    /// The name of the link from which on it is asked.
    pub link: String,
    /// That link.
    pub sha1: Sha1,
}

/// A spec that is to hold on this host.
#[derive(Debug, Clone)]
pub(crate) struct Promise {
    /// The link in whose file it stands.
    link: Option<(String, Sha1)>,
    pub(super) spec: &'static Spec,
}

/// A spec of a role of a host.
struct OfRole<'c> {
    spec: &'static Spec,
    /// The link in whose file it stands.
    link: Option<&'c Link>,
    /// The link from which on it is asked, where the host has not that behind it.
    awaits: Option<&'c Link>,
}

/// How long the commands of one spec may take as a whole. The agent hears of nothing meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks all specs that are to hold on this host, in the order in which it came to their links. They only look.
#[must_use]
pub fn all(agent: &Agent<'_>, catalog: &Catalog, system: &System) -> Vec<Verdict> {
    let herd = agent.view();
    let promises = promises(catalog, &agent.record(), &roles(&herd));
    promises.iter().map(|promise| promise.verdict(system, &herd)).collect()
}

/// The specs of the roles of this host that are not asked of it yet.
#[must_use]
pub fn later(agent: &Agent<'_>, catalog: &Catalog) -> Vec<Later> {
    later_of_roles(catalog, &agent.record(), &roles(&agent.view()))
}

fn later_of_roles(catalog: &Catalog, record: &Record, roles: &BTreeSet<String>) -> Vec<Later> {
    let specs = of_roles(catalog, record, roles).into_iter();
    let later = specs.filter_map(|OfRole { spec, awaits, .. }| {
        let Link { name, sha1, .. } = awaits?;
        Some(Later { role: spec.role, spec: spec.name, link: name.clone(), sha1: *sha1 })
    });
    later.collect()
}

/// The specs that are to hold on a host with this record and these roles: those of links, then those of roles.
pub(crate) fn promises(catalog: &Catalog, record: &Record, roles: &BTreeSet<String>) -> Vec<Promise> {
    let links = completed(record).filter_map(|done| catalog.chain().get(done.sha1));
    let mine = links.filter(|link| roles.contains(&link.role) && !link.gone);
    let of_links = mine.flat_map(|link| catalog.specs_of(&link.name).map(move |spec| Promise::of(Some(link), spec)));
    of_links.chain(promises_of_roles(catalog, record, roles)).collect()
}

/// The links that a host completed, by running them or by hand.
fn completed(record: &Record) -> impl Iterator<Item = &LinkRecord> {
    record.links.iter().chain(&record.ahead).filter(|link| link.how != How::PassedOver)
}

/// The specs in the file of a link that are to hold on a host of these roles that has it behind it.
pub(crate) fn promises_since(catalog: &Catalog, link: &Link, roles: &BTreeSet<String>) -> Vec<Promise> {
    let of_link = catalog.specs_of(&link.name).filter(|_| roles.contains(&link.role));
    let mine = catalog.specs_of_roles().filter(|(spec, _)| spec.role.is_some_and(|role| roles.contains(role)));
    let begins = mine.filter(|(_, since)| since.is_some_and(|since| since.sha1 == link.sha1));
    of_link.chain(begins.map(|(spec, _)| spec)).map(|spec| Promise::of(Some(link), spec)).collect()
}

/// The specs of roles that are to hold on a host with this record, which has these roles and no others.
pub(super) fn promises_of_roles(catalog: &Catalog, record: &Record, roles: &BTreeSet<String>) -> Vec<Promise> {
    let due = of_roles(catalog, record, roles).into_iter().filter(|spec| spec.awaits.is_none());
    due.map(|OfRole { spec, link, .. }| Promise::of(link, spec)).collect()
}

/// The specs of roles that kept a host with this record out of load, and that await a link now which came since.
pub(super) fn promises_that_kept_out(catalog: &Catalog, record: &Record, roles: &BTreeSet<String>) -> Vec<Promise> {
    let awaiting = of_roles(catalog, record, roles).into_iter().filter(|spec| spec.awaits.is_some());
    let promises = awaiting.map(|OfRole { spec, link, .. }| Promise::of(link, spec));
    promises.filter(|promise| record.kept_out_by.contains(&promise.named())).collect()
}

fn of_roles<'c>(catalog: &'c Catalog, record: &Record, roles: &'c BTreeSet<String>) -> Vec<OfRole<'c>> {
    let is_behind = |link: &Link| record.links.iter().chain(&record.ahead).any(|behind| behind.sha1 == link.sha1);
    let last = last_to_run(catalog, record, roles);
    let mine = catalog.specs_of_roles().filter(|(spec, _)| spec.role.is_some_and(|role| roles.contains(role)));
    let with_place = mine.map(|(spec, link)| match link {
        Some(begins) => OfRole { spec, link, awaits: (!is_behind(begins)).then_some(begins) },
        None => OfRole { spec, link, awaits: last },
    });
    with_place.collect()
}

/// The last link of this runner's chain that a host of these roles has still to run, however far the herd was told to go.
fn last_to_run<'c>(catalog: &'c Catalog, record: &Record, roles: &'c BTreeSet<String>) -> Option<&'c Link> {
    let chain = catalog.chain();
    let course = Course::along(chain, chain.tip().map(|tip| tip.sha1), roles, &record.past());
    let is_done = |link: &Link| completed(record).any(|done| done.sha1 == link.sha1);
    course.run_from(record.state()).filter(|link| !is_done(link)).last()
}

/// The roles of the host that sees the herd so.
pub(super) fn roles(herd: &HerdView) -> BTreeSet<String> {
    herd.myself().map(|member| member.roles.clone()).unwrap_or_default()
}

impl Promise {
    pub(super) fn of(link: Option<&Link>, spec: &'static Spec) -> Self {
        Self { link: link.map(|link| (link.name.clone(), link.sha1)), spec }
    }

    /// The name of the link in whose file it stands; empty where that is no link's.
    pub(super) fn link(&self) -> &str {
        self.link.as_ref().map_or("", |(name, _)| name)
    }

    /// Whether it is one of these roles'.
    pub(super) fn is_of_one_of(&self, roles: &BTreeSet<String>) -> bool {
        self.spec.role.is_some_and(|role| roles.contains(role))
    }

    /// Which spec it is, in words.
    pub(super) fn named(&self) -> String {
        named(self.spec.name, self.spec.role, self.link())
    }

    /// Why it does not hold.
    pub(super) fn ask(&self, system: &System, herd: &HerdView) -> Option<String> {
        self.ask_within(&system.within(Some(PATIENCE)), herd)
    }

    /// Why it does not hold, as far as that is seen before the time of the work on this machine is over.
    pub(super) fn ask_within(&self, system: &System, herd: &HerdView) -> Option<String> {
        let _during = fault::during(Subject::Spec);
        let journal = Rc::new(MemoryJournal::default());
        guarded(&Context::new(system, Mode::Plan, herd, journal), self.spec.check).err()
    }

    pub(crate) fn verdict(&self, system: &System, herd: &HerdView) -> Verdict {
        let Self { link, spec } = self;
        Verdict {
            link: link.as_ref().map(|(name, _)| name.clone()),
            sha1: link.as_ref().map(|(_, sha1)| *sha1),
            role: spec.role,
            spec: spec.name,
            error: self.ask(system, herd),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  ", if self.error.is_none() { "ok    " } else { "failed" })?;
        match (self.role, &self.link, self.sha1) {
            (None, Some(link), Some(sha1)) => write!(f, "`{link}` ({})", sha1.short())?,
            (role, ..) => write!(f, "role {}", role.unwrap_or_default())?,
        }
        write!(f, "  {}", self.spec)?;
        match &self.error {
            Some(error) => write!(f, ": {}", error.replace('\n', "\n        ")),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, spec, link, sha1 } = self;
        let role = role.unwrap_or_default();
        write!(f, "not yet role {role}  {spec}: it is asked from `{link}` ({}) on", sha1.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{Code, Migration, Terms};

    const fn migration(name: &'static str, index: usize, sha1: &'static str, role: &'static str) -> Migration {
        let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let run = Some(Code::Bare(|_| Ok(())));
        Migration { name, role, sha1, digest, index, wait: None, replaces: None, terms: Terms::NONE, run }
    }

    static NGINX: Migration = migration("nginx", 0, "1111111111111111111111111111111111111111", "web");
    static SCHEMA: Migration = migration("schema", 1, "2222222222222222222222222222222222222222", "database");
    static PAGE: Migration = migration("page", 2, "3333333333333333333333333333333333333333", "web");
    static GONE: Migration = Migration { run: None, ..migration("nginx", 0, NGINX.sha1, "web") };
    static RUNS: Spec = Spec::new("fleet::chain::nginx", "runs", |_| Ok(()));
    static VALID: Spec = Spec::new("fleet::chain::nginx", "valid", |_| Ok(()));
    static SERVED: Spec = Spec::new("fleet::chain::page", "served", |_| Err(anyhow::anyhow!("404").context("no page")));

    static ANSWERS: Spec = Spec::new("fleet::chain::schema", "answers", |_| Ok(())).of_role("web");
    static ROOM: Spec = Spec::new("fleet::roles", "has_room", |_| Err(anyhow::anyhow!("no room"))).of_role("web");

    fn catalog(first: &'static Migration) -> Catalog {
        Catalog::new([first, &SCHEMA, &PAGE], [], [&SERVED, &VALID, &RUNS]).unwrap()
    }

    fn with_specs_of_roles() -> Catalog {
        Catalog::new([&NGINX, &SCHEMA, &PAGE], [], [&SERVED, &RUNS, &ROOM, &ANSWERS]).unwrap()
    }

    /// A host that did its links so, one letter each: done, adopted, passed over.
    fn record(catalog: &Catalog, hows: &str) -> Record {
        let how = |letter| match letter {
            'd' => How::Done,
            'a' => How::Adopted,
            _ => How::PassedOver,
        };
        let record = |(link, letter): (&crate::chain::Link, char)| LinkRecord {
            sha1: link.sha1,
            name: link.name.clone(),
            how: how(letter),
            time: 5,
        };
        let links = catalog.chain().links().iter().zip(hows.chars()).map(record).collect();
        Record { links, ..Record::default() }
    }

    #[test]
    fn what_a_host_completed_in_its_roles_is_to_hold() {
        let check = |first: &'static Migration, hows, roles: &[&str], expect: &[&str]| {
            let (catalog, roles) = (catalog(first), roles.iter().map(|role| (*role).to_owned()).collect());
            let promises = promises(&catalog, &record(&catalog, hows), &roles);
            assert_eq!(promises.iter().map(|promise| promise.spec.name).collect::<Vec<_>>(), expect, "{hows}");
        };
        check(&NGINX, "dpd", &["web"], &["runs", "valid", "served"]);
        check(&NGINX, "dpa", &["web"], &["runs", "valid", "served"]);
        check(&NGINX, "ddp", &["database", "web"], &["runs", "valid"]);
        check(&NGINX, "ddd", &["database"], &[]);
        check(&NGINX, "d", &["web"], &["runs", "valid"]);
        check(&GONE, "dpd", &["web"], &["served"]);
        check(&NGINX, "", &["web"], &[]);
    }

    /// Which specs of roles are asked of a host with this record, and which from which link on.
    fn asked(catalog: &Catalog, record: &Record, roles: &[&str]) -> String {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let promises = promises_of_roles(catalog, record, &roles);
        let now = promises.iter().map(|promise| promise.spec.name.to_owned());
        let later = later_of_roles(catalog, record, &roles);
        let later = later.iter().map(|later| format!("{} from {}", later.spec, later.link));
        now.chain(later).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn what_a_role_promises_is_to_hold_on_all_that_have_it_from_a_link_on_and_else_at_the_end_of_the_chain() {
        let catalog = with_specs_of_roles();
        let check = |hows, roles: &[&str], expect: &str| {
            assert_eq!(asked(&catalog, &record(&catalog, hows), roles), expect, "{hows} {roles:?}");
        };
        check("", &["web"], "answers from schema, has_room from page");
        check("d", &["web"], "answers from schema, has_room from page");
        check("dp", &["web"], "answers, has_room from page");
        check("dpd", &["web"], "answers, has_room");
        check("dpa", &["web"], "answers, has_room");
        check("dd", &["database", "web"], "answers, has_room from page");
        check("dd", &["database"], "");
    }

    #[test]
    fn links_of_other_roles_keep_nobody_from_the_end_of_the_chain_and_those_of_a_gained_one_do() {
        static CACHE: Migration = migration("cache", 3, "4444444444444444444444444444444444444444", "cache");
        let catalog = Catalog::new([&NGINX, &SCHEMA, &PAGE, &CACHE], [], [&ROOM]).unwrap();
        let check = |hows, roles: &[&str], expect: &str| {
            assert_eq!(asked(&catalog, &record(&catalog, hows), roles), expect, "{hows} {roles:?}");
        };
        check("dpd", &["web"], "has_room");
        check("dpdp", &["web"], "has_room");
        check("dpd", &["cache", "web"], "has_room from cache");
        check("dpdp", &["cache", "web"], "has_room from cache");
        check("dpdp", &["database", "web"], "has_room from schema");
        check("dddp", &["database", "web"], "has_room");
    }

    #[test]
    fn a_baseline_at_the_end_of_the_chain_brings_nothing_to_who_ran_what_it_stands_for() {
        static JUNE: Migration = Migration {
            replaces: Some((NGINX.sha1, PAGE.sha1)),
            ..migration("june", 3, "5555555555555555555555555555555555555555", "web")
        };
        let catalog = Catalog::new([&NGINX, &SCHEMA, &PAGE, &JUNE], [], [&ROOM]).unwrap();
        let check = |hows, expect: &str| {
            assert_eq!(asked(&catalog, &record(&catalog, hows), &["web"]), expect, "{hows}");
        };
        check("", "has_room from june");
        check("ppp", "has_room from june");
        check("pppd", "has_room");
        check("d", "has_room from page");
        check("dpd", "has_room");
        check("dpdp", "has_room");
    }

    #[test]
    fn who_was_kept_out_by_a_spec_is_asked_that_one_though_a_link_came_since() {
        let catalog = with_specs_of_roles();
        let check = |hows, kept_out_by: &[&str], expect: &[&str]| {
            let kept_out_by = kept_out_by.iter().map(|spec| (*spec).to_owned()).collect();
            let record = Record { kept_out_by, ..record(&catalog, hows) };
            let promises = promises_that_kept_out(&catalog, &record, &["web".to_owned()].into());
            assert_eq!(promises.iter().map(|promise| promise.spec.name).collect::<Vec<_>>(), expect, "{hows}");
        };
        check("dp", &[], &[]);
        check("dp", &["`has_room` of role web"], &["has_room"]);
        check("dp", &["`has_room` of role database"], &[]);
        check("dpd", &["`has_room` of role web"], &[]);
    }

    #[test]
    fn who_is_beyond_the_chain_of_its_runner_is_asked_all_that_this_promises() {
        let (older, newer) = (Catalog::new([&NGINX, &SCHEMA], [], [&ROOM]).unwrap(), with_specs_of_roles());
        assert_eq!(asked(&older, &record(&newer, "dpd"), &["web"]), "has_room");
    }

    #[test]
    fn a_link_brings_its_own_specs_and_those_that_begin_with_it() {
        let catalog = with_specs_of_roles();
        let check = |link: usize, roles: &[&str], expect: &[&str]| {
            let roles = roles.iter().map(|role| (*role).to_owned()).collect();
            let promises = promises_since(&catalog, &catalog.chain().links()[link], &roles);
            assert_eq!(promises.iter().map(|promise| promise.spec.name).collect::<Vec<_>>(), expect, "{link}");
        };
        check(0, &["web"], &["runs"]);
        check(0, &["database"], &[]);
        check(1, &["web"], &["answers"]);
        check(1, &["database"], &[]);
        check(2, &["web"], &["served"]);
    }

    #[test]
    fn what_was_done_before_a_role_was_gained_is_behind_a_host_too() {
        let catalog = with_specs_of_roles();
        let Record { mut links, .. } = record(&catalog, "dp");
        let record = Record { ahead: links.split_off(1), links, ..Record::default() };
        assert_eq!(asked(&catalog, &record, &["web"]), "answers, has_room from page");
    }

    #[test]
    fn a_verdict_says_what_it_is_of() {
        let catalog = with_specs_of_roles();
        let promises = promises(&catalog, &record(&catalog, "dpd"), &["web".to_owned()].into());
        let (dir, herd) = (tempfile::tempdir().unwrap(), HerdView::default());
        let system = System::fake(dir.path(), crate::system::Script::default());
        let verdicts: Vec<_> = promises.iter().map(|promise| promise.verdict(&system, &herd)).collect();
        let json = serde_json::to_value(verdicts).unwrap();
        let sha1 = |digit: &str| digit.repeat(40);
        assert_eq!(json[0], serde_json::json!({"link": "nginx", "sha1": sha1("1"), "spec": "runs", "error": null}));
        let answers = serde_json::json!({
            "link": "schema", "sha1": sha1("2"), "role": "web", "spec": "answers", "error": null,
        });
        assert_eq!(json[2], answers);
        assert_eq!(json[3], serde_json::json!({"role": "web", "spec": "has_room", "error": "no room"}));
    }

    #[test]
    fn a_verdict_is_a_line() {
        let catalog = with_specs_of_roles();
        let promises = promises(&catalog, &record(&catalog, "dpd"), &["web".to_owned()].into());
        let (dir, herd) = (tempfile::tempdir().unwrap(), HerdView::default());
        let system = System::fake(dir.path(), crate::system::Script::default());
        let verdicts = promises.iter().map(|promise| promise.verdict(&system, &herd).to_string());
        insta::assert_snapshot!(verdicts.collect::<Vec<_>>().join("\n"), @r"
        ok      `nginx` (1111111)  runs
        failed  `page` (3333333)  served: no page: 404
        ok      role web  answers
        failed  role web  has_room: no room
        ");
    }

    #[test]
    fn what_is_not_asked_yet_is_a_line_that_says_from_where_on_it_is() {
        let catalog = with_specs_of_roles();
        let later = later_of_roles(&catalog, &record(&catalog, "d"), &["web".to_owned()].into());
        let lines: Vec<String> = later.iter().map(ToString::to_string).collect();
        let expect = [
            "not yet role web  answers: it is asked from `schema` (2222222) on",
            "not yet role web  has_room: it is asked from `page` (3333333) on",
        ];
        assert_eq!(lines, expect);
        let json = serde_json::json!({"role": "web", "spec": "has_room", "link": "page", "sha1": "3".repeat(40)});
        assert_eq!(serde_json::to_value(&later[1]).unwrap(), json);
    }
}
