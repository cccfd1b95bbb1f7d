//! Tests in a process of their own: with a home, a git configuration and a build directory that nothing else uses, and
//! with the right to make sandboxes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use wb_core::system::{Command, Output, environment};
use wb_xtask::sandbox::{Elevation, elevate, ensure_tools, probe, scratch_dir};

/// Set in the process that does what a test says.
const ALONE: &str = "WB_TEST_ALONE";

/// How a line starts that says why a test did nothing.
const SKIPPED: &str = "skipped: ";

/// Longer than the slowest test takes with nothing cached.
const BOUND: Duration = Duration::from_secs(900);

/// Herds on one machine take turns: they would only slow each other down. Small ones that mostly wait for programs share one.
static TURN: RwLock<()> = RwLock::new(());

/// Runs `body`, which is all of the test `name`, in a process of its own, which has `variables` in its environment. On
/// a machine that can't have sandboxes it is not run, and a line on standard error says why; where `CI` is `true`, that
/// is a failure.
///
/// # Panics
/// When the test fails.
pub fn alone(name: &str, variables: &[(&str, &str)], body: impl FnOnce()) {
    if is_alone() {
        return as_far_as_possible(name, body);
    }
    let _turn = TURN.write().unwrap_or_else(PoisonError::into_inner);
    in_a_process(name, variables);
}

/// As [`alone`], for a test whose runner is built as often as it is told something new. Such runners have the same parts,
/// which are compiled once for all of these tests, and as quickly as can be: for production it takes ten times as long.
///
/// # Panics
/// When the test fails.
pub fn alone_with_quick_builds(name: &str, body: impl FnOnce()) {
    let target = quick_target_dir();
    alone(name, &[&QUICK_BUILDS[..], &[("CARGO_TARGET_DIR", target.as_str())]].concat(), body);
}

/// As [`alone_with_quick_builds`], beside others of this kind: for few hosts that measure nothing and mostly wait for the
/// programs that they run.
///
/// # Panics
/// When the test fails.
pub fn beside_others(name: &str, body: impl FnOnce()) {
    if is_alone() {
        return as_far_as_possible(name, body);
    }
    let _turn = TURN.read().unwrap_or_else(PoisonError::into_inner);
    let target = quick_target_dir();
    in_a_process(name, &[&QUICK_BUILDS[..], &[("CARGO_TARGET_DIR", target.as_str())]].concat());
}

fn quick_target_dir() -> String {
    target_dir(&environment::current_exe().expect("this program"), "quick").display().to_string()
}

fn is_alone() -> bool {
    environment::var(ALONE).is_some()
}

fn as_far_as_possible(name: &str, body: impl FnOnce()) {
    match why_impossible(name) {
        None => body(),
        Some(why) => report(&format!("{SKIPPED}{name}: {why}")),
    }
}

fn in_a_process(name: &str, variables: &[(&str, &str)]) {
    let home = tempfile::tempdir().expect("a directory");
    let again = variables.iter().fold(again(name, home.path()), |again, (name, value)| again.env(name, value));
    let output = again.run().expect("a process for the test");
    judge(&output);
}

/// What a runner spends its time with is compiled with care all the same, by the profile of each fleet.
const QUICK_BUILDS: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_INCREMENTAL", "true"),
];

fn judge(output: &Output) {
    let said = format!("{}\n{}", output.error_text(), output.text());
    // Set in, so that nobody takes its closing line for one of this process.
    let set_in: String = said.lines().map(|line| format!("    {line}\n")).collect();
    assert_eq!(output.code, 0, "the test failed in its own process:\n{set_in}");
    match said.lines().find(|line| line.starts_with(SKIPPED)) {
        Some(line) if environment::var("CI").as_deref() != Some("true") => report(line),
        Some(line) => panic!("in CI nothing is skipped: {line}"),
        None => eprintln!("{set_in}"),
    }
}

/// Past the test harness, which keeps to itself what a test prints that passes.
fn report(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

fn why_impossible(name: &str) -> Option<String> {
    match elevate() {
        Ok(Elevation::Impossible(line)) => return Some(line),
        Err(error) => return Some(error.to_string()),
        Ok(_) => {}
    }
    if let Err(error) = ensure_tools(&report) {
        return Some(error.to_string());
    }
    let missing = probe(&scratch_dir(&name.replace("::", "-"))).missing;
    let essential = missing.iter().filter(|missing| missing.essential).map(ToString::to_string);
    Some(essential.collect::<Vec<_>>().join("; ")).filter(|all| !all.is_empty())
}

fn again(name: &str, home: &Path) -> Command {
    let this = environment::current_exe().expect("this program");
    let command = Command::new(&this).args(["--exact", name, "--nocapture"]).timeout(BOUND);
    let command = ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "SSH_AUTH_SOCK"]
        .iter()
        .fold(command, |command, variable| command.env_remove(variable));
    kept()
        .into_iter()
        .fold(command, |command, (variable, path)| command.env(variable, path))
        .env(ALONE, name)
        .env("HOME", home)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("CARGO_TARGET_DIR", target_dir(&this, name))
}

/// What programs find by `HOME` and must find again: toolchains, and what is dear to make.
fn kept() -> Vec<(&'static str, PathBuf)> {
    let home = PathBuf::from(environment::var("HOME").unwrap_or_else(|| "/root".into()));
    [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup"), ("XDG_CACHE_HOME", ".cache")]
        .into_iter()
        .filter(|(variable, _)| environment::var(variable).is_none())
        .map(|(variable, directory)| (variable, home.join(directory)))
        .collect()
}

/// Where the runners of fleets are built: near the `deps` that this program lies in, so that it stays warm, and apart from
/// what is built otherwise.
fn target_dir(this: &Path, name: &str) -> PathBuf {
    let profile = this.ancestors().nth(2).map_or_else(environment::temp_dir, Path::to_owned);
    profile.join("fleets").join(name.replace("::", "-"))
}
