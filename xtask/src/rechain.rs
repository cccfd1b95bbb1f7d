//! The order of `src/chain.rs` and the pins of `chain.lock`, written anew from what history says.
//!
//! Everything here is a function of texts: what a merge or a rebase left in the two files, and what the verdict on them
//! says, to the two files as they should be. Nothing that is wrong with the chain itself is written away: a link that
//! diverges, or whose file is gone, is still told of afterwards.

pub mod conflict;
pub mod order;

use std::collections::BTreeSet;

use wb_core::chain::{DIGEST_VERSION, Link, Lock, Mistake, Pin, Sha1};
use wb_core::registry::Resolved;

/// A pin that is to name another commit, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The link.
    pub name: String,
    /// The commit that the lock names.
    pub from: Sha1,
    /// The commit that introduced it; nothing where it is not committed any more.
    pub to: Option<Sha1>,
}

/// The pins that history contradicts, and what it says instead. A link whose file is gone keeps its pin.
#[must_use]
pub fn moved_pins(resolved: &Resolved) -> Vec<Moved> {
    let moved = resolved.mistakes.iter().filter_map(|mistake| match mistake {
        Mistake::PinDisagrees { name, pin, found, .. }
            if found.is_some() || resolved.written.files.contains_key(name) =>
        {
            Some(Moved { name: name.clone(), from: *pin, to: *found })
        }
        _ => None,
    });
    moved.collect()
}

/// The pins whose commit is not in this history, each with the commit that brought its file here.
#[must_use]
pub fn foreign_pins(resolved: &Resolved) -> Vec<Moved> {
    let foreign = resolved.mistakes.iter().filter_map(|mistake| match mistake {
        Mistake::PinDisagrees { name, pin, is_known: false, .. } => {
            let to = resolved.landed.get(name).and_then(|landed| landed.seen);
            Some(Moved { name: name.clone(), from: *pin, to })
        }
        _ => None,
    });
    foreign.collect()
}

/// Migrations that had commits of their own, as pins say, and that one commit introduces now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Squash {
    /// The commit.
    pub sha1: Sha1,
    /// All that it introduces.
    pub names: Vec<String>,
}

/// The commits to which pins would move that can't be the sha1 of one migration, since they introduce several.
#[must_use]
pub fn squashes(resolved: &Resolved, moved: &[Moved]) -> Vec<Squash> {
    let commits: BTreeSet<Sha1> = moved.iter().filter_map(|moved| moved.to).collect();
    let squashes = commits.into_iter().map(|sha1| {
        let introduced = resolved.landed.iter().filter(|(_, landed)| landed.sha1 == sha1);
        Squash { sha1, names: introduced.map(|(name, _)| name.clone()).collect() }
    });
    squashes.filter(|squash| squash.names.len() > 1).collect()
}

/// The lock with those pins marked as coming from another history.
#[must_use]
pub fn importing(lock: &Lock, foreign: &[Moved]) -> Lock {
    let mut lock = lock.clone();
    let is_foreign = |pin: &&mut Pin| foreign.iter().any(|foreign| foreign.name == pin.name);
    lock.pins.iter_mut().filter(is_foreign).for_each(|pin| pin.imported = true);
    lock
}

/// The lock without the pins of links that are not committed any more.
#[must_use]
pub fn without_lost(lock: &Lock, moved: &[Moved]) -> Lock {
    let is_lost = |pin: &Pin| moved.iter().any(|moved| moved.to.is_none() && moved.name == pin.name);
    Lock { pins: lock.pins.iter().filter(|pin| !is_lost(pin)).cloned().collect(), ..lock.clone() }
}

/// The lock with those pins behind all others again.
#[must_use]
pub fn with_lost(mut lock: Lock, before: &Lock, moved: &[Moved]) -> Lock {
    let is_lost = |pin: &&Pin| moved.iter().any(|moved| moved.to.is_none() && moved.name == pin.name);
    lock.pins.extend(before.pins.iter().filter(is_lost).cloned());
    lock
}

