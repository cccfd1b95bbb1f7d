//! What dnf holds: for version 4 a list of its plugin `versionlock`, and from version 5 on a table, which needs no
//! plugin.

mod list;
mod table;

use wb_core::system::System;

use crate::packages::PackageError;
use crate::packages::holds::Holds;

/// What tells whether the plugin is on, and where its list is.
const CONFIGURATION: &str = "/etc/dnf/plugins/versionlock.conf";
const TABLE: &str = "/etc/dnf/versionlock.toml";

/// Where it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Versionlock {
    /// In a list at this path.
    List(String),
    Table,
}

impl Versionlock {
    /// That of a host; nothing where the plugin is not there, or is off.
    pub(super) fn of(system: &System, is_5: bool) -> Result<Option<Self>, PackageError> {
        if is_5 {
            return Ok(Some(Self::Table));
        }
        let content = system.read_file(CONFIGURATION);
        let content = content.map_err(|source| PackageError::Read { path: CONFIGURATION.into(), source })?;
        Ok(content.and_then(|content| path_of_list(&String::from_utf8_lossy(&content))).map(Self::List))
    }
}

impl Holds for Versionlock {
    fn path(&self) -> &str {
        match self {
            Self::List(path) => path,
            Self::Table => TABLE,
        }
    }

    fn has(&self, text: &str, name: &str) -> bool {
        match self {
            Self::List(_) => list::has(text, name),
            Self::Table => table::has(text, name),
        }
    }

    fn with(&self, text: &str, name: &str, version: &str) -> Result<String, PackageError> {
        match self {
            Self::List(_) => Ok(list::with(text, name, version)),
            Self::Table => table::with(text, name, version).map_err(bad_table),
        }
    }

    fn without(&self, text: &str, name: &str) -> Result<String, PackageError> {
        match self {
            Self::List(_) => Ok(list::without(text, name)),
            Self::Table => table::without(text, name).map_err(bad_table),
        }
    }
}

fn bad_table(said: String) -> PackageError {
    PackageError::BadHolds { path: TABLE.into(), said }
}

/// Where the plugin has its list, if it is on.
fn path_of_list(text: &str) -> Option<String> {
    let value = |wanted: &str| {
        let mut rows = text.lines().filter_map(|line| line.split_once('='));
        rows.find(|(key, _)| key.trim() == wanted).map(|(_, value)| value.trim())
    };
    let is_no = |value: &str| ["0", "no", "false", "off"].iter().any(|no| value.eq_ignore_ascii_case(no));
    let is_off = value("enabled").is_some_and(is_no);
    if is_off { None } else { value("locklist").map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugin_says_where_its_list_is() {
        let check = |text: &str, expect: Option<&str>| assert_eq!(path_of_list(text).as_deref(), expect, "{text}");
        let list = "/etc/dnf/plugins/versionlock.list";
        check("[main]\nenabled = 1\nlocklist = /etc/dnf/plugins/versionlock.list\n\n", Some(list));
        check("[main]\nlocklist=/etc/dnf/plugins/versionlock.list", Some(list));
        check("[main]\nenabled = 0\nlocklist = /etc/dnf/plugins/versionlock.list\n", None);
        check("[main]\nenabled = False\nlocklist = /x\n", None);
        check("[main]\nenabled = 1\n#locklist = /x\n", None);
        check("", None);
    }
}
