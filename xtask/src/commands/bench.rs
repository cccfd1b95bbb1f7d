use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use wb_core::system::{FileError, files};

use super::judge;
use crate::bench::{
    self, Applied, COLD_TARGET, Compared, Cost, FETCH_TARGET, FILES_TARGET, FIRST_TARGET, HerdOptions, Herds,
    IDLE_TARGET, MIXED_TARGET, Options, Outcome, PEAK_TARGET, POLL_TARGET, Polled, REBUILD_TARGET, Raced, WARM_TARGET,
    Way,
};
use crate::build;
use crate::failure::{Ended, Failure, NO};
use crate::fleet::Fleet;
use crate::shell::Shell;
use crate::table::Table;

/// Measure what the tool itself costs on this machine
#[derive(Debug, Args)]
pub(super) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Chain(Chain),
    Agent(Agent),
    Herd(Herd),
    Stdlib(Stdlib),
}

/// Measure what the chain costs in a build
///
/// The walk is what `chain!()` does in every build to find which commit introduced which migration, by the same code:
/// asking git, using and keeping what the last build knew, and comparing files with what landed. Not in it are reading
/// and parsing the crate's present files. Its measure is `git log --diff-filter=A` over the same files. Warm is with
/// what the build before the newest migration kept, cold with nothing kept; neither has a chain.lock. Two histories are
/// made for it, of 1,000 migrations in 1,000 and in 51,000 commits, and the worse counts.
///
/// The rebuild is `cargo build`, in the dev profile, after one migration was added to 1,000 and committed. Its measure
/// is the same crate with plain functions in a list and no macros.
///
/// All are measured in turns, and of each the median counts. The first time takes some minutes longer, since cargo
/// builds what the crates depend on. The exit code is 0 whether or not the targets are met.
#[derive(Debug, Args)]
struct Chain {
    /// Write the result to FILE as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How often each thing is measured
    #[arg(long, value_name = "N", default_value_t = 7)]
    rounds: usize,
    /// Measure the walk only
    #[arg(long)]
    no_rebuild: bool,
}

/// Measure what an agent costs a host that has nothing to do
///
/// A host is enrolled in a herd of a hundred that lives in a directory, with the fleet's own runner, and brought to
/// rest. Then its agent polls, and in turns git fetches the same refs, with nothing around it. Of a poll counts all of
/// the processor's time, that of git included; of several rounds the median. The remote is a directory, so that the
/// server's share is in both.
///
/// The exit code is 0 whether or not the targets are met.
#[derive(Debug, Args)]
struct Agent {
    /// Write the result to FILE as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How often polls and fetches take turns
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many polls a round has
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    polls: u32,
}

/// Measure what herds of many real agents cost, from a deploy until all are done
///
/// Each host is a process of a runner that is built for this as a deploy builds one, with directories, a key and a copy
/// of the refs of its own; all of them follow one bare repository on this machine. One deploy goes to hosts that are new,
/// which take no turns, and one to hosts in service, of which a share at most is out of load at once. Both bring another
/// runner. Whatever passes between hosts and server is counted on its way, and so is what the processor does for the
/// server.
///
/// All hosts share this machine, so the seconds say how soon it has done the work of all: TMPDIR on a fast disk, or in
/// memory, helps. A thousand hosts need some 8 GiB of memory, 20 GB there, and more than an hour on two processors.
///
/// The exit code is 1 where a host was lost: not at the target by its own disk, or not by what arrived from it.
#[derive(Debug, Args)]
struct Herd {
    /// Write the result to FILE as JSON, after each herd
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How many hosts each herd has
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "10,100,1000", value_parser = many())]
    hosts: Vec<u32>,
    /// How many links there are, of which the first deploy brings half
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(2..=1000))]
    links: u32,
    /// How far polls of a host are apart [default: 50 ms for each host, over ssh 300 ms, and 1 s at least]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    poll: Option<Duration>,
    /// How many of a hundred hosts may be out of load at once
    #[arg(long, value_name = "PERCENT", default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=100))]
    share: u32,
    /// Leave out the deploy to hosts in service
    #[arg(long, conflicts_with = "share")]
    no_rolling: bool,
    /// Over ssh, from an sshd with the settings that it comes with, which drops connections beyond some
    #[arg(long)]
    ssh: bool,
    /// Who is not done with a deploy after TIME is lost [default: 5 s for each host, and 15 minutes at least]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    patience: Option<Duration>,
    /// Measure the runner in FILE, which has links like those of the bench's own, instead of building one
    #[arg(long, value_name = "FILE", hide = true)]
    runner: Option<PathBuf>,
}

