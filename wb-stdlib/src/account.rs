//! What users and groups have in common: their names, what can go wrong, and the programs that change them.

mod programs;
pub(crate) mod tools;

use std::path::PathBuf;

use wb_core::system::files::FileError;
use wb_core::system::{CommandError, System};

use crate::look::Access as _;
use crate::{Host, foresight, owner};
pub(crate) use programs::Programs;

/// What can go wrong with a user or a group.
///
/// `kind` is `user` or `group` everywhere.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Nobody can be called so.
    #[error(
        "{name:?} is no name of a {kind}\nhint: names have letters, digits, `_`, `-` and `.`, begin with a letter, a \
         digit or `_`, are no number, and have 32 characters at most"
    )]
    BadName {
        /// What it was to be.
        kind: &'static str,
        /// What was said.
        name: String,
    },
    /// A value that the files of users have no way to write down.
    #[error("{value:?} is no {field} for the {kind} `{name}`: {why}")]
    BadValue {
        /// Whose.
        kind: &'static str,
        /// Their name.
        name: String,
        /// What it was to be, in words.
        field: &'static str,
        /// What was said.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// What was given as the hash of a password is none, or of a kind that can be broken. It is not shown.
    #[error(
        "what the user `{name}` is to have as the hash of a password is none that begins with `$6$` or `$y$`\nhint: \
         `openssl passwd -6` or `mkpasswd` makes one; the password itself does not belong here"
    )]
    BadHash {
        /// The user.
        name: String,
    },
    /// A group that the user is to be in is not there.
    #[error("there is no group `{group}` for the user `{name}`\nhint: `host.group({group:?}).present()?` makes it")]
    NoGroup {
        /// The user.
        name: String,
        /// The group.
        group: String,
    },
    /// A user that is to be in the group is not there.
    #[error("there is no user `{member}` for the group `{name}`\nhint: `host.user({member:?}).present()?` makes it")]
    NoMember {
        /// The group.
        name: String,
        /// The user.
        member: String,
    },
    /// The shell is not there: whoever has it can't log in.
    #[error("there is no shell {shell} for the user `{name}`\nhint: a package brings it; install that first")]
    NoShell {
        /// The user.
        name: String,
        /// The shell.
        shell: String,
    },
    /// Somebody else has the number.
    #[error(
        "the {kind} `{name}` is to have the number {number}, which is taken by `{by}`\nhint: choose another number, or \
         let `{by}` be absent first, if nobody needs it"
    )]
    Taken {
        /// Who was to have it.
        kind: &'static str,
        /// Their name.
        name: String,
        /// The number.
        number: u32,
        /// Who has it.
        by: String,
    },
    /// It is known to this host, and not from its own files.
    #[error(
        "the {kind} `{name}` comes from elsewhere (LDAP, say), so this can't be changed here: {}\nhint: change it there; \
         `host.group(…).members([…]).present()?` puts any user into a group of this host",
        differences.join(", ")
    )]
    Elsewhere {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What is not as wanted.
        differences: Vec<String>,
    },
    /// Programs of the user run, so that it can't be changed in this way.
    #[error(
        "the user `{name}` is in use: {said}\nhint: `loginctl terminate-user {name}` or `pkill -u {name}` on the host \
         ends what it runs; a service has to be stopped first"
    )]
    Busy {
        /// The user.
        name: String,
        /// By what.
        said: String,
    },
    /// Others change the files of users for too long.
    #[error(
        "could not {action} the {kind} `{name}`: somebody else holds the lock of {file}\nhint: `cat {file}.lock` on the \
         host says which process"
    )]
    Locked {
        /// What was being done.
        action: &'static str,
        /// With what.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Which file is locked.
        file: String,
        /// What the program said.
        source: Box<CommandError>,
    },
    /// There is no program that could do it.
    #[error(
        "could not {action} the {kind} `{name}`\nhint: the package `passwd` (Debian, Ubuntu), `shadow-utils` (Fedora), \
         or `shadow` (Alpine, Arch, SUSE) has what it takes"
    )]
    NoTool {
        /// What was being done.
        action: &'static str,
        /// With what.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Which program is missing.
        source: Box<CommandError>,
    },
    /// BusyBox changes users and groups on this host, and it has no program for this.
    #[error(
        "BusyBox has no program that could change this of the {kind} `{name}`: {}\nhint: the package `shadow` has one; \
         `host.packages([\"shadow\"]).installed()?` comes first", differences.join(", ")
    )]
    BusyBox {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What is not as wanted.
        differences: Vec<String>,
    },
    /// The program failed.
    #[error("could not {action} the {kind} `{name}`")]
    Act {
        /// What was being done.
        action: &'static str,
        /// With what.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Why.
        source: Box<CommandError>,
    },
    /// A group that users have as their primary one can't go.
    #[error(
        "the group `{name}` is the primary group of the user `{user}`, so it can't go\nhint: `host.user({user:?})` comes \
         first, absent or with another `.group(…)`"
    )]
    Primary {
        /// The group.
        name: String,
        /// The user.
        user: String,
    },
    /// The home is not the user's alone.
    #[error("the home {} of the user `{name}` is not removed: {why}\nhint: `.absent()?` leaves it where it is", .path.display())]
    ForeignHome {
        /// The user.
        name: String,
        /// The home.
        path: PathBuf,
        /// Whose it is.
        why: String,
    },
    /// Without its lock the user would have no password at all.
    #[error(
        "the user `{name}` has no password that could be unlocked\nhint: `.password_hash(…)` gives one, \
         `.without_password()` lets in who has a key"
    )]
    NothingToUnlock {
        /// The user.
        name: String,
    },
    /// The home can't be made or removed.
    #[error("could not {action} the home of the user `{name}`")]
    Home {
        /// What was being done.
        action: &'static str,
        /// The user.
        name: String,
        /// Why.
        source: FileError,
    },
    /// The files of users and groups can't be read.
    #[error("could not look at the {kind} `{name}`")]
    Look {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Why.
        source: FileError,
    },
    /// The other sources of users and groups can't be asked.
    #[error("could not ask whether another source knows the {kind} `{name}`")]
    Ask {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Why.
        source: Box<CommandError>,
    },
    /// All programs ended well, and something is not as wanted.
    #[error("the {kind} `{name}` is not as wanted, though all that was to change it ended well: {}", left.join(", "))]
    NotSo {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What is not so.
        left: Vec<String>,
    },
}

