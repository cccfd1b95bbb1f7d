//! What is seen of a stage: how far its hosts are, what they said, who was out of load.

use std::time::Duration;

use wb_core::chain::Sha1;
use wb_core::pool::Pool;
use wb_core::registry::RefName;
use wb_core::system::clock::{Clock as _, Real, Stopwatch};
use wb_core::system::{Command, Output, files};

use super::{Stage, StageError};
use crate::operator::Operator;
use crate::status::{self, HerdStatus, HostStatus, Phase};
use crate::test::drive::RUNNER;

/// How long it is waited before the herd is asked again.
const EVERY: Duration = Duration::from_millis(250);

/// Where agents write what they do, but where a journal has it.
const LOG: &str = "var/log/wildebeest.log";

/// So many lines at the end of a log stand in an error.
const SHOWN: usize = 30;

/// Whether a host is at this link, well, and in load.
#[must_use]
pub fn is_there(host: &HostStatus, target: Sha1) -> bool {
    host.state == Some(target) && host.is_settled() && host.in_service
}

impl Stage {
    /// Waits until all hosts are at `target` and in load, for `bound` at most. `seen` sees the herd each time that it was
    /// asked, and ends the wait with an error of its own.
    ///
    /// # Errors
    /// When a host fails or stops, and when they don't all come there.
    pub fn until(
        &self,
        target: Sha1,
        bound: Duration,
        seen: &mut dyn FnMut(&HerdStatus) -> Result<(), StageError>,
    ) -> Result<HerdStatus, StageError> {
        let (operator, watch) = (Operator::of(&self.fleet)?, Stopwatch::start());
        loop {
            let status = status::of(&operator)?;
            seen(&status)?;
            let mut hosts = status.hosts.iter();
            if let Some(fallen) = hosts.find(|host| matches!(host.phase, Phase::Failed | Phase::Stopped)) {
                return Err(self.fallen(fallen));
            }
            if status.hosts.iter().filter(|host| is_there(host, target)).count() == self.hosts().len() {
                return Ok(status);
            }
            if watch.elapsed() > bound {
                let (seconds, target) = (bound.as_secs(), target.short());
                return Err(StageError::Late { seconds, target, status: status.text() });
            }
            Real.sleep(EVERY);
        }
    }

    /// All that the pool of a role ever was, the newest first, where the server keeps a log of its refs.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn pools(&self, role: &str) -> Result<Vec<Pool>, StageError> {
        let name = RefName::Out(role.to_owned()).to_string();
        if self.server().git(["for-each-ref", "--format=%(refname)", &name])?.is_empty() {
            return Ok(Vec::new());
        }
        let said = self.server().git(["log", "--walk-reflogs", "--format=%b%x00", &name])?;
        let bodies = said.split('\0').map(str::trim).filter(|body| !body.is_empty());
        let pool = |body| Pool::decode(body).map_err(|source| StageError::Pool { role: role.to_owned(), source });
        bodies.map(pool).collect()
    }

    /// What a host's agent said so far; nothing while the host is down.
    #[must_use]
    pub fn log(&self, name: &str) -> String {
        let Some(host) = self.host(name) else { return String::new() };
        let Ok(root) = host.root() else { return String::new() };
        let journal = || Command::new("journalctl").args(["--unit", "wildebeest", "--no-pager", "--output", "cat"]);
        files::read_text(root.join(LOG)).unwrap_or_else(|_| host.read(journal()).unwrap_or_default())
    }

    /// What a host says when it is asked whether all that it completed still holds.
    ///
    /// # Errors
    /// When it is down.
    pub fn verify(&self, name: &str) -> Result<Output, StageError> {
        Ok(self.known(name)?.run(Command::new(RUNNER).arg("verify"))?)
    }

    fn fallen(&self, host: &HostStatus) -> StageError {
        let log = self.log(&host.name);
        let lines: Vec<&str> = log.lines().collect();
        let log = lines[lines.len().saturating_sub(SHOWN)..].join("\n");
        StageError::Host { host: host.name.clone(), why: host.detail.clone(), log }
    }
}
