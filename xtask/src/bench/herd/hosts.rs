//! The hosts of a herd that is measured: a directory and a process of the runner each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use uuid::Uuid;
use wb_core::agent::Store;
use wb_core::chain::{Chain, Sha1};
use wb_core::change::{HostManifest, Identity};
use wb_core::registry::{generate, public_key};
use wb_core::report::{Doing, Report};
use wb_core::runner::Home;
use wb_core::system::command::Child;
use wb_core::system::{Command, environment, files};

use super::super::{BenchError, failed};
use super::mortal;
use super::remote::ROLE;
use super::server::programs;
use crate::shell::Progress;

/// The variable that names a host's directory to its links.
pub const PLACE: &str = "WILDEBEEST_BENCH";

/// A host.
pub(super) struct Host {
    name: String,
    dir: PathBuf,
    identity: Option<Identity>,
    agent: Option<Child>,
}

impl Host {
    /// The machine of this number, which has a key and is not enrolled yet.
    pub(super) fn new(dir: &Path, number: usize, runner: &Path) -> Result<Self, BenchError> {
        let host = Self { name: format!("h{number}"), dir: dir.join(number.to_string()), identity: None, agent: None };
        files::create_dir(host.home().state())?;
        files::create_dir(host.dir.join("etc"))?;
        files::hard_link(runner, host.runner())?;
        generate(&host.home().key(), &host.name).map_err(BenchError::Key)?;
        Ok(host)
    }

    /// What it authenticates with.
    pub(super) fn key(&self) -> Result<String, BenchError> {
        public_key(&self.home().key()).map_err(BenchError::Key)
    }

    fn home(&self) -> Home {
        Home::new(self.dir.join("etc"), self.dir.join("var"))
    }

    fn runner(&self) -> PathBuf {
        self.dir.join("wildebeest")
    }

    fn uuid(&self) -> Uuid {
        self.identity.as_ref().map_or(Uuid::nil(), |identity| identity.uuid)
    }

    /// A command of its runner. Nothing of this machine's user is seen there: no configuration of git or ssh.
    fn command(&self, bench: &Path) -> Command {
        let path = environment::var("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let path = format!("{}:{path}", programs(bench).display());
        let command = mortal(self.runner()).env("PATH", path).env("HOME", bench).env(PLACE, &self.dir);
        let command = command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        command
            .env_remove("SSH_AUTH_SOCK")
            .arg("--config")
            .arg(self.dir.join("etc"))
            .arg("--state")
            .arg(self.dir.join("var"))
    }

    fn enroll(&mut self, terms: &Terms<'_>) -> Result<(), BenchError> {
        let command = self.command(terms.bench).args(["enroll", "--name", &self.name, "--remote", terms.url]);
        let command = command.arg("--poll").arg(format!("{}ms", terms.poll.as_millis()));
        let command = command.arg("--allowed-signers").arg(terms.signers).arg("--runner").arg(self.runner());
        command.read().map_err(failed("enrol a host"))?;
        let uuid = self.home().read_config().map_err(BenchError::Home)?.uuid;
        self.identity = Some(Identity { uuid, key: self.key()? });
        Ok(())
    }

    fn start(&mut self, bench: &Path) -> Result<(), BenchError> {
        let agent = self.command(bench).arg("agent").start(Some(&self.dir.join("log")));
        self.agent = Some(agent.map_err(failed("start an agent"))?);
        Ok(())
    }

    /// Whether its disk says that it ran every link up to `target`, and each of them left its file.
    fn is_at(&self, chain: &Chain, target: Sha1) -> bool {
        let Ok(record) = Store::open(&self.home().record()).map(|store| store.record()) else { return false };
        let left = |name: &str| files::exists(self.dir.join(name));
        let position = chain.position(target).map_or(0, |place| place + 1);
        record.in_service
            && record.state() == Some(target)
            && chain.links()[..position].iter().all(|link| left(&link.name))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(agent) = &self.agent {
            agent.kill();
        }
    }
}

/// On what terms hosts enrol.
pub(super) struct Terms<'a> {
    /// The bench's directory.
    pub(super) bench: &'a Path,
    /// The remote.
    pub(super) url: &'a str,
    /// The file that says whose changes count.
    pub(super) signers: &'a Path,
    /// How often they poll.
    pub(super) poll: Duration,
}

/// How many enrol at the same time.
const AT_ONCE: usize = 100;

/// All hosts.
pub(super) struct Hosts(Vec<Host>);

impl Hosts {
    /// So many machines, with a key each.
    pub(super) fn new(dir: &Path, many: usize, runner: &Path) -> Result<Self, BenchError> {
        let hosts = (1..=many).map(|number| Host::new(dir, number, runner));
        Ok(Self(hosts.collect::<Result<_, _>>()?))
    }

    /// What they authenticate with.
    pub(super) fn keys(&self) -> Result<Vec<String>, BenchError> {
        self.0.iter().map(Host::key).collect()
    }

    /// Enrols them all, a hundred at once; gives them as the herd is told of them.
    pub(super) fn enroll(
        &mut self,
        terms: &Terms<'_>,
        progress: &Progress,
    ) -> Result<BTreeMap<String, HostManifest>, BenchError> {
        let (share, enrolled) = (self.0.len().div_ceil(AT_ONCE).max(1), AtomicUsize::new(0));
        let enroll = |hosts: &mut [Host]| {
            hosts.iter_mut().try_for_each(|host| {
                host.enroll(terms)?;
                enrolled.fetch_add(1, Ordering::Relaxed);
                progress.reached(enrolled.load(Ordering::Relaxed) as u64);
                Ok::<(), BenchError>(())
            })
        };
        std::thread::scope(|scope| {
            let enrolling: Vec<_> = self.0.chunks_mut(share).map(|hosts| scope.spawn(move || enroll(hosts))).collect();
            let ended = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            enrolling.into_iter().try_for_each(ended)
        })?;
        let manifest = |host: &Host| {
            let roles = [ROLE.to_owned()].into();
            (host.name.clone(), HostManifest { roles, identity: host.identity.clone(), ..HostManifest::default() })
        };
        Ok(self.0.iter().map(manifest).collect())
    }

    /// The chain that is compiled into their runner.
    pub(super) fn chain(&self, bench: &Path) -> Result<Chain, BenchError> {
        let Some(host) = self.0.first() else { return Ok(Chain::default()) };
        let says = host.command(bench).arg("self-check").read().map_err(failed("ask the runner for its chain"))?;
        Ok(serde_json::from_str(&says)?)
    }

    /// Starts all agents at once.
    pub(super) fn start(&mut self, bench: &Path) -> Result<(), BenchError> {
        self.0.iter_mut().try_for_each(|host| host.start(bench))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many have said this.
    pub(super) fn saying(&self, reports: &BTreeMap<Uuid, Report>, wanted: impl Fn(&Report) -> bool) -> usize {
        self.0.iter().filter(|host| reports.get(&host.uuid()).is_some_and(&wanted)).count()
    }

    /// How many are lost: not at `target` by their own disk, or not by what arrived from them.
    pub(super) fn lost(&self, reports: &BTreeMap<Uuid, Report>, chain: &Chain, target: Sha1) -> usize {
        let arrived = |host: &Host| reports.get(&host.uuid()).is_some_and(|report| is_done(report, target));
        self.0.iter().filter(|host| !arrived(host) || !host.is_at(chain, target)).count()
    }
}

/// Whether a host says that it is at `target`, in load.
pub(super) fn is_done(report: &Report, target: Sha1) -> bool {
    report.state == Some(target) && report.in_service && report.doing == Doing::UpToDate
}
