//! Nothing that a remote has makes a host panic, lose what it had, or run something else: a fixed share of what
//! `cargo xtask torture remote` gives, and every input that was once too much.
use std::path::Path;

use wb_core::system::{Command, files};
use wb_xtask::torture::remote::examination::{Fate, fuzz};
use wb_xtask::torture::remote::kind::Kind;
use wb_xtask::torture::remote::trick::Trick;

#[test]
fn a_share_of_inputs_and_visits_breaks_nothing_and_the_report_says_so() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let command = Command::new(env!("CARGO_BIN_EXE_wb-operator"));
    let command = command.args(["torture", "remote", "--seed", "1", "--rounds", "40", "--inputs", "100"]);
    let output = command.arg("--json").arg(file.path()).run().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&files::read(file.path()).unwrap()).unwrap();
    assert_eq!((output.code, &report["ok"]), (0, &true.into()), "{}\n{}", output.text(), output.error_text());
    assert_eq!((&report["rounds"], &report["violations"]), (&40.into(), &serde_json::json!([])));
    assert_eq!(report["inputs"], 40 * 100 * Kind::ALL.len());
    for kind in Kind::ALL {
        let given = &report["kinds"][kind.name()];
        assert!(
            given["accepted"].as_u64() > Some(100) && given["accepted"].as_u64() < given["given"].as_u64(),
            "{kind}"
        );
    }
    let is_left_out = |trick: &&str| report["tricks"][trick].as_u64().unwrap_or_default() == 0;
    let left_out: Vec<&str> = Trick::ALL.iter().map(|trick| trick.name()).filter(is_left_out).collect();
    assert!(left_out.is_empty(), "never played: {left_out:?}");
    assert!(report["ticks"].as_u64() > Some(40 * 4), "{report}");
}

/// What was too much once, by kinds. A file that is read today may be refused tomorrow, but never more than that.
#[test]
fn what_was_too_much_once_is_not_any_more() {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("inputs");
    let mut refused = 0;
    for kind in Kind::ALL {
        for file in files::list(all.join(kind.name())).unwrap_or_default() {
            refused += usize::from(fuzz(kind, &files::read(&file).unwrap()) == Fate::Refused);
        }
    }
    assert!(refused > 0);
}

#[test]
fn an_input_in_a_file_is_given_alone() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let check = |content: &str, expect: &str| {
        files::write(file.path(), content, 0o600).unwrap();
        let command = Command::new(env!("CARGO_BIN_EXE_wb-operator")).args(["torture", "remote", "--kind", "ref"]);
        let output = command.arg("--input").arg(file.path()).run().unwrap();
        assert_eq!((output.code, &*output.text()), (0, expect));
    };
    check("refs/wildebeest/changes", "ref: it is read, and nothing is wrong");
    check("refs/heads/main", "ref: it is refused, and nothing is wrong");
}
