//! What a herd costs as it grows: many real agents against one bare repository, from a deploy until all are done.
//!
//! Each host is a process of a runner that is built as a deploy builds one, with directories, a key and a copy of the
//! refs of its own. All of them share this machine, which a real herd does not: the seconds tell how soon two processors
//! have done the work of all, and what is to be compared between herds is what one host costs.

mod fleet;
mod hosts;
mod remote;
mod server;
mod toll;

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use wb_core::chain::{Chain, Sha1};
use wb_core::context::MaxOut;
use wb_core::report::Report;
use wb_core::system::clock::{Clock as _, Real, wait_until};
use wb_core::system::{Command, FileError, files};

use super::{BenchError, Scratch, seconds};
use crate::shell::{Progress, Shell};
use hosts::{Hosts, Terms, is_done};
use remote::{REPOSITORY, Remote};
use server::Server;
use toll::Traffic;

pub use hosts::PLACE as HOST_PLACE;

/// How hosts reach the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// By git's own protocol, from `git daemon`.
    Git,
    /// Over ssh, from an sshd with the settings that it comes with.
    Ssh,
}

/// What to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HerdOptions {
    /// How many hosts each herd has.
    pub hosts: Vec<usize>,
    /// How many links there are. The first half of them is deployed to new hosts, the rest to hosts in service.
    pub links: usize,
    /// How often hosts poll; none: the larger the herd, the more seldom, so that idle polls leave this machine time.
    pub poll: Option<Duration>,
    /// How many of a hundred hosts may be out of load at once; none: nothing is deployed to hosts in service.
    pub share: Option<u32>,
    /// How hosts reach the repository.
    pub way: Way,
    /// How long a herd may take for a deploy; none: long enough for so many. Who is not done then is lost.
    pub patience: Option<Duration>,
}

/// What was measured of all herds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Herds {
    /// Each herd.
    pub herds: Vec<Measured>,
}

/// What was measured of a herd.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// How many hosts it has.
    pub hosts: usize,
    /// From a deploy to hosts that are new, and so take no turns, until all have told that they are done.
    pub seconds: f64,
    /// The same for hosts in service, of which a share at most is out of load at once.
    pub rolling_seconds: Option<f64>,
    /// What a poll that finds nothing sends and receives.
    pub bytes_per_idle_poll: u64,
    /// What a host sends and receives for the first deploy, the runner included.
    pub bytes_per_host: u64,
    /// What the processor did for git's server in all deploys, in seconds.
    pub git_cpu_seconds: f64,
    /// Connections that the server dropped in the whole run: also while hosts enrolled, while their agents started, all at
    /// once, and between and after the deploys.
    pub dropped_connections: u64,
    /// Hosts that in the end were not at the target, by their own disk or by what arrived from them.
    pub lost: usize,
    /// How far polls of a host are apart.
    pub poll_seconds: f64,
    /// How many bytes the runner has; it travels compressed.
    pub runner_bytes: usize,
    /// How hosts reach the repository.
    pub way: Way,
    /// Each deploy.
    pub deploys: Vec<Deployed>,
}

/// What a deploy cost, for each host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Deployed {
    /// Whether hosts took turns.
    pub rolling: bool,
    /// Until all had told that they are done, in seconds.
    pub seconds: f64,
    /// How often a host asked for something.
    pub fetches_per_host: f64,
    /// How often a host told something, or tried to.
    pub pushes_per_host: f64,
    /// What its fetches sent and received. Over ssh nobody but ssh can tell fetches from pushes.
    pub fetched_bytes_per_host: u64,
    /// What its pushes sent and received.
    pub pushed_bytes_per_host: u64,
    /// All that it sent and received.
    pub bytes_per_host: u64,
    /// What the processor did for git's server, in seconds.
    pub git_cpu_seconds: f64,
    /// Connections that the server dropped, from the deploy on.
    pub dropped_connections: u64,
    /// Hosts that were not done when the patience ended.
    pub late: usize,
}

/// Measures herds of a runner that is built for it. After each herd, what was measured so far goes to `keep`: a large one
/// takes an hour, and many things may end that.
///
/// # Errors
/// When the runner can't be built, a herd can't be set up, or `keep` fails. Who is lost is in the outcome.
pub fn measure(
    options: &HerdOptions,
    shell: &Shell,
    keep: impl FnMut(&Herds) -> Result<(), FileError>,
) -> Result<Herds, BenchError> {
    let scratch = Scratch::new()?;
    let built = fleet::build(&scratch.0.join("fleet"), &super::target_dir(), options.links, shell)?;
    measure_with(&built.path, options, shell, keep)
}

