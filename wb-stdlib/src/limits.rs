//! What a session of a user may take: files of `/etc/security/limits.d`, which PAM reads when it begins.
//!
//! Services that systemd or an init script starts have no such session; systemd has `LimitNOFILE=` and the like for
//! them.

use std::fmt;

use anyhow::Result;
use wb_core::context::Outcome;

use crate::account::is_name;
use crate::file::FileError;
use crate::{Host, Look};

const DIRECTORY: &str = "/etc/security/limits.d";

/// What can go wrong with limits.
#[derive(Debug, thiserror::Error)]
pub enum LimitsError {
    /// No file can be called so.
    #[error(
        "{name:?} is no name for a file of /etc/security/limits.d\nhint: take letters, digits, `_` and `-`; `.conf` is added"
    )]
    BadName {
        /// What was said.
        name: String,
    },
    /// Nobody for whom a limit can be.
    #[error("{whom:?} in the limits `{name}` is nobody\nhint: it is a user, `@` and a group, or `*` for all but root")]
    BadSubject {
        /// The file.
        name: String,
        /// What was said.
        whom: String,
    },
    /// A value that the resource can't have.
    #[error(
        "{resource} in the limits `{name}` can't be {value}\nhint: niceness and priority go from -20 to 19, all else is `Limit::Unlimited` or from 0 on"
    )]
    BadValue {
        /// The file.
        name: String,
        /// Of what.
        resource: Resource,
        /// What was said.
        value: Limit,
    },
    /// There is nothing to write.
    #[error(
        "the limits `{name}` limit nothing\nhint: `.soft(…)`, `.hard(…)` or `.both(…)` says what, `.absent()?` removes the file"
    )]
    Empty {
        /// The file.
        name: String,
    },
    /// The file can't be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// All memory of a process that has an address, in KiB (`as`).
    AddressSpace,
    /// A file of a crash, in KiB (`core`).
    CoreFile,
    /// Time on the processor, in minutes (`cpu`).
    CpuTime,
    /// The data of a process, in KiB (`data`).
    Data,
    /// A file that is written, in KiB (`fsize`).
    FileSize,
    /// Locks of files (`locks`).
    FileLocks,
    /// Memory that can't be swapped out, in KiB (`memlock`).
    LockedMemory,
    /// Sessions of the user (`maxlogins`).
    Logins,
    /// Sessions of all users (`maxsyslogins`).
    AllLogins,
    /// Messages in queues, in bytes (`msgqueue`).
    MessageQueues,
    /// How low the niceness may be made, from -20 to 19 (`nice`).
    Niceness,
    /// Open files of a process (`nofile`).
    OpenFiles,
    /// Processes of the user (`nproc`).
    Processes,
    /// The niceness that processes begin with, from -20 to 19 (`priority`).
    Priority,
    /// The priority that may be asked for in real time (`rtprio`).
    RealTimePriority,
    /// Signals that wait (`sigpending`).
    PendingSignals,
    /// The stack of a process, in KiB (`stack`).
    Stack,
}

