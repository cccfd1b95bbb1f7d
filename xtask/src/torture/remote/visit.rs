//! One visit: a host looks at a remote that somebody has played tricks on, and then at one that is right again. It never
//! panics, loses nothing of what it had, runs nothing but what was signed, and comes to its target in the end.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wb_core::agent::{Agent, AgentError, Next, Record};
use wb_core::chain::{Digest, Sha1};
use wb_core::registry::RefName;
use wb_core::runner::HostConfig;
use wb_core::system::{Command, files};

use super::super::TortureError;
use super::super::chance::Chance;
use super::super::history::{History, Look};
use super::super::journal::{self, Entry};
use super::super::links::{Generation, leaves, missing};
use super::super::rule::{Rule, Violation, broken};
use super::super::runner::machine;
use super::super::stage::{Place, Stage, script, time_to_object};
use super::bare::Bare;
use super::inputs::caught;
use super::trick::{Scene, Trick};

/// What came of a visit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visited {
    /// The names of the tricks that were played.
    pub tricks: Vec<String>,
    /// How often the host looked.
    pub ticks: usize,
    /// How often it said that something is wrong.
    pub errors: usize,
    /// The rules that were broken, and how.
    pub violations: Vec<(String, String)>,
}

/// A host that needs more looks than this at a remote that is right again never comes to its target.
const MOST_TICKS: usize = 40;

/// Makes the visit that follows from `seed`.
///
/// # Errors
/// When it can't be made: its files, git, ssh-keygen.
pub fn visit(stage: &Stage, place: &Place, server: u16, seed: u64) -> Result<Visited, TortureError> {
    let mut visit = Visit::begin(stage, place, seed)?;
    visit.in_peace()?;
    let tricks = visit.tricks(seed);
    visit.tricked(server, &tricks)?;
    visit.put_right()?;
    Ok(visit.end())
}

struct Visit<'a> {
    stage: &'a Stage,
    place: &'a Place,
    chance: Chance,
    history: History,
    boots: usize,
    odd: bool,
    visited: Visited,
    violations: Vec<Violation>,
}

/// What came of one look.
enum Turn {
    /// There is more to do.
    GoesOn,
    /// There is nothing to do for now.
    Rests,
    /// It said that something is wrong.
    Erred,
    /// It will do nothing any more.
    Over,
}

