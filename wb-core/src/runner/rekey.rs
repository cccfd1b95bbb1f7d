//! Another identity for a machine that has one: a clone that becomes a host of its own (`rekey`), a machine that takes
//! the place of a lost one (`replace`), and one that was retired and enrols once more.
//!
//! The new key, record and `host.toml` are made in a directory beside the old ones, `host.toml` last: from then on
//! the change is decided. Then each of them is put in place, which may be done any number of times, and the directory
//! goes. So the command may be cut short anywhere, and is run again.

use std::collections::BTreeSet;
use std::path::PathBuf;

use uuid::Uuid;

use super::enroll::{EnrollError, Enrollment, announce, ask, join, refuse_drilled, refuse_taken, refuse_wrong};
use super::home::{Home, HomeError, HostConfig};
use crate::agent::phase::Phase;
use crate::agent::{Record, Reports, Store};
use crate::change::Manifest;
use crate::herd::is_name;
use crate::registry::{Registry, RegistryError, VerifiedChange, generate, public_key};
use crate::system::{FileError, System, files};

/// Gives this machine, which is a copy of another one, an identity of its own, and announces it. The links that the disk
/// has stay done. Gives the public key of the new identity. Running it again after an error goes on where it stopped.
///
/// # Errors
/// As [`enroll`](super::enroll()).
pub fn rekey(home: &Home, name: &str, system: &System) -> Result<String, EnrollError> {
    if !is_name(name) {
        return Err(EnrollError::Name { name: name.to_owned() });
    }
    let _lock = home.lock()?.ok_or(EnrollError::Running)?;
    refuse_drilled(home)?;
    put_in_place(home)?;
    let config = home.read_config()?;
    if config.name != name || !is_new(home, &config)? {
        let next = HostConfig { uuid: Uuid::new_v4(), name: name.to_owned(), ..config };
        let record = cloned(&Store::open(&home.record())?.record());
        prepare(home, &next, &record, refuse_taken)?;
        put_in_place(home)?;
    }
    let config = home.read_config()?;
    let registry = home.registry(&config.remote)?;
    let newest = ask(home, &registry)?;
    refuse_taken(&registry, &config, newest.as_ref().map(|change| &change.manifest))?;
    announce(&registry, &Store::open(&home.record())?, &config, home, system)
}

/// Lets this machine, starting with nothing, take the place of a host that was lost. What it was before counts no more.
/// Gives the public key of its identity. Running it again after an error goes on where it stopped.
///
/// # Errors
/// As [`enroll`](super::enroll()), apart from the name, which another machine may have.
pub fn replace(home: &Home, wanted: &Enrollment, system: &System) -> Result<String, EnrollError> {
    refuse_wrong(wanted)?;
    files::create_dir(home.state())?;
    let _lock = home.lock()?.ok_or(EnrollError::Running)?;
    refuse_drilled(home)?;
    put_in_place(home)?;
    let announced = Store::open(&home.record())?.record().reports.pending.is_some();
    if announced && files::exists(home.host_toml()) {
        let config = home.read_config()?;
        if config.name != wanted.name || !is_new(home, &config)? {
            begin_as(home, wanted, &Record::default(), whoever)?;
        }
    }
    join(home, wanted, system, whoever)
}

/// Gives a machine that the herd has retired an identity of its own, under which it enrols. What it has done stays done.
pub(super) fn leave_retired(home: &Home, wanted: &Enrollment) -> Result<(), EnrollError> {
    put_in_place(home)?;
    if is_retired(home)? {
        begin_as(home, wanted, &cloned(&Store::open(&home.record())?.record()), refuse_taken)?;
    }
    Ok(())
}

fn begin_as(home: &Home, wanted: &Enrollment, record: &Record, judge: Judge) -> Result<(), EnrollError> {
    files::write(home.allowed_signers(), &wanted.allowed_signers, 0o644)?;
    let Enrollment { name, remote, poll, runner, .. } = wanted.clone();
    let next = HostConfig { uuid: Uuid::new_v4(), name, remote, poll, runner, verify: HostConfig::VERIFY };
    prepare(home, &next, record, judge)?;
    Ok(put_in_place(home)?)
}

