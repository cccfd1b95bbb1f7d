//! Scripts: text that an interpreter runs from a private file, which is gone afterwards.

use wb_core::context::Context;
use wb_core::system::files::Attributes;

use crate::temporary::{TemporaryDir, TemporaryError};

/// A script.
pub(super) struct Script {
    name: String,
    text: Vec<u8>,
}

/// A script where it is run from, for as long as this lives.
pub(super) struct Placed {
    _place: TemporaryDir,
    /// The interpreter, with what its `#!` line gives it, and the file.
    pub(super) words: Vec<String>,
}

impl Script {
    pub(super) fn new(name: &str, text: Vec<u8>) -> Self {
        Self { name: name.to_owned(), text }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Puts it where only who runs it can read it.
    pub(super) fn placed(&self, context: &Context<'_>, user: Option<&str>) -> Result<Placed, TemporaryError> {
        let place = TemporaryDir::make(context.system(), user)?;
        let file = place.path().join("script");
        let owner = Attributes {
            mode: 0o500,
            uid: place.owner().map(|user| user.uid),
            gid: place.owner().map(|user| user.gid),
        };
        context.system().write_file(&file, &self.text, owner)?;
        let words = interpreter(&self.text).into_iter().chain([file.display().to_string()]).collect();
        Ok(Placed { _place: place, words })
    }
}

/// The program that its first line names, and the one argument that such a line may have; otherwise the shell. It is
/// started by name, so that a file system without programs is no obstacle.
fn interpreter(text: &[u8]) -> Vec<String> {
    let line = text.split(|byte| *byte == b'\n').next().and_then(|line| line.strip_prefix(b"#!"));
    let line = String::from_utf8_lossy(line.unwrap_or_default()).trim().to_owned();
    let (program, argument) = line.split_once([' ', '\t']).unwrap_or((&line, ""));
    match program {
        "" => vec!["/bin/sh".into()],
        program => {
            [program, argument.trim()].iter().filter(|word| !word.is_empty()).map(|word| (*word).into()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_the_interpreter() {
        let check = |text: &str, expect: &[&str]| assert_eq!(interpreter(text.as_bytes()), expect, "{text}");
        check("#!/usr/bin/python3\nprint(1)\n", &["/usr/bin/python3"]);
        check("#! /usr/bin/env -S python3 -u\n", &["/usr/bin/env", "-S python3 -u"]);
        check("#!/bin/sh -eu\r\n", &["/bin/sh", "-eu"]);
        check("echo a\n#!/usr/bin/python3\n", &["/bin/sh"]);
        check("", &["/bin/sh"]);
    }
}
