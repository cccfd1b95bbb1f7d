//! What a herd has on the machine, written down so that the next start finds what a lost one left.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wb_core::system::files;

use super::SandboxError;
use super::process::Process;

/// A herd on this machine. Its network, its mounts and its hosts have no names outside: they die with the keeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The boot of the machine that the processes belong to.
    pub(super) boot: String,
    /// The first process of the herd's process namespace.
    pub(super) keeper: Process,
    /// Whether it was left running on purpose.
    pub(super) kept: bool,
}

impl Record {
    /// A herd that starts now.
    pub(super) fn new(keeper: Process) -> Result<Self, SandboxError> {
        Ok(Self { boot: boot()?, keeper, kept: false })
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

    /// The process to kill before another herd can start in the same place, in this boot of the machine.
    pub(super) fn to_kill(&self, boot: &str) -> Option<Process> {
        (self.boot == boot).then_some(self.keeper)
    }
}

/// Ends what the record in `scratch` tells of, and forgets it. True when something was still running.
pub(super) fn clean(scratch: &Path) -> Result<bool, SandboxError> {
    let lost = Record::read(scratch)?.and_then(|record| Some(record).as_ref()?.to_kill(&boot().ok()?));
    let running = lost.filter(|keeper| keeper.alive());
    if let Some(keeper) = running {
        keeper.kill();
        super::wait("the lost herd to end", super::STEP, || (!keeper.alive()).then_some(()))?;
    }
    files::remove(path(scratch))?;
    Ok(running.is_some())
}

fn path(scratch: &Path) -> PathBuf {
    scratch.join("herd.json")
}

fn boot() -> Result<String, SandboxError> {
    Ok(files::read_text("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record { boot: "b1".into(), keeper: Process { pid: 4_000_000, started: 7 }, kept: false }
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        record().write(dir.path()).unwrap();
        assert_eq!(Record::read(dir.path()).unwrap(), Some(record()));
    }

    #[test]
    fn only_a_herd_of_this_boot_is_killed() {
        assert_eq!(record().to_kill("b1"), Some(record().keeper));
        assert_eq!(record().to_kill("b2"), None);
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