/// Measure what the standard library costs a host
///
/// A program with the standard library is built as a runner is, and put on a real host in a sandbox. It brings the host to
/// three states. `mixed` is a server of 155 things: packages, groups, users, directories, files and templates, lines of a
/// file, SysV services, cron entries, sysctl lines. `files` is a hundred templated files with owner and mode. `install` is
/// five small packages from a repository on the host's disk.
///
/// When nothing is left to do, its measure is a floor: the same checks by hand, with the fewest system calls, which starts
/// no program but `service X status`. The first time, its measure is the programs that must run anyway. All take turns on
/// one host, and of each the median counts. The floor also judges, byte for byte, what the library has done.
///
/// With `--peers`, Ansible, CFEngine, Puppet, pyinfra, rash and Salt get a host each, and a program of the 155 things,
/// written in their own manner. Each runs until it changes nothing, and the floor judges what it did; then all take turns
/// with the standard library, 3 to 9 times. What Debian, PyPI or crates.io does not have is left out, with a note that
/// says why.
///
/// The exit code is 0 whether or not the targets are met.
#[derive(Debug, Args)]
struct Stdlib {
    /// Write the result to FILE as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How often each thing is measured
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measure its peers beside it, which takes half an hour
    #[arg(long)]
    peers: bool,
}

fn many() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=10_000)
}

impl Bench {
    pub(super) fn run(self, shell: &Shell) -> Ended {
        match self.what {
            What::Chain(chain) => chain.run(shell).map(|()| ExitCode::SUCCESS),
            What::Agent(agent) => agent.run(shell).map(|()| ExitCode::SUCCESS),
            What::Herd(herd) => herd.run(shell),
            What::Stdlib(stdlib) => stdlib.run(shell).map(|()| ExitCode::SUCCESS),
        }
    }
}

impl Chain {
    fn run(self, shell: &Shell) -> Result<(), Failure> {
        let defaults = Options::default();
        let migrations = defaults.migrations.filter(|_| !self.no_rebuild);
        let options = Options { rounds: self.rounds.max(1), migrations, ..defaults };
        let failed = |error| Failure::environment("nothing could be measured").because(&error);
        let outcome = bench::chain(&options, shell).map_err(failed)?;
        shell.print_text(table(&outcome));
        keep(self.json, &outcome)
    }
}

impl Agent {
    fn run(self, shell: &Shell) -> Result<(), Failure> {
        let runner = build::runner(&Fleet::current().map_err(judge::fleet)?, shell)?;
        let failed = |error| Failure::environment("nothing could be measured").because(&error);
        let polled = bench::agent(&runner.path, self.rounds, self.polls, shell).map_err(failed)?;
        shell.print_text(polls(&polled));
        keep(self.json, &polled)
    }
}

impl Herd {
    fn run(self, shell: &Shell) -> Ended {
        let options = HerdOptions {
            hosts: self.hosts.iter().map(|hosts| *hosts as usize).collect(),
            links: self.links as usize,
            poll: self.poll,
            share: (!self.no_rolling).then_some(self.share),
            way: if self.ssh { Way::Ssh } else { Way::Git },
            patience: self.patience,
        };
        let failed = |error| Failure::environment("no herd could be measured").because(&error);
        let kept = |herds: &Herds| self.json.as_ref().map_or(Ok(()), |path| write(path, herds));
        let herds = match &self.runner {
            Some(runner) => bench::herd_with(runner, &options, shell, kept),
            None => bench::herd(&options, shell, kept),
        };
        let herds = herds.map_err(failed)?;
        shell.print_text(measured(&herds));
        let lost = herds.herds.iter().any(|herd| herd.lost > 0);
        Ok(ExitCode::from(if lost { NO } else { 0 }))
    }
}

impl Stdlib {
    fn run(self, shell: &Shell) -> Result<(), Failure> {
        let failed = |error| Failure::environment("nothing could be measured").because(&error);
        let measure = if self.peers { bench::stdlib_with_peers } else { bench::stdlib };
        let applied = measure(self.rounds as usize, shell).map_err(failed)?;
        shell.print_text(races(&applied));
        keep(self.json, &applied)
    }
}

fn keep(path: Option<PathBuf>, outcome: &impl Serialize) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    Ok(write(&path, outcome)?)
}

fn write(path: &Path, outcome: &impl Serialize) -> Result<(), FileError> {
    let text = serde_json::to_string_pretty(outcome).unwrap_or_default();
    files::write(path, text + "\n", 0o644)
}

