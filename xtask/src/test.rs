//! `cargo xtask test`: what a fleet does on hosts of its own before any other host has it.
//!
//! Each set of roles of the herd has a host in a sandbox, and all of them go along the chain together. Every link is planned,
//! run, asked for its specs, and run once more, by the very runner that ships; the newest links are killed on their way, too,
//! a herd with more hosts rolls to the newest one, and baselines are held against what they stand for. What hosts come to is
//! kept, so that the next test begins there.

pub mod allow;
pub mod baseline;
pub mod cast;
pub mod crowd;
pub mod diary;
pub mod drive;
pub mod helpers;
pub mod interrupt;
pub mod judge;
pub mod junit;
pub mod key;
pub mod link;
mod newest;
pub mod outcome;
pub mod page;
mod patience;
mod proven;
pub mod rehearsal;
mod results;
pub mod roll;
pub mod scene;
pub mod stock;
pub mod walk;
mod witness;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, TryRecvError, channel};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Duration;

use wb_core::chain::{Link, nearest, some_of};
use wb_core::registry::{Resolved, resolve_strictly};
use wb_core::runner::with_causes;
use wb_core::system::CommandError;
use wb_core::system::clock::Stopwatch;
use wb_core::system::files::{self, FileError};

use crate::attestation::AttestationError;
use crate::build::{self, BuildError, Built};
use crate::fleet::{self, Fleet, FleetError};
use crate::foresight;
use crate::named::{Kind, Unknown};
use crate::sandbox::{self, Distribution, Image, Init, NotReady, SandboxError, SubnetError, cache_dir, scratch_dir};
use crate::shell::Shell;
use crate::signing_key::KeyError;
use crate::soundness::{self, Flaw, SoundnessError};
use crate::stage::StageError;
use baseline::Proofs;
use cast::Player;
use diary::Diary;
use interrupt::Interruptions;
use judge::Difference;
use newest::newest;
use outcome::{Check, Outcome, Tested, Verdict};
use rehearsal::{Rehearsal, Says};
use results::Results;
use roll::Roll;
use scene::{Props, Scene};
use walk::{Actor, Part, Step, Walk};
use witness::{Subject, Witness};

/// What is tested, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The roles that are tested, with those whom their links wait for; none: all.
    pub roles: BTreeSet<String>,
    /// The links that are tested anew; none: all that there is no layer of.
    pub migrations: BTreeSet<String>,
    /// How many hosts may act at once.
    pub jobs: usize,
    /// Whether no layer is used.
    pub from_scratch: bool,
    /// Whether the hosts stay.
    pub keep: bool,
    /// How many of the newest links are killed, unless they came through that in an earlier test.
    pub interrupt: usize,
    /// Whether each passage of a crash point counts by itself.
    pub every_point: bool,
    /// Whether no herd rolls.
    pub no_roll: bool,
    /// What hosts are.
    pub image: Distribution,
    /// What runs as their process 1.
    pub init: Init,
    /// Where JUnit's XML goes, beside where it always goes.
    pub junit: Option<PathBuf>,
    /// Where all of it goes as JSON, beside where it always goes.
    pub json: Option<PathBuf>,
    /// The key that signs what is attested once all passed; none: nobody signs it.
    pub key: Option<PathBuf>,
    /// Whether what is attested goes to the remote, with the runner. It has to be signed then.
    pub push: bool,
}

impl Default for Options {
    /// All of it, as many hosts at once as there are processors, on what is kept; three links are killed.
    fn default() -> Self {
        Self {
            roles: BTreeSet::new(),
            migrations: BTreeSet::new(),
            jobs: thread::available_parallelism().map_or(1, usize::from),
            from_scratch: false,
            keep: false,
            interrupt: 3,
            every_point: false,
            no_roll: false,
            image: Distribution::Debian12,
            init: Init::Sysv,
            junit: None,
            json: None,
            key: None,
            push: false,
        }
    }
}

