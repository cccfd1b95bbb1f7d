//! Who rolls: of each set of roles as many hosts as it takes to see that they take turns, and no more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wb_core::chain::Link;
use wb_core::change::RolePolicy;
use wb_core::context::MaxOut;
use wb_core::herd::Herd;

use super::cast::{Player, cast, housed};

/// At least so many hosts have the same roles.
const LEAST: usize = 3;

/// At most so many have.
const MOST: usize = 24;

/// So many have at most where more would not show it either.
const IN_VAIN: usize = 8;

/// The network of a test has room for so many in all.
const ROOM: usize = 240;

/// The hosts of a roll: those of the herd, and where these are too few, others that are like them.
#[must_use]
pub fn crowd(herd: &Herd, links: &[Link], policies: &BTreeMap<String, RolePolicy>) -> Vec<Player> {
    let (mut crowd, players) = (Vec::<Player>::new(), cast(herd, links));
    let most = (ROOM / players.len().max(1)).clamp(LEAST, MOST);
    for player in players {
        let strength = strength(&player.roles, policies, most);
        let like = herd.hosts.iter().filter(|(_, host)| host.roles == player.roles);
        let mut alike: Vec<Player> = like.take(strength).map(|(name, host)| Player::like(name, host)).collect();
        if alike.is_empty() {
            alike.push(player.clone());
        }
        let names = (2..).map(|number| format!("{}-{number}", player.name));
        let free = names.filter(|name| !herd.hosts.contains_key(name));
        let missing = strength.saturating_sub(alike.len());
        alike.extend(free.take(missing).map(|name| stand_in(&player, name)));
        crowd.extend(alike);
    }
    housed(crowd)
}

/// A host like another one. What names that one in its settings, as a hostname does, names this one.
fn stand_in(model: &Player, name: String) -> Player {
    let settings = model.settings.iter().map(|(key, value)| (key.clone(), renamed(value, &model.name, &name)));
    Player { settings: settings.collect(), name, ..model.clone() }
}

fn renamed(value: &Value, from: &str, to: &str) -> Value {
    match value {
        Value::String(text) => Value::String(renamed_in(text, from, to)),
        Value::Array(all) => all.iter().map(|one| renamed(one, from, to)).collect(),
        Value::Object(all) => all.iter().map(|(key, one)| (key.clone(), renamed(one, from, to))).collect(),
        other => other.clone(),
    }
}