impl Resource {
    /// What it is called in limits.conf(5).
    fn word(self) -> &'static str {
        match self {
            Self::AddressSpace => "as",
            Self::CoreFile => "core",
            Self::CpuTime => "cpu",
            Self::Data => "data",
            Self::FileSize => "fsize",
            Self::FileLocks => "locks",
            Self::LockedMemory => "memlock",
            Self::Logins => "maxlogins",
            Self::AllLogins => "maxsyslogins",
            Self::MessageQueues => "msgqueue",
            Self::Niceness => "nice",
            Self::OpenFiles => "nofile",
            Self::Processes => "nproc",
            Self::Priority => "priority",
            Self::RealTimePriority => "rtprio",
            Self::PendingSignals => "sigpending",
            Self::Stack => "stack",
        }
    }

    fn allows(self, limit: Limit) -> bool {
        match (self, limit) {
            (Self::Niceness | Self::Priority, Limit::At(value)) => (-20..=19).contains(&value),
            (Self::Niceness | Self::Priority, Limit::Unlimited) => false,
            (_, Limit::At(value)) => value >= 0,
            (_, Limit::Unlimited) => true,
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// So much, in the unit of the resource.
    At(i64),
    /// As much as there is.
    Unlimited,
}

impl From<i64> for Limit {
    fn from(value: i64) -> Self {
        Self::At(value)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(value) => write!(f, "{value}"),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

/// Who may change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Soft,
    Hard,
    Both,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::Hard => "hard",
            Self::Both => "-",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    whom: String,
    kind: Kind,
    resource: Resource,
    limit: Limit,
}

impl Entry {
    fn line(&self) -> String {
        format!("{} {} {} {}\n", self.whom, self.kind.word(), self.resource, self.limit)
    }
}

/// A file of `/etc/security/limits.d`. [`Look::limits`] makes it.
///
/// ```
/// use wb_stdlib::limits::{Limit, Resource};
/// use wb_stdlib::prelude::*;
///
/// fn let_the_shop_open_files(host: &Host) -> Result<()> {
///     host.limits("shop")
///         .both("shop", Resource::OpenFiles, 65_536)
///         .soft("@ops", Resource::CoreFile, 0)
///         .hard("@ops", Resource::CoreFile, Limit::Unlimited)
///         .present()?;
///     host.limits("old-shop").absent()?;
///     Ok(())
/// }
///
/// fn it_may_open_files(host: &View) -> Result<()> {
///     host.limits("shop").exists()?;
///     host.limits("shop").contains("shop - nofile 65536")
/// }
/// # wb_stdlib::testing::web1().rehearse(let_the_shop_open_files).asks(it_may_open_files);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct Limits<A> {
    access: A,
    name: String,
    entries: Vec<Entry>,
}

impl<A: Look> Limits<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self { access, name: name.to_owned(), entries: Vec::new() }
    }

    /// Checks that the file is there.
    ///
    /// # Errors
    /// When it is not.
    pub fn exists(&self) -> Result<()> {
        self.access.file(self.path()?).exists()
    }

    /// Checks that `line` stands in the file, as in `shop - nofile 65536`.
    ///
    /// # Errors
    /// When it does not, or there is no file.
    pub fn contains(&self, line: &str) -> Result<()> {
        self.access.file(self.path()?).contains(line)
    }

    fn path(&self) -> Result<String, LimitsError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if self.name.is_empty() || self.name.starts_with('-') || !self.name.chars().all(is_plain) {
            return Err(LimitsError::BadName { name: self.name.clone() });
        }
        Ok(format!("{DIRECTORY}/{}.conf", self.name))
    }
}

