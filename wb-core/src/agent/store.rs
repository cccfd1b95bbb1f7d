//! The host's own disk, which is the truth about it: one file, written atomically. What memory holds is what the disk
//! holds: a change that could not be written did not happen.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::identity::{self, Contest, TakingOver};
use super::phase::{Event, IllegalEvent, Phase};
use crate::chain::{Digest, Link, Sha1};
use crate::change::Canary;
use crate::context::{Debt, DebtError, Debts, Journal, JournalError, Step, Terms};
use crate::plan::Past;
use crate::report::{Baked, Failure, LAST_NONCES, Line, Report};
use crate::results::{Acceptance, How, LATEST, LinkResult, Results};
use crate::system::fault::{self, Bug};
use crate::system::{FileError, files};

#[cfg(feature = "faults")]
mod passage;

#[cfg(feature = "faults")]
pub use passage::subject;

/// What the disk says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Record {
    /// Of the format; 0 in records from before it was counted. One that is newer than [`FORMAT`] is not touched.
    #[serde(default)]
    pub format: u32,
    /// Every link so far, oldest first.
    #[serde(default)]
    pub links: Vec<LinkRecord>,
    /// Links that were done, and that lie after the state since the host gained a role: they are not run again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ahead: Vec<LinkRecord>,
    /// The link that was started last.
    #[serde(default)]
    pub started: Option<Sha1>,
    /// The links that were started and are not done, and whether each was started out of load: the last one, and those that
    /// failed before a role was gained or lost.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unended: BTreeMap<Sha1, bool>,
    /// The newest change that had asked this host to try again what failed, when the last link was started.
    #[serde(default)]
    pub retry: u64,
    /// The state that the herd knew of this host before it was restored, as long as it has not come so far again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Sha1>,
    /// The end of the newest bake that it saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baked: Option<Baked>,
    /// Whether the host has rejoined at least once.
    #[serde(default)]
    pub in_service: bool,
    /// The roles that it left load with and lost before it came back: once it has one of them again, it comes back as that.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub left_behind: BTreeSet<String>,
    /// The specs of roles that kept it out of load since it ran a link last, in words: they are asked until it is back, also
    /// where they would be asked from a later link on only, which came meanwhile.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub kept_out_by: BTreeSet<String>,
    /// Where it is in a leg.
    #[serde(default)]
    pub phase: Phase,
    /// The newest change that it accepted.
    #[serde(default)]
    pub accepted: Option<Sha1>,
    /// When it accepted which change, oldest first, bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acceptances: Vec<Acceptance>,
    /// The report that it wrote last, and the one that it is about to write.
    #[serde(default)]
    pub reports: Reports,
    /// What it owes.
    #[serde(default)]
    pub debts: Vec<Debt>,
    /// The boot in which this was written.
    #[serde(default)]
    pub boot_id: String,
    /// The finished steps of the link that was started last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// The number of the newest change whose command to this host was acted on. It is written before the act.
    #[serde(default)]
    pub acted: u64,
    /// The runner that was taken over and has not come to its first poll yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// The runner that was put back. It is not tried again before the next change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// What is still to be done since this machine took its identity over, after a restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taking_over: Option<TakingOver>,
    /// That another machine has the same identity. This one does nothing until people choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contested: Option<Contest>,
}

/// The format that this runner writes. A newer one must wait for the end of a [`Trial`]: until then the runner before this
/// one may have to read the record.
pub const FORMAT: u32 = 1;

/// A runner that has not proved itself yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Its sha256.
    pub runner: Digest,
    /// The number of the change that brought it.
    pub change: u64,
    /// How often it was started.
    pub starts: u32,
}

/// A runner that was put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Its sha256.
    pub runner: Digest,
    /// The number of the change that brought it.
    pub change: u64,
    /// What it did not do.
    pub why: String,
}

/// A link that is behind the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRecord {
    /// Which.
    pub sha1: Sha1,
    /// Its name.
    pub name: String,
    /// What became of it.
    pub how: How,
    /// When, in seconds since 1970, UTC.
    pub time: u64,
}

