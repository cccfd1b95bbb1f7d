//! The shape that all operations share: look, compare, act when needed, record.

use wb_core::context::Outcome;

use crate::Host;

/// How what is differs from what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Difference {
    /// Not at all.
    None,
    /// So, as a unified diff or in a line.
    Some(Option<String>),
    /// That can't be known before something else was done.
    Unknown(String),
}

impl Difference {
    /// Not at all, unless there is a reason why that can't be known.
    pub(crate) fn none_unless(why: Option<String>) -> Self {
        why.map_or(Self::None, Self::Unknown)
    }

    /// What these lines say, if there are any.
    pub(crate) fn of_lines(lines: impl IntoIterator<Item = String>) -> Self {
        let lines: Vec<String> = lines.into_iter().collect();
        if lines.is_empty() { Self::None } else { Self::Some(Some(lines.join("\n"))) }
    }
}

/// Acts when there is a difference and the mode is to act, and records what came of `what`.
///
/// A [`Difference::Unknown`] is for plans: when acting, an operation finds out, or fails.
pub(crate) fn ensure<E>(
    host: Host<'_>,
    what: &str,
    difference: Difference,
    act: impl FnOnce() -> Result<(), E>,
) -> Result<Outcome, E> {
    let outcome = match difference {
        Difference::None => Outcome::Unchanged,
        Difference::Unknown(why) => Outcome::Unknown { why },
        Difference::Some(diff) => {
            if !host.plans() {
                act()?;
            }
            Outcome::Changed { diff }
        }
    };
    Ok(host.record(what, outcome))
}
