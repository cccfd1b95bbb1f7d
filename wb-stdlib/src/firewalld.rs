//! firewalld, Red Hat's firewall: what its zones let in, now and for good.
//!
//! What a zone has for good is read from its file, so that a service, port or source that is there already starts no
//! program; a rich rule has many spellings, so that firewalld is asked for it. What changes is told to the running
//! firewall first, and then written for good: as long as the file does not have it, both are done again. What the running
//! firewall has beside its file is not seen.
//!
//! What lets somebody in over ssh does not go, where it is the last that does in its zone.

mod zone;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use wb_core::context::Outcome;
use wb_core::system::files::FileError;
use wb_core::system::{Command, CommandError, System};

use crate::ensure::{Difference, ensure};
use crate::{Host, Look, sshd};
use zone::Facts;

/// Where the zones of a host are, and those that come with firewalld.
const ZONES: [&str; 2] = ["/etc/firewalld/zones", "/usr/lib/firewalld/zones"];
const CONFIGURATION: &str = "/etc/firewalld/firewalld.conf";
/// The zone of whom no other is for, if nothing else is said.
const DEFAULT_ZONE: &str = "public";
const BOUND: Duration = Duration::from_secs(120);

/// `firewall-cmd --state` ends so when it does not run.
const NOT_RUNNING: i32 = 252;
/// `firewall-cmd --query-…` ends so when there is none.
const NO: i32 = 1;

/// What can go wrong with firewalld.
#[derive(Debug, thiserror::Error)]
pub enum FirewalldError {
    /// firewalld has nothing that is called so.
    #[error("`{}` is no {what} for firewalld\nhint: {hint}", value.escape_debug())]
    BadName {
        /// What it was to be.
        what: &'static str,
        /// What was asked for.
        value: String,
        /// What would do.
        hint: &'static str,
    },
    /// It is not installed.
    #[error(
        "firewalld is not installed: there is no {CONFIGURATION}\nhint: `host.packages([\"firewalld\"]).installed()?` installs it"
    )]
    NotInstalled,
    /// No such zone.
    #[error("firewalld has no zone `{zone}`\nhint: `firewall-cmd --permanent --get-zones` shows those that there are")]
    NoSuchZone {
        /// What was asked for.
        zone: String,
    },
    /// Nobody could come in over ssh any more.
    #[error(
        "nobody could come in over ssh any more: nothing else in the zone `{zone}` of firewalld lets port {port} in\nhint: \
         `.port(\"{port}/tcp\").present()?` of that zone first, or `.even_without_ssh()` for a host that is reached in \
         another way, or that a rich rule or another service lets in"
    )]
    LocksOut {
        /// What it goes from.
        zone: String,
        /// Where sshd listens.
        port: u16,
    },
    /// It can't be asked.
    #[error("could not ask firewalld")]
    Ask(#[source] CommandError),
    /// It refused.
    #[error("firewalld did not do it: {what}")]
    Refused {
        /// What was wanted.
        what: String,
        /// What it said.
        source: CommandError,
    },
    /// It ended well, and it is not so.
    #[error("firewalld was told, and ended well, but it is not so: {what}")]
    NotSo {
        /// What was wanted.
        what: String,
    },
    /// Its files can't be read.
    #[error(transparent)]
    File(#[from] FileError),
}

/// firewalld. [`Look::firewalld`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
///
/// fn let_in_what_is_served(host: &Host) -> Result<()> {
///     let firewalld = host.firewalld();
///     let public = firewalld.default_zone()?;
///     public.service("https").present()?;
///     public.port("8080/tcp").absent()?;
///     public.rich_rule(r#"rule family="ipv4" source address="192.0.2.0/24" port port="5432" protocol="tcp" accept"#).present()?;
///     public.forward_port("port=80:proto=tcp:toport=8080").present()?;
///     firewalld.zone("external").masquerade().present()?;
///     firewalld.zone("trusted").source("198.51.100.0/24").present()?;
///     firewalld.even_without_ssh().zone("external").service("ssh").absent()?; // the console is another way in
///     Ok(())
/// }
///
/// fn it_lets_in(host: &View) -> Result<()> {
///     host.firewalld().default_zone()?.service("https").exists()
/// }
/// # let (_, _) = (let_in_what_is_served as fn(&Host) -> Result<()>, it_lets_in as fn(&View) -> Result<()>);
/// ```
#[must_use]
#[derive(Clone, Copy)]
pub struct Firewalld<A> {
    access: A,
    even_without_ssh: bool,
}

impl<A: Look> Firewalld<A> {
    pub(crate) fn new(access: A) -> Self {
        Self { access, even_without_ssh: false }
    }

    /// The zone `name`, as in `public`.
    pub fn zone(&self, name: impl Into<String>) -> Zone<A> {
        Zone { access: self.access, name: name.into(), even_without_ssh: self.even_without_ssh }
    }

    /// The zone of whom no other is for.
    ///
    /// # Errors
    /// When firewalld's configuration can't be read.
    pub fn default_zone(&self) -> Result<Zone<A>, FirewalldError> {
        Ok(self.zone(default_zone(self.access.context().system())?))
    }
}

impl Firewalld<Host<'_>> {
    /// What is said may leave nobody who can come in over ssh: for hosts that are reached in another way.
    pub fn even_without_ssh(mut self) -> Self {
        self.even_without_ssh = true;
        self
    }
}

