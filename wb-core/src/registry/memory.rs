//! What a walk found, kept for the next build: in `wildebeest/` of git's own directory.
//!
//! A memory is never needed. One that is not there, is of another version, is cut short or can't be written costs time,
//! and nothing else. Builds that run at once, as of an editor beside a terminal, each replace it as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use super::repository::Repository;
use super::walk::{Introduced, Node, Place, Walk};
use crate::chain::{Digest, Sha1};
use crate::system::files;

const VERSION: &str = "wildebeest history 2";
const END: &str = "end";

/// A walk, and for what it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) head: Sha1,
    pub(super) places: Vec<Place>,
    pub(super) walk: Walk,
    /// The pins whose commits did not introduce them, and that the walk looked for.
    pub(super) asked: BTreeSet<(String, Sha1)>,
    /// Those pins that hold though the crate lies elsewhere now.
    pub(super) moved: BTreeSet<(String, Sha1)>,
}

impl Memory {
    /// What the last build found in this work tree.
    pub(super) fn recall(repository: &Repository) -> Option<Self> {
        let bytes = files::read_optional(file(repository, "history")).ok()??;
        Self::decode(std::str::from_utf8(&bytes).ok()?)
    }

    /// The names that were introduced where the crate lay before, with the commit of its last move.
    pub(super) fn arrived(&self) -> BTreeMap<String, Sha1> {
        let last_move = self.places.get(1).and_then(|place| place.left.as_ref()?.parse().ok());
        let Some(last_move) = last_move else { return BTreeMap::new() };
        let introduced = self.walk.nodes.iter().flat_map(|node| &node.introduces);
        introduced.filter(|file| file.place > 0).map(|file| (file.name.clone(), last_move)).collect()
    }

    /// Keeps it for the next.
    pub(super) fn keep(&self, repository: &Repository) {
        if let Some(text) = self.encode() {
            store(repository, "history", &text);
        }
    }

    /// Nothing where a name would not read back.
    fn encode(&self) -> Option<String> {
        let introduced = self.walk.nodes.iter().flat_map(|node| &node.introduces).map(|file| &file.name);
        let words = introduced.chain(self.places.iter().map(|place| &place.path));
        if words.chain(self.asked.iter().chain(&self.moved).map(|(name, _)| name)).any(|word| word.contains('\n')) {
            return None;
        }
        let mut text = format!("{VERSION}\nhead {}\n", self.head);
        let tip = self.walk.tip.map_or_else(|| "-".to_owned(), |tip| tip.to_string());
        let _ = writeln!(text, "tip {tip}");
        for place in &self.places {
            let _ = writeln!(text, "place {} {}", place.left.as_deref().unwrap_or("-"), place.path);
        }
        for (name, sha1) in &self.asked {
            let _ = writeln!(text, "asked {sha1} {name}");
        }
        for (name, sha1) in &self.moved {
            let _ = writeln!(text, "moved {sha1} {name}");
        }
        for node in &self.walk.nodes {
            let parents: Vec<String> = node.parents.iter().map(usize::to_string).collect();
            let _ = writeln!(text, "node {} {}", node.sha1, parents.join(","));
            for file in &node.introduces {
                let _ = writeln!(text, "new {} {} {}", file.blob, file.place, file.name);
            }
        }
        let _ = writeln!(text, "{END}");
        Some(text)
    }

