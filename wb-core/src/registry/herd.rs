//! What hosts write: reports and pools, as commits.

use std::collections::BTreeMap;
use std::time::Duration;

use super::objects::{NewCommit, ObjectError, Objects};
use super::refs::RefName;
use super::remote::{Registry, RegistryError};
use super::signature::{AllowedSigners, SigningKey};
use crate::chain::Sha1;
use crate::change::Manifest;
use crate::herd::is_name;
use crate::pool::Pool;
use crate::report::Report;

/// The largest log tail that a report carries, in bytes.
const LARGEST_LOG: usize = 64 << 10;

impl Registry {
    /// The reports of all admitted hosts, by name, as far as they were fetched and their signatures count. What does
    /// not count is left out: a host without a report is a host that nobody knows anything of.
    ///
    /// # Errors
    /// When the local repository can't be read.
    pub fn reports(
        &self,
        manifest: &Manifest,
        cache: &mut ReportCache,
    ) -> Result<BTreeMap<String, Report>, RegistryError> {
        let refs = self.refs("refs/wildebeest/report/")?;
        let (mut reports, mut known) = (BTreeMap::new(), Vec::new());
        for (name, host) in &manifest.hosts {
            let Some(identity) = &host.identity else { continue };
            let Some(sha1) = refs.get(&RefName::Report(identity.uuid)) else { continue };
            let report = cache.read(self.objects(), *sha1, &identity.key);
            known.push((*sha1, identity.key.clone()));
            reports.extend(report.filter(|r| r.uuid == identity.uuid).map(|report| (name.clone(), report)));
        }
        cache.0.retain(|key, _| known.contains(key));
        Ok(reports)
    }

    /// One report, where `key` signed it.
    #[must_use]
    pub fn report(&self, sha1: Sha1, key: &str) -> Option<Report> {
        read_report(self.objects(), sha1, key)
    }

    /// The reports of machines that enrolled and are not admitted: each signed with the key that it names itself. Those
    /// that left the herd are none.
    ///
    /// # Errors
    /// When the local repository can't be read.
    pub fn newcomers(&self, manifest: Option<&Manifest>) -> Result<Vec<Report>, RegistryError> {
        let refs = self.refs("refs/wildebeest/report/")?;
        let known = |uuid| manifest.is_some_and(|manifest| manifest.knows(uuid));
        let new = refs.iter().filter_map(|(name, sha1)| match name {
            RefName::Report(uuid) if !known(*uuid) => Some((*uuid, *sha1)),
            _ => None,
        });
        let read = |(uuid, sha1)| read_newcomer(self.objects(), sha1).filter(|r| r.uuid == uuid && is_name(&r.name));
        Ok(new.filter_map(read).collect())
    }

    /// The pool of a role, as far as it was fetched. One that can't be read is an error: nobody may claim from it.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn pool(&self, role: &str) -> Result<(Option<Sha1>, Pool), RegistryError> {
        let Some(sha1) = self.get(&RefName::Out(role.to_owned()))? else { return Ok((None, Pool::default())) };
        let commit = self.objects().read(sha1)?;
        let wrong = |_| ObjectError::File { commit: sha1, name: "message".into(), what: "is no pool" };
        Ok((Some(sha1), Pool::decode(commit.body()).map_err(wrong)?))
    }

    /// The pools of all roles, as far as they were fetched and can be read.
    ///
    /// # Errors
    /// When the local repository can't be read.
    pub fn pools(&self) -> Result<BTreeMap<String, Pool>, RegistryError> {
        let refs = self.refs("refs/wildebeest/out/")?;
        let read = |sha1| Pool::decode(self.objects().read(sha1).ok()?.body()).ok();
        let named = refs.into_iter().filter_map(|(name, sha1)| match name {
            RefName::Out(role) => Some((role, read(sha1)?)),
            _ => None,
        });
        Ok(named.collect())
    }

    /// Writes a report with the end of a log, and moves no ref.
    ///
    /// # Errors
    /// When it can't be written or signed.
    pub fn write_report(&self, report: &Report, log: &str, key: &SigningKey) -> Result<Sha1, RegistryError> {
        let start = log.len().saturating_sub(LARGEST_LOG);
        let new = NewCommit {
            message: report.message(),
            files: [("log".to_owned(), log.as_bytes()[start..].to_vec())].into(),
            parent: None,
            author: host_author(&report.name),
            time: Duration::from_secs(report.time),
        };
        Ok(self.objects().write(&new, Some(key))?)
    }

    /// Writes a pool, and moves no ref.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write_pool(&self, role: &str, pool: &Pool, host: &str, time: Duration) -> Result<Sha1, RegistryError> {
        let new = NewCommit { message: pool.message(role), author: host_author(host), time, ..NewCommit::default() };
        Ok(self.objects().write(&new, None)?)
    }

    /// Writes the commit that a state ref points to, and moves no ref: it names the link, so that `git log` shows it.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write_state(&self, host: &str, link: &str, state: Sha1, time: Duration) -> Result<Sha1, RegistryError> {
        let message = format!("{host} at `{link}` ({})\n\nLink: {state}\n", state.short());
        let new = NewCommit { message, author: host_author(host), time, ..NewCommit::default() };
        Ok(self.objects().write(&new, None)?)
    }
}

/// Reports that were read before: a signature is checked once.
#[derive(Debug, Default)]
pub struct ReportCache(BTreeMap<(Sha1, String), Option<Report>>);

impl ReportCache {
    fn read(&mut self, objects: &Objects, sha1: Sha1, key: &str) -> Option<Report> {
        let read = || read_report(objects, sha1, key);
        self.0.entry((sha1, key.to_owned())).or_insert_with(read).clone()
    }
}

fn read_report(objects: &Objects, sha1: Sha1, key: &str) -> Option<Report> {
    let commit = objects.read(sha1).ok()?;
    commit.verify(&AllowedSigners::one("host", key)).ok()?;
    Report::decode(commit.body()).ok()
}

fn read_newcomer(objects: &Objects, sha1: Sha1) -> Option<Report> {
    let claimed = Report::decode(objects.read(sha1).ok()?.body()).ok()?;
    read_report(objects, sha1, &claimed.key)
}

fn host_author(host: &str) -> (String, String) {
    (host.to_owned(), format!("{host}@wildebeest"))
}
