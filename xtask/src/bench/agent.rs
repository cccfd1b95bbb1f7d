//! What an agent costs a host that has nothing to do: memory, and the processor's time for a poll. Its measure is a
//! bare `git fetch` of the same refs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;
use wb_core::chain::Chain;
use wb_core::change::{HostManifest, Identity, Manifest};
use wb_core::registry::{
    Access, AllowedSigners, ChangeLog, Mirror as _, RefName, RefUpdate, Registry, SigningKey, generate, public_key,
};
use wb_core::runner::Home;
use wb_core::system::clock::{Clock as _, Real};
use wb_core::system::command::Child;
use wb_core::system::{Command, files};

use super::{BenchError, Scratch, failed, median};
use crate::processor::{proc, used_ms};
use crate::shell::Shell;

/// What an idle agent may hold in memory, in MiB.
pub const IDLE_TARGET: f64 = 10.0;
/// What a poll that finds nothing may cost, in milliseconds of the processor's time.
pub const POLL_TARGET: f64 = 50.0;
/// A poll may cost so many times as much as the bare fetch.
pub const FETCH_TARGET: f64 = 1.3;

/// Hosts whose refs lie on the remote beside those of the one that polls.
const OTHERS: usize = 99;

/// How often the agent polls while it is measured.
const POLL: Duration = Duration::from_millis(400);

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Polled {
    /// What the agent holds in memory between polls, in MiB.
    pub idle_mib: f64,
    /// The processor's time for one poll that finds nothing, with all children, in milliseconds.
    pub poll_cpu_ms: f64,
    /// The same for a bare fetch of the same refs.
    pub git_fetch_cpu_ms: f64,
    /// The one by the other.
    pub ratio: f64,
    /// What one such poll sends and receives.
    pub bytes: u64,
    /// How many polls were measured.
    pub polls: u32,
}

/// Measures the agent of `runner`, a binary: `rounds` times so many `polls`, in turns with as many fetches.
///
/// # Errors
/// When the runner or git fails.
pub fn measure(runner: &Path, rounds: u32, polls: u32, shell: &Shell) -> Result<Polled, BenchError> {
    let scratch = Scratch::new()?;
    let herd = Herd::new(&scratch.0, runner)?;
    let progress = shell.begin_steps(format!("{} polls of an idle agent", rounds * polls), rounds.into());
    let agent = herd.command("agent").start(Some(&herd.dir.join("log"))).map_err(failed("start the agent"))?;
    let _ends = Ends(&agent);
    let (mut polled, mut fetched) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        polled.push(cost_of_polls(&agent, polls));
        fetched.push(herd.cost_of_fetches(polls)?);
        progress.reached(round.into());
    }
    let idle_mib = idle_mib(&files::read_text(proc(agent.pid().unwrap_or_default(), "status"))?);
    let (poll_cpu_ms, git_fetch_cpu_ms) = (median(polled), median(fetched));
    let ratio = poll_cpu_ms / git_fetch_cpu_ms;
    Ok(Polled { idle_mib, poll_cpu_ms, git_fetch_cpu_ms, ratio, bytes: herd.bytes()?, polls: rounds * polls })
}

/// A herd of one host that is up to date, and of others that only have refs.
struct Herd {
    dir: PathBuf,
    runner: PathBuf,
    home: Home,
    uuid: Uuid,
}

impl Herd {
    fn new(dir: &Path, runner: &Path) -> Result<Self, BenchError> {
        let dir = dir.to_owned();
        let init = Command::new("git").args(["init", "--quiet", "--bare"]).arg(dir.join("remote.git"));
        init.read().map_err(failed("make a remote"))?;
        let key = generate(&dir.join("operator"), "bench@wildebeest").map_err(BenchError::Key)?;
        let signers = format!("bench@wildebeest {}\n", public_key(key.path()).map_err(BenchError::Key)?);
        files::write(dir.join("signers"), &signers, 0o644)?;
        let home = Home::new(dir.join("etc"), dir.join("var"));
        let mut herd = Self { runner: runner.to_owned(), home, uuid: Uuid::nil(), dir };
        herd.enroll()?;
        herd.admit(&key, &AllowedSigners::new(signers))?;
        herd.command("once").read().map_err(failed("bring the host to rest"))?;
        Ok(herd)
    }

    fn command(&self, what: &str) -> Command {
        let command = Command::new(&self.runner).arg("--config").arg(self.dir.join("etc"));
        command.arg("--state").arg(self.dir.join("var")).arg(what)
    }

