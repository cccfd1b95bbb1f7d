//! A build never has a stale chain: each event that changes the verdict is seen by the next `cargo check`, and a fetch
//! rebuilds nothing.

use std::path::PathBuf;

use wb_core::system::{Command, environment, files};
use wb_tests::drawing::{git, migration};
use wb_tests::fleet::Fleet;

const LOCK: &str = "version = 1\ndigest = 1\n";

/// What each build says: of a chain that compiles nothing.
struct Watched {
    fleet: Fleet,
}

impl Watched {
    fn new(case: &str) -> Option<Self> {
        let fleet = Fleet::drawn(&format!("rebuild_{case}"), "c1 - *a - c2", &["a"])?;
        Some(Self { fleet: fleet.apart(&format!("rebuild_{case}")) })
    }

    fn git(&self, args: &[&str]) {
        self.fleet.repository.git(args);
    }

    fn commit(&self, args: &[&str]) {
        self.git(&["add", "."]);
        self.git(&[&["commit", "--quiet", "--allow-empty"], args].concat());
    }

    fn write(&self, name: &str, edits: usize) {
        self.fleet.repository.write(&format!("src/chain/{name}.rs"), &migration(name, "web", edits));
    }

    fn check(&self, event: &str, expect: &str) {
        let said = self.fleet.said();
        match expect {
            "" => assert_eq!(said, "", "{event}"),
            _ => assert!(said.contains(expect), "{event}: {said}"),
        }
    }

    /// Whether the next build compiles anything, which must not change what it says.
    fn compiles(&self) -> bool {
        self.fleet.compiles()
    }
}

#[test]
fn every_event_is_seen() {
    let Some(watched) = Watched::new("events") else { return };
    watched.check("at first", "");
    watched.write("b", 0);
    watched.check("a new file", "no `mod` line names `b` (draft)");
    watched.fleet.repository.write_mods(&["a", "b"]);
    watched.check("its line", "");
    watched.commit(&["--message", "b"]);
    watched.check("a commit", "");
    watched.write("b", 1);
    watched.check("an edit of what landed", "`b` (");
    watched.commit(&["--amend", "--message", "b, better"]);
    watched.check("an amend makes it the introduction", "");
    watched.git(&["checkout", "--quiet", "-b", "other"]);
    assert!(watched.compiles(), "another branch, the same tree");
    watched.git(&["commit", "--quiet", "--allow-empty", "--message", "other"]);
    watched.git(&["rebase", "--quiet", "--force-rebase", "HEAD~2"]);
    assert!(watched.compiles(), "a rebase");
    watched.check("after it", "");
}

#[test]
fn refs_that_are_packed_are_seen_when_they_move_again() {
    let Some(watched) = Watched::new("packed") else { return };
    watched.check("at first", "");
    watched.git(&["gc", "--quiet"]);
    watched.git(&["pack-refs", "--all"]);
    watched.check("packed", "");
    watched.write("b", 0);
    watched.fleet.repository.write_mods(&["a", "b"]);
    watched.commit(&["--message", "b"]);
    watched.check("a commit after it", "");
    watched.write("b", 1);
    watched.check("an edit of it", "`b` (");
}

#[test]
fn the_lock_and_deleted_files_are_seen() {
    let Some(watched) = Watched::new("lock") else { return };
    watched.fleet.repository.write("chain.lock", LOCK);
    watched.check("at first", "");
    watched.fleet.repository.write("chain.lock", "version = 7\n");
    watched.check("a changed lock", "chain.lock can't be read");
    watched.fleet.repository.write("chain.lock", LOCK);
    watched.check("as it was", "");
    let (sha1, digest) = ("1".repeat(40), "2".repeat(64));
    let pin = format!("{LOCK}\n[[link]]\nname = \"a\"\nsha1 = \"{sha1}\"\ndigest = \"{digest}\"\n");
    watched.fleet.repository.write("chain.lock", &pin);
    watched.check("a wrong pin", "chain.lock pins `a` to 1111111");
    files::remove(watched.fleet.repository.top().join("chain.lock")).expect("no lock");
    watched.check("no lock", "");
    files::remove(watched.fleet.repository.top().join("src/chain/a.rs")).expect("no file");
    watched.fleet.repository.write_mods(&[]);
    watched.check("a deleted file", "its file src/chain/a.rs is gone");
}

#[test]
fn an_asset_is_seen() {
    let Some(watched) = Watched::new("asset") else { return };
    watched.fleet.repository.write("assets/b.conf", "one");
    let uses = migration("b", "web", 0).replace("(host, 0)", "(host, asset!(\"b.conf\"))");
    watched.fleet.repository.write("src/chain/b.rs", &uses);
    watched.fleet.repository.write_mods(&["a", "b"]);
    watched.commit(&["--message", "b"]);
    watched.check("at first", "");
    watched.fleet.repository.write("assets/b.conf", "two");
    watched.check("its asset", "assets/b.conf");
}

#[test]
fn a_new_file_of_a_directory_of_assets_is_seen() {
    let Some(watched) = Watched::new("assets") else { return };
    watched.fleet.repository.write("assets/site/one", "one");
    let uses = migration("b", "web", 0).replace("(host, 0)", "(host, assets!(\"site\"))");
    watched.fleet.repository.write("src/chain/b.rs", &uses);
    watched.fleet.repository.write_mods(&["a", "b"]);
    watched.commit(&["--message", "b"]);
    watched.check("at first", "");
    watched.fleet.repository.write("assets/site/two", "two");
    watched.check("a new file", "assets/site/");
    files::remove(watched.fleet.repository.top().join("assets/site/two")).expect("no file");
    watched.check("it is gone again", "");
}

