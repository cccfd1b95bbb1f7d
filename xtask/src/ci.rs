//! All checks of a repository, and how many passed. What is cheap comes first. Hosts on sandboxes wait a lot, so that beside
//! them is the place of what computes: beside the fleet's own migrations all that compiles, and reads the sources without
//! running any of them; beside the tests on sandboxes all other tests. Only what measures has the machine for itself.
//!
//! Each part says how long it took.

mod suite;
mod tally;
mod times;

use std::io;
use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

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
use suite::Suite;
use times::Times;

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
    let (fleet, readings) = (Fleet::current()?, readings());
    let metadata = fleet::metadata(&fleet.crate_dir)?;
    let migrations = migrations(&fleet, metadata.target_directory.as_std_path());
    let mut tally = all(&formatting(&fleet), shell)?;
    tally.add(&chain(&fleet, shell));
    let possible = sandboxes(shell);
    tally.add(&possible);
    let migrations = match migrations {
        Ok(migrations) => migrations.filter(|_| possible.passed > 0),
        Err(error) => {
            shell.warn(format_args!("could not find the program that runs the migrations: {error}"));
            tally.add(&counted(MIGRATIONS, false, None, shell));
            None
        }
    };
    let (prepared, compiles) = prepare(&readings, migrations, shell)?;
    tally.add(&prepared);
    if compiles {
        tally.add(&tests(Suite::of(&metadata), shell)?);
    }
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
fn readings() -> Vec<Step> {
    let lints = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"];
    let pages = ["doc", "--workspace", "--no-deps", "--quiet"];
    let steps = [
        Step { name: "clippy", command: in_the_background().args(lints) },
        Step { name: "documentation", command: in_the_background().args(pages).env("RUSTDOCFLAGS", "--deny warnings") },
    ];
    steps.into_iter().chain(book()).collect()
}

/// The book, by its own command, so that nobody waits for it. A fleet has none, and needs none.
fn book() -> Option<Step> {
    Book::current().ok()?;
    let this = environment::current_exe().ok()?;
    Some(Step { name: "book", command: nice().arg(this).arg("book") })
}

fn all(steps: &[Step], shell: &Shell) -> Result<Tally, CiError> {
    let mut tally = Tally::default();
    steps.iter().try_for_each(|step| step.run(shell).map(|of_step| tally.add(&of_step)))?;
    Ok(tally)
}

