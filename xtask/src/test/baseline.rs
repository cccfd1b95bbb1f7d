//! Whether a baseline comes to what it stands for: two hosts, of which one runs what it replaces and the other one the
//! baseline, and whose disks are to be the same but for what people reviewed.
//!
//! The one is told to go no further than to the link before the baseline, which is none yet then, as for hosts in production
//! before it was deployed. What it comes to may have been kept as a layer, also of links whose code is gone by now.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::channel;

use wb_core::chain::Link;
use wb_core::system::Command;
use wb_core::system::clock::Stopwatch;
use wb_core::system::files::{self, FileError};

use super::allow::Allowed;
use super::cast::Player;
use super::drive::Driver;
use super::judge::{self, Difference};
use super::outcome::{Check, Tested, Verdict};
use super::rehearsal::Rehearsal;
use super::scene::Props;
use super::walk::{Part, Walk};
use super::{Event, TestError};
use crate::sandbox::Tree;

/// The proofs of all baselines of a walk.
#[derive(Debug, Clone, Copy)]
pub struct Proofs<'a> {
    /// The walk, which is over.
    pub walk: &'a Walk<'a>,
    /// What it was made with.
    pub rehearsal: &'a Rehearsal,
    /// The crate, which has the reviewed lists.
    pub crate_dir: &'a Path,
    /// Whether no layer is used.
    pub from_scratch: bool,
}

/// What a host has come to.
#[derive(Debug, PartialEq)]
struct Disk {
    tree: Tree,
    packages: String,
}

/// What hosts have come to, by the names of players; or why that is not known.
type Disks = Result<BTreeMap<String, Disk>, Verdict>;

impl Proofs<'_> {
    /// Proves each baseline whose code is there.
    ///
    /// # Errors
    /// When hosts can't be had or driven, or a list can't be read.
    pub fn hold(&self) -> Result<(), TestError> {
        let links = self.walk.links.iter().enumerate();
        let mut baselines = links.filter(|(_, link)| link.replaces.is_some() && !link.gone);
        baselines.try_for_each(|(place, baseline)| self.one(place, baseline))
    }

    fn one(&self, place: usize, baseline: &Link) -> Result<(), TestError> {
        let players = self.walk.props.company.iter().filter(|player| player.roles.contains(&baseline.role));
        let players: Vec<&Player> = players.copied().collect();
        let Some(before) = place.checked_sub(1).filter(|_| !players.is_empty()) else { return Ok(()) };
        let watch = Stopwatch::start();
        let replayed = self.disks(before, &players, "replayed")?;
        let fresh = replayed.as_ref().map_or(Ok(Ok(BTreeMap::new())), |_| self.disks(place, &players, "fresh"))?;
        let allowed = allowed(self.crate_dir, &baseline.name)?;
        for player in players {
            let verdict = verdict(&player.name, &replayed, &fresh, &allowed, &baseline.name);
            let (host, roles, link) = (player.name.clone(), player.roles.clone(), Some(baseline.clone()));
            let seconds = watch.elapsed().as_secs_f64();
            let tested = Tested { host, roles, link, verdict, seconds, ..Tested::new(Check::Baseline) };
            // Who does not listen any more has an error of its own.
            drop(self.walk.told.send(Event::Tested(Box::new(tested))));
        }
        Ok(())
    }

    /// What these players come to, when all are told to go to the link at this place and no further.
    fn disks(&self, goal: usize, players: &[&Player], name: &str) -> Result<Disks, TestError> {
        let links = &self.walk.links[..=goal];
        let parts = self.rehearsal.parts(self.walk.props.company, Some(&links[goal]));
        if let Some(gone) = gone(&parts, links, |key| !self.from_scratch && self.walk.layers.find(key).is_some()) {
            let why = format!("the code of `{}` is gone, and nothing is kept of hosts that ran it", gone.name);
            return Ok(Err(Verdict::Ignored { why }));
        }
        // What is found on the way is told elsewhere, or is of no interest any more.
        let (told, _events) = channel();
        let walk = Walk {
            props: Props { goal: Some(&links[goal].name), ..self.walk.props },
            parts: &parts,
            links,
            most: if self.from_scratch { 0 } else { links.len() },
            place: &self.walk.place.with_file_name("test-baseline"),
            diary: &self.walk.diary.part(&format!("baseline-{name}"))?,
            told: &told,
            ..*self.walk
        };
        let scene = match walk.walk() {
            Ok((scene, _)) if walk.all_came_through() => scene,
            Ok(_) => return Ok(Err(Verdict::NotRun { why: stopped(&links[goal]) })),
            // Of what was kept, a spec does not hold any more, and the code that would make it anew is gone.
            Err(TestError::Drill { said, .. }) => return Ok(Err(Verdict::NotRun { why: said })),
            Err(error) => return Err(error),
        };
        let disk = |player: &&Player| -> Result<(String, Disk), TestError> {
            Ok((player.name.clone(), Disk::of(scene.driver(player)?)?))
        };
        players.iter().map(disk).collect::<Result<_, TestError>>().map(Ok)
    }
}

