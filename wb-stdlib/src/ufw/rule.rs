//! Rules, as ufw keeps them: a line `### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in` each in `user.rules` for IPv4,
//! and in `user6.rules` for IPv6.

use std::fmt;
use std::net::IpAddr;

/// What becomes of what a rule fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Allow,
    Deny,
    Reject,
    Limit,
}

impl Action {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Reject => "reject",
            Self::Limit => "limit",
        }
    }

    /// Whether it lets somebody in.
    pub(super) fn lets_in(self) -> bool {
        matches!(self, Self::Allow | Self::Limit)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

impl Direction {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// An address or a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    length: u8,
}

impl Network {
    /// Reads `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`. What stands behind the length does not count.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(longest);
        (length <= longest).then(|| Self { address: masked(address, length), length })
    }

    fn is_everywhere(self) -> bool {
        self.length == 0
    }

    /// Whether all of another one is in it.
    fn covers(self, other: Self) -> bool {
        self.length <= other.length && masked(other.address, self.length) == self.address
    }
}

fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4((u32::from(address) & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6((u128::from(address) & mask).into())
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.address.is_ipv4() { 32 } else { 128 };
        match self.length == whole {
            true => write!(f, "{}", self.address),
            false => write!(f, "{}/{}", self.address, self.length),
        }
    }
}

/// Ports: `22`, `80,443`, `6000:6007`, or all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ports(String);

impl Ports {
    pub(super) fn all() -> Self {
        Self("any".into())
    }

    /// As ufw writes them: in the order of their numbers, a port before the range that begins with it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let count = text.matches([',', ':']).count();
        let mut ranges = text.split(',').map(range).collect::<Option<Vec<_>>>()?;
        ranges.sort_unstable();
        let word = |(first, last): &(u16, Option<u16>)| match last {
            Some(last) => format!("{first}:{last}"),
            None => first.to_string(),
        };
        (count < 15).then(|| Self(ranges.iter().map(word).collect::<Vec<_>>().join(",")))
    }

    fn is_all(&self) -> bool {
        self.0 == "any"
    }

    /// Whether a port is among them.
    pub(super) fn has(&self, port: u16) -> bool {
        let number = |text: &str| text.parse::<u16>().unwrap_or(0);
        self.is_all()
            || self.0.split(',').any(|range| match range.split_once(':') {
                Some((first, last)) => (number(first)..=number(last)).contains(&port),
                None => number(range) == port,
            })
    }
}

/// Reads `22`, or `6000:6007`.
fn range(text: &str) -> Option<(u16, Option<u16>)> {
    let port = |text: &str| text.parse::<u16>().ok().filter(|_| !text.starts_with(['+', '0']));
    match text.split_once(':') {
        Some((first, last)) => Some((port(first)?, Some(port(last)?))).filter(|(first, last)| Some(*first) < *last),
        None => Some((port(text)?, None)),
    }
}

/// A rule, for one of IPv4 and IPv6, or both where it names no network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) action: Action,
    pub(super) direction: Direction,
    pub(super) interface: Option<String>,
    /// `tcp`, `udp`, `any` …
    pub(super) protocol: String,
    pub(super) ports: Ports,
    pub(super) to: Option<Network>,
    pub(super) from: Option<Network>,
    /// The name of an application profile, which stands for ports.
    pub(super) application: Option<String>,
}

impl Rule {
    /// Which of IPv4 and IPv6 it is for.
    pub(super) fn is_for(&self, ipv6: bool) -> bool {
        let network = self.from.or(self.to);
        network.is_none_or(|network| network.address.is_ipv6() == ipv6)
    }

    /// Whether it is about who reaches this port of the host over TCP.
    pub(super) fn is_about(&self, port: u16) -> bool {
        self.direction == Direction::In && ["tcp", "any"].contains(&self.protocol.as_str()) && self.ports.has(port)
    }