impl Options {
    /// Whether all hosts and all links are tested, and a herd rolls.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.roles.is_empty() && self.migrations.is_empty() && !self.no_roll
    }
}

/// Why nothing, or not all, was tested. A check that fails is none.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// There are no sandboxes.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// A sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The network of the hosts.
    #[error(transparent)]
    Subnet(#[from] SubnetError),
    /// The fleet can't be read.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// Nobody knows whether it is sound.
    #[error(transparent)]
    Soundness(#[from] SoundnessError),
    /// The runner, or its twin, does not build.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The runner does not start here.
    #[error("the runner that was built does not say which chain it has")]
    RunnerFails {
        /// Why.
        source: CommandError,
    },
    /// The runner says something else.
    #[error("the runner that was built says something else than its chain")]
    RunnerSays {
        /// What does not parse.
        source: serde_json::Error,
    },
    /// A herd could not be set up.
    #[error(transparent)]
    Stage(#[from] Box<StageError>),
    /// A role or a link is unknown.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// A link that somebody named is run by nobody who plays.
    #[error("no host that is tested runs `{name}`")]
    Nobody {
        /// Its name.
        name: String,
    },
    /// There is no link yet.
    #[error("there is nothing to test: the chain has no migrations")]
    Nothing,
    /// What was tested is to be attested for others, and would be of no commit.
    #[error("files are not committed yet: {files}; what was tested would be of no commit")]
    Uncommitted {
        /// Some of them.
        files: String,
    },
    /// There is no key to sign it with.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It can't be attested.
    #[error(transparent)]
    Attestation(#[from] Box<AttestationError>),
    /// A host refuses to be driven.
    #[error("{host} refused `drill {asked}`: {said}")]
    Drill {
        /// The host.
        host: String,
        /// What was asked of it.
        asked: String,
        /// What it said.
        said: String,
    },
    /// Somebody does not play.
    #[error("the scene has no host for {name}")]
    NoHost {
        /// Who.
        name: String,
    },
    /// Another test has the place of its results.
    #[error("another test of this fleet is under way, and writes into {}", dir.display())]
    Busy {
        /// The place.
        dir: PathBuf,
    },
    /// The result can't be written.
    #[error("could not write the result to {}", path.display())]
    Result {
        /// Where.
        path: PathBuf,
        /// The encoder's error.
        source: serde_json::Error,
    },
}

impl From<StageError> for TestError {
    fn from(error: StageError) -> Self {
        Self::Stage(Box::new(error))
    }
}

impl From<AttestationError> for TestError {
    fn from(error: AttestationError) -> Self {
        Self::Attestation(Box::new(error))
    }
}

/// What is heard of a test while it goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A check was made.
    Tested(Box<Tested>),
    /// There is something to know.
    Note(String),
    /// A host stays. This is the command that leads into it.
    Kept(String),
}

impl Event {
    fn heard_after(self, elapsed: Duration) -> Self {
        match self {
            Self::Tested(tested) => Self::Tested(Box::new(Tested { ended: elapsed.as_secs_f64(), ..*tested })),
            other => other,
        }
    }
}

/// Tests a fleet. Each check is printed as it is made; what came of all of them lies in `wildebeest/test` of cargo's target
/// directory, too, with the logs of the hosts, also where something else failed amid it: then it says so. Where all was tested
/// that there is, and passed, it is attested that this very runner was.
///
/// # Errors
/// When there can be no sandboxes, or something else than the fleet's own code fails.
pub fn run(fleet: &Fleet, options: &Options, shell: &Shell) -> Result<Outcome, TestError> {
    let watch = Stopwatch::start();
    sandbox::ready(&scratch_dir("test"), shell)?;
    let target = fleet::metadata(&fleet.crate_dir)?.target_directory.into_std_path_buf();
    let results = Results::begin(target.join("wildebeest/test"))?;
    let mut witness = Witness::of(fleet, options)?;
    let mut outcome = Outcome::default();
    let tested = tested(fleet, options, &results, &mut witness, &mut outcome, shell);
    outcome.seconds = watch.elapsed().as_secs_f64();
    outcome.cut_short = tested.as_ref().err().map(|error| with_causes(error));
    let written = results.write(&outcome, options);
    let play = tested.inspect_err(|_| shell.print_page(&page::so_far(&outcome, &shell.canvas())))?;
    written?;
    match play.filter(|_| options.is_whole() && outcome.came_through()) {
        Some(_) if options.interrupt == 0 => shell.note("nothing is attested: no migration was killed"),
        Some(play) => witness.attest(play.subject(), &outcome, shell)?,
        None => {}
    }
    Ok(outcome)
}

/// Makes all checks; gives what was tested, where the fleet is sound.
fn tested(
    fleet: &Fleet,
    options: &Options,
    results: &Results,
    witness: &mut Witness,
    outcome: &mut Outcome,
    shell: &Shell,
) -> Result<Option<Play>, TestError> {
    let (diary, resolved) = (results.diary()?, resolve_strictly(&fleet.crate_dir)?);
    let sound = chain(fleet, options, &resolved, shell)?;
    let holds = sound.verdict == Verdict::Passed;
    hear(Event::Tested(Box::new(sound)), outcome, shell);
    // Nothing has to be built to say so.
    if holds && resolved.links.is_empty() {
        return Err(TestError::Nothing);
    }
    let play = holds.then(|| Play::prepare(fleet, options, results, shell)).transpose()?;
    witness.look_again()?;
    if let Some(play) = &play {
        outcome.build_seconds = play.build_seconds;
        let acted = play.act(options, &diary, outcome, shell);
        let hosts = play.rehearsal.players.iter().chain(&play.crowd).map(|player| player.name.as_str());
        outcome.logs = diary.logs(hosts.chain(outcome.tested.iter().filter_map(|tested| tested.log.as_deref())));
        acted?;
    }
    Ok(play)
}

/// What `cargo xtask check` looks at: first what the sources say, then settings, for which a runner may have to be
/// built. Where the sources are sound, names that they don't have are refused in between.
fn chain(fleet: &Fleet, options: &Options, resolved: &Resolved, shell: &Shell) -> Result<Tested, TestError> {
    let watch = Stopwatch::start();
    let mut flaws = soundness::flaws_of_sources(fleet, resolved)?;
    if let Some(links) = foresight::links(resolved).filter(|_| flaws.is_empty()) {
        are_known(options, links, &cast::cast(&fleet.herd()?, links))?;
    }
    flaws.extend(soundness::unfit(fleet, resolved, shell)?.into_iter().map(Flaw::Herd));
    let verdict = match flaws.first() {
        None => Verdict::Passed,
        Some(first) => Difference::of("the fleet is not sound:", &flaws).hint(first.help()).into(),
    };
    Ok(Tested { verdict, seconds: watch.elapsed().as_secs_f64(), ..Tested::new(Check::Chain) })
}

/// All that a test needs.
struct Play {
    fleet: Fleet,
    /// What was built, where the test has it for itself.
    built: Built,
    /// The same.
    runner: Vec<u8>,
    twin: Option<Vec<u8>>,
    rehearsal: Rehearsal,
    /// Who rolls.
    crowd: Vec<Player>,
    /// Why nobody does, where herd.toml says so.
    no_roll: Option<String>,
    /// How long cargo took.
    build_seconds: f64,
}

impl Play {
    fn prepare(fleet: &Fleet, options: &Options, results: &Results, shell: &Shell) -> Result<Self, TestError> {
        let watch = Stopwatch::start();
        let (built, twin) = match options.interrupt {
            0 => (build::runner(fleet, shell)?, None),
            _ => build::runner_and_probe(fleet, shell).map(|(runner, twin)| (runner, Some(twin)))?,
        };
        let build_seconds = watch.elapsed().as_secs_f64();
        let twin = twin.map(|twin| files::read(twin.path)).transpose()?;
        let runner = files::read(&built.path)?;
        // Cargo may put another one into its place meanwhile.
        let built = Built { path: results.keep_runner(&runner)?, ..built };
        let (says, herd) = (Says::of(&built.path)?, fleet.herd()?);
        are_known(options, says.chain.links(), &cast::cast(&herd, says.chain.links()))?;
        let image = {
            let _progress = shell.begin("preparing the hosts' root file system");
            Image::of(options.image, options.init, &cache_dir(), &|line| shell.done("sandbox", line))?
        };
        let crowd = crowd::crowd(&herd, says.chain.links(), &says.roles);
        let rehearsal = Rehearsal::of(&fleet.crate_dir, &herd, says, image)?;
        let no_roll = herd.test.no_roll;
        Ok(Self { fleet: fleet.clone(), built, runner, twin, rehearsal, crowd, no_roll, build_seconds })
    }

    fn subject(&self) -> Subject<'_> {
        let (Rehearsal { says, image, .. }, no_roll) = (&self.rehearsal, self.no_roll.as_deref());
        let Self { runner, built: Built { triple, .. }, .. } = self;
        Subject { runner, triple, chain: &says.chain, image: image.version(), no_roll }
    }

    fn act(&self, options: &Options, diary: &Diary, outcome: &mut Outcome, shell: &Shell) -> Result<(), TestError> {
        let Rehearsal { says, image, layers, players, members, .. } = &self.rehearsal;
        let chain = says.chain.links();
        let company = cast::company(players, chain, &options.roles);
        if company.is_empty() || chain.is_empty() {
            return Err(TestError::Nothing);
        }
        let (stock, parts) = (self.rehearsal.stock(), self.rehearsal.parts(&company, says.chain.tip()));
        are_run(options, chain, &parts)?;
        let props = Props { image, company: &company, members, stock: &stock, goal: None };
        let (most, end) = range(chain, options);
        heard(outcome, shell, |told| {
            let walk = Walk {
                props,
                runner: &self.runner,
                actor: Actor::Runner,
                parts: &parts,
                links: &chain[..end],
                most,
                reruns: &says.reruns,
                layers,
                jobs: options.jobs,
                place: &scratch_dir("test"),
                diary,
                told,
            };
            self.play(&walk, options)
        })?;
        self.rehearsal.prune(&parts)
    }

    /// Walks, and then does what needs hosts of its own. Those that roll boot while the last link is tested.
    fn play(&self, walk: &Walk<'_>, options: &Options) -> Result<(), TestError> {
        let place = scratch_dir("test-roll");
        let wanted = if options.is_whole() { Some(self.roll(walk, &place, options)?) } else { None };
        let able = match &wanted {
            Some(Wanted::Roll(roll)) => Some(*roll),
            Some(Wanted::None { .. }) | None => None,
        };
        let (kept, others) = thread::scope(|scope| -> Result<_, TestError> {
            let mut rolling = None;
            let (scene, passed) = walk.walk_calling(&mut || rolling = able.map(|roll| Rolling::begin(scope, roll)))?;
            proven::forget(walk, &passed);
            let (steps, all_passed) = (newest(walk, &passed, options), walk.all_came_through());
            let rolled = match wanted {
                Some(Wanted::Roll(roll)) if all_passed => {
                    Some(rolling.unwrap_or_else(|| Rolling::begin(scope, roll)).go())
                }
                Some(other) => {
                    // Without a word its hosts go.
                    drop(rolling);
                    tell_of_no_roll(walk, other.why_not().filter(|_| all_passed));
                    None
                }
                None => None,
            };
            // Hosts that nobody needs any more make room for others, and nobody waits for that.
            let (kept, closing) = match options.keep {
                true => (Some(scene), None),
                false => (None, Some(scope.spawn(move || scene.close(false)))),
            };
            let interrupted = self.interrupt(walk, &steps, options);
            Ok((kept, [rolled, closing].into_iter().flatten().map(join).fold(interrupted, Result::and)))
        })?;
        let others = others.and_then(|()| self.prove(walk, options));
        // Whatever became of the others, somebody wants to look at these.
        let left = kept.map_or(Ok(()), |scene| leave(scene, walk));
        others.and(left)
    }

    fn interrupt(&self, walk: &Walk<'_>, steps: &[Step], options: &Options) -> Result<(), TestError> {
        let (every_point, keep) = (options.every_point, options.keep);
        match &self.twin {
            Some(twin) => Interruptions { walk, twin, every_point, keep }.hold(steps),
            None => Ok(()),
        }
    }

    /// Holds baselines against what they stand for.
    fn prove(&self, walk: &Walk<'_>, options: &Options) -> Result<(), TestError> {
        if !walk.all_came_through() {
            return Ok(());
        }
        let (rehearsal, crate_dir) = (&self.rehearsal, self.fleet.crate_dir.as_path());
        Proofs { walk, rehearsal, crate_dir, from_scratch: options.from_scratch }.hold()
    }

    /// The roll at the end of a test of the whole fleet; or what is to be said where there can be none, whatever comes of
    /// the walk.
    fn roll<'a>(&'a self, walk: &Walk<'a>, place: &'a Path, options: &Options) -> Result<Wanted<'a>, TestError> {
        if let Some(why) = self.why_nobody_rolls()? {
            return Ok(Wanted::None { why });
        }
        let Self { fleet, built: Built { path: runner, .. }, rehearsal, crowd: players, .. } = self;
        let (from_scratch, keep, Walk { diary, told, .. }) = (options.from_scratch, options.keep, *walk);
        Ok(Wanted::Roll(Roll { fleet, runner, rehearsal, players, from_scratch, keep, place, diary, told }))
    }

    fn why_nobody_rolls(&self) -> Result<Option<Verdict>, TestError> {
        if let Some(why) = self.no_roll.clone() {
            return Ok(Some(Verdict::Ignored { why }));
        }
        if let Some(draft) = self.rehearsal.says.chain.tip().filter(|tip| tip.is_draft()) {
            return Ok(Some(Verdict::NotRun { why: format!("`{}` is not committed yet", draft.name) }));
        }
        let tree = self.fleet.work_tree().map_err(StageError::from)?;
        let dirty = tree.dirty().map_err(StageError::from)?;
        let why = || format!("files are not committed yet: {}", some_of(&dirty));
        Ok((!dirty.is_empty()).then(|| Verdict::NotRun { why: why() }))
    }
}

