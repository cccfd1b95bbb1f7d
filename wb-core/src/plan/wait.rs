//! Why a host waits or stops: values that say it in words, with names and numbers.

use std::fmt;

use crate::calendar::moment;
use crate::chain::{Link, Sha1, some_of};
use crate::change::{Hold, Retired};
use crate::pool::NoPlace;

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
    /// As many hosts as may have failed at the next link.
    FailedElsewhere {
        /// Which hosts.
        hosts: Vec<String>,
        /// The next link.
        link: Link,
    },
    /// An operator holds this host.
    Held(Hold),
    /// The hosts of its roles may not leave load at this time.
    Window {
        /// Those of its roles that have windows.
        roles: Vec<String>,
        /// When they all may, in seconds since 1970, UTC; never, where no two windows of theirs are open at once.
        opens: Option<u64>,
    },
    /// A role says that it is not well enough for one more host to leave it.
    Gate {
        /// The role.
        role: String,
        /// Why.
        why: String,
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

/// Why a host does nothing, which is a trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Its state is not in the chain.
    Diverged {
        /// The state.
        state: Sha1,
    },
    /// It left the herd.
    Retired(Retired),
    /// It was restored, or is new, and its next link is not to be caught up on while others are not there.
    CatchingUp {
        /// The next link.
        link: Box<Link>,
        /// Who is not there.
        lagging: Vec<Lag>,
    },
    /// Something else is in the place of a role's pool, so that nobody knows who is out of load.
    Pool {
        /// The role.
        role: String,
        /// What it is.
        why: String,
    },
}

impl Stop {
    /// The hosts that it must not go on without, where only these can end it.
    #[must_use]
    pub fn on(&self) -> Vec<String> {
        match self {
            Self::CatchingUp { lagging, .. } => names(lagging),
            Self::Diverged { .. } | Self::Retired(_) | Self::Pool { .. } => Vec::new(),
        }
    }

    /// Whether a host that says this stopped because the pool of `role` can't be read.
    #[must_use]
    pub fn is_of_pool(why: &str, role: &str) -> bool {
        why.starts_with(&unreadable(role))
    }

    /// What brings a machine back that left the herd.
    pub const ANEW: &str = "`wildebeest enroll` makes this machine a new host";

    /// What brings a pool back that can't be read.
    pub const MENDED: &str = "an operator mends it: `cargo xtask status` says how";
}

/// How the [`Wait::key`] of a wait for others to reach a link begins.
const OTHERS: &str = "others ";

/// Whether a wait with this [`Wait::key`] is for others to reach a link.
#[must_use]
pub(crate) fn is_for_others(key: &str) -> bool {
    key.starts_with(OTHERS)
}

/// The [`Wait::key`] of a wait for a place in the pool of a role.
#[must_use]
pub(crate) fn pool_key(role: &str) -> String {
    format!("pool {role}")
}

/// The link of a host that waits for others, from the key of its wait.
pub(crate) fn link_awaiting(key: &str) -> Option<Sha1> {
    key.strip_prefix(OTHERS)?.parse().ok()
}

impl Wait {
    /// Whether this host alone could end it, or is among those who could.
    #[must_use]
    pub fn is_for(&self, name: &str) -> bool {
        match self {
            Self::FailedElsewhere { hosts, .. } => hosts.iter().any(|host| host == name),
            _ => self.on().iter().any(|host| host == name),
        }
    }

    /// The hosts that it is for, where only these can end it.
    #[must_use]
    pub fn on(&self) -> Vec<String> {
        match self {
            Self::Others { lagging, .. } => names(lagging),
            Self::Pool { no_place: NoPlace::Full { holders, .. }, .. } => holders.clone(),
            _ => Vec::new(),
        }
    }

    /// What tells it from another wait, whoever is there meanwhile.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::NoChange => "change".to_owned(),
            Self::NotAdmitted => "admission".to_owned(),
            Self::NothingDeployed => "deploy".to_owned(),
            Self::Runner { link } => format!("runner {}", link.sha1),
            Self::Others { link, .. } => format!("{OTHERS}{}", link.sha1),
            Self::Pool { role, .. } => pool_key(role),
            Self::FailedElsewhere { link, .. } => format!("failed {}", link.sha1),
            Self::Held(hold) => format!("hold {}", hold.change),
            Self::Window { .. } => "window".to_owned(),
            Self::Gate { role, .. } => format!("gate {role}"),
        }
    }

    /// After how many seconds it is overdue, if ever.
    #[must_use]
    pub fn overdue(&self) -> Option<u64> {
        match self {
            Self::Others { link, .. } => link.wait.as_ref()?.overdue,
            _ => None,
        }
    }
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
            Self::FailedElsewhere { hosts, link } => write!(f, "{link} failed on {}", some_of(hosts)),
            Self::Held(Hold { whom, change, why }) => write!(f, "{whom} is held by change {change}: {why}"),
            Self::Window { roles, opens } => write!(f, "for {}", window(roles, *opens)),
            Self::Gate { role, why } => write!(f, "for the gate of {role}: {why}"),
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
            Self::Pool { role, why } => write!(f, "{}{why}; hint: {}", unreadable(role), Self::MENDED),
            Self::CatchingUp { link, lagging } => {
                let waive = lagging.first().map(|lag| format!("`cargo xtask waive {} {} -m '…'`", link.name, lag.host));
                let each = if lagging.len() > 1 { ", for each of them," } else { "" };
                let hint = format!("hint: it goes on once they are there; or{each} {}", waive.unwrap_or_default());
                write!(f, "{link} is not to be caught up on while it waits for {}; {hint}", list(lagging))
            }
        }
    }
}

fn unreadable(role: &str) -> String {
    format!("the pool of {role} can't be read: ")
}

fn window(roles: &[String], opens: Option<u64>) -> String {
    match (roles, opens) {
        ([role], Some(opens)) => format!("the maintenance window of {role}, which opens at {}", moment(opens)),
        (_, Some(opens)) => {
            format!("the maintenance windows of {}, which are open at once from {}", roles.join(", "), moment(opens))
        }
        (_, None) => format!("the maintenance windows of {}, which are never open at once", roles.join(", ")),
    }
}

fn names(lagging: &[Lag]) -> Vec<String> {
    lagging.iter().map(|lag| lag.host.clone()).collect()
}

fn list(lagging: &[Lag]) -> String {
    some_of(&lagging.iter().map(ToString::to_string).collect::<Vec<_>>())
}
