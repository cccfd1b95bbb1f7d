//! The text of `/etc/hosts`. Comments, order and blanks of lines that nobody speaks of stay.

use std::net::IpAddr;

use crate::text_file::end_line;

/// A line that gives an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line<'a> {
    address: &'a str,
    names: Vec<&'a str>,
    /// From its `#` on.
    comment: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let line = line.trim_end_matches(['\n', '\r']);
        let (said, comment) = match line.find('#') {
            Some(at) => (&line[..at], Some(&line[at..])),
            None => (line, None),
        };
        let mut words = said.split_ascii_whitespace();
        Some(Self { address: words.next()?, names: words.collect(), comment })
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|other| other.eq_ignore_ascii_case(name))
    }

    /// Whether an address of its kind is looked for: a name may lead to one of IPv4 and to one of IPv6.
    fn is_like(&self, address: IpAddr) -> bool {
        self.address.parse::<IpAddr>().is_ok_and(|own| own.is_ipv4() == address.is_ipv4())
    }

    fn is_at(&self, address: IpAddr) -> bool {
        self.address.parse() == Ok(address)
    }

    fn text(&self) -> String {
        let comment = self.comment.map(|comment| format!(" {comment}")).unwrap_or_default();
        format!("{} {}{comment}\n", self.address, self.names.join(" "))
    }
}

/// The addresses that a name leads to, in order.
pub(super) fn addresses<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    text.lines().filter_map(Line::parse).filter(|line| line.has(name)).map(|line| line.address).collect()
}

/// Whether all `names` lead to this address, and to no other of its kind.
pub(super) fn lead_to(text: &str, names: &[String], address: IpAddr) -> bool {
    names.iter().all(|name| {
        let mut lines = text.lines().filter_map(Line::parse).filter(|line| line.has(name) && line.is_like(address));
        lines.next().is_some_and(|line| line.is_at(address)) && lines.all(|line| line.is_at(address))
    })
}

/// The text in which all `names` lead to this address: the first of them is the main one, where the line is a new one.
pub(super) fn with_names(text: &str, names: &[String], address: IpAddr) -> String {
    if lead_to(text, names, address) {
        return text.to_owned();
    }
    let left = without(text, names, |line| line.is_like(address) && !line.is_at(address));
    let missing: Vec<&String> = names.iter().filter(|name| addresses_at(&left, name, address) == 0).collect();
    let is_ours = |line: &Line<'_>| line.is_at(address) && names.iter().any(|name| line.has(name));
    let mut added = false;
    let mut new = String::with_capacity(left.len());
    for old in left.split_inclusive('\n') {
        match Line::parse(old) {
            Some(mut line) if !added && !missing.is_empty() && is_ours(&line) => {
                line.names.extend(missing.iter().map(|name| name.as_str()));
                new.push_str(&line.text());
                added = true;
            }
            _ => new.push_str(old),
        }
    }
    if !added && !missing.is_empty() {
        end_line(&mut new);
        new.push_str(
            &Line { address: &address.to_string(), names: names.iter().map(String::as_str).collect(), comment: None }
                .text(),
        );
    }
    new
}

/// The text in which this address has these names, and no others, in one line.
pub(crate) fn with_address(text: &str, address: IpAddr, names: &[String]) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut wanted = Some(&names);
    let mut new = String::with_capacity(text.len());
    for old in text.split_inclusive('\n') {
        match Line::parse(old) {
            Some(line) if line.is_at(address) => match wanted.take() {
                Some(names) if line.names == *names => new.push_str(old),
                Some(names) => new.push_str(&Line { names: names.clone(), ..line }.text()),
                None => {}
            },
            _ => new.push_str(old),
        }
    }
    if let Some(names) = wanted {
        return with_line_after_localhost(&new, &format!("{address} {}\n", names.join(" ")));
    }
    new
}

/// Debian has the line of the own name right below that of localhost.
fn with_line_after_localhost(text: &str, line: &str) -> String {
    let mut new = String::with_capacity(text.len() + line.len());
    let mut line = Some(line);
    for old in text.split_inclusive('\n') {
        new.push_str(old);
        if Line::parse(old).is_some_and(|line| line.address == "127.0.0.1") {
            end_line(&mut new);
            new.push_str(line.take().unwrap_or_default());
        }
    }
    if let Some(line) = line {
        end_line(&mut new);
        new.push_str(line);
    }
    new
}

