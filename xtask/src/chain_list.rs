//! The chain as a list: what each link is, who wrote it and when, and how many hosts are at or past it.

use std::collections::BTreeMap;

use serde::Serialize;
use wb_core::chain::{Digest, Link, Pin, Range, Sha1, Wait};
use wb_core::change::Manifest;
use wb_core::registry::{Byline, Resolved};
use wb_core::report::Report;

use crate::calendar::{day, moment};
use crate::table::Table;

/// A link in the list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listed {
    /// Counted from 1.
    pub position: usize,
    /// Who it is; nothing for a draft.
    pub sha1: Option<Sha1>,
    /// Its name.
    pub name: String,
    /// Whose hosts run it.
    pub role: String,
    /// What it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// What its code waits for, as far as that stands there in full.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits_in_code: Vec<Wait>,
    /// Whether hosts run it in load, without taking turns.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub in_load: bool,
    /// The links that it stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Range>,
    /// What it says.
    pub digest: Digest,
    /// How far it has come, in a word.
    pub state: &'static str,
    /// Who wrote the commit that introduced it, where that commit is here.
    pub author: Option<String>,
    /// When they did, as `2001-09-09T01:46:40Z`.
    pub date: Option<String>,
    /// How many hosts are at or past it, where anybody knows.
    pub hosts: Option<Reached>,
    /// The hosts on which it was done by hand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_hand: Vec<String>,
    #[serde(skip)]
    day: Option<String>,
}

/// How many hosts are at or past a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reached {
    /// Hosts that completed it, or passed it over.
    pub at_or_past: usize,
    /// All admitted hosts.
    pub of: usize,
    /// Hosts of the link's role among the former.
    pub of_role_at_or_past: usize,
    /// Hosts of the link's role among the latter.
    pub of_role: usize,
    /// When the remote was asked, as `2001-09-09T01:46:40Z`.
    pub as_of: Option<String>,
}

/// What was heard of the herd.
#[derive(Debug, Clone, PartialEq)]
pub struct Herd {
    /// The newest change.
    pub manifest: Manifest,
    /// The reports of admitted hosts, by name.
    pub reports: BTreeMap<String, Report>,
    /// When the remote was asked, in seconds since 1970, UTC.
    pub asked: Option<u64>,
}

/// All links of a chain, in their order.
#[must_use]
pub fn list(resolved: &Resolved, bylines: &BTreeMap<Sha1, Byline>, herd: Option<&Herd>) -> Vec<Listed> {
    let pins = resolved.lock.by_name();
    let listed = resolved.links.iter().enumerate().map(|(index, link)| {
        let byline = bylines.get(&link.sha1);
        Listed {
            position: index + 1,
            sha1: (!link.is_draft()).then_some(link.sha1),
            name: link.name.clone(),
            role: link.role.clone(),
            wait: link.wait.clone(),
            waits_in_code: link.inside.clone(),
            in_load: link.in_load,
            replaces: link.replaces,
            digest: link.digest,
            state: state(link, pins.get(link.name.as_str()).copied()),
            author: byline.map(|byline| byline.author.clone()),
            date: byline.map(|byline| moment(byline.time)),
            hosts: herd.filter(|_| !link.is_draft()).map(|herd| herd.reached(link)),
            by_hand: herd.map(|herd| herd.by_hand(link)).unwrap_or_default(),
            day: byline.map(|byline| day(byline.time)),
        }
    });
    listed.collect()
}

/// The list in lines.
#[must_use]
pub fn table(links: &[Listed]) -> Table {
    let mut table = Table::new(&["#", "sha1", "name", "role", "author", "date", "hosts", "state"]);
    let known = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for link in links {
        table.row([
            link.position.to_string(),
            known(link.sha1.map(|sha1| sha1.short())),
            link.name.clone(),
            link.role.clone(),
            known(link.author.clone()),
            known(link.day.clone()),
            known(link.hosts.as_ref().map(|hosts| format!("{}/{}", hosts.at_or_past, hosts.of))),
            what(link),
        ]);
    }
    table
}

fn what(link: &Listed) -> String {
    let baseline = if link.replaces.is_some() { ", baseline" } else { "" };
    let in_load = if link.in_load { ", in load" } else { "" };
    match link.by_hand.as_slice() {
        [] => format!("{}{baseline}{in_load}", link.state),
        hosts => format!("{}{baseline}{in_load}, done by hand on {}", link.state, hosts.join(", ")),
    }
}

fn state(link: &Link, pin: Option<&Pin>) -> &'static str {
    match pin {
        _ if link.is_draft() => "draft",
        None => "landed",
        Some(_) if link.gone => "replaced",
        Some(pin) if pin.amended.is_some() => "amended",
        Some(pin) if pin.imported => "imported",
        Some(_) => "pinned",
    }
}

impl Herd {
    fn by_hand(&self, link: &Link) -> Vec<String> {
        let reports = self.reports.iter().filter(|(_, report)| report.by_hand.contains(&link.sha1));
        reports.map(|(name, _)| name.clone()).collect()
    }

