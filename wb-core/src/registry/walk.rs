//! From what git says of every commit to the few commits that matter, and who introduced what.
//!
//! A commit matters when it introduces a name, when ways through the history meet in it that come from different such
//! commits, when a shallow clone was cut there, or when a pin names it. All others stand for the last one before them
//! that does.
//!
//! A crate may have moved within its repository. Then the commit that moved it introduces nothing: its files are gone at
//! another place in the same commit, and what was introduced there before counts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::records::{Record, chain_dir};
use crate::chain::{Commit, Sha1};

/// The commits that matter, parents before children.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Walk {
    pub(super) nodes: Vec<Node>,
    /// The node that HEAD is, or stands for.
    pub(super) tip: Option<usize>,
}

/// A commit that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) sha1: Sha1,
    /// Positions in the list of nodes.
    pub(super) parents: Vec<usize>,
    pub(super) introduces: Vec<Introduced>,
    pub(super) cut: bool,
}

/// A file that no parent has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Introduced {
    pub(super) name: String,
    /// What it said.
    pub(super) blob: Sha1,
    /// Where the crate lay, as a number in the list of places.
    pub(super) place: usize,
}

/// A place where the crate lies or lay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) path: String,
    /// The commit in which the crate left it: only what is older counts.
    pub(super) left: Option<String>,
}

/// What to look for in a history.
#[derive(Debug)]
pub(super) struct Interest<'a> {
    /// Where the crate lies, then where it lay before.
    pub(super) places: &'a [Place],
    pub(super) cuts: &'a HashSet<String>,
    /// The commits of pins that are no introductions.
    pub(super) pinned: &'a HashSet<String>,
}

