//! Signatures in git's own ssh format.
//!
//! `ssh-keygen` makes and verifies them: it knows agents and hardware keys, and `allowed_signers` files with all their
//! options. But hosts read the reports of a whole herd, and a process for each of them costs more than all else that is
//! done about them. So what a plain ed25519 key signs, as each host's does, is done here (see `plain`), and whatever is
//! not that, or does not verify, is left to `ssh-keygen`.

use std::path::{Path, PathBuf};

use super::plain;
use crate::system::fault::{self, Subject};
use crate::system::{Command, CommandError, FileError, environment, files};

/// The namespace that git signs in.
const NAMESPACE: &str = "git";

/// A key to sign with: a private key file, or a public one whose private half the ssh agent has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey(PathBuf);

impl SigningKey {
    /// The key in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The armoured signature of `payload`.
    ///
    /// # Errors
    /// When there is no such key, it is locked, or `ssh-keygen` is not installed.
    pub fn sign(&self, payload: &[u8]) -> Result<String, SignatureError> {
        if let Some(signature) = plain::read(&self.0).and_then(|key| plain::sign(&key, NAMESPACE, payload)) {
            return Ok(signature);
        }
        let _during = fault::during(Subject::Signature);
        let command = Command::new("ssh-keygen").args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"]).arg(&self.0);
        let signature = command.env_remove("SSH_ASKPASS").stdin(payload).read();
        signature.map_err(|source| SignatureError::Sign { key: self.0.clone(), source })
    }
}

/// Makes a new ed25519 key without a passphrase at `path`, its public half beside it as `path.pub`.
///
/// # Errors
/// When there is one already, or it can't be written.
pub fn generate(path: &Path, comment: &str) -> Result<SigningKey, SignatureError> {
    let _during = fault::during(Subject::HostKey);
    let command = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"]).arg(path);
    command.read().map_err(|source| SignatureError::Generate { key: path.to_owned(), source })?;
    // It does not bring them to the disk, and nobody knows a host without its key.
    for half in [path.with_extension("pub"), path.to_owned()] {
        files::settle(half)?;
    }
    Ok(SigningKey::new(path))
}

/// The public half of the private key at `path`: algorithm and key, without the comment.
///
/// # Errors
/// When it can't be read.
pub fn public_key(path: &Path) -> Result<String, SignatureError> {
    if let Some(key) = plain::read(path).and_then(|key| plain::public(&key)) {
        return Ok(key);
    }
    let _during = fault::during(Subject::HostKey);
    let command = Command::new("ssh-keygen").args(["-y", "-P", "", "-f"]).arg(path);
    let line = command.read().map_err(|source| SignatureError::Public { key: path.to_owned(), source })?;
    Ok(line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

/// Whose signatures count, in the format of `allowed_signers` (see `ssh-keygen(1)`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedSigners {
    text: String,
    only: Option<String>,
}

impl AllowedSigners {
    /// The text of an `allowed_signers` file.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), only: None }
    }

    /// One public key alone, known as `principal`. What is no plain key (options, a second line) is left out.
    #[must_use]
    pub fn one(principal: &str, key: &str) -> Self {
        let mut words = key.split_whitespace();
        let is_key = |word: &&str| word.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c));
        let text = match (words.next().filter(|word| plain::is_algorithm(word)), words.next().filter(is_key)) {
            (Some(algorithm), Some(key)) => format!("{principal} {algorithm} {key}\n"),
            _ => String::new(),
        };
        Self { text, only: Some(principal.to_owned()) }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Who signed `payload`.
    ///
    /// # Errors
    /// When the signature is broken, fits another payload, or is by nobody who is allowed.
    pub fn verify(&self, payload: &[u8], signature: &str) -> Result<String, SignatureError> {
        if let Some(signer) = plain::signer(&self.text, NAMESPACE, payload, signature) {
            return Ok(signer.to_owned());
        }
        let _during = fault::during(Subject::Signature);
        let scratch = Scratch::new(&self.text, signature)?;
        let principal = match &self.only {
            Some(only) => only.clone(),
            None => scratch.principal()?,
        };
        let verify = keygen("verify").args(["-n", NAMESPACE, "-I", &principal]);
        let verify = verify.arg("-s").arg(&scratch.signature).arg("-f").arg(&scratch.allowed).stdin(payload);
        verify.read().map_err(not_allowed)?;
        Ok(principal)
    }
}

