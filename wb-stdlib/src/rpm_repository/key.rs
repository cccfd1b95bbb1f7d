//! What the packages of a repository are signed with.

use crate::openpgp::{self, PublicKey};
use crate::repository::RepositoryMistake;

/// What the packages of a repository are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// One of those that rpm trusts.
    None,
    /// Nothing.
    Trusted,
    /// One that is at this path or address.
    Known(String),
    /// This one.
    Own(Vec<u8>),
}

/// Where the key of a repository of this name is written to.
pub(super) fn path(name: &str) -> String {
    format!("/etc/pki/rpm-gpg/{name}.asc")
}

impl Key {
    /// The keys that rpm is to trust for it.
    pub(super) fn check(&self, name: &str) -> Result<Vec<PublicKey>, RepositoryMistake> {
        let bad = |found| RepositoryMistake::BadKey { name: name.to_owned(), found };
        match self {
            Self::None | Self::Trusted => Ok(Vec::new()),
            Self::Known(place) if is_place(place) => Ok(Vec::new()),
            Self::Known(place) => {
                let (what, value) = ("path or address of a key", place.clone());
                Err(RepositoryMistake::BadValue { name: name.to_owned(), what, value })
            }
            Self::Own(key) => {
                let keys = openpgp::keys(key).map_err(bad)?;
                if openpgp::is_armored(key) { Ok(keys) } else { Err(bad("no armored public key of OpenPGP")) }
            }
        }
    }

    /// Where the managers find it.
    pub(super) fn uri(&self, name: &str) -> Option<String> {
        match self {
            Self::None | Self::Trusted => None,
            Self::Known(place) if place.starts_with('/') => Some(format!("file://{place}")),
            Self::Known(place) => Some(place.clone()),
            Self::Own(_) => Some(format!("file://{}", path(name))),
        }
    }
}

/// Whether it is a path, or an address from where nobody else's key comes.
fn is_place(place: &str) -> bool {
    let is_word = place.chars().all(|c| !c.is_whitespace() && !c.is_control());
    is_word && (place.starts_with('/') || place.starts_with("https://") || place.starts_with("file:///"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openpgp::fixtures::KEY;

    #[test]
    fn a_key_is_checked_before_it_is_written() {
        let check = |key: Key, expect: Result<usize, &str>| {
            let found = key.check("shop").map(|keys| keys.len()).map_err(|error| error.to_string());
            let found = found.as_ref().copied().map_err(|error| error.lines().next().unwrap_or_default());
            assert_eq!(found, expect);
        };
        check(Key::None, Ok(0));
        check(Key::Trusted, Ok(0));
        check(Key::Own(KEY.into()), Ok(1));
        check(Key::Known("/etc/pki/rpm-gpg/RPM-GPG-KEY-x".into()), Ok(0));
        check(Key::Known("https://example.org/key.asc".into()), Ok(0));
        let bad = "the repository `shop` can't have the path or address of a key `http://example.org/key.asc`";
        check(Key::Known("http://example.org/key.asc".into()), Err(bad));
        check(Key::Own(b"<html>".to_vec()), Err("the key of the repository `shop` is no public key of OpenPGP"));
    }

    #[test]
    fn a_key_is_named_by_an_address() {
        let check = |key: Key, expect: Option<&str>| assert_eq!(key.uri("shop").as_deref(), expect);
        check(Key::None, None);
        check(Key::Known("/a/b".into()), Some("file:///a/b"));
        check(Key::Known("https://example.org/key.asc".into()), Some("https://example.org/key.asc"));
        check(Key::Own(KEY.into()), Some("file:///etc/pki/rpm-gpg/shop.asc"));
    }
}
