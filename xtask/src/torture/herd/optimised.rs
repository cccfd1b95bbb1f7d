//! The simulator in a program that cargo optimised. All that a round does is in memory, so that what the compiler made of it
//! is what a round takes: unoptimised, five times as long.

use std::path::PathBuf;

use wb_core::system::{Command, environment};

use super::Options;
use crate::build::executable;
use crate::fleet;
use crate::shell::Shell;

/// For so many hosts, in all rounds together, it is worth to compile the program once: it stays, and who plays many rounds
/// plays them again.
const MANY: usize = 20 * 500;

/// The command line once more, for the optimised program. Nothing where that would be no quicker, where cargo did not start
/// this one, or where it does not compile, which is said then: this one plays the same rounds.
#[must_use]
pub fn again(options: &Options, shell: &Shell) -> Option<Command> {
    // A mistake is let happen in programs for development only.
    let is_worth_it =
        cfg!(debug_assertions) && options.rounds.saturating_mul(options.hosts) >= MANY && options.bug.is_none();
    let package = environment::var("CARGO_PKG_NAME").filter(|_| is_worth_it)?;
    let dir = environment::var("CARGO_MANIFEST_DIR")?;
    let name = environment::current_exe().ok()?.file_name()?.to_str()?.to_owned();
    let build = fleet::cargo().dir(dir).args(["build", "--release", "--package", &package, "--bin", &name]);
    let path = compiled(&build.args(["--message-format", "json-render-diagnostics"]), &name, shell);
    if path.is_none() {
        shell.note("the simulator could not be compiled with optimisation, and plays as it is");
    }
    // Whatever it was compiled with, it takes itself for one that cargo did not start, and begins.
    Some(fleet::without_package(Command::new(path?)).args(environment::args().into_iter().skip(1)))
}

fn compiled(build: &Command, name: &str, shell: &Shell) -> Option<PathBuf> {
    const BEGUN: &str = "compiling the simulator with optimisation, once";
    let progress = shell.begin(BEGUN);
    let (mut found, mut parts) = (None, 0);
    let output = build.run_lines(|line| {
        found = executable(line, name).or(found.take());
        parts += 1;
        progress.at(format!("{BEGUN}: {parts} parts"));
    });
    found.filter(|_| output.is_ok_and(|output| output.code == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_rounds_are_played_as_they_are() {
        let check = |rounds: usize, hosts: usize| {
            let (shell, said) = Shell::captured();
            let options = Options { seed: 1, rounds, hosts, jobs: 1, bug: None };
            assert_eq!(again(&options, &shell).map(|command| command.line()), None, "{rounds} × {hosts}");
            assert_eq!(said.text(), "");
        };
        check(12, 8);
        check(499, 20);
        check(9_999, 1);
    }
}
