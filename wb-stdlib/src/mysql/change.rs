//! What is to be done, as a value: pure functions make it, and one place does it.

use std::path::PathBuf;

use wb_core::context::DebtError;
use wb_core::system::files::Attributes;

use super::MysqlError;
use crate::Host;
use crate::ensure::Difference;
use crate::look::Access as _;
use crate::owed::Owes;

/// What is to be done, how, and what people are shown of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// What differs, in lines. When there is none, nothing is to be done.
    pub(super) lines: Vec<String>,
    /// Statements, each with its semicolon.
    pub(super) sql: Vec<String>,
    /// What nobody may read in a log, if the server repeats it.
    pub(super) secret: Option<String>,
    /// A configuration file, and what is to stand in it, or nothing where it is to go.
    pub(super) file: Option<(PathBuf, Option<String>)>,
    /// What a service is owed by it.
    pub(super) owes: Owes,
}

impl Change {
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

    pub(super) fn write_file(&self, host: Host<'_>) -> Result<(), MysqlError> {
        let system = host.system();
        match &self.file {
            None => Ok(()),
            Some((path, Some(content))) => Ok(system.write_file(path, content, Attributes::mode(0o644))?),
            Some((path, None)) => Ok(wb_core::system::files::remove(system.path(path)).map(drop)?),
        }
    }
}
