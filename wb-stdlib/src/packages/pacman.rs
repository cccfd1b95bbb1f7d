//! pacman. What is installed it keeps in directories with telling names, so that a look starts no program.

mod ignored;

use std::path::Path;

use wb_core::system::{Command, CommandError, Output, System, files};

use super::backend::{Backend, Lists, Target};
use super::facts::{Facts, Found, found};
use super::offer::{Offers, offers};
use super::tool::{Tool, Trouble, failure, quiet, said, says};
use super::{Manager, PackageError, holds, version};
use ignored::Ignored;

const LOCAL: &str = "/var/lib/pacman/local";
const LISTS: &str = "/var/lib/pacman/sync";
/// A file that is there while pacman runs, and for ever when that was killed.
const LOCK: &str = "/var/lib/pacman/db.lck";

pub(super) struct Pacman<'a> {
    system: &'a System,
}

impl<'a> Pacman<'a> {
    pub(super) fn new(system: &'a System) -> Self {
        Self { system }
    }

    fn act(&self, command: &Command, action: &'static str, names: &[String]) -> Result<(), PackageError> {
        self.insist(command).map(drop).map_err(|failure| failure.about(Manager::Pacman, action, names))
    }

    /// Removes a lock that nobody has open: who made it was killed.
    fn unlock_if_dead(&self) {
        let lock = self.system.path(LOCK);
        let processes = files::list(self.system.path("/proc")).unwrap_or_default();
        let is_open = processes.iter().any(|process| {
            let open = files::list(process.join("fd")).unwrap_or_default();
            open.iter().any(|file| files::read_link(file).is_ok_and(|to| to == Path::new(LOCK) || to == lock))
        });
        if !is_open {
            drop(files::remove(lock));
        }
    }
}

impl Tool for Pacman<'_> {
    fn system(&self) -> &System {
        self.system
    }

    fn trouble(&self, output: &Output) -> Option<Trouble> {
        let trouble = (output.code != 0).then(|| trouble(&said(output)));
        if trouble == Some(Trouble::Locked) {
            self.unlock_if_dead();
        }
        trouble
    }

    fn mend(&self, _: Trouble) -> Result<(), CommandError> {
        Ok(())
    }

    fn update_lists(&self) -> Result<(), CommandError> {
        self.system.run(&pacman().arg("-Sy")).map(drop)
    }
}

impl Backend for Pacman<'_> {
    fn manager(&self) -> Manager {
        Manager::Pacman
    }

    fn facts(&self, names: &[String]) -> Result<Found, PackageError> {
        let entries = match self.system.stat(LOCAL).map(|found| found.is_some()) {
            Ok(true) => files::list(self.system.path(LOCAL)),
            Ok(false) => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let entries = entries.map_err(|source| PackageError::Read { path: LOCAL.into(), source })?;
        let entries: Vec<(&str, &str)> = entries.iter().filter_map(|path| parse_directory(path)).collect();
        let found = found(names, |name| {
            let entry = entries.iter().find(|(found, _)| *found == name);
            entry.map(|(_, version)| Facts::installed(version)).unwrap_or_default()
        });
        holds::marked(self.system, &Ignored, found)
    }

    fn offers(&self, names: &[String], _: bool) -> Result<Offers, PackageError> {
        let query = pacman().args(["-Si", "--"]).args(names);
        // Its exit code is 1 when it knows one of them not, which is no failure here.
        let output = self.system.run(&query).map_err(|source| PackageError::Look { names: names.to_vec(), source })?;
        Ok(parse_offers(&output.text()))
    }

    fn lists(&self) -> Lists {
        let has_lists = files::list(self.system.path(LISTS)).is_ok_and(|entries| {
            entries.iter().any(|path| path.extension().is_some_and(|extension| extension == "db"))
        });
        match self.system.stat(LISTS) {
            Ok(Some(stat)) if has_lists => Lists::Aged(self.system.clock().now().saturating_sub(stat.modified)),
            _ => Lists::None,
        }
    }

    fn update(&self) -> Result<(), PackageError> {
        let updated = self.insist(&pacman().arg("-Sy"));
        updated.map(drop).map_err(|failure| PackageError::Update { source: failure.source })
    }

    fn install(&self, targets: &[Target], _: &Found) -> Result<(), PackageError> {
        let names = Target::names(targets);
        self.act(&pacman().args(["-S", "--"]).args(&names), "install", &names)
    }

    fn remove(&self, names: &[String], purge: bool) -> Result<(), PackageError> {
        self.act(&pacman().args([if purge { "-Rn" } else { "-R" }, "--"]).args(names), "remove", names)
    }

    fn hold(&self, names: &[String], held: bool) -> Result<(), PackageError> {
        holds::write(self.system, &Ignored, &self.facts(names)?, held)
    }

    fn unneeded(&self) -> Result<Vec<String>, PackageError> {
        let query = pacman().arg("-Qdtq");
        let looked = |source| PackageError::Look { names: Vec::new(), source };
        let output = self.system.run(&query).map_err(looked)?;
        match has_answered(&output) {
            true => Ok(output.text().lines().map(str::to_owned).collect()),
            false => Err(looked(failure(&query, &output))),
        }
    }

    fn remove_unneeded(&self, names: &[String], purge: bool) -> Result<(), PackageError> {
        self.act(&pacman().args([if purge { "-Rsn" } else { "-Rs" }, "--"]).args(names), "remove", names)
    }
}

