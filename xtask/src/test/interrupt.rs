//! Interruptions: a link is killed at each point of its way, run again, and has come to the same end.
//!
//! Kills need crash points, which no runner that ships has. So the runner's twin is killed: the same sources in another
//! profile. It is run twice as a whole first. By the one run it is known which points there are, and by both what never
//! comes out the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use wb_core::chain::Link;
use wb_core::context::Operation;
use wb_core::system::Command;
use wb_core::system::clock::Stopwatch;
use wb_core::system::fault::{Fault, Injected, POINTS, Plan, Subject, When};

use super::allow::Allowed;
use super::cast::Player;
use super::drive::{Driver, Heard};
use super::judge::{self, Difference};
use super::link::{failure, joined};
use super::outcome::{Check, Tested, Verdict};
use super::scene::{Bases, Scene};
use super::walk::{Step, Walk};
use super::{Event, TestError};
use crate::at_once;
use crate::sandbox::Tree;

/// The interruptions of some links.
#[derive(Debug, Clone, Copy)]
pub struct Interruptions<'a> {
    /// The walk on which they were passed.
    pub walk: &'a Walk<'a>,
    /// The runner's twin.
    pub twin: &'a [u8],
    /// Whether each passage of a point counts by itself.
    pub every_point: bool,
}

/// A moment at which a link is killed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cut {
    /// How many points it has passed by then.
    hit: u64,
    /// Where that is, in words.
    place: String,
}

/// What a link comes to.
struct End {
    legs: Vec<Heard>,
    tree: Tree,
    packages: String,
}

/// What a link comes to when nothing comes between.
struct Whole {
    end: End,
    operations: Vec<Operation>,
    allowed: Allowed,
}

/// What a link comes to, and where it is to be killed; or why nobody knows.
type Found = Result<(Whole, Vec<Cut>), Difference>;

/// Where hosts write down which points were passed: among what never counts.
const TRACE: &str = "/var/log/wildebeest-trace";

impl Interruptions<'_> {
    /// Kills each of these links at each of its points.
    ///
    /// # Errors
    /// When hosts can't be had or driven.
    pub fn hold(&self, steps: &[Step]) -> Result<(), TestError> {
        let places: BTreeSet<usize> = steps.iter().map(|step| step.place).collect();
        for place in places {
            let bases = self.walk.bases(place);
            let link = &self.walk.links[place];
            let scenes = self.scenes(&bases, link)?;
            for step in steps.iter().filter(|step| step.place == place) {
                self.one(&scenes, &bases, self.walk.parts[step.part].player, link)?;
            }
        }
        Ok(())
    }

    /// Small herds, each with a network of its own: as many as may act at once.
    fn scenes(&self, bases: &Bases, link: &Link) -> Result<Vec<Scene<'_>>, TestError> {
        let open = |number: usize| {
            let place = self.walk.place.with_file_name(format!("test-interrupted-{number}"));
            let diary = self.walk.diary.part(&format!("{}-{number}", link.name))?;
            Scene::open(self.walk.props, self.twin, bases, &place, diary, &|line| self.walk.note(line))
        };
        at_once::each(0..self.walk.jobs.max(1), open).into_iter().collect()
    }

    fn one(&self, scenes: &[Scene<'_>], bases: &Bases, player: &Player, link: &Link) -> Result<(), TestError> {
        let watch = Stopwatch::start();
        let tell = |check: Check, verdict: Verdict, watch: &Stopwatch| {
            let (host, roles, link) = (player.name.clone(), player.roles.clone(), Some(link.clone()));
            let seconds = watch.elapsed().as_secs_f64();
            let tested = Tested { host, roles, link, verdict, seconds, ..Tested::new(check) };
            drop(self.walk.told.send(Event::Tested(Box::new(tested))));
        };
        let Some(first) = scenes.first() else { return Ok(()) };
        let (whole, cuts) = match self.whole(first, bases, player, link)? {
            Ok(found) => found,
            Err(difference) => {
                tell(Check::Interrupted("nowhere".to_owned()), difference.into(), &watch);
                return Ok(());
            }
        };
        let queue = Mutex::new(cuts.into_iter());
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let worked = at_once::each(scenes, |scene| {
            while let Some(cut) = next() {
                let watch = Stopwatch::start();
                let verdict = fresh(scene, bases, player, |driver| kill(driver, link, &whole, &cut))?;
                tell(Check::Interrupted(cut.place), verdict, &watch);
            }
            // The next player finds this one as it was.
            scene.reset(player, bases.get(&player.name).map(PathBuf::as_path))
        });
        worked.into_iter().collect()
    }

    /// Two runs in which nothing comes between.
    fn whole(&self, scene: &Scene<'_>, bases: &Bases, player: &Player, link: &Link) -> Result<Found, TestError> {
        let traced = Plan { trace: Some(TRACE.into()), ..Plan::default() };
        let (first, trace) = fresh(scene, bases, player, |driver| {
            let end = end(driver, driver.run_under(&link.name, Some(&traced))?)?;
            Ok((end, driver.host.run(Command::new("cat").arg(TRACE))?.text()))
        })?;
        let second = fresh(scene, bases, player, |driver| end(driver, driver.run(&link.name)?))?;
        if let Some(difference) = failure(&first.legs).or_else(|| failure(&second.legs)) {
            return Ok(Err(difference.under("the twin of the runner, which is to be killed, does not run it:")));
        }
        let cuts = first.legs.first().map(|leg| cuts(&trace, leg, self.every_point)).unwrap_or_default();
        let never_the_same = judge::different(&first.tree, &second.tree).into_iter().map(Path::to_path_buf);
        let (operations, allowed) = (joined(&first.legs), Allowed::default().and(never_the_same));
        Ok(Ok((Whole { end: first, operations, allowed }, cuts)))
    }
}

