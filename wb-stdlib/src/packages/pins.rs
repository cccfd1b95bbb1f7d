//! Packages that are held, and that an installation lets go to give them the version that somebody said.
//!
//! Which these are is written down before, in a file beside those of the manager, and struck when they are held again. A
//! run that is killed in between leaves it, and the next one that has packages installed holds them. Until then they count
//! as held: none of them gets a version that nobody said.

use std::path::Path;

use wb_core::system::System;
use wb_core::system::files::{self, Attributes, FileError};

use super::backend::Backend;
use super::facts::Found;
use super::{Manager, PackageError};

/// The packages that a manager's installations have let go, on a host.
pub(super) struct Pins<'a> {
    system: &'a System,
    manager: Manager,
}

impl<'a> Pins<'a> {
    pub(super) fn of(system: &'a System, manager: Manager) -> Self {
        Self { system, manager }
    }

    /// What was found, with which of it was let go.
    pub(super) fn marked(&self, mut found: Found) -> Result<Found, PackageError> {
        for name in self.loose()? {
            if let Some(facts) = found.get_mut(&name) {
                facts.loose = true;
            }
        }
        Ok(found)
    }

    /// Writes down that these are let go now, beside what a run before has let go.
    pub(super) fn let_go(&self, names: Vec<String>) -> Result<(), PackageError> {
        if names.is_empty() {
            return Ok(());
        }
        let mut loose = self.loose()?;
        loose.retain(|name| !names.contains(name));
        loose.extend(names);
        self.write(&loose)
    }

    /// What is to be held again: all that was let go and is there, where the manager can hold anything.
    pub(super) fn owed(&self, backend: &dyn Backend) -> Result<Vec<String>, PackageError> {
        let loose = self.loose()?;
        if loose.is_empty() || backend.can_hold().is_err() {
            return Ok(Vec::new());
        }
        let found = backend.facts(&loose)?;
        Ok(loose.into_iter().filter(|name| found.get(name).is_some_and(|facts| facts.version().is_some())).collect())
    }

    /// Holds what was let go, in the versions that it has now.
    pub(super) fn hold_again(&self, backend: &dyn Backend) -> Result<(), PackageError> {
        let owed = self.owed(backend)?;
        if owed.is_empty() {
            return Ok(());
        }
        backend.hold(&owed, true)?;
        self.strike(&owed)
    }

    /// Whether these are held was said meanwhile, or they are gone.
    pub(super) fn strike(&self, names: &[String]) -> Result<(), PackageError> {
        let loose = self.loose()?;
        let left: Vec<String> = loose.iter().filter(|name| !names.contains(name)).cloned().collect();
        if left.len() == loose.len() { Ok(()) } else { self.write(&left) }
    }

    fn loose(&self) -> Result<Vec<String>, PackageError> {
        let Some(path) = path(self.manager) else { return Ok(Vec::new()) };
        let content = self.system.read_file(path).map_err(failed(path))?.unwrap_or_default();
        let text = String::from_utf8_lossy(&content);
        Ok(text.lines().filter(|name| self.manager.is_name(name)).map(str::to_owned).collect())
    }

    fn write(&self, names: &[String]) -> Result<(), PackageError> {
        let Some(path) = path(self.manager) else { return Ok(()) };
        let at = self.system.path(path);
        if names.is_empty() {
            return files::remove(at).map(drop).map_err(failed(path));
        }
        let text: String = names.iter().map(|name| format!("{name}\n")).collect();
        files::create_dir(at.parent().unwrap_or(Path::new("/")))
            .and_then(|()| self.system.write_file(path, text, Attributes::mode(0o644)))
            .map_err(failed(path))
    }
}

/// Where it is written down. pacman and apk let nothing go: what was said to them stands beside what they hold.
fn path(manager: Manager) -> Option<&'static str> {
    match manager {
        Manager::Apt => Some("/etc/apt/let-go.kept-by-wildebeest"),
        Manager::Dnf => Some("/etc/dnf/let-go.kept-by-wildebeest"),
        Manager::Zypper => Some("/etc/zypp/let-go.kept-by-wildebeest"),
        Manager::Pacman | Manager::Apk => None,
    }
}

fn failed(path: &'static str) -> impl Fn(FileError) -> PackageError {
    move |source| PackageError::Holds { path: path.into(), source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Access as _;
    use crate::machine::Machine;
    use crate::packages::facts::Facts;

    const PATH: &str = "/etc/apt/let-go.kept-by-wildebeest";

    fn with<T>(machine: &Machine, act: impl Fn(Pins<'_>) -> Result<T, PackageError>) -> T {
        machine.apply(|host| Ok(act(Pins::of(host.context().system(), Manager::Apt))?)).unwrap()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_let_go_is_written_down_until_it_is_struck() {
        let machine = Machine::new();
        with(&machine, |pins| pins.let_go(Vec::new()));
        assert_eq!(machine.read(PATH), None);
        with(&machine, |pins| pins.let_go(names(&["nginx"])));
        with(&machine, |pins| pins.let_go(names(&["vim", "nginx"])));
        assert_eq!(machine.read(PATH).as_deref(), Some("vim\nnginx\n"));
        with(&machine, |pins| pins.strike(&names(&["curl"])));
        with(&machine, |pins| pins.strike(&names(&["vim"])));
        assert_eq!(machine.read(PATH).as_deref(), Some("nginx\n"));
        with(&machine, |pins| pins.strike(&names(&["nginx"])));
        assert_eq!(machine.read(PATH), None);
    }

    #[test]
    fn what_was_let_go_is_marked_and_what_is_no_name_is_not() {
        let machine = Machine::new().file(PATH, "nginx\n-y\nvim\n");
        let found = Found::from(["curl", "nginx"].map(|name| (name.to_owned(), Facts::installed("1"))));
        let found = with(&machine, |pins| pins.marked(found.clone()));
        assert_eq!((found["curl"].loose, found["nginx"].loose, found.len()), (false, true, 2));
        assert_eq!(with(&machine, |pins| pins.loose()), ["nginx", "vim"]);
    }

    #[test]
    fn who_lets_nothing_go_writes_nothing_down() {
        let machine = Machine::new();
        let pins = |host: &crate::Host| Ok(Pins::of(host.context().system(), Manager::Pacman).let_go(names(&["a"]))?);
        machine.apply(pins).unwrap();
        assert!(machine.snapshot().is_empty());
    }
}
