//! Who is out of load, in which role, and what for.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Serialize, Serializer};
use wb_core::change::Manifest;
use wb_core::pool::{Claim, Pool};
use wb_core::report::serving;

use super::{HostStatus, Phase};
use crate::known::Known;

/// The pool of one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PoolStatus {
    /// The role.
    pub role: String,
    /// How many of its hosts may be out of load at once.
    pub limit: usize,
    /// How many claims count.
    pub out: usize,
    /// All claims, in the order in which they were made.
    pub holders: Vec<HolderStatus>,
    /// Why nobody can claim a place before people act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<Damage>,
}

/// What somebody who can push has done to a pool, or a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// It is none.
    Unreadable {
        /// What it is.
        why: String,
    },
    /// It says that somebody claimed who had seen a change that the log has not.
    Ahead {
        /// The number of the change.
        change: u64,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { why } => write!(f, "can't be read: {why}"),
            Self::Ahead { change } => write!(f, "names change {change}, which there is not"),
        }
    }
}

impl Serialize for Damage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HolderStatus {
    /// Whose it is, by the name that the host bears now.
    pub host: String,
    /// Since when, in seconds since 1970, UTC.
    pub since: u64,
    /// What the host is doing; nothing when it left the herd.
    pub phase: Option<Phase>,
    /// What for, or what is wrong.
    pub detail: String,
    /// The number of the change by which an operator freed it.
    pub freed_by: Option<u64>,
    /// Whether it counts: it was not freed, and its host is in the herd.
    pub counts: bool,
}

/// The pools of all roles that the runner knows, or that anybody claimed from.
pub(super) fn all(known: &Known, hosts: &[HostStatus]) -> Vec<PoolStatus> {
    let (none, Known { manifest, pools, damaged, .. }) = (Pool::default(), known);
    let roles: BTreeSet<&String> = manifest.roles.keys().chain(pools.keys()).chain(damaged.keys()).collect();
    roles.into_iter().map(|role| pool(role, pools.get(role).unwrap_or(&none), known, hosts)).collect()
}

fn pool(role: &str, pool: &Pool, known: &Known, hosts: &[HostStatus]) -> PoolStatus {
    let manifest = &known.manifest;
    PoolStatus {
        role: role.to_owned(),
        limit: manifest.limit(role, &serving(&known.reports)),
        out: pool.counting(manifest).holders.len(),
        holders: pool.holders.iter().map(|claim| holder(claim, manifest, hosts)).collect(),
        damage: damage(role, pool, known),
    }
}

/// Of a role that nobody has, nobody claims; and where the log was rewound, that is the trouble.
fn damage(role: &str, pool: &Pool, Known { manifest, damaged, lost, .. }: &Known) -> Option<Damage> {
    let is_ahead = pool.change > manifest.number && lost.is_none() && manifest.roles_in_use().any(|used| used == role);
    let unreadable = damaged.get(role).map(|why| Damage::Unreadable { why: why.clone() });
    unreadable.or_else(|| is_ahead.then_some(Damage::Ahead { change: pool.change }))
}

fn holder(claim: &Claim, known: &Manifest, hosts: &[HostStatus]) -> HolderStatus {
    let name = known.host_of(claim.uuid).map(|(name, _)| name);
    let host = hosts.iter().find(|host| Some(host.name.as_str()) == name);
    let freed_by = known.released.iter().find(|release| release.nonce == claim.nonce).map(|release| release.change);
    HolderStatus {
        host: name.unwrap_or(&claim.host).to_owned(),
        since: claim.since,
        phase: host.map(|host| host.phase),
        detail: host.map_or_else(|| "left the herd".to_owned(), |host| host.detail.clone()),
        freed_by,
        counts: freed_by.is_none() && host.is_some(),
    }
}
