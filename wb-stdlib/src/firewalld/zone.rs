//! What the file of a zone says, see firewalld.zone(5).

use std::collections::BTreeSet;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) services: BTreeSet<String>,
    /// As in `8080/tcp`.
    pub(super) ports: BTreeSet<String>,
    pub(super) sources: BTreeSet<String>,
    /// Whether it has rich rules.
    pub(super) has_rules: bool,
}

impl Facts {
    /// Reads the tags of a file. What stands within a rich rule is that rule's.
    pub(super) fn parse(text: &str) -> Self {
        let mut facts = Self::default();
        let mut is_rule = false;
        for tag in tags(text) {
            let name = tag.split([' ', '\t', '\n', '\r', '/']).next().unwrap_or_default();
            match name {
                "rule" => (is_rule, facts.has_rules) = (!tag.ends_with('/'), true),
                _ if tag == "/rule" => is_rule = false,
                _ if is_rule => {}
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
        name=\"http\"/>\n    <accept/>\n  </rule>\n  <service name=\"https\"/>\n  <forward/>\n</zone>\n";

    fn set(these: &[&str]) -> BTreeSet<String> {
        these.iter().map(|this| (*this).to_owned()).collect()
    }

    #[test]
    fn a_zone_is_read_and_what_is_in_a_rule_is_its_own() {
        let expect = Facts {
            services: set(&["ssh", "dhcpv6-client", "https"]),
            ports: set(&["8080/tcp", "6000-6007/udp"]),
            sources: set(&["192.0.2.0/24"]),
            has_rules: true,
        };
        assert_eq!(Facts::parse(PUBLIC), expect);
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
