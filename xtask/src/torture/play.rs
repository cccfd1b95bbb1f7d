//! One round, played: a host runs again and again while things fall, and is looked at after each run.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wb_core::agent::phase::Phase;
use wb_core::chain::Digest;
use wb_core::system::fault::{Bug, Injected, POINTS, Plan, When};
use wb_core::system::{Output, files};

use super::TortureError;
use super::chance::Chance;
use super::history::{History, Look};
use super::journal::{self, Entry};
use super::links::{BROKEN, Generation, leaves, missing};
use super::mischief::{Mischief, Undo, keep_older};
use super::operator::{BAD, CRASHING};
use super::round::{Blow, Round, Scenario};
use super::rule::{Rule, Violation};
use super::stage::{Place, Stage, script, time_to_object};

/// A host that needs more runs than this after all that can happen in a round never comes to its target.
const MOST_RUNS: usize = 20;

/// By this run a runner that dies at each start is put back, whatever else falls.
const LAST_PUT_BACK: usize = 8;

/// What came of a round.
#[derive(Debug, Clone, Default)]
pub struct Played {
    /// The blows that fell.
    pub fell: Vec<Blow>,
    /// The mischief that was done.
    pub mischief: Vec<Mischief>,
    /// What was broken.
    pub violations: Vec<Violation>,
    /// How often the host ran.
    pub runs: usize,
    /// The points that each process passed.
    pub passed: Vec<Vec<usize>>,
}

/// What the processes of a round find where they start: the plan of each, in the order of their starts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Plans {
    /// What falls in each process that anything falls in.
    pub plans: Vec<Plan>,
    /// The mistake that each process makes.
    pub bug: Option<Bug>,
    /// Where chance comes from in those without a plan.
    pub seed: u64,
}

impl Plans {
    /// The file of a round.
    #[must_use]
    pub fn file(round: &Path) -> PathBuf {
        round.join("plans.json")
    }

    fn of(round: &Round, place: &Place, bug: Option<Bug>) -> Self {
        let last = round.blows.iter().map(|blow| blow.start + 1).max().unwrap_or_default();
        let plan = |start| Plan {
            seed: round.seed.wrapping_add(start as u64),
            trace: Some(trace(&place.dir, start)),
            faults: round.blows.iter().filter(|blow| blow.start == start).map(Blow::injected).collect(),
            ..Plan::default()
        };
        Self { plans: (0..last).map(plan).collect(), bug, seed: round.seed }
    }
}

impl Blow {
    fn injected(&self) -> Injected {
        Injected { fault: self.fault, at: When::Point { point: self.point, nth: self.nth } }
    }
}

/// Where a process tells what it passes.
#[must_use]
pub fn trace(round: &Path, start: usize) -> PathBuf {
    round.join(format!("trace-{start}"))
}

/// Plays a round in a place of its own.
///
/// # Errors
/// When the round itself can't be played: its files, git, ssh-keygen.
pub fn play(stage: &Stage, place: &Place, round: &Round, bug: Option<Bug>) -> Result<Played, TortureError> {
    let mut game = Game::begin(stage, place, round, bug)?;
    for run in 0..MOST_RUNS {
        game.run(run)?;
        if !game.played.violations.is_empty() || (game.is_over() && run >= game.last_mischief) {
            break;
        }
    }
    game.end()
}

struct Game<'a> {
    stage: &'a Stage,
    place: &'a Place,
    round: &'a Round,
    chance: Chance,
    history: History,
    newest: Generation,
    fails: bool,
    second_due: bool,
    boots: usize,
    last_mischief: usize,
    played: Played,
}

impl<'a> Game<'a> {
    fn begin(stage: &'a Stage, place: &'a Place, round: &'a Round, bug: Option<Bug>) -> Result<Self, TortureError> {
        let plans = serde_json::to_vec(&Plans::of(round, place, bug)).unwrap_or_default();
        files::write(Plans::file(&place.dir), plans, 0o644)?;
        let chain = Generation::Third.catalog()?.chain().clone();
        let is_new = round.scenario == Scenario::NewHost;
        let history = History { chain, is_new, ..History::default() };
        let fails = matches!(round.scenario, Scenario::Retried | Scenario::Amended | Scenario::Adopted);
        if fails {
            files::write(place.root().join(BROKEN.trim_start_matches('/')), "", 0o644)?;
        }
        let last_mischief = round.mischief.iter().map(|(run, _)| *run).max().unwrap_or_default();
        let mut game = Self {
            stage,
            place,
            round,
            chance: Chance(round.seed),
            history,
            newest: Generation::First,
            fails,
            second_due: matches!(round.scenario, Scenario::Overtaken | Scenario::BadRunner | Scenario::CrashingRunner),
            boots: 0,
            last_mischief,
            played: Played::default(),
        };
        let first = if is_new { game.enroll()? } else { stage.operator(place).tip()?.ok_or(TortureError::NoRound)? };
        game.history.changes.push((first, Generation::First.name().to_owned(), sha256(Generation::First)));
        let kinds: Vec<Mischief> = round.mischief.iter().map(|(_, kind)| *kind).collect();
        keep_older(place, &kinds)?;
        game.prepare()?;
        Ok(game)
    }

