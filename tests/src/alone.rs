//! Tests in a process of their own: with a home and a git configuration that nothing else uses, and with the right to make
//! sandboxes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use wb_core::system::clock::Stopwatch;
use wb_core::system::{Command, Output, environment};
use wb_xtask::build::quick;
use wb_xtask::sandbox::{Elevation, elevate, ensure_tools, probe, scratch_dir};

use crate::shared::{RUN, THIS_RUN};

/// Set in the process that does what a test says.
const ALONE: &str = "WB_TEST_ALONE";

/// How a line starts that says why a test did nothing.
const SKIPPED: &str = "skipped: ";

/// Longer than the slowest test takes with nothing cached.
const BOUND: Duration = Duration::from_secs(900);

/// Herds on one machine take turns: they would only slow each other down. Small ones that mostly wait, for programs or for
/// each other, share one.
static TURN: RwLock<()> = RwLock::new(());

/// Runs `body`, which is all of the test `name`, in a process of its own. On a machine that can't have sandboxes it is not
/// run, and a line on standard error says why; where `CI` is `true`, that is a failure. Runners are built for it as for all
/// tests: as quickly as can be, of parts that are compiled once for all of them.
///
/// # Panics
/// When the test fails.
pub fn alone(name: &str, body: impl FnOnce()) {
    if is_alone() {
        return as_far_as_possible(name, body);
    }
    let watch = Stopwatch::start();
    let _turn = TURN.write().unwrap_or_else(PoisonError::into_inner);
    in_a_process(name, watch.elapsed());
}

/// As [`alone`], beside others of this kind: for few hosts that measure nothing and mostly wait, for the programs that they
/// run or for each other.
///
/// # Panics
/// When the test fails.
pub fn beside_others(name: &str, body: impl FnOnce()) {
    if is_alone() {
        return as_far_as_possible(name, body);
    }
    let watch = Stopwatch::start();
    let _turn = TURN.read().unwrap_or_else(PoisonError::into_inner);
    in_a_process(name, watch.elapsed());
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

/// The harness does not say how long a test takes; and of the time that it knows, much is spent on waiting for the others.
fn in_a_process(name: &str, waited: Duration) {
    let home = tempfile::tempdir().expect("a directory");
    let watch = Stopwatch::start();
    let output = again(name, home.path()).run();
    let (took, waited) = (watch.elapsed().as_secs_f64(), waited.as_secs_f64());
    // Past the harness, which keeps to itself what a test prints that passes, and may be amid a line.
    drop(writeln!(std::io::stdout(), "\n{name}: {took:.0} s, after {waited:.0} s in which it was not its turn"));
    judge(name, &output.expect("a process for the test"));
}

fn judge(name: &str, output: &Output) {
    let said = format!("{}\n{}", output.error_text(), output.text());
    // Set in, so that nobody takes its closing line for one of this process.
    let set_in: String = said.lines().map(|line| format!("    {line}\n")).collect();
    assert_eq!(output.code, 0, "the test failed in its own process:\n{set_in}");
    // Under a name that is none, no test would fail.
    assert!(was_run(&output.text()), "no test `{name}` was run in its own process:\n{set_in}");
    match said.lines().find(|line| line.starts_with(SKIPPED)) {
        Some(line) if environment::var("CI").as_deref() != Some("true") => report(line),
        Some(line) => panic!("in CI nothing is skipped: {line}"),
        None => eprintln!("{set_in}"),
    }
}

/// Whether the harness ran the one test that it was asked for. What it says of that comes last, whatever was said
/// before by harnesses that the test itself started.
fn was_run(said: &str) -> bool {
    let result = said.lines().rfind(|line| line.starts_with("test result: "));
    result.is_some_and(|line| line.starts_with("test result: ok. 1 passed;"))
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
    let command = kept()
        .into_iter()
        .fold(command, |command, (variable, path)| command.env(variable, path))
        .env(ALONE, name)
        .env(RUN, THIS_RUN.as_str())
        .env("HOME", home)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    quick::builds(command, &target(&this))
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

/// The directory that cargo builds in: this program lies in `<target>/debug/deps`.
fn target(this: &Path) -> PathBuf {
    this.ancestors().nth(3).map_or_else(environment::temp_dir, Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_was_not_run_has_not_passed() {
        let check = |counts: &str, expect: bool| {
            let said = format!("running 1 test\n\ntest result: {counts}; 0 measured; 2 filtered out\n");
            assert_eq!(was_run(&said), expect, "{counts}");
            // What a test runs may be tests, too.
            assert_eq!(was_run(&format!("test result: ok. 0 passed; 0 failed\n{said}")), expect, "{counts}");
            assert_eq!(was_run(&format!("test result: ok. 1 passed; 0 failed\n{said}")), expect, "{counts}");
        };
        check("ok. 1 passed; 0 failed; 0 ignored", true);
        check("ok. 0 passed; 0 failed; 0 ignored", false);
        check("ok. 0 passed; 0 failed; 1 ignored", false);
        assert!(!was_run(""));
    }

    #[test]
    #[should_panic(expected = "no test `nobody` was run")]
    fn a_name_that_is_none_is_told() {
        in_a_process("nobody", Duration::ZERO);
    }
}
