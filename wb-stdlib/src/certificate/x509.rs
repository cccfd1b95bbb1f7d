//! What a certificate says of itself, as far as it is asked here: until when it counts, for which names, and its key. It
//! is read from its DER form; see RFC 5280.

use std::collections::BTreeSet;
use std::net::IpAddr;

use wb_core::calendar;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const LONG_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const ADDRESS: u8 = 0x87;
/// 2.5.29.17, the names that a certificate is for.
const NAMES: [u8; 3] = [0x55, 0x1d, 0x11];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct X509 {
    /// In seconds since 1970, UTC.
    pub(super) not_after: u64,
    /// DNS names and addresses.
    pub(super) names: BTreeSet<String>,
    /// Its public key, with what kind it is of, in DER.
    pub(super) public_key: Vec<u8>,
}

impl X509 {
    pub(super) fn parse(der: &[u8]) -> Option<Self> {
        let (certificate, _) = expect(der, SEQUENCE)?;
        let (signed, _) = expect(certificate, SEQUENCE)?;
        let rest = skip_if(signed, VERSION);
        let (_, rest) = expect(rest, INTEGER)?;
        let (_, rest) = expect(rest, SEQUENCE)?; // how it is signed
        let (_, rest) = expect(rest, SEQUENCE)?; // by whom
        let (validity, rest) = expect(rest, SEQUENCE)?;
        let (_, from) = split(rest)?; // whose it is
        let (_, after) = expect(from, SEQUENCE)?;
        Some(Self {
            not_after: not_after(validity)?,
            names: names(after),
            public_key: from[..from.len() - after.len()].to_vec(),
        })
    }

    /// Whether a private key, in DER, has this public key in it: those of RSA and of elliptic curves do.
    pub(super) fn is_in(&self, private_key: &[u8]) -> bool {
        let number = public_number(&self.public_key).filter(|number| number.len() >= 32);
        number.is_some_and(|number| private_key.windows(number.len()).any(|window| window == number))
    }
}

/// The tag of the first value, its content, and what follows it.
fn split_tagged(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn split(der: &[u8]) -> Option<(&[u8], &[u8])> {
    split_tagged(der).map(|(_, content, rest)| (content, rest))
}

fn expect(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    split_tagged(der).filter(|(found, _, _)| *found == tag).map(|(_, content, rest)| (content, rest))
}

fn skip_if(der: &[u8], tag: u8) -> &[u8] {
    expect(der, tag).map_or(der, |(_, rest)| rest)
}

fn not_after(validity: &[u8]) -> Option<u64> {
    let (_, rest) = split(validity)?;
    let (tag, time, _) = split_tagged(rest)?;
    let time = std::str::from_utf8(time).ok()?.strip_suffix('Z')?;
    let time = match tag {
        // Two digits of a year, from 1950 on.
        UTC_TIME => format!("{}{time}", if time.get(..2)? < "50" { "20" } else { "19" }),
        LONG_TIME => time.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| time.get(from..to);
    let date = format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?);
    calendar::seconds(&format!("{date}T{}:{}:{}Z", part(8, 10)?, part(10, 12)?, part(12, 14)?))
}

/// The names of what follows the public key.
fn names(after: &[u8]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = after;
    while let Some((tag, content, next)) = split_tagged(rest) {
        if tag == EXTENSIONS
            && let Some(found) = alternative_names(content)
        {
            names = found;
        }
        rest = next;
    }
    names
}

fn alternative_names(extensions: &[u8]) -> Option<BTreeSet<String>> {
    let (mut extensions, _) = expect(extensions, SEQUENCE)?;
    while let Some((extension, next)) = expect(extensions, SEQUENCE) {
        let (id, rest) = expect(extension, OBJECT)?;
        if id == NAMES {
            let (tag, value, rest) = split_tagged(rest)?;
            // It may say that it is critical first.
            let value = if tag == OCTET_STRING { value } else { expect(rest, OCTET_STRING)?.0 };
            return Some(general_names(expect(value, SEQUENCE)?.0));
        }
        extensions = next;
    }
    None
}

fn general_names(mut der: &[u8]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    while let Some((tag, content, next)) = split_tagged(der) {
        names.extend(match tag {
            DNS_NAME => Some(String::from_utf8_lossy(content).to_lowercase()),
            ADDRESS => address(content).map(|address| address.to_string()),
            _ => None,
        });
        der = next;
    }
    names
}

fn address(content: &[u8]) -> Option<IpAddr> {
    match content.len() {
        4 => <[u8; 4]>::try_from(content).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(content).ok().map(IpAddr::from),
    }
}

/// What nobody else's public key has: the modulus of RSA, the point of an elliptic curve.
fn public_number(public_key: &[u8]) -> Option<&[u8]> {
    let (key, _) = expect(public_key, SEQUENCE)?;
    let (_, rest) = expect(key, SEQUENCE)?;
    let (bits, _) = expect(rest, BIT_STRING)?;
    let bits = bits.get(1..)?;
    let modulus = expect(bits, SEQUENCE).and_then(|(numbers, _)| expect(numbers, INTEGER)).map(|(modulus, _)| modulus);
    Some(modulus.unwrap_or(bits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{CERTIFICATE, KEY, RSA_CERTIFICATE, RSA_KEY};
    use super::*;
    use crate::pem;

    fn der(pem: &str) -> Vec<u8> {
        pem::blocks(pem.as_bytes())[0].bytes().unwrap()
    }

    #[test]
    fn a_certificate_says_until_when_and_for_whom() {
        let parsed = X509::parse(&der(CERTIFICATE)).unwrap();
        assert_eq!(calendar::moment(parsed.not_after), "2027-11-29T08:03:23Z");
        assert_eq!(parsed.names, ["192.0.2.7", "shop.example.org"].map(str::to_owned).into());
        let long = X509::parse(&der(RSA_CERTIFICATE)).unwrap();
        assert_eq!(calendar::moment(long.not_after), "2126-11-05T08:04:46Z");
        assert!(long.names.is_empty());
    }

    #[test]
    fn a_key_has_its_own_public_key_in_it() {
        let (curve, rsa) = (X509::parse(&der(CERTIFICATE)).unwrap(), X509::parse(&der(RSA_CERTIFICATE)).unwrap());
        assert!(curve.is_in(&der(KEY)) && rsa.is_in(&der(RSA_KEY)));
        assert!(!curve.is_in(&der(RSA_KEY)) && !rsa.is_in(&der(KEY)) && !rsa.is_in(&[]));
    }

    proptest! {
        #[test]
        fn what_is_broken_is_no_certificate_and_no_panic(at in 0_usize..390, byte: u8, cut in 0_usize..390) {
            let mut broken = der(CERTIFICATE);
            broken[at] = byte;
            let _ = X509::parse(&broken).map(|parsed| parsed.is_in(&der(KEY)));
            let _ = X509::parse(&broken[..cut]);
        }

        #[test]
        fn bytes_of_any_kind_are_read_to_their_end(bytes: Vec<u8>) {
            let _ = X509::parse(&bytes);
            let _ = names(&bytes);
        }
    }
}
