//! Public keys of OpenPGP: enough of RFC 9580 to tell one from another.
//!
//! A key is known by its fingerprint, which is a hash of its first packet. What a key signed, and who signed it, is for
//! the managers of packages to see.

use std::fmt;

use base64ct::{Base64, Encoding as _};
use sha1::Sha1;
use sha2::Digest as _;

use crate::pem::{self, Block};

/// How an armored one begins.
const PUBLIC: &[u8] = b"-----BEGIN PGP PUBLIC KEY BLOCK-----";
const PRIVATE: &[u8] = b"-----BEGIN PGP PRIVATE KEY BLOCK-----";
/// Types of packets.
const SECRET_KEY: u8 = 5;
const PUBLIC_KEY: u8 = 6;
const USER: u8 = 13;
/// What is found where a key should be, for errors.
const NO_KEY: &str = "no public key of OpenPGP";
const PRIVATE_KEY: &str = "a private key";
const CUT_SHORT: &str = "a key that was cut short";
const OTHER_VERSION: &str = "a key of another version of OpenPGP than 4";

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    /// 40 hex digits, in upper case.
    pub(crate) fingerprint: String,
    /// Whose it is, where that is known, as in `Shop <shop@example.org>`.
    user: Option<String>,
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}", self.fingerprint)?;
        self.user.iter().try_for_each(|user| write!(f, " of {user}"))
    }
}

/// The keys in an armored text, or in binary; or what that is instead.
pub(crate) fn keys(content: &[u8]) -> Result<Vec<PublicKey>, &'static str> {
    if is_private(content) {
        return Err(PRIVATE_KEY);
    }
    let packets = if is_armored(content) { unwrapped(content).ok_or(CUT_SHORT)? } else { vec![content.to_vec()] };
    let keys = packets.iter().map(|packets| parse(packets)).collect::<Result<Vec<_>, _>>()?.concat();
    if keys.is_empty() { Err(NO_KEY) } else { Ok(keys) }
}

/// [`keys`], or one of which only the fingerprint is said, in hex digits with or without blanks.
pub(crate) fn said(content: &[u8]) -> Result<Vec<PublicKey>, &'static str> {
    match fingerprint_in(content) {
        Some(fingerprint) => Ok(vec![PublicKey { fingerprint, user: None }]),
        None => keys(content),
    }
}

/// Whether it is no key, but the fingerprint of one.
pub(crate) fn is_fingerprint(content: &[u8]) -> bool {
    fingerprint_in(content).is_some()
}

/// Whether it is text, and not packets. What is said around a key, and of it, is in UTF-8.
pub(crate) fn is_armored(content: &[u8]) -> bool {
    std::str::from_utf8(content).is_ok() && contains(content, PUBLIC)
}

pub(crate) fn is_private(content: &[u8]) -> bool {
    contains(content, PRIVATE)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn fingerprint_in(content: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(content).ok()?;
    let digits: String = text.split_whitespace().collect();
    let is_one = digits.len() == 40 && digits.chars().all(|c| c.is_ascii_hexdigit());
    is_one.then(|| digits.to_ascii_uppercase())
}

/// What is in the blocks of an armored text; nothing where one of them is damaged.
fn unwrapped(content: &[u8]) -> Option<Vec<Vec<u8>>> {
    let blocks = pem::blocks(content);
    let keys = blocks.iter().filter(|block| block.label == "PGP PUBLIC KEY BLOCK");
    keys.map(bytes).collect()
}

/// The base64 may end with a checksum, which is `=` and four more.
fn bytes(block: &Block) -> Option<Vec<u8>> {
    let text = &block.base64;
    let checksum = text.len().checked_sub(5).filter(|at| text.as_bytes()[*at] == b'=');
    Base64::decode_vec(&text[..checksum.unwrap_or(text.len())]).ok()
}

/// Reads packets, of which most are of no use here.
fn parse(packets: &[u8]) -> Result<Vec<PublicKey>, &'static str> {
    let (mut keys, mut left): (Vec<PublicKey>, &[u8]) = (Vec::new(), packets);
    while !left.is_empty() {
        let Some((kind, body, rest)) = packet(left) else {
            return Err(if keys.is_empty() { NO_KEY } else { CUT_SHORT });
        };
        match kind {
            PUBLIC_KEY => keys.push(PublicKey { fingerprint: fingerprint(body)?, user: None }),
            SECRET_KEY => return Err(PRIVATE_KEY),
            USER => {
                if let Some(key) = keys.last_mut().filter(|key| key.user.is_none()) {
                    key.user = Some(printable(body));
                }
            }
            _ => {}
        }
        left = rest;
    }
    Ok(keys)
}

/// The first packet: its type, what is in it, and what comes after it.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let (kind, length, rest) = match first >> 6 {
        0b11 => {
            let (length, rest) = length(rest)?;
            (first & 0x3f, length, rest)
        }
        // The older form. Its fourth kind of length is all that is left, which keys never have.
        0b10 if (first & 3) < 3 => {
            let (length, rest) = number(rest, 1_usize << (first & 3))?;
            ((first >> 2) & 0xf, length, rest)
        }
        _ => return None,
    };
    let (body, rest) = rest.split_at_checked(length)?;
    Some((kind, body, rest))
}

/// How long a packet is, in the newer form: in one byte, two or five. One in pieces, which keys never are, is none.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = number(bytes, 1)?;
    match first {
        0..192 => Some((first, rest)),
        192..224 => number(rest, 1).map(|(second, rest)| ((first - 192) * 256 + second + 192, rest)),
        255 => number(rest, 4),
        _ => None,
    }
}

