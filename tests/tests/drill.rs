//! One link on a machine that belongs to no herd, run by processes of their own, which are killed at their crash
//! points: what was done before is known, and the next run goes on from there.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tempfile::TempDir;
use wb_core::context::{Code, Migration, Operation};
use wb_core::drill::{Ended, Said};
use wb_core::runner::{Catalog, Program, main_of};
use wb_core::system::fault::{Fault, Injected, Plan, When};
use wb_core::system::{Command, Output, System, clock, command, environment, files};
use wb_stdlib::__private::OfHost;
use wb_stdlib::prelude::*;
use wb_tests::links::migration;

/// Set in the process that drills: where the machine lies.
const PLACE: &str = "WB_TEST_DRILL";

/// Set there, too: the words after `wildebeest drill`, a line each.
const WORDS: &str = "WB_TEST_DRILL_WORDS";

fn install(host: &Host) -> Result<()> {
    host.directory("/srv").present()?;
    host.file("/srv/page").content("<h1>Shop</h1>\n").present()?;
    let count: u32 = host.step("count", |host| {
        let drawn = host.file("/srv/drawn").read()?.map_or(0, |drawn| drawn.len());
        host.file("/srv/drawn").content("x".repeat(drawn + 1)).present()?;
        Ok(42)
    })?;
    host.file("/srv/count").content(format!("{count}\n")).mode(0o600).present()?;
    host.link("/srv/current").to("/srv/page")?;
    Ok(())
}

static INSTALL: Migration = Migration {
    run: Some(Code::Wrapped(&OfHost(install))),
    ..migration("install", "web", 0, "1111111111111111111111111111111111111111", |_| Ok(()))
};

/// Not a test of its own: what [`Place::drill`] starts.
#[test]
fn the_process_that_drills() {
    let (Some(place), Some(words)) = (environment::var(PLACE), environment::var(WORDS)) else { return };
    let place = Path::new(&place);
    let words = ["wildebeest", "drill"].into_iter().chain(words.lines()).map(OsString::from);
    let config = [OsString::from("--config"), place.join("etc").into_os_string()];
    let state = [OsString::from("--state"), place.join("var").into_os_string()];
    let args = words.chain(config).chain(state).collect();
    let catalog = Catalog::new([&INSTALL], [], []).unwrap();
    let system = System::new(place.join("root"), command::Real, clock::Real);
    let code = main_of(&Program { catalog, system, digest: None, args });
    assert_eq!(code, ExitCode::SUCCESS);
}

/// A machine to drill on.
struct Place(TempDir);

/// What a drill said, and how it ended.
struct Heard {
    operations: Vec<(Operation, u64)>,
    ended: Option<Ended>,
    output: Output,
}

impl Heard {
    fn whats(&self) -> BTreeSet<String> {
        self.operations.iter().map(|(operation, _)| operation.what.clone()).collect()
    }

    fn changes(&self) -> usize {
        self.operations.iter().filter(|(operation, _)| operation.outcome.changed()).count()
    }
}

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for dir in ["etc", "var", "root"] {
            files::create_dir(place.path(dir)).unwrap();
        }
        let script = r#"{"me": "web1", "members": [{"name": "web1", "roles": ["web"]}]}"#;
        files::write(place.path("etc/drill.json"), script, 0o644).unwrap();
        place
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn drill(&self, words: &[&str]) -> Heard {
        let this = Command::new(environment::current_exe().unwrap()).args(["--exact", "the_process_that_drills"]);
        let output = this.env(PLACE, self.0.path()).env(WORDS, words.join("\n")).run().unwrap();
        let text = output.text();
        // The test's own name may stand before the first line.
        let lines = text.lines().filter_map(|line| line.find("{\"").map(|start| &line[start..]));
        let mut heard = Heard { operations: Vec::new(), ended: None, output };
        for said in lines.map(|line| serde_json::from_str::<Said>(line).unwrap()) {
            match said {
                Said::Operation { operation, passed } => heard.operations.push((operation, passed)),
                Said::Ended(ended) => heard.ended = Some(ended),
                Said::Spec(_) => panic!("no spec was asked"),
            }
        }
        heard
    }

    fn killed_at(&self, hit: u64) -> Heard {
        let faults = vec![Injected { fault: Fault::Kill, at: When::Hit(hit) }];
        let plan = serde_json::to_string(&Plan { faults, ..Plan::default() }).unwrap();
        self.drill(&["run", "install", "--faults", &plan])
    }

    fn read(&self, path: &str) -> String {
        files::read_text(self.path("root").join(path)).unwrap()
    }
}

#[test]
fn each_operation_says_which_crash_points_are_its_own() {
    let place = Place::new();
    let plan = serde_json::to_string(&Plan::default()).unwrap();
    let heard = place.drill(&["run", "install", "--faults", &plan]);
    let passed: Vec<u64> = heard.operations.iter().map(|(_, passed)| *passed).collect();
    assert!(passed[0] > 0 && passed.is_sorted() && passed.last() > passed.first(), "{passed:?}");
    assert_eq!(heard.ended.map(|ended| (ended.error, ended.steps)), Some((None, vec!["count".to_owned()])));
    let again = place.drill(&["run", "install"]);
    assert_eq!((again.changes(), again.operations.iter().all(|(_, passed)| *passed == 0)), (0, true));
}

#[test]
fn a_run_that_was_killed_said_what_it_did_and_the_next_one_goes_on() {
    let whole = Place::new().drill(&["run", "install"]);
    assert!(whole.changes() >= 5, "{}", whole.output.text());
    for hit in (0..).step_by(3) {
        let place = Place::new();
        let killed = place.killed_at(hit);
        if killed.output.code == 0 {
            assert!(hit > 12, "there were no more than {hit} crash points");
            return;
        }
        assert_eq!((killed.output.code, killed.ended.is_none()), (128 + 9, true), "{hit}: {:?}", killed.output);
        let resumed = place.drill(&["run", "install"]);
        let ended = resumed.ended.as_ref().unwrap();
        assert_eq!((&ended.error, &ended.steps[..]), (&None, &["count".to_owned()][..]), "{hit}");
        let said: BTreeSet<String> = killed.whats().union(&resumed.whats()).cloned().collect();
        assert!(said.is_superset(&whole.whats()), "{hit}: {said:?}");
        let found = [place.read("srv/page"), place.read("srv/count")];
        assert_eq!(found, ["<h1>Shop</h1>\n", "42\n"], "{hit}");
    }
}

#[test]
fn what_is_no_plan_of_faults_is_refused() {
    let place = Place::new();
    let heard = place.drill(&["run", "install", "--faults", "none"]);
    assert_ne!(heard.output.code, 0);
    assert!(heard.operations.is_empty() && !files::exists(place.path("root/srv")));
    assert!(heard.output.error_text().contains("error: the faults can't be understood"), "{:?}", heard.output);
}
