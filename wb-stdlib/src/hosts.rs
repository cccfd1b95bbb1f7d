//! `/etc/hosts`: names that lead to addresses without a name server.

mod text;

use std::net::IpAddr;

use anyhow::Result;
use wb_core::context::Outcome;
use wb_core::system::System;
use wb_core::system::files::FileError;

use crate::ensure::ensure;
use crate::herd::HerdError;
use crate::look::Access as _;
use crate::text_file::{TextFile, TextFileError};
use crate::{Host, Look};
pub(crate) use text::with_address;

pub(crate) const PATH: &str = "/etc/hosts";

/// What can go wrong with `/etc/hosts`. It is then as it was.
#[derive(Debug, thiserror::Error)]
pub enum HostsError {
    /// It can't stand there as a name.
    #[error("`{}` is no name of a host: {why}", .name.escape_debug())]
    BadName {
        /// What was asked for.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// It is no address.
    #[error("`{}`, to which `{name}` is to lead, is no IP address", .address.escape_debug())]
    BadAddress {
        /// The name.
        name: String,
        /// What was asked for.
        address: String,
    },
    /// Nobody said to which address it is to lead.
    #[error("no address is said for `{name}`\nhint: say it with `.address(…)` before `.present()?`")]
    NoAddress {
        /// The name.
        name: String,
    },
    /// A host of the herd has no address.
    #[error(transparent)]
    Herd(#[from] HerdError),
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] TextFileError),
}

impl From<FileError> for HostsError {
    fn from(error: FileError) -> Self {
        Self::File(error.into())
    }
}

/// A name in `/etc/hosts`. [`Look::hosts_entry`] makes it; [`Host::hosts_of`] makes those of a role.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn know_the_others(host: &Host) -> Result<()> {
///     host.hosts_entry("mail.example.org").alias("mail").address("192.0.2.25").present()?;
///     host.hosts_entry("old.example.org").absent()?;
///     host.hosts_of("database").domain("example.org").present()?;
///     Ok(())
/// }
///
/// fn the_mail_server_is_known(host: &View) -> Result<()> {
///     ensure!(host.hosts_entry("mail").addresses()?.len() == 1, "`mail` leads to several addresses");
///     host.hosts_entry("mail").leads_to("192.0.2.25")
/// }
/// # wb_stdlib::testing::web1().rehearse(know_the_others).asks(the_mail_server_is_known);
/// ```
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct HostsEntry<A> {
    access: A,
    name: String,
    aliases: Vec<String>,
    address: Option<String>,
}

impl<A: Look> HostsEntry<A> {
    pub(crate) fn new(access: A, name: &str) -> Self {
        Self { access, name: name.to_owned(), aliases: Vec::new(), address: None }
    }

    /// The addresses that it leads to, in their order: none where it is not there.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn addresses(&self) -> Result<Vec<String>, HostsError> {
        check_name(&self.name)?;
        let file = TextFile::read(self.system(), PATH)?;
        Ok(text::addresses(file.text(), &self.name).into_iter().map(str::to_owned).collect())
    }

    /// Checks that it leads to this address, and to no other of its kind (IPv4 or IPv6).
    ///
    /// # Errors
    /// When it does not.
    pub fn leads_to(&self, address: &str) -> Result<()> {
        let (wanted, found) = (parsed(&self.name, address)?, self.addresses()?);
        let names = [self.name.clone()];
        let leads = text::lead_to(TextFile::read(self.system(), PATH)?.text(), &names, wanted);
        let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
        anyhow::ensure!(leads, "expected `{}` in {PATH} to lead to {address}, found it leads to {found}", self.name);
        Ok(())
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }
}

impl HostsEntry<Host<'_>> {
    /// Another name that leads there.
    pub fn alias(mut self, name: impl Into<String>) -> Self {
        self.aliases.push(name.into());
        self
    }

    /// Where it leads: an address of IPv4 or IPv6. A name may have one of each, by two operations.
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// It leads to this address, with its aliases, and to no other of its kind.
    ///
    /// # Errors
    /// When the address or a name is none, or the file can't be edited.
    pub fn present(self) -> Result<Outcome, HostsError> {
        let address = self.address.as_deref().ok_or_else(|| HostsError::NoAddress { name: self.name.clone() })?;
        let what = format!("hosts entry {} present", self.name);
        let wanted = Wanted { address: parsed(&self.name, address)?, names: self.names()? };
        edit(self.access, &what, |text| wanted.in_text(text))
    }

    /// Neither it nor its aliases lead anywhere.
    ///
    /// # Errors
    /// When a name is none, or the file can't be edited.
    pub fn absent(self) -> Result<Outcome, HostsError> {
        let names = self.names()?;
        edit(self.access, &format!("hosts entry {} absent", self.name), |text| text::without_names(text, &names))
    }

    fn names(&self) -> Result<Vec<String>, HostsError> {
        let names: Vec<String> = std::iter::once(&self.name).chain(&self.aliases).cloned().collect();
        names.iter().try_for_each(|name| check_name(name))?;
        Ok(names)
    }
}

