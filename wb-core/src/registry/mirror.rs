//! A host's mirror of the herd's refs, and its way to tell the remote something.
//!
//! What an agent knows of the herd it knows from here. [`super::Registry`] is a mirror made of git; the simulator has
//! one in memory. How a push is judged, which reports and pools count, and how the log of changes is walked is the same
//! for both.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use uuid::Uuid;

use super::log::{LogError, VerifiedChange, since};
use super::objects::ObjectError;
use super::porcelain::Verdict;
use super::refs::RefName;
use super::remote::{Pushed, RefUpdate, RegistryError};
use super::signature::{AllowedSigners, SigningKey};
use crate::chain::Sha1;
use crate::change::{HostManifest, Identity, Manifest};
use crate::pool::Pool;
use crate::report::{Doing, Report};
use crate::results::Results;

/// What one herd's remote says, as far as it was fetched, and the way to tell it something.
pub trait Mirror {
    /// The remote.
    fn url(&self) -> &str;

    /// Brings what the remote has under these names; a name may stand for all that start with it. What the remote has
    /// no longer is forgotten.
    ///
    /// # Errors
    /// When the remote can't be reached, or does not let us read, or the mirror does not take it.
    fn fetch(&self, starts: &[String]) -> Result<(), RegistryError>;

    /// Asks the remote once to move refs, all of them or none.
    fn offer(&self, updates: &[RefUpdate]) -> Answer;

    /// What was fetched under `start`: full names as the remote has them, and where they point.
    ///
    /// # Errors
    /// When the mirror can't be read.
    fn refs(&self, start: &str) -> Result<BTreeMap<RefName, Sha1>, RegistryError>;

    /// Where one fetched ref points.
    ///
    /// # Errors
    /// When the mirror can't be read.
    fn get(&self, name: &RefName) -> Result<Option<Sha1>, RegistryError>;

    /// What was pushed need not be fetched to be known.
    ///
    /// # Errors
    /// When the mirror can't be written.
    fn remember(&self, updates: &[RefUpdate]) -> Result<(), RegistryError>;

    /// Keeps an object from being pruned, under a name of this mirror's own, and off the list of what may be lost.
    ///
    /// # Errors
    /// When it is not here, or the mirror can't be written.
    fn keep(&self, name: &str, object: Sha1) -> Result<(), RegistryError>;

    /// One report, where `key` signed it.
    fn report(&self, sha1: Sha1, key: &str) -> Option<Report>;

    /// What one report says, be it signed with `key` or not. To check a signature takes a thousand times as long.
    fn claimed(&self, sha1: Sha1, key: &str) -> Option<Report> {
        self.report(sha1, key)
    }

    /// The pool that a commit holds.
    ///
    /// # Errors
    /// When it is none, or can't be read.
    fn read_pool(&self, sha1: Sha1) -> Result<Pool, RegistryError>;

    /// A file at the top of a commit, where that was fetched.
    fn file(&self, commit: Sha1, name: &str) -> Option<Vec<u8>>;

    /// The commits before a commit.
    ///
    /// # Errors
    /// When it is not here.
    fn parents(&self, commit: Sha1) -> Result<Vec<Sha1>, ObjectError>;

    /// Whether `newer` is `older` or has it among its ancestors.
    ///
    /// # Errors
    /// When one of them is not here.
    fn descends(&self, newer: Sha1, older: Sha1) -> Result<bool, ObjectError>;

    /// One change by itself, signed by one of `allowed`; where there are none, it was accepted before.
    ///
    /// # Errors
    /// When it can't be read, or does not count.
    fn change(&self, commit: Sha1, allowed: Option<&AllowedSigners>) -> Result<VerifiedChange, LogError>;

    /// Writes a report with what the host tells of the past and with the end of its log, and moves no ref.
    ///
    /// # Errors
    /// When it can't be written or signed.
    fn write_report(
        &self,
        report: &Report,
        results: &Results,
        log: &str,
        key: &SigningKey,
    ) -> Result<Sha1, RegistryError>;

    /// Writes a pool, and moves no ref.
    ///
    /// # Errors
    /// When it can't be written.
    fn write_pool(&self, role: &str, pool: &Pool, host: &str, time: Duration) -> Result<Sha1, RegistryError>;

    /// Writes the commit that a state ref points to, and moves no ref: it names the link, so that `git log` shows it.
    ///
    /// # Errors
    /// When it can't be written.
    fn write_state(&self, host: &str, link: &str, state: Sha1, time: Duration) -> Result<Sha1, RegistryError>;