/// How far the pins of a lock shall reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upto<'a> {
    /// To the last link that is pinned already.
    LastPin,
    /// To this link, or further if the pins do.
    Link(&'a str),
    /// To the newest link.
    Newest,
}

/// The lock as history has it: pins in the order of the links without a gap, each with its commit and with the digest
/// that this commit gave it. Pins of links that have no file, or no `mod` line, stay behind those that they stood behind.
#[must_use]
pub fn relocked(resolved: &Resolved, upto: Upto<'_>) -> Lock {
    let known = resolved.lock.by_name();
    let landed: Vec<_> = resolved.links.iter().filter(|link| !link.is_draft()).collect();
    let is_last = |name: &str| match upto {
        Upto::LastPin => known.contains_key(name),
        Upto::Link(upto) => known.contains_key(name) || name == upto,
        Upto::Newest => true,
    };
    let count = landed.iter().rposition(|link| is_last(&link.name)).map_or(0, |last| last + 1);
    let pins = landed[..count].iter().map(|link| pin(link, known.get(link.name.as_str()).copied(), resolved)).collect();
    Lock { digest_version: DIGEST_VERSION, pins: with_others(pins, resolved) }
}

/// The pin of a link. What its own commit says goes before what the lock says, and that before what the link says now.
fn pin(link: &Link, pinned: Option<&Pin>, resolved: &Resolved) -> Pin {
    let landed = resolved.landed.get(&link.name).filter(|landed| landed.seen == Some(link.sha1));
    let landed = landed.and_then(|landed| landed.digest);
    let is_comparable = resolved.lock.digest_version == DIGEST_VERSION;
    match pinned {
        Some(pin) => pin.following(link, landed, is_comparable),
        None => Pin::new(&link.name, link.sha1, landed.unwrap_or(link.digest)),
    }
}