/// What a test of the whole fleet ends with.
enum Wanted<'a> {
    /// A roll.
    Roll(Roll<'a>),
    /// None, and what is said of it.
    None { why: Verdict },
}

impl Wanted<'_> {
    fn why_not(self) -> Option<Verdict> {
        match self {
            Self::Roll(_) => None,
            Self::None { why } => Some(why),
        }
    }
}

/// A roll whose hosts boot, and then stand by until somebody says that it may begin.
struct Rolling<'scope> {
    word: Sender<()>,
    thread: ScopedJoinHandle<'scope, Result<(), TestError>>,
}

impl<'scope> Rolling<'scope> {
    fn begin(scope: &'scope Scope<'scope, '_>, roll: Roll<'scope>) -> Self {
        let (word, heard) = channel::<()>();
        let thread = scope.spawn(move || {
            let said = Cell::new(false);
            let is_wanted = || {
                let word = heard.try_recv();
                said.set(said.get() || word.is_ok());
                said.get() || word != Err(TryRecvError::Disconnected)
            };
            match roll.open(&is_wanted)? {
                Some(opened) if said.get() || heard.recv().is_ok() => roll.hold(opened),
                // Nobody wants it any more.
                _ => Ok(()),
            }
        });
        Self { word, thread }
    }

    fn go(self) -> ScopedJoinHandle<'scope, Result<(), TestError>> {
        // Who does not listen any more says why at its end.
        self.word.send(()).unwrap_or_default();
        self.thread
    }
}

