//! All checks of a repository, in the order in which they are cheap, and how many passed.

mod suite;
mod tally;

use wb_core::registry::resolve;
use wb_core::runner::with_causes;
use wb_core::system::{Command, CommandError, environment, files};

use crate::book::{Book, BookError};
use crate::fleet::{self, Fleet, FleetError};
use crate::sandbox;
use crate::shell::Shell;
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
    let fleet = Fleet::current()?;
    let mut tally = Tally::default();
    for step in steps(&fleet) {
        tally.add(&step.run(shell)?);
    }
    tally.add(&chain(&fleet, shell));
    tally.add(&book(shell));
    tally.add(&sandboxes(shell));
    tally.add(&tests(&fleet, shell)?);
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

fn steps(fleet: &Fleet) -> Vec<Step> {
    let cargo = |args: &[&str]| fleet::cargo().args(args);
    let links = files::list(fleet.crate_dir.join("src/chain")).unwrap_or_default();
    // `cargo fmt` reaches what `mod` lines name; this reaches every file that is there.
    let every_link = Command::new("rustfmt").args(["--check", "--edition", "2024"]).args(links);
    let lints = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"];
    vec![
        Step { name: "formatting", command: cargo(&["fmt", "--all", "--check"]) },
        Step { name: "formatting of the chain", command: every_link },
        Step { name: "clippy", command: cargo(&lints) },
        Step {
            name: "documentation",
            command: cargo(&["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "--deny warnings"),
        },
    ]
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

/// A fleet has no book, and needs none.
fn book(shell: &Shell) -> Tally {
    let built = match Book::current() {
        Err(BookError::None { .. }) => return Tally::default(),
        book => book.and_then(|book| book.build(shell)),
    };
    if let Err(error) = &built {
        shell.warn(with_causes(error));
    }
    counted("book", built.is_ok(), shell)
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

/// Compiles first. What the sandboxes say comes when all of it is over, so that no line stands amid another part.
fn tests(fleet: &Fleet, shell: &Shell) -> Result<Tally, CiError> {
    let mut tally = Step { name: "tests compile", command: fleet::cargo().args(suite::compile()) }.run(shell)?;
    if tally.failed > 0 {
        return Ok(tally);
    }
    let Suite { alone, computes, sandboxes } = Suite::of(&fleet::metadata(&fleet.crate_dir)?);
    let _progress = shell.begin("tests");
    let mut hear = |line: &str| {
        tally.read(line);
        shell.print(line);
    };
    let mut errors = play(&alone, fleet::cargo, &mut hear)?;
    let (lines, more) = std::thread::scope(|scope| {
        let sandboxes = scope.spawn(|| {
            let mut lines = Vec::new();
            play(&sandboxes, fleet::cargo, |line| lines.push(line.to_owned())).map(|errors| (lines, errors))
        });
        errors.extend(play(&computes, in_the_background, &mut hear)?);
        sandboxes.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    lines.iter().for_each(|line| hear(line));
    errors.extend(more);
    errors.iter().for_each(|error| shell.print(error));
    // A program that was killed says nothing of its tests.
    tally.add(&counted("tests come to their end", errors.is_empty() || tally.failed > 0, shell));
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

/// Cargo for what waits for nobody: hosts on sandboxes have clients that do.
fn in_the_background() -> Command {
    fleet::without_package(Command::new("nice").arg(fleet::cargo_program()))
}

fn counted(name: &str, passed: bool, shell: &Shell) -> Tally {
    shell.print(format_args!("check {name} ... {}", if passed { "ok" } else { "FAILED" }));
    match passed {
        true => Tally { passed: 1, ..Tally::default() },
        false => Tally { failed: 1, ..Tally::default() },
    }
}
