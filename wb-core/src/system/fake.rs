//! A scripted machine for tests: what each command answers, and a log of what was run.

use std::sync::{Arc, Mutex, PoisonError};

use super::command::{Command, CommandError, Output, Processes};

/// Answers to commands, by the start of their line. A command without an answer fails as `not scripted`.
///
/// ```
/// use wb_core::system::{Command, Script, System};
/// let script = Script::new().answer("uname -r", 0, "6.1.0");
/// let system = System::fake("/nowhere", script.clone());
/// assert_eq!(system.read_command(&Command::new("uname").arg("-r")).unwrap(), "6.1.0");
/// assert_eq!(script.calls(), ["uname -r"]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Script(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    answers: Vec<(String, Output)>,
    calls: Vec<String>,
}

impl Script {
    /// No answers yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers each command whose line starts with `line`; a later answer goes before an earlier one.
    #[must_use]
    pub fn answer(self, line: &str, code: i32, stdout: &str) -> Self {
        let output = Output { code, stdout: stdout.as_bytes().to_vec(), stderr: Vec::new() };
        self.inner().answers.push((line.to_owned(), output));
        self
    }

    /// The lines of all commands run so far.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.inner().calls.clone()
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Processes for Script {
    fn run(&self, command: &Command) -> Result<Output, CommandError> {
        let line = command.line();
        let mut inner = self.inner();
        inner.calls.push(line.clone());
        let answer = inner.answers.iter().rev().find(|(start, _)| line.starts_with(start.as_str()));
        match answer {
            Some((_, output)) => Ok(output.clone()),
            None => Err(CommandError::Failed { line, code: 127, said: "not scripted".into() }),
        }
    }
}
