//! `cargo xtask try`: a draft on a host that is where it will find it.

use std::path::Path;
use std::time::Duration;

use wb_core::system::clock::{self, Stopwatch};
use wb_core::system::{Command, files};
use wb_tests::alone::alone;
use wb_tests::stage::link;
use wb_xtask::attempt::{Options, attempt};
use wb_xtask::chain_file;
use wb_xtask::fleet::Fleet;
use wb_xtask::sandbox::scratch_dir;
use wb_xtask::scaffold::{Dependencies, Scaffold};
use wb_xtask::shell::Shell;

const HERD: &str = "[hosts.web1]\nroles = ['web']\n[hosts.db1]\nroles = ['database']\n";

const ROLES: &str = r#"use wb_stdlib::prelude::*;

/// Serves.
#[role(max_out = 1)]
pub struct Web;

impl Role for Web {}

/// Keeps.
#[role(max_out = 1)]
pub struct Database;

impl Role for Database {}
"#;

const BEFORE: &str = r#"use wb_stdlib::prelude::*;

/// There is room for the page.
#[migration(role = "web")]
fn make_room(host: &Host) -> Result<()> {
    host.directory("/srv/pages").present()?;
    Ok(())
}
"#;

const DRAFT: &str = r#"use wb_stdlib::prelude::*;

/// The page is there.
#[migration(role = "web")]
fn page(host: &Host) -> Result<()> {
    host.file("/srv/pages/index").content("hello\n").present()?;
    Ok(())
}

#[spec]
fn it_says_hello(host: &View) -> Result<()> {
    host.file("/srv/pages/index").contains("hello")
}
"#;

/// Longer than a try takes on a machine that does other things, too, and much shorter than what it saves.
const BOUND: Duration = Duration::from_secs(60);

#[test]
fn a_draft_is_tried() {
    alone("attempt::a_draft_is_tried", || {
        let source = scratch_dir("test-a-try").join("source");
        let fleet = fleet(&source);
        let draft = chain_file::add(&fleet.crate_dir, "page", None, DRAFT).unwrap();
        let (is_well, said) = tried(&fleet);
        assert!(is_well, "{said}");
        assert!(said.contains("\nweb1 (web) at `page`, a draft\nplan:\n  + file /srv/pages/index present\n"), "{said}");
        assert!(said.contains("\nrun:\n  + file /srv/pages/index present\n"), "{said}");
        assert!(said.contains("\nspecs:\n  `it_says_hello`: holds\n"), "{said}");

        // Who watches sees what comes of a file that is saved: it is compiled, and what comes before it is kept.
        let log = scratch_dir("test-a-try").join("watched.log");
        let program = Command::new(env!("CARGO_BIN_EXE_wb-operator")).args(["try", "--watch"]).dir(&fleet.crate_dir);
        let (watching, _input) = program.start_held(&log).unwrap();
        assert_eq!(specs(&after(&log, 1)), "  `it_says_hello`: holds\n");
        files::write(draft, DRAFT.replace("content(\"hello", "content(\"hullo"), 0o644).unwrap();
        let watch = Stopwatch::start();
        let said = after(&log, 2);
        assert!(watch.elapsed() < BOUND, "{:?}: {said}", watch.elapsed());
        assert!(specs(&said).starts_with("  `it_says_hello`: expected "), "{said}");
        assert_eq!(verdict(&log), "FAILED: its spec does not hold");
        watching.kill();
        files::remove_tree(source).unwrap();
    });
}

/// All that is written down by the end of so many tries.
fn after(log: &Path, tries: usize) -> String {
    let is_end = |line: &&str| line.starts_with("in ") && line.ends_with(" s");
    let said = || files::read_text(log).unwrap_or_default();
    let enough = || Some(said()).filter(|said| said.lines().filter(is_end).count() >= tries);
    let found = clock::wait_until(&clock::Real, Duration::from_mins(3), Duration::from_millis(50), enough);
    found.unwrap_or_else(|| panic!("no try {tries}: {}", said()))
}

/// What the line says that comes after a try that failed.
fn verdict(log: &Path) -> String {
    let find = || files::read_text(log).ok()?.lines().find(|line| line.starts_with("FAILED: ")).map(str::to_owned);
    let found = clock::wait_until(&clock::Real, Duration::from_secs(10), Duration::from_millis(50), find);
    found.unwrap_or_else(|| panic!("no verdict: {}", files::read_text(log).unwrap_or_default()))
}

/// What the specs of the last try say.
fn specs(said: &str) -> String {
    let last = said.rsplit("specs:\n").next().unwrap_or_default();
    last.split_inclusive('\n').take_while(|line| line.starts_with("  ")).collect()
}

fn tried(fleet: &Fleet) -> (bool, String) {
    let (shell, captured) = Shell::captured();
    let tried = attempt(fleet, &Options::default(), &shell);
    let tried = tried.unwrap_or_else(|error| panic!("{error}: {}", captured.text()));
    let said = captured.text();
    Shell::standard().print_text(&said);
    (tried.is_well(), said)
}

fn fleet(dir: &Path) -> Fleet {
    files::remove_tree(dir).unwrap();
    let scaffold = Scaffold {
        herd: HERD.to_owned(),
        roles: ROLES.to_owned(),
        tests: String::new(),
        links: vec![link("make_room", BEFORE)],
        ..Scaffold::new(dir, Dependencies::Paths)
    };
    scaffold.create(&Shell::standard()).unwrap()
}
