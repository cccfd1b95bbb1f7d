//! What a commit says, read out of the bytes of its object.
//!
//! What is signed is what is believed: payload and content come out of one reading. libgit2 looks for the signature in the
//! message too, and what it gives back as the payload of a commit may be that of another one.

use super::objects::ObjectError;
use super::signature::AllowedSigners;
use crate::chain::Sha1;

/// A commit that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub sha1: Sha1,
    /// The commits before it.
    pub parents: Vec<Sha1>,
    /// Subject, empty line, body.
    pub message: String,
    tree: Sha1,
    signed: Option<Signed>,
}

/// What was signed, and the armoured signature.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Signed {
    payload: Vec<u8>,
    signature: String,
}

impl Commit {
    /// The commit `sha1`, whose object has these bytes.
    ///
    /// Git writes a tree, parents, an author, a committer, further headers, an empty line and the message. What is in
    /// another order, or signed twice, is none of ours.
    ///
    /// ```
    /// use wb_core::chain::Sha1;
    /// use wb_core::registry::Commit;
    /// let tree = Sha1::from_bytes([7; 20]);
    /// let text = format!("tree {tree}\nauthor Ada <a@b> 0 +0000\ncommitter Ada <a@b> 0 +0000\n\nsubject\n\nbody\n");
    /// let commit = Commit::parse(Sha1::ZERO, text.as_bytes()).unwrap();
    /// assert_eq!((commit.subject(), commit.body()), ("subject", "body\n"));
    /// ```
    ///
    /// # Errors
    /// When they are no commit.
    pub fn parse(sha1: Sha1, bytes: &[u8]) -> Result<Self, ObjectError> {
        let wrong = |what| ObjectError::Malformed { commit: sha1, what };
        let end = bytes.windows(2).position(|pair| pair == b"\n\n").ok_or_else(|| wrong("has no message"))?;
        let (head, message) = (&bytes[..=end], &bytes[end + 2..]);
        let mut headers = headers(head).peekable();
        let mut next = |key: &str| headers.next_if(|header| header.key() == key.as_bytes());
        let tree = next("tree").and_then(|header| header.sha1()).ok_or_else(|| wrong("has no tree"))?;
        let mut parents = Vec::new();
        while let Some(parent) = next("parent") {
            parents.push(parent.sha1().ok_or_else(|| wrong("has a parent that is none"))?);
        }
        if next("author").is_none() || next("committer").is_none() {
            return Err(wrong("does not say whose it is"));
        }
        let mut signatures = headers.filter(|header| header.key() == SIGNATURE);
        let signed = signatures.next().map(|signature| Signed {
            payload: [&head[..signature.start], &head[signature.end()..], b"\n", message].concat(),
            signature: signature.value(),
        });
        match signatures.next() {
            Some(_) => Err(wrong("is signed twice")),
            None => Ok(Self { sha1, parents, message: String::from_utf8_lossy(message).into_owned(), tree, signed }),
        }
    }

    /// Its tree.
    #[must_use]
    pub fn tree(&self) -> Sha1 {
        self.tree
    }

    /// The first line of the message.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }

    /// What follows the first empty line of the message.
    #[must_use]
    pub fn body(&self) -> &str {
        self.message.split_once("\n\n").map_or("", |(_, body)| body)
    }

    /// The bytes that were signed: those of a commit that says the same, and is not signed.
    #[must_use]
    pub fn payload(&self) -> Option<&[u8]> {
        self.signed.as_ref().map(|signed| &*signed.payload)
    }

    /// Who signed it.
    ///
    /// # Errors
    /// When it is not signed, or not by one of `allowed`.
    pub fn verify(&self, allowed: &AllowedSigners) -> Result<String, ObjectError> {
        let signed = self.signed.as_ref().ok_or(ObjectError::Unsigned { commit: self.sha1 })?;
        let verified = allowed.verify(&signed.payload, &signed.signature);
        verified.map_err(|source| ObjectError::Signature { commit: self.sha1, source })
    }
}

const SIGNATURE: &[u8] = b"gpgsig";

/// A header, with the lines that continue it, and where it begins.
struct Header<'a> {
    start: usize,
    text: &'a [u8],
}

