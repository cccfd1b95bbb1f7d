//! Which commit introduced which file of `src/chain`: the only place that opens the source repository.
//!
//! Every commit that HEAD reaches is looked at once, but only as far as the id of its `src/chain` directory: where that
//! is the id of a parent's, the commit introduced nothing. Directories on the way are remembered by id, so that a commit
//! that touched none of them costs one look at its root.
#![expect(clippy::disallowed_methods, reason = "this is the seam that the rest must use")]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use git2::{ErrorCode, Oid, Repository, Tree};

use super::sources;
use crate::chain::{Commit, Content, History, Lock, Pin, Reach, Sha1, Source, Written};
use crate::system::files;

/// The history of the chain of a crate, and where the crate lies in the repository.
///
/// Of landed files it reads those that somebody must compare: files that are not pinned, and files that differ from
/// their pin.
pub(super) fn read(crate_dir: &Path, written: &Written, lock: Option<&Lock>) -> (History, String) {
    match open(crate_dir) {
        Ok(Some((repository, place))) => {
            let history = look(&repository, &place, written, lock);
            (history.unwrap_or_else(|error| unseen(unreadable(&error))), place)
        }
        Ok(None) => (unseen(Reach::Absent), String::new()),
        Err(reach) => (unseen(reach), String::new()),
    }
}

fn unseen(reach: Reach) -> History {
    History { reach, ..History::default() }
}

fn open(crate_dir: &Path) -> Result<Option<(Repository, String)>, Reach> {
    let repository = match Repository::discover(crate_dir) {
        Ok(repository) => repository,
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&error)),
    };
    let top = repository.workdir().and_then(|top| files::canonical(top).ok());
    let place = top.and_then(|top| Some(crate_dir.strip_prefix(top).ok()?.to_str()?.to_owned()));
    Ok(place.map(|place| (repository, place)))
}

fn unreadable(error: &git2::Error) -> Reach {
    let help = match error.code() {
        ErrorCode::Owner => {
            "it belongs to another user: run `git config --global --add safe.directory DIR` with its directory, \
             or give it to yourself with `chown`"
        }
        _ => {
            "see what `git status` and `git fsck` say; repositories with sha256 ids or in the reftable format \
             can't be read here"
        }
    };
    Reach::Unreadable { what: error.message().to_owned(), help: help.to_owned() }
}

fn look(repository: &Repository, place: &str, written: &Written, lock: Option<&Lock>) -> Result<History, git2::Error> {
    // Git checks objects when it fetches them, and `git fsck` when somebody asks. To hash each again here would take
    // longer than all the rest.
    git2::opts::strict_hash_verification(false);
    let walk = Walk::new(repository, place);
    let mut commits = walk.commits()?;
    let pins = lock.map(Lock::by_name).unwrap_or_default();
    let strangers = walk.strangers(&commits, |name| !written.files.contains_key(name) && !pins.contains_key(name));
    commits.iter_mut().for_each(|commit| commit.introduces.retain(|name| !strangers.contains(name)));
    let moved = walk.moved_pins(&commits, &pins);
    let landed = walk.landed(&commits, written, &pins);
    let reach = if walk.cuts.is_empty() { Reach::Complete } else { Reach::Shallow };
    Ok(History { reach, commits, landed, moved })
}

type Pins<'a> = BTreeMap<&'a str, &'a Pin>;

/// One reading of a repository.
struct Walk<'a> {
    repository: &'a Repository,
    /// Where the crate lies in the repository.
    place: PathBuf,
    /// Where a shallow clone was cut.
    cuts: HashSet<Oid>,
}

impl<'a> Walk<'a> {
    fn new(repository: &'a Repository, place: &str) -> Self {
        let cuts = files::read_optional(repository.commondir().join("shallow")).ok().flatten().unwrap_or_default();
        let cuts = String::from_utf8_lossy(&cuts).lines().filter_map(|line| line.parse().ok()).collect();
        Self { repository, place: PathBuf::from(place), cuts }
    }