    /// Its words behind `ufw`, and behind `ufw delete`.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = vec![self.action.word().to_owned(), self.direction.word().to_owned()];
        let mut add = |these: &[&str]| words.extend(these.iter().map(|word| (*word).to_owned()));
        if let Some(interface) = &self.interface {
            add(&["on", interface]);
        }
        if self.protocol != "any" {
            add(&["proto", &self.protocol]);
        }
        let place = |network: Option<Network>| network.map_or_else(|| "any".to_owned(), |network| network.to_string());
        add(&["from", &place(self.from), "to", &place(self.to)]);
        match &self.application {
            Some(application) => add(&["app", application]),
            None if !self.ports.is_all() => add(&["port", &self.ports.0]),
            None => {}
        }
        words
    }

    /// Whether this line of a file is the rule.
    fn is(&self, line: &Tuple) -> bool {
        line.action == self.action.word() && self.is_of(line)
    }

    /// Whether this line of a file says something of the same as the rule, which then takes its place.
    fn is_of(&self, line: &Tuple) -> bool {
        // What an application stands for is ufw's to know.
        let by_application = self.application.is_some();
        line.direction == self.direction.word()
            && line.interface.as_deref() == self.interface.as_deref()
            && line.application.as_deref() == self.application.as_deref()
            && limit(line.to) == limit(self.to)
            && limit(line.from) == limit(self.from)
            && line.source_ports == "any"
            && (by_application || line.protocol == self.protocol && line.ports == self.ports.0)
    }
}

