//! The herd: all hosts by name, with their roles and settings, as `herd.toml` says it.
//!
//! ```toml
//! [herd]
//! remote = "ssh://git@git.example.org/herd.git"
//!
//! [hosts.web1]
//! roles = ["web"]
//! address = "192.0.2.11"
//!
//! [hosts.web1.settings.network]
//! hostname = "web1.example.org"
//! ```
//!
//! People write names and roles. Which machine bears a name is decided when it is admitted, and stands in the signed
//! change log, not here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::DeTable;

/// All of `herd.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Herd {
    /// What holds for the whole herd.
    #[serde(default)]
    pub herd: HerdSettings,
    /// How it is tested.
    #[serde(default, skip_serializing_if = "TestSettings::is_empty")]
    pub test: TestSettings,
    /// The hosts by name.
    #[serde(default)]
    pub hosts: BTreeMap<String, HostEntry>,
}

/// The table `[herd]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HerdSettings {
    /// The git repository that holds the herd's refs; without it, the remote `origin` of the source repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
}

/// The table `[test]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestSettings {
    /// Why no herd rolls in a test, where that can't be: roles get out of load and back by what no sandbox has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_roll: Option<String>,
}

/// A table `[hosts.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostEntry {
    /// What the host is; code is written against these.
    pub roles: BTreeSet<String>,
    /// Where other hosts reach it: an IP address or a host name, without a port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Data of this host for migrations.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub settings: serde_json::Map<String, serde_json::Value>,
}

impl Herd {
    /// Reads the text of a `herd.toml`.
    ///
    /// ```
    /// use wb_core::herd::Herd;
    /// let herd = Herd::parse("[hosts.web1]\nroles = ['web']").unwrap();
    /// assert!(herd.hosts["web1"].roles.contains("web"));
    /// let error = Herd::parse("[hosts.web1]\nrole = ['web']").unwrap_err();
    /// assert!(error.to_string().starts_with("line 2, column 1: unknown field `role`"));
    /// ```
    ///
    /// # Errors
    /// With line and column: a misspelt key, a value of another type, a name that no host can have, an address that is
    /// none, no reason where there is to be one.
    pub fn parse(text: &str) -> Result<Self, HerdError> {
        let herd: Self = toml::from_str(text).map_err(|error| HerdError::new(text, &error))?;
        herd.check(text)?;
        Ok(herd)
    }

    /// What TOML lets anybody say, and no herd can be.
    fn check(&self, text: &str) -> Result<(), HerdError> {
        if self.test.no_roll.as_ref().is_some_and(|why| why.trim().is_empty()) {
            return Err(HerdError::no_reason(text));
        }
        if let Some(name) = self.hosts.keys().find(|name| !is_name(name)) {
            return Err(HerdError::name(text, name));
        }
        for (name, host) in &self.hosts {
            if let Some(address) = host.address.as_deref().filter(|address| !is_address(address)) {
                return Err(HerdError::address(text, name, address));
            }
        }
        Ok(())
    }

    /// The names of the hosts that have `role`.
    pub fn with_role<'a>(&'a self, role: &'a str) -> impl Iterator<Item = &'a str> {
        self.hosts.iter().filter(move |(_, host)| host.roles.contains(role)).map(|(name, _)| name.as_str())
    }
}

impl TestSettings {
    /// Whether it says nothing.
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether `text` can name a host: 1 to 63 letters, digits, `-` or `_`, a letter or digit first.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.len() <= 63 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(allowed)
}

/// Whether `text` can be where a host is reached: an IP address, or a host name as in RFC 1123.
///
/// ```
/// use wb_core::herd::is_address;
/// assert!(is_address("192.0.2.11") && is_address("2001:db8::11") && is_address("web1.example.org"));
/// assert!(!is_address("192.0.2.300") && !is_address("web1:80") && !is_address("-web1") && !is_address(""));
/// ```
#[must_use]
pub fn is_address(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        let allowed = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        allowed && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    // Four numbers are an IP address, or a mistake.
    let numeric = name.rsplit('.').next().is_some_and(|last| last.chars().all(|c| c.is_ascii_digit()));
    text.parse::<std::net::IpAddr>().is_ok() || (!numeric && name.len() <= 253 && name.split('.').all(is_label))
}

