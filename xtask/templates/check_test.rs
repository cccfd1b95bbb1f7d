//! The fleet as a whole: its chain against git, and its herd.

use std::process::Command;

#[test]
fn the_chain_holds_and_the_herd_fits() {
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let check = xtask.arg("check").current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}
