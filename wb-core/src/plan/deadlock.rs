//! Whether the waits of a chain can keep a herd from its end for ever.
//!
//! A wait means *at or past*, so a host that goes on never takes anything from another. Which of two hosts goes first makes
//! no difference therefore: let all go as far as they can, again and again, and whoever is not at the end then will never
//! be. One walk for each herd is the whole proof. It is made for the herd as it would be made anew, for each host alone, and
//! for each host that is restored to its beginning while the others are at the end. What keeps hosts back but waits (holds,
//! failures, places in a pool) is left out: people, or time, end it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Course, Past, needed};
use crate::chain::{Chain, Link, Wait};

/// Which herd can't reach the end of its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scene {
    /// All hosts are new.
    Fresh,
    /// There is one host, and it is new.
    Lone(String),
    /// One host was restored to the beginning; all others are at the end.
    Restored(String),
}

/// A host that can't go on, and another that could let it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// The host.
    pub host: String,
    /// The link that it can't begin, or can't end.
    pub link: Link,
    /// The host that is not there.
    pub other: String,
    /// Where that is to be at, or past.
    pub needed: Link,
}

/// Hosts each of which waits for the next one, and the last for the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadlock {
    /// In which herd.
    pub scene: Scene,
    /// Who waits, in order. Where the last of them does not wait for the first, the first ones wait for a cycle.
    pub cycle: Vec<Blocked>,
}

/// Hosts by name, with their roles.
pub type Roles = BTreeMap<String, BTreeSet<String>>;

/// The deadlocks of a herd of these hosts, at most one for each scene; `inside` are the waits in the code of links, by
/// the link's name. For a role that no host has there are two imaginary ones.
#[must_use]
pub fn deadlocks(chain: &Chain, hosts: &Roles, inside: &BTreeMap<String, Vec<Wait>>) -> Vec<Deadlock> {
    let hosts = peopled(chain, hosts);
    let end = chain.links().len();
    let fresh = hosts.keys().map(|host| (host.as_str(), 0)).collect();
    let mut scenes = vec![(Scene::Fresh, fresh)];
    for host in hosts.keys() {
        scenes.push((Scene::Lone(host.clone()), [(host.as_str(), 0)].into()));
        let restored = hosts.keys().map(|other| (other.as_str(), if other == host { 0 } else { end })).collect();
        scenes.push((Scene::Restored(host.clone()), restored));
    }
    let runs = hosts.iter().map(|(host, roles)| (host.as_str(), runs(chain, roles))).collect();
    let walk = |(scene, at)| {
        let herd = Herd { chain, hosts: &hosts, runs: &runs, inside, at };
        herd.stuck().map(|cycle| Deadlock { scene, cycle })
    };
    scenes.into_iter().filter_map(walk).collect()
}

/// Which links a host of these roles runs, by their place.
fn runs(chain: &Chain, roles: &BTreeSet<String>) -> Vec<bool> {
    let (past, tip) = (Past::default(), chain.tip().map(|tip| tip.sha1));
    let course = Course::along(chain, tip, roles, &past);
    chain.links().iter().map(|link| course.runs(link)).collect()
}

fn peopled(chain: &Chain, hosts: &Roles) -> Roles {
    let waits = chain.links().iter().filter_map(|link| link.wait.as_ref());
    let needed = chain.links().iter().map(|link| link.role.as_str()).chain(waits.map(Wait::role));
    let missing: BTreeSet<&str> = needed.filter(|role| !hosts.values().any(|roles| roles.contains(*role))).collect();
    let imaginary = missing.into_iter().flat_map(|role| {
        ["a", "another"].map(|which| (format!("{which} host of role {role}"), [role.to_owned()].into()))
    });
    hosts.iter().map(|(host, roles)| (host.clone(), roles.clone())).chain(imaginary).collect()
}

/// Hosts on their way: by name, how many links each has behind it.
struct Herd<'a> {
    chain: &'a Chain,
    hosts: &'a Roles,
    runs: &'a BTreeMap<&'a str, Vec<bool>>,
    inside: &'a BTreeMap<String, Vec<Wait>>,
    at: BTreeMap<&'a str, usize>,
}

