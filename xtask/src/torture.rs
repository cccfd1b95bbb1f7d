//! Torture: a real host, run again and again, that is killed, robbed of its power, of its disk and of its remote at
//! every point that it passes, and must come to its target without ever breaking an invariant.
//!
//! A *round* is one host, one or two deploys, and what happens meanwhile. All of it follows from the round's seed
//! ([`round`]); [`mod@play`] plays it with real processes, real git and real files; [`history`] is what was seen, and the
//! rules that it is held to. Which points there are to fall at, [`calibrate`] finds out in rounds where nothing falls.

mod chance;
pub mod history;
pub mod journal;
pub mod links;
pub mod matrix;
pub mod mischief;
pub mod operator;
pub mod play;
pub mod round;
pub mod runner;
pub mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use serde::Serialize;
use wb_core::registry::{LogError, ObjectError, SignatureError};
use wb_core::runner::{CatalogError, EnrollError, HomeError};
use wb_core::system::fault::{Bug, POINTS};
use wb_core::system::{CommandError, FileError, environment, files};

use crate::shell::Shell;
use play::{Played, play};
use round::{Passages, Round, Scenario};
use stage::Stage;

/// What to torture, and for how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// The seed of the first round; each round after it has the next one.
    pub seed: u64,
    /// How many rounds.
    pub rounds: usize,
    /// How many at once.
    pub jobs: usize,
    /// Leave the directories of rounds that went wrong.
    pub keep: bool,
    /// The mistake that the host makes on purpose. The rounds end where it is found.
    pub bug: Option<Bug>,
    /// The program that a tortured host runs: this one.
    pub exe: PathBuf,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// How many rounds were played.
    pub rounds: usize,
    /// How many points there are at which a host may fall.
    pub crash_points: usize,
    /// At how many of them one fell.
    pub crash_points_hit: usize,
    /// How often what happened.
    pub faults: BTreeMap<String, usize>,
    /// What was broken, and by which seed.
    pub violations: Vec<Found>,
    /// Whether nothing was.
    pub ok: bool,
    /// The names of points at which none fell.
    #[serde(skip)]
    pub missed: Vec<&'static str>,
    /// The names of points that no scenario passes.
    #[serde(skip)]
    pub unpassed: Vec<&'static str>,
}

/// A round that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The seed that repeats it.
    pub seed: u64,
    /// Which rule was broken.
    pub rule: String,
    /// How.
    pub what: String,
}

/// Why a round could not be played.
#[derive(Debug, thiserror::Error)]
pub enum TortureError {
    /// Without any fault the host does not come into service.
    #[error("the host does not come into service when nothing is wrong: {said}")]
    NoStage {
        /// What it said.
        said: String,
    },
    /// Without any fault a round goes wrong.
    #[error("the round `{scenario}` goes wrong when nothing is: {what}")]
    NoCalm {
        /// Which.
        scenario: &'static str,
        /// What was broken.
        what: String,
    },
    /// A round can't be played.
    #[error("the round of seed {seed} can't be played")]
    Round {
        /// Which.
        seed: u64,
        /// Why.
        source: Box<Self>,
    },
    /// What is tortured runs in rounds only.
    #[error("this is no round of `cargo xtask torture`")]
    NoRound,
    /// A command can't be run.
    #[error(transparent)]
    Command(CommandError),
    /// A file of the round.
    #[error(transparent)]
    File(#[from] FileError),
    /// A key.
    #[error(transparent)]
    Key(#[from] SignatureError),
    /// The objects of the remote.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The log of changes.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The host can't be enrolled.
    #[error(transparent)]
    Enroll(#[from] EnrollError),
    /// The host's own files.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The host's record.
    #[error(transparent)]
    Store(#[from] wb_core::agent::StoreError),
    /// The links.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// Tortures.
///
/// # Errors
/// When rounds can't be played at all. What a host does wrong is in the outcome.
pub fn torture(options: &Options, shell: &Shell) -> Result<Outcome, TortureError> {
    let scratch = Scratch::new()?;
    let setting = shell.begin("sets the stage");
    let stage = Stage::set(&scratch.0, &options.exe)?;
    let passages = calibrate(&stage)?;
    drop(setting);
    let bar = shell.begin_steps("rounds", options.rounds as u64);
    let mut tally = Tally::new(round::points(&passages));
    let next = AtomicUsize::new(0);
    let (done, rounds) = channel();
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            let (done, stage, passages, next) = (done.clone(), &stage, &passages, &next);
            scope.spawn(move || work(options, stage, passages, next, &done));
        }
        drop(done);
        for (seed, played) in rounds {
            let played = played.map_err(|source| TortureError::Round { seed, source: Box::new(source) })?;
            played.violations.iter().for_each(|violation| shell.warn(format_args!("seed {seed}: {violation}")));
            tally.add(seed, played);
            bar.reached(tally.rounds as u64);
            if options.bug.is_some_and(|bug| tally.has_broken(history::breaks(bug))) {
                next.store(options.rounds, Ordering::Relaxed);
            }
        }
        Ok::<(), TortureError>(())
    })?;
    scratch.end(options.keep && !tally.violations.is_empty(), shell);
    Ok(tally.outcome())
}

/// Plays rounds until there are no more.
fn work(options: &Options, stage: &Stage, passages: &Passages, next: &AtomicUsize, done: &Sender<Ended>) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= options.rounds {
            return;
        }
        let seed = options.seed.wrapping_add(number as u64);
        let round = Round::drawn(seed, passages);
        if done.send((seed, in_place(stage, &round, options.bug, options.keep))).is_err() {
            return;
        }
    }
}

