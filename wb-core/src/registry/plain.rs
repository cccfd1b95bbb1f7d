//! What plain ed25519 keys sign, and have signed, told without a process. Nothing here says no: whoever gets no answer
//! asks `ssh-keygen`, which knows why.

use std::path::Path;

use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

use crate::system::files;

/// The private key in this file, if it is an ed25519 key without a passphrase that nobody but its owner may read.
pub(super) fn read(path: &Path) -> Option<PrivateKey> {
    files::stat(path).ok().flatten().filter(|stat| stat.mode & 0o077 == 0)?;
    let key = PrivateKey::from_openssh(files::read(path).ok()?).ok()?;
    (key.algorithm() == Algorithm::Ed25519 && !key.is_encrypted()).then_some(key)
}

/// Its public half: algorithm and key, without the comment.
pub(super) fn public(key: &PrivateKey) -> Option<String> {
    PublicKey::from(key.public_key().key_data().clone()).to_openssh().ok()
}

/// The armoured signature of `payload`.
pub(super) fn sign(key: &PrivateKey, namespace: &str, payload: &[u8]) -> Option<String> {
    key.sign(namespace, HashAlg::Sha512, payload).ok()?.to_pem(LineEnding::LF).ok()
}

/// Who signed `payload`, if lines without options say so. What is not spelled as `ssh-keygen` spells it is left to that.
pub(super) fn signer<'a>(allowed: &'a str, namespace: &str, payload: &[u8], signature: &str) -> Option<&'a str> {
    let armoured = signature.trim_end_matches('\n');
    let signature = SshSig::from_pem(signature).ok()?;
    let spelled = signature.to_pem(LineEnding::LF).ok()?;
    if spelled.trim_end_matches('\n') != armoured || !signature.reserved().is_empty() {
        return None;
    }
    let lines = allowed.lines().map(|line| line.trim_matches(BLANK)).filter(|line| !line.is_empty());
    let mut signers = lines.filter(|line| !line.starts_with('#')).map_while(signer_of_line);
    let is_it = |key: &PublicKey| key.key_data() == signature.public_key();
    let (principal, key) = signers.find(|(_, key)| key.as_ref().is_some_and(is_it))?;
    key?.verify(namespace, payload, &signature).is_ok().then_some(principal)
}

/// What parts the words of a line.
const BLANK: [char; 2] = [' ', '\t'];

/// Whom a line without options allows, and with which key if that is an ed25519 one.
fn signer_of_line(line: &str) -> Option<(&str, Option<PublicKey>)> {
    let is_plain = |c: char| c.is_ascii_graphic() && !"\",*?!".contains(c);
    let mut words = line.split(BLANK).filter(|word| !word.is_empty());
    let principal = words.next().filter(|principal| principal.chars().all(is_plain))?;
    match (words.next()?, words.next()?) {
        ("ssh-ed25519", key) => Some((principal, Some(PublicKey::from_openssh(&format!("ssh-ed25519 {key}")).ok()?))),
        (other, _) => is_algorithm(other).then_some((principal, None)),
    }
}