/// The reports of this host as it knows them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reports {
    /// The one that was written last.
    pub written: Option<Sha1>,
    /// The one that may have been written since.
    pub pending: Option<Sha1>,
    /// Their nonces, newest first.
    pub nonces: Vec<Uuid>,
    /// The place of the one that was written last.
    #[serde(default)]
    pub lines: Vec<Line>,
    /// The boot in which this machine last knew the report on the remote to be its own.
    #[serde(default)]
    pub boot_id: String,
}

impl Reports {
    /// Whether a report found on the remote is this host's own.
    #[must_use]
    pub fn is_mine(&self, found: Sha1) -> bool {
        self.written == Some(found) || self.pending == Some(found)
    }

    /// A report is about to be pushed.
    pub fn intend(&mut self, report: Sha1, nonce: Uuid) {
        self.pending = Some(report);
        self.nonces.insert(0, nonce);
        self.nonces.truncate(LAST_NONCES);
    }

    /// The report stands on the remote. An older one, which a remote has that lost the newer ones, is no place to go on
    /// from: these may be on a backup.
    pub fn stands(&mut self, report: Sha1, lines: &[Line], boot_id: &str) {
        self.written = Some(report);
        boot_id.clone_into(&mut self.boot_id);
        if self.lines.first().is_none_or(|place| identity::has(lines, place)) {
            self.lines = lines.to_vec();
        }
    }
}

