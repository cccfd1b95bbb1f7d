//! Torture: a real host, run again and again, that is killed, robbed of its power, of its disk and of its remote at
//! every point that it passes, and must come to its target without ever breaking an invariant.
//!
//! A *round* is one host, one or two deploys, and what happens meanwhile. All of it follows from the round's seed
//! ([`round`]); [`mod@play`] plays it with real processes, real git and real files; [`history`] is what was seen, and
//! [`rules`] what it is held to. Which points there are to fall at, [`ground`] finds out in rounds where nothing falls.

mod chance;
pub mod ground;
pub mod herd;
pub mod history;
pub mod journal;
pub mod links;
pub mod matrix;
pub mod mischief;
pub mod operator;
mod order;
pub mod outcome;
pub mod play;
pub mod remote;
pub mod round;
pub mod rule;
pub mod rules;
pub mod runner;
pub mod stage;
mod worker;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use wb_core::registry::{LogError, ObjectError, SignatureError};
use wb_core::runner::{CatalogError, EnrollError, HomeError};
use wb_core::system::fault::Bug;
use wb_core::system::{CommandError, FileError};

use crate::shell::Shell;
use ground::Ground;
use outcome::{Outcome, Tally};
use play::{Played, play};
use round::Round;

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
    /// What stands between a host and its remote.
    #[error("nothing can stand between a host and its remote")]
    Wire {
        /// Why.
        source: std::io::Error,
    },
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

/// Tortures hosts that run the program at `exe`: this one.
///
/// # Errors
/// When rounds can't be played at all. What a host does wrong is in the outcome.
pub fn torture(exe: &Path, options: &Options, shell: &Shell) -> Result<Outcome, TortureError> {
    let setting = shell.begin("sets the stage");
    let ground = Ground::set(exe)?;
    drop(setting);
    let outcome = rounds(&ground, options, shell)?;
    if options.keep && !outcome.ok {
        shell.note(format_args!("the rounds that went wrong are in {}", ground.keep().display()));
    }
    Ok(outcome)
}

/// Plays rounds on the same ground.
///
/// # Errors
/// As [`torture`].
pub fn rounds(ground: &Ground, options: &Options, shell: &Shell) -> Result<Outcome, TortureError> {
    let bar = shell.begin_steps("rounds", options.rounds as u64);
    let mut tally = Tally::new(ground.points());
    let next = AtomicUsize::new(0);
    let (done, rounds) = channel();
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            let (done, next) = (done.clone(), &next);
            scope.spawn(move || work(ground, options, next, &done));
        }
        drop(done);
        for (seed, played) in rounds {
            let played = played.map_err(|source| TortureError::Round { seed, source: Box::new(source) })?;
            played.violations.iter().for_each(|violation| shell.warn(format_args!("seed {seed}: {violation}")));
            tally.add(seed, played);
            bar.reached(tally.rounds as u64);
            if options.bug.is_some_and(|bug| tally.has_broken(rule::breaks(bug))) {
                next.store(options.rounds, Ordering::Relaxed);
            }
        }
        Ok::<(), TortureError>(())
    })?;
    Ok(tally.outcome())
}

/// Plays rounds until there are no more.
fn work(ground: &Ground, options: &Options, next: &AtomicUsize, done: &Sender<Ended>) {
    let play = |seed| in_place(ground, &Round::drawn(seed, &ground.passages), options.bug, options.keep);
    worker::work((options.seed, options.rounds), next, done, play);
}

type Ended = (u64, Result<Played, TortureError>);

fn in_place(ground: &Ground, round: &Round, bug: Option<Bug>, keep: bool) -> Result<Played, TortureError> {
    let place = ground.stage.place(&format!("round-{}", round.seed))?;
    let played = play(&ground.stage, &place, round, bug)?;
    if !keep || played.violations.is_empty() {
        place.remove();
    }
    Ok(played)
}
