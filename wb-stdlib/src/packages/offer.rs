//! What the repositories of a host have of a package.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::version::{self, Order};

/// What there is to install of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    /// The version that is installed when nobody asks for one.
    pub(super) candidate: String,
    /// All versions of the repositories, newest first.
    pub(super) versions: Vec<String>,
}

impl Offer {
    /// Adds the next older version.
    pub(super) fn add(&mut self, version: &str) {
        if self.versions.last().is_none_or(|last| last != version) {
            self.versions.push(version.to_owned());
        }
    }

    /// The newest version that a pattern means, or the candidate.
    pub(super) fn chosen(&self, pattern: Option<&str>) -> Option<&str> {
        match pattern {
            None => Some(&self.candidate),
            Some(pattern) => self.versions.iter().find(|found| version::matches(pattern, found)).map(String::as_str),
        }
    }
}

/// Offers by the name that was asked for. What no repository has is not among them.
pub(super) type Offers = BTreeMap<String, Offer>;

/// Offers of versions that came in any order.
pub(super) fn offers<'a>(found: impl IntoIterator<Item = (&'a str, String)>, order: Order) -> Offers {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, version) in found {
        versions.entry(name.to_owned()).or_default().push(version);
    }
    let sorted = versions.into_iter().map(|(name, mut versions)| {
        versions.sort_by(|a, b| order(b, a));
        versions.dedup_by(|a, b| order(a, b) == Ordering::Equal);
        (name, Offer { candidate: versions[0].clone(), versions })
    });
    sorted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_that_is_meant_is_chosen() {
        let found = ["1.9-1", "1.10-1", "2.0-1", "1.9-1"].map(|version| ("a", version.to_owned()));
        let offers = offers(found, version::rpm);
        let check = |pattern, expect| assert_eq!(offers["a"].chosen(pattern), expect, "{pattern:?}");
        assert_eq!(offers["a"].versions, ["2.0-1", "1.10-1", "1.9-1"]);
        check(None, Some("2.0-1"));
        check(Some("1.*"), Some("1.10-1"));
        check(Some("1.9-1"), Some("1.9-1"));
        check(Some("3.*"), None);
    }
}
