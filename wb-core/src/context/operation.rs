//! What an operation did, or would do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One operation of a migration and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The wanted end state, in words: `package nginx installed`.
    pub what: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of an operation. In plan mode `Changed` reads *would change*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It was not so, and is now.
    Changed {
        /// What changed, as a unified diff or a line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        diff: Option<String>,
    },
    /// It was so already.
    Unchanged,
    /// Plan mode only: it depends on something that is not there before the migration runs.
    Unknown {
        /// On what.
        why: String,
    },
}

impl Outcome {
    /// Whether something changed, or would.
    #[must_use]
    pub fn changed(&self) -> bool {
        matches!(self, Self::Changed { .. })
    }
}

impl fmt::Display for Operation {
    /// One line, and the diff below it: `+ package nginx installed`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Changed { diff: None } => write!(f, "+ {}", self.what),
            Outcome::Changed { diff: Some(diff) } => {
                write!(f, "+ {}", self.what)?;
                diff.lines().try_for_each(|line| write!(f, "\n    {line}"))
            }
            Outcome::Unchanged => write!(f, "= {}", self.what),
            Outcome::Unknown { why } => write!(f, "? {} (cannot know: {why})", self.what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_read_well() {
        let check = |outcome, expect: &str| {
            assert_eq!(Operation { what: "file /a present".into(), outcome }.to_string(), expect);
        };
        check(Outcome::Unchanged, "= file /a present");
        check(Outcome::Changed { diff: None }, "+ file /a present");
        check(Outcome::Changed { diff: Some("-1\n+2".into()) }, "+ file /a present\n    -1\n    +2");
        check(Outcome::Unknown { why: "no such user".into() }, "? file /a present (cannot know: no such user)");
    }
}
