//! The keys of a stage: the operator's, whose word counts on it, and those that hosts are given.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wb_core::registry::{SigningKey, generate, public_key};
use wb_core::system::files;

use super::StageError;
use super::machines::SERVER;
use crate::sandbox::Host;

/// The keys, which lie in a directory.
#[derive(Debug, Clone)]
pub struct Keys {
    dir: PathBuf,
    operator: SigningKey,
    public: String,
}

/// A new key of a host, both halves.
pub(super) struct HostKey {
    pub(super) private: Vec<u8>,
    pub(super) public: String,
}

const OPERATOR: &str = "operator";

/// Where the key of a stage that is kept lies on its server.
const HOME: &str = "/root";

impl Keys {
    /// New ones, in place of those that are in this directory.
    ///
    /// # Errors
    /// When they can't be made.
    pub fn make(dir: &Path) -> Result<Self, StageError> {
        empty(dir)?;
        let operator = generate(&dir.join(OPERATOR), OPERATOR)?;
        Self::of(dir, operator)
    }

    /// Those of a stage that was kept, by the disks of its machines. In this directory they take the place of others.
    ///
    /// # Errors
    /// When they are not there.
    pub fn kept(bases: &BTreeMap<String, PathBuf>, dir: &Path) -> Result<Self, StageError> {
        let server = bases.get(SERVER).ok_or_else(|| StageError::NoHost { name: SERVER.to_owned() })?;
        let kept = files::read(server.join(HOME.trim_start_matches('/')).join(OPERATOR))?;
        empty(dir)?;
        let key = dir.join(OPERATOR);
        files::write(&key, kept, 0o600)?;
        Self::of(dir, SigningKey::new(key))
    }

    fn of(dir: &Path, operator: SigningKey) -> Result<Self, StageError> {
        let public = public_key(operator.path())?;
        Ok(Self { dir: dir.to_owned(), operator, public })
    }

    /// The operator's.
    #[must_use]
    pub fn operator(&self) -> &SigningKey {
        &self.operator
    }

    /// The public half of the operator's.
    #[must_use]
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The text of `allowed_signers`: the operator's word counts.
    #[must_use]
    pub fn signers(&self) -> String {
        format!("operator@example.org {}\n", self.public)
    }

    /// The file with the key of the git server.
    pub(super) fn known_hosts(&self) -> PathBuf {
        self.dir.join("known_hosts")
    }

    /// Makes a key for a host.
    pub(super) fn host(&self, name: &str) -> Result<HostKey, StageError> {
        let key = generate(&self.dir.join(format!("of-{name}")), name)?;
        Ok(HostKey { private: files::read(key.path())?, public: public_key(key.path())? })
    }

    /// Puts the operator's key on the disk of the server.
    pub(super) fn lay_on(&self, server: &Host) -> Result<(), StageError> {
        Ok(server.put(&format!("{HOME}/{OPERATOR}"), files::read(self.operator.path())?, 0o600)?)
    }
}

fn empty(dir: &Path) -> Result<(), StageError> {
    files::remove_tree(dir)?;
    Ok(files::create_dir(dir)?)
}

#[cfg(test)]
mod tests {
    use wb_core::registry::AllowedSigners;

    use super::*;

    #[test]
    fn the_operators_word_counts_on_a_stage_that_was_kept_too() {
        let dir = tempfile::tempdir().unwrap();
        let (server, place) = (dir.path().join("server"), dir.path().join("keys"));
        let bases = BTreeMap::from([(SERVER.to_owned(), server.clone())]);
        let keys = Keys::make(&place).unwrap();
        let signers = AllowedSigners::new(keys.signers());
        files::create_dir(server.join("root")).unwrap();
        files::copy(keys.operator().path(), server.join("root/operator")).unwrap();
        let kept = Keys::kept(&bases, &place).unwrap();
        assert_eq!(kept.public(), keys.public());
        let signature = kept.operator().sign(b"word").unwrap();
        assert_eq!(signers.verify(b"word", &signature).unwrap(), "operator@example.org");
        assert!(Keys::kept(&BTreeMap::new(), &place).is_err(), "there is no key");
    }

    #[test]
    fn each_host_has_a_key_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::make(&dir.path().join("keys")).unwrap();
        let (one, other) = (keys.host("web1").unwrap(), keys.host("operator").unwrap());
        assert!(one.public != other.public && one.public != keys.public() && other.public != keys.public());
        assert!(one.private.starts_with(b"-----BEGIN OPENSSH PRIVATE KEY-----"));
    }
}
