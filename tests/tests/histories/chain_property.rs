//! Small random histories, and a verdict on them written from the definitions: sets, no ordering, no cleverness.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use wb_core::chain::{Lock, Mistake, Pin, Sha1};
use wb_core::registry::{Resolved, resolve, resolve_strictly};
use wb_core::system::files;
use wb_tests::drawing::{Act, Drawing, Drawn, Repository, Tree, migration};

/// A commit: which earlier commits are its parents, and what it does to which of five files.
type Seed = (usize, Option<usize>, Option<(u8, u8)>);

fn drawing(seeds: &[Seed]) -> Drawing {
    let mut drawing = Drawing { head: seeds.len(), ..Drawing::default() };
    drawing.commits.push(Drawn { name: "c0".into(), ..Drawn::default() });
    for (index, (back, other, act)) in seeds.iter().enumerate() {
        let first = index - back % (index + 1).min(3);
        let second = other.map(|back| index - back % (index + 1)).filter(|second| *second != first);
        let acts =
            act.map(|(kind, file)| acts_on(&drawing, first, kind, &format!("m{file}"), index)).unwrap_or_default();
        let parents = [first].into_iter().chain(second).collect();
        drawing.commits.push(Drawn { name: format!("c{}", index + 1), parents, acts });
    }
    drawing
}

fn acts_on(drawing: &Drawing, parent: usize, kind: u8, file: &str, index: usize) -> Vec<Act> {
    let trees = drawing.trees();
    let new = || Act::Add(format!("n{index}"));
    match (trees[parent].contains_key(file), kind) {
        (true, 0) => vec![Act::Remove(file.to_owned())],
        (true, 1) => vec![Act::Edit(file.to_owned())],
        (true, 2) => vec![Act::Remove(file.to_owned()), new()],
        (_, 3) => {
            drawing.commits[parent].parents.first().map(|old| revert(&trees[parent], &trees[*old])).unwrap_or_default()
        }
        (false, 0 | 1) => vec![Act::Add(file.to_owned())],
        _ => vec![new()],
    }
}

/// What makes the tree `now` the tree `before` again.
fn revert(now: &Tree, before: &Tree) -> Vec<Act> {
    let gone = now.keys().filter(|name| !before.contains_key(*name)).map(|name| Act::Remove(name.clone()));
    let back = before.iter().filter(|(name, edits)| now.get(*name) != Some(edits));
    gone.chain(back.map(|(name, edits)| Act::Put(name.clone(), *edits))).collect()
}

/// The order of a right chain, or nothing where the history makes none.
fn naive(drawing: &Drawing) -> Option<Vec<String>> {
    let trees = drawing.trees();
    let ancestors = ancestors(drawing);
    let reachable: BTreeSet<usize> = ancestors[drawing.head].iter().copied().chain([drawing.head]).collect();
    let mut introduced: BTreeMap<&String, BTreeSet<usize>> = BTreeMap::new();
    for commit in &reachable {
        let parents = &drawing.commits[*commit].parents;
        let is_new = |name: &&String| parents.iter().all(|parent| !trees[*parent].contains_key(*name));
        trees[*commit].keys().filter(is_new).for_each(|name| introduced.entry(name).or_default().extend([*commit]));
    }
    let mut links: Vec<(usize, &String)> = Vec::new();
    for (name, commits) in &introduced {
        let is_oldest = |old: &&usize| commits.iter().all(|new| new == *old || ancestors[*new].contains(*old));
        let oldest = *commits.iter().find(is_oldest)?;
        let is_as_landed = trees[drawing.head].get(*name)? == &trees[oldest][*name];
        if !is_as_landed || drawing.commits[oldest].parents.len() > 1 {
            return None;
        }
        links.push((oldest, name));
    }
    links.sort();
    let is_strict = |pair: &[(usize, &String)]| ancestors[pair[1].0].contains(&pair[0].0);
    links.windows(2).all(is_strict).then(|| links.iter().map(|(_, name)| (*name).clone()).collect())
}

