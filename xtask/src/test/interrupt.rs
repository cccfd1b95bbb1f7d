//! Interruptions: a link is killed at each point of its way, run again, and has come to the same end.
//!
//! Kills need crash points, which no runner that ships has. So the runner's twin is killed: the same sources in another
//! profile. It is run twice as a whole first, in two herds at once where there may be two. By the one run it is known
//! which points there are, and by both what never comes out the same.

mod crew;
mod cut;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use wb_core::chain::Link;
use wb_core::context::Operation;
use wb_core::system::clock::Stopwatch;
use wb_core::system::fault::Plan;
use wb_core::system::{Command, Output};

use super::allow::Allowed;
use super::cast::Player;
use super::drive::{Driver, Heard};
use super::judge::{self, Difference};
use super::link::{failure, joined};
use super::outcome::{Check, Tested, Verdict};
use super::scene::{Bases, Scene};
use super::walk::{Step, Walk};
use super::{Event, TestError, proven};
use crate::at_once;
use crate::sandbox::{SandboxError, Tree};
use crew::{Company, Crew};
use cut::{Cut, cuts, place};

/// The interruptions of some links.
#[derive(Debug, Clone, Copy)]
pub struct Interruptions<'a> {
    /// The walk on which they were passed, or found to be passed.
    pub walk: &'a Walk<'a>,
    /// The runner's twin.
    pub twin: &'a [u8],
    /// Whether each passage of a point counts by itself.
    pub every_point: bool,
    /// Whether a host that does not come through it stays as it is. Nobody else is killed after that.
    pub keep: bool,
}

/// A link on the host of a player.
#[derive(Debug, Clone, Copy)]
struct Victim<'a> {
    step: Step,
    player: &'a Player,
    link: &'a Link,
}

/// What came of killing a link on a host.
#[derive(Debug, Default)]
struct Killed {
    results: Vec<Tested>,
    /// The herds whose host is to stay.
    kept: Vec<usize>,
    /// How many points nobody came to.
    left: usize,
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

/// What a link comes to, and where it is to be killed; or why nobody knows, and in which herd that was seen.
type Found = Result<(Whole, Vec<Cut>), (Difference, usize)>;

/// How a run ended that was to be killed.
#[derive(Debug, PartialEq)]
enum Fall {
    /// It was.
    There,
    /// It was, when so many operations of a boot were over, which is somewhere else.
    Elsewhere { leg: usize, over: usize },
    /// It passed fewer points, and came to its end.
    Nowhere,
    /// It failed by itself.
    Failed(Difference),
}

/// How often it is tried to kill a link at a point: who asks again and again until something is so passes others each time.
const TRIES: usize = 3;

/// The exit code of who was killed.
const KILLED: i32 = 128 + 9;

/// The place of what is to be said of a link that was killed at no point.
const NOWHERE: &str = "nowhere";

const KEPT: &str = "a host that did not come through is kept as it is";

impl Interruptions<'_> {
    /// Kills each of these links at each of its points, but for those that came through it in an earlier test.
    ///
    /// # Errors
    /// When hosts can't be had or driven.
    pub fn hold(&self, steps: &[Step]) -> Result<(), TestError> {
        let steps: Vec<Step> = steps.iter().copied().filter(|step| !self.is_known(*step)).collect();
        let places: BTreeSet<usize> = steps.iter().map(|step| step.place).collect();
        let mut is_over = false;
        for place in places {
            let company = Company::at(self.walk, place);
            let at_place = steps.iter().filter(|step| step.place == place);
            let victims: Vec<Victim<'_>> = at_place.map(|step| self.victim(*step)).collect();
            let missed = company.missed(&self.walk.links[..=place]);
            let missed = missed.map(|player| format!("{}, for whom it waits, failed before", player.name));
            match missed.or_else(|| is_over.then(|| KEPT.to_owned())) {
                Some(why) => self.spare(&victims, &why),
                None => is_over = self.all(&victims, &company, &self.walk.links[place])?,
            }
        }
        Ok(())
    }

    /// Tells what an earlier test found, if one did.
    fn is_known(&self, step: Step) -> bool {
        let known = proven::after(self.walk, step).and_then(|layer| proven::of(&layer, self.every_point));
        for tested in known.iter().flatten() {
            self.tell(self.victim(step), Tested { from_layer: true, ..tested.clone() });
        }
        known.is_some()
    }

