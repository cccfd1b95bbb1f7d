//! Hashes of passwords, as the servers keep them.

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// The hash that MariaDB and older MySQL servers keep: `*` and the SHA-1 of the SHA-1, in hex.
pub(super) fn native(password: &str) -> String {
    let twice = Sha1::digest(Sha1::digest(password.as_bytes()));
    format!("*{}", hex(&twice))
}

/// Whether this looks like a hash of [`native`].
pub(super) fn is_native(hash: &str) -> bool {
    hash.strip_prefix('*').is_some_and(|hex| hex.len() == 40 && hex.chars().all(|c| c.is_ascii_hexdigit()))
}

/// In upper case, as servers write it.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// What hex digits stand for.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let is_hex = text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex { text.as_bytes().chunks(2).map(digits).collect() } else { None }
}

/// `caching_sha2_password` of MySQL 8: `$A$005$`, 20 bytes of salt, and the text that SHA-crypt makes of 5,000 rounds.
const CACHING: &str = "$A$005$";
const ROUNDS: usize = 5_000;
const SALT: usize = 20;
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The hash that MySQL 8 keeps. The salt's bytes are made letters.
pub(super) fn caching(password: &str, salt: &[u8; SALT]) -> String {
    let salt: Vec<u8> = salt.iter().map(|byte| ALPHABET[usize::from(byte % 64)]).collect();
    format!("{CACHING}{}{}", String::from_utf8_lossy(&salt), crypt(password.as_bytes(), &salt))
}

/// Whether `stored` is a hash of [`caching`] of `password`, whose salt may be any bytes.
pub(super) fn is_caching_of(password: &str, stored: &[u8]) -> bool {
    let Some((salt, digest)) = stored.strip_prefix(CACHING.as_bytes()).and_then(|rest| rest.split_at_checked(SALT))
    else {
        return false;
    };
    crypt(password.as_bytes(), salt).as_bytes() == digest
}

/// Whether this looks like a hash of [`caching`].
pub(super) fn is_caching(hash: &str) -> bool {
    hash.strip_prefix(CACHING).is_some_and(|rest| rest.len() == SALT + 43)
}

/// SHA-crypt with SHA-256, but for its longest salt, which is 16 bytes elsewhere.
fn crypt(password: &[u8], salt: &[u8]) -> String {
    let first = first(password, salt);
    let each = repeated(&Sha256::digest(password.repeat(password.len())), password.len());
    let salted = repeated(&Sha256::digest(salt.repeat(16 + usize::from(first[0]))), salt.len());
    let last = (0..ROUNDS).fold(first, |digest, round| {
        let odd = round % 2 == 1;
        let mut next = Sha256::new();
        next.update(if odd { &each[..] } else { &digest[..] });
        next.update(if round % 3 == 0 { &[][..] } else { &salted[..] });
        next.update(if round % 7 == 0 { &[][..] } else { &each[..] });
        next.update(if odd { &digest[..] } else { &each[..] });
        next.finalize().into()
    });
    written(&last)
}

fn first(password: &[u8], salt: &[u8]) -> [u8; 32] {
    let inner = Sha256::digest([password, salt, password].concat());
    let mut digest = Sha256::new();
    digest.update(password);
    digest.update(salt);
    digest.update(repeated(&inner, password.len()));
    let mut left = password.len();
    while left > 0 {
        digest.update(if left % 2 == 1 { &inner[..] } else { password });
        left /= 2;
    }
    digest.finalize().into()
}

/// So many bytes of a digest, over and over.
fn repeated(digest: &[u8], length: usize) -> Vec<u8> {
    digest.iter().copied().cycle().take(length).collect()
}

/// Its bytes, three at a time and shuffled, in four letters each.
fn written(digest: &[u8; 32]) -> String {
    let mut text = String::new();
    let (mut a, mut b, mut c) = (0, 10, 20);
    for _ in 0..10 {
        letters(&mut text, [digest[a], digest[b], digest[c]], 4);
        (a, b, c) = (c + 1, a + 1, b + 1);
    }
    letters(&mut text, [0, digest[31], digest[30]], 3);
    text
}

fn letters(text: &mut String, [high, middle, low]: [u8; 3], count: u32) {
    let word = u32::from(high) << 16 | u32::from(middle) << 8 | u32::from(low);
    text.extend((0..count).map(|place| char::from(ALPHABET[(word >> (6 * place)) as usize % 64])));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_native_hash_is_two_digests() {
        assert_eq!(native("secret"), "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7");
        assert!(is_native(&native("")) && !is_native("secret") && !is_native("*14E6"));
    }

    /// The example of hashcat for its mode 7401.
    #[test]
    fn a_caching_hash_may_have_any_salt() {
        let salt = unhex("F9CC98CE08892924F50A213B6BC571A2C11778C5").unwrap();
        let stored = [b"$A$005$", &salt[..], b"bTy95Y99eAME1dwEkHOA1ndHGBWz.1bxSSRkuTXFGV/"].concat();
        assert!(is_caching_of("hashcat", &stored));
        assert!(!is_caching_of("hashcats", &stored));
        assert!(!is_caching_of("hashcat", b"$A$005$") && !is_caching_of("hashcat", b""));
    }

    #[test]
    fn a_caching_hash_of_ours_is_text() {
        let hash = caching("swordfish", &[200; SALT]);
        assert!(hash.starts_with("$A$005$66666666666666666666"), "{hash}");
        assert!(is_caching(&hash) && is_caching_of("swordfish", hash.as_bytes()));
    }

    #[test]
    fn crypt_is_that_of_others() {
        assert_eq!(crypt(b"Hello world!", b"saltstring"), "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5");
    }

    #[test]
    fn hex_has_pairs_of_digits() {
        assert_eq!(unhex("61C3bc"), Some(vec![0x61, 0xc3, 0xbc]));
        assert_eq!((unhex(""), unhex("6"), unhex("NULL"), unhex("+1")), (Some(vec![]), None, None, None));
        assert_eq!(hex(&[0, 255]), "00FF");
    }
}
