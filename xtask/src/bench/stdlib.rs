//! What the standard library costs on a host where there is nothing to do, and where all is to be done.
//!
//! A program is built as a runner is, and put on a real host. It has three ways to the same state: the standard library;
//! a floor, which is the same checks by hand with the fewest system calls; and just the programs that must run anyway. They
//! race there in turns, and a judge, which shares no code with the library, compares what that did byte for byte. Its peers
//! may stand beside it.

mod goal;
mod host;
#[cfg(test)]
mod judge;
mod peers;
mod profile;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wb_core::system::FileError;

use super::{BenchError, Scratch, median, target_dir};
use crate::shell::Shell;
use host::{Calls, Racetrack, Symbols};

pub use goal::{Bound, Goal};
pub use peers::{Compared, Cost};
pub use profile::profile;

/// A no-op of a server with many things may take so many times as long as the floor.
pub const MIXED_TARGET: f64 = 1.3;
/// A no-op of a hundred files may take so many times as long as the floor.
pub const FILES_TARGET: f64 = 3.0;
/// The first time may take so many times as long as the programs that must run anyway.
pub const FIRST_TARGET: f64 = 1.2;
/// The memory that it may take at most, in MiB.
pub const PEAK_TARGET: f64 = 12.0;

/// Of fewer rounds, the median says little.
pub const LEAST_ROUNDS: usize = 9;

/// What is raced for.
const KINDS: [&str; 3] = ["mixed", "files", "install"];

/// The one of them that needs no programs.
const WITHOUT_PROGRAMS: &str = "files";

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StdlibOptions {
    /// How often each thing is measured.
    pub rounds: usize,
    /// Whether its peers stand beside it, of which each that can be had gets a host of its own.
    pub peers: bool,
}

impl Default for StdlibOptions {
    fn default() -> Self {
        Self { rounds: LEAST_ROUNDS, peers: false }
    }
}

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Applied {
    /// `mixed`, `files` and `install`.
    #[serde(flatten)]
    pub kinds: BTreeMap<String, Raced>,
    /// The most memory that a run took, whether all was to be done or nothing.
    pub peak_mib: f64,
    /// Its peers beside it, where they were asked for.
    pub peers: Compared,
    /// Those of them that could not be measured, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, String>,
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
    /// The one by the other; nothing where there are no such programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_ratio: Option<f64>,
    /// The system calls of the floor, those of its programs included.
    pub floor_syscalls: u64,
    /// The system calls of the floor itself.
    pub floor_own_syscalls: u64,
    /// The system calls of the standard library, those of its programs included.
    pub noop_syscalls: u64,
    /// The system calls of the standard library itself.
    pub noop_own_syscalls: u64,
    /// The most memory of the standard library when nothing was as it should be, in MiB.
    pub first_peak_mib: f64,
    /// The most memory of the standard library when all was as it should be, in MiB.
    pub noop_peak_mib: f64,
}

/// The times of each run, in milliseconds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Times {
    programs: Vec<f64>,
    first: Vec<f64>,
    floor: Vec<f64>,
    noop: Vec<f64>,
}

/// Measures the standard library in a sandbox. What was measured so far goes to `keep` before its peers, which take half an
/// hour, and in the end. A peer that fails is left out.
///
/// # Errors
/// When this machine can have no sandboxes, the program does not compile, what it does is wrong, or `keep` fails.
pub fn measure(
    options: StdlibOptions,
    shell: &Shell,
    mut keep: impl FnMut(&Applied) -> Result<(), FileError>,
) -> Result<Applied, BenchError> {
    let scratch = Scratch::new()?;
    let program = host::program(&target_dir(), Symbols::Stripped, shell)?;
    let mut applied = race(&program, options.rounds, shell)?;
    keep(&applied)?;
    if options.peers {
        (applied.peers, applied.left_out) = peers::compare(&program, options.rounds, &scratch.0, &target_dir(), shell);
        keep(&applied)?;
    }
    Ok(applied)
}

