//! How far the herd is: one line for each host, made of the newest change and of what hosts report.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use wb_core::chain::{Chain, Sha1};
use wb_core::change::{HostManifest, Manifest};
use wb_core::herd::is_name;
use wb_core::plan::{Course, Past};
use wb_core::report::{Doing, Report};
use wb_core::system::clock::{Clock as _, Real};

use crate::calendar::ago;
use crate::fleet::Fleet;
use crate::operator::{Operator, OperatorError};
use crate::shell::Shell;
use crate::table::Table;

/// The herd at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HerdStatus {
    /// The number of the newest change; none when the herd was told nothing yet.
    pub change: Option<u64>,
    /// The link that the herd is to reach.
    pub target: Option<Sha1>,
    /// That link's name.
    pub migration: Option<String>,
    /// Whether every host is at the target, and nothing is wrong.
    pub settled: bool,
    /// The hosts, by name.
    pub hosts: Vec<HostStatus>,
    /// The names of the hosts that left the herd, the last one last.
    pub retired: Vec<String>,
    /// The machines that enrolled and wait to be admitted, by name.
    pub newcomers: BTreeSet<String>,
    /// When this was, in seconds since 1970, UTC.
    pub time: u64,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostStatus {
    /// Its name.
    pub name: String,
    /// What it is.
    pub roles: BTreeSet<String>,
    /// Whether it was admitted.
    pub admitted: bool,
    /// The last link that it completed or passed over.
    pub state: Option<Sha1>,
    /// That link's name.
    pub migration: Option<String>,
    /// How many links it has yet to run, as far as its state tells; nothing when its state is not in the chain, or nobody knows of it.
    pub behind: Option<usize>,
    /// Whether it is at the target, or past it.
    pub at_target: bool,
    /// What it is doing, in a word.
    pub phase: &'static str,
    /// What it waits for, or what is wrong.
    pub detail: String,
    /// Whether nothing is wrong.
    pub healthy: bool,
    /// Whether it has been in load.
    pub in_service: bool,
    /// The newest change that it accepted.
    pub change: Option<u64>,
    /// The link that failed on it, and is not tried again by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<String>,
    /// The links that were done on it by hand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_hand: Vec<Sha1>,
    /// When it reported last, in seconds since 1970, UTC.
    pub reported: Option<u64>,
}

/// Asks the remote how far the herd of `fleet` is.
///
/// # Errors
/// When the remote can't be reached, or the newest change does not count.
pub fn status(fleet: &Fleet, shell: &Shell) -> Result<HerdStatus, OperatorError> {
    let operator = Operator::of(fleet)?;
    let _progress = shell.begin(format!("asking {}", operator.registry().url()));
    of(&operator)
}

/// Asks the remote how far this operator's herd is.
///
/// # Errors
/// When the remote can't be reached, or the newest change does not count.
pub fn of(operator: &Operator) -> Result<HerdStatus, OperatorError> {
    operator.fetch()?;
    let manifest = operator.newest()?.map(|change| change.manifest);
    let reports = manifest.as_ref().map(|manifest| operator.reports(manifest)).transpose()?.unwrap_or_default();
    // Anybody may enrol under any name, and names stand in commands to paste.
    let newcomers = operator.registry().newcomers(manifest.as_ref())?.into_iter().map(|report| report.name);
    let newcomers = newcomers.filter(|name| is_name(name));
    Ok(HerdStatus::of(manifest.as_ref(), &reports, newcomers.collect(), Real.now()))
}

impl HerdStatus {
    /// The herd as these say it.
    #[must_use]
    pub fn of(
        manifest: Option<&Manifest>,
        reports: &BTreeMap<String, Report>,
        newcomers: BTreeSet<String>,
        now: Duration,
    ) -> Self {
        let none = Manifest::default();
        let known = manifest.unwrap_or(&none);
        let target = known.target_link();
        let host = |(name, host): (&String, &_)| HostStatus::of(name, host, known, reports.get(name));
        let hosts: Vec<HostStatus> = known.hosts.iter().map(host).collect();
        Self {
            change: manifest.map(|manifest| manifest.number),
            target: target.map(|link| link.sha1),
            migration: target.map(|link| link.name.clone()),
            settled: target.is_some() && hosts.iter().all(HostStatus::is_settled),
            hosts,
            retired: known.retired.iter().map(|retired| retired.name.clone()).collect(),
            newcomers,
            time: now.as_secs(),
        }
    }

