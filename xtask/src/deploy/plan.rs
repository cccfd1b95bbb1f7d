//! What a deploy tells the herd: a function of what it was told last and of what the fleet says now.

use std::collections::{BTreeMap, BTreeSet};

use wb_core::chain::{Chain, Link, Sha1, nearest};
use wb_core::change::{ChangeKind, HostManifest, Manifest, RolePolicy};
use wb_core::herd::{Herd, HostEntry};

use super::difference::Difference;
use crate::herd_file::place_of_role;

/// What the fleet says now.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal<'a> {
    /// The commit that it says it at.
    pub source: Sha1,
    /// The chain, as the runner that was built says it.
    pub chain: &'a Chain,
    /// The roles, as the runner says them.
    pub roles: &'a BTreeMap<String, RolePolicy>,
    /// The hosts.
    pub herd: &'a Herd,
    /// The text of `herd.toml`, for places in it.
    pub herd_text: &'a str,
    /// The hosts that the operator wants removed, by name.
    pub remove: &'a BTreeSet<String>,
}

/// Why a deploy is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Files differ from the commit.
    #[error("files differ from the commit that would be deployed: {}", files.join(", "))]
    Dirty {
        /// Which.
        files: Vec<String>,
    },
    /// A link is not committed.
    #[error("the migration {link} is not committed")]
    Draft {
        /// The link.
        link: Box<Link>,
    },
    /// A deployed link is not where it was.
    #[error("the chain does not continue the deployed one: {deployed} is deployed, and {}", instead(now.as_deref()))]
    Diverged {
        /// The first deployed link that is not in its place.
        deployed: Box<Link>,
        /// What is there now.
        now: Option<Box<Link>>,
    },
    /// A host has a role that no code is written for.
    #[error("herd.toml, line {line}, column {column}: the host `{host}` has the role `{role}`, and there is none of that name{} src/roles.rs has {}", did_you_mean_or(meant.as_deref(), ";"), known.join(", "))]
    UnknownRole {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// The host.
        host: String,
        /// The role.
        role: String,
        /// The role that was perhaps meant.
        meant: Option<String>,
        /// The roles that there are.
        known: Vec<String>,
    },
    /// A host is gone from the herd, and nobody said so.
    #[error("the host `{host}` is no longer in herd.toml")]
    Gone {
        /// The host.
        host: String,
    },
    /// A host that is to be removed still stands in the herd.
    #[error("the host `{host}` is to be removed, and still stands in herd.toml")]
    StillThere {
        /// The host.
        host: String,
    },
    /// A host that is to be removed is unknown.
    #[error("the host `{host}` is to be removed, and the herd has none of that name{}", did_you_mean(meant.as_deref()))]
    NeverThere {
        /// The host.
        host: String,
        /// The host that was perhaps meant.
        meant: Option<String>,
    },
}

impl Refusal {
    /// The command that helps.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Dirty { .. } => "git status".into(),
            Self::Draft { link } => format!("git add --all && git commit -m 'Add the migration {}'", link.name),
            Self::Diverged { .. } => "git pull --rebase && cargo xtask chain".into(),
            Self::UnknownRole { .. } => "cargo xtask check".into(),
            Self::Gone { host } => format!("cargo xtask deploy --remove {host}"),
            Self::StillThere { .. } => "cargo xtask host list".into(),
            Self::NeverThere { .. } => "cargo xtask status".into(),
        }
    }
}

/// The manifest that follows `before`, complete but for runners, author, message and time, and what differs.
///
/// # Errors
/// With every reason to refuse, when there is one.
pub fn plan(before: Option<&Manifest>, proposal: &Proposal<'_>) -> Result<(Manifest, Difference), Vec<Refusal>> {
    let none = Manifest::default();
    let before = before.unwrap_or(&none);
    let refusals: Vec<Refusal> = draft(proposal.chain)
        .into_iter()
        .chain(diverged(&before.chain, proposal.chain))
        .chain(unknown_roles(proposal.herd, proposal.herd_text, &proposal.roles.keys().cloned().collect()))
        .chain(removals(before, proposal))
        .collect();
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let manifest = Manifest {
        number: before.number + 1,
        kind: ChangeKind::Deploy,
        source: Some(proposal.source),
        chain: proposal.chain.clone(),
        target: proposal.chain.tip().map(|link| link.sha1),
        roles: proposal.roles.clone(),
        hosts: hosts(before, proposal.herd),
        ..before.clone()
    };
    let difference = Difference::between(before, &manifest);
    Ok((manifest, difference))
}

