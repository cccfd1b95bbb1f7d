//! ufw, Ubuntu's firewall: rules, default policies, and whether it is on.
//!
//! What there is is read from ufw's own files, so that what is as wanted starts no program.

mod rule;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use wb_core::context::{Operation, Outcome};
use wb_core::system::files::{self, Attributes, FileError};
use wb_core::system::{Command, CommandError, System};

use crate::ensure::{Difference, ensure};
use crate::look::Access as _;
use crate::{Host, Look, sshd};
use rule::{Action, Direction, Network, Ports, Tuple};

const CONFIGURATION: &str = "/etc/ufw/ufw.conf";
const DEFAULTS: &str = "/etc/default/ufw";
/// For IPv4 and for IPv6. Older versions had them in the second place.
const RULES: [[&str; 2]; 2] =
    [["/etc/ufw/user.rules", "/lib/ufw/user.rules"], ["/etc/ufw/user6.rules", "/lib/ufw/user6.rules"]];

/// While this is there, the kernel may have other rules than ufw's files: ufw writes these first. It is made before ufw is
/// told something that the kernel is to have, and gone after a boot, which goes by the files.
const UNFINISHED: &str = "/run/wildebeest/ufw";
/// What brings to the kernel what the files say, where distributions have it.
const INITS: [&str; 3] = ["/lib/ufw/ufw-init", "/usr/lib/ufw/ufw-init", "/usr/libexec/ufw/ufw-init"];

/// How long one run of ufw may take: it starts a program for each rule.
const UFW_BOUND: Duration = Duration::from_secs(120);

/// What can go wrong with ufw.
#[derive(Debug, thiserror::Error)]
pub enum UfwError {
    /// ufw has no such rules.
    #[error("`{value}` is no {what} for ufw\nhint: {hint}")]
    BadRule {
        /// What it was to be: `port`, `network` …
        what: &'static str,
        /// What was asked for.
        value: String,
        /// What would do.
        hint: &'static str,
    },
    /// It is not installed.
    #[error(
        "ufw is not installed: there is no {CONFIGURATION}\nhint: `host.packages([\"ufw\"]).installed()?` installs it"
    )]
    NotInstalled,
    /// It would let nobody in over ssh, or nobody any more.
    #[error(
        "ufw would let nobody in over ssh: no rule that counts allows port {port}, and incoming is {policy} if nothing else is \
         said\nhint: `ufw.allow({port}).over(\"tcp\").present()?` first, or `.even_without_ssh()` for a host that is reached in \
         another way; of two rules that fit, the first one counts"
    )]
    LocksOut {
        /// Where sshd listens.
        port: u16,
        /// What becomes of the rest.
        policy: Policy,
    },
    /// It refused.
    #[error("ufw did not do it: {what}")]
    Refused {
        /// What was wanted.
        what: String,
        /// What it said.
        source: CommandError,
    },
    /// It ended well, and it is not so.
    #[error("ufw was told, and ended well, but it is not so: {what}")]
    NotSo {
        /// What was wanted.
        what: String,
    },
    /// Its files can't be read.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What becomes of what no rule fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// It passes.
    Allow,
    /// It is dropped, without a word.
    Deny,
    /// It is refused, and its sender told so.
    Reject,
}

impl Policy {
    fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Reject => "reject",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().as_str() {
            "ACCEPT" => Some(Self::Allow),
            "DROP" => Some(Self::Deny),
            "REJECT" => Some(Self::Reject),
            _ => None,
        }
    }
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Allow => "allowed",
            Self::Deny => "denied",
            Self::Reject => "rejected",
        })
    }
}