impl Limits<Host<'_>> {
    /// A limit that processes begin with, and may raise up to the hard one. `whom` is a user, `@` and a group, or `*` for
    /// all but root. `limit` is in the unit of the resource, or [`Limit::Unlimited`].
    pub fn soft(self, whom: impl Into<String>, resource: Resource, limit: impl Into<Limit>) -> Self {
        self.with(whom.into(), Kind::Soft, resource, limit.into())
    }

    /// A limit that only root can raise.
    pub fn hard(self, whom: impl Into<String>, resource: Resource, limit: impl Into<Limit>) -> Self {
        self.with(whom.into(), Kind::Hard, resource, limit.into())
    }

    /// A soft and a hard limit at once.
    pub fn both(self, whom: impl Into<String>, resource: Resource, limit: impl Into<Limit>) -> Self {
        self.with(whom.into(), Kind::Both, resource, limit.into())
    }

    fn with(mut self, whom: String, kind: Kind, resource: Resource, limit: Limit) -> Self {
        self.entries.push(Entry { whom, kind, resource, limit });
        self
    }

    /// The file is there and holds these limits. They count for sessions that begin from now on.
    ///
    /// # Errors
    /// When a name or a value is none, PAM's directory is not there, or it can't be written.
    pub fn present(self) -> Result<Outcome, LimitsError> {
        let path = self.path()?;
        let content = self.content()?;
        Ok(self.access.file(path).content(content).owner("root").group("root").mode(0o644).present()?)
    }

    /// The file is not there.
    ///
    /// # Errors
    /// When it can't be removed.
    pub fn absent(self) -> Result<Outcome, LimitsError> {
        Ok(self.access.file(self.path()?).absent()?)
    }

    fn content(&self) -> Result<String, LimitsError> {
        if self.entries.is_empty() {
            return Err(LimitsError::Empty { name: self.name.clone() });
        }
        for Entry { whom, resource, limit, .. } in &self.entries {
            if whom != "*" && !is_name(whom.strip_prefix('@').unwrap_or(whom)) {
                return Err(LimitsError::BadSubject { name: self.name.clone(), whom: whom.clone() });
            }
            if !resource.allows(*limit) {
                return Err(LimitsError::BadValue { name: self.name.clone(), resource: *resource, value: *limit });
            }
        }
        Ok(self.entries.iter().map(Entry::line).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;

    const PATH: &str = "/etc/security/limits.d/shop.conf";

    /// A host whose root is whoever runs the tests.
    fn machine() -> Machine {
        let machine = Machine::new().dir("/etc/security/limits.d");
        let me = machine.stat("/").unwrap();
        let machine = machine.file("/etc/passwd", &format!("root:x:{}:{}:root:/root:/bin/bash\n", me.uid, me.gid));
        machine.file("/etc/group", &format!("root:x:{}:\n", me.gid))
    }

    fn shop(host: &Host) -> Result<Outcome> {
        let limits = host.limits("shop").both("shop", Resource::OpenFiles, 65_536).soft("*", Resource::CoreFile, 0);
        Ok(limits
            .hard("@ops", Resource::LockedMemory, Limit::Unlimited)
            .hard("anna", Resource::Niceness, -5)
            .present()?)
    }

    #[test]
    fn limits_are_lines_of_a_file() {
        let machine = machine();
        assert!(machine.plan(shop).unwrap().changed());
        assert_eq!(machine.read(PATH), None);
        assert!(machine.apply(shop).unwrap().changed());
        let expect = "shop - nofile 65536\n* soft core 0\n@ops hard memlock unlimited\nanna hard nice -5\n";
        assert_eq!(machine.read(PATH).as_deref(), Some(expect));
        assert_eq!(machine.stat(PATH).unwrap().mode, 0o644);
        assert_eq!(machine.apply(shop).unwrap(), Outcome::Unchanged);
        assert_eq!(machine.calls(), [""; 0]);
        machine.view(|host| host.limits("shop").exists()).unwrap();
        machine.view(|host| host.limits("shop").contains("shop - nofile 65536")).unwrap();
        assert!(machine.apply(|host| Ok(host.limits("shop").absent()?)).unwrap().changed());
        assert_eq!(machine.apply(|host| Ok(host.limits("shop").absent()?)).unwrap(), Outcome::Unchanged);
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        let machine = machine();
        let check = |ensure: fn(&Host) -> Result<Outcome, LimitsError>, expect: &str| {
            let error = machine.apply(|host| Ok(ensure(host)?)).unwrap_err().to_string();
            assert_eq!(error.lines().next(), Some(expect));
            assert!(error.contains("\nhint: "), "{error}");
        };
        check(|host| host.limits("shop").present(), "the limits `shop` limit nothing");
        check(|host| host.limits("../x").present(), "\"../x\" is no name for a file of /etc/security/limits.d");
        check(
            |host| host.limits("shop.conf").absent(),
            "\"shop.conf\" is no name for a file of /etc/security/limits.d",
        );
        let whom = |whom: &str| format!("{whom:?} in the limits `shop` is nobody");
        check(|host| host.limits("shop").soft("a b", Resource::Stack, 1).present(), &whom("a b"));
        check(|host| host.limits("shop").soft("a\nb", Resource::Stack, 1).present(), &whom("a\nb"));
        check(|host| host.limits("shop").soft("#", Resource::Stack, 1).present(), &whom("#"));
        check(|host| host.limits("shop").soft("@", Resource::Stack, 1).present(), &whom("@"));
        check(
            |host| host.limits("shop").soft("*", Resource::Stack, -1).present(),
            "stack in the limits `shop` can't be -1",
        );
        let nice = "nice in the limits `shop` can't be";
        check(|host| host.limits("shop").soft("*", Resource::Niceness, 20).present(), &format!("{nice} 20"));
        check(
            |host| host.limits("shop").soft("*", Resource::Niceness, Limit::Unlimited).present(),
            &format!("{nice} unlimited"),
        );
    }
}
