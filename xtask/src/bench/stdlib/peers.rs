//! The standard library beside its peers, on servers of 155 things that have nothing left to do.
//!
//! Each peer has a host of its own, and a program of the same things, written in its own manner and fed with the data
//! of the races. It brings its host there by itself and runs until it changes nothing; what it did is judged as that of the
//! library is, by what it means. Then all of them take turns with the standard library, each on its own host, and in the end
//! all is judged once more.

mod ansible;
mod cfengine;
mod install;
mod puppet;
mod pyinfra;
mod rash;
mod salt;
mod wanted;

#[path = "../../../templates/bench/data.rs"]
#[allow(dead_code, unreachable_pub, reason = "the program that races is made of it, too, and needs all of it")]
mod data;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wb_core::system::{Command, Output};

use super::host::{self, BOUND, PROGRAM};
use crate::bench::{BenchError, median};
use crate::sandbox::{Herd, Host, scratch_dir};
use crate::shell::Shell;
use crate::table::one_line;
use install::{Had, Rest};

/// The peers that could not be measured, and why.
type LeftOut = BTreeMap<String, String>;

/// What was measured of all of them; nothing where nobody asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Compared {
    /// The standard library, in the same turns.
    #[serde(skip)]
    pub own: Option<Cost>,
    /// The peers that could be had, by name.
    #[serde(flatten)]
    pub peers: BTreeMap<String, Cost>,
}

/// What it costs that nothing is to be done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// The version.
    pub version: String,
    /// How long it takes, in milliseconds; the median.
    pub noop_ms: f64,
    /// How many times as long as the standard library it takes.
    pub times: f64,
    /// The memory of its largest process, in MiB; the most of all rounds.
    pub peak_mib: f64,
    /// How often it was measured.
    pub rounds: usize,
}

/// One of the peers: where it is to be had, what it is told, and how it says that it changed nothing.
struct Peer {
    name: &'static str,
    /// Packages of Debian.
    debs: &'static [&'static str],
    rest: Rest,
    /// A line for the shell, once it is installed.
    afterwards: &'static str,
    /// Its program and what that reads, by their names in its directory.
    files: fn() -> Vec<(&'static str, String)>,
    /// The command that says its version, and with that, that it can be run.
    version: &'static [&'static str],
    /// The command that runs its program, in its directory.
    run: &'static [&'static str],
    /// Whether a run of it changed nothing, and failed at nothing.
    is_at_rest: fn(&Output) -> bool,
    /// How what it did is judged.
    manner: &'static [&'static str],
}

/// Each tool writes comments of its own, and keeps copies beside what it edits.
const BY_MEANING: &[&str] = &["by-meaning"];

static PEERS: [Peer; 6] = [rash::PEER, cfengine::PEER, salt::PEER, puppet::PEER, pyinfra::PEER, ansible::PEER];

const SUBNET: &str = "10.81.0.0/24";
const OWN: u8 = 11;
const FIRST: u8 = 12;

/// How often a peer may run until it is at rest.
const RUNS: usize = 4;

/// The slowest takes a minute, and three are the least of which one is in the middle.
const ROUNDS: [usize; 2] = [3, 9];

/// Measures all peers that can be had, and says of the others why not.
pub(super) fn compare(
    program: &[u8],
    rounds: usize,
    scratch: &Path,
    target_dir: &Path,
    shell: &Shell,
) -> (Compared, LeftOut) {
    let mut sieve = Sieve { shell, left_out: LeftOut::new() };
    match sieve.compare(program, rounds, scratch, target_dir) {
        Ok(compared) => (compared, sieve.left_out),
        Err(error) => (Compared::default(), sieve.without_any(&error)),
    }
}

/// Lets through what succeeds, and tells of the rest why it does not, each on one line.
struct Sieve<'a> {
    shell: &'a Shell,
    left_out: LeftOut,
}