impl Record {
    /// What is written to the file at `path`.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    pub fn encode(&self, path: &Path) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec_pretty(self).map_err(|source| StoreError::Syntax { path: path.to_owned(), source })
    }

    /// Reads what the file at `path` has.
    ///
    /// # Errors
    /// When it is no record, or one of a newer format.
    pub fn decode(path: &Path, bytes: &[u8]) -> Result<Self, StoreError> {
        #[derive(Deserialize)]
        struct Head {
            #[serde(default)]
            format: u32,
        }
        let syntax = |source| StoreError::Syntax { path: path.to_owned(), source };
        // An empty list would pass for a record with nothing in it.
        serde_json::from_slice::<BTreeMap<String, serde::de::IgnoredAny>>(bytes).map_err(syntax)?;
        // What a newer format means by its fields nobody knows here.
        let Head { format } = serde_json::from_slice(bytes).map_err(syntax)?;
        match format > FORMAT {
            true => Err(StoreError::Newer { path: path.to_owned(), found: format }),
            false => serde_json::from_slice(bytes).map_err(syntax),
        }
    }

    /// The last link that was completed or passed over.
    #[must_use]
    pub fn state(&self) -> Option<Sha1> {
        self.links.last().map(|link| link.sha1)
    }

    /// The links that were done by hand.
    #[must_use]
    pub fn by_hand(&self) -> Vec<Sha1> {
        let all = self.links.iter().chain(&self.ahead);
        all.filter(|link| link.how == How::Adopted).map(|link| link.sha1).collect()
    }

    /// Whether links were begun here, and no change of a herd was ever accepted, nor anything reported to one: they were
    /// drilled.
    #[must_use]
    pub fn is_of_drills(&self) -> bool {
        let is_of_a_herd = self.accepted.is_some() || self.reports != Reports::default();
        !is_of_a_herd && (self.started.is_some() || !self.links.is_empty())
    }

    /// What it tells of the past.
    #[must_use]
    pub fn results(&self) -> Results {
        let links = self.links.iter().chain(&self.ahead);
        let told = links.map(|link| LinkResult { name: link.name.clone(), how: link.how, time: link.time });
        Results::latest(told, &self.acceptances)
    }

    /// A change was accepted.
    pub fn accept(&mut self, commit: Sha1, change: u64, time: u64) {
        self.accepted = Some(commit);
        self.acceptances.push(Acceptance { change, time });
        let old = self.acceptances.len().saturating_sub(LATEST);
        self.acceptances.drain(..old);
    }

    /// When it accepted `change`, or the first one after it that it still knows of; 0: it did not.
    #[must_use]
    pub fn heard(&self, change: u64) -> u64 {
        let first = self.acceptances.iter().find(|acceptance| acceptance.change >= change);
        first.map_or(0, |acceptance| acceptance.time)
    }

    /// Whether it has not seen yet that these canaries have baked, which they are to.
    #[must_use]
    pub fn awaits_bake(&self, canary: &Canary) -> bool {
        canary.change > 0 && canary.bake.is_some() && self.baked.is_none_or(|baked| baked.change != canary.change)
    }

    /// What the host has behind it.
    #[must_use]
    pub fn past(&self) -> Past {
        let passed = self.links.iter().filter(|link| link.how == How::PassedOver).map(|link| link.sha1);
        Past { begun: self.begun(), ahead: self.ahead.iter().map(|link| link.sha1).collect(), passed: passed.collect() }
    }

    /// The links that were begun: done, or started at least.
    fn begun(&self) -> BTreeSet<Sha1> {
        self.done().chain(self.started).chain(self.unended.keys().copied()).collect()
    }

    fn done(&self) -> impl Iterator<Item = Sha1> {
        let all = self.links.iter().chain(&self.ahead);
        all.filter(|link| link.how != How::PassedOver).map(|link| link.sha1)
    }

    /// Runners from before `unended` wrote down no more than which link they started last.
    fn with_what_it_began(mut self) -> Self {
        if let Some(started) = self.started.filter(|started| self.done().all(|done| done != *started)) {
            let is_out = self.phase.held().is_some() || !self.in_service || !self.left_behind.is_empty();
            self.unended.entry(started).or_insert(is_out);
        }
        self
    }

    /// The herd knew more of this host than its disk does now. Who is restored again, before it had come so far again, still
    /// catches up as far.
    pub(crate) fn restored_from(&mut self, before: &Report) {
        let known = before.announced.or(before.state);
        self.announced = known.filter(|state| self.links.iter().all(|link| link.sha1 != *state));
    }

    /// A link is behind the host.
    fn push(&mut self, link: LinkRecord) {
        self.announced = self.announced.filter(|announced| *announced != link.sha1);
        if link.how != How::PassedOver {
            self.unended.remove(&link.sha1);
        }
        self.links.push(link);
    }

    fn happened(&mut self, event: Event) -> Result<(), StoreError> {
        match event {
            Event::LinkStarts(link) => {
                // Where another one ran since, what it requires may hold no longer.
                let is_anew = self.started.replace(link) != Some(link);
                let is_out = self.phase.held().is_some() || !self.in_service;
                *self.unended.entry(link).or_default() |= is_out;
                let unended = &self.unended;
                let stands = |step: &Step| step.link != link || !(is_anew && step.is_requirement());
                self.steps.retain(|step| unended.contains_key(&step.link) && stands(step));
            }
            // Whoever tries it again starts it anew, and what it requires may hold no longer.
            Event::LinkFailed(_) => self.steps.retain(|step| !step.is_requirement()),
            _ => {}
        }
        self.phase = self.phase.next(event)?;
        Ok(())
    }

    pub(crate) fn add(&mut self, link: &Link, how: How, time: u64) {
        if how != How::PassedOver {
            self.steps.retain(|step| step.link != link.sha1);
            self.kept_out_by.clear();
        }
        self.push(LinkRecord { sha1: link.sha1, name: link.name.clone(), how, time });
    }

    /// What was done before the host gained a role counts as it was done.
    pub(crate) fn pass_over(&mut self, link: &Link, time: u64) {
        match self.ahead.iter().position(|ahead| ahead.sha1 == link.sha1) {
            Some(place) => {
                let done = self.ahead.remove(place);
                self.push(done);
            }
            None => self.add(link, How::PassedOver, time),
        }
    }

    /// What was passed over from `link` on is judged anew.
    pub(crate) fn go_back(&mut self, link: &Link) {
        let Some(place) = self.links.iter().position(|behind| behind.sha1 == link.sha1) else { return };
        let done = self.links.split_off(place).into_iter().filter(|behind| behind.how != How::PassedOver);
        self.ahead = done.chain(std::mem::take(&mut self.ahead)).collect();
    }
}

/// Where a record lies.
pub trait Shelf: std::fmt::Debug {
    /// Puts `new` in the place of `old`, as a whole, so that a crash does not take it.
    ///
    /// # Errors
    /// When that fails; `old` is still there then.
    fn put(&self, old: &Record, new: &Rc<Record>) -> Result<(), StoreError>;
}

