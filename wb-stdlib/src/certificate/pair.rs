//! A certificate and its key, placed together.

use std::path::{Path, PathBuf};

use wb_core::context::Outcome;
use wb_core::system::System;

use super::{CertificateError, first, openssl, private_key};
use crate::service::Service;
use crate::{Host, Look as _};

/// The mode of a key that others of its group may read.
const OF_GROUP: u32 = 0o640;
const PRIVATE: u32 = 0o600;

/// A certificate and its key. [`Certificate::pair`](super::Certificate::pair) makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn let_postgres_speak_tls(host: &Host, certificate: &str, key: &str) -> Result<()> {
///     host.certificate("/etc/postgresql/server.pem")
///         .pair(certificate, "/etc/postgresql/server.key", key)
///         .owner("postgres")
///         .group("ssl-cert")
///         .reloads(&host.service("postgresql"))
///         .restarts(&host.service("pgbouncer"))
///         .present()?;
///     Ok(())
/// }
/// # use wb_stdlib::testing::{samples::{CERTIFICATE, KEY}, web1};
/// # web1().rehearse(|host| let_postgres_speak_tls(host, CERTIFICATE, KEY));
/// ```
#[must_use = "say what is to be so: `.present()?`"]
pub struct Pair<'a> {
    host: Host<'a>,
    path: PathBuf,
    certificate: Vec<u8>,
    key_path: PathBuf,
    key: Vec<u8>,
    owner: String,
    group: Option<String>,
    services: Vec<(Service<Host<'a>>, bool)>,
}

impl<'a> Pair<'a> {
    pub(super) fn new(host: Host<'a>, path: PathBuf, certificate: Vec<u8>, key_path: &Path, key: Vec<u8>) -> Self {
        let (owner, group, services) = ("root".into(), None, Vec::new());
        Self { host, path, certificate, key_path: key_path.to_owned(), key, owner, group, services }
    }

    /// Whose both are, by name or number; otherwise root's.
    pub fn owner(mut self, user: impl Into<String>) -> Self {
        self.owner = user.into();
        self
    }

    /// A group that may read the key, too, as in `ssl-cert`; otherwise nobody but its owner may.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// When one of them changes, the service is reloaded at the end of the migration.
    pub fn reloads(mut self, service: &Service<Host<'a>>) -> Self {
        self.services.push((service.clone(), false));
        self
    }

    /// When one of them changes, the service is restarted at the end of the migration.
    pub fn restarts(mut self, service: &Service<Host<'a>>) -> Self {
        self.services.push((service.clone(), true));
        self
    }

    /// Both are there, and belong together. The key is written first; until the services are told, they have the old ones.
    ///
    /// # Errors
    /// When one of them is not what it is to be, they are no pair, or a file can't be written. Nothing is written then but,
    /// where the certificate can't be, the key.
    pub fn present(self) -> Result<Outcome, CertificateError> {
        crate::file::check_path(&self.path)?;
        crate::file::check_path(&self.key_path)?;
        self.check(self.host.system())?;
        let mode = if self.group.is_some() { OF_GROUP } else { PRIVATE };
        let key = self.file(&self.key_path, &self.key).mode(mode).private().present()?;
        let certificate = self.file(&self.path, &self.certificate).mode(0o644).present()?;
        Ok([certificate, key].into_iter().reduce(both).unwrap_or(Outcome::Unchanged))
    }

    fn file(&self, path: &Path, content: &[u8]) -> crate::file::File<Host<'a>> {
        let file = self.host.file(path).content(content).owner(&self.owner);
        let file = match &self.group {
            Some(group) => file.group(group),
            None => file,
        };
        self.services.iter().fold(
            file,
            |file, (service, restarts)| {
                if *restarts { file.restarts(service) } else { file.reloads(service) }
            },
        )
    }

    fn check(&self, system: &System) -> Result<(), CertificateError> {
        let parsed = first(&self.certificate);
        let parsed = parsed.ok_or_else(|| CertificateError::BadCertificate { path: self.path.clone() })?;
        let key = private_key(&self.key).ok_or_else(|| CertificateError::BadKey { path: self.key_path.clone() })?;
        if parsed.is_in(&key) || self.is_there(system)? {
            return Ok(());
        }
        // Some keys, such as those of Ed25519, do not say their public half; and what it is not in may be none of it.
        match openssl::public_key(system, &self.key) {
            Ok(public) if public == parsed.public_key => Ok(()),
            Err(CertificateError::OpenSsl { source: wb_core::system::CommandError::NotFound { .. }, .. })
                if self.host.plans() =>
            {
                Ok(())
            }
            Ok(_) => Err(CertificateError::NoPair { certificate: self.path.clone(), key: self.key_path.clone() }),
            Err(error) => Err(error),
        }
    }

    /// Whether both are there already: then they were looked at before.
    fn is_there(&self, system: &System) -> Result<bool, CertificateError> {
        Ok(has(system, &self.path, &self.certificate)? && has(system, &self.key_path, &self.key)?)
    }
}

/// Whether this stands in a file. One of another size, which may be any, is not read.
fn has(system: &System, path: &Path, content: &[u8]) -> Result<bool, CertificateError> {
    match system.stat_of_end(path)? {
        Some(stat) if stat.size == content.len() as u64 => Ok(system.read_file(path)?.as_deref() == Some(content)),
        _ => Ok(false),
    }
}

/// What came of two operations.
fn both(one: Outcome, other: Outcome) -> Outcome {
    match (one, other) {
        (Outcome::Unknown { why }, _) | (_, Outcome::Unknown { why }) => Outcome::Unknown { why },
        (Outcome::Unchanged, Outcome::Unchanged) => Outcome::Unchanged,
        (Outcome::Changed { diff }, Outcome::Unchanged) | (Outcome::Unchanged, Outcome::Changed { diff }) => {
            Outcome::Changed { diff }
        }
        (Outcome::Changed { diff: one }, Outcome::Changed { diff: other }) => {
            let diff: Vec<String> = one.into_iter().chain(other).collect();
            Outcome::Changed { diff: Some(diff.join("\n")) }
        }
    }
}