impl Walk {
    /// Goes through a whole history. Nothing when what git said can't be understood.
    pub(super) fn of(records: &[Record<'_>], interest: &Interest<'_>) -> Option<Self> {
        let mut walk = Self::default();
        walk.append(records, interest, &HashMap::new())?;
        Some(walk)
    }

    /// This walk, which ended at `head`, with the commits after it. Nothing where they hang onto anything else, or do
    /// what can't be judged by them alone: then the walk must begin anew.
    pub(super) fn extended(&self, head: Sha1, records: &[Record<'_>], interest: &Interest<'_>) -> Option<Self> {
        let mut walk = self.clone();
        let head = head.to_string();
        let hangs = |record: &Record<'_>| record.parents().next().is_some() && !interest.pinned.contains(record.id);
        if records.is_empty() || !records.iter().all(hangs) {
            return None;
        }
        walk.append(records, interest, &HashMap::from([(head.as_str(), self.tip)]))?;
        walk.suspects().iter().all(|suspect| *suspect < self.nodes.len()).then_some(walk)
    }

    /// Adds commits, given children first, that hang onto those of `known`.
    fn append(
        &mut self,
        records: &[Record<'_>],
        interest: &Interest<'_>,
        known: &HashMap<&str, Option<usize>>,
    ) -> Option<()> {
        let found = Findings::of(records, interest)?;
        let meets = meeting_points(records, &found, known)?;
        let mut positions = known.clone();
        let mut last = ("", None);
        for (index, record) in records.iter().enumerate().rev() {
            let mut parents = Vec::new();
            if record.follows(last.0) {
                parents.extend(last.1);
            } else {
                for id in record.parents() {
                    let parent = if id == last.0 { last.1 } else { *positions.get(id)? };
                    parents.extend(parent.filter(|parent| !parents.contains(parent)));
                }
            }
            let cut = !interest.cuts.is_empty() && interest.cuts.contains(record.id);
            let introduces = found.introduced(index);
            let matters = !introduces.is_empty() || parents.len() > 1 || found.is_kept(record.id);
            let own = if matters {
                self.nodes.push(Node { sha1: record.id.parse().ok()?, parents, introduces, cut });
                Some(self.nodes.len() - 1)
            } else {
                parents.first().copied()
            };
            if !meets.is_empty() && meets.contains(record.id) {
                positions.insert(record.id, own);
            }
            last = (record.id, own);
        }
        self.tip = last.1;
        Some(())
    }

    /// Introductions that may be no more than a move: the first of all, of several files at once, of a name that was
    /// there before.
    pub(super) fn suspects(&self) -> Vec<usize> {
        let mut seen = HashSet::new();
        let mut suspects = Vec::new();
        for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| !node.cut) {
            let is_known = node.introduces.iter().filter(|file| !seen.insert(file.name.as_str())).count() > 0;
            let is_first = node.parents.is_empty();
            if !node.introduces.is_empty() && (is_first || is_known || node.introduces.len() > 1) {
                suspects.push(index);
            }
        }
        suspects
    }

    /// The node of a commit.
    pub(super) fn find(&self, sha1: Sha1) -> Option<&Node> {
        self.nodes.iter().find(|node| node.sha1 == sha1)
    }

    /// As the verdict wants it.
    pub(super) fn commits(&self) -> Vec<Commit> {
        let names = |node: &Node| node.introduces.iter().map(|file| file.name.clone()).collect();
        let commit = |node: &Node| Commit {
            sha1: node.sha1,
            parents: node.parents.clone(),
            is_root: false,
            introduces: names(node),
            cut: node.cut,
        };
        self.nodes.iter().map(commit).collect()
    }
}

/// Commits that more than the next record stands upon: others find them by their id.
fn meeting_points<'a>(
    records: &[Record<'a>],
    found: &Findings,
    known: &HashMap<&str, Option<usize>>,
) -> Option<HashSet<&'a str>> {
    let mut meets = HashSet::new();
    for (index, record) in records.iter().enumerate() {
        let next = records.get(index + 1).map_or("", |next| next.id);
        if record.follows(next) {
            continue;
        }
        meets.extend(record.parents().filter(|parent| *parent != next));
        // It would have to be a node of what is known.
        if record.parents().any(|parent| known.contains_key(parent) && found.is_kept(parent)) {
            return None;
        }
    }
    Some(meets)
}

/// What each record introduces, and which commits must be nodes whatever they do.
struct Findings {
    introduced: HashMap<usize, Vec<Introduced>>,
    kept: HashSet<String>,
}

impl Findings {
    fn of(records: &[Record<'_>], interest: &Interest<'_>) -> Option<Self> {
        let dirs: Vec<String> = interest.places.iter().map(|place| chain_dir(&place.path)).collect();
        let before = older_than_leaving(records, interest.places);
        let mut found = Self { introduced: HashMap::new(), kept: interest.pinned.clone() };
        found.kept.extend(interest.cuts.iter().cloned());
        for (index, record) in records.iter().enumerate().filter(|(_, record)| !record.changes.is_empty()) {
            let counts = |place: usize| before[place].as_ref().is_none_or(|before| before.contains(&index));
            let leaves = |place: usize| interest.places[place].left.as_deref() == Some(record.id);
            let named = |place: usize, is_new: bool| {
                let changes = record.changes.iter().filter(move |change| change.is_new == is_new);
                let dir = dirs[place].as_str();
                changes.filter_map(move |change| Some((stem(dir, change.path)?, change.blob)))
            };
            let places = || 0..interest.places.len();
            let moved: HashSet<&str> = places()
                .filter(|place| leaves(*place))
                .flat_map(|place| named(place, false))
                .map(|(name, _)| name)
                .collect();
            let mut introduces = BTreeMap::new();
            for place in places().filter(|place| counts(*place)) {
                for (name, blob) in named(place, true).filter(|(name, _)| !moved.contains(name)) {
                    let blob = blob.parse().ok()?;
                    introduces.entry(name).or_insert(Introduced { name: name.to_owned(), blob, place });
                }
            }
            if !introduces.is_empty() {
                found.keep_parents_of_merge(record);
                found.introduced.insert(index, introduces.into_values().collect());
            }
        }
        Some(found)
    }

    /// A merge that introduces something must be known as one, so its parents stay.
    fn keep_parents_of_merge(&mut self, record: &Record<'_>) {
        if record.parents().nth(1).is_some() {
            self.kept.extend(record.parents().map(str::to_owned));
        }
    }

    fn introduced(&self, index: usize) -> Vec<Introduced> {
        self.introduced.get(&index).cloned().unwrap_or_default()
    }

    fn is_kept(&self, id: &str) -> bool {
        !self.kept.is_empty() && self.kept.contains(id)
    }
}

/// The name of a link whose file lies in a directory itself.
fn stem<'a>(dir: &str, path: &'a str) -> Option<&'a str> {
    let name = path.strip_prefix(dir)?.strip_prefix('/')?.strip_suffix(".rs")?;
    (!name.contains('/')).then_some(name)
}