impl Herd<'_> {
    /// Lets all go as far as they can, and gives those that wait for each other then.
    fn stuck(mut self) -> Option<Vec<Blocked>> {
        let hosts: Vec<&str> = self.at.keys().copied().collect();
        let mut moved = true;
        while moved {
            moved = false;
            for host in &hosts {
                while self.can_go_on(host) {
                    self.at.entry(host).and_modify(|at| *at += 1);
                    moved = true;
                }
            }
        }
        let first = hosts.into_iter().find(|host| self.blocked(host).is_some())?;
        Some(self.cycle_from(first))
    }

    fn can_go_on(&self, host: &str) -> bool {
        self.at[host] < self.chain.links().len() && self.blocked(host).is_none()
    }

    /// Who keeps a host from ending its next link.
    fn blocked(&self, host: &str) -> Option<Blocked> {
        let link = self.chain.links().get(self.at[host])?;
        if !self.runs[host][self.at[host]] {
            return None;
        }
        let inside = self.inside.get(&link.name).into_iter().flatten();
        let (needed, other) = link.wait.iter().chain(inside).find_map(|wait| self.lacks(host, link, wait))?;
        Some(Blocked { host: host.to_owned(), link: link.clone(), other, needed })
    }

    /// What a wait wants that is not so, and the first host that is not there.
    fn lacks(&self, host: &str, link: &Link, wait: &Wait) -> Option<(Link, String)> {
        let needed = needed(self.chain, wait, link.sha1)?;
        let has_role = |name: &str| self.hosts[name].contains(wait.role());
        let others: Vec<&str> = self.at.keys().copied().filter(|name| *name != host && has_role(name)).collect();
        let behind: Vec<&str> = others.iter().copied().filter(|name| self.at[name] <= needed).collect();
        let holds = others.len() - behind.len() >= wait.who.needs(others.len());
        let other = behind.first().filter(|_| !holds)?;
        Some((self.chain.links()[needed].clone(), (*other).to_owned()))
    }

    /// Whoever is waited for waits too, or it would have gone on: so the way comes back to itself.
    fn cycle_from(&self, first: &str) -> Vec<Blocked> {
        let mut cycle: Vec<Blocked> = Vec::new();
        let mut host = first.to_owned();
        while !cycle.iter().any(|blocked| blocked.host == host) {
            let Some(blocked) = self.blocked(&host) else { break };
            host.clone_from(&blocked.other);
            cycle.push(blocked);
        }
        let begin = cycle.iter().position(|blocked| blocked.host == host).unwrap_or(0);
        cycle.split_off(begin)
    }
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh => write!(f, "a new herd"),
            Self::Lone(host) => write!(f, "{host}, alone and new,"),
            Self::Restored(host) => write!(f, "a herd whose {host} is restored"),
        }
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, link, other, needed } = self;
        match host == other || link.sha1 == needed.sha1 {
            true => write!(f, "{link} on {host} waits for {other} to have {link} itself behind it"),
            false => write!(f, "{link} on {host} waits for {other} to be at or past {needed}"),
        }
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cycle: Vec<String> = self.cycle.iter().map(ToString::to_string).collect();
        write!(f, "{} waits for ever: {}", self.scene, cycle.join(", and "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chain::{Digest, Sha1, Who};

    /// A chain of links `role/name`, each perhaps with `: wait` behind it.
    fn chain(links: &[&str]) -> Chain {
        let link = |(n, text): (usize, &&str)| {
            let (head, wait) = text.split_once(": ").map_or((*text, None), |(head, wait)| (head, Some(wait)));
            let (role, name) = head.split_once('/').unwrap();
            let n = u8::try_from(n + 1).unwrap();
            let link = Link::new(name, Sha1::from_bytes([n; 20]), role, Digest::of(&[n]));
            Link { wait: wait.map(|wait| wait.parse().unwrap()), ..link }
        };
        Chain::new(links.iter().enumerate().map(link).collect()).unwrap()
    }

    /// Hosts `name=role+role`.
    fn hosts(text: &str) -> Roles {
        let host = |word: &str| {
            let (name, roles) = word.split_once('=').unwrap();
            (name.to_owned(), roles.split('+').map(str::to_owned).collect())
        };
        text.split_whitespace().map(host).collect()
    }

    fn said(links: &[&str], herd: &str, inside: &[(&str, &str)]) -> String {
        let inside = inside.iter().map(|(link, wait)| ((*link).to_owned(), vec![wait.parse().unwrap()])).collect();
        let found = deadlocks(&chain(links), &hosts(herd), &inside);
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_comes_before_may_be_waited_for() {
        let check = |links: &[&str], herd| assert_eq!(said(links, herd, &[]), "", "{links:?} {herd}");
        let all =
            [r#"db/install: all("web")"#, r#"web/page: all("db")"#, r#"web/next: count("web", 2, reached("page"))"#];
        check(&all, "db1=db web1=web web2=web");
        check(&all, "one=db+web");
        check(&all, "");
        check(&[r#"web/page: any("db")"#], "web1=web");
    }

    #[test]
    fn what_waits_for_what_comes_later_is_shown_with_its_cycle() {
        let links = ["db/install", r#"web/switch: all("db", reached("grow"))"#, r#"db/grow: all("web")"#];
        insta::assert_snapshot!(said(&links, "db1=db web1=web", &[]), @"a new herd waits for ever: `grow` (0303030) on db1 waits for web1 to be at or past `switch` (0202020), and `switch` (0202020) on web1 waits for db1 to be at or past `grow` (0303030)");
    }

    #[test]
    fn code_that_waits_counts_as_attributes_do() {
        let links = ["db/install", "db/switch", r#"web/page: all("db")"#];
        insta::assert_snapshot!(said(&links, "db1=db web1=web", &[("switch", r#"all("web", reached("page"))"#)]), @"a new herd waits for ever: `switch` (0202020) on db1 waits for web1 to be at or past `page` (0303030), and `page` (0303030) on web1 waits for db1 to be at or past `switch` (0202020)");
    }

    #[test]
    fn a_link_that_waits_for_itself_is_found_without_hosts() {
        insta::assert_snapshot!(said(&[r#"web/page: any("web", reached("page"))"#], "", &[]), @"a new herd waits for ever: `page` (0101010) on a host of role web waits for another host of role web to have `page` (0101010) itself behind it, and `page` (0101010) on another host of role web waits for a host of role web to have `page` (0101010) itself behind it");
    }

    proptest! {
        /// Only a wait for what comes at the link itself or after it can be one for ever.
        #[test]
        fn waits_for_what_comes_before_never_lock(
            words in prop::collection::vec((0usize..3, 0usize..4, 0usize..3, 0usize..12), 1..12),
            herd in prop::collection::vec(0usize..3, 0..6),
        ) {
            const ROLES: [&str; 3] = ["web", "db", "lb"];
            let name = |n: usize| format!("m{n}");
            let links = words.iter().enumerate().map(|(n, (role, kind, of, back))| {
                let role_of = ROLES[*of].to_owned();
                let who = match kind { 0 => None, 1 => Some(Who::All { role: role_of }), 2 => Some(Who::Any { role: role_of }),
                    _ => Some(Who::Count { role: role_of, hosts: 2 }) };
                let reached = (n > 0 && *back < n).then(|| name(n - 1 - back));
                let byte = u8::try_from(n + 1).unwrap();
                let link = Link::new(name(n), Sha1::from_bytes([byte; 20]), ROLES[*role], Digest::of(&[byte]));
                Link { wait: who.map(|who| Wait { reached, ..Wait::new(who) }), ..link }
            });
            let chain = Chain::new(links.collect()).unwrap();
            let hosts = herd.iter().enumerate().map(|(n, role)| (format!("h{n}"), [ROLES[*role].to_owned()].into())).collect();
            prop_assert!(deadlocks(&chain, &hosts, &BTreeMap::new()).is_empty());
        }
    }
}
