//! Changes: what an operator decided, as one manifest in one signed, append-only log.
//!
//! A change copies its parent's manifest and applies one delta, so that two operators can't undo each other unseen.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::chain::{self, Chain, Digest, Link, Sha1, Wait};
use crate::context::{HerdView, MaxOut};
use crate::foreign::Foreign;
use crate::herd::is_name;
use crate::window::Window;

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
    /// All links that the runner has.
    pub chain: Chain,
    /// The link that the herd is to reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Sha1>,
    /// The hosts that go first, and how far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// The roles that the runner knows.
    #[serde(default)]
    pub roles: BTreeMap<String, RolePolicy>,
    /// The runners by target triple.
    #[serde(default)]
    pub runners: BTreeMap<String, Runner>,
    /// The runners that still have the code of links whose code is gone, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub full_runners: Vec<FullRunners>,
    /// The admitted and the expected hosts by name.
    #[serde(default)]
    pub hosts: BTreeMap<String, HostManifest>,
    /// The hosts that left the herd, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<Retired>,
    /// Who is to begin nothing, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// The claims that count for nothing, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub released: Vec<Release>,
    /// Whom links do not wait for, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<Waiver>,
    /// The machines that had been in load when this was deployed: hosts of whom a share may be out need not ask each other.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub served: BTreeSet<Uuid>,
    /// Whether a runner in it was deployed though no test attested it, as far as its author could know. It is shown, and
    /// decides nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untested: bool,
}

impl Manifest {
    /// The longest text of one that is read or written, in bytes: thousands of hosts with their settings, and tens of
    /// thousands of links.
    pub const LARGEST: usize = 8 << 20;