type Ended = (u64, Result<Played, TortureError>);

fn in_place(stage: &Stage, round: &Round, bug: Option<Bug>, keep: bool) -> Result<Played, TortureError> {
    let place = stage.place(&format!("round-{}", round.seed))?;
    let played = play(stage, &place, round, bug)?;
    if !keep || played.violations.is_empty() {
        place.remove();
    }
    Ok(played)
}

/// Finds out which points are passed, in a round of each scenario in which nothing happens.
///
/// # Errors
/// When one of them goes wrong all the same.
pub fn calibrate(stage: &Stage) -> Result<Passages, TortureError> {
    let mut passages = Passages::new();
    for scenario in Scenario::ALL {
        let place = stage.place(&format!("calm-{}", scenario.name().replace(' ', "-")))?;
        let played = play(stage, &place, &Round::calm(scenario), None)?;
        if let Some(violation) = played.violations.first() {
            return Err(TortureError::NoCalm { scenario: scenario.name(), what: violation.to_string() });
        }
        place.remove();
        passages.insert(scenario, played.passed);
    }
    Ok(passages)
}

#[derive(Debug, Default)]
struct Tally {
    rounds: usize,
    points: Vec<usize>,
    hit: BTreeSet<usize>,
    faults: BTreeMap<String, usize>,
    violations: Vec<Found>,
}

impl Tally {
    fn new(points: Vec<usize>) -> Self {
        Self { points, ..Self::default() }
    }

    fn add(&mut self, seed: u64, played: Played) {
        self.rounds += 1;
        let fell = played.fell.iter().map(|blow| round::name(blow.fault));
        for name in fell.chain(played.mischief.iter().map(|kind| kind.name())) {
            *self.faults.entry(name.to_owned()).or_default() += 1;
        }
        self.hit.extend(played.fell.iter().filter(|blow| !blow.is_mild()).map(|blow| blow.point));
        let found =
            |violation: history::Violation| Found { seed, rule: violation.rule.to_string(), what: violation.what };
        self.violations.extend(played.violations.into_iter().map(found));
    }

    fn has_broken(&self, rule: history::Rule) -> bool {
        self.violations.iter().any(|found| found.rule == rule.to_string())
    }

    fn outcome(mut self) -> Outcome {
        self.violations.sort_by_key(|found| found.seed);
        let missed = self.points.iter().filter(|point| !self.hit.contains(point));
        let missed: Vec<&str> = missed.map(|point| POINTS[*point].name).collect();
        let unpassed = (0..POINTS.len()).filter(|point| !self.points.contains(point));
        let unpassed = unpassed.map(|point| POINTS[point].name).collect();
        Outcome {
            unpassed,
            rounds: self.rounds,
            crash_points: self.points.len(),
            crash_points_hit: self.points.len() - missed.len(),
            faults: self.faults,
            ok: self.violations.is_empty(),
            violations: self.violations,
            missed,
        }
    }
}

/// Where rounds take place: in memory, where there is room for them.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, TortureError> {
        let name = format!("wildebeest-torture-{}", uuid::Uuid::new_v4());
        let memory = Path::new("/dev/shm").join(&name);
        let dir = match files::create_private_dir(&memory) {
            Ok(()) => memory,
            Err(_) => {
                let dir = environment::temp_dir().join(name);
                files::create_private_dir(&dir)?;
                dir
            }
        };
        Ok(Self(dir))
    }

    fn end(self, keep: bool, shell: &Shell) {
        if keep {
            shell.note(format_args!("the rounds that went wrong are in {}", self.0.display()));
            std::mem::forget(self);
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(files::remove_tree(&self.0));
    }
}
