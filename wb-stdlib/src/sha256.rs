//! What bytes are, in 64 hex digits.

use std::fmt;

use sha2::Digest as _;
use wb_core::system::System;
use wb_core::system::files::FileError;
use wb_core::system::growing;

/// The SHA-256 of some bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sha256([u8; 32]);

impl Sha256 {
    /// Reads 64 hex digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let digit = |at: usize| (digits[at] as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let mut bytes = [0; 32];
        if digits.len() != 64 {
            return None;
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = digit(2 * at)? << 4 | digit(2 * at + 1)?;
        }
        Some(Self(bytes))
    }

    /// That of a file of the host, which may be larger than memory; none where there is none.
    pub(crate) fn of_file(system: &System, path: &std::path::Path) -> Result<Option<Self>, FileError> {
        let mut hasher = Hasher::default();
        let is_there = growing::read_each(system.path(path), |piece| hasher.add(piece))?;
        Ok(is_there.then(|| hasher.sum()))
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.add(bytes);
        hasher.sum()
    }

    /// Its first digits: enough for people to tell it from others.
    pub(crate) fn short(self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

/// The sum of bytes that come one after the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hasher(sha2::Sha256);

impl Hasher {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The sum so far.
    pub(crate) fn sum(&self) -> Sha256 {
        Sha256(self.0.clone().finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_sum_is_read_and_written() {
        assert_eq!(Sha256::parse(EMPTY), Some(Sha256::of(b"")));
        assert_eq!(Sha256::parse(&EMPTY.to_uppercase()), Some(Sha256::of(b"")));
        assert_eq!(Sha256::of(b"").to_string(), EMPTY);
        assert_eq!(Sha256::of(b"").short(), "e3b0c44298fc");
    }

    #[test]
    fn what_is_no_sum_is_none() {
        for text in ["", "abc", &EMPTY[1..], &format!("{EMPTY}0"), &EMPTY.replace('e', "g"), &"é".repeat(32)] {
            assert_eq!(Sha256::parse(text), None, "{text}");
        }
    }
}