    fn victim(&self, step: Step) -> Victim<'_> {
        Victim { step, player: self.walk.parts[step.part].player, link: &self.walk.links[step.place] }
    }

    fn spare(&self, victims: &[Victim<'_>], why: &str) {
        for victim in victims {
            let verdict = Verdict::NotRun { why: why.to_owned() };
            self.tell(*victim, tested(NOWHERE, verdict, &Stopwatch::start()));
        }
    }

    /// Whether one of them was left, and all is over.
    fn all(&self, victims: &[Victim<'_>], company: &Company<'_>, link: &Link) -> Result<bool, TestError> {
        let mut crew = Crew::of(self.walk, self.twin, link, company);
        let mut before: Option<&Player> = None;
        for (number, victim) in victims.iter().enumerate() {
            // Each finds the others as they were.
            before.map_or(Ok(()), |player| crew.heal(player))?;
            let killed = self.one(&mut crew, company, *victim)?;
            if let Some(layer) = proven::after(self.walk, victim.step) {
                proven::keep(&layer, self.every_point, &killed.results);
            }
            if !killed.kept.is_empty() {
                self.spare(&victims[number + 1..], KEPT);
                crew.leave(&killed.kept, victim.player)?;
                return Ok(true);
            }
            before = Some(victim.player);
        }
        Ok(false)
    }

    fn one(&self, crew: &mut Crew<'_>, company: &Company<'_>, victim: Victim<'_>) -> Result<Killed, TestError> {
        let (watch, bases) = (Stopwatch::start(), &company.bases);
        let [first, others @ ..] = crew.scenes(2)? else { return Ok(Killed::default()) };
        let (whole, cuts) = match self.whole(first, others.first(), bases, victim)? {
            Ok(found) => found,
            Err((difference, number)) => {
                let log = Some(crew::log(victim.link, number, victim.player));
                let tested = Tested { log, ..tested(NOWHERE, company.excuse(difference), &watch) };
                let kept = if self.is_kept(&tested) { vec![number] } else { Vec::new() };
                return Ok(Killed { results: vec![self.tell(victim, tested)], kept, left: 0 });
            }
        };
        let scenes = crew.scenes(cuts.len())?;
        let queue = Mutex::new(cuts.into_iter());
        let worked = at_once::each(scenes.iter().enumerate(), |(number, scene)| {
            self.work(&queue, number, victim, |cut| kill(scene, bases, victim, &whole, cut))
        });
        let worked = worked.into_iter().collect::<Result<Vec<Killed>, TestError>>()?;
        let mut killed = worked.into_iter().fold(Killed::default(), Killed::and);
        let more = killed.rest().or_else(|| of_all(&killed.results));
        killed.results.extend(more.map(|verdict| self.tell(victim, tested(NOWHERE, verdict, &watch))));
        Ok(killed)
    }

    /// Kills it at one point after the other, as long as there are any; where a host is to stay, nobody comes to what is left.
    fn work(
        &self,
        queue: &Mutex<impl Iterator<Item = Cut>>,
        number: usize,
        victim: Victim<'_>,
        kill: impl Fn(&Cut) -> Result<Tested, TestError>,
    ) -> Result<Killed, TestError> {
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let mut killed = Killed::default();
        while let Some(cut) = next() {
            let log = Some(crew::log(victim.link, number, victim.player));
            let tested = self.tell(victim, Tested { log, ..kill(&cut)? });
            if self.is_kept(&tested) {
                killed.kept.push(number);
                killed.left = std::iter::from_fn(next).count();
            }
            killed.results.push(tested);
        }
        Ok(killed)
    }

    /// Whether a host is to stay of which this was found.
    fn is_kept(&self, tested: &Tested) -> bool {
        self.keep && matches!(tested.verdict, Verdict::Failed { .. })
    }

    /// Two runs in which nothing comes between, the second in another herd where there is one.
    fn whole(
        &self,
        one: &Scene<'_>,
        other: Option<&Scene<'_>>,
        bases: &Bases,
        victim: Victim<'_>,
    ) -> Result<Found, TestError> {
        let run = |scene: &Scene<'_>| -> Result<(End, Vec<Output>), TestError> {
            traced(fresh(scene, bases, victim)?, victim.link)
        };
        let (first, second) = match other {
            Some(other) => at_once::both(|| run(one), || run(other)),
            None => (run(one), run(one)),
        };
        let ((first, traces), (second, _)) = (first?, second?);
        let where_second = usize::from(other.is_some());
        let failed = failure(&first.legs).map(|difference| (difference, 0));
        let failed = failed.or_else(|| Some((failure(&second.legs)?, where_second)));
        if let Some((difference, number)) = failed {
            let difference = difference.under("the twin of the runner, which is to be killed, does not run it:");
            return Ok(Err((difference, number)));
        }
        let traces = match passed(&traces) {
            Ok(traces) => traces,
            Err(difference) => return Ok(Err((difference, 0))),
        };
        let cuts = cuts(&traces, &first.legs, self.every_point);
        let operations = judge::always(&joined(&first.legs), &joined(&second.legs));
        let never_the_same = judge::different(&first.tree, &second.tree).into_iter().map(Path::to_path_buf);
        let allowed = Allowed::default().and(never_the_same);
        Ok(Ok((Whole { end: first, operations, allowed }, cuts)))
    }

    /// Hands on a check of this host, and gives it back.
    fn tell(&self, victim: Victim<'_>, tested: Tested) -> Tested {
        let Victim { player, link, .. } = victim;
        let (host, roles, link) = (player.name.clone(), player.roles.clone(), Some(link.clone()));
        let tested = Tested { host, roles, link, ..tested };
        // Who does not listen any more has an error of its own.
        drop(self.walk.told.send(Event::Tested(Box::new(tested.clone()))));
        tested
    }
}

