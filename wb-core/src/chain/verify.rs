//! The verdict: what the crate says against what git says.
//!
//! First each name gets its place: the commit that its pin names, else the oldest commit that introduced its file, else
//! none (then it is a draft). Places are ordered by ancestry. Then everything that can be wrong is looked for, each kind
//! by a function of its own, so that all mistakes come at once.

use std::collections::{BTreeMap, BTreeSet};

use super::ancestry::Ancestry;
use super::{DIGEST_VERSION, Declared, Digest, Facts, Link, Lock, Mistake, Named, Pin, Reach, Sha1, Source, Wait};

/// The chain as it should be, and what is wrong with the chain as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The links that have a file and a `mod` line, in the order of their commits, drafts last.
    pub links: Vec<Link>,
    /// All mistakes. If there are none, the links are a [`super::Chain`].
    pub mistakes: Vec<Mistake>,
}

/// Compares what the crate says with what git says.
///
/// ```
/// use wb_core::chain::{Facts, History, Lock, Mistake, Written, verify};
/// let written = Written { mods: vec!["install_nginx".into()], ..Written::default() };
/// let verdict = verify(&Facts { written, history: History::default(), lock: Ok(Lock::default()) });
/// assert_eq!(verdict.mistakes, [Mistake::NoFile { name: "install_nginx".into() }]);
/// ```
#[must_use]
pub fn verify(facts: &Facts) -> Verdict {
    let lock = facts.lock.clone().unwrap_or_default();
    let case = Case::new(facts, &lock);
    let kinds = [
        unreadable(facts),
        disagreeing_pins(&case),
        introduced_twice(&case),
        introduced_by_merge(&case),
        shared_commits(&case),
        divergences(&case),
        wrong_order(&case),
        deleted(&case),
        edited(&case),
        shallow(&case),
        drafts(&case),
        files(&case),
        roles(&case),
    ];
    Verdict { links: links(&case), mistakes: kinds.into_iter().flatten().collect() }
}

/// The facts, with every name in its place.
struct Case<'a> {
    facts: &'a Facts,
    lock: &'a Lock,
    /// Where each name was introduced; several commits when it was removed and came back.
    introduced: BTreeMap<&'a str, Vec<usize>>,
    /// Names that a shallow clone has at its cut: nobody can say who introduced them.
    uncertain: BTreeSet<&'a str>,
    ancestry: Ancestry,
    landed: BTreeMap<&'a str, Place>,
    pins: BTreeMap<&'a str, &'a Pin>,
    /// The landed names with a file and a `mod` line, in the order of the `mod` lines.
    listed: Vec<&'a str>,
    /// The same in the order of the commits.
    ordered: Vec<&'a str>,
}

/// Where a landed link stands. Older places are less, as far as places can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// At the pin with this number; its commit is not in the history that can be seen, and so before all that is.
    Pin(usize),
    /// At this commit of the history.
    Commit(usize),
}

impl<'a> Case<'a> {
    fn new(facts: &'a Facts, lock: &'a Lock) -> Self {
        let commits = &facts.history.commits;
        let positions: BTreeMap<Sha1, usize> = commits.iter().enumerate().map(|(index, c)| (c.sha1, index)).collect();
        let (introduced, uncertain) = introductions(facts);
        let pinned = lock.pins.iter().filter_map(|pin| positions.get(&pin.sha1).copied());
        let ancestry = Ancestry::among(commits, introduced.values().flatten().copied().chain(pinned));
        let mut case = Self {
            facts,
            lock,
            introduced,
            uncertain,
            ancestry,
            landed: BTreeMap::new(),
            pins: lock.by_name(),
            listed: Vec::new(),
            ordered: Vec::new(),
        };
        case.landed = case.places(&positions);
        case.listed = case.mods().filter(|name| case.landed.contains_key(name) && case.has_file(name)).collect();
        case.ordered = case.in_order();
        case
    }