impl Step {
    fn run(&self, shell: &Shell) -> Result<Tally, CiError> {
        let (output, took) = {
            let _progress = shell.begin(self.name);
            timed(|| self.command.run())
        };
        let output = output?;
        if output.code != 0 {
            shell.print(output.text());
            shell.print(output.error_text());
        }
        Ok(counted(self.name, output.code == 0, Some(took), shell))
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
fn migrations(fleet: &Fleet, target: &Path) -> io::Result<Option<Command>> {
    if resolve(&fleet.crate_dir).is_ok_and(|resolved| resolved.links.is_empty()) {
        return Ok(None);
    }
    let this = environment::current_exe()?;
    let command = fleet::without_package(Command::new(this)).args(["test", "--interrupt", &KILLED.to_string()]);
    Ok(Some(if Book::current().is_ok() { quick::builds(command, target) } else { command }))
}

/// Compiles the tests and reads the sources, while the migrations run on their hosts; says, too, whether the tests compile.
/// What the migrations say comes when all of it is over, so that no line stands amid another part.
fn prepare(readings: &[Step], migrations: Option<Command>, shell: &Shell) -> Result<(Tally, bool), CiError> {
    thread::scope(|scope| {
        let migrating = migrations.map(|command| scope.spawn(move || timed(|| command.run())));
        let compile = Step { name: "tests compile", command: in_the_background().args(suite::compile()) };
        let mut tally = compile.run(shell)?;
        let compiles = tally.failed == 0;
        tally.add(&all(readings, shell)?);
        if let Some(migrating) = migrating {
            let (output, took) = {
                let _progress = shell.begin(MIGRATIONS);
                migrating.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            tally.add(&migrated(&output?, took, shell));
        }
        Ok::<_, CiError>((tally, compiles))
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

/// What the sandboxes say comes when all of it is over, so that no line stands amid another part.
fn tests(suite: Suite, shell: &Shell) -> Result<Tally, CiError> {
    let Suite { alone, computes, sandboxes } = suite;
    let mut tally = Tally::default();
    let mut hear = |line: &str| {
        tally.read(line);
        shell.print(line);
    };
    let progress = shell.begin("tests");
    let (measured, of_measures) = timed(|| play(&alone, fleet::cargo, &mut hear));
    drop(progress);
    let mut played = measured?;
    let (of_others, of_sandboxes) = thread::scope(|scope| {
        let (say, said) = channel();
        let hosts = move || timed(|| play(&sandboxes, beside_waits, |line| drop(say.send(line.to_owned()))));
        let hosts = scope.spawn(hosts);
        // While one cargo looks what there is to compile, others wait: that of the hosts comes before all.
        let first = said.recv();
        let _progress = shell.begin("more tests");
        let (computed, of_others) = timed(|| play(&computes, in_a_crowd, &mut hear));
        played.add(computed?);
        let (tried, of_sandboxes) = hosts.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        played.add(tried?);
        first.into_iter().chain(said).for_each(|line| hear(&line));
        Ok::<_, CiError>((of_others, of_sandboxes))
    })?;
    let Played { errors, times, cut_short } = played;
    errors.iter().for_each(|error| shell.print(error));
    times.lines().iter().for_each(|line| shell.print(line));
    let parts = [("tests that measure", of_measures), ("tests on sandboxes", of_sandboxes), ("all others", of_others)];
    parts.iter().for_each(|(part, took)| shell.print(format_args!("{part}: {}", seconds(*took))));
    // A program that was killed says nothing of its tests, whatever others say of theirs.
    let all_closed = cut_short == 0 && (errors.is_empty() || tally.failed > 0);
    let end = counted("tests come to their end", all_closed, None, shell);
    tally.add(&end);
    Ok(tally)
}

/// What came of commands of cargo.
#[derive(Default)]
struct Played {
    /// What those said on standard error that failed.
    errors: Vec<String>,
    times: Times,
    /// How many programs of those did not say at their end what came of their tests.
    cut_short: usize,
}

impl Played {
    fn add(&mut self, other: Self) {
        self.errors.extend(other.errors);
        self.times.add(other.times);
        self.cut_short += other.cut_short;
    }
}

/// Runs commands of cargo one after the other, whatever comes of them.
fn play(part: &suite::Part, cargo: fn() -> Command, mut hear: impl FnMut(&str)) -> Result<Played, CommandError> {
    let mut played = Played::default();
    for args in part {
        let mut closing = Vec::new();
        let output = cargo().args(args).run_lines(|line| {
            if line.starts_with("test result: ") {
                closing.push(line.to_owned());
            }
            hear(line);
        })?;
        let said = output.error_text();
        played.times.add(Times::of(&said, closing.iter().map(String::as_str)));
        if output.code != 0 {
            played.cut_short += times::programs(&said).saturating_sub(closing.len());
            played.errors.push(said);
        }
    }
    Ok(played)
}

/// Cargo for tests that take turns, and mostly wait: there is always one more than there are processors.
fn beside_waits() -> Command {
    with_threads(fleet::cargo(), processors() + 1)
}

/// Cargo for what nobody waits for: hosts on sandboxes have clients that do not wait.
fn in_the_background() -> Command {
    nice().arg(fleet::cargo_program())
}

/// The same for tests, of which more run at once than there are processors: they wait, too, for git, for cargo, for each other.
fn in_a_crowd() -> Command {
    with_threads(in_the_background(), 2 * processors())
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

fn counted(name: &str, passed: bool, took: Option<Duration>, shell: &Shell) -> Tally {
    let took = took.map(|took| format!(" ({})", seconds(took))).unwrap_or_default();
    shell.print(format_args!("check {name} ... {}{took}", if passed { "ok" } else { "FAILED" }));
    match passed {
        true => Tally { passed: 1, ..Tally::default() },
        false => Tally { failed: 1, ..Tally::default() },
    }
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
}
