//! The self-check of a new runner, from both sides: who is to be replaced asks, and the new one answers with its chain,
//! after all that it would do on this machine up to and with its first poll. Whatever would keep it from that is found
//! while the old runner is still in place.

use std::path::Path;
use std::time::Duration;

use super::{Agent, AgentError};
use crate::chain::Chain;
use crate::registry::{ChangeLog, RefName};
use crate::runner::with_causes;
use crate::system::Command;

/// How long it may take, the network included.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What an operator does about a runner that is not taken over.
pub(super) const HINT: &str = "hint: see this host's log, mend the cause, then `cargo xtask deploy`";

/// The chain of the runner at `path`, or what it does instead of telling.
pub(super) fn ask(path: &Path, directories: &[String], patience: Duration) -> Result<Chain, String> {
    let check = Command::new(path).arg("self-check").args(directories).timeout(patience).expendable();
    let said = check.read().map_err(|error| format!("fails its self-check: {}; {HINT}", with_causes(&error)))?;
    serde_json::from_str(&said).map_err(|_| format!("says nonsense in its self-check; {HINT}"))
}

/// For which machines a program is, where it is plainly not for those with the architecture `here`.
pub(super) fn foreign(program: &[u8], here: &str) -> Option<String> {
    let header = program.get(..20).filter(|header| header.starts_with(b"\x7fELF"))?;
    let number = match header[5] {
        2 => u16::from_be_bytes([header[18], header[19]]),
        _ => u16::from_le_bytes([header[18], header[19]]),
    };
    match MACHINES.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => (*name != here).then(|| (*name).to_owned()),
        None => MACHINES.iter().any(|(_, name)| *name == here).then(|| format!("machines of number {number}")),
    }
}

/// As ELF numbers them, and as Rust names them.
const MACHINES: [(u16, &str); 9] = [
    (3, "x86"),
    (8, "mips"),
    (20, "powerpc"),
    (21, "powerpc64"),
    (22, "s390x"),
    (40, "arm"),
    (62, "x86_64"),
    (183, "aarch64"),
    (243, "riscv64"),
];

impl Agent<'_> {
    /// Does what a first poll does, and leaves the record as it is.
    ///
    /// # Errors
    /// When this runner can't read what is here, or does not reach the remote.
    pub fn rehearse(&self) -> Result<(), AgentError> {
        let log = ChangeLog::new(self.registry.objects(), &self.allowed);
        if let Some(change) = self.store.record().accepted {
            log.recall(change).map_err(|error| AgentError::Unreadable { change, source: Box::new(error) })?;
        }
        self.registry.fetch(&[RefName::Changes.to_string()])?;
        if let Some(tip) = self.registry.get(&RefName::Changes)? {
            // What does not count there is no fault of this runner.
            drop(log.since(self.change.as_ref(), tip));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(order: u8, machine: [u8; 2]) -> Vec<u8> {
        [b"\x7fELF\x02".as_slice(), &[order], &[0; 12], &machine, &[0; 44]].concat()
    }

    #[test]
    fn a_program_for_another_machine_is_known_by_its_header() {
        let check = |program: &[u8], here, expect: Option<&str>| assert_eq!(foreign(program, here).as_deref(), expect);
        check(&elf(1, [62, 0]), "x86_64", None);
        check(&elf(1, [183, 0]), "x86_64", Some("aarch64"));
        check(&elf(1, [62, 0]), "aarch64", Some("x86_64"));
        check(&elf(2, [0, 22]), "x86_64", Some("s390x"));
        check(&elf(1, [1, 2]), "x86_64", Some("machines of number 513"));
        check(&elf(1, [1, 2]), "brand_new", None);
        check(b"#!/bin/sh\nexit 0\n", "x86_64", None);
        check(b"\x7fELF", "x86_64", None);
        check(b"", "x86_64", None);
    }

    fn asked(program: &str, patience: Duration) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        // Another thread that starts a process must not hold the script open for writing.
        let write = Command::shell(format!("cat >{0} && chmod 755 {0}", path.display()));
        write.stdin(program).read().unwrap();
        let said = ask(&path, &[], patience).unwrap_err();
        said.replace(&path.display().to_string(), "NEW")
    }

    #[test]
    fn what_fails_its_self_check_is_told_in_words() {
        let check = |program, expect: &str| assert_eq!(asked(program, PATIENCE), format!("{expect}; {HINT}"));
        check(
            "#!/bin/sh\necho no luck >&2; exit 3\n",
            "fails its self-check: `NEW self-check` ended with exit code 3: no luck",
        );
        check("#!/bin/sh\nkill -SEGV $$\n", "fails its self-check: `NEW self-check` ended with exit code 139: ");
        check("#!/bin/sh\necho hello\n", "says nonsense in its self-check");
        check(
            "no program",
            "fails its self-check: `NEW self-check` could not be started: Exec format error (os error 8)",
        );
        check(
            "#!/no/such/loader\n",
            "fails its self-check: the program `NEW` is not installed: No such file or directory (os error 2)",
        );
    }

    #[test]
    fn a_self_check_that_hangs_is_ended_with_all_that_it_started() {
        let said = asked("#!/bin/sh\nsleep 60 & sleep 60\n", Duration::from_millis(50));
        assert!(said.starts_with("fails its self-check: `NEW self-check` did not end within "), "{said}");
    }
}
