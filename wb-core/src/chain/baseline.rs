//! Baselines: links that stand for earlier links of their role.
//!
//! A host that has begun none of the replaced links passes them over and runs the baseline; a host that has begun one
//! runs them to their end, and passes the baseline over. A baseline comes right after what it replaces, as far as links
//! of its role go, and what it replaces of an older baseline it replaces wholly: so on every host the links that were run
//! amount to the same.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Chain, Link, Named, Range, Sha1};

/// How many digits of a sha1 name a link, at least.
const DIGITS: usize = 7;

/// What `replaces = "a1b2c3d..9f8e7d6"` says: the first digits of the sha1s of two links, both included.
///
/// ```
/// use wb_core::chain::Replaces;
/// let replaces: Replaces = "a1b2c3d..9f8e7d6".parse().unwrap();
/// assert_eq!(replaces.to, "9f8e7d6");
/// assert!("a1b2c3d".parse::<Replaces>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaces {
    /// Of the first replaced link.
    pub from: String,
    /// Of the last one.
    pub to: String,
}

/// A text is no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no range of links; write the sha1s of its first and its last link, as in `a1b2c3d..9f8e7d6`")]
pub struct NoRange {
    text: String,
}

impl FromStr for Replaces {
    type Err = NoRange;

    fn from_str(text: &str) -> Result<Self, NoRange> {
        let is_id = |id: &&str| (DIGITS..=40).contains(&id.len()) && id.bytes().all(|digit| digit.is_ascii_hexdigit());
        let id = |id: &str| Some(id).filter(is_id).map(str::to_ascii_lowercase);
        let ends = text.split_once("..").and_then(|(from, to)| Some(Self { from: id(from)?, to: id(to)? }));
        ends.ok_or_else(|| NoRange { text: text.to_owned() })
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.from, self.to)
    }
}

/// What is wrong with what a baseline says that it replaces.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongBaseline {
    /// No link has such a sha1.
    #[error("`{digits}` is no link")]
    NoLink {
        /// What was written.
        digits: String,
        /// The links of the role that could have been meant.
        role: Vec<Named>,
    },
    /// Several links have such a sha1.
    #[error("`{digits}` may be {}", list(links))]
    Ambiguous {
        /// What was written.
        digits: String,
        /// What it may mean.
        links: Vec<Named>,
    },
    /// A link of another role.
    #[error("{link} has the role `{role}`, and a baseline stands for links of its own role")]
    OtherRole {
        /// The link.
        link: Named,
        /// Its role.
        role: String,
        /// The links of the baseline's role before it.
        before: Vec<Named>,
    },
    /// The last link stands before the first.
    #[error("{to} stands before {from}")]
    Reversed {
        /// What was written as the first.
        from: Named,
        /// What was written as the last.
        to: Named,
    },
    /// The baseline itself, or a link after it.
    #[error("{link} does not stand before the baseline")]
    NotBefore {
        /// The link.
        link: Named,
        /// The links of the baseline's role before it.
        before: Vec<Named>,
    },
    /// New hosts would run this link without what it builds on.
    #[error("it ends before {link}, which new hosts would then run without what came before it")]
    LeavesOut {
        /// The first link that it replaces.
        from: Named,
        /// The last link of the role before the baseline.
        link: Named,
    },
    /// It replaces a part of what an older baseline stands for.
    #[error("it begins within what the baseline {older} stands for")]
    CutsInto {
        /// The older baseline.
        older: Box<Named>,
        /// The first link that the older one replaces.
        first: Named,
        /// The last link of the role before the newer one.
        last: Named,
    },
}

impl WrongBaseline {
    /// What to do.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::NoLink { role: before, .. } | Self::OtherRole { before, .. } | Self::NotBefore { before, .. } => {
                match (before.first(), before.last()) {
                    (Some(from), Some(to)) => written(from, to),
                    _ => "there is no link of its role before it: write a `#[migration]`".to_owned(),
                }
            }
            Self::Ambiguous { .. } => "write more digits; `cargo xtask chain --json` has all of them".to_owned(),
            Self::Reversed { from, to } => written(to, from),
            Self::LeavesOut { from, link } => written(from, link),
            Self::CutsInto { first, last, .. } => written(first, last),
        }
    }
}

fn written(from: &Named, to: &Named) -> String {
    let digits = |link: &Named| link.sha1.map_or_else(|| link.name.clone(), |sha1| sha1.short());
    format!("write `replaces = \"{}..{}\"`, which is from {from} to {to}", digits(from), digits(to))
}

fn list(links: &[Named]) -> String {
    links.iter().map(Named::to_string).collect::<Vec<_>>().join(" or ")
}

