//! What a repository is signed with.

use super::Wanted;
use crate::openpgp::{is_armored, is_private};
use crate::repository::RepositoryMistake;

/// What a repository is signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// One of those that apt trusts for all.
    None,
    /// Nothing.
    Trusted,
    /// One of a keyring of the host.
    Keyring(String),
    /// This one, in a file of its own.
    File(Vec<u8>),
    /// This one, in the file of the repository.
    Embedded(Vec<u8>),
}

impl Key {
    pub(super) fn check(&self, name: &str) -> Result<(), RepositoryMistake> {
        let bad = |found| Err(RepositoryMistake::BadKey { name: name.to_owned(), found });
        match self {
            Self::None | Self::Trusted => Ok(()),
            Self::Keyring(path) if !path.starts_with('/') || path.chars().any(char::is_whitespace) => {
                Err(RepositoryMistake::BadValue { name: name.to_owned(), what: "keyring", value: path.clone() })
            }
            Self::Keyring(_) => Ok(()),
            Self::File(key) | Self::Embedded(key) if is_private(key) => bad("a private key"),
            Self::File(key) | Self::Embedded(key) if is_armored(key) => Ok(()),
            Self::Embedded(_) => bad("no armored public key of OpenPGP"),
            // Each packet of OpenPGP begins with a byte whose highest bit is set.
            Self::File(key) if key.first().is_some_and(|byte| byte & 0x80 != 0) => Ok(()),
            Self::File(_) => bad("no public key of OpenPGP"),
        }
    }

    /// The file that it is in, where it has one of its own.
    pub(super) fn file(&self, directory: &str, name: &str) -> Option<Wanted> {
        let Self::File(key) = self else { return None };
        Some(Wanted { path: path(directory, name, key).into(), content: key.clone() })
    }

    /// What the file of the repository says of it.
    pub(super) fn lines(&self, directory: &str, name: &str) -> String {
        match self {
            Self::None => String::new(),
            Self::Trusted => "Trusted: yes\n".to_owned(),
            Self::Keyring(path) => format!("Signed-By: {path}\n"),
            Self::File(key) => format!("Signed-By: {}\n", path(directory, name, key)),
            Self::Embedded(key) => {
                let text = String::from_utf8_lossy(key);
                // A dot stands for a line with nothing in it, as everywhere in Debian's control files.
                let line =
                    |line: &str| if line.trim().is_empty() { " .\n".into() } else { format!(" {}\n", line.trim()) };
                format!("Signed-By:\n{}", text.trim().lines().map(line).collect::<String>())
            }
        }
    }
}

/// apt tells the formats of keyrings by their names.
fn path(directory: &str, name: &str, key: &[u8]) -> String {
    format!("{directory}/{name}.{}", if is_armored(key) { "asc" } else { "gpg" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARMORED: &str =
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQINBFit\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n";

    #[test]
    fn a_key_is_checked_before_it_is_written() {
        let check = |key: Key, expect: Option<&str>| {
            let error = key.check("shop").err().map(|error| error.to_string());
            assert_eq!(error.as_deref().and_then(|error| error.lines().next()), expect);
        };
        let file = |key: &[u8]| Key::File(key.to_vec());
        check(Key::None, None);
        check(file(ARMORED.as_bytes()), None);
        check(file(b"\x99\x02\x0d\x04"), None);
        check(Key::Embedded(ARMORED.into()), None);
        check(file(b""), Some("the key of the repository `shop` is no public key of OpenPGP"));
        check(file(b"<html>404"), Some("the key of the repository `shop` is no public key of OpenPGP"));
        let armored = "the key of the repository `shop` is no armored public key of OpenPGP";
        check(Key::Embedded(b"\x99\x02\x0d\x04".to_vec()), Some(armored));
        let private = "the key of the repository `shop` is a private key";
        check(file(b"-----BEGIN PGP PRIVATE KEY BLOCK-----"), Some(private));
        check(Key::Keyring("/usr/share/keyrings/a.gpg".into()), None);
        check(Key::Keyring("a.gpg".into()), Some("the repository `shop` can't have the keyring `a.gpg`"));
        check(Key::Keyring("/a\nTrusted: yes".into()), Some("the repository `shop` can't have the keyring `/a"));
    }

    #[test]
    fn a_key_is_named_or_embedded() {
        let check = |key: Key, expect: &str| assert_eq!(key.lines("/etc/apt/keyrings", "shop"), expect);
        check(Key::None, "");
        check(Key::Trusted, "Trusted: yes\n");
        check(Key::File(ARMORED.into()), "Signed-By: /etc/apt/keyrings/shop.asc\n");
        check(Key::File(vec![0x99]), "Signed-By: /etc/apt/keyrings/shop.gpg\n");
        check(
            Key::Embedded(ARMORED.into()),
            "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBFit\n =abcd\n -----END PGP PUBLIC KEY \
             BLOCK-----\n",
        );
    }
}