    /// The hosts in lines.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new(&["name", "roles", "state", "behind", "phase", "reported", ""]);
        for host in &self.hosts {
            table.row([
                host.name.clone(),
                host.roles.iter().map(String::as_str).collect::<Vec<_>>().join("+"),
                host.at(),
                host.behind.map_or_else(|| "?".to_owned(), |behind| behind.to_string()),
                host.phase.to_owned(),
                host.reported.map_or_else(|| "never".to_owned(), |time| ago(self.time, time)),
                host.detail.clone(),
            ]);
        }
        table
    }

    /// The names of the hosts on which something failed, each with that link's name.
    pub fn failed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.hosts.iter().filter_map(|host| Some((host.name.as_str(), host.failed_at.as_deref()?)))
    }

    /// All of it in a line.
    #[must_use]
    pub fn summary(&self) -> String {
        let Some(number) = self.change else { return "the herd was told nothing yet".to_owned() };
        let Some((name, sha1)) = self.migration.as_ref().zip(self.target) else {
            return format!("change {number} has no migrations yet");
        };
        let there = self.hosts.iter().filter(|host| host.is_settled()).count();
        format!("change {number}: {there} of {} hosts are at `{name}` ({})", self.hosts.len(), sha1.short())
    }
}

impl HostStatus {
    fn of(name: &str, host: &HostManifest, known: &Manifest, report: Option<&Report>) -> Self {
        let doing = report.map(|report| &report.doing);
        let state = report.and_then(|report| report.state);
        let admitted = host.identity.is_some();
        Self {
            name: name.to_owned(),
            roles: host.roles.clone(),
            admitted,
            state,
            migration: report.and_then(|report| report.link.clone()),
            behind: report.and_then(|_| behind(known, name, host, state)),
            at_target: report.is_some() && is_there(known, name, state),
            phase: if report.is_some_and(|report| report.contested) { CONTESTED } else { phase(admitted, doing) },
            detail: detail(admitted, doing),
            healthy: doing.is_some_and(Doing::is_healthy),
            in_service: report.is_some_and(|report| report.in_service),
            failed_at: doing.and_then(|doing| failed_at(&known.chain, doing)),
            by_hand: report.map(|report| report.by_hand.clone()).unwrap_or_default(),
            change: report.and_then(|report| report.accepted),
            reported: report.map(|report| report.time),
        }
    }

    /// Whether it is where it should be, and nothing is wrong.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.at_target && self.phase == UP_TO_DATE
    }

    fn at(&self) -> String {
        let by_hand = if self.state.is_some_and(|state| self.by_hand.contains(&state)) { ", done by hand" } else { "" };
        match (self.state, &self.migration) {
            (Some(state), Some(name)) => format!("{} {name}{by_hand}", state.short()),
            (Some(state), None) => state.short(),
            (None, _) => "none".to_owned(),
        }
    }
}

const UP_TO_DATE: &str = "up to date";
const CONTESTED: &str = "contested";

/// At the target, or past it.
fn is_there(known: &Manifest, name: &str, state: Option<Sha1>) -> bool {
    let place = |sha1: Option<Sha1>| sha1.and_then(|sha1| known.chain.position(sha1));
    place(state).is_some_and(|state| Some(state) >= place(known.told(name)))
}

/// Links of other roles, and those that a baseline stands for, are passed over in a moment.
fn behind(known: &Manifest, name: &str, host: &HostManifest, state: Option<Sha1>) -> Option<usize> {
    let after = |sha1: Sha1| known.chain.position(sha1).map(|place| place + 1);
    if let Some(state) = state {
        after(state)?;
    }
    let past = Past::told_by(&known.chain, &host.roles, state);
    let told = known.told(name).and_then(after).unwrap_or(0);
    let is_told = |sha1: Sha1| after(sha1).is_some_and(|place| place <= told);
    Some(Course::new(known, known.told(name), host, &past).run_from(state).filter(|link| is_told(link.sha1)).count())
}