/// For each place that the crate left, the records of the ancestors of the commit that left it.
fn older_than_leaving(records: &[Record<'_>], places: &[Place]) -> Vec<Option<HashSet<usize>>> {
    let mut positions = HashMap::new();
    if places.iter().any(|place| place.left.is_some()) {
        positions.extend(records.iter().enumerate().map(|(index, record)| (record.id, index)));
    }
    let ancestors = |left: &String| {
        let (mut seen, mut waiting) = (HashSet::new(), vec![left.as_str()]);
        while let Some(index) = waiting.pop().and_then(|id| positions.get(id)) {
            let new = records[*index].parents().filter(|id| positions.get(id).is_some_and(|p| seen.insert(*p)));
            waiting.extend(new);
        }
        seen
    };
    places.iter().map(|place| place.left.as_ref().map(ancestors)).collect()
}

/// Where the crate may have lain before commits that introduced files, each compared with its parents wherever chains
/// lie. Of several places that lost the same names, the likeliest comes first: the one that lost most of them, the same
/// contents before others.
pub(super) fn departures(records: &[Record<'_>], walk: &Walk, places: &[Place]) -> Vec<Vec<Place>> {
    let departure = |record: &Record<'_>| {
        let node = walk.nodes.iter().find(|node| node.sha1.to_string() == record.id)?;
        let blobs: HashMap<&str, String> =
            node.introduces.iter().map(|file| (file.name.as_str(), file.blob.to_string())).collect();
        let own: BTreeSet<&str> = node.introduces.iter().map(|file| places[file.place].path.as_str()).collect();
        let mut lost: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for change in record.changes.iter().filter(|change| !change.is_new) {
            let Some((place, name)) = split(change.path).filter(|(place, _)| !own.contains(place)) else { continue };
            let Some(blob) = blobs.get(name) else { continue };
            let counts = lost.entry(place).or_default();
            *counts = (counts.0 + usize::from(blob == change.blob), counts.1 + 1);
        }
        let mut lost: Vec<_> = lost.into_iter().collect();
        lost.sort_by_key(|(_, counts)| Reverse(*counts));
        Some(
            lost.into_iter()
                .map(|(path, _)| Place { path: path.to_owned(), left: Some(record.id.to_owned()) })
                .collect(),
        )
    };
    records.iter().filter_map(departure).collect()
}

/// The names that a commit added to chains, wherever they lay.
pub(super) fn added<'a>(record: &Record<'a>) -> impl Iterator<Item = &'a str> {
    let new = record.changes.iter().filter(|change| change.is_new);
    new.filter_map(|change| split(change.path)).map(|(_, name)| name)
}

/// `fleet/src/chain/a.rs` as `fleet` and `a`.
fn split(path: &str) -> Option<(&str, &str)> {
    let (dir, file) = path.rsplit_once('/')?;
    let place = dir.strip_suffix("src/chain")?;
    let place = if place.is_empty() { place } else { place.strip_suffix('/')? };
    Some((place, file.strip_suffix(".rs")?))
}

#[cfg(test)]
mod tests {
    use super::super::records;
    use super::*;

    fn id(letter: char) -> String {
        let code = format!("{:02x}", u32::from(letter));
        code.repeat(20)
    }