    /// A new machine enrols, as often as it takes, and is admitted.
    fn enroll(&mut self) -> Result<wb_core::chain::Sha1, TortureError> {
        let operator = self.stage.operator(self.place);
        self.place.strip()?;
        operator.start_over()?;
        for _ in 0..MOST_RUNS {
            let output = self.place.run_enroll(operator.allowed_signers())?;
            self.see_blows();
            if output.code == 0 {
                return operator.admit(self.place.identity()?);
            }
        }
        Err(TortureError::NoRound)
    }

    /// What the operator does, and others do, before the first run.
    fn prepare(&mut self) -> Result<(), TortureError> {
        let operator = self.stage.operator(self.place);
        match self.round.scenario {
            Scenario::FoundClaim => operator.list_as_out(self.place.identity()?.uuid)?,
            Scenario::LostClaim => operator.race()?,
            Scenario::BadRunner => return self.deploy_bad(BAD),
            Scenario::CrashingRunner => return self.deploy_bad(CRASHING),
            _ => {}
        }
        self.deploy(Generation::Second)?;
        if self.round.scenario == Scenario::ByHand { self.do_by_hand("config") } else { Ok(()) }
    }

    fn deploy_bad(&mut self, name: &str) -> Result<(), TortureError> {
        self.newest = Generation::Second;
        let commit = self.stage.operator(self.place).deploy_bad(self.newest, name)?;
        self.history.changes.push((commit, name.to_owned(), Digest::of(script(name).as_bytes())));
        Ok(())
    }

    /// The operator leaves on the disk what a link would, and says so.
    fn do_by_hand(&mut self, name: &str) -> Result<(), TortureError> {
        for (path, content) in leaves(name) {
            files::write(self.place.root().join(path.trim_start_matches('/')), content, 0o644)?;
        }
        journal::add(&self.place.dir, &Entry::ByHand(name.to_owned()));
        let link = self.history.chain.links().iter().find(|link| link.name == name).ok_or(TortureError::NoRound)?;
        let commit = self.stage.operator(self.place).adopt(link.sha1)?;
        self.counts(commit);
        Ok(())
    }

    fn deploy(&mut self, generation: Generation) -> Result<(), TortureError> {
        let commit = self.stage.operator(self.place).deploy(generation, self.stage.runner(generation))?;
        self.newest = generation;
        self.counts(commit);
        Ok(())
    }

    fn counts(&mut self, commit: wb_core::chain::Sha1) {
        self.history.changes.push((commit, self.newest.name().to_owned(), sha256(self.newest)));
    }

    fn run(&mut self, run: usize) -> Result<(), TortureError> {
        if self.is_second_due(run) && std::mem::take(&mut self.second_due) {
            self.deploy(if self.round.scenario == Scenario::Overtaken { Generation::Third } else { self.newest })?;
        }
        let now = self.round.mischief.iter().filter(|(when, kind)| *when == run && kind.is_allowed());
        let kinds: Vec<Mischief> = now.map(|(_, kind)| *kind).collect();
        let mut undo = Vec::new();
        for kind in &kinds {
            undo.push(kind.done(self.stage, self.place, self.newest, &mut self.chance)?);
            self.note_changes()?;
        }
        let output = match self.round.scenario {
            Scenario::Deploy => self.place.run_with_log()?,
            _ => self.place.run()?,
        };
        let quiet = self.see_blows();
        for undo in undo.into_iter().rev() {
            self.take_back(undo)?;
        }
        self.look()?;
        if quiet {
            self.check_promises(&kinds, &output);
        }
        self.played.mischief.extend(kinds);
        self.played.runs = run + 1;
        // By the next run nobody can object any more.
        self.place.last(time_to_object() * (run as u64 + 1))?;
        self.react()?;
        self.place.set_clock(self.place.now() + 60)
    }

    /// The operator waits until a runner that dies at each start is put back, as long as that can take.
    fn is_second_due(&self, run: usize) -> bool {
        let refused = self.history.looks.last().is_some_and(|look| look.record.refused.is_some());
        if self.round.scenario == Scenario::CrashingRunner { refused || run == LAST_PUT_BACK } else { run == 1 }
    }

