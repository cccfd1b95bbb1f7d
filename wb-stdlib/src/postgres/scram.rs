//! SCRAM-SHA-256 verifiers, as `pg_authid` keeps them: `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`. See RFC 5803.

use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// What makes two verifiers of the same password differ.
pub(super) type Salt = [u8; 16];

/// As many as PostgreSQL itself takes, if nobody said otherwise.
const ITERATIONS: u32 = 4096;
/// More than this would only hold a host up.
const MOST_ITERATIONS: u32 = 1_000_000;

/// A new verifier of `password`, which is of printable ASCII: SASLprep leaves that as it is.
pub(super) fn verifier(password: &str, salt: &Salt) -> String {
    written(password, salt, ITERATIONS)
}

/// Whether `stored` is a verifier of `password`.
pub(super) fn fits(password: &str, stored: &str) -> bool {
    match parse(stored) {
        Some((iterations, salt)) => written(password, &salt, iterations) == stored,
        None => false,
    }
}

/// Whether this looks like a verifier.
pub(super) fn is_verifier(text: &str) -> bool {
    let keys = text.rsplit_once('$').and_then(|(_, keys)| keys.split_once(':'));
    let is_key = |key: &str| Base64::decode_vec(key).is_ok_and(|key| key.len() == 32);
    parse(text).is_some() && keys.is_some_and(|(stored, server)| is_key(stored) && is_key(server))
}

/// The iterations and the salt.
fn parse(stored: &str) -> Option<(u32, Vec<u8>)> {
    let (iterations, rest) = stored.strip_prefix("SCRAM-SHA-256$")?.split_once(':')?;
    let (salt, _) = rest.split_once('$')?;
    let iterations = iterations.parse().ok().filter(|count| (1..=MOST_ITERATIONS).contains(count))?;
    Some((iterations, Base64::decode_vec(salt).ok()?))
}

fn written(password: &str, salt: &[u8], iterations: u32) -> String {
    let mut salted = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, iterations, &mut salted);
    let stored = Sha256::digest(keyed(&salted, b"Client Key"));
    let server = keyed(&salted, b"Server Key");
    let text = |bytes: &[u8]| Base64::encode_string(bytes);
    format!("SCRAM-SHA-256${iterations}:{}${}:{}", text(salt), text(&stored), text(&server))
}

fn keyed(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    // HMAC fills a shorter key up with zeros.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The password `pencil` of RFC 7677, as a server keeps it.
    const PENCIL: &str = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:\
                          wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    #[test]
    fn a_verifier_fits_its_password_alone() {
        assert!(fits("pencil", PENCIL));
        assert!(!fits("pencils", PENCIL));
        let own = verifier("swordfish", &[7; 16]);
        assert!(fits("swordfish", &own) && !fits("pencil", &own));
        assert!(own.starts_with("SCRAM-SHA-256$4096:BwcHBwcHBwcHBwcHBwcHBw==$"), "{own}");
        assert!(is_verifier(&own) && is_verifier(PENCIL));
    }

    #[test]
    fn what_is_no_verifier_fits_nothing() {
        let check = |stored: &str| {
            assert!(!fits("pencil", stored), "{stored}");
            assert!(!is_verifier(stored), "{stored}");
        };
        check("");
        check("md5a3556571e93b0d20722ba62be61e8c2d");
        check("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==");
        check("SCRAM-SHA-256$0:W22ZaJ0SNY7soEsUEjb6gQ==$a:b");
        check("SCRAM-SHA-256$4000000000:W22ZaJ0SNY7soEsUEjb6gQ==$a:b");
        check("SCRAM-SHA-256$4096:\u{fc}$a:b");
    }
}
