//! Which commit introduced which file of `src/chain`: asked of git once for each HEAD.
//!
//! One `git log` says what every commit that HEAD reaches did to `src/chain`; what follows from it is pure (`walk`). The
//! result is kept beside the repository (`memory`), and the next build asks only for the commits since then, where they
//! hang onto that HEAD and onto nothing else. In every other case, after a rebase or a merge of an older branch, it asks
//! for all of them again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::contents::Objects;
use super::memory::Memory;
use super::records::{self, ALL_CHAINS, Record, chain_dir};
use super::repository::{Repository, not_run};
use super::sources::{self, Sources};
use super::walk::{Interest, Introduced, Place, Walk, added, departures};
use crate::chain::source::is_asset;
use crate::chain::{Commit, Content, Digest, History, Lock, Pin, Reach, Sha1, Source};
use crate::system::{Command, CommandError};

/// Which landed links somebody wants to see as they landed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Landed {
    /// Those that no pin vouches for: a link that is not pinned, or differs from its pin.
    Doubtful,
    /// All of them.
    All,
}

/// The history of the chain of a crate.
pub(super) fn read(
    repository: Result<Option<&Repository>, Reach>,
    sources: &Sources,
    lock: Option<&Lock>,
    landed: Landed,
) -> History {
    let unseen = |reach| History { reach, ..History::default() };
    match repository {
        Ok(Some(repository)) => look(repository, sources, lock, landed).unwrap_or_else(unseen),
        Ok(None) => unseen(Reach::Absent),
        Err(reach) => unseen(reach),
    }
}

fn look(repository: &Repository, sources: &Sources, lock: Option<&Lock>, landed: Landed) -> Result<History, Reach> {
    let pins = lock.map(Lock::by_name).unwrap_or_default();
    let reach = if repository.cuts.is_empty() { Reach::Complete } else { Reach::Shallow };
    let Some(head) = repository.head else { return Ok(History { reach, ..History::default() }) };
    let memory = remembered(repository, head, &pins)?;
    let looking = Looking { repository, sources, pins: &pins, memory: &memory };
    let (mut commits, strangers) = (memory.walk.commits(), looking.strangers().map_err(|error| not_run(&error))?);
    for commit in commits.iter_mut().filter(|_| !strangers.is_empty()) {
        let sha1 = commit.sha1;
        commit.introduces.retain(|name| !strangers.contains(&(name.as_str(), sha1)));
    }
    mark_roots(repository, &mut commits).map_err(|error| not_run(&error))?;
    let landed = looking.landed(landed, &strangers).map_err(|error| not_run(&error))?;
    Ok(History { reach, commits, landed, moved: memory.moved.clone(), arrived: memory.arrived() })
}

/// Asks of commits that introduce several files whether they have parents: the list leaves out those that introduce
/// nothing.
fn mark_roots(repository: &Repository, commits: &mut [Commit]) -> Result<(), CommandError> {
    let mut first: Vec<&mut Commit> =
        commits.iter_mut().filter(|commit| commit.parents.is_empty() && commit.introduces.len() > 1).collect();
    if first.is_empty() {
        return Ok(());
    }
    let ids = first.iter().map(|commit| commit.sha1.to_string());
    let output = said(&repository.git().args(["rev-list", "--no-walk=unsorted", "--parents"]).args(ids))?;
    for (commit, line) in first.iter_mut().zip(output.lines()) {
        commit.is_root = !line.contains(' ');
    }
    Ok(())
}

type Pins<'a> = BTreeMap<&'a str, &'a Pin>;

/// The walk to `head`: the one of the last build, with what came after it, or a new one.
fn remembered(repository: &Repository, head: Sha1, pins: &Pins<'_>) -> Result<Memory, Reach> {
    let recalled = Memory::recall(repository).filter(|_| repository.cuts.is_empty());
    if let Some(memory) = recalled.and_then(|memory| brought_to(repository, head, memory))
        && unsettled(&memory.walk, pins).is_subset(&memory.asked)
    {
        return Ok(memory);
    }
    let memory = walked(repository, head, pins).map_err(|error| not_run(&error))?;
    if repository.cuts.is_empty() {
        memory.keep(repository);
    }
    Ok(memory)
}

fn brought_to(repository: &Repository, head: Sha1, memory: Memory) -> Option<Memory> {
    if memory.places[0].path != repository.place {
        return None;
    }
    if memory.head == head {
        return Some(memory);
    }
    let range = [head.to_string(), format!("^{}", memory.head)];
    let output = log(repository, &range, &memory.places[..1]).ok()?;
    let interest = Interest { places: &memory.places, cuts: &repository.cuts, pinned: &commits_of(&memory.asked) };
    let walk = memory.walk.extended(memory.head, &records::read(&output)?, &interest)?;
    let memory = Memory { head, walk, ..memory };
    memory.keep(repository);
    Some(memory)
}

