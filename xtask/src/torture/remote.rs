//! Torture of what comes from elsewhere: nothing that a remote has, however broken, makes a host panic, lose what it had, or
//! run something else than what was signed (invariant 9 of the design).
//!
//! A *round* is a process with a seed. It gives inputs of each [`kind`] to the code that reads them ([`examination`]):
//! valid values that were drawn ([`draw`]) and made wrong ([`mutation`]). Then it makes a [`visit`]: a real agent looks at a
//! real repository that somebody has played [`trick`]s on, and comes to its target once it is right again. Whatever
//! a process dies of, the round's seed and the last input are known.

pub mod bare;
pub mod draw;
pub mod examination;
pub mod guest;
pub mod inputs;
pub mod kind;
pub mod mutation;
pub mod outcome;
pub mod trick;
pub mod visit;
pub mod wire;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use wb_core::chain::Digest;
use wb_core::system::clock::{Clock as _, Real};
use wb_core::system::{Command, CommandError, environment, files};

use super::ground::Scratch;
use super::rule::Rule;
use super::stage::{Place, Stage};
use super::{TortureError, worker};
use crate::shell::Shell;
use guest::{Done, Task, last_input};
use kind::Kind;
use outcome::{Found, Outcome};
use wire::Server;

/// What to give, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The seed of the first round; each round after it has the next one.
    pub seed: u64,
    /// How many rounds.
    pub rounds: usize,
    /// How many at once.
    pub jobs: usize,
    /// How many inputs of each kind in a round.
    pub inputs: usize,
    /// Which kinds of input.
    pub kinds: Vec<Kind>,
    /// Whether a host visits a remote in each round.
    pub visits: bool,
    /// Leave the directories of rounds that went wrong.
    pub keep: bool,
}

/// No round takes so long unless it hangs.
const BOUND: Duration = Duration::from_secs(180);

/// Where rounds take place.
struct Ground {
    exe: PathBuf,
    scratch: Scratch,
    stage: Option<(Stage, Server)>,
}

/// Tortures in processes that run the program at `exe`: this one.
///
/// # Errors
/// When rounds can't be played at all. What goes wrong in them is in the outcome.
pub fn torture(exe: &Path, options: &Options, shell: &Shell) -> Result<Outcome, TortureError> {
    let ground = Ground::set(exe, options.visits, shell)?;
    let (bar, begun) = (shell.begin_steps("rounds", options.rounds as u64), Real.passed());
    let mut outcome = Outcome::begin(options.visits);
    let next = AtomicUsize::new(0);
    let (done, rounds) = channel();
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            let (done, next, ground) = (done.clone(), &next, &ground);
            scope.spawn(move || work(ground, options, next, &done));
        }
        drop(done);
        for (seed, ended) in rounds {
            let (came, found) = ended.map_err(|source| TortureError::Round { seed, source: Box::new(source) })?;
            found.iter().for_each(|found| shell.warn(format_args!("seed {seed}: {}: {}", found.rule, found.what)));
            outcome.rounds += 1;
            outcome.add(&came);
            found.into_iter().for_each(|found| outcome.broke(found));
            bar.reached(outcome.rounds as u64);
        }
        Ok::<(), TortureError>(())
    })?;
    outcome.seconds = Real.passed().saturating_sub(begun).as_secs_f64();
    if options.keep && !outcome.ok {
        shell.note(format_args!("the rounds that went wrong are in {}", ground.scratch.keep().display()));
    }
    Ok(outcome)
}

type Ended = (u64, Result<(Done, Vec<Found>), TortureError>);

/// Plays rounds until there are no more.
fn work(ground: &Ground, options: &Options, next: &AtomicUsize, done: &Sender<Ended>) {
    worker::work((options.seed, options.rounds), next, done, |seed| ground.round(seed, options));
}

