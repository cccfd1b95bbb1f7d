//! What `apt-cache policy` says of packages.

use super::super::offer::{Offer, Offers};

/// Where dpkg, and no repository, has a version.
const HERE: &str = "/var/lib/dpkg/status";

/// Reads a line `name:` for each package that apt knows, `  Candidate: version` below it, and a table of versions, newest
/// first, each with the places that have it:
///
/// ```text
///      5.2.15-2+b13 500
///         500 http://mirror.example.org/debian bookworm/main amd64 Packages
///  *** 5.2.15-2+b8 100
///         100 /var/lib/dpkg/status
/// ```
pub(super) fn parse(text: &str) -> Offers {
    let mut offers = Offers::new();
    let mut package = "";
    let mut version = "";
    for line in text.lines() {
        if !line.starts_with(' ') {
            package = line.strip_suffix(':').unwrap_or_default();
        } else if let Some(candidate) = line.strip_prefix("  Candidate: ").filter(|found| *found != "(none)") {
            offers.insert(package.to_owned(), Offer { candidate: candidate.to_owned(), versions: Vec::new() });
        } else if let Some(place) = line.strip_prefix("        ") {
            if let Some(offer) = offers.get_mut(package).filter(|_| !place.ends_with(HERE)) {
                offer.add(version);
            }
        } else if let Some(row) = line.strip_prefix("     ").or(line.strip_prefix(" *** ")) {
            version = row.split(' ').next().unwrap_or_default();
        }
    }
    offers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// apt 2.6.1 of Debian 12.
    const CAPTURED: &str = include_str!("../captured/apt-cache-policy");

    #[test]
    fn candidates_are_read_from_what_apt_cache_says() {
        let offers = parse(CAPTURED);
        let check = |name: &str, expect: Option<&str>| {
            assert_eq!(offers.get(name).map(|offer| offer.candidate.as_str()), expect, "{name}");
        };
        check("nginx", Some("1.22.1-9+deb12u11"));
        check("mail-transport-agent", None);
        check("bash", Some("5.2.15-2+b13"));
        check("libc6:i386", Some("2.36-9+deb12u13"));
        check("emacs", None);
    }

    #[test]
    fn versions_are_those_that_a_repository_has() {
        let offers = parse(CAPTURED);
        let check = |name: &str, expect: &[&str]| assert_eq!(offers[name].versions, expect, "{name}");
        check("nginx", &["1.22.1-9+deb12u11", "1.22.1-9"]);
        check("bash", &["5.2.15-2+b13"]);
        check("own-tool", &[]);
        assert!(parse("").is_empty());
    }
}