/// A host in the manifest: as `herd.toml` has it, with what was told of it since: which machine it is, and when it was
/// to try again.
#[must_use]
pub fn host(entry: &HostEntry, before: Option<&HostManifest>) -> HostManifest {
    HostManifest {
        roles: entry.roles.clone(),
        address: entry.address.clone(),
        settings: entry.settings.clone(),
        identity: before.and_then(|host| host.identity.clone()),
        retry: before.map_or(0, |host| host.retry),
    }
}

/// The roles of hosts that there are not, each with its place in `text`, the text of the herd.
#[must_use]
pub fn unknown_roles(herd: &Herd, text: &str, known: &BTreeSet<String>) -> Vec<Refusal> {
    let pairs = herd.hosts.iter().flat_map(|(host, entry)| entry.roles.iter().map(move |role| (host, role)));
    let unknown = pairs.filter(|(_, role)| !known.contains(*role)).map(|(host, role)| {
        let (line, column) = place_of_role(text, host, role).unwrap_or((1, 1));
        let meant = nearest(role, known.iter().map(String::as_str)).map(str::to_owned);
        let known = known.iter().map(|known| format!("`{known}`")).collect();
        Refusal::UnknownRole { line, column, host: host.clone(), role: role.clone(), meant, known }
    });
    unknown.collect()
}

fn hosts(before: &Manifest, herd: &Herd) -> BTreeMap<String, HostManifest> {
    herd.hosts.iter().map(|(name, entry)| (name.clone(), host(entry, before.hosts.get(name)))).collect()
}

fn draft(chain: &Chain) -> Option<Refusal> {
    chain.tip().filter(|link| link.is_draft()).map(|link| Refusal::Draft { link: Box::new(link.clone()) })
}

fn diverged(deployed: &Chain, now: &Chain) -> Option<Refusal> {
    let places = deployed.links().iter().enumerate();
    let same = |place: usize, link: &Link| {
        now.links().get(place).is_some_and(|now| now.sha1 == link.sha1 && now.name == link.name)
    };
    let (place, link) = places.into_iter().find(|(place, link)| !same(*place, link))?;
    let now = now.links().get(place).cloned().map(Box::new);
    Some(Refusal::Diverged { deployed: Box::new(link.clone()), now })
}

fn removals(before: &Manifest, proposal: &Proposal<'_>) -> Vec<Refusal> {
    let now = &proposal.herd.hosts;
    let gone = before.hosts.keys().filter(|host| !now.contains_key(*host) && !proposal.remove.contains(*host));
    let gone = gone.map(|host| Refusal::Gone { host: host.clone() });
    let wrong = proposal.remove.iter().filter_map(|host| match (now.contains_key(host), before.hosts.get(host)) {
        (true, _) => Some(Refusal::StillThere { host: host.clone() }),
        (false, Some(_)) => None,
        (false, None) => {
            let meant = nearest(host, before.hosts.keys().map(String::as_str)).map(str::to_owned);
            Some(Refusal::NeverThere { host: host.clone(), meant })
        }
    });
    gone.chain(wrong).collect()
}

fn instead(now: Option<&Link>) -> String {
    now.map_or_else(|| "now it is missing".to_owned(), |link| format!("now {link} stands in its place"))
}

fn did_you_mean_or(meant: Option<&str>, otherwise: &str) -> String {
    meant.map_or_else(|| otherwise.to_owned(), |meant| did_you_mean(Some(meant)))
}

