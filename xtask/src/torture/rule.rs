//! The names of the rules that every round is held to, and of the mistakes that break them.

use std::fmt;

use wb_core::system::fault::Bug;

/// Something that must never be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// An invariant of the design, by its number.
    Invariant(u8),
    /// The record can be read, whatever cut its writing short.
    Readable,
    /// What is finished of a link is not done again.
    Steps,
    /// What is owed is paid.
    Owed,
    /// Links run out of load.
    OutOfLoad,
    /// Who waits for others in its code holds no place that these may wait for.
    Waits,
    /// A host says what is promised about what goes wrong.
    Promise,
    /// The run completes.
    Completes,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invariant(number) => write!(f, "invariant {number}"),
            Self::Readable => write!(f, "the record can be read"),
            Self::Steps => write!(f, "a finished step runs no more"),
            Self::Owed => write!(f, "what is owed is paid"),
            Self::OutOfLoad => write!(f, "links run out of load"),
            Self::Waits => write!(f, "who waits holds no place"),
            Self::Promise => write!(f, "the promise for this fault"),
            Self::Completes => write!(f, "the run completes"),
        }
    }
}

/// The rule that a mistake breaks, sooner or later.
#[must_use]
pub fn breaks(bug: Bug) -> Rule {
    match bug {
        Bug::StateBeforeAct | Bug::PassesTooFar => Rule::Invariant(1),
        Bug::TwoWrites => Rule::Invariant(2),
        Bug::BlindClaim | Bug::StaleLimit | Bug::EarlyRelease => Rule::Invariant(3),
        Bug::ReportBeforeRecord | Bug::MissingDirSync => Rule::Invariant(4),
        Bug::UnverifiedRunner | Bug::AnySigner => Rule::Invariant(5),
        Bug::RejoinAfterFailure | Bug::TriesForEver | Bug::StaysInAfterBoot => Rule::Invariant(6),
        Bug::NewHostsClaim => Rule::Invariant(7),
        Bug::AnyMachine => Rule::Invariant(8),
        Bug::WaitsOutOfLoad => Rule::Waits,
        Bug::MissingFsync => Rule::Readable,
    }
}

/// A rule that was broken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// How, in words.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

pub(super) fn broken(rule: Rule, what: impl Into<String>) -> Violation {
    Violation { rule, what: what.into() }
}