impl AccountError {
    /// Why a plan can't know what will be: what is missing may be made before.
    pub(crate) fn as_unknown(&self) -> String {
        self.to_string().lines().next().unwrap_or_default().to_owned()
    }
}

/// A user or a group, for messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) kind: &'static str,
    pub(crate) name: &'a str,
}

impl<'a> Subject<'a> {
    pub(crate) fn user(name: &'a str) -> Self {
        Self { kind: "user", name }
    }

    pub(crate) fn group(name: &'a str) -> Self {
        Self { kind: "group", name }
    }

    pub(crate) fn look(self, source: FileError) -> AccountError {
        AccountError::Look { kind: self.kind, name: self.name.to_owned(), source }
    }

    pub(crate) fn ask(self, source: CommandError) -> AccountError {
        AccountError::Ask { kind: self.kind, name: self.name.to_owned(), source: Box::new(source) }
    }

    pub(crate) fn not_so(self, left: Vec<String>) -> AccountError {
        AccountError::NotSo { kind: self.kind, name: self.name.to_owned(), left }
    }

    pub(crate) fn elsewhere(self, differences: Vec<String>) -> AccountError {
        AccountError::Elsewhere { kind: self.kind, name: self.name.to_owned(), differences }
    }

    pub(crate) fn beyond_busybox(self, differences: Vec<String>) -> AccountError {
        AccountError::BusyBox { kind: self.kind, name: self.name.to_owned(), differences }
    }

    pub(crate) fn taken(self, number: u32, by: &str) -> AccountError {
        AccountError::Taken { kind: self.kind, name: self.name.to_owned(), number, by: by.to_owned() }
    }