impl<'a> Header<'a> {
    fn key(&self) -> &'a [u8] {
        self.text.split(|byte| *byte == b' ').next().unwrap_or_default()
    }

    fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// What follows the key. Each line that continues it begins with a space, which is not part of it.
    fn value(&self) -> String {
        let value = self.text.get(self.key().len() + 1..).unwrap_or_default();
        String::from_utf8_lossy(value).trim_end_matches('\n').replace("\n ", "\n")
    }

    fn sha1(&self) -> Option<Sha1> {
        self.value().parse().ok()
    }
}

fn headers(head: &[u8]) -> impl Iterator<Item = Header<'_>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = head.get(start..).filter(|rest| !rest.is_empty())?;
        let continues = |at: &usize| rest[*at] == b'\n' && rest.get(at + 1) != Some(&b' ');
        let length = (0..rest.len()).find(continues).map_or(rest.len(), |at| at + 1);
        let header = Header { start, text: &rest[..length] };
        start = header.end();
        Some(header)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "1111111111111111111111111111111111111111";
    const PARENT: &str = "2222222222222222222222222222222222222222";
    const WHO: &str = "author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n";

    fn check(text: &str, expect: &str) {
        let said = match Commit::parse(Sha1::ZERO, text.as_bytes()) {
            Ok(commit) => {
                let payload = commit.payload().map(|payload| String::from_utf8_lossy(payload).replace(WHO, "WHO "));
                let signature = commit.signed.map(|signed| signed.signature);
                let parents = commit.parents.len();
                format!("{parents} parents, {:?}, signs {payload:?} with {signature:?}", commit.message)
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(said, expect, "{text:?}");
    }

    #[test]
    fn what_a_commit_says() {
        check(&format!("tree {TREE}\n{WHO}\nm\n"), "0 parents, \"m\\n\", signs None with None");
        let merge = format!("tree {TREE}\nparent {PARENT}\nparent {TREE}\n{WHO}encoding x\n\n");
        check(&merge, "2 parents, \"\", signs None with None");
    }

    #[test]
    fn what_is_signed_is_all_but_the_signature() {
        let said = format!(
            "0 parents, \"m\\n\", signs Some(\"tree {TREE}\\nWHO encoding x\\n\\nm\\n\") with Some(\"BEGIN\\na\\n\\nEND\")"
        );
        check(&format!("tree {TREE}\n{WHO}gpgsig BEGIN\n a\n \n END\nencoding x\n\nm\n"), &said);
        check(&format!("tree {TREE}\n{WHO}encoding x\ngpgsig BEGIN\n a\n \n END\n\nm\n"), &said);
    }

    #[test]
    fn a_signature_in_the_message_is_none() {
        check(
            &format!("tree {TREE}\n{WHO}\nm\ngpgsig BEGIN\n END\n"),
            "0 parents, \"m\\ngpgsig BEGIN\\n END\\n\", signs None with None",
        );
        let other = format!("tree {TREE}\n{WHO}gpgsigned x\n\n");
        check(&other, "0 parents, \"\", signs None with None");
    }

    #[test]
    fn what_is_no_commit() {
        let check = |text: &str, what: &str| check(text, &format!("the commit 0000000 {what}"));
        check("", "has no message");
        check(&format!("tree {TREE}\n{WHO}"), "has no message");
        check(&format!("{WHO}tree {TREE}\n\n"), "has no tree");
        check(&format!("tree {}\n{WHO}\n", &TREE[1..]), "has no tree");
        check(&format!("tree {TREE}\n x\n{WHO}\n"), "has no tree");
        check(&format!("tree {TREE}\nparent x\n{WHO}\n"), "has a parent that is none");
        check(&format!("tree {TREE}\n{WHO}parent {PARENT}\ngpgsig a\ngpgsig b\n\n"), "is signed twice");
        check(&format!("tree {TREE}\ngpgsig a\n{WHO}\n"), "does not say whose it is");
        check(&format!("tree {TREE}\ncommitter A <a@b> 1 +0000\n\n"), "does not say whose it is");
    }

    #[test]
    fn a_late_parent_is_none() {
        let late = format!("tree {TREE}\n{WHO}parent {PARENT}\n\n");
        check(&late, "0 parents, \"\", signs None with None");
    }
}