    /// The text that is committed.
    #[must_use]
    pub fn encode(&self) -> String {
        // A manifest is made of strings, numbers and maps with string keys: serde_json never fails on these.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads what [`Manifest::encode`] wrote.
    ///
    /// # Errors
    /// When the text is no manifest or too long, contradicts itself, or something in it has a name that it can't have:
    /// names stand in refs, in messages and in commands.
    pub fn decode(text: &str) -> Result<Self, ManifestError> {
        if text.len() > Self::LARGEST {
            return Err(ManifestError::Large { size: text.len() });
        }
        let manifest: Self = serde_json::from_str(text).map_err(|source| ManifestError::Syntax { source })?;
        manifest.is_one_word()?;
        match manifest.misnamed() {
            Some((what, name)) => Err(ManifestError::Name { what, name: name.to_owned() }),
            None => Ok(manifest),
        }
    }

    /// Its targets are in its chain, canaries do not stay behind, and no two hosts are one machine.
    fn is_one_word(&self) -> Result<(), ManifestError> {
        let canary = self.canary.as_ref().map(|canary| canary.target);
        let mut targets = self.target.into_iter().chain(canary);
        if let Some(target) = targets.find(|target| self.chain.get(*target).is_none()) {
            return Err(ManifestError::Target { target });
        }
        if canary.is_some() {
            self.not_back("its canaries", self.target, canary)?;
        }
        let mut names = BTreeMap::new();
        for (name, host) in &self.hosts {
            let Some(identity) = &host.identity else { continue };
            if let Some(other) = names.insert(identity.uuid, name) {
                return Err(ManifestError::Twice { names: [other.clone(), name.clone()] });
            }
        }
        Ok(())
    }

    /// Whether `now` is no step back from what somebody was told before.
    fn not_back(&self, whom: &str, told: Option<Sha1>, now: Option<Sha1>) -> Result<(), ManifestError> {
        let place = |target: Option<Sha1>| target.and_then(|target| self.chain.position(target));
        let named = |target: Option<Sha1>| target.and_then(|target| self.chain.get(target)).map(ToString::to_string);
        match place(now) >= place(told) {
            true => Ok(()),
            false => Err(ManifestError::Back { whom: whom.to_owned(), told: named(told), now: named(now) }),
        }
    }

    /// The manifest of the next change, which says nothing new yet.
    #[must_use]
    pub fn next(&self, kind: ChangeKind) -> Self {
        Self { number: self.number.saturating_add(1), kind, message: String::new(), ..self.clone() }
    }

    /// What has a name that it can't have, and the name.
    fn misnamed(&self) -> Option<(&'static str, &str)> {
        let links = || self.chain.links().iter();
        let waits = || links().flat_map(Link::waits);
        let held = |is: fn(&Whom) -> Option<&String>| self.holds.iter().filter_map(move |hold| is(&hold.whom));
        let hosts = (self.hosts.keys().chain(self.canary.iter().flat_map(|canary| &canary.hosts)))
            .chain(self.retired.iter().map(|retired| &retired.name))
            .chain(held(|whom| if let Whom::Host(host) = whom { Some(host) } else { None }))
            .chain(self.released.iter().map(|release| &release.host))
            .chain(self.waived.iter().map(|waiver| &waiver.host));
        let roles = (self.roles.keys().chain(self.hosts.values().flat_map(|host| &host.roles)))
            .chain(held(|whom| if let Whom::Role(role) = whom { Some(role) } else { None }))
            .map(String::as_str)
            .chain(links().map(|link| link.role.as_str()))
            .chain(waits().filter(|wait| wait.is_known()).map(Wait::role));
        let names = links().map(|link| &link.name).chain(waits().filter_map(|wait| wait.reached.as_ref()));
        let mut hosts = hosts.map(|name| ("host", name.as_str())).filter(|(_, name)| !is_name(name));
        let roles = roles.map(|name| ("role", name));
        let mut others = roles.chain(names.map(|name| ("migration", name.as_str())));
        hosts.next().or_else(|| others.find(|(_, name)| !chain::is_name(name)))
    }

    /// Whether this may come right after `parent`: its number is the next, its chain is the parent's, perhaps with more
    /// links at its end, and it tells nobody to go back.
    ///
    /// # Errors
    /// When it may not.
    pub fn follows(&self, parent: Option<&Manifest>) -> Result<(), ManifestError> {
        let before = parent.map_or(0, |parent| parent.number);
        if self.number.checked_sub(1) != Some(before) {
            return Err(ManifestError::Number { expected: before.saturating_add(1), found: self.number });
        }
        let Some(parent) = parent else { return Ok(()) };
        if !self.chain.extends(&parent.chain) {
            return Err(ManifestError::Diverged { from: parent.chain.tip().map(ToString::to_string) });
        }
        self.goes_on(parent)
    }

    /// Whether nobody is told to reach less than `parent` told: everyone but the canaries, then the canaries.
    fn goes_on(&self, parent: &Manifest) -> Result<(), ManifestError> {
        self.not_back("everyone", parent.target, self.target)?;
        if let Some(canary) = &self.canary {
            self.not_back("its canaries", parent.target, Some(canary.target))?;
        }
        let Some(canary) = &parent.canary else { return Ok(()) };
        let called = canary.hosts.iter().filter_map(|name| self.called_now(name, parent));
        called.into_iter().try_for_each(|name| self.not_back(name, Some(canary.target), self.told(name)))
    }

    /// What a host is called that `older` has under this name, where it is still part of the herd.
    #[must_use]
    pub fn called_now<'a>(&'a self, name: &str, older: &Manifest) -> Option<&'a str> {
        let machine = older.hosts.get(name).and_then(|host| host.identity.as_ref());
        let by_machine = machine.and_then(|identity| self.host_of(identity.uuid)).map(|(name, _)| name);
        by_machine.or_else(|| self.hosts.get_key_value(name).map(|(name, _)| name.as_str()))
    }

    /// The link that a host is told to reach, as long as its canaries have not baked.
    #[must_use]
    pub fn told(&self, name: &str) -> Option<Sha1> {
        let canary = self.canary.as_ref().filter(|canary| canary.hosts.contains(name));
        canary.map(|canary| canary.target).or(self.target)
    }

    /// The link that the herd is to reach.
    #[must_use]
    pub fn target_link(&self) -> Option<&Link> {
        self.target.and_then(|target| self.chain.get(target))
    }

    /// The last runner for a platform that had the code of a link.
    #[must_use]
    pub fn full_runner(&self, link: Sha1, platform: &str) -> Option<&Runner> {
        let full = self.full_runners.iter().rfind(|full| full.links.contains(&link))?;
        full.runners.get(platform)
    }

    /// The names of the admitted hosts that have `role`.
    pub fn admitted<'a>(&'a self, role: &'a str) -> impl Iterator<Item = &'a str> {
        let admitted = self.hosts.iter().filter(|(_, host)| host.identity.is_some());
        admitted.filter(move |(_, host)| host.roles.contains(role)).map(|(name, _)| name.as_str())
    }

    /// The names of the admitted hosts that have one of these roles, or several, each once.
    #[must_use]
    pub fn admitted_as_any<'a>(&'a self, roles: impl IntoIterator<Item = &'a String>) -> BTreeSet<&'a str> {
        roles.into_iter().flat_map(|role| self.admitted(role)).collect()
    }

    /// The roles that hosts have, each once.
    pub fn roles_in_use(&self) -> impl Iterator<Item = &str> {
        let roles: BTreeSet<&str> = self.hosts.values().flat_map(|host| &host.roles).map(String::as_str).collect();
        roles.into_iter()
    }

    /// The word that holds this host, if there is one: the newest.
    #[must_use]
    pub fn hold_of(&self, name: &str) -> Option<&Hold> {
        self.holds.iter().rfind(|hold| self.is_among(name, &hold.whom))
    }

    /// Whether a host belongs to a part of the herd.
    #[must_use]
    pub fn is_among(&self, name: &str, whom: &Whom) -> bool {
        match whom {
            // Whom a newer runner means nobody knows here: to begin nothing is safe.
            Whom::Herd | Whom::Other(_) => true,
            Whom::Role(role) => self.hosts.get(name).is_some_and(|host| host.roles.contains(role)),
            Whom::Host(host) => host == name,
        }
    }

    /// Whether an operator freed this claim by force.
    #[must_use]
    pub fn is_released(&self, nonce: Uuid) -> bool {
        self.released.iter().any(|release| release.nonce == nonce)
    }

    /// Whether `link` does not wait for this host.
    #[must_use]
    pub fn is_waived(&self, link: Sha1, host: &str) -> bool {
        self.waived.iter().any(|waiver| waiver.link == link && waiver.host == host)
    }

    /// The host that this machine is.
    #[must_use]
    pub fn host_of(&self, uuid: Uuid) -> Option<(&str, &HostManifest)> {
        let is = |host: &HostManifest| host.identity.as_ref().is_some_and(|identity| identity.uuid == uuid);
        self.hosts.iter().find(|(_, host)| is(host)).map(|(name, host)| (name.as_str(), host))
    }

    /// How this machine left the herd, if it did.
    #[must_use]
    pub fn retirement(&self, uuid: Uuid) -> Option<&Retired> {
        self.retired.iter().rfind(|retired| retired.uuid == uuid)
    }

    /// Whether this identity is, or was, part of the herd.
    #[must_use]
    pub fn knows(&self, uuid: Uuid) -> bool {
        self.host_of(uuid).is_some() || self.retirement(uuid).is_some()
    }

    /// How many hosts of `role` may be out of load at once. A share is one of those that are known to be `serving`, by name:
    /// who was never in load bears none of it. Who is not heard of any more still counts: it may well bear load without git.
    #[must_use]
    pub fn limit(&self, role: &str, serving: &BTreeSet<String>) -> usize {
        let max_out = self.roles.get(role).map_or(MaxOut::Hosts(1), |policy| policy.max_out);
        max_out.of(self.admitted(role).filter(|name| serving.contains(*name)).count())
    }

    /// The maintenance windows of those of `roles` that have some.
    #[must_use]
    pub fn windows<'a>(&'a self, roles: &'a BTreeSet<String>) -> BTreeMap<&'a str, &'a [Window]> {
        let windows = |role: &'a String| Some((role.as_str(), &self.roles.get(role)?.windows[..]));
        roles.iter().filter_map(windows).filter(|(_, windows)| !windows.is_empty()).collect()
    }

    /// Whether the limit of `role` depends on how many of its hosts are in service.
    #[must_use]
    pub fn has_share(&self, role: &str) -> bool {
        self.roles.get(role).is_some_and(|policy| matches!(policy.max_out, MaxOut::Percent(_)))
    }

    /// The admitted hosts as migrations on `me` see them.
    #[must_use]
    pub fn view(&self, me: &str) -> HerdView {
        let admitted = self.hosts.iter().filter(|(_, host)| host.identity.is_some());
        let members = admitted.map(|(name, host)| Member {
            name: name.clone(),
            roles: host.roles.clone(),
            address: host.address.clone(),
            settings: host.settings.clone(),
        });
        HerdView { me: me.to_owned(), members: members.collect() }
    }
}

