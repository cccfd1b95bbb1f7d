//! Addresses and the way out.

use std::net::{IpAddr, Ipv4Addr};

use wb_core::system::network::Interface;

/// Where a default route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gateway {
    /// Through which interface, as in `eth0`.
    pub interface: String,
    /// To which address.
    pub address: Ipv4Addr,
}

impl Gateway {
    /// Reads `/proc/net/route`: numbers in hex, in the byte order of the machine. Of several default routes the one with
    /// the lowest metric counts.
    pub(super) fn parse(text: &str) -> Option<Self> {
        const TO_A_GATEWAY: u32 = 2;
        let route = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let hex = |field: usize| u32::from_str_radix(fields.get(field)?, 16).ok();
            let (target, gateway, flags, mask) = (hex(1)?, hex(2)?, hex(3)?, hex(7)?);
            let metric: u32 = fields.get(6)?.parse().ok()?;
            let address = Ipv4Addr::from(gateway.to_ne_bytes());
            let is_default = target == 0 && mask == 0 && flags & TO_A_GATEWAY != 0;
            is_default.then(|| (metric, Self { interface: fields[0].to_owned(), address }))
        };
        text.lines().skip(1).filter_map(route).min_by_key(|(metric, _)| *metric).map(|(_, gateway)| gateway)
    }
}

/// The addresses at which others can reach this machine.
pub(super) fn reachable(interfaces: &[Interface]) -> Vec<IpAddr> {
    let up = interfaces.iter().filter(|interface| interface.is_up && !interface.is_loopback);
    let addresses = up.flat_map(|interface| interface.addresses.iter().map(|address| address.ip));
    let beyond_the_link = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => !ip.is_link_local(),
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    };
    addresses.filter(beyond_the_link).collect()
}

/// The first IPv4 address of this interface, or else of any.
pub(super) fn primary(interfaces: &[Interface], preferred: Option<&str>) -> Option<Ipv4Addr> {
    let first = |interfaces: &[&Interface]| {
        let all: Vec<Interface> = interfaces.iter().map(|interface| (*interface).clone()).collect();
        reachable(&all).into_iter().find_map(|ip| match ip {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        })
    };
    let chosen: Vec<&Interface> =
        interfaces.iter().filter(|interface| preferred == Some(interface.name.as_str())).collect();
    first(&chosen).or_else(|| first(&interfaces.iter().collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use wb_core::system::network::Address;

    use super::*;

    const ROUTES: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0100A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
";

    #[cfg(target_endian = "little")]
    #[test]
    fn the_best_default_route_counts() {
        let expect = Gateway { interface: "eth0".into(), address: Ipv4Addr::new(192, 0, 2, 1) };
        assert_eq!(Gateway::parse(ROUTES), Some(expect));
        assert_eq!(Gateway::parse(ROUTES.lines().next().unwrap()), None);
        assert_eq!(Gateway::parse("Iface\nnonsense\neth0\tx\n"), None);
    }

    fn interface(name: &str, is_up: bool, addresses: &[&str]) -> Interface {
        let addresses = addresses.iter().map(|ip| Address { ip: ip.parse().unwrap(), prefix: 24 }).collect();
        Interface { name: name.into(), is_up, is_loopback: name == "lo", hardware: None, addresses }
    }

    #[test]
    fn addresses_are_those_that_others_reach() {
        let interfaces = [
            interface("lo", true, &["127.0.0.1", "::1"]),
            interface("docker0", false, &["172.17.0.1"]),
            interface("eth1", true, &["198.51.100.7"]),
            interface("eth0", true, &["169.254.3.4", "192.0.2.11", "fe80::1", "2001:db8::11"]),
        ];
        let shown: Vec<String> = reachable(&interfaces).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["198.51.100.7", "192.0.2.11", "2001:db8::11"]);
        assert_eq!(primary(&interfaces, Some("eth0")), Some(Ipv4Addr::new(192, 0, 2, 11)));
        assert_eq!(primary(&interfaces, None), Some(Ipv4Addr::new(198, 51, 100, 7)));
        assert_eq!(primary(&interfaces[..1], Some("lo")), None);
    }
}
