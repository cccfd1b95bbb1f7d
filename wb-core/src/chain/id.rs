//! Identities: the sha1 of a commit, the digest of a link.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The sha1 of a commit: who a link is.
///
/// ```
/// use wb_core::chain::Sha1;
/// let sha1: Sha1 = "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334".parse().unwrap();
/// assert_eq!(sha1.short().to_string(), "a1b2c3d");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha1([u8; 20]);

impl Sha1 {
    /// The sha1 of nothing: a draft's.
    pub const ZERO: Self = Self([0; 20]);

    /// These bytes as a sha1.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// Its first seven hex digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..7].to_owned()
    }
}

impl fmt::Display for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha1({self})")
    }
}

impl FromStr for Sha1 {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        hex(text).map(Self)
    }
}

impl TryFrom<String> for Sha1 {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, ParseIdError> {
        text.parse()
    }
}

impl From<Sha1> for String {
    fn from(sha1: Sha1) -> Self {
        sha1.to_string()
    }
}

/// A sha256: of a runner's bytes, or of what a link says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// These bytes, which are a sha256 already.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Its first seven hex digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..7].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        hex(text).map(Self)
    }
}

impl TryFrom<String> for Digest {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, ParseIdError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// A text that is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {digits} hex digits")]
pub struct ParseIdError {
    text: String,
    digits: usize,
}

fn hex<const N: usize>(text: &str) -> Result<[u8; N], ParseIdError> {
    let wrong = || ParseIdError { text: text.chars().take(80).collect(), digits: 2 * N };
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sha1_is_forty_hex_digits() {
        let check = |text: &str, expect: bool| assert_eq!(text.parse::<Sha1>().is_ok(), expect, "{text}");
        check(&"a1".repeat(20), true);
        check(&"A1".repeat(20), true);
        check(&"a1".repeat(19), false);
        check(&"g1".repeat(20), false);
        check(&"é".repeat(20), false);
        check("", false);
    }

    #[test]
    fn a_wrong_sha1_is_named() {
        assert_eq!("main".parse::<Sha1>().unwrap_err().to_string(), "`main` is not 40 hex digits");
    }

    #[test]
    fn a_digest_is_sha256() {
        assert_eq!(Digest::of(b"").short(), "e3b0c44");
    }
}