impl std::fmt::Display for Manifest {
    /// Number, kind and message in a line: `3 deploy: the second page`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.number, self.kind, self.message.lines().next().unwrap_or_default())
    }
}

/// Why a manifest does not count.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It can't be read.
    #[error("its manifest can't be read")]
    Syntax {
        /// Why.
        source: serde_json::Error,
    },
    /// It is longer than any that is read.
    #[error("its manifest has {size} bytes, and {} are the most", Manifest::LARGEST)]
    Large {
        /// How many bytes it has.
        size: usize,
    },
    /// Something in it has a name that it can't have.
    #[error("there is no {what} that can be called `{}`", name.escape_debug())]
    Name {
        /// What it is.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Two of its hosts are one machine.
    #[error("its hosts {} are one machine", names.join(" and "))]
    Twice {
        /// Their names.
        names: [String; 2],
    },
    /// Its target is no link of its chain.
    #[error("its target {} is not in its chain", target.short())]
    Target {
        /// The target.
        target: Sha1,
    },
    /// Its number is not the next.
    #[error("it has the number {found} where {expected} comes next")]
    Number {
        /// The next number.
        expected: u64,
        /// Its number.
        found: u64,
    },
    /// It tells hosts to go back.
    #[error("it tells {whom} to go back to {}, and they were told to reach {}", start_or(now.as_deref()), start_or(told.as_deref()))]
    Back {
        /// Which hosts.
        whom: String,
        /// The link that they were told to reach.
        told: Option<String>,
        /// The link that it tells.
        now: Option<String>,
    },
    /// Its chain is not a continuation.
    #[error("its chain does not continue the one before, which ends at {}", from.as_deref().unwrap_or("nothing"))]
    Diverged {
        /// The last link of the chain before.
        from: Option<String>,
    },
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
    /// Hosts are asked to try again what failed.
    Retry,
    /// What failed on a host was done there by hand.
    Adopt,
    /// A host left the herd.
    Retire,
    /// A host got another name.
    Rename,
    /// A host got other roles.
    Tag,
    /// Another machine took a host's place.
    Replace,
    /// What the canaries have is for everyone.
    Promote,
    /// Hosts are to begin nothing.
    Hold,
    /// Hosts go on.
    Resume,
    /// A claim counts for nothing any more.
    Release,
    /// A link does not wait for a host any more.
    Waive,
    /// A kind that this runner does not know. It must still be read, or no newer runner could ever be taken over.
    #[serde(other)]
    Other,
}

