//! What a deploy tells the herd: a function of what it was told last and of what the fleet says now.

use std::collections::{BTreeMap, BTreeSet};

use wb_core::chain::{Chain, Digest, Link, Sha1, nearest};
use wb_core::change::{ChangeKind, FullRunners, HostManifest, Manifest, RolePolicy, Runner};
use wb_core::context::Unfit;
use wb_core::herd::{Herd, HostEntry};
use wb_core::plan::still_failed;
use wb_core::report::{Doing, Report};
use wb_core::window::open_at_once;

use super::aim::{Aim, aiming};
use super::difference::Difference;
use crate::herd_file::place_of_role;
use crate::members;
use crate::named::{Kind, Unknown, did_you_mean};

/// What the fleet says now.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal<'a> {
    /// The commit that the runner is built from.
    pub source: Sha1,
    /// Whether no test attests the runner, or one of another platform that stays.
    pub untested: bool,
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
    /// The links whose author amended them, as the lock says.
    pub amended: &'a BTreeSet<Sha1>,
    /// How far to go, and who goes first.
    pub aim: &'a Aim,
    /// Whether the canaries that went first have been well for long enough.
    pub has_baked: bool,
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
    /// Another commit was checked out while the runner was built: it may be of the one or of the other.
    #[error("{} was checked out when the build of the runner began, and {} when it ended", from.short(), to.short())]
    Moved {
        /// The commit of before.
        from: Sha1,
        /// The one of after.
        to: Sha1,
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
    /// A deployed link says something else than when it was deployed.
    #[error("the migration {link} was deployed with {was}, and now has {now}")]
    Altered {
        /// The link, as it was deployed.
        link: Box<Link>,
        /// What it had, in words.
        was: String,
        /// What it has.
        now: String,
    },
    /// The code of a link is gone, no runner was ever deployed that had it, and hosts may have begun what is before it.
    #[error(
        "the code of {link} is gone, and it was never deployed: a host that has begun what {baseline} replaces could not end that"
    )]
    NeverDeployed {
        /// The link.
        link: Box<Link>,
        /// The baseline that stands for it.
        baseline: Box<Link>,
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
    /// The settings of a host are none that the code can read.
    #[error("herd.toml, line {}, column {}: the host `{}`: {}", .0.line, .0.column, .0.host, .0.what)]
    Unfit(Unfit),
    /// Nobody whose word counts has tested the runner.
    #[error("no test attests the runner {}{}", sha256.short(), if *strange { STRANGE } else { "" })]
    Untested {
        /// Of its bytes.
        sha256: Digest,
        /// Whether somebody says so whose word does not count.
        strange: bool,
    },
    /// A host could never leave load.
    #[error("`{host}` has the roles {}, whose maintenance windows are never open at once: it could never leave load", roles.join(", "))]
    NeverOpen {
        /// The host.
        host: String,
        /// Those of its roles that have windows.
        roles: Vec<String>,
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
    /// A canary, its role or the link to reach is unknown.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// A canary is no machine yet.
    #[error("`{host}` is not admitted, so it can't be a canary")]
    NotAdmitted {
        /// The host.
        host: String,
    },
    /// A role has no canaries.
    #[error("no host of role `{role}` is admitted, so there are no canaries")]
    NoCanaries {
        /// The role.
        role: String,
    },
    /// Hosts go first since before, and are not among those that shall now.
    #[error("{} first since an earlier deploy: name {} too, or promote that first", goes(hosts), if hosts.len() == 1 { "it" } else { "them" })]
    OtherCanaries {
        /// Those hosts.
        hosts: BTreeSet<String>,
        /// Those that shall go first now.
        named: BTreeSet<String>,
    },
    /// Hosts would have to go back.
    #[error("{whom} was told to reach {told}, and {now} is before it")]
    Back {
        /// Which hosts.
        whom: String,
        /// What they were told to reach.
        told: Box<Link>,
        /// What they shall reach now.
        now: Box<Link>,
    },
    /// Canaries would have nothing to do before the others.
    #[error("everyone was told to reach {} already: canaries have nothing to go first with", ended(link.as_deref()))]
    NothingFirst {
        /// What everyone was told.
        link: Option<Box<Link>>,
    },
}

const STRANGE: &str = "; what the remote has on it is signed by nobody in allowed_testers or allowed_signers";

impl Refusal {
    /// The command that helps.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Dirty { .. } => "git status".into(),
            Self::Draft { link } => format!("git add --all && git commit -m 'Add the migration {}'", link.name),
            Self::Diverged { .. } => "git pull --rebase && cargo xtask chain".into(),
            Self::Altered { link, .. } => format!("git log -p -- '*src/chain/{}.rs'", link.name),
            Self::NeverDeployed { link, .. } => format!("git log --diff-filter=D -- '*src/chain/{}.rs'", link.name),
            Self::UnknownRole { line, .. } | Self::Unfit(Unfit { line, .. }) => format!("vi +{line} herd.toml"),
            Self::Untested { .. } => "cargo xtask test".into(),
            Self::NeverOpen { .. } => "git grep -n windows -- '*src/roles.rs'".into(),
            Self::Gone { host } => format!("cargo xtask host retire {host}"),
            Self::StillThere { .. } => "cargo xtask host list".into(),
            Self::NeverThere { .. } => "cargo xtask status".into(),
            Self::Unknown(Unknown { kind: Kind::Migration | Kind::Written, .. }) | Self::Back { .. } => {
                "cargo xtask chain".into()
            }
            Self::Unknown(_) | Self::NoCanaries { .. } => "cargo xtask status".into(),
            Self::NotAdmitted { host } => format!("cargo xtask host admit {host}"),
            Self::OtherCanaries { hosts, named } => {
                let all: Vec<&str> = hosts.union(named).map(String::as_str).collect();
                format!("cargo xtask deploy --canary {}", all.join(" "))
            }
            Self::NothingFirst { .. } | Self::Moved { .. } => "cargo xtask deploy".into(),
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
    let aimed = aiming(before, proposal.has_baked, proposed(before, proposal), proposal.aim);
    let (mut manifest, aimless) = match aimed {
        Ok(manifest) => (manifest, None),
        Err(refusal) => (none.clone(), Some(refusal)),
    };
    let refusals: Vec<Refusal> = draft(proposal.chain)
        .into_iter()
        .chain(diverged(&before.chain, proposal.chain))
        .chain(altered(&before.chain, proposal.chain, proposal.amended))
        .chain(never_deployed(&before.chain, proposal.chain))
        .chain(unknown_roles(proposal.herd, proposal.herd_text, &proposal.roles.keys().cloned().collect()))
        .chain(never_open(&proposed(before, proposal)))
        .chain(removals(before, proposal))
        .chain(aimless)
        .collect();
    if !refusals.is_empty() {
        return Err(refusals);
    }
    members::forget(&mut manifest, proposal.remove);
    let difference = Difference::between(before, &manifest);
    Ok((manifest, difference))
}

/// The manifest but for how far to go.
fn proposed(before: &Manifest, proposal: &Proposal<'_>) -> Manifest {
    let next = before.next(ChangeKind::Deploy);
    Manifest {
        source: Some(proposal.source),
        untested: proposal.untested,
        chain: proposal.chain.clone(),
        roles: proposal.roles.clone(),
        full_runners: full_runners(before, proposal.chain),
        hosts: hosts(before, proposal.herd),
        retired: members::retired(before, proposal.remove, next.number),
        ..next
    }
}

/// The runners of a change: the one that was built, and those of other platforms, as long as the chain is theirs too.
#[must_use]
pub fn runners(
    before: &BTreeMap<String, Runner>,
    same_chain: bool,
    platform: &str,
    built: Runner,
) -> BTreeMap<String, Runner> {
    let kept = before.iter().filter(|_| same_chain).map(|(platform, runner)| (platform.clone(), runner.clone()));
    kept.chain([(platform.to_owned(), built)]).collect()
}

/// The runners that have the code of what is gone: those of before, of links that had theirs there.
#[must_use]
pub fn full_runners(before: &Manifest, now: &Chain) -> Vec<FullRunners> {
    let is_gone = |link: &Sha1| now.get(*link).is_some_and(|link| link.gone);
    let newly: BTreeSet<Sha1> = before.chain.links().iter().filter(|link| !link.gone).map(|link| link.sha1).collect();
    let newly: BTreeSet<Sha1> = newly.into_iter().filter(is_gone).collect();
    let kept = before.full_runners.iter().map(|full| FullRunners {
        links: full.links.iter().copied().filter(|link| is_gone(link) && !newly.contains(link)).collect(),
        runners: full.runners.clone(),
    });
    let last = FullRunners { links: newly.clone(), runners: before.runners.clone() };
    kept.chain([last]).filter(|full| !full.links.is_empty() && !full.runners.is_empty()).collect()
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
        adopt: before.and_then(|host| host.adopt.clone()),
    }
}