/// The record and where it lies.
#[derive(Debug)]
pub struct Store {
    shelf: Box<dyn Shelf>,
    record: RefCell<Rc<Record>>,
}

/// Why the record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file can't be read or written.
    #[error("the record of this host is not safe on disk")]
    File(#[from] FileError),
    /// The file is no record.
    #[error("the record of this host, {}, can't be read or written", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A newer runner wrote it.
    #[error("the record of this host, {}, has the format {found}, and this runner knows {FORMAT}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The agent is wrong about where it is.
    #[error(transparent)]
    Illegal(#[from] IllegalEvent),
}

impl Store {
    /// Reads the record at `path`; where there is none, nothing has happened yet.
    ///
    /// # Errors
    /// When it is there and can't be read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let record = match files::read_optional(path)? {
            None => Record::default(),
            Some(bytes) => Record::decode(path, &bytes)?,
        };
        Ok(Self::on(InFile(path.to_owned()), record.with_what_it_began()))
    }

    /// The record that lies on this shelf.
    pub fn on(shelf: impl Shelf + 'static, record: impl Into<Rc<Record>>) -> Self {
        Self { shelf: Box::new(shelf), record: RefCell::new(record.into()) }
    }

    /// What the disk says.
    #[must_use]
    pub fn record(&self) -> Rc<Record> {
        Rc::clone(&self.record.borrow())
    }

    /// When the host came past a link last, in seconds since 1970, UTC; 0: it never did.
    #[must_use]
    pub(super) fn worked(&self) -> u64 {
        self.record.borrow().links.iter().map(|link| link.time).max().unwrap_or_default()
    }

    /// Changes the record, on disk and then in memory.
    ///
    /// # Errors
    /// When it can't be written; then nothing has changed.
    pub fn update(&self, change: impl FnOnce(&mut Record)) -> Result<(), StoreError> {
        self.try_update(|record| {
            change(record);
            Ok(())
        })
    }

    /// Something happened that moves the phase.
    ///
    /// # Errors
    /// When it can't happen here, or can't be written; then nothing has changed.
    pub fn happened(&self, event: Event) -> Result<(), StoreError> {
        self.try_update(|record| record.happened(event))
    }

    /// A link starts, in a host that was asked by that change to try again what failed, or by none.
    ///
    /// # Errors
    /// As [`Store::happened`].
    pub fn starts(&self, link: Sha1, retry: u64) -> Result<(), StoreError> {
        self.try_update(|record| {
            record.retry = retry;
            record.happened(Event::LinkStarts(link))
        })
    }

    /// A link is about to be run, for the first time or again: of its steps, those that stand are taken to have run in
    /// it as it is now.
    ///
    /// # Errors
    /// When it can't be written; then nothing has changed.
    pub fn begin(&self, link: &Link, terms: Terms) -> Result<(), StoreError> {
        self.update(|record| {
            let standing = standing(&record.steps, link, terms);
            record.steps.retain(|step| step.link != link.sha1);
            record.steps.extend(standing);
        })
    }

    /// A link was run, and its specs passed.
    ///
    /// # Errors
    /// As [`Store::happened`].
    pub fn done(&self, link: &Link, time: u64) -> Result<(), StoreError> {
        if fault::planted(Bug::TwoWrites) {
            self.update(|record| record.add(link, How::Done, time))?;
            return self.happened(Event::LinkDone);
        }
        self.try_update(|record| {
            record.phase = record.phase.next(Event::LinkDone)?;
            record.add(link, How::Done, time);
            Ok(())
        })
    }

    /// What failed is tried again, as the change of this number asks or because it differs; so no older change is acted on.
    ///
    /// # Errors
    /// As [`Store::happened`].
    pub fn tried_again(&self, change: u64) -> Result<(), StoreError> {
        self.try_update(|record| {
            record.phase = record.phase.next(Event::TryAgain)?;
            record.acted = record.acted.max(change);
            Ok(())
        })
    }

    /// Before the specs of a link are asked whether it was done by hand, as the change of this number says. Of a link that
    /// failed, `unknown` is remembered until they have answered.
    ///
    /// # Errors
    /// As [`Store::happened`].
    pub fn adopts(&self, change: u64, unknown: Option<Failure>) -> Result<(), StoreError> {
        self.try_update(|record| {
            if let Some(unknown) = unknown {
                record.phase = record.phase.next(Event::AdoptionRefused(unknown))?;
            }
            record.acted = record.acted.max(change);
            Ok(())
        })
    }

    /// A link was done by hand, and its specs passed. What its steps gave is of no more use.
    ///
    /// # Errors
    /// As [`Store::happened`].
    pub fn adopted(&self, link: &Link, time: u64) -> Result<(), StoreError> {
        self.try_update(|record| {
            if matches!(record.phase, Phase::Failed { .. }) {
                record.phase = record.phase.next(Event::Adopted)?;
            }
            record.steps.retain(|step| step.link != link.sha1);
            record.add(link, How::Adopted, time);
            Ok(())
        })
    }

    /// Links were passed over, some of them perhaps since they were done before the host gained a role.
    ///
    /// # Errors
    /// When it can't be written; then nothing has changed.
    pub fn passed_over(&self, links: &[Link], time: u64) -> Result<(), StoreError> {
        self.update(|record| links.iter().for_each(|link| record.pass_over(link, time)))
    }

    /// The host gained the role of `link`, which it passed over: its state is what was before that.
    ///
    /// # Errors
    /// When it can't be written; then nothing has changed.
    pub fn regained(&self, link: &Link) -> Result<(), StoreError> {
        self.update(|record| record.go_back(link))
    }

    /// The host has rejoined as these roles, but for those that it has lost meanwhile.
    ///
    /// # Errors
    /// As [`Store::happened`].
    pub fn rejoined(&self, roles: &[String], lost: &BTreeSet<String>) -> Result<(), StoreError> {
        self.try_update(|record| {
            record.phase = record.phase.next(Event::Rejoined)?;
            record.in_service = true;
            record.kept_out_by.clear();
            record.left_behind.retain(|role| !roles.contains(role));
            record.left_behind.extend(lost.iter().cloned());
            Ok(())
        })
    }

    /// A spec, in words, keeps the host out of load.
    ///
    /// # Errors
    /// When it can't be written; then nothing has changed.
    pub fn kept_out_by(&self, spec: String) -> Result<(), StoreError> {
        self.update(|record| {
            record.kept_out_by.insert(spec);
        })
    }

    fn try_update(&self, change: impl FnOnce(&mut Record) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let old = self.record();
        let mut new = Record::clone(&old);
        change(&mut new)?;
        new.format = FORMAT;
        if new != *old {
            let new = Rc::new(new);
            self.shelf.put(&old, &new)?;
            self.record.replace(new);
        }
        Ok(())
    }
}