impl std::fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Deploy => "deploy",
            Self::Admit => "admit",
            Self::Retry => "retry",
            Self::Adopt => "adopt",
            Self::Retire => "retire",
            Self::Rename => "rename",
            Self::Tag => "tag",
            Self::Replace => "replace",
            Self::Promote => "promote",
            Self::Hold => "hold",
            Self::Resume => "resume",
            Self::Release => "release",
            Self::Waive => "waive",
            Self::Other => "change",
        })
    }
}

/// How the hosts of a role take turns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolePolicy {
    /// How many of its hosts in service may be out of load at once: one, where that is said in a way that this runner does
    /// not know.
    #[serde(deserialize_with = "max_out")]
    pub max_out: MaxOut,
    /// How many of them may fail at a link before no other begins it.
    #[serde(default = "one")]
    pub max_failed: u32,
    /// When its hosts may leave load; at any time where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
}

impl RolePolicy {
    /// With this limit, one failure that stops the others, and no windows.
    #[must_use]
    pub fn new(max_out: MaxOut) -> Self {
        Self { max_out, max_failed: one(), windows: Vec::new() }
    }
}

fn max_out<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MaxOut, D::Error> {
    let said = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(said).unwrap_or(MaxOut::Hosts(1)))
}

fn one() -> u32 {
    1
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

/// The last runners that had the code of some links. A host that began what a baseline replaces ends it with them; their
/// refs are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullRunners {
    /// The links, which no later runner has.
    pub links: BTreeSet<Sha1>,
    /// The runners by target triple.
    pub runners: BTreeMap<String, Runner>,
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
    /// The number of the change that last asked this host to try again what failed; 0: none did.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retry: u64,
    /// The link that was done by hand here, as the newest such change says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<Adoption>,
}

