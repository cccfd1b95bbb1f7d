//! Users and groups by name, as this host knows them.

use wb_core::system::files::FileError;
use wb_core::system::{Command, CommandError, System};

/// Why a name leads to no user or group.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// Nobody has that name.
    #[error("there is no {kind} `{name}` on this host")]
    Nobody {
        /// `user` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// The local database can't be read.
    #[error("could not look for the {kind} `{name}`")]
    Read {
        /// `user` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
        /// Why.
        source: FileError,
    },
    /// The other databases can't be asked.
    #[error("could not look for the {kind} `{name}`")]
    Ask {
        /// `user` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
        /// Why.
        source: CommandError,
    },
}

/// A user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// The user `name`, or the one with that number.
pub(crate) fn user(system: &System, name: &str) -> Result<User, OwnerError> {
    match name.parse() {
        Ok(uid) => Ok(User { uid, gid: uid }),
        Err(_) => look_up(system, &USERS, name, parse_user),
    }
}

/// The number of the group `name`, or the number itself.
pub(crate) fn group(system: &System, name: &str) -> Result<u32, OwnerError> {
    match name.parse() {
        Ok(gid) => Ok(gid),
        Err(_) => look_up(system, &GROUPS, name, parse_group),
    }
}

struct Database {
    kind: &'static str,
    file: &'static str,
    getent: &'static str,
}

const USERS: Database = Database { kind: "user", file: "/etc/passwd", getent: "passwd" };
const GROUPS: Database = Database { kind: "group", file: "/etc/group", getent: "group" };

/// Local names are in a file. Those of other sources (LDAP, systemd) only getent knows.
fn look_up<T>(
    system: &System,
    database: &Database,
    name: &str,
    parse: fn(&str, &str) -> Option<T>,
) -> Result<T, OwnerError> {
    let (kind, named) = (database.kind, || name.to_owned());
    let file = system.read_file(database.file);
    let file = file.map_err(|source| OwnerError::Read { kind, name: named(), source })?.unwrap_or_default();
    if let Some(found) = parse(&String::from_utf8_lossy(&file), name) {
        return Ok(found);
    }
    let getent = Command::new("getent").args([database.getent, "--", name]);
    let said = system.run(&getent).map_err(|source| OwnerError::Ask { kind, name: named(), source })?;
    parse(&said.text(), name).ok_or_else(|| OwnerError::Nobody { kind, name: named() })
}

/// Finds `name:x:uid:gid:…` in lines of passwd(5).
fn parse_user(text: &str, name: &str) -> Option<User> {
    let fields: Vec<&str> = line_of(text, name)?.split(':').collect();
    Some(User { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
}

/// Finds `name:x:gid:…` in lines of group(5).
fn parse_group(text: &str, name: &str) -> Option<u32> {
    line_of(text, name)?.split(':').nth(2)?.parse().ok()
}

fn line_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find(|line| line.split_once(':').is_some_and(|(first, _)| first == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Access as _;
    use crate::machine::Machine;

    #[test]
    fn users_and_groups_are_read_from_their_lines() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\npostgres:x:104:111:admin,,,:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(parse_user(passwd, "postgres"), Some(User { uid: 104, gid: 111 }));
        assert_eq!(parse_user(passwd, "post"), None);
        assert_eq!(parse_group("root:x:0:\nssl-cert:x:112:postgres\n", "ssl-cert"), Some(112));
    }

    #[test]
    fn names_of_other_sources_are_asked_for() {
        let machine = Machine::new().answer("getent passwd -- anna", 0, "anna:*:2001:2001::/home/anna:/bin/sh\n");
        let uid = machine.view(|host| Ok(user(host.context().system(), "anna")?.uid)).unwrap();
        assert_eq!(uid, 2001);
    }

    #[test]
    fn numbers_need_no_name_and_unknown_names_are_errors() {
        let machine = Machine::new().answer("getent", 2, "");
        assert_eq!(machine.view(|host| Ok(group(host.context().system(), "33")?)).unwrap(), 33);
        let error = machine.view(|host| Ok(user(host.context().system(), "nobody2")?.uid)).unwrap_err();
        assert_eq!(error.to_string(), "there is no user `nobody2` on this host");
    }
}
