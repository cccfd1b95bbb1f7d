//! The verdict: what the crate says against what git says.
//!
//! First each name gets its place: the commit that its pin names, else the oldest commit that introduced its file, else
//! none (then it is a draft). Places are ordered by ancestry. Then everything that can be wrong is looked for, each kind
//! by a function of its own, so that all mistakes come at once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::ancestry::Ancestry;
use super::place::{Order, Place};
use super::{
    Beyond, Content, DIGEST_VERSION, Declared, Digest, Edit, Facts, Link, Lock, Mistake, Named, Outside, Pin, Reach,
    Sha1, Source, Wait, replaced,
};

/// The chain as it should be, and what is wrong with the chain as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The links that have a file and a `mod` line, and those that may go, since a baseline stands for them, in the order
    /// of their commits, drafts last.
    pub links: Vec<Link>,
    /// All mistakes. If there are none, the links are a [`super::Chain`].
    pub mistakes: Vec<Mistake>,
    /// All links that ever landed, by name, whether they are still there or not.
    pub landed: BTreeMap<String, Landed>,
}

/// A link that landed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Landed {
    /// The commit that it is known by.
    pub sha1: Sha1,
    /// The commit of this history with which its file came to where it lies now.
    pub seen: Option<Sha1>,
    /// What it said in that commit, where anybody looked.
    pub digest: Option<Digest>,
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
    let mut links = links(&case);
    let baselines = baselines(&case, &mut links);
    let kinds = [
        unreadable(facts),
        disagreeing_pins(&case),
        disagreeing_digests(&case),
        introduced_twice(&case),
        introduced_by_merge(&case),
        shared_commits(&case),
        divergences(&case),
        wrong_order(&case),
        deleted(&case),
        gone_wrongly(&case, &links, &baselines),
        edited(&case),
        shallow(&case),
        drafts(&case),
        files(&case),
        escapes(facts),
        roles(&case),
        reached(&case, &links),
        baselines,
    ];
    let landed = case.landed.keys().filter_map(|name| Some(((*name).to_owned(), case.landed_as(name)?)));
    Verdict { links, landed: landed.collect(), mistakes: kinds.into_iter().flatten().collect() }
}