fn phase(admitted: bool, doing: Option<&Doing>) -> &'static str {
    match doing {
        None if admitted => "silent",
        None => "expected",
        Some(Doing::Enrolled) => "enrolled",
        Some(Doing::UpToDate) => UP_TO_DATE,
        Some(Doing::Waiting { .. }) => "waiting",
        Some(Doing::Leaving { .. }) => "leaving",
        Some(Doing::Running { .. }) => "running",
        Some(Doing::Rebooting { .. }) => "rebooting",
        Some(Doing::Rejoining { .. }) => "rejoining",
        Some(Doing::Failed(_)) => "failed",
        Some(Doing::Stopped { .. }) => "stopped",
    }
}

/// By the name that the change has for it: it stands in commands to paste, and a host may say anything.
fn failed_at(chain: &Chain, doing: &Doing) -> Option<String> {
    match doing {
        Doing::Failed(failure) => Some(chain.get(failure.link)?.name.clone()),
        _ => None,
    }
}

/// What ends a failure: the commands, in the order in which to think of them.
#[must_use]
pub fn ways_out(host: &str, migration: &str) -> [String; 3] {
    [
        format!("mend the cause on {host}, then cargo xtask retry {host}"),
        format!("or mend the migration, then cargo xtask amend {migration} --why '…', and cargo xtask deploy"),
        format!("or do by hand what it does, then cargo xtask adopt {host} --message '…'"),
    ]
}