    /// Records as in `d:bc +fleet/x`: a commit, its parents, and what is new or gone. The newest comes first.
    fn output(history: &str) -> String {
        let mut output = String::new();
        for line in history.split("; ") {
            let (commit, changes) = line.split_once(' ').unwrap_or((line, ""));
            let (own, parents) = commit.split_once(':').unwrap();
            let parents: Vec<String> = parents.chars().map(id).collect();
            output += &format!("\u{1}{} {}\0", own.chars().map(id).collect::<String>(), parents.join(" "));
            for change in changes.split(' ').filter(|change| !change.is_empty()) {
                let added = change.strip_prefix('+').map(|path| ('A', path));
                let (letter, path) = added.unwrap_or(('D', &change[1..]));
                let (place, name) = path.rsplit_once('/').map_or(("", path), |(place, name)| (place, name));
                let file = format!("{}/{name}.rs", chain_dir(place));
                output += &format!(":1 1 {} {} {letter}\0{file}\0", id('0'), id('0'));
            }
        }
        output
    }

    fn text(walk: &Walk) -> String {
        let letter = |sha1: Sha1| char::from(sha1.as_bytes()[0]);
        let node = |node: &Node| {
            let parents: String = node.parents.iter().map(|parent| letter(walk.nodes[*parent].sha1)).collect();
            let names: Vec<&str> = node.introduces.iter().map(|file| file.name.as_str()).collect();
            format!("{}:{parents} {}", letter(node.sha1), names.join(",")).trim_end().to_owned()
        };
        walk.nodes.iter().map(node).collect::<Vec<_>>().join("; ")
    }

    fn walked(history: &str, places: &[Place]) -> Walk {
        let output = output(history);
        let (cuts, pinned) = (HashSet::new(), HashSet::new());
        let interest = Interest { places, cuts: &cuts, pinned: &pinned };
        Walk::of(&records::read(&output).unwrap(), &interest).unwrap()
    }

    fn top() -> Place {
        Place { path: String::new(), left: None }
    }

    #[test]
    fn only_commits_that_matter_stay() {
        let check = |history: &str, expect: &str| assert_eq!(text(&walked(history, &[top()])), expect, "{history}");
        check("d:c; c:b +y; b:a; a: +x", "a: x; c:a y");
        check("d:bc; c:a; b:a; a: +x", "a: x");
        check("d:bc; c:a +z; b:a +y; a: +x", "a: x; b:a y; c:a z; d:bc");
        check("b:a -x; a:", "");
    }

    #[test]
    fn a_merge_that_introduces_something_keeps_its_parents() {
        let walk = walked("d:bc +y; c:a; b:a; a: +x", &[top()]);
        assert_eq!(text(&walk), "a: x; b:a; c:a; d:bc y");
    }

    #[test]
    fn what_was_introduced_before_a_move_counts_and_the_move_does_not() {
        let history = "d:c +fleet/z; c:b +fleet/x +fleet/y -x -y; b:a +y; a: +x";
        let now = Place { path: "fleet".into(), left: None };
        let first = walked(history, std::slice::from_ref(&now));
        assert_eq!((text(&first).as_str(), first.suspects()), ("c: x,y; d:c z", vec![0]));
        let (wide, places) = (output("c:b +fleet/x +fleet/y -x -y"), [now]);
        let left = departures(&records::read(&wide).unwrap(), &first, &places);
        assert_eq!(left, [[Place { path: String::new(), left: Some(id('c')) }]]);
        let [now] = places;
        assert_eq!(text(&walked(history, &[now, left[0][0].clone()])), "a: x; b:a y; d:b z");
    }

    #[test]
    fn a_walk_goes_on_where_it_ended_and_nowhere_else() {
        let before = walked("c:b; b:a +y; a: +x", &[top()]);
        let head = id('c').parse().unwrap();
        let check = |new: &str, expect: Option<&str>| {
            let (output, none, places) = (output(new), HashSet::new(), [top()]);
            let interest = Interest { places: &places, cuts: &none, pinned: &none };
            let after = before.extended(head, &records::read(&output).unwrap(), &interest);
            assert_eq!(after.as_ref().map(text).as_deref(), expect, "{new}");
        };
        check("e:d +z; d:c", Some("a: x; b:a y; e:b z"));
        check("f:ed; e:c; d:c +z", Some("a: x; b:a y; d:b z; f:bd"));
        check("d:b +z", None);
        check("e:cd; d:b", None);
        check("d:c +z +w", None);
        check("d:c +x", None);
        check("d: +z", None);
        check("e:cd; d:", None);
    }
}
