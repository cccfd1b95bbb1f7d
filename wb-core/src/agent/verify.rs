//! Verifying: whether what this host completed still holds, as the specs say.
//!
//! The specs of a link hold from when the host completed it, by running it or by hand, for as long as the host has the
//! link's role and the runner has its code: as they stand in this runner, since the record does not keep older ones. No
//! later link takes them back: a link that makes an older spec untrue comes with an amendment of the older link.
//!
//! The specs of a role hold on each host that has it: from the link on in whose file they stand, whoever ran that, and
//! else always.

use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;

use super::run::guarded;
use super::{Agent, How, Record};
use crate::chain::{Link, Sha1};
use crate::context::{Context, HerdView, MemoryJournal, Mode, Spec};
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

/// A spec that is to hold on this host.
#[derive(Debug, Clone)]
pub(crate) struct Promise {
    /// The link in whose file it stands.
    link: Option<(String, Sha1)>,
    pub(super) spec: &'static Spec,
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

/// The specs that are to hold on a host with this record and these roles: those of links, then those of roles.
pub(crate) fn promises(catalog: &Catalog, record: &Record, roles: &BTreeSet<String>) -> Vec<Promise> {
    let completed = record.links.iter().chain(&record.ahead).filter(|link| link.how != How::PassedOver);
    let links = completed.filter_map(|done| catalog.chain().get(done.sha1));
    let mine = links.filter(|link| roles.contains(&link.role) && !link.gone);
    let of_links = mine.flat_map(|link| catalog.specs_of(&link.name).map(move |spec| Promise::of(Some(link), spec)));
    of_links.chain(promises_of_roles(catalog, record, roles)).collect()
}

/// The specs in the file of a link that are to hold on a host of these roles that has it behind it.
pub(crate) fn promises_since(catalog: &Catalog, link: &Link, roles: &BTreeSet<String>) -> Vec<Promise> {
    let of_link = catalog.specs_of(&link.name).filter(|_| roles.contains(&link.role));
    let mine = catalog.specs_of_roles().filter(|(spec, _)| spec.role.is_some_and(|role| roles.contains(role)));
    let begins = mine.filter(|(_, since)| since.is_some_and(|since| since.sha1 == link.sha1));
    of_link.chain(begins.map(|(spec, _)| spec)).map(|spec| Promise::of(Some(link), spec)).collect()
}

/// The specs of these roles that are to hold on a host with this record.
pub(super) fn promises_of_roles(catalog: &Catalog, record: &Record, roles: &BTreeSet<String>) -> Vec<Promise> {
    let is_behind = |link: &Link| record.links.iter().chain(&record.ahead).any(|behind| behind.sha1 == link.sha1);
    let mine = catalog.specs_of_roles().filter(|(spec, _)| spec.role.is_some_and(|role| roles.contains(role)));
    let due = mine.filter(|(_, link)| link.is_none_or(is_behind));
    due.map(|(spec, link)| Promise::of(link, spec)).collect()
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

    /// Whether it holds whatever ran: a role's, which stands in no link's file.
    pub(crate) fn is_of_no_link(&self) -> bool {
        self.link.is_none()
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

#[cfg(test)]
mod tests {
    use super::super::LinkRecord;
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

    #[test]
    fn what_a_role_promises_is_to_hold_on_all_that_have_it_from_a_link_on() {
        let catalog = with_specs_of_roles();
        let check = |hows, roles: &[&str], expect: &[&str]| {
            let roles = roles.iter().map(|role| (*role).to_owned()).collect();
            let of_roles = promises_of_roles(&catalog, &record(&catalog, hows), &roles);
            assert_eq!(of_roles.iter().map(|promise| promise.spec.name).collect::<Vec<_>>(), expect, "{hows}");
        };
        check("", &["web"], &["has_room"]);
        check("d", &["web"], &["has_room"]);
        check("dp", &["web"], &["answers", "has_room"]);
        check("dd", &["database", "web"], &["answers", "has_room"]);
        check("dd", &["database"], &[]);
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
        assert_eq!(promises_of_roles(&catalog, &record, &["web".to_owned()].into()).len(), 2);
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
}
