//! Making machines hosts of the herd: the runner, a key, enrolment, admission, and the agent as a service.

use std::sync::PoisonError;

use wb_core::system::{Command, Output};

use super::{Stage, StageError};
use crate::admission::{Wanted, admit};
use crate::at_once;
use crate::operator::Operator;
use crate::shell::Shell;
use crate::test::drive::RUNNER;

const SIGNERS: &str = "/root/allowed_signers";
const KEY: &str = "/etc/wildebeest/host_key";

impl Stage {
    /// Makes these machines hosts of the herd, all at once, under their names, and starts their agents.
    ///
    /// # Errors
    /// When one of them can't enrol, or be admitted.
    pub fn join(&self, names: &[&str], shell: &Shell) -> Result<(), StageError> {
        let keys = names.iter().map(|name| self.keys.host(name)).collect::<Result<Vec<_>, StageError>>()?;
        self.authorise(keys.iter().map(|key| key.public.clone()))?;
        let enrolled = at_once::each(names.iter().zip(&keys), |(name, key)| -> Result<(), StageError> {
            self.equip(name)?;
            let host = self.known(name)?;
            host.put(KEY, key.private.clone(), 0o600)?;
            host.put(&format!("{KEY}.pub"), format!("{}\n", key.public), 0o644)?;
            host.read(self.enrolment(name))?;
            Ok(())
        });
        enrolled.into_iter().collect::<Result<(), StageError>>()?;
        self.admit(names, shell)?;
        at_once::each(names, |name| self.start_agent(name)).into_iter().collect()
    }

    /// Puts on a machine what it needs to enrol: the runner, the list of signers, the git server's key.
    ///
    /// # Errors
    /// When it is down.
    pub fn equip(&self, name: &str) -> Result<(), StageError> {
        let host = self.known(name)?;
        host.put(RUNNER, self.runner.clone(), 0o755)?;
        host.put("/etc/ssh/ssh_known_hosts", self.server().known_hosts()?, 0o644)?;
        Ok(host.put(SIGNERS, self.keys.signers(), 0o644)?)
    }

    /// Lets a machine enrol under a name, whatever comes of it.
    ///
    /// # Errors
    /// When it is down.
    pub fn enroll(&self, host: &str, name: &str) -> Result<Output, StageError> {
        Ok(self.known(host)?.run(self.enrolment(name))?)
    }

    /// Lets whoever has the private halves of these keys read and write on the git server, too.
    ///
    /// # Errors
    /// When the server is down.
    pub fn authorise(&self, keys: impl IntoIterator<Item = String>) -> Result<(), StageError> {
        let mut authorised = self.authorised.lock().unwrap_or_else(PoisonError::into_inner);
        authorised.extend(keys);
        Ok(self.server().authorise(authorised.iter())?)
    }

    /// Makes machines that enrolled under these names hosts of the herd.
    ///
    /// # Errors
    /// When one of them did not, or the herd can't be told.
    pub fn admit(&self, names: &[&str], shell: &Shell) -> Result<(), StageError> {
        let (operator, herd) = (Operator::of(&self.fleet)?, self.fleet.herd()?);
        for name in names {
            let entry = herd.hosts.get(*name).ok_or_else(|| StageError::NoHost { name: (*name).to_owned() })?;
            let admitted = admit(&operator, name, entry, Wanted::default(), self.keys.operator(), shell);
            admitted.map_err(|source| StageError::Admit { host: (*name).to_owned(), source: Box::new(source) })?;
        }
        Ok(())
    }

    /// Makes the agent of a host a service, and starts it.
    ///
    /// # Errors
    /// When that fails.
    pub fn start_agent(&self, name: &str) -> Result<(), StageError> {
        let install = Command::new(RUNNER).arg("install-service");
        Ok(self.known(name)?.read(install).map(drop)?)
    }

    fn enrolment(&self, name: &str) -> Command {
        let command = Command::new(RUNNER).args(["enroll", "--name", name, "--remote", &self.server().url()]);
        command.args(["--allowed-signers", SIGNERS, "--poll", &self.machines.poll])
    }
}
