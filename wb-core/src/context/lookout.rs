//! Other hosts, as a migration sees them that waits for them.

use std::collections::BTreeSet;
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

/// All others, and they are where they are waited for: the look of a host that runs a link alone, as in a test.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Everyone {
    roles: BTreeSet<String>,
    links: BTreeSet<String>,
}

impl Everyone {
    /// The hosts of these roles, past these links. To wait for what is none of them is still a mistake.
    #[must_use]
    pub fn new(
        roles: impl IntoIterator<Item = impl Into<String>>,
        links: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self { roles: roles.into_iter().map(Into::into).collect(), links: links.into_iter().map(Into::into).collect() }
    }
}

impl Lookout for Everyone {
    fn may_wait(&self) -> bool {
        true
    }

    fn every(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn look(&self, wait: &Wait) -> Result<Sight, NoSuch> {
        let role = wait.role();
        if !self.roles.contains(role) {
            return Err(NoSuch::Role(role.to_owned()));
        }
        match &wait.reached {
            Some(link) if !self.links.contains(link) => Err(NoSuch::Link(link.clone())),
            _ => Ok(Sight::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_is_there_and_what_there_is_not_is_still_a_mistake() {
        let everyone = Everyone::new(["web"], ["page"]);
        let check = |wait: &str, expect: Result<(), &str>| {
            let seen = everyone.look(&wait.parse().unwrap()).map_err(|error| error.to_string());
            assert_eq!(seen, expect.map(|()| Sight::default()).map_err(str::to_owned), "{wait}");
        };
        check("all(\"web\")", Ok(()));
        check("any(\"web\", reached(\"page\"))", Ok(()));
        check("count(\"web\", 9)", Ok(()));
        check("all(\"wbe\")", Err("there is no role `wbe` to wait for"));
        check("all(\"web\", reached(\"paeg\"))", Err("the chain has no migration `paeg` to wait for"));
    }
}