/// A host that failed at a link that a change leaves as it was: it does not try again by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// The host.
    pub host: String,
    /// The link.
    pub link: Link,
}

/// The hosts whose failure a change does not touch: neither the link nor the host's settings differ.
#[must_use]
pub fn stuck(manifest: &Manifest, reports: &BTreeMap<String, Report>) -> Vec<Stuck> {
    let stuck = reports.iter().filter_map(|(name, report)| {
        let Doing::Failed(failure) = &report.doing else { return None };
        let host = manifest.hosts.get(name).filter(|host| still_failed(failure, manifest, host));
        let link = host.and_then(|_| manifest.chain.get(failure.link))?;
        Some(Stuck { host: name.clone(), link: link.clone() })
    });
    stuck.collect()
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

/// The hosts of which no time is a maintenance window of all their roles.
#[must_use]
pub fn never_open(manifest: &Manifest) -> Vec<Refusal> {
    manifest.hosts.keys().filter_map(|name| shut(manifest, name)).collect()
}

/// Whether this host is one of them.
#[must_use]
pub fn shut(manifest: &Manifest, name: &str) -> Option<Refusal> {
    let windows = manifest.windows(&manifest.hosts.get(name)?.roles);
    let roles = || windows.keys().map(|role| format!("`{role}`")).collect();
    let opens = open_at_once(windows.values().copied(), 0);
    opens.is_none().then(|| Refusal::NeverOpen { host: name.to_owned(), roles: roles() })
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

/// Deployed links that say something else now. A host that has run one would never run it again. Whose code is gone may
/// not even be amended: no runner has what it would say.
fn altered(deployed: &Chain, chain: &Chain, amended: &BTreeSet<Sha1>) -> Vec<Refusal> {
    let pairs = deployed.links().iter().filter_map(|was| Some((was, chain.get(was.sha1)?)));
    let wait = |link: &Link| link.wait.as_ref().map_or("no wait".to_owned(), |wait| format!("the wait `{wait}`"));
    let altered = pairs.filter_map(|(was, now)| {
        let (was_said, now_said) = match (was, now) {
            _ if was.role != now.role => (format!("the role `{}`", was.role), format!("the role `{}`", now.role)),
            _ if was.wait != now.wait && !amended.contains(&now.sha1) => (wait(was), wait(now)),
            _ if was.replaces != now.replaces => (replacing(deployed, was), replacing(chain, now)),
            _ if was.digest != now.digest && (now.gone || !amended.contains(&now.sha1)) => {
                ("other code or files".to_owned(), format!("the digest {}", now.digest.short()))
            }
            _ => return None,
        };
        Some(Refusal::Altered { link: Box::new(was.clone()), was: was_said, now: now_said })
    });
    altered.collect()
}

/// What a link replaces, in words.
fn replacing(chain: &Chain, link: &Link) -> String {
    let named = |sha1: Sha1| chain.get(sha1).map_or_else(|| sha1.short(), ToString::to_string);
    link.replaces.map_or("nothing to replace".to_owned(), |range| {
        format!("{} to {} to replace", named(range.from), named(range.to))
    })
}

/// Links that no host can run any more, though one may have begun what comes before them.
fn never_deployed(deployed: &Chain, now: &Chain) -> Vec<Refusal> {
    let new = now.links().iter().filter(|link| link.gone && deployed.get(link.sha1).is_none());
    let begun = |baseline: &&Link| {
        let first = baseline.replaces.map(|range| range.from);
        first.is_some_and(|first| deployed.get(first).is_some())
    };
    let refused = new.filter_map(|link| {
        let baseline = now.standing_for(link.sha1).find(begun)?;
        Some(Refusal::NeverDeployed { link: Box::new(link.clone()), baseline: Box::new(baseline.clone()) })
    });
    refused.collect()
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

fn ended(link: Option<&Link>) -> String {
    link.map_or_else(|| "the end of the chain".to_owned(), ToString::to_string)
}

fn goes(hosts: &BTreeSet<String>) -> String {
    let names: Vec<String> = hosts.iter().map(|host| format!("`{host}`")).collect();
    format!("{} {}", names.join(", "), if hosts.len() == 1 { "goes" } else { "go" })
}

fn did_you_mean_or(meant: Option<&str>, otherwise: &str) -> String {
    meant.map_or_else(|| otherwise.to_owned(), |meant| did_you_mean(Some(meant)))
}

#[cfg(test)]
mod tests {
    use wb_core::chain::Range;
    use wb_core::change::Identity;
    use wb_core::context::MaxOut;
    use wb_core::plan::settings_digest;
    use wb_core::report::Failure;

    use super::*;
    use crate::retry::tests::report;

    const HERD: &str = "[hosts.web1]\nroles = [\"web\"]\n[hosts.db1]\nroles = [\"database\"]\n";

    fn chain(names: &[&str]) -> Chain {
        let link = |name: &&str| {
            let sha1 = if *name == "draft" { Sha1::ZERO } else { Sha1::from_bytes([name.as_bytes()[0]; 20]) };
            Link::new(*name, sha1, "web", Digest::of(name.as_bytes()))
        };
        Chain::new(names.iter().map(link).collect()).unwrap()
    }

    fn planned(
        before: Option<&Manifest>,
        chain: &Chain,
        herd: &str,
        remove: &[&str],
    ) -> Result<(Manifest, Difference), Vec<Refusal>> {
        let policy = RolePolicy::new(MaxOut::Hosts(1));
        let proposal = Proposal {
            source: Sha1::from_bytes([7; 20]),
            untested: false,
            chain,
            roles: &[("web".to_owned(), policy.clone()), ("database".to_owned(), policy)].into(),
            herd: &Herd::parse(herd).unwrap(),
            herd_text: herd,
            remove: &remove.iter().map(|name| (*name).to_owned()).collect(),
            amended: &[Sha1::from_bytes([b'b'; 20])].into(),
            aim: &Aim::default(),
            has_baked: false,
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

    fn with(change: impl Fn(&mut Link)) -> Chain {
        let mut links = chain(&["a", "b"]).links().to_vec();
        change(&mut links[0]);
        Chain::new(links).unwrap()
    }

    #[test]
    fn runners_of_other_platforms_stay_while_their_chain_does() {
        let runner =
            |n: u8| Runner { sha256: Digest::of(&[n]), commit: Sha1::from_bytes([n; 20]), reference: String::new() };
        let before = [("x86_64".to_owned(), runner(1)), ("aarch64".to_owned(), runner(2))].into();
        let kept = runners(&before, true, "x86_64", runner(3));
        assert_eq!(kept, [("x86_64".to_owned(), runner(3)), ("aarch64".to_owned(), runner(2))].into());
        assert_eq!(runners(&before, false, "x86_64", runner(3)), [("x86_64".to_owned(), runner(3))].into());
    }

    fn runners_of(n: u8) -> BTreeMap<String, Runner> {
        let runner = Runner { sha256: Digest::of(&[n]), commit: Sha1::from_bytes([n; 20]), reference: String::new() };
        [("x86_64".to_owned(), runner)].into()
    }

    /// Links named by their letters, the code of the large ones gone; `z` is a baseline for all before it.
    fn replaced(letters: &str) -> Chain {
        let names: Vec<String> = letters.to_lowercase().chars().map(String::from).collect();
        let mut links = chain(&names.iter().map(String::as_str).collect::<Vec<_>>()).links().to_vec();
        for (index, letter) in letters.chars().enumerate() {
            links[index].gone = letter.is_uppercase();
            if letter == 'z' {
                links[index].replaces = Some(Range { from: links[0].sha1, to: links[index - 1].sha1 });
            }
        }
        Chain::new(links).unwrap()
    }

    #[test]
    fn the_last_runner_that_has_the_code_of_a_link_is_kept() {
        let mut manifest = first();
        let full = |manifest: &Manifest, letter: u8| {
            let runner = manifest.full_runner(Sha1::from_bytes([letter; 20]), "x86_64");
            runner.map(|runner| runner.commit.as_bytes()[0])
        };
        for (number, chain) in [(1, "ab"), (2, "abz"), (3, "Abz"), (4, "Abzc"), (5, "ABzc"), (6, "ABzcd")] {
            manifest = planned(Some(&manifest), &replaced(chain), HERD, &[]).unwrap().0;
            manifest.runners = runners_of(number);
        }
        assert_eq!((full(&manifest, b'a'), full(&manifest, b'b'), full(&manifest, b'c')), (Some(2), Some(4), None));
        let manifest = planned(Some(&manifest), &replaced("aBzcd"), HERD, &[]).unwrap().0;
        assert_eq!((full(&manifest, b'a'), full(&manifest, b'b')), (None, Some(4)));
        assert_eq!(manifest.full_runners.len(), 1);
    }

    #[test]
    fn code_that_goes_before_it_was_deployed_is_refused() {
        let never = "the code of `c` (6363636) is gone, and it was never deployed: a host that has begun what `z` (7a7a7a7) \
                     replaces could not end that";
        check(&replaced("abCz"), HERD, &[], &[never]);
        check(&replaced("abcz"), HERD, &[], &[]);
        assert!(planned(None, &replaced("ABCz"), HERD, &[]).is_ok());
    }

    #[test]
    fn a_deployed_link_that_says_something_else_is_refused() {
        let start = "the migration `a` (6161616) was deployed with";
        let role = format!("{start} the role `web`, and now has the role `database`");
        check(&with(|link| link.role = "database".into()), HERD, &[], &[&role]);
        let wait = format!("{start} no wait, and now has the wait `all(\"web\")`");
        check(&with(|link| link.wait = Some(wb_core::chain::Wait::all("web"))), HERD, &[], &[&wait]);
        let digest = Digest::of(b"other");
        let code = format!("{start} other code or files, and now has the digest {}", digest.short());
        check(&with(|link| link.digest = digest), HERD, &[], &[&code]);
    }

    #[test]
    fn an_amended_link_may_say_something_else() {
        let mut links = chain(&["a", "b"]).links().to_vec();
        links[1].digest = Digest::of(b"other");
        check(&Chain::new(links).unwrap(), HERD, &[], &[]);
    }

    #[test]
    fn no_amendment_makes_a_baseline_or_unmakes_one() {
        let (a, b) = (Sha1::from_bytes([b'a'; 20]), Sha1::from_bytes([b'b'; 20]));
        let replacing = |range: Option<Range>| {
            let mut links = chain(&["a", "b"]).links().to_vec();
            (links[1].replaces, links[1].digest) = (range, Digest::of(b"other"));
            Chain::new(links).unwrap()
        };
        let start = "the migration `b` (6262626) was deployed with";
        let made = format!("{start} nothing to replace, and now has `a` (6161616) to `a` (6161616) to replace");
        check(&replacing(Some(Range { from: a, to: a })), HERD, &[], &[&made]);
        let mut before = first();
        before.chain = replacing(Some(Range { from: a, to: a }));
        let refusal = planned(Some(&before), &replacing(None), HERD, &[]).unwrap_err()[0].to_string();
        let unmade = format!("{start} `a` (6161616) to `a` (6161616) to replace, and now has nothing to replace");
        assert_eq!(refusal, unmade);
        assert_eq!(planned(Some(&before), &replacing(Some(Range { from: a, to: b })), HERD, &[]).unwrap_err().len(), 1);
    }

    #[test]
    fn code_that_is_gone_is_not_amended() {
        let mut before = first();
        before.chain = replaced("abz");
        let mut links = replaced("aBz").links().to_vec();
        assert!(planned(Some(&before), &Chain::new(links.clone()).unwrap(), HERD, &[]).is_ok());
        links[1].digest = Digest::of(b"other");
        let refusal = planned(Some(&before), &Chain::new(links).unwrap(), HERD, &[]).unwrap_err()[0].to_string();
        assert!(refusal.starts_with("the migration `b` (6262626) was deployed with other code or files"), "{refusal}");
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
    fn roles_whose_windows_never_meet_are_refused_on_one_host() {
        let with = |windows: [&str; 2]| {
            let policy = |window: &str| RolePolicy {
                windows: vec![window.parse().unwrap()],
                ..RolePolicy::new(wb_core::context::MaxOut::Hosts(1))
            };
            let mut manifest = first();
            manifest.roles.insert("database".into(), policy(windows[0]));
            manifest.roles.insert("web".into(), policy(windows[1]));
            manifest.hosts.get_mut("web1").unwrap().roles = ["database".to_owned(), "web".to_owned()].into();
            never_open(&manifest).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let never = "`web1` has the roles `database`, `web`, whose maintenance windows are never open at once: it could \
                     never leave load";
        assert_eq!(with(["Sat 22:00-04:00", "Sun 12:00-14:00"]), [never]);
        assert_eq!(with(["Sat 22:00-04:00", "Sun 03:00-14:00"]), [""; 0]);
    }

    #[test]
    fn a_removal_must_be_named() {
        let herd = "[hosts.web1]\nroles = [\"web\"]\n";
        let chain = chain(&["a", "b"]);
        check(&chain, herd, &[], &["the host `db1` is no longer in herd.toml"]);
        assert_eq!(Refusal::Gone { host: "db1".into() }.hint(), "cargo xtask host retire db1");
        check(&chain, herd, &["db1"], &[]);
        let web1 = planned(Some(&first()), &chain, "", &["db1", "web1"]).unwrap().0.retired;
        assert_eq!(web1.iter().map(|retired| (&*retired.name, retired.change)).collect::<Vec<_>>(), [("web1", 2)]);
        check(&chain, HERD, &["db1"], &["the host `db1` is to be removed, and still stands in herd.toml"]);
        let never = "the host `web2` is to be removed, and the herd has none of that name, did you mean `web1`?";
        check(&chain, HERD, &["web2"], &[never]);
    }

    #[test]
    fn who_failed_at_a_link_that_stays_as_it_was_is_stuck() {
        let before = first();
        let link = before.chain.links()[1].clone();
        let settings = settings_digest(&before.hosts["web1"]);
        let failure =
            |digest| Failure { link: link.sha1, name: link.name.clone(), digest, settings, error: "no".into() };
        let check = |after: &Manifest, digest: Digest, expect: &[&str]| {
            let reports = [("web1".to_owned(), report(None, Doing::Failed(failure(digest))))].into();
            let stuck = stuck(after, &reports);
            assert_eq!(stuck.iter().map(|stuck| stuck.host.as_str()).collect::<Vec<_>>(), expect);
        };
        let mut after = planned(Some(&before), &chain(&["a", "b", "c"]), HERD, &[]).unwrap().0;
        check(&after, link.digest, &["web1"]);
        check(&after, Digest::of(b"what it said before"), &[]);
        after.hosts.get_mut("web1").unwrap().address = Some("192.0.2.1".into());
        check(&after, link.digest, &[]);
        after.hosts.remove("web1");
        check(&after, link.digest, &[]);
    }

    #[test]
    fn what_nobody_tested_is_refused_with_the_way_to_test_it() {
        let check = |strange, expect: &str| {
            let refusal = Refusal::Untested { sha256: Digest::of(b""), strange };
            assert_eq!((refusal.to_string(), refusal.hint()), (expect.to_owned(), "cargo xtask test".to_owned()));
        };
        check(false, "no test attests the runner e3b0c44");
        let nobody = "what the remote has on it is signed by nobody in allowed_testers or allowed_signers";
        check(true, &format!("no test attests the runner e3b0c44; {nobody}"));
    }

    #[test]
    fn all_refusals_come_at_once() {
        let refusals = planned(Some(&first()), &chain(&["a", "draft"]), "", &[]).unwrap_err();
        assert_eq!(refusals.len(), 4, "{refusals:?}");
        assert!(refusals.iter().all(|refusal| !refusal.hint().is_empty()));
    }
}
