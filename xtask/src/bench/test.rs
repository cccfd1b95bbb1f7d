//! What a test of one migration more costs, beside a test of all of them from nothing; and what a try of a draft costs.
//!
//! A fleet has migrations like those of real servers. The last of them is added and all are tested on empty hosts, then one
//! more is added and all is tested once more: whole commands, as somebody runs them, with the builds that a migration more
//! takes, the roll, and the kills of the newest migrations. Then a draft is saved, and tried. What cargo needs to compile once
//! is there already, as is the root file system of the hosts.

mod fleet;

use serde::Serialize;
use wb_core::system::clock::Stopwatch;

use super::BenchError;
use crate::attempt;
use crate::build;
use crate::chain_file;
use crate::fleet::Fleet;
use crate::sandbox::{self, Image, cache_dir, scratch_dir};
use crate::scaffold::{ScaffoldError, add_link};
use crate::shell::{Canvas, Shell};
use crate::test::outcome::{Check, Outcome, Tested};
use crate::test::{self, page};

/// What a test of one migration more may take beside that migration's own time, by the time of a test from nothing.
pub const TEST_TARGET: f64 = 0.1;

/// How many seconds a try may take beside what the migration takes by itself.
pub const TRY_TARGET: f64 = 5.0;

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestOptions {
    /// How many migrations there are before the one that is added.
    pub links: usize,
    /// How many of the newest migrations are killed.
    pub interrupt: usize,
}

impl Default for TestOptions {
    fn default() -> Self {
        Self { links: 50, interrupt: 3 }
    }
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rehearsed {
    /// A test of all migrations on empty hosts.
    pub scratch_seconds: f64,
    /// A test after one more was added.
    pub incremental_seconds: f64,
    /// What cargo took of that, for the runner and its twin.
    pub build_seconds: f64,
    /// How long that one was under test: planned, run, asked for its specs, run again, and killed.
    pub link_seconds: f64,
    /// The time for it beside its own, by that of the test from nothing.
    pub ratio: f64,
    /// A try of a draft that takes next to nothing by itself.
    pub try_seconds: f64,
    /// How many migrations there were before.
    pub links: usize,
    /// How many of the newest were killed.
    pub interrupt: usize,
}

/// Measures both tests, and a try.
///
/// # Errors
/// When there can be no sandboxes, or a test or the try fails.
pub fn measure(options: TestOptions, shell: &Shell) -> Result<Rehearsed, BenchError> {
    let place = scratch_dir("bench-test");
    sandbox::ready(&place, shell)?;
    let [last, added] = [options.links - 1, options.links].map(|number| fleet::link(number, options.links));
    let fleet = fleet::make(&place.join("fleet"), options.links, shell)?;
    warm_up(&fleet, shell)?;
    add_link(&fleet, &last)?;
    let (scratch_seconds, _) = {
        let _progress = shell.begin(format!("testing {} migrations from nothing", options.links));
        tested(&fleet, options, true)?
    };
    add_link(&fleet, &added)?;
    let (incremental_seconds, outcome) = {
        let _progress = shell.begin("testing one more");
        tested(&fleet, options, false)?
    };
    let link_seconds = own_seconds(&outcome, &added.name);
    let ratio = (incremental_seconds - link_seconds) / scratch_seconds;
    let try_seconds = {
        let _progress = shell.begin("trying a draft");
        tried(&fleet)?
    };
    let TestOptions { links, interrupt } = options;
    let build_seconds = outcome.build_seconds;
    Ok(Rehearsed {
        scratch_seconds,
        incremental_seconds,
        build_seconds,
        link_seconds,
        ratio,
        try_seconds,
        links,
        interrupt,
    })
}

/// What is compiled and built once, whatever is tested.
fn warm_up(fleet: &Fleet, shell: &Shell) -> Result<(), BenchError> {
    build::runner(fleet, shell)?;
    build::probe(fleet, shell)?;
    Image::debian12(&cache_dir(), &|line| shell.note(line))?;
    Ok(())
}

/// A test as a whole, and how long it took.
fn tested(fleet: &Fleet, options: TestOptions, from_scratch: bool) -> Result<(f64, Outcome), BenchError> {
    let options = test::Options { from_scratch, interrupt: options.interrupt, ..test::Options::default() };
    let (watch, (quiet, _)) = (Stopwatch::start(), Shell::captured());
    let outcome = test::run(fleet, &options, &quiet)?;
    let seconds = watch.elapsed().as_secs_f64();
    match outcome.tally().failed {
        0 => Ok((seconds, outcome)),
        _ => Err(BenchError::Failed { said: page::closing(&outcome, &Canvas::default()) }),
    }
}

/// How long it takes from a draft that is saved to what its specs say. The runner's twin is built for it.
fn tried(fleet: &Fleet) -> Result<f64, BenchError> {
    let draft = fleet::draft();
    chain_file::add(&fleet.crate_dir, &draft.name, None, &draft.source).map_err(ScaffoldError::from)?;
    let (watch, (quiet, captured)) = (Stopwatch::start(), Shell::captured());
    let tried = attempt::attempt(fleet, &attempt::Options::default(), &quiet)?;
    let seconds = watch.elapsed().as_secs_f64();
    if tried.is_well() { Ok(seconds) } else { Err(BenchError::Failed { said: captured.text() }) }
}

/// How long a migration was under test. The roll is one of the herd.
fn own_seconds(outcome: &Outcome, name: &str) -> f64 {
    let is_own = |tested: &&Tested| {
        let is_of_it = tested.link.as_ref().is_some_and(|link| link.name == name);
        is_of_it && !tested.from_layer && !matches!(tested.check, Check::Roll(_))
    };
    let own = outcome.tested.iter().filter(is_own);
    covered(own.map(|tested| (tested.ended - tested.seconds, tested.ended)).collect())
}

/// How much these spans cover. Where some overlap, that counts once.
fn covered(mut spans: Vec<(f64, f64)>) -> f64 {
    spans.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let (mut sum, mut until) = (0.0, f64::NEG_INFINITY);
    for (from, to) in spans {
        sum += (to - from.max(until)).max(0.0);
        until = until.max(to);
    }
    sum
}

#[cfg(test)]
mod tests {
    use wb_core::chain::{Digest, Link, Sha1};

