//! Enrolment: a machine gets an identity, and announces itself. Nobody is admitted by this: that is an operator's
//! signed change.

use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use super::home::{Home, HomeError, HostConfig};
use super::rekey;
use crate::agent::identity::{self, Verdict};
use crate::agent::{self, incarnation, pace};
use crate::chain::Digest;
use crate::change::Manifest;
use crate::herd::is_name;
use crate::registry::{
    AllowedSigners, ChangeLog, LogError, Mirror as _, Pushed, RefName, RefUpdate, Registry, RegistryError,
    SignatureError, SigningKey, VerifiedChange, generate, public_key,
};
use crate::report::{Doing, Report};
use crate::system::fault::{self, Subject};
use crate::system::{FileError, System, files};

/// What a machine enrols with.
#[derive(Debug, Clone)]
pub struct Enrollment {
    /// What people will call it.
    pub name: String,
    /// The git repository that the herd lives in.
    pub remote: String,
    /// Whose changes will count here.
    pub allowed_signers: String,
    /// How often to look for changes.
    pub poll: Duration,
    /// Where the runner is installed.
    pub runner: PathBuf,
}

/// Why a machine could not enrol.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// No host can have that name.
    #[error("`{name}` is no host name: use letters, digits, `-` and `_`, at most 63 of them")]
    Name {
        /// The name.
        name: String,
    },
    /// Somebody else has that name.
    #[error("the name `{name}` is taken by another machine")]
    Taken {
        /// The name.
        name: String,
    },
    /// This machine is a host already.
    #[error("this machine is enrolled already, as `{name}` with the remote {remote}")]
    Enrolled {
        /// Its name.
        name: String,
        /// Its remote.
        remote: String,
    },
    /// The agent of this machine is at work.
    #[error("an agent of this machine is running")]
    Running,
    /// Links were drilled on this machine, which no change ever told anybody to run.
    #[error("links were drilled on this machine, and no host is made of it: there is {}", found.display())]
    Drilled {
        /// What tells of it.
        found: PathBuf,
        /// What says that links are to be drilled here.
        script: PathBuf,
        /// Where the record of them lies.
        state: PathBuf,
    },
    /// Nobody's changes would count.
    #[error("the list of allowed signers is empty")]
    NoSigners,
    /// The herd knows this machine's identity, and this machine's disk does not: it was put back to before it enrolled.
    #[error("this machine's identity, `{name}`, has reported before, and its disk knows nothing of it")]
    Forgotten {
        /// Its name.
        name: String,
    },
    /// Another machine wrote at the same moment.
    #[error("the announcement of `{name}` was overtaken")]
    Overtaken {
        /// The name.
        name: String,
    },
    /// The remote does not let the new key in.
    #[error("the new key of this machine, {}, does not reach the remote", key.display())]
    NewKey {
        /// The private key.
        key: PathBuf,
        /// Why.
        source: Box<RegistryError>,
    },
    /// No key could be made.
    #[error(transparent)]
    Key(#[from] SignatureError),
    /// The machine's own files.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The remote.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The log of changes.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The machine's record.
    #[error(transparent)]
    Store(#[from] agent::StoreError),
}

/// Enrols this machine; running it again after an error goes on where it stopped. One that was retired becomes a new
/// host, and keeps the record of what it has done. A server that drops connections, as sshd does when many come at once, is
/// asked again. Gives the public key that the report is signed with, by which an operator recognises the machine.
///
/// # Errors
/// When the name is taken, the remote can't be reached or does not let this machine write, or a file can't be written.
pub fn enroll(home: &Home, wanted: &Enrollment, system: &System) -> Result<String, EnrollError> {
    refuse_wrong(wanted)?;
    files::create_dir(home.state())?;
    let _lock = home.lock()?.ok_or(EnrollError::Running)?;
    refuse_drilled(home)?;
    rekey::leave_retired(home, wanted)?;
    let mut dropped = 0;
    loop {
        let joined = join(home, wanted, system, refuse_taken);
        let is_dropped = matches!(&joined, Err(EnrollError::Registry(error)) if error.is_dropped());
        dropped += u32::from(is_dropped);
        match pace::enrolment(dropped, Uuid::new_v4().as_u64_pair().0).filter(|_| is_dropped) {
            Some(pause) => system.clock().sleep(pause),
            None => return joined,
        }
    }
}

/// Whether the newest change has this machine as a host, as far as was fetched.
pub(super) fn is_admitted(home: &Home) -> Result<bool, EnrollError> {
    let config = home.read_config()?;
    let newest = newest_change(home, &home.registry_beside(&config.remote)?)?;
    Ok(newest.is_some_and(|newest| newest.manifest.host_of(config.uuid).is_some()))
}

pub(super) fn refuse_wrong(wanted: &Enrollment) -> Result<(), EnrollError> {
    if !is_name(&wanted.name) {
        return Err(EnrollError::Name { name: wanted.name.clone() });
    }
    let signers = wanted.allowed_signers.lines().map(str::trim);
    match signers.filter(|line| !line.is_empty() && !line.starts_with('#')).count() {
        0 => Err(EnrollError::NoSigners),
        _ => Ok(()),
    }
}

/// What was drilled here would count as done, in a herd that was never told to do it: as on a disk image that was cut
/// from a host of a test.
pub(super) fn refuse_drilled(home: &Home) -> Result<(), EnrollError> {
    // A record that can't be read is named by whoever goes on with it.
    let is_recorded = || agent::Store::open(&home.record()).is_ok_and(|store| store.record().is_of_drills());
    let script = home.drill_json();
    let found = match files::exists(&script) {
        true => script.clone(),
        false if is_recorded() => home.record(),
        false => return Ok(()),
    };
    Err(EnrollError::Drilled { found, script, state: home.state().to_owned() })
}

/// Gives this machine an identity, if it has none, and announces it, if `judge` lets its name pass.
pub(super) fn join(
    home: &Home,
    wanted: &Enrollment,
    system: &System,
    judge: fn(&Registry, &HostConfig, Option<&Manifest>) -> Result<(), EnrollError>,
) -> Result<String, EnrollError> {
    let config = identity(home, wanted)?;
    let registry = home.registry(&config.remote)?;
    let newest = ask(home, &registry)?;
    judge(&registry, &config, newest.as_ref().map(|change| &change.manifest))?;
    let store = agent::Store::open(&home.record())?;
    if let Some(newest) = &newest {
        registry.keep("accepted", newest.sha1)?;
        store.update(|record| record.accepted = record.accepted.or(Some(newest.sha1)))?;
    }
    announce(&registry, &store, &config, home, system)
}

/// Fetches what tells who is who, and gives the newest change.
pub(super) fn ask(home: &Home, registry: &Registry) -> Result<Option<VerifiedChange>, EnrollError> {
    registry.fetch(&["refs/wildebeest/changes".into(), "refs/wildebeest/report/".into()])?;
    newest_change(home, registry)
}

/// Key first, then `host.toml`: a machine that has the second has the first. What nobody was told yet may still change:
/// who mistook the name, the remote or the signers runs the command again.
fn identity(home: &Home, wanted: &Enrollment) -> Result<HostConfig, EnrollError> {
    for path in [home.host_toml(), home.record()] {
        if let Some(parent) = path.parent() {
            files::create_dir(parent)?;
        }
    }
    if !files::exists(home.key()) {
        generate(&home.key(), &wanted.name)?;
    }
    let announced = agent::Store::open(&home.record())?.record().reports.pending.is_some();
    match home.read_config() {
        Ok(config) if announced && (config.name != wanted.name || config.remote != wanted.remote) => {
            Err(EnrollError::Enrolled { name: config.name, remote: config.remote })
        }
        Ok(config) if announced => Ok(config),
        Ok(config) => write_identity(home, config.uuid, wanted),
        Err(HomeError::NotEnrolled { .. }) => write_identity(home, Uuid::new_v4(), wanted),
        Err(error) => Err(error.into()),
    }
}

fn write_identity(home: &Home, uuid: Uuid, wanted: &Enrollment) -> Result<HostConfig, EnrollError> {
    let Enrollment { name, remote, poll, runner, allowed_signers } = wanted.clone();
    let config = HostConfig { uuid, name, remote, poll, runner, verify: HostConfig::VERIFY };
    let _during = fault::during(Subject::AllowedSigners);
    files::write(home.allowed_signers(), allowed_signers, 0o644)?;
    home.write_config(&config)?;
    Ok(config)
}

/// The newest change there is now is the least that this host will ever accept.
fn newest_change(home: &Home, registry: &Registry) -> Result<Option<VerifiedChange>, EnrollError> {
    let allowed: AllowedSigners = home.read_allowed_signers()?;
    let Some(tip) = registry.get(&RefName::Changes)? else { return Ok(None) };
    Ok(Some(ChangeLog::new(registry.objects(), &allowed).read(tip)?))
}

pub(super) fn refuse_taken(
    registry: &Registry,
    config: &HostConfig,
    manifest: Option<&Manifest>,
) -> Result<(), EnrollError> {
    let admitted =
        manifest.and_then(|manifest| manifest.hosts.get(&config.name)).and_then(|host| host.identity.as_ref());
    let other = |uuid: Uuid| uuid != config.uuid;
    let has_name = |report: &Report| report.name == config.name && other(report.uuid);
    let taken = admitted.is_some_and(|identity| other(identity.uuid))
        || !registry.newcomers_who(manifest, has_name)?.is_empty();
    if taken { Err(EnrollError::Taken { name: config.name.clone() }) } else { Ok(()) }
}

/// Tells the herd of this machine, once. Gives its public key.
pub(super) fn announce(
    registry: &Registry,
    store: &agent::Store,
    config: &HostConfig,
    home: &Home,
    system: &System,
) -> Result<String, EnrollError> {
    let (name, public) = (RefName::Report(config.uuid), public_key(&home.key())?);
    let found = registry.get(&name)?;
    let (record, here) = (store.record(), incarnation::read(system));
    if let Some(found) = found {
        return match identity::judge(found, registry.report(found, &public).as_ref(), &record, &here) {
            Verdict::Mine => Ok(public),
            _ => Err(EnrollError::Forgotten { name: config.name.clone() }),
        };
    }
    let report = Report {
        name: config.name.clone(),
        uuid: config.uuid,
        key: public.clone(),
        time: system.clock().now().as_secs(),
        state: record.state(),
        link: record.links.last().map(|link| link.name.clone()),
        in_service: false,
        doing: Doing::Enrolled,
        accepted: None,
        accepted_commit: None,
        runner: Digest::of(&files::read_optional(&config.runner)?.unwrap_or_default()),
        incarnation: here,
        contested: false,
        by_hand: Vec::new(),
        drift: Vec::new(),
        verified: 0,
        since: system.clock().now().as_secs(),
        nonce: Uuid::new_v4(),
        heard: 0,
        baked: None,
        announced: None,
        last_nonces: Vec::new(),
        lines: identity::next(&[]),
        poll: config.poll.as_secs().max(1),
    };
    let commit = registry.write_report(&report, &record.results(), "", &SigningKey::new(home.key()))?;
    store.update(|record| record.reports.intend(commit, report.nonce))?;
    match registry.push(&[RefUpdate { name, expected: found, new: Some(commit) }])? {
        Pushed::Won => {
            let boot_id = &report.incarnation.boot_id;
            store.update(|record| record.reports.stands(commit, &report.lines, boot_id))?;
            Ok(public)
        }
        Pushed::Lost => Err(EnrollError::Overtaken { name: config.name.clone() }),
    }
}
