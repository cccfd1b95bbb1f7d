//! What the standard library costs on a host where there is nothing to do, and where all is to be done.
//!
//! A program is built as a runner is, and put on a real host. It has three ways to the same state: the standard library;
//! a floor, which is the same checks by hand with the fewest system calls; and just the programs that must run anyway. They
//! race there in turns, and a judge, which shares no code with the library, compares what that did byte for byte. Its peers
//! may stand beside it.

mod host;
#[cfg(test)]
mod judge;
mod peers;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BenchError, Scratch, median, target_dir};
use crate::shell::Shell;
use host::Racetrack;

pub use peers::{Compared, Cost};

/// A no-op of a server with many things may take so many times as long as the floor.
pub const MIXED_TARGET: f64 = 1.3;
/// A no-op of a hundred files may take so many times as long as the floor.
pub const FILES_TARGET: f64 = 3.0;
/// The first time may take so many times as long as the programs that must run anyway.
pub const FIRST_TARGET: f64 = 1.2;
/// The memory that it may take at most, in MiB.
pub const PEAK_TARGET: f64 = 12.0;

/// What is raced for.
const KINDS: [&str; 3] = ["mixed", "files", "install"];

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Applied {
    /// `mixed`, `files` and `install`.
    #[serde(flatten)]
    pub kinds: BTreeMap<String, Raced>,
    /// The most memory that a run took.
    pub peak_mib: f64,
    /// Its peers beside it, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peers: Option<Compared>,
    /// How often each was measured.
    pub rounds: usize,
}

/// One kind of work; times are medians, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Raced {
    /// The checks by hand, when all is as it should be.
    pub floor_ms: f64,
    /// The standard library, when all is as it should be.
    pub noop_ms: f64,
    /// The one by the other.
    pub ratio: f64,
    /// The standard library, when nothing is as it should be.
    pub first_ms: f64,
    /// The programs that must run for that in any case.
    pub programs_ms: f64,
    /// The system calls of the floor, those of its programs included.
    pub floor_syscalls: u64,
    /// The system calls of the standard library, those of its programs included.
    pub noop_syscalls: u64,
}

/// The times of each run, in milliseconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Times {
    programs: Vec<f64>,
    first: Vec<f64>,
    floor: Vec<f64>,
    noop: Vec<f64>,
}

/// Measures the standard library in a sandbox, each thing `rounds` times.
///
/// # Errors
/// When this machine can have no sandboxes, the program does not compile, or what it does is wrong.
pub fn measure(rounds: usize, shell: &Shell) -> Result<Applied, BenchError> {
    let scratch = Scratch::new()?;
    race(&program(&scratch, shell)?, rounds, shell)
}

/// As [`measure`], and then beside its peers, of which each that can be had gets a host of its own.
///
/// # Errors
/// As [`measure`]. What is wrong with a peer is told, and the peer left out.
pub fn measure_with_peers(rounds: usize, shell: &Shell) -> Result<Applied, BenchError> {
    let scratch = Scratch::new()?;
    let program = program(&scratch, shell)?;
    let applied = race(&program, rounds, shell)?;
    let peers = peers::compare(&program, rounds, &scratch.0, &target_dir(), shell)?;
    Ok(Applied { peers: Some(peers), ..applied })
}

fn program(scratch: &Scratch, shell: &Shell) -> Result<Vec<u8>, BenchError> {
    host::program(&scratch.0.join("crate"), &target_dir(), shell)
}

fn race(program: &[u8], rounds: usize, shell: &Shell) -> Result<Applied, BenchError> {
    let track = Racetrack::open(program, shell)?;
    let mut kinds = BTreeMap::new();
    let mut peak = 0.0_f64;
    for kind in KINDS {
        let progress = shell.begin(format!("{kind}: {rounds} rounds"));
        let times = track.race(kind, rounds)?;
        let (floor_syscalls, noop_syscalls) = (track.system_calls("floor", kind)?, track.system_calls("apply", kind)?);
        peak = peak.max(track.peak_mib(kind)?);
        kinds.insert(kind.to_owned(), raced(times, floor_syscalls, noop_syscalls));
        drop(progress);
    }
    Ok(Applied { kinds, peak_mib: peak, peers: None, rounds })
}

fn raced(times: Times, floor_syscalls: u64, noop_syscalls: u64) -> Raced {
    let (floor_ms, noop_ms) = (median(times.floor), median(times.noop));
    let (first_ms, programs_ms) = (median(times.first), median(times.programs));
    Raced { floor_ms, noop_ms, ratio: noop_ms / floor_ms, first_ms, programs_ms, floor_syscalls, noop_syscalls }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_the_median_counts() {
        let times =
            Times { programs: vec![5.0], first: vec![9.0, 6.0, 7.0], floor: vec![1.0, 3.0, 2.0], noop: vec![4.0] };
        let raced = raced(times, 10, 20);
        assert_eq!((raced.floor_ms, raced.noop_ms, raced.ratio, raced.first_ms), (2.0, 4.0, 2.0, 7.0));
    }

    #[test]
    fn the_file_has_a_key_for_each_kind() {
        let times = Times { programs: vec![5.0], first: vec![6.0], floor: vec![2.0], noop: vec![4.0] };
        let kinds = [("mixed".to_owned(), raced(times, 10, 20))].into();
        let json = serde_json::to_value(Applied { kinds, peak_mib: 5.5, peers: None, rounds: 9 }).unwrap();
        assert_eq!((&json["mixed"]["ratio"], &json["peak_mib"]), (&2.0.into(), &5.5.into()));
        assert_eq!(json.get("peers"), None);
    }
}
