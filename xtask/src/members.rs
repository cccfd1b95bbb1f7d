//! Who belongs to the herd, and as what: changes of the herd alone, which build nothing and so take a second.
//!
//! Each is a function from the newest manifest to the next one. What it comes to for hosts is told beforehand, out of
//! their reports.

use std::collections::{BTreeMap, BTreeSet};

use wb_core::chain::Link;
use wb_core::change::{ChangeKind, HostManifest, Manifest, Retired};
use wb_core::plan::{Course, Past, Plan, Situation, plan};
use wb_core::pool::Pool;
use wb_core::registry::{Mirror as _, RefName, RefUpdate, SigningKey, VerifiedChange};
use wb_core::report::Report;
use wb_core::system::clock::{Clock as _, Real};

use crate::operator::{Appended, Operator, OperatorError};
use crate::shell::Shell;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum MembersError {
    /// Others were faster, again and again.
    #[error("others told the herd something first, {tries} times in a row; nothing was changed")]
    Overtaken {
        /// How often it was tried.
        tries: u32,
    },
    /// The remote, the log or the key.
    #[error(transparent)]
    Operator(#[from] OperatorError),
}

/// What the herd was told last, and what its hosts say.
#[derive(Debug, Default)]
pub struct Known {
    newest: Option<VerifiedChange>,
    /// What it was told.
    pub manifest: Manifest,
    /// What hosts report, by name.
    pub reports: BTreeMap<String, Report>,
    /// The pools by role.
    pub pools: BTreeMap<String, Pool>,
    /// What time it is, in seconds since 1970, UTC.
    pub now: u64,
}

impl Known {
    /// Asks the remote.
    ///
    /// # Errors
    /// When it can't be reached, or has lost changes.
    pub fn ask(operator: &Operator, shell: &Shell) -> Result<Self, OperatorError> {
        operator.fetch()?;
        operator.registry().fetch(&["refs/wildebeest/state/".into(), "refs/wildebeest/out/".into()])?;
        let newest = operator.newest()?;
        operator.refuse_rewound(newest.as_ref(), shell)?;
        let manifest = newest.as_ref().map(|change| change.manifest.clone()).unwrap_or_default();
        let reports = operator.reports(&manifest)?;
        let (pools, now) = (operator.registry().pools()?, Real.now().as_secs());
        Ok(Self { newest, reports, pools, manifest, now })
    }
}

/// Tells the herd what `next` makes of what it was told last, signed with `key`. Gives nothing where that is nothing. What
/// goes wrong on the way is an error by `wrong`.
///
/// # Errors
/// When `next` refuses, or the change can't be appended.
pub fn tell<E>(
    operator: &Operator,
    key: &SigningKey,
    shell: &Shell,
    next: &dyn Fn(&Known) -> Result<Option<Manifest>, E>,
    wrong: &dyn Fn(MembersError) -> E,
) -> Result<Option<Box<VerifiedChange>>, E> {
    const TRIES: u32 = 5;
    let failed = |error: OperatorError| wrong(error.into());
    operator.refuse_stranger(key).map_err(failed)?;
    for _ in 0..TRIES {
        let known = Known::ask(operator, shell).map_err(failed)?;
        let Some(mut manifest) = next(&known)? else { return Ok(None) };
        manifest.author = operator.tree().identity().to_string();
        manifest.time = Real.now().as_secs();
        let traces = traces(operator, &known.manifest, &manifest).map_err(failed)?;
        let told = operator.append(known.newest.as_ref(), &manifest, key, traces).map_err(failed)?;
        if let Appended::Won(change) = told {
            return Ok(Some(change));
        }
    }
    Err(wrong(MembersError::Overtaken { tries: TRIES }))
}

/// The refs that newly retired hosts have written, to be removed with the change that retires them. Such a host writes
/// on until it learns of it; once its refs are gone, its next write is lost, and it looks before it tries again.
///
/// # Errors
/// When the remote can't be asked.
pub fn traces(operator: &Operator, before: &Manifest, after: &Manifest) -> Result<Vec<RefUpdate>, OperatorError> {
    let new = after.retired.iter().filter(|retired| before.retirement(retired.uuid).is_none());
    let names: Vec<RefName> = new.flat_map(|gone| [RefName::Report(gone.uuid), RefName::State(gone.uuid)]).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    operator.registry().fetch(&names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let mut updates = Vec::new();
    for name in names {
        if let Some(there) = operator.registry().get(&name)? {
            updates.push(RefUpdate { name, expected: Some(there), new: None });
        }
    }
    Ok(updates)
}

/// Those who are retired, when these hosts leave by the change of this number.
#[must_use]
pub fn retired(before: &Manifest, leaving: &BTreeSet<String>, change: u64) -> Vec<Retired> {
    let machine = |name: &String| before.hosts.get(name)?.identity.as_ref();
    let new = leaving.iter().filter_map(|name| Some(Retired { uuid: machine(name)?.uuid, name: name.clone(), change }));
    before.retired.iter().cloned().chain(new).collect()
}

/// The manifest without these hosts.
#[must_use]
pub fn retiring(before: &Manifest, leaving: &BTreeSet<String>) -> Manifest {
    let mut manifest = next(before, ChangeKind::Retire);
    manifest.retired = retired(before, leaving, manifest.number);
    manifest.hosts.retain(|name, _| !leaving.contains(name));
    manifest
}

/// The manifest with another name for a host, which must be there, and the name free.
#[must_use]
pub fn renaming(before: &Manifest, old: &str, new: &str) -> Manifest {
    let mut manifest = next(before, ChangeKind::Rename);
    if let Some(host) = manifest.hosts.remove(old) {
        manifest.hosts.insert(new.to_owned(), host);
    }
    manifest
}

/// The manifest with other roles for a host.
#[must_use]
pub fn tagging(before: &Manifest, name: &str, roles: &BTreeSet<String>) -> Manifest {
    let mut manifest = next(before, ChangeKind::Tag);
    manifest.hosts.entry(name.to_owned()).and_modify(|host| host.roles.clone_from(roles));
    manifest
}

fn next(before: &Manifest, kind: ChangeKind) -> Manifest {
    Manifest { number: before.number + 1, kind, ..before.clone() }
}

/// Who waits for these hosts, a line each, as far as reports tell.
#[must_use]
pub fn waiting_for(known: &Known, leaving: &BTreeSet<String>) -> Vec<String> {
    let staying = known.manifest.hosts.iter().filter(|(name, _)| !leaving.contains(*name));
    let waits = staying.filter_map(|(name, host)| match planned(known, name, host)? {
        Plan::Wait(wait) if leaving.iter().any(|gone| wait.is_for(gone)) => Some(format!("`{name}` waits: {wait}")),
        _ => None,
    });
    waits.collect()
}

/// What a host does next, as far as its report tells.
fn planned(known: &Known, name: &str, host: &HostManifest) -> Option<Plan> {
    let (report, identity) = (known.reports.get(name)?, host.identity.as_ref()?);
    let past = Past::told_by(&known.manifest.chain, &host.roles, report.state);
    let course = Course::new(&known.manifest, known.manifest.told(name), host, &past);
    // Links that are only passed over keep nobody waiting.
    let before = course.next(report.state).and_then(|link| known.manifest.chain.position(link.sha1)?.checked_sub(1));
    let state = before.map(|place| known.manifest.chain.links()[place].sha1).or(report.state);
    Some(plan(&Situation {
        manifest: Some(&known.manifest),
        uuid: identity.uuid,
        state,
        past: &past,
        announced: None,
        in_service: report.in_service,
        compiled: &known.manifest.chain,
        reports: &known.reports,
        pools: &known.pools,
        now: known.now,
    }))
}

/// The links that wait for all hosts of a role of which none is left, a line each.
#[must_use]
pub fn waits_for_nobody(before: &Manifest, after: &Manifest) -> Vec<String> {
    let emptied = |role: &str| before.admitted(role).next().is_some() && after.admitted(role).next().is_none();
    let links = after.chain.links().iter().filter_map(|link| match &link.wait {
        Some(wait) if emptied(wait.role()) => {
            let role = wait.role();
            Some(format!("no host of role `{role}` is left: {link} waits for hosts of it, and so for nobody"))
        }
        _ => None,
    });
    links.collect()
}

/// What other roles come to for a host, a line each.
#[must_use]
pub fn new_roles_mean(known: &Known, after: &Manifest, name: &str) -> Vec<String> {
    let (Some(old), Some(new)) = (known.manifest.hosts.get(name), after.hosts.get(name)) else { return Vec::new() };
    let report = known.reports.get(name);
    let state = report.and_then(|report| report.state);
    let past = Past::told_by(&after.chain, &old.roles, state);
    let course = Course::new(after, after.told(name), new, &past);
    let place = if report.is_some_and(|report| report.in_service) { ", out of load" } else { "" };
    let gained = new.roles.difference(&old.roles).map(|role| {
        let links: Vec<&Link> = course.run_from(state).filter(|link| link.role == *role).collect();
        match &links[..] {
            [] => format!("`{name}` has no migration of role `{role}` to run yet"),
            [link] => format!("`{name}` runs 1 migration of role `{role}`{place}: {link}"),
            [first, .., last] => {
                format!("`{name}` runs {} migrations of role `{role}`{place}: {first} to {last}", links.len())
            }
        }
    });
    let lost = old.roles.difference(&new.roles).map(|role| {
        format!("`{name}` passes the migrations of role `{role}` over from now on; what they did there stays")
    });
    gained.chain(lost).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use wb_core::chain::{Chain, Digest, Sha1};
    use wb_core::change::Identity;
    use wb_core::report::{Doing, Incarnation};

    use super::*;

    /// The links `schema` and `tuning` of the role database and `page` and `theme` of the role web, in turn; `theme`
    /// waits for the databases. Hosts are `web1@page`, each admitted and in service; `?` has no report.
    fn known(hosts: &str) -> Known {
        let link = |(n, name, role): (u8, &str, &str)| {
            Link::new(name, Sha1::from_bytes([n; 20]), role, Digest::of(name.as_bytes()))
        };
        let named = [(1, "schema", "database"), (2, "page", "web"), (3, "tuning", "database"), (4, "theme", "web")];
        let mut links = named.map(link).to_vec();
        links[3].wait = Some(wb_core::chain::Wait::all("database"));
        let chain = Chain::new(links).unwrap();
        let mut manifest = Manifest { number: 11, target: chain.tip().map(|link| link.sha1), ..Manifest::default() };
        let mut reports = BTreeMap::new();
        for (host, n) in hosts.split_whitespace().zip(1u128..) {
            let (name, at) = host.split_once('@').unwrap();
            let role = if name.starts_with("web") { "web" } else { "database" };
            let identity = Some(Identity { uuid: Uuid::from_u128(n), key: String::new() });
            let entry = HostManifest { roles: [role.to_owned()].into(), identity, ..HostManifest::default() };
            manifest.hosts.insert(name.to_owned(), entry);
            let state = chain.links().iter().find(|link| link.name == at).map(|link| link.sha1);
            if at != "?" {
                reports.insert(name.to_owned(), report(name, n, state));
            }
        }
        manifest.chain = chain;
        Known { newest: None, manifest, reports, pools: BTreeMap::new(), now: 0 }
    }

    fn report(name: &str, n: u128, state: Option<Sha1>) -> Report {
        Report {
            name: name.into(),
            uuid: Uuid::from_u128(n),
            key: String::new(),
            time: 0,
            state,
            link: None,
            in_service: true,
            doing: Doing::UpToDate,
            accepted: None,
            accepted_commit: None,
            runner: Digest::of(b""),
            incarnation: Incarnation::default(),
            contested: false,
            nonce: Uuid::nil(),
            last_nonces: Vec::new(),
            by_hand: Vec::new(),
            drift: Vec::new(),
            verified: 0,
            since: 0,
            lines: Vec::new(),
            poll: 30,
        }
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn who_is_retired_leaves_the_hosts_and_its_machine_is_remembered() {
        let before = known("web1@page web2@page").manifest;
        let after = retiring(&before, &names(&["web2"]));
        assert_eq!(after.hosts.keys().collect::<Vec<_>>(), ["web1"]);
        let gone = Retired { uuid: Uuid::from_u128(2), name: "web2".into(), change: 12 };
        assert_eq!((after.retired.clone(), after.kind), (vec![gone], ChangeKind::Retire));
        assert!(after.follows(Some(&before)).is_ok());
    }

    #[test]
    fn a_renamed_host_is_the_same_machine() {
        let before = known("web1@page web2@page").manifest;
        let after = renaming(&before, "web2", "shop1");
        assert_eq!(after.hosts["shop1"], before.hosts["web2"]);
        assert_eq!((after.hosts.len(), after.kind), (2, ChangeKind::Rename));
    }

    #[test]
    fn those_who_wait_for_a_host_are_named() {
        let check = |hosts: &str, leaving: &[&str], expect: &[&str]| {
            assert_eq!(waiting_for(&known(hosts), &names(leaving)), expect, "{hosts}");
        };
        let waits = "`web1` waits: `theme` (0404040) waits for db1 at `schema` (0101010), db2 at the start";
        check("db1@schema db2@? web1@tuning", &["db2"], &[waits]);
        check("db1@schema db2@? web1@page", &["db1"], &[waits]);
        check("db1@schema db2@? web1@tuning", &["web1"], &[]);
        check("db1@tuning web1@tuning", &["db1"], &[]);
    }

    #[test]
    fn a_place_in_a_pool_is_waited_for_too() {
        let mut known = known("db1@theme web1@tuning web2@theme");
        let claim =
            wb_core::pool::Claim { host: "web2".into(), uuid: Uuid::from_u128(3), nonce: Uuid::nil(), since: 0 };
        known.pools.insert("web".into(), Pool { holders: vec![claim], ..Pool::default() });
        let waits = "`web1` waits: for a place in the pool of web: 1 of 1 out already: web2";
        assert_eq!(waiting_for(&known, &names(&["web2"])), [waits]);
    }

    #[test]
    fn a_role_without_hosts_is_told() {
        let before = known("db1@theme db2@theme web1@theme").manifest;
        let left = |leaving: &[&str]| waits_for_nobody(&before, &retiring(&before, &names(leaving)));
        assert!(left(&["db2", "web1"]).is_empty());
        let nobody = "no host of role `database` is left: `theme` (0404040) waits for all of these, and so for nobody";
        assert_eq!(left(&["db1", "db2"]), [nobody]);
    }

    #[test]
    fn what_other_roles_come_to_is_told() {
        let check = |hosts: &str, roles: &[&str], expect: &[&str]| {
            let known = known(hosts);
            let after = tagging(&known.manifest, "web1", &names(roles));
            assert_eq!(new_roles_mean(&known, &after, "web1"), expect, "{hosts} {roles:?}");
        };
        let two = "`web1` runs 2 migrations of role `database`, out of load: `schema` (0101010) to `tuning` (0303030)";
        check("web1@theme", &["web", "database"], &[two]);
        check("web1@schema", &["web", "database"], &[two]);
        let both = "`web1` runs 2 migrations of role `database`: `schema` (0101010) to `tuning` (0303030)";
        check("web1@?", &["web", "database"], &[both]);
        check("web1@theme", &["web", "cache"], &["`web1` has no migration of role `cache` to run yet"]);
        let lost = "`web1` passes the migrations of role `web` over from now on; what they did there stays";
        check("web1@theme", &[], &[lost]);
    }
}