/// Measures herds of the runner in this file. It must have two links of the role `web` at least, each of which leaves
/// a file of its name in the directory that the variable [`HOST_PLACE`] names.
///
/// # Errors
/// As [`measure`].
pub fn measure_with(
    runner: &Path,
    options: &HerdOptions,
    shell: &Shell,
    mut keep: impl FnMut(&Herds) -> Result<(), FileError>,
) -> Result<Herds, BenchError> {
    let mut measured = Herds { herds: Vec::new() };
    for hosts in &options.hosts {
        let scratch = Scratch::new()?;
        measured.herds.push(Herd::new(&scratch.0, *hosts, runner, options, shell)?.measure()?);
        keep(&measured)?;
    }
    Ok(measured)
}

/// A herd at work. Its parts end in this order: the hosts before their server.
struct Herd<'a> {
    options: &'a HerdOptions,
    shell: &'a Shell,
    dir: &'a Path,
    hosts: Hosts,
    server: Server,
    remote: Remote,
    chain: Chain,
    runner: Vec<u8>,
    poll: Duration,
}

impl<'a> Herd<'a> {
    /// The machines, each with a key, and the server that knows these.
    fn new(
        dir: &'a Path,
        many: usize,
        runner: &Path,
        options: &'a HerdOptions,
        shell: &'a Shell,
    ) -> Result<Self, BenchError> {
        let installed = dir.join("wildebeest");
        files::copy(runner, &installed)?;
        let remote = Remote::new(dir)?;
        let hosts = Hosts::new(dir, many, &installed)?;
        let server = Server::start(dir, options.way, &hosts.keys()?, shell)?;
        let poll = options.poll.unwrap_or_else(|| poll_of(many, options.way));
        let runner = files::read(runner)?;
        Ok(Self { options, shell, dir, hosts, server, remote, chain: Chain::default(), runner, poll })
    }

    fn measure(mut self) -> Result<Measured, BenchError> {
        self.enroll()?;
        let (half, tip) = self.targets()?;
        let new = self.deploy(half, None)?;
        let rolling = self.options.share.map(|share| self.deploy(tip, Some(share))).transpose()?;
        let bytes_per_idle_poll = self.idle_poll();
        let last = if rolling.is_some() { tip } else { half };
        let lost = self.hosts.lost(&self.remote.reports()?, &self.chain, last);
        Ok(Measured {
            hosts: self.hosts.len(),
            seconds: new.seconds,
            rolling_seconds: rolling.as_ref().map(|rolling| rolling.seconds),
            bytes_per_idle_poll,
            bytes_per_host: new.bytes_per_host,
            git_cpu_seconds: new.git_cpu_seconds + rolling.as_ref().map_or(0.0, |rolling| rolling.git_cpu_seconds),
            dropped_connections: self.server.traffic().dropped,
            lost,
            poll_seconds: seconds(self.poll),
            runner_bytes: self.runner.len(),
            way: self.options.way,
            deploys: [new].into_iter().chain(rolling).collect(),
        })
    }

    /// Enrols and admits the hosts, and starts their agents, all at once. They then wait for the first deploy.
    fn enroll(&mut self) -> Result<(), BenchError> {
        let signers = self.dir.join("signers");
        files::write(&signers, self.remote.signers(), 0o644)?;
        let url = self.server.url(REPOSITORY)?;
        let terms = Terms { bench: self.dir, url: &url, signers: &signers, poll: self.poll };
        let progress = self.steps("enrolling");
        let admitted = self.hosts.enroll(&terms, &progress)?;
        drop(progress);
        self.chain = self.hosts.chain(self.dir)?;
        self.remote.admit(admitted)?;
        let progress = self.steps("waking");
        self.hosts.start(self.dir)?;
        self.until_all(&progress, |report| report.accepted == Some(1)).map(drop)
    }

    /// The last link of the first deploy, and that of the second.
    fn targets(&self) -> Result<(Sha1, Sha1), BenchError> {
        match self.chain.links() {
            [] | [_] => Err(BenchError::FewLinks),
            links => Ok((links[links.len().div_ceil(2) - 1].sha1, links[links.len() - 1].sha1)),
        }
    }