    /// Moves refs of the remote, all of them or none.
    ///
    /// After a broken connection nobody knows whether they were moved; then they are read back. Each new value must be
    /// an object that nobody else can have made, or two who want the same would both win.
    ///
    /// # Errors
    /// When the remote can't be reached or refuses.
    fn push(&self, updates: &[RefUpdate]) -> Result<Pushed, RegistryError> {
        let Answer { verdicts, said, broken } = self.offer(updates);
        match judge(&verdicts, updates.len()) {
            Judgement::Won if broken.is_none() => {
                self.remember(updates)?;
                Ok(Pushed::Won)
            }
            Judgement::Lost => lost(self, updates, said),
            Judgement::Refused(why) => Err(RegistryError::Refused { url: self.url().to_owned(), why }),
            Judgement::Won | Judgement::Unknown => read_back(self, updates, broken),
        }
    }

    /// The reports of all admitted hosts, by name, as far as they were fetched and their signatures count. What does
    /// not count is left out: a host without a report is a host that nobody knows anything of.
    ///
    /// # Errors
    /// When the mirror can't be read.
    fn reports(&self, manifest: &Manifest, cache: &mut ReportCache) -> Result<BTreeMap<String, Report>, RegistryError> {
        let refs = self.refs("refs/wildebeest/report/")?;
        let hosts = manifest.hosts.iter().map(|(name, host)| (name.as_str(), host));
        Ok(known(self, hosts, RefName::Report, &refs, cache))
    }

    /// As [`Mirror::reports`], of these hosts only.
    ///
    /// # Errors
    /// When the mirror can't be read.
    fn reports_of(
        &self,
        manifest: &Manifest,
        names: &BTreeSet<&str>,
        cache: &mut ReportCache,
    ) -> Result<BTreeMap<String, Report>, RegistryError> {
        let mut refs = BTreeMap::new();
        let hosts = names.iter().filter_map(|name| Some((*name, manifest.hosts.get(*name)?)));
        for identity in hosts.clone().filter_map(|(_, host)| host.identity.as_ref()) {
            let name = RefName::Report(identity.uuid);
            refs.extend(self.get(&name)?.map(|sha1| (name, sha1)));
        }
        Ok(known(self, hosts, RefName::Report, &refs, cache))
    }

    /// The reports in which admitted hosts say that they failed, by name. Nobody else needs to be asked who failed.
    ///
    /// # Errors
    /// When the mirror can't be read.
    fn failures(
        &self,
        manifest: &Manifest,
        cache: &mut ReportCache,
    ) -> Result<BTreeMap<String, Report>, RegistryError> {
        let mut refs = self.refs("refs/wildebeest/failed/")?;
        let says_so = |sha1, host: &HostManifest| {
            let claimed = self.claimed(sha1, &host.identity.as_ref()?.key)?;
            Some(matches!(claimed.doing, Doing::Failed(_)))
        };
        refs.retain(|name, sha1| {
            let RefName::Failed(uuid) = name else { return false };
            manifest.host_of(*uuid).is_some_and(|(_, host)| says_so(*sha1, host).unwrap_or(false))
        });
        let hosts = manifest.hosts.iter().map(|(name, host)| (name.as_str(), host));
        Ok(known(self, hosts, RefName::Failed, &refs, cache))
    }

    /// The pool of a role, as far as it was fetched. One that can't be read is an error: nobody may claim from it.
    ///
    /// # Errors
    /// When it can't be read.
    fn pool(&self, role: &str) -> Result<(Option<Sha1>, Pool), RegistryError> {
        match self.get(&RefName::Out(role.to_owned()))? {
            None => Ok((None, Pool::default())),
            Some(sha1) => Ok((Some(sha1), self.read_pool(sha1)?)),
        }
    }