impl Sieve<'_> {
    fn compare(
        &mut self,
        program: &[u8],
        rounds: usize,
        scratch: &Path,
        target_dir: &Path,
    ) -> Result<Compared, BenchError> {
        let image = host::image(self.shell)?;
        let mut had = Vec::new();
        for peer in &PEERS {
            let _progress = self.shell.begin(format!("getting {}", peer.name));
            had.extend(self.kept(peer.name, Had::get(peer, &image, scratch, target_dir)).map(|got| (peer, got)));
        }
        let (place, subnet) = (scratch_dir("bench-peers"), SUBNET.parse()?);
        let herd = Herd::start_stocked(&image, &place, subnet, &host::STOCK, &|line| self.shell.note(line))?;
        let mut own = Seat::own(&herd, program)?;
        let mut seats = Vec::new();
        for ((peer, got), number) in had.into_iter().zip(FIRST..) {
            let _progress = self.shell.begin(format!("{} brings a host to the state", peer.name));
            seats.extend(self.kept(peer.name, Seat::of(peer, &got, &herd, number, program)));
        }
        self.take_turns(&mut own, &mut seats, rounds.clamp(ROUNDS[0], ROUNDS[1]))?;
        Ok(compared(own, seats))
    }

    fn take_turns(&mut self, own: &mut Seat, seats: &mut Vec<Seat>, rounds: usize) -> Result<(), BenchError> {
        let what = format!("the library and its peers: {rounds} rounds");
        let progress = self.shell.begin_steps(what, rounds as u64);
        for round in 1..=rounds {
            own.measure()?;
            seats.retain_mut(|seat| self.kept(seat.name, seat.measure()).is_some());
            progress.reached(round as u64);
        }
        own.end()?;
        seats.retain(|seat| self.kept(seat.name, seat.end()).is_some());
        Ok(())
    }

    fn kept<T>(&mut self, name: &str, got: Result<T, BenchError>) -> Option<T> {
        got.map_err(|error| self.leave_out(name, &error)).ok()
    }

    /// What concerns all: who was left out before has a reason of its own.
    fn without_any(mut self, error: &BenchError) -> LeftOut {
        for peer in &PEERS {
            if !self.left_out.contains_key(peer.name) {
                self.leave_out(peer.name, error);
            }
        }
        self.left_out
    }

    fn leave_out(&mut self, name: &str, error: &BenchError) {
        let why = in_full(error);
        self.shell.note(format_args!("{name} is left out: {why}"));
        self.left_out.insert(name.to_owned(), why);
    }
}

fn in_full(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    one_line(&causes.map(ToString::to_string).collect::<Vec<_>>().join(": "))
}

fn compared(own: Seat, seats: Vec<Seat>) -> Compared {
    let own_ms = median(own.times.clone());
    let peers = seats.into_iter().map(|seat| (seat.name.to_owned(), seat.cost(own_ms))).collect();
    Compared { own: Some(own.cost(own_ms)), peers }
}

/// A host that is at its goal, and what says so.
struct Seat {
    name: &'static str,
    peer: Option<&'static Peer>,
    version: String,
    run: &'static [&'static str],
    dir: String,
    host: Host,
    /// In milliseconds.
    times: Vec<f64>,
    peak_kib: f64,
}

/// What the program says of a command that it watched.
#[derive(Debug, Deserialize)]
struct Watched {
    ms: f64,
    peak_kib: f64,
}

impl Peer {
    /// Where its files are on its host.
    fn dir(&self) -> String {
        format!("/srv/peers/{}", self.name)
    }
}

impl Seat {
    fn own(herd: &Herd, program: &[u8]) -> Result<Self, BenchError> {
        let host = herd.boot("wildebeest", address(OWN))?;
        host::prepare(&host, program)?;
        let run = &[PROGRAM, "apply", "mixed"];
        let seat = Self::new("wildebeest", None, env!("CARGO_PKG_VERSION").into(), run, "/".into(), host);
        seat.host.read(command(seat.run, &seat.dir))?;
        seat.judge()?;
        Ok(seat)
    }

    fn of(peer: &'static Peer, had: &Had, herd: &Herd, number: u8, program: &[u8]) -> Result<Self, BenchError> {
        let (host, dir) = (herd.boot(peer.name, address(number))?, peer.dir());
        // Before the host is prepared: then its apt knows its own packages only.
        had.install(peer, &host)?;
        host::prepare(&host, program)?;
        for (name, text) in (peer.files)() {
            host.put(&format!("{dir}/{name}"), text, 0o600)?;
        }
        let version = version_in(&host.read(command(peer.version, &dir))?);
        let seat = Self::new(peer.name, Some(peer), version, peer.run, dir, host);
        seat.settle(peer, RUNS)?;
        seat.judge()?;
        Ok(seat)
    }

    fn new(
        name: &'static str,
        peer: Option<&'static Peer>,
        version: String,
        run: &'static [&'static str],
        dir: String,
        host: Host,
    ) -> Self {
        Self { name, peer, version, run, dir, host, times: Vec::new(), peak_kib: 0.0 }
    }

    /// Runs it until it is at rest, so often at most.
    fn settle(&self, peer: &Peer, runs: usize) -> Result<(), BenchError> {
        let mut last = String::new();
        for _ in 0..runs {
            let output = self.host.run(command(self.run, &self.dir))?;
            if (peer.is_at_rest)(&output) {
                return Ok(());
            }
            last = end_of(&said(&output));
        }
        Err(BenchError::Restless { peer: self.name, runs, said: last })
    }

    /// Whether it still has nothing to do, after all rounds, and all is as it should be.
    fn end(&self) -> Result<(), BenchError> {
        self.peer.map_or(Ok(()), |peer| self.settle(peer, 1))?;
        self.judge()
    }

    /// Whether all is as it should be.
    fn judge(&self) -> Result<(), BenchError> {
        let manner = self.peer.map(|peer| peer.manner).unwrap_or_default();
        self.host.read(command(&[[PROGRAM, "judge", "mixed"].as_slice(), manner].concat(), "/"))?;
        Ok(())
    }

    fn measure(&mut self) -> Result<(), BenchError> {
        let watch = [[PROGRAM, "watch"].as_slice(), self.run].concat();
        let said = self.host.read(command(&watch, &self.dir))?;
        let watched: Watched = serde_json::from_str(&said).map_err(|_| BenchError::Unread { said: said.clone() })?;
        self.times.push(watched.ms);
        self.peak_kib = self.peak_kib.max(watched.peak_kib);
        Ok(())
    }

    fn cost(self, own_ms: f64) -> Cost {
        let (rounds, noop_ms) = (self.times.len(), median(self.times));
        let peak_mib = self.peak_kib / 1024.0;
        Cost { version: self.version, noop_ms, times: noop_ms / own_ms, peak_mib, rounds }
    }
}

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 81, 0, number)
}

