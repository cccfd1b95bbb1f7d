//! What a page of the book has from the code: the phases of the agent, between two marks.

use wb_core::agent::phase::drawing;

/// The page.
pub(super) const PAGE: &str = "agent.md";

const BEGIN: &str = "<!-- phases: drawn from the code by `cargo xtask book --generate` -->\n";
const END: &str = "<!-- end of the phases -->\n";

/// Why a page is not what the code says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// The marks are gone.
    #[error("docs/src/{PAGE} has no lines {:?} and {:?}", BEGIN.trim(), END.trim())]
    NoMarks,
    /// The code has changed since.
    #[error("docs/src/{PAGE} shows other phases than the code has")]
    Phases,
}

/// The page with the phases as the code has them.
pub(super) fn page(text: &str) -> Result<String, Stale> {
    let (before, rest) = text.split_once(BEGIN).ok_or(Stale::NoMarks)?;
    let (_, after) = rest.split_once(END).ok_or(Stale::NoMarks)?;
    Ok(format!("{before}{BEGIN}\n{}\n{END}{after}", drawing::page()))
}

/// Whether the page shows the phases as the code has them.
pub(super) fn compare(text: &str) -> Result<(), Stale> {
    if page(text)? == text { Ok(()) } else { Err(Stale::Phases) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_marks_is_replaced() {
        let new = page(&format!("before\n{BEGIN}old\n{END}after\n")).unwrap();
        assert!(new.starts_with("before\n") && new.ends_with("after\n") && !new.contains("old\n"), "{new}");
        assert_eq!(page(&new).unwrap(), new);
        assert_eq!(compare(&new), Ok(()));
    }

    #[test]
    fn a_page_that_is_not_what_the_code_says_is_told() {
        assert_eq!(compare(&format!("{BEGIN}old\n{END}")), Err(Stale::Phases));
        assert_eq!(compare(END), Err(Stale::NoMarks));
    }
}