    /// Why a plan can't know what is to change of it: an operation before makes it, or removes it.
    pub(crate) fn changes_before(self, is_there: bool, by_now: Option<bool>) -> Option<String> {
        let differs = by_now.is_some_and(|by_now| by_now != is_there);
        differs.then(|| format!("the {} `{}` changes before it", self.kind, self.name))
    }

    pub(crate) fn bad_value(self, field: &'static str, value: &str, why: &'static str) -> AccountError {
        let (kind, name, value) = (self.kind, self.name.to_owned(), value.to_owned());
        AccountError::BadValue { kind, name, field, value, why }
    }

    /// The name is one that all programs take for a name.
    pub(crate) fn check(self) -> Result<(), AccountError> {
        if is_name(self.name) {
            return Ok(());
        }
        Err(AccountError::BadName { kind: self.kind, name: self.name.to_owned() })
    }

    /// The number is one that a user or a group can have.
    pub(crate) fn check_number(self, number: Option<u32>) -> Result<(), AccountError> {
        match number {
            Some(u32::MAX) => Err(self.bad_value("number", &u32::MAX.to_string(), "programs take it for none")),
            _ => Ok(()),
        }
    }
}

/// A number would be taken for a uid or gid, and a `-` for an option.
pub(crate) fn is_name(name: &str) -> bool {
    let body = name.strip_suffix('$').unwrap_or(name);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    body.starts_with(plain)
        && name.len() <= 32
        && body.chars().all(|c| plain(c) || c == '-' || c == '.')
        && !body.chars().all(|c| c.is_ascii_digit())
}

/// Whether there is a group of this name or number, of whatever source, or there would be one by now.
pub(crate) fn has_group(host: Host<'_>, subject: Subject<'_>, group: &str) -> Result<bool, AccountError> {
    if let Some(is_there) = foresight::has_group(host.context(), group) {
        return Ok(is_there);
    }
    let system = host.system();
    let groups = owner::groups(system).map_err(|source| subject.look(source))?;
    let is_local = group.parse().map_or_else(|_| groups.named(group), |gid| groups.numbered(gid)).is_some();
    if is_local {
        return Ok(true);
    }
    Ok(owner::group_elsewhere(system, group).map_err(|source| subject.ask(source))?.is_some())
}

/// Whether there is a user of this name, of whatever source, or there would be one by now.
pub(crate) fn has_user(host: Host<'_>, subject: Subject<'_>, user: &str) -> Result<bool, AccountError> {
    if let Some(is_there) = foresight::has_user(host.context(), user) {
        return Ok(is_there);
    }
    let system = host.system();
    let is_local = owner::accounts(system).map_err(|source| subject.look(source))?.named(user).is_some();
    if is_local {
        return Ok(true);
    }
    Ok(user_elsewhere(system, subject, user)?.is_some())
}

/// The user of another source than this host's files.
pub(crate) fn user_elsewhere(
    system: &System,
    subject: Subject<'_>,
    user: &str,
) -> Result<Option<owner::Account>, AccountError> {
    owner::user_elsewhere(system, user).map_err(|source| subject.ask(source))
}

/// Names in a line.
pub(crate) fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_all_programs_take_for_names() {
        let check = |name: &str, expect| assert_eq!(is_name(name), expect, "{name:?}");
        check("anna", true);
        check("_apt", true);
        check("systemd-network", true);
        check("Anna.Berg", true);
        check("machine$", true);
        check("0day", true);
        check(&"a".repeat(32), true);
        check(&"a".repeat(33), false);
        check("", false);
        check("$", false);
        check("42", false);
        check("-r", false);
        check(".ssh", false);
        check("an:na", false);
        check("an/na", false);
        check("an na", false);
        check("anna\n", false);
        check("änna", false);
        check("a$b", false);
    }

    #[test]
    fn what_is_unknown_in_a_plan_has_no_hint() {
        let error = AccountError::NoGroup { name: "anna".into(), group: "shop".into() };
        assert_eq!(error.as_unknown(), "there is no group `shop` for the user `anna`");
        assert!(error.to_string().ends_with("\nhint: `host.group(\"shop\").present()?` makes it"), "{error}");
    }
}