/// The facts, with every name in its place.
struct Case<'a> {
    facts: &'a Facts,
    lock: &'a Lock,
    /// Where each name was introduced; several commits when it was removed and came back.
    introduced: BTreeMap<&'a str, Vec<usize>>,
    /// Names that a shallow clone has at its cut: nobody can say who introduced them.
    uncertain: BTreeSet<&'a str>,
    order: Order,
    landed: BTreeMap<&'a str, Place>,
    pins: BTreeMap<&'a str, &'a Pin>,
    /// The landed names whose file is gone, and may be, if a baseline stands for them.
    gone: BTreeSet<&'a str>,
    /// The landed names with a file and a `mod` line, in the order of the `mod` lines, and in their places those that are
    /// gone.
    listed: Vec<&'a str>,
    /// The same in the order of the commits.
    ordered: Vec<&'a str>,
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
            order: Order::new(ancestry),
            landed: BTreeMap::new(),
            pins: lock.by_name(),
            gone: BTreeSet::new(),
            listed: Vec::new(),
            ordered: Vec::new(),
        };
        case.landed = case.places(&positions);
        case.place_pins();
        case.gone = case.gone();
        case.listed = case.with_gone(case.mods().filter(|name| case.landed.contains_key(name) && case.has_file(name)));
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
                None if pin.imported || self.facts.history.reach != Reach::Complete => {
                    places.insert(&pin.name, Place::Pin(number));
                }
                _ => {
                    places.entry(&pin.name).or_insert(Place::Pin(number));
                }
            }
        }
        places
    }

    /// Puts the pins of other histories where their files came into this one.
    fn place_pins(&mut self) {
        let at_pin = self.landed.iter().filter_map(|(name, place)| match place {
            Place::Pin(number) => Some((*number, self.origin(name).filter(|_| self.lock.pins[*number].imported))),
            Place::Commit(_) => None,
        });
        let pins = at_pin.collect();
        let commits = self.landed.values().filter_map(|place| match place {
            Place::Commit(commit) => Some(*commit),
            Place::Pin(_) => None,
        });
        let commits: BTreeSet<usize> = commits.collect();
        self.order.place(commits, &pins);
    }

    /// The oldest commit that introduced `name`.
    fn origin(&self, name: &str) -> Option<usize> {
        let introduced = self.introduced.get(name)?;
        let is_oldest = |old: &&usize| introduced.iter().all(|new| new == *old || self.order.is_ancestor(**old, *new));
        introduced.iter().find(is_oldest).or(introduced.first()).copied()
    }

    /// Whether a pin at this commit is right: the commit added the file, there or where the crate lay then.
    fn holds(&self, name: &str, commit: usize) -> bool {
        let commit = &self.facts.history.commits[commit];
        commit.introduces.iter().any(|other| other == name)
            || self.facts.history.moved.contains(&(name.to_owned(), commit.sha1))
    }

    fn gone(&self) -> BTreeSet<&'a str> {
        let may_go = self.lock.pins.iter().filter(|pin| pin.gone.is_some()).map(|pin| pin.name.as_str());
        may_go.filter(|name| !self.has_file(name)).collect()
    }

    /// These names, and each that is gone before the first one that is younger.
    fn with_gone(&self, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let mut gone =
            self.lock.pins.iter().map(|pin| pin.name.as_str()).filter(|name| self.gone.contains(name)).peekable();
        let mut all = Vec::new();
        for name in names {
            while let Some(older) = gone.next_if(|older| self.is_before(older, name)) {
                all.push(older);
            }
            all.push(name);
        }
        all.extend(gone);
        all
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

    /// That commit, and those that brought its file here from another place or another history: such a commit
    /// introduces many files, so that a link that is not pinned could not be told from one that was written in it.
    fn commits_of(&self, name: &str) -> BTreeSet<usize> {
        let movers = self.introduced.get(name).filter(|_| self.came_from_elsewhere(name));
        movers.into_iter().flatten().copied().chain(self.commit(name)).collect()
    }

    fn came_from_elsewhere(&self, name: &str) -> bool {
        let moved = &self.facts.history.moved;
        self.pins.get(name).is_some_and(|pin| {
            (pin.imported && self.commit(name).is_none()) || moved.contains(&(pin.name.clone(), pin.sha1))
        })
    }

    /// Whether its pin says that another commit introduced it. Then that is what is wrong, not the commit that did.
    fn is_pinned_elsewhere(&self, name: &str) -> bool {
        self.pins.get(name).is_some_and(|pin| Some(pin.sha1) != self.sha1(name))
    }

    /// The commit of this history that has the file of a landed link as it landed, where it lies now.
    fn seen(&self, name: &str) -> Option<Sha1> {
        if let Some(arrived) = self.facts.history.arrived.get(name) {
            return Some(*arrived);
        }
        let introduced = self.introduced.get(name)?;
        let own = self.commit(name).filter(|commit| introduced.contains(commit));
        own.or_else(|| self.origin(name)).map(|commit| self.facts.history.commits[commit].sha1)
    }

    fn landed_as(&self, name: &str) -> Option<Landed> {
        let digest = self.facts.history.landed.get(name).map(Content::digest);
        Some(Landed { sha1: self.sha1(name)?, seen: self.seen(name), digest })
    }

    fn named(&self, name: &str) -> Named {
        Named { name: name.to_owned(), sha1: self.sha1(name) }
    }

    fn is_before(&self, old: &str, new: &str) -> bool {
        match (self.landed.get(old), self.landed.get(new)) {
            (Some(old), Some(new)) => self.order.is_before(*old, *new),
            _ => false,
        }
    }

    fn diverge(&self, one: &str, other: &str) -> bool {
        self.landed.get(one) != self.landed.get(other) && !self.is_before(one, other) && !self.is_before(other, one)
    }

    /// The listed links in the order of their commits; where that leaves a choice, in the order of the `mod` lines.
    fn in_order(&self) -> Vec<&'a str> {
        let mut ordered = self.listed.clone();
        ordered.sort_by_key(|name| self.landed.get(name).map(|place| self.order.key(*place)));
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
        if case.gone.contains(name) {
            return gone_link(case, name);
        }
        let (migration, source) = (case.migration(name)?, case.source(name)?);
        Some(Link {
            name: name.to_owned(),
            sha1: case.sha1(name).unwrap_or(Sha1::ZERO),
            role: migration.role.clone().unwrap_or_default(),
            digest: source.content.digest(),
            wait: migration.wait.clone(),
            inside: source.inside.waits.clone(),
            in_load: migration.in_load,
            replaces: None,
            gone: false,
        })
    };
    names.filter_map(link).collect()
}