/// Where the name is a part of a longer one, it is another one's.
fn renamed_in(text: &str, from: &str, to: &str) -> String {
    let in_name = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let (mut said, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(from) {
        let is_whole = !before.ends_with(in_name) && !after.starts_with(in_name);
        said.extend([before, if is_whole { to } else { from }]);
        rest = after;
    }
    said + rest
}

/// The roles of which more hosts may be out of load at once than a roll can show.
#[must_use]
pub fn beyond(crowd: &[Player], policies: &BTreeMap<String, RolePolicy>) -> Vec<String> {
    let beyond = policies.iter().filter(|(role, policy)| is_beyond(role, policy.max_out, crowd));
    beyond.map(|(role, _)| role.clone()).collect()
}

fn is_beyond(role: &str, limit: MaxOut, crowd: &[Player]) -> bool {
    let hosts = crowd.iter().filter(|player| player.roles.contains(role)).count();
    hosts > 0 && !is_shown_by(limit, hosts)
}

fn strength(roles: &BTreeSet<String>, policies: &BTreeMap<String, RolePolicy>, most: usize) -> usize {
    let is_enough = |hosts: &usize| {
        let mut limits = roles.iter().filter_map(|role| policies.get(role)).map(|policy| policy.max_out);
        limits.all(|limit| is_shown_by(limit, *hosts))
    };
    (LEAST..=most).find(is_enough).unwrap_or(most.min(IN_VAIN))
}

/// Whether two of so many hosts bear load when all are out that may be. Who may all be out takes no turns.
fn is_shown_by(limit: MaxOut, hosts: usize) -> bool {
    matches!(limit, MaxOut::Percent(100..)) || limit.of(hosts) + 2 <= hosts
}

#[cfg(test)]
mod tests {
    use wb_core::chain::{Digest, Sha1};

    use super::*;

    const HERD: &str = "[hosts.db1]\nroles = ['database']\nsettings = { a = 1 }\n[hosts.web1]\nroles = ['web']\n
        [hosts.web2]\nroles = ['web']\n[hosts.web3]\nroles = ['web']\n[hosts.web4]\nroles = ['web']\n
        [hosts.db1-2]\nroles = ['web']";

    fn policies(limits: &[(&str, MaxOut)]) -> BTreeMap<String, RolePolicy> {
        limits.iter().map(|(role, limit)| ((*role).to_owned(), RolePolicy::new(*limit))).collect()
    }

    #[test]
    fn two_bear_load_whoever_is_out() {
        let check = |limits: &[(&str, MaxOut)], expect| {
            let roles = limits.iter().map(|(role, _)| (*role).to_owned()).chain(["unknown".to_owned()]).collect();
            assert_eq!(strength(&roles, &policies(limits), MOST), expect, "{limits:?}");
        };
        check(&[], 3);
        check(&[("web", MaxOut::Hosts(1))], 3);
        check(&[("web", MaxOut::Hosts(2))], 4);
        check(&[("web", MaxOut::Hosts(6))], 8);
        check(&[("web", MaxOut::Hosts(22))], 24);
        check(&[("web", MaxOut::Hosts(23))], 8);
        check(&[("web", MaxOut::Percent(34))], 3);
        check(&[("web", MaxOut::Percent(50))], 3);
        check(&[("web", MaxOut::Percent(75))], 5);
        check(&[("web", MaxOut::Percent(90))], 11);
        check(&[("web", MaxOut::Percent(99))], 8);
        check(&[("web", MaxOut::Percent(100))], 3);
        check(&[("web", MaxOut::Hosts(2)), ("server", MaxOut::Percent(100))], 4);
    }

    #[test]
    fn where_there_is_no_room_it_is_not_shown() {
        let roles: BTreeSet<String> = ["web".to_owned()].into();
        let policies = policies(&[("web", MaxOut::Hosts(3))]);
        let check = |most, expect| assert_eq!(strength(&roles, &policies, most), expect, "{most}");
        check(MOST, 5);
        check(5, 5);
        check(4, 4);
        let herd: String = (1..=60).map(|n| format!("[hosts.h{n}]\nroles = ['web', 'r{n}']\n")).collect();
        let crowd = crowd(&Herd::parse(&herd).unwrap(), &[], &policies);
        assert_eq!((crowd.len(), crowd[239].address.to_string().as_str()), (240, "10.76.0.250"));
    }

    #[test]
    fn hosts_of_the_herd_come_first() {
        let link = Link::new("index", Sha1::from_bytes([1; 20]), "search_engine", Digest::of(b""));
        let herd = Herd::parse(HERD).unwrap();
        let crowd = crowd(&herd, &[link], &policies(&[("web", MaxOut::Hosts(2)), ("search_engine", MaxOut::Hosts(1))]));
        let names: Vec<&str> = crowd.iter().map(|player| player.name.as_str()).collect();
        let expect = [
            "db1",
            "db1-3",
            "db1-4",
            "db1-2",
            "web1",
            "web2",
            "web3",
            "search-engine1",
            "search-engine1-2",
            "search-engine1-3",
        ];
        assert_eq!(names, expect);
        assert_eq!(crowd[1].settings, crowd[0].settings);
        let addresses: BTreeSet<_> = crowd.iter().map(|player| player.address).collect();
        assert_eq!((addresses.len(), crowd[9].address.to_string().as_str()), (10, "10.76.0.20"));
    }

    #[test]
    fn who_stands_in_for_a_host_goes_by_its_own_name() {
        let check = |text: &str, expect: &str| assert_eq!(renamed_in(text, "db1", "db1-2"), expect);
        check("db1", "db1-2");
        check("db1.shop.example, and db1", "db1-2.shop.example, and db1-2");
        check("postgres://db1:5432", "postgres://db1-2:5432");
        check("db10 old-db1 db1-3 db1_x", "db10 old-db1 db1-3 db1_x");
        let herd =
            Herd::parse("[hosts.db1]\nroles = ['database']\n[hosts.db1.settings.network]\nnames = ['db1.example']");
        let crowd = crowd(&herd.unwrap(), &[], &BTreeMap::new());
        assert_eq!(crowd[2].settings["network"], serde_json::json!({ "names": ["db1-3.example"] }));
    }

    #[test]
    fn what_is_beyond_a_roll_is_known() {
        let limits = [("web", MaxOut::Hosts(23)), ("database", MaxOut::Hosts(1)), ("mail", MaxOut::Hosts(23))];
        let policies = policies(&limits);
        let crowd = crowd(&Herd::parse(HERD).unwrap(), &[], &policies);
        assert_eq!(beyond(&crowd, &policies), ["web"]);
    }
}