/// Whether this is the name of a kind of key.
pub(super) fn is_algorithm(word: &str) -> bool {
    let known = ["ssh-", "ecdsa-", "sk-"].iter().any(|start| word.starts_with(start));
    known && word.chars().all(|c| c.is_ascii_alphanumeric() || "-@.".contains(c))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::super::signature::generate;
    use super::*;
    use crate::system::Command;

    const ALICE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    #[test]
    fn lines_without_options_are_told_here() {
        let check = |line: &str, expect: Option<(&str, bool)>| {
            assert_eq!(signer_of_line(line).map(|(who, key)| (who, key.is_some())), expect, "{line}");
        };
        check(&format!("alice@x {ALICE} a comment"), Some(("alice@x", true)));
        check("alice@x ssh-rsa AAAA", Some(("alice@x", false)));
        check("alice@x sk-ssh-ed25519@openssh.com AAAA", Some(("alice@x", false)));
        check(&format!("alice@x,bob@x {ALICE}"), None);
        check(&format!("*@x {ALICE}"), None);
        check(&format!("alice@x namespaces=\"git\" {ALICE}"), None);
        check(&format!("alice@x cert-authority {ALICE}"), None);
        check("alice@x ssh-ed25519 AAAA", None);
        check("alice@x", None);
        check(&format!("alice@x\t{ALICE}"), Some(("alice@x", true)));
        check(&format!("alice@x\u{c}{ALICE}"), None);
        check(&format!("\u{b}alice@x {ALICE}"), None);
        check(&format!("alice@x\0 {ALICE}"), None);
    }

    /// A key, its public half, and what it signed.
    fn signed(payload: &[u8]) -> (String, String) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        generate(&file, "alice").unwrap();
        let key = read(&file).unwrap();
        (public(&key).unwrap(), sign(&key, "git", payload).unwrap())
    }

    #[test]
    fn who_signed() {
        let (key, signature) = signed(b"change");
        let check = |allowed: &str, namespace: &str, payload: &[u8], expect: Option<&str>| {
            assert_eq!(signer(allowed, namespace, payload, &signature), expect, "{allowed}");
        };
        let alice = format!("# operators\n\nbob@x {ALICE}\nalice@x {key}\ncarol@x {key}\n");
        check(&alice, "git", b"change", Some("alice@x"));
        check(&alice, "file", b"change", None);
        check(&alice, "git", b"changed", None);
        check(&format!("bob@x {ALICE}\n"), "git", b"change", None);
        check(&format!("alice@x valid-before=\"20200101\" {key}\nalice@x {key}\n"), "git", b"change", None);
    }

    #[test]
    fn a_signature_that_is_spelled_in_another_way_is_left_to_ssh_keygen() {
        let (key, signature) = signed(b"change");
        let allowed = format!("alice@x {key}");
        let check = |signature: String, expect: Option<&str>| {
            assert_eq!(signer(&allowed, "git", b"change", &signature), expect, "{signature}");
        };
        check(signature.clone(), Some("alice@x"));
        check(format!("a word before\n{signature}"), None);
        check(format!("{signature}a word after\n"), None);
        check(signature.replacen('\n', "\r\n", 9), None);
        // The key within says that it is longer than it is.
        check(signature.replacen("AQAAADMAAAAL", "AQAAADoAAAAL", 1), None);
    }

    #[test]
    fn ssh_keygen_takes_what_is_signed_here_and_the_other_way_round() {
        let dir = tempfile::tempdir().unwrap();
        let [signature, allowed, payload] = ["s", "allowed", "change"].map(|name| dir.path().join(name));
        let file = dir.path().join("key");
        generate(&file, "alice").unwrap();
        let key = read(&file).unwrap();
        let line = format!("alice@x {}\n", public(&key).unwrap());
        files::replace(&allowed, &line).unwrap();
        files::replace(&payload, "change").unwrap();

        files::replace(&signature, sign(&key, "git", b"change").unwrap()).unwrap();
        let verify =
            Command::new("ssh-keygen").args(["-Y", "verify", "-n", "git", "-I", "alice@x", "-s"]).arg(&signature);
        verify.arg("-f").arg(&allowed).stdin("change").read().unwrap();

        Command::new("ssh-keygen").args(["-Y", "sign", "-n", "git", "-f"]).arg(&file).arg(&payload).read().unwrap();
        let theirs = files::read_text(dir.path().join("change.sig")).unwrap();
        assert_eq!(signer(&line, "git", b"change", &theirs), Some("alice@x"));
    }

    #[test]
    fn a_key_that_others_may_read_is_left_to_ssh_keygen() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        generate(&file, "alice").unwrap();
        assert!(read(&file).is_some());
        files::set_mode(&file, 0o644).unwrap();
        assert!(read(&file).is_none());
    }

    /// Who is allowed, and what she signed: one for all cases.
    static SIGNED: LazyLock<(String, String)> = LazyLock::new(|| {
        let (key, signature) = signed(b"change");
        (format!("alice@x {key}"), signature)
    });

    proptest! {
        #[test]
        fn hostile_text_names_nobody(text in ".{0,200}") {
            let (allowed, signature) = &*SIGNED;
            prop_assert_eq!(signer(allowed, "git", b"change", &text), None);
            prop_assert_eq!(signer(&text, "git", b"change", signature), None);
        }

        #[test]
        fn with_another_letter_nobody_signed(place in 0usize..400, letter in "[A-Za-z0-9+/]") {
            let (allowed, signature) = &*SIGNED;
            let lines: Vec<&str> = signature.lines().collect();
            let armoured: String = lines[1..lines.len() - 1].concat();
            let place = place % armoured.trim_end_matches('=').len().saturating_sub(1);
            let hostile = format!("{}{letter}{}", &armoured[..place], &armoured[place + 1..]);
            prop_assume!(hostile != armoured);
            let body: Vec<&str> = hostile.as_bytes().chunks(70).map(|part| std::str::from_utf8(part).unwrap()).collect();
            let hostile = format!("{}\n{}\n{}\n", lines[0], body.join("\n"), lines[lines.len() - 1]);
            prop_assert_eq!(signer(allowed, "git", b"change", &hostile), None);
        }
    }
}