/// What is wrong in a `herd.toml`, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct HerdError {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// The mistake.
    pub what: String,
}

impl HerdError {
    fn new(text: &str, error: &toml::de::Error) -> Self {
        let offset = error.span().map_or(0, |span| span.start);
        Self::at(text, offset, error.message().trim().replace('\n', "; "))
    }

    fn name(text: &str, name: &str) -> Self {
        let what = format!("`{name}` is no host name: use letters, digits, `-` and `_`, at most 63 of them");
        Self::at(text, text.find(name).unwrap_or(0), what)
    }

    fn address(text: &str, host: &str, address: &str) -> Self {
        let document = DeTable::parse(text).map(|root| root.into_inner()).unwrap_or_default();
        let entry = document.get("hosts").and_then(|hosts| hosts.get_ref().get(host));
        let span = entry.and_then(|entry| entry.get_ref().get("address")).map(Spanned::span);
        let address = address.escape_debug();
        let what = format!("`{address}` is no address: write an IP address or a host name, without a port");
        Self::at(text, span.map_or(0, |span| span.start), what)
    }

    fn no_reason(text: &str) -> Self {
        let what = "`no_roll` is the reason why no herd rolls in a test, and there is none".to_owned();
        Self::at(text, text.find("no_roll").unwrap_or(0), what)
    }

    fn at(text: &str, offset: usize, what: String) -> Self {
        let (line, column) = place(text, offset);
        Self { line, column, what }
    }
}

/// Line and column of a byte of a text, counted from 1.
#[must_use]
pub fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |index| index + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let error = Herd::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(expect), "{error}");
    }

    #[test]
    fn mistakes_have_line_and_column() {
        check("[hosts.web1]\nroles = 'web'", "line 2, column 9: invalid type: string \"web\"");
        check("[hosts.web1]\nroles = ['web']\nadress = 'a'", "line 3, column 1: unknown field `adress`");
        check("[hosts.web1]", "line 1, column 1: missing field `roles`");
        check("[hosts.web1\n", "line 1, column 12: unclosed table");
        check("[hosts.'no name']\nroles = []", "line 1, column 9: `no name` is no host name");
        check("[test]\nno_roll = ' '", "line 2, column 1: `no_roll` is the reason");
        check("[test]\nno_roll = true", "line 2, column 11: invalid type: boolean `true`");
    }

    const NO_ADDRESSES: [&str; 12] = [
        "192.0.2.311",
        "192.0.2",
        "192.0.2.11.",
        "192.0.2.11:80",
        "192.0.2.0/24",
        "2001:db8::g",
        "[2001:db8::11]",
        "web1:80",
        "web 1",
        "-web1",
        "",
        " ",
    ];

    #[test]
    fn an_address_is_one_of_a_machine() {
        let text = |address: &str| format!("[hosts.web1]\nroles = []\naddress = \"{address}\"\n");
        for address in ["192.0.2.11", "2001:db8::11", "web1", "web1.example.org.", "11.example.org"] {
            assert!(Herd::parse(&text(address)).is_ok(), "{address}");
        }
        for address in NO_ADDRESSES {
            check(&text(address), &format!("line 3, column 11: `{address}` is no address"));
        }
        check("hosts = { a = { roles = [], address = '1.2.3' } }", "line 1, column 39: `1.2.3` is no address");
        check("[hosts]\na.roles = []\na.address = \"a\\nb\"", "line 3, column 13: `a\\nb` is no address");
    }

    #[test]
    fn a_herd_may_say_why_it_does_not_roll_in_tests() {
        let herd = Herd::parse("[test]\nno_roll = 'the balancer is hardware'").unwrap();
        assert_eq!(herd.test.no_roll.as_deref(), Some("the balancer is hardware"));
        assert_eq!(Herd::parse("").unwrap().test, TestSettings::default());
        let written = toml::to_string(&Herd::default()).unwrap();
        assert!(!written.contains("test"), "{written}");
    }

    #[test]
    fn hosts_are_found_by_role() {
        let herd =
            Herd::parse("[hosts.b]\nroles=['web']\n[hosts.a]\nroles=['web','db']\n[hosts.c]\nroles=['db']").unwrap();
        assert_eq!(herd.with_role("web").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(herd.with_role("cache").count(), 0);
    }
}