/// ufw. [`Look::ufw`] makes it.
///
/// ```
/// use wb_stdlib::prelude::*;
/// use wb_stdlib::ufw::Policy;
///
/// fn let_in_what_is_served(host: &Host) -> Result<()> {
///     host.packages(["ufw"]).installed()?;
///     let ufw = host.ufw();
///     ufw.limit(22).over("tcp").present()?;
///     ufw.allow(80).over("tcp").present()?;
///     ufw.allow(5432).over("tcp").from("192.0.2.0/24").present()?;
///     ufw.allow(8080).over("tcp").absent()?;
///     ufw.incoming(Policy::Deny)?;
///     ufw.enabled()?;
///     Ok(())
/// }
///
/// fn it_is_on(host: &View) -> Result<()> {
///     host.ufw().is_enabled()?;
///     host.ufw().allow(80).over("tcp").exists()
/// }
/// # let host = wb_stdlib::testing::web1().file("/etc/ufw/ufw.conf", "ENABLED=no\n");
/// # host.rehearse(let_in_what_is_served).asks(it_is_on);
/// ```
#[must_use]
#[derive(Clone)]
pub struct Ufw<A> {
    access: A,
    even_without_ssh: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "a number and a text are said alike")]
impl<A: Look> Ufw<A> {
    pub(crate) fn new(access: A) -> Self {
        Self { access, even_without_ssh: false }
    }

    /// What comes to this port may pass: a number from 1 to 65535, a text like `80,443` or `6000:6007`, or `any`.
    pub fn allow(&self, ports: impl ToString) -> Rule<A> {
        Rule::new(self.clone(), Action::Allow, &ports)
    }

    /// What comes to this port is dropped.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    /// use wb_stdlib::ufw::Policy;
    ///
    /// fn what_must_not_pass(host: &Host) -> Result<()> {
    ///     let ufw = host.ufw();
    ///     ufw.deny(25).over("tcp").present()?;
    ///     ufw.reject("6000:6007").over("tcp").to("192.0.2.7").on("eth1").first().present()?;
    ///     ufw.deny("any").outgoing().to("203.0.113.0/24").present()?;
    ///     ufw.allow_application("Nginx Full").present()?;
    ///     ufw.outgoing(Policy::Allow)?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().file("/etc/ufw/ufw.conf", "ENABLED=no\n").rehearse(what_must_not_pass);
    /// ```
    pub fn deny(&self, ports: impl ToString) -> Rule<A> {
        Rule::new(self.clone(), Action::Deny, &ports)
    }

    /// What comes to this port is refused, and its sender told so.
    pub fn reject(&self, ports: impl ToString) -> Rule<A> {
        Rule::new(self.clone(), Action::Reject, &ports)
    }

    /// What comes to this port may pass, but not more than 6 connections of one address in 30 seconds.
    pub fn limit(&self, ports: impl ToString) -> Rule<A> {
        Rule::new(self.clone(), Action::Limit, &ports)
    }

    /// What comes to the ports of an application profile may pass, as in `Nginx Full`: see `ufw app list`.
    pub fn allow_application(&self, name: impl Into<String>) -> Rule<A> {
        let mut rule = Rule::new(self.clone(), Action::Allow, &"any");
        rule.application = Some(name.into());
        rule
    }

    /// Checks that it is on, now and at each start.
    ///
    /// # Errors
    /// When it is off, or not installed.
    pub fn is_enabled(&self) -> Result<()> {
        anyhow::ensure!(self.facts()?.enabled, "expected ufw to be enabled, found it disabled");
        Ok(())
    }

    fn facts(&self) -> Result<Facts, UfwError> {
        Facts::of(self.access.context().system())?.ok_or(UfwError::NotInstalled)
    }
}