/// A zone of firewalld. [`Firewalld::zone`] makes it.
#[must_use]
#[derive(Clone)]
pub struct Zone<A> {
    access: A,
    name: String,
    even_without_ssh: bool,
}

impl<A: Look> Zone<A> {
    /// A service that firewalld knows by its name: `http`, `ssh`.
    pub fn service(&self, name: impl Into<String>) -> Element<A> {
        self.element(Kind::Service, name.into())
    }

    /// A port or a range of them, with its protocol: `8080/tcp`, `6000-6007/udp`.
    pub fn port(&self, port: impl Into<String>) -> Element<A> {
        self.element(Kind::Port, port.into())
    }

    /// Whom the zone is for: `192.0.2.0/24`.
    pub fn source(&self, network: impl Into<String>) -> Element<A> {
        self.element(Kind::Source, network.into())
    }

    /// What comes to a port goes on to another, as firewalld writes it: `port=80:proto=tcp:toport=8080`, with
    /// `:toaddr=192.0.2.7` at its end where that is on another host.
    pub fn forward_port(&self, forward: impl Into<String>) -> Element<A> {
        self.element(Kind::ForwardPort, forward.into())
    }

    /// What goes out through the zone comes from the host itself, for those who get it.
    pub fn masquerade(&self) -> Element<A> {
        self.element(Kind::Masquerade, String::new())
    }

    /// A rule of the rich language: `rule family="ipv4" source address="192.0.2.0/24" accept`.
    pub fn rich_rule(&self, rule: impl Into<String>) -> Element<A> {
        self.element(Kind::RichRule, rule.into())
    }

    fn element(&self, kind: Kind, value: String) -> Element<A> {
        Element { zone: self.clone(), kind, value }
    }

    fn system(&self) -> &System {
        self.access.context().system()
    }

    fn facts(&self) -> Result<Facts, FirewalldError> {
        if self.system().stat(CONFIGURATION)?.is_none() {
            return Err(FirewalldError::NotInstalled);
        }
        for directory in ZONES {
            if let Some(text) = text(self.system(), PathBuf::from(directory).join(format!("{}.xml", self.name)))? {
                return Ok(Facts::parse(&text));
            }
        }
        Err(FirewalldError::NoSuchZone { zone: self.name.clone() })
    }

    fn is_default(&self) -> Result<bool, FileError> {
        Ok(default_zone(self.system())? == self.name)
    }

    fn runs(&self) -> Result<bool, FirewalldError> {
        let said = self.system().run(&firewall("firewall-cmd").arg("--state")).map_err(FirewalldError::Ask)?;
        Ok(said.code != NOT_RUNNING)
    }
}

/// The name of the zone of whom no other is for.
fn default_zone(system: &System) -> Result<String, FileError> {
    let text = text(system, CONFIGURATION)?.unwrap_or_default();
    let name = text.lines().find_map(|line| line.trim().strip_prefix("DefaultZone="));
    Ok(name.map_or(DEFAULT_ZONE, str::trim).to_owned())
}

