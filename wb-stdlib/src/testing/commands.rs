//! The commands of a fake host: what they say, what they do, and which were run.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wb_core::system::command::{Command, CommandError, Output, Processes};

/// What a command does beside what it says.
pub(crate) type Effect = Box<dyn Fn(&Command) + Send>;

/// Answers and effects, by how the line of a command starts.
#[derive(Clone, Default)]
pub(crate) struct Commands(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    answers: Vec<Answer>,
    effects: Vec<(String, Effect)>,
    calls: Vec<Command>,
}

struct Answer {
    start: String,
    turns: Vec<Output>,
}

impl Answer {
    /// How it ends this time. The last turn stays.
    fn turn(&mut self) -> Option<Output> {
        match self.turns.len() {
            0 | 1 => self.turns.first().cloned(),
            _ => Some(self.turns.remove(0)),
        }
    }
}

impl Commands {
    /// Commands whose line starts so end like this one after the other, and like the last one from then on.
    pub(crate) fn answer(&self, start: &str, turns: Vec<Output>) {
        self.told().answers.push(Answer { start: start.to_owned(), turns });
    }

    /// Commands whose line starts so do this.
    pub(crate) fn act(&self, start: &str, effect: Effect) {
        self.told().effects.push((start.to_owned(), effect));
    }

    /// All commands so far.
    pub(crate) fn calls(&self) -> Vec<Command> {
        self.told().calls.clone()
    }

    /// A test that panicked in an effect goes on to say why.
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Processes for Commands {
    fn run(&self, command: &Command) -> Result<Output, CommandError> {
        let line = command.line();
        let mut told = self.told();
        told.calls.push(command.clone());
        for (_, effect) in told.effects.iter().filter(|(start, _)| line.starts_with(start.as_str())) {
            effect(command);
        }
        let answer = told.answers.iter_mut().rev().find(|answer| line.starts_with(answer.start.as_str()));
        answer.and_then(Answer::turn).ok_or_else(|| untold(&line))
    }
}

/// Programs that nobody told of are not installed: much of the library looks whether one is.
fn untold(line: &str) -> CommandError {
    let program = line.split(' ').next().unwrap_or_default().to_owned();
    let hint = format!("no test has told this fake host what `{line}` says, as in .answer({program:?}, 0, \"\")");
    CommandError::NotFound { program, source: io::Error::new(io::ErrorKind::NotFound, hint) }
}