fn ancestors(drawing: &Drawing) -> Vec<BTreeSet<usize>> {
    let mut ancestors: Vec<BTreeSet<usize>> = Vec::new();
    for commit in &drawing.commits {
        let of_parent = |parent: &usize| ancestors[*parent].iter().copied().chain([*parent]).collect::<Vec<_>>();
        let all = commit.parents.iter().flat_map(of_parent).collect();
        ancestors.push(all);
    }
    ancestors
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_verdict_is_that_of_the_definitions(
        seeds in vec((0..3usize, proptest::option::weighted(0.25, 0..9usize), proptest::option::weighted(0.6, (0..9u8, 0..5u8))), 1..9)
    ) {
        let drawing = drawing(&seeds);
        let repository = Repository::build(&drawing, "");
        let expected = naive(&drawing);
        let all: Vec<String> = drawing.trees()[drawing.head].keys().cloned().collect();
        let mods: Vec<&str> = expected.as_ref().unwrap_or(&all).iter().map(String::as_str).collect();
        repository.write_mods(&mods);
        let resolved = resolve(repository.crate_dir()).expect("a crate");
        let order: Vec<String> = resolved.links.iter().map(|link| link.name.clone()).collect();
        let is_right = resolved.mistakes.is_empty();
        prop_assert_eq!(is_right.then_some(order), expected.clone(), "{:?}\n{:?}", drawing, resolved.mistakes);

        let reversed: Vec<&str> = mods.iter().rev().copied().collect();
        if is_right && reversed != mods {
            repository.write_mods(&reversed);
            let resolved = resolve(repository.crate_dir()).expect("a crate");
            prop_assert!(matches!(resolved.mistakes.as_slice(), [Mistake::WrongOrder { .. }]), "{:?}", resolved.mistakes);
            prop_assert_eq!(resolved.links.iter().map(|link| &link.name).collect::<Vec<_>>(), mods);
        }
        prop_assert!(resolved.links.iter().all(|link| link.sha1 != Sha1::ZERO));
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is known of a chain before its history is replaced by one commit is known afterwards.
    #[test]
    fn a_squash_changes_nothing(
        seeds in vec((0..2usize, proptest::option::weighted(0.2, 0..9usize), proptest::option::weighted(0.8, (1..9u8, 0..5u8))), 1..7),
        pinned_before in 0..9usize,
    ) {
        let drawing = drawing(&seeds);
        let Some(order) = naive(&drawing).filter(|order| !order.is_empty()) else { return Ok(()) };
        let repository = Repository::build(&drawing, "");
        let mods: Vec<&str> = order.iter().map(String::as_str).chain(["z"]).collect();
        repository.write_mods(&mods[..order.len()]);
        let before = resolve(repository.crate_dir()).expect("a crate");
        repository.write("chain.lock", &before.lock.pinning(&before.links[..pinned_before % (order.len() + 1)]).to_string());
        let strict = resolve_strictly(repository.crate_dir()).expect("a crate");
        prop_assert_eq!((&strict.links, strict.mistakes.as_slice()), (&before.links, &[][..]), "true pins change nothing");

        let imported = before.links.iter().map(|link| Pin { imported: true, ..Pin::new(&link.name, link.sha1, link.digest) });
        repository.write("chain.lock", &Lock { pins: imported.collect(), ..Lock::default() }.to_string());
        repository.git(&["checkout", "--quiet", "--orphan", "squashed"]);
        repository.commit("all of it");
        repository.write("src/chain/z.rs", &migration("z", "web", 0));
        repository.write_mods(&mods);
        repository.commit("z");
        let after = resolve_strictly(repository.crate_dir()).expect("a crate");
        prop_assert_eq!(after.mistakes.as_slice(), &[][..], "{:?}", drawing);
        prop_assert_eq!(&after.links[..order.len()], before.links.as_slice());
        prop_assert_eq!(after.links.last().map(|link| link.name.as_str()), Some("z"));

        let reversed: Vec<&str> = mods.iter().rev().copied().collect();
        repository.write_mods(&reversed);
        let mistakes = resolve(repository.crate_dir()).expect("a crate").mistakes;
        prop_assert!(matches!(mistakes.as_slice(), [Mistake::WrongOrder { .. }]), "{:?}", mistakes);
    }
}

/// A verdict in words, without what was kept of histories before.
fn cold(repository: &Repository) -> String {
    files::remove_tree(repository.top().join(".git/wildebeest")).expect("what was kept can go");
    said(&resolve(repository.crate_dir()).expect("a crate"))
}

fn said(resolved: &Resolved) -> String {
    format!("{:?}\n{:?}\n{:?}\n{:?}", resolved.links, resolved.mistakes, resolved.landed, resolved.reach)
}

/// Checks out one commit after the other, as given, and compares every verdict with one that knows nothing of those
/// before it.
fn check_warm(repository: &Repository, commits: &[String]) -> Result<(), TestCaseError> {
    let kept = repository.top().join(".git/kept");
    let memory = repository.top().join(".git/wildebeest");
    for (place, commit) in commits.iter().enumerate() {
        repository.git(&["checkout", "--quiet", "--force", "--detach", commit]);
        let warm = said(&resolve(repository.crate_dir()).expect("a crate"));
        files::rename(&memory, &kept).expect("the memory goes aside");
        let cold = cold(repository);
        prop_assert_eq!(warm, cold, "{} of {:?}", place, commits);
        files::remove_tree(&memory).expect("a directory");
        files::rename(&kept, &memory).expect("the memory comes back");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever commit was checked out before: along a branch, over to another, to a merge of an old one, to a history
    /// that shares nothing with it.
    #[test]
    fn what_was_kept_changes_no_verdict(
        seeds in vec((0..3usize, proptest::option::weighted(0.25, 0..9usize), proptest::option::weighted(0.8, (0..9u8, 0..5u8))), 1..9),
        orphan in proptest::option::of(0..9usize),
        visits in vec(0..9usize, 0..5),
    ) {
        let mut drawing = drawing(&seeds);
        if let Some(orphan) = orphan {
            drawing.commits[(orphan % seeds.len()) + 1].parents.clear();
        }
        let repository = Repository::build(&drawing, "");
        let mods: Vec<String> = drawing.trees()[drawing.head].keys().cloned().collect();
        repository.write_mods(&mods.iter().map(String::as_str).collect::<Vec<_>>());
        let all = 0..drawing.commits.len();
        let visits = all.chain(visits.into_iter().map(|visit| visit % drawing.commits.len()));
        let commits: Vec<String> = visits.map(|commit| repository.sha1(&drawing.commits[commit].name).to_string()).collect();
        check_warm(&repository, &commits)?;
    }
}

#[test]
fn a_history_that_begins_anew_is_walked_anew() {
    let repository = Repository::drawn("c1 - *a - *b");
    repository.write_mods(&["a", "b"]);
    assert_eq!(resolve(repository.crate_dir()).expect("a crate").mistakes, []);
    repository.git(&["checkout", "--quiet", "--orphan", "fresh"]);
    repository.commit("all at once");
    let warm = said(&resolve(repository.crate_dir()).expect("a crate"));
    assert!(warm.contains("SharedCommit"), "{warm}");
    assert_eq!(warm, cold(&repository));
}
