//! What git leaves in a file that two sides changed: `<<<<<<<`, perhaps `|||||||`, `=======`, `>>>>>>>`.

use std::collections::BTreeSet;

use wb_core::chain::{Lock, LockError, Unmerged};

use super::order::module;

/// A text in which two sides may stand beside each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a>(Vec<Part<'a>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part<'a> {
    Line(&'a str),
    Conflict { ours: Vec<&'a str>, theirs: Vec<&'a str> },
}

impl<'a> Text<'a> {
    /// Reads a text. Marks that are not complete are ordinary lines.
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let (mut parts, mut rest) = (Vec::new(), lines.as_slice());
        while let Some((line, after)) = rest.split_first() {
            (rest, _) = match conflict(rest) {
                Some((part, after)) => (after, parts.push(part)),
                None => (after, parts.push(Part::Line(line))),
            };
        }
        Self(parts)
    }

    /// Whether two sides stand in it.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Conflict { .. }))
    }

    /// The text of one side.
    fn side(&self, of_conflict: impl Fn(&Part<'a>) -> Vec<&'a str>) -> String {
        let lines = self.0.iter().flat_map(|part| match part {
            Part::Line(line) => vec![*line],
            conflict @ Part::Conflict { .. } => of_conflict(conflict),
        });
        lines.collect()
    }

    fn ours(&self) -> String {
        self.side(|part| match part {
            Part::Conflict { ours, .. } => ours.clone(),
            Part::Line(_) => Vec::new(),
        })
    }

    fn theirs(&self) -> String {
        self.side(|part| match part {
            Part::Conflict { theirs, .. } => theirs.clone(),
            Part::Line(_) => Vec::new(),
        })
    }

    /// The `mod` lines of both sides, each once.
    #[must_use]
    pub fn chain(&self) -> String {
        let ours = self.ours();
        let known: BTreeSet<&str> = ours.lines().filter_map(module).collect();
        self.side(|part| match part {
            Part::Conflict { ours, theirs } => {
                let is_new = |line: &&&str| match module(line) {
                    Some(name) => !known.contains(name),
                    None => !ours.contains(line),
                };
                ours.iter().copied().chain(theirs.iter().filter(is_new).copied()).collect()
            }
            Part::Line(_) => Vec::new(),
        })
    }

    /// The pins of both sides, each once, with the marks of both. Where they name two commits for one link, it is that of
    /// the first side, the one which is already in the history that HEAD has.
    ///
    /// # Errors
    /// When a side is no lock, or the sides say two things of one link.
    pub fn lock(&self) -> Result<Lock, ConflictError> {
        let ours = Lock::parse(&self.ours())?;
        if self.is_conflict() { Ok(ours.merged(&Lock::parse(&self.theirs())?)?) } else { Ok(ours) }
    }
}

/// Why the two sides of a `chain.lock` are not one.
#[derive(Debug, thiserror::Error)]
pub enum ConflictError {
    /// A side is no lock.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The sides contradict each other.
    #[error(transparent)]
    Unmerged(#[from] Unmerged),
}

/// The conflict that begins here, and what comes after it.
fn conflict<'a, 'l>(lines: &'l [&'a str]) -> Option<(Part<'a>, &'l [&'a str])> {
    let is = |mark: &'static str| move |line: &&str| line.trim_end() == mark || line.starts_with(&format!("{mark} "));
    lines.first().filter(|line| is("<<<<<<<")(line))?;
    let end = lines.iter().position(|line| is(">>>>>>>")(line))?;
    let middle = lines[..end].iter().position(|line| is("=======")(line))?;
    let base = lines[..middle].iter().position(|line| is("|||||||")(line)).unwrap_or(middle);
    let part = Part::Conflict { ours: lines[1..base].to_vec(), theirs: lines[middle + 1..end].to_vec() };
    Some((part, &lines[end + 1..]))
}

#[cfg(test)]
mod tests {
    use wb_core::chain::{Digest, Pin, Sha1};

    use super::*;

    #[test]
    fn both_sides_of_the_mod_lines_are_taken() {
        let check = |text: &str, expect: &str| assert_eq!(Text::parse(text).chain(), expect, "{text}");
        check("mod a;\n", "mod a;\n");
        check(
            "mod a;\n<<<<<<< HEAD\nmod b;\n=======\nmod d;\n>>>>>>> x\n\nchain!();\n",
            "mod a;\nmod b;\nmod d;\n\nchain!();\n",
        );
        check(
            "<<<<<<< HEAD\nmod b;\n||||||| base\nmod z;\n=======\n// why\nmod d;\nmod b;\n>>>>>>> x\n",
            "mod b;\n// why\nmod d;\n",
        );
        check("<<<<<<< HEAD\r\nmod b;\r\n=======\r\nmod d;\r\n>>>>>>> x\r\n", "mod b;\r\nmod d;\r\n");
    }

    #[test]
    fn marks_that_are_not_complete_are_lines() {
        let text = "<<<<<<< HEAD\nmod b;\n=======\nmod d;\n";
        assert!(!Text::parse(text).is_conflict());
        assert_eq!(Text::parse(text).chain(), text);
    }

    #[test]
    fn pins_of_both_sides_are_taken_whole() {
        let pin = |name: &str, n| Pin::new(name, Sha1::from_bytes([n; 20]), Digest::of(&[n]));
        let lock = |pins: Vec<Pin>| Lock { pins, ..Lock::default() };
        let (ours, theirs) = (pin("b", 2), pin("d", 3));
        let start = lock(vec![pin("a", 1)]).to_string();
        let inner = |pin: &Pin| pin.to_string().replace("[[link]]\n", "");
        let text = format!("{start}\n[[link]]\n<<<<<<< HEAD\n{}=======\n{}>>>>>>> x\n", inner(&ours), inner(&theirs));
        assert_eq!(Text::parse(&text).lock().unwrap(), lock(vec![pin("a", 1), ours.clone(), theirs]));
        let twice =
            format!("{start}\n[[link]]\n<<<<<<< HEAD\n{}=======\n{}>>>>>>> x\n", inner(&ours), inner(&pin("b", 9)));
        assert_eq!(Text::parse(&twice).lock().unwrap(), lock(vec![pin("a", 1), ours]));
        let amended = Pin { amended: Some(Digest::of(b"new")), ..pin("a", 1) };
        let marked = lock(vec![amended.clone()]).to_string();
        let text = format!("<<<<<<< HEAD\n{start}=======\n{marked}>>>>>>> x\n");
        assert_eq!(Text::parse(&text).lock().unwrap(), lock(vec![amended]), "a mark of the second side");
        assert!(Text::parse("version = 1\n<<<<<<< HEAD\n").lock().is_err());
    }
}