impl Killed {
    fn and(mut self, other: Self) -> Self {
        self.results.extend(other.results);
        self.kept.extend(other.kept);
        Self { left: self.left + other.left, ..self }
    }

    /// What is to be said of the points that nobody came to.
    fn rest(&self) -> Option<Verdict> {
        let why = format!("{} more points are left: {KEPT}", self.left);
        (self.left > 0).then_some(Verdict::NotRun { why })
    }
}

fn tested(place: &str, verdict: Verdict, watch: &Stopwatch) -> Tested {
    let seconds = watch.elapsed().as_secs_f64();
    Tested { verdict, seconds, ..Tested::new(Check::Interrupted(place.to_owned())) }
}

/// What is to be said of a link beside each kill: nothing, where it was killed at all.
fn of_all(done: &[Tested]) -> Option<Verdict> {
    if done.is_empty() {
        let why = "what it does lies in no file and in no command: there is no middle of it".to_owned();
        return Some(Verdict::Ignored { why });
    }
    let was_spared = done.iter().all(|tested| matches!(tested.verdict, Verdict::NotRun { .. }));
    let spared = || Difference::of("it was never killed where it was to be:", done.iter().map(|tested| &tested.check));
    was_spared.then(|| spared().into())
}

/// Kills a link at one moment, and runs it again.
fn kill(scene: &Scene<'_>, bases: &Bases, victim: Victim<'_>, whole: &Whole, cut: &Cut) -> Result<Tested, TestError> {
    let watch = Stopwatch::start();
    let told = |verdict: Verdict| tested(&cut.place, verdict, &watch);
    for left in (0..TRIES).rev() {
        let driver = fresh(scene, bases, victim)?;
        driver.diary.write(driver.name, &format!("== to be killed {}\n", cut.place))?;
        let killed = driver.run_under(&victim.link.name, &|leg| cut.faults(leg))?;
        match fall(&killed, cut) {
            Fall::Failed(difference) => return Ok(told(difference.into())),
            Fall::There => return Ok(told(resumed(driver, victim.link, whole, cut, &killed)?)),
            Fall::Elsewhere { leg, over } if left == 0 => {
                let notes = vec![elsewhere(whole, cut.point, leg, over)];
                return Ok(Tested { notes, ..told(resumed(driver, victim.link, whole, cut, &killed)?) });
            }
            Fall::Elsewhere { .. } | Fall::Nowhere => {}
        }
    }
    let why = format!("its way is another one each time, and in {TRIES} tries it was not killed there");
    Ok(told(Verdict::NotRun { why }))
}

/// Where a run was cut that was to be killed. Only the signal counts: who ends by itself was not killed.
fn fall(legs: &[Heard], cut: &Cut) -> Fall {
    let (Some(last), Some(leg)) = (legs.last(), legs.len().checked_sub(1)) else { return Fall::Nowhere };
    let over = last.operations.len();
    match (&last.ended, failure(legs)) {
        (None, _) if last.code == KILLED && (leg, over) == (cut.leg, cut.over) => Fall::There,
        (None, _) if last.code == KILLED => Fall::Elsewhere { leg, over },
        (_, Some(difference)) => {
            Fall::Failed(difference.under(format!("it was to be killed {}, and ended by itself:", cut.place)))
        }
        (_, None) => Fall::Nowhere,
    }
}

