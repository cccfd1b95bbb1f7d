//! Who plays: five hosts, their roles and addresses, and a git server.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// A host of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) roles: &'static [&'static str],
    last: u8,
}

/// The network that they are in.
pub(super) const SUBNET: &str = "10.77.0.0/24";

/// The git server's address.
pub(super) const GIT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

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
        let [a, b, c, _] = GIT.octets();
        Ipv4Addr::new(a, b, c, self.last)
    }
}

/// The load balancer's address.
pub(super) fn balancer() -> Ipv4Addr {
    CAST[0].address()
}

/// The `herd.toml` of the demo's fleet.
pub(super) fn herd_toml(remote: &str) -> String {
    let mut text = format!("[herd]\nremote = \"{remote}\"\n");
    for part in CAST {
        let roles: Vec<String> = part.roles.iter().map(|role| format!("\"{role}\"")).collect();
        let (name, address) = (part.name, part.address());
        // Writing to a string can't fail.
        let _ = write!(text, "\n[hosts.{name}]\nroles = [{}]\naddress = \"{address}\"\n", roles.join(", "));
        let _ = write!(text, "\n[hosts.{name}.settings.network]\nhostname = \"{name}.shop.example\"\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use wb_core::herd::Herd;

    use super::*;

    #[test]
    fn the_herd_is_one_that_can_be_read() {
        let herd = Herd::parse(&herd_toml("ssh://git@10.77.0.2/srv/git/herd.git")).unwrap();
        assert_eq!(herd.with_role("web").collect::<Vec<_>>(), ["web1", "web2", "web3"]);
        assert_eq!(herd.hosts["lb1"].address.as_deref(), Some("10.77.0.10"));
    }
}
