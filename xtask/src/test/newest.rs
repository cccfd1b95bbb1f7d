//! Which links are killed: the newest of those that hosts have behind them, by now or since an earlier test.

use std::collections::BTreeSet;

use wb_core::chain::Link;

use super::Options;
use super::walk::{Part, Step, Walk};

/// The links that are to be killed after a walk in which these were passed.
pub(super) fn newest(walk: &Walk<'_>, passed: &[Step], options: &Options) -> Vec<Step> {
    let is_kept = |key: &str| walk.layers.find(key).is_some();
    chosen(&behind(walk.parts, walk.links.len(), passed, is_kept), walk.links, options)
}

/// What players have behind them of so many links: up to the last one that they passed now, and who passed none, up to the
/// first one after which nothing is kept.
fn behind(parts: &[Part<'_>], links: usize, passed: &[Step], is_kept: impl Fn(&str) -> bool) -> Vec<Step> {
    let mut behind = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let last = passed.iter().filter(|step| step.part == number).map(|step| step.place).max();
        let is_behind = |(place, key): &(&usize, &String)| match last {
            Some(last) => **place <= last,
            None => **place < links && is_kept(key),
        };
        let places = part.runs.iter().zip(&part.keys).take_while(is_behind);
        behind.extend(places.map(|(place, _)| Step { part: number, place: *place }));
    }
    behind
}

/// The newest of them, and of named ones those alone.
fn chosen(behind: &[Step], links: &[Link], options: &Options) -> Vec<Step> {
    let is_named = |place: &usize| options.migrations.is_empty() || options.migrations.contains(&links[*place].name);
    let places: BTreeSet<usize> = behind.iter().map(|step| step.place).filter(is_named).collect();
    let newest: BTreeSet<usize> = places.into_iter().rev().take(options.interrupt).collect();
    behind.iter().copied().filter(|step| newest.contains(&step.place)).collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use serde_json::Map;
    use wb_core::chain::{Chain, Digest, Sha1};

    use super::super::cast::Player;
    use super::super::key::Ground;
    use super::super::tests::options;
    use super::*;

    /// Links `m1`, `m2` and so on, of these roles.
    fn chain(roles: &[&str]) -> Chain {
        let link =
            |(role, n): (&&str, u8)| Link::new(format!("m{n}"), Sha1::from_bytes([n; 20]), *role, Digest::of(&[n]));
        Chain::new(roles.iter().zip(1..).map(link).collect()).unwrap()
    }

    fn steps(steps: &[(usize, usize)]) -> Vec<Step> {
        steps.iter().map(|(part, place)| Step { part: *part, place: *place }).collect()
    }

    #[test]
    fn links_are_behind_who_passed_them_whenever_that_was() {
        let chain = chain(&["web", "database", "web", "web"]);
        let players = ["web", "database"].map(|role| Player {
            name: format!("{role}1"),
            roles: [role.to_owned()].into(),
            address: Ipv4Addr::LOCALHOST,
            settings: Map::new(),
        });
        let ground = Ground { image: "i", wildebeest: "w", script: "s" };
        let parts = players.each_ref().map(|player| Part::of(player, &chain, chain.tip(), &ground, &|_| None));
        let [web, database] = [&parts[0].keys, &parts[1].keys];
        let check = |links, passed: &[(usize, usize)], kept: &[&String], expect: &[(usize, usize)]| {
            let is_kept = |key: &str| kept.iter().any(|kept| *kept == key);
            let found = behind(&parts, links, &steps(passed), is_kept);
            assert_eq!(found, steps(expect), "{links} {passed:?} {kept:?}");
        };
        check(4, &[], &[], &[]);
        check(4, &[(0, 0), (0, 2)], &[], &[(0, 0), (0, 2)]);
        check(4, &[(0, 2)], &[&database[0]], &[(0, 0), (0, 2), (1, 1)]);
        check(4, &[], &[&web[0], &web[1], &web[2]], &[(0, 0), (0, 2), (0, 3)]);
        check(3, &[], &[&web[0], &web[1], &web[2]], &[(0, 0), (0, 2)]);
        // It failed after that, whatever is left of an earlier test.
        check(4, &[(0, 0)], &[&web[0], &web[1], &web[2]], &[(0, 0)]);
        check(4, &[], &[&web[0], &web[2]], &[(0, 0)]);
    }

    #[test]
    fn the_newest_links_are_killed() {
        let behind = steps(&[(0, 1), (1, 1), (0, 2), (1, 3)]);
        let chain = chain(&["web"; 4]);
        let check = |migrations: &[&str], interrupt, expect: &[Step]| {
            let options = Options { interrupt, ..options(migrations) };
            assert_eq!(chosen(&behind, chain.links(), &options), expect, "{migrations:?} {interrupt}");
        };
        check(&[], 0, &[]);
        check(&[], 1, &behind[3..]);
        check(&[], 2, &behind[2..]);
        check(&[], 9, &behind);
        check(&["m2"], 2, &behind[..2]);
    }
}
