use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use wb_core::system::{FileError, files};

use super::judge;
use crate::bench::{
    self, Applied, COLD_TARGET, Compared, Cost, FETCH_TARGET, Goal, HerdOptions, Herds, IDLE_TARGET, LEAST_ROUNDS,
    Options, Outcome, POLL_TARGET, Polled, REBUILD_TARGET, Rehearsed, StdlibOptions, TEST_TARGET, TRY_TARGET,
    TestOptions, WARM_TARGET, Way,
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
    Test(Test),
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
/// memory, helps. A thousand hosts need some 8 GiB of memory, 20 GB there, and an hour and a half on two processors.
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
    /// How far polls of a host are apart [default: 100 ms for each host, 400 ms where there are more than 300, over ssh
    /// 300 ms, and 1 s at least]
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
/// no program but `service X status`. The first time, its measure is the programs that must run anyway. The two take turns
/// on one host, each being the first every other time, and of each the median counts. Each time, what the library has done
/// is compared byte for byte, by code that shares nothing with it. The memory is the most of all runs, when all was to be
/// done and when nothing was.
///
/// With `--peers`, Ansible, CFEngine, Puppet, pyinfra, rash and Salt get a host each, and a program of the 155 things,
/// written in their own manner. Each runs until it changes nothing, and what it did is judged; then all take turns with the
/// standard library, 3 to 9 times, and are judged again. What Debian, PyPI or crates.io does not have, or what fails, is
/// left out, with a line that says why.
///
/// With `--profile`, a host of its own first runs a no-op of each kind under `strace -c` and under callgrind, and the
/// directory has what these say: KIND.strace with all programs, KIND.own.strace without, KIND.floor.strace, and
/// KIND.callgrind.txt with the functions that the time goes to.
///
/// The last lines say which targets are met. The exit code is 0 whether or not they are, and 3 where nothing could be
/// measured, or the library did not do what it was told.
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
    /// Write where the time of a no-op goes into DIR
    #[arg(long, value_name = "DIR")]
    profile: Option<PathBuf>,
}

/// Measure what a test of one migration more costs
///
/// A fleet is made whose migrations are like those of real servers: small packages from a repository on the host's disk,
/// configurations, users, daemons, and what is owed to daemons. `cargo xtask test` tests all of them on empty hosts, with the
/// kills of the newest ones and the roll of a herd; then one more is added, and all is tested again. Both times are those of
/// the whole command after a migration was added, with cargo's target directory and the hosts' root file system in place. What
/// the new migration takes by itself does not count: its plan, runs and specs, and that it is killed at each of its points. At
/// last a draft is tried, as `cargo xtask try` does.
///
/// The exit code is 0 whether or not the targets are met, and 3 where nothing could be measured. The layers stay, and go as
/// those of other tests do.
#[derive(Debug, Args)]
struct Test {
    /// Write the result to FILE as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How many migrations there are before the one that is added
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(2..=1000))]
    links: u32,
    /// How many of the newest migrations are killed
    #[arg(long, value_name = "N", default_value_t = 3)]
    interrupt: usize,
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
            What::Test(test) => test.run(shell).map(|()| ExitCode::SUCCESS),
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
        if let Some(dir) = &self.profile {
            bench::stdlib_profile(dir, shell).map_err(failed)?;
            shell.done("profiled", dir.display());
        }
        let options = StdlibOptions { rounds: self.rounds as usize, peers: self.peers };
        let kept = |applied: &Applied| self.json.as_ref().map_or(Ok(()), |path| write(path, applied));
        let applied = bench::stdlib(options, shell, kept).map_err(failed)?;
        shell.print_text(races(&applied));
        Ok(())
    }
}