/// The other hosts of a role in `/etc/hosts`. [`Host::hosts_of`] makes it.
#[must_use = "say what is to be so: `.present()?`"]
pub struct HostsOf<'a> {
    host: Host<'a>,
    role: String,
    domain: Option<String>,
}

impl<'a> Host<'a> {
    /// The names of all hosts of `role` but this one, for `/etc/hosts`: they lead to the addresses that `herd.toml` has. The
    /// own name is what [`Hostname::in_hosts`](crate::hostname::Hostname::in_hosts) leads to 127.0.1.1, or an entry of its
    /// own: `host.hosts_entry(host.name()).address(host.address()?)`.
    pub fn hosts_of(&self, role: &str) -> HostsOf<'a> {
        HostsOf { host: *self, role: role.to_owned(), domain: None }
    }
}

impl HostsOf<'_> {
    /// Their names have this domain, and the names of `herd.toml` are aliases.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// All of them lead to their addresses.
    ///
    /// # Errors
    /// When one has no address, or a name for one, or the file can't be edited.
    pub fn present(self) -> Result<Outcome, HostsError> {
        let wanted = self.wanted()?;
        edit(self.host, &format!("hosts entries of {} present", self.role), |text| {
            wanted.iter().fold(text.to_owned(), |text, wanted| wanted.in_text(&text))
        })
    }

    fn wanted(&self) -> Result<Vec<Wanted>, HostsError> {
        let hosts = self.host.herd().role(&self.role).hosts();
        let others = hosts.filter(|peer| peer.name() != self.host.name());
        others.map(|peer| self.wanted_of(peer.name(), peer.address()?)).collect()
    }

    fn wanted_of(&self, name: &str, address: &str) -> Result<Wanted, HostsError> {
        let full = self.domain.as_ref().map(|domain| format!("{name}.{domain}"));
        let names: Vec<String> = full.into_iter().chain([name.to_owned()]).collect();
        names.iter().try_for_each(|name| check_name(name))?;
        Ok(Wanted { address: parsed(name, address)?, names })
    }
}

struct Wanted {
    address: IpAddr,
    names: Vec<String>,
}

impl Wanted {
    fn in_text(&self, text: &str) -> String {
        text::with_names(text, &self.names, self.address)
    }
}

fn edit(host: Host<'_>, what: &str, change: impl FnOnce(&str) -> String) -> Result<Outcome, HostsError> {
    let file = TextFile::by_now(host.context(), PATH)?;
    let new = change(file.text());
    file.foresee(host.context(), &new)?;
    ensure(host, what, file.difference(&new), || Ok(file.write(&new)?))
}

fn parsed(name: &str, address: &str) -> Result<IpAddr, HostsError> {
    let bad = || HostsError::BadAddress { name: name.to_owned(), address: address.to_owned() };
    address.parse().map_err(|_| bad())
}

