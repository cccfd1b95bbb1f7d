//! The network interfaces of a machine, and where they are reached. The kernel says that over a socket (netlink), which
//! libc's `getifaddrs` asks.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;

use super::System;

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// What it is called, as in `eth0`.
    pub name: String,
    /// Whether it is switched on.
    pub is_up: bool,
    /// Whether it leads to this machine only.
    pub is_loopback: bool,
    /// Its hardware address, as in `52:54:00:12:34:56`, where it has one.
    pub hardware: Option<String>,
    /// Its addresses, in the order of the kernel: the first of a kind is the primary one.
    pub addresses: Vec<Address>,
}

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// The length of its network's prefix, in bits, as in `24`.
    pub prefix: u8,
}

impl System {
    /// The network interfaces of this machine, in the order of the kernel. A machine with a root of its own, as tests
    /// have, has none.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn interfaces(&self) -> io::Result<Vec<Interface>> {
        if self.root != Path::new("/") {
            return Ok(Vec::new());
        }
        Ok(by_name(getifaddrs()?.map(Said::from)))
    }
}

/// What is said at once: an interface, and perhaps one address of it.
#[derive(Debug, Clone, Default)]
struct Said {
    name: String,
    is_up: bool,
    is_loopback: bool,
    hardware: Option<[u8; 6]>,
    address: Option<Address>,
}

impl From<InterfaceAddress> for Said {
    fn from(said: InterfaceAddress) -> Self {
        let hardware = said.address.as_ref().and_then(SockaddrStorage::as_link_addr).and_then(|link| link.addr());
        let mask = said.netmask.as_ref().and_then(ip);
        let ip = said.address.as_ref().and_then(ip);
        Self {
            is_up: said.flags.contains(InterfaceFlags::IFF_UP),
            is_loopback: said.flags.contains(InterfaceFlags::IFF_LOOPBACK),
            hardware: hardware.filter(|hardware| *hardware != [0; 6]),
            address: ip.map(|ip| Address { ip, prefix: mask.map_or(full(ip), prefix) }),
            name: said.interface_name,
        }
    }
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let four = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    four.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

fn full(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn prefix(mask: IpAddr) -> u8 {
    let ones = match mask {
        IpAddr::V4(mask) => mask.to_bits().count_ones(),
        IpAddr::V6(mask) => mask.to_bits().count_ones(),
    };
    u8::try_from(ones).unwrap_or(u8::MAX)
}

fn by_name(said: impl Iterator<Item = Said>) -> Vec<Interface> {
    let mut interfaces: Vec<Interface> = Vec::new();
    for Said { name, is_up, is_loopback, hardware, address } in said {
        let hardware = hardware.map(|bytes| bytes.map(|byte| format!("{byte:02x}")).join(":"));
        match interfaces.iter_mut().find(|interface| interface.name == name) {
            Some(interface) => {
                interface.hardware = interface.hardware.take().or(hardware);
                interface.addresses.extend(address);
            }
            None => {
                let addresses = address.into_iter().collect();
                interfaces.push(Interface { name, is_up, is_loopback, hardware, addresses });
            }
        }
    }
    interfaces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_one_interface_comes_together() {
        let said = |name: &str, hardware, ip: Option<&str>, mask: &str| Said {
            name: name.into(),
            is_up: true,
            is_loopback: name == "lo",
            hardware,
            address: ip.map(|ip| Address { ip: ip.parse().unwrap(), prefix: prefix(mask.parse().unwrap()) }),
        };
        let interfaces = by_name(
            [
                said("lo", None, Some("127.0.0.1"), "255.0.0.0"),
                said("eth0", Some([0x52, 0x54, 0, 0x12, 0x34, 0x56]), None, "0.0.0.0"),
                said("eth0", None, Some("192.0.2.11"), "255.255.255.192"),
                said("eth0", None, Some("2001:db8::11"), "ffff:ffff:ffff:ffff::"),
            ]
            .into_iter(),
        );
        let shown: Vec<String> = interfaces
            .iter()
            .map(|i| {
                let addresses: Vec<String> = i.addresses.iter().map(|a| format!("{}/{}", a.ip, a.prefix)).collect();
                format!("{} {:?} {}", i.name, i.hardware.as_deref(), addresses.join(" "))
            })
            .collect();
        let eth0 = "eth0 Some(\"52:54:00:12:34:56\") 192.0.2.11/26 2001:db8::11/64";
        assert_eq!(shown, ["lo None 127.0.0.1/8", eth0]);
    }

    #[test]
    fn this_machine_has_interfaces_and_one_in_a_test_has_none() {
        assert!(System::real().interfaces().is_ok());
        assert_eq!(System::fake("/tmp", super::super::Script::new()).interfaces().unwrap(), []);
    }
}