    fn take_back(&mut self, undo: Undo) -> Result<(), TortureError> {
        undo.done(self.stage, self.place)?;
        self.note_changes()
    }

    /// Changes that the mischief made and that count.
    fn note_changes(&mut self) -> Result<(), TortureError> {
        let operator = self.stage.operator(self.place);
        if let Some(tip) = operator.tip().ok().flatten()
            && !self.history.changes.iter().any(|(commit, ..)| *commit == tip)
            && operator.counts(tip)?
        {
            self.counts(tip);
        }
        Ok(())
    }

    /// Which blows fell in this run. True when none did.
    fn see_blows(&mut self) -> bool {
        let before = self.played.passed.len();
        while let Ok(Some(passed)) = files::read_optional(trace(&self.place.dir, self.played.passed.len())) {
            let text = String::from_utf8_lossy(&passed).into_owned();
            let points = text.lines().filter_map(|line| line.split(' ').next()?.parse().ok());
            self.played.passed.push(points.filter(|point| *point < POINTS.len()).collect());
        }
        let passed = &self.played.passed;
        let fell = self.round.blows.iter().filter(|blow| (before..passed.len()).contains(&blow.start));
        let fell: Vec<Blow> = fell
            .filter(|blow| passed[blow.start].iter().filter(|point| **point == blow.point).count() as u64 > blow.nth)
            .copied()
            .collect();
        self.played.fell.extend(&fell);
        fell.is_empty()
    }

    fn look(&mut self) -> Result<(), TortureError> {
        let record = match self.place.record() {
            Ok(record) => record,
            Err(error) => {
                self.played.violations = vec![Violation { rule: Rule::Readable, what: error.to_string() }];
                return Ok(());
            }
        };
        let (report, pool) = self.place.told()?;
        self.history.entries = journal::read(&self.place.dir);
        let done = record.links.iter().map(|link| link.name.as_str());
        let look = Look {
            entries: self.history.entries.len(),
            report,
            pool,
            installed: self.place.installed()?,
            missing: missing(&self.place.root(), done),
            record,
        };
        self.history.looks.push(look);
        self.played.violations = self.history.violations();
        Ok(())
    }

    fn check_promises(&mut self, kinds: &[Mischief], output: &Output) {
        if let [kind] = kinds
            && !kind.is_kept(output)
        {
            let what = format!("{} ended with {}: {}", kind.name(), output.code, output.error_text());
            self.played.violations.push(Violation { rule: Rule::Promise, what });
        }
        if kinds.is_empty() && output.code == super::mischief::UNREACHABLE && self.played.fell.is_empty() {
            let what = format!("nothing was wrong, and it said: {}", output.error_text());
            self.played.violations.push(Violation { rule: Rule::Completes, what });
        }
    }

    /// What people do about what they see.
    fn react(&mut self) -> Result<(), TortureError> {
        let after_boot = self.history.entries.iter().rev().take_while(|entry| **entry != Entry::Boot);
        if after_boot.into_iter().any(|entry| *entry == Entry::Reboot) {
            self.boots += 1;
            self.place.boot(self.boots)?;
            journal::add(&self.place.dir, &Entry::Boot);
        }
        match self.history.looks.last().map(|look| look.record.phase.clone()) {
            Some(Phase::Failed { failure, .. }) => self.mend(&failure.name),
            _ => Ok(()),
        }
    }

    fn mend(&mut self, failed: &str) -> Result<(), TortureError> {
        let is_meant_to = failed == "flaky" && std::mem::take(&mut self.fails);
        if is_meant_to && self.round.scenario == Scenario::Adopted {
            return self.do_by_hand(failed);
        }
        journal::add(&self.place.dir, &Entry::Mended);
        if is_meant_to && self.round.scenario == Scenario::Amended {
            return self.deploy(Generation::Third);
        }
        if failed == "flaky" {
            files::remove(self.place.root().join(BROKEN.trim_start_matches('/')))?;
        }
        let commit = self.stage.operator(self.place).retry()?;
        self.counts(commit);
        Ok(())
    }

    fn is_over(&self) -> bool {
        !self.second_due && self.history.looks.last().is_some_and(|look| look.is_at_rest(self.target()))
    }

    fn target(&self) -> Option<wb_core::chain::Sha1> {
        let catalog = self.newest.catalog().ok()?;
        catalog.chain().tip().map(|link| link.sha1)
    }

    fn end(mut self) -> Result<Played, TortureError> {
        if self.played.violations.is_empty() {
            self.played.violations = self.history.incomplete(self.target());
        }
        Ok(self.played)
    }
}

fn sha256(generation: Generation) -> Digest {
    Digest::of(script(generation.name()).as_bytes())
}