/// A record in a file of its own.
#[derive(Debug)]
struct InFile(PathBuf);

impl Shelf for InFile {
    #[cfg_attr(not(feature = "faults"), expect(unused_variables, reason = "only faults ask what a change is about"))]
    fn put(&self, old: &Record, new: &Rc<Record>) -> Result<(), StoreError> {
        let text = new.encode(&self.0)?;
        #[cfg(feature = "faults")]
        let _during = fault::during(passage::subject(old, new));
        Ok(files::write(&self.0, text, 0o600)?)
    }
}

/// The steps that stand in a link: those that ran under its digest, and those that it keeps from before it was amended.
#[must_use]
pub(super) fn standing(steps: &[Step], link: &Link, terms: Terms) -> Vec<Step> {
    let mine = steps.iter().filter(|step| step.link == link.sha1);
    let stands = |step: &&Step| step.digest == link.digest || terms.keeps.contains(&step.name.as_str());
    mine.filter(stands).map(|step| Step { digest: link.digest, ..step.clone() }).collect()
}

impl Debts for Store {
    fn owe(&self, debt: Debt) -> Result<(), DebtError> {
        let owed = self.update(|record| {
            if !record.debts.contains(&debt) {
                record.debts.push(debt);
            }
        });
        owed.map_err(|error| DebtError(Box::new(error)))
    }

