//! Passwords, as /etc/shadow has them: never themselves.

use crate::owner::{Secret, Shadow};

/// What a user is to have for a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Password {
    /// This hash of it.
    Hash(Secret),
    /// None: nobody gets in with a password.
    None,
}

impl Password {
    fn text(&self) -> &str {
        match self {
            Self::Hash(hash) => hash.text(),
            Self::None => "*",
        }
    }
}

/// The whole field of /etc/shadow, lock and all. Where nobody said whether it is to be locked, a lock before a
/// password stays; one that stands alone is what new users have for want of a password.
pub(super) fn field(found: Option<&Shadow>, password: &Password, locked: Option<bool>) -> Secret {
    let was_locked = found.is_some_and(|found| found.is_locked() && !found.unlocked().is_empty());
    let lock = if locked.unwrap_or(was_locked) { "!" } else { "" };
    Secret::new(format!("{lock}{}", password.text()))
}

/// Whether what is found is as the field that is wanted, however many locks are on it.
pub(super) fn is_so(found: &Shadow, wanted: &Secret) -> bool {
    let is_locked = wanted.text().starts_with('!');
    found.is_locked() == is_locked && found.unlocked() == wanted.text().trim_start_matches('!')
}

/// Whether this is a hash as crypt(5) makes them with SHA-512 (`$6$`) or yescrypt (`$y$`), whole and of its length. A
/// password that only begins so is none.
pub(super) fn is_hash(text: &str) -> bool {
    let fields: Vec<&str> = text.split('$').collect();
    match fields.as_slice() {
        ["", "6", salt, hash] => is_salt(salt) && is_encoded(hash, 86),
        ["", "6", rounds, salt, hash] => are_rounds(rounds) && is_salt(salt) && is_encoded(hash, 86),
        ["", "y", parameters, salt, hash] => {
            is_encoded(parameters, parameters.len())
                && salt.len() <= 86
                && is_encoded(salt, salt.len())
                && is_encoded(hash, 43)
        }
        _ => false,
    }
}

fn are_rounds(text: &str) -> bool {
    text.strip_prefix("rounds=").is_some_and(|rounds| rounds.len() <= 9 && rounds.parse::<u32>().is_ok())
}

fn is_salt(text: &str) -> bool {
    text.len() <= 16 && is_encoded(text, text.len())
}

fn is_encoded(text: &str, length: usize) -> bool {
    !text.is_empty()
        && text.len() == length
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::Shadows;

    /// Of `openssl passwd -6 -salt saltsalt swordfish`.
    const SHA512: &str =
        "$6$saltsalt$cPbDmdp7sUA1v8Yjfppi8VeFqwELnkKCqsv5H2wx/S4LZwLhIhlK7tCX/4JqgCT3onV3./FXCDD2Y6iXkj4Lp/";

    fn shadow(password: &str) -> Shadow {
        let line = format!("anna:{password}:20786:0:99999:7:::\n");
        Shadows::parse(line.as_bytes()).named("anna").unwrap().clone()
    }

    #[test]
    fn only_whole_hashes_are_hashes() {
        let check = |text: &str, expect: bool| assert_eq!(is_hash(text), expect, "{text}");
        let (sha, yescrypt) = ("a".repeat(86), "b".repeat(43));
        check(&format!("$6$salt${sha}"), true);
        check(&format!("$6$rounds=656000$salt${sha}"), true);
        check(&format!("$y$j9T$F5Jx5fExrKuPp53xLKQ..1${yescrypt}"), true);
        check(&format!("$6$salt${}", &sha[1..]), false);
        check(&format!("$6$rounds=many$salt${sha}"), false);
        check(&format!("$6$much-too-long-a-salt${sha}"), false);
        check(&format!("$5$salt${}", "c".repeat(43)), false);
        check(&format!("$1$salt${}", "d".repeat(22)), false);
        check(&format!("$6$sa:t${sha}"), false);
        check(&format!("$6$salt${sha}\n"), false);
        check("swordfish", false);
        check("$6$swordfish", false);
        check("", false);
        check("*", false);
        check("!", false);
    }

    #[test]
    fn a_hash_of_openssl_is_one() {
        assert!(is_hash(SHA512));
    }

    #[test]
    fn a_lock_stays_unless_somebody_says_otherwise() {
        let check = |found: Option<&str>, locked: Option<bool>, expect: &str| {
            let hash = Password::Hash(Secret::new("$6$new"));
            assert_eq!(field(found.map(shadow).as_ref(), &hash, locked).text(), expect, "{found:?} {locked:?}");
        };
        check(None, None, "$6$new");
        check(Some("!"), None, "$6$new");
        check(Some("!!"), None, "$6$new");
        check(Some("$6$old"), None, "$6$new");
        check(Some("!$6$old"), None, "!$6$new");
        check(Some("!$6$old"), Some(false), "$6$new");
        check(Some("$6$old"), Some(true), "!$6$new");
        assert_eq!(field(None, &Password::None, None).text(), "*");
    }

    #[test]
    fn two_locks_are_as_good_as_one() {
        let check = |found: &str, wanted: &str, expect| {
            assert_eq!(is_so(&shadow(found), &Secret::new(wanted)), expect, "{found} {wanted}");
        };
        check("$6$x", "$6$x", true);
        check("!!$6$x", "!$6$x", true);
        check("!$6$x", "$6$x", false);
        check("$6$y", "$6$x", false);
    }
}
