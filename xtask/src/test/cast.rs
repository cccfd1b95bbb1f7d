//! Who plays: one host for each set of roles that the herd has, as one of its hosts is, and one for each role of the chain that
//! no host has yet. So each link is run on hosts like those that will run it, in their company.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::{Map, Value};
use wb_core::chain::{Link, Wait};
use wb_core::change::Member;
use wb_core::herd::{Herd, HostEntry};

/// A host of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct Player {
    /// What the others know it by: that of a host of the herd, where there is one.
    pub name: String,
    /// Its roles.
    pub roles: BTreeSet<String>,
    /// Where it is reached.
    pub address: Ipv4Addr,
    /// Its settings, as that host has them.
    pub settings: Map<String, Value>,
}

/// The network of a test.
pub const SUBNET: &str = "10.76.0.0/24";

/// The address of the first player.
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 76, 0, 11);

/// All players. Addresses in settings stay what they are.
#[must_use]
pub fn cast(herd: &Herd, links: &[Link]) -> Vec<Player> {
    let mut players: Vec<Player> = Vec::new();
    for (name, host) in &herd.hosts {
        if players.iter().all(|player| player.roles != host.roles) {
            players.push(Player::like(name, host));
        }
    }
    for link in links {
        if players.iter().all(|player| !player.roles.contains(&link.role)) {
            players.push(Player::of_role(&link.role, &players));
        }
    }
    housed(players)
}

/// All of them, each at an address of its own.
pub(super) fn housed(mut players: Vec<Player>) -> Vec<Player> {
    for (player, place) in players.iter_mut().zip(0..) {
        player.address = Ipv4Addr::from(u32::from(FIRST) + place);
    }
    players
}

/// Those who play where only these roles are to be tested: who has one of them, and whom their links wait for. Where none is
/// named, all.
#[must_use]
pub fn company<'a>(players: &'a [Player], links: &[Link], only: &BTreeSet<String>) -> Vec<&'a Player> {
    let has_any = |player: &Player, roles: &BTreeSet<String>| roles.is_empty() || !player.roles.is_disjoint(roles);
    let (mut wanted, mut known) = (only.clone(), 0);
    while known < wanted.len() {
        known = wanted.len();
        let playing = players.iter().filter(|player| has_any(player, &wanted));
        let roles: BTreeSet<&String> = playing.flat_map(|player| &player.roles).collect();
        let waits = links.iter().filter(|link| roles.contains(&link.role)).flat_map(Link::waits);
        let awaited: Vec<String> = waits.map(Wait::role).filter(|role| !role.is_empty()).map(str::to_owned).collect();
        wanted.extend(awaited);
    }
    players.iter().filter(|player| has_any(player, &wanted)).collect()
}

impl Player {
    pub(super) fn like(name: &str, host: &HostEntry) -> Self {
        let HostEntry { roles, settings, .. } = host.clone();
        Self { name: name.to_owned(), roles, address: FIRST, settings }
    }

    fn of_role(role: &str, others: &[Self]) -> Self {
        let name = role.replace('_', "-");
        let mut names = (1..100).map(|number| format!("{name}{number}"));
        let free = names.find(|name| others.iter().all(|other| other.name != *name));
        let roles = BTreeSet::from([role.to_owned()]);
        Self { name: free.unwrap_or(name), roles, address: FIRST, settings: Map::new() }
    }

    /// What the machine is called, which may have fewer letters in its name.
    #[must_use]
    pub fn machine(&self) -> String {
        self.name.replace('_', "-").trim_end_matches('-').to_owned()
    }

    /// The command that leads into its host, of a herd that has its disks there.
    #[must_use]
    pub fn enter(&self, place: &Path) -> String {
        let herd = place.file_name().unwrap_or_default().to_string_lossy();
        format!("cargo xtask sandbox enter {herd}/{}", self.machine())
    }

    /// As migrations see it.
    #[must_use]
    pub fn member(&self) -> Member {
        let Self { name, roles, address, settings } = self.clone();
        Member { name, roles, address: Some(address.to_string()), settings }
    }
}

#[cfg(test)]
mod tests {
    use wb_core::chain::{Digest, Sha1, Who};

    use super::*;

    /// A link of this role, which may wait for another.
    fn link(role: &str, awaited: &str) -> Link {
        let link = Link::new(format!("{role}_{awaited}"), Sha1::from_bytes([1; 20]), role, Digest::of(b""));
        let wait = (!awaited.is_empty()).then(|| Wait::new(Who::Any { role: awaited.to_owned() }));
        Link { wait, ..link }
    }

    const HERD: &str = "[hosts.db1]\nroles = ['database']\naddress = '192.0.2.1'\nsettings = { a = 1 }\n
        [hosts.web2]\nroles = ['server', 'web']\n[hosts.web_1]\nroles = ['web', 'server']\n[hosts.mail1]\nroles = []";

    fn players(links: &[Link]) -> Vec<Player> {
        cast(&Herd::parse(HERD).unwrap(), links)
    }

    #[test]
    fn each_set_of_roles_has_a_player() {
        let check = |roles: &[&str], expect: &[&str]| {
            let links: Vec<Link> = roles.iter().map(|role| link(role, "")).collect();
            let told = |player: &Player| {
                let roles = player.roles.iter().map(String::as_str).collect::<Vec<_>>().join("+");
                format!("{} {roles} {}", player.name, player.address)
            };
            assert_eq!(players(&links).iter().map(told).collect::<Vec<_>>(), expect);
        };
        let there = ["db1 database 10.76.0.11", "mail1  10.76.0.12", "web2 server+web 10.76.0.13"];
        check(&[], &there);
        check(&["web", "server"], &there);
        let more = ["web-cache1 web_cache 10.76.0.14", "mail2 mail 10.76.0.15"];
        check(&["web_cache", "web", "mail", "web_cache"], &[there.as_slice(), &more].concat());
    }

    #[test]
    fn a_player_is_as_its_host_is() {
        let member = players(&[])[0].member();
        assert_eq!((member.name.as_str(), member.address.as_deref()), ("db1", Some("10.76.0.11")));
        assert_eq!(Value::Object(member.settings), serde_json::json!({ "a": 1 }));
        let named = |name: &str| Player { name: name.into(), ..players(&[])[0].clone() }.machine();
        assert_eq!([named("web_1"), named("web1_"), named("a-b")], ["web-1", "web1", "a-b"]);
        assert_eq!(players(&[])[0].enter(Path::new("/srv/test")), "cargo xtask sandbox enter test/db1");
    }

    #[test]
    fn who_is_waited_for_comes_along() {
        let links = [link("web", "database"), link("database", "backup"), link("backup", ""), link("server", "")];
        let players = players(&links);
        let check = |only: &[&str], expect: &[&str]| {
            let only = only.iter().map(|role| (*role).to_owned()).collect();
            let names: Vec<&str> =
                company(&players, &links, &only).into_iter().map(|player| player.name.as_str()).collect();
            assert_eq!(names, expect);
        };
        check(&[], &["db1", "mail1", "web2", "backup1"]);
        check(&["backup"], &["backup1"]);
        check(&["database"], &["db1", "backup1"]);
        check(&["server"], &["db1", "web2", "backup1"]);
        check(&["none"], &[]);
    }
}