    fn owed(&self) -> Vec<Debt> {
        self.record.borrow().debts.clone()
    }

    fn paid(&self, debt: &Debt) -> Result<(), DebtError> {
        self.update(|record| record.debts.retain(|other| other != debt)).map_err(|error| DebtError(Box::new(error)))
    }
}

impl Journal for Store {
    fn steps(&self) -> Vec<Step> {
        self.record.borrow().steps.clone()
    }

    fn finish(&self, step: Step) -> Result<(), JournalError> {
        let finished = self.update(|record| {
            record.steps.retain(|other| !other.is_same(&step));
            record.steps.push(step);
        });
        finished.map_err(|error| JournalError(Box::new(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::DebtAction;

    fn link(n: u8) -> Link {
        let name = format!("m{n}");
        let digest = Digest::of(name.as_bytes());
        Link::new(name, Sha1::from_bytes([n; 20]), "web", digest)
    }

    #[test]
    fn what_was_written_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record.json");
        let store = Store::open(&path).unwrap();
        store.passed_over(&[link(1), link(2)], 5).unwrap();
        store.owe(Debt { action: DebtAction::Reload, service: "nginx".into() }).unwrap();
        assert_eq!(Store::open(&path).unwrap().record(), store.record());
        assert_eq!(store.record().state(), Some(Sha1::from_bytes([2; 20])));
    }

    #[test]
    fn roles_that_were_lost_out_of_load_are_left_behind_until_the_host_is_back_as_them() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("record.json")).unwrap();
        let roles = |names: &str| names.split_whitespace().map(str::to_owned).collect::<Vec<String>>();
        let check = |rejoining: &str, lost: &str, expect: &str| {
            store.happened(Event::AtTarget).unwrap();
            store.rejoined(&roles(rejoining), &roles(lost).into_iter().collect()).unwrap();
            let left_behind: Vec<String> = store.record().left_behind.iter().cloned().collect();
            assert_eq!(left_behind, roles(expect), "{rejoining}, without {lost}");
        };
        check("cache web", "", "");
        check("cache web", "cache", "cache");
        check("web", "", "cache");
        check("database web", "database", "cache database");
        check("cache web", "", "database");
    }

    #[test]
    fn what_could_not_be_written_did_not_happen() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("gone").join("record.json")).unwrap();
        assert!(store.passed_over(&[link(1)], 5).is_err());
        assert_eq!(*store.record(), Record::default());
    }

    #[test]
    fn a_broken_record_is_named_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record.json");
        for broken in ["", "{", "[]", "0", "\0\0", r#"{"phase": {"phase": "dancing"}}"#, r#"{"links": [{}]}"#] {
            files::write(&path, broken, 0o600).unwrap();
            let error = Store::open(&path).unwrap_err();
            let expect = format!("the record of this host, {}, can't be read or written", path.display());
            assert_eq!(error.to_string(), expect, "{broken}");
            assert_eq!(files::read(&path).unwrap(), broken.as_bytes());
        }
    }

    #[test]
    fn a_record_of_a_newer_format_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record.json");
        files::write(&path, r#"{"format": 2, "phase": "new"}"#, 0o600).unwrap();
        let error = Store::open(&path).unwrap_err().to_string();
        assert!(error.ends_with("record.json, has the format 2, and this runner knows 1"), "{error}");
    }

    #[test]
    fn links_that_no_change_ordered_were_drilled() {
        let check = |record: Record, expect: bool| assert_eq!(record.is_of_drills(), expect, "{record:?}");
        let done = LinkRecord { sha1: Sha1::ZERO, name: "base".into(), how: How::Done, time: 5 };
        let links = || Record { links: vec![done.clone()], ..Record::default() };
        check(Record::default(), false);
        check(links(), true);
        check(Record { started: Some(Sha1::ZERO), ..Record::default() }, true);
        check(Record { accepted: Some(Sha1::ZERO), ..links() }, false);
        let reports = Reports { pending: Some(Sha1::ZERO), ..Reports::default() };
        check(Record { reports, ..links() }, false);
    }

    #[test]
    fn an_illegal_event_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("record.json")).unwrap();
        assert!(store.done(&link(1), 5).is_err());
        assert_eq!(*store.record(), Record::default());
    }

    #[test]
    fn what_was_started_was_begun_and_what_was_passed_over_was_not() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("record.json")).unwrap();
        store.passed_over(&[link(1)], 5).unwrap();
        let sha1 = |n| Sha1::from_bytes([n; 20]);
        store.happened(Event::LegPlanned(super::super::phase::Leg { until: sha1(3), held: None })).unwrap();
        for n in [2, 3] {
            store.happened(Event::LinkStarts(sha1(n))).unwrap();
            store.done(&link(n), 6).unwrap();
        }
        store.happened(Event::LinkStarts(sha1(4))).unwrap();
        assert_eq!(store.record().past().begun, [sha1(2), sha1(3), sha1(4)].into());
    }

    #[test]
    fn what_was_begun_stays_so_until_it_is_done_whatever_is_begun_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = failed(dir.path());
        let check = |expect: &[u8]| {
            let expect: BTreeSet<Sha1> = expect.iter().map(|n| link(*n).sha1).collect();
            assert_eq!(store.record().past().begun, expect);
        };
        let starts = |n| store.happened(Event::LinkStarts(link(n).sha1)).unwrap();
        check(&[2]);
        store.happened(Event::TryAgain).unwrap();
        starts(1);
        store.begin(&link(1), Terms::default()).unwrap();
        check(&[1, 2]);
        store.done(&link(1), 5).unwrap();
        assert_eq!(store.record().steps.iter().map(|step| step.link).collect::<Vec<_>>(), [link(2).sha1]);
        store.passed_over(&[link(2)], 5).unwrap();
        starts(3);
        check(&[1, 2, 3]);
        assert_eq!(store.record().steps.iter().map(|step| step.link).collect::<Vec<_>>(), [link(2).sha1]);
        store.done(&link(3), 5).unwrap();
        store.update(|record| record.go_back(&link(2))).unwrap();
        starts(2);
        store.done(&link(2), 6).unwrap();
        check(&[1, 2, 3]);
        assert_eq!((store.record().unended.len(), &store.record().steps[..]), (0, &[][..]));
    }

    #[test]
    fn what_an_older_runner_began_is_known() {
        let check = |record: Record, expect: &[(Sha1, bool)]| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("record.json");
            files::write(&path, record.encode(&path).unwrap(), 0o600).unwrap();
            assert_eq!(Store::open(&path).unwrap().record().unended, expect.iter().copied().collect());
        };
        let started = Record { started: Some(link(2).sha1), in_service: true, ..Record::default() };
        check(Record::default(), &[]);
        check(started.clone(), &[(link(2).sha1, false)]);
        check(Record { in_service: false, ..started.clone() }, &[(link(2).sha1, true)]);
        let mut done = started;
        done.add(&link(2), How::Done, 5);
        check(done, &[]);
    }

    /// A host that failed at its second link, half of whose steps are done.
    fn failed(dir: &Path) -> (Store, Failure) {
        let store = Store::open(&dir.join("record.json")).unwrap();
        store.happened(Event::LegPlanned(super::super::phase::Leg { until: link(3).sha1, held: None })).unwrap();
        store.happened(Event::LinkStarts(link(2).sha1)).unwrap();
        let digest = Digest::of(b"");
        let step = |n: u8| Step { link: link(n).sha1, digest, name: "s".into(), occurrence: 0, value: 1.into() };
        store.update(|record| record.steps = vec![step(1), step(2)]).unwrap();
        let failure =
            Failure { link: link(2).sha1, name: "m2".into(), digest, settings: digest, error: "no luck".into() };
        store.happened(Event::LinkFailed(failure.clone())).unwrap();
        (store, failure)
    }

    #[test]
    fn what_was_done_by_hand_is_behind_the_host_and_its_steps_are_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let (store, failure) = failed(dir.path());
        let unknown = Failure { error: "cut short".into(), ..failure };
        store.adopts(7, Some(unknown.clone())).unwrap();
        let record = store.record();
        assert!(matches!(&record.phase, Phase::Failed { failure, .. } if *failure == unknown));
        assert_eq!((record.acted, record.state()), (7, None));
        store.adopted(&link(2), 9).unwrap();
        let record = store.record();
        assert!(matches!(record.phase, Phase::Out { .. }), "{:?}", record.phase);
        assert_eq!((record.state(), record.by_hand()), (Some(link(2).sha1), vec![link(2).sha1]));
        assert_eq!(record.steps.iter().map(|step| step.link).collect::<Vec<_>>(), [link(1).sha1]);
        assert!(record.begun().contains(&link(2).sha1));
    }

    #[test]
    fn no_change_is_acted_on_after_a_newer_one() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = failed(dir.path());
        store.adopts(7, None).unwrap();
        store.tried_again(5).unwrap();
        assert_eq!(store.record().acted, 7);
        assert!(store.tried_again(8).is_err(), "nothing failed any more");
        assert_eq!(store.record().acted, 7);
    }

    fn step(link: &Link, name: &str) -> Step {
        let value = serde_json::Value::Null;
        Step { link: link.sha1, digest: link.digest, name: name.into(), occurrence: 0, value }
    }

    fn names(steps: &[Step]) -> Vec<&str> {
        steps.iter().map(|step| step.name.as_str()).collect()
    }

    #[test]
    fn the_steps_of_a_link_stand_until_it_changes_and_then_those_that_it_keeps() {
        let before = link(1);
        let after = Link { digest: Digest::of(b"amended"), ..before.clone() };
        let steps = [step(&before, "initdb"), step(&before, "password"), step(&link(2), "initdb")];
        let check = |link: &Link, keeps: &'static [&'static str], expect: &[&str]| {
            let stand = standing(&steps, link, Terms { keeps, ..Terms::NONE });
            assert_eq!(names(&stand), expect);
            assert!(stand.iter().all(|step| step.digest == link.digest));
        };
        check(&before, &[], &["initdb", "password"]);
        check(&after, &[], &[]);
        check(&after, &["password", "unknown"], &["password"]);
    }

    /// A store whose link 1 runs and has finished these steps.
    fn running(dir: &Path, steps: &[&str]) -> Store {
        let store = Store::open(&dir.join("record.json")).unwrap();
        let leg = super::super::phase::Leg { until: link(1).sha1, held: None };
        store.happened(Event::LegPlanned(leg)).unwrap();
        store.starts(link(1).sha1, 0).unwrap();
        steps.iter().for_each(|name| store.finish(step(&link(1), name)).unwrap());
        store
    }

    #[test]
    fn steps_are_on_disk_until_their_link_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let store = running(dir.path(), &["initdb", "password", "initdb"]);
        let read = || Store::open(&dir.path().join("record.json")).unwrap().record().steps.clone();
        assert_eq!(names(&read()), ["password", "initdb"]);
        store.done(&link(1), 5).unwrap();
        assert_eq!(read(), []);
    }

    #[test]
    fn a_link_that_failed_keeps_its_steps_and_forgets_what_it_required() {
        let dir = tempfile::tempdir().unwrap();
        let store = running(dir.path(), &["require!(memory)", "initdb", "reboot"]);
        let digest = Digest::of(b"");
        let failure = crate::report::Failure {
            link: link(1).sha1,
            name: "m1".into(),
            digest,
            settings: digest,
            error: "no luck".into(),
        };
        store.happened(Event::LinkFailed(failure)).unwrap();
        store.happened(Event::TryAgain).unwrap();
        store.starts(link(1).sha1, 7).unwrap();
        assert_eq!((names(&store.record().steps), store.record().retry), (vec!["initdb", "reboot"], 7));
    }

    #[test]
    fn a_pending_report_counts_as_mine() {
        let mut reports = Reports { written: Some(Sha1::from_bytes([1; 20])), ..Reports::default() };
        reports.intend(Sha1::from_bytes([2; 20]), Uuid::nil());
        let check = |n, expect| assert_eq!(reports.is_mine(Sha1::from_bytes([n; 20])), expect);
        check(1, true);
        check(2, true);
        check(3, false);
    }
}
