//! What the file of a zone says, see firewalld.zone(5).

use std::collections::BTreeSet;

use super::rule::Rule;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) services: BTreeSet<String>,
    /// As in `8080/tcp`.
    pub(super) ports: BTreeSet<String>,
    pub(super) sources: BTreeSet<String>,
    /// As in `port=80:proto=tcp:toport=8080:toaddr=192.0.2.7`.
    pub(super) forwards: BTreeSet<String>,
    pub(super) masquerades: bool,
    /// Its rich rules, as far as they are known here.
    pub(super) rules: Vec<Rule>,
    /// Whether interfaces are its own.
    pub(super) has_interfaces: bool,
    /// Whether it lets in what nothing else is said of.
    pub(super) accepts_all: bool,
}

/// The port of the service `ssh`.
pub(super) const SSH: u16 = 22;

impl Facts {
    /// Reads the tags of a file. What stands within a rich rule is that rule's.
    pub(super) fn parse(text: &str) -> Self {
        let mut facts = Self::default();
        let mut is_rule = false;
        for tag in tags(text) {
            let name = tag.split([' ', '\t', '\n', '\r', '/']).next().unwrap_or_default();
            match name {
                "rule" => {
                    facts.rules.push(Rule::default());
                    is_rule = !tag.ends_with('/');
                }
                _ if tag == "/rule" => is_rule = false,
                _ if is_rule => {
                    if let Some(rule) = facts.rules.last_mut() {
                        rule.add(name, &|key| attribute(tag, key));
                    }
                }
                "zone" => facts.accepts_all = attribute(tag, "target").is_some_and(|target| target == "ACCEPT"),
                "interface" => facts.has_interfaces = true,
                "masquerade" => facts.masquerades = true,
                "forward-port" => facts.forwards.extend(forward(tag)),
                "service" => facts.services.extend(attribute(tag, "name")),
                "source" => facts.sources.extend(attribute(tag, "address")),
                "port" => {
                    let port = attribute(tag, "port").zip(attribute(tag, "protocol"));
                    facts.ports.extend(port.map(|(port, protocol)| format!("{port}/{protocol}")));
                }
                _ => {}
            }
        }
        facts
    }

    /// Whether it lets a TCP port in, as far as that is known: of services, only `ssh` is.
    pub(super) fn opens(&self, port: u16) -> bool {
        (self.accepts_all || self.says(port)) && !self.rules.iter().any(|rule| rule.shuts(port))
    }

    /// Whether it names a TCP port that it lets in.
    pub(super) fn names(&self, port: u16) -> bool {
        self.says(port) && self.opens(port)
    }

    /// Whether somebody comes through it: it is the default zone, or has interfaces or sources.
    pub(super) fn is_used(&self, is_default: bool) -> bool {
        is_default || self.has_interfaces || !self.sources.is_empty()
    }

    fn says(&self, port: u16) -> bool {
        let is_service = port == SSH && self.services.contains("ssh");
        is_service
            || self.ports.iter().any(|ports| has_port(ports, port))
            || self.rules.iter().any(|rule| rule.accepts(port))
    }
}

/// Whether `22/tcp` or `20-30/tcp` has this port.
pub(super) fn has_port(ports: &str, port: u16) -> bool {
    let Some(range) = ports.strip_suffix("/tcp") else { return false };
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let ends = first.parse::<u16>().ok().zip(last.parse::<u16>().ok());
    ends.is_some_and(|(first, last)| (first..=last).contains(&port))
}

/// Where a port is forwarded to: `port=80:proto=tcp`, then `:toport=8080` and `:toaddr=192.0.2.7`, or one of them.
fn forward(tag: &str) -> Option<String> {
    let (port, protocol) = (attribute(tag, "port")?, attribute(tag, "protocol")?);
    let to = [("to-port", "toport"), ("to-addr", "toaddr")].into_iter().filter_map(|(name, word)| {
        let value = attribute(tag, name).filter(|value| !value.is_empty())?;
        Some(format!(":{word}={value}"))
    });
    Some(format!("port={port}:proto={protocol}{}", to.collect::<String>()))
}

/// What stands between `<` and `>`, without comments.
fn tags(text: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = text;
    while let Some((_, from)) = rest.split_once('<') {
        let end = if from.starts_with("!--") { "-->" } else { ">" };
        let Some((tag, next)) = from.split_once(end) else { break };
        if !from.starts_with("!--") {
            tags.push(tag.trim());
        }
        rest = next;
    }
    tags
}