    fn places(&self, positions: &BTreeMap<Sha1, usize>) -> BTreeMap<&'a str, Place> {
        let mut places: BTreeMap<&str, Place> =
            self.introduced.keys().filter_map(|name| Some((*name, Place::Commit(self.origin(name)?)))).collect();
        for (number, pin) in self.lock.pins.iter().enumerate() {
            match positions.get(&pin.sha1) {
                Some(commit) if self.holds(&pin.name, *commit) => {
                    places.insert(&pin.name, Place::Commit(*commit));
                }
                None if self.facts.history.reach != Reach::Complete => {
                    places.insert(&pin.name, Place::Pin(number));
                }
                _ => {
                    places.entry(&pin.name).or_insert(Place::Pin(number));
                }
            }
        }
        places
    }

    /// The oldest commit that introduced `name`.
    fn origin(&self, name: &str) -> Option<usize> {
        let introduced = self.introduced.get(name)?;
        let is_oldest = |old: &&usize| introduced.iter().all(|new| new == *old || self.ancestry.is_before(**old, *new));
        introduced.iter().find(is_oldest).or(introduced.first()).copied()
    }

    /// Whether a pin at this commit is right: the commit added the file, there or where the crate lay then.
    fn holds(&self, name: &str, commit: usize) -> bool {
        let commit = &self.facts.history.commits[commit];
        commit.introduces.iter().any(|other| other == name)
            || self.facts.history.moved.contains(&(name.to_owned(), commit.sha1))
    }

    fn mods(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut seen = BTreeSet::new();
        self.facts.written.mods.iter().map(String::as_str).filter(move |name| seen.insert(*name))
    }

    fn has_file(&self, name: &str) -> bool {
        let mut unreadable = self.facts.written.unreadable.iter();
        self.source(name).is_some() || unreadable.any(|other| stem(&other.file) == Some(name))
    }

    fn source(&self, name: &str) -> Option<&'a Source> {
        self.facts.written.files.get(name)
    }

    /// The migration in a file that is as it should be.
    fn migration(&self, name: &str) -> Option<&'a Declared> {
        match self.source(name)?.migrations.as_slice() {
            [migration] if migration.name == name => Some(migration),
            _ => None,
        }
    }

    fn sha1(&self, name: &str) -> Option<Sha1> {
        match self.landed.get(name)? {
            Place::Commit(commit) => Some(self.facts.history.commits[*commit].sha1),
            Place::Pin(number) => Some(self.lock.pins[*number].sha1),
        }
    }

    /// The commit of the history that introduced a landed link.
    fn commit(&self, name: &str) -> Option<usize> {
        match self.landed.get(name) {
            Some(Place::Commit(commit)) => Some(*commit),
            _ => None,
        }
    }

    /// That commit, and those that moved the crate: such a commit introduces every file again where it lies now, so that
    /// a link that is not pinned could not be told from one that was written in it.
    fn commits_of(&self, name: &str) -> BTreeSet<usize> {
        let moved = &self.facts.history.moved;
        let has_moved =
            !moved.is_empty() && self.pins.get(name).is_some_and(|pin| moved.contains(&(pin.name.clone(), pin.sha1)));
        let movers = self.introduced.get(name).filter(|_| has_moved).into_iter().flatten().copied();
        movers.chain(self.commit(name)).collect()
    }

    fn named(&self, name: &str) -> Named {
        Named { name: name.to_owned(), sha1: self.sha1(name) }
    }

    fn is_before(&self, old: &str, new: &str) -> bool {
        match (self.landed.get(old), self.landed.get(new)) {
            (Some(Place::Commit(old)), Some(Place::Commit(new))) => self.ancestry.is_before(*old, *new),
            (Some(Place::Pin(old)), Some(Place::Pin(new))) => old < new,
            (Some(Place::Pin(_)), Some(Place::Commit(_))) => true,
            _ => false,
        }
    }

    fn diverge(&self, one: &str, other: &str) -> bool {
        self.landed.get(one) != self.landed.get(other) && !self.is_before(one, other) && !self.is_before(other, one)
    }

    /// The listed links in the order of their commits; where that leaves a choice, in the order of the `mod` lines.
    fn in_order(&self) -> Vec<&'a str> {
        let mut ordered = self.listed.clone();
        ordered.sort_by_key(|name| self.landed.get(name));
        if self.is_chain(&ordered) { ordered } else { self.partly_in_order() }
    }

    /// Whether of any two neighbours, and so of any two, one is before the other.
    fn is_chain(&self, ordered: &[&str]) -> bool {
        ordered.windows(2).all(|pair| self.is_before(pair[0], pair[1]))
    }

    fn partly_in_order(&self) -> Vec<&'a str> {
        let earlier = |name: &str| self.listed.iter().filter(|other| self.is_before(other, name)).count();
        let mut waiting: Vec<(&str, usize)> = self.listed.iter().map(|name| (*name, earlier(name))).collect();
        let mut ordered = Vec::with_capacity(waiting.len());
        while let Some(index) = waiting.iter().position(|(_, earlier)| *earlier == 0) {
            let (next, _) = waiting.remove(index);
            waiting.iter_mut().filter(|(name, _)| self.is_before(next, name)).for_each(|(_, earlier)| *earlier -= 1);
            ordered.push(next);
        }
        ordered
    }

    /// The listed names that are not landed, and can't be.
    fn drafts(&self) -> Vec<&'a str> {
        let is_draft =
            |name: &&str| !self.landed.contains_key(name) && !self.uncertain.contains(name) && self.has_file(name);
        match self.facts.history.reach {
            Reach::Unreadable { .. } => Vec::new(),
            _ => self.mods().filter(is_draft).collect(),
        }
    }
}

