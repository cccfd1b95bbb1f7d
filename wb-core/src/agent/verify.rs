//! Verifying: whether what this host completed still holds, as the specs say.
//!
//! The specs of a link hold from when the host completed it, by running it or by hand, for as long as the host has the
//! link's role and the runner has its code: as they stand in this runner, since the record does not keep older ones. No
//! later link takes them back: a link that makes an older spec untrue comes with an amendment of the older link.

use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;

use super::run::guarded;
use super::{Agent, How, Record};
use crate::chain::Sha1;
use crate::context::{Context, HerdView, MemoryJournal, Mode, Spec};
use crate::runner::Catalog;
use crate::system::System;
use crate::system::fault::{self, Subject};

/// What a spec said of this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The link's name.
    pub link: String,
    /// The link.
    pub sha1: Sha1,
    /// The spec's name.
    pub spec: &'static str,
    /// Why it does not hold, with its causes; nothing: it holds.
    pub error: Option<String>,
}

/// A spec that is to hold on this host.
#[derive(Debug, Clone)]
pub(super) struct Promise {
    pub(super) link: String,
    sha1: Sha1,
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

/// The specs that are to hold on a host with this record and these roles.
pub(super) fn promises(catalog: &Catalog, record: &Record, roles: &BTreeSet<String>) -> Vec<Promise> {
    let behind = record.links.iter().chain(&record.ahead).filter(|link| link.how != How::PassedOver);
    let links = behind.filter_map(|done| catalog.chain().get(done.sha1));
    let mine = links.filter(|link| roles.contains(&link.role) && !link.gone);
    mine.flat_map(|link| {
        let promise = |spec| Promise { link: link.name.clone(), sha1: link.sha1, spec };
        catalog.specs_of(&link.name).map(promise)
    })
    .collect()
}

/// The roles of the host that sees the herd so.
pub(super) fn roles(herd: &HerdView) -> BTreeSet<String> {
    herd.myself().map(|member| member.roles.clone()).unwrap_or_default()
}

impl Promise {
    #[cfg(test)]
    pub(super) fn of(link: &str, spec: &'static Spec) -> Self {
        Self { link: link.to_owned(), sha1: Sha1::ZERO, spec }
    }

    /// Why it does not hold.
    pub(super) fn ask(&self, system: &System, herd: &HerdView) -> Option<String> {
        let _during = fault::during(Subject::Spec);
        let (system, journal) = (system.within(Some(PATIENCE)), Rc::new(MemoryJournal::default()));
        guarded(&Context::new(&system, Mode::Plan, herd, journal), self.spec.check).err()
    }

    fn verdict(&self, system: &System, herd: &HerdView) -> Verdict {
        Verdict { link: self.link.clone(), sha1: self.sha1, spec: self.spec.name, error: self.ask(system, herd) }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { link, sha1, spec, error } = self;
        let what = if error.is_none() { "ok    " } else { "failed" };
        write!(f, "{what}  `{link}` ({})  {spec}", sha1.short())?;
        match error {
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

    fn catalog(first: &'static Migration) -> Catalog {
        Catalog::new([first, &SCHEMA, &PAGE], [], [&SERVED, &VALID, &RUNS]).unwrap()
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
    fn a_verdict_is_a_line() {
        let catalog = catalog(&NGINX);
        let promises = promises(&catalog, &record(&catalog, "dpd"), &["web".to_owned()].into());
        let (dir, herd) = (tempfile::tempdir().unwrap(), HerdView::default());
        let system = System::fake(dir.path(), crate::system::Script::default());
        let verdicts = promises.iter().map(|promise| promise.verdict(&system, &herd).to_string());
        insta::assert_snapshot!(verdicts.collect::<Vec<_>>().join("\n"), @r"
        ok      `nginx` (1111111)  runs
        ok      `nginx` (1111111)  valid
        failed  `page` (3333333)  served: no page: 404
        ");
    }
}
