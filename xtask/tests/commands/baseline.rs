//! A baseline in a fleet of one's own: scaffolded, committed, and what it replaces deleted.

use crate::support::{Scratch, said};
use wb_core::system::{Command, files};

#[test]
fn what_a_baseline_replaces_may_go_and_the_runner_keeps_the_whole_chain() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let commit = |message: &str| {
        scratch.git(&fleet, &["add", "--all"]);
        scratch.git(&fleet, &["commit", "--quiet", "-m", message]);
    };
    scratch.xtask(&fleet, &["new", "install_nginx", "--role", "server"]);
    commit("Add the migration install_nginx");
    let made = scratch.xtask(&fleet, &["baseline", "server_as_of_june", "--role", "server"]);
    insta::assert_snapshot!(said(&scratch, &made), @"");
    commit("Add the baseline server_as_of_june");
    let green = "the chain holds: 3 migrations up to `server_as_of_june` (0000000)\nexit code 0";
    assert_eq!(said(&scratch, &scratch.xtask(&fleet, &["check"])), green);

    files::remove(fleet.join("migrations/src/chain/base_packages.rs")).unwrap();
    files::remove(fleet.join("migrations/src/chain/install_nginx.rs")).unwrap();
    let order = fleet.join("migrations/src/chain.rs");
    let text =
        files::read_text(&order).unwrap().replace("mod base_packages;\n", "").replace("mod install_nginx;\n", "");
    files::write(&order, text, 0o644).unwrap();
    assert_eq!(said(&scratch, &scratch.xtask(&fleet, &["check"])), green);
    commit("Remove what the baseline replaces");
    assert_eq!(said(&scratch, &scratch.xtask(&fleet, &["check"])), green);
    insta::assert_snapshot!(said(&scratch, &scratch.xtask(&fleet, &["chain"])), @"");

    let built = scratch.cargo(&fleet, &["build", "--package", "migrations"]);
    assert_eq!(built.code, 0, "{}", built.error_text());
    assert!(!built.error_text().contains("warning"), "{}", built.error_text());
    let nowhere = scratch.path("nowhere").display().to_string();
    let runner = Command::new(scratch.built("wildebeest")).args(["chain", "--state", &nowhere, "--config", &nowhere]);
    insta::assert_snapshot!(said(&scratch, &runner.run().unwrap()), @"");
}

#[test]
fn what_baseline_refuses_changes_nothing() {
    let scratch = Scratch::new();
    let fleet = scratch.fleet();
    let refused = |args: &[&str]| {
        let said = said(&scratch, &scratch.xtask(&fleet, &[&["baseline"], args].concat()));
        assert_eq!(scratch.git(&fleet, &["status", "--porcelain"]), "");
        said
    };
    insta::assert_snapshot!(refused(&["base", "--role", "sever"]), @"");
    insta::assert_snapshot!(refused(&["base_packages", "--role", "server"]), @"");
    insta::assert_snapshot!(refused(&["base", "--role", "server", "--replaces", "1234567..1234567"]), @"");
    insta::assert_snapshot!(refused(&["base", "--role", "server", "--replaces", "HEAD"]), @"");
}
