//! Making sandboxed hosts into hosts of the herd: the runner, a key, enrolment, and the agent as a service.

use std::path::Path;

use wb_core::registry::{generate, public_key};
use wb_core::system::{Command, files};

use super::DemoError;
use super::cast::{CAST, Part};
use crate::at_once;
use crate::sandbox::{GitServer, Herd, Host};

const RUNNER: &str = "/usr/local/bin/wildebeest";
const SIGNERS: &str = "/etc/wildebeest/allowed_signers.given";

/// Boots all hosts, each in a thread of its own.
pub(super) fn boot(herd: &Herd) -> Result<Vec<Host>, DemoError> {
    each(&CAST, |part| Ok(herd.boot(part.name, part.address())?))
}

/// Makes a key for each host, as `NAME` and `NAME.pub` in `dir`, and gives the public ones.
pub(super) fn keys(dir: &Path) -> Result<Vec<String>, DemoError> {
    files::create_dir(dir)?;
    let key = |part: &Part| {
        let key = generate(&dir.join(part.name), part.name)?;
        Ok(public_key(key.path())?)
    };
    CAST.iter().map(key).collect()
}

/// Installs the runner on all hosts and enrols them.
pub(super) fn enroll(
    hosts: &[Host],
    runner: &Path,
    keys: &Path,
    signers: &str,
    server: &GitServer,
) -> Result<(), DemoError> {
    let (runner, known_hosts) = (files::read(runner)?, server.known_hosts()?);
    each(hosts, |host| {
        host.put(RUNNER, runner.clone(), 0o755)?;
        host.put("/etc/ssh/ssh_known_hosts", known_hosts.clone(), 0o644)?;
        host.put("/etc/wildebeest/host_key", files::read(keys.join(host.name()))?, 0o600)?;
        host.put(SIGNERS, signers, 0o644)?;
        let enroll = Command::new(RUNNER).args(["enroll", "--name", host.name(), "--remote", &server.url()]);
        host.read(enroll.args(["--allowed-signers", SIGNERS, "--poll", "1s"]))?;
        Ok(())
    })
    .map(drop)
}

/// Makes the agent a service of all hosts, and starts it.
pub(super) fn start_agents(hosts: &[Host]) -> Result<(), DemoError> {
    each(hosts, |host| Ok(host.read(Command::new(RUNNER).arg("install-service")).map(drop)?)).map(drop)
}

/// The end of an agent's log.
pub(super) fn log(hosts: &[Host], name: &str) -> String {
    let host = hosts.iter().find(|host| host.name() == name);
    let tail = || Command::new("tail").args(["-n", "30", "/var/log/wildebeest.log"]);
    host.and_then(|host| host.read(tail()).ok()).unwrap_or_default()
}

/// Does something with each item at once, and gives the first error.
fn each<T: Sync, R: Send>(items: &[T], act: impl Fn(&T) -> Result<R, DemoError> + Sync) -> Result<Vec<R>, DemoError> {
    at_once::each(items, act).into_iter().collect()
}