/// Pins of commits that did not introduce their names.
fn unsettled(walk: &Walk, pins: &Pins<'_>) -> BTreeSet<(String, Sha1)> {
    let introduced: HashSet<(Sha1, &str)> =
        walk.nodes.iter().flat_map(|node| node.introduces.iter().map(|file| (node.sha1, file.name.as_str()))).collect();
    let unsettled = pins.values().filter(|pin| !introduced.contains(&(pin.sha1, pin.name.as_str())));
    unsettled.map(|pin| (pin.name.clone(), pin.sha1)).collect()
}

fn commits_of(pins: &BTreeSet<(String, Sha1)>) -> HashSet<String> {
    pins.iter().map(|(_, sha1)| sha1.to_string()).collect()
}

/// Asks for the whole history: of the place where the crate lies, and of those that it turns out to have come from.
fn walked(repository: &Repository, head: Sha1, pins: &Pins<'_>) -> Result<Memory, CommandError> {
    let mut places = vec![Place { path: repository.place.clone(), left: None }];
    let mut seen = HashSet::new();
    loop {
        let output = log(repository, &[head.to_string()], &places)?;
        let records = understood(&output)?;
        let walk_with = |pinned: &HashSet<String>| {
            Walk::of(&records, &Interest { places: &places, cuts: &repository.cuts, pinned }).ok_or_else(nonsense)
        };
        let walk = walk_with(&HashSet::new())?;
        let suspects = walk.suspects().into_iter().map(|index| walk.nodes[index].sha1.to_string());
        let suspects: Vec<String> = suspects.filter(|id| seen.insert(id.clone())).collect();
        let mut came_from = Vec::new();
        for candidates in departures(&understood(&wide(repository, &suspects)?)?, &walk, &places) {
            came_from.extend(first_empty(repository, candidates)?);
        }
        if !came_from.is_empty() {
            places.extend(came_from);
            continue;
        }
        let asked = unsettled(&walk, pins);
        let walk = if asked.is_empty() { walk } else { walk_with(&commits_of(&asked))? };
        let moved = moved(repository, &walk, &asked)?;
        return Ok(Memory { head, places, walk, asked, moved });
    }
}

