//! Who is there when a link is killed: the company in which it was passed, but for those who failed before, in a small herd
//! with a network of its own, and in as many more as there is to do.

use std::collections::BTreeSet;
use std::path::PathBuf;

use wb_core::chain::Link;

use crate::at_once;
use crate::test::cast::Player;
use crate::test::judge::Difference;
use crate::test::outcome::Verdict;
use crate::test::scene::{Bases, Props, Scene};
use crate::test::walk::{Part, Walk};
use crate::test::{Event, TestError};

/// Players as they are before a link.
pub(super) struct Company<'c> {
    /// The disks that they boot on.
    pub(super) bases: Bases,
    present: Vec<&'c Player>,
    missing: Vec<&'c Player>,
}

/// Herds in which a link is killed, each on its own.
pub(super) struct Crew<'c> {
    walk: &'c Walk<'c>,
    twin: &'c [u8],
    link: &'c Link,
    props: Props<'c>,
    bases: &'c Bases,
    scenes: Vec<Scene<'c>>,
}

/// At most so many hosts are on for it, however many processors there are: each takes memory, and most of them only stand by.
const HOSTS: usize = 24;

impl<'c> Company<'c> {
    /// Those of a walk, before the link at this place. Who failed earlier is not as that link would find it.
    pub(super) fn at(walk: &Walk<'c>, place: usize) -> Self {
        Self::of(walk.parts, place, walk.bases(place))
    }

    fn of(parts: &'c [Part<'c>], place: usize, bases: Bases) -> Self {
        let is_there = |part: &&Part<'_>| part.before(place).is_none() || bases.contains_key(&part.player.name);
        let (present, missing): (Vec<&Part<'_>>, Vec<&Part<'_>>) = parts.iter().partition(is_there);
        let players = |parts: Vec<&'c Part<'c>>| parts.into_iter().map(|part| part.player).collect();
        Self { present: players(present), missing: players(missing), bases }
    }

    /// Who is not there and is waited for by the last of these links.
    pub(super) fn missed(&self, links: &[Link]) -> Option<&'c Player> {
        let waits = links.last().into_iter().flat_map(Link::waits);
        let awaited: BTreeSet<String> = waits.map(|wait| wait.role().to_owned()).collect();
        self.missing.iter().copied().find(|player| !player.roles.is_disjoint(&awaited))
    }

    /// What is to be said of a link that does not even run here. Where somebody is missing, that may be why.
    pub(super) fn excuse(&self, difference: Difference) -> Verdict {
        let missing: Vec<&str> = self.missing.iter().map(|player| player.name.as_str()).collect();
        match missing.as_slice() {
            [] => difference.into(),
            missing => {
                let why = format!("{} failed before, and without it: {difference}", missing.join(", "));
                Verdict::NotRun { why }
            }
        }
    }
}

impl<'c> Crew<'c> {
    /// One that has no herd yet.
    pub(super) fn of(walk: &'c Walk<'c>, twin: &'c [u8], link: &'c Link, company: &'c Company<'c>) -> Self {
        let props = Props { company: &company.present, ..walk.props };
        Self { walk, twin, link, props, bases: &company.bases, scenes: Vec::new() }
    }

    /// So many herds, or as many as may be on at once.
    ///
    /// # Errors
    /// When hosts can't be had.
    pub(super) fn scenes(&mut self, wanted: usize) -> Result<&[Scene<'c>], TestError> {
        let count = wanted.clamp(1, most(self.walk.jobs, self.props.company.len()));
        let opened = at_once::each(self.scenes.len()..count, |number| self.open(number));
        let opened = opened.into_iter().collect::<Result<Vec<_>, TestError>>()?;
        self.scenes.extend(opened);
        Ok(&self.scenes[..count])
    }

    /// Makes the host of a player what it was, in all herds.
    ///
    /// # Errors
    /// When one does not boot.
    pub(super) fn heal(&self, player: &Player) -> Result<(), TestError> {
        let base = self.bases.get(&player.name).map(PathBuf::as_path);
        at_once::each(&self.scenes, |scene| scene.reset(player, base)).into_iter().collect()
    }

