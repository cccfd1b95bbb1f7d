//! `cargo xtask try`: a draft on a host that is where it will find it.

use std::path::Path;
use std::time::Duration;

use wb_core::system::clock::Stopwatch;
use wb_core::system::files;
use wb_tests::alone::alone_with_quick_builds;
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
    alone_with_quick_builds("attempt::a_draft_is_tried", || {
        let source = scratch_dir("test-a-try").join("source");
        let fleet = fleet(&source);
        let draft = chain_file::add(&fleet.crate_dir, "page", None, DRAFT).unwrap();
        let (is_well, said) = tried(&fleet);
        assert!(is_well, "{said}");
        assert!(said.contains("\nweb1 (web) at `page`, a draft\nplan:\n  + file /srv/pages/index present\n"), "{said}");
        assert!(said.contains("\nrun:\n  + file /srv/pages/index present\n"), "{said}");
        assert!(said.contains("\nspecs:\n  `it_says_hello`: holds\n"), "{said}");

        // It is compiled, and what comes before it is kept.
        files::write(draft, DRAFT.replace("content(\"hello", "content(\"hullo"), 0o644).unwrap();
        let watch = Stopwatch::start();
        let (is_well, said) = tried(&fleet);
        assert!(watch.elapsed() < BOUND, "{:?}: {said}", watch.elapsed());
        assert!(!is_well && said.contains("`it_says_hello`: "), "{said}");
        files::remove_tree(source).unwrap();
    });
}

fn tried(fleet: &Fleet) -> (bool, String) {
    let (shell, captured) = Shell::captured();
    let tried = attempt(fleet, &Options::default(), &shell);
    let is_well = tried.unwrap_or_else(|error| panic!("{error}: {}", captured.text()));
    let said = captured.text();
    Shell::standard().print_text(&said);
    (is_well, said)
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