fn text(system: &System, path: impl AsRef<std::path::Path>) -> Result<Option<String>, FileError> {
    Ok(system.read_file(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn firewall(program: &str) -> Command {
    Command::new(program).env("LC_ALL", "C.UTF-8").timeout(BOUND)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Service,
    Port,
    Source,
    ForwardPort,
    Masquerade,
    RichRule,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Port => "port",
            Self::Source => "source",
            Self::ForwardPort => "forward-port",
            Self::Masquerade => "masquerade",
            Self::RichRule => "rich-rule",
        }
    }

    /// What a name of it may have, and what helps.
    fn accepts(self, value: &str) -> Result<(), &'static str> {
        let is_name =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
        match self {
            Self::Service if is_name(value) && !value.starts_with('-') => Ok(()),
            Self::Service => Err("`firewall-cmd --get-services` shows those that there are"),
            Self::Port => {
                let (ports, protocol) = value.split_once('/').unwrap_or((value, ""));
                let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
                let good = is_port(first) && is_port(last) && ["tcp", "udp", "sctp", "dccp"].contains(&protocol);
                if good { Ok(()) } else { Err("ports are like `8080/tcp`, `6000-6007/udp`") }
            }
            Self::Source => {
                let (address, length) = value.split_once('/').unwrap_or((value, "0"));
                let good = address.parse::<std::net::IpAddr>().is_ok() && length.parse::<u8>().is_ok();
                if good { Ok(()) } else { Err("sources are like `192.0.2.0/24`, `2001:db8::/32`") }
            }
            Self::ForwardPort => {
                let has = |part: &str| value.contains(part);
                let is_plain = value.chars().all(|c| c.is_ascii_alphanumeric() || "=:.-".contains(c));
                let is_whole = value.starts_with("port=") && has(":proto=") && (has(":toport=") || has(":toaddr="));
                // In the order in which they are read back, or one that is there would not be seen.
                let parts = [":proto=", ":toport=", ":toaddr="].map(|part| value.find(part));
                let is_ordered = parts.iter().flatten().is_sorted();
                let hint = "forwarded ports are like `port=80:proto=tcp:toport=8080:toaddr=192.0.2.7`";
                if is_plain && is_whole && is_ordered { Ok(()) } else { Err(hint) }
            }
            Self::Masquerade => Ok(()),
            Self::RichRule if value.starts_with("rule ") && !value.contains(char::is_control) => Ok(()),
            Self::RichRule => Err("rich rules begin with `rule `, see firewalld.richlanguage(5)"),
        }
    }
}

/// What a zone has or has not. [`Zone::service`] and its sisters make it.
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct Element<A> {
    zone: Zone<A>,
    kind: Kind,
    value: String,
}

impl<A: Look> Element<A> {
    /// Checks that the zone has it, for good.
    ///
    /// # Errors
    /// When it has not, or firewalld is not installed.
    pub fn exists(&self) -> Result<()> {
        self.check()?;
        anyhow::ensure!(self.is_there()?, "expected the {self} of firewalld, found none");
        Ok(())
    }

    fn check(&self) -> Result<(), FirewalldError> {
        let bad = |what, value: &str, hint| FirewalldError::BadName { what, value: value.to_owned(), hint };
        let zone = &self.zone.name;
        if zone.is_empty()
            || !zone.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
            || zone.starts_with('-')
        {
            return Err(bad("zone", zone, "`firewall-cmd --permanent --get-zones` shows those that there are"));
        }
        self.kind.accepts(&self.value).map_err(|hint| bad(self.kind.word(), &self.value, hint))
    }

    fn is_there(&self) -> Result<bool, FirewalldError> {
        let facts = self.zone.facts()?;
        match self.kind {
            Kind::Service => Ok(facts.services.contains(&self.value)),
            Kind::Port => Ok(facts.ports.contains(&self.value)),
            Kind::Source => Ok(facts.sources.contains(&self.value)),
            Kind::ForwardPort => Ok(facts.forwards.contains(&self.value)),
            Kind::Masquerade => Ok(facts.masquerades),
            // Of those that there are none of, nobody needs to be asked.
            Kind::RichRule => Ok(facts.has_rules && self.is_rule()?),
        }
    }

    fn is_rule(&self) -> Result<bool, FirewalldError> {
        let query = match self.zone.runs()? {
            true => self.told("firewall-cmd", "query").arg("--permanent"),
            false => self.told("firewall-offline-cmd", "query"),
        };
        let said = self.zone.system().run(&query).map_err(FirewalldError::Ask)?;
        match said.code {
            NO => Ok(false),
            _ => said.success(&query).map(|_| true).map_err(FirewalldError::Ask),
        }
    }

