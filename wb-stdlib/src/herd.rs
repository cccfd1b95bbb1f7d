//! The herd as data: who is there, and where.

use serde::de::DeserializeOwned;
use wb_core::change::Member;
use wb_core::context::HerdView;

/// What is missing in `herd.toml`.
#[derive(Debug, thiserror::Error)]
pub enum HerdError {
    /// Others are to reach a host, and nobody said where it is.
    #[error(
        "the host `{host}` has no address\nhint: add `address = \"…\"` to its table `[hosts.{host}]` in herd.toml, and \
         run `cargo xtask deploy`"
    )]
    NoAddress {
        /// The host.
        host: String,
    },
    /// There is no such value.
    #[error(
        "the host `{host}` has no setting `{path}`\nhint: add it to the table `[hosts.{host}.settings]` in herd.toml, \
         and run `cargo xtask deploy`"
    )]
    NoSetting {
        /// The host.
        host: String,
        /// The value.
        path: String,
    },
    /// The value is of another type.
    #[error("the setting `{path}` of the host `{host}` does not fit")]
    SettingType {
        /// The host.
        host: String,
        /// The value.
        path: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl HerdError {
    pub(crate) fn no_address(host: &str) -> Self {
        Self::NoAddress { host: host.to_owned() }
    }
}

/// All hosts. [`Look::herd`](crate::Look::herd) gives it.
#[derive(Clone, Copy)]
pub struct Herd<'a> {
    view: &'a HerdView,
}

impl<'a> Herd<'a> {
    pub(crate) fn new(view: &'a HerdView) -> Self {
        Self { view }
    }

    /// The hosts of a role.
    #[must_use]
    pub fn role<'r>(&self, name: &'r str) -> HostsOf<'a, 'r> {
        HostsOf { view: self.view, role: name }
    }

    /// The host of this name.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<Peer<'a>> {
        self.view.members.iter().find(|member| member.name == name).map(|member| Peer { member })
    }
}

/// The hosts of a role.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn backends(host: &Host) -> Result<String> {
///     let mut lines = String::new();
///     for web in host.herd().role("web").hosts() {
///         lines += &format!("server {} {}:80 check\n", web.name(), web.address()?);
///     }
///     Ok(lines)
/// }
/// # let _ = backends as fn(&Host) -> Result<String>;
/// ```
#[derive(Clone, Copy)]
pub struct HostsOf<'a, 'r> {
    view: &'a HerdView,
    role: &'r str,
}

impl<'a, 'r> HostsOf<'a, 'r> {
    /// These hosts, this one among them if it has the role, sorted by name.
    pub fn hosts(&self) -> impl Iterator<Item = Peer<'a>> + use<'a, 'r> {
        let role = self.role;
        self.view.members.iter().filter(move |member| member.roles.contains(role)).map(|member| Peer { member })
    }

    /// Their addresses, in the order of their names.
    ///
    /// # Errors
    /// When one has none.
    pub fn addresses(&self) -> Result<Vec<&'a str>, HerdError> {
        self.hosts().map(|peer| peer.address()).collect()
    }
}

/// A host of the herd, this one or another.
#[derive(Clone, Copy)]
pub struct Peer<'a> {
    member: &'a Member,
}

impl<'a> Peer<'a> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        &self.member.name
    }

    /// Where other hosts reach it: an IP address or a name.
    ///
    /// # Errors
    /// When `herd.toml` does not say.
    pub fn address(&self) -> Result<&'a str, HerdError> {
        let address = self.member.address.as_deref();
        address.ok_or_else(|| HerdError::no_address(&self.member.name))
    }
}

pub(crate) fn settings_value<T: DeserializeOwned>(view: &HerdView, path: &str) -> Result<T, HerdError> {
    let found = view.myself().and_then(|myself| {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        let keys = rest.split('.').filter(|key| !key.is_empty());
        keys.fold(myself.settings.get(first), |value, key| value?.get(key))
    });
    let host = || view.me.clone();
    let value = found.ok_or_else(|| HerdError::NoSetting { host: host(), path: path.to_owned() })?;
    T::deserialize(value).map_err(|source| HerdError::SettingType { host: host(), path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use crate::Look as _;
    use crate::machine::Machine;

    fn herd() -> Machine {
        Machine::new()
            .member("web1", "web", Some("192.0.2.11"))
            .member("web2", "web", None)
            .member("db1", "database", Some("192.0.2.21"))
            .settings("web1", r#"{"network": {"hostname": "web1.example.org", "mtu": 1500}, "tier": "gold"}"#)
    }

    #[test]
    fn hosts_are_found_by_role() {
        let machine = herd();
        machine
            .view(|host| {
                let names: Vec<&str> = host.herd().role("web").hosts().map(|peer| peer.name()).collect();
                assert_eq!(names, ["web1", "web2"]);
                assert_eq!(host.herd().role("database").addresses()?, ["192.0.2.21"]);
                assert_eq!(host.herd().role("cache").hosts().count(), 0);
                assert_eq!((host.name(), host.address()?), ("web1", "192.0.2.11"));
                assert_eq!(host.herd().host("db1").map(|peer| peer.name()), Some("db1"));
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn a_missing_address_names_the_host() {
        let error = herd().view(|host| Ok(host.herd().role("web").addresses()?.len())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the host `web2` has no address\nhint: add `address = \"…\"` to its table `[hosts.web2]` in herd.toml, and \
             run `cargo xtask deploy`"
        );
    }

    #[test]
    fn settings_are_found_by_their_path() {
        let machine = herd();
        machine
            .view(|host| {
                assert_eq!(host.settings_value::<String>("network.hostname")?, "web1.example.org");
                assert_eq!(host.settings_value::<u16>("network.mtu")?, 1500);
                assert_eq!(host.settings_value::<String>("tier")?, "gold");
                Ok(())
            })
            .unwrap();
        let error = machine.view(|host| Ok(host.settings_value::<String>("network.name")?)).unwrap_err().to_string();
        assert!(error.starts_with("the host `web1` has no setting `network.name`\nhint: "), "{error}");
        let error = machine.view(|host| Ok(host.settings_value::<u8>("network.mtu")?)).unwrap_err();
        assert_eq!(error.to_string(), "the setting `network.mtu` of the host `web1` does not fit");
    }
}