/// A link that somebody did by hand on one host. It counts for that host's next link only, and its specs must pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adoption {
    /// The number of the change that says so; the host acts on it once.
    pub change: u64,
    /// Which link.
    pub link: Sha1,
}

/// A host that left the herd. Its identity never comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// Which machine.
    pub uuid: Uuid,
    /// What people called it.
    pub name: String,
    /// The number of the change.
    pub change: u64,
}

/// The hosts that go first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// Their names.
    pub hosts: BTreeSet<String>,
    /// How far they go. Everyone else follows when this is promoted, or has baked.
    pub target: Sha1,
    /// The number of the change that told them so: what a canary did before it accepted that says nothing.
    #[serde(default)]
    pub change: u64,
    /// For how many seconds all of them must have been there, and well, before everyone follows by itself. Nothing: an
    /// operator promotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake: Option<u64>,
}

/// A word that hosts are to begin nothing: they end the link that they are at, rejoin, and stay there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who.
    pub whom: Whom,
    /// The number of the change.
    pub change: u64,
    /// Why, in a line.
    pub why: String,
}

/// A part of the herd.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    /// All of it.
    Herd,
    /// The hosts of a role.
    Role(String),
    /// One host.
    Host(String),
    /// A part that this runner does not know.
    #[serde(untagged)]
    Other(Foreign),
}

impl std::fmt::Display for Whom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Herd => write!(f, "the herd"),
            Self::Role(role) => write!(f, "the role {role}"),
            Self::Host(host) => write!(f, "{host}"),
            Self::Other(_) => write!(f, "a part of the herd that only a newer runner knows"),
        }
    }
}

/// A claim that an operator freed by force: it counts for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The number of the change.
    pub change: u64,
    /// The host that had it.
    pub host: String,
    /// Of the claim.
    pub nonce: Uuid,
}

/// A word that a link does not wait for a host: it waits as in a herd without that host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// The number of the change.
    pub change: u64,
    /// The link that waited.
    pub link: Sha1,
    /// The host.
    pub host: String,
}

fn start_or(link: Option<&str>) -> &str {
    link.unwrap_or("the start of the chain")
}