fn pacman() -> Command {
    quiet(Command::new("pacman")).args(["--noconfirm", "--noprogressbar", "--color", "never"])
}

/// Reads a directory `…/name-version-release`.
fn parse_directory(path: &Path) -> Option<(&str, &str)> {
    let name = path.file_name()?.to_str()?;
    let release = name.rfind('-')?;
    let version = name[..release].rfind('-')?;
    Some((&name[..version], &name[version + 1..]))
}

/// Reads lines `Name            : nginx` and `Version         : 1.24.0-1`, of one repository after the other: the first
/// that has a package is the one that counts.
fn parse_offers(text: &str) -> Offers {
    let (mut found, mut name): (Vec<(&str, String)>, &str) = (Vec::new(), "");
    for line in text.lines() {
        match line.split_once(" : ").map(|(key, value)| (key.trim_end(), value)) {
            Some(("Name", value)) => name = value,
            Some(("Version", value)) if found.iter().all(|(known, _)| *known != name) => {
                found.push((name, value.to_owned()));
            }
            _ => {}
        }
    }
    offers(found, version::pacman)
}

/// Whether a query came to an answer. Its exit code is 1 where there is nothing to tell, and where it failed: then it
/// says so.
fn has_answered(output: &Output) -> bool {
    match output.code {
        0 => true,
        1 => !says(&output.error_text(), &["error:"]),
        _ => false,
    }
}

fn trouble(said: &str) -> Trouble {
    let table: [(Trouble, &[&str]); 3] = [
        (Trouble::Locked, &["unable to lock database", "could not lock database"]),
        (
            Trouble::Mirror,
            &[
                "failed retrieving file",
                "failed to retrieve some files",
                "failed to synchronize all databases",
                "failed to synchronize any databases",
                "download library error",
            ],
        ),
        (
            Trouble::Unsolvable,
            &["could not satisfy dependencies", "conflicting dependencies", "unresolvable package conflicts"],
        ),
    ];
    table.iter().find(|(_, words)| says(said, words)).map_or(Trouble::Other, |(trouble, _)| *trouble)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Access as _;
    use crate::machine::Machine;

    #[test]
    fn versions_are_read_from_names_of_directories() {
        let check = |path: &str, expect| assert_eq!(parse_directory(Path::new(path)), expect, "{path}");
        check("/var/lib/pacman/local/pacman-6.0.2-1", Some(("pacman", "6.0.2-1")));
        check("/var/lib/pacman/local/gcc-libs-13.2.1-3", Some(("gcc-libs", "13.2.1-3")));
        check("/var/lib/pacman/local/vi-1:070224-6", Some(("vi", "1:070224-6")));
        check("/var/lib/pacman/local/ALPM_DB_VERSION", None);
    }

    #[test]
    fn offers_are_read_from_what_pacman_says() {
        let text = "Repository      : extra\nName            : nginx\nVersion         : 1.24.0-1\n\
                    Description     : Lightweight HTTP server : and more\n\n\
                    Repository      : other\nName            : nginx\nVersion         : 1.25.0-1\n";
        let offers = parse_offers(text);
        assert_eq!((offers.len(), offers["nginx"].candidate.as_str()), (1, "1.24.0-1"));
        assert!(parse_offers("error: package 'ngnix' was not found").is_empty());
    }

    #[test]
    fn trouble_is_read_from_what_pacman_says() {
        let check = |said: &str, expect| assert_eq!(trouble(said), expect, "{said}");
        check("error: failed to init transaction (unable to lock database)", Trouble::Locked);
        check(
            "error: failed retrieving file 'core.db' from mirror.example.org : Could not resolve host",
            Trouble::Mirror,
        );
        check(
            "error: failed to prepare transaction (could not satisfy dependencies)\n:: removing a breaks dependency 'a' \
             required by b",
            Trouble::Unsolvable,
        );
        check("error: target not found: ngnix", Trouble::Other);
    }

    #[test]
    fn a_query_that_found_nothing_is_none_that_failed() {
        let check = |code, stderr: &str, expect| {
            let output = Output { code, stdout: Vec::new(), stderr: stderr.into() };
            assert_eq!(has_answered(&output), expect, "{code} {stderr}");
        };
        check(0, "", true);
        check(1, "", true);
        check(1, "warning: database file for 'core' does not exist (use '-Sy' to download)\n", true);
        let unread =
            "error: failed to initialize alpm library:\n(could not find or read directory: /var/lib/pacman/)\n";
        check(1, unread, false);
        check(137, "", false);
    }

    #[test]
    fn a_lock_goes_when_nobody_has_it_open() {
        let is_there_after = |machine: &Machine| {
            machine
                .apply(|host| {
                    Pacman::new(host.context().system()).unlock_if_dead();
                    Ok(())
                })
                .unwrap();
            machine.stat(LOCK).is_some()
        };
        let dead = Machine::new().file(LOCK, "").dir("/proc/7/fd");
        assert!(!is_there_after(&dead));
        let held = Machine::new().file(LOCK, "").dir("/proc/7/fd");
        files::link(LOCK, held.path("/proc/7/fd/3")).unwrap();
        assert!(is_there_after(&held));
    }
}
