//! Files in which managers keep which packages are held.
//!
//! They are read each time that packages are looked at, so that a look starts no program for that.

use wb_core::system::System;

use super::PackageError;
use super::facts::Found;
use crate::text_file::{TextFile, TextFileError};

/// A file in which a manager keeps what is held, and its grammar.
pub(super) trait Holds {
    fn path(&self) -> &str;

    /// Whether a text says that a package is held: by its name, or by a pattern.
    fn has(&self, text: &str, name: &str) -> bool;

    /// The text that also says that a package is held, in this version.
    fn with(&self, text: &str, name: &str, version: &str) -> Result<String, PackageError>;

    /// The text that does not say so by the name of the package.
    fn without(&self, text: &str, name: &str) -> Result<String, PackageError>;
}

/// What was found, with what the file says of it.
pub(super) fn marked(system: &System, holds: &dyn Holds, mut found: Found) -> Result<Found, PackageError> {
    let content = system.read_file(holds.path());
    let content = content.map_err(|source| PackageError::Read { path: holds.path().into(), source })?;
    let text = String::from_utf8_lossy(content.as_deref().unwrap_or_default());
    for (name, facts) in &mut found {
        facts.held = holds.has(&text, name);
    }
    Ok(found)
}

/// Writes down whether these are held, in the versions that they were found in.
pub(super) fn write(system: &System, holds: &dyn Holds, found: &Found, held: bool) -> Result<(), PackageError> {
    let failed = |source: TextFileError| PackageError::Holds { path: holds.path().into(), source };
    let file = TextFile::read(system, holds.path()).map_err(failed)?;
    let text = if held { with_all(holds, file.text(), found)? } else { without_all(holds, file.text(), found)? };
    file.write(&text).map_err(|source| failed(source.into()))
}

fn with_all(holds: &dyn Holds, text: &str, found: &Found) -> Result<String, PackageError> {
    found.iter().try_fold(text.to_owned(), |text, (name, facts)| match facts.version() {
        Some(version) => holds.with(&text, name, version),
        None => Ok(text),
    })
}

fn without_all(holds: &dyn Holds, text: &str, found: &Found) -> Result<String, PackageError> {
    let text = found.keys().try_fold(text.to_owned(), |text, name| holds.without(&text, name))?;
    match found.keys().find(|name| holds.has(&text, name)) {
        Some(name) => Err(PackageError::HeldByPattern { name: name.clone(), path: holds.path().into() }),
        None => Ok(text),
    }
}

/// For the tests of each grammar: what is said twice is said once, and what is taken back is gone.
#[cfg(test)]
pub(super) fn check_edits(holds: &dyn Holds, text: &str, name: &str, version: &str, with: &str, without: &str) {
    let held = holds.with(text, name, version).unwrap();
    assert_eq!(held, with, "held");
    assert!(holds.has(&held, name), "{held}");
    assert_eq!(holds.with(&held, name, version).unwrap(), with, "held twice");
    let free = holds.without(&held, name).unwrap();
    assert_eq!(free, without, "free");
    assert!(!holds.has(&free, name), "{free}");
    assert_eq!(holds.without(&free, name).unwrap(), without, "free twice");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Access as _;
    use crate::machine::Machine;
    use crate::packages::facts::Facts;

    /// A file of names, in which `*` holds all.
    struct Names;

    impl Holds for Names {
        fn path(&self) -> &str {
            "/etc/held"
        }

        fn has(&self, text: &str, name: &str) -> bool {
            text.lines().any(|line| line == name || line == "*")
        }

        fn with(&self, text: &str, name: &str, _: &str) -> Result<String, PackageError> {
            Ok(format!("{text}{name}\n"))
        }

        fn without(&self, text: &str, name: &str) -> Result<String, PackageError> {
            Ok(text.replace(&format!("{name}\n"), ""))
        }
    }

    fn found() -> Found {
        Found::from([("a".into(), Facts::installed("1")), ("b".into(), Facts::default())])
    }

    fn write_held(machine: &Machine, held: bool) -> Result<(), anyhow::Error> {
        machine.apply(|host| Ok(write(host.context().system(), &Names, &found(), held)?))
    }

    #[test]
    fn what_the_file_says_is_marked() {
        let check = |machine: Machine, expect: [bool; 2]| {
            let marked = machine.view(|host| Ok(marked(host.context().system(), &Names, found())?)).unwrap();
            assert_eq!([marked["a"].held, marked["b"].held], expect);
        };
        check(Machine::new(), [false, false]);
        check(Machine::new().file("/etc/held", "b\n"), [false, true]);
        check(Machine::new().file("/etc/held", "*\n"), [true, true]);
    }

    #[test]
    fn only_what_is_installed_is_written_down() {
        let machine = Machine::new().file("/etc/held", "c\n");
        write_held(&machine, true).unwrap();
        assert_eq!(machine.read("/etc/held").as_deref(), Some("c\na\n"));
        write_held(&machine, false).unwrap();
        assert_eq!(machine.read("/etc/held").as_deref(), Some("c\n"));
    }

    #[test]
    fn what_a_pattern_holds_is_not_let_go() {
        let machine = Machine::new().file("/etc/held", "a\n*\n");
        let error = write_held(&machine, false).unwrap_err().to_string();
        assert!(error.starts_with("the package `a` is held by a pattern in /etc/held, which may hold "), "{error}");
        assert_eq!(machine.read("/etc/held").as_deref(), Some("a\n*\n"));
    }

    #[test]
    fn a_file_that_can_not_be_edited_is_an_error() {
        let error = write_held(&Machine::new().dir("/etc/held"), true).unwrap_err();
        assert_eq!(error.to_string(), "could not change which packages are held, in /etc/held");
        assert!(format!("{error:#}").contains("is to be a file, and is a directory"), "{error:#}");
    }
}