fn polls(polled: &Polled) -> String {
    let mut table = Table::new(&["of an idle agent", "at most", "measured", "met"]);
    let all = [
        ("memory, MiB", IDLE_TARGET, polled.idle_mib),
        ("a poll, ms of the processor", POLL_TARGET, polled.poll_cpu_ms),
        ("a poll by a bare git fetch", FETCH_TARGET, polled.ratio),
    ];
    for (what, most, measured) in all {
        let met = if measured <= most { "yes" } else { "no" };
        table.row([what.to_owned(), ratio(most), ratio(measured), met.to_owned()]);
    }
    let Polled { git_fetch_cpu_ms, bytes, polls, .. } = polled;
    format!(
        "{table}\nThe bare fetch costs {git_fetch_cpu_ms:.2} ms; a poll sends and receives {bytes} bytes; {polls} polls."
    )
}

fn races(applied: &Applied) -> String {
    let heading = ["", "floor ms", "no-op ms", "ratio", "calls", "no-op calls", "programs ms", "first ms"];
    let mut table = Table::new(&heading);
    for (kind, raced) in &applied.kinds {
        let milliseconds = |time: f64| format!("{time:.1}");
        table.row([
            kind.clone(),
            milliseconds(raced.floor_ms),
            milliseconds(raced.noop_ms),
            ratio(raced.ratio),
            raced.floor_syscalls.to_string(),
            raced.noop_syscalls.to_string(),
            milliseconds(raced.programs_ms),
            milliseconds(raced.first_ms),
        ]);
    }
    let mut targets = Table::new(&["target", "at most", "measured", "met"]);
    for (what, most, measured) in goals(applied) {
        let met = if measured <= most { "yes" } else { "no" };
        targets.row([what.to_owned(), ratio(most), ratio(measured), met.to_owned()]);
    }
    let beside = applied.peers.as_ref().map(|compared| format!("\n{}", beside(compared))).unwrap_or_default();
    format!("{table}\n{targets}{beside}")
}

/// The library and its peers, the quickest first.
fn beside(compared: &Compared) -> Table {
    let mut costs: Vec<(&str, &Cost)> = compared.peers.iter().map(|(name, cost)| (name.as_str(), cost)).collect();
    costs.push(("wildebeest", &compared.own));
    costs.sort_by(|(_, one), (_, other)| one.noop_ms.total_cmp(&other.noop_ms));
    let mut table = Table::new(&["no-op of mixed", "version", "ms", "times", "MiB"]);
    for (name, cost) in costs {
        let numbers = [format!("{:.1}", cost.noop_ms), format!("{:.1}", cost.times), format!("{:.1}", cost.peak_mib)];
        table.row([name.to_owned(), cost.version.clone()].into_iter().chain(numbers));
    }
    table
}

/// What is aimed at, and what was reached. The files of the first time need no program, so that has no measure.
fn goals(applied: &Applied) -> Vec<(&'static str, f64, f64)> {
    let of = |kind: &str, number: fn(&Raced) -> f64| applied.kinds.get(kind).map_or(f64::NAN, number);
    let first = |raced: &Raced| raced.first_ms / raced.programs_ms;
    vec![
        ("no-op of mixed by the floor", MIXED_TARGET, of("mixed", |raced| raced.ratio)),
        ("no-op of files by the floor", FILES_TARGET, of("files", |raced| raced.ratio)),
        ("first time of mixed by its programs", FIRST_TARGET, of("mixed", first)),
        ("first time of install by its programs", FIRST_TARGET, of("install", first)),
        ("memory, MiB", PEAK_TARGET, applied.peak_mib),
    ]
}

fn measured(herds: &Herds) -> String {
    let heading =
        ["hosts", "deploy", "seconds", "fetches", "pushes", "fetched", "pushed", "git's cpu s", "dropped", "late"];
    let mut table = Table::new(&heading);
    let mut text = String::new();
    for herd in &herds.herds {
        for deploy in &herd.deploys {
            table.row([
                herd.hosts.to_string(),
                if deploy.rolling { "rolling" } else { "new" }.to_owned(),
                format!("{:.1}", deploy.seconds),
                format!("{:.1}", deploy.fetches_per_host),
                format!("{:.1}", deploy.pushes_per_host),
                deploy.fetched_bytes_per_host.to_string(),
                deploy.pushed_bytes_per_host.to_string(),
                format!("{:.1}", deploy.git_cpu_seconds),
                deploy.dropped_connections.to_string(),
                deploy.late.to_string(),
            ]);
        }
        text += &format!(
            "{} hosts: {} bytes for an idle poll, one every {} s; {} connections dropped, from enrolling on; {} lost\n",
            herd.hosts, herd.bytes_per_idle_poll, herd.poll_seconds, herd.dropped_connections, herd.lost
        );
    }
    format!("{table}\nFetches, pushes and bytes are those of one host.\n{text}")
}

