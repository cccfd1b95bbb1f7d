//! Users and groups by name, as this host knows them.

mod group;
mod passwd;
mod shadow;
mod sources;

use std::sync::Arc;
use std::time::Duration;

use wb_core::system::files::FileError;
use wb_core::system::{Command, CommandError, System};

pub(crate) use group::{Group, Groups};
pub(crate) use passwd::{Account, Accounts};
pub(crate) use shadow::{Secret, Shadow, Shadows};

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

/// How long a server of users and groups may take to answer.
const ASK_BOUND: Duration = Duration::from_secs(60);

/// The user `name`, or the one with that number.
pub(crate) fn user(system: &System, name: &str) -> Result<User, OwnerError> {
    if let Ok(uid) = name.parse() {
        return Ok(User { uid, gid: uid });
    }
    let account = account(system, name)?;
    Ok(User { uid: account.uid, gid: account.gid })
}

/// All that is known of the user `name`, or of the one with that number.
pub(crate) fn account(system: &System, name: &str) -> Result<Account, OwnerError> {
    let read = |source| OwnerError::Read { kind: "user", name: name.to_owned(), source };
    let ask = |source| OwnerError::Ask { kind: "user", name: name.to_owned(), source };
    let accounts = accounts(system).map_err(read)?;
    let number = name.parse().ok();
    if let Some(account) = number.map_or_else(|| accounts.named(name), |uid| accounts.numbered(uid)) {
        return Ok(account.clone());
    }
    let account = user_elsewhere(system, name).map_err(ask)?;
    account.ok_or_else(|| OwnerError::Nobody { kind: "user", name: name.to_owned() })
}

/// The number of the group `name`, or the number itself.
pub(crate) fn group(system: &System, name: &str) -> Result<u32, OwnerError> {
    if let Ok(gid) = name.parse() {
        return Ok(gid);
    }
    let read = |source| OwnerError::Read { kind: "group", name: name.to_owned(), source };
    if let Some(group) = groups(system).map_err(read)?.named(name) {
        return Ok(group.gid);
    }
    let ask = |source| OwnerError::Ask { kind: "group", name: name.to_owned(), source };
    let group = group_elsewhere(system, name).map_err(ask)?;
    group.map(|group| group.gid).ok_or_else(|| OwnerError::Nobody { kind: "group", name: name.to_owned() })
}

/// The users of this host's own file.
pub(crate) fn accounts(system: &System) -> Result<Arc<Accounts>, FileError> {
    Ok(system.parsed("/etc/passwd", Accounts::parse)?.unwrap_or_default())
}

/// The groups of this host's own file.
pub(crate) fn groups(system: &System) -> Result<Arc<Groups>, FileError> {
    Ok(system.parsed("/etc/group", Groups::parse)?.unwrap_or_default())
}

/// The passwords of this host's own users.
pub(crate) fn shadows(system: &System) -> Result<Arc<Shadows>, FileError> {
    Ok(system.parsed("/etc/shadow", Shadows::parse)?.unwrap_or_default())
}

/// The user of this name, or of this number, of whatever source there is: getent knows those of LDAP and systemd, too.
pub(crate) fn user_elsewhere(system: &System, name: &str) -> Result<Option<Account>, CommandError> {
    let said = ask(system, "passwd", name)?;
    let accounts = said.map(|text| Accounts::parse(text.as_bytes())).unwrap_or_default();
    let found = name.parse().map_or_else(|_| accounts.named(name), |uid| accounts.numbered(uid));
    Ok(found.cloned())
}

/// The group of this name, or of this number, of whatever source there is.
pub(crate) fn group_elsewhere(system: &System, name: &str) -> Result<Option<Group>, CommandError> {
    let Some(text) = ask(system, "group", name)? else { return Ok(None) };
    let groups = Groups::parse(text.as_bytes());
    let found = name.parse().map_or_else(|_| groups.named(name), |gid| groups.numbered(gid));
    Ok(found.cloned())
}

/// Where getent is not installed, there are no other sources either. Where the host's own file is the only one, it is
/// not started: whoever asks has read that.
fn ask(system: &System, database: &str, name: &str) -> Result<Option<String>, CommandError> {
    if sources::is_own_file_alone(system, database) {
        return Ok(None);
    }
    let getent = Command::new("getent").args([database, "--", name]).env("LC_ALL", "C").timeout(ASK_BOUND);
    match system.run(&getent) {
        Ok(output) => Ok((output.code == 0).then(|| output.text())),
        Err(CommandError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Access as _;
    use crate::machine::Machine;

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

    #[test]
    fn local_names_start_no_program_and_without_getent_there_is_nobody_else() {
        let machine = Machine::new().file("/etc/group", "root:x:0:\nssl-cert:x:112:postgres\n");
        let gid = |name: &'static str| machine.view(move |host| Ok(group(host.context().system(), name)?));
        assert_eq!(gid("ssl-cert").unwrap(), 112);
        assert_eq!(machine.calls(), [""; 0]);
        assert_eq!(gid("ssl").unwrap_err().to_string(), "there is no group `ssl` on this host");
    }

    #[test]
    fn getent_is_started_only_where_there_may_be_other_sources() {
        let asked = |machine: Machine| {
            let machine = machine.answer("getent", 2, "");
            machine.view(|host| Ok(user_elsewhere(host.context().system(), "anna")?)).unwrap();
            machine.view(|host| Ok(group_elsewhere(host.context().system(), "shop")?)).unwrap();
            machine.calls()
        };
        let says = |text: &str| Machine::new().file("/etc/nsswitch.conf", text);
        assert_eq!(asked(says("passwd: files\ngroup: files\n")), [""; 0]);
        assert_eq!(asked(says("passwd: files\ngroup: files ldap\n")), ["getent group -- shop"]);
        assert_eq!(asked(says("hosts: files dns\n")), ["getent passwd -- anna", "getent group -- shop"]);
        assert_eq!(asked(Machine::new()), ["getent passwd -- anna", "getent group -- shop"]);
    }

    #[test]
    fn groups_of_other_sources_are_asked_for_by_name_and_by_number() {
        let machine = Machine::new().answer("getent group", 0, "staff:*:5000:anna\n");
        let name = |of: &'static str| machine.view(move |host| Ok(group_elsewhere(host.context().system(), of)?));
        assert_eq!(name("staff").unwrap().unwrap().gid, 5000);
        assert_eq!(name("5000").unwrap().unwrap().name, "staff");
        assert_eq!(name("other").unwrap(), None);
    }
}