impl From<&Rule> for Tuple {
    fn from(rule: &Rule) -> Self {
        Self {
            action: rule.action.word().to_owned(),
            protocol: rule.protocol.clone(),
            ports: rule.ports.0.clone(),
            to: rule.to,
            source_ports: "any".into(),
            from: rule.from,
            application: rule.application.clone(),
            direction: rule.direction.word().to_owned(),
            interface: rule.interface.clone(),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tuple {
    action: String,
    protocol: String,
    ports: String,
    to: Option<Network>,
    source_ports: String,
    from: Option<Network>,
    application: Option<String>,
    direction: String,
    interface: Option<String>,
}

impl Tuple {
    /// Reads the fields behind `### tuple ###`: 6 of them, 2 more where there are applications, then perhaps the direction.
    fn parse(line: &str) -> Option<Self> {
        let fields = line.strip_prefix("### tuple ###")?.split(" comment=").next()?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let (application, direction) = match fields.len() {
            6 => ("-", "in"),
            7 => ("-", fields[6]),
            8 => (fields[6], "in"),
            9 => (fields[6], fields[8]),
            _ => return None,
        };
        // Rules for what passes through the host are none of its own, and other sides' interfaces say so.
        if fields[0].starts_with("route:") || direction.contains('!') {
            return None;
        }
        let (direction, interface) = match direction.split_once('_') {
            Some((direction, interface)) => (direction, Some(interface.to_owned())),
            None => (direction, None),
        };
        Some(Self {
            action: fields[0].split('_').next().unwrap_or_default().to_owned(),
            protocol: fields[1].to_owned(),
            ports: fields[2].to_owned(),
            to: Network::parse(fields[3]),
            source_ports: fields[4].to_owned(),
            from: Network::parse(fields[5]),
            application: (application != "-").then(|| application.replace("%20", " ")),
            direction: direction.to_owned(),
            interface,
        })
    }

    /// Whether it is about who reaches this port of the host over TCP.
    fn is_about(&self, port: u16) -> bool {
        self.direction == "in"
            && ["tcp", "any"].contains(&self.protocol.as_str())
            && Ports(self.ports.clone()).has(port)
    }

    fn lets_in(&self) -> bool {
        ["allow", "limit"].contains(&self.action.as_str())
    }

    /// Whether it counts for all that another one would count for, if that is about the same port and comes later.
    fn covers(&self, later: &Self) -> bool {
        let covers = |one: Option<Network>, other: Option<Network>| match (limit(one), limit(other)) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(one), Some(other)) => one.covers(other),
        };
        self.source_ports == "any"
            && (self.interface.is_none() || self.interface == later.interface)
            && covers(self.from, later.from)
            && covers(self.to, later.to)
    }

    /// Whether it counts for everybody.
    fn is_for_all(&self) -> bool {
        self.source_ports == "any" && self.interface.is_none() && limit(self.from).or(limit(self.to)).is_none()
    }
}

/// A network, unless that is all of them.
fn limit(network: Option<Network>) -> Option<Network> {
    network.filter(|network| !network.is_everywhere())
}

/// The rules of a file.
pub(super) fn tuples(bytes: &[u8]) -> Vec<Tuple> {
    String::from_utf8_lossy(bytes).lines().filter_map(Tuple::parse).collect()
}

/// Whether a rule is among those of a file.
pub(super) fn has(tuples: &[Tuple], rule: &Rule) -> bool {
    tuples.iter().any(|tuple| rule.is(tuple))
}

/// The rules of a file with one that comes: in the place of what says something of the same, or else before or after all.
pub(super) fn with(tuples: &[Tuple], rule: &Rule, first: bool) -> Vec<Tuple> {
    let mut with = tuples.to_vec();
    match with.iter().position(|tuple| rule.is_of(tuple)) {
        Some(at) => with[at] = rule.into(),
        None => with.insert(if first { 0 } else { with.len() }, rule.into()),
    }
    with
}

/// The rules of a file without one that goes.
pub(super) fn without(tuples: &[Tuple], rule: &Rule) -> Vec<Tuple> {
    tuples.iter().filter(|tuple| !rule.is(tuple)).cloned().collect()
}

/// Whether somebody can reach this port of the host over TCP. The first rule that fits counts; `otherwise` is what becomes
/// of those whom none fits.
pub(super) fn open(tuples: &[Tuple], port: u16, otherwise: bool) -> bool {
    let (mut denials, mut is_open): (Vec<&Tuple>, bool) = (Vec::new(), false);
    for tuple in tuples.iter().filter(|tuple| tuple.is_about(port)) {
        match tuple.lets_in() {
            true => is_open |= !denials.iter().any(|denial| denial.covers(tuple)),
            false => denials.push(tuple),
        }
    }
    is_open || otherwise && !denials.iter().any(|denial| denial.is_for_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As ufw 0.36 writes it.
    const FILE: &str = "*filter\n:ufw-user-input - [0:0]\n### RULES ###\n\n\
        ### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n-A ufw-user-input -p tcp --dport 22 -j ACCEPT\n\n\
        ### tuple ### allow tcp 5432 0.0.0.0/0 any 192.0.2.0/24 in comment=706f737467726573\n\n\
        ### tuple ### deny any any 0.0.0.0/0 any 198.51.100.7 in\n\n\
        ### tuple ### limit_log udp 6000:6007 0.0.0.0/0 any 0.0.0.0/0 in_eth0\n\n\
        ### tuple ### allow tcp 80,443 0.0.0.0/0 any 0.0.0.0/0 Nginx%20Full - in\n\n\
        ### tuple ### reject tcp 25 0.0.0.0/0 any 0.0.0.0/0 out\n\n\
        ### tuple ### allow tcp 8000:8010,8080,9000 0.0.0.0/0 any 0.0.0.0/0 in\n\n\
        ### tuple ### route:allow tcp 81 0.0.0.0/0 any 0.0.0.0/0 in_eth0!out_eth1\n\n### END RULES ###\n";

    fn rule(action: Action, protocol: &str, ports: &str) -> Rule {
        Rule {
            action,
            direction: Direction::In,
            interface: None,
            protocol: protocol.into(),
            ports: if ports == "any" { Ports::all() } else { Ports::parse(ports).unwrap() },
            to: None,
            from: None,
            application: None,
        }
    }

    #[test]
    fn rules_are_found_in_their_file() {
        let tuples = tuples(FILE.as_bytes());
        let check = |rule: Rule, expect| assert_eq!(has(&tuples, &rule), expect, "{rule}");
        check(rule(Action::Allow, "tcp", "22"), true);
        check(rule(Action::Deny, "tcp", "22"), false);
        check(rule(Action::Allow, "any", "22"), false);
        check(Rule { from: Network::parse("192.0.2.9/24"), ..rule(Action::Allow, "tcp", "5432") }, true);
        check(rule(Action::Allow, "tcp", "5432"), false);
        check(Rule { from: Network::parse("198.51.100.7/32"), ..rule(Action::Deny, "any", "any") }, true);
        check(Rule { interface: Some("eth0".into()), ..rule(Action::Limit, "udp", "6000:6007") }, true);
        check(Rule { application: Some("Nginx Full".into()), ..rule(Action::Allow, "any", "any") }, true);
        check(rule(Action::Allow, "tcp", "80,443"), false);
        check(rule(Action::Allow, "tcp", "9000,8080,8000:8010"), true);
        check(Rule { direction: Direction::Out, ..rule(Action::Reject, "tcp", "25") }, true);
        check(rule(Action::Allow, "tcp", "81"), false);
    }

    #[test]
    fn what_is_open_is_seen() {
        let tuples = tuples(FILE.as_bytes());
        assert_eq!([22, 443, 25, 81].map(|port| open(&tuples, port, false)), [true, true, false, false]);
        assert!(open(&tuples, 25, true));
        assert!(rule(Action::Limit, "any", "20:30").is_about(22) && !rule(Action::Deny, "udp", "22").is_about(22));
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        let from = |network: &str, rule: Rule| Rule { from: Network::parse(network), ..rule };
        let (allow, deny) = (rule(Action::Allow, "tcp", "22"), rule(Action::Deny, "any", "any"));
        let check = |rules: &[&Rule], otherwise: bool, expect: bool| {
            let tuples: Vec<Tuple> = rules.iter().map(|rule| Tuple::from(*rule)).collect();
            assert_eq!(open(&tuples, 22, otherwise), expect, "{rules:?}");
        };
        check(&[&allow, &deny], false, true);
        check(&[&deny, &allow], false, false);
        check(&[&deny], true, false);
        let (some, all) = (from("192.0.2.7", deny.clone()), from("192.0.2.0/24", deny.clone()));
        check(&[&some, &allow], false, true);
        check(&[&some], true, true);
        check(&[&all, &from("192.0.2.7", allow.clone())], false, false);
        check(&[&some, &from("192.0.2.0/24", allow.clone())], false, true);
        let elsewhere = Rule { interface: Some("eth1".into()), ..deny.clone() };
        check(&[&elsewhere, &allow], false, true);
        check(&[&elsewhere, &Rule { interface: Some("eth1".into()), ..allow.clone() }], false, false);
    }

    #[test]
    fn a_rule_takes_the_place_of_one_of_the_same() {
        let tuples = tuples(FILE.as_bytes());
        let deny = rule(Action::Deny, "tcp", "22");
        let replaced = with(&tuples, &deny, false);
        assert!(replaced.len() == tuples.len() && has(&replaced[..1], &deny));
        let deny = rule(Action::Deny, "any", "22");
        assert!(has(&with(&tuples, &deny, true)[..1], &deny));
        assert!(has(&with(&tuples, &deny, false)[tuples.len()..], &deny));
        assert_eq!(without(&tuples, &rule(Action::Allow, "tcp", "22")), tuples[1..]);
    }

    #[test]
    fn a_rule_is_said_in_the_words_of_ufw() {
        let check = |rule: Rule, expect: &str| assert_eq!(rule.to_string(), expect);
        check(rule(Action::Allow, "tcp", "22"), "allow in proto tcp from any to any port 22");
        check(rule(Action::Deny, "any", "any"), "deny in from any to any");
        let from = Rule {
            from: Network::parse("192.0.2.9/24"),
            interface: Some("eth0".into()),
            ..rule(Action::Limit, "udp", "1:9")
        };
        check(from, "limit in on eth0 proto udp from 192.0.2.0/24 to any port 1:9");
        let application = Rule { application: Some("Nginx Full".into()), ..rule(Action::Allow, "any", "any") };
        check(application, "allow in from any to any app Nginx Full");
    }

    #[test]
    fn networks_and_ports_are_read() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(Network::parse(text).map(|network| network.to_string()).as_deref(), expect, "{text}");
        };
        check("192.0.2.7", Some("192.0.2.7"));
        check("192.0.2.7/32", Some("192.0.2.7"));
        check("192.0.2.7/0", Some("0.0.0.0/0"));
        check("2001:DB8::1/64", Some("2001:db8::/64"));
        check("192.0.2.7/33", None);
        check("web1", None);
        let check = |text: &str, expect: &str| assert_eq!(Ports::parse(text), Some(Ports(expect.into())), "{text}");
        check("22", "22");
        check("443,80", "80,443");
        check("6000:6007,10,9", "9,10,6000:6007");
        check("80:90,80", "80,80:90");
        for bad in ["", "0", "65536", "22,", ":", "30:20", "a", "+2", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16"] {
            assert_eq!(Ports::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_network_says_which_of_the_two_it_is_for() {
        let check = |from: Option<&str>, expect| {
            let rule = Rule { from: from.and_then(Network::parse), ..rule(Action::Allow, "tcp", "22") };
            assert_eq!([rule.is_for(false), rule.is_for(true)], expect);
        };
        check(None, [true, true]);
        check(Some("192.0.2.0/24"), [true, false]);
        check(Some("2001:db8::/32"), [false, true]);
    }
}