    fn enroll(&mut self) -> Result<(), BenchError> {
        let enroll = self.command("enroll").args(["--name", NAME, "--poll"]).arg(format!("{}ms", POLL.as_millis()));
        let enroll = enroll.arg("--remote").arg(self.dir.join("remote.git"));
        let enroll = enroll.arg("--allowed-signers").arg(self.dir.join("signers")).arg("--runner").arg(&self.runner);
        enroll.read().map_err(failed("enrol a host"))?;
        self.uuid = self.home.read_config().map_err(BenchError::Home)?.uuid;
        Ok(())
    }

    /// One change that admits the host, with no role and so with nothing to run, and a target.
    fn admit(&self, key: &SigningKey, signers: &AllowedSigners) -> Result<(), BenchError> {
        let compiled = self.command("self-check");
        let chain: Chain = serde_json::from_str(&compiled.read().map_err(failed("ask the runner for its chain"))?)?;
        let identity = Identity { uuid: self.uuid, key: public_key(&self.home.key()).map_err(BenchError::Key)? };
        let host = HostManifest { identity: Some(identity), ..HostManifest::default() };
        let target = chain.tip().map(|tip| tip.sha1);
        let hosts = [(NAME.to_owned(), host)].into();
        let manifest = Manifest { number: 1, chain, target, hosts, author: NAME.into(), ..Manifest::default() };
        let access = Access::Operator { ssh_command: None };
        let operator = Registry::open(&self.dir.join("operator.git"), &self.remote(), access)?;
        let change = ChangeLog::new(operator.objects(), signers).write(None, &manifest, key)?;
        let mut updates = vec![RefUpdate { name: RefName::Changes, expected: None, new: Some(change) }];
        updates.extend((0..OTHERS).flat_map(|_| others()).map(|name| RefUpdate {
            name,
            expected: None,
            new: Some(change),
        }));
        operator.push(&updates)?;
        Ok(())
    }

    fn remote(&self) -> String {
        self.dir.join("remote.git").display().to_string()
    }

    /// The processor's time of one bare fetch, in milliseconds. They are as far apart as the polls: right after one
    /// another they would cost half as much, with all that they need still in the processor's caches.
    fn cost_of_fetches(&self, fetches: u32) -> Result<f64, BenchError> {
        let used = || used_ms(std::process::id(), false);
        let before = used();
        for _ in 0..fetches {
            self.fetch().read().map_err(failed("fetch"))?;
            Real.sleep(POLL);
        }
        Ok((used() - before) / f64::from(fetches))
    }

    /// What an idle agent asks for.
    fn fetch(&self) -> Command {
        let fetch = Command::new("git").arg("-C").arg(self.home.state().join("herd.git"));
        let fetch = fetch.args(["fetch", "--quiet", "--no-tags", "--prune", "--no-write-fetch-head", "--no-auto-gc"]);
        let names =
            [RefName::Changes, RefName::Report(self.uuid), RefName::State(self.uuid)].map(|name| name.to_string());
        let seen = |name: &String| format!("+{name}*:{}*", name.replacen("refs/wildebeest/", "refs/seen/", 1));
        fetch.arg(self.remote()).args(names.iter().map(seen))
    }

    /// What a fetch that finds nothing sends and receives.
    fn bytes(&self) -> Result<u64, BenchError> {
        let script = self.dir.join("upload-pack");
        let (sent, received) = (self.dir.join("sent"), self.dir.join("received"));
        let line = format!("tee {} | git-upload-pack \"$@\" | tee {}", sent.display(), received.display());
        files::write(&script, format!("#!/bin/sh\n{line}\n"), 0o755)?;
        let fetch = self.fetch().arg("--upload-pack").arg(&script);
        fetch.read().map_err(failed("count what a fetch sends"))?;
        let size = |path| Ok::<_, BenchError>(files::stat(path)?.map_or(0, |stat| stat.size));
        Ok(size(sent)? + size(received)?)
    }
}

const NAME: &str = "idle";

struct Ends<'a>(&'a Child);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.kill();
    }
}

fn others() -> [RefName; 2] {
    let uuid = Uuid::new_v4();
    [RefName::Report(uuid), RefName::State(uuid)]
}

/// The processor's time of one poll, in milliseconds.
fn cost_of_polls(agent: &Child, polls: u32) -> f64 {
    let used = || used_ms(agent.pid().unwrap_or_default(), true);
    let before = used();
    Real.sleep(POLL * polls);
    (used() - before) / f64::from(polls)
}

/// The resident memory that `/proc/PID/status` tells, in MiB.
fn idle_mib(status: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_tells_is_read() {
        assert_eq!(idle_mib("Name:\twildebeest\nVmRSS:\t    6144 kB\n"), 6.0);
    }
}