fn introductions(facts: &Facts) -> (BTreeMap<&str, Vec<usize>>, BTreeSet<&str>) {
    let mut introduced: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut uncertain = BTreeSet::new();
    for (index, commit) in facts.history.commits.iter().enumerate() {
        for name in &commit.introduces {
            match commit.cut {
                true => drop(uncertain.insert(name.as_str())),
                false => introduced.entry(name).or_default().push(index),
            }
        }
    }
    introduced.retain(|name, _| !uncertain.contains(name));
    (introduced, uncertain)
}

fn links(case: &Case<'_>) -> Vec<Link> {
    let names = case.ordered.iter().copied().chain(case.drafts());
    let link = |name: &str| {
        let (migration, source) = (case.migration(name)?, case.source(name)?);
        Some(Link {
            name: name.to_owned(),
            sha1: case.sha1(name).unwrap_or(Sha1::ZERO),
            role: migration.role.clone().unwrap_or_default(),
            digest: source.content.digest(),
            wait: migration.wait.clone(),
            replaces: None,
            gone: false,
        })
    };
    names.filter_map(link).collect()
}

fn unreadable(facts: &Facts) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    if let Reach::Unreadable { what, help } = &facts.history.reach {
        mistakes.push(Mistake::Repository { what: what.clone(), help: help.clone() });
    }
    if let Err(error) = &facts.lock {
        mistakes.push(Mistake::Lock { error: error.clone() });
    }
    let files = facts.written.unreadable.iter();
    mistakes.extend(files.map(|file| Mistake::Unreadable { file: file.file.clone(), what: file.what.clone() }));
    mistakes
}

fn disagreeing_pins(case: &Case<'_>) -> Vec<Mistake> {
    let complete = case.facts.history.reach == Reach::Complete;
    let disagrees = |pin: &&Pin| match case.commit(&pin.name) {
        Some(commit) => case.facts.history.commits[commit].sha1 != pin.sha1,
        None => complete || case.facts.history.commits.iter().any(|commit| commit.sha1 == pin.sha1),
    };
    let mistake = |pin: &Pin| Mistake::PinDisagrees {
        name: pin.name.clone(),
        pin: pin.sha1,
        found: case.sha1(&pin.name).filter(|found| *found != pin.sha1),
    };
    case.lock.pins.iter().filter(disagrees).map(mistake).collect()
}

