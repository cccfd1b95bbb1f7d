//! Hosts survive: a fixed share of rounds, and mistakes that are found.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::Path;

use wb_core::system::fault::Bug;
use wb_core::system::{Command, files};
use wb_xtask::shell::Shell;
use wb_xtask::torture::history::breaks;
use wb_xtask::torture::{Options, Outcome, torture};

fn options(seed: u64, rounds: usize) -> Options {
    let exe = Path::new(env!("CARGO_BIN_EXE_xtask")).to_owned();
    Options { seed, rounds, jobs: 2, keep: false, bug: None, exe }
}

fn played(options: &Options) -> Outcome {
    torture(options, &Shell::captured().0).unwrap()
}

/// The mistake is found from this seed on, and the seed that is named finds it alone.
fn finds(bug: Bug, seed: u64) {
    let outcome = played(&Options { bug: Some(bug), ..options(seed, 200) });
    let rule = breaks(bug).to_string();
    let found = outcome.violations.iter().find(|found| found.rule == rule);
    let found = found.unwrap_or_else(|| panic!("{bug:?} in {} rounds: {:?}", outcome.rounds, outcome.violations));
    let again = played(&Options { bug: Some(bug), ..options(found.seed, 1) });
    assert!(again.violations.iter().any(|other| other.rule == rule), "{bug:?} once more: {again:?}");
}

#[test]
fn a_share_of_rounds_breaks_no_rule_and_the_report_says_so() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let command = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["torture", "host", "--seed", "1", "--rounds", "30"]);
    let output = command.arg("--json").arg(file.path()).run().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&files::read(file.path()).unwrap()).unwrap();
    assert_eq!((output.code, &report["ok"]), (0, &true.into()), "{}", output.error_text());
    assert_eq!((&report["rounds"], &report["violations"]), (&30.into(), &serde_json::json!([])));
    let number = |field: &str| report[field].as_u64().unwrap();
    assert!(number("crash_points") >= 100 && number("crash_points_hit") >= 10, "{report}");
    assert!(report["faults"].as_object().unwrap().values().all(|times| times.as_u64() > Some(0)), "{report}");
}

#[test]
fn a_state_that_is_written_before_the_act_is_found() {
    finds(Bug::StateBeforeAct, 1);
}

#[test]
fn a_link_that_is_done_in_two_writes_is_found() {
    finds(Bug::TwoWrites, 48);
}

#[test]
fn a_missing_fsync_of_the_directory_is_found() {
    finds(Bug::MissingDirSync, 156);
}

#[test]
fn a_missing_fsync_is_found() {
    finds(Bug::MissingFsync, 196);
}

#[test]
fn a_report_that_is_ahead_of_the_record_is_found() {
    finds(Bug::ReportBeforeRecord, 170);
}

#[test]
fn a_runner_that_nobody_verified_is_found() {
    finds(Bug::UnverifiedRunner, 195);
}

#[test]
fn a_host_that_rejoins_after_a_failure_is_found() {
    finds(Bug::RejoinAfterFailure, 1);
}
