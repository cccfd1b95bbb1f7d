//! The processor's time of processes, as `/proc` tells it: for what measures agents and servers, and for CI.

use std::path::PathBuf;

use wb_core::system::files;

/// The processor's time that a process has used, in milliseconds: of its children that have ended, and, where `itself`
/// says so, its own. A process that is gone has used none.
pub(crate) fn used_ms(pid: u32, itself: bool) -> f64 {
    files::read_text(proc(pid, "stat")).map_or(0.0, |stat| cpu_ms(&stat, itself))
}

/// The same for a process and all that descend from it, be they alive or not.
pub(crate) fn used_by_tree_ms(pid: u32) -> f64 {
    used_ms(pid, true) + children(pid).into_iter().map(used_by_tree_ms).sum::<f64>()
}

/// The processes that the main thread of a process started.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let list = files::read_text(proc(pid, &format!("task/{pid}/children"))).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Where `/proc` shows a part of a process.
pub(crate) fn proc(pid: u32, part: &str) -> PathBuf {
    format!("/proc/{pid}/{part}").into()
}

/// What `/proc/PID/stat` tells.
fn cpu_ms(stat: &str, itself: bool) -> f64 {
    // The name of the program, in parentheses, may have spaces in it.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    let own = if itself { ticks(11) + ticks(12) } else { 0.0 };
    // Linux tells these in hundredths of a second, whatever its clock does.
    (own + ticks(13) + ticks(14)) * 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_tells_is_read() {
        let stat = "7 (wild ) beest) S 1 7 7 0 -1 4194304 100 200 0 0 5 6 7 8 20 0 3 0 99 100 200";
        assert_eq!((cpu_ms(stat, true), cpu_ms(stat, false)), (260.0, 150.0));
    }
}