fn introduced_twice(case: &Case<'_>) -> Vec<Mistake> {
    let unpinned = case.introduced.iter().filter(|(name, _)| !case.pins.contains_key(*name));
    let twice = |(name, commits): (&&str, &Vec<usize>)| {
        let first = case.origin(name)?;
        let second = *commits.iter().find(|other| **other != first && !case.ancestry.is_before(first, **other))?;
        let sha1 = |commit: usize| case.facts.history.commits[commit].sha1;
        Some(Mistake::IntroducedTwice { name: (*name).to_owned(), first: sha1(first), second: sha1(second) })
    };
    unpinned.filter_map(twice).collect()
}

fn introduced_by_merge(case: &Case<'_>) -> Vec<Mistake> {
    let by_merge = |name: &&str| {
        let commit = &case.facts.history.commits[case.commit(name)?];
        let is_merge = commit.parents.len() > 1 && commit.introduces.iter().any(|other| other == name);
        let place = || case.facts.written.place.clone();
        is_merge.then(|| Mistake::IntroducedByMerge { name: (*name).to_owned(), sha1: commit.sha1, place: place() })
    };
    case.listed.iter().filter_map(by_merge).collect()
}

fn shared_commits(case: &Case<'_>) -> Vec<Mistake> {
    let mut commits: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for name in &case.listed {
        case.commits_of(name)
            .into_iter()
            .for_each(|commit| commits.entry(commit).or_default().push((*name).to_owned()));
    }
    let is_shared = |(commit, names): &(usize, Vec<String>)| {
        names.len() > 1 && names.iter().any(|name| case.commit(name) == Some(*commit))
    };
    let sha1 = |commit: usize| case.facts.history.commits[commit].sha1;
    let shared = commits.into_iter().filter(is_shared);
    shared.map(|(commit, names)| Mistake::SharedCommit { sha1: sha1(commit), names }).collect()
}

fn divergences(case: &Case<'_>) -> Vec<Mistake> {
    if case.is_chain(&case.ordered) {
        return Vec::new();
    }
    let diverged = |(index, link): (usize, &&str)| {
        let earlier = &case.ordered[..index];
        let first = earlier.iter().position(|other| case.diverge(other, link))?;
        let others = earlier.iter().filter(|other| case.diverge(other, link)).map(|other| case.named(other)).collect();
        let order = case.ordered[first..=index].iter().map(|name| (*name).to_owned()).collect();
        Some(Mistake::Diverged { link: case.named(link), others, order })
    };
    case.ordered.iter().enumerate().filter_map(diverged).collect()
}

fn wrong_order(case: &Case<'_>) -> Vec<Mistake> {
    let pairs = || case.listed.iter().zip(&case.ordered);
    let Some(first) = pairs().position(|(written, committed)| written != committed) else { return Vec::new() };
    let last = pairs().rposition(|(written, committed)| written != committed).unwrap_or(first);
    let named = |names: &[&str]| names[first..=last].iter().map(|name| case.named(name)).collect();
    vec![Mistake::WrongOrder { written: named(&case.listed), committed: named(&case.ordered) }]
}

fn deleted(case: &Case<'_>) -> Vec<Mistake> {
    let gone = case.landed.keys().filter(|name| !case.has_file(name));
    let mistake = |name: &&str| Mistake::Deleted {
        link: case.named(name),
        place: case.facts.written.place.clone(),
        unlisted: !case.mods().any(|listed| listed == *name),
    };
    gone.map(mistake).collect()
}

