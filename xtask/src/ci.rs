//! All checks of a repository, and how many passed. What is cheap comes first. Then there are two streams, side by
//! side. In one are hosts on sandboxes, which wait a lot: those of the fleet's own migrations, and after them those of
//! tests. In the other is what computes: all that compiles, and reads the sources without running any of them; and then
//! all other tests, in lanes, so that no processor is idle while one program is at its slowest test. Only what measures
//! has the machine for itself, at the end.
//!
//! Each part says how long it took.

mod programs;
mod suite;
mod tally;
mod times;

use std::io;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Duration;

use cargo_metadata::Metadata;
use wb_core::registry::resolve;
use wb_core::runner::with_causes;
use wb_core::system::clock::Stopwatch;
use wb_core::system::{Command, CommandError, Output, environment, files};

use crate::book::Book;
use crate::build::quick;
use crate::fleet::{self, Fleet, FleetError};
use crate::processor;
use crate::sandbox;
use crate::shell::Shell;
use programs::{Lanes, Played, in_lanes, in_turn};
use suite::Suite;

pub use tally::Tally;

/// Why nothing was checked.
#[derive(Debug, thiserror::Error)]
pub enum CiError {
    /// A program that the checks need is not here, and can't be installed from here.
    #[error("{what} is not installed")]
    Missing {
        /// What it is.
        what: &'static str,
        /// The command that installs it.
        remedy: &'static str,
    },
    /// The fleet can't be read.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// A program could not be run.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// Runs all checks, shows what they say, and counts.
///
/// # Errors
/// When something that is needed to check at all is missing. A check that fails is counted, and is no error.
pub fn run(shell: &Shell) -> Result<Tally, CiError> {
    NEEDED.iter().try_for_each(Needed::look)?;
    let (tally, took) = timed(|| checked(shell));
    let processors = processor::used_ms(std::process::id(), false) / 1000.0;
    shell.print(format_args!("all of it: {}, and at least {processors:.0} s of processors", seconds(took)));
    tally
}

fn checked(shell: &Shell) -> Result<Tally, CiError> {
    let fleet = Fleet::current()?;
    let metadata = fleet::metadata(&fleet.crate_dir)?;
    let (book, migrations) = (book(&metadata), migrations(&fleet, &metadata));
    let mut tally = all(&formatting(&fleet), shell);
    tally.add(&chain(&fleet, shell));
    let possible = sandboxes(shell);
    tally.add(&possible);
    let book = found(BOOK, book, &mut tally, shell);
    let migrations = found(MIGRATIONS, migrations, &mut tally, shell).filter(|_| possible.passed > 0);
    let readings: Vec<Step> = readings().into_iter().chain(book).collect();
    tally.add(&streams(&Suite::of(&metadata), &readings, migrations, shell)?);
    Ok(tally)
}

struct Needed {
    what: &'static str,
    command: [&'static str; 2],
    remedy: &'static str,
}

const NEEDED: [Needed; 3] = [
    Needed { what: "a C compiler", command: ["cc", "--version"], remedy: "apt-get install gcc" },
    Needed { what: "rustfmt", command: ["rustfmt", "--version"], remedy: "rustup component add rustfmt" },
    Needed { what: "clippy", command: ["cargo-clippy", "--version"], remedy: "rustup component add clippy" },
];

impl Needed {
    fn look(&self) -> Result<(), CiError> {
        let [program, argument] = self.command;
        let missing = CiError::Missing { what: self.what, remedy: self.remedy };
        // rustup has a stand-in for components that are not installed: it is there, and fails.
        let there = Command::new(program).arg(argument).run().is_ok_and(|output| output.code == 0);
        if there { Ok(()) } else { Err(missing) }
    }
}

/// A program whose exit code is the answer.
struct Step {
    name: &'static str,
    command: Command,
}

fn formatting(fleet: &Fleet) -> Vec<Step> {
    let links = files::list(fleet.crate_dir.join("src/chain")).unwrap_or_default();
    // `cargo fmt` reaches what `mod` lines name; this reaches every file that is there.
    let every_link = Command::new("rustfmt").args(["--check", "--edition", "2024"]).args(links);
    vec![
        Step { name: "formatting", command: fleet::cargo().args(["fmt", "--all", "--check"]) },
        Step { name: "formatting of the chain", command: every_link },
    ]
}

/// What reads the sources and runs nothing of them.
fn readings() -> [Step; 2] {
    let lints = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"];
    let pages = ["doc", "--workspace", "--no-deps", "--quiet"];
    [
        Step { name: "clippy", command: in_the_background().args(lints) },
        Step { name: "documentation", command: in_the_background().args(pages).env("RUSTDOCFLAGS", "--deny warnings") },
    ]
}

const BOOK: &str = "book";

/// The book, by its own command, so that nobody waits for it. A fleet has none, and needs none.
fn book(metadata: &Metadata) -> io::Result<Option<Step>> {
    if Book::of(metadata).is_none() {
        return Ok(None);
    }
    let this = environment::current_exe()?;
    Ok(Some(Step { name: BOOK, command: nice().arg(this).arg("book") }))
}

/// What there is for a check for which this program runs anew. Where it does not find itself, that check failed.
fn found<T>(name: &str, needed: io::Result<Option<T>>, tally: &mut Tally, shell: &Shell) -> Option<T> {
    needed.unwrap_or_else(|error| {
        shell.warn(format_args!("could not find this program, which runs anew for the check `{name}`: {error}"));
        tally.add(&counted(name, false, None, shell));
        None
    })
}

fn all(steps: &[Step], shell: &Shell) -> Tally {
    let mut tally = Tally::default();
    steps.iter().for_each(|step| tally.add(&step.run(shell)));
    tally
}

impl Step {
    fn run(&self, shell: &Shell) -> Tally {
        let (output, took) = {
            let _progress = shell.begin(self.name);
            timed(|| self.command.run())
        };
        let output = match output {
            Ok(output) => output,
            Err(error) => return not_run(self.name, &error, took, shell),
        };
        if output.code != 0 {
            shell.print(output.text());
            shell.print(output.error_text());
        }
        counted(self.name, output.code == 0, Some(took), shell)
    }
}

fn chain(fleet: &Fleet, shell: &Shell) -> Tally {
    let mistakes = match resolve(&fleet.crate_dir) {
        Ok(resolved) => resolved.mistakes.iter().map(ToString::to_string).collect(),
        Err(error) => vec![with_causes(&error)],
    };
    mistakes.iter().for_each(|mistake| shell.warn(mistake));
    counted("chain", mistakes.is_empty(), None, shell)
}

/// Tests that need sandboxes skip themselves where there are none; here it is said why, and on CI it is a failure.
fn sandboxes(shell: &Shell) -> Tally {
    let say = |line: &str| shell.done("machine", line);
    let installed = sandbox::ensure_tools(&say);
    if let Err(error) = sandbox::ensure_musl_compiler(&say) {
        shell.note(format_args!("runners are built for glibc: {error}"));
    }
    let probe = sandbox::probe(&sandbox::scratch_dir("probe"));
    let failed = installed.err().map(|error| with_causes(&error));
    let missing: Vec<String> = failed.into_iter().chain(probe.missing.iter().map(ToString::to_string)).collect();
    missing.iter().for_each(|missing| shell.warn(missing));
    if probe.possible() {
        return counted("sandboxes can start", true, None, shell);
    }
    match environment::var("CI").as_deref() {
        Some("true") => counted("sandboxes can start", false, None, shell),
        _ => {
            shell.print(format_args!("skipped: the tests on sandboxes, because {}", missing.join("; ")));
            Tally { skipped: 1, ..Tally::default() }
        }
    }
}

const MIGRATIONS: &str = "migrations on hosts of their own";

/// How many of the newest migrations are killed here: each takes as long as many other checks.
const KILLED: usize = 1;

/// The command that runs all migrations on hosts of their own, where there are any. It gets by itself the right to make
/// hosts. Wildebeest's own example ships nowhere: its runner is built as those of the tests are, and shares with them what
/// is compiled.
fn migrations(fleet: &Fleet, metadata: &Metadata) -> io::Result<Option<Command>> {
    if resolve(&fleet.crate_dir).is_ok_and(|resolved| resolved.links.is_empty()) {
        return Ok(None);
    }
    let this = environment::current_exe()?;
    let command = fleet::without_package(Command::new(this)).args(["test", "--interrupt", &KILLED.to_string()]);
    Ok(Some(match Book::of(metadata) {
        Some(book) => quick::builds(command, &book.target),
        None => command,
    }))
}

/// Both streams. What hosts say comes when a part of theirs is over, so that no line stands amid another part. Tests
/// on sandboxes begin when the migrations are over, which have hosts in the same places, and as soon as cargo lets them:
/// not while it compiles something else.
fn streams(suite: &Suite, readings: &[Step], migrations: Option<Command>, shell: &Shell) -> Result<Tally, CiError> {
    thread::scope(|scope| {
        let (busy, free) = channel::<()>();
        let migrating = migrations.map(|command| {
            scope.spawn(move || {
                let _busy = busy;
                timed(|| command.run())
            })
        });
        let compile = Step { name: "tests compile", command: in_the_background().args(suite::compile()) };
        let mut tally = compile.run(shell);
        let hosts = (tally.failed == 0).then(|| Hosts::begin(scope, &suite.sandboxes, free));
        tally.add(&all(readings, shell));
        if let Some(migrating) = migrating {
            let (output, took) = {
                let _progress = shell.begin(MIGRATIONS);
                joined(migrating)
            };
            tally.add(&match output {
                Ok(output) => migrated(&output, took, shell),
                Err(error) => not_run(MIGRATIONS, &error, took, shell),
            });
        }
        if let Some(hosts) = hosts {
            tally.add(&tests(hosts, suite, shell)?);
        }
        Ok::<_, CiError>(tally)
    })
}

/// All that the test of the migrations said, and its own count, each of its checks being one here. Where it did not come to
/// its end, that is the one check that failed. What one that passed noted besides is not shown.
fn migrated(output: &Output, took: Duration, shell: &Shell) -> Tally {
    let said = output.text();
    match Tally::parted(&said).filter(|(_, tally)| (output.code == 0) == (tally.failed == 0)) {
        Some((rest, tally)) => {
            shell.print(rest);
            if tally.failed > 0 {
                shell.print(output.error_text());
            }
            shell.print(format_args!("{MIGRATIONS}: {}", seconds(took)));
            tally
        }
        None => {
            shell.print(&said);
            shell.print(output.error_text());
            counted(MIGRATIONS, false, Some(took), shell)
        }
    }
}

/// The tests on sandboxes, under way.
struct Hosts<'scope> {
    playing: ScopedJoinHandle<'scope, (Result<Played, CommandError>, Duration)>,
    said: Receiver<String>,
}

impl<'scope> Hosts<'scope> {
    /// Begins them as soon as nobody is left who could send to `free`.
    fn begin(scope: &'scope Scope<'scope, '_>, sandboxes: &'scope [Vec<String>], free: Receiver<()>) -> Self {
        let (say, said) = channel();
        let playing = scope.spawn(move || {
            let _nobody_is_left = free.recv();
            timed(|| in_turn(sandboxes, &beside_waits(), |line| drop(say.send(line.to_owned()))))
        });
        Self { playing, said }
    }
}

/// All tests: beside those on sandboxes what computes, and what measures when all of these are over.
fn tests(hosts: Hosts<'_>, suite: &Suite, shell: &Shell) -> Result<Tally, CiError> {
    let mut tally = Tally::default();
    let mut hear = |line: &str| {
        tally.read(line);
        shell.print(line);
    };
    let progress = shell.begin("tests");
    // While one cargo looks what there is to compile, others wait: that of the hosts comes before all.
    let first = hosts.said.recv();
    let Lanes { count, threads } = Lanes::of(suite.computes.len(), processors());
    let (computed, of_others) = timed(|| in_lanes(&suite.computes, count, &in_a_crowd(threads), &mut hear));
    let (tried, of_sandboxes) = joined(hosts.playing);
    drop(progress);
    first.into_iter().chain(hosts.said).for_each(|line| hear(&line));
    let progress = shell.begin("tests that measure");
    let (measured, of_measures) = timed(|| in_turn(&suite.alone, &fleet::cargo(), &mut hear));
    drop(progress);
    let mut played = Played::default();
    for part in [computed, tried, measured] {
        played.add(part?);
    }
    let parts = [("tests on sandboxes", of_sandboxes), ("all others", of_others), ("tests that measure", of_measures)];
    tally.add(&ended(played, &parts, shell));
    Ok(tally)
}

/// What is said when all tests are over.
fn ended(played: Played, parts: &[(&str, Duration)], shell: &Shell) -> Tally {
    let Played { errors, times, cut_short } = played;
    errors.iter().for_each(|error| shell.print(error));
    times.lines().iter().for_each(|line| shell.print(line));
    parts.iter().for_each(|(part, took)| shell.print(format_args!("{part}: {}", seconds(*took))));
    // A program that was killed says nothing of its tests, whatever others say of theirs.
    counted("tests come to their end", cut_short == 0, None, shell)
}

/// Cargo for tests that take turns, and mostly wait: there are always two more than there are processors.
fn beside_waits() -> Command {
    with_threads(fleet::cargo(), processors() + 2)
}

/// Cargo for what nobody waits for: hosts on sandboxes have clients that do not wait.
fn in_the_background() -> Command {
    nice().arg(fleet::cargo_program())
}

/// The same for tests in lanes, so many at once in each.
fn in_a_crowd(threads: usize) -> Command {
    with_threads(in_the_background(), threads)
}

/// Has programs of tests run so many at once, unless somebody said how many.
fn with_threads(command: Command, threads: usize) -> Command {
    match environment::var("RUST_TEST_THREADS") {
        Some(_) => command,
        None => command.env("RUST_TEST_THREADS", threads.to_string()),
    }
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn nice() -> Command {
    fleet::without_package(Command::new("nice"))
}

/// A check whose program could not be run is one that failed.
fn not_run(name: &str, error: &CommandError, took: Duration, shell: &Shell) -> Tally {
    shell.print(with_causes(error));
    counted(name, false, Some(took), shell)
}

fn counted(name: &str, passed: bool, took: Option<Duration>, shell: &Shell) -> Tally {
    let took = took.map(|took| format!(" ({})", seconds(took))).unwrap_or_default();
    shell.print(format_args!("check {name} ... {}{took}", if passed { "ok" } else { "FAILED" }));
    match passed {
        true => Tally { passed: 1, ..Tally::default() },
        false => Tally { failed: 1, ..Tally::default() },
    }
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What comes of something, and how long it takes.
fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let watch = Stopwatch::start();
    (act(), watch.elapsed())
}

fn seconds(took: Duration) -> String {
    format!("{:.0} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_of_the_migrations_counts_where_they_come_to_their_end() {
        let check = |code: i32, said: &str, count: &str, expect: &str| {
            let (shell, captured) = Shell::captured();
            let output = Output { code, stdout: said.into(), stderr: b"error: no\n".to_vec() };
            let tally = migrated(&output, Duration::from_secs(7), &shell);
            assert_eq!((tally.to_string().as_str(), captured.text().as_str()), (count, expect), "{said}");
        };
        let well = "test chain ... ok\nmigrations on hosts of their own: 7 s\n";
        check(0, "test chain ... ok\n\n1 passed, 0 failed\n", "1 passed, 0 failed", well);
        let ill = "test chain ... FAILED\nerror: no\nmigrations on hosts of their own: 7 s\n";
        check(1, "test chain ... FAILED\n\n2 passed, 1 failed\n", "2 passed, 1 failed", ill);
        let failed = "error: no\ncheck migrations on hosts of their own ... FAILED (7 s)\n";
        let cut_short = |said: &str| format!("{said}\n{failed}");
        check(3, "test chain ... ok\n", "0 passed, 1 failed", &cut_short("test chain ... ok"));
        check(137, "1 passed, 0 failed\n", "0 passed, 1 failed", &cut_short("1 passed, 0 failed"));
    }

    #[test]
    fn a_check_whose_program_can_not_be_found_failed() {
        let check = |program: io::Result<Option<u8>>, expect: Option<u8>, count: &str, says: &str| {
            let ((shell, captured), mut tally) = (Shell::captured(), Tally::default());
            assert_eq!(found(BOOK, program, &mut tally, &shell), expect);
            assert_eq!((tally.to_string().as_str(), captured.text().as_str()), (count, says));
        };
        check(Ok(Some(7)), Some(7), "0 passed, 0 failed", "");
        check(Ok(None), None, "0 passed, 0 failed", "");
        let says = "warning: could not find this program, which runs anew for the check `book`: gone\n\
                    check book ... FAILED\n";
        check(Err(io::Error::other("gone")), None, "0 passed, 1 failed", says);
    }

    #[test]
    fn tests_that_fail_come_to_their_end_and_those_that_are_cut_short_do_not() {
        let check = |cut_short: usize, errors: &[&str], expect: &str| {
            let (shell, captured) = Shell::captured();
            let errors = errors.iter().map(|error| (*error).to_owned()).collect();
            let played = Played { errors, cut_short, ..Played::default() };
            let tally = ended(played, &[("all others", Duration::from_secs(7))], &shell);
            let end = format!("all others: 7 s\ncheck tests come to their end ... {expect}\n");
            assert!(captured.text().ends_with(&end), "{}", captured.text());
            assert_eq!(tally.failed, u64::from(expect == "FAILED"));
        };
        check(0, &[], "ok");
        check(0, &["error: 1 target failed"], "ok");
        check(1, &["error: signal: 9"], "FAILED");
    }
}