    /// Ends these herds, but for some of them, and says how to enter the host of a player there.
    ///
    /// # Errors
    /// When a herd has ended already.
    pub(super) fn leave(self, kept: &[usize], player: &Player) -> Result<(), TestError> {
        for (number, scene) in self.scenes.into_iter().enumerate() {
            let is_kept = kept.contains(&number);
            scene.close(is_kept)?;
            if is_kept {
                // Who does not listen any more has an error of its own.
                drop(self.walk.told.send(Event::Kept(player.enter(&place(self.walk, number)))));
            }
        }
        Ok(())
    }

    fn open(&self, number: usize) -> Result<Scene<'c>, TestError> {
        let place = place(self.walk, number);
        let diary = self.walk.diary.part(&herd(self.link, number))?;
        Scene::open(self.props, self.twin, self.bases, &place, diary, &|line| self.walk.note(line))
    }
}

/// The name of the log of a player in a herd.
pub(super) fn log(link: &Link, number: usize, player: &Player) -> String {
    format!("{}/{}", herd(link, number), player.name)
}

fn herd(link: &Link, number: usize) -> String {
    format!("{}-{number}", link.name)
}

/// Where a herd has its disks.
fn place(walk: &Walk<'_>, number: usize) -> PathBuf {
    walk.place.with_file_name(format!("test-interrupted-{number}"))
}

fn most(jobs: usize, players: usize) -> usize {
    jobs.min(HOSTS / players.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use serde_json::Map;
    use wb_core::chain::{Chain, Digest, Sha1, Wait, Who};

    use super::*;
    use crate::test::key::Ground;

    fn player(name: &str, roles: &[&str]) -> Player {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        Player { name: name.into(), roles, address: Ipv4Addr::LOCALHOST, settings: Map::new() }
    }

    /// Links of these roles, of which the last waits for another role.
    fn links(roles: &[&str], awaited: &str) -> Vec<Link> {
        let link =
            |(role, n): (&&str, u8)| Link::new(format!("m{n}"), Sha1::from_bytes([n; 20]), *role, Digest::of(&[n]));
        let mut links: Vec<Link> = roles.iter().zip(1..).map(link).collect();
        let last = links.last_mut().unwrap();
        last.wait = (!awaited.is_empty()).then(|| Wait::new(Who::Any { role: awaited.to_owned() }));
        links
    }

    #[test]
    fn who_failed_before_is_missing() {
        let players = [player("web1", &["web"]), player("db1", &["database"]), player("mail1", &["mail"])];
        let check = |awaited: &str, kept: &[&str], missing: &[&str], missed: Option<&str>| {
            let links = links(&["web", "database", "web"], awaited);
            let chain = Chain::new(links.clone()).unwrap();
            let ground = Ground { image: "i", wildebeest: "w", script: "s" };
            let parts = players.each_ref().map(|player| Part::of(player, &chain, chain.tip(), &ground, &|_| None));
            let bases: Bases = kept.iter().map(|name| ((*name).to_owned(), PathBuf::new())).collect();
            let company = Company::of(&parts, 2, bases);
            let names: Vec<&str> = company.missing.iter().map(|player| player.name.as_str()).collect();
            assert_eq!((names.as_slice(), company.present.len()), (missing, 3 - missing.len()));
            assert_eq!(company.missed(&links).map(|player| player.name.as_str()), missed, "{awaited} {kept:?}");
        };
        check("", &["web1", "db1"], &[], None);
        check("", &["web1"], &["db1"], None);
        check("mail", &["web1"], &["db1"], None);
        check("database", &["web1"], &["db1"], Some("db1"));
        check("database", &["web1", "db1"], &[], None);
    }

    #[test]
    fn a_link_that_lacks_company_is_not_to_blame() {
        let db = player("db1", &["database"]);
        let check = |missing: Vec<&Player>, expect: Verdict| {
            let company = Company { bases: Bases::new(), present: Vec::new(), missing };
            assert_eq!(company.excuse(Difference::of("it failed:", ["no"])), expect);
        };
        check(Vec::new(), Difference::of("it failed:", ["no"]).into());
        let why = "db1 failed before, and without it: it failed:\n  no".to_owned();
        check(vec![&db], Verdict::NotRun { why });
    }

    #[test]
    fn there_are_no_more_herds_than_a_machine_bears() {
        let check = |jobs, players, expect| assert_eq!(most(jobs, players), expect, "{jobs} {players}");
        check(2, 5, 2);
        check(32, 5, 4);
        check(32, 1, 24);
        check(32, 100, 1);
        check(0, 0, 1);
    }
}