    /// The pool of a role, as far as it was fetched, or why what is in its place is none. Nobody claims from that.
    ///
    /// # Errors
    /// When the mirror can't be read.
    fn pool_or_damage(&self, role: &str) -> Result<Result<Pool, String>, RegistryError> {
        match self.pool(role) {
            Ok((_, pool)) => Ok(Ok(pool)),
            Err(RegistryError::Object(error)) if error.is_of_content() => Ok(Err(error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// The pools of all roles, as far as they were fetched and can be read.
    ///
    /// # Errors
    /// When the mirror can't be read.
    fn pools(&self) -> Result<BTreeMap<String, Pool>, RegistryError> {
        let refs = self.refs("refs/wildebeest/out/")?;
        let named = refs.into_iter().filter_map(|(name, sha1)| match name {
            RefName::Out(role) => Some((role, self.read_pool(sha1).ok()?)),
            _ => None,
        });
        Ok(named.collect())
    }

    /// Every change after `accepted` up to `tip`: see [`super::ChangeLog::since`].
    fn changes_since(
        &self,
        accepted: Option<&VerifiedChange>,
        tip: Sha1,
        allowed: &AllowedSigners,
    ) -> (Vec<VerifiedChange>, Option<LogError>) {
        since(accepted, tip, |commit| self.parents(commit), |commit| self.change(commit, Some(allowed)))
    }
}

/// What came back from one push.
#[derive(Debug)]
pub struct Answer {
    /// What became of each ref, as far as the remote said so.
    pub verdicts: Vec<Verdict>,
    /// What it said about trouble.
    pub said: String,
    /// How the connection broke, or the push failed.
    pub broken: Option<RegistryError>,
}

/// Reports that were read before, by the ref that pointed to them: a signature is checked once.
#[derive(Debug, Default)]
pub struct ReportCache {
    known: BTreeMap<RefName, Judged>,
    /// Whether signatures are not checked at all.
    claims: bool,
}

/// A report that counted, or did not, under a key.
#[derive(Debug)]
struct Judged {
    sha1: Sha1,
    key: String,
    report: Option<Report>,
}

impl ReportCache {
    /// For reports as they stand there, whoever wrote them. They prove nothing.
    #[must_use]
    pub fn of_claims() -> Self {
        Self { claims: true, ..Self::default() }
    }

    fn read<M: Mirror + ?Sized>(
        &mut self,
        mirror: &M,
        name: RefName,
        sha1: Sha1,
        identity: &Identity,
    ) -> Option<Report> {
        let read = if self.claims { M::claimed } else { M::report };
        let judge = || Judged { sha1, key: identity.key.clone(), report: read(mirror, sha1, &identity.key) };
        let judged = self.known.entry(name).or_insert_with(judge);
        if judged.sha1 != sha1 || judged.key != identity.key {
            *judged = judge();
        }
        judged.report.clone().filter(|report| report.uuid == identity.uuid)
    }
}

/// The reports of these hosts that `refs` point to and that count.
fn known<'m>(
    mirror: &(impl Mirror + ?Sized),
    hosts: impl Iterator<Item = (&'m str, &'m HostManifest)>,
    of: impl Fn(Uuid) -> RefName,
    refs: &BTreeMap<RefName, Sha1>,
    cache: &mut ReportCache,
) -> BTreeMap<String, Report> {
    let read = |(name, host): (&str, &'m HostManifest)| {
        let identity = host.identity.as_ref()?;
        let from = of(identity.uuid);
        let sha1 = *refs.get(&from)?;
        Some((name.to_owned(), cache.read(mirror, from, sha1, identity)?))
    };
    hosts.filter_map(read).collect()
}

/// A lost race moves a ref. Where none of them has moved, the server could not write, and trying again won't help.
fn lost(mirror: &(impl Mirror + ?Sized), updates: &[RefUpdate], why: String) -> Result<Pushed, RegistryError> {
    mirror.fetch(&names(updates))?;
    for update in updates {
        if mirror.get(&update.name)? != update.expected {
            return Ok(Pushed::Lost);
        }
    }
    Err(RegistryError::Refused { url: mirror.url().to_owned(), why })
}

fn read_back(
    mirror: &(impl Mirror + ?Sized),
    updates: &[RefUpdate],
    broken: Option<RegistryError>,
) -> Result<Pushed, RegistryError> {
    match (mirror.fetch(&names(updates)), broken) {
        (Ok(()), broken) => {
            let mut written = true;
            for update in updates {
                written &= mirror.get(&update.name)? == update.new;
            }
            match (written, broken) {
                (true, _) => Ok(Pushed::Won),
                (false, Some(error)) => Err(error),
                (false, None) => Ok(Pushed::Lost),
            }
        }
        (Err(_), Some(error)) | (Err(error), None) => Err(error),
    }
}

fn names(updates: &[RefUpdate]) -> Vec<String> {
    updates.iter().map(|update| update.name.to_string()).collect()
}

enum Judgement {
    Won,
    Lost,
    Refused(String),
    Unknown,
}

fn judge(verdicts: &[Verdict], wanted: usize) -> Judgement {
    let refusal = verdicts.iter().find_map(|verdict| match verdict {
        Verdict::Refused(why) => Some(why.clone()),
        _ => None,
    });
    if let Some(why) = refusal {
        return Judgement::Refused(why);
    }
    if verdicts.iter().any(|verdict| matches!(verdict, Verdict::Stale | Verdict::Identical)) {
        return Judgement::Lost;
    }
    if verdicts.len() == wanted { Judgement::Won } else { Judgement::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_push_comes_to() {
        use Verdict::{Identical, Refused, Stale, Written};
        let check = |verdicts: &[Verdict], expect: &str| {
            let judged = match judge(verdicts, 2) {
                Judgement::Won => "won",
                Judgement::Lost => "lost",
                Judgement::Refused(_) => "refused",
                Judgement::Unknown => "unknown",
            };
            assert_eq!(judged, expect, "{verdicts:?}");
        };
        check(&[Written, Written], "won");
        check(&[Written, Identical], "lost");
        check(&[Stale, Stale], "lost");
        check(&[Stale, Refused("hook".into())], "refused");
        check(&[Written], "unknown");
        check(&[], "unknown");
    }
}