impl Test {
    fn run(self, shell: &Shell) -> Result<(), Failure> {
        let failed = |error| Failure::environment("nothing could be measured").because(&error);
        let options = TestOptions { links: self.links as usize, interrupt: self.interrupt };
        let rehearsed = bench::test(options, shell).map_err(failed)?;
        shell.print_text(rehearsal(&rehearsed));
        keep(self.json, &rehearsed)
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

fn rehearsal(rehearsed: &Rehearsed) -> String {
    let Rehearsed { scratch_seconds, incremental_seconds, build_seconds, link_seconds, try_seconds, links, .. } =
        *rehearsed;
    let mut times = Table::new(&["test", "seconds"]);
    for (what, seconds) in [
        (format!("{links} migrations from nothing"), scratch_seconds),
        ("one more".to_owned(), incremental_seconds),
        ("the builds for it".to_owned(), build_seconds),
        ("that one by itself".to_owned(), link_seconds),
        ("a try of a draft".to_owned(), try_seconds),
    ] {
        times.row([what, tenths(seconds)]);
    }
    let mut targets = Table::new(&["target", "at most", "measured", "met"]);
    let all = [
        ("one more beside its own time", TEST_TARGET, rehearsed.ratio),
        ("a try beside its own time, s", TRY_TARGET, try_seconds),
    ];
    for (what, most, measured) in all {
        let met = if measured <= most { "yes" } else { "no" };
        targets.row([what.to_owned(), ratio(most), ratio(measured), met.to_owned()]);
    }
    format!("{times}\n{targets}")
}

/// All that was measured; the last lines say what of it is as it should be.
fn races(applied: &Applied) -> String {
    let goals = applied.goals();
    let mut text = format!("{}\n{}", noops(applied), first_times(applied));
    if let Some(table) = beside(&applied.peers) {
        text += &format!("\n{table}");
    }
    for (name, why) in &applied.left_out {
        text += &format!("{name} was left out: {why}\n");
    }
    text + &format!("\n{}\n{}\n", aims(&goals), verdict(&goals, applied.rounds))
}

fn noops(applied: &Applied) -> Table {
    let heading = ["no-op", "floor ms", "ms", "ratio", "floor's calls", "own", "calls", "own", "MiB"];
    let mut table = Table::new(&heading);
    for (kind, raced) in &applied.kinds {
        let calls = [raced.floor_syscalls, raced.floor_own_syscalls, raced.noop_syscalls, raced.noop_own_syscalls];
        let times = [tenths(raced.floor_ms), tenths(raced.noop_ms), ratio(raced.ratio)];
        let cells = [kind.clone()].into_iter().chain(times).chain(calls.map(|count| count.to_string()));
        table.row(cells.chain([tenths(raced.noop_peak_mib)]));
    }
    table
}

fn first_times(applied: &Applied) -> Table {
    let mut table = Table::new(&["first time", "programs ms", "ms", "ratio", "MiB"]);
    for (kind, raced) in &applied.kinds {
        table.row([
            kind.clone(),
            tenths(raced.programs_ms),
            tenths(raced.first_ms),
            raced.first_ratio.map(ratio).unwrap_or_default(),
            tenths(raced.first_peak_mib),
        ]);
    }
    table
}

/// The library and its peers, the quickest first.
fn beside(compared: &Compared) -> Option<Table> {
    let mut costs: Vec<(&str, &Cost)> = compared.peers.iter().map(|(name, cost)| (name.as_str(), cost)).collect();
    costs.push(("wildebeest", compared.own.as_ref()?));
    costs.sort_by(|(_, one), (_, other)| one.noop_ms.total_cmp(&other.noop_ms));
    let mut table = Table::new(&["no-op of mixed", "version", "ms", "times", "MiB"]);
    for (name, cost) in costs {
        let numbers = [cost.noop_ms, cost.times, cost.peak_mib].map(tenths);
        table.row([name.to_owned(), cost.version.clone()].into_iter().chain(numbers));
    }
    Some(table)
}

fn aims(goals: &[Goal]) -> Table {
    let mut table = Table::new(&["target", "is to be", "measured", "met"]);
    for goal in goals {
        let met = if goal.is_met() { "yes" } else { "no" };
        table.row([goal.what.clone(), goal.bound.to_string(), ratio(goal.measured), met.to_owned()]);
    }
    table
}

fn verdict(goals: &[Goal], rounds: usize) -> String {
    let missed: Vec<&str> = goals.iter().filter(|goal| !goal.is_met()).map(|goal| goal.what.as_str()).collect();
    let (all, met) = (goals.len(), goals.len() - missed.len());
    let verdict = match missed.is_empty() {
        true => format!("All {all} targets are met."),
        false => format!("{met} of {all} targets are met. Not met: {}.", missed.join("; ")),
    };
    match rounds < LEAST_ROUNDS {
        true => format!("{verdict} Of fewer than {LEAST_ROUNDS} rounds, that says little."),
        false => verdict,
    }
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

fn tenths(number: f64) -> String {
    format!("{number:.1}")
}

#[cfg(test)]
mod tests {
    use crate::bench::{Bound, Raced, Rebuild, Walked};

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
            first_ratio: Some(1.15),
            floor_syscalls: 9000,
            floor_own_syscalls: 900,
            noop_syscalls: 10_400,
            noop_own_syscalls: 1400,
            first_peak_mib: 6.5,
            noop_peak_mib: 5.5,
        };
        let files = Raced { first_ratio: None, ..raced(2.0, 7.0) };
        let kinds = [("mixed", raced(28.0, 35.0)), ("files", files), ("install", raced(2.0, 2.5))];
        let kinds = kinds.map(|(kind, raced)| (kind.to_owned(), raced)).into();
        let left_out = [("salt".to_owned(), "could not download packages of PyPI".to_owned())].into();
        insta::assert_snapshot!(races(&Applied { kinds, peak_mib: 6.5, left_out, rounds: 9, ..Applied::default() }));
    }

    #[test]
    fn the_last_line_says_what_is_not_met() {
        let goal = |what: &str, measured| Goal { what: what.into(), bound: Bound::AtMost(1.3), measured };
        let check = |goals: &[Goal], rounds, expect: &str| assert_eq!(verdict(goals, rounds), expect);
        check(&[goal("a", 1.0), goal("b", 1.3)], 9, "All 2 targets are met.");
        check(&[goal("a", 1.4), goal("b", 1.3)], 9, "1 of 2 targets are met. Not met: a.");
        check(&[goal("a", 1.4), goal("b", 1.5)], 99, "0 of 2 targets are met. Not met: a; b.");
        check(&[goal("a", 1.0)], 8, "All 1 targets are met. Of fewer than 9 rounds, that says little.");
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
        let table = beside(&Compared { own: Some(cost("0.1.0", 40.0, 7.0)), peers }).unwrap();
        assert_eq!(beside(&Compared::default()), None);
        assert_eq!(
            table.to_string(),
            "no-op of mixed  version  ms       times   MiB\n\
             wildebeest      0.1.0    40.0     1.0     7.0\n\
             cfengine        3.21.0   372.0    9.3     21.0\n\
             ansible         2.14.18  54000.0  1350.0  66.2\n"
        );
    }

    #[test]
    fn what_one_migration_more_costs_is_held_against_its_target() {
        let rehearsed = Rehearsed {
            scratch_seconds: 160.0,
            incremental_seconds: 17.5,
            build_seconds: 6.0,
            link_seconds: 1.5,
            ratio: 0.1,
            try_seconds: 5.2,
            links: 50,
            interrupt: 3,
        };
        assert_eq!(
            rehearsal(&rehearsed),
            "test                        seconds\n\
             50 migrations from nothing  160.0\n\
             one more                    17.5\n\
             the builds for it           6.0\n\
             that one by itself          1.5\n\
             a try of a draft            5.2\n\
             \n\
             target                        at most  measured  met\n\
             one more beside its own time  0.10     0.10      yes\n\
             a try beside its own time, s  5.00     5.20      no\n"
        );
    }

    #[test]
    fn what_a_poll_costs_is_held_against_its_targets() {
        let polled =
            Polled { idle_mib: 3.5, poll_cpu_ms: 16.0, git_fetch_cpu_ms: 11.5, ratio: 1.4, bytes: 707, polls: 60 };
        insta::assert_snapshot!(polls(&polled));
    }
}
