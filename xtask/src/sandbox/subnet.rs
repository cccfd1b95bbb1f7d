//! The addresses of a herd.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An IPv4 network, as in `10.77.0.0/24`. Its first address is the router's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    base: u32,
    prefix: u8,
}

impl Subnet {
    /// The router's address, which is every host's gateway.
    #[must_use]
    pub fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(self.base + 1)
    }

    /// How far `address` lies from the start of the network; nothing for an address that no host may have.
    #[must_use]
    pub fn index(self, address: Ipv4Addr) -> Option<u32> {
        let index = u32::from(address).checked_sub(self.base)?;
        (2..self.size() - 1).contains(&index).then_some(index)
    }

    /// `address` with the length of the network: `10.77.0.11/24`.
    #[must_use]
    pub fn with_prefix(self, address: Ipv4Addr) -> String {
        format!("{address}/{}", self.prefix)
    }

    fn size(self) -> u32 {
        1 << (32 - self.prefix)
    }

    fn overlaps(self, other: Self) -> bool {
        self.base < other.base + other.size() && other.base < self.base + self.size()
    }
}

/// The network between the router and the machine's own: slirp4netns has it built in.
const UPLINK: Subnet = Subnet { base: u32::from_be_bytes([10, 0, 2, 0]), prefix: 24 };

/// Why a text names no network for a herd.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubnetError {
    /// Not of the form `10.77.0.0/24`.
    #[error("`{0}` is no network such as 10.77.0.0/24")]
    Form(String),
    /// Too large or too small.
    #[error("`{0}`: a herd's network has a prefix from 8 to 29")]
    Size(String),
    /// It has bits set beyond its prefix.
    #[error("`{0}` does not start at the first address of the network")]
    Base(String),
    /// It collides with the way out.
    #[error("`{0}` overlaps 10.0.2.0/24, the herd's way out")]
    Uplink(String),
}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let form = || SubnetError::Form(text.to_owned());
        let (base, prefix) = text.split_once('/').ok_or_else(form)?;
        let base = u32::from(base.parse::<Ipv4Addr>().map_err(|_| form())?);
        let prefix: u8 = prefix.parse().map_err(|_| form())?;
        if !(8..=29).contains(&prefix) {
            return Err(SubnetError::Size(text.to_owned()));
        }
        let subnet = Self { base, prefix };
        if base % subnet.size() != 0 {
            return Err(SubnetError::Base(text.to_owned()));
        }
        if subnet.overlaps(UPLINK) {
            return Err(SubnetError::Uplink(text.to_owned()));
        }
        Ok(subnet)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_knows_its_addresses() {
        let subnet: Subnet = "10.77.0.0/24".parse().unwrap();
        assert_eq!(subnet.to_string(), "10.77.0.0/24");
        assert_eq!(subnet.gateway(), Ipv4Addr::new(10, 77, 0, 1));
        assert_eq!(subnet.with_prefix(Ipv4Addr::new(10, 77, 0, 11)), "10.77.0.11/24");
        assert_eq!(subnet.index(Ipv4Addr::new(10, 77, 0, 11)), Some(11));
        for no_host in [[10, 77, 0, 0], [10, 77, 0, 1], [10, 77, 0, 255], [10, 77, 1, 2], [10, 76, 255, 2]] {
            assert_eq!(subnet.index(no_host.into()), None, "{no_host:?}");
        }
    }

    #[test]
    fn a_wrong_network_is_refused() {
        let error = |text: &str| text.parse::<Subnet>().unwrap_err().to_string();
        assert_eq!(error("ten"), "`ten` is no network such as 10.77.0.0/24");
        assert_eq!(error("10.77.0.0/31"), "`10.77.0.0/31`: a herd's network has a prefix from 8 to 29");
        assert_eq!(error("10.77.0.1/24"), "`10.77.0.1/24` does not start at the first address of the network");
        assert_eq!(error("10.0.0.0/8"), "`10.0.0.0/8` overlaps 10.0.2.0/24, the herd's way out");
    }
}