impl Ufw<Host<'_>> {
    /// What is said may leave nobody who can come in over ssh: for hosts that are reached in another way.
    ///
    /// ```
    /// use wb_stdlib::prelude::*;
    ///
    /// fn close_all(host: &Host) -> Result<()> {
    ///     host.ufw().even_without_ssh().enabled()?; // the console is another way in
    ///     Ok(())
    /// }
    ///
    /// fn open_all(host: &Host) -> Result<()> {
    ///     host.ufw().disabled()?;
    ///     Ok(())
    /// }
    /// # wb_stdlib::testing::web1().file("/etc/ufw/ufw.conf", "ENABLED=no\n").rehearse(close_all);
    /// # wb_stdlib::testing::web1().file("/etc/ufw/ufw.conf", "ENABLED=yes\n").rehearse(open_all);
    /// ```
    pub fn even_without_ssh(mut self) -> Self {
        self.even_without_ssh = true;
        self
    }

    /// It is on, now and at each start.
    ///
    /// # Errors
    /// When it is not installed, would let nobody in over ssh, or does not come on.
    pub fn enabled(&self) -> Result<Outcome, UfwError> {
        self.ensure("enabled", &["--force", "enable"], |facts| {
            if facts.enabled {
                return Ok(None);
            }
            self.expect_a_way_in(&facts.rules[0], facts.incoming)?;
            Ok(Some("disabled -> enabled".into()))
        })
    }

    /// It is off, now and at each start.
    ///
    /// # Errors
    /// When it is not installed, or does not go off.
    pub fn disabled(&self) -> Result<Outcome, UfwError> {
        self.ensure("disabled", &["disable"], |facts| Ok(facts.enabled.then(|| "enabled -> disabled".into())))
    }

    /// What becomes of what comes in, if no rule fits it.
    ///
    /// # Errors
    /// When it is not installed, or is enabled and would then let nobody in over ssh.
    pub fn incoming(&self, policy: Policy) -> Result<Outcome, UfwError> {
        self.ensure(&format!("incoming {policy}"), &["default", policy.word(), "incoming"], |facts| {
            let line = difference_of(facts.incoming, policy);
            if line.is_some() && facts.enabled && policy != Policy::Allow {
                self.expect_a_way_in(&facts.rules[0], Some(policy))?;
            }
            Ok(line)
        })
    }

    /// What becomes of what goes out, if no rule fits it.
    ///
    /// # Errors
    /// When it is not installed, or refuses.
    pub fn outgoing(&self, policy: Policy) -> Result<Outcome, UfwError> {
        self.ensure(&format!("outgoing {policy}"), &["default", policy.word(), "outgoing"], |facts| {
            Ok(difference_of(facts.outgoing, policy))
        })
    }

    /// The one way to change something: what `look` finds is shown, done by ufw, and looked for once more. What a run before
    /// this one was killed over is brought to its end.
    fn ensure(
        &self,
        what: &str,
        words: &[&str],
        look: impl Fn(&Facts) -> Result<Option<String>, UfwError>,
    ) -> Result<Outcome, UfwError> {
        let what = format!("ufw {what}");
        let facts = match self.facts() {
            Err(UfwError::NotInstalled) if self.access.plans() => {
                return ensure(self.access, &what, Difference::Unknown("ufw is not installed yet".into()), || Ok(()));
            }
            facts => facts?,
        };
        let (line, is_unfinished) = (look(&facts)?, self.is_unfinished()?);
        let again =
            is_unfinished.then(|| "what its files say is loaded: an earlier run did not come to its end".to_owned());
        let difference = Difference::of_lines(line.clone().into_iter().chain(again));
        ensure(self.access, &what, difference, || {
            let refused = |source| UfwError::Refused { what: what.clone(), source };
            if facts.enabled || words.contains(&"enable") {
                self.begin()?;
            }
            if line.is_some() {
                self.access.system().read_command(&ufw(words)).map_err(refused)?;
            }
            if is_unfinished {
                self.load(self.facts()?.enabled).map_err(refused)?;
            }
            match look(&self.facts()?)? {
                None => self.finish(),
                Some(_) => Err(UfwError::NotSo { what: what.clone() }),
            }
        })
    }

    /// Whether the kernel may have other rules than the files, and no operation before this one in a plan would mend that.
    fn is_unfinished(&self) -> Result<bool, UfwError> {
        let mends = |planned: &Operation| planned.outcome.changed() && planned.what.starts_with("ufw ");
        let is_mended = self.access.plans() && self.access.context().operations().iter().any(mends);
        Ok(!is_mended && self.access.system().stat(UNFINISHED)?.is_some())
    }

    fn begin(&self) -> Result<(), UfwError> {
        let system = self.access.system();
        system.path(UNFINISHED).parent().map_or(Ok(()), files::create_dir)?;
        Ok(system.write_file(UNFINISHED, "", Attributes::mode(0o600))?)
    }

    fn finish(&self) -> Result<(), UfwError> {
        Ok(files::remove(self.access.system().path(UNFINISHED)).map(drop)?)
    }

    /// Brings to the kernel what the files say. `ufw reload` would write in them for a moment that it is off, and `ufw enable`
    /// leaves alone what is half there.
    fn load(&self, enabled: bool) -> Result<(), CommandError> {
        let system = self.access.system();
        let init = INITS.into_iter().find(|init| files::exists(system.path(init))).unwrap_or(INITS[0]);
        let word = if enabled { "force-reload" } else { "force-stop" };
        let command = Command::new(init).arg(word).env("LC_ALL", "C.UTF-8").timeout(UFW_BOUND);
        system.read_command(&command).map(drop)
    }

    /// Somebody can come in over ssh, where there is an sshd.
    fn expect_a_way_in(&self, rules: &[Tuple], incoming: Option<Policy>) -> Result<(), UfwError> {
        let ports = sshd::ports(self.access.system())?;
        self.expect_open(&ports, rules, incoming)
    }

    fn expect_open(&self, ports: &[u16], rules: &[Tuple], incoming: Option<Policy>) -> Result<(), UfwError> {
        let policy = incoming.unwrap_or(Policy::Deny);
        let is_open = |port| rule::open(rules, port, policy == Policy::Allow) || self.will_open(port);
        match ports.iter().find(|port| !is_open(**port)) {
            Some(port) if !self.even_without_ssh => Err(UfwError::LocksOut { port: *port, policy }),
            _ => Ok(()),
        }
    }

    /// Whether a rule of this plan does.
    fn will_open(&self, port: u16) -> bool {
        let planned = if self.access.plans() { self.access.context().operations() } else { Vec::new() };
        planned.iter().any(|operation| operation.outcome.changed() && opens(&operation.what, port))
    }
}