/// Why a signature could not be made, or does not count.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// No signature could be made.
    #[error("could not sign with the key {}", key.display())]
    Sign {
        /// The key.
        key: PathBuf,
        /// Why.
        source: CommandError,
    },
    /// No key could be made.
    #[error("could not make the key {}", key.display())]
    Generate {
        /// The key.
        key: PathBuf,
        /// Why.
        source: CommandError,
    },
    /// The key's public half could not be told.
    #[error("could not read the key {}", key.display())]
    Public {
        /// The key.
        key: PathBuf,
        /// Why.
        source: CommandError,
    },
    /// It is by nobody who is allowed, or for something else.
    #[error("the signature is by nobody in `allowed_signers`")]
    NotAllowed {
        /// What `ssh-keygen` said.
        source: CommandError,
    },
    /// `ssh-keygen` is needed.
    #[error("signatures can't be checked")]
    NoTool {
        /// Why.
        source: CommandError,
    },
    /// The files that `ssh-keygen` reads could not be written.
    #[error("signatures can't be checked")]
    Scratch(#[from] FileError),
}

fn keygen(action: &str) -> Command {
    Command::new("ssh-keygen").args(["-q", "-Y", action])
}

fn not_allowed(source: CommandError) -> SignatureError {
    match source {
        CommandError::Failed { .. } => SignatureError::NotAllowed { source },
        _ => SignatureError::NoTool { source },
    }
}

/// `ssh-keygen` reads signature and signers from files.
struct Scratch {
    dir: PathBuf,
    allowed: PathBuf,
    signature: PathBuf,
}

impl Scratch {
    fn new(allowed: &str, signature: &str) -> Result<Self, FileError> {
        let dir = environment::temp_dir().join(format!("wildebeest-{}", uuid::Uuid::new_v4()));
        files::create_private_dir(&dir)?;
        let scratch = Self { allowed: dir.join("allowed"), signature: dir.join("signature"), dir };
        files::replace(&scratch.allowed, allowed)?;
        files::replace(&scratch.signature, signature)?;
        Ok(scratch)
    }
}

impl Scratch {
    fn principal(&self) -> Result<String, SignatureError> {
        let find = keygen("find-principals").arg("-s").arg(&self.signature).arg("-f").arg(&self.allowed);
        let found = find.read().map_err(not_allowed)?;
        Ok(found.lines().next().unwrap_or_default().to_owned())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(files::discard_tree(&self.dir));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Keys {
        dir: tempfile::TempDir,
    }

    impl Keys {
        fn new() -> Self {
            Self { dir: tempfile::tempdir().unwrap() }
        }

        fn key(&self, name: &str) -> (SigningKey, String) {
            let key = generate(&self.dir.path().join(name), name).unwrap();
            let public = public_key(key.path()).unwrap();
            (key, public)
        }
    }

    #[test]
    fn a_signature_names_its_signer() {
        let keys = Keys::new();
        let ((alice, alice_public), (_, bob_public)) = (keys.key("alice"), keys.key("bob"));
        let allowed = AllowedSigners::new(format!("bob@x {bob_public}\nalice@x {alice_public}\n"));
        assert_eq!(allowed.verify(b"change", &alice.sign(b"change").unwrap()).unwrap(), "alice@x");
    }

    #[test]
    fn what_does_not_count() {
        let keys = Keys::new();
        let ((alice, alice_public), (mallory, _)) = (keys.key("alice"), keys.key("mallory"));
        let allowed = AllowedSigners::one("alice", &alice_public);
        let check = |payload: &[u8], signature: &str| {
            let error = allowed.verify(payload, signature).unwrap_err();
            assert_eq!(error.to_string(), "the signature is by nobody in `allowed_signers`");
        };
        check(b"change", &mallory.sign(b"change").unwrap());
        check(b"changed", &alice.sign(b"change").unwrap());
        check(b"change", "-----BEGIN SSH SIGNATURE-----\nnonsense\n-----END SSH SIGNATURE-----\n");
        check(b"change", "");
    }

    #[test]
    fn only_a_plain_key_is_taken() {
        let check = |key: &str, expect: &str| assert_eq!(AllowedSigners::one("web1", key).text(), expect, "{key}");
        check("ssh-ed25519 AAAA root@web1", "web1 ssh-ed25519 AAAA\n");
        check("ssh-ed25519 AAAA\n* ssh-ed25519 BBBB", "web1 ssh-ed25519 AAAA\n");
        check("cert-authority ssh-ed25519 AAAA", "");
        check("ssh-ed25519", "");
        check("ssh-ed25519,namespaces=\"x\" AAAA", "");
        check("ssh-ed25519 \"AAAA\"", "");
        check("ssh-\u{1}ed25519 AAAA", "");
    }

    #[test]
    fn a_missing_key_is_named() {
        let error = SigningKey::new("/no/such/key").sign(b"x").unwrap_err();
        assert_eq!(error.to_string(), "could not sign with the key /no/such/key");
    }
}