/// A number of so many bytes, of which the first counts most.
fn number(bytes: &[u8], size: usize) -> Option<(usize, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(size)?;
    Some((digits.iter().fold(0, |number, digit| number * 256 + usize::from(*digit)), rest))
}

/// That of a key of version 4.
fn fingerprint(key: &[u8]) -> Result<String, &'static str> {
    let length = u16::try_from(key.len()).map_err(|_| NO_KEY)?;
    if key.first() != Some(&4) {
        return Err(OTHER_VERSION);
    }
    let digest = Sha1::digest([&[0x99][..], &length.to_be_bytes()[..], key].concat());
    Ok(digest.iter().map(|byte| format!("{byte:02X}")).collect())
}

fn printable(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).collect()
}

/// Keys for the tests of the rooms.
#[cfg(test)]
pub(crate) mod fixtures {
    pub(crate) use crate::testing::samples::OPENPGP_KEY as KEY;

    pub(crate) const FINGERPRINT: &str = "C959BDBAFA32A2F89A153B678CFDE12197965A9A";
    /// Another, in the older form of packets, without a user and without a checksum.
    pub(crate) const OTHER_KEY: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n\
                                        mDMEU6f/SxYJKwYBBAHaRw8BAQdAPwmJlL3ZFu1AUxl5NOSofIBzOhKA1i+AEJku\n\
                                        Q+47JAY=\n-----END PGP PUBLIC KEY BLOCK-----\n";
    pub(crate) const OTHER_FINGERPRINT: &str = "5706D5F6967E6E0D675983CD523CC090C90C6300";
}

#[cfg(test)]
mod tests {
    use super::fixtures::{FINGERPRINT, KEY, OTHER_FINGERPRINT, OTHER_KEY};
    use super::*;

    fn check(content: &[u8], expect: Result<&[&str], &str>) {
        let found = said(content);
        let fingerprints = |keys: &Vec<PublicKey>| keys.iter().map(|key| key.fingerprint.clone()).collect::<Vec<_>>();
        let expect: Result<Vec<String>, &str> = expect.map(|expect| expect.iter().map(ToString::to_string).collect());
        assert_eq!(found.as_ref().map(fingerprints).map_err(|found| *found), expect);
    }

    fn binary(armored: &str) -> Vec<u8> {
        unwrapped(armored.as_bytes()).unwrap().concat()
    }

    #[test]
    fn keys_are_known_by_their_fingerprints() {
        check(KEY.as_bytes(), Ok(&[FINGERPRINT]));
        check(OTHER_KEY.as_bytes(), Ok(&[OTHER_FINGERPRINT]));
        check(KEY.replace("of a test", "f\u{fc}r uns").as_bytes(), Ok(&[FINGERPRINT]));
        check(format!("{KEY}{OTHER_KEY}").as_bytes(), Ok(&[FINGERPRINT, OTHER_FINGERPRINT]));
        check(&binary(KEY), Ok(&[FINGERPRINT]));
        check(&[binary(OTHER_KEY), binary(KEY)].concat(), Ok(&[OTHER_FINGERPRINT, FINGERPRINT]));
    }

    #[test]
    fn a_fingerprint_may_stand_for_a_key() {
        check(b"C959 BDBA FA32 A2F8 9A15  3B67 8CFD E121 9796 5A9A\n", Ok(&[FINGERPRINT]));
        check(FINGERPRINT.to_lowercase().as_bytes(), Ok(&[FINGERPRINT]));
        check(&FINGERPRINT.as_bytes()[2..], Err(NO_KEY));
        assert!(is_fingerprint(FINGERPRINT.as_bytes()) && !is_fingerprint(KEY.as_bytes()));
    }

    #[test]
    fn people_are_told_whose_a_key_is() {
        let shown = |key: &str| keys(key.as_bytes()).unwrap()[0].to_string();
        assert_eq!(shown(KEY), format!("key {FINGERPRINT} of Shop <shop@example.org>"));
        assert_eq!(shown(OTHER_KEY), format!("key {OTHER_FINGERPRINT}"));
    }

    #[test]
    fn what_is_no_key_is_said() {
        check(b"", Err(NO_KEY));
        check(b"<html>404", Err(NO_KEY));
        check(b"\xff\xff", Err(NO_KEY));
        check(PRIVATE, Err(PRIVATE_KEY));
        check(PUBLIC, Err(NO_KEY));
        check(KEY.replace("xjME", "x!ME").as_bytes(), Err(CUT_SHORT));
        let key = binary(KEY);
        check(&key[..20], Err(NO_KEY));
        check(&key[..key.len() - 1], Err(CUT_SHORT));
        let secret: Vec<u8> = [&[0xc5][..], &key[1..]].concat();
        check(&secret, Err(PRIVATE_KEY));
        let newer: Vec<u8> = [&key[..2], &[6][..], &key[3..]].concat();
        check(&newer, Err(OTHER_VERSION));
    }

    #[test]
    fn lengths_have_their_forms() {
        let check = |bytes: &[u8], expect: Option<usize>| {
            assert_eq!(length(bytes).map(|(length, _)| length), expect, "{bytes:?}");
        };
        check(&[100], Some(100));
        check(&[0xc5, 0xfb], Some(1723));
        check(&[0xff, 0, 1, 0x86, 0xa0], Some(100_000));
        check(&[0xef], None);
        check(&[0xff, 0], None);
        check(&[], None);
    }
}
