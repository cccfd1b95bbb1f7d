//! The herd as data: who is there, where, and with which settings.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::Value;
use wb_core::change::Member;
use wb_core::context::HerdView;

/// The type of a table of settings. `#[settings]` makes a struct one.
pub trait Settings: DeserializeOwned {
    /// The table's name below `[hosts.NAME.settings]`.
    const TABLE: &'static str;
}

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
    /// There is no such table, and its type needs one.
    #[error(
        "the host `{host}` has no settings `{table}`\nhint: add the table `[hosts.{host}.settings.{table}]` in herd.toml, \
         and run `cargo xtask deploy`"
    )]
    NoTable {
        /// The host.
        host: String,
        /// The table.
        table: &'static str,
        /// What is missing in it.
        source: serde_json::Error,
    },
    /// The table is none of its type.
    #[error(
        "the settings `{table}` of the host `{host}` do not fit\nhint: `cargo xtask check` says where in herd.toml"
    )]
    TableType {
        /// The host.
        host: String,
        /// The table.
        table: &'static str,
        /// Why.
        source: serde_json::Error,
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

    /// All hosts that are admitted, this one among them, sorted by name.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn everybody(host: &Host) -> String {
    ///     host.herd().hosts().map(|peer| peer.name()).collect::<Vec<_>>().join(" ")
    /// }
    /// # assert_eq!(wb_stdlib::testing::web1().finds(|host| Ok(everybody(host))), "db1 web1 web2");
    /// ```
    pub fn hosts(&self) -> impl Iterator<Item = Peer<'a>> + use<'a> {
        self.view.members.iter().map(|member| Peer { member })
    }

    /// The host of this name.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn primary(host: &Host) -> Result<String> {
    ///     let db1 = host.herd().host("db1").context("there is no db1")?;
    ///     ensure!(db1.is_a("database"), "db1 has the roles {:?}", db1.roles());
    ///     let port: u16 = db1.settings_value("postgres.port")?;
    ///     Ok(format!("{}:{port}", db1.address()?))
    /// }
    /// # assert_eq!(wb_stdlib::testing::web1().finds(primary), "192.0.2.21:5432");
    /// ```
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
/// # let expect = "server web1 192.0.2.11:80 check\nserver web2 192.0.2.12:80 check\n";
/// # assert_eq!(wb_stdlib::testing::web1().finds(backends), expect);
/// ```
///
/// With settings that have a type, what they publish is there as well:
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// /// `[hosts.web1.settings.backend]`
/// #[settings(role = "web")]
/// struct BackendSettings {
///     port: u16,
///     #[serde(default)]
///     weight: Option<u8>,
/// }
///
/// fn backends(host: &Host) -> Result<String> {
///     let mut lines = String::new();
///     for web in host.herd().role("web").hosts() {
///         let BackendSettings { port, weight } = web.settings()?;
///         let weight = weight.unwrap_or(1);
///         lines += &format!("server {} {}:{port} weight {weight} check\n", web.name(), web.address()?);
///     }
///     Ok(lines)
/// }
/// # let expect = "server web1 192.0.2.11:8080 weight 1 check\nserver web2 192.0.2.12:8080 weight 1 check\n";
/// # assert_eq!(wb_stdlib::testing::web1().finds(backends), expect);
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
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn all_databases(host: &Host) -> Result<String> {
    ///     Ok(host.herd().role("database").addresses()?.join(","))
    /// }
    /// # assert_eq!(wb_stdlib::testing::web1().finds(all_databases), "192.0.2.21");
    /// ```
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

    /// What it is.
    #[must_use]
    pub fn roles(&self) -> &'a BTreeSet<String> {
        &self.member.roles
    }

    /// Whether it is a host of `role`.
    #[must_use]
    pub fn is_a(&self, role: &str) -> bool {
        self.member.roles.contains(role)
    }

    /// Its settings of a type that `#[settings]` registered: its table in `herd.toml`.
    ///
    /// # Errors
    /// When it has no such table, or that is none of this type. `cargo xtask deploy` refuses both beforehand.
    pub fn settings<T: Settings>(&self) -> Result<T, HerdError> {
        let (host, table) = (self.member.name.clone(), T::TABLE);
        match self.member.settings.get(table) {
            Some(value) => T::deserialize(value).map_err(|source| HerdError::TableType { host, table, source }),
            None => {
                let nothing = Value::Object(serde_json::Map::new());
                T::deserialize(&nothing).map_err(|source| HerdError::NoTable { host, table, source })
            }
        }
    }

    /// One value in its `settings` of `herd.toml`, by its path, as in `network.hostname`.
    ///
    /// # Errors
    /// When there is no such value, or it is of another type.
    pub fn settings_value<T: DeserializeOwned>(&self, path: &str) -> Result<T, HerdError> {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        let keys = rest.split('.').filter(|key| !key.is_empty());
        let found = keys.fold(self.member.settings.get(first), |value, key| value?.get(key));
        let (host, path) = (self.member.name.clone(), path.to_owned());
        let Some(value) = found else { return Err(HerdError::NoSetting { host, path }) };
        T::deserialize(value).map_err(|source| HerdError::SettingType { host, path, source })
    }
}

/// This host, as the herd has it. One that nobody admitted is not there.
pub(crate) fn myself(view: &HerdView) -> Option<Peer<'_>> {
    view.myself().map(|member| Peer { member })
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

    #[crate::settings]
    struct NetworkSettings {
        hostname: String,
        #[serde(default)]
        mtu: Option<u16>,
    }

    #[crate::settings(name = "limits")]
    struct Quota {
        #[serde(default)]
        files: Option<u32>,
    }

    #[crate::settings(part)]
    #[derive(Debug, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Tier {
        Gold,
    }

    #[test]
    fn settings_have_their_type() {
        let machine = herd();
        machine
            .view(|host| {
                let NetworkSettings { hostname, mtu } = host.settings()?;
                assert_eq!((hostname.as_str(), mtu), ("web1.example.org", Some(1500)));
                let Quota { files } = host.settings()?;
                assert_eq!(files, None, "a table that is not there says nothing");
                assert_eq!(host.settings_value::<Tier>("tier")?, Tier::Gold);
                let error = host.herd().host("db1").unwrap().settings::<NetworkSettings>().map(drop).unwrap_err();
                assert!(error.to_string().starts_with("the host `db1` has no settings `network`\nhint: add the table"));
                Ok(())
            })
            .unwrap();
        let wrong = herd().settings("web1", r#"{"network": {"hostname": "a", "mtuu": 1}}"#);
        let error = wrong.view(|host| Ok(host.settings::<NetworkSettings>().map(drop)?)).unwrap_err();
        let expect =
            "the settings `network` of the host `web1` do not fit\nhint: `cargo xtask check` says where in herd.toml";
        assert_eq!(error.to_string(), expect);
    }

    #[test]
    fn types_of_settings_are_registered() {
        let settings = wb_core::context::inventory::iter::<wb_core::context::Settings>();
        let mut tables: Vec<&str> = settings.map(|settings| settings.table).collect();
        tables.sort_unstable();
        assert_eq!(tables, ["limits", "network"]);
    }

    #[test]
    fn all_hosts_are_there_with_their_roles() {
        herd()
            .view(|host| {
                let names: Vec<&str> = host.herd().hosts().map(|peer| peer.name()).collect();
                assert_eq!(names, ["web1", "web2", "db1"]);
                let db1 = host.herd().host("db1").unwrap();
                assert!(db1.is_a("database") && !db1.is_a("web") && db1.roles().len() == 1);
                Ok(())
            })
            .unwrap();
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