    fn told(&self, program: &str, verb: &str) -> Command {
        let value = if self.kind == Kind::Masquerade { String::new() } else { format!("={}", self.value) };
        let element = format!("--{verb}-{}{value}", self.kind.word());
        firewall(program).args([format!("--zone={}", self.zone.name), element])
    }
}

impl<A> std::fmt::Display for Element<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let blank = if self.value.is_empty() { "" } else { " " };
        write!(f, "{}{blank}{} in the zone {}", self.kind.word(), self.value, self.zone.name)
    }
}

impl Element<Host<'_>> {
    /// The zone has it, now and after each start.
    ///
    /// # Errors
    /// When firewalld is not installed, has no such zone or service, or refuses.
    pub fn present(self) -> Result<Outcome, FirewalldError> {
        self.ensure(true)
    }

    /// The zone does not have it, now and after each start.
    ///
    /// # Errors
    /// As [`Element::present`]; and when it goes from the default zone, or one that has interfaces of its own, and nothing
    /// else there lets sshd's port in, without [`Firewalld::even_without_ssh`].
    pub fn absent(self) -> Result<Outcome, FirewalldError> {
        self.ensure(false)
    }

    fn ensure(&self, wanted: bool) -> Result<Outcome, FirewalldError> {
        self.check()?;
        let host = self.zone.access;
        let what = format!("firewalld {self} {}", if wanted { "present" } else { "absent" });
        let difference = match self.is_there() {
            Err(error @ (FirewalldError::NotInstalled | FirewalldError::NoSuchZone { .. })) if host.plans() => {
                Difference::Unknown(error.to_string().lines().next().unwrap_or_default().to_owned())
            }
            there => match there? == wanted {
                true => Difference::None,
                false => Difference::Some(None),
            },
        };
        if !wanted && matches!(difference, Difference::Some(_)) {
            self.expect_another_way_in()?;
        }
        ensure(host, &what, difference, || {
            self.act(if wanted { "add" } else { "remove" }).map_err(|source| match source {
                Acted::Asked(error) => error,
                Acted::Refused(source) => FirewalldError::Refused { what: what.clone(), source },
            })?;
            if self.is_there()? == wanted { Ok(()) } else { Err(FirewalldError::NotSo { what: what.clone() }) }
        })
    }

    /// What goes is not the last that lets somebody in over ssh, where there is an sshd.
    fn expect_another_way_in(&self) -> Result<(), FirewalldError> {
        let (zone, before) = (&self.zone, self.zone.facts()?);
        if zone.even_without_ssh || !(before.has_interfaces || zone.is_default()?) {
            return Ok(());
        }
        let goes = |kind: Kind, value: &str| self.kind == kind && self.value == value;
        let mut after = before.clone();
        after.services.retain(|service| !goes(Kind::Service, service));
        after.ports.retain(|port| !goes(Kind::Port, port));
        let is_shut = |port: &u16| before.opens(*port) && !after.opens(*port) && !self.will_open(*port);
        match sshd::ports(zone.system())?.into_iter().find(is_shut) {
            Some(port) => Err(FirewalldError::LocksOut { zone: zone.name.clone(), port }),
            None => Ok(()),
        }
    }

    /// Whether an operation before this one, in a plan, lets the port in otherwise.
    fn will_open(&self, port: u16) -> bool {
        let other = match self.kind {
            Kind::Service => format!("port {port}/tcp"),
            Kind::Port if port == zone::SSH => "service ssh".to_owned(),
            _ => return false,
        };
        let host = self.zone.access;
        host.plans() && host.comes(&format!("firewalld {other} in the zone {} present", self.zone.name))
    }

    /// The running firewall first. What it has or has not already, it says, and ends well.
    fn act(&self, verb: &str) -> Result<(), Acted> {
        let system = self.zone.system();
        let run = |command: &Command| system.read_command(command).map(drop).map_err(Acted::Refused);
        match self.zone.runs().map_err(Acted::Asked)? {
            true => {
                run(&self.told("firewall-cmd", verb))?;
                run(&self.told("firewall-cmd", verb).arg("--permanent"))
            }
            false => run(&self.told("firewall-offline-cmd", verb)),
        }
    }
}

/// Why it could not be done.
enum Acted {
    Asked(FirewalldError),
    Refused(CommandError),
}

#[cfg(test)]
mod tests;