/// Names as resolvers take them: letters, digits, `-`, `_` and dots.
fn check_name(name: &str) -> Result<(), HostsError> {
    let bad = |why| Err(HostsError::BadName { name: name.to_owned(), why });
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match name {
        "" => bad("it is empty"),
        _ if name.len() > 253 => bad("it has more than 253 letters"),
        _ if !name.chars().all(plain) => bad("names have letters, digits, `-`, `_` and dots"),
        _ if name.split('.').any(|label| label.is_empty() || label.len() > 63) => {
            bad("its parts have from 1 to 63 letters")
        }
        _ if name.starts_with('-') => bad("it starts with `-`"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Machine, changed};

    const TEXT: &str = "127.0.0.1\tlocalhost\n";

    #[test]
    fn a_name_leads_somewhere_and_then_nowhere() {
        let machine = Machine::new().file(PATH, TEXT);
        let present = || {
            machine
                .apply(|host| Ok(host.hosts_entry("mail.example.org").alias("mail").address("192.0.2.25").present()?))
        };
        let diff = "/etc/hosts\n+ 192.0.2.25 mail.example.org mail";
        assert_eq!(present().unwrap(), changed(diff));
        assert_eq!(present().unwrap(), Outcome::Unchanged);
        machine.view(|host| host.hosts_entry("mail").leads_to("192.0.2.25")).unwrap();
        let absent = || machine.apply(|host| Ok(host.hosts_entry("mail.example.org").alias("mail").absent()?));
        assert!(absent().unwrap().changed());
        assert_eq!(absent().unwrap(), Outcome::Unchanged);
        assert_eq!(machine.read(PATH).as_deref(), Some(TEXT));
    }

    #[test]
    fn a_plan_writes_nothing() {
        let machine = Machine::new().file(PATH, TEXT);
        machine.plan(|host| Ok(host.hosts_entry("mail").address("192.0.2.25").present()?)).unwrap();
        assert_eq!(machine.read(PATH).as_deref(), Some(TEXT));
    }

    #[test]
    fn a_role_is_known_by_name() {
        let machine = Machine::new()
            .file(PATH, "192.0.2.99 db1\n")
            .member("db1", "database", Some("192.0.2.21"))
            .member("db2", "database", Some("192.0.2.22"))
            .member("web1", "web", Some("192.0.2.11"));
        let present = || machine.apply(|host| Ok(host.hosts_of("database").domain("example.org").present()?));
        assert!(present().unwrap().changed());
        assert_eq!(present().unwrap(), Outcome::Unchanged);
        let expect = "192.0.2.21 db1.example.org db1\n192.0.2.22 db2.example.org db2\n";
        assert_eq!(machine.read(PATH).as_deref(), Some(expect));
    }

    #[test]
    fn the_own_name_is_left_to_others() {
        let machine = Machine::new()
            .file(PATH, "127.0.0.1 localhost\n")
            .file("/etc/hostname", "web1\n")
            .file("/proc/sys/kernel/hostname", "web1\n")
            .member("web1", "web", Some("192.0.2.11"))
            .member("web2", "web", Some("192.0.2.12"));
        let both = |host: &Host| {
            let own = host.hostname("web1").in_hosts().set()?;
            Ok((own.changed(), host.hosts_of("web").present()?.changed()))
        };
        assert_eq!(machine.plan(both).unwrap(), (true, true));
        assert_eq!(machine.apply(both).unwrap(), (true, true));
        assert_eq!(machine.read(PATH).as_deref(), Some("127.0.0.1 localhost\n127.0.1.1 web1\n192.0.2.12 web2\n"));
        assert_eq!(machine.apply(both).unwrap(), (false, false));
    }

    #[test]
    fn a_host_without_an_address_is_named() {
        let machine = Machine::new().member("db1", "database", None).member("db2", "cache", Some("db2.example.org"));
        let check = |role: &str, expect: &str| {
            let error = machine.apply(|host| Ok(host.hosts_of(role).present()?)).unwrap_err().to_string();
            assert!(error.starts_with(expect), "{error}");
        };
        check("database", "the host `db1` has no address\nhint: ");
        check("cache", "`db2.example.org`, to which `db2` is to lead, is no IP address");
    }

    #[test]
    fn what_is_no_name_or_address_is_refused() {
        let machine = Machine::new().file(PATH, TEXT);
        let check = |name: &str, address: &str, expect: &str| {
            let entry = |host: &Host| Ok(host.hosts_entry(name).address(address).present()?);
            assert_eq!(machine.apply(entry).unwrap_err().to_string(), expect);
        };
        check("a b", "192.0.2.1", "`a b` is no name of a host: names have letters, digits, `-`, `_` and dots");
        check(
            "a\n192.0.2.2 b",
            "192.0.2.1",
            "`a\\n192.0.2.2 b` is no name of a host: names have letters, digits, `-`, `_` and dots",
        );
        check("", "192.0.2.1", "`` is no name of a host: it is empty");
        check("a..b", "192.0.2.1", "`a..b` is no name of a host: its parts have from 1 to 63 letters");
        check("a", "192.0.2", "`192.0.2`, to which `a` is to lead, is no IP address");
        let error = machine.apply(|host| Ok(host.hosts_entry("a").present()?)).unwrap_err().to_string();
        assert!(error.starts_with("no address is said for `a`\nhint: "), "{error}");
        assert_eq!(machine.read(PATH).as_deref(), Some(TEXT));
    }

    #[test]
    fn a_spec_says_what_it_found() {
        let machine = Machine::new().file(PATH, TEXT);
        let check = |name: &str, expect: &str| {
            let error = machine.view(|host| host.hosts_entry(name).leads_to("192.0.2.1")).unwrap_err();
            assert_eq!(error.to_string(), expect);
        };
        check("mail", "expected `mail` in /etc/hosts to lead to 192.0.2.1, found it leads to nothing");
        check("localhost", "expected `localhost` in /etc/hosts to lead to 192.0.2.1, found it leads to 127.0.0.1");
    }
}
