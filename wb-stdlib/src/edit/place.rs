//! Where new lines go.

use super::lines::Lines;
use super::{Unfit, pattern};

/// Where new lines go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// Before all others.
    Start,
    /// Behind all others.
    #[default]
    End,
    /// Behind a line that matches.
    After(String),
    /// Before a line that matches.
    Before(String),
}

/// Which of several lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Which {
    First,
    #[default]
    Last,
}

impl Which {
    pub(super) fn of(self, found: &[usize]) -> Option<usize> {
        match self {
            Self::First => found.first().copied(),
            Self::Last => found.last().copied(),
        }
    }
}

impl Place {
    /// The line before which it is.
    pub(super) fn of(&self, text: &[u8], lines: &Lines<'_>, which: Which) -> Result<usize, Unfit> {
        let anchor = |pattern: &str| {
            let found = pattern::matches(&pattern::compile(pattern, text)?, lines);
            which.of(&found).ok_or_else(|| Unfit::NoAnchor { pattern: pattern.to_owned() })
        };
        match self {
            Self::Start => Ok(0),
            Self::End => Ok(lines.len()),
            Self::After(pattern) => anchor(pattern).map(|at| at + 1),
            Self::Before(pattern) => anchor(pattern),
        }
    }
}
