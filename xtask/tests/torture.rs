//! Hosts survive: a fixed share of rounds, and mistakes that are found.

use std::path::Path;

use wb_core::system::fault::{Bug, POINTS};
use wb_core::system::{Command, files};
use wb_xtask::shell::Shell;
use wb_xtask::torture::ground::Ground;
use wb_xtask::torture::outcome::Outcome;
use wb_xtask::torture::rule::breaks;
use wb_xtask::torture::{Options, rounds};

#[test]
fn a_share_of_rounds_breaks_no_rule_and_the_report_says_so() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let command = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["torture", "host", "--seed", "1", "--rounds", "60"]);
    let output = command.arg("--json").arg(file.path()).run().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&files::read(file.path()).unwrap()).unwrap();
    assert_eq!((output.code, &report["ok"]), (0, &true.into()), "{}", output.error_text());
    assert_eq!((&report["rounds"], &report["violations"]), (&60.into(), &serde_json::json!([])));
    let number = |field: &str| report[field].as_u64().unwrap();
    // What no scenario passes is no point.
    assert_eq!(number("crash_points"), POINTS.len() as u64, "{}", output.error_text());
    assert!(number("crash_points_hit") >= 30, "{report}");
    assert!(report["faults"].as_object().unwrap().values().all(|times| times.as_u64() > Some(0)), "{report}");
}

/// From which seed on each mistake is found soon, in 200 rounds at most.
const FOUND: [(Bug, u64); 7] = [
    (Bug::StateBeforeAct, 1),
    (Bug::TwoWrites, 48),
    (Bug::MissingDirSync, 3),
    (Bug::MissingFsync, 3),
    (Bug::ReportBeforeRecord, 26),
    (Bug::UnverifiedRunner, 2),
    (Bug::RejoinAfterFailure, 3),
];

#[test]
fn mistakes_on_purpose_are_found_and_the_seed_that_is_named_finds_them_again() {
    let ground = Ground::set(Path::new(env!("CARGO_BIN_EXE_xtask"))).unwrap();
    let played = |bug, seed, many| -> Outcome {
        let options = Options { seed, rounds: many, jobs: 2, keep: false, bug: Some(bug) };
        rounds(&ground, &options, &Shell::captured().0).unwrap()
    };
    for (bug, seed) in FOUND {
        let (outcome, rule) = (played(bug, seed, 200), breaks(bug).to_string());
        let found = outcome.violations.iter().find(|found| found.rule == rule);
        let found = found.unwrap_or_else(|| panic!("{bug:?} in {} rounds: {:?}", outcome.rounds, outcome.violations));
        let again = played(bug, found.seed, 1);
        assert!(again.violations.iter().any(|other| other.rule == rule), "{bug:?} once more: {again:?}");
    }
}