impl Disk {
    fn of(driver: Driver<'_>) -> Result<Self, TestError> {
        let tree = driver.host.frozen(|| driver.host.tree())??;
        let packages = driver.host.run(Command::new("cat").arg("/var/lib/dpkg/status"))?.text();
        Ok(Self { tree, packages })
    }
}

/// The first link on the way whose code is gone, and which somebody would have to run: not all have a layer behind them all.
fn gone<'l>(parts: &[Part<'_>], links: &'l [Link], is_kept: impl Fn(&str) -> bool) -> Option<&'l Link> {
    if parts.iter().all(|part| part.before(links.len()).is_none_or(&is_kept)) {
        return None;
    }
    let is_run = |place: usize| parts.iter().any(|part| part.has(place));
    links.iter().enumerate().find(|(place, link)| link.gone && is_run(*place)).map(|(_, link)| link)
}

fn stopped(goal: &Link) -> String {
    format!("not all migrations up to `{}` pass on a new host", goal.name)
}

/// What the reviewed list of a baseline allows; none allows nothing.
fn allowed(crate_dir: &Path, baseline: &str) -> Result<Result<Allowed, Difference>, FileError> {
    let place = list(baseline);
    let text = files::read_optional(crate_dir.join(&place))?.unwrap_or_default();
    let allowed = Allowed::parse(&String::from_utf8_lossy(&text));
    Ok(allowed.map_err(|wrong| Difference::of(format!("{place} is no list of paths that may differ:"), wrong)))
}

/// Where the reviewed list of a baseline lies in the crate.
fn list(baseline: &str) -> String {
    format!("baselines/{baseline}.allow")
}

fn verdict(
    player: &str,
    replayed: &Disks,
    fresh: &Disks,
    allowed: &Result<Allowed, Difference>,
    baseline: &str,
) -> Verdict {
    let (replayed, fresh, allowed) = match (replayed, fresh, allowed) {
        (Err(why), _, _) | (_, Err(why), _) => return why.clone(),
        (_, _, Err(wrong)) => return wrong.clone().into(),
        (Ok(replayed), Ok(fresh), Ok(allowed)) => (replayed, fresh, allowed),
    };
    match (replayed.get(player), fresh.get(player)) {
        (Some(replayed), Some(fresh)) => same(replayed, fresh, allowed, baseline).into(),
        _ => Verdict::NotRun { why: "it was not looked at".to_owned() },
    }
}