fn did_you_mean(meant: Option<&str>) -> String {
    meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use wb_core::chain::Digest;
    use wb_core::change::Identity;
    use wb_core::context::MaxOut;

    use super::*;

    const HERD: &str = "[hosts.web1]\nroles = [\"web\"]\n[hosts.db1]\nroles = [\"database\"]\n";

    fn chain(names: &[&str]) -> Chain {
        let link = |name: &&str| Link {
            name: (*name).to_owned(),
            sha1: if *name == "draft" { Sha1::ZERO } else { Sha1::from_bytes([name.as_bytes()[0]; 20]) },
            role: "web".into(),
            digest: Digest::of(name.as_bytes()),
            wait: None,
        };
        Chain::new(names.iter().map(link).collect()).unwrap()
    }

    fn planned(
        before: Option<&Manifest>,
        chain: &Chain,
        herd: &str,
        remove: &[&str],
    ) -> Result<(Manifest, Difference), Vec<Refusal>> {
        let policy = RolePolicy { max_out: MaxOut::Hosts(1) };
        let proposal = Proposal {
            source: Sha1::from_bytes([7; 20]),
            chain,
            roles: &[("web".to_owned(), policy), ("database".to_owned(), policy)].into(),
            herd: &Herd::parse(herd).unwrap(),
            herd_text: herd,
            remove: &remove.iter().map(|name| (*name).to_owned()).collect(),
        };
        plan(before, &proposal)
    }

    fn first() -> Manifest {
        let mut manifest = planned(None, &chain(&["a", "b"]), HERD, &[]).unwrap().0;
        let identity = Identity { uuid: uuid::Uuid::from_u128(1), key: "ssh-ed25519 AAAA".into() };
        let web1 = manifest.hosts.get_mut("web1").unwrap();
        (web1.identity, web1.retry) = (Some(identity), 1);
        manifest
    }

    fn check(chain: &Chain, herd: &str, remove: &[&str], expect: &[&str]) {
        let refusals = planned(Some(&first()), chain, herd, remove).map_or_else(|refusals| refusals, |_| Vec::new());
        assert_eq!(refusals.iter().map(ToString::to_string).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn a_longer_chain_is_planned_and_hosts_stay_who_they_are() {
        let before = first();
        let (manifest, _) = planned(Some(&before), &chain(&["a", "b", "c"]), HERD, &[]).unwrap();
        assert_eq!((manifest.number, manifest.target), (2, Some(Sha1::from_bytes([b'c'; 20]))));
        assert_eq!(manifest.hosts, before.hosts);
        assert!(manifest.hosts["web1"].identity.is_some());
    }

    #[test]
    fn a_draft_is_refused() {
        check(&chain(&["a", "b", "draft"]), HERD, &[], &["the migration `draft` (draft) is not committed"]);
    }

    #[test]
    fn a_chain_that_does_not_continue_is_refused() {
        let start = "the chain does not continue the deployed one:";
        let missing = format!("{start} `b` (6262626) is deployed, and now it is missing");
        check(&chain(&["a"]), HERD, &[], &[&missing]);
        let other = format!("{start} `b` (6262626) is deployed, and now `c` (6363636) stands in its place");
        check(&chain(&["a", "c"]), HERD, &[], &[&other]);
    }

    #[test]
    fn a_role_that_there_is_not_is_named_with_its_place() {
        let herd = "[hosts.web1]\nroles = [\"web\", \"wep\"]\n[hosts.db1]\nroles = [\"cache\"]\n";
        let cache = "herd.toml, line 4, column 10: the host `db1` has the role `cache`, and there is none of that name; \
                     src/roles.rs has `database`, `web`";
        let wbe = "herd.toml, line 2, column 17: the host `web1` has the role `wep`, and there is none of that name, \
                   did you mean `web`? src/roles.rs has `database`, `web`";
        check(&chain(&["a", "b"]), herd, &[], &[cache, wbe]);
    }

    #[test]
    fn a_removal_must_be_named() {
        let herd = "[hosts.web1]\nroles = [\"web\"]\n";
        let chain = chain(&["a", "b"]);
        check(&chain, herd, &[], &["the host `db1` is no longer in herd.toml"]);
        check(&chain, herd, &["db1"], &[]);
        check(&chain, HERD, &["db1"], &["the host `db1` is to be removed, and still stands in herd.toml"]);
        let never = "the host `web2` is to be removed, and the herd has none of that name, did you mean `web1`?";
        check(&chain, HERD, &["web2"], &[never]);
    }

    #[test]
    fn all_refusals_come_at_once() {
        let refusals = planned(Some(&first()), &chain(&["a", "draft"]), "", &[]).unwrap_err();
        assert_eq!(refusals.len(), 4, "{refusals:?}");
        assert!(refusals.iter().all(|refusal| !refusal.hint().is_empty()));
    }
}