    use super::*;

    #[test]
    fn what_is_done_to_a_migration_alone_is_its_own_time() {
        let tested = |name: &str, check: Check, ended: f64, seconds: f64| {
            let link = Link::new(name, Sha1::from_bytes([1; 20]), "server", Digest::of(b""));
            Tested { link: Some(link), seconds, ended, ..Tested::new(check) }
        };
        let killed = |place: &str| Check::Interrupted(place.to_owned());
        let tested = vec![
            tested("a", Check::Run, 1.0, 1.0),
            tested("b", Check::Plan, 4.0, 1.0),
            tested("b", Check::Run, 6.0, 2.0),
            tested("b", Check::Spec("runs".into()), 6.25, 0.25),
            tested("b", Check::Roll("all come there".into()), 20.0, 8.0),
            tested("b", killed("here"), 10.0, 2.0),
            tested("b", killed("there"), 11.0, 2.5),
            Tested { from_layer: true, ..tested("b", killed("elsewhere"), 16.0, 2.0) },
            Tested { seconds: 4.0, ended: 4.0, ..Tested::new(Check::Chain) },
        ];
        let outcome = Outcome { tested, ..Outcome::default() };
        assert_eq!(own_seconds(&outcome, "b"), 6.25);
    }

    #[test]
    fn what_overlaps_counts_once() {
        let check = |spans: &[(f64, f64)], expect: f64| assert_eq!(covered(spans.to_vec()), expect, "{spans:?}");
        check(&[], 0.0);
        check(&[(1.0, 2.0)], 1.0);
        check(&[(4.0, 6.0), (1.0, 2.0)], 3.0);
        check(&[(1.0, 5.0), (2.0, 3.0), (4.0, 6.0)], 5.0);
    }
}