/// The pins, and between them those of the lock that name no link that is listed, and no draft.
fn with_others(mut pins: Vec<Pin>, resolved: &Resolved) -> Vec<Pin> {
    let linked: BTreeSet<&str> = resolved.links.iter().map(|link| link.name.as_str()).collect();
    let mut before: Option<&str> = None;
    for pin in &resolved.lock.pins {
        if !linked.contains(pin.name.as_str()) {
            let at = before.and_then(|name| pins.iter().position(|pin| pin.name == name)).map_or(0, |index| index + 1);
            pins.insert(at, pin.clone());
        }
        before = Some(&pin.name);
    }
    pins
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use wb_core::chain::{Digest, Gone, Landed, Reach, Written};

    use super::*;

    fn sha1(n: u8) -> Sha1 {
        Sha1::from_bytes([n; 20])
    }

    /// Links as name and commit, pins as name and commit, in one string each: `a1 b2`.
    fn resolved(links: &str, pins: &str) -> Resolved {
        let pairs = |text: &str| -> Vec<(String, u8)> {
            text.split_whitespace().map(|word| (word[..1].to_owned(), word[1..].parse().unwrap())).collect()
        };
        let links = pairs(links).into_iter().map(|(name, n)| Link::new(name, sha1(n), "web", Digest::of(&[n])));
        let links: Vec<Link> = links.collect();
        let landed = links.iter().filter(|link| !link.is_draft()).map(|link| {
            (link.name.clone(), Landed { sha1: link.sha1, seen: Some(link.sha1), digest: Some(link.digest) })
        });
        let pins = pairs(pins).into_iter().map(|(name, n)| Pin::new(name, sha1(n), Digest::of(&[n])));
        Resolved {
            crate_dir: PathBuf::new(),
            landed: landed.collect(),
            links,
            mistakes: Vec::new(),
            written: Written::default(),
            reach: Reach::Complete,
            lock: Lock { pins: pins.collect(), ..Lock::default() },
        }
    }

    fn check(links: &str, pins: &str, upto: Upto<'_>, expect: &str) {
        let lock = relocked(&resolved(links, pins), upto);
        let found = lock.pins.iter().map(|pin| format!("{}{}", pin.name, pin.sha1.as_bytes()[0]));
        assert_eq!(found.collect::<Vec<_>>().join(" "), expect, "{links}, {pins}");
    }

    #[test]
    fn pins_follow_the_links() {
        check("a1 b2 c3", "a1 b2", Upto::LastPin, "a1 b2");
        check("a1 b2 c3", "b2 a1", Upto::LastPin, "a1 b2");
        check("a1 b5 c6", "a1 b2", Upto::LastPin, "a1 b5");
        check("a1 b2 c3 d4", "a1 c3", Upto::LastPin, "a1 b2 c3");
        check("a1 b2 c3", "", Upto::LastPin, "");
        check("a1 b0", "a1 b2", Upto::LastPin, "a1");
    }

    #[test]
    fn a_commit_that_introduces_several_is_a_squash() {
        let check = |links: &str, to: Option<u8>, expect: &[&str]| {
            let moved = [Moved { name: "a".into(), from: sha1(9), to: to.map(sha1) }];
            let found = squashes(&resolved(links, ""), &moved);
            assert_eq!(found.iter().map(|squash| squash.names.join(" ")).collect::<Vec<_>>(), expect, "{links}");
        };
        check("a1 b2 c3", Some(1), &[]);
        check("a1 b1 c3", Some(1), &["a b"]);
        check("a1 b2 c2", Some(1), &[]);
        check("a1 b1", None, &[]);
    }

    #[test]
    fn pins_reach_as_far_as_they_shall() {
        check("a1 b2 c3 d4", "a1", Upto::Link("b"), "a1 b2");
        check("a1 b2 c3 d4", "a1 b2 c3", Upto::Link("b"), "a1 b2 c3");
        check("a1 b2 c3 d0", "a1", Upto::Newest, "a1 b2 c3");
    }

    #[test]
    fn a_pin_without_a_link_stays_behind_the_one_before_it() {
        check("a1 c3", "a1 b2 c3", Upto::LastPin, "a1 b2 c3");
        check("a1 c3", "b2 a1 c3", Upto::LastPin, "b2 a1 c3");
    }

    #[test]
    fn a_pin_that_moves_keeps_its_marks() {
        let mut moved = resolved("a1 b5", "a1 b2");
        let gone = Some(Gone { role: "web".into(), wait: None, in_load: false, replaces: None });
        let before = Pin { amended: Some(Digest::of(b"new")), gone, imported: true, ..moved.lock.pins[1].clone() };
        moved.lock.pins[1] = before.clone();
        let expect = Pin { sha1: sha1(5), digest: Digest::of(&[5]), imported: false, ..before };
        assert_eq!(relocked(&moved, Upto::LastPin).pins[1], expect);
    }

    #[test]
    fn what_an_amended_link_says_now_is_not_taken_for_what_it_landed_with() {
        let mut old = resolved("a1", "a1");
        let pin = Pin { amended: Some(Digest::of(b"old rules")), ..old.lock.pins[0].clone() };
        old.lock = Lock { digest_version: DIGEST_VERSION + 1, pins: vec![pin.clone()] };
        old.links[0].digest = Digest::of(b"edited");
        assert_eq!(
            relocked(&old, Upto::LastPin).pins,
            std::slice::from_ref(&pin),
            "its commit says what it landed with"
        );
        old.landed.clear();
        assert_eq!(relocked(&old, Upto::LastPin).pins, [pin], "nobody knows");
    }

    #[test]
    fn a_pin_gets_the_digest_that_its_commit_gave_it() {
        let mut forged = resolved("a1", "a1");
        forged.lock.pins[0].digest = Digest::of(b"forged");
        assert_eq!(relocked(&forged, Upto::LastPin).pins[0].digest, Digest::of(&[1]));
        forged.landed.get_mut("a").unwrap().seen = Some(sha1(2));
        assert_eq!(
            relocked(&forged, Upto::LastPin),
            forged.lock,
            "what came from elsewhere may have been amended there"
        );
    }
}