fn race(program: &[u8], rounds: usize, shell: &Shell) -> Result<Applied, BenchError> {
    let track = Racetrack::open(program, &[], shell)?;
    let mut kinds = BTreeMap::new();
    for kind in KINDS {
        let _progress = shell.begin(format!("{kind}: {rounds} rounds"));
        let times = track.race(kind, rounds)?;
        let calls = [track.system_calls("floor", kind)?, track.system_calls("apply", kind)?];
        kinds.insert(kind.to_owned(), raced(kind, times, calls, track.peaks_mib(kind)?));
    }
    Ok(Applied { peak_mib: peak(&kinds), kinds, rounds, ..Applied::default() })
}

fn raced(kind: &str, times: Times, [floor, noop]: [Calls; 2], [first_peak_mib, noop_peak_mib]: [f64; 2]) -> Raced {
    let (floor_ms, noop_ms) = (median(times.floor), median(times.noop));
    let (first_ms, programs_ms) = (median(times.first), median(times.programs));
    Raced {
        floor_ms,
        noop_ms,
        ratio: noop_ms / floor_ms,
        first_ms,
        programs_ms,
        first_ratio: (kind != WITHOUT_PROGRAMS).then(|| first_ms / programs_ms),
        floor_syscalls: floor.all,
        floor_own_syscalls: floor.own,
        noop_syscalls: noop.all,
        noop_own_syscalls: noop.own,
        first_peak_mib,
        noop_peak_mib,
    }
}

fn peak(kinds: &BTreeMap<String, Raced>) -> f64 {
    kinds.values().flat_map(|raced| [raced.first_peak_mib, raced.noop_peak_mib]).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> Times {
        Times { programs: vec![5.0], first: vec![9.0, 6.0, 7.0], floor: vec![1.0, 3.0, 2.0], noop: vec![4.0] }
    }

    fn of(kind: &str) -> Raced {
        raced(kind, times(), [Calls { all: 10, own: 3 }, Calls { all: 20, own: 4 }], [6.5, 5.5])
    }

    #[test]
    fn of_each_the_median_counts() {
        let raced = of("mixed");
        assert_eq!((raced.floor_ms, raced.noop_ms, raced.ratio, raced.first_ms), (2.0, 4.0, 2.0, 7.0));
        assert_eq!((raced.floor_own_syscalls, raced.noop_own_syscalls), (3, 4));
    }

    #[test]
    fn the_first_time_is_measured_by_its_programs_where_there_are_some() {
        assert_eq!(KINDS.map(|kind| of(kind).first_ratio), [Some(1.4), None, Some(1.4)]);
    }

    #[test]
    fn the_most_memory_counts_whatever_was_to_be_done() {
        let less = Raced { first_peak_mib: 1.0, noop_peak_mib: 2.0, ..of("files") };
        let check = |raced: Raced, expect| {
            assert_eq!(peak(&[("files".to_owned(), less.clone()), ("mixed".to_owned(), raced)].into()), expect);
        };
        check(of("mixed"), 6.5);
        check(Raced { noop_peak_mib: 7.5, ..of("mixed") }, 7.5);
    }

    #[test]
    fn the_file_has_all_that_was_asked_for() {
        let kinds = KINDS.map(|kind| (kind.to_owned(), of(kind))).into();
        let json = serde_json::to_value(Applied { kinds, peak_mib: 6.5, rounds: 9, ..Applied::default() }).unwrap();
        for kind in KINDS {
            assert_eq!((&json[kind]["floor_ms"], &json[kind]["noop_ms"]), (&2.0.into(), &4.0.into()));
            assert_eq!((&json[kind]["ratio"], &json[kind]["first_ms"]), (&2.0.into(), &7.0.into()));
            assert_eq!((&json[kind]["floor_syscalls"], &json[kind]["noop_syscalls"]), (&10.into(), &20.into()));
        }
        assert_eq!((&json["peak_mib"], &json["rounds"]), (&6.5.into(), &9.into()));
        assert_eq!(json["peers"], serde_json::json!({}));
        assert_eq!(json.get("left_out"), None);
    }
}