/// The first of these places where the commit that left it left nothing. Where a chain goes on, no crate moved away: one
/// of its files became part of another.
fn first_empty(repository: &Repository, candidates: Vec<Place>) -> Result<Option<Place>, CommandError> {
    for place in candidates {
        let dir = format!("{}/", chain_dir(&place.path));
        let list = repository.git().args(["ls-tree", "-z", "--name-only", "--full-tree"]);
        let files = said(&list.args(place.left.as_deref()).arg("--").arg(&dir))?;
        if !files.split('\0').any(|file| file.ends_with(".rs")) {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Pins that hold though their commit added the file elsewhere.
fn moved(
    repository: &Repository,
    walk: &Walk,
    asked: &BTreeSet<(String, Sha1)>,
) -> Result<BTreeSet<(String, Sha1)>, CommandError> {
    let known = asked.iter().filter(|(_, sha1)| walk.find(*sha1).is_some()).map(|(_, sha1)| sha1.to_string());
    let ids: Vec<String> = known.collect::<BTreeSet<_>>().into_iter().collect();
    let output = wide(repository, &ids)?;
    let pairs = |record: &Record<'_>| {
        let sha1 = record.id.parse().ok()?;
        Some(added(record).map(move |name| (name.to_owned(), sha1)).collect::<Vec<_>>())
    };
    let added = understood(&output)?.iter().filter_map(pairs).flatten().collect::<BTreeSet<_>>();
    Ok(added.intersection(asked).cloned().collect())
}

fn log(repository: &Repository, revisions: &[String], places: &[Place]) -> Result<String, CommandError> {
    let dirs: BTreeSet<String> =
        places.iter().map(|place| format!(":(top,literal){}", chain_dir(&place.path))).collect();
    said(&records::arguments(repository.git()).args(revisions).arg("--").args(dirs))
}

/// What these commits did to chains, wherever they lie.
fn wide(repository: &Repository, ids: &[String]) -> Result<String, CommandError> {
    if ids.is_empty() {
        return Ok(String::new());
    }
    let command = records::arguments(repository.git()).args(["--no-walk=unsorted", "--stdin", "--", ALL_CHAINS]);
    said(&command.stdin(ids.join("\n") + "\n"))
}

fn said(command: &Command) -> Result<String, CommandError> {
    let output = command.run()?.success(command)?;
    Ok(String::from_utf8(output.stdout).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn understood(output: &str) -> Result<Vec<Record<'_>>, CommandError> {
    records::read(output).ok_or_else(nonsense)
}

fn nonsense() -> CommandError {
    CommandError::Failed { line: "git log".into(), code: 0, said: "it says what can't be understood".into() }
}

/// What there is to look at when contents are compared.
struct Looking<'a> {
    repository: &'a Repository,
    sources: &'a Sources,
    pins: &'a Pins<'a>,
    memory: &'a Memory,
}

/// A file as it was introduced.
#[derive(Clone, Copy)]
struct Landing<'a> {
    commit: Sha1,
    place: &'a str,
    file: &'a Introduced,
}

impl Looking<'_> {
    /// What was introduced, oldest first, as far as that is certain.
    fn landings(&self) -> impl Iterator<Item = Landing<'_>> {
        let certain = self.memory.walk.nodes.iter().filter(|node| !node.cut);
        let place = |file: &Introduced| self.memory.places[file.place].path.as_str();
        certain.flat_map(move |node| {
            node.introduces.iter().map(move |file| Landing { commit: node.sha1, place: place(file), file })
        })
    }

    /// The landings of files without a migration, which are no links: of names that are gone, and of names that also
    /// landed with one.
    fn strangers(&self) -> Result<BTreeSet<(&str, Sha1)>, CommandError> {
        let is_gone = |name: &str| !self.sources.written.files.contains_key(name) && !self.pins.contains_key(name);
        let mut doubtful: BTreeMap<&str, Vec<Landing<'_>>> = BTreeMap::new();
        for landing in self.landings() {
            doubtful.entry(landing.file.name.as_str()).or_default().push(landing);
        }
        doubtful.retain(|name, landings| landings.len() > 1 || is_gone(name));
        let ids = doubtful.values().flatten().map(|landing| landing.file.blob.to_string());
        let blobs = Objects::of(self.repository).blobs(ids)?;
        let is_stranger = |landing: &&Landing<'_>| {
            let source = blobs.get(&landing.file.blob.to_string()).and_then(|bytes| source_of(bytes));
            source.is_some_and(|source| source.migrations.is_empty())
        };
        let strangers = doubtful.into_iter().flat_map(|(name, landings)| {
            let strange: Vec<_> = landings.iter().filter(is_stranger).map(|landing| (name, landing.commit)).collect();
            if strange.len() < landings.len() || is_gone(name) { strange } else { Vec::new() }
        });
        Ok(strangers.collect())
    }

    /// What landed files said.
    fn landed(
        &self,
        which: Landed,
        strangers: &BTreeSet<(&str, Sha1)>,
    ) -> Result<BTreeMap<String, Content>, CommandError> {
        let mut wanted: BTreeMap<&str, Landing<'_>> = BTreeMap::new();
        let is_link = |landing: &Landing<'_>| !strangers.contains(&(landing.file.name.as_str(), landing.commit));
        for landing in self.landings().filter(is_link) {
            let name = landing.file.name.as_str();
            let is_pinned = self.pins.get(name).is_some_and(|pin| pin.sha1 == landing.commit);
            if is_pinned || !wanted.contains_key(name) {
                wanted.insert(name, landing);
            }
        }
        wanted.retain(|name, _| self.is_wanted(name, which));
        let objects = Objects::of(self.repository);
        let differing = wanted.values().filter(|landing| !self.is_unchanged(landing));
        let texts = objects.blobs(differing.map(|landing| landing.file.blob.to_string()))?;
        let mut contents: Vec<(Landing<'_>, Content)> = Vec::new();
        for landing in wanted.values() {
            let same = self.sources.written.files.get(&landing.file.name).filter(|_| self.is_unchanged(landing));
            let source = || source_of(texts.get(&landing.file.blob.to_string())?);
            let content = same.map(|source| source.content.clone()).or_else(|| Some(source()?.content));
            contents.extend(content.map(|content| (*landing, content)));
        }
        self.with_assets(&objects, contents)
    }

    fn is_wanted(&self, name: &str, which: Landed) -> bool {
        match (which, self.sources.written.files.get(name), self.pins.get(name)) {
            (Landed::All, ..) => true,
            (Landed::Doubtful, None, _) => false,
            (Landed::Doubtful, Some(_), None) => true,
            (Landed::Doubtful, Some(now), Some(pin)) => {
                let digest = now.content.digest();
                pin.digest != digest && pin.amended != Some(digest)
            }
        }
    }

    /// Whether its file is, byte for byte, what it was: then nobody needs to read it out of history.
    fn is_unchanged(&self, landing: &Landing<'_>) -> bool {
        self.sources.blobs.get(&landing.file.name) == Some(&landing.file.blob)
    }

    /// The same with the assets as they were in the introducing commits.
    fn with_assets(
        &self,
        objects: &Objects<'_>,
        contents: Vec<(Landing<'_>, Content)>,
    ) -> Result<BTreeMap<String, Content>, CommandError> {
        let contents = with_directories(objects, contents)?;
        let name = |landing: &Landing<'_>, asset: &str| {
            format!("{}:{}", landing.commit, Repository::path(landing.place, &format!("assets/{asset}")))
        };
        let named =
            contents.iter().flat_map(|(landing, content)| content.assets.keys().map(|asset| name(landing, asset)));
        let ids = objects.ids(named.collect())?;
        let blobs = objects.blobs(ids.values().cloned())?;
        let digests: HashMap<&String, Digest> = blobs.iter().map(|(id, bytes)| (id, Digest::of(bytes))).collect();
        let stored = |landing: &Landing<'_>, asset: &str| digests.get(ids.get(&name(landing, asset))?).copied();
        let differs = |landing: &Landing<'_>, asset: &str| {
            let now = self.sources.written.files.get(&landing.file.name);
            now.is_some_and(|now| now.content.assets.get(asset).copied().flatten() != stored(landing, asset))
        };
        let pairs =
            contents.iter().flat_map(|(landing, content)| content.assets.keys().map(move |asset| (landing, asset)));
        let differing = pairs.filter(|(landing, asset)| differs(landing, asset));
        let differing =
            differing.filter_map(|(landing, asset)| Some((ids.get(&name(landing, asset))?.as_str(), asset.as_str())));
        let filtered = self.filtered(objects, &differing.collect())?;
        let then = |landing: &Landing<'_>, asset: &str| {
            let id = ids.get(&name(landing, asset))?.clone();
            filtered.get(&(id, asset.to_owned())).copied().or_else(|| stored(landing, asset))
        };
        let content = |(landing, content): (Landing<'_>, Content)| {
            let assets = content.assets.keys().map(|asset| (asset.clone(), then(&landing, asset))).collect();
            (landing.file.name.clone(), Content { assets, ..content })
        };
        Ok(contents.into_iter().map(content).collect())
    }
}

