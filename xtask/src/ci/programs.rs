//! Programs of tests, which cargo runs: one command after the other, or in lanes, each of which takes the next command
//! as soon as it has none. What a command says in a lane is kept until it ends, so that the lines of two never mix.

use std::sync::mpsc::{Sender, channel};
use std::thread;

use wb_core::system::{Command, CommandError, Output};

use super::times::{self, Times};
use crate::at_once::at_most;

/// What came of commands of cargo.
#[derive(Debug, Default)]
pub(super) struct Played {
    /// What those said on standard error that failed.
    pub(super) errors: Vec<String>,
    /// How long their programs took.
    pub(super) times: Times,
    /// How many programs of those did not say at their end what came of their tests, or failed with none that did.
    pub(super) cut_short: usize,
}

impl Played {
    /// What came of one command, whose programs closed with these lines.
    fn of(output: &Output, closing: &[String]) -> Self {
        let said = output.error_text();
        let times = Times::of(&said, closing.iter().map(String::as_str));
        if output.code == 0 {
            return Self { times, ..Self::default() };
        }
        let silent = times::programs(&said).saturating_sub(closing.len());
        // Where no test failed, it was something else: cargo itself, before any program began, or one after its end.
        let no_test_failed = !closing.iter().any(|line| line.starts_with("test result: FAILED"));
        Self { errors: vec![said], times, cut_short: silent.max(usize::from(no_test_failed)) }
    }

    /// Adds what came of others.
    pub(super) fn add(&mut self, other: Self) {
        self.errors.extend(other.errors);
        self.times.add(other.times);
        self.cut_short += other.cut_short;
    }
}

/// How commands run beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lanes {
    /// How many run at once.
    pub(super) count: usize,
    /// How many tests each program of theirs runs at once.
    pub(super) threads: usize,
}

impl Lanes {
    /// As many lanes as there are processors, and two at least, so that there are others while one program is at its
    /// last test. In all of them twice as many tests run at once as there are processors: they wait, too, for git, for
    /// cargo, for each other.
    pub(super) fn of(commands: usize, processors: usize) -> Self {
        let count = commands.clamp(1, processors.max(2));
        Self { count, threads: (2 * processors).div_ceil(count) }
    }
}

/// Runs commands of cargo, of which these are the arguments, one after the other, whatever comes of them. Each line is
/// heard as it comes.
///
/// # Errors
/// When cargo can't be run.
pub(super) fn in_turn(
    commands: &[Vec<String>],
    cargo: &Command,
    mut hear: impl FnMut(&str),
) -> Result<Played, CommandError> {
    let mut played = Played::default();
    for args in commands {
        played.add(one(args, cargo, &mut hear)?);
    }
    Ok(played)
}

