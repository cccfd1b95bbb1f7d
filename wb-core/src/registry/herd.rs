//! What hosts write: reports and pools, as commits.

use std::time::Duration;

use uuid::Uuid;

use super::mirror::Mirror as _;
use super::objects::{NewCommit, ObjectError, Objects};
use super::refs::RefName;
use super::remote::{Registry, RegistryError};
use super::signature::{AllowedSigners, SigningKey};
use crate::chain::Sha1;
use crate::change::Manifest;
use crate::herd::is_name;
use crate::pool::Pool;
use crate::report::Report;
use crate::results::Results;

/// The largest log tail that a report carries, in bytes.
const LARGEST_LOG: usize = 64 << 10;

/// In the tree of a report: the end of the host's log.
const LOG_FILE: &str = "log";

/// In the tree of a report: what the host tells of the past.
const RESULTS_FILE: &str = "results";

impl Registry {
    /// The reports of machines that enrolled and are not admitted: each signed with the key that it names itself. Those
    /// that left the herd are none.
    ///
    /// # Errors
    /// When the local repository can't be read.
    pub fn newcomers(&self, manifest: Option<&Manifest>) -> Result<Vec<Report>, RegistryError> {
        self.newcomers_who(manifest, |_| true)
    }

    /// Those of them whose report `claims` something, as it stands there: no other signature is checked.
    ///
    /// # Errors
    /// As [`Registry::newcomers`].
    pub fn newcomers_who(
        &self,
        manifest: Option<&Manifest>,
        claims: impl Fn(&Report) -> bool,
    ) -> Result<Vec<Report>, RegistryError> {
        let refs = self.refs("refs/wildebeest/report/")?;
        let known = |uuid| manifest.is_some_and(|manifest| manifest.knows(uuid));
        let new = refs.iter().filter_map(|(name, sha1)| match name {
            RefName::Report(uuid) if !known(*uuid) => Some((*uuid, *sha1)),
            _ => None,
        });
        let is_one = |uuid: Uuid, claimed: &Report| claimed.uuid == uuid && is_name(&claimed.name) && claims(claimed);
        let read = |(uuid, sha1)| read_newcomer(self.objects(), sha1, |claimed| is_one(uuid, claimed));
        Ok(new.filter_map(read).collect())
    }

    /// What a host tells of the past beside a report of it, which must have been read: its signature is not looked at
    /// again. Old reports tell nothing.
    #[must_use]
    pub fn results(&self, report: Sha1) -> Results {
        let text = self.objects().read(report).and_then(|commit| self.objects().text(&commit, RESULTS_FILE));
        text.ok().flatten().map(|text| Results::decode(&text)).unwrap_or_default()
    }
}

pub(super) fn read_pool(objects: &Objects, sha1: Sha1) -> Result<Pool, ObjectError> {
    let commit = objects.read(sha1)?;
    let wrong = |_| ObjectError::File { commit: sha1, name: "message".into(), what: "is no pool" };
    Pool::decode(commit.body()).map_err(wrong)
}

pub(super) fn write_report(
    objects: &Objects,
    report: &Report,
    results: &Results,
    log: &str,
    key: &SigningKey,
) -> Result<Sha1, ObjectError> {
    let start = log.len().saturating_sub(LARGEST_LOG);
    let new = NewCommit {
        message: report.message(),
        files: [
            (LOG_FILE.to_owned(), log.as_bytes()[start..].to_vec()),
            (RESULTS_FILE.to_owned(), results.encode().into_bytes()),
        ]
        .into(),
        parent: None,
        author: host_author(&report.name),
        time: Duration::from_secs(report.time),
    };
    objects.write(&new, Some(key))
}

pub(super) fn write_pool(
    objects: &Objects,
    role: &str,
    pool: &Pool,
    host: &str,
    time: Duration,
) -> Result<Sha1, ObjectError> {
    let new = NewCommit { message: pool.message(role), author: host_author(host), time, ..NewCommit::default() };
    objects.write(&new, None)
}

pub(super) fn write_state(
    objects: &Objects,
    host: &str,
    link: &str,
    state: Sha1,
    time: Duration,
) -> Result<Sha1, ObjectError> {
    let message = format!("{host} at `{link}` ({})\n\nLink: {state}\n", state.short());
    let new = NewCommit { message, author: host_author(host), time, ..NewCommit::default() };
    objects.write(&new, None)
}

pub(super) fn read_report(objects: &Objects, sha1: Sha1, key: &str) -> Option<Report> {
    let commit = objects.read(sha1).ok()?;
    commit.verify(&AllowedSigners::one("host", key)).ok()?;
    Report::decode(commit.body()).ok()
}

/// What a report says, whoever wrote it.
pub(super) fn read_claim(objects: &Objects, sha1: Sha1) -> Option<Report> {
    Report::decode(objects.read(sha1).ok()?.body()).ok()
}

fn read_newcomer(objects: &Objects, sha1: Sha1, counts: impl Fn(&Report) -> bool) -> Option<Report> {
    let claimed = read_claim(objects, sha1).filter(counts)?;
    read_report(objects, sha1, &claimed.key)
}

fn host_author(host: &str) -> (String, String) {
    (host.to_owned(), format!("{host}@wildebeest"))
}
