//! What the benchmarks measure, measured as little as can be: that they still can.

use std::path::Path;

use wb_xtask::bench;
use wb_xtask::shell::Shell;

#[test]
fn polls_of_an_idle_agent_are_measured() {
    let (shell, _) = Shell::captured();
    let polled = bench::agent(Path::new(env!("CARGO_BIN_EXE_wb-runner")), 1, 2, &shell).unwrap();
    assert!(polled.idle_mib > 0.0 && polled.git_fetch_cpu_ms > 0.0 && polled.bytes > 0, "{polled:?}");
    assert_eq!(polled.polls, 2);
}