/// The value of `name="value"` in a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    while let Some((before, after)) = rest.split_once('=') {
        let found = before.split_whitespace().last()?;
        let quote = after.trim_start().chars().next().filter(|c| ['"', '\''].contains(c))?;
        let (value, next) = after.trim_start()[1..].split_once(quote)?;
        if found == name {
            return Some(value.to_owned());
        }
        rest = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As firewalld 1.3 writes it.
    const PUBLIC: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<zone>\n  <short>Public</short>\n  <description>For use \
        in public areas.</description>\n  <service name=\"ssh\"/>\n  <service name=\"dhcpv6-client\"/>\n  <!-- <service \
        name=\"no\"/> -->\n  <port port=\"8080\" protocol=\"tcp\"/>\n  <port protocol='udp' port='6000-6007'/>\n  <source \
        address=\"192.0.2.0/24\"/>\n  <rule family=\"ipv4\">\n    <source address=\"198.51.100.0/24\"/>\n    <service \
        name=\"http\"/>\n    <accept/>\n  </rule>\n  <service name=\"https\"/>\n  <forward/>\n  <masquerade/>\n  <forward-port \
        port=\"80\" protocol=\"tcp\" to-port=\"8080\" to-addr=\"192.0.2.7\"/>\n  <forward-port port=\"81\" protocol=\"tcp\" \
        to-port=\"8081\"/>\n  <interface name=\"eth0\"/>\n</zone>\n";

    fn set(these: &[&str]) -> BTreeSet<String> {
        these.iter().map(|this| (*this).to_owned()).collect()
    }

    #[test]
    fn a_zone_is_read_and_what_is_in_a_rule_is_its_own() {
        let expect = Facts {
            services: set(&["ssh", "dhcpv6-client", "https"]),
            ports: set(&["8080/tcp", "6000-6007/udp"]),
            sources: set(&["192.0.2.0/24"]),
            forwards: set(&["port=80:proto=tcp:toport=8080:toaddr=192.0.2.7", "port=81:proto=tcp:toport=8081"]),
            masquerades: true,
            rules: vec![Rule::parse(
                "rule family=\"ipv4\" source address=\"198.51.100.0/24\" service name=\"http\" accept",
            )],
            has_interfaces: true,
            accepts_all: false,
        };
        assert_eq!(Facts::parse(PUBLIC), expect);
    }

    #[test]
    fn a_port_is_open_where_the_zone_says_so() {
        let check = |text: &str, port, expect| assert_eq!(Facts::parse(text).opens(port), expect, "{port}: {text}");
        check(PUBLIC, 22, true);
        check(PUBLIC, 2222, false);
        check(PUBLIC, 8080, true);
        check(PUBLIC, 6001, false);
        check("<zone><port port=\"20-30\" protocol=\"tcp\"/></zone>", 22, true);
        check("<zone target=\"ACCEPT\"></zone>", 2222, true);
        check("<zone target=\"DROP\"></zone>", 22, false);
        check("<zone><rule><service name=\"ssh\"/><accept/></rule></zone>", 22, true);
        check("<zone><rule><accept/></rule></zone>", 22, false);
        check("<zone target=\"ACCEPT\"><rule><port port=\"22\" protocol=\"tcp\"/><drop/></rule></zone>", 22, false);
        let others = "<rule><source address=\"192.0.2.0/24\" invert=\"True\"/><drop/></rule>";
        check(&format!("<zone><service name=\"ssh\"/>{others}</zone>"), 22, true);
    }

    #[test]
    fn who_comes_through_a_zone_is_said() {
        let check = |text: &str, expect| assert_eq!(Facts::parse(text).is_used(false), expect, "{text}");
        check("<zone><service name=\"ssh\"/></zone>", false);
        check("<zone><interface name=\"eth0\"/></zone>", true);
        check("<zone><source address=\"192.0.2.0/24\"/></zone>", true);
        check("<zone><rule><source address=\"192.0.2.0/24\"/><accept/></rule></zone>", false);
        assert!(Facts::default().is_used(true));
    }

    #[test]
    fn what_is_no_zone_has_nothing() {
        for text in
            ["", "<", "<service name=>", "<service name", "<service name=\"a", "<!-- <service name=\"a\"/>", "<rule"]
        {
            assert_eq!(Facts::parse(text), Facts::default(), "{text}");
        }
    }
}