/// Whether the operation that is called so opens a port: `ufw allow in proto tcp from any to any port 22 present`.
fn opens(what: &str, port: u16) -> bool {
    let words: Vec<&str> = what.split(' ').collect();
    let ["ufw", "allow" | "limit", "in", rest @ .., "present"] = words.as_slice() else { return false };
    let after = |word: &str| rest.iter().position(|one| *one == word).and_then(|at| rest.get(at + 1)).copied();
    let is_tcp = after("proto").is_none_or(|protocol| protocol == "tcp");
    is_tcp
        && after("app").is_none()
        && after("port").is_none_or(|text| Ports::parse(text).is_some_and(|ports| ports.has(port)))
}

fn difference_of(found: Option<Policy>, wanted: Policy) -> Option<String> {
    let was = found.map_or("unset", Policy::word);
    (found != Some(wanted)).then(|| format!("{was} -> {}", wanted.word()))
}

fn ufw<W: AsRef<std::ffi::OsStr>>(words: impl IntoIterator<Item = W>) -> Command {
    Command::new("ufw").args(words).env("LC_ALL", "C.UTF-8").timeout(UFW_BOUND)
}

/// A rule. [`Ufw::allow`] and its sisters make it.
#[must_use = "say what is to be so: `.present()?` or `.absent()?`"]
pub struct Rule<A> {
    ufw: Ufw<A>,
    action: Action,
    direction: Direction,
    ports: String,
    protocol: String,
    interface: Option<String>,
    from: Option<String>,
    to: Option<String>,
    application: Option<String>,
    first: bool,
}

impl<A: Look> Rule<A> {
    fn new(ufw: Ufw<A>, action: Action, ports: &dyn ToString) -> Self {
        let (ports, protocol) = (ports.to_string(), "any".into());
        let (interface, from, to, application) = (None, None, None, None);
        Self { ufw, action, direction: Direction::In, ports, protocol, interface, from, to, application, first: false }
    }