fn same(replayed: &Disk, fresh: &Disk, allowed: &Allowed, baseline: &str) -> Result<(), Difference> {
    let packages = judge::packages(&replayed.packages, &fresh.packages);
    let trees = judge::trees(&replayed.tree, &fresh.tree, allowed);
    let differences = [packages, trees].into_iter().filter_map(Result::err).reduce(Difference::and);
    let heading = "a host that runs what it stands for (-) and one that runs it (+) are not the same:";
    let hint = format!("what may differ stands in {}, as lines `PATH  # why`", list(baseline));
    differences.map_or(Ok(()), |difference| Err(difference.under(heading).hint(hint)))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use serde_json::Map;
    use wb_core::chain::{Chain, Digest, Sha1};

    use super::*;
    use crate::sandbox::{Entry, Kind};
    use crate::test::key::Ground;

    fn disk(paths: &[&str], packages: &str) -> Disk {
        let entry = Entry { kind: Kind::File, mode: 0o644, uid: 0, gid: 0, content: String::new() };
        Disk { tree: paths.iter().map(|path| (path.into(), entry.clone())).collect(), packages: packages.into() }
    }

    #[test]
    fn disks_are_the_same_but_for_what_was_reviewed() {
        let package = "Package: a\nVersion: 1\n";
        let check = |fresh: &Disk, list: &str, expect: &str| {
            let replayed = disk(&["/etc/a", "/etc/b"], package);
            let said = same(&replayed, fresh, &Allowed::parse(list).unwrap(), "june");
            assert_eq!(said.map_or_else(|difference| difference.lines[1..].join(";"), |()| "ok".into()), expect);
        };
        check(&disk(&["/etc/a", "/etc/b"], package), "", "ok");
        check(&disk(&["/etc/a"], package), "/etc/b # it was of no use", "ok");
        check(&disk(&["/etc/a"], package), "", "  - /etc/b: file 0644 0:0");
        let both = "  - package a: 1 ();  + /etc/c: file 0644 0:0";
        check(&disk(&["/etc/a", "/etc/b", "/etc/c"], ""), "", both);
        let idle = "  line 1 of the list allows `/etc/d`, and nothing that differs is called so";
        check(&disk(&["/etc/a", "/etc/b"], package), "/etc/d # it is new", idle);
    }

    #[test]
    fn what_is_not_known_is_no_failure() {
        let disks = |paths: &[&str]| -> Disks { Ok([("web1".to_owned(), disk(paths, ""))].into()) };
        let gone = || Verdict::Ignored { why: "gone".into() };
        let wrong = || Difference::of("june.allow:", ["line 1"]);
        let check = |replayed: Disks, fresh: Disks, allowed: Result<Allowed, Difference>, expect: Verdict| {
            assert_eq!(verdict("web1", &replayed, &fresh, &allowed, "june"), expect);
        };
        check(disks(&["/a"]), disks(&["/a"]), Ok(Allowed::default()), Verdict::Passed);
        check(Err(gone()), Ok(BTreeMap::new()), Ok(Allowed::default()), gone());
        check(disks(&[]), Err(gone()), Ok(Allowed::default()), gone());
        check(disks(&[]), disks(&[]), Err(wrong()), wrong().into());
    }

    #[test]
    fn code_that_is_gone_is_not_missed_where_its_end_was_kept() {
        let link = |n: u8| Link::new(format!("m{n}"), Sha1::from_bytes([n; 20]), "web", Digest::of(&[n]));
        let links = [link(1), Link { gone: true, ..link(2) }, link(3)];
        let roles = ["web".to_owned()].into();
        let player = Player { name: "web1".into(), roles, address: Ipv4Addr::LOCALHOST, settings: Map::new() };
        let chain = Chain::new(links.to_vec()).unwrap();
        let ground = Ground { image: "i", wildebeest: "w", script: "s" };
        let parts = [Part::of(&player, &chain, chain.tip(), &ground, &|_| None)];
        let check = |count: usize, kept: &[usize], expect: Option<&str>| {
            let is_kept = |key: &str| kept.iter().any(|place| parts[0].keys[*place] == key);
            let gone = gone(&parts, &links[..count], is_kept);
            assert_eq!(gone.map(|link| link.name.as_str()), expect, "{count} {kept:?}");
        };
        check(3, &[2], None);
        check(3, &[1], Some("m2"));
        check(2, &[1], None);
        check(1, &[], None);
    }

    #[test]
    fn the_reviewed_list_lies_in_the_crate() {
        let dir = tempfile::tempdir().unwrap();
        let check = |expect: &str| {
            let said = allowed(dir.path(), "june").unwrap();
            assert_eq!(said.map_or_else(|wrong| wrong.to_string(), |allowed| format!("{allowed:?}")), expect);
        };
        check(&format!("{:?}", Allowed::default()));
        files::create_dir(dir.path().join("baselines")).unwrap();
        files::write(dir.path().join("baselines/june.allow"), "/etc/a\n", 0o644).unwrap();
        let why = "line 1, `/etc/a`: it has no reason; say why after a `#`";
        check(&format!("baselines/june.allow is no list of paths that may differ:\n  {why}"));
    }
}