fn table(outcome: &Outcome) -> String {
    let mut times = Table::new(&["measured", "seconds", "against", "seconds", "ratio"]);
    let mut row = |what: String, seconds: f64, against: &str, measure: f64| {
        let cells = [format!("{seconds:.3}"), against.to_owned(), format!("{measure:.3}"), ratio(seconds / measure)];
        times.row(std::iter::once(what).chain(cells));
    };
    for walked in &outcome.histories {
        let of = format!("{} links in {} commits", walked.links, walked.commits);
        row(format!("warm walk, {of}"), walked.warm_seconds, "git log", walked.git_log_seconds);
        row(format!("cold walk, {of}"), walked.cold_seconds, "git log", walked.git_log_seconds);
    }
    if let Some(rebuild) = &outcome.rebuild {
        let what = format!("rebuild, {} migrations", rebuild.migrations);
        row(what, rebuild.chain_seconds, "plain functions", rebuild.plain_seconds);
    }
    format!("{times}\n{}", targets(outcome))
}

fn targets(outcome: &Outcome) -> Table {
    let mut targets = Table::new(&["target", "at most", "measured", "met"]);
    let all = [
        ("warm walk", WARM_TARGET, Some(outcome.walk_warm_ratio)),
        ("cold walk", COLD_TARGET, Some(outcome.walk_cold_ratio)),
        ("rebuild", REBUILD_TARGET, outcome.rebuild_ratio),
    ];
    for (what, most, measured) in all {
        let met = match measured {
            Some(measured) if measured <= most => "yes",
            Some(_) => "no",
            None => "",
        };
        targets.row([what.to_owned(), ratio(most), measured.map(ratio).unwrap_or_default(), met.to_owned()]);
    }
    targets
}

fn ratio(ratio: f64) -> String {
    format!("{ratio:.2}")
}

#[cfg(test)]
mod tests {
    use crate::bench::{Rebuild, Walked};

    use super::*;

    #[test]
    fn the_table_says_whether_targets_are_met() {
        let walked = |commits, git_log_seconds| Walked {
            links: 1000,
            commits,
            git_log_seconds,
            warm_seconds: 0.04,
            cold_seconds: 0.25,
        };
        let outcome = Outcome {
            walk_warm_ratio: 0.4,
            walk_cold_ratio: 2.5,
            rebuild_ratio: Some(1.25),
            rounds: 7,
            histories: vec![walked(1000, 0.1), walked(51_000, 0.4)],
            rebuild: Some(Rebuild { migrations: 1000, chain_seconds: 2.5, plain_seconds: 2.0 }),
        };
        insta::assert_snapshot!(table(&outcome));
    }

    #[test]
    fn races_are_held_against_their_targets() {
        let raced = |floor_ms, noop_ms| Raced {
            floor_ms,
            noop_ms,
            ratio: noop_ms / floor_ms,
            first_ms: 1150.0,
            programs_ms: 1000.0,
            floor_syscalls: 900,
            noop_syscalls: 1400,
        };
        let kinds = [("mixed", raced(28.0, 35.0)), ("files", raced(2.0, 7.0)), ("install", raced(2.0, 2.5))];
        let kinds = kinds.map(|(kind, raced)| (kind.to_owned(), raced)).into();
        insta::assert_snapshot!(races(&Applied { kinds, peak_mib: 6.5, peers: None, rounds: 9 }));
    }

    #[test]
    fn the_quickest_peer_stands_first() {
        let cost = |version: &str, noop_ms: f64, peak_mib| Cost {
            version: version.into(),
            noop_ms,
            times: noop_ms / 40.0,
            peak_mib,
            rounds: 9,
        };
        let peers = [("ansible", cost("2.14.18", 54_000.0, 66.2)), ("cfengine", cost("3.21.0", 372.0, 21.0))];
        let peers = peers.map(|(name, cost)| (name.to_owned(), cost)).into();
        let table = beside(&Compared { own: cost("0.1.0", 40.0, 7.0), peers });
        assert_eq!(
            table.to_string(),
            "no-op of mixed  version  ms       times   MiB\n\
             wildebeest      0.1.0    40.0     1.0     7.0\n\
             cfengine        3.21.0   372.0    9.3     21.0\n\
             ansible         2.14.18  54000.0  1350.0  66.2\n"
        );
    }

    #[test]
    fn what_a_poll_costs_is_held_against_its_targets() {
        let polled =
            Polled { idle_mib: 3.5, poll_cpu_ms: 16.0, git_fetch_cpu_ms: 11.5, ratio: 1.4, bytes: 707, polls: 60 };
        insta::assert_snapshot!(polls(&polled));
    }
}
