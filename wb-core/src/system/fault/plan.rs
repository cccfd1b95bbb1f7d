//! What happens to a process, as data: a parent hands it to its child.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::point::Bug;

/// What happens to this process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// Where chance comes from.
    pub seed: u64,
    /// The file to which each passage is added, as `number name`.
    pub trace: Option<PathBuf>,
    /// What falls, and when.
    pub faults: Vec<Injected>,
    /// How the clock is off, and from when on.
    pub clock: Vec<Jump>,
    /// The mistakes that this process makes.
    pub bugs: Vec<Bug>,
}

/// A fault and its moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Injected {
    /// What happens.
    pub fault: Fault,
    /// When.
    pub at: When,
}

/// A passage. All are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// The n-th passage of any point in this process.
    Hit(u64),
    /// The n-th passage of one point in this process.
    Point {
        /// Its number.
        point: usize,
        /// Which passage.
        nth: u64,
    },
}

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// SIGKILL. Commands that run are left behind.
    Kill,
    /// What no fsync made safe is lost, whole or in part; then SIGKILL, for this process and its commands.
    PowerCut,
    /// The operation fails: the disk is full. A spawn fails for want of memory, a push for want of an answer.
    NoSpace,
    /// The operation fails: the disk is broken. A spawn fails for want of processes, a push for want of an answer.
    InputOutput,
}

/// The clock jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jump {
    /// After so many passages.
    pub hits: u64,
    /// By so much, forward or back.
    pub seconds: i64,
}
