//! A machine that was retired and enrols once more: a new host, under a new identity. What it has done stays done.

use super::enroll::EnrollError;
use super::home::{Home, HomeError};
use crate::agent::phase::Phase;
use crate::agent::{Record, Reports, Store};
use crate::registry::{ChangeLog, RefName};
use crate::system::files;

/// Forgets who this machine was, where the herd has retired it. Its name goes last, so that an interrupted run is
/// begun again.
pub(super) fn forget_retired(home: &Home) -> Result<(), EnrollError> {
    if !is_retired(home)? {
        return Ok(());
    }
    Store::open(&home.record())?.update(|record| {
        *record = Record {
            phase: Phase::InLoad,
            in_service: false,
            reports: Reports::default(),
            taking_over: None,
            ..record.clone()
        };
    })?;
    for path in [home.key(), home.key().with_extension("pub"), home.host_toml()] {
        files::remove(path)?;
    }
    Ok(())
}

fn is_retired(home: &Home) -> Result<bool, EnrollError> {
    let config = match home.read_config() {
        Err(HomeError::NotEnrolled { .. }) => return Ok(false),
        config => config?,
    };
    if Store::open(&home.record())?.record().reports.pending.is_none() {
        return Ok(false);
    }
    let registry = home.registry(&config.remote)?;
    registry.fetch(&[RefName::Changes.to_string()])?;
    let Some(tip) = registry.get(&RefName::Changes)? else { return Ok(false) };
    let newest = ChangeLog::new(registry.objects(), &home.read_allowed_signers()?).read(tip)?;
    Ok(newest.manifest.retirement(config.uuid).is_some())
}
