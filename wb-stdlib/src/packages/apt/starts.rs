//! Installing without starting: for one run of apt, init scripts and units of packages are not started.
//!
//! Debian asks `/usr/sbin/policy-rc.d` before it starts a service of a package. The one that is written here says no
//! only to those who have a variable in their environment, which is nobody but that run of apt and what it starts.
//! So when a crash leaves it there, it says no to nobody, and the next run takes it away. A policy that was there before
//! is kept beside it, asked for all else, and put back.

use wb_core::system::files::{self, Attributes, FileError};
use wb_core::system::{Command, System};

const POLICY: &str = "/usr/sbin/policy-rc.d";
/// Where a policy of the host's own waits.
const KEPT: &str = "/usr/sbin/policy-rc.d.kept-by-wildebeest";
const VARIABLE: &str = "WILDEBEEST_STARTS_NOTHING";
const OURS: &str = "#!/bin/sh\n\
    # Written by Wildebeest for one run of apt, and of no effect after it: see invoke-rc.d(8).\n\
    [ -z \"$WILDEBEEST_STARTS_NOTHING\" ] || exit 101\n\
    [ ! -x /usr/sbin/policy-rc.d.kept-by-wildebeest ] || exec /usr/sbin/policy-rc.d.kept-by-wildebeest \"$@\"\n\
    exit 0\n";

pub(super) struct Starts<'a> {
    system: &'a System,
}

impl<'a> Starts<'a> {
    pub(super) fn new(system: &'a System) -> Self {
        Self { system }
    }

    /// Whether the policy is ours: one that a run left which was cut short.
    pub(super) fn is_forbidden(&self) -> Result<bool, FileError> {
        Ok(self.system.stat(KEPT)?.is_some() || self.is_ours()?)
    }

    pub(super) fn forbid(&self) -> Result<(), FileError> {
        if self.is_ours()? {
            return Ok(());
        }
        if self.system.stat(POLICY)?.is_some() {
            files::remove(self.system.path(KEPT))?;
            files::hard_link(self.system.path(POLICY), self.system.path(KEPT))?;
        }
        self.system.write_file(POLICY, OURS, Attributes::mode(0o755))
    }

    pub(super) fn forbidden(&self, command: Command) -> Command {
        command.env(VARIABLE, "1")
    }

    /// Puts back what was there before.
    pub(super) fn allow(&self) -> Result<(), FileError> {
        let is_replaced = self.is_ours()? || self.system.stat(POLICY)?.is_none();
        match (self.system.stat(KEPT)?.is_some(), is_replaced) {
            (true, true) => files::rename(self.system.path(KEPT), self.system.path(POLICY)),
            (true, false) => files::remove(self.system.path(KEPT)).map(drop),
            (false, _) if self.is_ours()? => files::remove(self.system.path(POLICY)).map(drop),
            (false, _) => Ok(()),
        }
    }

    fn is_ours(&self) -> Result<bool, FileError> {
        let found = self.system.stat(POLICY)?;
        let has_length = found.is_some_and(|stat| stat.kind == files::Kind::File && stat.size == OURS.len() as u64);
        Ok(has_length && self.system.read_file(POLICY)?.is_some_and(|content| content == OURS.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Access as _;
    use crate::machine::Machine;

    fn with<T>(machine: &Machine, act: impl Fn(Starts<'_>) -> Result<T, FileError>) -> T {
        machine.apply(|host| Ok(act(Starts::new(host.context().system()))?)).unwrap()
    }

    #[test]
    fn a_policy_comes_and_goes() {
        let machine = Machine::new().dir("/usr/sbin");
        with(&machine, |starts| starts.forbid());
        assert_eq!(machine.stat("/usr/sbin/policy-rc.d").unwrap().mode, 0o755);
        assert!(with(&machine, |starts| starts.is_forbidden()));
        with(&machine, |starts| starts.forbid());
        with(&machine, |starts| starts.allow());
        assert_eq!(machine.stat("/usr/sbin/policy-rc.d"), None);
        assert!(!with(&machine, |starts| starts.is_forbidden()));
    }

    #[test]
    fn the_host_keeps_its_own() {
        let machine = Machine::new().file("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 104\n");
        with(&machine, |starts| starts.forbid());
        assert_eq!(machine.read(KEPT).as_deref(), Some("#!/bin/sh\nexit 104\n"));
        with(&machine, |starts| starts.forbid());
        with(&machine, |starts| starts.allow());
        assert_eq!(machine.read("/usr/sbin/policy-rc.d").as_deref(), Some("#!/bin/sh\nexit 104\n"));
        assert!(!with(&machine, |starts| starts.is_forbidden()));
    }

    #[test]
    fn a_run_that_was_cut_short_between_two_acts_loses_nothing() {
        let own = "#!/bin/sh\nexit 104\n";
        let check = |machine: &Machine| {
            assert!(with(machine, |starts| starts.is_forbidden()));
            with(machine, |starts| starts.allow());
            assert_eq!(machine.read("/usr/sbin/policy-rc.d").as_deref(), Some(own));
            assert_eq!(machine.stat(KEPT), None);
        };
        let linked = Machine::new().file("/usr/sbin/policy-rc.d", own);
        files::hard_link(linked.path(POLICY), linked.path(KEPT)).unwrap();
        check(&linked);
        check(&Machine::new().file(POLICY, OURS).file(KEPT, own));
        check(&Machine::new().file(KEPT, own));
    }
}