    fn reached(&self, link: &Link) -> Reached {
        let chain = &self.manifest.chain;
        let place = chain.position(link.sha1);
        let is_there = |name: &String| {
            let state = self.reports.get(name).and_then(|report| report.state);
            place.is_some_and(|place| state.and_then(|state| chain.position(state)).is_some_and(|at| at >= place))
        };
        let admitted = || self.manifest.hosts.iter().filter(|(_, host)| host.identity.is_some());
        let of_role = || admitted().filter(|(_, host)| host.roles.contains(&link.role));
        Reached {
            at_or_past: admitted().filter(|(name, _)| is_there(name)).count(),
            of: admitted().count(),
            of_role_at_or_past: of_role().filter(|(name, _)| is_there(name)).count(),
            of_role: of_role().count(),
            as_of: self.asked.map(moment),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use wb_core::chain::{Chain, Lock, Reach, Written};
    use wb_core::change::{HostManifest, Identity};
    use wb_core::report::{Doing, Incarnation};

    use super::*;

    fn link(n: u8, role: &str) -> Link {
        let name = ["draft", "base_packages", "install_nginx", "second_page"][usize::from(n)];
        Link::new(name, Sha1::from_bytes([n; 20]), role, Digest::of(&[n]))
    }

    fn resolved() -> Resolved {
        let links = vec![link(1, "server"), link(2, "web"), link(3, "web"), link(0, "web")];
        let mut lock = Lock::default().pinning(&links[..2]);
        lock.pins[1].amended = Some(Digest::of(b""));
        Resolved {
            crate_dir: "/fleet".into(),
            links,
            mistakes: Vec::new(),
            written: Written::default(),
            reach: Reach::Complete,
            landed: std::collections::BTreeMap::new(),
            lock,
        }
    }

    fn herd(hosts: &[(&str, &str, Option<u8>)]) -> Herd {
        let host = |(name, role, _): &(&str, &str, Option<u8>)| {
            let identity = (*name != "new").then(|| Identity { uuid: Uuid::nil(), key: String::new() });
            (
                (*name).to_owned(),
                HostManifest { roles: [(*role).to_owned()].into(), identity, ..HostManifest::default() },
            )
        };
        let manifest = Manifest {
            chain: Chain::new(resolved().links[..3].to_vec()).unwrap(),
            hosts: hosts.iter().map(host).collect(),
            ..Manifest::default()
        };
        let reports = hosts.iter().map(|(name, _, state)| ((*name).to_owned(), report(*state))).collect();
        Herd { manifest, reports, asked: Some(1_000_000_000) }
    }

    fn report(state: Option<u8>) -> Report {
        Report {
            name: String::new(),
            uuid: Uuid::nil(),
            key: String::new(),
            time: 0,
            state: state.map(|n| Sha1::from_bytes([n; 20])),
            link: None,
            in_service: true,
            doing: Doing::UpToDate,
            accepted: None,
            accepted_commit: None,
            runner: Digest::of(b""),
            incarnation: Incarnation::default(),
            contested: false,
            by_hand: Vec::new(),
            drift: Vec::new(),
            verified: 0,
            since: 0,
            nonce: Uuid::nil(),
            heard: 0,
            baked: None,
            announced: None,
            last_nonces: Vec::new(),
            lines: Vec::new(),
            poll: 0,
        }
    }

    fn bylines() -> BTreeMap<Sha1, Byline> {
        let byline = |n: u8, author: &str| {
            let sha1 = Sha1::from_bytes([n; 20]);
            (sha1, Byline { sha1, author: author.to_owned(), time: 1_000_000_000 + u64::from(n) * 86_400 })
        };
        [byline(1, "Ana"), byline(2, "Łukasz")].into()
    }

    #[test]
    fn the_table_says_what_is_known() {
        let mut herd = herd(&[
            ("db1", "database", Some(1)),
            ("web1", "web", Some(2)),
            ("web2", "web", Some(3)),
            ("web3", "web", None),
            ("lost", "web", Some(9)),
            ("new", "web", None),
        ]);
        herd.reports.get_mut("web2").unwrap().by_hand = vec![Sha1::from_bytes([2; 20])];
        insta::assert_snapshot!("known", table(&list(&resolved(), &bylines(), Some(&herd))));
        insta::assert_snapshot!("unknown", table(&list(&resolved(), &BTreeMap::new(), None)));
    }

    #[test]
    fn hosts_of_the_role_are_counted_too() {
        let herd = herd(&[("db1", "database", Some(3)), ("web1", "web", Some(2)), ("web2", "web", Some(3))]);
        let listed = list(&resolved(), &bylines(), Some(&herd));
        let as_of = Some("2001-09-09T01:46:40Z".to_owned());
        let expect = Reached { at_or_past: 2, of: 3, of_role_at_or_past: 1, of_role: 2, as_of };
        assert_eq!(listed[2].hosts, Some(expect));
    }

    #[test]
    fn what_is_run_in_load_is_said_to_be() {
        let mut resolved = resolved();
        resolved.links[0].in_load = true;
        let said: Vec<String> = list(&resolved, &bylines(), None).iter().map(what).collect();
        assert_eq!(
            said.iter().map(|what| what.ends_with(", in load")).collect::<Vec<_>>(),
            [true, false, false, false]
        );
    }

    #[test]
    fn json_has_it_all() {
        let listed = list(&resolved(), &bylines(), Some(&herd(&[("web1", "web", Some(2))])));
        insta::assert_snapshot!(serde_json::to_string_pretty(&listed[1]).unwrap());
    }

    #[test]
    fn programs_learn_what_code_waits_for() {
        let mut resolved = resolved();
        resolved.links[1].inside = vec!["all(\"server\")".parse().unwrap()];
        let listed = serde_json::to_value(list(&resolved, &BTreeMap::new(), None)).unwrap();
        assert_eq!(listed[1]["waits_in_code"], serde_json::json!([{ "all": { "role": "server" } }]));
        assert!(listed[0].get("waits_in_code").is_none());
    }
}