    fn commits(&self) -> Result<Vec<Commit>, git2::Error> {
        let mut directories = Directories::new(self.repository, &self.place.join("src/chain"));
        let (mut commits, mut trees) = (Vec::<Commit>::new(), Vec::<Option<Oid>>::new());
        let mut positions = HashMap::<Oid, usize>::new();
        for commit in self.parents_first()? {
            let parents: Vec<usize> =
                self.parents(&commit).iter().filter_map(|id| positions.get(id).copied()).collect();
            let before: Vec<Option<Oid>> = parents.iter().map(|parent| trees[*parent]).collect();
            let tree = directories.find(commit.tree_id())?;
            let introduces = self.introduced(tree, &before)?;
            positions.insert(commit.id(), commits.len());
            commits.push(Commit {
                sha1: sha1(commit.id()),
                parents,
                introduces,
                cut: self.cuts.contains(&commit.id()),
            });
            trees.push(tree);
        }
        Ok(commits)
    }

    /// All commits that HEAD reaches, parents before children.
    fn parents_first(&self) -> Result<Vec<git2::Commit<'a>>, git2::Error> {
        let head = match self.repository.head() {
            Ok(head) => head.peel_to_commit()?,
            Err(error) if error.code() == ErrorCode::UnbornBranch => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let (mut seen, mut ordered) = (HashSet::new(), Vec::new());
        let mut stack = vec![(head, false)];
        while let Some((commit, parents_done)) = stack.pop() {
            if parents_done {
                ordered.push(commit);
            } else if seen.insert(commit.id()) {
                let parents = self.parents(&commit);
                stack.push((commit, true));
                for parent in parents.into_iter().rev().filter(|parent| !seen.contains(parent)) {
                    stack.push((self.repository.find_commit(parent)?, false));
                }
            }
        }
        Ok(ordered)
    }

    fn parents(&self, commit: &git2::Commit<'_>) -> Vec<Oid> {
        if self.cuts.contains(&commit.id()) { Vec::new() } else { commit.parent_ids().collect() }
    }

