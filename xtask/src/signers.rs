//! `allowed_signers`: whose changes count.

use std::path::{Path, PathBuf};

use wb_core::system::files::{self, FileError};

use crate::git::WorkTree;
use crate::signing_key::{self, KeyError};

/// Somebody with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// How the list names them: an address.
    pub principal: String,
    /// Their public key, as OpenSSH writes it.
    pub public_key: String,
}

/// Why nobody can be put on the list.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Its public half can't be read.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Signer {
    /// Whoever works on this machine, with the key that changes would be signed with.
    ///
    /// # Errors
    /// When there is no key, or its public half can't be read.
    pub fn of_this_machine(key: Option<PathBuf>, tree: &WorkTree) -> Result<Self, SignerError> {
        let key = signing_key::find(key, tree)?;
        let public_key = files::read_text(public_half(&key))?.trim().to_owned();
        Ok(Self { principal: tree.identity().email, public_key })
    }

    /// The line of the list.
    #[must_use]
    pub fn line(&self) -> String {
        let key: Vec<&str> = self.public_key.split_whitespace().take(2).collect();
        format!("{} namespaces=\"git\" {}", self.principal, key.join(" "))
    }
}

/// The list with one more signer at its end.
#[must_use]
pub fn with(list: &str, signer: &Signer) -> String {
    let gap = if list.is_empty() || list.ends_with('\n') { "" } else { "\n" };
    format!("{list}{gap}{}\n", signer.line())
}

/// `id_ed25519` to `id_ed25519.pub`; a public half stays.
#[must_use]
pub fn public_half(key: &Path) -> PathBuf {
    match key.extension().is_some_and(|extension| extension == "pub") {
        true => key.to_owned(),
        false => PathBuf::from(format!("{}.pub", key.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signer_is_a_line() {
        let signer = Signer { principal: "ana@example.org".into(), public_key: "ssh-ed25519 AAAA ana's laptop".into() };
        let line = "ana@example.org namespaces=\"git\" ssh-ed25519 AAAA\n";
        let check = |list: &str, expect: &str| assert_eq!(with(list, &signer), expect);
        check("", line);
        check("# who\n", &format!("# who\n{line}"));
        check("# who", &format!("# who\n{line}"));
    }

    #[test]
    fn the_public_half_lies_beside_the_key() {
        let check = |key: &str, expect: &str| assert_eq!(public_half(Path::new(key)), Path::new(expect));
        check("/k/id_ed25519", "/k/id_ed25519.pub");
        check("/k/id_ed25519.pub", "/k/id_ed25519.pub");
    }
}
