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

/// Who signed `payload`, if lines without options say so.
pub(super) fn signer<'a>(allowed: &'a str, namespace: &str, payload: &[u8], signature: &str) -> Option<&'a str> {
    let signature = SshSig::from_pem(signature).ok()?;
    let lines = allowed.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut signers = lines.map_while(signer_of_line);
    let is_it = |key: &PublicKey| key.key_data() == signature.public_key();
    let (principal, key) = signers.find(|(_, key)| key.as_ref().is_some_and(is_it))?;
    key?.verify(namespace, payload, &signature).is_ok().then_some(principal)
}

/// Whom a line without options allows, and with which key if that is an ed25519 one.
fn signer_of_line(line: &str) -> Option<(&str, Option<PublicKey>)> {
    let mut words = line.split_ascii_whitespace();
    let principal = words.next().filter(|principal| !principal.contains(['"', ',', '*', '?', '!']))?;
    match (words.next()?, words.next()?) {
        ("ssh-ed25519", key) => Some((principal, Some(PublicKey::from_openssh(&format!("ssh-ed25519 {key}")).ok()?))),
        (other, _) => {
            ["ssh-", "ecdsa-", "sk-"].iter().any(|start| other.starts_with(start)).then_some((principal, None))
        }
    }
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

        /// What frames a signature is not signed, so that it may still be what alice signed, and nothing else.
        #[test]
        fn another_letter_signs_nothing_else(place in 0usize..400, letter in "[A-Za-z0-9+/]") {
            let (allowed, signature) = &*SIGNED;
            let lines: Vec<&str> = signature.lines().collect();
            let armoured: String = lines[1..lines.len() - 1].concat();
            let place = place % armoured.trim_end_matches('=').len().saturating_sub(1);
            let hostile = format!("{}{letter}{}", &armoured[..place], &armoured[place + 1..]);
            prop_assume!(hostile != armoured);
            let body: Vec<&str> = hostile.as_bytes().chunks(70).map(|part| std::str::from_utf8(part).unwrap()).collect();
            let hostile = format!("{}\n{}\n{}\n", lines[0], body.join("\n"), lines[lines.len() - 1]);
            prop_assert_eq!(signer(allowed, "git", b"changed", &hostile), None);
            prop_assert_eq!(signer(allowed, "file", b"change", &hostile), None);
        }
    }
}