/// Who never had to do with a herd is not retired, and may have mistaken the remote.
fn is_retired(home: &Home) -> Result<bool, EnrollError> {
    let config = match home.read_config() {
        Err(HomeError::NotEnrolled { .. }) => return Ok(false),
        config => config?,
    };
    let record = Store::open(&home.record())?.record();
    if record.reports.pending.is_none() && record.accepted.is_none() {
        return Ok(false);
    }
    let newest = ask(home, &home.registry(&config.remote)?)?;
    Ok(newest.is_some_and(|newest| newest.manifest.retirement(config.uuid).is_some()))
}

/// Who may have the name.
type Judge = fn(&Registry, &HostConfig, Option<&Manifest>) -> Result<(), EnrollError>;

fn whoever(_: &Registry, _: &HostConfig, _: Option<&Manifest>) -> Result<(), EnrollError> {
    Ok(())
}

/// Whether this identity is this machine's own, and nobody has admitted it yet: then it needs no other one.
fn is_new(home: &Home, config: &HostConfig) -> Result<bool, EnrollError> {
    if Store::open(&home.record())?.record().reports == Reports::default() {
        return Ok(true);
    }
    let registry = home.registry(&config.remote)?;
    let newest: Option<VerifiedChange> = ask(home, &registry)?;
    Ok(newest.is_none_or(|newest| !newest.manifest.knows(config.uuid)))
}

/// What the disk of a clone, or of a retired host, says of it: the links are done and what is owed is owed, and no claim is its own. It was never in
/// load under its new name; what it was amid, it begins again.
#[must_use]
pub fn cloned(record: &Record) -> Record {
    Record {
        in_service: false,
        phase: Phase::InLoad,
        reports: Reports::default(),
        taking_over: None,
        contested: None,
        announced: None,
        left_behind: BTreeSet::new(),
        ..record.clone()
    }
}

/// Makes the new identity beside the old one. The remote must know its key before it counts.
fn prepare(home: &Home, next: &HostConfig, record: &Record, judge: Judge) -> Result<(), EnrollError> {
    let new = home.next().home;
    if !files::exists(new.state()) {
        files::create_private_dir(new.state())?;
    }
    if public_key(&new.key()).is_err() {
        files::remove(new.key())?;
        generate(&new.key(), &next.name)?;
    }
    let registry = home.registry_as(&next.remote, &new.key())?;
    let newest = ask(home, &registry).map_err(|error| of_key(error, new.key()))?;
    judge(&registry, next, newest.as_ref().map(|change| &change.manifest))?;
    Store::open(&new.record())?.update(|old| old.clone_from(record))?;
    Ok(new.write_config(next)?)
}

fn of_key(error: EnrollError, key: PathBuf) -> EnrollError {
    match error {
        EnrollError::Registry(source @ RegistryError::Unreachable { .. }) => {
            EnrollError::NewKey { key, source: Box::new(source) }
        }
        error => error,
    }
}

/// Puts a new identity in place that was decided.
fn put_in_place(home: &Home) -> Result<(), FileError> {
    let next = home.next();
    let new = &next.home;
    if files::exists(new.host_toml()) {
        let public = |key: PathBuf| key.with_extension("pub");
        for (from, to, mode) in [
            (new.record(), home.record(), 0o600),
            (new.key(), home.key(), 0o600),
            (public(new.key()), public(home.key()), 0o644),
            (new.host_toml(), home.host_toml(), 0o644),
        ] {
            files::write(to, files::read(from)?, mode)?;
        }
        home.forget_connections()?;
        files::remove_tree(&next.done)?;
        files::rename(new.state(), &next.done)?;
    }
    files::remove_tree(&next.done).map(drop)
}