/// A link whose file is gone: what is left of it is what the lock knows.
fn gone_link(case: &Case<'_>, name: &str) -> Option<Link> {
    let pin = case.pins.get(name)?;
    let known = pin.gone.as_ref()?;
    let link = Link::new(name, case.sha1(name)?, &known.role, pin.current());
    Some(Link { wait: known.wait(), in_load: known.in_load, replaces: known.replaces, gone: true, ..link })
}

/// Says of each baseline what it replaces, and gives those that say it wrongly themselves.
fn baselines(case: &Case<'_>, links: &mut [Link]) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for place in 0..links.len() {
        let Some(said) = case.migration(&links[place].name).and_then(|migration| migration.replaces.as_ref()) else {
            continue;
        };
        match replaced(links, place, said) {
            Ok(range) => links[place].replaces = Some(range),
            Err(wrong) => mistakes.push(Mistake::Baseline { link: case.named(&links[place].name), wrong }),
        }
    }
    mistakes
}

/// Links that are gone though no baseline stands for them, or not wholly gone. Of a role whose baseline is wrong nobody
/// can say.
fn gone_wrongly(case: &Case<'_>, links: &[Link], wrong: &[Mistake]) -> Vec<Mistake> {
    let (mods, wrong) = (case.mods().collect::<BTreeSet<_>>(), wrong.iter().filter_map(Mistake::link));
    let wrong: BTreeSet<&str> = wrong.collect();
    let place = |sha1: Sha1| links.iter().position(|link| link.sha1 == sha1);
    let baselines = links.iter().filter(|link| !link.gone);
    let spans: Vec<(&str, RangeInclusive<usize>)> = baselines
        .filter_map(|link| match link.replaces {
            Some(range) => Some((link.role.as_str(), place(range.from)?..=place(range.to)?)),
            None => wrong.contains(link.name.as_str()).then_some((link.role.as_str(), 0..=links.len())),
        })
        .collect();
    let gone = links.iter().enumerate().filter(|(_, link)| link.gone);
    let mistake = |(place, link): (usize, &Link)| {
        let stands = spans.iter().any(|(role, span)| *role == link.role && span.contains(&place));
        match (stands, mods.contains(link.name.as_str())) {
            (false, _) => Some(missing(case, &link.name)),
            (true, true) => Some(Mistake::StillListed { link: case.named(&link.name) }),
            (true, false) => None,
        }
    };
    gone.filter_map(mistake).collect()
}

fn unreadable(facts: &Facts) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    if let Reach::Unreadable { what, help } = &facts.history.reach {
        mistakes.push(Mistake::Repository { what: what.clone(), help: help.clone() });
    }
    if let Err(error) = &facts.lock {
        mistakes.push(Mistake::Lock { error: error.clone(), place: facts.written.place.clone() });
    }
    let files = facts.written.unreadable.iter();
    mistakes.extend(files.map(|file| Mistake::Unreadable { file: file.file.clone(), what: file.what.clone() }));
    mistakes
}

fn disagreeing_pins(case: &Case<'_>) -> Vec<Mistake> {
    let complete = case.facts.history.reach == Reach::Complete;
    let disagrees = |pin: &&Pin| match case.commit(&pin.name) {
        Some(commit) => case.facts.history.commits[commit].sha1 != pin.sha1,
        None => (complete && !pin.imported) || case.facts.history.commits.iter().any(|commit| commit.sha1 == pin.sha1),
    };
    let mistake = |pin: &Pin| Mistake::PinDisagrees {
        name: pin.name.clone(),
        pin: pin.sha1,
        found: case.sha1(&pin.name).filter(|found| *found != pin.sha1),
        is_known: case.facts.history.commits.iter().any(|commit| commit.sha1 == pin.sha1),
        is_shared: case.commit(&pin.name).is_some_and(|commit| case.facts.history.commits[commit].introduces.len() > 1),
    };
    case.lock.pins.iter().filter(disagrees).map(mistake).collect()
}

/// Pins whose digest is not that of their commit: somebody wrote into the lock by hand. A link that came from elsewhere
/// may have been amended on its way.
fn disagreeing_digests(case: &Case<'_>) -> Vec<Mistake> {
    if case.lock.digest_version != DIGEST_VERSION {
        return Vec::new();
    }
    let disagrees = |pin: &&Pin| {
        let is_of_this_pin = case.sha1(&pin.name) == Some(pin.sha1);
        let may_be_amended = pin.amended.is_some() && case.came_from_elsewhere(&pin.name);
        let landed = case.facts.history.landed.get(&pin.name).filter(|_| is_of_this_pin && !may_be_amended);
        landed.is_some_and(|landed| landed.digest() != pin.digest)
    };
    let mistake = |pin: &Pin| Mistake::DigestDisagrees { link: case.named(&pin.name), seen: case.seen(&pin.name) };
    case.lock.pins.iter().filter(disagrees).map(mistake).collect()
}

