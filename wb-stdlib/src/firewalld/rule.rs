//! Rules of the rich language, see firewalld.richlanguage(5), as far as they let somebody in or shut everybody out.

use std::collections::BTreeMap;

/// What a rule says, in the file of a zone or in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rule {
    /// Whom it is for, after `!` where it is for all others; everybody without it.
    source: Option<String>,
    has_destination: bool,
    /// What it is about; everything without it.
    about: Option<About>,
    action: Option<Action>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum About {
    Service(String),
    /// As in `8080/tcp`.
    Port(String),
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Accept,
    Deny,
}

impl Rule {
    /// Reads `rule family="ipv4" source NOT address="192.0.2.0/24" service name="ssh" drop`.
    pub(super) fn parse(text: &str) -> Self {
        let mut parts: Vec<(String, BTreeMap<String, String>)> = Vec::new();
        for word in words(text) {
            let is_not = word.eq_ignore_ascii_case("not");
            let said = if is_not { Some(("invert", "yes")) } else { word.split_once('=') };
            match said {
                None => parts.push((word, BTreeMap::new())),
                Some((key, value)) => {
                    if let Some((_, values)) = parts.last_mut() {
                        values.insert(key.to_owned(), value.to_owned());
                    }
                }
            }
        }
        let mut rule = Self::default();
        for (part, values) in &parts {
            rule.add(part, &|key| values.get(key).cloned());
        }
        rule
    }

    /// What one of its parts says, which has these values.
    pub(super) fn add(&mut self, part: &str, value: &dyn Fn(&str) -> Option<String>) {
        let said = |key: &str| value(key).unwrap_or_default();
        match part {
            "source" => self.source = Some(source(value)),
            "destination" => self.has_destination = true,
            "service" => self.about = Some(About::Service(said("name"))),
            "port" => self.about = Some(About::Port(format!("{}/{}", said("port"), said("protocol")))),
            // Over which ssh goes, among all else.
            "protocol" if said("value") == "tcp" => {}
            "protocol" | "source-port" | "icmp-block" | "icmp-type" | "masquerade" | "forward-port" => {
                self.about = Some(About::Other);
            }
            "accept" => self.action = Some(Action::Accept),
            "drop" | "reject" => self.action = Some(Action::Deny),
            _ => {}
        }
    }

    /// Whether it lets somebody in to sshd's port, and means that: one that accepts everything may be for containers.
    pub(super) fn accepts(&self, port: u16) -> bool {
        let means = self.about.as_ref().is_some_and(|about| about.has(port));
        means && self.action == Some(Action::Accept)
    }

    /// Whether it shuts this port to everybody. What else lets in comes after it.
    pub(super) fn shuts(&self, port: u16) -> bool {
        let is_for_all = self.source.as_deref().is_none_or(is_everybody) && !self.has_destination;
        let is_about = self.about.as_ref().is_none_or(|about| about.has(port));
        is_for_all && is_about && self.action == Some(Action::Deny)
    }
}

impl About {
    fn has(&self, port: u16) -> bool {
        match self {
            Self::Service(name) => name == "ssh" && port == super::zone::SSH,
            Self::Port(ports) => super::zone::has_port(ports, port),
            Self::Other => false,
        }
    }
}

/// Whether a source is everybody, of one family at least.
pub(super) fn is_everybody(source: &str) -> bool {
    !source.starts_with('!') && source.ends_with("/0")
}

fn source(value: &dyn Fn(&str) -> Option<String>) -> String {
    let is_not = value("invert").is_some_and(|said| ["yes", "true", "1"].contains(&said.to_ascii_lowercase().as_str()));
    let who = ["address", "mac", "ipset"].into_iter().find_map(value).unwrap_or_default();
    format!("{}{who}", if is_not { "!" } else { "" })
}

/// The words of a text, without the quotes around values.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c.is_whitespace() => words.push(std::mem::take(&mut word)),
            _ => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_lets_in_to_what_it_names() {
        let check = |rule: &str, port, expect| assert_eq!(Rule::parse(rule).accepts(port), expect, "{rule}");
        check("rule family=\"ipv4\" source address=\"192.0.2.0/24\" service name=\"ssh\" accept", 22, true);
        check("rule service name=\"ssh\" log prefix=\"ssh in \" level=\"info\" limit value=\"1/m\" accept", 22, true);
        check("rule service name=\"ssh\" accept", 2222, false);
        check("rule port port=\"2000-3000\" protocol=\"tcp\" accept", 2222, true);
        check("rule port port=\"22\" protocol=\"udp\" accept", 22, false);
        check("rule service name=\"ssh\" reject type=\"tcp-reset\"", 22, false);
        check("rule family=\"ipv4\" source address=\"192.0.2.0/24\" accept", 22, false);
        check("rule", 22, false);
    }

    #[test]
    fn a_rule_shuts_out_everybody_or_somebody() {
        let check = |rule: &str, expect| assert_eq!(Rule::parse(rule).shuts(22), expect, "{rule}");
        check("rule service name=\"ssh\" drop", true);
        check("rule family='ipv4' source address='0.0.0.0/0' port port='22' protocol='tcp' reject", true);
        check("rule protocol value=\"tcp\" drop", true);
        check("rule drop", true);
        check("rule protocol value=\"icmp\" drop", false);
        check("rule service name=\"http\" drop", false);
        check("rule family=\"ipv4\" source address=\"192.0.2.0/24\" service name=\"ssh\" drop", false);
        check("rule family=\"ipv4\" source NOT address=\"192.0.2.0/24\" service name=\"ssh\" drop", false);
        check("rule family=\"ipv4\" destination address=\"192.0.2.7\" service name=\"ssh\" drop", false);
        check("rule service name=\"ssh\" accept", false);
    }

    #[test]
    fn sources_are_told_from_each_other() {
        let check = |one: &str, other: &str, expect| {
            let rules = [one, other].map(|source| Rule::parse(&format!("rule source {source} accept")));
            assert_eq!(rules[0] == rules[1], expect, "{one} {other}");
        };
        check("address=\"192.0.2.0/24\"", "address='192.0.2.0/24'", true);
        check("address=\"192.0.2.0/24\"", "NOT address=\"192.0.2.0/24\"", false);
        check("address=\"192.0.2.0/24\"", "ipset=\"ours\"", false);
    }
}