fn elsewhere(whole: &Whole, point: usize, leg: usize, over: usize) -> String {
    let operation = whole.end.legs.get(leg).and_then(|leg| leg.operations.get(over));
    format!("its way is another one each time: it was killed {}", place(point, operation, leg))
}

/// Runs a link again that was killed.
fn resumed(driver: Driver<'_>, link: &Link, whole: &Whole, cut: &Cut, killed: &[Heard]) -> Result<Verdict, TestError> {
    let end = end(driver, driver.run(&link.name)?)?;
    if let Some(difference) = failure(&end.legs) {
        return Ok(difference.under(format!("it was killed {}, and then:", cut.place)).into());
    }
    let specs = driver.specs(Some(&link.name))?;
    Ok(judged(whole, cut, killed, &end, &specs).into())
}

/// The host of a player as it was before the link.
fn fresh<'s>(scene: &'s Scene<'_>, bases: &Bases, victim: Victim<'s>) -> Result<Driver<'s>, TestError> {
    let player = victim.player;
    scene.renewed(player, bases.get(&player.name).map(PathBuf::as_path))
}

/// A run in which nothing comes between, and what was written down of the points that each of its boots passed.
fn traced(driver: Driver<'_>, link: &Link) -> Result<(End, Vec<Output>), TestError> {
    // Among what never counts.
    let path = |leg: usize| format!("/var/log/wildebeest-trace-{leg}");
    let plan = |leg: usize| Some(Plan { trace: Some(path(leg).into()), ..Plan::default() });
    let end = end(driver, driver.run_under(&link.name, &plan)?)?;
    let trace = |leg: usize| driver.host.run(Command::new("cat").arg(path(leg)));
    let traces = (0..end.legs.len()).map(trace).collect::<Result<Vec<Output>, SandboxError>>()?;
    Ok((end, traces))
}

/// The traces, as far as they are any. Each link passes points, if only those of the record when it starts: a twin that
/// passes none has none.
fn passed(traces: &[Output]) -> Result<Vec<String>, Difference> {
    if let Some(unread) = traces.iter().find(|trace| trace.code != 0) {
        return Err(Difference::of("it is not known which points it passes:", [unread.error_text()]));
    }
    let traces: Vec<String> = traces.iter().map(Output::text).collect();
    match traces.iter().all(String::is_empty) {
        true => Err(Difference::of("it can't be killed:", ["the twin of the runner has no crash points"])),
        false => Ok(traces),
    }
}

/// What a host has come to by now.
fn end(driver: Driver<'_>, legs: Vec<Heard>) -> Result<End, TestError> {
    let tree = driver.host.frozen(|| driver.host.tree())??;
    let packages = driver.host.read(Command::new("cat").arg("/var/lib/dpkg/status"))?;
    Ok(End { legs, tree, packages })
}

/// Who was killed and run again has done the same as who was not.
fn judged(whole: &Whole, cut: &Cut, killed: &[Heard], end: &End, specs: &Heard) -> Result<(), Difference> {
    let told = killed.iter().chain(&end.legs).map(|leg| leg.operations.as_slice());
    let runs: Vec<&[Operation]> = told.chain([cut.paid.as_slice()]).collect();
    let place = &cut.place;
    judge::lost(&whole.operations, &runs, place)?;
    all_hold(specs).map_err(|broken| broken.under(format!("it was killed {place}, run again, and does not hold:")))?;
    let heading = || format!("it was killed {place}, run again, and has (+) what it has not else (-):");
    judge::trees(&whole.end.tree, &end.tree, &whole.allowed).map_err(|difference| difference.under(heading()))?;
    judge::packages(&whole.end.packages, &end.packages).map_err(|difference| difference.under(heading()))
}

/// Whether all specs were asked, and hold.
fn all_hold(specs: &Heard) -> Result<(), Difference> {
    let broken = specs.answers.iter().filter_map(|answer| Some((&answer.spec, answer.error.as_ref()?)));
    let unasked = specs.error().filter(|_| specs.ended.is_none());
    let lines: Vec<String> = broken.map(|(spec, error)| format!("`{spec}`: {error}")).chain(unasked).collect();
    if lines.is_empty() { Ok(()) } else { Err(Difference { lines, hint: None }) }
}

#[cfg(test)]
mod tests;