fn command(words: &[&str], dir: &str) -> Command {
    let (program, args) = words.split_first().unwrap_or((&PROGRAM, &[]));
    Command::new(program).args(args).dir(dir).timeout(BOUND)
}

fn said(output: &Output) -> String {
    format!("{}\n{}", output.text(), output.error_text())
}

/// Its last lines, which say what went wrong, if anything.
fn end_of(said: &str) -> String {
    const LINES: usize = 12;
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

/// The first word that reads like a version: `2.14.18` of `ansible-playbook [core 2.14.18]`.
fn version_in(said: &str) -> String {
    let mut words = said.split_whitespace().map(|word| word.trim_matches(|letter: char| !letter.is_ascii_digit()));
    words.find(|word| word.contains('.')).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a peer is at rest that ended with this code and said this.
    pub(super) fn check_rest(is_at_rest: fn(&Output) -> bool, code: i32, said: &str, expect: bool) {
        let output = Output { code, stdout: said.into(), ..Output::default() };
        assert_eq!(is_at_rest(&output), expect, "{code} {said}");
    }

    #[test]
    fn a_version_is_found_in_what_is_said() {
        let check = |said, expect: &str| assert_eq!(version_in(said), expect);
        check("ansible-playbook [core 2.14.18]\n  config file = None\n", "2.14.18");
        check("pyinfra: v3.10.0", "3.10.0");
        check("salt-call 3007.8 (Chlorine)", "3007.8");
        check("cf-agent - CFEngine Core 3.21.0\n", "3.21.0");
        check("7.23.0", "7.23.0");
        check("no such program", "");
    }

    #[test]
    fn each_peer_has_its_program_and_the_data() {
        for peer in &PEERS {
            let files = (peer.files)();
            assert!(files.len() > 1 && files.iter().all(|(name, text)| !name.is_empty() && !text.is_empty()));
            assert!(files.iter().any(|(name, text)| name.contains("site.conf") && text.contains("listen ")));
            assert!(!peer.run.is_empty() && !peer.version.is_empty(), "{}", peer.name);
        }
    }

    #[test]
    fn costs_are_by_that_of_the_library() {
        let (version, peak_mib, rounds) = ("1.2".to_owned(), 8.0, 9);
        let cost = |noop_ms: f64| Cost { version: version.clone(), noop_ms, times: noop_ms / 40.0, peak_mib, rounds };
        let compared = Compared { own: Some(cost(40.0)), peers: [("salt".to_owned(), cost(2000.0))].into() };
        let json = serde_json::to_value(&compared).unwrap();
        assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), ["salt"]);
        assert_eq!((&json["salt"]["times"], &json["salt"]["version"]), (&50.0.into(), &"1.2".into()));
    }

    #[test]
    fn an_error_is_told_on_one_line_with_what_caused_it() {
        let error = BenchError::Restless { peer: "salt", runs: 4, said: "Failed: 1\nbecause".into() };
        assert_eq!(in_full(&error), "salt is not at rest in run 4: Failed: 1 because");
    }

    #[test]
    fn who_fails_is_told_of_on_one_line_and_the_others_go_on() {
        let (shell, told) = Shell::captured();
        let mut sieve = Sieve { shell: &shell, left_out: LeftOut::new() };
        let restless = || BenchError::Restless { peer: "salt", runs: 1, said: "Failed: 1\nbecause".into() };
        assert_eq!((sieve.kept("rash", Ok(7)), sieve.kept::<u8>("salt", Err(restless()))), (Some(7), None));
        let why = "salt is not at rest in run 1: Failed: 1 because";
        assert_eq!(told.text(), format!("note: salt is left out: {why}\n"));
        assert_eq!(sieve.left_out, [("salt".to_owned(), why.to_owned())].into());
    }

    #[test]
    fn each_peer_is_judged_by_what_it_means() {
        assert!(PEERS.iter().all(|peer| peer.manner.contains(&"by-meaning")));
        let any_group: Vec<&str> =
            PEERS.iter().filter(|peer| peer.manner.contains(&"any-group")).map(|peer| peer.name).collect();
        assert_eq!(any_group, ["rash"]);
    }

    #[test]
    fn only_the_end_is_told() {
        let said: String = (1..=20).map(|number| format!("{number}\n\n")).collect();
        assert!(end_of(&said).starts_with("9\n10\n") && end_of(&said).ends_with("\n20"));
        assert_eq!(end_of(""), "");
    }
}