/// The text in which no line has these names.
pub(super) fn without_names(text: &str, names: &[String]) -> String {
    without(text, names, |_| true)
}

/// Takes names out of the lines of `which`. A line that has no name left goes.
fn without(text: &str, names: &[String], which: impl Fn(&Line<'_>) -> bool) -> String {
    let mut new = String::with_capacity(text.len());
    for old in text.split_inclusive('\n') {
        let line = Line::parse(old).filter(|line| which(line) && names.iter().any(|name| line.has(name)));
        let Some(mut line) = line else {
            new.push_str(old);
            continue;
        };
        line.names.retain(|name| !names.iter().any(|other| other.eq_ignore_ascii_case(name)));
        if !line.names.is_empty() {
            new.push_str(&line.text());
        }
    }
    new
}

fn addresses_at(text: &str, name: &str, address: IpAddr) -> usize {
    text.lines().filter_map(Line::parse).filter(|line| line.has(name) && line.is_at(address)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "127.0.0.1\tlocalhost\n::1 localhost ip6-localhost # both\n\n192.0.2.1 db1.example.org db1 # old\n";

    fn names(names: &str) -> Vec<String> {
        names.split(' ').map(str::to_owned).collect()
    }

    fn check(text: &str, wanted: &str, address: &str, expect: &str) {
        let new = with_names(text, &names(wanted), address.parse().unwrap());
        assert_eq!(new, expect);
        assert_eq!(with_names(&new, &names(wanted), address.parse().unwrap()), new);
    }

    #[test]
    fn names_get_an_address() {
        check(TEXT, "web1 www", "192.0.2.2", &format!("{TEXT}192.0.2.2 web1 www\n"));
        check("# no end", "web1", "2001:db8::1", "# no end\n2001:db8::1 web1\n");
        check(TEXT, "db1", "192.0.2.1", TEXT);
        check(TEXT, "DB1", "192.0.2.1", TEXT);
    }

    #[test]
    fn a_name_that_moves_leaves_its_old_line() {
        let expect = TEXT.replace("192.0.2.1 db1.example.org db1 # old", "192.0.2.1 db1.example.org # old");
        check(TEXT, "db1", "192.0.2.9", &format!("{expect}192.0.2.9 db1\n"));
        let expect = TEXT.replace("192.0.2.1 db1.example.org db1 # old\n", "");
        check(TEXT, "db1.example.org db1", "192.0.2.9", &format!("{expect}192.0.2.9 db1.example.org db1\n"));
    }

    #[test]
    fn a_name_that_is_missing_joins_the_line_of_the_others() {
        let expect = TEXT.replace("db1.example.org db1 # old", "db1.example.org db1 master # old");
        check(TEXT, "db1 master", "192.0.2.1", &expect);
    }

    #[test]
    fn a_name_may_lead_to_one_address_of_each_kind() {
        check(TEXT, "db1", "2001:db8::1", &format!("{TEXT}2001:db8::1 db1\n"));
        check(TEXT, "localhost", "127.0.0.1", TEXT);
        assert_eq!(addresses(TEXT, "localhost"), ["127.0.0.1", "::1"]);
    }

    #[test]
    fn a_name_goes_and_its_line_with_it_when_it_was_the_last() {
        let gone = |wanted: &str| without_names(TEXT, &names(wanted));
        assert_eq!(gone("db1"), TEXT.replace(" db1 # old", " # old"));
        assert_eq!(gone("db1 db1.example.org"), TEXT.replace("192.0.2.1 db1.example.org db1 # old\n", ""));
        assert_eq!(gone("web1"), TEXT);
    }

    #[test]
    fn an_address_has_its_names_and_no_others() {
        let set = |text: &str, wanted: &str| with_address(text, "127.0.1.1".parse().unwrap(), &names(wanted));
        let new = set(TEXT, "web1.example.org web1");
        assert_eq!(new, TEXT.replacen("localhost\n", "localhost\n127.0.1.1 web1.example.org web1\n", 1));
        assert_eq!(set(&new, "web1.example.org web1"), new);
        assert_eq!(set(&new, "web2"), new.replace("web1.example.org web1", "web2"));
        assert_eq!(set("127.0.1.1 a # own\n127.0.1.1 b\n", "a"), "127.0.1.1 a # own\n");
        assert_eq!(set("", "a"), "127.0.1.1 a\n");
    }
}
