//! Herds that meet a baseline, over real git and with real takeovers: a runner is a script that says which chain it has,
//! and a host goes on with the catalog of the runner that is installed on it.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wb_core::agent::{Agent, How, Next, preview};
use wb_core::chain::{Digest, Sha1};
use wb_core::change::ChangeKind;
use wb_core::context::Migration;
use wb_core::runner::{Catalog, platform};
use wb_core::system::files;
use wb_core::system::{System, clock, command};
use wb_tests::herd::TestHerd;
use wb_tests::links::{WEB, migration, write};
use wb_xtask::deploy::plan::full_runners;

const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";
const THREE: &str = "3333333333333333333333333333333333333333";

static FIRST: Migration = migration("first", "web", 0, ONE, |context| write(context, "first"));
static SECOND: Migration = migration("second", "web", 1, TWO, |context| write(context, "second"));
static THIRD: Migration = migration("third", "web", 2, THREE, |context| write(context, "third"));
static FIRST_GONE: Migration = Migration { run: None, ..migration("first", "web", 0, ONE, |_| Ok(())) };
static SECOND_GONE: Migration = Migration { run: None, ..migration("second", "web", 1, TWO, |_| Ok(())) };
static THIRD_GONE: Migration = Migration { run: None, ..migration("third", "web", 2, THREE, |_| Ok(())) };
static BASELINE: Migration = Migration {
    replaces: Some((ONE, THREE)),
    ..migration("baseline", "web", 3, "4444444444444444444444444444444444444444", |context| write(context, "baseline"))
};
static LATER: Migration =
    migration("later", "web", 4, "5555555555555555555555555555555555555555", |context| write(context, "later"));