fn introduced_twice(case: &Case<'_>) -> Vec<Mistake> {
    let unpinned = case.introduced.iter().filter(|(name, _)| !case.pins.contains_key(*name));
    let twice = |(name, commits): (&&str, &Vec<usize>)| {
        let first = case.origin(name)?;
        let second = *commits.iter().find(|other| **other != first && !case.order.is_ancestor(first, **other))?;
        let sha1 = |commit: usize| case.facts.history.commits[commit].sha1;
        Some(Mistake::IntroducedTwice { name: (*name).to_owned(), first: sha1(first), second: sha1(second) })
    };
    unpinned.filter_map(twice).collect()
}

fn introduced_by_merge(case: &Case<'_>) -> Vec<Mistake> {
    let by_merge = |name: &&str| {
        let commit = &case.facts.history.commits[case.commit(name)?];
        let is_merge = commit.parents.len() > 1 && commit.introduces.iter().any(|other| other == name);
        let is_merge = is_merge && !case.is_pinned_elsewhere(name);
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
    let is_written_in =
        |name: &str, commit: usize| case.commit(name) == Some(commit) && !case.is_pinned_elsewhere(name);
    let is_shared = |(commit, names): &(usize, Vec<String>)| {
        names.len() > 1 && names.iter().any(|name| is_written_in(name, *commit))
    };
    let mistake = |(commit, names): (usize, Vec<String>)| Mistake::SharedCommit {
        sha1: case.facts.history.commits[commit].sha1,
        is_root: case.facts.history.commits[commit].is_root,
        arrived: names.iter().filter(|name| !is_written_in(name, commit)).cloned().collect(),
        place: case.facts.written.place.clone(),
        names,
    };
    commits.into_iter().filter(is_shared).map(mistake).collect()
}

fn divergences(case: &Case<'_>) -> Vec<Mistake> {
    if case.is_chain(&case.ordered) {
        return Vec::new();
    }
    let diverged = |(index, link): (usize, &&str)| {
        let others: Vec<&str> =
            case.ordered[..index].iter().copied().filter(|other| case.diverge(other, link)).collect();
        let onto = case.seen(others.last()?);
        Some(Mistake::Diverged {
            link: case.named(link),
            others: others.into_iter().map(|other| case.named(other)).collect(),
            onto,
        })
    };
    case.ordered.iter().enumerate().filter_map(diverged).collect()
}

fn wrong_order(case: &Case<'_>) -> Vec<Mistake> {
    let pairs = || case.listed.iter().zip(&case.ordered);
    let Some(first) = pairs().position(|(written, committed)| written != committed) else { return Vec::new() };
    let last = pairs().rposition(|(written, committed)| written != committed).unwrap_or(first);
    let named = |names: &[&str]| {
        let present = names[first..=last].iter().filter(|name| !case.gone.contains(*name));
        present.map(|name| case.named(name)).collect()
    };
    vec![Mistake::WrongOrder { written: named(&case.listed), committed: named(&case.ordered) }]
}

fn deleted(case: &Case<'_>) -> Vec<Mistake> {
    let gone = case.landed.keys().filter(|name| !case.has_file(name) && !case.gone.contains(*name));
    gone.map(|name| missing(case, name)).collect()
}

fn missing(case: &Case<'_>, name: &str) -> Mistake {
    Mistake::Deleted {
        link: case.named(name),
        seen: case.seen(name),
        place: case.facts.written.place.clone(),
        unlisted: !case.mods().any(|listed| listed == name),
    }
}

/// A landed link says what it landed with, or what its author last amended it to.
fn edited(case: &Case<'_>) -> Vec<Mistake> {
    let edited = |name: &&str| {
        let source = case.source(name)?;
        let before = case.facts.history.landed.get(*name);
        let pin = case.pins.get(*name).filter(|pin| Some(pin.sha1) == case.sha1(name));
        let pin = pin.filter(|_| case.lock.digest_version == DIGEST_VERSION);
        let landed = pin.map(|pin| pin.digest).or_else(|| before.map(Content::digest))?;
        let edit = edit(source, landed, pin.and_then(|pin| pin.amended))?;
        Some(Mistake::Edited {
            link: case.named(name),
            edit,
            changed: before.map(|before| source.content.changed_since(before)).unwrap_or_default(),
            seen: case.seen(name),
            place: case.facts.written.place.clone(),
        })
    };
    case.landed.keys().filter_map(edited).collect()
}

/// How a file differs from what it should say: what it landed with, or, where its author says that it is amended, the
/// last amendment.
fn edit(source: &Source, landed: Digest, amended: Option<Digest>) -> Option<Edit> {
    let is_marked = source.migrations.iter().any(|migration| migration.amended.is_some());
    let amended = amended.filter(|_| is_marked);
    let is_right = |content: &Content| content.digest() == landed || Some(content.digest()) == amended;
    match (&source.with_unix_lines, amended) {
        _ if is_right(&source.content) => None,
        (Some(content), _) if is_right(content) => Some(Edit::LineEnds),
        (_, Some(_)) => Some(Edit::AfterAmendment),
        (_, None) if is_marked => Some(Edit::Amended),
        _ => Some(Edit::Plain),
    }
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
    let has_order = case.facts.written.unreadable.iter().all(|file| file.file != "src/chain.rs");
    let unlisted = present.filter(|name| has_order && !listed.contains(name));
    let unlisted = unlisted.map(|name| Mistake::NoModLine { link: case.named(name) });
    let wrong = case.facts.written.files.iter().filter_map(|(name, source)| wrong_file(name, source));
    missing.chain(unlisted).chain(wrong).collect()
}

/// The name of the link in a file of `src/chain`.
fn stem(file: &str) -> Option<&str> {
    file.strip_prefix("src/chain/")?.strip_suffix(".rs")
}

/// What the digests, or the order of the `mod` lines, don't see.
fn escapes(facts: &Facts) -> Vec<Mistake> {
    let written = &facts.written;
    let attributes = written
        .attributes
        .iter()
        .map(|(name, attribute)| Mistake::Attribute { name: name.clone(), attribute: attribute.clone() });
    let directories = written.directories.iter().map(|name| Mistake::Directory { name: name.clone() });
    let outside = written.files.iter().flat_map(|(file, source)| {
        source.outside.iter().map(|outside| match outside {
            Outside::Module(module) => Mistake::OtherFile { file: file.clone(), module: module.clone() },
            Outside::Include(name) => Mistake::Included { file: file.clone(), macro_name: name.clone() },
        })
    });
    attributes.chain(directories).chain(outside).collect()
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
    let named = case.facts.written.files.iter().flat_map(|(file, source)| {
        let own = source.migrations.iter().filter_map(|migration| migration.role.as_deref());
        own.chain(waits(source).map(Wait::role)).map(move |role| (file, role))
    });
    let unknown = named.filter(|(_, role)| !known.contains(*role));
    let mistake = |(file, role): (&String, &str)| Mistake::UnknownRole {
        file: file.clone(),
        role: role.to_owned(),
        known: known.iter().cloned().collect(),
    };
    unknown.map(mistake).collect()
}

/// Waits for links that don't come before the one that waits. Of a name with a file something else is wrong, and said.
fn reached(case: &Case<'_>, links: &[Link]) -> Vec<Mistake> {
    let place = |name: &str| links.iter().position(|link| link.name == name);
    let is_known = |name: &str| case.has_file(name) || case.landed.contains_key(name);
    let beyond = |at: usize, reached: &str| match place(reached) {
        Some(there) if there < at => None,
        Some(there) => Some(if there == at { Beyond::Itself } else { Beyond::Later }),
        None => (!is_known(reached)).then_some(Beyond::Nowhere),
    };
    let waiting = links.iter().enumerate().filter_map(|(at, link)| Some((at, link, case.source(&link.name)?)));
    let mistakes = waiting.flat_map(|(at, link, source)| {
        let names: BTreeSet<&String> = waits(source).filter_map(|wait| wait.reached.as_ref()).collect();
        let wrong = names.into_iter().filter_map(move |reached| Some((reached, beyond(at, reached)?)));
        wrong.map(move |(reached, place)| Mistake::Reached {
            link: case.named(&link.name),
            reached: reached.clone(),
            place,
            earlier: links[..at].iter().map(|link| link.name.clone()).collect(),
        })
    });
    mistakes.collect()
}

/// The waits of a file, in attributes and in code.
fn waits(source: &Source) -> impl Iterator<Item = &Wait> {
    source.migrations.iter().filter_map(|migration| migration.wait.as_ref()).chain(&source.inside.waits)
}
