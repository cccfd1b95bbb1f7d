//! Who plays: five hosts, their roles and addresses, and a git server.

use std::net::Ipv4Addr;

use serde_json::{Map, json};

use crate::test::cast::Player;

/// A host of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) roles: &'static [&'static str],
    last: u8,
}

/// The network that they are in.
pub(super) const SUBNET: &str = "10.77.0.0/24";

/// How often they look at the remote.
pub(super) const POLL: &str = "1s";

/// The hosts, in the order in which they are shown.
pub(super) const CAST: [Part; 5] = [
    Part { name: "lb1", roles: &["server", "load_balancer"], last: 10 },
    Part { name: "web1", roles: &["server", "web"], last: 11 },
    Part { name: "web2", roles: &["server", "web"], last: 12 },
    Part { name: "web3", roles: &["server", "web"], last: 13 },
    Part { name: "db1", roles: &["server", "database"], last: 20 },
];

impl Part {
    /// Its address.
    pub(super) fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, self.last)
    }

    fn player(self) -> Player {
        let roles = self.roles.iter().map(|role| (*role).to_owned()).collect();
        let network = json!({ "hostname": format!("{}.shop.example", self.name) });
        let settings = Map::from_iter([("network".to_owned(), network)]);
        Player { name: self.name.to_owned(), roles, address: self.address(), settings }
    }
}

/// All of them, as a stage has them.
pub(super) fn players() -> Vec<Player> {
    CAST.into_iter().map(Part::player).collect()
}

/// The load balancer.
pub(super) fn balancer() -> Part {
    CAST[0]
}

#[cfg(test)]
mod tests {
    use wb_core::herd::Herd;

    use super::*;
    use crate::stage::herd_toml;

    #[test]
    fn the_herd_is_one_that_can_be_read() {
        let herd = herd_toml("ssh://git@10.77.0.2/srv/git/herd.git", &players()).unwrap();
        let herd = Herd::parse(&herd).unwrap();
        assert_eq!(herd.with_role("web").collect::<Vec<_>>(), ["web1", "web2", "web3"]);
        assert_eq!(herd.hosts["lb1"].address.as_deref(), Some("10.77.0.10"));
    }
}