/// Kills a link at one moment, and runs it again.
fn kill(driver: Driver<'_>, link: &Link, whole: &Whole, cut: &Cut) -> Result<Verdict, TestError> {
    let kill = Injected { fault: Fault::Kill, at: When::Hit(cut.hit) };
    let killed = driver.run_under(&link.name, Some(&Plan { faults: vec![kill], ..Plan::default() }))?;
    if killed.last().is_some_and(|leg| leg.ended.is_some()) {
        return Ok(Verdict::NotRun { why: "it passed fewer points this time, and was not killed".to_owned() });
    }
    let end = end(driver, driver.run(&link.name)?)?;
    if let Some(difference) = failure(&end.legs) {
        return Ok(difference.under(format!("it was killed {}, and then:", cut.place)).into());
    }
    let specs = driver.specs(Some(&link.name))?;
    Ok(judged(whole, &cut.place, &killed, &end, &specs).into())
}

/// Acts on the host of a player as it was before the link. That a herd's disk is new is the first thing that is done.
fn fresh<T>(
    scene: &Scene<'_>,
    bases: &Bases,
    player: &Player,
    act: impl FnOnce(Driver<'_>) -> Result<T, TestError>,
) -> Result<T, TestError> {
    scene.reset(player, bases.get(&player.name).map(PathBuf::as_path))?;
    act(scene.driver(player)?)
}

/// What a host has come to by now.
fn end(driver: Driver<'_>, legs: Vec<Heard>) -> Result<End, TestError> {
    let tree = driver.host.frozen(|| driver.host.tree())??;
    let packages = driver.host.run(Command::new("cat").arg("/var/lib/dpkg/status"))?.text();
    Ok(End { legs, tree, packages })
}

/// Who was killed and run again has done the same as who was not.
fn judged(whole: &Whole, place: &str, killed: &[Heard], end: &End, specs: &Heard) -> Result<(), Difference> {
    let runs: Vec<&[Operation]> = killed.iter().chain(&end.legs).map(|leg| leg.operations.as_slice()).collect();
    judge::lost(&whole.operations, &runs, place)?;
    let broken = specs.answers.iter().filter_map(|answer| Some((&answer.spec, answer.error.as_ref()?)));
    let broken: Vec<String> = broken.map(|(spec, error)| format!("`{spec}`: {error}")).collect();
    if !broken.is_empty() {
        return Err(Difference::of(format!("it was killed {place}, run again, and does not hold:"), broken));
    }
    let heading = || format!("it was killed {place}, run again, and has (+) what it has not else (-):");
    judge::trees(&whole.end.tree, &end.tree, &whole.allowed).map_err(|difference| difference.under(heading()))?;
    judge::packages(&whole.end.packages, &end.packages).map_err(|difference| difference.under(heading()))
}

/// The moments at which a link is killed, by the points that it passed, a line each, and by what it did. Where an operation
/// passes a point several times, the first counts, unless each does.
fn cuts(trace: &str, leg: &Heard, every_point: bool) -> Vec<Cut> {
    let mut seen = BTreeSet::new();
    let mut cuts = Vec::new();
    for (line, hit) in trace.lines().zip(0..) {
        let Some(point) = line.split(' ').next().and_then(|number| number.parse::<usize>().ok()) else { continue };
        let operation = leg.passed.iter().position(|passed| hit < *passed);
        if is_of_link(point) && (seen.insert((operation, point)) || every_point) {
            let place = place(point, operation.and_then(|index| leg.operations.get(index)));
            let number = if every_point { format!(" ({hit})") } else { String::new() };
            cuts.push(Cut { hit, place: place + &number });
        }
    }
    cuts
}

/// What the record of a host passes by itself is tested once for all links, and elsewhere.
fn is_of_link(point: usize) -> bool {
    let subject = POINTS.get(point).map(|point| point.subject);
    let of_link = [Subject::Any, Subject::Migration, Subject::Owed, Subject::Paid, Subject::StepDone];
    subject.is_some_and(|subject| of_link.contains(&subject))
}

/// `at "migration: rename" of file /a present`.
fn place(point: usize, operation: Option<&Operation>) -> String {
    let name = POINTS.get(point).map_or("", |point| point.name);
    match operation {
        Some(operation) => format!("at \"{name}\" of {}", operation.what),
        None => format!("at \"{name}\" after its last operation"),
    }
}

#[cfg(test)]
mod tests {
    use wb_core::context::Outcome;
    use wb_core::drill::Ended;

    use super::*;

    /// What was passed, by the names of points.
    fn trace(names: &[&str]) -> String {
        let number = |name: &&str| POINTS.iter().position(|point| point.name == *name).unwrap();
        names.iter().map(|name| format!("{} {name}\n", number(name))).collect()
    }

    fn leg(operations: &[(&str, u64)]) -> Heard {
        let operation = |what: &str| Operation { what: what.into(), outcome: Outcome::Changed { diff: None } };
        Heard {
            operations: operations.iter().map(|(what, _)| operation(what)).collect(),
            passed: operations.iter().map(|(_, passed)| *passed).collect(),
            ended: Some(Ended::default()),
            ..Heard::default()
        }
    }

    #[test]
    fn each_operation_is_killed_once_at_each_of_its_points() {
        let passed = [
            "record, link starts: write",
            "migration: write",
            "migration: rename",
            "migration: write",
            "record, owed: write",
            "migration: write",
            "migration: spawn",
        ];
        let leg = leg(&[("a", 4), ("b", 6)]);
        let check = |every_point, expect: &[(u64, &str)]| {
            let cuts = cuts(&trace(&passed), &leg, every_point);
            let found: Vec<(u64, &str)> = cuts.iter().map(|cut| (cut.hit, cut.place.as_str())).collect();
            assert_eq!(found, expect);
        };
        check(
            false,
            &[
                (1, "at \"migration: write\" of a"),
                (2, "at \"migration: rename\" of a"),
                (4, "at \"record, owed: write\" of b"),
                (5, "at \"migration: write\" of b"),
                (6, "at \"migration: spawn\" after its last operation"),
            ],
        );
        check(
            true,
            &[
                (1, "at \"migration: write\" of a (1)"),
                (2, "at \"migration: rename\" of a (2)"),
                (3, "at \"migration: write\" of a (3)"),
                (4, "at \"record, owed: write\" of b (4)"),
                (5, "at \"migration: write\" of b (5)"),
                (6, "at \"migration: spawn\" after its last operation (6)"),
            ],
        );
        assert_eq!(super::cuts("", &leg, false), []);
    }

    #[test]
    fn who_was_killed_is_to_come_to_the_same_end() {
        let end = |operations: &[(&str, u64)], packages: &str| End {
            legs: vec![leg(operations)],
            tree: Tree::new(),
            packages: packages.into(),
        };
        let package = "Package: a\nVersion: 1\n";
        let whole = end(&[("a", 1), ("b", 2)], package);
        let (operations, allowed) = (joined(&whole.legs), Allowed::default());
        let whole = Whole { end: whole, operations, allowed };
        let check = |killed: &[(&str, u64)], resumed: &End, specs: &Heard, expect: &str| {
            let verdict = judged(&whole, "at \"x\"", &[leg(killed)], resumed, specs);
            let said = verdict.map_or_else(|difference| difference.lines[0].clone(), |()| "ok".to_owned());
            assert_eq!(said, expect);
        };
        let well = Heard::default();
        let answer = |error: Option<&str>| wb_core::drill::Answer {
            link: None,
            role: None,
            spec: "runs".into(),
            error: error.map(str::to_owned),
        };
        let broken = Heard { answers: vec![answer(None), answer(Some("no"))], ..Heard::default() };
        check(&[("a", 1)], &end(&[("b", 2)], package), &well, "ok");
        let lost = "it was killed at \"x\", and the run after that never came to:";
        check(&[("a", 1)], &end(&[("a", 1)], package), &well, lost);
        let unheld = "it was killed at \"x\", run again, and does not hold:";
        check(&[("a", 1)], &end(&[("b", 2)], package), &broken, unheld);
        let other = "it was killed at \"x\", run again, and has (+) what it has not else (-):";
        check(&[("a", 1)], &end(&[("b", 2)], ""), &well, other);
    }
}