/// Runs so many commands at once, which begin in their order. All that one says is heard when it ends.
///
/// # Errors
/// When cargo can't be run; in several lanes the other commands come to their end before.
pub(super) fn in_lanes(
    commands: &[Vec<String>],
    lanes: usize,
    cargo: &Command,
    mut hear: impl FnMut(&str),
) -> Result<Played, CommandError> {
    if lanes == 1 {
        return in_turn(commands, cargo, hear);
    }
    let all = thread::scope(|scope| {
        let (say, said) = channel();
        let playing = scope.spawn(move || at_most(lanes, commands, |args| whole(args, cargo, &say)));
        said.iter().flatten().for_each(|line: String| hear(&line));
        playing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    let mut played = Played::default();
    for ended in all {
        played.add(ended?);
    }
    Ok(played)
}

/// Runs one command, and says all of its lines at its end.
fn whole(args: &[String], cargo: &Command, say: &Sender<Vec<String>>) -> Result<Played, CommandError> {
    let mut lines = Vec::new();
    let played = one(args, cargo, |line| lines.push(line.to_owned()));
    // Nobody to hear them is no error.
    drop(say.send(lines));
    played
}

fn one(args: &[String], cargo: &Command, mut hear: impl FnMut(&str)) -> Result<Played, CommandError> {
    let mut closing = Vec::new();
    let output = cargo.clone().args(args).run_lines(|line| {
        if line.starts_with("test result: ") {
            closing.push(line.to_owned());
        }
        hear(line);
    })?;
    Ok(Played::of(&output, &closing))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the place of cargo, for commands that are lines of shell.
    fn shell() -> Command {
        Command::new("/bin/sh").arg("-c")
    }

    #[test]
    fn there_are_as_many_lanes_as_processors_and_twice_as_many_tests() {
        let check = |commands, processors, count, threads| {
            assert_eq!(Lanes::of(commands, processors), Lanes { count, threads }, "{commands} {processors}");
        };
        check(30, 2, 2, 2);
        check(30, 16, 16, 2);
        check(3, 16, 3, 11);
        check(30, 1, 2, 1);
        check(1, 1, 1, 2);
        check(1, 2, 1, 4);
        check(0, 2, 1, 4);
    }

    #[test]
    fn what_a_command_says_stands_together() {
        let slow = |word: &str| vec![format!("for n in 1 2 3; do echo {word}; sleep 0.05; done")];
        let check = |lanes: usize, words: &[&str]| {
            let commands: Vec<Vec<String>> = words.iter().map(|word| slow(word)).collect();
            let mut heard = Vec::new();
            in_lanes(&commands, lanes, &shell(), |line| heard.push(line.to_owned())).unwrap();
            heard.dedup();
            heard.sort();
            assert_eq!(heard, words, "{lanes}");
        };
        check(1, &["a", "b", "c"]);
        check(2, &["a", "b", "c"]);
        check(9, &["a", "b", "c"]);
        check(2, &[]);
    }

    #[test]
    fn what_came_of_all_is_known() {
        const RUNS: &str = "echo '     Running tests/chain.rs (target/debug/deps/chain-0123456789abcdef)' >&2; ";
        const CLOSES: &str = "echo 'test result: ok. 1 passed; 0 failed; 0 ignored; finished in 7.00s'; ";
        const FAILS: &str = "echo 'test result: FAILED. 0 passed; 1 failed; 0 ignored; finished in 7.00s'; ";
        let check = |lines: &[&[&str]], cut_short: usize, errors: usize, times: &[&str]| {
            let commands: Vec<Vec<String>> = lines.iter().map(|line| vec![line.concat()]).collect();
            for lanes in [1, 2] {
                let played = in_lanes(&commands, lanes, &shell(), |_| ()).unwrap();
                assert_eq!((played.cut_short, played.errors.len()), (cut_short, errors), "{lines:?}");
                assert_eq!(played.times.lines(), times, "{lines:?}");
            }
        };
        check(&[&[RUNS, CLOSES]], 0, 0, &["tests of chain: 7 s"]);
        check(&[&[RUNS, FAILS, "exit 101"]], 0, 1, &["tests of chain: 7 s"]);
        check(&[&[RUNS, CLOSES, "exit 101"]], 1, 1, &["tests of chain: 7 s"]);
        check(&[&[RUNS, "exit 101"]], 1, 1, &[]);
        check(&[&["exit 101"], &[RUNS, FAILS, "exit 101"]], 1, 2, &["tests of chain: 7 s"]);
        check(&[&[RUNS, "exit 101"], &[RUNS, CLOSES], &[RUNS, "exit 101"]], 2, 2, &["tests of chain: 7 s"]);
        check(&[], 0, 0, &[]);
    }

    #[test]
    fn a_command_that_can_not_be_run_is_an_error() {
        let cargo = Command::new("/nowhere/cargo");
        let check = |lanes| in_lanes(&[Vec::new(), Vec::new()], lanes, &cargo, |_| ()).is_err();
        assert!(check(1) && check(2));
    }
}