fn catalog(migrations: &[&'static Migration]) -> Catalog {
    Catalog::new(migrations.iter().copied(), [&WEB], []).unwrap()
}

fn replaced() -> Catalog {
    catalog(&[&FIRST, &SECOND, &THIRD, &BASELINE])
}

fn gone() -> Catalog {
    catalog(&[&FIRST_GONE, &SECOND_GONE, &THIRD_GONE, &BASELINE, &LATER])
}

/// Held while a herd acts: a script that one thread has just written can't be started while another one, amid starting a
/// process of its own, still has it open.
static TURN: Mutex<()> = Mutex::new(());

/// A herd, and every runner that was ever deployed to it.
struct Fleet {
    herd: TestHerd,
    runners: BTreeMap<Digest, Catalog>,
    _turn: MutexGuard<'static, ()>,
}

impl Fleet {
    fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Self { herd: TestHerd::new(), runners: BTreeMap::new(), _turn: turn }
    }

    fn add(&self, host: &str) {
        self.herd.add(&[(host, &["web"])]);
        files::write(self.herd.home(host).read_config().unwrap().runner, "", 0o755).unwrap();
    }

    /// Deploys a catalog with a runner of its own, as `cargo xtask deploy` does.
    fn deploy(&mut self, catalog: Catalog) {
        let runner = self.herd.publish(&catalog);
        let sha256 = runner.sha256;
        self.herd.change(ChangeKind::Deploy, |manifest| {
            manifest.full_runners = full_runners(manifest, catalog.chain());
            manifest.chain = catalog.chain().clone();
            manifest.target = catalog.chain().tip().map(|link| link.sha1);
            manifest.roles = catalog.policies().clone();
            manifest.runners = [(platform(), runner)].into();
        });
        self.runners.insert(sha256, catalog);
    }

    /// Follows the herd on a host until there is nothing to do, and says how long the chains of the runners were that it
    /// took over.
    fn follow(&self, host: &str) -> Vec<usize> {
        let mut taken = Vec::new();
        for _ in 0..20 {
            let (sha256, catalog) = self.installed(host);
            match self.herd.tick_with(host, catalog, sha256).unwrap() {
                Next::Exec => taken.push(self.installed(host).1.chain().links().len()),
                Next::Again | Next::Overtaken => {}
                Next::Poll | Next::Retry => return taken,
            }
        }
        panic!("{host} is still busy: {:?}", self.herd.said(&[host]));
    }

    /// The runner of a host. The one that hosts get here before all others is empty, and knows no link.
    fn installed(&self, host: &str) -> (Digest, &Catalog) {
        static NOTHING: std::sync::LazyLock<Catalog> = std::sync::LazyLock::new(|| catalog(&[]));
        let sha256 = Digest::of(&files::read(self.herd.home(host).read_config().unwrap().runner).unwrap());
        (sha256, self.runners.get(&sha256).unwrap_or(&NOTHING))
    }

    fn check(&self, host: &str, written: &str) {
        assert_eq!(self.herd.written(host), written, "{host}");
        assert_eq!(self.herd.said(&[host]), [format!("{host} up to date")]);
        let target = self.herd.newest().unwrap().manifest.target;
        assert_eq!(self.herd.record(host).state(), target, "{host}");
    }

    fn how(&self, host: &str) -> String {
        let word = |how| if how == How::Done { "done" } else { "passed" };
        self.herd.record(host).links.iter().map(|link| word(link.how)).collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn a_host_that_was_there_before_never_notices() {
    let mut fleet = Fleet::new();
    fleet.add("web1");
    fleet.deploy(catalog(&[&FIRST, &SECOND, &THIRD]));
    fleet.follow("web1");
    fleet.check("web1", "first second third rejoin");
    fleet.deploy(replaced());
    fleet.follow("web1");
    fleet.check("web1", "first second third rejoin");
    assert_eq!(fleet.how("web1"), "done done done passed");
    fleet.deploy(gone());
    assert_eq!(fleet.follow("web1"), [5]);
    fleet.check("web1", "first second third rejoin leave later rejoin");
}

#[test]
fn a_new_host_starts_at_the_baseline() {
    let mut fleet = Fleet::new();
    fleet.deploy(catalog(&[&FIRST, &SECOND, &THIRD]));
    fleet.deploy(gone());
    fleet.add("web1");
    assert_eq!(fleet.follow("web1"), [5]);
    fleet.check("web1", "baseline later rejoin");
    assert_eq!(fleet.how("web1"), "passed passed passed done done");
}

#[test]
fn a_host_amid_what_is_gone_ends_it_with_the_old_runner_and_takes_the_new_one_then() {
    let mut fleet = Fleet::new();
    fleet.add("web1");
    fleet.deploy(catalog(&[&FIRST]));
    assert_eq!(fleet.follow("web1"), [1]);
    fleet.deploy(catalog(&[&FIRST, &SECOND, &THIRD]));
    fleet.deploy(replaced());
    fleet.deploy(gone());
    assert_eq!(fleet.follow("web1"), [4, 5], "the last full runner, and then the newest");
    fleet.check("web1", "first rejoin leave second third rejoin leave later rejoin");
    assert_eq!(fleet.how("web1"), "done done done passed done");
}

#[test]
fn a_host_that_is_in_the_last_full_runner_already_stays_there() {
    let mut fleet = Fleet::new();
    fleet.add("web1");
    fleet.deploy(catalog(&[&FIRST]));
    fleet.follow("web1");
    fleet.deploy(replaced());
    let (sha256, catalog) = fleet.installed("web1");
    assert_eq!(fleet.herd.tick_with("web1", catalog, sha256).unwrap(), Next::Exec);
    fleet.deploy(gone());
    assert_eq!(fleet.follow("web1"), [5]);
    fleet.check("web1", "first rejoin leave second third rejoin leave later rejoin");
}

#[test]
fn a_link_that_failed_is_ended_with_the_runner_that_has_it() {
    static FAILING: Migration = migration("second", "web", 1, TWO, |context| {
        let mended = context.system().read_file("/mended")?.is_some();
        write(context, if mended { "second" } else { "failed" })?;
        anyhow::ensure!(mended, "not yet");
        Ok(())
    });
    let mut fleet = Fleet::new();
    fleet.add("web1");
    fleet.deploy(catalog(&[&FIRST]));
    fleet.follow("web1");
    fleet.deploy(catalog(&[&FIRST, &FAILING, &THIRD, &BASELINE]));
    fleet.follow("web1");
    fleet.deploy(gone());
    assert_eq!(fleet.follow("web1"), [0; 0], "the newest runner could not end it");
    files::write(fleet.herd.root("web1").join("mended"), "", 0o644).unwrap();
    fleet.herd.change(ChangeKind::Retry, |manifest| manifest.hosts.get_mut("web1").unwrap().retry = manifest.number);
    assert_eq!(fleet.follow("web1"), [5]);
    fleet.check("web1", "first rejoin leave failed second third rejoin leave later rejoin");
}

#[test]
fn what_failed_as_a_role_that_is_lost_is_passed_over_though_its_code_is_gone() {
    static FAILING: Migration = migration("second", "web", 1, TWO, |_| anyhow::bail!("not yet"));
    let mut fleet = Fleet::new();
    fleet.add("web1");
    fleet.deploy(catalog(&[&FIRST, &FAILING]));
    fleet.follow("web1");
    assert_eq!(fleet.herd.said(&["web1"]), ["web1 failed at `second` (2222222): not yet"]);
    fleet.deploy(catalog(&[&FIRST_GONE, &SECOND_GONE, &THIRD_GONE, &BASELINE]));
    fleet.herd.change(ChangeKind::Tag, |manifest| {
        manifest.full_runners.clear();
        manifest.hosts.get_mut("web1").unwrap().roles = ["other".to_owned()].into();
    });
    fleet.follow("web1");
    fleet.check("web1", "first");
    assert_eq!(fleet.how("web1"), "done passed passed passed");
}

#[test]
fn a_full_runner_that_has_not_what_it_is_named_for_is_refused() {
    let mut fleet = Fleet::new();
    fleet.add("web1");
    fleet.deploy(catalog(&[&FIRST]));
    fleet.follow("web1");
    fleet.deploy(replaced());
    fleet.deploy(gone());
    let wrong = fleet.herd.publish(&catalog(&[&FIRST, &SECOND_GONE]));
    fleet.herd.change(ChangeKind::Deploy, |manifest| {
        manifest.full_runners[0].runners = [(platform(), wrong)].into();
    });
    assert_eq!(fleet.follow("web1"), [0; 0]);
    let said = fleet.herd.said(&["web1"]).remove(0);
    assert!(said.contains("has another chain than its change"), "{said}");
    assert_eq!(fleet.herd.record("web1").state(), Some(ONE.parse::<Sha1>().unwrap()));
}

/// What a host that has done all of `before` would run with the newest runner, before the herd is told of that.
fn previews(before: Catalog, expect: &str) {
    let mut fleet = Fleet::new();
    fleet.add("web1");
    fleet.deploy(before);
    fleet.follow("web1");
    let (system, quiet) = (System::new(fleet.herd.root("web1"), command::Real, clock::Real), |_: &str| {});
    let next = gone();
    let agent = Agent::open(fleet.herd.home("web1"), &next, &system, Digest::of(b""), &quiet).unwrap();
    let names: Vec<String> = preview::links(&agent, &next, &system).into_iter().map(|preview| preview.name).collect();
    assert_eq!(names.join(" "), expect);
}

#[test]
fn what_a_host_will_pass_over_is_not_previewed() {
    previews(catalog(&[&FIRST, &SECOND, &THIRD]), "later");
    previews(catalog(&[&FIRST]), "second third later");
    previews(catalog(&[]), "baseline later");
}