fn join(thread: ScopedJoinHandle<'_, Result<(), TestError>>) -> Result<(), TestError> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Says why there is no roll.
fn tell_of_no_roll(walk: &Walk<'_>, why: Option<Verdict>) {
    let verdict = why.unwrap_or_else(|| Verdict::NotRun { why: "not all migrations passed".to_owned() });
    let tested = Tested { verdict, ..Tested::new(Check::Roll("all come there".to_owned())) };
    // Who does not listen any more has an error of its own.
    drop(walk.told.send(Event::Tested(Box::new(tested))));
}

/// Leaves the hosts of a walk running, and says how to look at them.
fn leave(scene: Scene<'_>, walk: &Walk<'_>) -> Result<(), TestError> {
    scene.close(true)?;
    let commands = walk.props.company.iter().map(|player| player.enter(walk.place));
    commands.for_each(|command| drop(walk.told.send(Event::Kept(command))));
    Ok(())
}

/// Whether there are all roles and links that somebody named.
fn are_known(options: &Options, links: &[Link], players: &[Player]) -> Result<(), Unknown> {
    let roles: BTreeSet<&str> = players.iter().flat_map(|player| &player.roles).map(String::as_str).collect();
    let names: BTreeSet<&str> = links.iter().map(|link| link.name.as_str()).collect();
    let look = |kind: Kind, name: &String, there: &BTreeSet<&str>| match there.contains(name.as_str()) {
        true => Ok(()),
        false => {
            let meant = nearest(name, there.iter().copied()).map(str::to_owned);
            Err(Unknown { kind, name: name.clone(), meant })
        }
    };
    options.roles.iter().try_for_each(|role| look(Kind::Role, role, &roles))?;
    options.migrations.iter().try_for_each(|name| look(Kind::Written, name, &names))
}

/// Whether somebody runs each link that was named: a test of it would pass, and be none.
fn are_run(options: &Options, links: &[Link], parts: &[Part<'_>]) -> Result<(), TestError> {
    let is_run = |name: &String| {
        let place = links.iter().position(|link| link.name == *name);
        place.is_some_and(|place| parts.iter().any(|part| part.has(place)))
    };
    match options.migrations.iter().find(|name| !is_run(name)) {
        Some(name) => Err(TestError::Nobody { name: name.clone() }),
        None => Ok(()),
    }
}

/// How many links are taken from layers at most, and how many are gone along.
fn range(links: &[Link], options: &Options) -> (usize, usize) {
    let is_named = |link: &Link| options.migrations.is_empty() || options.migrations.contains(&link.name);
    let end = links.iter().rposition(is_named).map_or(0, |last| last + 1);
    let most = if options.migrations.is_empty() { end } else { links.iter().position(is_named).unwrap_or(end) };
    (if options.from_scratch { 0 } else { most }, end)
}

/// Lets `act` go on elsewhere, and hears of it here.
fn heard(
    outcome: &mut Outcome,
    shell: &Shell,
    act: impl FnOnce(&Sender<Event>) -> Result<(), TestError> + Send,
) -> Result<(), TestError> {
    let (watch, (told, events)) = (Stopwatch::start(), channel::<Event>());
    thread::scope(|scope| {
        let acting = scope.spawn(move || act(&told));
        events.into_iter().for_each(|event| hear(event.heard_after(watch.elapsed()), outcome, shell));
        acting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn hear(event: Event, outcome: &mut Outcome, shell: &Shell) {
    match event {
        Event::Tested(tested) => {
            shell.print_page(&page::line(&tested, &shell.canvas()));
            outcome.tested.push(*tested);
        }
        Event::Note(note) => shell.note(note),
        Event::Kept(command) => outcome.kept.push(command),
    }
}

#[cfg(test)]
mod tests {
    use wb_core::chain::{Digest, Sha1};

    use super::*;

    pub(super) fn options(migrations: &[&str]) -> Options {
        let migrations = migrations.iter().map(|name| (*name).to_owned()).collect();
        Options { migrations, jobs: 2, interrupt: 2, ..Options::default() }
    }

    fn links(names: &[&str]) -> Vec<Link> {
        let link = |(name, n): (&&str, u8)| Link::new(*name, Sha1::from_bytes([n; 20]), "web", Digest::of(&[n]));
        names.iter().zip(1..).map(link).collect()
    }

    #[test]
    fn only_what_leaves_nothing_out_is_whole() {
        let check = |options: &Options, expect| assert_eq!(options.is_whole(), expect, "{options:?}");
        check(&options(&[]), true);
        check(&options(&["a"]), false);
        check(&Options { roles: ["web".to_owned()].into(), ..options(&[]) }, false);
        check(&Options { no_roll: true, ..options(&[]) }, false);
        check(&Options { from_scratch: true, ..options(&[]) }, true);
    }

    #[test]
    fn what_is_named_is_tested_anew() {
        let check = |migrations: &[&str], expect| {
            assert_eq!(range(&links(&["a", "b", "c", "d"]), &options(migrations)), expect, "{migrations:?}");
        };
        check(&[], (4, 4));
        check(&["b"], (1, 2));
        check(&["b", "d"], (1, 4));
        let scratch = Options { from_scratch: true, ..options(&["b"]) };
        assert_eq!(range(&links(&["a", "b", "c"]), &scratch), (0, 2));
        assert_eq!(range(&[], &options(&[])), (0, 0));
    }

    #[test]
    fn what_there_is_not_is_refused() {
        let players = cast::cast(&wb_core::herd::Herd::default(), &links(&["a"]));
        let check = |options: &Options, expect: &str| {
            let said = are_known(options, &links(&["install_nginx"]), &players);
            assert_eq!(said.map_or_else(|error| error.to_string(), |()| "ok".to_owned()), expect);
        };
        let role = |role: &str| Options { roles: [role.to_owned()].into(), ..options(&[]) };
        check(&role("web"), "ok");
        check(&role("wbe"), "the herd has no role `wbe`, did you mean `web`?");
        check(&options(&["install_nginx"]), "ok");
        let meant = "the chain has no migration `install_ngnix`, did you mean `install_nginx`?";
        check(&options(&["install_ngnix"]), meant);
        check(&options(&["x"]), "the chain has no migration `x`");
    }

    #[test]
    fn what_is_named_is_run_by_somebody() {
        let links = links(&["a", "b"]);
        let players = cast::cast(&wb_core::herd::Herd::default(), &links);
        let check = |migrations: &[&str], runs: &[usize], expect: &str| {
            let parts = [Part { player: &players[0], runs: runs.to_vec(), keys: Vec::new() }];
            let said = are_run(&options(migrations), &links, &parts);
            assert_eq!(said.map_or_else(|error| error.to_string(), |()| "ok".to_owned()), expect);
        };
        check(&[], &[], "ok");
        check(&["a", "b"], &[0, 1], "ok");
        check(&["a", "b"], &[0], "no host that is tested runs `b`");
        check(&["a"], &[], "no host that is tested runs `a`");
    }

    #[test]
    fn what_is_told_is_heard_and_counted() {
        let (shell, captured) = Shell::captured();
        let mut outcome = Outcome::default();
        let told = heard(&mut outcome, &shell, |told| {
            told.send(Event::Note("slow".into())).unwrap();
            told.send(Event::Kept("cargo xtask sandbox enter test/web1".into())).unwrap();
            told.send(Event::Tested(Box::new(Tested::new(Check::Chain)))).unwrap();
            Err(TestError::Nothing)
        });
        assert!(matches!(told, Err(TestError::Nothing)));
        assert_eq!((captured.text().as_str(), outcome.tested.len()), ("note: slow\ntest chain ... ok\n", 1));
        assert_eq!(outcome.kept, ["cargo xtask sandbox enter test/web1"]);
    }
}