/// The same with the files of the directories that are named, as they were in the introducing commits: those of now may
/// be others.
fn with_directories<'a>(
    objects: &Objects<'_>,
    mut contents: Vec<(Landing<'a>, Content)>,
) -> Result<Vec<(Landing<'a>, Content)>, CommandError> {
    for (landing, content) in &mut contents {
        let is_in = |name: &str, directory: &String| name.starts_with(directory.as_str()) && name != directory;
        let directories: Vec<String> = content.assets.keys().filter(|name| name.ends_with('/')).cloned().collect();
        content.assets.retain(|name, _| !directories.iter().any(|directory| is_in(name, directory)));
        for directory in &directories {
            let top = Repository::path(landing.place, "assets/");
            let files = objects.below(&landing.commit.to_string(), &format!("{top}{directory}"))?;
            let files = files.iter().filter_map(|path| path.strip_prefix(&top));
            let files = files.filter(|path| is_asset(sources::name_of(path)));
            content.assets.extend(files.map(|path| (path.to_owned(), None)));
        }
    }
    Ok(contents)
}

impl Looking<'_> {
    /// Those of these blobs that are assets with a filter, as a checkout would write them.
    fn filtered(
        &self,
        objects: &Objects<'_>,
        assets: &BTreeSet<(&str, &str)>,
    ) -> Result<HashMap<(String, String), Digest>, CommandError> {
        let path = |asset: &str| Repository::path(&self.repository.place, &format!("assets/{asset}"));
        let with_filter = objects.with_filter(&assets.iter().map(|(_, asset)| path(asset)).collect())?;
        let mut digests = HashMap::new();
        for (id, asset) in assets.iter().filter(|(_, asset)| with_filter.contains(&path(asset))) {
            let bytes = objects.checked_out(id, &path(asset))?;
            digests.extend(bytes.map(|bytes| (((*id).to_owned(), (*asset).to_owned()), Digest::of(&bytes))));
        }
        Ok(digests)
    }
}

fn source_of(bytes: &[u8]) -> Option<Source> {
    Some(sources::source(sources::parse(bytes).ok()?))
}
