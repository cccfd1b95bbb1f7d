//! Editing `herd.toml` as its users wrote it: comments, order and spaces stay.

use std::collections::BTreeSet;

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, TomlError, value};
use wb_core::herd::{Herd, HerdError, is_address, is_name};

/// Why the hosts of the file were not changed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EditError {
    /// The file has a mistake already.
    #[error("{0}")]
    Herd(#[from] HerdError),
    /// The file can't be edited.
    #[error("not TOML that can be edited: {0}")]
    Toml(#[from] TomlError),
    /// No host can have that name.
    #[error("`{0}` is no host name: use letters, digits, `-` and `_`, a letter or digit first, at most 63 of them")]
    Name(String),
    /// There is such a host.
    #[error("the name `{0}` is taken")]
    Taken(String),
    /// Other hosts could not reach it there.
    #[error("`{0}` is no address: write an IP address or a host name, without a port")]
    Address(String),
}

/// A host to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHost<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is.
    pub roles: &'a [String],
    /// Where other hosts reach it.
    pub address: Option<&'a str>,
}

/// The text of a `herd.toml` with one more host, at its end.
///
/// # Errors
/// When the name is taken or no host name, the address is none, or the text has a mistake.
pub fn with_host(text: &str, host: &NewHost<'_>) -> Result<String, EditError> {
    free(text, host.name)?;
    if let Some(address) = host.address.filter(|address| !is_address(address)) {
        return Err(EditError::Address(address.to_owned()));
    }
    let mut document: DocumentMut = text.parse()?;
    let end = document.trailing().as_str().unwrap_or_default().to_owned();
    let hosts = document.entry("hosts").or_insert_with(|| Item::Table(implicit_table()));
    if let Item::Table(hosts) = hosts {
        // What stands at the end of the file belongs to what is before it, and stays there.
        hosts.insert(host.name, Item::Table(host_table(host, &end)));
        document.set_trailing("");
    } else if let Some(hosts) = hosts.as_table_like_mut() {
        hosts.insert(host.name, Item::Table(host_table(host, "")));
    }
    Ok(document.to_string())
}

/// The text without a host, or as it is where there is none of that name.
///
/// # Errors
/// When the text has a mistake.
pub fn without_host(text: &str, name: &str) -> Result<String, EditError> {
    edited(text, |hosts| {
        hosts.remove(name);
    })
}

/// The text with another name for a host, which stays in its place; as it is where there is none of that name.
///
/// # Errors
/// When the new name is taken or no host name, or the text has a mistake.
pub fn with_name(text: &str, old: &str, new: &str) -> Result<String, EditError> {
    free(text, new)?;
    edited(text, |hosts| {
        let Some(host) = hosts.remove(old) else { return };
        hosts.insert(new, host);
    })
}

/// The text with these roles for a host, the ones that it had in their places; as it is where there is none of that name.
///
/// # Errors
/// When the text has a mistake.
pub fn with_roles(text: &str, name: &str, roles: &BTreeSet<String>) -> Result<String, EditError> {
    edited(text, |hosts| {
        let list = hosts.get_mut(name).and_then(|host| host.get_mut("roles")).and_then(Item::as_array_mut);
        let Some(list) = list else { return };
        list.retain(|role| role.as_str().is_some_and(|role| roles.contains(role)));
        let had: BTreeSet<String> = list.iter().filter_map(|role| role.as_str().map(str::to_owned)).collect();
        list.extend(roles.difference(&had).map(String::as_str));
    })
}

fn edited(text: &str, edit: impl FnOnce(&mut dyn TableLike)) -> Result<String, EditError> {
    Herd::parse(text)?;
    let mut document: DocumentMut = text.parse()?;
    if let Some(hosts) = document.get_mut("hosts").and_then(Item::as_table_like_mut) {
        edit(hosts);
    }
    Ok(document.to_string())
}

fn free(text: &str, name: &str) -> Result<(), EditError> {
    if !is_name(name) {
        return Err(EditError::Name(name.to_owned()));
    }
    match Herd::parse(text)?.hosts.contains_key(name) {
        true => Err(EditError::Taken(name.to_owned())),
        false => Ok(()),
    }
}

/// Where `role` stands among the roles of a host, as line and column counted from 1.
#[must_use]
pub fn place_of_role(text: &str, host: &str, role: &str) -> Option<(usize, usize)> {
    let document = toml_edit::Document::parse(text).ok()?;
    let roles = document.get("hosts")?.get(host)?.get("roles")?.as_array()?;
    let span = roles.iter().find(|item| item.as_str() == Some(role))?.span()?;
    let before = text.get(..span.start)?;
    let line_start = before.rfind('\n').map_or(0, |index| index + 1);
    Some((before.matches('\n').count() + 1, before[line_start..].chars().count() + 1))
}

fn implicit_table() -> Table {
    let mut table = Table::new();
    table.set_implicit(true);
    table
}

