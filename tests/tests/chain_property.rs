//! Small random histories, and a verdict on them written from the definitions: sets, no ordering, no cleverness.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use wb_core::chain::{Mistake, Sha1};
use wb_core::registry::resolve;
use wb_tests::drawing::{Act, Drawing, Drawn, Repository, Tree};

/// A commit: which earlier commits are its parents, and what it does to which of five files.
type Seed = (usize, Option<usize>, Option<(u8, u8)>);

fn drawing(seeds: &[Seed]) -> Drawing {
    let mut drawing = Drawing { head: seeds.len(), ..Drawing::default() };
    drawing.commits.push(Drawn { name: "c0".into(), ..Drawn::default() });
    for (index, (back, other, act)) in seeds.iter().enumerate() {
        let first = index - back % (index + 1).min(3);
        let second = other.map(|back| index - back % (index + 1)).filter(|second| *second != first);
        let before: Tree = drawing.trees()[first].clone();
        let acts = act.map(|(kind, file)| act_on(&before, kind, &format!("m{file}"), index)).into_iter();
        let parents = [first].into_iter().chain(second).collect();
        drawing.commits.push(Drawn { name: format!("c{}", index + 1), parents, acts: acts.collect() });
    }
    drawing
}

fn act_on(before: &Tree, kind: u8, file: &str, index: usize) -> Act {
    match (before.contains_key(file), kind) {
        (true, 0) => Act::Remove(file.to_owned()),
        (true, 1) => Act::Edit(file.to_owned()),
        (false, 0 | 1) => Act::Add(file.to_owned()),
        _ => Act::Add(format!("n{index}")),
    }
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
