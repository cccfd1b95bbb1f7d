//! What all edits have in common.

use super::Unfit;

/// A change of a text. Sealed: there are the edits of this room, and no others.
#[doc(hidden)]
pub trait Change {
    /// The text after the change, or nothing when it is as wanted already.
    fn change(&self, text: &[u8]) -> Result<Option<Vec<u8>>, Unfit>;

    /// What it is about, without its values: they may be secrets.
    fn name(&self) -> String;
}

/// No edit, or one of which nothing more can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled;

impl Change for Settled {
    fn change(&self, _: &[u8]) -> Result<Option<Vec<u8>>, Unfit> {
        Ok(None)
    }

    fn name(&self) -> String {
        String::new()
    }
}