/// The range that the baseline at `place` of `links` replaces. Older baselines have theirs already.
///
/// # Errors
/// When what it says is wrong.
pub fn replaced(links: &[Link], place: usize, said: &Replaces) -> Result<Range, WrongBaseline> {
    let role = &links[place].role;
    let (from, to) = (end(links, place, &said.from)?, end(links, place, &said.to)?);
    if from > to {
        return Err(WrongBaseline::Reversed { from: named(&links[from]), to: named(&links[to]) });
    }
    let last = links[to..place].iter().rfind(|link| link.role == *role).unwrap_or(&links[to]);
    if last.sha1 != links[to].sha1 {
        return Err(WrongBaseline::LeavesOut { from: named(&links[from]), link: named(last) });
    }
    match links[..place].iter().enumerate().find_map(|older| cut(links, from, older).filter(|_| older.1.role == *role))
    {
        Some((first, older)) => {
            Err(WrongBaseline::CutsInto { older: Box::new(named(older)), first: named(first), last: named(last) })
        }
        None => Ok(Range { from: links[from].sha1, to: links[to].sha1 }),
    }
}

/// The older baseline, and the first link that it replaces, where a range that begins at `from` would cut into it.
fn cut<'a>(links: &'a [Link], from: usize, (place, older): (usize, &'a Link)) -> Option<(&'a Link, &'a Link)> {
    let first = links.iter().position(|link| Some(link.sha1) == older.replaces.map(|range| range.from))?;
    (first < from && from <= place).then(|| (&links[first], older))
}

fn end(links: &[Link], place: usize, digits: &str) -> Result<usize, WrongBaseline> {
    let role = &links[place].role;
    let before = || links[..place].iter().filter(|link| link.role == *role).map(named).collect();
    let is_meant = |link: &Link| !link.is_draft() && link.sha1.to_string().starts_with(digits);
    let meant: Vec<usize> = (0..links.len()).filter(|index| is_meant(&links[*index])).collect();
    match meant[..] {
        [] => Err(WrongBaseline::NoLink { digits: digits.to_owned(), role: before() }),
        [index] if links[index].role != *role => {
            let (link, role) = (named(&links[index]), links[index].role.clone());
            Err(WrongBaseline::OtherRole { link, role, before: before() })
        }
        [index] if index >= place => Err(WrongBaseline::NotBefore { link: named(&links[index]), before: before() }),
        [index] => Ok(index),
        _ => {
            let links = meant.iter().map(|index| named(&links[*index])).collect();
            Err(WrongBaseline::Ambiguous { digits: digits.to_owned(), links })
        }
    }
}

fn named(link: &Link) -> Named {
    Named { name: link.name.clone(), sha1: (!link.is_draft()).then_some(link.sha1) }
}

impl Chain {
    /// The baselines, oldest first, each with the places that it replaces; of these, those of its role.
    pub fn baselines(&self) -> impl Iterator<Item = (&Link, RangeInclusive<usize>)> {
        self.links().iter().filter_map(|link| Some((link, self.span(link.replaces?)?)))
    }

    /// The baselines that stand for a link, oldest first.
    pub fn standing_for(&self, sha1: Sha1) -> impl Iterator<Item = &Link> {
        let (place, link) = (self.position(sha1), self.get(sha1));
        let stands = move |(baseline, span): &(&Link, RangeInclusive<usize>)| {
            place.is_some_and(|place| span.contains(&place)) && link.is_some_and(|link| link.role == baseline.role)
        };
        self.baselines().filter(stands).map(|(baseline, _)| baseline)
    }