impl Ground {
    fn set(exe: &Path, visits: bool, shell: &Shell) -> Result<Self, TortureError> {
        let (exe, scratch) = (exe.to_owned(), Scratch::new()?);
        if !visits {
            return Ok(Self { exe, scratch, stage: None });
        }
        let _setting = shell.begin("sets the stage");
        let stage = Stage::set(scratch.path(), &exe, "")?;
        let server = Server::start(scratch.path())?;
        Ok(Self { exe, scratch, stage: Some((stage, server)) })
    }

    fn round(&self, seed: u64, options: &Options) -> Result<(Done, Vec<Found>), TortureError> {
        let name = format!("round-{seed}");
        let place = match &self.stage {
            Some((stage, _)) => stage.place(&name)?,
            None => Place::new(&self.scratch.path().join(name), &self.exe)?,
        };
        let task = Task {
            seed,
            inputs: options.inputs,
            kinds: options.kinds.clone(),
            visit: self.stage.as_ref().map(|(stage, server)| (stage.dir().to_owned(), server.port())),
        };
        let played = self.play(&place, &task)?;
        if !options.keep || played.1.is_empty() {
            place.remove();
        }
        Ok(played)
    }

    fn play(&self, place: &Place, task: &Task) -> Result<(Done, Vec<Found>), TortureError> {
        let command = place.in_environment(task.command(&self.exe)).timeout(BOUND);
        let found =
            |rule: Rule, what: String, again: String| Found { seed: task.seed, rule: rule.to_string(), what, again };
        let output = match command.run() {
            Err(CommandError::TimedOut { .. }) => {
                let again = task.again(&place.dir)?;
                let what = format!("it did not end within {} s", BOUND.as_secs());
                return Ok((Done::default(), vec![found(Rule::Invariant(9), what, again)]));
            }
            ran => ran.map_err(TortureError::Command)?,
        };
        let Ok(done) = serde_json::from_slice::<Done>(&output.stdout) else {
            let what = format!("it died, exit code {}: {}", output.code, last_words(&output.error_text()));
            return Ok((Done::default(), vec![found(Rule::Invariant(9), what, task.again(&place.dir)?)]));
        };
        let mut all = Vec::new();
        for (kind, file, what) in &done.bad {
            let again = kept(kind, &files::read(file)?)?;
            all.push(found(Rule::Invariant(9), format!("{kind}: {what}"), again));
        }
        for (rule, what) in &done.visited.violations {
            let what = format!("{}: {what}", done.visited.tricks.join(" and "));
            all.push(Found { seed: task.seed, rule: rule.clone(), what, again: task.alone() });
        }
        Ok((done, all))
    }
}

impl Task {
    fn command(&self, exe: &Path) -> Command {
        let (seed, inputs) = (self.seed.to_string(), self.inputs.to_string());
        let command = Command::new(exe).args(["torture", "guest", "--seed", &seed, "--inputs", &inputs]);
        let command = self.kinds.iter().fold(command, |command, kind| command.args(["--kind", kind.name()]));
        match &self.visit {
            Some((stage, server)) => command.arg("--stage").arg(stage).args(["--server", &server.to_string()]),
            None => command,
        }
    }

    fn alone(&self) -> String {
        format!("--seed {} --rounds 1", self.seed)
    }

    /// What repeats a round whose process died: the input that it was at, or all of it.
    fn again(&self, round: &Path) -> Result<String, TortureError> {
        match last_input(round) {
            Some((kind, input)) => kept(kind.name(), &input),
            None => Ok(self.alone()),
        }
    }
}

/// Keeps an input for whoever looks into it.
fn kept(kind: &str, input: &[u8]) -> Result<String, TortureError> {
    let dir = environment::temp_dir().join("wildebeest-inputs");
    files::create_dir(&dir)?;
    let file = dir.join(format!("{kind}-{}", Digest::of(input).short()));
    files::write(&file, input, 0o644)?;
    Ok(format!("--kind {kind} --input {}", file.display()))
}

fn last_words(said: &str) -> String {
    let from = said.char_indices().rev().nth(300).map_or(0, |(at, _)| at);
    said[from..].trim().replace('\n', "; ")
}
