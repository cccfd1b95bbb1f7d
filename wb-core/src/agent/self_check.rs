//! The self-check of a new runner, from both sides: who is to be replaced asks, and the new one answers with its chain,
//! after all that it would do on this machine up to and with its first poll. Whatever would keep it from that is found
//! while the old runner is still in place.

use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use super::{Agent, AgentError, pace};
use crate::chain::Chain;
use crate::registry::{RefName, RegistryError};
use crate::runner::with_causes;
use crate::system::Command;

/// How long it may take, the network included. The old runner is in place meanwhile: who has much else to do had better be slow
/// than be taken for one that can't start, which is tried again after ten minutes only.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// What an operator does about a runner that is not taken over.
pub(super) const HINT: &str = "hint: see this host's log, mend the cause, then `cargo xtask deploy`";

/// The chain of the runner at `path`, or what it does instead of telling.
pub(super) fn ask(path: &Path, directories: &[String], patience: Duration) -> Result<Chain, String> {
    let check = Command::new(path).arg("self-check").args(directories).timeout(patience).expendable();
    let said = check.read().map_err(|error| format!("fails its self-check: {}; {HINT}", with_causes(&error)))?;
    serde_json::from_str(&said).map_err(|_| format!("says nonsense in its self-check; {HINT}"))
}

impl Agent<'_> {
    /// Does what a first poll does, and leaves the record as it is.
    ///
    /// # Errors
    /// When this runner can't read what is here, or does not reach the remote.
    pub fn rehearse(&self) -> Result<(), AgentError> {
        if let Some(change) = self.store.record().accepted {
            let unreadable = |error| AgentError::Unreadable { change, source: Box::new(error) };
            self.registry.change(change, None).map_err(unreadable)?;
        }
        self.look_for_changes()?;
        if let Some(tip) = self.registry.get(&RefName::Changes)? {
            // What does not count there is no fault of this runner.
            drop(self.registry.changes_since(self.change.as_ref(), tip, &self.allowed));
        }
        Ok(())
    }

    /// A server that drops a connection now and then is no fault of this runner either.
    fn look_for_changes(&self) -> Result<(), AgentError> {
        for dropped in 1.. {
            let looked = self.registry.fetch(&[RefName::Changes.to_string()]);
            let is_dropped = looked.as_ref().is_err_and(RegistryError::is_dropped);
            match pace::rehearsal(dropped, Uuid::new_v4().as_u64_pair().0).filter(|_| is_dropped) {
                Some(pause) => self.system.clock().sleep(pause),
                None => return Ok(looked?),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        check("#!/bin/sh\nkill -SEGV $$\n", "fails its self-check: `NEW self-check` ended with exit code 139");
        check("#!/bin/sh\necho hello\n", "says nonsense in its self-check");
        check(
            "no program",
            &format!(
                "fails its self-check: `NEW` can't be started: it is neither a program for {} nor a script with a first \
                 line of `#!`",
                std::env::consts::ARCH
            ),
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