    /// Over this protocol: `tcp` or `udp`. Several ports want one.
    pub fn over(mut self, protocol: impl Into<String>) -> Self {
        self.protocol = protocol.into();
        self
    }

    /// From this address or network: `192.0.2.7`, `2001:db8::/32`. Otherwise from everywhere.
    pub fn from(mut self, network: impl Into<String>) -> Self {
        self.from = Some(network.into());
        self
    }

    /// To this address or network. Otherwise to each.
    pub fn to(mut self, network: impl Into<String>) -> Self {
        self.to = Some(network.into());
        self
    }

    /// What goes out, not what comes in.
    pub fn outgoing(mut self) -> Self {
        self.direction = Direction::Out;
        self
    }

    /// On this interface: `eth0`. Otherwise on each.
    pub fn on(mut self, interface: impl Into<String>) -> Self {
        self.interface = Some(interface.into());
        self
    }

    /// Checks that there is such a rule.
    ///
    /// # Errors
    /// When there is none, or ufw is not installed.
    pub fn exists(&self) -> Result<()> {
        let rule = self.checked()?;
        anyhow::ensure!(self.ufw.facts()?.has(&rule), "expected the rule `ufw {rule}`, found none");
        Ok(())
    }

    fn checked(&self) -> Result<rule::Rule, UfwError> {
        let ports = if self.ports == "any" { Some(Ports::all()) } else { Ports::parse(&self.ports) };
        let bad = |what, value: &str, hint| UfwError::BadRule { what, value: value.to_owned(), hint };
        let network = |text: &Option<String>| match text.as_deref() {
            None => Ok(None),
            Some(text) => {
                let hint = "networks are like `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`";
                Network::parse(text).map(Some).ok_or_else(|| bad("network", text, hint))
            }
        };
        let rule = rule::Rule {
            action: self.action,
            direction: self.direction,
            interface: self.interface.clone(),
            protocol: self.protocol.clone(),
            ports: ports
                .ok_or_else(|| bad("port", &self.ports, "ports are like `22`, `80,443`, `6000:6007`, or `any`"))?,
            to: network(&self.to)?,
            from: network(&self.from)?,
            application: self.application.clone(),
        };
        let is_word =
            |text: &&String| text.is_empty() || !text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_+".contains(c));
        if let Some(interface) =
            rule.interface.as_ref().filter(|name| is_word(name) || name.len() > 15 || name.starts_with('-'))
        {
            return Err(bad("interface", interface, "interfaces are like `eth0`"));
        }
        if !["any", "tcp", "udp", "ah", "esp", "gre", "ipv6", "igmp"].contains(&rule.protocol.as_str()) {
            return Err(bad("protocol", &rule.protocol, "protocols are `tcp`, `udp`, or `any`"));
        }
        if let Some(name) = rule.application.as_ref().filter(|name| name.is_empty() || name.contains(char::is_control))
        {
            return Err(bad("application", name, "`ufw app list` shows those that there are"));
        }
        Ok(rule)
    }
}

