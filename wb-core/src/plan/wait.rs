//! Why a host waits or stops: values that say it in words, with names and numbers.

use std::collections::BTreeMap;
use std::fmt;

use crate::chain::{self, Link, Sha1};
use crate::change::{Manifest, Retired};
use crate::pool::NoPlace;
use crate::report::Report;

/// Why a host waits. Time, or another host, ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// No change was ever made.
    NoChange,
    /// Nobody has admitted this machine.
    NotAdmitted,
    /// No chain was ever deployed.
    NothingDeployed,
    /// The runner that has the next link is not here yet.
    Runner {
        /// The next link.
        link: Link,
    },
    /// The next link waits for other hosts.
    Others {
        /// The next link.
        link: Link,
        /// Who is not there yet.
        lagging: Vec<Lag>,
    },
    /// No place in the pool.
    Pool {
        /// Of which role.
        role: String,
        /// Why.
        no_place: NoPlace,
    },
    /// Another host failed at the next link.
    FailedElsewhere {
        /// Which host.
        host: String,
        /// The next link.
        link: Link,
    },
}

/// A host that others wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// Its name.
    pub host: String,
    /// Where it is, as far as anybody knows.
    pub at: Option<Link>,
}

/// Why a host does nothing until people act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Its state is not in the chain.
    Diverged {
        /// The state.
        state: Sha1,
    },
    /// It left the herd.
    Retired(Retired),
}

impl Stop {
    /// What brings a machine back that left the herd.
    pub const ANEW: &str = "`wildebeest enroll` makes this machine a new host";
}

impl Wait {
    /// Whether this host alone could end it, or is among those who could.
    #[must_use]
    pub fn is_for(&self, name: &str) -> bool {
        match self {
            Self::NoChange | Self::NotAdmitted | Self::NothingDeployed | Self::Runner { .. } => false,
            Self::Others { lagging, .. } => lagging.iter().any(|lag| lag.host == name),
            Self::Pool { no_place: NoPlace::Full { holders, .. }, .. } => holders.iter().any(|holder| holder == name),
            Self::Pool { no_place: NoPlace::Behind { .. }, .. } => false,
            Self::FailedElsewhere { host, .. } => host == name,
        }
    }
}

/// Who is not yet where `link` wants them to be: at or past the link before it.
pub(super) fn lagging(manifest: &Manifest, reports: &BTreeMap<String, Report>, me: &str, link: &Link) -> Vec<Lag> {
    let Some(chain::Wait::All { role }) = &link.wait else { return Vec::new() };
    let Some(needed) = manifest.chain.position(link.sha1).and_then(|index| index.checked_sub(1)) else {
        return Vec::new();
    };
    let others = manifest.admitted(role).filter(|name| *name != me);
    let at = |name: &str| reports.get(name).and_then(|report| report.state).and_then(|s| manifest.chain.position(s));
    let behind = others.filter(|name| at(name).is_none_or(|position| position < needed));
    behind.map(|name| Lag { host: name.to_owned(), at: at(name).map(|i| manifest.chain.links()[i].clone()) }).collect()
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChange => write!(f, "for the first change"),
            Self::NotAdmitted => write!(f, "to be admitted"),
            Self::NothingDeployed => write!(f, "for the first deploy"),
            Self::Runner { link } => write!(f, "for the runner that has {link}"),
            Self::Others { link, lagging } => write!(f, "{link} waits for {}", list(lagging)),
            Self::Pool { role, no_place } => write!(f, "for a place in the pool of {role}: {no_place}"),
            Self::FailedElsewhere { host, link } => write!(f, "{link} failed on {host}"),
        }
    }
}

impl fmt::Display for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(link) => write!(f, "{} at {link}", self.host),
            None => write!(f, "{} at the start", self.host),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Diverged { state } => {
                let hint = "hint: `wildebeest chain` shows what was done here; deploy a chain that has it";
                write!(f, "the state {} is not in the chain; {hint}", state.short())
            }
            Self::Retired(Retired { name, change, uuid: _ }) => {
                let what = format!("this host was retired as `{name}` by change {change}");
                write!(f, "{what}: nothing is run here any more; hint: {}", Self::ANEW)
            }
        }
    }
}

fn list(lagging: &[Lag]) -> String {
    lagging.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