    fn span(&self, range: Range) -> Option<RangeInclusive<usize>> {
        let (from, to) = (self.position(range.from)?, self.position(range.to)?);
        (from <= to).then_some(from..=to)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Digest;
    use super::*;

    /// Links written `w1 d2 w3=w1..w1`: of the roles web and database, the third a baseline.
    fn links(text: &str) -> Vec<Link> {
        let word = |word: &str| {
            let (name, replaces) = word.split_once('=').map_or((word, None), |(name, range)| (name, Some(range)));
            let replaces = replaces.and_then(|range| range.split_once(".."));
            let replaces = replaces.map(|(from, to)| Range { from: sha1(from), to: sha1(to) });
            let role = if name.starts_with('w') { "web" } else { "database" };
            Link { replaces, ..Link::new(name, sha1(name), role, Digest::of(b"")) }
        };
        text.split_whitespace().map(word).collect()
    }

    /// `w1` has ones everywhere but at its start, which tells the role.
    fn sha1(name: &str) -> Sha1 {
        let digit = &name[1..];
        let role = if name.starts_with('w') { "a" } else { "d" };
        format!("{role}{}", digit.repeat(39)).parse().unwrap()
    }

    fn said(text: &str, replaces: &str) -> String {
        let mut links = links(text);
        links.push(Link::new("base", Sha1::ZERO, "web", Digest::of(b"")));
        match replaced(&links, links.len() - 1, &replaces.parse().unwrap()) {
            Ok(range) => format!("{} to {}", range.from.short(), range.to.short()),
            Err(wrong) => format!("{wrong}; {}", wrong.help()),
        }
    }

    #[test]
    fn a_range_is_from_a_link_to_the_last_one_of_the_role() {
        let check = |text: &str, replaces: &str, expect: &str| assert_eq!(said(text, replaces), expect, "{text}");
        check("w1 w2 w3", "a111111..a333333", "a111111 to a333333");
        check("w1 d2 w3 d4", "A111111..a333333333", "a111111 to a333333");
        check("w1 w2", "a222222..a222222", "a222222 to a222222");
    }

    #[test]
    fn a_wrong_end_says_what_could_be_written() {
        let check = |replaces: &str, expect: &str| assert_eq!(said("w1 d2 w3 d4", replaces), expect, "{replaces}");
        let write = "write `replaces = \"a111111..a333333\"`, which is from `w1` (a111111) to `w3` (a333333)";
        check("a111111..b000000", &format!("`b000000` is no link; {write}"));
        let role = "`d2` (d222222) has the role `database`, and a baseline stands for links of its own role";
        check("d222222..a333333", &format!("{role}; {write}"));
        check("a333333..a111111", &format!("`w1` (a111111) stands before `w3` (a333333); {write}"));
        let left = "it ends before `w3` (a333333), which new hosts would then run without what came before it";
        check("a111111..a111111", &format!("{left}; {write}"));
    }

    #[test]
    fn an_end_that_means_two_links_needs_more_digits() {
        let mut links = links("w1 w2 w3");
        links[1].sha1 = "a111111200000000000000000000000000000000".parse().unwrap();
        let wrong = replaced(&links, 2, &"a111111..a111111".parse().unwrap()).unwrap_err();
        assert_eq!(wrong.to_string(), "`a111111` may be `w1` (a111111) or `w2` (a111111)");
    }

    #[test]
    fn a_baseline_stands_before_nothing_that_it_replaces() {
        let wrong = replaced(&links("w1 w2 w3"), 1, &"a111111..a333333".parse().unwrap()).unwrap_err();
        assert_eq!(wrong.to_string(), "`w3` (a333333) does not stand before the baseline");
        assert!(wrong.help().contains("from `w1` (a111111) to `w1` (a111111)"), "{}", wrong.help());
    }

    #[test]
    fn an_older_baseline_is_replaced_wholly_or_not_at_all() {
        let check =
            |replaces: &str, expect: &str| assert_eq!(said("w1 w2 w3=w1..w2 w4", replaces), expect, "{replaces}");
        check("a111111..a444444", "a111111 to a444444");
        check("a444444..a444444", "a444444 to a444444");
        let cuts = "it begins within what the baseline `w3` (a333333) stands for; \
                    write `replaces = \"a111111..a444444\"`, which is from `w1` (a111111) to `w4` (a444444)";
        check("a222222..a444444", cuts);
        check("a333333..a444444", cuts);
    }

    #[test]
    fn a_text_is_a_range_or_not() {
        let check = |text: &str, expect: bool| assert_eq!(text.parse::<Replaces>().is_ok(), expect, "{text}");
        check("a111111..a222222", true);
        check("a111111...a222222", false);
        check("a11111..a222222", false);
        check("install_nginx..a222222", false);
        check("", false);
    }

    #[test]
    fn a_chain_knows_what_stands_for_a_link() {
        let chain = Chain::new(links("w1 d2 w3 w4=w1..w3 w5 w6=w1..w5")).unwrap();
        let check = |name: &str, expect: &str| {
            let standing: Vec<&str> = chain.standing_for(sha1(name)).map(|link| link.name.as_str()).collect();
            assert_eq!(standing.join(" "), expect, "{name}");
        };
        check("w1", "w4 w6");
        check("d2", "");
        check("w4", "w6");
        check("w6", "");
    }

    #[test]
    fn a_range_of_nothing_stands_for_nothing() {
        for text in ["w1 w2 w3=w2..w1", "w1 w3=w1..w2", "w3=w3..w1"] {
            assert_eq!(Chain::new(links(text)).unwrap().baselines().count(), 0, "{text}");
        }
    }
}
