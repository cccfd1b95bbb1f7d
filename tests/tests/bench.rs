//! What the benchmarks measure, measured as little as can be: that they still can.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::Path;
use std::time::Duration;

use wb_core::system::{environment, files};
use wb_xtask::bench::{self, HerdOptions, Herds, Way};
use wb_xtask::sandbox::ensure_ssh_server;
use wb_xtask::shell::Shell;

#[test]
fn polls_of_an_idle_agent_are_measured() {
    let (shell, _) = Shell::captured();
    let polled = bench::agent(Path::new(env!("CARGO_BIN_EXE_wb-runner")), 1, 2, &shell).unwrap();
    assert!(polled.idle_mib > 0.0 && polled.git_fetch_cpu_ms > 0.0 && polled.bytes > 0, "{polled:?}");
    assert_eq!(polled.polls, 2);
}

/// A herd over git's own protocol or ssh, measured by the command's own code; gives its JSON.
fn measured(hosts: usize, poll: Option<Duration>, share: Option<u32>, way: Way) -> serde_json::Value {
    let dir = tempfile::tempdir().unwrap();
    let runner = dir.path().join("wildebeest");
    let script = format!("#!/bin/sh\nexec {} \"$0\" \"$@\"\n", env!("CARGO_BIN_EXE_wb-pages"));
    files::write(&runner, script, 0o755).unwrap();
    // A busy machine is no reason to lose anybody.
    let options = HerdOptions { hosts: vec![hosts], links: 2, poll, share, way, patience: None };
    let (shell, said) = Shell::captured();
    let mut kept = Vec::new();
    let keep = |herds: &Herds| {
        kept.push(herds.herds.len());
        Ok(())
    };
    let herds = bench::herd_with(&runner, &options, &shell, keep);
    let herds = herds.unwrap_or_else(|error| panic!("{error}: {}", said.text()));
    assert_eq!(kept, [1], "each herd is kept when it was measured");
    serde_json::to_value(herds).unwrap()
}

fn check(json: &serde_json::Value, hosts: usize, deploys: usize) {
    let herds = json["herds"].as_array().unwrap();
    let [herd] = &herds[..] else { panic!("{json}") };
    assert_eq!((&herd["hosts"], &herd["lost"]), (&hosts.into(), &0.into()), "{json}");
    let all = ["seconds", "bytes_per_idle_poll", "bytes_per_host", "git_cpu_seconds"];
    assert!(all.iter().all(|field| herd[field].as_f64() > Some(0.0)), "{json}");
    assert_eq!(herd["rolling_seconds"].as_f64() > Some(0.0), deploys == 2, "{json}");
    assert_eq!(herd["deploys"].as_array().unwrap().len(), deploys, "{json}");
    for deploy in herd["deploys"].as_array().unwrap() {
        // One push at least told that the link is done.
        assert!(deploy["pushes_per_host"].as_f64() >= Some(1.0), "{json}");
        assert_eq!(deploy["late"], 0, "{json}");
    }
    let deploys = herd["deploys"].as_array().unwrap().iter();
    let dropped: Option<u64> = deploys.map(|deploy| deploy["dropped_connections"].as_u64()).sum();
    assert!(dropped.is_some() && herd["dropped_connections"].as_u64() >= dropped, "enrolling counts too: {json}");
}

#[test]
fn a_small_herd_is_measured_and_loses_nobody() {
    check(&measured(6, Some(Duration::from_secs(1)), Some(50), Way::Git), 6, 2);
}

/// Twice as many as sshd lets in at once before it drops some.
#[test]
fn twenty_hosts_over_ssh_that_come_all_at_once_lose_nothing() {
    if let Err(error) = ensure_ssh_server(&|line| eprintln!("{line}")) {
        assert_ne!(environment::var("CI").as_deref(), Some("true"), "in CI nothing is skipped: {error}");
        return eprintln!("skipped: {error}");
    }
    check(&measured(20, None, None, Way::Ssh), 20, 1);
}