impl Rule<Host<'_>> {
    /// A new one is put before all others, which count more the earlier they come; otherwise it comes after them.
    pub fn first(mut self) -> Self {
        self.first = true;
        self
    }

    /// There is such a rule. One that says something else of the same becomes this one.
    ///
    /// # Errors
    /// When it is none that ufw can have, or ufw is not installed, or refuses it, or is enabled and would then let nobody in
    /// over ssh.
    pub fn present(self) -> Result<Outcome, UfwError> {
        let rule = self.checked()?;
        let mut words = rule.words();
        if self.first {
            words.insert(0, "prepend".into());
        }
        self.ensure(&rule, &words, true)
    }

    /// There is no such rule.
    ///
    /// # Errors
    /// When ufw is not installed, or is enabled and would then let nobody in over ssh.
    pub fn absent(self) -> Result<Outcome, UfwError> {
        let rule = self.checked()?;
        let mut words = rule.words();
        words.splice(0..0, ["--force".to_owned(), "delete".to_owned()]);
        self.ensure(&rule, &words, false)
    }

    fn ensure(&self, rule: &rule::Rule, words: &[String], wanted: bool) -> Result<Outcome, UfwError> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let what = format!("{rule} {}", if wanted { "present" } else { "absent" });
        self.ufw.ensure(&what, &words, |facts| {
            let differs = if wanted { !facts.has(rule) } else { facts.has_any_of(rule) };
            if differs {
                self.expect_a_way_in_after(facts, rule, wanted)?;
            }
            let sign = if wanted { '+' } else { '-' };
            Ok(differs.then(|| format!("{sign} {rule}")))
        })
    }

    /// A rule that comes shuts no port of sshd, and one that goes was not the last that opened it.
    fn expect_a_way_in_after(&self, facts: &Facts, rule: &rule::Rule, comes: bool) -> Result<(), UfwError> {
        let opens = comes == rule.action.lets_in();
        if opens || !facts.enabled || !rule.is_for(false) {
            return Ok(());
        }
        let after = match comes {
            true => rule::with(&facts.rules[0], rule, self.first),
            false => rule::without(&facts.rules[0], rule),
        };
        let is_allowed = facts.incoming == Some(Policy::Allow);
        let is_open = |port: &u16| rule.is_about(*port) && rule::open(&facts.rules[0], *port, is_allowed);
        let ports: Vec<u16> = sshd::ports(self.ufw.access.system())?.into_iter().filter(is_open).collect();
        self.ufw.expect_open(&ports, &after, facts.incoming)
    }
}

/// What ufw's files say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    enabled: bool,
    ipv6: bool,
    incoming: Option<Policy>,
    outgoing: Option<Policy>,
    /// For IPv4 and for IPv6.
    rules: [Arc<Vec<Tuple>>; 2],
}

impl Facts {
    /// Nothing where ufw is not installed.
    fn of(system: &System) -> Result<Option<Self>, FileError> {
        let Some(configuration) = system.parsed(CONFIGURATION, text)? else { return Ok(None) };
        let defaults = system.parsed(DEFAULTS, text)?.unwrap_or_default();
        let rules = |[now, once]: [&str; 2]| -> Result<Arc<Vec<Tuple>>, FileError> {
            match system.parsed(now, rule::tuples)? {
                Some(rules) => Ok(rules),
                None => Ok(system.parsed(once, rule::tuples)?.unwrap_or_default()),
            }
        };
        let is_yes = |text: &str, key: &str| value(text, key).is_some_and(|value| value.eq_ignore_ascii_case("yes"));
        Ok(Some(Self {
            enabled: is_yes(&configuration, "ENABLED"),
            ipv6: is_yes(&defaults, "IPV6"),
            incoming: value(&defaults, "DEFAULT_INPUT_POLICY").and_then(Policy::parse),
            outgoing: value(&defaults, "DEFAULT_OUTPUT_POLICY").and_then(Policy::parse),
            rules: [rules(RULES[0])?, rules(RULES[1])?],
        }))
    }

    /// For both, where the rule is for both.
    fn has(&self, rule: &rule::Rule) -> bool {
        self.places(rule).all(|tuples| rule::has(tuples, rule))
    }

    fn has_any_of(&self, rule: &rule::Rule) -> bool {
        self.places(rule).any(|tuples| rule::has(tuples, rule))
    }

    fn places(&self, rule: &rule::Rule) -> impl Iterator<Item = &Vec<Tuple>> {
        let places = [(rule.is_for(false), &self.rules[0]), (rule.is_for(true) && self.ipv6, &self.rules[1])];
        places.into_iter().filter_map(|(is_for, tuples)| is_for.then_some(&**tuples))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The value of a line `KEY=value` or `KEY="value"`.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let lines = text.lines().filter_map(|line| line.trim().split_once('='));
    let value = lines.rev().find(|(name, _)| name.trim() == key)?.1;
    Some(value.trim().trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests;
