//! The process that is tortured: a real runner with the links of one generation, on the tree of one round.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wb_core::chain::Digest;
use wb_core::runner::{Program, main_of};
use wb_core::system::command::Processes;
use wb_core::system::fault::{Fault, Injected, Kind, POINTS, Point, Subject, When};
use wb_core::system::{Clock, Command, CommandError, Output, System, environment, fault, files};

use super::TortureError;
use super::journal::DIR;
use super::links::Generation;
use super::operator::CRASHING;
use super::play::{Plans, trace};
use super::stage::script;

/// Runs the command line of a runner of `generation`, in the round that the environment names.
///
/// # Errors
/// When it is started by anything else than a round.
pub fn run(generation: &str, args: Vec<OsString>) -> Result<ExitCode, TortureError> {
    let dir = environment::var(DIR).map(PathBuf::from).ok_or(TortureError::NoRound)?;
    let dies = generation == CRASHING;
    let links = if dies { Some(Generation::Second) } else { Generation::named(generation) };
    let links = links.ok_or(TortureError::NoRound)?;
    arm(&dir, &args, dies);
    let system = machine(&dir);
    let digest = Some(Digest::of(script(generation).as_bytes()));
    let args = std::iter::once(OsString::from("wildebeest")).chain(args).collect();
    Ok(main_of(&Program { catalog: links.catalog()?, system, digest, args }))
}

/// The machine of the round in this directory.
pub(super) fn machine(dir: &Path) -> System {
    let machine = Machine { dir: dir.to_owned(), root: dir.join("host/root") };
    System::new(machine.root.clone(), machine, Standing::read(dir))
}

/// Takes the plan of this process out of the round's. A self-check is no start: it changes nothing.
fn arm(dir: &Path, args: &[OsString], dies: bool) {
    let Some(all) = files::read_optional(Plans::file(dir)).ok().flatten() else { return };
    let all: Plans = serde_json::from_slice(&all).unwrap_or_default();
    if args.iter().any(|arg| arg == "self-check") {
        return all.bug.into_iter().for_each(fault::plant);
    }
    let start = counted(&dir.join("starts"));
    let trace = Some(trace(dir, start));
    let calm = fault::Plan { seed: all.seed, trace, ..fault::Plan::default() };
    let plan = all.plans.into_iter().nth(start).unwrap_or(calm);
    let faults = dies.then(before_the_first_poll).into_iter().chain(plan.faults).collect();
    fault::arm(fault::Plan { bugs: all.bug.into_iter().collect(), faults, ..plan });
}

/// Death where the agent would look at the remote.
fn before_the_first_poll() -> Injected {
    let is_fetch = |point: &Point| point.subject == Subject::Fetch && point.kind == Kind::Spawn;
    let point = POINTS.iter().position(is_fetch).unwrap_or_default();
    Injected { fault: Fault::Kill, at: When::Point { point, nth: 0 } }
}

/// How often this was called before for a file, which is that long.
fn counted(file: &Path) -> usize {
    let open = OpenOptions::new().append(true).create(true).open(file);
    let length = open.and_then(|mut file| {
        file.write_all(b".")?;
        file.metadata()
    });
    length.map_or(0, |metadata| usize::try_from(metadata.len()).unwrap_or(1) - 1)
}

/// Runs commands of the host: its own scripts, under its root.
struct Machine {
    dir: PathBuf,
    root: PathBuf,
}

impl Processes for Machine {
    fn run(&self, command: &Command) -> Result<Output, CommandError> {
        let line = command.line();
        let mut words = line.split(' ');
        let program = words.next().unwrap_or_default();
        let place = if program.starts_with('/') { self.root.clone() } else { self.root.join("sbin") };
        let inside = Command::new(place.join(program.trim_start_matches('/'))).args(words);
        inside.env(DIR, &self.dir).expendable().run()
    }
}

/// A clock that the round sets, and that stands still unless somebody sleeps.
struct Standing(Mutex<Duration>);

impl Standing {
    fn read(dir: &Path) -> Self {
        let text = files::read_text(dir.join("clock")).unwrap_or_default();
        Self(Mutex::new(Duration::from_secs(text.trim().parse().unwrap_or_default())))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for Standing {
    fn now(&self) -> Duration {
        *self.lock()
    }

    fn passed(&self) -> Duration {
        self.now()
    }

    fn sleep(&self, duration: Duration) {
        *self.lock() += duration;
    }
}
