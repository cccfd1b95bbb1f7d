//! What a host tells of the past: which links it has behind it, how and since when, and when it accepted which change.
//!
//! It is a file beside the log in the tree of its report, a line for each. Git sends it with every report, though it did not
//! change, since reports are orphans; so it is kept small, about 2 KB on the wire: it has the names of links, which
//! are used once in a chain and can be packed, instead of their sha1s. Reports from before it was told have no such file.

use serde::{Deserialize, Serialize};

/// How many links, and how many changes, a host tells of.
pub const LATEST: usize = 100;

/// What a host did and accepted lately, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Results {
    /// The links that it has behind it.
    pub links: Vec<LinkResult>,
    /// The changes that it accepted.
    pub accepted: Vec<Acceptance>,
}

/// A link that is behind the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkResult {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub how: How,
    /// When, in seconds since 1970, UTC.
    pub time: u64,
}

/// What became of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It was run, and its specs passed.
    Done,
    /// It is of another role, or a baseline stands for it, or it is a baseline that this host has no need of.
    PassedOver,
    /// An operator said that it was done by hand, and its specs passed.
    Adopted,
}

/// A change that the host accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// Its number.
    pub change: u64,
    /// When, in seconds since 1970, UTC.
    pub time: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Link(LinkResult),
    Acceptance(Acceptance),
}

impl Results {
    /// The latest of these.
    #[must_use]
    pub fn latest(links: impl DoubleEndedIterator<Item = LinkResult>, accepted: &[Acceptance]) -> Self {
        let mut links: Vec<LinkResult> = links.rev().take(LATEST).collect();
        links.reverse();
        Self { links, accepted: accepted[accepted.len().saturating_sub(LATEST)..].to_vec() }
    }

    /// The text of the file: a line of JSON for each.
    #[must_use]
    pub fn encode(&self) -> String {
        let links = self.links.iter().cloned().map(Line::Link);
        let lines = links.chain(self.accepted.iter().copied().map(Line::Acceptance));
        lines.filter_map(|line| serde_json::to_string(&line).ok()).map(|line| line + "\n").collect()
    }

    /// Reads what [`Results::encode`] wrote. A line that is none, of a newer runner perhaps, is left out.
    #[must_use]
    pub fn decode(text: &str) -> Self {
        let mut results = Self::default();
        for line in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
            match line {
                Line::Link(link) => results.links.push(link),
                Line::Acceptance(acceptance) => results.accepted.push(acceptance),
            }
        }
        results
    }

    /// What became of a link, where that is told.
    #[must_use]
    pub fn of(&self, link: &str) -> Option<&LinkResult> {
        self.links.iter().rfind(|result| result.name == link)
    }

    /// When the host accepted a change, where that is told.
    #[must_use]
    pub fn accepted_at(&self, change: u64) -> Option<u64> {
        self.accepted.iter().rfind(|acceptance| acceptance.change == change).map(|acceptance| acceptance.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(n: u64) -> LinkResult {
        LinkResult { name: format!("m{n}"), how: How::Done, time: n }
    }

    #[test]
    fn results_are_read_back_and_what_is_none_is_left_out() {
        let accepted = [Acceptance { change: 3, time: 7 }, Acceptance { change: 4, time: 9 }];
        let results = Results::latest([link(1), link(2)].into_iter(), &accepted);
        let text = results.encode();
        assert_eq!(text.lines().count(), 4);
        assert_eq!(Results::decode(&text), results);
        assert_eq!(Results::decode(&format!("no JSON\n{text}{{\"reload\": 5}}\n")), results);
        assert_eq!((results.of("m2"), results.of("m3")), (Some(&link(2)), None));
        assert_eq!((results.accepted_at(4), results.accepted_at(5)), (Some(9), None));
    }

    #[test]
    fn only_the_latest_are_told() {
        let results = Results::latest((0..=LATEST as u64).map(link).collect::<Vec<_>>().into_iter(), &[]);
        assert_eq!((results.links.len(), &*results.links[0].name), (LATEST, "m1"));
    }
}