fn edited(case: &Case<'_>) -> Vec<Mistake> {
    let edited = |name: &&str| {
        let (now, before) = (&case.source(name)?.content, case.facts.history.landed.get(*name));
        let pinned = case.pins.get(*name).filter(|pin| Some(pin.sha1) == case.sha1(name)).map(|pin| pin.digest);
        let pinned = pinned.filter(|_| case.lock.digest_version == DIGEST_VERSION);
        let digest: Digest = pinned.or_else(|| before.map(super::Content::digest))?;
        (digest != now.digest()).then(|| Mistake::Edited {
            link: case.named(name),
            changed: before.map(|before| now.changed_since(before)).unwrap_or_default(),
            place: case.facts.written.place.clone(),
        })
    };
    case.landed.keys().filter_map(edited).collect()
}

fn shallow(case: &Case<'_>) -> Vec<Mistake> {
    let unknown = case.mods().filter(|name| case.uncertain.contains(name) && !case.landed.contains_key(name));
    let names: Vec<String> = unknown.map(str::to_owned).collect();
    if names.is_empty() { Vec::new() } else { vec![Mistake::Shallow { names }] }
}

fn drafts(case: &Case<'_>) -> Vec<Mistake> {
    let drafts = case.drafts();
    let position = |name: &&str| case.mods().position(|listed| listed == *name);
    let mut mistakes = Vec::new();
    if drafts.len() > 1 {
        mistakes.push(Mistake::SeveralDrafts { names: drafts.iter().map(|name| (*name).to_owned()).collect() });
    }
    if let Some(last) = case.listed.last() {
        let early = drafts.iter().filter(|draft| position(draft) < position(last));
        mistakes.extend(early.map(|name| Mistake::DraftNotLast { name: (*name).to_owned(), after: case.named(last) }));
    }
    mistakes
}

fn files(case: &Case<'_>) -> Vec<Mistake> {
    let listed: BTreeSet<&str> = case.mods().collect();
    let missing = case.mods().filter(|name| !case.has_file(name) && !case.landed.contains_key(name));
    let missing = missing.map(|name| Mistake::NoFile { name: name.to_owned() });
    let unreadable = case.facts.written.unreadable.iter().filter_map(|file| stem(&file.file));
    let present = case.facts.written.files.keys().map(String::as_str).chain(unreadable);
    let unlisted = present.filter(|name| !listed.contains(name));
    let unlisted = unlisted.map(|name| Mistake::NoModLine { link: case.named(name) });
    let wrong = case.facts.written.files.iter().filter_map(|(name, source)| wrong_file(name, source));
    missing.chain(unlisted).chain(wrong).collect()
}

/// The name of the link in a file of `src/chain`.
fn stem(file: &str) -> Option<&str> {
    file.strip_prefix("src/chain/")?.strip_suffix(".rs")
}

fn wrong_file(file: &str, source: &Source) -> Option<Mistake> {
    let file = file.to_owned();
    match source.migrations.as_slice() {
        [] => Some(Mistake::NoMigration { file }),
        [one] if one.name == file => None,
        [one] => Some(Mistake::NameDiffers { file, function: one.name.clone() }),
        several => {
            Some(Mistake::SeveralMigrations { file, names: several.iter().map(|one| one.name.clone()).collect() })
        }
    }
}

fn roles(case: &Case<'_>) -> Vec<Mistake> {
    let Some(known) = &case.facts.written.roles else { return Vec::new() };
    let files = case.facts.written.files.iter();
    let migrations = files.flat_map(|(file, source)| source.migrations.iter().map(move |migration| (file, migration)));
    let named = migrations.flat_map(|(file, migration)| {
        let awaited = migration.wait.as_ref().map(|Wait::All { role }| role);
        migration.role.iter().chain(awaited).map(move |role| (file, role))
    });
    let unknown = named.filter(|(_, role)| !known.contains(role.as_str()));
    let mistake = |(file, role): (&String, &String)| Mistake::UnknownRole {
        file: file.clone(),
        role: role.clone(),
        known: known.iter().cloned().collect(),
    };
    unknown.map(mistake).collect()
}
