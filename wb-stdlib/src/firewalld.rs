//! firewalld, Red Hat's firewall: what its zones let in, now and for good.
//!
//! What a zone has for good is read from its file, so that a service, port or source that is there already starts no
//! program; a rich rule has many spellings, so that firewalld is asked for it. What changes is told to the running
//! firewall first, and then written for good: as long as the file does not have it, both are done again. What the running
//! firewall has beside its file is not seen.
//!
//! What lets somebody in over ssh does not go, where it is the last that does in its zone, and nothing comes that shuts
//! everybody out. Services, ports, sources and rich rules count; what a plan would have changed by then does, too.

mod rule;
mod zone;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use wb_core::context::{Mode, Outcome};
use wb_core::system::files::{self, FileError};
use wb_core::system::{Command, CommandError, System};

use crate::ensure::{Difference, ensure};
use crate::{Host, Look, sshd};
use rule::Rule;
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
        "nobody could come in over ssh any more: nothing would be left in the zone `{zone}` of firewalld that lets port {port} \
         in\nhint: `.port(\"{port}/tcp\").present()?` of that zone first, or `.even_without_ssh()` for a host that is reached \
         in another way, or that another service lets in"
    )]
    LocksOut {
        /// Through which nobody would come in.
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
/// # let host = wb_stdlib::testing::web1().file("/etc/firewalld/firewalld.conf", "DefaultZone=public\n");
/// # let zones = ["public", "external", "trusted"].map(|zone| format!("/usr/lib/firewalld/zones/{zone}.xml"));
/// # let host = zones.iter().fold(host, |host, zone| host.file(zone, "<zone><service name=\"ssh\"/></zone>"));
/// # host.rehearse(let_in_what_is_served).asks(it_lets_in);
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

    /// What it has, or would have by now in a plan.
    fn facts_by_now(&self) -> Result<Facts, FirewalldError> {
        let mut facts = self.facts()?;
        for (kind, value, is_there) in self.foreseen() {
            kind.put(&mut facts, &value, is_there);
        }
        Ok(facts)
    }

    /// What operations before would have given it in a plan, or taken from it.
    fn foreseen(&self) -> Vec<(Kind, String, bool)> {
        let context = self.access.context();
        if context.mode() == Mode::Apply {
            return Vec::new();
        }
        let operations = context.operations();
        let changed = operations.iter().filter(|operation| operation.outcome.changed());
        changed.filter_map(|operation| called(&operation.what, &self.name)).collect()
    }

    /// All zones but this one.
    fn others(&self) -> Vec<Self> {
        let paths = ZONES.iter().flat_map(|directory| files::list(self.system().path(directory)).unwrap_or_default());
        let zones = paths.filter(|path| path.extension().is_some_and(|extension| extension == "xml"));
        let names: BTreeSet<String> = zones.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
        names.into_iter().filter(|name| *name != self.name).map(|name| Self { name, ..self.clone() }).collect()
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

/// What an operation is about, as it is called: `firewalld port 22/tcp in the zone public present`.
fn called(what: &str, zone: &str) -> Option<(Kind, String, bool)> {
    let (element, end) = what.strip_prefix("firewalld ")?.rsplit_once(' ')?;
    let element = element.strip_suffix(zone)?.strip_suffix(" in the zone ")?;
    let (word, value) = element.split_once(' ').unwrap_or((element, ""));
    let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word)?;
    Some((kind, value.to_owned(), end == "present"))
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
    const ALL: [Self; 6] =
        [Self::Service, Self::Port, Self::Source, Self::ForwardPort, Self::Masquerade, Self::RichRule];

    /// Gives it to what a zone has, or takes it away.
    fn put(self, facts: &mut Facts, value: &str, is_there: bool) {
        let set = match self {
            Self::Service => &mut facts.services,
            Self::Port => &mut facts.ports,
            Self::Source => &mut facts.sources,
            Self::ForwardPort => &mut facts.forwards,
            Self::Masquerade => {
                facts.masquerades = is_there;
                return;
            }
            Self::RichRule => {
                let rule = Rule::parse(value);
                facts.rules.retain(|found| *found != rule);
                facts.rules.extend(is_there.then_some(rule));
                return;
            }
        };
        match is_there {
            true => set.insert(value.to_owned()),
            false => set.remove(value),
        };
    }

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
            Kind::RichRule => Ok(!facts.rules.is_empty() && self.is_rule()?),
        }
    }

    /// Whether it is there, or would be by now in a plan.
    fn is_there_by_now(&self) -> Result<bool, FirewalldError> {
        let is_there = self.is_there()?;
        let foreseen = self.zone.foreseen();
        let last = foreseen.iter().rfind(|(kind, value, _)| self.is(*kind, value));
        Ok(last.map_or(is_there, |(.., is_there)| *is_there))
    }

    fn is(&self, kind: Kind, value: &str) -> bool {
        self.kind == kind && self.value == value
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
    /// When firewalld is not installed, has no such zone or service, or refuses; and when nobody could come in over ssh any more
    /// (a rule that shuts sshd's port to everybody, everybody as the source of a zone that does not let them in), without
    /// [`Firewalld::even_without_ssh`].
    pub fn present(self) -> Result<Outcome, FirewalldError> {
        self.ensure(true)
    }

    /// The zone does not have it, now and after each start.
    ///
    /// # Errors
    /// As [`Element::present`]; and when it goes from the default zone, or one that has interfaces or sources of its own, and
    /// nothing else lets sshd's port in, there or for the sources of another zone, without [`Firewalld::even_without_ssh`].
    pub fn absent(self) -> Result<Outcome, FirewalldError> {
        self.ensure(false)
    }

    fn ensure(&self, wanted: bool) -> Result<Outcome, FirewalldError> {
        self.check()?;
        let host = self.zone.access;
        let what = format!("firewalld {self} {}", if wanted { "present" } else { "absent" });
        let difference = match self.is_there_by_now() {
            Err(error @ (FirewalldError::NotInstalled | FirewalldError::NoSuchZone { .. })) if host.plans() => {
                Difference::Unknown(error.to_string().lines().next().unwrap_or_default().to_owned())
            }
            there => match there? == wanted {
                true => Difference::None,
                false => Difference::Some(None),
            },
        };
        if matches!(difference, Difference::Some(_)) {
            self.expect_a_way_in(wanted)?;
        }
        ensure(host, &what, difference, || {
            self.act(if wanted { "add" } else { "remove" }).map_err(|source| match source {
                Acted::Asked(error) => error,
                Acted::Refused(source) => FirewalldError::Refused { what: what.clone(), source },
            })?;
            if self.is_there()? == wanted { Ok(()) } else { Err(FirewalldError::NotSo { what: what.clone() }) }
        })
    }

    /// What goes is not the last that lets somebody in over ssh, where there is an sshd, and what comes shuts nobody out.
    fn expect_a_way_in(&self, wanted: bool) -> Result<(), FirewalldError> {
        let zone = &self.zone;
        if zone.even_without_ssh {
            return Ok(());
        }
        let (before, is_default) = (zone.facts_by_now()?, zone.is_default()?);
        let mut after = before.clone();
        self.kind.put(&mut after, &self.value, wanted);
        let lets_in = |facts: &Facts, port| facts.is_used(is_default) && facts.opens(port);
        // Then it is for all who came through the others.
        let is_for_all = wanted && self.kind == Kind::Source && rule::is_everybody(&self.value);
        let is_shut = |port: &u16| (is_for_all || lets_in(&before, *port)) && !lets_in(&after, *port);
        let Some(port) = sshd::ports(zone.system())?.into_iter().find(is_shut) else { return Ok(()) };
        let is_of_sources = !is_default && !before.has_interfaces;
        match !is_for_all && self.is_another_way_in(port, is_of_sources)? {
            true => Ok(()),
            false => Err(FirewalldError::LocksOut { zone: zone.name.clone(), port }),
        }
    }

    /// Whether another zone lets somebody in who is meant to come: one that has sources and names sshd's port. Whom a zone
    /// of sources no longer has comes through the default one.
    fn is_another_way_in(&self, port: u16, is_of_sources: bool) -> Result<bool, FirewalldError> {
        for other in self.zone.others() {
            let facts = other.facts_by_now()?;
            let is_open_default = is_of_sources && other.is_default()? && facts.opens(port);
            if is_open_default || (!facts.sources.is_empty() && facts.names(port)) {
                return Ok(true);
            }
        }
        Ok(false)
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