fn detail(admitted: bool, doing: Option<&Doing>) -> String {
    match doing {
        None if admitted => "no report of it counts: none came, or another key signed it".to_owned(),
        None => "not admitted yet".to_owned(),
        Some(Doing::Waiting { why, .. } | Doing::Stopped { why }) => why.clone(),
        Some(Doing::Leaving { trouble } | Doing::Rejoining { trouble }) => trouble.clone().unwrap_or_default(),
        Some(Doing::Running { link } | Doing::Rebooting { link, trouble: None }) => format!("`{link}`"),
        Some(Doing::Rebooting { link, trouble: Some(trouble) }) => format!("`{link}`: {trouble}"),
        Some(Doing::Failed(failure)) => {
            format!("`{}` ({}): {}", failure.name, failure.link.short(), failure.error)
        }
        Some(Doing::Enrolled | Doing::UpToDate) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use wb_core::chain::{Digest, Link};
    use wb_core::change::{Identity, Retired};
    use wb_core::report::{Failure, Incarnation};

    use super::*;

    fn link(n: u8) -> Link {
        let name = ["base_packages", "install_nginx", "second_page"][usize::from(n) - 1].to_owned();
        Link::new(name, Sha1::from_bytes([n; 20]), "web", Digest::of(&[n]))
    }

    fn manifest(hosts: &[&str]) -> Manifest {
        let host = |name: &&str| {
            let identity = (*name != "web9").then(|| Identity { uuid: Uuid::nil(), key: String::new() });
            let roles = ["web".to_owned()].into();
            ((*name).to_owned(), HostManifest { roles, identity, ..HostManifest::default() })
        };
        Manifest {
            number: 4,
            chain: Chain::new(vec![link(1), link(2), link(3)]).unwrap(),
            target: Some(link(3).sha1),
            hosts: hosts.iter().map(host).collect(),
            ..Manifest::default()
        }
    }

    fn report(state: Option<u8>, doing: Doing) -> Report {
        Report {
            name: "web".into(),
            uuid: Uuid::nil(),
            key: String::new(),
            time: 1_000_000,
            state: state.map(|n| Sha1::from_bytes([n; 20])),
            link: state.filter(|n| *n < 4).map(|n| link(n).name),
            in_service: true,
            doing,
            accepted: Some(4),
            accepted_commit: None,
            runner: Digest::of(b""),
            incarnation: Incarnation::default(),
            contested: false,
            by_hand: Vec::new(),
            drift: Vec::new(),
            verified: 0,
            since: 0,
            nonce: Uuid::nil(),
            last_nonces: Vec::new(),
            lines: Vec::new(),
            poll: 0,
        }
    }

    fn seen(reports: Vec<(&str, Report)>, hosts: &[&str]) -> HerdStatus {
        let reports = reports.into_iter().map(|(name, report)| (name.to_owned(), report)).collect();
        HerdStatus::of(Some(&manifest(hosts)), &reports, BTreeSet::new(), Duration::from_secs(1_000_090))
    }

    #[test]
    fn every_host_says_where_it_is_and_why() {
        let failure = Failure {
            link: link(3).sha1,
            name: link(3).name,
            digest: Digest::of(b""),
            settings: Digest::of(b""),
            error: "nginx -t\nsays no".into(),
        };
        let status = seen(
            vec![
                ("web1", Report { by_hand: vec![link(3).sha1], ..report(Some(3), Doing::UpToDate) }),
                ("web2", report(Some(2), Doing::Running { link: "second_page".into() })),
                ("web3", report(Some(2), Doing::waiting("1 of 1 out already: web2"))),
                ("web4", report(Some(2), Doing::Failed(failure))),
                ("web5", report(Some(9), Doing::Stopped { why: "the state 0909090 is not in the chain".into() })),
                ("web6", report(None, Doing::Rejoining { trouble: Some("no answer".into()) })),
                ("web8", Report { contested: true, ..report(Some(3), Doing::Stopped { why: "two machines".into() }) }),
            ],
            &["web1", "web2", "web3", "web4", "web5", "web6", "web7", "web8", "web9"],
        );
        insta::assert_snapshot!(format!("{}{}", status.table(), status.summary()));
        assert_eq!(status.failed().collect::<Vec<_>>(), [("web4", "second_page")]);
    }

    #[test]
    fn settled_is_only_a_herd_that_is_all_there_and_well() {
        let check = |state, doing, expect| {
            let status = seen(vec![("web1", report(state, doing))], &["web1"]);
            assert_eq!(status.settled, expect, "{status:?}");
        };
        check(Some(3), Doing::UpToDate, true);
        check(Some(2), Doing::UpToDate, false);
        check(Some(3), Doing::Rejoining { trouble: None }, false);
        check(Some(3), Doing::Stopped { why: String::new() }, false);
        check(Some(9), Doing::UpToDate, false);
        assert!(!seen(vec![("web1", report(Some(3), Doing::UpToDate))], &["web1", "web7"]).settled, "one is silent");
    }

    #[test]
    fn only_links_that_the_host_will_run_are_before_it() {
        let check = |state, roles: &[&str], expect| {
            let mut known = manifest(&["web1"]);
            known.hosts.get_mut("web1").unwrap().roles = roles.iter().map(|role| (*role).to_owned()).collect();
            known.retired.push(Retired { uuid: Uuid::from_u128(3), name: "web3".into(), change: 3 });
            let reports = [("web1".to_owned(), report(state, Doing::UpToDate))].into();
            let status = HerdStatus::of(Some(&known), &reports, BTreeSet::new(), Duration::ZERO);
            assert_eq!((status.hosts[0].behind, status.hosts.len()), (expect, 1), "{roles:?}");
            assert_eq!(status.retired, ["web3"]);
        };
        check(Some(1), &["web"], Some(2));
        check(Some(1), &["database"], Some(0));
        check(None, &["database", "web"], Some(3));
        check(Some(9), &["database"], None);
    }

    #[test]
    fn a_host_that_reboots_names_its_link() {
        let check = |trouble: Option<&str>, expect: &str| {
            let doing = Doing::Rebooting { link: "page".into(), trouble: trouble.map(Into::into) };
            assert_eq!((phase(true, Some(&doing)), detail(true, Some(&doing)).as_str()), ("rebooting", expect));
        };
        check(None, "`page`");
        check(Some("still up"), "`page`: still up");
    }

    #[test]
    fn a_herd_that_was_told_nothing_is_not_settled() {
        let status = HerdStatus::of(None, &BTreeMap::new(), BTreeSet::new(), Duration::ZERO);
        assert_eq!((status.settled, status.summary().as_str()), (false, "the herd was told nothing yet"));
    }
}
