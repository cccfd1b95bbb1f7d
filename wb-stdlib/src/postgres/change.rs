//! What is to be done, as a value: pure functions make it, and one place does it.

use wb_core::context::DebtError;

use crate::Host;
use crate::ensure::Difference;
use crate::look::Access as _;
use crate::owed::Owes;

/// What is to be done in a database, how, and what people are shown of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// What differs, in lines. When there is none, nothing is to be done.
    pub(super) lines: Vec<String>,
    /// Statements, each with its semicolon.
    pub(super) sql: Vec<String>,
    /// Where.
    pub(super) database: String,
    /// Whether nobody may read the statements in a log.
    pub(super) secret: bool,
    /// What a service is owed by it.
    pub(super) owes: Owes,
}

impl Change {
    /// Nothing so far, in a database.
    pub(super) fn within(database: &str) -> Self {
        Self { database: database.to_owned(), ..Self::default() }
    }

    /// One more line, and what does it.
    pub(super) fn add(&mut self, line: impl Into<String>, sql: impl Into<String>) {
        self.lines.push(line.into());
        self.sql.push(sql.into());
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn shown(&self) -> String {
        self.lines.join("\n")
    }

    pub(super) fn difference(&self) -> Difference {
        if self.is_nothing() { Difference::None } else { Difference::Some(Some(self.shown())) }
    }

    pub(super) fn write_debts_down(&self, host: Host<'_>) -> Result<(), DebtError> {
        if self.is_nothing() { Ok(()) } else { self.owes.write_down(host.context()) }
    }
}
