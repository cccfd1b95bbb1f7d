//! Other hosts, as a migration sees them that waits for them.

use std::time::Duration;

use crate::chain::Wait;
use crate::plan::Lag;

/// A look at the other hosts of the herd, from within a link.
pub trait Lookout {
    /// Whether this host may wait. Who is out of load may not: others may be waiting for its place.
    fn may_wait(&self) -> bool;

    /// How far two looks are apart.
    fn every(&self) -> Duration;

    /// Asks the remote who keeps the wait from holding. Where it does not hold and this host may wait, the herd is told
    /// that it does.
    ///
    /// # Errors
    /// When it can never hold: it names what there is not.
    fn look(&self, wait: &Wait) -> Result<Sight, NoSuch>;

    /// Says in the host's log what goes on amid the link.
    fn say(&self, _line: &str) {}
}

/// What was seen of the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sight {
    /// Who is not there yet, where the wait does not hold; else nobody.
    pub lagging: Vec<Lag>,
    /// Why the remote could not be asked. Then this is what was known before.
    pub away: Option<String>,
}

/// A wait for what there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSuch {
    /// No role of this name.
    #[error("there is no role `{0}` to wait for")]
    Role(String),
    /// No link of this name.
    #[error("the chain has no migration `{0}` to wait for")]
    Link(String),
}