    /// Deploys, with a runner that differs from the one before, and waits until all hosts have told that they are done.
    fn deploy(&mut self, target: Sha1, share: Option<u32>) -> Result<Deployed, BenchError> {
        self.runner.push(b'\n');
        let runner = self.remote.publish(self.runner.clone())?;
        let progress = self.steps(if share.is_some() { "rolling" } else { "deploying to" });
        let (before, cpu_before, began) = (self.server.traffic(), self.server.cpu_seconds(), Real.passed());
        let all = || MaxOut::Hosts(u32::try_from(self.hosts.len()).unwrap_or(u32::MAX));
        self.remote.deploy(&self.chain, target, runner, share.map_or_else(all, MaxOut::Percent))?;
        let late = self.until_all(&progress, |report| is_done(report, target))?;
        let took = seconds(Real.passed().saturating_sub(began));
        drop(progress);
        let many = self.hosts.len();
        self.shell.note(format_args!("{} of {many} hosts were done after {took:.0} s", many - late));
        let (passed, cpu) = (self.server.traffic().since(before), self.server.cpu_seconds() - cpu_before);
        Ok(Deployed::of(share.is_some(), took, passed, cpu, late, many))
    }

    /// Waits until this is true of every host's report; gives how many it is not true of when the patience ends.
    fn until_all(&self, progress: &Progress, wanted: impl Fn(&Report) -> bool) -> Result<usize, BenchError> {
        let all = self.hosts.len();
        let pause = Duration::from_millis(50 + all as u64);
        let mut last = 0;
        let patience = self.options.patience.unwrap_or_else(|| patience_with(all));
        let done = wait_until(&Real, patience, pause, || {
            let seen = self.remote.reports().map(|reports| self.hosts.saying(&reports, &wanted));
            last = *seen.as_ref().unwrap_or(&last);
            progress.reached(last as u64);
            (seen.is_err() || last == all).then_some(seen)
        });
        done.transpose().map(|found| all - found.unwrap_or(last))
    }

    /// What passes for one poll of a host that has nothing to do.
    fn idle_poll(&self) -> u64 {
        let _progress = self.steps("idle polls of");
        // What the last ones did is news to the others once.
        Real.sleep(self.poll);
        let before = self.server.traffic();
        Real.sleep(idle_time(self.poll, self.hosts.len()));
        let passed = self.server.traffic().since(before);
        (passed.fetched + passed.other) / passed.fetches.max(1)
    }

    fn steps(&self, what: &str) -> Progress {
        let many = self.hosts.len();
        self.shell.begin_steps(format!("{what} {many} hosts"), many as u64)
    }
}

/// A program that ends when this one does, however that is.
fn mortal(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new("setpriv").args(["--pdeathsig", "KILL"]).arg(program)
}

/// For how long idle polls are measured: for two of each host, but for no more than are enough. Hosts poll all the time, at
/// moments of their own.
fn idle_time(poll: Duration, hosts: usize) -> Duration {
    const ENOUGH: f64 = 200.0;
    poll.mul_f64((ENOUGH / hosts.max(1) as f64).min(2.0))
}

/// As often as leaves this machine most of its time: a poll costs some 20 ms of a processor, at both ends together, and over
/// ssh, with a new connection, ten times as much. Hosts that ask more often than can be answered are dropped again and again.
/// In a large herd so many lose races for places that these cost more than polls do.
fn poll_of(hosts: usize, way: Way) -> Duration {
    const LARGE: usize = 300;
    let each = match way {
        Way::Git if hosts > LARGE => 400,
        Way::Git => 100,
        Way::Ssh => 300,
    };
    Duration::from_millis(each * hosts as u64).max(Duration::from_secs(1))
}

/// How long so many hosts may take for a deploy: those that take turns do so one after another.
fn patience_with(hosts: usize) -> Duration {
    Duration::from_secs(5 * hosts as u64).max(Duration::from_secs(15 * 60))
}

impl Deployed {
    fn of(rolling: bool, seconds: f64, passed: Traffic, git_cpu_seconds: f64, late: usize, hosts: usize) -> Self {
        let each = |total: u64| total / hosts.max(1) as u64;
        let often = |times: u64| times as f64 / hosts.max(1) as f64;
        Self {
            rolling,
            seconds,
            fetches_per_host: often(passed.fetches),
            pushes_per_host: often(passed.pushes),
            fetched_bytes_per_host: each(passed.fetched),
            pushed_bytes_per_host: each(passed.pushed),
            bytes_per_host: each(passed.bytes()),
            git_cpu_seconds,
            dropped_connections: passed.dropped,
            late,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_herds_poll_less_and_their_idle_polls_are_enough_sooner() {
        let check = |hosts, way, poll: u64, idle: u64| {
            let every = poll_of(hosts, way);
            let times = (every.as_secs(), idle_time(every, hosts).as_secs());
            assert_eq!(times, (poll, idle), "{hosts}");
        };
        check(1, Way::Git, 1, 2);
        check(10, Way::Git, 1, 2);
        check(100, Way::Git, 10, 20);
        check(100, Way::Ssh, 30, 60);
        check(300, Way::Git, 30, 20);
        check(301, Way::Git, 120, 80);
        check(1000, Way::Git, 400, 80);
    }
}