fn host_table(host: &NewHost<'_>, before: &str) -> Table {
    let mut table = Table::new();
    table.insert("roles", value(host.roles.iter().map(String::as_str).collect::<Array>()));
    if let Some(address) = host.address {
        table.insert("address", value(address));
    }
    table.decor_mut().set_prefix(format!("{before}\n"));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# ours\n[herd]\nremote = \"r\" # there\n\n[hosts.lb1]\nroles = [ \"load_balancer\", 'web' ]\n";

    fn check(text: &str, name: &str, expect: &str) {
        let roles = ["web".to_owned()];
        let host = NewHost { name, roles: &roles, address: Some("192.0.2.1") };
        let result = with_host(text, &host).unwrap_or_else(|error| error.to_string());
        assert_eq!(result, expect);
    }

    #[test]
    fn a_host_is_added_at_the_end_and_the_rest_stays() {
        let added = "[hosts.web1]\nroles = [\"web\"]\naddress = \"192.0.2.1\"\n";
        check(TEXT, "web1", &format!("{TEXT}\n{added}"));
        check("", "web1", &format!("\n{added}"));
        let commented = "[herd]\n# remote = \"r\"\n";
        check(commented, "web1", &format!("{commented}\n{added}"));
        let inline = "hosts = { a = { roles = [] } }\n# end\n";
        let expect = "hosts = { a = { roles = [] } , web1 = { roles = [\"web\"], address = \"192.0.2.1\" } }\n# end\n";
        check(inline, "web1", expect);
    }

    #[test]
    fn what_can_not_be_added_is_named() {
        check(TEXT, "lb1", "the name `lb1` is taken");
        check(
            TEXT,
            "no name",
            "`no name` is no host name: use letters, digits, `-` and `_`, a letter or digit first, at most 63 of them",
        );
        check(
            "[hosts.a]\nrole = []",
            "web1",
            "line 2, column 1: unknown field `role`, expected one of `roles`, `address`, `settings`",
        );
    }

    #[test]
    fn an_address_is_one_of_a_machine() {
        let check = |address, expect: &str| {
            let host = NewHost { name: "web1", roles: &[], address: Some(address) };
            let said = with_host("", &host).map_or_else(|error| error.to_string(), |_| String::new());
            assert_eq!(said, expect);
        };
        check("web1.example.org", "");
        check("2001:db8::1", "");
        check("192.0.2.1:80", "`192.0.2.1:80` is no address: write an IP address or a host name, without a port");
    }

    const HERD: &str = "# ours\n[hosts.lb1]\nroles = [ \"load_balancer\", 'web' ] # both\n\n# the shop\n[hosts.web1]\n\
                        roles = [\"web\"]\n[hosts.web1.settings.network]\nhostname = \"a\"\n\n[hosts.web2] # new\n\
                        roles = [\"web\"]\n# end\n";

    #[test]
    fn a_host_goes_with_what_is_said_of_it() {
        let expect = "# ours\n[hosts.lb1]\nroles = [ \"load_balancer\", 'web' ] # both\n\n[hosts.web2] # new\n\
                      roles = [\"web\"]\n# end\n";
        assert_eq!(without_host(HERD, "web1").unwrap(), expect);
        assert_eq!(without_host(HERD, "web9").unwrap(), HERD);
        let inline = "hosts = { a = { roles = [] }, b = { roles = [] } }\n";
        assert_eq!(without_host(inline, "b").unwrap(), "hosts = { a = { roles = [] }}\n");
    }

    #[test]
    fn a_renamed_host_stays_in_its_place() {
        let expect = HERD.replace("web1", "shop1");
        assert_eq!(with_name(HERD, "web1", "shop1").unwrap(), expect);
        assert_eq!(with_name(HERD, "web1", "lb1").unwrap_err(), EditError::Taken("lb1".into()));
        assert_eq!(with_name(HERD, "web1", "a b").unwrap_err(), EditError::Name("a b".into()));
    }

    #[test]
    fn roles_come_last_and_go_where_they_stand() {
        let roles = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        let check = |names: &str, expect: &str| {
            let edited = with_roles(HERD, "lb1", &roles(names)).unwrap();
            assert_eq!(edited, HERD.replace("[ \"load_balancer\", 'web' ]", expect));
        };
        check("load_balancer web", "[ \"load_balancer\", 'web' ]");
        check("load_balancer web cache", "[ \"load_balancer\", 'web' , \"cache\"]");
        check("load_balancer", "[ \"load_balancer\"]");
        check("", "[]");
    }

    #[test]
    fn a_role_is_found_in_its_line() {
        let check = |host, role, expect| assert_eq!(place_of_role(TEXT, host, role), expect, "{host} {role}");
        check("lb1", "load_balancer", Some((6, 11)));
        check("lb1", "web", Some((6, 28)));
        check("lb1", "db", None);
        check("web9", "web", None);
    }
}
