//! Edits beside Ansible's: what `lineinfile`, `blockinfile`, `replace` and `ini_file` make of the files of a table, as
//! these modules themselves did it, is what edits make of them, but for deliberate differences, each with its reason. The
//! table is [`wb_operations::differential::edits`]; on hosts, `tests/tests/sandbox/differential.rs` goes through it.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::Path;

use wb_core::context::{Mode, Outcome};
use wb_core::system::{Script, System, files};
use wb_operations::differential::edits::{Row, table};

const FILE: &str = "/etc/edited";

fn check(row: &Row) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join(FILE.trim_start_matches('/'));
    files::create_dir(path.parent().unwrap()).unwrap();
    if let Some(before) = &row.before {
        files::write(&path, before, 0o644).unwrap();
    }
    let system = System::fake(root.path(), Script::new());
    let said = row.run(&system, FILE, Mode::Apply);
    assert_eq!(text(&path).as_deref(), row.expected(), "{}: {said:?}", row.name);
    if row.is_refused() {
        assert!(said.is_err(), "{} is not refused", row.name);
        return;
    }
    assert_eq!(said.unwrap().changed(), row.expected() != row.before.as_deref(), "{}", row.name);
    assert_eq!(row.run(&system, FILE, Mode::Apply).unwrap(), Outcome::Unchanged, "{}", row.name);
}

fn text(path: &Path) -> Option<String> {
    files::read_optional(path).unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn edits_are_what_ansible_makes_of_the_same_files() {
    let table = table().unwrap();
    assert!(table.len() > 80);
    table.iter().for_each(check);
}

#[test]
fn each_difference_is_one_and_has_a_reason() {
    for row in table().unwrap() {
        let differs = row.here.as_ref().is_some_and(|here| *here != row.after);
        assert_eq!((differs, row.why.is_some()), (row.here.is_some(), row.here.is_some()), "{}", row.name);
    }
}