#[test]
fn a_fetch_rebuilds_nothing() {
    let Some(watched) = Watched::new("fetch") else { return };
    let remote = tempfile::tempdir().expect("a directory");
    git(remote.path())
        .args(["clone", "--quiet", "--bare"])
        .arg(watched.fleet.repository.top())
        .arg("remote")
        .read()
        .expect("a clone");
    let remote = remote.path().join("remote");
    watched.git(&["remote", "add", "origin", remote.to_str().expect("text")]);
    watched.git(&["fetch", "--quiet"]);
    watched.check("at first", "");
    assert!(!watched.compiles(), "nothing");
    let tree = git(&remote).args(["rev-parse", "main^{tree}"]).read().expect("a tree");
    let new = git(&remote).args(["commit-tree", "-p", "main", "-m", "new", &tree]).read().expect("a commit");
    git(&remote).args(["update-ref", "refs/heads/new", &new]).read().expect("a branch");
    git(&remote).args(["tag", "new-tag", &new]).read().expect("a tag");
    watched.git(&["fetch", "--quiet", "--tags"]);
    assert!(!watched.compiles(), "a fetch that brings a branch and a tag");
    watched.git(&["fetch", "--quiet", "--prune"]);
    assert!(!watched.compiles(), "a fetch that prunes");
}

/// What sccache takes for its key: the files and the variables that the compiler names. So a result from before a commit
/// is not taken after it.
#[test]
fn the_compiler_names_what_the_verdict_depends_on() {
    let Some(watched) = Watched::new("named") else { return };
    watched.fleet.repository.write("chain.lock", LOCK);
    watched.check("at first", "");
    let head = |watched: &Watched| watched.fleet.repository.git(&["rev-parse", "HEAD"]);
    let named = watched.fleet.named();
    let said = |named: &[String], variable: &str| {
        let line = named.iter().find(|line| line.starts_with(&format!("{variable}="))).cloned();
        line.unwrap_or_else(|| panic!("{variable} in {named:?}"))
    };
    assert_eq!(said(&named, "WB_HEAD"), format!("WB_HEAD={}", head(&watched)));
    watched.commit(&["--message", "empty"]);
    watched.check("a commit", "");
    let after = watched.fleet.named();
    assert_eq!(said(&after, "WB_HEAD"), format!("WB_HEAD={}", head(&watched)));
    assert_eq!(said(&after, "WB_SOURCES"), said(&named, "WB_SOURCES"));
    watched.fleet.repository.write("chain.lock", &format!("{LOCK}\n# more\n"));
    watched.check("a lock", "");
    assert_ne!(said(&watched.fleet.named(), "WB_SOURCES"), said(&after, "WB_SOURCES"));
}

/// With a real one, where there is one, of a library: what is linked it does not keep.
#[test]
fn a_cache_of_compiled_crates_serves_no_stale_chain() {
    let Ok(version) = Command::new("sccache").arg("--version").read() else {
        eprintln!("SKIPPED a_cache_of_compiled_crates_serves_no_stale_chain: there is no sccache");
        return;
    };
    let Some(watched) = Watched::new("sccache") else { return };
    files::remove(watched.fleet.repository.top().join("src/main.rs")).expect("no program");
    watched.fleet.repository.write("src/lib.rs", "pub mod chain;\npub mod roles;\n");
    let dir = tempfile::tempdir().expect("a directory");
    let port = 20_000 + std::process::id() % 10_000;
    let variables = [
        ("RUSTC_WRAPPER", PathBuf::from("sccache")),
        ("SCCACHE_SERVER_PORT", PathBuf::from(port.to_string())),
        ("SCCACHE_DIR", dir.path().to_owned()),
        ("CARGO_INCREMENTAL", PathBuf::from("0")),
    ];
    let said = || watched.fleet.said_with(&variables);
    assert_eq!(said(), "", "{version}");
    watched.write("b", 0);
    watched.fleet.repository.write_mods(&["a", "b"]);
    assert_eq!(said(), "", "a draft");
    watched.commit(&["--message", "b"]);
    assert_eq!(said(), "", "a commit");
    watched.write("b", 1);
    assert!(said().contains("`b` ("), "an edit of what landed");
    watched.git(&["reset", "--quiet", "--soft", "HEAD~1"]);
    assert_eq!(said(), "", "a draft again");
    watched.commit(&["--message", "b, again"]);
    watched.write("b", 0);
    assert!(said().contains("`b` ("), "what was right before is an edit now");
    let stop = Command::new("sccache").arg("--stop-server").env("SCCACHE_SERVER_PORT", port.to_string());
    let hits = stop.read().expect("the server ends with what it did");
    assert!(hits.lines().any(|line| line.starts_with("Cache hits") && !line.trim_end().ends_with(" 0")), "{hits}");
}

#[test]
fn without_incremental_builds_it_is_the_same() {
    let Some(watched) = Watched::new("whole") else { return };
    let said = || watched.fleet.said_with(&[("CARGO_INCREMENTAL", PathBuf::from("0"))]);
    assert_eq!(said(), "");
    watched.write("b", 0);
    watched.fleet.repository.write_mods(&["a", "b"]);
    watched.commit(&["--message", "b"]);
    assert_eq!(said(), "");
    watched.write("b", 1);
    assert!(said().contains("`b` ("), "{:?}", environment::var("CARGO_INCREMENTAL"));
}
