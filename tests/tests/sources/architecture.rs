//! What `ARCHITECTURE.md` says of the crates of others is complete; and all sources are text.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wb_core::system::files;

#[test]
fn every_crate_of_others_stands_in_the_table_and_no_other_does() {
    let (used, listed) = (used(&text("Cargo.toml")), listed(&text("ARCHITECTURE.md")));
    assert!(used.contains("serde") && !used.contains("wb-core"), "{used:?}");
    let missing: Vec<&String> = used.difference(&listed).collect();
    let idle: Vec<&String> = listed.difference(&used).collect();
    assert!(missing.is_empty() && idle.is_empty(), "missing in the table: {missing:?}; only in the table: {idle:?}");
}

/// What looks for words in files passes over one that has a NUL in it, without a word.
#[test]
fn no_source_has_a_byte_that_makes_it_no_text() {
    let mut seen = 0;
    for dir in members(&text("Cargo.toml")) {
        let rust = files::below(place(&dir)).expect("the files of a crate");
        for (path, _) in rust.iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "rs")) {
            let bytes = files::read(place(&dir).join(path)).expect("a file of the repository");
            assert!(!bytes.contains(&0), "{dir}/{} has a NUL: write \\0", path.display());
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

fn text(name: &str) -> String {
    files::read_text(place(name)).expect("a file of the repository")
}

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// The directories of our own crates.
fn members(manifest: &str) -> Vec<String> {
    let line = manifest.lines().find_map(|line| line.strip_prefix("members = "));
    line.expect("members").split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The crates of `[workspace.dependencies]`, but our own, which have a path.
fn used(manifest: &str) -> BTreeSet<String> {
    let table = manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    let table = table.take_while(|line| !line.starts_with('[')).filter(|line| !line.contains("path = "));
    table.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.to_owned()).collect()
}

/// The crates that the first cells of the table name.
fn listed(text: &str) -> BTreeSet<String> {
    let section = text.lines().skip_while(|line| *line != "## Crates");
    let cells = section.filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}
