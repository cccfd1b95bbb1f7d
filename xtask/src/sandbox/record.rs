//! What a herd has on the machine, written down so that the next start finds what a lost one left.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wb_core::system::files;

use super::process::Process;
use super::{STEP, SandboxError, packages};

/// A herd on this machine. Its network, its mounts and its hosts have no names outside: they die with the keeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The boot of the machine that the processes belong to.
    pub(super) boot: String,
    /// The first process of the herd's process namespace.
    pub(super) keeper: Process,
    /// Where the packages go that its hosts downloaded.
    packages: PathBuf,
}

impl Record {
    /// A herd that starts now.
    pub(super) fn new(keeper: Process, packages: &Path) -> Result<Self, SandboxError> {
        Ok(Self { boot: boot()?, keeper, packages: packages.to_owned() })
    }

    /// Reads the record of the herd in `scratch`, if there is one. One that can't be parsed counts as none: it was
    /// written by another version, or by nobody.
    pub(super) fn read(scratch: &Path) -> Result<Option<Self>, SandboxError> {
        let content = files::read_optional(path(scratch))?;
        Ok(content.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Writes it into `scratch`.
    pub(super) fn write(&self, scratch: &Path) -> Result<(), SandboxError> {
        let path = path(scratch);
        let text =
            serde_json::to_vec_pretty(self).map_err(|source| SandboxError::Record { path: path.clone(), source })?;
        Ok(files::write(path, text, 0o644)?)
    }

    /// Whether the herd still runs.
    pub(super) fn is_running(&self) -> bool {
        boot().is_ok_and(|boot| self.running(&boot).is_some())
    }

    /// The keeper, where it still runs: in this boot of the machine, `boot`, and being the same process.
    fn running(&self, boot: &str) -> Option<Process> {
        (self.boot == boot && self.keeper.alive()).then_some(self.keeper)
    }

    /// Puts what its hosts downloaded where later herds find it.
    fn keep_packages(&self, scratch: &Path, running: Option<Process>) {
        let hosts = scratch.join("hosts");
        // On a tmpfs, the disks are there for the herd's processes only.
        let seen = running.map(|keeper| keeper.seen(&hosts));
        packages::keep(&seen.unwrap_or(hosts), &self.packages);
    }
}

/// Puts what the hosts of the herd in `scratch` downloaded so far where later herds find it.
pub(super) fn keep_packages(scratch: &Path) -> Result<(), SandboxError> {
    if let Some(record) = Record::read(scratch)? {
        record.keep_packages(scratch, record.running(&boot()?));
    }
    Ok(())
}

/// Ends what the record in `scratch` tells of, keeps the packages of its hosts, and forgets it. True when something was
/// still running.
pub(super) fn clean(scratch: &Path) -> Result<bool, SandboxError> {
    let Some(record) = Record::read(scratch)? else {
        files::remove(path(scratch))?;
        return Ok(false);
    };
    let running = record.running(&boot()?);
    record.keep_packages(scratch, running);
    if let Some(keeper) = running {
        keeper.kill();
        super::wait("the herd to end", STEP, || (!keeper.alive()).then_some(()))?;
    }
    files::remove(path(scratch))?;
    Ok(running.is_some())
}

fn path(scratch: &Path) -> PathBuf {
    scratch.join("herd.json")
}

/// The machine's current boot.
pub(super) fn boot() -> Result<String, SandboxError> {
    Ok(files::read_text("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record { boot: "b1".into(), keeper: Process { pid: 4_000_000, started: 7 }, packages: "/none".into() }
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        record().write(dir.path()).unwrap();
        assert_eq!(Record::read(dir.path()).unwrap(), Some(record()));
    }

    #[test]
    fn only_a_living_keeper_of_this_boot_is_running() {
        let keeper = Process::of(std::process::id()).unwrap();
        let living = Record { keeper, ..record() };
        assert_eq!(living.running("b1"), Some(keeper));
        assert_eq!(living.running("b2"), None);
        assert_eq!(record().running("b1"), None);
    }

    #[test]
    fn a_record_of_the_dead_or_of_nobody_is_only_removed() {
        let dir = tempfile::tempdir().unwrap();
        record().write(dir.path()).unwrap();
        assert!(!clean(dir.path()).unwrap());
        assert!(!files::exists(dir.path().join("herd.json")));
        files::write(dir.path().join("herd.json"), "no json", 0o644).unwrap();
        assert!(!clean(dir.path()).unwrap());
        assert!(!clean(dir.path()).unwrap());
    }
}
