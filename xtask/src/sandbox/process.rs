//! Processes of the machine as `/proc` shows them.

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use wb_core::system::files;

/// A process that is not mistaken for a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// Clock ticks from the machine's boot to the process's start.
    pub(super) started: u64,
}

impl Process {
    /// The process that has this number now.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let stat = files::read_text(proc(pid, "stat")).ok()?;
        Some(Self { pid, started: start_time(&stat)? })
    }

    /// Whether it still runs.
    pub(super) fn alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Ends it at once. One that has ended is no error.
    pub(super) fn kill(self) {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let (Some(pid), true) = (pid, self.alive()) {
            kill_process(pid, Signal::KILL).ok();
        }
    }

    /// Where `/proc` shows `part` of it.
    pub(super) fn proc(self, part: &str) -> PathBuf {
        proc(self.pid, part)
    }

    /// A path of this process as others reach it.
    pub(super) fn seen(self, path: &Path) -> PathBuf {
        self.proc("root").join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The name of its program.
    pub(super) fn program(self) -> Option<String> {
        Some(files::read_text(self.proc("comm")).ok()?.trim_end().to_owned())
    }

    /// The processes that its main thread started, oldest first.
    pub(super) fn children(self) -> Vec<Self> {
        let list = files::read_text(self.proc(&format!("task/{}/children", self.pid))).unwrap_or_default();
        list.split_whitespace().filter_map(|pid| Self::of(pid.parse().ok()?)).collect()
    }
}

fn proc(pid: u32, part: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{part}"))
}

/// The 22nd field of `/proc/PID/stat`; nothing for a process that is dead and only waits for its parent to notice.
/// The second field, in parentheses, may hold anything.
fn start_time(stat: &str) -> Option<u64> {
    let mut after_name = stat.rsplit_once(')')?.1.split_whitespace();
    let dead = matches!(after_name.next()?, "Z" | "X");
    if dead { None } else { after_name.nth(18)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 99 1";
        assert_eq!(start_time(stat), Some(12345));
        assert_eq!(start_time(&stat.replace("S 1", "Z 1")), None);
        assert_eq!(start_time("7 (a"), None);
        assert_eq!(start_time("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_lives_and_another_of_its_number_does_not() {
        let this = Process::of(std::process::id()).unwrap();
        assert!(this.alive());
        assert!(!Process { started: this.started + 1, ..this }.alive());
    }
}
