//! Simulated herds keep the invariants: a fixed share of rounds, and for each invariant mistakes that break it and are found
//! by its own rule.

use std::collections::BTreeSet;

use wb_core::system::fault::Bug;
use wb_core::system::{Command, files};
use wb_xtask::shell::Shell;
use wb_xtask::torture::herd::faults::KINDS;
use wb_xtask::torture::herd::{Options, told, torture};
use wb_xtask::torture::rule::{Rule, breaks};

/// How many hosts the herds of these tests have, to be quick.
const HOSTS: usize = 8;

#[test]
fn a_share_of_rounds_breaks_no_rule_and_the_report_says_so() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let command = command.args(["torture", "herd", "--seed", "1", "--rounds", "12"]).args(["--hosts", "8", "--json"]);
    let output = command.arg(file.path()).run().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&files::read(file.path()).unwrap()).unwrap();
    assert_eq!((output.code, &report["ok"]), (0, &true.into()), "{}", output.error_text());
    let keys: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["events", "faults", "liveness_failures", "ok", "rounds", "violations"]);
    let none = serde_json::json!([]);
    assert_eq!((&report["rounds"], &report["violations"], &report["liveness_failures"]), (&12.into(), &none, &none));
    assert!(report["events"].as_u64() > Some(12 * 100), "{report}");
    let faults = report["faults"].as_object().unwrap();
    assert_eq!(faults.keys().map(String::as_str).collect::<BTreeSet<_>>(), KINDS.iter().copied().collect());
    let happened = faults.values().filter(|times| times.as_u64() > Some(0)).count();
    assert!(happened * 10 >= KINDS.len() * 9, "{report}");
    assert!(
        output
            .text()
            .ends_with(&format!("12 rounds of {HOSTS} hosts, {} events, no rule was broken", report["events"]))
    );
}

/// A mistake is found in one of the rounds up to 1,000, by the rule of its invariant and before any other. It is known to be
/// found soon after this seed.
fn check(invariant: u8, bug: Bug, seed: u64) {
    is_found(Rule::Invariant(invariant), bug, seed);
}

fn is_found(broken: Rule, bug: Bug, seed: u64) {
    assert_eq!(breaks(bug), broken);
    let options = Options { seed, rounds: 1000 - seed as usize, hosts: HOSTS, jobs: 1, bug: Some(bug) };
    let outcome = torture(&options, &Shell::captured().0);
    let rule = outcome.first.map(|(_, rule)| rule);
    assert_eq!(rule, Some(broken), "{bug:?} in {} rounds: {outcome:?}", outcome.rounds);
    assert_eq!(outcome.violations[0].rule, broken.to_string());
    assert!(!outcome.ok);
}

#[test]
fn links_that_are_not_a_prefix_are_found() {
    check(1, Bug::StateBeforeAct, 1);
    check(1, Bug::PassesTooFar, 1);
}

#[test]
fn a_link_that_runs_again_is_found() {
    check(2, Bug::TwoWrites, 56);
}

#[test]
fn too_many_that_are_out_of_load_are_found() {
    check(3, Bug::BlindClaim, 15);
    check(3, Bug::EarlyRelease, 11);
    check(3, Bug::StaleLimit, 1);
}

#[test]
fn a_report_that_says_too_much_is_found() {
    check(4, Bug::ReportBeforeRecord, 1);
}

#[test]
fn code_that_nobody_signed_is_found() {
    check(5, Bug::UnverifiedRunner, 1);
    check(5, Bug::AnySigner, 4);
}

#[test]
fn who_goes_on_after_a_failure_is_found() {
    check(6, Bug::RejoinAfterFailure, 11);
    check(6, Bug::TriesForEver, 11);
    check(6, Bug::StaysInAfterBoot, 161);
}

#[test]
fn a_new_host_that_others_hold_up_is_found() {
    check(7, Bug::NewHostsClaim, 4);
}

#[test]
fn two_machines_with_one_identity_are_found() {
    check(8, Bug::AnyMachine, 3);
}

#[test]
fn who_waits_for_others_and_holds_a_place_is_found() {
    is_found(Rule::Waits, Bug::WaitsOutOfLoad, 2);
}

#[test]
fn a_round_that_breaks_a_rule_is_told_in_short_and_can_be_repeated() {
    let bug = Some(Bug::AnySigner);
    let options = Options { seed: 1, rounds: 20, hosts: HOSTS, jobs: 1, bug };
    let outcome = torture(&options, &Shell::captured().0);
    let (seed, said) = (outcome.violations[0].seed, told(&outcome, &options));
    assert!(said.contains(&format!("The round of seed {seed} breaks the rule `invariant 5`: ")), "{said}");
    assert!(said.contains("BREAKS invariant 5: ") && said.lines().count() < 200, "{said}");
    let again = format!("cargo xtask torture herd --seed {seed} --rounds 1 --hosts {HOSTS} --bug AnySigner");
    assert!(said.contains(&format!("Repeat it with `{again}`.\n")), "{said}");
    let repeated = torture(&Options { seed, rounds: 1, ..options }, &Shell::captured().0);
    assert_eq!(repeated.violations[..], outcome.violations[..1]);
}
