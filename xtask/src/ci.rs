//! All checks of a repository, and how many passed. What is cheap comes first. What reads the sources and runs nothing
//! of them compiles much, and mostly on one processor: its place is beside hosts on sandboxes, which wait a lot.

mod suite;
mod tally;

use wb_core::registry::resolve;
use wb_core::runner::with_causes;
use wb_core::system::{Command, CommandError, environment, files};

use crate::book::Book;
use crate::failure::Failure;
use crate::fleet::{self, Fleet, FleetError};
use crate::sandbox::{self, Elevation};
use crate::shell::Shell;
use crate::test::{self, page};
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
    let (fleet, readings) = (Fleet::current()?, readings());
    let mut tally = all(&formatting(&fleet), shell)?;
    tally.add(&chain(&fleet, shell));
    let possible = sandboxes(shell);
    tally.add(&possible);
    if possible.passed > 0 {
        tally.add(&migrations(&fleet, shell)?);
    }
    let suite = Suite::of(&fleet::metadata(&fleet.crate_dir)?);
    let compiled = Step { name: "tests compile", command: fleet::cargo().args(suite::compile()) }.run(shell)?;
    tally.add(&compiled);
    tally.add(&match compiled.failed {
        0 => tests(suite, &readings, shell)?,
        _ => all(&readings, shell)?,
    });
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
        let output = {
            let _progress = shell.begin(self.name);
            self.command.run()?
        };
        if output.code != 0 {
            shell.print(output.text());
            shell.print(output.error_text());
        }
        Ok(counted(self.name, output.code == 0, shell))
    }
}

fn chain(fleet: &Fleet, shell: &Shell) -> Tally {
    let mistakes = match resolve(&fleet.crate_dir) {
        Ok(resolved) => resolved.mistakes.iter().map(ToString::to_string).collect(),
        Err(error) => vec![with_causes(&error)],
    };
    mistakes.iter().for_each(|mistake| shell.warn(mistake));
    counted("chain", mistakes.is_empty(), shell)
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
        return counted("sandboxes can start", true, shell);
    }
    match environment::var("CI").as_deref() {
        Some("true") => counted("sandboxes can start", false, shell),
        _ => {
            shell.print(format_args!("skipped: the tests on sandboxes, because {}", missing.join("; ")));
            Tally { skipped: 1, ..Tally::default() }
        }
    }
}

const MIGRATIONS: &str = "migrations on hosts of their own";

/// How many of the newest migrations are killed here: each takes as long as many other checks.
const KILLED: usize = 1;

/// All migrations on hosts of their own, where there are any. Who may not make hosts starts a command that gets the right to.
fn migrations(fleet: &Fleet, shell: &Shell) -> Result<Tally, CiError> {
    if resolve(&fleet.crate_dir).is_ok_and(|resolved| resolved.links.is_empty()) {
        return Ok(Tally::default());
    }
    match (sandbox::elevation(), environment::current_exe()) {
        (Elevation::Root, _) | (_, Err(_)) => Ok(tested(fleet, shell)),
        (_, Ok(this)) => {
            let command = fleet::without_package(Command::new(this));
            let command = command.args(["test", "--interrupt", &KILLED.to_string()]);
            Step { name: MIGRATIONS, command }.run(shell)
        }
    }
}

/// The same, with each check counted.
fn tested(fleet: &Fleet, shell: &Shell) -> Tally {
    let options = test::Options { interrupt: KILLED, ..test::Options::default() };
    match test::run(fleet, &options, shell) {
        Ok(outcome) => {
            let tally = outcome.tally();
            if tally.failed > 0 {
                shell.print_page(&page::closing(&outcome, &shell.canvas()));
            }
            tally
        }
        Err(error) => {
            shell.fail(&Failure::from(error));
            counted(MIGRATIONS, false, shell)
        }
    }
}

/// What the sandboxes say comes when all of it is over, so that no line stands amid another part.
fn tests(suite: Suite, readings: &[Step], shell: &Shell) -> Result<Tally, CiError> {
    let Suite { alone, computes, sandboxes } = suite;
    let mut tally = Tally::default();
    let mut hear = |line: &str| {
        tally.read(line);
        shell.print(line);
    };
    let progress = shell.begin("tests");
    let mut errors = play(&alone, fleet::cargo, &mut hear)?;
    drop(progress);
    let read = std::thread::scope(|scope| {
        let (say, said) = std::sync::mpsc::channel();
        let sandboxes = scope.spawn(move || play(&sandboxes, fleet::cargo, |line| drop(say.send(line.to_owned()))));
        // While one cargo compiles, others wait: that of the hosts, which has nothing to compile, comes before all.
        let first = said.recv();
        let read = all(readings, shell)?;
        let _progress = shell.begin("more tests");
        errors.extend(play(&computes, in_a_crowd, &mut hear)?);
        errors.extend(sandboxes.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        first.into_iter().chain(said).for_each(|line| hear(&line));
        Ok::<_, CiError>(read)
    })?;
    errors.iter().for_each(|error| shell.print(error));
    // A program that was killed says nothing of its tests.
    let end = counted("tests come to their end", errors.is_empty() || tally.failed > 0, shell);
    [end, read].iter().for_each(|part| tally.add(part));
    Ok(tally)
}

/// Runs commands of cargo one after the other, whatever comes of them; gives what those said on standard error that failed.
fn play(part: &suite::Part, cargo: fn() -> Command, mut hear: impl FnMut(&str)) -> Result<Vec<String>, CommandError> {
    let mut errors = Vec::new();
    for args in part {
        let output = cargo().args(args).run_lines(&mut hear)?;
        if output.code != 0 {
            errors.push(output.error_text());
        }
    }
    Ok(errors)
}

/// Cargo for what nobody waits for: hosts on sandboxes have clients that do not wait.
fn in_the_background() -> Command {
    nice().arg(fleet::cargo_program())
}

/// The same for tests, of which more run at once than there are processors: they wait, too, for git, for cargo, for each other.
fn in_a_crowd() -> Command {
    let threads = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    match environment::var("RUST_TEST_THREADS") {
        Some(_) => in_the_background(),
        None => in_the_background().env("RUST_TEST_THREADS", threads.to_string()),
    }
}

fn nice() -> Command {
    fleet::without_package(Command::new("nice"))
}

fn counted(name: &str, passed: bool, shell: &Shell) -> Tally {
    shell.print(format_args!("check {name} ... {}", if passed { "ok" } else { "FAILED" }));
    match passed {
        true => Tally { passed: 1, ..Tally::default() },
        false => Tally { failed: 1, ..Tally::default() },
    }
}
