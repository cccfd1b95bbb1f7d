//! Why a command gives up, as its user sees it: what failed, what caused it, which command helps, which exit code.
//!
//! Errors in the rest of this crate know what they were doing and to what. Only the commands, at the edge, turn them
//! into a [`Failure`] and add hints.

use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;

/// What a command gives back: an exit code of its own, or why it gave up.
pub type Ended = Result<ExitCode, Failure>;

/// The exit code of a command whose answer is no.
pub const NO: u8 = 1;

/// Exit codes, for `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done, or the answer is yes
  1  the answer is no: mistakes in the chain, a deploy refused, a herd that is not at its target
  2  wrong usage: an argument that does not parse, a name that is taken, a role that there is not
  3  something this command needs is missing or failed: a file, a program, a key, the remote
  4  of status alone: the herd gets no further before somebody acts";

/// One or more problems, and the exit code for them.
#[derive(Debug)]
pub struct Failure {
    /// Why the command gives up.
    pub kind: Kind,
    /// All that is wrong, never empty.
    pub problems: Vec<Problem>,
}

/// Kinds of failure, each with an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The question was understood, and the answer is no.
    Refused,
    /// The question makes no sense.
    Usage,
    /// Something that the command needs is missing, or failed.
    Environment,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, naming it.
    pub message: String,
    /// What caused it, nearest first.
    pub causes: Vec<String>,
    /// Commands that help.
    pub hints: Vec<String>,
}

impl Failure {
    /// The answer is no.
    pub fn refused(message: impl Display) -> Self {
        Self::one(Kind::Refused, message)
    }

    /// The question makes no sense.
    pub fn usage(message: impl Display) -> Self {
        Self::one(Kind::Usage, message)
    }

    /// Something is missing, or failed.
    pub fn environment(message: impl Display) -> Self {
        Self::one(Kind::Environment, message)
    }

    /// Several failures as one; the first one's kind decides.
    pub fn all(failures: impl IntoIterator<Item = Self>) -> Self {
        let whole = failures.into_iter().reduce(|mut whole, next| {
            whole.problems.extend(next.problems);
            whole
        });
        whole.unwrap_or_else(|| Self::refused("the answer is no"))
    }

    /// Names a cause of the last problem, with its own causes.
    #[must_use]
    pub fn because(mut self, cause: &(dyn Error + 'static)) -> Self {
        if let Some(problem) = self.problems.last_mut() {
            problem.causes.extend(chain_of(Some(cause)));
        }
        self
    }

    /// Names a command that helps with the last problem.
    #[must_use]
    pub fn hint(mut self, command: impl Display) -> Self {
        if let Some(problem) = self.problems.last_mut() {
            problem.hints.push(command.to_string());
        }
        self
    }

    /// As [`Failure::hint`], where there is something to say.
    #[must_use]
    pub fn hint_if(self, command: Option<impl Display>) -> Self {
        match command {
            Some(command) => self.hint(command),
            None => self,
        }
    }

    /// The exit code for it.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.kind {
            Kind::Refused => NO,
            Kind::Usage => 2,
            Kind::Environment => 3,
        })
    }

    fn one(kind: Kind, message: impl Display) -> Self {
        let problem = Problem { message: message.to_string(), causes: Vec::new(), hints: Vec::new() };
        Self { kind, problems: vec![problem] }
    }
}

impl<E: Error + 'static> From<E> for Failure {
    /// An error that nobody judged: something this command needs failed.
    fn from(error: E) -> Self {
        let mut failure = Self::environment(&error);
        if let Some(problem) = failure.problems.last_mut() {
            problem.causes = chain_of(error.source());
        }
        failure
    }
}

fn chain_of(error: Option<&(dyn Error + 'static)>) -> Vec<String> {
    std::iter::successors(error, |error| (*error).source()).map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not read the herd")]
    struct Outer {
        source: std::io::Error,
    }

    #[test]
    fn an_error_keeps_its_causes() {
        let failure = Failure::from(Outer { source: std::io::Error::other("disk") });
        let problem = &failure.problems[0];
        assert_eq!(
            (problem.message.as_str(), problem.causes.as_slice()),
            ("could not read the herd", &["disk".into()][..])
        );
        assert_eq!(failure.kind, Kind::Environment);
    }

    #[test]
    fn a_hint_belongs_to_the_last_problem() {
        let failure = Failure::usage("no role `wbe`").hint("cargo xtask new a --role web");
        assert_eq!(failure.problems[0].hints, ["cargo xtask new a --role web"]);
    }
}
