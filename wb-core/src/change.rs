//! Changes: what an operator decided, as one manifest in one signed, append-only log.
//!
//! A change copies its parent's manifest and applies one delta, so that two operators can't undo each other unseen.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::chain::{Chain, Digest, Sha1};
use crate::context::MaxOut;

/// All that the herd is told, after one change.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// Counted from 1; each change has its parent's number plus one.
    pub number: u64,
    /// What kind of decision this was.
    pub kind: ChangeKind,
    /// When, in seconds since 1970, UTC. Shown, never enforced.
    pub time: u64,
    /// Who, as name and address.
    pub author: String,
    /// In a line, what and why.
    pub message: String,
    /// The commit of the source repository that the runner was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Sha1>,
    /// All links up to the target.
    pub chain: Chain,
    /// The link that the herd is to reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Sha1>,
    /// The roles that the runner knows.
    #[serde(default)]
    pub roles: BTreeMap<String, RolePolicy>,
    /// The runners by target triple.
    #[serde(default)]
    pub runners: BTreeMap<String, Runner>,
    /// The admitted and the expected hosts by name.
    #[serde(default)]
    pub hosts: BTreeMap<String, HostManifest>,
}

/// The kinds of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A new target, with its chain, runners and herd.
    #[default]
    Deploy,
    /// A host that enrolled became part of the herd.
    Admit,
}

/// How the hosts of a role take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolePolicy {
    /// How many of its hosts in service may be out of load at once.
    pub max_out: MaxOut,
}

/// Where a runner lies, and what it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runner {
    /// Of its bytes.
    pub sha256: Digest,
    /// The orphan commit that holds it.
    pub commit: Sha1,
    /// The ref that the commit is fetched by.
    pub reference: String,
}

/// A host in the manifest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HostManifest {
    /// What it is.
    pub roles: BTreeSet<String>,
    /// Where other hosts reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Data of this host for migrations.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Which machine it is, once admitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
}

/// Which machine bears a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Never shown to people.
    pub uuid: Uuid,
    /// The OpenSSH public key that its reports are signed with.
    pub key: String,
}

/// An admitted host as migrations see it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// What it is.
    pub roles: BTreeSet<String>,
    /// Where other hosts reach it.
    pub address: Option<String>,
    /// Its data.
    pub settings: serde_json::Map<String, serde_json::Value>,
}