fn is_zero(number: &u64) -> bool {
    *number == 0
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
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// What it is.
    pub roles: BTreeSet<String>,
    /// Where other hosts reach it.
    #[serde(default)]
    pub address: Option<String>,
    /// Its data.
    #[serde(default)]
    pub settings: serde_json::Map<String, serde_json::Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(names: &[&str]) -> Chain {
        let link = |name: &&str| {
            Link::new(*name, Sha1::from_bytes([name.as_bytes()[0]; 20]), "web", Digest::of(name.as_bytes()))
        };
        Chain::new(names.iter().map(link).collect()).unwrap()
    }

    fn manifest(number: u64, names: &[&str]) -> Manifest {
        Manifest { number, chain: chain(names), message: "m".into(), ..Manifest::default() }
    }

    #[test]
    fn a_change_continues_its_parent() {
        let check = |new: &Manifest, parent: Option<&Manifest>, expect: &str| {
            let said = new.follows(parent).map_or_else(|error| error.to_string(), |()| String::new());
            assert_eq!(said, expect);
        };
        check(&manifest(1, &["a"]), None, "");
        check(&manifest(2, &["a"]), None, "it has the number 2 where 1 comes next");
        check(&manifest(3, &["a", "b"]), Some(&manifest(2, &["a"])), "");
        check(&manifest(3, &["a", "b"]), Some(&manifest(3, &["a"])), "it has the number 3 where 4 comes next");
        let diverged = "its chain does not continue the one before, which ends at `b` (6262626)";
        check(&manifest(3, &["a", "c"]), Some(&manifest(2, &["a", "b"])), diverged);
    }

    /// Tells everyone to reach `target`, and canaries, as in `web1:b`, theirs; `a`, `b` and `c` are the chain.
    fn telling(number: u64, target: &str, canaries: &[&str]) -> Manifest {
        let link = |name: &str| Sha1::from_bytes([name.as_bytes()[0]; 20]);
        let identity = |n| Some(Identity { uuid: Uuid::from_u128(n), key: String::new() });
        let host = |(name, n): (&str, u128)| {
            (name.to_owned(), HostManifest { identity: identity(n), ..HostManifest::default() })
        };
        let canaries = canaries.iter().map(|canary| canary.split_once(':').unwrap());
        let canary = canaries.clone().next().map(|(_, target)| Canary {
            hosts: canaries.map(|(host, _)| host.to_owned()).collect(),
            target: link(target),
            change: 0,
            bake: None,
        });
        let target = Some(target).filter(|target| !target.is_empty()).map(link);
        let hosts = [("web1", 1), ("web2", 2)].map(host).into();
        Manifest { target, canary, hosts, ..manifest(number, &["a", "b", "c"]) }
    }

    #[test]
    fn nobody_is_told_to_go_back() {
        let check = |parent: &Manifest, target: &str, canaries: &[&str], expect: &str| {
            let said = telling(2, target, canaries).follows(Some(parent));
            assert_eq!(
                said.map_or_else(|error| error.to_string(), |()| String::new()),
                expect,
                "{target} {canaries:?}"
            );
        };
        let told = telling(1, "b", &[]);
        check(&told, "b", &[], "");
        check(&told, "c", &[], "");
        check(&told, "b", &["web1:c"], "");
        let back = |whom: &str, now: &str, told: &str| {
            format!("it tells {whom} to go back to {now}, and they were told to reach {told}")
        };
        let (a, b, c, start) = ("`a` (6161616)", "`b` (6262626)", "`c` (6363636)", "the start of the chain");
        check(&told, "a", &[], &back("everyone", a, b));
        check(&told, "", &[], &back("everyone", start, b));
        check(&told, "b", &["web1:a"], &back("its canaries", a, b));
        let ahead = telling(1, "a", &["web1:c"]);
        check(&ahead, "c", &[], "");
        check(&ahead, "b", &[], &back("web1", b, c));
        check(&ahead, "a", &["web2:c"], &back("web1", a, c));
        check(&ahead, "a", &["web1:b"], &back("web1", b, c));
        check(&ahead, "a", &["web1:c", "web2:c"], "");
    }

    #[test]
    fn a_canary_may_leave_or_get_another_name() {
        let ahead = telling(1, "a", &["web1:c"]);
        let mut gone = telling(2, "a", &[]);
        let web1 = gone.hosts.remove("web1").unwrap();
        assert!(gone.follows(Some(&ahead)).is_ok());
        gone.hosts.insert("shop1".into(), web1);
        assert!(gone.follows(Some(&ahead)).unwrap_err().to_string().starts_with("it tells shop1 to go back"));
        gone.canary = Some(Canary { hosts: ["shop1".to_owned()].into(), ..ahead.canary.clone().unwrap() });
        assert!(gone.follows(Some(&ahead)).is_ok());
    }

    #[test]
    fn a_manifest_is_read_back() {
        let mut manifest = manifest(1, &["a"]);
        manifest.target = Some(Sha1::from_bytes([b'a'; 20]));
        manifest.roles.insert("web".into(), RolePolicy::new(MaxOut::Percent(25)));
        let runner = Runner { sha256: Digest::of(b""), commit: Sha1::ZERO, reference: "refs/runner".into() };
        let full = FullRunners {
            links: [Sha1::from_bytes([b'a'; 20])].into(),
            runners: [("x86_64".to_owned(), runner)].into(),
        };
        manifest.full_runners.push(full);
        assert_eq!(Manifest::decode(&manifest.encode()).unwrap(), manifest);
        assert!(manifest.full_runner(Sha1::from_bytes([b'a'; 20]), "x86_64").is_some());
    }

    #[test]
    fn what_nobody_tested_stays_so_until_the_next_deploy() {
        let tested = manifest(1, &["a"]);
        assert!(!tested.encode().contains("untested"), "runners of before know no such word");
        let untested = Manifest { untested: true, ..tested };
        assert_eq!(Manifest::decode(&untested.encode()).unwrap(), untested);
        assert!(untested.next(ChangeKind::Hold).untested);
    }

    #[test]
    fn a_kind_of_change_from_the_future_is_read() {
        let text = manifest(1, &["a"]).encode().replace(r#""kind": "deploy""#, r#""kind": "rotate""#);
        let read = Manifest::decode(&text).unwrap();
        assert_eq!((read.kind, read.to_string()), (ChangeKind::Other, "1 change: m".to_owned()));
    }

    #[test]
    fn words_from_the_future_are_read_and_kept() {
        let known = serde_json::json!({
            "wait": { "all": { "role": "web" } }, "whom": "herd", "windows": ["daily 02:00-03:00"],
            "max_out": { "percent": 25 }, "on_catchup": "fail",
        });
        let check = |what: &str, said: serde_json::Value, kept: bool| {
            let mut words = known.clone();
            words[what] = said;
            let mut json = serde_json::to_value(manifest(1, &["a"])).unwrap();
            json["chain"][0]["wait"] = words["wait"].clone();
            json["chain"][0]["wait"]["on_catchup"] = words["on_catchup"].clone();
            json["holds"] = serde_json::json!([{ "whom": words["whom"], "change": 1, "why": "a sale" }]);
            json["roles"]["web"] =
                serde_json::json!({ "max_out": words["max_out"], "max_failed": 1, "windows": words["windows"] });
            let read = Manifest::decode(&json.to_string()).unwrap();
            let again = serde_json::to_value(&read).unwrap();
            assert_eq!(again == json, kept, "{again:#}\n{json:#}");
            read
        };
        check("whom", "herd".into(), true);
        let read = check("wait", serde_json::json!({ "unless": { "zone": ["a", "b"] } }), true);
        assert!(!read.chain.links()[0].wait.as_ref().unwrap().is_known());
        let read = check("wait", serde_json::json!({ "all": { "role": "web" }, "for_days": 2 }), true);
        assert!(!read.chain.links()[0].wait.as_ref().unwrap().is_known());
        for whom in [serde_json::json!("strangers"), serde_json::json!({ "zone": { "name": "a" } })] {
            assert!(check("whom", whom, true).hold_of("web1").is_some());
        }
        let read = check("windows", serde_json::json!(["every second Sat 22:00-04:00"]), true);
        assert!((0..168).all(|hour| !read.roles["web"].windows[0].is_open(hour * 3600)));
        assert_eq!(check("max_out", serde_json::json!({ "zones": 1 }), false).limit("web", &BTreeSet::new()), 1);
        let read = check("on_catchup", "ask".into(), false);
        assert_eq!(read.chain.links()[0].wait.as_ref().unwrap().on_catchup, chain::OnCatchup::Other);
    }

    #[test]
    fn a_broken_manifest_is_refused() {
        let check = |text: &str, expect: &str| assert_eq!(Manifest::decode(text).unwrap_err().to_string(), expect);
        check("", "its manifest can't be read");
        let large = " ".repeat(Manifest::LARGEST + 1);
        check(&large, "its manifest has 8388609 bytes, and 8388608 are the most");
        let elsewhere = Manifest { target: Some(Sha1::from_bytes([9; 20])), ..manifest(1, &["a"]) };
        check(&elsewhere.encode(), "its target 0909090 is not in its chain");
        let mut twice = manifest(1, &["a"]);
        let host = HostManifest {
            identity: Some(Identity { uuid: Uuid::nil(), key: String::new() }),
            ..HostManifest::default()
        };
        twice.hosts = [("web1".to_owned(), host.clone()), ("web2".to_owned(), host)].into();
        check(&twice.encode(), "its hosts web1 and web2 are one machine");
    }

    #[test]
    fn what_has_a_wrong_name_is_refused() {
        let check = |from: &str, to: &str, expect: &str| {
            let mut manifest = manifest(1, &["a"]);
            let host = HostManifest { roles: ["database".to_owned()].into(), ..HostManifest::default() };
            manifest.hosts.insert("web1".into(), host);
            let text = manifest.encode().replace(&format!("\"{from}\""), &format!("\"{to}\""));
            let said = Manifest::decode(&text).map_or_else(|error| error.to_string(), |_| String::new());
            assert_eq!(said, expect);
        };
        check("web1", "../x", "there is no host that can be called `../x`");
        check("web", "a*", "there is no role that can be called `a*`");
        check("database", "", "there is no role that can be called ``");
        check("a", "x\\n\\ny", "there is no migration that can be called `x\\n\\ny`");
        check("a", "größe", "");
    }

    #[test]
    fn the_highest_number_is_the_last() {
        let last = manifest(u64::MAX, &["a"]);
        assert!(last.follows(Some(&manifest(u64::MAX - 1, &["a"]))).is_ok());
        for number in [0, 1, u64::MAX] {
            assert!(manifest(number, &["a"]).follows(Some(&last)).is_err(), "{number}");
        }
    }

    #[test]
    fn settings_are_read_as_they_were_written() {
        let mut manifest = manifest(1, &[]);
        let settings = [("ratio".to_owned(), serde_json::json!(5.0e-324)), ("x".into(), serde_json::json!(0.1 + 0.2))];
        let host = HostManifest { settings: settings.into_iter().collect(), ..HostManifest::default() };
        manifest.hosts.insert("web1".into(), host);
        let odd = serde_json::json!(-6.631236846766476e-308);
        manifest.hosts.entry("web1".into()).or_default().settings.insert("odd".into(), odd);
        assert_eq!(Manifest::decode(&manifest.encode()).unwrap(), manifest);
    }

    #[test]
    fn only_admitted_hosts_count() {
        let mut manifest = manifest(1, &["a"]);
        let identity = |n| Some(Identity { uuid: Uuid::from_u128(n), key: String::new() });
        for (name, identity) in [("web1", identity(1)), ("web2", identity(2)), ("web3", None)] {
            let host = HostManifest { roles: ["web".to_owned()].into(), identity, ..HostManifest::default() };
            manifest.hosts.insert(name.into(), host);
        }
        assert_eq!(manifest.admitted("web").collect::<Vec<_>>(), ["web1", "web2"]);
        assert_eq!(manifest.host_of(Uuid::from_u128(2)).unwrap().0, "web2");
    }
}