    /// The names whose file is in `tree` and in no tree of `before`.
    fn introduced(&self, tree: Option<Oid>, before: &[Option<Oid>]) -> Result<Vec<String>, git2::Error> {
        let Some(id) = tree.filter(|_| !before.contains(&tree)) else { return Ok(Vec::new()) };
        let before = before.iter().flatten().map(|id| self.repository.find_tree(*id));
        let before = before.collect::<Result<Vec<Tree<'_>>, _>>()?;
        let tree = self.repository.find_tree(id)?;
        let new = tree.iter().filter(|entry| before.iter().all(|old| old.get_name_bytes(entry.name_bytes()).is_none()));
        let stem = |entry: git2::TreeEntry<'_>| {
            let name = std::str::from_utf8(entry.name_bytes()).ok()?;
            name.strip_suffix(".rs").map(str::to_owned)
        };
        Ok(new.filter_map(stem).collect())
    }

    /// The gone names whose file never had a migration: they are no links.
    fn strangers(&self, commits: &[Commit], is_gone: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let gone = introductions(commits).filter(|(name, _)| is_gone(name));
        let stranger = gone.filter(|(name, sha1)| {
            let source = self.source(name, *sha1);
            source.is_some_and(|source| source.migrations.is_empty())
        });
        stranger.map(|(name, _)| name.to_owned()).collect()
    }

    /// Pins whose commit added the file where the crate lay then.
    fn moved_pins(&self, commits: &[Commit], pins: &Pins<'_>) -> BTreeSet<(String, Sha1)> {
        let known: HashMap<Sha1, &Commit> = commits.iter().map(|commit| (commit.sha1, commit)).collect();
        let elsewhere = pins.values().filter(|pin| match known.get(&pin.sha1) {
            Some(commit) => !commit.introduces.contains(&pin.name) && self.added_anywhere(pin),
            None => false,
        });
        elsewhere.map(|pin| (pin.name.clone(), pin.sha1)).collect()
    }

    fn added_anywhere(&self, pin: &Pin) -> bool {
        let Ok(commit) = self.repository.find_commit(oid(pin.sha1)) else { return false };
        let parent = commit.parents().next().and_then(|parent| parent.tree().ok());
        let diff = self.repository.diff_tree_to_tree(parent.as_ref(), commit.tree().ok().as_ref(), None);
        let end = Path::new("src/chain").join(format!("{}.rs", pin.name));
        diff.is_ok_and(|diff| {
            let mut added = diff.deltas().filter(|delta| delta.status() == git2::Delta::Added);
            added.any(|delta| delta.new_file().path().is_some_and(|path| path.ends_with(&end)))
        })
    }

    /// What landed files said, where somebody must compare.
    fn landed(&self, commits: &[Commit], written: &Written, pins: &Pins<'_>) -> BTreeMap<String, Content> {
        let mut landed = BTreeMap::new();
        for (name, sha1) in introductions(commits) {
            let Some(now) = written.files.get(name) else { continue };
            let pin = pins.get(name);
            let is_settled = pin.is_some_and(|pin| pin.digest == now.content.digest() || pin.sha1 != sha1);
            if is_settled || landed.contains_key(name) {
                continue;
            }
            landed.extend(self.source(name, sha1).map(|source| (name.to_owned(), source.content)));
        }
        landed
    }

    /// What a file of `src/chain` said in a commit.
    fn source(&self, name: &str, sha1: Sha1) -> Option<Source> {
        let tree = self.repository.find_commit(oid(sha1)).and_then(|commit| commit.tree()).ok()?;
        let content = |path: String| {
            let entry = tree.get_path(&self.place.join(path)).ok()?;
            Some(self.repository.find_blob(entry.id()).ok()?.content().to_vec())
        };
        let file = sources::parse(&content(format!("src/chain/{name}.rs"))?).ok()?;
        Some(sources::source(file, |asset| content(format!("assets/{asset}"))))
    }
}

/// What each commit introduced, oldest first, as far as that is certain.
fn introductions(commits: &[Commit]) -> impl Iterator<Item = (&str, Sha1)> {
    let certain = commits.iter().filter(|commit| !commit.cut);
    certain.flat_map(|commit| commit.introduces.iter().map(|name| (name.as_str(), commit.sha1)))
}

/// Finds one directory in many root trees.
struct Directories<'a> {
    repository: &'a Repository,
    parts: Vec<String>,
    known: HashMap<(usize, Oid), Option<Oid>>,
}

impl<'a> Directories<'a> {
    fn new(repository: &'a Repository, path: &Path) -> Self {
        let parts = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        Self { repository, parts, known: HashMap::new() }
    }

    fn find(&mut self, root: Oid) -> Result<Option<Oid>, git2::Error> {
        let mut tree = Some(root);
        for depth in 0..self.parts.len() {
            tree = match tree {
                Some(tree) => self.entry(depth, tree)?,
                None => None,
            };
        }
        Ok(tree)
    }

    fn entry(&mut self, depth: usize, tree: Oid) -> Result<Option<Oid>, git2::Error> {
        if let Some(known) = self.known.get(&(depth, tree)) {
            return Ok(*known);
        }
        let tree_object = self.repository.find_tree(tree)?;
        let entry = tree_object.get_name(&self.parts[depth]);
        let found = entry.filter(|entry| entry.kind() == Some(git2::ObjectType::Tree)).map(|entry| entry.id());
        self.known.insert((depth, tree), found);
        Ok(found)
    }
}

fn sha1(id: Oid) -> Sha1 {
    Sha1::from_bytes(id.as_bytes().try_into().unwrap_or_default())
}

fn oid(sha1: Sha1) -> Oid {
    Oid::from_bytes(sha1.as_bytes()).unwrap_or(Oid::ZERO_SHA1)
}
