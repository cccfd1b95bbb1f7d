//! What hosts will run.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn every_migration_is_in_the_runner() {
    let state = concat!(env!("CARGO_TARGET_TMPDIR"), "/state");
    let runner = Command::new(env!("CARGO_BIN_EXE_wildebeest")).args(["chain", "--state", state]).output().unwrap();
    let said = String::from_utf8_lossy(&runner.stdout);
    assert!(runner.status.success(), "{}", String::from_utf8_lossy(&runner.stderr));
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/chain")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy();
        assert!(said.contains(name.as_ref()), "{name} is not in the runner:\n{said}");
    }
}