    fn decode(text: &str) -> Option<Self> {
        let mut lines = text.strip_prefix(VERSION)?.strip_prefix('\n')?.strip_suffix("\nend\n")?.split('\n');
        let head = lines.next()?.strip_prefix("head ")?.parse().ok()?;
        let tip = lines.next()?.strip_prefix("tip ")?;
        let tip = if tip == "-" { None } else { Some(tip.parse().ok()?) };
        let walk = Walk { nodes: Vec::new(), tip };
        let mut memory = Self { head, places: Vec::new(), walk, asked: BTreeSet::new(), moved: BTreeSet::new() };
        for line in lines {
            memory.take(line)?;
        }
        let nodes = memory.walk.nodes.len();
        (!memory.places.is_empty() && tip.is_none_or(|tip| tip < nodes)).then_some(memory)
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let (kind, rest) = line.split_once(' ')?;
        let (first, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match kind {
            "place" => {
                let left = (first != "-").then(|| first.to_owned());
                self.places.push(Place { path: rest.to_owned(), left });
            }
            "asked" => drop(self.asked.insert((rest.to_owned(), first.parse().ok()?))),
            "moved" => drop(self.moved.insert((rest.to_owned(), first.parse().ok()?))),
            "node" => {
                let parents = rest.split(',').filter(|parent| !parent.is_empty()).map(|parent| parent.parse().ok());
                let parents = parents.collect::<Option<Vec<usize>>>()?;
                if parents.iter().any(|parent| *parent >= self.walk.nodes.len()) {
                    return None;
                }
                self.walk.nodes.push(Node { sha1: first.parse().ok()?, parents, introduces: Vec::new(), cut: false });
            }
            "new" => {
                let (place, name) = rest.split_once(' ')?;
                let place = place.parse().ok().filter(|place| *place < self.places.len())?;
                let file = Introduced { name: name.to_owned(), blob: first.parse().ok()?, place };
                self.walk.nodes.last_mut()?.introduces.push(file);
            }
            _ => return None,
        }
        Some(())
    }
}

const DIR: &str = "wildebeest";

/// Keeps a text, where that can be done.
pub(super) fn store(repository: &Repository, kind: &str, text: &str) {
    drop(files::create_dir(repository.common_dir.join(DIR)));
    drop(files::replace(file(repository, kind), text));
}

/// Each work tree has its own, and each crate in it.
pub(super) fn file(repository: &Repository, kind: &str) -> PathBuf {
    let whose = format!("{}\n{}", repository.git_dir.display(), repository.place);
    repository.common_dir.join(DIR).join(format!("{kind}-{}", Digest::of(whose.as_bytes()).short()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Memory {
        let node = |n: u8, parents: &[usize], names: &[&str]| Node {
            sha1: Sha1::from_bytes([n; 20]),
            parents: parents.to_vec(),
            introduces: names
                .iter()
                .map(|name| Introduced { name: (*name).to_owned(), blob: Sha1::from_bytes([n + 100; 20]), place: 0 })
                .collect(),
            cut: false,
        };
        Memory {
            head: Sha1::from_bytes([9; 20]),
            places: vec![
                Place { path: "a fleet".into(), left: None },
                Place { path: String::new(), left: Some("0".repeat(40)) },
            ],
            walk: Walk {
                nodes: vec![node(1, &[], &["a"]), node(2, &[0], &["b", "c d"]), node(3, &[0, 1], &[])],
                tip: Some(2),
            },
            asked: BTreeSet::from([
                ("x".to_owned(), Sha1::from_bytes([7; 20])),
                ("y z".to_owned(), Sha1::from_bytes([1; 20])),
            ]),
            moved: BTreeSet::from([("x".to_owned(), Sha1::from_bytes([7; 20]))]),
        }
    }

    #[test]
    fn a_memory_reads_back() {
        assert_eq!(Memory::decode(&memory().encode().unwrap()), Some(memory()));
    }

    #[test]
    fn one_that_would_not_is_not_kept() {
        let mut memory = memory();
        memory.walk.nodes[0].introduces[0].name = "a\nb".into();
        assert_eq!(memory.encode(), None);
    }

    #[test]
    fn a_broken_one_is_none() {
        let text = memory().encode().unwrap();
        for end in 0..text.len() {
            assert_eq!(Memory::decode(&text[..end]), None, "{end}");
        }
        let check = |from: &str, to: &str| assert_eq!(Memory::decode(&text.replacen(from, to, 1)), None, "{from}");
        check("history 2", "history 1");
        check("tip 2", "tip 3");
        check("0,1", "0,7");
        check(" 0 a\n", " 5 a\n");
        check("new", "old");
        check("0101", "xyz");
    }
}
