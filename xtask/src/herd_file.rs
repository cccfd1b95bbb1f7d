//! Editing `herd.toml` as its users wrote it: comments, order and spaces stay.

use toml_edit::{Array, DocumentMut, Item, Table, TomlError, value};
use wb_core::herd::{Herd, HerdError, is_name};

/// Why a host was not added.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddError {
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
/// When the name is taken or no host name, or the text has a mistake.
pub fn with_host(text: &str, host: &NewHost<'_>) -> Result<String, AddError> {
    if !is_name(host.name) {
        return Err(AddError::Name(host.name.to_owned()));
    }
    if Herd::parse(text)?.hosts.contains_key(host.name) {
        return Err(AddError::Taken(host.name.to_owned()));
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
    fn a_role_is_found_in_its_line() {
        let check = |host, role, expect| assert_eq!(place_of_role(TEXT, host, role), expect, "{host} {role}");
        check("lb1", "load_balancer", Some((6, 11)));
        check("lb1", "web", Some((6, 28)));
        check("lb1", "db", None);
        check("web9", "web", None);
    }
}