impl<'a> Visit<'a> {
    fn begin(stage: &'a Stage, place: &'a Place, seed: u64) -> Result<Self, TortureError> {
        let first = stage.operator(place).tip()?.ok_or(TortureError::NoRound)?;
        let mut history = History { chain: Generation::Third.catalog()?.chain().clone(), ..History::default() };
        history.changes.push((first, Generation::First.name().to_owned(), sha256(Generation::First)));
        let chance = Chance(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let (visited, violations) = (Visited::default(), Vec::new());
        let mut visit = Self { stage, place, chance, history, boots: 0, odd: false, visited, violations };
        if !visit.chance.one_in(4) {
            let generation = Generation::Second;
            let change = stage.operator(place).deploy(generation, stage.runner(generation))?;
            visit.counts(change, generation);
        }
        Ok(visit)
    }

    fn counts(&mut self, change: Sha1, generation: Generation) {
        self.history.changes.push((change, generation.name().to_owned(), sha256(generation)));
    }

    /// The host comes some way, so that it may be anywhere in a leg when the remote changes.
    fn in_peace(&mut self) -> Result<(), TortureError> {
        for _ in 0..self.chance.below(4) {
            self.tick()?;
        }
        Ok(())
    }

    fn tricks(&mut self, seed: u64) -> Vec<Trick> {
        let second = self.chance.of(&Trick::ALL).filter(|_| self.chance.one_in(2));
        [Trick::first_of(seed)].into_iter().chain(second).collect()
    }

    fn tricked(&mut self, server: u16, tricks: &[Trick]) -> Result<(), TortureError> {
        copy(&self.place.remote(), &self.kept())?;
        let (stage, place, chance) = (self.stage, self.place, Chance(self.chance.next()));
        let mut scene = Scene { stage, place, bare: Bare::at(&place.remote()), chance, server, counted: Vec::new() };
        for (place, trick) in tricks.iter().enumerate() {
            match scene.play(*trick) {
                Ok(()) => self.visited.tricks.push(trick.name().to_owned()),
                // On what is broken already the second trick may be more than git can do.
                Err(_) if place > 0 => {}
                Err(error) => return Err(error),
            }
        }
        self.odd = !scene.counted.is_empty();
        self.history.changes.extend(scene.counted);
        for _ in 0..2 + self.chance.below(3) {
            if let Turn::Over = self.tick()? {
                break;
            }
        }
        Ok(())
    }

    /// The remote as it was before the tricks, and what the host has accepted since.
    fn put_right(&mut self) -> Result<(), TortureError> {
        let (home, remote) = (self.place.home(), self.place.remote());
        files::remove_tree(&remote)?;
        files::rename(self.kept(), &remote)?;
        let config = home.read_config()?;
        home.write_config(&HostConfig { remote: remote.display().to_string(), ..config })?;
        self.bring_back()?;
        let (generation, identity) = (Generation::Third, self.place.identity()?);
        let change = self.stage.operator(self.place).put_right(generation, self.stage.runner(generation), identity)?;
        self.counts(change, generation);
        for tick in 0..MOST_TICKS {
            self.place.last(time_to_object() * (tick as u64 + 1))?;
            self.place.set_clock(self.place.now() + 700)?;
            self.tick()?;
            if self.violations.is_empty() && self.is_at_rest()? || !self.violations.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whoever has changes that the remote lost pushes them back.
    fn bring_back(&self) -> Result<(), TortureError> {
        let (bare, changes) = (Bare::at(&self.place.remote()), RefName::Changes.to_string());
        let kept = self.place.copy();
        let fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"];
        let fetched = bare.git().args(fetch).arg(&kept).arg("refs/kept/accepted:refs/heads/back").run();
        let Some(accepted) = self.place.record()?.accepted else { return Ok(()) };
        let known = |commit: &str, of: &str| {
            let asked = bare.git().args(["merge-base", "--is-ancestor", commit, of]).run();
            asked.is_ok_and(|output| output.code == 0)
        };
        if fetched.is_ok() && !known(&accepted.to_string(), &changes) {
            bare.aim(&changes, &format!("{accepted}\n"))?;
        }
        Ok(())
    }

    fn kept(&self) -> std::path::PathBuf {
        self.place.dir.join("kept.git")
    }

    fn tick(&mut self) -> Result<Turn, TortureError> {
        let before = self.place.record()?;
        let Some(generation) = self.generation()? else { return Ok(Turn::Over) };
        let catalog = generation.catalog()?;
        let system = machine(&self.place.dir);
        let (home, quiet) = (self.place.home(), |_: &str| {});
        let looked = caught(|| {
            let agent = Agent::open(home, &catalog, &system, sha256(generation), &quiet);
            Ok(agent.and_then(|mut agent| agent.tick()))
        });
        self.visited.ticks += 1;
        let turn = match looked {
            Err(what) => {
                self.violations.push(broken(Rule::Invariant(9), what));
                Turn::Over
            }
            Ok(Err(error)) => self.erred(&error)?,
            Ok(Ok(Next::Poll | Next::Retry)) => Turn::Rests,
            Ok(Ok(Next::Again | Next::Overtaken | Next::Exec)) => Turn::GoesOn,
        };
        self.look(&before)?;
        self.boot()?;
        Ok(turn)
    }

    /// Two machines with one identity stop until people choose. Here they choose this one.
    fn erred(&mut self, error: &AgentError) -> Result<Turn, TortureError> {
        self.visited.errors += 1;
        if !matches!(error, AgentError::TakenOver { .. }) {
            return Ok(Turn::Erred);
        }
        let Some(generation) = self.generation()? else { return Ok(Turn::Over) };
        let (catalog, system, quiet) = (generation.catalog()?, machine(&self.place.dir), |_: &str| {});
        let home = self.place.home();
        let kept = caught(|| {
            let agent = Agent::open(home, &catalog, &system, sha256(generation), &quiet);
            Ok(agent.and_then(|mut agent| agent.keep()).is_ok())
        });
        self.violations.extend(kept.err().map(|what| broken(Rule::Invariant(9), what)));
        Ok(Turn::Erred)
    }

    /// Which runner is installed.
    fn generation(&mut self) -> Result<Option<Generation>, TortureError> {
        let installed = self.place.installed()?;
        let known = Generation::ALL.into_iter().find(|generation| sha256(*generation) == installed);
        if known.is_none() {
            self.violations.push(broken(Rule::Invariant(5), "the installed runner is none that anybody signed"));
        }
        Ok(known)
    }

    fn look(&mut self, before: &Record) -> Result<(), TortureError> {
        let record = match self.place.record() {
            Ok(record) => record,
            Err(error) => {
                self.violations.push(broken(Rule::Readable, error.to_string()));
                return Ok(());
            }
        };
        self.violations.extend(self.lost(before, &record).map(|what| broken(Rule::Invariant(9), what)));
        self.history.entries = journal::read(&self.place.dir);
        let done = record.links.iter().map(|link| link.name.as_str());
        let look = Look {
            entries: self.history.entries.len(),
            report: None,
            pool: wb_core::pool::Pool::default(),
            installed: self.place.installed()?,
            missing: missing(&self.place.root(), done),
            record,
        };
        self.history.looks.push(look);
        self.violations.extend(self.history.violations());
        self.violations.extend(foreign(self.place)?.map(|what| broken(Rule::Invariant(9), what)));
        Ok(())
    }

    /// What a host knew before and does not know any more. Other roles may let it go back.
    fn lost(&self, before: &Record, after: &Record) -> Option<String> {
        let place = |change: Option<Sha1>| self.history.changes.iter().position(|(commit, ..)| Some(*commit) == change);
        let is_kept = after.links.starts_with(&before.links) || self.odd;
        [
            (!is_kept, "links that were done are forgotten"),
            (before.in_service && !after.in_service, "it was in service, and is not any more"),
            (place(after.accepted) < place(before.accepted), "an older change is accepted"),
            (after.acted < before.acted, "it may act on a command again"),
        ]
        .into_iter()
        .find_map(|(is_lost, what)| is_lost.then(|| what.to_owned()))
    }

    fn boot(&mut self) -> Result<(), TortureError> {
        let after_boot = self.history.entries.iter().rev().take_while(|entry| **entry != Entry::Boot);
        if after_boot.into_iter().any(|entry| *entry == Entry::Reboot) {
            self.boots += 1;
            self.place.boot(self.boots)?;
            journal::add(&self.place.dir, &Entry::Boot);
        }
        Ok(())
    }

    fn is_at_rest(&self) -> Result<bool, TortureError> {
        let Some(look) = self.history.looks.last() else { return Ok(false) };
        let target = self.history.chain.tip().map(|link| link.sha1);
        if look.record.state() != target {
            return Ok(false);
        }
        let (report, pool) = self.place.told()?;
        Ok(Look { report, pool, ..look.clone() }.is_at_rest(target))
    }

    fn end(mut self) -> Visited {
        let at_rest = self.is_at_rest().unwrap_or(false);
        if self.violations.is_empty() && !at_rest {
            let look = self.history.looks.last();
            let what = look.map_or_else(String::new, |look| format!("{:?}", look.record.phase));
            let notices = files::read_text(self.place.home().notices()).unwrap_or_default();
            self.violations.push(broken(Rule::Completes, format!("{what}; {notices}")));
        }
        self.violations.dedup();
        self.visited.violations =
            self.violations.into_iter().map(|violation| (violation.rule.to_string(), violation.what)).collect();
        self.visited
    }
}

fn sha256(generation: Generation) -> Digest {
    Digest::of(script(generation.name()).as_bytes())
}

fn copy(from: &Path, to: &Path) -> Result<(), TortureError> {
    let copy = Command::new("cp").arg("--archive").arg(from).arg(to);
    copy.read().map(drop).map_err(TortureError::Command)
}

/// What lies on the host that no link and no host has put there.
fn foreign(place: &Place) -> Result<Option<String>, TortureError> {
    const OWN: [&str; 14] = [
        "etc/host.toml",
        "etc/host_key",
        "etc/host_key.pub",
        "etc/allowed_signers",
        "var/record.json",
        "var/notices.json",
        "var/agent.lock",
        "var/runner.previous",
        "wildebeest",
        "root/etc/init.d/app",
        "root/sbin/shutdown",
        "root/srv/old",
        "root/proc/uptime",
        "root/proc/sys/kernel/random/boot_id",
    ];
    let host = place.dir.join("host");
    let links = Generation::Third.catalog()?.chain().links().to_vec();
    let left = links.iter().flat_map(|link| leaves(&link.name)).map(|(path, _)| format!("root{path}"));
    let mut known: BTreeSet<String> = OWN.map(str::to_owned).into_iter().chain(left).collect();
    known.insert("root/srv/current".to_owned());
    let mut found = Vec::new();
    gather(&host, &mut found)?;
    let names = found.iter().filter_map(|path| path.strip_prefix(&host).ok()?.to_str());
    Ok(names.into_iter().find(|name| !known.contains(*name)).map(|name| format!("nobody has put `{name}` on the host")))
}

/// All files but those of git.
fn gather(path: &Path, found: &mut Vec<std::path::PathBuf>) -> Result<(), TortureError> {
    let is_git = path.extension().is_some_and(|end| ["git", "broken", "new"].iter().any(|known| end == *known));
    match files::stat(path)?.map(|stat| stat.kind) {
        Some(files::Kind::Directory) if is_git => {}
        Some(files::Kind::Directory) => {
            for path in files::list(path)? {
                gather(&path, found)?;
            }
        }
        Some(_) => found.push(path.to_owned()),
        None => {}
    }
    Ok(())
}
